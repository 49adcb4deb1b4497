package challenge

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// A trusted device stands in for the second factor that was shown on it before, for a time (Config.TrustDevices; off by
// default). It is a row beside the account's authenticators, bound to the account, to the factor and to the account's epoch,
// so that any change of password, factors or status ends it. Its token changes each time it is used: a copy is worthless
// after the owner's next login, and the owner's is after the copy's, which the owner then sees.

// methodTrusted is how a login shows that a trusted device stood in; no factor may have this name.
const methodTrusted = "trusted-device"

const (
	maxTrusted     = 8
	mostTrusted    = 30 * 24 * time.Hour
	trustedVersion = 1
)

// trust is what is kept of a trusted device.
type trust struct {
	mac    []byte
	epoch  epoch
	method string    // the second factor that was shown
	shown  time.Time // when
	used   time.Time
	end    time.Time
}

func (t *trust) encode() []byte {
	e := make(encoder, 0, 128)
	e.byte(trustedVersion)
	e.bytes(t.mac)
	e.fixed(t.epoch[:])
	e.string(t.method)
	e.time(t.shown)
	e.time(t.used)
	e.time(t.end)
	return e
}

func decodeTrust(b []byte) (t trust, err error) {
	d := decoder{s: string(b)}
	if d.byte() != trustedVersion {
		d.bad = true
	}
	t = trust{mac: d.bytes(), epoch: d.id(), method: d.string(), shown: d.time(), used: d.time(), end: d.time()}
	if !d.whole() {
		return trust{}, unavailable("trusted device", errRecord)
	}
	return t, nil
}

// trusted finds the row that a client's token belongs to, if it may stand in for one of the allowed methods.
func (l *Logins) trusted(s *subject, methods []string) (row enrolled, t trust, ok bool, err error) {
	if l.trustFor == 0 || len(s.client.Trusted) != tokenLength {
		return enrolled{}, trust{}, false, nil
	}
	for _, v := range s.enrolments.list {
		if v.factor != methodTrusted {
			continue
		}
		auth, err := l.open(s.account.ID, v, &s.record)
		if err != nil {
			return enrolled{}, trust{}, false, err
		}
		t, err := decodeTrust(auth.Data)
		if err != nil {
			return enrolled{}, trust{}, false, err
		}
		if l.keys.Matches(t.mac, "trusted device", s.account.ID, s.client.Trusted) && t.epoch == s.record.epoch && l.now().Before(t.end) && slices.Contains(methods, t.method) {
			return v, t, true, nil
		}
	}
	return enrolled{}, trust{}, false, nil
}

// standIn makes a login in which a trusted device takes the place of the code. The row is used up before anything else: of
// two requests with the same token one wins.
func (l *Logins) standIn(ctx context.Context, s *subject, slot Slot, p Pending, data []byte, row enrolled, t trust) (Outcome, error) {
	now := l.now()
	token, err := newToken(l.random)
	if err != nil {
		return Outcome{}, err
	}
	dctx, cancel := detached(ctx)
	defer cancel()
	t.mac, t.used = l.keys.Hash("trusted device", s.account.ID, token), now
	sealed, err := l.sealData(s.account.ID, row.id, t.encode())
	if err != nil {
		return Outcome{}, err
	}
	err = l.changeEnrolments(dctx, s.account.ID, func(list []enrolled) ([]enrolled, error) {
		i := slices.IndexFunc(list, func(v enrolled) bool { return v.id == row.id })
		if i < 0 || string(list[i].sealed) != string(row.sealed) {
			return nil, errLostRace
		}
		list[i].sealed = sealed
		return list, nil
	})
	if err != nil {
		return Outcome{}, err
	}
	// The same way as every login: a pending login is consumed (I-01). Nobody ever has this one's token.
	p.Created, p.Expires = now, now.Add(l.durations.Pending)
	pending, err := l.openPending(ctx, slot, p, data)
	if err != nil {
		return Outcome{}, err
	}
	login := l.newLogin(s.client, s.account, append(slices.Clone(p.first), Method{Name: t.method, At: t.shown}, Method{Name: methodTrusted, At: now}), p.device, p.channel, time.Time{})
	login.SecondFactor = true // Fresh stays zero: what asks for a fresh factor asks for it
	out, err := l.promote(ctx, s.client, &promotion{slot: slot, pending: pending.Session, account: s.account, record: &s.record, login: login,
		bind: bind{epoch: p.epoch, device: p.device}}, p.Next)
	if err != nil {
		return Outcome{}, err
	}
	out.Trusted, out.TrustedUntil = token, t.end
	return out, nil
}

// trustDevice adds a row for a login that was just made with a second factor on this device.
func (l *Logins) trustDevice(ctx context.Context, c Client, login *Login, method string, out *Outcome) error {
	token, err := newToken(l.random)
	if err != nil {
		return err
	}
	now := l.now()
	t := trust{mac: l.keys.Hash("trusted device", login.UserID, token), epoch: login.epoch, method: method, shown: now, used: now, end: now.Add(l.trustFor)}
	row, err := l.newAuthenticator(login.UserID, methodTrusted, deviceName(c.UserAgent), t.encode())
	if err != nil {
		return err
	}
	err = l.changeEnrolments(ctx, login.UserID, func(list []enrolled) ([]enrolled, error) {
		list = slices.DeleteFunc(list, func(v enrolled) bool { return v.factor == methodTrusted && !now.Before(v.created.Add(l.trustFor)) })
		for n, i := 0, len(list)-1; i >= 0; i-- { // the newest stand last
			if list[i].factor != methodTrusted {
				continue
			}
			if n++; n >= maxTrusted {
				list = slices.Delete(list, i, i+1)
			}
		}
		return append(list, row), nil
	})
	if err != nil {
		return err
	}
	out.Trusted, out.TrustedUntil = token, t.end
	return l.Record(ctx, event(audit.DeviceTrusted, audit.Success, c, Account{ID: login.UserID, Name: login.Username}, method, ""))
}

// deviceName is what a person recognises a browser by, as far as its agent tells.
func deviceName(agent string) string {
	browser, system := "", ""
	for _, v := range [...][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}} {
		if strings.Contains(agent, v[0]) {
			browser = v[1]
			break
		}
	}
	for _, v := range [...][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS X", "Mac"}, {"CrOS", "Chromebook"}, {"Linux", "Linux"}} {
		if strings.Contains(agent, v[0]) {
			system = v[1]
			break
		}
	}
	switch {
	case browser != "" && system != "":
		return browser + " · " + system
	default:
		return browser + system
	}
}

// TrustedDevice is a device that a code is not asked for, for a page that lists them.
type TrustedDevice struct {
	ID      string
	Name    string
	Method  string // the second factor it stands in for
	Created time.Time
	Used    time.Time
	Expires time.Time
	Current bool
}

// TrustedDevices lists the trusted devices of the account that s belongs to, the latest used first.
func (l *Logins) TrustedDevices(ctx context.Context, c Client, s *Session) ([]TrustedDevice, error) {
	login, sub, _, err := l.living(ctx, c, s)
	if err != nil {
		return nil, err
	}
	var out []TrustedDevice
	for _, v := range sub.enrolments.list {
		if v.factor != methodTrusted {
			continue
		}
		auth, err := l.open(login.UserID, v, &sub.record)
		if err != nil {
			return nil, err
		}
		t, err := decodeTrust(auth.Data)
		if err != nil {
			return nil, err
		}
		if t.epoch != sub.record.epoch || !l.now().Before(t.end) {
			continue
		}
		out = append(out, TrustedDevice{ID: v.id, Name: v.name, Method: t.method, Created: v.created, Used: t.used, Expires: t.end,
			Current: l.keys.Matches(t.mac, "trusted device", login.UserID, c.Trusted)})
	}
	slices.SortFunc(out, func(a, b TrustedDevice) int { return b.Used.Compare(a.Used) })
	return out, nil
}

// Distrust takes the trust of one device away, or of all when id is empty. It asks for nothing: it only makes the next login
// ask for more. ErrMalformed for what is no id; one that is gone already is no error.
func (l *Logins) Distrust(ctx context.Context, c Client, s *Session, id string) error {
	c = c.in(s)
	login, ok := s.Login()
	if !ok {
		return ErrEnded
	}
	if login.Access {
		return ErrNotAllowed
	}
	if raw, err := hex.DecodeString(id); err != nil || id != "" && len(raw) != len(recordID{}) {
		return ErrMalformed
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	was := 0
	err := l.changeEnrolments(ctx, login.UserID, func(list []enrolled) ([]enrolled, error) {
		left := slices.DeleteFunc(slices.Clone(list), func(v enrolled) bool { return v.factor == methodTrusted && (id == "" || v.id == id) })
		was = len(list) - len(left)
		return left, nil
	})
	if err != nil || was == 0 {
		return err
	}
	return l.Record(ctx, event(audit.DeviceDistrusted, audit.Success, c, Account{ID: login.UserID, Name: login.Username}, "", ""))
}
