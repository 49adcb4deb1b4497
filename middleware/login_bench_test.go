package middleware_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/middleware"
	"github.com/sallyport-go/sallyport/stores"
)

// benchAccounts log in one after the other.
const benchAccounts = 200

const benchSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// BenchmarkLogin holds both steps of a login, without the cost of a password hash, against what people glue together by
// hand from scs and pquerna/otp, and against a floor that has neither limits, nor audit, nor replay protection.
func BenchmarkLogin(b *testing.B) {
	clock := challengetest.NewClock()
	for _, c := range []struct {
		name  string
		build func(testing.TB, func() time.Time) http.Handler
	}{{"floor", floorLogin}, {"glue", glueLogin}, {"ours", ourLogin}} {
		b.Run(c.name, func(b *testing.B) {
			h := c.build(b, clock.Now)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n%benchAccounts == 0 {
					clock.Advance(12 * time.Hour) // a code works once, and a person logs in once or twice a day
				}
				token := benchPost(b, h, "/api/login", "", fmt.Sprintf(`{"username":"user%d","password":"correct-horse-battery"}`, n%benchAccounts))
				benchPost(b, h, "/api/login/verify", token, `{"code":"`+benchCode(clock.Now())+`"}`)
			}
		})
	}
}

func benchPost(b *testing.B, h http.Handler, path, token, body string) string {
	r := httptest.NewRequest("POST", path, bytes.NewReader([]byte(body)))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
		r.AddCookie(&http.Cookie{Name: "session", Value: token})
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var answer struct{ Token string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
		b.Fatal(w.Code, w.Body)
	}
	for _, c := range w.Result().Cookies() {
		if c.Name == "session" {
			return c.Value
		}
	}
	return answer.Token
}

// benchCode is RFC 6238 by hand.
func benchCode(now time.Time) string {
	key, _ := base32.StdEncoding.DecodeString(benchSecret)
	m := hmac.New(sha1.New, key)
	var step [8]byte
	binary.BigEndian.PutUint64(step[:], uint64(now.Unix()/30))
	m.Write(step[:])
	sum := m.Sum(nil)
	at := sum[19] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:at+4])&0x7fffffff)%1000000)
}

type benchBody struct{ Username, Password, Code string }

var benchHash = sha256.Sum256([]byte("correct-horse-battery"))

func benchRight(password string) bool {
	sum := sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(sum[:], benchHash[:]) == 1
}

func floorLogin(_ testing.TB, now func() time.Time) http.Handler {
	var mu sync.Mutex
	sessions := map[[32]byte]string{}
	fresh := func(what string) string {
		var b [32]byte
		_, _ = rand.Read(b[:])
		token := base64.RawURLEncoding.EncodeToString(b[:])
		mu.Lock()
		defer mu.Unlock()
		sessions[sha256.Sum256([]byte(token))] = what
		return token
	}
	answer := func(w http.ResponseWriter, token string) {
		_ = json.NewEncoder(w).Encode(map[string]string{"token": token})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/login", func(w http.ResponseWriter, r *http.Request) {
		var in benchBody
		if json.NewDecoder(r.Body).Decode(&in) != nil || !benchRight(in.Password) {
			w.WriteHeader(401)
			return
		}
		answer(w, fresh("pending "+in.Username))
	})
	mux.HandleFunc("POST /api/login/verify", func(w http.ResponseWriter, r *http.Request) {
		var in benchBody
		key := sha256.Sum256([]byte(r.Header.Get("Authorization")[len("Bearer "):]))
		mu.Lock()
		what := sessions[key]
		delete(sessions, key)
		mu.Unlock()
		if json.NewDecoder(r.Body).Decode(&in) != nil || what == "" || in.Code != benchCode(now()) {
			w.WriteHeader(401)
			return
		}
		answer(w, fresh("login "+what))
	})
	return mux
}

func glueLogin(_ testing.TB, now func() time.Time) http.Handler {
	sessions := scs.New()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/login", func(w http.ResponseWriter, r *http.Request) {
		var in benchBody
		if json.NewDecoder(r.Body).Decode(&in) != nil || !benchRight(in.Password) {
			w.WriteHeader(401)
			return
		}
		if sessions.RenewToken(r.Context()) != nil {
			w.WriteHeader(500)
			return
		}
		sessions.Put(r.Context(), "pending", in.Username)
		_, _ = w.Write([]byte("{}"))
	})
	mux.HandleFunc("POST /api/login/verify", func(w http.ResponseWriter, r *http.Request) {
		var in benchBody
		who := sessions.PopString(r.Context(), "pending")
		if json.NewDecoder(r.Body).Decode(&in) != nil || who == "" {
			w.WriteHeader(401)
			return
		}
		ok, err := totp.ValidateCustom(in.Code, benchSecret, now(), totp.ValidateOpts{Period: 30, Skew: 1, Digits: otp.DigitsSix})
		if err != nil || !ok || sessions.RenewToken(r.Context()) != nil {
			w.WriteHeader(401)
			return
		}
		sessions.Put(r.Context(), "user", who)
		_, _ = w.Write([]byte("{}"))
	})
	return sessions.LoadAndSave(mux)
}

func ourLogin(t testing.TB, now func() time.Time) http.Handler {
	kit := challengetest.New(challengetest.NewClock())
	for n := range benchAccounts {
		kit.Users.Add(challenge.Account{ID: fmt.Sprint(n), Name: fmt.Sprintf("user%d", n)}, "correct-horse-battery")
	}
	c := kit.Config(&stores.Memory{Clock: now})
	c.Clock = now
	c.Audit = audit.To(discardWriter{}, audit.Datadog)
	logins, err := challenge.New(c)
	if err != nil {
		t.Fatal(err)
	}
	for n := range benchAccounts {
		if err := logins.ImportTOTP(context.Background(), fmt.Sprint(n), benchSecret, ""); err != nil {
			t.Fatal(err)
		}
	}
	web, err := middleware.New(logins, middleware.Config{LoginRate: 10000})
	if err != nil {
		t.Fatal(err)
	}
	return web.RateLimit(func(dst []byte, s *middleware.Subject) []byte { // a key of its own each time: the rate is not what is measured
		return binary.BigEndian.AppendUint64(dst, uint64(now().UnixNano()))
	})(web.API().Routes())
}

type discardWriter struct{}

func (discardWriter) Write(b []byte) (int, error) { return len(b), nil }
