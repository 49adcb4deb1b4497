package challenge_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

func TestI07AWrongCodeCostsAGuessWhateverBecameOfThePendingLogin(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	out, err := h.password("alice", password)
	if err != nil {
		t.Fatal(err)
	}
	s := h.open(out.Token)
	if err := h.logins.Cancel(ctx, challenge.Client{}, h.open(out.Token), ""); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := h.logins.Verify(ctx, challenge.Client{}, s, challenge.CodeInput{Code: "000000"}); !errors.Is(err, challenge.ErrWrongCode) {
			t.Fatal(err)
		}
	}
	if r := h.record("1"); r.CodeSpent != 3 {
		t.Errorf("3 wrong codes cost %d", r.CodeSpent)
	}
}

func TestI06TheMailboxThatLetSomebodyInIsNoStepUp(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	h.SetVerdict("3", challenge.Verdict{NotNeeded: true})
	out, err := h.logins.Enter(ctx, challenge.Client{}, &challenge.Session{}, challenge.Cookie, "3", challenge.FirstFactor{Method: "magic-link", Channel: challenge.ChannelEmail})
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.logins.BeginStepUp(ctx, challenge.Client{}, h.open(out.Token), "", false)
	if err != nil || len(p.Methods) != 1 || p.Methods[0] != "password" {
		t.Errorf("%v, %v", p.Methods, err)
	}
	if len(h.Outbox.Messages()) != 0 {
		t.Error("a code went to the mailbox that the link came from")
	}
}

func TestI06AFirstFactorHasNotTheNameOfASecond(t *testing.T) {
	h := build(t)
	for _, name := range []string{"email", "totp", "sms", "recovery", "password", "trusted-device", "enrolment-code", "", "Magic Link"} {
		if out, err := h.logins.Enter(context.Background(), challenge.Client{}, &challenge.Session{}, challenge.Cookie, "4", challenge.FirstFactor{Method: name}); err == nil {
			t.Errorf("%q is taken: %v", name, out)
		}
	}
}

func TestI21ARecoveryCodeLeavesItsEventWhereverItIsUsed(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	codes, err := h.logins.MakeRecoveryCodes(ctx, challenge.Client{}, "1")
	if err != nil {
		t.Fatal(err)
	}
	token := h.loginAlice()
	h.Audit.Take()
	if _, err := h.stepUp(token, "", codes[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := h.logins.Basic(ctx, challenge.Client{}, challenge.BasicInput{Name: "alice", Password: []byte(password), Code: &codes[1]}); err != nil {
		t.Fatal(err)
	}
	if n := h.Audit.Count(audit.RecoveryCodeUsed); n != 2 {
		t.Errorf("%d events for 2 codes", n)
	}
}
