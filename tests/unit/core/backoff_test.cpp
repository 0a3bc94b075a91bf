#include "saga/core/backoff.hpp"

#include <doctest/doctest.h>

#include <climits>
#include <set>

#include "saga/core/limits.hpp"
#include "tests/unit/property.hpp"

using namespace saga::core;
using saga::test::counterexample;
using std::chrono::milliseconds;

namespace {

constexpr std::uint64_t kNoJitter = 200;

/// From the first attempt to the last.
milliseconds ladder(Ladder which) {
    milliseconds sum{0};
    for (int attempts = 1; attempts < most_attempts(which); ++attempts)
        sum += backoff(attempts, kNoJitter);
    return sum;
}

}  // namespace

TEST_CASE("backoff: doubles from the first wait to the last, then is steady") {
    CHECK(backoff(1, kNoJitter) == 100ms);
    CHECK(backoff(2, kNoJitter) == 200ms);
    CHECK(backoff(3, kNoJitter) == 400ms);
    CHECK(backoff(14, kNoJitter) == 819'200ms);
    CHECK(backoff(15, kNoJitter) == 15min);
    CHECK(backoff(40, kNoJitter) == 15min);
    CHECK(backoff(INT_MAX, kNoJitter) == 15min);
    CHECK(backoff(0, kNoJitter) == 100ms);
}

TEST_CASE("backoff: never sooner after more attempts") {
    for (const std::uint64_t random : {0ULL, 1ULL, 200ULL, 400ULL, 12345678901ULL})
        for (int attempts = 1; attempts < 64; ++attempts)
            CHECK(backoff(attempts + 1, random) >= backoff(attempts, random));
}

TEST_CASE("backoff: jitter is a fifth at most, either way, and all of it is used") {
    CHECK(backoff(1, 0) == 80ms);
    CHECK(backoff(1, 400) == 120ms);
    CHECK(backoff(30, 0) == 12min);
    CHECK(backoff(30, 400) == 18min);
    std::set<milliseconds> waits;
    for (std::uint64_t random = 0; random < 401; ++random) waits.insert(backoff(30, random));
    CHECK(waits.size() == 401);
    const std::string against = counterexample([](std::uint16_t attempts, std::uint64_t random) {
        const milliseconds steady = backoff(attempts, kNoJitter), wait = backoff(attempts, random);
        RC_ASSERT(wait >= steady - steady / 5 && wait <= steady + steady / 5);
        RC_ASSERT(wait >= kFirstRetry * 4 / 5 && wait <= kLastRetry * 6 / 5);
    });
    CHECK(against == "");
}

TEST_CASE("backoff: the ladders are as long as their bounds say") {
    CHECK(ladder(Ladder::event) > 13min);
    CHECK(ladder(Ladder::event) < 15min);
    CHECK(ladder(Ladder::undo) > 6h);
    CHECK(ladder(Ladder::undo) < 8h);
    CHECK(ladder(Ladder::undo) > ladder(Ladder::event));
    CHECK(most_attempts(Ladder::later) == kLaterAttempts);
}

TEST_CASE("limits: what is kept outlives what can still come") {
    CHECK(kStreamMaxAge > kOutboxHorizon);
    CHECK(kRetention >= kStreamMaxAge + kOutboxHorizon + kClockSkew);
    CHECK(kMissedHeartbeat > 2 * kHeartbeat);
    CHECK(kMaxMessage > kMaxEnvelopeText);
}
