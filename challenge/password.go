package challenge

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// PasswordInput is a name and a password that somebody showed.
type PasswordInput struct {
	Slot     Slot // where the token of the new session will live
	Name     string
	Password []byte // exactly as sent
	Next     string // where the person wanted to go
	// Code, when not nil, comes with the password in one request: nothing is sent, and the answer is a login or an error.
	Code *string
}

// Format hides everything.
func (PasswordInput) Format(f fmtState, _ rune) { writeRedacted(f, "[password input]") }

// Password checks a name and a password. A right one ends whatever login the session was and opens a pending login, or a
// login where the policy says that no second factor is needed.
//
// It returns ErrRefused for an unknown name, a wrong password, a blocked budget, a disabled, blocked or service account; a
// *BlockedError when the code budget is blocked (told after a right password only) or, to a known device, the password
// budget; a *BusyError when too much is in flight; ErrNoAddress when the account must enrol and cannot,
// ErrNotAllowed when it has enrolled, and nothing of that can be used.
func (l *Logins) Password(ctx context.Context, c Client, from *Session, in PasswordInput) (Outcome, error) {
	first, err := l.checkName(ctx, c, in.Name, in.Password, byCookie, people)
	if err != nil {
		return Outcome{}, err
	}
	first.methods = []Method{{Name: "password", At: l.now()}}
	if first.id, err = l.randomID(); err != nil {
		return Outcome{}, err
	}
	c.pending = first.id.String()
	if err := l.Record(ctx, event(audit.PasswordValidated, audit.Success, c, first.account, "password", "")); err != nil {
		return Outcome{}, err
	}
	return l.afterFirst(ctx, c, from, in.Slot, first, in.Next, in.Code)
}

// FirstFactor is a first factor that the app has checked itself: an OIDC login, a magic link, a password reset.
type FirstFactor struct {
	Method  string // for people and audit: "oidc", "magic-link"
	Channel string // ChannelEmail, ChannelSMS or empty: a second factor on the same channel does not count (I-06)
	Next    string
}

// Enter is the one way in for first factors other than a password (I-06). It ends in a pending login, unless the policy
// says that the first factor is enough.
func (l *Logins) Enter(ctx context.Context, c Client, from *Session, slot Slot, accountID string, f FirstFactor) (Outcome, error) {
	if !methodName.MatchString(f.Method) || f.Method == methodPassword || f.Method == methodTrusted || l.factor(f.Method) != nil {
		return Outcome{}, errors.New("challenge: FirstFactor.Method must be 1 to 32 lower-case letters, digits and hyphens, and not the name of a second factor")
	}
	rec, err := l.peek(ctx, accountKey(accountID))
	if err != nil {
		return Outcome{}, err
	}
	a, err := l.byID(ctx, accountID)
	switch {
	case errors.Is(err, ErrUnknown):
		return Outcome{}, l.refuse(ctx, c, Account{ID: accountID, Name: accountID}, "unknown account")
	case err != nil:
		return Outcome{}, unavailable("users", err)
	case a.Service:
		return Outcome{}, l.refuse(ctx, c, a, "service account")
	case a.Disabled:
		return Outcome{}, l.refuse(ctx, c, a, "account disabled")
	case rec.blocked:
		return Outcome{}, l.refuse(ctx, c, a, string(refusedAdmin))
	}
	id, err := l.randomID()
	if err != nil {
		return Outcome{}, err
	}
	c.pending = id.String()
	e := event(audit.FirstFactor, audit.Success, c, a, f.Method, "")
	if f.Channel != "" {
		e.Reason = "channel " + f.Channel
	}
	if err := l.Record(ctx, e); err != nil {
		return Outcome{}, err
	}
	first := firstFactor{id: id, account: a, epoch: rec.epoch, device: deviceOf(a.ID, c.Device), channel: f.Channel, methods: []Method{{Name: f.Method, At: l.now()}}}
	return l.afterFirst(ctx, c, from, slot, first, f.Next, nil)
}

// firstFactor is what is known after the first factor was right.
type firstFactor struct {
	id      recordID // of the pending login that it opens
	account Account
	epoch   epoch // of the moment before the factor was looked at: what changed since makes it void
	device  deviceID
	methods []Method
	channel string
}

// knownBy says which of an account's known devices a client is.
type knownBy func(accountID string, c Client) deviceID

func byCookie(accountID string, c Client) deviceID { return deviceOf(accountID, c.Device) }

// byNetwork knows a machine, which keeps no cookies, by where it is.
func byNetwork(accountID string, c Client) deviceID { return networkOf(accountID, c.Addr) }

// admit says why an account may not come in this way although its password is right; empty means that it may.
type admit func(Account) string

func people(a Account) string {
	if a.Service {
		return "service account"
	}
	return ""
}

// unseen is an ErrRefused of a password that was not looked at. Nobody is told.
type unseen struct{ error }

func (u unseen) Unwrap() error { return u.error }

func (l *Logins) refuse(ctx context.Context, c Client, a Account, reason string) error {
	if err := l.Record(ctx, event(audit.LoginRefused, audit.Failure, c, a, "", reason)); err != nil {
		return err
	}
	return ErrRefused
}

// checkName is the password check of everybody who shows a name: known, unknown, blocked or disabled take the same way
// through a record of their own or a decoy, and burn one hash each (I-07, I-10).
func (l *Logins) checkName(ctx context.Context, c Client, name string, password []byte, known knownBy, admit admit) (firstFactor, error) {
	canonical, err := l.canonical(name)
	if err != nil {
		canonical = clip(name, 255)
	}
	var found Account
	if err == nil {
		found, err = l.find(ctx, canonical)
	} else {
		err = ErrUnknown
	}
	exists := err == nil && found.ID != ""
	if err != nil && !errors.Is(err, ErrUnknown) {
		return firstFactor{}, unavailable("users", err)
	}
	a := Account{Name: canonical}
	key := l.decoyKey(canonical)
	if exists {
		a.ID, key = found.ID, accountKey(found.ID)
	}
	return l.checkPassword(ctx, c, key, a, password, known, admit)
}

// clip shortens a string for an audit line.
func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// checkPassword spends a guess, compares, and settles. a holds an id only for an account that exists.
func (l *Logins) checkPassword(ctx context.Context, c Client, key string, a Account, password []byte, known knownBy, admit admit) (firstFactor, error) {
	wctx, waited := l.begin(ctx, OpHashWait)
	var began time.Time // not the injected clock: this is about what can be measured from outside
	f, err := firstFactor{}, error(ErrUnavailable)
	if busy := l.gate.do(wctx, func() {
		waited(nil)
		began = time.Now()
		f, err = l.checkInGate(ctx, c, key, a, password, known, admit)
	}); busy != nil {
		waited(busy)
		if !errors.As(busy, new(*BusyError)) {
			return firstFactor{}, errors.Join(told{unavailable("client", busy)}, l.Record(ctx, event(audit.CredentialRefused, audit.Failure, c, a, "password", "client gone while waiting")))
		}
		return firstFactor{}, errors.Join(busy, l.Record(ctx, event(audit.CredentialRefused, audit.Failure, c, a, "password", "too many passwords at once")))
	}
	if err != nil {
		l.even(ctx, began)
	}
	return f, err
}

func (l *Logins) checkInGate(ctx context.Context, c Client, key string, a Account, password []byte, known knownBy, admit admit) (firstFactor, error) {
	ctx, cancel := detached(ctx)
	defer cancel()
	id := a.ID
	if id == "" {
		id = "unknown:" + key // so that looking it up costs what looking up a real one does
	}
	device := known(id, c)
	spent, refused := l.apply(ctx, key, spend{kind: passwordGuess, device: device})
	now := l.now()
	if refused != nil && !errors.As(refused, new(refusal)) {
		return firstFactor{}, refused
	}
	if refused != nil {
		if err := l.idle(ctx, key, spent.before); err != nil {
			return firstFactor{}, err
		}
	}
	account, err := l.byID(ctx, id)
	switch exists := a.ID != ""; {
	case err != nil && !errors.Is(err, ErrUnknown):
		return firstFactor{}, unavailable("users", err)
	case err == nil && exists:
		a = account
	case exists: // gone between Find and ByID
		a.ID = ""
	}

	if refused != nil { // nothing is evaluated, and it costs the same
		if _, err := l.match(ctx, Account{}, password); err != nil {
			return firstFactor{}, err
		}
		rec, err := l.peek(ctx, key)
		if err == nil {
			err = l.idle(ctx, key, rec)
		}
		if err != nil {
			return firstFactor{}, err
		}
		b := spent.after.budgetsOf(device, now).password
		if errors.Is(refused, refusedInFlight) {
			if err := l.Record(ctx, event(audit.CredentialRefused, audit.Failure, c, a, "password", string(refusedInFlight))); err != nil {
				return firstFactor{}, err
			}
			return firstFactor{}, &BusyError{RetryAfter: time.Second}
		}
		if err := l.Record(ctx, event(audit.PasswordsSpent, audit.Failure, c, a, "password", spent.after.whose("blocked", device, now))); err != nil {
			return firstFactor{}, err
		}
		if spent.after.known(device, now) >= 0 && !a.Service { // a network is no secret
			return firstFactor{}, &BlockedError{Password: true, Until: b.until, RetryAfter: b.until.Sub(now)}
		}
		return firstFactor{}, unseen{ErrRefused}
	}
	if err := l.released(ctx, c, a, spent, device, passwordGuess); err != nil {
		return firstFactor{}, err
	}

	asked := a
	asked.Disabled = a.Disabled || spent.after.blocked || admit(a) != "" // no new hash for who is refused: it would take twice as long (I-10)
	match, err := l.match(ctx, asked, password)
	right := err == nil && match.OK && a.ID != ""
	paid := spent.after.budgetsOf(device, now).password
	settled, serr := l.apply(ctx, key, settle{kind: passwordGuess, device: device, window: paid.window, wrong: !right && err == nil})
	if err := errors.Join(err, serr); err != nil {
		return firstFactor{}, err
	}
	if !right {
		name, reason := audit.InvalidPassword, ""
		if a.ID == "" {
			name = audit.UnknownUser
		}
		if a.Service {
			reason = "service account"
		}
		if err := l.Record(ctx, event(name, audit.Failure, c, a, "password", reason)); err != nil {
			return firstFactor{}, err
		}
		b := settled.after.budgetsOf(device, now).password
		if was := settled.before.budgetsOf(device, now).password; b.wrong >= l.rules.passwordGuesses && was.wrong < b.wrong {
			if err := l.Record(ctx, event(audit.PasswordsSpent, audit.Failure, c, a, "password", settled.after.whose("now blocked", device, now))); err != nil {
				return firstFactor{}, err
			}
			l.notify(c, a, noticeBlocked.of(settled.after.whose("password", device, now)), "password")
		}
		return firstFactor{}, ErrRefused
	}
	switch {
	case a.Disabled:
		return firstFactor{}, l.refuse(ctx, c, a, "account disabled")
	case settled.after.blocked:
		return firstFactor{}, l.refuse(ctx, c, a, string(refusedAdmin))
	case admit(a) != "":
		return firstFactor{}, l.refuse(ctx, c, a, admit(a))
	}
	if v, ok := l.users.(PasswordHashSetter); ok && match.NewHash != "" {
		if err := v.SetPasswordHash(ctx, a.ID, a.PasswordHash, match.NewHash); err != nil {
			_ = l.Record(ctx, event(audit.StoreFailed, audit.Failure, c, a, "password", "upgraded hash not saved"))
		}
	}
	// The epoch is that of the spend: a password changed since then makes what follows void.
	return firstFactor{account: a, epoch: spent.after.epoch, device: device}, nil
}

// idle writes a record as it is: a guess that is refused costs the store what one that is spent and settled does (I-10).
func (l *Logins) idle(ctx context.Context, key string, rec account) error {
	raw := rec.encode()
	if _, err := l.accounts.CompareAndSwap(ctx, key, raw, raw, time.Time{}); err != nil {
		return unavailable("store", err)
	}
	return nil
}

// match asks who checks passwords; a panic denies.
func (l *Logins) match(ctx context.Context, a Account, password []byte) (m PasswordMatch, err error) {
	ctx, end := l.begin(ctx, OpHash)
	defer func() { end(err) }()
	defer func() {
		if recover() != nil {
			m, err = PasswordMatch{}, unavailable("passwords", errors.New("panicked"))
		}
	}()
	if m, err = l.passwords.Check(ctx, a, password); err != nil {
		return PasswordMatch{}, unavailable("passwords", err)
	}
	return m, nil
}

// Slowest is an optional ability of [Passwords] whose checks do not all cost the same: the time of the slowest kind in use.
// Every refusal waits to it (I-10).
type Slowest interface {
	Slowest() time.Duration
}

// even lets a refusal take as long as the slowest kind of hash in use does.
func (l *Logins) even(ctx context.Context, began time.Time) {
	v, ok := l.passwords.(Slowest)
	if !ok {
		return
	}
	wait := min(v.Slowest(), 2*time.Second) - time.Since(began)
	if wait <= 0 {
		return
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// released writes that a block is over, by the first try after its end.
func (l *Logins) released(ctx context.Context, c Client, a Account, t transition, device deviceID, kind guess) error {
	now := l.now()
	was, is := t.before.budgetsOf(device, now), t.after.budgetsOf(device, now)
	b, most := l.rules.pick(&was, kind)
	n, _ := l.rules.pick(&is, kind)
	if b.window == n.window || b.spent < most {
		return nil
	}
	method := "password"
	if kind == codeGuess {
		method = "code"
	}
	return l.Record(ctx, event(audit.GuessesReleased, audit.Success, c, a, method, "block ended"))
}

// CheckPassword checks a password that the app asks for elsewhere, against the account's one password budget (I-08). nil
// means right; else ErrRefused, *BlockedError, *BusyError or ErrUnavailable.
func (l *Logins) CheckPassword(ctx context.Context, c Client, accountID string, password []byte) error {
	if accountID == "" {
		return ErrRefused
	}
	f, err := l.checkPassword(ctx, c, accountKey(accountID), Account{ID: accountID, Name: accountID}, password, byCookie, func(Account) string { return "" })
	if err != nil {
		return err
	}
	return l.Record(ctx, event(audit.PasswordAgain, audit.Success, c, f.account, "password", ""))
}
