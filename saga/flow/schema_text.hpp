// One event's schema by itself, as text: what a participant in another language generates code of.
#pragma once

#include <saga/event.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace saga::flow {

/// Of a binary schema that core::PayloadSchema::read takes: this table, which is the root, and all
/// that it reaches, in the language of .fbs files. The same for equal tables, whatever else stood
/// in their files. What a binary schema does not keep (flatbuffers 2.0.8) is not there: comments,
/// attributes but those of presence, keys, flags and structs' alignment, and defaults above the
/// signed range of 64 bits. Empty: it has no such table.
std::string schema_text(Bytes bfbs, std::string_view table);

/// The text as a binary schema, as `flatc --binary --schema` makes it. Throws Error.
std::vector<std::byte> binary_schema(const std::string& text);

}  // namespace saga::flow
