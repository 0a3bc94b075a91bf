#include "saga/bus/topology.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>

#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"

namespace saga::bus {
namespace {

using nlohmann::ordered_json;

template <class Duration>
std::int64_t ns(Duration duration) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

/// Limits: WorkQueue and Interest forget the ids of what was read at a restart (2.9.10). New:
/// `old` would eat events that somebody has not read.
ordered_json events(int replicas, std::int64_t max_bytes) {
    using namespace std::chrono_literals;
    return {{"name", core::kStream},
            {"subjects", {"saga.>"}},
            {"retention", "limits"},
            {"storage", "file"},
            {"discard", "new"},
            {"max_age", ns(core::kStreamMaxAge)},
            {"max_bytes", max_bytes > 0 ? max_bytes : -1},
            {"max_msg_size", core::kMaxMessage + 64 * 1024},  // a header may have 64 KiB
            {"duplicate_window", ns(2min)},
            {"deny_delete", true},
            {"deny_purge", true},
            {"num_replicas", replicas}};
}

ordered_json letters(int replicas) {
    return {{"name", core::kDeadLetters}, {"subjects", {"saga-dlq.>"}},
            {"retention", "limits"},      {"storage", "file"},
            {"discard", "old"},           {"max_age", ns(std::chrono::hours(30 * 24))},
            {"max_msgs", 1'000'000},      {"num_replicas", replicas}};
}

/// No rollup and no purge: with them, a service's right to its own key is a right to the bucket.
ordered_json bucket(std::string_view name, int replicas) {
    return {{"name", fmt::format("KV_{}", name)},
            {"subjects", {fmt::format("$KV.{}.>", name)}},
            {"retention", "limits"},
            {"storage", "file"},
            {"discard", "new"},
            {"max_msgs_per_subject", 1},
            {"allow_direct", true},
            {"deny_delete", true},
            {"deny_purge", true},
            {"num_replicas", replicas}};
}

std::string text(const ordered_json& value) {
    return value.is_null() ? "nothing" : value.dump();
}

}  // namespace

std::vector<Asset> assets(int replicas, std::int64_t max_bytes) {
    const auto asset = [](const ordered_json& config, std::string help) {
        return Asset{config["name"], config.dump(), std::move(help)};
    };
    return {asset(events(replicas, max_bytes), "every event of every saga"),
            asset(letters(replicas), "what services gave up on, and why"),
            asset(bucket(core::kOwners, replicas), "which instance acts for a service"),
            asset(bucket(core::kContracts, replicas), "what each service reads and publishes"),
            asset(bucket(core::kConfig, replicas), "what is meant to run")};
}

std::vector<std::string> stream_faults(std::string_view config) {
    return asset_faults(assets(1, 0).front(), config);
}

std::vector<std::string> asset_faults(const Asset& asset, std::string_view config) {
    // Sizes, ages and replicas are the operator's; these are what correctness stands on.
    constexpr std::array<std::string_view, 9> kEssential{
        "subjects",          "retention",    "storage",
        "discard",           "deny_delete",  "deny_purge",
        "allow_rollup_hdrs", "allow_direct", "max_msgs_per_subject"};
    const auto wanted = ordered_json::parse(asset.config);
    const auto found = ordered_json::parse(config, nullptr, false);
    if (!found.is_object()) return {"its configuration cannot be read"};
    std::vector<std::string> faults;
    for (const std::string_view name : kEssential) {
        const auto of = [&](const ordered_json& json) {
            const auto field = json.find(name);
            const bool off = field == json.end() || *field == false || *field == -1 || *field == 0;
            return off ? ordered_json(nullptr) : *field;  // servers leave out what is off
        };
        // Only buckets are read by direct get; a stream may offer it.
        if (name == "allow_direct" && of(wanted).is_null()) continue;
        if (of(found) != of(wanted))
            faults.push_back(
                fmt::format("{} is {} and must be {}", name, text(of(found)), text(of(wanted))));
    }
    const auto age = found.value("max_age", std::int64_t{0});
    if (asset.stream == core::kStream && age != 0 && age < 2 * ns(core::kOutboxHorizon))
        faults.push_back("max_age is shorter than two days, and sagas may live longer");
    return faults;
}

}  // namespace saga::bus
