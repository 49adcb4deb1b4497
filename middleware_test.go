// Package sallyport_test tells how people log in, as stories against the whole house, and holds the house against its plan.
//
// A story is text. A line is what somebody does and what comes of it:
//
//	alice: POST /login alice good-password -> 303 /login/verify
//
// The first word is who asks: a browser with cookies, or on /api a program with the token of its last answer. The words of a
// post fill in the form or the JSON object: name and password at a login, a code at the rest, others as field=value; a word
// X-…=value is a header and basic=name:password a credential. totp is the code on alice's phone now, mail:carol and sms:sam
// are what was sent last, page:paula is what her pager shows, paper is a code from alice's paper.
//
// After the arrow stand the status, where a redirect leads, "text that the page has", no"text that it has not",
// field=value of JSON, and retry=seconds. Lines without a colon move the world: see town.command.
package sallyport_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/middleware"
	"github.com/sallyport-go/sallyport/middleware/middlewaretest"
	"github.com/sallyport-go/sallyport/stores"
)

const (
	site     = "https://acme.example"
	password = "good-password"
	agent    = "Mozilla/5.0 (story)"
)

// secrets are what is on people's phones.
var secrets = map[string]string{
	"alice": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
	"bob":   "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU",
}

// town is a site, the people who have accounts there, and whoever comes by.
type town struct {
	*challengetest.Kit
	t      *testing.T
	config challenge.Config
	logins *challenge.Logins
	root   http.Handler
	mux    *middlewaretest.Mux

	people map[string]*person
	kept   map[string]string
	paper  []string // alice's recovery codes
}

// person is a browser, or a program.
type person struct {
	cookies map[string]string
	token   string // the bearer token of the last answer that had one
	address string
}

// found builds the town. change may make its configuration another one.
func found(t *testing.T, change ...func(*challenge.Config)) *town {
	t.Helper()
	h := &town{Kit: challengetest.New(challengetest.NewClock()), t: t, people: map[string]*person{}, kept: map[string]string{}}
	for _, a := range []challenge.Account{
		{ID: "1", Name: "alice"},
		{ID: "2", Name: "bob"},
		{ID: "3", Name: "carol", Email: "carol@example.com"},
		{ID: "4", Name: "dave"},
		{ID: "5", Name: "erin", Email: "erin@example.com"},
		{ID: "6", Name: "sam", Email: "sam@example.com", Phone: "+31600000001"},
		{ID: "7", Name: "reports", Service: true},
		{ID: "8", Name: "paula"},
	} {
		h.Users.Add(a, password)
	}
	h.SetVerdict("4", challenge.Verdict{NotNeeded: true})
	h.SetVerdict("5", challenge.Verdict{Factors: []string{"totp", "recovery"}})
	h.config = h.Config(&stores.Memory{Clock: h.Clock.Now})
	h.config.Site = site
	h.config.Factors = append(h.config.Factors, h.pager())
	for _, f := range change {
		f(&h.config)
	}
	h.open()
	for id, name := range map[string]string{"1": "alice", "2": "bob"} {
		if err := h.logins.ImportTOTP(t.Context(), id, secrets[name], "phone"); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if h.paper, err = h.logins.MakeRecoveryCodes(t.Context(), challenge.Client{}, "1"); err != nil {
		t.Fatal(err)
	}
	h.Audit.Take()
	return h
}

// pager is a factor of the app's own: paula has one.
func (h *town) pager() challenge.Factor {
	return &challenge.Custom{
		Method: "pager",
		To:     func(a challenge.CustomAttempt) (string, string, bool) { return "pager", "7", a.Account.ID == "8" },
		Create: func(_ context.Context, a challenge.CustomAttempt) (challenge.CustomCode, error) {
			code, err := a.Digits(8)
			return challenge.CustomCode{Code: code, Info: "The night desk pages you <now>."}, err
		},
		Deliver: func(ctx context.Context, _ challenge.CustomAttempt, code challenge.Code) error {
			return h.Outbox.Send(ctx, challenge.Message{Channel: "pager", To: "paula", Code: code})
		},
	}
}

// open starts the site's process on the store as it is.
func (h *town) open() {
	h.t.Helper()
	var err error
	if h.logins, err = challenge.New(h.config); err != nil {
		h.t.Fatal(err)
	}
	web, err := middleware.New(h.logins, middleware.Config{})
	if err != nil {
		h.t.Fatal(err)
	}
	api := web.API()
	text := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		if login, ok := middleware.Authenticated(r.Context()); ok {
			fmt.Fprintf(w, "you are %s, by %s", login.Username, strings.Join(login.MethodNames(), " and "))
			return
		}
		fmt.Fprint(w, "you are nobody")
	})
	me := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, _ := middleware.Authenticated(r.Context())
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"username": login.Username, "methods": login.MethodNames()})
	})
	form := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain") // else it would be guessed from a random token
		fmt.Fprint(w, middleware.CSRFToken(r.Context()))
	})
	m := new(middlewaretest.Mux)
	m.Handle("/login", web.Pages())
	m.Handle("/login/", web.Pages())
	m.Handle("/logout", web.Pages())
	m.Handle("/whoami", web.Sessions(text))
	m.Handle("/form", web.Sessions(form))
	m.Handle("/account", web.RequireSecondFactor(text))
	m.Handle("/account/transfer", web.RequireFresh(5*time.Minute)(text))
	m.Handle("/api/login", api.Routes())
	m.Handle("/api/login/", api.Routes())
	m.Handle("/api/logout", api.Routes())
	m.Handle("/api/me", api.RequireSecondFactor(me))
	m.Handle("/api/transfer", api.RequireFresh(5*time.Minute)(me))
	h.mux, h.root = m, web.AuditLog(web.RateLimit(middleware.ByClient)(m))
}

// tell tells a story. It ends the test at the first line that goes otherwise.
func (h *town) tell(story string) {
	h.t.Helper()
	for n, line := range strings.Split(story, "\n") {
		line, _, _ = strings.Cut(line, " # ")
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		who, act, isRequest := strings.Cut(line, ": ")
		if !isRequest || strings.Contains(who, " ") {
			h.command(line)
			continue
		}
		ask, want, ok := strings.Cut(act, " -> ")
		if !ok {
			h.t.Fatalf("line %d, %q: what comes of it?", n+1, line)
		}
		if got, problem := h.ask(h.person(who), words(ask), words(want)); problem != "" {
			h.t.Fatalf("line %d: %s\n%s\ngot: %s", n+1, line, problem, got)
		}
	}
}

// command moves the world.
func (h *town) command(line string) {
	h.t.Helper()
	w := words(line)
	switch {
	case w[0] == "wait" && len(w) == 2: // wait 5m
		d, err := time.ParseDuration(w[1])
		if err != nil {
			h.t.Fatal(err)
		}
		h.Clock.Advance(d)
	case w[0] == "keep" && len(w) == 4: // keep code = totp
		h.kept[w[1]] = h.value(w[3])
	case w[0] == "restart" && len(w) == 1:
		h.open()
	case len(w) == 4 && w[1] == "steals": // thief steals from alice
		from := h.person(w[3])
		*h.person(w[0]) = person{cookies: maps.Clone(from.cookies), token: from.token, address: h.person(w[0]).address}
	case len(w) == 2 && w[1] == "fails": // sms fails
		h.Outbox.Fail(w[0], errors.New("no signal"))
	case len(w) == 2 && w[1] == "works":
		h.Outbox.Fail(w[0], nil)
	case w[0] == "events": // events password validated | MFA code created
		got := []string{}
		for _, name := range h.Audit.Take() {
			got = append(got, string(name))
		}
		if want := strings.TrimSpace(strings.TrimPrefix(line, "events")); strings.Join(got, " | ") != want {
			h.t.Fatalf("events\n%s\nwant\n%s", strings.Join(got, " | "), want)
		}
	default:
		h.t.Fatalf("%q: nobody knows how to do that", line)
	}
}

func (h *town) person(name string) *person {
	p := h.people[name]
	if p == nil {
		p = &person{cookies: map[string]string{}, address: fmt.Sprintf("192.0.2.%d:4711", len(h.people)+1)}
		h.people[name] = p
	}
	return p
}

// words splits at spaces outside of quotation marks, which stay.
func words(s string) []string { return wordForm.FindAllString(s, -1) }

var wordForm = regexp.MustCompile(`[^\s"]*"[^"]*"|\S+`)

// value is what a word of a story stands for.
func (h *town) value(word string) string {
	h.t.Helper()
	kind, name, _ := strings.Cut(word, ":")
	switch kind {
	case "totp":
		if name == "" {
			name = "alice"
		}
		code, err := totp.GenerateCode(secrets[name], h.Clock.Now())
		if err != nil {
			h.t.Fatal(err)
		}
		return code
	case "mail":
		return h.sent(name + "@example.com")
	case "sms":
		return h.sent("+31600000001")
	case "page":
		return h.sent(name)
	case "paper":
		code := h.paper[0]
		h.paper = h.paper[1:]
		return code
	case "wrong":
		return "000000"
	}
	if v, ok := h.kept[word]; ok {
		return v
	}
	return word
}

func (h *town) sent(to string) string {
	h.t.Helper()
	code := h.Outbox.Code(to)
	if code == "" {
		h.t.Fatalf("nothing was sent to %s", to)
	}
	return code
}

// positions name what the plain words of a post are.
func positions(target string) []string {
	if strings.HasSuffix(target, "/login") {
		return []string{"username", "password"}
	}
	return []string{"code"}
}

// ask sends one request and holds the answer against what the story says.
func (h *town) ask(p *person, ask, want []string) (got, problem string) {
	h.t.Helper()
	method, target := ask[0], ask[1]
	fields, headers := map[string]string{}, http.Header{}
	names := positions(target)
	for _, w := range ask[2:] {
		key, value, named := strings.Cut(w, "=")
		switch {
		case named && strings.HasPrefix(key, "X-"):
			headers.Set(key, h.value(value))
		case key == "basic":
			headers.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(value)))
		case named:
			fields[key] = value
		case len(names) == 0:
			h.t.Fatalf("%q: too many words", ask)
		default:
			fields[names[0]], names = h.value(w), names[1:]
		}
	}
	rec := p.send(h, method, target, fields, headers)
	body := html.UnescapeString(rec.Body.String())
	var object map[string]any
	_ = json.Unmarshal(rec.Body.Bytes(), &object)
	if t, ok := object["token"].(string); ok {
		p.token = t
	}
	got = fmt.Sprintf("%d %s %v\n%s", rec.Code, rec.Header().Get("Location"), rec.Header(), style.ReplaceAllString(body, ""))
	located := false
	for i, w := range want {
		key, value, named := strings.Cut(w, "=")
		switch {
		case i == 0:
			if strconv.Itoa(rec.Code) != w {
				return got, "another status"
			}
		case strings.HasPrefix(w, "/"):
			if located = true; rec.Header().Get("Location") != w {
				return got, "another way"
			}
		case strings.HasPrefix(w, `no"`):
			if strings.Contains(body, strings.Trim(w[2:], `"`)) {
				return got, "the page has it"
			}
		case strings.HasPrefix(w, `"`):
			if !strings.Contains(body, strings.Trim(w, `"`)) {
				return got, "the page does not have it"
			}
		case key == "retry":
			if rec.Header().Get("Retry-After") != value {
				return got, "another Retry-After"
			}
		case named:
			if is := plain(object[key]); is != value {
				return got, key + " is " + is
			}
		default:
			h.t.Fatalf("%q: what does %q mean?", want, w)
		}
	}
	if at := rec.Header().Get("Location"); at != "" && !located {
		return got, "a redirect that the story does not know"
	}
	return got, ""
}

var style = regexp.MustCompile(`(?s)<style>.*</style>`)

// plain is a JSON value in a story's words.
func plain(v any) string {
	if list, ok := v.([]any); ok {
		out := make([]string, len(list))
		for i, e := range list {
			out[i] = plain(e)
		}
		return strings.Join(out, ",")
	}
	return strings.TrimPrefix(fmt.Sprint(v), "urn:sallyport:problem:")
}

// send is one request: JSON with the token on /api, else a form with cookies.
func (p *person) send(h *town, method, target string, fields map[string]string, headers http.Header) *httptest.ResponseRecorder {
	var body io.Reader = http.NoBody
	program := strings.HasPrefix(target, "/api/")
	post := method == http.MethodPost
	switch {
	case program && len(fields) > 0:
		raw, _ := json.Marshal(fields) // strings
		body = strings.NewReader(string(raw))
		headers.Set("Content-Type", "application/json")
	case post && !program:
		form := url.Values{"csrf_token": {p.send(h, http.MethodGet, "/form", nil, http.Header{}).Body.String()}}
		for k, v := range fields {
			form.Set(k, v)
		}
		body = strings.NewReader(form.Encode())
		headers.Set("Content-Type", "application/x-www-form-urlencoded")
		headers.Set("Origin", site)
		headers.Set("Sec-Fetch-Site", "same-origin")
	}
	r := httptest.NewRequest(method, site+target, body)
	r.RequestURI, r.RemoteAddr, r.Header = target, p.address, headers
	r.Header.Set("User-Agent", agent)
	if program {
		if p.token != "" && headers.Get("Authorization") == "" {
			r.Header.Set("Authorization", "Bearer "+p.token)
		}
	} else {
		for name, value := range p.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	}
	rec := httptest.NewRecorder()
	h.root.ServeHTTP(rec, r)
	if program && rec.Header().Get("Set-Cookie") != "" {
		h.t.Errorf("%s %s set a cookie", method, target)
	}
	for _, c := range rec.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(p.cookies, c.Name)
		} else {
			p.cookies[c.Name] = c.Value
		}
	}
	return rec
}

// The stories. First, every kind of account and factor, in a browser and by JSON.

func TestAnAccountWithMFAOffLogsInWithItsPassword_I01(t *testing.T) {
	found(t).tell(`
		dave: POST /login dave wrong -> 401 "Log in"
		dave: GET /whoami -> 200 "you are nobody"
		dave: POST /login dave good-password -> 303 /account
		dave: GET /account -> 200 "you are dave, by password"
		events invalid password | password validated | user login without MFA

		app: POST /api/login dave good-password -> 200 status=authenticated
		app: GET /api/me -> 200 username=dave methods=password
	`)
}

func TestALoginByAuthenticatorApp_I01(t *testing.T) {
	found(t).tell(`
		alice: GET /account -> 303 /login?next=%2Faccount
		alice: POST /login alice good-password -> 303 /login/verify
		alice: GET /login/verify -> 200 "authenticator app"
		alice: POST /login/verify wrong -> 401 "not right"
		alice: POST /login/verify totp -> 303 /account
		alice: GET /account -> 200 "you are alice, by password and totp"
		events password validated | MFA code created | Invalid MFA entered | MFA validated | user login with MFA

		wait 30s
		app: POST /api/login alice good-password -> 200 status=second_factor_required methods=totp,recovery method=totp
		app: POST /api/login/verify wrong -> 401 type=wrong-code
		app: POST /api/login/verify totp -> 200 status=authenticated
		app: GET /api/me -> 200 username=alice methods=password,totp
	`)
}

func TestALoginByEmail_I13(t *testing.T) {
	found(t).tell(`
		carol: POST /login carol good-password -> 303 /login/verify
		carol: GET /login/verify -> 200 "c•••l@example.com" no"carol@example.com"
		carol: POST /login/verify mail:carol -> 303 /account
		carol: GET /account -> 200 "you are carol, by password and email"

		wait 31s
		app: POST /api/login carol good-password -> 200 method=email sent_to=c•••l@example.com resend_in=30
		app: POST /api/login/verify mail:carol method=email -> 200 status=authenticated
		app: GET /api/me -> 200 username=carol methods=password,email
	`)
}

func TestALoginBySMS_I13(t *testing.T) {
	h := found(t)
	h.tell(`
		sam: POST /login sam good-password -> 303 /login/verify
		sam: GET /login/verify -> 200 "•••01" no"+31600000001"
		keep first = sms:sam
		wait 31s
		sam: POST /login/resend -> 303 /login/verify
		sam: POST /login/verify first -> 401 "not right"   # a new code replaces the old one
		sam: POST /login/verify sms:sam -> 303 /account
		sam: GET /account -> 200 "you are sam, by password and sms"

		wait 31s
		app: POST /api/login sam good-password -> 200 method=sms sent_to=•••01
		app: POST /api/login/verify sms:sam -> 200 status=authenticated
	`)
	for _, m := range h.Outbox.Messages() {
		if m.Channel == challenge.ChannelSMS && !strings.HasSuffix(strings.TrimSpace(m.Body), "@acme.example #"+string(m.Code)) {
			t.Errorf("the last line does not bind the code to the site: %q", m.Body)
		}
	}
}

func TestALoginByRecoveryCode_I14(t *testing.T) {
	h := found(t)
	h.kept["used"] = strings.ToLower(strings.ReplaceAll(h.paper[0], "-", " "))
	h.tell(`
		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify used -> 303 /account   # in lower case, with spaces
		alice: GET /account -> 200 "you are alice, by password and recovery"
		again: POST /login alice good-password -> 303 /login/verify
		again: POST /login/verify used -> 401 "not right"
		again: POST /login/verify paper -> 401 "not right"   # the first one again
		again: POST /login/verify paper method=recovery -> 303 /account

		app: POST /api/login alice good-password -> 200 status=second_factor_required
		app: POST /api/login/verify paper -> 200 status=authenticated
		app: GET /api/me -> 200 methods=password,recovery
	`)
}

func TestACustomFactorHasItsOwnText_I13(t *testing.T) {
	h := found(t)
	h.tell(`
		paula: POST /login paula good-password -> 303 /login/verify
		paula: GET /login/verify -> 200 "The night desk pages you <now>."
		paula: POST /login/verify page:paula method=pager -> 303 /account
		paula: GET /account -> 200 "you are paula, by password and pager"

		wait 31s
		app: POST /api/login paula good-password -> 200 method=pager
		app: POST /api/login/verify page:paula -> 200 status=authenticated
	`)
	h.person("paula").send(h, "POST", "/login", map[string]string{"username": "paula", "password": password}, http.Header{})
	if rec := h.person("paula").send(h, "GET", "/login/verify", nil, http.Header{}); strings.Contains(rec.Body.String(), "<now>") {
		t.Error("I-21: the factor's text is not escaped")
	}
}

func TestAServiceAccountHasBasicAndNothingElse_I10(t *testing.T) {
	found(t).tell(`
		job: GET /api/me basic=reports:good-password -> 200 username=reports
		job: GET /api/me basic=reports:wrong -> 401 type=login-required
		job: POST /api/login reports good-password -> 401 type=refused
		job: POST /login reports good-password -> 401 "not right"
		job: GET /api/transfer basic=reports:good-password -> 403 type=not-allowed
		job: GET /account basic=reports:good-password -> 303 /login?next=%2Faccount   # Basic means nothing to pages
	`)
}

func TestAPersonsPasswordAloneOpensNothingByBasic_I02(t *testing.T) {
	found(t).tell(`
		rest: GET /api/me basic=alice:good-password -> 401 type=login-required
		rest: GET /api/me basic=dave:good-password -> 401 type=login-required
		rest: GET /api/me basic=alice:good-password X-MFA-Code=totp -> 200 username=alice methods=password,totp
		rest: GET /api/me -> 401 type=login-required   # it made no login
		wait 30s
		rest: GET /api/transfer basic=alice:good-password X-MFA-Code=totp -> 200 username=alice
		rest: GET /api/me basic=alice:good-password X-MFA-Code=wrong -> 401
	`)
}

func TestARESTAccountLogsInWithTheCodeInAHeader(t *testing.T) {
	h := found(t)
	h.tell(`
		rest: POST /api/login alice good-password X-MFA-Code=totp -> 200 status=authenticated
		rest: GET /api/me -> 200 username=alice methods=password,totp
		rest: POST /api/login carol good-password X-MFA-Code=123456 -> 401   # a factor that would have to send
		wait 30s
		form: POST /login alice good-password X-MFA-Code=totp -> 303 /account
		form: GET /account -> 200 "you are alice"
		paper: POST /api/login alice good-password X-MFA-Code=paper -> 200 status=authenticated
	`)
	if n := len(h.Outbox.Messages()); n != 0 {
		t.Errorf("I-15: %d messages were sent", n)
	}
}

func TestANativeClientsTokenChangesAtEachStep_I03(t *testing.T) {
	found(t).tell(`
		phone: POST /api/login alice good-password -> 200 status=second_factor_required
		pending steals from phone
		phone: POST /api/login/verify totp -> 200 status=authenticated
		full steals from phone
		phone: GET /api/transfer -> 200
		wait 6m
		phone: GET /api/transfer -> 401 type=insufficient-user-authentication max_age=300
		phone: POST /api/login/fresh -> 200 status=second_factor_required
		phone: POST /api/login/fresh totp -> 200 status=authenticated
		phone: GET /api/transfer -> 200 username=alice

		# each step killed the token before it
		pending: GET /api/me -> 401
		pending: POST /api/login/verify totp -> 401 type=no-pending-login
		full: GET /api/me -> 401
		phone: POST /api/logout -> 200 status=logged_out
		phone: GET /api/me -> 401
	`)
}

func TestWhenTheSMSFailsTheCodeTakesTheMailAndThePageSaysSo_I20(t *testing.T) {
	found(t).tell(`
		sms fails
		sam: POST /login sam good-password -> 303 /login/verify
		events password validated | MFA send failed | MFA code created | MFA fallback taken
		sam: GET /login/verify -> 200 "The usual way did not work" "E-mail: s•••@example.com" no"sam@example.com"
		sam: POST /login/verify mail:sam -> 303 /account
		sam: GET /account -> 200 "you are sam, by password and email"

		wait 31s
		app: POST /api/login sam good-password -> 200 method=email fell_back_from=sms sent_to=s•••@example.com
	`)
	// Nothing gets through: the login stays pending, with a code that nobody knows, and the other ways are offered.
	found(t).tell(`
		sms fails
		email fails
		late: POST /login sam good-password -> 303 /login/verify
		late: GET /login/verify -> 200 "could not be sent"
		late: GET /account -> 303 /login?next=%2Faccount
		late: POST /login/verify wrong -> 401
		email works
		wait 31s
		late: POST /login/resend method=email -> 303 /login/verify
		late: POST /login/verify mail:sam -> 303 /account
	`)
}

func TestAnAccountWithNothingEnrolledEnrolsDuringLogin_I02(t *testing.T) {
	h := found(t)
	h.tell(`
		erin: POST /login erin good-password -> 303 /login/verify
		erin: GET /account -> 303 /login?next=%2Faccount
		erin: POST /login/verify mail:erin -> 303 /login/verify
		erin: GET /account -> 303 /login?next=%2Faccount
		erin: GET /login/verify -> 200 "otpauth://totp/"
	`)
	page := h.person("erin").send(h, "GET", "/login/verify", nil, http.Header{}).Body.String()
	secrets := regexp.MustCompile(`secret=([A-Z2-7]+)`).FindStringSubmatch(page)
	if secrets == nil {
		t.Fatal("no secret on the page")
	}
	code, err := totp.GenerateCode(secrets[1], h.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	h.kept["phone"] = code
	h.tell(`
		erin: POST /login/verify wrong -> 401
		erin: POST /login/verify phone -> 200 "recovery codes"
		erin: GET /account -> 200 "you are erin, by password and totp"
		other: POST /login erin good-password -> 303 /login/verify
		other: POST /login/verify phone -> 401 "used already"   # I-12: the confirming code counts as used
	`)
}

func TestAFreshSecondFactorIsAskedForAndExtendsNothing_I03(t *testing.T) {
	found(t).tell(`
		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify totp -> 303 /account
		alice: GET /account/transfer -> 200
		wait 5m
		alice: GET /account/transfer -> 303 /login/fresh?next=%2Faccount%2Ftransfer
		alice: POST /account/transfer -> 303 /login/fresh?next=%2Faccount%2Ftransfer
		alice: GET /account -> 200
		old steals from alice
		alice: POST /login/fresh wrong next=/account/transfer -> 401
		alice: POST /login/fresh totp next=/account/transfer -> 303 /account/transfer
		alice: POST /account/transfer -> 200 "you are alice"
		old: GET /account -> 303 /login?next=%2Faccount

		# an account without a second factor gives its password again; the one at login does not count
		dave: POST /login dave good-password -> 303 /account
		dave: GET /account/transfer -> 303 /login/fresh?next=%2Faccount%2Ftransfer
		dave: GET /login/fresh -> 200 "password"
		dave: POST /login/fresh password=wrong -> 401
		dave: POST /login/fresh password=good-password next=//evil.example -> 303 /account   # I-24
		dave: GET /account/transfer -> 200 "you are dave, by password"
	`)
}

func TestARefusalSaysNothingOfItsReason_I10(t *testing.T) {
	for _, target := range []string{"/login", "/api/login"} {
		answers := map[string]string{}
		for _, who := range []string{"unknown", "alice", "disabled", "reports", "blocked"} {
			h := found(t)
			h.Users.Add(challenge.Account{ID: "30", Name: "disabled", Disabled: true}, password)
			h.Users.Add(challenge.Account{ID: "31", Name: "blocked"}, password)
			h.tell(`
				other: POST /login blocked wrong -> 401
				other: POST /login blocked wrong -> 401
				other: POST /login blocked wrong -> 401
			`)
			given := password // right, but for alice
			if who == "alice" {
				given = "wrong"
			}
			rec := h.person("x").send(h, "POST", target, map[string]string{"username": who, "password": given}, http.Header{})
			page := rec.Body.String()
			if token := middlewaretest.CSRFToken(page); token != "" {
				page = strings.ReplaceAll(html.UnescapeString(page), token, "TOKEN")
			}
			rec.Header().Del("X-Request-Id")
			rec.Header().Del("Content-Length") // of a page it varies with the name and the token
			answers[who] = fmt.Sprint(rec.Code, rec.Header(), strings.ReplaceAll(page, `value="`+who+`"`, `value="NAME"`))
		}
		for who, got := range answers {
			if got != answers["unknown"] {
				t.Errorf("%s: %s is answered\n%s\nand an unknown name\n%s", target, who, got, answers["unknown"])
			}
			if !strings.HasPrefix(got, "401 ") {
				t.Errorf("%s: %s: %.40s", target, who, got)
			}
		}
	}
}

func TestATokenThatWasPlantedIsNeverAdopted_I03(t *testing.T) {
	h := found(t)
	const planted = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	h.person("alice").cookies["__Host-sallyport"] = planted
	h.tell(`
		thief steals from alice
		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify totp -> 303 /account
		thief: GET /account -> 303 /login?next=%2Faccount
	`)
	if h.person("alice").cookies["__Host-sallyport"] == planted {
		t.Error("the login has the planted token")
	}
}

// Guesses.

func TestThreeWrongPasswordsBlockAndFiveMinutesRelease_I08(t *testing.T) {
	h := found(t)
	h.tell(`
		alice: POST /login alice wrong -> 401 "not right"
		alice: POST /api/login alice wrong -> 401 type=refused   # one budget for every surface
		alice: POST /login alice wrong -> 401 "not right"
		events invalid password | invalid password | invalid password | Max login attempts exceeded
		alice: POST /login alice good-password -> 401 "not right" "wait a few minutes"
		events Max login attempts exceeded
		wait 4m59s
		alice: POST /login alice good-password -> 401   # tries inside the block do not extend it
		wait 1s
		alice: POST /login alice good-password -> 303 /login/verify
	`)
	if n := h.Passwords.Compared("1"); n != 4 {
		t.Errorf("I-09: the password was looked at %d times, not 4", n)
	}
}

func TestThreeWrongCodesBlockAndFiveMinutesRelease_I09(t *testing.T) {
	h := found(t)
	h.tell(`
		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify 12345 -> 400 "cannot be a code"   # costs nothing
		alice: POST /login/verify wrong -> 401
		alice: POST /login/verify wrong -> 401
		alice: POST /login/verify wrong -> 401
		alice: POST /login/verify totp -> 429 retry=300
		app: POST /api/login alice good-password -> 429 type=code-blocked retry=300
		alice: GET /account -> 303 /login?next=%2Faccount
		wait 5m
		alice: POST /login/verify totp -> 303 /login   # a pending login older than the block never spends again
		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify totp -> 303 /account
	`)
	names := []string{}
	for _, e := range h.Audit.Events() {
		if e.Name == audit.GuessesReleased {
			names = append(names, e.User)
		}
	}
	if len(names) != 1 {
		t.Errorf("I-21: the block's release was written %d times, not once", len(names))
	}
}

func TestCodeGuessesAreSharedByEverySurfaceAndNotResetByANewLogin_I08(t *testing.T) {
	found(t).tell(`
		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify wrong -> 401
		app: POST /api/login alice good-password -> 200
		app: POST /api/login/verify wrong -> 401
		rest: GET /api/me basic=alice:good-password X-MFA-Code=wrong -> 401
		rest: GET /api/me basic=alice:good-password X-MFA-Code=totp -> 429
		again: POST /login alice good-password -> 429
	`)
}

func TestARestartGivesNoNewGuesses_I07(t *testing.T) {
	found(t).tell(`
		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify wrong -> 401
		alice: POST /login/verify wrong -> 401
		restart
		alice: POST /login/verify wrong -> 401
		alice: POST /login/verify totp -> 429
		restart
		alice: POST /login alice good-password -> 429

		bob: POST /login bob wrong -> 401
		bob: POST /login bob wrong -> 401
		restart
		bob: POST /login bob wrong -> 401
		bob: POST /login bob good-password -> 401
	`)
}

func TestParallelWrongCodesAreComparedThreeTimes_I07(t *testing.T) {
	h := found(t)
	h.tell(`alice: POST /login alice good-password -> 303 /login/verify`)
	var wg sync.WaitGroup
	for i := range 30 {
		p := &person{cookies: maps.Clone(h.person("alice").cookies), address: fmt.Sprintf("192.0.2.%d:1", 100+i)}
		wg.Go(func() { p.send(h, "POST", "/login/verify", map[string]string{"code": "000000"}, http.Header{}) })
	}
	wg.Wait()
	if n := h.Audit.Count(audit.InvalidCode); n != 3 {
		t.Errorf("%d codes were compared, not 3", n)
	}
}

func TestParallelRightCodesMakeOneLogin_I04(t *testing.T) {
	h := found(t)
	h.tell(`carol: POST /login carol good-password -> 303 /login/verify`)
	code := h.value("mail:carol")
	var wg sync.WaitGroup
	for i := range 30 {
		p := &person{cookies: maps.Clone(h.person("carol").cookies), address: fmt.Sprintf("192.0.2.%d:1", 100+i)}
		wg.Go(func() { p.send(h, "POST", "/login/verify", map[string]string{"code": code}, http.Header{}) })
	}
	wg.Wait()
	if n := h.Audit.Count(audit.LoginWithMFA); n != 1 {
		t.Errorf("%d logins, not 1", n)
	}
}

func TestAStrangerCannotLockAKnownDeviceOut_I11(t *testing.T) {
	found(t).tell(`
		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify totp -> 303 /account
		stranger: POST /login alice guess -> 401
		stranger: POST /login alice guess -> 401
		stranger: POST /login alice guess -> 401
		stranger: POST /login alice good-password -> 401   # blocked

		alice: GET /account -> 200 "you are alice"   # a block never ends live logins
		alice: POST /logout -> 303 /
		wait 30s
		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify totp -> 303 /account
		stranger: POST /login alice good-password -> 401

		# the known device has a budget of its own, and is told plainly
		alice: POST /logout -> 303 /
		alice: POST /login alice wrong -> 401
		alice: POST /login alice wrong -> 401
		alice: POST /login alice wrong -> 401
		alice: POST /login alice good-password -> 429 retry=300 "Too many passwords were wrong"
	`)
}

// Codes.

func TestAnotherPersonsCodeOpensNothing_I13(t *testing.T) {
	found(t).tell(`
		carol: POST /login carol good-password -> 303 /login/verify
		sam: POST /login sam good-password -> 303 /login/verify
		sam: POST /login/verify mail:carol -> 401 "not right"
		carol: POST /login/verify sms:sam -> 401 "not right"
		sam: POST /login/verify sms:sam -> 303 /account
		carol: POST /login/verify mail:carol -> 303 /account
		carol: GET /account -> 200 "you are carol"

		bob: POST /login bob good-password -> 303 /login/verify
		bob: POST /login/verify totp:alice -> 401 "not right"
		bob: POST /login/verify paper method=recovery -> 400   # bob has no paper
		bob: POST /login/verify totp:bob -> 303 /account
	`)
}

func TestACodeIsForOnePendingLogin_I13(t *testing.T) {
	found(t).tell(`
		carol: POST /login carol good-password -> 303 /login/verify
		# somewhere else, inside the cooldown: no code exists there, and an answer costs nothing
		thief: POST /login carol good-password -> 303 /login/verify
		thief: POST /login/verify mail:carol -> 401 "No code has been sent"
		carol: POST /login/verify mail:carol -> 303 /account
		thief: POST /login/verify mail:carol -> 401
		thief: GET /account -> 303 /login?next=%2Faccount
	`)
}

func TestTheSameTOTPWorksOnceWhateverTheSurface_I12(t *testing.T) {
	for name, again := range map[string]string{
		"a browser": `
			again: POST /login alice good-password -> 303 /login/verify
			again: POST /login/verify code -> 401 "used already"`,
		"JSON": `
			again: POST /api/login alice good-password -> 200
			again: POST /api/login/verify code -> 401 type=code-already-used`,
		"one request with the header": `
			again: POST /api/login alice good-password X-MFA-Code=code -> 401 type=code-already-used`,
		"Basic with the header": `
			again: GET /api/me basic=alice:good-password X-MFA-Code=code -> 401`,
		"a step-up in the browser": `
			alice: POST /login/fresh code -> 401 "used already"`,
		"a step-up by JSON": `
			app: POST /api/login alice good-password X-MFA-Code=next -> 200 status=authenticated
			app: POST /api/login/fresh next -> 401 type=code-already-used`,
		"a restart": `
			restart
			again: POST /login alice good-password -> 303 /login/verify
			again: POST /login/verify code -> 401 "used already"`,
	} {
		t.Run(name, func(t *testing.T) {
			h := found(t)
			h.tell(`
				keep code = totp
				alice: POST /login alice good-password -> 303 /login/verify
				alice: POST /login/verify code -> 303 /account
				wait 30s
				keep next = totp
			`)
			h.tell(again)
			if n := h.Audit.Count(audit.ReplayedCode); n != 1 {
				t.Errorf("I-21: %d events of a replay, not 1", n)
			}
			if n := h.Audit.Count(audit.LoginWithMFA); n > 2 {
				t.Errorf("%d logins", n)
			}
		})
	}
	t.Run("first Basic, then a browser", func(t *testing.T) {
		found(t).tell(`
			keep code = totp
			rest: GET /api/me basic=alice:good-password X-MFA-Code=code -> 200 username=alice
			alice: POST /login alice good-password -> 303 /login/verify
			alice: POST /login/verify code -> 401 "used already"
		`)
	})
}

func TestACodeIsTooOldAfterTenMinutesAndALoginToo_I13(t *testing.T) {
	found(t).tell(`
		carol: POST /login carol good-password -> 303 /login/verify
		wait 9m
		carol: POST /login/resend -> 303 /login/verify
		wait 61s
		carol: POST /login/verify mail:carol -> 303 /login   # the code is young, the pending login is over
	`)
	found(t, func(c *challenge.Config) { c.CodeTTL = time.Minute }).tell(`
		carol: POST /login carol good-password -> 303 /login/verify
		wait 61s
		carol: POST /login/verify mail:carol -> 401 "too old"
	`)
}

// Sessions.

func TestWhoAmIAfterStepOneIsNobody_I02(t *testing.T) {
	found(t).tell(`
		alice: GET /whoami -> 200 "you are nobody"
		alice: GET /account -> 303 /login?next=%2Faccount
		alice: POST /login alice good-password -> 303 /login/verify
		alice: GET /whoami -> 200 "you are nobody"
		alice: GET /account -> 303 /login?next=%2Faccount
		alice: GET /account/transfer -> 303 /login?next=%2Faccount%2Ftransfer
		alice: GET /login/fresh -> 303 /login
		alice: POST /login/verify totp -> 303 /account
		alice: GET /whoami -> 200 "you are alice, by password and totp"
		alice: GET /account -> 200 "you are alice"

		wait 30s
		app: GET /api/me -> 401 type=login-required
		app: POST /api/login alice good-password -> 200 status=second_factor_required
		app: GET /api/me -> 401 type=login-required
		app: POST /api/login/fresh -> 401 type=login-required
		app: POST /api/login/verify totp -> 200 status=authenticated
		app: GET /api/me -> 200 username=alice
	`)
}

func TestHalfALoginIsNobodyOnEveryRouteMethodAndSpelling_I02(t *testing.T) {
	h := found(t)
	middlewaretest.Check(t, middlewaretest.App{
		Handler: h.root, Site: site, Username: "alice", Password: password,
		Routes: h.mux.Routes(),
		Public: []string{"/whoami", "/form", "/login", "/login/", "/logout", "/api/login", "/api/login/", "/api/logout"},
	})
}

func TestThePendingCookieIsDeadAfterPromotion_I03(t *testing.T) {
	found(t).tell(`
		thief steals from alice
		alice: POST /login alice good-password -> 303 /login/verify
		pending steals from alice
		alice: POST /login/verify totp -> 303 /account
		wait 30s
		pending: GET /account -> 303 /login?next=%2Faccount
		pending: GET /login/verify -> 303 /login
		pending: POST /login/verify totp -> 303 /login
		thief: GET /account -> 303 /login?next=%2Faccount

		# a second click after the promotion spends nothing and is sent on
		events password validated | MFA code created | MFA validated | user login with MFA | credential refused | MFA enabled but no session found
		alice: POST /login/verify totp -> 303 /account
		events
	`)
}

func TestLogoutHoldsAtOnce_I16(t *testing.T) {
	found(t).tell(`
		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify totp -> 303 /account
		thief steals from alice
		thief: GET /account -> 200 "you are alice"
		alice: POST /logout -> 303 /
		alice: GET /account -> 303 /login?next=%2Faccount
		thief: GET /account -> 303 /login?next=%2Faccount
		restart
		thief: GET /account -> 303 /login?next=%2Faccount
	`)
}

func TestLogOutEverywhereEndsLoginsAndPendingLogins_I16(t *testing.T) {
	h := found(t)
	h.tell(`
		laptop: POST /login alice good-password -> 303 /login/verify
		laptop: POST /login/verify totp -> 303 /account
		wait 30s
		phone: POST /api/login alice good-password X-MFA-Code=totp -> 200 status=authenticated
		half: POST /login alice good-password -> 303 /login/verify
		bob: POST /login bob good-password -> 303 /login/verify
		bob: POST /login/verify totp:bob -> 303 /account
	`)
	if err := h.logins.LogoutEverywhere(t.Context(), challenge.Client{}, "1"); err != nil {
		t.Fatal(err)
	}
	h.tell(`
		laptop: GET /account -> 303 /login?next=%2Faccount
		phone: GET /api/me -> 401
		wait 30s
		half: POST /login/verify totp -> 303 /login   # its epoch has moved
		bob: GET /account -> 200 "you are bob"
		laptop: POST /login alice good-password -> 303 /login/verify
		laptop: POST /login/verify totp -> 303 /account
	`)
}

func TestAChangeInTheAppsTableHoldsWithinAMinute_I16(t *testing.T) {
	h := found(t)
	h.tell(`
		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify totp -> 303 /account
		half: POST /login bob good-password -> 303 /login/verify
	`)
	for _, id := range []string{"1", "2"} {
		h.Users.Change(id, func(a *challenge.Account) { a.Disabled = true })
	}
	h.tell(`
		half: POST /login/verify totp:bob -> 303 /login   # Users is asked again just before the promotion
		wait 60s
		alice: GET /account -> 303 /login?next=%2Faccount
		alice: POST /login alice good-password -> 401 "not right"
	`)
}

func TestIdleAndAbsoluteEndsHold_I17(t *testing.T) {
	h := found(t)
	h.tell(`
		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify totp -> 303 /account
		wait 59m
		alice: GET /account -> 200
		wait 61m
		alice: GET /account -> 303 /login?next=%2Faccount

		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify totp -> 303 /account
	`)
	for range 47 {
		h.tell(`
			wait 30m
			alice: GET /account -> 200
		`)
	}
	h.tell(`
		alice: POST /login/fresh totp -> 303 /account   # a step-up extends nothing
		wait 29m59s
		alice: GET /account -> 200
		wait 1s
		alice: GET /account -> 303 /login?next=%2Faccount
	`)
}

// What an app brings along.

func TestSecretsThatPeopleAlreadyHaveAreTakenOver(t *testing.T) {
	h := found(t)
	h.Users.Add(challenge.Account{ID: "9", Name: "fred"}, password)
	h.Users.Add(challenge.Account{ID: "10", Name: "gina"}, password)
	secrets["fred"], secrets["gina"] = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"
	for id, secret := range map[string]string{
		"9":  "gezd gnbv gy3t qojq gezd gnbv gy3t qojq", // as apps show it
		"10": "otpauth://totp/Acme:gina?secret=MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U&issuer=Acme",
	} {
		if err := h.logins.ImportTOTP(t.Context(), id, secret, "old phone"); err != nil {
			t.Fatal(err)
		}
	}
	h.tell(`
		fred: POST /login fred good-password -> 303 /login/verify
		fred: POST /login/verify totp:fred -> 303 /account
		gina: POST /login gina good-password -> 303 /login/verify
		gina: POST /login/verify totp:fred -> 401
		gina: POST /login/verify totp:gina -> 303 /account
	`)
	for name, secret := range map[string]string{"too short": "JBSWY3DP", "not base32": "0189!", "empty": "", "another URI": "otpauth://hotp/x?secret=" + secrets["fred"]} {
		if err := h.logins.ImportTOTP(t.Context(), "1", secret, ""); err == nil {
			t.Errorf("a secret that is %s was taken over", name)
		} else if secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("I-21: the error repeats it: %v", err)
		}
	}
}

func TestTheAppIsToldOfEachFullLogin(t *testing.T) {
	h := found(t)
	h.tell(`
		dave: POST /login dave good-password -> 303 /account
		alice: POST /login alice wrong -> 401
		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify wrong -> 401
	`)
	if n := len(h.Users.Logins("1")); n != 0 {
		t.Errorf("%d full logins of alice after half of one", n)
	}
	h.tell(`alice: POST /login/verify totp -> 303 /account`)
	for id, want := range map[string]challenge.LoggedIn{
		"1": {Methods: []string{"password", "totp"}, SecondFactor: true, MFAEnabled: true}, // LastLogin2FA, HasMFAenabled
		"4": {Methods: []string{"password"}},
	} {
		got := h.Users.Logins(id)
		if len(got) != 1 {
			t.Fatalf("account %s: %d logins", id, len(got))
		}
		want.At = h.Clock.Now()
		if fmt.Sprint(got[0]) != fmt.Sprint(want) {
			t.Errorf("account %s: %+v, want %+v", id, got[0], want)
		}
	}
}

// shared is a store that several processes could use.
type shared struct{ challenge.Store }

func TestMisconfigurationIsRefused_I19(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*challenge.Config)
		says   string
	}{
		"no site":               {func(c *challenge.Config) { c.Site = "" }, "Config.Site"},
		"a site by http":        {func(c *challenge.Config) { c.Site = "http://acme.example" }, "InsecureHTTP"},
		"no users":              {func(c *challenge.Config) { c.Users = nil }, "Config.Users is missing"},
		"no policy":             {func(c *challenge.Config) { c.Policy = nil }, "Config.Policy is missing"},
		"no store":              {func(c *challenge.Config) { c.Store = nil }, "Config.Store is missing"},
		"no audit":              {func(c *challenge.Config) { c.Audit = nil }, "Config.Audit is missing"},
		"no key beside a store": {func(c *challenge.Config) { c.Store, c.Keys = shared{new(stores.Memory)}, nil }, "Config.Keys is missing"},
		"no factor":             {func(c *challenge.Config) { c.Factors = nil }, "Config.Factors is empty"},
		"recovery codes only":   {func(c *challenge.Config) { c.Factors = []challenge.Factor{new(challenge.Recovery)} }, "recovery codes only"},
		"four digits": {func(c *challenge.Config) {
			c.Factors = []challenge.Factor{&challenge.Email{Sender: new(challengetest.Outbox), Digits: 4}}
		}, "Digits"},
		"a mail without a sender": {func(c *challenge.Config) { c.Factors = []challenge.Factor{new(challenge.Email)} }, "Sender"},
		"a hook that is missing":  {func(c *challenge.Config) { c.Factors = []challenge.Factor{&challenge.Custom{Method: "pager"}} }, "Create"},
		"codes for an hour":       {func(c *challenge.Config) { c.CodeTTL = time.Hour }, "Config.CodeTTL is 1h0m0s: the most is 10m0s"},
		"no guesses":              {func(c *challenge.Config) { c.CodeGuesses = -1 }, "Config.CodeGuesses is -1"},
		"unlimited guesses":       {func(c *challenge.Config) { c.PasswordGuesses = 1000 }, "at most 100"},
		"a block of no time":      {func(c *challenge.Config) { c.BlockFor = -time.Second }, "Config.BlockFor is negative"},
		"a login for a year":      {func(c *challenge.Config) { c.Absolute = 365 * 24 * time.Hour }, "Config.Absolute"},
		"a fallback to nowhere": {func(c *challenge.Config) {
			c.Factors = []challenge.Factor{challenge.Fallback(new(challenge.TOTP), "fax")}
		}, `"fax"`},
		"a weak password hash": {func(c *challenge.Config) { c.Passwords = &challenge.Argon2id{Memory: 8, Time: 1} }, "argon2id"},
	} {
		t.Run(name, func(t *testing.T) {
			config := challengetest.New(challengetest.NewClock()).Config(new(stores.Memory))
			if _, err := challenge.New(config); err != nil {
				t.Fatal("a sound one was refused:", err)
			}
			c.change(&config)
			if _, err := challenge.New(config); err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.says)) {
				t.Errorf("said %v, not %q", err, c.says)
			}
		})
	}
}

func TestMisconfiguredMiddlewareIsRefused_I19(t *testing.T) {
	logins := found(t).logins
	behind := challengetest.New(challengetest.NewClock()).Config(shared{new(stores.Memory)})
	several, err := challenge.New(behind)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		logins *challenge.Logins
		config middleware.Config
		says   string
	}{
		"no logins":                             {nil, middleware.Config{}, "no logins"},
		"a limit of one process for several":    {several, middleware.Config{}, "cannot count"},
		"a negative rate":                       {logins, middleware.Config{LoginRate: -1}, "LoginRate"},
		"no room for limits":                    {logins, middleware.Config{MaxLimitKeys: -1}, "MaxLimitKeys"},
		"forms of any size":                     {logins, middleware.Config{MaxForm: -1}, "MaxForm"},
		"a login page without a slash":          {logins, middleware.Config{Paths: middleware.Paths{Login: "login"}}, "Paths.Login"},
		"a home on another site":                {logins, middleware.Config{Paths: middleware.Paths{Home: "//evil.example"}}, "Paths.Home"},
		"two pages on one path":                 {logins, middleware.Config{Paths: middleware.Paths{Verify: "/login"}}, "both"},
		"a header that nobody writes":           {logins, middleware.Config{ForwardedHeader: "X-Real-Ip"}, `choose "X-Forwarded-For"`},
		"an origin that is none":                {logins, middleware.Config{TrustedOrigins: []string{"shop.example"}}, "TrustedOrigins"},
		"a cookie name that cannot be one":      {logins, middleware.Config{CookieName: "a;b"}, "CookieName"},
		"a realm that ends its quotation marks": {logins, middleware.Config{Realm: `a"b`}, "Realm"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := middleware.New(c.logins, c.config); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("said %v, not %q", err, c.says)
			}
		})
	}
}

// Audit.

// lines renders what was recorded since the last call, without the ids that are drawn.
func (h *town) lines() string {
	var out []byte
	for _, e := range h.Audit.Events() {
		out = audit.Datadog(out, e)
	}
	h.Audit.Take()
	return requestID.ReplaceAllString(string(out), "")
}

var requestID = regexp.MustCompile(` (http\.request_id|evt\.pending_id|evt\.login_id)="[^"]*"`)

// The lines of the Mendix module stand here as text, not a rendering. Further events carry more.
func TestTheAuditLinesOfWholeStories_I21(t *testing.T) {
	const (
		created   = `evt.category="authentication" evt.name="MFA code created" network.client.ip=127.0.0.1 evt.outcome="success" usr.name="MxAdmin"`
		loggedIn  = `evt.category="authentication" evt.name="user login with MFA" http.useragent="Mozilla/5.0 (story)" network.client.ip=127.0.0.1 evt.outcome="success" usr.name="MxAdmin"`
		validated = `evt.category="authentication" evt.name="MFA validated" network.client.ip=127.0.0.1 evt.outcome="success" usr.name="MxAdmin"`
		unknown   = `evt.category="authentication" evt.name="unknown user" http.useragent="Mozilla/5.0 (story)" network.client.ip=127.0.0.1 evt.outcome="failure" usr.name="henk"` // as it was typed, in canonical form
		badPass   = `evt.category="authentication" evt.name="invalid password" http.useragent="Mozilla/5.0 (story)" network.client.ip=127.0.0.1 evt.outcome="failure" usr.name="demo_user"`
		noSession = `evt.category="authentication" evt.name="MFA enabled but no session found" http.useragent="Mozilla/5.0 (story)" network.client.ip=127.0.0.1 evt.outcome="failure" usr.name="demo_user"`
		invalid   = `evt.category="authentication" evt.name="Invalid MFA entered" network.client.ip=127.0.0.1 evt.outcome="failure" usr.name="demo_user"`
		maximum   = `evt.category="authentication" evt.name="Max MFA attempts exceeded" network.client.ip=127.0.0.1 evt.outcome="failure" usr.name="demo_user"`

		// Ours, after the same pattern.
		adminPass   = `evt.category="authentication" evt.name="password validated" http.useragent="Mozilla/5.0 (story)" network.client.ip=127.0.0.1 evt.outcome="success" usr.name="MxAdmin" usr.id="20" evt.method="password"`
		left        = `evt.category="authentication" evt.name="logout" http.useragent="Mozilla/5.0 (story)" network.client.ip=127.0.0.1 evt.outcome="success" usr.name="MxAdmin" usr.id="20"` // I-03: another password in the same browser
		demoPass    = `evt.category="authentication" evt.name="password validated" http.useragent="Mozilla/5.0 (story)" network.client.ip=127.0.0.1 evt.outcome="success" usr.name="demo_user" usr.id="21" evt.method="password"`
		demoCreated = `evt.category="authentication" evt.name="MFA code created" network.client.ip=127.0.0.1 evt.outcome="success" usr.name="demo_user"`
		anonymous   = `evt.category="authentication" evt.name="MFA enabled but no session found" http.useragent="Mozilla/5.0 (story)" network.client.ip=127.0.0.1 evt.outcome="failure" usr.name=""`
		released    = `evt.category="authentication" evt.name="guesses released" network.client.ip=127.0.0.1 evt.outcome="success" usr.name="demo_user" usr.id="21" evt.method="code" evt.reason="block ended"`
		demoValid   = `evt.category="authentication" evt.name="MFA validated" network.client.ip=127.0.0.1 evt.outcome="success" usr.name="demo_user"`
		demoIn      = `evt.category="authentication" evt.name="user login with MFA" http.useragent="Mozilla/5.0 (story)" network.client.ip=127.0.0.1 evt.outcome="success" usr.name="demo_user"`
	)
	h := found(t)
	h.Users.Add(challenge.Account{ID: "20", Name: "MxAdmin"}, password)
	h.Users.Add(challenge.Account{ID: "21", Name: "demo_user"}, password)
	for _, id := range []string{"20", "21"} {
		if err := h.logins.ImportTOTP(t.Context(), id, secrets["alice"], "phone"); err != nil {
			t.Fatal(err)
		}
	}
	h.Audit.Take()
	for _, name := range []string{"browser", "app"} {
		h.person(name).address = "127.0.0.1:4711"
	}
	for _, part := range []struct {
		name, story string
		lines       []string
	}{
		{"a login", `
			browser: POST /login MXADMIN good-password -> 303 /login/verify
			browser: GET /login/verify -> 200
			browser: POST /login/verify totp -> 303 /account
			browser: GET /account -> 200
		`, []string{adminPass, created, validated, loggedIn}},
		{"an unknown name and a wrong password", `
			browser: POST /login Henk good-password -> 401
			browser: POST /login demo_user wrong -> 401
		`, []string{unknown, badPass}},
		{"wrong codes until the block, and a try inside it", `
			browser: POST /login demo_user good-password -> 303 /login/verify
			browser: POST /login/verify wrong -> 401
			browser: POST /login/verify wrong -> 401
			browser: POST /login/verify wrong -> 401
			browser: POST /login/verify totp -> 429
		`, []string{demoPass, left, demoCreated, invalid, invalid, invalid, maximum, maximum}},
		{"after the block, and a code without a pending login", `
			wait 5m
			app: POST /api/login demo_user good-password -> 200
			app: POST /api/login/verify totp -> 200 status=authenticated
			app: POST /api/login/verify totp -> 401 type=no-pending-login
			fresh: GET /whoami -> 200
		`, []string{demoPass, demoCreated, released, demoValid, demoIn, noSession}},
	} {
		h.tell(part.story)
		if got, want := h.lines(), strings.Join(part.lines, "\n")+"\n"; got != want {
			t.Errorf("%s left\n%s\nwant\n%s", part.name, got, want)
		}
	}
	h.person("nobody").address = "127.0.0.1:4711"
	h.tell(`nobody: POST /login/verify 123456 -> 303 /login`)
	if got := h.lines(); got != anonymous+"\n" {
		t.Errorf("a code from nowhere left\n%s", got)
	}
}

func TestNoNameIsInAnyAuditLineWithPseudonyms(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	h := found(t, func(c *challenge.Config) {
		var err error
		if c.Audit, err = audit.Pseudonyms(key, c.Audit); err != nil {
			t.Fatal(err)
		}
	})
	h.tell(`
		alice: POST /login henk good-password -> 401
		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify wrong -> 401
		alice: POST /login/verify totp -> 303 /account
		alice: POST /logout -> 303 /
		sms fails
		sam: POST /login sam good-password -> 303 /login/verify
		sam: POST /login/verify mail:sam -> 303 /account
		rest: GET /api/me basic=reports:good-password -> 200
		rest: GET /api/me basic=reports:other -> 401
		dave: POST /login DAVE wrong -> 401
	`)
	if err := h.logins.Block(t.Context(), "4", "Root Admin"); err != nil {
		t.Fatal(err)
	}
	h.Users.Fail(errors.New("table of users is gone"))
	h.tell(`alice: POST /login alice good-password -> 503`)
	formats := map[string]audit.Format{}
	for _, name := range []string{"datadog", "datadog-ids", "ecs", "ocsf", "json"} {
		formats[name], _ = audit.FormatByName(name)
	}
	followed := 0
	for _, e := range h.Audit.Events() {
		if e.User == audit.Pseudonym(key, "alice") {
			followed++
		}
		for format, render := range formats {
			line := strings.ToLower(string(render(nil, e)))
			for _, name := range []string{"henk", "alice", "sam@", `"sam"`, `"reports"`, "dave", "root admin", "+3160"} {
				if strings.Contains(line, name) {
					t.Errorf("%s: %q stands in %s", format, name, line)
				}
			}
		}
	}
	if followed < 5 {
		t.Errorf("%d events of alice can be followed", followed)
	}
}

func TestNoSecretIsInAnyAuditLine_I21(t *testing.T) {
	h := found(t)
	h.tell(`
		keep code = totp
		alice: POST /login alice good-password -> 303 /login/verify
		alice: POST /login/verify wrong -> 401
		alice: POST /login/verify totp -> 303 /account
		sam: POST /login sam good-password -> 303 /login/verify
		sam: POST /login/verify sms:sam -> 303 /account
		rest: GET /api/me basic=reports:good-password -> 200
		rest: GET /api/me basic=reports:other-secret -> 401
	`)
	hidden := []string{password, "other-secret", h.kept["code"], h.value("sms:sam"), secrets["alice"], h.paper[0]}
	for _, p := range h.people {
		hidden = append(hidden, slices.Collect(maps.Values(p.cookies))...)
	}
	for _, format := range []string{"datadog", "ecs", "ocsf", "json"} {
		render, _ := audit.FormatByName(format)
		for _, e := range h.Audit.Events() {
			for _, line := range []string{string(render(nil, e)), fmt.Sprintf("%+v", e)} {
				for _, s := range hidden {
					if s != "" && strings.Contains(line, s) {
						t.Errorf("%s: %q stands in %s", format, s, line)
					}
				}
			}
		}
	}
}

// The house matches its plan: who may import what, read from the source.

const module = "github.com/sallyport-go/sallyport"

// listed is what the go tool says of a package.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
}

// house lists packages by the go tool.
func house(t *testing.T, arguments ...string) map[string]listed {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the go tool is not here, and with CI=true the house must be looked at")
		}
		t.Skip("the go tool is not here")
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Standard,Imports"}, arguments...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal("go list:", err)
	}
	all := map[string]listed{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
	return all
}

// room is the name of one of our packages within the module.
func room(importPath string) (name string, ours bool) {
	name, ours = strings.CutPrefix(importPath+"/", module+"/")
	return strings.TrimSuffix(name, "/"), ours
}

// third reports whether a package is neither ours nor the standard library's.
func third(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	_, ours := room(importPath)
	return strings.Contains(first, ".") && !ours
}

// doors says for each of our packages which others of ours it may import, by name or by the start of a name.
var doors = []struct {
	room string
	may  []string
}{
	{"audit", nil},
	{"audit/internal/label", []string{"audit"}},
	{"audit/prommetrics", []string{"audit", "audit/internal/"}},
	{"audit/otelmetrics", []string{"audit", "audit/internal/"}},
	{"challenge/texts", nil},
	{"challenge/challengetest", []string{"challenge", "audit"}},
	{"challenge/webauthn", []string{"challenge", "challenge/texts"}},
	{"challenge", []string{"audit", "challenge/texts"}},
	{"stores", []string{"challenge"}},
	{"stores/storetest", []string{"challenge"}},
	{"senders", []string{"challenge"}},
	{"senders/smtp", []string{"challenge"}},
	{"senders/sendertest", []string{"challenge"}},
	{"middleware/middlewaretest", []string{"middleware"}},
	{"middleware", []string{"challenge", "challenge/texts", "audit"}},
	{"examples/", []string{"audit", "challenge", "challenge/texts", "challenge/webauthn", "middleware", "stores", "senders", "senders/smtp", "examples/internal/"}},
}

// budget says which third-party packages each of ours may import. Everything else has none.
var budget = map[string][]string{
	"audit/prommetrics":             {"github.com/prometheus/client_golang"},
	"audit/otelmetrics":             {"go.opentelemetry.io/otel"},
	"challenge":                     {"github.com/pquerna/otp", "golang.org/x/crypto/argon2", "golang.org/x/crypto/bcrypt", "golang.org/x/text/secure/precis", "golang.org/x/text/unicode/norm"},
	"challenge/texts":               {"golang.org/x/text/language"},
	"challenge/webauthn":            {"github.com/go-webauthn/webauthn"},
	"middleware":                    {"github.com/alexedwards/scs/v2", "github.com/justinas/nosurf", "golang.org/x/time/rate"},
	"senders/smtp":                  {"github.com/wneessen/go-mail"},
	"examples/chi":                  {"github.com/go-chi/chi/v5"},
	"examples/internal/demo/apidoc": {"github.com/santhosh-tekuri/jsonschema/v6"},
	"examples/internal/demo":        {"github.com/redis/go-redis/v9", "github.com/jackc/pgx/v5", "github.com/go-sql-driver/mysql", "modernc.org/sqlite"},
}

// within reports whether an import path is one of a list or below one of it.
func within(importPath string, list []string) bool {
	return slices.ContainsFunc(list, func(s string) bool {
		return importPath == s || strings.HasPrefix(importPath, strings.TrimSuffix(s, "/")+"/")
	})
}

// faultsOf holds packages against doors and budget, and says what is wrong.
func faultsOf(packages map[string]listed) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	importers := map[string][]string{}
	for _, p := range packages {
		name, _ := room(p.ImportPath)
		i := slices.IndexFunc(doors, func(d struct {
			room string
			may  []string
		}) bool {
			return name == d.room || strings.HasSuffix(d.room, "/") && strings.HasPrefix(name, d.room)
		})
		if i < 0 {
			fault("%s has no place in the plan", name)
		}
		for _, imported := range p.Imports {
			other, ours := room(imported)
			switch {
			case ours && i >= 0 && !slices.ContainsFunc(doors[i].may, func(m string) bool {
				return other == m || strings.HasSuffix(m, "/") && strings.HasPrefix(other, m)
			}):
				fault("%s imports %s", name, other)
			case third(imported):
				importers[imported] = append(importers[imported], name)
				if !within(imported, budget[name]) {
					fault("%s imports %s, which is not in its budget", name, imported)
				}
			case imported == "net/http" && (name == "challenge" || name == "challenge/texts" || name == "audit" || name == "stores"):
				fault("%s imports net/http", name)
			}
		}
	}
	for imported, names := range importers {
		if len(names) > 1 {
			slices.Sort(names)
			fault("%s is imported by %s: one package wraps it for all", imported, strings.Join(names, " and "))
		}
	}
	slices.Sort(faults)
	return faults
}

func TestTheHouseMatchesItsPlan(t *testing.T) {
	packages := house(t, "./audit/...", "./challenge/...", "./stores/...", "./senders/...", "./middleware/...", "./examples/...")
	for _, name := range []string{"audit", "challenge", "stores", "senders", "middleware", "examples/stdlib", "examples/chi"} {
		if _, there := packages[module+"/"+name]; !there {
			t.Errorf("%s is not there", name)
		}
	}
	for _, f := range faultsOf(packages) {
		t.Error(f)
	}
}

func TestAHouseThatBreaksItsPlanIsFound(t *testing.T) {
	for _, c := range []struct{ room, imports, says string }{
		{"audit", module + "/challenge", "audit imports challenge"},
		{"audit", "golang.org/x/text/language", "audit imports golang.org/x/text/language, which is not in its budget"},
		{"challenge", "net/http", "challenge imports net/http"},
		{"challenge", module + "/stores", "challenge imports stores"},
		{"stores", module + "/senders", "stores imports senders"},
		{"stores", module + "/audit", "stores imports audit"},
		{"stores", "modernc.org/sqlite", "stores imports modernc.org/sqlite, which is not in its budget"},
		{"senders", module + "/stores", "senders imports stores"},
		{"senders", module + "/senders/smtp", "senders imports senders/smtp"},
		{"middleware", module + "/stores", "middleware imports stores"},
		{"middleware", "github.com/pquerna/otp/totp", "middleware imports github.com/pquerna/otp/totp, which is not in its budget"},
		{"helpers", "fmt", "helpers has no place in the plan"},
	} {
		p := listed{ImportPath: module + "/" + c.room, Imports: []string{c.imports}}
		if got := faultsOf(map[string]listed{p.ImportPath: p}); !slices.Equal(got, []string{c.says}) {
			t.Errorf("%s importing %s: %q, want %q", c.room, c.imports, got, c.says)
		}
	}
	twice := map[string]listed{}
	for _, name := range []string{"middleware", "middleware/middlewaretest"} {
		twice[name] = listed{ImportPath: module + "/" + name, Imports: []string{"golang.org/x/time/rate"}}
	}
	if got := faultsOf(twice); !slices.Contains(got, "golang.org/x/time/rate is imported by middleware and middleware/middlewaretest: one package wraps it for all") {
		t.Errorf("%q", got)
	}
}

func TestTheMachineCompilesNoHTTPServer(t *testing.T) {
	for _, name := range []string{"audit", "challenge", "stores"} {
		if _, there := house(t, "-deps", "./"+name)["net/http"]; there {
			t.Errorf("%s depends on net/http by way of another package", name)
		}
	}
	for p := range house(t, "-deps", "./audit") {
		if third(p) && !strings.HasPrefix(p, "vendor/") {
			t.Errorf("audit depends on %s", p)
		}
	}
}

// writers are calls that answer a request.
var writers = map[string]bool{"WriteHeader": true, "http.Error": true, "http.Redirect": true, "http.NotFound": true,
	"http.ServeFile": true, "http.ServeContent": true, "http.ServeFileFS": true, "http.NotFoundHandler": true, "http.RedirectHandler": true}

// written lists the calls in a file that answer a request. A method that is itself a WriteHeader passes one on.
func written(file *ast.File) (calls []string) {
	for _, d := range file.Decls {
		f, isFunction := d.(*ast.FuncDecl)
		if isFunction && f.Recv != nil && f.Name.Name == "WriteHeader" {
			continue
		}
		ast.Inspect(d, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			name := s.Sel.Name
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "http" {
				name = "http." + name
			}
			if writers[name] {
				calls = append(calls, name)
			}
			return true
		})
	}
	return calls
}

func TestOnlyRespondWritesResponses(t *testing.T) {
	files, err := fs.Glob(os.DirFS("middleware"), "*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files: did the package move? %v", len(files), err)
	}
	found := false
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path.Join("middleware", name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		calls := written(file)
		if strings.HasPrefix(name, "respond") {
			found = found || len(calls) > 0
			continue
		}
		for _, c := range calls {
			t.Errorf("middleware/%s calls %s", name, c)
		}
	}
	if !found {
		t.Error("respond.go answers nothing: is this check blind?")
	}
	for _, line := range []string{"w.WriteHeader(500)", "http.Error(w, s, 500)", "http.Redirect(w, r, s, 303)", "f = http.NotFound", "v.w.WriteHeader(1)"} {
		file, err := parser.ParseFile(token.NewFileSet(), "planted.go", "package middleware\nfunc (g *Group) guard() { "+line+" }", 0)
		if err != nil || len(written(file)) != 1 {
			t.Errorf("%q was not seen: %v", line, err)
		}
	}
}

// unseenSkips are the functions that leave a test out and do not look whether CI=true says that it must run. What the race
// detector cannot measure is run without it, too.
func unseenSkips(file *ast.File) (names []string) {
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		var skips, looks bool
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				skips = skips || slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, n.Sel.Name)
			case *ast.BasicLit:
				looks = looks || n.Value == `"CI"` || strings.HasPrefix(n.Value, `"the race detector`)
			}
			return true
		})
		if skips && !looks {
			names = append(names, f.Name.Name)
		}
	}
	return names
}

func TestNothingIsLeftOutWhereCIMustRunIt(t *testing.T) {
	skipping := 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(name, filepath.Join("examples", "internal")) {
			return err // a kit leaves out what the store under test does not claim to do
		}
		raw, err := os.ReadFile(name)
		if err != nil || !strings.HasSuffix(name, ".go") || !bytes.Contains(raw, []byte(".Skip")) {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, raw, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		skipping++
		for _, f := range unseenSkips(file) {
			t.Errorf("%s: %s leaves tests out with CI=true", name, f)
		}
		return nil
	})
	if err != nil || skipping < 5 {
		t.Errorf("%d files leave tests out: is this check blind? %v", skipping, err)
	}
	planted, err := parser.ParseFile(token.NewFileSet(), "planted.go", `package p; func TestX(t *testing.T) { if testing.Short() { t.Skip("slow") } }`, 0)
	if err != nil || len(unseenSkips(planted)) != 1 {
		t.Errorf("a planted one was not seen: %v", err)
	}
}

// strangers are entries at the top that the plan does not have.
func strangers(root fs.FS) (names []string, err error) {
	entries, err := fs.ReadDir(root, ".")
	if err != nil {
		return nil, err
	}
	plan := []string{"go.mod", "go.sum", "middleware", "challenge", "stores", "senders", "audit", "examples", "README.md", "middleware_test.go",
		"LICENSE", "SECURITY.md", "CHANGELOG.md", "docs"}
	ignored := regexp.MustCompile(`^\.|^tmp$|\.(test|prof|out)$`) // .gitignore
	for _, e := range entries {
		if !slices.Contains(plan, e.Name()) && !ignored.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func TestTheTopLevelIsThePlans(t *testing.T) {
	names, err := strangers(os.DirFS("."))
	if err != nil || len(names) > 0 {
		t.Error(names, err)
	}
	examples, err := strangers(os.DirFS("examples"))
	if err != nil || !slices.Equal(examples, []string{"chi", "internal", "stdlib"}) {
		t.Error("examples holds", examples, err)
	}
	if names, _ := strangers(os.DirFS("middleware")); len(names) == 0 {
		t.Error("is this check blind?")
	}
}

// docs/rules.md lists the rules that comments and tests name, each with tests of its own.
func TestEveryRuleIsListedWithItsTests(t *testing.T) {
	page, err := os.ReadFile("docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]int{} // rules, by how often a test names them
	tests := map[string]bool{}
	number, test := regexp.MustCompile(`(?m)\bI-(\d\d)\b|^func Test(?:I\d\d)*I(\d\d)|_I(\d\d)\b`), regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err = filepath.WalkDir(".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		b, err := os.ReadFile(name)
		for _, m := range number.FindAllStringSubmatch(string(b), -1) {
			named[m[1]+m[2]+m[3]]++
		}
		for _, m := range test.FindAllStringSubmatch(string(b), -1) {
			tests[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	rules := regexp.MustCompile(`(?m)^\*\*I-(\d\d)\*\* `).FindAllStringSubmatchIndex(string(page), -1)
	if len(rules) != 24 {
		t.Errorf("docs/rules.md lists %d rules", len(rules))
	}
	for i, at := range rules {
		rule, end := string(page[at[2]:at[3]]), len(page)
		if rule != fmt.Sprintf("%02d", i+1) {
			t.Errorf("I-%s stands where I-%02d should", rule, i+1)
		}
		if i+1 < len(rules) {
			end = rules[i+1][0]
		}
		if named[rule] == 0 {
			t.Errorf("no test names I-%s", rule)
		}
		quoted := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(string(page[at[0]:end]), -1)
		if len(quoted) == 0 {
			t.Errorf("docs/rules.md has no test of I-%s", rule)
		}
		for _, m := range quoted {
			if !tests[m[1]] || !strings.Contains(m[1], "I"+rule) {
				t.Errorf("docs/rules.md: %s is no test of I-%s", m[1], rule)
			}
		}
	}
}
