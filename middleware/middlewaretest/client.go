package middlewaretest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
)

// Client is a browser that nobody has logged in with: a cookie jar, and the headers that browsers send beside a form. It
// talks to the handler without a network, for URLs that begin with App.Site, and follows redirects as every http.Client does.
func (a App) Client() *http.Client {
	jar, _ := cookiejar.New(nil) // it never fails
	return &http.Client{Jar: jar, Transport: inProcess{a.Handler, a.Site, address()}}
}

// inProcess is a transport that calls a handler.
type inProcess struct {
	handler http.Handler
	site    string
	address string
}

// RoundTrip hands r to the handler as a server would.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme+"://"+r.URL.Host != t.site {
		return nil, fmt.Errorf("middlewaretest: %s is not on %s", r.URL, t.site)
	}
	in := r.Clone(r.Context())
	in.RequestURI, in.URL.Scheme, in.URL.Host = r.URL.RequestURI(), "", ""
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.RemoteAddr = t.address
	if r.URL.Scheme == "https" {
		in.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if in.Header.Get("Sec-Fetch-Site") == "" && in.Header.Get("Origin") == "" && r.Method != http.MethodGet && r.Method != http.MethodHead {
		in.Header.Set("Origin", t.site)
		in.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	rec := httptest.NewRecorder()
	t.handler.ServeHTTP(rec, in)
	res := rec.Result()
	res.Request = r
	return res, nil
}

// Login logs a new browser in, through the app's own pages, with App.Code.
func Login(t TB, a App) *http.Client {
	t.Helper()
	a = a.complete(t)
	if a.Code == nil {
		t.Fatalf("middlewaretest: App.Code is needed to log in wholly")
	}
	client := LoginHalfway(t, a)
	page := a.page(t, client, a.Paths.Verify)
	status, location := a.post(t, client, a.Paths.Verify, FillIn(page, "code", a.Code()))
	if status != http.StatusSeeOther || path(location) == a.Paths.Verify || path(location) == a.Paths.Login {
		t.Fatalf("middlewaretest: the code of %s was answered %d %s: is it right and new? (a code works once, and the next one is sent after ResendAfter: let the clock advance a minute between two logins)", a.Username, status, location)
	}
	return client
}

// LoginHalfway shows the password of App.Username in a new browser, and no code: what comes out of it is nobody.
func LoginHalfway(t TB, a App) *http.Client {
	t.Helper()
	a = a.complete(t)
	client := a.Client()
	page := a.page(t, client, a.Paths.Login)
	status, location := a.post(t, client, a.Paths.Login, FillIn(page, "username", a.Username, "password", a.Password))
	if status != http.StatusSeeOther || path(location) != a.Paths.Verify {
		t.Fatalf("middlewaretest: the password of %s was answered %d %s, not 303 %s: is it right, and does the account need a second factor?",
			a.Username, status, location, a.Paths.Verify)
	}
	return client
}

// LoginAPI logs in by the JSON routes and returns the bearer token.
func LoginAPI(t TB, a App) (token string) {
	t.Helper()
	a = a.complete(t)
	if a.Code == nil {
		t.Fatalf("middlewaretest: App.Code is needed to log in wholly")
	}
	status, answer := a.call(t, a.Paths.API+"/login/verify", a.halfwayAPI(t), map[string]string{"code": a.Code()})
	token, _ = answer["token"].(string)
	if status != http.StatusOK || token == "" {
		t.Fatalf("middlewaretest: the code of %s was answered %d %v: is it right and new? (a code works once, and the next one is sent after ResendAfter: let the clock advance a minute between two logins)", a.Username, status, answer["type"])
	}
	return token
}

// halfwayAPI returns the token of a pending login.
func (a App) halfwayAPI(t TB) string {
	t.Helper()
	status, answer := a.call(t, a.Paths.API+"/login", "", map[string]string{"username": a.Username, "password": a.Password})
	token, _ := answer["token"].(string)
	if status != http.StatusOK || answer["status"] == "authenticated" || token == "" {
		t.Fatalf("middlewaretest: the password of %s was answered %d %v %v at %s/login: is it right, and does the account need a second factor?",
			a.Username, status, answer["status"], answer["type"], a.Paths.API)
	}
	return token
}

func path(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	return u.Path
}

// page gets a page, without following redirects.
func (a App) page(t TB, client *http.Client, path string) string {
	t.Helper()
	res, err := stay(client).Get(a.Site + path)
	if err != nil {
		t.Fatalf("middlewaretest: GET %s: %v", path, err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("middlewaretest: GET %s was answered %d %s: are App.Site and App.Paths those of the app?", path, res.StatusCode, res.Header.Get("Location"))
	}
	return string(body)
}

func (a App) post(t TB, client *http.Client, path string, form url.Values) (status int, location string) {
	t.Helper()
	res, err := stay(client).PostForm(a.Site+path, form)
	if err != nil {
		t.Fatalf("middlewaretest: POST %s: %v", path, err)
	}
	return res.StatusCode, res.Header.Get("Location")
}

func (a App) call(t TB, path, token string, object map[string]string) (status int, answer map[string]any) {
	t.Helper()
	body, _ := json.Marshal(object) // strings
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, a.Site+path, bytes.NewReader(body))
	if err != nil {
		t.Fatalf("middlewaretest: %v", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := inProcess{a.Handler, a.Site, address()}.RoundTrip(r)
	if err != nil {
		t.Fatalf("middlewaretest: POST %s: %v", path, err)
	}
	_ = json.NewDecoder(res.Body).Decode(&answer) // what is no JSON has no token
	return res.StatusCode, answer
}

// stay is the client without following redirects.
func stay(c *http.Client) *http.Client {
	once := *c
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &once
}

var (
	input     = regexp.MustCompile(`(?is)<input\b[^>]*>`)
	attribute = regexp.MustCompile(`(?is)[\s"'/](type|name|value)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))`)
)

// FillIn is the form of a page: its hidden fields, the CSRF token among them, and what somebody fills in, given as pairs of
// name and value. Of hidden fields that several forms of a page share by name, the first counts.
func FillIn(page string, pairs ...string) url.Values {
	form := url.Values{}
	for _, tag := range input.FindAllString(page, -1) {
		field := map[string]string{}
		for _, m := range attribute.FindAllStringSubmatch(tag, -1) {
			field[strings.ToLower(m[1])] = html.UnescapeString(m[2] + m[3] + m[4])
		}
		if strings.EqualFold(field["type"], "hidden") && field["name"] != "" && !form.Has(field["name"]) {
			form.Set(field["name"], field["value"])
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

// CSRFToken is the token in a page's form, or empty.
func CSRFToken(page string) string { return FillIn(page).Get("csrf_token") }
