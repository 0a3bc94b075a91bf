// shop audit: waits for rest, reads all books, says what does not fit.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <thread>

#include "services/shop/audit.hpp"
#include "services/shop/command.hpp"
#include "shared/money.hpp"

namespace shop {
namespace {

using nlohmann::ordered_json;
using namespace std::chrono_literals;

constexpr auto kLook = 200ms;
constexpr std::size_t kShown = 100;  // violations of a table; --json has all

std::vector<ServiceState> await_rest(saga::Client& client, const Options& options, int seconds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (true) {
        auto states = answer_of(options, [&] { return read_states(client); });
        if (!moves(states) || std::chrono::steady_clock::now() >= until) return states;
        std::this_thread::sleep_for(kLook);
    }
}

ordered_json json_of(const Audit& audit) {
    return {{"ok", audit.violations.empty()},
            {"orders",
             {{"all", audit.orders},
              {"confirmed", audit.confirmed},
              {"rejected", audit.rejected},
              {"open", audit.open},
              {"ended_before_the_stream", audit.forgotten}}},
            {"money_cents",
             {{"confirmed", audit.confirmed_cents},
              {"paid_less_refunded", audit.paid_cents},
              {"bank_net_charges", audit.bank_cents},
              {"bank_credit", audit.credit_cents},
              {"bank_balances", audit.balance_cents}}},
            {"units",
             {{"delivered", audit.delivered},
              {"on_shelf", audit.on_shelf},
              {"held", audit.held},
              {"shipped", audit.shipped}}},
            {"violations", audit.violations}};
}

void print(const Audit& audit) {
    fmt::print("orders   {} confirmed, {} rejected, {} open\n", audit.confirmed, audit.rejected,
               audit.open);
    fmt::print("money    {} confirmed = {} paid = {} charged by the bank\n",
               money::text(audit.confirmed_cents), money::text(audit.paid_cents),
               money::text(audit.bank_cents));
    fmt::print("bank     {} of credit = {} in accounts + {} charged\n",
               money::text(audit.credit_cents), money::text(audit.balance_cents),
               money::text(audit.bank_cents));
    fmt::print("units    {} delivered = {} on the shelf + {} held, {} shipped\n", audit.delivered,
               audit.on_shelf, audit.held, audit.shipped);
    if (audit.forgotten > 0)
        fmt::print("note     {} orders ended before what the stream still holds\n",
                   audit.forgotten);
    for (std::size_t i = 0; i < std::min(kShown, audit.violations.size()); ++i)
        fmt::print("WRONG    {}\n", audit.violations[i]);
    if (audit.violations.size() > kShown)
        fmt::print("WRONG    and {} more: --json has all\n", audit.violations.size() - kShown);
    if (audit.violations.empty()) fmt::print("all is well\n");
}

void run_audit(const Options& options, int seconds, bool strangers) {
    const auto client = options.connect();
    auto states = await_rest(*client, options, seconds);
    if (strangers)
        for (ServiceState& each : states) each.aside = 0;
    Audit result = audit(answer_of(options, [&] { return read_books(*client); }));
    const auto restless = unrest(states);
    result.violations.insert(result.violations.begin(), restless.begin(), restless.end());
    if (options.json)
        fmt::print("{}\n", json_of(result).dump());
    else
        print(result);
    if (!result.violations.empty())
        throw Stop(kError, fmt::format("{} violations", result.violations.size()));
}

}  // namespace

void add_audit(CLI::App& app, Options& options) {
    auto seconds = std::make_shared<int>(30);
    auto strangers = std::make_shared<bool>(false);
    CLI::App* command = app.add_subcommand(
        "audit", "Compare the books of all services and of the bank, order by order");
    command->footer("Ends with 1 where something does not fit.\nExample:\n  shop audit --json");
    command->add_option("--wait", *seconds, "seconds to wait for what is still under way")
        ->check(CLI::Range(0, 24 * 3600));
    command->add_flag("--strangers", *strangers,
                      "somebody sends what is no event: what stands aside is no fault");
    command->callback([&options, seconds, strangers] { run_audit(options, *seconds, *strangers); });
}

}  // namespace shop
