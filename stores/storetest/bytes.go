package storetest

import (
	"bytes"
	"fmt"
)

// What a store may do to the bytes it is given: nothing.
var byteRules = []rule{
	{
		"a value is any bytes up to 64 KiB",
		"records are encrypted and binary; one changed byte makes them unreadable, and unreadable is refused",
		func(c *trial) {
			all := make([]byte, 64<<10)
			for i := range all {
				all[i] = byte(i ^ i>>8)
			}
			last := bytes.Clone(all)
			last[len(last)-1] ^= 1
			k := c.key("k")
			var held []byte
			for _, v := range [][]byte{
				{0}, {0, 0}, {0xff}, []byte("a\x00b"), []byte("\xff\xfe\x00\x80"), []byte("'\";--\\ \r\n\t"), []byte(" padded \n"), []byte("\x00\x00ends in NUL\x00"),
				[]byte("null"), []byte("é\xc3"), all[:255], all[:256], all[:1<<14], all, last,
			} {
				c.does(k, held, v, forever)
				c.holds(k, v, fmt.Sprintf("of %d bytes", len(v)))
				held = v
			}
			c.refuses(k, all, []byte("new"), forever) // differs in the last byte of 64 KiB
			c.does(k, last, nil, forever)
		},
	}, {
		"a key is any printable ASCII",
		"keys hold account names and addresses; one that is folded, quoted or refused locks somebody out",
		func(c *trial) {
			every := make([]byte, 0, '~'-'!'+1)
			for b := byte('!'); b <= '~'; b++ {
				every = append(every, b)
				c.does(c.key(string(b)), nil, []byte{b}, forever)
			}
			c.does(c.key(string(every)), nil, every, forever)
			for _, b := range every {
				c.holds(c.key(string(b)), []byte{b}, fmt.Sprintf("of a key that ends in %q", b))
			}
			c.holds(c.key(string(every)), every, "of a key with every character")
		},
	}, {
		"slices that are handed in are copied",
		"callers reuse their buffers, so a record would change without a swap",
		func(c *trial) {
			k := c.key("k")
			first, second := []byte("first value"), []byte("second value")
			c.does(k, nil, first, forever)
			first[0] = 'X'
			c.holds(k, []byte("first value"), "after the caller changed what it had inserted")
			old := []byte("first value")
			c.does(k, old, second, forever)
			second[0], old[0] = 'X', 'X'
			c.holds(k, []byte("second value"), "after the caller changed what it had swapped in")
			same := []byte("second value")
			c.does(k, same, same, forever)
			same[0] = 'X'
			c.holds(k, []byte("second value"), "after the caller changed what it had swapped for itself")
		},
	}, {
		"slices that are handed out are copies",
		"one request that writes into its copy would change the record for all",
		func(c *trial) {
			k := c.key("k")
			c.does(k, nil, []byte("the value"), forever)
			v := c.load(k)
			w := c.load(k)
			for i := range v {
				v[i] = 'X'
			}
			_ = append(v, "more"...)
			if string(w) != "the value" {
				c.broken("two Loads share memory: writing into one changed the other to %s", show(w))
			}
			c.holds(k, []byte("the value"), "after a reader changed its copy")
			c.does(k, []byte("the value"), []byte("next"), forever)
			if string(w) != "the value" {
				c.broken("a swap changed a slice handed out earlier to %s", show(w))
			}
		},
	},
}
