package browsertest

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	password    = "correct-horse-battery"
	aliceSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	bobSecret   = "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"
)

// site is the example as it runs, on a port of its own.
type site struct {
	url      string
	outbox   string
	audit    string
	recovery []string // alice's recovery codes, as they were printed
}

// start runs the program until the test ends. Its name is localhost, for which browsers make passkeys without TLS.
func start(t *testing.T, flags ...string) *site {
	t.Helper()
	need(t, "chromium")
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &site{outbox: filepath.Join(dir, "outbox"), audit: filepath.Join(dir, "audit")}
	cmd := exec.Command(path, append([]string{"-addr", "localhost:0", "-outbox", s.outbox, "-audit", s.audit, "-login-rate", "1000", "-resend-after", "0s"}, flags...)...)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); s.url == "" && lines.Scan(); {
		if codes, found := strings.CutPrefix(lines.Text(), "recovery codes for alice: "); found {
			s.recovery = strings.Fields(codes)
		} else if _, url, found := strings.Cut(lines.Text(), ": open "); found {
			s.url = url
		}
	}
	if !strings.HasPrefix(s.url, "http://localhost:") || len(s.recovery) != 10 {
		t.Fatalf("the program listens on %q and printed %d recovery codes", s.url, len(s.recovery))
	}
	return s
}

// sent is the last code that went to an address or number, as the file of the outbox has it.
func (s *site) sent(t *testing.T, to string) (code string) {
	t.Helper()
	b, err := os.ReadFile(s.outbox)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var m struct{ To, Code string }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("outbox: %q: %v", line, err)
		}
		if m.To == to && m.Code != "" {
			code = m.Code
		}
	}
	if code == "" {
		t.Fatalf("no code was sent to %s", to)
	}
	return code
}

// totp is the code that an authenticator app shows now. It is right once.
func totp(t *testing.T, secret string) string {
	t.Helper()
	return totpAt(t, secret, time.Now().Unix()/30)
}

// totpAt is RFC 6238 with SHA-1, 30 seconds and 6 digits, by hand.
func totpAt(t *testing.T, secret string, step int64) string {
	t.Helper()
	key, err := base32.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, step)
	sum := mac.Sum(nil)
	number := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&0xf:]) & 0x7fffffff
	return fmt.Sprintf("%06d", number%1_000_000)
}

// wrongTOTP is no code of a time near now.
func wrongTOTP(t *testing.T, secret string) string {
	t.Helper()
	var near []string
	for step := time.Now().Unix()/30 - 20; len(near) < 41; step++ {
		near = append(near, totpAt(t, secret, step))
	}
	return other(near...)
}

// other is a code of six digits that is none of these.
func other(codes ...string) string {
	for i := 0; ; i++ {
		if code := fmt.Sprintf("%06d", i); !strings.Contains(strings.Join(codes, " "), code) {
			return code
		}
	}
}

// events are the audit lines up to now.
func (s *site) events(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(s.audit)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
