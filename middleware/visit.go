package middleware

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/sallyport-go/sallyport/challenge"
)

// visit is one request as this package sees it. It is made once, by the outermost of our handlers that needs to know who
// is there, and found in the context by those inside.
//
// It is the request's context and response writer at the same time, which saves two allocations on every guarded request:
// as a context it ends with the login (I-16) and brings the app's session data, made ready when somebody first asks for it;
// as a writer it commits that data before the first byte.
type visit struct {
	core   *core
	group  *Group
	parent context.Context
	w      http.ResponseWriter
	out    http.ResponseWriter // where our own answers go: w, or what was put around the visit by a handler between two of ours
	r      *http.Request

	token   string
	basic   *credential        // of Basic only
	session *challenge.Session // what the token stands for; nil before it was looked up
	login   *challenge.Login   // the finished login, if there is one: the session's, or that of this one request (Basic)
	form    *checked           // hands out the token for forms; nil until somebody needs it
	from    *challenge.Client  // nil until somebody asks
	headers [2]string          // what a guard puts into the header of an app's answer: a copy that the app may change

	kind       credentialKind
	slot       challenge.Slot
	ownSite    bool // a guard has seen the site's own origin and token (I-24)
	committing bool // only our own commit may write session data
	committed  bool
	failed     bool // the commit failed: the body is discarded
	created    bool // the commit made a session of its own
	reported   bool // the audit knows of a failure of ours
	serving    bool // the app's handler has begun

	over   bool        // the handler has returned
	loaded atomic.Bool // data is there
	mu     sync.Mutex  // of over, and of what follows
	watch  atomic.Pointer[watch]
	data   any // scs's own; nil until somebody needs it
}

type visitKey struct{}

// nobody is the session of whoever has none. It is never changed: there is nothing in it that anything could be swapped from.
var nobody = new(challenge.Session)

// visitOf finds the visit in a request's context, or nil.
func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// errForeign is session machinery that is not ours around or inside it: two of them overwrite each other's sessions.
var errForeign = errors.New("middleware: use web.Sessions: LoadAndSave, Commit, RenewToken, Destroy and MergeSession of this session manager belong to the middleware")

// store is what scs sees of the machine. It reads and writes the session's data only: whether somebody is logged in is in
// the same record, out of reach of anything that scs does.
type store struct{ core *core }

var _ scs.CtxStore = store{}

// FindCtx gives what the visit in ctx has looked up already. It finds only tokens that were issued: one that was planted is
// never adopted (I-03).
func (s store) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	around, ok := ctx.(loadContext)
	if !ok || token != around.v.token {
		return nil, false, errForeign
	}
	return around.v.session.Data(), around.v.session.Exists(), nil
}

// CommitCtx writes data into the session that was found, which must still be there, or makes a new one of nobody's.
func (s store) CommitCtx(ctx context.Context, token string, data []byte, _ time.Time) error {
	v := visitOf(ctx)
	if v == nil || !v.committing {
		return errForeign
	}
	// A client that hangs up must not lose what the handler has decided.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if v.session.Exists() {
		return s.core.logins.SaveData(ctx, v.session, data)
	}
	if v.kind == bearerCredential || v.kind == basicCredential || len(data) == 0 {
		return nil // nothing carries a new token back: the values live as long as the request
	}
	session, err := s.core.logins.CreateAnonymous(ctx, challenge.Cookie, token, data)
	if err != nil {
		return err
	}
	v.session, v.created = session, true
	return nil
}

const commitTimeout = 5 * time.Second

// DeleteCtx refuses: ending a session is the machine's work.
func (store) DeleteCtx(context.Context, string) error { return errForeign }

// Find, Commit and Delete refuse: scs prefers the methods with a context.
func (store) Find(string) ([]byte, bool, error)      { return nil, false, errForeign }
func (store) Commit(string, []byte, time.Time) error { return errForeign }
func (store) Delete(string) error                    { return errForeign }

// newManager builds the one scs manager: cookie, codec and store right by construction (I-18). HashTokenInStore stays off
// because the machine hashes; IdleTimeout stays 0 because idle is the machine's, too (I-17). It is not made by scs.New, which
// starts a goroutine for a store that nobody uses; what that would add is a context key that differs from another
// manager's, and one of ours inside another's is refused in any case.
func newManager(c *core) *scs.SessionManager {
	m := &scs.SessionManager{
		Lifetime: c.logins.Durations().Absolute,
		Store:    store{c},
		Codec:    codec{},
		Cookie:   scs.SessionCookie{Name: c.cookies.session, Path: "/", HttpOnly: true, Secure: c.site.Secure, SameSite: http.SameSiteLaxMode},
	}
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		v := visitOf(r.Context())
		if v == nil {
			v = &visit{core: c, group: &c.browser, parent: r.Context(), w: w, r: r}
		}
		v.discard(err)
	}
	return m
}

// dataKey finds out the key under which a manager keeps its data in a context: the first that it asks for when it loads.
func dataKey(m *scs.SessionManager) any {
	asked := &askedContext{Context: context.Background()}
	_, _ = m.Load(asked, "")
	return asked.key
}

type askedContext struct {
	context.Context
	key any
}

func (c *askedContext) Value(key any) any {
	c.key = key
	return nil
}

// arrive makes the visit of a request that has none, or finds the one it has.
func (g *Group) arrive(w http.ResponseWriter, r *http.Request) (v *visit, first bool) {
	if v := visitOf(r.Context()); v != nil && v.core == g.core {
		v.group, v.out = g, w // the innermost answers
		return v, false
	}
	return &visit{core: g.core, group: g, parent: r.Context(), w: w, out: w, r: r}, true
}

// read finds out what the request shows: explicit credentials first, and only where the group takes them.
func (v *visit) read(slots slots) {
	shown := credential{}
	if slots.header {
		shown = fromHeader(v.r)
	}
	if shown.kind == noCredential && slots.cookie {
		shown = fromCookie(v.r, v.core.cookies.session)
	}
	v.kind, v.token = shown.kind, shown.token
	switch shown.kind {
	case cookieCredential:
		v.slot = challenge.Cookie
	case bearerCredential:
		v.slot = challenge.Bearer
	case basicCredential:
		v.basic = &credential{name: shown.name, password: shown.password}
	}
}

// open looks up what the token stands for, in one round trip for scs and the guards. Without a token there is no access to
// the store. It uses the request's own context: a database driver may look at it from a goroutine of its own, while the visit
// is in the making.
func (v *visit) open() error {
	v.session = nobody
	if v.token == "" {
		return nil
	}
	ctx, logins := v.parent, v.core.logins
	session, err := logins.Open(ctx, v.slot, v.token)
	if err != nil {
		return err
	}
	if logins.NeedsTouch(session) {
		switch err := logins.Touch(ctx, v.client(), session); {
		case errors.Is(err, challenge.ErrEnded):
			return nil
		case err != nil:
			return err
		}
	}
	v.session = session
	v.login, _ = session.Login()
	if len(session.Data()) > 0 {
		_, err = v.load()
	}
	return err
}

// load makes scs's data ready, once. Where the session holds no values it cannot fail, and waits until somebody asks.
func (v *visit) load() (data any, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.data == nil {
		ctx, err := v.core.manager.Load(loadContext{v.parent, v}, v.token)
		if err != nil {
			return nil, err
		}
		v.data = ctx.Value(v.core.dataKey)
		v.loaded.Store(true)
	}
	return v.data, nil
}

// changed reports whether the app has changed its session data.
func (v *visit) changed() bool {
	return v.loaded.Load() && v.core.manager.Status(v) == scs.Modified
}

// loadContext is what scs loads from.
type loadContext struct {
	context.Context
	v *visit
}

// client is who asks, for the machine and the audit.
func (v *visit) client() challenge.Client {
	if v.from == nil {
		c := v.core.client(v.r)
		v.from = &c
	}
	return *v.from
}

// serve lets the request through to next.
func (v *visit) serve(next http.Handler, r *http.Request) {
	if v.parent.Value(v.core.dataKey) != nil { // session machinery outside would never see what is changed here
		v.answer(v.outage(errForeign))
		return
	}
	v.serving = true
	defer v.leave()
	next.ServeHTTP(v, r.WithContext(v))
	v.commit()
}

// Header, Write and WriteHeader make the visit an http.ResponseWriter that commits first.
func (v *visit) Header() http.Header { return v.w.Header() }

func (v *visit) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols && !v.failed {
		v.w.WriteHeader(status)
		return
	}
	if v.commit() {
		v.w.WriteHeader(status)
	}
}

func (v *visit) Write(b []byte) (int, error) {
	if err := v.writable(); err != nil {
		return 0, err
	}
	return v.w.Write(b)
}

// ReadFrom keeps sendfile working for what the handler copies from a file.
func (v *visit) ReadFrom(src io.Reader) (int64, error) {
	if err := v.writable(); err != nil {
		return 0, err
	}
	return io.Copy(v.w, src)
}

var errDiscarded = errors.New("middleware: the session could not be saved: the answer was discarded")

// writable commits before the first byte, and refuses to go on in a stream whose login has ended.
func (v *visit) writable() error {
	if !v.commit() {
		return errDiscarded
	}
	if w := v.watch.Load(); w != nil {
		return context.Cause(w.ctx)
	}
	return nil
}

// FlushError commits, sends what there is, and from then on watches over the login: this is a stream.
func (v *visit) FlushError() error {
	if err := v.writable(); err != nil {
		return err
	}
	v.startWatch()
	return http.NewResponseController(v.w).Flush()
}

// Flush makes the visit an http.Flusher.
func (v *visit) Flush() { _ = v.FlushError() }

// Hijack commits and hands the connection over; the request's context ends with the login.
func (v *visit) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := v.writable(); err != nil {
		return nil, nil, err
	}
	v.startWatch()
	return http.NewResponseController(v.w).Hijack()
}

// Unwrap serves http.ResponseController.
func (v *visit) Unwrap() http.ResponseWriter { return v.w }

// commit writes the app's session data if it was changed. When that fails, whatever the handler had to say is discarded
// and the answer is a refusal (I-20). It reports whether the handler's answer may go out.
func (v *visit) commit() bool {
	if v.committed {
		return !v.failed
	}
	v.committed = true
	if !v.changed() {
		return true
	}
	v.committing = true
	token, _, err := v.core.manager.Commit(v)
	v.committing = false
	if err != nil {
		v.discard(err)
		return false
	}
	if v.created {
		v.core.manager.WriteSessionCookie(v, v.w, token, v.session.Expires())
	}
	return true
}

// discard answers with a failure, past everything that stands around the visit, and drops what the handler has to say.
func (v *visit) discard(err error) {
	v.committed, v.failed, v.out = true, true, v.w
	clear(v.w.Header())
	v.tell(v.outage(err))
}
