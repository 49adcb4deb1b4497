package challenge

import (
	"context"

	"github.com/sallyport-go/sallyport/audit"
)

// Block keeps an account out until [Logins.Unblock]: every login and pending login ends, and a right password is refused
// like a wrong one. actor is who did it, for the audit.
func (l *Logins) Block(ctx context.Context, accountID, actor string) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	var renew epoch
	if err := l.fill(renew[:]); err != nil {
		return err
	}
	if _, err := l.apply(ctx, accountKey(accountID), block{renew}); err != nil {
		return err
	}
	return l.administered(ctx, audit.AccountBlocked, accountID, actor)
}

// Unblock gives an account all its guesses back, in every class of clients, enables authenticators that were disabled by
// wrong answers, and lifts a [Logins.Block].
func (l *Logins) Unblock(ctx context.Context, accountID, actor string) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	if _, err := l.apply(ctx, accountKey(accountID), free{authenticators: true, everything: true}); err != nil {
		return err
	}
	return l.administered(ctx, audit.AccountUnblocked, accountID, actor)
}

func (l *Logins) administered(ctx context.Context, name audit.Name, accountID, actor string) error {
	e := event(name, audit.Success, Client{}, Account{ID: accountID, Name: l.nameOf(ctx, accountID)}, "", "")
	e.Actor = actor
	return l.Record(ctx, e)
}

// ForgetDevices makes all known devices of an account strangers again (I-11).
func (l *Logins) ForgetDevices(ctx context.Context, accountID string) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	_, err := l.apply(ctx, accountKey(accountID), forget{})
	return err
}
