package audit

import (
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"
)

// The most runes of a value that are written. What is cut off is counted in the line: "…[+90 bytes]".
const (
	maxName      = 128
	maxUser      = 256 // user name, id, actor
	maxAgent     = 512
	maxRequestID = 128
	maxMethod    = 64
	maxReason    = 256
	maxPath      = 1024
)

// plain tells the bytes that stand for themselves in every format.
var plain = func() (t [256]bool) {
	for c := byte(' '); c <= '~'; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// appendText appends at most limit runes of s, escaped.
//
// Only printable runes, as strconv.IsPrint has them, are written as they are: no control character, line or paragraph
// separator, bidi control or invisible rune reaches the log. Everything else, the quote and the backslash become \uXXXX,
// which JSON (RFC 8259 section 7) and Go read back. \" and \\ would be shorter, but many key="value" parsers, Datadog's
// among them, do not promise to know them; so that no parser can see the end of a value too early or too late, a value
// holds no quote, and no quote follows a backslash. A byte that is no UTF-8 becomes \ufffd.
func appendText(dst []byte, s string, limit int) []byte {
	i := 0
	for i < len(s) && i < limit && plain[s[i]] {
		i++
	}
	dst = append(dst, s[:i]...)
	for n := i; i < len(s); n++ {
		if n == limit {
			dst = append(dst, "…[+"...)
			dst = strconv.AppendInt(dst, int64(len(s)-i), 10)
			return append(dst, " bytes]"...)
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, `\ufffd`...)
		case r == '"' || r == '\\' || !strconv.IsPrint(r):
			dst = appendEscaped(dst, r)
		default:
			dst = append(dst, s[i:i+size]...)
		}
		i += size
	}
	return dst
}

func appendEscaped(dst []byte, r rune) []byte {
	if r > 0xffff { // as JSON does it: a surrogate pair
		r -= 0x10000
		return appendEscaped(appendEscaped(dst, 0xd800+r>>10), 0xdc00+r&0x3ff)
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', hex[r>>12], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// appendQuoted appends s between quotes.
func appendQuoted(dst []byte, s string, limit int) []byte {
	return append(appendText(append(dst, '"'), s, limit), '"')
}

// appendOptional appends key, as it stands, and s between quotes, or nothing when s is empty.
func appendOptional(dst []byte, key, s string, limit int) []byte {
	if s == "" {
		return dst
	}
	return appendQuoted(append(dst, key...), s, limit)
}

// endObject ends the object whose key starts at key and whose members, each with a comma before it, start at members.
// Without members, the key goes too.
func endObject(dst []byte, key, members int) []byte {
	if len(dst) == members {
		return dst[:key]
	}
	return append(append(dst[:members], dst[members+1:]...), '}')
}

// appendAddr appends the address: IPv4 in its own form, and without a zone, which may hold any text.
func appendAddr(dst []byte, a netip.Addr) []byte {
	return a.Unmap().WithZone("").AppendTo(dst)
}

// appendTime appends t as RFC 3339 in UTC with milliseconds.
func appendTime(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
}
