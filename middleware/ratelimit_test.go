package middleware

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

func TestLoginPostsAreLimitedByClientBrowserAndProgramTogether(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) { c.LoginRate = 5 })
	b := w.browser()
	b.addr = "198.51.100.7:1" // the programs' address
	b.get("/login")
	for range 3 {
		b.want(b.post("/login", "username", "x", "password", "y"), 401, "")
	}
	for range 2 {
		if status, _, _ := w.call("POST", "/api/login", "", `{"username":"x","password":"y"}`); status != 401 {
			t.Fatal(status)
		}
	}
	w.Audit.Take()
	status, a, h := w.call("POST", "/api/login", "", `{"username":"x","password":"y"}`)
	if status != 429 || a["type"] != "urn:sallyport:problem:rate-limited" || h.Get("Retry-After") == "" {
		t.Error(status, a, h)
	}
	w.wantEvents(audit.LimitHit)
	b.want(b.post("/login", "username", "x", "password", "y"), 429, "")
	b.want(b.get("/login"), 200, "") // only credentials count
	if status, _, _ := w.call("POST", "//api/login", "", `{}`); status == 401 {
		t.Error("another spelling of the path is not limited:", status)
	}
	if status, _, _ := w.call("GET", "/api/me", "", "", "Authorization", basicHeader("reports", password)); status != 429 {
		t.Error("Basic that has to be verified:", status)
	}
	other := w.browser()
	other.get("/login")
	other.want(other.post("/login", "username", "x", "password", "y"), 401, "")
}

func TestKnownBasicCredentialsDoNotCount(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) { c.LoginRate = 3 })
	for i := range 30 {
		if status, a, _ := w.call("GET", "/api/me", "", "", "Authorization", basicHeader("reports", password)); status != 200 {
			t.Fatal(i, status, a)
		}
	}
	for range 2 {
		w.call("GET", "/api/me", "", "", "Authorization", basicHeader("reports", "wrong"))
	}
	if status, _, _ := w.call("GET", "/api/me", "", "", "Authorization", basicHeader("reports", "wrong")); status != 429 {
		t.Error(status)
	}
}

func TestRoutesLimitThemselvesWithoutARateLimitAround_I19(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) { c.LoginRate = 2 })
	w.root = w.mux
	for i, want := range []int{401, 401, 429} {
		if status, _, _ := w.call("POST", "/api/login", "", `{"username":"x","password":"y"}`); status != want {
			t.Error(i, status)
		}
	}
}

func TestAnOfficeBehindOneAddressIsNotStoppedByOneOfItsOwn_I11(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) { c.LoginRate = 5 })
	owner := w.browser().loginDave()
	stranger := w.browser()
	stranger.get("/login")
	for range 5 {
		stranger.post("/login", "username", "x", "password", "y")
	}
	stranger.want(stranger.post("/login", "username", "x", "password", "y"), 429, "")
	owner.get("/login")
	owner.want(owner.post("/login", "username", "dave", "password", password), 303, "/account")
	// The cookie helps its own account only, and it has a budget, too.
	stranger.cookies[sessionCookie+"-device"] = owner.cookies[sessionCookie+"-device"]
	stranger.want(stranger.post("/login", "username", "alice", "password", "y"), 429, "")
	for range 10 {
		stranger.post("/login", "username", "dave", "password", "y")
	}
	stranger.want(stranger.post("/login", "username", "dave", "password", "y"), 429, "")
}

// spent is a town whose posts from one address are used up by a neighbour of it.
func (w *town) spent(addr string) {
	w.t.Helper()
	stranger := w.browser()
	stranger.addr = addr
	stranger.get("/login")
	for range 50 {
		if stranger.post("/login", "username", "x", "password", "y").StatusCode == 429 {
			return
		}
	}
	w.t.Fatal("the address may post for ever")
}

func TestAnOfficeBehindOneAddressIsNotStoppedAtTheSecondStep_I11(t *testing.T) {
	for name, around := range map[string]bool{"behind RateLimit": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			w := found(t, func(_ *challenge.Config, c *Config) { c.LoginRate = 12 })
			if !around {
				w.root = w.mux
			}
			owner := w.browser()
			owner.get("/login")
			owner.want(owner.post("/login", "username", "carol", "password", password), 303, "/login/verify")
			owner.get("/login/verify")
			owner.want(owner.post("/login/verify", "code", w.Outbox.Code("carol@example.com")), 303, "/account")
			w.Clock.Advance(time.Minute)
			w.spent(owner.addr)

			owner.get("/login")
			owner.want(owner.post("/login", "username", "carol", "password", password), 303, "/login/verify")
			w.Clock.Advance(time.Minute)
			owner.get("/login/verify")
			owner.want(owner.post("/login/resend", "method", "email"), 303, "/login/verify")
			owner.get("/login/verify")
			owner.want(owner.post("/login/verify", "code", w.Outbox.Code("carol@example.com")), 303, "/account")
			w.Clock.Advance(time.Minute)
			owner.get("/login/fresh")
			owner.want(owner.post("/login/fresh", "code", w.Outbox.Code("carol@example.com")), 303, "/account")

			// The same by JSON, of a program that keeps the cookie.
			w.Clock.Advance(15 * time.Minute) // the limits on messages are others
			device := []string{"Cookie", sessionCookie + "-device=" + owner.cookies[sessionCookie+"-device"]}
			ask := func(path, token, body string) map[string]any {
				t.Helper()
				r := httptest.NewRequest("POST", site+path, strings.NewReader(body))
				r.RequestURI, r.RemoteAddr = path, owner.addr
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set(device[0], device[1])
				if token != "" {
					r.Header.Set("Authorization", "Bearer "+token)
				}
				rec := httptest.NewRecorder()
				w.root.ServeHTTP(rec, r)
				var answer map[string]any
				if _ = json.Unmarshal(rec.Body.Bytes(), &answer); rec.Code != 200 {
					t.Fatalf("%s: %d %s", path, rec.Code, rec.Body)
				}
				return answer
			}
			token := ask("/api/login", "", `{"username":"carol","password":"`+password+`"}`)["token"].(string)
			w.Clock.Advance(time.Minute)
			ask("/api/login/resend", token, "")
			token = ask("/api/login/verify", token, `{"code":"`+w.Outbox.Code("carol@example.com")+`"}`)["token"].(string)
			w.Clock.Advance(time.Minute)
			ask("/api/login/fresh", token, "")
			ask("/api/login/fresh", token, `{"code":"`+w.Outbox.Code("carol@example.com")+`"}`)

			// It is a budget, too, and it is there on that device only.
			limited := func(b *browserClient) bool {
				b.get("/login/fresh")
				return b.post("/login/fresh", "code", "000000").Header.Get("RateLimit") != ""
			}
			if limited(owner) {
				t.Error("the device's budget is too small: this test proves nothing")
			}
			stranger := w.browser() // with the owner's session, and no device
			stranger.cookies[sessionCookie] = owner.cookies[sessionCookie]
			if !limited(stranger) {
				t.Error("a login is enough, on whatever device")
			}
			for range 12 {
				if limited(owner) {
					return
				}
			}
			t.Error("the device may post for ever")
		})
	}
}

func TestAnAccountOfOnesOwnBuysNoGuessesAtOthers_I23(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) { c.LoginRate = 10 })
	own := w.browser().loginDave()
	w.spent(own.addr)
	guess := func(b *browserClient, target string, pairs ...string) int {
		b.get("/login")
		form := url.Values{"csrf_token": {between(t, b.page, `name="csrf_token" value="`, `"`)}}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		r := httptest.NewRequest("POST", site+target, strings.NewReader(form.Encode()))
		r.RequestURI = target
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", site)
		r.Header.Set("Authorization", basicHeader("dave", "x"))
		return b.send(r).StatusCode
	}
	for i := range 3 { // pages do not look at the header
		if got := guess(own, "/login", "username", fmt.Sprint("victim", i), "password", "guess"); got != 429 {
			t.Errorf("a guess at another name counts on one's own device: %d", got)
		}
	}
	// Nor is there more with each new device.
	posts := 0
	for range 50 {
		b := w.browser()
		b.cookies = maps.Clone(own.cookies)
		delete(b.cookies, sessionCookie)
		if guess(b, "/login", "username", "dave", "password", password) == 429 {
			break
		}
		posts++
		own.cookies[sessionCookie+"-device"] = b.cookies[sessionCookie+"-device"]
		if posts == 3 { // forgotten devices, such as a ninth login makes, are new ones
			if err := w.logins.ForgetDevices(context.Background(), "4", ""); err != nil {
				t.Fatal(err)
			}
			b = w.browser()
			b.addr = "203.0.113.77:1" // another client makes a new device known
			own.cookies[sessionCookie+"-device"] = b.loginDave().cookies[sessionCookie+"-device"]
		}
	}
	if posts != 10 {
		t.Errorf("an account's devices add %d posts to a client's 10, want 10", posts)
	}
}

func TestMadeUpTokensBeyondTheLimitAskNoStore_I23(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) { c.LoginRate = 5 })
	device := w.browser().loginDave().cookies[sessionCookie+"-device"]
	post := func(path, body string) int {
		r := httptest.NewRequest("POST", site+path, strings.NewReader(body))
		r.RemoteAddr = "198.51.100.7:80"
		r.Header.Set("Content-Type", "application/json")
		if path != "/api/login" {
			r.Header.Set("Authorization", "Bearer "+randomToken()[:43])
		}
		r.AddCookie(&http.Cookie{Name: w.web.cookies.session, Value: randomToken()[:43]})
		r.AddCookie(&http.Cookie{Name: w.web.cookies.device, Value: randomToken()[:43] + device[43:]})
		rec := httptest.NewRecorder()
		w.root.ServeHTTP(rec, r)
		return rec.Code
	}
	for range 5 {
		post("/api/login", `{"username":"x","password":"y"}`)
	}
	w.store.loads.Store(0)
	for path, body := range map[string]string{"/api/login": `{"username":"alice","password":"y"}`, "/api/login/verify": `{"code":"123456"}`, "/api/login/resend": "", "/api/login/fresh": ""} {
		if got := post(path, body); got != 429 || w.store.loads.Load() != 0 {
			t.Errorf("I-23: %s: %d, and %d loads", path, got, w.store.loads.Load())
		}
	}
}

func TestALimitByAccountReadsTheBodyAndLeavesItWhole(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) { c.LoginRate = 2 })
	w.root = w.web.RateLimit(ByAccount)(w.mux)
	for _, name := range []string{"alice", "Alice"} {
		if status, a, _ := w.call("POST", "/api/login", "", `{"username":"`+name+`","password":"`+password+`"}`); status != 200 {
			t.Fatal(status, a)
		}
	}
	if status, _, _ := w.call("POST", "/api/login", "", `{"username":"ALICE","password":"`+password+`"}`); status != 429 {
		t.Error(status)
	}
	if status, _, _ := w.call("POST", "/api/login", "", `{"username":"`+strings.Repeat("a", 20<<10)+`"}`); status != 413 {
		t.Error("a body that is too large:", status)
	}
}

func TestALimitByAccountCountsWhatNamesNobodyByClient(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) { c.LoginRate = 3 })
	w.root = w.web.RateLimit(ByAccount)(w.mux)
	owner := w.browser()
	owner.get("/login")
	owner.want(owner.post("/login", "username", "alice", "password", password), 303, "/login/verify")
	for range 5 { // somebody elsewhere, without any login
		w.call("POST", "/api/login/verify", "", `{"code":"123456"}`)
	}
	if status, _, _ := w.call("POST", "/api/login/verify", "", `{"code":"123456"}`); status != 429 {
		t.Error("who names nobody is not limited:", status)
	}
	owner.get("/login/verify")
	owner.want(owner.post("/login/verify", "code", owner.code()), 303, "/account")
}

func TestARequestThatShowsTwoNamesIsForNobody(t *testing.T) {
	w := found(t)
	for _, c := range []struct{ path, basic, kind, body, want string }{
		{"/login", "bob", "application/x-www-form-urlencoded", "username=Alice", "alice"},
		{"/api/login", "bob", "application/json", `{"username":"Alice","password":"x"}`, "alice"},
		{"/login", "bob", "text/plain", "username=alice", ""},
		{"/login/verify", "bob", "application/x-www-form-urlencoded", "username=alice&code=1", ""},
		{"/own", "Bob", "", "", "bob"},
		{"/own", "", "application/x-www-form-urlencoded", "username=alice", "alice"},
		{"/own", "bob", "application/x-www-form-urlencoded", "username=alice", ""},
		{"/own", "bob", "application/x-www-form-urlencoded", "username=BOB", "bob"},
	} {
		r := httptest.NewRequest("POST", c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.kind)
		if c.basic != "" {
			r.Header.Set("Authorization", basicHeader(c.basic, "x"))
		}
		if s := w.web.subject(r); s.Account() != c.want {
			t.Errorf("%s with Basic of %q and %s: %q, want %q", c.path, c.basic, c.body, s.Account(), c.want)
		}
	}
}

func TestALimitReadsTheSessionThatItsRouteReads(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) { c.Paths.Login = "/api/in" })
	out, err := w.logins.Password(context.Background(), challenge.Client{}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: "alice", Password: []byte(password)})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"/api/in/verify": true, "/api//in/verify": true, "/api/login/verify": false} {
		r := httptest.NewRequest("POST", path, nil)
		r.AddCookie(&http.Cookie{Name: w.web.cookies.session, Value: out.Token})
		r.Header.Set("Authorization", "Bearer "+randomToken()[:43])
		if got := w.web.sessionOf(r).Exists(); got != want {
			t.Errorf("%s beside a header: the cookie counts: %v", path, got)
		}
	}
}

func TestForwardedHeadersCountOnlyFromProxies_I22(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) {
		c.LoginRate, c.TrustedProxies = 1, []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	})
	ask := func(peer, forwarded string) int {
		r := httptest.NewRequest("POST", site+"/api/login", strings.NewReader(`{"username":"x","password":"y"}`))
		r.RemoteAddr = peer
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-For", forwarded)
		rec := httptest.NewRecorder()
		w.root.ServeHTTP(rec, r)
		return rec.Code
	}
	for i, want := range []int{401, 429, 429} {
		if got := ask("192.0.2.1:1", fmt.Sprintf("198.51.100.%d", i)); got != want {
			t.Error("a stranger's header counted:", got)
		}
	}
	for i := range 3 {
		if got := ask("203.0.113.9:1", fmt.Sprintf("198.51.100.%d", 100+i)); got != 401 {
			t.Error("a proxy's header did not count:", got)
		}
	}
	if got := w.Audit.Events()[0].Client.String(); got != "192.0.2.1" {
		t.Error(got)
	}
}

// wall is a shared limiter that can fail.
type wall struct {
	watchedStore
	taken int
	err   error
}

func (*wall) Volatile() bool { return false }

func (s *wall) Take(context.Context, string, time.Duration, int) (bool, time.Duration, error) {
	s.taken++
	return s.taken <= 3, 7 * time.Second, s.err
}

// lame is a shared store that cannot count.
type lame struct{ inner challenge.Store }

func (l lame) Load(ctx context.Context, key string) ([]byte, error) { return l.inner.Load(ctx, key) }
func (l lame) CompareAndSwap(ctx context.Context, key string, old, new []byte, end time.Time) (bool, error) {
	return l.inner.CompareAndSwap(ctx, key, old, new, end)
}

func TestASharedStoreCountsForAllProcesses(t *testing.T) {
	s := new(wall)
	w := found(t, func(c *challenge.Config, _ *Config) { s.Clock = c.Clock; c.Store = s })
	for i, want := range []int{401, 401, 401, 429} {
		status, _, h := w.call("POST", "/api/login", "", `{"username":"x","password":"y"}`)
		if status != want || status == 429 && h.Get("Retry-After") != "7" {
			t.Error(i, status, h)
		}
	}
	s.err = errTest // a stricter limit of this process: 20/4
	for i := range 5 {
		if status, _, _ := w.call("POST", "/api/login", "", `{"username":"x","password":"y"}`); status != 401 {
			t.Error(i, status)
		}
	}
	if status, _, _ := w.call("POST", "/api/login", "", `{"username":"x","password":"y"}`); status != 429 {
		t.Error("with the shared limit down nothing is limited:", status)
	}
}

func TestALimitOfTheAppsOwn(t *testing.T) {
	w := found(t)
	limit, err := w.web.RateLimitRequests("search", func(dst []byte, s *Subject) []byte { return append(dst, s.Request.URL.RawQuery...) }, Rate{Requests: 2, Per: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	h := limit(http.NotFoundHandler())
	for i, want := range []int{404, 404, 429} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", "/?a", nil))
		if rec.Code != want {
			t.Error(i, rec.Code)
		}
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/?b", nil))
	if rec.Code != 404 {
		t.Error(rec.Code)
	}
	for _, r := range []Rate{{}, {Requests: -1, Per: 1}, {Requests: 1}, {Requests: 1, Per: time.Hour, Burst: -1}} {
		if _, err := w.web.RateLimitRequests("x", ByClient, r); err == nil {
			t.Errorf("%+v was taken", r)
		}
	}
}

func TestARateLimitInFrontOfOtherRequestsCostsNothing(t *testing.T) {
	w := found(t)
	h := w.web.RateLimit(ByClient)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest("GET", "/account", nil)
	rw := discard{http.Header{}}
	if n := testing.AllocsPerRun(100, func() { h.ServeHTTP(rw, r) }); n != 0 {
		t.Error(n, "allocations")
	}
}

func TestALimitInTrialRefusesNothingAndSaysWhatItWouldHave(t *testing.T) {
	w := found(t)
	limit, err := w.web.RateLimitRequests("search", ByClient, Rate{Requests: 2, Per: time.Hour, ReportOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	h := limit(http.NotFoundHandler())
	for i := range 5 {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
		if rec.Code != 404 || rec.Header().Get("RateLimit-Policy") != "" || rec.Header().Get("Retry-After") != "" {
			t.Error(i, rec.Code, rec.Header())
		}
	}
	w.web.logins.WaitForReports()
	n := 0
	for _, e := range w.Audit.Events() {
		if e.Name == audit.LimitHit {
			t.Errorf("a limit in trial was hit: %+v", e)
		}
		if e.Name == audit.ReportOnly {
			n++
			if e.Reason != "limit search: would have been refused" || e.Client.String() != "192.0.2.1" || e.Outcome != audit.Failure {
				t.Errorf("%+v", e)
			}
		}
	}
	if n != 3 {
		t.Errorf("%d reports of 3", n)
	}

	// Whatever its key does, the request goes on.
	limit, err = w.web.RateLimitRequests("odd", func([]byte, *Subject) []byte { panic("no") }, Rate{Requests: 1, Per: time.Hour, ReportOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	limit(http.NotFoundHandler()).ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if rec.Code != 404 {
		t.Error(rec.Code)
	}
	if _, err := w.web.RateLimitRequests("x", ByClient, Rate{ReportOnly: true}); err == nil {
		t.Error("a trial of no limit was taken")
	}
}

func TestLimitsAuditAndPagesSpeakOfOneClient_I22(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) {
		c.LoginRate, c.TrustedProxies, c.ForwardedHeader = 2, []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}, "Forwarded"
	})
	b := w.browser()
	b.addr = "203.0.113.9:1"
	send := func(method, target, body string, client string) *http.Response {
		r := httptest.NewRequest(method, site+target, strings.NewReader(body))
		r.RequestURI = target
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-For", "198.51.100.66") // the header that was not chosen
		r.Header.Set("Forwarded", `for=198.51.100.77, for="`+client+`";proto=https`)
		return b.send(r)
	}
	credentials := `{"username":"dave","password":"` + password + `"}`
	if res := send("POST", "/api/login", credentials, "[2001:db8:5:6::7]:4711"); res.StatusCode != 200 {
		t.Fatal(res.StatusCode, b.page)
	}
	for _, e := range w.Audit.Events() {
		if e.Client.String() != "2001:db8:5:6::7" {
			t.Errorf("I-22: %q is from %s", e.Name, e.Client)
		}
	}
	_, token, _ := strings.Cut(b.page, `"token":"`)
	token, _, _ = strings.Cut(token, `"`)
	session, err := w.logins.Open(context.Background(), challenge.Bearer, token)
	if err != nil {
		t.Fatal(err)
	}
	list, err := w.logins.Sessions(context.Background(), session)
	if err != nil || len(list) != 1 || list[0].Addr.String() != "2001:db8:5:6::7" {
		t.Errorf("I-22: the page of logins says %+v %v", list, err)
	}
	if res := send("POST", "/api/login", `{"username":"x","password":"y"}`, "[2001:db8:5:6:ffff::1]"); res.StatusCode != 401 {
		t.Error(res.StatusCode)
	}
	if res := send("POST", "/api/login", credentials, "[2001:db8:5:6::8]"); res.StatusCode != 429 {
		t.Errorf("I-22: the limit counts somebody else: %d", res.StatusCode)
	}
	if res := send("POST", "/api/login", `{"username":"x","password":"y"}`, "[2001:db8:5:7::8]"); res.StatusCode != 401 {
		t.Errorf("I-22: another network: %d", res.StatusCode)
	}
}
