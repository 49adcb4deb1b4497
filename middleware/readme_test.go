package middleware_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/middleware/middlewaretest"
)

// The README's smallest program is what people paste first, so it is built as it stands there, but for its port, and used.
func TestTheREADMEsProgramLogsSomebodyInAndOut(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, ok := strings.Cut(string(readme), "```go\npackage main\n")
	program, _, end := strings.Cut(program, "```")
	if !ok || !end {
		t.Fatal("README.md has no whole program")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().String()
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, []byte("package main\n"+strings.ReplaceAll(program, "127.0.0.1:8080", address)), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, "examples", "readme", "main.go"): file}})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "program.exe") // as Windows wants it
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "-overlay", overlayFile, "./examples/readme")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	_ = l.Close() // only now, so that meanwhile nobody else is given the port
	cmd = exec.CommandContext(t.Context(), binary)
	outbox, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) { // another process starts
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
			break
		}
		if time.Since(begun) > 2*time.Minute {
			t.Fatalf("it does not listen: %v", err)
		}
	}

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client, site := &http.Client{Jar: jar}, "http://"+address
	post := func(path, page string, pairs ...string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", site+path, strings.NewReader(middlewaretest.FillIn(page, pairs...).Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", site)
		return read(client.Do(r))
	}
	page := post("/login", read(client.Get(site+"/")), "username", "ann", "password", "correct-horse-battery")
	var mail struct{ Code string }
	if err := json.NewDecoder(outbox).Decode(&mail); err != nil {
		t.Fatal(err)
	}
	page = post("/login/verify", page, "code", mail.Code)
	if !strings.HasPrefix(page, "/account 200 ") || !strings.Contains(page, "Hello, ann.") {
		t.Fatal(page)
	}
	if page = post("/logout", page); !strings.HasPrefix(page, "/login 200 ") {
		t.Error(page)
	}
}

// What the docs show is quoted from tests, which run. Layout does not count. The README's program is built and run above, and its
// pieces that begin with "func" are about the app's own types.
func TestEveryPieceOfGoInTheDocsIsQuotedFromATest(t *testing.T) {
	layout := regexp.MustCompile(`\s+`)
	plain := func(s string) string { return strings.TrimSpace(layout.ReplaceAllString(s, " ")) }
	var tests strings.Builder
	for _, pattern := range []string{"*_test.go", "middlewaretest/*_test.go", "../challenge/*_test.go", "../challenge/webauthn/*_test.go", "../senders/*_test.go", "../senders/sendertest/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			tests.WriteString(plain(string(b)) + "\n")
		}
	}
	all, blocks := tests.String(), regexp.MustCompile("(?s)```go\n(.*?)```")
	found := 0
	for _, page := range []string{"../README.md", "../docs/api.md", "../docs/pages.md", "../docs/recipes.md"} {
		doc, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range blocks.FindAllStringSubmatch(string(doc), -1) {
			if page == "../README.md" && regexp.MustCompile(`^(package|func|sms|rdb) `).MatchString(m[1]) {
				continue
			}
			if found++; !strings.Contains(all, plain(m[1])) {
				t.Errorf("%s: no test has\n%s", page, m[1])
			}
		}
	}
	if found < 10 {
		t.Error("no piece of Go: is this check blind?")
	}
}
