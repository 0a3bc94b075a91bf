// The floor: what disk and broker take of the shop's four services, five events and one call for an
// order that is confirmed, or that stock is too short for, when nothing else is done. The same
// messages and bytes, the shop's own tables, and one table each for journal, outbox and cursor;
// each service reads just what its contract reads.
//
//   floor SERVICE NATS_URL FOLDER      order, inventory, payment or shipping; until SIGTERM
#include <fmt/format.h>

#include <charconv>
#include <iostream>
#include <saga/detail/event_type.hpp>

#include "shop_events.hpp"
#include "tests/bench/floor/loop.hpp"

namespace {

using namespace bench;
using namespace shop;
using saga::core::Envelope;
using saga::detail::pack;
using saga::detail::unpack;

std::vector<std::string> reads(std::string_view service, std::vector<std::string> others) {
    std::vector<std::string> filters{"saga.*.failed.>", "saga.*.ended.>"};
    others.push_back(fmt::format("{}.done", service));
    others.push_back(fmt::format("{}.undone", service));
    for (const std::string& other : others) filters.push_back(fmt::format("saga.{}.>", other));
    return filters;
}

std::vector<std::byte> copy(std::string_view body) {
    const Bytes bytes = std::as_bytes(std::span(body));
    return {bytes.begin(), bytes.end()};
}

constexpr auto kOrders = R"sql(
    CREATE TABLE commands (
        saga TEXT PRIMARY KEY, fingerprint BLOB NOT NULL, event_id BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE orders (
        id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, total_cents INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('open', 'confirmed', 'rejected')),
        reason TEXT NOT NULL
    ) STRICT;)sql";

void run_order(const std::string& url, const std::string& folder) {
    Loop loop("order", url, folder, kOrders);
    Prepared accept(loop.db(), "INSERT INTO commands VALUES (?1, ?2, ?3)");
    Prepared open(loop.db(), "INSERT INTO orders VALUES (?1, ?2, ?3, 'open', '')");
    Prepared confirm(loop.db(), "UPDATE orders SET state = 'confirmed' WHERE id = ?1");
    Prepared reject(loop.db(), "UPDATE orders SET state = 'rejected', reason = ?2 WHERE id = ?1");
    const auto end = [&](const Envelope& e, const Out& out, Bytes payload) {
        loop.journal(e.saga, out.step, e.id);
        loop.emit(&e, e.saga, out, payload);
    };
    loop.run({.filters =
                  reads("order", {"shipping.done.OrderShipped", "shipping.undone.OrderShipped",
                                  "shipping.done.CancelRefused", "shipping.undone.CancelRefused"}),
              .event =
                  [&](const Envelope& e) {
                      if (e.type.ends_with(".OrderRequested")) {
                          const auto asked = unpack<OrderRequested>(e.payload);
                          loop.journal(e.saga, "open", e.id);
                          open(std::string_view(asked.order_id),
                               std::string_view(asked.customer_id), asked.total_cents);
                      } else if (e.type.ends_with(".OrderShipped")) {
                          confirm(e.saga);
                          end(e, {"shop.order.OrderConfirmed", "confirm", saga::Kind::ended},
                              pack(OrderConfirmed{.order_id = std::string(e.saga)}));
                      } else if (e.type.ends_with(".StockShort")) {
                          reject(e.saga, std::string_view("StockShort"));
                          end(e, {"shop.order.OrderRejected", "reject", saga::Kind::ended},
                              pack(OrderRejected{.order_id = std::string(e.saga),
                                                 .reason = "StockShort"}));
                      }
                  },
              .requests = "saga-ctl.order.place",
              .request =
                  [&](std::string_view body) {
                      auto asked = unpack<PlaceOrder>(copy(body));
                      std::int64_t total = 0;
                      for (const Line& line : asked.lines)
                          total += line.quantity * line.unit_price_cents;
                      const std::string id = asked.order_id;
                      const EventId event =
                          loop.emit(nullptr, id, {"shop.order.OrderRequested", "place"},
                                    pack(OrderRequested{.order_id = id,
                                                        .customer_id = std::move(asked.customer_id),
                                                        .lines = std::move(asked.lines),
                                                        .total_cents = total}));
                      accept(std::string_view(id), event,
                             event);  // a fingerprint has as many bytes
                      return fmt::format(R"({{"accepted":"OrderRequested","saga":"{}"}})", id);
                  }});
}

void run_inventory(const std::string& url, const std::string& folder) {
    Loop loop("inventory", url, folder, R"sql(
        CREATE TABLE product (
            sku TEXT PRIMARY KEY, name TEXT NOT NULL, units INTEGER NOT NULL CHECK (units >= 0)
        ) STRICT;
        INSERT INTO product VALUES ('THING', 'Thing', 1000000000);
        CREATE TABLE reserved (
            order_id TEXT NOT NULL, sku TEXT NOT NULL REFERENCES product,
            units INTEGER NOT NULL CHECK (units > 0)
        ) STRICT;
        CREATE INDEX reserved_by_order ON reserved (order_id);)sql");
    Prepared take(loop.db(),
                  "UPDATE product SET units = units - ?2 WHERE sku = ?1 AND units >= ?2");
    Prepared set_aside(loop.db(), "INSERT INTO reserved VALUES (?1, ?2, ?3)");
    loop.run({.filters =
                  reads("inventory", {"order.done.OrderRequested", "order.undone.OrderRequested"}),
              .event =
                  [&](const Envelope& e) {
                      if (!e.type.ends_with(".OrderRequested")) return;
                      const auto asked = unpack<OrderRequested>(e.payload);
                      for (const Line& line : asked.lines) {
                          const std::int64_t units = line.quantity;
                          if (take(std::string_view(line.sku), units) == 0) {
                              loop.journal(e.saga, "reserve", e.id);
                              return void(loop.emit(
                                  &e, e.saga,
                                  {"shop.inventory.StockShort", "reserve", saga::Kind::failed},
                                  pack(StockShort{.order_id = asked.order_id, .sku = line.sku})));
                          }
                          set_aside(e.saga, std::string_view(line.sku), units);
                      }
                      const auto reserved = pack(StockReserved{.order_id = asked.order_id,
                                                               .customer_id = asked.customer_id,
                                                               .total_cents = asked.total_cents});
                      loop.journal(e.saga, "reserve", e.id, reserved);
                      loop.emit(&e, e.saga, {"shop.inventory.StockReserved", "reserve"}, reserved);
                  },
              .requests = {},
              .request = {}});
}

void run_payment(const std::string& url, const std::string& folder) {
    Loop loop("payment", url, folder, R"sql(
        CREATE TABLE payment (
            order_id TEXT PRIMARY KEY, charge_id TEXT NOT NULL, cents INTEGER NOT NULL
            CHECK (cents >= 0), refunded INTEGER NOT NULL DEFAULT 0) STRICT;
        CREATE TABLE calls (saga TEXT PRIMARY KEY, event BLOB NOT NULL, question BLOB NOT NULL)
            STRICT, WITHOUT ROWID;
        CREATE TABLE timers (saga TEXT PRIMARY KEY, due INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE INDEX timers_due ON timers (due);)sql");
    Prepared call(loop.db(), "INSERT INTO calls VALUES (?1, ?2, ?3)");
    Prepared called(loop.db(), "DELETE FROM calls WHERE saga = ?1 RETURNING event");
    Prepared taken(loop.db(),
                   "INSERT INTO payment (order_id, charge_id, cents) VALUES (?1, ?2, ?3)");
    Prepared expect(loop.db(), "INSERT INTO timers VALUES (?1, ?2)");
    Prepared in_time(loop.db(), "DELETE FROM timers WHERE saga = ?1");
    const auto settle = [&](const std::string& saga, std::string_view answer) {
        const auto receipt = unpack<Receipt>(copy(answer));
        if (!receipt.declined.empty()) throw std::runtime_error(receipt.declined);
        const std::vector<std::byte> event = called.blob(std::string_view(saga));
        const auto read = saga::core::decode(event);
        const auto& e = std::get<Envelope>(read);
        const auto reserved = unpack<StockReserved>(e.payload);
        const auto payload = pack(PaymentTaken{.order_id = saga,
                                               .customer_id = reserved.customer_id,
                                               .amount_cents = reserved.total_cents,
                                               .charge_id = receipt.charge_id});
        taken(std::string_view(saga), std::string_view(receipt.charge_id), reserved.total_cents);
        expect(std::string_view(saga), std::int64_t{1} << 60);
        loop.journal(saga, "take", e.id, payload);
        loop.emit(&e, saga, {"shop.payment.PaymentTaken", "take"}, payload);
    };
    loop.run({.filters = reads("payment",
                               {"inventory.done.StockReserved", "inventory.undone.StockReserved",
                                "shipping.done.OrderShipped", "shipping.undone.OrderShipped"}),
              .event =
                  [&](const Envelope& e) {
                      if (e.type.ends_with(".OrderShipped")) in_time(e.saga);
                      if (!e.type.ends_with(".StockReserved")) return;
                      const auto reserved = unpack<StockReserved>(e.payload);
                      const auto question = pack(Charge{.customer_id = reserved.customer_id,
                                                        .amount_cents = reserved.total_cents});
                      call(e.saga, Bytes(saga::core::encode(e)), Bytes(question));
                      loop.ask("bank.charge", question,
                               [&settle, saga = std::string(e.saga)](std::string_view answer) {
                                   settle(saga, answer);
                               });
                  },
              .requests = {},
              .request = {}});
}

void run_shipping(const std::string& url, const std::string& folder) {
    Loop loop("shipping", url, folder, R"sql(
        CREATE TABLE parcel (
            order_id TEXT PRIMARY KEY, units INTEGER NOT NULL CHECK (units > 0)
        ) STRICT;
        CREATE TABLE arrived (saga TEXT PRIMARY KEY, event BLOB NOT NULL) STRICT, WITHOUT ROWID;
    )sql");
    Prepared keep(loop.db(), "INSERT INTO arrived VALUES (?1, ?2)");
    Prepared first(loop.db(), "DELETE FROM arrived WHERE saga = ?1 RETURNING event");
    Prepared ship(loop.db(), "INSERT INTO parcel VALUES (?1, ?2)");
    loop.run({.filters = reads("shipping",
                               {"order.done.OrderRequested", "order.undone.OrderRequested",
                                "order.done.CancelRequested", "order.undone.CancelRequested",
                                "payment.done.PaymentTaken", "payment.undone.PaymentTaken",
                                "payment.done.ShippingOverdue", "payment.undone.ShippingOverdue"}),
              .event =
                  [&](const Envelope& e) {
                      // Its sequence in the stream orders the halves: the request is always first.
                      if (e.type.ends_with(".OrderRequested"))
                          return void(keep(e.saga, Bytes(saga::core::encode(e))));
                      if (!e.type.ends_with(".PaymentTaken")) return;
                      const std::vector<std::byte> half = first.blob(e.saga);
                      const auto read = saga::core::decode(half);
                      const auto asked = unpack<OrderRequested>(std::get<Envelope>(read).payload);
                      std::int64_t units = 0;
                      for (const Line& line : asked.lines) units += line.quantity;
                      ship(e.saga, units);
                      loop.journal(e.saga, "ship", e.id);
                      loop.emit(&e, e.saga, {"shop.shipping.OrderShipped", "ship"},
                                pack(OrderShipped{.order_id = asked.order_id,
                                                  .parcel = "P-" + asked.order_id}));
                  },
              .requests = {},
              .request = {}});
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view service = argc == 4 ? argv[1] : "";
    void (*run)(const std::string&, const std::string&) = service == "order"       ? &run_order
                                                          : service == "inventory" ? &run_inventory
                                                          : service == "payment"   ? &run_payment
                                                          : service == "shipping"  ? &run_shipping
                                                                                   : nullptr;
    if (run == nullptr) {
        fmt::print(stderr, "floor order|inventory|payment|shipping NATS_URL FOLDER\n");
        return 2;
    }
    try {
        run(argv[2], argv[3]);
        return 0;
    } catch (const std::exception& failure) {
        fmt::print(stderr, "floor {}: {}\n", service, failure.what());
        return 1;
    }
}
