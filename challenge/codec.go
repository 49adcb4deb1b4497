package challenge

import (
	"encoding/binary"
	"errors"
	"time"
)

// Records are kept in a small binary form: a kind byte, a version byte, then fields in a fixed order. It is read on every
// guarded request, which is why it is neither JSON nor gob.

// errRecord is a record that cannot be read. It denies like any other failure of the store.
var errRecord = errors.New("record cannot be read")

type encoder []byte

func (e *encoder) byte(v byte)     { *e = append(*e, v) }
func (e *encoder) uint(v uint64)   { *e = binary.AppendUvarint(*e, v) }
func (e *encoder) fixed(v []byte)  { *e = append(*e, v...) }
func (e *encoder) bytes(v []byte)  { e.uint(uint64(len(v))); *e = append(*e, v...) }
func (e *encoder) string(v string) { e.uint(uint64(len(v))); *e = append(*e, v...) }

func (e *encoder) int64(v int64) { *e = binary.BigEndian.AppendUint64(*e, uint64(v)) }

func (e *encoder) bool(v bool) {
	if v {
		e.byte(1)
	} else {
		e.byte(0)
	}
}

// time keeps nanoseconds; the zero time is zero.
func (e *encoder) time(t time.Time) {
	if t.IsZero() {
		e.int64(0)
	} else {
		e.int64(t.UnixNano())
	}
}

// decoder reads from a string, so that the strings it gives share one allocation. It goes on by a number: cutting off what
// was read would store a pointer at each step, of which the garbage collector wants to know while it works. After the first
// error every read gives zero values and bad stays true.
type decoder struct {
	s   string
	at  int // how much of it was read
	bad bool
}

func (d *decoder) rest() int { return len(d.s) - d.at }

// whole reports whether everything was read, and nothing else.
func (d *decoder) whole() bool { return !d.bad && d.rest() == 0 }

func (d *decoder) take(n uint64) string {
	if d.bad || n > uint64(d.rest()) {
		d.bad, d.at = true, len(d.s)
		return ""
	}
	v := d.s[d.at : d.at+int(n)]
	d.at += int(n)
	return v
}

func (d *decoder) byte() byte {
	if v := d.take(1); v != "" {
		return v[0]
	}
	return 0
}

func (d *decoder) bool() bool {
	v := d.byte()
	if v > 1 {
		d.bad = true
	}
	return v == 1
}

func (d *decoder) uint() uint64 {
	if d.rest() > 0 && d.s[d.at] < 0x80 { // nearly all are lengths in one byte
		d.at++
		return uint64(d.s[d.at-1])
	}
	var v uint64
	for shift := uint(0); shift < 64; shift += 7 {
		b := d.byte()
		if d.bad {
			return 0
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	d.bad = true
	return 0
}

// count reads a number of elements, each of which takes at least one byte.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(d.rest()) {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *decoder) string() string { return d.take(d.uint()) }
func (d *decoder) bytes() []byte {
	if s := d.string(); s != "" {
		return []byte(s)
	}
	return nil
}

func (d *decoder) int64() int64 {
	if v := d.take(8); len(v) == 8 {
		return int64(uint64(v[0])<<56 | uint64(v[1])<<48 | uint64(v[2])<<40 | uint64(v[3])<<32 |
			uint64(v[4])<<24 | uint64(v[5])<<16 | uint64(v[6])<<8 | uint64(v[7]))
	}
	return 0
}

func (d *decoder) time() time.Time {
	if n := d.int64(); n != 0 {
		return time.Unix(0, n).UTC()
	}
	return time.Time{}
}

func (d *decoder) id() (id [16]byte) {
	copy(id[:], d.take(16))
	return id
}
