// A message's body as JSON for people and programs: the envelope's fields and the payload.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "saga/core/envelope.hpp"
#include "saga/view/schemas.hpp"

namespace saga::view {

/// Any bytes: what is no event is {"error": why, "bytes": how many, "begins": base64}. A dead
/// letter's payload carries, decoded, the message that it is about.
nlohmann::ordered_json message_json(Bytes body, const Schemas& schemas);

/// Of an event that was read already.
nlohmann::ordered_json event_json(const core::Envelope& envelope, const Schemas& schemas);
/// Its payload alone.
nlohmann::ordered_json payload_json(std::string_view type, Bytes payload, const Schemas& schemas);

/// One line, harmless on a terminal; what is no UTF-8 is replaced.
std::string line(const nlohmann::ordered_json& json);

}  // namespace saga::view
