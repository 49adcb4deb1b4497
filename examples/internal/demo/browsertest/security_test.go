package browsertest

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestAliceAddsRenamesAndRemovesAnAuthenticatorApp(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.withoutScripts(t)
	v.password("alice")
	v.code(totp(t, aliceSecret))
	v.at("/account/security", v.press("Security"), 200)
	v.at("/account/security/totp", v.press("Authenticator app"), 200)
	add := `//form[@action="/account/security/totp"]`

	v.fill("Name (optional)", "x") // the field of the one that she has
	v.fillIn("#name-new", strings.Repeat("long ", 20))
	v.at("/account/security/totp", v.pressIn(add, "Add"), 400)
	v.describesAt("#name-new", "A name is at most 64 letters")
	v.fillIn("#name-new", "tablet")
	v.at("/account/security/enrol", v.pressIn(add, "Add"), 200)
	key := v.scan()
	v.fill("Code", oathtool(t, key))
	v.at("/account/security", v.press("Switch on"), 200)
	v.reads("Authenticator app: phone", "Authenticator app: tablet")

	v.press("Authenticator app: tablet")
	tablet := `//li[strong="Authenticator app: tablet"]`
	field := ask(v, chromedp.AttributeValue(tablet+"//input[@name='name']", "id")).Value
	v.fillIn("#"+field, "old tablet")
	v.at("/account/security/totp", v.pressIn(tablet, "Change the name"), 200)
	v.reads("Authenticator app: old tablet")

	old := `//li[strong="Authenticator app: old tablet"]`
	v.at("/account/security/remove", v.pressIn(old, "Remove"), 200)
	v.reads("Authenticator app: old tablet")
	v.at("/account/security/totp", v.press("Remove"), 200)
	if text := js[string](v, `document.body.innerText`); strings.Contains(text, "tablet") || !strings.Contains(text, "Authenticator app: phone") {
		t.Errorf("the wrong one was removed\n%s", v.page())
	}
}

func TestAliceMakesNewRecoveryCodesAfterSheHasShownMoreThanOne(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.withoutScripts(t)
	v.recover("alice", s.recovery[0])
	v.open("/account/security")
	v.at("/account/security/recovery-codes", v.press("Recovery codes"), 200)
	v.at("/login/fresh", v.press("Confirm that it is you"), 200) // I-14
	v.reads("A recovery code is not enough for this.")
	v.fill("Code", wrongTOTP(t, aliceSecret))
	v.at("/login/fresh", v.press("Verify"), 401)
	v.describes("Code", "That code is not right.")
	v.fill("Code", totp(t, aliceSecret))
	v.at("/account/security/recovery-codes", v.press("Verify"), 200) // where she was
	v.at("/account/security/recovery-codes", v.press("Make new recovery codes"), 200)
	codes := v.recoveryCodes()
	if slices.Contains(codes, s.recovery[1]) {
		t.Error("I-14: an old code is among the new ones")
	}
	v.press("I have kept them: continue")
	v.open("/account/security/recovery-codes")
	v.reads("You have 10 left.")
	if v.has(".codes") {
		t.Error("I-14: the codes are shown again")
	}
}

func TestSamAddsAnAddressThatHeHasShownToBeHis(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.withoutScripts(t)
	v.password("sam")
	v.code(s.sent(t, "+31600000001"))
	v.open("/account/security")
	v.at("/account/security/phone", v.press("SMS"), 200)
	v.fill("Mobile number", "0612345678")
	v.fill("Name (optional)", "work")
	v.at("/account/security/phone", v.press("Add"), 400)
	v.describes("Mobile number", "That is not a number with its country code.")
	v.describes("Mobile number", "With the country code, such as +31") // the hint stays
	for label, want := range map[string]string{"Mobile number": "0612345678", "Name (optional)": "work"} {
		if got := ask(v, chromedp.Value(v.field(label))); got != want {
			t.Errorf("%s: %q was typed, %q stands there", label, want, got)
		}
	}
	v.fill("Mobile number", "+31612345678")
	v.at("/account/security/enrol", v.press("Add"), 200)
	v.fill("Code", other(s.sent(t, "+31612345678")))
	v.at("/account/security/enrol", v.press("Switch on"), 401)
	v.describes("Code", "That code is not right.")
	v.fill("Code", s.sent(t, "+31612345678"))
	v.at("/account/security/enrol", v.press("Switch on"), 200)
	codes := v.recoveryCodes() // his first authenticator of his own comes with a way back
	v.at("/account/security", v.press("I have kept them: continue"), 200)
	v.open("/account/security/enrol")
	v.at("/account/security", v.open("/account/security/enrol"), 200)
	if text := js[string](v, `document.body.innerText`); strings.Contains(text, codes[0]) {
		t.Error("I-14: the codes are shown again")
	}
	v.reads("SMS: work")
}

func TestSamPrefersTheMail(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.withoutScripts(t)
	v.password("sam")
	v.code(s.sent(t, "+31600000001"))
	v.open("/account/security")
	v.at("/account/security", v.pressIn(`//main//ul/li[contains(., "E-mail")]`, "Ask for this first"), 200)
	v.logOut()
	v.password("sam")
	v.reads("We sent a code to s•••@example.com")
	v.code(s.sent(t, "sam@example.com"))
}

func TestAliceSeesWhereSheIsLoggedInAndEndsIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	phone, laptop := s.withoutScripts(t), s.withoutScripts(t)
	phone.recover("alice", s.recovery[0])
	laptop.password("alice")
	laptop.code(totp(t, aliceSecret))

	// A recovery code ends nobody else's login.
	phone.open("/account/security")
	phone.at("/account/security/sessions", phone.press("Logins"), 200)
	phone.reads("Before you change anything here")
	laptop.open("/account/security")
	laptop.at("/account/security/sessions", laptop.press("Logins"), 200)
	laptop.reads("By Password, Authenticator app", "By Password, Recovery code")
	if got := laptop.texts(".cards li .badge"); !slices.Equal(got, []string{"This device"}) {
		t.Errorf("this device is marked as %q", got)
	}
	laptop.at("/account/security/sessions", laptop.press("Log out there"), 200)
	if n := len(laptop.texts(".cards li")); n != 1 {
		t.Errorf("%d logins are left\n%s", n, laptop.page())
	}
	phone.at("/login", phone.open("/account"), 200) // I-16

	laptop.at("/login", laptop.press("Log out everywhere, here too"), 200)
	laptop.at("/login", laptop.open("/account"), 200)
}

func TestAliceForgetsTheDevicesThatSheIsKnownOn(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.withoutScripts(t)
	v.password("alice")
	v.code(totp(t, aliceSecret))
	v.open("/account/security")
	v.at("/account/security/devices", v.press("Known devices"), 200)
	v.reads("This device")
	v.at("/account/security/devices", v.press("Forget it"), 200)
	v.reads("No device is known.")
}

func TestAliceTrustsADeviceAndStopsTrustingIt(t *testing.T) {
	t.Parallel()
	s := start(t, "-trust-devices", "720h")
	v := s.withoutScripts(t)
	v.password("alice")
	v.do(chromedp.Click(chromedp.CSS("#trust")))
	v.code(totp(t, aliceSecret))
	v.logOut()
	v.open("/login")
	v.fill("Username", "alice")
	v.fill("Password", password)
	v.at("/account", v.press("Log in"), 200) // no code
	v.at("/login/fresh", v.open("/account/transfer"), 200)
	v.at("/account/security/devices", v.open("/account/security/devices"), 200)
	v.at("/account/security/devices", v.press("Stop trusting"), 200)
	v.logOut()
	v.password("alice") // and then a code
	v.field("Code")
}

func TestAnAdministratorGivesErinACodeToEnrolWith(t *testing.T) {
	t.Parallel()
	s := start(t)
	alice, erin := s.withoutScripts(t), s.withoutScripts(t)
	alice.password("alice")
	alice.code(totp(t, aliceSecret))
	alice.at("/admin", alice.open("/admin"), 200)
	alice.at("/admin", alice.pressIn(`//section[h2="erin"]`, "Make an enrolment code"), 200)
	alice.reads("Give this code to erin in person")
	code := strings.TrimSpace(alice.texts("pre code")[0])

	erin.password("erin")
	erin.fill("Code", code)
	erin.at("/login/verify", erin.press("Verify"), 200)
	key := erin.scan()
	erin.fill("Code", oathtool(t, key))
	erin.press("Switch on")
	erin.recoveryCodes()
	erin.at("/account", erin.press("I have kept them: continue"), 200)

	alice.at("/admin", alice.open("/admin"), 200)
	alice.at("/admin", alice.pressIn(`//section[h2="erin"]`, "End all logins"), 200)
	erin.at("/login", erin.open("/account"), 200)
	if !strings.Contains(s.events(t), `evt.actor="alice"`) {
		t.Error("I-21: the audit does not say who did it")
	}
}
