#include "saga/flow/json_schema.hpp"

#include <flatbuffers/reflection_generated.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace saga::flow {
namespace {

using nlohmann::ordered_json;
using reflection::BaseType;
using reflection::Enum;
using reflection::Field;
using reflection::Object;
using reflection::Type;

template <class T>
ordered_json integer() {
    return {{"type", "integer"},
            {"minimum", std::numeric_limits<T>::min()},
            {"maximum", std::numeric_limits<T>::max()}};
}

ordered_json number(BaseType type) {
    switch (type) {
        case BaseType::Bool:
            return {{"type", "boolean"}};
        case BaseType::Byte:
            return integer<std::int8_t>();
        case BaseType::UType:
        case BaseType::UByte:
            return integer<std::uint8_t>();
        case BaseType::Short:
            return integer<std::int16_t>();
        case BaseType::UShort:
            return integer<std::uint16_t>();
        case BaseType::Int:
            return integer<std::int32_t>();
        case BaseType::UInt:
            return integer<std::uint32_t>();
        case BaseType::Long:  // as wide as no double: bounds would be rounded
            return {{"type", "integer"}, {"format", "int64"}};
        case BaseType::ULong:
            return {{"type", "integer"}, {"format", "uint64"}, {"minimum", 0}};
        case BaseType::Float:
            return {{"type", "number"}, {"format", "float"}};
        case BaseType::Double:
            return {{"type", "number"}, {"format", "double"}};
        default:
            return ordered_json::object();  // anything: no schema of ours has it
    }
}

class Describing {
  public:
    Describing(const reflection::Schema& schema, ordered_json& all) : schema_(schema), all_(all) {}

    bool table(std::string_view name) {
        for (const Object* each : *schema_.objects())
            if (!each->is_struct() && each->name()->string_view() == name) {
                reference(*each);
                while (!open_.empty()) {
                    const Object* next = open_.back();
                    open_.pop_back();
                    all_[next->name()->str()] = describe(*next);
                }
                return true;
            }
        return false;
    }

  private:
    /// By its name; described later, if it is not yet.
    ordered_json reference(const Object& object) {
        const std::string name = object.name()->str();
        if (!all_.contains(name)) {
            all_[name] = nullptr;
            open_.push_back(&object);
        }
        return {{"$ref", "#/components/schemas/" + name}};
    }

    ordered_json describe(const Object& object) {
        std::vector<const Field*> fields(object.fields()->begin(), object.fields()->end());
        std::sort(fields.begin(), fields.end(), [](const Field* a, const Field* b) {
            return std::pair(a->id(), a->offset()) < std::pair(b->id(), b->offset());
        });
        auto properties = ordered_json::object(), required = ordered_json::array();
        for (const Field* field : fields) {
            const Type& type = *field->type();
            const bool marks_union =
                type.base_type() == BaseType::UType ||
                (type.base_type() == BaseType::Vector && type.element() == BaseType::UType);
            if (field->deprecated() || marks_union) continue;
            const std::string name = field->name()->str();
            properties[name] = value(type, type.base_type());
            if (!object.is_struct()) put_default(*field, properties[name]);
            if (field->required() || object.is_struct()) required.push_back(name);
        }
        ordered_json found{{"type", "object"}, {"properties", std::move(properties)}};
        if (!required.empty()) found["required"] = std::move(required);
        return found;
    }

    void put_default(const Field& field, ordered_json& property) const {
        const Type& type = *field.type();
        if (field.optional() || named(type) != nullptr) return;
        switch (type.base_type()) {
            case BaseType::Bool:
                property["default"] = field.default_integer() != 0;
                return;
            case BaseType::Float:
            case BaseType::Double:
                property["default"] = field.default_real();
                return;
            case BaseType::ULong:
                property["default"] = static_cast<std::uint64_t>(field.default_integer());
                return;
            default:
                if (property.value("type", "") == "integer")
                    property["default"] = field.default_integer();
        }
    }

    ordered_json value(const Type& type, BaseType base) {
        switch (base) {
            case BaseType::String:
                return {{"type", "string"}};
            case BaseType::Obj:
                return object_at(type);
            case BaseType::Union:
                return one_of(type);
            case BaseType::Vector:
                if (type.element() == BaseType::UByte && named(type) == nullptr)
                    return {{"type", "string"}, {"contentEncoding", "base64"}};
                return {{"type", "array"}, {"items", value(type, type.element())}};
            case BaseType::Array:
                return {{"type", "array"},
                        {"items", value(type, type.element())},
                        {"minItems", type.fixed_length()},
                        {"maxItems", type.fixed_length()}};
            default:
                return named(type) != nullptr ? names(*named(type)) : number(base);
        }
    }

    ordered_json object_at(const Type& type) {
        const auto at = static_cast<std::size_t>(type.index());
        return at < schema_.objects()->size() ? reference(*schema_.objects()->Get(type.index()))
                                              : ordered_json::object();
    }

    const Enum* named(const Type& type) const {
        const auto at = static_cast<std::size_t>(type.index());
        const bool union_or_table =
            type.base_type() == BaseType::Obj || type.element() == BaseType::Obj;
        return !union_or_table && at < schema_.enums()->size() ? schema_.enums()->Get(type.index())
                                                               : nullptr;
    }

    /// By its name; several flags at once, and what only a newer schema names, are a number. Which
    /// enumeration is one of flags no binary schema says (flatc without --bfbs-builtins).
    static ordered_json names(const Enum& known) {
        auto all = ordered_json::array();
        for (const reflection::EnumVal* each : *known.values()) all.push_back(each->name()->str());
        const ordered_json one{{"type", "string"}, {"enum", std::move(all)}};
        return {{"anyOf", ordered_json::array({one, {{"type", "integer"}}})}};
    }

    /// The member as it stands: nothing in the JSON says which one it is.
    ordered_json one_of(const Type& type) {
        auto members = ordered_json::array({{{"type", "null"}}});
        if (const Enum* known = named(type))
            for (const reflection::EnumVal* each : *known->values()) {
                const Type* member = each->union_type();
                if (member != nullptr && member->base_type() != BaseType::None)
                    members.push_back(value(*member, member->base_type()));
            }
        return {{"anyOf", std::move(members)}};
    }

    const reflection::Schema& schema_;
    ordered_json& all_;
    std::vector<const Object*> open_;
};

}  // namespace

bool add_json_schema(const core::PayloadSchema& schema, std::string_view table, ordered_json& all) {
    return Describing(*reflection::GetSchema(schema.bytes().data()), all).table(table);
}

}  // namespace saga::flow
