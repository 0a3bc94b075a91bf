#include "saga/flow/evolution.hpp"

#include <flatbuffers/idl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <saga/error.hpp>

namespace saga::flow {
namespace {

using flatbuffers::EnumDef;
using flatbuffers::FieldDef;
using flatbuffers::Parser;
using flatbuffers::StructDef;
using flatbuffers::Type;

/// What belongs to the wire beside type, place, default and presence.
constexpr std::array kAttributes{"force_align", "nested_flatbuffer", "flexbuffer", "key",
                                 "hash",        "bit_flags"};

template <class Definition>
std::string name_of(const Definition& definition) {
    return definition.defined_namespace->GetFullyQualifiedName(definition.name);
}
template <class Table>
auto find(const Table& table, const std::string& name) {
    const auto found = std::find_if(table.vec.begin(), table.vec.end(),
                                    [&](const auto* each) { return name_of(*each) == name; });
    return found == table.vec.end() ? nullptr : *found;
}
std::string text_of(const Type& type) {
    std::string text = fmt::format("{} {} {}", static_cast<int>(type.base_type),
                                   static_cast<int>(type.element), type.fixed_length);
    if (type.struct_def != nullptr) text += " " + name_of(*type.struct_def);
    if (type.enum_def != nullptr) text += " " + name_of(*type.enum_def);
    return text;
}
std::string attributes_of(const flatbuffers::Definition& definition) {
    std::string text;
    for (const char* name : kAttributes)
        if (const auto* value = definition.attributes.Lookup(name))
            text += fmt::format("{}={} ", name, value->constant);
    return text;
}
void load(Parser& parser, const SchemaFile& file) {
    const std::string folder = std::filesystem::path(file.path).parent_path().string();
    std::vector<const char*> includes{folder.c_str(), nullptr};
    const char* path = file.path.empty() ? nullptr : file.path.c_str();
    if (!parser.Parse(file.text.c_str(), path == nullptr ? nullptr : includes.data(), path))
        throw Error(parser.error_);
}

constexpr auto kKeep = "keep it: who was released before may still write it, or read it";
constexpr auto kDeprecate = "keep it, and mark it (deprecated) once nobody needs it";
constexpr auto kAppend = "leave what was released where it is, and add what is new at the end";
constexpr auto kNewType = "leave it; what means something else is a table of a name of its own";
constexpr auto kBack = "set it back: bytes that were written mean what was released";
constexpr auto kOptional = "leave out (required): bytes of before do not have it";

class Comparison {
  public:
    Comparison(const Parser& released, const Parser& today) : released_(released), today_(today) {}

    std::vector<Break> run() {
        for (const StructDef* was : released_.structs_.vec) {
            const StructDef* is = find(today_.structs_, name_of(*was));
            if (is == nullptr || is->predecl != was->predecl)
                add(kKeep, "{} is gone", name_of(*was));
            else if (is->fixed != was->fixed)
                add(kNewType, "{} is a table in one and a struct in the other", name_of(*was));
            else
                was->fixed ? structure(*was, *is) : table(*was, *is);
        }
        for (const EnumDef* was : released_.enums_.vec) {
            const EnumDef* is = find(today_.enums_, name_of(*was));
            is == nullptr ? add(kKeep, "{} is gone", name_of(*was)) : values(*was, *is);
        }
        const auto root = [](const Parser& parser) {
            return parser.root_struct_def_ == nullptr ? "" : name_of(*parser.root_struct_def_);
        };
        if (root(released_) != root(today_)) add(kBack, "the root is another table");
        if (released_.file_identifier_ != today_.file_identifier_)
            add(kBack, "the file identifier is another one");
        return std::move(breaks_);
    }

  private:
    template <class... Args>
    void add(const char* mend, fmt::format_string<Args...> format, Args&&... args) {
        breaks_.push_back({fmt::format(format, std::forward<Args>(args)...), mend});
    }

    /// Of a struct, which never grows: each field stands where it stood, and there is no other.
    void structure(const StructDef& was, const StructDef& is) {
        if (was.bytesize != is.bytesize || was.minalign != is.minalign ||
            was.fields.vec.size() != is.fields.vec.size())
            return add(kNewType, "the struct {} has grown, or shrunk", name_of(was));
        for (std::size_t i = 0; i < was.fields.vec.size(); ++i)
            field(was, *was.fields.vec[i], *is.fields.vec[i]);
    }

    void table(const StructDef& was, const StructDef& is) {
        const auto at = [](const StructDef& table, const FieldDef& wanted) {
            const auto& fields = table.fields.vec;
            const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto* each) {
                return each->value.offset == wanted.value.offset;
            });
            return found == fields.end() ? nullptr : *found;
        };
        for (const FieldDef* before : was.fields.vec) {
            const FieldDef* now = at(is, *before);
            now == nullptr ? add(kDeprecate, "{}.{} is gone", name_of(was), before->name)
                           : field(was, *before, *now);
        }
        for (const FieldDef* now : is.fields.vec)
            if (now->IsRequired() && at(was, *now) == nullptr)
                add(kOptional, "{}.{} is new and required", name_of(was), now->name);
    }

    void field(const StructDef& table, const FieldDef& was, const FieldDef& is) {
        const auto say = [&](const char* mend, const char* what) {
            add(mend, "{}.{}: {}", name_of(table), was.name, what);
        };
        if (was.name != is.name)
            say(kAppend, "has another name, or another field stands in its place");
        if (was.value.offset != is.value.offset) say(kAppend, "stands at another place");
        if (text_of(was.value.type) != text_of(is.value.type)) say(kNewType, "has another type");
        if (was.value.constant != is.value.constant) say(kBack, "has another default");
        if (was.presence != is.presence)
            say(kBack, "is required, or may be absent, in one of them");
        if (was.deprecated && !is.deprecated) say(kNewType, "was deprecated, and is used again");
        if (is.deprecated && !was.deprecated && was.IsRequired())
            say(kKeep, "was required, and is gone");
        if (attributes_of(was) != attributes_of(is)) say(kBack, "has another attribute");
    }

    void values(const EnumDef& was, const EnumDef& is) {
        if (was.is_union != is.is_union ||
            text_of(was.underlying_type).substr(0, 4) != text_of(is.underlying_type).substr(0, 4))
            add(kNewType, "{} has another type", name_of(was));
        if (attributes_of(was) != attributes_of(is))
            add(kBack, "{} has another attribute", name_of(was));
        for (const flatbuffers::EnumVal* before : was.Vals()) {
            const flatbuffers::EnumVal* now = is.ReverseLookup(before->GetAsInt64());
            if (now == nullptr || now->name != before->name)
                add(kAppend, "{}.{} is gone, or has another number", name_of(was), before->name);
            else if (text_of(now->union_type) != text_of(before->union_type))
                add(kNewType, "{}.{} has another type", name_of(was), before->name);
        }
    }

    const Parser& released_;
    const Parser& today_;
    std::vector<Break> breaks_;
};

}  // namespace

std::vector<Break> breaks(const SchemaFile& released, const SchemaFile& today) {
    Parser was, is;
    load(was, released);
    load(is, today);
    std::vector<Break> found = Comparison(was, is).run();
    if (const std::string why = is.ConformTo(was); !why.empty())
        found.push_back({"flatc: " + why, kAppend});
    return found;
}

}  // namespace saga::flow
