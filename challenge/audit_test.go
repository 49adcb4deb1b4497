package challenge_test

import (
	"context"
	"encoding/base32"
	"encoding/base64"
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
)

func TestI21EveryDecisionLeavesItsOneEvent(t *testing.T) {
	ctx := context.Background()
	must := func(h *house) func(out challenge.Outcome, err error) string {
		return func(out challenge.Outcome, err error) string {
			h.t.Helper()
			if err != nil {
				h.t.Fatal(err)
			}
			return out.Token
		}
	}
	// The names are those of the lines that the Mendix module writes, and of the table in the manual: not our constants.
	for _, c := range []struct {
		name    string
		prepare func(h *house)
		do      func(h *house)
		want    string
	}{
		{"login by mail: password", nil, func(h *house) { _, _ = h.password("carol", password) }, "password validated, MFA code created"},
		{"login by mail: code", func(h *house) { h.token = must(h)(h.password("carol", password)) },
			func(h *house) { _, _ = h.verify(h.token, h.Outbox.Code("carol@example.com")) }, "MFA validated, user login with MFA"},
		{"login that needs no code", nil, func(h *house) { _, _ = h.password("dave", password) }, "password validated, user login without MFA"},
		{"unknown name", nil, func(h *house) { _, _ = h.password("Henk", password) }, "unknown user"},
		{"wrong password", nil, func(h *house) { _, _ = h.password("carol", "wrong") }, "invalid password"},
		{"the wrong password that spends the last guess", func(h *house) { _, _ = h.password("carol", "wrong"); _, _ = h.password("carol", "wrong") },
			func(h *house) { _, _ = h.password("carol", "wrong") }, "invalid password, Max login attempts exceeded"},
		{"a try inside the block", func(h *house) {
			for range 3 {
				_, _ = h.password("carol", "wrong")
			}
		}, func(h *house) { _, _ = h.password("carol", password) }, "Max login attempts exceeded"},
		{"the first try after a block", func(h *house) {
			for range 3 {
				_, _ = h.password("carol", "wrong")
			}
			h.Clock.Advance(5 * time.Minute)
		}, func(h *house) { _, _ = h.password("carol", "wrong") }, "guesses released, invalid password"},
		{"wrong code", func(h *house) { h.token = must(h)(h.password("alice", password)) }, func(h *house) { _, _ = h.verify(h.token, "000000") }, "Invalid MFA entered"},
		{"the wrong code that spends the last guess", func(h *house) {
			h.token = must(h)(h.password("alice", password))
			_, _ = h.verify(h.token, "000000")
			_, _ = h.verify(h.token, "000000")
		}, func(h *house) { _, _ = h.verify(h.token, "000000") }, "Invalid MFA entered, Max MFA attempts exceeded"},
		{"a code inside the block", func(h *house) {
			h.token = must(h)(h.password("alice", password))
			for range 3 {
				_, _ = h.verify(h.token, "000000")
			}
		}, func(h *house) { _, _ = h.verify(h.token, h.totp(0)) }, "Max MFA attempts exceeded"},
		{"a right password inside the code block", func(h *house) {
			h.token = must(h)(h.password("alice", password))
			for range 3 {
				_, _ = h.verify(h.token, "000000")
			}
		}, func(h *house) { _, _ = h.password("alice", password) }, "password validated, Max MFA attempts exceeded"},
		{"what cannot be a code", func(h *house) { h.token = must(h)(h.password("alice", password)) }, func(h *house) { _, _ = h.verify(h.token, "x") }, "Malformed MFA entered"},
		{"a code without a pending login", nil, func(h *house) { _, _ = h.verify("", "000000") }, "MFA enabled but no session found"},
		{"a code used before", func(h *house) {
			h.loginAlice()
			h.Clock.Advance(-time.Minute)
			h.token = must(h)(h.password("alice", password))
		},
			func(h *house) { _, _ = h.verify(h.token, h.totp(0)) }, "Replayed MFA entered"},
		{"single shot", nil, func(h *house) {
			code := h.totp(0)
			_, _ = h.logins.Password(ctx, challenge.Client{}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Bearer, Name: "alice", Password: []byte(password), Code: &code})
		}, "password validated, MFA validated, user login with MFA"},
		{"a mail that cannot be sent", func(h *house) { h.Outbox.Fail("email", errInjected) }, func(h *house) { _, _ = h.password("carol", password) }, "password validated, MFA send failed"},
		{"a fallback", func(h *house) { h.Outbox.Fail("sms", errInjected) }, func(h *house) { _, _ = h.password("sam", password) },
			"password validated, MFA send failed, MFA code created, MFA fallback taken"},
		{"a send that has to wait", func(h *house) { must(h)(h.password("carol", password)) }, func(h *house) { _, _ = h.password("carol", password) }, "password validated, MFA send refused"},
		{"another method", func(h *house) { h.token = must(h)(h.password("sam", password)); h.Clock.Advance(time.Minute) },
			func(h *house) { _, _ = h.logins.Resend(ctx, challenge.Client{}, h.open(h.token), "", "email") }, "MFA code created"},
		{"cancel", func(h *house) { h.token = must(h)(h.password("carol", password)) }, func(h *house) { _ = h.logins.Cancel(ctx, challenge.Client{}, h.open(h.token), "") }, "login cancelled"},
		{"logout", func(h *house) { h.token = h.loginDave() }, func(h *house) { _ = h.logins.Logout(ctx, challenge.Client{}, h.open(h.token)) }, "logout"},
		{"a login in a logged-in browser", func(h *house) { h.token = h.loginDave() }, func(h *house) {
			_, _ = h.logins.Password(ctx, challenge.Client{}, h.open(h.token), challenge.PasswordInput{Slot: challenge.Cookie, Name: "dave", Password: []byte(password)})
		}, "password validated, logout, user login without MFA"},
		{"logout everywhere", nil, func(h *house) { _ = h.logins.LogoutEverywhere(ctx, challenge.Client{}, "4") }, "logout everywhere"},
		{"an idle login", func(h *house) { h.token = h.loginDave(); h.Clock.Advance(time.Hour) }, func(h *house) { h.open(h.token); h.open(h.token) }, "session ended"},
		{"block", nil, func(h *house) { _ = h.logins.Block(ctx, "4", "admin") }, "account blocked"},
		{"unblock", nil, func(h *house) { _ = h.logins.Unblock(ctx, "4", "admin") }, "account unblocked"},
		{"a blocked account", func(h *house) { _ = h.logins.Block(ctx, "4", "admin") }, func(h *house) { _, _ = h.password("dave", password) }, "login refused"},
		{"import", nil, func(h *house) { _ = h.logins.ImportTOTP(ctx, "4", secret, "") }, "second factor imported"},
		{"recovery codes", nil, func(h *house) { _, _ = h.logins.MakeRecoveryCodes(ctx, challenge.Client{}, "1") }, "recovery codes created"},
		{"step-up", func(h *house) { h.token = h.loginAlice() }, func(h *house) { _, _ = h.stepUp(h.token, "", h.totp(0)) }, "MFA validated, fresh authentication"},
		{"step-up by password", func(h *house) { h.token = h.loginDave() }, func(h *house) { _, _ = h.stepUp(h.token, "", password) }, "password confirmed, fresh authentication"},
		{"step-up with a wrong code", func(h *house) { h.token = h.loginAlice() }, func(h *house) { _, _ = h.stepUp(h.token, "", "000000") }, "Invalid MFA entered"},
		{"another way in", nil, func(h *house) {
			_, _ = h.logins.Enter(ctx, challenge.Client{}, &challenge.Session{}, challenge.Cookie, "1", challenge.FirstFactor{Method: "oidc"})
		}, "first factor accepted, MFA code created"},
		{"a pending login whose account changed", func(h *house) {
			h.token = must(h)(h.password("alice", password))
			_ = h.logins.LogoutEverywhere(ctx, challenge.Client{}, "1")
		}, func(h *house) { _, _ = h.verify(h.token, h.totp(0)) }, "login refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := build(t)
			if c.prepare != nil {
				c.prepare(h)
			}
			h.Audit.Take()
			c.do(h)
			var got []string
			for _, e := range h.Audit.Events() {
				got = append(got, string(e.Name))
				if e.Time.IsZero() || e.UserID == "" && e.User == "" && e.Name != audit.NoPendingLogin {
					t.Errorf("I-21: %q says neither when nor who: %+v", e.Name, e)
				}
			}
			if s := strings.Join(got, ", "); s != c.want {
				t.Errorf("I-21:\n got %s\nwant %s", s, c.want)
			}
		})
	}
}

func TestI21AnEventSaysWhoWhereAndWhat(t *testing.T) {
	h := build(t)
	c := challenge.Client{Addr: address(9), UserAgent: "curl/8", RequestID: "req-1"}
	_, err := h.logins.Password(context.Background(), c, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: "CAROL", Password: []byte("wrong")})
	if err == nil {
		t.Fatal("let in")
	}
	e := h.Audit.Events()[0]
	want := audit.Event{Time: h.Clock.Now(), Name: audit.InvalidPassword, Outcome: audit.Failure, User: "carol", UserID: "3", Client: address(9), UserAgent: "curl/8", RequestID: "req-1", Method: "password"}
	if e != want {
		t.Errorf("I-21:\n got %+v\nwant %+v", e, want)
	}
	if err := h.logins.Block(context.Background(), "3", "the administrator"); err != nil {
		t.Fatal(err)
	}
	if e := h.Audit.Events()[1]; e.Actor != "the administrator" || e.User != "carol" {
		t.Errorf("%+v", e)
	}
}

// sink is a recorder that does as it is told.
type sink struct {
	mu sync.Mutex
	n  int
	do func(n int) error
}

func (s *sink) Record(context.Context, audit.Event) error {
	s.mu.Lock()
	s.n++
	n := s.n
	s.mu.Unlock()
	return s.do(n)
}

func TestI21AFailingSinkIsCountedAndChangesNothingElse(t *testing.T) {
	for name, do := range map[string]func(int) error{
		"fails":  func(int) error { return errInjected },
		"panics": func(int) error { panic("sink") },
	} {
		for _, f := range flows {
			s := &sink{do: func(int) error { return nil }}
			h := build(t, func(c *challenge.Config) { c.Audit = s })
			if f.prepare != nil {
				f.prepare(h)
			}
			s.do, s.n = do, 0
			token, err := f.run(h)
			h.alive(t, name, token, err)
			if err != nil {
				t.Errorf("I-21: %s, sink that %s: %v", f.name, name, err)
			}
			if int(h.logins.LostEvents()) != s.n || s.n == 0 {
				t.Errorf("I-21: %s: %d events, %d counted as lost", f.name, s.n, h.logins.LostEvents())
			}
		}
	}
}

func TestI21AuditRequiredDeniesWhatCannotBeRecorded(t *testing.T) {
	for _, f := range flows {
		events := 0
		for at := 1; ; at++ {
			s := &sink{do: func(int) error { return nil }}
			h := build(t, func(c *challenge.Config) { c.Audit, c.AuditRequired = s, true })
			if f.prepare != nil {
				f.prepare(h)
			}
			s.n, s.do = 0, func(n int) error {
				if n == at {
					return errInjected
				}
				return nil
			}
			token, err := f.run(h)
			h.alive(t, fmt.Sprintf("%s, event %d is lost", f.name, at), token, err)
			if s.n < at {
				if err != nil {
					t.Errorf("%s with every event recorded: %v", f.name, err)
				}
				break
			}
			events++
			if !errors.Is(err, challenge.ErrUnavailable) {
				t.Errorf("I-21: %s: event %d could not be recorded: %v", f.name, at, err)
			}
			// Nobody is logged in by what was not recorded. Before its last event a step-up's login is the one from before.
			for _, id := range []string{"1", "3", "4", "5", "7"} {
				for _, key := range h.record(id).Logins {
					raw, err := h.store.Load(context.Background(), key)
					if err != nil {
						t.Fatal(err)
					}
					if raw != nil && (f.name != "step-up" || at > 1) {
						t.Errorf("I-21: %s: event %d could not be recorded, and a login is alive", f.name, at)
					}
				}
			}
		}
		if events == 0 {
			t.Errorf("%s leaves no event", f.name)
		}
	}
}

func TestI21AStuckSinkHoldsADecisionForASecondAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := &sink{do: func(int) error { return nil }}
		h := build(t, func(c *challenge.Config) { c.Audit = s })
		s.do, s.n = func(int) error { <-release; return nil }, 0
		began := time.Now()
		if _, err := h.password("carol", "wrong"); !errors.Is(err, challenge.ErrRefused) { // one event
			t.Errorf("I-21: %v", err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("I-21: a decision with one event took %v", took)
		}
		began = time.Now()
		token, err := flows[0].run(h)
		h.alive(t, "a stuck sink", token, err)
		if err != nil || time.Since(began) > 4*time.Second { // password, code created, code right, login
			t.Errorf("I-21: a login with four events took %v: %v", time.Since(began), err)
		}
		// When many calls are stuck, one more waits no longer than the first, and nothing grows.
		for range 100 {
			_ = h.logins.CheckPassword(context.Background(), challenge.Client{}, "4", []byte(password))
		}
		began = time.Now()
		if err := h.logins.CheckPassword(context.Background(), challenge.Client{}, "4", []byte(password)); err != nil || time.Since(began) > time.Second {
			t.Errorf("I-21: after a hundred stuck events one more took %v: %v", time.Since(began), err)
		}
		s.mu.Lock()
		if s.n > 64 {
			t.Errorf("I-23: %d goroutines wait for the sink", s.n)
		}
		s.mu.Unlock()
		close(release)
		synctest.Wait()
		if _, err := h.password("dave", "wrong"); !errors.Is(err, challenge.ErrRefused) {
			t.Error(err)
		}
		if lost := h.logins.LostEvents(); lost != 106 {
			t.Errorf("I-21: %d events are counted as lost", lost)
		}
	})
}

func TestI21AuditRequiredDeniesWhatAFullQueueCannotTake(t *testing.T) {
	for _, drop := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			stuck := &sink{do: func(int) error { <-release; return nil }}
			queue, err := audit.NewQueue(stuck, audit.QueueOptions{Size: 4, DropWhenFull: drop})
			if err != nil {
				t.Fatal(err)
			}
			h := build(t, func(c *challenge.Config) { c.Audit, c.AuditRequired = queue, true })
			began, n := time.Now(), 0
			for ; n < 10 && err == nil; n++ {
				err = h.logins.CheckPassword(context.Background(), challenge.Client{}, "4", []byte(password))
			}
			if drop && err != nil {
				t.Errorf("a queue that drops denied: %v", err)
			}
			if !drop && (!errors.Is(err, challenge.ErrUnavailable) || !errors.Is(err, audit.ErrQueueFull) || n == 10) {
				t.Errorf("I-21: after %d decisions: %v", n, err)
			}
			if queue.Dropped() == 0 || time.Since(began) > 2*time.Second {
				t.Errorf("I-21: %d dropped, after %v", queue.Dropped(), time.Since(began))
			}
			if lost := h.logins.LostEvents(); drop != (lost == 0) {
				t.Errorf("I-21: drop %v, and %d events are counted as lost", drop, lost)
			}
			close(release)
			if err := queue.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

// secrets are collected on a walk through everything, and looked for afterwards.
type secrets struct{ all []string }

func (s *secrets) add(values ...string) {
	for _, v := range values {
		if len(v) >= 6 && !slices.Contains(s.all, v) {
			s.all = append(s.all, v)
		}
	}
}

func (s *secrets) in(t *testing.T, where, text string) {
	t.Helper()
	for _, v := range s.all {
		if strings.Contains(text, v) {
			t.Errorf("%s holds the secret %q", where, v)
		}
	}
}

// dumped is a store that keeps whatever was ever written, and under which key.
type dumped struct {
	challenge.Store
	mu  sync.Mutex
	all strings.Builder
}

func (d *dumped) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error) {
	d.mu.Lock()
	d.all.WriteString(key)
	d.all.WriteByte('\n')
	d.all.Write(new)
	d.all.WriteByte('\n')
	d.mu.Unlock()
	return d.Store.CompareAndSwap(ctx, key, old, new, expires)
}

func (d *dumped) Volatile() bool { return true }

func TestI05I21NoSecretIsInTheStoreOrInAnEventOrInAnError(t *testing.T) {
	store := &dumped{}
	h := build(t, func(c *challenge.Config) { store.Store, c.Store = c.Store, store })
	ctx := context.Background()
	var found secrets
	var said strings.Builder
	show := func(values ...any) {
		for _, v := range values {
			fmt.Fprintf(&said, "%v\n%+v\n%#v\n%s\n%q\n", v, v, v, v, v)
		}
	}
	wrong := "wrong-horse-battery"
	device := strings.Repeat("dEv1", 10) + "abc"
	found.add(password, wrong, secret, device)
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	found.add(string(raw))
	for _, id := range []uint32{1} {
		k := challengetest.Key(id)
		found.add(string(k.Secret[:]))
		show(k, &k)
	}
	token := func(out challenge.Outcome) {
		if out.Token == "" {
			return
		}
		raw, err := base64.RawURLEncoding.DecodeString(out.Token)
		if err != nil {
			t.Fatal(err)
		}
		found.add(out.Token, string(raw), out.Device)
		for _, c := range out.RecoveryCodes {
			found.add(c, strings.ReplaceAll(c, "-", ""))
		}
		show(out, &out, out.Session)
		if p, ok := out.Session.Pending(); ok {
			show(*p, p, p.Prompt)
		}
		if l, ok := out.Session.Login(); ok {
			show(*l, l)
		}
	}
	client := challenge.Client{Addr: address(1), UserAgent: "curl", Device: device}
	in := func(name, pw string, code *string) (challenge.Outcome, error) {
		input := challenge.PasswordInput{Slot: challenge.Cookie, Name: name, Password: []byte(pw), Code: code}
		out, err := h.logins.Password(ctx, client, &challenge.Session{}, input)
		show(input, &input, err, client, &client)
		token(out)
		return out, err
	}
	verify := func(tok, code string) challenge.Outcome {
		input := challenge.CodeInput{Code: code}
		out, err := h.logins.Verify(ctx, client, h.open(tok), input)
		found.add(code)
		show(input, &input, err)
		token(out)
		return out
	}

	for _, name := range []string{"carol", "nobody", "alice", "dave", "sam", "erin", "reports"} {
		_, _ = in(name, wrong, nil)
	}
	for _, name := range []string{"carol", "sam", "erin", "alice"} {
		h.Clock.Advance(time.Minute)
		out, err := in(name, password, nil)
		if err != nil {
			t.Fatal(err)
		}
		verify(out.Token, "918273")
		verify(out.Token, "abc-not-a-code-"+name)
		a, err := h.Users.ByID(ctx, map[string]string{"carol": "3", "sam": "6", "erin": "5", "alice": "1"}[name])
		if err != nil {
			t.Fatal(err)
		}
		show(a, &a)
		switch name {
		case "alice":
			out = verify(out.Token, h.totp(0))
			verify(out.Token, h.totp(0))
		case "sam":
			out = verify(out.Token, h.Outbox.Code(a.Phone))
		default:
			out = verify(out.Token, h.Outbox.Code(a.Email))
		}
		if name == "erin" {
			e, err := h.logins.Enrolling(ctx, client, out.Session)
			if err != nil {
				t.Fatal(err)
			}
			found.add(e.Key, ungrouped(e.Key), e.URI, string(e.Data))
			show(e, &e)
			made, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(ungrouped(e.Key))
			if err != nil {
				t.Fatal(err)
			}
			found.add(string(made))
			out = verify(out.Token, h.codeOf(ungrouped(e.Key), 0))
			if len(out.RecoveryCodes) == 0 {
				t.Fatal("the walk does not enrol")
			}
		}
		if _, ok := out.Session.Login(); !ok {
			t.Fatalf("the walk does not log %s in", name)
		}
		h.Clock.Advance(time.Minute)
		if _, err := h.logins.BeginStepUp(ctx, client, h.open(out.Token), "", false); err != nil {
			t.Fatal(err)
		}
		_, err = h.logins.StepUp(ctx, client, h.open(out.Token), challenge.CodeInput{Code: "192837"})
		found.add("192837")
		show(err)
	}
	codes, err := h.logins.MakeRecoveryCodes(ctx, client, "1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range codes {
		found.add(c, strings.ReplaceAll(c, "-", ""))
	}
	_, _ = in("alice", password, &codes[0])
	_, _ = in("alice", password, &codes[0])
	for _, pw := range []string{password, wrong} {
		basic := challenge.BasicInput{Name: "reports", Password: []byte(pw)}
		l, err := h.logins.Basic(ctx, client, basic)
		show(basic, &basic, err)
		if l != nil {
			show(*l)
		}
	}
	h.Outbox.Fail(challenge.ChannelEmail, fmt.Errorf("the carrier's answer is not ours to keep secret"))
	h.Clock.Advance(time.Minute)
	_, _ = in("carol", password, nil)
	h.Users.Fail(errInjected)
	_, _ = in("carol", password, nil)
	h.Users.Fail(nil)
	for _, m := range h.Outbox.Messages() {
		found.add(string(m.Code))
		show(m, &m, m.Code)
	}
	if len(found.all) < 60 || len(h.Audit.Events()) < 40 {
		t.Fatalf("the walk is short: %d secrets, %d events", len(found.all), len(h.Audit.Events()))
	}

	found.in(t, "I-21: what was printed", said.String())
	for _, e := range h.Audit.Events() {
		found.in(t, "I-21: an event", fmt.Sprintf("%+v", e))
		for _, name := range []string{"datadog", "json", "ecs", "ocsf"} {
			f, ok := audit.FormatByName(name)
			if !ok {
				t.Fatal(name)
			}
			found.in(t, "I-21: a line of "+name, string(f(nil, e)))
		}
	}
	store.mu.Lock()
	dump := store.all.String()
	store.mu.Unlock()
	if len(dump) < 10_000 {
		t.Fatalf("the dump is short: %d bytes", len(dump))
	}
	found.in(t, "I-05: the store", dump)
	for _, to := range []string{"carol@example.com", "+31600000001"} {
		if strings.Contains(dump, to) {
			t.Errorf("the store holds the destination %s", to)
		}
	}
}
