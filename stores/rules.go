package stores

import (
	"errors"
	"fmt"
	"time"
)

const (
	maxKey   = 255
	maxValue = 64 << 10
)

var (
	// ErrKey says that a key is empty, too long, or holds something else than printable ASCII.
	ErrKey = errors.New("stores: not a key: 1 to 255 bytes of printable ASCII without white space")

	// ErrValue says that a value is empty but not nil, or too long.
	ErrValue = errors.New("stores: not a value: 1 to 65536 bytes, or nil for none")

	// ErrFull says that a store has no room for another key. Keys that it holds can still be read, swapped and deleted.
	ErrFull = errors.New("stores: full")
)

// checkKey refuses what one backend would take and another would change, cut or confuse with another key.
func checkKey(key string) error {
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("%w (this one has %d bytes)", ErrKey, len(key))
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return fmt.Errorf("%w (byte %d is 0x%02x)", ErrKey, i, key[i])
		}
	}
	return nil
}

// checkValues refuses empty values, which a backend could take for nil, and those too long for the smallest of them.
func checkValues(values ...[]byte) error {
	for _, v := range values {
		if v != nil && (len(v) == 0 || len(v) > maxValue) {
			return fmt.Errorf("%w (this one has %d bytes)", ErrValue, len(v))
		}
	}
	return nil
}

// maxBucket bounds burst × interval, so that no sum with the time of day overflows.
const maxBucket = time.Duration(1 << 58)

// checkLimit refuses a rate that would allow everything or nothing by mistake.
func checkLimit(interval time.Duration, burst int) error {
	if interval <= 0 || burst <= 0 || interval > maxBucket/time.Duration(burst) {
		return fmt.Errorf("stores: no rate limit: interval %v and burst %d must be above zero and their product at most 9 years", interval, burst)
	}
	return nil
}
