// The JSON Schema of an event's table, as the tool shows it: of what core/payload_json writes.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "saga/core/payload_json.hpp"

namespace saga::flow {

/// Adds the table, and whatever stands in it, to `all`, each under its full name; they refer to
/// each other as `#/components/schemas/NAME`. What is there already stays. False: the schema does
/// not know the table.
///
/// Made from the binary schema that a contract carries, since `flatc --jsonschema` (2.0.8) wants a
/// file with a root type, describes one table of it, and writes [ubyte] as a list of numbers.
bool add_json_schema(const core::PayloadSchema& schema, std::string_view table,
                     nlohmann::ordered_json& all);

}  // namespace saga::flow
