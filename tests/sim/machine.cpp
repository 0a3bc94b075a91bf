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

std::string nonce(Chance& chance) {
    return fmt::format("{:016x}{:016x}", chance.next(), chance.next());
}

}  // namespace

struct Machine::Process {
    Process(Machine& machine, const Flags& flags)
        : store({.path = machine.name_ + ".db",
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
                     runtime::Node::Options{.name = machine.name_,
                                            .instance = nonce(machine.chance_),
                                            .where = machine.name_,
                                            .contract = {},
                                            .rebuild = flags.rebuild,
                                            .accept_history_loss = flags.accept_history_loss,
                                            .worker = machine.options_.worker,
                                            .horizons = machine.options_.horizons});
    }

    static void end(Life& life) {
        life.end_after(0);
        life.act();
    }

    Life life;
    store::Store store;
    SimBus bus;
    SimCaller caller;
    std::optional<runtime::Node> node;
    bool draining = false, caught_up = false;
    Steady drains_until{};
    std::uint64_t rewinds = 0, reopened = 0;
};

Machine::Machine(std::string name, Make make, Schedule& schedule, Broker& broker, Bank& bank,
                 Chance chance, Options options)
    : name_(std::move(name)),
      service_(make()),
      schedule_(schedule),
      broker_(broker),
      bank_(bank),
      chance_(chance),
      options_(options),
      net_(chance.branch("net")),
      clock_(schedule),
      disk_(chance.branch("disk").next(), [this] { return schedule_.date() + clock_.skew; }),
      key_(key_of(chance.branch("key"))) {}

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

void Machine::restore(const Disk::Image& image) {
    end(Death::kill);
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
    seen_.rewinds +=
        node.link().rewinds() - std::exchange(process_->rewinds, node.link().rewinds());
    seen_.reopened +=
        node.reader().reopened() - std::exchange(process_->reopened, node.reader().reopened());
    seen_.lock_waits += process_->store.locks.waiting() > 0;
    if (node.worker().catching_up() && !std::exchange(process_->caught_up, true)) ++seen_.catch_ups;
}

/// The ghost goes, and its disk is as the death left it.
void Machine::bury() {
    if (!process_) ++seen_.in_start;
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
std::uint64_t Machine::acts() const {
    return process_ ? process_->life.acts() : 0;
}

}  // namespace saga::sim
