#include "saga/store/recent.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;

namespace {

core::SagaState state_of(std::int64_t key) {
    return {.row = {.key = key,
                    .id = fmt::format("a saga with a long name {}", key),
                    .started = {},
                    .failures = {},
                    .ended_by = {}},
            .steps = {},
            .arrived = {},
            .parked = {}};
}
std::string name(std::int64_t key) {
    return state_of(key).row.id;
}

}  // namespace

TEST_CASE("recent: who takes a saga has it alone, by its key or by its id") {
    store::Recent recent(8);
    recent.put(state_of(1));
    recent.put(state_of(2));
    CHECK(recent.take(name(1))->row.key == 1);
    CHECK(!recent.take(name(1)));
    CHECK(!recent.take(1));
    CHECK(recent.take(2)->row.id == name(2));
    CHECK(!recent.take(name(2)));
    recent.put(state_of(2));
    core::SagaState changed = state_of(2);
    changed.row.ended_by = "Closed";
    recent.put(std::move(changed));
    CHECK(recent.take(2)->row.ended_by == "Closed");
    CHECK(!recent.take(2));
}

TEST_CASE("recent: two sagas in one place are not mixed up, and the later one has it") {
    store::Recent recent(8);
    std::size_t known = 0;
    for (std::int64_t key = 1; key <= 1'000; ++key) {
        recent.put(state_of(key));
        const std::int64_t before = key - 5;
        if (const auto found = recent.take(before)) {
            CHECK(found->row.id == name(before));
            ++known;
        }
        if (const auto found = recent.take(name(key - 3))) {
            CHECK(found->row.key == key - 3);
            ++known;
        }
    }
    CHECK(known > 100);
    recent.put(state_of(1));
    recent.clear();
    CHECK(!recent.take(1));
    CHECK(!recent.take(name(1)));
}

TEST_CASE("store: what it keeps of a saga is what the tables have, also after a rollback") {
    Fresh f;
    f.store.db().commit();
    f.store.db().begin();
    core::SagaState state = f.store.load("o1");
    f.store.sagas.insert(state.row, at_ms(1));
    f.store.keep(state);
    CHECK(f.store.load("o1").row.key == state.row.key);
    f.store.keep(state);
    f.store.rollback();
    CHECK(f.store.load("o1").row.key == 0);

    f.store.sagas.insert(state.row, at_ms(1));
    f.store.keep(state);
    CHECK(f.store.load(state.row.key).row.id == "o1");
    state.row.ended_by = "Closed";
    f.store.sagas.mark(state.row, at_ms(2));
    CHECK(f.store.load("o1").row.ended_by == "Closed");
    core::SagaState waiting = f.store.load("o1");
    waiting.parked.push_back({.position = 1, .step = "take", .run = {}, .event = {}});
    f.store.keep(waiting);  // what waits is read anew
    CHECK(f.store.load("o1").parked.empty());
}

TEST_CASE("store: what has many rows is not kept in memory") {
    Fresh f;
    core::SagaState state = f.store.load("o1");
    f.store.sagas.insert(state.row, at_ms(1));
    state.steps.resize(core::kRecentRows);
    f.store.keep(state);
    CHECK(f.store.load("o1").steps.size() == core::kRecentRows);
    state.steps.resize(core::kRecentRows + 1);
    f.store.keep(state);
    CHECK(f.store.load("o1").steps.empty());  // the tables have none
}

TEST_CASE("store: a saga that is loaded by its key is changed in one place alone") {
    Fresh f;
    const auto many = static_cast<std::int64_t>(core::kRecentSagas) * 3;
    for (std::int64_t i = 0; i < many; ++i) {
        core::SagaState state = f.store.load(fmt::format("s{}", i));
        f.store.sagas.insert(state.row, at_ms(1));
        f.store.keep(state);
    }
    for (std::int64_t key = 1; key <= many; ++key) {
        core::SagaState state = f.store.load(key);
        state.row.ended_by = "Closed";
        f.store.sagas.mark(state.row, at_ms(2));  // and is not kept
    }
    std::int64_t ended = 0;
    for (std::int64_t i = 0; i < many; ++i)
        ended += f.store.load(fmt::format("s{}", i)).row.ended_by == "Closed";
    CHECK(ended == many);
}
