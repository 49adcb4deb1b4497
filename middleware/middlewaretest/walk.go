package middlewaretest

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

var addresses atomic.Uint32

// methods are tried on every path: those of HTTP, one that nobody has heard of, and one in the wrong case.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"}

// spellings are ways to write a path that some router or guard takes for the same one.
func spellings(site, path string) []string {
	last := strings.LastIndexByte(path, '/')
	list := []string{
		path,
		path + "/",
		strings.TrimSuffix(path, "/"),
		"/" + path,
		"/." + path,
		"/x/.." + path,
		"/x/%2e%2e" + path,
		path + "/.",
		path + "%2f",
		path + "%2F..",
		path[:last] + "%2f" + path[last+1:],
		path + ";a=b",
		path + "?a=b",
		strings.ToUpper(path),
		site + path,
	}
	if first := strings.TrimPrefix(path, "/"); first != "" {
		list = append(list, fmt.Sprintf("/%%%02x%s", first[0], first[1:]))
	}
	var out []string
	for _, s := range list {
		if (strings.HasPrefix(s, "/") || s == site+path) && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// Check walks App.Routes and App.Public as an anonymous client and as one that has shown App.Password and nothing else, by
// cookie and, where the app has the JSON routes, by bearer token. It reports
//
//   - a route that answers the two differently (status, headers, body), except the login routes themselves (login, verify,
//     enrol, resend, cancel, logout) and App.CodePages;
//   - a route that is not public and answers an anonymous client with 2xx, by any method, under any spelling;
//   - a route that is not public and does not send an anonymous client to the login: it may not be there at all;
//   - a pending login that the walk could not keep alive.
//
// The anonymous twin of a bearer token is a token that nobody issued. Check makes about 700 requests a route, from many
// addresses, of which none carries a right code.
func Check(t TB, a App) {
	t.Helper()
	defer func() {
		switch p := recover().(type) {
		case nil:
		case stuck:
			t.Fatalf("middlewaretest: %s has no answer: the handler goes on after the request's context has ended", string(p))
		default:
			panic(p)
		}
	}()
	a = a.complete(t)
	routes := a.routes(t)
	pairs := a.pairs(t)
	own := a.loginRoutes()
	for _, group := range byPath(routes) {
		report := &report{t: t, name: group[0].pattern}
		if len(group) > 1 {
			report.name = group[0].host + group[0].path
		}
		for _, path := range a.examples(group[0]) {
			if own[path] || slices.ContainsFunc(group, a.isCodePage) {
				continue
			}
			for _, rt := range group {
				if !rt.public {
					a.wantGuard(report, rt, path)
				}
			}
			for _, p := range pairs {
				a.walk(report, routes, own, group, p, path)
				p.keepAlive(t, a)
			}
		}
		report.close()
	}
}

// byPath puts routes together that differ in their method only: every method is tried on every path.
func byPath(routes []route) (groups [][]route) {
	for _, rt := range routes {
		i := slices.IndexFunc(groups, func(g []route) bool { return g[0].host == rt.host && g[0].path == rt.path })
		if i < 0 {
			groups = append(groups, []route{rt})
			continue
		}
		groups[i] = append(groups[i], rt)
	}
	return groups
}

func (a App) isCodePage(rt route) bool {
	return slices.ContainsFunc(a.CodePages, func(p string) bool { return rt.sameAs(parseRoute(p)) })
}

// isOwnTree reports whether everything below a pattern is what [middleware.Web.Pages] and [middleware.API.Routes] are mounted on.
func (a App) isOwnTree(rt route) bool {
	root, below := rt.tree()
	return below && (root == a.Paths.Login || root == a.Paths.API || root == a.Paths.API+"/login")
}

func (a App) routes(t TB) []route {
	t.Helper()
	var routes []route
	for i, pattern := range slices.Concat(a.Routes, a.Public) {
		rt := parseRoute(pattern)
		if rt.path == "" {
			t.Fatalf("middlewaretest: %q is not a route: give a path, with a method in front if it has one", pattern)
		}
		rt.public = i >= len(a.Routes) || slices.ContainsFunc(a.Public, func(p string) bool { return rt.sameAs(parseRoute(p)) })
		if !slices.ContainsFunc(routes, func(other route) bool { return other.pattern == rt.pattern }) {
			routes = append(routes, rt)
		}
	}
	if len(routes) == 0 {
		t.Fatalf("middlewaretest: App has no Routes: nothing would be tested")
	}
	return routes
}

func (a App) examples(rt route) []string {
	if a.Path != nil {
		if p := a.Path(rt.pattern); p != "" {
			return []string{p}
		}
	}
	return rt.examples()
}

// wantGuard makes sure that a route is there and is guarded: without it a wrong path would pass every comparison.
func (a App) wantGuard(report *report, rt route, path string) {
	method := rt.method
	if method == "" {
		method = http.MethodGet
	}
	got := (&visitor{app: a}).ask(request{method: method, target: path, host: rt.host})
	switch at := got.header.Get("Location"); {
	case got.status == http.StatusUnauthorized, got.status == http.StatusForbidden:
	case got.status >= 300 && got.status < 400 && strings.HasPrefix(strings.TrimPrefix(at, a.Site), a.Paths.Login):
	case got.status >= 200 && got.status < 300: // the walk says so
	case got.status == http.StatusNotFound && a.isOwnTree(rt): // Pages and Routes know what is there
	default:
		report.fault("unguarded", "%s %s: an anonymous client got %d %s and was not sent to log in: is the route there?", method, path, got.status, at)
	}
}

// walk compares the two of a pair in every way to ask for one path.
func (a App) walk(report *report, routes []route, own map[string]bool, group []route, p *pair, path string) {
	host := group[0].host
	guarded := slices.ContainsFunc(group, func(rt route) bool { return !rt.public })
	for _, target := range spellings(a.Site, path) {
		escaped, _, _ := strings.Cut(strings.TrimPrefix(target, a.Site), "?")
		if plain, err := url.PathUnescape(escaped); err == nil && own[plain] {
			continue
		}
		tokens := 0
		for _, method := range methods {
			q := request{method: method, target: target, host: host}
			anonymous := a.compare(report, p, q, "", tokens > 0)
			if method == http.MethodGet {
				tokens = anonymous.tokens
			}
			if in := anonymous.status >= 200 && anonymous.status < 300; in && guarded && !isPublic(routes, method, escaped) {
				report.fault("open "+p.name, "%s %s: somebody who shows nothing (%s) got %d", method, target, p.name, anonymous.status)
			}
		}
	}
	a.compare(report, p, request{method: "GET", target: path, host: host, header: map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Version": "13", "Sec-Websocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
		"Origin": a.Site, "Sec-Fetch-Site": "same-origin"}}, "as a WebSocket", false)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		a.compare(report, p, request{method: method, target: path, host: host, form: true}, "with a form", false)
	}
}

// compare asks as both. Where they differ and one of them was given a cookie, it may be because of a first visit, which gets
// a session for the app's own data: then both ask again.
func (a App) compare(report *report, p *pair, q request, how string, tokens bool) (anonymous reply) {
	anonymous, pending := p.anonymous.ask(q), p.pending.ask(q)
	what := difference(anonymous, pending, tokens && q.method == http.MethodHead)
	if what != "" && (anonymous.header["Set-Cookie"] != nil || pending.header["Set-Cookie"] != nil) {
		anonymous, pending = p.anonymous.ask(q), p.pending.ask(q)
		what = difference(anonymous, pending, tokens && q.method == http.MethodHead)
	}
	if what != "" {
		report.fault("half "+p.name+how, "%s: half a login (%s) is answered differently: %s", strings.TrimSpace(q.method+" "+q.target+" "+how), p.name, what)
	}
	return anonymous
}

// difference says in what the answers differ, or nothing.
func difference(anonymous, pending reply, anyLength bool) string {
	if anonymous.status != pending.status {
		return fmt.Sprintf("status %d, not %d", pending.status, anonymous.status)
	}
	if anyLength { // of a page with tokens, whose length varies
		anonymous.header.Del("Content-Length")
		pending.header.Del("Content-Length")
	}
	names := slices.Sorted(maps.Keys(anonymous.header))
	for name := range pending.header {
		if anonymous.header[name] == nil {
			names = append(names, name)
		}
	}
	cookies := false
	for _, name := range names {
		switch {
		case slices.Equal(anonymous.header[name], pending.header[name]):
		case name == "Set-Cookie":
			cookies = true
		default:
			return fmt.Sprintf("header %s is %q, not %q", name, pending.header[name], anonymous.header[name])
		}
	}
	switch {
	case anonymous.body != pending.body:
		return fmt.Sprintf("body %.80q, not %.80q", apart(pending.body, anonymous.body), apart(anonymous.body, pending.body))
	case cookies:
		return "another Set-Cookie"
	}
	return ""
}

// apart is a, from a little before it differs from b.
func apart(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return a[max(0, i-20):]
}

// report gathers what is wrong with one route, so that one fault is not told four hundred times.
type report struct {
	t      TB
	name   string
	shown  []string
	count  map[string]int // by kind of fault and client
	hidden int
}

// eachKind is how many faults of one kind are shown.
const eachKind = 3

func (r *report) fault(kind, format string, args ...any) {
	if r.count == nil {
		r.count = map[string]int{}
	}
	if r.count[kind]++; r.count[kind] > eachKind {
		r.hidden++
		return
	}
	r.shown = append(r.shown, fmt.Sprintf(format, args...))
}

func (r *report) close() {
	r.t.Helper()
	if len(r.shown) == 0 {
		return
	}
	more := ""
	if r.hidden > 0 {
		more = fmt.Sprintf("\n\t… and %d more", r.hidden)
	}
	for what := range r.count {
		if strings.HasPrefix(what, "open ") {
			more += "\n\tIf everybody may see it, name it in App.Public."
			break
		}
	}
	r.t.Errorf("route %s (I-02):\n\t%s%s", r.name, strings.Join(r.shown, "\n\t"), more)
}

// pair is somebody with half a login and their anonymous twin.
type pair struct {
	name               string
	anonymous, pending *visitor
	renew              func() *visitor // logs in half-way again
	alive              func(*visitor) bool
}

// pairs logs in half-way by every surface that the app has.
func (a App) pairs(t TB) []*pair {
	t.Helper()
	var pairs []*pair
	site, _ := url.Parse(a.Site) // App.complete has parsed it
	if (&visitor{app: a}).ask(request{method: "GET", target: a.Paths.Login}).status != http.StatusNotFound {
		p := &pair{name: "cookie"}
		p.renew = func() *visitor {
			client := LoginHalfway(t, a)
			v := &visitor{app: a, csrf: CSRFToken(a.page(t, client, a.Paths.Verify)), cookies: map[string]string{}}
			for _, c := range client.Jar.Cookies(site) {
				v.cookies[c.Name] = c.Value
			}
			return v
		}
		p.alive = func(v *visitor) bool {
			return v.ask(request{method: "GET", target: a.Paths.Verify}).status == http.StatusOK
		}
		// The twin has seen the login page: it has the form token that every browser has.
		client := a.Client()
		p.anonymous = &visitor{app: a, csrf: CSRFToken(a.page(t, client, a.Paths.Login)), cookies: map[string]string{}}
		for _, c := range client.Jar.Cookies(site) {
			p.anonymous.cookies[c.Name] = c.Value
		}
		pairs = append(pairs, p)
	}
	if (&visitor{app: a}).ask(request{method: "POST", target: a.Paths.API + "/login/verify"}).status != http.StatusNotFound {
		p := &pair{name: "bearer token"}
		p.anonymous = &visitor{app: a, cookies: map[string]string{}, bearer: base64.RawURLEncoding.EncodeToString(make([]byte, 32))}
		p.renew = func() *visitor { return &visitor{app: a, cookies: map[string]string{}, bearer: a.halfwayAPI(t)} }
		p.alive = func(v *visitor) bool { // an answer that cannot be a code costs nothing
			return v.ask(request{method: "POST", target: a.Paths.API + "/login/verify", json: `{"code":"?"}`}).status == http.StatusBadRequest
		}
		pairs = append(pairs, p)
	}
	if len(pairs) == 0 {
		t.Fatalf("middlewaretest: neither %s nor %s/login is there: set App.Paths", a.Paths.Login, a.Paths.API)
	}
	for _, p := range pairs {
		if p.pending = p.renew(); !p.alive(p.pending) {
			t.Fatalf("middlewaretest: the pending login (%s) is not known at the code page", p.name)
		}
	}
	return pairs
}

// keepAlive makes sure that what was compared was a pending login, and not a dead one.
func (p *pair) keepAlive(t TB, a App) {
	t.Helper()
	if p.alive(p.pending) {
		return
	}
	t.Errorf("middlewaretest: the pending login (%s) ended during the walk: a route that is not a login route ends it, or the test's clock runs", p.name)
	p.pending = p.renew()
}

// visitor is somebody who asks: cookies as a browser keeps them, and perhaps a token.
type visitor struct {
	app     App
	cookies map[string]string
	bearer  string
	csrf    string
}

type request struct {
	method, target, host string
	header               map[string]string
	form                 bool   // a browser's form, with the CSRF token
	json                 string // a body
}

// address is a new one for each request, out of a network for measurements (RFC 2544): a limit by address is not what is
// tested here.
func address() string {
	n := addresses.Add(1)
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 198<<24|18<<16|n&0x1ffff)
	return netip.AddrPortFrom(netip.AddrFrom4(b), 1234).String()
}

// ask sends what a client would put on the wire; a server's own parser reads it.
func (v *visitor) ask(q request) reply {
	a := v.app
	site, _ := url.Parse(a.Site) // App.complete has parsed it
	host := site.Host
	if q.host != "" {
		host = q.host
	}
	var raw strings.Builder
	fmt.Fprintf(&raw, "%s %s HTTP/1.1\r\nHost: %s\r\n", q.method, q.target, host)
	body := q.json
	if q.json != "" {
		raw.WriteString("Content-Type: application/json\r\n")
	}
	if q.form {
		body = url.Values{"csrf_token": {v.csrf}, "a": {"b"}}.Encode()
		fmt.Fprintf(&raw, "Content-Type: application/x-www-form-urlencoded\r\nOrigin: %s\r\nSec-Fetch-Site: same-origin\r\n", a.Site)
	}
	for _, name := range slices.Sorted(maps.Keys(q.header)) {
		fmt.Fprintf(&raw, "%s: %s\r\n", name, q.header[name])
	}
	known := slices.Collect(maps.Values(v.cookies))
	for _, name := range slices.Sorted(maps.Keys(v.cookies)) {
		fmt.Fprintf(&raw, "Cookie: %s=%s\r\n", name, v.cookies[name])
	}
	if v.bearer != "" {
		fmt.Fprintf(&raw, "Authorization: Bearer %s\r\n", v.bearer)
	}
	if body != "" {
		fmt.Fprintf(&raw, "Content-Length: %d\r\n", len(body))
	}
	raw.WriteString("\r\n" + body)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw.String())))
	if err != nil { // a server would answer so before any handler
		return reply{status: http.StatusBadRequest, header: http.Header{}}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // a stream ends
	defer cancel()
	r = r.WithContext(ctx)
	r.RemoteAddr = address()
	if site.Scheme == "https" {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	rec := httptest.NewRecorder()
	aborted := serve(a.Handler, rec, r)
	res := rec.Result()
	if aborted != nil {
		res.Header.Set("Aborted", fmt.Sprint(aborted))
	}
	for _, c := range res.Cookies() {
		known = append(known, c.Value)
	}
	v.keep(res.Cookies())
	return a.mask(res.StatusCode, res.Header, rec.Body.Bytes(), known)
}

// keep keeps cookies as a browser does.
func (v *visitor) keep(cookies []*http.Cookie) {
	for _, c := range cookies {
		switch {
		case v.cookies == nil: // somebody who asks once
		case c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Year() < 2000:
			delete(v.cookies, c.Name)
		default:
			v.cookies[c.Name] = c.Value
		}
	}
}

// serve calls the handler; a panic cuts the connection, as it does in a server. A handler that does not return for a while
// after its context has ended would hold the walk up for ever: that ends it.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (aborted any) {
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		h.ServeHTTP(w, r)
	}()
	select {
	case aborted = <-done:
		return aborted
	case <-r.Context().Done():
	}
	select {
	case aborted = <-done:
		return aborted
	case <-time.After(patience):
		panic(stuck(r.Method + " " + r.RequestURI))
	}
}

// stuck is a request that has no answer.
type stuck string

// patience is how long a handler may go on after its context has ended.
var patience = 30 * time.Second
