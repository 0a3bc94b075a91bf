// What a stranger who may publish anywhere sends: nothing of it may have an effect.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "saga/cli/chaos/stage.hpp"

namespace saga::cli {

class Attack {
  public:
    Attack(Stage& stage, std::mt19937_64& chance) : stage_(stage), chance_(chance) {}

    /// Sends one of each kind of hostile message; how many the broker stored.
    std::size_t send();
    /// Bytes that no reader can take for an event, under the name of one that `reader` reads.
    bool junk();

  private:
    struct Sample {
        std::string subject;
        std::vector<std::byte> bytes;
    };
    /// An event that the stream holds, of its older half where `old`.
    std::optional<Sample> sample(bool old);
    std::optional<Sample> with_forged_id();
    bool publish(const std::string& subject, const std::vector<std::byte>& bytes);
    std::vector<std::byte> noise(std::size_t size);

    Stage& stage_;
    std::mt19937_64& chance_;
};

}  // namespace saga::cli
