package middleware

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

func withAccess(c *challenge.Config, _ *Config) { c.AccessTokens = 5 * time.Minute }

func TestAServiceAccountsAccessToken(t *testing.T) {
	w := found(t, withAccess)
	basic := []string{"Authorization", basicHeader("reports", password)}
	status, a, h := w.call("POST", "/api/login/token", "", "{}", basic...)
	if status != 200 || a["status"] != "authenticated" || a["expires_in"] != 300.0 || h.Get("Set-Cookie") != "" || h.Get("Cache-Control") != "no-store" {
		t.Fatal(status, a, h)
	}
	w.wantEvents(audit.CredentialUsed, audit.AccessToken)
	token := a["token"].(string)
	loads, swaps := w.store.loads.Load(), w.store.swaps.Load()
	if status, a, _ := w.call("GET", "/api/me", token, ""); status != 200 || a["body"] != "hello reports" {
		t.Error(status, a)
	}
	if l, s := w.store.loads.Load()-loads, w.store.swaps.Load()-swaps; l != 1 || s != 0 {
		t.Errorf("%d loads and %d swaps for a guarded request", l, s)
	}
	for _, path := range []string{"/api/transfer", "/api/passkey"} {
		if status, a, _ := w.call("GET", path, token, ""); status != 403 || a["type"] != "urn:sallyport:problem:not-allowed" {
			t.Errorf("%s: %d %v", path, status, a)
		}
	}
	if status, a, _ := w.call("POST", "/api/login/fresh", token, "{}"); status != 403 {
		t.Error("it stepped up:", status, a)
	}
	if status, a, _ := w.call("POST", "/api/login/token", token, ""); status != 403 {
		t.Error("it made another:", status, a)
	}
	if status, _, _ := w.call("GET", "/api/me", "", "", "Cookie", sessionCookie+"="+token); status != 401 {
		t.Error("I-18: it works as a cookie")
	}
	if status, _, _ := w.call("POST", "/api/logout", token, ""); status != 200 {
		t.Error("logout:", status)
	}
	if status, _, _ := w.call("GET", "/api/me", token, ""); status != 401 {
		t.Error("I-16: alive after logout")
	}
}

func TestWhatBuysNoAccessToken(t *testing.T) {
	w := found(t, withAccess)
	pending := func() string {
		_, a, _ := w.call("POST", "/api/login", "", `{"username":"alice","password":"`+password+`"}`)
		w.Audit.Take()
		return a["token"].(string)
	}()
	cookie := sessionCookie + "=" + w.browser().login().cookies[sessionCookie]
	w.Audit.Take()
	_, nobody, nobodys := w.call("POST", "/api/login/token", "", "{}")
	w.wantEvents() // an anonymous request is counted
	for name, c := range map[string]struct {
		status  int
		headers []string
		body    string
		events  []audit.Name
	}{
		"half a login (I-02)":       {401, []string{"Authorization", "Bearer " + pending}, "{}", []audit.Name{audit.CredentialRefused}},
		"a wrong password":          {401, []string{"Authorization", basicHeader("reports", "wrong")}, "{}", []audit.Name{audit.InvalidPassword}},
		"a person's password":       {401, []string{"Authorization", basicHeader("alice", password)}, "{}", []audit.Name{audit.LoginRefused}},
		"a person's and a code":     {401, []string{"Authorization", basicHeader("alice", password), "X-MFA-Code", w.code()}, "{}", []audit.Name{audit.LoginRefused}},
		"an unknown name":           {401, []string{"Authorization", basicHeader("nobody", password)}, "{}", []audit.Name{audit.UnknownUser}},
		"a cookie":                  {401, []string{"Cookie", cookie}, "{}", nil},
		"a dead token":              {401, []string{"Authorization", "Bearer " + strings.Repeat("A", 43)}, "{}", []audit.Name{audit.CredentialRefused}},
		"two credentials":           {401, []string{"Authorization", basicHeader("reports", password), "Authorization", basicHeader("reports", password)}, "{}", []audit.Name{audit.CredentialRefused}},
		"kept Basic without a body": {415, []string{"Authorization", basicHeader("reports", password)}, "", nil},
		"another site":              {403, []string{"Authorization", basicHeader("reports", password), "Sec-Fetch-Site", "cross-site"}, "{}", []audit.Name{audit.CrossSite}},
		"a field":                   {400, []string{"Authorization", basicHeader("reports", password)}, `{"scope":"x"}`, nil},
	} {
		w.web.login.local, _ = newLimiter(time.Second, 1000, 10)
		status, a, h := w.call("POST", "/api/login/token", "", c.body, c.headers...)
		if status != c.status || a["token"] != nil {
			t.Errorf("%s: %d %v", name, status, a)
		}
		if status == 401 && (a["type"] != nobody["type"] || a["detail"] != nobody["detail"] || len(h["Www-Authenticate"]) != len(nobodys["Www-Authenticate"])) {
			t.Errorf("I-10: %s: %v %v, nobody gets %v %v", name, a, h, nobody, nobodys)
		}
		if got := w.Audit.Take(); len(got) != len(c.events) || len(got) == 1 && got[0] != c.events[0] {
			t.Errorf("I-21: %s: %v", name, got)
		}
	}
	if status, _, _ := found(t).call("POST", "/api/login/token", "", "{}", "Authorization", basicHeader("reports", password)); status != 404 {
		t.Error("I-19: there are access tokens that nobody asked for:", status)
	}
}

func TestAPersonsAccessTokenEndsWithTheLogin_I16(t *testing.T) {
	w := found(t, withAccess)
	login := w.bearer()
	status, a, _ := w.call("POST", "/api/login/token", login, "")
	if status != 200 || a["expires_in"] != 300.0 {
		t.Fatal(status, a)
	}
	token := a["token"].(string)
	for _, tk := range []string{token, login} {
		if status, a, _ := w.call("GET", "/api/me", tk, ""); status != 200 || a["body"] != "hello alice" {
			t.Error(status, a)
		}
	}
	if status, _, _ := w.call("GET", "/api/transfer", token, ""); status != 403 {
		t.Error("an access token is fresh:", status)
	}
	if status, _, _ := w.call("GET", "/api/transfer", login, ""); status != 200 {
		t.Error("the login is not:", status)
	}
	w.call("POST", "/api/logout", login, "")
	if status, _, _ := w.call("GET", "/api/me", token, ""); status != 401 {
		t.Error("I-16: alive after the login's logout")
	}
}

func TestAnAccessTokenIsSeenAndEndedOnThePage_I16(t *testing.T) {
	w := home(t, withAccess)
	_, a, _ := w.call("POST", "/api/login/token", w.bearer(), "")
	token := a["token"].(string)
	b := w.browser().login()
	b.want(b.get(security+"/sessions"), 200, "")
	b.says("Access token", "Until ")
	id := between(t, b.page[:strings.Index(b.page, "Access token")][strings.LastIndex(b.page[:strings.Index(b.page, "Access token")], `id="login-`):], `id="login-`, `"`)
	b.want(b.post(security+"/sessions/end", "id", id), 303, security+"/sessions")
	if status, _, _ := w.call("GET", "/api/me", token, ""); status != 401 {
		t.Error("I-16: alive after it was ended:", status)
	}
}

func TestASinglePageAppsAccessToken(t *testing.T) {
	w := found(t, withAccess)
	w.mux.Handle("/spa/api/login/token", http.StripPrefix("/spa", w.spa.Routes()))
	b := w.browser().login()
	post := func(csrf string) int {
		r, _ := http.NewRequest("POST", site+"/spa/api/login/token", nil)
		r.RequestURI = "/spa/api/login/token"
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("X-CSRF-Token", csrf)
		return b.send(r).StatusCode
	}
	if status := post("forged"); status != 403 {
		t.Error("I-24: without the form's token:", status)
	}
	r, _ := http.NewRequest("GET", site+"/spa/api/login", nil)
	r.RequestURI = "/spa/api/login"
	b.send(r)
	before := b.cookies[sessionCookie]
	if status := post(between(t, b.page, `"csrf_token":"`, `"`)); status != 200 {
		t.Fatal(status, b.page)
	}
	token := between(t, b.page, `"token":"`, `"`)
	if b.cookies[sessionCookie] != before {
		t.Error("the login's cookie changed")
	}
	if status, a, _ := w.call("GET", "/api/me", token, ""); status != 200 || a["body"] != "hello alice" {
		t.Error(status, a)
	}
	if status, _, _ := w.call("GET", "/api/me", "", "", "Cookie", sessionCookie+"="+token); status != 401 {
		t.Error("I-18: it works as a cookie")
	}
}

func TestExchangesAtOnceAreEachTheirOwn_I16(t *testing.T) {
	w := found(t, withAccess)
	w.root = w.mux
	w.web.login.local, _ = newLimiter(time.Second, 1000, 10)
	login := w.bearer()
	var mu sync.Mutex
	tokens := map[string]bool{}
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			status, a, _ := w.call("POST", "/api/login/token", login, "")
			if status != 200 {
				t.Error(status, a)
				return
			}
			mu.Lock()
			tokens[a["token"].(string)] = true
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(tokens) != 30 {
		t.Errorf("%d tokens of 30 exchanges", len(tokens))
	}
	if err := w.logins.LogoutEverywhere(t.Context(), challenge.Client{}, "1"); err != nil {
		t.Fatal(err)
	}
	for token := range tokens {
		if status, _, _ := w.call("GET", "/api/me", token, ""); status != 401 {
			t.Fatal("I-16: alive after the logout everywhere")
		}
	}
}
