// Package label bounds what becomes a label of a metric: a label with a name, an address or any other free text in it would
// make a new time series for each of them, and tell a monitoring system what belongs into the audit only.
package label

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/sallyport-go/sallyport/audit"
)

// Other stands for every value that there is no room for.
const Other = "other"

// Operations are what challenge tells its Observer of.
var Operations = []string{"load", "swap", "take", "accounts-load", "accounts-swap", "users", "hash-wait", "hash", "send"}

// Operation is a label for an operation.
func Operation(name string) string {
	if slices.Contains(Operations, name) {
		return name
	}
	return Other
}

// The kinds of error of an operation. Of hash-wait, Failed is a queue that was full.
const (
	Timeout = "timeout" // or the client hung up
	Failed  = "failed"
)

// Errors are the kinds of error.
var Errors = []string{Timeout, Failed}

// Error is a label for an error.
func Error(err error) string {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return Timeout
	}
	return Failed
}

// Event is a label for an event's name: one of Sallyport's, else Other.
func Event(name audit.Name) string {
	if names[name] {
		return string(name)
	}
	return Other
}

var names = func() map[audit.Name]bool {
	m := map[audit.Name]bool{}
	for _, n := range audit.Names() {
		m[n] = true
	}
	return m
}()

// Counts are numbers that others count; those of prommetrics and otelmetrics, which document them, convert to it.
type Counts struct{ LostEvents, DroppedEvents, Unavailable, Anonymous func() uint64 }

// Each calls f for each that is there, with its name and help.
func (c Counts) Each(f func(name, help string, read func() uint64)) {
	for _, v := range []struct {
		name, help string
		read       func() uint64
	}{
		{"lost_events", "Audit events that the sink did not take.", c.LostEvents},
		{"dropped_events", "Audit events that a queue did not take or write.", c.DroppedEvents},
		{"unavailable", "Answers with status 503.", c.Unavailable},
		{"anonymous", "Requests without a credential that a guard sent away.", c.Anonymous},
	} {
		if v.read != nil {
			f(v.name, v.help, v.read)
		}
	}
}

// Set turns texts of which there are only a few into labels. The zero value is ready to use, and safe for concurrent use.
type Set struct {
	mu   sync.RWMutex
	seen map[string]bool
}

// mostValues is how many different values a Set lets through.
const mostValues = 64

// Value is s when it is a few plain words and one of the first 64 that came, else Other. A digit, a colon or anything else
// that is neither a letter, a space, a comma nor a hyphen is a sign of something that varies.
func (l *Set) Value(s string) string {
	if s == "" || len(s) > 64 {
		return Other
	}
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == ' ' || c == ',' || c == '-' || c == '\'') {
			return Other
		}
	}
	l.mu.RLock()
	known, full := l.seen[s], len(l.seen) >= mostValues
	l.mu.RUnlock()
	if known {
		return s
	}
	if full {
		return Other
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = map[string]bool{}
	}
	if !l.seen[s] && len(l.seen) >= mostValues {
		return Other
	}
	l.seen[s] = true
	return s
}
