package challenge

import (
	"errors"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// maxName is the longest name in bytes, before and after it is made canonical.
const maxName = 255

var errName = errors.New("challenge: this cannot be a name")

// UsernameCaseMapped makes one form of every way to write a name, by the profile of RFC 8265 section 3.3: full-width forms
// become plain ones, letters lower case, and the whole NFC. It refuses what cannot be a name: empty, more than 255 bytes
// before or after, invalid UTF-8, spaces, control characters and whatever else the profile disallows. Its error says nothing
// of the name.
//
// It is idempotent: the canonical form of a canonical form is itself.
func UsernameCaseMapped(name string) (string, error) {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return "", errName
	}
	if canonical, ok, ascii := lowerASCII(name); ascii {
		if !ok {
			return "", errName
		}
		return canonical, nil
	}
	// RFC 8264 section 7: the rules are applied again until the result is stable, for some code points need it, and a name
	// that does not become stable is refused.
	for range 4 {
		next, err := precis.UsernameCaseMapped.String(name)
		if err != nil || next == "" || len(next) > maxName {
			return "", errName
		}
		if next == name {
			return name, nil
		}
		name = next
	}
	return "", errName
}

// lowerASCII is the profile for the names most people have: of ASCII, all that can be seen is allowed (RFC 8264 section
// 9.11) and letters become lower case.
func lowerASCII(name string) (canonical string, ok, ascii bool) {
	upper := false
	ok = true
	for i := range len(name) {
		switch c := name[i]; {
		case c >= utf8.RuneSelf:
			return "", false, false
		case c <= ' ' || c == 0x7f:
			ok = false
		case 'A' <= c && c <= 'Z':
			upper = true
		}
	}
	if !ok || !upper {
		return name, ok, true
	}
	b := []byte(name)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b), true, true
}
