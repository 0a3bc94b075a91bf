// The broker forgets what it acknowledged; nothing is lost.
#include "tests/unit/core/cursor_sim.hpp"

#include <doctest/doctest.h>

using namespace saga::test;

namespace {

constexpr std::uint64_t kSeeds = 25'000;

/// Whether some of the first seeds lose something; stops where it is enough to know.
bool loses(Without without) {
    int found = 0;
    for (std::uint64_t seed = 1; seed <= kSeeds && found < 3; ++seed)
        found += simulate(seed, without).lost.empty() ? 0 : 1;
    return found == 3;
}

}  // namespace

TEST_CASE("broker: whatever it loses and whoever dies, every event is published and handled") {
    Outcome sum;
    int lost = 0;
    for (std::uint64_t seed = 1; seed <= kSeeds && lost < 5; ++seed) {
        const Outcome outcome = simulate(seed);
        CAPTURE(seed);
        CHECK(outcome.lost == "");
        lost += outcome.lost.empty() ? 0 : 1;
        sum.rewinds += outcome.rewinds;
        sum.sent_again += outcome.sent_again;
        sum.tails += outcome.tails;
        sum.holes += outcome.holes;
        sum.remakes += outcome.remakes;
    }
    CHECK(sum.tails > 2 * kSeeds);  // and not because nothing happened
    CHECK(sum.rewinds > kSeeds);
    CHECK(sum.sent_again > kSeeds / 4);
    CHECK(sum.holes > kSeeds / 5);
    CHECK(sum.remakes > kSeeds / 5);
}

TEST_CASE("broker: each rule that is taken away brings losses back") {
    CHECK(loses(Without::judgement));
    CHECK(loses(Without::store_time));
    CHECK(loses(Without::older_checkpoint));
    CHECK(loses(Without::start_at_it));
    CHECK(loses(Without::unsettling));
    CHECK(loses(Without::death_of_acks));
    CHECK(loses(Without::passing));
    CHECK(loses(Without::death_of_queue));
    CHECK(loses(Without::read_back));
    CHECK(loses(Without::reading_again));
}
