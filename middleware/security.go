package middleware

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/texts"
)

// maxNameLength is what a person may call an authenticator at most, in bytes; the machine refuses more. Here it only chooses
// the field that a message stands at.
const maxNameLength = 64

// securityRoute is one of the routes where people look after their own account.
type securityRoute struct {
	path     string
	page     func(*Group, *visit, securityRoute, answer) answer // what it shows, and comes back to with a message
	hidden   bool                                               // page is only for messages: there is no GET
	act      func(*Group, *visit, securityRoute, fields) answer
	reads    []string // fields
	method   string   // the kind of factor, where it is about one
	changes  bool     // it leads to a change of factors, which takes a recent password and second factor
	removing bool     // and the second factor must be no recovery code, nor what one has just added (I-14)
	weakly   bool     // unless the one that it is about was added so itself
}

// securityPages are the parts of the path of each kind of factor. One of an app's own is found under its name.
var securityPages = map[string]string{"totp": "/totp", "passkey": "/passkeys", "email": "/email", "sms": "/phone"}

// newSecurity makes the routes below Paths.Security.
func newSecurity(base string, enrollable []string) map[string]securityRoute {
	routes := map[string]securityRoute{}
	add := func(path string, rt securityRoute) {
		if rt.path = base + path; routes[rt.path].page == nil {
			routes[rt.path] = rt
		}
	}
	overview, factors, sessions, devices := (*Group).securityOverview, (*Group).factorsPage, (*Group).sessionsPage, (*Group).devicesPage
	add("", securityRoute{page: overview})
	add("/enrol", securityRoute{page: (*Group).enrolPage, act: (*Group).confirmEnrolment, reads: []string{"code", "method"}, changes: true})
	add("/enrol/resend", securityRoute{page: (*Group).enrolPage, hidden: true, act: (*Group).resendEnrolment})
	add("/enrol/cancel", securityRoute{page: overview, hidden: true, act: (*Group).cancelEnrolment})
	add("/rename", securityRoute{page: (*Group).renamePage, act: (*Group).renameFactor, reads: []string{"id", "name"}, changes: true, removing: true})
	add("/remove", securityRoute{page: (*Group).removePage, act: (*Group).removeFactor, reads: []string{"id"}, changes: true, removing: true, weakly: true})
	add("/recovery-codes", securityRoute{page: (*Group).recoveryPage, act: (*Group).renewRecoveryCodes, changes: true, removing: true})
	add("/devices", securityRoute{page: devices})
	add("/prefer", securityRoute{page: overview, act: (*Group).prefer, reads: []string{"method"}, changes: true, removing: true}) // GET: back from the step-up page
	add("/devices/distrust", securityRoute{page: devices, hidden: true, act: (*Group).distrust, reads: []string{"id"}})
	add("/devices/forget", securityRoute{page: devices, act: (*Group).forgetDevice, reads: []string{"id"}, changes: true, removing: true})
	add("/sessions", securityRoute{page: sessions})
	add("/sessions/end", securityRoute{page: sessions, act: (*Group).endSession, reads: []string{"id"}, changes: true, removing: true})
	add("/sessions/end-others", securityRoute{page: sessions, act: (*Group).endOtherSessions, changes: true, removing: true})
	add("/sessions/end-all", securityRoute{page: sessions, hidden: true, act: (*Group).endAllSessions})
	for method, path := range securityPages { // also of a kind that the site does not have, to say so
		add(path, securityRoute{page: factors, act: (*Group).beginEnrolment, reads: []string{"name", "destination"}, method: method, changes: true})
	}
	for _, method := range enrollable {
		if securityPages[method] == "" {
			add("/"+method, securityRoute{page: factors, act: (*Group).beginEnrolment, reads: []string{"name", "destination"}, method: method, changes: true})
		}
	}
	return routes
}

// Security serves the pages where people look after their own account: second factors, recovery codes, known devices and
// logins, below Paths.Security. It guards itself: mount it on that path and on everything below it.
//
// Whoever is not logged in gets the answer of [Group.RequireSecondFactor], a pending login included (I-02). A change of
// factors asks for the password and a second factor of the last five minutes (see [challenge.Logins.ChangeNeeds]): a browser
// is sent to the step-up page, which asks for what is missing and leads back to the page; a post is not made again. Every
// code that is entered here is spent from the account's one budget (I-08).
//
// A service account has nothing here, as it has no browser session.
func (w *Web) Security() http.Handler {
	g := w.Group
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rt, found := g.security[r.URL.Path]
		if !found { // mounted behind an http.StripPrefix
			target, _, _ := strings.Cut(r.RequestURI, "?")
			rt, found = g.security[target]
		}
		v, first := g.arrive(rw, r)
		a := g.secure(v, r, rt, found, first)
		if a.form == nil {
			a.form = v.form
		}
		v.answer(a)
	})
}

// secure is the guard and the route. Nothing of the route is looked at before the guard has let the request through.
func (g *Group) secure(v *visit, r *http.Request, rt securityRoute, found, first bool) answer {
	post := r.Method == http.MethodPost
	var in fields
	var unread error
	if post { // before the guard, which looks for the form token in it
		if names := append(rt.reads, "csrf_token"); !first && r.PostForm != nil { // read by a guard outside
			in, unread = formOnce(r.PostForm, names)
		} else {
			in, unread = readForm(r, names...)
		}
	}
	if first {
		v.read(g.guards)
	}
	a, ok := g.decide(v, r, demand{}, first)
	if !ok && (unread == nil || v.login == nil || a.problem == crossSite) {
		return a
	}
	switch {
	case !found:
		return answer{problem: notFound}
	case post && rt.act != nil:
	case (r.Method == http.MethodGet || r.Method == http.MethodHead) && !rt.hidden:
		v.handOut()
		return rt.page(g, v, rt, answer{kind: show})
	case rt.hidden:
		return answer{problem: methodNotAllowed, allow: "POST"}
	case rt.act == nil:
		return answer{problem: methodNotAllowed, allow: "GET, HEAD"}
	default:
		return answer{problem: methodNotAllowed, allow: "GET, HEAD, POST"}
	}
	if unread != nil { // nothing of it was used
		a := answer{problem: badRequest, typed: typedIn(rt, r.PostForm)}
		if errors.Is(unread, errTooLarge) {
			a.text = texts.ErrorTooLarge
		}
		v.handOut()
		return rt.page(g, v, rt, a)
	}
	if !v.commit() {
		return answer{problem: unavailable}
	}
	return rt.act(g, v, rt, in)
}

// formOnce takes the fields of a form that was parsed already: each at most once (I-24).
func formOnce(form url.Values, names []string) (fields, error) {
	out := fields{}
	for _, name := range names {
		switch values := form[name]; len(values) {
		case 0:
		case 1:
			out[name] = values[0]
		default:
			return nil, errBody
		}
	}
	return out, nil
}

// changed is the answer to a change: on to next under the login's new token, to the step-up page, or the page again.
func (g *Group) changed(v *visit, rt securityRoute, out challenge.Outcome, err error, next string) answer {
	if err == nil {
		out.Next = next
		return answer{kind: entered, outcome: out}
	}
	return g.refuseChange(v, rt, err)
}

// refuseChange shows the page again. What takes a more recent login comes back to it by a GET.
func (g *Group) refuseChange(v *visit, rt securityRoute, err error) answer {
	a := g.explain(v, err, atSecurity)
	switch a.problem {
	case freshRequired:
		a.next = rt.path
		return a
	case loginRequired, unavailable:
		return a
	case methodUnavailable:
		a.text = texts.ErrorGone
	}
	return rt.page(g, v, rt, a)
}

// again is the page with a message about what was sent, which was not used.
func (g *Group) again(v *visit, rt securityRoute, text texts.Key) answer {
	return rt.page(g, v, rt, answer{problem: badRequest, text: text})
}

// beginEnrolment makes a new authenticator, which counts for nothing yet.
func (g *Group) beginEnrolment(v *visit, rt securityRoute, in fields) answer {
	name, to := in["name"], in["destination"]
	if strings.TrimSpace(name) == "" { // so that the person can tell where it goes
		switch rt.method {
		case "email":
			name = mask(challenge.ChannelEmail, to)
		case "sms":
			name = mask(challenge.ChannelSMS, to)
		}
	}
	_, err := g.logins.BeginEnrolment(v.parent, v.client(), v.session, challenge.EnrolInput{Method: rt.method, Name: name, Destination: to})
	if err == nil {
		return answer{kind: sentOn, next: g.paths.Security + "/enrol"}
	}
	typed := &typedFactor{name: in["name"], destination: to}
	a := g.explain(v, err, atSecurity)
	switch a.problem {
	case malformedCode:
		a.problem, a.text, typed.field = badRequest, texts.ErrorName, "name-new"
		if !badName(name) && rt.method == "email" {
			a.text, typed.field = texts.ErrorAddress, "destination"
		} else if !badName(name) && rt.method == "sms" {
			a.text, typed.field = texts.ErrorPhone, "destination"
		}
	case notAllowed:
		a.text = g.whyNot(v, false, texts.ErrorTooMany)
	case sendFailed:
		a.text = texts.ErrorSendFailedAlone
	case badRequest:
		typed.field = "destination"
	case methodUnavailable:
	case freshRequired:
		v.keep(rt.path, *typed)
		return g.refuseChange(v, rt, err)
	default:
		return g.refuseChange(v, rt, err)
	}
	a.typed = typed
	return rt.page(g, v, rt, a)
}

// mask names a destination, or nothing when that does not fit.
func mask(channel, to string) string {
	if m := challenge.Mask(channel, strings.TrimSpace(to)); !badName(m) {
		return m
	}
	return ""
}

func badName(s string) bool {
	return len(strings.TrimSpace(s)) > maxNameLength || strings.ContainsFunc(s, unicode.IsControl)
}

// confirmEnrolment compares the first answer of the new authenticator.
func (g *Group) confirmEnrolment(v *visit, rt securityRoute, in fields) answer {
	out, err := g.logins.ConfirmEnrolment(v.parent, v.client(), v.session, in["code"])
	if err != nil {
		a := g.explain(v, err, atSecurity)
		switch a.problem {
		case freshRequired, loginRequired, unavailable:
			return g.refuseChange(v, rt, err)
		}
		return rt.page(g, v, rt, a)
	}
	return g.changed(v, rt, out, nil, g.paths.Security)
}

// resendEnrolment sends the code again that confirms what is being enrolled.
func (g *Group) resendEnrolment(v *visit, _ securityRoute, _ fields) answer {
	rt := g.security[g.paths.Security+"/enrol"]
	err := g.logins.ResendEnrolment(v.parent, v.client(), v.session)
	if err == nil {
		return answer{kind: sentOn, next: rt.path}
	}
	return g.refuseChange(v, rt, err)
}

func (g *Group) cancelEnrolment(v *visit, rt securityRoute, _ fields) answer {
	if err := g.logins.CancelEnrolment(v.parent, v.session); err != nil {
		return g.refuseChange(v, rt, err)
	}
	return answer{kind: sentOn, next: g.paths.Security}
}

func (g *Group) renameFactor(v *visit, rt securityRoute, in fields) answer {
	id := in["id"]
	name, given := in["name"]
	if !given {
		return rt.page(g, v, rt, answer{problem: badRequest, typed: &typedFactor{id: id, field: "name-" + id}})
	}
	err := g.logins.RenameFactor(v.parent, v.client(), v.session, id, name)
	if errors.Is(err, challenge.ErrNotFresh) {
		v.keep(rt.path, typedFactor{id: id, name: name})
		return answer{problem: freshRequired, next: rt.path + query("id", id)}
	}
	if err != nil && !errors.Is(err, challenge.ErrMethod) {
		// The page that it stands on, to show it there.
		factor, ok, failed := g.factorOf(v, id)
		if failed != nil {
			return g.explain(v, failed, atSecurity)
		}
		if !ok {
			return g.again(v, rt, texts.ErrorGone)
		}
		if rt = g.factorRoute(factor.Factor); errors.Is(err, challenge.ErrMalformed) {
			return rt.page(g, v, rt, answer{problem: badRequest, text: texts.ErrorName, typed: &typedFactor{id: id, name: name, field: "name-" + id}})
		}
	}
	if err != nil {
		return g.refuseChange(v, rt, err)
	}
	factor, ok, err := g.factorOf(v, id)
	if err != nil {
		return g.explain(v, err, atSecurity)
	}
	if !ok {
		return answer{kind: sentOn, next: g.paths.Security}
	}
	return answer{kind: sentOn, next: g.factorRoute(factor.Factor).path}
}

// factorOf finds one of the account's own authenticators.
func (g *Group) factorOf(v *visit, id string) (challenge.EnrolledFactor, bool, error) {
	s, err := g.logins.Security(v.parent, v.client(), v.login.UserID)
	if err != nil {
		return challenge.EnrolledFactor{}, false, err
	}
	for _, f := range s.Factors {
		if f.ID == id && id != "" {
			return f, true, nil
		}
	}
	return challenge.EnrolledFactor{}, false, nil
}

// takesAway reports whether a route takes what removing takes, for the authenticator with this id.
func (g *Group) takesAway(v *visit, rt securityRoute, id string) (bool, error) {
	if !rt.removing || !rt.weakly {
		return rt.removing, nil
	}
	f, ok, err := g.factorOf(v, id)
	return !ok || f.Weak.IsZero(), err
}

// factorRoute is where authenticators of a kind stand; the overview, for a kind that the site no longer has.
func (g *Group) factorRoute(method string) securityRoute {
	path, known := securityPages[method]
	if !known {
		path = "/" + method
	}
	if rt := g.security[g.paths.Security+path]; rt.method == method {
		return rt
	}
	return g.security[g.paths.Security]
}

func (g *Group) removeFactor(v *visit, rt securityRoute, in fields) answer {
	id := in["id"]
	factor, ok, err := g.factorOf(v, id)
	if err != nil {
		return g.explain(v, err, atSecurity)
	}
	if !ok || factor.Factor == "recovery" { // those are renewed, not removed
		return g.again(v, g.security[g.paths.Security], texts.ErrorGone)
	}
	out, err := g.logins.RemoveFactor(v.parent, v.client(), v.session, id)
	switch {
	case errors.Is(err, challenge.ErrNotFresh):
		return answer{problem: freshRequired, next: rt.path + query("id", id)}
	case errors.Is(err, challenge.ErrMethod): // removed by another request
		return g.again(v, g.security[g.paths.Security], texts.ErrorGone)
	case errors.Is(err, challenge.ErrNotAllowed):
		return rt.page(g, v, rt, answer{problem: notAllowed, text: g.whyNot(v, true, texts.ErrorLastFactor), typed: &typedFactor{id: id}})
	case err != nil:
		a := g.explain(v, err, atSecurity)
		a.typed = &typedFactor{id: id}
		return rt.page(g, v, rt, a)
	}
	return g.changed(v, rt, out, nil, g.factorRoute(factor.Factor).path)
}

// whyNot is the text of a change that is not allowed: its own, unless this login may make none at all.
func (g *Group) whyNot(v *visit, removing bool, text texts.Key) texts.Key {
	if _, err := g.logins.ChangeNeeds(v.parent, v.client(), v.session, removing); errors.Is(err, challenge.ErrNotAllowed) {
		return texts.ErrorNotAllowed
	}
	return text
}

func (g *Group) renewRecoveryCodes(v *visit, rt securityRoute, _ fields) answer {
	out, err := g.logins.RenewRecoveryCodes(v.parent, v.client(), v.session)
	if errors.Is(err, challenge.ErrNotAllowed) {
		return rt.page(g, v, rt, answer{problem: notAllowed, text: g.whyNot(v, true, texts.SecurityRecoveryNone)})
	}
	return g.changed(v, rt, out, err, rt.path)
}

// forgetDevice makes a known device, or all of them, strangers again (I-11).
func (g *Group) forgetDevice(v *visit, rt securityRoute, in fields) answer {
	id := in["id"]
	switch id {
	case "":
		return rt.page(g, v, rt, answer{problem: badRequest})
	case "all":
		id = ""
	}
	return g.done(v, rt, g.logins.ForgetDevice(v.parent, v.client(), v.session, id), "/devices")
}

// prefer chooses what the next login asks for first.
func (g *Group) prefer(v *visit, rt securityRoute, in fields) answer {
	if in["method"] == "" {
		return rt.page(g, v, rt, answer{problem: badRequest})
	}
	return g.done(v, rt, g.logins.Prefer(v.parent, v.client(), v.session, in["method"]), "")
}

// distrust takes the trust of a device away, or of all.
func (g *Group) distrust(v *visit, rt securityRoute, in fields) answer {
	id := in["id"]
	if id == "" {
		return rt.page(g, v, rt, answer{problem: badRequest})
	}
	if id == "all" {
		id = ""
	}
	return g.done(v, rt, g.logins.Distrust(v.parent, v.client(), v.session, id), "/devices")
}

func (g *Group) endSession(v *visit, rt securityRoute, in fields) answer {
	err := g.logins.EndLogin(v.parent, v.client(), v.session, in["id"])
	if err == nil && strings.EqualFold(in["id"], v.login.ID) {
		return answer{kind: loggedOut}
	}
	return g.done(v, rt, err, "/sessions")
}

// done answers after something that keeps the login as it is.
func (g *Group) done(v *visit, rt securityRoute, err error, path string) answer {
	switch {
	case errors.Is(err, challenge.ErrMalformed):
		return g.again(v, rt, texts.ErrorGone)
	case err != nil:
		return g.refuseChange(v, rt, err)
	}
	return answer{kind: sentOn, next: g.paths.Security + path}
}

func (g *Group) endOtherSessions(v *visit, rt securityRoute, _ fields) answer {
	out, err := g.logins.EndOthers(v.parent, v.client(), v.session)
	return g.changed(v, rt, out, err, g.paths.Security+"/sessions")
}

// endAllSessions logs out everywhere, here too (I-16).
func (g *Group) endAllSessions(v *visit, rt securityRoute, _ fields) answer {
	if err := g.logins.LogoutEverywhere(v.parent, v.client(), v.login.UserID); err != nil {
		return g.refuseChange(v, rt, err)
	}
	return answer{kind: loggedOut, next: g.paths.Login}
}
