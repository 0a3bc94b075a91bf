#include "services/order/order.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <saga/scenario.hpp>

#include "shop_events.hpp"

using namespace shop;
using namespace std::chrono_literals;
using saga::testing::Scenario;

namespace {
const PlaceOrder kPlace{.order_id = "o1",
                        .customer_id = "ann",
                        .lines = {{.sku = "tea", .quantity = 2, .unit_price_cents = 300},
                                  {.sku = "jam", .quantity = 1, .unit_price_cents = 300}}};
const OrderRequested kOrder{
    .order_id = "o1", .customer_id = "ann", .lines = kPlace.lines, .total_cents = 900};
const CancelOrder kCancel{.order_id = "o1"};
const OrderShipped kShipped{.order_id = "o1"};
constexpr auto kConfirmed = "SELECT count(*) FROM orders WHERE state = 'confirmed'";
constexpr auto kRejected = "SELECT count(*) FROM orders WHERE state = 'rejected'";

PlaceOrder with(Line line) {
    PlaceOrder order = kPlace;
    order.lines[1] = std::move(line);
    return order;
}
}  // namespace

TEST_CASE("order: opens and confirms") {
    Scenario s{order_service()};
    CHECK(s.refused("cancel", kCancel, "unknown"));
    CHECK(s.accepted("place", kPlace));
    CHECK(s.emitted(kOrder));
    s.given(kShipped);
    CHECK(s.emitted(OrderConfirmed{.order_id = "o1"}));
    CHECK(s.quiet());
    CHECK(s.value(kConfirmed) == 1);
}
TEST_CASE("order: a shipment that comes before its order waits for it") {
    Scenario s{order_service()};
    s.given(kShipped);
    CHECK(s.quiet());
    s.given(kOrder);
    CHECK(s.emitted(OrderConfirmed{.order_id = "o1"}));
    CHECK(s.value(kConfirmed) == 1);
}
TEST_CASE("order: rejects once, also when the failure comes first") {
    Scenario s{order_service()};
    s.given_failed(StockShort{.order_id = "o1", .sku = "jam"})
        .given(kOrder)
        .given_failed(OrderCancelled{.order_id = "o1"});
    CHECK(s.emitted(OrderRejected{.order_id = "o1", .reason = "StockShort"}));
    CHECK(s.quiet());
    CHECK(s.value(kRejected) == 1);
}
TEST_CASE("order: says why it was rejected") {
    Scenario s{order_service()};
    CHECK(s.accepted("place", kPlace));
    s.given_failed(PaymentDeclined{.order_id = "o1", .reason = "not enough credit"});
    CHECK(s.emitted(kOrder));
    CHECK(s.emitted(OrderRejected{.order_id = "o1", .reason = "PaymentDeclined"}));
    CHECK(s.value("SELECT reason = 'PaymentDeclined' FROM orders") == 1);
}
TEST_CASE("order: the same order again is the same order, another one under its id a conflict") {
    Scenario s{order_service()};
    CHECK(s.accepted("place", kPlace));
    CHECK(s.accepted("place", kPlace));
    CHECK(s.refused("place", with({.sku = "jam", .quantity = 2}), "conflict"));
    CHECK(s.emitted(kOrder));
    CHECK(s.quiet());
    CHECK(s.value("SELECT count(*) FROM orders") == 1);
}
TEST_CASE("order: a cancellation changes nothing here: shipping decides") {
    Scenario s{order_service()};
    CHECK(s.accepted("place", kPlace));
    CHECK(s.accepted("cancel", kCancel));
    CHECK(s.accepted("cancel", kCancel));
    CHECK(s.emitted(kOrder));
    CHECK(s.emitted(CancelRequested{.order_id = "o1"}));
    CHECK(s.quiet());
    CHECK(s.value("SELECT count(*) FROM orders WHERE state = 'open'") == 1);
    s.given_failed(OrderCancelled{.order_id = "o1"});
    CHECK(s.emitted(OrderRejected{.order_id = "o1", .reason = "OrderCancelled"}));
    CHECK(s.quiet());
}
TEST_CASE("order: says why it was not cancelled") {
    Scenario s{order_service()};
    CHECK(s.accepted("place", kPlace));
    s.given(CancelRefused{.order_id = "o1", .reason = "it has shipped"});
    CHECK(s.value("SELECT reason = 'not cancelled: it has shipped' FROM orders") == 1);
    s.given(OrderShipped{.order_id = "o1"});
    CHECK(s.value("SELECT count(*) FROM orders WHERE state = 'confirmed'") == 1);
}
TEST_CASE("order: refuses what is no order") {
    Scenario s{order_service()};
    const std::int32_t most = std::numeric_limits<std::int32_t>::max();
    const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
    for (const int quantity : {0, -1, 1'000'001, most, -most})
        CHECK(s.refused("place", with({.sku = "jam", .quantity = quantity}), "invalid"));
    for (const std::int64_t cents : {std::int64_t{-1}, std::int64_t{1'000'000'001}, huge, -huge})
        CHECK(s.refused("place", with({.sku = "jam", .quantity = 1, .unit_price_cents = cents}),
                        "invalid"));
    PlaceOrder bare = kPlace;
    bare.lines.clear();
    CHECK(s.refused("place", bare, "invalid"));
    PlaceOrder nobodys = kPlace;
    nobodys.customer_id = "";
    CHECK(s.refused("place", nobodys, "invalid"));
    nobodys.customer_id = std::string(65, 'a');
    CHECK(s.refused("place", nobodys, "invalid"));
    PlaceOrder elsewhere = kPlace;
    elsewhere.order_id = "a.b";
    CHECK(s.refused("place", elsewhere, "invalid"));
    CHECK(s.refused("place", kCancel, "malformed"));  // a table, of another request
    PlaceOrder noise = with({.sku = "jam\xFF", .quantity = 1});
    CHECK(s.refused("place", noise, "malformed"));
    CHECK(s.quiet());
}
TEST_CASE("order: counts the largest order there is, and refuses a larger one unread") {
    Scenario s{order_service()};
    const Line line{.sku = "jam", .quantity = 1'000'000, .unit_price_cents = 1'000'000'000};
    PlaceOrder order = kPlace;
    order.lines.assign(1'000, line);
    CHECK(s.accepted("place", order));
    CHECK(s.value("SELECT total_cents = 1000000000000000000 FROM orders") == 1);
    order.order_id = "o2";
    order.lines.assign(10'000, line);
    CHECK(s.refused("place", order, "malformed"));
}
TEST_CASE("order: a failure while its row cannot be written rejects it, once it can be") {
    Scenario s{order_service()};
    s.sql("CREATE TRIGGER broken BEFORE INSERT ON orders BEGIN SELECT raise(ABORT, 'no'); END");
    s.given(kOrder).given_failed(StockShort{.order_id = "o1", .sku = "jam"});
    CHECK(s.quiet());
    s.sql("DROP TRIGGER broken").elapse(1h);
    CHECK(s.emitted(OrderRejected{.order_id = "o1", .reason = "StockShort"}));
    CHECK(s.quiet());
    CHECK(s.value("SELECT count(*) FROM orders") == 1);
    CHECK(s.value(kRejected) == 1);
}
TEST_CASE("order: what comes after the end changes nothing") {
    Scenario s{order_service()};
    s.given(kOrder).given(kShipped);
    CHECK(s.emitted(OrderConfirmed{.order_id = "o1"}));
    s.given_failed(OrderCancelled{.order_id = "o1"});
    CHECK(s.dead("a failure after that undoes nothing"));  // an alarm
    CHECK(s.value(kConfirmed) == 1);
}
