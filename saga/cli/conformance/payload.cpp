#include "saga/cli/conformance/payload.hpp"

#include <flatbuffers/reflection.h>

#include <algorithm>
#include <charconv>

#include "saga/cli/command.hpp"
#include "saga/cli/words.hpp"

namespace saga::cli {
namespace {

using flatbuffers::Offset;
using reflection::BaseType;
using reflection::Field;
using reflection::Object;

constexpr int kDeepest = 8;  // of tables in tables; a reader takes 16

class Maker {
  public:
    Maker(const reflection::Schema& schema, const std::string& text, const FieldValues& values)
        : schema_(schema), text_(text), values_(values) {
        builder_.ForceDefaults(true);
    }

    std::vector<std::byte> make(const Object& root, bool newer) {
        builder_.Finish(Offset<void>(table(root, 0, newer)));
        const auto* begin = reinterpret_cast<const std::byte*>(builder_.GetBufferPointer());
        return {begin, begin + builder_.GetSize()};
    }

  private:
    flatbuffers::uoffset_t table(const Object& object, int depth, bool newer = false) {
        std::vector<std::pair<const Field*, flatbuffers::uoffset_t>> children;
        for (const Field* field : *object.fields()) {
            if (field->deprecated()) continue;
            const flatbuffers::uoffset_t child = below(*field, depth);
            if (child != 0) children.emplace_back(field, child);
            if (child == 0 && field->required())
                throw Stop(kError,
                           fmt::format("cannot make a {}: its field {} is of a kind that "
                                       "saga conformance does not make",
                                       object.name()->string_view(), field->name()->string_view()));
        }
        const flatbuffers::uoffset_t start = builder_.StartTable();
        flatbuffers::voffset_t last = 2;
        for (const Field* field : *object.fields()) {
            last = std::max(last, field->offset());
            if (!field->deprecated()) scalar(*field);
        }
        for (const auto& [field, child] : children)
            builder_.AddOffset(field->offset(), Offset<void>(child));
        if (newer) builder_.AddElement<std::int64_t>(last + 2, 1, 0);
        return builder_.EndTable(start);
    }

    /// What a field points to; 0: it is a scalar, or is left out.
    flatbuffers::uoffset_t below(const Field& field, int depth) {
        const reflection::Type& type = *field.type();
        switch (type.base_type()) {
            case BaseType::String:
                return string(field);
            case BaseType::Obj:
                return one(type, depth);
            case BaseType::Vector:
                return vector(field, depth);
            default:
                return 0;
        }
    }
    flatbuffers::uoffset_t string(const Field& field) {
        const auto given = values_.find(field.name()->string_view());
        return builder_.CreateString(given == values_.end() ? text_ : given->second).o;
    }
    flatbuffers::uoffset_t one(const reflection::Type& type, int depth) {
        const Object& object = *schema_.objects()->Get(std::uint32_t(type.index()));
        return object.is_struct() || depth >= kDeepest ? 0 : table(object, depth + 1);
    }
    flatbuffers::uoffset_t vector(const Field& field, int depth) {
        const BaseType element = field.type()->element();
        if (element == BaseType::String)
            return builder_.CreateVector(std::vector{Offset<flatbuffers::String>(string(field))}).o;
        if (element == BaseType::Obj) {
            const flatbuffers::uoffset_t child = one(*field.type(), depth);
            return child == 0 ? 0 : builder_.CreateVector(std::vector{Offset<void>(child)}).o;
        }
        const std::int64_t value = number(field);
        switch (flatbuffers::uoffset_t size = size_of(element)) {
            case 1:
                return builder_.CreateVector(std::vector{static_cast<std::uint8_t>(value)}).o;
            case 2:
                return builder_.CreateVector(std::vector{static_cast<std::int16_t>(value)}).o;
            case 4:
                if (element == BaseType::Float) return builder_.CreateVector(std::vector{1.0F}).o;
                return builder_.CreateVector(std::vector{static_cast<std::int32_t>(value)}).o;
            case 8:
                if (element == BaseType::Double) return builder_.CreateVector(std::vector{1.0}).o;
                return builder_.CreateVector(std::vector{value}).o;
            default:
                return size;
        }
    }

    void scalar(const Field& field) {
        const flatbuffers::voffset_t at = field.offset();
        const BaseType type = field.type()->base_type();
        if (type == BaseType::UType || size_of(type) == 0) return;
        const std::int64_t value = number(field);
        if (type == BaseType::Float)
            builder_.AddElement<float>(at, static_cast<float>(value), 0);
        else if (type == BaseType::Double)
            builder_.AddElement<double>(at, static_cast<double>(value), 0);
        else if (size_of(type) == 1)
            builder_.AddElement<std::uint8_t>(at, static_cast<std::uint8_t>(value), 0);
        else if (size_of(type) == 2)
            builder_.AddElement<std::int16_t>(at, static_cast<std::int16_t>(value), 0);
        else if (size_of(type) == 4)
            builder_.AddElement<std::int32_t>(at, static_cast<std::int32_t>(value), 0);
        else
            builder_.AddElement<std::int64_t>(at, value, 0);
    }

    std::int64_t number(const Field& field) const {
        const auto given = values_.find(field.name()->string_view());
        if (given != values_.end()) {
            std::int64_t value = 0;
            const char* end = given->second.data() + given->second.size();
            const auto read = std::from_chars(given->second.data(), end, value);
            if (read.ec != std::errc() || read.ptr != end)
                throw Stop(kUsage,
                           fmt::format("--set {}={}: the field {} is a number", given->first,
                                       harmless(given->second), given->first));
            return value;
        }
        const std::int32_t named = field.type()->index();
        return named < 0 ? 1
                         : schema_.enums()->Get(std::uint32_t(named))->values()->Get(0)->value();
    }

    /// Bytes of a scalar; 0: it is none.
    static flatbuffers::uoffset_t size_of(BaseType type) {
        return flatbuffers::IsScalar(type) ? flatbuffers::uoffset_t(flatbuffers::GetTypeSize(type))
                                           : 0;
    }

    const reflection::Schema& schema_;
    const std::string& text_;
    const FieldValues& values_;
    flatbuffers::FlatBufferBuilder builder_;
};

}  // namespace

std::vector<std::byte> make_payload(const core::PayloadSchema& schema, std::string_view table,
                                    const std::string& text, const FieldValues& values,
                                    bool newer) {
    const reflection::Schema& known = *reflection::GetSchema(schema.bytes().data());
    const Object* object = known.objects()->LookupByKey(std::string(table).c_str());
    if (object == nullptr || object->is_struct())
        throw Stop(kError, fmt::format("the contract has no schema of {}: it is to hold those of "
                                       "all that the service takes and emits",
                                       harmless(table)));
    return Maker(known, text, values).make(*object, newer);
}

}  // namespace saga::cli
