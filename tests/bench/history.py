"""Sagas that have long finished, written into a service's file as rows: as if it had run them."""
import os
import pathlib
import sqlite3

BATCH = 10_000
TABLES = ("sagas", "journal", "inbox", "commands", "outbox")
OLD = 30 * 24 * 3600 * 1_000_000  # µs: long before the newest
# What another saga has in place of the one that is copied, by column: others are copied.
CELLS = {"saga": ":first + number", "id": "'old-' || number", "event_id": "event_id(number)",
         "seq": "NULL", "stream_seq": "1",
         **{time: f"{time} - {OLD}" for time in ("started", "touched", "at")}}


def event_id(number):
    return number.to_bytes(6, "big") + os.urandom(10)


def copying(db, table):
    """The statement that writes this table's rows of one saga that ended for many others."""
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    db.execute(f"CREATE TEMP TABLE one_{table} AS SELECT * FROM {table} WHERE saga = "
               "(SELECT min(saga) FROM sagas WHERE ended_by <> '')")
    return (f"WITH RECURSIVE numbers (number) AS (SELECT :begin UNION ALL "
            f"SELECT number + 1 FROM numbers WHERE number + 1 < :end) INSERT INTO {table} "
            f"SELECT {', '.join(CELLS.get(column, column) for column in columns)} "
            f"FROM numbers CROSS JOIN one_{table}")


def write(path, sagas, pruned):
    """`pruned`: they are forgotten again, and what they took of the file is free."""
    db = sqlite3.connect(pathlib.Path(path), isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA cache_size = -262144")
    db.create_function("event_id", 1, event_id)
    statements = [copying(db, table) for table in TABLES]
    first, = db.execute("SELECT max(saga) + 1 FROM sagas").fetchone()
    for begin in range(0, sagas, BATCH):
        db.execute("BEGIN")
        for statement in statements:
            db.execute(statement, {"first": first, "begin": begin,
                                   "end": min(begin + BATCH, sagas)})
        if pruned:
            for table in TABLES:
                db.execute(f"DELETE FROM {table} WHERE saga >= ?", (first,))
        db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute("PRAGMA synchronous = FULL")
    db.close()
