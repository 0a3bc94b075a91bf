#include "services/inventory/inventory.hpp"

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
const StockReserved kReserved{.order_id = "o1", .customer_id = "ann", .total_cents = 900};
const PaymentDeclined kDeclined{.order_id = "o1"};
constexpr auto kShelf = "INSERT INTO product VALUES ('tea', 'Tea', 5), ('jam', 'Jam', 5)";
constexpr auto kTea = "SELECT units FROM product WHERE sku = 'tea'";
constexpr auto kHeld = "SELECT ifnull(sum(units), 0) FROM reserved";

StockProduct delivery(std::string id, std::string sku, int units) {
    return {.delivery_id = std::move(id), .sku = std::move(sku), .name = "A name", .units = units};
}
}  // namespace

TEST_CASE("inventory: all lines or none") {
    Scenario s{inventory_service()};
    s.sql("INSERT INTO product VALUES ('tea', 'Tea', 5), ('jam', 'Jam', 0)").given(kOrder);
    CHECK(s.emitted(StockShort{.order_id = "o1", .sku = "jam"}));
    CHECK(s.quiet());
    CHECK(s.value(kTea) == 5);
    CHECK(s.value(kHeld) == 0);
}
TEST_CASE("inventory: is short of what it does not know") {
    Scenario s{inventory_service()};
    s.given(kOrder);
    CHECK(s.emitted(StockShort{.order_id = "o1", .sku = "tea"}));
    CHECK(s.quiet());
}
TEST_CASE("inventory: a product on two lines is counted together") {
    Scenario s{inventory_service()};
    OrderRequested order = kOrder;
    order.lines = {{.sku = "tea", .quantity = 3}, {.sku = "tea", .quantity = 3}};
    s.sql(kShelf).given(order);
    CHECK(s.emitted(StockShort{.order_id = "o1", .sku = "tea"}));
    CHECK(s.value(kTea) == 5);
}
TEST_CASE("inventory: a delivery counts once, whoever repeats it") {
    Scenario s{inventory_service()};
    CHECK(s.accepted("stock", delivery("d1", "tea", 5)));
    CHECK(s.accepted("stock", delivery("d1", "tea", 5)));
    CHECK(s.refused("stock", delivery("d1", "tea", 6), "conflict"));
    CHECK(s.accepted("stock", delivery("d2", "tea", 2)));
    CHECK(s.value(kTea) == 7);
    CHECK(s.value("SELECT sum(units) FROM delivery") == 7);
}
TEST_CASE("inventory: refuses what is no delivery") {
    Scenario s{inventory_service()};
    CHECK(s.refused("stock", delivery("d1", "tea", -1), "invalid"));
    CHECK(s.refused("stock", delivery("d1", "", 1), "invalid"));
    CHECK(s.refused("stock", delivery("d1", std::string(65, 'x'), 1), "invalid"));
    CHECK(s.refused("stock", delivery("d 1", "tea", 1), "invalid"));
    CHECK(s.refused("stock", CancelOrder{.order_id = "d1"}, "malformed"));
    CHECK(s.accepted("stock", delivery("d1", "tea", 0)));  // known, and none there
    CHECK(s.value(kTea) == 0);
}
TEST_CASE("inventory: puts back what a failed order held, once") {
    Scenario s{inventory_service()};
    s.sql(kShelf).given(kOrder);
    CHECK(s.value(kTea) == 3);
    CHECK(s.value(kHeld) == 3);
    s.given_failed(kDeclined).given_failed(OrderCancelled{.order_id = "o1"});
    CHECK(s.emitted(kReserved));
    CHECK(s.emitted(StockReleased{.order_id = "o1"}));
    CHECK(s.quiet());
    CHECK(s.value(kTea) == 5);
    CHECK(s.value(kHeld) == 0);
}
TEST_CASE("inventory: an order that failed first is never set aside") {
    Scenario s{inventory_service()};
    s.sql(kShelf).given_failed(kDeclined).given(kOrder);
    CHECK(s.quiet());
    CHECK(s.value(kTea) == 5);
}
TEST_CASE("inventory: a failure while the order waits for a broken shelf leaves nothing of it") {
    Scenario s{inventory_service()};
    s.sql(kShelf).sql(
        "CREATE TRIGGER broken BEFORE INSERT ON reserved BEGIN SELECT raise(ABORT, 'no'); END");
    s.given(kOrder).given_failed(kDeclined);
    s.sql("DROP TRIGGER broken").elapse(1h);
    CHECK(s.quiet());
    CHECK(s.value(kTea) == 5);
    CHECK(s.value(kHeld) == 0);
}
TEST_CASE("inventory: goes on where a broken shelf is mended") {
    Scenario s{inventory_service()};
    s.sql(kShelf).sql(
        "CREATE TRIGGER broken BEFORE INSERT ON reserved BEGIN SELECT raise(ABORT, 'no'); END");
    s.given(kOrder).elapse(1s);
    CHECK(s.quiet());
    s.sql("DROP TRIGGER broken").elapse(1min);
    CHECK(s.emitted(kReserved));
    CHECK(s.quiet());
    CHECK(s.value(kHeld) == 3);
}
TEST_CASE("inventory: a release that cannot be written is tried until it can") {
    Scenario s{inventory_service()};
    s.sql(kShelf).given(kOrder);
    CHECK(s.emitted(kReserved));
    s.sql("CREATE TRIGGER broken BEFORE UPDATE ON product BEGIN SELECT raise(ABORT, 'no'); END");
    s.given_failed(kDeclined).elapse(10s);
    CHECK(s.quiet());
    CHECK(s.value(kHeld) == 3);
    s.sql("DROP TRIGGER broken").elapse(1h);
    CHECK(s.emitted(StockReleased{.order_id = "o1"}));
    CHECK(s.quiet());
    CHECK(s.value(kTea) == 5);
}
TEST_CASE("inventory: negative units of a forged order are never set aside") {
    Scenario s{inventory_service()};
    OrderRequested forged = kOrder;
    forged.lines[1].quantity = -1;
    s.sql(kShelf).given(forged).elapse(24h);
    CHECK(s.dead("CHECK constraint failed"));
    CHECK(s.quiet());
    CHECK(s.value("SELECT sum(units) FROM product") == 10);
    CHECK(s.value(kHeld) == 0);
}
