package middleware

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"text/template/parse"
	"time"

	"github.com/sallyport-go/sallyport/challenge/texts"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed pages/style.css
var pageStyle string

// Names of the pages. Each is one template, which an app may replace by one of its own of the same name, as it may
// "top", "bottom", "head", "extra-head" (empty; for a style sheet or an icon), "header", "footer" and the parts in
// pages/parts.html.
const (
	pageLogin    = "login"
	pageCode     = "code"  // also the code that precedes enrolling
	pageEnrol    = "enrol" // an authenticator app, a passkey, or a code that was sent
	pageRecovery = "recovery"
	pageFresh    = "fresh" // step-up, by code or by password
	pageError    = "error" // also blocked, unavailable and not found

	pageSecurity      = "security"          // overview of a person's own account
	pageFactors       = "security-factors"  // those of one kind
	pageRemove        = "security-remove"   // asks before one is taken away
	pageRecoveryCodes = "security-recovery" // how many are left
	pageDevices       = "security-devices"
	pageSessions      = "security-sessions"
)

// pageTitles is what each page is called unless its view says otherwise.
var pageTitles = map[string]texts.Key{
	pageLogin:    texts.TitleLogin,
	pageCode:     texts.TitleCode,
	pageEnrol:    texts.TitleEnrol,
	pageRecovery: texts.TitleRecovery,
	pageFresh:    texts.TitleFresh,
	pageError:    texts.TitleError,

	pageSecurity:      texts.TitleSecurity,
	pageFactors:       texts.TitleSecurityCustom,
	pageRemove:        texts.TitleRemove,
	pageRecoveryCodes: texts.TitleSecurityRecovery,
	pageDevices:       texts.TitleSecurityDevices,
	pageSessions:      texts.TitleSecuritySessions,
}

// pageMessage is one sentence for a person, not yet in a language. The zero value says nothing.
type pageMessage struct {
	Key         texts.Key
	Wait        time.Duration // for {wait}
	Method      string        // for {method}: a factor's name
	Destination string        // for {destination}, masked
}

// text returns the sentence in lang.
func (m pageMessage) text(c *texts.Catalog, lang string) string {
	if m.Key == "" {
		return ""
	}
	return c.Text(lang, m.Key, "wait", c.Duration(lang, m.Wait), "method", c.Method(lang, m.Method), "destination", m.Destination)
}

// pageWay is another method that the person may choose.
type pageWay struct {
	Method      string // a factor's name
	Destination string // where a code would go, masked; may be empty
}

// pageView is what a handler tells a page. A part that is left zero is left out of the page. Everything is escaped where
// it is shown; a link with another scheme than http, https or mailto is made harmless, but for the otpauth URI.
type pageView struct {
	Title  texts.Key   // heading and window title; empty: the page's own
	Error  pageMessage // what did not work, or the sentence of an error page
	Notice pageMessage // what else there is to know
	Info   string      // the factor's own words, from Attempt.Info

	CSRF   string // for the hidden field csrf_token of every form
	Login  string // public id of the pending login, for the hidden field login
	Next   string // where to go after the login, for the hidden field next
	Action string // the path that the main form posts to

	Username string // login: what was typed

	Method       string        // code, fresh, enrol: a factor's name; on fresh, "password" or empty asks for the password
	Destination  string        // code, fresh: where a code was sent, masked; empty when none was
	Proof        bool          // code: this code precedes enrolling; without Destination it comes from an administrator
	ResendAction string        // code, fresh: the path that sends again and chooses another way
	CanResend    bool          // Method sends codes, so offer a new one
	ResendWait   time.Duration // how long until that is possible; zero: now
	Ways         []pageWay     // the other ways, without Method
	TrustFor     time.Duration // code: how long the device may be trusted; zero: not
	CancelAction string        // code, fresh, enrol: the path that cancels

	PNG []byte // enrol: the QR image
	Key string // enrol: the secret to be typed
	URI string // enrol: otpauth://…

	Codes []string // recovery: the new codes

	Continue     string    // recovery, error: the local path or link to go on with
	ContinueText texts.Key // error: what that link says; empty: [texts.LinkLogin]

	Alone    string // login: the path for the answer of a passkey that counts as both factors; Passkey has the options
	Again    string // of this: the path of the page, with a new challenge
	Passkey  string // code, fresh, enrol with method "passkey": the options for the browser, in JSON
	Script   string // of these: the path of what the browser needs for them
	Creating bool   // of these: a passkey is made, not used

	Change bool   // fresh: it leads to a change of how the person logs in
	Factor string // fresh: for the hidden field factor, what a route demands; empty: nothing of the kind
	Strong bool   // fresh: for which a recovery code is not enough
	// WeakFor, of this, is how long until what a recovery code has added is enough; zero: there is nothing of the kind.
	WeakFor time.Duration

	Security *securityView // the pages below Paths.Security
	Field    string        // of these: what the error is about, where it is about one field
	Item     *securityItem // of these: in a part that is about one authenticator
	Back     string        // of these: the link at the end
	BackText texts.Key
}

// Format keeps secrets and codes out of logs, whatever verb is used.
func (v pageView) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[page]")) }

// pages renders the HTML that people see. It is safe for concurrent use.
type pages struct {
	catalog *texts.Catalog
	brand   string
	style   string
	set     *template.Template
}

// newPages returns the pages with the texts of catalog; brand is the name of the site as people know it.
//
// Templates of overrides replace those of the same name, with or without ".html" behind it, and leave all others as they
// are; nil replaces none. A template "style.css" without actions replaces the style sheet. Each page is rendered once, so
// that a template that cannot work, or that has a form to be posted without its csrf_token, is an error now and not in
// front of a person.
func newPages(catalog *texts.Catalog, overrides *template.Template, brand string) (*pages, error) {
	p := &pages{catalog: catalog, brand: brand, style: pageStyle, set: template.New("")}
	if overrides != nil {
		set, err := overrides.Clone() // keeps the app's functions
		if err != nil {
			return nil, fmt.Errorf("pages: templates must not have been executed before: %w", err)
		}
		p.set = set
		if css := set.Lookup("style.css"); css != nil && css.Tree != nil {
			p.style = css.Tree.Root.String()
		}
	}
	// The style sheet is hashed as it stands, so nothing in it may end the element or be computed.
	if strings.Contains(strings.ToLower(p.style), "</style") || strings.Contains(p.style, "{{") {
		return nil, errors.New("pages: style.css must be plain CSS")
	}
	// HTML parsers read CR LF and CR as LF before they hash.
	p.style = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(p.style)

	ours, err := template.ParseFS(pageFiles, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	if name := unused(p.set, ours); name != "" {
		return nil, fmt.Errorf("pages: the template %q replaces nothing and no template uses it: docs/pages.md has the names", name)
	}
	for _, t := range ours.Templates() {
		if err := p.fill(t); err != nil {
			return nil, fmt.Errorf("pages: %s: %w", t.Name(), err)
		}
	}
	for name := range pageTitles {
		if err := p.try(name); err != nil {
			return nil, fmt.Errorf("pages: %s: %w", name, err)
		}
	}
	return p, nil
}

// unused finds a template of the app's that neither has the name of one of ours, or of a page, nor is called by another one.
func unused(theirs, ours *template.Template) string {
	called := map[string]bool{"style.css": true}
	for name := range pageTitles {
		called[name] = true
	}
	var walk func(parse.Node)
	walk = func(n parse.Node) {
		switch n := n.(type) {
		case *parse.ListNode:
			for i := 0; n != nil && i < len(n.Nodes); i++ {
				walk(n.Nodes[i])
			}
		case *parse.IfNode:
			walk(n.List)
			walk(n.ElseList)
		case *parse.RangeNode:
			walk(n.List)
			walk(n.ElseList)
		case *parse.WithNode:
			walk(n.List)
			walk(n.ElseList)
		case *parse.TemplateNode:
			called[n.Name] = true
		}
	}
	list := slices.DeleteFunc(theirs.Templates(), func(t *template.Template) bool { return t.Tree == nil })
	for _, t := range list {
		walk(t.Tree.Root)
	}
	for _, t := range list {
		name := strings.TrimSuffix(t.Name(), ".html")
		if !called[t.Name()] && !called[name] && ours.Lookup(name) == nil && ours.Lookup(name+".html") == nil && !parse.IsEmptyTree(t.Tree.Root) {
			return t.Name()
		}
	}
	return ""
}

// fill adds one of our templates, unless the app has its own.
func (p *pages) fill(ours *template.Template) error {
	if theirs := p.set.Lookup(ours.Name()); theirs != nil && theirs.Tree != nil {
		return nil // even if empty: that is how an app does without a header
	}
	tree := ours.Tree
	// The tree of a file that only defines other templates is empty and replaces nothing.
	if theirs := p.set.Lookup(ours.Name() + ".html"); theirs != nil && theirs.Tree != nil && !parse.IsEmptyTree(theirs.Tree.Root) {
		tree = theirs.Tree.Copy()
	}
	_, err := p.set.AddParseTree(ours.Name(), tree)
	return err
}

// try renders a page with every part and with none.
func (p *pages) try(name string) error {
	const token = "form-token-of-the-trial"
	full := pageView{
		Error: pageMessage{Key: texts.ErrorWrongCode}, Notice: pageMessage{Key: texts.NoticeFallback}, Info: "info",
		CSRF: token, Login: "id", Next: "/", Action: "/", Username: "name", Method: "email", Destination: "to",
		ResendAction: "/", CanResend: true, ResendWait: time.Second, Ways: []pageWay{{Method: "sms", Destination: "to"}},
		CancelAction: "/", PNG: []byte("png"), Key: "key", URI: "otpauth://totp/x", Codes: []string{"code"}, Continue: "/",
		Change: true, Factor: "totp", Strong: true, WeakFor: time.Hour, Back: "/", BackText: texts.LinkSecurity, Security: trialSecurity("email"),
	}
	password, passkey, sent := full, full, full
	password.Method, password.Field = "password", "destination"
	passkey.Alone, passkey.Again = "/", "/"
	passkey.Method, passkey.Passkey, passkey.Script, passkey.Security = methodPasskey, "{}", "/", trialSecurity(methodPasskey)
	passkey.Security.AskFirst = "/"
	sent.Key, sent.Field, sent.Security = "", "name-id", trialSecurity("sms")
	for _, v := range []pageView{full, password, passkey, sent, {Security: new(securityView)}, {}} {
		var b bytes.Buffer
		if err := p.render(&b, name, "en", v); err != nil {
			return err
		}
		html := strings.ToLower(b.String())
		if strings.TrimSpace(html) == "" {
			return errors.New("empty")
		}
		posts := strings.Count(html, `method="post"`) + strings.Count(html, `method=post`)
		if v.CSRF != "" && strings.Count(html, token) < posts {
			return errors.New("a form is posted without {{.CSRF}}; put {{template \"hidden\" .}} into it")
		}
	}
	return nil
}

// render appends a page to dst. After an error dst is as it was before.
func (p *pages) render(dst *bytes.Buffer, name, lang string, v pageView) error {
	title, ok := pageTitles[name]
	if !ok {
		return fmt.Errorf("pages: no page %q", name)
	}
	switch {
	case v.Title != "":
		title = v.Title
	case v.Proof:
		title = texts.TitleEnrolProof
	}
	dot := page{pageView: v, Lang: lang, Brand: p.brand, Style: template.CSS(p.style), name: name, title: title, catalog: p.catalog}
	before := dst.Len()
	if err := p.set.ExecuteTemplate(dst, name, dot); err != nil {
		dst.Truncate(before)
		return fmt.Errorf("pages: %w", err)
	}
	return nil
}

// styleHash returns the source expression for the style sheet in a Content-Security-Policy: 'sha256-…'.
func (p *pages) styleHash() string {
	sum := sha256.Sum256([]byte(p.style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// page is what a template sees as its dot: the fields of the view, and these.
type page struct {
	pageView
	Lang    string
	Brand   string
	Style   template.CSS
	name    string
	title   texts.Key
	catalog *texts.Catalog
}

// Text returns a text of the catalog. args are pairs of placeholder and value.
func (p page) Text(key texts.Key, args ...string) string { return p.catalog.Text(p.Lang, key, args...) }

// Use returns what the button for a method says.
func (p page) Use(method string) string { return p.catalog.Use(p.Lang, method) }

// Heading returns the title of the page.
func (p page) Heading() string { return p.Text(p.title) }

// WindowTitle returns the title of the browser's window.
func (p page) WindowTitle() string {
	if p.Brand == "" {
		return p.Heading()
	}
	return p.Text(texts.TitlePage, "title", p.Heading(), "brand", p.Brand)
}

// ErrorText returns what did not work, or nothing.
func (p page) ErrorText() string { return p.Error.text(p.catalog, p.Lang) }

// NoticeText returns what else there is to know, or nothing.
func (p page) NoticeText() string { return p.Notice.text(p.catalog, p.Lang) }

// Invalid reports whether the error is about what was typed.
func (p page) Invalid() bool {
	switch p.Error.Key {
	case texts.ErrorRefused, texts.ErrorPasswordAgain, texts.ErrorWrongCode, texts.ErrorReplayed, texts.ErrorMalformed,
		texts.ErrorCodeExpired, texts.ErrorClockOff, texts.ErrorName, texts.ErrorAddress, texts.ErrorPhone, texts.ErrorNumber:
		return true
	}
	return false
}

// Hint returns what to do for the method.
func (p page) Hint() string {
	switch {
	case p.Proof && p.Destination != "":
		return p.Text(texts.EnrolProofIntro, "destination", p.Destination)
	case p.Proof:
		return p.Text(texts.EnrolProofAdminIntro)
	}
	return p.catalog.Hint(p.Lang, p.Method, p.Destination)
}

// Digits reports whether the answer is made of digits, so that a telephone shows its number pad.
func (p page) Digits() bool {
	return p.Method == "totp" || p.Method == "email" || p.Method == "sms"
}

// AsksPassword reports whether the step-up page asks for the password again.
func (p page) AsksPassword() bool { return p.Method == "" || p.Method == "password" }

// PasswordFirst reports whether the password is the first field to fill in.
func (p page) PasswordFirst() bool { return p.Username != "" || p.name == pageFresh }

// ResendText says how long until a new code can be sent, or nothing.
func (p page) ResendText() string {
	if p.ResendWait <= 0 {
		return ""
	}
	return pageMessage{Key: texts.NoticeResendWait, Wait: p.ResendWait}.text(p.catalog, p.Lang)
}

// WeakText says when what a recovery code has added is enough, or nothing.
func (p page) WeakText() string {
	if p.WeakFor <= 0 {
		return ""
	}
	return pageMessage{Key: texts.ErrorWeak, Wait: p.WeakFor}.text(p.catalog, p.Lang)
}

// TrustText is what trusting the device means, or nothing where that is not offered.
func (p page) TrustText() string {
	if p.TrustFor <= 0 {
		return ""
	}
	return p.Text(texts.LabelTrust, "wait", p.catalog.Duration(p.Lang, p.TrustFor))
}

// ContinueLabel returns what the link of an error page says.
func (p page) ContinueLabel() string {
	if p.ContinueText == "" {
		return p.Text(texts.LinkLogin)
	}
	return p.Text(p.ContinueText)
}

// Download returns new recovery codes as a text file in a data URI, or nothing.
func (p page) Download() template.URL {
	if len(p.Codes) == 0 {
		return ""
	}
	file := p.Text(texts.RecoveryFile, "site", p.Brand) + "\n\n" + strings.Join(p.Codes, "\n") + "\n"
	return template.URL("data:text/plain;charset=utf-8;base64," + base64.StdEncoding.EncodeToString([]byte(file)))
}

// QR returns the QR image as a data URI, or nothing.
func (p page) QR() template.URL {
	if len(p.PNG) == 0 {
		return ""
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(p.PNG))
}

// PasskeyAction returns the path for a passkey's answer.
func (p page) PasskeyAction() string { return cmp.Or(p.Alone, p.Action) }

// Link returns the otpauth URI, or nothing when it is another kind of link.
func (p page) Link() template.URL {
	if !strings.HasPrefix(p.URI, "otpauth://") {
		return ""
	}
	return template.URL(p.URI)
}
