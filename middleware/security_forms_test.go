package middleware

import (
	"cmp"
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/texts"
)

// securityForm is one form on a page below Paths.Security, as a browser sees it.
type securityForm struct {
	page   string
	action string
	fields []pageElement // all but the token
}

func (f securityForm) String() string { return f.page + " → " + f.action }

// forms are those of ours on the last page, one of each that differs.
func (b *browserClient) forms(page string) (list []securityForm) {
	b.t.Helper()
	elements, _ := parsePage(b.t, b.page)
	byNumber := map[int]int{}
	for _, e := range elements {
		if e.tag == "form" && strings.HasPrefix(e.attrs["action"], security) {
			byNumber[e.form] = len(list)
			list = append(list, securityForm{page: page, action: e.attrs["action"]})
		}
		if i, ok := byNumber[e.form]; ok && e.tag == "input" && e.attrs["name"] != "csrf_token" {
			list[i].fields = append(list[i].fields, e)
		}
	}
	return list
}

// surroundings makes a site and a browser in which every form there is can be seen, and the pages that they are on.
func surroundings(t *testing.T) (*browserClient, []string) {
	w := home(t, withPasskeys, func(c *challenge.Config, _ *Config) { c.TrustDevices = time.Hour })
	w.Users.Change("1", func(a *challenge.Account) { a.Email = "alice@example.com" })
	b := w.browser()
	b.Clock.Advance(30 * time.Second)
	b.get("/login")
	b.want(b.post("/login", "username", "alice", "password", password), 303, "/login/verify")
	b.get("/login/verify")
	b.want(b.post("/login/verify", "code", b.code(), "trust", "1"), 303, "/account")
	w.browser().login() // another login, on another device
	b.get(security + "/totp")
	id := b.idOf("phone")
	var pages []string
	for _, p := range []string{"", "/totp", "/passkeys", "/email", "/phone", "/remove?id=" + id, "/recovery-codes", "/devices", "/sessions"} {
		pages = append(pages, security+p)
	}
	return b, pages
}

// begun is what can wait for its first answer.
var begun = map[string][]string{"": nil, "/totp": {"name", "tablet"}, "/email": {"destination", "alice@work.example"}}

// everyForm walks the pages, with each thing in turn that can wait for its first answer.
func everyForm(t *testing.T, do func(b *browserClient, f securityForm)) {
	seen := map[string]bool{}
	for begin, in := range begun {
		b, pages := surroundings(t)
		if begin != "" {
			b.get(security + begin)
			b.want(b.post(security+begin, in...), 303, security+"/enrol")
			pages = []string{security + "/enrol"}
		}
		for _, page := range pages {
			b.want(b.get(page), 200, "")
			for _, f := range b.forms(page) {
				names := ""
				for _, e := range f.fields {
					names += " " + e.attrs["name"]
				}
				if key := f.action + names + begin; begin == "" || !seen[key] {
					seen[key] = true
					seen[f.action] = true
					do(b, f)
				}
			}
		}
	}
	b, _ := surroundings(t)
	for path, rt := range b.web.security {
		if rt.act != nil && !seen[path] {
			t.Errorf("no form on any page leads to %s", path)
		}
	}
}

// optional are fields that a form may lack.
func optional(f securityForm, name string) bool {
	return name == "name" && f.action != security+"/rename" || name == "method" && f.action == security+"/enrol"
}

// TestEveryFormWithWhatItCannotTakeComesBackWithAMessage walks every form that the pages show. Whatever is wrong with it, the page
// comes again, in the person's language, with a message beside the field that it is about and with what was typed, and
// nothing is spent, sent, written or ended.
func TestEveryFormWithWhatItCannotTakeComesBackWithAMessage(t *testing.T) {
	dutch := map[string]bool{}
	for _, key := range []texts.Key{texts.ErrorBadRequest, texts.ErrorTooLarge, texts.ErrorGone, texts.ErrorMalformed, texts.ErrorMethod, texts.ErrorName,
		texts.ErrorAddress, texts.ErrorPhone, texts.ErrorNotAllowed} {
		dutch[texts.Default().Text("nl", key)] = true
	}
	n := 0
	everyForm(t, func(b *browserClient, f securityForm) {
		for _, c := range badForms(f) {
			n++
			what := fmt.Sprintf("%s, %s", f, c.what)
			b.want(b.get(f.page), 200, "")
			body := "csrf_token=" + queryOf(unescape(between(t, b.page, `name="csrf_token" value="`, `"`))) + c.body
			r := httptest.NewRequest("POST", site+f.action+c.query, strings.NewReader(body))
			r.RequestURI = f.action + c.query
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", site)
			r.Header.Set("Accept-Language", "nl")
			writes, sent, cookies := b.store.swaps.Load(), len(b.Outbox.Messages()), fmt.Sprint(b.cookies)
			res := b.send(r)
			if res.StatusCode != 400 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
				t.Errorf("%s: %d %s", what, res.StatusCode, res.Header.Get("Location"))
				continue
			}
			if b.store.swaps.Load() != writes || len(b.Outbox.Messages()) != sent || fmt.Sprint(b.cookies) != cookies {
				t.Errorf("%s: it did something", what)
			}
			elements, text := parsePage(t, b.page)
			alerts, lang, marked := 0, "", ""
			for _, e := range elements {
				if e.attrs["role"] == "alert" {
					alerts++
				}
				if e.tag == "html" {
					lang = e.attrs["lang"]
				}
				if e.attrs["aria-invalid"] == "true" {
					marked += e.attrs["name"]
					if !strings.HasSuffix(e.attrs["aria-describedby"], "error") {
						t.Errorf("%s: the message does not belong to %s", what, e.attrs["name"])
					}
				}
				if e.tag == "input" && (e.attrs["name"] == "code" || e.attrs["type"] == "password") && e.attrs["value"] != "" {
					t.Errorf("%s: a code is shown again", what)
				}
			}
			said := false
			for message := range dutch {
				said = said || strings.Contains(text, message)
			}
			if alerts != 1 || lang != "nl" || !said {
				t.Errorf("%s: %d messages in %q:\n%s", what, alerts, lang, style.ReplaceAllString(b.page, ""))
			}
			if marked != c.field {
				t.Errorf("%s: the message is about %q, not %q", what, marked, c.field)
			}
			for name, typed := range c.kept {
				if !slices.ContainsFunc(elements, func(e pageElement) bool {
					return e.attrs["name"] == name && e.attrs["type"] != "hidden" && e.attrs["value"] == typed
				}) {
					t.Errorf("%s: %q is not in %s any more", what, typed, name)
				}
			}
		}
	})
	if n < 150 {
		t.Errorf("%d forms were tried", n)
	}
}

type badForm struct {
	what, query, body string
	field             string            // visible, and what the message is about
	kept              map[string]string // visible fields that keep what was typed
}

// badForms are the ways in which a form can be filled in that it cannot take.
func badForms(f securityForm) (list []badForm) {
	typed := map[string]string{"name": "my <own> \"name\"", "destination": "alice@work.example", "code": "123456"}
	if strings.HasSuffix(f.action, "/phone") {
		typed["destination"] = "+31612345678"
	}
	visible := map[string]bool{}
	base := url.Values{}
	for _, e := range f.fields {
		name := e.attrs["name"]
		if visible[name] = e.attrs["type"] != "hidden"; visible[name] {
			base.Set(name, typed[name])
		} else {
			base.Set(name, e.attrs["value"])
		}
	}
	if len(base) == 0 || strings.HasSuffix(f.action, "/resend") { // a button; what waits is known without it
		return []badForm{{what: "oversized", body: "&x=" + strings.Repeat("x", 17<<10)}, {what: "broken escape", body: "&x=%zz"}, {what: "broken pair", body: "&a;b"}}
	}
	keeps := func(but string) map[string]string {
		out := map[string]string{}
		for name := range base {
			if visible[name] && name != but && name != "code" {
				out[name] = base.Get(name)
			}
		}
		return out
	}
	// Where a field that nobody can see is wrong, there is no place beside it.
	beside := func(name string) string {
		if visible[name] {
			return name
		}
		if visible["code"] && name != "" { // the page is about nothing else
			return "code"
		}
		return ""
	}
	add := func(what, field string, form url.Values, kept map[string]string) {
		list = append(list, badForm{what: what, field: beside(field), body: "&" + form.Encode(), kept: kept})
	}
	with := func(name string, values ...string) url.Values {
		out := url.Values{}
		for k, v := range base {
			out[k] = v
		}
		if out[name] = values; len(values) == 0 {
			delete(out, name)
		}
		return out
	}
	list = append(list, badForm{what: "oversized", body: "&" + base.Encode() + "&x=" + strings.Repeat("x", 17<<10)})
	required := 0
	for name := range base {
		if f.action == security+"/enrol" && name == "method" {
			continue // the machine knows what waits
		}
		kept := keeps(name)
		if name == "id" { // it is not known which one was meant
			kept = nil
		}
		of := name
		if name == "code" { // two codes are no wrong code
			of = ""
		}
		list = append(list, badForm{what: "doubled " + name, field: beside(of), body: "&" + with(name, base.Get(name), "other").Encode(), kept: keeps("")})
		if !optional(f, name) {
			required++
			add("missing "+name, name, with(name), kept)
			list = append(list, badForm{what: "late " + name, query: "?" + name + "=" + queryOf(base.Get(name)), body: "&" + with(name).Encode(), field: beside(name), kept: kept})
		}
		switch name {
		case "name":
			add("long name", name, with(name, strings.Repeat("n", 65)), map[string]string{"name": strings.Repeat("n", 65)})
			add("name of two lines", name, with(name, "a\nb"), kept)
		case "destination":
			add("no destination", name, with(name, "somewhere else"), map[string]string{"destination": "somewhere else"})
			add("long destination", name, with(name, strings.Repeat("9", 300)), kept)
		case "code":
			add("letters", name, with(name, "twelve"), nil)
			add("empty code", name, with(name, ""), nil)
		case "method":
			for _, v := range []string{"", "nonsense", "recovery", "password", "trusted-device"} {
				add("method "+v, name, with(name, v), nil)
			}
		case "id":
			for _, v := range []string{"", "zzz", "../..", "<b>", strings.Repeat("0", 31), strings.Repeat("9", 3000)} {
				add("id "+v, name, with(name, v), nil)
			}
		}
	}
	if required > 0 {
		foreign := url.Values{"username": {"bob"}, "user_id": {"4"}, "account": {"4"}}
		list = append(list, badForm{what: "foreign fields", body: "&" + foreign.Encode(), field: cmp.Or(beside("destination"), beside("code"))})
	}
	return list
}
