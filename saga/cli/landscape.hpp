// What the services say of themselves, and what is meant to run.
#pragma once

#include <string>
#include <vector>

#include "saga/cli/command.hpp"
#include "saga/view/landscape.hpp"

namespace saga::cli {

/// From the bucket SAGA_CONTRACTS. Throws Stop.
Landscape landscape(bus::NatsClient& client, std::chrono::milliseconds timeout);

/// The key of the bucket SAGA_CONFIG that says what is meant to run.
inline constexpr auto kMeantKey = "services";
/// What is meant to run, from the bucket SAGA_CONFIG; empty when nobody said so.
std::vector<std::string> meant_to_run(bus::NatsClient& client, std::chrono::milliseconds timeout);

}  // namespace saga::cli
