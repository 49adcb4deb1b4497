package middleware_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/middleware"
	"github.com/sallyport-go/sallyport/stores"
)

// BenchmarkFlood asks how a site feels for somebody who is logged in while many passwords are tried at once (I-23): with
// argon2id as it is set, over real connections, each try for another name. "ungated" is the same hashing without a gate, as
// a login written by hand does it. Run it with -benchtime 1x: each round is one flood.
//
// peak-MiB is the heap at its highest over what it was, p50-µs, p99-µs and max-µs are of guarded requests as their client sees
// them, refused-ms is how long the server took for the 99th of a hundred refusals, of-ideal the whole time in units of the
// hashes that were made, one after the other on each slot.
func BenchmarkFlood(b *testing.B) {
	site, refusals := floodSite(b)
	defer site.Close()
	hasher := new(challenge.Argon2id)
	account := challenge.Account{ID: "1"}
	account.PasswordHash, _ = hasher.Hash([]byte("correct-horse-battery"))
	one := func() time.Duration { // the least of some: what a hash takes when nobody is in its way
		least := time.Hour
		for range 5 {
			began := time.Now()
			_, _ = hasher.Check(context.Background(), account, []byte("wrong"))
			least = min(least, time.Since(began))
		}
		return least
	}
	slots := max(runtime.GOMAXPROCS(0)-1, 1)

	ungated := func(int) (served bool) {
		_, _ = hasher.Check(context.Background(), account, []byte("wrong"))
		return true
	}
	gated := func(n int) bool {
		res, err := site.Client().Post(site.URL+"/api/login", "application/json",
			bytes.NewReader(fmt.Appendf(nil, `{"username":"somebody%d","password":"wrong"}`, n)))
		if err != nil {
			b.Error(err)
			return false
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "" {
			b.Error("a 503 without Retry-After")
		}
		return res.StatusCode == http.StatusUnauthorized
	}
	for _, v := range []struct {
		name  string
		n     int
		login func(int) bool
	}{{"idle", 0, nil}, {"gated-200", 200, gated}, {"gated-500", 500, gated}, {"ungated-200", 200, ungated}} { // which leaves a heap of GiB
		b.Run(v.name, func(b *testing.B) {
			for b.Loop() {
				refusals()
				floodOnce(b, site, v.n, v.login, one, slots)
				if r := refusals(); len(r) > 0 {
					b.ReportMetric(float64(r[len(r)*99/100].Microseconds())/1000, "refused-ms")
				}
			}
		})
	}
}

// floodSite serves a guarded page, and somebody is logged in there. refusals gives how long each 503 took since it was asked.
func floodSite(b *testing.B) (s *httptest.Server, refusals func() []time.Duration) {
	kit := challengetest.New(challengetest.NewClock())
	kit.Users.Add(challenge.Account{ID: "1", Name: "alice"}, "")
	kit.SetVerdict("1", challenge.Verdict{NotNeeded: true})
	c := kit.Config(new(stores.Memory))
	c.Clock, c.Passwords, c.Audit = time.Now, new(challenge.Argon2id), audit.To(discardWriter{}, audit.Datadog)
	hash, err := new(challenge.Argon2id).Hash([]byte("correct-horse-battery"))
	if err != nil {
		b.Fatal(err)
	}
	kit.Users.Change("1", func(a *challenge.Account) { a.PasswordHash = hash })
	logins, err := challenge.New(c)
	if err != nil {
		b.Fatal(err)
	}
	web, err := middleware.New(logins, middleware.Config{LoginRate: 1_000_000}) // what is measured is the gate behind it
	if err != nil {
		b.Fatal(err)
	}
	api := web.API()
	mux := http.NewServeMux()
	var mu sync.Mutex
	var took []time.Duration
	routes := api.Routes()
	mux.HandleFunc("/api/login", func(w http.ResponseWriter, r *http.Request) {
		began, status := time.Now(), &statusOf{ResponseWriter: w}
		routes.ServeHTTP(status, r)
		if status.code == http.StatusServiceUnavailable {
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(began))
		}
	})
	page := api.RequirePassword(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	var token string
	mux.HandleFunc("/guarded", func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+token)
		page.ServeHTTP(w, r)
	})
	s = httptest.NewServer(mux)
	s.Client().Transport.(*http.Transport).DisableKeepAlives = true // each is somebody else
	token = benchPost(b, mux, "/api/login", "", `{"username":"alice","password":"correct-horse-battery"}`)
	return s, func() []time.Duration {
		mu.Lock()
		defer mu.Unlock()
		list := took
		took = nil
		slices.Sort(list)
		return list
	}
}

type statusOf struct {
	http.ResponseWriter
	code int
}

func (w *statusOf) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

func floodOnce(b *testing.B, site *httptest.Server, n int, login func(int) bool, one func() time.Duration, slots int) {
	debug.FreeOSMemory()
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	used := func() uint64 {
		metrics.Read(heap)
		return heap[0].Value.Uint64() + heap[1].Value.Uint64()
	}
	hash := one()
	debug.FreeOSMemory()
	base, peak := used(), uint64(0)
	done := make(chan struct{})
	var watching, flood sync.WaitGroup
	watching.Go(func() {
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
				peak = max(peak, used())
			}
		}
	})
	var waits []time.Duration
	watching.Go(func() {
		client := &http.Client{Transport: &http.Transport{}} // a connection of its own, kept
		defer client.CloseIdleConnections()
		for len(waits) < 500 || n > 0 {
			select {
			case <-done:
				return
			default:
			}
			began := time.Now()
			res, err := client.Get(site.URL + "/guarded")
			if err != nil || res.StatusCode != http.StatusOK {
				b.Error("a guarded request was not served: ", res, err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			waits = append(waits, time.Since(began))
			time.Sleep(2 * time.Millisecond)
		}
		if n == 0 {
			close(done)
		}
	})
	var mu sync.Mutex
	served := 0
	start, began := make(chan struct{}), time.Now()
	for i := range n {
		flood.Go(func() {
			<-start
			if login(i) {
				mu.Lock()
				served++
				mu.Unlock()
			}
		})
	}
	close(start)
	flood.Wait()
	took := time.Since(began)
	if n > 0 {
		close(done)
	}
	watching.Wait()
	slices.Sort(waits)
	b.ReportMetric(float64(peak-min(base, peak))/(1<<20), "peak-MiB")
	if len(waits) > 0 {
		b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds()), "p99-µs")
		b.ReportMetric(float64(waits[len(waits)/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(waits[len(waits)-1].Microseconds()), "max-µs")
	}
	if n > 0 {
		b.ReportMetric(float64(served), "served")
		b.ReportMetric(float64(took)/float64((hash+one())/2)/float64(served)*float64(slots), "of-ideal")
	}
}
