// Package challengetest helps to test what is built on challenge: a clock that a test moves, accounts in memory, an outbox
// that keeps codes, and a configuration that only lacks what a test wants to be different.
//
// It is for tests: accounts are not durable, and hashing is as cheap as it can be.
//
//	clock := challengetest.NewClock()
//	kit := challengetest.New(clock)
//	kit.Users.Add(challenge.Account{ID: "1", Name: "alice"}, "correct-horse-battery")
//	logins, err := challenge.New(kit.Config(&stores.Memory{Clock: clock.Now})) // the store, too, goes by the kit's clock
//
// [Outbox.Code] is the last code that went somewhere, [Kit.TOTP] what an authenticator app shows. Package middlewaretest
// logs in over HTTP with them.
package challengetest

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// Clock is a clock that stands still until a test moves it. Safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock starts at a fixed moment: noon UTC on 2026-01-15, so that tests give the same codes every day.
func NewClock() *Clock {
	return &Clock{now: time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)}
}

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Users are accounts in memory. Safe for concurrent use.
type Users struct {
	mu     sync.Mutex
	byID   map[string]challenge.Account
	byName map[string]string
	logins map[string][]challenge.LoggedIn
	err    error
}

var (
	_ challenge.Users              = (*Users)(nil)
	_ challenge.PasswordHashSetter = (*Users)(nil)
	_ challenge.LoginRecorder      = (*Users)(nil)
)

// Add stores an account under its name in canonical form (here: lower case). The password is hashed for [Passwords]; an
// account whose PasswordHash is set already keeps it.
func (u *Users) Add(a challenge.Account, password string) {
	if a.PasswordHash == "" {
		a.PasswordHash = Hash(password)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byID == nil {
		u.byID, u.byName = map[string]challenge.Account{}, map[string]string{}
		u.logins = map[string][]challenge.LoggedIn{}
	}
	u.byID[a.ID] = a
	u.byName[strings.ToLower(a.Name)] = a.ID
}

// Change changes an account in place, as an app does in its own table.
func (u *Users) Change(id string, change func(*challenge.Account)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.byID[id]
	change(&a)
	u.byID[id] = a
}

// Remove takes an account out.
func (u *Users) Remove(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.byID, id)
}

// Fail lets every call fail with err, as a table that cannot be reached does; nil ends it.
func (u *Users) Fail(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.err = err
}

// Find looks an account up by its canonical name.
func (u *Users) Find(_ context.Context, name string) (challenge.Account, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err != nil {
		return challenge.Account{}, u.err
	}
	id, ok := u.byName[name]
	if !ok {
		return challenge.Account{}, challenge.ErrUnknown
	}
	return challenge.Account{ID: id}, nil
}

// ByID returns an account as it is now.
func (u *Users) ByID(_ context.Context, id string) (challenge.Account, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err != nil {
		return challenge.Account{}, u.err
	}
	a, ok := u.byID[id]
	if !ok {
		return challenge.Account{}, challenge.ErrUnknown
	}
	return a, nil
}

// SetPasswordHash replaces an outdated hash, unless it has changed meanwhile.
func (u *Users) SetPasswordHash(_ context.Context, id, old, new string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	a, ok := u.byID[id]
	if !ok || a.PasswordHash != old {
		return nil
	}
	a.PasswordHash = new
	u.byID[id] = a
	return nil
}

// LoggedIn notes a full login.
func (u *Users) LoggedIn(_ context.Context, id string, l challenge.LoggedIn) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.logins[id] = append(u.logins[id], l)
	return nil
}

// Logins are the full logins that an account was told of.
func (u *Users) Logins(id string) []challenge.LoggedIn {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.logins[id])
}

// Passwords is a password check that costs next to nothing and counts what it compares. Never use it outside tests.
type Passwords struct {
	mu       sync.Mutex
	compared map[string]int
}

var _ challenge.Passwords = (*Passwords)(nil)

// Hash is what Passwords compares with: nothing that could protect a password.
func Hash(password string) string {
	sum := sha256.Sum256([]byte(password))
	return "$test$" + hex.EncodeToString(sum[:])
}

// Check compares.
func (p *Passwords) Check(_ context.Context, a challenge.Account, password []byte) (challenge.PasswordMatch, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.compared == nil {
		p.compared = map[string]int{}
	}
	p.compared[a.ID]++
	ok := subtle.ConstantTimeCompare([]byte(Hash(string(password))), []byte(a.PasswordHash)) == 1
	return challenge.PasswordMatch{OK: ok && a.ID != ""}, nil
}

// Compared is how often an account's own hash was looked at; "" counts the dummies.
func (p *Passwords) Compared(id string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.compared[id]
}

// Outbox keeps what was sent. Safe for concurrent use.
type Outbox struct {
	mu   sync.Mutex
	sent []challenge.Message
	err  map[string]error
}

var _ challenge.Sender = (*Outbox)(nil)

// Send keeps m, or fails as [Outbox.Fail] says.
func (o *Outbox) Send(_ context.Context, m challenge.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.err[m.Channel]; err != nil {
		return err
	}
	o.sent = append(o.sent, m)
	return nil
}

// Fail lets a channel fail; nil ends it.
func (o *Outbox) Fail(channel string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = map[string]error{}
	}
	o.err[channel] = err
}

// Messages is everything that was sent, oldest first.
func (o *Outbox) Messages() []challenge.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.sent)
}

// Code is the latest code that was sent to an address or number; it is empty when there is none.
func (o *Outbox) Code(to string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range slices.Backward(o.sent) {
		if m.To == to && m.Code != "" {
			return string(m.Code)
		}
	}
	return ""
}

// Audit keeps the events. Safe for concurrent use.
type Audit struct {
	mu     sync.Mutex
	events []audit.Event
	err    error
}

var _ audit.Recorder = (*Audit)(nil)

// Record keeps e.
func (a *Audit) Record(_ context.Context, e audit.Event) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return a.err
	}
	a.events = append(a.events, e)
	return nil
}

// Fail lets the sink fail; nil ends it.
func (a *Audit) Fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = err
}

// Events is everything that was recorded, oldest first.
func (a *Audit) Events() []audit.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.events)
}

// Count is how many events of a name were recorded.
func (a *Audit) Count(name audit.Name) (n int) {
	for _, e := range a.Events() {
		if e.Name == name {
			n++
		}
	}
	return n
}

// Take gives the names of the events since the last Take, and forgets them.
func (a *Audit) Take() []audit.Name {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []audit.Name
	for _, e := range a.events {
		names = append(names, e.Name)
	}
	a.events = nil
	return names
}

// Kit is everything that a test of logins needs besides a store.
type Kit struct {
	Clock     *Clock
	Users     *Users
	Passwords *Passwords
	Outbox    *Outbox
	Audit     *Audit
	// Verdicts are the policy by account id; an account that is not in it needs a second factor.
	verdicts map[string]challenge.Verdict
	mu       sync.Mutex
}

// New makes a kit around a clock.
func New(clock *Clock) *Kit {
	return &Kit{Clock: clock, Users: new(Users), Passwords: new(Passwords), Outbox: new(Outbox), Audit: new(Audit), verdicts: map[string]challenge.Verdict{}}
}

// SetVerdict says what the policy answers for an account.
func (k *Kit) SetVerdict(id string, v challenge.Verdict) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.verdicts = maps.Clone(k.verdicts)
	k.verdicts[id] = v
}

// Policy is the kit's policy.
func (k *Kit) Policy(_ context.Context, a challenge.Account, _ challenge.Client) (challenge.Verdict, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.verdicts[a.ID], nil
}

// Config is a configuration with TOTP, e-mail, SMS (falling back to e-mail) and recovery codes over store.
func (k *Kit) Config(store challenge.Store) challenge.Config {
	return challenge.Config{
		Site: "https://app.example", Users: k.Users, Policy: k.Policy, Store: store,
		Keys:      []challenge.Key{Key(1)},
		Passwords: k.Passwords, Audit: k.Audit, Clock: k.Clock.Now,
		Factors: []challenge.Factor{
			&challenge.TOTP{Issuer: "App"},
			challenge.Fallback(&challenge.SMS{Sender: k.Outbox}, "email"),
			&challenge.Email{Sender: k.Outbox},
			&challenge.Recovery{},
		},
	}
}

// TOTP is the code that an authenticator app shows now, by the kit's clock, for a secret in base32 (RFC 6238 with 6 digits
// and 30 seconds). It panics for what is no secret. Each works once: let the clock advance 30 seconds before the next.
func (k *Kit) TOTP(secret string) string {
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(secret, "="))
	if err != nil {
		panic("challengetest: not a secret in base32")
	}
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, k.Clock.Now().Unix()/30)
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[19]&15:]) & (1<<31 - 1) // RFC 4226 section 5.3
	return fmt.Sprintf("%06d", n%1_000_000)
}

// Key is a key for tests: the same bytes for the same id.
func Key(id uint32) challenge.Key {
	return challenge.Key{ID: id, Secret: sha256.Sum256(fmt.Appendf(nil, "key %d of a test", id))}
}
