package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	flatbuffers "github.com/google/flatbuffers/go"

	"counterstep/loyalty/saga/wire"
	"counterstep/loyalty/shop/loyalty"
	"counterstep/loyalty/shop/payment"
)

// ---- the step and its undo, as functions of database and event

type taken struct {
	order, customer string
	cents           int64
}

func readTaken(event *Event) (read taken, err error) {
	defer func() {
		if failure := recover(); failure != nil {
			err = fmt.Errorf("its payload is no sound PaymentTaken: %v", failure)
		}
	}()
	table := payment.GetRootAsPaymentTaken(event.Payload, 0)
	read = taken{string(table.OrderId()), string(table.CustomerId()), table.AmountCents()}
	text := read.customer != "" && utf8.ValidString(read.customer) &&
		!strings.Contains(read.customer, "\x00")
	if read.order != event.Saga || !text {
		err = errors.New("its payload is no sound PaymentTaken")
	} else if event.Hops > maxHops {
		err = errors.New("it is too many events away from its saga's first: a cycle?")
	}
	return read, err
}

func award(tx Tx, event *Event, paid taken) error {
	failed, _, err := tx.saga(event.Saga)
	if err != nil {
		return err
	}
	if failed != "" {
		_, err = tx.award(event.Saga, "", 0, "tombstone")
		return err
	}
	points := paid.cents / 100
	first, err := tx.award(event.Saga, paid.customer, points, "done")
	if err != nil || !first {
		return err
	}
	builder := flatbuffers.NewBuilder(128)
	order, customer := builder.CreateString(paid.order), builder.CreateString(paid.customer)
	loyalty.PointsAwardedStart(builder)
	loyalty.PointsAwardedAddOrderId(builder, order)
	loyalty.PointsAwardedAddCustomerId(builder, customer)
	loyalty.PointsAwardedAddPoints(builder, points)
	builder.Finish(loyalty.PointsAwardedEnd(builder))
	return tx.publish(event, wire.Kinddone, "shop.loyalty.PointsAwarded", "",
		builder.FinishedBytes())
}

func takeBack(tx Tx, event *Event) error {
	points, stood, err := tx.takeBack(event.Saga)
	if err != nil || !stood {
		return err
	}
	builder := flatbuffers.NewBuilder(128)
	order := builder.CreateString(event.Saga)
	loyalty.PointsTakenBackStart(builder)
	loyalty.PointsTakenBackAddOrderId(builder, order)
	loyalty.PointsTakenBackAddPoints(builder, points)
	builder.Finish(loyalty.PointsTakenBackEnd(builder))
	return tx.publish(event, wire.Kindundone, "shop.loyalty.PointsTakenBack", event.failure(),
		builder.FinishedBytes())
}

// ---- what an event means here

// concerns says whether an event of this subject can matter: the rest is passed over.
func concerns(subject string) bool {
	tokens := strings.Split(subject, ".")
	if len(tokens) < 5 {
		return false
	}
	payments := tokens[1] == "payment" && tokens[3] == "PaymentTaken"
	return tokens[2] == "failed" || tokens[2] == "ended" || tokens[1] == service || payments
}

// handle takes a failure first: it needs no known type, and never waits.
func handle(tx Tx, subject string, body []byte, seq uint64) error {
	event, err := readEvent(subject, body)
	if err != nil {
		return tx.giveUp(subject, seq, body, err.Error(), nil)
	}
	if event.Source == service {
		if err := tx.settle(event.ID); err != nil {
			return err
		}
	}
	first, err := tx.firstTime(event.ID)
	if err != nil || !first {
		return err
	}
	failed, ended, err := tx.saga(event.Saga)
	if err != nil {
		return err
	}
	failure := event.failure()
	if failure != "" && ended && failed == "" {
		return tx.giveUp(subject, seq, body,
			"its saga has ended: a failure after that undoes nothing", event)
	}
	if err := tx.mark(event.Saga, failure, event.Kind == wire.Kindended); err != nil {
		return err
	}
	if failure != "" {
		return takeBack(tx, event)
	}
	if event.Type != "shop.payment.PaymentTaken" {
		return nil
	}
	paid, err := readTaken(event)
	if err != nil {
		return tx.giveUp(subject, seq, body, err.Error(), event)
	}
	return award(tx, event, paid)
}
