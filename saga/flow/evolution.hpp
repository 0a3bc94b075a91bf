// Whether a schema can take a released one's place: old bytes are read by new programs, and new
// bytes by old ones.
#pragma once

#include <string>
#include <vector>

namespace saga::flow {

/// The text of a .fbs file. What it includes is looked for beside its path, if it has one.
struct SchemaFile {
    std::string text, path;
};

struct Break {
    std::string what, mend;  ///< a line each
};

/// What breaks between two; empty when nothing does. What `flatc --conform` sees (flatbuffers
/// 2.0.8), and what it does not look at: removals at the end of a table, of values and of whole
/// types, renamed fields, what is required, structs, root and file identifier. Throws Error where a
/// text is no schema.
std::vector<Break> breaks(const SchemaFile& released, const SchemaFile& today);

}  // namespace saga::flow
