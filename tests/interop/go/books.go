package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"time"

	_ "modernc.org/sqlite" // the driver, in Go alone

	"counterstep/loyalty/saga/wire"
)

const service = "loyalty"

const tables = `
	CREATE TABLE IF NOT EXISTS position (
		one            INTEGER PRIMARY KEY CHECK (one = 1),
		stream_created INTEGER NOT NULL,
		seq            INTEGER NOT NULL,
		stored_ns      INTEGER NOT NULL     -- when the broker stored the message at seq
	) STRICT;
	CREATE TABLE IF NOT EXISTS inbox (event_id BLOB PRIMARY KEY) STRICT;
	CREATE TABLE IF NOT EXISTS saga (
		id     TEXT PRIMARY KEY,
		failed TEXT NOT NULL,               -- by which failure; also of sagas unknown until then
		ended  INTEGER NOT NULL
	) STRICT;
	CREATE TABLE IF NOT EXISTS award (      -- the journal of the step, and its effect
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
		settled  INTEGER NOT NULL DEFAULT 0 -- read back from the stream
	) STRICT;
	CREATE INDEX IF NOT EXISTS unsettled ON outbox (seq) WHERE NOT settled;
	INSERT OR IGNORE INTO position VALUES (1, 0, 0, 0);`

// Books is what the service knows: one SQLite file, which is locked, and one connection to it.
type Books struct{ db *sql.DB }

// Tx is one event's transaction.
type Tx struct{ *sql.Tx }

type position struct {
	created int64 // of the stream, in nanoseconds
	seq     uint64
	stored  int64
}

type outboxRow struct {
	seq          int64
	id, envelope []byte
	subject      string
}

func openBooks(path string) (*Books, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=locking_mode(EXCLUSIVE)"+
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	_, err = db.Exec(tables)
	return &Books{db}, err
}

// transaction commits what work did, or nothing of it.
func (b *Books) transaction(work func(Tx) error) error {
	tx, err := b.db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after a commit it does nothing
	if err := work(Tx{tx}); err != nil {
		return err
	}
	return tx.Commit()
}

func (b *Books) position() (at position, err error) {
	row := b.db.QueryRow("SELECT stream_created, seq, stored_ns FROM position")
	return at, row.Scan(&at.created, &at.seq, &at.stored)
}

// startAgain is for another stream, or an older state of it: all is read, and said, once more.
func (b *Books) startAgain(created int64) error {
	return b.transaction(func(tx Tx) error {
		return errors.Join(
			tx.do("UPDATE position SET stream_created = ?, seq = 0, stored_ns = 0", created),
			tx.do("UPDATE outbox SET settled = 0 WHERE subject LIKE 'saga.%'"))
	})
}

// unsettled rows stand in the order of their commits.
func (b *Books) unsettled() (found []outboxRow, err error) {
	rows, err := b.db.Query(`SELECT seq, event_id, subject, envelope FROM outbox
		WHERE NOT settled ORDER BY seq LIMIT 1000`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var row outboxRow
		if err := rows.Scan(&row.seq, &row.id, &row.subject, &row.envelope); err != nil {
			return nil, err
		}
		found = append(found, row)
	}
	return found, rows.Err()
}

func (tx Tx) do(query string, values ...any) error {
	_, err := tx.Exec(query, values...)
	return err
}

// changes says whether the statement has changed a row.
func (tx Tx) changes(query string, values ...any) (bool, error) {
	result, err := tx.Exec(query, values...)
	if err != nil {
		return false, err
	}
	count, err := result.RowsAffected()
	return count > 0, err
}

func (tx Tx) move(seq uint64, storedNs int64) error {
	return tx.do("UPDATE position SET seq = ?, stored_ns = ?", int64(seq), storedNs)
}

func (tx Tx) firstTime(id []byte) (bool, error) {
	return tx.changes("INSERT OR IGNORE INTO inbox VALUES (?)", id)
}

// saga is what is known of one: by what it failed, and whether its last word was said.
func (tx Tx) saga(id string) (failed string, ended bool, err error) {
	err = tx.QueryRow("SELECT failed, ended FROM saga WHERE id = ?", id).Scan(&failed, &ended)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return failed, ended, err
}

func (tx Tx) mark(saga, failed string, ended bool) error {
	return tx.do(`INSERT INTO saga VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
		SET failed = iif(failed = '', ?2, failed), ended = max(ended, ?3)`, saga, failed, ended)
}

// award says whether the step had not run, and was not buried.
func (tx Tx) award(saga, customer string, points int64, state string) (bool, error) {
	return tx.changes("INSERT OR IGNORE INTO award VALUES (?, ?, ?, ?)",
		saga, customer, points, state)
}

// takeBack returns the points that were awarded and stand until now.
func (tx Tx) takeBack(saga string) (points int64, stood bool, err error) {
	err = tx.QueryRow(`UPDATE award SET state = 'undone' WHERE saga = ? AND state = 'done'
		RETURNING points`, saga).Scan(&points)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return points, err == nil, err
}

// publish commits an event that cause led to, with an id that it keeps and nobody can guess.
func (tx Tx) publish(cause *Event, kind wire.Kind, kindOf, because string, payload []byte) error {
	event := &Event{ID: newID(cause.Started), Type: kindOf, Saga: cause.Saga,
		Started: cause.Started, Cause: cause.ID, Source: service,
		Time: max(time.Now().UnixMicro(), cause.Time), Kind: kind, Step: "award",
		Because: because, Hops: cause.Hops + 1, Trace: cause.Trace, Payload: payload}
	return tx.keep(event, event.subject())
}

// giveUp commits a notice for the dead letters. What it is about holds nothing up.
func (tx Tx) giveUp(subject string, seq uint64, body []byte, why string, about *Event) error {
	letter := &Event{Type: "saga.wire.DeadLetter", Saga: "unknown", Source: service,
		Started: time.Now().UnixMicro(), Time: time.Now().UnixMicro(), Step: "notice"}
	name, place := "unknown", "p00"
	if about != nil {
		letter.Saga, letter.Started, letter.Cause = about.Saga, about.Started, about.ID
		name, place = about.name(), partition(about.Saga)
	}
	letter.ID = newID(letter.Started)
	letter.Payload = deadLetter(why, subject, seq, body, letter.Cause)
	return tx.keep(letter, "saga-dlq."+service+"."+name+"."+place)
}

func (tx Tx) keep(event *Event, subject string) error {
	row := tx.QueryRow("SELECT ifnull(max(seq), 0) + 1 FROM outbox")
	if err := row.Scan(&event.Sequence); err != nil {
		return err
	}
	return tx.do("INSERT INTO outbox VALUES (?, ?, ?, ?, 0)", int64(event.Sequence), event.ID,
		subject, event.envelope())
}

func (tx Tx) settle(id []byte) error {
	return tx.do("UPDATE outbox SET settled = 1 WHERE event_id = ?", id)
}

// newID makes a UUID of version 8: when its saga began, then chance.
func newID(started int64) []byte {
	var raw [16]byte
	rand.Read(raw[:])
	var milliseconds [8]byte
	binary.BigEndian.PutUint64(milliseconds[:], uint64(started/1000))
	copy(raw[:6], milliseconds[2:])
	raw[6] = raw[6]&0x0f | 0x80
	raw[8] = raw[8]&0x3f | 0x80
	return bytes.Clone(raw[:])
}
