#include "tests/sim/world.hpp"

namespace saga::sim {
namespace {

using namespace std::chrono_literals;

constexpr double kFaultRate = 0.3;  // of being among a seed's faults
constexpr double kSplitRate = 0.2;  // likewise: it befalls nobody, all is otherwise
constexpr double kHotRate = 0.2;    // of seeds in which everybody wants the same

}  // namespace

Setup draw(std::uint64_t seed) {
    Chance chance = Chance(seed).branch("setup");
    Setup setup{.seed = seed,
                .sagas = 5 + static_cast<int>(chance.below(30)),
                .trouble = chance.between<std::chrono::milliseconds>(5s, 90s),
                .faults = {},
                .keys = chance.branch("keys").happens(kHotRate) ? Keys::hot : Keys::calm};
    const std::set<Fault>& excluded = chance.happens(0.6) ? kServiceLoses : kBrokerLoses;
    for (std::size_t i = 0; i < kFaults; ++i) {
        const auto fault = static_cast<Fault>(i);
        const double rate = fault == Fault::split ? kSplitRate : kFaultRate;
        if (chance.happens(rate) && !excluded.contains(fault)) setup.faults.insert(fault);
    }
    return setup;
}

}  // namespace saga::sim
