package middleware

import (
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/sallyport-go/sallyport/challenge"
)

// Config says how the machine is reached over HTTP. The zero value of every field is the strict one. Everything that
// concerns accounts, codes and lifetimes stands in [challenge.Config].
type Config struct {
	// Paths are the routes, as a browser sees them: in front of any http.StripPrefix.
	Paths Paths

	// TrustedProxies are the networks whose forwarded header counts (I-22); nil means nobody's. ForwardedHeader is the one
	// that these proxies write: "X-Forwarded-For" (the default) or "Forwarded".
	TrustedProxies  []netip.Prefix
	ForwardedHeader string

	// TrustedOrigins are other origins, such as https://shop.example, whose pages may post here. Empty means the site's own only.
	TrustedOrigins []string

	// LoginRate is how many credentials a client may show in a minute, and at once: posts to the login routes, and Basic
	// credentials that have to be verified. Zero means 20. MaxLimitKeys bounds the memory of
	// each limit with about 136 bytes a key; zero means 1<<17 keys.
	LoginRate    int
	MaxLimitKeys int

	// MaxForm is how many bytes of a form of the app's own are read to find its CSRF token when the X-CSRF-Token header does
	// not carry it; zero means 1 MiB. The bodies of our own routes are at most 16 KiB.
	MaxForm int64

	// CookieName begins the names of the cookies; empty means "sallyport". On an https site they get the prefix __Host-.
	CookieName string

	// Brand is the site's name on pages; empty means its host. Pages replaces single templates ("login", "code", "enrol",
	// "recovery", "fresh", "error", "security" and those that begin with "security-", and their parts) and "style.css"; what it lacks stays ours.
	// docs/pages.md names them all, and what their dot holds.
	Brand string
	Pages *template.Template

	// PasskeyScript is webauthn.Script, the one file of JavaScript there is; it is served below Paths.Login, and the pages that
	// need it, and no others, allow it in their Content-Security-Policy. A site with passkeys has to give it.
	PasskeyScript []byte

	// Realm is what a client shows for HTTP Basic; empty means Brand.
	Realm string

	// Logger gets what an operator must know and no client may: why an answer was 503, and once each what looks like a mistake in
	// these settings. nil means slog.Default().
	Logger *slog.Logger
}

// Paths are the routes of [Web.Pages] and of [API.Routes]. Empty fields get the default that stands behind them, in which
// /login stands for Login.
type Paths struct {
	Login   string // /login
	Verify  string // /login/verify
	Enrol   string // /login/enrol
	Resend  string // /login/resend
	Cancel  string // /login/cancel
	Fresh   string // /login/fresh
	Logout  string // /logout
	Home    string // / ; where a logout leads
	Account string // /account ; where a login leads that came from nowhere

	// Security is the overview of [Web.Security], whose other pages stand below it: /totp, /passkeys, /email, /phone,
	// /recovery-codes, /devices, /sessions and more.
	Security string // /account/security

	API string // /api ; the JSON routes are API + "/login", "/login/verify" … and API + "/logout"
}

// Web is the browser's side: pages, redirects and cookies. It is made by [New], holds nothing of a request and is safe for
// concurrent use.
type Web struct {
	*Group
	// Session holds the app's own data of whoever is there, logged in or not. Use its Get, Put, Pop and Remove with the
	// context of a request that came through one of our handlers; see [Group.Sessions]. What ends or renews a session
	// belongs to the middleware: Destroy, RenewToken, MergeSession and LoadAndSave return errors or refuse the request.
	Session *scs.SessionManager
}

// core is what all groups share.
type core struct {
	logins   *challenge.Logins
	site     challenge.Site
	paths    Paths
	cookies  cookieNames
	manager  *scs.SessionManager
	dataKey  any // under which manager keeps its data in a context
	addr     addrResolver
	forgery  *forgery
	login    *limit
	maxKeys  int
	shared   challenge.Taker
	maxForm  int64
	pages    *pages
	security map[string]securityRoute // by path
	ours     map[string]route         // our routes by path: pages, and those for programs

	script      []byte // for passkeys; nil without them
	scriptTag   string // its ETag
	passkeyPath string
	alonePath   string // where an answer of a passkey goes that counts as both factors

	realm    string
	logger   *slog.Logger
	browser  Group // answers for what belongs to no group
	programs Group
	counts   counts
	hints    hints
}

type cookieNames struct{ session, csrf, device, trusted string }

// counts are what is too cheap to make an audit event of: see [Web.Counts].
type counts struct {
	anonymous atomic.Uint64
	failures  atomic.Uint64
}

// Counts are numbers since the start.
type Counts struct {
	Anonymous uint64 // requests without any credential that a guard sent away
	Failures  uint64 // answers with status 503
}

// Counts returns the numbers so far. Watch Failures.
func (w *Web) Counts() Counts {
	return Counts{Anonymous: w.counts.anonymous.Load(), Failures: w.counts.failures.Load()}
}

// mostLoginRate is no limit any more; it keeps the arithmetic of a rate exact.
const mostLoginRate = 1_000_000_000

var (
	pathForm   = regexp.MustCompile(`^/[A-Za-z0-9._~/-]*$`)
	cookieForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

// New checks everything and copies what it is given. After it, nothing can be misconfigured (I-19).
func New(logins *challenge.Logins, c Config) (*Web, error) {
	if logins == nil {
		return nil, errors.New("middleware: there are no logins: make them with challenge.New")
	}
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf("middleware: "+format, args...)) }
	w := &core{logins: logins, site: logins.Site(), maxForm: c.MaxForm, logger: c.Logger}

	paths, err := c.Paths.complete()
	if err != nil {
		errs = append(errs, err)
	}
	w.paths = paths
	if w.addr, err = newAddrResolver(c.TrustedProxies, c.ForwardedHeader); err != nil {
		errs = append(errs, err)
	}
	switch {
	case c.MaxForm < 0:
		refuse("Config.MaxForm is negative: give a number of bytes, or 0 for 1 MiB")
	case c.MaxForm == 0:
		w.maxForm = 1 << 20
	}
	if c.LoginRate < 0 || c.LoginRate > mostLoginRate {
		refuse("Config.LoginRate is %d: give 1 to %d a minute, or 0 for 20", c.LoginRate, mostLoginRate)
	} else if c.LoginRate == 0 {
		c.LoginRate = 20
	}
	if c.MaxLimitKeys < 0 {
		refuse("Config.MaxLimitKeys is negative: give a number of keys, or 0 for %d", 1<<17)
	} else if c.MaxLimitKeys == 0 {
		c.MaxLimitKeys = 1 << 17
	}
	w.maxKeys = c.MaxLimitKeys
	if c.CookieName == "" {
		c.CookieName = "sallyport"
	}
	if !cookieForm.MatchString(c.CookieName) {
		refuse("Config.CookieName %q: use letters, digits, - and _", c.CookieName)
	}
	prefix := ""
	if w.site.Secure {
		prefix = "__Host-" // no subdomain and no http page can set it (RFC 6265bis, section 4.1.3.2)
	}
	w.cookies = cookieNames{prefix + c.CookieName, prefix + c.CookieName + "-csrf", prefix + c.CookieName + "-device", prefix + c.CookieName + "-trusted"}
	if w.forgery, err = newForgery(w, c.TrustedOrigins); err != nil {
		errs = append(errs, err)
	}
	if c.Brand == "" {
		c.Brand = w.site.Host
	}
	if w.pages, err = newPages(logins.Texts(), c.Pages, c.Brand); err != nil {
		errs = append(errs, err)
	}
	w.security = newSecurity(w.paths.Security, logins.Enrollable())
	if slices.Contains(append(logins.Enrollable(), logins.PasswordlessMethod()), methodPasskey) && len(c.PasskeyScript) == 0 {
		refuse("Config.PasskeyScript is missing: give webauthn.Script, without which no browser can use a passkey")
	}
	w.setScript(c.PasskeyScript)
	if w.realm = c.Realm; w.realm == "" {
		w.realm = c.Brand
	}
	if strings.ContainsFunc(w.realm, func(r rune) bool { return r < ' ' || r >= 0x7f || r == '"' || r == '\\' }) {
		if c.Realm != "" {
			refuse("Config.Realm %q: use printable ASCII without quotation mark and backslash", c.Realm)
		}
		w.realm = w.site.Host
	}
	if w.logger == nil {
		w.logger = slog.Default()
	}
	taker, shared := logins.Taker()
	if shared {
		w.shared = taker
	}
	if shared && taker == nil {
		refuse("the store is shared by several processes and cannot count for them: give challenge.Config a store that is a challenge.Taker")
	}
	if len(errs) == 0 {
		if w.login, err = w.newLimit("login", Rate{Requests: c.LoginRate, Per: time.Minute}); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	w.ours = w.pageRoutes()
	maps.Copy(w.ours, w.apiRoutes())
	w.manager = newManager(w)
	w.dataKey = dataKey(w.manager)
	w.browser = Group{core: w, respond: newBrowser(w), guards: slots{cookie: true}, slot: challenge.Cookie}
	w.programs = Group{core: w, respond: newProgram(w), guards: slots{header: true, cookie: true}, slot: challenge.Bearer}
	return &Web{Group: &w.browser, Session: w.manager}, nil
}

// complete fills in the defaults and refuses paths that could not be followed.
func (p Paths) complete() (Paths, error) {
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	fill(&p.Login, "/login")
	fill(&p.Verify, p.Login+"/verify")
	fill(&p.Enrol, p.Login+"/enrol")
	fill(&p.Resend, p.Login+"/resend")
	fill(&p.Cancel, p.Login+"/cancel")
	fill(&p.Fresh, p.Login+"/fresh")
	fill(&p.Logout, "/logout")
	fill(&p.Home, "/")
	fill(&p.Account, "/account")
	fill(&p.Security, "/account/security")
	fill(&p.API, "/api")
	for name, v := range map[string]string{"Home": p.Home, "Account": p.Account} {
		if !localPath(v) {
			return p, fmt.Errorf("middleware: Config.Paths.%s %q is not a path on this site", name, v)
		}
	}
	seen := map[string]string{}
	for _, f := range []struct{ name, v string }{{"Login", p.Login}, {"Verify", p.Verify}, {"Enrol", p.Enrol}, {"Resend", p.Resend},
		{"Cancel", p.Cancel}, {"Fresh", p.Fresh}, {"Logout", p.Logout}, {"API", p.API}, {"Security", p.Security}} {
		if !pathForm.MatchString(f.v) || f.v == "/" || path.Clean(f.v) != f.v {
			return p, fmt.Errorf("middleware: Config.Paths.%s %q: give a clean path such as /login, without a slash at its end", f.name, f.v)
		}
		if other, twice := seen[f.v]; twice {
			return p, fmt.Errorf("middleware: Config.Paths.%s and %s are both %q", other, f.name, f.v)
		}
		seen[f.v] = f.name
	}
	if under(p.Security, p.Login) { // nothing there may be followed after a login or a step-up
		return p, fmt.Errorf("middleware: Config.Paths.Security %q must not stand below Login, %q", p.Security, p.Login)
	}
	return p, nil
}

// client is who asks, as the machine and the audit see it.
func (w *core) client(r *http.Request) challenge.Client {
	device, _ := cookieValue(r, w.cookies.device)
	trusted, _ := cookieValue(r, w.cookies.trusted)
	addr := w.addr.resolve(r)
	w.from(r, addr.IsValid())
	return challenge.Client{
		Addr:      addr,
		UserAgent: r.UserAgent(),
		Language:  r.Header.Get("Accept-Language"),
		Device:    w.logins.DeviceToken(device),
		Trusted:   trusted,
		RequestID: requestID(r.Context()),
	}
}
