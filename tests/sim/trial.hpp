// Sagas of a choreography in a simulated landscape of acting services, and what they come to.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "saga/flow/check.hpp"
#include "tests/sim/world.hpp"

namespace saga::sim {

struct Trial {
    std::uint64_t seed = 1;
    int sagas = 16;
    Duration trouble = std::chrono::seconds(12);  ///< how long faults come, and sagas begin
};

/// What one landscape came to.
struct Course {
    /// What went wrong with any of its sagas, as word_of() has it.
    std::set<std::string> wrong;
    /// What must not happen to any choreography: in one sentence each.
    std::vector<std::string> violations;
    std::uint64_t sagas = 0, ended_well = 0, failed = 0, deaths = 0, duplicates = 0;

    /// The figures.
    void add(const Course& other) {
        sagas += other.sagas;
        ended_well += other.ended_well;
        failed += other.failed;
        deaths += other.deaths;
        duplicates += other.duplicates;
    }
};

/// "left_standing payment.take", "never_ends"; empty: of what contracts show without any course.
std::string word_of(const flow::Finding& finding);

/// Throws std::logic_error where the contracts are none of services in C++. `sound`: nothing is to
/// go wrong, and the invariants of saga/verify are checked as well.
Course try_out(std::span<const flow::Contract> contracts, const Trial& trial, bool sound);

}  // namespace saga::sim
