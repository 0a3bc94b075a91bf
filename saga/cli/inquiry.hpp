// One saga, asked for on the command line.
#pragma once

#include "saga/cli/command.hpp"
#include "saga/view/inquiry.hpp"

namespace saga::cli {

/// Throws Stop: kNotFound when the stream has no event of it.
Inquiry inquire(const Options& options, const std::string& saga);

/// Asks the services what waits there of this saga; of one that completed there is nothing to ask.
void ask_services(Inquiry& inquiry, bus::NatsClient& client, std::chrono::milliseconds timeout);

}  // namespace saga::cli
