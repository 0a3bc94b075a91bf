// A saga that completes and one that is undone, with a death of each service at each of its acts,
// and with each second death before the first is made good for.
#pragma once

#include "tests/sim/batch.hpp"

namespace saga::sim {

struct Exhaustive {
    std::uint64_t every = 1;  ///< only each so many-th of the single deaths, and of the pairs
    bool disks_lie = false;   ///< no sync is one: the checkers must notice
    unsigned jobs = 1;
};
/// Calls `done` for each run.
void run_exhaustive(const Exhaustive& what,
                    const std::function<void(const Setup& setup, const Outcome& outcome)>& done);

}  // namespace saga::sim
