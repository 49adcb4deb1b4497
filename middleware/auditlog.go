package middleware

import (
	"bufio"
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"net/netip"

	"github.com/sallyport-go/sallyport/audit"
)

const (
	headerRequestID = "X-Request-Id"
	maxRequestID    = 64
)

// requestScope is what AuditLog knows of a request from the outside.
type requestScope struct{ id string }

type requestScopeKey struct{}

// requestID is the id of the request that ctx belongs to; empty without an AuditLog around it.
func requestID(ctx context.Context) string {
	s, _ := ctx.Value(requestScopeKey{}).(requestScope)
	return s.id
}

// AuditLog gives every event of the requests it wraps a request id, which the answer carries as X-Request-Id, so that the
// lines of one request can be put together. The id of a trusted proxy is kept; else it is drawn. It stands outside of
// everything else.
//
// It does not decide which events there are: every decision leaves its own, wrapped or not (I-21).
func (g *Group) AuditLog(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := ""
		if lines := r.Header[headerRequestID]; len(lines) == 1 && isRequestID(lines[0]) && g.fromProxy(r) {
			id = lines[0]
		} else {
			id = rand.Text()
		}
		w.Header()[headerRequestID] = []string{id}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestScopeKey{}, requestScope{id})))
	})
}

// AuditAccess leaves an event for each request to the routes it wraps: who, by which methods, what, and the status. It
// stands inside a guard or [Group.Sessions], which know who is there.
func (g *Group) AuditAccess(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, returned := &statusWriter{ResponseWriter: w}, false
		defer func() { // also when the handler panics
			if !returned && s.status == 0 {
				s.status = http.StatusInternalServerError
			}
			c := g.client(r)
			e := audit.Event{Name: audit.AccessGranted, Outcome: audit.Success, Client: c.Addr, UserAgent: c.UserAgent, RequestID: c.RequestID,
				HTTPMethod: r.Method, Path: r.URL.Path, Status: s.status}
			if s.status == 0 {
				e.Status = http.StatusOK
			}
			if e.Status >= 400 {
				e.Outcome = audit.Failure
			}
			if login, ok := Authenticated(r.Context()); ok {
				e.User, e.UserID, e.LoginID, e.Method = login.Username, login.UserID, login.ID, login.Methods[len(login.Methods)-1].Name
			}
			_ = g.logins.Record(context.WithoutCancel(r.Context()), e) // the answer has gone out
		}()
		next.ServeHTTP(s, r)
		returned = true
	})
}

// statusWriter remembers the status. What else a writer can do is found through Unwrap.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	if s.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Flush, Hijack and ReadFrom keep what streams and uploads ask for by type.
func (s *statusWriter) Flush() {
	s.wrote()
	_ = http.NewResponseController(s.ResponseWriter).Flush()
}

func (s *statusWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err == nil && s.status == 0 {
		s.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}

func (s *statusWriter) ReadFrom(src io.Reader) (int64, error) {
	s.wrote()
	return io.Copy(s.ResponseWriter, src)
}

func (s *statusWriter) Write(b []byte) (int, error) {
	s.wrote()
	return s.ResponseWriter.Write(b)
}

func (s *statusWriter) wrote() {
	if s.status == 0 {
		s.status = http.StatusOK
	}
}

// fromProxy reports whether the peer of the socket is a trusted proxy.
func (w *core) fromProxy(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && w.addr.trusts(plainAddr(peer.Addr()))
}

// isRequestID reports whether an id from outside may stand in a log.
func isRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}
