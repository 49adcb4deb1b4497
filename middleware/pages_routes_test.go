package middleware

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/texts"
)

func TestStoryOfALoginInABrowser(t *testing.T) {
	b := found(t).browser()
	b.want(b.get("/account?tab=2"), 303, "/login?next=%2Faccount%3Ftab%3D2")
	b.want(b.get(b.at), 200, "")
	if !strings.Contains(b.page, `name="next" value="/account?tab=2"`) {
		t.Fatal("the login form does not know where to go on\n" + b.page)
	}
	b.want(b.post("/login", "username", "alice", "password", "wrong", "next", "/account?tab=2"), 401, "")
	b.want(b.post("/login", "username", "alice", "password", password, "next", "/account?tab=2"), 303, "/login/verify")
	pending := b.cookies[sessionCookie]
	// I-02: half a login is nobody.
	b.want(b.get("/account"), 303, "/login?next=%2Faccount")
	b.want(b.get("/login"), 303, "/login/verify")
	b.want(b.get("/login/verify"), 200, "")
	b.want(b.post("/login/verify", "code", "000000"), 401, "")
	csrf := b.cookies[sessionCookie+"-csrf"]
	b.want(b.post("/login/verify", "code", b.code()), 303, "/account?tab=2")
	if b.cookies[sessionCookie] == pending {
		t.Error("I-03: the session token survived the promotion")
	}
	if b.cookies[sessionCookie+"-csrf"] == csrf {
		t.Error("I-03: the CSRF token survived the promotion")
	}
	b.want(b.get("/account"), 200, "")
	if b.page != "hello alice" {
		t.Error(b.page)
	}
	old := b.cookies[sessionCookie]
	b.get("/login")
	b.want(b.post("/logout"), 303, "/")
	if _, kept := b.cookies[sessionCookie]; kept {
		t.Error("the cookie survived the logout")
	}
	b.cookies[sessionCookie] = old
	b.want(b.get("/account"), 303, "/login?next=%2Faccount")
}

func TestASecondClickAfterPromotionSpendsNothingAndIsSentOn_I03(t *testing.T) {
	b := found(t).browser()
	b.get("/login")
	b.post("/login", "username", "alice", "password", password)
	b.get("/login/verify")
	page := b.page
	code := b.code()
	b.want(b.post("/login/verify", "code", code), 303, "/account")
	b.Audit.Take()
	b.page = page // the token of the form is the old one
	b.want(b.post("/login/verify", "code", code), 303, "/account")
	b.wantEvents()
	b.want(b.get("/account"), 200, "")
}

func TestAFormOfAnotherPendingLoginSpendsNothing_I03(t *testing.T) {
	b := found(t).browser()
	b.get("/login")
	b.post("/login", "username", "alice", "password", password)
	b.get("/login/verify")
	b.want(b.post("/login/verify", "code", "000000", "login", strings.Repeat("0", 32)), 303, "/login")
	if b.Audit.Count(audit.InvalidCode) != 0 {
		t.Error("a code was compared")
	}
}

func TestABlockedCodeBudgetSaysSoWith429_I09(t *testing.T) {
	b := found(t).browser()
	b.get("/login")
	b.post("/login", "username", "alice", "password", password)
	b.get("/login/verify")
	page := b.page
	for range 3 {
		b.page = page
		b.want(b.post("/login/verify", "code", "000000"), 401, "")
	}
	b.page = page
	res := b.post("/login/verify", "code", b.code())
	b.want(res, 429, "")
	if res.Header.Get("Retry-After") != "300" {
		t.Error("Retry-After", res.Header.Get("Retry-After"))
	}
	b.page = page
	b.want(b.post("/login", "username", "alice", "password", password), 429, "") // no pending login is opened during a block
}

func TestStoryOfAnEnrolmentInABrowser_I02(t *testing.T) {
	b := found(t).browser()
	b.get("/login")
	b.want(b.post("/login", "username", "erin", "password", password), 303, "/login/verify")
	b.want(b.get("/login/verify"), 200, "")
	b.want(b.post("/login/verify", "code", b.Outbox.Code("erin@example.com")), 303, "/login/verify")
	b.want(b.get("/login/verify"), 200, "")
	if !strings.Contains(b.page, "data:image/png;base64,") || !strings.Contains(b.page, "otpauth://totp/") {
		t.Fatal("no QR\n", b.page)
	}
	secret := between(t, b.page, "secret=", "&")
	b.want(b.post("/login/enrol", "code", "000000"), 401, "")
	if !strings.Contains(b.page, secret) {
		t.Error("after a wrong code another secret is shown, or none")
	}
	b.want(b.post("/login/enrol", "code", codeOf(t, secret, b.Clock.Now())), 200, "")
	if n := strings.Count(b.page, "<li>"); n < 8 && !strings.Contains(b.page, "-") {
		t.Errorf("no recovery codes\n%s", b.page)
	}
	b.want(b.get("/account"), 200, "")
}

func TestResendAndChoosingAMethod_I15(t *testing.T) {
	b := found(t).browser()
	b.get("/login")
	b.want(b.post("/login", "username", "sam", "password", password), 303, "/login/verify")
	b.get("/login/verify")
	b.want(b.post("/login/resend"), 429, "")
	b.Clock.Advance(31 * time.Second)
	b.want(b.post("/login/resend", "method", "email"), 303, "/login/verify")
	b.get("/login/verify")
	if !strings.Contains(b.page, "@example.com") {
		t.Error("the page does not say where the code went\n", b.page)
	}
	b.want(b.post("/login/resend", "method", "pigeon"), 400, "")
	b.want(b.post("/login/cancel"), 303, "/login")
	b.want(b.get("/login/verify"), 303, "/login")
}

func TestAFailedSendLeavesThePendingLoginAndOffersOthers_I20(t *testing.T) {
	w := found(t)
	w.Outbox.Fail(challenge.ChannelEmail, errTest)
	w.Outbox.Fail(challenge.ChannelSMS, errTest)
	b := w.browser()
	b.get("/login")
	b.want(b.post("/login", "username", "sam", "password", password), 303, "/login/verify")
	b.want(b.get("/login/verify"), 200, "")
	if !strings.Contains(b.page, "could not be sent") {
		t.Error(b.page)
	}
}

func TestStepUpInABrowser(t *testing.T) {
	b := found(t).browser().login()
	b.want(b.get("/account/transfer"), 200, "")
	b.Clock.Advance(6 * time.Minute)
	b.want(b.get("/account/transfer"), 303, "/login/fresh?next=%2Faccount%2Ftransfer")
	b.want(b.get(b.at), 200, "")
	old := b.cookies[sessionCookie]
	b.want(b.post("/login/fresh", "code", "000000", "next", "/account/transfer"), 401, "")
	b.want(b.post("/login/fresh", "code", b.code(), "next", "/account/transfer"), 303, "/account/transfer")
	if b.cookies[sessionCookie] == old {
		t.Error("I-03: the token survived the step-up")
	}
	b.want(b.get("/account/transfer"), 200, "")
	b.cookies[sessionCookie] = old
	b.want(b.get("/account"), 303, "/login?next=%2Faccount")
}

func TestStepUpAsksForThePasswordWhereThereIsNoSecondFactor(t *testing.T) {
	b := found(t).browser().loginDave()
	b.want(b.get("/account/transfer"), 303, "/login/fresh?next=%2Faccount%2Ftransfer")
	b.want(b.get(b.at), 200, "")
	b.want(b.post("/login/fresh", "password", "wrong", "next", "/account/transfer"), 401, "")
	b.want(b.post("/login/fresh", "password", password, "next", "/account/transfer"), 303, "/account/transfer")
	b.want(b.get("/account/transfer"), 200, "")
}

func TestUnknownNameAndWrongPasswordAreOneAnswer_I10(t *testing.T) {
	answer := func(name string) (string, http.Header) {
		b := found(t).browser()
		b.get("/login")
		res := b.post("/login", "username", name, "password", "wrong")
		b.want(res, 401, "")
		h := res.Header.Clone()
		h.Del("X-Request-Id")
		h.Del("Content-Length")
		return hidden.ReplaceAllString(strings.ReplaceAll(b.page, name, "NAME"), ""), h
	}
	page, header := answer("alice")
	for _, name := range []string{"nobody-here", "reports"} {
		p, h := answer(name)
		if p != page {
			t.Errorf("%s: another page", name)
		}
		if len(h) != len(header) {
			t.Errorf("%s: other headers %v, not %v", name, h, header)
		}
	}
}

func TestOurPagesCarryTheHeaders_I24(t *testing.T) {
	b := found(t).browser()
	for _, target := range []string{"/login", "/login/nowhere"} {
		res := b.get(target)
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
			"Referrer-Policy": "same-origin", "X-Frame-Options": "DENY", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", target, name, got, want)
			}
		}
		if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "default-src 'none'") {
			t.Error(csp)
		}
	}
}

func TestCookiesAreHostSecureHttpOnlyLax_I18(t *testing.T) {
	b := found(t).browser()
	b.get("/login")
	res := b.post("/login", "username", "dave", "password", password)
	if len(res.Cookies()) != 3 {
		t.Fatal(res.Header["Set-Cookie"])
	}
	for _, c := range res.Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("%v", c)
		}
	}
	plain := found(t, func(c *challenge.Config, _ *Config) { c.Site, c.InsecureHTTP = "http://localhost:8080", true })
	if n := plain.web.cookies.session; n != "sallyport" {
		t.Error("an http site cannot set", n)
	}
}

func TestMethodsThatARouteDoesNotHaveAre405(t *testing.T) {
	b := found(t).browser()
	for _, c := range []struct{ method, target, allow string }{
		{"PUT", "/login", "GET, HEAD, POST"}, {"OPTIONS", "/login/verify", "GET, HEAD, POST"}, {"GET", "/logout", "POST"},
		{"TRACE", "/login/resend", "POST"}, {"DELETE", "/login/cancel", "POST"}, {"GET", "/api/login", "POST"}, {"get", "/api/logout", "POST"},
	} {
		r, _ := http.NewRequest(c.method, site+c.target, nil)
		r.RequestURI = c.target
		res := b.send(r)
		if res.StatusCode != 405 || res.Header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d %q", c.method, c.target, res.StatusCode, res.Header.Get("Allow"))
		}
	}
}

func TestOnlyLocalPathsAreFollowed_I24(t *testing.T) {
	for _, next := range []string{"//evil.example", `/\evil.example`, "https://evil.example", "javascript:alert(1)", `/../\evil.example`,
		"/\t/evil.example", "/login", "/logout", "/a/../../evil", "/%2e%2e//evil", ""} {
		b := found(t).browser()
		b.get("/login")
		b.want(b.post("/login", "username", "dave", "password", password, "next", next), 303, "/account")
	}
}

func TestARightPasswordInALoggedInBrowserEndsThatLogin_I03(t *testing.T) {
	b := found(t).browser().login()
	old := b.cookies[sessionCookie]
	b.get("/login")
	b.want(b.post("/login", "username", "carol", "password", password), 303, "/login/verify")
	b.cookies[sessionCookie] = old
	b.want(b.get("/account"), 303, "/login?next=%2Faccount")
}

func TestAPlantedTokenIsNeverAdopted_I03(t *testing.T) {
	b := found(t).browser()
	planted := strings.Repeat("A", 43)
	b.cookies[sessionCookie] = planted
	b.get("/login")
	b.post("/login", "username", "dave", "password", password)
	if b.cookies[sessionCookie] == planted {
		t.Fatal("the planted token is the session's")
	}
	b.cookies[sessionCookie] = planted
	b.want(b.get("/account"), 303, "/login?next=%2Faccount")
}

func TestTheCodeHeaderLogsInWithOneRequest(t *testing.T) {
	w := found(t)
	b := w.browser()
	b.get("/login")
	form := "username=alice&password=" + password + "&csrf_token=" + queryOf(between(t, b.page, `name="csrf_token" value="`, `"`))
	r, _ := http.NewRequest("POST", site+"/login", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", site)
	r.Header.Set("X-MFA-Code", w.code())
	b.want(b.send(r), 303, "/account")
	status, a, h := w.call("POST", "/api/login", "", `{"username":"carol","password":"`+password+`"}`, "X-MFA-Code", "123456")
	if status != 401 || len(w.Outbox.Messages()) != 0 || h.Get("Set-Cookie") != "" {
		t.Error("a code header for a factor that sends:", status, a)
	}
}

func TestWhoHasASecondStepIsNotToldThatThereIsNoAddress(t *testing.T) {
	w := found(t)
	w.SetVerdict("1", challenge.Verdict{Factors: []string{"email"}}) // alice has an app, which may not be used
	w.SetVerdict("4", challenge.Verdict{})                           // dave has nothing
	for name, want := range map[string]texts.Key{"alice": texts.ErrorNotAllowed, "dave": texts.ErrorEnrolImpossible} {
		b := w.browser()
		b.get("/login")
		b.want(b.post("/login", "username", name, "password", password), 403, "")
		if got := between(t, b.page, `role="alert">`, "<"); got != w.logins.Texts().Text("en", want) {
			t.Errorf("%s reads %q", name, got)
		}
	}
}
