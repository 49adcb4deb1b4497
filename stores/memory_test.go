package stores_test

import (
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
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	storetest.Run(t, storetest.Harness{Open: func(testing.TB) challenge.Store { return new(stores.Memory) }})
}
