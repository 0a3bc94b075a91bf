// Sagas of a stretch of time: the latest of them, how many there are of each state, and how all
// that travels from an observer to who asks it.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "saga/view/standing.hpp"

namespace saga::view {

/// What is asked for.
struct Wanted {
    Time since;              ///< sagas that began then or later
    std::string status;      ///< as `saga ls --status` takes it; empty: any
    std::size_t limit = 20;  ///< 0: all
    bool takes(Course course) const;
};

/// Words for Wanted::status: a state's name, and "failed" for "undo failed".
bool is_status(std::string_view status);

struct Listing {
    std::vector<Standing> sagas;           ///< the latest first
    std::map<Course, std::size_t> counts;  ///< of all that began in that time
    std::size_t matching = 0;              ///< of these, those in the state asked for
    std::vector<std::string> silent;       ///< services that do not say what waits there

    void sort();  ///< The latest first.
};

/// Of an observer's verb `ls`: {"sagas": [...], "counts": {...}, "matching": n, "silent": [...]}.
nlohmann::ordered_json json_of(const Listing& listing);
/// Nothing when it cannot be one.
std::optional<Listing> listing_of(const nlohmann::json& json);

}  // namespace saga::view
