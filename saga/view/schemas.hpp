// Schemas of payloads, and payloads as JSON by them.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "saga/core/payload_json.hpp"
#include "saga/view/landscape.hpp"

namespace saga::view {

class Schemas {
  public:
    /// The first that knows a table counts.
    void add(const core::PayloadSchema& schema);
    void add(const Landscape& landscape);

    const core::PayloadSchema* find(std::string_view type) const;

    /// The payload as JSON; {"error": why} when it cannot be shown.
    nlohmann::ordered_json payload(std::string_view type, Bytes payload) const;

  private:
    std::map<std::string, core::PayloadSchema, std::less<>> by_table_;
};

}  // namespace saga::view
