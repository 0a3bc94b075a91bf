#include "saga/store/memory.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <cstring>
#include <thread>
#include <vector>

using namespace saga;

namespace {

/// Through SQLite, whose memory it is.
char* piece(int size, char fill) {
    auto* bytes = static_cast<char*>(sqlite3_malloc(size));
    REQUIRE(bytes != nullptr);
    std::memset(bytes, fill, static_cast<std::size_t>(size));
    return bytes;
}
bool is(const char* bytes, int size, char fill) {
    for (int at = 0; at < size; ++at)
        if (bytes[at] != fill) return false;
    return true;
}

}  // namespace

TEST_CASE("memory: pieces of any size are apart, aligned, and as large as was asked for") {
    store::pool_sqlite_memory();
    for (int round = 0; round < 3; ++round) {  // the later ones of what was given back
        std::vector<std::pair<char*, int>> pieces;
        for (int size = 1; size <= 20'000; size += 1 + size / 7)
            pieces.emplace_back(piece(size, static_cast<char>(size)), size);
        for (const auto& each : pieces) {
            char* const bytes = each.first;
            const int size = each.second;
            CAPTURE(size);
            CHECK(is(bytes, size, static_cast<char>(size)));
            CHECK(reinterpret_cast<std::uintptr_t>(bytes) % 8 == 0);
            CHECK(sqlite3_msize(bytes) >= static_cast<sqlite3_uint64>(size));
            sqlite3_free(bytes);
        }
    }
}

TEST_CASE("memory: a piece that grows or shrinks keeps what is in it") {
    store::pool_sqlite_memory();
    int size = 10;
    char* bytes = piece(size, 'x');
    while (size < 30'000) {
        const int larger = size * 2 + 1;
        bytes = static_cast<char*>(sqlite3_realloc(bytes, larger));
        REQUIRE(bytes != nullptr);
        CHECK(is(bytes, size, 'x'));
        std::memset(bytes, 'x', static_cast<std::size_t>(larger));
        size = larger;
    }
    bytes = static_cast<char*>(sqlite3_realloc(bytes, 5));
    CHECK(is(bytes, 5, 'x'));
    sqlite3_free(bytes);
}

TEST_CASE("memory: what one thread took another may give back, also as it ends") {
    store::pool_sqlite_memory();
    for (int round = 0; round < 20; ++round) {
        std::vector<char*> pieces(1'000);
        std::thread([&] {
            for (char*& bytes : pieces) bytes = piece(100, 'a');
        }).join();
        for (char* bytes : pieces) CHECK(is(bytes, 100, 'a'));
        std::thread([&] {
            for (char* bytes : pieces) sqlite3_free(bytes);
        }).join();
        char* mine = piece(100, 'b');
        CHECK(is(mine, 100, 'b'));
        sqlite3_free(mine);
    }
}
