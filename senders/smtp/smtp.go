// Package smtp sends mail through an SMTP server, on top of github.com/wneessen/go-mail. It is apart from package senders so
// that only those who send mail compile that library.
//
//	mailer, err := smtp.New(smtp.Config{Host: "smtp.acme.example", Username: "login", Password: secret, From: "Acme <login@acme.example>"})
//
// Every Send opens a connection of its own, requires TLS with a valid certificate before it says anything else, hands over
// one mail and closes. Mail is text, with an HTML alternative when the message has one.
//
// The names most people need: [Config] and [New].
package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	stdmail "net/mail"
	"net/textproto"
	"regexp"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/sallyport-go/sallyport/challenge"
)

// maxReplies bounds, in bytes, what a server may say during one Send, the TLS handshake included.
const maxReplies = 256 << 10

const stepRecipient = "RCPT TO"

// quitWait is how long a server may take to say goodbye once it has the mail.
const quitWait = time.Second

// Sender sends mail. Make one with [New]. Safe for concurrent use.
type Sender struct {
	config Config
	from   *stdmail.Address
}

var _ challenge.Sender = (*Sender)(nil)

// New checks c. It does not connect. Its errors say what to change and never repeat the password.
func New(c Config) (*Sender, error) {
	c, from, err := c.checked()
	if err != nil {
		return nil, err
	}
	return &Sender{c, from}, nil
}

// Format shows the server only.
func (s Sender) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "smtp("+s.config.address()+")") }

// Error is a mail that was not handed over. It names the step and numbers only, since a server's text may repeat what it
// was sent. Unwrap gives the context's error or the network's, where that was the cause.
type Error struct {
	Step     string // such as "connect", "STARTTLS", "AUTH", "RCPT TO"
	Code     int    // the server's reply code (RFC 5321 §4.2); 0 when there was no reply
	Enhanced string // its enhanced status code, such as 5.1.1 (RFC 3463); empty when there was none
	cause    error  // known to carry nothing of the mail, the credentials or the server's text
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("smtp: " + e.Step)
	if e.Code != 0 {
		fmt.Fprintf(&b, ": refused with %d", e.Code)
	}
	if e.Enhanced != "" {
		b.WriteString(" " + e.Enhanced)
	}
	if e.cause != nil {
		b.WriteString(": " + e.cause.Error())
	}
	return b.String()
}

// Unwrap gives the cause, if it may be told.
func (e *Error) Unwrap() error { return e.cause }

// Is makes an error of [challenge.ErrRecipient] out of a lasting refusal of the address: mailbox unknown, moved, full or
// with no such name (RFC 5321 §4.2.3), unless the enhanced code says that it is about something else (RFC 3463 §3).
func (e *Error) Is(target error) bool {
	if target != challenge.ErrRecipient || e.Step != stepRecipient || e.Code < 550 || e.Code > 553 {
		return false
	}
	return e.Enhanced == "" || strings.HasPrefix(e.Enhanced, "5.1.") || strings.HasPrefix(e.Enhanced, "5.2.")
}

// Temporary reports whether the server asked to try again later (4yz, RFC 5321 §4.2.1).
func (e *Error) Temporary() bool { return e.Code >= 400 && e.Code < 500 }

// Send hands m over. It returns nil once the server has accepted the mail, and an error that errors.As finds as *[Error]
// when the server or the network failed. It refuses, before connecting, another channel than e-mail, a To that is not one
// bare address, and line breaks in To or Subject. Nothing is tried twice.
//
// When the connection breaks after the last byte, nobody can know whether the mail was taken; that is an error.
func (s *Sender) Send(ctx context.Context, m challenge.Message) error {
	if s == nil || s.from == nil {
		return errors.New("smtp: not constructed: use New")
	}
	msg, err := compose(s.from, m)
	if err != nil {
		return fmt.Errorf("smtp: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	step, err := s.deliver(ctx, msg, m.To)
	if err == nil {
		return nil
	}
	return explain(ctx, step, err)
}

// deliver runs one SMTP session and returns the step that failed.
func (s *Sender) deliver(ctx context.Context, msg *mail.Msg, to string) (step string, err error) {
	dialer := net.Dialer{}
	tcp, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(s.config.Host, fmt.Sprint(s.config.Port)))
	if err != nil {
		return "connect", err
	}
	defer tcp.Close()
	// Closing the socket is what ends every read and write below at the deadline or on cancellation.
	stop := context.AfterFunc(ctx, func() { _ = tcp.Close() })
	defer stop()

	var conn net.Conn = &limitedConn{Conn: tcp, left: maxReplies}
	if s.config.ImplicitTLS {
		secure := tls.Client(conn, s.config.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			return "TLS", err
		}
		conn = secure
	}
	client, err := smtp.NewClient(conn, s.config.Host)
	if err != nil {
		return "greeting", err
	}
	if err := client.Hello(s.config.LocalName); err != nil {
		return "EHLO", err
	}
	if !s.config.ImplicitTLS && !s.config.InsecureNoTLS {
		if ok, _ := client.Extension("STARTTLS"); !ok {
			return "STARTTLS", errNoSTARTTLS
		}
		if err := client.StartTLS(s.config.TLS); err != nil {
			return "STARTTLS", err
		}
	}
	if s.config.Username != "" {
		auth, err := s.auth(client)
		if err != nil {
			return "AUTH", err
		}
		if err := client.Auth(auth); err != nil {
			return "AUTH", err
		}
	}
	if ascii(s.from.Address) && ascii(to) {
		// RFC 6531 §3.4: a mail that is marked without need comes back from every later server that does not know the mark.
		client.SkipSMTPUTF8(true)
	} else if ok, _ := client.Extension("SMTPUTF8"); !ok {
		return "MAIL FROM", errNoUTF8
	}
	if err := client.Mail("<" + s.from.Address + ">"); err != nil {
		return "MAIL FROM", err
	}
	if err := client.Rcpt("<" + to + ">"); err != nil {
		return stepRecipient, err
	}
	w, err := client.Data()
	if err != nil {
		return "DATA", err
	}
	if _, err := msg.WriteTo(w); err != nil {
		return "message", err
	}
	if err := w.Close(); err != nil {
		return "end of message", err
	}
	// The mail is the server's now: a farewell that goes wrong must not turn success into failure.
	_ = tcp.SetDeadline(time.Now().Add(quitWait))
	_ = client.Quit()
	return "", nil
}

// Causes that say what to do.
var (
	errNoSTARTTLS = errors.New("the server does not offer it: use port 465 with ImplicitTLS (smtps://); a code is not sent without TLS")
	errNoAuth     = errors.New("the server offers neither PLAIN nor LOGIN")
	errNoUTF8     = errors.New("the address is not ASCII and the server does not offer SMTPUTF8")
	errTooMuch    = errors.New("the server said too much")
	errNotSMTP    = errors.New("no valid SMTP reply")
)

// auth picks the mechanism. Both show the password to the server and to nobody else: they run over TLS, or to localhost, since
// New refuses a password otherwise. SCRAM is left out: with it the server says how long this side must compute, and no
// deadline ends that.
func (s *Sender) auth(client *smtp.Client) (smtp.Auth, error) {
	c := s.config
	_, offered := client.Extension("AUTH")
	for mechanism := range strings.FieldsSeq(strings.ToUpper(offered)) {
		switch mechanism {
		case "PLAIN":
			return smtp.PlainAuth("", c.Username, c.Password, c.Host, c.InsecureNoTLS), nil
		case "LOGIN":
			return smtp.LoginAuth(c.Username, c.Password, c.Host, c.InsecureNoTLS), nil
		}
	}
	return nil, errNoAuth
}

var enhancedCode = regexp.MustCompile(`^[245]\.[0-9]{1,3}\.[0-9]{1,3}\b`)

// explain keeps of err what is known to be safe to log.
func explain(ctx context.Context, step string, err error) *Error {
	e := &Error{Step: step}
	var (
		reply *textproto.Error
		op    *net.OpError
		cert  *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &reply):
		e.Code, e.Enhanced = reply.Code, enhancedCode.FindString(reply.Msg)
	case ctx.Err() != nil:
		e.cause = ctx.Err() // what the closed socket said is of no use
	case errors.Is(err, errNoSTARTTLS), errors.Is(err, errNoAuth), errors.Is(err, errNoUTF8):
		e.cause = err
	case errors.Is(err, errTooMuch):
		e.cause = errTooMuch
	case errors.As(err, &cert):
		e.cause = cert
	case errors.As(err, &op):
		e.cause = op
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.cause = io.ErrUnexpectedEOF
	default:
		e.cause = errNotSMTP
	}
	return e
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 127 })
}

// limitedConn reads at most left bytes: net/textproto keeps a line in memory however long it is.
type limitedConn struct {
	net.Conn
	left int
}

func (c *limitedConn) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooMuch
	}
	n, err := c.Conn.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}
