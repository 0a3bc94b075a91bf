// A service's contract, as far as the checkers ask: from the JSON that the service prints.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <saga/event.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace saga::verify {

struct Step {
    std::string name;
    std::vector<std::string> on;  ///< full names; "*failed": any failure
    /// Short names of what it publishes: forward, as a failure, when undone, when a timer fires.
    std::set<std::string, std::less<>> done, failed, undone, asks;
    std::vector<std::string> undone_on;  ///< short names; empty: any failure
    std::set<std::string> answers;       ///< full names: what its timers wait for
    bool undoes = false, calls = false, ends_saga = false, once_per_event = false;

    bool takes(std::string_view type, Kind kind) const;
    bool join() const { return on.size() > 1; }
};

struct Contract {
    std::vector<Step> steps;
    std::vector<std::string> reactions;  ///< full names; "*": every event that is read
    /// By verb: the short name of the event, and whether it ends its saga.
    struct Command {
        std::string verb, accepts;
        bool ends_saga = false;
    };
    std::vector<Command> commands;

    const Step* step(std::string_view name) const;
    const Command* command(std::string_view verb) const;
    bool ends_sagas() const;
    /// Whether a timer of a step waits for the type.
    bool awaits(std::string_view type) const;
    /// Whether a step or a reaction takes it: the filters deliver it, and it makes a saga known.
    bool takes(std::string_view type, Kind kind) const;
    /// Whether the service's filters deliver what is published so.
    bool reads(std::string_view self, std::string_view source, std::string_view event,
               Kind kind) const;

  private:
    friend Contract read_contract(const nlohmann::json& json);
    bool everything_ = false;
    std::set<std::string, std::less<>> read_;  // "payment.PaymentTaken"
};

/// What is missing is taken as absent: a contract of another build says less.
Contract read_contract(const nlohmann::json& json);

}  // namespace saga::verify
