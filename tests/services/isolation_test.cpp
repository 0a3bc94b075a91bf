// What docs/isolation.md shows and the shop does not need: payment that keeps its own credit lines.
#include <doctest/doctest.h>

#include <saga/saga.hpp>
#include <saga/scenario.hpp>

#include "shop_events.hpp"

using namespace shop;
using saga::testing::Scenario;

namespace {

constexpr auto kTables = R"sql(
    CREATE TABLE credit (
        customer_id TEXT PRIMARY KEY,
        cents       INTEGER NOT NULL,
        version     INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE looked (
        order_id TEXT PRIMARY KEY,
        version  INTEGER NOT NULL
    ) STRICT;
)sql";
constexpr auto kLook =
    "INSERT INTO looked SELECT ?1, version FROM credit WHERE customer_id = ?2 AND cents >= ?3";
constexpr auto kTake = R"sql(
    UPDATE credit SET cents = cents - ?2, version = version + 1
     WHERE customer_id = ?1 AND version = (SELECT version FROM looked WHERE order_id = ?3))sql";
constexpr auto kGiveBack = R"sql(
    UPDATE credit SET cents = cents + ?2, version = version + 1 WHERE customer_id = ?1)sql";
constexpr std::int64_t kLarge = 100'000;

void look(saga::Tx& tx, const OrderRequested& order) {
    if (order.total_cents >= kLarge) tx.lock({"credit " + order.customer_id});
    tx.exec(kLook, order.order_id, order.customer_id, order.total_cents);
}

saga::Outcome<PaymentTaken, PaymentDeclined> take(saga::Tx& tx, const StockReserved& order) {
    if (tx.exec(kTake, order.customer_id, order.total_cents, order.order_id) == 0)
        return PaymentDeclined{.order_id = order.order_id, .reason = "the credit has changed"};
    return PaymentTaken{.order_id = order.order_id,
                        .customer_id = order.customer_id,
                        .amount_cents = order.total_cents};
}

PaymentRefunded give_back(saga::Tx& tx, const PaymentTaken& taken) {
    tx.exec(kGiveBack, taken.customer_id, taken.amount_cents);
    return PaymentRefunded{.order_id = taken.order_id, .amount_cents = taken.amount_cents};
}

saga::Service credit_payment() {
    saga::Service service{"payment", kTables};
    service.step("look", look).keeps();
    service.step("take", take).undo(give_back);
    return service;
}

OrderRequested requested(std::int64_t cents) {
    return {.order_id = "o1", .customer_id = "ann", .lines = {}, .total_cents = cents};
}
StockReserved reserved(std::int64_t cents) {
    return {.order_id = "o1", .customer_id = "ann", .total_cents = cents};
}

}  // namespace

TEST_CASE("isolation: what was read and has changed since is not written over") {
    for (const bool changed : {false, true}) {
        Scenario s{credit_payment()};
        s.sql("INSERT INTO credit VALUES ('ann', 1000, 7)");
        s.given(requested(900));
        if (changed) s.sql("UPDATE credit SET cents = 300, version = 8");
        s.given(reserved(900));
        if (changed) {
            CHECK(s.emitted(PaymentDeclined{.order_id = "o1", .reason = "the credit has changed"}));
            CHECK(s.value("SELECT cents FROM credit") == 300);
        } else {
            CHECK(s.emitted(
                PaymentTaken{.order_id = "o1", .customer_id = "ann", .amount_cents = 900}));
            CHECK(s.value("SELECT cents FROM credit") == 100);
        }
    }
}

TEST_CASE("isolation: an order locks what it is worth") {
    for (const std::int64_t cents : {kLarge - 1, kLarge}) {
        Scenario s{credit_payment()};
        s.sql("INSERT INTO credit VALUES ('ann', 200000, 7)");
        s.given(requested(cents));
        CHECK(s.value("SELECT count(*) FROM locks") == (cents < kLarge ? 0 : 1));
        s.given(reserved(cents));
        CHECK(
            s.emitted(PaymentTaken{.order_id = "o1", .customer_id = "ann", .amount_cents = cents}));
        s.given_failed(ShippingRefused{.order_id = "o1", .reason = "too heavy"});
        CHECK(s.emitted(PaymentRefunded{.order_id = "o1", .amount_cents = cents}));
        CHECK(s.value("SELECT count(*) FROM locks") == 0);
        CHECK(s.value("SELECT cents FROM credit") == 200'000);
    }
}
