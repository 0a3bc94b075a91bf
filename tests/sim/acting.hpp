// Services made of contracts alone: they do what is declared, and nothing else.
#pragma once

#include <saga/service.hpp>

#include "saga/flow/contract.hpp"

namespace saga::sim {

/// A service whose handlers return, in each saga, an outcome that the contract declares for them,
/// drawn from `seed`, the saga and the step; some are thrown out of their first attempts. The owner
/// of a pivot that makes no call looks whether it is done before another step fails the saga. The
/// body of a request is the saga's id. Throws std::logic_error where no service in C++ is declared
/// so.
Contract acting_contract(const flow::Contract& contract, std::uint64_t seed);

}  // namespace saga::sim
