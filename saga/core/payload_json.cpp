#include "saga/core/payload_json.hpp"

#include <flatbuffers/reflection_generated.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <saga/detail/event_type.hpp>
#include <saga/error.hpp>

#include "saga/core/json_text.hpp"

namespace saga::core {
namespace {

using reflection::BaseType;
using reflection::Field;
using reflection::Object;
using reflection::Schema;

// Of a schema, which is ours or a participant's: deep enough for any, and no more than a second.
constexpr int kSchemaDepth = 64;
constexpr int kSchemaTables = 1'000'000;

/// Whether a type says only what reflection.fbs knows: the verifier looks at no enum.
bool sound(const reflection::Type* type) {
    if (type == nullptr) return true;
    const auto& table = *reinterpret_cast<const flatbuffers::Table*>(type);
    const auto word = [&](flatbuffers::voffset_t field) {
        const auto value = table.GetField<std::int8_t>(field, 0);
        return value >= 0 && value < BaseType::MaxBaseType;
    };
    return word(reflection::Type::VT_BASE_TYPE) && word(reflection::Type::VT_ELEMENT);
}
bool sound(const Schema& schema) {
    for (const Object* object : *schema.objects())
        for (const Field* field : *object->fields())
            if (!sound(field->type())) return false;
    for (const reflection::Enum* names : *schema.enums())
        for (const reflection::EnumVal* value : *names->values())
            if (!sound(value->union_type())) return false;
    return true;
}

const Schema& schema_in(Bytes bfbs) {
    return *reflection::GetSchema(bfbs.data());
}

const Object* find_table(const Schema& schema, std::string_view name) {
    for (const Object* object : *schema.objects())
        if (!object->is_struct() && object->name()->string_view() == name) return object;
    return nullptr;
}

/// In the order of their declaration.
std::vector<const Field*> fields_of(const Object& object) {
    std::vector<const Field*> fields(object.fields()->begin(), object.fields()->end());
    std::sort(fields.begin(), fields.end(), [](const Field* a, const Field* b) {
        return std::pair(a->id(), a->offset()) < std::pair(b->id(), b->offset());
    });
    return fields;
}

/// Bytes of a scalar; 0: it is none.
std::size_t size_of(BaseType type) {
    switch (type) {
        case BaseType::UType:
        case BaseType::Bool:
        case BaseType::Byte:
        case BaseType::UByte:
            return 1;
        case BaseType::Short:
        case BaseType::UShort:
            return 2;
        case BaseType::Int:
        case BaseType::UInt:
        case BaseType::Float:
            return 4;
        case BaseType::Long:
        case BaseType::ULong:
        case BaseType::Double:
            return 8;
        default:
            return 0;
    }
}

/// Walks a payload and writes what it finds. Throws Error at the first thing that is not as it
/// should be. Nothing is read before need() said that it is there.
class Walker {
  public:
    Walker(const Schema& schema, Bytes payload) : schema_(schema), payload_(payload) {}

    std::string walk(const Object& root) {
        table(root, follow(0), 0);
        return out_.take();
    }

  private:
    // ---- reading --------------------------------------------------------------------------------

    void need(std::size_t at, std::size_t size, std::size_t alignment = 1) const {
        if (at > payload_.size() || size > payload_.size() - at)
            throw Error(fmt::format("an offset leads outside: to {}, of {} bytes", at + size,
                                    payload_.size()));
        if (at % alignment != 0) throw Error(fmt::format("a value stands askew, at {}", at));
    }
    template <class T>
    T load(std::size_t at) const {
        need(at, sizeof(T), sizeof(T));
        T value;
        std::memcpy(&value, payload_.data() + at, sizeof(T));
        return value;
    }
    /// Where the offset that stands at `at` leads.
    std::size_t follow(std::size_t at) const {
        const auto offset = load<std::uint32_t>(at);
        if (offset == 0 || offset > std::numeric_limits<std::int32_t>::max())
            throw Error(fmt::format("no sound offset stands at {}", at));
        return at + offset;
    }
    const Object& object_of(const reflection::Type& type) const {
        const auto& objects = *schema_.objects();
        if (type.index() < 0 || static_cast<std::uint32_t>(type.index()) >= objects.size())
            throw Error("its schema names a table that it does not have");
        return *objects[static_cast<std::uint32_t>(type.index())];
    }
    const reflection::Enum* enum_of(const reflection::Type& type) const {
        const auto& enums = *schema_.enums();
        const bool is =
            type.index() >= 0 && static_cast<std::uint32_t>(type.index()) < enums.size();
        return is ? enums[static_cast<std::uint32_t>(type.index())] : nullptr;
    }
    static const reflection::EnumVal* value_of(const reflection::Enum* names, std::int64_t value) {
        return names == nullptr ? nullptr : names->values()->LookupByKey(value);
    }

    void put_integer(const reflection::Type& type, std::int64_t value) {
        if (const auto* named = value_of(enum_of(type), value))
            return out_.string(named->name()->string_view());
        out_.put(fmt::format("{}", value));
    }

    // ---- values ---------------------------------------------------------------------------------

    void scalar(const reflection::Type& type, BaseType base, std::size_t at) {
        switch (base) {
            case BaseType::Bool:
                return out_.put(load<std::uint8_t>(at) != 0 ? "true" : "false");
            case BaseType::UType:
            case BaseType::UByte:
                return put_integer(type, load<std::uint8_t>(at));
            case BaseType::Byte:
                return put_integer(type, load<std::int8_t>(at));
            case BaseType::Short:
                return put_integer(type, load<std::int16_t>(at));
            case BaseType::UShort:
                return put_integer(type, load<std::uint16_t>(at));
            case BaseType::Int:
                return put_integer(type, load<std::int32_t>(at));
            case BaseType::UInt:
                return put_integer(type, load<std::uint32_t>(at));
            case BaseType::Long:
                return put_integer(type, load<std::int64_t>(at));
            case BaseType::ULong:
                return out_.put(fmt::format("{}", load<std::uint64_t>(at)));
            case BaseType::Float:
                return out_.real(load<float>(at));
            default:
                return out_.real(load<double>(at));
        }
    }

    void string(std::size_t at) {
        const std::size_t size = load<std::uint32_t>(at);
        need(at + 4, size + 1);
        if (payload_[at + 4 + size] != std::byte{0}) throw Error("a string does not end with zero");
        out_.string({reinterpret_cast<const char*>(payload_.data()) + at + 4, size});
    }

    /// One value, which stands at `at` or is led to from there.
    void value(const reflection::Type& type, BaseType base, std::size_t at, int depth) {
        if (size_of(base) != 0) return scalar(type, base, at);
        if (base == BaseType::String) return string(follow(at));
        if (base != BaseType::Obj) throw Error("its schema has a type that cannot stand there");
        const Object& object = object_of(type);
        object.is_struct() ? structure(object, at, depth + 1)
                           : table(object, follow(at), depth + 1);
    }

    /// Elements one after the other, each `stride` bytes.
    template <class Element>
    void list(std::size_t at, std::size_t count, std::size_t stride, Element element) {
        if (stride == 0) throw Error("its schema has a type without a size");
        if (count > payload_.size()) throw Error("a vector is longer than the payload");
        need(at, count * stride);
        out_.put("[");
        for (std::size_t i = 0; i < count; ++i) {
            if (i > 0) out_.put(",");
            element(at + i * stride, i);
        }
        out_.put("]");
    }

    std::size_t stride_of(const reflection::Type& type, BaseType element) const {
        if (size_of(element) != 0) return size_of(element);
        const bool structs = element == BaseType::Obj && object_of(type).is_struct();
        return structs ? static_cast<std::size_t>(std::max(object_of(type).bytesize(), 0)) : 4;
    }

    void vector(const reflection::Type& type, std::size_t at, int depth) {
        const std::size_t count = load<std::uint32_t>(at);
        const BaseType element = type.element();
        const bool plain = enum_of(type) == nullptr;
        if (element == BaseType::UByte && plain) {
            need(at + 4, count);
            return out_.base64(payload_.subspan(at + 4, count));
        }
        list(at + 4, count, stride_of(type, element),
             [&](std::size_t here, std::size_t) { value(type, element, here, depth); });
    }

    void member(const reflection::Type& type, std::int64_t which, std::size_t at, int depth) {
        const auto* chosen = value_of(enum_of(type), which);
        if (chosen == nullptr || chosen->union_type() == nullptr)
            return out_.put("null");  // a newer writer's
        const reflection::Type& its = *chosen->union_type();
        if (its.base_type() == BaseType::String) return string(at);
        const Object& object = object_of(its);
        object.is_struct() ? structure(object, at, depth + 1) : table(object, at, depth + 1);
    }

    /// A table as it stands: where its own bytes are and where each field's place is written.
    struct Place {
        std::size_t at = 0, vtable = 0, vtable_size = 0;
    };
    /// 0: the field is absent.
    std::size_t place_of(const Place& table, std::size_t offset) const {
        if (offset < 4 || offset + 2 > table.vtable_size) return 0;
        const auto entry = load<std::uint16_t>(table.vtable + offset);
        return entry == 0 ? 0 : table.at + entry;
    }

    static bool of_unions(const reflection::Type& type) {
        return type.base_type() == BaseType::Union ||
               (type.base_type() == BaseType::Vector && type.element() == BaseType::Union);
    }

    void unions(const Place& table, const Field& field, std::size_t at, int depth) {
        const std::size_t types = place_of(table, field.offset() - std::size_t{2});
        const reflection::Type& type = *field.type();
        const auto one = [&](std::size_t which, std::size_t here) {
            const auto chosen = load<std::uint8_t>(which);
            chosen == 0 ? out_.put("null") : member(type, chosen, follow(here), depth);
        };
        if (type.base_type() == BaseType::Union)
            return types == 0 ? out_.put("null") : one(types, at);
        if (types == 0) throw Error("a vector of unions does not say what they hold");
        const std::size_t kinds = follow(types), members = follow(at);
        const std::size_t count = load<std::uint32_t>(members);
        if (load<std::uint32_t>(kinds) != count) throw Error("a vector of unions has two lengths");
        list(members + 4, count, 4,
             [&](std::size_t here, std::size_t i) { one(kinds + 4 + i, here); });
    }

    void present(const Place& table, const Field& field, std::size_t at, int depth) {
        const reflection::Type& type = *field.type();
        if (of_unions(type)) return unions(table, field, at, depth);
        if (type.base_type() == BaseType::Vector) return vector(type, follow(at), depth);
        value(type, type.base_type(), at, depth);
    }

    /// A number that is absent has its default; what else is absent is left out.
    void absent(const Place& table, const Field& field) {
        if (field.required())
            throw Error(fmt::format("{} is required and absent", field.name()->string_view()));
        const reflection::Type& type = *field.type();
        if (of_unions(type)) {
            const std::size_t types = place_of(table, field.offset() - std::size_t{2});
            const bool one = type.base_type() == BaseType::Union;
            const bool none = types == 0 || (one && load<std::uint8_t>(types) == 0);
            if (!none && (!one || value_of(enum_of(type), load<std::uint8_t>(types))))
                throw Error("a union says what it holds and holds nothing");
        }
        const BaseType base = type.base_type();
        if (size_of(base) == 0 || base == BaseType::UType || field.optional()) return;
        out_.name(field.name()->string_view());
        if (base == BaseType::Bool)
            out_.put(field.default_integer() != 0 ? "true" : "false");
        else if (base == BaseType::Float || base == BaseType::Double)
            out_.real(field.default_real());
        else
            put_integer(type, field.default_integer());
    }

    void table(const Object& object, std::size_t at, int depth) {
        if (depth >= detail::kMaxTableDepth) throw Error("its tables stand too deep in each other");
        if (++tables_ > detail::kMaxTables) throw Error("it has too many tables");
        const std::int64_t vtable = static_cast<std::int64_t>(at) - load<std::int32_t>(at);
        if (vtable < 0) throw Error("an offset leads outside: before the first byte");
        Place place{.at = at, .vtable = static_cast<std::size_t>(vtable)};
        place.vtable_size = load<std::uint16_t>(place.vtable);
        if (place.vtable_size % 2 != 0) throw Error("a table has no sound list of its fields");
        need(place.vtable, place.vtable_size);
        out_.put("{");
        for (const Field* field : fields_of(object)) {
            if (field->deprecated()) continue;
            const std::size_t field_at = place_of(place, field->offset());
            if (field_at == 0) {
                absent(place, *field);
                continue;
            }
            out_.name(field->name()->string_view());
            present(place, *field, field_at, depth);
        }
        out_.put("}");
    }

    void structure(const Object& object, std::size_t at, int depth) {
        if (depth >= detail::kMaxTableDepth) throw Error("its tables stand too deep in each other");
        out_.put("{");
        for (const Field* field : fields_of(object)) {
            out_.name(field->name()->string_view());
            const reflection::Type& type = *field->type();
            const std::size_t here = at + field->offset();
            if (type.base_type() == BaseType::Array)
                list(here, type.fixed_length(), stride_of(type, type.element()),
                     [&](std::size_t element, std::size_t) {
                         value(type, type.element(), element, depth);
                     });
            else
                value(type, type.base_type(), here, depth);
        }
        out_.put("}");
    }

    const Schema& schema_;
    Bytes payload_;
    JsonText out_{kMaxPayloadJson};
    int tables_ = 0;
};

}  // namespace

std::optional<PayloadSchema> PayloadSchema::read(Bytes bfbs) {
    if (bfbs.size() < 8) return std::nullopt;
    auto copy = std::make_shared<const std::vector<std::byte>>(bfbs.begin(), bfbs.end());
    const auto* data = reinterpret_cast<const std::uint8_t*>(copy->data());
    flatbuffers::Verifier verifier(data, copy->size(), kSchemaDepth, kSchemaTables);
    if (!reflection::VerifySchemaBuffer(verifier) || !sound(schema_in(*copy))) return std::nullopt;
    return PayloadSchema(std::move(copy));
}

std::vector<std::string> PayloadSchema::tables() const {
    std::vector<std::string> names;
    for (const Object* object : *schema_in(*bfbs_).objects())
        if (!object->is_struct()) names.push_back(object->name()->str());
    return names;
}

bool PayloadSchema::knows(std::string_view table) const {
    return find_table(schema_in(*bfbs_), table) != nullptr;
}

std::variant<std::string, Unreadable> PayloadSchema::json(std::string_view table,
                                                          Bytes payload) const {
    const Schema& schema = schema_in(*bfbs_);
    const Object* root = find_table(schema, table);
    if (root == nullptr) return Unreadable{fmt::format("its schema has no table {}", table)};
    try {
        return Walker(schema, payload).walk(*root);
    } catch (const Error& fault) {
        return Unreadable{fault.what()};
    }
}

}  // namespace saga::core
