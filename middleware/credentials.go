package middleware

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"unicode/utf8"
)

const (
	headerCode   = "X-Mfa-Code" // X-MFA-Code, as net/http spells it
	maxBasic     = 4096         // bytes of a Basic credential, encoded
	maxCodeBytes = 64           // of the code header
)

// credentialKind is the one way in which a request says who it is.
type credentialKind uint8

const (
	noCredential credentialKind = iota
	cookieCredential
	bearerCredential
	basicCredential
	badCredential // something was shown that cannot be read; it never falls through to another
)

// credential is what a request shows. Explicit ones (the Authorization header) win over the cookie.
type credential struct {
	kind     credentialKind
	token    string // of a cookie or bearer
	name     string // of Basic
	password string
}

// Format shows the kind only, so that no verb prints a token or password.
func (c credential) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, [...]string{"[none]", "[cookie]", "[bearer]", "[basic]", "[bad credential]"}[c.kind])
}

// cookieValue returns the value of the one cookie called name, and how many of that name the request carries. Two of them
// mean that somebody else has set one: which is whose cannot be told, so neither counts (I-18). Names and values are trimmed
// as net/http trims them. It allocates nothing.
func cookieValue(r *http.Request, name string) (value string, n int) {
	for _, line := range r.Header["Cookie"] {
		for len(line) > 0 {
			var part string
			part, line, _ = strings.Cut(line, ";")
			key, v, _ := strings.Cut(part, "=")
			if textproto.TrimString(key) == name {
				n++
				value = textproto.TrimString(v)
			}
		}
	}
	if n != 1 {
		return "", n
	}
	return value, 1
}

// fromCookie reads the session cookie.
func fromCookie(r *http.Request, name string) credential {
	value, n := cookieValue(r, name)
	switch {
	case n == 0 || n == 1 && value == "":
		return credential{}
	case n > 1:
		return credential{kind: cookieCredential} // without a token: nobody
	}
	return credential{kind: cookieCredential, token: value}
}

// fromHeader reads the Authorization header: exactly one, of the scheme Bearer (RFC 6750 section 2.1) or Basic (RFC 7617).
// Anything else that was sent there is a bad credential.
func fromHeader(r *http.Request) credential {
	lines := r.Header["Authorization"]
	switch len(lines) {
	case 0:
		return credential{}
	case 1:
	default:
		return credential{kind: badCredential}
	}
	scheme, value, _ := strings.Cut(lines[0], " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		if value == "" || strings.ContainsAny(value, " \t,") {
			return credential{kind: badCredential}
		}
		return credential{kind: bearerCredential, token: value}
	case strings.EqualFold(scheme, "Basic"):
		name, password, ok := parseBasic(value)
		if !ok {
			return credential{kind: badCredential}
		}
		return credential{kind: basicCredential, name: name, password: password}
	}
	return credential{kind: badCredential}
}

// parseBasic reads the value of a Basic credential: canonical base64 of UTF-8 "name:password" without control characters
// (RFC 7617 section 2).
func parseBasic(value string) (name, password string, ok bool) {
	if len(value) > maxBasic {
		return "", "", false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || !utf8.Valid(raw) || strings.ContainsAny(value, "\r\n") {
		return "", "", false
	}
	for _, c := range raw {
		if c < ' ' || c == 0x7f {
			return "", "", false
		}
	}
	return strings.Cut(string(raw), ":")
}

// codeHeader reads X-MFA-Code. ok is false when there are several or one that no code looks like; nil means none was sent.
func codeHeader(r *http.Request) (code *string, ok bool) {
	lines := r.Header[headerCode]
	switch len(lines) {
	case 0:
		return nil, true
	case 1:
	default:
		return nil, false
	}
	v := lines[0]
	if v == "" || len(v) > maxCodeBytes {
		return nil, false
	}
	for i := range len(v) {
		if v[i] < ' ' || v[i] >= 0x7f {
			return nil, false
		}
	}
	return &v, true
}
