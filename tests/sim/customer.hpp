// Whoever asks the services for something, and remembers what was answered.
#pragma once

#include <nlohmann/json.hpp>

#include "saga/bus/quiet_listener.hpp"
#include "tests/sim/sim_bus.hpp"

namespace saga::sim {

/// Sends commands as a client of any language does: a request, again under the same key where no
/// answer came.
class Customer final : public bus::QuietListener {
  public:
    enum class Told : std::uint8_t { unknown, accepted, refused };
    struct Asked {
        std::string service, verb, key;
        std::vector<std::byte> body;
        Told told = Told::unknown;
        std::string refusal;  ///< its code, as the service gave it
        /// An attempt had no answer: it may be on its way yet, and be accepted after a later one
        /// was refused.
        bool unheard = false;
        int attempts = 0;
    };
    Customer(Schedule& schedule, Broker& broker, const Chance& chance);

    /// Asks up to `most` times, a pause apart, until it is answered with something final.
    void ask(std::string service, std::string verb, std::string key, std::vector<std::byte> body,
             int most);
    const std::deque<Asked>& history() const { return history_; }
    /// Whether nothing is being asked.
    bool idle() const { return open_ == 0; }
    void forget() { history_.clear(); }  ///< What was asked, while it is idle.
    Net& net() { return net_; }

  private:
    void turn();
    void plan(Steady when);
    void attempt(std::size_t which, int most);
    void answered(std::size_t which, int most, const bus::Result<std::string>& answer);

    Schedule& schedule_;
    Chance chance_;
    Net net_;
    Life life_;
    SimBus bus_;
    std::deque<Asked> history_;
    std::size_t open_ = 0;
    Steady planned_ = Steady::max();
    std::uint64_t plan_ = 0;
};

}  // namespace saga::sim
