#include "services/shipping/shipping.hpp"

#include <doctest/doctest.h>

#include <saga/scenario.hpp>

#include "shop_events.hpp"

using namespace shop;
using namespace std::chrono_literals;
using saga::testing::Scenario;

namespace {
const OrderRequested kOrder{.order_id = "o1",
                            .customer_id = "ann",
                            .lines = {{.sku = "tea", .quantity = 2, .unit_price_cents = 300},
                                      {.sku = "jam", .quantity = 1, .unit_price_cents = 300}},
                            .total_cents = 900};
const PaymentTaken kTaken{
    .order_id = "o1", .customer_id = "ann", .amount_cents = 900, .charge_id = "C-7"};
const OrderShipped kShipped{.order_id = "o1", .parcel = "P-o1"};
const CancelRequested kCancel{.order_id = "o1"};
const OrderCancelled kCancelled{.order_id = "o1", .reason = "somebody cancelled it"};
const CancelRefused kTooLate{.order_id = "o1", .reason = "it has shipped"};
constexpr auto kParcels = "SELECT count(*) FROM parcel";

OrderRequested of_units(int units) {
    OrderRequested order = kOrder;
    order.lines = {{.sku = "tea", .quantity = units - 1}, {.sku = "jam", .quantity = 1}};
    return order;
}
}  // namespace

TEST_CASE("shipping: ships what is ordered and paid, whichever is heard first") {
    Scenario paid_first{shipping_service()};
    paid_first.given(kTaken).given(kOrder);
    CHECK(paid_first.emitted(kShipped));
    CHECK(paid_first.quiet());

    Scenario s{shipping_service()};
    s.given(kOrder);
    CHECK(s.quiet());
    s.given(kTaken);
    CHECK(s.emitted(kShipped));
    CHECK(s.quiet());
    CHECK(s.value("SELECT units FROM parcel") == 3);
}
TEST_CASE("shipping: the carrier takes 120 units and no more") {
    Scenario most{shipping_service()};
    most.given(of_units(120)).given(kTaken);
    CHECK(most.emitted(kShipped));

    Scenario s{shipping_service()};
    s.given(of_units(121)).given(kTaken);
    CHECK(s.emitted(
        ShippingRefused{.order_id = "o1", .reason = "the carrier takes 120 units at most"}));
    CHECK(s.quiet());
    CHECK(s.value(kParcels) == 0);
}
TEST_CASE("shipping: a cancellation before the parcel stops it, one after it does not") {
    Scenario early{shipping_service()};
    early.given(kOrder).given(kCancel).given(kTaken);
    CHECK(early.emitted(kCancelled));
    CHECK(early.quiet());
    CHECK(early.value(kParcels) == 0);

    Scenario late{shipping_service()};
    late.given(kTaken).given(kOrder).given(kCancel).given(ShippingOverdue{.order_id = "o1"});
    CHECK(late.emitted(kShipped));
    CHECK(late.emitted(kTooLate));
    CHECK(late.quiet());
    CHECK(late.value(kParcels) == 1);
}
TEST_CASE("shipping: a cancellation heard before the order itself stops it") {
    Scenario s{shipping_service()};
    s.given(kCancel).given(kTaken).given(kOrder);
    CHECK(s.emitted(kCancelled));
    CHECK(s.quiet());
    CHECK(s.value(kParcels) == 0);
}
TEST_CASE("shipping: gives up what waited too long, once, and not what shipped") {
    Scenario s{shipping_service()};
    s.given(kOrder).given(ShippingOverdue{.order_id = "o1"}).given(kTaken).given(kCancel);
    CHECK(s.emitted(OrderCancelled{.order_id = "o1", .reason = "it waited too long"}));
    CHECK(s.quiet());
    CHECK(s.value(kParcels) == 0);
}
TEST_CASE("shipping: an order that failed elsewhere is never shipped") {
    Scenario s{shipping_service()};
    s.given_failed(PaymentDeclined{.order_id = "o1"}).given(kOrder).given(kTaken).given(kCancel);
    CHECK(s.quiet());
    CHECK(s.value(kParcels) == 0);
}
TEST_CASE("shipping: cancelled while the parcel cannot be written, it waits its turn") {
    Scenario s{shipping_service()};
    s.sql("CREATE TRIGGER broken BEFORE INSERT ON parcel BEGIN SELECT raise(ABORT, 'no'); END");
    s.given(kOrder).given(kTaken).given(kCancel);
    CHECK(s.quiet());
    s.sql("DROP TRIGGER broken").elapse(1h);
    CHECK(s.emitted(kShipped));  // it came first
    CHECK(s.emitted(kTooLate));
    CHECK(s.quiet());
    CHECK(s.value(kParcels) == 1);
}
TEST_CASE("shipping: a failure while the parcel cannot be written is the end of it") {
    Scenario s{shipping_service()};
    s.sql("CREATE TRIGGER broken BEFORE INSERT ON parcel BEGIN SELECT raise(ABORT, 'no'); END");
    s.given(kOrder).given(kTaken).given_failed(PaymentDeclined{.order_id = "o1"});
    s.sql("DROP TRIGGER broken").elapse(1h);
    CHECK(s.quiet());
    CHECK(s.value(kParcels) == 0);
}
