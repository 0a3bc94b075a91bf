#include "saga/store/backup.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "saga/core/limits.hpp"
#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;
using store::Backup;
using store::Database;

namespace {

std::int64_t value(Database& db, const std::string& select) {
    store::Statement statement(db, select);
    return store::number(statement);
}

void fill(Database& db, int rows) {
    db.begin();
    for (int i = 0; i < rows; ++i) db.exec("INSERT INTO t VALUES (randomblob(3000))");
    db.commit();
}

}  // namespace

TEST_CASE("backup: is whole, private, and overwrites nothing") {
    const Folder folder;
    Database db(at(folder.file("a.db")));
    db.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    {
        Backup backup(db, folder.file("b.db"));
        CHECK(backup.step());
        CHECK(backup.copied_bytes() == backup.all_bytes());
    }
    db.exec("INSERT INTO t VALUES (2)");
    const std::string why = thrown([&] { Backup second(db, folder.file("b.db")); });
    CHECK(why.find("File exists") != std::string::npos);
    struct stat found {};
    REQUIRE(::stat(folder.file("b.db").c_str(), &found) == 0);
    CHECK((found.st_mode & 0777) == 0600);
    Database copy(at(folder.file("b.db")));
    CHECK(value(copy, "SELECT count(*) FROM t") == 1);
}

TEST_CASE("backup: what is committed, rolled back and checkpointed meanwhile is in it as it is") {
    const Folder folder;
    Database db(at(folder.file("a.db")));
    db.exec("CREATE TABLE t (x); CREATE TABLE n (nth INTEGER)");
    fill(db, 3'000);
    int steps = 0;
    {
        Backup backup(db, folder.file("b.db"));
        while (!backup.step()) {
            REQUIRE(++steps < 100);
            CHECK(backup.copied_bytes() < backup.all_bytes());
            db.begin();
            db.exec("INSERT INTO n VALUES (" + std::to_string(steps) + ")");
            db.exec("UPDATE t SET x = zeroblob(10) WHERE rowid = " + std::to_string(steps));
            if (steps < 3) db.exec("INSERT INTO t SELECT randomblob(3000) FROM t LIMIT 200");
            steps == 3 ? db.rollback() : db.commit();  // then SQLite begins the copy anew
            if (steps % 4 == 0) db.checkpoint();
        }
        fill(db, 1);  // no longer in it
    }
    CHECK(steps > 3);
    Database copy(at(folder.file("b.db")));
    copy.look_through();
    CHECK(value(copy, "SELECT count(*) FROM n") == steps - 1);
    CHECK(value(copy, "SELECT count(*) FROM n WHERE nth = 3") == 0);
    CHECK(value(copy, "SELECT count(*) FROM t") == 3'400);
    CHECK(value(copy, "SELECT count(*) FROM t WHERE length(x) = 10") == steps - 1);
}

TEST_CASE("backup: one that is given up leaves nothing, and the database goes on") {
    const Folder folder;
    Database db(at(folder.file("a.db")));
    db.exec("CREATE TABLE t (x)");
    fill(db, 1'000);
    {
        Backup backup(db, folder.file("b.db"));
        CHECK(!backup.step());
    }
    CHECK(!std::filesystem::exists(folder.file("b.db")));
    CHECK(thrown([&] { Backup none(db, folder.file("no/b.db")); }).find("No such file") !=
          std::string::npos);
    fill(db, 1);
    CHECK(value(db, "SELECT count(*) FROM t") == 1'001);
}
