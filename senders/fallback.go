package senders

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

const (
	// defaultTimeout is how long a send may take when nothing says otherwise.
	defaultTimeout = 10 * time.Second
	// defaultPause is how long a sender that failed stays at the back.
	defaultPause = time.Minute
)

// FallbackConfig says who is asked and how a failure is remembered.
type FallbackConfig struct {
	// Senders are asked in this order while all are well.
	Senders []challenge.Sender
	// Pause is how long one that failed stays at the back. Zero means 1 minute.
	Pause time.Duration
	// Timeout bounds one Send over all tries, beside the context's deadline. Zero means 10 seconds.
	Timeout time.Duration
	// Clock is what Pause is measured by; nil means time.Now.
	Clock func() time.Time
}

// Fallback gives a message to the first of several senders and, when that fails, to the next: one provider behind another
// on the same channel. Falling back from one channel to another is the machine's decision, see [challenge.Fallback].
//
// One that failed goes to the back for a pause, so that a provider that is down costs its timeout once and not at every
// login. After the pause one message asks it first again; the others go past it until that one has got through. Nobody is
// ever left out: while all have failed, all are asked, the one that failed longest ago first. A destination that cannot be
// reached ([challenge.ErrRecipient]) and a context that was cancelled say nothing about a provider, which keeps its place.
//
// Each try gets an equal share of what is left of the time, so that a provider that hangs leaves some for the next. Once
// the time is over nobody is asked.
//
// A failure can hide a success: a provider may have accepted the message and lost its answer. The next is asked all the
// same, so a person may get one message twice. That is the smaller evil: both carry the same single-use code, while the
// other choice would keep somebody out. Nothing is sent again after a success was reported.
//
// Send's error joins those of all that were tried, in order. The audit says which were tried and failed, by their number
// ([Fallback.SendReport]). The health is kept in the process. Make one with [NewFallback]; it is safe for concurrent use.
type Fallback struct {
	senders []challenge.Sender
	pause   time.Duration
	timeout time.Duration
	clock   func() time.Time

	mu   sync.Mutex
	back []time.Time // for each sender: until when it stays at the back; zero means well
}

var _ challenge.SendReporter = (*Fallback)(nil)

// NewFallback checks c. It refuses an empty list, a nil sender and negative durations.
func NewFallback(c FallbackConfig) (*Fallback, error) {
	switch {
	case len(c.Senders) == 0:
		return nil, errors.New("senders: fallback: no Senders: give it at least one")
	case c.Pause < 0 || c.Timeout < 0:
		return nil, fmt.Errorf("senders: fallback: Pause or Timeout is negative: use 0 for the defaults of %v and %v", defaultPause, defaultTimeout)
	}
	for i, s := range c.Senders {
		if s == nil {
			return nil, fmt.Errorf("senders: fallback: sender %d is nil: leave it out or construct it", i+1)
		}
	}
	f := &Fallback{senders: slices.Clone(c.Senders), pause: c.Pause, timeout: c.Timeout, clock: c.Clock, back: make([]time.Time, len(c.Senders))}
	if f.pause == 0 {
		f.pause = defaultPause
	}
	if f.timeout == 0 {
		f.timeout = defaultTimeout
	}
	if f.clock == nil {
		f.clock = time.Now
	}
	return f, nil
}

// Send is [Fallback.SendReport] without the report.
func (f *Fallback) Send(ctx context.Context, m challenge.Message) error {
	_, err := f.SendReport(ctx, m)
	return err
}

// SendReport sends m and reports how, when anything failed: "sender 2 of 3, after 1 failed", or "sender 1 and 2 of 2
// failed". The report is empty when the first that was asked took the message.
func (f *Fallback) SendReport(ctx context.Context, m challenge.Message) (report string, err error) {
	if f == nil || len(f.senders) == 0 {
		return "", errors.New("senders: fallback: not constructed: use NewFallback")
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	end, _ := ctx.Deadline()
	order, trial := f.order()
	var (
		failed []string
		errs   []error
	)
	for i, n := range order {
		number := strconv.Itoa(n + 1)
		if ctx.Err() != nil {
			if i == 0 && trial {
				f.remember(n, f.clock()) // it has not been asked: the next message may
			}
			errs = append(errs, fmt.Errorf("senders: sender %s of %d not tried: %w", number, len(order), ctx.Err()))
			break
		}
		err := sendWithin(ctx, time.Until(end)/time.Duration(len(order)-i), f.senders[n], m)
		switch {
		case err == nil:
			f.remember(n, time.Time{})
			if len(failed) > 0 {
				report = fmt.Sprintf("sender %s of %d, after %s failed", number, len(order), strings.Join(failed, " and "))
			}
			return report, nil
		case !errors.Is(err, challenge.ErrRecipient) && !errors.Is(ctx.Err(), context.Canceled):
			f.remember(n, f.clock().Add(f.pause))
		case i == 0 && trial: // it may be well or not
			f.remember(n, f.clock())
		}
		failed = append(failed, number)
		errs = append(errs, fmt.Errorf("senders: sender %s of %d: %w", number, len(order), err))
	}
	if len(failed) > 0 {
		report = fmt.Sprintf("sender %s of %d failed", strings.Join(failed, " and "), len(order))
	}
	return report, errors.Join(errs...)
}

// order says who is asked, by number: first, in the configured order, those that are well or whose pause is over, then the
// others. trial says that the first had failed before; it stays at the back for everybody else until this Send knows more.
func (f *Fallback) order() (order []int, trial bool) {
	now := f.clock()
	f.mu.Lock()
	defer f.mu.Unlock()
	until := func(n int) time.Time {
		if f.back[n].After(now) {
			return f.back[n]
		}
		return time.Time{}
	}
	order = make([]int, len(f.senders))
	for n := range order {
		order[n] = n
	}
	slices.SortStableFunc(order, func(a, b int) int { return until(a).Compare(until(b)) })
	first := order[0]
	if trial = !f.back[first].IsZero() && !f.back[first].After(now); trial {
		f.back[first] = now.Add(f.pause)
	}
	return order, trial
}

// remember keeps sender n at the back until then; the zero time means that it is well.
func (f *Fallback) remember(n int, until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.back[n] = until
}

// Format shows how many senders there are.
func (f *Fallback) Format(s fmt.State, _ rune) { _, _ = fmt.Fprintf(s, "fallback(%d)", len(f.senders)) }

// sendWithin gives s its share of the time. A panic in it is a failure: what it says might repeat the message.
func sendWithin(ctx context.Context, share time.Duration, s challenge.Sender, m challenge.Message) (err error) {
	ctx, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	defer func() {
		if recover() != nil {
			err = errors.New("it panicked")
		}
	}()
	return s.Send(ctx, m)
}
