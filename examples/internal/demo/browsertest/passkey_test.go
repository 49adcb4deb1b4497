package browsertest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// reader is Chromium's virtual authenticator: a phone or laptop with a fingerprint reader, and a finger on it.
type reader struct {
	*visitor
	id webauthn.AuthenticatorID
}

func (v *visitor) reader() *reader {
	v.t.Helper()
	if _, err := chromedp.Call(v.tab, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		v.t.Fatal(err)
	}
	made, err := chromedp.Call(v.tab, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
			HasCmtgKey: true, // else it takes no credential from cdproto, which always speaks of them
		},
	})
	if err != nil {
		v.t.Fatal(err)
	}
	v.device = &reader{v, made.AuthenticatorID}
	return v.device
}

// finger puts the finger on the device, or takes it away.
func (r *reader) finger(there bool) {
	r.t.Helper()
	change(r, webauthn.SetAutomaticPresenceSimulation, webauthn.SetAutomaticPresenceSimulationParams{AuthenticatorID: r.id, Enabled: there})
}

// verified is whether the device knows its owner by the finger, or lets anybody have a go.
func (r *reader) verified(is bool) {
	r.t.Helper()
	change(r, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: r.id, IsUserVerified: is})
}

// keys are the passkeys on the device.
func (r *reader) keys() []*webauthn.Credential {
	r.t.Helper()
	got, err := chromedp.Call(r.tab, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: r.id})
	if err != nil {
		r.t.Fatal(err)
	}
	return got.Credentials
}

// change is a command about one device.
func change[P any](r *reader, command cdp.Command[P, cdp.Empty], params P) {
	r.t.Helper()
	if _, err := chromedp.Call(r.tab, command, params); err != nil {
		r.t.Fatal(err)
	}
}

// lose takes the passkeys from the device.
func (r *reader) lose() {
	r.t.Helper()
	change(r, webauthn.ClearCredentials, webauthn.ClearCredentialsParams{AuthenticatorID: r.id})
}

// enrol adds a passkey to the account that is logged in.
func (v *visitor) enrol(name string) {
	v.t.Helper()
	v.at("/account/security", v.open("/account/security"), 200)
	v.at("/account/security/passkeys", v.press("Passkey"), 200)
	v.fillIn("#name-new", name)
	v.at("/account/security/enrol", v.press("Add"), 200)
	got := v.press("Create a passkey")
	if v.has(".codes") { // the first authenticator comes with recovery codes
		got = v.press("I have kept them: continue")
	}
	v.at("/account/security", got, 200)
	v.reads("Passkey: " + name)
}

// logOut leaves the account.
func (v *visitor) logOut() {
	v.t.Helper()
	v.open("/account")
	v.at("/", v.press("Log out"), 200)
}

// asked goes through the first step and asks for the passkey.
func (v *visitor) asked(name string) {
	v.t.Helper()
	v.password(name)
	v.at("/login/verify", v.press("Use a passkey"), 200)
	v.reads("Confirm with your fingerprint, face, PIN or security key.")
}

func TestAliceAddsAPasskeyLogsInWithItAndRemovesIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.visit(t)
	device := v.reader()
	v.password("alice")
	v.code(totp(t, aliceSecret))
	v.enrol("laptop")
	if got := device.keys(); len(got) != 1 || got[0].RpID != "localhost" || !got[0].IsResidentCredential || got[0].UserName != "alice" {
		t.Errorf("the device keeps %d passkeys, not one for alice at localhost", len(got))
	}

	// The same device again: the browser sees that it has one.
	v.press("Passkey")
	v.fillIn("#name-new", "the same")
	v.press("Add")
	v.do(chromedp.Click(chromedp.CSS("[data-passkey-start]")))
	v.says("This device has a passkey for your account already.")
	v.at("/account/security", v.press("Cancel"), 200)

	v.logOut()
	v.asked("alice")
	v.at("/account", v.press("Use a passkey"), 200)
	v.reads("alice", "Password, then Passkey")
	if got := device.keys()[0].SignCount; got < 2 {
		t.Errorf("the device signed %v times", got)
	}

	v.open("/account/security/passkeys")
	v.at("/account/security/remove", v.pressIn(`//li[strong="Passkey: laptop"]`, "Remove"), 200)
	v.at("/account/security/passkeys", v.press("Remove"), 200)
	v.reads("Nothing is set up here yet.")
	v.logOut()
	v.password("alice")
	if js[bool](v, `document.body.innerText.includes("passkey")`) {
		t.Errorf("a passkey that was removed is asked for\n%s", v.page())
	}
}

func TestAPasskeyAloneLogsInFromTheFieldOrTheButton(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.visit(t)
	device := v.reader()
	v.open("/login")
	if v.has("form[data-passkey-autofill][hidden]") {
		t.Error("a browser that can use passkeys does not offer them")
	}
	v.password("alice")
	v.code(totp(t, aliceSecret))
	v.enrol("laptop")
	v.logOut()

	// The browser offers it in the field for the name, where the finger is enough.
	v.do(chromedp.Navigate(v.url + "/login"))
	v.do(chromedp.WaitVisible(`//h1[contains(., "alice")] | //form[@action="/logout"]`))
	v.at("/account", 200, 200)
	v.reads("alice", "Passkey")
	if js[bool](v, `document.body.innerText.includes("Password, then")`) {
		t.Error("somebody has typed a password")
	}
	v.at("/account/transfer", v.open("/account/transfer"), 200) // it is both factors, and fresh
	v.logOut()

	// The button asks, whatever is in the fields.
	device.finger(false)
	v.at("/login", v.open("/login"), 200)
	v.fill("Username", "bob")
	device.finger(true)
	v.at("/account", v.press("Log in with a passkey"), 200)
	v.reads("alice", "Passkey")
	v.logOut()

	// Without a person who was verified it opens nothing.
	device.finger(false)
	device.verified(false)
	v.at("/login", v.open("/login"), 200)
	device.finger(true)
	v.do(chromedp.Click(chromedp.CSS("[data-passkey-start]")))
	v.says("That was cancelled or took too long. Try again.")
	device.verified(true)

	// An answer works once, and only for the site that asked. Without scripts nothing is offered, and we ask ourselves.
	v.scripts(false)
	v.at("/login", v.open("/login"), 200)
	question := v.question()
	answer := v.sign(question)
	v.at("/account", v.hand(answer), 200)
	v.logOut()
	v.at("/login", v.open("/login"), 200)
	v.at("/login/passkey", v.hand(answer), 401)
	v.reads("That was cancelled or took too long. Try again.")
	question = v.question()
	v.next(chromedp.Navigate(elsewhere(t)))
	answer = v.sign(question)
	v.at("/login", v.open("/login"), 200)
	v.at("/login/passkey", v.hand(answer), 401)
	v.reads("This passkey cannot be used here.")
}

// says waits for words where the script of the page speaks.
func (v *visitor) says(words string) {
	v.t.Helper()
	v.do(chromedp.WaitVisible(fmt.Sprintf(`//*[@data-passkey-status][normalize-space()=%q]`, words)))
}

func TestErinChoosesAPasskeyInTheFirstPlace(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.visit(t)
	v.reader()
	v.password("erin")
	v.fill("Code", s.sent(t, "erin@example.com"))
	v.press("Verify")
	v.at("/login/verify", v.press("Use a passkey"), 200)
	v.at("/login/verify", v.press("Create a passkey"), 200)
	v.recoveryCodes()
	v.at("/account", v.press("I have kept them: continue"), 200)
	v.reads("erin", "Passkey")
	v.logOut()
	v.password("erin") // what she has is asked for, without a choice
	v.at("/account", v.press("Use a passkey"), 200)
}

func TestAPasskeyThatIsRefusedByItsOwnerSaysSo(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.visit(t)
	device := v.reader()
	v.password("alice")
	v.code(totp(t, aliceSecret))
	v.enrol("laptop")
	v.logOut()
	v.asked("alice")

	device.lose()
	v.do(chromedp.KeyEvent("\r")) // the button has the focus
	v.says("That was cancelled or took too long. Try again.")
	if !v.has("[data-passkey-start]:focus") {
		t.Error("the button has lost the focus")
	}
	v.at("/login/verify", v.press("Use a recovery code"), 200)
	v.fill("Recovery code", s.recovery[0])
	v.at("/account", v.press("Verify"), 200)
}

func TestWithoutScriptsAPasskeyIsNotPossibleAndThePageSaysWhatIs(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.visit(t)
	v.reader()
	v.password("alice")
	v.code(totp(t, aliceSecret))
	v.enrol("laptop")
	v.logOut()
	v.scripts(false)
	v.asked("alice")
	v.reads("Passkeys need JavaScript. Switch it on, or use another way.")
	v.at("/login/verify", v.press("Use the authenticator app"), 200)
	v.field("Code")
}

func TestOnlyTheRightPasskeyAnswersTheRightQuestion(t *testing.T) {
	t.Parallel()
	s := start(t, "-max-code-guesses", "50")
	v := s.visit(t)
	device := v.reader()
	for name, secret := range map[string]string{"alice": aliceSecret, "bob": bobSecret} {
		v.password(name)
		v.code(totp(t, secret))
		v.enrol("laptop")
		v.logOut()
	}
	keys := map[string]*webauthn.Credential{}
	for _, k := range device.keys() {
		keys[k.UserName] = k
	}

	// A right answer, so that the wrong ones below are wrong by one thing only.
	v.asked("alice")
	right := v.sign(v.question())
	v.at("/account", v.hand(right), 200)
	v.logOut()

	for i, c := range []struct {
		name   string
		answer func() string
	}{
		{"an answer that was given before", func() string { return right }},
		{"bob's passkey", func() string {
			return v.sign(v.question(), fmt.Sprintf(`options.allowCredentials = [{type: "public-key", id: Uint8Array.from(atob(%q), (c) => c.charCodeAt(0))}]`, base64.StdEncoding.EncodeToString(keys["bob"].CredentialID)))
		}},
		{"an answer that another site on this machine got out of alice", func() string {
			question := v.question()
			v.next(chromedp.Navigate(elsewhere(t)))
			answer := v.sign(question)
			v.open("/login/verify")
			if v.question() != question {
				t.Error("the question became another one meanwhile, which proves nothing")
			}
			return answer
		}},
		{"a copy of alice's passkey, which has counted less", func() string {
			change(device, webauthn.RemoveCredential, webauthn.RemoveCredentialParams{AuthenticatorID: device.id, CredentialID: keys["alice"].CredentialID})
			k := keys["alice"]
			change(device, webauthn.AddCredential, webauthn.AddCredentialParams{AuthenticatorID: device.id, Credential: &webauthn.Credential{
				CredentialID: k.CredentialID, IsResidentCredential: true, RpID: k.RpID, PrivateKey: k.PrivateKey, UserHandle: k.UserHandle, SignCount: 0,
			}})
			return v.sign(v.question())
		}},
	} {
		v.asked("alice")
		got := v.hand(c.answer())
		if got != 401 {
			t.Errorf("%s logs in", c.name)
		}
		v.at("/login/verify", got, 401)
		if n := strings.Count(s.events(t), `"Invalid MFA entered"`); n != i+1 {
			t.Errorf("I-21: %s: %d wrong answers in the audit, want %d", c.name, n, i+1)
		}
		device.finger(false)
		v.at("/login", v.press("Cancel"), 200)
	}
}

// question is what the page asks the device.
func (v *visitor) question() string {
	v.t.Helper()
	return js[string](v, `document.querySelector("form[data-passkey-options]").dataset.passkeyOptions`)
}

// sign lets the device answer a question, after changes to it, on whatever site the tab shows.
func (v *visitor) sign(question string, changes ...string) string {
	v.t.Helper()
	return ask(v, chromedp.Evaluate[string](fmt.Sprintf(`(async () => {
		const options = PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(%q));
		%s
		const answer = await navigator.credentials.get({publicKey: options});
		return btoa(JSON.stringify(answer.toJSON())).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
	})()`, question, strings.Join(changes, ";\n")), chromedp.EvalAwaitPromise))
}

// hand puts an answer into the page's form and sends it.
func (v *visitor) hand(answer string) int {
	v.t.Helper()
	return v.next(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => {
		const form = document.querySelector("form[data-passkey-options]");
		form.elements.namedItem("code").value = %q;
		form.submit();
	})()`, answer)))
}

// elsewhere is another site, of the same name as ours, so that browsers use the same passkeys for it: only the port differs.
func elsewhere(t *testing.T) string {
	t.Helper()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>Not the site</title><p>You have won."))
	}))
	t.Cleanup(other.Close)
	u, err := url.Parse(other.URL)
	if err != nil {
		t.Fatal(err)
	}
	return "http://localhost:" + u.Port() + "/"
}
