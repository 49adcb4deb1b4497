package middleware

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// passkey is a factor that behaves like one of passkeys as far as a page can tell: it poses a challenge in JSON, and the answer
// is the challenge. Package webauthn tests the real one.
type passkey struct{}

type posed struct {
	Challenge string `json:"challenge"`
}

func (passkey) Name() string { return "passkey" }

func (passkey) pose(a *challenge.Attempt) (string, []byte, error) {
	b := make([]byte, 16)
	if err := a.Random(b); err != nil {
		return "", nil, err
	}
	challenge := hex.EncodeToString(b)
	options, err := json.Marshal(posed{challenge})
	return challenge, options, err
}

func (p passkey) Begin(_ context.Context, a *challenge.Attempt) error {
	state, options, err := p.pose(a)
	if err == nil {
		a.SetChallenge([]byte(state), options)
	}
	return err
}

func (p passkey) Enrol(_ context.Context, a *challenge.Attempt) (challenge.Enrolment, error) {
	for _, v := range a.Enrolled { // the pending one, shown again
		options, err := json.Marshal(posed{string(v.Data)})
		return challenge.Enrolment{Data: v.Data, Options: options}, err
	}
	state, options, err := p.pose(a)
	return challenge.Enrolment{Data: []byte(state), Options: options}, err
}

func (passkey) Parse(answer string) ([]byte, bool) {
	return []byte(answer), strings.HasPrefix(answer, "key:")
}

func (passkey) Verify(_ context.Context, a *challenge.Attempt, answer []byte) (challenge.Proof, error) {
	want := a.Challenge()
	if a.Purpose == challenge.PurposePasswordless {
		want = []byte(aliceAnswers(hex.EncodeToString(want))[len("key:"):])
	}
	if a.Purpose == challenge.PurposeEnrol {
		want = a.Enrolled[0].Data
	}
	if want == nil {
		return challenge.Proof{}, challenge.ErrNoCode
	}
	if string(answer) != "key:"+string(want) {
		return challenge.Proof{}, challenge.ErrWrongCode
	}
	return challenge.Proof{Authenticator: a.Enrolled[0].ID, Enrolment: []byte("made")}, nil
}

func withPasskeys(c *challenge.Config, m *Config) {
	c.Factors = slices.Insert(c.Factors, 1, challenge.Factor(passkey{}))
	m.PasskeyScript = []byte("// script")
}

// answer is what a browser's authenticator would say to the page.
func (b *browserClient) answer() string {
	b.t.Helper()
	var p posed
	if err := json.Unmarshal([]byte(between(b.t, b.page, `data-passkey-options="`, `"`)), &p); err != nil {
		b.t.Fatal(err)
	}
	return "key:" + p.Challenge
}

const withScript = "; script-src 'self'"

// scripted is about whether a page may run the script: only one that has it.
func (b *browserClient) scripted(res *http.Response, want bool) {
	b.t.Helper()
	csp := res.Header.Get("Content-Security-Policy")
	if strings.HasSuffix(csp, withScript) != want || strings.Contains(csp, "script-src") != want || strings.Contains(b.page, "<script") != want {
		b.t.Errorf("policy %q, script on the page: %v", csp, strings.Contains(b.page, "<script"))
	}
}

func TestStoryOfAPasskey(t *testing.T) {
	w := home(t, withPasskeys)
	b := w.browser().login()
	b.scripted(b.get(security+"/passkeys"), false)
	b.want(b.post(security+"/passkeys", "name", "laptop"), 303, security+"/enrol")
	res := b.get(security + "/enrol")
	b.scripted(res, true)
	b.says("Set up a passkey", "Create a passkey", `src="/login/passkey.js"`, "Passkeys need JavaScript", `data-passkey-exists="`)
	b.want(b.post(security+"/enrol", "code", ""), 400, "") // as without JavaScript: no guess
	b.want(b.post(security+"/enrol", "code", "key:other"), 401, "")
	b.says("Set up a passkey")
	b.want(b.post(security+"/enrol", "code", b.answer()), 200, "")
	b.get(security + "/passkeys")
	b.says("Passkey: laptop")

	// It logs in.
	c := w.browser()
	c.get("/login")
	c.want(c.post("/login", "username", "alice", "password", password), 303, "/login/verify")
	c.scripted(c.get("/login/verify"), false) // asks for the app
	c.want(c.post("/login/resend", "method", "passkey"), 303, "/login/verify")
	c.scripted(c.get("/login/verify"), true)
	c.says("Use a passkey", "Use the authenticator app")
	first := c.answer()
	c.want(c.get("/login/verify"), 200, "")
	if c.answer() != first {
		t.Error("another challenge, though the first can be answered still")
	}
	c.want(c.post("/login/verify", "method", "passkey", "code", "key:wrong"), 401, "")
	c.says("not right")
	if c.answer() == first {
		t.Error("the challenge that a wrong answer has taken is shown again")
	}
	c.want(c.post("/login/verify", "method", "passkey", "code", c.answer()), 303, "/account")

	// It steps up, and a wrong answer there poses again, too.
	c.Clock.Advance(6 * time.Minute)
	c.want(c.get("/account/transfer"), 303, "/login/fresh?next=%2Faccount%2Ftransfer")
	c.get(c.at)
	c.want(c.post("/login/fresh", "method", "passkey", "next", "/account/transfer"), 303, "/login/fresh?next=%2Faccount%2Ftransfer&method=passkey")
	c.scripted(c.get(c.at), true)
	first = c.answer()
	c.want(c.post("/login/fresh", "method", "passkey", "code", "key:wrong", "next", "/account/transfer"), 401, "")
	if c.answer() == first {
		t.Error("the challenge that a wrong answer has taken is shown again")
	}
	c.want(c.post("/login/fresh", "method", "passkey", "code", c.answer(), "next", "/account/transfer"), 303, "/account/transfer")
	c.want(c.get("/account/transfer"), 200, "")
}

func TestAnExpiredChallengeIsPosedAgain(t *testing.T) {
	w := home(t, withPasskeys, func(c *challenge.Config, _ *Config) { c.CodeTTL = time.Minute })
	b := w.browser().login()
	b.get(security + "/passkeys")
	b.post(security + "/passkeys")
	b.get(security + "/enrol")
	b.want(b.post(security+"/enrol", "code", b.answer()), 200, "")
	c := w.browser()
	c.get("/login")
	c.post("/login", "username", "alice", "password", password)
	c.get("/login/verify")
	c.post("/login/resend", "method", "passkey")
	c.get("/login/verify")
	first := c.answer()
	w.Clock.Advance(61 * time.Second)
	c.want(c.post("/login/verify", "method", "passkey", "code", first), 401, "")
	c.says("too old")
	if c.answer() == first {
		t.Error("the page shows a challenge that cannot be answered any more")
	}
	w.Clock.Advance(61 * time.Second)
	c.get("/login/verify")
	c.want(c.post("/login/verify", "method", "passkey", "code", c.answer()), 303, "/account")
}

func TestAFirstAuthenticatorCanBeAPasskeyOrAnApp(t *testing.T) {
	w := home(t, withPasskeys)
	w.SetVerdict("5", challenge.Verdict{Factors: []string{"totp", "passkey", "recovery"}})
	b := w.browser()
	b.get("/login")
	b.want(b.post("/login", "username", "erin", "password", password), 303, "/login/verify")
	b.get("/login/verify")
	b.want(b.post("/login/verify", "code", b.Outbox.Code("erin@example.com")), 303, "/login/verify")
	b.scripted(b.get("/login/verify"), false)
	b.says("data:image/png;base64,", "Try another way", "Use a passkey")
	b.want(b.post("/login/resend", "method", "passkey"), 303, "/login/verify")
	b.scripted(b.get("/login/verify"), true)
	b.says("Set up a passkey", "Use the authenticator app")
	b.silent("data:image/png")
	b.want(b.post("/login/verify", "method", "passkey", "code", "key:wrong"), 401, "")
	b.want(b.post("/login/verify", "method", "passkey", "code", b.answer()), 200, "")
	if len(b.codes()) != 10 {
		t.Error("no recovery codes come with it")
	}
	b.want(b.get("/account"), 200, "")
}

func TestTheScriptIsServedStrictly(t *testing.T) {
	b := home(t, withPasskeys).browser()
	res := b.get("/login/passkey.js")
	b.want(res, 200, "")
	for name, want := range map[string]string{"Content-Type": "text/javascript; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-cache"} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s %q, want %q", name, got, want)
		}
	}
	if b.page != "// script" || len(res.Cookies()) != 0 || res.Header.Get("Etag") == "" {
		t.Errorf("%q, cookies %v", b.page, res.Cookies())
	}
	b.get("/login")
	b.want(b.post("/login/passkey.js"), 404, "")
	none := home(t).browser()
	none.want(none.get("/login/passkey.js"), 404, "")
	none.scripted(none.get("/login"), false)
}

func TestPasskeysWithoutTheirScriptAreRefusedAtStart_I19(t *testing.T) {
	w := found(t, withPasskeys)
	if _, err := New(w.logins, Config{}); err == nil || !strings.Contains(err.Error(), "PasskeyScript") {
		t.Errorf("%v", err)
	}
	w = found(t)
	for _, path := range []string{"security", "/", "/account/security/", "/login", "/login/security", "/API//x"} {
		if _, err := New(w.logins, Config{Paths: Paths{Security: path}}); err == nil {
			t.Errorf("Paths.Security %q was taken", path)
		}
	}
	if _, err := New(w.logins, Config{Paths: Paths{Security: "/me/safety"}}); err != nil {
		t.Error(errors.Unwrap(err), err)
	}
}

// A factor of an app's own that can be enrolled has its page under its name.
func TestAFactorOfTheAppsOwnHasAPage(t *testing.T) {
	w := home(t, func(c *challenge.Config, _ *Config) {
		c.Factors = append(c.Factors, hotline{})
	})
	b := w.browser().login()
	b.get(security)
	b.says(`href="/account/security/hotline"`)
	b.get(security + "/hotline")
	b.want(b.post(security+"/hotline", "name", "desk"), 303, security+"/enrol")
	b.want(b.get(security+"/enrol"), 200, "")
	b.says("Enter the code to switch this second step on")
	b.want(b.post(security+"/enrol", "code", "555"), 200, "")
	b.get(security + "/hotline")
	b.says("Another code: desk")
}

type hotline struct{}

func (hotline) Name() string                                    { return "hotline" }
func (hotline) Begin(context.Context, *challenge.Attempt) error { return nil }
func (hotline) Enrol(context.Context, *challenge.Attempt) (challenge.Enrolment, error) {
	return challenge.Enrolment{Data: []byte("555")}, nil
}
func (hotline) Verify(_ context.Context, a *challenge.Attempt, answer []byte) (challenge.Proof, error) {
	if string(answer) != string(a.Enrolled[0].Data) {
		return challenge.Proof{}, challenge.ErrWrongCode
	}
	return challenge.Proof{Authenticator: a.Enrolled[0].ID}, nil
}
