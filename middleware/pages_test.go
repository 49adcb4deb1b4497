package middleware

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/texts"
)

// pageSamples are the pages as people meet them.
var pageSamples = map[string]struct {
	page string
	view pageView
}{
	"login": {pageLogin, pageView{CSRF: "tok", Action: "/login", Next: "/account"}},
	"login refused": {pageLogin, pageView{CSRF: "tok", Action: "/login", Next: "/account", Username: "alice",
		Error: pageMessage{Key: texts.ErrorRefused}}},
	"login after expiry": {pageLogin, pageView{CSRF: "tok", Action: "/login", Error: pageMessage{Key: texts.ErrorLoginExpired}}},
	"code totp": {pageCode, pageView{CSRF: "tok", Login: "p1", Action: "/login/verify", Method: "totp", ResendAction: "/login/resend", CancelAction: "/login/cancel",
		Ways: []pageWay{{Method: "email", Destination: "a•••e@example.com"}, {Method: "recovery"}}}},
	"code sms fallback": {pageCode, pageView{CSRF: "tok", Login: "p1", Action: "/login/verify", Method: "email", Destination: "s•••m@example.com",
		ResendAction: "/login/resend", CanResend: true, ResendWait: 30 * time.Second, CancelAction: "/login/cancel",
		Notice: pageMessage{Key: texts.NoticeFallback, Method: "email", Destination: "s•••m@example.com"}}},
	"code wrong": {pageCode, pageView{CSRF: "tok", Login: "p1", Action: "/login/verify", Method: "sms", Destination: "+31 ••• 01", ResendAction: "/login/resend", CanResend: true,
		CancelAction: "/login/cancel", Error: pageMessage{Key: texts.ErrorWrongCode}, Ways: []pageWay{{Method: "email", Destination: "s•••m@example.com"}}}},
	"code recovery": {pageCode, pageView{CSRF: "tok", Login: "p1", Action: "/login/verify", Method: "recovery", ResendAction: "/login/resend", CancelAction: "/login/cancel",
		Ways: []pageWay{{Method: "totp"}}}},
	"code custom": {pageCode, pageView{CSRF: "tok", Login: "p1", Action: "/login/verify", Method: "hotline", Info: "Call 555.\nAsk for Ann.", CancelAction: "/login/cancel"}},
	"proof": {pageCode, pageView{CSRF: "tok", Login: "p1", Action: "/login/verify", Method: "email", Destination: "e•••n@example.com", Proof: true,
		ResendAction: "/login/resend", CanResend: true, CancelAction: "/login/cancel"}},
	"proof by an administrator": {pageCode, pageView{CSRF: "tok", Login: "p1", Action: "/login/verify", Proof: true, CancelAction: "/login/cancel"}},
	"enrol": {pageEnrol, pageView{CSRF: "tok", Login: "p1", Action: "/login/enrol", Method: "totp", CancelAction: "/login/cancel", PNG: samplePNG(),
		Key: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP", URI: "otpauth://totp/Acme:erin?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Acme"}},
	"enrol clock off": {pageEnrol, pageView{CSRF: "tok", Login: "p1", Action: "/login/enrol", Method: "totp", CancelAction: "/login/cancel", PNG: samplePNG(),
		Key: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP", URI: "otpauth://totp/Acme:erin?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Acme",
		Error: pageMessage{Key: texts.ErrorClockOff}}},
	"recovery codes": {pageRecovery, pageView{Continue: "/account", Codes: []string{"ABCD-EFGH-JKLM-NPQR", "BCDE-FGHJ-KLMN-PQRS", "CDEF-GHJK-LMNP-QRST", "DEFG-HJKL-MNPQ-RSTU"}}},
	"fresh code": {pageFresh, pageView{CSRF: "tok", Action: "/login/fresh", Next: "/account/transfer", Method: "totp", ResendAction: "/login/resend",
		Ways: []pageWay{{Method: "email"}}, CancelAction: "/login/cancel"}},
	"fresh password": {pageFresh, pageView{CSRF: "tok", Action: "/login/fresh", Next: "/account/transfer", CancelAction: "/login/cancel",
		Error: pageMessage{Key: texts.ErrorPasswordAgain}}},
	"blocked": {pageError, pageView{Title: texts.TitleBlocked, Error: pageMessage{Key: texts.ErrorBlockedCode, Wait: 5 * time.Minute}, Continue: "/login"}},
	"code passkey": {pageCode, pageView{CSRF: "tok", Login: "p1", Action: "/login/verify", Method: "passkey", Passkey: `{"challenge":"YWJj\"'<>&"}`, Script: "/login/passkey.js",
		ResendAction: "/login/resend", CancelAction: "/login/cancel", Ways: []pageWay{{Method: "totp"}}}},
	"code passkey without a challenge": {pageCode, pageView{CSRF: "tok", Login: "p1", Action: "/login/verify", Method: "passkey", CancelAction: "/login/cancel"}},
	"enrol passkey": {pageEnrol, pageView{Title: texts.TitleEnrolPasskey, CSRF: "tok", Action: "/account/security/enrol", Method: "passkey", Passkey: `{"pubKeyCredParams":[]}`,
		Script: "/login/passkey.js", Creating: true, CancelAction: "/account/security/enrol/cancel", Error: pageMessage{Key: texts.ErrorWrongCode}}},
	"enrol email": {pageEnrol, pageView{Title: texts.TitleEnrolOther, CSRF: "tok", Action: "/account/security/enrol", Method: "email", Destination: "a•••e@example.com",
		CancelAction: "/account/security/enrol/cancel", Error: pageMessage{Key: texts.ErrorWrongCode}}},
	"fresh for a change": {pageFresh, pageView{CSRF: "tok", Action: "/login/fresh", Next: "/account/security/remove?id=1", Method: "totp", Change: true, Strong: true}},
	"security":           {pageSecurity, pageView{CSRF: "tok", Back: "/account", BackText: texts.LinkAccount, Security: trialSecurity("totp")}},
	"security refused": {pageSecurity, pageView{CSRF: "tok", Back: "/account", BackText: texts.LinkAccount, Error: pageMessage{Key: texts.ErrorGone},
		Security: &securityView{Base: "/account/security", Logout: "/logout", Kinds: []securityKind{{"totp", "/account/security/totp"}}}}},
	"security totp": {pageFactors, pageView{Title: texts.TitleSecurityTOTP, CSRF: "tok", Back: "/account/security", BackText: texts.LinkSecurity, Security: trialSecurity("totp")}},
	"security email wrong": {pageFactors, pageView{Title: texts.TitleSecurityEmail, CSRF: "tok", Back: "/account/security", BackText: texts.LinkSecurity, Security: trialSecurity("email"),
		Error: pageMessage{Key: texts.ErrorAddress}, Field: "destination"}},
	"security sms wrong": {pageFactors, pageView{Title: texts.TitleSecuritySMS, CSRF: "tok", Back: "/account/security", BackText: texts.LinkSecurity, Security: trialSecurity("sms"),
		Error: pageMessage{Key: texts.ErrorPhone}, Field: "destination"}},
	"security name wrong": {pageFactors, pageView{CSRF: "tok", Back: "/account/security", BackText: texts.LinkSecurity, Security: trialSecurity("hotline"),
		Error: pageMessage{Key: texts.ErrorName}, Field: "name-id"}},
	"security remove":             {pageRemove, pageView{CSRF: "tok", Back: "/account/security", BackText: texts.LinkSecurity, Security: trialSecurity("passkey")}},
	"security remove the last":    {pageRemove, pageView{CSRF: "tok", Back: "/account/security", BackText: texts.LinkSecurity, Security: trialSecurity("passkey"), Error: pageMessage{Key: texts.ErrorLastFactor}}},
	"security recovery codes":     {pageRecoveryCodes, pageView{CSRF: "tok", Back: "/account/security", BackText: texts.LinkSecurity, Security: trialSecurity("totp")}},
	"security nothing to back up": {pageRecoveryCodes, pageView{CSRF: "tok", Back: "/account/security", BackText: texts.LinkSecurity, Security: &securityView{AskFirst: "/login/fresh"}}},
	"security confirm first":      {pageRecoveryCodes, pageView{CSRF: "tok", Back: "/account/security", BackText: texts.LinkSecurity, Security: &securityView{CanBackUp: true, AskFirst: "/login/fresh"}}},
	"security devices":            {pageDevices, pageView{CSRF: "tok", Back: "/account/security", BackText: texts.LinkSecurity, Security: trialSecurity("totp")}},
	"security sessions":           {pageSessions, pageView{CSRF: "tok", Back: "/account/security", BackText: texts.LinkSecurity, Security: trialSecurity("totp")}},
	"unavailable":                 {pageError, pageView{Title: texts.TitleUnavailable, Error: pageMessage{Key: texts.ErrorUnavailable}, Continue: "/", ContinueText: texts.LinkHome}},
}

// samplePNG is a picture of one white dot; the pages only carry the bytes.
func samplePNG() []byte {
	b, err := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTd9gQAAAABJRU5ErkJggg==")
	if err != nil {
		panic(err)
	}
	return b
}

func mustPages(t testing.TB, overrides *template.Template) *pages {
	t.Helper()
	p, err := newPages(texts.Default(), overrides, "Acme")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func rendered(t testing.TB, p *pages, name, lang string, v pageView) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.render(&b, name, lang, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// pageElement is one start tag, and the form it stands in.
type pageElement struct {
	tag   string
	attrs map[string]string
	form  int // 0: outside any form
}

// parsePage reads a page as strict XML, which our own pages are, and returns its elements in order and its text.
func parsePage(t testing.TB, html string) (elements []pageElement, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(html))
	form, forms := 0, 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			return elements, text
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, html)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "form" {
				if form != 0 {
					t.Error("a form inside a form")
				}
				forms++
				form = forms
			}
			e := pageElement{token.Name.Local, map[string]string{}, form}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			elements = append(elements, e)
		case xml.EndElement:
			if token.Name.Local == "form" {
				form = 0
			}
		case xml.CharData:
			text += string(token)
		}
	}
}

func TestEveryPageInEveryLanguageIsCompleteAndAccessible(t *testing.T) {
	p := mustPages(t, nil)
	nameless := regexp.MustCompile(`<(button|a|h1|h2|p|label|title|li|code)[^>]*>\s*</`)
	leftover := regexp.MustCompile(`\b(button|label|title|error|hint|use|method|notice|enrol|recovery|fresh|link)\.[a-z]|\{[a-z]+\}|ZgotmplZ`)
	for _, lang := range texts.Default().Languages() {
		for name, sample := range pageSamples {
			t.Run(lang+"/"+name, func(t *testing.T) {
				html := rendered(t, p, sample.page, lang, sample.view)
				elements, text := parsePage(t, html)
				_, body, _ := strings.Cut(html, "</style>")
				if m := leftover.FindString(body); m != "" {
					t.Errorf("a key or placeholder is left over: %q", m)
				}
				if m := nameless.FindString(html); m != "" {
					t.Errorf("nothing to read on %s", m)
				}
				ids, labelled, count := map[string]bool{}, map[string]bool{}, map[string]int{}
				for _, e := range elements {
					count[e.tag]++
					if id := e.attrs["id"]; id != "" {
						if ids[id] {
							t.Errorf("id %q twice", id)
						}
						ids[id] = true
					}
					if _, ok := e.attrs["autofocus"]; ok {
						count["autofocus"]++
					}
					if e.tag == "label" {
						labelled[e.attrs["for"]] = true
					}
				}
				perForm := map[int]map[string]string{}
				for _, e := range elements {
					for attr := range e.attrs {
						// The policy of our pages allows neither (I-24).
						if attr == "style" || strings.HasPrefix(attr, "on") {
							t.Errorf("<%s %s>", e.tag, attr)
						}
					}
					for _, id := range strings.Fields(e.attrs["aria-describedby"]) {
						if !ids[id] {
							t.Errorf("aria-describedby %q names nothing", id)
						}
					}
					switch e.tag {
					case "html":
						if e.attrs["lang"] != lang {
							t.Errorf("lang %q", e.attrs["lang"])
						}
					case "script":
						if sample.view.Script == "" || e.attrs["src"] != sample.view.Script {
							t.Errorf("script %v", e.attrs)
						}
					case "iframe", "object", "base":
						t.Errorf("<%s>", e.tag)
					case "img":
						if e.attrs["alt"] == "" || !strings.HasPrefix(e.attrs["src"], "data:image/png;base64,") {
							t.Errorf("img %v", e.attrs)
						}
					case "form":
						if e.attrs["method"] != "post" || e.attrs["action"] == "" {
							t.Errorf("form %v", e.attrs)
						}
						perForm[e.form] = map[string]string{}
					case "button", "input":
						if e.form == 0 {
							t.Errorf("<%s %v> outside a form", e.tag, e.attrs)
						}
						if e.tag == "button" {
							break
						}
						perForm[e.form][e.attrs["name"]] = e.attrs["value"]
						if e.attrs["type"] != "hidden" && !labelled[e.attrs["id"]] {
							t.Errorf("input %v has no label", e.attrs)
						}
						if !slices.Contains([]string{"csrf_token", "username", "password", "next", "code", "method", "login", "id", "name", "destination"}, e.attrs["name"]) {
							t.Errorf("field %q", e.attrs["name"])
						}
					}
				}
				for _, fields := range perForm {
					if fields["csrf_token"] != "tok" || fields["login"] != sample.view.Login {
						t.Errorf("hidden fields %v", fields)
					}
				}
				if count["h1"] != 1 || count["main"] != 1 || count["title"] != 1 || count["autofocus"] > 1 {
					t.Errorf("elements %v", count)
				}
				if err := sample.view.Error; err.Key != "" && (!ids["error"] || !strings.Contains(text, err.text(texts.Default(), lang))) {
					t.Error("the error is not told")
				}
			})
		}
	}
}

func TestFieldsOfEachForm(t *testing.T) {
	p := mustPages(t, nil)
	for _, test := range []struct{ sample, field, want string }{
		{"login", "username", `autocapitalize=none autocomplete=username autofocus= id=username name=username required= spellcheck=false type=text value=`},
		{"login", "password", `autocomplete=current-password id=password name=password required= type=password`},
		{"login refused", "username", `aria-describedby=error aria-invalid=true autocapitalize=none autocomplete=username id=username name=username required= spellcheck=false type=text value=alice`},
		{"login refused", "password", `aria-describedby=error aria-invalid=true autocomplete=current-password autofocus= id=password name=password required= type=password`},
		{"login after expiry", "password", `aria-describedby=error autocomplete=current-password id=password name=password required= type=password`},
		{"code totp", "code", `aria-describedby=hint autocomplete=one-time-code autofocus= class=code id=code inputmode=numeric name=code required= spellcheck=false type=text`},
		{"code wrong", "code", `aria-describedby=hint error aria-invalid=true autocomplete=one-time-code autofocus= class=code id=code inputmode=numeric name=code required= spellcheck=false type=text`},
		{"code recovery", "code", `aria-describedby=hint autocapitalize=characters autocomplete=off autofocus= class=code id=code name=code required= spellcheck=false type=text`},
		{"code custom", "code", `aria-describedby=hint autocapitalize=none autocomplete=one-time-code autofocus= class=code id=code name=code required= spellcheck=false type=text`},
		{"enrol", "code", `aria-describedby=hint autocomplete=one-time-code autofocus= class=code id=code inputmode=numeric name=code required= spellcheck=false type=text`},
		{"fresh password", "password", `aria-describedby=error aria-invalid=true autocomplete=current-password autofocus= id=password name=password required= type=password`},
	} {
		elements, _ := parsePage(t, rendered(t, p, pageSamples[test.sample].page, "en", pageSamples[test.sample].view))
		var got []string
		for _, e := range elements {
			if e.attrs["name"] == test.field {
				for _, k := range slices.Sorted(maps.Keys(e.attrs)) {
					got = append(got, k+"="+e.attrs[k])
				}
			}
		}
		if s := strings.Join(got, " "); s != test.want {
			t.Errorf("%s, %s:\n got %s\nwant %s", test.sample, test.field, s, test.want)
		}
	}
}

func TestFormsPostWhereTheViewSays(t *testing.T) {
	p := mustPages(t, nil)
	for _, test := range []struct {
		sample string
		want   []string // action, method field, next field
	}{
		{"login", []string{"/login /account"}},
		{"code totp", []string{"/login/verify totp", "/login/resend email", "/login/resend recovery", "/login/cancel"}},
		{"code wrong", []string{"/login/verify sms", "/login/resend sms", "/login/resend email", "/login/cancel"}},
		{"enrol", []string{"/login/enrol totp", "/login/cancel"}},
		{"recovery codes", nil},
		{"fresh code", []string{"/login/fresh /account/transfer totp", "/login/resend /account/transfer email", "/login/cancel"}},
		{"fresh password", []string{"/login/fresh /account/transfer", "/login/cancel"}},
		{"blocked", nil},
	} {
		elements, _ := parsePage(t, rendered(t, p, pageSamples[test.sample].page, "en", pageSamples[test.sample].view))
		var got []string
		for _, e := range elements {
			switch {
			case e.tag == "form":
				got = append(got, e.attrs["action"])
			case e.attrs["name"] == "method", e.attrs["name"] == "next":
				got[len(got)-1] += " " + e.attrs["value"]
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.sample, got, test.want)
		}
	}
}

func TestPagesSayWhatTheViewHolds(t *testing.T) {
	p := mustPages(t, nil)
	for _, test := range []struct {
		sample string
		says   []string
		not    string
	}{
		{"login", []string{"<title>Log in · Acme</title>", "<header>Acme</header>"}, "alert"},
		{"login refused", []string{"is not right"}, "status"},
		{"code totp", []string{"<h1>Enter your code</h1>", "Open your authenticator app", "Send a code by e-mail <span>a•••e@example.com</span>", "Use a recovery code<"}, "new code"},
		{"code sms fallback", []string{"We sent a code to s•••m@example.com", "E-mail: s•••m@example.com.", "You can ask for a new code in 30 seconds."}, "another way"},
		{"code wrong", []string{"We sent a code by SMS to &#43;31 ••• 01.", "Send a new code"}, "You can ask"},
		{"code custom", []string{"Enter the code for this login.", "Call 555.\nAsk for Ann."}, "another way"},
		{"proof", []string{"<h1>First show that it is you</h1>", "enter the code that we sent to e•••n@example.com"}, "administrator"},
		{"proof by an administrator", []string{"<h1>First show that it is you</h1>", "enter the code that your administrator gave you"}, "we sent"},
		{"enrol", []string{"<code>JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP</code>", `href="otpauth://totp/Acme:erin?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&amp;issuer=Acme"`}, "alert"},
		{"recovery codes", []string{"<li><code>ABCD-EFGH-JKLM-NPQR</code></li>\n<li><code>BCDE-FGHJ-KLMN-PQRS</code></li>", "shown only now", `href="/account"`}, "<form"},
		{"fresh code", []string{"show once more", "Open your authenticator app"}, "password"},
		{"fresh password", []string{"show once more", "Enter your password again"}, "Code"},
		{"blocked", []string{"<h1>Wait a few minutes</h1>", "Wait 5 minutes, then log in again.", `href="/login">Go to the login page`}, "<form"},
		{"unavailable", []string{`href="/">Go to the start page`}, "<form"},
	} {
		_, html, _ := strings.Cut(strings.Replace(rendered(t, p, pageSamples[test.sample].page, "en", pageSamples[test.sample].view), pageStyle, "", 1), "<head>")
		for _, want := range test.says {
			if !strings.Contains(html, want) {
				t.Errorf("%s: %q is missing in\n%s", test.sample, want, html)
			}
		}
		if strings.Contains(html, test.not) {
			t.Errorf("%s: %q should not be in\n%s", test.sample, test.not, html)
		}
	}
}

func TestHostileValuesStayText(t *testing.T) {
	const evil = `"><script>alert(1)</script><b onclick='x' a={{.CSRF}} {destination}`
	v := pageView{
		Info: evil, CSRF: evil, Login: evil, Next: evil, Action: "javascript:alert(1)", Username: evil, Method: evil, Destination: evil,
		ResendAction: "javascript:alert(1)", CanResend: true, Ways: []pageWay{{Method: evil, Destination: evil}}, CancelAction: "javascript:alert(1)",
		PNG: []byte(evil), Key: evil, URI: "javascript:alert(1)", Codes: []string{evil}, Continue: "javascript:alert(1)",
		Notice: pageMessage{Key: texts.NoticeFallback, Method: evil, Destination: evil}, Error: pageMessage{Key: texts.Key(evil)},
		Passkey: evil, Back: "javascript:alert(1)", Security: &securityView{
			Base: "javascript:alert(1)", Page: "javascript:alert(1)", Logout: "javascript:alert(1)", Methods: []string{evil}, Kinds: []securityKind{{evil, "javascript:alert(1)"}},
			Factors: []securityItem{{EnrolledFactor: challenge.EnrolledFactor{ID: evil, Factor: evil, Name: evil}, Page: "javascript:alert(1)", Key: evil, Typed: evil}},
			Method:  evil, CanAdd: true, Destination: evil, New: securityItem{Key: evil, Typed: evil}, CanBackUp: true,
			Devices: []challenge.DeviceInfo{{ID: evil}}, Logins: []challenge.LoginInfo{{ID: evil, UserAgent: evil, Methods: []challenge.Method{{Name: evil}}}},
		},
	}
	p, err := newPages(texts.Default(), nil, evil)
	if err != nil {
		t.Fatal(err)
	}
	for name := range pageTitles {
		html := rendered(t, p, name, evil, v)
		elements, _ := parsePage(t, html) // well-formed still
		for _, e := range elements {
			if e.tag == "script" || e.tag == "b" || e.attrs["onclick"] != "" {
				t.Errorf("%s: <%s>", name, e.tag)
			}
			for _, attr := range []string{"href", "action", "src"} {
				if strings.HasPrefix(e.attrs[attr], "javascript:") {
					t.Errorf("%s: %s=%q", name, attr, e.attrs[attr])
				}
			}
			if e.tag == "input" && e.attrs["name"] == "username" && e.attrs["value"] != evil {
				t.Errorf("the name came back as %q", e.attrs["value"])
			}
		}
	}
}

// The hash is of the bytes between the tags: https://www.w3.org/TR/CSP3/#match-element-to-source-list.
func TestTheStyleHashIsThatOfThePage(t *testing.T) {
	override := template.Must(template.New("style.css").Parse("body { color: #123 }\r\nmain > p { margin: 0 }\n"))
	for name, o := range map[string]*template.Template{"ours": nil, "the app's": override} {
		p := mustPages(t, o)
		html := rendered(t, p, pageLogin, "en", pageView{})
		_, css, _ := strings.Cut(html, "<style>")
		css, _, ok := strings.Cut(css, "</style>")
		if !ok || strings.Count(html, "<style") != 1 {
			t.Fatalf("%s: no style sheet", name)
		}
		sum := sha256.Sum256([]byte(css))
		if got, want := p.styleHash(), "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'"; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if strings.Contains(css, "\r") || strings.Contains(css, "ZgotmplZ") {
			t.Errorf("%s: %q", name, css)
		}
	}
	for _, css := range []string{"a{}</STYLE>", "a { color: {{.Brand}} }"} {
		if _, err := newPages(texts.Default(), template.Must(template.New("style.css").Parse(css)), ""); err == nil {
			t.Errorf("%q was taken", css)
		}
	}
}

func TestAnOverrideReplacesOneTemplateOnly(t *testing.T) {
	files := fstest.MapFS{
		"error.html":  {Data: []byte(`{{template "top" .}}<p>{{shout .ErrorText}} {{template "phone.html"}}</p>{{template "bottom" .}}`)},
		"phone.html":  {Data: []byte(`Call 555.`)},
		"shared.html": {Data: []byte(`{{define "footer"}}<footer>Acme Ltd.</footer>{{end}}`)},
	}
	o := template.Must(template.New("").Funcs(template.FuncMap{"shout": strings.ToUpper}).ParseFS(files, "*.html"))
	theirs, ours := mustPages(t, o), mustPages(t, nil)
	for name, sample := range pageSamples {
		got, want := rendered(t, theirs, sample.page, "en", sample.view), rendered(t, ours, sample.page, "en", sample.view)
		if sample.page == pageError {
			if !strings.Contains(got, strings.ToUpper(sample.view.Error.text(texts.Default(), "en"))+" Call 555.") {
				t.Errorf("%s: the app's page is not shown:\n%s", name, got)
			}
			continue
		}
		if !strings.Contains(got, "<footer>Acme Ltd.</footer>") || strings.Replace(got, "<footer>Acme Ltd.</footer>", "", 1) != want {
			t.Errorf("%s: more than the footer changed", name)
		}
	}
	if o.Lookup("login") != nil {
		t.Error("the app's own set was changed")
	}
}

func TestAnOverrideThatCannotWorkIsRefusedAtStart(t *testing.T) {
	for name, text := range map[string]string{
		"unknown field":         `{{define "login"}}{{.Nonsense}}{{end}}`,
		"unknown part":          `{{define "login"}}{{template "nonsense" .}}{{end}}`,
		"form without token":    `{{define "login"}}<form method="post" action="{{.Action}}"><input name="username"></form>{{end}}`,
		"part without token":    `{{define "hidden"}}{{end}}`,
		"only with no password": `{{define "fresh"}}{{if .AsksPassword}}<form method=POST></form>{{end}}{{end}}`,
		"empty page":            `{{define "login"}}{{end}}`,
		"broken HTML":           `{{define "login"}}<a href="{{if .Next}}"{{end}}>{{end}}`,
	} {
		if _, err := newPages(texts.Default(), template.Must(template.New("").Parse(text)), ""); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	used := template.Must(template.New("login").Parse("x"))
	if err := used.Execute(io.Discard, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := newPages(texts.Default(), used, ""); err == nil {
		t.Error("a set that was executed before: no error")
	}
}

func TestAnAppCanDoWithoutAHeader(t *testing.T) {
	p := mustPages(t, template.Must(template.New("").Parse(`{{define "header"}}{{end}}`)))
	if strings.Contains(rendered(t, p, pageLogin, "en", pageView{}), "<header>") {
		t.Error("the header is still there")
	}
}

func TestAnErrorWhileRenderingLeavesTheBufferAsItWas(t *testing.T) {
	o := template.Must(template.New("login").Parse(`half a page {{if eq .Username "boom"}}{{slice .Username 99}}{{end}}`))
	p := mustPages(t, o)
	b := bytes.NewBufferString("before")
	if err := p.render(b, pageLogin, "en", pageView{Username: "boom"}); err == nil || b.String() != "before" {
		t.Errorf("%v, %q", err, b)
	}
	if err := p.render(b, "nonsense", "en", pageView{}); err == nil || b.String() != "before" {
		t.Errorf("%v, %q", err, b)
	}
}

// I-21: a page holds secrets before it is shown.
func TestAViewPrintsNothing_I21(t *testing.T) {
	v := pageView{Key: "JBSW", Codes: []string{"ABCD"}, CSRF: "tok", URI: "otpauth://"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb+verb, v, &v); got != "[page][page]" {
			t.Errorf("%s: %s", verb, got)
		}
	}
}

// WCAG 2.2, 1.4.3 and 1.4.11: 4.5 to 1 for text, 3 to 1 for the edge of a field and the focus ring.
func TestColoursHaveContrastInLightAndDark(t *testing.T) {
	roots := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(pageStyle, -1)
	if len(roots) != 2 {
		t.Fatalf("%d schemes", len(roots))
	}
	for i, root := range roots {
		colour := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6})`).FindAllStringSubmatch(root[1], -1) {
			colour[m[1]] = luminance(t, m[2])
		}
		for _, test := range []struct {
			front, back string
			least       float64
		}{
			{"text", "page", 4.5}, {"text", "card", 4.5}, {"text", "note-back", 4.5}, {"soft", "card", 4.5}, {"soft", "page", 4.5}, {"soft", "note-back", 4.5},
			{"accent", "card", 4.5}, {"accent", "note-back", 4.5}, {"on-accent", "accent", 4.5}, {"on-accent", "accent-over", 4.5},
			{"bad", "bad-back", 4.5}, {"bad", "card", 3}, {"edge", "card", 3}, {"ring", "card", 3}, {"ring", "page", 3},
		} {
			a, b := colour[test.front]+.05, colour[test.back]+.05
			if colour[test.front] == 0 || colour[test.back] == 0 || max(a, b)/min(a, b) < test.least {
				t.Errorf("scheme %d: %s on %s: %.2f", i, test.front, test.back, max(a, b)/min(a, b))
			}
		}
	}
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(t *testing.T, hex string) float64 {
	var r, g, b uint8
	if _, err := fmt.Sscanf(hex, "%02x%02x%02x", &r, &g, &b); err != nil {
		t.Fatal(err)
	}
	linear := func(v uint8) float64 {
		c := float64(v) / 255
		if c <= .04045 {
			return c / 12.92
		}
		return math.Pow((c+.055)/1.055, 2.4)
	}
	return .2126*linear(r) + .7152*linear(g) + .0722*linear(b)
}

// TestWritePages writes the pages to the directory PAGES names, to be looked at in a browser.
func TestWritePages(t *testing.T) {
	dir := os.Getenv("PAGES")
	if dir == "" {
		return
	}
	p := mustPages(t, nil)
	for _, lang := range texts.Default().Languages() {
		for name, sample := range pageSamples {
			file := filepath.Join(dir, lang+"-"+strings.ReplaceAll(name, " ", "-")+".html")
			if err := os.WriteFile(file, []byte(rendered(t, p, sample.page, lang, sample.view)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func BenchmarkPageLogin(b *testing.B) {
	p := mustPages(b, nil)
	var buf bytes.Buffer
	for b.Loop() {
		buf.Reset()
		if err := p.render(&buf, pageLogin, "nl", pageSamples["login refused"].view); err != nil {
			b.Fatal(err)
		}
	}
}

func TestI19ATemplateThatReplacesNothingIsRefused(t *testing.T) {
	w := found(t)
	parse := func(text string) *template.Template { return template.Must(template.New("ours").Parse(text)) }
	for text, ok := range map[string]bool{
		`{{define "lgoin"}}<p>Welcome</p>{{end}}`: false,
		`{{define "logo"}}<p>Acme</p>{{end}}{{define "header"}}{{if .Brand}}{{template "logo" .}}{{end}}{{end}}`: true,
		`{{define "footer.html"}}<p>Acme</p>{{end}}`:                                                             true,
		`{{define "nothing"}}{{end}}`:                                                                            true,
	} {
		_, err := New(w.logins, Config{Pages: parse(text)})
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), `"lgoin"`) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
