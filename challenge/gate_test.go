package challenge

import (
	"context"
	"errors"
	"runtime"
	"strings"
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
				err := g.do(t.Context(), func() {
					if n := inside.Add(1); n > most.Load() {
						most.Store(n)
					}
					time.Sleep(25 * time.Millisecond)
					inside.Add(-1)
					served.Add(1)
				})
				if busy := (*BusyError)(nil); errors.As(err, &busy) {
					refused.Add(1)
					if busy.RetryAfter != time.Second || busy.Cooldown || time.Since(began) != 0 {
						t.Errorf("refused after %v with %+v", time.Since(began), busy)
					}
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if most.Load() != slots || served.Load() != slots+queue || refused.Load() != callers-slots-queue {
			t.Errorf("%d inside at once, %d served, %d refused", most.Load(), served.Load(), refused.Load())
		}
		if g.free != slots || g.waiting.Len() != 0 {
			t.Errorf("%d slots free, %d waiting at the end", g.free, g.waiting.Len())
		}
	})
}

// taken keeps a gate's slot until leave is called, and for good if it is not.
func taken(t *testing.T, g *gate) (leave func()) {
	left, in := make(chan struct{}), make(chan struct{})
	go func() {
		if err := g.do(t.Context(), func() { close(in); <-left }); err != nil {
			t.Error("the gate has closed for good: ", err)
			close(in)
		}
	}()
	<-in
	return func() { close(left) }
}

func TestI23TheGateServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 0)
		leave := taken(t, g)
		var order []int
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if err := g.do(t.Context(), func() { order = append(order, i) }); err != nil { // one at a time: the gate is the lock
					t.Error(err)
				}
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
		leave := taken(t, g)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		never := func() { t.Error("it ran although its context had ended") }
		if err := g.do(ctx, never); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnavailable) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if err := g.do(ctx, never); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a context that has ended: %v", err)
		}
		// The place is free again for somebody else.
		got := make(chan error, 1)
		go func() { got <- g.do(t.Context(), func() {}) }()
		synctest.Wait()
		leave()
		if err := <-got; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if g.free != 1 {
			t.Errorf("%d slots", g.free)
		}
	})
}

// What has begun may have spent a guess: whoever asked is told how it ended.
func TestWhoeverIsInsideTheGateIsWaitedForWhateverItsContextSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 0)
		leave := taken(t, g)
		time.AfterFunc(time.Second, leave) // it has waited for its turn
		ctx, cancel := context.WithCancel(t.Context())
		ended := false
		if err := g.do(ctx, func() {
			cancel()
			time.Sleep(time.Second)
			ended = true
		}); err != nil || !ended {
			t.Errorf("%v, ended: %v", err, ended)
		}
	})
}

func TestAPanicInsideTheGateGoesOnWhereItWasAskedForAndKeepsNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 1)
		func() {
			defer func() {
				p, ok := recover().(*panicked)
				if !ok || p.value != "no" || !strings.HasPrefix(p.String(), "no\n") || !strings.Contains(p.String(), "gate_test.go") {
					t.Errorf("%v", p)
				}
			}()
			_ = g.do(t.Context(), func() { panic("no") })
		}()
		if err := g.do(t.Context(), runtime.Goexit); err != nil {
			t.Error(err)
		}
		synctest.Wait()
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
			leave := taken(t, g)
			ctx, cancel := context.WithCancel(t.Context())
			go func() { _ = g.do(ctx, func() {}) }()
			synctest.Wait()
			go cancel() // in the moment in which it is its turn
			leave()
			synctest.Wait()
			if g.free != 1 || g.waiting.Len() != 0 {
				t.Fatal("a slot is lost")
			}
		}
	})

	g := newGate(2, 100)
	var ran, told atomic.Int32
	var wg sync.WaitGroup
	for i := range 2000 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			if i%2 == 0 {
				go cancel()
			}
			defer cancel()
			if g.do(ctx, func() { ran.Add(1); runtime.Gosched() }) == nil {
				told.Add(1)
			}
		})
	}
	wg.Wait()
	for range 2 { // both can still be had at once
		taken(t, g)
	}
	if ran.Load() != told.Load() { // a guess that nobody knows of would be spent
		t.Errorf("%d ran, %d were told so", ran.Load(), told.Load())
	}
	if g.free != 0 || g.waiting.Len() != 0 {
		t.Errorf("%d slots, %d waiting", g.free, g.waiting.Len())
	}
}

func TestGateDefaults(t *testing.T) {
	g := newGate(0, 0)
	if g.free != max(runtime.GOMAXPROCS(0)-1, 1) || g.queue != 256 {
		t.Errorf("%d slots, %d in the queue", g.free, g.queue)
	}
	g = newGate(1, -1)
	defer taken(t, g)()
	if err := g.do(t.Context(), func() {}); !errors.As(err, new(*BusyError)) {
		t.Errorf("without a queue: %v", err)
	}
}
