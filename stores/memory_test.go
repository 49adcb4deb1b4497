package stores_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/stores"
	"github.com/sallyport-go/sallyport/stores/storetest"
)

// clock is a time of day that only tests move.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.ns.Store(time.Date(2026, 3, 1, 12, 0, 0, 700_000_000, time.UTC).UnixNano())
	return c
}

func (c *clock) Now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) Advance(d time.Duration) { c.ns.Add(int64(d)) }

func TestMemoryKeepsTheRulesOfStores(t *testing.T) {
	c := newClock()
	storetest.Run(t, storetest.Harness{
		Open:  func(testing.TB) challenge.Store { return &stores.Memory{Clock: c.Now} },
		Sleep: c.Advance,
		Now:   c.Now,
	})
}

func TestMemoryKeepsTheRulesOfStoresInRealTime(t *testing.T) {
	if testing.Short() && os.Getenv("CI") != "true" {
		t.Skip("takes ten seconds")
	}
	storetest.Run(t, storetest.Harness{Open: func(testing.TB) challenge.Store { return new(stores.Memory) }})
}

func TestMemoryIsVolatile(t *testing.T) {
	if !new(stores.Memory).Volatile() {
		t.Error("nobody else can read it and it ends with the process, so keys may be drawn at start")
	}
}

var never time.Time

func swap(t testing.TB, m *stores.Memory, key, old, new string, end time.Time) bool {
	t.Helper()
	ok, err := try(t, m, key, old, new, end)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// try is CompareAndSwap with "" for nil.
func try(t testing.TB, m *stores.Memory, key, old, new string, end time.Time) (bool, error) {
	var from, to []byte
	if old != "" {
		from = []byte(old)
	}
	if new != "" {
		to = []byte(new)
	}
	return m.CompareAndSwap(t.Context(), key, from, to, end)
}

func load(t testing.TB, m *stores.Memory, key string) string {
	t.Helper()
	v, err := m.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(v)
}

func TestI20AFullMemoryRefusesNewKeysAndForgetsNoLiveOne(t *testing.T) {
	for name, full := range map[string]func(*stores.Memory){
		"by records": func(m *stores.Memory) { m.MaxRecords = 100 },
		"by bytes":   func(m *stores.Memory) { m.MaxBytes = 100 * (192 + 4 + 6) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			m := &stores.Memory{Clock: c.Now}
			full(m)
			for i := range 100 {
				if !swap(t, m, fmt.Sprintf("k%03d", i), "", "spent1", c.Now().Add(time.Duration(i+1)*time.Minute)) {
					t.Fatalf("record %d of 100 was refused", i)
				}
			}
			for range 1000 {
				ok, err := try(t, m, "knew", "", "spent1", c.Now().Add(time.Hour))
				if ok || !errors.Is(err, stores.ErrFull) {
					t.Fatalf("a new key in a full store: got %v, %v, want false, ErrFull", ok, err)
				}
			}
			if ok, _, err := m.Take(t.Context(), "knew", time.Minute, 5); ok || !errors.Is(err, stores.ErrFull) {
				t.Fatalf("a new rate limit in a full store: got %v, %v, want false, ErrFull", ok, err)
			}
			for i := range 100 { // all are there and can be counted on
				if !swap(t, m, fmt.Sprintf("k%03d", i), "spent1", "spent2", c.Now().Add(time.Duration(i+1)*time.Minute)) {
					t.Fatalf("record %d can no longer be swapped", i)
				}
			}
			if !swap(t, m, "k050", "spent2", "", never) || !swap(t, m, "knew", "", "spent1", c.Now().Add(time.Hour)) {
				t.Fatal("a delete made no room")
			}
			c.Advance(90 * time.Second) // one of them ends, in another shard most likely
			if !swap(t, m, "kne2", "", "spent1", c.Now().Add(time.Hour)) {
				t.Fatal("a record that has ended made no room")
			}
			if _, err := try(t, m, "kne3", "", "spent1", c.Now().Add(time.Hour)); !errors.Is(err, stores.ErrFull) {
				t.Fatalf("got %v, want ErrFull again", err)
			}
			for i := 1; i < 100; i++ {
				if v := load(t, m, fmt.Sprintf("k%03d", i)); i != 50 && v != "spent2" {
					t.Errorf("record %d, which has not ended, holds %q", i, v)
				}
			}
		})
	}
}

func TestI23AParallelFloodStaysWithinTheBounds(t *testing.T) {
	m := &stores.Memory{MaxRecords: 1000, MaxBytes: 250_000}
	var added, refused atomic.Int64
	var wg sync.WaitGroup
	for g := range 20 {
		wg.Go(func() {
			for i := range 500 {
				ok, err := m.CompareAndSwap(t.Context(), fmt.Sprintf("%d/%d", g, i), nil, []byte("value"), time.Now().Add(time.Hour))
				switch {
				case ok:
					added.Add(1)
				case errors.Is(err, stores.ErrFull):
					refused.Add(1)
				}
				if n, b := m.Usage(); n > 1000 || b > 250_000 {
					t.Errorf("holds %d records of %d bytes", n, b)
					return
				}
			}
		})
	}
	wg.Wait()
	if added.Load() != 1000 || refused.Load() != 9000 {
		t.Errorf("%d were added and %d refused, want 1000 and 9000", added.Load(), refused.Load())
	}
}

func TestARecordMayGrowAnEighthAboveMaxBytesAndNoFurther(t *testing.T) {
	const limit = 80_000
	m := &stores.Memory{MaxBytes: limit}
	small, big := bytes.Repeat([]byte("s"), 1000), bytes.Repeat([]byte("b"), 7000)
	n := 0
	for ; ; n++ {
		if _, err := m.CompareAndSwap(t.Context(), strconv.Itoa(n), nil, small, never); err != nil {
			break
		}
	}
	grown := 0
	for i := range n {
		ok, err := m.CompareAndSwap(t.Context(), strconv.Itoa(i), small, big, never)
		switch {
		case ok:
			grown++
		case !errors.Is(err, stores.ErrFull):
			t.Fatalf("got %v, %v", ok, err)
		default:
			if v := load(t, m, strconv.Itoa(i)); v != string(small) {
				t.Fatalf("a swap that found no room left %.10q", v)
			}
		}
	}
	if _, used := m.Usage(); grown == 0 || used > limit+limit/8 {
		t.Errorf("%d records grew, %d bytes are used: want some, and at most %d", grown, used, limit+limit/8)
	}
	for i := range n { // shrinking and deleting need no room
		if v := load(t, m, strconv.Itoa(i)); !swap(t, m, strconv.Itoa(i), v, "x", never) || !swap(t, m, strconv.Itoa(i), "x", "", never) {
			t.Fatal("refused")
		}
	}
	if records, used := m.Usage(); records != 0 || used != 0 {
		t.Errorf("an empty store counts %d records of %d bytes", records, used)
	}
}

func TestABoundBelowZeroTakesNothing(t *testing.T) {
	for _, m := range []*stores.Memory{{MaxRecords: -1}, {MaxBytes: -1}} {
		if ok, err := try(t, m, "k", "", "v", never); ok || !errors.Is(err, stores.ErrFull) {
			t.Errorf("got %v, %v, want ErrFull", ok, err)
		}
	}
}

func TestI23MemoryIsGivenBackAfterAFloodHasEnded(t *testing.T) {
	const flood = 100_000
	c := newClock()
	m := &stores.Memory{Clock: c.Now}
	before := heap()
	for i := range flood {
		swap(t, m, "flood/"+strconv.Itoa(i), "", strings.Repeat("v", 100), c.Now().Add(time.Minute))
	}
	if _, _, err := m.Take(t.Context(), "flood", time.Second, 60); err != nil {
		t.Fatal(err)
	}
	high := heap() - before
	c.Advance(2 * time.Minute)
	held := ""
	for i := range flood / 10 { // ordinary traffic, a tenth of the flood
		next := strconv.Itoa(i)
		swap(t, m, "one", held, next, c.Now().Add(time.Hour))
		held = next
	}
	if n, _ := m.Usage(); n != 1 {
		t.Errorf("%d records are kept, want the only one that has not ended", n)
	}
	if left := heap() - before; left > high/50 {
		t.Errorf("%d of %d bytes were not given back", left, high)
	}
}

func TestKeysAndValuesOutsideTheRulesAreRefused(t *testing.T) {
	m := new(stores.Memory)
	value := []byte("value")
	for _, key := range []string{"", " ", "a b", "a\n", "\ta", "a\x00", "\x7f", "é", "a\u00a0", "\xff", strings.Repeat("k", 256)} {
		if _, err := m.Load(t.Context(), key); !errors.Is(err, stores.ErrKey) {
			t.Errorf("Load(%q): %v, want ErrKey", key, err)
		}
		if ok, err := m.CompareAndSwap(t.Context(), key, nil, value, never); ok || !errors.Is(err, stores.ErrKey) {
			t.Errorf("CompareAndSwap(%q): %v, %v, want ErrKey", key, ok, err)
		}
		if ok, _, err := m.Take(t.Context(), key, time.Minute, 1); ok || !errors.Is(err, stores.ErrKey) {
			t.Errorf("Take(%q): %v, %v, want ErrKey", key, ok, err)
		}
	}
	if !swap(t, m, strings.Repeat("k", 255), "", "v", never) {
		t.Error("a key of 255 bytes was refused")
	}
	long := bytes.Repeat([]byte("v"), 64<<10+1)
	for _, c := range [][2][]byte{{nil, {}}, {{}, nil}, {{}, {}}, {nil, long}, {long, nil}, {long, value}} {
		if ok, err := m.CompareAndSwap(t.Context(), "k", c[0], c[1], never); ok || !errors.Is(err, stores.ErrValue) {
			t.Errorf("%d → %d bytes: %v, %v, want ErrValue", len(c[0]), len(c[1]), ok, err)
		}
	}
}

func TestLimitsThatMeanNothingAreRefused(t *testing.T) {
	m := new(stores.Memory)
	for _, l := range []struct {
		interval time.Duration
		burst    int
	}{{0, 1}, {-1, 1}, {time.Second, 0}, {time.Second, -1}, {1 << 62, 1}, {time.Hour, 1 << 40}, {time.Nanosecond, 1 << 62}} {
		if ok, _, err := m.Take(t.Context(), "k", l.interval, l.burst); ok || err == nil {
			t.Errorf("Take(%v, %d): %v, %v, want an error", l.interval, l.burst, ok, err)
		}
	}
	if n, _ := m.Usage(); n != 0 {
		t.Errorf("%d records after refused limits", n)
	}
}

func TestI21ErrorsHoldNeitherKeyNorValue(t *testing.T) {
	m := &stores.Memory{MaxRecords: -1}
	_, full := try(t, m, "secret-key", "", "secret-value", never)
	_, key := try(t, m, "secret-key ", "", "secret-value", never)
	_, value := m.CompareAndSwap(t.Context(), "secret-key", bytes.Repeat([]byte("secret-value"), 9999), nil, never)
	for _, err := range []error{full, key, value} {
		if err == nil || strings.Contains(fmt.Sprintf("%+v", err), "secret") {
			t.Errorf("%+v", err)
		}
	}
}

func TestARecordThatHasEndedIsAbsent(t *testing.T) {
	c := newClock()
	m := &stores.Memory{Clock: c.Now}
	swap(t, m, "k", "", "held", c.Now().Add(time.Minute))
	c.Advance(time.Minute - 1)
	if v := load(t, m, "k"); v != "held" {
		t.Errorf("a nanosecond before its end: %q", v)
	}
	c.Advance(1)
	if v := load(t, m, "k"); v != "" {
		t.Errorf("at its end: %q", v)
	}
	if swap(t, m, "k", "held", "new", never) {
		t.Error("a record that has ended was swapped")
	}
}

func TestEndsBeyondWhatANumberHoldsAreNever(t *testing.T) {
	c := newClock()
	m := &stores.Memory{Clock: c.Now}
	ends := []time.Time{time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Unix(1<<62, 0)}
	for i, end := range ends {
		swap(t, m, strconv.Itoa(i), "", "held", end)
	}
	c.Advance(100 * 365 * 24 * time.Hour)
	for i, end := range ends {
		if v := load(t, m, strconv.Itoa(i)); v != "held" {
			t.Errorf("end %v: %q after 100 years", end, v)
		}
	}
	for i, end := range []time.Time{time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(1677, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(-1<<62, 0)} {
		if !swap(t, m, "past"+strconv.Itoa(i), "", "held", end) || load(t, m, "past"+strconv.Itoa(i)) != "" {
			t.Errorf("end %v was not taken for past", end)
		}
	}
}

func TestAClockThatIsWrongByCenturiesDropsNothing(t *testing.T) {
	var now time.Time
	m := &stores.Memory{Clock: func() time.Time { return now }}
	for _, now = range []time.Time{{}, time.Unix(-1, 0), time.Unix(1<<40, 0)} {
		swap(t, m, "k", "", "held", never)
		if v := load(t, m, "k"); v != "held" {
			t.Errorf("at %v a record without end is %q", now, v)
		}
		if ok, _, err := m.Take(t.Context(), now.String()[:4], 24*time.Hour, 1); !ok || err != nil {
			t.Errorf("at %v: Take %v, %v", now, ok, err)
		}
		if ok, after, err := m.Take(t.Context(), now.String()[:4], 24*time.Hour, 1); ok || after != 24*time.Hour || err != nil {
			t.Errorf("at %v: second Take %v, %v, %v", now, ok, after, err)
		}
		swap(t, m, "k", "held", "", never)
	}
}

func TestRecordsAndRateLimitsOfOneKeyAreApart(t *testing.T) {
	m := new(stores.Memory)
	if ok, _, _ := m.Take(t.Context(), "k", time.Hour, 1); !ok {
		t.Fatal("the first Take was refused")
	}
	if load(t, m, "k") != "" || !swap(t, m, "k", "", "held", never) {
		t.Error("a rate limit looks like a record")
	}
	swap(t, m, "k", "held", "", never)
	if ok, _, _ := m.Take(t.Context(), "k", time.Hour, 1); ok {
		t.Error("deleting a record reset a rate limit")
	}
}

func TestAKeyDoesNotKeepTheStringItWasCutFrom(t *testing.T) {
	m := new(stores.Memory)
	before := heap()
	for i := range 100 {
		big := fmt.Sprintf("%03d", i) + strings.Repeat("x", 100_000)
		swap(t, m, big[:3], "", "v", never)
	}
	if more := heap() - before; more > 1_000_000 {
		t.Errorf("100 keys of three bytes keep %d bytes", more)
	}
	if load(t, m, "042") != "v" {
		t.Error("lost")
	}
}

func TestLoadCopiesOnceAndAllocatesNothingElse(t *testing.T) {
	m := new(stores.Memory)
	swap(t, m, "k", "", "held", time.Now().Add(time.Hour))
	if n := testing.AllocsPerRun(100, func() { m.Load(t.Context(), "k") }); n > 1 {
		t.Errorf("Load allocates %v times, want 1", n)
	}
	if n := testing.AllocsPerRun(100, func() { m.Load(t.Context(), "absent") }); n > 0 {
		t.Errorf("Load of an absent key allocates %v times, want 0", n)
	}
}
