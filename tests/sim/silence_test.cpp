// A call that nobody answers, while its process is killed for other reasons.
#include <doctest/doctest.h>

#include "saga/core/limits.hpp"
#include "saga/store/statement.hpp"
#include "tests/sim/small_shop.hpp"

using namespace saga;
using namespace saga::sim;
using namespace std::chrono_literals;

namespace {

/// One order's payment is not answered by the bank.
struct Shop : SmallShop {
    Shop() {
        bank.habits.unheard = 1;
        place("o");
        until([&] { return value(payment, "SELECT count(*) FROM calls") == 1; });
        pass(1s);
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
