#include "saga/cli/landscape.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/cli/base64.hpp"
#include "saga/cli/buckets.hpp"
#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"

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

void Landscape::add(const std::string& service, const std::string& contract) {
    try {
        ServiceContract its{flow::read_contract(read_json(contract)), {}};
        for (const std::string& schema : its.schemas) {
            const auto bytes = from_base64(schema);
            if (!bytes) continue;
            if (auto sound = core::PayloadSchema::read(*bytes)) its.payloads.push_back(*sound);
        }
        its.service = service;  // the bucket's key counts, whatever the contract says
        services_[service] = std::move(its);
    } catch (const Error& failure) {
        unreadable_[service] = failure.what();
    }
}

Landscape landscape(bus::NatsClient& client, std::chrono::milliseconds timeout) {
    Landscape all;
    for (const auto& [service, contract] : Bucket(client, core::kContracts, timeout).all())
        if (is_service(service)) all.add(service, contract);
    return all;
}

bool is_service(std::string_view name) {
    return core::is_saga_id(name);  // with its shard: order-2
}

std::vector<std::string> meant_to_run(bus::NatsClient& client, std::chrono::milliseconds timeout) {
    const auto value = Bucket(client, core::kConfig, timeout).get(kMeantKey);
    if (!value) return {};
    std::vector<std::string> names = words(list(read_json(*value), "services"));
    std::erase_if(names, [](const std::string& name) { return !is_service(name); });
    return names;
}

}  // namespace saga::cli
