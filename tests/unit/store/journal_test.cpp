#include "saga/store/journal.hpp"

#include <doctest/doctest.h>

#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;
using core::StepState;

TEST_CASE("sagas: found by id and by key, with all that failed and ended them") {
    Fresh f;
    CHECK(f.store.sagas.find("o1").key == 0);
    core::SagaRow row{.id = "o1", .started = at_ms(5), .failures = {}, .ended_by = {}};
    f.store.sagas.insert(row, at_ms(6));
    REQUIRE(row.key != 0);
    row.failures = {"StockShort", "PaymentDeclined"};
    row.ended_by = "OrderRejected";
    f.store.sagas.mark(row, at_ms(7));
    for (const core::SagaRow& found : {f.store.sagas.find("o1"), f.store.sagas.find(row.key)}) {
        CHECK(found.key == row.key);
        CHECK(found.id == "o1");
        CHECK(found.started == at_ms(5));
        CHECK(found.failures == row.failures);
        CHECK(found.ended_by == "OrderRejected");
    }
    CHECK(f.store.pruning.sagas(0, 10).at(0).touched == at_ms(7));
    f.store.sagas.touch(row.key, at_ms(9));
    CHECK(f.store.pruning.sagas(0, 10).at(0).touched == at_ms(9));
}

TEST_CASE("journal: one row for each step and run, with what its undo will be given") {
    Fresh f;
    core::StepRow row{.step = "take", .run = {}, .event = id(1), .nth = 3};
    const auto result = bytes("taken");
    f.store.journal.put_ran(1, row, "PaymentTaken", Bytes(result));
    CHECK(text(f.store.journal.kept(1, row).second) == "taken");
    CHECK(f.store.journal.published(1, "PaymentTaken"));
    CHECK(!f.store.journal.published(1, "Payment"));
    CHECK(!f.store.journal.published(2, "PaymentTaken"));

    row.state = StepState::undone;
    f.store.journal.put_ran(1, row, "PaymentRefunded", std::nullopt);
    CHECK(f.store.journal.published(1, "PaymentTaken"));
    CHECK(f.store.journal.published(1, "PaymentRefunded"));

    core::StepRow other{.step = "take", .run = id(9), .event = id(9)};
    f.store.journal.put(1, other);
    std::vector<core::StepRow> rows;
    f.store.journal.load(1, rows);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].state == StepState::undone);
    CHECK(rows[0].nth == 3);
    CHECK(rows[1].run == id(9));
}

TEST_CASE("arrived: a join's halves keep their slots until it has run") {
    Fresh f;
    for (const std::uint32_t slot : {1u, 0u})
        f.store.arrived.insert(1, {.step = "ship", .run = {}, .slot = slot, .event = id(1)},
                               bytes(slot == 0 ? "first" : "second"));
    auto halves = f.store.arrived.halves(1, "ship", {});
    REQUIRE(halves.size() == 2);
    CHECK(text(halves[0].envelope) == "first");
    CHECK(text(halves[1].envelope) == "second");
    CHECK(f.store.arrived.halves(2, "ship", {}).empty());

    f.store.arrived.forget_envelopes(1, "ship", {});
    std::vector<core::Arrived> rows;
    f.store.arrived.load(1, rows);
    CHECK(rows.size() == 2);
    f.store.arrived.erase(1, rows[0]);
    rows.clear();
    f.store.arrived.load(1, rows);
    CHECK(rows.size() == 1);
}
