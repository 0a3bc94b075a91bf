#include "tests/sim/exhaustive.hpp"

#include <deque>
#include <set>

namespace saga::sim {
namespace {

constexpr std::array kDeaths{Death::kill, Death::power_cut};

/// After a write nobody sees another state than before it, until it is synced: a second death
/// matters where something was synced, sent or called, or is about to be.
std::vector<Point> seen(const std::vector<Point>& points) {
    std::map<std::string, Act> before;
    std::vector<Point> seen;
    for (const Point& point : points) {
        const auto last = before.find(point.machine);
        const bool after = last != before.end() && last->second != Act::write;
        if (after || point.what != Act::write) seen.push_back(point);
        before[point.machine] = point.what;
    }
    return seen;
}

class Enumeration {
  public:
    explicit Enumeration(const Exhaustive& what) : what_(what) {
        for (const Canned canned : {Canned::completed, Canned::undone})
            prepare(waiting_.emplace_back(
                Setup{.sagas = 1, .trouble = {}, .disks_lie = what.disks_lie, .canned = canned}));
    }

    std::optional<Job> next() {
        if (waiting_.empty() || found_) return std::nullopt;
        Job job{std::move(waiting_.front())};
        waiting_.pop_front();
        return job;
    }

    void add(const Setup& setup, const Outcome& outcome) {
        if (what_.disks_lie && !outcome.violations.empty()) found_ = true;
        if (setup.crashes.empty()) {
            for (const Point& point : seen(outcome.points))
                seconds_.insert({setup.canned, point.machine, point.act});
            return add_each(setup, outcome.points, singles_);
        }
        if (setup.crashes.size() > 1) return;
        const Crash& first = setup.crashes.front();
        if (seconds_.contains({setup.canned, first.machine, first.act}))
            add_each(setup, seen(outcome.points), pairs_);
    }

  private:
    void add_each(const Setup& setup, const std::vector<Point>& points, std::uint64_t& nth) {
        for (const Point& point : points)
            for (const Death death : kDeaths) {
                if (nth++ % what_.every != 0) continue;
                Setup one = setup;
                one.crashes.push_back({point.machine, point.act, death});
                waiting_.push_back(std::move(one));
            }
    }

    const Exhaustive what_;
    std::deque<Setup> waiting_;
    std::set<std::tuple<Canned, std::string, std::uint64_t>> seconds_;
    std::uint64_t singles_ = 0, pairs_ = 0;
    bool found_ = false;  // what lying disks have to lead to
};

}  // namespace

void run_exhaustive(const Exhaustive& what,
                    const std::function<void(const Setup& setup, const Outcome& outcome)>& done) {
    Enumeration all(what);
    run_all(
        what.jobs, [&] { return all.next(); },
        [&](const Setup& setup, const Outcome& outcome) {
            done(setup, outcome);
            all.add(setup, outcome);
        });
}

}  // namespace saga::sim
