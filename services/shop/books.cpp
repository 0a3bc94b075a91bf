#include "services/shop/books.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace shop {
namespace {

constexpr std::array<const char*, 4> kServices{"order", "inventory", "payment", "shipping"};

nlohmann::json parsed(const std::string& text, std::string_view service) {
    auto json = nlohmann::json::parse(text, nullptr, false);
    if (json.is_discarded()) throw saga::Error(fmt::format("what {} answers is no JSON", service));
    return json;
}

void read_bank(saga::Client& client, Books& books) {
    std::int64_t after = 0;
    while (true) {
        auto page = client.request<BankBooks>("bank.books", AskBooks{.after = after});
        for (BankCharge& charge : page.page) {
            after = std::max(after, charge.number);
            books.charges.emplace(charge.charge_id, std::move(charge));
        }
        const bool last = page.page.empty();
        page.page.clear();
        if (books.bank.charges == 0) books.bank = page;  // the first has the sums
        if (last) return;
    }
}

void read_ends(saga::Client& client, Books& books) {
    client.watch_ended(
        [&](const saga::Ended& word) {
            std::vector<Books::Word>& words = books.ends[std::string(word.saga_id)];
            Books::Word said{word.id, std::string(word.event)};
            if (std::find(words.begin(), words.end(), said) == words.end())
                words.push_back(std::move(said));
            return true;
        },
        std::chrono::milliseconds(0));
}

}  // namespace

void for_each_row(saga::Client& client, std::string_view service, const std::string& verb,
                  const char* key, const std::function<void(const nlohmann::json& row)>& on_row) {
    for (const std::string& instance : client.instances(service)) {
        std::string after;
        while (true) {
            const auto page = parsed(client.question(instance, verb, after), service);
            for (const auto& row : page) on_row(row);
            if (page.empty()) break;
            after = page.back().at(key).get<std::string>();
        }
    }
}

std::vector<ServiceState> read_states(saga::Client& client) {
    std::vector<ServiceState> states;
    const auto add = [&](const std::string& name) {
        const auto json = parsed(client.question(name, "state"), name);
        states.push_back({.name = name,
                          .trouble = json.at("trouble"),
                          .ready = json.at("ready"),
                          .cursor = json.at("cursor"),
                          .lag = json.at("lag"),
                          .unsettled = json.at("outbox").at("unsettled"),
                          .parked = json.at("parked"),
                          .dead = json.at("dead"),
                          .aside = json.at("aside"),
                          .timers = json.at("timers"),
                          .calls = json.at("calls")});
    };
    for (const char* service : kServices)
        for (const std::string& instance : client.instances(service)) add(instance);
    return states;
}

Books read_books(saga::Client& client) {
    Books books;
    for_each_row(client, "order", "books", "id", [&](const nlohmann::json& row) {
        books.orders[row.at("id")] = {row.at("state"), row.at("total_cents")};
    });
    for_each_row(client, "payment", "books", "order_id", [&](const nlohmann::json& row) {
        books.payments[row.at("order_id")] = {row.at("charge_id"), row.at("cents"),
                                              row.at("refunded")};
    });
    for_each_row(client, "shipping", "books", "order_id", [&](const nlohmann::json& row) {
        books.parcels[row.at("order_id")] = row.at("units");
    });
    for_each_row(client, "inventory", "held", "order_id", [&](const nlohmann::json& row) {
        books.held[row.at("order_id")] = row.at("units");
    });
    for_each_row(client, "inventory", "books", "sku", [&](const nlohmann::json& row) {
        books.products[row.at("sku")] = {row.at("units"), row.at("delivered"), row.at("held")};
    });
    read_bank(client, books);
    read_ends(client, books);
    return books;
}

}  // namespace shop
