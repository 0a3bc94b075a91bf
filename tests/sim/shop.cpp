#include "tests/sim/shop.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "saga/core/envelope.hpp"
#include "saga/core/subject.hpp"
#include "saga/store/statement.hpp"
#include "services/inventory/inventory.hpp"
#include "services/order/order.hpp"
#include "services/payment/payment.hpp"
#include "services/shipping/shipping.hpp"
#include "shop_events.hpp"
#include "tests/sim/moody.hpp"
#include "tests/sim/points.hpp"

namespace saga::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kHurry = 2s;
constexpr runtime::Room kCramped{.unsent = 3, .unsent_bytes = 1'000, .unsettled = 8};
using store::Rows;

constexpr int kAttempts = 200;  // of a request, over some minutes: it outlasts the faults

void read_words(const Broker& broker, shop::Books& books) {
    const Stream* stream = broker.stream(core::kStream);
    if (stream == nullptr) return;
    for (const auto& [seq, message] : stream->messages) {
        const auto read = core::decode(message.bytes);
        const auto* envelope = std::get_if<core::Envelope>(&read);
        if (envelope == nullptr || envelope->kind != Kind::ended ||
            core::spoofed(message.subject, *envelope))
            continue;
        auto& words = books.ends[std::string(envelope->saga)];
        shop::Books::Word word{envelope->id, std::string(detail::split_type(envelope->type).name)};
        if (std::find(words.begin(), words.end(), word) == words.end())
            words.push_back(std::move(word));
    }
}

}  // namespace

void each_row(const Machines& machines, std::string_view service, std::string_view select,
              const std::function<void(const Rows&)>& on_row) {
    for (const auto& machine : machines) {
        if (machine->contract().service != service) continue;
        store::Statement statement(machine->store().db(), select);
        Rows rows = statement.query();
        while (rows.next()) on_row(rows);
    }
}

Machine::Options options_of(const std::set<Fault>& faults) {
    Machine::Options options;
    if (faults.contains(Fault::hurry)) options.deadline = kHurry;
    if (faults.contains(Fault::cramped)) options.room = kCramped;
    return options;
}

Machines shop_machines(Schedule& schedule, Broker& broker, Bank& bank, const Chance& chance,
                       const Machine::Options& options, Keys keys, unsigned shards) {
    Machines machines;
    const auto add = [&](const Service& service, unsigned of = 1) {
        const Contract& contract = service.contract();
        for (unsigned nth = 0; nth < of; ++nth) {
            const core::Instance self{contract.service, {nth, of}};
            machines.push_back(std::make_unique<Machine>(self, contract, schedule, broker, bank,
                                                         chance.branch(self.name()),
                                                         chance.branch(self.service), options));
        }
    };
    add(order_service(), shards);
    add(inventory_service());
    add(payment_service(), shards);
    add(shipping_service(), shards);
    if (keys == Keys::hot) {
        add(points_service());
        add(moody_service());
    }
    return machines;
}

shop::Books shop_books(const std::vector<std::unique_ptr<Machine>>& machines, const Bank& bank,
                       const Broker& broker) {
    shop::Books books;
    each_row(machines, "order", "SELECT id, state, total_cents FROM orders", [&](const Rows& row) {
        books.orders[std::string(row.text(0))] = {std::string(row.text(1)), row.integer(2)};
    });
    each_row(machines, "inventory",
             "SELECT sku, units, (SELECT ifnull(sum(units), 0) FROM delivery WHERE sku = p.sku), "
             "(SELECT ifnull(sum(units), 0) FROM reserved WHERE sku = p.sku) FROM product p",
             [&](const Rows& row) {
                 books.products[std::string(row.text(0))] = {row.integer(1), row.integer(2),
                                                             row.integer(3)};
             });
    each_row(machines, "inventory", "SELECT order_id, sum(units) FROM reserved GROUP BY order_id",
             [&](const Rows& row) { books.held[std::string(row.text(0))] = row.integer(1); });
    each_row(machines, "payment", "SELECT order_id, charge_id, cents, refunded FROM payment",
             [&](const Rows& row) {
                 books.payments[std::string(row.text(0))] = {std::string(row.text(1)),
                                                             row.integer(2), row.integer(3)};
             });
    each_row(machines, "shipping", "SELECT order_id, units FROM parcel",
             [&](const Rows& row) { books.parcels[std::string(row.text(0))] = row.integer(1); });
    books.bank = bank.books();
    for (const shop::BankCharge& charge : books.bank.page)
        books.charges.emplace(charge.charge_id, charge);
    read_words(broker, books);
    return books;
}

// ---- customers ----------------------------------------------------------------------------------

Market::Market(Schedule& schedule, Customer& customer, const Chance& chance, Keys keys)
    : schedule_(schedule), customer_(customer), chance_(chance) {
    if (keys == Keys::calm) return;
    Chance hot = chance.branch("hot");
    customers_ = 1 + hot.below(2);
    skus_ = 1 + hot.below(2);
    rush_ = 1 + static_cast<int>(hot.below(20));
    regret_ = 0.4;
}

void Market::open(int orders, Duration over) {
    for (int sku = 0; sku < static_cast<int>(skus_); ++sku)
        deliver(sku, static_cast<int>(chance_.below(200)));  // some will be out of stock
    for (int nth = 0; nth < orders; ++nth)
        schedule_.in(chance_.between<Duration>(10ms, over) / rush_, [this, nth] { order(nth); });
}

void Market::deliver(int sku, int units) {
    const std::string id = fmt::format("d{}", sku);
    const shop::StockProduct delivery{
        .delivery_id = id, .sku = fmt::format("sku{}", sku), .name = "a thing", .units = units};
    customer_.ask("inventory", "stock", id, detail::pack(delivery), kAttempts);
}

void Market::order(const std::string& id, int sku, bool is_shipped) {
    const shop::PlaceOrder order{.order_id = id,
                                 .customer_id = "c0",
                                 .lines = {{.sku = fmt::format("sku{}", sku),
                                            .quantity = is_shipped ? 1 : kTooLarge,
                                            .unit_price_cents = 10}}};
    customer_.ask("order", "place", order.order_id, detail::pack(order), kAttempts);
}

shop::PlaceOrder Market::draw(const std::string& id) {
    shop::PlaceOrder order{
        .order_id = id, .customer_id = fmt::format("c{}", chance_.below(customers_)), .lines = {}};
    const auto lines = 1 + chance_.below(3);
    for (std::uint64_t i = 0; i < lines; ++i) {
        const bool parcel_too_large = chance_.happens(0.03);
        order.lines.push_back(
            {.sku = fmt::format("sku{}", (chance_.below(skus_) + i) % skus_),
             .quantity = parcel_too_large ? kTooLarge : 1 + static_cast<int>(chance_.below(9)),
             .unit_price_cents = 1 + static_cast<std::int64_t>(chance_.below(500))});
    }
    return order;
}

void Market::order(int nth) {
    const std::string id = fmt::format("o{}", nth);
    const shop::PlaceOrder order = draw(id);
    customer_.ask("order", "place", id, detail::pack(order), kAttempts);
    if (chance_.happens(regret_))
        schedule_.in(chance_.between<Duration>(0ms, 3s), [this, id] {
            customer_.ask("order", "cancel", id, detail::pack(shop::CancelOrder{.order_id = id}),
                          3);
        });
    const auto again = [this, id](shop::PlaceOrder body) {
        schedule_.in(chance_.between<Duration>(0ms, 60s), [this, id, body = std::move(body)] {
            customer_.ask("order", "place", id, detail::pack(body), 3);
        });
    };
    if (chance_.happens(0.1)) again(order);
    if (!chance_.happens(0.05)) return;
    shop::PlaceOrder other = order;
    other.lines.front().quantity += 1;
    again(other);
}

}  // namespace saga::sim
