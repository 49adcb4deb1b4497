package challenge

import (
	"context"
	"encoding/base64"
	"errors"
)

// DeviceCookie is what a browser keeps of a known-device token: the token and a keyed hash of it, so that one that was made up
// is told from ours without asking the store (I-23).
func (l *Logins) DeviceCookie(token string) string {
	return token + base64.RawURLEncoding.EncodeToString(l.keys.Hash("device cookie", token))
}

// DeviceToken is the token in what [Logins.DeviceCookie] has made, and empty for anything else.
func (l *Logins) DeviceToken(cookie string) string {
	if len(cookie) <= tokenLength || len(cookie) > 3*tokenLength {
		return ""
	}
	token := cookie[:tokenLength]
	mac, err := base64.RawURLEncoding.Strict().DecodeString(cookie[tokenLength:])
	if err != nil || !l.keys.Matches(mac, "device cookie", token) {
		return ""
	}
	return token
}

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

// KnownDeviceOf is [Logins.KnownDevice] for the account that a pending login or a login is of.
func (l *Logins) KnownDeviceOf(ctx context.Context, s *Session, c Client) (accountID string) {
	if p, ok := s.Pending(); ok {
		accountID = p.account
	} else if login, ok := s.Login(); ok {
		accountID = login.UserID
	}
	if accountID == "" || len(c.Device) != tokenLength || !l.knows(ctx, accountKey(accountID), accountID, c) {
		return ""
	}
	return accountID
}

func (l *Logins) knows(ctx context.Context, key, accountID string, c Client) bool {
	raw, err := l.accounts.Load(ctx, key)
	if err != nil || raw == nil {
		return false
	}
	rec, err := decodeAccount(raw)
	return err == nil && rec.known(deviceOf(accountID, c.Device), l.now()) >= 0
}
