#include "saga/store/wal.hpp"

#include <doctest/doctest.h>

#include "tests/unit/store/files.hpp"

using namespace saga;
using namespace saga::test;

namespace {

constexpr std::size_t kFrame = 24 + 4096;

std::size_t frames(const std::string& wal) {
    return (wal.size() - 32) / kFrame;
}

/// Whether it is refused; it is opened, or not, and keeps its bytes when it is refused.
bool refused(const Folder& folder, const Left& left) {
    return !opening(folder, left).empty();
}

Left changed(Left left, std::size_t at) {
    left.wal[at] = static_cast<char>(left.wal[at] ^ 0x40);
    return left;
}

}  // namespace

TEST_CASE("wal: damage before the last transaction is refused, wherever it is") {
    const Folder folder;
    const Left left = killed_after(folder, 12);
    REQUIRE(rows_of(folder, left) == 12);
    const std::size_t all = frames(left.wal), last = left.last_transaction;
    REQUIRE(last > 10);
    for (std::size_t at = 0; at < 32; ++at) CHECK_MESSAGE(refused(folder, changed(left, at)), at);
    // Of the transaction before the last one, no commit with something behind it is left whole.
    const std::size_t until = last - left.frames_each;
    for (std::size_t frame = 0; frame < until; ++frame)
        for (const std::size_t at : {0, 5, 9, 13, 17, 22, 24, 1000, 4119}) {
            CAPTURE(frame);
            CAPTURE(at);
            const std::string why = opening(folder, changed(left, 32 + frame * kFrame + at));
            CHECK(why.find("its WAL is damaged at byte") != std::string::npos);
            CHECK(why.find("restore it from a backup") != std::string::npos);
        }
    CHECK(all == last + left.frames_each);
}

TEST_CASE("wal: what a power cut leaves of the last transaction is no damage") {
    const Folder folder;
    const Left left = killed_after(folder, 6);
    const std::size_t begin = 32 + left.last_transaction * kFrame;
    for (std::size_t size = begin; size < left.wal.size(); size += 509) {
        Left cut = left;
        cut.wal.resize(size);
        CHECK(rows_of(folder, cut) == 5);
    }
    for (std::size_t at = begin; at < left.wal.size(); at += 61) {
        const std::int64_t rows = rows_of(folder, changed(left, at));
        CHECK((rows == 5 || rows == 6));
    }
}

TEST_CASE("wal: frames of an earlier round, and of what was rolled back, are no damage") {
    const Folder folder;
    Left left = killed_after(folder, 12, [](store::Database& db) {
        db.exec("PRAGMA wal_checkpoint(RESTART)");  // the next frames overwrite the first
        for (const int rows : {8'000, 1}) {         // the first ones spill
            db.begin();
            for (int i = 0; i < rows; ++i) db.exec("INSERT INTO t VALUES (zeroblob(3000))");
            rows > 1 ? db.rollback() : db.commit();
        }
    });
    CHECK(rows_of(folder, left) == 13);
}

TEST_CASE("wal: none, an empty one and one without frames are no damage") {
    const Folder folder;
    Left left = killed_after(folder, 3);
    left.db = left.wal = {};
    CHECK(opening(folder, left).empty());
    left = killed_after(folder, 3);
    left.wal.resize(40);
    CHECK(opening(folder, left).empty());
    left = killed_after(folder, 3);
    left.db.clear();
    CHECK(opening(folder, left).find("the file is empty, and its WAL is not") != std::string::npos);
}
