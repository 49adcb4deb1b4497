package challenge_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/challenge"
)

func TestI11APlantedDeviceTokenIsNotAdopted(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	planted := strings.Repeat("D", 43)
	login := func(c challenge.Client) challenge.Outcome {
		t.Helper()
		h.Clock.Advance(60e9)
		out, err := h.logins.Password(ctx, c, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: "alice", Password: []byte(password)})
		if err != nil {
			t.Fatal(err)
		}
		if out, err = h.logins.Verify(ctx, c, h.open(out.Token), challenge.CodeInput{Code: h.codeOf(secret, 0)}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	own := login(challenge.Client{Device: planted}).Device
	if own == planted || own == "" {
		t.Fatal("somebody else's token became a device of the account")
	}
	if h.logins.KnownDevice(ctx, "alice", challenge.Client{Device: planted}) != "" || h.logins.KnownDevice(ctx, "alice", challenge.Client{Device: own}) != "1" {
		t.Error("the wrong one is known")
	}
	if again := login(challenge.Client{Device: own}).Device; again != own {
		t.Error("a known device gets a new token at each login")
	}
	for range 4 { // whoever planted it guesses as a stranger
		if _, err := h.logins.Password(ctx, challenge.Client{Device: planted}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: "alice", Password: []byte("wrong")}); !errors.Is(err, challenge.ErrRefused) {
			t.Errorf("%v", err)
		}
	}
	login(challenge.Client{Device: own})
}
