package challenge_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

func (h *house) basic(name, pw string, code ...string) (*challenge.Login, error) {
	h.t.Helper()
	in := challenge.BasicInput{Name: name, Password: []byte(pw)}
	if len(code) > 0 {
		in.Code = &code[0]
	}
	return h.logins.Basic(context.Background(), challenge.Client{}, in)
}

func TestBasicIsForMachinesAndForPeopleWithACode(t *testing.T) {
	h := build(t)
	h.Users.Add(challenge.Account{ID: "8", Name: "retired", Service: true, Disabled: true}, password)
	for _, c := range []struct {
		name, user, pw string
		code           []string
		want           error
		events         []audit.Name
	}{
		{"a machine", "reports", password, nil, nil, []audit.Name{audit.CredentialUsed}},
		{"a machine with a wrong password", "reports", "wrong", nil, challenge.ErrRefused, []audit.Name{audit.InvalidPassword}},
		{"a machine with a code", "reports", password, []string{"123456"}, challenge.ErrRefused, []audit.Name{audit.LoginRefused}},
		{"a machine that is disabled", "retired", password, nil, challenge.ErrRefused, []audit.Name{audit.LoginRefused}},
		{"a person without a code", "alice", password, nil, challenge.ErrRefused, []audit.Name{audit.LoginRefused}},
		{"a person who needs none", "dave", password, nil, challenge.ErrRefused, []audit.Name{audit.LoginRefused}},
		{"a person with a wrong code", "alice", password, []string{"000000"}, challenge.ErrWrongCode, []audit.Name{audit.InvalidCode}},
		{"a person with what is no code", "alice", password, []string{"x"}, challenge.ErrMalformed, []audit.Name{audit.MalformedCode}},
		{"a person with an empty code", "alice", password, []string{""}, challenge.ErrMalformed, []audit.Name{audit.MalformedCode}},
		{"a person with a wrong password and a right code", "alice", "wrong", []string{h.totp(0)}, challenge.ErrRefused, []audit.Name{audit.InvalidPassword}},
		{"a person who needs no code and shows one", "dave", password, []string{"123456"}, challenge.ErrRefused, []audit.Name{audit.CredentialRefused}},
		{"nobody", "nobody", password, []string{"123456"}, challenge.ErrRefused, []audit.Name{audit.UnknownUser}},
		{"a person with a right code", "alice", password, []string{h.totp(0)}, nil, []audit.Name{audit.CodeValidated, audit.CredentialUsed}},
	} {
		h.Audit.Take()
		login, err := h.basic(c.user, c.pw, c.code...)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || (login == nil) == (err == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := h.Audit.Take(); !slices.Equal(got, c.events) {
			t.Errorf("I-21: %s: %v", c.name, got)
		}
	}
}

func TestI01BasicMakesNoLogin(t *testing.T) {
	h := build(t)
	login, err := h.basic("alice", password, h.totp(0))
	if err != nil {
		t.Fatal(err)
	}
	if !h.logins.FreshWithin(login, time.Second) || !login.SecondFactor || login.Service || login.ID != "" {
		t.Errorf("one request's login: %+v", login.MethodNames())
	}
	machine, err := h.basic("reports", password)
	if err != nil || !machine.Service || machine.SecondFactor || h.logins.FreshWithin(machine, time.Hour) {
		t.Errorf("a machine's: %v", err)
	}
	for _, id := range []string{"1", "7"} {
		if r := h.record(id); len(r.Logins) != 0 || r.Devices != 0 {
			t.Errorf("I-01: Basic made a login: %+v", r)
		}
	}
}

func TestAMachinesVerdictIsKeptForAMinuteAndNoLonger(t *testing.T) {
	store := &spied{}
	h := build(t, func(c *challenge.Config) { store.Store, c.Store = c.Store, store })
	check := func(want error, compared int, why string) {
		t.Helper()
		if _, err := h.basic("reports", password); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%s: %v", why, err)
		}
		if n := h.Passwords.Compared("7"); n != compared {
			t.Errorf("%s: %d passwords compared, want %d", why, n, compared)
		}
	}
	check(nil, 1, "the first time")
	store.take()
	check(nil, 1, "again")
	if got := store.take(); !slices.Equal(got, []string{"load"}) {
		t.Errorf("a kept verdict cost %v", got)
	}
	if _, err := h.basic("reports", password+"x"); !errors.Is(err, challenge.ErrRefused) {
		t.Errorf("another password after a kept verdict: %v", err)
	}
	if _, err := h.basic("reports", ""); !errors.Is(err, challenge.ErrRefused) {
		t.Errorf("no password after a kept verdict: %v", err)
	}
	h.Clock.Advance(time.Minute - 1)
	check(nil, 3, "in its last nanosecond")
	h.Clock.Advance(1)
	check(nil, 4, "after a minute")

	ctx := context.Background()
	if err := h.logins.AccountChanged(ctx, challenge.Client{}, "7", "password changed", "admin"); err != nil {
		t.Fatal(err)
	}
	check(nil, 5, "after a change of the account (the password is still right)")
	h.Users.Change("7", func(a *challenge.Account) { a.Disabled = true })
	check(challenge.ErrRefused, 6, "disabled in the app's table")
	h.Users.Change("7", func(a *challenge.Account) { a.Disabled, a.Service = false, false })
	check(challenge.ErrRefused, 7, "a person's account now")
	h.Users.Change("7", func(a *challenge.Account) { a.Service = true })
	check(nil, 7, "a machine's again, within the minute")
	if err := h.logins.Block(ctx, "7", "admin"); err != nil {
		t.Fatal(err)
	}
	check(challenge.ErrRefused, 8, "blocked by an administrator")
	if err := h.logins.Unblock(ctx, "7", "admin"); err != nil {
		t.Fatal(err)
	}
	check(nil, 9, "unblocked")
	h.Users.Fail(errors.New("table down"))
	check(challenge.ErrUnavailable, 9, "I-20: with the user table down")
	h.Users.Fail(nil)
	h.Users.Remove("7")
	check(challenge.ErrRefused, 9, "gone")
	if n := h.Passwords.Compared(""); n != 1 {
		t.Errorf("I-10: %d dummies for an account that is gone", n)
	}
}

func TestIdenticalCredentialsOfAMachineInFlightAreVerifiedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var compared atomic.Int32
		h := build(t, func(c *challenge.Config) {
			c.Passwords = checkedBy(func(a challenge.Account, pw []byte) (challenge.PasswordMatch, error) {
				time.Sleep(time.Second)
				compared.Add(1)
				return challenge.PasswordMatch{OK: a.ID == "7" && string(pw) == password}, nil
			})
		})
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if _, err := h.basic("reports", password); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if compared.Load() != 1 {
			t.Errorf("%d verified", compared.Load())
		}
		if n := h.Audit.Count(audit.CredentialUsed); n != 1 {
			t.Errorf("%d events of one verification", n)
		}
	})
}

func TestI07IdenticalWrongCredentialsOfAMachineAreNotShared(t *testing.T) {
	h := build(t)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if _, err := h.basic("reports", "wrong"); err == nil {
				t.Error("let in")
			}
		})
	}
	wg.Wait()
	if n, dummies := h.Passwords.Compared("7"), h.Passwords.Compared(""); n != 3 || n+dummies != 200 {
		t.Errorf("I-07: %d compared, %d dummies", n, dummies)
	}
}

func TestI23KeptVerdictsAreBounded(t *testing.T) {
	h := build(t)
	for i := range 5000 {
		name := fmt.Sprint("machine", i)
		h.Users.Add(challenge.Account{ID: name, Name: name, Service: true}, password)
		if _, err := h.basic(name, password); err != nil {
			t.Fatal(err)
		}
	}
	if n := h.logins.KeptVerdicts(); n > 4096 {
		t.Errorf("I-23: %d verdicts are kept", n)
	}
	if _, err := h.basic("machine4999", password); err != nil || h.Passwords.Compared("machine4999") != 2 {
		t.Errorf("a machine that found no room is verified again: %v", err)
	}
	h.Clock.Advance(time.Minute)
	if _, err := h.basic("machine4999", password); err != nil || h.logins.KeptVerdicts() > 1 {
		t.Errorf("old verdicts make room: %d are kept", h.logins.KeptVerdicts())
	}
}

func TestARecoveryCodeServesOneRequest(t *testing.T) {
	h := build(t)
	codes, err := h.logins.MakeRecoveryCodes(context.Background(), challenge.Client{}, "1")
	if err != nil {
		t.Fatal(err)
	}
	var wins atomic.Int32
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := h.basic("alice", password, codes[0]); err == nil {
				wins.Add(1)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Errorf("I-14: one recovery code served %d requests", wins.Load())
	}
}

func TestI16APersonsBasicEndsWithTheAccount(t *testing.T) {
	for _, how := range []string{"logged out everywhere", "blocked"} {
		for at := 1; ; at++ {
			b := new(between)
			h := build(t, func(c *challenge.Config) { b.Store, c.Store = c.Store, b })
			b.n, b.at, b.do = 0, at, func() {
				err := h.logins.LogoutEverywhere(context.Background(), challenge.Client{}, "1")
				if how == "blocked" {
					err = h.logins.Block(context.Background(), "1", "admin")
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			_, err := h.basic("alice", password, h.totp(0))
			if b.n < at {
				if err != nil || at < 8 {
					t.Errorf("with nobody in between: %v (%d places)", err, at-1)
				}
				break
			}
			// Before the spend it is as if it had come first. The last operation is the promotion of this request.
			if late := at > 2; how == "blocked" && err == nil || late && err == nil {
				t.Errorf("I-16: %s before operation %d: served", how, at)
			}
		}
	}
}

// basicFrom is basic from an address.
func (h *house) basicFrom(addr, pw string) error {
	_, err := h.logins.Basic(context.Background(), challenge.Client{Addr: netip.MustParseAddr(addr)}, challenge.BasicInput{Name: "reports", Password: []byte(pw)})
	return err
}

func TestI11StrangersCannotLockAMachineOutOfTheNetworkItIsKnownFrom(t *testing.T) {
	h := build(t)
	if err := h.basicFrom("2001:db8:1:2::3", password); err != nil {
		t.Fatal(err)
	}
	block := func() {
		for i := range 3 {
			_ = h.basicFrom(fmt.Sprintf("198.51.100.%d", i), "wrong") // as Basic
			_, _ = h.password("reports", "wrong")                     // and at the login page
		}
	}
	for day := range 400 { // strangers keep at it for more than the 180 days that a device is known
		h.Clock.Advance(24 * time.Hour)
		block()
		if err := h.basicFrom("198.51.100.200", password); !errors.Is(err, challenge.ErrRefused) {
			t.Fatalf("day %d: the block is not there, this test proves nothing: %v", day, err)
		}
		if err := h.basicFrom("2001:db8:1:2:ffff::9", password); err != nil { // the same /64
			t.Fatalf("I-11: day %d: the machine is locked out: %v", day, err)
		}
	}
	if r := h.record("7"); r.Devices != 1 {
		t.Errorf("%d networks are known", r.Devices)
	}

	// What is known gives no more guesses than anybody has.
	h.Clock.Advance(time.Hour)
	compared := h.Passwords.Compared("7")
	for range 10 {
		_ = h.basicFrom("2001:db8:1:2::3", "wrong")
	}
	if n := h.Passwords.Compared("7") - compared; n != 3 {
		t.Errorf("I-08: %d wrong passwords from the known network were compared", n)
	}
	if err := h.basicFrom("2001:db8:1:2::3", password); !errors.Is(err, challenge.ErrRefused) || errors.As(err, new(*challenge.BlockedError)) {
		t.Errorf("I-10: whoever shares a network with a machine learns that its name exists: %v", err)
	}
}

func TestI11ANetworkBecomesKnownByARightPasswordOnly(t *testing.T) {
	h := build(t)
	for range 2 {
		_ = h.basicFrom("192.0.2.1", "wrong")
	}
	if r := h.record("7"); r.Devices != 0 {
		t.Fatalf("I-11: %d networks are known by wrong passwords", r.Devices)
	}
	// A person's network is nobody's: only the device cookie tells people apart (I-11).
	_, _ = h.logins.Basic(context.Background(), challenge.Client{Addr: address(1)}, challenge.BasicInput{Name: "alice", Password: []byte(password)})
	if r := h.record("1"); r.Devices != 0 {
		t.Errorf("I-11: %d networks of a person are known", r.Devices)
	}
	// Each network of a machine becomes known, while its verdict is kept too, up to eight.
	for i := range 12 {
		if err := h.basicFrom(fmt.Sprintf("192.0.2.%d", i), password); err != nil {
			t.Fatal(err)
		}
	}
	if r := h.record("7"); r.Devices != 8 {
		t.Errorf("I-23: %d networks are known", r.Devices)
	}
	if n := h.Passwords.Compared("7"); n != 3 {
		t.Errorf("%d passwords were compared: a kept verdict serves every network", n)
	}
}

func TestI08AMachinesRightPasswordGivesStrangersNoNewGuesses(t *testing.T) {
	h := build(t)
	for minute := range 4 {
		_ = h.basicFrom("198.51.100.1", "wrong")
		if err := h.basicFrom("192.0.2.1", password); err != nil {
			t.Fatalf("minute %d: %v", minute, err)
		}
		h.Clock.Advance(time.Minute)
	}
	if r := h.record("7"); r.PasswordWrong != 3 {
		t.Errorf("I-08: strangers have %d of 3 wrong guesses on their account", r.PasswordWrong)
	}
}
