// Deaths at chosen acts of a saga that goes the same way in each run, and is all that happens.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sim/shop.hpp"

namespace saga::sim {

enum class Canned : std::uint8_t { none, completed, undone };

/// A machine's process dies before an act of it; the first since the saga began is 0.
struct Crash {
    std::string machine;
    std::uint64_t act = 0;
    Death death = Death::kill;
    bool operator==(const Crash&) const = default;
};

/// Where one can die.
struct Point {
    std::string machine;
    std::uint64_t act = 0;
    Act what = Act::write;
};

class Crashes {
  public:
    using Machines = std::vector<std::unique_ptr<Machine>>;
    explicit Crashes(Machines& machines) : machines_(machines) {}

    /// Acts are counted from here on.
    void begin(std::vector<Crash> plan);
    /// Whether all of them have come.
    bool all_came() const { return came_ == plan_.size(); }
    /// Whether who died last has nothing left to do.
    bool last_is_level(std::uint64_t head) const;
    /// No further points are noted.
    void end() { noting_ = false; }
    /// What was done from the last of the crashes on.
    std::vector<Point> take_points() { return std::move(points_); }
    /// The first that did not come.
    const Crash& next() const { return plan_.at(came_); }

  private:
    std::optional<Death> act(const Machine& machine, Act what, std::uint64_t nth);

    Machines& machines_;
    std::vector<Crash> plan_;
    std::size_t came_ = 0;
    bool noting_ = true;
    std::vector<Point> points_;
};

}  // namespace saga::sim
