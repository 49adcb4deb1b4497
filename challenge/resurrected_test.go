package challenge_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// remembering is a store whose sessions come back: what a failover to a replica that had not heard of a delete looks like.
type remembering struct {
	challenge.Store
	last map[string][]byte
}

func (r *remembering) CompareAndSwap(ctx context.Context, key string, old, new []byte, end time.Time) (bool, error) {
	if new != nil {
		r.last[key] = new
	}
	return r.Store.CompareAndSwap(ctx, key, old, new, end)
}

func (r *remembering) Volatile() bool { return true }

func TestI16ASessionThatAStoreBringsBackIsOverWithinAMinute(t *testing.T) {
	var store *remembering
	h := build(t, func(c *challenge.Config) {
		store = &remembering{c.Store, map[string][]byte{}}
		c.Accounts, c.Store = c.Store, store
	})
	ctx := context.Background()
	token := h.loginAlice()
	s := h.open(token)
	if err := h.logins.Logout(ctx, challenge.Client{}, s); err != nil {
		t.Fatal(err)
	}
	key := challenge.SessionKey(challenge.Cookie, token)
	if _, err := store.CompareAndSwap(ctx, key, nil, store.last[key], time.Time{}); err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(time.Minute)
	s = h.open(token)
	if _, ok := s.Login(); !ok {
		t.Fatal("the store did not bring it back: this test proves nothing")
	}
	if !h.logins.NeedsTouch(s) {
		t.Fatal("nobody asks")
	}
	if err := h.logins.Touch(ctx, challenge.Client{}, s); !errors.Is(err, challenge.ErrEnded) {
		t.Errorf("%v", err)
	}
	if h.open(token).Exists() {
		t.Error("it is still there")
	}
}
