// How a service that was away for long leaves the processors to the others.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace saga::runtime {

/// For each moment that its rounds had to wait for a processor it rests for several: where some are
/// idle it never does, and where all are busy those who have little to do find one free. Of one
/// thread, which alone calls it.
class Courtesy {
  public:
    /// `path`: where Linux says how long this thread has run and waited for a processor, both in
    /// nanoseconds (proc(5), Documentation/scheduler/sched-stats.rst). Without it there is no rest.
    explicit Courtesy(std::string path = "/proc/thread-self/schedstat") : path_(std::move(path)) {}

    /// How to go on: a rest, and then a round of so many items at most. Where others wait it is a
    /// small one: whatever a round sets free comes to them at once, and keeps them as busy. Where
    /// nobody does the next may be twice as large.
    struct Pace {
        std::chrono::nanoseconds rest{};
        std::size_t items = std::numeric_limits<std::size_t>::max();
    };
    /// To be called after each round, with how many messages there are to read, of those and behind
    /// those that came while the service was away. Where they are many it is so until none is left.
    Pace after_round(std::uint64_t backlog);

  private:
    struct Times {
        std::chrono::nanoseconds ran, waited;
    };
    std::string path_;
    std::optional<Times> last_;  // at the end of the last round, while there is a backlog
    std::size_t items_ = 0;      // of the next one
};

}  // namespace saga::runtime
