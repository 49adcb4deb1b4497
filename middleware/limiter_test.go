package middleware

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

// limiterEpoch is an arbitrary moment: no test here waits.
var limiterEpoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func mustLimiter(t testing.TB, every time.Duration, burst, maxKeys int) *limiter {
	t.Helper()
	l, err := newLimiter(every, burst, maxKeys)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func keyNumber(i int) string { return fmt.Sprintf("client-%d", i) }

// leakyBucket is the textbook definition in whole nanoseconds (GCRA: the theoretical arrival time), which shares
// no code and no floating point with the limiter.
type leakyBucket struct{ full time.Time }

func (b *leakyBucket) take(now time.Time, every time.Duration, burst int) (bool, time.Duration) {
	if b.full.Before(now) {
		b.full = now
	}
	if wait := b.full.Sub(now) - time.Duration(burst-1)*every; wait > 0 {
		return false, wait
	}
	b.full = b.full.Add(every)
	return true, 0
}

func TestLimiterDecidesLikeATextbookTokenBucket(t *testing.T) {
	for _, tc := range []struct {
		every time.Duration
		burst int
	}{{time.Second, 1}, {3 * time.Second, 20}, {100 * time.Millisecond, 5}, {7 * time.Millisecond, 3}, {time.Hour, 3}, {time.Microsecond, 10}} {
		t.Run(fmt.Sprintf("%d at one per %v", tc.burst, tc.every), func(t *testing.T) {
			l := mustLimiter(t, tc.every, tc.burst, 1000)
			model := map[string]*leakyBucket{}
			random, now := rand.New(rand.NewPCG(1, 2)), limiterEpoch
			refused := 0
			for i := range 50_000 {
				now = now.Add(time.Duration(random.IntN(9)) * tc.every / 40) // also exactly on the boundary
				key := keyNumber(random.IntN(8))
				if model[key] == nil {
					model[key] = new(leakyBucket)
				}
				wantOK, wantWait := model[key].take(now, tc.every, tc.burst)
				ok, wait := l.allow(key, now)
				if ok != wantOK || (wait-wantWait).Abs() > time.Nanosecond {
					t.Fatalf("try %d: got %v, %v; want %v, %v", i, ok, wait, wantOK, wantWait)
				}
				if !ok {
					refused++
				}
			}
			if refused < 1000 || refused > 49_000 {
				t.Fatalf("%d of 50000 refused: the test does not test both answers", refused)
			}
		})
	}
}

func TestARefusedClientMayComeBackAfterExactlyRetryAfter(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		every := time.Duration(1 + random.Int64N(int64(time.Hour)))
		l := mustLimiter(t, every, 1+random.IntN(20), 10)
		now := limiterEpoch
		for ok := true; ok; ok, _ = l.allow("a", now) {
			now = now.Add(time.Duration(random.Int64N(int64(every)/2 + 1)))
		}
		_, wait := l.allow("a", now)
		if wait <= 0 || wait > every {
			t.Fatalf("one token per %v: retry after %v", every, wait)
		}
		if ok, _ := l.allow("a", now.Add(wait-wait/1000-2)); wait > 2 && ok {
			t.Fatalf("one token per %v: allowed before the %v it was told to wait", every, wait)
		}
		if ok, again := l.allow("a", now.Add(wait)); !ok {
			t.Fatalf("one token per %v: refused for another %v after the %v it was told to wait", every, again, wait)
		}
	}
}

func TestAClockThatRunsBackwardsGivesNothingAway(t *testing.T) {
	l := mustLimiter(t, time.Minute, 3, 10)
	allowed := 0
	for i := range 100 {
		at := limiterEpoch.Add(time.Duration(i%2) * -time.Hour) // each pair would refill an hour if it counted
		if ok, _ := l.allow("a", at); ok {
			allowed++
		}
	}
	if allowed != 3 {
		t.Errorf("%d requests got through on overtaken clock readings, want the burst of 3", allowed)
	}
	if ok, _ := l.allow("a", limiterEpoch.Add(time.Minute)); !ok {
		t.Error("refused although one token has refilled")
	}
}

func TestStringAndByteKeysAreTheSameKeys(t *testing.T) {
	l := mustLimiter(t, time.Minute, 2, 10)
	l.allow("a", limiterEpoch)
	l.allowBytes([]byte("a"), limiterEpoch)
	if ok, _ := l.allow("a", limiterEpoch); ok {
		t.Error("a third request at burst 2")
	}
	if ok, _ := l.allow("", limiterEpoch); !ok {
		t.Error("the empty key is a key like any other")
	}
}

func TestALimiterWithoutARealLimitIsRefusedAtConstruction(t *testing.T) { // I-19
	for _, tc := range []struct {
		name           string
		every          time.Duration
		burst, maxKeys int
	}{
		{"no rate", 0, 1, 1},
		{"negative rate", -time.Second, 1, 1},
		{"no burst", time.Second, 0, 1},
		{"negative burst", time.Second, -1, 1},
		{"no room", time.Second, 1, 0},
		{"negative room", time.Second, 1, -1},
		{"more room than any machine has", time.Second, 1, math.MaxInt32},
		{"a refill beyond what a Duration can hold", 1000 * time.Hour, math.MaxInt32, 1},
	} {
		if l, err := newLimiter(tc.every, tc.burst, tc.maxKeys); err == nil || l != nil {
			t.Errorf("%s: got %v, %v", tc.name, l, err)
		}
	}
}

// I-23: a punished key survives any number of others.
func TestAPunishedKeySurvivesAFloodOfOtherKeys(t *testing.T) {
	flood := 10_000_000
	if testing.Short() || raceEnabled() {
		flood = 300_000
	}
	l := mustLimiter(t, time.Minute, 5, 20_000)
	now := limiterEpoch
	for range 100 {
		l.allow("punished", now)
	}
	step := 4 * time.Minute / time.Duration(flood) // all within the time in which its bucket is not full again
	var key [8]byte
	for i := range flood {
		now = now.Add(step)
		binary.LittleEndian.PutUint64(key[:], uint64(i))
		l.allowBytes(key[:], now)
		if l.used.Load() > 20_000 {
			t.Fatal("the table grew over its cap")
		}
	}
	refilled := int(now.Sub(limiterEpoch) / time.Minute)
	got := 0
	for range 5 {
		if ok, _ := l.allow("punished", now); ok {
			got++
		}
	}
	if got != refilled {
		t.Errorf("after %d other keys and %v the punished key had %d tokens, want the %d that refilled", flood, now.Sub(limiterEpoch), got, refilled)
	}
}

// I-23: a table full of buckets in use puts new keys into one strict bucket.
func TestAFullTablePutsNewKeysIntoOneSharedBucket(t *testing.T) {
	const burst = 3
	for _, maxKeys := range []int{1, 2, 16, 17, 300, 5000} {
		t.Run(fmt.Sprint(maxKeys), func(t *testing.T) {
			l := mustLimiter(t, time.Minute, burst, maxKeys)
			for i := 0; l.used.Load() < int64(maxKeys); i++ {
				l.allow(keyNumber(i), limiterEpoch)
			}
			allowed := 0
			for i := range 1000 {
				ok, wait := l.allow(fmt.Sprint("new ", i), limiterEpoch)
				if ok {
					allowed++
				} else if wait != time.Minute {
					t.Fatalf("retry after %v, want the minute in which the shared bucket gets its next token", wait)
				}
			}
			if allowed != burst {
				t.Errorf("1000 new keys together got %d requests through, want the burst of one, %d", allowed, burst)
			}
			for range burst - 1 { // the ones inside keep what is theirs
				if ok, _ := l.allow(keyNumber(0), limiterEpoch); !ok {
					t.Error("a key with a bucket of its own was refused early")
				}
			}
			if ok, _ := l.allow(keyNumber(0), limiterEpoch); ok {
				t.Error("a key with a bucket of its own got more than its burst")
			}
		})
	}
}

func TestARefilledBucketMakesRoomAndOnlyAFullyRefilledOneDoes(t *testing.T) {
	l := mustLimiter(t, time.Minute, 3, 1)
	l.allow("first", limiterEpoch)
	l.allow("first", limiterEpoch)
	for range 3 { // two tokens are missing until two minutes have gone by
		l.allow("second", limiterEpoch.Add(2*time.Minute-time.Second))
	}
	if ok, _ := l.allow("third", limiterEpoch.Add(2*time.Minute-time.Second)); ok {
		t.Error("the bucket of first was forgotten a second early")
	}
	for i := range 3 {
		if ok, _ := l.allow("third", limiterEpoch.Add(2*time.Minute)); !ok {
			t.Errorf("request %d refused although the bucket of first is free by now", i+1)
		}
	}
	if ok, _ := l.allow("third", limiterEpoch.Add(2*time.Minute)); ok {
		t.Error("more than the burst: the bucket that changed hands was overfull")
	}
}

func TestTheTableFollowsTheActiveKeysAndNotAllEverSeen(t *testing.T) {
	l := mustLimiter(t, time.Second, 1, 1_000_000)
	now := limiterEpoch
	for i := range 400_000 { // a hundred a second
		now = now.Add(10 * time.Millisecond)
		l.allow(keyNumber(i), now)
	}
	if used := l.used.Load(); used > int64(len(l.shards)*2*bucketsPerChunk) {
		t.Errorf("%d buckets in use for about 100 active clients in %d shards", used, len(l.shards))
	}
}

// I-23: memory is bounded under any flood.
func TestAFullTableCostsAtMost136BytesAKey(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector's allocator rounds differently")
	}
	for _, maxKeys := range []int{1000, 10_000, 100_000, 1_000_000} {
		l, used := limiterMemory(t, maxKeys, 3*maxKeys)
		if perKey := float64(used) / float64(maxKeys); perKey > 136 {
			t.Errorf("%d keys: %.1f bytes a key", maxKeys, perKey)
		} else {
			t.Logf("%d keys: %.1f bytes a key", maxKeys, perKey)
		}
		if got := l.used.Load(); got != int64(maxKeys) {
			t.Errorf("%d buckets in use, want all %d", got, maxKeys)
		}
	}
}

// limiterMemory fills a table and returns it with the heap bytes that it holds.
func limiterMemory(t testing.TB, maxKeys, keys int) (*limiter, uint64) {
	var before, after runtime.MemStats
	for range 3 { // what is left over from earlier tests must be gone, or it would be counted as given back
		runtime.GC()
	}
	runtime.ReadMemStats(&before)
	l := mustLimiter(t, time.Hour, 5, maxKeys)
	var key [8]byte
	for i := range keys {
		binary.LittleEndian.PutUint64(key[:], uint64(i))
		l.allowBytes(key[:], limiterEpoch)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	return l, after.HeapAlloc - before.HeapAlloc
}

func TestADecisionAllocatesNothing(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates")
	}
	l := mustLimiter(t, time.Hour, 5, 16)
	key := []byte("client")
	now := limiterEpoch
	for name, f := range map[string]func(){
		"allowed":          func() { now = now.Add(time.Hour); l.allow("a", now) },
		"refused":          func() { l.allow("a", now) },
		"bytes":            func() { l.allowBytes(key, now) },
		"changes hands":    func() { now = now.Add(time.Hour); key[0]++; l.allowBytes(key, now) },
		"overflow, so far": func() { key[1]++; l.allowBytes(key, now) },
	} {
		if n := testing.AllocsPerRun(50, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestManyGoroutinesOnOneKeyGetExactlyTheBurst(t *testing.T) {
	const burst, others = 50, 40
	l := mustLimiter(t, time.Hour, burst, 10_000)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 400 {
				now := limiterEpoch.Add(time.Duration(i) * time.Millisecond) // they overtake each other
				if ok, _ := l.allow("hot", now); ok {
					allowed.Add(1)
				}
				l.allow(keyNumber(g*others+i%others), now)
			}
		})
	}
	wg.Wait()
	if got := allowed.Load(); got != burst {
		t.Errorf("%d requests allowed, want exactly the burst of %d", got, burst)
	}
}

func TestManyGoroutinesNeverTakeTheTableOverItsCap(t *testing.T) {
	const maxKeys, burst = 1000, 2
	l := mustLimiter(t, time.Hour, burst, maxKeys)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 500 {
				for range burst + 1 {
					if ok, _ := l.allow(keyNumber(g*500+i), limiterEpoch); ok {
						allowed.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	if got, want := allowed.Load(), int64((maxKeys+1)*burst); got != want {
		t.Errorf("8000 keys got %d requests through, want %d: the cap's and the shared bucket's", got, want)
	}
}

// Keys whose hashes share the shard and the place in the index stay apart as long as any bit differs.
func TestKeysThatCollideInTheIndexKeepTheirOwnBuckets(t *testing.T) {
	const burst = 2
	l := mustLimiter(t, time.Hour, burst, 200)
	keys := []bucketKey{{7, 1}, {7, 2}, {7 | 1<<63, 1}, {7 | 1<<20, 1}, {7, 1 << 63}, {0, 0}, {0xffff, 0}, {0xfffe, 0}}
	for round := range burst + 1 {
		for _, key := range keys {
			if ok, _ := l.take(key, limiterEpoch); ok != (round < burst) {
				t.Errorf("round %d, %x: %v", round, key, ok)
			}
		}
	}
}

// The index is checked against a map while buckets come, go and change hands, with hashes that all crowd together.
func TestTheIndexFindsEveryBucketWhateverWasRemovedBefore(t *testing.T) {
	for _, spread := range []uint64{1, 3, 40, 1 << 16} {
		l := mustLimiter(t, time.Second, 1, 200)
		s := &l.shards[0]
		random, now := rand.New(rand.NewPCG(5, spread)), limiterEpoch
		last := map[bucketKey]time.Time{}
		for range 20_000 {
			now = now.Add(time.Duration(random.IntN(20)) * time.Millisecond)
			key := bucketKey{0xfff0 + random.Uint64N(spread), random.Uint64N(400)} // wraps round the end of the index
			was, known := last[key]
			ok, _ := l.take(key, now)
			if known && now.Sub(was) < time.Second && ok {
				t.Fatalf("%x was let through twice within its second", key)
			}
			if ok {
				last[key] = now
			}
		}
		words := 0
		for _, word := range s.index {
			if word != 0 {
				words++
			}
		}
		if words != s.n {
			t.Errorf("spread %d: %d words in the index for %d buckets", spread, words, s.n)
		}
		for slot := range s.n {
			if b := s.bucket(slot); s.find(b.key) != b {
				t.Errorf("spread %d: the bucket in slot %d cannot be found", spread, slot)
			}
		}
	}
}

func TestTwoLimitersHashTheSameKeyDifferently(t *testing.T) {
	a, b := mustLimiter(t, time.Second, 1, 1), mustLimiter(t, time.Second, 1, 1)
	if a.seeds[0] == b.seeds[0] || a.seeds[0] == a.seeds[1] {
		t.Error("seeds repeat: a collision found in one limiter would hold in another")
	}
}

func TestAShardFillsWholeCacheLines(t *testing.T) {
	if size := unsafe.Sizeof(limiterShard{}); unsafe.Sizeof(uintptr(0)) == 8 && size%64 != 0 {
		t.Errorf("%d bytes: neighbouring shards share a cache line", size)
	}
}

// raceEnabled reports whether the race detector is compiled in: it slows these loops some twenty times down, allocates,
// and rounds allocations up.
func raceEnabled() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// allow is allowBytes for a key that is at hand as a string.
func (l *limiter) allow(key string, now time.Time) (ok bool, retryAfter time.Duration) {
	return l.take(bucketKey{maphash.String(l.seeds[0], key), maphash.String(l.seeds[1], key)}, now)
}

// allowAddr is allow for a client's address, counted as limitKey says. All clients without an address share one
// bucket.
func (l *limiter) allowAddr(addr netip.Addr, now time.Time) (ok bool, retryAfter time.Duration) {
	prefix := limitKey(addr)
	var key [17]byte
	key[0] = byte(prefix.Bits()) // tells no address, IPv4 and IPv6 apart
	bytes := prefix.Addr().As16()
	copy(key[1:], bytes[:])
	return l.allowBytes(key[:], now)
}
