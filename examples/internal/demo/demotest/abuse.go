package demotest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/examples/internal/demo"
)

// Somebody who guesses, in every way that we could think of.
var attacks = []struct {
	name string
	tell func(t *testing.T, open func(flags ...string) *site)
}{
	{"logging in again gives no new codes to guess", guessingByLoggingInAgain},
	{"many pending logins share the guesses", guessingOverManyPendingLogins},
	{"no surface has guesses of its own", guessingOnEverySurface},
	{"five hundred accounts are tried from one client", spraying},
	{"a name written otherwise is the same name", otherSpellings},
	{"headers that anybody can write change no client", forgedHeaders},
	{"a client moves within its IPv6 network", withinOneNetwork},
	{"the owner gets in on a known device", lockedOutByAStranger},
}

func abuse(t *testing.T, of build) {
	for _, kind := range []string{"memory", "sqlite", "redis"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			store := func(t *testing.T) []string { return nil }
			switch kind {
			case "sqlite":
				store = func(t *testing.T) []string { return []string{"-store", "sqlite:" + filepath.Join(t.TempDir(), "db")} }
			case "redis":
				next := redisDatabases(t)
				store = func(t *testing.T) []string {
					return []string{"-store", next(), "-key", filepath.Join(t.TempDir(), "key")}
				}
			}
			for _, attack := range attacks {
				t.Run(attack.name, func(t *testing.T) {
					t.Parallel()
					attack.tell(t, func(flags ...string) *site {
						return start(t, of, nil, slices.Concat([]string{"-login-rate", "100000"}, flags, store(t))...)
					})
				})
			}
		})
	}
}

// count is how many events of a name there are, about somebody where a user is given.
func (s *site) count(name, user string) (n int) {
	s.t.Helper()
	for _, line := range s.lines(s.audit) {
		if strings.Contains(line, `evt.name="`+name+`"`) && (user == "" || strings.Contains(line, `usr.name="`+user+`"`)) {
			n++
		}
	}
	return n
}

// compared checks that as many wrong codes were compared as there are guesses, and that the account is blocked.
func (s *site) compared(user string) {
	s.t.Helper()
	if n := s.count("Invalid MFA entered", user); n != 3 {
		s.t.Errorf("I-08: %d wrong codes were compared, want 3", n)
	}
	p := s.program()
	a, v := p.json("/api/login", "", map[string]string{"username": user, "password": demo.Password})
	if a.status != http.StatusTooManyRequests || v.Token != "" || a.header.Get("Retry-After") == "" {
		s.t.Errorf("I-09: a right password inside the block: %d %s", a.status, a)
	}
}

// never is a code that is wrong now and for a while.
func never(t *testing.T, secret string) string {
	var right []string
	for step := range 20 {
		right = append(right, totp(t, secret, time.Now().Add(time.Duration(step-4)*30*time.Second)))
	}
	return wrong(right...)
}

func mustURL(t *testing.T, s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func guessingByLoggingInAgain(t *testing.T, open func(...string) *site) {
	s := open()
	bad := never(t, aliceSecret)
	for range 8 {
		b := s.browser()
		b.get("/login")
		if b.post("/login", "username", "alice", "password", demo.Password).status == http.StatusSeeOther {
			b.get("/login/verify")
			b.post("/login/verify", "code", bad)
		}
	}
	s.compared("alice")
}

func guessingOverManyPendingLogins(t *testing.T, open func(...string) *site) {
	s := open()
	p := s.program()
	bad := never(t, bobSecret)
	var pending []string
	for range 12 {
		_, v := p.json("/api/login", "", map[string]string{"username": "bob", "password": demo.Password})
		pending = append(pending, v.Token)
	}
	for _, token := range pending {
		p.json("/api/login/verify", token, map[string]string{"code": bad})
	}
	s.compared("bob")
	for _, token := range pending { // none of them is of any use any more, not even for the right code
		if a, _ := p.json("/api/login/verify", token, map[string]string{"code": totp(t, bobSecret, time.Now())}); a.status < 400 {
			t.Errorf("I-09: a pending login from before the block: %d", a.status)
		}
	}
}

func guessingOnEverySurface(t *testing.T, open func(...string) *site) {
	// Each surface gives one guess; which three of them spend the budget makes no difference to the rest.
	for turn := range 6 {
		s := open()
		bad := never(t, aliceSecret)
		in := s.browser() // somebody else's machine on which alice is logged in
		in.password("alice")
		s.expect(in.post("/login/verify", "code", totp(t, aliceSecret, time.Now())), http.StatusSeeOther, "/account")
		device := slices.DeleteFunc(in.client.Jar.Cookies(mustURL(t, s.url)), func(c *http.Cookie) bool { return !strings.HasSuffix(c.Name, "-device") })
		if len(device) != 1 {
			t.Fatal("no cookie tells the device")
		}
		cookie := device[0].Name + "=" + device[0].Value // all of it happens on one device, which has one budget (I-11)
		p := s.program()
		login := func(header ...string) (answer, reply) {
			return p.json("/api/login", "", map[string]string{"username": "alice", "password": demo.Password}, append(header, "Cookie", cookie)...)
		}
		surfaces := []func(){
			func() { // the code page
				b := s.browser()
				b.client.Jar.SetCookies(mustURL(t, s.url), device)
				b.get("/login")
				if b.post("/login", "username", "alice", "password", demo.Password).status == http.StatusSeeOther {
					b.get("/login/verify")
					b.post("/login/verify", "code", bad)
				}
			},
			func() {
				_, v := login()
				p.json("/api/login/verify", v.Token, map[string]string{"code": bad, "method": "totp"}, "Cookie", cookie)
			},
			func() { login("X-MFA-Code", bad) },
			func() {
				p.do(http.MethodGet, "/api/me", "", "Authorization", basicHeader("alice", demo.Password), "X-MFA-Code", bad, "Cookie", cookie)
			},
			func() { in.get("/login/fresh"); in.post("/login/fresh", "code", bad) },
			func() { // a new authenticator's first code
				in.get("/account/security/totp")
				in.post("/account/security/totp", "name", "another")
				in.post("/account/security/totp", "code", bad)
			},
		}
		for i := range surfaces {
			surfaces[(i+turn)%len(surfaces)]()
		}
		if n := s.count("Invalid MFA entered", "alice"); n != 3 {
			t.Errorf("I-08: beginning with surface %d: %d wrong codes were compared, want 3", turn, n)
		}
		if n := s.count("Max MFA attempts exceeded", "alice"); n < 2 {
			t.Errorf("I-21: %d events say that the guesses are spent", n)
		}
		s.expect(in.get("/account"), http.StatusOK, "") // I-11: a block ends no login
	}
}

func spraying(t *testing.T, open func(...string) *site) {
	s := open("-login-rate", "20")
	p := s.program()
	statuses := map[int]int{}
	began := time.Now()
	for i := range 500 {
		name := fmt.Sprintf("user%d", i)
		if i%100 == 50 {
			name = []string{"alice", "bob", "carol", "sam", "erin"}[i/100]
		}
		a, _ := p.json("/api/login", "", map[string]string{"username": name, "password": "Winter2026!"})
		statuses[a.status]++
		if a.status == http.StatusTooManyRequests && a.header.Get("Retry-After") == "" {
			t.Fatal("a 429 without Retry-After")
		}
	}
	most := 21 + int(20*time.Since(began).Minutes()) // twenty at once, and twenty a minute
	if looked := s.count("unknown user", "") + s.count("invalid password", ""); looked != statuses[http.StatusUnauthorized] || looked < 20 || looked > most || statuses[http.StatusTooManyRequests] != 500-looked {
		t.Errorf("%d passwords were looked at: %v", looked, statuses)
	}
	if n := s.count("rate limit exceeded", ""); n != statuses[http.StatusTooManyRequests] {
		t.Errorf("I-21: %d events say so, of %d", n, statuses[http.StatusTooManyRequests])
	}
	if n := len(s.sent("carol@example.com")); n != 0 {
		t.Errorf("I-15: %d messages went out", n)
	}
}

func otherSpellings(t *testing.T, open func(...string) *site) {
	s := open()
	p := s.program()
	for _, name := range []string{"Alice", "ALICE", "\uff21\uff4c\uff49\uff43\uff45", "aLiCe", "\uff41lice"} { // the full-width forms among them
		a, _ := p.json("/api/login", "", map[string]string{"username": name, "password": "wrong"})
		s.expect(a, http.StatusUnauthorized, "")
	}
	if n := s.count("invalid password", "alice"); n != 3 {
		t.Errorf("I-08: %d passwords of alice were compared", n)
	}
	a, _ := p.json("/api/login", "", map[string]string{"username": "alice", "password": demo.Password})
	s.expect(a, http.StatusUnauthorized, "") // blocked, and a stranger is not told
	// A name that is nobody's has the same number, however it is written (é as one rune or as two).
	for range 2 {
		for _, name := range []string{"Ren\u00e9e", "rene\u0301e", "REN\u00c9E"} {
			p.json("/api/login", "", map[string]string{"username": name, "password": "wrong"})
		}
	}
	if n := s.count("unknown user", "ren\u00e9e"); n != 3 {
		t.Errorf("I-10: %d passwords of nobody were looked at; %q", n, slices.DeleteFunc(s.lines(s.audit), func(l string) bool { return !strings.Contains(l, "ren") }))
	}
}

// fiveAMinute is how many tries one client may have had by now: five at once, and one in twelve seconds.
func fiveAMinute(began time.Time) int { return 6 + int(time.Since(began)/(12*time.Second)) }

func forgedHeaders(t *testing.T, open func(...string) *site) {
	s := open("-login-rate", "5")
	p := s.program()
	names := []string{"X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP", "X-Forwarded", "Forwarded-For"}
	tries, began := map[int]int{}, time.Now()
	for i := range 40 {
		address := fmt.Sprintf("203.0.113.%d", i)
		value := address
		if names[i%len(names)] == "Forwarded" {
			value = "for=" + address
		}
		a, _ := p.json("/api/login", "", map[string]string{"username": fmt.Sprint("user", i), "password": "x"}, names[i%len(names)], value)
		tries[a.status]++
	}
	if n := tries[http.StatusUnauthorized]; n > fiveAMinute(began) || tries[http.StatusTooManyRequests] != 40-n {
		t.Errorf("I-22: %v", tries)
	}
	for _, line := range s.lines(s.audit) {
		if strings.Contains(line, "203.0.113.") {
			t.Errorf("I-22: the audit believes it: %s", line)
		}
	}
}

func withinOneNetwork(t *testing.T, open func(...string) *site) {
	s := open("-login-rate", "5", "-trusted-proxies", "127.0.0.0/8,::1/128")
	p := s.program()
	try := func(address string) int {
		a, _ := p.json("/api/login", "", map[string]string{"username": fmt.Sprint("user", rand.Uint64()), "password": "x"}, "X-Forwarded-For", "192.0.2.200, "+address)
		return a.status
	}
	statuses, began := map[int]int{}, time.Now()
	for range 40 {
		statuses[try(fmt.Sprintf("2001:db8:1:2:%x:%x:%x:%x", rand.IntN(1<<16), rand.IntN(1<<16), rand.IntN(1<<16), rand.IntN(1<<16)))]++
	}
	if n := statuses[http.StatusUnauthorized]; n > fiveAMinute(began) || statuses[http.StatusTooManyRequests] != 40-n {
		t.Errorf("I-22: %v", statuses)
	}
	if got := try("2001:db8:1:3::1"); got != http.StatusUnauthorized {
		t.Errorf("I-22: another network: %d", got)
	}
	// One IPv4 address, written as itself and as IPv6.
	clear(statuses)
	began = time.Now()
	for i := range 20 {
		statuses[try([]string{"198.51.100.7", "::ffff:198.51.100.7", "[::ffff:c633:6407]:443", "198.51.100.7:99"}[i%4])]++
	}
	if statuses[http.StatusUnauthorized] > fiveAMinute(began) {
		t.Errorf("I-22: an address by another name: %v", statuses)
	}
}

func lockedOutByAStranger(t *testing.T, open func(...string) *site) {
	s := open()
	owner := s.browser()
	owner.password("alice")
	s.expect(owner.post("/login/verify", "code", s.recoveryCodes()[0]), http.StatusSeeOther, "/account")
	owner.get("/account")
	s.expect(owner.post("/logout"), http.StatusSeeOther, "/")
	stranger := s.browser()
	stranger.get("/login")
	for range 6 {
		stranger.post("/login", "username", "alice", "password", "wrong")
	}
	stranger.get("/login")
	s.expect(stranger.post("/login", "username", "alice", "password", demo.Password), http.StatusUnauthorized, "")
	s.mentions(answer{body: strings.Join(s.lines(s.audit), "\n")}, "Max login attempts exceeded")

	owner.password("alice")
	s.expect(owner.post("/login/verify", "code", s.recoveryCodes()[1]), http.StatusSeeOther, "/account")
	s.expect(owner.get("/account"), http.StatusOK, "")
	// And the stranger is as blocked as before.
	s.expect(stranger.post("/login", "username", "alice", "password", demo.Password), http.StatusUnauthorized, "")
}
