package browsertest

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestAliceLogsInWithHerAuthenticatorApp(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.withoutScripts(t)
	v.at("/login", v.open("/account"), 200)
	v.fill("Username", "alice")
	v.fill("Password", "not that one")
	v.at("/login", v.press("Log in"), 401)
	v.describes("Username", "The username or the password is not right.")
	v.describes("Password", "The username or the password is not right.")
	if got := ask(v, chromedp.Value(v.field("Username"))); got != "alice" {
		t.Errorf("the name that was typed became %q", got)
	}
	if got := ask(v, chromedp.Value(v.field("Password"))); got != "" {
		t.Error("I-21: the password comes back with the page")
	}
	v.fill("Password", password)
	v.at("/login/verify", v.press("Log in"), 200)
	v.at("/login/verify", v.open("/account"), 200) // I-02: with a password alone she is nobody

	code := totp(t, aliceSecret)
	v.fill("Code", wrongTOTP(t, aliceSecret))
	v.at("/login/verify", v.press("Verify"), 401)
	v.describes("Code", "Open your authenticator app") // what to do stays
	v.describes("Code", "That code is not right.")
	v.code(code)
	v.reads("alice", "Password, then Authenticator app")
	v.at("/account/transfer", v.press("Transfer"), 200) // the second step was a moment ago
	if got := js[string](v, `document.cookie`); got != "" {
		t.Errorf("scripts can read the cookies %q", got)
	}
}

func TestTheFieldOfACodeIsForNumbersAndHasTheFocus(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.withoutScripts(t)
	v.password("alice")
	got := ask(v, chromedp.Attributes(v.field("Code")))
	if got["inputmode"] != "numeric" || got["autocomplete"] != "one-time-code" || got["type"] != "text" {
		t.Errorf("phones see the field as %v", got)
	}
	if !v.has("#code:focus") {
		t.Error("the field of the code has not got the focus")
	}
	v.do(chromedp.KeyEvent(totp(t, aliceSecret)))
	v.at("/account", v.next(chromedp.KeyEvent("\r")), 200) // without touching the mouse
}

func TestAliceLogsInWithARecoveryCodeOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.withoutScripts(t)
	v.recover("alice", strings.ToLower(s.recovery[3]))
	v.reads("Password, then Recovery code")
	v.open("/account/security/recovery-codes")
	v.reads("You have 9 left.")

	v = s.withoutScripts(t)
	v.password("alice")
	v.press("Use a recovery code")
	v.fill("Recovery code", s.recovery[3])
	v.at("/login/verify", v.press("Verify"), 401)
	v.describes("Recovery code", "That code is not right.")
}

func TestCarolReadsHerCodeInTheMail(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.withoutScripts(t)
	v.password("carol")
	v.reads("c•••l@example.com")
	if first := v.newest(); first != s.sent(t, "carol@example.com") {
		t.Errorf("the page of the outbox shows the code %q", first)
	}
	v.open("/login/verify")
	v.at("/login/verify", v.press("Send a new code"), 200)
	code := v.newest()
	v.open("/login/verify")
	v.fill("Code", other(code))
	v.at("/login/verify", v.press("Verify"), 401)
	v.describes("Code", "That code is not right.")
	v.code(code)
	v.reads("carol", "Password, then E-mail")
}

// newest is the code at the top of the page that shows what was sent.
func (v *visitor) newest() string {
	v.t.Helper()
	v.at("/outbox", v.open("/outbox"), 200)
	return ask(v, chromedp.Text(chromedp.CSS(".cards li:first-child .key")))
}

func TestSamReadsHisCodeOnThePhoneOrTriesAnotherWay(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.withoutScripts(t)
	v.password("sam")
	v.code(s.sent(t, "+31600000001"))
	v.reads("sam", "Password, then SMS")

	v = s.withoutScripts(t)
	v.password("sam")
	v.reads("Try another way")
	v.at("/login/verify", v.press("Send a code by e-mail"), 200)
	v.reads("We sent a code to s•••@example.com")
	v.code(s.sent(t, "sam@example.com"))
	v.reads("Password, then E-mail")
}

func TestDaveGivesHisPasswordAgainForATransfer(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.withoutScripts(t)
	v.open("/login")
	v.fill("Username", "dave")
	v.fill("Password", password)
	v.at("/account", v.press("Log in"), 200)
	v.at("/login/fresh", v.press("Transfer"), 200)
	v.fill("Password", "not that one")
	v.at("/login/fresh", v.press("Confirm"), 401)
	v.describes("Password", "That password is not right.")
	v.fill("Password", password)
	v.at("/account/transfer", v.press("Confirm"), 200) // where he wanted to go
	v.at("/account", v.press("Back to your account"), 200)
}

func TestBobGuessesUntilHeIsBlocked(t *testing.T) {
	t.Parallel()
	s := start(t, "-max-code-guesses", "2", "-block-for", "7m")
	v := s.withoutScripts(t)
	v.password("bob")
	for range 2 {
		v.fill("Code", wrongTOTP(t, bobSecret))
		v.at("/login/verify", v.press("Verify"), 401)
	}
	v.fill("Code", totp(t, bobSecret))
	v.at("/login/verify", v.press("Verify"), 429) // I-09: right or wrong
	v.reads("Too many codes were wrong, so no code is accepted now. Wait 7 minutes")

	v = s.withoutScripts(t)
	v.open("/login")
	v.fill("Username", "bob")
	v.fill("Password", password)
	v.at("/login", v.press("Log in"), 429)
	v.reads("Wait 7 minutes")
}

func TestWhoLogsOutIsOutAndTheBackButtonShowsNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.withoutScripts(t)
	v.password("alice")
	v.code(totp(t, aliceSecret))
	v.at("/", v.press("Log out"), 200)
	v.reads("Who you can be")
	v.back()
	if v.has(`main dl`) {
		t.Errorf("the account is shown again\n%s", v.page())
	}
	v.at("/login", v.open("/account"), 200)
}

func TestALoginCanBeGivenUpHalfway(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.withoutScripts(t)
	v.password("carol")
	v.at("/login", v.press("Cancel"), 200)
	v.at("/login", v.open("/login/verify"), 200)
}
