// Shipping hands a paid order to the carrier: from then on the order holds. It owns this pivot, and
// so it alone decides whether a cancellation or a delay comes in time.
//
//   ship     OrderRequested and PaymentTaken -> OrderShipped | ShippingRefused    the pivot
//   stop     CancelRequested                 -> CancelRefused | OrderCancelled
//   give_up  ShippingOverdue                 -> nothing, or OrderCancelled

#include "services/shipping/shipping.hpp"

#include "shop_events.hpp"

using namespace shop;

namespace {

constexpr auto kTables = R"sql(
    CREATE TABLE parcel (
        order_id TEXT PRIMARY KEY,
        units    INTEGER NOT NULL CHECK (units > 0)
    ) STRICT;
)sql";
constexpr auto kShip = "INSERT INTO parcel VALUES (?1, ?2)";
constexpr auto kShipped = "SELECT 1 FROM parcel WHERE order_id = ?1";
constexpr auto kBooks = R"sql(
    SELECT order_id, units FROM parcel
     WHERE order_id > ?1 ORDER BY order_id LIMIT 1000)sql";  // a page: what follows ?1
constexpr std::int64_t kMostUnits = 120;                     // of one parcel: the carrier's limit

saga::Outcome<OrderShipped, ShippingRefused> ship(saga::Tx& tx, const OrderRequested& order,
                                                  const PaymentTaken&) {
    std::int64_t units = 0;
    for (const Line& line : order.lines) units += line.quantity;
    if (units > kMostUnits) {
        return ShippingRefused{.order_id = order.order_id,
                               .reason = "the carrier takes 120 units at most"};
    }
    tx.exec(kShip, order.order_id, units);
    return OrderShipped{.order_id = order.order_id, .parcel = "P-" + order.order_id};
}

saga::Outcome<CancelRefused, OrderCancelled> stop(saga::Tx& tx, const CancelRequested& cancel) {
    if (tx.find<std::int64_t>(kShipped, cancel.order_id)) {
        return CancelRefused{.order_id = cancel.order_id, .reason = "it has shipped"};
    }
    return OrderCancelled{.order_id = cancel.order_id, .reason = "somebody cancelled it"};
}

saga::Outcome<void, OrderCancelled> give_up(saga::Tx& tx, const ShippingOverdue& overdue) {
    if (tx.find<std::int64_t>(kShipped, overdue.order_id)) return {};
    return OrderCancelled{.order_id = overdue.order_id, .reason = "it waited too long"};
}

}  // namespace

saga::Service shipping_service() {
    saga::Service service{"shipping", kTables};
    service.step("ship", ship).pivot();
    service.step("stop", stop).keeps();
    service.step("give_up", give_up).keeps();
    service.question("books", kBooks);
    service.by_saga("parcel", "order_id");
    return service;
}
