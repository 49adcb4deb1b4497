package challenge

import (
	"context"
	"time"
)

// Store keeps small records for the machine. Two methods are all that every guarantee of this package rests on.
//
// Keys are short ASCII strings without white space; values are arbitrary bytes of at most 64 KiB. Both methods must be
// safe for concurrent use, by several processes where the store is shared, and must be linearizable for each key: a
// Load that begins after a CompareAndSwap has returned true sees its value or a later one.
//
// Expiry is only clean-up. Every record carries its own end, which this package checks by its own clock, so a store may
// keep a value longer than asked and must never drop it earlier. An expires in the past deletes; the zero time means never.
//
// A store owns neither slice it is given nor may it change one it has handed out: it copies.
type Store interface {
	// Load returns nil, nil for a key that is absent; an error means that the backend itself failed.
	Load(ctx context.Context, key string) ([]byte, error)

	// CompareAndSwap replaces old by new in one atomic step and reports whether it did. A nil old means "must be
	// absent", a nil new means "delete"; empty but non-nil is an error; old equal to new reports true (when the key
	// holds old). An error may mean that it happened: load before trying again.
	CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error)
}

// Taker is an optional ability of a [Store]: one atomic decision of a shared rate limit.
// Take allows burst at once and one more every interval; when it refuses, retryAfter says when to come back.
type Taker interface {
	Take(ctx context.Context, key string, interval time.Duration, burst int) (ok bool, retryAfter time.Duration, err error)
}

// Volatile is an optional ability of a [Store] that forgets everything when its process ends and that no other process
// can read. Only beside such a store may Config.Keys be missing: keys drawn at start then live exactly as long as the data.
type Volatile interface {
	Volatile() bool
}
