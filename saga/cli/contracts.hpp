// Contracts for what is worked out of them alone: from files, or from a running landscape.
#pragma once

#include <string>
#include <vector>

#include "saga/cli/command.hpp"
#include "saga/flow/contract.hpp"

namespace saga::cli {

/// What a command is to look at.
struct ContractSources {
    std::vector<std::string> files;
    bool live = false;
};
void add_contract_sources(Command& command, ContractSources& sources);

/// One a service, in the order of names: of the files, each as a service prints it; without any, or
/// with `live`, those of the broker's bucket SAGA_CONTRACTS too, where a file counts before what
/// runs. Throws Stop, which names file and place of what is wrong.
std::vector<flow::Contract> contracts(const Options& options, const ContractSources& sources);

}  // namespace saga::cli
