package challenge_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

func TestGraceLetsSomebodyInAFewTimesAndEachIsAudited(t *testing.T) {
	h := build(t)
	h.SetVerdict("5", challenge.Verdict{Factors: []string{"totp", "recovery"}, Grace: challenge.Grace{Logins: 2}})
	for n, reason := range []string{"grace, login 1 of 2", "grace, login 2 of 2"} {
		h.Audit.Take()
		out, err := h.password("erin", password)
		if err != nil {
			t.Fatal(err)
		}
		login, ok := out.Session.Login()
		if !ok || !login.Grace || login.SecondFactor {
			t.Fatalf("login %d: %+v", n+1, out.Session)
		}
		events := h.Audit.Events()
		if last := events[len(events)-1]; last.Name != audit.LoginWithoutMFA || last.Reason != reason {
			t.Errorf("%s, %q", last.Name, last.Reason)
		}
		h.Clock.Advance(time.Minute)
		if err := h.logins.Touch(context.Background(), challenge.Client{}, h.open(out.Token)); err != nil {
			t.Errorf("the login does not last a minute: %v", err)
		}
	}
	out, err := h.password("erin", password)
	if p, ok := out.Session.Pending(); err != nil || !ok || p.Stage != challenge.StageProof {
		t.Errorf("after the grace: %v, %v", out.Session, err)
	}
}

func TestGraceEndsAtItsTimeAlsoForLoginsThatHaveBegun(t *testing.T) {
	h := build(t)
	until := h.Clock.Now().Add(10 * time.Minute)
	h.SetVerdict("5", challenge.Verdict{Factors: []string{"totp"}, Grace: challenge.Grace{Until: until}})
	out, err := h.password("erin", password)
	if _, ok := out.Session.Login(); err != nil || !ok {
		t.Fatal(err)
	}
	h.Clock.Advance(10 * time.Minute)
	if err := h.logins.Touch(context.Background(), challenge.Client{}, h.open(out.Token)); !errors.Is(err, challenge.ErrEnded) {
		t.Errorf("a login outlives the grace it was made in: %v", err)
	}
	out, err = h.password("erin", password)
	if p, ok := out.Session.Pending(); err != nil || !ok || p.Stage != challenge.StageProof {
		t.Errorf("after the grace: %v, %v", out.Session, err)
	}
}

func TestGraceIsNoWayAroundWhatIsEnrolled(t *testing.T) {
	h := build(t)
	h.SetVerdict("1", challenge.Verdict{Grace: challenge.Grace{Logins: 100, Until: h.Clock.Now().Add(time.Hour)}})
	out, err := h.password("alice", password)
	if _, ok := out.Session.Pending(); err != nil || !ok {
		t.Errorf("%v, %v", out.Session, err)
	}
	// Without grace nobody is let in before both.
	h.SetVerdict("5", challenge.Verdict{Factors: []string{"totp"}})
	out, err = h.password("erin", password)
	if _, ok := out.Session.Pending(); err != nil || !ok {
		t.Errorf("%v, %v", out.Session, err)
	}
}

func TestOfManyLoginsAtOnceNoMoreThanTheGraceAllowsAreLetIn(t *testing.T) {
	h := build(t, func(c *challenge.Config) { c.HashSlots, c.PasswordGuesses = 20, 100 })
	h.SetVerdict("5", challenge.Verdict{Factors: []string{"totp"}, Grace: challenge.Grace{Logins: 3}})
	in := make(chan bool, 20)
	for range cap(in) {
		go func() {
			out, err := h.password("erin", password)
			_, ok := out.Session.Login()
			in <- err == nil && ok
		}()
	}
	n := 0
	for range cap(in) {
		if <-in {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d logins in a grace of 3", n)
	}
}

func TestI02InAGraceNothingIsAddedWithoutAnAddressToProve(t *testing.T) {
	h := build(t)
	h.Users.Change("5", func(a *challenge.Account) { a.Email = "" })
	h.SetVerdict("5", challenge.Verdict{Factors: []string{"totp"}, Grace: challenge.Grace{Logins: 1}})
	ctx := context.Background()
	out, err := h.password("erin", password)
	if err != nil {
		t.Fatal(err)
	}
	if needs, err := h.logins.ChangeNeeds(ctx, challenge.Client{}, h.open(out.Token), false); !errors.Is(err, challenge.ErrNotAllowed) {
		t.Errorf("needs %v, %v", needs, err)
	}
	if _, err := h.logins.BeginEnrolment(ctx, challenge.Client{}, h.open(out.Token), challenge.EnrolInput{Method: "totp"}); !errors.Is(err, challenge.ErrNotAllowed) {
		t.Errorf("I-02: %v", err)
	}
	// What takes something away adds nobody: as of an account that needs no second factor, the password is enough.
	if needs, err := h.logins.ChangeNeeds(ctx, challenge.Client{}, h.open(out.Token), true); err != nil || len(needs) > 0 {
		t.Errorf("needs %v, %v", needs, err)
	}
	if err := h.logins.ForgetDevice(ctx, challenge.Client{}, h.open(out.Token), ""); err != nil || h.record("5").Devices != 0 {
		t.Errorf("%v", err)
	}
	h.Clock.Advance(challenge.ConfirmedWithin)
	if err := h.logins.ForgetDevice(ctx, challenge.Client{}, h.open(out.Token), ""); !errors.Is(err, challenge.ErrNotFresh) {
		t.Errorf("I-11: %v", err)
	}
}
