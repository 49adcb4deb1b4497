package smtp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	defaultTimeout = 10 * time.Second
	portSubmission = 587 // RFC 6409 §3.1
	portTLS        = 465 // RFC 8314 §7.3
)

// Config names a mail server and an account there. It prints without the user name and the password.
type Config struct {
	// Host is a name or an IP address. The server's certificate must be valid for it.
	Host string
	// Port 465 means TLS from the first byte, every other port STARTTLS. Zero means 587, or 465 with ImplicitTLS.
	Port int
	// ImplicitTLS speaks TLS from the first byte on whatever port.
	ImplicitTLS bool
	// Username and Password log in, both or neither, by PLAIN or LOGIN, whichever the server offers first.
	Username string `json:"-"`
	Password string `json:"-"`
	// From is the sender, as login@acme.example or Acme <login@acme.example>.
	From string
	// LocalName is what EHLO says. Empty means the machine's host name.
	LocalName string
	// Timeout bounds one Send beside the context's deadline. Zero means 10 seconds.
	Timeout time.Duration
	// TLS adds to crypto/tls's defaults, for example RootCAs for a private certificate authority. It is copied; an empty
	// ServerName becomes Host.
	TLS *tls.Config `json:"-"`
	// InsecureNoTLS speaks without TLS, so that everybody on the way can read the codes. For a catch-all server of a test
	// or demonstration. A password is sent this way to localhost only.
	InsecureNoTLS bool
}

// Format shows the server only.
func (c Config) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "smtp config("+c.address()+")")
}

func (c Config) address() string { return c.Host + ":" + strconv.Itoa(c.Port) }

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$`)

// checked returns c with its defaults filled in, and the parsed sender.
func (c Config) checked() (Config, *mail.Address, error) {
	refuse := func(s string) (Config, *mail.Address, error) { return Config{}, nil, errors.New("smtp: " + s) }
	if c.Port == 0 && c.ImplicitTLS {
		c.Port = portTLS
	} else if c.Port == 0 {
		c.Port = portSubmission
	}
	_, ipErr := netip.ParseAddr(c.Host)
	from, fromErr := parseFrom(c.From)
	switch {
	case c.Host == "":
		return refuse("no Host: name the mail server")
	case ipErr != nil && !hostName.MatchString(c.Host):
		return refuse("Host is neither a host name nor an IP address: give it without scheme, port and brackets")
	case c.Port < 1 || c.Port > 65535:
		return refuse(fmt.Sprintf("Port %d does not exist: use 0 for the default, or 1 to 65535", c.Port))
	case c.InsecureNoTLS && (c.ImplicitTLS || c.Port == portTLS):
		return refuse("InsecureNoTLS contradicts ImplicitTLS and port 465: leave one out")
	case (c.Username == "") != (c.Password == ""):
		return refuse("only one of Username and Password is set: set both, or neither for a server that asks for none")
	case strings.ContainsRune(c.Username+c.Password, 0):
		return refuse("Username or Password contains a NUL byte, which no mechanism can carry (RFC 4616 §2)")
	case c.InsecureNoTLS && c.Username != "" && !loopback(c.Host):
		return refuse("a password is not sent without TLS beyond localhost: drop InsecureNoTLS, or Username and Password")
	case fromErr != nil:
		return refuse("From is missing or not a mail address: write login@acme.example or Acme <login@acme.example>")
	case c.Timeout < 0:
		return refuse(fmt.Sprintf("Timeout %v is negative: use 0 for the default of %v", c.Timeout, defaultTimeout))
	}
	c.ImplicitTLS = c.ImplicitTLS || c.Port == portTLS
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.LocalName == "" {
		c.LocalName = "localhost"
		if name, err := os.Hostname(); err == nil && hostName.MatchString(name) {
			c.LocalName = name
		}
	} else if !hostName.MatchString(c.LocalName) {
		return refuse("LocalName is not a host name")
	}
	if c.TLS == nil {
		c.TLS = &tls.Config{}
	} else {
		c.TLS = c.TLS.Clone()
	}
	if c.TLS.ServerName == "" {
		c.TLS.ServerName = c.Host
	}
	return c, from, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// parseFrom reads an address with an optional name. A name that could break the header is refused with the address.
func parseFrom(s string) (*mail.Address, error) {
	if hasControl(s) {
		return nil, errors.New("control character")
	}
	a, err := mail.ParseAddress(s)
	if err != nil {
		return nil, err
	}
	if hasControl(a.Name) { // an encoded word can decode to a line break
		return nil, errors.New("control character")
	}
	return a, checkAddress(a.Address)
}

// ParseURL reads a Config from smtp://user:password@host:port, or smtps:// for TLS from the first byte. User, password and
// port may be missing; special characters in user and password are percent-encoded (@ is %40). From becomes the query
// parameter from, or else the user when that is a mail address, or else stays empty for the caller to fill in.
// insecure-no-tls=true sets [Config.InsecureNoTLS].
//
// It refuses anything else, with an error that never repeats the URL.
func ParseURL(s string) (Config, error) {
	refuse := func(s string) (Config, error) { return Config{}, errors.New("smtp: URL: " + s) }
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" || u.Hostname() == "" {
		return refuse("cannot be read: write smtp://user:password@host:port and percent-encode special characters (@ is %40)")
	}
	c := Config{Host: u.Hostname()}
	switch u.Scheme {
	case "smtp":
	case "smtps":
		c.ImplicitTLS = true
	default:
		return refuse("the scheme is neither smtp:// nor smtps://")
	}
	if u.Path != "" && u.Path != "/" || u.Fragment != "" {
		return refuse("something follows the port: percent-encode / (%2F) and # (%23) in the password, or remove it")
	}
	if p := u.Port(); p != "" {
		if c.Port, err = strconv.Atoi(p); err != nil || c.Port < 1 || c.Port > 65535 {
			return refuse("the port is not a number from 1 to 65535")
		}
	}
	c.Username = u.User.Username()
	c.Password, _ = u.User.Password()
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return refuse("what follows the ? cannot be read: percent-encode special characters")
	}
	for name, values := range query {
		switch {
		case name == "from" && len(values) == 1:
			c.From = values[0]
		case name == "insecure-no-tls" && len(values) == 1 && values[0] == "true":
			c.InsecureNoTLS = true
		default:
			return refuse("after the ? only from=ADDRESS and insecure-no-tls=true are known, each once")
		}
	}
	if c.From == "" && checkAddress(c.Username) == nil {
		c.From = c.Username
	}
	return c, nil
}
