package middleware

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// Key says what a limit counts by: it appends the name of the one who pays to dst. It must be safe for concurrent use.
// Everybody for whom it appends nothing shares one budget.
type Key func(dst []byte, s *Subject) []byte

// Subject is a request that a limit looks at.
type Subject struct {
	Request *http.Request
	Client  netip.Addr // resolved through the trusted proxies; invalid where the socket has none
	core    *core
	payer   payer
	account string
	read    bool
}

// payer says by what a request names the account that it is for.
type payer uint8

const (
	paysNobody  payer = iota // by nothing
	paysBody                 // by the name in its body
	paysBasic                // by HTTP Basic
	paysSession              // by its session: a pending login or a login
	paysEither               // an app's own route: by its body or by HTTP Basic
)

// ByClient counts by address; an IPv6 client by its /64, since it has all of that (I-22).
func ByClient(dst []byte, s *Subject) []byte { return limitKey(s.Client).AppendTo(dst) }

// ByAccount counts by the name that a login names, in canonical form, wherever it comes from. Anybody can then use up
// anybody's budget: it protects an account better, and its owner's access worse, than [ByClient].
//
// It is for credentials. What names no account, such as a code or a request of somebody who is logged in, counts by client: a
// limit of [Group.RateLimitRequests] for each of those stands inside a guard and takes a [Key] that asks [Authenticated].
func ByAccount(dst []byte, s *Subject) []byte {
	if name := s.Account(); name != "" {
		return append(dst, name...)
	}
	return ByClient(append(dst, 0), s) // no name begins like this
}

// Account is the name that the request wants to log in by, in canonical form, or empty. It is the one that is going to be
// used: at our login routes that of the body, where that is what they read, and of HTTP Basic where that is verified. At a
// route of the app's own it is either; a request that shows two different ones there names nobody. A body is read up to
// 16 KiB, if it is a form or JSON, and the handler finds it whole.
func (s *Subject) Account() string {
	if !s.read {
		s.read = true
		s.account = s.named()
	}
	return s.account
}

func (s *Subject) named() string {
	canonical := func(name string) string {
		if name != "" {
			name, _ = s.core.logins.CanonicalName(name)
		}
		return name
	}
	var basic, body string
	if s.payer == paysBasic || s.payer == paysEither {
		basic = canonical(fromHeader(s.Request).name)
	}
	if s.payer == paysBody || s.payer == paysEither {
		body = canonical(bodyName(s.Request))
	}
	if basic != "" && body != "" && basic != body {
		return ""
	}
	return cmp.Or(basic, body)
}

// bodyName is the name in the body of a login, if there is one.
func bodyName(r *http.Request) string {
	parse := parseJSON
	if !isContentType(r, "application/json") {
		if !isContentType(r, "application/x-www-form-urlencoded") {
			return ""
		}
		parse = func(body []byte, names []string) (fields, error) { return parseForm(string(body), names) }
	}
	body, err := readBody(r, maxBody)
	if err != nil {
		return ""
	}
	f, err := parse(body, loginRoute.reads)
	if err != nil {
		return ""
	}
	return f["username"]
}

// Rate allows Requests in each Per, and Burst at once; a Burst of zero means Requests.
type Rate struct {
	Requests int
	Per      time.Duration
	Burst    int

	// ReportOnly lets everything through: the limit counts, and what it would have refused stands in the audit.
	ReportOnly bool
}

// RateLimit refuses credentials that come too fast, with 429 and Retry-After. It wraps a whole router and lets everything
// else through untouched: only posts to the login routes count, and Basic credentials that have to be verified. Rate and
// memory stand in [Config]; key is not optional. A post for an account that comes with that account's known-device cookie
// counts on a budget of its own, so that an office behind one address is not stopped by one of its own (I-11): that of a
// password is for the account that it names, that of a code for the one whose pending login or login it belongs to. All
// devices of an account have one together, beside each that key names.
//
// It slows clients down. What caps guesses is the account's budget, which no number of clients can raise. Our routes and
// guards count by client by themselves where no RateLimit stands around them.
func (g *Group) RateLimit(key Key) func(http.Handler) http.Handler {
	if key == nil {
		key = ByClient
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch payer, counts := g.loginPost(r); {
			case counts:
				if ok, wait := g.spend(r, key, payer, g.sessionOf); !ok {
					g.tooFast(w, r, g.login, wait)
					return
				}
				r = r.WithContext(context.WithValue(r.Context(), limitKeyScope{}, &limitScope{spent: true, key: key}))
			case r.Header["Authorization"] != nil && limitScopeOf(r.Context()) == nil:
				r = r.WithContext(context.WithValue(r.Context(), limitKeyScope{}, &limitScope{key: key}))
			}
			next.ServeHTTP(w, r)
		})
	}
}

// RateLimitRequests refuses requests to the routes it wraps that come faster than rate. name tells limits of several
// processes apart, and clients read it in RateLimit-Policy: printable ASCII. It returns an error for a rate that is none.
func (g *Group) RateLimitRequests(name string, key Key, rate Rate) (func(http.Handler) http.Handler, error) {
	if key == nil || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r >= 0x7f || r == '"' || r == '\\' }) {
		return nil, errors.New("middleware: a limit needs a key, and a name in printable ASCII without quotation mark and backslash")
	}
	l, err := g.newLimit(appLimit+name, rate)
	if err != nil {
		return nil, err
	}
	if rate.ReportOnly {
		return g.tryLimit(l, name, key), nil
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var buf [64]byte
			s := g.subject(r)
			if ok, wait := l.take(r.Context(), key(buf[:0], &s)); !ok {
				g.tooFast(w, r, l, wait)
				return
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}

// trialPatience is how long a shared store may take to count for a limit that only reports.
const trialPatience = 100 * time.Millisecond

// tryLimit counts for a limit and refuses nothing, whatever goes wrong.
func (g *Group) tryLimit(l *limit, name string, key Key) func(http.Handler) http.Handler {
	allows := func(r *http.Request) (ok bool) {
		defer func() {
			if recover() != nil {
				g.logger.ErrorContext(r.Context(), "middleware: the key of a limit in trial panicked", "limit", name)
				ok = true
			}
		}()
		ctx, cancel := context.WithTimeout(r.Context(), trialPatience)
		defer cancel()
		var buf [64]byte
		s := g.subject(r)
		ok, _ = l.take(ctx, key(buf[:0], &s))
		return ok
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !allows(r) {
				g.logins.ReportOnly(g.client(r), "limit "+name)
			}
			next.ServeHTTP(w, r)
		})
	}
}

const appLimit = "app " // begins the names of the app's limits, which are then none of ours

// limitScope is what a RateLimit outside tells our routes and guards inside.
type limitScope struct {
	spent bool // this post has paid
	key   Key
}

type limitKeyScope struct{}

func limitScopeOf(ctx context.Context) *limitScope {
	s, _ := ctx.Value(limitKeyScope{}).(*limitScope)
	return s
}

// loginPost reports whether a request shows a credential to one of our routes, however its path is spelled, and by what that
// route knows the account.
func (w *core) loginPost(r *http.Request) (payer, bool) {
	if r.Method != http.MethodPost {
		return paysNobody, false
	}
	p := r.URL.Path
	if !isClean(p) {
		p = path.Clean(p)
	}
	if rt, ok := w.ours[p]; ok {
		return rt.payer(fromHeader(r).kind), !rt.free
	}
	return paysEither, under(p, w.paths.Login) || under(p, w.paths.API+"/login")
}

// subject is a request to a route of which a limit does not know whose it is.
func (w *core) subject(r *http.Request) Subject {
	s := Subject{Request: r, Client: w.addr.resolve(r), core: w, payer: paysEither}
	if payer, counts := w.loginPost(r); counts {
		s.payer = payer
	}
	return s
}

// sessionOf looks up the session of a post to one of our routes, for a limit that stands in front of them.
func (w *core) sessionOf(r *http.Request) *challenge.Session {
	shown, slot := credential{}, challenge.Bearer
	if under(path.Clean(r.URL.Path), w.paths.API+"/login") { // pages look at the cookie only
		shown = fromHeader(r)
	}
	if shown.kind == noCredential {
		shown, slot = fromCookie(r, w.cookies.session), challenge.Cookie
	}
	s, err := w.logins.Open(r.Context(), slot, shown.token)
	if err != nil {
		return nobody
	}
	return s
}

// spend takes one from the budget that a request counts on. The known devices of an account have, beside each budget that key
// names, one together: whoever logs in again and again on new devices has that one more and no others (I-11).
func (w *core) spend(r *http.Request, key Key, payer payer, session func(*http.Request) *challenge.Session) (ok bool, wait time.Duration) {
	var buf [96]byte
	s := Subject{Request: r, Client: w.addr.resolve(r), core: w, payer: payer}
	budget := append(buf[:0], 'k')
	if id := w.atHome(&s, session); id != "" {
		budget = append(binary.AppendUvarint(append(buf[:0], 'd'), uint64(len(id))), id...)
	}
	return w.login.take(r.Context(), key(budget, &s))
}

// atHome is the id of the account that a request is for, where it comes from one of its known devices. Without a cookie that
// could be one it asks nobody.
func (w *core) atHome(s *Subject, session func(*http.Request) *challenge.Session) string {
	cookie, _ := cookieValue(s.Request, w.cookies.device)
	c := challenge.Client{Addr: s.Client, Device: w.logins.DeviceToken(cookie)}
	switch {
	case c.Device == "":
		return ""
	case s.payer == paysSession:
		return w.logins.KnownDeviceOf(s.Request.Context(), session(s.Request), c)
	case s.Account() != "":
		return w.logins.KnownDevice(s.Request.Context(), s.Account(), c)
	}
	return ""
}

// spendPost pays for a post to one of our routes, unless a RateLimit outside has.
func (g *Group) spendPost(v *visit, r *http.Request, rt route) (answer, bool) {
	key := Key(ByClient)
	if s := limitScopeOf(r.Context()); s != nil {
		if s.spent {
			return answer{}, true
		}
		key = s.key
	}
	ok, wait := g.spend(r, key, rt.payer(v.kind), func(*http.Request) *challenge.Session { return v.session })
	if !ok {
		return v.report(answer{problem: tooMany, wait: wait, limit: g.login}, audit.LimitHit, "login rate"), false
	}
	return answer{}, true
}

// errTooFast goes through the machine, which asks only for Basic credentials that it has to verify.
type errTooFast struct{ wait time.Duration }

func (*errTooFast) Error() string { return "middleware: credentials come too fast" }

// payForBasic is what the machine calls before it verifies Basic credentials.
func (g *Group) payForBasic(r *http.Request) func(context.Context) error {
	return func(context.Context) error {
		key := Key(ByClient)
		if s := limitScopeOf(r.Context()); s != nil {
			key = s.key
		}
		if ok, wait := g.spend(r, key, paysBasic, nil); !ok {
			return &errTooFast{wait}
		}
		return nil
	}
}

// tooFast answers for a limit that stands outside of everything: in the way of the path that was asked for.
func (g *Group) tooFast(w http.ResponseWriter, r *http.Request, l *limit, wait time.Duration) {
	if under(r.URL.Path, g.paths.API) {
		g = &g.programs
	} else if !g.guards.header {
		g = &g.browser
	}
	v, first := g.arrive(w, r)
	if first {
		v.read(slots{cookie: true})
	}
	v.answer(v.report(answer{problem: tooMany, wait: wait, limit: l}, audit.LimitHit, "rate"))
}

// limit is one rate, counted in this process or by the shared store.
type limit struct {
	name   string
	policy string // as clients read it
	every  time.Duration
	burst  int
	local  *limiter // while the shared store fails, a stricter one
	shared challenge.Taker
}

// stricterBy is how much less is allowed in one process while the shared store cannot count.
const stricterBy = 4

func (w *core) newLimit(name string, r Rate) (*limit, error) {
	if r.Burst == 0 {
		r.Burst = r.Requests
	}
	if r.Requests <= 0 || r.Per <= 0 || r.Burst < 0 || r.Per/time.Duration(r.Requests) <= 0 {
		return nil, fmt.Errorf("middleware: the limit %q needs a positive number of requests, time and burst", name)
	}
	l := &limit{name: name, policy: r.policy(name), every: r.Per / time.Duration(r.Requests), burst: r.Burst, shared: w.shared}
	every, burst := l.every, l.burst
	if l.shared != nil {
		every, burst = every*stricterBy, max(1, burst/stricterBy)
	}
	var err error
	if l.local, err = newLimiter(every, burst, w.maxKeys); err != nil {
		return nil, fmt.Errorf("middleware: %w", err)
	}
	return l, nil
}

// policy is the rate in the words of RateLimit-Policy: an item of structured fields (RFC 9651 section 3.3, and
// draft-ietf-httpapi-ratelimit-headers-10 section 3). The window is told when it is one of whole seconds.
func (r Rate) policy(name string) string {
	p := strconv.Quote(strings.TrimPrefix(name, appLimit)) + ";q=" + strconv.Itoa(r.Requests)
	if r.Per%time.Second == 0 {
		p += ";w=" + strconv.FormatInt(int64(r.Per/time.Second), 10)
	}
	if r.Burst != r.Requests {
		p += ";sallyport-burst=" + strconv.Itoa(r.Burst)
	}
	return p
}

func (l *limit) take(ctx context.Context, key []byte) (bool, time.Duration) {
	if l.shared != nil {
		sum := sha256.Sum256(append([]byte(l.name+"\x00"), key...))
		ok, wait, err := l.shared.Take(ctx, "rate-"+base64.RawURLEncoding.EncodeToString(sum[:]), l.every, l.burst)
		if err == nil {
			return ok, wait
		}
	}
	return l.local.allowBytes(key, l.local.now())
}
