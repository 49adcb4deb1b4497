package challenge

import (
	"context"
	"errors"
	"time"
)

// Observer is told of everything that takes time and is no event, for metrics and traces; see Config.Observer and the
// packages audit/prommetrics and audit/otelmetrics.
//
// Begin is called before an operation of one of the kinds below. It returns the context for the operation and a function
// that is called once after it, with its error. It runs on the way of every login and of every guarded request: it must be
// safe for concurrent use, fast, and must not panic. It is told no key, name or value.
type Observer interface {
	Begin(ctx context.Context, operation string) (context.Context, func(error))
}

// The operations that an [Observer] is told of.
const (
	OpLoad         = "load"          // Config.Store
	OpSwap         = "swap"          // Config.Store
	OpTake         = "take"          // Config.Store as a Taker: shared limits
	OpAccountsLoad = "accounts-load" // Config.Accounts, where it is another store
	OpAccountsSwap = "accounts-swap"
	OpUsers        = "users"     // Users.Find and Users.ByID; ErrUnknown is an answer, not an error
	OpHashWait     = "hash-wait" // the queue in front of password hashing; a *BusyError is one more than may wait
	OpHash         = "hash"      // one check of a password
	OpSend         = "send"      // a code under way to a person
)

func unobserved(error) {}

// begin tells the observer, if there is one.
func (l *Logins) begin(ctx context.Context, operation string) (context.Context, func(error)) {
	if l.observer == nil {
		return ctx, unobserved
	}
	return l.observer.Begin(ctx, operation)
}

// observe takes the stores of c into use, with the observer in front of them; apart says that the accounts have their own.
func (l *Logins) observe(c Config, apart bool) {
	l.observer = c.Observer
	l.taker, _ = c.Store.(Taker)
	l.shared = !volatile(c.Store)
	if apart && !l.shared && !volatile(c.Accounts) { // budgets stand beside the accounts
		l.taker, _ = c.Accounts.(Taker)
		l.shared = true
	}
	if c.Observer == nil {
		return
	}
	l.store = observedStore{c.Store, c.Observer, OpLoad, OpSwap}
	if l.accounts = l.store; apart {
		l.accounts = observedStore{c.Accounts, c.Observer, OpAccountsLoad, OpAccountsSwap}
	}
	if l.taker != nil {
		l.taker = observedTaker{l.taker, c.Observer}
	}
}

// find is Users.Find.
func (l *Logins) find(ctx context.Context, name string) (Account, error) {
	return l.lookUp(ctx, l.users.Find, name)
}

// byID is Users.ByID.
func (l *Logins) byID(ctx context.Context, id string) (Account, error) {
	return l.lookUp(ctx, l.users.ByID, id)
}

// lookUp calls Users; a panic in it is a failure.
func (l *Logins) lookUp(ctx context.Context, call func(context.Context, string) (Account, error), who string) (a Account, err error) {
	ctx, end := l.begin(ctx, OpUsers)
	defer func() {
		if recover() != nil {
			a, err = Account{}, errPanic
		}
		end(failure(err))
	}()
	return call(ctx, who)
}

var errPanic = errors.New("it panicked")

// failure leaves out what is an answer.
func failure(err error) error {
	if errors.Is(err, ErrUnknown) {
		return nil
	}
	return err
}

// observedStore is a store whose calls are told to an observer. What else the store can do is asked of the store itself.
type observedStore struct {
	Store
	observer   Observer
	load, swap string
}

func (s observedStore) Load(ctx context.Context, key string) ([]byte, error) {
	ctx, end := s.observer.Begin(ctx, s.load)
	raw, err := s.Store.Load(ctx, key)
	end(err)
	return raw, err
}

func (s observedStore) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error) {
	ctx, end := s.observer.Begin(ctx, s.swap)
	ok, err := s.Store.CompareAndSwap(ctx, key, old, new, expires)
	end(err)
	return ok, err
}

type observedTaker struct {
	Taker
	observer Observer
}

func (t observedTaker) Take(ctx context.Context, key string, interval time.Duration, burst int) (bool, time.Duration, error) {
	ctx, end := t.observer.Begin(ctx, OpTake)
	ok, wait, err := t.Taker.Take(ctx, key, interval, burst)
	end(err)
	return ok, wait, err
}
