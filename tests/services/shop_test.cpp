#include <doctest/doctest.h>

#include <saga/scenario.hpp>

#include "services/inventory/inventory.hpp"
#include "services/order/order.hpp"
#include "services/shipping/shipping.hpp"
#include "shop_events.hpp"

using namespace shop;
using saga::testing::Scenario;

namespace {
const PlaceOrder kPlace{.order_id = "o1",
                        .customer_id = "ann",
                        .lines = {{.sku = "tea", .quantity = 2, .unit_price_cents = 300},
                                  {.sku = "jam", .quantity = 1, .unit_price_cents = 300}}};
const OrderRequested kOrder{
    .order_id = "o1", .customer_id = "ann", .lines = kPlace.lines, .total_cents = 900};
const PaymentTaken kTaken{
    .order_id = "o1", .customer_id = "ann", .amount_cents = 900, .charge_id = "c7"};
}  // namespace

TEST_CASE("order: opens and confirms") {
    Scenario s{order_service()};
    CHECK(s.refused("cancel", CancelOrder{.order_id = "o1"}, "unknown"));
    CHECK(s.accepted("place", kPlace));
    CHECK(s.emitted(kOrder));
    s.given(OrderShipped{.order_id = "o1"});
    CHECK(s.emitted(OrderConfirmed{.order_id = "o1"}));
    CHECK(s.quiet());
    CHECK(s.value("SELECT state = 'confirmed' FROM orders") == 1);
}
TEST_CASE("order: rejects once, also when the failure comes first") {
    Scenario s{order_service()};
    s.given_failed(StockShort{.order_id = "o1", .sku = "jam"})
        .given(kOrder)
        .given_failed(OrderCancelled{.order_id = "o1"});
    CHECK(s.emitted(OrderRejected{.order_id = "o1", .reason = "StockShort"}));
    CHECK(s.quiet());
    CHECK(s.value("SELECT count(*) FROM orders WHERE state = 'rejected'") == 1);
}
TEST_CASE("order: refuses a line of nothing") {
    Scenario s{order_service()};
    PlaceOrder none = kPlace;
    none.lines[0].quantity = -1;
    CHECK(s.refused("place", none, "invalid"));
    CHECK(s.quiet());
}
TEST_CASE("inventory: all lines or none") {
    Scenario s{inventory_service()};
    s.sql("INSERT INTO product VALUES ('tea', 'Tea', 5), ('jam', 'Jam', 0)").given(kOrder);
    CHECK(s.emitted(StockShort{.order_id = "o1", .sku = "jam"}));
    CHECK(s.value("SELECT units FROM product WHERE sku = 'tea'") == 5);
    CHECK(s.value("SELECT count(*) FROM reserved") == 0);
}
TEST_CASE("inventory: puts back what a failed order held, once") {
    Scenario s{inventory_service()};
    CHECK(s.accepted("stock",
                     StockProduct{.delivery_id = "d1", .sku = "tea", .name = "Tea", .units = 5}));
    CHECK(s.accepted("stock",
                     StockProduct{.delivery_id = "d2", .sku = "jam", .name = "Jam", .units = 5}));
    s.given(kOrder)
        .given_failed(PaymentDeclined{.order_id = "o1"})
        .given_failed(OrderCancelled{.order_id = "o1"});
    CHECK(s.value("SELECT units FROM product WHERE sku = 'tea'") == 5);
    CHECK(s.value("SELECT count(*) FROM reserved") == 0);
}
TEST_CASE("shipping: a cancellation before the parcel stops it, one after it does not") {
    Scenario early{shipping_service()};
    early.given(kOrder).given(CancelRequested{.order_id = "o1"}).given(kTaken);
    CHECK(early.emitted(OrderCancelled{.order_id = "o1", .reason = "the customer cancelled"}));
    CHECK(early.quiet());

    Scenario late{shipping_service()};
    late.given(kTaken)
        .given(kOrder)
        .given(CancelRequested{.order_id = "o1"})
        .given(ShippingOverdue{.order_id = "o1"});
    CHECK(late.emitted(OrderShipped{.order_id = "o1", .parcel = "P-o1"}));
    CHECK(late.emitted(CancelRefused{.order_id = "o1", .reason = "it has shipped"}));
    CHECK(late.quiet());
}
