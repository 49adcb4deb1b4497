package middleware

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// home is a site with the security pages.
func home(t testing.TB, change ...func(*challenge.Config, *Config)) *town {
	t.Helper()
	w := found(t, change...)
	w.mux.Handle("/account/security", w.web.Security())
	w.mux.Handle("/account/security/", w.web.Security())
	return w
}

const security = "/account/security"

var recoveryCode = regexp.MustCompile(`<code>([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})</code>`)

// codes are the recovery codes on the last page.
func (b *browserClient) codes() (list []string) {
	for _, m := range recoveryCode.FindAllStringSubmatch(b.page, -1) {
		list = append(list, m[1])
	}
	return list
}

// says is about what stands on the last page.
func (b *browserClient) says(words ...string) {
	b.t.Helper()
	page := unescape(b.page)
	for _, w := range words {
		if !strings.Contains(page, w) {
			b.t.Errorf("%q does not stand in\n%s", w, style.ReplaceAllString(b.page, ""))
		}
	}
}

// silent is about what does not.
func (b *browserClient) silent(words ...string) {
	b.t.Helper()
	for _, w := range words {
		if strings.Contains(unescape(b.page), w) {
			b.t.Errorf("%q stands in\n%s", w, style.ReplaceAllString(b.page, ""))
		}
	}
}

// idOf is the id of the authenticator of that name on the last page.
func (b *browserClient) idOf(name string) string {
	b.t.Helper()
	_, rest, ok := strings.Cut(b.page, ": "+name+"</strong>")
	if !ok {
		b.t.Fatalf("no %q on\n%s", name, style.ReplaceAllString(b.page, ""))
	}
	return between(b.t, rest, "/remove?id=", `"`)
}

// alice logs in and has recovery codes, which she is shown.
func (b *browserClient) withCodes() []string {
	b.t.Helper()
	b.login()
	b.get(security + "/recovery-codes")
	b.want(b.post(security+"/recovery-codes"), 200, "")
	codes := b.codes()
	if len(codes) != 10 {
		b.t.Fatalf("%d codes on\n%s", len(codes), style.ReplaceAllString(b.page, ""))
	}
	return codes
}

// byRecovery logs alice in with a recovery code.
func (b *browserClient) byRecovery(code string) *browserClient {
	b.t.Helper()
	b.get("/login")
	b.want(b.post("/login", "username", "alice", "password", password), 303, "/login/verify")
	b.get("/login/verify")
	b.want(b.post("/login/verify", "method", "recovery", "code", code), 303, "/account")
	return b
}

func TestStoryOfASecondAuthenticatorApp(t *testing.T) {
	b := home(t).browser().login()
	other := b.town.browser().login()
	other.want(other.get("/account"), 200, "")

	b.want(b.get(security), 200, "")
	b.says("Your account needs a second step", "Authenticator app: phone", "/account/security/totp", "You have 0 left")
	b.want(b.get(security+"/totp"), 200, "")
	b.want(b.post(security+"/totp", "name", "tablet"), 303, security+"/enrol")
	b.want(b.get(security+"/enrol"), 200, "")
	b.says("data:image/png;base64,", "otpauth://totp/")
	secret := between(t, b.page, "secret=", "&")
	b.want(b.get(security+"/enrol"), 200, "")
	b.says(secret) // the same as often as it is asked

	// It counts for nothing yet.
	b.get(security + "/totp")
	b.silent("tablet")
	b.get(security + "/enrol")
	b.want(b.post(security+"/enrol", "code", "000000"), 401, "")
	b.says(secret, "not right", `aria-invalid="true"`)
	b.want(b.post(security+"/enrol", "code", "twelve"), 400, "")
	before, csrf := b.cookies[sessionCookie], b.cookies[sessionCookie+"-csrf"]
	code := codeOf(t, secret, b.Clock.Now())
	b.want(b.post(security+"/enrol", "code", code), 200, "")
	if n := len(b.codes()); n != 10 {
		t.Fatalf("%d recovery codes come with the first authenticator of one's own", n)
	}
	b.says("data:text/plain;charset=utf-8;base64,", `download="recovery-codes.txt"`, `href="/account/security"`)
	if b.cookies[sessionCookie] == before || b.cookies[sessionCookie+"-csrf"] == csrf {
		t.Error("I-03: a token survived a change of factors")
	}
	other.want(other.get("/account"), 303, "/login?next=%2Faccount") // I-16
	b.want(b.get(security+"/totp"), 200, "")
	b.says("phone", "tablet")
	b.want(b.get(security+"/enrol"), 303, security) // nothing waits

	// I-12: the confirming code is used.
	b.get("/login")
	b.want(b.post("/login", "username", "alice", "password", password), 303, "/login/verify")
	b.get("/login/verify")
	b.want(b.post("/login/verify", "code", code), 401, "")
	b.Clock.Advance(30 * time.Second)
	b.want(b.post("/login/verify", "code", codeOf(t, secret, b.Clock.Now())), 303, "/account")
}

func TestTheTextFileHoldsTheCodesThatAreShown(t *testing.T) {
	b := home(t).browser()
	codes := b.withCodes()
	raw := between(t, b.page, "data:text/plain;charset=utf-8;base64,", `"`)
	file, err := base64.StdEncoding.DecodeString(raw)
	if err != nil || !strings.HasSuffix(string(file), "\n\n"+strings.Join(codes, "\n")+"\n") || !strings.Contains(string(file), "app.example") {
		t.Errorf("%q, %v", file, err)
	}
}

func TestAWrongFirstAnswerCostsTheOneBudget_I08(t *testing.T) {
	b := home(t).browser().login()
	b.Clock.Advance(30 * time.Second)
	b.get(security + "/totp")
	b.post(security+"/totp", "name", "tablet")
	b.get(security + "/enrol")
	secret := between(t, b.page, "secret=", "&")
	for range 3 {
		b.want(b.post(security+"/enrol", "code", "000000"), 401, "")
	}
	b.want(b.post(security+"/enrol", "code", codeOf(t, secret, b.Clock.Now())), 429, "")
	b.says("no code is accepted now", secret)
	b.get(security + "/sessions")
	b.want(b.post("/login/fresh", "code", b.code(), "method", "totp"), 429, "") // I-08: shared with the step-up
	b.want(b.get("/account"), 200, "")                                          // I-11: no login ends by it
}

func TestACancelledEnrolmentLeavesNothing(t *testing.T) {
	b := home(t).browser().login()
	b.get(security + "/totp")
	b.want(b.post(security+"/totp", "name", "tablet"), 303, security+"/enrol")
	b.get(security + "/enrol")
	secret := between(t, b.page, "secret=", "&")
	page := b.page
	b.want(b.post(security+"/enrol/cancel"), 303, security)
	b.want(b.get(security+"/enrol"), 303, security)
	b.page = page
	b.want(b.post(security+"/enrol", "code", codeOf(t, secret, b.Clock.Now())), 400, "")
	b.says("nothing was set up")
	b.want(b.get(security+"/totp"), 200, "")
	b.silent("tablet")
	b.says("phone") // I-02: it never replaces what there was
	b.want(b.post(security+"/enrol/cancel"), 303, security)
}

func TestAnEnrolmentThatTakesTooLongIsOver(t *testing.T) {
	b := home(t).browser().login()
	b.get(security + "/totp")
	b.post(security + "/totp")
	b.get(security + "/enrol")
	secret := between(t, b.page, "secret=", "&")
	b.Clock.Advance(11 * time.Minute)
	b.want(b.get(security+"/enrol"), 200, "")
	b.says("nothing was set up")
	b.want(b.post(security+"/enrol", "code", codeOf(t, secret, b.Clock.Now())), 303, "/login/fresh?next=%2Faccount%2Fsecurity%2Fenrol")
}

func TestAFirstAuthenticatorOfSomebodyWhoNeedsNone(t *testing.T) {
	b := home(t).browser().loginDave()
	b.want(b.get(security), 200, "")
	b.says("with its password alone", "Nothing is set up")
	b.Clock.Advance(time.Second)
	b.get(security + "/totp")
	b.silent(`action="/account/security/totp"`) // the password of the login does not count: it is asked again (I-14)
	b.get("/login/fresh?next=" + queryOf(security+"/totp"))
	b.want(b.post("/login/fresh", "password", password, "next", security+"/totp"), 303, security+"/totp")
	b.get(security + "/totp")
	b.want(b.post(security+"/totp"), 303, security+"/enrol")
	b.get(security + "/enrol")
	b.want(b.post(security+"/enrol", "code", codeOf(t, between(t, b.page, "secret=", "&"), b.Clock.Now())), 200, "")
	if len(b.codes()) != 10 {
		t.Error("no recovery codes come with it")
	}
	b.get(security + "/totp")
	b.says("Authenticator app</strong>")
	// The policy lets him do without, so he may take it away again.
	id := between(t, b.page, "/remove?id=", `"`)
	b.want(b.get(security+"/remove?id="+id), 200, "")
	b.want(b.post(security+"/remove", "id", id), 303, security+"/totp")
	b.get(security)
	b.says("Nothing is set up", "You have 0 left")
}

func TestRemovingAsksForAnotherFactorThanARecoveryCode_I14(t *testing.T) {
	w := home(t)
	codes := w.browser().withCodes()
	b := w.browser().byRecovery(codes[0])
	b.get(security + "/totp")
	id := b.idOf("phone")
	b.want(b.get(security+"/remove?id="+id), 200, "")
	b.says("Before you change anything", "/login/fresh?next=")
	b.silent(`action="/account/security/remove"`)
	here := "/login/fresh?next=" + queryOf(security+"/remove?id="+id)
	b.get(security + "/sessions")
	b.want(b.post(security+"/remove", "id", id), 303, here)
	b.want(b.get(here), 200, "")
	b.says("A recovery code is not enough", "Open your authenticator app")
	b.silent("Use a recovery code")
	// Asking for it all the same changes nothing, and uses none up.
	b.want(b.post("/login/fresh", "method", "recovery", "code", codes[1], "next", security+"/remove?id="+id), 303, here+"&method=totp")
	b.want(b.get("/login/fresh?method=recovery&next="+queryOf(security+"/remove?id="+id)), 200, "")
	b.says("Open your authenticator app")
	b.Clock.Advance(30 * time.Second)
	b.want(b.post("/login/fresh", "code", b.code(), "next", security+"/remove?id="+id), 303, security+"/remove?id="+id)
	b.want(b.get(b.at), 200, "")
	b.says(`action="/account/security/remove"`)

	// Nor do new recovery codes come of one.
	d := w.browser().byRecovery(codes[2])
	d.Clock.Advance(time.Second)
	d.want(d.get(security+"/recovery-codes"), 200, "")
	d.says("Before you change anything")
	d.silent(`action="/account/security/recovery-codes"`)
	d.get("/login/fresh?next=" + queryOf(security+"/recovery-codes"))
	d.want(d.post("/login/fresh", "password", password, "next", security+"/recovery-codes"), 303, "/login/fresh?next="+queryOf(security+"/recovery-codes"))
	d.want(d.get(d.at), 200, "")
	d.says("A recovery code is not enough")
	d.get(security + "/recovery-codes")
	d.silent(`action="/account/security/recovery-codes"`)

	// I-14: with the password asked again, a recovery code may add.
	c := w.browser().byRecovery(codes[1])
	c.Clock.Advance(time.Second)
	c.get(security + "/totp")
	c.silent(`action="/account/security/totp"`)
	c.get("/login/fresh?next=" + queryOf(security+"/totp"))
	c.want(c.post("/login/fresh", "password", password, "next", security+"/totp"), 303, security+"/totp")
	c.get(security + "/totp")
	c.want(c.post(security+"/totp", "name", "new phone"), 303, security+"/enrol")
}

func TestI14WhatARecoveryCodeHasAddedTakesNothingAwayForADay(t *testing.T) {
	w := home(t)
	w.Users.Change("1", func(a *challenge.Account) { a.Email = "alice@example.com" })
	codes := w.browser().withCodes()
	b := w.browser().byRecovery(codes[0])
	b.Clock.Advance(time.Second)
	b.get("/login/fresh?next=" + queryOf(security+"/totp"))
	b.want(b.post("/login/fresh", "password", password, "next", security+"/totp"), 303, security+"/totp")
	b.get(security + "/totp")
	b.want(b.post(security+"/totp", "name", "new phone"), 303, security+"/enrol")
	b.get(security + "/enrol")
	secret := between(t, b.page, "secret=", "&")
	b.want(b.post(security+"/enrol", "code", codeOf(t, secret, b.Clock.Now())), 303, security)

	// It stands in the list with what it is; another may be added, and nothing renamed.
	b.want(b.get(security+"/totp"), 200, "")
	b.says("Added with a recovery code", `action="/account/security/totp"`, `href="/account/security/rename?id=`)
	b.silent(`action="/account/security/rename"`)
	id := b.idOf("phone")
	rename := security + "/rename?id=" + id
	b.want(b.get(rename), 303, "/login/fresh?next="+queryOf(rename))
	b.get(security + "/totp")
	b.want(b.post(security+"/rename", "id", id, "name", "mine"), 303, "/login/fresh?next="+queryOf(rename))

	// A form that cannot be read says so, though there is no field here for the message to stand at.
	b.get(security + "/totp")
	b.want(b.post(security+"/rename", "id", id), 400, "")
	b.says(`id="error"`, `action="/account/security/totp"`)
	b.get(rename)

	// Shown again it is still not enough, and the page says so.
	b.Clock.Advance(30 * time.Second)
	b.want(b.get(b.at), 200, "")
	b.says("A recovery code is not enough", "It will be in 24 hours.", "Open your authenticator app")
	b.want(b.post("/login/fresh", "code", codeOf(t, secret, b.Clock.Now()), "next", rename), 303, "/login/fresh?next="+queryOf(rename))
	// The lost phone's code is.
	b.Clock.Advance(30 * time.Second)
	b.get(b.at)
	b.want(b.post("/login/fresh", "code", b.code(), "next", rename), 303, rename)
	b.want(b.get(rename), 200, "")
	b.says(`action="/account/security/rename"`)
	b.want(b.post(security+"/rename", "id", id, "name", "mine"), 303, security+"/totp")

	// Where nothing else is left, the page says until when.
	w.SetVerdict("1", challenge.Verdict{Factors: []string{"sms", "recovery"}})
	c := w.browser().byRecovery(codes[1])
	c.Clock.Advance(time.Second)
	c.get("/login/fresh?next=" + queryOf(security+"/phone"))
	c.post("/login/fresh", "password", password, "next", security+"/phone")
	c.get(security + "/phone")
	c.want(c.post(security+"/phone", "destination", "+31612345678"), 303, security+"/enrol")
	c.get(security + "/enrol")
	c.want(c.post(security+"/enrol", "code", string(w.Outbox.Code("+31612345678"))), 303, security)
	res := c.get("/login/fresh?next=" + queryOf(security+"/recovery-codes"))
	c.want(res, 403, "")
	c.says("What you added with a recovery code is not enough for this yet. It will be in 24 hours.")
	w.SetVerdict("1", challenge.Verdict{Factors: []string{"sms", "totp", "recovery"}})
	c.want(c.get("/login/fresh?next="+queryOf(security+"/recovery-codes")), 200, "")
	c.says("Open your authenticator app", "It will be in 24 hours.")
	c.silent("Use a code by SMS")
}

func TestI11ForgettingKnownDevicesAsksForWhatRemovingAFactorAsksFor(t *testing.T) {
	w := home(t)
	codes := w.browser().withCodes()
	here := "/login/fresh?next=" + queryOf(security+"/devices/forget")
	for name, b := range map[string]*browserClient{"a login of an hour ago": w.browser().login(), "a recovery code": w.browser().byRecovery(codes[0])} {
		if name == "a login of an hour ago" {
			b.Clock.Advance(6 * time.Minute)
		}
		b.want(b.get(security+"/devices"), 200, "")
		b.says("This device", "Before you change anything")
		b.silent("Forget it", "Forget all")
		for _, id := range []string{"all", "00000000000000000000000000000001"} {
			b.get(security + "/sessions")
			b.want(b.post(security+"/devices/forget", "id", id), 303, here)
		}
	}
	s, err := w.logins.Security(t.Context(), challenge.Client{}, "1")
	if err != nil || s.Devices == 0 {
		t.Fatalf("I-11: %d known devices, %v", s.Devices, err)
	}
	b := w.browser().login()
	b.get(security + "/devices")
	b.want(b.post(security+"/devices/forget"), 400, "")
	b.get(security + "/devices")
	b.want(b.post(security+"/devices/forget", "id", ""), 400, "")
	b.says("This device")
	b.want(b.post(security+"/devices/forget", "id", "all"), 303, security+"/devices")
	b.get(b.at)
	b.says("No device is known.")
}

func TestWhatWasTypedIsThereAgainAfterTheStepUpPage(t *testing.T) {
	w := home(t)
	b := w.browser().login()
	b.get(security + "/totp")
	id := b.idOf("phone")
	late := func() {
		t.Helper()
		b.Clock.Advance(6 * time.Minute)
	}
	confirmed := func(next string) {
		t.Helper()
		b.get("/login/fresh?next=" + queryOf(next))
		b.post("/login/fresh", "password", password, "next", next)
		b.get(b.at)
		b.want(b.post("/login/fresh", "method", "totp", "code", b.code(), "next", next), 303, next)
	}
	b.get(security + "/phone")
	late()
	b.want(b.post(security+"/phone", "destination", "+31 6 9999", "name", "desk phone"), 303, "/login/fresh?next="+queryOf(security+"/phone"))
	if session, err := w.logins.Open(t.Context(), challenge.Cookie, b.cookies[sessionCookie]); err != nil || len(session.Data()) == 0 ||
		strings.Contains(string(session.Data()), "9999") || strings.Contains(string(session.Data()), "desk") {
		t.Errorf("it stands in the store: %q, %v", session.Data(), err)
	}
	b.get(security + "/phone") // which has no form yet
	b.get(security + "/email") // and somebody else's form does not get it
	confirmed(security + "/phone")
	b.get(security + "/email")
	b.silent("desk", "9999")
	b.get(security + "/phone")
	b.says(`value="+31 6 9999"`, `value="desk phone"`)
	b.get(security + "/phone")
	b.silent("9999") // once

	b.get(security + "/totp")
	late()
	rename := security + "/rename?id=" + id
	b.want(b.post(security+"/rename", "id", id, "name", "old phone"), 303, "/login/fresh?next="+queryOf(rename))
	confirmed(rename)
	b.want(b.get(rename), 200, "")
	b.says(`value="old phone"`)
	b.want(b.post(security+"/rename", "id", id, "name", "old phone"), 303, security+"/totp")
	b.get(b.at)
	b.says("Authenticator app: old phone")
}

func TestAChangeThatALoginMayNotMakeIsNotOfferedAndSaysWhyNot(t *testing.T) {
	w := home(t)
	w.Users.Change("5", func(a *challenge.Account) { a.Email = "" })
	w.SetVerdict("5", challenge.Verdict{Factors: []string{"totp"}, Grace: challenge.Grace{Logins: 1}})
	b := w.browser()
	b.get("/login")
	b.want(b.post("/login", "username", "erin", "password", password), 303, "/account")
	b.want(b.get(security+"/totp"), 200, "")
	b.says("Before you change anything")
	b.silent(`action="/account/security/totp"`)
	b.want(b.get("/login/fresh?next="+queryOf(security+"/totp")), 403, "")
	b.says("That is not possible with this login.")
	b.get(security + "/devices")
	b.want(b.post(security+"/totp", "name", "phone"), 403, "")
	b.says("That is not possible with this login.")
	b.silent("as many second steps as it can have")

	// Nor are new recovery codes made by somebody whose factor may not be used now; there is something that they back up.
	a := w.browser().login()
	w.SetVerdict("1", challenge.Verdict{Factors: []string{"sms"}, NotNeeded: true})
	a.want(a.get(security), 200, "")
	a.want(a.post(security+"/recovery-codes"), 403, "")
	a.says("That is not possible with this login.")
}

func TestI11EndingOtherLoginsAsksForWhatRemovingAFactorAsksFor(t *testing.T) {
	w := home(t)
	other := w.browser().login()
	w.Clock.Advance(time.Minute)
	b := w.browser().login()
	b.get(security + "/sessions")
	b.says(`action="/account/security/sessions/end-others"`, "Log out there")
	b.Clock.Advance(5 * time.Minute)
	here := "/login/fresh?next=" + queryOf(security+"/sessions/end")
	b.want(b.get(security+"/sessions"), 200, "")
	b.says("Before you change anything", here[:len("/login/fresh?next=")], "Log out", `action="/account/security/sessions/end-all"`)
	b.silent(`action="/account/security/sessions/end-others"`, "Log out there")
	b.want(b.post(security+"/sessions/end-others"), 303, "/login/fresh?next="+queryOf(security+"/sessions/end-others"))
	b.get(security + "/sessions")
	b.get(here)
	b.post("/login/fresh", "password", password, "next", security+"/sessions/end")
	b.get(b.at)
	b.want(b.post("/login/fresh", "code", b.code(), "next", security+"/sessions/end"), 303, security+"/sessions/end")
	b.want(b.get(b.at), 200, "")
	b.says(`action="/account/security/sessions/end-others"`)
	b.want(b.post(security+"/sessions/end-others"), 303, security+"/sessions")
	other.want(other.get("/account"), 303, "/login?next=%2Faccount")
}

func TestI14WhatARecoveryCodeHasAddedIsRemovedByOne(t *testing.T) {
	w := home(t)
	codes := w.browser().withCodes()
	in := func(code string) *browserClient {
		b := w.browser().byRecovery(code)
		b.Clock.Advance(time.Second)
		b.get("/login/fresh?next=" + queryOf(security+"/phone"))
		b.want(b.post("/login/fresh", "password", password, "next", security+"/phone"), 303, security+"/phone")
		return b
	}
	thief := in(codes[0])
	thief.get(security + "/phone")
	thief.want(thief.post(security+"/phone", "destination", "+31612345678", "name", "thiefs phone"), 303, security+"/enrol")
	thief.get(security + "/enrol")
	thief.want(thief.post(security+"/enrol", "code", string(w.Outbox.Code("+31612345678"))), 303, security)

	b := w.browser().byRecovery(codes[1])
	b.Clock.Advance(time.Second)
	b.get(security + "/phone")
	remove := security + "/remove?id=" + b.idOf("thiefs phone")
	b.want(b.get(remove), 200, "")
	b.says("Before you change anything")
	b.get("/login/fresh?next=" + queryOf(remove))
	b.silent("A recovery code is not enough")
	b.want(b.post("/login/fresh", "password", password, "next", remove), 303, remove)
	b.want(b.get(remove), 200, "")
	b.want(b.post(security+"/remove", "id", remove[len(security+"/remove?id="):]), 303, security+"/phone")
	b.get(b.at)
	b.silent("thiefs")
	thief.want(thief.get("/account"), 303, "/login?next=%2Faccount")
}

func TestTheLastSecondFactorStays(t *testing.T) {
	b := home(t).browser().login()
	b.get(security + "/totp")
	id := b.idOf("phone")
	b.get(security + "/remove?id=" + id)
	b.want(b.post(security+"/remove", "id", id), 403, "")
	b.says("This is your last second step", "Authenticator app: phone")
	b.want(b.get("/account"), 200, "")
	b.want(b.get(security+"/totp"), 200, "")
	b.says("phone")
}

func TestOneOfTwoCanBeRemoved(t *testing.T) {
	b := home(t).browser().login()
	b.get(security + "/totp")
	b.post(security+"/totp", "name", "tablet")
	b.get(security + "/enrol")
	b.want(b.post(security+"/enrol", "code", codeOf(t, between(t, b.page, "secret=", "&"), b.Clock.Now())), 200, "")
	b.get(security + "/totp")
	id := b.idOf("phone")
	b.get(security + "/remove?id=" + id)
	token := b.cookies[sessionCookie]
	b.want(b.post(security+"/remove", "id", id), 303, security+"/totp")
	if b.cookies[sessionCookie] == token {
		t.Error("I-03: the token survived a change of factors")
	}
	b.want(b.get(security+"/totp"), 200, "")
	b.silent("phone</strong>")
	b.says("tablet")
	if b.Audit.Count(audit.FactorRemoved) != 1 {
		t.Error("I-21: no event")
	}
	b.want(b.post(security+"/remove", "id", id), 400, "") // twice
	b.says("not there any more")
}

func TestNewRecoveryCodesReplaceTheOld_I14(t *testing.T) {
	w := home(t)
	b := w.browser()
	old := b.withCodes()
	b.want(b.get(security+"/recovery-codes"), 200, "")
	if len(b.codes()) != 0 {
		t.Error("they are shown again")
	}
	b.says("You have 10 left")
	b.want(b.post(security+"/recovery-codes"), 200, "")
	new := b.codes()
	if len(new) != 10 || slices.Contains(new, old[0]) {
		t.Fatalf("%q", new)
	}
	c := w.browser()
	c.get("/login")
	c.post("/login", "username", "alice", "password", password)
	c.get("/login/verify")
	c.want(c.post("/login/verify", "method", "recovery", "code", old[0]), 401, "")
	c.want(c.post("/login/verify", "method", "recovery", "code", new[0]), 303, "/account")
	c.get(security)
	c.says("You have 9 left")
	c.silent("not many")
	for _, code := range new[1:7] {
		w.Clock.Advance(time.Second)
		w.browser().byRecovery(code)
	}
	c.get(security)
	c.says("You have 3 left", "That is not many")
}

func TestADestinationIsConfirmedByACode(t *testing.T) {
	for _, test := range []struct{ page, to, masked string }{
		{"/email", "alice@work.example", "a•••e@work.example"}, {"/phone", "+31612345678", "•••78"},
	} {
		b := home(t).browser().login()
		b.get(security + test.page)
		b.want(b.post(security+test.page, "destination", test.to), 303, security+"/enrol")
		b.want(b.get(security+"/enrol"), 200, "")
		b.says(test.masked)
		b.silent(test.to)
		b.want(b.get(security+test.page), 200, "")
		b.says("Nothing is set up")
		b.get(security + "/enrol")
		b.want(b.post(security+"/enrol", "code", "000001"), 401, "")
		b.want(b.post(security+"/enrol", "code", b.Outbox.Code(test.to)), 200, "")
		b.get(security + test.page)
		b.says(test.masked)
		b.silent(test.to)
	}
}

func TestWhatIsTypedIsKeptBesideTheMessage(t *testing.T) {
	b := home(t).browser().login()
	for _, test := range []struct {
		page, field, typed, message string
		pairs                       []string
	}{
		{"/email", "destination", "alice at work", "not an e-mail address", []string{"name", "work <1>"}},
		{"/email", "destination", "", "not an e-mail address", []string{"name", "work"}},
		{"/phone", "destination", "0612345678", "not a number with its country code", []string{"name", "mine"}},
		{"/phone", "destination", "+979900000009", "No codes are sent to numbers like this one", []string{"name", "mine"}},
		{"/phone", "name", strings.Repeat("n", 65), "at most 64", []string{"destination", "+31612345678"}},
		{"/totp", "name", "two\nlines", "at most 64", nil},
	} {
		b.want(b.get(security+test.page), 200, "")
		b.want(b.post(security+test.page, append(test.pairs, test.field, test.typed)...), 400, "")
		b.says(test.message)
		elements, _ := parsePage(t, b.page)
		seen := false
		for _, e := range elements {
			if e.attrs["name"] == test.field && e.attrs["aria-invalid"] == "true" {
				seen = strings.HasSuffix(e.attrs["aria-describedby"], "error")
				if e.attrs["value"] != test.typed && !strings.Contains(test.typed, "\n") {
					t.Errorf("%s: %q was kept of %q", test.page, e.attrs["value"], test.typed)
				}
			}
			for i := 0; i < len(test.pairs); i += 2 {
				if e.attrs["name"] == test.pairs[i] && e.attrs["id"] != "" && e.attrs["value"] != test.pairs[i+1] {
					t.Errorf("%s: %q was kept of %q", test.page, e.attrs["value"], test.pairs[i+1])
				}
			}
		}
		if !seen {
			t.Errorf("%s: the message does not belong to the field", test.page)
		}
	}
	if len(b.Outbox.Messages()) != 0 {
		t.Error("something was sent")
	}
	b.get(security + "/totp")
	id := b.idOf("phone")
	b.want(b.post(security+"/rename", "id", id, "name", strings.Repeat("n", 65)), 400, "")
	b.says(strings.Repeat("n", 65), "at most 64", `id="name-`+id+`"`)
	b.want(b.post(security+"/rename", "id", id, "name", " work phone "), 303, security+"/totp")
	b.get(security + "/totp")
	b.says("Authenticator app: work phone<")
	b.want(b.post(security+"/rename", "id", id), 400, "") // no name is not an empty one
	b.get(security + "/totp")
	b.says("Authenticator app: work phone<")
	b.want(b.post(security+"/rename", "id", id, "name", ""), 303, security+"/totp")
	b.get(security + "/totp")
	b.says("Authenticator app<")
}

func TestTheMessageIsInThePersonsLanguage(t *testing.T) {
	b := home(t).browser().login()
	b.get(security + "/phone")
	form := url.Values{"csrf_token": {between(t, b.page, `name="csrf_token" value="`, `"`)}, "destination": {"1"}}
	r := httptest.NewRequest("POST", site+security+"/phone", strings.NewReader(form.Encode()))
	r.RequestURI = security + "/phone"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", site)
	r.Header.Set("Accept-Language", "nl")
	b.want(b.send(r), 400, "")
	b.says("Dat is geen nummer met landcode", `lang="nl"`)
}

func TestSessionsAreSeenAndEnded_I16(t *testing.T) {
	w := home(t)
	b, second, third := w.browser().login(), w.browser().login(), w.browser().login()
	third.addr = "198.51.100.9:4711"
	third.login()
	token := w.bearer()
	b.want(b.get(security+"/sessions"), 200, "")
	b.says("This device", "192.0.2.10", "198.51.100.9", "By Password, Authenticator app")
	ids := regexp.MustCompile(`name="id" value="([0-9a-f]+)"`).FindAllStringSubmatch(b.page, -1)
	if len(ids) != 4 { // the login before third's went with it
		t.Fatalf("%d logins on\n%s", len(ids), style.ReplaceAllString(b.page, ""))
	}

	// One of them: the second browser's, which is the third of the list.
	second.get(security + "/sessions")
	mine := between(t, second.page[strings.Index(second.page, `class="badge"`):], `name="id" value="`, `"`)
	b.want(b.post(security+"/sessions/end", "id", mine), 303, security+"/sessions")
	second.want(second.get("/account"), 303, "/login?next=%2Faccount")
	third.want(third.get("/account"), 200, "")

	// The others.
	b.get(security + "/sessions")
	old := b.cookies[sessionCookie]
	b.want(b.post(security+"/sessions/end-others"), 303, security+"/sessions")
	third.want(third.get("/account"), 303, "/login?next=%2Faccount")
	if status, _, _ := w.call("GET", "/api/me", token, ""); status != 401 {
		t.Errorf("a program is still there: %d", status)
	}
	if b.cookies[sessionCookie] == old {
		t.Error("I-03: the token did not change")
	}
	b.want(b.get("/account"), 200, "")

	// All of them.
	again := w.browser().login()
	b.get(security + "/sessions")
	old = b.cookies[sessionCookie]
	b.want(b.post(security+"/sessions/end-all"), 303, "/login")
	if _, kept := b.cookies[sessionCookie]; kept {
		t.Error("the cookie is still there")
	}
	b.cookies[sessionCookie] = old
	b.want(b.get("/account"), 303, "/login?next=%2Faccount")
	again.want(again.get("/account"), 303, "/login?next=%2Faccount")
}

func TestEndingTheOwnLoginIsALogout(t *testing.T) {
	b := home(t).browser().login()
	b.get(security + "/sessions")
	id := between(t, b.page, `name="id" value="`, `"`)
	b.want(b.post(security+"/sessions/end", "id", strings.ToUpper(id)), 303, "/")
	if _, kept := b.cookies[sessionCookie]; kept {
		t.Error("the cookie is still there")
	}
}

func TestSomebodyElsesThingsAreOutOfReach(t *testing.T) {
	w := home(t)
	alice := w.browser().login()
	alice.get(security + "/totp")
	factor := alice.idOf("phone")
	alice.get(security + "/sessions")
	login := between(t, alice.page, `name="id" value="`, `"`)
	alice.get(security + "/devices")
	device := between(t, alice.page, `name="id" value="`, `"`)

	dave := w.browser().loginDave()
	dave.get(security + "/sessions")
	dave.want(dave.get(security+"/remove?id="+factor), 400, "")
	dave.silent("Authenticator app:")
	dave.want(dave.post(security+"/remove", "id", factor), 400, "")
	dave.want(dave.post(security+"/rename", "id", factor, "name", "mine"), 400, "")
	dave.want(dave.post(security+"/sessions/end", "id", login), 303, security+"/sessions")
	dave.get(security)
	dave.want(dave.post(security+"/devices/forget", "id", device), 303, security+"/devices")
	alice.want(alice.get("/account"), 200, "")
	alice.get(security + "/totp")
	alice.says("phone")
	alice.get(security + "/devices")
	alice.says(device)
}

func TestKnownDevicesAreSeenAndForgotten_I11(t *testing.T) {
	w := home(t)
	b := w.browser().login()
	w.browser().login()
	b.want(b.get(security+"/devices"), 200, "")
	b.says("This device", "A device")
	id := between(t, b.page[strings.Index(b.page, "A device"):], `name="id" value="`, `"`)
	b.want(b.post(security+"/devices/forget", "id", id), 303, security+"/devices")
	b.get(security + "/devices")
	b.silent(id)
	b.says("This device")
	b.want(b.post(security+"/devices/forget", "id", "all"), 303, security+"/devices")
	b.get(security + "/devices")
	b.says("No device is known")
	b.get(security)
	b.want(b.post(security+"/devices/forget", "id", "zzz"), 400, "")
	b.want(b.get("/account"), 200, "")
}

func TestAChangeAsksForPasswordAndSecondFactorInTurn(t *testing.T) {
	b := home(t).browser().login()
	b.Clock.Advance(6 * time.Minute)
	const page = security + "/totp"
	const fresh = "/login/fresh?next=%2Faccount%2Fsecurity%2Ftotp"
	b.want(b.get(page), 200, "")
	b.says("Before you change anything", "phone", fresh)
	b.silent(`action="/account/security/totp"`, `action="/account/security/rename"`)
	b.get(security + "/sessions")
	b.want(b.post(page, "name", "x"), 303, fresh)
	b.want(b.get(fresh), 200, "")
	b.says(`type="password"`, "To change how you log in")
	b.want(b.post("/login/fresh", "password", "wrong", "next", page), 401, "")
	b.says(`type="password"`, "password is not right")
	old := b.cookies[sessionCookie]
	b.want(b.post("/login/fresh", "password", password, "next", page), 303, fresh)
	if b.cookies[sessionCookie] == old {
		t.Error("I-03: the token survived a step-up")
	}
	b.want(b.get(page), 200, "")
	b.says("Before you change anything") // the password alone is not enough
	b.want(b.get(fresh), 200, "")
	b.says("Open your authenticator app")
	b.want(b.post("/login/fresh", "code", b.code(), "method", "totp", "next", page), 303, page)
	b.want(b.get(page), 200, "")
	b.says(`action="/account/security/totp"`)
	b.want(b.get(fresh), 303, page) // nothing left to ask
	b.get(page)
	b.want(b.post(page, "name", "x"), 303, security+"/enrol")

	// The other way round: whoever shows the code first is asked for the password then.
	b.Clock.Advance(6 * time.Minute)
	b.get("/login/fresh")
	b.want(b.post("/login/fresh", "code", b.code(), "method", "totp", "next", page), 303, fresh)
	b.want(b.get(fresh), 200, "")
	b.says(`type="password"`)
}

func TestTheAddressOfTheStepUpPageWeakensNothing(t *testing.T) {
	w := home(t)
	codes := w.browser().withCodes()
	b := w.browser().byRecovery(codes[0])
	w.Clock.Advance(6 * time.Minute)
	// Somebody who asks for less than the route takes gets no further at the route.
	for _, next := range []string{"", "/account", security, security + "/totp", "//evil.example", security + "/recovery-codes/"} {
		w.Clock.Advance(30 * time.Second)
		b.get("/login/fresh")
		b.post("/login/fresh", "code", codes[0], "method", "recovery", "next", next)
		b.get(security + "/sessions")
		b.want(b.post(security+"/recovery-codes"), 303, "/login/fresh?next=%2Faccount%2Fsecurity%2Frecovery-codes")
	}
}

func TestThePasswordAloneMakesNobodyFresh(t *testing.T) {
	b := home(t).browser().login()
	b.Clock.Advance(6 * time.Minute)
	b.get("/login/fresh?next=/account/transfer")
	token := b.cookies[sessionCookie]
	b.want(b.post("/login/fresh", "password", password, "next", "/account/transfer"), 400, "")
	if b.cookies[sessionCookie] != token {
		t.Error("the login went on under another token")
	}
	// With the address of a change it is asked for, and still no second factor.
	b.want(b.post("/login/fresh", "password", password, "next", security+"/totp"), 303, "/login/fresh?next=%2Faccount%2Fsecurity%2Ftotp")
	b.want(b.get("/account/transfer"), 303, "/login/fresh?next=%2Faccount%2Ftransfer")
}

// Whatever was asked for last, and however the browser came here.
func TestWhereARecoveryCodeIsNotEnoughNoneIsAskedFor_I14(t *testing.T) {
	w := home(t)
	codes := w.browser().withCodes()
	b := w.browser().byRecovery(codes[0])
	const page = security + "/recovery-codes"
	b.get("/login/fresh?next=" + queryOf(page))
	b.want(b.post("/login/fresh", "password", password, "next", page), 303, "/login/fresh?next="+queryOf(page))
	b.get("/login/fresh")
	b.want(b.post("/login/fresh", "method", "recovery", "next", "/account/transfer"), 303, "/login/fresh?next=%2Faccount%2Ftransfer&method=recovery")
	b.want(b.get(b.at), 200, "")
	b.says("recovery codes that you kept")
	for _, from := range []string{"cross-site", "none"} {
		r := httptest.NewRequest("GET", site+"/login/fresh?next="+queryOf(page), nil)
		r.RequestURI = "/login/fresh?next=" + queryOf(page)
		r.Header.Set("Sec-Fetch-Site", from)
		b.Audit.Take()
		b.want(b.send(r), 200, "")
		if n := b.Audit.Count(audit.CodeCreated); from == "cross-site" && n != 0 {
			t.Error("another site has made a code")
		}
		b.says("A recovery code is not enough", "Open your authenticator app")
		b.silent("Use a recovery code", "recovery codes that you kept")
	}
	b.want(b.post("/login/fresh", "method", "totp", "code", "nonsense", "next", page), 400, "")
	b.says("Open your authenticator app")
	b.silent("Use a recovery code")
}

func TestAFirstFactorOfTheAppsOwnIsRepeatedByALogin(t *testing.T) {
	w := home(t)
	b := w.browser()
	w.mux.HandleFunc("/oidc", func(rw http.ResponseWriter, r *http.Request) {
		w.web.Enter(rw, r, "4", challenge.FirstFactor{Method: "oidc", Channel: "oidc"})
	})
	b.want(b.get("/oidc"), 303, "/account")
	b.want(b.get(security+"/totp"), 200, "")
	b.says(`action="/account/security/totp"`)
	b.Clock.Advance(6 * time.Minute)
	b.get(security + "/totp")
	b.says("Before you change anything")
	b.want(b.get("/login/fresh?next="+queryOf(security+"/totp")), 403, "")
	b.says("log in again")
}

// everyRoute is every path of ours below Paths.Security, and some that are none.
func everyRoute(w *town) (paths []string) {
	for path := range w.web.security {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return append(paths, security+"/", security+"/nowhere", security+"/enrol/", security+"/totp/x")
}

func TestEverySecurityRouteIsClosedToNobodyAndToHalfALogin_I02(t *testing.T) {
	w := home(t)
	pending := w.browser()
	pending.get("/login")
	pending.want(pending.post("/login", "username", "alice", "password", password), 303, "/login/verify")
	pending.get("/login/verify")
	form := pending.page
	ask := func(b *browserClient, method, path, body string) *http.Response {
		r := httptest.NewRequest(method, site+path, strings.NewReader(body))
		r.RequestURI = path
		if body != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		r.Header.Set("Origin", site)
		return b.send(r)
	}
	token := "csrf_token=" + queryOf(between(t, form, `name="csrf_token" value="`, `"`))
	bodies := []string{"", token, token + "&id=1&name=x&code=000000", "%zz", "id=1&id=2", strings.Repeat("a", 20<<10)}
	if n := len(everyRoute(w)); n < 20 {
		t.Fatalf("%d routes", n)
	}
	before := w.store.swaps.Load()
	for _, path := range everyRoute(w) {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get"} {
			for _, body := range bodies {
				anonymous := ask(w.browser(), method, path, body)
				half := ask(pending, method, path, body)
				if anonymous.StatusCode != 303 || !strings.HasPrefix(anonymous.Header.Get("Location"), "/login") {
					t.Fatalf("%s %s: %d %s", method, path, anonymous.StatusCode, anonymous.Header.Get("Location"))
				}
				if half.StatusCode != anonymous.StatusCode || half.Header.Get("Location") != anonymous.Header.Get("Location") {
					t.Errorf("%s %s: %d %s, to nobody %d %s", method, path, half.StatusCode, half.Header.Get("Location"), anonymous.StatusCode, anonymous.Header.Get("Location"))
				}
			}
		}
	}
	if n := w.store.swaps.Load() - before; n != 0 {
		t.Errorf("%d writes", n)
	}
}

func TestEverySecurityPostNeedsItsToken_I24(t *testing.T) {
	b := home(t).browser().login()
	for path, rt := range b.web.security {
		if rt.act == nil {
			continue
		}
		b.page = ""
		b.want(b.post(path, "id", "all", "name", "x", "destination", "alice@work.example", "code", "000000"), 403, "")
	}
	// Also where something outside has read the session already.
	b.mux.Handle("/wrapped/account/security/", http.StripPrefix("/wrapped", b.web.Sessions(b.web.Security())))
	b.want(b.post("/wrapped/account/security/sessions/end-all"), 403, "")
	b.want(b.get("/account"), 200, "")
	b.get(security + "/sessions")
	b.want(b.post("/wrapped/account/security/sessions/end-others"), 303, security+"/sessions")
	b.mux.Handle("/fresh/account/security/", http.StripPrefix("/fresh", b.web.RequireFresh(time.Hour)(b.web.Security())))
	b.get(security + "/totp")
	b.want(b.post("/fresh/account/security/rename", "id", b.idOf("phone"), "name", "renamed"), 303, security+"/totp")
	b.get(security + "/totp")
	b.says("renamed")
	// A field that is there twice is still refused when a guard outside has parsed the form.
	form := url.Values{"csrf_token": {between(t, b.page, `name="csrf_token" value="`, `"`)}, "id": {b.idOf("renamed"), "x"}, "name": {"twice"}}
	r := httptest.NewRequest("POST", site+"/fresh/account/security/rename", strings.NewReader(form.Encode()))
	r.RequestURI = "/fresh/account/security/rename"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", site)
	b.want(b.send(r), 400, "")
	b.get(security + "/totp")
	b.silent("twice")
}

// Bad input gets the page again with a message, and does nothing.
func TestHostileFormsDoNothing(t *testing.T) {
	w := home(t)
	b := w.browser().login()
	raw := func(path, body string, headers ...string) *http.Response {
		b.get(security + "/sessions")
		token := "csrf_token=" + queryOf(between(t, b.page, `name="csrf_token" value="`, `"`))
		r := httptest.NewRequest("POST", site+path, strings.NewReader(token+"&"+body))
		r.RequestURI = path
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", site)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return b.send(r)
	}
	before := b.cookies[sessionCookie]
	for path, rt := range w.web.security {
		if rt.act == nil || len(rt.reads) == 0 {
			continue
		}
		name := rt.reads[0]
		for what, body := range map[string]string{
			"doubled":             name + "=1&" + name + "=2",
			"broken escape":       name + "=%zz",
			"not UTF-8":           name + "=%ff",
			"a semicolon":         name + "=1;x=2",
			"oversized":           name + "=" + strings.Repeat("x", 17<<10),
			"empty pair":          "&&",
			"control characters":  name + "=%00%0d%0a",
			"missing":             "",
			"only foreign fields": "user=bob&account=4&userid=4",
			"right-to-left":       name + "=%E2%80%AE",
			"long":                name + "=" + strings.Repeat("9", 15<<10),
		} {
			if (what == "missing" || what == "only foreign fields" || what == "right-to-left") && (strings.HasSuffix(path, "/totp")) {
				continue // a name may be missing, and may be anything on one line
			}
			res := raw(path, body)
			if res.StatusCode != 400 || !strings.Contains(res.Header.Get("Content-Type"), "text/html") {
				// Without a token that could be read, nothing says that it came from our page.
				t.Errorf("%s, %s: %d %s", path, what, res.StatusCode, res.Header.Get("Location"))
			}
			if !strings.Contains(b.page, `role="alert"`) || !strings.Contains(b.page, "<h1>") {
				t.Errorf("%s, %s: no message on\n%s", path, what, style.ReplaceAllString(b.page, ""))
			}
		}
	}
	if res := raw(security+"/totp", "name=x", "Content-Type", "multipart/form-data; boundary=x"); res.StatusCode == 303 && res.Header.Get("Location") == security+"/enrol" {
		t.Error("another content type was taken")
	}
	b.want(b.get("/account"), 200, "")
	if b.cookies[sessionCookie] != before || len(b.Outbox.Messages()) != 0 {
		t.Error("something was done")
	}
	// Queries are no fields (I-24).
	b.get(security + "/sessions")
	b.want(b.post(security+"/devices/forget?id=all"), 400, "")
}

func TestMethodsAndUnknownPathsAfterTheGuard(t *testing.T) {
	b := home(t).browser().login()
	b.want(b.get(security+"/nowhere"), 404, "")
	b.want(b.get(security+"/"), 404, "")
	res := b.get(security + "/devices/distrust")
	b.want(res, 405, "")
	if res.Header.Get("Allow") != "POST" {
		t.Error(res.Header.Get("Allow"))
	}
	b.get(security + "/sessions")
	res = b.post(security + "/sessions")
	b.want(res, 405, "")
	if res.Header.Get("Allow") != "GET, HEAD" {
		t.Error(res.Header.Get("Allow"))
	}
}

func TestAFailingStoreShowsNoSecurityPage_I20(t *testing.T) {
	b := home(t).browser().login()
	b.get(security + "/sessions")
	page := b.page
	for path, rt := range b.web.security {
		b.store.failLoad.set(errTest)
		if !rt.hidden {
			b.want(b.get(path), 503, "")
		}
		b.store.failLoad.set(nil)
		if rt.act == nil {
			continue
		}
		b.page = page
		b.store.failSwap.set(errTest)
		res := b.post(path, "id", "all", "name", "x", "destination", "alice@work.example", "code", "000000")
		if strings.HasSuffix(path, "/distrust") { // no device is trusted: there is nothing to write
			b.store.failSwap.set(nil)
			continue
		}
		if res.StatusCode < 400 && !(res.StatusCode == 303 && res.Header.Get("Location") == security && strings.HasSuffix(path, "/cancel")) {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.Header.Get("Location"))
		}
		b.store.failSwap.set(nil)
	}
	b.want(b.get("/account"), 200, "")
}

// I-21 and the store: what an enrolment shows is nowhere in clear.
func TestNoSecretOfAnEnrolmentIsKeptInClear_I21(t *testing.T) {
	b := home(t).browser().login()
	b.get(security + "/totp")
	b.post(security+"/totp", "name", "tablet")
	b.get(security + "/enrol")
	secret := between(t, b.page, "secret=", "&")
	code := codeOf(t, secret, b.Clock.Now())
	b.want(b.post(security+"/enrol", "code", code), 200, "")
	shown := append(b.codes(), secret)
	for _, e := range b.Audit.Events() {
		line := sprintf("%+v", e)
		for _, s := range shown {
			if strings.Contains(line, s) {
				t.Errorf("the audit has %q", s)
			}
		}
	}
	for _, s := range shown {
		if bytes.Contains(b.log.Bytes(), []byte(s)) {
			t.Errorf("the log has %q", s)
		}
	}
}

// I-24: Sessions lets everybody through, so whatever a guard inside it checks, nobody has checked before.
func TestAGuardInsideSessionsChecksOriginAndToken_I24(t *testing.T) {
	w := found(t)
	reached := 0
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ })
	w.mux.Handle("/inside/one", w.web.Sessions(w.web.RequireSecondFactor(h)))
	w.mux.Handle("/inside/two", w.web.Sessions(w.web.RequireSecondFactor(w.web.RequireFresh(time.Hour)(h))))
	b := w.browser().login()
	for _, path := range []string{"/inside/one", "/inside/two"} {
		for what, headers := range map[string][]string{
			"another site":             {"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"},
			"no token":                 {"Origin", site, "Sec-Fetch-Site", "same-origin"},
			"another site's WebSocket": {"Origin", "https://evil.example", "Upgrade", "websocket", "Connection", "Upgrade"},
		} {
			r := httptest.NewRequest("POST", site+path, nil)
			if r.RequestURI = path; strings.HasSuffix(what, "WebSocket") {
				r.Method = "GET"
			}
			for i := 0; i < len(headers); i += 2 {
				r.Header.Set(headers[i], headers[i+1])
			}
			if res := b.send(r); res.StatusCode != 403 || reached != 0 {
				t.Errorf("%s, %s: %d", path, what, res.StatusCode)
			}
		}
		b.get("/login")
		b.want(b.post(path), 200, "")
		if reached != 1 {
			t.Errorf("%s: reached %d times", path, reached)
		}
		reached = 0
	}
}

func TestACodeThatConfirmsAnEnrolmentIsSentAgain_I15(t *testing.T) {
	b := home(t).browser().login()
	b.get(security + "/email")
	b.want(b.post(security+"/email", "destination", "alice@work.example"), 303, security+"/enrol")
	b.want(b.get(security+"/enrol"), 200, "")
	b.says(`action="/account/security/enrol/resend"`, "You can ask for a new code in")
	b.want(b.post(security+"/enrol/resend"), 429, "")
	b.says(`action="/account/security/enrol"`, "a•••e@work.example")
	b.Clock.Advance(31 * time.Second)
	b.get(security + "/enrol")
	b.silent("You can ask for a new code in")
	b.want(b.post(security+"/enrol/resend"), 303, security+"/enrol")
	if n := len(b.Outbox.Messages()); n != 2 {
		t.Errorf("%d messages", n)
	}
	b.get(security + "/enrol")
	b.want(b.post(security+"/enrol", "code", b.Outbox.Code("alice@work.example")), 200, "")

	// An app is not asked to send, and nothing is sent inside a block.
	b.get(security + "/totp")
	b.want(b.post(security+"/totp"), 303, security+"/enrol")
	b.get(security + "/enrol")
	b.silent("/enrol/resend")
	b.want(b.post(security+"/enrol/resend"), 400, "")
	b.get(security + "/email")
	b.Clock.Advance(31 * time.Second)
	b.want(b.post(security+"/email", "destination", "alice@home.example"), 303, security+"/enrol")
	b.get(security + "/enrol")
	for range 3 {
		b.want(b.post(security+"/enrol", "code", "000000"), 401, "")
	}
	b.Clock.Advance(31 * time.Second)
	b.want(b.post(security+"/enrol/resend"), 429, "")
	b.says("no code is accepted now")
	if n := len(b.Outbox.Messages()); n != 3 {
		t.Errorf("I-15: %d messages", n)
	}
	// Without a recent login it leads to the step-up page, and from there to where the button is.
	b.Clock.Advance(6 * time.Minute)
	b.get(security + "/sessions")
	b.want(b.post(security+"/enrol/resend"), 303, "/login/fresh?next=%2Faccount%2Fsecurity%2Fenrol")
}

func TestARecoveryCodeInTheFieldForAnotherCodeIsNotUsedUpWhereItIsNotEnough_I14(t *testing.T) {
	w := home(t)
	codes := w.browser().withCodes()
	b := w.browser().byRecovery(codes[0])
	const page = security + "/recovery-codes"
	b.get("/login/fresh?next=" + queryOf(page))
	b.want(b.post("/login/fresh", "password", password, "next", page), 303, "/login/fresh?next="+queryOf(page))
	b.get(b.at)
	b.Audit.Take()
	b.want(b.post("/login/fresh", "method", "totp", "code", codes[1], "next", page), 400, "")
	b.says("A recovery code is not enough")
	if b.Audit.Count(audit.RecoveryCodeUsed) != 0 {
		t.Error("I-14: it is used up")
	}
	b.get(security)
	b.says("You have 9 left")
	// Where it is enough it is what it is.
	b.get("/login/fresh?next=/account/transfer")
	b.want(b.post("/login/fresh", "method", "totp", "code", codes[1], "next", "/account/transfer"), 303, "/account/transfer")
	b.get(security)
	b.says("You have 8 left")
}

func TestWhatIsAskedForFirstIsChosenByWhoHasJustShownBoth(t *testing.T) {
	w := home(t)
	w.Users.Change("1", func(a *challenge.Account) { a.Email = "alice@example.com" })
	b := w.browser().login()
	b.Clock.Advance(6 * time.Minute)
	b.get(security)
	const back = security + "/prefer"
	b.want(b.post(back, "method", "email"), 303, "/login/fresh?next="+queryOf(back))
	b.get(b.at)
	b.want(b.post("/login/fresh", "password", password, "next", back), 303, "/login/fresh?next="+queryOf(back))
	b.get(b.at)
	b.want(b.post("/login/fresh", "method", "totp", "code", b.code(), "next", back), 303, back)
	b.want(b.get(back), 200, "")
	b.says("Asked first", `name="method" value="email"`)
	b.Audit.Take()
	b.want(b.post(back, "method", "email"), 303, security)
	b.wantEvents(audit.FactorPreferred)
	b.get(security)
	b.says(`name="method" value="totp"`)
}
