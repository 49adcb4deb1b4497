package challenge_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/stores"
)

// again makes a second machine over the same store and accounts: another process of the same site.
func (h *house) again(change ...func(*challenge.Config)) *challenge.Logins {
	h.t.Helper()
	c := h.Config(h.store)
	for _, f := range change {
		f(&c)
	}
	l, err := challenge.New(c)
	if err != nil {
		h.t.Fatal(err)
	}
	return l
}

func (h *house) record(id string) challenge.Record {
	h.t.Helper()
	r, err := h.logins.AccountRecord(id)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// spied is a store that writes down what is asked of it.
type spied struct {
	challenge.Store
	mu  sync.Mutex
	ops []string
}

func (s *spied) note(op string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops = append(s.ops, op)
}

func (s *spied) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ops := s.ops
	s.ops = nil
	return ops
}

func (s *spied) Load(ctx context.Context, key string) ([]byte, error) {
	s.note("load")
	return s.Store.Load(ctx, key)
}

func (s *spied) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error) {
	s.note("swap")
	return s.Store.CompareAndSwap(ctx, key, old, new, expires)
}

func (s *spied) Volatile() bool { return true }

// countedUsers counts look-ups.
type countedUsers struct {
	challenge.Users
	mu    sync.Mutex
	calls []string
}

func (u *countedUsers) note(call string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls = append(u.calls, call)
}

func (u *countedUsers) Find(ctx context.Context, name string) (challenge.Account, error) {
	u.note("find")
	return u.Users.Find(ctx, name)
}

func (u *countedUsers) ByID(ctx context.Context, id string) (challenge.Account, error) {
	u.note("by id")
	return u.Users.ByID(ctx, id)
}

func TestI07OfTwoHundredParallelWrongPasswordsThreeAreCompared(t *testing.T) {
	for _, name := range []string{"carol", "nobody"} {
		h := build(t)
		machines := []*challenge.Logins{h.again(), h.again()} // two processes
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				_, err := machines[i%2].Password(context.Background(), challenge.Client{}, &challenge.Session{},
					challenge.PasswordInput{Slot: challenge.Cookie, Name: name, Password: fmt.Append(nil, "wrong", i)})
				if err == nil || errors.Is(err, challenge.ErrUnavailable) {
					t.Errorf("%v", err)
				}
			})
		}
		wg.Wait()
		compared, dummies := h.Passwords.Compared("3"), h.Passwords.Compared("")
		want := 3
		if name == "nobody" {
			want = 0
		}
		if compared != want || dummies != 200-want {
			t.Errorf("I-07: %s: %d passwords compared and %d dummies burnt, want %d and %d", name, compared, dummies, want, 200-want)
		}
	}
}

// passwordSurfaces are the ways to show a password of the account with this name, in a machine.
var passwordSurfaces = []struct {
	name string
	for_ []string // account names that the surface serves
	show func(h *house, l *challenge.Logins, name, id, pw string) error
}{
	{"login page", []string{"alice", "reports"}, func(h *house, l *challenge.Logins, name, _, pw string) error {
		_, err := l.Password(context.Background(), challenge.Client{}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: name, Password: []byte(pw)})
		return err
	}},
	{"JSON login", []string{"alice"}, func(h *house, l *challenge.Logins, name, _, pw string) error {
		_, err := l.Password(context.Background(), challenge.Client{}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Bearer, Name: strings.ToUpper(name), Password: []byte(pw)})
		return err
	}},
	{"single shot", []string{"alice"}, func(h *house, l *challenge.Logins, name, _, pw string) error {
		code := h.totp(0)
		_, err := l.Password(context.Background(), challenge.Client{}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Bearer, Name: name, Password: []byte(pw), Code: &code})
		return err
	}},
	{"Basic", []string{"alice", "reports"}, func(h *house, l *challenge.Logins, name, _, pw string) error {
		_, err := l.Basic(context.Background(), challenge.Client{}, challenge.BasicInput{Name: name, Password: []byte(pw)})
		return err
	}},
	{"Basic with a code", []string{"alice"}, func(h *house, l *challenge.Logins, name, _, pw string) error {
		code := h.totp(0)
		_, err := l.Basic(context.Background(), challenge.Client{}, challenge.BasicInput{Name: name, Password: []byte(pw), Code: &code})
		return err
	}},
	{"asked elsewhere", []string{"alice", "reports"}, func(h *house, l *challenge.Logins, _, id, pw string) error {
		return l.CheckPassword(context.Background(), challenge.Client{}, id, []byte(pw))
	}},
}

func TestI08OnePasswordBudgetOverAllSurfaces(t *testing.T) {
	ids := map[string]string{"alice": "1", "reports": "7"}
	for _, a := range passwordSurfaces {
		for _, b := range passwordSurfaces {
			for _, name := range a.for_ {
				if !slices.Contains(b.for_, name) {
					continue
				}
				h := build(t)
				for range 3 {
					if err := a.show(h, h.logins, name, ids[name], "wrong"); err == nil {
						t.Fatal("a wrong password was right")
					}
				}
				if n := h.Passwords.Compared(ids[name]); n != 3 {
					t.Fatalf("%s: %d compared", a.name, n)
				}
				other := h.again()
				if err := b.show(h, other, name, ids[name], password); err == nil {
					t.Errorf("I-09: %s: after three wrong at %q a right one at %q was taken", name, a.name, b.name)
				}
				if n := h.Passwords.Compared(ids[name]); n != 3 {
					t.Errorf("I-09: %s: after three wrong at %q one at %q was compared", name, a.name, b.name)
				}
			}
		}
	}
}

func TestI09ABlockedPasswordBudgetIsReleasedByTimeAndOnlyByTime(t *testing.T) {
	h := build(t)
	for range 3 {
		if _, err := h.password("carol", "wrong"); !errors.Is(err, challenge.ErrRefused) {
			t.Fatal(err)
		}
	}
	h.Audit.Take()
	for range 9 { // tries inside the block do not extend it
		h.Clock.Advance(30 * time.Second)
		if _, err := h.password("carol", password); !errors.Is(err, challenge.ErrRefused) {
			t.Fatalf("I-09: %v inside the block", err)
		}
	}
	if got := h.Audit.Take(); len(got) != 9 || got[0] != audit.PasswordsSpent || got[8] != audit.PasswordsSpent {
		t.Errorf("I-21: events of tries inside the block: %v", got)
	}
	if n := h.Passwords.Compared("3"); n != 3 {
		t.Errorf("I-09: %d compared", n)
	}
	h.Clock.Advance(30 * time.Second)
	if _, err := h.password("carol", password); err != nil {
		t.Errorf("I-09: %v after the block", err)
	}
	if got := h.Audit.Take(); len(got) == 0 || got[0] != audit.GuessesReleased {
		t.Errorf("the first try after the block's end is to write the release: %v", got)
	}
}

func TestI10EveryRefusalOfAPasswordLooksAndCostsTheSame(t *testing.T) {
	store := &spied{}
	users := &countedUsers{}
	h := build(t, func(c *challenge.Config) {
		store.Store, users.Users = c.Store, c.Users
		c.Store, c.Users = store, users
	})
	h.Users.Add(challenge.Account{ID: "8", Name: "disabled", Disabled: true}, password)
	h.Users.Add(challenge.Account{ID: "9", Name: "barred"}, password)
	h.Users.Add(challenge.Account{ID: "10", Name: "guessed"}, password)
	h.Users.Add(challenge.Account{ID: "11", Name: "gone"}, password)
	h.Users.Remove("11")
	ctx := context.Background()
	if err := h.logins.Block(ctx, "9", "admin"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"guessed", "nobody-at-all"} {
		for range 3 {
			_, _ = h.password(name, "wrong")
		}
	}
	type answer struct{ text, ops, lookups, hashes string }
	var want answer
	for i, c := range []struct {
		name, user, pw string
		event          audit.Name
	}{
		{"wrong password", "carol", "wrong", audit.InvalidPassword},
		{"wrong password for the second time", "carol", "wrong", audit.InvalidPassword},
		{"unknown name", "nobody", "wrong", audit.UnknownUser},
		{"another unknown name", "somebody-else", "wrong", audit.UnknownUser},
		{"name that cannot be one", "a\x00b", "wrong", audit.UnknownUser},
		{"name without end", strings.Repeat("x", 100_000), "wrong", audit.UnknownUser},
		{"no name", "", "wrong", audit.UnknownUser},
		{"account deleted after its name was found", "gone", password, audit.UnknownUser},
		{"blocked, right password", "guessed", password, audit.PasswordsSpent},
		{"blocked, wrong password", "guessed", "wrong", audit.PasswordsSpent},
		{"unknown name that is blocked", "nobody-at-all", "wrong", audit.PasswordsSpent},
		{"disabled, right password", "disabled", password, audit.LoginRefused},
		{"disabled, wrong password", "disabled", "wrong", audit.InvalidPassword},
		{"blocked by an administrator, right password", "barred", password, audit.LoginRefused},
		{"blocked by an administrator, wrong password", "barred", "wrong", audit.InvalidPassword},
		{"service account at the login page", "reports", password, audit.LoginRefused},
		{"service account, wrong password", "reports", "wrong", audit.InvalidPassword},
	} {
		store.take()
		users.calls = nil
		h.Audit.Take()
		hashes := func() (n int) {
			for _, id := range []string{"", "3", "7", "8", "9", "10", "11"} {
				n += h.Passwords.Compared(id)
			}
			return n
		}
		burnt := hashes()
		_, err := h.password(c.user, c.pw)
		if err == nil || !errors.Is(err, challenge.ErrRefused) || errors.As(err, new(*challenge.BlockedError)) {
			t.Fatalf("I-10: %s: %v", c.name, err)
		}
		got := answer{err.Error(), strings.Join(store.take(), " "), strings.Join(users.calls, " "), fmt.Sprint(hashes() - burnt)}
		if c.user == "a\x00b" || len(c.user) > 1000 || c.user == "" { // such a name is not looked for
			got.lookups = "find " + got.lookups
		}
		if i == 0 {
			want = got
			if want.ops != "load swap load swap" || want.hashes != "1" {
				t.Errorf("a wrong password took %q and %s hashes", want.ops, want.hashes)
			}
		} else if got != want {
			t.Errorf("I-10: %s answered\n%+v, a wrong password\n%+v", c.name, got, want)
		}
		if names := h.Audit.Take(); len(names) != 1 || names[0] != c.event {
			t.Errorf("I-21: %s left %v, want just %q", c.name, names, c.event)
		}
	}
}

// slow are passwords of two kinds, one of which takes longer.
type slow struct {
	*challengetest.Passwords
	takes time.Duration
}

func (s slow) Check(ctx context.Context, a challenge.Account, pw []byte) (challenge.PasswordMatch, error) {
	if a.ID == "3" {
		time.Sleep(s.takes)
	} else {
		time.Sleep(s.takes / 10)
	}
	return s.Passwords.Check(ctx, a, pw)
}

func (s slow) Slowest() time.Duration { return s.takes }

func TestI10EveryRefusalWaitsToTheSlowestHashInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(c *challenge.Config) {
			c.Passwords = slow{c.Passwords.(*challengetest.Passwords), 240 * time.Millisecond}
		})
		for _, name := range []string{"carol", "nobody", "dave", "reports"} {
			for range 5 { // the last ones are blocked
				began := time.Now()
				if _, err := h.password(name, "wrong"); err == nil {
					t.Fatal("let in")
				}
				if took := time.Since(began); took != 240*time.Millisecond {
					t.Errorf("I-10: a refusal of %s took %v", name, took)
				}
			}
		}
		began := time.Now()
		if _, err := h.password("alice", password); err != nil || time.Since(began) != 24*time.Millisecond {
			t.Errorf("a right password waited: %v %v", time.Since(began), err)
		}
	})
}

func TestI11StrangersCannotLockTheOwnerOut(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	out, err := h.password("carol", password)
	if err != nil {
		t.Fatal(err)
	}
	if out, err = h.verify(out.Token, h.Outbox.Code("carol@example.com")); err != nil || out.Device == "" {
		t.Fatal("no device token: ", err)
	}
	token, own := out.Token, challenge.Client{Device: out.Device}
	from := func(c challenge.Client, pw string) (challenge.Outcome, error) {
		return h.logins.Password(ctx, c, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: "carol", Password: []byte(pw)})
	}
	if h.logins.KnownDevice(ctx, "Carol", own) != "3" || h.logins.KnownDevice(ctx, "dave", own) != "" || h.logins.KnownDevice(ctx, "carol", challenge.Client{}) != "" {
		t.Error("I-11: whose device is known?")
	}
	for range 50 {
		if _, err := from(challenge.Client{}, "wrong"); !errors.Is(err, challenge.ErrRefused) {
			t.Fatal(err)
		}
	}
	if _, ok := h.open(token).Login(); !ok {
		t.Error("I-11: a block ended a live login")
	}
	h.Clock.Advance(time.Minute)
	out, err = from(own, password)
	if err != nil {
		t.Fatalf("I-11: the owner is locked out by a stranger's passwords: %v", err)
	}
	// A stranger who knows the password, and guesses codes.
	h.Clock.Advance(5 * time.Minute)
	theirs, err := from(challenge.Client{}, password)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, _ = h.verify(theirs.Token, "000000")
	}
	if _, err := from(challenge.Client{}, password); !errors.As(err, new(*challenge.BlockedError)) {
		t.Fatalf("after a right password a stranger is told plainly: %v", err)
	}
	if out, err = from(own, password); err != nil {
		t.Fatalf("I-11: the owner is locked out by a stranger's codes: %v", err)
	}
	if _, err := h.logins.Verify(ctx, own, h.open(out.Token), challenge.CodeInput{Code: h.Outbox.Code("carol@example.com")}); err != nil {
		t.Errorf("I-11: %v", err)
	}
	// The device's own budget is as small, and its owner is told when it ends.
	for range 3 {
		_, _ = from(own, "wrong")
	}
	var blocked *challenge.BlockedError
	if _, err := from(own, password); !errors.As(err, &blocked) || !blocked.Password || blocked.RetryAfter != 5*time.Minute || !blocked.Until.Equal(h.Clock.Now().Add(5*time.Minute)) {
		t.Errorf("I-10: a known device is told plainly: %v", err)
	}
	// The audit tells whose guesses are spent.
	var reasons []string
	for _, e := range h.Audit.Events() {
		if e.Name == audit.PasswordsSpent || e.Name == audit.CodeGuessesSpent {
			reasons = append(reasons, e.Method+" "+e.Reason)
		}
	}
	if got := slices.Compact(reasons); !slices.Equal(got, []string{"password now blocked", "password blocked", "email now blocked", "code blocked", "password now blocked, known device", "password blocked, known device"}) {
		t.Errorf("I-21: %q", got)
	}
	if err := h.logins.ForgetDevices(ctx, "3", ""); err != nil {
		t.Fatal(err)
	}
	if h.logins.KnownDevice(ctx, "carol", own) != "" {
		t.Error("I-11: a forgotten device is known")
	}
}

func TestI11AStepUpCountsOnTheDeviceThatTheLoginMadeKnown(t *testing.T) {
	h := build(t)
	token := h.loginCarol() // the first login in this browser
	theirs, err := h.password("carol", password)
	if err == nil { // inside the cooldown nothing is sent elsewhere
		h.Clock.Advance(time.Minute)
		_, err = h.logins.Resend(context.Background(), challenge.Client{}, h.open(theirs.Token), "", "")
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, _ = h.verify(theirs.Token, "000000")
	}
	if h.record("3").CodeWrong != 3 {
		t.Fatal("the stranger's guesses are not spent")
	}
	if _, err := h.logins.BeginStepUp(context.Background(), challenge.Client{}, h.open(token), "", false); err != nil {
		t.Errorf("I-11: a stranger's codes stop the owner's step-up: %v", err)
	}
}

func TestI08GuessesInFlightAreBusyAndNotBlocked(t *testing.T) {
	inside, leave := make(chan struct{}, 10), make(chan struct{})
	h := build(t, func(c *challenge.Config) {
		c.HashSlots = 10
		c.Passwords = checkedBy(func(a challenge.Account, pw []byte) (challenge.PasswordMatch, error) {
			if a.ID == "" {
				return challenge.PasswordMatch{}, nil
			}
			inside <- struct{}{}
			<-leave
			return challenge.PasswordMatch{OK: string(pw) == password}, nil
		})
	})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := h.password("carol", password); err != nil {
				t.Errorf("a right password in flight: %v", err)
			}
		})
	}
	for range 3 {
		<-inside
	}
	var busy *challenge.BusyError
	if _, err := h.password("carol", password); !errors.As(err, &busy) || busy.RetryAfter != time.Second || busy.Cooldown {
		t.Errorf("I-08: %v with three in flight", err)
	}
	close(leave)
	wg.Wait()
	if r := h.record("3"); r.PasswordSpent != 0 {
		t.Errorf("I-08: %d guesses are still spent", r.PasswordSpent)
	}
	if _, err := h.password("carol", password); err != nil {
		t.Error(err)
	}
}

// checkedBy makes a function Passwords.
type checkedBy func(challenge.Account, []byte) (challenge.PasswordMatch, error)

func (f checkedBy) Check(_ context.Context, a challenge.Account, pw []byte) (challenge.PasswordMatch, error) {
	return f(a, pw)
}

func TestPasswordsBeyondTheQueueAreRefusedAtOnce(t *testing.T) {
	inside, leave := make(chan struct{}, 10), make(chan struct{})
	h := build(t, func(c *challenge.Config) {
		c.HashSlots, c.HashQueue = 1, 1
		c.Passwords = checkedBy(func(a challenge.Account, pw []byte) (challenge.PasswordMatch, error) {
			inside <- struct{}{}
			<-leave
			return challenge.PasswordMatch{OK: a.ID != ""}, nil
		})
	})
	var wg sync.WaitGroup
	var busies sync.Map
	for i := range 3 {
		wg.Go(func() {
			_, err := h.password("carol", password)
			if errors.As(err, new(*challenge.BusyError)) {
				busies.Store(i, true)
				close(leave) // the only one that returns before the door opens
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n := 0
	busies.Range(func(any, any) bool { n++; return true })
	if n != 1 || h.Audit.Count(audit.CredentialRefused) != 1 {
		t.Errorf("I-23: %d were refused, %d events", n, h.Audit.Count(audit.CredentialRefused))
	}
}

func TestI16APasswordChangedWhileItIsComparedLeadsNowhere(t *testing.T) {
	for _, name := range []string{"dave", "carol", "alice"} { // not needed; sent code; TOTP
		var h *house
		changing := true
		h = build(t, func(c *challenge.Config) {
			c.Passwords = checkedBy(func(a challenge.Account, pw []byte) (challenge.PasswordMatch, error) {
				if changing {
					changing = false
					if err := h.logins.AccountChanged(context.Background(), challenge.Client{}, a.ID, "password changed", ""); err != nil {
						t.Error(err)
					}
				}
				return challenge.PasswordMatch{OK: true}, nil
			})
		})
		out, err := h.password(name, password)
		if name == "dave" {
			if !errors.Is(err, challenge.ErrNoPending) || out.Token != "" {
				t.Errorf("I-16: a login by a password that had been changed: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		code := h.totp(0)
		if name == "carol" {
			code = h.Outbox.Code("carol@example.com")
		}
		if _, err := h.verify(out.Token, code); !errors.Is(err, challenge.ErrNoPending) {
			t.Errorf("I-16: %s: a pending login from before the change: %v", name, err)
		}
	}
}

func TestI03ARightPasswordEndsWhatTheBrowserWas(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	in := func(from *challenge.Session, name string) challenge.Outcome {
		t.Helper()
		out, err := h.logins.Password(ctx, challenge.Client{}, from, challenge.PasswordInput{Slot: challenge.Cookie, Name: name, Password: []byte(password), Next: "/there"})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	planted := strings.Repeat("A", 43)
	anonymous, err := h.logins.CreateAnonymous(ctx, challenge.Cookie, planted, []byte("cart"))
	if err != nil {
		t.Fatal(err)
	}
	out := in(anonymous, "carol")
	if out.Token == planted || h.open(planted).Exists() {
		t.Error("I-03: a token planted before login was adopted, or lives on")
	}
	if string(h.open(out.Token).Data()) != "cart" {
		t.Error("app data does not follow one person into login")
	}
	pending := out.Token
	out, err = h.verify(pending, h.Outbox.Code("carol@example.com"))
	if err != nil || out.Token == pending || h.open(pending).Exists() || out.Next != "/there" {
		t.Errorf("I-03: promotion: %v, next %q", err, out.Next)
	}
	s := h.open(out.Token)
	if string(s.Data()) != "cart" {
		t.Error("app data does not follow one person through promotion")
	}
	login := out.Token
	if _, err := h.logins.Password(ctx, challenge.Client{}, h.open(login), challenge.PasswordInput{Slot: challenge.Cookie, Name: "carol", Password: []byte("wrong")}); err == nil {
		t.Fatal("let in")
	}
	if _, ok := h.open(login).Login(); !ok {
		t.Error("a wrong password ended the login")
	}
	h.Clock.Advance(time.Minute)
	out = in(h.open(login), "carol")
	if _, ok := h.open(login).Login(); ok {
		t.Error("I-03: a right password in a logged-in browser did not end that login")
	}
	if len(h.open(out.Token).Data()) != 0 {
		t.Error("app data of a login goes on after it")
	}
	if err := h.logins.SaveData(ctx, h.open(out.Token), []byte("carol's")); err != nil {
		t.Fatal(err)
	}
	old := out.Token
	out = in(h.open(old), "alice")
	if len(h.open(out.Token).Data()) != 0 || h.open(old).Exists() {
		t.Error("I-03: another account's pending login, or its data, goes on")
	}
}

func TestI18ATokenWorksInItsOwnSlotOnly(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	out, err := h.logins.Password(ctx, challenge.Client{}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Bearer, Name: "dave", Password: []byte(password)})
	if err != nil || out.Device != "" {
		t.Fatal("a device token for a client without cookies: ", err)
	}
	if h.open(out.Token).Exists() {
		t.Error("I-18: a bearer token in a cookie")
	}
	s, err := h.logins.Open(ctx, challenge.Bearer, out.Token)
	if _, ok := s.Login(); !ok || err != nil {
		t.Error("a bearer token: ", err)
	}
	for _, token := range []string{"", "x", strings.Repeat("=", 43), strings.Repeat("A", 42), strings.Repeat("A", 44), strings.Repeat("A", 1<<20), strings.Repeat("A", 42) + "\x00"} {
		if s, err := h.logins.Open(ctx, challenge.Bearer, token); err != nil || s.Exists() {
			t.Errorf("what cannot be a token: %v %v", s, err)
		}
	}
}

func TestAnOutdatedHashIsReplacedAfterARightPasswordOnly(t *testing.T) {
	h := build(t, func(c *challenge.Config) {
		c.Passwords = checkedBy(func(a challenge.Account, pw []byte) (challenge.PasswordMatch, error) {
			return challenge.PasswordMatch{OK: a.ID != "" && string(pw) == password, NewHash: "$new$"}, nil
		})
	})
	hash := func() string {
		a, err := h.Users.ByID(context.Background(), "3")
		if err != nil {
			t.Fatal(err)
		}
		return a.PasswordHash
	}
	if _, err := h.password("carol", "wrong"); err == nil || hash() == "$new$" {
		t.Error("a wrong password replaced the hash")
	}
	if _, err := h.password("carol", password); err != nil || hash() != "$new$" {
		t.Errorf("a right password did not: %v", err)
	}
}

func TestI20APasswordCheckThatPanicsOrFailsDenies(t *testing.T) {
	for _, check := range []checkedBy{
		func(challenge.Account, []byte) (challenge.PasswordMatch, error) { panic("boom " + password) },
		func(challenge.Account, []byte) (challenge.PasswordMatch, error) {
			return challenge.PasswordMatch{OK: true}, errors.New("directory down")
		},
		func(a challenge.Account, _ []byte) (challenge.PasswordMatch, error) { // says yes to everybody, unknown names too
			return challenge.PasswordMatch{OK: a.ID == ""}, nil
		},
	} {
		h := build(t, func(c *challenge.Config) { c.Passwords = check })
		for _, name := range []string{"carol", "nobody", "dave"} {
			out, err := h.password(name, password)
			if err == nil || out.Token != "" || strings.Contains(err.Error(), password) {
				t.Errorf("I-20: %s: %v", name, err)
			}
		}
	}
}

func TestCheckPasswordElsewhere(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	if err := h.logins.CheckPassword(ctx, challenge.Client{}, "3", []byte(password)); err != nil {
		t.Error(err)
	}
	if got := h.Audit.Take(); len(got) != 1 || got[0] != audit.PasswordAgain {
		t.Errorf("I-21: %v", got)
	}
	for _, id := range []string{"", "no such id"} {
		if err := h.logins.CheckPassword(ctx, challenge.Client{}, id, []byte(password)); !errors.Is(err, challenge.ErrRefused) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if n, _ := h.store.Usage(); n == 0 {
		t.Error("nothing was counted")
	}
}

var _ challenge.Store = (*stores.Memory)(nil)

// upgrading is a password check that makes a new hash for everybody, but for disabled accounts, as Argon2id does.
type upgrading struct{ made []string }

func (u *upgrading) Check(_ context.Context, a challenge.Account, pw []byte) (challenge.PasswordMatch, error) {
	m := challenge.PasswordMatch{OK: a.ID != "" && string(pw) == password}
	if m.OK && !a.Disabled {
		u.made, m.NewHash = append(u.made, a.Name), "$new$"
	}
	return m, nil
}

func TestI10NoNewHashIsMadeForWhoeverIsRefusedAnyway(t *testing.T) {
	u := new(upgrading)
	h := build(t, func(c *challenge.Config) { c.Passwords = u })
	h.Users.Change("6", func(a *challenge.Account) { a.Disabled = true })
	if err := h.logins.Block(context.Background(), "5", "admin"); err != nil {
		t.Fatal(err)
	}
	for name, reason := range map[string]string{"sam": "account disabled", "erin": "blocked by an administrator", "reports": "service account"} {
		h.Audit.Take()
		if _, err := h.password(name, password); !errors.Is(err, challenge.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
		if e := h.Audit.Events(); len(e) != 1 || !strings.Contains(e[0].Reason, reason) {
			t.Errorf("I-21: %s: %+v", name, e)
		}
	}
	if len(u.made) != 0 {
		t.Errorf("I-10: hashed twice for %v", u.made)
	}
	if _, err := h.password("carol", password); err != nil || len(u.made) != 1 {
		t.Errorf("%v, %v", u.made, err)
	}
	if _, err := h.basic("reports", password); err != nil || len(u.made) != 2 {
		t.Errorf("a machine where it may log in: %v, %v", u.made, err)
	}
}
