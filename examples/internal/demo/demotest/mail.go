package demotest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// mailed logs carol in with the code out of the mail that the program sends to a real port.
func mailed(t *testing.T, program string) {
	ending := make(chan struct{})
	port, mails := catchAll(t, ending)
	cmd := exec.Command(program, "-addr", "127.0.0.1:0", "-smtp", fmt.Sprintf("smtp://127.0.0.1:%d?from=login@acme.example&insecure-no-tls=true", port))
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	defer func() { _ = cmd.Process.Kill() }()
	at := ""
	for lines := bufio.NewScanner(stdout); at == "" && lines.Scan(); {
		if line := lines.Text(); strings.HasPrefix(line, "listening on ") {
			at = line[strings.LastIndexByte(line, ' ')+1:]
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, stdout)
		ended <- cmd.Wait()
	}()

	post := func(want int, path, bearer, body string) (answer struct{ Status, Token string }) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != want {
			t.Fatalf("%s: status %d", path, res.StatusCode)
		}
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil && want == http.StatusOK { // a problem has numbers there
			t.Fatal(err)
		}
		return answer
	}
	pending := post(http.StatusOK, "/api/login", "", `{"username":"carol","password":"correct-horse-battery"}`)
	text, html := bodies(t, next(t, mails))
	code := regexp.MustCompile(`(?m)^[0-9]{6}\r?$`)
	got := strings.TrimSpace(code.FindString(text))
	if got == "" || got != strings.TrimSpace(code.FindString(html)) || !strings.Contains(html, "<html") {
		t.Fatalf("the code is %q in the text and %q in the HTML", got, code.FindString(html))
	}
	if a := post(http.StatusOK, "/api/login/verify", pending.Token, `{"code":"`+got+`"}`); a.Status != "authenticated" {
		t.Errorf("the code of the mail: %s", a.Status)
	}

	// Carol is told that somebody tried passwords, and that mail is still under way when the program is told to end.
	for range 3 {
		post(http.StatusUnauthorized, "/api/login", "", `{"username":"carol","password":"wrong"}`)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for host := strings.TrimPrefix(at, "http://"); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			break // nobody is let in any more
		}
		_ = conn.Close()
	}
	close(ending)
	if text, _ := bodies(t, next(t, mails)); !strings.Contains(text, "127.0.0.1") {
		t.Errorf("the notice: %q", text)
	}
	if err := next(t, ended); err != nil {
		t.Errorf("the program did not end well: %v", err)
	}
}

// next waits for what must come.
func next[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatalf("nothing came within %v", patience)
	}
	return v
}

// bodies takes a mail of two alternatives apart.
func bodies(t *testing.T, data string) (text, html string) {
	m, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Header.Get("To"); got != "<carol@example.com>" {
		t.Errorf("to %s", got)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s, %v", kind, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, into := range []*string{&text, &html} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		*into = string(b)
	}
	return text, html
}

// catchAll is a mail server for tests of the kind that people have on their own machine: no TLS, no account, takes all. After
// the first mail it takes its time, until more is closed.
func catchAll(t *testing.T, more <-chan struct{}) (port int, mails <-chan string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	taken := make(chan string, 8)
	session := func(conn net.Conn) {
		defer conn.Close()
		fmt.Fprint(conn, "220 ready\r\n")
		var data strings.Builder
		inData := false
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			switch line := lines.Text(); {
			case inData && line == ".":
				inData = false
				taken <- data.String()
				fmt.Fprint(conn, "250 taken\r\n")
			case inData:
				data.WriteString(strings.TrimPrefix(line, ".") + "\r\n")
			case line == "DATA":
				inData = true
				fmt.Fprint(conn, "354 go on\r\n")
			default:
				fmt.Fprint(conn, "250 ok\r\n")
			}
		}
	}
	go func() {
		for first := true; ; first = false {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				if !first {
					<-more
				}
				session(conn)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, taken
}
