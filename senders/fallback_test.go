package senders_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
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
	f, err := senders.NewFallback(senders.FallbackConfig{Senders: s})
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

func TestAFallbackThatIsMisconfiguredIsRefused(t *testing.T) { // I-19
	for _, c := range []struct {
		says   string
		config senders.FallbackConfig
	}{
		{"at least one", senders.FallbackConfig{}},
		{"sender 2", senders.FallbackConfig{Senders: []challenge.Sender{down, nil}}},
		{"negative", senders.FallbackConfig{Senders: []challenge.Sender{down}, Pause: -1}},
		{"negative", senders.FallbackConfig{Senders: []challenge.Sender{down}, Timeout: -1}},
	} {
		if _, err := senders.NewFallback(c.config); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error %v, want one that says %q", err, c.says)
		}
	}
	if err := new(senders.Fallback).Send(t.Context(), smsCode); err == nil {
		t.Error("a Fallback that nobody constructed sent")
	}
}

// provider answers as its test says, and knows how often it was asked.
type provider struct {
	err   error
	hangs bool
	asked int
}

func (p *provider) Send(ctx context.Context, _ challenge.Message) error {
	p.asked++
	if p.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return p.err
}

// trio is a Fallback of three providers on a clock that the test moves.
func trio(t *testing.T) (f *senders.Fallback, p [3]*provider, now *time.Time) {
	t.Helper()
	now = new(time.Time)
	*now = time.Date(2026, 11, 2, 15, 0, 0, 0, time.UTC)
	list := make([]challenge.Sender, len(p))
	for i := range p {
		p[i] = new(provider)
		list[i] = p[i]
	}
	f, err := senders.NewFallback(senders.FallbackConfig{Senders: list, Clock: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	return f, p, now
}

// asks sends once and says how often each was asked by it, the report, and the error.
func asks(t *testing.T, f *senders.Fallback, p [3]*provider) (string, string, error) {
	t.Helper()
	before := [3]int{p[0].asked, p[1].asked, p[2].asked}
	report, err := f.SendReport(t.Context(), smsCode)
	return fmt.Sprint(p[0].asked-before[0], p[1].asked-before[1], p[2].asked-before[2]), report, err
}

func TestAProviderThatFailedGoesToTheBackForAPause(t *testing.T) {
	f, p, now := trio(t)
	p[0].err = errDown
	for _, step := range []struct {
		name      string
		after     time.Duration
		recovered bool
		asked     string
		report    string
	}{
		{"the first failure", 0, false, "1 1 0", "sender 2 of 3, after 1 failed"},
		{"the next message goes past it", time.Second, false, "0 1 0", ""},
		{"until the pause is over", 58 * time.Second, false, "0 1 0", ""},
		{"then it is asked first again", time.Second, false, "1 1 0", "sender 2 of 3, after 1 failed"},
		{"and its pause begins anew", 59 * time.Second, true, "0 1 0", ""},
		{"once well it is first again", time.Second, true, "1 0 0", ""},
		{"and stays so", time.Second, true, "1 0 0", ""},
	} {
		*now = now.Add(step.after)
		if step.recovered {
			p[0].err = nil
		}
		if asked, report, err := asks(t, f, p); asked != step.asked || report != step.report || err != nil {
			t.Errorf("%s: asked %s, report %q, %v; want %s, %q", step.name, asked, report, err, step.asked, step.report)
		}
	}
}

func TestNobodyIsLeftOutWhileAllAreAtTheBack(t *testing.T) {
	f, p, now := trio(t)
	for i := range p {
		p[i].err = errDown
	}
	asked, report, err := asks(t, f, p)
	if asked != "1 1 1" || report != "sender 1 and 2 and 3 of 3 failed" || !errors.Is(err, errDown) {
		t.Fatalf("asked %s, report %q, %v", asked, report, err)
	}
	p[2].err = nil
	*now = now.Add(time.Second)
	if asked, report, err := asks(t, f, p); asked != "1 1 1" || report != "sender 3 of 3, after 1 and 2 failed" || err != nil {
		t.Errorf("asked %s, report %q, %v", asked, report, err)
	}
	if asked, _, _ := asks(t, f, p); asked != "0 0 1" {
		t.Errorf("the one that is well was not asked alone: %s", asked)
	}
}

func TestARecipientThatDoesNotExistIsNotTheProvidersFault(t *testing.T) {
	f, p, _ := trio(t)
	p[0].err = fmt.Errorf("550: %w", challenge.ErrRecipient)
	for range 2 {
		if asked, report, err := asks(t, f, p); asked != "1 1 0" || report != "sender 2 of 3, after 1 failed" || err != nil {
			t.Errorf("asked %s, report %q, %v", asked, report, err)
		}
	}
}

func TestACancelledSendIsNotTheProvidersFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p, _ := trio(t)
		ctx, cancel := context.WithCancel(t.Context())
		p[0].hangs = true
		time.AfterFunc(10*time.Millisecond, cancel) // when it hangs
		if _, err := f.SendReport(ctx, smsCode); !errors.Is(err, context.Canceled) || p[0].asked != 1 {
			t.Fatalf("asked %d times, error %v", p[0].asked, err)
		}
		p[0].hangs = false
		if asked, _, _ := asks(t, f, p); asked != "1 0 0" {
			t.Errorf("asked %s", asked)
		}
	})
}

func TestAProviderOnTrialIsAskedByOneMessageAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := &counter{hangs: true}, &counter{}
		f, err := senders.NewFallback(senders.FallbackConfig{Senders: []challenge.Sender{first, second}})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Send(t.Context(), smsCode); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		start := time.Now()
		var waited atomic.Int32
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := f.Send(t.Context(), smsCode); err != nil {
					t.Error(err)
				}
				if time.Since(start) > 0 {
					waited.Add(1)
				}
			})
		}
		all.Wait()
		if first.asked.Load() != 2 || second.asked.Load() != 51 || waited.Load() != 1 {
			t.Errorf("the first was asked %d times, the second %d, and %d messages waited", first.asked.Load(), second.asked.Load(), waited.Load())
		}
	})
}

type counter struct {
	hangs bool
	asked atomic.Int32
}

func (c *counter) Send(ctx context.Context, _ challenge.Message) error {
	c.asked.Add(1)
	if c.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func TestAProviderThatPanicsIsAFailure(t *testing.T) {
	box := &senders.Outbox{}
	broken := senders.Func(func(_ context.Context, m challenge.Message) error { panic(string(m.Code)) })
	if err := fallback(t, broken, box).Send(t.Context(), smsCode); err != nil || len(box.Messages()) != 1 {
		t.Errorf("%d messages, %v", len(box.Messages()), err)
	}
	if err := fallback(t, broken).Send(t.Context(), smsCode); err == nil || strings.Contains(err.Error(), string(smsCode.Code)) {
		t.Errorf("error %v", err)
	}
}

func TestAllTriesTogetherKeepTheTimeoutOfOneSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ timeout, deadline, want time.Duration }{
			{0, 0, 10 * time.Second}, {0, time.Hour, 10 * time.Second}, {3 * time.Second, 0, 3 * time.Second}, {0, 2 * time.Second, 2 * time.Second},
		} {
			f, err := senders.NewFallback(senders.FallbackConfig{Senders: []challenge.Sender{hung, hung, hung}, Timeout: c.timeout})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if c.deadline > 0 {
				ctx, cancel = context.WithTimeout(ctx, c.deadline)
			}
			start := time.Now()
			err = f.Send(ctx, smsCode)
			cancel()
			if took := time.Since(start); took != c.want || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("timeout %v, deadline %v: took %v, want %v, %v", c.timeout, c.deadline, took, c.want, err)
			}
		}
	})
}
