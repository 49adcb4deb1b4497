package demo

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/senders/smtp"
)

// flags are the command line, checked as far as that is possible without the machine, which checks the rest.
type flags struct {
	addr, site, key, outbox, audit string

	backend                      backend // of -store
	format                       audit.Format
	passwordGuesses, codeGuesses int
	blockFor, codeTTL            time.Duration
	pendingTTL, resendAfter      time.Duration
	trust                        time.Duration
	loginRate                    int
	proxies                      []netip.Prefix
	smtp                         *smtp.Config
}

func parseFlags(args []string, stderr io.Writer) (flags, error) {
	var f flags
	var store, format, proxies, mail string
	set := flag.NewFlagSet(filepath.Base(os.Args[0]), flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&f.addr, "addr", "127.0.0.1:8080", "listen `address`; port 0 takes a free one")
	set.StringVar(&f.site, "site", "", "public `origin`, such as https://acme.example (default http:// and the address)")
	set.StringVar(&store, "store", "memory", "where logins are kept: memory, which forgets everything at the end, or `place` that several processes may share: sqlite:PATH, postgres://…, mysql://… or redis://…")
	set.StringVar(&f.key, "key", "", "`file` with the key of 32 bytes that secrets are encrypted with; made if absent (default beside the file of sqlite:)")
	set.StringVar(&f.outbox, "outbox", "", "`file` that gets one JSON object a line for each message sent; - is standard output (default standard error)")
	set.StringVar(&f.audit, "audit", "-", "`file` for the audit lines, opened anew on SIGHUP; - is standard output")
	set.StringVar(&format, "audit-format", "datadog", "datadog, datadog-ids, ecs, ocsf or json")
	set.IntVar(&f.passwordGuesses, "max-password-guesses", 3, "wrong passwords before an account is blocked")
	set.IntVar(&f.codeGuesses, "max-code-guesses", 3, "wrong codes before an account is blocked")
	set.DurationVar(&f.blockFor, "block-for", 5*time.Minute, "how long a block lasts")
	set.DurationVar(&f.codeTTL, "code-ttl", 10*time.Minute, "how long a sent code is right")
	set.DurationVar(&f.pendingTTL, "pending-ttl", 10*time.Minute, "how long the second step may take")
	set.DurationVar(&f.resendAfter, "resend-after", 30*time.Second, "how long before another code is sent; 0s means no wait and no limits")
	set.DurationVar(&f.trust, "trust-devices", 0, "how long a device may be trusted, on which the password is then enough; 0s means never")
	set.IntVar(&f.loginRate, "login-rate", 20, "credentials a minute that each client address may show")
	set.StringVar(&proxies, "trusted-proxies", "", "`CIDRs` of proxies whose X-Forwarded-For counts, with commas between")
	set.StringVar(&mail, "smtp", "", "`URL` such as smtp://user:pass@host:port: send real mail instead of filling the outbox")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return f, err
		}
		return f, usageError{errors.New("see -help")} // the flag set has said what is wrong
	}
	if set.NArg() > 0 {
		return f, usageError{fmt.Errorf("%q is not a flag: every setting is a flag, see -help", set.Arg(0))}
	}
	if err := f.check(store, format, proxies, mail); err != nil {
		return f, usageError{err}
	}
	return f, nil
}

// check refuses what makes no sense, and reads the flags that are more than a word.
func (f *flags) check(store, format, proxies, mail string) error {
	for _, v := range []struct {
		name     string
		negative bool
	}{
		{"max-password-guesses", f.passwordGuesses < 0}, {"max-code-guesses", f.codeGuesses < 0}, {"login-rate", f.loginRate < 0},
		{"block-for", f.blockFor < 0}, {"code-ttl", f.codeTTL < 0}, {"pending-ttl", f.pendingTTL < 0}, {"resend-after", f.resendAfter < 0}, {"trust-devices", f.trust < 0},
	} {
		if v.negative {
			return fmt.Errorf("-%s is negative: give more than 0, or 0 for the default", v.name)
		}
	}
	if _, port, err := net.SplitHostPort(f.addr); err != nil || port == "" {
		return fmt.Errorf("-addr %q: give host and port, such as 127.0.0.1:8080", f.addr)
	}
	var err error
	if f.backend, err = parseStore(store); err != nil {
		return fmt.Errorf("-store %w", err)
	}
	if f.key == "" && f.backend.file != "" {
		f.key = f.backend.file + ".key"
	}
	if f.key == "" && store != "memory" {
		return fmt.Errorf("-store %s needs -key FILE: every process that uses it, and every later start, needs the same key", f.backend.name)
	}
	var ok bool
	if f.format, ok = audit.FormatByName(format); !ok {
		return fmt.Errorf("-audit-format %q: choose datadog, datadog-ids, ecs, ocsf or json", format)
	}
	for _, cidr := range strings.Split(proxies, ",") {
		if cidr = strings.TrimSpace(cidr); cidr == "" {
			continue
		}
		p, err := netip.ParsePrefix(cidr)
		if err != nil {
			return fmt.Errorf("-trusted-proxies %q: give networks such as 10.0.0.0/8", cidr)
		}
		f.proxies = append(f.proxies, p)
	}
	if mail != "" {
		c, err := smtp.ParseURL(mail)
		if err != nil {
			return fmt.Errorf("-smtp: %w", err)
		}
		if c.From == "" {
			c.From = "Sallyport demo <login@sallyport.example>"
		}
		f.smtp = &c
	}
	return nil
}
