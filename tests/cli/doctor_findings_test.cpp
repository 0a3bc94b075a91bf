// What saga doctor makes of what it saw.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "saga/cli/doctor.hpp"
#include "tests/cli/program.hpp"

using namespace saga::cli;
using saga::testing::has;
using Severity = Finding::Severity;

namespace {

ServiceSeen service(const std::string& name) {
    ServiceState state{.service = name, .instance = "i-" + name, .version = "1.0", .ready = true};
    return {.name = name, .meant = true, .state = state, .owner = "i-" + name, .owner_where = "x"};
}

/// A landscape where nothing is wrong.
Examination well() {
    Examination seen{.url = "nats://127.0.0.1:4222"};
    seen.broker = BrokerInfo{.version = "2.9.10", .jetstream = true, .max_payload = 1 << 20};
    seen.account = {{"storage", 100}, {"limits", {{"max_storage", -1}}}};
    for (const saga::bus::Asset& asset : saga::bus::assets(1, 0))
        seen.assets.push_back(
            {asset, {{"config", nlohmann::json::parse(asset.config)}, {"state", {{"bytes", 9}}}}});
    seen.meant_known = true;
    seen.services = {service("order"), service("payment")};
    seen.pings = {{"order", "i-order"}, {"payment", "i-payment"}};
    return seen;
}

/// The only thing that is wrong.
Finding only(const Examination& seen) {
    const std::vector<Finding> found = findings(seen);
    for (const Finding& each : found) CAPTURE(each.what);
    REQUIRE(found.size() == 1);
    CHECK_FALSE(found[0].mend.empty());
    return found[0];
}

void expect(const Examination& seen, Severity severity, const std::string& about,
            const std::string& what, const std::string& mend) {
    const Finding found = only(seen);
    CHECK((found.severity == severity));
    CHECK(found.about == about);
    CHECK_MESSAGE(has(found.what, what), found.what);
    CHECK_MESSAGE(has(found.mend, mend), found.mend);
}

}  // namespace

TEST_CASE("doctor: nothing is wrong where nothing is") {
    CHECK(findings(well()).empty());
}

TEST_CASE("doctor: versions of servers") {
    for (const char* good : {"2.9.10", "2.9.11", "2.10.0", "2.11.0-RC.1", "3.0.0"})
        CHECK_MESSAGE(supported_version(good), good);
    for (const char* bad : {"", "2.9.9", "2.8.99", "1.10.10", "newest"})
        CHECK_MESSAGE(!supported_version(bad), bad);
    Examination seen = well();
    seen.broker->version = "2.8.4";
    expect(seen, Severity::error, "broker", "is nats-server 2.8.4, older than 2.9.10", "install");
}

TEST_CASE("doctor: a broker without JetStream, with small messages, nearly full") {
    Examination seen = well();
    seen.broker->max_payload = 1000;
    expect(seen, Severity::error, "broker", "at most 1.0 kB", "max_payload");
    seen = well();
    seen.account = {{"storage", 90}, {"limits", {{"max_storage", 100}}}};
    expect(seen, Severity::warning, "broker", "90 % of its storage", "max_file_store");
    seen.account["storage"] = 97;
    expect(seen, Severity::error, "broker", "97 % of its storage", "max_file_store");
    Examination bare{.url = "x"};
    bare.broker = BrokerInfo{.version = "2.9.10"};
    expect(bare, Severity::error, "broker", "runs without JetStream", "-js");
}

TEST_CASE("doctor: streams that are missing, have other settings, or are full") {
    Examination seen = well();
    seen.assets[1].found = nullptr;
    expect(seen, Severity::error, "SAGA_DLQ", "is missing", "saga bootstrap");
    seen = well();
    seen.assets[0].found["config"]["retention"] = "workqueue";
    expect(seen, Severity::error, "SAGA", "retention is", "saga bootstrap --mend");
    seen = well();
    seen.assets[0].found["config"]["max_bytes"] = 10;
    expect(seen, Severity::warning, "SAGA", "90 % of its bytes", "nats stream edit SAGA");
}

TEST_CASE("doctor: consumers that nobody of ours made") {
    const auto consumer = [](const char* name, const char* acks, int pending) {
        return nlohmann::json{{"name", name},
                              {"num_pending", pending},
                              {"delivered", {{"consumer_seq", 5}}},
                              {"config", {{"durable_name", name}, {"ack_policy", acks}}}};
    };
    Examination seen = well();
    seen.later = {consumer("order", "none", 0)};
    CHECK(findings(seen).empty());
    seen.later = {consumer("left-over", "explicit", 7)};
    expect(seen, Severity::warning, "SAGA",
           "the consumer left-over belongs to no service (7 unread",
           "nats consumer rm SAGA left-over");
    seen.later = {consumer("order", "explicit", 0)};
    expect(seen, Severity::error, "order", "made by somebody else", "nats consumer rm SAGA order");
    seen.consumers = seen.later = {consumer("order", "none", 3)};
    expect(seen, Severity::warning, "order", "does not move", "log");
    seen.later[0]["delivered"]["consumer_seq"] = 6;
    CHECK(findings(seen).empty());
}

TEST_CASE("doctor: services that do not answer") {
    Examination seen = well();
    seen.services[1].state.reset();
    expect(seen, Severity::error, "payment", "does not answer, last run by x", "start it");
    seen.services[1].meant = false;
    expect(seen, Severity::warning, "payment", "is not among what saga dev runs", "SAGA_CONTRACTS");
    seen.meant_known = false;
    expect(seen, Severity::error, "payment", "does not answer", "start it");
    seen.dev = DevStatus{.programs = {{.name = "payment",
                                       .deaths = 3,
                                       .ended = "ended with code 1 after 20 ms",
                                       .said = "payment: no such file"}}};
    expect(seen, Severity::error, "payment",
           "it ended with code 1 after 20 ms; its last words: payment: no such file", "mend");
    seen.dev->programs[0] = {.name = "payment", .running = true};
    expect(seen, Severity::error, "payment", "runs and does not answer yet", "--wait");
}

TEST_CASE("doctor: of a shard it names what the broker knows, and takes no service away") {
    Examination seen = well();
    seen.services = {service("order"), service("payment-0-of-2"), service("payment-1-of-2")};
    seen.services[1].state.reset();
    for (const bool meant : {true, false}) {
        seen.services[1].meant = meant;
        expect(seen, meant ? Severity::error : Severity::warning, "payment-0-of-2",
               "does not answer, last run by x", "start it, with --shard 0/2");
        CHECK_FALSE(has(only(seen).mend, "kv del"));
    }
    seen.services[1] = service("payment-0-of-2");
    seen.pings = {{"payment-0-of-2", "i-payment-0-of-2"}, {"payment-0-of-2", "i-second"}};
    expect(seen, Severity::error, "payment-0-of-2", "2 instances of it answer",
           "nats service info payment shows them");
}

TEST_CASE("doctor: services that are ill") {
    const auto with = [](auto change) {
        Examination seen = well();
        change(*seen.services[0].state);
        return seen;
    };
    expect(with([](ServiceState& s) {
               s.ready = false;
               s.trouble = "its disk is full: no space left";
           }),
           Severity::error, "order", "is not ready: its disk is full", "free space");
    expect(with([](ServiceState& s) {
               s.ready = false;
               s.trouble = "it is catching up";
           }),
           Severity::error, "order", "is not ready: it is catching up", "--wait");
    expect(with([](ServiceState& s) { s.lag = 50'000; }), Severity::warning, "order",
           "is 50000 messages behind", "saga services order");
    expect(with([](ServiceState& s) {
               s.unsettled = 3;
               s.oldest_seconds = 61;
           }),
           Severity::error, "order", "3 events wait to be read back from the stream",
           "saga outbox order");
    expect(with([](ServiceState& s) { s.version = "1.1"; }), Severity::warning, "services",
           "different versions of the library (1.0: payment; 1.1: order)", "build");
    expect(with([](ServiceState& s) { s.instance = "another"; }), Severity::error, "order",
           "2 instances", "stop all but one");
}

TEST_CASE("doctor: several instances, and an owner that is another one") {
    Examination seen = well();
    seen.pings.push_back({"order", "i-second"});
    expect(seen, Severity::error, "order", "2 instances of it answer", "nats service info order");
    seen = well();
    seen.services[0].owner = "i-second";
    expect(seen, Severity::error, "order", "SAGA_OWNERS names another instance", "stop one");
}

TEST_CASE("doctor: what waits for an operator") {
    const auto with = [](const Letter& letter) {
        Examination seen = well();
        seen.services[0].letters = {letter};
        return seen;
    };
    expect(with({.what = "event", .state = "dead"}), Severity::error, "order", "has 1 dead letter",
           "saga dlq ls order");
    expect(with({.what = "undo", .state = "dead"}), Severity::error, "order",
           "1 undo failed for good", "saga dlq ls order");
    expect(with({.what = "aside", .state = "dead"}), Severity::warning, "order",
           "has put 1 message aside", "saga dlq ls order");
    expect(with({.what = "event", .state = "retry", .reason = "the bank is closed", .attempts = 9}),
           Severity::warning, "order", "the bank is closed", "saga dlq ls order --all");
    CHECK(findings(with({.what = "event", .state = "retry", .attempts = 1})).empty());
}

TEST_CASE("doctor: programs of saga dev that are no services") {
    Examination seen = well();
    seen.dev = DevStatus{.free_bytes = 1'000'000'000,
                         .programs = {{.name = "bank", .service = false, .running = true}}};
    CHECK(findings(seen).empty());
    seen.dev->programs[0].running = false;
    seen.dev->programs[0].said = "bank: port is taken";
    expect(seen, Severity::error, "bank", "does not run; its last words: bank: port is taken",
           "starts it again");
    seen.dev->programs[0].running = true;
    seen.dev->free_bytes = 1'000;
    expect(seen, Severity::warning, "disk", "only 1.0 kB are free", "--data");
}

TEST_CASE("doctor: the worst comes first, and terminals are safe") {
    Examination seen = well();
    seen.services[0].letters = {{.what = "aside", .state = "dead"}};
    seen.services[1].state->ready = false;
    seen.services[1].state->trouble = "\x1b[2J";
    const auto found = findings(seen);
    REQUIRE(found.size() == 2);
    CHECK((found[0].severity == Severity::error));
    CHECK(has(found[0].what, "?[2J"));
}
