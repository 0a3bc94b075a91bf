// Sagas on their way from shard to shard: every row comes into one database, and is the same there.
#include "saga/store/reshard.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "saga/core/subject.hpp"
#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::store;
using namespace saga::test;

namespace {

const std::vector<std::string> kTables{
    "CREATE TABLE payment (order_id TEXT PRIMARY KEY, cents INTEGER NOT NULL, "
    "twice INTEGER GENERATED ALWAYS AS (cents * 2) STORED);"
    "CREATE TABLE touched (order_id TEXT);"
    "CREATE TRIGGER touch AFTER INSERT ON payment "
    "BEGIN INSERT INTO touched VALUES (new.order_id); END;"};
const std::vector<detail::TableBySaga> kBySaga{{"payment", "order_id"}, {"touched", "order_id"}};
constexpr int kSagas = 40;

std::string saga_name(int nth) {
    return fmt::format("order-{}", nth);
}

/// A row in every table for a saga.
void write_saga(Store& store, int nth) {
    const std::string saga = saga_name(nth);
    const auto last = static_cast<std::uint8_t>(nth + 1);
    Statement(store.db(), "INSERT INTO sagas (id, started, touched) VALUES (?1, ?2, ?2)")
        .exec(saga, at_ms(nth));
    const std::int64_t key = store.sagas.find(saga).key;
    const auto put = [&](const char* sql) { Statement(store.db(), sql).exec(key, id(last)); };
    put("INSERT INTO journal VALUES (?1, 'take', x'', ?2, 2, 1, 1, 'PaymentTaken', x'01')");
    put("INSERT INTO arrived VALUES (?1, 'ship', x'', 0, ?2, 1, x'02')");
    put("INSERT INTO inbox VALUES (?1, ?2, 'expect', 'OrderShipped')");
    put("INSERT INTO parked (saga, event_id, place, what, step, nth, run, forward, state, attempts,"
        " reason, stream_seq, stored_at) VALUES (?1, ?2, 0, 2, 'take', 0, x'', 1, 6, 3, 'why', 7, "
        "8)");
    put("INSERT INTO timers VALUES (?1, 'take', ?2, 0, 99)");
    put("INSERT INTO calls (saga, step, run, part, question, attempts, next_at, reason) "
        "VALUES (?1, 'take', ?2, 0, x'03', 1, 5, '')");
    put("INSERT INTO commands VALUES (?1, 'place', x'04', ?2, 'OrderRequested')");
    Statement(store.db(), "INSERT INTO locks VALUES (?1, ?2)").exec(saga, key);
    Statement(store.db(),
              "INSERT INTO lock_queue SELECT ?1, position, saga FROM parked WHERE saga = ?2")
        .exec(saga, key);
    store.outbox.insert(
        {.seq = 0,
         .id = id(last),
         .saga = key,
         .subject = core::event_subject("payment", Kind::done, "PaymentTaken", saga, nth % 2 == 0),
         .envelope = bytes(saga)},
        at_ms(nth), nth);
    // A notice belongs to no row of sagas, and its subject says whose it is.
    store.outbox.insert({.seq = 0,
                         .id = id(static_cast<std::uint8_t>(100 + nth)),
                         .saga = 0,
                         .subject = core::dead_letter_subject("payment", "PaymentTaken", saga),
                         .envelope = bytes(saga)},
                        at_ms(nth), std::nullopt);
    Statement(store.db(),
              "INSERT INTO aside (event_id, saga_id, step, reason, subject, message, stream_seq, "
              "stored_at, at) VALUES (?1, ?2, '', 'why', ?3, x'', 9, 9, 9)")
        .exec(id(last), nth % 2 == 0 ? saga : "",
              core::event_subject("order", Kind::done, "OrderRequested", saga, false));
    Statement(store.db(), "INSERT INTO payment (order_id, cents) VALUES (?1, ?2)").exec(saga, nth);
}

/// As a clean stop leaves it.
void close_books(Store& store, std::uint64_t cursor) {
    store.cursor.adopt({core::StoreTime(std::chrono::seconds(1)), 0, 1, {cursor}});
    store.cursor.move_to(cursor, core::Checkpoint{cursor, {}, id(1)});
    store.meta.set(Meta::kClean, 1);
    store.meta.set(Meta::kReactions, "");
    store.meta.set(Meta::kKey, "a key");
    store.meta.set(Meta::kJournalFrom, static_cast<std::int64_t>(cursor));
    store.meta.set(Meta::kOutboxFrom, static_cast<std::int64_t>(cursor));
    store.meta.set(Meta::kEpoch, static_cast<std::int64_t>(cursor));
}

struct World {
    Folder folder;
    std::string file(const core::Shard& shard) const {
        return folder.file(core::Instance{"payment", shard}.name() + ".db");
    }
    void write(const core::Shard& shard, std::uint64_t cursor) {
        Store store(at(file(shard)), kTables);
        store.db().begin();
        for (int nth = 0; nth < kSagas; ++nth)
            if (shard.takes(saga_name(nth))) write_saga(store, nth);
        close_books(store, cursor);
        store.db().commit();
    }
    RowCounts move(unsigned from, unsigned to) {
        std::vector<std::string> sources;
        for (unsigned nth = 0; nth < from; ++nth) sources.push_back(file({nth, from}));
        RowCounts all;
        for (unsigned nth = 0; nth < to; ++nth) {
            Store target(at(file({nth, to})), kTables);
            for (const auto& [table, rows] : take_sagas(target, {nth, to}, sources, kBySaga))
                all[table] += rows;
        }
        return all;
    }
    RowCounts counted(unsigned of) {
        RowCounts all;
        for (unsigned nth = 0; nth < of; ++nth) {
            Store store(at(file({nth, of})), kTables);
            for (const auto& [table, rows] : count_rows(store.db(), kBySaga)) all[table] += rows;
        }
        return all;
    }
};

/// All that a database says of one saga, without numbers that are its own.
std::vector<std::string> said_of(Store& store, const std::string& saga) {
    std::vector<std::string> lines;
    const std::int64_t key = store.sagas.find(saga).key;
    const auto read = [&](const std::string& select) {
        Statement statement(store.db(), select);
        Rows rows = statement.query(key);
        while (rows.next()) {
            std::string line = select.substr(0, 90);
            for (int i = 0; i < rows.columns(); ++i)
                line.append("|").append(test::text(rows.blob(i)));
            lines.push_back(line);
        }
    };
    read("SELECT id, started, touched FROM sagas WHERE saga = ?1");
    read("SELECT step, event_id, state, outcome, result FROM journal WHERE saga = ?1");
    read("SELECT step, slot, event_id, event FROM arrived WHERE saga = ?1");
    read("SELECT event_id, reaction, event FROM inbox WHERE saga = ?1");
    read("SELECT event_id, subject, envelope, at, stream_seq FROM outbox WHERE saga = ?1");
    read("SELECT event_id, state, attempts, reason FROM parked WHERE saga = ?1");
    read("SELECT step, run, due FROM timers WHERE saga = ?1");
    read("SELECT step, run, question, attempts, next_at FROM calls WHERE saga = ?1");
    read("SELECT verb, fingerprint, event_id, event FROM commands WHERE saga = ?1");
    read("SELECT entity FROM locks WHERE saga = ?1");
    read(
        "SELECT entity, (SELECT count(*) FROM parked p WHERE p.position = q.position AND p.saga = "
        "q.saga) FROM lock_queue q WHERE saga = ?1");
    read("SELECT p.* FROM payment p JOIN sagas s ON s.id = p.order_id WHERE s.saga = ?1");
    return lines;
}

std::vector<std::string> said_of(World& w, unsigned of, const std::string& saga) {
    for (unsigned nth = 0; nth < of; ++nth)
        if (const core::Shard shard{nth, of}; shard.takes(saga)) {
            Store store(at(w.file(shard)), kTables);
            return said_of(store, saga);
        }
    return {};
}

std::string refusal(World& w) {
    return thrown([&] {
        Store target(at(w.file({0, 2})), kTables);
        take_sagas(target, {0, 2}, std::vector{w.file({})}, kBySaga);
    });
}

}  // namespace

TEST_CASE("reshard: to more shards, to others, and back: each row once, and as it was") {
    World w;
    w.write({}, kSagas);  // all that it has published was read back
    const RowCounts whole = w.counted(1);
    std::vector<std::vector<std::string>> before;
    for (int nth = 0; nth < kSagas; ++nth) before.push_back(said_of(w, 1, saga_name(nth)));
    REQUIRE(before.front().size() == 12);
    const std::pair<unsigned, unsigned> kMoves[] = {{1, 2}, {2, 3}, {3, 7}, {7, 1}};
    for (const auto& move : kMoves) {
        const unsigned from = move.first, to = move.second;
        CAPTURE(from);
        CAPTURE(to);
        if (to == 1) std::rename(w.file({}).c_str(), (w.file({}) + ".old").c_str());
        CHECK(w.move(from, to) == whole);
        CHECK(w.counted(to) == whole);
        for (int nth = 0; nth < kSagas; ++nth)
            CHECK(said_of(w, to, saga_name(nth)) == before[static_cast<std::size_t>(nth)]);
        for (unsigned nth = 0; nth < to; ++nth) {  // as their clean stop would leave them
            Store store(at(w.file({nth, to})), kTables);
            store.db().begin();
            store.meta.set(Meta::kClean, 1);
            store.db().commit();
        }
    }
}

TEST_CASE("reshard: the stream is read again from where the one that lags stands") {
    World w;
    w.write({0, 2}, 70);
    w.write({1, 2}, 50);
    Store target(at(w.file({})), kTables);
    take_sagas(target, {}, std::vector{w.file({0, 2}), w.file({1, 2})}, kBySaga);
    CHECK(target.cursor.position().seq == 50);
    REQUIRE(target.cursor.checkpoints().newest());
    CHECK(target.cursor.checkpoints().newest()->seq == 50);
    target.cursor.reload();
    CHECK(target.cursor.position().holes == std::vector<std::uint64_t>{50});
    // What one of them forgot may have been the other's to forget.
    CHECK(target.meta.number(Meta::kJournalFrom) == 70);
    CHECK(target.meta.number(Meta::kOutboxFrom) == 70);
    CHECK(target.meta.number(Meta::kEpoch) == 70);
    CHECK(target.meta.text(Meta::kKey) == "a key");
}

TEST_CASE("reshard: what a shard has read back above the one that lags is read there once more") {
    World w;
    w.write({0, 2}, kSagas);
    w.write({1, 2}, 3);
    Store target(at(w.file({})), kTables);
    take_sagas(target, {}, std::vector{w.file({0, 2}), w.file({1, 2})}, kBySaga);
    const auto count = [&](const char* where) {
        Statement statement(target.db(), fmt::format("SELECT count(*) FROM outbox WHERE saga > 0 "
                                                     "AND {}",
                                                     where));
        return number(statement);
    };
    CHECK(count("stream_seq > 3") == 0);  // the broker may have lost it since then
    CHECK(count("stream_seq <= 3") == 4);
    CHECK(count("stream_seq IS NULL") == kSagas - 4);
}

TEST_CASE("reshard: numbers that were given once are not given again") {
    World w;
    w.write({}, 10);
    {
        Store store(at(w.file({})), kTables);
        store.db().exec("DELETE FROM outbox WHERE seq > 5");
    }
    Store target(at(w.file({0, 2})), kTables);
    take_sagas(target, {0, 2}, std::vector{w.file({})}, kBySaga);
    CHECK(target.outbox.next_seq() == 2 * kSagas + 1);
}

TEST_CASE("reshard: only what was stopped cleanly, and has read all that the others have") {
    World w;
    w.write({}, 10);
    const auto spoiled = [&](const char* sql) {
        {
            Store store(at(w.file({})), kTables);
            store.db().exec(sql);
        }
        std::string why = refusal(w);
        for (const char* tail : {"", "-wal", ".lock"}) std::remove((w.file({0, 2}) + tail).c_str());
        return why;
    };
    const auto unclean = "not stopped cleanly";
    CHECK(spoiled("UPDATE meta SET value = 0 WHERE name = 'clean'").find(unclean) !=
          std::string::npos);
    CHECK(spoiled("UPDATE meta SET value = 1 WHERE name = 'clean'") == "");
    CHECK(spoiled("INSERT INTO attempts VALUES ('call 1', 1)").find(unclean) != std::string::npos);
    CHECK(spoiled("DELETE FROM attempts") == "");
    CHECK(spoiled("INSERT INTO meta VALUES ('catch_up', 7)").find(unclean) != std::string::npos);
    CHECK(spoiled("DELETE FROM meta WHERE name = 'catch_up'") == "");
    CHECK(spoiled("PRAGMA user_version = 1").find("another release") != std::string::npos);
}

TEST_CASE("reshard: shards of two services, or of two streams, are not one") {
    World w;
    w.write({0, 2}, 10);
    w.write({1, 2}, 10);
    const auto merged = [&](const char* sql) {
        {
            Store store(at(w.file({1, 2})), kTables);
            store.db().exec(sql);
        }
        std::string why = thrown([&] {
            Store target(at(w.file({})), kTables);
            take_sagas(target, {}, std::vector{w.file({0, 2}), w.file({1, 2})}, kBySaga);
        });
        for (const char* tail : {"", "-wal", ".lock"}) std::remove((w.file({}) + tail).c_str());
        return why;
    };
    CHECK(merged("UPDATE meta SET value = 'other' WHERE name = 'key'").find("its key is another") !=
          std::string::npos);
    CHECK(merged("UPDATE meta SET value = 'a key' WHERE name = 'key';"
                 "UPDATE cursor SET created = created + 1")
              .find("another stream") != std::string::npos);
}

TEST_CASE("reshard: tables that point at each other come in any order") {
    const std::vector<std::string> tables{
        "CREATE TABLE bill (order_id TEXT PRIMARY KEY);"
        "CREATE TABLE line (order_id TEXT NOT NULL REFERENCES bill, nth INTEGER, "
        "PRIMARY KEY (order_id, nth))"};
    const std::vector<detail::TableBySaga> by_saga{{"line", "order_id"}, {"bill", "order_id"}};
    World w;
    {
        Store store(at(w.file({})), tables);
        store.db().begin();
        store.db().exec(
            "INSERT INTO bill VALUES ('order-1'); INSERT INTO line VALUES ('order-1', "
            "1), ('order-1', 2)");
        close_books(store, 10);
        store.db().commit();
        require_by_saga(store.db(), by_saga);
    }
    std::int64_t lines = 0;
    for (unsigned nth = 0; nth < 2; ++nth) {
        Store target(at(w.file({nth, 2})), tables);
        lines += take_sagas(target, {nth, 2}, std::vector{w.file({})}, by_saga).at("line");
    }
    CHECK(lines == 2);
}

TEST_CASE("reshard: a row that points at another saga's keeps its service whole") {
    const std::vector<std::string> tables{
        "CREATE TABLE bill (order_id TEXT PRIMARY KEY, before TEXT REFERENCES bill)"};
    const std::vector<detail::TableBySaga> by_saga{{"bill", "order_id"}};
    World w;
    {
        Store store(at(w.file({})), tables);
        store.db().begin();
        for (int nth = 0; nth < kSagas; ++nth)
            Statement(store.db(), "INSERT INTO bill VALUES (?1, ?2)")
                .exec(saga_name(nth), saga_name(std::max(nth - 1, 0)));
        close_books(store, 10);
        store.db().commit();
    }
    const std::string why = thrown([&] {
        Store target(at(w.file({0, 2})), tables);
        take_sagas(target, {0, 2}, std::vector{w.file({})}, by_saga);
    });
    CHECK(why.find("rows of bill refer to those of another saga") != std::string::npos);
}

TEST_CASE("reshard: what two shards lock has one holder first") {
    World w;
    w.write({0, 2}, 10);
    w.write({1, 2}, 10);
    for (unsigned nth = 0; nth < 2; ++nth) {
        Store store(at(w.file({nth, 2})), kTables);
        store.db().exec(
            "UPDATE locks SET entity = 'customer/7' WHERE saga = (SELECT min(saga) "
            "FROM locks)");
    }
    const std::string why = thrown([&] {
        Store target(at(w.file({})), kTables);
        take_sagas(target, {}, std::vector{w.file({0, 2}), w.file({1, 2})}, kBySaga);
    });
    CHECK(why.find("customer/7 is locked in two shards") != std::string::npos);
}

TEST_CASE("reshard: an operator's word that is read again names no row of another shard") {
    World w;
    w.write({0, 2}, 10);
    w.write({1, 2}, 10);
    Store target(at(w.file({})), kTables);
    take_sagas(target, {}, std::vector{w.file({0, 2}), w.file({1, 2})}, kBySaga);
    for (const char* table : {"aside", "parked"}) {
        Statement low(target.db(), fmt::format("SELECT min(position) FROM {}", table));
        Statement all(target.db(), fmt::format("SELECT count(*) FROM {}", table));
        CHECK(number(all) == kSagas);
        CHECK(number(low) > kSagas / 3);  // each shard had about half of them
    }
}

TEST_CASE("reshard: an operator's word that is on its way comes first") {
    World w;
    w.write({}, 10);
    {
        Store store(at(w.file({})), kTables);
        store.outbox.insert({.seq = 0,
                             .id = id(250),
                             .saga = 1,
                             .subject = "saga.payment.done.OperatorActed.p07",
                             .envelope = bytes("")},
                            at_ms(1), std::nullopt);
    }
    CHECK(refusal(w).find("an operator's word is on its way") != std::string::npos);
}
