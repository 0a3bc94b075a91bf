// One thing at a time, in nanoseconds: where a change of speed begins.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <saga/detail/event_type.hpp>

#include "saga/core/envelope.hpp"
#include "saga/core/ids.hpp"
#include "saga/core/policy.hpp"
#include "saga/store/store.hpp"
#include "shop_events.hpp"

namespace {

using namespace saga;

const Time kNow{std::chrono::hours(24 * 365 * 56)};

std::vector<std::byte> payload() {
    return detail::pack(shop::PaymentTaken{.order_id = "order-4711",
                                           .customer_id = "ALFKI",
                                           .amount_cents = 12'500,
                                           .charge_id = "C-4711"});
}

EventId id_of(std::uint64_t nth) {
    EventId id;
    std::memcpy(id.bytes.data() + 8, &nth, sizeof nth);
    id.bytes[0] = 1;
    return id;
}

core::Envelope envelope(Bytes payload) {
    return {.id = id_of(1),
            .type = "shop.payment.PaymentTaken",
            .saga = "order-4711",
            .started = kNow,
            .cause = id_of(2),
            .source = "payment",
            .sequence = 4711,
            .time = kNow,
            .kind = Kind::done,
            .step = "take",
            .hops = 2,
            .payload = payload};
}

void encode(benchmark::State& state) {
    const auto bytes = payload();
    while (state.KeepRunning()) benchmark::DoNotOptimize(core::encode(envelope(bytes)));
}
BENCHMARK(encode);

/// Verified, and every field of it judged.
void decode(benchmark::State& state) {
    const auto bytes = payload();
    const auto encoded = core::encode(envelope(bytes));
    while (state.KeepRunning()) benchmark::DoNotOptimize(core::decode(encoded));
}
BENCHMARK(decode);

void verify_payload(benchmark::State& state) {
    const auto bytes = payload();
    while (state.KeepRunning()) benchmark::DoNotOptimize(detail::verify<shop::PaymentTaken>(bytes));
}
BENCHMARK(verify_payload);

void headers(benchmark::State& state) {
    const auto bytes = payload();
    while (state.KeepRunning()) benchmark::DoNotOptimize(core::headers_of(envelope(bytes)));
}
BENCHMARK(headers);

void event_id(benchmark::State& state) {
    const core::IdKey key({1, 2, 3});
    while (state.KeepRunning())
        benchmark::DoNotOptimize(key.id(kNow, {"payment", "order-4711", "take"}));
}
BENCHMARK(event_id);

void decide(benchmark::State& state) {
    core::Trigger trigger;
    while (state.KeepRunning()) {
        benchmark::DoNotOptimize(trigger);
        benchmark::DoNotOptimize(core::on_trigger(trigger));
    }
}
BENCHMARK(decide);

/// In one transaction, in memory: the disk is measured by the other benchmarks.
struct Open {
    Open() { store.db().begin(); }
    store::Store store{{.path = ":memory:", .vfs = {}}, {}};
};

void journal_insert(benchmark::State& state) {
    Open open;
    const auto bytes = payload();
    std::int64_t saga = 0;
    while (state.KeepRunning())
        open.store.journal.put_ran(++saga, {.step = "take", .event = id_of(1)}, "PaymentTaken",
                                   bytes);
}
BENCHMARK(journal_insert);

/// And settled, as it is when it was read back.
void outbox_insert(benchmark::State& state) {
    Open open;
    const auto bytes = payload();
    const store::OutboxRow row{.subject = "saga.payment.done.PaymentTaken.p07",
                               .envelope = core::encode(envelope(bytes))};
    std::uint64_t nth = 0;
    while (state.KeepRunning()) {
        store::OutboxRow each = row;
        each.seq = open.store.outbox.next_seq();
        each.id = id_of(++nth);
        open.store.outbox.insert(each, kNow, std::nullopt);
        open.store.outbox.settle(each.seq, nth, kNow);
    }
}
BENCHMARK(outbox_insert);

void saga_load(benchmark::State& state) {
    Open open;
    core::SagaState saga = open.store.load("order-4711");
    saga.row.started = kNow;
    open.store.sagas.insert(saga.row, kNow);
    open.store.journal.put_ran(saga.row.key, {.step = "take", .event = id_of(1)}, "PaymentTaken",
                               payload());
    while (state.KeepRunning()) benchmark::DoNotOptimize(open.store.load("order-4711"));
}
BENCHMARK(saga_load);

}  // namespace

BENCHMARK_MAIN();
