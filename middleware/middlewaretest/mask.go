package middlewaretest

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// reply is an answer with everything left out that may differ between two requests of one client.
type reply struct {
	status int
	header http.Header
	body   string
	tokens int // how many CSRF tokens were masked
}

// tokenForm is a masked CSRF token, 64 bytes in base64, as HTML, JSON and URLs write it.
var tokenForm = regexp.MustCompile(`(?:[A-Za-z0-9+/]|&#43;|&#x2b;|%2[BbFf]|\\u002[Bb]){86}(?:==|%3[Dd]%3[Dd]|\\u003[Dd]\\u003[Dd]|&#61;&#61;)`)

var plainToken = strings.NewReplacer("&#43;", "+", "&#x2b;", "+", "%2B", "+", "%2b", "+", "%2F", "/", "%2f", "/", `\u002b`, "+", `\u002B`, "+",
	"%3D", "=", "%3d", "=", `\u003d`, "=", `\u003D`, "=", "&#61;", "=")

// belongs reports whether a masked token is of one of the client's CSRF cookies: 32 random bytes, then the cookie's bytes
// exclusive-or'ed with them. So nothing but a real token is masked.
func belongs(masked string, cookies []string) bool {
	raw, err := base64.StdEncoding.DecodeString(plainToken.Replace(masked))
	if err != nil || len(raw) != 64 {
		return false
	}
	token := make([]byte, 32)
	subtle.XORBytes(token, raw[:32], raw[32:])
	return slices.ContainsFunc(cookies, func(c string) bool {
		want, err := base64.StdEncoding.DecodeString(c)
		return err == nil && bytes.Equal(want, token)
	})
}

// mask makes an answer comparable. cookies are the values of those that the client showed and of those it was given.
func (a App) mask(status int, header http.Header, body []byte, cookies []string) reply {
	out := reply{status: status, header: header.Clone()}
	out.header.Del("Date")
	if n := out.header.Get("Content-Length"); n == strconv.Itoa(len(body)) {
		out.header.Del("Content-Length") // it follows from the body, in which the spelling of a token changes its length
	}
	for _, name := range append([]string{"X-Request-Id"}, a.VolatileHeaders...) {
		for i := range out.header.Values(name) {
			out.header[http.CanonicalHeaderKey(name)][i] = "[volatile]"
		}
	}
	if allow := strings.Split(strings.Join(out.header.Values("Allow"), ","), ","); out.header["Allow"] != nil { // a set, which chi writes in random order
		for i := range allow {
			allow[i] = strings.TrimSpace(allow[i])
		}
		slices.Sort(allow)
		out.header["Allow"] = allow
	}
	for i, line := range out.header["Set-Cookie"] {
		if c, err := http.ParseSetCookie(line); err == nil && strings.HasSuffix(c.Name, "-csrf") {
			out.header["Set-Cookie"][i] = strings.Replace(line, c.Value, "[csrf]", 1)
		}
	}
	text := tokenForm.ReplaceAllStringFunc(string(body), func(s string) string {
		if !belongs(s, cookies) {
			return s
		}
		out.tokens++
		return "[csrf]"
	})
	if a.VolatileBody != nil {
		text = a.VolatileBody.ReplaceAllString(text, "[volatile]")
	}
	out.body = text
	return out
}
