// What an event is to a service: its roles, in their order.
#include "saga/core/saga.hpp"

#include <doctest/doctest.h>

#include "saga/core/limits.hpp"
#include "tests/unit/core/bench.hpp"
#include "tests/unit/core/services.hpp"

using namespace saga;
using namespace saga::test;

TEST_CASE("saga: a step runs once, however often its event comes") {
    Bench bench{inventory()};
    CHECK(bench.done("OrderPlaced").did() == "run reserve, done StockReserved");
    CHECK(bench.done("OrderPlaced").did() == "");
    CHECK(bench.journal() == "reserve done");
}

TEST_CASE("saga: an event that nothing here is about leaves no trace") {
    Bench bench{inventory()};
    CHECK(bench.done("OrderShipped").did() == "");
    CHECK(bench.stored().saga.key == 0);
}

TEST_CASE("saga: a second event of a step that runs once is a dead letter, and harms nothing") {
    Bench bench{inventory()};
    bench.done("OrderPlaced").did();
    CHECK(
        bench.done("OrderPlaced", 2).did() ==
        "dead letter OrderPlaced for reserve: the step runs once in a saga and belongs to another "
        "event, again: dead letter OrderPlaced for reserve: the step runs once in a saga and "
        "belongs to another event");
    CHECK(bench.journal() == "reserve done");
    CHECK(bench.parked() == "");
}

// ---- the first role of a failure ----------------------------------------------------------------

TEST_CASE("saga: a failure that comes first leaves tombstones where steps would have run") {
    Bench bench{inventory()};
    CHECK(bench.failed("PaymentDeclined").did() == "");
    CHECK(bench.failures() == "PaymentDeclined");
    CHECK(bench.done("OrderPlaced").did() == "");
    CHECK(bench.done("PaymentTaken").did() == "");
    CHECK(bench.journal() == "reserve tombstone, label tombstone");
    CHECK(bench.finished());
}

TEST_CASE("saga: a failure takes back what is done, in the reverse order of the steps") {
    Bench bench{inventory()};
    bench.holds_locks().done("OrderPlaced").done("PaymentTaken").did();
    CHECK_FALSE(bench.finished());
    CHECK(bench.failed("ShippingRefused").did() ==
          "undo label, undone LabelVoided because ShippingRefused, "
          "undo reserve, undone StockReleased because ShippingRefused, releases locks");
    CHECK(bench.journal() == "reserve undone, label undone");
    CHECK(bench.finished());
}

TEST_CASE("saga: a failure needs no type that is known here, and no sound payload") {
    Bench bench{inventory()};
    bench.done("OrderPlaced").did();
    const Given unheard{.name = "Unheard", .kind = Kind::failed, .because = "Unheard"};
    Given unsound = unheard;
    unsound.sound = false;
    CHECK(bench.deliver(unsound).did() == "undo reserve, undone StockReleased because Unheard");
}

TEST_CASE("saga: a failure of a known type acts before its payload is looked at") {
    Declared service = inventory();
    service.step("reject", {"StockShort"}, {"OrderRejected"});
    Bench bench{service};
    bench.done("OrderPlaced").did();
    CHECK(bench.deliver({"StockShort", Kind::failed, 1, "StockShort", 1, false}).did() ==
          "undo reserve, undone StockReleased because StockShort, parks event dead");
    CHECK(bench.parked() == "event StockShort dead");
}

TEST_CASE("saga: what is undone elsewhere tells of the failure behind it") {
    Bench named{inventory()};
    named.done("OrderPlaced").did();
    CHECK(named.undone("PaymentRefunded", "ShippingRefused").did() ==
          "undo reserve, undone StockReleased because ShippingRefused");
    CHECK(named.failures() == "ShippingRefused");
    CHECK(named.failed("ShippingRefused").did() == "");

    Bench unnamed{inventory()};
    unnamed.done("OrderPlaced").did();
    CHECK(unnamed.undone("PaymentRefunded", "").did() ==
          "undo reserve, undone StockReleased because ?");
    CHECK(unnamed.failed("ShippingRefused").did() == "");
    CHECK(unnamed.failures() == "? ShippingRefused");
}

TEST_CASE("saga: a last word with a failure behind it is a failure too") {
    Bench bench{inventory()};
    bench.done("OrderPlaced").did();
    CHECK(bench.ended("OrderRejected", "StockShort").did() ==
          "undo reserve, undone StockReleased because StockShort");
    CHECK(bench.stored().saga.ended_by == "OrderRejected");
}

TEST_CASE("saga: two failures of one saga take a step back once") {
    Bench bench{inventory()};
    bench.done("OrderPlaced").did();
    CHECK(bench.failed("OrderCancelled").did() ==
          "undo reserve, undone StockReleased because OrderCancelled");
    CHECK(bench.failed("PaymentDeclined").did() == "");
    CHECK(bench.failed("PaymentDeclined", 2).did() == "");
    CHECK(bench.failures() == "OrderCancelled PaymentDeclined");
}

TEST_CASE("saga: a service applies its own failure at once, and reading it back changes nothing") {
    Bench bench{inventory()};
    bench.done("OrderPlaced").did();
    bench.next("run label", fails("LabelJammed"));
    CHECK(bench.done("PaymentTaken").did() ==
          "run label, failed LabelJammed, undo reserve, undone StockReleased because LabelJammed");
    CHECK(bench.journal() == "reserve undone, label failed");
    CHECK(bench.failed("LabelJammed").did() == "");
    CHECK(bench.done("PaymentTaken").did() == "");
}

// ---- the end ------------------------------------------------------------------------------------

TEST_CASE("saga: its last word on the way forward finishes it") {
    Bench bench{order()};
    CHECK(bench.done("OrderPlaced").did() == "run open");
    CHECK(bench.holds_locks().done("OrderShipped").did() ==
          "run confirm, ended OrderConfirmed, releases locks");
    CHECK(bench.ended("OrderConfirmed").did() == "");
    CHECK(bench.finished());
}

TEST_CASE("saga: a failure after its end with success is an alarm and undoes nothing") {
    Bench bench{inventory()};
    bench.done("OrderPlaced").ended("OrderConfirmed").did();
    const std::string alarm =
        "dead letter ShippingRefused: its saga has ended with OrderConfirmed: a failure after that "
        "undoes nothing";
    CHECK(bench.failed("ShippingRefused").did() == alarm + ", again: " + alarm);
    CHECK(bench.undone("PaymentRefunded", "ShippingRefused").did().find("dead letter") == 0);
    CHECK(bench.journal() == "reserve done");
    CHECK(bench.failures() == "");
    CHECK(bench.finished());
}

TEST_CASE("saga: a failure of its own after its end with success undoes nothing either") {
    Bench bench{inventory()};
    bench.done("OrderPlaced").ended("OrderConfirmed").did();
    bench.next("run label", fails("LabelJammed"));
    CHECK(bench.done("PaymentTaken").did() == "run label, failed LabelJammed");
    CHECK(bench.journal() == "reserve done, label failed");
    CHECK(bench.failed("LabelJammed").did().find("dead letter LabelJammed: its saga has ended") ==
          0);  // the alarm, when it is read back
    CHECK(bench.journal() == "reserve done, label failed");
}

TEST_CASE("saga: on the way back it has one last word, once, whichever failures come") {
    Bench bench{order()};
    bench.done("OrderPlaced").did();
    CHECK(bench.failed("StockShort").did() == "run reject, ended OrderRejected because StockShort");
    CHECK(bench.failed("PaymentDeclined").did() == "");
    CHECK(bench.failed("StockShort", 2).did() == "");
    CHECK(bench.done("OrderShipped").did() == "");  // too late
    CHECK(bench.journal() == "open done, reject done, confirm tombstone");
    CHECK(bench.finished());
}

TEST_CASE("saga: a second last word on the way forward is a dead letter") {
    Declared service("order");
    service.step("confirm", {"OrderShipped"}, {"OrderConfirmed"}).ends_saga();
    service.step("close", {"OrderDelivered"}, {"OrderClosed"}).ends_saga();
    Bench bench{service};
    bench.done("OrderShipped").did();
    CHECK(bench.done("OrderDelivered")
              .did()
              .find("dead letter OrderDelivered for close: it would end a saga that has ended with "
                    "OrderConfirmed") == 0);
    CHECK(bench.journal() == "confirm done");
}

// ---- who is no event of ours --------------------------------------------------------------------

TEST_CASE("saga: an event of a saga that is older than the journal and unknown is stale") {
    const Time journal_from{std::chrono::hours(2)};
    Bench bench{inventory(), {.journal_from = journal_from}};
    Given old{"OrderPlaced"};
    CHECK(bench.deliver(old).did().find(
              "dead letter OrderPlaced: stale: its saga is older than the journal here") == 0);
    CHECK(bench.failed("PaymentDeclined").did().find("dead letter PaymentDeclined: stale") == 0);
    CHECK(bench.stored().saga.key == 0);

    old.started = journal_from;
    CHECK(bench.deliver(old).did() == "run reserve, done StockReserved");
    Given later{"PaymentTaken"};  // known by now, whatever its envelope says
    CHECK(bench.deliver(later).did() == "run label, done LabelPrinted");
}

TEST_CASE("saga: an event too many hops from the first is not handled, and parks") {
    Bench bench{inventory()};
    Given far{"OrderPlaced"};
    far.hops = core::kMaxHops + 1;
    CHECK(bench.deliver(far).did() == "parks event dead");
    CHECK(bench.journal() == "");
    Given near{"PaymentTaken"};
    near.hops = core::kMaxHops;
    Bench other{inventory()};
    CHECK(other.deliver(near).did() == "run label, done LabelPrinted");
}

TEST_CASE("saga: a failure is heard however many hops it is away") {
    Bench bench{inventory()};
    bench.done("OrderPlaced").did();
    Given far{.name = "PaymentDeclined", .kind = Kind::failed, .because = "PaymentDeclined"};
    far.hops = 0xFFFF;
    CHECK(bench.deliver(far).did() == "undo reserve, undone StockReleased because PaymentDeclined");
}

// ---- reactions ----------------------------------------------------------------------------------

TEST_CASE("saga: reactions come before steps, and each is applied once") {
    Declared service = inventory();
    service.on("OrderPlaced").on("*");
    Bench bench{service};
    CHECK(bench.done("OrderPlaced").did() ==
          "react OrderPlaced, react *, run reserve, done StockReserved");
    CHECK(bench.done("OrderPlaced").did() == "");
    CHECK(bench.done("OrderPlaced", 2).did().find("react OrderPlaced, react *, dead letter") == 0);
    CHECK(bench.done("OrderShipped").did() == "react *");
}

TEST_CASE("saga: reactions are applied in a failed saga, behind the failure's first role") {
    Declared service = inventory();
    service.on("OrderPlaced").on("StockShort");
    Bench bench{service};
    bench.done("OrderPlaced").did();
    CHECK(bench.failed("StockShort").did() ==
          "undo reserve, undone StockReleased because StockShort, react StockShort");
    CHECK(bench.done("OrderPlaced", 2).did().find("react OrderPlaced, dead letter") == 0);
}

TEST_CASE("saga: reactions see a failure that came after the end, steps do not") {
    Declared service = inventory();
    service.on("ShippingRefused").step("tell", {"ShippingRefused"}, {"MailSent"});
    Bench bench{service};
    bench.done("OrderPlaced").ended("OrderConfirmed").did();
    bench.next("react ShippingRefused", threw());
    CHECK(bench.failed("ShippingRefused")
              .did()
              .find("react ShippingRefused, parks reaction ShippingRefused retry") !=
          std::string::npos);
    CHECK(bench.parked() == "reaction ShippingRefused retry");
    CHECK(bench.backoff().did() == "react ShippingRefused, unparks reaction ShippingRefused retry");
    CHECK(bench.journal() == "reserve done");
}

TEST_CASE("saga: no reaction sees an unsound payload, of a failure after the end either") {
    Declared service = inventory();
    service.on("ShippingRefused").on("StockCounted");
    Bench bench{service};
    CHECK(bench.deliver({.name = "StockCounted", .sound = false}).did() == "parks event dead");
    Bench ended{service};
    ended.done("OrderPlaced").ended("OrderConfirmed").did();
    Given unsound{.name = "ShippingRefused", .kind = Kind::failed, .because = "ShippingRefused"};
    unsound.sound = false;
    CHECK(ended.deliver(unsound).did().find("react") == std::string::npos);
}

TEST_CASE("saga: a reaction of a new build is applied to what was read before it, once") {
    Declared service = inventory();
    service.on("OrderPlaced");
    Bench bench{service};
    CHECK(bench.missed({"OrderPlaced"}).did() == "react OrderPlaced");
    CHECK(bench.missed({"PaymentTaken"}).did() == "");
    CHECK(bench.journal() == "");
    CHECK(bench.done("OrderPlaced").did() == "run reserve, done StockReserved");
    CHECK(bench.missed({.name = "OrderPlaced", .number = 2, .sound = false}).did() == "");
    CHECK(bench.missed({.name = "OrderPlaced", .number = 2, .hops = core::kMaxHops + 1}).did() ==
          "");
}
