package challenge_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
)

// rekeyed is the same house with other keys, as after a new deployment.
func (h *house) rekeyed(ids ...uint32) *house {
	h.t.Helper()
	c := h.Config(h.store)
	c.Keys = nil
	for _, id := range ids {
		c.Keys = append(c.Keys, challengetest.Key(id))
	}
	logins, err := challenge.New(c)
	if err != nil {
		h.t.Fatal(err)
	}
	again := *h
	again.logins = logins
	return &again
}

// in logs alice in with a code.
func (h *house) in() error {
	h.Clock.Advance(time.Minute)
	out, err := h.password("alice", password)
	if err != nil {
		return err
	}
	_, err = h.logins.Verify(context.Background(), challenge.Client{}, h.open(out.Token), challenge.CodeInput{Code: h.codeOf(secret, 0)})
	return err
}

func TestKeysAreExchangedWhilePeopleLogIn(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	codes, err := h.logins.MakeRecoveryCodes(ctx, challenge.Client{}, "1")
	if err != nil {
		t.Fatal(err)
	}
	both := h.rekeyed(2, 1) // the new key writes, the old one reads
	if err := both.in(); err != nil {
		t.Fatal("the old key does not read:", err)
	}
	r, err := both.logins.Rotate(ctx, slices.Values([]string{"1", "3", "nobody"}))
	if err != nil || r.Accounts != 3 || r.Resealed != 2 || r.Recovery[1] != len(codes) || r.Done() {
		t.Fatalf("%+v, %v", r, err)
	}
	if again, err := both.logins.Rotate(ctx, slices.Values([]string{"1"})); err != nil || again.Resealed != 0 {
		t.Errorf("a second run: %+v, %v", again, err)
	}
	if _, err := both.logins.MakeRecoveryCodes(ctx, challenge.Client{}, "1"); err != nil {
		t.Fatal(err)
	}
	if r, err = both.logins.Rotate(ctx, slices.Values([]string{"1"})); err != nil || !r.Done() {
		t.Errorf("the old key may go, and nobody says so: %+v, %v", r, err)
	}
	if err := h.rekeyed(2).in(); err != nil {
		t.Error("without the old key:", err)
	}
}

func TestALostKeyIsNamedAndLetsNobodyIn(t *testing.T) {
	h := build(t)
	lost := h.rekeyed(2)
	err := lost.in()
	if !errors.Is(err, challenge.ErrUnavailable) || !strings.Contains(err.Error(), "key 1 is missing") {
		t.Errorf("%v", err)
	}
	if _, err := lost.logins.Rotate(context.Background(), slices.Values([]string{"1"})); err == nil || !strings.Contains(err.Error(), "key 1") {
		t.Errorf("%v", err)
	}
	if err := h.in(); err != nil {
		t.Error("the failed exchange has broken what there was:", err)
	}
}
