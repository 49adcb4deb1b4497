package challenge

import (
	"container/list"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// gate bounds how much password hashing goes on at once (I-23): each hash takes 19 MiB and a core, and anybody may ask for
// one. At most slots turns run; at most queue wait, first come first served; whoever comes beyond is refused without
// waiting. Safe for concurrent use.
//
// A slot's turns run one after the other in a goroutine of its own, which ends when nobody waits. Handing a slot from one
// caller's goroutine to the next makes the scheduler move the hashing from thread to thread under a flood, and cheap
// requests wait for it: see docs/benchmarks.md.
type gate struct {
	mu      sync.Mutex
	free    int
	queue   int
	waiting list.List // of *turn
}

// turn is one call that waits or runs.
type turn struct {
	run      func()
	place    *list.Element // in the queue; nil once it has begun
	done     chan struct{}
	panicked *panicked
}

// panicked carries a panic from the goroutine where it happened to the one that asked.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) String() string { return fmt.Sprintf("%v\n\n%s", p.value, p.stack) }

// newGate makes a gate. slots of 0 or less mean GOMAXPROCS-1 and at least 1, which leaves a core for cheap requests; a
// queue of 0 means 256, a negative one means that nobody waits.
func newGate(slots, queue int) *gate {
	if slots <= 0 {
		slots = max(runtime.GOMAXPROCS(0)-1, 1)
	}
	switch {
	case queue == 0:
		queue = 256
	case queue < 0:
		queue = 0
	}
	return &gate{free: slots, queue: queue}
}

// do waits for a slot, runs run in it, and returns when that is over; a panic in run goes on in the caller. The error is a
// *BusyError when too many wait already, or ErrUnavailable when ctx ended first: then run never runs. Once it has begun, ctx
// does not matter any more.
func (g *gate) do(ctx context.Context, run func()) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: waiting to hash: %w", ErrUnavailable, err)
	}
	t := &turn{run: run, done: make(chan struct{})}
	g.mu.Lock()
	switch {
	case g.free > 0: // nobody waits while a slot is free
		g.free--
		go g.work(t)
	case g.waiting.Len() >= g.queue:
		g.mu.Unlock()
		return &BusyError{RetryAfter: time.Second}
	default:
		t.place = g.waiting.PushBack(t)
	}
	g.mu.Unlock()

	select {
	case <-t.done:
	case <-ctx.Done():
		g.mu.Lock()
		waits := t.place != nil
		if waits {
			g.waiting.Remove(t.place)
		}
		g.mu.Unlock()
		if waits {
			return fmt.Errorf("%w: waiting to hash: %w", ErrUnavailable, ctx.Err())
		}
		<-t.done
	}
	if t.panicked != nil {
		panic(t.panicked)
	}
	return nil
}

// work runs turns until nobody waits, and frees the slot.
func (g *gate) work(t *turn) {
	defer func() {
		if t != nil { // a turn has ended this goroutine
			go g.work(&turn{run: func() {}, done: make(chan struct{})})
		}
	}()
	for ; t != nil; t = g.next() {
		t.begin()
	}
}

func (t *turn) begin() {
	defer close(t.done)
	defer func() {
		if v := recover(); v != nil {
			t.panicked = &panicked{v, debug.Stack()}
		}
	}()
	t.run()
}

// next is whoever waits longest. When nobody does, the slot is free, and next is nil.
func (g *gate) next() *turn {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := g.waiting.Front()
	if first == nil {
		g.free++
		return nil
	}
	t := g.waiting.Remove(first).(*turn)
	t.place = nil
	return t
}
