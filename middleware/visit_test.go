package middleware

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/stores"
)

// shop is an app with a basket in its session.
func (w *town) shop() {
	s := w.web.Session
	w.mux.Handle("/basket", w.web.Sessions(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if item := r.URL.Query().Get("put"); item != "" {
			s.Put(r.Context(), "basket", item)
		}
		_, _ = io.WriteString(rw, "basket: "+s.GetString(r.Context(), "basket"))
	})))
	w.mux.Handle("/account/basket", w.web.RequireSecondFactor(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if item := r.URL.Query().Get("put"); item != "" {
			s.Put(r.Context(), "basket", item)
		}
		_, _ = io.WriteString(rw, "secret basket: "+s.GetString(r.Context(), "basket"))
	})))
}

func TestTheAppsDataFollowsOnePersonThroughLogin(t *testing.T) {
	w := found(t)
	w.shop()
	b := w.browser()
	b.get("/basket")
	if len(b.cookies) != 0 {
		t.Error("a session for somebody who has none:", b.cookies)
	}
	b.get("/basket?put=apple")
	anonymous := b.cookies[sessionCookie]
	b.login()
	if b.cookies[sessionCookie] == anonymous {
		t.Error("I-03: the token survived the login")
	}
	b.get("/account/basket")
	if b.page != "secret basket: apple" {
		t.Error(b.page)
	}
	b.get("/login")
	b.post("/logout")
	b.get("/basket")
	if b.page != "basket: " {
		t.Error("the data survived the logout:", b.page)
	}
	b.get("/basket?put=pear")
	b.loginDave()
	b.get("/account/basket")
	if b.page != "secret basket: pear" {
		t.Error(b.page)
	}
}

func TestAFailedCommitNeverLetsThePageOut_I20(t *testing.T) {
	w := found(t)
	w.shop()
	b := w.browser().login()
	w.store.failSwap.set(errTest)
	res := b.get("/account/basket?put=apple")
	b.want(res, 503, "")
	if strings.Contains(b.page, "secret") {
		t.Error(b.page)
	}
	w.store.failSwap.set(nil)
	b.want(b.get("/account/basket"), 200, "")
	if b.page != "secret basket: " {
		t.Error(b.page)
	}
}

func TestARequestInFlightBringsNothingBack_I16(t *testing.T) {
	w := found(t)
	b := w.browser().login()
	w.mux.Handle("/account/slow", w.web.RequireSecondFactor(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		login, _ := Authenticated(r.Context())
		if err := w.logins.LogoutEverywhere(r.Context(), challenge.Client{}, login.UserID); err != nil {
			t.Error(err)
		}
		w.web.Session.Put(r.Context(), "x", "y")
		_, _ = io.WriteString(rw, "secret")
	})))
	b.want(b.get("/account/slow"), 303, "/login")
	if strings.Contains(b.page, "secret") {
		t.Error(b.page)
	}
	b.want(b.get("/account"), 303, "/login?next=%2Faccount")
}

func TestParallelWritesOfAppDataKeepTheLogin(t *testing.T) {
	w := found(t)
	w.shop()
	b := w.browser().login()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			r := httptest.NewRequest("GET", "/account/basket?put=apple", nil)
			r.Header.Set("Cookie", sessionCookie+"="+b.cookies[sessionCookie])
			rec := httptest.NewRecorder()
			w.root.ServeHTTP(rec, r)
			if rec.Code != 200 {
				t.Error(rec.Code)
			}
		})
	}
	wg.Wait()
	b.get("/account/basket")
	if b.page != "secret basket: apple" {
		t.Error(b.page)
	}
}

func TestGoroutinesOfAHandlerMayBeTheFirstToAskForAppData(t *testing.T) {
	w := found(t)
	s := w.web.Session
	w.mux.Handle("/account/many", w.web.RequireSecondFactor(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { s.Put(r.Context(), fmt.Sprint("n", i), i) })
		}
		wg.Wait()
	})))
	w.mux.Handle("/account/names", w.web.RequireSecondFactor(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(rw, len(s.Keys(r.Context())))
	})))
	b := w.browser().login()
	b.want(b.get("/account/many"), 200, "")
	b.get("/account/names")
	if b.page != "20" {
		t.Error("kept:", b.page)
	}
}

func TestAppDataThatCannotBeReadDenies_I20(t *testing.T) {
	w := found(t)
	b := w.browser().login()
	session, err := w.logins.Open(t.Context(), challenge.Cookie, b.cookies[sessionCookie])
	if err != nil {
		t.Fatal(err)
	}
	if err := w.logins.SaveData(t.Context(), session, []byte("not written by us")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/account", "/login"} {
		b.want(b.get(path), 503, "")
	}
}

func TestForeignSessionMachineryIsRefused(t *testing.T) {
	w := found(t)
	b := w.browser().login()
	inner := w.web.RequireSecondFactor(http.NotFoundHandler())
	public := w.web.Sessions(http.NotFoundHandler())
	s := w.web.Session
	for name, h := range map[string]http.Handler{
		"LoadAndSave around a guard": s.LoadAndSave(inner),
		"LoadAndSave around a page":  s.LoadAndSave(public),
		"LoadAndSave inside, which writes": w.web.Sessions(s.LoadAndSave(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			s.Put(r.Context(), "x", "y")
			_, _ = io.WriteString(rw, "secret")
		}))),
	} {
		for _, cookie := range []string{"", b.cookies[sessionCookie]} {
			if cookie == "" && name == "LoadAndSave around a guard" {
				continue // sent to the login page
			}
			r := httptest.NewRequest("GET", "/", nil)
			if cookie != "" {
				r.Header.Set("Cookie", sessionCookie+"="+cookie)
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			if rec.Code != 503 || strings.Contains(rec.Body.String(), "secret") {
				t.Errorf("%s (cookie %v): %d %s", name, cookie != "", rec.Code, rec.Body)
			}
		}
	}
	w.mux.Handle("/account/ends", w.web.RequireSecondFactor(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for name, err := range map[string]error{"Destroy": s.Destroy(r.Context()), "RenewToken": s.RenewToken(r.Context()), "MergeSession": s.MergeSession(r.Context(), b.cookies[sessionCookie])} {
			if err == nil {
				t.Errorf("%s was allowed", name)
			}
		}
		if _, _, err := s.Commit(r.Context()); err == nil {
			t.Error("Commit was allowed")
		}
	})))
	b.want(b.get("/account/ends"), 200, "")
	b.want(b.get("/account"), 200, "")
}

func TestStreamsEndWithTheirLogin_I16(t *testing.T) {
	for name, end := range map[string]func(*challenge.Logins, *challenge.Login){
		"logged out everywhere": func(l *challenge.Logins, login *challenge.Login) {
			_ = l.LogoutEverywhere(context.Background(), challenge.Client{}, login.UserID)
		},
		"the absolute end": func(*challenge.Logins, *challenge.Login) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := found(t, func(c *challenge.Config, _ *Config) {
					c.Clock, c.Store = time.Now, &stores.Memory{Clock: time.Now}
					c.Absolute = 2*time.Hour + 20*time.Second
				})
				began := time.Now()
				var ended time.Duration
				var cause, late error
				h := w.web.RequireSecondFactor(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					_, _ = io.WriteString(rw, "one\n")
					rw.(http.Flusher).Flush()
					login, _ := Authenticated(r.Context())
					time.Sleep(10 * time.Minute)
					if r.Context().Err() != nil {
						t.Error("ended too early")
					}
					end(w.logins, login)
					<-r.Context().Done()
					ended, cause = time.Since(began), context.Cause(r.Context())
					_, late = io.WriteString(rw, "two\n")
				}))
				b := w.browser()
				b.get("/login")
				b.post("/login", "username", "dave", "password", password)
				r := httptest.NewRequest("GET", "/", nil)
				r.Header.Set("Cookie", sessionCookie+"="+b.cookies[sessionCookie])
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, r)
				if name == "the absolute end" {
					if ended != 2*time.Hour+20*time.Second {
						t.Error(ended)
					}
				} else if ended > 11*time.Minute {
					t.Error(ended)
				}
				if !errors.Is(cause, challenge.ErrEnded) {
					t.Error(cause)
				}
				if late == nil || rec.Body.String() != "one\n" {
					t.Errorf("the stream went on: %q", rec.Body)
				}
			})
		})
	}
}

func TestStreamsWebSocketsAndFilesPassThrough(t *testing.T) {
	w := found(t, func(c *challenge.Config, _ *Config) {})
	b := w.browser().login()
	w.mux.Handle("/account/stream", w.web.RequireSecondFactor(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, "one\n")
		if err := http.NewResponseController(rw).Flush(); err != nil {
			t.Error(err)
		}
		if err := http.NewResponseController(rw).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error("the controller does not reach the server:", err)
		}
		_, _ = io.WriteString(rw, "two\n")
	})))
	w.mux.Handle("/account/socket", w.web.RequireSecondFactor(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		conn, rest, err := rw.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = rest.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
		_ = rest.Flush()
	})))
	server := httptest.NewServer(w.root)
	defer server.Close()
	get := func(path string, upgrade bool) (*http.Response, error) {
		r, _ := http.NewRequest("GET", server.URL+path, nil)
		r.Header.Set("Cookie", sessionCookie+"="+b.cookies[sessionCookie])
		if upgrade {
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "echo")
			r.Header.Set("Origin", site)
		}
		return http.DefaultClient.Do(r)
	}
	res, err := get("/account/stream", false)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	if string(body) != "one\ntwo\n" {
		t.Errorf("%q", body)
	}
	if res, err = get("/account/socket", true); err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	line := make([]byte, 5)
	if _, err := io.ReadFull(bufio.NewReader(res.Body), line); err != nil || string(line) != "hello" {
		t.Errorf("%q %v", line, err)
	}
}

func TestAGuardedGetStaysCheap(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates")
	}
	w := found(t)
	b := w.browser().login()
	h := w.web.RequireSecondFactor(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest("GET", "/account", nil)
	r.Header.Set("Cookie", sessionCookie+"="+b.cookies[sessionCookie])
	rw := discard{http.Header{}}
	if n := testing.AllocsPerRun(200, func() { clear(rw.h); h.ServeHTTP(rw, r) }); n > 16 {
		t.Errorf("%v allocations, at most 16 are allowed", n)
	} else {
		t.Log(n, "allocations")
	}
}

// discard is a response writer that costs nothing.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func TestAProgramGetsNoCookieWhateverTheAppKeeps(t *testing.T) {
	w := found(t)
	w.mux.Handle("/api/keeps", w.api.RequireSecondFactor(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.web.Session.Put(r.Context(), "n", w.web.Session.GetInt(r.Context(), "n")+1)
		_, _ = fmt.Fprint(rw, w.web.Session.GetInt(r.Context(), "n"))
	})))
	for range 2 { // a Basic request has no session to keep anything in
		status, a, h := w.call("GET", "/api/keeps", "", "", "Authorization", basicHeader("reports", password))
		if status != 200 || h.Get("Set-Cookie") != "" || a["body"] != "1" {
			t.Error(status, a, h)
		}
	}
	token := w.bearer()
	for _, want := range []string{"1", "2"} {
		status, a, h := w.call("GET", "/api/keeps", token, "")
		if status != 200 || h.Get("Set-Cookie") != "" || a["body"] != want {
			t.Error(status, a, h)
		}
	}
}

func TestWhatWasKeptBeforeAGuardRefusedStaysKept(t *testing.T) {
	w := found(t)
	w.shop()
	guarded := w.web.RequireSecondFactor(http.NotFoundHandler())
	w.mux.Handle("/note", w.web.Sessions(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.web.Session.Put(r.Context(), "basket", "apple")
		guarded.ServeHTTP(rw, r)
	})))
	b := w.browser()
	b.want(b.get("/note"), 303, "/login?next=%2Fnote")
	b.get("/basket")
	if b.page != "basket: apple" {
		t.Error(b.page)
	}
}
