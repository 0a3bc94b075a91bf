// Whose a table's rows are: what has to be so before a service can be split.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "saga/store/reshard.hpp"
#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::store;
using namespace saga::test;

namespace {

using Tables = std::vector<detail::TableBySaga>;

/// Why a service with these tables cannot be split; empty: it can.
std::string why(const std::string& tables, const Tables& said = {{"t", "saga"}}) {
    const Folder folder;
    Store store(at(folder.file("x.db")), std::vector<std::string>{tables});
    return thrown([&] { require_by_saga(store.db(), said); });
}

}  // namespace

TEST_CASE("by_saga: a table that does not say whose its rows are keeps its service whole") {
    const char* tables =
        "CREATE TABLE payment (order_id TEXT PRIMARY KEY); CREATE TABLE touched (order_id TEXT)";
    CHECK(why(tables, {{"payment", "order_id"}, {"touched", "order_id"}}) == "");
    CHECK(why(tables, {{"payment", "order_id"}}).find("the table touched does not say whose") == 0);
    CHECK(why(tables, {{"payment", "order_id"}, {"touched", "saga"}}).find("has no column saga") !=
          std::string::npos);
}

TEST_CASE("by_saga: a number that is unique in one shard would not be in two") {
    CHECK(why("CREATE TABLE t (saga TEXT)") == "");
    CHECK(why("CREATE TABLE t (saga TEXT, nth INT, PRIMARY KEY (saga, nth))") == "");
    CHECK(why("CREATE TABLE t (saga TEXT, nth INT, PRIMARY KEY (nth, saga)) WITHOUT ROWID") == "");
    for (const char* table : {"CREATE TABLE t (id INTEGER PRIMARY KEY, saga TEXT)",
                              "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, saga TEXT)",
                              "CREATE TABLE t (saga TEXT PRIMARY KEY, name TEXT UNIQUE)",
                              "CREATE TABLE t (saga TEXT, name TEXT);"
                              "CREATE UNIQUE INDEX one ON t (name)"}) {
        CAPTURE(table);
        CHECK(why(table).find("two shards would give it out twice") != std::string::npos);
    }
}

TEST_CASE("by_saga: a saga's id stays the text that it is") {
    for (const char* type : {"", "TEXT", "VARCHAR(64)", "BLOB"})
        CHECK(why(fmt::format("CREATE TABLE t (saga {})", type)) == "");
    for (const char* type : {"INTEGER", "STRING", "REAL", "NUMERIC"}) {
        CAPTURE(type);
        CHECK(why(fmt::format("CREATE TABLE t (saga {})", type)).find("declare it TEXT") !=
              std::string::npos);
    }
}
