// saga bootstrap: makes the streams and buckets, an administrator's job.
#include "saga/cli/bootstrap.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/bus/topology.hpp"
#include "saga/cli/command_line.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/words.hpp"
#include "saga/view/message_json.hpp"

namespace saga::cli {
namespace {

struct Given {
    int replicas = 1;
    std::int64_t max_bytes = 0;
    bool mend = false;
};

/// What the broker has, with our fields over it: an update that forgets a field would erase it.
std::string merged(const nlohmann::json& found, const std::string& wanted) {
    nlohmann::json config = found;
    config.update(nlohmann::json::parse(wanted));
    return config.dump();
}

void bootstrap(const Options& options, const Given& given) {
    const auto client = options.connect();
    const std::vector<Made> all =
        make_assets(*client, options.timeout, given.replicas, given.max_bytes, given.mend);
    auto json = nlohmann::ordered_json::array();
    Table table({"name", "result", "what it is for"});
    for (const Made& each : all) {
        json.push_back({{"name", each.name}, {"result", each.result}, {"faults", each.faults}});
        const bool bad = !each.faults.empty();
        table.row({{each.name, Cell::Style::bold},
                   {each.result, bad ? Cell::Style::red : Cell::Style::plain},
                   each.help});
        for (const std::string& fault : each.faults) table.row({"", "", {fault, Cell::Style::red}});
    }
    if (options.json)
        out(line(json) + "\n");
    else
        table.print(Paint());
    const bool faulty =
        std::any_of(all.begin(), all.end(), [](const Made& each) { return !each.faults.empty(); });
    if (faulty)
        throw Stop(kError,
                   "some have settings that lose events: `saga bootstrap --mend` changes them, "
                   "where the server allows it");
}

}  // namespace

std::vector<Made> make_assets(bus::NatsClient& client, std::chrono::milliseconds timeout,
                              int replicas, std::int64_t max_bytes, bool mend) {
    std::vector<Made> all;
    for (const bus::Asset& asset : bus::assets(replicas, max_bytes)) {
        const auto request = [&](const char* verb, const std::string& body) {
            return api_or_null(client, fmt::format("$JS.API.STREAM.{}.{}", verb, asset.stream),
                               body, timeout);
        };
        Made made{
            .name = asset.stream, .help = asset.help, .result = "there already", .faults = {}};
        const auto info = request("INFO", "");
        if (info.is_null()) {
            request("CREATE", asset.config);
            made.result = "made";
        } else {
            made.faults = bus::asset_faults(asset, info["config"].dump());
            if (!made.faults.empty() && mend) {
                request("UPDATE", merged(info["config"], asset.config));
                made.faults.clear();
                made.result = "mended";
            }
        }
        if (!made.faults.empty()) made.result = "has other settings";
        all.push_back(std::move(made));
    }
    return all;
}

void add_bootstrap(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command = tool.command(
        "bootstrap", "Make the streams and buckets that services rely on; safe to repeat");
    command.group("Operate");
    command.footer(
        "Examples:\n  saga bootstrap\n  saga bootstrap --replicas 3 --max-bytes 100000000000");
    command.option("--replicas", given->replicas, "copies of each: 1, or 3 in a cluster")
        .type("N")
        .between(1, 5);
    command.option("--max-bytes", given->max_bytes, "of the stream SAGA; 0: no limit").type("N");
    command.flag("--mend", given->mend, "change what exists with other settings");
    command.runs([&options, given] { bootstrap(options, *given); });
}

}  // namespace saga::cli
