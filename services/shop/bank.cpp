// shop bank: how the bank misbehaves, from now on.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "services/shop/command.hpp"
#include "shop_events.hpp"

namespace shop {
namespace {

void set_rates(const Options& options, const BankRates& wanted) {
    const auto client = options.connect();
    const auto rates =
        answer_of(options, [&] { return client->request<BankRates>("bank.rates", wanted); });
    if (!rates.refused.empty())
        throw Stop(kUsage, fmt::format("the bank refuses: {}", rates.refused));
    if (options.json)
        fmt::print("{}\n", nlohmann::ordered_json{{"latency_ms", rates.latency_ms},
                                                  {"decline_rate", rates.decline},
                                                  {"failure_rate", rates.failure},
                                                  {"silence_rate", rates.silence}}
                               .dump());
    else
        fmt::print("latency       {} ms\ndecline rate  {}\nfailure rate  {}\nsilence rate  {}\n",
                   rates.latency_ms, rates.decline, rates.failure, rates.silence);
}

}  // namespace

void add_bank(CLI::App& app, Options& options) {
    auto wanted = std::make_shared<BankRates>();
    CLI::App* command =
        app.add_subcommand("bank", "Show how the bank misbehaves, and change it until it restarts");
    command->footer("Examples:\n  shop bank\n  shop bank --latency-ms 3000 --silence-rate 0.1");
    const CLI::Range part(0.0, 1.0);
    command->add_option("--latency-ms", wanted->latency_ms, "before each answer")
        ->check(CLI::Range(0, 60'000));
    command->add_option("--decline-rate", wanted->decline, "part that it declines")->check(part);
    command->add_option("--failure-rate", wanted->failure, "part that it throws away")->check(part);
    command->add_option("--silence-rate", wanted->silence, "part that it does, without an answer")
        ->check(part);
    command->callback([&options, wanted] { set_rates(options, *wanted); });
}

}  // namespace shop
