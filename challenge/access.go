package challenge

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// An access token is a login with an early end, for a program that must not keep the login's own token, or must not send a
// password with each request. It is a session like any other: stored under a hash, listed, ended at once. It is made by the
// same bind as every login (I-01), has no more than what it was made from, and can be made into nothing: it is never fresh,
// steps up to nothing and makes no further token.

// mostAccess is the longest life of an access token.
const mostAccess = 15 * time.Minute

// accessSteps are the promotion of something that consumes nothing: what an access token is made from stays.
var accessSteps = []protocolStep{
	{"create", (*promotion).create},
	{"bind", (*promotion).bindLogin},
}

// Exchange makes an access token from the login s, to be shown as [Bearer]. It ends with that login, however that ends
// (I-16), and after Config.AccessTokens at the latest; the login itself goes on as it is.
//
// ErrNotAllowed when there are no access tokens or s is one; ErrEnded when the login is over.
func (l *Logins) Exchange(ctx context.Context, c Client, s *Session) (Outcome, error) {
	c = c.in(s)
	login, ok := s.Login()
	if !ok {
		return Outcome{}, ErrEnded
	}
	a := Account{ID: login.UserID, Name: login.Username}
	if l.durations.Access == 0 || login.Access {
		return Outcome{}, errors.Join(ErrNotAllowed, l.Record(ctx, event(audit.CredentialRefused, audit.Failure, c, a, "", "no access token for this")))
	}
	reason, err := l.standing(ctx, c, login)
	if err != nil {
		return Outcome{}, err
	}
	if reason != "" {
		return Outcome{}, errors.Join(ErrEnded, l.Record(ctx, event(audit.CredentialRefused, audit.Failure, c, a, "", reason)))
	}
	child := *login
	child.Methods = slices.Clone(login.Methods)
	child.prompt, child.enrol = nil, nil
	// It must not outlast a login that ends by not being used.
	end := earlier(login.Expires, login.Seen.Add(l.durations.Idle))
	return l.grant(ctx, c, a, child, end, login.id)
}

// ExchangeBasic makes an access token from a service account's password, to be shown as [Bearer] until Config.AccessTokens is
// over. The password is checked as [Logins.Basic] checks it; a person's opens nothing here.
//
// ErrNotAllowed when there are no access tokens; else the errors of [Logins.Basic].
func (l *Logins) ExchangeBasic(ctx context.Context, c Client, in BasicInput) (Outcome, error) {
	if l.durations.Access == 0 {
		return Outcome{}, ErrNotAllowed
	}
	if in.Code != nil {
		return Outcome{}, l.refuse(ctx, c, Account{}, "a code buys no access token")
	}
	f, err := l.service(ctx, c, in)
	if err != nil {
		return Outcome{}, err
	}
	a, err := l.byID(ctx, f.account.ID) // as it is now, and not before the hash (I-16)
	switch {
	case err != nil && !errors.Is(err, ErrUnknown):
		return Outcome{}, unavailable("users", err)
	case err != nil || a.Disabled || !a.Service:
		return Outcome{}, l.refuse(ctx, c, f.account, "account changed")
	}
	login := l.newLogin(c, a, []Method{{Name: methodPassword, At: l.now()}}, deviceID{}, "", time.Time{})
	login.Service, login.epoch = true, f.epoch
	out, err := l.grant(ctx, c, a, login, login.Expires, recordID{})
	if errors.Is(err, ErrEnded) {
		err = errors.Join(ErrRefused, err)
	}
	return out, err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// grant stores an access token that ends at end or sooner, and binds it.
func (l *Logins) grant(ctx context.Context, c Client, a Account, login Login, end time.Time, parent recordID) (Outcome, error) {
	ctx, cancel := detached(ctx)
	defer cancel()
	id, err := l.randomID()
	if err != nil {
		return Outcome{}, err
	}
	c.pending, c.login = c.login, id.String()
	now := l.now()
	login.id, login.ID, login.Access, login.Fresh, login.Seen = id, id.String(), true, time.Time{}, now
	login.Expires = earlier(end, now.Add(l.durations.Access))
	login.Addr, login.UserAgent = c.Addr, clip(c.UserAgent, 512)
	p := &promotion{l: l, slot: Bearer, key: accountKey(a.ID), account: a, login: login,
		bind: bind{epoch: login.epoch, login: liveLogin{id: id, end: login.Expires, parent: parent}, access: true}}
	if err := p.run(ctx, accessSteps); err != nil {
		err = l.lost(ctx, c, a, err)
		if errors.Is(err, ErrNoPending) {
			err = ErrEnded
		}
		return Outcome{}, err
	}
	method := login.last().Name
	if err := l.Record(ctx, event(audit.AccessToken, audit.Success, c, a, method, "")); err != nil {
		return Outcome{}, errors.Join(err, l.endLogin(ctx, p.session)) // AuditRequired: what could not be recorded did not happen
	}
	return Outcome{Session: p.session, Token: p.token}, nil
}
