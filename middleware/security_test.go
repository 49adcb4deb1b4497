package middleware

import (
	"regexp"
	"strings"
	"testing"

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

var recoveryCode = regexp.MustCompile(`<code>([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})</code>`)

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

const security = "/account/security"

// idOf is the id of the first authenticator on the last page.
func (b *browserClient) idOf() string {
	b.t.Helper()
	return between(b.t, b.page, "/remove?id=", `"`)
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
	if strings.Contains(b.page, "tablet") {
		t.Error("an authenticator without a right answer is listed")
	}
	b.get(security + "/enrol")
	b.want(b.post(security+"/enrol", "code", "000000"), 401, "")
	b.says(secret, "not right", `aria-invalid="true"`)
	before := b.cookies[sessionCookie]
	csrf := b.cookies[sessionCookie+"-csrf"]
	b.want(b.post(security+"/enrol", "code", codeOf(t, secret, b.Clock.Now())), 200, "")
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
}
