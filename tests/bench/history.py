"""Sagas that have long finished, written into a service's file as rows: as if it had run them."""
import os
import pathlib
import sqlite3

BATCH = 10_000
OLD = 30 * 24 * 3600 * 1_000_000  # µs: long before the newest


def columns_of(db, table):
    return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]


def template(db):
    """The rows of one saga that ended, by table: what each other one has as many of."""
    saga, = db.execute("SELECT min(saga) FROM sagas WHERE ended_by <> ''").fetchone()
    return {table: (columns_of(db, table),
                    db.execute(f"SELECT * FROM {table} WHERE saga = ?", (saga,)).fetchall())
            for table in ("sagas", "journal", "inbox", "commands", "outbox")}


def copies(columns, rows, saga, number, settled):
    """The rows again, of another saga: other ids, as old as its number says."""
    for row in rows:
        cells = dict(zip(columns, row))
        cells["saga"] = saga
        if "id" in cells:
            cells["id"] = f"old-{number}"
        if "seq" in cells:
            cells["seq"] = None  # the next
            cells["stream_seq"] = settled
        if "event_id" in cells:
            cells["event_id"] = number.to_bytes(6, "big") + os.urandom(10)
        for time in ("started", "touched", "at"):
            if time in cells:
                cells[time] -= OLD
        yield [cells[column] for column in columns]


def write(path, sagas, pruned):
    """`pruned`: they are forgotten again, and what they took of the file is free."""
    db = sqlite3.connect(pathlib.Path(path), isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA cache_size = -262144")
    rows_of = template(db)
    first, = db.execute("SELECT max(saga) + 1 FROM sagas").fetchone()
    for begin in range(0, sagas, BATCH):
        db.execute("BEGIN")
        for table, (columns, rows) in rows_of.items():
            places = ", ".join("?" * len(columns))
            db.executemany(f"INSERT INTO {table} VALUES ({places})",
                           (cells for number in range(begin, min(begin + BATCH, sagas))
                            for cells in copies(columns, rows, first + number, number, 1)))
        if pruned:
            for table in rows_of:
                db.execute(f"DELETE FROM {table} WHERE saga >= ?", (first,))
        db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute("PRAGMA synchronous = FULL")
    db.close()
