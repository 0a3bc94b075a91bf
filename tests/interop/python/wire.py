"""An event's bytes: read with suspicion, written as docs/protocol.md says."""
import dataclasses
import datetime
import re
import urllib.parse

import flatbuffers
from saga.wire import DeadLetter, Envelope

KINDS = ("done", "failed", "undone", "ended")
DONE, FAILED, UNDONE, ENDED = range(4)
MAX_MESSAGE, MAX_COPY, MAX_HOPS = 256 * 1024, 64 * 1024, 64
LAST_TIME = 253_402_300_799_999_999  # microseconds: the end of the year 9999
SAGA_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
TYPE = re.compile(r"(?=.{1,192}$)[A-Za-z][A-Za-z0-9_]{0,63}(\.[A-Za-z][A-Za-z0-9_]{0,63})+")
TOKEN = re.compile(r"[!-~]{0,64}")
VISIBLE = "!#$&'()*+,/:;<=>?@[\\]^`{|}~"  # beside letters and digits


class Junk(Exception):
    """A message that no reader can take for an event; the text says why."""


@dataclasses.dataclass
class Event:
    id: bytes
    type: str
    saga: str
    started: int
    source: str
    time: int
    kind: int
    payload: bytes
    cause: bytes = b""
    step: str = ""
    because: str = ""
    hops: int = 0
    trace: str = ""
    sequence: int = 0

    @property
    def name(self):
        return self.type.rpartition(".")[2]

    @property
    def failure(self):
        """The failure that it tells of, if it tells of one."""
        if self.kind == FAILED:
            return self.name
        return self.because or ("?" if self.kind == UNDONE else "")


def partition(saga):
    """FNV-1a, 64 bits, modulo 64."""
    value = 0xCBF29CE484222325
    for byte in saga.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"p{value % 64:02}"


def subject_of(event):
    kind = KINDS[event.kind]
    return f"saga.{event.source}.{kind}.{event.name}.{partition(event.saga)}"


def uuid_text(raw):
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def read_event(subject, body):
    """Verifies what flatbuffers does not: in Python it follows any offset. Raises Junk."""
    if len(body) > MAX_MESSAGE or body[4:8] != b"SAGA":
        raise Junk("it is too large, or does not carry the file identifier SAGA")
    try:
        event = copy_of(Envelope.Envelope.GetRootAs(body), len(body))
    except Junk:
        raise
    except Exception as failure:  # whatever an offset into nowhere leads to
        raise Junk(f"it is no sound Envelope table: {failure}") from None
    tokens = subject.split(".")
    owner = event.type.split(".")[-2]
    engine = event.type.startswith("saga.wire.")
    if (".".join(tokens[:5]) != subject_of(event) or tokens[5:] not in ([], [event.saga])
            or owner != event.source and not engine):
        raise Junk("spoofed: its subject is not its envelope's, or its type is another's")
    return event


def copy_of(table, size):
    """All fields, each checked, as views into bytes that may lie."""
    def text(value, shape, what):
        value = (value or b"").decode()
        if not shape.fullmatch(value):
            raise Junk(f"its {what} cannot be one")
        return value

    def blob(length, item, what, sizes):
        if length not in sizes:
            raise Junk(f"its {what} has {length} bytes")
        return bytes(item(i) for i in range(length))

    event = Event(
        id=blob(table.IdLength(), table.Id, "id", (16,)),
        type=text(table.Type(), TYPE, "type"),
        saga=text(table.Saga(), SAGA_ID, "saga id"),
        started=table.Started(),
        source=text(table.Source(), NAME, "source"),
        time=table.Time(),
        kind=table.Kind(),
        payload=blob(table.PayloadLength(), table.Payload, "payload", range(1, size)),
        cause=blob(table.CauseLength(), table.Cause, "cause", (0, 16)),
        step=text(table.Step(), re.compile(NAME.pattern + "|"), "step"),
        because=text(table.Because(), TOKEN, "failure"),
        hops=table.Hops(),
        trace=text(table.Trace(), TOKEN, "trace context"),
        sequence=table.Sequence())
    if not any(event.id) or event.kind > ENDED:
        raise Junk("its id or its kind cannot be one")
    if not all(0 <= time <= LAST_TIME for time in (event.started, event.time)):
        raise Junk("its time is not of the years 1970 to 9999")
    return event


def vector(builder, data, alignment=1):
    builder.StartVector(1, len(data), alignment)
    for byte in reversed(data):
        builder.PrependByte(byte)
    return builder.EndVector()


def envelope_of(event):
    builder = flatbuffers.Builder(1024)
    payload = vector(builder, event.payload, 8)
    texts = {name: builder.CreateString(getattr(event, name))
             for name in ("type", "saga", "source", "step", "because", "trace")
             if getattr(event, name)}
    cause = vector(builder, event.cause)
    id_at = vector(builder, event.id)
    Envelope.Start(builder)
    Envelope.AddId(builder, id_at)
    for name, at in texts.items():
        getattr(Envelope, f"Add{name.title()}")(builder, at)
    if event.cause:
        Envelope.AddCause(builder, cause)
    for name in ("started", "sequence", "time", "kind", "hops"):
        getattr(Envelope, f"Add{name.title()}")(builder, getattr(event, name))
    Envelope.AddPayload(builder, payload)
    builder.Finish(Envelope.End(builder), b"SAGA")
    return bytes(builder.Output())


def dead_letter(service, reason, subject, stream_seq, body, event_id=b""):
    """The payload of a notice that a message was given up."""
    builder = flatbuffers.Builder(1024)
    message = vector(builder, body[:MAX_COPY])
    id_at = vector(builder, event_id)
    service_at, reason_at, subject_at = map(builder.CreateString, (service, reason, subject))
    DeadLetter.Start(builder)
    DeadLetter.AddService(builder, service_at)
    DeadLetter.AddReason(builder, reason_at)
    if event_id:
        DeadLetter.AddEventId(builder, id_at)
    DeadLetter.AddSubject(builder, subject_at)
    DeadLetter.AddStreamSeq(builder, stream_seq)
    DeadLetter.AddMessage(builder, message)
    builder.Finish(DeadLetter.End(builder))
    return bytes(builder.Output())


def headers_of(event):
    """CloudEvents 1.0, binary mode: copies for tools."""
    media = "application/x-flatbuffers"
    time = datetime.datetime.fromtimestamp(event.time // 10**6, datetime.timezone.utc)
    headers = {
        "Nats-Msg-Id": uuid_text(event.id),
        "ce-specversion": "1.0",
        "ce-id": uuid_text(event.id),
        "ce-source": f"/{event.source}",
        "ce-type": event.type,
        "ce-time": f"{time:%Y-%m-%dT%H:%M:%S}.{event.time % 10**6:06}Z",
        "ce-subject": event.saga,
        "ce-datacontenttype": media,
        "content-type": media,
        "ce-dataschema": f"saga:{event.type}",
        "ce-correlationid": event.saga,
        "ce-sequence": f"{event.sequence:020}",
        "ce-sagakind": KINDS[event.kind],
    }
    if event.cause:
        headers["ce-causationid"] = uuid_text(event.cause)
    if event.trace:
        headers["traceparent"] = urllib.parse.quote(event.trace, safe=VISIBLE)
    return headers
