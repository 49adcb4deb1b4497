package smtp_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// envelope is one mail as the server took it.
type envelope struct {
	from, to, data string
	secure         bool   // came over TLS
	login          string // "user/password" when it came after AUTH
}

// server is a small SMTP server (RFC 5321, 3207, 4954) that a test sets up to misbehave.
type server struct {
	startTLS    bool
	implicitTLS bool
	auth        string            // the mechanisms offered, after TLS or without it
	extra       string            // another extension
	reply       map[string]string // by verb: what to answer instead; "." is the end of the data
	stallAt     string            // the verb that gets no answer, "connect" for the greeting

	cert  tls.Certificate
	roots *x509.CertPool
	port  int

	mu     sync.Mutex
	mails  []envelope
	seen   []string // verbs in order, "TLS" at a handshake
	stalls int      // how often it has come to stallAt
}

func (s *server) start(t *testing.T) *server {
	t.Helper()
	s.cert, s.roots = certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	var (
		sessions sync.WaitGroup
		mu       sync.Mutex
		open     []net.Conn
	)
	sessions.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			sessions.Go(func() { defer conn.Close(); s.session(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		sessions.Wait()
	})
	return s
}

func (s *server) note(verb string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, verb)
}

func (s *server) verbs() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.seen, " ")
}

func (s *server) received() []envelope {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]envelope(nil), s.mails...)
}

func (s *server) stalled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stalls
}

func (s *server) session(conn net.Conn) {
	secure := s.implicitTLS
	if secure {
		c := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{s.cert}})
		if c.Handshake() != nil {
			return
		}
		s.note("TLS")
		conn = c
	}
	r := bufio.NewReader(conn)
	// say answers verb, and reports whether it was the ordinary answer.
	say := func(verb, ordinary string) bool {
		if s.stallAt == verb {
			s.mu.Lock()
			s.stalls++
			s.mu.Unlock()
			_, _ = io.Copy(io.Discard, r)
			return false
		}
		if other, ok := s.reply[verb]; ok {
			fmt.Fprint(conn, other)
			return false
		}
		fmt.Fprint(conn, ordinary)
		return true
	}
	line := func() string { l, _ := r.ReadString('\n'); return strings.TrimRight(l, "\r\n") }
	say("connect", "220 mail.acme.example ESMTP\r\n")
	var mail envelope
	for {
		l := line()
		if l == "" {
			return
		}
		verb, rest, _ := strings.Cut(l, " ")
		verb = strings.ToUpper(verb)
		s.note(verb)
		switch verb {
		case "EHLO":
			lines := []string{"mail.acme.example", "8BITMIME", "ENHANCEDSTATUSCODES"}
			if s.startTLS && !secure {
				lines = append(lines, "STARTTLS")
			}
			if s.auth != "" {
				lines = append(lines, "AUTH "+s.auth)
			}
			if s.extra != "" {
				lines = append(lines, s.extra)
			}
			say(verb, "250-"+strings.Join(lines[:len(lines)-1], "\r\n250-")+"\r\n250 "+lines[len(lines)-1]+"\r\n")
		case "STARTTLS":
			if !say(verb, "220 2.0.0 go on\r\n") {
				if strings.HasPrefix(s.reply[verb], "220") {
					_, _ = r.ReadByte() // the handshake: it cannot answer that, and hangs up
					return
				}
				continue
			}
			c := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{s.cert}})
			if c.Handshake() != nil {
				return
			}
			s.note("TLS")
			conn, r, secure = c, bufio.NewReader(c), true
		case "AUTH":
			mechanism, initial, _ := strings.Cut(rest, " ")
			if mechanism == "LOGIN" {
				fmt.Fprint(conn, "334 VXNlcm5hbWU6\r\n")
				user := unbase64(line())
				fmt.Fprint(conn, "334 UGFzc3dvcmQ6\r\n")
				mail.login = user + "/" + unbase64(line())
			} else {
				mail.login = strings.ReplaceAll(strings.TrimPrefix(unbase64(initial), "\x00"), "\x00", "/")
			}
			say(verb, "235 2.7.0 welcome\r\n")
		case "MAIL":
			mail.from, mail.secure = rest, secure
			say(verb, "250 2.1.0 ok\r\n")
		case "RCPT":
			mail.to = rest
			say(verb, "250 2.1.5 ok\r\n")
		case "DATA":
			if !say(verb, "354 go on\r\n") {
				continue
			}
			var data strings.Builder
			for {
				l, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if l == ".\r\n" {
					break
				}
				data.WriteString(strings.TrimPrefix(l, "."))
			}
			mail.data = data.String()
			s.note("END")
			if _, other := s.reply["."]; !other && s.stallAt != "." {
				s.mu.Lock()
				s.mails = append(s.mails, mail)
				s.mu.Unlock()
			}
			say(".", "250 2.0.0 queued as 271828\r\n")
		case "QUIT":
			say(verb, "221 2.0.0 bye\r\n")
			return
		default:
			say(verb, "502 5.5.1 unknown\r\n")
		}
	}
}

func unbase64(s string) string {
	b, _ := base64.StdEncoding.DecodeString(s)
	return string(b)
}

// certificate makes a self-signed one for localhost.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
