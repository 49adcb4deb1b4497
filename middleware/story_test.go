package middleware

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/stores"
)

const (
	password    = "correct-horse-battery"
	aliceSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	site        = "https://app.example"
)

// town is a site with a few accounts and every kind of route, and a network that people come in by.
type town struct {
	*challengetest.Kit
	t      testing.TB
	store  *watchedStore
	logins *challenge.Logins
	web    *Web
	api    *API
	spa    *API
	mux    *http.ServeMux
	root   http.Handler
	log    *bytes.Buffer
}

// watchedStore counts, and fails on demand.
type watchedStore struct {
	stores.Memory
	loads, swaps atomicInt
	failLoad     atomicErr
	failSwap     atomicErr
}

func (s *watchedStore) Load(ctx context.Context, key string) ([]byte, error) {
	s.loads.Add(1)
	if err := s.failLoad.get(); err != nil {
		return nil, err
	}
	return s.Memory.Load(ctx, key)
}

func (s *watchedStore) CompareAndSwap(ctx context.Context, key string, old, new []byte, end time.Time) (bool, error) {
	s.swaps.Add(1)
	if err := s.failSwap.get(); err != nil {
		return false, err
	}
	return s.Memory.CompareAndSwap(ctx, key, old, new, end)
}

func found(t testing.TB, change ...func(*challenge.Config, *Config)) *town {
	t.Helper()
	w := &town{Kit: challengetest.New(challengetest.NewClock()), t: t, mux: http.NewServeMux(), log: new(bytes.Buffer)}
	w.store = &watchedStore{}
	w.store.Memory.Clock = w.Clock.Now
	w.Users.Add(challenge.Account{ID: "1", Name: "alice"}, password)
	w.Users.Add(challenge.Account{ID: "3", Name: "carol", Email: "carol@example.com"}, password)
	w.Users.Add(challenge.Account{ID: "4", Name: "dave"}, password)
	w.Users.Add(challenge.Account{ID: "5", Name: "erin", Email: "erin@example.com"}, password)
	w.Users.Add(challenge.Account{ID: "6", Name: "sam", Email: "sam@example.com", Phone: "+31600000001"}, password)
	w.Users.Add(challenge.Account{ID: "7", Name: "reports", Service: true}, password)
	w.SetVerdict("4", challenge.Verdict{NotNeeded: true})
	w.SetVerdict("5", challenge.Verdict{Factors: []string{"totp", "recovery"}})
	c := w.Config(w.store)
	mc := Config{Logger: slog.New(slog.NewTextHandler(w.log, nil))}
	for _, f := range change {
		f(&c, &mc)
	}
	var err error
	if w.logins, err = challenge.New(c); err != nil {
		t.Fatal(err)
	}
	if err := w.logins.ImportTOTP(context.Background(), "1", aliceSecret, "phone"); err != nil {
		t.Fatal(err)
	}
	w.Audit.Take()
	if w.web, err = New(w.logins, mc); err != nil {
		t.Fatal(err)
	}
	w.api, w.spa = w.web.API(), w.web.API(Cookies)
	who := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if login, ok := Authenticated(r.Context()); ok {
			_, _ = io.WriteString(rw, "hello "+login.Username)
			return
		}
		_, _ = io.WriteString(rw, "hello nobody")
	})
	w.mux.Handle("/login", w.web.Pages())
	w.mux.Handle("/login/", w.web.Pages())
	w.mux.Handle("/logout", w.web.Pages())
	w.mux.Handle("/{$}", w.web.Sessions(who))
	w.mux.Handle("/account", w.web.RequireSecondFactor(who))
	w.mux.Handle("/account/", w.web.RequireSecondFactor(who))
	w.mux.Handle("/account/transfer", w.web.RequireFresh(5*time.Minute)(who))
	w.mux.Handle("/account/passkey", w.web.RequireFactor("passkey")(who))
	w.mux.Handle("/code", w.web.RequirePassword(who))
	w.mux.Handle("/api/login", w.api.Routes())
	w.mux.Handle("/api/login/", w.api.Routes())
	w.mux.Handle("/api/logout", w.api.Routes())
	w.mux.Handle("/api/", w.api.RequireSecondFactor(who))
	w.mux.Handle("/api/transfer", w.api.RequireFresh(5*time.Minute)(who))
	w.mux.Handle("/api/passkey", w.api.RequireFactor("passkey")(who))
	w.mux.Handle("/spa/api/login", http.StripPrefix("/spa", w.spa.Routes()))
	w.mux.Handle("/spa/api/login/", http.StripPrefix("/spa", w.spa.Routes()))
	w.mux.Handle("/spa/api/logout", http.StripPrefix("/spa", w.spa.Routes()))
	w.root = w.web.AuditLog(w.web.RateLimit(ByClient)(w.mux))
	return w
}

// browser is a person's browser: a cookie jar, and the headers that browsers send.
type browserClient struct {
	*town
	cookies map[string]string
	addr    string
	page    string // the last page
	at      string // the last redirect
}

func (w *town) browser() *browserClient {
	return &browserClient{town: w, cookies: map[string]string{}, addr: "192.0.2.10:4711"}
}

func (b *browserClient) send(r *http.Request) *http.Response {
	b.t.Helper()
	r.RemoteAddr = b.addr
	for name, v := range b.cookies {
		r.Header.Add("Cookie", name+"="+v)
	}
	rec := httptest.NewRecorder()
	b.root.ServeHTTP(rec, r)
	res := rec.Result()
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	body, _ := io.ReadAll(res.Body)
	b.page, b.at = string(body), res.Header.Get("Location")
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res
}

func (b *browserClient) get(target string) *http.Response {
	b.t.Helper()
	r := httptest.NewRequest("GET", site+target, nil)
	r.RequestURI = target
	r.Header.Set("Sec-Fetch-Site", "none")
	return b.send(r)
}

var style = regexp.MustCompile(`(?s)<style>.*</style>`)

var hidden = regexp.MustCompile(`name="(csrf_token|login)" value="([^"]*)"`)

// post fills in the form that the browser has last seen.
func (b *browserClient) post(target string, pairs ...string) *http.Response {
	b.t.Helper()
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(b.page, -1) {
		form.Set(m[1], unescape(m[2]))
	}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest("POST", site+target, strings.NewReader(form.Encode()))
	r.RequestURI = target
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", site)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.send(r)
}

func unescape(s string) string {
	return strings.NewReplacer("&#43;", "+", "&amp;", "&", "&#34;", `"`, "&#39;", "'").Replace(s)
}

func (b *browserClient) want(res *http.Response, status int, location string) {
	b.t.Helper()
	if res.StatusCode != status || res.Header.Get("Location") != location {
		b.t.Fatalf("got %d %q, want %d %q; log %s; page:\n%s", res.StatusCode, res.Header.Get("Location"), status, location, b.log, style.ReplaceAllString(b.page, ""))
	}
}

func (w *town) code() string {
	w.t.Helper()
	c, err := totp.GenerateCode(aliceSecret, w.Clock.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// login takes alice all the way.
func (b *browserClient) login() *browserClient {
	b.t.Helper()
	b.Clock.Advance(30 * time.Second)
	b.get("/login")
	b.want(b.post("/login", "username", "alice", "password", password), 303, "/login/verify")
	b.want(b.get("/login/verify"), 200, "")
	b.want(b.post("/login/verify", "code", b.code()), 303, "/account")
	return b
}

// dave logs in without a second factor.
func (b *browserClient) loginDave() *browserClient {
	b.t.Helper()
	b.get("/login")
	b.want(b.post("/login", "username", "dave", "password", password), 303, "/account")
	return b
}

const sessionCookie = "__Host-sallyport"

// call is a program's request.
func (w *town) call(method, target, token, body string, headers ...string) (int, map[string]any, http.Header) {
	w.t.Helper()
	r := httptest.NewRequest(method, site+target, strings.NewReader(body))
	r.RequestURI = target
	r.RemoteAddr = "198.51.100.7:80"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header[http.CanonicalHeaderKey(headers[i])] = append(r.Header[http.CanonicalHeaderKey(headers[i])], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.root.ServeHTTP(rec, r)
	var answer map[string]any
	_ = json.Unmarshal(rec.Body.Bytes(), &answer)
	if answer == nil {
		answer = map[string]any{"body": rec.Body.String()}
	}
	return rec.Code, answer, rec.Header()
}

// bearer logs alice in as a program.
func (w *town) bearer() string {
	w.t.Helper()
	w.Clock.Advance(30 * time.Second)
	status, a, _ := w.call("POST", "/api/login", "", `{"username":"alice","password":"`+password+`"}`)
	if status != 200 || a["status"] != "second_factor_required" {
		w.t.Fatal(status, a)
	}
	status, a, _ = w.call("POST", "/api/login/verify", a["token"].(string), `{"code":"`+w.code()+`"}`)
	if status != 200 || a["status"] != "authenticated" {
		w.t.Fatal(status, a)
	}
	return a["token"].(string)
}

func basicHeader(name, pw string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+pw))
}

func (w *town) wantEvents(names ...audit.Name) {
	w.t.Helper()
	got := w.Audit.Take()
	if len(got) != len(names) {
		w.t.Fatalf("events %v, want %v", got, names)
	}
	for i := range got {
		if got[i] != names[i] {
			w.t.Fatalf("events %v, want %v", got, names)
		}
	}
}
