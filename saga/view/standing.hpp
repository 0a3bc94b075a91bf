// How one saga among many stands: what is kept of each while all of them go by.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "saga/view/course.hpp"

namespace saga::view {

struct Standing {
    std::string saga;
    Course course = Course::running;  ///< of what has not completed: as settle() was last told
    Time started, last;
    std::uint64_t events = 0;  ///< a repeated one counts each time
    /// The last one that came.
    std::uint64_t last_seq = 0;
    std::string last_event, last_because;
    Kind last_kind = Kind::done;

    bool failed = false;
    std::string failed_by;    ///< "PaymentDeclined"
    std::string waits_for;    ///< "payment (take)"; empty: for nothing
    Time waits_since;         ///< of a timer: when it is due
    bool engine_only = true;  ///< an operator's word about junk and the like: it is no saga

    /// The next of its facts. A last word that no failure stands behind completes it: whatever
    /// comes later changes nothing of that.
    void take(const Fact& fact);
    bool completed() const { return course == Course::completed; }
    /// What follows from all its facts, for one that has not completed.
    void settle(const Judgement& judgement);
};

/// As `saga ls --json` shows it.
nlohmann::ordered_json json_of(const Standing& standing);

}  // namespace saga::view
