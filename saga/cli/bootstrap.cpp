// saga bootstrap: makes the streams and buckets, an administrator's job.
#include <fmt/ranges.h>

#include "saga/bus/topology.hpp"
#include "saga/cli/command.hpp"

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
    nlohmann::json report = nlohmann::json::array();
    bool faulty = false;
    for (const bus::Asset& asset : bus::assets(given.replicas, given.max_bytes)) {
        const auto request = [&](const char* verb, const std::string& body) {
            return api_or_null(*client, fmt::format("$JS.API.STREAM.{}.{}", verb, asset.stream),
                               body, options.timeout);
        };
        std::string done = "there already";
        std::vector<std::string> faults;
        const auto info = request("INFO", "");
        if (info.is_null()) {
            request("CREATE", asset.config);
            done = "made";
        } else {
            faults = bus::asset_faults(asset, info["config"].dump());
            if (!faults.empty() && given.mend) {
                request("UPDATE", merged(info["config"], asset.config));
                faults.clear();
                done = "mended";
            }
        }
        if (!faults.empty()) {
            faulty = true;
            done = "has other settings";
        }
        report.push_back({{"name", asset.stream}, {"result", done}, {"faults", faults}});
        if (options.json) continue;
        fmt::print("{:<18} {:<14} {}\n", asset.stream, done, asset.help);
        for (const std::string& fault : faults) fmt::print("{:<18} {}\n", "", fault);
    }
    if (options.json) fmt::print("{}\n", report.dump());
    if (faulty)
        throw Stop(kError,
                   "some have settings that lose events: `saga bootstrap --mend` changes "
                   "them, where the server allows it");
}

}  // namespace

void add_bootstrap(CLI::App& app, Options& options) {
    auto given = std::make_shared<Given>();
    CLI::App* command = app.add_subcommand(
        "bootstrap", "Make the streams and buckets that services rely on; safe to repeat");
    command->footer(
        "Examples:\n  saga bootstrap\n  saga bootstrap --replicas 3 --max-bytes "
        "100000000000");
    command->add_option("--replicas", given->replicas, "copies of each: 1, or 3 in a cluster")
        ->check(CLI::Range(1, 5));
    command->add_option("--max-bytes", given->max_bytes, "of the stream SAGA; 0: no limit");
    command->add_flag("--mend", given->mend, "change what exists with other settings");
    command->callback([&options, given] { bootstrap(options, *given); });
}

}  // namespace saga::cli
