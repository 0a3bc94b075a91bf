// A landscape as an AsyncAPI 3.0 document: its subjects as channels, what each service sends and
// receives there as operations. https://www.asyncapi.com/docs/reference/specification/v3.0.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "saga/core/payload_json.hpp"
#include "saga/flow/contract.hpp"

namespace saga::flow {

struct ApiInfo {
    std::string title, version;  ///< of the document: contracts have none
};

/// Channels are the events' subjects, those of commands and questions, and the inboxes of answers;
/// messages have the table's JSON Schema as payload where `schemas` know it, since on the wire it
/// is FlatBuffers. What AsyncAPI has no word for stands under `x-jetstream` and `x-saga`. The same
/// contracts make the same text. Throws Error where a contract names what is no event, service or
/// verb.
nlohmann::ordered_json to_asyncapi(std::span<const Contract> contracts,
                                   std::span<const core::PayloadSchema> schemas,
                                   const ApiInfo& info);

}  // namespace saga::flow
