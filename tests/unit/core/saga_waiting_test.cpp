// What waits, and what waits behind it.
#include <doctest/doctest.h>

#include "saga/core/backoff.hpp"
#include "saga/core/limits.hpp"
#include "tests/unit/core/bench.hpp"
#include "tests/unit/core/services.hpp"

using namespace saga;
using namespace saga::test;

namespace {

/// Three steps on three events, and a mail about the failure.
Declared three() {
    Declared service("three");
    service.step("one", {"First"}, {"OneDone"}).undo("OneUndone");
    service.step("two", {"Second"}, {"TwoDone"}).undo("TwoUndone");
    service.step("three", {"Third"}, {"ThreeDone"}).undo("ThreeUndone");
    service.step("mail", {"*failed"}, {"MailSent"});
    return service;
}

/// The step `one` has made all its attempts.
Bench& kill(Bench& bench) {
    const int most = core::most_attempts(core::Ladder::event);
    bench.next("run one", threw(), most).done("First");
    for (int attempt = 1; attempt < most; ++attempt) bench.backoff();
    REQUIRE(bench.parked() == "step one dead");
    bench.did();
    return bench;
}

EventId id_of(std::size_t nth) {
    EventId id;
    id.bytes[0] = static_cast<std::uint8_t>(nth >> 8);
    id.bytes[1] = static_cast<std::uint8_t>(nth);
    return id;
}

}  // namespace

TEST_CASE("waiting: later events of the saga wait behind an attempt that failed, in their order") {
    Bench bench{three()};
    CHECK(bench.next("run one", threw()).done("First").did() == "run one, parks step one retry");
    CHECK(bench.done("Third").did() == "parks event behind");
    CHECK(bench.done("Second").did() == "parks event behind");
    CHECK(bench.done("First").did() == "");
    CHECK(bench.parked() == "step one retry, event Third behind, event Second behind");
    CHECK(bench.backoff().did() ==
          "run one, unparks step one retry, done OneDone, wakes event behind, "
          "unparks event behind, run three, done ThreeDone, wakes event behind, "
          "unparks event behind, run two, done TwoDone");
    CHECK(bench.parked() == "");
}

TEST_CASE("waiting: one that fails again holds its place") {
    Bench bench{three()};
    bench.next("run one", threw()).next("run two", threw());
    bench.done("First").done("Second").done("Third").did();
    CHECK(bench.backoff().did() ==
          "run one, unparks step one retry, done OneDone, wakes event behind, "
          "unparks event behind, run two, parks step two retry");
    CHECK(bench.parked() == "event Third behind, step two retry");
    CHECK(bench.backoff().did() ==
          "run two, unparks step two retry, done TwoDone, wakes event behind, "
          "unparks event behind, run three, done ThreeDone");
}

TEST_CASE("waiting: an event that comes between a wake and its attempt waits too") {
    Bench bench{three()};
    bench.next("run one", threw()).done("First").done("Second");
    bench.next("run one", threw()).backoff().did();
    CHECK(bench.parked() == "step one retry, event Second behind");
    CHECK(bench.done("Third").did() == "parks event behind");
}

TEST_CASE("waiting: after the last attempt it is dead, and holds up later events for ever") {
    Bench bench{three()};
    kill(bench);
    CHECK(bench.done("Second").did() == "parks event behind");
    CHECK(bench.done("First").did() == "");
    CHECK(bench.backoff().did() == "");
    CHECK(bench.journal() == "");
    CHECK_FALSE(bench.finished());
}

TEST_CASE("waiting: a failure waits behind nothing; what it starts does") {
    Bench bench{three()};
    bench.done("Third").next("run one", threw()).done("First").done("Second").did();
    CHECK(bench.failed("Refused").did() ==
          "unparks step one retry, undo three, undone ThreeUndone because Refused, "
          "parks event behind, wakes event behind");
    CHECK(bench.journal() == "three undone, one tombstone");
    CHECK(bench.retry().did() ==
          "unparks event behind, wakes event behind, "
          "unparks event behind, run mail, undone MailSent because Refused");
    CHECK(bench.journal() == "three undone, one tombstone, two tombstone, mail done");
    CHECK(bench.finished());
}

TEST_CASE(
    "waiting: a failure releases the dead, and what waited behind it comes to its tombstone") {
    Bench bench{three()};
    kill(bench).done("Second").did();
    CHECK(bench.failed("Refused").did().find("unparks step one dead") == 0);
    bench.retry();
    CHECK(bench.journal() == "one tombstone, two tombstone, mail done");
    CHECK(bench.parked() == "");
    CHECK(bench.finished());
}

TEST_CASE("waiting: every step of an event waits by itself, and holds up later events") {
    Declared service("two");
    service.step("left", {"First"}, {"LeftDone"});
    service.step("right", {"First"}, {"RightDone"});
    service.step("next", {"Second"}, {"NextDone"});
    service.on("First");
    Bench bench{service};
    bench.next("run left", threw(), 2).next("react First", threw());
    CHECK(bench.done("First").did() ==
          "react First, parks reaction First retry, run left, parks step left retry, "
          "run right, done RightDone");
    bench.done("Second").did();
    CHECK(bench.backoff().did() ==
          "react First, unparks reaction First retry, run left, parks step left retry");
    CHECK(bench.parked() == "step left retry, event Second behind");
    CHECK(bench.backoff().did() ==
          "run left, unparks step left retry, done LeftDone, wakes event behind, "
          "unparks event behind, run next, done NextDone");
}

TEST_CASE(
    "waiting: a reaction that waits survives the failure, for the read model still wants it") {
    Declared service = three();
    service.on("First");
    Bench bench{service};
    bench.next("react First", threw()).done("First").did();
    CHECK(bench.failed("Refused").did() ==
          "undo one, undone OneUndone because Refused, parks event behind");
    CHECK(bench.backoff().did() ==
          "react First, unparks reaction First retry, wakes event behind, "
          "unparks event behind, run mail, undone MailSent because Refused");
}

// ---- later, locks, catching up ------------------------------------------------------------------

TEST_CASE("later: blocks nobody, and looks again after each later event of the saga") {
    Bench bench{three()};
    bench.next("run one", later(), 2);
    CHECK(bench.done("First").did() == "run one, parks step one later");
    CHECK(bench.done("Second").did() == "run two, done TwoDone, wakes step one later");
    CHECK(bench.retry().did() == "run one, parks step one later");
    CHECK(bench.done("Third").did() == "run three, done ThreeDone, wakes step one later");
    CHECK(bench.retry().did() == "run one, unparks step one later, done OneDone");
}

TEST_CASE("later: what its saga's events wake it for is no attempt of its own") {
    Declared service = three();
    service.step("note", {"Moved"}, {"Noted"}).once_per_event();
    Bench bench{service};
    const int events = 2 * core::most_attempts(core::Ladder::later);
    bench.next("run one", later(), events + 1).done("First");
    for (int nth = 1; nth <= events; ++nth) bench.done("Moved", nth).retry();
    CHECK(bench.parked() == "step one later");
    bench.did();
    CHECK(bench.backoff().did() == "run one, unparks step one later, done OneDone");
}

TEST_CASE("later: looks again once what it waits for comes out of the queue") {
    Bench bench{three()};
    bench.next("run one", later(), 3).next("run two", threw()).done("First").done("Second");
    bench.done("Third").retry().did();
    CHECK(bench.parked() == "step one later, step two retry, event Third behind");
    bench.next("run one", later(), 1).backoff();
    CHECK(bench.parked() == "");
    CHECK(bench.journal() == "two done, three done, one done");
}

TEST_CASE("later: looks again once a call of its saga is answered") {
    Declared service = three();
    service.step("ask", {"Fourth"}, {"Answered"}).calls();
    Bench bench{service};
    bench.next("run one", later(), 2).done("First").done("Fourth").retry().did();
    CHECK(bench.answer("ask").did() == "settle ask, done Answered, wakes step one later");
    CHECK(bench.retry().did() == "run one, unparks step one later, done OneDone");
}

TEST_CASE("later: after its last attempt it is dead and holds up what comes after") {
    Bench bench{three()};
    const int most = core::most_attempts(core::Ladder::later);
    bench.next("run one", later(), most).done("First");
    for (int attempt = 1; attempt < most; ++attempt) {
        CHECK(bench.parked() == "step one later");
        bench.backoff();
    }
    CHECK(bench.parked() == "step one dead");
    bench.did();
    CHECK(bench.done("Second").did() == "parks event behind");
}

TEST_CASE("later: one that meets its saga's failure never runs") {
    Bench bench{three()};
    bench.next("run one", later()).done("First").did();
    CHECK(bench.failed("Refused").did() ==
          "unparks step one later, run mail, undone MailSent because Refused");
    CHECK(bench.journal() == "one tombstone, mail done");
}

TEST_CASE("locked: its saga waits with it, and the locks go when the saga is finished") {
    Declared service = order();
    Bench bench{service};
    bench.holds_locks().next("run open", locked()).done("OrderPlaced").did();
    CHECK(bench.done("OrderShipped").did() == "parks event behind");
    CHECK(bench.parked() == "step open locked, event OrderShipped behind");
    CHECK(bench.backoff().did() ==
          "run open, unparks step open locked, wakes event behind, "
          "unparks event behind, run confirm, ended OrderConfirmed, releases locks");
}

TEST_CASE("locked: after its last attempt it is dead, in a deadlock sooner") {
    const int most = core::most_attempts(core::Ladder::later);
    const int fewer = core::most_attempts(core::Ladder::event);
    Bench bench{three()};
    bench.next("run one", locked(), most).done("First");
    for (int attempt = 2; attempt < most; ++attempt) bench.backoff();
    CHECK(bench.parked() == "step one locked");
    CHECK(bench.backoff().parked() == "step one dead");

    Bench circle{three()};
    circle.next("run one", deadlock(), fewer).done("First");
    for (int attempt = 2; attempt < fewer; ++attempt) circle.backoff();
    CHECK(circle.parked() == "step one locked");
    CHECK(circle.backoff().parked() == "step one dead");
}

TEST_CASE("locked: one whose saga fails never runs, and what it held goes when all is undone") {
    Bench bench{three()};
    bench.holds_locks().done("Second").next("run one", locked()).done("First").did();
    CHECK(bench.next("undo two", threw()).failed("Refused").did() ==
          "unparks step one locked, undo two, parks undo two retry, run mail, "
          "undone MailSent because Refused");
    CHECK(bench.backoff().did() ==
          "undo two, unparks undo two retry, undone TwoUndone because Refused, releases locks");
}

TEST_CASE(
    "locked: an operator's drop lets the saga go on without it, and its locks go at its end") {
    Declared service = order();
    Bench bench{service};
    const int most = core::most_attempts(core::Ladder::later);
    bench.holds_locks().next("run open", locked(), most).done("OrderPlaced");
    for (int attempt = 1; attempt < most; ++attempt) bench.backoff();
    REQUIRE(bench.parked() == "step open dead");
    bench.did();
    CHECK(bench.operate(core::Operation::skip, "step open").did() == "unparks step open dead");
    CHECK(bench.done("OrderShipped").did() == "run confirm, ended OrderConfirmed, releases locks");
}

TEST_CASE("unlike: while catching up it blocks nobody and looks again after each event") {
    Bench bench{three()};
    CHECK(bench.next("run one", unlike()).done("First").did() == "run one, parks step one unlike");
    CHECK(bench.done("Second").did() == "run two, done TwoDone, wakes step one unlike");
    CHECK(bench.retry().did() == "run one, unparks step one unlike, done OneDone");
}

// ---- what cannot be read ------------------------------------------------------------------------

TEST_CASE("unsound: an event that cannot be read parks as a whole and holds up its saga") {
    Bench bench{three()};
    CHECK(bench.deliver({.name = "First", .sound = false}).did() == "parks event dead");
    CHECK(bench.done("Second").did() == "parks event behind");
    CHECK(bench.backoff().did() == "");
}

TEST_CASE(
    "unsound: a failure releases it: its steps are tombstones, which needs no sound payload") {
    Bench bench{three()};
    bench.deliver({.name = "First", .sound = false}).done("Second").did();
    CHECK(bench.failed("Refused").did() == "parks event behind, parks event behind");
    bench.retry();
    CHECK(bench.journal() == "one tombstone, two tombstone, mail done");
    CHECK(bench.parked() == "");
    CHECK(bench.finished());
}

TEST_CASE(
    "unsound: in a failed saga it needs no operator, unless something still wants to read it") {
    Bench bench{three()};
    bench.failed("Refused").did();
    CHECK(bench.deliver({.name = "First", .sound = false}).did() == "");
    CHECK(bench.journal() == "mail done, one tombstone");

    Declared service = three();
    service.on("Second");
    Bench wants{service};
    wants.failed("Refused").did();
    CHECK(wants.deliver({.name = "Second", .sound = false}).did() == "parks event dead");
}

TEST_CASE("unsound: an event that was handled once is a duplicate, whatever its bytes are now") {
    Bench bench{three()};
    bench.done("First").did();
    CHECK(bench.deliver({.name = "First", .sound = false}).did() == "");
}

TEST_CASE("waiting: a saga's queue has a bound; beyond it events go aside, failures still count") {
    Declared service("parcel");
    service.step("note", {"ParcelMoved"}, {"MoveNoted"}).once_per_event().undo("NoteGone");
    core::SagaState state;
    Stored stored;
    MemoryHost host(service.contract(), stored, [](const Handling&) { return threw(); });
    core::Saga saga(service.contract(), state, host, {});
    const auto deliver = [&](std::size_t nth, Kind kind = Kind::done) {
        const bool failed = kind == Kind::failed;
        const core::Envelope envelope{
            .id = id_of(nth),
            .type = failed ? "test.shop.ParcelLost" : "test.shop.ParcelMoved",
            .saga = "o1",
            .kind = kind};
        saga.on_event({Bytes{}, envelope, nth, {}});
        return host.log.back();
    };
    deliver(1);
    CHECK(deliver(2) == "parks event behind");
    while (state.parked.size() + 1 < core::kMaxQueued) {  // as if as many had come like it
        core::ParkedRow next = state.parked.back();
        ++next.place;
        ++next.position;
        next.event = id_of(next.place);
        state.parked.push_back(next);
    }
    CHECK(deliver(core::kMaxQueued) == "parks event behind");
    CHECK(state.parked.size() == core::kMaxQueued);
    CHECK(deliver(core::kMaxQueued + 1) ==
          "dead letter ParcelMoved: too many events of its saga wait before it");
    deliver(core::kMaxQueued + 2, Kind::failed);
    REQUIRE(state.row.failures.size() == 1);
    CHECK(state.row.failures.front() == "ParcelLost");
}
