// Where SQLite's memory comes from.
#pragma once

namespace saga::store {

/// Before SQLite's first use in the process; later, and in sanitized builds, nothing changes. A
/// statement takes and gives back six pieces of memory each time that it runs, and SQLite's own
/// store of small ones (lookaside) is left out of Debian's build. Each thread keeps what it gave
/// back. Nobody counts how much SQLite has: that costs two mutexes a piece.
void pool_sqlite_memory();

}  // namespace saga::store
