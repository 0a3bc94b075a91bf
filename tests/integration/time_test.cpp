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
