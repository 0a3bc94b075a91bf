// Sound payloads of any table, made from its schema alone.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "saga/core/payload_json.hpp"

namespace saga::cli {

/// What fields hold, by their names, wherever they stand.
using FieldValues = std::map<std::string, std::string, std::less<>>;

/// A payload whose every field is set: to what `values` has under its name, otherwise a text to
/// `text`, a number to 1, an enumeration to its first value; each list has one element. Structs and
/// unions are left out, and so are tables deeper than 8. `newer`: with one more field at its end,
/// as a later release of the schema writes it.
///
/// Throws Stop where the schema does not know the table, requires what is left out, or a value of
/// `values` is no number where one belongs.
std::vector<std::byte> make_payload(const core::PayloadSchema& schema, std::string_view table,
                                    const std::string& text, const FieldValues& values,
                                    bool newer = false);

}  // namespace saga::cli
