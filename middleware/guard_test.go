package middleware

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

func TestHalfALoginIsAnsweredLikeNobody_I02(t *testing.T) {
	w := found(t)
	b := w.browser()
	b.get("/login")
	b.want(b.post("/login", "username", "alice", "password", password), 303, "/login/verify")
	_, a, _ := w.call("POST", "/api/login", "", `{"username":"alice","password":"`+password+`"}`)
	pending := a["token"].(string)
	ask := func(method, target, header, value string, upgrade bool) (int, http.Header, string) {
		r := httptest.NewRequest(method, site+target, nil)
		r.RequestURI = target
		if header != "" {
			r.Header.Set(header, value)
		}
		if upgrade {
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
			r.Header.Set("Origin", site)
		}
		rec := httptest.NewRecorder()
		w.root.ServeHTTP(rec, r)
		h := rec.Header()
		h.Del("X-Request-Id")
		return rec.Code, h, rec.Body.String()
	}
	same := func(method, target, header, value string, upgrade bool) {
		t.Helper()
		status, h, body := ask(method, target, header, value, upgrade)
		status0, h0, body0 := ask(method, target, "", "", upgrade)
		// RFC 6750 section 3.1: only a request with a token is told that the token is not good.
		h.Del("Www-Authenticate")
		h0.Del("Www-Authenticate")
		if status != status0 || body != body0 || len(h) != len(h0) || h.Get("Location") != h0.Get("Location") {
			t.Errorf("%s %s upgrade=%v: %d %v %q, an anonymous client gets %d %v %q", method, target, upgrade, status, h, body, status0, h0, body0)
		}
		if status == 200 {
			t.Errorf("%s %s: let in", method, target)
		}
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "PROPFIND"} {
		for _, target := range []string{"/account", "/account/", "/account/%2e%2e/x", "/account/..%2fx", "/account/a%2fb", "/account/transfer", "/account/passkey"} {
			for _, upgrade := range []bool{false, true} {
				same(method, target, "Cookie", sessionCookie+"="+b.cookies[sessionCookie], upgrade)
			}
		}
		for _, target := range []string{"/api/me", "/api/transfer", "/api/passkey", "/api/a%2fb"} {
			same(method, target, "Authorization", "Bearer "+pending, false)
		}
	}
}

func TestRequirePasswordGivesAPendingWithoutIdentity_I02(t *testing.T) {
	w := found(t)
	var login, pending bool
	w.mux.Handle("/own", w.web.RequirePassword(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, login = Authenticated(r.Context())
		_, pending = PendingFrom(r.Context())
	})))
	w.mux.Handle("/chain", w.web.RequirePassword(w.web.RequireSecondFactor(http.NotFoundHandler())))
	b := w.browser()
	b.want(b.get("/own"), 303, "/login?next=%2Fown")
	b.get("/login")
	b.post("/login", "username", "alice", "password", password)
	b.want(b.get("/own"), 200, "")
	if login || !pending {
		t.Error("half a login:", login, pending)
	}
	b.want(b.get("/chain"), 303, "/login?next=%2Fchain")
	b.get("/login/verify")
	b.want(b.post("/login/verify", "code", b.code()), 303, "/account")
	b.want(b.get("/own"), 200, "")
	if !login || pending {
		t.Error("a finished login:", login, pending)
	}
	b.want(b.get("/chain"), 404, "")
}

func TestFreshWithinNothingLetsNobodyThrough_I19(t *testing.T) {
	w := found(t)
	token := w.bearer()
	for _, h := range []http.Handler{w.api.RequireFresh(0)(http.NotFoundHandler()), w.api.RequireFresh(-time.Hour)(http.NotFoundHandler()), w.api.RequireFactor()(http.NotFoundHandler())} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != 401 {
			t.Error(rec.Code)
		}
	}
}

func TestAStoreInErrorDenies_I20(t *testing.T) {
	w := found(t)
	token := w.bearer()
	b := w.browser().login()
	w.store.failLoad.set(errTest)
	if status, a, _ := w.call("GET", "/api/me", token, ""); status != 503 || a["type"] != "urn:sallyport:problem:unavailable" {
		t.Error(status, a)
	}
	b.want(b.get("/account"), 503, "")
	b.want(b.get("/"), 503, "")
	if strings.Contains(b.page, errTest.Error()) || !strings.Contains(w.log.String(), errTest.Error()) {
		t.Error("the reason belongs into the log and nowhere else")
	}
	if w.web.Counts().Failures != 3 {
		t.Error(w.web.Counts())
	}
	w.store.failLoad.set(nil)
	if status, _, _ := w.call("GET", "/api/me", token, ""); status != 200 {
		t.Error(status)
	}
}

func TestOneLoadForAGuardedRequestAndNoneWithoutAToken(t *testing.T) {
	w := found(t)
	b := w.browser().login()
	for _, c := range []struct {
		name, cookie string
		loads        int64
	}{{"a login", b.cookies[sessionCookie], 1}, {"nobody", "", 0}, {"what cannot be a token", "x", 0}, {"an unknown token", strings.Repeat("A", 43), 1}} {
		loads, swaps := w.store.loads.Load(), w.store.swaps.Load()
		fresh := w.browser()
		if c.cookie != "" {
			fresh.cookies[sessionCookie] = c.cookie
		}
		fresh.get("/account")
		if got := w.store.loads.Load() - loads; got != c.loads || w.store.swaps.Load() != swaps {
			t.Errorf("%s: %d loads, %d writes", c.name, got, w.store.swaps.Load()-swaps)
		}
	}
}

func TestAFlagInTheAppsTableHoldsWithinAMinute_I16(t *testing.T) {
	w := found(t)
	b := w.browser().login()
	w.Users.Change("1", func(a *challenge.Account) { a.Disabled = true })
	w.Clock.Advance(time.Minute)
	b.want(b.get("/account"), 303, "/login?next=%2Faccount")
	if w.Audit.Count(audit.SessionEnded) != 1 {
		t.Error(w.Audit.Events())
	}
}

func TestIdleAndAbsoluteEnds_I17(t *testing.T) {
	w := found(t)
	idle := w.browser().login()
	w.Clock.Advance(time.Hour)
	idle.want(idle.get("/account"), 303, "/login?next=%2Faccount")
	busy := w.browser().login()
	for range 29 {
		w.Clock.Advance(50 * time.Minute)
		busy.get("/account")
	}
	busy.want(busy.get("/account"), 303, "/login?next=%2Faccount")
}

func TestAGuardedAnswerIsNotStoredUnlessTheHandlerSaysSo_I24(t *testing.T) {
	b := found(t).browser().login()
	if got := b.get("/account").Header["Cache-Control"]; len(got) != 1 || got[0] != "no-store" {
		t.Error(got)
	}
	if got := b.get("/account").Header.Get("Vary"); got != "Cookie" {
		t.Error(got)
	}
}

func TestAnAPIGuardInsideSessionsRefusesRatherThanMixPrincipals(t *testing.T) {
	w := found(t)
	h := w.web.Sessions(w.api.RequireSecondFactor(http.NotFoundHandler()))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+w.bearer())
	r.Header.Set("Cookie", sessionCookie+"="+w.browser().login().cookies[sessionCookie])
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	if rec.Code != 503 {
		t.Error(rec.Code)
	}
}

func TestRequireFactorIsContentWithTheFactorThatTheLoginHasJustShown(t *testing.T) {
	w := found(t, func(c *challenge.Config, _ *Config) {
		still := c.Clock
		var read atomicInt
		c.Clock = func() time.Time { return still().Add(time.Duration(read.Add(1)) * time.Microsecond) } // as clocks do
	})
	in := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("in")) })
	w.mux.Handle("/app-only", w.web.RequireFactor("totp")(in))
	w.mux.Handle("/api/app-only", w.api.RequireFactor("totp")(in))
	b := w.browser().login()
	b.want(b.get("/app-only"), 200, "")
	w.Clock.Advance(30 * time.Second)
	_, got, _ := w.call("POST", "/api/login", "", `{"username":"alice","password":"`+password+`"}`, "X-MFA-Code", w.code())
	token, _ := got["token"].(string)
	if status, got, _ := w.call("GET", "/api/app-only", token, ""); status != 200 {
		t.Errorf("bearer: %d %v", status, got)
	}
	w.Clock.Advance(30 * time.Second)
	basic := base64.StdEncoding.EncodeToString([]byte("alice:" + password))
	if status, got, _ := w.call("GET", "/api/app-only", "", "", "Authorization", "Basic "+basic, "X-MFA-Code", w.code()); status != 200 {
		t.Errorf("Basic with a code: %d %v", status, got)
	}
}

func TestRequireFactorAsksForOneThatThePersonHasAndTellsOthersWhereToSetOneUp(t *testing.T) {
	w := home(t)
	w.Users.Change("1", func(a *challenge.Account) { a.Email = "alice@example.com" })
	in := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("in")) })
	w.mux.Handle("/strong", w.web.RequireFactor("sms", "totp")(in))
	w.mux.Handle("/number", w.web.RequireFactor("sms")(in))
	w.mux.Handle("/tottp", w.web.RequireFactor("tottp")(in))
	if !strings.Contains(w.log.String(), "factor=tottp") {
		t.Errorf("the log does not name the factor that there is not: %s", w.log)
	}

	b := w.browser()
	b.get("/login")
	b.post("/login", "username", "alice", "password", password)
	b.get("/login/verify")
	b.want(b.post("/login/resend", "method", "email"), 303, "/login/verify")
	b.get("/login/verify")
	b.want(b.post("/login/verify", "code", string(w.Outbox.Code("alice@example.com"))), 303, "/account")
	b.want(b.get("/strong"), 303, "/login/fresh?next=%2Fstrong&factor=sms+totp")
	b.want(b.get(b.at), 200, "")
	b.says("Open your authenticator app", "A recovery code is not enough")
	b.silent("Send a code by e-mail", "Use a recovery code") // which would lead back to here
	for _, fields := range [][]string{{"method", "email"}, {"method", "email", "code", "123456"}, {"method", "recovery", "code", "ABCD-EFGH-JKLM-NPQR"}} {
		b.want(b.post("/login/fresh", append(fields, "next", "/strong", "factor", "sms totp")...), 303, "/login/fresh?next=%2Fstrong&factor=sms+totp&method=totp")
		b.want(b.get(b.at), 200, "")
		b.says("Open your authenticator app")
	}
	if res := b.post("/login/fresh", "code", "ABCD-EFGH-JKLM-NPQR", "next", "/strong", "factor", "sms totp"); res.StatusCode != 400 {
		t.Errorf("a recovery code: %d", res.StatusCode)
	}
	b.want(b.post("/login/fresh", "code", "000000", "next", "/strong", "factor", "sms totp"), 401, "")
	b.says(`name="factor" value="sms totp"`)
	b.silent("Send a code by e-mail", "Use a recovery code")
	b.want(b.post("/login/fresh", "method", "totp", "code", b.code(), "next", "/strong"), 303, "/strong")
	b.want(b.get("/strong"), 200, "")

	b.want(b.get("/number"), 303, "/login/fresh?next=%2Fnumber&factor=sms")
	b.want(b.get(b.at), 403, "")
	b.says("your account does not have yet: SMS", `href="/account/security/phone"`)
	b.want(b.get("/tottp"), 303, "/login/fresh?next=%2Ftottp&factor=tottp")
	b.want(b.get(b.at), 403, "")
	b.silent("/account/security")
}

func TestI14RequireFactorIsNotContentWithWhatARecoveryCodeHasJustAdded(t *testing.T) {
	w := home(t)
	codes := w.browser().withCodes()
	in := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("in")) })
	w.mux.Handle("/number", w.web.RequireFactor("sms")(in))
	w.mux.Handle("/recent", w.web.RequireFresh(5*time.Minute)(in))
	b := w.browser().byRecovery(codes[0])
	b.Clock.Advance(time.Second)
	b.get("/login/fresh?next=" + queryOf(security+"/phone"))
	b.post("/login/fresh", "password", password, "next", security+"/phone")
	b.get(security + "/phone")
	b.want(b.post(security+"/phone", "destination", "+31612345678"), 303, security+"/enrol")
	b.get(security + "/enrol")
	b.want(b.post(security+"/enrol", "code", string(w.Outbox.Code("+31612345678"))), 303, security)
	b.want(b.get("/recent"), 200, "") // a recovery code is enough for that
	b.want(b.get("/number"), 303, "/login/fresh?next=%2Fnumber&factor=sms")
	b.want(b.get(b.at), 403, "")
	b.says("What you added with a recovery code is not enough for this yet. It will be in 24 hours.")
	// Shown again, by a form of one's own.
	b.Clock.Advance(time.Minute)
	b.get("/login/fresh?method=sms&next=/number")
	b.want(b.post("/login/fresh", "method", "sms", "code", string(w.Outbox.Code("+31612345678")), "next", "/number"), 303, "/number")
	b.want(b.get("/number"), 303, "/login/fresh?next=%2Fnumber&factor=sms")
	b.Clock.Advance(24 * time.Hour)
	c := w.browser()
	c.get("/login")
	c.post("/login", "username", "alice", "password", password)
	c.get("/login/verify")
	c.post("/login/resend", "method", "sms")
	c.get("/login/verify")
	c.want(c.post("/login/verify", "code", string(w.Outbox.Code("+31612345678"))), 303, "/account")
	c.want(c.get("/number"), 200, "")
}

func TestALogSaysOnceWhatLooksLikeAMistakeInTheSettings(t *testing.T) {
	w := found(t)
	w.log.Reset() // it says that RequireFactor asks for passkeys, which there are not
	post := func(origin string) {
		b := w.browser()
		b.get("/login")
		r := httptest.NewRequest("POST", site+"/login", strings.NewReader("csrf_token=x"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		r.RemoteAddr = "192.0.2.77" // as some middleware leaves it
		rec := httptest.NewRecorder()
		if w.root.ServeHTTP(rec, r); rec.Code != 403 {
			t.Fatal(rec.Code)
		}
	}
	post("https://www.app.example" + strings.Repeat("x", 1000))
	log := w.log.String()
	for _, says := range []string{"another origin than Config.Site", "origin=https://www.app.examplexxx", "site=" + site, "TrustedProxies is empty", "no address and port in RemoteAddr"} {
		if !strings.Contains(log, says) {
			t.Errorf("%q does not stand in %s", says, log)
		}
	}
	if len(log) > 2000 {
		t.Errorf("a stranger wrote %d bytes into the log", len(log))
	}
	post("https://other.example")
	if w.log.String() != log {
		t.Error("it is said again")
	}
	quiet := found(t)
	quiet.log.Reset()
	quiet.browser().login()
	if quiet.log.String() != "" {
		t.Error(quiet.log)
	}
}
