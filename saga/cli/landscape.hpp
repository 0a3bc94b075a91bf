// What the services say of themselves: their contracts, joined.
#pragma once

#include <map>
#include <saga/event.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "saga/cli/command.hpp"
#include "saga/core/payload_json.hpp"

namespace saga::cli {

/// As docs/protocol.md describes a contract. Events are full names: "shop.payment.PaymentTaken".
struct Emitted {
    std::string event;
    Kind kind = Kind::done;
};
struct ExpectContract {
    std::chrono::milliseconds after{0};
    std::vector<std::string> answers;
    std::vector<Emitted> asks;
};
struct StepContract {
    std::string name;
    std::vector<std::string> on;  ///< several: a join. "*failed": any failure
    std::vector<Emitted> emits;
    bool undoes = false;
    std::vector<std::string> undo_on;  ///< empty: any failure
    std::vector<Emitted> undone;
    std::vector<ExpectContract> expects;
    bool calls = false, undo_calls = false, once_per_event = false;

    /// What it says when it succeeds; null when that is nothing, or not always something.
    const Emitted* success() const;
};
struct ServiceContract {
    std::string service;
    std::vector<StepContract> steps;
    std::vector<std::string> reactions;
    std::vector<std::string> commands;  ///< the events that they become
    std::vector<core::PayloadSchema> schemas;
};

inline constexpr std::string_view kAnyFailure = "*failed";

class Landscape {
  public:
    /// A contract's JSON under its service's name. What cannot be read is left out.
    void add(const std::string& service, const std::string& contract);

    const std::map<std::string, ServiceContract>& services() const { return services_; }
    /// Services that did publish a contract, and one that cannot be read.
    const std::vector<std::string>& unreadable() const { return unreadable_; }
    bool empty() const { return services_.empty(); }

  private:
    std::map<std::string, ServiceContract> services_;
    std::vector<std::string> unreadable_;
};

/// From the bucket SAGA_CONTRACTS. Throws Stop.
Landscape landscape(bus::NatsClient& client, std::chrono::milliseconds timeout);

/// Whether it can be a service's name: a token of a subject.
bool is_service(std::string_view name);

/// The key of the bucket SAGA_CONFIG that says what is meant to run.
inline constexpr auto kMeantKey = "services";
/// What is meant to run, from the bucket SAGA_CONFIG; empty when nobody said so.
std::vector<std::string> meant_to_run(bus::NatsClient& client, std::chrono::milliseconds timeout);

}  // namespace saga::cli
