#include "services/shop/audit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "shared/money.hpp"

namespace shop {
namespace {

class Auditor {
  public:
    explicit Auditor(const Books& books) : books_(books) {}

    Audit run() {
        bank();
        payments();
        for (const auto& [id, order] : books_.orders) this->order(id, order);
        strangers(books_.payments, "payment");
        strangers(books_.parcels, "shipping");
        strangers(books_.held, "inventory");
        stock();
        money();
        return std::move(audit_);
    }

  private:
    template <class... Args>
    void wrong(fmt::format_string<Args...> text, Args&&... args) {
        audit_.violations.push_back(fmt::format(text, std::forward<Args>(args)...));
    }
    /// Adds; an overflow is a violation of its own.
    void add(std::int64_t& to, std::int64_t amount) {
        if (const auto sum = money::sum(to, amount))
            to = *sum;
        else
            wrong("a sum of the books is more than 64 bits hold");
    }

    void bank();
    void payments();
    void order(const std::string& id, const Books::Order& order);
    void confirmed(const std::string& id, const Books::Order& order);
    void rejected(const std::string& id);
    void last_word(const std::string& id, const Books::Order& order);
    template <class Map>
    void strangers(const Map& map, const char* service);
    void stock();
    void money();

    const Books& books_;
    Audit audit_;
};

void Auditor::bank() {
    const BankBooks& sums = books_.bank;
    std::int64_t charged = 0, refunded = 0, charges = 0, refunds = 0;
    for (const auto& [id, charge] : books_.charges) {
        ++charges;
        add(charged, charge.amount_cents);
        add(refunded, charge.refunded_cents);
        if (charge.refunded_cents != 0) ++refunds;
        if (charge.refunded_cents != 0 && charge.refunded_cents != charge.amount_cents)
            wrong("the bank charged {} with {} and refunded {} of it", id,
                  money::text(charge.amount_cents), money::text(charge.refunded_cents));
    }
    if (charges != sums.charges || charged != sums.charged_cents)
        wrong("the bank counts {} charges of {} together, and lists {} of {}", sums.charges,
              money::text(sums.charged_cents), charges, money::text(charged));
    if (refunds != sums.refunds || refunded != sums.refunded_cents)
        wrong("the bank counts {} refunds of {} together, and lists {} of {}", sums.refunds,
              money::text(sums.refunded_cents), refunds, money::text(refunded));
    audit_.credit_cents = sums.credit_cents;
    audit_.balance_cents = sums.balance_cents;
    add(audit_.bank_cents, charged);
    add(audit_.bank_cents, -refunded);
    std::int64_t accounted = sums.balance_cents;
    add(accounted, audit_.bank_cents);
    if (accounted != sums.credit_cents)
        wrong("the bank gave {} of credit, and balances with net charges make {}",
              money::text(sums.credit_cents), money::text(accounted));
}

/// Each payment is one charge of the bank, each charge one payment.
void Auditor::payments() {
    std::set<std::string> used;
    for (const auto& [id, payment] : books_.payments) {
        add(audit_.paid_cents, payment.cents);
        add(audit_.paid_cents, -payment.refunded);
        if (!used.insert(payment.charge_id).second)
            wrong("two orders were paid with charge {}, one of them is {}", payment.charge_id, id);
        const auto charge = books_.charges.find(payment.charge_id);
        if (charge == books_.charges.end()) {
            wrong("payment has charge {} for order {}, and the bank does not know it",
                  payment.charge_id, id);
        } else if (charge->second.amount_cents != payment.cents ||
                   charge->second.refunded_cents != payment.refunded) {
            wrong("order {} paid {} and got back {}, and the bank says {} and {}", id,
                  money::text(payment.cents), money::text(payment.refunded),
                  money::text(charge->second.amount_cents),
                  money::text(charge->second.refunded_cents));
        }
    }
    for (const auto& [id, charge] : books_.charges)
        if (!used.contains(id))
            wrong("the bank charged {} with {} ({}), and payment has no order for it",
                  charge.customer_id, money::text(charge.amount_cents), id);
}

void Auditor::order(const std::string& id, const Books::Order& order) {
    ++audit_.orders;
    if (order.state == "open") {
        ++audit_.open;
        return wrong("order {} is still open", id);
    }
    if (order.state == "confirmed")
        confirmed(id, order);
    else
        rejected(id);
    last_word(id, order);
}

void Auditor::confirmed(const std::string& id, const Books::Order& order) {
    ++audit_.confirmed;
    add(audit_.confirmed_cents, order.total_cents);
    const auto payment = books_.payments.find(id);
    if (payment == books_.payments.end())
        wrong("order {} is confirmed and was not paid", id);
    else if (payment->second.refunded != 0)
        wrong("order {} is confirmed and its payment was refunded", id);
    else if (payment->second.cents != order.total_cents)
        wrong("order {} is confirmed for {} and paid with {}", id, money::text(order.total_cents),
              money::text(payment->second.cents));
    const auto parcel = books_.parcels.find(id);
    const auto held = books_.held.find(id);
    if (parcel == books_.parcels.end()) wrong("order {} is confirmed and was not shipped", id);
    if (held == books_.held.end()) wrong("order {} is confirmed and has no stock", id);
    if (parcel != books_.parcels.end() && held != books_.held.end() &&
        parcel->second != held->second)
        wrong("order {} took {} units off the shelf and shipped {}", id, held->second,
              parcel->second);
}

void Auditor::rejected(const std::string& id) {
    ++audit_.rejected;
    const auto payment = books_.payments.find(id);
    if (payment != books_.payments.end() && payment->second.refunded != payment->second.cents)
        wrong("order {} is rejected, and of the {} that it paid {} came back", id,
              money::text(payment->second.cents), money::text(payment->second.refunded));
    if (books_.parcels.contains(id)) wrong("order {} is rejected and was shipped", id);
    if (books_.held.contains(id)) wrong("order {} is rejected and still holds stock", id);
}

void Auditor::last_word(const std::string& id, const Books::Order& order) {
    const auto words = books_.ends.find(id);
    if (words == books_.ends.end()) {
        ++audit_.forgotten;
        return;
    }
    if (words->second.size() > 1)
        wrong("order {} has ended {} times: {} and {}", id, words->second.size(),
              words->second[0].event, words->second[1].event);
    const char* expected = order.state == "confirmed" ? "OrderConfirmed" : "OrderRejected";
    for (const Books::Word& word : words->second)
        if (word.event != expected)
            wrong("order {} is {} in order's books, and its saga ended with {}", id, order.state,
                  word.event);
}

template <class Map>
void Auditor::strangers(const Map& map, const char* service) {
    for (const auto& [id, row] : map)
        if (!books_.orders.contains(id))
            wrong("{} has order {} in its books, and order has not", service, id);
}

void Auditor::stock() {
    std::int64_t held = 0;
    for (const auto& [sku, product] : books_.products) {
        add(audit_.delivered, product.delivered);
        add(audit_.on_shelf, product.units);
        add(audit_.held, product.held);
        if (product.units < 0) wrong("of {} there are {} units on the shelf", sku, product.units);
        if (product.delivered != product.units + product.held)
            wrong("of {} {} units were delivered, and {} are on the shelf and {} held", sku,
                  product.delivered, product.units, product.held);
    }
    for (const auto& [id, units] : books_.held) add(held, units);
    for (const auto& [id, units] : books_.parcels) add(audit_.shipped, units);
    if (held != audit_.held)
        wrong("orders hold {} units, and products say that {} are held", held, audit_.held);
    if (audit_.shipped != audit_.held)
        wrong("orders hold {} units, and {} were shipped", audit_.held, audit_.shipped);
}

void Auditor::money() {
    if (audit_.confirmed_cents != audit_.paid_cents)
        wrong("confirmed orders come to {}, and payments less refunds to {}",
              money::text(audit_.confirmed_cents), money::text(audit_.paid_cents));
    if (audit_.paid_cents != audit_.bank_cents)
        wrong("payments less refunds come to {}, and the bank's net charges to {}",
              money::text(audit_.paid_cents), money::text(audit_.bank_cents));
}

}  // namespace

Audit audit(const Books& books) {
    return Auditor(books).run();
}

std::vector<std::string> unrest(const std::vector<ServiceState>& services) {
    std::vector<std::string> reasons;
    const auto count = [&](const ServiceState& service, std::int64_t number, const char* what) {
        if (number != 0) reasons.push_back(fmt::format("{} has {} {}", service.name, number, what));
    };
    std::uint64_t furthest = 0;
    for (const ServiceState& each : services) furthest = std::max(furthest, each.cursor);
    for (const ServiceState& each : services) {
        if (!each.ready)
            reasons.push_back(fmt::format("{} is not ready: {}", each.name, each.trouble));
        if (each.cursor < furthest)
            reasons.push_back(fmt::format("{} has read the stream to {}, and others to {}",
                                          each.name, each.cursor, furthest));
        count(each, each.lag, "events to read");
        count(each, each.unsettled, "events on their way to the stream");
        count(each, each.parked - each.dead, "parked events: `saga services` shows why");
        count(each, each.dead + each.aside, "dead letters: see `saga dlq ls`");
        count(each, each.calls, "calls without an answer");
        count(each, each.timers, "timers running");
    }
    return reasons;
}

bool moves(const std::vector<ServiceState>& services) {
    std::vector<ServiceState> living = services;
    for (ServiceState& each : living) {
        each.parked -= each.dead;
        each.dead = each.aside = 0;
    }
    return !unrest(living).empty();
}

}  // namespace shop
