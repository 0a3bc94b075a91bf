// What every service's books say, read page by page.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "services/shop/command.hpp"
#include "shop_events.hpp"

namespace shop {

/// Every row of a question that answers a page of what follows its argument, in the order of the
/// column `key`. Throws saga::Error.
void for_each_row(saga::Client& client, std::string_view service, const std::string& verb,
                  const char* key, const std::function<void(const nlohmann::json& row)>& on_row);

/// How a service is, as its verb `state` says.
struct ServiceState {
    std::string name, trouble;
    bool ready = false;
    std::uint64_t cursor = 0;  ///< it has read the stream up to here
    std::int64_t lag = 0, unsettled = 0, parked = 0, dead = 0, aside = 0, timers = 0, calls = 0;
};

struct Books {
    struct Order {
        std::string state;
        std::int64_t total_cents = 0;
        bool operator==(const Order&) const = default;
    };
    struct Payment {
        std::string charge_id;
        std::int64_t cents = 0, refunded = 0;
        bool operator==(const Payment&) const = default;
    };
    struct Product {
        std::int64_t units = 0, delivered = 0, held = 0;
        bool operator==(const Product&) const = default;
    };
    struct Word {
        saga::EventId id;
        std::string event;
        auto operator<=>(const Word&) const = default;
    };
    std::map<std::string, Order> orders;  // by order, as the next four
    std::map<std::string, Payment> payments;
    std::map<std::string, std::int64_t> parcels;    // units
    std::map<std::string, std::int64_t> held;       // units
    std::map<std::string, std::vector<Word>> ends;  // each once; of deliveries too
    std::map<std::string, Product> products;        // by sku
    BankBooks bank;                                 // its sums
    std::map<std::string, BankCharge> charges;      // by charge
    std::vector<ServiceState> services;
};

std::vector<ServiceState> read_states(saga::Client& client);
/// Without the states. Throws saga::Error; may be asked again.
Books read_books(saga::Client& client);

}  // namespace shop
