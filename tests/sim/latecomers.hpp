// Events that come again when nobody remembers their sagas.
#pragma once

#include "tests/sim/faults.hpp"
#include "tests/sim/shop.hpp"

namespace saga::sim {

/// Of a landscape at rest: the services forget what is finished, and every event of the stream is
/// published once more. What they are to do with it is nothing, and to say so. Returns what is
/// wrong with that, each in one sentence.
std::vector<std::string> come_too_late(Schedule& schedule, Broker& broker, const Bank& bank,
                                       const std::vector<std::unique_ptr<Machine>>& machines,
                                       Coverage& coverage);

}  // namespace saga::sim
