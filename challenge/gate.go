package challenge

import (
	"container/list"
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// gate bounds how much password hashing goes on at once (I-23): each hash takes 19 MiB and a core, and anybody may ask for
// one. At most slots callers are inside; at most queue wait, first come first served; whoever comes beyond is refused
// without waiting. Safe for concurrent use.
type gate struct {
	mu      sync.Mutex
	free    int
	queue   int
	waiting list.List // of chan struct{}, closed when the slot is handed over
}

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

// enter waits for a slot. The caller must call leave, once it is done; calling it again does nothing. The error is a
// *BusyError when too many wait already, or ErrUnavailable when ctx ended first.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: waiting to hash: %w", ErrUnavailable, err)
	}
	g.mu.Lock()
	if g.free > 0 { // nobody waits while a slot is free: release hands slots over directly
		g.free--
		g.mu.Unlock()
		return sync.OnceFunc(g.release), nil
	}
	if g.waiting.Len() >= g.queue {
		g.mu.Unlock()
		return nil, &BusyError{RetryAfter: time.Second}
	}
	turn := make(chan struct{})
	place := g.waiting.PushBack(turn)
	g.mu.Unlock()

	select {
	case <-turn:
		return sync.OnceFunc(g.release), nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	select {
	case <-turn: // the slot came in the same moment: pass it on
		g.mu.Unlock()
		g.release()
	default:
		g.waiting.Remove(place)
		g.mu.Unlock()
	}
	return nil, fmt.Errorf("%w: waiting to hash: %w", ErrUnavailable, ctx.Err())
}

// release hands the slot to whoever waits longest, or frees it.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if first := g.waiting.Front(); first != nil {
		close(g.waiting.Remove(first).(chan struct{}))
		return
	}
	g.free++
}
