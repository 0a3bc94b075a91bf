// The observer as a process, beside services at work: what it answers, and that the tool tells the
// same with it and without it.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>
#include <cstdlib>

#include "saga/bus/nats_client.hpp"
#include "saga/store/statement.hpp"
#include "tests/cli/town.hpp"

using namespace saga;
using namespace saga::testing;
using nlohmann::json;

namespace {

std::string observer_program() {
    const char* path = std::getenv("SAGA_OBSERVER");
    REQUIRE_MESSAGE(path != nullptr, "run this test with meson, which says where the observer is");
    return path;
}

Program::Launch observer_on(const Town& town, const std::string& name,
                            const std::vector<std::string>& more = {}) {
    std::vector<std::string> args{"--data", town.folder / name};
    args.insert(args.end(), more.begin(), more.end());
    return {.path = observer_program(),
            .args = args,
            .env = plain_env(town.folder.path(), town.broker.url())};
}

/// With all that stands in the stream now read.
void await(Town& town, Program& observer) {
    const auto level = [&] {
        if (!has(observer.ran().err, " info ready")) return false;
        const auto head = town.request("$JS.API.STREAM.INFO.SAGA", "")["state"]["last_seq"];
        try {
            return town.request("saga-ctl.observer.state", "").value("cursor", json()) == head;
        } catch (const bus::NoAnswer&) {
            return false;  // it has lost the broker, and is not back
        }
    };
    const bool met = eventually(level);
    INFO(observer.ran().err);
    REQUIRE(met);
}

/// How often the verb was answered, and refused.
std::pair<int, int> asked(Town& town, const std::string& verb) {
    const json stats = town.request("$SRV.STATS.observer", "");
    for (const json& each : stats["endpoints"])
        if (each["name"] == verb) return {each["num_requests"], each["num_errors"]};
    return {-1, -1};
}

/// Without what depends on when it is asked.
json timeless(json told) {
    for (json& wait : told["waits"]) wait.erase("seconds");
    return told;
}

const std::vector<std::string> kSagas{"good", "unlucky", "hopeless", "jam", "open"};

/// What the tool says of the town's sagas.
json told(Town& town) {
    json all;
    for (const std::string& saga : kSagas) {
        all["trace"][saga] = timeless(town.json({"trace", saga}));
        all["show"][saga] = timeless(town.json({"show", saga}));
        all["code"][saga] = town.saga({"show", saga}).code;
    }
    for (const char* saga : {"good", "unlucky"}) {
        all["text"][saga] = town.saga({"trace", saga, "--verbose", "--wide"}).out;
        all["wait"][saga] = town.saga({"wait", saga}).out;
    }
    all["ls"] = town.json({"ls"});
    for (const char* status : {"running", "completed", "undoing", "undone", "failed", "stuck"})
        all[status] = town.json({"ls", "--status", status, "--limit", "0"});
    all["latest"] = town.json({"ls", "--limit", "2"});
    const Ran listed = town.saga({"ls", "--limit", "1"});
    all["counts"] = listed.err;
    return all;
}

void exec(Instance& instance, const std::string& sql) {
    store::Statement(instance.store().db(), sql).exec();
}

/// One saga of each end: completed, undone, stuck, one whose undo failed, and one that goes on.
void fill(Town& town) {
    town.ask("good", 50);
    town.ask("unlucky", 13);
    town.make_dead("hopeless");
    exec(*town.granting,
         "CREATE TRIGGER jam BEFORE DELETE ON grants WHEN old.ticket = 'jam' BEGIN "
         "SELECT RAISE(ABORT, 'jammed'); END");
    town.ask("jam", 13);
    REQUIRE(
        town.drive_all([&] { return town.granting->value("SELECT count(*) FROM parked") == 2; }));
    exec(*town.granting, "UPDATE parked SET attempts = 1000");
    REQUIRE(town.drive_all(
        [&] { return json::parse(town.granting->node().state_json()).value("dead", 0) == 2; }));
    REQUIRE(town.drive_all(
        [&] { return town.asking->value("SELECT count(*) FROM sagas WHERE ended_by = ''") == 1; }));
    town.auditing->stop();
    town.auditing.reset();
    town.ask("open", 1);
    REQUIRE(town.drive_all([&] {
        return town.granting->value(
                   "SELECT count(*) FROM journal WHERE saga = (SELECT saga FROM "
                   "sagas WHERE id = 'open')") == 1 &&
               town.granting->value("SELECT count(*) FROM outbox WHERE stream_seq IS NULL") == 0 &&
               town.asking->value("SELECT count(*) FROM outbox WHERE stream_seq IS NULL") == 0;
    }));
}

}  // namespace

TEST_CASE("observer: the tool tells the same with it and without it, of every end") {
    in_each_town([](Town& town) {
        fill(town);
        const json stream = told(town);
        CHECK(stream["trace"]["good"]["state"] == "completed");
        CHECK(stream["trace"]["unlucky"]["state"] == "undone");
        CHECK(stream["trace"]["hopeless"]["state"] == "stuck");
        CHECK(stream["trace"]["jam"]["state"] == "undo failed");
        CHECK(stream["trace"]["open"]["state"] == "running");

        Program observer(observer_on(town, "observer"));
        await(town, observer);
        const json observed = told(town);
        for (const auto& said : stream.items()) {
            const std::string& what = said.key();
            CAPTURE(what);
            CHECK(observed[what].dump(1) == said.value().dump(1));
        }
        CHECK(asked(town, "events").first >= static_cast<int>(3 * kSagas.size()));
        CHECK(asked(town, "ls").first == 9);
        CHECK(asked(town, "events").second == 0);
        CHECK(asked(town, "ls").second == 0);

        for (const std::string& saga : kSagas) {
            CAPTURE(saga);
            json answer = town.request("saga-ctl.observer.trace", saga);
            CHECK(timeless(answer) == stream["trace"][saga]);
            CHECK(timeless(town.request("saga-ctl.observer.show", saga)) == stream["show"][saga]);
        }
        const json listed = town.request("saga-ctl.observer.ls", R"({"status": "stuck"})");
        REQUIRE(listed["sagas"].size() == 1);
        CHECK(listed["sagas"][0]["saga"] == "hopeless");
        CHECK(listed["counts"]["completed"] == 1);
        CHECK(town.request("saga-ctl.observer.trace", "nobody")["refused"]["code"] == "unknown");
        CHECK(town.saga({"show", "nobody"}).code == 3);
        CHECK(town.json({"services", "observer"})[0]["ready"] == true);
        observer.signal(SIGSTOP);  // silence is no answer: the stream has it
        CHECK(timeless(town.json({"show", "jam"})) == stream["show"]["jam"]);
        observer.signal(SIGCONT);
        observer.signal(SIGTERM);
        REQUIRE(eventually([&] { return observer.ended(); }));
        CHECK(observer.ran().code == 0);
        CHECK(told(town)["ls"] == stream["ls"]);
    });
}

TEST_CASE("observer: a question that is none is refused, whatever it is made of") {
    in_each_town([](Town& town) {
        town.ask("good", 50);
        Program observer(observer_on(town, "observer"));
        await(town, observer);
        for (const char* verb : {"trace", "show", "events"})
            for (const char* body : {"\xff", "no saga", "", "{}", R"({"saga": 7})"}) {
                CAPTURE(verb);
                CAPTURE(body);
                const json answer = town.request(fmt::format("saga-ctl.observer.{}", verb), body);
                CHECK(answer["refused"]["code"] == "malformed");
            }
        CHECK(town.request("saga-ctl.observer.ls", "\xff").contains("sagas"));
    });
}

TEST_CASE("observer: without the contracts it judges nothing, and is not ready") {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        Town town(binary,
                  "accounts { A { jetstream: enabled, users: [ { user: admin, password: admin },\n"
                  "{ user: blind, password: blind, permissions: { publish: { deny: "
                  "[\"$JS.API.STREAM.INFO.KV_SAGA_CONTRACTS\"] } } } ] } }\nno_auth_user: admin\n");
        town.open();
        town.ask("good", 50);
        const std::vector<std::string> user{"--user", "blind", "--password", "blind"};
        Program observer(observer_on(town, "observer", user));
        REQUIRE(eventually([&] { return has(observer.ran().err, "not ready: "); }));
        CHECK_FALSE(has(observer.ran().err, " info ready"));
        CHECK_MESSAGE(has(observer.ran().err, "it cannot read the contracts"), observer.ran().err);
        const json state = town.request("saga-ctl.observer.state", "");
        CHECK(state["ready"] == false);
        CHECK(has(state["trouble"], "KV_SAGA_CONTRACTS"));
    }
}

TEST_CASE("observer: nothing in the broker is changed by it") {
    in_each_town([](Town& town) {
        town.ask("good", 50);
        town.publish_junk();
        REQUIRE(town.drive_all([&] { return town.at_rest(); }));
        const auto streams = [&] {
            json all;
            for (const char* name :
                 {"SAGA", "SAGA_DLQ", "KV_SAGA_OWNERS", "KV_SAGA_CONTRACTS", "KV_SAGA_CONFIG"})
                all[name] = town.request("$JS.API.STREAM.INFO." + std::string(name),
                                         "")["state"]["last_seq"];
            return all;
        };
        const json before = streams();
        {
            Program observer(observer_on(town, "observer"));
            await(town, observer);
            CHECK(town.request("saga-ctl.observer.state", "")["junk"] == 1);
            CHECK(town.request("saga-ctl.observer.trace", "good")["state"] == "completed");
        }
        CHECK(streams() == before);
        town.ask("after", 50);
        CHECK(town.saga({"wait", "after"}).code == 0);
    });
}

TEST_CASE("observer: killed at any moment, joined late, or replayed, it tells the same") {
    in_each_town([](Town& town) {
        auto observer = std::make_unique<Program>(observer_on(town, "observer"));
        for (int i = 0; i < 12; ++i) {
            town.ask("s" + std::to_string(i), i % 3 == 0 ? 13 : 1);
            if (i % 2 == 0) continue;
            observer->signal(SIGKILL);
            REQUIRE(eventually([&] { return observer->ended(); }));
            observer = std::make_unique<Program>(observer_on(town, "observer"));
        }
        REQUIRE(town.drive_all([&] { return town.at_rest(); }));
        const auto listed = [&] { return town.json({"ls", "--limit", "0"}); };
        await(town, *observer);
        const json first = listed();
        CHECK(first.size() == 12);
        CHECK(asked(town, "ls") == std::pair(1, 0));
        observer.reset();
        const json stream = listed();
        CHECK(first == stream);
        Program late(observer_on(town, "late"));
        await(town, late);
        CHECK(listed() == stream);
        CHECK(asked(town, "ls") == std::pair(1, 0));
        late.signal(SIGTERM);
        REQUIRE(eventually([&] { return late.ended(); }));
        Program again(observer_on(town, "late", {"--replay"}));
        await(town, again);
        CHECK(listed() == stream);
        CHECK(asked(town, "ls") == std::pair(1, 0));
    });
}

TEST_CASE("observer: a second one on the same file is refused") {
    in_each_town([](Town& town) {
        Program first(observer_on(town, "observer"));
        await(town, first);
        const Ran second = run_to_end(observer_on(town, "observer"));
        CHECK(second.code == 1);
        CHECK(has(second.err, "is in use by another process"));
    });
}

TEST_CASE("observer: a broker that lost its store is read anew") {
    in_each_town([](Town& town) {
        town.ask("good", 50);
        town.ask("unlucky", 13);
        REQUIRE(town.drive_all([&] { return town.at_rest(); }));
        Program observer(observer_on(town, "observer"));
        await(town, observer);
        town.broker.kill();
        town.broker.wipe();
        town.broker.start();
        town.broker.bootstrap();
        const auto back = [&] {
            return town.request("$JS.API.STREAM.INFO.SAGA", "")["state"]["last_seq"] == 9;
        };
        REQUIRE(town.drive_all([&] { return town.at_rest(); }));
        REQUIRE(eventually(back));
        await(town, observer);
        town.ask("next", 1);
        REQUIRE(town.drive_all([&] { return town.at_rest(); }));
        await(town, observer);
        const json listed = town.json({"ls"});
        CHECK(listed.size() == 3);
        CHECK(asked(town, "ls").second == 0);
        observer.signal(SIGTERM);
        REQUIRE(eventually([&] { return observer.ended(); }));
        CHECK(town.json({"ls"}) == listed);
    });
}

TEST_CASE("observer: no broker, and no stream, are said and waited for") {
    const TempFolder folder;
    Program alone({.path = observer_program(),
                   .args = {"--data", folder.path()},
                   .env = plain_env(folder.path(), "nats://127.0.0.1:1")});
    REQUIRE(eventually([&] { return has(alone.ran().err, "not ready: "); }));
    CHECK_MESSAGE(has(alone.ran().err, "127.0.0.1:1"), alone.ran().err);
    alone.signal(SIGTERM);
    REQUIRE(eventually([&] { return alone.ended(); }));
    CHECK(alone.ran().code == 0);
    Broker bare(servers().front());
    Program early({.path = observer_program(),
                   .args = {"--data", folder / "early"},
                   .env = plain_env(folder.path(), bare.url())});
    REQUIRE(eventually([&] { return has(early.ran().err, "saga bootstrap"); }));
    bare.bootstrap();
    CHECK(eventually([&] { return has(early.ran().err, " info ready"); }));
}
