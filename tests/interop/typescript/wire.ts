// An event's bytes: read with suspicion, written as docs/protocol.md says.
import * as flatbuffers from "flatbuffers";
import { headers, MsgHdrs } from "@nats-io/transport-node";

import { DeadLetter } from "./saga/wire/dead-letter";
import { Envelope } from "./saga/wire/envelope";
import { Kind } from "./saga/wire/kind";

export { Kind };

const MAX_MESSAGE = 256 * 1024;
const MAX_COPY = 64 * 1024;
export const MAX_HOPS = 64;
const LAST_TIME = 253_402_300_799_999_999n; // microseconds: the end of the year 9999
const KINDS = ["done", "failed", "undone", "ended"];
const SAGA_ID = /^[A-Za-z0-9_-]{1,64}$/;
const NAME = /^[a-z][a-z0-9_]{0,63}$/;
const TYPE = /^(?=.{1,192}$)[A-Za-z]\w{0,63}(\.[A-Za-z]\w{0,63})+$/;
const TOKEN = /^[!-~]{0,64}$/;

/** A message that no reader can take for an event; the text says why. */
export class Junk extends Error {}

export interface Event {
  id: Uint8Array;
  cause: Uint8Array; // empty: a saga's first
  type: string;
  saga: string;
  started: bigint;
  source: string;
  sequence: bigint;
  time: bigint;
  kind: Kind;
  step: string;
  because: string;
  hops: number;
  trace: string;
  payload: Uint8Array;
}

export const nameOf = (event: Event) => event.type.slice(event.type.lastIndexOf(".") + 1);

/** The failure that the event tells of; empty when it tells of none. */
export function failureOf(event: Event): string {
  if (event.kind === Kind.failed) return nameOf(event);
  if (event.kind === Kind.undone) return event.because || "?";
  return event.kind === Kind.ended ? event.because : "";
}

/** FNV-1a, 64 bits, modulo 64. */
export function partition(saga: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(saga))
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return "p" + String(hash % 64n).padStart(2, "0");
}

export function subjectOf(event: Event): string {
  const kind = KINDS[event.kind];
  return `saga.${event.source}.${kind}.${nameOf(event)}.${partition(event.saga)}`;
}

function demand(holds: boolean, otherwise: string): void {
  if (!holds) throw new Junk(otherwise);
}

/** Verifies what flatbuffers does not: in TypeScript junk has fields that are null. */
export function readEvent(subject: string, body: Uint8Array): Event {
  const identified = Buffer.from(body.subarray(4, 8)).toString("latin1") === "SAGA";
  demand(body.length <= MAX_MESSAGE && identified,
    "it is too large, or does not carry the file identifier SAGA");
  let event: Event;
  try {
    event = copyOf(body);
  } catch (failure) {
    throw new Junk(`it is no sound Envelope table: ${failure}`);
  }
  const times = [event.started, event.time];
  demand(event.id.length === 16 && event.id.some((byte) => byte !== 0), "its id is not 16 bytes");
  demand([0, 16].includes(event.cause.length), "its cause is not 16 bytes");
  demand(TYPE.test(event.type), "its type is no table's name");
  demand(SAGA_ID.test(event.saga), "its saga id is not [A-Za-z0-9_-]{1,64}");
  demand(NAME.test(event.source) && (event.step === "" || NAME.test(event.step)),
    "its source or its step is no name");
  demand(TOKEN.test(event.because) && TOKEN.test(event.trace),
    "its failure or its trace context cannot be one");
  demand(times.every((time) => time >= 0n && time <= LAST_TIME),
    "its time is not of the years 1970 to 9999");
  demand(event.kind <= Kind.ended, "its kind is unknown");
  demand(event.payload.length > 0, "it has no payload");
  const engine = event.type.startsWith("saga.wire."); // any service publishes those
  const owned = engine || event.type.split(".").at(-2) === event.source;
  const at = subjectOf(event);
  demand(owned && (subject === at || subject === `${at}.${event.saga}`),
    "spoofed: its subject is not its envelope's, or its type is another's");
  return event;
}

export function copyOf(body: Uint8Array): Event {
  const table = Envelope.getRootAsEnvelope(new flatbuffers.ByteBuffer(body));
  const blob = (bytes: Uint8Array | null) => Uint8Array.from(bytes ?? []);
  return {
    id: blob(table.idArray()), cause: blob(table.causeArray()), type: table.type() ?? "",
    saga: table.saga() ?? "", started: table.started(), source: table.source() ?? "",
    sequence: table.sequence(), time: table.time(), kind: table.kind(), step: table.step() ?? "",
    because: table.because() ?? "", hops: table.hops(), trace: table.trace() ?? "",
    payload: blob(table.payloadArray()),
  };
}

function vector(builder: flatbuffers.Builder, data: Uint8Array, alignment: number): number {
  builder.startVector(1, data.length, alignment);
  for (let i = data.length - 1; i >= 0; i--) builder.addInt8(data[i]);
  return builder.endVector();
}

export function envelopeOf(event: Event): Uint8Array {
  const builder = new flatbuffers.Builder(1024);
  const payload = vector(builder, event.payload, 8);
  const text = (value: string) => (value === "" ? 0 : builder.createString(value)); // 0: left out
  const [trace, because, step] = [event.trace, event.because, event.step].map(text);
  const [source, saga, type] = [event.source, event.saga, event.type].map(text);
  const cause = event.cause.length ? vector(builder, event.cause, 1) : 0;
  const id = vector(builder, event.id, 1);
  Envelope.startEnvelope(builder);
  Envelope.addId(builder, id);
  Envelope.addType(builder, type);
  Envelope.addSaga(builder, saga);
  Envelope.addStarted(builder, event.started);
  Envelope.addCause(builder, cause);
  Envelope.addSource(builder, source);
  Envelope.addSequence(builder, event.sequence);
  Envelope.addTime(builder, event.time);
  Envelope.addKind(builder, event.kind);
  Envelope.addStep(builder, step);
  Envelope.addBecause(builder, because);
  Envelope.addHops(builder, event.hops);
  Envelope.addTrace(builder, trace);
  Envelope.addPayload(builder, payload);
  Envelope.finishEnvelopeBuffer(builder, Envelope.endEnvelope(builder));
  return builder.asUint8Array();
}

/** The payload of a notice that a message was given up. */
export function deadLetter(service: string, why: string, subject: string, streamSeq: number,
                           body: Uint8Array, id: Uint8Array): Uint8Array {
  const builder = new flatbuffers.Builder(1024);
  const message = vector(builder, body.subarray(0, MAX_COPY), 1);
  const idAt = id.length ? vector(builder, id, 1) : 0;
  const [serviceAt, whyAt, subjectAt] =
    [service, why, subject].map((text) => builder.createString(text));
  DeadLetter.startDeadLetter(builder);
  DeadLetter.addService(builder, serviceAt);
  DeadLetter.addReason(builder, whyAt);
  DeadLetter.addEventId(builder, idAt);
  DeadLetter.addSubject(builder, subjectAt);
  DeadLetter.addStreamSeq(builder, BigInt(streamSeq));
  DeadLetter.addMessage(builder, message);
  builder.finish(DeadLetter.endDeadLetter(builder));
  return builder.asUint8Array();
}

export function uuid(raw: Uint8Array): string {
  return Buffer.from(raw).toString("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** CloudEvents 1.0 in binary mode: copies for tools. */
export function headersOf(event: Event): MsgHdrs {
  const media = "application/x-flatbuffers";
  const microseconds = String(event.time % 1_000_000n).padStart(6, "0");
  const second = new Date(Number(event.time / 1_000_000n) * 1000).toISOString().slice(0, 19);
  const all = headers();
  const set = (name: string, value: string) => all.set(name, value);
  set("Nats-Msg-Id", uuid(event.id));
  set("ce-specversion", "1.0");
  set("ce-id", uuid(event.id));
  set("ce-source", `/${event.source}`);
  set("ce-type", event.type);
  set("ce-time", `${second}.${microseconds}Z`);
  set("ce-subject", event.saga);
  set("ce-datacontenttype", media);
  set("content-type", media);
  set("ce-dataschema", `saga:${event.type}`);
  set("ce-correlationid", event.saga);
  set("ce-sequence", String(event.sequence).padStart(20, "0"));
  set("ce-sagakind", KINDS[event.kind]);
  if (event.cause.length) set("ce-causationid", uuid(event.cause));
  if (event.trace) set("traceparent", encodeURI(event.trace));
  return all;
}
