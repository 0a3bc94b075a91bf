// Payment takes an order's money at the bank once its stock is reserved, and gives it back if the
// order fails.
//
//   take    StockReserved -> PaymentTaken | PaymentDeclined    asks the bank
//   refund  PaymentTaken  -> PaymentRefunded                   when the order fails; asks the bank
//   remind  PaymentTaken  -> ShippingOverdue                   if 30 minutes bring no OrderShipped

#include "services/payment/payment.hpp"

#include "shop_events.hpp"

using namespace shop;
using namespace std::chrono_literals;

namespace {

constexpr auto kTables = R"sql(
    CREATE TABLE payment (
        order_id  TEXT PRIMARY KEY,
        charge_id TEXT NOT NULL,
        cents     INTEGER NOT NULL CHECK (cents >= 0),
        refunded  INTEGER NOT NULL DEFAULT 0
    ) STRICT;
)sql";
constexpr auto kTaken = "INSERT INTO payment (order_id, charge_id, cents) VALUES (?1, ?2, ?3)";
constexpr auto kRefunded = "UPDATE payment SET refunded = cents WHERE order_id = ?1";
constexpr auto kBooks = R"sql(
    SELECT order_id, charge_id, cents, refunded FROM payment
     WHERE order_id > ?1 ORDER BY order_id LIMIT 1000)sql";  // a page: what follows ?1

Charge charge(const saga::View&, const StockReserved& order) {
    return Charge{.customer_id = order.customer_id, .amount_cents = order.total_cents};
}
saga::Outcome<PaymentTaken, PaymentDeclined> take(saga::Tx& tx, const StockReserved& order,
                                                  const Receipt& receipt) {
    if (!receipt.declined.empty()) {
        return PaymentDeclined{.order_id = order.order_id, .reason = receipt.declined};
    }
    tx.exec(kTaken, order.order_id, receipt.charge_id, order.total_cents);
    return PaymentTaken{.order_id = order.order_id,
                        .customer_id = order.customer_id,
                        .amount_cents = order.total_cents,
                        .charge_id = receipt.charge_id};
}

Refund refund(const saga::View&, const PaymentTaken& taken) {
    return Refund{.charge_id = taken.charge_id, .amount_cents = taken.amount_cents};
}
PaymentRefunded give_back(saga::Tx& tx, const PaymentTaken& taken, const Receipt& receipt) {
    if (!receipt.declined.empty())
        throw saga::Error("the bank refuses to refund: " + receipt.declined);
    tx.exec(kRefunded, taken.order_id);
    return PaymentRefunded{.order_id = taken.order_id, .amount_cents = taken.amount_cents};
}

ShippingOverdue remind(saga::Tx&, const PaymentTaken& taken) {
    return ShippingOverdue{.order_id = taken.order_id};
}

}  // namespace

saga::Service payment_service() {
    saga::Service service{"payment", kTables};
    service.step("take", saga::call(charge, saga::request<Receipt>("bank.charge"), take))
        .undo(saga::call(refund, saga::request<Receipt>("bank.refund"), give_back))
        .expect<OrderShipped>(30min, remind);
    service.question("books", kBooks);
    service.by_saga("payment", "order_id");
    return service;
}
