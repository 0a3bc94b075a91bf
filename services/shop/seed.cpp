// shop seed: the goods on the shelf, and what customers may spend.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "services/shop/books.hpp"
#include "services/shop/command.hpp"
#include "services/shop/files.hpp"

namespace shop {
namespace {

constexpr money::Cents kMostCredit = 1'000'000'000'000;  // millions of accounts add up below 2^63

struct Given {
    std::string file;
    money::Cents credit_cents = 0;
};

/// The same file has the same deliveries: what was delivered is not delivered again.
std::string delivery_id(std::string_view text, const Product& product) {
    std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a, 64 bits
    for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211ULL;
    return fmt::format("seed-{:016x}-{}", hash, product.line);
}

void open_accounts(saga::Client& client, const Options& options, money::Cents cents) {
    const auto credited = answer_of(options, [&] {
        return client.request<Credited>("bank.credit", Credit{.amount_cents = cents});
    });
    if (!credited.declined.empty())
        throw Stop(kError, fmt::format("the bank refuses the credit: {}", credited.declined));
}

/// Accepted is not yet on the shelf: inventory reads its own deliveries from the stream.
void await_shelves(saga::Client& client, const Options& options, std::set<std::string> deliveries) {
    until_answered(options.patience, [&] {
        for_each_row(client, "inventory", "deliveries", "id",
                     [&](const nlohmann::json& row) { deliveries.erase(row["id"]); });
        if (!deliveries.empty())
            throw saga::Error(
                fmt::format("{} deliveries are accepted and not on the shelf", deliveries.size()));
    });
}

void seed(const Options& options, const Given& given) {
    const std::string text = read_file(given.file);
    const std::vector<Product> products = read_products(given.file, text);
    const auto client = options.connect();
    open_accounts(*client, options, given.credit_cents);
    std::set<std::string> deliveries;
    std::int64_t units = 0;
    Progress progress(products.size(), options.json);
    for (const Product& product : products) {
        const StockProduct delivery{.delivery_id = delivery_id(text, product),
                                    .sku = product.sku,
                                    .name = product.name,
                                    .units = product.units};
        const auto refused =
            answer_of(options, [&] { return client->command("inventory", "stock", delivery); });
        if (refused)
            throw Stop(kError, fmt::format("{}, line {}: inventory refuses {}: {}", given.file,
                                           product.line, product.sku, refused->why));
        deliveries.insert(delivery.delivery_id);
        units += product.units;
        progress.show(deliveries.size());
    }
    await_shelves(*client, options, deliveries);
    progress.clear();
    if (options.json)
        fmt::print("{}\n", nlohmann::ordered_json{{"products", products.size()},
                                                  {"units", units},
                                                  {"credit_cents", given.credit_cents}}
                               .dump());
    else
        fmt::print("{} products with {} units are on the shelf; an account opens with {}\n",
                   products.size(), units, money::text(given.credit_cents));
}

}  // namespace

void add_seed(CLI::App& app, Options& options) {
    auto given = std::make_shared<Given>();
    CLI::App* command = app.add_subcommand(
        "seed", "Deliver products, and say what a customer's account opens with");
    command->footer(
        "The same file again delivers nothing more; a changed one delivers all of it.\n"
        "Example:\n  shop seed --products products.csv --credit 500000");
    command->add_option("--products", given->file, "sku,name,unit_price_cents,units_in_stock")
        ->required();
    command->add_option("--credit", given->credit_cents, "cents that an account opens with")
        ->required()
        ->check(CLI::Range(money::Cents{0}, kMostCredit));
    command->callback([&options, given] { seed(options, *given); });
}

}  // namespace shop
