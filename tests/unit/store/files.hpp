// What a process that was killed leaves of a database, to be changed and opened again.
#pragma once

#include <functional>
#include <string>

#include "tests/unit/store/fixture.hpp"

namespace saga::test {

struct Left {
    std::string db, wal;
    std::size_t last_transaction = 0;  ///< the first of its frames
    std::size_t frames_each = 0;       ///< of each of the last transactions
};

/// Of a process that committed so many rows of 6000 bytes into the table t, each alone, did `more`,
/// and was killed.
Left killed_after(const Folder& folder, int rows,
                  const std::function<void(store::Database&)>& more = {});

/// What opening it says: empty when it opens. Whatever is refused must keep its bytes.
std::string opening(const Folder& folder, const Left& left);

/// Rows of t, or -1 where it is refused or cannot be read.
std::int64_t rows_of(const Folder& folder, const Left& left);

std::string content(const std::string& path);
void write(const std::string& path, const std::string& text);

}  // namespace saga::test
