package challenge_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/stores"
)

const (
	password = "correct-horse-battery"
	secret   = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
)

// house is a machine with a few accounts, and somebody who walks through it.
type house struct {
	*challengetest.Kit
	t      *testing.T
	store  *stores.Memory
	logins *challenge.Logins

	recovery, token string // what a test keeps from its preparations
}

func build(t *testing.T, change ...func(*challenge.Config)) *house {
	t.Helper()
	h := &house{Kit: challengetest.New(challengetest.NewClock()), t: t}
	h.store = &stores.Memory{Clock: h.Clock.Now}
	h.Users.Add(challenge.Account{ID: "1", Name: "alice"}, password)
	h.Users.Add(challenge.Account{ID: "3", Name: "carol", Email: "carol@example.com"}, password)
	h.Users.Add(challenge.Account{ID: "4", Name: "dave"}, password)
	h.Users.Add(challenge.Account{ID: "5", Name: "erin", Email: "erin@example.com"}, password)
	h.Users.Add(challenge.Account{ID: "6", Name: "sam", Email: "sam@example.com", Phone: "+31600000001"}, password)
	h.Users.Add(challenge.Account{ID: "7", Name: "reports", Service: true}, password)
	h.SetVerdict("4", challenge.Verdict{NotNeeded: true})
	h.SetVerdict("5", challenge.Verdict{Factors: []string{"totp", "recovery"}})
	c := h.Config(h.store)
	for _, f := range change {
		f(&c)
	}
	logins, err := challenge.New(c)
	if err != nil {
		t.Fatal(err)
	}
	h.logins = logins
	if err := logins.ImportTOTP(context.Background(), "1", secret, "phone"); err != nil {
		t.Fatal(err)
	}
	h.Audit.Take()
	return h
}

func (h *house) password(name, pw string) (challenge.Outcome, error) {
	return h.logins.Password(context.Background(), challenge.Client{}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: name, Password: []byte(pw)})
}

func (h *house) open(token string) *challenge.Session {
	h.t.Helper()
	s, err := h.logins.Open(context.Background(), challenge.Cookie, token)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func TestStoryOfALoginByEmail(t *testing.T) {
	h := build(t)
	out, err := h.password("Carol", password)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := h.open(out.Token).Login(); ok {
		t.Fatal("I-01: a password alone made a login")
	}
	pending := out.Token
	out, err = h.logins.Verify(context.Background(), challenge.Client{}, h.open(pending), challenge.CodeInput{Code: h.Outbox.Code("carol@example.com")})
	if err != nil {
		t.Fatal(err)
	}
	if h.open(pending).Exists() {
		t.Error("I-03: the pending token is alive after promotion")
	}
	login, ok := h.open(out.Token).Login()
	if !ok || login.Username != "carol" {
		t.Fatalf("no login: %v", login)
	}
	h.Clock.Advance(61 * time.Minute)
	if h.open(out.Token).Exists() {
		t.Error("I-17: a login outlived an idle hour")
	}
	t.Log(h.Audit.Take())
}

func TestStoryOfAnEnrolmentDuringLogin(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	out, err := h.password("erin", password)
	if err != nil {
		t.Fatal(err)
	}
	out, err = h.logins.Verify(ctx, challenge.Client{}, h.open(out.Token), challenge.CodeInput{Code: h.Outbox.Code("erin@example.com")})
	if err != nil {
		t.Fatal(err)
	}
	s := h.open(out.Token)
	if p, ok := s.Pending(); !ok || p.Stage != challenge.StageEnrol {
		t.Fatalf("%v", s)
	}
	e, err := h.logins.Enrolling(ctx, challenge.Client{}, s)
	if err != nil || e.Key == "" || len(e.PNG) == 0 {
		t.Fatal(err)
	}
	out, err = h.logins.Verify(ctx, challenge.Client{}, s, challenge.CodeInput{Code: "000000"})
	if !errors.Is(err, challenge.ErrWrongCode) {
		t.Fatal(err)
	}
	t.Log(h.Audit.Take(), audit.CodeCreated)
}
