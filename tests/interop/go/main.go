// Loyalty awards points for a payment, and takes them back when the order fails. In Go.
//
//	award      PaymentTaken  -> PointsAwarded      a point for each whole unit of money
//	take back  any failure   -> PointsTakenBack    once, and only what was awarded
//
// A participant of a saga without the engine: docs/protocol.md is all that it knows.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const patience = 5 * time.Second // of a request to the broker

type participant struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	books    *Books
	contract []byte
	instance string
	wake     chan struct{} // something may wait in the outbox
	ready    atomic.Bool
	lag      atomic.Uint64

	lock  sync.Mutex
	acked map[int64]uint64 // row of the outbox: where the broker says that it stands
	stop  func()           // ends the session
}

func (p *participant) look() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// disconnected: PubAcks die with the connection that brought them, and so does the session.
func (p *participant) disconnected(*nats.Conn, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	clear(p.acked)
	p.stop()
	p.look()
}

// session reads from the position in the database until something is not as it was.
func (p *participant) session() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p.lock.Lock()
	p.stop = cancel
	p.lock.Unlock()
	defer p.ready.Store(false)

	asking, answered := context.WithTimeout(ctx, 2*patience)
	defer answered()
	if err := p.judge(asking); err != nil {
		return err
	}
	if _, err := p.js.Publish(asking, "$KV.SAGA_CONTRACTS."+service, p.contract); err != nil {
		return err
	}
	at, err := p.books.position()
	if err != nil {
		return err
	}
	_ = p.js.DeleteConsumer(asking, "SAGA", service) // it may not be there
	consumer, err := p.js.CreateConsumer(asking, "SAGA", jetstream.ConsumerConfig{
		Name: service, DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq: at.seq + 1, AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true,
		InactiveThreshold: 24 * time.Hour})
	if err != nil {
		return err
	}
	if seen := consumer.CachedInfo(); seen.Delivered.Consumer != 0 {
		return errors.New("the consumer is not new")
	}
	p.lag.Store(consumer.CachedInfo().NumPending)
	p.ready.Store(true)
	return p.read(ctx, consumer)
}

// judge looks whether it is the stream that was read so far, and what was read is still there.
func (p *participant) judge(ctx context.Context) error {
	at, err := p.books.position()
	if err != nil {
		return err
	}
	stream, err := p.js.Stream(ctx, "SAGA")
	if err != nil {
		return err
	}
	info := stream.CachedInfo()
	created, first := info.Created.UnixNano(), info.State.FirstSeq
	same := at.created == created && at.seq <= info.State.LastSeq
	if same && at.seq > 0 && at.seq+1 < first {
		log.Fatal("the stream has forgotten events that were not read")
	}
	if same && at.seq >= first {
		found, err := stream.GetMsg(ctx, at.seq)
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return err
		}
		same = err == nil && found.Time.UnixNano() == at.stored
	}
	if same {
		return nil
	}
	p.lock.Lock()
	clear(p.acked)
	p.lock.Unlock()
	defer p.look()
	return p.books.startAgain(created)
}

func (p *participant) read(ctx context.Context, consumer jetstream.Consumer) error {
	messages, err := consumer.Messages(jetstream.PullMaxMessages(256),
		jetstream.PullExpiry(30*time.Second), jetstream.PullHeartbeat(2*time.Second))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for expected := uint64(1); ; expected++ {
		message, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		about, err := message.Metadata()
		if err != nil {
			return err
		}
		if about.Sequence.Consumer != expected {
			return fmt.Errorf("message %d came after %d", about.Sequence.Consumer, expected-1)
		}
		seq := about.Sequence.Stream
		if concerns(message.Subject()) {
			err := p.books.transaction(func(tx Tx) error {
				return errors.Join(handle(tx, message.Subject(), message.Data(), seq),
					tx.move(seq, about.Timestamp.UnixNano()))
			})
			if err != nil {
				log.Fatal(err) // of the database: what it holds is known after a restart
			}
		}
		p.lag.Store(about.NumPending)
		p.passed(seq)
	}
}

// ---- the relay

// passed: what the broker acknowledged below, and was not read there, is sent again.
func (p *participant) passed(at uint64) {
	p.lock.Lock()
	defer p.lock.Unlock()
	for row, place := range p.acked {
		if place <= at {
			delete(p.acked, row)
		}
	}
	p.look()
}

func (p *participant) relay() {
	for range p.wake {
		rows, err := p.books.unsettled()
		if err != nil {
			log.Fatal(err)
		}
		for _, row := range rows { // one after the other, in order
			p.lock.Lock()
			_, sent := p.acked[row.seq]
			p.lock.Unlock()
			if sent {
				continue
			}
			if err := p.send(row); err != nil {
				log.Printf("cannot publish: %v", err)
				time.AfterFunc(500*time.Millisecond, p.look)
				break
			}
		}
	}
}

func (p *participant) send(row outboxRow) error {
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	ack, err := p.js.PublishMsg(ctx, &nats.Msg{Subject: row.subject, Data: row.envelope,
		Header: copyOf(row.envelope).headers()})
	if err != nil {
		return err
	}
	if strings.HasPrefix(row.subject, "saga-dlq.") { // not in the stream that we read
		return p.books.transaction(func(tx Tx) error { return tx.settle(row.id) })
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	p.acked[row.seq] = ack.Sequence
	return nil
}

// ---- requests

func (p *participant) answer(request *nats.Msg) {
	if !strings.HasPrefix(request.Reply, "_INBOX.") {
		return // elsewhere an answer could be taken for an event
	}
	var answer any
	switch strings.TrimPrefix(request.Subject, "saga-ctl."+service+".") {
	case "dead":
		answer = []string{} // it keeps none
	case "state":
		rows, _ := p.books.unsettled()
		at, _ := p.books.position()
		host, _ := os.Hostname()
		answer = map[string]any{"service": service, "instance": p.instance,
			"where": fmt.Sprintf("%s, process %d", host, os.Getpid()), "ready": p.ready.Load(),
			"server": p.nc.ConnectedUrl(), "cursor": at.seq, "lag": p.lag.Load(),
			"outbox": map[string]any{"unsettled": len(rows), "oldest_seconds": 0},
			"parked": 0, "dead": 0, "aside": 0, "timers": 0, "calls": 0}
	}
	body, err := json.Marshal(answer)
	if err == nil && answer != nil {
		_ = p.nc.Publish(request.Reply, body)
	}
}

func orElse(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	server := flag.String("server", orElse("NATS_URL", nats.DefaultURL), "nats-server")
	data := flag.String("data", orElse("SAGA_DATA", "."), "folder of the database")
	file := flag.String("contract", "", "what goes into SAGA_CONTRACTS")
	flag.Parse()
	log.SetFlags(0)
	log.SetPrefix(service + ": ")
	contract, err := os.ReadFile(*file)
	if err != nil {
		log.Fatal(err)
	}
	books, err := openBooks(filepath.Join(*data, service+".db"))
	if err != nil {
		log.Fatal(err)
	}
	chance := make([]byte, 16)
	rand.Read(chance)
	p := &participant{books: books, contract: contract, instance: hex.EncodeToString(chance),
		wake: make(chan struct{}, 1), acked: map[int64]uint64{}, stop: func() {}}
	p.nc, err = nats.Connect(*server, nats.Name(service), nats.MaxReconnects(-1),
		nats.ReconnectWait(100*time.Millisecond), nats.DisconnectErrHandler(p.disconnected),
		nats.CustomInboxPrefix("_SAGA."+service+"."+p.instance))
	if err != nil {
		log.Fatal(err)
	}
	if p.js, err = jetstream.New(p.nc); err != nil {
		log.Fatal(err)
	}
	if _, err = p.nc.Subscribe("saga-ctl."+service+".*", p.answer); err != nil {
		log.Fatal(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() { <-stop; os.Exit(0) }()
	p.look()
	go p.relay()
	for {
		log.Printf("reads anew: %v", p.session())
		<-time.After(200 * time.Millisecond)
	}
}
