package browsertest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// inspector looks at pages as people with other eyes, screens and tastes do.
type inspector struct {
	axe      string // the source of axe-core; empty: not installed
	pictures string // the directory for screenshots; empty: none
}

func newInspector(t *testing.T) *inspector {
	t.Helper()
	i := &inspector{pictures: os.Getenv("SCREENSHOTS")}
	if i.pictures != "" {
		if err := os.MkdirAll(i.pictures, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if name := os.Getenv("AXE_CORE"); name != "" {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatalf("AXE_CORE: %v", err)
		}
		i.axe = string(b)
	}
	return i
}

// Widths in CSS pixels. The narrow one is that of WCAG 2.2 criterion 1.4.10, and of the smallest phones.
const (
	wide   = 1280
	narrow = 320
)

const noAxe = "the pages were loaded and measured, but not inspected: AXE_CORE does not name axe.min.js of the npm package axe-core"

// ways to look at a page.
var ways = []struct {
	name, scheme string
	width        int64
	inspect      bool // colours do not depend on the width: two of the four say it all
}{{"light", "light", wide, true}, {"dark", "dark", wide, false}, {"narrow", "light", narrow, false}, {"narrow-dark", "dark", narrow, true}}

// look inspects the page that the visitor sees, in light and dark and on a narrow screen.
func (i *inspector) look(v *visitor, name string) {
	v.t.Helper()
	for _, as := range ways {
		v.screen(as.scheme, as.width)
		if !v.fits(as.width) {
			v.t.Errorf("%s, %s: it takes scrolling to the side to see all of %s", name, as.name, js[string](v, beyond))
		}
		if i.pictures != "" {
			picture := ask(v, chromedp.FullScreenshot(100))
			if err := os.WriteFile(filepath.Join(i.pictures, name+"."+as.name+".png"), picture, 0o644); err != nil {
				v.t.Fatal(err)
			}
		}
	}
	if i.axe != "" {
		i.inspect(v, name)
	}
	v.screen("light", wide)
}

// inspect reports whatever axe-core has against the page.
func (i *inspector) inspect(v *visitor, name string) {
	v.t.Helper()
	scriptless := v.scriptless
	v.scripts(true) // axe waits for itself; the page is loaded, and its own scripts do not begin by this
	v.do(chromedp.Evaluate[chromedp.Void](i.axe))
	for _, as := range ways {
		if !as.inspect {
			continue
		}
		v.screen(as.scheme, as.width)
		for _, f := range v.findings() {
			v.t.Errorf("%s, %s: axe-core %s (%s): %s", name, as.name, f.ID, f.Impact, f.Help)
			for _, n := range f.Nodes {
				v.t.Errorf("    %s\n    %s", n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", "\n    "))
			}
		}
	}
	v.scripts(!scriptless)
}

// beyond names the elements that reach over the right edge.
const beyond = `[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML.slice(0, 80)).join("; ")`

// fits reports whether nothing of the page lies beyond the edge of the screen.
func (v *visitor) fits(width int64) bool {
	v.t.Helper()
	return js[int64](v, `document.documentElement.scrollWidth`) <= width
}

func (v *visitor) screen(scheme string, width int64) {
	v.t.Helper()
	if _, err := chromedp.Call(v.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}); err != nil {
		v.t.Fatal(err)
	}
	v.do(chromedp.EmulateViewport(width, 800))
}

// finding is what axe-core objects to. Impacts are minor, moderate, serious and critical.
type finding struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

// findings are all that axe-core has: the rules of WCAG and of good practice, whatever their impact, and what it cannot
// decide by itself, such as the contrast on a picture.
func (v *visitor) findings() (list []finding) {
	v.t.Helper()
	got := ask(v, chromedp.Evaluate[string](`axe.run(document, {resultTypes: ["violations", "incomplete"]}).then((r) => JSON.stringify([...r.violations, ...r.incomplete]))`, chromedp.EvalAwaitPromise))
	if err := json.Unmarshal([]byte(got), &list); err != nil {
		v.t.Fatalf("axe-core answered %q: %v", got, err)
	}
	return list
}

func TestEveryPageIsForEverybody(t *testing.T) {
	t.Parallel()
	for _, tour := range []struct {
		name string
		walk func(*inspector, *visitor)
	}{
		{"without scripts", tourLogins}, {"the security pages", tourSecurity}, {"passkeys", tourPasskeys}, {"administration and trust", tourAdministration}, {"refusals", tourRefusals}, {"in a language of long words", tourGerman},
	} {
		t.Run(tour.name, func(t *testing.T) {
			t.Parallel()
			i := newInspector(t)
			s := start(t, "-max-password-guesses", "2", "-max-code-guesses", "2", "-trust-devices", "720h")
			tour.walk(i, s.visit(t))
			if i.axe == "" && !t.Failed() {
				missing(t, noAxe)
			}
		})
	}
}

func TestTheInspectorSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	i := newInspector(t)
	v := start(t).visit(t)
	v.open("/")
	js[bool](v, `(() => {
		document.querySelector("main").insertAdjacentHTML("beforeend", '<img src="data:,"><p id="pale">pale</p><input id="long">');
		pale.style.color = "#ddd"; // the policy of the page refuses a style in HTML
		pale.style.background = "#eee";
		long.style.width = long.style.maxWidth = "500px";
		return true;
	})()`)
	v.screen("light", narrow)
	if v.fits(narrow) {
		t.Error("a page that is too wide goes unseen")
	}
	if i.axe == "" {
		missing(t, noAxe)
	}
	v.do(chromedp.Evaluate[chromedp.Void](i.axe))
	var found []string
	for _, f := range v.findings() {
		found = append(found, f.ID)
	}
	for _, want := range []string{"color-contrast", "image-alt", "label"} {
		if !slices.Contains(found, want) {
			t.Errorf("axe-core found %q, without %q", found, want)
		}
	}
}

func tourLogins(i *inspector, v *visitor) {
	v.scripts(false)
	v.open("/")
	i.look(v, "home")
	v.open("/outbox")
	i.look(v, "outbox-empty")
	v.open("/login")
	i.look(v, "login")
	v.fill("Username", "alice")
	v.fill("Password", "not that one")
	v.press("Log in")
	i.look(v, "login-refused")

	v.password("alice")
	i.look(v, "code-app")
	v.fill("Code", wrongTOTP(v.t, aliceSecret))
	v.press("Verify")
	i.look(v, "code-refused")
	v.fill("Code", "no code")
	v.press("Verify")
	i.look(v, "code-malformed")
	v.press("Use a recovery code")
	i.look(v, "code-recovery")
	v.press("Cancel")

	v.password("sam")
	i.look(v, "code-sms")
	v.press("Send a code by e-mail")
	i.look(v, "code-email")
	v.open("/outbox")
	i.look(v, "outbox")
	v.open("/login/verify")
	v.press("Cancel")

	v.password("erin")
	i.look(v, "enrol-proof")
	v.fill("Code", v.sent(v.t, "erin@example.com"))
	v.press("Verify")
	i.look(v, "enrol-app")
	key := v.scan()
	v.fill("Code", other(oathtool(v.t, key)))
	v.press("Switch on")
	i.look(v, "enrol-refused")
	v.fill("Code", oathtool(v.t, key))
	v.press("Switch on")
	i.look(v, "recovery-codes")
	v.press("I have kept them: continue")
	i.look(v, "account")
	v.open("/")
	i.look(v, "home-logged-in")
	v.open("/account/transfer")
	i.look(v, "transfer")
	v.logOut()

	v.open("/login")
	v.fill("Username", "dave")
	v.fill("Password", password)
	v.press("Log in")
	v.press("Transfer")
	i.look(v, "fresh-password")
	v.fill("Password", "not that one")
	v.press("Confirm")
	i.look(v, "fresh-refused")
	v.open("/account/security")
	i.look(v, "security-nothing-needed")
}

func tourSecurity(i *inspector, v *visitor) {
	v.scripts(false)
	v.recover("alice", v.recovery[0])
	v.open("/account/security/recovery-codes")
	i.look(v, "security-recovery-ask-first")
	v.open("/account/security/totp")
	i.look(v, "security-totp-ask-first")
	v.open("/account/security/devices")
	i.look(v, "security-devices-ask-first")
	v.open("/login/fresh?next=/account/security/recovery-codes")
	i.look(v, "fresh-code")
	v.open("/account/security/totp")
	v.press("Confirm that it is you")
	v.fill("Password", password)
	v.press("Confirm")
	v.fillIn("#name-new", "new phone")
	v.pressIn(`//form[@action="/account/security/totp"]`, "Add")
	v.fill("Code", oathtool(v.t, v.scan()))
	v.press("Switch on")
	v.open("/account/security/totp")
	i.look(v, "security-totp-added-by-recovery")
	v.press("Change the name")
	i.look(v, "fresh-not-enough")
	v.logOut()

	v.password("alice")
	v.code(totp(v.t, aliceSecret))
	v.open("/account/security")
	i.look(v, "security")
	for _, page := range []string{"totp", "passkeys", "email", "phone", "recovery-codes", "devices", "sessions"} {
		v.open("/account/security/" + page)
		i.look(v, "security-"+page)
	}
	v.open("/account/security/totp")
	v.press("Remove")
	i.look(v, "security-remove")
	v.open("/account/security/totp")
	v.fillIn("#name-new", strings.Repeat("a very long name ", 10))
	v.pressIn(`//form[@action="/account/security/totp"]`, "Add")
	i.look(v, "security-name-refused")
	v.open("/account/security/phone")
	v.fill("Mobile number", "0612345678")
	v.press("Add")
	i.look(v, "security-phone-refused")
	v.fill("Mobile number", "+31612345678")
	v.fill("Name (optional)", strings.Repeat("W", 60))
	v.press("Add")
	i.look(v, "security-enrol-phone")
	v.fill("Code", v.sent(v.t, "+31612345678"))
	v.press("Switch on")
	i.look(v, "security-long-name")
	v.open("/account/security/phone")
	i.look(v, "security-phone-long-name")
	v.open("/account/security/totp")
	v.fillIn("#name-new", "tablet")
	v.pressIn(`//form[@action="/account/security/totp"]`, "Add")
	i.look(v, "security-enrol-app")
	v.press("Cancel")
	v.open("/account/security/devices")
	v.press("Forget it")
	i.look(v, "security-devices-none")
	v.open("/account/security/recovery-codes")
	v.press("Make new recovery codes")
	i.look(v, "security-new-codes")
}

func tourPasskeys(i *inspector, v *visitor) {
	device := v.reader()
	v.password("alice")
	v.code(totp(v.t, aliceSecret))
	v.open("/account/security/passkeys")
	v.fillIn("#name-new", "laptop")
	v.press("Add")
	i.look(v, "security-enrol-passkey")
	v.press("Create a passkey")
	v.open("/account/security/passkeys")
	i.look(v, "security-passkeys-one")
	v.logOut()
	device.finger(false)
	v.open("/login")
	i.look(v, "login-passkey")
	v.asked("alice")
	i.look(v, "code-passkey")
	device.lose()
	v.do(chromedp.Click(chromedp.CSS("[data-passkey-start]")))
	v.says("That was cancelled or took too long. Try again.")
	i.look(v, "code-passkey-cancelled")
	v.press("Cancel")
	v.scripts(false)
	v.asked("alice")
	i.look(v, "code-passkey-no-scripts")
}

func tourAdministration(i *inspector, v *visitor) {
	v.scripts(false)
	v.password("alice")
	v.reads("Do not ask for a code on this device for 30 days")
	i.look(v, "code-trust")
	v.do(chromedp.Click(chromedp.CSS("#trust")))
	v.code(totp(v.t, aliceSecret))
	v.at("/account/security/devices", v.open("/account/security/devices"), 200)
	i.look(v, "security-trusted-device")
	v.at("/admin", v.open("/admin"), 200)
	i.look(v, "admin")
	v.at("/admin", v.pressIn(`//section[h2="erin"]`, "Make an enrolment code"), 200)
	i.look(v, "admin-code")
}

func tourRefusals(i *inspector, v *visitor) {
	v.scripts(false)
	v.at("/nowhere", v.open("/nowhere"), 404)
	i.look(v, "not-found")
	v.at("/login/nowhere", v.open("/login/nowhere"), 404)
	i.look(v, "login-not-found")
	v.at("/logout", v.open("/logout"), 405)
	i.look(v, "not-allowed")
	v.open("/login")
	js[bool](v, `document.querySelector("[name=csrf_token]").value = "x", true`)
	v.fill("Username", "alice")
	v.fill("Password", password)
	v.at("/login", v.press("Log in"), 403)
	i.look(v, "form-refused")

	v.password("bob")
	for range 2 {
		v.fill("Code", wrongTOTP(v.t, bobSecret))
		v.press("Verify")
	}
	v.fill("Code", totp(v.t, bobSecret))
	v.at("/login/verify", v.press("Verify"), 429)
	i.look(v, "code-blocked")
	v = v.withoutScripts(v.t)
	v.open("/login")
	v.fill("Username", "bob")
	v.fill("Password", password)
	v.at("/login", v.press("Log in"), 429)
	i.look(v, "login-blocked")
}

func tourGerman(i *inspector, v *visitor) {
	v.scripts(false)
	v.password("alice")
	if _, err := chromedp.Call(v.tab, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": "de"}}); err != nil {
		v.t.Fatal(err)
	}
	v.open("/login/verify")
	v.reads("Code eingeben")
	i.look(v, "german-code")
	v.do(chromedp.SendKeys(chromedp.CSS("#code"), totp(v.t, aliceSecret)))
	v.at("/account", v.next(chromedp.KeyEvent("\r")), 200)
	for _, page := range []string{"", "/totp", "/phone", "/recovery-codes", "/devices", "/sessions"} {
		v.open("/account/security" + page)
		i.look(v, "german-security"+strings.ReplaceAll(page, "/", "-"))
	}
}
