"""What the service knows: one SQLite file, in which each event is one transaction."""
import contextlib
import os
import sqlite3
import time

import wire

SERVICE = "loyalty"
TABLES = """
    CREATE TABLE IF NOT EXISTS position (
        one            INTEGER PRIMARY KEY CHECK (one = 1),
        stream_created TEXT NOT NULL,
        seq            INTEGER NOT NULL,
        stored_ns      INTEGER NOT NULL  -- when the broker stored the message at seq
    ) STRICT;
    CREATE TABLE IF NOT EXISTS inbox (event_id BLOB PRIMARY KEY) STRICT;
    CREATE TABLE IF NOT EXISTS saga (
        id     TEXT PRIMARY KEY,
        failed TEXT NOT NULL,            -- by which failure; also of sagas not yet known otherwise
        ended  INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS award (   -- the journal of the step, and its effect
        saga        TEXT PRIMARY KEY,
        customer_id TEXT NOT NULL,
        points      INTEGER NOT NULL,
        state       TEXT NOT NULL CHECK (state IN ('done', 'undone', 'tombstone'))
    ) STRICT;
    CREATE TABLE IF NOT EXISTS outbox (
        seq      INTEGER PRIMARY KEY AUTOINCREMENT,
        event_id BLOB UNIQUE NOT NULL,
        subject  TEXT NOT NULL,
        envelope BLOB NOT NULL,
        settled  INTEGER NOT NULL DEFAULT 0  -- read back from the stream
    ) STRICT;
    CREATE INDEX IF NOT EXISTS unsettled ON outbox (seq) WHERE NOT settled;
    INSERT OR IGNORE INTO position VALUES (1, '', 0, 0);
"""


class Books:
    """One connection, one thread. Nobody else opens the file meanwhile: it is locked."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.executescript(TABLES)

    @contextlib.contextmanager
    def transaction(self):
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def one(self, sql, *values):
        row = self.db.execute(sql, values).fetchone()
        return row[0] if row else None

    # ---- the position

    def position(self):
        return self.db.execute("SELECT stream_created, seq, stored_ns FROM position").fetchone()

    def move(self, seq, stored_ns):
        self.db.execute("UPDATE position SET seq = ?, stored_ns = ?", (seq, stored_ns))

    def start_again(self, stream_created):
        """Another stream, or an older state of it: all is read, and said, once more."""
        with self.transaction():
            self.db.execute("UPDATE position SET stream_created = ?, seq = 0, stored_ns = 0",
                            (stream_created,))
            self.db.execute("UPDATE outbox SET settled = 0 WHERE subject LIKE 'saga.%'")

    # ---- an event

    def first_time(self, event_id):
        found = self.db.execute("INSERT OR IGNORE INTO inbox VALUES (?)", (event_id,))
        return found.rowcount == 1

    def failed(self, saga):
        return self.one("SELECT failed FROM saga WHERE id = ?", saga) or ""

    def ended_well(self, saga):
        return bool(self.one("SELECT ended FROM saga WHERE id = ? AND failed = ''", saga))

    def mark(self, saga, failed="", ended=False):
        self.db.execute("""INSERT INTO saga VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
            SET failed = iif(failed = '', ?2, failed), ended = max(ended, ?3)""",
                        (saga, failed, ended))

    def award(self, saga, customer_id, points, state):
        """Whether the step had not run, and was not buried."""
        found = self.db.execute("INSERT OR IGNORE INTO award VALUES (?, ?, ?, ?)",
                                (saga, customer_id, points, state))
        return found.rowcount == 1

    def take_back(self, saga):
        """The points that were awarded and stand; None when there is nothing to take back."""
        return self.one("""UPDATE award SET state = 'undone' WHERE saga = ? AND state = 'done'
                           RETURNING points""", saga)

    # ---- the outbox

    def publish(self, type, kind, cause, payload, step="award", because=""):
        """An event that `cause` led to, with an id that it keeps, and that nobody can guess."""
        seq = self.one("SELECT ifnull(max(seq), 0) + 1 FROM outbox")
        event = wire.Event(id=new_id(cause.started), type=type, saga=cause.saga,
                           started=cause.started, source=SERVICE, sequence=seq,
                           time=max(now(), cause.time), kind=kind, payload=payload,
                           cause=cause.id, step=step, because=because, hops=cause.hops + 1,
                           trace=cause.trace)
        subject = wire.subject_of(event)
        self.db.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, 0)",
                        (seq, event.id, subject, wire.envelope_of(event)))

    def give_up(self, subject, stream_seq, body, why, event=None):
        """A notice for the dead letters. What it is about holds nothing up."""
        saga, name = (event.saga, event.name) if event else ("unknown", "unknown")
        seq = self.one("SELECT ifnull(max(seq), 0) + 1 FROM outbox")
        payload = wire.dead_letter(SERVICE, why, subject, stream_seq, body,
                                   event.id if event else b"")
        started = event.started if event else now()
        letter = wire.Event(id=new_id(started), type="saga.wire.DeadLetter", saga=saga,
                            started=started, source=SERVICE, sequence=seq, time=now(),
                            kind=wire.DONE, payload=payload, cause=event.id if event else b"",
                            step="notice")
        place = wire.partition(saga) if event else "p00"
        self.db.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, 0)",
                        (seq, letter.id, f"saga-dlq.{SERVICE}.{name}.{place}",
                         wire.envelope_of(letter)))

    def settle(self, event_id):
        """Whether the event was ours."""
        sql = "UPDATE outbox SET settled = 1 WHERE event_id = ?"
        return self.db.execute(sql, (event_id,)).rowcount == 1

    def unsettled(self):
        return self.db.execute("""SELECT seq, event_id, subject, envelope FROM outbox
                                  WHERE NOT settled ORDER BY seq LIMIT 1000""").fetchall()


def now():
    return time.time_ns() // 1000


def new_id(started):
    """A UUID of version 8: when its saga began, then chance."""
    raw = bytearray((started // 1000).to_bytes(6, "big") + os.urandom(10))
    raw[6] = raw[6] & 0x0F | 0x80
    raw[8] = raw[8] & 0x3F | 0x80
    return bytes(raw)
