package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

const racers = 100

// patience and turns are for how long, and how often, a racer tries at least to get its turn. The store may be a busy server
// on a slow machine, so both are a lot.
var patience, turns = time.Minute, 5000

var errStuck = errors.New("no turn: swaps from the bytes that Load had just given were refused all the time")

// What holds when many write at once. Where the harness has a peer, half of them go through it.
var raceRules = []rule{
	{
		"one swap has one winner",
		"of 50 right codes at once exactly one may make a login",
		func(c *trial) { c.race("swap", []byte("start")) },
	}, {
		"one insert has one winner",
		"two logins would get one session record",
		func(c *trial) { c.race("insert", nil) },
	}, {
		"one delete has one winner",
		"deleting the pending login is what consumes it: two winners are two logins",
		func(c *trial) {
			for round := range 5 {
				k := c.key("delete" + strconv.Itoa(round))
				c.valid = c.in(1000)
				c.does(k, nil, []byte("pending"), c.in(1000))
				won := c.together(racers, func(i int) (bool, error) {
					return c.handle(i).CompareAndSwap(c.Context(), k, []byte("pending"), nil, c.in(1000))
				})
				if len(won) != 1 {
					c.broken("%d of %d deletes of one record reported true, want 1", len(won), racers)
				}
				c.holds(k, nil, "after the race")
			}
		},
	}, {
		"counters lose nothing",
		"a lost increment is a guess for nothing",
		func(c *trial) {
			const writers, each = 20, 10
			k := c.key("counter")
			c.together(writers, func(i int) (bool, error) {
				s, begun := c.handle(i), time.Now()
				for done, tries := 0, 0; done < each; tries++ {
					if tries > turns && time.Since(begun) > patience {
						return false, errStuck
					}
					v, err := s.Load(c.Context(), k)
					if err != nil {
						return false, err
					}
					n, _ := strconv.Atoi(string(v)) // absent counts as 0
					ok, err := s.CompareAndSwap(c.Context(), k, v, []byte(strconv.Itoa(n+1)), forever)
					if err != nil {
						return false, err
					}
					if ok {
						done++
					}
				}
				return true, nil
			})
			c.holds(k, []byte(strconv.Itoa(writers*each)), fmt.Sprintf("after %d times %d increments", writers, each))
		},
	}, {
		"a load after a swap sees it",
		"a cached record is a session that is logged out here and alive there",
		func(c *trial) {
			k := c.key("k")
			c.holds(k, nil, "before") // a store that remembers absence is caught too
			var held []byte
			for i := range 50 {
				next := []byte(strconv.Itoa(i))
				c.does(k, held, next, forever)
				c.holds(k, next, "right after a swap")
				held = next
			}
			c.does(k, held, nil, forever)
			c.holds(k, nil, "right after a delete")
			c.does(k, nil, []byte("0"), forever)

			// Now with readers beside the writer: what was committed before a load began is the least it may see.
			const last = 300
			var committed atomic.Int64
			c.together(10, func(i int) (bool, error) {
				s := c.handle(i)
				if i == 0 {
					for n := range last {
						if ok, err := s.CompareAndSwap(c.Context(), k, []byte(strconv.Itoa(n)), []byte(strconv.Itoa(n+1)), forever); !ok || err != nil {
							committed.Store(last) // lets the readers go
							return false, fmt.Errorf("the only writer got %v, %v", ok, err)
						}
						committed.Store(int64(n + 1))
					}
					return true, nil
				}
				for {
					least := committed.Load()
					v, err := s.Load(c.Context(), k)
					if err != nil {
						return false, err
					}
					if n, err := strconv.ParseInt(string(v), 10, 64); err != nil || n < least {
						return false, fmt.Errorf("a load saw %s after %d had been swapped in", show(v), least)
					}
					if least == last {
						return true, nil
					}
				}
			})
		},
	}, {
		"writers that lose to a delete bring nothing back",
		"a request in flight over a logout would log the person in again",
		func(c *trial) {
			for round := range 10 {
				k := c.key("k" + strconv.Itoa(round))
				c.valid = c.in(1000)
				c.does(k, nil, []byte("0"), c.in(1000))
				var deleted atomic.Bool
				c.together(10, func(i int) (bool, error) {
					if i == 0 {
						return true, c.removeAmongWriters(k, &deleted)
					}
					return true, c.writeUntilGone(c.handle(i), k, []byte(strconv.Itoa(i)), &deleted)
				})
				c.holds(k, nil, "after the delete and every writer are through")
			}
		},
	}, {
		"writers of different keys do not disturb each other",
		"one person's login would overwrite another's",
		func(c *trial) {
			c.valid = c.in(1000)
			c.together(racers, func(i int) (bool, error) {
				s, k := c.handle(i), c.key(strconv.Itoa(i))
				var held []byte
				for n := range 5 {
					next := fmt.Appendf(nil, "%d of %d", n, i)
					if ok, err := s.CompareAndSwap(c.Context(), k, held, next, c.in(1000)); !ok || err != nil {
						return false, fmt.Errorf("the only writer of a key got %v, %v", ok, err)
					}
					held = next
				}
				return true, nil
			})
			for i := range racers {
				c.holds(c.key(strconv.Itoa(i)), fmt.Appendf(nil, "4 of %d", i), "after the others wrote their keys")
			}
		},
	},
}

// race lets everybody swap old for a value of their own and expects one winner, whose value is held.
func (c *trial) race(name string, old []byte) {
	c.Helper()
	for round := range 5 {
		k := c.key(name + strconv.Itoa(round))
		if old != nil {
			c.does(k, nil, old, forever)
		}
		won := c.together(racers, func(i int) (bool, error) {
			return c.handle(i).CompareAndSwap(c.Context(), k, old, fmt.Appendf(nil, "winner %d", i), forever)
		})
		if len(won) != 1 {
			c.broken("%d of %d swaps from the same bytes reported true, want 1", len(won), racers)
		}
		c.holds(k, fmt.Appendf(nil, "winner %d", won[0]), "after the race")
	}
}

// removeAmongWriters deletes key, which others keep changing.
func (c *trial) removeAmongWriters(key string, deleted *atomic.Bool) error {
	for begun, tries := time.Now(), 0; tries < turns || time.Since(begun) < patience; tries++ {
		v, err := c.store.Load(c.Context(), key)
		if err != nil {
			return err
		}
		if v == nil {
			return errors.New("the record was gone before it was deleted")
		}
		ok, err := c.store.CompareAndSwap(c.Context(), key, v, nil, c.in(1000))
		if err != nil {
			return err
		}
		if ok {
			deleted.Store(true)
			return nil
		}
	}
	return errStuck
}

// writeUntilGone keeps changing key until it finds it deleted, and then tries once more from the bytes it had read last.
func (c *trial) writeUntilGone(s challenge.Store, key string, next []byte, deleted *atomic.Bool) error {
	seen := next
	for begun, tries := time.Now(), 0; tries < turns || time.Since(begun) < patience; tries++ {
		gone := deleted.Load()
		v, err := s.Load(c.Context(), key)
		if err != nil {
			return err
		}
		if gone && v != nil {
			return fmt.Errorf("a load that began after the delete saw %s", show(v))
		}
		if v != nil {
			seen = v
		}
		ok, err := s.CompareAndSwap(c.Context(), key, seen, next, c.in(1000))
		if err != nil {
			return err
		}
		if ok && v == nil {
			return errors.New("a swap that began after the delete reported true")
		}
		if v == nil {
			return nil
		}
	}
	return errStuck
}

// together lets n racers start at once and returns those whose f reported true.
func (c *trial) together(n int, f func(i int) (bool, error)) (won []int) {
	c.Helper()
	var (
		start = make(chan struct{})
		wg    sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	for i := range n {
		wg.Go(func() {
			<-start
			ok, err := f(i)
			mu.Lock()
			defer mu.Unlock()
			if ok {
				won = append(won, i)
			}
			if err != nil && first == nil {
				first = err
			}
		})
	}
	close(start)
	wg.Wait()
	if first != nil {
		c.broken("in the race: %v", first)
	}
	return won
}
