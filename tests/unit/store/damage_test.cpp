// A damaged file is refused at the start, in one sentence that says what to do, and keeps its
// bytes; or it is read as it was.
#include <doctest/doctest.h>

#include "tests/unit/sparse.hpp"
#include "tests/unit/store/files.hpp"

using namespace saga;
using namespace saga::test;

namespace {

constexpr std::size_t kPage = 4096;

/// A database whose WAL is empty: all is in the file.
Left checkpointed(const Folder& folder, int rows) {
    Left left = killed_after(folder, rows, [](store::Database& db) {
        db.exec("CREATE INDEX i ON t (length(x), x)");
        db.checkpoint();
    });
    left.wal.clear();
    return left;
}

/// Refused with a way out, or whole; true where it was refused.
bool refused(const Folder& folder, const Left& left, int rows) {
    const std::string why = opening(folder, left);
    if (why.empty()) {
        CHECK(rows_of(folder, left) == rows);
        return false;
    }
    const bool way_out = why.find("restore it from a backup") != std::string::npos ||
                         why.find("name another file") != std::string::npos ||
                         why.find("run that release") != std::string::npos;
    CHECK_MESSAGE(way_out, why);
    CHECK(why.find('\n') == std::string::npos);
    return true;
}

}  // namespace

TEST_CASE("damage: each byte of the header is as it was, or is refused") {
    const Folder folder;
    const Left left = checkpointed(folder, 20);
    int times = 0;
    for (std::size_t at = 0; at < 100; ++at) {
        CAPTURE(at);
        Left hurt = left;
        hurt.db[at] = static_cast<char>(hurt.db[at] ^ 0x55);
        times += refused(folder, hurt, 20) ? 1 : 0;
    }
    CHECK(times >= 40);  // the rest of it SQLite does not read, or sets anew
}

TEST_CASE("damage: a page whose first bytes are others is refused") {
    const Folder folder;
    const Left left = checkpointed(folder, 60);
    const std::size_t pages = left.db.size() / kPage;
    REQUIRE(pages > 60);
    int times = 0;
    for (std::size_t page = 1; page < pages; page += kSparse) {
        CAPTURE(page);
        Left hurt = left;
        for (std::size_t at = 0; at < 8; ++at) hurt.db[page * kPage + at] ^= 0x2D;
        times += refused(folder, hurt, 60) ? 1 : 0;
    }
    CHECK(times == (static_cast<int>(pages) - 2) / kSparse + 1);
}

TEST_CASE("damage: a file that was cut off is refused") {
    const Folder folder;
    const Left left = checkpointed(folder, 60);
    for (std::size_t size = kPage; size < left.db.size(); size += 5 * kPage / 2) {
        CAPTURE(size);
        Left cut = left;
        cut.db.resize(size);
        CHECK(refused(folder, cut, 60));
    }
}
