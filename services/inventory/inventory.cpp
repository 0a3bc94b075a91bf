// Inventory sets an order's products aside, all or none, and puts them back if the order fails.
//
//   stock    StockProduct   -> ProductStocked                 a command: a delivery arrived
//   shelve   ProductStocked -> (its row)                      once for each delivery
//   reserve  OrderRequested -> StockReserved | StockShort
//   release  StockReserved  -> StockReleased                  when the order fails
//
// What a confirmed order holds has left the house: delivered = on the shelf + held.

#include "services/inventory/inventory.hpp"

#include "shop_events.hpp"

using namespace shop;

namespace {

constexpr auto kTables = R"sql(
    CREATE TABLE product (
        sku   TEXT PRIMARY KEY,
        name  TEXT NOT NULL,
        units INTEGER NOT NULL CHECK (units >= 0)
    ) STRICT;
    CREATE TABLE delivery (
        id    TEXT PRIMARY KEY,
        sku   TEXT NOT NULL,
        units INTEGER NOT NULL CHECK (units >= 0)
    ) STRICT;
    CREATE TABLE reserved (
        order_id TEXT NOT NULL,
        sku      TEXT NOT NULL REFERENCES product,
        units    INTEGER NOT NULL CHECK (units > 0)
    ) STRICT;
    CREATE INDEX reserved_by_order ON reserved (order_id);
)sql";
constexpr auto kDelivered = "INSERT INTO delivery VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
constexpr auto kStock =
    "INSERT INTO product VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET units = units + ?3";
constexpr auto kTake = "UPDATE product SET units = units - ?2 WHERE sku = ?1 AND units >= ?2";
constexpr auto kSetAside = "INSERT INTO reserved VALUES (?1, ?2, ?3)";
constexpr auto kPutBack = R"sql(
    UPDATE product SET units = product.units + back.units
      FROM (SELECT sku, sum(units) AS units FROM reserved WHERE order_id = ?1 GROUP BY sku) AS back
     WHERE product.sku = back.sku)sql";
constexpr auto kForget = "DELETE FROM reserved WHERE order_id = ?1";

// Pages: what follows ?1, in order.
constexpr auto kBooks = R"sql(
    SELECT sku, units, ifnull(d.all_units, 0) AS delivered, ifnull(r.all_units, 0) AS held
      FROM product
      LEFT JOIN (SELECT sku, sum(units) AS all_units FROM delivery GROUP BY sku) d USING (sku)
      LEFT JOIN (SELECT sku, sum(units) AS all_units FROM reserved GROUP BY sku) r USING (sku)
     WHERE sku > ?1 ORDER BY sku LIMIT 1000)sql";
constexpr auto kHeld = R"sql(
    SELECT order_id, sum(units) AS units FROM reserved
     WHERE order_id > ?1 GROUP BY order_id ORDER BY order_id LIMIT 1000)sql";
constexpr auto kDeliveries = "SELECT id FROM delivery WHERE id > ?1 ORDER BY id LIMIT 1000";

saga::Reply<ProductStocked> stock(const saga::View&, const StockProduct& delivery) {
    if (delivery.sku.empty() || delivery.sku.size() > 64)
        return saga::Refused{"invalid", "a sku has 1 to 64 characters"};
    if (delivery.units < 0)
        return saga::Refused{"invalid", "a delivery has no negative units: " + delivery.sku};
    return ProductStocked{.sku = delivery.sku, .name = delivery.name, .units = delivery.units};
}

void shelve(saga::Tx& tx, const ProductStocked& product) {
    if (tx.exec(kDelivered, tx.saga_id(), product.sku, product.units) == 0) return;
    tx.exec(kStock, product.sku, product.name, product.units);
}

saga::Outcome<StockReserved, StockShort> reserve(saga::Tx& tx, const OrderRequested& order) {
    for (const Line& line : order.lines) {
        if (tx.exec(kTake, line.sku, line.quantity) ==
            0) {  // a failure takes the lines before it back
            return StockShort{.order_id = order.order_id, .sku = line.sku};
        }
        tx.exec(kSetAside, order.order_id, line.sku, line.quantity);
    }
    return StockReserved{.order_id = order.order_id,
                         .customer_id = order.customer_id,
                         .total_cents = order.total_cents};
}

StockReleased release(saga::Tx& tx, const StockReserved& reserved) {
    tx.exec(kPutBack, reserved.order_id);
    tx.exec(kForget, reserved.order_id);
    return StockReleased{.order_id = reserved.order_id};
}

}  // namespace

saga::Service inventory_service() {
    saga::Service service{"inventory", kTables};
    service.command("stock", &StockProduct::delivery_id, stock).ends_saga();
    service.on(shelve);
    service.step("reserve", reserve).undo(release);
    service.question("books", kBooks);
    service.question("held", kHeld);
    service.question("deliveries", kDeliveries);
    return service;
}
