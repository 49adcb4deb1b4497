package challenge

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestI23TheGateBoundsHowManyAreInsideAndHowManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots, queue, callers = 3, 10, 50
		g := newGate(slots, queue)
		var inside, most, served, refused atomic.Int32
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				began := time.Now()
				leave, err := g.enter(t.Context())
				if busy := (*BusyError)(nil); errors.As(err, &busy) {
					refused.Add(1)
					if busy.RetryAfter != time.Second || busy.Cooldown || time.Since(began) != 0 {
						t.Errorf("refused after %v with %+v", time.Since(began), busy)
					}
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(25 * time.Millisecond)
				inside.Add(-1)
				served.Add(1)
				leave()
			})
		}
		wg.Wait()
		if most.Load() != slots || served.Load() != slots+queue || refused.Load() != callers-slots-queue {
			t.Errorf("%d inside at once, %d served, %d refused", most.Load(), served.Load(), refused.Load())
		}
		if g.free != slots || g.waiting.Len() != 0 {
			t.Errorf("%d slots free, %d waiting at the end", g.free, g.waiting.Len())
		}
	})
}

func TestI23TheGateServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 0)
		leave, err := g.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var order []int
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				leave, err := g.enter(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, i) // one at a time: the gate is the lock
				leave()
			})
			synctest.Wait()
		}
		leave()
		wg.Wait()
		for i, n := range order {
			if i != n {
				t.Fatalf("order %v", order)
			}
		}
	})
}

func TestI23WaitingAtTheGateEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 1)
		leave, err := g.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := g.enter(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnavailable) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if _, err := g.enter(ctx); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a context that has ended: %v", err)
		}
		// The place is free again for somebody else.
		got := make(chan error, 1)
		go func() {
			leave, err := g.enter(t.Context())
			if err == nil {
				leave()
			}
			got <- err
		}()
		synctest.Wait()
		leave()
		leave() // leaving twice gives nothing away
		if err := <-got; err != nil {
			t.Error(err)
		}
		if g.free != 1 {
			t.Errorf("%d slots", g.free)
		}
	})
}

// A slot handed over in the moment its waiter gives up must not be lost, or the gate would close for good.
func TestI23TheGateLosesNoSlotToWaitersThatGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 1)
		for range 200 {
			leave, err := g.enter(t.Context())
			if err != nil {
				t.Fatal("the gate has closed for good")
			}
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				if leave, err := g.enter(ctx); err == nil {
					leave()
				}
			}()
			synctest.Wait()
			cancel() // wakes the waiter, which finds the slot in its hands
			leave()
			synctest.Wait()
			if g.free != 1 {
				t.Fatal("a slot is lost")
			}
		}
	})

	g := newGate(2, 100)
	var wg sync.WaitGroup
	for i := range 2000 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			if i%2 == 0 {
				go cancel()
			}
			defer cancel()
			if leave, err := g.enter(ctx); err == nil {
				runtime.Gosched()
				leave()
			}
		})
	}
	wg.Wait()
	if g.free != 2 || g.waiting.Len() != 0 {
		t.Errorf("%d of 2 slots, %d waiting", g.free, g.waiting.Len())
	}
}

func TestGateDefaults(t *testing.T) {
	g := newGate(0, 0)
	if g.free != max(runtime.GOMAXPROCS(0)-1, 1) || g.queue != 256 {
		t.Errorf("%d slots, %d in the queue", g.free, g.queue)
	}
	g = newGate(1, -1)
	leave, err := g.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	if _, err := g.enter(t.Context()); !errors.As(err, new(*BusyError)) {
		t.Errorf("without a queue: %v", err)
	}
}
