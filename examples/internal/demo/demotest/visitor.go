package demotest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/examples/internal/demo"
	"github.com/sallyport-go/sallyport/examples/internal/demo/apidoc"
)

// build is what an example's main.go gives: the whole site.
type build = func(*demo.Demo) (http.Handler, error)

// site is an example that runs, with its files.
type site struct {
	t      *testing.T
	url    string
	outbox string
	audit  string
	stdout *buffer
	doc    *apidoc.Doc // what programs are told
	fails  bool        // 503 is what it is to answer
}

// buffer is written by a server and read by a test.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start runs a site with flags until the test ends. change, if any, replaces parts of it first.
func start(t *testing.T, site_ build, change func(*demo.Demo), flags ...string) *site {
	t.Helper()
	dir := t.TempDir()
	doc, err := apidoc.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, doc: doc, outbox: filepath.Join(dir, "outbox"), audit: filepath.Join(dir, "audit"), stdout: new(buffer)}
	args := append([]string{"-addr", "127.0.0.1:0", "-outbox", s.outbox, "-audit", s.audit}, flags...)
	d, err := demo.Open(args, s.stdout, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	if change != nil {
		change(d)
	}
	handler, err := site_(d)
	if err != nil {
		t.Fatal(err)
	}
	s.url = d.Site
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(ctx, handler) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server did not end well: %v", err)
		}
	})
	return s
}

// recoveryCodes are those that the start printed for alice.
func (s *site) recoveryCodes() []string {
	s.t.Helper()
	for line := range strings.Lines(s.stdout.String()) {
		if codes, found := strings.CutPrefix(line, "recovery codes for alice: "); found {
			return strings.Fields(codes)
		}
	}
	s.t.Fatalf("no recovery codes in %q", s.stdout)
	return nil
}

// message is one line of the outbox.
type message struct{ Channel, To, Code, Subject, Body string }

// sent are the messages to somebody that carry a code, the oldest first.
func (s *site) sent(to string) (list []message) {
	s.t.Helper()
	for _, line := range s.lines(s.outbox) {
		var m message
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&m); err != nil {
			s.t.Fatalf("outbox line %q: %v", line, err)
		}
		if m.To == to && m.Code != "" {
			list = append(list, m)
		}
	}
	return list
}

// code is the last one that was sent to somebody.
func (s *site) code(to string) string {
	s.t.Helper()
	list := s.sent(to)
	if len(list) == 0 {
		s.t.Fatalf("nothing was sent to %s", to)
	}
	return list[len(list)-1].Code
}

var eventName = regexp.MustCompile(`evt\.name="([^"]*)"`)

// events are the names of the audited events, the oldest first.
func (s *site) events() (names []string) {
	s.t.Helper()
	for _, line := range s.lines(s.audit) {
		m := eventName.FindStringSubmatch(line)
		if m == nil {
			s.t.Fatalf("audit line %q has no name", line)
		}
		names = append(names, m[1])
	}
	return names
}

func (s *site) lines(name string) (list []string) {
	s.t.Helper()
	f, err := os.Open(name)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		list = append(list, lines.Text())
	}
	return list
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
	to     string // the path and query that a redirect leads to
}

// String is the answer as a failed test shows it, without a page's head.
func (a answer) String() string {
	if _, page, found := strings.Cut(a.body, "<main>"); found {
		return page
	}
	return a.body
}

// program is a client without cookies.
type program struct {
	*site
	client *http.Client
}

func (s *site) program() *program {
	return &program{s, &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// protocolTime is how long a login may take; after that nothing is known and nobody gets in (I-20).
const protocolTime = 5 * time.Second

// again asks until the answer is another than 503, if the first 503 took as long as slow: then the machine is too slow for
// the time limits of the example, and no fault is to be looked for.
func again(slow time.Duration, ask func() (answer, reply)) (a answer, v reply) {
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		a, v = ask()
		if took := time.Since(begun); a.status != http.StatusServiceUnavailable || took < slow || took > patience {
			return a, v
		}
	}
}

// do sends a request, again where a slow machine is why it got 503; header holds pairs of name and value.
func (p *program) do(method, path, body string, header ...string) (a answer) {
	p.t.Helper()
	if p.fails {
		return p.once(method, path, body, header...)
	}
	a, _ = again(protocolTime, func() (answer, reply) { return p.once(method, path, body, header...), reply{} })
	return a
}

// once sends a request.
func (p *program) once(method, path, body string, header ...string) answer {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	res, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if strings.HasPrefix(path, "/api/") {
		if err := p.doc.Check(r, body, res.StatusCode, res.Header, string(b)); err != nil {
			p.t.Errorf("docs/openapi.json: %v", err)
		}
	}
	return answer{res.StatusCode, res.Header, string(b), strings.TrimPrefix(res.Header.Get("Location"), p.url)}
}

// json posts an object with a token, if there is one, and reads the answer.
func (p *program) json(path, token string, object map[string]string, header ...string) (answer, reply) {
	p.t.Helper()
	b, err := json.Marshal(object)
	if err != nil {
		p.t.Fatal(err)
	}
	header = append(header, "Content-Type", "application/json")
	if token != "" {
		header = append(header, "Authorization", "Bearer "+token)
	}
	a := p.do(http.MethodPost, path, string(b), header...)
	var v reply
	if err := json.Unmarshal([]byte(a.body), &v); err != nil && a.body != "" {
		p.t.Fatalf("%s answered %q: %v", path, a.body, err)
	}
	return a, v
}

// reply is an answer of the JSON routes.
type reply struct {
	Status    any // a word, or of a problem a number
	Token     string
	Methods   []string
	ExpiresIn int `json:"expires_in"`
	Type      string
	Username  string
}

// browser keeps cookies and the form token of the last page, and follows nothing by itself.
type browser struct {
	program
	token string
	send  func(ask func() answer) answer
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	b := &browser{program: *s.program(), send: func(ask func() answer) answer { return ask() }}
	b.client.Jar = jar
	return b
}

var formToken = regexp.MustCompile(`name="csrf_token" value="([^"]*)"`)

// get opens a page.
func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.keep(b.send(func() answer { return b.do(http.MethodGet, path, "") }))
}

// post sends a form of the last page; fields holds pairs of name and value.
func (b *browser) post(path string, fields ...string) answer {
	b.t.Helper()
	form := url.Values{"csrf_token": {b.token}}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.keep(b.send(func() answer {
		return b.do(http.MethodPost, path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Origin", b.url)
	}))
}

func (b *browser) keep(a answer) answer {
	if m := formToken.FindStringSubmatch(a.body); m != nil {
		b.token = html.UnescapeString(m[1])
	}
	return a
}

// password goes through the first step and leaves the browser on the page that follows it.
func (b *browser) password(name string) {
	b.t.Helper()
	b.get("/login")
	a := b.post("/login", "username", name, "password", demo.Password)
	b.expect(a, http.StatusSeeOther, "/login/verify")
	if got := b.get("/login/verify"); got.status != http.StatusOK {
		b.t.Fatalf("the code page answered %d: %s", got.status, got)
	}
}

// expect is about a status and where a redirect leads.
func (s *site) expect(a answer, status int, to string) {
	s.t.Helper()
	if a.status != status || a.to != to {
		s.t.Fatalf("status %d to %q, want %d to %q\n%s", a.status, a.to, status, to, a)
	}
}

// mentions is about words on a page.
func (s *site) mentions(a answer, words ...string) {
	s.t.Helper()
	for _, w := range words {
		if !strings.Contains(html.UnescapeString(a.body), w) {
			s.t.Errorf("%q does not stand in\n%s", w, a)
		}
	}
}

// totp computes RFC 6238 for a secret in base32: SHA-1, 30 seconds, 6 digits.
func totp(t testing.TB, secret string, at time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(secret, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, at.Unix()/30)
	sum := mac.Sum(nil)
	number := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&0xf:]) & 0x7fffffff
	return fmt.Sprintf("%06d", number%1_000_000)
}

// wrong is a code of the same form that is not right.
func wrong(right ...string) string {
	for i := range 1_000_000 {
		code := fmt.Sprintf("%06d", i)
		if !strings.Contains(strings.Join(right, " "), code) {
			return code
		}
	}
	return ""
}
