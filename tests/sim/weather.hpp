// Faults, as they come and go.
#pragma once

#include "tests/sim/shop.hpp"
#include "tests/sim/world.hpp"

namespace saga::sim {

/// Lets a seed's faults befall its landscape, and clears them away. Processes that end are started
/// again, as a supervisor does.
class Weather {
  public:
    using Machines = std::vector<std::unique_ptr<Machine>>;
    Weather(Schedule& schedule, Broker& broker, Bank& bank, Machines& machines, Customer& customer,
            Chance chance, Outcome& outcome);

    /// Starts all machines; faults come for so long.
    void begin(const std::set<Fault>& faults, Duration trouble);
    /// Nothing goes wrong any more, and what did is repaired as an operator would.
    void clear();

  private:
    void plan(Fault fault);
    void befall(Fault fault);
    void befall_machine(Fault fault, Machine& machine);
    void befall_network(Fault fault);
    void befall_broker(Fault fault);
    void befall_store(Fault fault);
    void befall_stream(Fault fault);
    void lose_tail(std::uint64_t messages);
    void befall_disk(Fault fault, Machine& machine);
    void publish_again();
    void publish_junk();
    void spoof();
    void storm();
    void ended(Machine& machine);
    void down(Machine& machine, Duration how_long);
    void broker_down(Duration how_long);
    bool excused(const std::string& failure) const;
    Machine& any();

    Schedule& schedule_;
    Broker& broker_;
    Bank& bank_;
    Machines& machines_;
    Customer& customer_;
    Chance chance_;
    Outcome& outcome_;
    std::set<Fault> faults_;
    Steady until_{};
    bool cleared_ = false;
    std::shared_ptr<const Broker::Image> older_;
    std::map<std::string, Disk::Image> backups_;
    std::map<std::string, Steady> down_until_;
    std::map<std::string, Machine::Flags> flags_;
};

}  // namespace saga::sim
