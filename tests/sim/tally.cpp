#include "tests/sim/tally.hpp"

#include <array>

#include "saga/core/envelope.hpp"
#include "saga/core/subject.hpp"
#include "saga/store/statement.hpp"

namespace saga::sim {
namespace {

std::uint64_t number(Machine& machine, std::string_view select) {
    store::Statement statement(machine.store().db(), select);
    return static_cast<std::uint64_t>(store::number(statement));
}

/// Where in the stream a saga's events stand first, by their names.
using Places = std::map<std::string, std::uint64_t, std::less<>>;

void count_course(const Places& places, Coverage& coverage) {
    const auto at = [&](std::string_view name) {
        const auto found = places.find(name);
        return found == places.end() ? 0 : found->second;
    };
    if (at("ShippingOverdue") != 0) coverage.hit("deadline fired");
    if (at("ShippingOverdue") != 0 && at("OrderConfirmed") != 0)
        coverage.hit("deadline racing completion");
    if (at("PaymentRefunded") != 0 && at("OrderCancelled") != 0 &&
        at("OrderCancelled") < at("PaymentTaken"))
        coverage.hit("failure racing a success: undone after it");
}

void count_courses(const Broker& broker, Coverage& coverage) {
    std::map<std::string, Places, std::less<>> sagas;
    const Stream* stream = broker.stream(core::kStream);
    if (stream == nullptr) return;
    for (const auto& [seq, message] : stream->messages) {
        const auto read = core::decode(message.bytes);
        const auto* envelope = std::get_if<core::Envelope>(&read);
        if (envelope == nullptr || core::spoofed(message.subject, *envelope)) continue;
        sagas[std::string(envelope->saga)].try_emplace(
            std::string(detail::split_type(envelope->type).name), seq);
    }
    for (const auto& [saga, places] : sagas) count_course(places, coverage);
}

}  // namespace

void count_sagas(const shop::Books& books, const std::vector<std::unique_ptr<Machine>>& machines,
                 const Broker& broker, Coverage& coverage) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kReasons{
        {{"StockShort", "saga rejected: out of stock"},
         {"PaymentDeclined", "saga rejected: payment declined"},
         {"OrderCancelled", "saga rejected: cancelled"},
         {"ShippingRefused", "saga rejected: shipment refused"}}};
    each_row(machines, "order", "SELECT state, reason, count(*) FROM orders GROUP BY 1, 2",
             [&](const store::Rows& rows) {
                 const auto times = static_cast<std::uint64_t>(rows.integer(2));
                 if (rows.text(0) == "confirmed") coverage.hit("saga confirmed", times);
                 for (const auto& [reason, row] : kReasons)
                     if (rows.text(1) == reason) coverage.hit(row, times);
             });
    for (const auto& [id, payment] : books.payments)
        if (payment.refunded > 0) coverage.hit("refund after a payment");
    each_row(machines, "shipping",
             "SELECT count(*) FROM journal WHERE step = 'give_up' AND outcome = 'OrderCancelled'",
             [&](const store::Rows& rows) {
                 coverage.hit("saga rejected: overdue",
                              static_cast<std::uint64_t>(rows.integer(0)));
             });
    count_courses(broker, coverage);
}

void count_machine(Machine& machine, Coverage& coverage) {
    const Machine::Seen& seen = machine.seen();
    coverage.hit("death at start-up", seen.in_start);
    coverage.hit("death inside a transaction", seen.in_transaction);
    coverage.hit("death between commit and PubAck", seen.in_send);
    coverage.hit("death between rewind and republish", seen.in_rewind);
    coverage.hit("rewind", seen.rewinds);
    coverage.hit("reader made anew", seen.reopened);
    coverage.hit("catch-up", seen.catch_ups);
    coverage.hit("saga waits for another one's lock", seen.lock_waits);
    coverage.hit("deadline due while its service was down", seen.deadlines_missed);
    constexpr std::array<std::pair<core::Parking, std::string_view>, 3> kWaits{
        {{core::Parking::later, "later(): waits for what comes next"},
         {core::Parking::behind, "waits behind an earlier event of its saga"},
         {core::Parking::unlike, "unlike its record"}}};
    for (const auto& [state, row] : kWaits)
        if (const auto found = seen.waits.find(state); found != seen.waits.end())
            coverage.hit(row, found->second);
    coverage.hit("dead letter of what is no event",
                 static_cast<std::uint64_t>(machine.store().aside.count()));
    coverage.hit("failure before its step: tombstone",
                 number(machine, "SELECT count(*) FROM journal WHERE state = 7"));
    coverage.hit("event of too many hops: dead",
                 number(machine,
                        "SELECT count(*) FROM parked WHERE reason LIKE '%too many events "
                        "away%'"));
}

}  // namespace saga::sim
