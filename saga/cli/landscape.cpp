#include "saga/cli/landscape.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/cli/buckets.hpp"
#include "saga/core/subject.hpp"

namespace saga::cli {
namespace {

using nlohmann::json;

std::vector<std::string> words(const json& list) {
    std::vector<std::string> found;
    for (const json& each : list)
        if (each.is_string()) found.push_back(each);
    return found;
}

}  // namespace

Landscape landscape(bus::NatsClient& client, std::chrono::milliseconds timeout) {
    return landscape_of(Bucket(client, core::kContracts, timeout).all());
}

std::vector<std::string> meant_to_run(bus::NatsClient& client, std::chrono::milliseconds timeout) {
    const auto value = Bucket(client, core::kConfig, timeout).get(kMeantKey);
    if (!value) return {};
    std::vector<std::string> names = words(list(read_json(*value), "services"));
    std::erase_if(names, [](const std::string& name) { return !is_service(name); });
    return names;
}

}  // namespace saga::cli
