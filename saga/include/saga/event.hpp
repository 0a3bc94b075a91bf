// What an event is. Every table that flatc makes a plain struct of can be one.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace saga {

using Time = std::chrono::sys_time<std::chrono::microseconds>;  ///< UTC, as fine as the wire.
using Bytes = std::span<const std::byte>;

/// What an event means for its saga. Never change: stored, and a token of the subject.
enum class Kind : std::uint8_t {
    done,    ///< a step of the way forward
    failed,  ///< the saga will be undone
    undone,  ///< a fact of the way back
    ended,   ///< the saga's last word: it held, or it did not
};

/// Sixteen bytes in network order: a UUIDv8 (RFC 9562). The same work has the same id on every run.
struct EventId {
    std::array<std::uint8_t, 16> bytes{};

    auto operator<=>(const EventId&) const = default;
    explicit operator bool() const { return *this != EventId{}; }
    std::string text() const;  ///< 36 characters, lower case.
    /// All zero when `text` is not 36 characters of a UUID.
    static EventId parse(std::string_view text);
};

/// An event or a request: `flatc --gen-object-api --gen-name-strings --cpp-std c++17` makes a plain
/// aggregate of a table. A field that is a table, or a vector of tables, needs `(native_inline)`.
template <class T>
concept Event = std::is_aggregate_v<T> &&
    requires(flatbuffers::FlatBufferBuilder& builder, const T* event) {
    typename T::TableType;
    T::TableType::GetFullyQualifiedName();
    T::TableType::Pack(builder, event);
};

/// As the parameter of a step: any failure of this saga, whoever reported it. The step runs once.
struct Failed {
    std::string event;    ///< "PaymentDeclined"
    std::string service;  ///< who published it
};

/// As the parameter of a reaction: every event that the service reads, also of tables that this
/// build does not know. Valid during the handler; `payload` is bounded in size, 8-byte aligned, and
/// of a table that this service does not declare it is hostile bytes.
struct AnyEvent {
    EventId id;
    std::string_view type;  ///< "shop.payment.PaymentTaken"
    std::string_view saga_id;
    std::string_view service;
    Kind kind = Kind::done;
    Time time;
    Bytes payload;
};

}  // namespace saga
