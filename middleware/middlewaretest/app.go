// Package middlewaretest proves on an app's own routes that half a login is nobody.
//
// # The walk
//
// [Check] asks every route as somebody who shows nothing and as somebody who has given the password only, by every method
// and under every spelling of the path, and fails where the two are answered differently, or where a route that is not
// public lets somebody in who shows nothing. A forgotten guard, one on GET only, one that compares paths: it finds them
// without knowing what the routes do.
//
//	func TestHalfALoginIsNobody(t *testing.T) {
//		middlewaretest.Check(t, middlewaretest.App{
//			Handler:  newApp(),
//			Site:     "https://acme.example",
//			Username: "alice", Password: "correct-horse-battery",
//			Routes:   []string{"/account", "GET /orders/{id}", "/api/"},
//			Public:   []string{"/{$}"},
//		})
//	}
//
// # Where the routes come from
//
// A list, as above, in the syntax of [http.ServeMux]. An app that registers on a [Mux] need not repeat itself, and
// [Routes.Walk] fits chi's Walk:
//
//	var routes middlewaretest.Routes
//	err := chi.Walk(router, routes.Walk)
//
// # Clients for other tests
//
// [App.Client] is a browser with a cookie jar that talks to the handler without a network; [Login] logs one in through the
// app's own pages, [LoginHalfway] stops before the code, [LoginAPI] gives a bearer token. [FillIn] reads a page's form with
// its CSRF token.
//
// The two names most people need: [Check], [Login].
package middlewaretest

import (
	"net/http"
	"net/url"
	"regexp"

	"github.com/sallyport-go/sallyport/middleware"
)

// TB is what this package needs of a *testing.T. Fatalf must not return.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// App is what is tested.
type App struct {
	// Handler is the whole app, with everything that stands around its router.
	Handler http.Handler
	// Site is challenge.Config.Site, such as https://acme.example.
	Site string
	// Paths are those of middleware.Config.
	Paths middleware.Paths

	// Username and Password belong to an account that needs a second factor.
	Username, Password string
	// Code gives the right code for it. It is called after the password was right, so a code that was sent can be found by
	// then. Only [Login] and [LoginAPI] need it.
	Code func() string

	// Routes are what [Check] walks, in the syntax of http.ServeMux: a method or none, a path, wildcards. All of them must be
	// guarded, except those that Public repeats. The login routes of Paths may be among them, and the trees below Login and
	// API on which Pages and Routes are mounted; they guard themselves.
	Routes []string
	// Public are routes that anybody may use. A half-done login must be nobody there too.
	Public []string
	// CodePages are routes behind RequirePassword: an app's own code page. They are left out.
	CodePages []string
	// Path gives a path for a pattern whose wildcards need particular values. nil, or an empty answer, means 1 for each.
	Path func(pattern string) string

	// VolatileHeaders and VolatileBody are what may differ from answer to answer, besides Date, X-Request-Id and CSRF tokens:
	// a counter, a time.
	VolatileHeaders []string
	VolatileBody    *regexp.Regexp
}

// complete checks what everything here needs and fills in the defaults of Paths.
func (a App) complete(t TB) App {
	t.Helper()
	u, err := url.Parse(a.Site)
	if a.Handler == nil || err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		t.Fatalf("middlewaretest: App needs a Handler and a Site such as https://acme.example")
	}
	p := &a.Paths
	for _, f := range []struct {
		field *string
		value func() string
	}{
		{&p.Login, func() string { return "/login" }},
		{&p.Verify, func() string { return p.Login + "/verify" }},
		{&p.Enrol, func() string { return p.Login + "/enrol" }},
		{&p.Resend, func() string { return p.Login + "/resend" }},
		{&p.Cancel, func() string { return p.Login + "/cancel" }},
		{&p.Fresh, func() string { return p.Login + "/fresh" }},
		{&p.Logout, func() string { return "/logout" }},
		{&p.API, func() string { return "/api" }},
	} {
		if *f.field == "" {
			*f.field = f.value()
		}
	}
	return a
}

// loginRoutes are the paths at which somebody with half a login is meant to be told so.
func (a App) loginRoutes() map[string]bool {
	p := a.Paths
	m := map[string]bool{}
	for _, path := range []string{p.Login, p.Verify, p.Enrol, p.Resend, p.Cancel, p.Logout} {
		m[path] = true
	}
	for _, end := range []string{"/login", "/login/verify", "/login/enrol", "/login/resend", "/login/cancel", "/logout"} {
		m[p.API+end] = true
	}
	return m
}
