package middleware

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// strictTown has every JSON route there is, for programs and for single-page apps.
func strictTown(t *testing.T) *town {
	w := home(t, withPasskeys, withAccess, func(c *challenge.Config, _ *Config) { c.Passwordless = "passkey" })
	w.mux.Handle("/spa/api/", http.StripPrefix("/spa", w.spa.Routes()))
	w.web.login.local, _ = newLimiter(time.Second, 100000, 10)
	w.root = w.mux
	return w
}

// jsonRoutes are those, each with a body that it reads.
var jsonRoutes = map[string]string{
	"/login":         `{"username":"x","password":"y"}`,
	"/login/verify":  `{"code":"123456"}`,
	"/login/enrol":   `{"code":"123456"}`,
	"/login/resend":  `{"method":"totp"}`,
	"/login/cancel":  `{"login":"x"}`,
	"/login/fresh":   `{"code":"123456"}`,
	"/login/passkey": `{"code":"key:x-00"}`,
}

// bodiless take a body with nothing in it.
var bodiless = []string{"/login/token", "/logout"}

func TestEveryJSONRouteReadsStrictly(t *testing.T) {
	w := strictTown(t)
	if got, want := len(jsonRoutes)+len(bodiless), strings.Count(routesOf(w.api), "\n"); got != want {
		t.Fatalf("%d routes are tested, there are %d", got, want)
	}
	send := func(path, body string, headers http.Header) int {
		r := httptest.NewRequest("POST", site+"/api"+path, strings.NewReader(body))
		r.RequestURI = "/api" + path
		maps.Copy(r.Header, headers)
		rec := httptest.NewRecorder()
		w.root.ServeHTTP(rec, r)
		return rec.Code
	}
	is := func(lines ...string) http.Header { return http.Header{"Content-Type": lines} }
	for path, good := range jsonRoutes {
		name, _, _ := strings.Cut(strings.TrimPrefix(good, "{"), ":")
		for what, c := range map[string]struct {
			want    int
			body    string
			headers http.Header
		}{
			"a name twice":               {400, strings.TrimSuffix(good, "}") + "," + good[1:], is("application/json")},
			"a name twice, escaped":      {400, strings.TrimSuffix(good, "}") + "," + `"\u` + "00" + hexOf(name[1]) + name[2:] + `:"z"}`, is("application/json")},
			"an unknown name":            {400, strings.TrimSuffix(good, "}") + `,"admin":"1"}`, is("application/json")},
			"a name in other case":       {400, `{` + strings.ToUpper(name) + `:"z"}`, is("application/json")},
			"a number":                   {400, `{` + name + `:1}`, is("application/json")},
			"null":                       {400, `{` + name + `:null}`, is("application/json")},
			"two objects":                {400, good + good, is("application/json")},
			"a list":                     {400, "[" + good + "]", is("application/json")},
			"invalid UTF-8":              {400, "{" + name + ":\"\xff\"}", is("application/json")},
			"two content types":          {415, good, is("application/json", "application/json")},
			"two in one":                 {415, good, is("application/json, application/json")},
			"a form's":                   {415, good, is("application/x-www-form-urlencoded")},
			"none":                       {415, good, http.Header{}},
			"another charset":            {415, good, is("application/json; charset=latin1")},
			"two charsets":               {415, good, is("application/json; charset=utf-8; charset=utf-16")},
			"17 KiB":                     {413, `{` + name + `:"` + strings.Repeat("1", 17<<10) + `"}`, is("application/json")},
			"two codes":                  {400, good, http.Header{"Content-Type": {"application/json"}, "X-Mfa-Code": {"123456", "123456"}}},
			"an empty code":              {400, good, http.Header{"Content-Type": {"application/json"}, "X-Mfa-Code": {""}}},
			"two credentials":            {401, good, http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer x", "Bearer x"}}},
			"two credentials in one":     {401, good, http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer x, Bearer y"}}},
			"an unknown credential":      {401, good, http.Header{"Content-Type": {"application/json"}, "Authorization": {"Digest x"}}},
			"a Basic credential":         {401, good, http.Header{"Content-Type": {"application/json"}, "Authorization": {basicHeader("reports", password)}}},
			"another site's request":     {403, good, http.Header{"Content-Type": {"application/json"}, "Sec-Fetch-Site": {"cross-site"}}},
			"an origin that is not ours": {403, good, http.Header{"Content-Type": {"application/json"}, "Origin": {"https://evil.example"}}},
			"two origins":                {403, good, http.Header{"Content-Type": {"application/json"}, "Origin": {site, site}}},
		} {
			if got := send(path, c.body, c.headers); got != c.want {
				t.Errorf("%s: %s: %d, want %d", path, what, got, c.want)
			}
		}
	}
	for _, path := range bodiless {
		for what, c := range map[string]struct {
			want    int
			body    string
			headers http.Header
		}{
			"a field":           {400, `{"x":"y"}`, is("application/json")},
			"two content types": {415, `{}`, is("application/json", "application/json")},
			"two codes":         {400, "", http.Header{"X-Mfa-Code": {"123456", "123456"}}},
			"two credentials":   {401, "", http.Header{"Authorization": {"Bearer x", "Bearer x"}}},
		} {
			if got := send(path, c.body, c.headers); got != c.want {
				t.Errorf("%s: %s: %d, want %d", path, what, got, c.want)
			}
		}
	}
}

func hexOf(c byte) string { return string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]) }

// routesOf lists the routes that exist, one a line.
func routesOf(a *API) (list string) {
	for _, path := range slices.Sorted(maps.Keys(a.routes())) {
		list += path + "\n"
	}
	return list
}

// Whatever stands beside it, a request acts as one principal or as none.
func TestARequestHasOnePrincipalOnEveryJSONRoute_I18(t *testing.T) {
	w := strictTown(t)
	b := w.browser().login()
	cookie := sessionCookie + "=" + b.cookies[sessionCookie]
	r, _ := http.NewRequest("GET", site+"/spa/api/login", nil)
	r.RequestURI = "/spa/api/login"
	b.send(r)
	csrf := []string{"Cookie", "__Host-sallyport-csrf=" + b.cookies["__Host-sallyport-csrf"], "X-CSRF-Token", between(t, b.page, `"csrf_token":"`, `"`), "Sec-Fetch-Site", "same-origin"}
	bearer := w.bearer()
	alive := func() bool {
		s1, _, _ := w.call("GET", "/api/me", "", "", "Cookie", cookie)
		s2, _, _ := w.call("GET", "/api/me", bearer, "")
		return s1 == 200 && s2 == 200
	}
	bodies := maps.Clone(jsonRoutes)
	for _, path := range bodiless {
		bodies[path] = "{}"
	}
	for path, body := range bodies {
		for what, headers := range map[string][]string{
			"two session cookies":             {"Cookie", cookie, "Cookie", cookie},
			"two session cookies in one line": {"Cookie", cookie + "; " + cookie},
			"a planted cookie before ours":    {"Cookie", sessionCookie + "=" + strings.Repeat("A", 43) + "; " + cookie},
		} {
			status, a, h := w.call("POST", "/spa/api"+path, "", body, append(csrf, headers...)...)
			if path == "/logout" || path == "/login/cancel" { // nothing to end: that is what was wanted
				continue
			}
			if status != 401 || a["token"] != nil || h.Get("Set-Cookie") != "" && strings.Contains(h.Get("Set-Cookie"), sessionCookie+"=") {
				t.Errorf("%s: %s: %d %v", path, what, status, a)
			}
		}
		if path == "/login/fresh" || path == "/logout" { // of any session: the Authorization header is the one that counts
			continue
		}
		for what, headers := range map[string][]string{
			"a bearer token beside a cookie": {"Cookie", cookie, "Authorization", "Bearer " + bearer},
			"Basic beside a cookie":          {"Cookie", cookie, "Authorization", basicHeader("reports", password)},
		} {
			if status, a, _ := w.call("POST", "/spa/api"+path, "", body, append(csrf, headers...)...); status != 401 || a["type"] != "urn:sallyport:problem:login-required" {
				t.Errorf("%s: %s: %d %v", path, what, status, a)
			}
		}
	}
	if !alive() {
		t.Fatal("one of these requests has ended a login")
	}
	if status, a, _ := w.call("POST", "/spa/api/logout", bearer, "", append(csrf, "Cookie", cookie)...); status != 200 {
		t.Fatal(status, a)
	}
	if s, _, _ := w.call("GET", "/api/me", "", "", "Cookie", cookie); s != 200 {
		t.Error("a logout by bearer token ended the cookie's login")
	}
	if s, _, _ := w.call("GET", "/api/me", bearer, ""); s != 401 {
		t.Error("a logout by bearer token ended nothing")
	}
}

// items is a list of one item of structured fields: a string with parameters (RFC 9651 sections 3.1.2, 3.3.1 and 3.3.3).
var items = regexp.MustCompile(`^"(?:[ !#-\[\]-~]|\\["\\])*"(?:; *[a-z*][a-z0-9_.*-]*=(?:-?[0-9]{1,15}|"(?:[ !#-\[\]-~]|\\["\\])*"))*$`)

func TestALimitTellsItsPolicy(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) { c.LoginRate = 2 })
	search, err := w.web.RateLimitRequests("search engine", ByClient, Rate{Requests: 1, Per: 90 * time.Second, Burst: 3})
	if err != nil {
		t.Fatal(err)
	}
	often, err := w.web.RateLimitRequests("often", ByClient, Rate{Requests: 1, Per: 1500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name          string
		h             http.Handler
		times         int
		method, path  string
		policy, limit string
	}{
		{"around everything", w.root, 3, "POST", "/api/login", `"login";q=2;w=60`, `"login";r=0;t=30`},
		{"of a route by itself", w.mux, 3, "POST", "/api/login", `"login";q=2;w=60`, `"login";r=0;t=30`},
		{"of the app's own", search(http.NotFoundHandler()), 4, "GET", "/s", `"search engine";q=1;w=90;sallyport-burst=3`, `"search engine";r=0;t=90`},
		{"of no whole seconds", often(http.NotFoundHandler()), 2, "GET", "/o", `"often";q=1`, `"often";r=0;t=2`},
	} {
		var rec *httptest.ResponseRecorder
		for i := range c.times {
			r := httptest.NewRequest(c.method, site+c.path, strings.NewReader(`{"username":"x","password":"y"}`))
			r.RequestURI = c.path
			r.Header.Set("Content-Type", "application/json")
			rec = httptest.NewRecorder()
			if c.h.ServeHTTP(rec, r); rec.Code == 429 && i < c.times-1 {
				break
			}
			if rec.Code != 429 && rec.Header().Get("RateLimit") != "" {
				t.Errorf("%s: %v on %d", c.name, rec.Header(), rec.Code)
			}
		}
		h := rec.Header()
		if rec.Code != 429 || h.Get("RateLimit-Policy") != c.policy || h.Get("RateLimit") != c.limit || !strings.HasSuffix(c.limit, ";t="+h.Get("Retry-After")) {
			t.Errorf("%s: %d %v", c.name, rec.Code, h)
		}
		for _, name := range []string{"RateLimit-Policy", "RateLimit"} {
			if !items.MatchString(h.Get(name)) {
				t.Errorf("%s: %s is no structured field: %s", c.name, name, h.Get(name))
			}
		}
	}
	for _, name := range []string{"", `a"b`, `a\b`, "é", "a\nb"} {
		if _, err := w.web.RateLimitRequests(name, ByClient, Rate{Requests: 1, Per: time.Second}); err == nil {
			t.Errorf("%q was taken for a name", name)
		}
	}
}
