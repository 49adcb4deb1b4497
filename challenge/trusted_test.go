package challenge_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// trusting is a house in which devices can be trusted for a week.
func trusting(t *testing.T) *house {
	return build(t, func(c *challenge.Config) { c.TrustDevices = 7 * 24 * time.Hour })
}

// on is a login by password on a device, in a browser that has no session.
func (h *house) on(name string, c challenge.Client) challenge.Outcome {
	h.t.Helper()
	out, err := h.logins.Password(context.Background(), c, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: name, Password: []byte(password)})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// trust logs carol in with a code and trusts the device.
func (h *house) trust() challenge.Outcome {
	h.t.Helper()
	h.Clock.Advance(time.Minute)
	out := h.on("carol", challenge.Client{})
	out, err := h.logins.Verify(context.Background(), challenge.Client{}, h.open(out.Token), challenge.CodeInput{Code: h.Outbox.Code("carol@example.com"), Trust: true})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

func pendingOf(out challenge.Outcome) bool { _, ok := out.Session.Pending(); return ok }

func TestNoDeviceIsTrustedUnlessTheAppSaysSo(t *testing.T) {
	h := build(t)
	if out := h.trust(); out.Trusted != "" {
		t.Error("a device is trusted although Config.TrustDevices is zero")
	}
}

func TestATrustedDeviceStandsInForTheCodeUntilItsEnd(t *testing.T) {
	h := trusting(t)
	out := h.trust()
	if out.Trusted == "" {
		t.Fatal("nothing to keep in a cookie")
	}
	sent := len(h.Outbox.Messages())
	next := h.on("carol", challenge.Client{Trusted: out.Trusted})
	login, ok := next.Session.Login()
	if !ok || !login.SecondFactor || len(h.Outbox.Messages()) != sent {
		t.Fatal("the code was asked for")
	}
	if names := login.MethodNames(); !slices.Equal(names, []string{"password", "email", "trusted-device"}) {
		t.Error(names)
	}
	if h.logins.FreshWithin(login, time.Hour) {
		t.Error("a device made a login fresh: what asks for a fresh factor must ask")
	}
	h.Clock.Advance(7 * 24 * time.Hour)
	if !pendingOf(h.on("carol", challenge.Client{Trusted: next.Trusted})) {
		t.Error("trust outlives its end")
	}
}

func TestATrustedDevicesTokenIsGoodOnceAndForItsAccountOnly(t *testing.T) {
	h := trusting(t)
	h.Users.Add(challenge.Account{ID: "9", Name: "carla", Email: "carla@example.com"}, password)
	first := h.trust().Trusted
	if !pendingOf(h.on("carla", challenge.Client{Trusted: first})) {
		t.Error("another account's trusted device stood in")
	}
	second := h.on("carol", challenge.Client{Trusted: first}).Trusted
	if second == "" || second == first {
		t.Fatal("the token was not changed when it was used")
	}
	if !pendingOf(h.on("carol", challenge.Client{Trusted: first})) {
		t.Error("a copy of the token is good after the owner's has changed")
	}
	if pendingOf(h.on("carol", challenge.Client{Trusted: second})) {
		t.Error("the owner's own token is worthless")
	}
	if _, err := h.logins.Password(context.Background(), challenge.Client{Trusted: second}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: "carol", Password: []byte("wrong")}); err == nil {
		t.Error("a trusted device stood in for the password")
	}
}

func TestEveryChangeEndsTheTrust(t *testing.T) {
	ctx := context.Background()
	for name, change := range map[string]func(*house, challenge.Outcome){
		"log out everywhere": func(h *house, _ challenge.Outcome) {
			if err := h.logins.LogoutEverywhere(ctx, challenge.Client{}, "3"); err != nil {
				h.t.Fatal(err)
			}
		},
		"other logins ended": func(h *house, out challenge.Outcome) {
			if _, err := h.logins.EndOthers(ctx, challenge.Client{}, h.open(out.Token)); err != nil {
				h.t.Fatal(err)
			}
		},
		"taken away": func(h *house, out challenge.Outcome) {
			s := h.open(out.Token)
			list, err := h.logins.TrustedDevices(ctx, challenge.Client{Trusted: out.Trusted}, s)
			if err != nil || len(list) != 1 || !list[0].Current {
				h.t.Fatal(list, err)
			}
			if err := h.logins.Distrust(ctx, challenge.Client{}, s, list[0].ID); err != nil {
				h.t.Fatal(err)
			}
		},
		"factors reset": func(h *house, _ challenge.Outcome) {
			if err := h.logins.ResetFactors(ctx, "3", "admin"); err != nil {
				h.t.Fatal(err)
			}
		},
		"policy asks for another factor": func(h *house, _ challenge.Outcome) {
			if err := h.logins.ImportTOTP(ctx, "3", secret, ""); err != nil {
				h.t.Fatal(err)
			}
			h.SetVerdict("3", challenge.Verdict{Factors: []string{"totp"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := trusting(t)
			out := h.trust()
			change(h, out)
			h.Clock.Advance(time.Minute)
			if !pendingOf(h.on("carol", challenge.Client{Trusted: out.Trusted})) {
				t.Error("it is still trusted")
			}
		})
	}
}

func TestOfManyRequestsWithOneTrustedTokenOneIsLetIn(t *testing.T) {
	for range 30 {
		h := build(t, func(c *challenge.Config) {
			c.TrustDevices, c.HashSlots, c.PasswordGuesses = time.Hour, 20, 100
		})
		token := h.trust().Trusted
		start, in := make(chan struct{}), make(chan bool, 20)
		for range cap(in) {
			go func() {
				<-start
				out, err := h.logins.Password(context.Background(), challenge.Client{Trusted: token}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: "carol", Password: []byte(password)})
				_, ok := out.Session.Login()
				in <- err == nil && ok
			}()
		}
		close(start)
		logins := 0
		for range cap(in) {
			if <-in {
				logins++
			}
		}
		if logins != 1 {
			t.Fatalf("%d logins with one token", logins)
		}
	}
}
