package stores_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/stores"
)

// floor is the least that could be called a store: one lock, one map, one copy out, no end.
type floor struct {
	mu sync.RWMutex
	m  map[string][]byte
}

func (f *floor) Load(_ context.Context, key string) ([]byte, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return bytes.Clone(f.m[key]), nil
}

func (f *floor) CompareAndSwap(_ context.Context, key string, old, new []byte, _ time.Time) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	held, ok := f.m[key]
	if ok != (old != nil) || !bytes.Equal(held, old) {
		return false, nil
	}
	if new == nil {
		delete(f.m, key)
	} else {
		f.m[key] = bytes.Clone(new)
	}
	return true, nil
}

type loadSwapper interface {
	Load(ctx context.Context, key string) ([]byte, error)
	CompareAndSwap(ctx context.Context, key string, old, new []byte, end time.Time) (bool, error)
}

// sessionKeys are as long as a hashed token in base64 with a prefix.
func sessionKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = "s/" + (rand.Text() + rand.Text())[:43]
	}
	return keys
}

// beside runs both sides in short turns, so that a busy machine slows both, and reports medians and their ratio.
func beside(b *testing.B, floor, memory func(i int)) {
	const turn = 500
	var times [2][]time.Duration
	for i := 0; b.Loop(); i++ {
		for side, f := range []func(int){floor, memory} {
			begun := time.Now()
			for j := range turn {
				f(i*turn + j)
			}
			times[side] = append(times[side], time.Since(begun))
		}
	}
	var median [2]float64
	for side := range times {
		slices.Sort(times[side])
		median[side] = float64(times[side][len(times[side])/2]) / turn
	}
	b.ReportMetric(median[0], "floor-ns")
	b.ReportMetric(median[1], "memory-ns")
	b.ReportMetric(median[1]/median[0], "ratio")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkMemoryBesideFloor(b *testing.B) {
	const held = 100_000
	keys := sessionKeys(held)
	value, other := bytes.Repeat([]byte("v"), 300), bytes.Repeat([]byte("w"), 300)
	end := time.Now().Add(time.Hour)
	ctx := b.Context()
	pair := []loadSwapper{&floor{m: map[string][]byte{}}, new(stores.Memory)}
	for _, st := range pair {
		for _, k := range keys {
			if ok, err := st.CompareAndSwap(ctx, k, nil, value, end); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	}
	both := func(name string, f func(st loadSwapper, i int) (bool, error)) {
		b.Run(name, func(b *testing.B) {
			side := func(st loadSwapper) func(int) {
				return func(i int) {
					if ok, err := f(st, i); !ok || err != nil {
						b.Fatal(ok, err)
					}
				}
			}
			beside(b, side(pair[0]), side(pair[1]))
		})
	}
	both("load one of one", func(st loadSwapper, _ int) (bool, error) {
		v, err := st.Load(ctx, keys[0])
		return v != nil, err
	})
	both("load one of 100k", func(st loadSwapper, i int) (bool, error) {
		v, err := st.Load(ctx, keys[i%held])
		return v != nil, err
	})
	both("load absent", func(st loadSwapper, i int) (bool, error) {
		v, err := st.Load(ctx, "absent")
		return v == nil, err
	})
	both("swap there and back", func(st loadSwapper, i int) (bool, error) {
		if ok, err := st.CompareAndSwap(ctx, keys[i%held], value, other, end); !ok || err != nil {
			return ok, err
		}
		return st.CompareAndSwap(ctx, keys[i%held], other, value, end)
	})
	both("insert and delete", func(st loadSwapper, i int) (bool, error) {
		if ok, err := st.CompareAndSwap(ctx, "fresh", nil, value, end); !ok || err != nil {
			return ok, err
		}
		return st.CompareAndSwap(ctx, "fresh", value, nil, end)
	})
}

func BenchmarkParallelLoad(b *testing.B) {
	keys := sessionKeys(100_000)
	value := bytes.Repeat([]byte("v"), 300)
	for _, st := range []struct {
		name string
		loadSwapper
	}{{"floor", &floor{m: map[string][]byte{}}}, {"Memory", new(stores.Memory)}} {
		for _, k := range keys {
			st.CompareAndSwap(b.Context(), k, nil, value, time.Now().Add(time.Hour))
		}
		b.Run(st.name, func(b *testing.B) {
			ctx := b.Context()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if v, err := st.Load(ctx, keys[i%len(keys)]); v == nil || err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func BenchmarkMemoryTake(b *testing.B) {
	m := new(stores.Memory)
	keys := sessionKeys(100_000)
	b.ReportAllocs()
	ctx, i := b.Context(), 0
	for b.Loop() {
		if _, _, err := m.Take(ctx, keys[i%len(keys)], time.Millisecond, 10); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// BenchmarkMemoryMillion measures what a million sessions take over their payload, how long readers wait while they have
// all ended and are cleaned up, and how much is left afterwards. Beside it stands how long readers wait while the same
// writer has nothing to clean up: on a busy machine most of either is the scheduler's.
func BenchmarkMemoryMillion(b *testing.B) {
	const n = 1_000_000
	payload := bytes.Repeat([]byte("v"), 288) // a size class of the allocator, so that rounding is not counted
	for b.Loop() {
		c := newClock()
		ctx := b.Context()
		before := heap()
		m := &stores.Memory{Clock: c.Now}
		end := c.Now().Add(time.Hour)
		for i := range n {
			// A key of 45 bytes, made here so that nobody else holds it.
			if ok, err := m.CompareAndSwap(ctx, fmt.Sprintf("s/%043d", i), nil, payload, end); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
		b.ReportMetric(float64(heap()-before)/n-float64(len(payload)), "B/session")

		write := func(i int) {
			if ok, err := m.CompareAndSwap(ctx, "w"+strconv.Itoa(i), nil, payload, c.Now()); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
		quiet := waits(m, func() {
			for i := range 1_000_000 {
				write(i)
			}
		})
		c.Advance(2 * time.Hour)
		writes := 0
		cleaning := waits(m, func() {
			for have, _ := m.Usage(); have > 0; have, _ = m.Usage() {
				write(writes)
				writes++
			}
		})
		b.ReportMetric(micros(quiet[len(quiet)/2]), "quiet-wait-µs")
		b.ReportMetric(micros(quiet[len(quiet)-1]), "quiet-wait-max-µs")
		b.ReportMetric(micros(cleaning[len(cleaning)/2]), "cleaning-wait-µs")
		b.ReportMetric(micros(cleaning[len(cleaning)-1]), "cleaning-wait-max-µs")
		b.ReportMetric(float64(writes), "writes-to-clean")
		b.ReportMetric(float64(heap()-before)/n, "B/session-left")
		runtime.KeepAlive(m)
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// waits reports, in order of size, the longest Load of each hundredth of a second while f ran. What clean-up does to
// readers shows in every one, so also in the one in the middle.
func waits(m *stores.Memory, f func()) []time.Duration {
	var stop atomic.Bool
	longest := make(chan []time.Duration)
	keys := sessionKeys(10_000)
	go func() {
		var all []time.Duration
		for i := 0; !stop.Load(); {
			var most time.Duration
			for window := time.Now(); !stop.Load() && time.Since(window) < 10*time.Millisecond; i++ {
				begun := time.Now()
				m.Load(context.Background(), keys[i%len(keys)])
				most = max(most, time.Since(begun))
			}
			all = append(all, most)
		}
		slices.Sort(all)
		longest <- all
	}()
	f()
	stop.Store(true)
	return <-longest
}
