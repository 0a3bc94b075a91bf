#include "saga/store/parked.hpp"

#include <doctest/doctest.h>

#include "saga/core/limits.hpp"
#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;
using core::Parking;

namespace {

core::ParkedRow park(store::Store& store, std::int64_t saga, Parking state,
                     std::optional<Time> next_at = {}) {
    core::ParkedRow row{.step = "cook", .event = id(1), .state = state};
    store.parked.insert(saga, row, nullptr, "the stove is cold", next_at);
    return row;
}

}  // namespace

TEST_CASE("parked: rows come back as they were, soonest first") {
    Fresh f;
    CHECK(!f.store.parked.any(1));
    auto first = park(f.store, 1, Parking::retry, at_ms(30));
    const auto second = park(f.store, 2, Parking::later, at_ms(10));
    park(f.store, 2, Parking::behind);
    CHECK(f.store.parked.any(1));
    CHECK(f.store.parked.next_due() == at_ms(10));
    CHECK(f.store.parked.due(at_ms(9), 10).empty());
    const auto due = f.store.parked.due(at_ms(30), 10);
    REQUIRE(due.size() == 2);
    CHECK(due[0] == std::pair<std::int64_t, std::int64_t>{2, second.position});

    first.state = Parking::dead;
    first.attempts = 8;
    f.store.parked.update(first, "", std::nullopt);
    const auto dead = f.store.parked.list({.dead_only = true}, 10);
    REQUIRE(dead.size() == 1);
    CHECK(dead[0].reason == "the stove is cold");
    CHECK(dead[0].row.attempts == 8);
    CHECK(!dead[0].next_at);
    CHECK(f.store.parked.count(true) == 1);
    CHECK(f.store.parked.count(false) == 3);
}

TEST_CASE("parked: a saga without rows is known as such at once") {
    Fresh f;
    const auto one = park(f.store, 1, Parking::retry);
    const auto two = park(f.store, 1, Parking::behind);
    f.store.parked.erase(1, one);
    CHECK(f.store.parked.any(1));
    f.store.parked.erase(1, two);
    CHECK(!f.store.parked.any(1));
    CHECK(f.store.parked.find(one.position).first == 0);
}

TEST_CASE("parked: a rollback takes back what is kept in memory, too") {
    Fresh f;
    park(f.store, 1, Parking::retry);
    f.store.rollback();
    CHECK(!f.store.parked.any(1));
}

TEST_CASE("parked: who waits for a lock is woken by itself, and an earlier look stays") {
    Fresh f;
    park(f.store, 1, Parking::locked, at_ms(500));
    park(f.store, 2, Parking::locked, at_ms(500));
    park(f.store, 3, Parking::retry, at_ms(500));
    park(f.store, 4, Parking::locked, at_ms(10));
    for (const std::int64_t position : {2, 3, 4}) f.store.parked.wake_locked(position, at_ms(20));
    const auto due = f.store.parked.due(at_ms(20), 10);
    REQUIRE(due.size() == 2);
    CHECK(due[0].first == 4);
    CHECK(due[1].first == 2);
}

TEST_CASE("aside: keeps the newest, and only so many") {
    Fresh f;
    for (int i = 0; i < core::kMaxAside + 5; ++i)
        f.store.aside.insert({.event_id = id(1),
                              .saga_id = "o" + std::to_string(i),
                              .step = {},
                              .reason = "junk",
                              .subject = "saga.x",
                              .message = bytes("?")},
                             at_ms(i));
    CHECK(f.store.aside.count() == core::kMaxAside);
    const auto rows = f.store.aside.list(0, "", core::kMaxAside);
    const auto has = [&](const std::string& saga) {
        return std::any_of(rows.begin(), rows.end(),
                           [&](const auto& row) { return row.saga_id == saga; });
    };
    CHECK(!has("o4"));
    CHECK(has("o5"));
    const auto row = f.store.aside.find(rows[0].position);
    REQUIRE(row);
    CHECK(row->reason == "junk");
    f.store.aside.erase(row->position);
    CHECK(!f.store.aside.find(row->position));
}

TEST_CASE("aside: a number that was skipped takes nobody's place") {
    Fresh f;
    const auto put = [&] {
        f.store.aside.insert({.event_id = id(1), .step = {}, .reason = "junk", .message = {}},
                             at_ms(1));
    };
    put();
    f.store.db().exec("UPDATE sqlite_sequence SET seq = 3 * 10000 WHERE name = 'aside'");
    put();
    CHECK(f.store.aside.count() == 2);
    f.store.aside.erase(1);
    f.store.rollback();
    CHECK(f.store.aside.count() == 0);
}

TEST_CASE("parked: listed page by page, and by saga") {
    Fresh f;
    for (int i = 0; i < 5; ++i) park(f.store, i % 2, Parking::retry);
    const auto first = f.store.parked.list({}, 3);
    REQUIRE(first.size() == 3);
    const auto rest = f.store.parked.list({.after = first.back().row.position}, 3);
    REQUIRE(rest.size() == 2);
    CHECK(rest.front().row.position == first.back().row.position + 1);
    CHECK(f.store.parked.list({.saga = 1}, 10).size() == 2);
    REQUIRE(f.store.parked.seen(first.front().row.position));
    CHECK(f.store.parked.seen(first.front().row.position)->reason == "the stove is cold");
    CHECK(!f.store.parked.seen(99));
}
