// Loyalty awards points for a payment, and takes them back when the order fails. In TypeScript.
//
//   award      PaymentTaken  -> PointsAwarded      a point for each whole unit of money
//   take back  any failure   -> PointsTakenBack    once, and only what was awarded
//
// A participant of a saga without the engine: docs/protocol.md is all that it knows.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";

import {
  AckPolicy, ConsumerMessages, DeliverPolicy, JetStreamApiError, JetStreamClient, jetstream,
  JetStreamManager, jetstreamManager, StoredMsg,
} from "@nats-io/jetstream";
import { connect, Msg, nanos, NatsConnection } from "@nats-io/transport-node";

import { Books, Row, SERVICE } from "./books";
import { concerns, handle } from "./steps";
import * as wire from "./wire";

const DAY = 86_400_000;

class Participant {
  private readonly instance = randomBytes(16).toString("hex");
  private nc!: NatsConnection;
  private js!: JetStreamClient;
  private jsm!: JetStreamManager;
  private messages?: ConsumerMessages;
  private readonly acked = new Map<number, number>(); // row of the outbox: its place in the stream
  private wake = () => {};
  private ready = false;
  private trouble = "is starting";
  private lag = 0;

  constructor(private readonly server: string, private readonly books: Books,
              private readonly contract: Uint8Array) {}

  async run(): Promise<never> {
    this.nc = await connect({
      servers: this.server, name: SERVICE, maxReconnectAttempts: -1, reconnectTimeWait: 100,
      inboxPrefix: `_SAGA.${SERVICE}.${this.instance}`,
    });
    this.js = jetstream(this.nc, { timeout: 5000 });
    this.jsm = await jetstreamManager(this.nc, { timeout: 5000, checkAPI: false });
    this.nc.subscribe(`saga-ctl.${SERVICE}.*`, { callback: (_, request) => this.answer(request) });
    void this.watch();
    void this.relay();
    for (;;) {
      await this.session().catch((why) => (this.trouble = String(why)));
      this.ready = false;
      console.error(`${SERVICE}: reads anew: ${this.trouble}`);
      await pause(200);
    }
  }

  /** PubAcks die with the connection that brought them, and so does the session. */
  private async watch(): Promise<void> {
    for await (const status of this.nc.status()) {
      if (status.type !== "disconnect") continue;
      this.acked.clear();
      this.messages?.stop(new Error("the connection was lost"));
      this.wake();
    }
  }

  /** Reads from the position in the database until something is not as it was. */
  private async session(): Promise<void> {
    await this.judge();
    await this.js.publish(`$KV.SAGA_CONTRACTS.${SERVICE}`, this.contract);
    await this.jsm.consumers.delete("SAGA", SERVICE).catch(() => {}); // it may not be there
    const made = await this.jsm.consumers.add("SAGA", {
      name: SERVICE, deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: this.books.position().seq + 1, ack_policy: AckPolicy.None, mem_storage: true,
      inactive_threshold: nanos(DAY),
    });
    if (made.delivered.consumer_seq !== 0) throw new Error("the consumer is not new");
    [this.lag, this.ready, this.trouble] = [made.num_pending, true, ""];
    const consumer = await this.js.consumers.get("SAGA", SERVICE);
    this.messages = await consumer.consume({
      max_messages: 256, expires: 30_000, idle_heartbeat: 2_000, abort_on_missing_resource: true,
    });
    void this.listen(this.messages);
    await this.read(this.messages);
  }

  private async listen(messages: ConsumerMessages): Promise<void> {
    for await (const status of messages.status()) {
      if (status.type === "heartbeats_missed" || status.type === "consumer_deleted")
        messages.stop(new Error(status.type));
      if (status.type === "heartbeat") this.passed(status.lastStreamSequence);
    }
  }

  /** Is it the stream that was read so far, and is what was read still there? */
  private async judge(): Promise<void> {
    const { stream_created, seq, stored_ns } = this.books.position();
    const { created, state } = await this.jsm.streams.info("SAGA");
    let same = stream_created === String(created) && seq <= state.last_seq;
    if (same && seq > 0 && seq + 1 < state.first_seq) {
      console.error(`${SERVICE}: the stream has forgotten events that were not read`);
      process.exit(1);
    }
    if (same && seq >= state.first_seq) {
      const found = await this.jsm.streams.getMessage("SAGA", { seq }).catch(absent);
      same = found !== null && String(nanosecondsOf(found)) === stored_ns;
    }
    if (same) return;
    this.books.startAgain(String(created));
    this.acked.clear();
    this.wake();
  }

  private async read(messages: ConsumerMessages): Promise<void> {
    let expected = 1;
    for await (const message of messages) {
      const { streamSequence: seq, deliverySequence: nth, pending } = message.info;
      if (nth !== expected++) throw new Error(`message ${nth} came after ${expected - 2}`);
      if (concerns(message.subject)) {
        this.books.transaction(() => {
          handle(this.books, message.subject, message.data, seq);
          this.books.move(seq, message.timestampNanos);
        });
      }
      this.lag = pending;
      this.passed(seq);
    }
    throw new Error("the consumer has ended");
  }

  // ---- the relay

  /** What the broker acknowledged below, and was not read there, is sent again. */
  private passed(at: number): void {
    for (const [row, place] of this.acked) if (place <= at) this.acked.delete(row);
    this.wake();
  }

  private async relay(): Promise<void> {
    for (;;) {
      const woken = new Promise<void>((resolve) => (this.wake = resolve));
      for (const row of this.books.unsettled()) { // one after the other, in order
        if (this.acked.has(row.seq)) continue;
        try {
          await this.send(row);
        } catch (why) {
          console.error(`${SERVICE}: cannot publish: ${why}`);
          setTimeout(this.wake, 500);
          break;
        }
      }
      await woken;
    }
  }

  private async send(row: Row): Promise<void> {
    const headers = wire.headersOf(wire.copyOf(row.envelope));
    const ack = await this.js.publish(row.subject, row.envelope, { headers, timeout: 5000 });
    if (row.subject.startsWith("saga-dlq.")) this.books.settle(row.event_id); // it is read nowhere
    else this.acked.set(row.seq, ack.seq);
  }

  // ---- requests

  private answer(request: Msg): void {
    if (!request.reply?.startsWith("_INBOX.")) return; // elsewhere it could be taken for an event
    if (request.subject.endsWith(".dead")) request.respond("[]"); // it keeps none
    if (request.subject.endsWith(".state")) request.respond(JSON.stringify(this.state()));
  }

  private state(): object {
    return {
      service: SERVICE, instance: this.instance, where: `${hostname()}, process ${process.pid}`,
      ready: this.ready, trouble: this.trouble, server: this.server,
      cursor: this.books.position().seq, lag: this.lag,
      outbox: { unsettled: this.books.unsettled().length, oldest_seconds: 0 },
      parked: 0, dead: 0, aside: 0, timers: 0, calls: 0,
    };
  }
}

/** 2026-01-31T12:00:00.123456789Z, as the broker writes it. */
function nanosecondsOf({ timestamp }: StoredMsg): bigint {
  const [whole, part = ""] = timestamp.replace("Z", "").split(".");
  return BigInt(Date.parse(`${whole}Z`)) * 1_000_000n + BigInt(part.padEnd(9, "0"));
}

function absent(why: unknown): null {
  if (why instanceof JetStreamApiError && why.status === 404) return null;
  throw why;
}

function main(): void {
  const { values } = parseArgs({
    options: {
      server: { type: "string", default: process.env.NATS_URL ?? "nats://127.0.0.1:4222" },
      data: { type: "string", default: process.env.SAGA_DATA ?? "." },
      contract: { type: "string" },
    },
  });
  process.on("SIGTERM", () => process.exit(0));
  const contract = readFileSync(values.contract ?? "loyalty.json");
  const books = new Books(join(values.data, `${SERVICE}.db`));
  new Participant(values.server, books, contract).run().catch((why) => {
    console.error(`${SERVICE}: ${why}`);
    process.exit(1);
  });
}

main();
