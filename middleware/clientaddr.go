package middleware

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
)

const (
	headerForwardedFor = "X-Forwarded-For" // no standard; each hop appends the address that it saw
	headerForwarded    = "Forwarded"       // RFC 7239

	maxForwardedHops    = 32
	maxForwardedElement = 1024 // bytes; a Forwarded element may name a host beside the address
)

// addrResolver finds the address a request came from (I-22).
//
// That is the peer of the socket, unless the peer is within a prefix named as trusted: then one header is read, the
// one that was chosen, from the right. Each hop in it that is itself trusted is stepped over; the first that is not
// is the client. What stands further left was written by the client and counts for nothing. An element that is
// malformed, says "unknown" or is obfuscated ends the walk: the last trusted hop then stands for all behind it.
//
// The zero value trusts nobody. An addrResolver is a value and safe for concurrent use.
//
// To check it in production: make a request with "X-Forwarded-For: 192.0.2.1" from outside and look at the client
// address of its audit line. It must be your own, neither 192.0.2.1 nor the proxy's.
type addrResolver struct {
	trusted []netip.Prefix // masked, IPv4-mapped ones as IPv4
	header  string         // canonical
}

// newAddrResolver returns a resolver that believes header, X-Forwarded-For (the default) or Forwarded, from peers
// within trusted and from nobody else. It refuses prefixes that are invalid or larger than anybody's own network.
//
// Every trusted proxy must append to, or overwrite, the chosen header; one that passes it on as it came lets its
// clients write it.
func newAddrResolver(trusted []netip.Prefix, header string) (addrResolver, error) {
	res := addrResolver{header: headerForwardedFor}
	switch name := textproto.CanonicalMIMEHeaderKey(header); name {
	case "", headerForwardedFor:
	case headerForwarded:
		res.header = headerForwarded
	default:
		return addrResolver{}, fmt.Errorf("client address: cannot read the header %q: choose %q (the default) or %q, whichever your proxy writes",
			header, headerForwardedFor, headerForwarded)
	}
	for _, given := range trusted {
		p := given
		if p.IsValid() && p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		switch {
		case !p.IsValid():
			return addrResolver{}, fmt.Errorf("client address: a trusted proxy prefix is not valid: write it as address/bits, such as 10.0.0.0/8 or 2001:db8::/32")
		case p.Bits() < shortestPrefix(p.Addr()):
			return addrResolver{}, fmt.Errorf("client address: trusting %v would let every client choose its own address: name the network that your proxies are in, such as 10.0.0.0/8", given)
		case p.Addr().Is4In6():
			return addrResolver{}, fmt.Errorf("client address: %v holds IPv4 and IPv6 addresses: write the IPv4 network of your proxies as such, for example 10.0.0.0/8", given)
		}
		res.trusted = append(res.trusted, p.Masked())
	}
	return res, nil
}

// shortestPrefix is that of the largest networks anybody has to himself: 10.0.0.0/8 (RFC 1918) and fc00::/7 (RFC 4193). Two
// halves of the Internet are as much as the whole.
func shortestPrefix(a netip.Addr) int {
	if a.Is4() {
		return 8
	}
	return 7
}

// resolve returns the client's address, IPv4-mapped ones as IPv4 and without a zone. It is the zero Addr where the
// socket has none (a Unix socket) and where RemoteAddr is not the "IP:port" that net/http writes: an address without
// a port was put there by some middleware, from a header that anyone can send.
func (res addrResolver) resolve(r *http.Request) netip.Addr {
	socket, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := plainAddr(socket.Addr())
	if !res.trusts(client) {
		return client
	}
	hops := 0
	// Several lines of one header mean the same as one, joined in order (RFC 9110 section 5.3).
	for _, line := range slices.Backward(r.Header[res.header]) {
		for more := true; more; hops++ {
			if hops == maxForwardedHops {
				return client
			}
			var element string
			var ok bool
			if element, line, more, ok = res.lastElement(line); !ok {
				return client
			}
			hop, ok := res.parseHop(element)
			if !ok {
				return client
			}
			if client = hop; !res.trusts(client) {
				return client
			}
		}
	}
	return client
}

func (res addrResolver) trusts(addr netip.Addr) bool {
	for _, p := range res.trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// limitKey is what limits count a client by: the /64 for IPv6, since a single customer is given at least that many
// addresses, and the address itself for IPv4 (I-22). The zero Addr has the zero Prefix.
func limitKey(addr netip.Addr) netip.Prefix {
	addr = plainAddr(addr)
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	p, _ := addr.Prefix(bits) // the zero Addr has no error and the zero Prefix
	return p
}

// plainAddr gives the one form in which addresses are compared.
func plainAddr(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// lastElement takes the last element off a list. It looks from the right only: whatever a client wrote further left,
// an open quotation mark for one, cannot change how a proxy's own element is read.
func (res addrResolver) lastElement(line string) (element, rest string, more, ok bool) {
	i := len(line) - 1
	for quoted := false; i >= 0 && (quoted || line[i] != ','); i-- {
		if len(line)-i > maxForwardedElement {
			return "", "", false, false
		}
		if line[i] == '"' && res.header == headerForwarded {
			quoted = !quoted || escaped(line, i)
		}
	}
	element = strings.Trim(line[i+1:], " \t")
	if i < 0 {
		return element, "", false, true
	}
	return element, line[:i], true, true
}

// escaped reports whether an odd number of backslashes stands before line[i]. It does not look further back than an
// element is long.
func escaped(line string, i int) bool {
	n := 0
	for n < maxForwardedElement && n < i && line[i-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

func (res addrResolver) parseHop(element string) (netip.Addr, bool) {
	if res.header == headerForwarded {
		node, ok := forwardedFor(element)
		if !ok {
			return netip.Addr{}, false
		}
		return parseNode(node, false)
	}
	return parseNode(element, true)
}

// parseNode reads an address with or without a port (RFC 7239 section 6). IPv6 stands in brackets, or bare where
// bareIPv6 allows it. "unknown" and obfuscated names such as "_hidden" are no address.
func parseNode(s string, bareIPv6 bool) (netip.Addr, bool) {
	host, port, hasPort := s, "", false
	wantIPv6 := false
	if inner, bracketed := strings.CutPrefix(s, "["); bracketed {
		var closed bool
		if host, port, closed = strings.Cut(inner, "]"); !closed {
			return netip.Addr{}, false
		}
		if port, hasPort = strings.CutPrefix(port, ":"); !hasPort && port != "" {
			return netip.Addr{}, false
		}
		wantIPv6 = true
	} else if bareIPv6 && strings.Count(s, ":") > 1 {
		wantIPv6 = true
	} else {
		host, port, hasPort = strings.Cut(s, ":")
	}
	if hasPort && !isNodePort(port) {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Is6() != wantIPv6 {
		return netip.Addr{}, false
	}
	return plainAddr(addr), true
}

// isNodePort reports whether s is a node-port of RFC 7239 section 6: up to five digits or an obfuscated name.
func isNodePort(s string) bool {
	if name, obfuscated := strings.CutPrefix(s, "_"); obfuscated {
		return name != "" && isToken(name)
	}
	return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}

// forwardedFor returns the value of "for" in an element of the Forwarded header (RFC 7239 section 4). An element
// with anything malformed in it, or with more than one "for", has none.
func forwardedFor(element string) (node string, ok bool) {
	for more := true; more; {
		element = strings.TrimLeft(element, " \t")
		if element != "" && element[0] != ';' { // the grammar allows for empty pairs
			name, rest, found := strings.Cut(element, "=")
			if !found || !isToken(name) {
				return "", false
			}
			value, rest, valid := cutValue(rest)
			if !valid {
				return "", false
			}
			if strings.EqualFold(name, "for") {
				if ok {
					return "", false
				}
				node, ok = value, true
			}
			element = strings.TrimLeft(rest, " \t")
		}
		if element == "" {
			break
		}
		if element, more = strings.CutPrefix(element, ";"); !more {
			return "", false
		}
	}
	return node, ok
}

// cutValue takes a token or a quoted string (RFC 9110 section 5.6) off the front of s.
func cutValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, "; \t")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], isToken(s[:end])
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// isToken reports whether s is a token of RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}
