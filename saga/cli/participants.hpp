// Asking running services: how they are, and what waits there.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "saga/cli/command.hpp"
#include "saga/cli/landscape.hpp"
#include "saga/view/letter.hpp"

namespace saga::cli {

/// What a service says of itself (its verb `state`).
struct ServiceState {
    std::string service, instance, version, where, trouble, server;
    bool ready = false;
    std::uint64_t cursor = 0, lag = 0, unsettled = 0, parked = 0, dead = 0, aside = 0, timers = 0,
                  calls = 0, db_bytes = 0, wal_bytes = 0;
    double oldest_seconds = 0;
    nlohmann::ordered_json json;  ///< all of it, as it came
};

/// What a service answered to a verb. Throws Stop when that is no JSON, or a refusal.
nlohmann::ordered_json read_answer(const std::string& service, std::string_view verb,
                                   std::string_view text);
/// Of the answer to `state`; nothing when it cannot be one.
std::optional<ServiceState> state_of(const std::string& service, nlohmann::ordered_json answer);

class Participants {
  public:
    Participants(bus::NatsClient& client, std::chrono::milliseconds timeout)
        : client_(client), timeout_(timeout) {}

    /// Its JSON; nothing when nobody answers. Throws Stop when it refuses.
    std::optional<nlohmann::ordered_json> ask(const std::string& service, std::string_view verb,
                                              const nlohmann::json& body) const;
    std::optional<ServiceState> state(const std::string& service) const;
    /// Nothing when it does not answer; `all`: also what waits for its next attempt. Of one saga
    /// where one is named: then with the calls that are open.
    std::optional<std::vector<Letter>> letters(const std::string& service, bool all,
                                               const std::string& saga = "") const;

  private:
    bus::NatsClient& client_;
    std::chrono::milliseconds timeout_;
};

/// Names in order, of services and of the shards of one that is split: those that are meant to run,
/// and those that published a contract.
std::vector<std::string> known_services(bus::NatsClient& client, const Landscape& landscape,
                                        std::chrono::milliseconds timeout);
/// Those that were named, a service for all its shards, or all that are known. Throws Stop of a
/// name that cannot be a service's.
std::vector<std::string> chosen_services(bus::NatsClient& client, std::chrono::milliseconds timeout,
                                         const std::vector<std::string>& named);

}  // namespace saga::cli
