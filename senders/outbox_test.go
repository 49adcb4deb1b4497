package senders_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/senders"
	"github.com/sallyport-go/sallyport/senders/sendertest"
)

var (
	mailCode = challenge.Message{Channel: challenge.ChannelEmail, To: "carol@example.com", Code: "271828", Subject: "Your code",
		Body: "Your code is 271828.\nhttps://acme.example/?a=1&b=<2>", HTML: "<b>271828</b>", Language: "en"}
	smsCode = challenge.Message{Channel: challenge.ChannelSMS, To: "+31600000001", Code: "314159", Body: "Your code is 314159.\n\n@acme.example #314159"}
	notice  = challenge.Message{Channel: challenge.ChannelEmail, To: "carol@example.com", Subject: "New device", Body: "A new device signed in."}
)

func TestAnOutboxKeepsTheRulesOfASender(t *testing.T) {
	memory := &senders.Outbox{}
	sendertest.Run(t, sendertest.Harness{
		Sender: memory, Delivered: memory.Messages,
		Refused: &senders.Outbox{Writer: brokenWriter{}},
	})
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAnOutboxLineHasExactlyThePublishedKeys(t *testing.T) {
	var out bytes.Buffer
	box := &senders.Outbox{Writer: &out}
	for _, m := range []challenge.Message{mailCode, smsCode, notice} {
		if err := box.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	// Written by hand from the examples' contract, not by the code.
	want := `{"channel":"email","to":"carol@example.com","code":"271828","subject":"Your code","body":"Your code is 271828.\nhttps://acme.example/?a=1&b=<2>"}
{"channel":"sms","to":"+31600000001","code":"314159","subject":"","body":"Your code is 314159.\n\n@acme.example #314159"}
{"channel":"email","to":"carol@example.com","subject":"New device","body":"A new device signed in."}
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestAnOutboxIsBoundedAndForgetsTheOldest(t *testing.T) { // I-23
	for _, c := range []struct{ size, sent, kept int }{{0, 250, 100}, {1, 3, 1}, {3, 2, 2}, {3, 3, 3}, {3, 7, 3}} {
		box := &senders.Outbox{Size: c.size}
		for i := range c.sent {
			if err := box.Send(t.Context(), challenge.Message{Channel: "sms", To: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
			if n := len(box.Messages()); c.size > 0 && n > c.size {
				t.Fatalf("size %d keeps %d", c.size, n)
			}
		}
		got := box.Messages()
		if len(got) != c.kept {
			t.Fatalf("size %d keeps %d of %d, want %d", c.size, len(got), c.sent, c.kept)
		}
		if first, last := got[0].To, got[len(got)-1].To; first != fmt.Sprint(c.sent-c.kept) || last != fmt.Sprint(c.sent-1) {
			t.Errorf("size %d keeps %s to %s of %d", c.size, first, last, c.sent)
		}
	}
	if err := (&senders.Outbox{Size: -1}).Send(t.Context(), notice); err == nil {
		t.Error("a negative size was accepted")
	}
}

func TestLastIsTheNewestForThatAddressOnThatChannel(t *testing.T) {
	box := &senders.Outbox{}
	newer := mailCode
	newer.Code = "161803"
	for _, m := range []challenge.Message{mailCode, newer, smsCode} {
		if err := box.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if m, ok := box.Last("email", "carol@example.com"); !ok || string(m.Code) != "161803" {
		t.Errorf("Last is %q, %v", string(m.Code), ok)
	}
	if _, ok := box.Last("sms", "carol@example.com"); ok {
		t.Error("Last found a message of another channel")
	}
	box.Messages()[0].To = "changed"
	if box.Messages()[0].To != "carol@example.com" {
		t.Error("Messages is not a copy")
	}
	box.Clear()
	if _, ok := box.Last("email", "carol@example.com"); ok || len(box.Messages()) != 0 {
		t.Error("Clear left something")
	}
}

func TestParallelOutboxLinesStayWhole(t *testing.T) {
	var out bytes.Buffer
	box := &senders.Outbox{Writer: &out}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { _ = box.Send(context.Background(), mailCode); box.Messages(); box.Last("sms", "") })
	}
	wg.Wait()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 50 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, l := range lines {
		if !json.Valid([]byte(l)) {
			t.Fatalf("not JSON: %s", l)
		}
	}
}

func TestAnOutboxThatCouldNotWriteKeepsNothing(t *testing.T) {
	box := &senders.Outbox{Writer: brokenWriter{}}
	if err := box.Send(t.Context(), mailCode); err == nil || len(box.Messages()) != 0 {
		t.Errorf("error %v, %d kept", err, len(box.Messages()))
	}
}

func TestFuncIsASenderAndNilRefuses(t *testing.T) {
	box := &senders.Outbox{}
	sendertest.Run(t, sendertest.Harness{
		Sender: senders.Func(box.Send), Delivered: box.Messages,
		Refused: senders.Func(nil),
		Stuck:   senders.Func(func(ctx context.Context, _ challenge.Message) error { <-ctx.Done(); return ctx.Err() }),
	})
}
