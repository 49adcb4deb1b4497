package middleware

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// forge posts the login form as another page, a tool or an old tab would.
func (b *browserClient) forge(token string, headers ...string) *http.Response {
	r := httptest.NewRequest("POST", site+"/login", strings.NewReader("username=dave&password="+password+"&csrf_token="+queryOf(token)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return b.send(r)
}

func TestAPostNeedsTheRightOriginAndToken_I24(t *testing.T) {
	for _, c := range []struct {
		name    string
		status  int
		token   bool
		headers []string
	}{
		{"the site's own page", 303, true, []string{"Origin", site, "Sec-Fetch-Site", "same-origin"}},
		{"an old browser with Origin only", 303, true, []string{"Origin", site}},
		{"an old browser with Referer only", 303, true, []string{"Referer", site + "/login"}},
		{"no token", 403, false, []string{"Origin", site, "Sec-Fetch-Site", "same-origin"}},
		{"another site", 403, true, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}},
		{"a sister host", 403, true, []string{"Origin", "https://www.app.example", "Sec-Fetch-Site", "same-site"}},
		{"the same host over http", 403, true, []string{"Origin", "http://app.example", "Sec-Fetch-Site", "cross-site"}},
		{"the same host over http, old browser", 403, true, []string{"Origin", "http://app.example"}},
		{"a sandboxed frame", 403, true, []string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}},
		{"no origin at all", 403, true, nil},
		{"a browser that says cross-site and ours", 403, true, []string{"Origin", site, "Sec-Fetch-Site", "cross-site"}},
		{"a browser that says same-origin and another", 403, true, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "same-origin"}},
		{"the site's own page that tells no referrer", 303, true, []string{"Origin", "null", "Sec-Fetch-Site", "same-origin"}},
		{"another site that names ours in Host", 403, true, []string{"Origin", "https://evil.example"}},
	} {
		b := found(t).browser()
		b.get("/login")
		token := ""
		if c.token {
			token = between(t, b.page, `name="csrf_token" value="`, `"`)
		}
		if res := b.forge(token, c.headers...); res.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", c.name, res.StatusCode, c.status)
		}
		if c.status == 403 {
			b.wantEvents(audit.CrossSite)
		}
	}
}

func TestTheHostHeaderIsNotAnOrigin_I24(t *testing.T) {
	b := found(t).browser()
	b.get("/login")
	token := between(t, b.page, `name="csrf_token" value="`, `"`)
	r := httptest.NewRequest("POST", "http://evil.example/login", strings.NewReader("username=dave&password="+password+"&csrf_token="+queryOf(token)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://evil.example")
	if res := b.send(r); res.StatusCode != 403 {
		t.Error(res.StatusCode)
	}
}

func TestTheFirstOfTheTwoChecksDoesNotTrustTheHostHeaderEither_I24(t *testing.T) {
	f := found(t).web.forgery
	for _, host := range []string{"app.example", "evil.example"} {
		r := httptest.NewRequest("POST", "http://"+host+"/", nil)
		r.Header.Set("Origin", "https://evil.example")
		if f.checkOrigin(r) == nil {
			t.Error(host)
		}
		r.Header.Set("Origin", site)
		if err := f.checkOrigin(r); err != nil {
			t.Error(host, err)
		}
	}
}

func TestATrustedOriginMayPost(t *testing.T) {
	b := found(t, func(_ *challenge.Config, c *Config) { c.TrustedOrigins = []string{"https://shop.example"} }).browser()
	b.get("/login")
	token := between(t, b.page, `name="csrf_token" value="`, `"`)
	b.want(b.forge(token, "Origin", "https://shop.example", "Sec-Fetch-Site", "cross-site"), 303, "/account")
}

func TestATokenOfAnotherBrowserIsNone_I24(t *testing.T) {
	w := found(t)
	other := w.browser()
	other.get("/login")
	token := between(t, other.page, `name="csrf_token" value="`, `"`)
	b := w.browser()
	b.get("/login")
	b.want(b.forge(token, "Origin", site), 403, "")
	b.cookies[sessionCookie+"-csrf"] = other.cookies[sessionCookie+"-csrf"]
	b.want(b.forge(token, "Origin", site), 303, "/account")
}

func TestFieldsAreTakenOnceAndFromTheBodyOnly_I24(t *testing.T) {
	b := found(t).browser()
	b.get("/login")
	token := queryOf(between(t, b.page, `name="csrf_token" value="`, `"`))
	for name, c := range map[string]struct{ query, body string }{
		"the password in the address":       {"?password=" + password, "username=dave&csrf_token=" + token},
		"the token in the address":          {"?csrf_token=" + token, "username=dave&password=" + password},
		"the name twice":                    {"", "username=dave&username=alice&password=" + password + "&csrf_token=" + token},
		"a semicolon for an ampersand":      {"", "username=dave;password=" + password + "&csrf_token=" + token},
		"a broken escape":                   {"", "username=dave&password=%zz&csrf_token=" + token},
		"invalid UTF-8 in the name's value": {"", "username=%ff&password=x&csrf_token=" + token},
	} {
		r := httptest.NewRequest("POST", site+"/login"+c.query, strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", site)
		if res := b.send(r); res.StatusCode < 400 {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	for contentType, status := range map[string]int{"multipart/form-data; boundary=x": 415, "text/plain": 415, "application/json": 415} {
		r := httptest.NewRequest("POST", site+"/login", strings.NewReader("x"))
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Origin", site)
		if res := b.send(r); res.StatusCode != status {
			t.Errorf("%s: %d", contentType, res.StatusCode)
		}
	}
	r := httptest.NewRequest("POST", site+"/login", strings.NewReader("username="+strings.Repeat("a", 17<<10)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	b.want(b.send(r), 413, "")
}

func TestAnAppsFormCarriesTheToken_I24(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) { c.MaxForm = 1000 })
	var got string
	w.mux.Handle("/account/note", w.web.RequireSecondFactor(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		got = r.PostFormValue("note")
		_, _ = rw.Write([]byte(`<input name="csrf_token" value="` + CSRFToken(r.Context()) + `">`))
	})))
	b := w.browser().login()
	b.get("/account/note")
	b.want(b.post("/account/note", "note", "hello"), 200, "")
	if got != "hello" {
		t.Errorf("the form did not arrive: %q", got)
	}
	got = ""
	b.want(b.post("/account/note", "note", "hello", "csrf_token", "x"), 403, "")
	b.get("/account/note")
	b.want(b.post("/account/note", "note", strings.Repeat("a", 2000)), 413, "")
	if got != "" {
		t.Error("the handler was called")
	}
	// With the header the body is the handler's alone, whatever its size and type.
	b.get("/account/note")
	r := httptest.NewRequest("PUT", site+"/account/note", strings.NewReader(strings.Repeat("a", 5000)))
	r.Header.Set("X-CSRF-Token", between(t, b.page, `value="`, `"`))
	r.Header.Set("Origin", site)
	b.want(b.send(r), 200, "")
}

func TestAWebSocketOfAnotherSiteIsRefused_I24(t *testing.T) {
	b := found(t).browser().login()
	for origin, status := range map[string]int{site: 200, "https://evil.example": 403, "https://www.app.example": 403} {
		r := httptest.NewRequest("GET", site+"/account", nil)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Origin", origin)
		if res := b.send(r); res.StatusCode != status {
			t.Errorf("%s: %d", origin, res.StatusCode)
		}
	}
}

func TestAnUpgradeHeaderDoesNotReplaceTheToken_I24(t *testing.T) {
	b := found(t).browser().login()
	r := httptest.NewRequest("POST", site+"/account", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Origin", site)
	b.want(b.send(r), 403, "")
}

func TestABodyWithoutALengthIsLimitedToo(t *testing.T) {
	w := found(t)
	for _, h := range []http.Handler{w.mux, w.web.RateLimit(ByAccount)(w.mux)} {
		r := httptest.NewRequest("POST", site+"/api/login", strings.NewReader(`{"username":"`+strings.Repeat("a", 17<<10)+`","password":"x"}`))
		r.Header.Set("Content-Type", "application/json")
		r.ContentLength = -1
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != 413 {
			t.Error(rec.Code)
		}
	}
}
