// Files that must be there after a power cut, whole or not at all.
#pragma once

#include <string>
#include <string_view>

namespace saga::store {

/// What was written to the file `path` is on disk. Throws Error.
void sync_file(const std::string& path);
/// Names that were given or taken in the folder `path` are on disk. Throws Error.
void sync_folder(const std::string& path);
/// Gives `from` the name `to` in the same folder, for good. Throws Error.
void rename_durably(const std::string& from, const std::string& to);
/// As rename_durably, unless a file has the name `to` already: that one stays, and `from` goes.
void name_durably(const std::string& from, const std::string& to);
/// A new file, of mode 0600, durable but for its name. One that stands there is replaced. Throws
/// Error.
void write_private(const std::string& path, std::string_view content);

}  // namespace saga::store
