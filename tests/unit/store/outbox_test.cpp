#include "saga/store/outbox.hpp"

#include <doctest/doctest.h>

#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;

namespace {

std::int64_t add(store::Store& store, std::uint8_t last,
                 std::optional<std::uint64_t> settled = {}) {
    const std::int64_t seq = store.outbox.next_seq();
    store.outbox.insert({.seq = seq,
                         .id = id(last),
                         .saga = 1,
                         .subject = "saga.kitchen.done.Cooked",
                         .envelope = bytes("envelope")},
                        at_ms(last), settled);
    return seq;
}

}  // namespace

TEST_CASE("outbox: gives its rows in the order of commits, until they are settled") {
    Fresh f;
    for (std::uint8_t i = 1; i <= 3; ++i) add(f.store, i);
    auto rows = f.store.outbox.unsettled_after(0, 10);
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].id == id(1));
    CHECK(rows[2].id == id(3));
    CHECK(text(rows[1].envelope) == "envelope");
    CHECK(f.store.outbox.unsettled_after(rows[0].seq, 1).at(0).id == id(2));

    f.store.outbox.settle(rows[0].seq, 70, at_ms(1));
    f.store.outbox.settle(rows[0].seq, 90, at_ms(1));  // the first place counts
    CHECK(f.store.outbox.unsettled_after(0, 10).size() == 2);
    CHECK(f.store.outbox.unsettled().rows == 2);
    CHECK(f.store.outbox.unsettled().oldest == at_ms(2));
    CHECK(f.store.outbox.unsettle_above(70) == 0);
    CHECK(f.store.outbox.unsettle_above(69) == 1);
    CHECK(f.store.outbox.unsettled().rows == 3);
}

TEST_CASE("outbox: a sequence that was never committed is given again") {
    Fresh f;
    add(f.store, 1);
    f.store.db().commit();
    f.store.db().begin();
    const std::int64_t lost = add(f.store, 2);
    f.store.rollback();
    CHECK(f.store.outbox.next_seq() == lost);
    CHECK(!f.store.outbox.find(id(2)));
    CHECK(f.store.outbox.find(id(1)));
}

TEST_CASE("outbox: an id stands in it once, as it was first") {
    Fresh f;
    add(f.store, 1, 7);
    const std::int64_t next = f.store.outbox.next_seq();
    CHECK(!f.store.outbox.insert({.seq = next,
                                  .id = id(1),
                                  .saga = 1,
                                  .subject = "saga.kitchen.done.Cooked",
                                  .envelope = bytes("another")},
                                 at_ms(2), std::nullopt));
    CHECK(f.store.outbox.next_seq() == next);
    CHECK(f.store.outbox.unsettled().rows == 0);
    CHECK(text(f.store.outbox.row(*f.store.outbox.find(id(1)))->envelope) == "envelope");
}

TEST_CASE("inbox: an event counts once for each reaction") {
    Fresh f;
    f.store.inbox.insert(1, id(1), "count", "Cooked");
    f.store.inbox.insert(1, id(1), "count", "Cooked");
    CHECK(f.store.inbox.has(1, id(1), "count"));
    CHECK(!f.store.inbox.has(1, id(1), "show"));
    CHECK(!f.store.inbox.has(2, id(1), "count"));
    CHECK(f.store.inbox.read(1, "Cooked"));
    CHECK(!f.store.inbox.read(1, "Served"));
}

TEST_CASE("commands: what was accepted is remembered with its body's fingerprint") {
    Fresh f;
    CHECK(!f.store.commands.find(1, "place"));
    f.store.commands.insert(1, "place", {id(4), id(5), "OrderRequested"});
    const auto row = f.store.commands.find(1, "place");
    REQUIRE(row);
    CHECK(row->fingerprint == id(4));
    CHECK(row->event_id == id(5));
    CHECK(f.store.commands.accepted(1, "OrderRequested"));
    CHECK(!f.store.commands.accepted(1, "CancelRequested"));
}

TEST_CASE("recorded: what stands in the stream already, oldest first") {
    Fresh f;
    f.store.recorded.insert(id(2), {20, bytes("b")});
    f.store.recorded.insert(id(1), {10, bytes("a")});
    REQUIRE(f.store.recorded.first());
    CHECK(f.store.recorded.first()->first == id(1));
    CHECK(text(f.store.recorded.find(id(2))->envelope) == "b");
    f.store.recorded.erase(id(1));
    CHECK(f.store.recorded.first()->second.stream_seq == 20);
    CHECK(f.store.recorded.count() == 1);
}

TEST_CASE("recorded: the first of an id counts, and stands again where its own bytes do") {
    Fresh f;
    store::Recorded& recorded = f.store.recorded;
    recorded.insert(id(1), {10, bytes("a")});
    recorded.insert(id(1), {20, bytes("forged")});
    CHECK(text(recorded.find(id(1))->envelope) == "a");
    CHECK(recorded.find(id(1))->stands() == 10);
    recorded.lose_above(5);
    recorded.insert(id(1), {6, bytes("forged")});
    CHECK(text(recorded.find(id(1))->envelope) == "a");
    CHECK_FALSE(recorded.find(id(1))->stands());
    recorded.insert(id(1), {7, bytes("a")});
    CHECK(recorded.find(id(1))->stands() == 7);
}
