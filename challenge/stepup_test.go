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

func (h *house) stepUp(token, method, code string) (challenge.Outcome, error) {
	h.t.Helper()
	return h.logins.StepUp(context.Background(), challenge.Client{}, h.open(token), challenge.CodeInput{Method: method, Code: code})
}

// loginAlice logs alice in and waits until her next code.
func (h *house) loginAlice() string {
	h.t.Helper()
	out, err := h.password("alice", password)
	if err == nil {
		out, err = h.verify(out.Token, h.totp(0))
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.Clock.Advance(time.Minute)
	return out.Token
}

func TestI03AStepUpChangesTheTokenAndNothingElse(t *testing.T) {
	h := build(t)
	old := h.loginAlice()
	if err := h.logins.SaveData(context.Background(), h.open(old), []byte("app data")); err != nil {
		t.Fatal(err)
	}
	was, _ := h.open(old).Login()
	h.Clock.Advance(10 * time.Minute)
	h.Audit.Take()
	out, err := h.stepUp(old, "", h.totp(0))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Audit.Take(); !slices.Equal(got, []audit.Name{audit.CodeValidated, audit.SteppedUp}) {
		t.Errorf("I-21: %v", got)
	}
	if h.open(old).Exists() || out.Token == old {
		t.Error("I-03: the old token is alive")
	}
	s := h.open(out.Token)
	is, ok := s.Login()
	if !ok || is.ID != was.ID || !is.Created.Equal(was.Created) || string(s.Data()) != "app data" {
		t.Errorf("the login is another one: %v %v", is, was)
	}
	if !is.Expires.Equal(was.Expires) {
		t.Errorf("I-17: a step-up moved the absolute end by %v", is.Expires.Sub(was.Expires))
	}
	if !h.logins.FreshWithin(is, time.Minute) || h.logins.FreshWithin(was, time.Minute) {
		t.Error("who is fresh?")
	}
	if got := is.MethodNames(); !slices.Equal(got, []string{"password", "totp"}) {
		t.Errorf("methods: %v", got)
	}
	h.Clock.Advance(24*time.Hour - 11*time.Minute)
	if h.open(out.Token).Exists() {
		t.Error("I-17: a login outlived its absolute end")
	}
}

// hoarder is a store that never drops anything, which it may.
type hoarder struct{ challenge.Store }

func (s hoarder) CompareAndSwap(ctx context.Context, key string, old, new []byte, _ time.Time) (bool, error) {
	return s.Store.CompareAndSwap(ctx, key, old, new, time.Time{})
}

func (hoarder) Volatile() bool { return true }

func TestI17IdleAndAbsoluteEndsWhateverTheStoreDoes(t *testing.T) {
	h := build(t, func(c *challenge.Config) {
		c.Idle, c.Absolute = 10*time.Minute, time.Hour
		c.Store = hoarder{c.Store}
	})
	ctx := context.Background()
	token := h.loginCarol()
	h.Clock.Advance(10*time.Minute - 1)
	if !h.open(token).Exists() {
		t.Fatal("I-17: ended before ten idle minutes")
	}
	for i := range 5 { // kept alive
		s := h.open(token)
		if !h.logins.NeedsTouch(s) {
			t.Fatal("a login seen ten minutes ago needs no touch")
		}
		if err := h.logins.Touch(ctx, challenge.Client{}, s); err != nil {
			t.Fatal(err)
		}
		if h.logins.NeedsTouch(s) || h.logins.NeedsTouch(h.open(token)) {
			t.Error("a login seen just now is written again")
		}
		h.Clock.Advance(10*time.Minute - 1)
		if exists := h.open(token).Exists(); !exists {
			t.Fatalf("I-17: touch %d did not keep the login", i)
		}
	}
	if err := h.logins.Touch(ctx, challenge.Client{}, h.open(token)); err != nil {
		t.Fatal(err)
	}
	h.Audit.Take()
	h.Clock.Advance(10)
	if h.open(token).Exists() {
		t.Error("I-17: a login outlived its absolute end by being used")
	}
	if got := h.Audit.Take(); !slices.Equal(got, []audit.Name{audit.SessionEnded}) {
		t.Errorf("I-21: %v", got)
	}
	h.Clock.Advance(time.Hour)
	token = h.loginCarol()
	stale := h.open(token)
	h.Clock.Advance(10 * time.Minute)
	if h.open(token).Exists() {
		t.Error("I-17: a login outlived ten idle minutes")
	}
	if err := h.logins.SaveData(ctx, stale, []byte("late")); !errors.Is(err, challenge.ErrEnded) || h.open(token).Exists() {
		t.Errorf("I-17: a late write brought an ended login back: %v", err)
	}
}

func TestI16WhatTheAppSaysHoldsWithinAMinute(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(h *house)
		reason string
	}{
		{"account disabled", func(h *house) { h.Users.Change("3", func(a *challenge.Account) { a.Disabled = true }) }, "account disabled"},
		{"account gone", func(h *house) { h.Users.Remove("3") }, "account gone"},
		{"account made a machine's", func(h *house) { h.Users.Change("3", func(a *challenge.Account) { a.Service = true }) }, "service account"},
		{"stricter policy", func(h *house) { h.SetVerdict("3", challenge.Verdict{Factors: []string{"totp"}}) }, "policy"},
	} {
		h := build(t)
		token := h.loginCarol()
		h.Clock.Advance(time.Minute)
		s := h.open(token)
		if !h.logins.NeedsTouch(s) {
			t.Fatal("no touch after a minute")
		}
		c.change(h)
		h.Audit.Take()
		if err := h.logins.Touch(context.Background(), challenge.Client{}, s); !errors.Is(err, challenge.ErrEnded) || h.open(token).Exists() {
			t.Errorf("I-16: %s: %v", c.name, err)
		}
		e := h.Audit.Events()
		if len(e) != 1 || e[0].Name != audit.SessionEnded || e[0].Reason != c.reason || e[0].User != "carol" {
			t.Errorf("I-21: %s: %v", c.name, h.Audit.Take())
		}
		if len(h.record("3").Logins) != 0 {
			t.Errorf("I-16: %s: the account still lists the login", c.name)
		}
	}

	h := build(t)
	token := h.loginDave()
	h.Clock.Advance(time.Minute)
	h.SetVerdict("4", challenge.Verdict{})
	if err := h.logins.Touch(context.Background(), challenge.Client{}, h.open(token)); !errors.Is(err, challenge.ErrEnded) {
		t.Errorf("I-16: a policy that asks for a second factor now: %v", err)
	}

	h = build(t)
	token = h.loginCarol()
	h.Clock.Advance(time.Minute)
	h.Users.Fail(errors.New("table down"))
	if err := h.logins.Touch(context.Background(), challenge.Client{}, h.open(token)); !errors.Is(err, challenge.ErrUnavailable) {
		t.Errorf("I-20: %v", err)
	}
	h.Users.Fail(nil)
	if err := h.logins.Touch(context.Background(), challenge.Client{}, h.open(token)); err != nil {
		t.Errorf("a table that was away ended a login: %v", err)
	}
}

func TestStepUpOfAnAccountWithoutASecondFactorAsksForThePasswordAgain(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	token := h.loginDave()
	if l, _ := h.open(token).Login(); h.logins.FreshWithin(l, time.Hour) || l.SecondFactor {
		t.Error("the password given at login counts as asked again")
	}
	p, err := h.logins.StepUpMethods(ctx, challenge.Client{}, h.open(token), false)
	if err != nil || !slices.Equal(p.Methods, []string{"password"}) {
		t.Fatalf("%v %v", p.Methods, err)
	}
	if p, err = h.logins.BeginStepUp(ctx, challenge.Client{}, h.open(token), "", false); err != nil || p.Prompt.Method != "password" {
		t.Errorf("%v %v", p.Prompt.Method, err)
	}
	if _, err := h.stepUp(token, "totp", password); !errors.Is(err, challenge.ErrMethod) {
		t.Errorf("%v", err)
	}
	if _, err := h.stepUp(token, "password", "wrong"); !errors.Is(err, challenge.ErrRefused) {
		t.Errorf("%v", err)
	}
	if r := h.record("4"); r.PasswordWrong+r.CodeSpent > 1 {
		t.Errorf("%+v", r)
	}
	out, err := h.stepUp(token, "", password)
	if err != nil {
		t.Fatal(err)
	}
	l, _ := h.open(out.Token).Login()
	if !h.logins.FreshWithin(l, time.Second) || l.SecondFactor || h.open(token).Exists() {
		t.Errorf("a password asked again: %+v", l)
	}
	for range 3 {
		if _, err := h.stepUp(out.Token, "password", "wrong"); !errors.Is(err, challenge.ErrRefused) {
			t.Fatal(err)
		}
	}
	if _, err := h.stepUp(out.Token, "password", password); err == nil {
		t.Error("I-08: a step-up's passwords are counted apart")
	}
}

func TestAPasswordIsNoStepUpForWhoHasASecondFactor(t *testing.T) {
	h := build(t)
	token := h.loginAlice()
	if _, err := h.stepUp(token, "password", password); !errors.Is(err, challenge.ErrMethod) {
		t.Errorf("%v", err)
	}
	// Not even while that factor cannot be used.
	h = build(t, func(c *challenge.Config) { c.CodeGuesses = 100 })
	h.SetVerdict("1", challenge.Verdict{NotNeeded: true})
	out, err := h.password("alice", password)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		if n%10 == 0 && n > 0 { // no login may give more
			if _, err := h.stepUp(out.Token, "", "000000"); !errors.Is(err, challenge.ErrLoginAgain) {
				t.Fatal(err)
			}
			if out, err = h.password("alice", password); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.stepUp(out.Token, "", "000000"); !errors.Is(err, challenge.ErrWrongCode) {
			t.Fatal(n, err)
		}
	}
	if out, err = h.password("alice", password); err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(5 * time.Minute)
	if _, err := h.stepUp(out.Token, "password", password); !errors.Is(err, challenge.ErrNotAllowed) {
		t.Errorf("I-09: a disabled second factor is got around by the password: %v", err)
	}
}

func TestStepUpBySentCode(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	token := h.loginCarol()
	h.Clock.Advance(time.Minute)
	sent := len(h.Outbox.Messages())
	if p, err := h.logins.StepUpMethods(ctx, challenge.Client{}, h.open(token), false); err != nil || !p.Prompt.SentAt.IsZero() || len(h.Outbox.Messages()) != sent {
		t.Errorf("looking sends: %v", err)
	}
	if _, err := h.stepUp(token, "", "000000"); !errors.Is(err, challenge.ErrNoCode) || h.record("3").CodeSpent != 0 {
		t.Errorf("I-13: before a code was sent: %v", err)
	}
	for range 3 { // asking again inside the cooldown keeps the code
		p, err := h.logins.BeginStepUp(ctx, challenge.Client{}, h.open(token), "", false)
		if err != nil || p.Prompt.To != "c•••l@example.com" || len(h.Outbox.Messages()) != sent+1 {
			t.Fatalf("%v, %d messages", err, len(h.Outbox.Messages())-sent)
		}
	}
	if _, err := h.logins.BeginStepUp(ctx, challenge.Client{}, h.open(token), "email", false); !errors.As(err, new(*challenge.BusyError)) {
		t.Errorf("I-15: a chosen method inside the cooldown: %v", err)
	}
	if _, err := h.logins.BeginStepUp(ctx, challenge.Client{}, h.open(token), "totp", false); !errors.Is(err, challenge.ErrMethod) {
		t.Errorf("a method that is not allowed: %v", err)
	}
	code := h.Outbox.Code("carol@example.com")
	if _, err := h.logins.StepUp(ctx, challenge.Client{}, h.open(token), challenge.CodeInput{LoginID: "another", Code: code}); !errors.Is(err, challenge.ErrOtherLogin) {
		t.Errorf("I-03: %v", err)
	}
	var wins atomic.Int32
	var tokens sync.Map
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if out, err := h.stepUp(token, "", code); err == nil {
				wins.Add(1)
				tokens.Store(out.Token, true)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 || len(h.record("3").Logins) != 1 {
		t.Errorf("I-04: of 20 step-ups with one code %d won", wins.Load())
	}
	tokens.Range(func(k, _ any) bool {
		if _, err := h.stepUp(k.(string), "", code); !errors.Is(err, challenge.ErrNoCode) {
			t.Errorf("I-13: a step-up's code again: %v", err)
		}
		return true
	})
	for range 3 {
		h.Clock.Advance(time.Minute)
		tokens.Range(func(k, _ any) bool {
			if _, err := h.logins.BeginStepUp(ctx, challenge.Client{}, h.open(k.(string)), "email", false); err != nil {
				t.Error(err)
			}
			_, _ = h.stepUp(k.(string), "", "000000")
			return true
		})
	}
	tokens.Range(func(k, _ any) bool {
		h.Clock.Advance(time.Minute)
		before := len(h.Outbox.Messages())
		if _, err := h.logins.BeginStepUp(ctx, challenge.Client{}, h.open(k.(string)), "email", false); !errors.As(err, new(*challenge.BlockedError)) || len(h.Outbox.Messages()) != before {
			t.Errorf("I-15: a message inside the code block: %v", err)
		}
		if _, ok := h.open(k.(string)).Login(); !ok {
			t.Error("I-11: a block ended a live login")
		}
		return true
	})
}

func TestLogoutOfEveryKind(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	token := h.loginCarol()
	h.Audit.Take()
	if err := h.logins.Logout(ctx, challenge.Client{}, h.open(token)); err != nil || h.open(token).Exists() {
		t.Errorf("I-16: %v", err)
	}
	if got := h.Audit.Take(); !slices.Equal(got, []audit.Name{audit.Logout}) {
		t.Errorf("I-21: %v", got)
	}
	if err := h.logins.Logout(ctx, challenge.Client{}, h.open(token)); err != nil || len(h.Audit.Take()) != 0 {
		t.Errorf("logging nobody out: %v", err)
	}
	out, err := h.password("alice", password)
	if err != nil {
		t.Fatal(err)
	}
	h.Audit.Take()
	if err := h.logins.Logout(ctx, challenge.Client{}, h.open(out.Token)); err != nil || h.open(out.Token).Exists() {
		t.Error(err)
	}
	if got := h.Audit.Take(); !slices.Equal(got, []audit.Name{audit.LoginCancelled}) {
		t.Errorf("I-21: %v", got)
	}
	s, err := h.logins.CreateAnonymous(ctx, challenge.Cookie, out.Token, []byte("cart"))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.logins.Logout(ctx, challenge.Client{}, s); err != nil || h.open(out.Token).Exists() {
		t.Error(err)
	}
	if _, err := h.logins.CreateAnonymous(ctx, challenge.Cookie, "short", nil); err == nil {
		t.Error("app data under what is no token")
	}
	if err := h.logins.SaveData(ctx, &challenge.Session{}, nil); !errors.Is(err, challenge.ErrEnded) {
		t.Error(err)
	}
}

func TestI16OfTwoWritersOfAppDataNoneBringsALoginBack(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	token := h.loginCarol()
	a, b := h.open(token), h.open(token)
	if err := h.logins.SaveData(ctx, a, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := h.logins.SaveData(ctx, b, []byte("second")); err != nil { // read before the first was written
		t.Fatal(err)
	}
	if got := string(h.open(token).Data()); got != "second" {
		t.Errorf("the data is %q", got)
	}
	h.Clock.Advance(2 * time.Minute)
	if err := h.logins.Touch(ctx, challenge.Client{}, a); err != nil {
		t.Fatal(err)
	}
	if got := string(h.open(token).Data()); got != "second" {
		t.Errorf("a touch from an older reading wrote older data: %q", got)
	}
}
