package middleware

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/texts"
)

// fewCodes is how many recovery codes are few.
const fewCodes = 3

// securityView is what the pages below Paths.Security show.
type securityView struct {
	Base     string // the path of the overview
	Page     string // the path of this page
	Logout   string // the path that logs out
	AskFirst string // a change needs a more recent login: the link that leads there; empty: the forms work

	Needed      bool
	Methods     []string       // overview: what may be used at the next login
	Choice      bool           // overview: there is more than one that may be asked for first
	Kinds       []securityKind // overview: what can be added
	Factors     []securityItem
	DeviceCount int
	LoginCount  int

	Method      string // factors: their kind
	Own         bool   // factors: the account's own address or number serves
	CanAdd      bool
	CanRename   bool
	Destination string       // what was typed
	New         securityItem // of the form that adds one

	Left      int // recovery codes
	Few       bool
	CanBackUp bool // there is something that recovery codes can stand in for

	Devices []challenge.DeviceInfo
	Trusted []challenge.TrustedDevice
	Logins  []challenge.LoginInfo
	Others  bool // there are other logins
}

// LeftText is the number of recovery codes as a text.
func (s securityView) LeftText() string { return strconv.Itoa(s.Left) }

type securityKind struct{ Method, Page string }

// securityItem is one authenticator.
type securityItem struct {
	challenge.EnrolledFactor
	Page  string // where its kind stands
	Key   string // for ids of elements
	Typed string // the name in its field
}

// trialSecurity is a view with every part, for the trial at the start.
func trialSecurity(method string) *securityView {
	item := securityItem{EnrolledFactor: challenge.EnrolledFactor{ID: "id", Factor: method, Name: "name", Disabled: true, Weak: time.Unix(0, 0)}, Page: "/", Key: "id", Typed: "name"}
	return &securityView{
		Base: "/", Page: "/", Logout: "/", Needed: true, Methods: []string{method, "other"}, Choice: true, Kinds: []securityKind{{method, "/"}}, Factors: []securityItem{item},
		Method: method, Own: true, CanAdd: true, CanRename: true, Destination: "to", New: securityItem{Key: "new"}, Few: true, CanBackUp: true, Others: true,
		Devices: []challenge.DeviceInfo{{ID: "id"}, {ID: "this", Current: true}}, Logins: []challenge.LoginInfo{{ID: "id", UserAgent: "x", Access: true}, {ID: "this", Current: true}},
	}
}

// securityPage fills in what every page has. A message of the machine that the person cannot mend stays as it is.
func (g *Group) securityPage(a answer, page string, title texts.Key, s *securityView) answer {
	a.at, a.page = atSecurity, page
	s.Base, s.Logout = g.paths.Security, g.paths.Logout
	a.view = &pageView{Title: title, Security: s, Back: g.paths.Security, BackText: texts.LinkSecurity}
	if page == pageSecurity {
		a.view.Back, a.view.BackText = g.paths.Account, texts.LinkAccount
	}
	if a.typed != nil {
		a.view.Field, s.Destination = a.typed.field, a.typed.destination
	}
	return a
}

// security reads what an account has. ok is false when that is an answer already.
func (g *Group) securityOf(v *visit, rt securityRoute, a answer) (out *securityView, s challenge.Security, failed answer, ok bool) {
	s, err := g.logins.Security(v.parent, v.client(), v.login.UserID)
	if err != nil {
		return nil, s, g.explain(v, err, elsewhere), false
	}
	out = &securityView{Page: rt.path, Needed: s.Needed, Methods: s.Methods, DeviceCount: s.Devices, LoginCount: s.Logins}
	out.Choice = len(slices.DeleteFunc(slices.Clone(s.Methods), func(m string) bool { return m == methodRecovery })) > 1
	recovery := false
	for _, f := range s.Factors {
		if f.Factor == "recovery" {
			recovery = true
			out.Left += f.Left
			continue
		}
		item := securityItem{EnrolledFactor: f, Page: g.factorRoute(f.Factor).path, Key: f.ID, Typed: f.Name}
		if a.typed != nil && a.typed.id == f.ID && (a.typed.field != "" || a.typed.name != "") {
			item.Typed = a.typed.name
		}
		out.Factors = append(out.Factors, item)
	}
	out.CanBackUp = len(out.Factors) > 0
	out.Few = recovery && out.Left <= fewCodes
	return out, s, answer{}, true
}

// needs gives the link to the step-up page where a change needs a more recent login; empty where it needs nothing.
func (g *Group) needs(v *visit, removing bool, here string) (askFirst string, err error) {
	needs, err := g.logins.ChangeNeeds(v.parent, v.client(), v.session, removing)
	if len(needs) > 0 || errors.Is(err, challenge.ErrNotAllowed) { // the step-up page says why not
		return g.paths.Fresh + query("next", here), nil
	}
	return "", err
}

func (g *Group) securityOverview(v *visit, rt securityRoute, a answer) answer {
	view, _, failed, ok := g.securityOf(v, rt, a)
	if !ok {
		return failed
	}
	for _, method := range g.logins.Enrollable() {
		view.Kinds = append(view.Kinds, securityKind{method, g.factorRoute(method).path})
	}
	return g.securityPage(a, pageSecurity, "", view)
}

// factorsPage shows the authenticators of one kind.
func (g *Group) factorsPage(v *visit, rt securityRoute, a answer) answer {
	view, s, failed, ok := g.securityOf(v, rt, a)
	if !ok {
		return failed
	}
	view.Factors = slices.DeleteFunc(view.Factors, func(f securityItem) bool { return f.Factor != rt.method })
	view.Method = rt.method
	view.Own = len(view.Factors) == 0 && slices.Contains(s.Methods, rt.method)
	view.CanAdd = slices.Contains(g.logins.Enrollable(), rt.method)
	renaming, err := g.needs(v, true, rt.path)
	if err == nil {
		view.CanRename = renaming == ""
		view.AskFirst, err = g.needs(v, false, rt.path)
	}
	if err != nil {
		return g.explain(v, err, elsewhere)
	}
	if a.kind == show && a.typed == nil && view.AskFirst == "" {
		a.typed = v.kept(rt.path)
	}
	view.New = securityItem{Key: "new"}
	if a.typed != nil {
		form := view.CanRename // for the message to stand in
		if a.typed.id == "" {
			form, view.New.Typed = view.CanAdd && view.AskFirst == "", a.typed.name
		}
		if !form {
			a.typed.field = ""
		}
	}
	titles := map[string]texts.Key{"totp": texts.TitleSecurityTOTP, "passkey": texts.TitleSecurityPasskey, "email": texts.TitleSecurityEmail, "sms": texts.TitleSecuritySMS}
	return g.securityPage(a, pageFactors, titles[rt.method], view)
}

// enrolPage shows what waits for its first answer.
func (g *Group) enrolPage(v *visit, _ securityRoute, a answer) answer {
	path := g.paths.Security + "/enrol"
	made, err := g.logins.Waiting(v.parent, v.client(), v.session)
	switch {
	case errors.Is(err, challenge.ErrNoCode) && a.kind == show:
		return answer{kind: sentOn, next: g.paths.Security}
	case errors.Is(err, challenge.ErrNoCode), errors.Is(err, challenge.ErrCodeExpired):
		if a.text = texts.ErrorEnrolExpired; a.kind != show {
			a.problem = badRequest
		}
		return g.securityOverview(v, g.security[g.paths.Security], a)
	case errors.Is(err, challenge.ErrNotFresh):
		return answer{problem: freshRequired, next: path}
	case err != nil:
		return g.explain(v, err, elsewhere)
	}
	a.at, a.page = atSecurity, pageEnrol
	a.view = &pageView{Action: path, CancelAction: path + "/cancel"}
	enrolView(a.view, made.Method, made.Enrolment)
	a.view.Info = made.Prompt.Info
	if !made.Prompt.SentAt.IsZero() {
		a.view.Destination = made.Prompt.To
		a.view.ResendAction, a.view.CanResend = path+"/resend", true
		a.view.ResendWait = max(0, made.Prompt.ResendAt.Sub(g.logins.Now()))
	}
	return a
}

// enrolView is what a page shows of an authenticator that waits for its first answer.
func enrolView(view *pageView, method string, e challenge.Enrolment) {
	view.Method, view.PNG, view.Key, view.URI = method, e.PNG, e.Key, e.URI
	switch {
	case method == methodPasskey:
		view.Title, view.Passkey, view.Creating = texts.TitleEnrolPasskey, string(e.Options), true
	case e.Key == "":
		view.Title = texts.TitleEnrolOther
	}
}

// renamePage is where the authenticator stands that has not got its new name, or shall get one; the step-up page comes first.
func (g *Group) renamePage(v *visit, here securityRoute, a answer) answer {
	if a.kind == show {
		id := v.r.URL.Query().Get("id")
		next := here.path + query("id", id)
		switch askFirst, err := g.needs(v, true, next); {
		case err != nil:
			return g.explain(v, err, elsewhere)
		case askFirst != "":
			return answer{problem: freshRequired, next: next}
		}
		if a.typed = v.kept(here.path); a.typed == nil || a.typed.id != id {
			a.typed = &typedFactor{id: id}
		}
	}
	rt := g.security[g.paths.Security]
	if a.typed != nil {
		factor, ok, err := g.factorOf(v, a.typed.id)
		if err != nil {
			return g.explain(v, err, elsewhere)
		}
		if ok {
			rt = g.factorRoute(factor.Factor)
		} else {
			a.typed = nil
		}
	}
	return rt.page(g, v, rt, a)
}

func (g *Group) removePage(v *visit, rt securityRoute, a answer) answer {
	id := v.r.URL.Query().Get("id")
	if a.typed != nil {
		id = a.typed.id
	}
	view, _, failed, ok := g.securityOf(v, rt, a)
	if !ok {
		return failed
	}
	view.Factors = slices.DeleteFunc(view.Factors, func(f securityItem) bool { return f.ID != id })
	if len(view.Factors) == 0 {
		if a.kind == show {
			a = answer{problem: badRequest, text: texts.ErrorGone}
		}
		return g.securityOverview(v, g.security[g.paths.Security], a)
	}
	var err error
	if view.AskFirst, err = g.needs(v, view.Factors[0].Weak.IsZero(), rt.path+query("id", id)); err != nil {
		return g.explain(v, err, elsewhere)
	}
	return g.securityPage(a, pageRemove, "", view)
}

func (g *Group) recoveryPage(v *visit, rt securityRoute, a answer) answer {
	view, _, failed, ok := g.securityOf(v, rt, a)
	if !ok {
		return failed
	}
	var err error
	if view.AskFirst, err = g.needs(v, true, rt.path); err != nil {
		return g.explain(v, err, elsewhere)
	}
	return g.securityPage(a, pageRecoveryCodes, "", view)
}

func (g *Group) devicesPage(v *visit, rt securityRoute, a answer) answer {
	devices, err := g.logins.Devices(v.parent, v.client(), v.session)
	if err != nil {
		return g.explain(v, err, elsewhere)
	}
	trusted, err := g.logins.TrustedDevices(v.parent, v.client(), v.session)
	if err != nil {
		return g.explain(v, err, elsewhere)
	}
	askFirst, err := g.needs(v, true, g.paths.Security+"/devices/forget")
	if err != nil {
		return g.explain(v, err, elsewhere)
	}
	return g.securityPage(a, pageDevices, "", &securityView{Page: rt.path, AskFirst: askFirst, Devices: devices, Trusted: trusted})
}

func (g *Group) sessionsPage(v *visit, rt securityRoute, a answer) answer {
	logins, err := g.logins.Sessions(v.parent, v.session)
	if err != nil {
		return g.explain(v, err, elsewhere)
	}
	view := &securityView{Page: rt.path, Logins: logins, Others: len(logins) > 1}
	if view.Others {
		if view.AskFirst, err = g.needs(v, true, g.paths.Security+"/sessions/end"); err != nil {
			return g.explain(v, err, elsewhere)
		}
	}
	return g.securityPage(a, pageSessions, "", view)
}

// With returns the page as a part of it sees it that is about one authenticator.
func (p page) With(item securityItem) page {
	p.Item = &item
	return p
}

// At reports whether the message is about this field.
func (p page) At(field string) bool { return p.Field == field && p.Error.Key != "" }

// MethodName returns what a method is called.
func (p page) MethodName(method string) string { return p.catalog.Method(p.Lang, method) }

// Moment puts a point in time into a text: the same form in every language, and UTC, as the page cannot know better.
func (p page) Moment(key texts.Key, t time.Time) string {
	return p.Text(key, "time", t.UTC().Format("2006-01-02 15:04 UTC"))
}

// By says what a login has shown.
func (p page) By(methods []challenge.Method) string {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = p.MethodName(m.Name)
	}
	return p.Text(texts.SecurityBy, "methods", strings.Join(names, ", "))
}

// BackLabel returns what the link at the end of a page says.
func (p page) BackLabel() string { return p.Text(p.BackText) }

// EnrolHint returns what to do with a new authenticator that has no key to be scanned.
func (p page) EnrolHint() string {
	if p.Destination == "" {
		return p.Text(texts.EnrolCustomIntro)
	}
	return p.Hint()
}

// Passkeys reports whether a passkey is asked for.
func (p page) Passkeys() bool { return p.Method == methodPasskey }

// Agent names a browser and its system as people know them, or says what it calls itself.
func (p page) Agent(agent string) string {
	name := func(words ...string) string {
		for i := 0; i < len(words); i += 2 {
			if strings.Contains(agent, words[i]) {
				return words[i+1]
			}
		}
		return ""
	}
	// Each browser also names those that it wants to be taken for, so the order counts.
	browser := name("Edg", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "FxiOS", "Firefox", "Chrome/", "Chrome", "CriOS", "Chrome", "Safari/", "Safari")
	if browser == "" {
		if r := []rune(agent); len(r) > 60 {
			return string(r[:60]) + "…"
		}
		return agent
	}
	system := name("Android", "Android", "iPhone", "iPhone", "iPad", "iPad", "Windows", "Windows", "Macintosh", "macOS", "CrOS", "ChromeOS", "Linux", "Linux")
	if system == "" {
		return browser
	}
	return browser + " · " + system
}
