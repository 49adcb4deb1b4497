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
