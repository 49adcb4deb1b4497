package challenge_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

func TestI03TheSecondClickOfADoubleClickCostsNothingHoweverLateItIs(t *testing.T) {
	h := build(t)
	out, err := h.password("alice", password)
	if err != nil {
		t.Fatal(err)
	}
	first, second := h.open(out.Token), h.open(out.Token) // both posts have found the pending login
	code := h.codeOf(secret, 0)
	if _, err := h.logins.Verify(context.Background(), challenge.Client{}, first, challenge.CodeInput{Code: code}); err != nil {
		t.Fatal(err)
	}
	h.Audit.Take()
	if _, err := h.logins.Verify(context.Background(), challenge.Client{}, second, challenge.CodeInput{Code: code}); !errors.Is(err, challenge.ErrNoPending) {
		t.Errorf("%v", err)
	}
	if n := h.Audit.Count(audit.ReplayedCode); n != 0 {
		t.Error("it was taken for a replay")
	}
	if r := h.record("1"); r.CodeSpent != 0 {
		t.Errorf("it cost a guess: %+v", r)
	}
}

func TestI16WhatTheAppChangesWhileACodeIsLookedAtHolds(t *testing.T) {
	var h *house
	h = build(t, func(c *challenge.Config) {
		c.Factors = append([]challenge.Factor{&challenge.CustomCheck{Method: "slow", For: func(challenge.CustomAttempt) bool { return true },
			Validate: func(context.Context, challenge.CustomAttempt, string) (challenge.CustomVerdict, error) {
				h.Users.Change("4", func(a *challenge.Account) { a.Disabled = true })
				return challenge.CustomVerdict{OK: true}, nil
			}}}, c.Factors...)
	})
	h.SetVerdict("4", challenge.Verdict{})
	out, err := h.password("dave", password)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := h.logins.Verify(context.Background(), challenge.Client{}, h.open(out.Token), challenge.CodeInput{Code: "anything"}); err == nil {
		t.Errorf("an account that was disabled meanwhile is logged in: %v", out)
	}
}
