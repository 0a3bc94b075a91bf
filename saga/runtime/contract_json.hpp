// A service's contract as JSON: what it reads, publishes, undoes, calls, awaits.
#pragma once

#include <saga/service.hpp>
#include <string>

namespace saga::runtime {

/// docs/protocol.md describes the fields. Binary schemas stand in it as base64, each once.
std::string contract_json(const Contract& contract);

}  // namespace saga::runtime
