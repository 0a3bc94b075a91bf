// One service's side of one saga on the bench: events go in by hand, what the rules did comes out
// in words.
//
// Every delivery is made twice, and an answer that settled something too; what the second one did
// is told behind "again:".
// After each item what is stored must be what the rules believe to be stored: a test fails if not.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "tests/unit/core/declared.hpp"
#include "tests/unit/core/memory.hpp"

namespace saga::test {

/// An event of any service. Two of one name and number are the same event.
struct Given {
    std::string name;
    Kind kind = Kind::done;
    int number = 1;
    std::string because = {};
    std::uint16_t hops = 1;
    bool sound = true;  ///< its payload
    Time started{std::chrono::hours(1)};
};
EventId id_of(const Given& event);

inline core::Attempt threw() {
    return {core::Attempt::Result::threw, {}, "the disk is full"};
}
inline core::Attempt later() {
    return {core::Attempt::Result::later, {}, "not yet"};
}
inline core::Attempt locked() {
    return {core::Attempt::Result::locked, {}, "another saga holds it"};
}
inline core::Attempt deadlock() {
    return {core::Attempt::Result::deadlock, {}, "each holds what the other wants"};
}
inline core::Attempt unlike() {
    return {core::Attempt::Result::unlike, {}, "it came out otherwise"};
}
core::Attempt fails(std::string_view event);

class Bench {
  public:
    explicit Bench(Declared declared, core::Saga::Facts facts = {})
        : declared_(std::move(declared)), facts_(facts) {}

    /// What the handler answers next, once for each attempt: "run take", "undo take",
    /// "settle take", "settle undo take", "fire take", "react OrderPlaced". Without this it asks
    /// where it calls, and succeeds with all its successes where it does not.
    Bench& next(const std::string& handler, const core::Attempt& attempt, int times = 1);

    Bench& deliver(const Given& event);
    Bench& done(const std::string& name, int number = 1) {
        return deliver({name, Kind::done, number});
    }
    Bench& failed(const std::string& name, int number = 1) {
        return deliver({name, Kind::failed, number, name});
    }
    Bench& undone(const std::string& name, const std::string& because) {
        return deliver({name, Kind::undone, 1, because});
    }
    Bench& ended(const std::string& name, const std::string& because = {}) {
        return deliver({name, Kind::ended, 1, because});
    }
    /// It was read before this build had the reaction.
    Bench& missed(const Given& event);

    /// Makes the attempts that are due now, in order, until none is.
    Bench& retry();
    /// As retry(), of those too that wait for their backoff; once each.
    Bench& backoff();
    Bench& answer(const std::string& step, core::Part part = core::Part::step);
    /// Nobody answered, until the last attempt.
    Bench& silence(const std::string& step, core::Part part = core::Part::step);
    /// Its deadline is due; it may have been dropped since that was found.
    Bench& timer(const std::string& step, std::uint32_t nth = 0);
    /// An operator's word on the parked row whose words begin so: "step label".
    Bench& operate(core::Operation operation, const std::string& row);
    Bench& holds_locks();

    std::string did();            ///< Since the last call: "run take, done PaymentTaken".
    std::string journal() const;  ///< "reserve done, label tombstone", in the order of their nth
    std::string parked() const;   ///< "event OrderPlaced behind, step label retry"
    std::string failures() const;
    const Stored& stored() const { return stored_; }
    bool finished() const { return core::finished(declared_.contract(), stored_.load()); }

  private:
    template <class Work>
    void item(Work work);
    template <class Work>
    void again(Work work);
    void attempt(const StoredParked& row);
    core::Attempt answer_of(const Handling& handling);
    const core::Message& message(const Given& event);
    const core::Message* message_of(const StoredParked& row) const;
    std::string words_of(const StoredParked& row) const;

    Declared declared_;
    core::Saga::Facts facts_;
    Stored stored_;
    std::map<std::string, std::deque<core::Attempt>> next_;
    std::deque<Given> events_;
    std::deque<std::string> types_;
    std::deque<core::Message> messages_;
    std::vector<std::string> did_;
};

}  // namespace saga::test
