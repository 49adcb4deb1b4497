package challenge

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// What an administrator does to an account may be done again, and leaves an event each time, which names actor. It is
// ErrUnknown for an id that neither Users nor the store has; an account that Users has no more can still be looked after.

// Block keeps an account out until [Logins.Unblock]: every login and pending login ends, and a right password is refused
// like a wrong one. actor is who did it, for the audit.
func (l *Logins) Block(ctx context.Context, accountID, actor string) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	a, err := l.administering(ctx, accountID)
	if err != nil {
		return err
	}
	var renew epoch
	if err := l.fill(renew[:]); err != nil {
		return err
	}
	if _, err := l.apply(ctx, accountKey(accountID), block{renew}); err != nil {
		return err
	}
	return l.administered(ctx, audit.AccountBlocked, a, "", actor)
}

// Unblock gives an account all its guesses back, in every class of clients, enables authenticators that were disabled by
// wrong answers, and lifts a [Logins.Block].
func (l *Logins) Unblock(ctx context.Context, accountID, actor string) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	a, err := l.administering(ctx, accountID)
	if err != nil {
		return err
	}
	if _, err := l.apply(ctx, accountKey(accountID), free{authenticators: true, everything: true}); err != nil {
		return err
	}
	return l.administered(ctx, audit.AccountUnblocked, a, "", actor)
}

// administering finds the account that an administrator means.
func (l *Logins) administering(ctx context.Context, accountID string) (Account, error) {
	a, err := l.account(ctx, accountID)
	if !errors.Is(err, ErrUnknown) {
		return a, err
	}
	raw, failed := l.accounts.Load(ctx, accountKey(accountID))
	switch {
	case failed != nil:
		return Account{}, unavailable("store", failed)
	case raw == nil:
		return Account{}, err
	}
	return Account{ID: accountID, Name: accountID}, nil
}

// account reads one of the app's accounts, whatever its standing.
func (l *Logins) account(ctx context.Context, accountID string) (Account, error) {
	a, err := l.byID(ctx, accountID)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return Account{}, unavailable("users", err)
	}
	return a, err
}

func (l *Logins) administered(ctx context.Context, name audit.Name, a Account, method, actor string) error {
	e := event(name, audit.Success, Client{}, a, method, "")
	e.Actor = actor
	return l.Record(ctx, e)
}

// ForgetDevices makes all known devices of an account strangers again (I-11).
func (l *Logins) ForgetDevices(ctx context.Context, accountID, actor string) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	a, err := l.administering(ctx, accountID)
	if err != nil {
		return err
	}
	if _, err := l.apply(ctx, accountKey(accountID), forget{}); err != nil {
		return err
	}
	if err := l.forgetPrograms(ctx, accountID); err != nil {
		return err
	}
	return l.administered(ctx, audit.DeviceForgotten, a, "", actor)
}

// ResetFactors takes every second factor of an account away, ends its logins and forgets its known devices. The person then
// enrols again at the next login, where the policy asks for a second factor, whatever grace it gives, and is told by mail.
func (l *Logins) ResetFactors(ctx context.Context, accountID, actor string) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	a, err := l.administering(ctx, accountID)
	if err != nil {
		return err
	}
	var renew epoch
	if err := l.fill(renew[:]); err != nil {
		return err
	}
	if _, err := l.apply(ctx, accountKey(accountID), revoke{renew}); err != nil {
		return err
	}
	var gone []enrolled
	if err := l.changeRecord(ctx, accountID, func(e *enrolments) error { gone, e.list, e.preferred = e.list, nil, ""; return nil }); err != nil {
		return err
	}
	l.dropHandles(ctx, accountID, gone, nil)
	if err := l.fill(renew[:]); err != nil {
		return err
	}
	// Revoked once more: a login by a factor that was just taken away may have slipped in between.
	for _, in := range []any{revoke{renew}, forget{}, free{authenticators: true}, drop{}, noGrace{}} {
		if _, err := l.apply(ctx, accountKey(accountID), in); err != nil {
			return err
		}
	}
	if err := l.forgetPrograms(ctx, accountID); err != nil {
		return err
	}
	var names []string
	lang := l.texts.Match(a.Language, "")
	for _, v := range gone {
		if name := l.texts.Method(lang, v.factor); v.shown() && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		l.notifyOf(Client{}, a, noticeFactorRemoved, strings.Join(names, ", "))
	}
	return l.administered(ctx, audit.FactorRemoved, a, "", actor)
}

// AccountState is what an administrator may want to know of an account. It holds no secret.
type AccountState struct {
	Blocked         bool      // by [Logins.Block]
	PasswordBlocked time.Time // strangers' password guesses are spent until then; zero: they are not
	CodeBlocked     time.Time // likewise codes
	GraceUsed       int       // logins without the second factor that the policy asks for
	Factors         []EnrolledFactor
	Devices         int // known devices
	Logins          int // live logins
}

// State describes an account to an administrator, whatever its standing. It changes nothing.
func (l *Logins) State(ctx context.Context, accountID string) (AccountState, error) {
	if _, err := l.administering(ctx, accountID); err != nil {
		return AccountState{}, err
	}
	raw, err := l.accounts.Load(ctx, accountKey(accountID))
	if err != nil {
		return AccountState{}, unavailable("store", err)
	}
	var rec account
	if raw != nil { // else nobody has tried to log in yet
		if rec, err = decodeAccount(raw); err != nil {
			return AccountState{}, err
		}
	}
	e, err := l.loadEnrolments(ctx, accountID)
	if err != nil {
		return AccountState{}, err
	}
	now := l.now()
	out := AccountState{Blocked: rec.blocked, GraceUsed: rec.grace}
	until := func(b budget, most int) time.Time {
		if b.spent >= most && now.Before(b.until) {
			return b.until
		}
		return time.Time{}
	}
	out.PasswordBlocked, out.CodeBlocked = until(rec.strange.password, l.rules.passwordGuesses), until(rec.strange.code, l.rules.codeGuesses)
	logins, err := l.live(ctx, &rec)
	if err != nil {
		return AccountState{}, err
	}
	out.Logins, out.Devices = len(logins), len(rec.knownDevices(now))
	out.Factors, err = l.describe(accountID, &rec, e.list)
	return out, err
}
