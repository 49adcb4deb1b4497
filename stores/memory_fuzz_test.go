package stores

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"
)

// model says in the plainest way what Memory must answer.
type model struct {
	now     time.Time
	max     int
	records map[string]modelRecord
	limits  map[string]time.Time // when the bucket is full again
}

type modelRecord struct {
	value []byte
	end   time.Time
}

func (m *model) expire() {
	for k, r := range m.records {
		if !r.end.IsZero() && !r.end.After(m.now) {
			delete(m.records, k)
		}
	}
	for k, full := range m.limits {
		if !full.After(m.now) {
			delete(m.limits, k)
		}
	}
}

func (m *model) swap(key string, old, new []byte, end time.Time) (bool, error) {
	m.expire()
	r, held := m.records[key]
	if held != (old != nil) || !bytes.Equal(r.value, old) {
		return false, nil
	}
	if new == nil || !end.IsZero() && !end.After(m.now) {
		delete(m.records, key)
		return true, nil
	}
	if !held && len(m.records)+len(m.limits) >= m.max {
		return false, ErrFull
	}
	m.records[key] = modelRecord{new, end}
	return true, nil
}

func (m *model) take(key string, interval time.Duration, burst int) (bool, time.Duration, error) {
	m.expire()
	full, held := m.limits[key]
	if !held {
		full = m.now
	}
	full = full.Add(interval)
	if wait := full.Sub(m.now) - time.Duration(burst)*interval; wait > 0 {
		return false, wait, nil
	}
	if !held && len(m.records)+len(m.limits) >= m.max {
		return false, 0, ErrFull
	}
	m.limits[key] = full
	return true, 0, nil
}

// check holds a shard to what it promises itself: the queue is a heap of exactly the entries that end, and the sums are right.
func (m *Memory) check() error {
	var records, size int64
	for i := range m.shards {
		s := &m.shards[i]
		ending := 0
		for k := range s.tables {
			for key, e := range s.tables[k].entries {
				records++
				size += recordCost + int64(len(key)+len(e.value))
				if e.key != key || e.kind != kind(k) || m.shard(key) != s {
					return fmt.Errorf("the entry of %q is in the wrong place", key)
				}
				if e.expires != never {
					ending++
					if s.queue[e.place] != e {
						return fmt.Errorf("the entry of %q is not where it thinks it is in the queue", key)
					}
				}
			}
		}
		if ending != len(s.queue) {
			return fmt.Errorf("%d entries end, %d are queued", ending, len(s.queue))
		}
		for j := range s.queue {
			if s.queue[(j-1)/2].expires > s.queue[j].expires {
				return fmt.Errorf("place %d of the queue ends before its parent", j)
			}
		}
		switch next := s.next.Load(); {
		case len(s.queue) == 0 && next != 0, len(s.queue) > 0 && next != max(1, s.queue[0].expires):
			return fmt.Errorf("next is %d with %d entries queued", next, len(s.queue))
		}
	}
	if n, b := m.Usage(); int64(n) != records || b != size {
		return fmt.Errorf("counts %d records of %d bytes, holds %d of %d", n, b, records, size)
	}
	return nil
}

// FuzzMemoryAnswersLikeAPlainMap drives a small Memory and a model through the same calls: four bytes make one call.
func FuzzMemoryAnswersLikeAPlainMap(f *testing.F) {
	for _, seed := range [][]byte{
		{0, 0, 1, 0, 0, 0, 0x12, 0, 0, 0, 0x20, 0},
		{0, 0, 1, 5, 1, 0, 0, 9, 0, 0, 1, 0, 2, 0, 0, 3, 2, 0, 0, 3, 2, 0, 0, 3, 1, 0, 0, 40},
		{0, 0, 1, 1, 0, 1, 1, 2, 0, 2, 1, 3, 0, 3, 1, 4, 0, 4, 1, 5, 0, 5, 1, 6, 0, 6, 1, 7, 1, 0, 0, 3, 0, 7, 1, 1, 0, 8, 1, 1, 2, 9, 0, 1},
		bytes.Repeat([]byte{0, 1, 1, 7, 2, 1, 0, 2, 0, 1, 0x11, 3, 1, 0, 0, 1}, 20),
		bytes.Repeat([]byte("sallyport"), 40),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		want := &model{now: start, max: 6, records: map[string]modelRecord{}, limits: map[string]time.Time{}}
		got := &Memory{MaxRecords: want.max, Clock: func() time.Time { return want.now }}
		value := func(b byte) []byte {
			if b &= 3; b != 0 {
				return bytes.Repeat([]byte{b}, int(b))
			}
			return nil
		}
		for ; len(program) >= 4; program = program[4:] {
			key, a, b := fmt.Sprint("k", program[1]%10), program[2], program[3]
			switch program[0] % 4 {
			case 0:
				end := want.now.Add(time.Duration(int(b)-4) * time.Second)
				if b%16 == 0 {
					end = time.Time{}
				}
				old, new := value(a>>4), value(a)
				okWant, errWant := want.swap(key, old, new, end)
				ok, err := got.CompareAndSwap(t.Context(), key, old, new, end)
				if ok != okWant || !errors.Is(err, errWant) {
					t.Fatalf("CompareAndSwap(%s, %v, %v, %v): %v, %v, want %v, %v", key, old, new, end, ok, err, okWant, errWant)
				}
			case 1:
				want.now = want.now.Add(time.Duration(b) * time.Second / 2)
			case 2:
				interval, burst := time.Duration(1+a%8)*time.Second, 1+int(b%4)
				okWant, waitWant, errWant := want.take(key, interval, burst)
				ok, wait, err := got.Take(t.Context(), key, interval, burst)
				if ok != okWant || wait != waitWant || !errors.Is(err, errWant) {
					t.Fatalf("Take(%s, %v, %d): %v, %v, %v, want %v, %v, %v", key, interval, burst, ok, wait, err, okWant, waitWant, errWant)
				}
			}
			want.expire()
			v, err := got.Load(t.Context(), key)
			if w := want.records[key].value; err != nil || !bytes.Equal(v, w) || (v == nil) != (w == nil) {
				t.Fatalf("Load(%s): %v, %v, want %v", key, v, err, w)
			}
		}
		if err := got.check(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAShardKeepsItsPromisesUnderChurn is the same check with many entries in each shard, so that maps and queues grow and shrink.
func TestAShardKeepsItsPromisesUnderChurn(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m := &Memory{Clock: func() time.Time { return now }}
	const n = 40 * shardCount
	state := uint64(1)
	random := func(n int) int { // reproducible, so that a failure can be looked at
		state = state*6364136223846793005 + 1442695040888963407
		return int(state>>33) % n
	}
	held := map[string][]byte{}
	for i := range 3 * n {
		key := fmt.Sprint(random(n))
		next := []byte(fmt.Sprint(i))
		end := now.Add(time.Duration(1+random(1000)) * time.Hour)
		switch random(5) {
		case 0:
			next = nil
		case 1:
			end = time.Time{}
		}
		if ok, err := m.CompareAndSwap(t.Context(), key, held[key], next, end); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if held[key] = next; next == nil {
			delete(held, key)
		}
	}
	if err := m.check(); err != nil {
		t.Fatal(err)
	}
	if records, _ := m.Usage(); records != len(held) {
		t.Fatalf("%d records, want %d", records, len(held))
	}
	for range 20 {
		now = now.Add(47 * time.Hour)
		for range n / batch / 10 {
			m.clean(nanos(now), glance)
		}
		if err := m.check(); err != nil {
			t.Fatal(err)
		}
	}
	for m.clean(nanos(now), shardCount) {
	}
	if err := m.check(); err != nil {
		t.Fatal(err)
	}
	for i := range m.shards {
		s := &m.shards[i]
		for k := range s.tables {
			if n := len(s.tables[k].entries); s.tables[k].peak > max(small, 4*n+3) {
				t.Fatalf("a table of %d entries has room for %d", n, s.tables[k].peak)
			}
		}
		if n := len(s.queue); cap(s.queue) > max(small, 4*n+3) {
			t.Fatalf("a queue of %d entries has room for %d", n, cap(s.queue))
		}
	}

	now = now.AddDate(10, 0, 0)
	for m.clean(nanos(now), shardCount) {
	}
	for key, value := range held {
		if _, err := m.CompareAndSwap(t.Context(), key, value, nil, now); err != nil {
			t.Fatal(err)
		}
	}
	for i := range m.shards {
		if s := &m.shards[i]; s.queue != nil || s.tables[kept].entries != nil {
			t.Fatal("an empty shard keeps memory")
		}
	}
}

func TestOneLockIsHeldForNoMoreThanABatch(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m := &Memory{Clock: func() time.Time { return now }}
	for i := range 100 * shardCount {
		if ok, err := m.CompareAndSwap(t.Context(), fmt.Sprint(i), nil, []byte("v"), now.Add(time.Hour)); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	now = now.Add(2 * time.Hour)
	before, _ := m.Usage()
	for m.clean(nanos(now), glance) {
		after, _ := m.Usage()
		if before-after > batch {
			t.Fatalf("one writer removed %d records at once, want at most %d", before-after, batch)
		}
		before = after
	}
}
