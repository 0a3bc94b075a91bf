// shop import: a file of orders, placed and waited for.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "services/shop/books.hpp"
#include "services/shop/command.hpp"
#include "services/shop/importer.hpp"

namespace shop {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kShown = 10;  // refusals on a terminal; --json has all

struct Given {
    std::string file;
    Importer::Settings settings;
};

void check_products(saga::Client& client, const Options& options, const std::string& file,
                    const std::vector<FileOrder>& orders) {
    std::set<std::string> known;
    until_answered(options.patience, [&] {
        for_each_row(client, "inventory", "books", "sku",
                     [&](const nlohmann::json& row) { known.insert(row.at("sku")); });
    });
    for (const auto& [order, at] : orders)
        for (std::size_t i = 0; i < at.size(); ++i)
            if (!known.contains(order.lines[i].sku))
                throw Stop(kUsage, fmt::format("{}, line {}: inventory knows no product {}: "
                                               "deliver it with `shop seed`",
                                               file, at[i], order.lines[i].sku));
}

ordered_json json_of(const Importer::Summary& summary) {
    ordered_json json{{"orders", summary.orders},
                      {"confirmed", summary.confirmed},
                      {"rejected", summary.rejected},
                      {"refused", ordered_json::array()},
                      {"seconds", summary.seconds},
                      {"orders_per_second",
                       static_cast<double>(summary.orders) / std::max(summary.seconds, 0.001)},
                      {"p50_ms", summary.took_ms_of(0.5)},
                      {"p99_ms", summary.took_ms_of(0.99)}};
    for (const auto& refusal : summary.refused)
        json["refused"].push_back(
            {{"order", refusal.order_id}, {"code", refusal.code}, {"why", refusal.why}});
    return json;
}

void print(const Importer::Summary& summary) {
    std::size_t rejected = 0;
    for (const auto& [reason, count] : summary.rejected) rejected += count;
    fmt::print("{:<10} {:>8}   in {:.1f} s, {:.0f} orders/s\n", "orders", summary.orders,
               summary.seconds,
               static_cast<double>(summary.orders) / std::max(summary.seconds, 0.001));
    fmt::print("{:<10} {:>8}   half of them within {:.0f} ms, 99 of 100 within {:.0f} ms\n",
               "ended", summary.took_ms.size(), summary.took_ms_of(0.5), summary.took_ms_of(0.99));
    fmt::print("{:<10} {:>8}\n{:<10} {:>8}\n", "confirmed", summary.confirmed, "rejected",
               rejected);
    for (const auto& [reason, count] : summary.rejected)
        fmt::print("{:<10} {:>8}   {}\n", "", count, reason);
    if (summary.refused.empty()) return;
    fmt::print("{:<10} {:>8}\n", "refused", summary.refused.size());
    for (std::size_t i = 0; i < std::min(kShown, summary.refused.size()); ++i)
        fmt::print(stderr, "shop: order {} is refused ({}): {}\n", summary.refused[i].order_id,
                   summary.refused[i].code, summary.refused[i].why);
}

void import(const Options& options, Given given) {
    std::vector<FileOrder> orders = read_orders(given.file, read_file(given.file));
    const auto client = options.connect();
    check_products(*client, options, given.file, orders);
    given.settings.patience = options.patience;
    Progress progress(orders.size(), options.json);
    Importer importer(*client, std::move(orders), given.settings);
    const Importer::Summary summary = importer.run([&](std::size_t done) { progress.show(done); });
    progress.clear();
    if (options.json)
        fmt::print("{}\n", json_of(summary).dump());
    else
        print(summary);
    if (!summary.refused.empty())
        throw Stop(kError, fmt::format("{} orders were refused", summary.refused.size()));
}

}  // namespace

void add_import(CLI::App& app, Options& options) {
    auto given = std::make_shared<Given>();
    CLI::App* command =
        app.add_subcommand("import", "Place a file of orders, and wait until each has ended");
    command->footer(
        "Nothing is placed unless the whole file is good. The same file again places nothing new.\n"
        "Example:\n  shop import orders.csv --rate 100");
    command->add_option("file", given->file, "order_id,customer_id,sku,quantity,unit_price_cents")
        ->required();
    command->add_option("--rate", given->settings.rate, "orders a second; 0: as fast as it goes")
        ->check(CLI::Range(0.0, 1e6));
    command->add_option("--window", given->settings.window, "orders under way at once")
        ->check(CLI::Range(1, 10'000));
    command->callback([&options, given] { import(options, *given); });
}

}  // namespace shop
