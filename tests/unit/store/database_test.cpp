#include "saga/store/database.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "saga/core/limits.hpp"
#include "tests/sim/disk.hpp"
#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;
using store::Database;

namespace {

std::int64_t count(Database& db, const std::string& table) {
    store::Statement statement(db, "SELECT count(*) FROM " + table);
    return store::number(statement);
}

void write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("database: what was committed is there again, what was not is not") {
    const Folder folder;
    {
        Database db(at(folder.file("a.db")));
        db.exec("CREATE TABLE t (x)");
        db.begin();
        db.exec("INSERT INTO t VALUES (1)");
        db.commit();
        db.begin();
        db.exec("INSERT INTO t VALUES (2)");
        CHECK(db.in_transaction());
    }
    Database db(at(folder.file("a.db")));
    CHECK(count(db, "t") == 1);
}

TEST_CASE("database: a second owner is refused and told of the first") {
    const Folder folder;
    const Database db(at(folder.file("a.db")));
    const std::string why = thrown([&] { Database second(at(folder.file("a.db"))); });
    CHECK(why.find("is in use by another process (process ") != std::string::npos);
    CHECK(why.find("stop it first") != std::string::npos);
}

TEST_CASE("database: what is no database of ours is refused, and not touched") {
    const Folder folder;
    const std::string path = folder.file("a.db");
    SUBCASE("text") {
        write(path, std::string(5'000, 'x'));
        CHECK(thrown([&] { Database db(at(path)); }).find("no database") != std::string::npos);
        CHECK(read(path) == std::string(5'000, 'x'));
    }
    SUBCASE("another program's") {
        {
            SQLite::Database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
                .exec("CREATE TABLE t (x)");
        }
        CHECK(thrown([&] { Database db(at(path)); }).find("of another program") !=
              std::string::npos);
    }
    SUBCASE("damaged") {
        {
            Database db(at(path));
            db.exec("CREATE TABLE t (x); CREATE INDEX i ON t (x)");
            db.begin();
            for (int i = 0; i < 200; ++i) db.exec("INSERT INTO t VALUES (hex(randomblob(50)))");
            db.commit();
            db.checkpoint();
        }
        std::string torn = read(path);
        REQUIRE(torn.size() > 3 * 4096);
        for (std::size_t i = 4096; i < torn.size(); ++i) torn[i] = static_cast<char>(i * 7);
        write(path, torn);
        const std::string why = thrown([&] { Database db(at(path)); });
        CHECK(why.find("damaged") != std::string::npos);
        CHECK(why.find("restore it from a backup") != std::string::npos);
    }
    SUBCASE("a folder that is not there") {
        CHECK(thrown([&] {
                  Database db(at(folder.file("none/a.db")));
              }).find("does its folder exist") != std::string::npos);
    }
}

TEST_CASE("database: a full disk undoes the transaction and nothing else") {
    const Folder folder;
    Database db(at(folder.file("a.db")));
    db.exec("CREATE TABLE t (x); INSERT INTO t VALUES ('kept')");
    db.exec("PRAGMA max_page_count=4");
    db.begin();
    CHECK_THROWS_AS(
        [&] {
            for (int i = 0; i < 100; ++i) db.exec("INSERT INTO t VALUES (zeroblob(4000))");
        }(),
        store::DiskFull);
    db.rollback();
    CHECK(!db.in_transaction());
    CHECK(count(db, "t") == 1);
    db.exec("PRAGMA max_page_count=1000");
    db.begin();
    db.exec("INSERT INTO t VALUES (zeroblob(4000))");
    db.commit();
    CHECK(count(db, "t") == 2);
}

TEST_CASE("database: a disk that is full when a transaction commits undoes it, and ends nothing") {
    sim::Disk disk(1, [] { return core::StoreTime{}; });
    sim::Life life, second;
    {
        Database db({.path = "a.db", .vfs = disk.mount(life)});
        db.exec("CREATE TABLE t (x); INSERT INTO t VALUES ('kept')");
        for (const std::uint64_t room : {0, 2'000, 6'000}) {  // nothing fits, or a part
            CAPTURE(room);
            db.begin();
            db.exec("INSERT INTO t VALUES (zeroblob(9000))");
            disk.set({.room = room});
            CHECK_THROWS_AS(db.commit(), store::DiskFull);
            CHECK(!db.in_transaction());
            disk.set({});
            CHECK(count(db, "t") == 1);
        }
        db.begin();
        db.exec("INSERT INTO t VALUES (zeroblob(9000))");
        db.commit();
        CHECK(count(db, "t") == 2);
    }
    Database db({.path = "a.db", .vfs = disk.mount(second)});
    CHECK(count(db, "t") == 2);
}

TEST_CASE("database: a COMMIT that fails on I/O ends the process, and nothing else is said of it") {
    for (const bool writing : {true, false}) {
        CAPTURE(writing);
        sim::Disk disk(1, [] { return core::StoreTime{}; });
        sim::Life life, second;
        std::string why;
        {
            Database db({.path = "a.db", .vfs = disk.mount(life), .end = [&](const auto& told) {
                             why = told;
                         }});
            db.exec("CREATE TABLE t (x)");
            if (writing)
                disk.set({.good_writes = 1});
            else
                disk.set({.good_syncs = 0});
            db.begin();
            db.exec("INSERT INTO t VALUES (1)");
            db.commit();
            disk.kill();
        }
        CHECK(why.find("a.db: COMMIT failed (disk I/O error)") == 0);
        Database db({.path = "a.db", .vfs = disk.mount(second)});
        CHECK(count(db, "t") == (writing ? 0 : 1));  // unknown, until here
    }
}

TEST_CASE("database: what a killed process had not synced lasts once the next one reads it") {
    const auto ends = [](sim::Disk& disk, sim::Life& life, std::uint64_t nth, bool failing) {
        Database db({.path = "a.db", .vfs = disk.mount(life), .end = [&](const std::string&) {
                         life.end_after(0);
                         life.act();
                     }});
        db.exec("CREATE TABLE t (x)");
        life.on_death([&] { disk.kill(); });
        if (failing)
            disk.set({.good_syncs = nth % 5});
        else
            life.end_after(nth);
        while (!life.dead()) {
            db.begin();
            db.exec("INSERT INTO t VALUES (zeroblob(2000))");
            db.commit();
        }
    };
    sim::Chance chance(1);
    for (std::uint64_t nth = 0; nth < 200; ++nth) {
        CAPTURE(nth);
        sim::Disk disk(nth, [] { return core::StoreTime{}; });
        sim::Life first, second, third;
        ends(disk, first, nth % 20, nth % 2 == 0);
        second.on_death([&] { disk.power_cut(chance); });
        second.end_after(chance.below(4));  // while it opens, or after it
        std::int64_t read = 0;
        {
            Database db({.path = "a.db", .vfs = disk.mount(second)});
            if (!second.dead()) read = count(db, "t");  // and others hear of it
            disk.power_cut(chance);
        }
        Database db({.path = "a.db", .vfs = disk.mount(third)});
        CHECK(count(db, "t") >= read);
        store::Statement check(db,
                               "SELECT count(*) FROM pragma_integrity_check WHERE "
                               "integrity_check != 'ok'");
        CHECK(store::number(check) == 0);
    }
}

TEST_CASE("database: opens on a full disk, with a WAL that does not fit into its file") {
    sim::Disk disk(1, [] { return core::StoreTime{}; });
    sim::Life first, second;
    {
        Database db({.path = "a.db", .vfs = disk.mount(first)});
        db.exec("CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(50000))");
        disk.kill();
    }
    disk.set({.room = 0});
    Database db({.path = "a.db", .vfs = disk.mount(second)});
    CHECK(count(db, "t") == 1);
    CHECK_THROWS_AS(db.checkpoint(), store::DiskFull);
}

TEST_CASE("database: a savepoint that is not kept takes back what is its own") {
    Database db(at(":memory:"));
    db.exec("CREATE TABLE t (x)");
    db.begin();
    {
        store::Savepoint first(db);
        db.exec("INSERT INTO t VALUES (1)");
        first.keep();
    }
    {
        const store::Savepoint second(db);
        db.exec("INSERT INTO t VALUES (2)");
    }
    db.commit();
    CHECK(count(db, "t") == 1);
}

TEST_CASE("database: the WAL shrinks to nothing when it was copied") {
    const Folder folder;
    Database db(at(folder.file("a.db")));
    db.exec("CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(100000))");
    CHECK(std::filesystem::file_size(folder.file("a.db-wal")) > 100'000);
    db.checkpoint();
    CHECK(std::filesystem::file_size(folder.file("a.db-wal")) == 0);
}

TEST_CASE("database: the WAL stays below its bound under load, and comes back to it") {
    const Folder folder;
    Database db(at(folder.file("a.db")));
    db.exec("CREATE TABLE t (x)");
    const auto commit = [&](int rows) {
        db.begin();
        for (int i = 0; i < rows; ++i) db.exec("INSERT INTO t VALUES (zeroblob(1000000))");
        if (rows > 1) db.exec("DELETE FROM t");
        db.commit();
        return static_cast<std::int64_t>(std::filesystem::file_size(folder.file("a.db-wal")));
    };
    std::int64_t most = 0;
    for (int round = 0; round < 60; ++round) most = std::max(most, commit(8));
    CHECK(most <= 2 * 8'100'000);  // 480 MB went through it
    CHECK(commit(100) > core::kWalBytes);
    CHECK(commit(1) <= core::kWalBytes);
}
