// Virtual time: what happens next, and when.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <utility>

#include "saga/bus/bus.hpp"

namespace saga::sim {

using bus::Steady;
using Duration = std::chrono::nanoseconds;

/// One thread. Things of the same time happen in the order in which they were planned.
class Schedule {
  public:
    Steady now() const { return now_; }
    /// The true time of the day; machines' own clocks go wrong by themselves.
    core::StoreTime date() const { return kBegin + (now_ - Steady{}); }

    void at(Steady when, std::function<void()> what) {
        plan_.emplace(std::pair(std::max(when, now_), ++planned_), std::move(what));
    }
    void in(Duration after, std::function<void()> what) { at(now_ + after, std::move(what)); }

    /// Lets the next thing happen, if it is not later than `until`; otherwise it becomes `until`.
    bool step(Steady until) {
        if (plan_.empty() || plan_.begin()->first.first > until) {
            now_ = std::max(now_, until);
            return false;
        }
        auto next = plan_.extract(plan_.begin());
        now_ = next.key().first;
        next.mapped()();
        return true;
    }

  private:
    static constexpr core::StoreTime kBegin{std::chrono::sys_days{std::chrono::year(2026) / 1 / 1}};
    Steady now_ = Steady{} + std::chrono::hours(1);
    std::uint64_t planned_ = 0;
    std::map<std::pair<Steady, std::uint64_t>, std::function<void()>> plan_;
};

}  // namespace saga::sim
