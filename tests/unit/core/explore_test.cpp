// The executable models of the rules, run through the rules themselves.
#include "tests/unit/core/explore.hpp"

#include <doctest/doctest.h>

using namespace saga;
using namespace saga::test;

namespace {

/// Shipping decides a race between a cancellation and the parcel: it owns the pivot.
std::function<bool(const Stored&)> once_done(const std::string& step) {
    return [step](const Stored& stored) {
        const core::StepRow* row = stored.step(step);
        return row != nullptr && row->state == core::StepState::done;
    };
}

/// The shop of services/, with its join, its last words, its deadline and its two-way calls.
Landscape shop() {
    Declared order("order"), inventory("inventory"), payment("payment"), shipping("shipping");
    order.step("open", {"OrderRequested"}).keeps();
    order.step("confirm", {"OrderShipped"}, {"OrderConfirmed"}).ends_saga();
    order.step("reject", {"*failed"}, {"OrderRejected"}).ends_saga();
    inventory.step("reserve", {"OrderRequested"}, {"StockReserved"}, {"StockShort"})
        .undo("StockReleased");
    payment.step("take", {"StockReserved"}, {"PaymentTaken"}, {"PaymentDeclined"})
        .calls()
        .undo("PaymentRefunded")
        .undo_calls()
        .expect({"OrderShipped"}, "ShippingOverdue");
    shipping.step("ship", {"OrderRequested", "PaymentTaken"}, {"OrderShipped"}, {"ShippingRefused"})
        .pivot();
    shipping.step("stop", {"CancelRequested"}, {"CancelRefused"}, {"OrderCancelled"}).keeps();
    shipping.step("give_up", {"ShippingOverdue"}, {}, {"OrderOverdue"}).keeps();
    Landscape shop{.services = {order, inventory, payment, shipping},
                   .clients = {{"order", "OrderRequested", ""},
                               {"order", "CancelRequested", "OrderRequested"}}};
    shop.decides = {{"run stop", once_done("ship")}, {"run give_up", once_done("ship")}};
    return shop;
}

/// The same, with nobody who cancels.
Landscape quiet_shop() {
    Landscape landscape = shop();
    landscape.clients.pop_back();
    return landscape;
}

/// One trigger for every step; order takes its order back, inventory prints a label beside the
/// parcel and keeps a read model.
Landscape plain_shop() {
    Declared order("order"), inventory("inventory"), payment("payment"), shipping("shipping");
    order.step("place", {"PlaceOrder"}, {"OrderPlaced"}).undo("OrderRejected");
    order.step("confirm", {"ShipmentBooked"}, {"OrderConfirmed"}).ends_saga();
    inventory.step("reserve", {"OrderPlaced"}, {"StockReserved"}, {"StockRejected"})
        .undo("StockReleased");
    inventory.step("label", {"PaymentTaken"}, {"LabelPrinted"}).undo("LabelVoided");
    inventory.on("PaymentTaken");
    payment.step("take", {"StockReserved"}, {"PaymentTaken"}, {"PaymentDeclined"})
        .calls()
        .undo("PaymentRefunded");
    shipping.step("book", {"PaymentTaken"}, {"ShipmentBooked"}, {"ShipmentRefused"}).pivot();
    shipping.step("stop", {"CancelRequested"}, {"CancelRefused"}, {"OrderCancelled"}).keeps();
    Landscape shop{
        .services = {order, inventory, payment, shipping},
        .clients = {{"order", "PlaceOrder", ""}, {"order", "CancelRequested", "OrderPlaced"}}};
    shop.decides = {{"run stop", once_done("book")}};
    return shop;
}

/// No violation, and not because there was nothing to see.
void check_sound(const Landscape& landscape, std::size_t at_least,
                 std::initializer_list<const char*> ends = {"confirmed", "failed"}) {
    const Report report = explore(landscape);
    INFO(report.text());
    CHECK(report.complete);
    CHECK(report.violations.empty());
    CHECK(report.states >= at_least);
    CHECK(report.ends.size() == ends.size());
    for (const char* end : ends) CHECK(report.ends.contains(end));
}

/// The explorer finds it, and shows a way there.
void check_refuted(const Landscape& landscape, const std::string& violation) {
    const Report report = explore(landscape);
    INFO(report.text());
    REQUIRE(report.violations.contains(violation));
    CHECK(report.violations.at(violation).size() > 2);
}

const std::set<core::Operation> kOperators{core::Operation::retry, core::Operation::skip,
                                           core::Operation::drop};

}  // namespace

TEST_CASE("explore: the shop comes to one end, in every order of things") {
    check_sound(shop(), 360'000);
    check_sound(quiet_shop(), 27'000);
    check_sound(plain_shop(), 3'900);
}

TEST_CASE("explore: after unclean stops, with each undo an item of its own") {
    Landscape landscape = shop();
    landscape.careful = true;
    check_sound(landscape, 550'000);
}

TEST_CASE("explore: handlers of the way forward that throw, park and go dead") {
    Landscape landscape = quiet_shop();
    landscape.throws = {"run open", "run reserve", "run take",
                        "run ship", "run confirm", "run reject"};
    check_sound(landscape, 900'000, {"confirmed", "failed", "waits for an operator"});
}

TEST_CASE("explore: undos, answers and deadlines that throw") {
    Landscape landscape = quiet_shop();
    landscape.throws = {"undo reserve",     "undo take", "settle take",
                        "settle undo take", "fire take", "run reject"};
    check_sound(landscape, 500'000, {"confirmed", "failed", "waits for an operator"});
}

TEST_CASE("explore: steps that wait for something else") {
    Landscape landscape = quiet_shop();
    landscape.says_later = {"run open", "run reserve", "run take",
                            "run ship", "run confirm", "run reject"};
    check_sound(landscape, 40'000, {"confirmed", "failed", "waits for an operator"});
}

TEST_CASE("explore: calls that nobody answers, and operators who act at any moment") {
    Landscape landscape = shop();
    landscape.calls_die = true;
    landscape.operators = kOperators;
    check_sound(landscape, 440'000,
                {"confirmed", "failed", "passed over", "waits for an operator"});
}

TEST_CASE("explore: throwing handlers of the plain shop, with and without an operator") {
    Landscape landscape = plain_shop();
    SUBCASE("forward") {
        landscape.throws = {"run reserve", "run label", "run book", "run confirm"};
    }
    SUBCASE("back") {
        landscape.throws = {"undo place", "undo reserve", "undo label", "undo take"};
    }
    SUBCASE("answer") {
        landscape.throws = {"run take", "settle take"};
    }
    SUBCASE("reaction") {
        landscape.throws = {"react PaymentTaken", "run label"};
    }
    SUBCASE("later") {
        landscape.says_later = {"run reserve", "run label", "run book"};
    }
    check_sound(landscape, 4'000, {"confirmed", "failed", "waits for an operator"});
    landscape.operators = kOperators;
    const Report report = explore(landscape);
    INFO(report.text());
    CHECK(report.complete);
    CHECK(report.violations.empty());
}

// ---- what the explorer must find ----------------------------------------------------------------

TEST_CASE("explore: refutes a deadline that fails the saga by itself") {
    Landscape landscape = plain_shop();
    landscape.services[0].step("expire", {"TimeIsUp"}, {}, {"OrderExpired"}).keeps();
    landscape.clients.push_back({"order", "TimeIsUp", "OrderPlaced"});
    landscape.decides["run expire"] = once_done("confirm");
    check_refuted(landscape, "failed, and standing: shipping.book");
}

TEST_CASE("explore: refutes booking beside the payment") {
    Landscape landscape = plain_shop();
    Declared shipping("shipping");
    shipping.step("book", {"StockReserved"}, {"ShipmentBooked"}, {"ShipmentRefused"}).pivot();
    shipping.step("stop", {"CancelRequested"}, {"CancelRefused"}, {"OrderCancelled"}).keeps();
    landscape.services[3] = shipping;
    check_refuted(landscape, "failed, and standing: shipping.book");
    check_refuted(landscape, "confirmed and failed");
}

TEST_CASE("explore: refutes a forgotten undo") {
    Landscape landscape = plain_shop();
    Declared payment("payment");
    payment.step("take", {"StockReserved"}, {"PaymentTaken"}, {"PaymentDeclined"}).calls();
    landscape.services[2] = payment;
    check_refuted(landscape, "failed, and standing: payment.take");
}

TEST_CASE("explore: refutes a failure that waits behind a parked event") {
    Landscape landscape = plain_shop();
    landscape.throws = {"run label"};
    landscape.failure_waits = true;
    check_refuted(landscape, "failed, and standing: inventory.reserve");
}

TEST_CASE("explore: refutes an event that nobody reads") {
    Landscape landscape = plain_shop();
    Declared shipping("shipping");
    shipping.step("stop", {"CancelRequested"}, {"CancelRefused"}, {"OrderCancelled"}).keeps();
    landscape.services[3] = shipping;
    check_refuted(landscape, "it ends neither way");
}
