package senders_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/senders"
	"github.com/sallyport-go/sallyport/senders/sendertest"
)

var (
	errDown = errors.New("provider down")
	down    = senders.Func(func(context.Context, challenge.Message) error { return errDown })
	hung    = senders.Func(func(ctx context.Context, _ challenge.Message) error { <-ctx.Done(); return ctx.Err() })
)

func fallback(t *testing.T, s ...challenge.Sender) challenge.Sender {
	t.Helper()
	f, err := senders.Fallback(s...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAFallbackKeepsTheRulesOfASender(t *testing.T) {
	box := &senders.Outbox{}
	sendertest.Run(t, sendertest.Harness{
		Sender: fallback(t, down, box), Delivered: box.Messages,
		Refused: fallback(t, down, down), Stuck: fallback(t, hung, hung),
	})
}

func TestAFallbackAsksTheNextOnlyAfterAFailure(t *testing.T) {
	first, second := &senders.Outbox{}, &senders.Outbox{}
	if err := fallback(t, first, second).Send(t.Context(), smsCode); err != nil {
		t.Fatal(err)
	}
	if len(first.Messages()) != 1 || len(second.Messages()) != 0 {
		t.Error("a success was sent again")
	}
	if err := fallback(t, down, second).Send(t.Context(), smsCode); err != nil {
		t.Fatal(err)
	}
	if len(second.Messages()) != 1 {
		t.Error("the next was not asked")
	}
}

func TestAProviderThatHangsLeavesTimeForTheNext(t *testing.T) {
	for _, c := range []struct {
		name     string
		deadline time.Duration
		hung     int
		want     time.Duration
	}{
		{"no deadline: half of ten seconds", 0, 1, 5 * time.Second},
		{"half of the deadline", 4 * time.Second, 1, 2 * time.Second},
		{"two thirds of it for two of three", 6 * time.Second, 2, 4 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				box := &senders.Outbox{}
				list := []challenge.Sender{hung, hung}[:c.hung]
				start := time.Now()
				if err := fallback(t, append(list, box)...).Send(ctx, smsCode); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took != c.want || len(box.Messages()) != 1 {
					t.Errorf("took %v, want %v", took, c.want)
				}
			})
		})
	}
}

func TestAFallbackStopsWhenItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	box := &senders.Outbox{}
	quits := senders.Func(func(context.Context, challenge.Message) error { cancel(); return errDown })
	err := fallback(t, quits, senders.Func(func(context.Context, challenge.Message) error {
		t.Error("asked after the end")
		return nil
	}), box).Send(ctx, smsCode)
	if !errors.Is(err, errDown) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v does not name both causes", err)
	}
}

func TestAFallbackJoinsTheErrorsInOrder(t *testing.T) {
	errOther := errors.New("other down")
	err := fallback(t, down, senders.Func(func(context.Context, challenge.Message) error { return errOther })).Send(t.Context(), smsCode)
	if !errors.Is(err, errDown) || !errors.Is(err, errOther) {
		t.Fatalf("error %v", err)
	}
	if s := err.Error(); strings.Index(s, "sender 1 of 2: provider down") > strings.Index(s, "sender 2 of 2: other down") {
		t.Errorf("error %q is out of order", s)
	}
}

func TestAFallbackOfNothingIsRefused(t *testing.T) { // I-19
	if _, err := senders.Fallback(); err == nil {
		t.Error("an empty list was accepted")
	}
	if _, err := senders.Fallback(down, nil); err == nil || !strings.Contains(err.Error(), "sender 2") {
		t.Errorf("a nil sender: %v", err)
	}
}
