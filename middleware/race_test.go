package middleware

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

func fast(_ *challenge.Config, c *Config) { c.LoginRate = 10_000 }

// together sends the same program's request n times at once and counts the statuses.
func (w *town) together(n int, target, token, body string) map[int]int {
	statuses, mu := map[int]int{}, sync.Mutex{}
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range n {
		wg.Go(func() {
			r := httptest.NewRequest("POST", site+target, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			rec := httptest.NewRecorder()
			<-start
			w.root.ServeHTTP(rec, r)
			mu.Lock()
			defer mu.Unlock()
			statuses[rec.Code]++
		})
	}
	close(start)
	wg.Wait()
	return statuses
}

func TestFiftyRightCodesAtOnceMakeOneLogin_I04(t *testing.T) {
	w := found(t, fast)
	_, a, _ := w.call("POST", "/api/login", "", `{"username":"alice","password":"`+password+`"}`)
	got := w.together(50, "/api/login/verify", a["token"].(string), `{"code":"`+w.code()+`"}`)
	if got[200] != 1 {
		t.Error(got)
	}
	if n := w.Audit.Count(audit.LoginWithMFA); n != 1 {
		t.Error(n, "logins")
	}
}

func TestTwoHundredWrongCodesAtOnceAreComparedThreeTimes_I07(t *testing.T) {
	w := found(t, fast)
	_, a, _ := w.call("POST", "/api/login", "", `{"username":"alice","password":"`+password+`"}`)
	got := w.together(200, "/api/login/verify", a["token"].(string), `{"code":"000000"}`)
	if got[401] != 3 || got[200] != 0 {
		t.Error("compared:", got)
	}
	// The machine's recorder counts what it could not hand to the sink in time.
	if n, lost := w.Audit.Count(audit.InvalidCode), w.logins.LostEvents(); n != 3 || lost != 0 {
		t.Error(n, "events,", lost, "lost")
	}
}

func TestTwoHundredWrongPasswordsAtOnceAreComparedThreeTimes_I07(t *testing.T) {
	w := found(t, fast)
	got := w.together(200, "/api/login", "", `{"username":"dave","password":"x"}`)
	if n := w.Passwords.Compared("4"); n > 3 || got[200] != 0 {
		t.Error(n, "compared;", got)
	}
	w.wantAnswer("dave", password, 401)
}

func (w *town) wantAnswer(name, pw string, status int) {
	w.t.Helper()
	if got, a, _ := w.call("POST", "/api/login", "", `{"username":"`+name+`","password":"`+pw+`"}`); got != status {
		w.t.Error(got, a)
	}
}

func TestAUsedCodeIsTold_I12(t *testing.T) {
	w := found(t)
	w.bearer()
	_, a, _ := w.call("POST", "/api/login", "", `{"username":"alice","password":"`+password+`"}`)
	if status, a, _ := w.call("POST", "/api/login/verify", a["token"].(string), `{"code":"`+w.code()+`"}`); status != 401 || a["type"] != "urn:sallyport:problem:code-already-used" {
		t.Error(status, a)
	}
	w.Audit.Take()
	if status, a, _ := w.call("POST", "/api/login/verify", a["token"].(string), `{"code":"12345"}`); status != 400 || a["type"] != "urn:sallyport:problem:malformed-code" {
		t.Error(status, a)
	}
	w.wantEvents(audit.MalformedCode)
}

func TestALogoutAmongRequestsInFlightHolds_I16(t *testing.T) {
	w := found(t, fast)
	w.shop()
	b := w.browser().login()
	cookie := sessionCookie + "=" + b.cookies[sessionCookie]
	var wg sync.WaitGroup
	var after atomic.Bool
	for range 20 {
		wg.Go(func() {
			for range 20 {
				over := after.Load()
				r := httptest.NewRequest("GET", site+"/account/basket?put=apple", nil)
				r.Header.Set("Cookie", cookie)
				rec := httptest.NewRecorder()
				w.root.ServeHTTP(rec, r)
				if over && rec.Code == http.StatusOK {
					t.Error("let in after the logout had been answered")
				}
			}
		})
	}
	if err := w.logins.LogoutEverywhere(t.Context(), challenge.Client{}, "1"); err != nil {
		t.Error(err)
	}
	after.Store(true)
	wg.Wait()
	b.want(b.get("/account"), 303, "/login?next=%2Faccount")
}
