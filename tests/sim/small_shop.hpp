// The shop without weather: a test says what befalls it, and when.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "saga/core/subject.hpp"
#include "shop_events.hpp"
#include "tests/sim/shop.hpp"

namespace saga::sim {

/// There is tea, credit, and nothing to do.
struct SmallShop {
    Schedule schedule;
    Broker broker{schedule};
    Bank bank{Chance(1).branch("bank")};
    std::vector<std::unique_ptr<Machine>> machines;
    Customer customer{schedule, broker, Chance(1).branch("customer")};
    Machine &order, &inventory, &payment, &shipping;

    explicit SmallShop(const Machine::Options& options = {})
        : machines(shop_machines(schedule, broker, bank, Chance(1).branch("machines"), options,
                                 Keys::calm, 1)),
          order(*machines[0]),
          inventory(*machines[1]),
          payment(*machines[2]),
          shipping(*machines[3]) {
        bank.credit(1'000'000);
        broker.make_assets();
        for (const auto& machine : machines) machine->start();
        const shop::StockProduct delivery{
            .delivery_id = "d", .sku = "tea", .name = "Tea", .units = 99};
        customer.ask("inventory", "stock", "d", detail::pack(delivery), 100);
        rest();
    }
    void place(const std::string& id) {
        const shop::Line line{.sku = "tea", .quantity = 1, .unit_price_cents = 100};
        const shop::PlaceOrder order{.order_id = id, .customer_id = "ann", .lines = {line}};
        customer.ask("order", "place", id, detail::pack(order), 100);
    }
    template <class Met>
    void until(const Met& met) {
        const Steady last = schedule.now() + std::chrono::minutes(5);
        while (!met()) REQUIRE(schedule.step(last));
    }
    void pass(Duration time) {
        const Steady last = schedule.now() + time;
        while (schedule.step(last)) {
        }
    }
    /// Until nothing is left to do.
    void rest() {
        until([&] {
            return customer.idle() && std::ranges::all_of(machines, [&](const auto& machine) {
                       return machine->at_rest(head());
                   });
        });
    }
    std::uint64_t head() const { return broker.stream(core::kStream)->last_seq; }
};

}  // namespace saga::sim
