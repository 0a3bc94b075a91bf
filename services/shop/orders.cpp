// shop place, cancel, show: one order.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "services/shop/command.hpp"
#include "services/shop/files.hpp"

namespace shop {
namespace {

using nlohmann::ordered_json;

constexpr std::chrono::seconds kLastWord{2};  // an order that is closed has said it, or is about to

struct Given {
    PlaceOrder order;
    std::vector<std::string> lines;
};

void refuse(const saga::Refused& refused) {
    throw Stop(refused.code == "unknown" ? kNotFound : kError,
               fmt::format("refused ({}): {}", refused.code, refused.why));
}

void place(const Options& options, Given given) {
    check_order_id(given.order.order_id);
    for (const std::string& line : given.lines) given.order.lines.push_back(read_line(line));
    const auto client = options.connect();
    const auto refused =
        answer_of(options, [&] { return client->command("order", "place", given.order); });
    if (refused) refuse(*refused);
    if (options.json)
        fmt::print("{}\n", ordered_json{{"placed", given.order.order_id}}.dump());
    else
        fmt::print("order {} is placed; `shop show {}` says how it ends\n", given.order.order_id,
                   given.order.order_id);
}

void cancel(const Options& options, const std::string& id) {
    check_order_id(id);
    const auto client = options.connect();
    const auto refused = answer_of(
        options, [&] { return client->command("order", "cancel", CancelOrder{.order_id = id}); });
    if (refused) refuse(*refused);
    if (options.json)
        fmt::print("{}\n", ordered_json{{"cancel_asked", id}}.dump());
    else
        fmt::print("asked to cancel order {}: shipping decides whether it comes in time\n", id);
}

void show(const Options& options, const std::string& id) {
    check_order_id(id);
    const auto client = options.connect();
    const auto rows = nlohmann::json::parse(
        answer_of(options, [&] { return client->question("order", "show", id); }));
    if (rows.empty()) throw Stop(kNotFound, fmt::format("there is no order {}", id));
    const auto& order = rows.front();
    const std::string state = order.at("state"), reason = order.at("reason");
    std::string word;
    if (state != "open") {
        try {
            word = client->ended(id, kLastWord);
        } catch (const saga::Error&) {
            word = "";  // the stream forgets it after some days
        }
    }
    if (options.json) {
        ordered_json json = order;
        json["ended"] = word.empty() ? ordered_json(nullptr) : ordered_json(word);
        fmt::print("{}\n", json.dump());
        return;
    }
    fmt::print("order     {}\nstate     {}{}\ncustomer  {}\ntotal     {}\nsaga      {}\n", id,
               state, reason.empty() ? "" : fmt::format(", for {}", reason),
               order.at("customer_id").get<std::string>(), money::text(order.at("total_cents")),
               !word.empty()     ? "ended with " + word
               : state == "open" ? "has not ended"
                                 : "has ended, too long ago for the stream");
}

}  // namespace

void add_orders(CLI::App& app, Options& options) {
    auto given = std::make_shared<Given>();
    auto id = std::make_shared<std::string>();
    CLI::App* placing = app.add_subcommand("place", "Place one order");
    placing->footer("Example:\n  shop place 1001 --customer ann --line tea:2:300");
    placing->add_option("order,--order", given->order.order_id, "its id")->required();
    placing->add_option("--customer", given->order.customer_id, "whose")->required();
    placing->add_option("--line", given->lines, "SKU:QUANTITY:CENTS; once for each line")
        ->required();
    placing->callback([&options, given] { place(options, *given); });

    CLI::App* cancelling = app.add_subcommand("cancel", "Ask to cancel an order");
    cancelling->add_option("id", *id, "of the order")->required();
    cancelling->callback([&options, id] { cancel(options, *id); });

    CLI::App* showing = app.add_subcommand("show", "Say how an order stands");
    showing->add_option("id", *id, "of the order")->required();
    showing->callback([&options, id] { show(options, *id); });
}

}  // namespace shop
