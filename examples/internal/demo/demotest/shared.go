//go:build linux

package demotest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/examples/internal/demo"
	"github.com/sallyport-go/sallyport/examples/internal/demo/apidoc"
)

// serverPassword is that of every server here; nothing that a process writes may hold it.
const serverPassword = "open-sesame-7f3a"

// RunShared builds the example in the current directory and runs it as two processes on one store of each kind. of is
// the example's own wiring.
func RunShared(t *testing.T, of build, kinds ...string) {
	t.Run("denies while the disk is full, and goes on by itself", func(t *testing.T) { t.Parallel(); diskFull(t, of) })
	program := filepath.Join(t.TempDir(), "example")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if kind == "sqlite" {
				tellShared(t, program, "sqlite:"+filepath.Join(t.TempDir(), "login.db"))
				t.Run("says at start what is wrong", func(t *testing.T) { saysWhatIsWrongWithFiles(t, program) })
				return
			}
			if testing.Short() && os.Getenv("CI") != "true" {
				t.Skip("starts a server")
			}
			s := startServer(t, kind)
			tellShared(t, program, s.url)
			t.Run("says at start what is wrong", func(t *testing.T) { saysWhatIsWrong(t, program, s) })
			t.Run("denies while the store fails, and goes on by itself", func(t *testing.T) { storeFails(t, program, s) })
		})
	}
}

// pair is one site that two processes serve on one store, behind a balancer that gives each request to the other one.
type pair struct {
	*site // by way of the balancer
	nodes [2]*node
}

// node is one process. What the site under it asks goes to this process alone.
type node struct {
	*site
	process *process
	launch  func()
}

// tooSlow is what a start ends with when the store did not answer in time.
const tooSlow = "challenge: unavailable"

// startPair starts both processes at once.
func startPair(t *testing.T, program, store string, flags ...string) *pair {
	t.Helper()
	dir := t.TempDir()
	doc, err := apidoc.Load()
	if err != nil {
		t.Fatal(err)
	}
	all := site{t: t, fails: true, doc: doc, outbox: filepath.Join(dir, "outbox"), audit: filepath.Join(dir, "audit")}
	p := &pair{site: new(site)}
	*p.site = all
	var turn atomic.Uint64
	balancer := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		to, _ := url.Parse(p.nodes[turn.Add(1)%2].url)
		r.SetURL(to)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}})
	t.Cleanup(balancer.Close)
	p.url = balancer.URL
	args := append([]string{"-addr", "127.0.0.1:0", "-site", p.url, "-store", store, "-key", filepath.Join(keys(t, store), "key"),
		"-outbox", all.outbox, "-audit", all.audit, "-trusted-proxies", "127.0.0.1/32"}, flags...)
	for i := range p.nodes {
		n := &node{site: new(site)}
		*n.site = all
		n.stdout = new(buffer)
		n.launch = func() {
			c := exec.Command(program, args...)
			c.Stdout = n.stdout
			n.process = launch(t, c)
		}
		n.launch()
		t.Cleanup(func() {
			if err := n.process.end(syscall.SIGTERM, patience); err != nil {
				t.Errorf("the process did not end well: %v", err)
			}
			if out := n.process.output.String(); strings.Contains(out, serverPassword) || strings.Contains(out, "panic") {
				t.Errorf("I-21: it wrote\n%.3000s", out)
			}
		})
		p.nodes[i] = n
	}
	for _, n := range p.nodes {
		n.url = "http://" + n.listening()
	}
	return p
}

// listening waits until the process says where it listens.
func (n *node) listening() string {
	n.t.Helper()
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(5 * time.Millisecond) {
		if _, rest, found := strings.Cut(n.stdout.String(), "listening on "); found && strings.Contains(rest, ":") && strings.Contains(rest, "\n") {
			at, _, _ := strings.Cut(rest, ": ")
			return at
		}
		select {
		case <-n.process.done:
			if !strings.Contains(n.process.output.String(), tooSlow) {
				n.t.Fatalf("it ended: %v\n%s", n.process.err, n.process.output)
			}
			n.launch()
		default:
		}
	}
	n.t.Fatalf("it does not start\n%s", n.process.output)
	return ""
}

var (
	keyFolders sync.Map // store → folder: every process on a store has the same key
	clients    atomic.Uint32
)

func keys(t *testing.T, store string) string {
	dir, loaded := keyFolders.Load(store)
	if !loaded {
		dir, _ = keyFolders.LoadOrStore(store, folder(t, nil))
	}
	return dir.(string)
}

// client is the header of an address that nobody has used, so that the limit on an address is not in the way.
func client() []string {
	n := clients.Add(1)
	return []string{"X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)}
}

// browser asks again, too.
func (p *pair) browser() *browser {
	b := p.site.browser()
	b.send = func(ask func() answer) answer {
		a, _ := again(0, func() (answer, reply) { return ask(), reply{} })
		return a
	}
	return b
}

// outages is how many requests were refused because a store failed, which one on a slow machine does.
func (p *pair) outages() (n int) {
	p.t.Helper()
	for _, line := range p.lines(p.audit) {
		if strings.Contains(line, `evt.name="store failed"`) {
			n++
		}
	}
	return n
}

// first takes the first step as a program.
func (n *node) first(name string) (answer, reply) {
	n.t.Helper()
	return again(0, func() (answer, reply) {
		return n.program().json("/api/login", "", map[string]string{"username": name, "password": demo.Password}, client()...)
	})
}

// login takes the first step, and returns the token of what follows.
func (n *node) login(name string) string {
	n.t.Helper()
	a, v := n.first(name)
	n.expect(a, http.StatusOK, "")
	return v.Token
}

// logout ends a login; one that a try without an answer has ended is nobody's.
func (n *node) logout(token string) {
	n.t.Helper()
	tries := 0
	a, _ := again(0, func() (answer, reply) {
		tries++
		return n.program().do(http.MethodPost, "/api/logout", "", "Authorization", "Bearer "+token), reply{}
	})
	if tries == 1 || a.status != http.StatusUnauthorized {
		n.expect(a, http.StatusOK, "")
	}
}

// knows expects an answer to who a token is.
func (n *node) knows(token string, status int) {
	n.t.Helper()
	a, _ := again(0, func() (answer, reply) { return n.me(token), reply{} })
	n.expect(a, status, "")
}

// me asks who a token is.
func (n *node) me(token string) answer {
	n.t.Helper()
	return n.program().do(http.MethodGet, "/api/me", "", "Authorization", "Bearer "+token)
}

// count is how many audited events of both processes have a name and a user.
func (p *pair) count(event, user string) (n int) {
	p.t.Helper()
	for _, line := range p.lines(p.audit) {
		if strings.Contains(line, `evt.name="`+event+`"`) && strings.Contains(line, `usr.name="`+user+`"`) {
			n++
		}
	}
	return n
}

// together sends n posts of an object to both processes at once, and counts the answers by status.
func (p *pair) together(n int, path, token string, object func(int) map[string]string) (statuses map[int]int, tokens []string) {
	statuses = make(map[int]int)
	var mu sync.Mutex
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-begin
			a, v := p.nodes[i%2].program().json(path, token, object(i), client()...)
			mu.Lock()
			defer mu.Unlock()
			statuses[a.status]++
			if a.status == http.StatusOK {
				tokens = append(tokens, v.Token)
			}
		})
	}
	close(begin)
	all.Wait()
	return statuses, tokens
}

// tellShared tells what has to hold whichever process is asked.
func tellShared(t *testing.T, program, store string) {
	p := startPair(t, program, store)
	for _, story := range []struct {
		name string
		tell func(*testing.T, *pair)
	}{
		{"two first starts give alice her authenticator and her codes once", importedOnce},
		{"I-04 fifty right codes at once over both make one login", onePromotion},
		{"a code made on one is right on the other", codeFromTheOther},
		{"a browser logs in through both by turns", browserByTurns},
		{"I-16 logging out on one, or everywhere, holds on the other", outOnBoth},
		{"I-07 wrong codes at once over both are compared three times, and the block holds on both", wrongCodesTogether},
		{"I-07 wrong passwords at once over both are compared three times, and the block holds on both", wrongPasswordsTogether},
		{"the login rate of an address is one budget", oneRate},
	} {
		t.Run(story.name, func(t *testing.T) { story.tell(t, p.in(t)) })
	}
	t.Run("a later start finds everything as it was", func(t *testing.T) {
		later := startPair(t, program, store)
		for _, n := range later.nodes {
			if out := n.stdout.String(); !strings.Contains(out, "recovery codes for alice: (printed by") || recoveryCode.MatchString(out) {
				t.Errorf("printed %q", out)
			}
		}
		a, _ := later.nodes[0].first("sam")
		later.expect(a, http.StatusTooManyRequests, "") // I-20: no counter falls back to zero
	})
	t.Run("another key is refused", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var err error
		out := []byte(tooSlow)
		for ctx.Err() == nil && strings.Contains(string(out), tooSlow) {
			out, err = exec.CommandContext(ctx, program, "-addr", "127.0.0.1:0", "-store", store, "-key", filepath.Join(t.TempDir(), "key")).CombinedOutput()
		}
		if err == nil || !strings.Contains(string(out), "another key") {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// in is the same pair for a story of its own.
func (p *pair) in(t *testing.T) *pair {
	q := &pair{site: new(site)}
	*q.site = *p.site
	q.t = t
	for i, n := range p.nodes {
		q.nodes[i] = &node{new(site), n.process, n.launch}
		*q.nodes[i].site = *n.site
		q.nodes[i].t = t
	}
	return q
}

func importedOnce(t *testing.T, p *pair) {
	printed := 0
	for _, n := range p.nodes {
		out := n.stdout.String()
		if !strings.Contains(out, "recovery codes for alice: ") {
			t.Errorf("nothing about recovery codes in %q", out)
		}
		if codes := recoveryCode.FindAllString(out, -1); len(codes) == 10 {
			printed++
		}
	}
	if printed != 1 {
		t.Errorf("%d of two processes printed ten codes", printed)
	}
	if a, b := p.count("second factor imported", "alice"), p.count("recovery codes created", "alice"); a != 1 || b != 1 {
		t.Errorf("%d authenticators and %d times recovery codes", a, b)
	}
	// A second authenticator with the same secret would take the code again (I-12).
	code := totp(t, aliceSecret, time.Now())
	for i, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		r, err := http.NewRequest(http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("alice", demo.Password)
		a, _ := again(0, func() (answer, reply) {
			return p.nodes[i].program().do(http.MethodGet, "/api/me", "", append(client(), "Authorization", r.Header.Get("Authorization"), "X-MFA-Code", code)...), reply{}
		})
		p.expect(a, want, "")
	}
}

func onePromotion(t *testing.T, p *pair) {
	pending := p.nodes[0].login("bob")
	before := p.outages()
	code := totp(t, bobSecret, time.Now())
	statuses, tokens := p.together(50, "/api/login/verify", pending, func(int) map[string]string { return map[string]string{"code": code} })
	// What the store did not answer in time may have been the one.
	outages := p.outages() - before
	if len(tokens) > 1 || len(tokens)+outages < 1 {
		t.Fatalf("%d logins, %d outages: %v", len(tokens), outages, statuses)
	}
	if n := p.count("user login with MFA", "bob"); n > 1 || n < len(tokens) {
		t.Errorf("%d logins were audited, and %d made", n, len(tokens))
	}
	for _, token := range tokens {
		for _, n := range p.nodes {
			n.knows(token, http.StatusOK)
			n.knows(pending, http.StatusUnauthorized)
		}
		p.nodes[1].logout(token)
		for _, n := range p.nodes {
			n.knows(token, http.StatusUnauthorized) // I-16
		}
	}
}

func codeFromTheOther(t *testing.T, p *pair) {
	pending := p.nodes[0].login("carol")
	a, v := again(0, func() (answer, reply) {
		return p.nodes[1].program().json("/api/login/verify", pending, map[string]string{"code": p.code("carol@example.com")}, client()...)
	})
	p.expect(a, http.StatusOK, "")
	for _, n := range p.nodes {
		n.knows(v.Token, http.StatusOK)
	}
}

func browserByTurns(t *testing.T, p *pair) {
	b := p.browser()
	b.get("/login")
	b.get("/login") // the form's token comes from the one process, and is shown to the other
	s := p.sent("erin@example.com")
	b.password("erin")
	if n := len(p.sent("erin@example.com")); n != len(s)+1 {
		t.Fatalf("%d codes were sent", n)
	}
	p.expect(b.post("/login/verify", "code", p.code("erin@example.com")), http.StatusSeeOther, "/login/verify")
	a := b.get("/login/verify")
	if !strings.Contains(a.body, "otpauth://totp/") {
		t.Errorf("no authenticator app to set up on\n%s", a)
	}
	p.expect(b.get("/account"), http.StatusSeeOther, "/login?next=%2Faccount") // I-02
	p.expect(b.get("/account"), http.StatusSeeOther, "/login?next=%2Faccount")
}

func outOnBoth(t *testing.T, p *pair) {
	b := p.browser()
	b.get("/login")
	p.expect(b.post("/login", "username", "dave", "password", demo.Password), http.StatusSeeOther, "/account")
	tokens := []string{p.nodes[0].login("dave"), p.nodes[1].login("dave"), p.nodes[0].login("dave")}
	p.nodes[1].logout(tokens[0])
	for _, n := range p.nodes {
		n.knows(tokens[0], http.StatusUnauthorized)
		n.knows(tokens[1], http.StatusOK)
		n.knows(tokens[2], http.StatusOK)
	}
	b.get("/account/security/sessions")
	p.expect(b.post("/account/security/sessions/end-all"), http.StatusSeeOther, "/login")
	for range 2 {
		p.expect(b.get("/account"), http.StatusSeeOther, "/login?next=%2Faccount")
	}
	for _, n := range p.nodes {
		for _, token := range tokens {
			n.knows(token, http.StatusUnauthorized)
		}
	}
}

func wrongCodesTogether(t *testing.T, p *pair) {
	pending := p.nodes[0].login("sam")
	right := p.code("+31600000001")
	before := p.outages()
	statuses, _ := p.together(100, "/api/login/verify", pending, func(i int) map[string]string {
		return map[string]string{"code": wrong(right, fmt.Sprintf("%06d", i))}
	})
	outages := p.outages() - before // each a guess that was perhaps spent, and not compared
	if n := p.count("Invalid MFA entered", "sam"); n > 3 || n+outages < 3 || statuses[http.StatusOK] != 0 || statuses[http.StatusUnauthorized] > 3 {
		t.Errorf("%d codes were compared, %d outages: %v", n, outages, statuses)
	}
	for _, n := range p.nodes {
		a, _ := n.program().json("/api/login/verify", pending, map[string]string{"code": right}, client()...)
		if a.status == http.StatusOK {
			t.Error("I-09: the right code was looked at inside the block")
		}
		a, _ = n.first("sam")
		n.expect(a, http.StatusTooManyRequests, "")
	}
}

func wrongPasswordsTogether(t *testing.T, p *pair) {
	before := p.outages()
	statuses, _ := p.together(40, "/api/login", "", func(i int) map[string]string {
		return map[string]string{"username": "erin", "password": fmt.Sprint("wrong", i)}
	})
	outages := p.outages() - before // each a guess that was perhaps spent, and not compared
	compared := p.count("invalid password", "erin")
	if compared > 3 || compared+outages < 3 || statuses[http.StatusOK] != 0 {
		t.Errorf("%d passwords were compared, %d outages: %v", compared, outages, statuses)
	}
	for _, n := range p.nodes {
		a, _ := n.first("erin")
		n.expect(a, http.StatusUnauthorized, "") // I-10: the same for a stranger
	}
	if n := p.count("invalid password", "erin"); n != compared {
		t.Errorf("I-09: %d passwords were compared", n)
	}
}

func oneRate(t *testing.T, p *pair) {
	from, begun := client(), time.Now()
	var got []int
	for i := range 30 {
		a, _ := p.nodes[i%2].program().json("/api/login", "", map[string]string{"username": "nobody", "password": "x"}, from...)
		got = append(got, a.status)
	}
	took := time.Since(begun)
	count := func(status int) (n int) {
		for _, s := range got {
			if s == status {
				n++
			}
		}
		return n
	}
	// Of a request that the store did not answer in time it is not known whether it was let through.
	allowed, unknown := count(http.StatusUnauthorized), count(http.StatusServiceUnavailable)
	if most := 21 + int(took/(3*time.Second)); allowed+unknown < 20 || allowed > most {
		t.Errorf("%d of 30 were let through, and perhaps %d more, want 20 to %d: %v", allowed, unknown, most, got)
	}
}
