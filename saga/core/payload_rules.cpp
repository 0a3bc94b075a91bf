#include "saga/core/payload_rules.hpp"

#include <flatbuffers/flatbuffers.h>
#include <flatbuffers/reflection.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <deque>
#include <map>
#include <memory>
#include <saga/error.hpp>
#include <vector>

#include "saga/core/text.hpp"

namespace saga::core {
namespace {

using flatbuffers::Offset;
using flatbuffers::String;
using flatbuffers::Table;
using flatbuffers::Vector;
using flatbuffers::VectorOfAny;
using reflection::BaseType;

using Byte = std::uint8_t;

/// An enumeration's values.
struct Named {
    std::vector<std::int64_t> values;  // in their order
    bool flags = false;                // any of them together

    explicit Named(const reflection::Enum& from) {
        for (const auto* value : *from.values()) values.push_back(value->value());
        // A schema keeps no built-in attribute; one with (bit_flags) alone has no zero.
        flags = std::all_of(values.begin(), values.end(), [](std::int64_t value) {
            return std::has_single_bit(static_cast<std::uint64_t>(value));
        });
    }
    bool has(std::int64_t value) const {
        if (!flags) return std::binary_search(values.begin(), values.end(), value);
        for (const std::int64_t flag : values) value &= ~flag;
        return value == 0;
    }
};

std::int64_t number_at(const Byte* at, BaseType type) {
    switch (type) {
        case BaseType::Byte:
            return flatbuffers::ReadScalar<std::int8_t>(at);
        case BaseType::Short:
            return flatbuffers::ReadScalar<std::int16_t>(at);
        case BaseType::UShort:
            return flatbuffers::ReadScalar<std::uint16_t>(at);
        case BaseType::Int:
            return flatbuffers::ReadScalar<std::int32_t>(at);
        case BaseType::UInt:
            return flatbuffers::ReadScalar<std::uint32_t>(at);
        case BaseType::Long:
        case BaseType::ULong:
            return flatbuffers::ReadScalar<std::int64_t>(at);
        default:
            return *at;
    }
}

bool is_text(const String* text) {
    const std::string_view view = text->string_view();
    return view.find('\0') == view.npos && is_utf8(view);
}

const Byte* follow(const Byte* at) {
    return at + flatbuffers::ReadScalar<flatbuffers::uoffset_t>(at);
}

/// Of one table or struct: each rule looks at one of its fields.
struct Object {
    struct Rule {
        flatbuffers::voffset_t offset = 0;  // in the vtable; of a struct's field, in the struct
        BaseType type = BaseType::None;
        BaseType element = BaseType::None;     // of a vector or an array
        std::size_t stride = 0, count = 0;     // of its elements; count: of an array
        const Object* object = nullptr;        // a table or a struct
        std::shared_ptr<const Named> named;    // an enumeration
        std::map<std::int64_t, Rule> members;  // a union's, by tag
    };
    bool is_struct = false;
    std::vector<Rule> rules;
};

using Rule = Object::Rule;

bool holds(const Object& object, const Byte* at);

/// Of one value, which stands at `at` or is led to from there.
bool holds(const Rule& rule, BaseType type, const Byte* at) {
    if (type == BaseType::String) return is_text(reinterpret_cast<const String*>(follow(at)));
    if (type == BaseType::Obj)
        return rule.object == nullptr ||
               holds(*rule.object, rule.object->is_struct ? at : follow(at));
    return rule.named == nullptr || rule.named->has(number_at(at, type));
}

bool holds_member(const Rule& rule, std::int64_t tag, const Byte* at) {
    if (tag == 0) return true;
    const auto member = rule.members.find(tag);
    if (member == rule.members.end() || at == nullptr) return false;
    const Byte* value = follow(at);
    if (member->second.type == BaseType::String)
        return is_text(reinterpret_cast<const String*>(value));
    return member->second.object == nullptr || holds(*member->second.object, value);
}

bool holds_union(const Rule& rule, const Table& table) {
    const flatbuffers::voffset_t tag_at = rule.offset - sizeof(flatbuffers::voffset_t);
    if (rule.type == BaseType::Union)
        return holds_member(rule, table.GetField<Byte>(tag_at, 0), table.GetAddressOf(rule.offset));
    const auto* tags = table.GetPointer<const Vector<Byte>*>(tag_at);
    const auto* values = table.GetPointer<const VectorOfAny*>(rule.offset);
    if (tags == nullptr || values == nullptr) return tags == nullptr && values == nullptr;
    for (flatbuffers::uoffset_t i = 0; i < tags->size(); ++i)
        if (!holds_member(rule, tags->Get(i), values->Data() + i * sizeof(Offset<void>)))
            return false;
    return true;
}

bool holds_each(const Rule& rule, const Byte* first, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
        if (!holds(rule, rule.element, first + i * rule.stride)) return false;
    return true;
}

bool holds(const Rule& rule, const Object& object, const Byte* at) {
    if (object.is_struct) {
        if (rule.type == BaseType::Array) return holds_each(rule, at + rule.offset, rule.count);
        return holds(rule, rule.type, at + rule.offset);
    }
    const Table& table = *reinterpret_cast<const Table*>(at);
    if (!rule.members.empty()) return holds_union(rule, table);
    const Byte* field = table.GetAddressOf(rule.offset);
    if (field == nullptr) return true;
    if (rule.type != BaseType::Vector) return holds(rule, rule.type, field);
    const auto& vector = *reinterpret_cast<const VectorOfAny*>(follow(field));
    return holds_each(rule, vector.Data(), vector.size());
}

bool holds(const Object& object, const Byte* at) {
    return std::all_of(object.rules.begin(), object.rules.end(),
                       [&](const Rule& rule) { return holds(rule, object, at); });
}

/// Makes the objects of a schema, each once.
class Maker {
  public:
    Maker(const reflection::Schema& schema, std::deque<Object>& objects)
        : schema_(schema), objects_(objects) {}

    const Object* make(const reflection::Object& from) {
        const auto known = made_.find(&from);
        if (known != made_.end()) return known->second;
        Object& object = objects_.emplace_back();
        made_.emplace(&from, &object);
        object.is_struct = from.is_struct();
        for (const reflection::Field* field : *from.fields()) {
            Rule rule = rule_of(*field->type());
            rule.offset = field->offset();
            const bool asks = rule.object != nullptr || rule.named || !rule.members.empty() ||
                              rule.type == BaseType::String || rule.element == BaseType::String;
            if (asks && !field->deprecated()) object.rules.push_back(std::move(rule));
        }
        return &object;
    }

  private:
    Rule rule_of(const reflection::Type& type) {
        Rule rule{.type = type.base_type(), .element = type.element()};
        const bool several = rule.type == BaseType::Vector || rule.type == BaseType::Array;
        const BaseType one = several ? rule.element : rule.type;
        rule.count = type.fixed_length();
        rule.stride = flatbuffers::GetTypeSize(one);
        if (one == BaseType::Obj) {
            const reflection::Object& object =
                *schema_.objects()->Get(static_cast<flatbuffers::uoffset_t>(type.index()));
            rule.object = make(object);
            if (object.is_struct()) rule.stride = static_cast<std::size_t>(object.bytesize());
        } else if (one == BaseType::Union) {
            for (const auto* member : *enum_of(type).values())
                if (member->value() != 0)
                    rule.members.emplace(member->value(), rule_of(*member->union_type()));
        } else if (one != BaseType::UType && type.index() >= 0) {
            rule.named = std::make_shared<const Named>(enum_of(type));
        }
        return rule;
    }
    const reflection::Enum& enum_of(const reflection::Type& type) const {
        return *schema_.enums()->Get(static_cast<flatbuffers::uoffset_t>(type.index()));
    }

    const reflection::Schema& schema_;
    std::deque<Object>& objects_;
    std::map<const reflection::Object*, const Object*> made_;
};

/// Of one type. A type without a schema has none.
class PayloadRules {
  public:
    explicit PayloadRules(const detail::EventType& type) {
        if (type.schema.empty()) return;
        const std::vector<char> aligned(type.schema.begin(), type.schema.end());
        const auto& schema = *reflection::GetSchema(aligned.data());
        const auto* table = schema.objects()->LookupByKey(std::string(type.full).c_str());
        if (table != nullptr) root_ = Maker(schema, objects_).make(*table);
    }
    PayloadRules(const PayloadRules&) = delete;
    PayloadRules& operator=(const PayloadRules&) = delete;

    bool hold(Bytes payload) const {
        const auto* begin = reinterpret_cast<const Byte*>(payload.data());
        return root_ == nullptr || holds(*root_, follow(begin));
    }

  private:
    std::deque<Object> objects_;  // which point at each other
    const Object* root_ = nullptr;
};

}  // namespace

bool is_sound(const detail::EventType& type, Bytes payload) {
    if (type.verify == nullptr) return true;
    if (reinterpret_cast<std::uintptr_t>(payload.data()) % 8 != 0)
        return is_sound(type, std::vector<std::byte>(payload.begin(), payload.end()));
    thread_local std::map<std::string_view, PayloadRules> rules;
    return type.verify(payload) && rules.try_emplace(type.full, type).first->second.hold(payload);
}

void require_sound(const detail::EventType& type, Bytes payload) {
    if (!is_sound(type, payload))
        throw Error(
            fmt::format("a handler returned a {} that nobody would read: its text is "
                        "UTF-8 without zero bytes, its enums have names",
                        type.name));
}

}  // namespace saga::core
