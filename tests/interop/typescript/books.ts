// What the service knows: one SQLite file, in which each event is one transaction.
import { randomBytes } from "node:crypto";
import { DatabaseSync } from "node:sqlite";

import * as wire from "./wire";

export const SERVICE = "loyalty";

const TABLES = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS position (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    stream_created TEXT NOT NULL,
    seq            INTEGER NOT NULL,
    stored_ns      TEXT NOT NULL        -- when the broker stored the message at seq
  ) STRICT;
  CREATE TABLE IF NOT EXISTS inbox (event_id BLOB PRIMARY KEY) STRICT;
  CREATE TABLE IF NOT EXISTS saga (
    id     TEXT PRIMARY KEY,
    failed TEXT NOT NULL,               -- by which failure; also of sagas unknown until then
    ended  INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS award (    -- the journal of the step, and its effect
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
  INSERT OR IGNORE INTO position VALUES (1, '', 0, '');`;

export interface Position {
  stream_created: string;
  seq: number;
  stored_ns: string;
}
export interface Row {
  seq: number;
  event_id: Uint8Array;
  subject: string;
  envelope: Uint8Array;
}
type Value = string | number | bigint | Uint8Array;

/** One connection. Nobody else opens the file meanwhile: it is locked. */
export class Books {
  private readonly db: DatabaseSync;

  constructor(path: string) {
    this.db = new DatabaseSync(path);
    this.db.exec(TABLES);
  }

  /** Commits what `work` did, or nothing of it. */
  transaction(work: () => void): void {
    this.db.exec("BEGIN IMMEDIATE");
    try {
      work();
    } catch (failure) {
      this.db.exec("ROLLBACK");
      throw failure;
    }
    this.db.exec("COMMIT");
  }

  private changes(sql: string, ...values: Value[]): boolean {
    return Number(this.db.prepare(sql).run(...values).changes) > 0;
  }
  private row(sql: string, ...values: Value[]): Record<string, unknown> | undefined {
    return this.db.prepare(sql).get(...values);
  }

  // ---- the position

  position(): Position {
    return this.row("SELECT * FROM position") as unknown as Position;
  }
  move(seq: number, storedNs: bigint): void {
    this.changes("UPDATE position SET seq = ?, stored_ns = ?", seq, String(storedNs));
  }
  /** Another stream, or an older state of it: all is read, and said, once more. */
  startAgain(created: string): void {
    this.transaction(() => {
      this.changes("UPDATE position SET stream_created = ?, seq = 0, stored_ns = ''", created);
      this.changes("UPDATE outbox SET settled = 0 WHERE subject LIKE 'saga.%'");
    });
  }

  // ---- an event

  firstTime(id: Uint8Array): boolean {
    return this.changes("INSERT OR IGNORE INTO inbox VALUES (?)", id);
  }
  /** By what the saga failed, and whether its last word was said. */
  saga(id: string): { failed: string; ended: boolean } {
    const row = this.row("SELECT failed, ended FROM saga WHERE id = ?", id);
    return { failed: String(row?.failed ?? ""), ended: Boolean(row?.ended) };
  }
  mark(saga: string, failed: string, ended: boolean): void {
    this.changes(`INSERT INTO saga VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
      SET failed = iif(failed = '', ?2, failed), ended = max(ended, ?3)`,
      saga, failed, Number(ended));
  }
  /** Whether the step had not run, and was not buried. */
  award(saga: string, customer: string, points: bigint, state: string): boolean {
    return this.changes("INSERT OR IGNORE INTO award VALUES (?, ?, ?, ?)",
      saga, customer, points, state);
  }
  /** The points that were awarded and stood until now. */
  takeBack(saga: string): bigint | undefined {
    const row = this.row(`UPDATE award SET state = 'undone' WHERE saga = ? AND state = 'done'
      RETURNING points`, saga);
    return row && BigInt(row.points as number);
  }

  // ---- the outbox

  /** An event that `cause` led to, with an id that it keeps, and that nobody can guess. */
  publish(cause: wire.Event, kind: wire.Kind, type: string, payload: Uint8Array,
          because = ""): void {
    const event: wire.Event = {
      id: newId(cause.started), cause: cause.id, type, saga: cause.saga, started: cause.started,
      source: SERVICE, sequence: 0n, time: latest(now(), cause.time), kind, step: "award",
      because, hops: cause.hops + 1, trace: cause.trace, payload,
    };
    this.keep(event, wire.subjectOf(event));
  }
  /** A notice for the dead letters. What it is about holds nothing up. */
  giveUp(subject: string, seq: number, body: Uint8Array, why: string, about?: wire.Event): void {
    const started = about?.started ?? now();
    const cause = about?.id ?? new Uint8Array();
    const letter: wire.Event = {
      id: newId(started), cause, type: "saga.wire.DeadLetter", saga: about?.saga ?? "unknown",
      started, source: SERVICE, sequence: 0n, time: now(), kind: wire.Kind.done, step: "notice",
      because: "", hops: 0, trace: "",
      payload: wire.deadLetter(SERVICE, why, subject, seq, body, cause),
    };
    const [name, place] = about ? [wire.nameOf(about), wire.partition(about.saga)]
      : ["unknown", "p00"];
    this.keep(letter, `saga-dlq.${SERVICE}.${name}.${place}`);
  }
  private keep(event: wire.Event, subject: string): void {
    const next = this.row("SELECT ifnull(max(seq), 0) + 1 AS seq FROM outbox");
    event.sequence = BigInt(next?.seq as number);
    this.changes("INSERT INTO outbox VALUES (?, ?, ?, ?, 0)", event.sequence, event.id, subject,
      wire.envelopeOf(event));
  }
  settle(id: Uint8Array): void {
    this.changes("UPDATE outbox SET settled = 1 WHERE event_id = ?", id);
  }
  /** In the order of their commits. */
  unsettled(): Row[] {
    return this.db.prepare(`SELECT seq, event_id, subject, envelope FROM outbox
      WHERE NOT settled ORDER BY seq LIMIT 1000`).all() as unknown as Row[];
  }
}

const now = () => BigInt(Date.now()) * 1000n;
const latest = (one: bigint, other: bigint) => (one > other ? one : other);

/** A UUID of version 8: when its saga began, then chance. */
function newId(started: bigint): Uint8Array {
  const raw = randomBytes(16);
  raw.writeUIntBE(Number(started / 1000n), 0, 6);
  raw[6] = (raw[6] & 0x0f) | 0x80;
  raw[8] = (raw[8] & 0x3f) | 0x80;
  return raw;
}
