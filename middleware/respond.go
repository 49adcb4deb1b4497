package middleware

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/texts"
)

// This file is the only one that writes responses. What it is given is decided: it may leave something out for one kind of
// client, and cannot let anybody in.

// answer is a decision, ready to be told to a browser or to a program.
type answer struct {
	kind kind
	at   place // the page a person is on

	problem problem       // refuse
	wait    time.Duration // refuse: Retry-After, and {wait} in texts
	limit   *limit        // refuse tooMany: which one
	allow   string        // refuse methodNotAllowed: the Allow header
	maxAge  time.Duration // refuse freshRequired
	factors []string      // refuse factorRequired; at the step-up page, notAllowed: the one that is to be set up first

	outcome   challenge.Outcome       // entered, asked
	session   *challenge.Session      // what a page is about; nil where nobody is there
	stepUp    *challenge.StepUpPrompt // atFresh, and atAlone a challenge for a passkey that counts as both factors; see asks
	enrolment *challenge.Enrolment
	next      string
	name      string   // what was typed
	demands   []string // of the step-up page: the kinds of factor of which the route takes one
	change    bool     // of the step-up page: it leads to a change of factors
	strong    bool     // for which a recovery code is not enough, nor what one has just added

	page  string // atSecurity: the page and what it shows
	view  *pageView
	text  texts.Key    // what the page says in place of the problem's own text
	typed *typedFactor // what a form shows again
	form  *checked     // hands out the token for the next form
}

// asks is what a step-up, or a passkey alone, is asked for: nothing elsewhere. It is behind a pointer because guards make
// answers on every request, and hardly one of them is a step-up.
func (a *answer) asks() challenge.StepUpPrompt {
	if a.stepUp == nil {
		return challenge.StepUpPrompt{}
	}
	return *a.stepUp
}

// kind is what was decided. The zero value refuses.
type kind uint8

const (
	refuse    kind = iota
	show           // a page, or what a program is told in its place
	entered        // somebody has logged in, or confirmed a login
	asked          // a code is asked for: after the password, or anew
	sentOn         // there is nothing to do here: go to next
	loggedOut      //
	cancelled      //
)

// place is one of our pages.
type place uint8

const (
	elsewhere place = iota // an app's route
	atLogin
	atAlone // where a passkey that counts as both factors is asked for; a person sees that on the login page
	atCode
	atFresh
	atSecurity // a page below Paths.Security; see answer.page
)

// problem is why something was refused, in words that a client may know. The zero value asks for a login.
type problem uint8

const (
	loginRequired problem = iota
	refusedLogin
	wrongCode
	replayedCode
	clockOff
	malformedCode
	noCode
	codeExpired
	noPending
	otherLogin
	methodUnavailable
	notAllowed
	wrongPassword
	codeBlocked
	passwordBlocked
	cooldown
	sendFailed
	busy
	freshRequired
	factorRequired
	crossSite
	badRequest
	tooLarge
	wrongType
	methodNotAllowed
	tooMany
	unavailable
	notFound
)

// problems is the one table of what refusals are called, in both worlds. The types are stable.
var problems = [...]struct {
	status int
	slug   string // type: urn:sallyport:problem:slug (RFC 9457)
	title  string
	text   texts.Key
}{
	loginRequired:     {401, "login-required", "Log in first", texts.ErrorSession},
	refusedLogin:      {401, "refused", "Username or password not right, or too many failures", texts.ErrorRefused},
	wrongCode:         {401, "wrong-code", "The code is not right", texts.ErrorWrongCode},
	replayedCode:      {401, "code-already-used", "The code was used already, wait for the next", texts.ErrorReplayed},
	clockOff:          {401, "clock-off", "The authenticator's clock is off", texts.ErrorClockOff},
	malformedCode:     {400, "malformed-code", "This cannot be a code", texts.ErrorMalformed},
	noCode:            {401, "no-code", "No code has been sent", texts.ErrorNoCode},
	codeExpired:       {401, "code-expired", "The code is too old", texts.ErrorCodeExpired},
	noPending:         {401, "no-pending-login", "There is no pending login", texts.ErrorLoginExpired},
	otherLogin:        {401, "other-login", "The answer belongs to another login", texts.ErrorOtherLogin},
	methodUnavailable: {400, "method-unavailable", "This method is not available", texts.ErrorMethod},
	notAllowed:        {403, "not-allowed", "Not possible with this login", texts.ErrorNotAllowed},
	wrongPassword:     {401, "wrong-password", "The password is not right", texts.ErrorPasswordAgain},
	codeBlocked:       {429, "code-blocked", "Too many wrong codes", texts.ErrorBlockedCode},
	passwordBlocked:   {429, "password-blocked", "Too many wrong passwords", texts.ErrorBlockedPassword},
	cooldown:          {429, "cooldown", "A new code cannot be sent yet", texts.ErrorCooldown},
	sendFailed:        {503, "send-failed", "The code could not be sent", texts.ErrorSendFailed},
	busy:              {503, "busy", "Busy, try again", texts.ErrorBusy},
	freshRequired:     {401, "insufficient-user-authentication", "A fresh second factor is needed", texts.FreshIntro},
	factorRequired:    {401, "insufficient-user-authentication", "Another second factor is needed", texts.FreshIntro},
	crossSite:         {403, "cross-site", "Wrong origin or token", texts.ErrorCrossSite},
	badRequest:        {400, "bad-request", "The request cannot be read", texts.ErrorBadRequest},
	tooLarge:          {413, "too-large", "The body is too large", texts.ErrorTooLarge},
	wrongType:         {415, "unsupported-media-type", "The content type is not the right one", texts.ErrorBadRequest},
	methodNotAllowed:  {405, "method-not-allowed", "This method is not allowed here", texts.ErrorNotThisWay},
	tooMany:           {429, "rate-limited", "Too many requests", texts.ErrorTooManyRequests},
	unavailable:       {503, "unavailable", "Try again later", texts.ErrorUnavailable},
	notFound:          {404, "not-found", "Not found", texts.ErrorNotFound},
}

// responder tells an answer to one kind of client.
type responder interface{ respond(*visit, answer) }

// answer writes what was decided, after what the app has put into the session on the way here.
func (v *visit) answer(a answer) {
	if v.commit() {
		v.tell(a)
	}
}

func (v *visit) tell(a answer) {
	if status := problems[a.problem].status; a.kind == refuse && status == http.StatusServiceUnavailable {
		v.core.counts.failures.Add(1)
	}
	h := v.out.Header()
	h["Cache-Control"] = noStore
	h.Add("Vary", varyOn(v.group.guards))
	if a.wait > 0 {
		h.Set("Retry-After", seconds(a.wait))
	}
	if a.limit != nil {
		name := a.limit.policy[:strings.LastIndexByte(a.limit.policy, '"')+1]
		h["Ratelimit-Policy"] = []string{a.limit.policy}
		h["Ratelimit"] = []string{name + ";r=0;t=" + seconds(a.wait)}
	}
	if a.allow != "" {
		h.Set("Allow", a.allow)
	}
	v.deliver(a)
	v.group.respond.respond(v, a)
}

// seconds rounds up, so that nobody comes back too early.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// varyOn says what an answer depends on. HTTP caches are not let near anyway.
func varyOn(s slots) string {
	if s.header {
		return "Cookie, Authorization"
	}
	return "Cookie"
}

// Shared by our own answers; their capacity is their length, so that whoever appends makes a copy.
var (
	noStore     = []string{"no-store"}
	sameOrigin  = []string{"same-origin"}
	noSniff     = []string{"nosniff"}
	deny        = []string{"DENY"}
	htmlType    = []string{"text/html; charset=utf-8"}
	jsonType    = []string{"application/json"}
	problemType = []string{"application/problem+json"}
	bearerOnly  = []string{"Bearer"}
)

// deliver hands a cookie session's new token to the browser, and draws a new form token with it (I-03).
func (v *visit) deliver(a answer) {
	core := v.core
	if a.kind == loggedOut && v.kind == cookieCredential || a.kind == cancelled && v.kind == cookieCredential {
		core.manager.WriteSessionCookie(v, v.out, "", time.Time{})
		core.forgery.renew(v.out, a.form)
		return
	}
	if a.outcome.Token == "" || a.outcome.Session.Slot() != challenge.Cookie {
		return
	}
	core.manager.WriteSessionCookie(v, v.out, a.outcome.Token, a.outcome.Session.Expires())
	if a.outcome.Device != "" {
		http.SetCookie(v.out, &http.Cookie{Name: core.cookies.device, Value: core.logins.DeviceCookie(a.outcome.Device), Path: "/", HttpOnly: true,
			Secure: core.site.Secure, SameSite: http.SameSiteLaxMode, MaxAge: int(deviceCookieLife / time.Second)})
	}
	if a.outcome.Trusted != "" {
		http.SetCookie(v.out, &http.Cookie{Name: core.cookies.trusted, Value: a.outcome.Trusted, Path: "/", HttpOnly: true,
			Secure: core.site.Secure, SameSite: http.SameSiteLaxMode, MaxAge: int(a.outcome.TrustedUntil.Sub(core.logins.Now()) / time.Second)})
	}
	core.forgery.renew(v.out, a.form)
}

// deviceCookieLife is how long a browser keeps what makes it a known device.
const deviceCookieLife = 180 * 24 * time.Hour

// browser answers with pages and redirects.
type browser struct {
	core   *core
	csp    []string
	script []string // the policy of a page with a script
}

func newBrowser(w *core) browser {
	policy := "default-src 'none'; style-src " + w.pages.styleHash() +
		"; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return browser{w, []string{policy}, []string{policy + "; script-src 'self'"}}
}

func (b browser) respond(v *visit, a answer) {
	p := &b.core.paths
	switch a.kind {
	case entered:
		if len(a.outcome.RecoveryCodes) > 0 {
			b.page(v, 200, pageRecovery, pageView{Codes: a.outcome.RecoveryCodes, Continue: b.onward(a.outcome.Next, p.Account), CSRF: a.form.token()})
			return
		}
		b.redirect(v, b.onward(a.outcome.Next, p.Account))
	case asked:
		if a.at == atFresh {
			method := "" // what was chosen; a code that was sent is found again without, and not sent anew
			if q := a.asks().Prompt; q.Channel == "" {
				method = q.Method
			}
			b.redirect(v, p.Fresh+query("next", a.next, "factor", strings.Join(a.demands, " "), "method", method))
			return
		}
		b.redirect(v, p.Verify)
	case sentOn:
		b.redirect(v, b.onward(a.next, p.Account))
	case loggedOut:
		b.redirect(v, cmp.Or(a.next, p.Home))
	case cancelled:
		b.redirect(v, p.Login)
	case show:
		b.show(v, a, 200, pageMessage{Key: a.text})
	default:
		b.refuse(v, a)
	}
}

// onward is the checked place to go, or another.
func (b browser) onward(next, otherwise string) string {
	if next = b.core.follow(next); next != "" {
		return next
	}
	return otherwise
}

func (b browser) refuse(v *visit, a answer) {
	p := &b.core.paths
	switch a.problem {
	case loginRequired, noPending, otherLogin: // the login page itself refuses nobody for not being logged in
		b.redirect(v, p.Login+query("next", a.next))
		return
	case freshRequired:
		b.redirect(v, p.Fresh+query("next", a.next))
		return
	case factorRequired:
		b.redirect(v, p.Fresh+query("next", a.next, "factor", strings.Join(a.factors, " ")))
		return
	}
	row := problems[a.problem]
	message := pageMessage{Key: cmp.Or(a.text, row.text), Wait: a.wait}
	if a.at == atSecurity && a.view != nil {
		b.show(v, a, row.status, message)
		return
	}
	switch {
	case a.problem == refusedLogin, a.at == atLogin && (a.problem == passwordBlocked || a.problem == busy):
		a.at = atLogin
	case a.problem == noCode && a.session != nil:
		if pending, ok := a.session.Pending(); ok {
			if wait := pending.Prompt.ResendAt.Sub(b.core.logins.Now()); wait > 0 {
				message = pageMessage{Key: texts.ErrorNoCodeWait, Wait: wait}
			}
		}
	case a.problem == sendFailed && alone(a):
		message.Key = texts.ErrorSendFailedAlone
	case a.problem == notAllowed && a.at == atLogin:
		a.at = elsewhere
	}
	if a.at == atCode && a.session == nil || a.at == atFresh && len(a.asks().Methods) == 0 || !staysOnPage(a.problem) {
		a.at = elsewhere
	}
	if a.at != elsewhere {
		b.show(v, a, row.status, message)
		return
	}
	view := pageView{Error: message, Continue: p.Home, ContinueText: texts.LinkHome}
	switch a.problem {
	case notAllowed:
		if message.Key == texts.ErrorTriesSpent { // where one can log out
			view.Continue, view.ContinueText = p.Security, texts.LinkSecurity
		}
		if missing := first(a.factors); missing != "" {
			view.Error.Method, view.Continue, view.ContinueText = missing, v.group.factorRoute(missing).path, texts.SecurityAdd
		}
	case codeBlocked, passwordBlocked:
		view.Title, view.Continue, view.ContinueText = texts.TitleBlocked, p.Login, texts.LinkLogin
	case unavailable, busy, sendFailed:
		view.Title = texts.TitleUnavailable
	case notFound:
		view.Title = texts.TitleNotFound
	}
	b.page(v, row.status, pageError, view)
}

// staysOnPage reports whether a person can mend it on the page they are on.
func staysOnPage(p problem) bool {
	switch p {
	case refusedLogin, wrongCode, replayedCode, clockOff, malformedCode, noCode, codeExpired, methodUnavailable, wrongPassword,
		cooldown, sendFailed, passwordBlocked, busy:
		return true
	}
	return false
}

func alone(a answer) bool {
	if pending, ok := a.session.Pending(); ok {
		return len(pending.Methods) < 2
	}
	return len(a.asks().Methods) < 2
}

// show writes the page of a place.
func (b browser) show(v *visit, a answer, status int, message pageMessage) {
	p := &b.core.paths
	view := pageView{Error: message, CSRF: a.form.token(), Next: a.next}
	switch a.at {
	case atLogin:
		if _, pending := a.session.Pending(); pending && a.kind == show {
			b.redirect(v, p.Verify)
			return
		}
		view.Action, view.Username = p.Login, a.name
		if b.core.logins.PasswordlessMethod() != "" {
			if q, err := b.core.logins.BeginPasswordless(v.parent); err == nil { // the password's way works without
				view.Passkey, view.Alone, view.Again = string(q.Options), b.core.alonePath, p.Login+query("next", a.next)
			}
		}
		b.page(v, status, pageLogin, view)
	case atAlone:
		b.redirect(v, p.Login)
	case atCode:
		pending, _ := a.session.Pending()
		view.Next, view.Login, view.Action, view.CancelAction = "", pending.ID, p.Verify, p.Cancel
		if pending.Stage == challenge.StageEnrol && a.enrolment != nil {
			enrolView(&view, pending.Prompt.Method, *a.enrolment)
			b.ways(&view, p.Resend, pending.Prompt.Method, pending.Methods)
			b.page(v, status, pageEnrol, view)
			return
		}
		view.Proof = pending.Stage == challenge.StageProof
		if !view.Proof && pending.Prompt.Method != methodRecovery {
			view.TrustFor = b.core.logins.Durations().Trust
		}
		b.prompt(&view, p.Resend, pending.Prompt, pending.Methods)
		b.page(v, status, pageCode, view)
	case atFresh:
		view.Action, view.Change, view.Strong, view.Factor = p.Fresh, a.change, a.strong, strings.Join(a.demands, " ")
		asks := a.asks()
		if !asks.Weak.IsZero() {
			view.WeakFor = asks.Weak.Sub(b.core.logins.Now())
		}
		b.prompt(&view, p.Fresh, asks.Prompt, asks.Methods)
		b.page(v, status, pageFresh, view)
	case atSecurity:
		page := *a.view
		page.Error, page.CSRF = view.Error, view.CSRF
		b.page(v, status, a.page, page)
	}
}

// prompt fills in what the person was asked for and what else there is to choose from.
func (b browser) prompt(view *pageView, action string, p challenge.Prompt, methods []string) {
	view.Method, view.Info = p.Method, p.Info
	if p.Method == methodPasskey && b.core.logins.Now().Before(p.Expires) {
		view.Passkey = string(p.Options)
	}
	view.CanResend = b.core.logins.Sends(p.Method)
	view.ResendWait = max(0, p.ResendAt.Sub(b.core.logins.Now()))
	if !p.SentAt.IsZero() {
		view.Destination = p.To
	}
	b.ways(view, action, p.Method, methods)
	switch {
	case view.Error.Key != "":
	case p.Failed:
		view.Error = pageMessage{Key: texts.ErrorSendFailed}
		if len(methods) < 2 {
			view.Error.Key = texts.ErrorSendFailedAlone
		}
	case view.CanResend && p.SentAt.IsZero(): // a budget is spent, or another site brought the browser here
		view.Notice = pageMessage{Key: texts.ErrorNoCode}
		if view.ResendWait > 0 {
			view.Notice = pageMessage{Key: texts.ErrorNoCodeWait, Wait: view.ResendWait}
		}
	case p.FellBack != "":
		view.Notice = pageMessage{Key: texts.NoticeFallback, Method: p.Method, Destination: p.To}
	}
}

// ways are the other methods that there are to choose from.
func (b browser) ways(view *pageView, action, method string, methods []string) {
	view.ResendAction = action
	for _, m := range methods {
		if m != method {
			view.Ways = append(view.Ways, pageWay{Method: m})
		}
	}
}

// language is what to speak: the account's own, once somebody has shown a password, else what the client asks for.
func (v *visit) language() string {
	own := ""
	if p, ok := v.session.Pending(); ok {
		own = p.Language
	} else if v.login != nil {
		own = v.login.Language
	}
	return v.core.logins.Texts().Match(own, v.r.Header.Get("Accept-Language"))
}

// page renders before it writes, so that an error in a template of the app's is no half page.
func (b browser) page(v *visit, status int, name string, view pageView) {
	policy := b.csp
	if view.Passkey != "" {
		view.Script, policy = b.core.passkeyPath, b.script
	}
	var body bytes.Buffer
	lang := v.language()
	if err := b.core.pages.render(&body, name, lang, view); err != nil {
		b.core.logger.ErrorContext(v.parent, "middleware: page cannot be shown", "page", name, "error", err)
		status = http.StatusServiceUnavailable
		body.Reset()
		body.WriteString(http.StatusText(status))
	}
	h := v.out.Header()
	h["Content-Type"] = htmlType
	h["Content-Language"] = []string{lang}
	h["Content-Security-Policy"] = policy
	h["X-Frame-Options"] = deny
	h["X-Content-Type-Options"] = noSniff
	h["Cross-Origin-Opener-Policy"] = sameOrigin
	h["Referrer-Policy"] = sameOrigin
	send(v, status, newContent(body.Bytes()))
}

// redirect answers 303: whatever was asked for, the next request is a GET. target is ours or was checked; http.Redirect
// would clean it once more, into something that nobody has looked at.
func (b browser) redirect(v *visit, target string) {
	h := v.out.Header()
	h["Location"] = []string{target}
	h["Referrer-Policy"] = sameOrigin
	v.out.WriteHeader(http.StatusSeeOther)
}

// query makes a query string of pairs of name and value, leaving out what is empty.
func query(pairs ...string) string {
	var q strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		q.WriteByte("?&"[min(q.Len(), 1)])
		q.WriteString(pairs[i] + "=" + url.QueryEscape(pairs[i+1]))
	}
	return q.String()
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// program answers with JSON. Its field names and types are stable.
type program struct {
	core    *core
	schemes []string         // what a guard's 401 asks for
	ready   map[string]ready // by language
}

// ready is what all refusals in one language share. None of it is ever changed.
type ready struct {
	language []string
	problems [len(problems)]content // as they are where nothing in them varies
}

func newProgram(w *core) program {
	// Never error="invalid_token": a pending login's token is answered like no token at all (I-02).
	p := program{w, []string{"Bearer", `Basic realm="` + w.realm + `", charset="UTF-8"`}, map[string]ready{}}
	for _, lang := range w.logins.Texts().Languages() {
		r := ready{language: []string{lang}}
		for i := range r.problems {
			r.problems[i] = p.problem(answer{problem: problem(i)}, lang)
		}
		p.ready[lang] = r
	}
	return p
}

// jsonAnswer is everything that a program may be told; what does not apply is left out.
type jsonAnswer struct {
	Status        string          `json:"status"`
	Stage         string          `json:"stage,omitempty"`
	Methods       []string        `json:"methods,omitempty"`
	Method        string          `json:"method,omitempty"`
	Login         string          `json:"login,omitempty"`
	Next          string          `json:"next,omitempty"`
	SentTo        string          `json:"sent_to,omitempty"`
	ResendIn      int64           `json:"resend_in,omitempty"`
	FellBack      string          `json:"fell_back_from,omitempty"`
	SendFailed    bool            `json:"send_failed,omitempty"`
	Info          string          `json:"info,omitempty"`
	Challenge     json.RawMessage `json:"challenge,omitempty"`
	Enrolment     *jsonEnrolment  `json:"enrolment,omitempty"`
	RecoveryCodes []string        `json:"recovery_codes,omitempty"`
	Token         string          `json:"token,omitempty"`
	ExpiresIn     int64           `json:"expires_in,omitempty"`
	CSRFToken     string          `json:"csrf_token,omitempty"`
}

type jsonEnrolment struct {
	Key string `json:"key,omitempty"`
	URI string `json:"uri,omitempty"`
	// Options are of a passkey: WebAuthn's creation options, for navigator.credentials.create.
	Options json.RawMessage `json:"options,omitempty"`
}

// jsonProblem is RFC 9457's problem details.
type jsonProblem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	MaxAge *int64 `json:"max_age,omitempty"`
}

func (p program) respond(v *visit, a answer) {
	if a.kind == refuse {
		p.refuse(v, a)
		return
	}
	out := jsonAnswer{}
	session := a.session
	if a.outcome.Session != nil {
		session = a.outcome.Session
	}
	switch a.kind {
	case loggedOut:
		out.Status = "logged_out"
	case cancelled:
		out.Status = "cancelled"
	default:
		p.describe(&out, a, session)
	}
	if session.Exists() && a.kind != loggedOut && a.kind != cancelled {
		out.ExpiresIn = int64((max(0, session.Expires().Sub(p.core.logins.Now())) + time.Second - 1) / time.Second)
	}
	if a.outcome.Token != "" && a.outcome.Session.Slot() == challenge.Bearer {
		out.Token = a.outcome.Token
	}
	if v.group.slot == challenge.Cookie {
		out.CSRFToken = a.form.token()
	}
	status := http.StatusOK
	raw, err := json.Marshal(out)
	if err != nil { // a challenge is JSON already, and all else are strings and numbers: cannot happen, and would say nothing
		status, raw = http.StatusServiceUnavailable, []byte("{}")
	}
	h := v.out.Header()
	h["Content-Type"] = jsonType
	h["X-Content-Type-Options"] = noSniff
	send(v, status, newContent(append(raw, '\n')))
}

// describe says where a session stands.
func (p program) describe(out *jsonAnswer, a answer, session *challenge.Session) {
	if pending, ok := session.Pending(); ok {
		out.Status = "second_factor_required"
		out.Methods, out.Login = pending.Methods, pending.ID
		switch pending.Stage {
		case challenge.StageProof:
			out.Status, out.Stage, out.Next = "enrolment_required", "proof", p.core.paths.API+"/login/verify"
		case challenge.StageEnrol:
			out.Status, out.Stage, out.Next = "enrolment_required", "enrol", p.core.paths.API+"/login/verify"
		}
		if a.enrolment != nil {
			out.Enrolment = &jsonEnrolment{Key: a.enrolment.Key, URI: a.enrolment.URI}
			if json.Valid(a.enrolment.Options) {
				out.Enrolment.Options = a.enrolment.Options
			}
		}
		p.prompt(out, pending.Prompt)
		return
	}
	asks := a.asks()
	if a.at == atAlone {
		out.Status, out.Methods = "anonymous", asks.Methods
		out.ExpiresIn = int64(asks.Prompt.Expires.Sub(p.core.logins.Now()) / time.Second)
		p.prompt(out, asks.Prompt)
		return
	}
	if len(asks.Methods) > 0 && a.kind != entered {
		out.Status, out.Methods = "second_factor_required", asks.Methods
		p.prompt(out, asks.Prompt)
		return
	}
	if _, ok := session.Login(); ok {
		out.Status = "authenticated"
		out.RecoveryCodes, out.Info = a.outcome.RecoveryCodes, a.outcome.Notice
		return
	}
	out.Status = "anonymous"
}

func (p program) prompt(out *jsonAnswer, q challenge.Prompt) {
	out.Method, out.Info, out.FellBack, out.SendFailed = q.Method, q.Info, q.FellBack, q.Failed
	if json.Valid(q.Options) { // WebAuthn's request options, for navigator.credentials.get
		out.Challenge = q.Options
	}
	if !q.SentAt.IsZero() {
		out.SentTo = q.To
	}
	if wait := q.ResendAt.Sub(p.core.logins.Now()); wait > 0 {
		out.ResendIn = int64((wait + time.Second - 1) / time.Second)
	}
}

func (p program) refuse(v *visit, a answer) {
	h, ready := v.out.Header(), p.ready[v.language()]
	status := problems[a.problem].status
	switch {
	case a.problem == freshRequired: // RFC 9470 section 3
		h.Set("WWW-Authenticate", `Bearer error="insufficient_user_authentication", error_description="A fresh second factor is needed", max_age="`+strconv.FormatInt(int64(a.maxAge/time.Second), 10)+`"`)
	case a.problem == factorRequired:
		h.Set("WWW-Authenticate", `Bearer error="insufficient_user_authentication", error_description="Another second factor is needed", acr_values="`+strings.Join(a.factors, " ")+`"`)
	case status == http.StatusUnauthorized && a.at == elsewhere:
		h["Www-Authenticate"] = p.schemes
	case status == http.StatusUnauthorized: // on our own routes Basic means nothing
		h["Www-Authenticate"] = bearerOnly
	}
	h["Content-Language"] = ready.language
	h["Content-Type"] = problemType
	h["X-Content-Type-Options"] = noSniff
	c := ready.problems[a.problem]
	if a.text != "" || a.wait != 0 || a.maxAge != 0 {
		c = p.problem(a, ready.language[0])
	}
	send(v, status, c)
}

// problem is the body of a refusal. It depends on problem, text, wait and maxAge of the answer, and on nothing else of it.
func (p program) problem(a answer, lang string) content {
	row := problems[a.problem]
	out := jsonProblem{Type: "urn:sallyport:problem:" + row.slug, Title: row.title, Status: row.status,
		Detail: pageMessage{Key: cmp.Or(a.text, row.text), Wait: a.wait}.text(p.core.logins.Texts(), lang)}
	if a.problem == freshRequired {
		age := int64(a.maxAge / time.Second)
		out.MaxAge = &age
	}
	raw, _ := json.Marshal(out) // strings and numbers do not fail
	return newContent(append(raw, '\n'))
}

// content is a body with its length, as a header has it.
type content struct {
	body   []byte
	length []string
}

func newContent(body []byte) content { return content{body, []string{strconv.Itoa(len(body))}} }

// send writes a whole answer; one to HEAD has no body.
func send(v *visit, status int, c content) {
	v.out.Header()["Content-Length"] = c.length
	v.out.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		_, _ = v.out.Write(c.body)
	}
}

// sendScript serves what browsers need for passkeys: the same bytes for everybody, asked for again only when they changed.
func (w *core) sendScript(rw http.ResponseWriter, r *http.Request) {
	h := rw.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("Etag", w.scriptTag)
	h["X-Content-Type-Options"] = noSniff
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(w.script))
}
