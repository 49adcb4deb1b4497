package smtp_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/senders/sendertest"
	"github.com/sallyport-go/sallyport/senders/smtp"
)

const password = "c0rrect+horse/b@ttery"

// patience ends what hangs, on however slow a machine.
const patience = 2 * time.Minute

var code = challenge.Message{Channel: challenge.ChannelEmail, To: "carol@example.com", Code: "271828", Subject: "Ihr Code für Acme",
	Body: "Guten Tag,\n\nIhr Code ist 271828 – gültig für 10 Minuten.\n.\n..\n\n@acme.example #271828", Language: "de"}

// sender sends to s over TLS that trusts its certificate, until change says otherwise.
func sender(t *testing.T, s *server, change func(*smtp.Config)) *smtp.Sender {
	t.Helper()
	c := smtp.Config{Host: "127.0.0.1", Port: s.port, From: "Acme GmbH & Söhne <login@acme.example>", ImplicitTLS: s.implicitTLS,
		TLS: &tls.Config{RootCAs: s.roots}, Timeout: patience}
	if s.auth != "" {
		c.Username, c.Password = "mailer", password
	}
	if change != nil {
		change(&c)
	}
	m, err := smtp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// parse reads a mail back with the standard library.
func parse(t *testing.T, data string) (header mail.Header, text, html string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	part := func(contentType, encoding string, r io.Reader) {
		kind, params, err := mime.ParseMediaType(contentType)
		if err != nil || !strings.EqualFold(params["charset"], "UTF-8") || encoding != "quoted-printable" && encoding != "" {
			t.Fatalf("part of type %q in %q, %v", contentType, encoding, err)
		}
		if encoding != "" { // mime/multipart decodes by itself and drops the header
			r = quotedprintable.NewReader(r)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		switch kind {
		case "text/plain":
			text = string(b)
		case "text/html":
			html = string(b)
		default:
			t.Fatalf("part of type %s", kind)
		}
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "multipart/alternative" {
		part(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
		return m.Header, text, html
	}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextPart()
		if err == io.EOF {
			return m.Header, text, html
		}
		if err != nil {
			t.Fatal(err)
		}
		part(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p)
	}
}

func (s *server) messages(t *testing.T) (ms []challenge.Message) {
	for _, e := range s.received() {
		h, text, html := parse(t, e.data)
		subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
		if err != nil {
			t.Fatal(err)
		}
		to, err := h.AddressList("To")
		if err != nil || len(to) != 1 || !strings.HasPrefix(e.to, "TO:<"+to[0].Address+">") {
			t.Fatalf("To %v, envelope %s, %v", to, e.to, err)
		}
		ms = append(ms, challenge.Message{Channel: challenge.ChannelEmail, To: to[0].Address, Subject: subject, Body: text, HTML: html, Language: h.Get("Content-Language")})
	}
	return ms
}

func TestSMTPKeepsTheRulesOfASender(t *testing.T) { // I-21
	good := (&server{startTLS: true, auth: "PLAIN"}).start(t)
	bad := (&server{startTLS: true, auth: "PLAIN", reply: map[string]string{".": "554 5.7.1 your code is 31924426 <" + password + ">\r\n"}}).start(t)
	stuck := (&server{startTLS: true, auth: "PLAIN", stallAt: "RCPT"}).start(t)
	sendertest.Run(t, sendertest.Harness{
		Sender: sender(t, good, nil), Refused: sender(t, bad, nil), Stuck: sender(t, stuck, nil),
		Delivered: func() []challenge.Message { return good.messages(t) },
		Secrets:   []string{password, "mailer"},
	})
}

func TestAMailGoesOverTLSAndReadsBackAsSent(t *testing.T) {
	for name, s := range map[string]*server{
		"STARTTLS, PLAIN":     {startTLS: true, auth: "PLAIN LOGIN"},
		"STARTTLS, LOGIN":     {startTLS: true, auth: "CRAM-MD5 LOGIN"},
		"implicit TLS, PLAIN": {implicitTLS: true, auth: "PLAIN"},
		"implicit TLS, LOGIN": {implicitTLS: true, auth: "LOGIN"},
		"no account":          {startTLS: true},
	} {
		t.Run(name, func(t *testing.T) {
			s.start(t)
			m := code
			m.HTML = "<p>Ihr Code ist <b>271828</b> – gültig für 10 Minuten.</p>"
			if err := sender(t, s, nil).Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			e := s.received()[0]
			if !e.secure || s.auth != "" && e.login != "mailer/"+password {
				t.Errorf("secure %v, login %q", e.secure, e.login)
			}
			if !strings.HasPrefix(e.from, "FROM:<login@acme.example>") || e.to != "TO:<carol@example.com>" {
				t.Errorf("envelope %s %s", e.from, e.to)
			}
			got := s.messages(t)[0]
			if got.Subject != m.Subject || strings.TrimRight(strings.ReplaceAll(got.Body, "\r\n", "\n"), "\n") != m.Body || strings.TrimSpace(got.HTML) != m.HTML || got.Language != "de" {
				t.Errorf("read back as subject %q\nbody %q\nHTML %q\nlanguage %q", got.Subject, got.Body, got.HTML, got.Language)
			}
			h, _, _ := parse(t, e.data)
			from, err := h.AddressList("From")
			if err != nil || from[0].Name != "Acme GmbH & Söhne" {
				t.Errorf("From %v, %v", from, err)
			}
			if d, err := h.Date(); err != nil || time.Since(d).Abs() > time.Minute {
				t.Errorf("Date %v, %v", d, err)
			}
			if id := h.Get("Message-Id"); !strings.HasSuffix(id, "@acme.example>") {
				t.Errorf("Message-ID %s", id)
			}
			if h.Get("Auto-Submitted") != "auto-generated" || h.Get("User-Agent")+h.Get("X-Mailer") != "" {
				t.Errorf("header %v", h)
			}
			for l := range strings.Lines(e.data) {
				if len(strings.TrimRight(l, "\r\n")) > 998 || !strings.HasSuffix(l, "\r\n") { // RFC 5322 §2.1.1
					t.Errorf("line %q", l)
				}
			}
		})
	}
}

// Without TLS nothing may be said that a listener could use: no AUTH, no MAIL.
func TestNothingIsSentWithoutTrustedTLS(t *testing.T) {
	untrusted := func(c *smtp.Config) { c.TLS = nil }
	for _, c := range []struct {
		name, says string
		server     *server
		change     func(*smtp.Config)
	}{
		{"STARTTLS not offered", "smtps://", &server{auth: "PLAIN"}, nil},
		{"STARTTLS not offered, no account", "smtps://", &server{}, nil},
		{"STARTTLS refused", "refused with 454 4.7.0", &server{startTLS: true, auth: "PLAIN", reply: map[string]string{"STARTTLS": "454 4.7.0 not now\r\n"}}, nil},
		{"EHLO refused, so that HELO hides STARTTLS", "smtps://", &server{startTLS: true, auth: "PLAIN",
			reply: map[string]string{"EHLO": "502 no\r\n", "HELO": "250 hello\r\n"}}, nil},
		{"unknown authority, STARTTLS", "certificate", &server{startTLS: true, auth: "PLAIN"}, untrusted},
		{"unknown authority, implicit TLS", "certificate", &server{implicitTLS: true, auth: "PLAIN"}, untrusted},
		{"other name, STARTTLS", "certificate", &server{startTLS: true, auth: "PLAIN"}, func(c *smtp.Config) { c.TLS.ServerName = "mail.acme.example" }},
		{"answers planted before TLS", "STARTTLS", &server{startTLS: true, auth: "PLAIN",
			reply: map[string]string{"STARTTLS": "220 go on\r\n250-evil\r\n250 AUTH PLAIN\r\n235 welcome\r\n"}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.server.start(t)
			err := sender(t, c.server, c.change).Send(t.Context(), code)
			var e *smtp.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v", err)
			}
			if v := c.server.verbs(); strings.Contains(v, "AUTH") || strings.Contains(v, "MAIL") {
				t.Errorf("said %s", v)
			}
		})
	}
}

func TestInsecureNoTLSIsForACatchAllServer(t *testing.T) {
	s := (&server{startTLS: true, auth: "PLAIN"}).start(t)
	if err := sender(t, s, func(c *smtp.Config) { c.InsecureNoTLS = true }).Send(t.Context(), code); err != nil {
		t.Fatal(err)
	}
	if e := s.received()[0]; e.secure || e.login != "mailer/"+password {
		t.Errorf("secure %v, login %q", e.secure, e.login)
	}
}

func TestARefusalNamesItsStepAndNumbersOnly(t *testing.T) { // I-21
	parrot := " 271828 " + password + " bWFpbGVy\r\n"
	for _, c := range []struct {
		verb, reply, want string
		temporary         bool
		recipient         bool // it speaks of the address
	}{
		{"connect", "554" + parrot, "smtp: greeting: refused with 554", false, false},
		{"connect", "271828 not SMTP\r\n", "smtp: greeting: no valid SMTP reply", false, false},
		{"AUTH", "535 5.7.8" + parrot, "smtp: AUTH: refused with 535 5.7.8", false, false},
		{"AUTH", "334 271828=\r\n", "smtp: AUTH: ", false, false},
		{"MAIL", "451 4.7.1" + parrot, "smtp: MAIL FROM: refused with 451 4.7.1", true, false},
		{"RCPT", "550 5.1.1" + parrot, "smtp: RCPT TO: refused with 550 5.1.1", false, true},
		{"RCPT", "550-5.1.1 first\r\n550 5.1.1" + parrot, "smtp: RCPT TO: refused with 550 5.1.1", false, true},
		{"RCPT", "552 5.2.2" + parrot, "smtp: RCPT TO: refused with 552 5.2.2", false, true},
		{"RCPT", "550" + parrot, "smtp: RCPT TO: refused with 550", false, true},
		{"RCPT", "550 5.7.1" + parrot, "smtp: RCPT TO: refused with 550 5.7.1", false, false},
		{"RCPT", "554 5.7.1" + parrot, "smtp: RCPT TO: refused with 554 5.7.1", false, false},
		{"RCPT", "451 4.7.1" + parrot, "smtp: RCPT TO: refused with 451 4.7.1", true, false},
		{"MAIL", "550 5.1.8" + parrot, "smtp: MAIL FROM: refused with 550 5.1.8", false, false},
		{"DATA", "452" + parrot, "smtp: DATA: refused with 452", true, false},
		{".", "554 5.7.1" + parrot, "smtp: end of message: refused with 554 5.7.1", false, false},
		{".", "271828" + parrot, "smtp: end of message: ", false, false},
	} {
		t.Run(c.verb+" "+c.reply[:6], func(t *testing.T) {
			s := (&server{startTLS: true, auth: "PLAIN", reply: map[string]string{c.verb: c.reply}}).start(t)
			if c.verb == "connect" {
				s.startTLS = false
			}
			err := sender(t, s, nil).Send(t.Context(), code)
			var e *smtp.Error
			if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), c.want) || e.Temporary() != c.temporary || errors.Is(err, challenge.ErrRecipient) != c.recipient {
				t.Fatalf("error %v, want %s", err, c.want)
			}
			if s := fmt.Sprintf("%v %+v %#v", err, e, *e); strings.Contains(s, "271828") || strings.Contains(s, password) {
				t.Errorf("the error repeats the server: %s", s)
			}
			if len(s.received()) != 0 {
				t.Error("the mail was taken all the same")
			}
		})
	}
}

func TestAServerWithoutAUsableMechanismGetsNoPassword(t *testing.T) {
	s := (&server{startTLS: true, auth: "CRAM-MD5 GSSAPI"}).start(t)
	if err := sender(t, s, nil).Send(t.Context(), code); err == nil || !strings.Contains(err.Error(), "neither PLAIN nor LOGIN") {
		t.Errorf("error %v", err)
	}
	if v := s.verbs(); strings.Contains(v, "AUTH") || strings.Contains(v, "MAIL") {
		t.Errorf("said %s", v)
	}
}

func TestASlowServerIsLeftAtTheDeadlineWhereverItStalls(t *testing.T) {
	for _, verb := range []string{"connect", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "."} {
		t.Run(verb, func(t *testing.T) {
			s := (&server{startTLS: true, auth: "PLAIN", stallAt: verb}).start(t)
			for _, limit := range []string{"context", "Timeout"} {
				before := s.stalled()
				// On a slow machine the deadline is over before the server has come to where it stalls: then with a later one.
				for d := 100 * time.Millisecond; ; d *= 2 {
					ctx, change := t.Context(), func(c *smtp.Config) { c.Timeout = d }
					if limit == "context" {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, d)
						defer cancel()
						change = nil
					}
					start := time.Now()
					err := sender(t, s, change).Send(ctx, code)
					if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took < d || took >= patience {
						t.Fatalf("%s: error %v after %v", limit, err, took)
					}
					if s.stalled() > before {
						break
					}
					if 2*d >= patience {
						t.Fatalf("%s: after %v the server had not come to %s", limit, d, verb)
					}
				}
			}
		})
	}
}

// Once the server has said 250 the mail is on its way; a failure told now would make the machine send another.
func TestATakenMailIsASuccessHoweverTheServerSaysGoodbye(t *testing.T) {
	for name, s := range map[string]*server{
		"refused": {startTLS: true, reply: map[string]string{"QUIT": "500 no\r\n"}},
		"nothing": {startTLS: true, stallAt: "QUIT"},
	} {
		s.start(t)
		start := time.Now()
		if err := sender(t, s, nil).Send(t.Context(), code); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > patience/2 {
			t.Errorf("%s: waited %v for a goodbye, until its own Timeout", name, took)
		}
	}
}

func TestAServerThatTalksForEverIsCutOff(t *testing.T) { // I-23
	s := (&server{reply: map[string]string{"connect": "220 " + strings.Repeat("x", 1<<20)}}).start(t)
	err := sender(t, s, nil).Send(t.Context(), code)
	if err == nil || !strings.Contains(err.Error(), "said too much") {
		t.Errorf("error %v", err)
	}
}

func TestAMessageThatIsNotOneMailToOneAddressIsRefusedBeforeConnecting(t *testing.T) {
	s := (&server{startTLS: true}).start(t)
	m := sender(t, s, nil)
	with := func(change func(*challenge.Message)) challenge.Message {
		c := code
		change(&c)
		return c
	}
	for _, to := range []string{"", "carol", "carol@example.com\r\nBcc: eve@example.net", "carol@example.com\nRCPT TO:<eve@example.net>",
		"carol@example.com, eve@example.net", "Carol <carol@example.com>", "<carol@example.com>", "carol@example.com (x)", "carol@example.com(x)", "carol(x)@example.com", " carol@example.com",
		"\"carol\r\n\"@example.com", "\"a b\"@example.com", "carol@example.com>", "carol@exa\x00mple.com", "carol@example.com\u2028", "undisclosed:;",
		strings.Repeat("a", 250) + "@example.com"} {
		if err := m.Send(t.Context(), with(func(c *challenge.Message) { c.To = to })); err == nil || to != "" && strings.Contains(err.Error(), to) {
			t.Errorf("To %q: error %v", to, err)
		}
	}
	for _, subject := range []string{"x\r\nBcc: eve@example.net", "x\ny", "x\ry", "x\x00", "x\u0085y", "x\u2028y", "x\xff"} {
		if err := m.Send(t.Context(), with(func(c *challenge.Message) { c.Subject = subject })); err == nil || strings.Contains(err.Error(), subject) {
			t.Errorf("Subject %q: error %v", subject, err)
		}
	}
	for name, c := range map[string]challenge.Message{
		"an SMS":  with(func(c *challenge.Message) { c.Channel = challenge.ChannelSMS }),
		"no text": with(func(c *challenge.Message) { c.Body = "" }),
	} {
		if err := m.Send(t.Context(), c); err == nil {
			t.Errorf("%s was sent", name)
		}
	}
	if v := s.verbs(); v != "" {
		t.Errorf("said %s", v)
	}
	// A language that could break the header is left out: the mail matters more.
	if err := m.Send(t.Context(), with(func(c *challenge.Message) { c.Language = "de\r\nBcc: eve@example.net" })); err != nil {
		t.Fatal(err)
	}
	if got := s.messages(t)[0]; got.Language != "" || strings.Contains(s.received()[0].data, "eve@") {
		t.Errorf("language %q", got.Language)
	}
}

func TestAnAddressBeyondASCIINeedsAServerThatTakesIt(t *testing.T) { // RFC 6531
	m := code
	m.To = "käthe@example.com"
	plain := (&server{startTLS: true}).start(t)
	if err := sender(t, plain, nil).Send(t.Context(), m); err == nil || !strings.Contains(err.Error(), "SMTPUTF8") {
		t.Errorf("error %v", err)
	}
	utf8 := (&server{startTLS: true, extra: "SMTPUTF8"}).start(t)
	if err := sender(t, utf8, nil).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if e := utf8.received()[0]; !strings.Contains(e.from, "SMTPUTF8") || e.to != "TO:<käthe@example.com>" {
		t.Errorf("envelope %s %s", e.from, e.to)
	}
	if err := sender(t, utf8, nil).Send(t.Context(), code); err != nil {
		t.Fatal(err)
	}
	if e := utf8.received()[1]; strings.Contains(e.from, "SMTPUTF8") {
		t.Errorf("a mail that has no need of it is marked: %s", e.from)
	}
}

func TestAMisconfiguredSenderIsRefused(t *testing.T) { // I-19
	for _, c := range []struct {
		name, says string
		change     func(*smtp.Config)
	}{
		{"no host", "Host", func(c *smtp.Config) { c.Host = "" }},
		{"host with port", "Host", func(c *smtp.Config) { c.Host = "smtp.acme.example:25" }},
		{"host that is a socket", "Host", func(c *smtp.Config) { c.Host = "unix:///tmp/x" }},
		{"port", "Port", func(c *smtp.Config) { c.Port = 70000 }},
		{"no sender", "From", func(c *smtp.Config) { c.From = "" }},
		{"sender with a break", "From", func(c *smtp.Config) { c.From = "Acme\r\nBcc: x@y.z <login@acme.example>" }},
		{"sender with an encoded break", "From", func(c *smtp.Config) { c.From = "=?utf-8?q?Acme=0D=0Ax?= <login@acme.example>" }},
		{"two senders", "From", func(c *smtp.Config) { c.From = "a@acme.example, b@acme.example" }},
		{"password alone", "both", func(c *smtp.Config) { c.Username = "" }},
		{"user alone", "both", func(c *smtp.Config) { c.Password = "" }},
		{"NUL in password", "NUL", func(c *smtp.Config) { c.Password = "a\x00" + password }},
		{"timeout", "Timeout", func(c *smtp.Config) { c.Timeout = -1 }},
		{"local name", "LocalName", func(c *smtp.Config) { c.LocalName = "x\r\ny" }},
		{"no TLS and TLS", "contradicts", func(c *smtp.Config) { c.InsecureNoTLS, c.ImplicitTLS, c.Username, c.Password = true, true, "", "" }},
		{"no TLS on 465", "contradicts", func(c *smtp.Config) { c.InsecureNoTLS, c.Port, c.Username, c.Password = true, 465, "", "" }},
		{"password without TLS", "localhost", func(c *smtp.Config) { c.InsecureNoTLS = true }},
	} {
		config := smtp.Config{Host: "smtp.acme.example", Username: "mailer", Password: password, From: "login@acme.example"}
		if _, err := smtp.New(config); err != nil {
			t.Fatal(err)
		}
		c.change(&config)
		_, err := smtp.New(config)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), password) {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
	if err := new(smtp.Sender).Send(t.Context(), code); err == nil {
		t.Error("a Sender that nobody constructed sent")
	}
}

func TestAConfigPrintsWithoutItsPassword(t *testing.T) { // I-21
	c := smtp.Config{Host: "smtp.acme.example", Port: 587, Username: "mailer", Password: password, From: "login@acme.example"}
	s, err := smtp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if out := fmt.Sprintf("%v %+v %#v %v %+v %#v %s", c, c, &c, s, *s, s, j); strings.Contains(out, password) || strings.Contains(out, "mailer") {
		t.Error(out)
	}
}
