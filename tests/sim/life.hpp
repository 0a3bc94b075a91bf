// How long a process lives: until one of its writes or sends is its last.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>

namespace saga::sim {

enum class Act : std::uint8_t { write, sync, send, call };

/// Counts what a process does that others or its disk could see. A process that has died runs on to
/// the end of its turn like a ghost: nothing it does reaches a disk or a wire any more, so that it
/// ends at exactly that operation, and no exception has to find its way through SQLite.
class Life {
  public:
    Life() = default;
    /// `watch` is asked before each operation whether the process dies there.
    explicit Life(std::function<bool(Act)> watch) : watch_(std::move(watch)) {}

    /// One more operation; false: the process died before it.
    bool act(Act what = Act::write) {
        if (dead_) return false;
        if (acts_ == last_ || (watch_ && watch_(what))) {
            dead_ = true;
            if (on_death_) on_death_();
            return false;
        }
        ++acts_;
        return true;
    }
    bool dead() const { return dead_; }
    std::uint64_t acts() const { return acts_; }

    /// Dies when `more` further operations were done.
    void end_after(std::uint64_t more) { last_ = acts_ + more; }
    void spare() { last_ = kNever; }
    /// What becomes of its disk and its wires is settled at that moment.
    void on_death(std::function<void()> told) { on_death_ = std::move(told); }

  private:
    static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t acts_ = 0, last_ = kNever;
    bool dead_ = false;
    std::function<void()> on_death_;
    std::function<bool(Act)> watch_;
};

}  // namespace saga::sim
