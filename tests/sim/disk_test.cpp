#include "tests/sim/disk.hpp"

#include <doctest/doctest.h>

#include "saga/store/database.hpp"
#include "saga/store/statement.hpp"

using namespace saga;
using namespace saga::sim;
using store::Database;
using namespace std::chrono_literals;

namespace {

core::StoreTime today() {
    return core::StoreTime{std::chrono::sys_days{std::chrono::year(2026) / 1 / 1}};
}

struct Machine {
    explicit Machine(std::uint64_t seed = 1) : disk(seed, &today) {}
    Database::Options file(Life& life) {
        return {.path = "a.db", .vfs = disk.mount(life), .end = [&life](const std::string&) {
                    life.end_after(0);
                    life.act();
                }};
    }
    Disk disk;
};

std::int64_t count(Database& db) {
    store::Statement statement(db, "SELECT count(*) FROM t");
    return store::number(statement);
}

std::string text(Database& db, const std::string& sql) {
    store::Statement statement(db, sql);
    store::Rows rows = statement.query();
    return rows.next() ? std::string(rows.text(0)) : "";
}

void insert(Database& db, int size) {
    db.begin();
    db.exec("INSERT INTO t VALUES (zeroblob(" + std::to_string(size) + "))");
    db.commit();
}

struct Cuts {
    int cuts = 0, lost = 0, damaged = 0;
};

/// Commits until the power is cut at some write or sync, again and again, and looks whether all
/// commits that were acknowledged are there.
Cuts cut_at_random(const std::string& synchronous, int cuts) {
    Machine machine;
    Chance chance(7);
    {
        Life life;
        Database db(machine.file(life));
        db.exec("CREATE TABLE t (x)");
    }
    const Disk::Image empty = machine.disk.image();
    Cuts result;
    for (; result.cuts < cuts; ++result.cuts) {
        machine.disk.restore(empty);
        std::int64_t acknowledged = 0;
        Life life;
        life.on_death([&] { machine.disk.power_cut(chance); });
        {
            Database db(machine.file(life));
            db.exec("PRAGMA wal_autocheckpoint=8; PRAGMA synchronous=" + synchronous);
            life.end_after(chance.below(40));
            while (!life.dead()) {
                insert(db, static_cast<int>(chance.below(6'000)));
                if (!life.dead()) ++acknowledged;
            }
        }
        try {
            Life second;
            Database db(machine.file(second));
            const std::int64_t found = count(db);
            if (found < acknowledged) ++result.lost;
            if (text(db, "PRAGMA integrity_check") != "ok") ++result.damaged;
            CHECK(found <= acknowledged + 1);
        } catch (const Error&) {
            ++result.damaged;
        }
    }
    return result;
}

}  // namespace

TEST_CASE("disk: a process that is killed loses nothing it wrote, and its ghost adds nothing") {
    Machine machine;
    Life life;
    Database ghost(machine.file(life));
    ghost.exec("CREATE TABLE t (x)");
    insert(ghost, 5'000);
    machine.disk.kill();
    insert(ghost, 5'000);
    CHECK(count(ghost) == 2);
    Life second;
    Database db(machine.file(second));
    CHECK(count(db) == 1);
    CHECK(text(db, "PRAGMA journal_mode") == "wal");
}

TEST_CASE("disk: synchronous=FULL keeps every acknowledged commit through any power cut") {
    const Cuts full = cut_at_random("FULL", 2'000);
    CHECK(full.lost == 0);
    CHECK(full.damaged == 0);
}

TEST_CASE("disk: synchronous=NORMAL loses acknowledged commits in a good share of power cuts") {
    const Cuts normal = cut_at_random("NORMAL", 2'000);
    CHECK(normal.lost > normal.cuts / 5);
    CHECK(normal.damaged == 0);
}

TEST_CASE("disk: synchronous=OFF loses commits, and databases with them") {
    const Cuts off = cut_at_random("OFF", 2'000);
    CHECK(off.lost > off.cuts / 5);
    CHECK(off.damaged > 0);
}

TEST_CASE("disk: the same chance and the same calls give the same disk") {
    const auto once = [] {
        Machine machine(3);
        Chance chance(5);
        for (int nth = 0; nth < 50; ++nth) {
            Life life;
            life.on_death([&] { machine.disk.power_cut(chance); });
            Database db(machine.file(life));
            db.exec("CREATE TABLE IF NOT EXISTS t (x)");
            life.end_after(chance.below(30));
            for (int size = 0; !life.dead(); size += 500) insert(db, size);
        }
        Life last;
        Database db(machine.file(last));
        return text(db, "SELECT group_concat(length(x)) FROM t");
    };
    const std::string first = once();
    CHECK(first.size() > 50);
    CHECK(once() == first);
}

TEST_CASE("disk: room is what the files grow by, less what is given back") {
    Machine machine;
    Life life;
    Database db(machine.file(life));
    db.exec("CREATE TABLE t (x)");
    machine.disk.set({.room = 100'000});
    for (int nth = 0; nth < 100; ++nth) {
        insert(db, 5'000);
        db.exec("DELETE FROM t");
        db.checkpoint();  // truncates the WAL
    }
    CHECK_THROWS_AS(
        [&] {
            for (int nth = 0; nth < 100; ++nth) insert(db, 5'000);
        }(),
        store::DiskFull);
    CHECK(machine.disk.faults().room < 5'000);
}

TEST_CASE("disk: a file that one process holds is busy for another") {
    Machine machine;
    Life first, second;
    const Database db(machine.file(first));
    CHECK_THROWS_WITH_AS(Database(machine.file(second)), doctest::Contains("locked"), Error);
    machine.disk.kill();
    Life third;
    CHECK_NOTHROW(Database(machine.file(third)));
}

TEST_CASE("disk: an image brings back what it holds") {
    Machine machine;
    Disk::Image image;
    {
        Life life;
        Database db(machine.file(life));
        db.exec("CREATE TABLE t (x)");
        insert(db, 1);
        image = machine.disk.image();
        insert(db, 2);
    }
    machine.disk.restore(image);
    Chance chance(1);
    machine.disk.power_cut(chance);
    Life life;
    Database db(machine.file(life));
    CHECK(count(db) == 1);
}

TEST_CASE("disk: SQLite reads the machine's clock") {
    Machine machine;
    Life life;
    Database db(machine.file(life));
    CHECK(text(db, "SELECT datetime()") == "2026-01-01 00:00:00");
}
