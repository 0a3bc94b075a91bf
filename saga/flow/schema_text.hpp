// One event's schema by itself, as text: what a participant in another language generates code of.
#pragma once

#include <cstdint>
#include <saga/event.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace saga::flow {

/// `kept`: what `///` says in the source stands in the text, if the binary schema has it
/// (`flatc --bfbs-comments`).
enum class Comments : std::uint8_t { left_out, kept };

/// Of a binary schema that core::PayloadSchema::read takes: this table, which is the root, and all
/// that it reaches, in the language of .fbs files. Without comments it is the same for equal
/// tables, whatever else stood in their files. What a binary schema does not keep (flatbuffers
/// 2.0.8) is not there: attributes but those of presence, keys, flags and structs' alignment, and
/// defaults above the signed range of 64 bits. Empty: it has no such table.
std::string schema_text(Bytes bfbs, std::string_view table, Comments comments = Comments::left_out);

/// The text as a binary schema, as `flatc --binary --schema --bfbs-comments` makes it. Throws
/// Error.
std::vector<std::byte> binary_schema(const std::string& text);

}  // namespace saga::flow
