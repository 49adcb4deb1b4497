package middleware

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

// handWritten is the floor: a cookie, its SHA-256, a map under a lock, and the name in the context.
type handWritten struct {
	mu   sync.RWMutex
	live map[[32]byte]string
}

func (f *handWritten) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie(sessionCookie)
		if err != nil {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		f.mu.RLock()
		name, ok := f.live[sha256.Sum256([]byte(c.Value))]
		f.mu.RUnlock()
		if !ok {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), floorKey{}, name)))
	})
}

type floorKey struct{}

// byHand is what people write with scs as it comes: a session in its memory store that says who is logged in.
func byHand(b *testing.B, page http.Handler, token string) http.Handler {
	m := scs.New()
	m.Cookie.Name = sessionCookie
	raw, err := m.Codec.Encode(time.Now().Add(time.Hour), map[string]any{"user": "alice", "at": time.Now().Unix()})
	if err != nil {
		b.Fatal(err)
	}
	if err := m.Store.Commit(token, raw, time.Now().Add(time.Hour)); err != nil {
		b.Fatal(err)
	}
	return m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.GetString(r.Context(), "user") == "" {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		page.ServeHTTP(w, r)
	}))
}

// guardedGet is a request to a guarded route: the floor's, scs's or ours.
type guardedGet struct {
	name string
	h    http.Handler
	r    *http.Request
}

func (g guardedGet) serve(rw discard) {
	clear(rw.h)
	g.h.ServeHTTP(rw, g.r)
}

func guardedGets(b *testing.B) []guardedGet {
	w := found(b)
	c := w.browser().login().cookies[sessionCookie]
	floor := &handWritten{live: map[[32]byte]string{sha256.Sum256([]byte(c)): "alice"}}
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	login, anonymous := httptest.NewRequest("GET", "/account", nil), httptest.NewRequest("GET", "/account", nil)
	login.Header.Set("Cookie", sessionCookie+"="+c)
	return []guardedGet{
		{"scs/login", byHand(b, page, c), login},
		{"floor/login", floor.guard(page), login}, {"ours/login", w.web.RequireSecondFactor(page), login},
		{"floor/anonymous", floor.guard(page), anonymous}, {"ours/anonymous", w.web.RequireSecondFactor(page), anonymous},
		{"ours/anonymous-api", w.api.RequireSecondFactor(page), anonymous},
	}
}

// BenchmarkGuardedGet holds a guard with every check (session, both factors, idle and absolute end) against the floor.
func BenchmarkGuardedGet(b *testing.B) {
	for _, g := range guardedGets(b) {
		b.Run(g.name, func(b *testing.B) {
			rw := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				g.serve(rw)
			}
		})
	}
}

// BenchmarkGuardedGetByTurns is the same in slices of a hundred requests by turns, for a machine that does other things
// too. Its numbers are times of the floor's: of the median slice, and of the fastest in twenty, which is what a request takes
// when nothing comes between, the garbage collector neither. Try -benchtime 3000x.
func BenchmarkGuardedGetByTurns(b *testing.B) {
	rw, times := discard{http.Header{}}, map[string][]time.Duration{}
	gets := guardedGets(b)
	for b.Loop() {
		for _, g := range gets {
			began := time.Now()
			for range 100 {
				g.serve(rw)
			}
			times[g.name] = append(times[g.name], time.Since(began))
		}
	}
	for _, d := range times {
		slices.Sort(d)
	}
	for _, g := range gets {
		side, what, _ := strings.Cut(g.name, "/")
		floor, d := times["floor/"+strings.TrimSuffix(what, "-api")], times[g.name]
		if side != "floor" {
			b.ReportMetric(float64(d[len(d)/2])/float64(floor[len(d)/2]), g.name+"-median")
			b.ReportMetric(float64(d[len(d)/20])/float64(floor[len(d)/20]), g.name+"-fastest")
		}
	}
}

// BenchmarkGuardedGetOverAConnection is the same with everything that a server does besides, beside one that guards nothing.
func BenchmarkGuardedGetOverAConnection(b *testing.B) {
	w := found(b)
	c := w.browser().login().cookies[sessionCookie]
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	for _, v := range []struct {
		name string
		h    http.Handler
	}{{"bare", page}, {"ours", w.web.RequireSecondFactor(page)}, {"scs", byHand(b, page, c)}} {
		b.Run(v.name, func(b *testing.B) {
			s := httptest.NewServer(v.h)
			defer s.Close()
			r, err := http.NewRequest("GET", s.URL+"/account", nil)
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Cookie", sessionCookie+"="+c)
			client := s.Client()
			for b.Loop() {
				res, err := client.Do(r)
				if err != nil || res.StatusCode != http.StatusOK {
					b.Fatal(res, err)
				}
				_ = res.Body.Close()
			}
		})
	}
}
