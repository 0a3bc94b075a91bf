// What a database that is older than its stream must not do again, or otherwise.
#include <doctest/doctest.h>

#include "saga/runtime/operations.hpp"
#include "tests/unit/runtime/workshop.hpp"

using namespace saga;
using namespace saga::test;
using namespace std::chrono_literals;
using ::test::Answer;
using ::test::Asked;
using ::test::Checked;
using ::test::Granted;
using ::test::Question;
using ::test::Rejected;
using ::test::Revoked;

namespace {

bool armed = false;      // until then a grant, and its undo, throw
std::string said = "a";  // what the judge makes of an answer

Question question(const View&, const Granted& granted) {
    return {.ticket = granted.ticket};
}
Answer outside(const Call&, const Question&) {
    return {};
}
Outcome<Checked, Rejected> judge(Tx& tx, const Granted&, const Answer&) {
    tx.exec("INSERT INTO seen VALUES (?1)", said);
    return Checked{.ticket = said};
}
Service asking_auditor() {
    Service service{"auditor", "CREATE TABLE seen (ticket TEXT) STRICT"};
    service.step("check", call(question, outside, judge)).pivot();
    return service;
}

Granted grant(Tx& tx, const Asked& asked) {
    if (!armed && asked.amount > 0) throw Error("not yet");
    tx.exec("INSERT INTO done VALUES (?1)", asked.ticket);
    return Granted{.ticket = asked.ticket};
}
Revoked revoke(Tx& tx, const Granted& granted) {
    if (!armed) throw Error("not yet");
    tx.exec("DELETE FROM done");
    return {.ticket = granted.ticket};
}
Service moody_granter() {
    Service service{"granter", "CREATE TABLE done (ticket TEXT) STRICT"};
    service.step("grant", grant).undo(revoke);
    return service;
}

void answer(Workshop& auditor) {
    auditor.in().answers.push_back({.call = 1, .answer = detail::pack(Answer{}), .why = {}});
    auditor.work();
}

/// Works until something is dead, and has an operator skip it.
void skip_what_dies(Workshop& workshop, Stream& stream) {
    const auto dead = "SELECT ifnull(max(position), 0) FROM parked WHERE state = 6";
    for (workshop.work(); workshop.value(dead) == 0; workshop.work()) stream.now += 2h;
    const std::string body = std::to_string(workshop.value(dead));
    const Bytes bytes = std::as_bytes(std::span(body));
    workshop.in().requests.push_back({"skip", {bytes.begin(), bytes.end()}, 1});
    workshop.work();
    REQUIRE(stream.count("OperatorActed") == 1);
}

void catch_up(Workshop& workshop) {
    workshop.begin_catch_up();
    workshop.work();
    workshop.end_catch_up();
    workshop.work();
}

}  // namespace

TEST_CASE("restored: a call that an operator passed over is not made, and has no outcome") {
    Stream stream;
    {
        Workshop first{asking_auditor(), stream};
        stream.put(Granted{.ticket = "t"}, "t");
        first.work();
        first.in().answers.push_back({.call = 1, .answer = {}, .why = "silence", .last = true});
        skip_what_dies(first, stream);
        REQUIRE(first.value("SELECT count(*) FROM calls") == 0);
    }
    Stream until_backup;
    until_backup.messages = {stream.messages.front()};
    Workshop restored{asking_auditor(), until_backup};
    restored.work();
    REQUIRE(restored.value("SELECT count(*) FROM calls") == 1);
    until_backup.messages = stream.messages;
    catch_up(restored);
    CHECK(restored.value("SELECT count(*) FROM calls") == 0);
    answer(restored);
    CHECK(until_backup.count("Checked") == 0);
}

TEST_CASE("restored: a step that an operator passed over stays undone by a build that can do it") {
    Stream stream;
    armed = false;
    {
        Workshop first{moody_granter(), stream};
        stream.put(Asked{.ticket = "t", .amount = 1}, "t");
        skip_what_dies(first, stream);
    }
    armed = true;
    Workshop rebuilt{moody_granter(), stream};
    catch_up(rebuilt);
    CHECK(stream.count("Granted") == 0);
    CHECK(rebuilt.value("SELECT count(*) FROM done") == 0);
    CHECK(rebuilt.value("SELECT count(*) FROM parked") == 0);
    CHECK(rebuilt.letters().empty());
    stream.put(Asked{.ticket = "u", .amount = 1}, "u");
    rebuilt.work();
    CHECK(stream.count("Granted") == 1);
}

TEST_CASE("restored: an undo that an operator passed over is not made either") {
    Stream stream;
    armed = false;
    {
        Workshop first{moody_granter(), stream};
        stream.put(Asked{.ticket = "t", .amount = 0}, "t");
        stream.put(Rejected{.ticket = "t"}, "t", Kind::failed, "Rejected");
        skip_what_dies(first, stream);
    }
    armed = true;
    Workshop rebuilt{moody_granter(), stream};
    catch_up(rebuilt);
    CHECK(stream.count("Revoked") == 0);
    CHECK(rebuilt.value("SELECT count(*) FROM done") == 1);
    CHECK(rebuilt.value("SELECT count(*) FROM parked") == 0);
    CHECK(rebuilt.letters().empty());
}

TEST_CASE("restored: an answer that comes out unlike the record changes nothing, and waits") {
    Stream stream;
    said = "a";
    {
        Workshop first{asking_auditor(), stream};
        stream.put(Granted{.ticket = "t"}, "t");
        first.work();
        answer(first);
        REQUIRE(stream.count("Checked") == 1);
    }
    Stream until_backup;
    until_backup.messages = {stream.messages.front()};
    Workshop restored{asking_auditor(), until_backup};
    restored.work();
    until_backup.messages = stream.messages;
    said = "b";
    catch_up(restored);
    answer(restored);
    CHECK(restored.value("SELECT count(*) FROM seen WHERE ticket = 'b'") == 0);
    CHECK(restored.value("SELECT count(*) FROM calls") == 1);
    said = "a";
    answer(restored);
    CHECK(restored.value("SELECT count(*) FROM seen WHERE ticket = 'a'") == 1);
    CHECK(until_backup.count("Checked") == 1);
}

TEST_CASE("restored: copies of an event cost what led to it no attempts") {
    Stream stream;
    armed = true;
    {
        Workshop first{moody_granter(), stream};
        stream.put(Asked{.ticket = "t", .amount = 1}, "t");
        first.work();
        REQUIRE(stream.count("Granted") == 1);
    }
    const runtime::Delivery granted = stream.messages.back();
    for (int copy = 0; copy < 50; ++copy) stream.put(granted.subject, granted.bytes);
    armed = false;
    Workshop rebuilt{moody_granter(), stream};
    rebuilt.begin_catch_up();
    rebuilt.work();
    CHECK(rebuilt.value("SELECT attempts FROM parked") == 2);
    armed = true;
    stream.now += 2h;
    rebuilt.work();
    rebuilt.end_catch_up();
    CHECK(rebuilt.value("SELECT count(*) FROM parked") == 0);
    CHECK(rebuilt.value("SELECT count(*) FROM done") == 1);
}
