package challenge_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

func withAccess(c *challenge.Config) { c.AccessTokens = 5 * time.Minute }

// aliceIn logs alice in and returns her token, a cookie.
func (h *house) aliceIn() string {
	h.t.Helper()
	h.Clock.Advance(time.Minute) // each code works once
	out, err := h.password("alice", password)
	if err == nil {
		out, err = h.logins.Verify(context.Background(), challenge.Client{}, h.open(out.Token), challenge.CodeInput{Code: h.totp(0)})
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return out.Token
}

func (h *house) exchange(s *challenge.Session) string {
	h.t.Helper()
	out, err := h.logins.Exchange(context.Background(), challenge.Client{}, s)
	if err != nil {
		h.t.Fatal(err)
	}
	return out.Token
}

// access opens an access token as a guard does; nil means that it opens nothing.
func (h *house) access(token string) *challenge.Login {
	h.t.Helper()
	ctx := context.Background()
	s, err := h.logins.Open(ctx, challenge.Bearer, token)
	if err != nil {
		h.t.Fatal(err)
	}
	if h.logins.NeedsTouch(s) {
		if err := h.logins.Touch(ctx, challenge.Client{}, s); errors.Is(err, challenge.ErrEnded) {
			return nil
		} else if err != nil {
			h.t.Fatal(err)
		}
	}
	login, _ := s.Login()
	return login
}

func TestAnAccessTokenIsTheLoginForAShortWhile(t *testing.T) {
	h := build(t, withAccess)
	parent := h.aliceIn()
	h.Audit.Take()
	token := h.exchange(h.open(parent))
	if got := h.Audit.Take(); !slices.Equal(got, []audit.Name{audit.AccessToken}) {
		t.Errorf("I-21: %v", got)
	}
	login := h.access(token)
	if login == nil || login.Username != "alice" || !slices.Equal(login.MethodNames(), []string{"password", "totp"}) || !login.SecondFactor || !login.Access {
		t.Fatalf("%v", login)
	}
	if own, _ := h.open(parent).Login(); h.logins.FreshWithin(login, time.Hour) || !h.logins.FreshWithin(own, time.Hour) {
		t.Error("an access token is fresh, or its login is not")
	}
	if h.open(token).Exists() {
		t.Error("I-18: an access token works as a cookie")
	}
	h.Clock.Advance(5*time.Minute - 1)
	if h.access(token) == nil {
		t.Error("ended early")
	}
	h.Clock.Advance(1)
	if h.access(token) != nil {
		t.Error("alive after its end")
	}
	if _, ok := h.open(parent).Login(); !ok {
		t.Error("the login ended with its access token")
	}
}

func TestAnAccessTokenCanBeMadeIntoNothing(t *testing.T) {
	h := build(t, withAccess)
	token := h.exchange(h.open(h.aliceIn()))
	ctx, c := context.Background(), challenge.Client{}
	h.Clock.Advance(time.Minute)
	s, err := h.logins.Open(ctx, challenge.Bearer, token)
	if err != nil {
		t.Fatal(err)
	}
	for name, act := range map[string]func() error{
		"another access token": func() error { _, err := h.logins.Exchange(ctx, c, s); return err },
		"a fresh login": func() error {
			_, err := h.logins.StepUp(ctx, c, s, challenge.CodeInput{Method: "totp", Code: h.totp(0)})
			return err
		},
		"a question":        func() error { _, err := h.logins.BeginStepUp(ctx, c, s, "", false); return err },
		"a confirmed login": func() error { _, err := h.logins.ConfirmPassword(ctx, c, s, "", []byte(password)); return err },
		"an authenticator": func() error {
			_, err := h.logins.BeginEnrolment(ctx, c, s, challenge.EnrolInput{Method: "totp"})
			return err
		},
		"recovery codes":       func() error { _, err := h.logins.RenewRecoveryCodes(ctx, c, s); return err },
		"the only login":       func() error { _, err := h.logins.EndOthers(ctx, c, s); return err },
		"the preferred method": func() error { return h.logins.Prefer(ctx, c, s, "totp") },
	} {
		if err := act(); !errors.Is(err, challenge.ErrNotAllowed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := h.record("1").CodeSpent; n != 0 {
		t.Errorf("%d guesses spent", n)
	}
}

func TestI16AnAccessTokenEndsWithItsLogin(t *testing.T) {
	ctx, c := context.Background(), challenge.Client{}
	for name, end := range map[string]func(*house, *challenge.Session) error{
		"logout": func(h *house, s *challenge.Session) error { return h.logins.Logout(ctx, c, s) },
		"ended from the list": func(h *house, s *challenge.Session) error {
			l, _ := s.Login()
			return h.logins.EndLogin(ctx, c, s, l.ID)
		},
		"log out everywhere": func(h *house, s *challenge.Session) error { return h.logins.LogoutEverywhere(ctx, c, "1") },
		"all others ended":   func(h *house, s *challenge.Session) error { _, err := h.logins.EndOthers(ctx, c, s); return err },
		"blocked":            func(h *house, s *challenge.Session) error { return h.logins.Block(ctx, "1", "admin") },
		"factors reset":      func(h *house, s *challenge.Session) error { return h.logins.ResetFactors(ctx, "1", "admin") },
		"another password login in the same browser": func(h *house, s *challenge.Session) error {
			_, err := h.logins.Password(ctx, c, s, challenge.PasswordInput{Slot: challenge.Cookie, Name: "alice", Password: []byte(password)})
			return err
		},
		"fifty logins after it": func(h *house, s *challenge.Session) error {
			for range 50 {
				h.aliceIn()
			}
			return nil
		},
		"disabled in the app's table, a minute later": func(h *house, s *challenge.Session) error {
			h.Users.Change("1", func(a *challenge.Account) { a.Disabled = true })
			h.Clock.Advance(time.Minute)
			return nil
		},
		"a stricter policy, a minute later": func(h *house, s *challenge.Session) error {
			h.SetVerdict("1", challenge.Verdict{Factors: []string{"email"}})
			h.Clock.Advance(time.Minute)
			return nil
		},
	} {
		h := build(t, withAccess, func(c *challenge.Config) { c.AccessTokens = 15 * time.Minute })
		parent := h.aliceIn()
		token := h.exchange(h.open(parent))
		other := h.aliceIn() // whose end has nothing to do with it
		if h.access(token) == nil {
			t.Fatalf("%s: not alive before", name)
		}
		if err := end(h, h.open(parent)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if h.access(token) != nil {
			t.Errorf("I-16: %s: the access token is alive", name)
		}
		if _, ok := h.open(other).Login(); name == "logout" && !ok {
			t.Error("another login ended, too")
		}
	}
}

func TestI17AnAccessTokenOutlastsNoLogin(t *testing.T) {
	for _, lasts := range []func(*challenge.Config){
		func(c *challenge.Config) { c.Absolute = 2 * time.Minute },
		func(c *challenge.Config) { c.Idle = 2 * time.Minute },
	} {
		h := build(t, withAccess, lasts)
		token := h.exchange(h.open(h.aliceIn()))
		h.Clock.Advance(2*time.Minute - 1)
		if h.access(token) == nil {
			t.Error("ended early")
		}
		h.Clock.Advance(1)
		if h.access(token) != nil {
			t.Error("I-17: alive after its login's end")
		}
	}
}

func TestAServiceAccountExchangesItsPassword(t *testing.T) {
	h := build(t, withAccess)
	ctx, c := context.Background(), challenge.Client{}
	code := "123456"
	for _, v := range []struct {
		name, user, pw string
		code           *string
		want           error
		events         []audit.Name
	}{
		{"a machine", "reports", password, nil, nil, []audit.Name{audit.CredentialUsed, audit.AccessToken}},
		{"again, while its verdict is kept", "reports", password, nil, nil, []audit.Name{audit.AccessToken}},
		{"a machine with a wrong password", "reports", "wrong", nil, challenge.ErrRefused, []audit.Name{audit.InvalidPassword}},
		{"a machine with a code", "reports", password, &code, challenge.ErrRefused, []audit.Name{audit.LoginRefused}},
		{"a person", "alice", password, nil, challenge.ErrRefused, []audit.Name{audit.LoginRefused}},
		{"a person who needs no second factor", "dave", password, nil, challenge.ErrRefused, []audit.Name{audit.LoginRefused}},
		{"nobody", "nobody", password, nil, challenge.ErrRefused, []audit.Name{audit.UnknownUser}},
	} {
		h.Audit.Take()
		out, err := h.logins.ExchangeBasic(ctx, c, challenge.BasicInput{Name: v.user, Password: []byte(v.pw), Code: v.code})
		if !errors.Is(err, v.want) || (err == nil) != (v.want == nil) || (out.Token == "") != (err != nil) {
			t.Errorf("%s: %v", v.name, err)
		}
		if got := h.Audit.Take(); !slices.Equal(got, v.events) {
			t.Errorf("I-21: %s: %v", v.name, got)
		}
		if err != nil {
			continue
		}
		login := h.access(out.Token)
		if login == nil || !login.Service || !login.Access || login.SecondFactor || h.logins.FreshWithin(login, time.Hour) {
			t.Errorf("%s: %v", v.name, login)
		}
	}
	if n := len(h.record("7").Logins); n != 2 {
		t.Errorf("%d logins are listed, want the two tokens", n)
	}
}

func TestI16AMachinesAccessTokenEndsWithItsAccount(t *testing.T) {
	ctx := context.Background()
	for name, end := range map[string]func(*house){
		"password changed": func(h *house) { _ = h.logins.AccountChanged(ctx, challenge.Client{}, "7", "password changed", "admin") },
		"blocked":          func(h *house) { _ = h.logins.Block(ctx, "7", "admin") },
		"disabled": func(h *house) {
			h.Users.Change("7", func(a *challenge.Account) { a.Disabled = true })
			h.Clock.Advance(time.Minute)
		},
		"gone": func(h *house) { h.Users.Remove("7"); h.Clock.Advance(time.Minute) },
		"a person's account": func(h *house) {
			h.Users.Change("7", func(a *challenge.Account) { a.Service = false })
			h.SetVerdict("7", challenge.Verdict{NotNeeded: true})
			h.Clock.Advance(time.Minute)
		},
	} {
		h := build(t, withAccess)
		out, err := h.logins.ExchangeBasic(ctx, challenge.Client{}, challenge.BasicInput{Name: "reports", Password: []byte(password)})
		if err != nil || h.access(out.Token) == nil {
			t.Fatalf("%s: %v", name, err)
		}
		if end(h); h.access(out.Token) != nil {
			t.Errorf("I-16: %s: the access token is alive", name)
		}
	}
}

func TestI16UsersAreAskedAgainBeforeAnAccessTokenIsMade(t *testing.T) {
	h := build(t, withAccess)
	s := h.open(h.aliceIn())
	h.Users.Change("1", func(a *challenge.Account) { a.Disabled = true })
	if _, err := h.logins.Exchange(context.Background(), challenge.Client{}, s); !errors.Is(err, challenge.ErrEnded) {
		t.Errorf("I-16: a disabled account's login made one: %v", err)
	}
	for name, change := range map[string]func(*challenge.Account){
		"disabled":           func(a *challenge.Account) { a.Disabled = true },
		"a person's account": func(a *challenge.Account) { a.Service = false },
	} {
		h := build(t, withAccess, func(c *challenge.Config) {
			c.Passwords = checkedBy(func(challenge.Account, []byte) (challenge.PasswordMatch, error) {
				c.Users.(interface {
					Change(string, func(*challenge.Account))
				}).Change("7", change)
				return challenge.PasswordMatch{OK: true}, nil
			})
		})
		if _, err := h.logins.ExchangeBasic(context.Background(), challenge.Client{}, challenge.BasicInput{Name: "reports", Password: []byte(password)}); !errors.Is(err, challenge.ErrRefused) {
			t.Errorf("I-16: %s while the password was hashed: %v", name, err)
		}
	}
}

// Whatever happens between any two operations of an exchange: once the login's end has been reported, no token that the
// exchange gives opens anything.
func TestI16NoAccessTokenIsMadeFromALoginThatEndsMeanwhile(t *testing.T) {
	ctx, c := context.Background(), challenge.Client{}
	for name, end := range map[string]func(*house, *challenge.Session, string) error{
		"logout":             func(h *house, s *challenge.Session, _ string) error { return h.logins.Logout(ctx, c, s) },
		"log out everywhere": func(h *house, _ *challenge.Session, id string) error { return h.logins.LogoutEverywhere(ctx, c, id) },
		"blocked":            func(h *house, _ *challenge.Session, id string) error { return h.logins.Block(ctx, id, "admin") },
	} {
		for _, who := range []string{"alice", "reports"} {
			if who == "reports" && name == "logout" {
				continue // it has no login to end
			}
			for at := 1; ; at++ {
				b := new(between)
				h := build(t, withAccess, func(c *challenge.Config) { b.Store, c.Store = c.Store, b })
				s, id := &challenge.Session{}, "7"
				if who == "alice" {
					s, id = h.open(h.aliceIn()), "1"
				}
				ended := 0
				b.n, b.at, b.do = 0, at, func() {
					if err := end(h, s, id); err != nil {
						t.Fatal(err)
					}
					ended = b.n
				}
				var out challenge.Outcome
				var err error
				if who == "alice" {
					mine := *s
					out, err = h.logins.Exchange(ctx, c, &mine)
				} else {
					out, err = h.logins.ExchangeBasic(ctx, c, challenge.BasicInput{Name: "reports", Password: []byte(password)})
				}
				if ended == 0 {
					if err != nil || at < 3 {
						t.Errorf("%s, %s: with nobody in between: %v (%d places)", name, who, err, at-1)
					}
					break
				}
				b.do = nil
				if err == nil && h.access(out.Token) != nil && !(who == "reports" && name == "log out everywhere" && at <= 2) { // before the spend it is as if it had come first
					t.Errorf("I-16: %s, %s before operation %d: a token is alive", name, who, at)
				}
			}
		}
	}
}

func TestI16AccessTokensAreMadeWhileLoginsEnd(t *testing.T) {
	h := build(t, withAccess)
	for range 20 {
		parent := h.aliceIn()
		var mu sync.Mutex
		var tokens []string
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				out, err := h.logins.Exchange(context.Background(), challenge.Client{}, h.open(parent))
				if err == nil {
					mu.Lock()
					tokens = append(tokens, out.Token)
					mu.Unlock()
				}
			})
		}
		wg.Go(func() {
			if err := h.logins.Logout(context.Background(), challenge.Client{}, h.open(parent)); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		for _, token := range tokens {
			if h.access(token) != nil {
				t.Fatal("I-16: an access token is alive after its login's logout")
			}
		}
	}
}

func TestI08AnExchangeGivesNoGuessesBack(t *testing.T) {
	h := build(t, withAccess)
	s := h.open(h.aliceIn())
	for range 2 {
		if _, err := h.password("alice", "wrong"); err == nil {
			t.Fatal("let in")
		}
		if _, err := h.basic("reports", "wrong"); err == nil {
			t.Fatal("let in")
		}
	}
	h.exchange(s)
	if _, err := h.logins.ExchangeBasic(context.Background(), challenge.Client{}, challenge.BasicInput{Name: "reports", Password: []byte(password)}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"1", "7"} {
		if n := h.record(id).PasswordSpent; n != 2 {
			t.Errorf("I-08: account %s: %d guesses spent after an exchange, want 2", id, n)
		}
	}
}

func TestI19ThereAreNoAccessTokensUnlessAskedFor(t *testing.T) {
	h := build(t)
	if _, err := h.logins.Exchange(context.Background(), challenge.Client{}, h.open(h.aliceIn())); !errors.Is(err, challenge.ErrNotAllowed) {
		t.Error(err)
	}
	if _, err := h.logins.ExchangeBasic(context.Background(), challenge.Client{}, challenge.BasicInput{Name: "reports", Password: []byte(password)}); !errors.Is(err, challenge.ErrNotAllowed) {
		t.Error(err)
	}
	pending, err := build(t, withAccess).password("alice", password)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.logins.Exchange(context.Background(), challenge.Client{}, pending.Session); !errors.Is(err, challenge.ErrEnded) {
		t.Errorf("I-01: half a login: %v", err)
	}
}

func TestI01AnAccessTokenIsMadeByBindAlone(t *testing.T) {
	// A token whose bind did not happen is nobody's: the record is gone, or nothing knows its token.
	var fail atomic.Bool
	h := build(t, withAccess, func(c *challenge.Config) { c.Store = &failsBind{Store: c.Store, on: &fail} })
	s := h.open(h.aliceIn())
	fail.Store(true)
	out, err := h.logins.Exchange(context.Background(), challenge.Client{}, s)
	if err == nil || out.Token != "" || !errors.Is(err, challenge.ErrUnavailable) {
		t.Errorf("I-01: %v", err)
	}
	fail.Store(false)
	if n := len(h.record("1").Logins); n != 1 {
		t.Errorf("I-01: %d logins", n)
	}
}

// failsBind is a store that loses every write to an account's record.
type failsBind struct {
	challenge.Store
	on *atomic.Bool
}

func (f *failsBind) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error) {
	if f.on.Load() && key[0] == 'a' {
		return false, errInjected
	}
	return f.Store.CompareAndSwap(ctx, key, old, new, expires)
}

func (f *failsBind) Volatile() bool { return true }

func TestI21WhatCannotBeRecordedMakesNoAccessToken(t *testing.T) {
	h := build(t, withAccess, func(c *challenge.Config) { c.AuditRequired = true })
	s := h.open(h.aliceIn())
	h.Audit.Fail(errInjected)
	if out, err := h.logins.Exchange(context.Background(), challenge.Client{}, s); !errors.Is(err, challenge.ErrUnavailable) || out.Token != "" {
		t.Errorf("I-21: %v", err)
	}
	if n := len(h.record("1").Logins); n != 1 {
		t.Errorf("I-21: %d logins", n)
	}
}
