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
	"net/netip"
	"net/url"
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
	d.logins = logins
	sum := sha256.Sum256([]byte(pageStyle))
	p.policy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	var err error
	p.set, err = template.New("").Funcs(template.FuncMap{
		"style":  func() template.CSS { return template.CSS(pageStyle) },
		"method": func(name string) string { return logins.Texts().Method("en", name) },
		"when":   func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") },
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"act":    newAct,
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

// notDone answers when an administrator's act was refused, or could not be done.
func (p *Pages) notDone(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, challenge.ErrNotAllowed) {
		p.fail(w, r, http.StatusConflict, "Not now", problem{Text: "The account has a second step already.", Link: "/admin", LinkText: "Back to the list"})
		return
	}
	p.unavailable(w, r, err)
}

// act is one button of the admin page.
type act struct{ CSRF, ID, Do, Text string }

func newAct(csrf, id, do, text string) act { return act{csrf, id, do, text} }

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
			Passkeys       bool
		}{p.demo.Accounts.list, Password, site.Origin, r.Host != site.Host, p.demo.Passkeys})
	})
}

// NotFound is the page for every path that leads nowhere.
func (p *Pages) NotFound() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.fail(w, r, http.StatusNotFound, "Page not found", problem{Text: "There is nothing at this address.", Link: "/", LinkText: "Go to the start page"})
	})
}

// Outbox shows the messages that were sent, codes included. No real site has such a page: it is there for whoever sits at
// the machine that a demo runs on, and for nobody else.
func (p *Pages) Outbox() http.Handler {
	return p.read(func(w http.ResponseWriter, r *http.Request) {
		if !p.athome(r) {
			p.NotFound().ServeHTTP(w, r)
			return
		}
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

// athome reports whether the site is one of this machine alone, and whether the request comes from it directly.
func (p *Pages) athome(r *http.Request) bool {
	u, err := url.Parse(p.demo.Site)
	if err != nil || r.Header["X-Forwarded-For"] != nil || r.Header["Forwarded"] != nil {
		return false
	}
	host, err := netip.ParseAddr(u.Hostname())
	from, err2 := netip.ParseAddrPort(r.RemoteAddr)
	return (u.Hostname() == "localhost" || err == nil && host.IsLoopback()) && err2 == nil && from.Addr().Unmap().IsLoopback()
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

// errNobody is a page that was mounted without its guard.
var errNobody = errors.New("demo: no guard stands before this page")

// Me tells a program who it is.
func (p *Pages) Me() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusMethodNotAllowed)
			_, _ = w.Write([]byte(`{"type":"about:blank","title":"Method Not Allowed","status":405,"detail":"Use GET."}` + "\n"))
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
