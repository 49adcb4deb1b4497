package challenge_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
)

const tablet = "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"

// own is a house in which alice has an address, two authenticator apps and recovery codes, and notices go to a box of their own.
type own struct {
	*house
	mails  *challengetest.Outbox
	codes  []string
	device string
	read   int // of the mails
}

func owned(t *testing.T, change ...func(*challenge.Config)) *own {
	t.Helper()
	o := &own{mails: new(challengetest.Outbox)}
	o.house = build(t, append([]func(*challenge.Config){func(c *challenge.Config) {
		c.Notices, c.TrustDevices = o.mails, 7*24*time.Hour
	}}, change...)...)
	o.Users.Change("1", func(a *challenge.Account) { a.Email, a.Language = "alice@example.com", "nl" })
	if err := o.logins.ImportTOTP(ctx, "1", tablet, "tablet"); err != nil {
		t.Fatal(err)
	}
	var err error
	if o.codes, err = o.logins.MakeRecoveryCodes(ctx, challenge.Client{}, "1"); err != nil {
		t.Fatal(err)
	}
	o.take()
	return o
}

var ctx = context.Background()

// take forgets the events so far, those of mails under way too.
func (o *own) take() []audit.Name {
	o.logins.WaitForNotices()
	return o.Audit.Take()
}

// by logs alice in on a client, by a code, a minute after whatever was before.
func (o *own) by(c challenge.Client, code func() string) challenge.Outcome {
	o.t.Helper()
	o.Clock.Advance(time.Minute)
	out := o.on("alice", c)
	out, err := o.logins.Verify(ctx, c, o.open(out.Token), challenge.CodeInput{Code: code()})
	if err != nil {
		o.t.Fatal(err)
	}
	return out
}

func (o *own) byTablet() string {
	return o.by(challenge.Client{}, func() string { return o.codeOf(tablet, 0) }).Token
}

// id is that of the authenticator with a name.
func (o *own) id(name string) string {
	o.t.Helper()
	s, err := o.logins.Security(ctx, challenge.Client{}, "1")
	if err != nil {
		o.t.Fatal(err)
	}
	for _, f := range s.Factors {
		if f.Name == name {
			return f.ID
		}
	}
	o.t.Fatalf("no authenticator is called %q", name)
	return ""
}

// begin begins an enrolment and gives what confirms it: a secret of an app, or a code that was sent.
func (o *own) begin(token string, in challenge.EnrolInput) (string, error) {
	made, err := o.logins.BeginEnrolment(ctx, challenge.Client{}, o.open(token), in)
	if err != nil {
		return "", err
	}
	if in.Destination != "" {
		return o.Outbox.Code(in.Destination), nil
	}
	return ungrouped(made.Enrolment.Key), nil
}

func (o *own) confirm(token, code string) (challenge.Outcome, error) {
	return o.logins.ConfirmEnrolment(ctx, challenge.Client{}, o.open(token), code)
}

func (o *own) passwordAgain(token, pw string) (challenge.Outcome, error) {
	return o.logins.ConfirmPassword(ctx, challenge.Client{}, o.open(token), "", []byte(pw))
}

// change is one thing that a person changes of how they log in. do gives the token that the login goes on under.
type change struct {
	name     string
	removing bool
	ends     bool // other logins and trusted devices
	event    audit.Name
	mail     string // a word of the notice
	do       func(o *own, token string) (string, error)
}

var changes = []change{
	{"add an app", false, true, audit.FactorEnrolled, "toegevoegd", func(o *own, token string) (string, error) {
		s, err := o.begin(token, challenge.EnrolInput{Method: "totp", Name: "new"})
		if err != nil {
			return "", err
		}
		out, err := o.confirm(token, o.codeOf(s, 0))
		return out.Token, err
	}},
	{"add an address", false, true, audit.FactorEnrolled, "toegevoegd", func(o *own, token string) (string, error) {
		o.Clock.Advance(time.Minute)
		code, err := o.begin(token, challenge.EnrolInput{Method: "email", Destination: "alice@work.example"})
		if err != nil {
			return "", err
		}
		out, err := o.confirm(token, code)
		return out.Token, err
	}},
	{"add a number", false, true, audit.FactorEnrolled, "toegevoegd", func(o *own, token string) (string, error) {
		o.Clock.Advance(time.Minute)
		code, err := o.begin(token, challenge.EnrolInput{Method: "sms", Destination: "+31612345678"})
		if err != nil {
			return "", err
		}
		out, err := o.confirm(token, code)
		return out.Token, err
	}},
	{"remove", true, true, audit.FactorRemoved, "verwijderd", func(o *own, token string) (string, error) {
		out, err := o.logins.RemoveFactor(ctx, challenge.Client{}, o.open(token), o.id("phone"))
		return out.Token, err
	}},
	{"new recovery codes", true, true, audit.RecoveryCodesMade, "toegevoegd", func(o *own, token string) (string, error) {
		out, err := o.logins.RenewRecoveryCodes(ctx, challenge.Client{}, o.open(token))
		return out.Token, err
	}},
	{"rename", true, false, audit.FactorRenamed, "", func(o *own, token string) (string, error) {
		return token, o.logins.RenameFactor(ctx, challenge.Client{}, o.open(token), o.id("phone"), "old phone")
	}},
	{"prefer", true, false, audit.FactorPreferred, "", func(o *own, token string) (string, error) {
		return token, o.logins.Prefer(ctx, challenge.Client{}, o.open(token), "email")
	}},
	{"forget the known devices", true, false, audit.DeviceForgotten, "", func(o *own, token string) (string, error) {
		return token, o.logins.ForgetDevice(ctx, challenge.Client{}, o.open(token), "")
	}},
}

func (o *own) enrolments() string {
	raw, err := o.store.Load(ctx, challenge.EnrolmentsKey("1"))
	if err != nil {
		o.t.Fatal(err)
	}
	return string(raw)
}

func TestI02APendingLoginOfSomebodyWhoHasAFactorEnrolsNothing(t *testing.T) {
	o := owned(t)
	out := o.on("alice", challenge.Client{})
	was := o.enrolments()
	s := o.open(out.Token)
	if p, _ := s.Pending(); p.Stage != challenge.StageCode {
		t.Errorf("I-02: stage %c", p.Stage)
	}
	if _, err := o.logins.Enrolling(ctx, challenge.Client{}, s); !errors.Is(err, challenge.ErrNoPending) {
		t.Errorf("I-02: %v", err)
	}
	if _, err := o.logins.ChangeNeeds(ctx, challenge.Client{}, s, false); !errors.Is(err, challenge.ErrEnded) {
		t.Errorf("I-02: %v", err)
	}
	for _, c := range changes {
		if _, err := c.do(o, out.Token); !errors.Is(err, challenge.ErrEnded) {
			t.Errorf("I-02: %s with half a login: %v", c.name, err)
		}
	}
	if o.enrolments() != was {
		t.Error("I-02: something was written")
	}

	// Nor does one that was let in to enrol, once somebody has given the account a factor.
	h := build(t)
	token, _ := h.proven("erin", "erin@example.com")
	if err := h.logins.ImportTOTP(ctx, "5", secret, "given"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.logins.Resend(ctx, challenge.Client{}, h.open(token), "", "totp"); err == nil {
		t.Error("I-02: another enrolment was begun beside a factor")
	}
}

func TestI02AnAbandonedEnrolmentOfALoginChangesNothing(t *testing.T) {
	o := owned(t)
	token := o.byTablet()
	first, err := o.begin(token, challenge.EnrolInput{Method: "totp", Name: "abandoned"})
	if err != nil {
		t.Fatal(err)
	}
	login := func(code string) error {
		o.Clock.Advance(time.Minute)
		_, err := o.logins.Verify(ctx, challenge.Client{}, o.open(o.on("alice", challenge.Client{}).Token), challenge.CodeInput{Code: code})
		return err
	}
	if err := login(o.codeOf(first, 2)); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("I-02: a code of what waits: %v", err)
	}
	for _, s := range []string{secret, tablet} {
		if err := login(o.codeOf(s, 2)); err != nil {
			t.Errorf("I-02: a code of what there was: %v", err)
		}
	}
	sec, err := o.logins.Security(ctx, challenge.Client{}, "1")
	if err != nil || len(sec.Factors) != 3 || slices.ContainsFunc(sec.Factors, func(f challenge.EnrolledFactor) bool { return f.Name == "abandoned" }) {
		t.Errorf("%+v, %v", sec.Factors, err)
	}

	// Another one takes its place, of the same kind or not; the first leads nowhere.
	token = o.byTablet()
	if first, err = o.begin(token, challenge.EnrolInput{Method: "totp"}); err != nil {
		t.Fatal(err)
	}
	second, err := o.begin(token, challenge.EnrolInput{Method: "totp"})
	if err != nil || first == second {
		t.Fatal(err)
	}
	if _, err := o.confirm(token, o.codeOf(first, 0)); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("I-02: the first of two: %v", err)
	}
	out, err := o.confirm(token, o.codeOf(second, 0))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(o.logins.Confirmed("1", "totp")); n != 3 {
		t.Errorf("I-02: %d authenticators", n)
	}

	// What is cancelled, or waits for too long, is gone.
	third, err := o.begin(out.Token, challenge.EnrolInput{Method: "totp"})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.logins.CancelEnrolment(ctx, o.open(out.Token)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.confirm(out.Token, o.codeOf(third, 0)); !errors.Is(err, challenge.ErrNoCode) {
		t.Errorf("cancelled: %v", err)
	}
	if third, err = o.begin(out.Token, challenge.EnrolInput{Method: "totp"}); err != nil {
		t.Fatal(err)
	}
	o.Clock.Advance(10 * time.Minute)
	if _, err := o.logins.Waiting(ctx, challenge.Client{}, o.open(out.Token)); !errors.Is(err, challenge.ErrCodeExpired) {
		t.Errorf("too late: %v", err)
	}
	if _, err := o.confirm(out.Token, o.codeOf(third, 0)); !errors.Is(err, challenge.ErrNotFresh) {
		t.Errorf("too late: %v", err)
	}
}

func TestI12TheConfirmingCodeIsUsedOnEverySurface(t *testing.T) {
	o := owned(t)
	token := o.byTablet()
	s, err := o.begin(token, challenge.EnrolInput{Method: "totp"})
	if err != nil {
		t.Fatal(err)
	}
	code := o.codeOf(s, 0)
	out, err := o.confirm(token, code)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.stepUp(out.Token, "totp", code); !errors.Is(err, challenge.ErrReplayed) {
		t.Errorf("I-12: in a step-up: %v", err)
	}
	if _, err := o.verify(o.on("alice", challenge.Client{}).Token, code); !errors.Is(err, challenge.ErrReplayed) {
		t.Errorf("I-12: at a login: %v", err)
	}
	if _, err := o.basic("alice", password, code); !errors.Is(err, challenge.ErrReplayed) {
		t.Errorf("I-12: beside a password: %v", err)
	}
	o.Clock.Advance(30 * time.Second)
	if _, err := o.stepUp(out.Token, "totp", o.codeOf(s, 0)); err != nil {
		t.Errorf("the next code: %v", err)
	}
}

func TestEveryChangeTakesAPasswordAndASecondFactorOfTheLastFiveMinutes(t *testing.T) {
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			o := owned(t)
			token := o.byTablet()
			refused := func(what string) {
				t.Helper()
				was, sent := o.enrolments(), len(o.Outbox.Messages())
				o.take()
				if next, err := c.do(o, token); !errors.Is(err, challenge.ErrNotFresh) || next != "" && next != token {
					t.Fatalf("%s: %v", what, err)
				}
				if o.enrolments() != was || len(o.Outbox.Messages()) != sent {
					t.Errorf("%s: something was written or sent", what)
				}
				e := o.Audit.Events()
				if len(e) != 1 || e[0].Name != audit.EnrolmentRefused || e[0].User != "alice" || !strings.HasPrefix(e[0].Reason, "needs ") {
					t.Errorf("I-21: %s: %+v", what, e)
				}
			}
			code := func() {
				t.Helper()
				out, err := o.stepUp(token, "totp", o.codeOf(tablet, 0))
				if err != nil {
					t.Fatal(err)
				}
				token = out.Token
			}
			pw := func() {
				t.Helper()
				out, err := o.passwordAgain(token, password)
				if err != nil {
					t.Fatal(err)
				}
				token = out.Token
			}
			o.Clock.Advance(challenge.ConfirmedWithin)
			refused("neither")
			code()
			refused("the code alone")
			o.Clock.Advance(challenge.ConfirmedWithin)
			pw()
			refused("the password alone")
			o.Clock.Advance(challenge.ConfirmedWithin - time.Second)
			code()
			o.Clock.Advance(time.Second)
			refused("the password is five minutes old")
			pw()
			if _, err := c.do(o, token); err != nil {
				t.Errorf("with both: %v", err)
			}
		})
	}
}

func TestI14WhoHasLostThePhoneGetsANewOneByARecoveryCode(t *testing.T) {
	o := owned(t)
	token := o.by(challenge.Client{}, func() string { return o.codes[0] }).Token
	for _, c := range changes {
		if _, err := c.do(o, token); !errors.Is(err, challenge.ErrNotFresh) {
			t.Errorf("I-14: %s by a recovery code, without the password asked again: %v", c.name, err)
		}
	}
	out, err := o.passwordAgain(token, password)
	if err != nil {
		t.Fatal(err)
	}
	token = out.Token
	unused := o.codes[1:]
	for _, c := range changes {
		if !c.removing {
			continue
		}
		if _, err := c.do(o, token); !errors.Is(err, challenge.ErrNotFresh) {
			t.Errorf("I-14: %s by a recovery code: %v", c.name, err)
		}
		// Another one makes it no better.
		next, err := o.stepUp(token, "recovery", unused[0])
		unused = unused[1:]
		if err != nil {
			t.Fatal(err)
		}
		if token = next.Token; true {
			if _, err := c.do(o, token); !errors.Is(err, challenge.ErrNotFresh) {
				t.Errorf("I-14: %s by two recovery codes: %v", c.name, err)
			}
		}
	}
	s, err := o.begin(token, challenge.EnrolInput{Method: "totp", Name: "new phone"})
	if err != nil {
		t.Fatal(err)
	}
	if out, err = o.confirm(token, o.codeOf(s, 0)); err != nil {
		t.Fatal(err)
	}
	// The new one logs in, and confirms a login; for a day it takes nothing away.
	token, added := out.Token, o.Clock.Now()
	for _, c := range changes {
		if !c.removing {
			continue
		}
		if _, err := c.do(o, token); !errors.Is(err, challenge.ErrNotFresh) {
			t.Errorf("I-14: %s by what a recovery code has just added: %v", c.name, err)
		}
		o.Clock.Advance(time.Minute)
		next, err := o.stepUp(token, "totp", o.codeOf(s, 0))
		if err != nil {
			t.Fatal(err)
		}
		token = next.Token
		if _, err := c.do(o, token); !errors.Is(err, challenge.ErrNotFresh) {
			t.Errorf("I-14: %s with it shown again: %v", c.name, err)
		}
	}
	again := func() string {
		return o.by(challenge.Client{}, func() string { return o.codeOf(s, 0) }).Token
	}
	for _, v := range o.security().Factors {
		if (v.Name == "new phone") != v.Weak.Equal(added.Add(24*time.Hour)) || v.Name != "new phone" && !v.Weak.IsZero() {
			t.Errorf("%s is weak until %v", v.Name, v.Weak)
		}
	}
	// What it adds is no stronger than it is itself.
	token = again()
	o.Clock.Advance(time.Second)
	if out, err = o.passwordAgain(token, password); err != nil {
		t.Fatal(err)
	}
	second, err := o.begin(out.Token, challenge.EnrolInput{Method: "totp", Name: "newer phone"})
	if err != nil {
		t.Fatal(err)
	}
	if out, err = o.confirm(out.Token, o.codeOf(second, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.logins.RemoveFactor(ctx, challenge.Client{}, o.open(out.Token), o.id("phone")); !errors.Is(err, challenge.ErrNotFresh) {
		t.Errorf("I-14: %v", err)
	}
	o.Clock.Advance(24*time.Hour - 2*time.Minute - o.Clock.Now().Sub(added))
	if _, err := o.logins.RemoveFactor(ctx, challenge.Client{}, o.open(again()), o.id("phone")); !errors.Is(err, challenge.ErrNotFresh) {
		t.Errorf("I-14: within a day: %v", err)
	}
	// Then the lost one can go.
	o.Clock.Advance(2 * time.Minute)
	if out, err = o.logins.RemoveFactor(ctx, challenge.Client{}, o.open(again()), o.id("phone")); err != nil {
		t.Fatal(err)
	}
	if out, err = o.logins.RenewRecoveryCodes(ctx, challenge.Client{}, o.open(out.Token)); err != nil || len(out.RecoveryCodes) != 10 {
		t.Errorf("%v", err)
	}
}

func TestI14WhateverARecoveryCodeAddsIsToldByMail(t *testing.T) {
	o := owned(t)
	o.logins.WaitForNotices()
	told := len(o.mails.Messages())
	added := func() (n int) {
		o.logins.WaitForNotices()
		for _, m := range o.mails.Messages()[told:] {
			if strings.Contains(m.Body, "toegevoegd") {
				n++
			}
		}
		return n
	}
	// The owner's new phone, and on the same day somebody else's: who was told of one could not know of the other.
	for n := range 2 {
		o.adds(challenge.EnrolInput{Method: "totp"}, func(secret string) string { return o.codeOf(secret, 0) })
		if added() != n+1 {
			t.Fatalf("I-14: %d mails about %d authenticators", added(), n+1)
		}
		o.codes = o.codes[1:]
	}
	for _, e := range o.Audit.Events() {
		if e.Name == audit.NoticeSent && strings.HasPrefix(e.Reason, "factor added ") {
			t.Errorf("%+v", e)
		}
	}
}

func TestI14WhatMayBeAddedAsStrongIsSettledWhenItMayBeAdded(t *testing.T) {
	for early := range 60 { // microseconds before the second factor of the login is five minutes old
		var read atomic.Int64
		o := owned(t, func(c *challenge.Config) {
			still := c.Clock
			c.Clock = func() time.Time { return still().Add(time.Duration(read.Add(1)) * time.Microsecond) } // as clocks do
		})
		token := o.byTablet()
		login, _ := o.open(token).Login()
		s, err := o.begin(token, challenge.EnrolInput{Method: "totp", Name: "new"})
		if err != nil {
			t.Fatal(err)
		}
		ends := login.Fresh.Add(challenge.ConfirmedWithin)
		code := totpOf(s, ends.Add(-time.Millisecond).Unix()/30)
		now := o.Clock.Now().Add(time.Duration(read.Load()) * time.Microsecond)
		o.Clock.Advance(ends.Sub(now) - time.Duration(early)*time.Microsecond)
		switch _, err := o.confirm(token, code); {
		case errors.Is(err, challenge.ErrNotFresh):
			continue
		case err != nil:
			t.Fatal(err)
		}
		for _, f := range o.security().Factors {
			if !f.Weak.IsZero() {
				t.Fatalf("%d µs before the end: %s is weak until %v", early, f.Name, f.Weak)
			}
		}
	}
}

// security is what alice's account has.
func (o *own) security() challenge.Security {
	o.t.Helper()
	s, err := o.logins.Security(ctx, challenge.Client{}, "1")
	if err != nil {
		o.t.Fatal(err)
	}
	return s
}

// adds is somebody who logs in as alice by a recovery code, shows the password again and adds something.
func (o *own) adds(in challenge.EnrolInput, code func(string) string) challenge.Outcome {
	o.t.Helper()
	token := o.by(challenge.Client{}, func() string { return o.codes[0] }).Token
	o.Clock.Advance(time.Minute)
	out, err := o.passwordAgain(token, password)
	if err != nil {
		o.t.Fatal(err)
	}
	made, err := o.begin(out.Token, in)
	if err != nil {
		o.t.Fatal(err)
	}
	if out, err = o.confirm(out.Token, code(made)); err != nil {
		o.t.Fatal(err)
	}
	return out
}

func TestI14AnAddressAddedByARecoveryCodeTakesNoCodesFromTheAccountsOwn(t *testing.T) {
	o := owned(t)
	thief := o.adds(challenge.EnrolInput{Method: "email", Destination: "thief@elsewhere.example"}, func(code string) string { return code })
	sentTo := func() string {
		t.Helper()
		o.Clock.Advance(time.Minute)
		out := o.on("alice", challenge.Client{})
		if _, err := o.logins.Resend(ctx, challenge.Client{}, o.open(out.Token), "", "email"); err != nil {
			t.Fatal(err)
		}
		all := o.Outbox.Messages()
		return all[len(all)-1].To
	}
	if to := sentTo(); to != "alice@example.com" {
		t.Errorf("I-14: the code of a login went to %s", to)
	}
	// Nor those of a step-up, which would make the thief's login strong.
	o.Clock.Advance(time.Minute)
	if p, err := o.logins.BeginStepUp(ctx, challenge.Client{}, o.open(thief.Token), "email", true); err != nil || p.Prompt.To != challenge.Mask(challenge.ChannelEmail, "alice@example.com") {
		t.Errorf("I-14: %+v, %v", p.Prompt.To, err)
	}
	if _, err := o.logins.StepUp(ctx, challenge.Client{}, o.open(thief.Token), challenge.CodeInput{Method: "email", Code: o.Outbox.Code("thief@elsewhere.example")}); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("I-14: %v", err)
	}
	// After a day in which the owner could have removed it, it is like any other.
	o.Clock.Advance(24 * time.Hour)
	if to := sentTo(); to != "thief@elsewhere.example" {
		t.Errorf("to %s", to)
	}
}

func TestI14WhatARecoveryCodeHasAddedIsNotAskedForBeforeWhatThereWas(t *testing.T) {
	o := owned(t)
	o.SetVerdict("1", challenge.Verdict{Factors: []string{"sms", "email", "recovery"}})
	o.adds(challenge.EnrolInput{Method: "sms", Destination: "+31687654321"}, func(code string) string { return code })
	for _, want := range []string{"alice@example.com", "+31687654321"} {
		o.Clock.Advance(time.Minute)
		o.on("alice", challenge.Client{})
		all := o.Outbox.Messages()
		if to := all[len(all)-1].To; to != want {
			t.Errorf("I-14: the code of a login went to %s", to)
		}
		o.Clock.Advance(24 * time.Hour)
	}

	// Nor is it when the person prefers its kind.
	o = owned(t)
	if err := o.logins.Prefer(ctx, challenge.Client{}, o.open(o.byTablet()), "totp"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"phone", "tablet"} {
		if _, err := o.logins.RemoveFactor(ctx, challenge.Client{}, o.open(o.byTablet()), o.id(name)); err != nil {
			t.Fatal(err)
		}
	}
	o.adds(challenge.EnrolInput{Method: "totp"}, func(secret string) string { return o.codeOf(secret, 0) })
	if methods := o.security().Methods; !slices.Equal(methods, []string{"email", "totp", "recovery"}) {
		t.Errorf("I-14: %v", methods)
	}
	o.Clock.Advance(24 * time.Hour)
	if methods := o.security().Methods; !slices.Equal(methods, []string{"totp", "email", "recovery"}) {
		t.Errorf("%v", methods)
	}

	// A code beside the password is for what there was, where the client cannot say which.
	token := &challenge.CustomCheck{Method: "token", For: func(challenge.CustomAttempt) bool { return true },
		Validate: func(_ context.Context, _ challenge.CustomAttempt, answer string) (challenge.CustomVerdict, error) {
			return challenge.CustomVerdict{OK: answer == "271828"}, nil
		}}
	o = owned(t, func(c *challenge.Config) { c.Factors = append(c.Factors, token) })
	if err := o.logins.ResetFactors(ctx, "1", ""); err != nil {
		t.Fatal(err)
	}
	var err error
	if o.codes, err = o.logins.MakeRecoveryCodes(ctx, challenge.Client{}, "1"); err != nil {
		t.Fatal(err)
	}
	o.SetVerdict("1", challenge.Verdict{Factors: []string{"totp", "token", "recovery"}})
	o.adds(challenge.EnrolInput{Method: "totp"}, func(secret string) string { return o.codeOf(secret, 0) })
	if _, err := o.basic("alice", password, "271828"); err != nil {
		t.Errorf("I-14: %v", err)
	}
}

// pager is a factor of an app's own whose proofs do not say which authenticator has answered, but while it is confirmed.
type pager struct{ *challenge.Email }

func (pager) Name() string { return "pager" }

func (p pager) Verify(ctx context.Context, a *challenge.Attempt, answer []byte) (challenge.Proof, error) {
	proof, err := p.Email.Verify(ctx, a, answer)
	if a.Purpose != challenge.PurposeEnrol {
		proof.Authenticator = ""
	}
	return proof, err
}

func TestI14AProofThatNamesNoAuthenticatorIsNoBetterThanTheWeakest(t *testing.T) {
	o := owned(t, func(c *challenge.Config) {
		c.Factors = append(c.Factors, pager{&challenge.Email{Sender: c.Factors[2].(*challenge.Email).Sender}})
	})
	own := func(to string) { o.Users.Change("1", func(a *challenge.Account) { a.Email = to }) }
	own("")
	o.adds(challenge.EnrolInput{Method: "pager", Destination: "thief@elsewhere.example"}, func(code string) string { return code })
	removes := func(to string) error {
		t.Helper()
		o.Clock.Advance(time.Minute)
		token := o.on("alice", challenge.Client{}).Token
		if _, err := o.logins.Resend(ctx, challenge.Client{}, o.open(token), "", "pager"); err != nil {
			t.Fatal(err)
		}
		out, err := o.logins.Verify(ctx, challenge.Client{}, o.open(token), challenge.CodeInput{Method: "pager", Code: string(o.Outbox.Code(to))})
		if err != nil {
			t.Fatal(err)
		}
		_, err = o.logins.RemoveFactor(ctx, challenge.Client{}, o.open(out.Token), o.id("phone"))
		return err
	}
	if err := removes("thief@elsewhere.example"); !errors.Is(err, challenge.ErrNotFresh) {
		t.Errorf("I-14: %v", err)
	}
	own("alice@example.com")
	if err := removes("alice@example.com"); err != nil {
		t.Errorf("the account's own: %v", err)
	}
}

func TestI14ACodeProvesTheAddressThatItWasSentToAndNoOther(t *testing.T) {
	o := owned(t)
	o.Users.Change("1", func(a *challenge.Account) { a.Email = "" })
	out := o.adds(challenge.EnrolInput{Method: "email", Destination: "thief@elsewhere.example"}, func(code string) string { return code })
	o.Clock.Advance(time.Minute)
	if _, err := o.logins.BeginStepUp(ctx, challenge.Client{}, o.open(out.Token), "email", false); err != nil {
		t.Fatal(err)
	}
	code := string(o.Outbox.Code("thief@elsewhere.example"))
	// Now codes go to the account's own address, which takes factors away, and this one has not gone there.
	o.Users.Change("1", func(a *challenge.Account) { a.Email = "alice@example.com" })
	if _, err := o.stepUp(out.Token, "email", code); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("I-14: %v", err)
	}
	if _, err := o.logins.RemoveFactor(ctx, challenge.Client{}, o.open(out.Token), o.id("phone")); !errors.Is(err, challenge.ErrNotFresh) {
		t.Errorf("I-14: %v", err)
	}
}

func TestI14WhoHasLostTheNumberThatCodesGoToGetsThemOnANewOneADayLater(t *testing.T) {
	o := owned(t)
	token := o.byTablet()
	o.Clock.Advance(time.Minute)
	code, err := o.begin(token, challenge.EnrolInput{Method: "sms", Destination: "+31612345678", Name: "lost"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.confirm(token, code); err != nil {
		t.Fatal(err)
	}
	o.SetVerdict("1", challenge.Verdict{Factors: []string{"sms", "recovery"}})
	added := o.adds(challenge.EnrolInput{Method: "sms", Destination: "+31687654321", Name: "new"}, func(code string) string { return code })
	sentTo := func(login func() error) string {
		t.Helper()
		o.Clock.Advance(time.Minute)
		if err := login(); err != nil {
			t.Fatal(err)
		}
		all := o.Outbox.Messages()
		return all[len(all)-1].To
	}
	again := func() error {
		token = o.on("alice", challenge.Client{}).Token
		return nil
	}
	if to := sentTo(again); to != "+31612345678" {
		t.Errorf("I-14: the code went to %s", to)
	}
	stepUp := func() error {
		_, err := o.logins.BeginStepUp(ctx, challenge.Client{}, o.open(added.Token), "sms", true)
		return err
	}
	if to := sentTo(stepUp); to != "+31612345678" {
		t.Errorf("I-14: the code of a step-up went to %s", to)
	}
	o.Clock.Advance(24 * time.Hour)
	if to := sentTo(again); to != "+31687654321" {
		t.Fatalf("the code went to %s", to)
	}
	out, err := o.logins.Verify(ctx, challenge.Client{}, o.open(token), challenge.CodeInput{Code: string(o.Outbox.Code("+31687654321"))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.logins.RemoveFactor(ctx, challenge.Client{}, o.open(out.Token), o.id("lost")); err != nil {
		t.Errorf("the lost one stays: %v", err)
	}
}

func TestI14AStepUpBeforeRemovingLeavesOutWhatARecoveryCodeHasAdded(t *testing.T) {
	o := owned(t)
	// An address is all there is to ask for, and where there was none before.
	o.Users.Change("1", func(a *challenge.Account) { a.Email = "" })
	out := o.adds(challenge.EnrolInput{Method: "email", Destination: "alice@work.example"}, func(code string) string { return code })
	added := o.Clock.Now()
	o.Clock.Advance(time.Minute)
	p, err := o.logins.BeginStepUp(ctx, challenge.Client{}, o.open(out.Token), "", true)
	if err != nil || !slices.Equal(p.Methods, []string{"totp"}) || !p.Weak.Equal(added.Add(24*time.Hour)) {
		t.Errorf("I-14: %v until %v, %v", p.Methods, p.Weak, err)
	}
	o.SetVerdict("1", challenge.Verdict{Factors: []string{"recovery", "email"}})
	sent := len(o.Outbox.Messages())
	p, err = o.logins.BeginStepUp(ctx, challenge.Client{}, o.open(out.Token), "email", true)
	if !errors.Is(err, challenge.ErrNotAllowed) || !p.Weak.Equal(added.Add(24*time.Hour)) || len(o.Outbox.Messages()) != sent {
		t.Errorf("I-14: %v until %v, %v", p.Methods, p.Weak, err)
	}
	if p, err = o.logins.BeginStepUp(ctx, challenge.Client{}, o.open(out.Token), "email", false); err != nil || !slices.Equal(p.Methods, []string{"email", "recovery"}) || !p.Weak.IsZero() {
		t.Errorf("where it is enough: %v, %v", p.Methods, err)
	}
}

func TestI14WhatARecoveryCodeHasAddedTrustsNoDevice(t *testing.T) {
	o := owned(t)
	s := ""
	o.adds(challenge.EnrolInput{Method: "totp", Name: "new phone"}, func(secret string) string { s = secret; return o.codeOf(s, 0) })
	for _, want := range []bool{false, true} {
		o.Clock.Advance(time.Minute)
		out, err := o.logins.Verify(ctx, challenge.Client{}, o.open(o.on("alice", challenge.Client{}).Token), challenge.CodeInput{Code: o.codeOf(s, 0), Trust: true})
		if err != nil || (out.Trusted != "") != want {
			t.Errorf("I-14: trusted %v, want %v: %v", out.Trusted != "", want, err)
		}
		o.Clock.Advance(24 * time.Hour)
	}
}

func TestI14ARecoveryCodeThatWouldNotBeEnoughIsNotUsedUp(t *testing.T) {
	o := owned(t)
	token := o.byTablet()
	was := o.enrolments()
	for _, method := range []string{"", "totp", "recovery"} {
		_, err := o.logins.StepUp(ctx, challenge.Client{}, o.open(token), challenge.CodeInput{Method: method, Code: o.codes[0], Strong: true})
		if !errors.Is(err, challenge.ErrMalformed) && !errors.Is(err, challenge.ErrMethod) {
			t.Errorf("I-14: as %q: %v", method, err)
		}
	}
	if o.enrolments() != was || o.record("1").CodeSpent != 0 || len(o.open(token).Data()) != 0 {
		t.Error("I-14: it was used up, or a guess was")
	}
	if _, err := o.stepUp(token, "totp", o.codes[0]); err != nil {
		t.Errorf("where it is enough: %v", err)
	}
	// Nothing but recovery codes is left: there is no way round.
	o = owned(t)
	token = o.byTablet()
	o.SetVerdict("1", challenge.Verdict{Factors: []string{"recovery", "totp"}})
	if err := o.logins.Unblock(ctx, "1", "admin"); err != nil {
		t.Fatal(err)
	}
	o.SetVerdict("1", challenge.Verdict{NotNeeded: true, Factors: []string{"recovery"}})
	if _, err := o.logins.StepUp(ctx, challenge.Client{}, o.open(token), challenge.CodeInput{Code: o.codes[0], Strong: true}); !errors.Is(err, challenge.ErrNotAllowed) {
		t.Errorf("%v", err)
	}
}

func TestEveryChangeEndsOtherLoginsSendsOneMailAndLeavesOneEvent(t *testing.T) {
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			o := owned(t)
			o.Clock.Advance(time.Minute)
			phone := o.on("alice", challenge.Client{})
			trusted, err := o.logins.Verify(ctx, challenge.Client{}, o.open(phone.Token), challenge.CodeInput{Code: o.codeOf(secret, 0), Trust: true})
			if err != nil || trusted.Trusted == "" {
				t.Fatal(err)
			}
			pending := o.on("alice", challenge.Client{}).Token
			token := o.byTablet()
			o.take()
			o.logins.WaitForNotices()
			before := len(o.mails.Messages())

			o.Clock.Advance(2 * time.Minute)
			next, err := c.do(o, token)
			if err != nil {
				t.Fatal(err)
			}
			if login, ok := o.open(next).Login(); !ok || login.UserID != "1" {
				t.Fatal("the login that made the change is over")
			}
			if o.open(token).Exists() != (token == next) {
				t.Error("I-03: two tokens, or none")
			}
			if _, err := o.logins.StepUpMethods(ctx, challenge.Client{}, o.open(next), false); err != nil {
				t.Errorf("the login is of no use: %v", err)
			}
			alive := o.open(trusted.Token).Exists()
			in := !pendingOf(o.on("alice", challenge.Client{Trusted: trusted.Trusted}))
			_, err = o.verify(pending, o.codeOf(secret, 0))
			if alive == c.ends || in == c.ends || (err == nil) == c.ends {
				t.Errorf("I-16: another login alive: %v, a trusted device trusted: %v, a pending login: %v", alive, in, err)
			}

			o.logins.WaitForNotices()
			mails := o.mails.Messages()[before:]
			if !c.ends {
				mails = slices.DeleteFunc(mails, func(m challenge.Message) bool { return strings.Contains(m.Body, "apparaat") }) // of the logins just made
			}
			switch {
			case c.mail == "" && len(mails) != 0:
				t.Errorf("%d mails", len(mails))
			case c.mail != "":
				if len(mails) != 1 || mails[0].To != "alice@example.com" || mails[0].Channel != "email" || mails[0].Code != "" || mails[0].Language != "nl" || !strings.Contains(mails[0].Body, c.mail) {
					t.Errorf("%d mails: %q", len(mails), bodies(mails))
				}
			}
			n := 0
			for _, e := range o.Audit.Events() {
				if e.Name == c.event && e.User == "alice" && e.UserID == "1" && e.Outcome == audit.Success && e.Actor == "" {
					n++
				}
			}
			if n != 1 {
				t.Errorf("I-21: %d events", n)
			}
		})
	}
}

func bodies(list []challenge.Message) (out []string) {
	for _, m := range list {
		out = append(out, m.To+": "+m.Body)
	}
	return out
}

// Every place where a code or a password can be entered, on one device of alice's. Each gives the error of a wrong one or a
// right one.
func TestI08EveryPlaceSpendsTheSameGuesses(t *testing.T) {
	type place struct {
		name string
		try  func(o *own, c challenge.Client, token string, right bool) error
	}
	codes := []place{
		{"login", func(o *own, c challenge.Client, _ string, right bool) error {
			out, err := o.logins.Password(ctx, c, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: "alice", Password: []byte(password)})
			if err != nil {
				return err
			}
			code := "000000"
			if right {
				code = o.codeOf(tablet, 0)
			}
			_, err = o.logins.Verify(ctx, c, o.open(out.Token), challenge.CodeInput{Code: code})
			return err
		}},
		{"step-up", func(o *own, c challenge.Client, token string, right bool) error {
			code := "000000"
			if right {
				code = o.codeOf(tablet, 0)
			}
			_, err := o.logins.StepUp(ctx, c, o.open(token), challenge.CodeInput{Code: code})
			return err
		}},
		{"step-up by a recovery code", func(o *own, c challenge.Client, token string, right bool) error {
			code := "AAAA-BBBB-CCCC-DDDD"
			if right {
				code = o.codes[1]
			}
			_, err := o.logins.StepUp(ctx, c, o.open(token), challenge.CodeInput{Code: code})
			return err
		}},
		{"enrolment", func(o *own, c challenge.Client, token string, right bool) error {
			made, err := o.logins.Waiting(ctx, c, o.open(token))
			if err != nil {
				return err
			}
			code := "000000"
			if right {
				code = o.codeOf(ungrouped(made.Enrolment.Key), 0)
			}
			_, err = o.logins.ConfirmEnrolment(ctx, c, o.open(token), code)
			return err
		}},
		{"beside a password", func(o *own, c challenge.Client, _ string, right bool) error {
			code := "000000"
			if right {
				code = o.codeOf(tablet, 0)
			}
			_, err := o.logins.Basic(ctx, c, challenge.BasicInput{Name: "alice", Password: []byte(password), Code: &code})
			return err
		}},
	}
	passwords := []place{
		{"login", func(o *own, c challenge.Client, _ string, right bool) error {
			_, err := o.logins.Password(ctx, c, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: "alice", Password: given(right)})
			return err
		}},
		{"before a change", func(o *own, c challenge.Client, token string, right bool) error {
			_, err := o.logins.ConfirmPassword(ctx, c, o.open(token), "", given(right))
			return err
		}},
		{"elsewhere in the app", func(o *own, c challenge.Client, _ string, right bool) error {
			return o.logins.CheckPassword(ctx, c, "1", given(right))
		}},
	}
	for kind, places := range map[string][]place{"code": codes, "password": passwords} {
		for first := range places {
			t.Run(kind+" at "+places[first].name, func(t *testing.T) {
				o := owned(t)
				in := o.by(challenge.Client{}, func() string { return o.codeOf(tablet, 0) })
				c := challenge.Client{Device: in.Device}
				if _, err := o.begin(in.Token, challenge.EnrolInput{Method: "totp"}); err != nil {
					t.Fatal(err)
				}
				o.Clock.Advance(time.Minute)
				for n := range 3 { // all three here, or one each in three places
					p := places[(first+n*(first%2))%len(places)]
					if err := p.try(o, c, in.Token, false); !errors.Is(err, challenge.ErrWrongCode) && !errors.Is(err, challenge.ErrRefused) {
						t.Fatalf("wrong at %s: %v", p.name, err)
					}
				}
				for _, p := range places {
					if err := p.try(o, c, in.Token, true); !errors.As(err, new(*challenge.BlockedError)) {
						t.Errorf("I-08: right at %s: %v", p.name, err)
					}
				}
				if _, ok := o.open(in.Token).Login(); !ok {
					t.Error("I-11: a block ended a live login")
				}
				// A stranger's guesses are counted apart, and the block ends.
				o.Clock.Advance(5 * time.Minute)
				if err := places[0].try(o, c, in.Token, true); err != nil {
					t.Errorf("after the block: %v", err)
				}
			})
		}
	}
}

func given(right bool) []byte {
	if right {
		return []byte(password)
	}
	return []byte("wrong")
}

func TestI15NoCodeOfAnEnrolmentIsSentInsideABlock(t *testing.T) {
	o := owned(t)
	token := o.byTablet()
	in := challenge.EnrolInput{Method: "email", Destination: "alice@work.example"}
	first, err := o.begin(token, in)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.logins.ResendEnrolment(ctx, challenge.Client{}, o.open(token)); !errors.As(err, new(*challenge.BusyError)) {
		t.Errorf("I-15: inside the cooldown: %v", err)
	}
	o.Clock.Advance(31 * time.Second)
	if err := o.logins.ResendEnrolment(ctx, challenge.Client{}, o.open(token)); err != nil {
		t.Fatal(err)
	}
	second := o.Outbox.Code("alice@work.example")
	if _, err := o.confirm(token, first); first != second && !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("I-13: the code that was replaced: %v", err)
	}
	for range 2 {
		if _, err := o.confirm(token, "000000"); !errors.Is(err, challenge.ErrWrongCode) {
			t.Fatal(err)
		}
	}
	o.Clock.Advance(31 * time.Second)
	sent := len(o.Outbox.Messages())
	if err := o.logins.ResendEnrolment(ctx, challenge.Client{}, o.open(token)); !errors.As(err, new(*challenge.BlockedError)) {
		t.Errorf("I-15: again: %v", err)
	}
	if _, err := o.begin(token, in); !errors.As(err, new(*challenge.BlockedError)) {
		t.Errorf("I-15: anew: %v", err)
	}
	if len(o.Outbox.Messages()) != sent {
		t.Error("I-15: it was sent")
	}
	if _, err := o.confirm(token, second); !errors.As(err, new(*challenge.BlockedError)) {
		t.Errorf("I-09: %v", err)
	}

	// What sends nothing cannot be sent again.
	o = owned(t)
	token = o.byTablet()
	if err := o.logins.ResendEnrolment(ctx, challenge.Client{}, o.open(token)); !errors.Is(err, challenge.ErrNoCode) {
		t.Errorf("nothing waits: %v", err)
	}
	if _, err := o.begin(token, challenge.EnrolInput{Method: "totp"}); err != nil {
		t.Fatal(err)
	}
	if err := o.logins.ResendEnrolment(ctx, challenge.Client{}, o.open(token)); !errors.Is(err, challenge.ErrMethod) {
		t.Errorf("an app: %v", err)
	}
}

func TestWhatCannotBeSentLeavesNothingBehind(t *testing.T) {
	o := owned(t)
	token := o.byTablet()
	s, err := o.begin(token, challenge.EnrolInput{Method: "totp"})
	if err != nil {
		t.Fatal(err)
	}
	was := o.enrolments()
	o.Outbox.Fail(challenge.ChannelEmail, errInjected)
	if _, err := o.begin(token, challenge.EnrolInput{Method: "email", Destination: "alice@work.example"}); !errors.Is(err, challenge.ErrSend) {
		t.Fatal(err)
	}
	if o.enrolments() != was {
		t.Error("an authenticator waits for a code that nobody has")
	}
	if _, err := o.confirm(token, o.codeOf(s, 0)); err != nil {
		t.Errorf("what was begun before: %v", err)
	}
}

// hooked is a store with somebody who looks over its shoulder before each operation, but for those on the budgets of messages
// (keys that begin with q), which notices take from besides, at a time of their own.
type hooked struct {
	challenge.Store
	n    int
	hook func(n int)
	busy bool
}

func (s *hooked) op(key string) {
	if strings.HasPrefix(key, "q") || s.busy || s.hook == nil {
		return
	}
	s.n++
	s.busy = true
	s.hook(s.n)
	s.busy = false
}

func (s *hooked) Load(ctx context.Context, key string) ([]byte, error) {
	s.op(key)
	return s.Store.Load(ctx, key)
}

func (s *hooked) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error) {
	s.op(key)
	return s.Store.CompareAndSwap(ctx, key, old, new, expires)
}

func (s *hooked) Volatile() bool { return true }

// protocolChanges are the changes that run changeSteps. taken is a code of what the change takes away, if it does; given one of
// what it adds.
var protocolChanges = []struct {
	name         string
	prepare      func(o *own, token string)
	do           func(o *own, s *challenge.Session) (challenge.Outcome, error)
	taken, given func(o *own) string
	made         func(o *own) bool // whether it was, as the store says
}{
	{"add",
		func(o *own, token string) {
			o.recovery = mustToken(o.begin(token, challenge.EnrolInput{Method: "totp"}))
		},
		func(o *own, s *challenge.Session) (challenge.Outcome, error) {
			return o.logins.ConfirmEnrolment(ctx, challenge.Client{}, s, o.codeOf(o.recovery, 0))
		}, nil, func(o *own) string { return o.codeOf(o.recovery, 0) }, func(o *own) bool { return len(o.logins.Confirmed("1", "totp")) == 3 }},
	{"remove",
		func(o *own, _ string) { o.recovery = o.id("phone") },
		func(o *own, s *challenge.Session) (challenge.Outcome, error) {
			return o.logins.RemoveFactor(ctx, challenge.Client{}, s, o.recovery)
		}, func(o *own) string { return o.codeOf(secret, 0) }, nil, func(o *own) bool { return len(o.logins.Confirmed("1", "totp")) == 1 }},
	{"new recovery codes",
		func(o *own, _ string) { o.recovery = o.logins.Confirmed("1", "recovery")[0] },
		func(o *own, s *challenge.Session) (challenge.Outcome, error) {
			return o.logins.RenewRecoveryCodes(ctx, challenge.Client{}, s)
		}, func(o *own) string { return o.codes[5] }, nil, func(o *own) bool { return o.logins.Confirmed("1", "recovery")[0] != o.recovery }},
}

// disturbed makes each of the changes with somebody in between who has what is taken away, and over a store that fails, at
// every place. It says what was wrong first.
func disturbed(t *testing.T, steps func(*challenge.StepNames)) (wrong string) {
	defer func() {
		if v := recover(); v != nil {
			wrong = fmt.Sprintf("panic: %v", v)
		}
	}()
	for i := range protocolChanges {
		for begin := 1; ; begin++ {
			reached, wrong := race(t, steps, i, begin, 0)
			if wrong != "" {
				return wrong
			}
			if !reached {
				break
			}
			for verify := begin + 1; ; verify++ {
				reached, wrong := race(t, steps, i, begin, verify)
				if wrong != "" {
					return wrong
				}
				if !reached {
					break
				}
			}
		}
		for _, kind := range []fateKind{fails, down, lostAnswer} {
			for at := 1; ; at++ {
				reached, wrong := faultyChange(t, steps, i, at, kind)
				if wrong != "" {
					return wrong
				}
				if !reached {
					break
				}
			}
		}
	}
	return ""
}

// scene is alice with a login that is going to make the change, and another browser that is logged in, half logged in and
// trusted.
func scene(t *testing.T, i int, steps func(*challenge.StepNames), wrap func(challenge.Store) challenge.Store) (o *own, s *challenge.Session, old, trusted string) {
	o = owned(t, func(c *challenge.Config) { c.Store = wrap(c.Store); c.CodeGuesses = 100 })
	if steps != nil {
		n := o.logins.Steps()
		steps(&n)
		o.logins.SetSteps(n)
	}
	in := o.on("alice", challenge.Client{})
	in, err := o.logins.Verify(ctx, challenge.Client{}, o.open(in.Token), challenge.CodeInput{Code: o.codeOf(secret, 0), Trust: true})
	if err != nil {
		t.Fatal(err)
	}
	token := o.byTablet()
	o.Clock.Advance(time.Minute)
	protocolChanges[i].prepare(o, token)
	return o, o.open(token), in.Token, in.Trusted
}

// race lets a second browser log in during the change: it begins before one store operation and enters its code before
// another, or at once when that is 0; or after the change, when there are not that many.
func race(t *testing.T, steps func(*challenge.StepNames), i, begin, verify int) (reached bool, wrong string) {
	c := protocolChanges[i]
	store := new(hooked)
	o, s, old, trusted := scene(t, i, steps, func(inner challenge.Store) challenge.Store { store.Store = inner; return store })
	var pending, token string
	var epoch [16]byte
	code := func() string {
		if c.taken != nil {
			return c.taken(o)
		}
		return o.codeOf(secret, 0)
	}
	enter := func() {
		if out, err := o.verify(pending, code()); err == nil {
			token = out.Token
		}
	}
	store.hook = func(n int) {
		if n == begin {
			out, err := o.password("alice", password)
			if err != nil {
				t.Fatal(err)
			}
			pending, epoch = out.Token, o.record("1").Epoch
			if verify == 0 {
				enter()
			}
		}
		if n == verify {
			enter()
		}
	}
	o.Clock.Advance(30 * time.Second)
	out, err := c.do(o, s)
	reached = store.n >= begin && store.n >= verify
	store.hook = nil
	if pending != "" && token == "" {
		enter()
	}
	what := fmt.Sprintf("%s, with a login before operation %d (%d): ", c.name, begin, verify)
	switch {
	case err != nil && !c.made(o):
		return reached, "" // the other browser's login was first, and ours is over
	case err != nil:
		return reached, what + "made, and refused: " + err.Error()
	case !c.made(o):
		return reached, what + "success, and nothing changed"
	}
	if _, ok := o.open(out.Token).Login(); !ok {
		return reached, what + "the login that made the change is over"
	}
	if _, err := o.logins.StepUpMethods(ctx, challenge.Client{}, o.open(out.Token), false); err != nil {
		return reached, what + "the login that made the change is of no use: " + err.Error()
	}
	if o.open(old).Exists() {
		return reached, what + "I-16: a login from before is alive"
	}
	// A login by what was taken away, or begun before the change was over.
	if _, in := o.open(token).Login(); in && (c.taken != nil || epoch != o.record("1").Epoch) {
		return reached, what + "I-16: that login is alive"
	}
	return reached, leftovers(o, what, trusted, i)
}

// leftovers looks at what can still be used when a change was made, or was not.
func leftovers(o *own, what, trusted string, i int) string {
	c := protocolChanges[i]
	made := c.made(o)
	if !pendingOf(o.on("alice", challenge.Client{Trusted: trusted})) && made {
		return what + "I-16: a trusted device is trusted"
	}
	usable := func(code func(o *own) string) bool {
		o.Clock.Advance(time.Minute)
		_, err := o.verify(o.on("alice", challenge.Client{}).Token, code(o))
		return err == nil
	}
	switch {
	case c.taken != nil && made && usable(c.taken):
		return what + "what was taken away is good for a login"
	case c.given != nil && usable(c.given) != made:
		return what + "what was not confirmed is good for a login, or what was is not"
	}
	return ""
}

// faultyChange makes the change over a store that fails at one place.
func faultyChange(t *testing.T, steps func(*challenge.StepNames), i, at int, kind fateKind) (reached bool, wrong string) {
	c := protocolChanges[i]
	store := &failing{kind: kind, notices: true}
	o, s, old, trusted := scene(t, i, steps, func(inner challenge.Store) challenge.Store { store.Store = inner; return store })
	store.n, store.at = 0, at
	out, err := c.do(o, s)
	reached = store.n >= at
	store.at = 0
	what := fmt.Sprintf("%s, fault %d at operation %d: ", c.name, kind, at)
	made := c.made(o)
	switch {
	case err != nil && out.Token != "":
		return reached, what + "I-20: an error, and a token"
	case err == nil && !made:
		return reached, what + "success, and nothing changed"
	}
	if made { // a store that could not delete is asked again by whoever looks at the account next
		o.on("alice", challenge.Client{})
		if o.open(old).Exists() {
			return reached, what + "I-16: it was made, and a login from before is alive"
		}
	}
	if n := o.Audit.Count(audit.FactorEnrolled) + o.Audit.Count(audit.FactorRemoved) + o.Audit.Count(audit.RecoveryCodesMade); err == nil && n != 1 || n > 1 || n == 1 && !made {
		return reached, what + fmt.Sprintf("I-21: %d events", n)
	}
	return reached, leftovers(o, what, trusted, i)
}

func TestI16NobodyInBetweenOutlivesAChangeOfFactors(t *testing.T) {
	if wrong := disturbed(t, nil); wrong != "" {
		t.Error(wrong)
	}
}

func TestSomebodyNoticesEveryChangeOfTheStepsOfAChange(t *testing.T) {
	all := build(t).logins.Steps().Change
	if len(all) != 4 {
		t.Fatalf("%q: did the steps move?", all)
	}
	for i, name := range all {
		try := func(what string, list []string) {
			t.Run(what, func(t *testing.T) {
				wrong := disturbed(t, func(n *challenge.StepNames) { n.Change = list })
				if wrong == "" {
					t.Error("nobody noticed")
				}
				t.Log(wrong)
			})
		}
		try("without "+name, slices.Delete(slices.Clone(all), i, i+1))
		if i+1 < len(all) {
			s := slices.Clone(all)
			s[i], s[i+1] = s[i+1], s[i]
			try(name+" ⇄ "+all[i+1], s)
		}
	}
}

func TestI11NoKnownDeviceMakesRoomForALoginByARecoveryCodeOrByWhatOneHasAdded(t *testing.T) {
	o := owned(t)
	s := ""
	o.adds(challenge.EnrolInput{Method: "totp", Name: "new phone"}, func(secret string) string { s = secret; return o.codeOf(s, 0) })
	o.Clock.Advance(time.Second)
	var last string
	for range 8 {
		last = o.byTablet()
	}
	devices := func(token string) string {
		t.Helper()
		list, err := o.logins.Devices(ctx, challenge.Client{}, o.open(token))
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for _, d := range list {
			out += d.ID
		}
		return out
	}
	before := devices(last)
	for what, code := range map[string]func() string{
		"a recovery code": func() string { return o.codes[1] },
		"what it added":   func() string { return o.codeOf(s, 0) },
	} {
		if after := devices(o.by(challenge.Client{}, code).Token); after != before {
			t.Errorf("I-11: %s pushed a known device out", what)
		}
	}
	if after := devices(o.byTablet()); after == before {
		t.Error("the owner's own new device is not known")
	}
}
