// How long to wait before the next attempt.
#pragma once

#include <chrono>
#include <cstdint>

namespace saga::core {

/// What waits: each climbs a ladder of its own length.
enum class Ladder : std::uint8_t { event, undo, later };

/// Attempts after which it is dead and waits for an operator.
int most_attempts(Ladder ladder);

/// Doubling from kFirstRetry to kLastRetry, then steady; up to a fifth more or less by `random`, so
/// that what failed together does not come back together. `attempts` made so far, from 1.
std::chrono::milliseconds backoff(int attempts, std::uint64_t random);

}  // namespace saga::core
