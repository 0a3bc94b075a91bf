// What happened in a run, as rows of the table of faults.
#pragma once

#include "tests/sim/faults.hpp"
#include "tests/sim/shop.hpp"

namespace saga::sim {

/// How sagas ended, and what came in which order on their way.
void count_sagas(const shop::Books& books, const std::vector<std::unique_ptr<Machine>>& machines,
                 const Broker& broker, Coverage& coverage);
/// What befell a machine's processes, and what it keeps of it.
void count_machine(Machine& machine, Coverage& coverage);

}  // namespace saga::sim
