package smtp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"mime"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/challenge/texts"
	"github.com/sallyport-go/sallyport/senders/smtp"
	"github.com/sallyport-go/sallyport/stores"
)

// What the server does is said by the local part: it accepts, refuses, asks to come back, or takes its time.
const eximConfig = `
primary_hostname = mail.acme.example
spool_directory = DIR/spool
log_file_path = DIR/log/%s
tls_advertise_hosts = OFFERTLS
tls_certificate = DIR/certificate
tls_privatekey = DIR/key
auth_advertise_hosts = *
smtputf8_advertise_hosts = *
acl_smtp_rcpt = rcpt
acl_smtp_data = data
deliver_drop_privilege
keep_environment =
host_lookup =
hosts_require_helo =
rfc1413_query_timeout = 0s
begin acl
rcpt:
  defer  local_parts = grey
         message = 4.7.1 greylisted: 271828, come back later
  deny   local_parts = unknown
         message = 5.1.1 no such mailbox: $local_part with 271828
  deny   domains = ! example.com
         message = 5.7.1 relay not permitted
  accept local_parts = slow
         delay = 5m
  accept authenticated = *
  deny   message = 5.7.1 log in first
data:
  accept
begin routers
everybody:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = DIR/mail
  envelope_to_add
  return_path_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{mailer}}{eq{$auth3}{PASSWORD}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{mailer}}{eq{$auth2}{PASSWORD}}}}
  server_set_id = $auth1
`

// exim is a mail server from Debian's packages, with a folder, two ports and an account for logging in. It is
// started for each connection, as inetd does it, by the account that Debian made for it.
type exim struct {
	dir           string
	port, tlsPort int
	roots         *x509.CertPool
}

// startExim serves until the test ends. Without TLS it does not offer STARTTLS either.
func startExim(t *testing.T, withTLS bool) *exim {
	t.Helper()
	const program = "/usr/sbin/exim4"
	missing := func(what string) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatal(what + ", and with CI=true these tests must run")
		}
		t.Skip(what + ": nothing was tried against a real mail server")
	}
	account, err := user.Lookup("Debian-exim")
	if i, e := os.Stat(program); err != nil || e != nil || !i.Mode().IsRegular() {
		missing("exim4 (Debian: exim4-daemon-light) is not installed")
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	if os.Getuid() != 0 && os.Getuid() != uid {
		missing("exim4 serves only for root, who lets it be " + account.Username + ", and for that account itself")
	}
	dir, err := os.MkdirTemp("", "exim") // below no private folder: the server is another user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cert, roots := certificate(t)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	offer := "*"
	if !withTLS {
		offer = ""
	}
	for name, content := range map[string][]byte{
		"config":      []byte(strings.NewReplacer("DIR", dir, "OFFERTLS", offer, "PASSWORD", password).Replace(eximConfig)),
		"certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}),
		"key":         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"spool", "log", "mail"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	attributes := syscall.SysProcAttr{Setpgid: true, Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	if err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error { return errors.Join(err, os.Chown(path, uid, gid)) }); err != nil {
		t.Fatal(err)
	}
	complaints, err := os.Create(filepath.Join(dir, "complaints"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { complaints.Close() })
	session := func(conn net.Conn, more ...string) *exec.Cmd {
		defer conn.Close()
		socket, err := conn.(*net.TCPConn).File()
		if err != nil {
			t.Error(err)
			return nil
		}
		defer socket.Close()
		cmd := exec.Command(program, append([]string{"-C", filepath.Join(dir, "config"), "-bs"}, more...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Dir, cmd.SysProcAttr = socket, socket, complaints, "/", &attributes
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return nil
		}
		return cmd
	}
	s := &exim{dir: dir, roots: roots}
	s.port = serveEach(t, func(c net.Conn) *exec.Cmd { return session(c) })
	s.tlsPort = serveEach(t, func(c net.Conn) *exec.Cmd { return session(c, "-tls-on-connect") })
	t.Cleanup(func() { // runs before the folder goes
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log", "main"))
			said, _ := os.ReadFile(complaints.Name())
			t.Logf("exim's log:\n%s%s", log, said)
		}
	})
	return s
}

// serveEach starts a program for every connection to a port, until the test ends.
func serveEach(t *testing.T, start func(net.Conn) *exec.Cmd) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	var started []*exec.Cmd
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if cmd := start(conn); cmd != nil {
				started = append(started, cmd)
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		running.Wait()
		for _, cmd := range started {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with what it has begun to deliver
			_ = cmd.Wait()
		}
	})
	return l.Addr().(*net.TCPAddr).Port
}

// sender sends to s with its account over STARTTLS, until change says otherwise.
func (s *exim) sender(t *testing.T, change func(*smtp.Config)) *smtp.Sender {
	t.Helper()
	c := smtp.Config{Host: "127.0.0.1", Port: s.port, From: "Acme GmbH & Söhne <login@acme.example>", Username: "mailer", Password: password,
		TLS: &tls.Config{RootCAs: s.roots}, Timeout: patience}
	if change != nil {
		change(&c)
	}
	m, err := smtp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// takes waits for the next mail in the mailbox and takes it out.
func (s *exim) takes(t *testing.T) string {
	t.Helper()
	for start := time.Now(); time.Since(start) < patience; time.Sleep(10 * time.Millisecond) {
		files, _ := filepath.Glob(filepath.Join(s.dir, "mail", "new", "*"))
		if len(files) == 0 {
			continue
		}
		b, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(files[0]); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	t.Fatal("nothing arrived in the mailbox")
	return ""
}

// empty reports whether nothing has arrived nor waits in the queue.
func (s *exim) empty() bool {
	mails, _ := filepath.Glob(filepath.Join(s.dir, "mail", "new", "*"))
	queue, _ := filepath.Glob(filepath.Join(s.dir, "spool", "input", "*-H"))
	return len(mails)+len(queue) == 0
}

func TestAMailServerDeliversACodeInEveryLanguage(t *testing.T) {
	s := startExim(t, true)
	for i, lang := range texts.Default().Languages() {
		t.Run(lang, func(t *testing.T) {
			implicit := i%2 == 1
			sender := &keeper{next: s.sender(t, func(c *smtp.Config) {
				if implicit {
					c.Port, c.ImplicitTLS = s.tlsPort, true
				}
			})}
			kit := challengetest.New(challengetest.NewClock())
			kit.Users.Add(challenge.Account{ID: "1", Name: "carol", Email: "carol@example.com", Language: lang}, "correct-horse-battery")
			config := kit.Config(&stores.Memory{Clock: kit.Clock.Now})
			config.Factors = []challenge.Factor{&challenge.Email{Sender: sender}}
			logins, err := challenge.New(config)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := logins.Password(t.Context(), challenge.Client{}, new(challenge.Session),
				challenge.PasswordInput{Slot: challenge.Cookie, Name: "carol", Password: []byte("correct-horse-battery")}); err != nil {
				t.Fatal(err)
			}
			sent := sender.last
			data := strings.ReplaceAll(s.takes(t), "\n", "\r\n")
			h, text, html := parse(t, data)
			same := func(what, got, want string) {
				if strings.TrimSpace(strings.ReplaceAll(got, "\r\n", "\n")) != strings.TrimSpace(want) {
					t.Errorf("%s arrived as\n%s\nnot as\n%s", what, got, want)
				}
			}
			same("the text", text, sent.Body)
			same("the HTML", html, sent.HTML)
			subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
			if err != nil {
				t.Fatal(err)
			}
			same("the subject", subject, sent.Subject)
			same("the language", h.Get("Content-Language"), lang)
			same("the sender", h.Get("Return-Path"), "<login@acme.example>")
			same("the recipient", h.Get("Envelope-To"), "carol@example.com")
			if strings.Index(data, "text/plain") > strings.Index(data, "text/html") {
				t.Error("the HTML stands before the text, so that programs show the text") // RFC 2046 section 5.1.4: the best last
			}
			for what, part := range map[string]string{"text": text, "HTML": html} {
				if !slices.Contains(strings.Fields(part), string(sent.Code)) || !slices.Contains(strings.Split(strings.ReplaceAll(part, "\r", ""), "\n"), string(sent.Code)) {
					t.Errorf("the code has no line of its own in the %s:\n%s", what, part)
				}
			}
			if got := h.Get("Received"); !strings.Contains(got, " with esmtpsa ") || !strings.Contains(got, "for carol@example.com") { // ESMTP, TLS, AUTH (RFC 3848)
				t.Errorf("received %s", got)
			}
		})
	}
}

// keeper sends on and keeps the last message.
type keeper struct {
	next challenge.Sender
	last challenge.Message
}

func (k *keeper) Send(ctx context.Context, m challenge.Message) error {
	k.last = m
	return k.next.Send(ctx, m)
}

func TestAMailServerTakesAnAddressBeyondASCII(t *testing.T) { // RFC 6531
	s := startExim(t, true)
	m := code
	m.To = "käthe@example.com"
	if err := s.sender(t, nil).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if h, _, _ := parse(t, s.takes(t)); h.Get("Envelope-To") != m.To || !strings.Contains(h.Get("Received"), " with utf8esmtpsa ") {
		t.Errorf("delivered to %s", h.Get("Envelope-To"))
	}
}

func TestAMailServersRefusalIsToldInNumbers(t *testing.T) { // I-21
	s := startExim(t, true)
	for _, c := range []struct {
		name, to, want       string
		change               func(*smtp.Config)
		temporary, recipient bool
	}{
		{"greylisting", "grey@example.com", "smtp: RCPT TO: refused with 451 4.7.1", nil, true, false},
		{"unknown mailbox", "unknown@example.com", "smtp: RCPT TO: refused with 550 5.1.1", nil, false, true},
		{"no relay", "eve@example.net", "smtp: RCPT TO: refused with 550 5.7.1", nil, false, false},
		{"wrong password", "carol@example.com", "smtp: AUTH: refused with 535", func(c *smtp.Config) { c.Password = "n0t-that-one" }, false, false},
		{"no account", "carol@example.com", "smtp: RCPT TO: refused with 550 5.7.1", func(c *smtp.Config) { c.Username, c.Password = "", "" }, false, false},
		{"unknown authority", "carol@example.com", "smtp: STARTTLS: tls: failed to verify certificate", func(c *smtp.Config) { c.TLS = nil }, false, false},
		{"unknown authority, implicit TLS", "carol@example.com", "smtp: TLS: tls: failed to verify certificate",
			func(c *smtp.Config) { c.TLS, c.Port, c.ImplicitTLS = nil, s.tlsPort, true }, false, false},
		{"another name", "carol@example.com", "smtp: STARTTLS: tls: failed to verify certificate", func(c *smtp.Config) { c.TLS.ServerName = "mail.example.net" }, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := code
			m.To = c.to
			err := s.sender(t, c.change).Send(t.Context(), m)
			var e *smtp.Error
			if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), c.want) || e.Temporary() != c.temporary || errors.Is(err, challenge.ErrRecipient) != c.recipient {
				t.Fatalf("error %v, want %s", err, c.want)
			}
			for _, secret := range []string{"271828", password, "n0t-that-one", "mailer", c.to, strings.Split(c.to, "@")[0]} {
				if out := fmt.Sprintf("%v %+v %#v", err, err, *e); strings.Contains(out, secret) {
					t.Errorf("%q in %s", secret, out)
				}
			}
		})
	}
	if !s.empty() {
		t.Error("a refused mail was taken")
	}
}

func TestAMailServerThatTakesItsTimeIsLeftAtTheDeadline(t *testing.T) {
	s := startExim(t, true)
	m := code
	m.To = "slow@example.com"
	for d := time.Second; ; d *= 2 { // a slow machine has not started the server after one second
		start := time.Now()
		err := s.sender(t, func(c *smtp.Config) { c.Timeout = d }).Send(t.Context(), m)
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took < d || took >= patience { // less than its delay
			t.Fatalf("error %v after %v", err, took)
		}
		if e, ok := errors.AsType[*smtp.Error](err); ok && e.Step == "RCPT TO" {
			break
		}
		if 2*d >= patience {
			t.Fatalf("after %v the server had not come to where it takes its time: %v", d, err)
		}
	}
	if !s.empty() {
		t.Error("the mail was taken")
	}
}

func TestAMailServerWithoutTLSGetsAMailOnlyByTheInsecureOption(t *testing.T) {
	s := startExim(t, false)
	err := s.sender(t, nil).Send(t.Context(), code)
	if err == nil || !strings.Contains(err.Error(), "smtp: STARTTLS: the server does not offer it") {
		t.Errorf("error %v", err)
	}
	if !s.empty() {
		t.Fatal("the mail was taken in clear")
	}
	if err := s.sender(t, func(c *smtp.Config) { c.InsecureNoTLS = true }).Send(t.Context(), code); err != nil {
		t.Fatal(err)
	}
	if h, _, _ := parse(t, s.takes(t)); !strings.Contains(h.Get("Received"), " with esmtpa ") {
		t.Errorf("received %s", h.Get("Received"))
	}
}
