// What the shop's services do for orders that are confirmed: without a broker or a clock, and
// without a disk where no folder is named, so that every run does the same. Prints one JSON object:
// how often memory was asked for, and how many bytes each service's file has grown by, both for one
// order.
//
//   turns ORDERS [FOLDER]
#include <fmt/format.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <nlohmann/json.hpp>

#include "services/inventory/inventory.hpp"
#include "services/order/order.hpp"
#include "services/payment/payment.hpp"
#include "services/shipping/shipping.hpp"
#include "shop_events.hpp"
#include "tests/verify/village.hpp"

namespace {

using namespace saga;
using testing::Village;

std::atomic<std::uint64_t> allocations = 0;

constexpr int kBatch = 50;  // orders under way at the same time
constexpr std::array kServices{"order", "inventory", "payment", "shipping"};

std::int64_t size(Village& village, const char* service) {
    return village.value(service,
                         "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
}

void place(Village& village, int nth) {
    const std::string answer =
        village.submit("order", "place",
                       detail::pack(shop::PlaceOrder{
                           .order_id = fmt::format("o-{:08}", nth),
                           .customer_id = "c",
                           .lines = {{.sku = "THING", .quantity = 1, .unit_price_cents = 100}}}));
    if (answer.find("accepted") == std::string::npos) throw Error("refused: " + answer);
}

void run(Village& village, int from, int to) {
    for (int first = from; first < to; first += kBatch) {
        for (int nth = first; nth < std::min(to, first + kBatch); ++nth) place(village, nth);
        village.settle();
    }
}

}  // namespace

// NOLINTBEGIN(cppcoreguidelines-no-malloc): as the standard's own.
void* operator new(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
// NOLINTEND(cppcoreguidelines-no-malloc)

int main(int argc, char** argv) {
    const int orders = argc == 2 || argc == 3 ? std::atoi(argv[1]) : 0;
    if (orders <= 0) {
        fmt::print(stderr, "usage: turns ORDERS [FOLDER]\n");
        return 2;
    }
    try {
        std::vector<Service> services;
        services.push_back(order_service());
        services.push_back(inventory_service());
        services.push_back(payment_service());
        services.push_back(shipping_service());
        Village village(
            std::move(services),
            [](auto, auto, auto, auto) { return detail::pack(shop::Receipt{.charge_id = "C-1"}); },
            argc == 3 ? argv[2] : "");
        village.command("inventory", "stock",
                        shop::StockProduct{.delivery_id = "d", .sku = "THING", .units = 1'000'000});
        run(village, 0, orders);  // every statement is prepared, every file has its shape
        std::map<std::string, std::int64_t> before;
        for (const char* service : kServices) before[service] = size(village, service);
        const std::uint64_t allocated = allocations;
        run(village, orders, 2 * orders);
        nlohmann::ordered_json said{{"allocations", (allocations - allocated) / orders}};
        for (const char* service : kServices)
            said["bytes"][service] = (size(village, service) - before[service]) / orders;
        const std::int64_t confirmed =
            village.value("order", "SELECT count(*) FROM orders WHERE state = 'confirmed'");
        if (confirmed != 2 * orders) throw Error("not all are confirmed");
        fmt::print("{}\n", said.dump());
        return 0;
    } catch (const std::exception& failure) {
        fmt::print(stderr, "turns: {}\n", failure.what());
        return 1;
    }
}
