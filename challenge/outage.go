package challenge

import (
	"context"
	"errors"

	"github.com/sallyport-go/sallyport/audit"
)

// outage is a failure of something that the machine rests on. what it is stands in the audit: a few fixed words, since the
// error's own may quote anything.
type outage struct {
	what string
	err  error
}

func (o *outage) Error() string   { return ErrUnavailable.Error() + ": " + o.what + ": " + o.err.Error() }
func (o *outage) Unwrap() []error { return []error{ErrUnavailable, o.err} }

func unavailable(what string, err error) error {
	if errors.As(err, new(*outage)) {
		return err
	}
	return &outage{what, err}
}

// outageReason is what the audit may know of a failure.
func outageReason(err error) string {
	if o, ok := errors.AsType[*outage](err); ok {
		return o.what + " unavailable"
	}
	return "unavailable" // something that the app's code or ours has done wrong
}

// told marks a failure of which the audit knows: an event is written, or it is the audit that failed.
type told struct{ error }

func (t told) Unwrap() error { return t.error }

// RecordOutage leaves the one event of a request that is refused because of err: a store, a table of users, a policy or
// whatever else it needed has failed (I-21). Whoever answers 503 calls it, once for each request; s may be nil. It leaves
// none when the refusal has an event already, and none for a client that has hung up, which is what ended ctx.
func (l *Logins) RecordOutage(ctx context.Context, c Client, s *Session, err error) {
	if errors.As(err, new(told)) || errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return
	}
	var a Account
	if p, ok := s.Pending(); ok {
		a = Account{ID: p.account, Name: p.name}
	} else if login, ok := s.Login(); ok {
		a = Account{ID: login.UserID, Name: login.Username}
	}
	_ = l.Record(ctx, event(audit.StoreFailed, audit.Failure, c.in(s), a, "", outageReason(err)+", request refused")) // it is refused in any case
}
