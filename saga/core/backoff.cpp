#include "saga/core/backoff.hpp"

#include <algorithm>

#include "saga/core/limits.hpp"

namespace saga::core {

int most_attempts(Ladder ladder) {
    switch (ladder) {
        case Ladder::event:
            return kEventAttempts;
        case Ladder::undo:
            return kUndoAttempts;
        case Ladder::later:
            return kLaterAttempts;
    }
    return kEventAttempts;
}

std::chrono::milliseconds backoff(int attempts, std::uint64_t random) {
    using std::chrono::milliseconds;
    const milliseconds first = kFirstRetry, last = kLastRetry;
    const int doublings = std::clamp(attempts - 1, 0, 20);  // 2^20 x 100 ms is beyond the last
    const milliseconds steady = std::min(first * (std::int64_t{1} << doublings), last);
    const auto jitter = static_cast<std::int64_t>(random % 401) - 200;  // thousandths
    return steady + steady * jitter / 1'000;
}

}  // namespace saga::core
