// Order takes a customer's order and says, once, how it ended.
//
//   place    PlaceOrder      -> OrderRequested     a command: the first fact of the saga
//   cancel   CancelOrder     -> CancelRequested    a command: shipping decides, it owns the pivot
//   open     OrderRequested  -> (its row)
//   confirm  OrderShipped    -> OrderConfirmed     the end of a saga that held
//   reject   any failure     -> OrderRejected      the end of a saga that did not
//            CancelRefused                         why it was not cancelled

#include "services/order/order.hpp"

#include "shared/money.hpp"
#include "shop_events.hpp"

using namespace shop;

namespace {

constexpr auto kTables = R"sql(
    CREATE TABLE orders (
        id          TEXT PRIMARY KEY,
        customer_id TEXT NOT NULL,
        total_cents INTEGER NOT NULL,
        state       TEXT NOT NULL CHECK (state IN ('open', 'confirmed', 'rejected')),
        reason      TEXT NOT NULL
    ) STRICT;
)sql";
constexpr auto kOpen = "INSERT INTO orders VALUES (?1, ?2, ?3, 'open', '')";
constexpr auto kConfirm = "UPDATE orders SET state = 'confirmed' WHERE id = ?1";
constexpr auto kReject = R"sql(
    INSERT INTO orders VALUES (?1, '', 0, 'rejected', ?2)
        ON CONFLICT DO UPDATE SET state = 'rejected', reason = ?2)sql";
constexpr auto kExplain = "UPDATE orders SET reason = ?2 WHERE id = ?1";
constexpr auto kShow = "SELECT * FROM orders WHERE id = ?1";
constexpr auto kBooks = R"sql(
    SELECT id, customer_id, total_cents, state FROM orders
     WHERE id > ?1 ORDER BY id LIMIT 1000)sql";         // a page: what follows ?1
constexpr int kMostUnits = 1'000'000;                   // of a line
constexpr money::Cents kMostUnitCents = 1'000'000'000;  // a line stays far below 2^63

saga::Reply<OrderRequested> place(const saga::View&, const PlaceOrder& order) {
    if (order.customer_id.empty() || order.customer_id.size() > 64)
        return saga::Refused{"invalid", "a customer's id has 1 to 64 characters"};
    if (order.lines.empty()) return saga::Refused{"invalid", "an order needs a line"};
    std::optional<money::Cents> total = 0;
    for (const Line& line : order.lines) {
        if (line.quantity < 1 || line.quantity > kMostUnits || line.unit_price_cents < 0 ||
            line.unit_price_cents > kMostUnitCents) {
            return saga::Refused{"invalid", "quantity or price out of range: " + line.sku};
        }
        total = money::sum(*total, line.quantity * line.unit_price_cents);
        if (!total) return saga::Refused{"invalid", "the total is more than can be counted"};
    }
    return OrderRequested{.order_id = order.order_id,
                          .customer_id = order.customer_id,
                          .lines = order.lines,
                          .total_cents = *total};
}

saga::Reply<CancelRequested> cancel(const saga::View& db, const CancelOrder& order) {
    if (!db.seen<OrderRequested>())
        return saga::Refused{"unknown", "there is no order " + order.order_id};
    return CancelRequested{.order_id = order.order_id};
}

void open(saga::Tx& tx, const OrderRequested& order) {
    tx.exec(kOpen, order.order_id, order.customer_id, order.total_cents);
}

saga::Outcome<OrderConfirmed> confirm(saga::Tx& tx, const OrderShipped& shipped) {
    // A broker that lost its store gets the events back in whatever order services send them.
    if (tx.exec(kConfirm, shipped.order_id) == 0) return saga::later("the order is not open yet");
    return OrderConfirmed{.order_id = shipped.order_id};
}

OrderRejected reject(saga::Tx& tx, const saga::Failed& failure) {
    tx.exec(kReject, tx.saga_id(), failure.event);
    return OrderRejected{.order_id = tx.saga_id(), .reason = failure.event};
}

void explain(saga::Tx& tx, const CancelRefused& refused) {
    tx.exec(kExplain, refused.order_id, "not cancelled: " + refused.reason);
}

}  // namespace

saga::Service order_service() {
    saga::Service service{"order", kTables};
    service.command("place", &PlaceOrder::order_id, place);
    service.command("cancel", &CancelOrder::order_id, cancel).asks_undo();
    service.step("open", open).keeps();
    service.step("confirm", confirm).ends_saga();
    service.step("reject", reject).ends_saga();
    service.on(explain);
    service.question("show", kShow);
    service.question("books", kBooks);
    service.by_saga("orders", "id");
    return service;
}
