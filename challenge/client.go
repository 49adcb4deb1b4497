package challenge

import "net/netip"

// Client is what the machine needs to know of a request. It crosses the border from net/http as a value.
type Client struct {
	Addr      netip.Addr // already resolved through configured proxies, IPv4-mapped unmapped, without a zone
	UserAgent string
	Language  string // what the person asked for, as in Accept-Language
	Device    string // the known-device token, see [Logins.DeviceToken]; a secret, though it opens nothing by itself
	Trusted   string // value of the trusted-device cookie; a secret
	RequestID string

	pending, login string // what a request is about, for the audit
}

// in says in its events which pending login or login a client speaks of.
func (c Client) in(s *Session) Client {
	c.pending, c.login = "", ""
	if p, ok := s.Pending(); ok {
		c.pending = p.ID
	} else if login, ok := s.Login(); ok {
		c.login = login.ID
	}
	return c
}

// Format keeps the device token out of logs, whatever verb is used.
func (c Client) Format(f fmtState, _ rune) { writeRedacted(f, "client("+c.Addr.String()+")") }
