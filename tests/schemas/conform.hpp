// Whether a schema can take a released one's place: old bytes are read by new programs, and new
// bytes by old ones.
#pragma once

#include <string>
#include <vector>

namespace saga::test {

/// What breaks between two texts of a schema file, a line each; empty when nothing does. What
/// `flatc --conform` sees, and what it does not look at: removals at the end of a table, of values
/// and of whole types, renamed fields, what is required, structs, root and file identifier. Throws
/// std::runtime_error where a text is no schema.
std::vector<std::string> breaks(const std::string& released, const std::string& today);

}  // namespace saga::test
