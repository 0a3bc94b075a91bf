#include "saga/view/schemas.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace saga::view {

void Schemas::add(const core::PayloadSchema& schema) {
    for (std::string& table : schema.tables()) by_table_.emplace(std::move(table), schema);
}

void Schemas::add(const Landscape& landscape) {
    for (const auto& [name, service] : landscape.services())
        for (const core::PayloadSchema& schema : service.payloads) add(schema);
}

const core::PayloadSchema* Schemas::find(std::string_view type) const {
    const auto found = by_table_.find(type);
    return found == by_table_.end() ? nullptr : &found->second;
}

nlohmann::ordered_json Schemas::payload(std::string_view type, Bytes payload) const {
    const core::PayloadSchema* schema = find(type);
    if (schema == nullptr)
        return {{"error",
                 fmt::format("no schema of {} is known: no running service published one", type)}};
    const auto read = schema->json(type, payload);
    if (const auto* unreadable = std::get_if<core::Unreadable>(&read))
        return {{"error", "it is no sound table: " + unreadable->why}};
    return nlohmann::ordered_json::parse(std::get<std::string>(read));
}

}  // namespace saga::view
