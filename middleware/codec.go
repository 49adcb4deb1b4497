package middleware

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// codec writes the app's session values. scs's own is gob, which describes its types anew in every record and takes nine
// tenths of a guarded request. Here strings, booleans, numbers, bytes and times take a tag and their bytes; values of any
// other type go through gob, for which they must be registered, as with scs.
//
// The session's end is not among them: it belongs to the login (I-17), so scs's deadline is neither written nor read.
type codec struct{}

const codecVersion = 1

const (
	tagString byte = iota + 1
	tagFalse
	tagTrue
	tagInt
	tagInt64
	tagFloat64
	tagBytes
	tagTime
	tagGob
)

var errCodec = errors.New("middleware: session data cannot be read")

// Encode writes values in the order of their names, so that equal values are equal bytes. No values are no bytes.
func (codec) Encode(_ time.Time, values map[string]any) ([]byte, error) {
	if len(values) == 0 {
		return nil, nil
	}
	b := []byte{codecVersion}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		b = appendString(b, name)
		switch v := values[name].(type) {
		case string:
			b = appendString(append(b, tagString), v)
		case bool:
			if v {
				b = append(b, tagTrue)
			} else {
				b = append(b, tagFalse)
			}
		case int:
			b = binary.AppendVarint(append(b, tagInt), int64(v))
		case int64:
			b = binary.AppendVarint(append(b, tagInt64), v)
		case float64:
			b = binary.BigEndian.AppendUint64(append(b, tagFloat64), math.Float64bits(v))
		case []byte:
			b = appendString(append(b, tagBytes), string(v))
		case time.Time:
			raw, err := v.MarshalBinary()
			if err != nil {
				return nil, fmt.Errorf("middleware: session value %q: %w", name, err)
			}
			b = appendString(append(b, tagTime), string(raw))
		default:
			var buf bytes.Buffer
			if err := gob.NewEncoder(&buf).Encode(&v); err != nil {
				return nil, fmt.Errorf("middleware: session value %q: %w", name, err)
			}
			b = appendString(append(b, tagGob), buf.String())
		}
	}
	return b, nil
}

// Decode reads what Encode wrote. The deadline is always the zero time.
func (codec) Decode(raw []byte) (time.Time, map[string]any, error) {
	values := map[string]any{}
	if len(raw) == 0 {
		return time.Time{}, values, nil
	}
	if raw[0] != codecVersion {
		return time.Time{}, nil, errCodec
	}
	d := codecReader{rest: raw[1:]}
	for len(d.rest) > 0 && !d.bad {
		name := d.string()
		var v any
		switch d.byte() {
		case tagString:
			v = d.string()
		case tagFalse:
			v = false
		case tagTrue:
			v = true
		case tagInt:
			v = int(d.varint())
		case tagInt64:
			v = d.varint()
		case tagFloat64:
			if raw := d.take(8); len(raw) == 8 {
				v = math.Float64frombits(binary.BigEndian.Uint64(raw))
			}
		case tagBytes:
			v = []byte(d.string())
		case tagTime:
			var t time.Time
			if t.UnmarshalBinary([]byte(d.string())) != nil {
				d.bad = true
			}
			v = t
		case tagGob:
			if gob.NewDecoder(bytes.NewReader([]byte(d.string()))).Decode(&v) != nil {
				d.bad = true
			}
		default:
			d.bad = true
		}
		if _, twice := values[name]; twice {
			d.bad = true
		}
		values[name] = v
	}
	if d.bad {
		return time.Time{}, nil, errCodec
	}
	return time.Time{}, values, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// codecReader reads from rest. After the first error every read gives zero values and bad stays true.
type codecReader struct {
	rest []byte
	bad  bool
}

func (d *codecReader) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	v := d.rest[:n]
	d.rest = d.rest[n:]
	return v
}

func (d *codecReader) byte() byte {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *codecReader) string() string {
	n, used := binary.Uvarint(d.rest)
	if used <= 0 {
		d.bad = true
		return ""
	}
	d.rest = d.rest[used:]
	return string(d.take(n))
}

func (d *codecReader) varint() int64 {
	v, used := binary.Varint(d.rest)
	if used <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[used:]
	return v
}
