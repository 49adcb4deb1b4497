package middleware

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	bucketsPerChunk  = 4       // 416 bytes, a size class of the allocator below those with a header: no rounding up
	bucketsPerShard  = 256     // on average, when the table is full
	maxShardBuckets  = 1 << 15 // a slot must fit the low half of an index word
	smallestIndex    = 16
	refilledLookups  = 8
	longestRefill    = 100 * 365 * 24 * time.Hour
	mostLimiterKeys  = 1 << 28
	indexTagBits     = 16
	indexSlotMask    = 1<<16 - 1
	indexLoadQuarter = 3 // the index grows when it would be more than three quarters full
)

// limiter is a table of token buckets, one for each key, inside one process.
//
// It never forgets a bucket that still has something to remember: only one that has refilled completely, which a
// new bucket could not be told from, gives its place to another key. So no flood of other keys frees a punished
// one (I-23). When maxKeys buckets are all in use, further keys share a single bucket of the same rate and burst
// until one of the others has refilled: the table gets stricter under attack, never larger and never softer.
//
// Keys are kept as a 128-bit hash under two seeds of this limiter, so that nobody outside can choose keys that
// collide. A decision allocates nothing; a full table costs at most 136 bytes a key. The table is split into
// shards that are locked, and grow, one by one: the worst insert handles a few hundred buckets, not all of them.
//
// A limiter slows traffic down; it is not a cap on guesses, which is the account's budget. It is safe for
// concurrent use.
type limiter struct {
	every   time.Duration // one token
	burst   int
	maxKeys int64
	base    time.Time // times inside are counted from here, in an int64 of nanoseconds
	seeds   [2]maphash.Seed
	used    atomic.Int64 // buckets handed out over all shards, never above maxKeys
	mask    uint64       // number of shards less one
	shards  []limiterShard

	overflow sharedBucket
}

// newLimiter returns a limiter that gives each key burst tokens, refilled one per every, for at most maxKeys keys
// at once. It refuses zero and negative values: there is no rate, burst or size that is right for everybody.
func newLimiter(every time.Duration, burst, maxKeys int) (*limiter, error) {
	switch {
	case every <= 0:
		return nil, fmt.Errorf("rate limit: the time per request must be positive, not %v", every)
	case burst <= 0:
		return nil, fmt.Errorf("rate limit: the burst must be at least 1, not %d", burst)
	case time.Duration(burst) > longestRefill/every:
		return nil, fmt.Errorf("rate limit: a burst of %d at one per %v takes over 100 years to refill", burst, every)
	case maxKeys <= 0:
		return nil, fmt.Errorf("rate limit: the number of keys must be at least 1, not %d", maxKeys)
	case maxKeys > mostLimiterKeys:
		return nil, errors.New("rate limit: the number of keys must be at most 268435456 (36 GB)")
	}
	shards := 1
	if maxKeys > bucketsPerShard {
		shards = 1 << bits.Len(uint((maxKeys-1)/bucketsPerShard))
	}
	l := &limiter{
		every:   every,
		burst:   burst,
		maxKeys: int64(maxKeys),
		base:    time.Now(),
		seeds:   [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		mask:    uint64(shards - 1),
		shards:  make([]limiterShard, shards),
	}
	for i := range l.shards {
		l.shards[i].latest = math.MinInt64 // a clock of the caller's may stand before ours
	}
	l.overflow.latest, l.overflow.bucket.emptyUntil = math.MinInt64, math.MinInt64
	l.overflow.bucket.tokens = *rate.NewLimiter(rate.Every(every), burst)
	return l, nil
}

// allowBytes takes one token from the bucket of key and reports whether there was one. When there was none,
// retryAfter is how long it takes until there is, always more than zero; a refused try takes nothing.
//
// now should be a monotonic reading; one that is earlier than a reading seen before counts as that one, so
// that requests which overtake each other gain nothing.
func (l *limiter) allowBytes(key []byte, now time.Time) (ok bool, retryAfter time.Duration) {
	return l.take(bucketKey{maphash.Bytes(l.seeds[0], key), maphash.Bytes(l.seeds[1], key)}, now)
}

// now returns the present moment from one monotonic reading, which costs less than the two of time.Now.
func (l *limiter) now() time.Time { return l.base.Add(time.Since(l.base)) }

func (l *limiter) take(key bucketKey, now time.Time) (bool, time.Duration) {
	s := &l.shards[key.shard()&l.mask]
	s.mu.Lock()
	at := now.Sub(l.base)
	if at < s.latest {
		at, now = s.latest, l.base.Add(s.latest)
	}
	s.latest = at
	b := s.find(key)
	if b == nil {
		b = s.insert(l, key, at)
	}
	if b == nil { // every bucket is in use: stricter, not larger
		s.mu.Unlock()
		return l.takeShared(now)
	}
	ok, retryAfter := b.take(now, at, l.every)
	s.mu.Unlock()
	return ok, retryAfter
}

// takeShared takes a token from the one bucket of all keys for which the table has no room.
func (l *limiter) takeShared(now time.Time) (bool, time.Duration) {
	o := &l.overflow
	o.mu.Lock()
	defer o.mu.Unlock()
	at := now.Sub(l.base)
	if at < o.latest {
		at, now = o.latest, l.base.Add(o.latest)
	}
	o.latest = at
	return o.bucket.take(now, at, l.every)
}

// claim reserves room for one more bucket and reports whether the cap allows it.
func (l *limiter) claim() bool {
	if l.used.Load() >= l.maxKeys { // the common answer of a full table, without writing to a shared word
		return false
	}
	if l.used.Add(1) <= l.maxKeys {
		return true
	}
	l.used.Add(-1)
	return false
}

// tokensToTime is the time in which so many tokens are refilled, to the nearest nanosecond: rate.Limiter overlooks
// what is missing of less than one.
func tokensToTime(tokens float64, every time.Duration) time.Duration {
	return time.Duration(math.Round(tokens * float64(every)))
}

// bucketKey is the keyed hash of a key. Different bits of it choose the shard and the place in its index, and all
// of it is compared.
type bucketKey [2]uint64

func (k bucketKey) shard() uint64 { return k[0] >> 32 }
func (k bucketKey) tag() uint32   { return uint32(k[0]) & (1<<indexTagBits - 1) }

// tokenBucket is one key's bucket, stored in place: it is never copied or moved.
type tokenBucket struct {
	key        bucketKey
	emptyUntil time.Duration // from the limiter's base: known to have no token before then
	tokens     rate.Limiter
}

// take decides one request. The caller holds the lock that guards b, and never lets the time run backwards for it:
// rate.Limiter would refill the same stretch of time twice. now and at are the same moment.
func (b *tokenBucket) take(now time.Time, at, every time.Duration) (ok bool, retryAfter time.Duration) {
	if at < b.emptyUntil { // only time gives tokens, so a refusal holds until then
		return false, b.emptyUntil - at
	}
	if b.tokens.AllowN(now, 1) {
		return true, 0
	}
	wait := max(1, tokensToTime(1-b.tokens.TokensAt(now), every)) // a Reservation would allocate
	b.emptyUntil = at + wait
	return false, wait
}

// sharedBucket is a bucket with a lock and a clock of its own.
type sharedBucket struct {
	mu     sync.Mutex
	latest time.Duration
	bucket tokenBucket
}

// limiterShard is a part of the table with a lock of its own. What a decision needs of it fills one cache line, the
// whole fills two, so that shards do not slow each other down.
//
// The buckets lie in chunks that never move. The index is open addressing with linear probing over words of 16 bits
// of hash and 16 bits of slot+1; zero is empty. The hash bits are enough to find a word's home, so growing and
// deleting never look at a bucket.
type limiterShard struct {
	mu         sync.Mutex
	latest     time.Duration // the latest reading, from the limiter's base
	index      []uint32      // a power of two
	chunks     []*[bucketsPerChunk]tokenBucket
	n          int           // buckets in use: the slots 0 … n-1
	hand       int           // the slot at which the search for a refilled bucket goes on
	noneBefore time.Duration // no bucket of this shard is refilled before then
	_          [40]byte
}

func (s *limiterShard) bucket(slot int) *tokenBucket {
	return &s.chunks[uint(slot)/bucketsPerChunk][uint(slot)%bucketsPerChunk]
}

// find returns the bucket of key, or nil.
func (s *limiterShard) find(key bucketKey) *tokenBucket {
	if len(s.index) == 0 {
		return nil
	}
	tag, mask := key.tag(), uint32(len(s.index)-1)
	for i := s.home(tag << indexTagBits); ; i++ {
		word := s.index[i&mask]
		if word == 0 {
			return nil
		}
		if word>>indexTagBits == tag {
			if b := s.bucket(int(word&indexSlotMask) - 1); b.key == key {
				return b
			}
		}
	}
}

// insert gives key a full bucket: an unused one of this shard, else one that has refilled, else, below the cap, one
// from a new chunk. It returns nil when all are in use.
func (s *limiterShard) insert(l *limiter, key bucketKey, at time.Duration) *tokenBucket {
	slot := s.n
	atChunkEnd := s.n == len(s.chunks)*bucketsPerChunk
	if atChunkEnd && s.n > 0 {
		// Before growing: so the table follows the number of clients that are active, not of all ever seen.
		if refilled, ok := s.refilled(l, at, refilledLookups); ok {
			return s.rename(refilled, key, at+l.every)
		}
	}
	if s.n == maxShardBuckets || !l.claim() {
		if refilled, ok := s.refilled(l, at, s.n); ok {
			return s.rename(refilled, key, at+l.every)
		}
		return nil
	}
	if atChunkEnd {
		s.chunks = append(s.chunks, new([bucketsPerChunk]tokenBucket))
	}
	s.n++
	if s.n*4 > len(s.index)*indexLoadQuarter {
		s.growIndex()
	}
	b := s.bucket(slot)
	b.key, b.emptyUntil = key, at
	b.tokens = *rate.NewLimiter(rate.Every(l.every), l.burst)
	s.link(key.tag()<<indexTagBits | uint32(slot+1))
	s.refillsAt(at + l.every)
	return b
}

// rename hands a refilled bucket to another key. Being full it is what a new one would be.
func (s *limiterShard) rename(slot int, key bucketKey, refills time.Duration) *tokenBucket {
	b := s.bucket(slot)
	s.unlink(b.key.tag()<<indexTagBits | uint32(slot+1))
	b.key = key
	s.link(key.tag()<<indexTagBits | uint32(slot+1))
	s.refillsAt(refills)
	return b
}

func (s *limiterShard) refillsAt(at time.Duration) { s.noneBefore = min(s.noneBefore, at) }

// refilled looks at up to limit buckets for one that is full again. Buckets refill about in the order in which they
// were handed out, so going on where the last search ended mostly finds one at once. A search through all that
// finds none notes when the first will be full: until then a flood of new keys costs no further search.
func (s *limiterShard) refilled(l *limiter, at time.Duration, limit int) (slot int, ok bool) {
	if at < s.noneBefore {
		return 0, false
	}
	now := l.base.Add(at)
	first := math.MaxFloat64
	for range min(limit, s.n) {
		slot := s.hand
		if s.hand++; s.hand >= s.n {
			s.hand = 0
		}
		missing := float64(l.burst) - s.bucket(slot).tokens.TokensAt(now)
		if missing <= 0 {
			return slot, true
		}
		first = min(first, missing)
	}
	if limit >= s.n {
		s.noneBefore = at + tokensToTime(first, l.every)
	}
	return 0, false
}

// home is the place in the index at which the search for a word begins.
func (s *limiterShard) home(word uint32) uint32 {
	return word >> indexTagBits * uint32(len(s.index)) >> indexTagBits
}

func (s *limiterShard) link(word uint32) {
	mask := uint32(len(s.index) - 1)
	i := s.home(word)
	for s.index[i] != 0 {
		i = (i + 1) & mask
	}
	s.index[i] = word
}

// unlink removes a word that is in the index and closes the gap, so that no tombstones pile up.
func (s *limiterShard) unlink(word uint32) {
	mask := uint32(len(s.index) - 1)
	gap := s.home(word)
	for s.index[gap] != word {
		gap = (gap + 1) & mask
	}
	for i := (gap + 1) & mask; s.index[i] != 0; i = (i + 1) & mask {
		if (i-s.home(s.index[i]))&mask >= (i-gap)&mask { // this word may stand in the gap: its home is not after it
			s.index[gap] = s.index[i]
			gap = i
		}
	}
	s.index[gap] = 0
}

func (s *limiterShard) growIndex() {
	old := s.index
	s.index = make([]uint32, max(smallestIndex, 2*len(old)))
	for _, word := range old {
		if word != 0 {
			s.link(word)
		}
	}
}
