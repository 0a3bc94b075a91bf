#include "saga/store/schema.hpp"

#include <doctest/doctest.h>

#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;
using store::Database;

TEST_CASE("schema: scripts run once each, and a new one runs after those that ran") {
    const Folder folder;
    std::vector<std::string> scripts{"CREATE TABLE a (x)", "INSERT INTO a VALUES (1)"};
    { const store::Store first(at(folder.file("a.db")), scripts); }
    scripts.emplace_back("INSERT INTO a VALUES (2)");
    store::Store second(at(folder.file("a.db")), scripts);
    CHECK(second.business.json("SELECT x FROM a ORDER BY x", "") == R"([{"x":1},{"x":2}])");
}

TEST_CASE("schema: a script that was edited after it ran is refused") {
    const Folder folder;
    {
        const store::Store first(at(folder.file("a.db")),
                                 std::vector<std::string>{"CREATE TABLE a (x)"});
    }
    const std::vector<std::string> edited{"CREATE TABLE a (x, y)"};
    const std::string why = thrown([&] { store::Store second(at(folder.file("a.db")), edited); });
    CHECK(why.find("the script 1 of the tables was edited") != std::string::npos);
    CHECK(why.find("append a new script") != std::string::npos);
}

TEST_CASE("schema: a script that fails leaves nothing of itself") {
    const Folder folder;
    const std::vector<std::string> broken{"CREATE TABLE a (x); CREATE TABLE sagas (x)"};
    CHECK(thrown([&] {
              store::Store first(at(folder.file("a.db")), broken);
          }).find("the engine has tables of its own") != std::string::npos);
    store::Store second(at(folder.file("a.db")), std::vector<std::string>{"CREATE TABLE a (x)"});
    CHECK(second.business.json("SELECT * FROM a", "") == "[]");
}

TEST_CASE("schema: a file of a newer release is refused") {
    const Folder folder;
    {
        Database db(at(folder.file("a.db")));
        store::migrate(db);
        db.exec("PRAGMA user_version=99");
    }
    Database db(at(folder.file("a.db")));
    CHECK(thrown([&] { store::migrate(db); }).find("newer release") != std::string::npos);
}

TEST_CASE("schema: who waited for a lock in the first release asks for it again") {
    const Folder folder;
    {
        store::Store first(at(folder.file("a.db")), {});
        core::ParkedRow row{.state = core::Parking::locked, .attempts = 3};
        first.parked.insert(1, row, nullptr, "saga a holds pot", at_ms(500));
        first.db().exec("DROP TABLE lock_queue");
        first.db().exec("PRAGMA user_version=1");
    }
    store::Store second(at(folder.file("a.db")), {});
    CHECK(second.parked.due(at_ms(0), 10).size() == 1);
    CHECK(second.parked.find(1).second.attempts == 2);
    CHECK(second.locks.waiting() == 0);
}

TEST_CASE("schema: what an earlier release forgot stays forgotten") {
    const Folder folder;
    {
        store::Store first(at(folder.file("a.db")), {});
        first.outbox.insert({.id = {}, .subject = "s", .envelope = {}}, at_ms(7), std::nullopt);
        first.db().exec("PRAGMA user_version=2");
    }
    store::Store second(at(folder.file("a.db")), {});
    const Time from(std::chrono::microseconds(second.meta.number(store::Meta::kOutboxFrom)));
    CHECK(from == at_ms(7) + std::chrono::microseconds(1));
    const store::Store fresh(at(folder.file("b.db")), {});
    CHECK(!fresh.meta.text(store::Meta::kOutboxFrom));
}
