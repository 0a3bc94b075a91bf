#include "saga/flow/schema_text.hpp"

#include <flatbuffers/idl.h>
#include <flatbuffers/reflection.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <saga/error.hpp>
#include <set>

#include "saga/flow/words.hpp"

namespace saga::flow {
namespace {

using reflection::BaseType;

/// By reflection::BaseType: none, the tag of a union, and scalars; and their bytes.
constexpr std::array<std::string_view, 13> kScalars{"",      "ubyte",  "bool",  "byte", "ubyte",
                                                    "short", "ushort", "int",   "uint", "long",
                                                    "ulong", "float",  "double"};
constexpr std::array<std::size_t, 13> kSizes{1, 1, 1, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8};
constexpr std::size_t kMostReached = 1'000;  // by one event: the shop's reach 2
constexpr auto kLastScalar = static_cast<std::size_t>(BaseType::Double);

bool is_tag(const reflection::Type& type) {
    return type.base_type() == BaseType::UType ||
           (type.base_type() == BaseType::Vector && type.element() == BaseType::UType);
}

class Writer {
  public:
    Writer(const reflection::Schema& schema, Comments kept) : schema_(schema), kept_(kept) {}

    std::string text(const reflection::Object& root) {
        reach(root);
        std::string out;
        for (const auto& [name, found] : enums_)
            if (!found->is_union()) out += this->enumeration(*found);
        for (const reflection::Object* each : structs_) out += object(*each);
        for (const auto& [name, found] : enums_)
            if (found->is_union()) out += this->enumeration(*found);
        for (const auto& [name, found] : tables_) out += object(*found);
        out += fmt::format("root_type {};\n", root.name()->str());
        const bool names_file =
            schema_.file_ident() != nullptr && !schema_.file_ident()->str().empty();
        if (names_file && schema_.root_table() == &root)
            out += fmt::format("file_identifier \"{}\";\n", schema_.file_ident()->str());
        return out;
    }

  private:
    // ---- what a table reaches; a schema that somebody else published may name what is not there

    [[noreturn]] static void unsound() { throw Error("the binary schema is not sound"); }
    const reflection::Object& object_at(std::int32_t index) const {
        if (index < 0 || static_cast<std::uint32_t>(index) >= schema_.objects()->size()) unsound();
        return *schema_.objects()->Get(static_cast<std::uint32_t>(index));
    }
    const reflection::Enum& enum_at(std::int32_t index) const {
        if (index < 0 || static_cast<std::uint32_t>(index) >= schema_.enums()->size()) unsound();
        return *schema_.enums()->Get(static_cast<std::uint32_t>(index));
    }
    template <class Of>
    static const Of& of_scalar(const std::array<Of, 13>& all, BaseType base) {
        const auto at = static_cast<std::size_t>(base);
        if (at >= all.size()) unsound();
        return all.at(at);
    }

    void reach(const reflection::Object& object) {
        if (!seen_.insert(&object).second) return;
        if (seen_.size() > kMostReached) unsound();
        for (const reflection::Field* field : *object.fields()) reach(*field->type());
        if (object.is_struct())
            structs_.push_back(&object);  // behind those that it holds
        else
            tables_.emplace(object.name()->str(), &object);
    }
    void reach(const reflection::Type& type) {
        if (type.index() < 0) return;
        const BaseType base =
            type.base_type() == BaseType::Vector || type.base_type() == BaseType::Array
                ? type.element()
                : type.base_type();
        if (base == BaseType::Obj) return reach(object_at(type.index()));
        const reflection::Enum& found = enum_at(type.index());
        if (!enums_.emplace(found.name()->str(), &found).second || !found.is_union()) return;
        for (const reflection::EnumVal* value : *found.values())
            if (value->union_type() != nullptr) reach(*value->union_type());
    }

    // ---- how it is written

    static std::string in_namespace(const std::string& full, const std::string& rest) {
        const auto dot = full.rfind('.');
        const std::string space = dot == std::string::npos ? "" : full.substr(0, dot);
        return fmt::format("namespace {};\n{}\n", space, rest);
    }

    std::string name_of(BaseType base, std::int32_t index) const {
        if (base == BaseType::Obj) return object_at(index).name()->str();
        if (index >= 0) return enum_at(index).name()->str();
        if (base == BaseType::String) return "string";
        return std::string(of_scalar(kScalars, base));
    }
    std::string name_of(const reflection::Type& type) const {
        switch (type.base_type()) {
            case BaseType::Vector:
                return fmt::format("[{}]", name_of(type.element(), type.index()));
            case BaseType::Array:
                return fmt::format("[{}:{}]", name_of(type.element(), type.index()),
                                   type.fixed_length());
            default:
                return name_of(type.base_type(), type.index());
        }
    }

    std::size_t alignment(const reflection::Type& type) const {
        const BaseType base =
            type.base_type() == BaseType::Array ? type.element() : type.base_type();
        if (base != BaseType::Obj) return of_scalar(kSizes, base);
        return static_cast<std::size_t>(object_at(type.index()).minalign());
    }
    /// Of a struct: what its fields do not explain was forced.
    std::vector<std::string> attributes_of(const reflection::Object& object) const {
        std::size_t natural = 1;
        for (const reflection::Field* field : *object.fields())
            if (object.is_struct()) natural = std::max(natural, alignment(*field->type()));
        const auto minimum = static_cast<std::size_t>(object.minalign());
        if (!object.is_struct() || minimum <= natural) return {};
        return {fmt::format("force_align: {}", minimum)};
    }
    static std::vector<std::string> attributes_of(const reflection::Field& field) {
        std::vector<std::string> all;
        if (field.key()) all.emplace_back("key");
        if (field.deprecated()) all.emplace_back("deprecated");
        if (field.required()) all.emplace_back("required");
        return all;
    }
    /// Values that are single bits and no zero: as core::is_sound tells flags.
    static bool are_flags(const reflection::Enum& found) {
        return std::ranges::all_of(*found.values(), [](const reflection::EnumVal* value) {
            return std::has_single_bit(static_cast<std::uint64_t>(value->value()));
        });
    }
    static std::string shown(const std::vector<std::string>& attributes) {
        return attributes.empty() ? "" : fmt::format(" ({})", fmt::join(attributes, ", "));
    }

    template <class Of>
    std::string comments(const Of& of, std::string_view indent) const {
        std::string out;
        if (kept_ == Comments::kept && of.documentation() != nullptr)
            for (const auto* line : *of.documentation())
                out += fmt::format("{}///{}\n", indent, plain(line->string_view(), {}));
        return out;
    }

    static std::string otherwise(const reflection::Field& field) {
        if (field.optional() && static_cast<std::size_t>(field.type()->base_type()) <= kLastScalar)
            return " = null";
        if (field.default_real() != 0) return fmt::format(" = {}", field.default_real());
        if (field.default_integer() == 0) return {};
        if (field.type()->base_type() == BaseType::ULong)
            return fmt::format(" = {}", static_cast<std::uint64_t>(field.default_integer()));
        return fmt::format(" = {}", field.default_integer());
    }

    std::string object(const reflection::Object& object) const {
        std::vector<const reflection::Field*> fields(object.fields()->begin(),
                                                     object.fields()->end());
        std::ranges::sort(fields, {}, [](const auto* each) { return each->id(); });
        std::string lines;
        for (const reflection::Field* field : fields) {
            if (is_tag(*field->type())) continue;
            lines += comments(*field, "  ");
            lines += fmt::format("  {}:{}{}{};\n", field->name()->str(), name_of(*field->type()),
                                 otherwise(*field), shown(attributes_of(*field)));
        }
        const std::string full = object.name()->str();
        return in_namespace(full,
                            fmt::format("{}{} {}{} {{\n{}}}\n", comments(object, ""),
                                        object.is_struct() ? "struct" : "table", short_name(full),
                                        shown(attributes_of(object)), lines));
    }

    std::string enumeration(const reflection::Enum& found) const {
        const std::string full = found.name()->str();
        std::string values;
        if (found.is_union()) {
            for (const reflection::EnumVal* value : *found.values())
                if (value->value() != 0 && value->union_type() != nullptr)
                    values += fmt::format("{}  {}:{},\n", comments(*value, "  "),
                                          value->name()->str(), name_of(*value->union_type()));
            return in_namespace(full, fmt::format("{}union {} {{\n{}}}\n", comments(found, ""),
                                                  short_name(full), values));
        }
        const bool flags = are_flags(found);
        for (const reflection::EnumVal* value : *found.values())
            values +=
                fmt::format("{}  {} = {},\n", comments(*value, "  "), value->name()->str(),
                            flags ? std::countr_zero(static_cast<std::uint64_t>(value->value()))
                                  : value->value());
        const std::string_view base = of_scalar(kScalars, found.underlying_type()->base_type());
        return in_namespace(
            full, fmt::format("{}enum {} : {}{} {{\n{}}}\n", comments(found, ""), short_name(full),
                              base, flags ? " (bit_flags)" : "", values));
    }

    const reflection::Schema& schema_;
    Comments kept_;
    std::set<const reflection::Object*> seen_;
    std::map<std::string, const reflection::Object*> tables_;
    std::vector<const reflection::Object*> structs_;
    std::map<std::string, const reflection::Enum*> enums_;
};

}  // namespace

std::string schema_text(Bytes bfbs, std::string_view table, Comments comments) {
    const reflection::Schema& schema = *reflection::GetSchema(bfbs.data());
    const reflection::Object* root = schema.objects()->LookupByKey(std::string(table).c_str());
    if (root == nullptr || root->is_struct()) return {};
    return Writer(schema, comments).text(*root);
}

std::vector<std::byte> binary_schema(const std::string& text) {
    flatbuffers::IDLOptions keeping;
    keeping.binary_schema_comments = true;
    flatbuffers::Parser parser(keeping);
    if (!parser.Parse(text.c_str())) throw Error(parser.error_);
    parser.Serialize();
    const auto* begin = reinterpret_cast<const std::byte*>(parser.builder_.GetBufferPointer());
    return {begin, begin + parser.builder_.GetSize()};
}

}  // namespace saga::flow
