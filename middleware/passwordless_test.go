package middleware

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// Discover, Claim and Handle make the passkey of these tests one that may count as both factors: the answer is
// "key:" and the handle, a dash and the nonce.
func (passkey) Discover(_ *challenge.Attempt, nonce []byte) ([]byte, error) {
	return json.Marshal(posed{hex.EncodeToString(nonce)})
}

func (passkey) Claim(answer []byte) (handle, nonce []byte, ok bool) {
	h, n, ok := strings.Cut(strings.TrimPrefix(string(answer), "key:"), "-")
	nonce, err := hex.DecodeString(n)
	return []byte(h), nonce, ok && err == nil
}

func (passkey) Handle(data []byte) ([]byte, bool) { return []byte(aliceHandle), string(data) == "made" }

const aliceHandle = "0123456789abcdef0123456789abcdef"

// passwordless is a town where alice has a passkey that may count as both factors.
func passwordless(t *testing.T) *town {
	w := home(t, withPasskeys, func(c *challenge.Config, _ *Config) { c.Passwordless = "passkey" })
	b := w.browser().login()
	b.get(security + "/passkeys")
	b.post(security + "/passkeys")
	b.get(security + "/enrol")
	b.want(b.post(security+"/enrol", "code", b.answer()), 200, "")
	w.Audit.Take()
	return w
}

// aliceAnswers is what alice's device says to a challenge.
func aliceAnswers(challenge string) string { return "key:" + aliceHandle + "-" + challenge }

func TestStoryOfAPasskeyAlone(t *testing.T) {
	w := passwordless(t)
	b := w.browser()
	loads := w.store.loads.Load()
	b.scripted(b.get("/login?next=%2Faccount%2Fhistory"), true)
	if n := w.store.loads.Load() - loads; n != 0 || len(b.cookies) != 1 {
		t.Errorf("I-23: %d loads and %d cookies for a page that shows a challenge", n, len(b.cookies))
	}
	b.says("Log in with a passkey", `autocomplete="username webauthn"`, `action="/login/passkey"`, `data-passkey-autofill="/login?next=%2Faccount%2Fhistory" hidden=""`)
	answer := aliceAnswers(strings.TrimPrefix(b.answer(), "key:"))
	b.want(b.post("/login/passkey", "method", "passkey", "code", answer, "next", "/account/history"), 303, "/account/history")
	b.want(b.get("/account/history"), 200, "")
	b.says("hello alice")
	if got := w.Audit.Take(); got[len(got)-1] != audit.LoginWithMFA {
		t.Errorf("%v", got)
	}

	// It is fresh, but a change of factors takes the password.
	b.want(b.get("/account/transfer"), 200, "")
	b.get(security)
	b.want(b.post(security+"/totp", "name", "spare"), 303, "/login/fresh?next=%2Faccount%2Fsecurity%2Ftotp")
	b.get(b.at)
	b.says("Password", "Confirm")
	b.want(b.post("/login/fresh", "password", password, "next", security+"/totp"), 303, security+"/totp")

	// The same answer again, from another browser.
	c := w.browser()
	c.get("/login")
	c.want(c.post("/login/passkey", "code", answer), 401, "")
	c.says("That was cancelled or took too long. Try again.", "Log in with a passkey")
	if c.post("/login/passkey", "code", ""); !strings.Contains(c.page, "That did not work. Try again") {
		t.Errorf("%s", c.page)
	}
	w.Clock.Advance(6 * time.Minute)
	late := aliceAnswers(strings.TrimPrefix(c.answer(), "key:"))
	w.Clock.Advance(5 * time.Minute)
	c.get("/login")
	c.want(c.post("/login/passkey", "code", late), 401, "")
	c.says("That was cancelled or took too long. Try again.")
	c.want(c.post("/login/passkey", "code", "key:nobody-"+strings.TrimPrefix(c.answer(), "key:")), 401, "")
	c.says("This passkey cannot be used here.", `<label for="username">`)
	c.want(c.get("/login/passkey"), 303, "/login")
	if res := c.post("/login/passkey", "csrf_token", "forged", "code", "key:x-00"); res.StatusCode != 403 {
		t.Errorf("I-24: %d without the form's token", res.StatusCode)
	}
}

func TestProgramsLogInByAPasskeyAlone(t *testing.T) {
	w := passwordless(t)
	status, got, header := w.call("GET", "/api/login/passkey", "", "")
	asked, _ := got["challenge"].(map[string]any)
	if status != 200 || got["status"] != "anonymous" || got["method"] != "passkey" || got["expires_in"] != 300.0 || asked["challenge"] == nil || header.Get("Set-Cookie") != "" {
		t.Fatalf("%d %v %v", status, got, header)
	}
	body := `{"code":"` + aliceAnswers(asked["challenge"].(string)) + `"}`
	if status, got, _ := w.call("POST", "/api/login/passkey", "", strings.TrimSuffix(body, "}")+`,"code":"x"}`); status != 400 || got["token"] != nil {
		t.Errorf("a name twice: %d %v", status, got)
	}
	status, got, header = w.call("POST", "/api/login/passkey", "", body)
	token, _ := got["token"].(string)
	if status != 200 || got["status"] != "authenticated" || token == "" || header.Get("Set-Cookie") != "" {
		t.Fatalf("%d %v %v", status, got, header)
	}
	if status, got, _ := w.call("GET", "/api/me", token, ""); status != 200 || got["body"] != "hello alice" {
		t.Errorf("%d %v", status, got)
	}
	if status, got, _ := w.call("POST", "/api/login/passkey", "", body); status != 401 || got["type"] != "urn:sallyport:problem:no-code" {
		t.Errorf("the same answer again: %d %v", status, got)
	}
	if status, got, _ := w.call("POST", "/api/login/passkey", "", `{"code":"key:"}`); status != 400 || got["type"] != "urn:sallyport:problem:malformed-code" {
		t.Errorf("no answer: %d %v", status, got)
	}
	if status, got, _ := w.call("POST", "/api/login/passkey", "", `{}`); status != 400 || got["type"] != "urn:sallyport:problem:bad-request" {
		t.Errorf("no code: %d %v", status, got)
	}
}

func TestWherePasskeysAreSecondFactorsOnlyNothingOffersMore(t *testing.T) {
	w := home(t, withPasskeys)
	b := w.browser()
	b.scripted(b.get("/login"), false)
	for _, path := range []string{"/login/passkey", "/api/login/passkey"} {
		if res := b.get(path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	if strings.Contains(b.page, "webauthn") {
		t.Error("the field for the name asks for passkeys")
	}
}

func TestI19PasswordlessPagesNeedTheScript(t *testing.T) {
	w := home(t, withPasskeys, func(c *challenge.Config, _ *Config) { c.Passwordless = "passkey" })
	if _, err := New(w.logins, Config{}); err == nil || !strings.Contains(err.Error(), "webauthn.Script") {
		t.Errorf("%v", err)
	}
}
