// Whoever looks after what is dead, once the faults have ended.
#pragma once

#include <map>

#include "tests/sim/customer.hpp"
#include "tests/sim/machine.hpp"

namespace saga::sim {

/// Asks for another attempt at what was given up because moody_service() was out of sorts; or
/// because the process died with it on the table: here no item kills a process, the faults do.
class Operator {
  public:
    Operator(Schedule& schedule, Broker& broker, const Chance& chance)
        : schedule_(schedule), client_(schedule, broker, chance) {}

    void look(Machine& machine);
    std::uint64_t retries() const { return asked_.size(); }
    bool idle() const { return client_.idle(); }

  private:
    Schedule& schedule_;
    Customer client_;
    std::map<std::pair<std::string, std::int64_t>, Steady> asked_;
};

}  // namespace saga::sim
