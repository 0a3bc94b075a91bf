#include "saga/view/landscape.hpp"

#include <nlohmann/json.hpp>
#include <saga/error.hpp>

#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"
#include "saga/view/base64.hpp"
#include "saga/view/json.hpp"

namespace saga::view {

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

Landscape landscape_of(const std::map<std::string, std::string>& contracts) {
    Landscape all;
    for (const auto& [service, contract] : contracts)
        if (is_service(service)) all.add(service, contract);
    return all;
}

bool is_service(std::string_view name) {
    return core::is_saga_id(name);  // with its shard: order-2
}

}  // namespace saga::view
