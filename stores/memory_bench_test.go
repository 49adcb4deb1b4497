package stores_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
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

func BenchmarkStore(b *testing.B) {
	const held = 100_000
	keys := sessionKeys(held)
	value := bytes.Repeat([]byte("v"), 300)
	end := time.Now().Add(time.Hour)
	for _, st := range []struct {
		name string
		loadSwapper
	}{{"floor", &floor{m: map[string][]byte{}}}, {"Memory", new(stores.Memory)}} {
		for _, k := range keys {
			if ok, err := st.CompareAndSwap(b.Context(), k, nil, value, end); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
		b.Run("load/"+st.name, func(b *testing.B) {
			b.ReportAllocs()
			ctx, i := b.Context(), 0
			for b.Loop() {
				if v, err := st.Load(ctx, keys[i%held]); v == nil || err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
		b.Run("load one/"+st.name, func(b *testing.B) {
			ctx := b.Context()
			for b.Loop() {
				if v, err := st.Load(ctx, keys[0]); v == nil || err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("parallel load/"+st.name, func(b *testing.B) {
			ctx := b.Context()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if v, err := st.Load(ctx, keys[i%held]); v == nil || err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
		b.Run("swap/"+st.name, func(b *testing.B) {
			b.ReportAllocs()
			ctx, i := b.Context(), 0
			a, z := bytes.Clone(value), bytes.Clone(value)
			z[0] = 'z'
			for b.Loop() {
				from, to := a, z
				if i/held%2 == 1 {
					from, to = z, a
				}
				// Runs of other lengths may have left either value.
				ok, _ := st.CompareAndSwap(ctx, keys[i%held], from, to, end)
				if !ok {
					st.CompareAndSwap(ctx, keys[i%held], to, to, end)
				}
				i++
			}
		})
		b.Run("insert and delete/"+st.name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			for b.Loop() {
				st.CompareAndSwap(ctx, "fresh", nil, value, end)
				st.CompareAndSwap(ctx, "fresh", value, nil, end)
			}
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

// BenchmarkMemoryMillion measures what a million sessions take over their payload, how long a reader waits at most while
// they all end and are cleaned up, and how much is left afterwards. The floor for the wait is a reader with no writer beside.
func BenchmarkMemoryMillion(b *testing.B) {
	const n = 1_000_000
	payload := bytes.Repeat([]byte("v"), 288) // a size class of the allocator, so that rounding is not counted
	for b.Loop() {
		c := newClock()
		ctx := b.Context()
		before := heap()
		m := &stores.Memory{Clock: c.Now}
		end := c.Now().Add(time.Hour)
		var slowest time.Duration
		for i := range n {
			begun := time.Now()
			// A key of 45 bytes, made here so that nobody else holds it.
			if ok, err := m.CompareAndSwap(ctx, fmt.Sprintf("s/%043d", i), nil, payload, end); !ok || err != nil {
				b.Fatal(ok, err)
			}
			slowest = max(slowest, time.Since(begun))
		}
		full := heap()
		b.ReportMetric(float64(full-before)/n-float64(len(payload)), "B/session")
		b.ReportMetric(float64(slowest.Microseconds()), "insert-max-µs")

		quiet := longestLoad(m, func() { time.Sleep(200 * time.Millisecond) })
		c.Advance(2 * time.Hour)
		writes := 0
		busy := longestLoad(m, func() {
			for have, _ := m.Usage(); have > 0; have, _ = m.Usage() {
				m.CompareAndSwap(ctx, "w"+strconv.Itoa(writes), nil, payload, c.Now())
				writes++
			}
		})
		b.ReportMetric(float64(quiet.Microseconds()), "quiet-stall-max-µs")
		b.ReportMetric(float64(busy.Microseconds()), "clean-up-stall-max-µs")
		b.ReportMetric(float64(writes), "writes-to-clean")
		b.ReportMetric(float64(heap()-before)/n, "B/session-left")
		runtime.KeepAlive(m)
	}
}

// longestLoad reports how long one Load took at most while f ran.
func longestLoad(m *stores.Memory, f func()) time.Duration {
	var stop atomic.Bool
	longest := make(chan time.Duration)
	go func() {
		var most time.Duration
		for i := 0; !stop.Load(); i++ {
			key := "r" + strconv.Itoa(i%100_000)
			begun := time.Now()
			m.Load(context.Background(), key)
			most = max(most, time.Since(begun))
		}
		longest <- most
	}()
	f()
	stop.Store(true)
	return <-longest
}
