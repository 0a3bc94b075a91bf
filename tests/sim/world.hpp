// One run: a seed's landscape, what befalls it, its healing, and what its books say at the end.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/crashes.hpp"
#include "tests/sim/faults.hpp"
#include "tests/sim/shop.hpp"

namespace saga::sim {

struct Setup {
    std::uint64_t seed = 1;
    int sagas = 20;
    Duration trouble = std::chrono::seconds(40);  ///< how long faults come
    std::set<Fault> faults = {};
    Keys keys = Keys::calm;
    bool disks_lie = false;        ///< no sync is one, which nobody promises to outlive
    Canned canned = Canned::none;  ///< then only that saga, without faults, and with these crashes:
    std::vector<Crash> crashes = {};
    std::string show = {};  ///< a saga of which all is printed at the end
    bool operator==(const Setup&) const = default;
};

/// What a seed draws for itself: each its own number of sagas and its own subset of faults.
Setup draw(std::uint64_t seed);

struct Outcome {
    std::vector<std::string> violations;  ///< each in one sentence
    Coverage coverage;
    std::uint64_t trace = 0;  ///< the same for the same setup
    std::uint64_t sagas = 0, kills = 0, power_cuts = 0, duplicates = 0, events = 0;
    Duration lasted{};          ///< of virtual time
    std::vector<Point> points;  ///< of a canned saga, from the last crash on
};

Outcome simulate(const Setup& setup);
/// Does once what all runs of a canned saga begin with. One run of this process, or of one that is
/// forked from it, goes on from there.
void prepare(const Setup& setup);

}  // namespace saga::sim
