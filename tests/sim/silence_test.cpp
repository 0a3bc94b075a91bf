// A call that nobody answers, while its process is killed for other reasons.
#include <doctest/doctest.h>

#include "saga/core/limits.hpp"
#include "saga/store/statement.hpp"
#include "shop_events.hpp"
#include "tests/sim/shop.hpp"

using namespace saga;
using namespace saga::sim;
using namespace std::chrono_literals;

namespace {

/// The shop, with one order whose payment the bank does not answer.
struct Shop {
    Schedule schedule;
    Broker broker{schedule};
    Bank bank{Chance(1).branch("bank")};
    std::vector<std::unique_ptr<Machine>> machines =
        shop_machines(schedule, broker, bank, Chance(1).branch("machines"), {}, Keys::calm, 1);
    Customer customer{schedule, broker, Chance(1).branch("customer")};
    Machine& order = *machines[0];
    Machine& payment = *machines[2];

    Shop() {
        bank.credit(1'000'000);
        bank.habits.unheard = 1;
        broker.make_assets();
        for (const auto& machine : machines) machine->start();
        const shop::StockProduct delivery{
            .delivery_id = "d", .sku = "tea", .name = "Tea", .units = 9};
        customer.ask("inventory", "stock", "d", detail::pack(delivery), 100);
        until([&] { return customer.idle(); });
        place("o");
        until([&] { return value(payment, "SELECT count(*) FROM calls") == 1; });
        pass(1s);
    }
    void place(const std::string& id) {
        const shop::Line line{.sku = "tea", .quantity = 1, .unit_price_cents = 100};
        const shop::PlaceOrder order{.order_id = id, .customer_id = "ann", .lines = {line}};
        customer.ask("order", "place", id, detail::pack(order), 100);
    }
    template <class Met>
    void until(const Met& met) {
        const Steady last = schedule.now() + 2min;
        while (!met()) REQUIRE(schedule.step(last));
    }
    void pass(Duration time) {
        const Steady last = schedule.now() + time;
        while (schedule.step(last)) {
        }
    }
    static std::int64_t value(Machine& machine, std::string_view select) {
        store::Statement statement(machine.store().db(), select);
        return store::number(statement);
    }
};

}  // namespace

/// Sum of what is counted against the call.
constexpr auto kCounted = "SELECT ifnull(sum(times), 0) FROM attempts WHERE item LIKE 'perform %'";

TEST_CASE("silence: a call that was there at a death is alone while it may kill again") {
    Shop shop;
    shop.payment.end(Death::kill);
    shop.payment.start();
    shop.until([&] { return Shop::value(shop.payment, kCounted) == core::kEarlyDeath; });
    shop.payment.end(Death::kill);
    shop.place("p");
    shop.pass(1s);  // its stock is reserved, and payment is not there to see it
    shop.payment.start();
    const auto calls = [&] { return Shop::value(shop.payment, "SELECT count(*) FROM calls"); };
    shop.until([&] { return Shop::value(shop.payment, kCounted) == 2 * core::kEarlyDeath; });
    shop.pass(core::kCallSurvives * 3 / 4);
    CHECK(calls() == 1);
    shop.pass(core::kCallSurvives);
    CHECK(Shop::value(shop.payment, kCounted) == core::kEarlyDeath + 1);
    shop.until([&] { return calls() == 2; });
}

TEST_CASE("silence: a call at whose beginning the process dies is given up, at last") {
    Shop shop;
    const auto dead = [&] { return shop.payment.store().parked.count(true); };
    for (int deaths = 1; deaths <= core::kMaxCallCrashes; ++deaths) {
        shop.payment.end(Death::kill);
        shop.payment.start();
        shop.until(
            [&] { return Shop::value(shop.payment, kCounted) == deaths * core::kEarlyDeath; });
        CHECK(dead() == 0);
    }
    shop.payment.end(Death::kill);
    shop.payment.start();
    shop.until([&] { return dead() == 1; });
}

TEST_CASE("silence: who is killed meanwhile gives no call up") {
    Shop shop;
    for (int deaths = 1; deaths <= 2 * core::kMaxCrashes; ++deaths) {
        shop.payment.end(Death::kill);
        shop.payment.start();
        shop.until([&] {  // it is made again, and has been on its way for a while
            return Shop::value(shop.payment, "SELECT ifnull(sum(times), 0) FROM attempts") ==
                   deaths;
        });
    }
    shop.bank.habits.unheard = 0;
    shop.until([&] {
        return Shop::value(shop.order, "SELECT count(*) FROM orders WHERE state = 'confirmed'") ==
               1;
    });
    CHECK(shop.payment.store().parked.count(true) == 0);
}
