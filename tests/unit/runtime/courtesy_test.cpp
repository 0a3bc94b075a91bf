// A service with a backlog leaves the processors to others, and nobody else does.
#include "saga/runtime/courtesy.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "saga/core/limits.hpp"
#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;
using namespace std::chrono_literals;

namespace {

/// A thread's times that the test sets.
struct Times {
    Folder folder;
    std::string path = folder.file("schedstat");
    void are(std::chrono::nanoseconds ran, std::chrono::nanoseconds waited) const {
        std::ofstream(path) << ran.count() << ' ' << waited.count() << " 42\n";
    }
};

}  // namespace

TEST_CASE("courtesy: who has a backlog rests for several times what it waited for a processor") {
    const Times times;
    runtime::Courtesy courtesy(times.path);
    times.are(7s, 5s);
    CHECK(courtesy.after_round(core::kBacklog).rest == 0ns);  // since when is not known
    times.are(7s + 200ms, 5s + 2ms);
    CHECK(courtesy.after_round(core::kBacklog).rest == 2ms * core::kRests);
    times.are(7s + 400ms, 5s + 2ms + 10us);
    CHECK(courtesy.after_round(core::kBacklog).rest == 10us * core::kRests);
}

TEST_CASE("courtesy: not for much longer than it ran, and never for long") {
    const Times times;
    runtime::Courtesy courtesy(times.path);
    times.are(7s, 5s);
    CHECK(courtesy.after_round(core::kBacklog).rest == 0ns);
    times.are(7s + 10ms, 6s);
    CHECK(courtesy.after_round(core::kBacklog).rest == 10ms * core::kRestsToRuns);
    times.are(9s, 9s);
    CHECK(courtesy.after_round(core::kBacklog).rest == core::kLongestRest);
}

TEST_CASE("courtesy: where others wait rounds are small, and grow where nobody does") {
    const Times times;
    runtime::Courtesy courtesy(times.path);
    std::chrono::nanoseconds ran = 7s, waited = 5s;
    const auto round = [&](std::chrono::nanoseconds each) {
        times.are(ran += 16ms, waited += each);
        return courtesy.after_round(core::kBacklog).items;
    };
    CHECK(round(0ms) == core::kCourteousItems);
    CHECK(round(1ms) == 2 * core::kCourteousItems);  // it has found a processor at once
    CHECK(round(0ms) == 4 * core::kCourteousItems);
    CHECK(round(2ms) == core::kCourteousItems);
    CHECK(round(16ms) == core::kCourteousItems);
    for (int nth = 0; nth < 20; ++nth) round(0ms);
    CHECK(round(0ms) == core::kMaxReady);
    times.are(ran, waited);
    CHECK(courtesy.after_round(0).items > core::kMaxReady);  // nothing is left
    CHECK(round(0ms) == core::kCourteousItems);              // and again there is
}

TEST_CASE("courtesy: who has read what it missed never rests") {
    const Times times;
    runtime::Courtesy courtesy(times.path);
    for (const auto all : {1s, 2s, 3s}) {
        times.are(all, all);
        CHECK(courtesy.after_round(core::kBacklog - 1).rest == 0ns);
    }
    CHECK(courtesy.after_round(core::kBacklog).rest ==
          0ns);  // what it waited before counts for nothing
    times.are(4s, 4s);
    CHECK(courtesy.after_round(1).rest == core::kLongestRest);  // to the last one
    times.are(5s, 5s);
    CHECK(courtesy.after_round(0).rest == 0ns);
    times.are(6s, 6s);
    CHECK(courtesy.after_round(core::kBacklog - 1).rest == 0ns);
}

TEST_CASE("courtesy: where the system says nothing there is no rest") {
    const Folder folder;
    runtime::Courtesy courtesy(folder.file("nothing"));
    for (int round = 0; round < 3; ++round) CHECK(courtesy.after_round(core::kBacklog).rest == 0ns);
}
