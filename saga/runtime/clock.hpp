// Where time and chance come from: real ones here, made ones in tests and simulation.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>
#include <saga/event.hpp>

namespace saga::runtime {

class Clock {
  public:
    using Steady = std::chrono::steady_clock::time_point;
    virtual ~Clock() = default;
    virtual Time now() = 0;       ///< The machine's UTC clock: it may jump.
    virtual Steady steady() = 0;  ///< Never jumps; says nothing about the date.
};

class SystemClock final : public Clock {
  public:
    Time now() override {
        return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    }
    Steady steady() override { return std::chrono::steady_clock::now(); }
};

class Random {
  public:
    virtual ~Random() = default;
    virtual std::uint64_t next() = 0;
};

/// The operating system's: nonces of instances and of operators' words come from it.
class SystemRandom final : public Random {
  public:
    std::uint64_t next() override {
        return static_cast<std::uint64_t>(device_()) << 32 | device_();
    }

  private:
    std::random_device device_;
};

/// UTC that does not jump with the machine's clock: the broker's, as last heard, carried on by the
/// steady clock; until it was heard, the machine's as it stood at the start. Deadlines and the
/// times in envelopes are read from it.
class Timeline {
  public:
    explicit Timeline(Clock& clock) : clock_(clock), base_(clock.now()), heard_(clock.steady()) {}

    Time now() const {
        return base_ + std::chrono::floor<std::chrono::microseconds>(clock_.steady() - heard_);
    }
    /// The broker's clock stood at `time` when the steady one stood at `at`.
    void hear(Time time, Clock::Steady at) {
        base_ = time;
        heard_ = at;
    }

  private:
    Clock& clock_;
    Time base_;
    Clock::Steady heard_;
};

}  // namespace saga::runtime
