package middleware

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/texts"
)

// input is what a person or a program has sent to a login route.
type input struct {
	fields
	code *string // of the X-MFA-Code header
}

// The steps are the one place where a login route decides, whoever asks. None of them writes; each ends in an answer.

// password is the first step. A right one ends whatever the session was.
func (g *Group) password(v *visit, in input) answer {
	out, err := g.logins.Password(v.parent, v.client(), v.session, challenge.PasswordInput{
		Slot: g.slot, Name: in.fields["username"], Password: []byte(in.fields["password"]), Next: g.follow(in.fields["next"]), Code: in.code,
	})
	a := g.after(v, out, err, atLogin)
	a.name = in.fields["username"]
	if a.next == "" {
		a.next = g.follow(in.fields["next"])
	}
	return a
}

// verify is the second step, whatever the pending login waits for.
func (g *Group) verify(v *visit, in input) answer {
	out, err := g.logins.Verify(v.parent, v.client(), v.session, codeInput(in))
	if err != nil && !errors.Is(err, challenge.ErrUnavailable) && v.session.Exists() {
		v.session = g.reread(v) // a refused answer may have ended the login, or another request has
	}
	return g.after(v, out, err, atCode)
}

func codeInput(in input) challenge.CodeInput {
	return challenge.CodeInput{LoginID: in.fields["login"], Method: in.fields["method"], Code: in.fields["code"], Trust: in.fields["trust"] == "1"}
}

// resend sends a code again, or chooses another method.
func (g *Group) resend(v *visit, in input) answer {
	out, err := g.logins.Resend(v.parent, v.client(), v.session, in.fields["login"], in.fields["method"])
	return g.after(v, out, err, atCode)
}

// cancel gives a pending login up. A program's finished login is none, and stays: a logout ends it.
func (g *Group) cancel(v *visit, in input) answer {
	if v.login != nil {
		return v.turnAway(answer{problem: notAllowed, at: atCode}, "a finished login cannot be cancelled")
	}
	switch err := g.logins.Cancel(v.parent, v.client(), v.session, in.fields["login"]); {
	case errors.Is(err, challenge.ErrNoPending):
		return answer{kind: cancelled} // which is what was wanted
	case err != nil:
		return g.explain(v, err, atCode)
	}
	return answer{kind: cancelled}
}

func (g *Group) logout(v *visit, _ input) answer {
	if err := g.logins.Logout(v.parent, v.client(), v.session); err != nil && !errors.Is(err, challenge.ErrEnded) {
		return v.outage(err)
	}
	return answer{kind: loggedOut}
}

// exchange makes an access token from the login that is there, or from a service account's password.
func (g *Group) exchange(v *visit, in input) answer {
	if v.basic == nil && v.login == nil {
		return v.nobody()
	}
	var out challenge.Outcome
	var err error
	if v.basic != nil {
		out, err = g.logins.ExchangeBasic(v.parent, v.client(), challenge.BasicInput{Name: v.basic.name, Password: []byte(v.basic.password), Code: in.code})
	} else {
		out, err = g.logins.Exchange(v.parent, v.client(), v.session)
	}
	if err != nil {
		a := g.explain(v, err, elsewhere)
		if a.problem == refusedLogin {
			a.problem = loginRequired // as at a guarded route
		}
		return a
	}
	return answer{kind: entered, outcome: out}
}

// fresh asks a login for a code again, or compares it. A method without an answer asks for it.
func (g *Group) fresh(v *visit, in input) answer {
	if v.login == nil {
		a := v.nobody()
		a.at = atFresh
		a.next = g.follow(in.fields["next"])
		return a
	}
	goal, refused, ok := g.goalOf(v, in.fields["next"])
	if !ok {
		return refused
	}
	goal.demand(in.fields["factor"])
	code, method := in.fields["code"], in.fields["method"]
	password, given := in.fields["password"]
	if given = given && code == ""; given {
		code, method = password, methodPassword
	}
	if code == "" || goal.strong && method == methodRecovery || method != "" && !goal.takes(method) {
		return g.askFresh(v, method, goal)
	}
	var out challenge.Outcome
	var err error
	if given && goal.change {
		out, err = g.logins.ConfirmPassword(v.parent, v.client(), v.session, in.fields["login"], []byte(password))
	} else {
		out, err = g.logins.StepUp(v.parent, v.client(), v.session, challenge.CodeInput{LoginID: in.fields["login"], Method: method, Code: code, Strong: goal.strong})
	}
	if err != nil {
		return g.withStepUp(v, g.explain(v, err, atFresh), challenge.StepUpPrompt{}, goal)
	}
	if goal.change { // there may be more to show
		needs, err := g.logins.ChangeNeeds(v.parent, v.client(), out.Session, goal.removing)
		if err == nil && len(needs) > 0 {
			return answer{kind: asked, at: atFresh, outcome: out, next: goal.next}
		}
	}
	out.Next = goal.next
	return answer{kind: entered, outcome: out, at: atFresh}
}

// goal is what a step-up leads to. What it takes is known of the route, and not told by the request: somebody who writes
// another next into the address is asked for what that one takes, and refused at the route all the same.
type goal struct {
	next     string
	change   bool // a change of factors, which takes more than a fresh login does
	removing bool
	needs    []string // what it still takes; see challenge.Logins.ChangeNeeds
	password bool     // the first of them is the password
	strong   bool     // a recovery code is not enough, nor what one has just added
	factors  []string // kinds of factor that a route demands; see Group.RequireFactor
}

// demand adds the kinds of factor that a route takes one of. What a recovery code has added is none of them.
func (to *goal) demand(factors string) {
	if to.factors = strings.Fields(factors); len(to.factors) > 0 {
		to.strong = true
	}
}

// takes reports whether a method leads to the goal.
func (to *goal) takes(method string) bool {
	return len(to.factors) == 0 || slices.Contains(to.factors, method)
}

// among are those methods that lead to the goal.
func (to *goal) among(methods []string) []string {
	return slices.DeleteFunc(slices.Clone(methods), func(m string) bool { return !to.takes(m) })
}

// goalOf finds out where a step-up leads. ok is false when the answer is one already.
func (g *Group) goalOf(v *visit, next string) (to goal, refused answer, ok bool) {
	to.next = g.follow(next)
	path, args, _ := strings.Cut(to.next, "?")
	rt := g.security[path]
	if !rt.changes {
		return to, answer{}, true
	}
	to.change = true
	q, _ := url.ParseQuery(args)
	var err error
	if to.removing, err = g.takesAway(v, rt, q.Get("id")); err != nil {
		return to, g.explain(v, err, elsewhere), false
	}
	if to.needs, err = g.logins.ChangeNeeds(v.parent, v.client(), v.session, to.removing); err != nil {
		return to, g.explain(v, err, elsewhere), false
	}
	to.password = slices.Contains(to.needs, challenge.NeedsFirst)
	to.strong = slices.Contains(to.needs, challenge.NeedsStrong)
	return to, answer{}, true
}

// askFresh asks for a code by method, or by the preferred one when that is empty. Before a change of factors it asks for
// the password first.
func (g *Group) askFresh(v *visit, method string, to goal) answer {
	a := answer{kind: asked, at: atFresh, session: v.session, next: to.next, change: to.change, strong: to.strong && !to.password, demands: to.factors}
	switch {
	case to.change && len(to.needs) == 0:
		a.kind = sentOn
		return a
	case to.password:
		switch can, err := g.logins.CanAskPassword(v.parent, v.login); {
		case err != nil:
			return g.explain(v, err, elsewhere)
		case !can: // came in another way, which only a login can repeat
			return answer{problem: notAllowed, text: texts.ErrorLoginAgain}
		}
		a.stepUp = &askPassword
		return a
	}
	if a.strong && method == methodRecovery { // the page of a step-up to something else offered it
		method = ""
	}
	if !to.takes(method) {
		var missing answer
		if method, missing = g.demanded(v, to.factors); method == "" {
			return missing
		}
	}
	var asks challenge.StepUpPrompt
	var err error
	brought := broughtHere(v.r)
	if brought || v.r.Method == http.MethodGet && method != "" {
		// Another site can bring a browser here as often as it likes. That sends nothing: there is a button for it.
		asks, err = g.logins.StepUpMethods(v.parent, v.client(), v.session, a.strong)
	}
	// Nor does showing the page again, while the code that it asks for is good.
	if p := asks.Prompt; !brought && (err != nil || p.SentAt.IsZero() || p.Method != method && p.FellBack != method) {
		asks, err = g.logins.BeginStepUp(v.parent, v.client(), v.session, method, a.strong)
	}
	if err != nil {
		return g.withStepUp(v, g.explain(v, err, atFresh), asks, to)
	}
	asks.Methods = to.among(asks.Methods)
	if !to.takes(asks.Prompt.Method) {
		asks.Prompt = challenge.Prompt{Method: method}
	}
	a.stepUp = &asks
	return a
}

// demanded is the factor that a login can show of those that a route demands, or why there is none.
func (g *Group) demanded(v *visit, factors []string) (method string, why answer) {
	has := func(p challenge.StepUpPrompt) string {
		for _, f := range factors {
			if slices.Contains(p.Methods, f) {
				return f
			}
		}
		return ""
	}
	strong, err := g.logins.StepUpMethods(v.parent, v.client(), v.session, true)
	if err == nil && has(strong) != "" {
		return has(strong), answer{}
	}
	all, failed := g.logins.StepUpMethods(v.parent, v.client(), v.session, false)
	switch {
	case failed != nil:
		return "", g.explain(v, failed, elsewhere)
	case err != nil && !errors.Is(err, challenge.ErrNotAllowed):
		return "", g.explain(v, err, elsewhere)
	case has(all) != "" && !strong.Weak.IsZero():
		return "", answer{problem: notAllowed, text: texts.ErrorWeak, wait: strong.Weak.Sub(g.logins.Now())}
	}
	for _, f := range factors {
		if slices.Contains(g.logins.Enrollable(), f) {
			return "", answer{problem: notAllowed, text: texts.ErrorFactorFirst, factors: []string{f}}
		}
	}
	return "", answer{problem: notAllowed}
}

// broughtHere reports whether a page of another site made the browser come here, or nobody will see what comes of it.
func broughtHere(r *http.Request) bool {
	if r.Method == http.MethodHead {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return r.Method != http.MethodPost
	}
	return false
}

// askPassword is the step-up page with nothing but the password. It is never changed.
var askPassword = challenge.StepUpPrompt{Methods: []string{methodPassword}, Prompt: challenge.Prompt{Method: methodPassword}}

// withStepUp adds what the step-up page needs to say why it refused. asks is what was asked for, if that is known.
func (g *Group) withStepUp(v *visit, a answer, asks challenge.StepUpPrompt, to goal) answer {
	a.session, a.next, a.change, a.strong, a.demands = v.session, to.next, to.change, to.strong && !to.password, to.factors
	if to.password && staysOnPage(a.problem) {
		asks = askPassword
	}
	if len(asks.Methods) == 0 && staysOnPage(a.problem) {
		var err error
		if asks, err = g.logins.StepUpMethods(v.parent, v.client(), v.session, a.strong); err != nil {
			return g.withStepUp(v, g.explain(v, err, atFresh), asks, to) // which stays on no page
		}
		if p := asks.Prompt; p.Method == methodPasskey && !g.poses(p) { // a wrong answer takes the challenge
			if again, err := g.logins.BeginStepUp(v.parent, v.client(), v.session, methodPasskey, a.strong); err == nil {
				asks = again
			}
		}
	}
	if until := asks.Weak; a.problem == notAllowed && !until.IsZero() {
		a.text, a.wait = texts.ErrorWeak, until.Sub(g.logins.Now())
	}
	asks.Methods = to.among(asks.Methods)
	a.stepUp = &asks
	return a
}

// showLogin, showCode and showFresh are the pages of the three steps.
func (g *Group) showLogin(v *visit) answer {
	a := answer{kind: show, at: atLogin, session: v.session, next: g.follow(v.r.URL.Query().Get("next"))}
	if _, pending := v.session.Pending(); pending {
		return g.withEnrolment(v, a)
	}
	return a
}

func (g *Group) showCode(v *visit) answer {
	if v.login != nil {
		return answer{kind: sentOn}
	}
	if _, pending := v.session.Pending(); !pending {
		return answer{problem: noPending, at: atCode}
	}
	return g.withPasskey(v, g.withEnrolment(v, answer{kind: show, at: atCode, session: v.session}))
}

func (g *Group) showFresh(v *visit) answer {
	q := v.r.URL.Query()
	if v.login == nil {
		a := v.nobody()
		a.next = g.follow(q.Get("next"))
		return a
	}
	goal, refused, ok := g.goalOf(v, q.Get("next"))
	if !ok {
		return refused
	}
	goal.demand(q.Get("factor"))
	a := g.askFresh(v, q.Get("method"), goal)
	if a.kind == asked {
		a.kind = show
	}
	if a.kind == refuse && a.problem == cooldown { // a code is under way: show where to enter it
		a.kind = show
	}
	return a
}

// withEnrolment adds what is to be enrolled, when that is what the pending login waits for.
func (g *Group) withEnrolment(v *visit, a answer) answer {
	session := a.session
	if a.outcome.Session != nil {
		session = a.outcome.Session
	}
	p, ok := session.Pending()
	if !ok || p.Stage != challenge.StageEnrol {
		return a
	}
	e, err := g.logins.Enrolling(v.parent, v.client(), session)
	if err != nil {
		return g.explain(v, err, atCode)
	}
	a.enrolment = &e
	return a
}

// reread looks the session up again.
func (g *Group) reread(v *visit) *challenge.Session {
	s, err := g.logins.Open(v.parent, v.slot, v.token)
	if err != nil {
		return nobody
	}
	return s
}

// after turns what the machine says into an answer.
func (g *Group) after(v *visit, out challenge.Outcome, err error, at place) answer {
	if err != nil {
		a := g.explain(v, err, at)
		if p, pending := v.session.Pending(); pending && at == atCode {
			if a.problem == cooldown && p.Prompt.SentAt.IsZero() { // there is no last one: another login's code counts there only
				a.text = texts.ErrorNoCodeWait
			}
			a.session = v.session
			if out.Session != nil {
				a.session = out.Session
			}
			if staysOnPage(a.problem) {
				refused := a
				if a = g.withEnrolment(v, a); a.kind == refuse && a.enrolment == nil && a.problem != refused.problem {
					return a
				}
				a = g.withPasskey(v, a)
			}
		}
		return a
	}
	if _, ok := out.Session.Login(); ok {
		return answer{kind: entered, at: at, outcome: out}
	}
	return g.withEnrolment(v, answer{kind: asked, at: at, outcome: out})
}

// explain is the one table from the machine's errors to answers. What it does not know is a failure: nobody is let in.
func (g *Group) explain(v *visit, err error, at place) answer {
	a := answer{at: at}
	if blocked, ok := errors.AsType[*challenge.BlockedError](err); ok {
		a.problem, a.wait = codeBlocked, blocked.RetryAfter
		if blocked.Password {
			a.problem = passwordBlocked
		}
		return a
	}
	if b, ok := errors.AsType[*challenge.BusyError](err); ok {
		a.problem, a.wait = busy, max(b.RetryAfter, time.Second)
		if b.Cooldown {
			a.problem = cooldown
		}
		return a
	}
	if errors.Is(err, challenge.ErrUnavailable) { // before whatever else the error wraps
		failed := v.outage(err)
		failed.at = at
		return failed
	}
	for _, row := range explanations {
		if errors.Is(err, row.err) {
			a.problem = row.problem
			if row.err == challenge.ErrDestination {
				a.text = texts.ErrorNumber
			}
			if at == atFresh && a.problem == refusedLogin {
				a.problem = wrongPassword
			}
			if errors.Is(err, challenge.ErrLoginAgain) {
				a.text = texts.ErrorTriesSpent
			}
			if errors.Is(err, challenge.ErrNoAddress) {
				a.text = texts.ErrorEnrolImpossible
			}
			return a
		}
	}
	failed := v.outage(err)
	failed.at = at
	return failed
}

// explanations are tried in order.
var explanations = []struct {
	err     error
	problem problem
}{
	{challenge.ErrNoPending, noPending},
	{challenge.ErrOtherLogin, otherLogin},
	{challenge.ErrReplayed, replayedCode},
	{challenge.ErrClockOff, clockOff},
	{challenge.ErrWrongCode, wrongCode},
	{challenge.ErrMalformed, malformedCode},
	{challenge.ErrMethod, methodUnavailable},
	{challenge.ErrNoCode, noCode},
	{challenge.ErrCodeExpired, codeExpired},
	{challenge.ErrNotAllowed, notAllowed},
	{challenge.ErrNotFresh, freshRequired},
	{challenge.ErrEnded, loginRequired},
	{challenge.ErrDestination, badRequest},
	{challenge.ErrSend, sendFailed},
	{challenge.ErrRefused, refusedLogin},
}

// Enter goes on with a login whose first factor the app has checked itself: the callback of an OIDC provider, a magic link,
// a password reset (I-06). It sets the session cookie and sends the browser to the code page, or on where the policy asks
// for no second factor. f.Channel must name the channel that the first factor used, so that a second one on it does not count.
//
// The app answers for accountID: it must come from a verified assertion, bound to this browser by the provider's state or
// nonce. Enter writes the whole answer.
func (w *Web) Enter(rw http.ResponseWriter, r *http.Request, accountID string, f challenge.FirstFactor) {
	g := w.Group
	v, first := g.arrive(rw, r)
	if first {
		v.read(slots{cookie: true})
		if err := v.open(); err != nil {
			v.answer(v.outage(err))
			return
		}
	}
	if !v.commit() { // what the app has put into the session, before the machine takes the session over
		return
	}
	f.Next = g.follow(f.Next)
	out, err := g.logins.Enter(r.Context(), v.client(), v.session, g.slot, accountID, f)
	a := g.after(v, out, err, atLogin)
	a.form = v.handOut()
	v.answer(a)
}
