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
    const auto pace = courtesy.after_round(core::kBacklog);
    CHECK(pace.rest == 2ms * core::kRests);
    CHECK(pace.items == core::kCourteousItems);
    times.are(7s + 400ms, 5s + 2ms + 10us);
    const auto idle = courtesy.after_round(core::kBacklog);  // it has found one at once
    CHECK(idle.rest == 10us * core::kRests);
    CHECK(idle.items > core::kMaxReady);
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
