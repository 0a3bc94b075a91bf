// The way back.
#include <doctest/doctest.h>

#include "saga/core/backoff.hpp"
#include "tests/unit/core/bench.hpp"
#include "tests/unit/core/services.hpp"

using namespace saga;
using namespace saga::test;
using core::Part;

TEST_CASE("undo: goes in the reverse order of the steps' ends, not of their beginnings") {
    Declared service("payment");
    service.step("take", {"StockReserved"}, {"PaymentTaken"}).calls().undo("PaymentRefunded");
    service.step("bill", {"OrderPlaced"}, {"BillSent"}).undo("BillRecalled");
    Bench bench{service};
    bench.done("StockReserved").done("OrderPlaced").answer("take").did();
    CHECK(bench.journal() == "bill done, take done");
    CHECK(bench.failed("OrderCancelled").did() ==
          "undo take, undone PaymentRefunded because OrderCancelled, "
          "undo bill, undone BillRecalled because OrderCancelled");
}

TEST_CASE("undo: one that throws does not stop the others, and is tried again") {
    Bench bench{inventory()};
    bench.holds_locks().done("OrderPlaced").done("PaymentTaken").next("undo label", threw(), 2);
    bench.did();
    CHECK(bench.failed("ShippingRefused").did() ==
          "undo label, parks undo label retry, "
          "undo reserve, undone StockReleased because ShippingRefused");
    CHECK(bench.journal() == "reserve undone, label undoing");
    CHECK_FALSE(bench.finished());
    CHECK(bench.backoff().did() == "undo label, parks undo label retry");
    CHECK(bench.failed("PaymentDeclined").did() == "");
    CHECK(bench.backoff().did() ==
          "undo label, unparks undo label retry, undone LabelVoided because ShippingRefused, "
          "releases locks");
    CHECK(bench.finished());
}

TEST_CASE("undo: one that waits holds up nobody") {
    Declared service = inventory();
    service.step("report", {"OrderCancelled"}, {"CancellationNoted"});
    Bench bench{service};
    bench.done("OrderPlaced").next("undo reserve", threw()).did();
    CHECK(bench.failed("OrderCancelled").did() ==
          "undo reserve, parks undo reserve retry, "
          "run report, undone CancellationNoted because OrderCancelled");
}

TEST_CASE("undo: after its last attempt it is failed, and the saga never looks finished") {
    Bench bench{inventory()};
    const int most = core::most_attempts(core::Ladder::undo);
    bench.done("OrderPlaced").next("undo reserve", threw(), most).failed("OrderCancelled");
    for (int attempt = 2; attempt < most; ++attempt) bench.backoff();
    bench.did();
    CHECK(bench.journal() == "reserve undoing");
    CHECK(bench.backoff().did() == "undo reserve, parks undo reserve dead");
    CHECK(bench.journal() == "reserve undo failed");
    CHECK(bench.backoff().did() == "");
    CHECK(bench.failed("PaymentDeclined").did() == "");
    CHECK_FALSE(bench.finished());
}

TEST_CASE("undo: of a call climbs the call's ladder, and never looks finished either") {
    Bench bench{payment()};
    bench.done("StockReserved").answer("take").failed("OrderCancelled").did();
    bench.silence("take", Part::undo);
    CHECK(bench.did() == "parks call take dead");
    CHECK_FALSE(bench.finished());
}

TEST_CASE("undo_on: only the failures that it names") {
    Declared service("inventory");
    service.step("reserve", {"OrderPlaced"}, {"StockReserved"})
        .undo_on({"PaymentDeclined", "ShippingRefused"}, "StockReleased");
    Bench other{service};
    other.done("OrderPlaced").did();
    CHECK(other.failed("OrderCancelled").did() == "");
    CHECK(other.journal() == "reserve done");
    CHECK(other.finished());

    SUBCASE("named by the failure itself") {
        CHECK(other.failed("ShippingRefused").did() ==
              "undo reserve, undone StockReleased because OrderCancelled");
    }
    SUBCASE("named by what is undone elsewhere") {
        CHECK(other.undone("PaymentRefunded", "PaymentDeclined").did() ==
              "undo reserve, undone StockReleased because OrderCancelled");
    }
    SUBCASE("named by the last word") {
        CHECK(other.ended("OrderRejected", "PaymentDeclined").did() ==
              "undo reserve, undone StockReleased because OrderCancelled");
    }
}

TEST_CASE("undo_on: a failure that it does not name tombstones the step all the same") {
    Declared service("inventory");
    service.step("reserve", {"OrderPlaced"}, {"StockReserved"})
        .undo_on({"PaymentDeclined"}, "StockReleased");
    Bench bench{service};
    CHECK(bench.failed("OrderCancelled").done("OrderPlaced").did() == "");
    CHECK(bench.journal() == "reserve tombstone");
}

TEST_CASE("undo_on: a call that was open is settled, and undone only for a failure that it names") {
    Declared service("payment");
    service.step("take", {"StockReserved"}, {"PaymentTaken"})
        .calls()
        .undo_on({"ShippingRefused"}, "PaymentRefunded");
    Bench spared{service};
    spared.done("StockReserved").failed("OrderCancelled").did();
    CHECK(spared.answer("take").did() == "settle take, done PaymentTaken");
    CHECK(spared.finished());

    Bench undone{service};
    undone.done("StockReserved").failed("OrderCancelled").failed("ShippingRefused").did();
    CHECK(undone.answer("take").did() ==
          "settle take, done PaymentTaken, "
          "undo take, undone PaymentRefunded because OrderCancelled");
}

TEST_CASE("undo: what keeps its effect, and the pivot, are left as they are") {
    Declared service("shop");
    service.step("tell", {"OrderPlaced"}, {"MailSent"}).keeps();
    service.step("ship", {"PaymentTaken"}, {"OrderShipped"}).pivot();
    service.step("count", {"StockReserved"}, {"Counted"});
    Bench bench{service};
    bench.done("OrderPlaced").done("PaymentTaken").done("StockReserved").did();
    CHECK(bench.failed("OrderCancelled").did() == "");
    CHECK(bench.journal() == "tell done, ship done, count done");
    CHECK(bench.finished());
}

TEST_CASE("undo: while catching up, one that comes out otherwise waits, and looks again") {
    Bench bench{inventory()};
    bench.done("OrderPlaced").next("undo reserve", unlike()).did();
    CHECK(bench.failed("OrderCancelled").did().find("undo reserve, parks undo reserve unlike") ==
          0);
    CHECK(bench.retry().did() ==
          "undo reserve, unparks undo reserve unlike, "
          "undone StockReleased because OrderCancelled");
}

// ---- after an unclean stop ----------------------------------------------------------------------

TEST_CASE("careful: each undo is an item of its own, still in reverse order") {
    Bench bench{inventory(), {.careful = true}};
    bench.done("OrderPlaced").done("PaymentTaken").did();
    CHECK(bench.failed("OrderCancelled").did() ==
          "parks undo label retry, parks undo reserve retry");
    CHECK(bench.journal() == "reserve undoing, label undoing");
    CHECK(bench.failed("PaymentDeclined").did() == "");
    CHECK(bench.retry().did() ==
          "undo label, unparks undo label retry, undone LabelVoided because OrderCancelled, "
          "undo reserve, unparks undo reserve retry, "
          "undone StockReleased because OrderCancelled");
    CHECK(bench.finished());
}

TEST_CASE("careful: the undo of a call that was open is an item of its own too") {
    Bench bench{payment(), {.careful = true}};
    bench.done("StockReserved").failed("OrderCancelled").did();
    CHECK(bench.answer("take").did() == "settle take, done PaymentTaken, parks undo take retry");
    CHECK(bench.retry().did() == "undo take, unparks undo take retry, asks for undo take");
    CHECK(bench.answer("take", Part::undo).did() ==
          "settle undo take, undone PaymentRefunded because OrderCancelled");
}
