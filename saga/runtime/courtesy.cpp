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
    std::int64_t ran = 0, waited = 0;
    if (!(std::ifstream(path_) >> ran >> waited)) return {};
    const Times now{std::chrono::nanoseconds(ran), std::chrono::nanoseconds(waited)};
    const Times last = std::exchange(last_, now).value_or(now);
    const auto rest = std::min<std::chrono::nanoseconds>({(now.waited - last.waited) * core::kRests,
                                                          (now.ran - last.ran) * core::kRestsToRuns,
                                                          core::kLongestRest});
    if (rest < core::kNoticeable) return {rest};
    return {rest, core::kCourteousItems};
}

}  // namespace saga::runtime
