// What an event means here: functions of database and event.
import * as flatbuffers from "flatbuffers";

import { Books, SERVICE } from "./books";
import { PointsAwarded } from "./shop/loyalty/points-awarded";
import { PointsTakenBack } from "./shop/loyalty/points-taken-back";
import { PaymentTaken } from "./shop/payment/payment-taken";
import * as wire from "./wire";

interface Taken {
  customer: string;
  cents: bigint;
}

function readTaken(event: wire.Event): Taken {
  let order: string | null, customer: string | null, cents: bigint;
  try {
    const table = PaymentTaken.getRootAsPaymentTaken(new flatbuffers.ByteBuffer(event.payload));
    [order, customer, cents] = [table.orderId(), table.customerId(), table.amountCents()];
  } catch (failure) {
    throw new wire.Junk(`its payload is no sound PaymentTaken: ${failure}`);
  }
  const text = customer && !/[\0\ufffd]/.test(customer); // what is no UTF-8 is read as U+FFFD
  if (order !== event.saga || !customer || !text)
    throw new wire.Junk("its payload is no sound PaymentTaken");
  if (event.hops > wire.MAX_HOPS)
    throw new wire.Junk("it is too many events away from its saga's first: a cycle?");
  return { customer, cents };
}

function award(books: Books, event: wire.Event): void {
  const { customer, cents } = readTaken(event);
  if (books.saga(event.saga).failed) {
    books.award(event.saga, "", 0n, "tombstone");
    return;
  }
  const points = cents / 100n;
  if (!books.award(event.saga, customer, points, "done")) return;
  const builder = new flatbuffers.Builder(128);
  const [order, by] = [event.saga, customer].map((text) => builder.createString(text));
  PointsAwarded.startPointsAwarded(builder);
  PointsAwarded.addOrderId(builder, order);
  PointsAwarded.addCustomerId(builder, by);
  PointsAwarded.addPoints(builder, points);
  builder.finish(PointsAwarded.endPointsAwarded(builder));
  books.publish(event, wire.Kind.done, "shop.loyalty.PointsAwarded", builder.asUint8Array());
}

function takeBack(books: Books, event: wire.Event): void {
  const points = books.takeBack(event.saga);
  if (points === undefined) return;
  const builder = new flatbuffers.Builder(128);
  const order = builder.createString(event.saga);
  PointsTakenBack.startPointsTakenBack(builder);
  PointsTakenBack.addOrderId(builder, order);
  PointsTakenBack.addPoints(builder, points);
  builder.finish(PointsTakenBack.endPointsTakenBack(builder));
  books.publish(event, wire.Kind.undone, "shop.loyalty.PointsTakenBack", builder.asUint8Array(),
    wire.failureOf(event));
}

/** Whether an event of this subject can matter: the rest of the stream is passed over. */
export function concerns(subject: string): boolean {
  const [, source, kind, name, place] = subject.split(".");
  return place !== undefined && (["failed", "ended"].includes(kind) || source === SERVICE ||
    (source === "payment" && name === "PaymentTaken"));
}

/** Inside a transaction. A failure comes first: it needs no known type, and never waits. */
export function handle(books: Books, subject: string, body: Uint8Array, seq: number): void {
  let event: wire.Event | undefined;
  try {
    event = wire.readEvent(subject, body);
    if (event.source === SERVICE) books.settle(event.id);
    if (!books.firstTime(event.id)) return;
    const failure = wire.failureOf(event);
    const known = books.saga(event.saga);
    if (failure && known.ended && !known.failed)
      throw new wire.Junk("its saga has ended: a failure after that undoes nothing");
    books.mark(event.saga, failure, event.kind === wire.Kind.ended);
    if (failure) takeBack(books, event);
    else if (event.type === "shop.payment.PaymentTaken") award(books, event);
  } catch (why) {
    if (!(why instanceof wire.Junk)) throw why;
    books.giveUp(subject, seq, body, why.message, event);
  }
}
