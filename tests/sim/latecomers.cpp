#include "tests/sim/latecomers.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "saga/core/subject.hpp"
#include "saga/store/statement.hpp"

namespace saga::sim {
namespace {

using namespace std::chrono_literals;

using Machines = std::vector<std::unique_ptr<Machine>>;

/// What has eight days elsewhere. What a clock dates an hour ahead is remembered for longer.
constexpr runtime::Pruner::Horizons kSoon{.journal = 1min, .outbox = 30s};
constexpr auto kForgetting = 2 * kSoon.journal;
constexpr auto kRestart = 10s;
constexpr auto kReading = 2min;  // most for which the copies are read

void pass(Schedule& schedule, Duration time) {
    const Steady until = schedule.now() + time;
    while (schedule.step(until)) {
    }
}

std::uint64_t head(const Broker& broker) {
    return broker.stream(core::kStream)->last_seq;
}

std::uint64_t stale(Machine& machine) {
    store::Statement statement(machine.store().db(),
                               "SELECT count(*) FROM aside WHERE reason LIKE 'stale:%'");
    return static_cast<std::uint64_t>(store::number(statement));
}

void forget(Schedule& schedule, const Machines& machines) {
    for (const auto& machine : machines) {
        machine->forget_after(kSoon);
        machine->drain();
    }
    pass(schedule, kRestart);
    for (const auto& machine : machines) machine->start();
    pass(schedule, kForgetting);
}

/// How many copies the stream took.
std::uint64_t publish_all_again(Broker& broker) {
    const std::map<std::uint64_t, Stream::Message> all = broker.stream(core::kStream)->messages;
    const std::uint64_t before = head(broker);
    for (const auto& [seq, message] : all) (void)broker.publish(message.subject, {}, message.bytes);
    return head(broker) - before;
}

bool same(const shop::Books& a, const shop::Books& b) {
    return a.orders == b.orders && a.payments == b.payments && a.parcels == b.parcels &&
           a.held == b.held && a.products == b.products && a.charges.size() == b.charges.size();
}

}  // namespace

std::vector<std::string> come_too_late(Schedule& schedule, Broker& broker, const Bank& bank,
                                       const Machines& machines, Coverage& coverage) {
    std::vector<std::string> wrong;
    forget(schedule, machines);
    const shop::Books before = shop_books(machines, bank, broker);
    const std::uint64_t first = head(broker);
    const std::uint64_t copies = publish_all_again(broker);
    const Steady last = schedule.now() + kReading;
    const auto idle = [&] {
        return std::ranges::all_of(
            machines, [&](const auto& machine) { return machine->at_rest(head(broker)); });
    };
    do pass(schedule, 1s);
    while (!idle() && schedule.now() < last);
    for (const auto& machine : machines) {
        if (!machine->at_rest(head(broker)))
            wrong.push_back(fmt::format("I8: {} is not at rest after what came too late: {}",
                                        machine->name(), machine->trouble()));
        if (machine->running()) coverage.hit("event of a forgotten saga: stale", stale(*machine));
    }
    if (head(broker) != first + copies)
        wrong.push_back(fmt::format("I1: {} events more came of what came too late",
                                    head(broker) - first - copies));
    if (!same(before, shop_books(machines, bank, broker)))
        wrong.emplace_back("I1: what came too late has changed the books");
    return wrong;
}

}  // namespace saga::sim
