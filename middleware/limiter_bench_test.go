package middleware

import (
	"encoding/binary"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// mapLimiter is the floor: what everybody writes first. It has no cap and never forgets, so it grows with every key.
type mapLimiter struct {
	mu      sync.Mutex
	buckets map[string]*rate.Limiter
	every   time.Duration
	burst   int
}

func (m *mapLimiter) allow(key string, now time.Time) (bool, time.Duration) {
	m.mu.Lock()
	b := m.buckets[key]
	if b == nil {
		b = rate.NewLimiter(rate.Every(m.every), m.burst)
		m.buckets[key] = b
	}
	m.mu.Unlock()
	return b.AllowN(now, 1), 0
}

// BenchmarkLimiter compares decisions, clock reading included. The rate is so low that nearly all are refusals, the
// dearer answer and the one that matters under attack.
func BenchmarkLimiter(b *testing.B) {
	type contender struct {
		name string
		make func(b *testing.B) func(key string, now time.Time) (bool, time.Duration)
	}
	contenders := []contender{
		{"slab", func(b *testing.B) func(string, time.Time) (bool, time.Duration) {
			return mustLimiter(b, time.Second, 20, 200_000).allow
		}},
		{"map", func(*testing.B) func(string, time.Time) (bool, time.Duration) {
			return (&mapLimiter{buckets: map[string]*rate.Limiter{}, every: time.Second, burst: 20}).allow
		}},
	}
	for _, load := range []struct {
		name string
		keys int
	}{{"one key", 1}, {"100k keys", 100_000}} {
		keys := make([]string, load.keys)
		for i := range keys {
			keys[i] = keyNumber(i)
		}
		for _, c := range contenders {
			b.Run(load.name+"/serial/"+c.name, func(b *testing.B) {
				allow := c.make(b)
				for _, key := range keys {
					allow(key, time.Now())
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					allow(keys[i], time.Now())
					if i += 7919; i >= len(keys) { // a stride, so that neighbours in time are not neighbours in memory
						i %= len(keys)
					}
				}
			})
			b.Run(load.name+"/parallel/"+c.name, func(b *testing.B) {
				allow := c.make(b)
				for _, key := range keys {
					allow(key, time.Now())
				}
				b.ReportAllocs()
				var start atomic.Int64
				b.RunParallel(func(pb *testing.PB) {
					i := int(start.Add(31_337)) % len(keys)
					for pb.Next() {
						allow(keys[i], time.Now())
						if i += 7919; i >= len(keys) {
							i %= len(keys)
						}
					}
				})
			})
		}
	}
}

// BenchmarkLimiterFillsToAMillionKeys reports what single inserts take on the way to a million keys and in a flood
// after it, and what a key then costs in memory.
func BenchmarkLimiterFillsToAMillionKeys(b *testing.B) {
	const keys = 1_000_000
	for b.Loop() {
		l := mustLimiter(b, time.Hour, 5, keys)
		took := make([]time.Duration, 0, 2*keys)
		var key [8]byte
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		last := time.Now()
		for i := range 2 * keys {
			binary.LittleEndian.PutUint64(key[:], uint64(i))
			l.allowBytes(key[:], last)
			now := time.Now()
			took = append(took, now.Sub(last))
			last = now
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(l.used.Load()), "bytes/key")
		for _, part := range []struct {
			name string
			took []time.Duration
		}{{"insert", took[:keys]}, {"flood", took[keys:]}} {
			slices.Sort(part.took)
			b.ReportMetric(float64(part.took[keys-1].Nanoseconds()), "ns/worst-"+part.name)
			b.ReportMetric(float64(part.took[keys*9999/10_000].Nanoseconds()), "ns/p99.99-"+part.name)
		}
	}
}
