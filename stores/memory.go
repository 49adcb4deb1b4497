package stores

import (
	"context"
	"fmt"
	"hash/maphash"
	"math"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

const (
	defaultRecords = 2_000_000
	defaultBytes   = 1 << 30

	// recordCost is what a record takes beside the bytes of its key and value: an entry, two slots, rounding.
	recordCost = 192

	// shardCount keeps each shard so small that no step under its lock, not even the growth of its map, takes a millisecond.
	shardCount = 1024

	// batch is how many expired records one writer removes under one lock.
	batch = 32

	// glance is how many shards a writer looks at for expired records.
	glance = 2
)

// Memory is a [challenge.Store] in the memory of this process. The zero value is ready to use; new(stores.Memory) is the
// usual way to have one. It must not be copied after first use.
//
// It is bounded and never drops a record before its end to make room: a dropped guess counter would be one set to zero.
// When it is full of records that have not ended, a new key gets [ErrFull]. Watch [Memory.Usage] in production.
//
// A record that has ended is answered as absent, and its memory is given back bit by bit by later writers: there is no
// goroutine to stop, and no reader waits for more than a small batch. All methods are safe for concurrent use.
//
// Set the fields before first use.
type Memory struct {
	// MaxRecords is how many records, rate limits included, are kept at most. Zero means 2 million; below zero takes none.
	MaxRecords int

	// MaxBytes is how many bytes are kept at most: keys, values and 192 bytes more a record. Zero means 1 GiB; below zero
	// takes none. A record that is there already may grow by up to an eighth above it, so that a store that new keys have
	// filled still serves the old ones.
	MaxBytes int64

	// Clock is the time of day by which records end. Nil means time.Now.
	Clock func() time.Time

	records, bytes atomic.Int64
	cursor         atomic.Uint32 // where the next writer looks for expired records
	shards         [shardCount]shard
}

var (
	_ challenge.Store    = (*Memory)(nil)
	_ challenge.Taker    = (*Memory)(nil)
	_ challenge.Volatile = (*Memory)(nil)
)

// hashSeed is drawn at start, so that nobody can choose keys that meet in one shard.
var hashSeed = maphash.MakeSeed()

func (m *Memory) shard(key string) *shard {
	return &m.shards[maphash.String(hashSeed, key)%shardCount]
}

// Volatile reports true: a restart forgets everything.
func (m *Memory) Volatile() bool { return true }

// Usage reports how many records are kept and how many bytes they count for. Ended records count until they are removed.
func (m *Memory) Usage() (records int, bytes int64) {
	return int(m.records.Load()), m.bytes.Load()
}

// Load implements [challenge.Store]. Its errors are those of ctx and [ErrKey].
func (m *Memory) Load(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	value, expires, ok := m.shard(key).load(key)
	if !ok {
		return nil, checkKey(key) // a key that was found has been checked when it came in
	}
	if expires != never && expires <= m.now() {
		return nil, nil
	}
	return []byte(value), nil
}

// CompareAndSwap implements [challenge.Store]. Its errors are those of ctx, [ErrKey], [ErrValue] and [ErrFull]; after
// each of them nothing has changed.
func (m *Memory) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := checkKey(key); err != nil {
		return false, err
	}
	if err := checkValues(old, new); err != nil {
		return false, err
	}
	end := never
	if !expires.IsZero() {
		end = nanos(expires)
	}
	now := m.now()
	m.clean(now, glance)
	for {
		ok, err := m.swap(key, old, new, end, now)
		if err == nil || !m.clean(now, shardCount) {
			return ok, err
		}
	}
}

// swap is CompareAndSwap on checked arguments. Its only error is ErrFull.
func (m *Memory) swap(key string, old, new []byte, end, now int64) (bool, error) {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.tables[kept].entries[key]
	if e != nil && e.ended(now) {
		m.remove(s, e)
		e = nil
	}
	remove := new == nil || end != never && end <= now
	switch {
	case e == nil && old != nil, e != nil && (old == nil || e.value != string(old)):
		return false, nil
	case e == nil && remove:
		return true, nil
	case e == nil:
		return m.insert(s, kept, key, new, end)
	case remove:
		m.remove(s, e)
		return true, nil
	}
	if !m.grow(len(new) - len(e.value)) {
		return false, m.full()
	}
	if e.value != string(new) { // a mere change of its end allocates nothing
		e.value = string(new)
	}
	s.setEnd(e, end)
	return true, nil
}

// Take implements [challenge.Taker] by the generic cell rate algorithm (ITU-T I.371): one number for each key, the time at
// which its bucket is full again, which is also when the record may go. A refused call changes nothing, so asking again
// and again does not put the next chance off. Rate limits are kept apart from records of the same key.
//
// Interval and burst must be above zero. Its errors, beside that, are those of [Memory.CompareAndSwap]; ok is false then.
func (m *Memory) Take(ctx context.Context, key string, interval time.Duration, burst int) (ok bool, retryAfter time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return false, 0, err
	}
	if err := checkKey(key); err != nil {
		return false, 0, err
	}
	if err := checkLimit(interval, burst); err != nil {
		return false, 0, err
	}
	now := m.now()
	m.clean(now, glance)
	for {
		ok, retryAfter, err = m.take(key, now, interval, burst)
		if err == nil || !m.clean(now, shardCount) {
			return ok, retryAfter, err
		}
	}
}

// take is Take on checked arguments. Its only error is ErrFull.
func (m *Memory) take(key string, now int64, interval time.Duration, burst int) (bool, time.Duration, error) {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.tables[taken].entries[key]
	fullAt := now
	if e != nil {
		fullAt = max(fullAt, e.expires)
	}
	fullAt += int64(interval)
	if wait := fullAt - int64(burst)*int64(interval) - now; wait > 0 {
		return false, time.Duration(wait), nil
	}
	if e == nil {
		ok, err := m.insert(s, taken, key, nil, fullAt)
		return ok, 0, err
	}
	s.setEnd(e, fullAt)
	return true, 0, nil
}

// insert adds a key that the caller, who holds the lock of s, has found absent.
func (m *Memory) insert(s *shard, k kind, key string, value []byte, end int64) (bool, error) {
	size := recordCost + int64(len(key)) + int64(len(value))
	if !addUpTo(&m.records, 1, m.maxRecords()) {
		return false, m.full()
	}
	if !addUpTo(&m.bytes, size, m.maxBytes()) {
		m.records.Add(-1)
		return false, m.full()
	}
	s.insert(k, key, value, end)
	return true, nil
}

// remove takes e out of s, whose lock the caller holds.
func (m *Memory) remove(s *shard, e *entry) {
	m.records.Add(-1)
	m.bytes.Add(-recordCost - int64(len(e.key)) - int64(len(e.value)))
	s.remove(e)
}

// grow makes room for n bytes more of a record that is there already, or gives -n back.
func (m *Memory) grow(n int) bool {
	if n == 0 {
		return true
	}
	if n < 0 {
		m.bytes.Add(int64(n))
		return true
	}
	limit := m.maxBytes()
	return addUpTo(&m.bytes, int64(n), limit+limit/8)
}

// addUpTo adds n to a unless that would exceed limit.
func addUpTo(a *atomic.Int64, n, limit int64) bool {
	for {
		have := a.Load()
		if have+n > limit {
			return false
		}
		if a.CompareAndSwap(have, have+n) {
			return true
		}
	}
}

// clean looks at up to look shards, removes a batch of expired records from the first that has some, and reports whether
// it removed any. It takes no more than one lock at a time; the caller holds none.
func (m *Memory) clean(now int64, look uint32) bool {
	first := m.cursor.Add(look) - look
	for i := range look {
		s := &m.shards[(first+i)%shardCount]
		if s.due(now) && m.cleanShard(s, now) {
			return true
		}
	}
	return false
}

func (m *Memory) cleanShard(s *shard, now int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for ; n < batch && s.due(now); n++ {
		m.remove(s, s.queue[0])
	}
	return n > 0
}

func (m *Memory) full() error {
	return fmt.Errorf("%w: no room among %d records of %d bytes: raise MaxRecords or MaxBytes, or limit who may add records",
		ErrFull, m.records.Load(), m.bytes.Load())
}

func (m *Memory) maxRecords() int64 {
	if m.MaxRecords == 0 {
		return defaultRecords
	}
	return int64(m.MaxRecords)
}

func (m *Memory) maxBytes() int64 {
	if m.MaxBytes == 0 {
		return defaultBytes
	}
	return min(m.MaxBytes, math.MaxInt64/2) // room for the eighth above it
}

// now is the time in nanoseconds since 1970, in the range of [nanos] without never.
func (m *Memory) now() int64 {
	if m.Clock == nil {
		return time.Now().UnixNano()
	}
	return min(nanos(m.Clock()), lastSecond*int64(time.Second))
}

const (
	never      int64 = math.MaxInt64
	lastSecond int64 = 1 << 33 // in the year 2242; with the largest bucket added it still fits
)

// nanos is t in nanoseconds since 1970: 0 for all before, never for all that is too far ahead to be told apart.
func nanos(t time.Time) int64 {
	switch s := t.Unix(); {
	case s < 0:
		return 0
	case s > lastSecond:
		return never
	default:
		return t.UnixNano()
	}
}
