#include "tests/schemas/conform.hpp"

#include <flatbuffers/idl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace saga::test {
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
void load(Parser& parser, const std::string& text) {
    if (!parser.Parse(text.c_str())) throw std::runtime_error(parser.error_);
}

class Comparison {
  public:
    Comparison(const Parser& released, const Parser& today) : released_(released), today_(today) {}

    std::vector<std::string> run() {
        for (const StructDef* was : released_.structs_.vec) {
            const StructDef* is = find(today_.structs_, name_of(*was));
            if (is == nullptr || is->predecl != was->predecl)
                add("{} is gone", name_of(*was));
            else if (is->fixed != was->fixed)
                add("{} is a table in one and a struct in the other", name_of(*was));
            else
                was->fixed ? structure(*was, *is) : table(*was, *is);
        }
        for (const EnumDef* was : released_.enums_.vec) {
            const EnumDef* is = find(today_.enums_, name_of(*was));
            is == nullptr ? add("{} is gone", name_of(*was)) : values(*was, *is);
        }
        const auto root = [](const Parser& parser) {
            return parser.root_struct_def_ == nullptr ? "" : name_of(*parser.root_struct_def_);
        };
        if (root(released_) != root(today_)) add("the root is another table");
        if (released_.file_identifier_ != today_.file_identifier_)
            add("the file identifier is another one");
        return std::move(breaks_);
    }

  private:
    template <class... Args>
    void add(fmt::format_string<Args...> format, Args&&... args) {
        breaks_.push_back(fmt::format(format, std::forward<Args>(args)...));
    }

    /// Of a struct, which never grows: each field stands where it stood, and there is no other.
    void structure(const StructDef& was, const StructDef& is) {
        if (was.bytesize != is.bytesize || was.minalign != is.minalign ||
            was.fields.vec.size() != is.fields.vec.size())
            return add("the struct {} has grown, or shrunk", name_of(was));
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
            now == nullptr ? add("{}.{} is gone", name_of(was), before->name)
                           : field(was, *before, *now);
        }
        for (const FieldDef* now : is.fields.vec)
            if (now->IsRequired() && at(was, *now) == nullptr)
                add("{}.{} is new and required", name_of(was), now->name);
    }

    void field(const StructDef& table, const FieldDef& was, const FieldDef& is) {
        const auto say = [&](const char* what) {
            add("{}.{}: {}", name_of(table), was.name, what);
        };
        if (was.name != is.name) say("has another name, or another field stands in its place");
        if (was.value.offset != is.value.offset) say("stands at another place");
        if (text_of(was.value.type) != text_of(is.value.type)) say("has another type");
        if (was.value.constant != is.value.constant) say("has another default");
        if (was.presence != is.presence) say("is required, or may be absent, in one of them");
        if (was.deprecated && !is.deprecated) say("was deprecated, and is used again");
        if (is.deprecated && !was.deprecated && was.IsRequired()) say("was required, and is gone");
        if (attributes_of(was) != attributes_of(is)) say("has another attribute");
    }

    void values(const EnumDef& was, const EnumDef& is) {
        if (was.is_union != is.is_union ||
            text_of(was.underlying_type).substr(0, 4) != text_of(is.underlying_type).substr(0, 4))
            add("{} has another type", name_of(was));
        if (attributes_of(was) != attributes_of(is)) add("{} has another attribute", name_of(was));
        for (const flatbuffers::EnumVal* before : was.Vals()) {
            const flatbuffers::EnumVal* now = is.ReverseLookup(before->GetAsInt64());
            if (now == nullptr || now->name != before->name)
                add("{}.{} is gone, or has another number", name_of(was), before->name);
            else if (text_of(now->union_type) != text_of(before->union_type))
                add("{}.{} has another type", name_of(was), before->name);
        }
    }

    const Parser& released_;
    const Parser& today_;
    std::vector<std::string> breaks_;
};

}  // namespace

std::vector<std::string> breaks(const std::string& released, const std::string& today) {
    Parser was, is;
    load(was, released);
    load(is, today);
    std::vector<std::string> found = Comparison(was, is).run();
    if (const std::string why = is.ConformTo(was); !why.empty()) found.push_back("flatc: " + why);
    return found;
}

}  // namespace saga::test
