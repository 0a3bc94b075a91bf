// Everything that is left to chance in a simulation, drawn from its seed.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "saga/runtime/clock.hpp"

namespace saga::sim {

/// xoshiro256** of Blackman and Vigna, seeded by splitmix64. One thread.
class Chance final : public runtime::Random {
  public:
    explicit Chance(std::uint64_t seed) {
        for (std::uint64_t& word : state_) word = split(seed);
    }

    std::uint64_t next() override {
        const std::uint64_t result = turned(state_[1] * 5, 7) * 9, shifted = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = turned(state_[3], 45);
        return result;
    }
    /// Of 0 to n - 1; n > 0.
    std::uint64_t below(std::uint64_t n) { return next() % n; }
    bool happens(double rate) { return static_cast<double>(next() >> 11) * 0x1.0p-53 < rate; }
    template <class Duration>
    Duration between(Duration least, Duration most) {
        const auto width = static_cast<std::uint64_t>((most - least).count());
        return least + Duration(static_cast<typename Duration::rep>(below(width + 1)));
    }
    /// Another stream of chance: what is drawn from it changes nothing for who draws from this one.
    Chance branch(std::string_view name) const {
        std::uint64_t seed = state_[0] ^ turned(state_[3], 23);
        for (const char c : name) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
        return Chance(seed);
    }

  private:
    static constexpr std::uint64_t turned(std::uint64_t x, int by) {
        return x << by | x >> (64 - by);
    }
    static std::uint64_t split(std::uint64_t& seed) {
        std::uint64_t z = seed += 0x9e3779b97f4a7c15ULL;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
        return z ^ z >> 31;
    }
    std::uint64_t state_[4]{};
};

}  // namespace saga::sim
