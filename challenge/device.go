package challenge

import (
	"context"
	"errors"
)

// KnownDevice is the id of the named account where the client's device cookie belongs to one of its known devices, else empty
// (I-11). A name that nobody has costs what one that somebody has costs (I-10). Errors deny.
func (l *Logins) KnownDevice(ctx context.Context, name string, c Client) (accountID string) {
	if len(c.Device) != tokenLength {
		return ""
	}
	canonical, err := l.canonical(name)
	if err != nil {
		return ""
	}
	a, err := l.find(ctx, canonical)
	switch {
	case err == nil && a.ID != "":
		if l.knows(ctx, accountKey(a.ID), a.ID, c) {
			return a.ID
		}
	case err == nil || errors.Is(err, ErrUnknown):
		decoy := l.decoyKey(canonical)
		_ = l.knows(ctx, decoy, "unknown:"+decoy, c)
	}
	return ""
}

func (l *Logins) knows(ctx context.Context, key, accountID string, c Client) bool {
	raw, err := l.accounts.Load(ctx, key)
	if err != nil || raw == nil {
		return false
	}
	rec, err := decodeAccount(raw)
	return err == nil && rec.known(deviceOf(accountID, c.Device), l.now()) >= 0
}
