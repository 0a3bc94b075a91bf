#include "tests/verify/shop_books.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <saga/error.hpp>

#include "saga/core/envelope.hpp"
#include "saga/store/statement.hpp"
#include "services/shop/audit.hpp"

namespace saga::testing {
namespace {

using store::Rows;

template <class OnRow>
void each_row(const verify::Landscape& landscape, std::string_view service, std::string_view select,
              OnRow on_row) {
    const auto view = std::find_if(landscape.services.begin(), landscape.services.end(),
                                   [&](const auto& each) { return each.service == service; });
    if (view == landscape.services.end()) throw Error(fmt::format("the shop has no {}", service));
    store::Statement statement(view->db, select);
    Rows rows = statement.query();
    while (rows.next()) on_row(rows);
}

void read_bank(const AskBank& ask, shop::Books& books) {
    books.bank = ask({});
    std::vector<shop::BankCharge> page = std::move(books.bank.page);
    books.bank.page.clear();
    while (!page.empty()) {
        std::int64_t after = 0;
        for (shop::BankCharge& charge : page) {
            after = std::max(after, charge.number);
            books.charges.emplace(charge.charge_id, std::move(charge));
        }
        page = ask({.after = after}).page;
    }
}

void read_words(const verify::Landscape& landscape, shop::Books& books) {
    for (const verify::Stored& stored : landscape.stream) {
        const auto read = core::decode(stored.bytes);
        const auto* envelope = std::get_if<core::Envelope>(&read);
        if (envelope == nullptr || envelope->kind != Kind::ended) continue;
        if (core::spoofed(stored.subject, *envelope)) continue;
        auto& words = books.ends[std::string(envelope->saga)];
        shop::Books::Word word{envelope->id, std::string(detail::split_type(envelope->type).name)};
        if (std::find(words.begin(), words.end(), word) == words.end())
            words.push_back(std::move(word));
    }
}

/// What each service's books say in themselves, at any moment.
std::vector<std::string> wrong_alone(const shop::Books& books) {
    std::vector<std::string> wrong;
    for (const auto& [sku, product] : books.products) {
        if (product.units < 0 || product.delivered != product.units + product.held)
            wrong.push_back(fmt::format("of {} {} were delivered, {} are on the shelf and {} held",
                                        sku, product.delivered, product.units, product.held));
    }
    for (const auto& [id, payment] : books.payments)
        if (payment.refunded != 0 && payment.refunded != payment.cents)
            wrong.push_back(fmt::format("order {} paid {} cents, and got back {}", id,
                                        payment.cents, payment.refunded));
    const shop::BankBooks& bank = books.bank;
    if (bank.credit_cents != bank.balance_cents + bank.charged_cents - bank.refunded_cents)
        wrong.push_back(fmt::format("the bank gave {} cents, holds {}, charged {}, gave back {}",
                                    bank.credit_cents, bank.balance_cents, bank.charged_cents,
                                    bank.refunded_cents));
    return wrong;
}

}  // namespace

shop::Books shop_books(const verify::Landscape& landscape, const AskBank& ask) {
    shop::Books books;
    each_row(landscape, "order", "SELECT id, state, total_cents FROM orders", [&](const Rows& row) {
        books.orders[std::string(row.text(0))] = {std::string(row.text(1)), row.integer(2)};
    });
    each_row(landscape, "inventory",
             "SELECT sku, units, (SELECT ifnull(sum(units), 0) FROM delivery WHERE sku = p.sku), "
             "(SELECT ifnull(sum(units), 0) FROM reserved WHERE sku = p.sku) FROM product p",
             [&](const Rows& row) {
                 books.products[std::string(row.text(0))] = {row.integer(1), row.integer(2),
                                                             row.integer(3)};
             });
    each_row(landscape, "inventory", "SELECT order_id, sum(units) FROM reserved GROUP BY order_id",
             [&](const Rows& row) { books.held[std::string(row.text(0))] = row.integer(1); });
    each_row(landscape, "payment", "SELECT order_id, charge_id, cents, refunded FROM payment",
             [&](const Rows& row) {
                 books.payments[std::string(row.text(0))] = {std::string(row.text(1)),
                                                             row.integer(2), row.integer(3)};
             });
    each_row(landscape, "shipping", "SELECT order_id, units FROM parcel",
             [&](const Rows& row) { books.parcels[std::string(row.text(0))] = row.integer(1); });
    read_bank(ask, books);
    read_words(landscape, books);
    return books;
}

std::vector<verify::Violation> check_books(const verify::Landscape& landscape, const AskBank& ask,
                                           const verify::Options& options) {
    const shop::Books books = shop_books(landscape, ask);
    std::vector<verify::Violation> found;
    for (std::string& what : options.at_rest ? shop::audit(books).violations : wrong_alone(books))
        found.push_back({"I3", "", "", std::move(what)});
    return found;
}

}  // namespace saga::testing
