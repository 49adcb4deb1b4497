package storetest

import (
	"context"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// What a Taker allows. A store without that ability skips these.
var takeRules = []rule{
	{
		"Take allows the burst and then says when to come back",
		"too few turns people away, too many lets a flood of messages out",
		func(c *trial) {
			take := c.taker()
			c.valid = c.now().Add(time.Hour)
			for _, burst := range []int{1, 2, 5} {
				k := c.key("burst" + string(rune('0'+burst)))
				for i := range burst {
					if ok, _ := take(k, time.Hour, burst); !ok {
						c.broken("call %d of a burst of %d was refused", i+1, burst)
					}
				}
				ok, after := take(k, time.Hour, burst)
				if ok {
					c.broken("one call more than a burst of %d was allowed", burst)
				}
				if after <= 0 || after > time.Hour {
					c.broken("retryAfter is %v, want more than 0 and at most the interval of 1h", after)
				}
			}
		},
	}, {
		"Take gives one back each interval",
		"who waits as told must get in, and only once",
		func(c *trial) {
			take := c.taker()
			k, interval := c.key("k"), 2*c.unit
			begun := c.now()
			take(k, interval, 2)
			take(k, interval, 2)
			for back := 1; back <= 2; back++ {
				ok, after := take(k, interval, 2)
				if c.now().Sub(begun) >= time.Duration(back)*interval { // so many may be back by now, before they were waited for
					c.slow()
				}
				if ok {
					c.broken("a call right after the burst was allowed")
				}
				c.sleep(after)
				if ok, more := take(k, interval, 2); !ok {
					c.broken("refused after waiting for retryAfter (%v); told to wait %v more", after, more)
				}
			}
		},
	}, {
		"Take saves up no more than the burst",
		"a client that was quiet for a day would be allowed a day's worth at once",
		func(c *trial) {
			take := c.taker()
			k, interval := c.key("k"), 2*c.unit
			take(k, interval, 3)
			c.pass(20)
			begun := c.now()
			allowed := 0
			for range 6 {
				if ok, _ := take(k, interval, 3); ok {
					allowed++
				}
			}
			if c.now().Sub(begun) >= interval {
				c.slow()
			}
			if allowed != 3 {
				c.broken("after a long rest %d calls were allowed at once, want the burst of 3", allowed)
			}
		},
	}, {
		"a refused Take costs nothing",
		"a client that asks again would push its own turn away, and a stranger somebody else's",
		func(c *trial) {
			take := c.taker()
			k, interval := c.key("k"), 4*c.unit
			c.valid = c.now().Add(interval) // until then the first call is all that may be allowed
			take(k, interval, 1)
			ok, after := take(k, interval, 1)
			if ok {
				c.broken("a call right after the burst was allowed")
			}
			for range 20 {
				if _, more := take(k, interval, 1); more > after {
					c.broken("retryAfter grew from %v to %v by asking again", after, more)
				}
			}
			if !c.now().Before(c.valid) {
				c.slow()
			}
			c.valid = forever
			c.sleep(after)
			if ok, _ := take(k, interval, 1); !ok {
				c.broken("refused after waiting for retryAfter, because of refused calls in between")
			}
		},
	}, {
		"Take does not forget what was spent",
		"a limit that is dropped early is a full burst again",
		func(c *trial) {
			take := c.taker()
			k, interval := c.key("k"), 4*c.unit
			begun := c.now()
			for range 3 {
				take(k, interval, 3)
			}
			c.pass(3)
			if ok, _ := take(k, interval, 3); ok {
				if c.now().Sub(begun) >= interval {
					c.slow()
				}
				c.broken("allowed after three quarters of an interval with the burst spent")
			}
			c.pass(2) // 5 of 4: one is back, not three
			ok, _ := take(k, interval, 3)
			again, _ := take(k, interval, 3)
			if c.now().Sub(begun) >= 2*interval {
				c.slow()
			}
			if !ok || again {
				c.broken("after one interval with the burst of 3 spent, two calls gave %v and %v, want true and false", ok, again)
			}
		},
	}, {
		"Take counts each key apart",
		"one client would be stopped by what another did",
		func(c *trial) {
			take := c.taker()
			c.valid = c.now().Add(time.Hour)
			for _, name := range []string{"a", "A", "a/", "ab"} {
				if ok, _ := take(c.key(name), time.Hour, 1); !ok {
					c.broken("the first call for %s was refused", name)
				}
			}
		},
	}, {
		"Take is atomic",
		"read first and write later lets a parallel flood through",
		func(c *trial) {
			c.taker()
			k := c.key("k")
			c.valid = c.now().Add(time.Hour)
			won := c.together(racers, func(i int) (bool, error) {
				ok, _, err := c.handle(i).(challenge.Taker).Take(c.Context(), k, time.Hour, 10)
				return ok, err
			})
			if len(won) != 10 {
				c.broken("%d of %d calls at once were allowed, want the burst of 10", len(won), racers)
			}
		},
	}, {
		"Take with an error allows nothing",
		"a limit that cannot be read is not a limit that is not reached",
		func(c *trial) {
			c.taker()
			ctx, cancel := context.WithCancel(c.Context())
			cancel()
			k := c.key("k")
			ok, _, err := c.store.(challenge.Taker).Take(ctx, k, time.Hour, 1)
			if ok && err != nil {
				c.broken("Take with a cancelled context gave true and %v", err)
			}
			if !ok && err == nil {
				c.broken("Take with a cancelled context refused the first call without error")
			}
		},
	},
}

// taker returns Take with its error checked, or skips.
func (c *trial) taker() func(key string, interval time.Duration, burst int) (bool, time.Duration) {
	c.Helper()
	t, ok := c.store.(challenge.Taker)
	if !ok {
		c.Skip("the store is no challenge.Taker")
	}
	return func(key string, interval time.Duration, burst int) (bool, time.Duration) {
		c.Helper()
		ok, after, err := t.Take(c.Context(), key, interval, burst)
		if err != nil {
			c.broken("Take: %v", err)
		}
		return ok, after
	}
}
