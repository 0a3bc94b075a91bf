#include "saga/store/pending.hpp"

#include <doctest/doctest.h>

#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;
using core::Part;

TEST_CASE("timers: fall due in order, one for each step, run and place") {
    Fresh f;
    f.store.timers.insert({1, "cook", {}, 0}, at_ms(20));
    f.store.timers.insert({1, "cook", {}, 1}, at_ms(10));
    f.store.timers.insert({2, "cook", id(7), 0}, at_ms(30));
    CHECK(f.store.timers.next_due() == at_ms(10));
    CHECK(f.store.timers.due(at_ms(9), 10).empty());
    const auto due = f.store.timers.due(at_ms(25), 10);
    REQUIRE(due.size() == 2);
    CHECK(due[0].nth == 1);
    CHECK(due[1].nth == 0);
    f.store.timers.erase(due[0]);
    CHECK(f.store.timers.of(1).size() == 1);
    f.store.timers.erase_all(1);
    CHECK(f.store.timers.of(1).empty());
    REQUIRE(f.store.timers.of(2).size() == 1);
    CHECK(f.store.timers.of(2)[0].run == id(7));
    CHECK(f.store.timers.count() == 1);
}

TEST_CASE("calls: one for each part of a step's run; a dead one is never due") {
    Fresh f;
    const std::int64_t call = f.store.calls.insert(
        {.saga = 1, .step = "take", .run = {}, .part = Part::step, .question = bytes("charge")},
        at_ms(5));
    CHECK(!f.store.calls.find(1, "take", {}, Part::undo));
    const auto found = f.store.calls.find(1, "take", {}, Part::step);
    REQUIRE(found);
    CHECK(found->call == call);
    CHECK(text(found->question) == "charge");
    CHECK(f.store.calls.next_due() == at_ms(5));
    f.store.calls.update(call, 3, at_ms(50), "no answer");
    CHECK(f.store.calls.due(at_ms(49), 10).empty());
    CHECK(f.store.calls.due(at_ms(50), 10) == std::vector{call});
    CHECK(f.store.calls.find(call)->attempts == 3);
    REQUIRE(f.store.calls.of(1).size() == 1);
    CHECK(f.store.calls.of(1)[0].next_at == at_ms(50));
    f.store.calls.update(call, 4, std::nullopt, "no answer");
    CHECK(!f.store.calls.of(1)[0].next_at);
    CHECK(f.store.calls.of(1)[0].reason == "no answer");
    CHECK(!f.store.calls.next_due());
    CHECK(f.store.calls.count() == 1);
    f.store.calls.erase(call);
    CHECK(!f.store.calls.find(call));
}

TEST_CASE("locks: held by one saga until it lets go") {
    Fresh f;
    CHECK(f.store.locks.none());
    f.store.locks.take("tea", 1);
    f.store.locks.take("tea", 1);
    CHECK(!f.store.locks.none());
    CHECK(f.store.locks.before("tea", 1).saga == 0);
    CHECK(f.store.locks.before("tea", 2).saga == 1);
    CHECK(f.store.locks.before("jam", 2).saga == 0);
    CHECK(f.store.locks.release(2).empty());
    CHECK(f.store.locks.release(1) == std::vector<std::string>{"tea"});
    CHECK(f.store.locks.none());
    f.store.locks.take("tea", 1);
    f.store.locks.queue(7, 2, std::vector<std::string>{"tea"});
    f.store.rollback();
    CHECK(f.store.locks.none());
    CHECK(f.store.locks.waiting() == 0);
}

TEST_CASE("locks: whoever waits keeps out who asks later, but no holder") {
    Fresh f;
    f.store.locks.queue(7, 2, std::vector<std::string>{"tea", "jam"});
    f.store.locks.queue(8, 3, std::vector<std::string>{"tea"});
    f.store.locks.take("rum", 4);
    CHECK(f.store.locks.waiting() == 3);
    CHECK(f.store.locks.before("tea", 2).saga == 0);
    CHECK(f.store.locks.before("tea", 3).saga == 2);
    CHECK(!f.store.locks.before("tea", 3).holds);
    CHECK(f.store.locks.before("tea", 4).saga == 0);
    CHECK(f.store.locks.next("tea") == 7);
    f.store.locks.take("tea", 3);
    CHECK(f.store.locks.next("tea") == 8);
    f.store.locks.take("jam", 4);
    CHECK(f.store.locks.next("jam") == 0);
    CHECK(f.store.locks.leave(7) == std::vector<std::string>{"jam", "tea"});
    CHECK(f.store.locks.leave(7).empty());
    CHECK(f.store.locks.waiting() == 1);
}

TEST_CASE("locks: a saga waits for whom it waits for waits for") {
    Fresh f;
    f.store.locks.take("tea", 1);
    f.store.locks.take("jam", 2);
    f.store.locks.take("rum", 3);
    f.store.locks.queue(7, 1, std::vector<std::string>{"jam"});
    f.store.locks.queue(8, 2, std::vector<std::string>{"rum"});
    CHECK(f.store.locks.waits_for(1, 2));
    CHECK(f.store.locks.waits_for(1, 3));
    CHECK(!f.store.locks.waits_for(3, 1));
    CHECK(!f.store.locks.waits_for(1, 1));
    f.store.locks.queue(9, 3, std::vector<std::string>{"tea"});
    CHECK(f.store.locks.waits_for(3, 2));
    CHECK(!f.store.locks.waits_for(3, 4));
}
