// What the engine knows of an event's type without its template parameter.
// Not part of the promise: include <saga/saga.hpp>.
#pragma once

#include <cstring>
#include <saga/event.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace saga::detail {

/// Of a payload: a deeper or a wider one is refused unread. 332 bytes of shared subtables cost 8 ms
/// with the verifier's defaults and 0.01 ms with these (flatbuffers 2.0.8).
inline constexpr int kMaxTableDepth = 16;
inline constexpr int kMaxTables = 1024;

struct EventType {
    std::string_view full;       ///< "shop.payment.PaymentTaken"
    std::string_view owner;      ///< "payment": the last namespace
    std::string_view name;       ///< "PaymentTaken": unique in a landscape
    bool (*verify)(Bytes) = {};  ///< Whether the bytes are a sound table of it; 8-byte aligned.
    std::string_view schema;     ///< Its file as .bfbs; empty where saga-events did not make it.
};

/// "a.b.C": C, of b.
struct TypeName {
    std::string_view owner, name;
};
constexpr TypeName split_type(std::string_view full) {
    const auto dot = full.rfind('.');
    if (dot == std::string_view::npos) return {{}, full};
    const std::string_view space = full.substr(0, dot);
    return {space.substr(space.rfind('.') + 1), full.substr(dot + 1)};
}

template <Event E>
bool verify(Bytes bytes) {
    flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                   bytes.size(), kMaxTableDepth, kMaxTables);
    return bytes.size() >= sizeof(flatbuffers::uoffset_t) &&
           verifier.VerifyBuffer<typename E::TableType>(nullptr);
}

/// One object a type, for the life of the program: types are compared by name, never by address.
template <Event E>
const EventType& type_of() {
    static const EventType type = [] {
        const std::string_view full = E::TableType::GetFullyQualifiedName();
        EventType made{full, split_type(full).owner, split_type(full).name, &verify<E>, {}};
        if constexpr (requires(const E* event) { saga_schema(event); })
            made.schema = saga_schema(static_cast<const E*>(nullptr));
        return made;
    }();
    return type;
}

/// The two triggers that are no type: saga::Failed and saga::AnyEvent.
inline constexpr EventType kAnyFailure{"*failed", "", "*failed", nullptr, {}};
inline constexpr EventType kAnyEvent{"*", "", "*", nullptr, {}};

template <Event E>
std::vector<std::byte> pack(const E& event) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(E::TableType::Pack(builder, &event));
    const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    return {begin, begin + builder.GetSize()};
}

/// Of bytes that verify<E> took.
template <Event E>
E unpack(Bytes payload) {
    E event;
    flatbuffers::GetRoot<typename E::TableType>(payload.data())->UnPackTo(&event);
    return event;
}

}  // namespace saga::detail
