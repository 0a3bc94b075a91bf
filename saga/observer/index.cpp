#include "saga/observer/index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "saga/observer/limits.hpp"

namespace saga::observer {
namespace {

constexpr int kVersion = 1;  // of the tables, and of what an enumeration's values mean

// Times of the broker are nanoseconds since 1970 UTC, all others microseconds. The indices name
// what they are for; most sagas complete, and stand in the smaller ones only before that.
constexpr auto kTables = R"sql(
    CREATE TABLE observer_position (
        created   INTEGER NOT NULL,
        seq       INTEGER NOT NULL,
        last_seq  INTEGER NOT NULL,
        stored_at INTEGER NOT NULL,
        event_id  BLOB NOT NULL,
        junk      INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE observed_sagas (
        no           INTEGER PRIMARY KEY,
        id           TEXT NOT NULL UNIQUE,
        course       INTEGER NOT NULL,      -- Course
        started      INTEGER NOT NULL,
        last         INTEGER NOT NULL,
        events       INTEGER NOT NULL,
        last_seq     INTEGER NOT NULL,
        last_event   TEXT NOT NULL,
        last_because TEXT NOT NULL,
        last_kind    INTEGER NOT NULL,      -- Kind
        failed       INTEGER NOT NULL,
        failed_by    TEXT NOT NULL,
        waits_for    TEXT NOT NULL,
        waits_since  INTEGER NOT NULL,
        engine_only  INTEGER NOT NULL,
        bytes        INTEGER NOT NULL,      -- of its events
        whole        INTEGER NOT NULL,      -- 0: not all of them are kept
        judged       INTEGER NOT NULL,      -- 0: its course is older than its events
        stored       INTEGER NOT NULL       -- the last event, by the broker's clock
    ) STRICT;
    CREATE INDEX latest ON observed_sagas (started) WHERE engine_only = 0;
    CREATE INDEX open ON observed_sagas (course, started) WHERE course <> 1 AND engine_only = 0;
    CREATE INDEX unjudged ON observed_sagas (no) WHERE judged = 0;
    CREATE INDEX finished ON observed_sagas (stored) WHERE course IN (1, 3) OR engine_only = 1;

    CREATE TABLE observed_events (
        seq       INTEGER PRIMARY KEY,
        saga      INTEGER NOT NULL,         -- observed_sagas.no
        stored_at INTEGER NOT NULL,
        bytes     BLOB NOT NULL
    ) STRICT;
    CREATE INDEX events_of_saga ON observed_events (saga);
)sql";
static_assert(static_cast<int>(view::Course::completed) == 1);
static_assert(static_cast<int>(view::Course::undone) == 3);

constexpr auto kCacheBytes = "PRAGMA cache_size=-65536";  // the ids of sagas come in no order

std::string select(std::string_view where) {
    return fmt::format(
        "SELECT no, id, course, started, last, events, last_seq, last_event, last_because, "
        "last_kind, failed, failed_by, waits_for, waits_since, engine_only, bytes, whole, judged, "
        "stored FROM observed_sagas WHERE {}",
        where);
}

std::string listing(std::string_view course) {
    return select(
        fmt::format("engine_only = 0 AND started >= ?1 AND started <= ?2 AND "
                    "(started < ?2 OR last_seq < ?3){} ORDER BY started DESC, last_seq DESC",
                    course));
}

constexpr auto kUpdate =
    "UPDATE observed_sagas SET id = ?2, course = ?3, started = ?4, last = ?5, events = ?6, "
    "last_seq = ?7, last_event = ?8, last_because = ?9, last_kind = ?10, failed = ?11, "
    "failed_by = ?12, waits_for = ?13, waits_since = ?14, engine_only = ?15, bytes = ?16, "
    "whole = ?17, judged = ?18, stored = ?19 WHERE no = ?1";
constexpr auto kInsert =
    "INSERT INTO observed_sagas VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "
    "?14, ?15, ?16, ?17, ?18, ?19)";

std::int64_t ns(core::StoreTime time) {
    return time.time_since_epoch().count();
}
core::StoreTime store_time(std::int64_t ns) {
    return core::StoreTime(std::chrono::nanoseconds(ns));
}

std::int64_t number(const store::Database& db, std::string_view query) {
    store::Statement statement(db, query);
    return store::number(statement);
}

}  // namespace

/// A file of this version, whatever it was before.
Index::Prepared::Prepared(store::Database& db) {
    db.exec(kCacheBytes);
    const auto tables = number(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'");
    const auto ours = number(db,
                             "SELECT count(*) FROM sqlite_schema WHERE name = "
                             "'observer_position'");
    if (tables > 0 && ours == 0)
        throw Error(
            fmt::format("{} is the database of a service: give the observer a folder of "
                        "its own with --data",
                        db.path()));
    if (ours > 0 && number(db, "PRAGMA user_version") == kVersion) return;
    db.begin();
    if (ours > 0)
        db.exec(
            "DROP TABLE observer_position; DROP TABLE observed_sagas; "
            "DROP TABLE observed_events");
    db.exec(kTables);
    db.exec("INSERT INTO observer_position VALUES (0, 0, 0, 0, x'', 0)");
    db.exec(fmt::format("PRAGMA user_version={}", kVersion));
    db.commit();
}

Index::Index(const std::string& path)
    : db_({.path = path, .vfs = {}}),
      prepared_(db_),
      load_position_(db_,
                     "SELECT created, seq, last_seq, stored_at, event_id, junk FROM "
                     "observer_position"),
      write_position_(db_,
                      "UPDATE observer_position SET created = ?1, seq = ?2, last_seq = ?3, "
                      "stored_at = ?4, event_id = ?5, junk = ?6"),
      by_id_(db_, select("id = ?1")),
      by_no_(db_, select("no = ?1")),
      insert_(db_, kInsert),
      update_(db_, kUpdate),
      insert_event_(db_, "INSERT INTO observed_events VALUES (?1, ?2, ?3, ?4)"),
      events_(db_,
              "SELECT seq, stored_at, bytes FROM observed_events WHERE saga = ?1 AND seq > ?2 "
              "ORDER BY seq"),
      unjudged_(db_, "SELECT no FROM observed_sagas WHERE judged = 0 LIMIT ?1"),
      finished_(db_,
                "SELECT no FROM observed_sagas WHERE (course IN (1, 3) OR engine_only = 1) AND "
                "stored < ?1 LIMIT ?2"),
      erase_(db_, "DELETE FROM observed_sagas WHERE no = ?1"),
      erase_events_(db_, "DELETE FROM observed_events WHERE saga = ?1"),
      list_any_(db_, listing("")),
      list_completed_(db_, listing(" AND course = 1")),
      list_open_(db_, listing(" AND course <> 1 AND course = ?4")),
      count_all_(db_,
                 "SELECT count(*) FROM observed_sagas WHERE engine_only = 0 AND started >= ?1"),
      count_open_(db_,
                  "SELECT course, count(*) FROM observed_sagas WHERE course <> 1 AND "
                  "engine_only = 0 AND started >= ?1 GROUP BY course"),
      open_(db_, "SELECT count(*) FROM observed_sagas WHERE course <> 1 AND engine_only = 0"),
      last_no_(number(db_, "SELECT max(no) FROM observed_sagas")) {
    store::Rows rows = load_position_.query();
    SAGA_ASSERT(rows.next());
    position_ = {
        store_time(rows.integer(0)),
        static_cast<std::uint64_t>(rows.integer(1)),
        {static_cast<std::uint64_t>(rows.integer(2)), store_time(rows.integer(3)), rows.id(4)}};
    junk_ = rows.integer(5);
}

void Index::transaction(const std::function<void()>& work) {
    const Position before = position_;
    const std::int64_t junk = junk_, last = last_no_;
    db_.begin();
    try {
        work();
        db_.commit();
    } catch (...) {
        db_.rollback();
        position_ = before;
        junk_ = junk;
        last_no_ = last;
        throw;
    }
}

void Index::write_position() {
    write_position_.exec(ns(position_.created), position_.seq, position_.last.seq,
                         ns(position_.last.stored_at), position_.last.id, junk_);
}

void Index::begin_again(const Position& position) {
    transaction([&] {
        db_.exec("DELETE FROM observed_events; DELETE FROM observed_sagas");
        position_ = position;
        junk_ = 0;
        last_no_ = 0;
        write_position();
    });
}

Index::Row Index::row_of(const store::Rows& rows) {
    const auto number = [&](int column) {
        return static_cast<std::uint64_t>(rows.integer(column));
    };
    Row row{.no = rows.integer(0)};
    row.standing = {.saga = std::string(rows.text(1)),
                    .course = static_cast<view::Course>(rows.integer(2)),
                    .started = rows.time(3),
                    .last = rows.time(4),
                    .events = number(5),
                    .last_seq = number(6),
                    .last_event = std::string(rows.text(7)),
                    .last_because = std::string(rows.text(8)),
                    .last_kind = static_cast<Kind>(rows.integer(9)),
                    .failed = rows.integer(10) != 0,
                    .failed_by = std::string(rows.text(11)),
                    .waits_for = std::string(rows.text(12)),
                    .waits_since = rows.time(13),
                    .engine_only = rows.integer(14) != 0};
    row.bytes = number(15);
    row.whole = rows.integer(16) != 0;
    row.judged = rows.integer(17) != 0;
    row.stored = store_time(rows.integer(18));
    return row;
}

std::optional<Index::Row> Index::load(std::string_view saga) {
    store::Rows rows = by_id_.query(saga);
    return rows.next() ? std::optional(row_of(rows)) : std::nullopt;
}

std::optional<Index::Row> Index::load(std::int64_t no) {
    store::Rows rows = by_no_.query(no);
    return rows.next() ? std::optional(row_of(rows)) : std::nullopt;
}

void Index::write(const Row& row) {
    const view::Standing& s = row.standing;
    (row.fresh ? insert_ : update_)
        .exec(row.no, s.saga, s.course, s.started, s.last, s.events, s.last_seq, s.last_event,
              s.last_because, s.last_kind, s.failed, s.failed_by, s.waits_for, s.waits_since,
              s.engine_only, row.bytes, row.whole, row.judged, ns(row.stored));
}

/// The sagas of one transaction, each read and written once.
class Index::Batch {
  public:
    explicit Batch(Index& index) : index_(index) {}

    void take(const bus::StoredMessage& message) {
        const auto read = core::decode(message.bytes);
        const auto* envelope = std::get_if<core::Envelope>(&read);
        index_.position_.last = {message.seq, message.stored_at,
                                 envelope == nullptr ? EventId{} : envelope->id};
        if (envelope == nullptr) {
            ++index_.junk_;
            return;
        }
        Row& row = find(envelope->saga);
        row.standing.take(
            view::fact_of({message.bytes, *envelope, message.seq, message.stored_at}, words_));
        row.stored = message.stored_at;
        row.judged = row.standing.completed();
        row.bytes += message.bytes.size();
        row.whole =
            row.whole && row.standing.events <= kMaxSagaEvents && row.bytes <= kMaxSagaBytes;
        if (row.whole)
            index_.insert_event_.exec(message.seq, row.no, ns(message.stored_at), message.bytes);
    }
    void write() {
        for (const auto& [id, row] : rows_) index_.write(row);
    }

  private:
    Row& find(std::string_view saga) {
        const auto [at, fresh] = rows_.try_emplace(std::string(saga));
        if (!fresh) return at->second;
        if (auto known = index_.load(saga)) {
            at->second = std::move(*known);
        } else {
            at->second.no = ++index_.last_no_;
            at->second.fresh = true;
            at->second.standing.saga = at->first;
        }
        return at->second;
    }

    Index& index_;
    view::Words words_;
    std::unordered_map<std::string, Row> rows_;
};

void Index::take(std::span<const bus::StoredMessage> messages, std::uint64_t read_to) {
    transaction([&] {
        Batch batch(*this);
        for (const bus::StoredMessage& message : messages) batch.take(message);
        batch.write();
        position_.seq = read_to;
        write_position();
    });
}

void Index::doubt() {
    db_.exec("UPDATE observed_sagas SET judged = 0 WHERE course <> 1 AND engine_only = 0");
}

std::size_t Index::prune(core::StoreTime before, std::size_t most) {
    std::vector<std::int64_t> old;
    {
        store::Rows rows = finished_.query(ns(before), most);
        while (rows.next()) old.push_back(rows.integer(0));
    }
    if (old.empty()) return 0;
    transaction([&] {
        for (const std::int64_t no : old) {
            erase_events_.exec(no);
            erase_.exec(no);
        }
    });
    return old.size();
}

}  // namespace saga::observer
