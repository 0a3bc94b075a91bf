// A service on a machine of its own: a disk, a clock, a network, and a process that comes and goes.
#pragma once

#include <map>
#include <optional>
#include <saga/service.hpp>

#include "saga/runtime/node.hpp"
#include "tests/sim/bank.hpp"
#include "tests/sim/disk.hpp"
#include "tests/sim/sim_bus.hpp"

namespace saga::sim {

/// The machine's clock: its date is wrong by `skew`, its steady one is right.
class SimClock final : public runtime::Clock {
  public:
    explicit SimClock(const Schedule& schedule) : schedule_(schedule) {}
    Time now() override {
        return std::chrono::floor<std::chrono::microseconds>(schedule_.date() + skew);
    }
    Steady steady() override { return schedule_.now(); }
    Duration skew{};

  private:
    const Schedule& schedule_;
};

enum class Death : std::uint8_t { kill, power_cut };

class Machine {
  public:
    struct Options {
        runtime::Worker::Options worker{};
        runtime::Pruner::Horizons horizons{};
        std::optional<std::chrono::milliseconds> deadline{};  ///< instead of those that it declares
        runtime::Room room{};
    };
    /// `service`: of the key, which all shards of a service have.
    Machine(const core::Instance& self, Contract contract, Schedule& schedule, Broker& broker,
            Bank& bank, const Chance& chance, const Chance& service, Options options);
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    struct Flags {
        bool rebuild = false, accept_history_loss = false;
    };
    void start() { start({}); }
    void start(Flags flags);  ///< A new process, unless one runs.
    /// Now, between two of its turns.
    void end(Death death);
    /// In the midst of its work: `acts` writes, syncs and sends from now.
    void end_after(std::uint64_t acts, Death death);
    /// From its next process on.
    void forget_after(runtime::Pruner::Horizons horizons) { options_.horizons = horizons; }
    void drain();  ///< As SIGTERM does; the process ends when it has drained.
    /// Nothing of it runs until then, as after SIGSTOP; its connection stays.
    void pause(Duration how_long);
    void resume();

    /// Its files, while it does not run.
    Disk::Image backup() const { return disk_.image(); }
    void restore(const Disk::Image& image);
    void lose_disk();

    const std::string& name() const { return name_; }
    bool running() const { return process_ != nullptr; }
    bool ready() const;
    /// Nothing is left to do here, as far as it knows.
    bool at_rest(std::uint64_t head) const;
    std::string trouble() const;
    const Contract& contract() const { return contract_; }
    runtime::Node& node();
    store::Store& store();
    SimBus& bus();
    Net& net() { return net_; }
    Disk& disk() { return disk_; }
    SimClock& clock() { return clock_; }
    /// Of the process that ended last: what it said.
    const std::string& failure() const { return failure_; }
    std::uint64_t deaths() const { return deaths_; }
    std::uint64_t power_cuts() const { return power_cuts_; }
    /// How often what happened to its processes so far.
    struct Seen {
        std::uint64_t in_start = 0, in_transaction = 0, in_send = 0;  ///< where it died
        std::uint64_t in_rewind = 0;  ///< before all that it unsettled was read back
        std::uint64_t rewinds = 0, reopened = 0, catch_ups = 0, lock_waits = 0;
        std::uint64_t deadlines_missed = 0;
        std::map<core::Parking, std::uint64_t> waits;
    };
    const Seen& seen() const { return seen_; }
    /// Asked before each act of its processes, which are counted over all of them: what it returns
    /// befalls the machine there.
    using OnAct = std::function<std::optional<Death>(Act act, std::uint64_t nth)>;
    void on_act(OnAct asked) { on_act_ = std::move(asked); }
    std::uint64_t acts() const { return acts_; }
    /// Called when a process has ended, however.
    void on_end(std::function<void()> told) { on_end_ = std::move(told); }
    /// Called when a process has opened its files, before it does anything.
    void on_start(std::function<void()> told) { on_start_ = std::move(told); }

  private:
    struct Process;
    void wake();
    void plan(Steady when);
    void turn();
    void look();
    void bury();
    bool dies_at(Act act);
    bool must_send_again();

    std::string name_;
    Contract contract_;
    Schedule& schedule_;
    Broker& broker_;
    Bank& bank_;
    Chance chance_;
    Options options_;
    Net net_;
    SimClock clock_;
    Disk disk_;
    core::IdKey key_;
    std::unique_ptr<Process> process_;
    Death death_ = Death::kill;
    Steady planned_ = Steady::max(), busy_until_{}, paused_until_{};
    std::uint64_t plan_ = 0, deaths_ = 0, power_cuts_ = 0, acts_ = 0;
    Seen seen_;
    std::string failure_;
    std::function<void()> on_end_, on_start_;
    OnAct on_act_;
};

}  // namespace saga::sim
