// What a database that is older than its stream must not do again, or otherwise.
#include <doctest/doctest.h>

#include "saga/runtime/operations.hpp"
#include "saga/runtime/pruner.hpp"
#include "tests/unit/runtime/workshop.hpp"

using namespace saga;
using namespace saga::test;
using namespace std::chrono_literals;
using ::test::Answer;
using ::test::Asked;
using ::test::Checked;
using ::test::Closed;
using ::test::Granted;
using ::test::Overdue;
using ::test::Question;
using ::test::Rejected;
using ::test::Revoked;

namespace {

bool armed = false;      // until then a grant, and its undo, throw
int refusals = 0;        // of a watching step, to come
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

Overdue chase(Tx&, const Granted& granted) {
    if (!armed) throw Error("not yet");
    return {.ticket = granted.ticket};
}
Overdue note(Tx&, const Granted& granted) {
    return {.ticket = granted.ticket + " noted"};
}
Service chasing_granter() {
    Service service{"granter", "CREATE TABLE done (ticket TEXT) STRICT"};
    service.step("grant", grant).undo(revoke).expect<Checked>(1h, chase).expect<Rejected>(1h, note);
    return service;
}

/// Likewise, of a step that says nothing, so that no event of its own brings it back.
void watch(Tx&, const Asked&) {
    if (refusals > 0 && refusals-- > 0) throw Error("not yet");
}
Overdue chase_silent(Tx&, const Asked& asked) {
    if (!armed) throw Error("not yet");
    return {.ticket = asked.ticket};
}
Service silent_granter() {
    Service service{"granter", "CREATE TABLE done (ticket TEXT) STRICT"};
    service.step("watch", watch).keeps().expect<Checked>(1h, chase_silent);
    return service;
}

void answer(Workshop& auditor, std::int64_t call = 1) {
    auditor.in().answers.push_back({.call = call, .answer = detail::pack(Answer{}), .why = {}});
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

/// A granter's first life, of a build that cannot do what it is asked, and is made to skip it.
void live_without_hands(Stream& stream) {
    armed = false;
    Workshop first{moody_granter(), stream};
    skip_what_dies(first, stream);
    armed = true;
}

/// As the stream was when its first message was all.
Stream beginning_of(const Stream& stream) {
    Stream beginning;
    beginning.now = stream.now;
    beginning.messages = {stream.messages.front()};
    return beginning;
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
    Stream since_backup = beginning_of(stream);
    Workshop restored{asking_auditor(), since_backup};
    restored.work();
    REQUIRE(restored.value("SELECT count(*) FROM calls") == 1);
    since_backup.messages = stream.messages;
    catch_up(restored);
    CHECK(restored.value("SELECT count(*) FROM calls") == 0);
    answer(restored);
    CHECK(since_backup.count("Checked") == 0);
}

TEST_CASE("restored: a deadline that an operator passed over asks no more, and the other one has") {
    Stream stream;
    stream.put(Asked{.ticket = "t", .amount = 0}, "t");
    armed = false;
    {
        Workshop first{chasing_granter(), stream};
        skip_what_dies(first, stream);
        REQUIRE(stream.count("Overdue") == 1);
    }
    armed = true;
    Stream since_backup = beginning_of(stream);
    since_backup.now = Stream{}.now;
    Workshop restored{chasing_granter(), since_backup};
    restored.work();
    REQUIRE(restored.value("SELECT count(*) FROM timers") == 2);
    since_backup.messages = stream.messages;
    since_backup.now = stream.now;
    catch_up(restored);
    CHECK(since_backup.count("Overdue") == 1);
    CHECK(restored.value("SELECT count(*) FROM timers") == 0);
    CHECK(restored.letters().empty());
}

/// A deadline that dies and is skipped in the first life; in the second it, or its step, waited
/// for another attempt when the backup was made.
void skipped_while_it_waited(Service (*build)(), bool step_waits) {
    Stream stream;
    stream.put(Asked{.ticket = "t", .amount = 0}, "t");
    armed = false;
    {
        Workshop first{build(), stream};
        skip_what_dies(first, stream);
    }
    const int asked = stream.count("Overdue");  // by another one
    Stream since_backup = beginning_of(stream);
    since_backup.now = Stream{}.now;
    refusals = step_waits ? 2 : 0;
    Workshop restored{build(), since_backup};
    restored.work();
    if (!step_waits) since_backup.now += 61min;
    restored.work();
    REQUIRE(restored.value("SELECT count(*) FROM parked WHERE state = 1") == 1);
    armed = true;
    since_backup.messages = stream.messages;
    since_backup.now = stream.now;
    restored.begin_catch_up();
    restored.work();
    since_backup.now += 2h;
    restored.work();
    restored.end_catch_up();
    restored.work();
    CHECK(since_backup.count("Overdue") == asked);
    CHECK(restored.value("SELECT count(*) FROM timers") == 0);
    CHECK(restored.value("SELECT count(*) FROM parked") == 0);
    CHECK(restored.letters().empty());
}

TEST_CASE("restored: nor does one that had been tried when it was backed up") {
    skipped_while_it_waited(chasing_granter, false);
    skipped_while_it_waited(silent_granter, false);
}

TEST_CASE("restored: nor one whose step is done only when its word was read") {
    skipped_while_it_waited(silent_granter, true);
}

TEST_CASE("restored: a word about one deadline concerns no other") {
    const runtime::Operated word{.what = "timer", .step = "grant", .nth = 7};
    core::ParkedRow row{.what = core::Waits::timer, .step = "grant", .nth = 7};
    CHECK(runtime::concerns(word, row));
    row.nth = 8;
    CHECK(!runtime::concerns(word, row));
    CHECK(runtime::concerns({.what = "timer", .step = "grant"}, row));  // of an earlier build
}

TEST_CASE("restored: a step that an operator passed over stays undone by a build that can do it") {
    Stream stream;
    stream.put(Asked{.ticket = "t", .amount = 1}, "t");
    live_without_hands(stream);
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
    stream.put(Asked{.ticket = "t", .amount = 0}, "t");
    stream.put(Rejected{.ticket = "t"}, "t", Kind::failed, "Rejected");
    live_without_hands(stream);
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
    Stream since_backup = beginning_of(stream);
    Workshop restored{asking_auditor(), since_backup};
    restored.work();
    since_backup.messages = stream.messages;
    said = "b";
    catch_up(restored);
    answer(restored);
    CHECK(restored.value("SELECT count(*) FROM seen WHERE ticket = 'b'") == 0);
    CHECK(restored.value("SELECT count(*) FROM calls") == 1);
    said = "a";
    answer(restored);
    CHECK(restored.value("SELECT count(*) FROM seen WHERE ticket = 'a'") == 1);
    CHECK(since_backup.count("Checked") == 1);
}

TEST_CASE("restored: from a backup that is days old, a call is not made again") {
    const auto until_backup = [](Workshop& auditor, Stream& stream) {
        stream.put(Granted{.ticket = "before"}, "before");
        auditor.work();
        answer(auditor);
        stream.put(Closed{.ticket = "before"}, "before", Kind::ended);
        stream.put(Granted{.ticket = "t"}, "t");
        auditor.work();
    };
    Stream stream;
    Workshop first{asking_auditor(), stream};
    until_backup(first, stream);
    stream.now += 1min;
    answer(first, 2);
    REQUIRE(stream.count("Checked") == 2);

    Stream since_backup;
    Workshop restored{asking_auditor(), since_backup};
    until_backup(restored, since_backup);
    since_backup.messages = stream.messages;
    since_backup.now += 72h;
    // On a full disk it forgets before it has looked at the stream.
    const Service service = asking_auditor();
    runtime::Pruner pruner(service.contract(), restored.store(), {});
    while (pruner.step(since_backup.now)) continue;
    REQUIRE(pruner.pruned() == 1);
    catch_up(restored);
    CHECK(restored.value("SELECT count(*) FROM calls") == 0);
    CHECK(restored.value("SELECT count(*) FROM seen") == 2);
    CHECK(since_backup.count("Checked") == 2);
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
