#include "saga/store/position.hpp"

#include <doctest/doctest.h>

#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;

namespace {

const core::StoreTime kMade{std::chrono::seconds(1'000)};

core::Checkpoint checkpoint(std::uint64_t seq) {
    return {.seq = seq,
            .stored_at = kMade + std::chrono::nanoseconds(seq),
            .id = id(static_cast<std::uint8_t>(seq))};
}

}  // namespace

TEST_CASE("cursor: stands after a restart where the last commit left it") {
    const Folder folder;
    const std::string path = folder.file("a.db");
    {
        store::Store store(at(path), {});
        CHECK(store.cursor.position().created == core::StoreTime{});
        store.db().begin();
        store.cursor.adopt({kMade, 0, 0, {}});
        for (std::uint64_t seq = 1; seq <= 1'000; ++seq) store.cursor.move_to(seq, checkpoint(seq));
        store.db().commit();
        store.db().begin();
        store.cursor.move_to(1'500, checkpoint(1'500));
        store.rollback();
        CHECK(store.cursor.position().seq == 1'000);
        CHECK(store.cursor.checkpoints().newest() == checkpoint(1'000));
    }
    store::Store store(at(path), {});
    CHECK(store.cursor.position().seq == 1'000);
    CHECK(store.cursor.position().created == kMade);
    CHECK(store.cursor.last_stored_at() == checkpoint(1'000).stored_at);
    CHECK(store.cursor.checkpoints().newest() == checkpoint(1'000));
    CHECK(store.cursor.checkpoints().all().size() < 150);
}

TEST_CASE("cursor: a rewind forgets the checkpoints above") {
    Fresh f;
    f.store.cursor.adopt({kMade, 0, 0, {}});
    for (std::uint64_t seq = 1; seq <= 20; ++seq) f.store.cursor.move_to(seq, checkpoint(seq));
    f.store.cursor.rewind_to({kMade + std::chrono::seconds(1), 12, 3, {4, 7, 11}});
    CHECK(f.store.cursor.position().seq == 12);
    CHECK(f.store.cursor.position().deleted == 3);
    f.store.cursor.reload();
    CHECK(f.store.cursor.position().created == kMade + std::chrono::seconds(1));
    CHECK(f.store.cursor.position().holes == std::vector<std::uint64_t>{4, 7, 11});
    CHECK(f.store.cursor.checkpoints().newest() == checkpoint(12));
}

TEST_CASE("meta: what came to nothing was never said, and what stands is there after a restart") {
    const Folder folder;
    const std::string path = folder.file("a.db");
    {
        store::Store store(at(path), {});
        store.meta.set("epoch", 3);
        store.meta.set("db_id", "a");
        store.db().begin();
        store.meta.set("epoch", 4);
        store.meta.erase("db_id");
        store.rollback();
        CHECK(store.meta.number("epoch") == 3);
        CHECK(store.meta.text("db_id") == "a");
    }
    store::Store store(at(path), {});
    CHECK(store.meta.number("epoch") == 3);
    CHECK(store.meta.text("db_id") == "a");
}

TEST_CASE("meta: a value of another type is damage") {
    Fresh f;
    f.store.meta.set("epoch", "three");
    CHECK_THROWS_WITH_AS(f.store.meta.number("epoch"), "meta.epoch is of another type",
                         store::Broken);
    f.store.meta.set("db_id", 3);
    CHECK_THROWS_AS(f.store.meta.text("db_id"), store::Broken);
}

TEST_CASE("meta: a fact has one value") {
    Fresh f;
    CHECK(!f.store.meta.text("clean"));
    CHECK(f.store.meta.number("clean", 7) == 7);
    f.store.meta.set("clean", 1);
    f.store.meta.set("clean", 0);
    CHECK(f.store.meta.number("clean", 7) == 0);
    f.store.meta.erase("clean");
    CHECK(!f.store.meta.text("clean"));
}

TEST_CASE("attempts: counted for each item until it went well") {
    Fresh f;
    CHECK(f.store.attempts.add("a") == 1);
    CHECK(f.store.attempts.add("a") == 2);
    CHECK(f.store.attempts.times("a") == 2);
    CHECK(f.store.attempts.times("b") == 0);
    CHECK(f.store.attempts.add("b") == 1);
    f.store.attempts.erase("a");
    CHECK(f.store.attempts.add("a") == 1);
    f.store.attempts.clear();
    CHECK(f.store.attempts.add("b") == 1);
}

TEST_CASE("pruning: the oldest first, and a saga goes with all that was known of it") {
    Fresh f;
    core::SagaRow row{.id = "o1", .started = at_ms(1), .failures = {}, .ended_by = {}};
    f.store.sagas.insert(row, at_ms(1));
    f.store.journal.put(row.key, {.step = "cook", .run = {}, .event = id(1)});
    f.store.inbox.insert(row.key, id(2), "count", "Cooked");
    f.store.timers.insert({row.key, "cook", {}, 0}, at_ms(10));
    f.store.outbox.insert({.seq = f.store.outbox.next_seq(),
                           .id = id(3),
                           .saga = row.key,
                           .subject = "s",
                           .envelope = bytes("e")},
                          at_ms(1), 5);
    const auto events = f.store.pruning.events(0, 10);
    REQUIRE(events.size() == 1);
    CHECK(events[0].settled);
    f.store.pruning.erase_event(events[0].seq);
    CHECK(f.store.pruning.events(0, 10).empty());
    f.store.pruning.erase_saga(row.key);
    CHECK(f.store.sagas.find("o1").key == 0);
    CHECK(f.store.load("o1").steps.empty());
    CHECK(!f.store.inbox.has(row.key, id(2), "count"));
    CHECK(f.store.timers.count() == 0);
}
