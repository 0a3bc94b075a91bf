// Programs that are meant to run: started, started again when they die, stopped in order.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "saga/cli/log_lines.hpp"
#include "saga/cli/process.hpp"

namespace saga::cli {

using Steady = std::chrono::steady_clock::time_point;

/// How long to wait before a program that died is started again: 100 ms, doubled up to `last`, and
/// from the beginning after one that was up for 30 s.
class Backoff {
  public:
    explicit Backoff(std::chrono::milliseconds last = std::chrono::seconds(5)) : last_(last) {}
    std::chrono::milliseconds next(std::chrono::nanoseconds was_up);

  private:
    std::chrono::milliseconds last_, pause_{0};
};

/// One thread, which never waits here: it calls turn() when a descriptor of poll_on() is readable,
/// a child has died (SIGCHLD), or next_due() has come.
class Supervisor {
  public:
    using OnLine = std::function<void(std::size_t program, std::string_view line)>;
    /// A remark of our own about a program, in one line.
    using OnRemark = std::function<void(std::size_t program, const std::string& remark)>;

    Supervisor(Guard& guard, OnLine on_line, OnRemark on_remark, Backoff backoff = Backoff());

    /// Starts it at the next turn; its number.
    std::size_t add(std::string name, Launch launch);
    /// As add, but what ends is not started again.
    std::size_t add_once(std::string name, Launch launch);

    /// Reads what they said, unless `hold`; reaps who died; starts what is due.
    void turn(Steady now, bool hold = false);
    std::vector<int> poll_on() const;
    Steady next_due() const;

    /// Does not start it again, and asks it to stop: SIGTERM to its group.
    void stop(std::size_t program);
    void kill(std::size_t program);  ///< SIGKILL to its group.
    /// Starts what was stopped and has gone, at the next turn.
    void start_again(std::size_t program);
    /// SIGKILL to its group, after which it is started again at once and without a remark.
    void strike(std::size_t program);
    void signal(std::size_t program, int number) const;  ///< To its group, where it runs.
    /// How the next process of it is started.
    Launch& launch(std::size_t program) { return wards_[program]->launch; }
    /// No process of it is left, and what it said last was read.
    bool gone(std::size_t program) const;
    bool runs(std::size_t program) const;
    /// Whether it has died, or dies of strike(), and is to be started again.
    bool revives(std::size_t program) const;
    /// When it was started last.
    Steady since(std::size_t program) const;
    /// How its last process ended, as waitpid says it; none while it runs, or before its first.
    std::optional<int> ended(std::size_t program) const;
    /// How often it died without being asked to stop.
    std::size_t deaths(std::size_t program) const { return wards_[program]->deaths; }

  private:
    struct Ward {
        std::string name;
        Launch launch;
        Child child;
        LineBuffer lines;
        Backoff backoff;
        Steady since, due;  // started; to be started
        pid_t group = 0;    // 0: no process of it is left
        std::optional<int> status, last_status;
        bool wanted = true, discard = false;  // discard: its last words too
        bool once = false, struck = false;
        std::size_t deaths = 0;
    };
    void begin(std::size_t program, Steady now);
    bool read(std::size_t program);
    void reap();
    void settle(std::size_t program, Steady now, bool hold);

    Guard& guard_;
    OnLine on_line_;
    OnRemark on_remark_;
    const Backoff backoff_;
    std::vector<std::unique_ptr<Ward>> wards_;
};

}  // namespace saga::cli
