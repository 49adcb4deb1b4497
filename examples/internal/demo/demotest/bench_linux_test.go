package demotest

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/examples/internal/demo"
	"github.com/sallyport-go/sallyport/middleware"
)

// BenchmarkStores is what docs/stores.md tells in numbers: guarded requests and whole logins on each kind of store, without
// the password hash, which costs the same on all of them; and what a user takes up there. Servers are on this machine.
//
//	go test -run=- -bench=Stores -benchtime=2000x ./examples/internal/demo/demotest
func BenchmarkStores(b *testing.B) {
	for _, kind := range []string{"memory", "sqlite", "redis", "postgres", "mysql"} {
		b.Run(kind, func(b *testing.B) {
			at, path := kind, ""
			switch kind {
			case "memory":
			case "sqlite":
				path = filepath.Join(b.TempDir(), "login.db")
				at = "sqlite:" + path
			default:
				at = startServer(b, kind).url
			}
			args := []string{"-addr", "127.0.0.1:0", "-store", at, "-key", filepath.Join(b.TempDir(), "key")}
			d, err := demo.Open(args, io.Discard, io.Discard)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(d.Close)
			empty := takenUp(b, kind, at, path)
			s := newCrowd(b, d.Store)
			for n := range crowdSize { // everybody once, so that the records have their sizes
				s.login(b, n)
			}
			records, bytes := s.store.size()
			taken := takenUp(b, kind, at, path) - empty

			var next atomic.Int64
			next.Store(crowdSize)
			token := s.login(b, int(next.Add(1)))
			b.Run("guarded GET", func(b *testing.B) {
				s.store.calls.Store(0)
				for b.Loop() {
					s.get(b, token)
				}
				b.ReportMetric(float64(s.store.calls.Load())/float64(b.N), "calls/op")
			})
			b.Run("login", func(b *testing.B) {
				s.store.calls.Store(0)
				s.store.writes.Store(0)
				for b.Loop() {
					s.login(b, int(next.Add(1)))
				}
				b.ReportMetric(float64(s.store.calls.Load())/float64(b.N), "calls/op")
				b.ReportMetric(float64(s.store.writes.Load())/float64(b.N), "writes/op")
				b.ReportMetric(float64(records)/crowdSize, "records/user")
				b.ReportMetric(float64(bytes)/crowdSize, "bytes/user")
				b.ReportMetric(float64(taken)/crowdSize, "stored-bytes/user")
			})
			b.Run("login, 16 at once", func(b *testing.B) {
				var all sync.WaitGroup
				var left atomic.Int64
				left.Store(int64(b.N))
				b.ResetTimer()
				for range 16 {
					all.Go(func() {
						for left.Add(-1) >= 0 {
							s.login(b, int(next.Add(1)))
						}
					})
				}
				all.Wait()
			})
		})
	}
}

// crowd is a site with many users, each of whom has an authenticator app.
type crowd struct {
	http.Handler
	store *counted
	begun time.Time
	steps atomic.Int64 // that the clock is ahead: a code works once
}

const (
	crowdSize   = 500
	crowdSecret = aliceSecret
)

func newCrowd(b *testing.B, store challenge.Store) *crowd {
	kit := challengetest.New(challengetest.NewClock())
	for n := range crowdSize {
		kit.Users.Add(challenge.Account{ID: fmt.Sprint("user-", n), Name: fmt.Sprint("user", n)}, demo.Password)
	}
	taker, _ := store.(challenge.Taker)
	s := &crowd{store: &counted{Store: store, Taker: taker, sizes: make(map[string]int)}, begun: time.Now()}
	c := kit.Config(s.store)
	c.Clock, c.Audit = s.now, audit.To(io.Discard, audit.Datadog)
	c.Factors = []challenge.Factor{new(challenge.TOTP)}
	logins, err := challenge.New(c)
	if err != nil {
		b.Fatal(err)
	}
	for n := range crowdSize {
		if err := logins.ImportTOTP(b.Context(), fmt.Sprint("user-", n), crowdSecret, "phone"); err != nil {
			b.Fatal(err)
		}
	}
	web, err := middleware.New(logins, middleware.Config{LoginRate: 1_000_000})
	if err != nil {
		b.Fatal(err)
	}
	api, mux := web.API(), http.NewServeMux()
	mux.Handle("/api/", api.Routes())
	mux.Handle("/api/me", api.RequireSecondFactor(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	s.Handler = web.RateLimit(middleware.ByClient)(mux)
	return s
}

func (s *crowd) now() time.Time { return s.at(s.steps.Load()) }

func (s *crowd) at(step int64) time.Time { return s.begun.Add(time.Duration(step) * 30 * time.Second) }

// login takes both steps as the nth visitor and returns the token.
func (s *crowd) login(b *testing.B, n int) string {
	step := int64(n / crowdSize)
	for was := s.steps.Load(); was < step && !s.steps.CompareAndSwap(was, step); was = s.steps.Load() {
	}
	token := s.post(b, "/api/login", "", fmt.Sprintf(`{"username":"user%d","password":"%s"}`, n%crowdSize, demo.Password))
	return s.post(b, "/api/login/verify", token, `{"code":"`+totp(b, crowdSecret, s.at(step))+`"}`)
}

func (s *crowd) post(b *testing.B, path, token, body string) string {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var v struct{ Token string }
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || v.Token == "" {
		b.Errorf("%s answered %d %s", path, w.Code, w.Body)
	}
	return v.Token
}

func (s *crowd) get(b *testing.B, token string) {
	r := httptest.NewRequest(http.MethodGet, "/api/me", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		b.Fatalf("%d %s", w.Code, w.Body)
	}
}

// counted counts the calls to a store, and how much its records hold.
type counted struct {
	challenge.Store
	challenge.Taker
	calls, writes atomic.Int64
	mu            sync.Mutex
	sizes         map[string]int
}

func (c *counted) Load(ctx context.Context, key string) ([]byte, error) {
	c.calls.Add(1)
	return c.Store.Load(ctx, key)
}

func (c *counted) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error) {
	c.calls.Add(1)
	c.writes.Add(1)
	ok, err := c.Store.CompareAndSwap(ctx, key, old, new, expires)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sizes[key] = len(key) + len(new); ok && new == nil {
		delete(c.sizes, key)
	}
	return ok, err
}

func (c *counted) Take(ctx context.Context, key string, interval time.Duration, burst int) (bool, time.Duration, error) {
	c.calls.Add(1)
	c.writes.Add(1)
	return c.Taker.Take(ctx, key, interval, burst)
}

func (c *counted) size() (records, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.sizes {
		bytes += n
	}
	return len(c.sizes), bytes
}

// takenUp is how many bytes a store of some kind takes up, where it can tell.
func takenUp(b *testing.B, kind, at, path string) int {
	ask := func(driver, name, statement string) (n int) {
		db, err := sql.Open(driver, name)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		if err := db.QueryRow(statement).Scan(&n); err != nil {
			b.Fatal(err)
		}
		return n
	}
	rest := at[strings.LastIndexByte(at, '@')+1:]
	switch kind {
	case "sqlite":
		return ask("sqlite", "file:"+path, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
	case "postgres":
		return ask("pgx", at, "SELECT pg_total_relation_size('sallyport_records')")
	case "mysql":
		name := "app:" + serverPassword + "@tcp(" + strings.Replace(rest, "/", ")/", 1)
		execSQL(b, "mysql", name, "ANALYZE TABLE sallyport_records")
		return ask("mysql", name, "SELECT data_length + index_length FROM information_schema.tables WHERE table_name = 'sallyport_records'")
	case "redis":
		text, err := askRedis(strings.TrimSuffix(rest, "/0"), "INFO memory")
		_, n, _ := strings.Cut(text, "\nused_memory:")
		n, _, _ = strings.Cut(n, "\r")
		bytes, fail := strconv.Atoi(n)
		if err != nil || fail != nil {
			b.Fatal(err, fail)
		}
		return bytes
	}
	return 0
}
