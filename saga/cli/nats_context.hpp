// natscli's contexts: the same files, so that both tools speak to the same broker.
#pragma once

#include <string>

#include "saga/bus/nats_options.hpp"

namespace saga::cli {

/// Fills what is empty in `address` from the context `name`, or from the selected one where `name`
/// is empty; without any there is nothing to fill. Throws Stop when a named one cannot be read.
void apply_context(bus::Address& address, const std::string& name);

}  // namespace saga::cli
