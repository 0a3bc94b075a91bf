#include "tests/sim/machine.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "saga/runtime/contract_json.hpp"
#include "saga/runtime/key_file.hpp"

namespace saga::sim {
namespace {

using namespace std::chrono_literals;

constexpr auto kDrain = 10s;  // as saga::run gives it

core::IdKey key_of(Chance chance) {
    std::array<std::uint8_t, core::IdKey::kSize> secret{};
    for (auto& byte : secret) byte = static_cast<std::uint8_t>(chance.next());
    return core::IdKey(secret);
}

Contract with(Contract contract, std::optional<std::chrono::milliseconds> deadline) {
    if (deadline)
        for (detail::StepCode& step : contract.steps)
            for (detail::Expects& expects : step.expects) expects.after = *deadline;
    return contract;
}

std::string nonce(Chance& chance) {
    return fmt::format("{:016x}{:016x}", chance.next(), chance.next());
}

}  // namespace

struct Machine::Process {
    Process(Machine& machine, const Flags& flags)
        : life([&machine](Act act) { return machine.dies_at(act); }),
          store({.path = machine.name_ + ".db",
                 .vfs = machine.disk_.mount(life),
                 .end =
                     [&](const std::string& why) {
                         machine.failure_ = why;
                         end(life);
                     }},
                machine.contract().tables),
          bus(machine.schedule_, machine.broker_, machine.net_, life, [&] { machine.wake(); }),
          caller(machine.schedule_, machine.bank_, life, [&] { machine.wake(); }) {
        life.on_death([this, &machine] {
            const bool writes = sqlite3_txn_state(store.db().handle(), nullptr) == SQLITE_TXN_WRITE;
            ++(writes ? machine.seen_.in_transaction : machine.seen_.in_send);
        });
        runtime::bind_key(store, machine.key_, machine.name_ + ".key");
        node.emplace(machine.contract(), store, machine.key_, bus, machine.clock_, machine.chance_,
                     caller,
                     runtime::Node::Options{.instance = nonce(machine.chance_),
                                            .where = machine.name_,
                                            .contract = {},
                                            .rebuild = flags.rebuild,
                                            .accept_history_loss = flags.accept_history_loss,
                                            .worker = machine.options_.worker,
                                            .horizons = machine.options_.horizons,
                                            .room = machine.options_.room});
    }

    static void end(Life& life) {
        life.end_after(0);
        life.act();
    }

    Life life;
    store::Store store;
    SimBus bus;
    SimCaller caller;
    store::Statement waits{store.db(), "SELECT position, state FROM parked"};
    std::set<std::pair<std::int64_t, std::int64_t>> waited;
    std::optional<runtime::Node> node;
    bool draining = false, caught_up = false, rewound = false;
    Steady drains_until{};
    std::uint64_t rewinds = 0, reopened = 0;
};

Machine::Machine(const core::Instance& self, Contract contract, Schedule& schedule, Broker& broker,
                 Bank& bank, const Chance& chance, const Chance& service, Options options)
    : name_(self.name()),
      contract_(with(std::move(contract), options.deadline)),
      schedule_(schedule),
      broker_(broker),
      bank_(bank),
      chance_(chance),
      options_(options),
      net_(chance.branch("net")),
      clock_(schedule),
      disk_(chance.branch("disk").next(), [this] { return schedule_.date() + clock_.skew; }),
      key_(key_of(service.branch("key"))) {
    options_.worker.shard = self.shard;
}

Machine::~Machine() {
    process_.reset();
}

void Machine::start(Flags flags) {
    if (process_) return;
    failure_.clear();
    try {
        process_ = std::make_unique<Process>(*this, flags);
    } catch (const std::exception& refused) {
        failure_ = refused.what();
    }
    if (!process_ || process_->life.dead()) return bury();
    if (on_start_) on_start_();
    const auto due = process_->store.timers.next_due();
    if (due && *due < schedule_.date()) ++seen_.deadlines_missed;
    plan(schedule_.now());
}

void Machine::end(Death death) {
    if (!process_) return;
    Process::end(process_->life);
    death_ = death;
    bury();
}

void Machine::end_after(std::uint64_t acts, Death death) {
    if (!process_) return;
    death_ = death;
    process_->life.end_after(acts);
}

bool Machine::dies_at(Act act) {
    const std::optional<Death> death = on_act_ ? on_act_(act, acts_) : std::nullopt;
    ++acts_;
    if (death) death_ = *death;
    return death.has_value();
}

void Machine::drain() {
    if (!process_ || process_->draining) return;
    process_->draining = true;
    process_->drains_until = schedule_.now() + kDrain;
    schedule_.at(process_->drains_until, [this] { wake(); });
    process_->node->drain();
    wake();
}

void Machine::pause(Duration how_long) {
    paused_until_ = schedule_.now() + how_long;
}

void Machine::resume() {
    paused_until_ = {};
    wake();
}

/// On another host: a database that comes back while its dead process' events are on their way
/// would read them as a stranger's, once.
void Machine::restore(const Disk::Image& image) {
    end(Death::kill);
    ++net_.hosts;
    disk_.restore(image);
}

void Machine::lose_disk() {
    restore(Disk::Image());
}

// ---- turns --------------------------------------------------------------------------------------

void Machine::wake() {
    plan(schedule_.now());
}

/// The next turn is not later than that, and not before the last one is through.
void Machine::plan(Steady when) {
    when = std::max({when, busy_until_, paused_until_});
    if (when >= planned_) return;
    planned_ = when;
    schedule_.at(when, [this, mine = ++plan_] {
        if (mine != plan_) return;
        planned_ = Steady::max();
        turn();
    });
}

void Machine::turn() {
    if (!process_) return;
    if (schedule_.now() < paused_until_) return plan(paused_until_);
    // A turn takes time, most of it for the disk: what comes meanwhile waits for the next one.
    busy_until_ = schedule_.now() + chance_.between<Duration>(20us, 400us);
    Steady next = Steady::max();
    try {
        next = std::min(process_->node->turn(), process_->bus.next_due());
        if (process_->draining &&
            (process_->node->drained() || schedule_.now() >= process_->drains_until)) {
            process_->node->stop();
            failure_ = "stopped";
            Process::end(process_->life);
        }
    } catch (const std::exception& stopped) {
        if (!process_->life.dead()) failure_ = stopped.what();
        Process::end(process_->life);
    }
    look();
    if (process_->life.dead()) return bury();
    plan(next);
}

void Machine::look() {
    const runtime::Node& node = *process_->node;
    const std::uint64_t rewinds = node.link().rewinds();
    process_->rewound = must_send_again() || rewinds > process_->rewinds;
    seen_.rewinds += rewinds - std::exchange(process_->rewinds, rewinds);
    seen_.reopened +=
        node.reader().reopened() - std::exchange(process_->reopened, node.reader().reopened());
    seen_.lock_waits += process_->store.locks.waiting() > 0;
    if (node.worker().catching_up() && !std::exchange(process_->caught_up, true)) ++seen_.catch_ups;
    store::Rows rows = process_->waits.query();
    while (rows.next())
        if (process_->waited.emplace(rows.integer(0), rows.integer(1)).second)
            ++seen_.waits[static_cast<core::Parking>(rows.integer(1))];
}

bool Machine::must_send_again() {
    if (process_->rewound) process_->rewound = process_->store.outbox.unsettled().rows > 0;
    return process_->rewound;
}

/// The ghost goes, and its disk is as the death left it.
void Machine::bury() {
    if (!process_) ++seen_.in_start;
    if (process_ && process_->rewound) ++seen_.in_rewind;
    process_.reset();
    if (death_ == Death::power_cut) {
        disk_.power_cut(chance_);
        ++power_cuts_;
    } else {
        disk_.kill();
    }
    death_ = Death::kill;
    ++deaths_;
    planned_ = Steady::max();
    ++plan_;
    if (on_end_) on_end_();
}

// ---- looking ------------------------------------------------------------------------------------

bool Machine::ready() const {
    return process_ && process_->node->ready();
}

std::string Machine::trouble() const {
    return process_ ? process_->node->trouble() : "ended: " + failure_;
}

bool Machine::at_rest(std::uint64_t head) const {
    if (!ready()) return false;
    store::Store& store = process_->store;
    return store.cursor.position().seq >= head && store.outbox.unsettled().rows == 0 &&
           store.calls.count() == 0 && store.parked.count(false) == store.parked.count(true);
}

runtime::Node& Machine::node() {
    return *process_->node;
}
store::Store& Machine::store() {
    return process_->store;
}
SimBus& Machine::bus() {
    return process_->bus;
}

}  // namespace saga::sim
