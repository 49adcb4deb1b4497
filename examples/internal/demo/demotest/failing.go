//go:build linux

package demotest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/examples/internal/demo"
)

// longestAnswer is within what a request is answered while the store fails: it waits for a few calls of 1.5 s. What else an
// answer takes is a few times what a page takes that asks no store.
const longestAnswer = 6 * time.Second

// fails starts the program, which has to end with status 1 and to say why without a password.
func fails(t *testing.T, program, store string, because ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "-addr", "127.0.0.1:0", "-store", store, "-key", filepath.Join(t.TempDir(), "key")).CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 1 {
		t.Errorf("%v, want status 1", err)
	}
	for _, words := range because {
		if text := strings.ToLower(string(out)); !strings.Contains(text, words) || strings.Contains(text, serverPassword) {
			t.Errorf("it does not say %q, or it says the password:\n%s", words, out)
		}
	}
}

func saysWhatIsWrong(t *testing.T, program string, s *server) {
	t.Run("nobody listens", func(t *testing.T) {
		fails(t, program, strings.Replace(s.url, s.port, freePort(t), 1), "connection refused")
	})
	t.Run("the password is wrong", func(t *testing.T) {
		fails(t, program, strings.Replace(s.url, serverPassword, "wrong-"+serverPassword, 1), s.words.password)
	})
	t.Run("a right is missing", func(t *testing.T) {
		because := []string{s.words.right}
		if s.age != nil {
			because = append(because, "missing schema")
		}
		fails(t, program, s.poor(t), because...)
	})
	t.Run("something else listens", func(t *testing.T) {
		fails(t, program, strings.Replace(s.url, s.port, somethingElse(t), 1), s.words.strange)
	})
	t.Run("it is a replica", func(t *testing.T) {
		s.readOnly(t, true)
		defer s.readOnly(t, false)
		fails(t, program, s.url, s.words.replica)
	})
	if s.age != nil {
		for version, says := range map[int]string{0: "old schema", 2: "new schema"} {
			t.Run("there is a schema that is "+says[:3], func(t *testing.T) {
				s.age(t, version)
				defer s.age(t, 1)
				fails(t, program, s.url, says)
			})
		}
	}
}

// somethingElse is the port of a server that is no database.
func somethingElse(t *testing.T) (port string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
			_ = c.Close()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// saysWhatIsWrongWithFiles is saysWhatIsWrong for a path of SQLite. What no path can be is refused as a flag.
func saysWhatIsWrongWithFiles(t *testing.T, program string) {
	dir := t.TempDir()
	t.Run("the file is no database", func(t *testing.T) {
		path := filepath.Join(dir, "letter.txt")
		if err := os.WriteFile(path, []byte(strings.Repeat("Dear Sir or Madam, ", 100)), 0o600); err != nil {
			t.Fatal(err)
		}
		fails(t, program, "sqlite:"+path, "not a database")
	})
	for version, says := range map[int]string{0: "old schema", 2: "new schema"} {
		t.Run("there is a schema that is "+says[:3], func(t *testing.T) {
			path := filepath.Join(dir, says[:3])
			execSQL(t, "sqlite", "file:"+path, "CREATE TABLE sallyport_schema (id INTEGER PRIMARY KEY, version INTEGER NOT NULL)",
				fmt.Sprintf("INSERT INTO sallyport_schema VALUES (1, %d)", version))
			fails(t, program, "sqlite:"+path, says)
		})
	}
}

// watch keeps logging in while a store fails, and knows what may not happen.
type watch struct {
	*pair
	ctx         context.Context
	slowest     atomic.Int64
	slowestPage atomic.Int64
	unavailable atomic.Int64
	rounds      [2]atomic.Int64 // of each visitor
	mu          sync.Mutex
	ended       []string // tokens of logins that were logged out
}

// storeFails tells what happens to two processes whose server is killed, paused, or made a replica.
func storeFails(t *testing.T, program string, s *server) {
	ctx, cancel := context.WithCancel(t.Context())
	w := &watch{pair: startPair(t, program, s.url, "-resend-after", "0s"), ctx: ctx}
	pending := w.nodes[0].login("bob")
	now := time.Now()
	bad := wrong(totp(t, bobSecret, now.Add(-30*time.Second)), totp(t, bobSecret, now), totp(t, bobSecret, now.Add(30*time.Second)), totp(t, bobSecret, now.Add(time.Minute)))
	for range 2 { // of three
		a, _ := w.nodes[1].program().json("/api/login/verify", pending, map[string]string{"code": bad}, client()...)
		w.expect(a, http.StatusUnauthorized, "")
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() { w.visit(0, "dave", "") })
	all.Go(func() { w.visit(1, "carol", "carol@example.com") })
	all.Go(func() { w.guess(bad) })
	all.Go(w.leaf)
	w.until("people log in", w.more(2))
	for _, fault := range []struct {
		name       string
		begin, end func()
	}{
		{"killed", s.kill, func() { s.start(t) }},
		{"paused", s.pause, func() { time.Sleep(5 * time.Second); s.resume() }},
		{"read-only", func() { s.readOnly(t, true) }, func() { s.readOnly(t, false) }},
	} {
		before := w.unavailable.Load()
		fault.begin()
		w.until("requests get 503 while the server is "+fault.name, func() bool { return w.unavailable.Load() >= before+2 })
		fault.end()
		begun := time.Now()
		w.until("people log in after it was "+fault.name, w.more(2))
		t.Logf("%s: logins go on after %v", fault.name, time.Since(begun).Round(10*time.Millisecond))
	}
	cancel()
	all.Wait()
	page := time.Duration(w.slowestPage.Load())
	if slowest := time.Duration(w.slowest.Load()); slowest > longestAnswer+5*page {
		t.Errorf("I-20: an answer took %v, a page up to %v", slowest, page)
	} else {
		t.Logf("slowest answer %v, %d times 503, %d and %d logins", slowest.Round(10*time.Millisecond), w.unavailable.Load(), w.rounds[0].Load(), w.rounds[1].Load())
	}
	if n := w.count("Invalid MFA entered", "bob"); n > 3 {
		t.Errorf("I-20: %d wrong codes of bob were compared, so a counter fell back", n)
	}
	for _, token := range w.ended {
		for _, n := range w.nodes {
			n.expect(n.me(token), http.StatusUnauthorized, "") // I-16
		}
	}
}

// json is like that of a program, and watches.
func (w *watch) json(n *node, path, token string, object map[string]string, allowed ...int) (int, reply) {
	begun := time.Now()
	a, v := n.program().json(path, token, object, client()...)
	return w.seen(begun, path, a, allowed), v
}

func (w *watch) me(n *node, token string, allowed ...int) int {
	begun := time.Now()
	return w.seen(begun, "/api/me", n.me(token), allowed)
}

func (w *watch) seen(begun time.Time, path string, a answer, allowed []int) int {
	longest(&w.slowest, time.Since(begun))
	if a.status == http.StatusServiceUnavailable {
		w.unavailable.Add(1)
	} else if !slices.Contains(allowed, a.status) {
		w.t.Errorf("I-20: %s answered %d, want one of %d or 503\n%s", path, a.status, allowed, a)
	}
	return a.status
}

func longest(of *atomic.Int64, took time.Duration) {
	for was := of.Load(); int64(took) > was && !of.CompareAndSwap(was, int64(took)); was = of.Load() {
	}
}

// leaf opens a page that asks no store, again and again: how slow is this machine?
func (w *watch) leaf() {
	for ; w.ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		for _, n := range w.nodes {
			begun := time.Now()
			n.expect(n.program().do(http.MethodGet, "/nowhere", ""), http.StatusNotFound, "")
			longest(&w.slowestPage, time.Since(begun))
		}
	}
}

// visit logs somebody in and out again and again, on one process and the other.
func (w *watch) visit(i int, name, address string) {
	const yes, no = http.StatusOK, http.StatusUnauthorized
	for turn := i; w.ctx.Err() == nil; turn++ {
		a, b := w.nodes[turn%2], w.nodes[(turn+1)%2]
		status, v := w.json(a, "/api/login", "", map[string]string{"username": name, "password": demo.Password}, yes)
		if status == yes && address != "" {
			w.me(b, v.Token, no) // I-02
			status, v = w.json(b, "/api/login/verify", v.Token, map[string]string{"code": w.code(address)}, yes)
		}
		if status != yes {
			continue
		}
		w.me(b, v.Token, yes)
		if status, _ = w.json(a, "/api/logout", v.Token, map[string]string{}, yes); status != yes {
			continue
		}
		w.me(b, v.Token, no)
		w.mu.Lock()
		w.ended = append(w.ended, v.Token)
		w.mu.Unlock()
		w.rounds[i].Add(1)
	}
}

// guess tries wrong codes for bob, in a new login where he gets one, and the right password of sam, who is blocked.
func (w *watch) guess(bad string) {
	for turn := 0; w.ctx.Err() == nil; turn++ {
		n := w.nodes[turn%2]
		status, v := w.json(n, "/api/login", "", map[string]string{"username": "bob", "password": demo.Password}, http.StatusOK, http.StatusTooManyRequests)
		if status == http.StatusOK {
			w.json(n, "/api/login/verify", v.Token, map[string]string{"code": bad}, http.StatusUnauthorized, http.StatusTooManyRequests)
		}
		w.json(n, "/api/login", "", map[string]string{"username": "sam", "password": demo.Password}, http.StatusTooManyRequests)
	}
}

// more is true when every visitor has been in and out so many times again.
func (w *watch) more(times int64) func() bool {
	var want [len(w.rounds)]int64
	for i := range want {
		want[i] = w.rounds[i].Load() + times
	}
	return func() bool {
		for i := range want {
			if w.rounds[i].Load() < want[i] {
				return false
			}
		}
		return true
	}
}

func (w *watch) until(what string, happens func() bool) {
	w.t.Helper()
	for begun := time.Now(); !happens(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > patience {
			w.t.Fatalf("waited %v until %s", patience, what)
		}
	}
}
