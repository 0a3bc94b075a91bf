#include "tests/sim/weather.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "saga/core/envelope.hpp"
#include "saga/core/subject.hpp"

namespace saga::sim {

using namespace std::chrono_literals;

constexpr BankHabits kBadDays{
    .decline = 0.1, .unheard = 0.2, .silent = 0.2, .refuse = 0.3, .least = 1ms, .most = 3s};
constexpr std::uint64_t kActs = 100;  // within so many writes, syncs and sends a process dies

Weather::Weather(Schedule& schedule, Broker& broker, Bank& bank, Machines& machines,
                 Customer& customer, Chance chance, Outcome& outcome)
    : schedule_(schedule),
      broker_(broker),
      bank_(bank),
      machines_(machines),
      customer_(customer),
      chance_(chance),
      outcome_(outcome) {}

void Weather::begin(const std::set<Fault>& faults, Duration trouble) {
    faults_ = faults;
    until_ = schedule_.now() + trouble;
    for (const auto& machine : machines_) {
        machine->on_end([this, &here = *machine] { ended(here); });
        machine->start();
    }
    for (const Fault fault : faults_) plan(fault);
}

/// Each fault comes at its own pace, again and again.
void Weather::plan(Fault fault) {
    const Duration pause = chance_.between<Duration>(100ms, 20s);
    if (schedule_.now() + pause >= until_) return;
    schedule_.in(pause, [this, fault] {
        if (cleared_) return;
        befall(fault);
        plan(fault);
    });
}

void Weather::clear() {
    cleared_ = true;
    bank_.habits = {.decline = bank_.habits.decline};
    if (!broker_.up()) broker_.start();
    broker_.set_full(false);
    broker_.set_unavailable(false);
    broker_.make_assets();
    customer_.net().stalled_until = {};
    for (const auto& machine : machines_) {
        machine->net().stalled_until = {};
        machine->net().most = std::max<Duration>(machine->net().least, 400us);
        machine->disk().set({});
        machine->clock().skew = {};
        machine->resume();
        down_until_.erase(machine->name());
        if (!machine->running()) machine->start(flags_[machine->name()]);
    }
}

void Weather::befall(Fault fault) {
    outcome_.coverage.hit(name_of(fault));
    switch (fault) {
        case Fault::kill:
        case Fault::kill_act:
        case Fault::power:
        case Fault::power_act:
        case Fault::pause:
        case Fault::roll:
        case Fault::clock:
            return befall_machine(fault, any());
        case Fault::snap:
        case Fault::stall:
        case Fault::slow:
            return befall_network(fault);
        case Fault::broker_kill:
        case Fault::broker_pause:
        case Fault::unavailable:
        case Fault::full:
        case Fault::consumer:
            return befall_broker(fault);
        case Fault::tail:
        case Fault::rollback:
        case Fault::wipe:
        case Fault::leader:
            return befall_store(fault);
        case Fault::remade:
        case Fault::hole:
            return befall_stream(fault);
        case Fault::again:
            return publish_again();
        case Fault::junk:
            return publish_junk();
        case Fault::spoof:
            return spoof();
        case Fault::disk_full:
        case Fault::bad_disk:
        case Fault::backup:
        case Fault::rebuild:
            return befall_disk(fault, any());
        case Fault::bank:
            bank_.habits = kBadDays;
            return;
        case Fault::storm:
            return storm();
        default:
            return;  // hurry, split, cramped: the services are so; late: comes when all is over
    }
}

Machine& Weather::any() {
    return *machines_[chance_.below(machines_.size())];
}

// ---- machines -----------------------------------------------------------------------------------

void Weather::befall_machine(Fault fault, Machine& machine) {
    switch (fault) {
        case Fault::kill:
            return machine.end(Death::kill);
        case Fault::power:
            return machine.end(Death::power_cut);
        case Fault::kill_act:
            return machine.end_after(chance_.below(kActs), Death::kill);
        case Fault::power_act:
            return machine.end_after(chance_.below(kActs), Death::power_cut);
        case Fault::pause:
            return machine.pause(chance_.between<Duration>(1s, 2min));
        case Fault::roll:
            return machine.drain();
        default:
            machine.clock().skew = chance_.between<Duration>(-1h, 1h);
    }
}

void Weather::ended(Machine& machine) {
    ++outcome_.kills;
    if (!machine.failure().empty() && !excused(machine.failure()))
        outcome_.violations.push_back(
            fmt::format("I8: {} ended by itself {} s {} the end of the faults: {}", machine.name(),
                        std::chrono::duration_cast<std::chrono::seconds>(
                            std::chrono::abs(schedule_.now() - until_))
                            .count(),
                        schedule_.now() < until_ ? "before" : "after", machine.failure()));
    down(machine, cleared_ ? 100ms : chance_.between<Duration>(5ms, 5s));
}

/// A full or failing disk ends a process, and so does whoever stopped it.
bool Weather::excused(const std::string& failure) const {
    if (failure == "stopped") return true;
    const bool disk = faults_.contains(Fault::bad_disk) || faults_.contains(Fault::disk_full);
    return disk && !cleared_;
}

void Weather::down(Machine& machine, Duration how_long) {
    const Steady until = schedule_.now() + how_long;
    down_until_[machine.name()] = until;
    schedule_.at(until, [this, until, &machine] {
        if (down_until_[machine.name()] != until) return;
        machine.start(flags_[machine.name()]);
    });
}

void Weather::befall_disk(Fault fault, Machine& machine) {
    const std::string& name = machine.name();
    switch (fault) {
        case Fault::disk_full:
            machine.disk().set({.room = chance_.below(100'000)});
            return schedule_.in(chance_.between<Duration>(1s, 10s),
                                [&machine] { machine.disk().set({}); });
        case Fault::bad_disk:
            return machine.disk().set(chance_.happens(0.5)
                                          ? Disk::Faults{.good_writes = chance_.below(300)}
                                          : Disk::Faults{.good_syncs = chance_.below(50)});
        case Fault::backup:
            if (const auto older = backups_.find(name); older != backups_.end()) {
                machine.restore(older->second);
                backups_.erase(older);
            } else {
                backups_[name] = machine.backup();
            }
            return;
        default:
            flags_[name].rebuild = true;
            return machine.lose_disk();
    }
}

// ---- networks and the broker --------------------------------------------------------------------

void Weather::befall_network(Fault fault) {
    Machine& machine = any();
    Net& net = chance_.happens(0.1) ? customer_.net() : machine.net();
    const Duration how_long = chance_.between<Duration>(100ms, 40s);
    if (fault == Fault::stall) {
        net.stalled_until = schedule_.now() + how_long;
    } else if (fault == Fault::slow) {
        net.most = chance_.between<Duration>(10ms, 2s);
        schedule_.in(how_long, [&net] { net.most = 400us; });
    } else if (machine.running()) {
        machine.bus().snap();
    }
}

void Weather::broker_down(Duration how_long) {
    broker_.kill();
    schedule_.in(how_long, [this] {
        if (!broker_.up()) broker_.start();
    });
}

void Weather::befall_broker(Fault fault) {
    const Duration how_long = chance_.between<Duration>(100ms, 10s);
    switch (fault) {
        case Fault::broker_kill:
            return broker_down(how_long);
        case Fault::broker_pause:
            for (const auto& machine : machines_)
                machine->net().stalled_until = schedule_.now() + how_long;
            customer_.net().stalled_until = schedule_.now() + how_long;
            return;
        case Fault::unavailable:
            broker_.set_unavailable(true);
            return schedule_.in(how_long, [this] { broker_.set_unavailable(false); });
        case Fault::full:
            broker_.set_full(true);
            return schedule_.in(how_long, [this] { broker_.set_full(false); });
        default:
            broker_.delete_consumer_of(any().name());
    }
}

void Weather::befall_store(Fault fault) {
    if (fault == Fault::rollback && (!older_ || chance_.happens(0.5))) {
        older_ = broker_.save();
        return;
    }
    if (fault == Fault::leader) {
        broker_.lose_leader();
        return lose_tail(1 + chance_.below(30));
    }
    broker_down(chance_.between<Duration>(50ms, 3s));
    if (fault == Fault::tail) lose_tail(1 + chance_.below(30));
    if (fault == Fault::rollback) broker_.restore(older_);
    if (fault != Fault::wipe) return;
    older_.reset();
    broker_.wipe();
    schedule_.in(chance_.between<Duration>(3s, 8s), [this] { broker_.make_assets(); });
}

void Weather::lose_tail(std::uint64_t messages) {
    broker_.lose_tail(messages);
    const Stream* stream = broker_.stream(core::kStream);
    for (const auto& machine : machines_)
        if (stream != nullptr && machine->running() &&
            machine->store().cursor.position().seq < stream->last_seq)
            outcome_.coverage.hit("reader behind a lost tail");
}

void Weather::befall_stream(Fault fault) {
    const Stream* stream = broker_.stream(core::kStream);
    if (stream == nullptr || stream->messages.empty()) return;
    if (fault == Fault::remade) {
        older_.reset();
        broker_.delete_stream();
        return schedule_.in(chance_.between<Duration>(0s, 3s), [this] { broker_.make_assets(); });
    }
    if (stream->last_seq > stream->first_seq + 1)
        broker_.remove(stream->first_seq + 1 +
                       chance_.below(stream->last_seq - stream->first_seq - 1));
}

// ---- hostile hands ------------------------------------------------------------------------------

void Weather::publish_again() {
    const Stream* stream = broker_.stream(core::kStream);
    if (stream == nullptr || stream->messages.empty() || !broker_.up()) return;
    std::vector<Stream::Message> chosen;
    const auto times = 1 + chance_.below(10);
    for (std::uint64_t i = 0; i < times; ++i) {
        auto at = stream->messages.begin();
        std::advance(at, chance_.below(stream->messages.size()));
        chosen.push_back(at->second);
    }
    for (const Stream::Message& message : chosen) {
        const core::Headers with_id{{"Nats-Msg-Id", message.id}};
        const auto copies = chance_.happens(0.1) ? 100 : 1 + chance_.below(3);
        for (std::uint64_t i = 0; i < copies; ++i)
            (void)broker_.publish(message.subject, chance_.happens(0.5) ? with_id : core::Headers{},
                                  message.bytes);
        outcome_.duplicates += copies;
    }
}

void Weather::publish_junk() {
    if (!broker_.up()) return;
    std::vector<std::byte> bytes(chance_.below(300));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(chance_.next());
    const Stream* stream = broker_.stream(core::kStream);
    std::string subject = "saga.order.done.OrderRequested.p00";
    if (stream != nullptr && !stream->messages.empty()) {
        const Stream::Message& model = stream->messages.rbegin()->second;
        subject = model.subject;
        if (chance_.happens(0.5)) {  // the beginning of an event
            bytes = model.bytes;
            if (!bytes.empty()) bytes.resize(chance_.below(bytes.size()));
        }
    }
    (void)broker_.publish(subject, {}, bytes);
}

/// A failure of a saga of nobody here, as a cycle of services makes it.
void Weather::storm() {
    if (!broker_.up()) return;
    const std::string saga = fmt::format("storm{}", chance_.below(1'000'000));
    const Time now = std::chrono::floor<Time::duration>(schedule_.date());
    EventId id;
    for (std::uint8_t& byte : id.bytes) byte = static_cast<std::uint8_t>(chance_.next());
    const std::array<std::byte, 8> payload{};
    (void)broker_.publish(core::event_subject("stranger", Kind::failed, "Storm", saga, false), {},
                          core::encode({.id = id,
                                        .type = "stranger.Storm",
                                        .saga = saga,
                                        .started = now,
                                        .source = "stranger",
                                        .sequence = 1,
                                        .time = now,
                                        .kind = Kind::failed,
                                        .because = "Storm",
                                        .hops = core::kMaxHops + 1,
                                        .payload = payload}));
}

/// A true event under the subject of a service that did not say it.
void Weather::spoof() {
    const Stream* stream = broker_.stream(core::kStream);
    if (stream == nullptr || stream->messages.empty() || !broker_.up()) return;
    const Stream::Message model = stream->messages.rbegin()->second;
    const auto subject = core::parse_event_subject(model.subject);
    if (!subject) return;
    const std::string_view other = subject->service == "payment" ? "shipping" : "payment";
    (void)broker_.publish(
        "saga." + std::string(other) + model.subject.substr(5 + subject->service.size()), {},
        model.bytes);
}

}  // namespace saga::sim
