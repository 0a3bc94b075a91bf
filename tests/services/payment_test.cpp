#include "services/payment/payment.hpp"

#include <doctest/doctest.h>

#include <saga/scenario.hpp>

#include "shop_events.hpp"

using namespace shop;
using namespace std::chrono_literals;
using saga::testing::Scenario;

namespace {
const StockReserved kOrder{.order_id = "o1", .customer_id = "ann", .total_cents = 900};
const Charge kCharge{.customer_id = "ann", .amount_cents = 900};
const Receipt kReceipt{.charge_id = "c7"};
const PaymentTaken kTaken{
    .order_id = "o1", .customer_id = "ann", .amount_cents = 900, .charge_id = "c7"};
const Refund kRefund{.charge_id = "c7", .amount_cents = 900};
const PaymentRefunded kRefunded{.order_id = "o1", .amount_cents = 900};
const ShippingRefused kRefused{.order_id = "o1", .reason = "too heavy"};
}  // namespace

TEST_CASE("payment: charges the customer once at the bank") {
    Scenario s{payment_service()};
    s.given(kOrder);
    CHECK(s.called(kCharge));
    CHECK(s.answer(kReceipt).emitted(kTaken));
    CHECK(s.quiet());
    CHECK(s.value("SELECT cents FROM payment") == 900);
}
TEST_CASE("payment: declines when the bank declines, and keeps no row") {
    Scenario s{payment_service()};
    s.given(kOrder).answer(Receipt{.declined = "no credit"});
    CHECK(s.emitted(PaymentDeclined{.order_id = "o1", .reason = "no credit"}));
    CHECK(s.quiet());
    CHECK(s.value("SELECT count(*) FROM payment") == 0);
}
TEST_CASE("payment: refunds when shipping refuses") {
    Scenario s{payment_service()};
    s.given(kOrder).answer(kReceipt).given_failed(kRefused);
    CHECK(s.emitted(kTaken));
    CHECK(s.called(kRefund));
    CHECK(s.answer(Receipt{}).emitted(kRefunded));
    CHECK(s.quiet());
}
TEST_CASE("payment: an order that failed first is never charged") {
    Scenario s{payment_service()};
    s.given_failed(kRefused).given(kOrder);
    CHECK(s.quiet());
}
TEST_CASE("payment: a failure during the charge waits for the bank, then refunds") {
    Scenario s{payment_service()};
    s.given(kOrder).given_failed(kRefused);
    CHECK(s.called(kCharge));
    CHECK(s.answer(kReceipt).emitted(kTaken));
    CHECK(s.called(kRefund));
    CHECK(s.answer(Receipt{}).emitted(kRefunded));
    CHECK(s.quiet());
}
TEST_CASE("payment: asks again, and charges once, when the bank is silent") {
    Scenario s{payment_service()};
    s.given(kOrder).silence().silence().answer(kReceipt);
    CHECK(s.emitted(kTaken));
    CHECK(s.quiet());
}
TEST_CASE("payment: reminds shipping after 30 silent minutes, once") {
    Scenario s{payment_service()};
    s.given(kOrder).answer(kReceipt).elapse(29min);
    CHECK(s.emitted(kTaken));
    CHECK(s.quiet());
    CHECK(s.elapse(1min).emitted(ShippingOverdue{.order_id = "o1"}));
    CHECK(s.elapse(24h).quiet());
}
TEST_CASE("payment: reminds nobody once the order shipped, or failed") {
    Scenario shipped{payment_service()};
    shipped.given(kOrder).answer(kReceipt).given(OrderShipped{.order_id = "o1"}).elapse(30min);
    CHECK(shipped.emitted(kTaken));
    CHECK(shipped.quiet());

    Scenario failed{payment_service()};
    failed.given(kOrder).answer(kReceipt).given_failed(kRefused).answer(Receipt{}).elapse(30min);
    CHECK(failed.emitted(kTaken));
    CHECK(failed.emitted(kRefunded));
    CHECK(failed.quiet());
}
TEST_CASE("payment: a customer without credit is declined, and nobody is refunded") {
    Scenario s{payment_service()};
    s.given(kOrder).answer(Receipt{.declined = "not enough credit"});
    s.given_failed(OrderCancelled{.order_id = "o1"});
    CHECK(s.emitted(PaymentDeclined{.order_id = "o1", .reason = "not enough credit"}));
    CHECK(s.quiet());
}
TEST_CASE("payment: a failure during a charge that the bank declines refunds nothing") {
    Scenario s{payment_service()};
    s.given(kOrder).given_failed(OrderCancelled{.order_id = "o1"});
    s.silence().elapse(1min).answer(Receipt{.declined = "no credit"});
    CHECK(s.emitted(PaymentDeclined{.order_id = "o1", .reason = "no credit"}));
    CHECK(s.quiet());
    CHECK(s.value("SELECT count(*) FROM payment") == 0);
}
TEST_CASE("payment: a refund that the bank refuses is asked for until it does not") {
    Scenario s{payment_service()};
    s.given(kOrder).answer(kReceipt).given_failed(kRefused);
    CHECK(s.emitted(kTaken));
    s.answer(Receipt{.declined = "closed today"});
    CHECK(s.value("SELECT count(*) FROM payment WHERE refunded = 0") == 1);
    s.elapse(1min);
    CHECK(s.called(kRefund));
    CHECK(s.answer(Receipt{}).emitted(kRefunded));
    CHECK(s.quiet());
    CHECK(s.value("SELECT refunded FROM payment") == 900);
}
TEST_CASE("payment: a failure while a taken payment cannot be written refunds it") {
    Scenario s{payment_service()};
    s.sql("CREATE TRIGGER broken BEFORE INSERT ON payment BEGIN SELECT raise(ABORT, 'no'); END");
    s.given(kOrder).answer(kReceipt).given_failed(kRefused);
    s.sql("DROP TRIGGER broken").elapse(10min);
    CHECK(s.called(kCharge));
    CHECK(s.answer(kReceipt).emitted(kTaken));
    CHECK(s.called(kRefund));
    CHECK(s.answer(Receipt{}).emitted(kRefunded));
    CHECK(s.quiet());
}
TEST_CASE("payment: the largest order is charged to the cent") {
    Scenario s{payment_service()};
    StockReserved order = kOrder;
    order.total_cents = 1'000'000'000'000'000'000;
    s.given(order);
    CHECK(s.called(Charge{.customer_id = "ann", .amount_cents = order.total_cents}));
    s.answer(kReceipt);
    CHECK(s.value("SELECT cents = 1000000000000000000 FROM payment") == 1);
}
TEST_CASE("payment: text that is none charges nobody") {
    Scenario s{payment_service()};
    StockReserved order = kOrder;
    order.customer_id = "ann\xFF";
    s.given(order);
    CHECK(s.dead("no sound table"));
    CHECK(s.quiet());
}
TEST_CASE("payment: says nothing that nobody would read, and asks again") {
    Scenario s{payment_service()};
    s.given(kOrder);
    s.answer(Receipt{.declined = "no\xFF"}).elapse(1min);
    CHECK(s.called(kCharge));
    s.answer(kReceipt);
    CHECK(s.emitted(kTaken));
    CHECK(s.quiet());
}
