package browsertest

import (
	"encoding/base64"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestErinSetsUpHerAuthenticatorAppWhileLoggingIn(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.withoutScripts(t)
	v.password("erin")
	v.fill("Code", s.sent(t, "erin@example.com"))
	v.at("/login/verify", v.press("Verify"), 200)
	v.at("/login/verify", v.open("/account"), 200) // I-02: she is not in before she has an app

	key := v.scan()
	typed := strings.ReplaceAll(ask(v, chromedp.Text(chromedp.CSS(".key code"))), " ", "")
	if typed != key.Query().Get("secret") {
		t.Error("the key that can be typed is another than that of the picture")
	}
	if link := ask(v, chromedp.AttributeValue(chromedp.CSS(`a[href^="otpauth:"]`), "href")).Value; link != key.String() {
		t.Error("the link is another than the picture")
	}
	if key.Scheme != "otpauth" || key.Host != "totp" || key.Path != "/Sallyport demo:erin" || key.Query().Get("issuer") != "Sallyport demo" {
		t.Errorf("an app shows the account as %s of %q", key.Path, key.Query().Get("issuer"))
	}
	code := oathtool(t, key)
	v.fill("Code", other(code))
	v.at("/login/verify", v.press("Switch on"), 401)
	v.describes("Code", "That code is not right.")
	if again := v.scan(); again.Query().Get("secret") != typed {
		t.Error("a wrong code changes the key that she has scanned already")
	}
	v.fill("Code", code)
	v.at("/login/verify", v.press("Switch on"), 200)
	codes := v.recoveryCodes()
	if file := v.kept(); !strings.Contains(file, codes[0]) || !strings.Contains(file, codes[9]) {
		t.Error("the file to keep has not got the codes")
	}

	// I-14: they are shown once.
	v.at("/account", v.press("I have kept them: continue"), 200)
	v.reads("erin", "Authenticator app")
	v.back()
	if text := js[string](v, `document.body.innerText`); strings.Contains(text, codes[0]) {
		t.Error("I-14: the back button shows the recovery codes again")
	}
	v.at("/account", v.open("/login/verify"), 200)

	v = s.withoutScripts(t)
	v.recover("erin", codes[0])
}

// scan reads the picture of the page as a phone does: pixels to a URI.
func (v *visitor) scan() *url.URL {
	v.t.Helper()
	zbarimg := need(v.t, "zbarimg")
	image, found := strings.CutPrefix(ask(v, chromedp.AttributeValue(chromedp.CSS("img.qr"), "src")).Value, "data:image/png;base64,")
	b, err := base64.StdEncoding.DecodeString(image)
	if !found || err != nil {
		v.t.Fatalf("no picture: %v", err)
	}
	if js[float64](v, `document.querySelector("img.qr").getBoundingClientRect().width`) < 100 {
		v.t.Error("the picture is too small for a camera, or does not show")
	}
	file := filepath.Join(v.t.TempDir(), "qr.png")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		v.t.Fatal(err)
	}
	out, err := exec.Command(zbarimg, "-q", "--raw", file).Output()
	if err != nil {
		v.t.Fatalf("zbarimg cannot read the picture: %v", err)
	}
	u, err := url.Parse(strings.TrimSpace(string(out)))
	if err != nil {
		v.t.Fatalf("the picture says %q: %v", out, err)
	}
	return u
}

// oathtool is the code that Debian's oathtool makes of a scanned URI.
func oathtool(t *testing.T, key *url.URL, options ...string) string {
	t.Helper()
	q := key.Query()
	args := append(options, "--base32", "--totp="+or(q.Get("algorithm"), "SHA1"), "--digits="+or(q.Get("digits"), "6"), "--time-step-size="+or(q.Get("period"), "30")+"s", q.Get("secret"))
	out, err := exec.Command(need(t, "oathtool"), args...).Output()
	if err != nil {
		t.Fatalf("oathtool: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func or(s, unset string) string {
	if s == "" {
		return unset
	}
	return s
}

var recoveryCode = regexp.MustCompile(`^[2-9A-Z]{4}(-[2-9A-Z]{4}){3}$`)

// recoveryCodes are those that the page shows.
func (v *visitor) recoveryCodes() []string {
	v.t.Helper()
	codes := v.texts(".codes li")
	for _, c := range codes {
		if !recoveryCode.MatchString(c) {
			v.t.Errorf("the recovery codes have the form %s", regexp.MustCompile(`[0-9A-Z]`).ReplaceAllString(c, "x"))
		}
	}
	if len(codes) != 10 {
		v.t.Fatalf("%d recovery codes\n%s", len(codes), v.page())
	}
	return codes
}

// kept is the text file that the page offers to save.
func (v *visitor) kept() string {
	v.t.Helper()
	href := ask(v, chromedp.AttributeValue(chromedp.CSS("a[download]"), "href")).Value
	_, data, _ := strings.Cut(href, ";base64,")
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		v.t.Fatal(err)
	}
	return string(b)
}
