#include "tests/sim/crashes.hpp"

#include <algorithm>

namespace saga::sim {

void Crashes::begin(std::vector<Crash> plan) {
    plan_ = std::move(plan);
    for (const auto& machine : machines_)
        machine->on_act([this, &here = *machine, base = machine->acts()](Act what, auto nth) {
            return act(here, what, nth - base);
        });
}

std::optional<Death> Crashes::act(const Machine& machine, Act what, std::uint64_t nth) {
    if (!all_came() && next().machine == machine.name() && next().act == nth) {
        points_.clear();
        return plan_[came_++].death;
    }
    if (noting_) points_.push_back({machine.name(), nth, what});
    return std::nullopt;
}

bool Crashes::last_is_level(std::uint64_t head) const {
    return std::any_of(machines_.begin(), machines_.end(), [&](const auto& machine) {
        return machine->name() == plan_.back().machine && machine->at_rest(head);
    });
}

}  // namespace saga::sim
