package challenge

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// recorder writes events and never lets a failing sink hold a decision for more than a second (I-21).
type recorder struct {
	to       audit.Recorder
	required bool
	calls    chan struct{} // one place for each call that the sink has not answered
	// strangers are the places for what somebody has shown who is nobody, and for what only reports.
	strangers chan struct{}
	slow      atomic.Bool // the last answer took too long: until one comes, nothing waits for it as long again
	lost      atomic.Uint64
}

const (
	recordTimeout = time.Second
	slowTimeout   = 50 * time.Millisecond
	maxCalls      = 64
)

// Record writes one event. Its error is nil unless AuditRequired is set and the event may be lost.
func (l *Logins) Record(ctx context.Context, e audit.Event) error {
	return l.record(ctx, e, func() {})
}

// record calls done when the sink has answered, which may be later.
func (l *Logins) record(ctx context.Context, e audit.Event, done func()) error {
	if e.Time.IsZero() {
		e.Time = l.now()
	}
	return l.recorder.result(l.recorder.record(ctx, e, done))
}

// result counts what may be lost.
func (r *recorder) result(err error) error {
	if err == nil {
		return nil
	}
	r.lost.Add(1)
	if r.required {
		return told{unavailable("audit", err)}
	}
	return nil
}

// RecordRefusal is Record for the refusal of what somebody has shown who is nobody, which needs no account and no guess: it
// takes at most a quarter of the places of a slow sink, so that a flood of such events loses its own and no decision's.
func (l *Logins) RecordRefusal(ctx context.Context, e audit.Event) error {
	select {
	case l.recorder.strangers <- struct{}{}:
		return l.record(ctx, e, func() { <-l.recorder.strangers })
	default:
		return l.recorder.result(errors.New("too many refusals at once"))
	}
}

// LostEvents counts the events that the sink did not take, and the reports of what is in trial for which there was no room.
// Watch it.
func (l *Logins) LostEvents() uint64 { return l.recorder.lost.Load() }

func (r *recorder) record(ctx context.Context, e audit.Event, answered func()) error {
	wait := recordTimeout
	if r.slow.Load() {
		wait = slowTimeout
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	select {
	case r.calls <- struct{}{}:
	case <-ctx.Done():
		r.slow.Store(true)
		answered()
		return errors.New("sink is stuck")
	}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if recover() != nil {
				done <- errors.New("sink panicked")
			}
			<-r.calls
			answered()
		}()
		err := r.to.Record(ctx, e)
		r.slow.Store(false)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		r.slow.Store(true)
		return ctx.Err()
	}
}

// event fills in what every event about a client says.
func event(name audit.Name, outcome audit.Outcome, c Client, a Account, method, reason string) audit.Event {
	return audit.Event{Name: name, Outcome: outcome, User: a.Name, UserID: a.ID, Client: c.Addr, UserAgent: c.UserAgent,
		RequestID: c.RequestID, PendingID: c.pending, LoginID: c.login, Method: method, Reason: reason}
}
