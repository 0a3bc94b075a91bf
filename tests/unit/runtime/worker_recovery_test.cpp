// After a restore, and after an unclean stop.
#include <doctest/doctest.h>

#include <algorithm>

#include "saga/core/subject.hpp"
#include "saga/runtime/operations.hpp"
#include "tests/sim/disk.hpp"
#include "tests/unit/runtime/workshop.hpp"

using namespace saga;
using namespace saga::test;
using namespace std::chrono_literals;
using ::test::Asked;
using ::test::Checked;
using ::test::Granted;
using ::test::Overdue;
using ::test::Rejected;
using ::test::Revoked;

namespace {

bool armed = false;  // until then the handlers below throw

Outcome<Checked, Rejected> check(Tx&, const Granted& granted) {
    if (granted.ticket == "deadly" && armed) kill_the_process();
    if (granted.ticket == "deadly") throw Error("not yet");
    if (granted.ticket == "large") throw store::DiskFull("the disk is full");
    return Checked{.ticket = granted.ticket};
}
// A grant, and an undo that says when it was made.
Granted grant(Tx&, const Asked& asked) {
    return {.ticket = asked.ticket};
}
Revoked revoke(Tx& tx, const Granted&) {
    if (!armed) throw Error("not yet");
    return {.ticket = std::to_string(tx.now().time_since_epoch().count())};
}
Service punctual_granter() {
    Service service{"granter"};
    service.step("grant", grant).undo(revoke);
    return service;
}

/// A read model, before and after it was told to read Granted.
void note(Tx& tx, const Granted& granted) {
    if (granted.ticket == "deadly") kill_the_process();
    if (granted.ticket == "early" && !armed) throw Error("not yet");
    tx.exec("INSERT INTO seen VALUES (?1)", granted.ticket);
}
void ignore(Tx&, const Rejected&) {}
Service reader(bool notes) {
    Service service{"reader", "CREATE TABLE seen (ticket TEXT PRIMARY KEY) STRICT"};
    service.on(ignore);
    if (notes) service.on(note);
    return service;
}
void read_what_was_missed(Workshop& reader, const Stream& stream) {
    reader.worker().catch_up_reactions({stream.messages.begin(), stream.messages.end()},
                                       {"Granted"}, stream.now);
}

Service moody_auditor() {
    Service service{"auditor"};
    service.step("check", check).pivot();
    return service;
}

/// A grant whose deadline fires while its saga's failure is on its way.
void grant_chase_and_revoke(Stream& stream) {
    Workshop granter{testing::granter(), stream};
    stream.put(Asked{.ticket = "t", .amount = 1}, "t");
    granter.work();
    stream.now += 2h;
    granter.in().timers_until = stream.now;  // that was the head, as the broker said
    granter.worker().round(granter.in(), stream.now);
    stream.put(Rejected{.ticket = "t"}, "t", Kind::failed, "Rejected");
    granter.work();
    for (const char* name : {"Granted", "Overdue", "Revoked"}) REQUIRE(stream.count(name) == 1);
}

/// The events, in order, that a new database publishes when the broker loses all of the stream
/// while it catches up.
std::vector<std::string> published_after_loss(const Service& service, Stream& stream) {
    Workshop restored{service, stream};
    restored.begin_catch_up();
    restored.store().recorded.lose_above(0);
    stream.messages.clear();
    restored.end_catch_up();
    restored.work();
    CHECK(restored.value("SELECT count(*) FROM recorded") == 0);
    std::vector<std::string> names;
    for (const runtime::Delivery& each : stream.messages)
        names.emplace_back(core::parse_event_subject(each.subject)->event);
    return names;
}

}  // namespace

TEST_CASE("recovery: a deadline that fired while its saga's failure was on its way is on record") {
    Stream stream;
    grant_chase_and_revoke(stream);

    Workshop restored{testing::granter(), stream};
    restored.begin_catch_up();
    restored.work();
    restored.end_catch_up();
    restored.work();
    CHECK(restored.value("SELECT count(*) FROM aside") == 0);
    CHECK(restored.letters().empty());
    CHECK(stream.count("Overdue") == 1);
    CHECK(restored.value("SELECT count(*) FROM outbox WHERE stream_seq IS NULL") == 0);
}

TEST_CASE("recovery: what the end of catching up told of is not told again by the next round") {
    Stream stream;
    Workshop granter{testing::granter(), stream};
    stream.put({.type = "test.granter.Granted",
                .saga = "lost",
                .source = "granter",
                .payload = detail::pack(Granted{.ticket = "lost"})});
    granter.begin_catch_up();
    granter.work();
    granter.end_catch_up();
    REQUIRE(granter.value("SELECT count(*) FROM aside") == 1);
    stream.put(Asked{.ticket = "t", .amount = 1}, "t");
    for (const runtime::Delivery& each : stream.messages) granter.in().messages.push_back(each);
    const auto done = granter.worker().round(granter.in(), stream.now);
    REQUIRE(done.published.size() == 1);
    CHECK(done.published.front().subject.starts_with("saga.granter.done.Granted."));
}

TEST_CASE("recovery: what the broker has lost is published again, unless a stranger wrote it") {
    Stream stream;
    grant_chase_and_revoke(stream);
    stream.put(Granted{.ticket = "forged"}, "t");  // its step has run: it can lead to nothing
    stream.put(Granted{.ticket = "forged"}, "other");
    stream.put(Overdue{.ticket = "forged"}, "other");
    stream.put(Revoked{.ticket = "forged"}, "other", Kind::undone, "Rejected");
    CHECK(published_after_loss(testing::granter(), stream) ==
          std::vector<std::string>{"Granted", "Overdue", "Revoked"});
}

TEST_CASE("recovery: other bytes under an id of the service's own change nothing") {
    Stream stream;
    {
        Workshop granter{testing::granter(), stream};
        stream.put(Asked{.ticket = "t", .amount = 1}, "t");
        granter.work();
        REQUIRE(stream.count("Granted") == 1);
    }
    const runtime::Delivery own = stream.messages.back();
    const auto read = core::decode(own.bytes);
    core::Envelope copied = std::get<core::Envelope>(read);
    const std::vector<std::byte> payload = detail::pack(Granted{.ticket = "forged"});
    copied.payload = payload;
    stream.put(own.subject, core::encode(copied));
    Workshop restored{testing::granter(), stream};
    restored.begin_catch_up();
    restored.work();
    restored.end_catch_up();
    CHECK(restored.value("SELECT count(*) FROM parked") == 0);
    CHECK(restored.value("SELECT count(*) FROM outbox WHERE stream_seq IS NULL") == 0);
    REQUIRE(restored.value("SELECT count(*) FROM outbox") == 1);
    CHECK(restored.store().outbox.unsettled_after(0, 1).empty());
}

TEST_CASE("recovery: what a command accepted is published again, and no stranger's") {
    Stream stream;
    Workshop asker{testing::asker(), stream};
    asker.in().requests.push_back({"ask", detail::pack(::test::Ask{.ticket = "t"}), 1});
    asker.work();
    REQUIRE(stream.count("Asked") == 1);
    stream.put(Asked{.ticket = "forged"}, "other");
    Stream lost = stream;
    CHECK(published_after_loss(testing::asker(), lost) == std::vector<std::string>{"Asked"});

    // What the service has sealed under the id of one event makes no operator's word of it.
    const runtime::Delivery accepted = stream.messages.front();
    const auto read = core::decode(accepted.bytes);
    core::Envelope word = std::get<core::Envelope>(read);
    word.type = runtime::kOperatorActed;
    stream.messages.clear();
    stream.put(core::subject_of(word), core::encode(word));
    CHECK(published_after_loss(testing::asker(), stream).empty());
}

TEST_CASE("recovery: where the id does not tell, what was lost counts as the service's own") {
    SUBCASE("a step that runs once for each event") {
        Service each{"auditor"};
        each.step("check", check).pivot().once_per_event();
        Stream stream;
        Workshop auditor{each, stream};
        for (const char* ticket : {"first", "second"}) stream.put(Granted{.ticket = ticket}, "t");
        auditor.work();
        CHECK(published_after_loss(each, stream) == std::vector<std::string>{"Checked", "Checked"});
    }
    SUBCASE("a type that this build publishes no more") {
        Stream stream;
        Workshop auditor{moody_auditor(), stream};
        stream.put(Granted{.ticket = "good"}, "t");
        auditor.work();
        Service later{"auditor"};
        later.on(ignore);
        CHECK(published_after_loss(later, stream) == std::vector<std::string>{"Checked"});
    }
}

TEST_CASE("recovery: catching up obeys an operator's word, and no stranger's") {
    Stream stream;
    Workshop auditor{moody_auditor(), stream};
    armed = false;
    stream.put(Granted{.ticket = "deadly"}, "deadly");
    for (auditor.work(); auditor.value("SELECT count(*) FROM parked WHERE state = 6") == 0;
         auditor.work())
        stream.now += 2h;
    const std::string id = std::to_string(auditor.value("SELECT position FROM parked"));
    const auto* body = reinterpret_cast<const std::byte*>(id.data());
    auditor.in().requests.push_back({"skip", {body, body + id.size()}, 1});
    auditor.work();
    REQUIRE(auditor.value("SELECT count(*) FROM parked") == 0);
    REQUIRE(stream.count("OperatorActed") == 1);

    for (const bool forged : {false, true}) {
        CAPTURE(forged);
        if (forged) {  // the same word, under an id that the stranger has made up
            const runtime::Delivery word = std::move(stream.messages.back());
            stream.messages.pop_back();
            const auto read = core::decode(word.bytes);
            stream.put(std::get<core::Envelope>(read));
        }
        Workshop restored{moody_auditor(), stream};
        restored.begin_catch_up();
        restored.work();
        restored.end_catch_up();
        CHECK(restored.value("SELECT count(*) FROM parked") == (forged ? 1 : 0));
        CHECK(restored.value("SELECT count(*) FROM aside") == (forged ? 1 : 0));
        Stream lost = stream;
        CHECK(published_after_loss(moody_auditor(), lost) ==
              std::vector<std::string>(forged ? 0 : 1, "OperatorActed"));
    }
}

TEST_CASE("recovery: what is given up before the disk is full is told of") {
    Stream stream;
    Workshop auditor{moody_auditor(), stream};
    stream.put(Granted{.ticket = "deadly"}, "deadly");
    armed = false;
    auditor.work();
    armed = true;
    stream.now += 1h;
    for (int death = 0; death <= core::kMaxCrashes; ++death) {
        CHECK_THROWS_AS(auditor.work(), store::Broken);
        auditor.die();
    }
    const std::uint64_t large = stream.put(Granted{.ticket = "large"}, "large");
    auditor.in().messages.push_back(stream.messages[large - 1]);
    const auto done = auditor.worker().round(auditor.in(), stream.now);
    CHECK(auditor.value("SELECT count(*) FROM parked WHERE state = 6") == 1);
    REQUIRE(done.published.size() == 1);
    CHECK(done.published.front().subject.starts_with("saga-dlq.auditor."));
}

TEST_CASE("recovery: wherever a disk is full, what is committed is taken, and told of") {
    constexpr std::uint64_t kMessages = 3;
    int full = 0, partly = 0;
    for (std::uint64_t room = 0; room < 120'000; room += 1'500) {
        sim::Life life;
        sim::Disk disk(1, [] { return core::StoreTime{}; });
        Stream stream;
        Workshop auditor{moody_auditor(), stream, {.path = "auditor.db", .vfs = disk.mount(life)}};
        auditor.die();  // from here on one item at a time
        for (std::uint64_t i = 0; i < kMessages; ++i)
            stream.put(Granted{.ticket = "good"}, std::to_string(i));
        for (const runtime::Delivery& each : stream.messages) auditor.in().messages.push_back(each);
        disk.set({.room = room});
        runtime::Committed done;
        try {
            done = auditor.worker().round(auditor.in(), stream.now);
        } catch (const store::DiskFull&) {
            ++full;
            auditor.store().rollback();
        }
        CAPTURE(room);
        CHECK(done.items + auditor.in().messages.size() == kMessages);
        CHECK(done.published.size() == done.items);
        CHECK(auditor.store().cursor.position().seq == done.items);
        partly += done.items > 0 && done.more;
        disk.set({});
        auditor.work();
        CHECK(stream.count("Checked") == kMessages);
        CHECK(auditor.value("SELECT count(*) FROM attempts") == 0);
    }
    CHECK(full > 0);
    CHECK(partly > 0);
}

TEST_CASE("recovery: a new reaction that kills the process parks, and reads the rest") {
    Stream stream;
    Workshop reading{reader(false), stream};
    for (const char* ticket : {"first", "deadly", "last"})
        stream.put(Granted{.ticket = ticket}, ticket);
    reading.work();
    reading.die(reader(true));
    for (int death = 0; death < core::kMaxCrashes; ++death) {
        CHECK_THROWS_AS(read_what_was_missed(reading, stream), store::Broken);
        reading.die();
    }
    read_what_was_missed(reading, stream);
    CHECK(reading.value("SELECT count(*) FROM seen") == 2);
    CHECK(reading.value("SELECT count(*) FROM parked WHERE state = 6 AND what = 3") == 1);
    CHECK(reading.value("SELECT count(*) FROM attempts") == 0);
    reading.work();
    CHECK(reading.letters().size() == 1);
}

TEST_CASE("recovery: what a new reaction missed waits once, however often it is read") {
    Stream stream;
    Workshop reading{reader(true), stream};
    stream.put(Granted{.ticket = "early"}, "early");
    armed = false;
    for (int times = 0; times < 2; ++times) read_what_was_missed(reading, stream);
    CHECK(reading.value("SELECT count(*) FROM parked") == 1);
}

TEST_CASE(
    "recovery: an undo that stamps the time comes out as recorded, however often it was tried") {
    Stream stream;
    Workshop granter{punctual_granter(), stream};
    stream.put(Asked{.ticket = "t"}, "t");
    granter.work();
    stream.put(Rejected{.ticket = "t"}, "t", Kind::failed, "Rejected");
    armed = false;
    granter.work();
    armed = true;
    stream.now += 1h;
    granter.work();
    REQUIRE(stream.count("Revoked") == 1);

    Workshop restored{punctual_granter(), stream};
    restored.begin_catch_up();
    stream.now += 1h;
    restored.work();
    CHECK(restored.value("SELECT count(*) FROM parked") == 0);
    restored.end_catch_up();
    restored.work();
    CHECK(restored.letters().empty());
    CHECK(stream.count("Revoked") == 1);
}
