#include "saga/store/schema.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>

#include "saga/store/failpoint.hpp"
#include "saga/store/statement.hpp"

namespace saga::store {
namespace {

// Times are microseconds since 1970 UTC, `stored_at` nanoseconds of the broker's clock, ids 16
// bytes. `saga` is the key of a row of sagas; 0 stands for none. Columns that end in the name of an
// enumeration hold its values, which never change.
constexpr std::array kMigrations{R"sql(
    CREATE TABLE meta (
        name  TEXT PRIMARY KEY,
        value ANY
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE scripts (             -- the author's, run here
        nth    INTEGER PRIMARY KEY,
        digest BLOB NOT NULL
    ) STRICT;

    CREATE TABLE sagas (
        saga      INTEGER PRIMARY KEY,
        id        TEXT NOT NULL UNIQUE,
        started   INTEGER NOT NULL,
        failed_by TEXT NOT NULL DEFAULT '',   -- the failures' names, with a space between
        ended_by  TEXT NOT NULL DEFAULT '',
        touched   INTEGER NOT NULL            -- when a step, an undo or an end last changed it
    ) STRICT;

    CREATE TABLE journal (
        saga     INTEGER NOT NULL,
        step     TEXT NOT NULL,
        run      BLOB NOT NULL,        -- empty, or the event's id where a step runs for each
        event_id BLOB NOT NULL,
        state    INTEGER NOT NULL,     -- StepState
        nth      INTEGER NOT NULL,
        forward  INTEGER NOT NULL,
        outcome  TEXT NOT NULL,        -- names of the events that it published
        result   BLOB,                 -- what an undo or a timer will be given
        PRIMARY KEY (saga, step, run)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE arrived (
        saga     INTEGER NOT NULL,
        step     TEXT NOT NULL,
        run      BLOB NOT NULL,
        slot     INTEGER NOT NULL,
        event_id BLOB NOT NULL,
        forward  INTEGER NOT NULL,
        event    BLOB,                 -- the envelope, until the step has run
        PRIMARY KEY (saga, step, run, slot)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE inbox (
        saga     INTEGER NOT NULL,
        event_id BLOB NOT NULL,
        reaction TEXT NOT NULL,        -- 'expect': a timer's answer was read
        event    TEXT NOT NULL,        -- its name
        PRIMARY KEY (saga, event_id, reaction)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE outbox (
        seq        INTEGER PRIMARY KEY AUTOINCREMENT,
        event_id   BLOB NOT NULL UNIQUE,
        saga       INTEGER NOT NULL,
        subject    TEXT NOT NULL,
        envelope   BLOB NOT NULL,
        at         INTEGER NOT NULL,   -- of its commit; once settled: when it was read back, never
                                       -- before the event's own time
        stream_seq INTEGER             -- where it was read back; NULL: not settled
    ) STRICT;
    CREATE INDEX outbox_unsettled ON outbox (seq) WHERE stream_seq IS NULL;

    CREATE TABLE parked (
        position   INTEGER PRIMARY KEY AUTOINCREMENT,
        saga       INTEGER NOT NULL,
        place      INTEGER NOT NULL,
        what       INTEGER NOT NULL,   -- Waits
        step       TEXT NOT NULL,
        nth        INTEGER NOT NULL,
        run        BLOB NOT NULL,
        event_id   BLOB NOT NULL,
        forward    INTEGER NOT NULL,
        state      INTEGER NOT NULL,   -- Parking
        attempts   INTEGER NOT NULL,
        next_at    INTEGER,            -- NULL: not by itself
        reason     TEXT NOT NULL,
        event      BLOB,               -- the envelope
        stream_seq INTEGER NOT NULL,
        stored_at  INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX parked_by_saga ON parked (saga);
    CREATE INDEX parked_due ON parked (next_at) WHERE next_at IS NOT NULL;

    CREATE TABLE aside (               -- dead letters that block no saga
        position   INTEGER PRIMARY KEY AUTOINCREMENT,
        event_id   BLOB NOT NULL,
        saga_id    TEXT NOT NULL,
        step       TEXT NOT NULL,
        reason     TEXT NOT NULL,
        subject    TEXT NOT NULL,
        message    BLOB NOT NULL,
        stream_seq INTEGER NOT NULL,
        stored_at  INTEGER NOT NULL,
        at         INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE timers (
        saga INTEGER NOT NULL,
        step TEXT NOT NULL,
        run  BLOB NOT NULL,
        nth  INTEGER NOT NULL,
        due  INTEGER NOT NULL,         -- on the broker's clock
        PRIMARY KEY (saga, step, run, nth)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX timers_due ON timers (due);

    CREATE TABLE calls (
        call     INTEGER PRIMARY KEY AUTOINCREMENT,
        saga     INTEGER NOT NULL,
        step     TEXT NOT NULL,
        run      BLOB NOT NULL,
        part     INTEGER NOT NULL,     -- Part
        question BLOB NOT NULL,
        attempts INTEGER NOT NULL,
        next_at  INTEGER,              -- NULL: dead
        reason   TEXT NOT NULL,
        UNIQUE (saga, step, run, part)
    ) STRICT;
    CREATE INDEX calls_due ON calls (next_at) WHERE next_at IS NOT NULL;

    CREATE TABLE locks (
        entity TEXT PRIMARY KEY,
        saga   INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX locks_by_saga ON locks (saga);

    CREATE TABLE commands (
        saga        INTEGER NOT NULL,
        verb        TEXT NOT NULL,
        fingerprint BLOB NOT NULL,
        event_id    BLOB NOT NULL,
        event       TEXT NOT NULL,     -- its name
        PRIMARY KEY (saga, verb)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE cursor (
        one       INTEGER PRIMARY KEY CHECK (one = 1),
        created   INTEGER NOT NULL,    -- of the stream; 0: never read
        seq       INTEGER NOT NULL,
        deleted   INTEGER NOT NULL,    -- holes in the stream that we know of: meta.holes
        stored_at INTEGER NOT NULL     -- of the last message handled
    ) STRICT;
    INSERT INTO cursor VALUES (1, 0, 0, 0, 0);

    CREATE TABLE checkpoints (
        seq       INTEGER PRIMARY KEY,
        stored_at INTEGER NOT NULL,
        event_id  BLOB NOT NULL
    ) STRICT;

    CREATE TABLE recorded (            -- while catching up: what the stream has and the outbox not
        event_id   BLOB PRIMARY KEY,
        stream_seq INTEGER NOT NULL,   -- below 0: it stood there, and the broker has lost it
        envelope   BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE attempts (            -- after an unclean stop: what was on the table
        item  TEXT PRIMARY KEY,
        times INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
)sql",
                                 R"sql(
    CREATE TABLE lock_queue (
        entity   TEXT NOT NULL,
        position INTEGER NOT NULL,     -- of the parked row that waits for it
        saga     INTEGER NOT NULL,
        PRIMARY KEY (entity, position)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX lock_queue_by_position ON lock_queue (position);
    CREATE INDEX lock_queue_by_saga ON lock_queue (saga, entity);

    UPDATE parked SET next_at = 0, attempts = max(attempts - 1, 0) WHERE state = 3;
)sql",
                                 R"sql(
    -- Whatever was forgotten until now is older than the newest that is left.
    INSERT INTO meta SELECT 'outbox_from', max(at) + 1
    FROM (SELECT max(at) AS at FROM outbox UNION ALL SELECT max(touched) FROM sagas)
    HAVING max(at) IS NOT NULL;
)sql"};

constexpr std::array<std::string_view, 20> kTables{
    "aside",      "arrived", "attempts", "calls",           "checkpoints",
    "commands",   "cursor",  "inbox",    "journal",         "locks",
    "lock_queue", "meta",    "outbox",   "parked",          "recorded",
    "sagas",      "scripts", "timers",   "sqlite_sequence", "sqlite_master"};

int user_version(const Database& db) {
    Statement statement(db, "PRAGMA user_version");
    Rows rows = statement.query();
    return rows.next() ? static_cast<int>(rows.integer(0)) : 0;
}

EventId digest_of(std::string_view script) {
    EventId digest;
    crypto_generichash(digest.bytes.data(), digest.bytes.size(),
                       reinterpret_cast<const unsigned char*>(script.data()), script.size(),
                       nullptr, 0);
    return digest;
}

}  // namespace

void migrate(Database& db) {
    const int found = user_version(db);
    if (found > static_cast<int>(kMigrations.size()))
        throw Error(
            fmt::format("{} was written by a newer release (its version is {}, this build "
                        "knows {}): run that release",
                        db.path(), found, kMigrations.size()));
    for (auto version = static_cast<std::size_t>(found); version < kMigrations.size(); ++version) {
        db.begin();
        db.exec(kMigrations[version]);
        SAGA_FAILPOINT(migrating);
        db.exec(fmt::format("PRAGMA user_version={}", version + 1));
        db.commit();
    }
}

void run_scripts(Database& db, std::span<const std::string> scripts) {
    Statement ran(db, "SELECT digest FROM scripts WHERE nth = ?1");
    Statement note(db, "INSERT INTO scripts VALUES (?1, ?2)");
    for (std::size_t nth = 0; nth < scripts.size(); ++nth) {
        const EventId digest = digest_of(scripts[nth]);
        {
            Rows rows = ran.query(nth);
            if (rows.next()) {
                if (rows.id(0) == digest) continue;
                throw Error(
                    fmt::format("{}: the script {} of the tables was edited after it had "
                                "run here; take the edit back and append a new script",
                                db.path(), nth + 1));
            }
        }
        db.begin();
        try {
            db.exec(scripts[nth]);
        } catch (const Error& failure) {
            db.rollback();
            throw Error(
                fmt::format("the script {} of the tables does not run: {} (the engine has "
                            "tables of its own: sagas, journal, outbox, ...)",
                            nth + 1, failure.what()));
        }
        note.exec(nth, digest);
        db.commit();
    }
}

bool is_engine_table(std::string_view table) {
    return std::find(kTables.begin(), kTables.end(), table) != kTables.end();
}

}  // namespace saga::store
