package middleware

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// Group is a set of handlers that answer one kind of client: browsers (the one in [Web]) or programs (see [Web.API]).
// Each of its middlewares is a plain func(http.Handler) http.Handler and may stand anywhere in any router. All methods are
// safe for concurrent use.
type Group struct {
	*core
	respond responder
	guards  slots          // where its guards look for credentials
	slot    challenge.Slot // where the tokens of its logins live
}

// slots are the places where a request may show who it is.
type slots struct{ header, cookie bool }

// demand is what a guard asks of a login beyond being one. The zero value asks for a finished login.
type demand struct {
	pendingToo bool // a pending login will do
	fresh      bool
	within     time.Duration
	factors    []string
}

// RequireSecondFactor lets finished logins through: both factors were right, or the policy said that the first is enough.
// Whatever else a request shows, a pending login above all, it gets the answer that an anonymous one gets (I-02): a browser
// is sent to the login page, a program gets 401. Every method is guarded, OPTIONS too; a CORS middleware stands outside.
//
// The handler finds who it is with [Authenticated]. Its answers are no-store unless it says otherwise. In production, look
// at the status of a request without a cookie.
func (g *Group) RequireSecondFactor(next http.Handler) http.Handler { return g.guard(demand{}, next) }

// RequirePassword lets a pending login through as well, whose context then carries a [PendingFrom] and no identity. It is for
// an app's own code page and nothing else. A finished login passes too and carries [Authenticated], so that the two chain.
func (g *Group) RequirePassword(next http.Handler) http.Handler {
	return g.guard(demand{pendingToo: true}, next)
}

// RequireFresh lets logins through that have shown a second factor less than within ago, or for accounts that need none, the
// password again. Others are asked to do so: a browser is sent to the step-up page and comes back, a program gets 401
// insufficient_user_authentication with max_age (RFC 9470). A service account and an access token cannot do so: 403. Zero or less lets nobody through.
//
// A post is not made again: the browser comes back to its path with GET, so the page with the form belongs there, behind the same guard.
func (g *Group) RequireFresh(within time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return g.guard(demand{fresh: true, within: within}, next) }
}

// RequireFactor lets logins through that have shown one of these factors; what a trusted device remembers does not count, nor
// what a recovery code has added within a day (I-14). Others are asked for the first of them that they have, like those of
// [Group.RequireFresh], and who has none of them is told where to set one up. Without a factor it lets nobody through; a name
// that is not in Config.Factors is logged as an error.
func (g *Group) RequireFactor(factors ...string) func(http.Handler) http.Handler {
	for _, f := range factors {
		if !g.logins.HasFactor(f) {
			g.logger.Error("middleware: RequireFactor asks for a factor that is not in Config.Factors, which nobody can show", "factor", f)
		}
	}
	d := demand{factors: append([]string{}, factors...)}
	return func(next http.Handler) http.Handler { return g.guard(d, next) }
}

// Sessions lets everybody through, and gives public pages the app's own session data and, if there is one, the login. An
// API's guards read other credentials and must not stand inside it.
func (g *Group) Sessions(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, first := g.arrive(w, r)
		if !first {
			next.ServeHTTP(w, r)
			return
		}
		v.read(slots{cookie: true})
		if err := v.open(); err != nil {
			v.answer(v.outage(err))
			return
		}
		w.Header().Add("Vary", varyOn(slots{cookie: true}))
		v.serve(next, r)
	})
}

func (g *Group) guard(d demand, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, first := g.arrive(w, r)
		if first {
			v.read(g.guards)
		}
		a, ok := g.decide(v, r, d, first)
		if !ok {
			v.answer(a)
			return
		}
		if !first {
			next.ServeHTTP(w, r)
			return
		}
		// Slices of its own: what our answers share must not get into an app's hands.
		h, own := w.Header(), &v.headers
		own[0], own[1] = "no-store", varyOn(g.guards)
		h["Cache-Control"] = own[0:1:1]
		if outer := h["Vary"]; outer == nil {
			h["Vary"] = own[1:2:2]
		} else {
			h["Vary"] = append(outer, own[1])
		}
		v.serve(next, r)
	})
}

// decide is the guard: it says whether a request may pass, and else what to answer. It writes nothing.
func (g *Group) decide(v *visit, r *http.Request, d demand, first bool) (answer, bool) {
	if !first && g.guards.header && v.kind != bearerCredential && v.kind != basicCredential && r.Header["Authorization"] != nil {
		// Somebody outside has read the cookie already; a request has one principal.
		return v.outage(errors.New("middleware: an API's guards must not stand inside Sessions or a browser's guard")), false
	}
	if first {
		if err := g.forgery.checkOrigin(r); err != nil {
			return v.forged(err), false
		}
		if a, ok := g.identify(v, r); !ok {
			return a, false
		}
	}
	pending := false
	if v.login == nil {
		_, pending = v.session.Pending()
		if !pending || !d.pendingToo {
			return v.nobody(), false
		}
	}
	if v.kind == cookieCredential && !v.ownSite { // Sessions outside has let it through unchecked
		if !first {
			if err := g.forgery.checkOrigin(r); err != nil {
				return v.forged(err), false
			}
		}
		if a, ok := g.checkForm(v, r); !ok {
			return a, false
		}
		v.ownSite = true
	}
	switch {
	case pending:
		return answer{}, true
	case d.fresh && (d.within <= 0 || !g.logins.FreshWithin(v.login, d.within)):
		if v.login.Service || v.login.Access {
			return v.turnAway(answer{problem: notAllowed}, "a service account or access token cannot be fresh"), false
		}
		return v.turnAway(answer{problem: freshRequired, maxAge: max(0, d.within), next: g.here(r)}, "not fresh"), false
	case d.factors != nil && !slices.ContainsFunc(v.login.Methods, func(m challenge.Method) bool {
		return slices.Contains(d.factors, m.Name) && v.login.Showed(m)
	}):
		if v.login.Service || v.login.Access {
			return v.turnAway(answer{problem: notAllowed}, "a service account or access token cannot show a factor"), false
		}
		return v.turnAway(answer{problem: factorRequired, factors: d.factors, next: g.here(r)}, "another factor is needed"), false
	}
	return answer{}, true
}

// identify finds out who is there. One principal a request: what the Authorization header shows is the only thing that
// counts where it shows anything, and a wrong one never falls through to a cookie.
func (g *Group) identify(v *visit, r *http.Request) (answer, bool) {
	if v.kind != basicCredential {
		if err := v.open(); err != nil {
			return v.outage(err), false
		}
		return answer{}, true
	}
	v.session = nobody
	// A browser keeps Basic credentials and sends them with any site's form; a form cannot have this type.
	if !isSafe(r) && (hasBody(r) || r.Method == http.MethodPost) && !isContentType(r, "application/json") {
		return answer{problem: wrongType}, false
	}
	code, ok := codeHeader(r)
	if !ok {
		return v.turnAway(answer{problem: badRequest}, "code header cannot be read"), false
	}
	login, err := g.logins.Basic(r.Context(), v.client(), challenge.BasicInput{
		Name: v.basic.name, Password: []byte(v.basic.password), Code: code, Spend: g.payForBasic(r),
	})
	if fast, ok := errors.AsType[*errTooFast](err); ok {
		return v.report(answer{problem: tooMany, wait: fast.wait, limit: g.login}, audit.LimitHit, "login rate"), false
	}
	if err != nil {
		a := g.explain(v, err, elsewhere) // the machine has written why
		if a.problem == refusedLogin {
			a.problem = loginRequired // the same answer for a wrong password, a person's password alone, and nobody
		}
		return a, false
	}
	v.login = login
	return answer{}, true
}

// checkForm demands the CSRF token of an unsafe request whose principal is a cookie. A form is read, up to Config.MaxForm,
// only when the header does not carry the token. An upgrade cannot carry one; its origin was checked.
func (g *Group) checkForm(v *visit, r *http.Request) (answer, bool) {
	if isSafeMethod(r) {
		return answer{}, true
	}
	if r.Header["X-Csrf-Token"] == nil && hasBody(r) {
		r.Body = http.MaxBytesReader(v.w, r.Body, g.maxForm)
		var err error
		switch {
		case isContentType(r, "application/x-www-form-urlencoded"):
			err = r.ParseForm()
		case isContentType(r, "multipart/form-data"):
			err = r.ParseMultipartForm(g.maxForm)
		}
		if _, big := errors.AsType[*http.MaxBytesError](err); big {
			return answer{problem: tooLarge}, false
		}
		if err != nil {
			return answer{problem: badRequest}, false
		}
	}
	form, err := g.forgery.checkToken(v.w, r)
	v.form = form
	if err != nil {
		return v.forged(err), false
	}
	return answer{}, true
}

// nobody is the answer to whoever is not logged in. What was shown, if anything, is in the audit; the answer is the same.
func (v *visit) nobody() answer {
	a := answer{problem: loginRequired, next: v.core.wanted(v.r)}
	if v.kind == noCredential {
		v.core.counts.anonymous.Add(1)
		return a
	}
	reason := "unknown or ended session"
	if _, pending := v.session.Pending(); pending {
		reason = "the second factor is missing"
	} else if v.kind == badCredential {
		reason = "credential cannot be read"
	}
	return v.turnAway(a, reason)
}

// forged is the answer to a request that another site has made. Without a credential nobody was refused.
func (v *visit) forged(err error) answer {
	v.core.hint(v.r, err)
	if v.kind == noCredential {
		v.core.counts.anonymous.Add(1)
		return answer{problem: crossSite}
	}
	return v.report(answer{problem: crossSite}, audit.CrossSite, err.Error())
}

// turnAway refuses a credential, which leaves one event.
func (v *visit) turnAway(a answer, reason string) answer {
	return v.report(a, audit.CredentialRefused, reason)
}

// report writes why a credential was refused. Where it must be recorded and cannot be, the answer is 503.
func (v *visit) report(a answer, name audit.Name, reason string) answer {
	c := v.client()
	e := audit.Event{Name: name, Client: c.Addr, UserAgent: c.UserAgent, RequestID: c.RequestID, Reason: reason}
	if p, ok := v.session.Pending(); ok {
		e.PendingID = p.ID
	}
	if v.login != nil {
		e.User, e.UserID, e.LoginID = v.login.Username, v.login.UserID, v.login.ID
	}
	if err := v.core.logins.RecordRefusal(v.parent, e); err != nil {
		return v.outage(err)
	}
	return a
}

// outage is the answer to a failure of ours: 503, with the reason in the log and one event in the audit only (I-20, I-21).
func (v *visit) outage(err error) answer {
	switch {
	case errors.Is(err, challenge.ErrEnded):
		return answer{problem: loginRequired}
	case errors.Is(err, context.Canceled) && v.parent.Err() != nil: // the client has gone
	default:
		v.core.logger.ErrorContext(v.parent, "middleware: answered 503", "error", err)
		if !v.reported {
			v.reported = true
			v.core.logins.RecordOutage(v.parent, v.client(), v.session, err)
		}
	}
	return answer{problem: unavailable}
}
