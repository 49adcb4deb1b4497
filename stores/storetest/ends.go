package storetest

import (
	"fmt"
	"time"
)

// When records go: at their end or later, never earlier.
var endRules = []rule{
	{
		"a record stays until its end",
		"a dropped counter is a counter of zero: guesses for nothing",
		func(c *trial) {
			k, end := c.key("k"), c.in(4)
			c.does(k, nil, []byte("held"), end)
			c.holdsBefore(end, k, []byte("held"), "at once")
			c.pass(2)
			c.holdsBefore(end, k, []byte("held"), "half-way to its end")
			c.pass(1)
			c.holdsBefore(end, k, []byte("held"), "shortly before its end")
		},
	}, {
		"an end is not rounded down",
		"a store that keeps whole seconds must round up, or it drops a block before it ends",
		func(c *trial) {
			k := c.key("k")
			end := c.now().Truncate(time.Second).Add(1990 * time.Millisecond)
			c.does(k, nil, []byte("held"), end)
			before := 200 * time.Millisecond
			if !c.fake {
				before = min(c.unit, 900*time.Millisecond)
			}
			c.sleep(max(0, end.Sub(c.now())-before))
			c.holdsBefore(end, k, []byte("held"), fmt.Sprintf("%v before an end at .99 s", before))
		},
	}, {
		"without an end a record stays",
		"accounts, factors and recovery codes have no end",
		func(c *trial) {
			k := c.key("k")
			c.does(k, nil, []byte("held"), forever)
			c.does(k, []byte("held"), []byte("later"), forever)
			if c.fake {
				c.sleep(5 * 365 * 24 * time.Hour)
			} else {
				c.pass(4)
			}
			c.holds(k, []byte("later"), "after a long time")
		},
	}, {
		"an end in the past deletes",
		"a session that is over by the time it is written must not live on",
		func(c *trial) {
			k, past := c.key("k"), c.now().Add(-time.Minute)
			c.does(k, nil, []byte("held"), forever)
			c.refuses(k, []byte("other"), []byte("new"), past)
			c.holds(k, []byte("held"), "after a past end with the wrong old")
			c.does(k, []byte("held"), []byte("new"), past)
			c.holds(k, nil, "after a swap with a past end")
			c.does(k, nil, []byte("new"), past)
			c.holds(k, nil, "after an insert with a past end")
			c.does(k, nil, []byte("new"), time.Unix(1, 0))
			c.holds(k, nil, "after an insert that ended in 1970")
			c.does(k, nil, []byte("again"), forever)
			c.holds(k, []byte("again"), "after an insert that follows")
		},
	}, {
		"a swap sets a new end",
		"a login in use would be dropped at the end it had when it was made",
		func(c *trial) {
			longer, touched, freed := c.key("longer"), c.key("touched"), c.key("freed")
			c.valid = c.in(3) // the first end
			for _, k := range []string{longer, touched, freed} {
				c.does(k, nil, []byte("held"), c.in(3))
			}
			end := c.in(50)
			c.does(longer, []byte("held"), []byte("new"), end)
			c.does(touched, []byte("held"), []byte("held"), end)
			c.does(freed, []byte("held"), []byte("new"), forever)
			c.valid = end
			c.pass(5)
			c.holdsBefore(end, longer, []byte("new"), "after its first end, a swap having set a later one")
			c.holdsBefore(end, touched, []byte("held"), "after its first end, a swap to the same bytes having set a later one")
			c.holds(freed, []byte("new"), "after its first end, a swap having set none")
		},
	}, {
		"a key whose record has ended can be used again",
		"absent for Load and present for CompareAndSwap locks an account for ever",
		func(c *trial) {
			k := c.key("k")
			c.does(k, nil, []byte("held"), c.in(1))
			c.pass(2)
			for range 100 { // the record may go between the two calls
				if c.swap(k, c.load(k), []byte("new"), forever) {
					c.holds(k, []byte("new"), "after the swap of a record that had ended")
					c.pass(2)
					c.holds(k, []byte("new"), "some time after the swap of a record that had ended")
					return
				}
			}
			c.broken("100 times, a swap from what Load had just given was refused; Load gives %s", show(c.load(k)))
		},
	}, {
		"a refused swap changes nothing",
		"neither bytes nor end: a try that lost must not shorten a block or lengthen a session",
		func(c *trial) {
			k, absent, end := c.key("k"), c.key("absent"), c.in(50)
			c.valid = end
			c.does(k, nil, []byte("held"), end)
			c.refuses(k, []byte("other"), []byte("new"), c.in(1))
			c.refuses(k, nil, []byte("new"), c.in(1))
			c.refuses(k, nil, []byte("held"), c.in(1))
			c.refuses(k, []byte("other"), []byte("held"), c.in(1))
			c.refuses(k, []byte("other"), []byte("other"), c.in(1))
			c.refuses(k, []byte("other"), nil, c.in(1))
			c.refuses(k, []byte("other"), []byte("new"), c.now().Add(-time.Minute))
			c.refuses(k, nil, []byte("new"), c.now().Add(-time.Minute))
			c.refuses(absent, []byte("other"), []byte("new"), forever)
			c.holdsBefore(end, k, []byte("held"), "after refused swaps")
			c.holds(absent, nil, "after a refused swap")
			c.pass(3)
			c.holdsBefore(end, k, []byte("held"), "after the ends that refused swaps had named")
		},
	}, {
		"what is deleted stays away",
		"logout and log out everywhere must hold at once and for good",
		func(c *trial) {
			k := c.key("k")
			c.valid = c.in(50)
			c.does(k, nil, []byte("one"), c.in(50))
			c.does(k, []byte("one"), []byte("two"), c.in(50))
			c.does(k, []byte("two"), nil, c.in(50))
			for _, old := range []string{"one", "two"} {
				c.refuses(k, []byte(old), []byte(old), c.in(50))
				c.refuses(k, []byte(old), []byte("three"), c.in(50))
			}
			c.valid = forever // it must stay away for good
			c.holds(k, nil, "after writes that came too late")
			c.pass(1)
			c.holds(k, nil, "some time after a delete")
		},
	},
}
