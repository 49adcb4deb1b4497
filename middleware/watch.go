package middleware

import (
	"context"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// recheckEvery is how often a login is looked up again while a guarded request lasts.
const recheckEvery = time.Minute

// watch ends a request's context when the login behind it ends (I-16). It exists only for requests that wait for their
// context or that stream: an ordinary request is over before it would look.
//
// A stream counts as use of the login, as a request does; its absolute end stays.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// Deadline is the request's.
func (v *visit) Deadline() (time.Time, bool) { return v.parent.Deadline() }

// Done is closed when the request ends or its login does.
func (v *visit) Done() <-chan struct{} {
	if w := v.startWatch(); w != nil {
		return w.ctx.Done()
	}
	return v.parent.Done()
}

// Err is nil until Done is closed.
func (v *visit) Err() error {
	if w := v.watch.Load(); w != nil {
		return w.ctx.Err()
	}
	return v.parent.Err()
}

// Value finds the visit itself, the app's session data, and what the request's context holds.
func (v *visit) Value(key any) any {
	if _, ok := key.(visitKey); ok {
		return v
	}
	if key == v.core.dataKey {
		if data, err := v.load(); err == nil {
			return data
		}
		return nil
	}
	if w := v.watch.Load(); w != nil {
		return w.ctx.Value(key) // the standard library finds its own cancellation this way
	}
	return v.parent.Value(key)
}

// startWatch begins to watch over the login, once. There is nothing to watch without one, nor after the handler.
func (v *visit) startWatch() *watch {
	v.mu.Lock()
	defer v.mu.Unlock()
	if w := v.watch.Load(); w != nil || v.login == nil || v.over || !v.serving {
		return w
	}
	v.client() // recheck reads it in another goroutine
	w := &watch{}
	w.ctx, w.cancel = context.WithCancelCause(v.parent)
	w.timer = time.AfterFunc(v.untilCheck(), v.recheck) // it waits for the lock
	v.watch.Store(w)
	return w
}

// untilCheck is a minute, or what is left of the login if that is less.
func (v *visit) untilCheck() time.Duration {
	if v.login.Expires.IsZero() {
		return recheckEvery
	}
	return min(recheckEvery, max(0, v.login.Expires.Sub(v.core.logins.Now())))
}

// recheck looks the login up again and ends the request's context when it is not there, or cannot be looked up (I-20).
func (v *visit) recheck() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.parent), commitTimeout)
	defer cancel()
	alive := v.alive(ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.over:
	case alive:
		v.watch.Load().timer.Reset(v.untilCheck())
	default:
		v.watch.Load().cancel(challenge.ErrEnded)
	}
}

func (v *visit) alive(ctx context.Context) bool {
	logins := v.core.logins
	if v.kind == basicCredential {
		if !v.login.Service { // a person's code was for this one request, which has had its minute
			return false
		}
		again, err := logins.Basic(ctx, *v.from, challenge.BasicInput{Name: v.basic.name, Password: []byte(v.basic.password)})
		return err == nil && again.UserID == v.login.UserID
	}
	s, err := logins.Open(ctx, v.slot, v.token)
	if err != nil {
		return false
	}
	login, ok := s.Login()
	if !ok || login.ID != v.login.ID {
		return false
	}
	return !logins.NeedsTouch(s) || logins.Touch(ctx, *v.from, s) == nil
}

// leave ends the watch when the handler has returned.
func (v *visit) leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.over = true
	if w := v.watch.Load(); w != nil {
		w.timer.Stop()
		w.cancel(context.Canceled)
	}
}
