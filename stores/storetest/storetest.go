// Package storetest tries an implementation of [challenge.Store] with everything logins rest on: races, odd bytes, ends of life.
//
//	func TestMyStore(t *testing.T) {
//		storetest.Run(t, storetest.Harness{Open: openMine})
//	}
//
// Each case is named by the rule it guards, and a failure says what breaks for whom when the rule is not kept. Run it with
// -race. A store that is also a [challenge.Taker] has that ability tried too.
package storetest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// Harness says how to reach the store under test.
type Harness struct {
	// Open returns the store; each case calls it once. The store need not be empty, since every case draws key names of its
	// own, but the records it makes stay behind: give it a database for tests. What must be closed belongs in t.Cleanup.
	Open func(t testing.TB) challenge.Store

	// Peer returns one more handle on the data behind a store that came from Open, as a second process would have it. The
	// cases then race over both. Nil means that there is only the one.
	Peer func(t testing.TB, s challenge.Store) challenge.Store

	// Sleep lets time pass for the store, as a fake clock or a fake server can. Nil means that time really passes; the
	// cases then take some ten seconds, and longer on a machine that is too slow for them.
	Sleep func(d time.Duration)

	// Now is the time from which the cases reckon ends. Nil means time.Now; a fake clock that Sleep moves belongs here.
	Now func() time.Time
}

// rule is one case: its name states the rule, why is what happens to logins without it.
type rule struct {
	name string
	why  string
	run  func(c *trial)
}

// Run tries the store that h opens, each rule in a subtest.
func Run(t *testing.T, h Harness) {
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) { try(t, h, r) })
	}
}

func rules() []rule {
	var all []rule
	for _, group := range [][]rule{swapRules, byteRules, endRules, raceRules, takeRules} {
		all = append(all, group...)
	}
	return all
}

// try runs one rule. It takes any testing.TB, so that the kit itself can be tried with stores that must fail.
func try(t testing.TB, h Harness, r rule) {
	t.Helper()
	c := &trial{TB: t, rule: r, sleep: h.Sleep, now: h.Now, unit: time.Minute, fake: h.Sleep != nil}
	if c.sleep == nil {
		c.sleep, c.unit = time.Sleep, 200*time.Millisecond
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.store = h.Open(t)
	c.handles = []challenge.Store{c.store}
	if h.Peer != nil {
		c.handles = append(c.handles, h.Peer(t, c.store))
	}
	for range 6 {
		c.prefix, c.valid = "storetest/"+rand.Text()[:10]+"/", forever
		if !c.tooSlow() {
			return
		}
		c.unit *= 2
	}
	t.Skip("this machine is too slow: in every try, time that the rule reckons with was over before the store had been asked")
}

// tooSlow runs the rule and reports whether it was given up by [trial.slow].
func (c *trial) tooSlow() (gaveUp bool) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case errSlow:
			gaveUp = true
		default:
			panic(p)
		}
	}()
	c.rule.run(c)
	return false
}

var errSlow = errors.New("storetest: this machine was too slow")

// slow gives a try up that can prove nothing any more, for another with more time.
func (c *trial) slow() { panic(errSlow) }

// trial is one rule being tried.
type trial struct {
	testing.TB
	rule    rule
	store   challenge.Store
	handles []challenge.Store // store, and the peer where there is one
	prefix  string
	sleep   func(time.Duration)
	now     func() time.Time
	unit    time.Duration // long enough for a few calls of the store, short enough to wait for
	fake    bool          // time costs nothing
	valid   time.Time     // what the rule expects holds for what is seen before this; zero means always
}

// key makes a name that nobody else uses.
func (c *trial) key(name string) string { return c.prefix + name }

// in is the moment so many units ahead.
func (c *trial) in(units float64) time.Time {
	return c.now().Add(time.Duration(units * float64(c.unit)))
}

func (c *trial) pass(units float64) { c.sleep(time.Duration(units * float64(c.unit))) }

// handle gives the i-th goroutine of a race its store.
func (c *trial) handle(i int) challenge.Store { return c.handles[i%len(c.handles)] }

// broken reports a failure together with the reason for the rule, unless it may have been seen too late to be one.
func (c *trial) broken(format string, args ...any) {
	c.Helper()
	if !c.valid.IsZero() && !c.now().Before(c.valid) {
		c.slow()
	}
	c.Fatalf("%s\n\trule: %s\n\twhy:  %s", fmt.Sprintf(format, args...), c.rule.name, c.rule.why)
}

func (c *trial) load(key string) []byte {
	c.Helper()
	v, err := c.store.Load(c.Context(), key)
	if err != nil {
		c.broken("Load: %v", err)
	}
	return v
}

func (c *trial) swap(key string, old, new []byte, end time.Time) bool {
	c.Helper()
	ok, err := c.store.CompareAndSwap(c.Context(), key, old, new, end)
	if err != nil {
		c.broken("CompareAndSwap(%s → %s): %v", show(old), show(new), err)
	}
	return ok
}

// does expects a swap to happen.
func (c *trial) does(key string, old, new []byte, end time.Time) {
	c.Helper()
	if !c.swap(key, old, new, end) {
		c.broken("CompareAndSwap(%s → %s) reported false; the key holds %s", show(old), show(new), show(c.load(key)))
	}
}

// refuses expects a swap not to happen.
func (c *trial) refuses(key string, old, new []byte, end time.Time) {
	c.Helper()
	if c.swap(key, old, new, end) {
		c.broken("CompareAndSwap(%s → %s) reported true; the key holds %s now", show(old), show(new), show(c.load(key)))
	}
}

// holds expects every handle to read value; nil means absent.
func (c *trial) holds(key string, value []byte, when string) {
	c.Helper()
	for i, s := range c.handles {
		v, err := s.Load(c.Context(), key)
		if err != nil {
			c.broken("Load %s: %v", when, err)
		}
		if value == nil && v != nil || !bytes.Equal(v, value) {
			c.broken("Load %s gave %s, want %s%s", when, show(v), show(value), []string{"", " (read by the peer)"}[min(i, 1)])
		}
	}
}

// holdsBefore is holds for a record that ends; when the machine was too slow to look in time, it proves nothing.
func (c *trial) holdsBefore(end time.Time, key string, value []byte, when string) {
	c.Helper()
	v := c.load(key)
	if !c.now().Before(end) {
		c.slow()
	}
	if !bytes.Equal(v, value) {
		c.broken("Load %s gave %s, want %s", when, show(v), show(value))
	}
}

// show prints a value so that a person can tell two apart; the kit's values are no secrets.
func show(v []byte) string {
	switch {
	case v == nil:
		return "nil"
	case len(v) > 40:
		return fmt.Sprintf("%.30q… (%d bytes)", v, len(v))
	default:
		return fmt.Sprintf("%q", v)
	}
}

var forever time.Time // as an end: never
