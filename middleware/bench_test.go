package middleware

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
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

// BenchmarkGuardedGet holds a guard with every check (session, both factors, idle and absolute end) against the floor.
func BenchmarkGuardedGet(b *testing.B) {
	w := found(b)
	c := w.browser().login().cookies[sessionCookie]
	floor := &handWritten{live: map[[32]byte]string{sha256.Sum256([]byte(c)): "alice"}}
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	for _, v := range []struct {
		name   string
		h      http.Handler
		cookie string
	}{
		{"scs/login", byHand(b, page, c), c},
		{"floor/login", floor.guard(page), c}, {"ours/login", w.web.RequireSecondFactor(page), c},
		{"floor/anonymous", floor.guard(page), ""}, {"ours/anonymous", w.web.RequireSecondFactor(page), ""},
		{"ours/anonymous-api", w.api.RequireSecondFactor(page), ""},
	} {
		b.Run(v.name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/account", nil)
			if v.cookie != "" {
				r.Header.Set("Cookie", sessionCookie+"="+v.cookie)
			}
			rw := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(rw.h)
				v.h.ServeHTTP(rw, r)
			}
		})
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
