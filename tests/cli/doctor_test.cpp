// saga doctor, as its user runs it: well, and ill in the ways that happen.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/town.hpp"

using namespace saga::testing;

namespace {

std::string update(Town& town, const std::string& stream, const char* key,
                   const nlohmann::json& value) {
    auto config = town.request("$JS.API.STREAM.INFO." + stream, "")["config"];
    config[key] = value;
    return town.request("$JS.API.STREAM.UPDATE." + stream, config.dump()).dump();
}

}  // namespace

TEST_CASE("doctor: all is well") {
    in_each_town([](Town& town) {
        const Ran ran = town.saga({"doctor"});
        CHECK_MESSAGE(ran.code == 0, ran.out);
        CHECK(ran.out.ends_with("all is well\n"));
        CHECK(has(ran.out, "3 of 3 services ready: asker, auditor, granter"));
        CHECK_FALSE(has(ran.out, "\x1b"));
        const auto json = town.json({"doctor"});
        CHECK(json["ok"] == true);
        CHECK(json["findings"].empty());
        CHECK(json["services"].size() == 3);
        CHECK(json["broker"]["jetstream"] == true);
        CHECK_FALSE(json["broker"]["version"].get<std::string>().empty());
    });
}

TEST_CASE(
    "doctor: a service that is gone is missed, by its contract or because it is meant to be") {
    in_each_town([](Town& town) {
        town.auditing->stop();
        town.auditing.reset();
        const Ran ran = town.saga({"doctor"});
        CHECK(ran.code == 1);
        CHECK(has(ran.out, "2 of 3 services ready"));
        CHECK(has(ran.out, "error    auditor: does not answer, last run by a test"));
        CHECK(ran.out.ends_with("1 error\n"));
        town.put("SAGA_CONFIG", "services", R"({"services":["asker","granter","postman"]})");
        const auto json = town.json({"doctor"});
        CHECK(json["ok"] == false);
        REQUIRE(json["findings"].size() == 2);
        CHECK(json["findings"][0]["about"] == "postman");
        CHECK(json["findings"][0]["severity"] == "error");
        CHECK(json["findings"][1]["about"] == "auditor");
        CHECK(json["findings"][1]["severity"] == "warning");
    });
}

TEST_CASE("doctor: dead letters and junk") {
    in_each_town([](Town& town) {
        town.publish_junk();
        const Ran junk = town.saga({"doctor"});
        CHECK(junk.code == 0);
        CHECK(has(junk.out, "warning  granter: has put 1 message aside that it cannot handle"));
        CHECK(junk.out.ends_with("2 warnings\n"));
        town.make_dead("t1");
        const Ran dead = town.saga({"doctor"});
        CHECK(dead.code == 1);
        CHECK(has(dead.out, "error    granter: has 1 dead letter  → saga dlq ls granter"));
        CHECK(dead.out.ends_with("1 error, 2 warnings\n"));
    });
}

TEST_CASE("doctor: streams with other settings, streams that are missing, consumers left over") {
    in_each_town([](Town& town) {
        const std::string updated = update(town, "SAGA_DLQ", "discard", "new");
        REQUIRE_FALSE(has(updated, "error"));
        const auto found = town.json({"doctor"})["findings"];
        REQUIRE(found.size() == 1);
        CHECK(found[0]["about"] == "SAGA_DLQ");
        CHECK(found[0]["mend"] == "saga bootstrap --mend");
        CHECK(town.saga({"bootstrap", "--mend"}).code == 0);
        CHECK(town.saga({"doctor"}).code == 0);

        const auto made = town.request(
            "$JS.API.CONSUMER.DURABLE.CREATE.SAGA.theirs",
            R"({"stream_name":"SAGA","config":{"durable_name":"theirs","ack_policy":"explicit"}})");
        REQUIRE_FALSE(made.contains("error"));
        const Ran left = town.saga({"doctor"});
        CHECK(left.code == 0);
        CHECK(has(left.out, "the consumer theirs belongs to no service"));
        CHECK(has(left.out, "nats consumer rm SAGA theirs"));

        REQUIRE_FALSE(town.request("$JS.API.STREAM.DELETE.SAGA_DLQ", "").contains("error"));
        const Ran missing = town.saga({"doctor"});
        CHECK(missing.code == 1);
        CHECK(has(missing.out, "error    SAGA_DLQ: is missing"));
    });
}

TEST_CASE("doctor: waits until all is well") {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        Town town(binary);
        town.put("SAGA_CONFIG", "services", R"({"services":["asker"]})");
        CHECK(town.saga({"doctor", "--wait", "100ms"}).code == 1);
        Program doctor({.path = saga_program(),
                        .args = {"doctor", "--wait", "30s"},
                        .env = plain_env(town.folder.path(), town.broker.url())});
        town.asking.emplace(asker(), town.folder.path(), town.broker.url());
        REQUIRE(town.drive_all([&] { return doctor.ended(); }));
        CHECK(doctor.ran().code == 0);
        CHECK(has(doctor.ran().out, "1 of 1 service ready: asker"));
    }
}

TEST_CASE("doctor: a broker with little room, and a fresh one where nobody is") {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        Town town(binary, "max_payload: 100000");
        const Ran ran = town.saga({"doctor"});
        CHECK(ran.code == 1);
        CHECK(has(ran.out, "error    broker: takes messages of at most 100.0 kB"));
        CHECK(has(ran.out, "warning  services: none has run on this broker"));
    }
}

TEST_CASE("doctor: without a broker says what to do, in one sentence and in JSON") {
    const TempFolder home;
    const auto env = plain_env(home.path(), "nats://127.0.0.1:1");
    const Ran ran = run_to_end({.path = saga_program(), .args = {"doctor"}, .env = env});
    CHECK(ran.code == 4);
    CHECK(ran.out.empty());
    CHECK(lines(ran.err) == 1);
    CHECK(has(ran.err, "no nats-server answers at nats://127.0.0.1:1 (Connection refused)"));
    CHECK(has(ran.err, "`saga dev --config services/shop.ini` or `nats-server -js`"));
    const Ran json = run_to_end({.path = saga_program(), .args = {"doctor", "--json"}, .env = env});
    CHECK(json.code == 4);
    const auto read = nlohmann::json::parse(json.out, nullptr, false);
    REQUIRE(read.is_object());
    CHECK(read["ok"] == false);
    CHECK(read["broker"]["reachable"] == false);
}

TEST_CASE("doctor: a broker that wants a password, and an account without JetStream") {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        const Broker broker(binary,
                            "accounts { A { users: [{user: a, password: a}] }, SYS { users: "
                            "[{user: s, password: s}] } }\nsystem_account: SYS");
        const TempFolder home;
        const auto doctor = [&](std::vector<std::string> more) {
            more.insert(more.begin(), "doctor");
            return run_to_end({.path = saga_program(),
                               .args = std::move(more),
                               .env = plain_env(home.path(), broker.url())});
        };
        const Ran stranger = doctor({});
        CHECK(stranger.code == 4);
        CHECK(lines(stranger.err) == 1);
        CHECK_MESSAGE(has(stranger.err, "refuses the connection"), stranger.err);
        CHECK(has(stranger.err, "give --user and --password, --creds or --nkey"));
        const Ran known = doctor({"--user", "a", "--password", "a"});
        CHECK(known.code == 1);
        CHECK_MESSAGE(has(known.out, "JetStream not enabled for account"), known.out);
        CHECK(has(known.out, "the account needs jetstream: enabled"));
    }
}
