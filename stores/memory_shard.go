package stores

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// kind tells the records of challenge.Store from the rate limits of challenge.Taker: each has a table of its own.
type kind uint8

const (
	kept kind = iota
	taken
	kinds
)

// entry is one record. Its strings are immutable, so a reader may go on using them after the lock is gone.
type entry struct {
	key     string
	value   string // empty for a rate limit
	expires int64  // nanoseconds since 1970, or never
	place   int32  // in the queue, when not never
	kind    kind
}

func (e *entry) ended(now int64) bool { return e.expires != never && e.expires <= now }

// shard is a part of a [Memory] with a lock of its own.
type shard struct {
	mu     sync.RWMutex
	tables [kinds]table
	queue  []*entry     // a binary heap: the entry that ends first is at 0
	next   atomic.Int64 // when that one ends, 0 without one; read without the lock
	_      [40]byte     // fills two cache lines, so that neighbours do not slow each other down
}

// table finds entries by key. A Go map never shrinks, so a table that has lost most of its entries gets a new one.
type table struct {
	entries map[string]*entry
	peak    int // the most entries this map has held
}

// small is the size up to which shrinking is not worth it.
const small = 16

// load finds a record, ended or not.
func (s *shard) load(key string) (value string, expires int64, ok bool) {
	s.mu.RLock()
	e := s.tables[kept].entries[key]
	if e != nil {
		value, expires, ok = e.value, e.expires, true
	}
	s.mu.RUnlock()
	return value, expires, ok
}

// due reports whether some entry has ended. It needs no lock.
func (s *shard) due(now int64) bool {
	next := s.next.Load()
	return next != 0 && next <= now
}

// insert copies key, which may be a piece of something much larger, and value.
func (s *shard) insert(k kind, key string, value []byte, end int64) {
	e := &entry{key: strings.Clone(key), value: string(value), expires: never, kind: k}
	t := &s.tables[k]
	if t.entries == nil {
		t.entries = make(map[string]*entry)
	}
	t.entries[e.key] = e
	t.peak = max(t.peak, len(t.entries))
	s.setEnd(e, end)
}

func (s *shard) remove(e *entry) {
	s.setEnd(e, never)
	t := &s.tables[e.kind]
	delete(t.entries, e.key)
	switch n := len(t.entries); {
	case n == 0:
		*t = table{}
	case t.peak > small && n < t.peak/4:
		fresh := make(map[string]*entry, n)
		maps.Copy(fresh, t.entries)
		*t = table{fresh, n}
	}
}

// setEnd changes when e ends and puts it where it belongs in the queue, which holds all entries that end.
func (s *shard) setEnd(e *entry, end int64) {
	was := e.expires
	e.expires = end
	switch {
	case end == was:
		return
	case was == never:
		e.place = int32(len(s.queue))
		s.queue = append(s.queue, e)
		s.up(e)
	case end == never:
		s.dequeue(e)
	case end < was:
		s.up(e)
	default:
		s.down(e)
	}
	if len(s.queue) == 0 {
		s.next.Store(0)
	} else {
		s.next.Store(max(1, s.queue[0].expires))
	}
}

// dequeue fills the place of e by the last entry.
func (s *shard) dequeue(e *entry) {
	n := len(s.queue) - 1
	last := s.queue[n]
	s.queue[n] = nil
	s.queue = s.queue[:n]
	if last != e {
		s.put(last, e.place)
		s.up(last)
		s.down(last)
	}
	switch {
	case n == 0:
		s.queue = nil
	case cap(s.queue) > small && n < cap(s.queue)/4:
		s.queue = slices.Clone(s.queue)
	}
}

func (s *shard) put(e *entry, place int32) {
	s.queue[place] = e
	e.place = place
}

// up moves e towards the front past all that end later.
func (s *shard) up(e *entry) {
	for e.place > 0 {
		at := e.place
		parent := s.queue[(at-1)/2]
		if parent.expires <= e.expires {
			return
		}
		s.put(e, parent.place)
		s.put(parent, at)
	}
}

// down moves e towards the back past all that end sooner.
func (s *shard) down(e *entry) {
	n := int32(len(s.queue))
	for {
		at := e.place
		child := 2*at + 1
		if child >= n {
			return
		}
		if child+1 < n && s.queue[child+1].expires < s.queue[child].expires {
			child++
		}
		sooner := s.queue[child]
		if sooner.expires >= e.expires {
			return
		}
		s.put(e, child)
		s.put(sooner, at)
	}
}
