package demotest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/examples/internal/demo"
	"github.com/sallyport-go/sallyport/stores"
)

func basicHeader(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

func accessTokens(t *testing.T, of build) {
	s := start(t, of, nil)
	p := s.program()
	me := func(token string) int {
		t.Helper()
		return p.do(http.MethodGet, "/api/me", "", "Authorization", "Bearer "+token).status
	}
	a, v := p.json("/api/login/token", "", nil, "Authorization", basicHeader("reports", demo.Password))
	s.expect(a, http.StatusBadRequest, "") // null is no object
	a = p.do(http.MethodPost, "/api/login/token", "{}", "Content-Type", "application/json", "Authorization", basicHeader("reports", demo.Password))
	s.expect(a, http.StatusOK, "")
	if err := json.Unmarshal([]byte(a.body), &v); err != nil || v.ExpiresIn != 300 || me(v.Token) != http.StatusOK {
		t.Fatalf("%v: %s", err, a)
	}

	_, login := p.json("/api/login", "", map[string]string{"username": "dave", "password": demo.Password})
	a, access := p.json("/api/login/token", login.Token, map[string]string{})
	s.expect(a, http.StatusOK, "")
	if me(access.Token) != http.StatusOK || me(login.Token) != http.StatusOK {
		t.Error("an access token, or the login it was made from, does not open /api/me")
	}
	s.expect(p.do(http.MethodPost, "/api/login/token", "", "Authorization", "Bearer "+access.Token), http.StatusForbidden, "")
	s.expect(p.do(http.MethodPost, "/api/logout", "", "Authorization", "Bearer "+login.Token), http.StatusOK, "")
	if me(access.Token) != http.StatusUnauthorized {
		t.Error("I-16: an access token is alive after its login's logout")
	}
}

// stops is a store that can be stopped.
type stops struct {
	*stores.Memory
	stopped atomic.Bool
}

func (s *stops) Load(ctx context.Context, key string) ([]byte, error) {
	if s.stopped.Load() {
		return nil, errors.New("stopped")
	}
	return s.Memory.Load(ctx, key)
}

// everyAnswer has every operation of docs/openapi.json answer with each status that it is said to have.
func everyAnswer(t *testing.T, of build) {
	// On a site with a name there are passkeys, too.
	s := start(t, of, nil, "-addr", "localhost:0", "-login-rate", "100000", "-resend-after", "0s")
	p := s.program()

	// What goes well.
	_, v := p.json("/api/login", "", map[string]string{"username": "bob", "password": demo.Password})
	_, v = p.json("/api/login/verify", v.Token, map[string]string{"code": totp(t, bobSecret, time.Now())})
	p.do(http.MethodGet, "/api/me", "", "Authorization", "Bearer "+v.Token)
	p.json("/api/login/token", v.Token, map[string]string{})
	p.json("/api/login/fresh", v.Token, map[string]string{})
	p.json("/api/login/cancel", v.Token, map[string]string{}) // it is finished, and stays
	p.json("/api/logout", v.Token, map[string]string{})
	_, v = p.json("/api/login", "", map[string]string{"username": "carol", "password": demo.Password})
	p.json("/api/login/resend", v.Token, map[string]string{})
	p.json("/api/login/cancel", v.Token, map[string]string{})
	_, v = p.json("/api/login", "", map[string]string{"username": "erin", "password": demo.Password})
	a, v := p.json("/api/login/verify", v.Token, map[string]string{"code": s.code("erin@example.com")})
	var made struct{ Enrolment struct{ Key string } }
	if err := json.Unmarshal([]byte(a.body), &made); err != nil {
		t.Fatal(err)
	}
	if made.Enrolment.Key == "" { // a passkey is what is offered first
		a, v2 := p.json("/api/login/resend", v.Token, map[string]string{"method": "totp"})
		if err := json.Unmarshal([]byte(a.body), &made); err != nil {
			t.Fatal(err)
		}
		if v2.Token != "" {
			v = v2
		}
	}
	p.json("/api/login/enrol", v.Token, map[string]string{"code": totp(t, made.Enrolment.Key, time.Now())})
	p.do(http.MethodGet, "/api/login/passkey", "")

	// What does not.
	bodies := map[string]string{
		"/api/login": `{"username":"bob","password":"wrong"}`, "/api/login/verify": `{"code":"123456"}`, "/api/login/enrol": `{"code":"123456"}`,
		"/api/login/passkey": `{"code":"x"}`,
	}
	ways := map[string][]string{
		"400": {"X-MFA-Code", "123456", "X-MFA-Code", "123456", "Content-Type", "application/json"},
		"401": {"Authorization", "Digest x", "Content-Type", "application/json"},
		"403": {"Sec-Fetch-Site", "cross-site", "Content-Type", "application/json"},
		"413": {"Content-Type", "application/json"},
		"415": {"Content-Type", "text/plain"},
		"429": {"Content-Type", "application/json"},
		"503": {"Authorization", "Bearer " + strings.Repeat("A", 43), "Content-Type", "application/json"},
	}
	again := start(t, of, nil, "-addr", "localhost:0", "-login-rate", "1")
	store := new(stops)
	down := start(t, of, func(d *demo.Demo) {
		store.Memory, _ = d.Store.(*stores.Memory)
		d.Store = store
	}, "-addr", "localhost:0", "-login-rate", "100000")
	store.stopped.Store(true)
	again.doc, down.doc, down.fails = s.doc, s.doc, true
	for _, operation := range s.doc.Operations() {
		method, path, _ := strings.Cut(operation, " ")
		body := bodies[path]
		if body == "" && method == http.MethodPost {
			body = "{}"
		}
		for _, status := range s.doc.Statuses(operation) {
			headers, text, at := ways[status], body, p
			switch {
			case status == "200":
				continue
			case status == "413":
				text = `{"code":"` + strings.Repeat("x", 17<<10) + `"}`
			case status == "503":
				at = down.program()
			case status == "429":
				at = again.program()
			}
			if method == http.MethodGet && (status == "400" || status == "429") {
				headers = append(slices.Clone(headers), "Authorization", basicHeader("reports", "wrong"))
			}
			at.do(method, path, text, headers...)
			if status == "429" {
				at.do(method, path, text, headers...)
			}
		}
	}
	// That needs a browser's passkey: package browsertest has one.
	if got := s.doc.Unseen(); !slices.Equal(got, []string{"POST /api/login/passkey 200"}) {
		t.Errorf("described and never answered: %q", got)
	}
}
