// Many seeds: in processes of their own, so that a seed that crashes is one line of the result.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "tests/sim/world.hpp"

namespace saga::sim {

/// `scripts/sim --seed S ...`: runs exactly this again.
std::string replay_line(const Setup& setup);
/// What stands behind `scripts/sim` in a replay line. Throws Error.
Setup read_replay(const std::string& line);

/// Runs it in a process of its own; one that dies is a violation. `twice`: and once more, where
/// another trace is a violation (I14).
Outcome run_apart(const Setup& setup, bool twice);

/// A setup that still fails, with fewer sagas and faults; each trial runs apart.
Setup shrunk(Setup failing, int trials);

struct Job {
    Setup setup;
    bool twice = false;
};
using Done = std::function<void(const Setup& setup, const Outcome& outcome)>;
/// Runs apart what `next` gives, so many at once; ends when it gives nothing, and nothing runs.
void run_all(unsigned jobs, const std::function<std::optional<Job>()>& next, const Done& done);

struct Batch {
    std::vector<Setup> known;  ///< run first: they found something once
    std::uint64_t first = 1, seeds = 200;
    Duration most = Duration::max();  ///< of real time: no seed begins after it
    unsigned jobs = 1;
};
/// Calls `done` for each; a tenth runs twice.
void run_batch(const Batch& batch, const Done& done);

}  // namespace saga::sim
