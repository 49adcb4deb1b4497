package middleware_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/middleware"
	"github.com/sallyport-go/sallyport/stores"
)

// A single-page app logs in by JSON. Its session is a cookie that no script can read; every answer has the CSRF token for
// the next post.
func ExampleCookies() {
	kit := challengetest.New(challengetest.NewClock())
	kit.Users.Add(challenge.Account{ID: "3", Name: "carol", Email: "carol@example.com"}, "correct-horse-battery")
	logins, err := challenge.New(kit.Config(&stores.Memory{Clock: kit.Clock.Now}))
	if err != nil {
		panic(err)
	}
	web, err := middleware.New(logins, middleware.Config{})
	if err != nil {
		panic(err)
	}
	api := web.API(middleware.Cookies)
	mux := http.NewServeMux()
	mux.Handle("/api/login", api.Routes())
	mux.Handle("/api/login/", api.Routes())
	mux.Handle("/api/logout", api.Routes())
	mux.Handle("/api/notes", api.RequireSecondFactor(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, _ := middleware.Authenticated(r.Context())
		_, _ = fmt.Fprintf(w, `{"status":"notes of %s"}`, login.Username)
	})))

	// What the page's fetch does, and its browser.
	cookies, csrf := map[string]string{}, ""
	fetch := func(method, path, body string) {
		r := httptest.NewRequest(method, logins.Site().Origin+path, strings.NewReader(body))
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-CSRF-Token", csrf)
		}
		for name, value := range cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			cookies[c.Name] = c.Value
		}
		var answer struct {
			Status any
			CSRF   string `json:"csrf_token"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			panic(err)
		}
		if answer.CSRF != "" {
			csrf = answer.CSRF
		}
		fmt.Println(method, path, w.Code, answer.Status)
	}
	fetch("GET", "/api/login", "") // the first CSRF token
	fetch("POST", "/api/login", `{"username":"carol","password":"correct-horse-battery"}`)
	fetch("GET", "/api/notes", "")
	fetch("POST", "/api/login/verify", `{"code":"`+kit.Outbox.Code("carol@example.com")+`"}`)
	fetch("GET", "/api/notes", "")
	fetch("POST", "/api/notes", `{}`)
	csrf = "" // as when another site's page posts
	fetch("POST", "/api/notes", `{}`)
	fetch("GET", "/api/login", "") // after a reload
	fetch("POST", "/api/logout", "")
	fetch("GET", "/api/notes", "")
	// Output:
	// GET /api/login 200 anonymous
	// POST /api/login 200 second_factor_required
	// GET /api/notes 401 401
	// POST /api/login/verify 200 authenticated
	// GET /api/notes 200 notes of carol
	// POST /api/notes 200 notes of carol
	// POST /api/notes 403 403
	// GET /api/login 200 authenticated
	// POST /api/logout 200 logged_out
	// GET /api/notes 401 401
}

// A CORS middleware stands outside of ours, which treat OPTIONS like any method: a preflight carries no credentials. The
// origin stands in Config.TrustedOrigins, too, so that its pages may post.
func ExampleAPI_cors() {
	const shop = "https://shop.example"
	cors := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Add("Vary", "Origin")
			if r.Header.Get("Origin") == shop {
				h.Set("Access-Control-Allow-Origin", shop) // without Allow-Credentials: cookies stay at home
				h.Set("Access-Control-Expose-Headers", "Retry-After, WWW-Authenticate")
				if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
					h.Set("Access-Control-Allow-Methods", "GET, POST")
					h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-MFA-Code")
					h.Set("Access-Control-Max-Age", "600")
					w.WriteHeader(http.StatusNoContent)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
	web := exampleWeb(func(_ *challenge.Config, c *middleware.Config) { c.TrustedOrigins = []string{shop} })
	api := web.API()
	mux := http.NewServeMux()
	mux.Handle("/api/login", api.Routes())
	mux.Handle("/api/reports", api.RequireSecondFactor(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})))
	site := cors(mux)

	send := func(h http.Handler, method, path, origin, body string, header ...string) {
		r := httptest.NewRequest(method, "https://app.example"+path, strings.NewReader(body))
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Printf("%s %s %d %q\n", method, path, w.Code, w.Header().Get("Access-Control-Allow-Origin"))
	}
	preflight := []string{"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization"}
	send(site, "OPTIONS", "/api/reports", shop, "", preflight...)
	send(site, "GET", "/api/reports", shop, "", "Authorization", "Basic cmVwb3J0czpjb3JyZWN0LWhvcnNlLWJhdHRlcnk=")
	send(site, "POST", "/api/login", shop, `{"username":"ann","password":"wrong"}`, "Content-Type", "application/json")
	send(site, "OPTIONS", "/api/reports", shop, "") // no preflight
	send(site, "OPTIONS", "/api/reports", "https://evil.example", "", preflight...)
	send(site, "POST", "/api/login", "https://evil.example", `{"username":"ann","password":"wrong"}`, "Content-Type", "application/json")
	send(mux, "OPTIONS", "/api/reports", shop, "", preflight...) // without the CORS middleware
	// Output:
	// OPTIONS /api/reports 204 "https://shop.example"
	// GET /api/reports 204 "https://shop.example"
	// POST /api/login 401 "https://shop.example"
	// OPTIONS /api/reports 401 "https://shop.example"
	// OPTIONS /api/reports 401 ""
	// POST /api/login 403 ""
	// OPTIONS /api/reports 401 ""
}

// A service account exchanges its password for an access token, and sends that instead.
func ExampleAPI_Routes() {
	web := exampleWeb(func(c *challenge.Config, _ *middleware.Config) { c.AccessTokens = 5 * time.Minute })
	api := web.API()
	mux := http.NewServeMux()
	mux.Handle("/api/login/", api.Routes())
	mux.Handle("/api/reports", api.RequireSecondFactor(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, _ := middleware.Authenticated(r.Context())
		_, _ = fmt.Fprintln(w, "hello", login.Username)
	})))

	r := httptest.NewRequest("POST", "/api/login/token", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth("reports", "correct-horse-battery")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	var answer struct {
		Status    string
		Token     string
		ExpiresIn int `json:"expires_in"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		panic(err)
	}
	fmt.Println(w.Code, answer.Status, answer.ExpiresIn)

	w = get(mux, "/api/reports", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+answer.Token) })
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// 200 authenticated 300
	// 200 hello reports
}
