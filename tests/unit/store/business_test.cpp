#include "saga/store/business.hpp"

#include <doctest/doctest.h>

#include "saga/core/limits.hpp"
#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;
using detail::Value;

namespace {

struct Shelf : Fresh {
    std::int64_t exec(std::string_view sql, const std::vector<Value>& args = {}) {
        return store.business.exec(sql, args);
    }
    std::string refusal(std::string_view sql) {
        return thrown([&] { exec(sql); });
    }
    std::string units() { return store.business.json("SELECT units FROM shelf", ""); }
};

}  // namespace

TEST_CASE("business: writes its rows, reads its rows") {
    Shelf shelf;
    CHECK(shelf.exec("INSERT INTO shelf VALUES (?1, ?2)", {"tea", std::int64_t{3}}) == 1);
    CHECK(shelf.exec("UPDATE shelf SET units = units + ?1", {std::int64_t{4}}) == 1);
    std::vector<std::int64_t> seen;
    shelf.store.business.query("SELECT units FROM shelf WHERE sku = ?1", std::vector<Value>{"tea"},
                               [&](std::span<const Value> row) {
                                   seen.push_back(std::get<std::int64_t>(row[0]));
                                   return true;
                               });
    CHECK(seen == std::vector<std::int64_t>{7});
}

TEST_CASE("business: reads the engine's tables, and writes none of them") {
    Shelf shelf;
    CHECK(shelf.store.business.json("SELECT count(*) AS n FROM sagas", "") == R"([{"n":0}])");
    for (const char* sql : {"DELETE FROM journal", "INSERT INTO meta VALUES ('a', 1)",
                            "UPDATE cursor SET seq = 0", "DELETE FROM outbox"})
        CHECK(shelf.refusal(sql).find("belongs to the engine") != std::string::npos);
}

TEST_CASE("business: leaves transactions, tables and settings alone") {
    Shelf shelf;
    for (const char* sql : {"COMMIT", "ROLLBACK", "SAVEPOINT a", "BEGIN", "CREATE TABLE t (x)",
                            "DROP TABLE shelf", "PRAGMA synchronous=OFF", "ATTACH 'x' AS y",
                            "CREATE TRIGGER t AFTER INSERT ON shelf BEGIN SELECT 1; END"})
        CHECK_MESSAGE(shelf.refusal(sql).find("are the engine's") != std::string::npos,
                      sql << ": " << shelf.refusal(sql));
    CHECK(shelf.store.db().in_transaction());
}

TEST_CASE("business: refuses what answers differently on the next run") {
    Shelf shelf;
    for (const char* value : {"random()", "hex(randomblob(4))", "CURRENT_TIMESTAMP",
                              "datetime('now')", "strftime('%s', 'now')", "last_insert_rowid()"}) {
        CAPTURE(value);
        CHECK(shelf.refusal(std::string("INSERT INTO shelf VALUES (") + value + ", 1)") != "");
    }
    CHECK(shelf.units() == "[]");
    CHECK(shelf.store.business.json("SELECT date('now') > '2020' AS late", "") ==
          R"([{"late":1}])");
}

TEST_CASE("business: exec writes and query reads") {
    Shelf shelf;
    CHECK(shelf.refusal("SELECT 1").find("changes nothing") != std::string::npos);
    CHECK(thrown([&] {
              shelf.store.business.query("DELETE FROM shelf", {},
                                         [](std::span<const Value>) { return true; });
          }).find("use exec") != std::string::npos);
    CHECK(shelf.refusal("INSERT INTO shelf VALUES (?1, ?2)").find("takes 2 parameters") !=
          std::string::npos);
    CHECK(shelf.refusal("INSERT INTO no_table VALUES (1)").find("no_table") != std::string::npos);
}

TEST_CASE("business: one statement at a time") {
    Shelf shelf;
    CHECK(shelf.refusal("INSERT INTO shelf VALUES ('a', 1); DELETE FROM journal") != "");
    CHECK(shelf.units() == "[]");
}

TEST_CASE("business: a query has a bound on its rows") {
    Shelf shelf;
    const std::string many =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT " +
        std::to_string(core::kMaxRows + 1) + ") SELECT i FROM n";
    std::size_t seen = 0;
    const auto count = [&](std::span<const Value>) {
        ++seen;
        return true;
    };
    CHECK(thrown([&] { shelf.store.business.query(many, {}, count); }).find("more than 10000") !=
          std::string::npos);
    CHECK(seen == core::kMaxRows);
    CHECK(thrown([&] { shelf.store.business.json(many, ""); }).find("more than 10000") !=
          std::string::npos);
}

TEST_CASE("business: rows as JSON keep their types, and bytes that are no text do no harm") {
    Shelf shelf;
    CHECK(shelf.store.business.json("SELECT 1 AS a, 1.5 AS b, 'x\"y' AS c, NULL AS d", "") ==
          R"([{"a":1,"b":1.5,"c":"x\"y","d":null}])");
    CHECK(shelf.store.business.json("SELECT ?1 AS said", "hello") == R"([{"said":"hello"}])");
    CHECK(shelf.store.business.json("SELECT CAST(x'ff41' AS TEXT) AS a", "").find('A') !=
          std::string::npos);
}
