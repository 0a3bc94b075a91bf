// An event, as far as its saga's course follows from it.
#pragma once

#include <optional>
#include <saga/event.hpp>
#include <set>
#include <string>
#include <string_view>

#include "saga/core/envelope.hpp"

namespace saga::view {

using StoreTime = core::Message::StoreTime;

/// Its words are kept in a Words.
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

}  // namespace saga::view
