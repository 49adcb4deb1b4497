package middleware

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// floodSize is how many of everything come by. SALLYPORT_FLOOD=1000000 takes some minutes.
func floodSize(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv("SALLYPORT_FLOOD")); err == nil {
		return n
	}
	if testing.Short() {
		return 2000
	}
	return 10_000
}

// ledger is a store that remembers which keys there ever were, by what they are for.
type ledger struct {
	challenge.Store
	mu   sync.Mutex
	seen map[string]bool
}

func (l *ledger) Volatile() bool { return true }

func (l *ledger) CompareAndSwap(ctx context.Context, key string, old, new []byte, end time.Time) (bool, error) {
	ok, err := l.Store.CompareAndSwap(ctx, key, old, new, end)
	if ok && old == nil && new != nil {
		l.mu.Lock()
		l.seen[key] = true
		l.mu.Unlock()
	}
	return ok, err
}

var decoyKey = regexp.MustCompile(`^d([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$`)

func randomToken() string {
	return fmt.Sprintf("%016x%016x%011x", rand.Uint64(), rand.Uint64(), rand.Uint64()>>20)
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAFloodOfStrangersLeavesNothingThatGrows_I23(t *testing.T) {
	t.Run("stopped by the limit on clients", func(t *testing.T) { floodOfStrangers(t, 20) })
	t.Run("with every password looked at", func(t *testing.T) { floodOfStrangers(t, 1_000_000) })
}

func floodOfStrangers(t *testing.T, rate int) {
	n := floodSize(t)
	book := &ledger{seen: map[string]bool{}}
	w := found(t, func(c *challenge.Config, m *Config) {
		book.Store, c.Store = c.Store, book
		c.Audit = audit.Discard
		m.MaxLimitKeys, m.LoginRate = 512, rate
	})
	clear(book.seen)
	send := func(i int, method, path, body string) int {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.RemoteAddr = fmt.Sprintf("[2001:db8:%x:%x::1]:9", rand.IntN(1<<16), rand.IntN(1<<16))
		if i%2 == 0 {
			r.RemoteAddr = fmt.Sprintf("%d.%d.%d.%d:9", 1+rand.IntN(200), rand.IntN(256), rand.IntN(256), rand.IntN(256))
		}
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		if i%3 == 0 {
			r.Header.Set("Authorization", "Bearer "+randomToken())
		}
		for _, c := range []string{w.web.cookies.session, w.web.cookies.csrf, w.web.cookies.device, w.web.cookies.trusted} {
			r.AddCookie(&http.Cookie{Name: c, Value: randomToken()[:43]})
		}
		rw := httptest.NewRecorder()
		w.root.ServeHTTP(rw, r)
		return rw.Code
	}
	round := func(n int) {
		for i := range n {
			// Whoever looks at pages leaves nothing at all in the store.
			before := len(book.seen)
			for _, path := range []string{"/login", "/account", "/login/verify", "/", "/api/me", "/code"}[i%6 : i%6+1] {
				send(i, "GET", path, "")
			}
			if len(book.seen) != before {
				t.Fatal("I-23: a GET of a stranger made a record")
			}
			send(i, "POST", "/api/login", `{"username":"`+randomToken()+`","password":"x"}`)
			send(i, "POST", "/api/login/verify", `{"code":"123456"}`)
		}
	}
	round(n / 10) // what is made once is made here
	before, records := heap(), len(book.seen)
	usedBefore, bytesBefore := w.store.Usage()
	round(n - n/10)
	for key := range book.seen {
		if !decoyKey.MatchString(key) {
			t.Fatalf("I-23: a stranger made the record %q", key)
		}
	}
	if used := w.web.login.local.used.Load(); used > 512 {
		t.Errorf("I-23: %d clients are in a table of 512", used)
	}
	used, bytes := w.store.Usage()
	if len(book.seen) > 1<<16 || used > 1<<16+16 {
		t.Errorf("I-10: %d decoys", len(book.seen))
	}
	if rate > 20 && len(book.seen) < n/3 && n < 100_000 {
		t.Errorf("%d names were looked at: this test proves nothing", len(book.seen))
	}
	// The heap grows by what the store says that it keeps, and by the list of this test; nothing else.
	grown := heap() - before
	allowed := 2*(bytes-bytesBefore) + int64(len(book.seen)-records)*100 + 4<<20
	t.Logf("%d of each: the heap has grown by %d KiB, of which the store accounts for %d KiB and %d records", n, grown>>10, (bytes-bytesBefore)>>10, used-usedBefore)
	if grown > allowed {
		t.Errorf("I-23: the heap has grown by %d KiB, want %d at the most", grown>>10, allowed>>10)
	}
}

func TestAFloodOfHalfLoginsIsBoundedAndOver_I23(t *testing.T) {
	n := max(floodSize(t)/4, 1200)
	w := found(t, func(c *challenge.Config, m *Config) { c.Audit, m.LoginRate = audit.Discard, 1_000_000 })
	w.store.Memory.MaxRecords = 1000
	b := w.browser().login()
	statuses := map[int]int{}
	for range n { // somebody who knows one password
		status, _, _ := w.call("POST", "/api/login", "", `{"username":"alice","password":"`+password+`"}`)
		statuses[status]++
	}
	if used, _ := w.store.Usage(); used > 1000 {
		t.Errorf("I-23: %d records", used)
	}
	if statuses[200] == 0 || statuses[503] != n-statuses[200] {
		t.Errorf("I-20: %v", statuses)
	}
	b.want(b.get("/account"), 200, "") // who is there stays there
	w.Clock.Advance(11 * time.Minute)
	if status, _, _ := w.call("POST", "/api/login", "", `{"username":"alice","password":"`+password+`"}`); status != 200 {
		t.Errorf("the half logins are over, and a new one gets %d", status)
	}
}

// door lets passwords be checked while it is open.
type door struct {
	challenge.Passwords
	shut   atomic.Bool
	inside chan struct{}
	open   chan struct{}
}

func (d *door) Check(ctx context.Context, a challenge.Account, password []byte) (challenge.PasswordMatch, error) {
	if d.shut.Load() {
		d.inside <- struct{}{}
		<-d.open
	}
	return d.Passwords.Check(ctx, a, password)
}

func TestPasswordsBeyondTheQueueAreAnsweredAtOnceOnEverySurface_I23(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{inside: make(chan struct{}, 9), open: make(chan struct{})}
		w := found(t, func(c *challenge.Config, m *Config) {
			d.Passwords, c.Passwords, c.HashSlots, c.HashQueue, m.LoginRate = c.Passwords, d, 1, 1, 1000
		})
		in, b := w.browser().login(), w.browser()
		b.get("/login")
		d.shut.Store(true)
		var served sync.WaitGroup
		for i := range 2 { // one is inside, and one waits
			served.Go(func() {
				if status, _, _ := w.call("POST", "/api/login", "", fmt.Sprintf(`{"username":"somebody%d","password":"x"}`, i)); status != 401 {
					t.Errorf("who came in time got %d", status)
				}
			})
		}
		synctest.Wait()
		if len(d.inside) != 1 {
			t.Fatalf("%d are inside", len(d.inside))
		}
		began := time.Now() // of the bubble: it goes on only when everybody waits
		if res := b.post("/login", "username", "x", "password", "y"); res.StatusCode != 503 || res.Header.Get("Retry-After") != "1" {
			t.Errorf("the page: %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
		}
		for surface, ask := range map[string]func() (int, map[string]any, http.Header){
			"JSON": func() (int, map[string]any, http.Header) {
				return w.call("POST", "/api/login", "", `{"username":"x","password":"y"}`)
			},
			"JSON with code": func() (int, map[string]any, http.Header) {
				return w.call("POST", "/api/login", "", `{"username":"x","password":"y"}`, "X-MFA-Code", "123456")
			},
			"Basic": func() (int, map[string]any, http.Header) {
				return w.call("GET", "/api/me", "", "", "Authorization", "Basic cmVwb3J0czp3cm9uZw==")
			},
		} {
			if status, _, h := ask(); status != 503 || h.Get("Retry-After") != "1" {
				t.Errorf("%s: %d, Retry-After %q", surface, status, h.Get("Retry-After"))
			}
		}
		in.want(in.get("/account"), 200, "") // whoever is logged in notices nothing
		if took := time.Since(began); took != 0 {
			t.Errorf("somebody waited for %v", took)
		}
		close(d.open)
		served.Wait()
	})
}
