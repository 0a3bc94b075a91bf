// What the stream says of sagas.
#pragma once

#include <functional>
#include <saga/event.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "saga/cli/command.hpp"
#include "saga/core/envelope.hpp"

namespace saga::cli {

using StoreTime = core::Message::StoreTime;

/// One event, as far as a saga's course follows from it. Its words are kept in a Words.
struct Fact {
    EventId id, cause;
    std::string_view type;   ///< "shop.payment.PaymentTaken"
    std::string_view event;  ///< "PaymentTaken"
    std::string_view service, step, because;
    Kind kind = Kind::done;
    Time time, started;
    StoreTime stored_at;
    std::uint64_t seq = 0;
    std::uint16_t hops = 0;
    /// Of an operator's word that something will never be done here: what. Otherwise empty.
    struct PassedOver {
        std::string_view what, step;
        EventId event;  ///< of an undo, a timer, a call: its run
    };
    std::optional<PassedOver> passed_over;

    bool failure() const { return kind == Kind::failed; }
    /// No failure stands behind it.
    bool forward() const { return kind == Kind::done || (kind == Kind::ended && because.empty()); }
};

/// Keeps each word once: a million events know few.
class Words {
  public:
    std::string_view keep(std::string_view word);

  private:
    std::set<std::string, std::less<>> words_;
};
Fact fact_of(const core::Message& message, Words& words);

/// Every event of one saga, in the stream's order. `on_message` may look at the payload.
using OnFact = std::function<void(const Fact&, const core::Message&)>;
void read_saga(const Options& options, const std::string& saga, Words& words,
               const OnFact& on_fact);

struct StreamState {
    std::uint64_t first_seq = 1, last_seq = 0, messages = 0;
    StoreTime created{};
};
/// Throws Stop when there is no stream SAGA.
StreamState stream_state(bus::NatsClient& client, std::chrono::milliseconds timeout);
/// The first sequence that was stored at `time` or later: found by looking at a few.
std::uint64_t first_since(bus::NatsClient& client, Time time, std::chrono::milliseconds timeout);

/// Throws Stop unless it can be the id of a saga.
void require_saga_id(const std::string& id);

}  // namespace saga::cli
