// Package demo is what the two examples share and a user would not copy: the flags, seven accounts that live in a table of
// this file's neighbour, a server, and a few pages. The wiring worth copying stands in examples/stdlib/main.go and
// examples/chi/main.go.
//
// Everything secret about it is public: the password, the TOTP secrets, and a page that shows every code that was sent.
package demo

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/webauthn"
	"github.com/sallyport-go/sallyport/senders"
	"github.com/sallyport-go/sallyport/senders/smtp"
)

// Demo is what the flags ask for, ready to be put into challenge.Config and middleware.Config.
type Demo struct {
	Site         string // the public origin
	InsecureHTTP bool   // Site begins with http://, as it does on your own machine

	// Passkeys says that browsers make passkeys for Site: its host is a name, on https or localhost.
	Passkeys bool

	// Passwordless is "passkey" where there are some.
	Passwordless string

	Accounts *Accounts
	Store    challenge.Store
	Keys     []challenge.Key
	Mail     challenge.Sender
	SMS      challenge.Sender
	Outbox   *senders.Outbox // what Mail and SMS send to, unless -smtp takes the mail
	Audit    audit.Recorder

	PasswordGuesses, CodeGuesses               int
	BlockFor, CodeTTL, PendingTTL, ResendAfter time.Duration
	TrustDevices                               time.Duration
	UnlimitedSends                             bool
	LoginRate                                  int
	TrustedProxies                             []netip.Prefix

	logins   *challenge.Logins // waited for at the end; nil before the pages are made
	mailed   bool              // -smtp: the outbox gets no mail
	listener net.Listener
	stdout   io.Writer
	stderr   io.Writer
	close    []io.Closer
}

// Exit statuses, beside 0.
const (
	exitFailed = 1 // the server could not listen, or stopped by itself
	exitUsage  = 2 // a flag makes no sense
)

// usageError is a flag that cannot be followed.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Main runs an example until it is interrupted: build gets the flags' meaning and returns the whole site.
func Main(build func(*Demo) (http.Handler, error)) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(Run(ctx, os.Args[1:], os.Stdout, os.Stderr, build))
}

// Run is Main with everything given; it ends with ctx and returns the exit status.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer, build func(*Demo) (http.Handler, error)) int {
	err := run(ctx, args, stdout, stderr, build)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, new(usageError)):
		_, _ = fmt.Fprintf(stderr, "%v\n", err)
		return exitUsage
	}
	_, _ = fmt.Fprintf(stderr, "%v\n", err)
	return exitFailed
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer, build func(*Demo) (http.Handler, error)) error {
	d, err := Open(args, stdout, stderr)
	if err != nil {
		return err
	}
	defer d.Close()
	handler, err := build(d)
	if errors.Is(err, challenge.ErrUnavailable) { // the store does not answer
		return err
	}
	if err != nil {
		return usageError{err} // everything it refuses comes from a flag
	}
	return d.Serve(ctx, handler)
}

// Open does what the flags say: it opens files, makes the accounts and listens. Close what it returns.
func Open(args []string, stdout, stderr io.Writer) (*Demo, error) {
	f, err := parseFlags(args, stderr)
	if err != nil {
		return nil, err
	}
	d := &Demo{
		PasswordGuesses: f.passwordGuesses, CodeGuesses: f.codeGuesses,
		BlockFor: f.blockFor, CodeTTL: f.codeTTL, PendingTTL: f.pendingTTL, ResendAfter: f.resendAfter, TrustDevices: f.trust, UnlimitedSends: f.resendAfter == 0,
		LoginRate: f.loginRate, TrustedProxies: f.proxies,
		stdout: stdout, stderr: stderr,
	}
	if err := d.open(f); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Demo) open(f flags) error {
	if f.key != "" {
		key, err := loadKey(f.key)
		if err != nil {
			return usageError{fmt.Errorf("-key: %w", err)}
		}
		d.Keys = []challenge.Key{key}
	}
	lines, err := d.file(f.audit, d.stdout)
	if err != nil {
		return usageError{fmt.Errorf("-audit: %w", err)}
	}
	d.Audit = audit.To(lines, f.format)
	box, err := d.file(f.outbox, d.stderr)
	if err != nil {
		return usageError{fmt.Errorf("-outbox: %w", err)}
	}
	d.Outbox = &senders.Outbox{Writer: box}
	d.Mail, d.SMS = d.Outbox, d.Outbox
	if f.smtp != nil {
		if d.Mail, err = smtp.New(*f.smtp); err != nil {
			return usageError{fmt.Errorf("-smtp: %w", err)}
		}
		d.mailed = true
	}
	if err := d.openStore(f.backend); err != nil {
		return err
	}
	if d.listener, err = net.Listen("tcp", f.addr); err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	d.Site = f.site
	if d.Site == "" {
		d.Site = "http://" + visible(f.addr, d.listener.Addr())
	}
	d.InsecureHTTP = strings.HasPrefix(d.Site, "http://")
	d.Passkeys = new(webauthn.Factor).Check(challenge.Site{Origin: d.Site, Secure: !d.InsecureHTTP}) == nil
	if d.Passkeys {
		d.Passwordless = "passkey"
	}
	d.Accounts, err = makeAccounts(d.Passkeys)
	return err
}

// visible is an address that a browser on this machine can go to: with the name that was asked for, if it was one.
func visible(asked string, a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if host, _, err := net.SplitHostPort(asked); ok && err == nil && host != "" {
		if _, err := netip.ParseAddr(host); err != nil {
			return fmt.Sprintf("%s:%d", host, tcp.Port)
		}
	}
	if !ok || !tcp.IP.IsUnspecified() {
		return a.String()
	}
	return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
}

// file opens a flag's file for lines to be added at its end. "-" is standard output, and no name is unnamed.
func (d *Demo) file(name string, unnamed io.Writer) (io.Writer, error) {
	switch name {
	case "":
		return unnamed, nil
	case "-":
		return d.stdout, nil
	}
	f, err := audit.OpenFile(name)
	if err != nil {
		return nil, err
	}
	d.close = append(d.close, f, d.reopenOnHangup(f))
	return f, nil
}

// reopenOnHangup opens a file anew on SIGHUP, which logrotate sends after it has moved the file away.
func (d *Demo) reopenOnHangup(f *audit.File) io.Closer {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			if err := f.Reopen(); err != nil {
				_, _ = fmt.Fprintln(d.stderr, err)
			}
		}
	}()
	return closer(func() { signal.Stop(hangups); close(hangups) })
}

// Close gives back what Open took.
func (d *Demo) Close() {
	if d.listener != nil {
		_ = d.listener.Close()
	}
	for _, c := range d.close {
		_ = c.Close()
	}
}
