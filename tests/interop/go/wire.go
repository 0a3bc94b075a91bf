package main

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"regexp"
	"strings"
	"time"

	flatbuffers "github.com/google/flatbuffers/go"
	"github.com/nats-io/nats.go"

	"counterstep/loyalty/saga/wire"
)

const (
	maxMessage = 256 * 1024
	maxCopy    = 64 * 1024
	maxHops    = 64
	lastTime   = 253_402_300_799_999_999 // microseconds: the end of the year 9999
)

var (
	isSagaID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).Match
	isName   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`).Match
	isToken  = regexp.MustCompile(`^[!-~]{0,64}$`).Match
	isType   = regexp.MustCompile(`^[A-Za-z]\w{0,63}(\.[A-Za-z]\w{0,63})+$`).Match
)

// Event is what an Envelope says, in memory of its own.
type Event struct {
	ID, Cause, Payload       []byte
	Type, Saga, Source, Step string
	Because, Trace           string
	Started, Time            int64
	Kind                     wire.Kind
	Hops                     uint16
	Sequence                 uint64
}

func (e *Event) name() string { return e.Type[strings.LastIndexByte(e.Type, '.')+1:] }

// failure is the failure that the event tells of; empty when it tells of none.
func (e *Event) failure() string {
	switch {
	case e.Kind == wire.Kindfailed:
		return e.name()
	case e.Kind == wire.Kindundone && e.Because == "":
		return "?"
	case e.Kind == wire.Kinddone:
		return ""
	}
	return e.Because
}

func partition(saga string) string {
	hash := fnv.New64a()
	hash.Write([]byte(saga))
	return fmt.Sprintf("p%02d", hash.Sum64()%64)
}

func (e *Event) subject() string {
	return fmt.Sprintf("saga.%s.%s.%s.%s", e.Source, e.Kind, e.name(), partition(e.Saga))
}

// readEvent verifies what flatbuffers does not: in Go it panics at an offset into nowhere.
func readEvent(subject string, body []byte) (event *Event, err error) {
	defer func() {
		if failure := recover(); failure != nil {
			event, err = nil, fmt.Errorf("it is no sound Envelope table: %v", failure)
		}
	}()
	if len(body) > maxMessage || len(body) < 8 || string(body[4:8]) != "SAGA" {
		return nil, errors.New("it is too large, or does not carry the file identifier SAGA")
	}
	event = copyOf(body)
	if why := event.fault(); why != "" {
		return nil, errors.New(why)
	}
	words := strings.Split(event.Type, ".")
	owned := words[len(words)-2] == event.Source || strings.HasPrefix(event.Type, "saga.wire.")
	if at := event.subject(); !owned || subject != at && subject != at+"."+event.Saga {
		return nil, errors.New("spoofed: its subject is not its envelope's, or its type is another's")
	}
	return event, nil
}

func copyOf(body []byte) *Event {
	table := wire.GetRootAsEnvelope(body, 0)
	return &Event{
		ID: bytes.Clone(table.IdBytes()), Cause: bytes.Clone(table.CauseBytes()),
		Payload: bytes.Clone(table.PayloadBytes()), Type: string(table.Type()),
		Saga: string(table.Saga()), Source: string(table.Source()), Step: string(table.Step()),
		Because: string(table.Because()), Trace: string(table.Trace()), Started: table.Started(),
		Time: table.Time(), Kind: table.Kind(), Hops: table.Hops(), Sequence: table.Sequence(),
	}
}

func (e *Event) fault() string {
	past := func(time int64) bool { return time < 0 || time > lastTime }
	switch {
	case len(e.ID) != 16 || bytes.Equal(e.ID, make([]byte, 16)):
		return "its id is not 16 bytes"
	case len(e.Cause) != 0 && len(e.Cause) != 16:
		return "its cause is not 16 bytes"
	case len(e.Type) > 192 || !isType([]byte(e.Type)):
		return "its type is no table's name"
	case !isSagaID([]byte(e.Saga)):
		return "its saga id is not [A-Za-z0-9_-]{1,64}"
	case !isName([]byte(e.Source)) || e.Step != "" && !isName([]byte(e.Step)):
		return "its source or its step is no name"
	case !isToken([]byte(e.Because)) || !isToken([]byte(e.Trace)):
		return "its failure or its trace context cannot be one"
	case past(e.Started) || past(e.Time):
		return "its time is not of the years 1970 to 9999"
	case e.Kind > wire.Kindended:
		return "its kind is unknown"
	case len(e.Payload) == 0:
		return "it has no payload"
	}
	return ""
}

func vector(builder *flatbuffers.Builder, data []byte, alignment int) flatbuffers.UOffsetT {
	builder.StartVector(1, len(data), alignment)
	for i := len(data) - 1; i >= 0; i-- {
		builder.PrependByte(data[i])
	}
	return builder.EndVector(len(data))
}

func (e *Event) envelope() []byte {
	builder := flatbuffers.NewBuilder(1024)
	payload := vector(builder, e.Payload, 8)
	text := func(value string) flatbuffers.UOffsetT {
		if value == "" {
			return 0 // the field is left out
		}
		return builder.CreateString(value)
	}
	trace, because, step := text(e.Trace), text(e.Because), text(e.Step)
	source, saga, kind := text(e.Source), text(e.Saga), text(e.Type)
	var cause flatbuffers.UOffsetT
	if len(e.Cause) != 0 {
		cause = builder.CreateByteVector(e.Cause)
	}
	id := builder.CreateByteVector(e.ID)
	wire.EnvelopeStart(builder)
	wire.EnvelopeAddId(builder, id)
	wire.EnvelopeAddType(builder, kind)
	wire.EnvelopeAddSaga(builder, saga)
	wire.EnvelopeAddStarted(builder, e.Started)
	wire.EnvelopeAddCause(builder, cause)
	wire.EnvelopeAddSource(builder, source)
	wire.EnvelopeAddSequence(builder, e.Sequence)
	wire.EnvelopeAddTime(builder, e.Time)
	wire.EnvelopeAddKind(builder, e.Kind)
	wire.EnvelopeAddStep(builder, step)
	wire.EnvelopeAddBecause(builder, because)
	wire.EnvelopeAddHops(builder, e.Hops)
	wire.EnvelopeAddTrace(builder, trace)
	wire.EnvelopeAddPayload(builder, payload)
	builder.FinishWithFileIdentifier(wire.EnvelopeEnd(builder), []byte("SAGA"))
	return builder.FinishedBytes()
}

// deadLetter is the payload of a notice that a message was given up.
func deadLetter(why, subject string, streamSeq uint64, body, id []byte) []byte {
	builder := flatbuffers.NewBuilder(1024)
	message := builder.CreateByteVector(body[:min(len(body), maxCopy)])
	var idAt flatbuffers.UOffsetT
	if len(id) != 0 {
		idAt = builder.CreateByteVector(id)
	}
	serviceAt, whyAt := builder.CreateString(service), builder.CreateString(why)
	subjectAt := builder.CreateString(subject)
	wire.DeadLetterStart(builder)
	wire.DeadLetterAddService(builder, serviceAt)
	wire.DeadLetterAddReason(builder, whyAt)
	wire.DeadLetterAddEventId(builder, idAt)
	wire.DeadLetterAddSubject(builder, subjectAt)
	wire.DeadLetterAddStreamSeq(builder, streamSeq)
	wire.DeadLetterAddMessage(builder, message)
	builder.Finish(wire.DeadLetterEnd(builder))
	return builder.FinishedBytes()
}

func uuid(raw []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:])
}

// headers are CloudEvents 1.0 in binary mode: copies for tools.
func (e *Event) headers() nats.Header {
	const media = "application/x-flatbuffers"
	headers := nats.Header{
		"Nats-Msg-Id":        {uuid(e.ID)},
		"ce-specversion":     {"1.0"},
		"ce-id":              {uuid(e.ID)},
		"ce-source":          {"/" + e.Source},
		"ce-type":            {e.Type},
		"ce-time":            {time.UnixMicro(e.Time).UTC().Format("2006-01-02T15:04:05.000000Z")},
		"ce-subject":         {e.Saga},
		"ce-datacontenttype": {media},
		"content-type":       {media},
		"ce-dataschema":      {"saga:" + e.Type},
		"ce-correlationid":   {e.Saga},
		"ce-sequence":        {fmt.Sprintf("%020d", e.Sequence)},
		"ce-sagakind":        {e.Kind.String()},
	}
	if len(e.Cause) != 0 {
		headers["ce-causationid"] = []string{uuid(e.Cause)}
	}
	if e.Trace != "" {
		headers["traceparent"] = []string{url.QueryEscape(e.Trace)}
	}
	return headers
}
