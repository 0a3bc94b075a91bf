// Damage inside a write-ahead log, which SQLite takes for its end.
#pragma once

#include <string>

namespace saga::store {

/// Throws Broken when commits that were made durable stand in `<path>-wal` behind something that
/// cannot be read: SQLite would forget them in silence. What a power cut leaves of the last
/// transaction is no damage, and cannot be told from damage to it. Before the database is opened.
/// `vfs`: empty for the system's.
void inspect_wal(const std::string& path, const std::string& vfs);

}  // namespace saga::store
