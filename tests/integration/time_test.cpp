// Deadlines over restarts, reactions of a new release, calls that are silent or interrupted.
#include <fmt/format.h>

#include <set>

#include "tests/integration/stage.hpp"

using namespace saga;
using namespace saga::testing;

namespace {

std::int64_t overdue(Landscape& l) {
    return l.granting->value("SELECT count(*) FROM outbox WHERE subject LIKE '%.Overdue.%'");
}

void count_granted(Tx& tx, const test::Granted&) {
    tx.exec("INSERT INTO seen VALUES ('Granted', 1) ON CONFLICT DO UPDATE SET times = times + 1");
}
void count_asked(Tx& tx, const test::Asked&) {
    tx.exec("INSERT INTO seen VALUES ('Asked', 1) ON CONFLICT DO UPDATE SET times = times + 1");
}
Service counting(bool asked_too) {
    Service service{"reader",
                    "CREATE TABLE seen (type TEXT PRIMARY KEY, times INTEGER NOT NULL) STRICT"};
    service.on(count_granted);
    if (asked_too) service.on(count_asked);
    return service;
}

}  // namespace

TEST_CASE("time: a deadline outlives the process, and fires once") {
    on_each_landscape([](Landscape& l) {
        l.auditing.reset();
        l.ask("t", 1);
        REQUIRE(l.drive_all([&] { return l.granting->value("SELECT count(*) FROM timers") == 1; }));
        l.granting->kill();
        l.start_granter();
        REQUIRE(l.drive_all([&] { return l.granting->ready(); }));
        CHECK(overdue(l) == 0);
        l.granting->clock().advance(2h);
        REQUIRE(l.drive_all([&] { return overdue(l) == 1; }));
        l.start_auditor();
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1 && l.at_rest(); }));
        CHECK(count_stream(l.broker).names.at("Overdue") == 1);
    });
}

TEST_CASE("time: what came while the service was down is read before a deadline fires") {
    on_each_landscape([](Landscape& l) {
        l.auditing.reset();
        l.ask("t", 1);
        REQUIRE(l.drive_all([&] {
            return l.granting->value("SELECT count(*) FROM outbox WHERE stream_seq > 0") == 1;
        }));
        l.granting.reset();
        l.start_auditor();
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1; }));
        l.start_granter();
        l.granting->clock().advance(2h);  // the deadline passed while it was down
        REQUIRE(l.drive_all([&] { return l.ready() && l.at_rest(); }));
        REQUIRE(l.drive_all([&] { return l.granting->value("SELECT count(*) FROM timers") == 0; }));
        CHECK(overdue(l) == 0);
    });
}

TEST_CASE("time: a new reaction reads what it missed before the service is ready") {
    on_each_landscape([](Landscape& l) {
        const std::string seen = "SELECT coalesce(sum(times), 0) FROM seen WHERE type = ";
        {
            Instance reading(counting(false), l.folder.path(), l.broker.url());
            std::vector<Instance*> all = l.all();
            all.push_back(&reading);
            for (int i = 0; i < 5; ++i) ask(l.broker, all, fmt::format("t{}", i), 1);
            REQUIRE(drive(all, [&] { return reading.value(seen + "'Granted'") == 5; }));
            reading.stop();
        }
        Instance newer(counting(true), l.folder.path(), l.broker.url());
        REQUIRE(drive({&newer}, [&] { return newer.ready(); }));
        CHECK(newer.value(seen + "'Asked'") == 5);
        CHECK(newer.value(seen + "'Granted'") == 5);
    });
}

TEST_CASE("time: a call is made under one key until it is answered, also after a crash") {
    on_each_server([](const std::string& binary) {
        std::set<std::string> keys;
        int attempts = 0;
        const runtime::Ask outside = [&](auto, auto, std::string_view key, auto) {
            keys.emplace(key);
            if (++attempts < 4) throw Error("nobody answers");
            return detail::pack(test::Answer{.verdict = "sound"});
        };
        Landscape l(binary, calling_auditor(), {.ask = outside});
        l.ask("t", 1);
        REQUIRE(l.drive_all([&] { return attempts == 2; }));
        l.auditing->kill();
        l.start_auditor();
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1 && l.at_rest(); }));
        CHECK(attempts >= 4);
        CHECK(keys.size() == 1);
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == 1);
    });
}

namespace {

/// A granter whose patience is short, and nobody who checks.
void impatient(Landscape& l, std::size_t batch) {
    l.auditing->stop();
    l.auditing.reset();
    l.granting->stop();
    l.granting.emplace(granter(200ms), l.folder.path(), l.broker.url(),
                       Instance::Options{.worker = {.executor = {}, .batch = batch}});
    REQUIRE(l.drive_all([&] { return l.granting->ready(); }));
}

std::int64_t overdue(Landscape& l, const std::string& saga) {
    return l.granting->value(
        "SELECT count(*) FROM outbox JOIN sagas ON sagas.saga = outbox.saga "
        "WHERE subject LIKE '%.Overdue.%' AND sagas.id = '" +
        saga + "'");
}

std::int64_t timers(Landscape& l) {
    return l.granting->value("SELECT count(*) FROM timers");
}

/// A ticket whose deadline has passed while the granter did not look.
void ask_and_wait(Landscape& l, const std::string& ticket) {
    l.ask(ticket, 0);
    REQUIRE(l.drive_all([&] { return timers(l) == 1; }));
    const auto due = l.granting->store().timers.next_due();
    REQUIRE(due.has_value());
    CHECK(eventually([&] { return std::chrono::system_clock::now() > *due; }));
}

}  // namespace

TEST_CASE("time: what is read in the round in which its deadline falls due has come in time") {
    on_each_landscape([](Landscape& l) {
        impatient(l, core::kBatch);
        ask_and_wait(l, "t");
        l.start_auditor();
        REQUIRE(drive({&*l.asking, &*l.auditing}, [&] { return ended(*l.asking) == 1; }));
        REQUIRE(l.drive_all([&] { return l.at_rest() && timers(l) == 0; }));
        CHECK(overdue(l, "t") == 0);
    });
}

TEST_CASE("time: a deadline that an earlier message has passed goes before what it waited for") {
    on_each_landscape([](Landscape& l) {
        impatient(l, 1);
        ask_and_wait(l, "t");
        ask(l.broker, {&*l.asking}, "later", 0);
        l.start_auditor();
        REQUIRE(drive({&*l.asking, &*l.auditing}, [&] { return ended(*l.asking) == 1; }));
        REQUIRE(
            l.drive_all([&] { return ended(*l.asking) == 2 && l.at_rest() && timers(l) == 0; }));
        CHECK(overdue(l, "t") == 1);
        CHECK(ends(l.broker).at("t") == "Closed");
    });
}

TEST_CASE("time: a deadline that races what it waits for fires before it, or never") {
    on_each_landscape([](Landscape& l) {
        impatient(l, core::kBatch);
        l.start_auditor();
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        int fired = 0;
        for (int i = 0; i < 20; ++i) {
            const std::string ticket = fmt::format("t{}", i);
            ask(l.broker, {&*l.asking, &*l.granting}, ticket, 0);
            const std::vector<Instance*> two{&*l.asking, &*l.granting};
            REQUIRE(drive(two, [&] { return timers(l) == 1; }));
            const Time due = *l.granting->store().timers.next_due() + (i - 12) * 1ms;
            REQUIRE(drive(two, [&] { return std::chrono::system_clock::now() >= due; }));
            bool heard = false, late = false;
            REQUIRE(l.drive_all([&] {
                const bool now = l.granting->value("SELECT count(*) FROM inbox") == i + 1;
                late = late || (heard && timers(l) != 0);
                if (now && !heard) fired += static_cast<int>(overdue(l, ticket));
                heard = heard || now;
                return ended(*l.asking) == i + 1 && l.at_rest() && heard;
            }));
            CHECK(!late);
            CHECK(overdue(l, ticket) <= 1);
        }
        CHECK(overdue(l) == fired);  // none of them after what it waited for
        CHECK(timers(l) == 0);
        MESSAGE(fired << " of 20 deadlines came first");
    });
}
