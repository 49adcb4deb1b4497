package middleware

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// faultyStore fails its n-th operation from arming on, and all that follow while down is set.
type faultyStore struct {
	*watchedStore
	mu    sync.Mutex
	n, at int // at 0: nothing fails
	down  bool
}

func (s *faultyStore) arm(at int, down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.at, s.down = 0, at, down
}

func (s *faultyStore) meet() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	if s.at == 0 || s.n < s.at || s.n > s.at && !s.down {
		return nil
	}
	return errTest
}

func (s *faultyStore) Load(ctx context.Context, key string) ([]byte, error) {
	if err := s.meet(); err != nil {
		return nil, err
	}
	return s.watchedStore.Load(ctx, key)
}

func (s *faultyStore) CompareAndSwap(ctx context.Context, key string, old, new []byte, end time.Time) (bool, error) {
	if err := s.meet(); err != nil {
		return false, err
	}
	return s.watchedStore.CompareAndSwap(ctx, key, old, new, end)
}

func TestEveryRequestThatAnOutageRefusesLeavesOneEvent_I21(t *testing.T) {
	type step struct {
		name  string
		until func(b *browserClient) // what goes before
		do    func(b *browserClient) int
	}
	status := func(b *browserClient, target string, pairs ...string) int {
		return b.post(target, pairs...).StatusCode
	}
	for _, s := range []step{
		{"the password", func(b *browserClient) { b.get("/login") },
			func(b *browserClient) int { return status(b, "/login", "username", "alice", "password", password) }},
		{"the password, and a code is sent", func(b *browserClient) { b.get("/login") },
			func(b *browserClient) int { return status(b, "/login", "username", "carol", "password", password) }},
		{"an unknown name", func(b *browserClient) { b.get("/login") },
			func(b *browserClient) int { return status(b, "/login", "username", "henk", "password", password) }},
		{"a password that is enough", func(b *browserClient) { b.get("/login") },
			func(b *browserClient) int { return status(b, "/login", "username", "dave", "password", password) }},
		{"the code", func(b *browserClient) {
			b.get("/login")
			b.want(b.post("/login", "username", "alice", "password", password), 303, "/login/verify")
			b.get("/login/verify")
		}, func(b *browserClient) int { return status(b, "/login/verify", "code", b.code()) }},
		{"a wrong code", func(b *browserClient) {
			b.get("/login")
			b.want(b.post("/login", "username", "alice", "password", password), 303, "/login/verify")
			b.get("/login/verify")
		}, func(b *browserClient) int { return status(b, "/login/verify", "code", "000000") }},
		{"a guarded page", func(b *browserClient) { b.login() }, func(b *browserClient) int { return b.get("/account").StatusCode }},
		{"a guarded page that touches the login", func(b *browserClient) { b.login(); b.Clock.Advance(2 * time.Minute) },
			func(b *browserClient) int { return b.get("/account").StatusCode }},
		{"a step-up", func(b *browserClient) { b.login(); b.Clock.Advance(time.Minute); b.get("/login/fresh") },
			func(b *browserClient) int { return status(b, "/login/fresh", "code", b.code()) }},
		{"a logout", func(b *browserClient) { b.login(); b.get("/login/fresh") }, func(b *browserClient) int { return status(b, "/logout") }},
		{"Basic", func(*browserClient) {}, func(b *browserClient) int {
			n, _, _ := b.call("GET", "/api/me", "", "", "Authorization", basicHeader("reports", password))
			return n
		}},
	} {
		for _, down := range []bool{false, true} {
			refused := 0
			for at := 1; ; at++ {
				store := new(faultyStore)
				w := found(t, func(c *challenge.Config, _ *Config) {
					store.watchedStore = c.Store.(*watchedStore)
					c.Store = store
				})
				b := w.browser()
				if s.name == "Basic" {
					b = &browserClient{town: w}
				}
				s.until(b)
				w.Audit.Take()
				store.arm(at, down)
				got := s.do(b)
				store.mu.Lock()
				met := store.n >= at
				store.mu.Unlock()
				failures, outages := 0, 0
				for _, e := range w.Audit.Events() {
					if e.Outcome == audit.Failure && e.Name != audit.InvalidCode && e.Name != audit.UnknownUser {
						failures++
					}
					if strings.Contains(e.Reason, errTest.Error()) {
						t.Errorf("I-21: %s, operation %d: the event quotes the store: %+v", s.name, at, e)
					}
					if e.Name == audit.StoreFailed {
						if outages++; e.Reason != "store unavailable, request refused" || e.RequestID == "" || !e.Client.IsValid() {
							t.Errorf("I-21: %s, operation %d: %+v", s.name, at, e)
						}
					}
				}
				switch {
				case got == 503 && failures != 1:
					t.Errorf("I-21: %s, operation %d fails (down %v): 503 with events %v", s.name, at, down, w.Audit.Take())
				case got != 503 && outages != 0:
					t.Errorf("I-21: %s, operation %d fails (down %v): %d with events %v", s.name, at, down, got, w.Audit.Take())
				}
				if got == 503 {
					refused++
				}
				if !met {
					break
				}
			}
			if refused == 0 {
				t.Errorf("%s: no failure of the store refused it: is this check blind?", s.name)
			}
		}
	}
}

func TestWhoeverAnOutageIsOfIsNamedInItsEvent_I21(t *testing.T) {
	policy := errors.New("policy of secret-host is down")
	w := found(t, func(c *challenge.Config, _ *Config) {
		ask := c.Policy
		c.Policy = func(ctx context.Context, a challenge.Account, cl challenge.Client) (challenge.Verdict, error) {
			if a.Name == "carol" {
				return challenge.Verdict{}, policy
			}
			return ask(ctx, a, cl)
		}
	})
	last := func() audit.Event {
		t.Helper()
		events := w.Audit.Events()
		w.Audit.Take()
		if len(events) == 0 {
			t.Fatal("no event")
		}
		e := events[len(events)-1]
		if e.Name != audit.StoreFailed || e.Outcome != audit.Failure {
			t.Fatalf("%+v", e)
		}
		return e
	}
	b := w.browser()
	b.get("/login")
	b.want(b.post("/login", "username", "carol", "password", password), 503, "")
	if e := last(); e.Reason != "policy unavailable, request refused" {
		t.Errorf("%+v", e)
	}
	b.get("/login")
	b.want(b.post("/login", "username", "alice", "password", password), 303, "/login/verify")
	b.get("/login/verify")
	w.Users.Fail(errTest)
	b.want(b.post("/login/verify", "code", b.code()), 503, "")
	if e := last(); e.Reason != "users unavailable, request refused" || e.User != "alice" || e.UserID != "1" || e.PendingID == "" || e.LoginID != "" {
		t.Errorf("%+v", e)
	}
	w.Users.Fail(nil)
	b = w.browser().login()
	w.Clock.Advance(2 * time.Minute)
	w.Users.Fail(errTest)
	b.want(b.get("/account"), 503, "")
	last()
}

func TestAnOutageOfTheAuditLeavesNoFurtherEventToWaitFor_I21(t *testing.T) {
	n := 0
	w := found(t, func(c *challenge.Config, _ *Config) {
		to := c.Audit
		c.AuditRequired = true
		c.Audit = audit.RecorderFunc(func(ctx context.Context, e audit.Event) error { n++; return to.Record(ctx, e) })
	})
	b := w.browser()
	b.get("/login")
	w.Kit.Audit.Fail(errTest)
	n = 0
	b.want(b.post("/login", "username", "dave", "password", password), 503, "")
	if n != 1 || b.cookies[sessionCookie] != "" {
		t.Errorf("the failing sink was asked %d times, want once; cookies %v", n, b.cookies)
	}
}

func TestAClientThatHungUpLeavesNoOutage_I21(t *testing.T) {
	w := found(t)
	token := w.bearer()
	w.Audit.Take()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.store.failLoad.set(context.Canceled)
	r := httptest.NewRequest("GET", site+"/api/me", nil).WithContext(ctx)
	r.Header.Set("Authorization", "Bearer "+token)
	w.root.ServeHTTP(httptest.NewRecorder(), r)
	w.wantEvents()
}

func TestTheEventsOfOneLoginCanBeFollowed_I21(t *testing.T) {
	w := found(t)
	b := w.browser()
	b.get("/login")
	b.want(b.post("/login", "username", "alice", "password", password), 303, "/login/verify")
	b.get("/login/verify")
	b.want(b.post("/login/verify", "code", "000000"), 401, "")
	b.want(b.post("/login/verify", "code", b.code()), 303, "/account")
	cookie := b.cookies[sessionCookie]
	w.Clock.Advance(time.Minute)
	b.get("/login/fresh")
	b.want(b.post("/login/fresh", "code", b.code()), 303, "/account")
	b.get("/login/fresh")
	b.want(b.post("/logout"), 303, "/")
	events := w.Audit.Events()
	var pending, login string
	for _, e := range events {
		if e.Name == audit.LoginWithMFA {
			pending, login = e.PendingID, e.LoginID
		}
	}
	if pending == "" || login == "" || pending == login {
		t.Fatalf("pending login %q, login %q", pending, login)
	}
	for i, want := range []struct {
		name           audit.Name
		pending, login string
	}{
		{audit.PasswordValidated, pending, ""}, {audit.CodeCreated, pending, ""}, {audit.InvalidCode, pending, ""},
		{audit.CodeValidated, pending, login}, {audit.LoginWithMFA, pending, login},
		{audit.CodeCreated, "", login}, {audit.CodeValidated, "", login}, {audit.SteppedUp, "", login},
		{audit.CodeCreated, "", login}, {audit.Logout, "", login},
	} {
		if i >= len(events) {
			t.Fatalf("%d events", len(events))
		}
		e := events[i]
		if e.Name != want.name || e.PendingID != want.pending || e.LoginID != want.login || e.RequestID == "" {
			t.Errorf("event %d: %+v, want %+v", i, e, want)
		}
		if line := string(audit.JSON(nil, e)); strings.Contains(line, cookie) {
			t.Errorf("a token is in %s", line)
		}
	}
}

func TestALoginThatTakesThePlaceOfAnotherLeavesTheOthersIdWithItsEnd_I21(t *testing.T) {
	w := found(t)
	b := w.browser().loginDave()
	first := w.Audit.Events()
	w.Audit.Take()
	b.get("/login")
	b.want(b.post("/login", "username", "dave", "password", password), 303, "/account")
	for _, e := range w.Audit.Events() {
		switch e.Name {
		case audit.Logout:
			if e.LoginID != first[len(first)-1].LoginID || e.PendingID != "" {
				t.Errorf("%+v", e)
			}
		case audit.LoginWithoutMFA:
			if e.LoginID == first[len(first)-1].LoginID || e.LoginID == "" || e.PendingID == "" {
				t.Errorf("%+v", e)
			}
		}
	}
}
