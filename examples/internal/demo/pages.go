package demo

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/middleware"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed pages/style.css
var pageStyle string

// Fresh is how old a second factor may be where the demo asks for a fresh one.
const Fresh = 5 * time.Minute

// Pages are the rooms behind the doors: handlers that trust the guard around them. What a handler needs of the request's
// person it gets from middleware.Authenticated.
type Pages struct {
	demo   *Demo
	logins *challenge.Logins
	web    *middleware.Web
	set    *template.Template
	policy string // Content-Security-Policy
}

// Pages makes the demo's pages.
func (d *Demo) Pages(logins *challenge.Logins, web *middleware.Web) (*Pages, error) {
	p := &Pages{demo: d, logins: logins, web: web}
	sum := sha256.Sum256([]byte(pageStyle))
	p.policy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	var err error
	p.set, err = template.New("").Funcs(template.FuncMap{
		"style":  func() template.CSS { return template.CSS(pageStyle) },
		"method": func(name string) string { return logins.Texts().Method("en", name) },
		"when":   func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") },
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"minutes": func(d time.Duration) int {
			return int(d / time.Minute)
		},
	}).ParseFS(pageFiles, "pages/*.html")
	return p, err
}

// view is what a template sees as its dot.
type view struct {
	Title string
	Login *challenge.Login // nil: nobody
	CSRF  string           // for the field csrf_token of every form; empty where there is none
	Data  any              // the page's own
}

// show answers with a page.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
	v := view{Title: title, Data: data}
	if login, ok := middleware.Authenticated(r.Context()); ok {
		v.Login, v.CSRF = login, middleware.CSRFToken(r.Context())
	}
	var b bytes.Buffer
	if err := p.set.ExecuteTemplate(&b, name, v); err != nil {
		slog.ErrorContext(r.Context(), "demo: page", "page", name, "error", err)
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
}

// problem is a page that says what did not work.
type problem struct {
	Text           string
	Link, LinkText string
}

func (p *Pages) fail(w http.ResponseWriter, r *http.Request, status int, title string, what problem) {
	p.show(w, r, status, "error", title, what)
}

// unavailable answers when the machine could not say; the reason is for the operator.
func (p *Pages) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	slog.ErrorContext(r.Context(), "demo: answered 503", "error", err)
	p.fail(w, r, http.StatusServiceUnavailable, "Try again in a moment", problem{Text: "Something that this page needs does not answer."})
}

// only lets some methods through. It stands inside the guards, so that a stranger learns nothing from it.
func (p *Pages) only(h http.HandlerFunc, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(methods, r.Method) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			p.fail(w, r, http.StatusMethodNotAllowed, "That does not work here", problem{Text: "This page cannot be used that way."})
			return
		}
		h(w, r)
	})
}

func (p *Pages) read(h http.HandlerFunc) http.Handler {
	return p.only(h, http.MethodGet, http.MethodHead)
}

// Home is the public first page: who there is, and how each of them logs in.
func (p *Pages) Home() http.Handler {
	return p.read(func(w http.ResponseWriter, r *http.Request) {
		site := p.logins.Site()
		p.show(w, r, http.StatusOK, "home", "Welcome", struct {
			People         []person
			Password, Site string
			Elsewhere      bool // the address in the browser is not the site's, so its forms would be refused
		}{p.demo.Accounts.list, Password, site.Origin, r.Host != site.Host})
	})
}

// NotFound is the page for every path that leads nowhere.
func (p *Pages) NotFound() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.fail(w, r, http.StatusNotFound, "Page not found", problem{Text: "There is nothing at this address.", Link: "/", LinkText: "Go to the start page"})
	})
}

// Outbox shows the messages that were sent, codes included, to everybody. No real site has such a page.
func (p *Pages) Outbox() http.Handler {
	return p.read(func(w http.ResponseWriter, r *http.Request) {
		messages := p.demo.Outbox.Messages()
		slices.Reverse(messages)
		type shown struct{ Channel, To, Code, Subject, Body string }
		list := make([]shown, len(messages))
		for i, m := range messages {
			list[i] = shown{m.Channel, m.To, string(m.Code), m.Subject, m.Body}
		}
		p.show(w, r, http.StatusOK, "outbox", "Outbox", struct {
			Messages []shown
			Mailed   bool
		}{list, p.demo.mailed})
	})
}

// Account says who is logged in, by which methods and since when.
func (p *Pages) Account() http.Handler {
	return p.read(func(w http.ResponseWriter, r *http.Request) {
		p.show(w, r, http.StatusOK, "account", "Your account", nil)
	})
}

// Transfer is a page for which a login has to be fresh.
func (p *Pages) Transfer() http.Handler {
	return p.read(func(w http.ResponseWriter, r *http.Request) {
		p.show(w, r, http.StatusOK, "transfer", "Transfer", Fresh)
	})
}

// security is what the security pages show.
type security struct {
	challenge.Security
	Email, Phone string // masked
}

// Of returns the authenticators of one factor.
func (s security) Of(factor string) []challenge.EnrolledFactor {
	return slices.DeleteFunc(slices.Clone(s.Factors), func(f challenge.EnrolledFactor) bool { return f.Factor != factor })
}

// Left is how many recovery codes there are.
func (s security) Left() (n int) {
	for _, f := range s.Factors {
		n += f.Left
	}
	return n
}

// Uses reports whether a method may be used at the next login.
func (s security) Uses(method string) bool { return slices.Contains(s.Methods, method) }

// CanBackUp reports whether there is a second factor for recovery codes to stand in for.
func (s security) CanBackUp() bool {
	return slices.ContainsFunc(s.Methods, func(m string) bool { return m != "recovery" })
}

func (p *Pages) security(r *http.Request) (s security, err error) {
	login, ok := middleware.Authenticated(r.Context())
	if !ok {
		return s, errNobody
	}
	if s.Security, err = p.logins.Security(r.Context(), p.web.Client(r), login.UserID); err != nil {
		return s, err
	}
	account, err := p.demo.Accounts.ByID(r.Context(), login.UserID)
	if err != nil {
		return s, err
	}
	if account.Email != "" {
		s.Email = challenge.Mask(challenge.ChannelEmail, account.Email)
	}
	if account.Phone != "" {
		s.Phone = challenge.Mask(challenge.ChannelSMS, account.Phone)
	}
	return s, nil
}

// errNobody is a page that was mounted without its guard.
var errNobody = errors.New("demo: no guard stands before this page")

// sections are the security pages by the last part of their path.
var sections = map[string]struct{ page, title string }{
	"":               {"security", "Security"},
	"totp":           {"totp", "Authenticator apps"},
	"passkeys":       {"passkeys", "Passkeys"},
	"email":          {"email", "Codes by e-mail"},
	"phone":          {"phone", "Codes by SMS"},
	"recovery-codes": {"recovery-codes", "Recovery codes"},
	"devices":        {"devices", "Known devices"},
	"sessions":       {"sessions", "Logins"},
}

// Security shows /account/security and everything below it.
func (p *Pages) Security() http.Handler {
	return p.read(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/account/security"), "/")
		section, found := sections[name]
		if !found || r.URL.Path == "/account/security/" {
			p.NotFound().ServeHTTP(w, r)
			return
		}
		s, err := p.security(r)
		if err != nil {
			p.unavailable(w, r, err)
			return
		}
		p.show(w, r, http.StatusOK, section.page, section.title, s)
	})
}

// MakeRecoveryCodes replaces somebody's recovery codes. It stands behind RequireFresh; a recovery code is not enough to
// make new ones.
func (p *Pages) MakeRecoveryCodes() http.Handler {
	return p.only(func(w http.ResponseWriter, r *http.Request) {
		s, err := p.security(r)
		if err != nil {
			p.unavailable(w, r, err)
			return
		}
		login, _ := middleware.Authenticated(r.Context())
		switch {
		case !s.CanBackUp():
			p.fail(w, r, http.StatusForbidden, "Nothing to back up", problem{"Recovery codes stand in for a second step, and this account has none.", "/account/security", "Back to security"})
			return
		case !p.showedMore(login):
			p.fail(w, r, http.StatusForbidden, "Confirm it another way", problem{"A recovery code cannot make new recovery codes. Confirm with your other second step first.",
				"/login/fresh?next=/account/security/recovery-codes", "Confirm"})
			return
		}
		codes, err := p.logins.MakeRecoveryCodes(r.Context(), p.web.Client(r), login.UserID)
		if err != nil {
			p.unavailable(w, r, err)
			return
		}
		p.show(w, r, http.StatusOK, "codes", "Your recovery codes", codes)
	}, http.MethodPost)
}

// showedMore reports whether a login has lately shown a second factor that is no recovery code.
func (p *Pages) showedMore(login *challenge.Login) bool {
	return slices.ContainsFunc(login.Methods, func(m challenge.Method) bool {
		return m.Name != "password" && m.Name != "recovery" && p.logins.Now().Sub(m.At) < Fresh
	})
}

// EndSessions logs somebody out everywhere, here too.
func (p *Pages) EndSessions() http.Handler {
	return p.only(func(w http.ResponseWriter, r *http.Request) {
		login, ok := middleware.Authenticated(r.Context())
		if !ok {
			p.unavailable(w, r, errNobody)
			return
		}
		if err := p.logins.LogoutEverywhere(r.Context(), p.web.Client(r), login.UserID); err != nil {
			p.unavailable(w, r, err)
			return
		}
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	}, http.MethodPost)
}

// Me tells a program who it is.
func (p *Pages) Me() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusMethodNotAllowed)
			_, _ = w.Write([]byte(`{"title":"Method Not Allowed","status":405}` + "\n"))
			return
		}
		login, ok := middleware.Authenticated(r.Context())
		if !ok {
			p.unavailable(w, r, errNobody)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(struct {
			Username        string    `json:"username"`
			Methods         []string  `json:"methods"`
			AuthenticatedAt time.Time `json:"authenticated_at"`
		}{login.Username, login.MethodNames(), login.Created.UTC().Truncate(time.Second)})
	})
}
