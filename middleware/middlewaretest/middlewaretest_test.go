package middlewaretest_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/pquerna/otp/totp"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/middleware"
	"github.com/sallyport-go/sallyport/middleware/middlewaretest"
	"github.com/sallyport-go/sallyport/stores"
)

const (
	site     = "https://acme.example"
	password = "correct-horse-battery"
	secret   = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
)

// who is an app's page: it says who is there, with a form.
var who = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	name := "nobody"
	if login, ok := middleware.Authenticated(r.Context()); ok {
		name = login.Username
	}
	fmt.Fprintf(w, `<p>hello %s</p><form><input type="hidden" name="csrf_token" value="%s"/></form>`, name, middleware.CSRFToken(r.Context()))
})

// house is an app before its routes are mounted.
type house struct {
	*challengetest.Kit
	web *middleware.Web
	api *middleware.API
	mux *middlewaretest.Mux
}

// build makes a sound app, and lets a test add to it.
func build(t testing.TB, more func(*house)) middlewaretest.App {
	t.Helper()
	h := &house{Kit: challengetest.New(challengetest.NewClock()), mux: new(middlewaretest.Mux)}
	h.Users.Add(challenge.Account{ID: "1", Name: "alice"}, password)
	c := h.Config(&stores.Memory{Clock: h.Clock.Now})
	c.Site = site
	logins, err := challenge.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := logins.ImportTOTP(t.Context(), "1", secret, "phone"); err != nil {
		t.Fatal(err)
	}
	if h.web, err = middleware.New(logins, middleware.Config{}); err != nil {
		t.Fatal(err)
	}
	h.api = h.web.API()
	h.mux.Handle("/{$}", h.web.Sessions(who))
	h.mux.Handle("/static/", who)
	h.mux.Handle("/login", h.web.Pages())
	h.mux.Handle("/login/", h.web.Pages())
	h.mux.Handle("/logout", h.web.Pages())
	h.mux.Handle("/api/login", h.api.Routes())
	h.mux.Handle("/api/login/", h.api.Routes())
	h.mux.Handle("/api/logout", h.api.Routes())
	h.mux.Handle("GET /api/me", h.api.RequireSecondFactor(who))
	h.mux.Handle("/account", h.web.RequireSecondFactor(who))
	h.mux.Handle("/account/orders/{id}", h.web.RequireSecondFactor(who))
	h.mux.Handle("POST /account/transfer", h.web.RequireFresh(5*time.Minute)(who))
	h.mux.Handle("/files/", h.web.RequireFactor("totp")(who))
	if more != nil {
		more(h)
	}
	return middlewaretest.App{
		Handler:  h.web.AuditLog(h.web.RateLimit(middleware.ByClient)(h.mux)),
		Site:     site,
		Username: "alice", Password: password,
		Code:   func() string { return code(t, h.Clock) },
		Routes: h.mux.Routes(),
		Public: []string{"/{$}", "/static/"},
	}
}

func code(t testing.TB, clock *challengetest.Clock) string {
	t.Helper()
	clock.Advance(30 * time.Second) // a code works once
	c, err := totp.GenerateCode(secret, clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// jury hears what the kit says instead of the test.
type jury struct {
	faults []string
	fatal  bool
}

func (*jury) Helper() {}
func (j *jury) Errorf(format string, args ...any) {
	j.faults = append(j.faults, fmt.Sprintf(format, args...))
}
func (j *jury) Fatalf(format string, args ...any) {
	j.Errorf(format, args...)
	j.fatal = true
	runtime.Goexit()
}

// verdict is what the kit says of an app.
func verdict(f func(middlewaretest.TB)) *jury {
	j := new(jury)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(j)
	}()
	<-done
	return j
}

func check(a middlewaretest.App) *jury {
	return verdict(func(t middlewaretest.TB) { middlewaretest.Check(t, a) })
}

func TestASoundAppPasses_I02(t *testing.T) {
	if j := check(build(t, nil)); len(j.faults) > 0 {
		t.Error(strings.Join(j.faults, "\n"))
	}
}

func TestPlantedFaultsAreFound_I02(t *testing.T) {
	for name, fault := range map[string]struct {
		pattern string
		plant   func(*house) http.Handler
		says    string
	}{
		"a route that forgets the guard": {"/admin", func(h *house) http.Handler {
			return who
		}, "somebody who shows nothing (cookie) got 200"},
		"a route guarded by RequirePassword by mistake": {"/admin", func(h *house) http.Handler {
			return h.web.RequirePassword(who)
		}, "half a login (cookie) is answered differently: status 200, not 303"},
		"an API route guarded by RequirePassword by mistake": {"/api/admin", func(h *house) http.Handler {
			return h.api.RequirePassword(who)
		}, "half a login (bearer token) is answered differently: status 200, not 401"},
		"a header for pending clients only": {"/admin", func(h *house) http.Handler {
			guarded := h.web.RequireSecondFactor(who)
			return h.web.Sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c, err := r.Cookie("__Host-sallyport"); err == nil && c.Value != "" {
					w.Header().Set("X-Welcome-Back", "yes")
				}
				guarded.ServeHTTP(w, r)
			}))
		}, `header X-Welcome-Back is ["yes"], not []`},
		"a public page that greets pending clients": {"/static/hello", func(h *house) http.Handler {
			return h.web.Sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				if _, err := r.Cookie("__Host-sallyport"); err == nil {
					_, _ = io.WriteString(w, "welcome back")
				}
			}))
		}, `body "welcome back", not ""`},
		"OPTIONS answered in front of the guard": {"/admin", func(h *house) http.Handler {
			return except("OPTIONS", h.web.RequireSecondFactor(who))
		}, "OPTIONS /admin: somebody who shows nothing"},
		"HEAD answered in front of the guard": {"/admin", func(h *house) http.Handler {
			return except("HEAD", h.web.RequireSecondFactor(who))
		}, "HEAD /admin: somebody who shows nothing"},
		"a guard on GET only": {"/admin", func(h *house) http.Handler {
			guarded := h.web.RequireSecondFactor(who)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "GET" {
					guarded.ServeHTTP(w, r)
					return
				}
				who(w, r)
			})
		}, "POST /admin: somebody who shows nothing"},
		"a guard that compares methods by upper case": {"/admin", func(h *house) http.Handler {
			return except("get", h.web.RequireSecondFactor(who))
		}, "get /admin: somebody who shows nothing"},
		"a guard that compares paths": {"/admin/", func(h *house) http.Handler {
			guarded := h.web.RequireSecondFactor(who)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/admin/" || r.URL.Path == "/admin/1" {
					guarded.ServeHTTP(w, r)
					return
				}
				who(w, r)
			})
		}, "somebody who shows nothing"},
		"a guard that lets upgrades through": {"/admin", func(h *house) http.Handler {
			guarded, pending := h.web.RequireSecondFactor(who), h.web.RequirePassword(who)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Upgrade") != "" {
					pending.ServeHTTP(w, r)
					return
				}
				guarded.ServeHTTP(w, r)
			})
		}, "GET /admin as a WebSocket: half a login"},
		"a form that a pending login may post": {"POST /admin", func(h *house) http.Handler {
			guarded, pending := h.web.RequireSecondFactor(who), h.web.RequirePassword(who)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Sec-Fetch-Site") == "same-origin" {
					pending.ServeHTTP(w, r)
					return
				}
				guarded.ServeHTTP(w, r)
			})
		}, "POST /admin with a form: half a login"},
		"a route that is not there": {"/admin", func(h *house) http.Handler {
			return http.NotFoundHandler()
		}, "an anonymous client got 404"},
		"a redirect that is no guard": {"/admin", func(h *house) http.Handler {
			return http.RedirectHandler("/elsewhere", http.StatusSeeOther)
		}, "was not sent to log in"},
		"what looks like a CSRF token and is none": {"/static/id", func(h *house) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				id := make([]byte, 64)
				_, _ = rand.Read(id)
				fmt.Fprintf(w, "<p>%s</p>", base64.StdEncoding.EncodeToString(id))
			})
		}, "is answered differently: body"},
		"a cookie for pending clients only": {"/admin", func(h *house) http.Handler {
			guarded := h.web.RequireSecondFactor(who)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := r.Cookie("__Host-sallyport"); err == nil {
					w.Header().Add("Set-Cookie", "half=yes")
				}
				guarded.ServeHTTP(w, r)
			})
		}, "is answered differently: another Set-Cookie"},
		"a handler that panics for pending clients": {"/admin", func(h *house) http.Handler {
			guarded := h.web.RequireSecondFactor(who)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				guarded.ServeHTTP(w, r)
				if _, err := r.Cookie("__Host-sallyport"); err == nil {
					panic(http.ErrAbortHandler)
				}
			})
		}, "is answered differently: header Aborted"},
		"a route that ends pending logins": {"/static/bye", func(h *house) http.Handler {
			cancel := h.api.Routes()
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "BREW" && r.Header.Get("Authorization") != "" {
					r.Method, r.URL.Path = "POST", "/api/login/cancel"
					cancel.ServeHTTP(discard{}, r)
				}
			})
		}, "the pending login (bearer token) ended during the walk"},
	} {
		t.Run(name, func(t *testing.T) {
			a := build(t, func(h *house) { h.mux.Handle(fault.pattern, fault.plant(h)) })
			a.Routes, a.Public = []string{fault.pattern, "GET /account"}, nil
			if strings.Contains(fault.pattern, "/static/") {
				a.Public = []string{fault.pattern}
			}
			j := check(a)
			if all := strings.Join(j.faults, "\n"); !strings.Contains(all, fault.says) {
				t.Errorf("the kit said %q, not %q", all, fault.says)
			}
			for _, f := range j.faults {
				if strings.HasPrefix(f, "route ") && !strings.HasPrefix(f, "route "+fault.pattern+" ") {
					t.Error("and it blamed another route:", f)
				}
			}
		})
	}
}

// except lets one method past a guard.
func except(method string, guarded http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == method {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

func TestAGuardOutsideTheRouterThatComparesPathsIsFound_I02(t *testing.T) {
	a := build(t, nil)
	inner := http.NewServeMux()
	inner.Handle("/admin", who)
	inner.Handle("/admin/", who)
	app := a.Handler
	a.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/admin": // and what else the router takes for it stays open
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		case strings.HasPrefix(r.URL.Path, "/admin"):
			inner.ServeHTTP(w, r)
		default:
			app.ServeHTTP(w, r)
		}
	})
	a.Routes, a.Public = []string{"/admin"}, []string{"/{$}"}
	j := check(a)
	if all := strings.Join(j.faults, "\n"); !strings.Contains(all, "GET /admin/: somebody who shows nothing") {
		t.Error(all)
	}
}

func TestARouteThatNeverAnswersIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released := make(chan struct{})
		defer close(released)
		j := check(build(t, func(h *house) {
			h.mux.Handle("/hangs", h.web.Sessions(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-released })))
		}))
		if all := strings.Join(j.faults, "\n"); !j.fatal || !strings.Contains(all, "GET /hangs has no answer") {
			t.Errorf("fatal %v: %s", j.fatal, all)
		}
	})
}

func TestASetUpThatTestsNothingIsRefused(t *testing.T) {
	sound := build(t, nil)
	for name, c := range map[string]struct {
		change func(*middlewaretest.App)
		says   string
	}{
		"no handler":             {func(a *middlewaretest.App) { a.Handler = nil }, "App needs a Handler"},
		"no site":                {func(a *middlewaretest.App) { a.Site = "acme.example" }, "App needs a Handler and a Site"},
		"no routes":              {func(a *middlewaretest.App) { a.Routes, a.Public = nil, nil }, "nothing would be tested"},
		"what is no route":       {func(a *middlewaretest.App) { a.Routes = []string{"account"} }, `"account" is not a route`},
		"another site":           {func(a *middlewaretest.App) { a.Site = "http://acme.example" }, "was answered 403"},
		"a wrong password":       {func(a *middlewaretest.App) { a.Password = "wrong" }, "was answered 401"},
		"a login page elsewhere": {func(a *middlewaretest.App) { a.Paths.Login, a.Paths.API = "/signin", "/v1" }, "neither /signin nor /v1/login is there"},
	} {
		t.Run(name, func(t *testing.T) {
			a := sound
			c.change(&a)
			j := check(a)
			if !j.fatal || !strings.Contains(strings.Join(j.faults, "\n"), c.says) {
				t.Errorf("the kit said %q, not %q", j.faults, c.says)
			}
		})
	}
}

func TestCodePagesAreLeftOut(t *testing.T) {
	a := build(t, func(h *house) { h.mux.Handle("GET /code", h.web.RequirePassword(who)) })
	a.Routes, a.Public, a.CodePages = []string{"GET /code"}, nil, []string{"/code"}
	if j := check(a); len(j.faults) > 0 {
		t.Error(strings.Join(j.faults, "\n"))
	}
}

func TestWhatMayDifferIsMasked(t *testing.T) {
	n := 0
	a := build(t, func(h *house) {
		h.mux.Handle("/counter", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n++
			w.Header().Set("X-Count", fmt.Sprint(n))
			fmt.Fprintf(w, "visitor %d", n)
		}))
	})
	a.Routes, a.Public = nil, []string{"/counter"}
	if j := check(a); len(j.faults) != 1 {
		t.Errorf("a counter was not seen: %q", j.faults)
	}
	a.VolatileHeaders, a.VolatileBody = []string{"X-Count"}, digits
	if j := check(a); len(j.faults) > 0 {
		t.Error(strings.Join(j.faults, "\n"))
	}
}

func TestWhatASoundPageMayDo(t *testing.T) {
	page := template.Must(template.New("").Parse(`<input type="hidden" name="csrf_token" value="{{.}}"/>`))
	a := build(t, func(h *house) {
		h.mux.Handle("/form", h.web.Sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.web.Session.Put(r.Context(), "seen", true) // of a first visit it makes a session, and a cookie
			var body strings.Builder
			_ = page.Execute(&body, middleware.CSRFToken(r.Context())) // it escapes each + of the token
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
			if r.Method != http.MethodHead {
				_, _ = io.WriteString(w, body.String())
			}
		})))
	})
	a.Routes, a.Public = nil, []string{"/form"}
	for range 3 {
		if j := check(a); len(j.faults) > 0 {
			t.Fatal(strings.Join(j.faults, "\n"))
		}
	}
}

func TestAnEndedPendingLoginIsReplacedForTheNextRoute(t *testing.T) {
	a := build(t, func(h *house) {
		cancel := h.api.Routes()
		h.mux.Handle("/static/bye", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "BREW" && r.Header.Get("Authorization") != "" {
				r.Method, r.URL.Path = "POST", "/api/login/cancel"
				cancel.ServeHTTP(discard{}, r)
			}
		}))
		h.mux.Handle("/api/admin", h.api.RequirePassword(who))
	})
	a.Routes, a.Public = []string{"/static/bye", "/api/admin"}, []string{"/static/bye"}
	all := strings.Join(check(a).faults, "\n")
	for _, want := range []string{"ended during the walk", "GET /api/admin: half a login (bearer token) is answered differently: status 200, not 401"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in\n%s", want, all)
		}
	}
}

func TestAChiRouterIsWalkedWithoutAnAdapter(t *testing.T) {
	r := chi.NewRouter()
	a := build(t, func(h *house) {
		r.Get("/", h.web.Sessions(who).ServeHTTP)
		r.Mount("/login", h.web.Pages())
		r.Handle("/logout", h.web.Pages())
		r.Mount("/api/login", h.api.Routes())
		r.Handle("/api/logout", h.api.Routes())
		r.Route("/account", func(r chi.Router) {
			r.Use(h.web.RequireSecondFactor)
			r.Get("/", who)
			r.Get("/orders/{id:[0-9]+}", who)
			r.Post("/files/*", who)
			r.Get("/form", who) // for other methods chi names these two in random order
			r.Post("/form", who)
		})
		r.Get("/open", who)
	})
	a.Handler = r
	var routes middlewaretest.Routes
	if err := chi.Walk(r, routes.Walk); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"GET /{$}", "GET /account/{$}", "GET /account/orders/{id:[0-9]+}", "POST /account/files/"} {
		if !strings.Contains(strings.Join(routes, "\n")+"\n", want+"\n") {
			t.Errorf("%q is not among %q", want, routes)
		}
	}
	a.Routes = routes
	a.Public = []string{"/{$}"}
	j := check(a)
	if len(j.faults) != 1 || !strings.HasPrefix(j.faults[0], "route GET /open ") {
		t.Error(strings.Join(j.faults, "\n"))
	}
}

func TestClients(t *testing.T) {
	a := build(t, nil)
	page := func(c *http.Client, path string) string {
		t.Helper()
		res, err := c.Get(site + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		return string(body)
	}
	if p := page(middlewaretest.Login(t, a), "/account"); !strings.Contains(p, "hello alice") {
		t.Error(p)
	}
	if p := page(middlewaretest.LoginHalfway(t, a), "/account"); strings.Contains(p, "hello") {
		t.Error("I-02: half a login is somebody:", p)
	}
	half := middlewaretest.LoginHalfway(t, a)
	res, err := half.PostForm(site+"/login/verify", middlewaretest.FillIn(page(half, "/login/verify"), "code", a.Code()))
	if err != nil || res.Request.URL.Path != "/account" {
		t.Error(res.Request.URL, err)
	}
	r, _ := http.NewRequest("GET", site+"/api/me", nil)
	r.Header.Set("Authorization", "Bearer "+middlewaretest.LoginAPI(t, a))
	if res, err := a.Client().Do(r); err != nil || res.StatusCode != 200 {
		t.Error(res, err)
	}
	if _, err := a.Client().Get("https://other.example/"); err == nil {
		t.Error("a client left the site")
	}
	for range 25 { // more than the login rate lets one address do
		middlewaretest.Login(t, a)
	}
	for name, c := range map[string]func(*middlewaretest.App){
		"a wrong code": func(a *middlewaretest.App) { a.Code = func() string { return "000000" } },
		"no code":      func(a *middlewaretest.App) { a.Code = nil },
	} {
		a := a
		c(&a)
		for _, login := range []func(middlewaretest.TB){func(t middlewaretest.TB) { middlewaretest.Login(t, a) }, func(t middlewaretest.TB) { middlewaretest.LoginAPI(t, a) }} {
			if j := verdict(login); !j.fatal {
				t.Error(name, "logged in")
			}
		}
	}
}
