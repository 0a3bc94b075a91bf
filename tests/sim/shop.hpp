// The shop in a simulation: its services, its books, its customers' orders.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "services/shop/books.hpp"
#include "tests/sim/customer.hpp"
#include "tests/sim/faults.hpp"
#include "tests/sim/machine.hpp"

namespace saga::sim {

/// Everybody wants the same: few customers and products, a rush, much regret.
enum class Keys : std::uint8_t { calm, hot };

using Machines = std::vector<std::unique_ptr<Machine>>;

/// What the faults say of the machines themselves.
Machine::Options options_of(const std::set<Fault>& faults);

/// The four services, each on a machine of its own, in an order that stays; with hot keys, behind
/// them, points_service() and moody_service(). Those that can be split are, into `shards`.
Machines shop_machines(Schedule& schedule, Broker& broker, Bank& bank, const Chance& chance,
                       const Machine::Options& options, Keys keys, unsigned shards);

/// Rows of a service's database, of all its shards.
void each_row(const Machines& machines, std::string_view service, std::string_view select,
              const std::function<void(const store::Rows&)>& on_row);

/// Books of all services, which run, as `shop audit` reads them over the wire.
shop::Books shop_books(const std::vector<std::unique_ptr<Machine>>& machines, const Bank& bank,
                       const Broker& broker);

/// What customers do: fill the shelves, order, cancel, ask twice, change their mind under one key.
class Market {
  public:
    Market(Schedule& schedule, Customer& customer, const Chance& chance, Keys keys);
    /// Deliveries now, and so many orders over the time.
    void open(int orders, Duration over);

    static constexpr int kTooLarge = 121;  ///< units: no parcel takes them
    void deliver(int sku, int units);
    /// Of one product that is there, one that is shipped or that the carrier refuses, so that stock
    /// and money go back.
    void order(const std::string& id, int sku, bool is_shipped);

  private:
    void order(int nth);
    shop::PlaceOrder draw(const std::string& id);

    Schedule& schedule_;
    Customer& customer_;
    Chance chance_;
    std::uint64_t customers_ = 5, skus_ = 6;
    int rush_ = 1;  ///< in which part of the time orders come
    double regret_ = 0.15;
};

}  // namespace saga::sim
