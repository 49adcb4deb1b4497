package challenge_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/stores"
)

// watcher keeps what it is told of.
type watcher struct {
	mu     sync.Mutex
	begun  map[string]int
	ended  map[string]int
	failed map[string][]error
}

type watcherKey struct{}

func (w *watcher) Begin(ctx context.Context, op string) (context.Context, func(error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun == nil {
		w.begun, w.ended, w.failed = map[string]int{}, map[string]int{}, map[string][]error{}
	}
	w.begun[op]++
	return context.WithValue(ctx, watcherKey{}, op), func(err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended[op]++
		if err != nil {
			w.failed[op] = append(w.failed[op], err)
		}
	}
}

// asking is a store that knows what it is called as.
type asking struct {
	challenge.Store
	t    *testing.T
	want [2]string
}

func (s asking) Load(ctx context.Context, key string) ([]byte, error) {
	if got := ctx.Value(watcherKey{}); got != s.want[0] {
		s.t.Errorf("Load runs in the context of %v, want %s", got, s.want[0])
	}
	return s.Store.Load(ctx, key)
}

func (s asking) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error) {
	if got := ctx.Value(watcherKey{}); got != s.want[1] {
		s.t.Errorf("CompareAndSwap runs in the context of %v, want %s", got, s.want[1])
	}
	return s.Store.CompareAndSwap(ctx, key, old, new, expires)
}

func TestAnObserverIsToldOfEveryOperationAndOfItsEnd(t *testing.T) {
	for _, apart := range []bool{false, true} {
		w := new(watcher)
		h := build(t, func(c *challenge.Config) {
			c.Observer = w
			c.Store = asking{c.Store, t, [2]string{challenge.OpLoad, challenge.OpSwap}}
			if apart {
				c.Accounts = asking{new(stores.Memory), t, [2]string{challenge.OpAccountsLoad, challenge.OpAccountsSwap}}
			}
		})
		for _, f := range flows[:2] { // by mail and by app
			if _, err := f.run(h); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{challenge.OpLoad, challenge.OpSwap, challenge.OpUsers, challenge.OpHashWait, challenge.OpHash, challenge.OpSend}
		if apart {
			want = append(want, challenge.OpAccountsLoad, challenge.OpAccountsSwap)
		}
		for op, n := range w.begun {
			if w.ended[op] != n {
				t.Errorf("%s: %d begun, %d ended", op, n, w.ended[op])
			}
			if !slices.Contains(want, op) {
				t.Errorf("%s was not expected", op)
			}
		}
		for _, op := range want {
			if w.begun[op] == 0 {
				t.Errorf("nothing was told of %s", op)
			}
		}
		if w.begun[challenge.OpSend] != 1 || w.begun[challenge.OpHash] != 2 || len(w.failed) != 0 {
			t.Errorf("begun %v, failed %v", w.begun, w.failed)
		}
	}
}

func TestAnObserverSeesWhatFails(t *testing.T) {
	w := new(watcher)
	var store *failing
	h := build(t, func(c *challenge.Config) {
		c.Observer = w
		store = &failing{Store: c.Store, kind: down}
		c.Store = store
	})
	_, _ = h.password("nobody", password)
	if len(w.failed) != 0 {
		t.Errorf("an unknown name is no failure: %v", w.failed)
	}
	h.Outbox.Fail("email", errInjected)
	_, _ = h.password("carol", password)
	if len(w.failed[challenge.OpSend]) != 1 {
		t.Errorf("a failed send: %v", w.failed)
	}
	store.n, store.at = 0, 1
	_, _ = h.password("carol", password)
	if len(w.failed[challenge.OpLoad]) == 0 || !errors.Is(w.failed[challenge.OpLoad][0], errInjected) {
		t.Errorf("a failing store: %v", w.failed)
	}
	store.at = 0
	h.Users.Fail(errInjected)
	_, _ = h.password("carol", password)
	if len(w.failed[challenge.OpUsers]) != 1 {
		t.Errorf("a failing table of users: %v", w.failed)
	}
}

func TestAnObserverInFrontOfAStoreHidesNothingThatItCan(t *testing.T) {
	for _, observed := range []bool{false, true} {
		w := new(watcher)
		h := build(t, func(c *challenge.Config) {
			c.Store = new(stores.Memory)
			if observed {
				c.Observer = w
			}
		})
		taker, shared := h.logins.Taker()
		if taker == nil || shared {
			t.Fatalf("observed %v: taker %v, shared %v", observed, taker, shared)
		}
		if ok, _, err := taker.Take(t.Context(), "k", time.Second, 1); err != nil || !ok {
			t.Error(ok, err)
		}
		if observed && w.ended[challenge.OpTake] != 1 {
			t.Errorf("Take was not told: %v", w.ended)
		}
	}
}
