// Package demotest walks through an example as its visitors do: browsers and programs, each demo account by its own way
// in. Both examples have to pass the same stories.
package demotest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/examples/internal/demo"
	"github.com/sallyport-go/sallyport/senders"
)

// patience ends what hangs, on however slow a machine.
const patience = 2 * time.Minute

const (
	aliceSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	bobSecret   = "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"
)

// Run tells all stories about a site.
func Run(t *testing.T, site func(*demo.Demo) (http.Handler, error)) {
	for _, story := range []struct {
		name string
		tell func(*testing.T, build)
	}{
		{"alice logs in with her authenticator app and makes new recovery codes", aliceByApp},
		{"alice logs in with a recovery code, once", aliceByRecovery},
		{"bob logs in as a program", bobByJSON},
		{"bob guesses until he is blocked", bobBlocked},
		{"carol reads her code in the mail", carolByMail},
		{"sam reads his code on the phone", samBySMS},
		{"sam gets a mail when the SMS cannot be sent", samFallsBack},
		{"dave needs no second step, and his password again for a fresh one", dave},
		{"erin sets up her authenticator app while logging in", erinEnrols},
		{"reports is a program with a password", reports},
		{"dave logs out everywhere", logOutEverywhere},
		{"strangers see public pages only", strangers},
		{"the address of a client counts, and a trusted proxy names it", loginRate},
		{"every security page shows", securityPages},
		{"alice looks after the others' accounts, and nobody else does", administration},
		{"the settings of the command line hold", settings},
		{"a program exchanges what it has for an access token", accessTokens},
		{"guessing, in every way", abuse},
		{"slow clients hold nothing for long", slowClients},
		{"every answer that programs are told of is given", everyAnswer},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			story.tell(t, site)
		})
	}
}

func aliceByApp(t *testing.T, of build) {
	s := start(t, of, nil)
	b := s.browser()
	s.mentions(b.get("/"), "alice", "reports", demo.Password, "oathtool --totp -b "+aliceSecret)
	s.expect(b.get("/account"), http.StatusSeeOther, "/login?next=%2Faccount")
	b.get("/login?next=/account/security")
	s.expect(b.post("/login", "username", "alice", "password", "wrong"), http.StatusUnauthorized, "")
	s.expect(b.post("/login", "username", "alice", "password", demo.Password, "next", "/account/security"), http.StatusSeeOther, "/login/verify")

	// I-02: with a password alone she is nobody.
	s.expect(b.get("/account"), http.StatusSeeOther, "/login?next=%2Faccount")
	b.get("/login/verify")
	now := time.Now()
	code := totp(t, aliceSecret, now)
	s.expect(b.post("/login/verify", "code", wrong(code, totp(t, aliceSecret, now.Add(-30*time.Second)), totp(t, aliceSecret, now.Add(30*time.Second)))), http.StatusUnauthorized, "")
	s.expect(b.post("/login/verify", "code", code), http.StatusSeeOther, "/account/security")
	a := b.get("/account")
	s.expect(a, http.StatusOK, "")
	s.mentions(a, "alice", "Password, then Authenticator app", `<time datetime="`)
	s.expect(b.get("/account/transfer"), http.StatusOK, "")

	s.mentions(b.get("/account/security/recovery-codes"), "You have 10 left.")
	old := s.recoveryCodes()
	a = b.post("/account/security/recovery-codes")
	s.expect(a, http.StatusOK, "")
	codes := recoveryCode.FindAllString(a.body, -1)
	if len(codes) != 10 || slices.Contains(codes, old[0]) {
		t.Errorf("new recovery codes: %d, the old ones among them: %v", len(codes), slices.Contains(codes, old[0]))
	}
	if page := b.get("/account/security/recovery-codes"); recoveryCode.MatchString(page.body) {
		t.Error("I-14: recovery codes are shown again")
	}
	b.get("/account")
	s.expect(b.post("/logout"), http.StatusSeeOther, "/")
	s.expect(b.get("/account"), http.StatusSeeOther, "/login?next=%2Faccount")

	b.password("alice")
	s.expect(b.post("/login/verify", "code", old[0]), http.StatusUnauthorized, "")
	s.expect(b.post("/login/verify", "code", codes[0]), http.StatusSeeOther, "/account")

	want := []string{"second factor imported", "second factor imported", "recovery codes created",
		"invalid password", "password validated", "MFA code created", "credential refused", "Invalid MFA entered", "MFA validated", "user login with MFA"}
	got := s.events()
	if len(got) < len(want) {
		t.Fatalf("I-21: events %q", got)
	}
	for i, name := range want {
		if got[i] != name {
			t.Errorf("I-21: event %d is %q, want %q", i, got[i], name)
		}
	}
}

var recoveryCode = regexp.MustCompile(`\b[2-9A-Z]{4}(-[2-9A-Z]{4}){3}\b`)

func aliceByRecovery(t *testing.T, of build) {
	s := start(t, of, nil)
	codes := s.recoveryCodes()
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes were printed", len(codes))
	}
	b := s.browser()
	b.password("alice")
	s.expect(b.post("/login/verify", "code", strings.ToLower(codes[3])), http.StatusSeeOther, "/account")
	s.mentions(b.get("/account/security/recovery-codes"), "You have 9 left.")
	b.get("/account/security/sessions") // has a form token
	const fresh = "/login/fresh?next=%2Faccount%2Fsecurity%2Frecovery-codes"
	a := b.post("/account/security/recovery-codes")
	s.expect(a, http.StatusSeeOther, fresh) // I-14: it takes another factor than a recovery code
	if recoveryCode.MatchString(a.body) {
		t.Error("I-14: a recovery code made new ones")
	}
	s.mentions(b.get(fresh), "A recovery code is not enough", "Open your authenticator app")
	other := s.browser()
	other.password("alice")
	s.expect(other.post("/login/verify", "code", codes[3]), http.StatusUnauthorized, "")
	s.expect(other.post("/login/verify", "method", "recovery", "code", codes[4]), http.StatusSeeOther, "/account")

	s.expect(b.post("/login/fresh", "code", totp(t, aliceSecret, time.Now()), "next", "/account/security/recovery-codes"), http.StatusSeeOther, "/account/security/recovery-codes")
	b.get("/account/security/recovery-codes")
	a = b.post("/account/security/recovery-codes")
	s.expect(a, http.StatusOK, "")
	if n := len(recoveryCode.FindAllString(a.body, -1)); n != 10 {
		t.Errorf("%d new recovery codes", n)
	}
	s.expect(other.get("/account"), http.StatusSeeOther, "/login?next=%2Faccount") // I-16
}

func bobByJSON(t *testing.T, of build) {
	s := start(t, of, nil)
	p := s.program()
	credentials := map[string]string{"username": "bob", "password": demo.Password}
	a, v := p.json("/api/login", "", credentials)
	s.expect(a, http.StatusOK, "")
	if v.Status != "second_factor_required" || !slices.Contains(v.Methods, "totp") || v.Token == "" || v.ExpiresIn <= 0 {
		t.Fatalf("%s", a.body)
	}
	if a.header.Get("Set-Cookie") != "" {
		t.Error("/api/login sets a cookie")
	}
	pending := v.Token
	s.expect(p.do(http.MethodGet, "/api/me", "", "Authorization", "Bearer "+pending), http.StatusUnauthorized, "")
	code := totp(t, bobSecret, time.Now())
	a, v = p.json("/api/login/verify", pending, map[string]string{"code": "12345"})
	s.expect(a, http.StatusBadRequest, "") // it cannot be a code
	s.problem(a)
	a, v = p.json("/api/login/verify", pending, map[string]string{"code": code, "method": "totp"})
	s.expect(a, http.StatusOK, "")
	if v.Status != "authenticated" || v.Token == "" || v.Token == pending || v.ExpiresIn <= 0 {
		t.Fatalf("%s", a.body)
	}
	s.expect(p.do(http.MethodGet, "/api/me", "", "Authorization", "Bearer "+pending), http.StatusUnauthorized, "") // I-03
	a = p.do(http.MethodGet, "/api/me", "", "Authorization", "Bearer "+v.Token)
	s.expect(a, http.StatusOK, "")
	var me map[string]any
	if err := json.Unmarshal([]byte(a.body), &me); err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, me["authenticated_at"].(string))
	if me["username"] != "bob" || len(me) != 3 || err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("%s", a.body)
	}
	s.mentions(a, `"methods":["password","totp"]`)
	s.expect(p.do(http.MethodPost, "/api/logout", "", "Authorization", "Bearer "+v.Token), http.StatusOK, "")
	a = p.do(http.MethodGet, "/api/me", "", "Authorization", "Bearer "+v.Token)
	s.expect(a, http.StatusUnauthorized, "")
	s.problem(a)

	// One request with both, which must not be the code that was used.
	a, _ = p.json("/api/login", "", credentials, "X-MFA-Code", code)
	s.expect(a, http.StatusUnauthorized, "")
	s.problem(a)
	a, _ = p.json("/api/login", "", map[string]string{"username": "alice", "password": demo.Password}, "X-MFA-Code", totp(t, aliceSecret, time.Now()))
	s.expect(a, http.StatusOK, "")
	s.mentions(a, `"authenticated"`)
}

// problem is about the form of a refusal.
func (s *site) problem(a answer) {
	s.t.Helper()
	var v struct {
		Type, Title string
		Status      int
	}
	if err := json.Unmarshal([]byte(a.body), &v); err != nil || a.header.Get("Content-Type") != "application/problem+json" || v.Status != a.status || v.Type == "" {
		s.t.Errorf("not a problem: %q %s", a.header.Get("Content-Type"), a.body)
	}
}

func bobBlocked(t *testing.T, of build) {
	s := start(t, of, nil, "-max-code-guesses", "2", "-block-for", "7m")
	p := s.program()
	credentials := map[string]string{"username": "bob", "password": demo.Password}
	_, v := p.json("/api/login", "", credentials)
	now := time.Now()
	bad := wrong(totp(t, bobSecret, now.Add(-30*time.Second)), totp(t, bobSecret, now), totp(t, bobSecret, now.Add(30*time.Second)))
	for range 2 {
		a, _ := p.json("/api/login/verify", v.Token, map[string]string{"code": bad})
		s.expect(a, http.StatusUnauthorized, "")
	}
	a, _ := p.json("/api/login/verify", v.Token, map[string]string{"code": totp(t, bobSecret, time.Now())})
	s.expect(a, http.StatusTooManyRequests, "") // I-09: right or wrong
	s.problem(a)
	if wait, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || wait < 419-int(time.Since(now)/time.Second) || wait > 420 {
		t.Errorf("Retry-After %q, want seven minutes", a.header.Get("Retry-After"))
	}
	b := s.browser()
	b.get("/login")
	s.expect(b.post("/login", "username", "bob", "password", demo.Password), http.StatusTooManyRequests, "")
	if !slices.Contains(s.events(), "Max MFA attempts exceeded") {
		t.Errorf("I-21: %q", s.events())
	}
}

func carolByMail(t *testing.T, of build) {
	s := start(t, of, nil, "-resend-after", "0s")
	b := s.browser()
	b.password("carol")
	first := s.code("carol@example.com")
	s.mentions(b.get("/outbox"), first, "carol@example.com", "demo only")
	b.get("/login/verify")
	s.expect(b.post("/login/resend"), http.StatusSeeOther, "/login/verify")
	second := s.code("carol@example.com")
	b.get("/login/verify")
	if first != second {
		s.expect(b.post("/login/verify", "code", first), http.StatusUnauthorized, "") // I-13
	}
	s.expect(b.post("/login/verify", "code", second), http.StatusSeeOther, "/account")
	s.mentions(b.get("/account"), "carol", "Password, then E-mail")
	if m := s.sent("carol@example.com")[0]; m.Channel != "email" || m.Subject == "" || !strings.Contains(m.Body, first) {
		t.Errorf("%+v", m)
	}

	// The cooldown of the default.
	s = start(t, of, nil)
	b = s.browser()
	b.password("carol")
	s.expect(b.post("/login/resend"), http.StatusTooManyRequests, "")
	if n := len(s.sent("carol@example.com")); n != 1 {
		t.Errorf("I-15: %d codes were sent", n)
	}
	b.get("/login/verify")
	s.expect(b.post("/login/cancel"), http.StatusSeeOther, "/login")
	s.expect(b.get("/login/verify"), http.StatusSeeOther, "/login")
}

func samBySMS(t *testing.T, of build) {
	s := start(t, of, nil)
	b := s.browser()
	b.password("sam")
	if m := s.sent("+31600000001"); len(m) != 1 || m[0].Channel != "sms" || m[0].Subject != "" {
		t.Fatalf("%+v", m)
	}
	s.expect(b.post("/login/verify", "code", s.code("+31600000001"), "method", "sms"), http.StatusSeeOther, "/account")
	s.mentions(b.get("/account"), "sam", "Password, then SMS")
}

func samFallsBack(t *testing.T, of build) {
	s := start(t, of, func(d *demo.Demo) {
		d.SMS = senders.Func(func(context.Context, challenge.Message) error { return errors.New("no network") })
	})
	b := s.browser()
	b.password("sam")
	s.mentions(b.get("/login/verify"), "s•••@example.com") // I-20: the page names the channel, masked
	s.expect(b.post("/login/verify", "code", s.code("sam@example.com")), http.StatusSeeOther, "/account")
	s.mentions(b.get("/account"), "Password, then E-mail")
	if got := s.events(); !slices.Contains(got, "MFA fallback taken") {
		t.Errorf("I-21: %q", got)
	}
}

func dave(t *testing.T, of build) {
	s := start(t, of, nil)
	b := s.browser()
	b.get("/login")
	s.expect(b.post("/login", "username", "dave", "password", demo.Password), http.StatusSeeOther, "/account")
	s.mentions(b.get("/account"), "dave")
	s.expect(b.get("/account/transfer"), http.StatusSeeOther, "/login/fresh?next=%2Faccount%2Ftransfer") // the password given at login does not count
	s.expect(b.get("/login/fresh?next=%2Faccount%2Ftransfer"), http.StatusOK, "")
	s.expect(b.post("/login/fresh", "password", "wrong", "next", "/account/transfer"), http.StatusUnauthorized, "")
	s.expect(b.post("/login/fresh", "password", demo.Password, "next", "/account/transfer"), http.StatusSeeOther, "/account/transfer")
	s.expect(b.get("/account/transfer"), http.StatusOK, "")
	b.get("/account/security/sessions") // has a form token
	a := b.post("/account/security/recovery-codes")
	s.expect(a, http.StatusForbidden, "")
	s.mentions(a, "set up yourself")
}

func erinEnrols(t *testing.T, of build) {
	s := start(t, of, nil)
	b := s.browser()
	b.password("erin")
	s.expect(b.post("/login/verify", "code", s.code("erin@example.com")), http.StatusSeeOther, "/login/verify")
	a := b.get("/login/verify")
	s.expect(a, http.StatusOK, "")
	s.mentions(a, "data:image/png;base64,", "otpauth://totp/")
	s.expect(b.get("/account"), http.StatusSeeOther, "/login?next=%2Faccount")
	key := regexp.MustCompile(`<code[^>]*>([A-Z2-7 ]+)</code>`).FindStringSubmatch(a.body)
	if key == nil {
		t.Fatalf("no key on\n%s", a)
	}
	a = b.post("/login/verify", "code", totp(t, key[1], time.Now()))
	s.expect(a, http.StatusOK, "")
	codes := recoveryCode.FindAllString(a.body, -1)
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes on\n%s", len(codes), a)
	}
	s.mentions(b.get("/account"), "erin", "Authenticator app")
	s.mentions(b.get("/account/security/recovery-codes"), "You have 10 left.")

	again := s.browser()
	again.password("erin")
	if n := len(s.sent("erin@example.com")); n != 1 {
		t.Errorf("%d codes were mailed to an account with an app", n)
	}
	s.expect(again.post("/login/verify", "code", codes[9]), http.StatusSeeOther, "/account")
}

func reports(t *testing.T, of build) {
	s := start(t, of, nil)
	p := s.program()
	basic := func(name, password string, header ...string) answer {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(name, password)
		return p.do(http.MethodGet, "/api/me", "", append(header, "Authorization", r.Header.Get("Authorization"))...)
	}
	a := basic("reports", demo.Password)
	s.expect(a, http.StatusOK, "")
	s.mentions(a, `"username":"reports"`)
	s.expect(basic("reports", "wrong"), http.StatusUnauthorized, "")
	s.expect(basic("alice", demo.Password), http.StatusUnauthorized, "") // a person's password alone opens nothing
	s.expect(basic("alice", demo.Password, "X-MFA-Code", totp(t, aliceSecret, time.Now())), http.StatusOK, "")

	// I-10: at the doors for people it is refused like a wrong password.
	b := s.browser()
	b.get("/login")
	s.expect(b.post("/login", "username", "reports", "password", demo.Password), http.StatusUnauthorized, "")
	a, _ = p.json("/api/login", "", map[string]string{"username": "reports", "password": demo.Password})
	s.expect(a, http.StatusUnauthorized, "")
	s.problem(a)
	wrongName, _ := p.json("/api/login", "", map[string]string{"username": "nobody", "password": demo.Password})
	if wrongName.body != a.body {
		t.Errorf("I-10: %s\n%s", a.body, wrongName.body)
	}
}

func logOutEverywhere(t *testing.T, of build) {
	s := start(t, of, nil)
	var both [2]*browser
	for i := range both {
		both[i] = s.browser()
		both[i].get("/login")
		s.expect(both[i].post("/login", "username", "dave", "password", demo.Password), http.StatusSeeOther, "/account")
	}
	_, v := s.program().json("/api/login", "", map[string]string{"username": "dave", "password": demo.Password})
	if a := both[0].get("/account/security/sessions"); strings.Count(a.body, `action="/account/security/sessions/end"`) != 3 {
		t.Errorf("not three logins on\n%s", a)
	}
	s.expect(both[0].post("/account/security/sessions/end-all"), http.StatusSeeOther, "/login")
	for _, b := range both {
		s.expect(b.get("/account"), http.StatusSeeOther, "/login?next=%2Faccount") // I-16
	}
	s.expect(s.program().do(http.MethodGet, "/api/me", "", "Authorization", "Bearer "+v.Token), http.StatusUnauthorized, "")
}

func strangers(t *testing.T, of build) {
	s := start(t, of, nil)
	p := s.program()
	for _, path := range []string{"/nowhere", "/account/", "/account/nowhere", "/index.html"} {
		s.expect(p.do(http.MethodGet, path, ""), http.StatusNotFound, "")
	}
	for path, status := range map[string]int{"/api/nowhere": http.StatusNotFound, "/api/login": http.StatusMethodNotAllowed, "/api/login/nowhere": http.StatusNotFound} {
		a := p.do(http.MethodGet, path, "")
		s.expect(a, status, "")
		s.problem(a)
	}
	for _, path := range []string{"/account", "/account/transfer", "/account/security", "/account/security/totp", "/account/security/recovery-codes", "/account/security/nowhere"} {
		s.expect(p.do(http.MethodGet, path, ""), http.StatusSeeOther, "/login?next="+strings.ReplaceAll(path, "/", "%2F"))
	}
	for _, method := range []string{http.MethodOptions, http.MethodPut, http.MethodDelete, http.MethodTrace} { // I-02
		for _, path := range []string{"/account", "/account/transfer", "/account/security"} {
			if a := p.do(method, path, ""); a.status != http.StatusSeeOther {
				t.Errorf("I-02: %s %s answered %d", method, path, a.status)
			}
		}
		if a := p.do(method, "/api/me", ""); a.status != http.StatusUnauthorized {
			t.Errorf("I-02: %s /api/me answered %d", method, a.status)
		}
	}
	for _, path := range []string{"/account/security/recovery-codes", "/account/security/sessions/end-all"} {
		if a := p.do(http.MethodPost, path, ""); a.status != http.StatusSeeOther {
			t.Errorf("I-02: POST %s answered %d", path, a.status)
		}
	}
	for _, path := range []string{"/", "/outbox", "/nowhere", "/login"} {
		h := p.do(http.MethodGet, path, "").header
		for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin"} {
			if h.Get(name) != want {
				t.Errorf("I-24: %s of %s is %q", name, path, h.Get(name))
			}
		}
		if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("I-24: %s has the policy %q", path, csp)
		}
	}
	if p.do(http.MethodGet, "/", "").header.Get("X-Request-Id") == "" {
		t.Error("the requests have no id for the audit")
	}
	form := "username=alice&password=" + demo.Password
	s.expect(p.do(http.MethodPost, "/login", form, "Content-Type", "application/x-www-form-urlencoded"), http.StatusForbidden, "") // I-24: no token

	// I-24: a login does not lead to another site.
	b := s.browser()
	b.get("/login?next=//evil.example")
	s.expect(b.post("/login", "username", "dave", "password", demo.Password, "next", "//evil.example"), http.StatusSeeOther, "/account")
	for _, path := range []string{"/account/security/recovery-codes", "/account/security/sessions/end-all"} {
		b.token = ""
		if a := b.post(path); a.status != http.StatusForbidden {
			t.Errorf("I-24: POST %s without a token answered %d", path, a.status)
		}
	}
}

func loginRate(t *testing.T, of build) {
	s := start(t, of, nil, "-login-rate", "2", "-trusted-proxies", "127.0.0.0/8, ::1/128")
	p := s.program()
	try := func(client string) answer {
		a, _ := p.json("/api/login", "", map[string]string{"username": "nobody", "password": "x"}, "X-Forwarded-For", client)
		return a
	}
	var a answer
	for i, slow := 0, true; slow && i < 20; i++ { // one more is allowed after half a minute
		from, began := fmt.Sprintf("192.0.2.%d", 100+i), time.Now()
		s.expect(try(from), http.StatusUnauthorized, "")
		s.expect(try(from), http.StatusUnauthorized, "")
		a = try(from)
		slow = time.Since(began) >= 30*time.Second
	}
	s.expect(a, http.StatusTooManyRequests, "")
	s.problem(a)
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.expect(try("192.0.2.2"), http.StatusUnauthorized, "")
}

func securityPages(t *testing.T, of build) {
	s := start(t, of, nil)
	b := s.browser()
	b.password("sam")
	s.expect(b.post("/login/verify", "code", s.code("+31600000001")), http.StatusSeeOther, "/account")
	for path, words := range map[string][]string{
		"":                {"needs a second step", ">SMS</span>", ">E-mail</span>", "You have 0 left."},
		"/totp":           {"Nothing is set up here yet.", "Name (optional)"},
		"/passkeys":       {"Nothing is set up here yet."},
		"/email":          {"the address or number that your account has by itself", "E-mail address"},
		"/phone":          {"the address or number that your account has by itself", "Mobile number"},
		"/recovery-codes": {"You have 0 left.", "set up yourself"},
		"/devices":        {"This device", "Forget it"},
		"/sessions":       {"127.0.0.1", "By Password, SMS", "This device", "Log out everywhere, here too"},
	} {
		a := b.get("/account/security" + path)
		s.expect(a, http.StatusOK, "")
		s.mentions(a, words...)
		if strings.Contains(a.body, "sam@example.com") || strings.Contains(a.body, "+31600000001") {
			t.Errorf("%s shows a whole destination", path)
		}
	}
	s.expect(b.get("/account/security/nowhere"), http.StatusNotFound, "")
}

func settings(t *testing.T, of build) {
	s := start(t, of, nil, "-max-password-guesses", "1", "-code-ttl", "6m", "-pending-ttl", "7m", "-resend-after", "50s", "-audit-format", "ecs")
	p := s.program()
	login := func(name, password string) (answer, reply) {
		t.Helper()
		return p.json("/api/login", "", map[string]string{"username": name, "password": password})
	}
	began := time.Now()
	past := func() int { return 1 + int(time.Since(began)/time.Second) } // as many seconds may be over of what is told
	a, v := login("carol", demo.Password)
	s.expect(a, http.StatusOK, "")
	if v.ExpiresIn < 420-past() || v.ExpiresIn > 420 {
		t.Errorf("-pending-ttl 7m: the second step may take %d seconds", v.ExpiresIn)
	}
	s.mentions(answer{body: s.sent("carol@example.com")[0].Body}, "6 minutes")
	a, _ = p.json("/api/login/resend", v.Token, map[string]string{})
	s.expect(a, http.StatusTooManyRequests, "")
	if wait, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || wait < 50-past() || wait > 50 {
		t.Errorf("-resend-after 50s: wait %q", a.header.Get("Retry-After"))
	}
	a, _ = login("dave", "wrong")
	s.expect(a, http.StatusUnauthorized, "")
	a, _ = login("dave", demo.Password)
	s.expect(a, http.StatusUnauthorized, "") // the one guess is spent
	for _, line := range s.lines(s.audit) {
		if !strings.Contains(line, `"ecs":{"version":`) && !strings.Contains(line, `"ecs.version":`) {
			t.Errorf("-audit-format ecs: %s", line)
		}
	}
}
