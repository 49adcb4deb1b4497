package middleware

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

func TestStoryOfALoginByJSON(t *testing.T) {
	w := found(t)
	status, a, h := w.call("POST", "/api/login", "", `{"username":"alice","password":"`+password+`"}`)
	if status != 200 || a["status"] != "second_factor_required" || a["method"] != "totp" || a["token"] == nil || a["login"] == nil || a["expires_in"] != 600.0 {
		t.Fatal(status, a)
	}
	if h.Get("Set-Cookie") != "" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" {
		t.Error(h)
	}
	pending := a["token"].(string)
	if status, a, _ := w.call("GET", "/api/me", pending, ""); status != 401 || a["type"] != "urn:sallyport:problem:login-required" {
		t.Error("I-02: half a login:", status, a)
	}
	if status, a, _ := w.call("POST", "/api/login/verify", pending, `{"code":"000000"}`); status != 401 || a["type"] != "urn:sallyport:problem:wrong-code" {
		t.Error(status, a)
	}
	status, a, _ = w.call("POST", "/api/login/verify", pending, `{"code":"`+w.code()+`","method":"totp"}`)
	if status != 200 || a["status"] != "authenticated" || a["expires_in"] != 86400.0 {
		t.Fatal(status, a)
	}
	token := a["token"].(string)
	if token == pending {
		t.Error("I-03: the token survived the promotion")
	}
	if status, a, _ := w.call("GET", "/api/me", token, ""); status != 200 || a["body"] != "hello alice" {
		t.Error(status, a)
	}
	if status, _, _ := w.call("GET", "/api/me", pending, ""); status != 401 {
		t.Error("I-03: the pending token is alive")
	}
	if status, a, _ := w.call("POST", "/api/logout", token, ""); status != 200 || a["status"] != "logged_out" {
		t.Error(status, a)
	}
	if status, _, _ := w.call("GET", "/api/me", token, ""); status != 401 {
		t.Error("I-16: alive after logout")
	}
}

func TestABearerTokenIsNoCookieAndTheOtherWayRound_I18(t *testing.T) {
	w := found(t)
	token := w.bearer()
	if status, _, _ := w.call("GET", "/api/me", "", "", "Cookie", sessionCookie+"="+token); status != 401 {
		t.Error("a bearer token worked as a cookie")
	}
	b := w.browser().login()
	if status, _, _ := w.call("GET", "/api/me", b.cookies[sessionCookie], ""); status != 401 {
		t.Error("a cookie worked as a bearer token")
	}
	if status, a, _ := w.call("GET", "/api/me", "", "", "Cookie", sessionCookie+"="+b.cookies[sessionCookie]); status != 200 {
		t.Error("a cookie session at an API route:", status, a)
	}
}

func TestOnePrincipalARequest(t *testing.T) {
	w := found(t)
	token := w.bearer()
	cookie := sessionCookie + "=" + w.browser().login().cookies[sessionCookie]
	for name, headers := range map[string][]string{
		"a wrong bearer token beside a good cookie": {"Authorization", "Bearer " + strings.Repeat("A", 43), "Cookie", cookie},
		"an unknown scheme beside a good cookie":    {"Authorization", "Digest x", "Cookie", cookie},
		"a wrong Basic beside a good cookie":        {"Authorization", basicHeader("reports", "wrong"), "Cookie", cookie},
		"two Authorization headers":                 {"Authorization", "Bearer " + token, "Authorization", "Bearer " + token},
		"two tokens in one header":                  {"Authorization", "Bearer " + token + ", Bearer " + token},
		"two session cookies (I-18)":                {"Cookie", cookie, "Cookie", cookie},
		"two session cookies in one line (I-18)":    {"Cookie", cookie + "; " + cookie},
		"an empty Authorization header":             {"Authorization", "", "Cookie", cookie},
	} {
		if status, a, _ := w.call("GET", "/api/me", "", "", headers...); status != 401 {
			t.Errorf("%s: %d %v", name, status, a)
		}
	}
}

func TestBasicIsForServiceAccountsAndForPeopleWithACode(t *testing.T) {
	w := found(t)
	if status, a, _ := w.call("GET", "/api/me", "", "", "Authorization", basicHeader("reports", password)); status != 200 || a["body"] != "hello reports" {
		t.Error(status, a)
	}
	status, a, h := w.call("GET", "/api/me", "", "", "Authorization", basicHeader("alice", password))
	if status != 401 || len(h["Www-Authenticate"]) != 2 {
		t.Error("a person's password alone:", status, a, h)
	}
	w.Clock.Advance(time.Minute)
	code := w.code()
	if status, a, _ := w.call("GET", "/api/transfer", "", "", "Authorization", basicHeader("alice", password), "X-MFA-Code", code); status != 200 || a["body"] != "hello alice" {
		t.Error(status, a)
	}
	if status, _, _ := w.call("GET", "/api/me", "", "", "Authorization", basicHeader("alice", password), "X-MFA-Code", code); status != 401 {
		t.Error("I-12: the code worked twice")
	}
	if status, _, _ := w.call("GET", "/api/me", "", "", "Authorization", basicHeader("alice", password), "X-MFA-Code", code, "X-MFA-Code", code); status != 400 {
		t.Error("two codes")
	}
	if status, a, _ := w.call("GET", "/api/transfer", "", "", "Authorization", basicHeader("reports", password)); status != 403 {
		t.Error("a service account at a fresh route:", status, a)
	}
	if status, a, _ := w.call("POST", "/api/login", "", `{"username":"reports","password":"`+password+`"}`); status != 401 || a["type"] != "urn:sallyport:problem:refused" {
		t.Error("I-10: a service account at the login:", status, a)
	}
	r, _ := http.NewRequest("GET", site+"/account", nil)
	r.Header.Set("Authorization", basicHeader("reports", password))
	if res := w.browser().send(r); res.StatusCode != 303 {
		t.Error("Basic at a page:", res.StatusCode)
	}
	if status, a, _ := w.call("POST", "/api/anything", "", "", "Authorization", basicHeader("reports", password), "Content-Type", "text/plain"); status != 415 {
		t.Error("a form of another site with kept Basic credentials:", status, a)
	}
}

func TestJSONIsReadStrictly(t *testing.T) {
	w := found(t)
	good := `{"username":"alice","password":"` + password + `"}`
	for name, c := range map[string]struct {
		status      int
		contentType string
		body        string
	}{
		"a number for a string": {400, "application/json", `{"username":"alice","password":1}`},
		"null for a string":     {400, "application/json", `{"username":"alice","password":null}`},
		"a name twice":          {400, "application/json", `{"username":"alice","password":"x","password":"y"}`},
		"a name twice, escaped": {400, "application/json", `{"username":"alice","password":"x","passwor\u0064":"y"}`},
		"an unknown name":       {400, "application/json", `{"username":"alice","password":"x","admin":"y"}`},
		"a name in other case":  {400, "application/json", `{"Username":"alice","password":"x"}`},
		"a missing name":        {400, "application/json", `{"username":"alice"}`},
		"something behind":      {400, "application/json", good + `{}`},
		"an array":              {400, "application/json", `[` + good + `]`},
		"half an object":        {400, "application/json", good[:len(good)-1]},
		"invalid UTF-8":         {400, "application/json", "{\"username\":\"alice\",\"password\":\"\xff\"}"},
		"half a character":      {400, "application/json", `{"username":"alice","password":"\ud800"}`},
		"nothing":               {415, "", ""},
		"a form":                {415, "application/x-www-form-urlencoded", "username=alice"},
		"text":                  {415, "text/plain", good},
		"another charset":       {415, "application/json; charset=utf-16", good},
		"a lot":                 {413, "application/json", `{"username":"` + strings.Repeat("a", 17<<10) + `"}`},
		"UTF-8, said so":        {200, "application/json; charset=UTF-8", good},
	} {
		r, _ := http.NewRequest("POST", site+"/api/login", strings.NewReader(c.body))
		if c.contentType != "" {
			r.Header.Set("Content-Type", c.contentType)
		}
		if res := w.browser().send(r); res.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", name, res.StatusCode, c.status)
		}
		w.Clock.Advance(time.Minute)
		w.root = w.mux // without the limit
		w.web.login.local, _ = newLimiter(time.Second, 1000, 10)
	}
}

func TestStepUpByJSONAnswersRFC9470(t *testing.T) {
	w := found(t)
	token := w.bearer()
	w.Clock.Advance(6 * time.Minute)
	status, a, h := w.call("GET", "/api/transfer", token, "")
	if status != 401 || a["type"] != "urn:sallyport:problem:insufficient-user-authentication" || a["max_age"] != 300.0 {
		t.Fatal(status, a)
	}
	if got := h.Get("WWW-Authenticate"); !strings.Contains(got, `error="insufficient_user_authentication"`) || !strings.Contains(got, `max_age="300"`) {
		t.Error(got)
	}
	if status, a, _ := w.call("POST", "/api/login/fresh", token, `{}`); status != 200 || a["status"] != "second_factor_required" || a["method"] != "totp" {
		t.Error(status, a)
	}
	if status, a, _ := w.call("POST", "/api/login/fresh", token, `{"code":"000000"}`); status != 401 {
		t.Error(status, a)
	}
	status, a, _ = w.call("POST", "/api/login/fresh", token, `{"code":"`+w.code()+`"}`)
	if status != 200 || a["status"] != "authenticated" || a["token"] == token || a["token"] == nil {
		t.Fatal(status, a)
	}
	if left := a["expires_in"].(float64); left > 86400-360 {
		t.Error("I-17: step-up extended the login", left)
	}
	if status, _, _ := w.call("GET", "/api/transfer", a["token"].(string), ""); status != 200 {
		t.Error(status)
	}
	if status, _, _ := w.call("GET", "/api/me", token, ""); status != 401 {
		t.Error("I-03: the old token is alive")
	}
	if status, a, h := w.call("GET", "/api/passkey", a["token"].(string), ""); status != 401 || !strings.Contains(h.Get("WWW-Authenticate"), `acr_values="passkey"`) {
		t.Error(status, a, h)
	}
}

func TestEnrolmentByJSON_I02(t *testing.T) {
	w := found(t)
	status, a, _ := w.call("POST", "/api/login", "", `{"username":"erin","password":"`+password+`"}`)
	if status != 200 || a["status"] != "enrolment_required" || a["stage"] != "proof" || a["next"] != "/api/login/verify" || a["enrolment"] != nil {
		t.Fatal(status, a)
	}
	status, a, _ = w.call("POST", "/api/login/verify", a["token"].(string), `{"code":"`+w.Outbox.Code("erin@example.com")+`"}`)
	if status != 200 || a["status"] != "enrolment_required" || a["stage"] != "enrol" {
		t.Fatal(status, a)
	}
	e := a["enrolment"].(map[string]any)
	secret := strings.ReplaceAll(e["key"].(string), " ", "")
	status, a, _ = w.call("POST", "/api/login/verify", a["token"].(string), `{"code":"`+codeOf(t, secret, w.Clock.Now())+`"}`)
	if status != 200 || a["status"] != "authenticated" || len(a["recovery_codes"].([]any)) < 8 {
		t.Fatal(status, a)
	}
	// A recovery code logs in without a method.
	code := a["recovery_codes"].([]any)[0].(string)
	_, a, _ = w.call("POST", "/api/login", "", `{"username":"erin","password":"`+password+`"}`)
	if status, a, _ = w.call("POST", "/api/login/verify", a["token"].(string), `{"code":"`+code+`"}`); status != 200 || a["status"] != "authenticated" {
		t.Error(status, a)
	}
}

func TestAPasskeyIsEnrolledByJSON(t *testing.T) {
	w := home(t, withPasskeys)
	w.SetVerdict("5", challenge.Verdict{Factors: []string{"totp", "passkey"}})
	_, a, _ := w.call("POST", "/api/login", "", `{"username":"erin","password":"`+password+`"}`)
	_, a, _ = w.call("POST", "/api/login/verify", a["token"].(string), `{"code":"`+w.Outbox.Code("erin@example.com")+`"}`)
	token := a["token"].(string)
	status, a, _ := w.call("POST", "/api/login/resend", token, `{"method":"passkey"}`)
	e, _ := a["enrolment"].(map[string]any)
	options, _ := e["options"].(map[string]any)
	if status != 200 || a["stage"] != "enrol" || a["method"] != "passkey" || options["challenge"] == nil {
		t.Fatal(status, a)
	}
	status, a, _ = w.call("POST", "/api/login/enrol", token, `{"code":"key:`+options["challenge"].(string)+`"}`)
	if status != 200 || a["status"] != "authenticated" || a["recovery_codes"] == nil {
		t.Error(status, a)
	}
}

func TestResendAndCancelByJSON(t *testing.T) {
	w := found(t)
	_, a, _ := w.call("POST", "/api/login", "", `{"username":"sam","password":"`+password+`"}`)
	if a["method"] != "sms" || a["sent_to"] == nil || a["resend_in"] != 30.0 {
		t.Fatal(a)
	}
	token := a["token"].(string)
	status, a, h := w.call("POST", "/api/login/resend", token, "")
	if status != 429 || h.Get("Retry-After") != "30" {
		t.Error(status, a, h)
	}
	w.Clock.Advance(31 * time.Second)
	status, a, _ = w.call("POST", "/api/login/resend", token, `{"method":"email"}`)
	if status != 200 || a["method"] != "email" || a["status"] != "second_factor_required" {
		t.Error(status, a)
	}
	if status, a, _ = w.call("POST", "/api/login/cancel", token, ""); status != 200 || a["status"] != "cancelled" {
		t.Error(status, a)
	}
	if status, a, _ = w.call("POST", "/api/login/verify", token, `{"code":"123456"}`); status != 401 || a["type"] != "urn:sallyport:problem:no-pending-login" {
		t.Error(status, a)
	}
}

func TestAFinishedLoginIsNotCancelled(t *testing.T) {
	w := found(t)
	token := w.bearer()
	w.Audit.Take()
	if status, a, _ := w.call("POST", "/api/login/cancel", token, ""); status != 403 || a["type"] != "urn:sallyport:problem:not-allowed" {
		t.Error(status, a)
	}
	w.wantEvents(audit.CredentialRefused)
	if status, _, _ := w.call("GET", "/api/me", token, ""); status != 200 {
		t.Error("the login is over:", status)
	}
	// Where there is none, there is none any more.
	for _, none := range []string{"", randomToken()[:43]} {
		if status, a, _ := w.call("POST", "/api/login/cancel", none, ""); status != 200 || a["status"] != "cancelled" {
			t.Error(status, a)
		}
	}
}

func TestStoryOfASinglePageApp(t *testing.T) {
	b := found(t).browser()
	send := func(method, target, body, token string) (int, string) {
		r, _ := http.NewRequest(method, site+target, strings.NewReader(body))
		r.RequestURI = target
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		if token != "" {
			r.Header.Set("X-CSRF-Token", token)
		}
		return b.send(r).StatusCode, b.page
	}
	status, page := send("GET", "/spa/api/login", "", "")
	if status != 200 || !strings.Contains(page, `"status":"anonymous"`) {
		t.Fatal(status, page)
	}
	csrf := between(t, page, `"csrf_token":"`, `"`)
	login := `{"username":"alice","password":"` + password + `"}`
	if status, page := send("POST", "/spa/api/login", login, ""); status != 403 {
		t.Fatal("I-24: a login without a token:", status, page)
	}
	status, page = send("POST", "/spa/api/login", login, csrf)
	if status != 200 || strings.Contains(page, `"token"`) || b.cookies[sessionCookie] == "" {
		t.Fatal(status, page)
	}
	if status, page := send("POST", "/spa/api/login/verify", `{"code":"`+b.code()+`"}`, csrf); status != 403 {
		t.Error("I-03: the CSRF token survived the password step:", status, page)
	}
	csrf = between(t, page, `"csrf_token":"`, `"`)
	status, page = send("POST", "/spa/api/login/verify", `{"code":"`+b.code()+`"}`, csrf)
	if status != 200 || strings.Contains(page, `"token"`) {
		t.Fatal(status, page)
	}
	if status, page := send("GET", "/api/me", "", ""); status != 200 || page != "hello alice" {
		t.Fatal(status, page)
	}
	if status, page := send("POST", "/api/me", "", ""); status != 403 {
		t.Error("I-24: an unsafe request by cookie without a token:", status, page)
	}
	csrf = between(t, page, `"csrf_token":"`, `"`)
	if status, page := send("POST", "/api/me", "", csrf); status != 200 {
		t.Error(status, page)
	}
	if status, page := send("POST", "/spa/api/logout", "", csrf); status != 200 {
		t.Error(status, page)
	}
	if status, page := send("GET", "/api/me", "", ""); status != 401 {
		t.Error(status, page)
	}
}

func TestProblemsHaveStableTypes(t *testing.T) {
	seen := map[string]bool{}
	for p, row := range problems {
		if row.status < 400 || row.slug == "" || row.title == "" {
			t.Errorf("problem %d: %+v", p, row)
		}
		if text := (*challenge.Logins).Texts(found(t).logins).Text("en", row.text); text == string(row.text) {
			t.Errorf("problem %s has no text", row.slug)
		}
		if seen[row.slug] && row.slug != "insufficient-user-authentication" {
			t.Errorf("%s twice", row.slug)
		}
		seen[row.slug] = true
	}
}

func TestGuardRefusalsOfACredentialLeaveOneEvent_I21(t *testing.T) {
	w := found(t)
	for name, headers := range map[string][]string{
		"a dead bearer token": {"Authorization", "Bearer " + strings.Repeat("A", 43)},
		"a dead cookie":       {"Cookie", sessionCookie + "=" + strings.Repeat("A", 43)},
		"what is no token":    {"Authorization", "Bearer x"},
		"an unknown scheme":   {"Authorization", "Token x"},
	} {
		w.call("GET", "/api/me", "", "", headers...)
		if got := w.Audit.Take(); len(got) != 1 || got[0] != audit.CredentialRefused {
			t.Errorf("%s: %v", name, got)
		}
	}
	before := w.web.Counts().Anonymous
	w.call("GET", "/api/me", "", "")
	w.wantEvents()
	if w.web.Counts().Anonymous != before+1 {
		t.Error("an anonymous request was not counted")
	}
	w.call("GET", "/api/me", "", "", "Authorization", basicHeader("reports", "wrong"))
	w.wantEvents(audit.InvalidPassword)
	_, a, _ := w.call("POST", "/api/login", "", `{"username":"alice","password":"`+password+`"}`)
	w.Audit.Take()
	w.call("GET", "/api/me", a["token"].(string), "")
	w.wantEvents(audit.CredentialRefused)
}
