// Small services that the tests of the rules share: the shop's, with one more step where a test
// needs two.
#pragma once

#include "tests/unit/core/declared.hpp"

namespace saga::test {

/// Two steps that are both taken back.
inline Declared inventory() {
    Declared service("inventory");
    service.step("reserve", {"OrderPlaced"}, {"StockReserved"}, {"StockShort"})
        .undo("StockReleased");
    service.step("label", {"PaymentTaken"}, {"LabelPrinted"}, {"LabelJammed"}).undo("LabelVoided");
    return service;
}

/// Asks the bank, both ways, and waits for the parcel.
inline Declared payment() {
    Declared service("payment");
    service.step("take", {"StockReserved"}, {"PaymentTaken"}, {"PaymentDeclined"})
        .calls()
        .undo("PaymentRefunded")
        .undo_calls()
        .expect({"OrderShipped"}, "ShippingOverdue");
    return service;
}

/// A join that is the pivot.
inline Declared shipping() {
    Declared service("shipping");
    service.step("ship", {"OrderPlaced", "PaymentTaken"}, {"OrderShipped"}, {"ShippingRefused"})
        .pivot();
    return service;
}

/// Says how it ended.
inline Declared order() {
    Declared service("order");
    service.step("open", {"OrderPlaced"}).keeps();
    service.step("confirm", {"OrderShipped"}, {"OrderConfirmed"}).ends_saga();
    service.step("reject", {"*failed"}, {"OrderRejected"}).ends_saga();
    return service;
}

}  // namespace saga::test
