// An operator's word on what waits: retry, skip, drop.
#include <doctest/doctest.h>

#include "saga/core/backoff.hpp"
#include "tests/unit/core/bench.hpp"
#include "tests/unit/core/services.hpp"

using namespace saga;
using namespace saga::test;
using core::Operation;
using core::Part;

namespace {

Declared shop() {
    Declared service("shop");
    service.step("one", {"First"}, {"OneDone"}).undo("OneUndone");
    service.step("two", {"Second"}, {"TwoDone"}).undo("TwoUndone");
    service.step("three", {"Third"}, {"ThreeDone"}).undo("ThreeUndone");
    service.step("mail", {"*failed"}, {"MailSent"});
    service.on("First");
    return service;
}

/// Makes all attempts of what waits for its backoff.
Bench& exhaust(Bench& bench, core::Ladder ladder) {
    for (int attempt = 1; attempt < core::most_attempts(ladder); ++attempt) bench.backoff();
    bench.did();
    return bench;
}

/// `handler` throws until the event is dead; Second and Third wait behind it.
Bench& dead(Bench& bench, const std::string& handler) {
    bench.next(handler, threw(), core::most_attempts(core::Ladder::event)).done("First");
    bench.done("Second").done("Third");
    return exhaust(bench, core::Ladder::event);
}

/// The refund never came through.
Bench& undo_failed(Bench& bench) {
    bench.done("First").next("undo one", threw(), core::most_attempts(core::Ladder::undo));
    bench.failed("Refused");
    return exhaust(bench, core::Ladder::undo);
}

}  // namespace

TEST_CASE("operator: retries a dead step, with all its attempts before it again") {
    Bench bench{shop()};
    dead(bench, "run one");
    REQUIRE(bench.parked() == "step one dead, event Second behind, event Third behind");
    bench.next("run one", threw());
    CHECK(bench.operate(Operation::retry, "step one dead").did() == "parks step one retry");
    CHECK(bench.retry().did() == "run one, parks step one retry");
    CHECK(bench.backoff().did() ==
          "run one, unparks step one retry, done OneDone, wakes event behind, "
          "unparks event behind, run two, done TwoDone, wakes event behind, "
          "unparks event behind, run three, done ThreeDone");
}

TEST_CASE("operator: skips a dead step; it leaves a tombstone, and the next ones go on") {
    Bench bench{shop()};
    dead(bench, "run one");
    CHECK(bench.operate(Operation::skip, "step one dead").did() ==
          "unparks step one dead, wakes event behind");
    CHECK(bench.retry().did() ==
          "unparks event behind, run two, done TwoDone, wakes event behind, "
          "unparks event behind, run three, done ThreeDone");
    CHECK(bench.journal() == "one tombstone, two done, three done");
    CHECK(bench.done("First").did() == "");
}

TEST_CASE("operator: drops a dead step with all that waits behind it; each leaves a tombstone") {
    Bench bench{shop()};
    dead(bench, "run one");
    CHECK(bench.operate(Operation::drop, "step one dead").did() ==
          "unparks step one dead, parks event dropped, parks event dropped, wakes event dropped");
    CHECK(bench.retry().did() ==
          "unparks event dropped, wakes event dropped, unparks event dropped");
    CHECK(bench.journal() == "one tombstone, two tombstone, three tombstone");
    CHECK(bench.parked() == "");
    CHECK(bench.done("First").done("Second").done("Third").did() == "");
}

TEST_CASE("operator: an event that comes after a drop is not dropped") {
    Bench bench{shop()};
    bench.next("run one", threw(), 2).done("First").done("Second").did();
    bench.operate(Operation::drop, "step one retry");
    CHECK(bench.done("Third").did().find("parks event behind") != std::string::npos);
    bench.did();
    bench.retry();
    CHECK(bench.journal() == "one tombstone, two tombstone, three done");
}

TEST_CASE("operator: drops what waits behind the row, nothing else") {
    Bench bench{shop()};
    dead(bench, "run one");
    SUBCASE("of two that wait, the later one's operator means the later one") {
        bench.operate(Operation::drop, "event Third behind");
        CHECK(bench.parked() == "step one dead, event Second behind");
    }
    SUBCASE("what blocks nobody has nothing behind it") {
        Bench undo{shop()};
        undo.done("Third").next("undo three", threw()).next("react First", threw());
        undo.done("First").failed("Refused").did();
        REQUIRE(undo.parked() == "reaction First retry, undo three retry, event Refused behind");
        undo.operate(Operation::drop, "undo three retry");
        CHECK(undo.parked() == "reaction First retry, event Refused behind");
    }
}

TEST_CASE("operator: an attempt that he asks for keeps the saga's order") {
    Bench bench{shop()};
    dead(bench, "run one");
    bench.operate(Operation::retry, "event Second behind").retry();
    CHECK(bench.journal() == "");
    CHECK(bench.operate(Operation::skip, "step one dead").retry().journal() ==
          "one tombstone, two done, three done");
}

// ---- of an event as a whole ---------------------------------------------------------------------

TEST_CASE("operator: retries an event that could not be read, and it is dead again") {
    Bench bench{shop()};
    bench.deliver({.name = "Second", .sound = false}).did();
    CHECK(bench.operate(Operation::retry, "event Second dead").did() == "parks event retry");
    CHECK(bench.retry().did() == "unparks event retry, parks event dead");
}

TEST_CASE("operator: skips an event that could not be read, for good") {
    Bench bench{shop()};
    bench.deliver({.name = "First", .sound = false}).done("Second").did();
    CHECK(bench.operate(Operation::skip, "event First dead").did() ==
          "unparks event dead, wakes event behind");
    CHECK(bench.retry().did() == "unparks event behind, run two, done TwoDone");
    CHECK(bench.journal() == "one tombstone, two done");
    CHECK(bench.deliver({.name = "First", .sound = false}).did() == "");
    CHECK(bench.parked() == "");
}

TEST_CASE("operator: drops an event that could not be read, with what waits behind it") {
    Bench bench{shop()};
    bench.deliver({.name = "First", .sound = false}).done("Second").did();
    bench.operate(Operation::drop, "event First dead").retry().did();
    CHECK(bench.journal() == "one tombstone, two tombstone");
    CHECK(bench.done("Third").did() == "run three, done ThreeDone");
}

TEST_CASE("operator: what was skipped as a whole is not done when it is read again") {
    Bench bench{shop()};
    bench.next("run two", threw()).done("Second").done("First").did();
    bench.operate(Operation::skip, "event First behind").backoff().did();
    CHECK(bench.done("First").did() == "");
    CHECK(bench.journal() == "one tombstone, two done");
}

TEST_CASE("operator: a failure that was dropped starts nothing when it is read again") {
    Bench bench{shop()};
    bench.next("react First", threw()).done("First").failed("Refused").did();
    REQUIRE(bench.parked() == "reaction First retry, event Refused behind");
    bench.operate(Operation::drop, "reaction First retry").retry().did();
    CHECK(bench.parked() == "");
    CHECK(bench.failed("Refused").did() == "");
    CHECK(bench.journal() == "one undone, mail tombstone");
}

// ---- of a reaction ------------------------------------------------------------------------------

TEST_CASE("operator: retries a reaction") {
    Bench bench{shop()};
    dead(bench, "react First");
    REQUIRE(bench.parked() == "reaction First dead, event Second behind, event Third behind");
    bench.operate(Operation::retry, "reaction First dead").did();
    CHECK(bench.retry().did().find("react First, unparks reaction First retry, wakes") == 0);
    CHECK(bench.journal() == "one done, two done, three done");
}

TEST_CASE("operator: skips a reaction, for good") {
    Bench bench{shop()};
    dead(bench, "react First");
    bench.operate(Operation::skip, "reaction First dead").retry().did();
    CHECK(bench.journal() == "one done, two done, three done");
    CHECK(bench.done("First").did() == "");
}

TEST_CASE("operator: drops a reaction with what waits behind it") {
    Bench bench{shop()};
    dead(bench, "react First");
    bench.operate(Operation::drop, "reaction First dead").retry().did();
    CHECK(bench.journal() == "one done, two tombstone, three tombstone");
}

// ---- of an undo ---------------------------------------------------------------------------------

TEST_CASE("operator: retries an undo that gave up") {
    Bench bench{shop()};
    undo_failed(bench);
    REQUIRE(bench.journal() == "one undo failed, mail done");
    CHECK(bench.operate(Operation::retry, "undo one dead").did() == "parks undo one retry");
    CHECK(bench.journal() == "one undoing, mail done");
    CHECK(bench.retry().did() ==
          "undo one, unparks undo one retry, undone OneUndone because Refused");
    CHECK(bench.finished());
}

TEST_CASE("operator: skips an undo that he has made by hand") {
    for (const Operation operation : {Operation::skip, Operation::drop}) {
        Bench bench{shop()};
        undo_failed(bench);
        CHECK(bench.operate(operation, "undo one dead").did() == "unparks undo one dead");
        CHECK(bench.journal() == "one undone, mail done");
        CHECK(bench.finished());
        CHECK(bench.failed("OrderCancelled").did() == "");
    }
}

// ---- of a timer ---------------------------------------------------------------------------------

TEST_CASE("operator: retries a timer") {
    Bench bench{payment()};
    bench.done("StockReserved").answer("take").next("fire take", threw()).timer("take").did();
    bench.operate(Operation::retry, "timer take retry").did();
    CHECK(bench.retry().did() == "fire take, unparks timer take retry, done ShippingOverdue");
}

TEST_CASE("operator: skips a timer: nothing is asked, the step stands") {
    for (const Operation operation : {Operation::skip, Operation::drop}) {
        Bench bench{payment()};
        bench.done("StockReserved").answer("take").next("fire take", threw()).timer("take").did();
        CHECK(bench.operate(operation, "timer take retry").did() == "unparks timer take retry");
        CHECK(bench.journal() == "take done");
        CHECK(bench.stored().timers.empty());
    }
}

// ---- of a call ----------------------------------------------------------------------------------

TEST_CASE("operator: has a call made again, under the same key") {
    Bench bench{payment()};
    bench.done("StockReserved").silence("take").did();
    CHECK(bench.operate(Operation::retry, "call take dead").did() ==
          "unparks call take dead, asks again for take");
    CHECK(bench.answer("take").did() == "settle take, done PaymentTaken, sets timer of take");
}

TEST_CASE("operator: skips a call: its step will never run") {
    for (const Operation operation : {Operation::skip, Operation::drop}) {
        Bench bench{payment()};
        bench.done("StockReserved").silence("take").did();
        CHECK(bench.operate(operation, "call take dead").did() == "unparks call take dead");
        CHECK(bench.journal() == "take tombstone");
        CHECK(bench.stored().calls.empty());
        CHECK(bench.done("StockReserved").did() == "");
        CHECK(bench.failed("OrderCancelled").did() == "");
    }
}

TEST_CASE("operator: has the call of an undo made again, or says that he has made it") {
    Bench again{payment()};
    again.done("StockReserved").answer("take").failed("OrderCancelled");
    again.silence("take", Part::undo).did();
    CHECK(again.operate(Operation::retry, "call take dead").did() ==
          "unparks call take dead, asks again for undo take");
    CHECK(again.answer("take", Part::undo).did() ==
          "settle undo take, undone PaymentRefunded because OrderCancelled");

    Bench skipped{payment()};
    skipped.done("StockReserved").answer("take").failed("OrderCancelled");
    skipped.silence("take", Part::undo).did();
    CHECK(skipped.operate(Operation::skip, "call take dead").did() == "unparks call take dead");
    CHECK(skipped.journal() == "take undone");
    CHECK(skipped.stored().calls.empty());
    CHECK(skipped.finished());
}
