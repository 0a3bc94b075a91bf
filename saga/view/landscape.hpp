// What the services say of themselves: their contracts, joined.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "saga/core/payload_json.hpp"
#include "saga/flow/contract.hpp"

namespace saga::view {

struct ServiceContract : flow::Contract {
    std::vector<core::PayloadSchema> payloads;  ///< those of its schemas that are sound
};

class Landscape {
  public:
    /// A contract's JSON under its service's name. What cannot be read is left out.
    void add(const std::string& service, const std::string& contract);

    const std::map<std::string, ServiceContract>& services() const { return services_; }
    /// Services that did publish a contract, and what is wrong with it.
    const std::map<std::string, std::string>& unreadable() const { return unreadable_; }
    bool empty() const { return services_.empty(); }

  private:
    std::map<std::string, ServiceContract> services_;
    std::map<std::string, std::string> unreadable_;
};

/// Of contracts by their services' names, as the bucket SAGA_CONTRACTS has them.
Landscape landscape_of(const std::map<std::string, std::string>& contracts);

/// Whether it can be a service's name: a token of a subject.
bool is_service(std::string_view name);

}  // namespace saga::view
