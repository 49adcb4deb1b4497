package challenge

import (
	"context"
	"encoding/hex"
	"net/netip"
	"slices"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// LoginInfo is one live login of an account, for a page that lists them.
type LoginInfo struct {
	ID        string // public id
	Current   bool   // the one that asks
	Methods   []Method
	Created   time.Time
	Seen      time.Time // at most a minute old for one in use
	Expires   time.Time
	Addr      netip.Addr // where it began
	UserAgent string
	Access    bool // an access token; see [Logins.Exchange]
}

// Sessions lists the live logins of the account that s belongs to, the latest first.
func (l *Logins) Sessions(ctx context.Context, s *Session) ([]LoginInfo, error) {
	login, ok := s.Login()
	if !ok {
		return nil, ErrEnded
	}
	rec, err := l.peek(ctx, accountKey(login.UserID))
	if err != nil {
		return nil, err
	}
	logins, err := l.live(ctx, &rec)
	if err != nil {
		return nil, err
	}
	var out []LoginInfo
	for _, o := range logins {
		out = append(out, LoginInfo{ID: o.ID, Current: o.id == login.id, Methods: o.Methods, Created: o.Created, Seen: o.Seen, Expires: o.Expires, Addr: o.Addr, UserAgent: o.UserAgent, Access: o.Access})
	}
	slices.SortFunc(out, func(a, b LoginInfo) int { return b.Created.Compare(a.Created) })
	return out, nil
}

// live reads those logins of an account that still open something.
func (l *Logins) live(ctx context.Context, rec *account) ([]*Login, error) {
	now := l.now()
	var out []*Login
	for _, v := range rec.logins {
		if !now.Before(v.end) {
			continue
		}
		raw, err := l.store.Load(ctx, v.key)
		if err != nil {
			return nil, unavailable("store", err)
		}
		var s Session
		if raw == nil || s.decode(raw) != nil || s.kind != kindLogin || s.login.id != v.id || now.Sub(s.login.Seen) >= l.durations.Idle {
			continue
		}
		out = append(out, &s.login)
	}
	return out, nil
}

// EndLogin ends one login of the account that s belongs to, by its public id. Its own asks for nothing; another one for what
// [Logins.RemoveFactor] asks for: a copied session could end the owner's logins as fast as they are made. One that is gone
// already is no error.
func (l *Logins) EndLogin(ctx context.Context, c Client, s *Session, id string) error {
	c = c.in(s)
	login, ok := s.Login()
	if !ok {
		return ErrEnded
	}
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != len(recordID{}) {
		return ErrMalformed
	}
	if recordID(raw) != login.id {
		if login.Access { // it looks after nothing but itself
			return ErrNotAllowed
		}
		if _, _, err := l.changing(ctx, c, s, true); err != nil {
			return err
		}
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	t, err := l.apply(ctx, accountKey(login.UserID), logout{recordID(raw)})
	if err != nil || len(t.before.logins) == len(t.after.logins) {
		return err // gone already: nobody has ended anything
	}
	reason := "another login of the account"
	if recordID(raw) == login.id {
		reason = ""
	}
	return l.Record(ctx, event(audit.Logout, audit.Success, c, Account{ID: login.UserID, Name: login.Username}, "", reason))
}

// EndOthers ends every login and pending login of the account but this one, which goes on under a new token. It asks for what
// [Logins.RemoveFactor] asks for: a copied session could keep the owner out with it, as nobody gets from the password to the
// code in between. [Logins.LogoutEverywhere] asks for nothing, and ends this one too.
func (l *Logins) EndOthers(ctx context.Context, c Client, s *Session) (Outcome, error) {
	c = c.in(s)
	login, sub, err := l.changing(ctx, c, s, true)
	if err != nil {
		return Outcome{}, err
	}
	return l.change(ctx, c, s, login, &sub, factorChange{
		apply: func(list []enrolled) ([]enrolled, error) { return list, nil },
		event: event(audit.LogoutEverywhere, audit.Success, c, sub.account, "", "all others"),
	})
}

// DeviceInfo is a device that the account has used before (I-11). It has no name; it only keeps strangers' wrong guesses
// from locking the owner out.
type DeviceInfo struct {
	ID      string
	Current bool
	Created time.Time
	Used    time.Time
	Expires time.Time
}

// Devices lists the known devices of the account that s belongs to, the latest used first.
func (l *Logins) Devices(ctx context.Context, c Client, s *Session) ([]DeviceInfo, error) {
	login, ok := s.Login()
	if !ok {
		return nil, ErrEnded
	}
	rec, err := l.peek(ctx, accountKey(login.UserID))
	if err != nil {
		return nil, err
	}
	now, mine := l.now(), deviceOf(login.UserID, c.Device)
	var out []DeviceInfo
	for _, d := range rec.knownDevices(now) {
		out = append(out, DeviceInfo{ID: hex.EncodeToString(d.id[:]), Current: d.id == mine, Created: d.created, Used: d.used, Expires: d.created.Add(deviceLife)})
	}
	slices.SortFunc(out, func(a, b DeviceInfo) int { return b.Used.Compare(a.Used) })
	return out, nil
}

// ForgetDevice makes one known device a stranger again, or all of them when id is empty. It asks for what
// [Logins.RemoveFactor] asks for: whoever could do it with less could then lock the owner out by guessing (I-11).
// ErrMalformed for what is no id; one that is gone already is no error.
func (l *Logins) ForgetDevice(ctx context.Context, c Client, s *Session, id string) error {
	c = c.in(s)
	raw, err := hex.DecodeString(id)
	if err != nil || id != "" && (len(raw) != len(deviceID{}) || deviceID(raw) == (deviceID{})) {
		return ErrMalformed
	}
	_, sub, err := l.changing(ctx, c, s, true)
	if err != nil {
		return err
	}
	var device deviceID
	copy(device[:], raw)
	ctx, cancel := detached(ctx)
	defer cancel()
	if id == "" {
		if err := l.forgetPrograms(ctx, sub.account.ID); err != nil {
			return err
		}
	}
	t, err := l.apply(ctx, accountKey(sub.account.ID), forget{device})
	if err != nil || len(t.before.devices) == len(t.after.devices) {
		return err
	}
	reason := ""
	if id == "" {
		reason = "all"
	}
	return l.Record(ctx, event(audit.DeviceForgotten, audit.Success, c, sub.account, "", reason))
}
