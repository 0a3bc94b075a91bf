// One event as it travels: a FlatBuffers table `Envelope` around the payload's own table.
#pragma once

#include <optional>
#include <saga/event.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace saga::core {

/// Read: views into the bytes it was read from. To be written: views of whatever the writer holds.
struct Envelope {
    EventId id;
    std::string_view type;  ///< "shop.payment.PaymentTaken"
    std::string_view saga;
    Time started;
    EventId cause;  ///< zero: the saga's first event
    std::string_view source;
    std::uint64_t sequence = 0;  ///< in the source's outbox
    Time time;
    Kind kind = Kind::done;
    std::string_view step;
    std::string_view because;  ///< the failure that failed the saga, of what is on the way back
    std::uint16_t hops = 0;
    std::string_view trace;
    Bytes sealed;
    Bytes payload;

    /// It starts forward work: no failure stands behind it.
    bool forward() const { return kind == Kind::done || (kind == Kind::ended && because.empty()); }
};

std::vector<std::byte> encode(const Envelope& envelope);

struct Unreadable {
    std::string why;
};

/// Verifies size, identifier, table and every field but the payload, which its reader verifies by
/// its type. `bytes` are 8-byte aligned and outlive what is returned.
std::variant<Envelope, Unreadable> decode(Bytes bytes);

/// Why the subject cannot be this envelope's: its tokens are copies of the envelope's fields, and
/// an event is published by its type's owner. Empty when all is well.
std::optional<std::string> spoofed(std::string_view subject, const Envelope& envelope);

/// Under which it may be published, again too.
std::string subject_of(const Envelope& envelope);

/// In the order in which they are sent; names are literals, with a zero behind them.
using Headers = std::vector<std::pair<std::string_view, std::string>>;
/// The CloudEvents headers of an event.
Headers headers_of(const Envelope& envelope);

/// 2026-01-31T12:00:00.123456Z
std::string rfc3339(Time time);

/// A message of the stream that decode() has judged. A view: its bytes are somebody's who keeps
/// them for longer.
class Message {
  public:
    using StoreTime = std::chrono::sys_time<std::chrono::nanoseconds>;  ///< The broker's clock.

    Message(Bytes bytes, const Envelope& envelope, std::uint64_t seq, StoreTime stored_at)
        : bytes_(bytes), envelope_(envelope), seq_(seq), stored_at_(stored_at) {}

    const Envelope& envelope() const { return envelope_; }
    Bytes bytes() const { return bytes_; }
    std::uint64_t seq() const { return seq_; }
    StoreTime stored_at() const { return stored_at_; }

  private:
    Bytes bytes_;
    Envelope envelope_;
    std::uint64_t seq_ = 0;
    StoreTime stored_at_;
};

}  // namespace saga::core
