package challenge_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/challenge"
)

func TestI10WhetherADeviceIsKnownCostsTheSameForEveryName(t *testing.T) {
	store, users := &spied{}, &countedUsers{}
	h := build(t, func(c *challenge.Config) {
		store.Store, users.Users = c.Store, c.Users
		c.Store, c.Users = store, users
	})
	stranger := challenge.Client{Device: strings.Repeat("D", 43)}
	cost := func(name string) string {
		store.take()
		users.calls = nil
		if id := h.logins.KnownDevice(context.Background(), name, stranger); id != "" {
			t.Errorf("the device is known to %q", id)
		}
		return strings.Join(store.take(), " ") + ", " + strings.Join(users.calls, " ")
	}
	want := cost("carol")
	for _, name := range []string{"nobody", "somebody-else", "reports", "CAROL"} {
		if got := cost(name); got != want || got == ", " {
			t.Errorf("I-10: %s costs %q, carol %q", name, got, want)
		}
	}
}

func TestI23AMadeUpDeviceCookieIsToldWithoutAskingTheStore(t *testing.T) {
	h := build(t)
	token := strings.Repeat("D", 43)
	cookie := h.logins.DeviceCookie(token)
	if got := h.logins.DeviceToken(cookie); got != token {
		t.Errorf("ours is %q", got)
	}
	other := strings.Repeat("E", 43)
	for name, c := range map[string]string{
		"nothing": "", "a token alone": token, "of another token": other + cookie[43:], "one letter off": cookie[:len(cookie)-2] + "AA",
		"cut off": cookie[:len(cookie)-1], "too long": cookie + "A", "without end": cookie + strings.Repeat("A", 1<<16), "not base64": token + "!" + cookie[44:],
	} {
		if got := h.logins.DeviceToken(c); got != "" {
			t.Errorf("I-23: %s: %q", name, got)
		}
	}
}

func TestADeviceCookieIsReadWhileItsKeyIs(t *testing.T) {
	h := build(t).rekeyed(1)
	token := strings.Repeat("D", 43)
	old := h.logins.DeviceCookie(token)
	if h = h.rekeyed(2, 1); h.logins.DeviceToken(old) != token || h.logins.DeviceCookie(token) == old {
		t.Error("a cookie of the key before is no cookie, or is written again by it")
	}
	if h = h.rekeyed(2); h.logins.DeviceToken(old) != "" {
		t.Error("a cookie of a key that is gone is taken")
	}
}
