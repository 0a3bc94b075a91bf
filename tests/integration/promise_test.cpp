// What a reviewer broke: faults after faults, new builds over old rows, locks that many want.
#include <fmt/format.h>
#include <signal.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "saga/bus/topology.hpp"
#include "saga/core/subject.hpp"
#include "tests/integration/process.hpp"
#include "tests/integration/stage.hpp"

using namespace saga;
using namespace saga::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

// As the landscape's own: a script that ran is never edited.
constexpr auto kGrants = R"sql(
    CREATE TABLE grants (
        ticket TEXT PRIMARY KEY,
        amount INTEGER NOT NULL
    ) STRICT;
)sql";
constexpr auto kChecks = "CREATE TABLE checks (ticket TEXT PRIMARY KEY, verdict TEXT) STRICT";

bool healthy = true;

json say(Landscape& l, const std::string& service, const std::string& verb, const json& body) {
    return json::parse(
        request(l.broker, l.all(), fmt::format("saga-ctl.{}.{}", service, verb), body.dump()));
}

void wipe(Landscape& l) {
    l.broker.kill();
    l.broker.wipe();
    l.broker.start();
    l.broker.bootstrap();
    for (Instance* each : l.all()) each->turn();
}

Time now() {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::string refusal(Landscape& l, Instance::Options options) {
    l.granting.emplace(granter(), l.folder.path(), l.broker.url(), std::move(options));
    REQUIRE(l.drive_all([&] { return !l.granting->running() || l.granting->ready(); }));
    return l.granting->failure();
}

}  // namespace

TEST_CASE("promise: what a rebuilt service once published is published again when it is lost") {
    on_each_landscape([](Landscape& l) {
        for (int i = 0; i < 3; ++i) l.ask(fmt::format("t{}", i), 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 3 && l.at_rest(); }));
        l.granting->stop();
        for (const char* tail : {"", "-wal", "-shm"}) fs::remove(l.file("granter") + tail);
        l.granting.emplace(granter(), l.folder.path(), l.broker.url(),
                           Instance::Options{.rebuild = true});
        REQUIRE(l.drive_all([&] { return l.at_rest(); }));
        const Counted was = count_stream(l.broker);
        wipe(l);
        CHECK(l.drive_all([&] { return l.ready() && l.at_rest(); }, 15s));
        CHECK(count_stream(l.broker).ids == was.ids);
    });
}

TEST_CASE("promise: a new build that refuses a trimmed stream refuses it at each start") {
    on_each_landscape([](Landscape& l) {
        for (int i = 0; i < 2; ++i) l.ask(fmt::format("gone{}", i), 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 2 && l.at_rest(); }));
        auto config = json::parse(bus::assets(1, 0).front().config);
        auto shorter = config;
        shorter.update({{"max_age", 100'000'000}, {"duplicate_window", 100'000'000}});
        api(l.broker, "STREAM.UPDATE.SAGA", shorter.dump());
        REQUIRE(eventually([&] {
            return json::parse(api(l.broker, "STREAM.INFO.SAGA", ""))["state"]["messages"] == 0;
        }));
        api(l.broker, "STREAM.UPDATE.SAGA", config.dump());
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        l.ask("left", 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 3 && l.at_rest(); }));
        l.granting->stop();
        for (const char* tail : {"", "-wal", "-shm"}) fs::remove(l.file("granter") + tail);
        CHECK(refusal(l, {.rebuild = true}).find("no longer holds its first") != std::string::npos);
        CHECK(refusal(l, {}).find("another database") != std::string::npos);
        CHECK(refusal(l, {}).find("another database") != std::string::npos);
    });
}

namespace {
Outcome<test::Granted, test::Denied> grant_locked(Tx& tx, const test::Asked& asked) {
    tx.lock({"the pot"});
    tx.exec("INSERT INTO grants VALUES (?1, ?2)", asked.ticket, asked.amount);
    return test::Granted{.ticket = asked.ticket, .amount = asked.amount};
}
test::Revoked take_back(Tx& tx, const test::Granted& granted) {
    tx.exec("DELETE FROM grants WHERE ticket = ?1 AND amount = ?2", granted.ticket, granted.amount);
    return {.ticket = granted.ticket};
}
}  // namespace

TEST_CASE("promise: a lock that many sagas want is had by each in turn") {
    on_each_landscape([](Landscape& l) {
        l.granting->stop();
        Service service{"granter", kGrants};
        service.step("grant", grant_locked).undo(take_back);
        l.granting.emplace(std::move(service), l.folder.path(), l.broker.url(),
                           Instance::Options{});
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        l.auditing.reset();
        for (int i = 0; i < 60; ++i) l.ask(fmt::format("t{}", i), 1);
        l.start_auditor();
        REQUIRE(l.drive_all([&] {
            return ended(*l.asking) == 60 ||
                   l.granting->value("SELECT count(*) FROM parked WHERE state = 6") > 0;
        }));
        CHECK(l.granting->value("SELECT count(*) FROM parked WHERE state = 6") == 0);
        CHECK(ended(*l.asking) == 60);
    });
}

TEST_CASE("promise: an operator's retry does not make a spoofed event a true one") {
    on_each_landscape([](Landscape& l) {
        const auto payload = detail::pack(test::Asked{.ticket = "stolen", .amount = 1});
        const auto bytes = core::encode({.id = any_id(9),
                                         .type = "test.asker.Asked",
                                         .saga = "stolen",
                                         .started = now(),
                                         .source = "asker",
                                         .time = now(),
                                         .step = "ask",
                                         .payload = payload});
        // Who may publish under "mallory" only.
        inject(l.broker, core::event_subject("mallory", Kind::failed, "Nope", "stolen", false),
               bytes);
        REQUIRE(l.drive_all([&] { return l.granting->store().aside.count() == 1; }));
        CHECK(say(l, "granter", "retry", {{"id", "aside-1"}}).contains("accepted"));
        REQUIRE(l.drive_all([&] {
            return l.granting->value("SELECT count(*) FROM aside WHERE position = 1") == 0;
        }));
        CHECK(l.granting->value("SELECT count(*) FROM grants") == 0);
        CHECK(l.granting->store().aside.count() == 1);
    });
}

namespace {
Outcome<test::Granted, test::Denied> grant(Tx& tx, const test::Asked& asked) {
    tx.exec("INSERT INTO grants VALUES (?1, ?2)", asked.ticket, asked.amount);
    return test::Granted{.ticket = asked.ticket, .amount = asked.amount};
}
test::Overdue never(Tx&, const test::Granted&) {
    throw Error("out of order");
}
}  // namespace

TEST_CASE("promise: an operator's word is for the timer that was named") {
    on_each_landscape([](Landscape& l) {
        l.granting->stop();
        l.auditing.reset();
        const auto start = [&] {
            Service service{"granter", kGrants};
            service.step("grant", grant)
                .undo(take_back)
                .expect<test::Checked>(1h, never)
                .expect<test::Rejected>(1h, never);
            l.granting.emplace(std::move(service), l.folder.path(), l.broker.url(),
                               Instance::Options{});
        };
        start();
        l.ask("t", 1);
        REQUIRE(l.drive_all([&] { return l.granting->value("SELECT count(*) FROM timers") == 2; }));
        l.granting->clock().advance(2h);
        REQUIRE(l.drive_all([&] { return l.granting->value("SELECT count(*) FROM parked") == 2; }));
        l.granting->store().db().exec("UPDATE parked SET attempts = 13, next_at = 1");
        l.granting->kill();
        start();
        REQUIRE(l.drive_all(
            [&] { return l.granting->value("SELECT count(*) FROM parked WHERE state = 6") == 2; }));
        const auto second = l.granting->value("SELECT max(position) FROM parked");
        CHECK(say(l, "granter", "skip", {{"id", std::to_string(second)}}).contains("accepted"));
        REQUIRE(l.drive_all([&] { return l.granting->value("SELECT count(*) FROM parked") == 1; }));
        CHECK(l.granting->value("SELECT position FROM parked") < second);
    });
}

namespace {
test::Question question(const View&, const test::Granted& granted) {
    return {.ticket = granted.ticket};
}
test::Answer perform(const Call& call, const test::Question& question) {
    return call.request<test::Answer>("test.check", question);
}
Outcome<test::Checked, test::Rejected> judge(Tx&, const test::Granted& granted,
                                             const test::Answer&) {
    return test::Checked{.ticket = granted.ticket};
}
std::vector<std::byte> outside(std::string_view, Bytes, std::string_view, auto) {
    if (!healthy) throw Error("nobody answers");
    return detail::pack(test::Answer{.verdict = "sound"});
}
}  // namespace

TEST_CASE("promise: calls of a step that this build has not keep no others waiting") {
    on_each_server([](const std::string& binary) {
        healthy = false;
        const Instance::Options options{
            .ask = [](auto a, auto b, auto c, auto d) { return outside(a, b, c, d); }};
        Landscape l(binary, calling_auditor(), options);
        for (int i = 0; i < 20; ++i) l.ask(fmt::format("old{}", i), 1);
        REQUIRE(l.drive_all([&] { return l.auditing->value("SELECT count(*) FROM calls") == 20; }));
        l.auditing->store().db().exec("UPDATE calls SET next_at = 1");
        l.auditing->kill();
        healthy = true;
        Service newer{"auditor", kChecks};
        newer.step("verify", call(question, perform, judge)).pivot();
        l.auditing.emplace(std::move(newer), l.folder.path(), l.broker.url(), options);
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        l.ask("new", 1);
        CHECK(l.drive_all([&] { return ended(*l.asking) == 1; }, 5s));
    });
}

TEST_CASE("promise: what a removed step did is not forgotten when its saga fails") {
    on_each_landscape([](Landscape& l) {
        l.auditing.reset();
        l.ask("t", 13);
        REQUIRE(l.drive_all([&] { return l.granting->value("SELECT count(*) FROM grants") == 1; }));
        l.granting->stop();
        Service newer{"granter", kGrants};
        newer.step("give", grant).undo(take_back);
        l.granting.emplace(std::move(newer), l.folder.path(), l.broker.url(), Instance::Options{});
        l.start_auditor();
        REQUIRE(l.drive_all([&] {
            return l.granting->value("SELECT count(*) FROM sagas WHERE failed_by = 'Rejected'") ==
                   1;
        }));
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1; }));
        // Undone, or in every view.
        const auto undone = l.granting->value("SELECT count(*) = 0 FROM grants");
        const auto seen = l.granting->value(
            "SELECT (SELECT count(*) FROM parked WHERE state = 6) + (SELECT count(*) FROM aside)");
        CHECK(undone + seen == 1);
    });
}

namespace {
Outcome<test::Overdue, test::Denied> grant_old(Tx& tx, const test::Asked& asked) {
    tx.exec("INSERT INTO grants VALUES (?1, ?2)", asked.ticket, asked.amount);
    return test::Overdue{.ticket = asked.ticket};
}
test::Revoked revoke_old(Tx& tx, const test::Overdue& overdue) {
    tx.exec("DELETE FROM grants WHERE ticket = ?1", overdue.ticket);
    return {.ticket = overdue.ticket};
}
}  // namespace

TEST_CASE("promise: an undo is never given another event than its step returned") {
    on_each_landscape([](Landscape& l) {
        l.granting->stop();
        Service older{"granter", kGrants};
        older.step("grant", grant_old).undo(revoke_old);
        l.granting.emplace(std::move(older), l.folder.path(), l.broker.url(), Instance::Options{});
        l.ask("t", 5);
        REQUIRE(l.drive_all([&] { return l.granting->value("SELECT count(*) FROM grants") == 1; }));
        l.granting->stop();
        Service newer{"granter", kGrants};
        newer.step("grant", grant).undo(take_back);
        l.granting.emplace(std::move(newer), l.folder.path(), l.broker.url(), Instance::Options{});
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        const auto payload = detail::pack(test::Rejected{.ticket = "t"});
        inject(l.broker, {.id = any_id(8),
                          .type = "test.auditor.Rejected",
                          .saga = "t",
                          .started = now(),
                          .source = "auditor",
                          .time = now(),
                          .kind = Kind::failed,
                          .step = "check",
                          .because = "Rejected",
                          .payload = payload});
        REQUIRE(l.drive_all([&] {
            return l.granting->value(
                       "SELECT count(*) FROM journal WHERE state IN (5, 6, 7, 4, 3) "
                       "AND step = 'grant'") == 1;
        }));
        // It did not say that it took back what it did not.
        const bool says_undone =
            l.granting->value("SELECT count(*) FROM outbox WHERE subject LIKE '%.Revoked.%'") == 1;
        CHECK_FALSE(says_undone);
    });
}

TEST_CASE("promise: an event stays in the outbox for its horizon after it reached the stream") {
    on_each_server([](const std::string& binary) {
        Landscape l(binary, auditor(), {.horizons = {.outbox = 1h}});
        l.auditing.reset();
        l.ask("t", 1);
        REQUIRE(l.drive_all([&] { return l.granting->value("SELECT count(*) FROM grants") == 1; }));
        REQUIRE(l.drive_all([&] { return l.asking->ready() && l.granting->ready(); }));
        l.start_auditor();
        REQUIRE(eventually([&] {
            l.auditing->turn();
            return l.auditing->value("SELECT count(*) FROM outbox WHERE stream_seq IS NULL") == 1;
        }));
        l.broker.kill();  // just before it was published, or read back
        l.auditing->clock().advance(2h);
        l.broker.start();
        REQUIRE(l.drive_all([&] { return l.ready() && ended(*l.asking) == 1 && l.at_rest(); }));
        l.auditing->clock().advance(20s);
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        for (int i = 0; i < 50; ++i)
            for (Instance* each : l.all()) each->turn();
        CHECK(l.auditing->value("SELECT count(*) FROM outbox WHERE subject LIKE 'saga.%'") == 1);
    });
}

TEST_CASE("promise: a saga from the future keeps no others from being pruned") {
    on_each_server([](const std::string& binary) {
        Landscape l(binary, auditor(), {.horizons = {.journal = 1s, .outbox = 1s}});
        const auto payload = detail::pack(test::Denied{.ticket = "future"});
        inject(l.broker, {.id = any_id(8),
                          .type = "test.mallory.Nope",
                          .saga = "future",
                          .started = now() + std::chrono::hours(24 * 365),
                          .source = "mallory",
                          .time = now(),
                          .kind = Kind::failed,
                          .step = "x",
                          .because = "Nope",
                          .payload = payload});
        REQUIRE(l.drive_all([&] { return l.auditing->value("SELECT count(*) FROM sagas") >= 1; }));
        for (int i = 0; i < 3; ++i) l.ask(fmt::format("t{}", i), 1);
        REQUIRE(l.drive_all([&] {
            return l.auditing->value("SELECT count(*) FROM sagas WHERE ended_by = 'Closed'") == 3;
        }));
        l.auditing->clock().advance(60s);
        CHECK(l.drive_all(
            [&] {
                return l.auditing->value("SELECT count(*) FROM sagas WHERE ended_by = 'Closed'") ==
                       0;
            },
            8s));
    });
}

TEST_CASE("promise: a call that kills the process each time waits for an operator in the end") {
    on_each_landscape([](Landscape& l) {
        l.auditing->stop();
        l.auditing.reset();
        l.ask("t", 1);
        int deaths = 0;
        bool alive = false;
        for (; deaths < 8 && !alive; ++deaths) {
            Process process{"integration-victim",
                            {"--data", l.folder.path().string(), "--server", l.broker.url()},
                            l.folder / "victim.log",
                            {"VICTIM=deadly"}};
            alive = !l.drive_all([&] { return !process.running(); }, 3s);
            if (alive) {
                process.signal(SIGTERM);
                process.wait();
            }
        }
        CHECK(alive);
    });
}
