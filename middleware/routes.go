package middleware

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// route is one of our own: what it shows, what a post to it does, and what it reads.
type route struct {
	at       place
	show     func(*Group, *visit) answer // GET and HEAD; nil: not allowed
	act      func(*Group, *visit, input) answer
	reads    []string // fields
	needs    []string // of these, what a program must send
	bodiless bool     // a program may post it without a body
	anySlot  bool     // a program may come with any of its sessions, as to a guarded route
	sendOn   bool     // a finished login has nothing to do here
	free     bool     // shows no credential that could be guessed: no limit counts it
	basic    bool     // a program may show HTTP Basic, as to a guarded route
	names    payer    // by what it knows the account, for the limit
}

// payer is by what the route knows the account of a request that shows a credential of this kind.
func (rt route) payer(kind credentialKind) payer {
	if rt.basic && kind == basicCredential {
		return paysBasic
	}
	return rt.names
}

var (
	loginRoute  = route{at: atLogin, show: (*Group).showLogin, act: (*Group).password, reads: []string{"username", "password", "next"}, needs: []string{"username", "password"}, names: paysBody}
	verifyRoute = route{at: atCode, show: (*Group).showCode, act: (*Group).verify, reads: []string{"code", "method", "login", "trust"}, needs: []string{"code"}, sendOn: true, names: paysSession}
	resendRoute = route{at: atCode, act: (*Group).resend, reads: []string{"method", "login"}, bodiless: true, sendOn: true, names: paysSession}
	cancelRoute = route{at: atCode, act: (*Group).cancel, reads: []string{"login"}, bodiless: true, sendOn: true, names: paysSession}
	logoutRoute = route{act: (*Group).logout, bodiless: true, anySlot: true, free: true}
	aloneRoute  = route{at: atLogin, show: (*Group).showAlone, act: (*Group).alone, reads: []string{"code", "method", "next"}, needs: []string{"code"}}
	tokenRoute  = route{act: (*Group).exchange, bodiless: true, basic: true, names: paysSession}
	freshRoute  = route{at: atFresh, show: (*Group).showFresh, act: (*Group).fresh, reads: []string{"code", "method", "password", "login", "next"}, bodiless: true, anySlot: true, names: paysSession}
)

// Pages serves the login, code, enrolment, step-up and logout pages of [Paths], and Config.PasskeyScript. Where a passkey may
// count as both factors (challenge.Config.Passwordless), the login page offers that too. It guards itself: mount it on the
// login path, on everything below it, and on the logout path.
func (w *Web) Pages() http.Handler {
	g, routes := w.Group, w.pageRoutes()
	read := func(r *http.Request, rt route) (fields, error) {
		return readForm(r, append(rt.reads, "csrf_token")...)
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rt, found := routes[r.URL.Path]
		if !found { // mounted behind an http.StripPrefix
			target, _, _ := strings.Cut(r.RequestURI, "?")
			rt, found = routes[target]
		}
		if !found && g.servesScript(r) {
			g.sendScript(rw, r)
			return
		}
		g.serveRoute(rw, r, rt, found, read)
	})
}

// pageRoutes are the pages by path.
func (w *core) pageRoutes() map[string]route {
	p := &w.paths
	routes := map[string]route{
		p.Login: loginRoute, p.Verify: verifyRoute, p.Enrol: verifyRoute, p.Resend: resendRoute, p.Cancel: cancelRoute,
		p.Fresh: freshRoute, p.Logout: logoutRoute,
	}
	fresh := freshRoute
	fresh.reads = append(slices.Clone(fresh.reads), "factor") // what a guard has written into the page's address
	routes[p.Fresh] = fresh
	if w.logins.PasswordlessMethod() != "" {
		routes[w.alonePath] = aloneRoute
	}
	return routes
}

// API is a group for programs. It is made by [Web.API].
type API struct{ *Group }

// APIOption changes what [Web.API] makes.
type APIOption uint8

// Cookies makes a group for single-page apps: its login sets the session cookie and has no token in the body, and a GET of
// its login route gives the CSRF token, which every post carries in X-CSRF-Token. Its routes take no Authorization header,
// but for the logout and the step-up.
const Cookies APIOption = 1

// API makes a group whose guards and routes answer in JSON. Its guards take a bearer token, HTTP Basic, or the session cookie
// (with the CSRF token where the method is unsafe). Its logins are bearer tokens, unless [Cookies] is given.
func (w *Web) API(options ...APIOption) *API {
	g := &Group{core: w.core, respond: w.programs.respond, guards: slots{header: true, cookie: true}, slot: challenge.Bearer}
	if slices.Contains(options, Cookies) {
		g.slot = challenge.Cookie
	}
	return &API{g}
}

// Routes serves the JSON routes: login, login/verify, login/resend, login/cancel, login/fresh and logout, below [Paths].API.
// Where a passkey may count as both factors (challenge.Config.Passwordless), a GET of login/passkey poses a challenge and a
// post answers it. With challenge.Config.AccessTokens, login/token gives access tokens. docs/openapi.json describes them all.
func (a *API) Routes() http.Handler {
	routes := a.routes()
	read := func(r *http.Request, rt route) (fields, error) {
		if rt.bodiless && !hasBody(r) { // whatever type nothing is said to have
			return nil, nil
		}
		object, err := readJSON(r, rt.reads...)
		if err != nil {
			return nil, err
		}
		for _, name := range rt.needs {
			if _, there := object[name]; !there {
				return nil, errBody
			}
		}
		return object, nil
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rt, found := routes[r.URL.Path]
		if !found {
			target, _, _ := strings.Cut(r.RequestURI, "?")
			rt, found = routes[target]
		}
		a.serveRoute(rw, r, rt, found, read)
	})
}

// routes are the JSON routes by path.
func (a *API) routes() map[string]route {
	routes := a.apiRoutes()
	if a.slot == challenge.Bearer { // a program has no page to look at, and needs no form token
		for path, rt := range routes {
			if path != a.paths.API+"/login/passkey" { // which poses a challenge
				rt.show = nil
			}
			routes[path] = rt
		}
	}
	return routes
}

// apiRoutes are the JSON routes of all groups.
func (w *core) apiRoutes() map[string]route {
	p := w.paths.API
	routes := map[string]route{
		p + "/login": loginRoute, p + "/login/verify": verifyRoute, p + "/login/enrol": verifyRoute, p + "/login/resend": resendRoute,
		p + "/login/cancel": cancelRoute, p + "/login/fresh": freshRoute, p + "/logout": logoutRoute,
	}
	if w.logins.Durations().Access > 0 {
		routes[p+"/login/token"] = tokenRoute
	}
	if w.logins.PasswordlessMethod() != "" {
		routes[p+"/login/passkey"] = aloneRoute
	}
	return routes
}

// serveRoute is what all our routes have in common, in the order that keeps the cheap checks in front: method, body limit,
// origin, session, form token, limit, step.
func (g *Group) serveRoute(w http.ResponseWriter, r *http.Request, rt route, found bool, read func(*http.Request, route) (fields, error)) {
	v, first := g.arrive(w, r)
	a := g.handle(v, r, rt, found, first, read)
	if a.form == nil {
		a.form = v.form
	}
	v.answer(a)
}

func (g *Group) handle(v *visit, r *http.Request, rt route, found, first bool, read func(*http.Request, route) (fields, error)) answer {
	if !found {
		return answer{problem: notFound}
	}
	post := r.Method == http.MethodPost
	switch {
	case post && rt.act != nil:
	case (r.Method == http.MethodGet || r.Method == http.MethodHead) && rt.show != nil:
	case rt.show == nil:
		return answer{problem: methodNotAllowed, allow: "POST"}
	default:
		return answer{problem: methodNotAllowed, allow: "GET, HEAD, POST"}
	}
	in := input{}
	if post {
		var err error
		if in.fields, err = read(r, rt); err != nil {
			return answer{problem: bodyProblem(err)}
		}
		var ok bool
		if in.code, ok = codeHeader(r); !ok {
			return answer{problem: badRequest}
		}
		if err := g.forgery.checkOrigin(r); err != nil {
			g.hint(r, err)
			return v.report(answer{problem: crossSite}, audit.CrossSite, err.Error())
		}
	}
	if first {
		slots := slots{header: g.guards.header, cookie: g.slot == challenge.Cookie}
		if rt.anySlot {
			slots = g.guards
		}
		v.read(slots)
		if !g.takes(v.kind, rt) {
			return v.turnAway(answer{problem: loginRequired, at: rt.at}, "not a credential for this route")
		}
		if v.kind == basicCredential && !isContentType(r, "application/json") { // see identify
			return answer{problem: wrongType}
		}
		if err := v.open(); err != nil {
			return v.outage(err)
		}
	}
	if !post {
		if g.slot == challenge.Cookie {
			v.handOut()
		}
		return rt.show(g, v)
	}
	if rt.sendOn && v.login != nil && v.kind == cookieCredential {
		// A second click after the first has logged in. Its form token died with the pending login, and it changes nothing.
		return answer{kind: sentOn, session: v.session}
	}
	if g.slot == challenge.Cookie || v.kind == cookieCredential {
		form, err := g.forgery.checkToken(v.w, r)
		v.form = form
		if err != nil {
			return v.report(answer{problem: crossSite}, audit.CrossSite, err.Error())
		}
	}
	if !rt.free {
		if a, ok := g.spendPost(v, r, rt); !ok {
			a.at = rt.at
			return a
		}
	}
	if !v.commit() { // what the app has put into the session, before the machine takes the session over
		return answer{problem: unavailable} // which is answered already
	}
	return rt.act(g, v, in)
}

// takes reports whether a credential means anything at one of our routes. What is shown in vain is refused rather than
// overlooked: a request has one principal.
func (g *Group) takes(kind credentialKind, rt route) bool {
	switch kind {
	case badCredential:
		return false
	case basicCredential:
		return rt.basic && g.slot == challenge.Bearer
	case bearerCredential:
		return rt.anySlot || g.slot == challenge.Bearer
	}
	return true
}

func bodyProblem(err error) problem {
	switch {
	case errors.Is(err, errTooLarge):
		return tooLarge
	case errors.Is(err, errContentType):
		return wrongType
	}
	return badRequest
}
