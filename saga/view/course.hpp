// Where a saga stands, as its events, the contracts and the services tell together. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "saga/view/fact.hpp"
#include "saga/view/landscape.hpp"
#include "saga/view/letter.hpp"

namespace saga::view {

enum class Course : std::uint8_t {
    running,
    completed,    ///< its last word was said, and no failure stood behind it
    undoing,      ///< it failed, and something is still to be taken back
    undone,       ///< it failed, and all that is known of was taken back
    undo_failed,  ///< an undo waits for an operator
    stuck,        ///< something else does, or nobody goes on with it
};
std::string_view name_of(Course course);  ///< "undo failed"

/// What is to come next, from whom.
struct Awaited {
    enum class What : std::uint8_t {
        step,   ///< all that starts it is there: one of `events` follows
        join,   ///< it has something and misses `events`
        undo,   ///< `events` follow
        timer,  ///< when it is due, `events` follow
    };
    What what = What::step;
    std::string service, step;
    std::vector<std::string> events;  ///< short names; of a join with the service that owns them
    Time since;                       ///< of a timer: when it is due
    bool calls = false;               ///< it asks outside its database
};

struct Judgement {
    Course course = Course::running;
    std::vector<Awaited> awaited;
    std::string failed_by;  ///< "PaymentDeclined"; empty: it did not fail
    std::string last_word;  ///< "OrderConfirmed"; empty: none was said
    bool alarm = false;     ///< it failed after it had ended with success
    Time started, last;
};

/// `facts` in the stream's order, at least one; a repeated one counts once. `letters` of this saga.
Judgement judge(std::span<const Fact> facts, const Landscape& landscape,
                std::span<const Letter> letters);

}  // namespace saga::view
