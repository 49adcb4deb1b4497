package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

func TestAnotherSiteCannotMakeALoginSendCodes_I11(t *testing.T) {
	w := found(t, func(c *challenge.Config, _ *Config) { c.InsecureUnlimitedSends = true })
	b := w.browser()
	b.get("/login")
	b.want(b.post("/login", "username", "carol", "password", password), 303, "/login/verify")
	b.get("/login/verify")
	b.want(b.post("/login/verify", "code", w.Outbox.Code("carol@example.com")), 303, "/account")
	sent := len(w.Outbox.Messages())
	for range 3 { // a page that opens a window on ours
		r := httptest.NewRequest("GET", site+"/login/fresh?method=email&next=/account/transfer", nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		b.want(b.send(r), 200, "")
	}
	if n := len(w.Outbox.Messages()); n != sent {
		t.Errorf("%d mails went out", n-sent)
	}
	if !strings.Contains(b.page, "No code has been sent") || !strings.Contains(b.page, `name="method" value="email"`) {
		t.Error("the page does not say so, or has no button:\n", style.ReplaceAllString(b.page, ""))
	}
	// The person's own way there sends one.
	b.want(b.get("/login/fresh?next=/account/transfer"), 200, "")
	if n := len(w.Outbox.Messages()); n != sent+1 {
		t.Errorf("%d mails went out", n-sent)
	}
	b.want(b.post("/login/fresh", "code", w.Outbox.Code("carol@example.com"), "next", "/account/transfer"), 303, "/account/transfer")
}

func TestShowingAStepUpAgainSendsNothing_I15(t *testing.T) {
	w := found(t, func(c *challenge.Config, _ *Config) { c.InsecureUnlimitedSends = true })
	b := w.browser()
	b.get("/login")
	b.want(b.post("/login", "username", "sam", "password", password), 303, "/login/verify")
	b.get("/login/verify")
	b.want(b.post("/login/verify", "code", w.Outbox.Code("+31600000001")), 303, "/account")
	sent := len(w.Outbox.Messages())
	sends := func(what string, n int) {
		t.Helper()
		if now := len(w.Outbox.Messages()); now != sent+n {
			t.Errorf("%s: %d messages went out, want %d", what, now-sent, n)
		}
		sent = len(w.Outbox.Messages())
	}
	const here = "/login/fresh?next=%2Faccount%2Ftransfer&method="
	for _, method := range []string{"sms", "email"} {
		b.want(b.get(here+method), 200, "")
		sends("chosen: "+method, 1)
		for range 3 {
			b.want(b.get(here+method), 200, "")
			b.want(b.get("/login/fresh?next=/account/transfer"), 200, "")
		}
		sends("shown again: "+method, 0)
	}
	b.want(b.post("/login/fresh", "method", "email", "next", "/account/transfer"), 303, "/login/fresh?next=%2Faccount%2Ftransfer")
	sends("asked for by the button", 1)
	b.want(b.get(b.at), 200, "")
	sends("where that leads to", 0)
	w.Clock.Advance(10 * time.Minute)
	b.want(b.get(here+"email"), 200, "")
	sends("when the code is too old", 1)
	b.want(b.post("/login/fresh", "code", w.Outbox.Code("sam@example.com"), "next", "/account/transfer"), 303, "/account/transfer")

	// The code went another way.
	w.Outbox.Fail(challenge.ChannelSMS, errors.New("carrier down"))
	b.get(here + "sms")
	b.get(here + "sms")
	sends("by the fallback", 1)
}

func TestNobodysGuessesKeepAnybodyFromLoggingOut(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) { c.LoginRate = 3 })
	b := w.browser().loginDave()
	b.get("/account")
	last := 0
	for i := range 5 {
		other := w.browser()
		other.get("/login")
		last = other.post("/login", "username", fmt.Sprint("somebody", i), "password", "wrong").StatusCode
	}
	if last != 429 {
		t.Fatal("the limit is not reached: this test proves nothing")
	}
	b.get("/login/fresh")
	b.want(b.post("/logout"), 303, "/")
	b.want(b.get("/account"), 303, "/login?next=%2Faccount")
}

func TestALogoutWithoutABodyMayNameAnyType(t *testing.T) {
	w := found(t)
	for _, headers := range [][]string{nil, {"Content-Type", "application/json"}, {"Content-Type", "application/x-www-form-urlencoded"}} {
		w.Clock.Advance(60e9)
		token := w.bearer()
		if status, _, _ := w.call("POST", "/api/logout", token, "", headers...); status != 200 && status != 204 {
			t.Errorf("%v: %d", headers, status)
		}
		if status, _, _ := w.call("GET", "/api/me", token, ""); status != 401 {
			t.Errorf("%v: the login is alive", headers)
		}
	}
}

func TestHalfALoginsTokenIsAnsweredLikeNone_I02(t *testing.T) {
	w := found(t)
	_, a, _ := w.call("POST", "/api/login", "", `{"username":"alice","password":"`+password+`"}`)
	_, _, nobody := w.call("GET", "/api/me", "", "")
	_, _, half := w.call("GET", "/api/me", a["token"].(string), "")
	for name := range half {
		if name != "X-Request-Id" && fmt.Sprint(half[name]) != fmt.Sprint(nobody[name]) {
			t.Errorf("%s: %v, without a token %v", name, half[name], nobody[name])
		}
	}
}

func TestACodePageSaysWhenNothingWasSent(t *testing.T) {
	w := found(t)
	first, second := w.browser(), w.browser()
	for _, b := range []*browserClient{first, second} {
		b.get("/login")
		b.want(b.post("/login", "username", "carol", "password", password), 303, "/login/verify")
	}
	second.get("/login/verify")
	if !strings.Contains(second.page, "No code has been sent for this login yet. You can have one sent in 30 seconds.") {
		t.Error(style.ReplaceAllString(second.page, ""))
	}
	first.get("/login/verify")
	if strings.Contains(first.page, "No code has been sent") {
		t.Error("a code was sent here")
	}
}

func TestALoginThatIsCoolingDownSaysWhenAndAnEarlierCodeServesItsOwnLogin_I15(t *testing.T) {
	w := found(t)
	login := func() map[string]any {
		status, a, _ := w.call("POST", "/api/login", "", `{"username":"carol","password":"`+password+`"}`)
		if status != 200 {
			t.Fatal(status, a)
		}
		return a
	}
	first := login()
	w.Clock.Advance(10 * time.Second)
	second := login()
	if first["sent_to"] == nil || second["sent_to"] != nil || second["resend_in"] != 20.0 || len(w.Outbox.Messages()) != 1 {
		t.Errorf("%v, then %v, and %d mails", first, second, len(w.Outbox.Messages()))
	}
	code := w.Outbox.Code("carol@example.com")
	status, a, _ := w.call("POST", "/api/login/verify", second["token"].(string), `{"code":"`+code+`"}`)
	if status == 200 || a["type"] != "urn:sallyport:problem:code-expired" && a["type"] != "urn:sallyport:problem:no-code" {
		t.Errorf("I-13: another login's code: %d %v", status, a)
	}
	status, _, h := w.call("POST", "/api/login/resend", second["token"].(string), "")
	if status != 429 || h.Get("Retry-After") != "20" {
		t.Errorf("%d, Retry-After %q", status, h.Get("Retry-After"))
	}
	if status, a, _ := w.call("POST", "/api/login/verify", first["token"].(string), `{"code":"`+code+`"}`); status != 200 {
		t.Errorf("the login that the code was sent for: %d %v", status, a)
	}
}

// slowSink takes its time over every event.
type slowSink struct {
	release chan struct{}
	mu      sync.Mutex
	names   []audit.Name
}

func (s *slowSink) Record(_ context.Context, e audit.Event) error {
	if e.Name == audit.CredentialRefused {
		<-s.release
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = append(s.names, e.Name)
	return nil
}

func TestI21AFloodOfNobodysCredentialsLosesNoLogin(t *testing.T) {
	sink := &slowSink{release: make(chan struct{})}
	w := found(t, func(c *challenge.Config, _ *Config) { c.Audit, c.AuditRequired = sink, true })
	var flood sync.WaitGroup
	for range 300 {
		flood.Go(func() { w.call("GET", "/api/me", "junk", "") })
	}
	defer flood.Wait()
	defer close(sink.release)
	b := w.browser()
	b.get("/login")
	b.want(b.post("/login", "username", "alice", "password", password), 303, "/login/verify")
	b.get("/login/verify")
	b.want(b.post("/login/verify", "code", b.code()), 303, "/account")
	sink.mu.Lock()
	defer sink.mu.Unlock()
	if !slices.Contains(sink.names, audit.LoginWithMFA) {
		t.Errorf("%v", sink.names)
	}
}
