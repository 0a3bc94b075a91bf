// Operators' words: retry, skip and drop, with a reason, as events that everybody can read.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine_generated.h"
#include "saga/runtime/stream_view.hpp"
#include "tests/integration/stage.hpp"

using namespace saga;
using namespace saga::testing;
using nlohmann::json;

namespace {

bool healthy = true;  // whether the checks can be made

Outcome<test::Checked, test::Rejected> check(Tx& tx, const test::Granted& granted) {
    if (!healthy) throw Error("the checks are out of order");
    tx.exec("INSERT INTO checks VALUES (?1, (SELECT count(*) FROM checks))", granted.ticket);
    return test::Checked{.ticket = granted.ticket};
}
void chased(Tx& tx, const test::Overdue& overdue) {
    tx.exec("INSERT INTO checks VALUES (?1, 100)", "chased " + overdue.ticket);
}

/// The auditor, out of order while !healthy; what comes after Granted waits behind it.
Service faulty() {
    Service service{"auditor", "CREATE TABLE checks (ticket TEXT PRIMARY KEY, nth INTEGER) STRICT"};
    service.step("check", check).pivot();
    service.on(chased);
    return service;
}

json say(Landscape& l, const std::string& verb, const json& body) {
    return json::parse(request(l.broker, l.all(), "saga-ctl.auditor." + verb, body.dump()));
}

std::int64_t dead(Landscape& l) {
    return l.auditing->value("SELECT count(*) FROM parked WHERE state = 6");
}

/// A ticket whose check has used up its attempts, and an event of its saga behind it; its id.
std::string dead_ticket(Landscape& l, const std::string& ticket) {
    healthy = false;
    l.ask(ticket, 1);
    REQUIRE(l.drive_all(
        [&] { return l.auditing->value("SELECT count(*) FROM parked WHERE attempts > 0") > 0; }));
    l.auditing->store().db().exec("UPDATE parked SET attempts = 13, next_at = 1");
    l.auditing->kill();
    l.start_auditor();
    REQUIRE(l.drive_all([&] { return dead(l) == 1; }));
    l.granting->clock().advance(2h);  // Overdue
    REQUIRE(l.drive_all(
        [&] { return l.auditing->value("SELECT count(*) FROM parked WHERE state = 5") == 1; }));
    healthy = true;
    CHECK(say(l, "dead", json::object()).dump().find("out of order") != std::string::npos);
    return std::to_string(l.auditing->value("SELECT position FROM parked WHERE state = 6"));
}

/// Of each operator's event in the stream: action and reason.
std::vector<std::string> audit(Landscape& l) {
    std::vector<std::string> words;
    runtime::StreamView(address_of(l.broker))
        .read({.filter = "saga.auditor.done.OperatorActed.>"}, [&](const core::Message& message) {
            const auto* word =
                flatbuffers::GetRoot<wire::OperatorActed>(message.envelope().payload.data());
            words.push_back(word->action()->str() + ": " + word->reason()->str());
            return true;
        });
    return words;
}

template <class Test>
void with_dead_ticket(Test test) {
    on_each_server([&](const std::string& binary) {
        Landscape l(binary, faulty());
        const std::string id = dead_ticket(l, "t");
        test(l, id);
        // The rest was never touched.
        l.ask("other", 1);
        REQUIRE(l.drive_all([&] {
            return l.asking->value(
                       "SELECT count(*) FROM sagas WHERE id = 'other' AND "
                       "ended_by = 'Closed'") == 1;
        }));
    });
}

std::int64_t settled(Landscape& l) {
    return l.auditing->value("SELECT count(*) = 0 FROM parked") &&
           l.auditing->value("SELECT count(*) = 0 FROM outbox WHERE stream_seq IS NULL");
}

}  // namespace

TEST_CASE("operator: a retried event runs, and what waited behind it comes after it") {
    with_dead_ticket([](Landscape& l, const std::string& id) {
        const json body{{"id", id}, {"reason", "the checks work again"}};
        CHECK(say(l, "retry", body).contains("accepted"));
        say(l, "retry", body);  // twice: whatever the answer is, it does no harm
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1 && settled(l); }));
        CHECK(l.auditing->value("SELECT nth FROM checks WHERE ticket = 't'") == 0);
        CHECK(l.auditing->value("SELECT count(*) FROM checks WHERE ticket = 'chased t'") == 1);
        CHECK(audit(l).front() == "retry: the checks work again");
        CHECK(count_stream(l.broker).names.at("Checked") == 1);
    });
}

TEST_CASE("operator: a saga is named in place of what is dead of it") {
    with_dead_ticket([](Landscape& l, const std::string& id) {
        CHECK(say(l, "retry", {{"saga", "none"}, {"reason", "x"}})["refused"]["code"] == "unknown");
        const json done = say(l, "retry", {{"saga", "t"}, {"reason", "the checks work again"}});
        CHECK(done["accepted"]["letters"] == json::array({id}));
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1 && settled(l); }));
        CHECK(audit(l) == std::vector<std::string>{"retry: the checks work again"});
        CHECK(say(l, "retry", {{"saga", "t"}, {"reason", "x"}})["refused"]["code"] == "unknown");
    });
}

TEST_CASE("operator: a skipped event never runs, what waited behind it does") {
    with_dead_ticket([](Landscape& l, const std::string& id) {
        const json body{{"id", id}, {"reason", "nobody needs it"}};
        CHECK(say(l, "skip", body).contains("accepted"));
        say(l, "skip", body);
        REQUIRE(l.drive_all([&] { return settled(l); }));
        CHECK(l.auditing->value("SELECT count(*) FROM checks WHERE ticket = 't'") == 0);
        CHECK(l.auditing->value("SELECT count(*) FROM checks WHERE ticket = 'chased t'") == 1);
        CHECK(l.auditing->value("SELECT count(*) FROM journal WHERE state = 7") == 1);
        CHECK(audit(l).front() == "skip: nobody needs it");
    });
}

TEST_CASE("operator: a dropped event takes what waited behind it along") {
    with_dead_ticket([](Landscape& l, const std::string& id) {
        const json body{{"id", id}, {"reason", "a mistake"}};
        CHECK(say(l, "drop", body).contains("accepted"));
        REQUIRE(l.drive_all([&] { return settled(l); }));
        CHECK(say(l, "drop", body)["refused"]["code"] == "unknown");
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == 0);
        CHECK(audit(l) == std::vector<std::string>{"drop: a mistake"});
    });
}

TEST_CASE("operator: what is not there, and what is no request, is refused") {
    on_each_landscape([](Landscape& l) {
        for (const char* verb : {"retry", "skip", "drop"}) {
            CHECK(say(l, verb, {{"id", "99"}, {"reason", "x"}})["refused"]["code"] == "unknown");
            CHECK(say(l, verb, {{"id", "aside-99"}})["refused"]["code"] == "unknown");
            for (const json& junk :
                 {json("x"), json(), json{{"id", -1}}, json{{"id", json::array()}},
                  json{{"id", "1"}, {"reason", 5}}, json{{"id", "99999999999999999999"}}})
                CHECK(say(l, verb, junk).contains("refused"));
        }
        CHECK(count_stream(l.broker).total == 0);
        CHECK(l.ready());
    });
}

TEST_CASE("operator: what stands aside is retried, or goes") {
    on_each_landscape([](Landscape& l) {
        const std::string junk = "junk";
        inject(l.broker, "saga.granter.done.Granted.p00", std::as_bytes(std::span(junk)));
        REQUIRE(l.drive_all([&] { return l.auditing->store().aside.count() == 1; }));
        CHECK(say(l, "retry", {{"id", "aside-1"}, {"reason", "again"}}).contains("accepted"));
        REQUIRE(
            l.drive_all([&] { return l.auditing->value("SELECT max(position) FROM aside") == 2; }));
        CHECK(l.auditing->store().aside.count() == 1);  // it is no better than before
        CHECK(say(l, "skip", {{"id", "aside-2"}, {"reason", "junk"}}).contains("accepted"));
        REQUIRE(l.drive_all([&] { return l.auditing->store().aside.count() == 0; }));
        CHECK(audit(l) == std::vector<std::string>{"retry: again", "skip: junk"});
    });
}
