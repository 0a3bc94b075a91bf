// How a step runs: calls, joins, runs, deadlines.
#include <doctest/doctest.h>

#include "tests/unit/core/bench.hpp"
#include "tests/unit/core/services.hpp"

using namespace saga;
using namespace saga::test;
using core::Part;

TEST_CASE("step: several events of one success are published in order, with one direction") {
    Declared service("kitchen");
    service.step("cook", {"OrderPlaced"}, {"DishCooked", "PanDirty", "OvenHot"});
    Bench bench{service};
    CHECK(bench.done("OrderPlaced").did() ==
          "run cook, done DishCooked, done PanDirty, done OvenHot");
}

TEST_CASE("step: one that ends its saga says so by its first event only") {
    Declared service("order");
    service.step("confirm", {"OrderShipped"}, {"OrderConfirmed", "PointsEarned"}).ends_saga();
    Bench bench{service};
    CHECK(bench.done("OrderShipped").did() ==
          "run confirm, ended OrderConfirmed, done PointsEarned");
}

TEST_CASE("step: what an undone event or a failure starts belongs to the way back") {
    Declared service("mail");
    service.step("regret", {"PaymentRefunded"}, {"RegretSent"});
    service.step("report", {"StockShort"}, {"ShortageReported"});
    Bench bench{service};
    CHECK(bench.undone("PaymentRefunded", "StockShort").did() ==
          "run regret, undone RegretSent because StockShort");
    CHECK(bench.failed("StockShort").did() ==
          "run report, undone ShortageReported because StockShort");
}

TEST_CASE("step: the way back undoes no step of its own") {
    Declared service("mail");
    service.step("regret", {"PaymentRefunded"}, {"RegretSent"}).undo("RegretTakenBack");
    Bench bench{service};
    bench.undone("PaymentRefunded", "StockShort").did();
    CHECK(bench.failed("OrderCancelled").did() == "");
    CHECK(bench.journal() == "regret done");
    CHECK(bench.finished());
}

// ---- calls --------------------------------------------------------------------------------------

TEST_CASE("call: asks, settles with the answer, and a second answer is nobody's") {
    Bench bench{payment()};
    CHECK(bench.done("StockReserved").did() == "run take, asks for take");
    CHECK(bench.journal() == "take calling");
    CHECK(bench.done("StockReserved").did() == "");
    CHECK(bench.answer("take").did() == "settle take, done PaymentTaken, sets timer of take");
    CHECK(bench.journal() == "take done");
    CHECK(bench.done("StockReserved").did() == "");
}

TEST_CASE("call: may fail when it asks, and when it is answered") {
    Bench refuses{payment()};
    refuses.next("run take", fails("PaymentDeclined"));
    CHECK(refuses.done("StockReserved").did() == "run take, failed PaymentDeclined");
    CHECK(refuses.journal() == "take failed");

    Bench declines{payment()};
    declines.next("settle take", fails("PaymentDeclined")).done("StockReserved").did();
    CHECK(declines.answer("take").did() == "settle take, failed PaymentDeclined");
    CHECK(declines.journal() == "take failed");
    CHECK(declines.finished());
}

TEST_CASE("call: a failure meanwhile awaits the answer, settles it and undoes it at once") {
    Bench bench{payment()};
    bench.done("StockReserved").did();
    CHECK(bench.failed("OrderCancelled").did() == "");
    CHECK(bench.journal() == "take calling");
    CHECK_FALSE(bench.finished());
    CHECK(bench.answer("take").did() ==
          "settle take, done PaymentTaken, undo take, asks for undo take");
    CHECK(bench.journal() == "take undoing");
    CHECK(bench.failed("PaymentDeclined").did() == "");
    CHECK_FALSE(bench.finished());
    CHECK(bench.answer("take", Part::undo).did() ==
          "settle undo take, undone PaymentRefunded because OrderCancelled");
    CHECK(bench.journal() == "take undone");
    CHECK(bench.finished());
}

TEST_CASE("call: declined in a failed saga, there is nothing to undo") {
    Bench bench{payment()};
    bench.next("settle take", fails("PaymentDeclined")).done("StockReserved").failed("StockShort");
    bench.did();
    CHECK(bench.answer("take").did() == "settle take, failed PaymentDeclined");
    CHECK(bench.failures() == "StockShort PaymentDeclined");
    CHECK(bench.finished());
}

TEST_CASE("call: a handler that throws at the answer asks again under the same key") {
    Bench bench{payment()};
    bench.next("settle take", threw()).done("StockReserved").did();
    CHECK(bench.answer("take").did() == "settle take, asks again for take");
    CHECK(bench.journal() == "take calling");
    CHECK(bench.answer("take").did() == "settle take, done PaymentTaken, sets timer of take");
}

TEST_CASE("call: after its last attempt it waits for an operator, and blocks nobody") {
    Declared service = payment();
    service.step("note", {"OrderPlaced"}, {"Noted"});
    Bench bench{service};
    bench.next("settle take", threw(), 2).done("StockReserved").answer("take").did();
    CHECK(bench.answer("take").did() ==
          "settle take, gives up asking for take, parks call take dead");
    CHECK(bench.done("OrderPlaced").did() == "run note, done Noted");
    CHECK_FALSE(bench.finished());
}

TEST_CASE("call: an answer that comes after the last attempt still counts") {
    Bench bench{payment()};
    bench.done("StockReserved").silence("take").did();
    CHECK(bench.parked() == "call take dead");
    bench.answer("take");
    CHECK(bench.journal() == "take done");
    CHECK(bench.parked() == "");  // an operator has nothing to decide any more

    Bench again{payment()};
    again.done("StockReserved").silence("take").silence("take").did();
    CHECK(again.parked() == "call take dead");
}

// ---- joins --------------------------------------------------------------------------------------

TEST_CASE("join: runs once when all have arrived, whichever came first") {
    Bench forwards{shipping()};
    CHECK(forwards.done("OrderPlaced").did() == "");
    CHECK(forwards.journal() == "");
    CHECK(forwards.done("PaymentTaken").did() == "run ship, done OrderShipped");
    CHECK(forwards.done("OrderPlaced").did() == "");
    CHECK(forwards.done("PaymentTaken").did() == "");

    Bench backwards{shipping()};
    CHECK(backwards.done("PaymentTaken").did() == "");
    CHECK(backwards.done("OrderPlaced").did() == "run ship, done OrderShipped");
    CHECK(backwards.done("PaymentTaken").did() == "");
    CHECK(backwards.done("OrderPlaced").did() == "");
}

TEST_CASE("join: another event in the place of a half that arrived is a dead letter") {
    Bench bench{shipping()};
    bench.done("OrderPlaced");
    CHECK(bench.done("OrderPlaced", 2).did().find("dead letter OrderPlaced for ship") == 0);
    CHECK(bench.done("PaymentTaken").did() == "run ship, done OrderShipped");
}

TEST_CASE("join: a failure half-way leaves a tombstone that the other half meets") {
    Bench bench{shipping()};
    bench.done("OrderPlaced").failed("PaymentDeclined");
    CHECK(bench.journal() == "ship tombstone");
    CHECK(bench.stored().arrived.empty());
    CHECK(bench.done("PaymentTaken").did() == "");
    CHECK(bench.done("OrderPlaced").did() == "");
    CHECK(bench.journal() == "ship tombstone");
    CHECK(bench.finished());
}

TEST_CASE("join: a half that comes after the failure starts nothing") {
    Bench bench{shipping()};
    CHECK(bench.failed("PaymentDeclined").done("OrderPlaced").done("PaymentTaken").did() == "");
    CHECK(bench.journal() == "ship tombstone");
    CHECK(bench.stored().arrived.empty());
}

TEST_CASE("join: one that waits for another attempt is tombstoned by a failure, with its halves") {
    Bench bench{shipping()};
    bench.next("run ship", threw());
    CHECK(bench.done("OrderPlaced").done("PaymentTaken").did() ==
          "run ship, parks step ship retry");
    CHECK(bench.failed("OrderCancelled").did() == "unparks step ship retry");
    CHECK(bench.journal() == "ship tombstone");
    CHECK(bench.stored().arrived.empty());
    CHECK(bench.parked() == "");
}

TEST_CASE("join: runs at its next attempt with the halves that it has") {
    Bench bench{shipping()};
    bench.next("run ship", threw()).done("OrderPlaced").done("PaymentTaken").did();
    CHECK(bench.done("PaymentTaken").did() == "");
    CHECK(bench.done("OrderPlaced").did() == "parks event behind");
    CHECK(bench.backoff().did() ==
          "run ship, unparks step ship retry, done OrderShipped, "
          "wakes event behind, unparks event behind");
    CHECK(bench.done("PaymentTaken").did() == "");
}

TEST_CASE("join: of the way back runs in a failed saga, and a second failure spares its halves") {
    Declared service("mail");
    service.step("regret", {"PaymentRefunded", "StockReleased"}, {"RegretSent"});
    Bench bench{service};
    CHECK(bench.undone("PaymentRefunded", "StockShort").did() == "");
    CHECK(bench.failed("OrderCancelled").did() == "");
    CHECK(bench.journal() == "");
    CHECK(bench.undone("StockReleased", "StockShort").did() ==
          "run regret, undone RegretSent because StockShort");
    CHECK(bench.undone("PaymentRefunded", "StockShort").did() == "");
}

TEST_CASE("join: of a call keeps its halves until the answer came") {
    Declared service("shipping");
    service.step("ship", {"OrderPlaced", "PaymentTaken"}, {"OrderShipped"}).calls();
    Bench bench{service};
    CHECK(bench.done("OrderPlaced").done("PaymentTaken").did() == "run ship, asks for ship");
    CHECK(bench.stored().arrived.size() == 2);
    CHECK(bench.done("OrderPlaced").done("PaymentTaken").did() == "");
    CHECK(bench.answer("ship").did() == "settle ship, done OrderShipped");
}

// ---- once for each event ------------------------------------------------------------------------

TEST_CASE("run: a step that runs once for each event does, and each is undone by itself") {
    Declared service("parcel");
    service.step("note", {"ParcelMoved"}, {"MoveNoted"}).once_per_event().undo("MoveForgotten");
    Bench bench{service};
    CHECK(bench.done("ParcelMoved", 1).did() == "run note, done MoveNoted");
    CHECK(bench.done("ParcelMoved", 2).did() == "run note, done MoveNoted");
    CHECK(bench.done("ParcelMoved", 1).did() == "");
    bench.next("undo note", threw());
    CHECK(bench.failed("OrderCancelled").did() ==
          "undo note, parks undo note retry, "
          "undo note, undone MoveForgotten because OrderCancelled");
    CHECK(bench.journal() == "note/1 undone, note/2 undoing");
    CHECK(bench.done("ParcelMoved", 3).did() == "");
    CHECK(bench.journal() == "note/1 undone, note/2 undoing, note/3 tombstone");
    CHECK(bench.backoff().did() ==
          "undo note, unparks undo note retry, undone MoveForgotten because OrderCancelled");
    CHECK(bench.finished());
}

TEST_CASE("run: one that waits holds up later events, and a failure tombstones it alone") {
    Declared service("parcel");
    service.step("note", {"ParcelMoved"}, {"MoveNoted"}).once_per_event();
    Bench bench{service};
    bench.next("run note", threw()).done("ParcelMoved", 1).did();
    CHECK(bench.done("ParcelMoved", 2).did() == "parks event behind");
    CHECK(bench.failed("OrderCancelled").did() == "unparks step note retry, wakes event behind");
    CHECK(bench.retry().did() == "unparks event behind");
    CHECK(bench.journal() == "note/1 tombstone, note/2 tombstone");
}

// ---- deadlines ----------------------------------------------------------------------------------

TEST_CASE("expect: asks when the time is up, once") {
    Bench bench{payment()};
    bench.done("StockReserved").answer("take").did();
    CHECK(bench.timer("take").did() == "drops timer of take, fire take, done ShippingOverdue");
    CHECK(bench.stored().timers.empty());
}

TEST_CASE("expect: a deadline stays what it is when a new build declares it in another place") {
    Declared one("payment"), other("payment");
    one.step("take", {"Reserved"}, {"Taken"})
        .expect({"Shipped"}, "Overdue")
        .expect({"Packed", "Sorted"}, "Unpacked")
        .expect({"Shipped"}, "Overdue");
    other.step("take", {"Reserved"}, {"Taken"})
        .expect({"Sorted", "Packed"}, "Unpacked")
        .expect({"Shipped"}, "Overdue");
    const detail::StepCode& before = one.contract().steps.front();
    const detail::StepCode& after = other.contract().steps.front();
    CHECK(core::deadline_of(before, 0) == core::deadline_of(after, 1));
    CHECK(core::deadline_of(before, 1) == core::deadline_of(after, 0));
    CHECK(core::deadline_of(before, 0) != core::deadline_of(before, 2));
    CHECK(core::find_deadline(after, core::deadline_of(before, 1)) == &after.expects.front());
    CHECK(core::find_deadline(after, core::deadline_of(before, 2)) == nullptr);
    // Ids are made of it. Never change.
    CHECK(core::deadline_of(after, 1) == 57684);
}

TEST_CASE("expect: asks nobody once the event has come, before or after") {
    Bench after{payment()};
    after.done("StockReserved").answer("take").did();
    CHECK(after.done("OrderShipped").did() == "drops timer of take");
    CHECK(after.done("OrderShipped").did() == "");

    Bench before{payment()};
    CHECK(before.done("OrderShipped").did() == "");
    CHECK(before.done("StockReserved").answer("take").did() ==
          "run take, asks for take, settle take, done PaymentTaken");
    CHECK(before.stored().timers.empty());
}

TEST_CASE("expect: is forgotten when the saga fails or ends") {
    Bench failed{payment()};
    failed.done("StockReserved").answer("take").did();
    CHECK(failed.failed("OrderCancelled").did() == "drops timers, undo take, asks for undo take");

    Bench ended{payment()};
    ended.done("StockReserved").answer("take").did();
    CHECK(ended.ended("OrderConfirmed").did() == "drops timers");

    Bench late{payment()};
    late.done("StockReserved").ended("OrderConfirmed").did();
    CHECK(late.answer("take").did() == "settle take, done PaymentTaken");
}

TEST_CASE(
    "expect: one that throws waits, blocks nobody, and is forgotten with the saga's failure") {
    Bench bench{payment()};
    bench.done("StockReserved").answer("take").did();
    bench.next("fire take", threw(), 2);
    CHECK(bench.timer("take").did() == "drops timer of take, fire take, parks timer take retry");
    CHECK(bench.backoff().did() == "fire take, parks timer take retry");
    CHECK(bench.failed("OrderCancelled").did() ==
          "unparks timer take retry, undo take, asks for undo take");
}

TEST_CASE("expect: one that waits for another attempt is forgotten when the event comes") {
    Bench bench{payment()};
    bench.done("StockReserved").answer("take").next("fire take", threw()).timer("take").did();
    CHECK(bench.done("OrderShipped").did() == "unparks timer take retry");
    Bench ended{payment()};
    ended.done("StockReserved").answer("take").next("fire take", threw()).timer("take").did();
    CHECK(ended.ended("OrderConfirmed").did() == "unparks timer take retry");
}
