package middleware

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// told is the answer to a program.
type told struct {
	status int
	object map[string]any
	header http.Header
}

func (w *town) post(target, token, body string, headers ...string) told {
	w.t.Helper()
	status, object, header := w.call("POST", target, token, body, headers...)
	return told{status, object, header}
}

func (w *town) read(target, token string, headers ...string) told {
	w.t.Helper()
	status, object, header := w.call("GET", target, token, "", headers...)
	return told{status, object, header}
}

// half logs somebody in half and returns the token.
func (w *town) half(name string) string {
	w.t.Helper()
	a := w.post("/api/login", "", `{"username":"`+name+`","password":"`+password+`"}`)
	token, _ := a.object["token"].(string)
	if token == "" {
		w.t.Fatal(a)
	}
	return token
}

func verifies(code string) string { return `{"code":"` + code + `"}` }

// slowPasswords are checked when the test lets them.
type slowPasswords struct{ began, go_ chan struct{} }

func (s slowPasswords) Check(context.Context, challenge.Account, []byte) (challenge.PasswordMatch, error) {
	s.began <- struct{}{}
	<-s.go_
	return challenge.PasswordMatch{}, nil
}

// toEachProblem drives a site to each type of problem that there is.
var toEachProblem = map[string]func(*testing.T) told{
	"login-required": func(t *testing.T) told { return found(t).read("/api/me", "") },
	"refused":        func(t *testing.T) told { return found(t).post("/api/login", "", `{"username":"alice","password":"x"}`) },
	"wrong-code": func(t *testing.T) told {
		w := found(t)
		return w.post("/api/login/verify", w.half("alice"), verifies("000000"))
	},
	"code-already-used": func(t *testing.T) told {
		w := found(t)
		w.post("/api/login/verify", w.half("alice"), verifies(w.code()))
		return w.post("/api/login/verify", w.half("alice"), verifies(w.code()))
	},
	"clock-off": func(t *testing.T) told {
		w := found(t)
		a := w.post("/api/login/verify", w.half("erin"), verifies(w.Outbox.Code("erin@example.com")))
		key := strings.ReplaceAll(a.object["enrolment"].(map[string]any)["key"].(string), " ", "")
		return w.post("/api/login/verify", a.object["token"].(string), verifies(codeOf(t, key, w.Clock.Now().Add(4*time.Minute))))
	},
	"malformed-code": func(t *testing.T) told {
		w := found(t)
		return w.post("/api/login/verify", w.half("alice"), verifies("abc"))
	},
	"no-code": func(t *testing.T) told {
		w := found(t)
		w.half("carol") // in another place, where the code belongs
		return w.post("/api/login/verify", w.half("carol"), verifies("123456"))
	},
	"code-expired": func(t *testing.T) told {
		w := found(t, func(c *challenge.Config, _ *Config) { c.CodeTTL = time.Minute })
		token := w.half("carol")
		w.Clock.Advance(time.Minute)
		return w.post("/api/login/verify", token, verifies("123456"))
	},
	"no-pending-login": func(t *testing.T) told { return found(t).post("/api/login/verify", "", verifies("123456")) },
	"other-login": func(t *testing.T) told {
		w := found(t)
		return w.post("/api/login/verify", w.half("alice"), `{"code":"000000","login":"`+strings.Repeat("0", 32)+`"}`)
	},
	"method-unavailable": func(t *testing.T) told {
		w := found(t)
		return w.post("/api/login/verify", w.half("alice"), `{"code":"000000","method":"email"}`)
	},
	"not-allowed": func(t *testing.T) told {
		return found(t).read("/api/transfer", "", "Authorization", basicHeader("reports", password))
	},
	"wrong-password": func(t *testing.T) told {
		w := found(t)
		return w.post("/api/login/fresh", w.half("dave"), `{"password":"x"}`)
	},
	"code-blocked": func(t *testing.T) told {
		w := found(t)
		token := w.half("alice")
		for range 3 {
			w.post("/api/login/verify", token, verifies("000000"))
		}
		return w.post("/api/login/verify", token, verifies(w.code()))
	},
	"password-blocked": func(t *testing.T) told {
		w := found(t)
		known := []string{"Cookie", sessionCookie + "-device=" + w.browser().login().cookies[sessionCookie+"-device"]}
		for range 3 {
			w.post("/api/login", "", `{"username":"alice","password":"x"}`, known...)
		}
		return w.post("/api/login", "", `{"username":"alice","password":"x"}`, known...)
	},
	"cooldown": func(t *testing.T) told {
		w := found(t)
		return w.post("/api/login/resend", w.half("carol"), "")
	},
	"send-failed": func(t *testing.T) told {
		w := found(t)
		token := w.half("carol")
		w.Clock.Advance(time.Minute)
		w.Outbox.Fail(challenge.ChannelEmail, errTest)
		return w.post("/api/login/resend", token, "")
	},
	"busy": func(t *testing.T) told {
		slow := slowPasswords{make(chan struct{}, 2), make(chan struct{})}
		w := found(t, func(c *challenge.Config, _ *Config) { c.Passwords, c.HashSlots, c.HashQueue = slow, 1, 1 })
		answers := make(chan told, 3)
		ask := func() { answers <- w.post("/api/login", "", `{"username":"alice","password":"x"}`) }
		go ask()
		<-slow.began // in the one slot
		go ask()
		go ask() // of these two one waits, and one finds no room
		a := <-answers
		close(slow.go_)
		<-answers
		<-answers
		return a
	},
	"insufficient-user-authentication": func(t *testing.T) told {
		w := found(t)
		token := w.bearer()
		w.Clock.Advance(6 * time.Minute)
		return w.read("/api/transfer", token)
	},
	"cross-site": func(t *testing.T) told {
		return found(t).post("/api/login", "", `{"username":"alice","password":"x"}`, "Origin", "https://evil.example")
	},
	"bad-request":            func(t *testing.T) told { return found(t).post("/api/login", "", `{"username":"a","username":"b"}`) },
	"too-large":              func(t *testing.T) told { return found(t).post("/api/login", "", strings.Repeat(" ", 17<<10)) },
	"unsupported-media-type": func(t *testing.T) told { return found(t).post("/api/login", "", "", "Content-Type", "text/plain") },
	"method-not-allowed":     func(t *testing.T) told { return found(t).read("/api/login", "") },
	"rate-limited": func(t *testing.T) told {
		w := found(t, func(_ *challenge.Config, c *Config) { c.LoginRate = 1 })
		w.post("/api/login/cancel", "", "")
		return w.post("/api/login/cancel", "", "")
	},
	"unavailable": func(t *testing.T) told {
		w := found(t)
		w.store.failLoad.set(errTest)
		return w.read("/api/me", strings.Repeat("A", 43))
	},
	"not-found": func(t *testing.T) told { return found(t).post("/api/login/nowhere", "", "{}") },
}

var problemRow = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ([0-9]{3}) \\| [^|]+ \\| [^|]+ \\|$")

// Every type that the site answers with stands in docs/api.md, with its status, and every one that stands there is answered with.
func TestEveryProblemIsInTheTableAndEveryRowIsAProblem(t *testing.T) {
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]string{}
	for _, m := range problemRow.FindAllStringSubmatch(string(page), -1) {
		if table[m[1]] != "" {
			t.Errorf("%s stands there twice", m[1])
		}
		table[m[1]] = m[2]
	}
	for _, row := range problems {
		if table[row.slug] != fmt.Sprint(row.status) {
			t.Errorf("%s is answered with %d, docs/api.md says %q", row.slug, row.status, table[row.slug])
		}
		if toEachProblem[row.slug] == nil {
			t.Errorf("nothing here leads to %s", row.slug)
		}
	}
	for slug := range table {
		if toEachProblem[slug] == nil {
			t.Errorf("docs/api.md has %s, to which nothing leads", slug)
		}
	}
	for slug, drive := range toEachProblem {
		t.Run(slug, func(t *testing.T) {
			a := drive(t)
			if a.object["type"] != "urn:sallyport:problem:"+slug || fmt.Sprint(a.status) != table[slug] || a.object["status"] != float64(a.status) {
				t.Fatalf("%d %v", a.status, a.object)
			}
			if a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("Cache-Control") != "no-store" || a.object["title"] == "" || a.object["detail"] == "" {
				t.Errorf("%v %v", a.header, a.object)
			}
			if wait := a.header.Get("Retry-After"); (wait == "") != (a.status != 429 && slug != "busy") {
				t.Errorf("RFC 6585: Retry-After %q", wait)
			}
			if (a.status == 401) != (a.header.Get("WWW-Authenticate") != "") {
				t.Errorf("RFC 9110: WWW-Authenticate %q", a.header.Get("WWW-Authenticate"))
			}
			if (a.status == 405) != (a.header.Get("Allow") != "") {
				t.Errorf("RFC 9110: Allow %q", a.header.Get("Allow"))
			}
			if (slug == "rate-limited") != (a.header.Get("RateLimit") != "") {
				t.Errorf("RateLimit %q", a.header.Get("RateLimit"))
			}
		})
	}
}

// Most refusals are kept ready: what varies in one is said all the same, in the language that was asked for.
func TestARefusalThatIsKeptReadySaysWhatVaries(t *testing.T) {
	fast := found(t, func(_ *challenge.Config, c *Config) { c.LoginRate = 1 })
	fast.post("/api/login/cancel", "", "")
	for lang, want := range map[string]string{"": "Wait 60 seconds", "nl": "Wacht 60 seconden"} {
		a := fast.post("/api/login/cancel", "", "", "Accept-Language", lang)
		if detail := a.object["detail"].(string); !strings.Contains(detail, want) {
			t.Errorf("%q: %q", lang, detail)
		}
	}
	w := found(t)
	token := w.bearer()
	w.Clock.Advance(time.Hour / 2)
	for _, within := range []time.Duration{time.Minute, 2 * time.Minute} {
		target := fmt.Sprintf("/api/within/%d", within)
		w.mux.Handle(target, w.api.RequireFresh(within)(http.NotFoundHandler()))
		a := w.read(target, token)
		if age := within.Seconds(); a.object["max_age"] != age || !strings.Contains(a.header.Get("WWW-Authenticate"), fmt.Sprintf(`max_age="%v"`, age)) {
			t.Errorf("%v: %v %v", within, a.object, a.header)
		}
	}
	said := map[any]string{}
	for _, lang := range []string{"en", "nl", "de", "fr", "es"} {
		a := w.read("/api/me", "", "Accept-Language", lang)
		if got := a.header.Get("Content-Language"); got != lang {
			t.Errorf("%s: answered in %s", lang, got)
		}
		if twice := said[a.object["detail"]]; twice != "" {
			t.Errorf("%s and %s are told the same: %v", lang, twice, a.object)
		}
		said[a.object["detail"]] = lang
	}
}

// What answers share stays as it is, whatever an app's handler around a guard adds to a header of one of them.
func TestNobodyAddsToWhatAnswersShare(t *testing.T) {
	w := found(t)
	for name, guard := range map[string]http.Handler{
		"program": w.api.RequireSecondFactor(http.NotFoundHandler()), "browser": w.web.RequireSecondFactor(http.NotFoundHandler()),
	} {
		rw := discard{http.Header{}}
		guard.ServeHTTP(rw, httptest.NewRequest("GET", "/account", nil))
		for header, lines := range rw.h {
			if len(lines) != cap(lines) {
				t.Errorf("%s: %s has room for a line that the next answer would share", name, header)
			}
		}
	}
}
