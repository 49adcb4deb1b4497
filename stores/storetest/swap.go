package storetest

import (
	"context"
	"fmt"
	"strings"
)

// What Load and CompareAndSwap answer.
var swapRules = []rule{
	{
		"an absent key is nil without error",
		"absence is an ordinary answer (a stranger's cookie), an error closes the site with 503",
		func(c *trial) {
			v, err := c.store.Load(c.Context(), c.key("absent"))
			if v != nil || err != nil {
				c.broken("Load of an absent key gave %#v, %v, want nil, nil", v, err)
			}
		},
	}, {
		"nil old inserts only into absence",
		"two logins would share one session record",
		func(c *trial) {
			k := c.key("k")
			c.does(k, nil, []byte("first"), forever)
			c.refuses(k, nil, []byte("first"), forever)
			c.refuses(k, nil, []byte("second"), forever)
			c.holds(k, []byte("first"), "after an insert over a record")
		},
	}, {
		"a swap needs exactly the bytes that are held",
		"a writer that has read something else would overwrite a spent guess",
		func(c *trial) {
			k, held := c.key("k"), []byte("Value 10\x00\xff")
			c.does(k, nil, held, forever)
			for _, old := range []string{
				"Value 10\x00", "Value 10\x00\xff\xff", "Value 10\x00\xff ", " Value 10\x00\xff", "value 10\x00\xff", "VALUE 10\x00\xff",
				"Value 10", "Value 10\x00\xfe", "Value 10\x01\xff", "Value 10\x00\xc3\xbf", "Value 10\x00\xef\xbf\xbd", "V", "%", "\x00", "nil",
			} {
				c.refuses(k, []byte(old), []byte("new"), forever)
			}
			c.holds(k, held, "after swaps from other bytes")
			c.does(k, held, []byte("10"), forever)
			for _, old := range []string{"010", "10.0", "1e1", "10 ", "0xa"} { // equal only for who compares numbers
				c.refuses(k, []byte(old), []byte("new"), forever)
			}
			c.does(k, []byte("10"), []byte("new"), forever)
			c.holds(k, []byte("new"), "after a swap from the right bytes")
		},
	}, {
		"a swap of an absent key is refused",
		"a write that comes after logout would log the person in again",
		func(c *trial) {
			k := c.key("k")
			c.refuses(k, []byte("old"), []byte("new"), forever)
			c.refuses(k, []byte("same"), []byte("same"), forever)
			c.refuses(k, []byte("old"), nil, forever)
			c.holds(k, nil, "after swaps of an absent key")
		},
	}, {
		"nil new deletes when old is held",
		"logout must delete, and only the record it means",
		func(c *trial) {
			k := c.key("k")
			c.does(k, nil, []byte("held"), forever)
			c.refuses(k, []byte("other"), nil, forever)
			c.holds(k, []byte("held"), "after a delete of other bytes")
			c.does(k, []byte("held"), nil, forever)
			c.holds(k, nil, "after a delete")
			c.refuses(k, []byte("held"), nil, forever)
			c.does(k, nil, []byte("again"), forever)
			c.holds(k, []byte("again"), "after an insert that follows a delete")
		},
	}, {
		"nil to nil tells whether the key is absent",
		"nil old means must be absent, also when there is nothing to write",
		func(c *trial) {
			k := c.key("k")
			c.does(k, nil, nil, forever)
			c.does(k, nil, []byte("held"), forever)
			c.refuses(k, nil, nil, forever)
			c.holds(k, []byte("held"), "after nil to nil")
		},
	}, {
		"old equal to new is true when held",
		"a backend that counts changed rows (MySQL does) answers false, and the writer takes it for a lost race, for ever",
		func(c *trial) {
			k, end := c.key("k"), c.in(100)
			c.valid = end
			c.does(k, nil, []byte("same"), end)
			c.does(k, []byte("same"), []byte("same"), end) // not even the end differs
			c.does(k, []byte("same"), []byte("same"), c.in(200))
			c.refuses(k, []byte("other"), []byte("other"), end)
			c.holds(k, []byte("same"), "after a swap to the same bytes")
		},
	}, {
		"an empty value is an error and not nil",
		"an empty old taken for nil inserts, an empty new taken for nil deletes: a bug above becomes a lost account",
		func(c *trial) {
			k, empty := c.key("k"), []byte{}
			fails := func(old, new []byte, what string) {
				c.Helper()
				if ok, err := c.store.CompareAndSwap(c.Context(), k, old, new, forever); err == nil || ok {
					c.broken("%s: got %v, %v, want false and an error", what, ok, err)
				}
			}
			fails(nil, empty, "insert of an empty value")
			fails(empty, []byte("new"), "swap from empty on an absent key")
			fails(empty, empty, "empty to empty on an absent key")
			fails(empty, nil, "delete of empty on an absent key")
			c.holds(k, nil, "after refused swaps of an absent key")
			c.does(k, nil, []byte("held"), forever)
			fails([]byte("held"), empty, "swap to empty")
			fails(empty, []byte("new"), "swap from empty")
			fails(empty, nil, "delete from empty")
			c.holds(k, []byte("held"), "after refused swaps")
		},
	}, {
		"similar keys do not meet",
		"one person would read another person's session",
		func(c *trial) {
			names := []string{"a", "A", "a/", "ab", "a/b", "aa", "/a", "a.", "a*", "a?", "a%", "a_", "a'", `a"`, `a\`, "a:", "a;", "a#", "[a]", "0", "00", "0.0", "-0"}
			for _, name := range names {
				c.holds(c.key(name), nil, "before the insert of "+name)
				c.does(c.key(name), nil, []byte("value of "+name), forever)
			}
			for _, name := range names {
				c.holds(c.key(name), []byte("value of "+name), "of "+name)
			}
			for i, name := range names {
				c.does(c.key(name), []byte("value of "+name), nil, forever)
				for _, other := range names[i+1:] {
					c.holds(c.key(other), []byte("value of "+other), fmt.Sprintf("of %s after the delete of %s", other, name))
				}
			}
		},
	}, {
		"a key is taken whole, up to 200 bytes",
		"of two long account names one would get the guesses, and the factors, of the other",
		func(c *trial) {
			long := c.key(strings.Repeat("k", 199-len(c.prefix)))
			keys := []string{long[:64], long[:128], long[:191], long, long + "1", long + "2"}
			for _, k := range keys {
				c.does(k, nil, fmt.Appendf(nil, "%d %s", len(k), k[len(k)-1:]), forever)
			}
			for _, k := range keys {
				c.holds(k, fmt.Appendf(nil, "%d %s", len(k), k[len(k)-1:]), fmt.Sprintf("of a key of %d bytes", len(k)))
			}
		},
	}, {
		"a cancelled context is an error or the truth",
		"an answer made up because time ran out is a session nobody has, or a spent guess that was not",
		func(c *trial) {
			ctx, cancel := context.WithCancel(c.Context())
			cancel()
			k, absent, held, next := c.key("k"), c.key("absent"), []byte("held"), []byte("next")
			c.does(k, nil, held, forever)
			if v, err := c.store.Load(ctx, k); err == nil && string(v) != string(held) {
				c.broken("Load with a cancelled context gave %s without error, want an error or %s", show(v), show(held))
			}
			if v, err := c.store.Load(ctx, absent); err == nil && v != nil {
				c.broken("Load of an absent key with a cancelled context gave %s without error", show(v))
			}
			ok, err := c.store.CompareAndSwap(ctx, k, []byte("other"), next, forever)
			if ok {
				c.broken("CompareAndSwap from other bytes with a cancelled context gave true, %v", err)
			}
			c.holds(k, held, "after that")
			ok, err = c.store.CompareAndSwap(ctx, k, held, next, forever)
			v := c.load(k)
			switch {
			case err == nil && !ok:
				c.broken("CompareAndSwap with a cancelled context gave false without error although the key held old")
			case err == nil && string(v) != string(next):
				c.broken("CompareAndSwap with a cancelled context gave true, and the key holds %s", show(v))
			case string(v) != string(held) && string(v) != string(next): // an error may mean that it happened
				c.broken("after an error the key holds %s, neither old nor new", show(v))
			}
		},
	},
}
