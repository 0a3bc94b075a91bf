#include "saga/runtime/courtesy.hpp"

#include <algorithm>
#include <fstream>
#include <utility>

#include "saga/core/limits.hpp"

namespace saga::runtime {

Courtesy::Pace Courtesy::after_round(std::uint64_t backlog) {
    if (backlog < (last_ ? 1 : core::kBacklog)) {
        last_.reset();
        return {};
    }
    std::int64_t ran_ns = 0, waited_ns = 0;
    if (!(std::ifstream(path_) >> ran_ns >> waited_ns)) return {};
    const Times now{std::chrono::nanoseconds(ran_ns), std::chrono::nanoseconds(waited_ns)};
    if (!last_) {
        last_ = now;
        return {.items = items_ = core::kCourteousItems};  // how it has waited is not known yet
    }
    const Times last = std::exchange(*last_, now);
    const auto ran = now.ran - last.ran, waited = now.waited - last.waited;
    const bool alone = waited * core::kRunsToWaits <= ran;
    items_ = alone ? std::min(items_ * 2, core::kMaxReady) : core::kCourteousItems;
    const auto most = std::chrono::floor<std::chrono::nanoseconds>(ran * core::kRestsToRuns);
    return {std::min<std::chrono::nanoseconds>({waited * core::kRests, most, core::kLongestRest}),
            items_};
}

}  // namespace saga::runtime
