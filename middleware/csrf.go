package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/justinas/nosurf"

	"github.com/sallyport-go/sallyport/challenge"
)

// forgery keeps other sites from acting in a browser's name (I-24). Two checks stand one behind the other, because each
// lets through what the other refuses: the standard library's by origin headers, and nosurf's by origin and token. Both
// take the site from the configuration, never from the Host header.
type forgery struct {
	site    challenge.Site
	trusted []string
	cookie  string
	origin  *http.CrossOriginProtection
	tokens  *nosurf.CSRFHandler
}

var (
	errForgery     = errors.New("middleware: cross-site request")
	errOtherOrigin = errors.New("another origin")
)

func newForgery(w *core, trusted []string) (*forgery, error) {
	f := &forgery{site: w.site, trusted: slices.Clone(trusted), cookie: w.cookies.csrf, origin: http.NewCrossOriginProtection()}
	for _, o := range trusted {
		if err := f.origin.AddTrustedOrigin(o); err != nil {
			return nil, fmt.Errorf("middleware: Config.TrustedOrigins: %w", err)
		}
	}
	allowed, err := nosurf.StaticOrigins(trusted...)
	if err != nil {
		return nil, fmt.Errorf("middleware: Config.TrustedOrigins: %w", err)
	}
	f.tokens = nosurf.New(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { noteForgery(r, true) }))
	f.tokens.SetFailureHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { noteForgery(r, false) }))
	f.tokens.SetBaseCookie(http.Cookie{Name: f.cookie, Path: "/", HttpOnly: true, Secure: f.site.Secure, SameSite: http.SameSiteLaxMode})
	f.tokens.SetIsTLSFunc(func(*http.Request) bool { return f.site.Secure })
	f.tokens.SetIsAllowedOriginFunc(allowed)
	return f, nil
}

// checked is nosurf's verdict, and the request through which it hands out its token.
type checked struct {
	ok bool
	r  *http.Request
}

type checkedKey struct{}

func noteForgery(r *http.Request, ok bool) {
	if c, found := r.Context().Value(checkedKey{}).(*checked); found {
		c.ok, c.r = ok, r
	}
}

// isSafeMethod reports whether a method changes nothing (RFC 9110 section 9.2.1).
func isSafeMethod(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// isSafe is isSafeMethod, but an upgrade is never safe: a WebSocket begins with a GET that any site's page may send.
func isSafe(r *http.Request) bool { return isSafeMethod(r) && r.Header["Upgrade"] == nil }

// checkOrigin refuses an unsafe request that a browser says came from another origin.
func (f *forgery) checkOrigin(r *http.Request) error {
	if isSafe(r) {
		return nil
	}
	// The site's own origin is not on the list: a browser that says cross-site is believed, whatever else it says.
	if values := r.Header["Origin"]; len(values) > 1 {
		return fmt.Errorf("%w: two origins", errForgery)
	} else if len(values) == 1 && values[0] != f.site.Origin && !slices.Contains(f.trusted, values[0]) &&
		(values[0] != "null" || r.Header.Get("Sec-Fetch-Site") != "same-origin") { // null: a page that tells no referrer
		return fmt.Errorf("%w: %w", errForgery, errOtherOrigin)
	}
	// Only what the check reads; a method of its own, so that an upgrade counts as unsafe.
	if err := f.origin.Check(&http.Request{Method: http.MethodPost, Header: r.Header, Host: f.site.Host, URL: r.URL}); err != nil {
		return fmt.Errorf("%w: %w", errForgery, err)
	}
	return nil
}

// checkToken refuses an unsafe request without the token that belongs to its cookie. An upgrade carries no token; the
// origin must do, and was checked. form says that the token may stand in r.PostForm, which is then already read.
//
// The result hands out the token for the next form; for a safe request that is all that happens.
func (f *forgery) checkToken(w http.ResponseWriter, r *http.Request) (*checked, error) {
	c := new(checked)
	ask := r.WithContext(context.WithValue(r.Context(), checkedKey{}, c))
	ask.Host = f.site.Host
	if !f.site.Secure && r.Header["Origin"] == nil && r.Header["Referer"] == nil && r.Header["Sec-Fetch-Site"] == nil {
		// No browser of today posts without an origin; this is a program such as curl, and its token decides. On an https
		// site nosurf refuses it: there an old browser may be in the hands of whoever controls the network.
		ask.Header = r.Header.Clone()
		ask.Header.Set("Origin", f.site.Origin)
	}
	if ask.PostForm == nil {
		ask.PostForm = url.Values{} // nosurf would read a body of any size
	}
	f.tokens.ServeHTTP(w, ask)
	if _, n := cookieValue(r, f.cookie); n > 1 {
		return c, fmt.Errorf("%w: two tokens", errForgery)
	}
	if !c.ok {
		return c, fmt.Errorf("%w: %w", errForgery, nosurf.Reason(c.r))
	}
	return c, nil
}

// token is what a form carries.
func (c *checked) token() string {
	if c == nil || c.r == nil {
		return ""
	}
	return nosurf.Token(c.r)
}

// renew draws a new token, as every change of who somebody is does (I-03), and replaces a cookie that this answer was to set.
func (f *forgery) renew(w http.ResponseWriter, c *checked) {
	if c == nil || c.r == nil {
		return
	}
	h := w.Header()
	kept := h["Set-Cookie"][:0:0]
	for _, line := range h["Set-Cookie"] {
		if !strings.HasPrefix(line, f.cookie+"=") {
			kept = append(kept, line)
		}
	}
	if h.Del("Set-Cookie"); len(kept) > 0 {
		h["Set-Cookie"] = kept
	}
	f.tokens.RegenerateToken(w, c.r)
}
