package middleware

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func mustResolver(t testing.TB, header string, trusted ...string) addrResolver {
	t.Helper()
	res, err := newAddrResolver(prefixes(trusted...), header)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// requestFrom makes a request with header lines given as name, value, name, value …
func requestFrom(peer string, lines ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	for i := 0; i < len(lines); i += 2 {
		r.Header.Add(lines[i], lines[i+1])
	}
	return r
}

// addrText is the address, or "" for none.
func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// I-22: client addresses come from the socket.
func TestTheClientIsThePeerOfTheSocket(t *testing.T) {
	for _, tc := range []struct{ name, remote, want string }{
		{"IPv4", "192.0.2.1:1234", "192.0.2.1"},
		{"IPv6", "[2001:db8::1]:1234", "2001:db8::1"},
		{"IPv4-mapped is IPv4", "[::ffff:192.0.2.1]:1234", "192.0.2.1"},
		{"a zone is dropped", "[fe80::1%eth0]:1234", "fe80::1"},
		{"Unix socket", "@", ""},
		{"nothing", "", ""},
		{"a name", "localhost:80", ""},
		{"rewritten from a header by other middleware", "198.51.100.66", ""},
		{"rewritten, IPv6", "2001:db8::66", ""},
		{"rewritten, brackets", "[2001:db8::66]", ""},
	} {
		for _, res := range []addrResolver{{}, mustResolver(t, ""), mustResolver(t, "", "10.0.0.0/8")} {
			r := requestFrom(tc.remote, "X-Forwarded-For", "198.51.100.66", "Forwarded", "for=198.51.100.66",
				"X-Real-IP", "198.51.100.66", "True-Client-IP", "198.51.100.66", "CF-Connecting-IP", "198.51.100.66")
			if got := addrText(res.resolve(r)); got != tc.want {
				t.Errorf("%s: %q gives %q, want %q", tc.name, tc.remote, got, tc.want)
			}
		}
	}
}

// I-22: forwarded headers count only from configured proxies, read from the right.
func TestForwardedHeadersAreReadFromTheRight(t *testing.T) {
	const xff, fwd = "X-Forwarded-For", "Forwarded"
	long := strings.Repeat("a", maxForwardedElement)
	for _, tc := range []struct {
		name   string
		header string
		peer   string // 10.0.0.0/8 and 2001:db8:aaaa::/48 are trusted
		lines  []string
		want   string
	}{
		{"one proxy", xff, "10.0.0.1:1", []string{xff, "203.0.113.9"}, "203.0.113.9"},
		{"X-Forwarded-For is the default", "", "10.0.0.1:1", []string{xff, "203.0.113.9"}, "203.0.113.9"},
		{"the name in another case", "x-forwarded-for", "10.0.0.1:1", []string{xff, "203.0.113.9"}, "203.0.113.9"},
		{"no header", xff, "10.0.0.1:1", nil, "10.0.0.1"},
		{"an untrusted peer says what it likes", xff, "198.51.100.7:1", []string{xff, "203.0.113.9"}, "198.51.100.7"},
		{"an untrusted peer calls itself a proxy", xff, "198.51.100.7:1", []string{xff, "203.0.113.9, 10.0.0.2"}, "198.51.100.7"},
		{"a client writes entries of its own", xff, "10.0.0.1:1", []string{xff, "1.1.1.1, 10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		{"a client writes entries on a line of its own", xff, "10.0.0.1:1", []string{xff, "1.1.1.1", xff, "203.0.113.9"}, "203.0.113.9"},
		{"two proxies", xff, "10.0.0.1:1", []string{xff, "203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		{"two proxies, two lines", xff, "10.0.0.1:1", []string{xff, "1.1.1.1, 203.0.113.9", xff, "10.0.0.2"}, "203.0.113.9"},
		{"trusted hops only", xff, "10.0.0.1:1", []string{xff, "10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"no space after the comma", xff, "10.0.0.1:1", []string{xff, "203.0.113.9,10.0.0.2"}, "203.0.113.9"},
		{"tabs", xff, "10.0.0.1:1", []string{xff, "\t203.0.113.9\t,\t10.0.0.2\t"}, "203.0.113.9"},
		{"IPv6 proxy and client", xff, "[2001:db8:aaaa::1]:1", []string{xff, "2001:db8::9"}, "2001:db8::9"},
		{"IPv4-mapped proxy", xff, "[::ffff:10.0.0.1]:1", []string{xff, "203.0.113.9"}, "203.0.113.9"},
		{"IPv4-mapped client", xff, "10.0.0.1:1", []string{xff, "::ffff:203.0.113.9"}, "203.0.113.9"},
		{"IPv4-mapped hop in brackets", xff, "10.0.0.1:1", []string{xff, "203.0.113.9, [::ffff:10.0.0.2]:80"}, "203.0.113.9"},
		{"a zone", xff, "10.0.0.1:1", []string{xff, "fe80::9%eth0"}, "fe80::9"},
		{"a port", xff, "10.0.0.1:1", []string{xff, "203.0.113.9:4711"}, "203.0.113.9"},
		{"brackets", xff, "10.0.0.1:1", []string{xff, "[2001:db8::9]"}, "2001:db8::9"},
		{"brackets and a port", xff, "10.0.0.1:1", []string{xff, "[2001:db8::9]:4711"}, "2001:db8::9"},
		{"the other header is not read", xff, "10.0.0.1:1", []string{fwd, "for=203.0.113.9"}, "10.0.0.1"},

		{"malformed: nothing", xff, "10.0.0.1:1", []string{xff, ""}, "10.0.0.1"},
		{"malformed: an empty element", xff, "10.0.0.1:1", []string{xff, "203.0.113.9, , 10.0.0.2"}, "10.0.0.2"},
		{"malformed: a name", xff, "10.0.0.1:1", []string{xff, "203.0.113.9, proxy.example, 10.0.0.2"}, "10.0.0.2"},
		{"malformed: unknown", xff, "10.0.0.1:1", []string{xff, "203.0.113.9, unknown"}, "10.0.0.1"},
		{"malformed: a quotation mark", xff, "10.0.0.1:1", []string{xff, `1.1.1.1, "203.0.113.9"`}, "10.0.0.1"},
		{"malformed: leading zeros", xff, "10.0.0.1:1", []string{xff, "203.0.113.009"}, "10.0.0.1"},
		{"malformed: three parts", xff, "10.0.0.1:1", []string{xff, "203.0.113"}, "10.0.0.1"},
		{"malformed: a port that is none", xff, "10.0.0.1:1", []string{xff, "203.0.113.9:http"}, "10.0.0.1"},
		{"malformed: an empty port", xff, "10.0.0.1:1", []string{xff, "203.0.113.9:"}, "10.0.0.1"},
		{"malformed: IPv4 in brackets", xff, "10.0.0.1:1", []string{xff, "[203.0.113.9]"}, "10.0.0.1"},
		{"malformed: an open bracket", xff, "10.0.0.1:1", []string{xff, "[2001:db8::9"}, "10.0.0.1"},
		{"malformed: text after the bracket", xff, "10.0.0.1:1", []string{xff, "[2001:db8::9]4711"}, "10.0.0.1"},
		{"malformed: a space inside", xff, "10.0.0.1:1", []string{xff, "203.0.113.9 203.0.113.10"}, "10.0.0.1"},
		{"malformed: no comma in sight", xff, "10.0.0.1:1", []string{xff, "203.0.113.9, " + long}, "10.0.0.1"},
		{"hops without end", xff, "10.0.0.1:1", []string{xff, "203.0.113.9" + strings.Repeat(",10.0.0.2", 1000)}, "10.0.0.2"},
		{"lines without end", xff, "10.0.0.1:1", append([]string{xff, "203.0.113.9"}, strings.Split(strings.Repeat(xff+" 10.0.0.2 ", 1000), " ")[:2000]...), "10.0.0.2"},

		// The first examples are those of RFC 7239 sections 4, 6.1 and 6.3 and 7.1.
		{"RFC: obfuscated", fwd, "10.0.0.1:1", []string{fwd, `for="_gazonk"`}, "10.0.0.1"},
		{"RFC: IPv6 with a port, name in another case", fwd, "10.0.0.1:1", []string{fwd, `For="[2001:db8:cafe::17]:4711"`}, "2001:db8:cafe::17"},
		{"RFC: several parameters", fwd, "10.0.0.1:1", []string{fwd, "for=192.0.2.60;proto=http;by=203.0.113.43"}, "192.0.2.60"},
		{"RFC: a list", fwd, "10.0.0.1:1", []string{fwd, "for=192.0.2.43, for=198.51.100.17"}, "198.51.100.17"},
		{"RFC: unknown in the middle", fwd, "10.0.0.1:1", []string{fwd, "for=_hidden, for=unknown, for=10.0.0.2"}, "10.0.0.2"},
		{"RFC: a list without spaces", fwd, "10.0.0.1:1", []string{fwd, `for=192.0.2.43,for="[2001:db8:aaaa::2]",for=10.0.0.2`}, "192.0.2.43"},
		{"RFC: a list over several lines", fwd, "10.0.0.1:1", []string{fwd, "for=192.0.2.43, for=10.0.0.3", fwd, "for=10.0.0.2"}, "192.0.2.43"},
		{"Forwarded in another case", "forwarded", "10.0.0.1:1", []string{fwd, "for=203.0.113.9"}, "203.0.113.9"},
		{"an untrusted peer, Forwarded", fwd, "198.51.100.7:1", []string{fwd, "for=203.0.113.9"}, "198.51.100.7"},
		{"X-Forwarded-For is not read beside Forwarded", fwd, "10.0.0.1:1", []string{xff, "203.0.113.9"}, "10.0.0.1"},
		{"quoted IPv4 and port", fwd, "10.0.0.1:1", []string{fwd, `for="203.0.113.9:4711"`}, "203.0.113.9"},
		{"an obfuscated port", fwd, "10.0.0.1:1", []string{fwd, `for="203.0.113.9:_port"`}, "203.0.113.9"},
		{"escapes", fwd, "10.0.0.1:1", []string{fwd, `for="203\.0.113.9"`}, "203.0.113.9"},
		{"a comma and a semicolon in quotes", fwd, "10.0.0.1:1", []string{fwd, `for=203.0.113.9;host="a,b;for=1.1.1.1"`}, "203.0.113.9"},
		{"a quotation mark in quotes", fwd, "10.0.0.1:1", []string{fwd, `for=203.0.113.9;host="a\", for=1.1.1.1, b=\"c"`}, "203.0.113.9"},
		{"a backslash at the end of quotes", fwd, "10.0.0.1:1", []string{fwd, `for=203.0.113.9;host="a\\"`}, "203.0.113.9"},
		{"empty pairs", fwd, "10.0.0.1:1", []string{fwd, ";for=203.0.113.9;;proto=http;"}, "203.0.113.9"},
		{"spaces round a semicolon", fwd, "10.0.0.1:1", []string{fwd, "proto=http ; for=203.0.113.9"}, "203.0.113.9"},
		{"a client leaves a quotation mark open", fwd, "10.0.0.1:1", []string{fwd, `for="1.1.1.1, for="[2001:db8::9]"`}, "2001:db8::9"},
		{"a client leaves an escape open", fwd, "10.0.0.1:1", []string{fwd, `for="1.1.1.1\, for=203.0.113.9`}, "203.0.113.9"},
		{"malformed: no for", fwd, "10.0.0.1:1", []string{fwd, "proto=http"}, "10.0.0.1"},
		{"malformed: two for", fwd, "10.0.0.1:1", []string{fwd, "for=203.0.113.9;for=1.1.1.1"}, "10.0.0.1"},
		{"malformed: IPv6 without brackets", fwd, "10.0.0.1:1", []string{fwd, `for="2001:db8::9"`}, "10.0.0.1"},
		{"malformed: a port without quotes", fwd, "10.0.0.1:1", []string{fwd, "for=203.0.113.9:80"}, "10.0.0.1"},
		{"malformed: no value", fwd, "10.0.0.1:1", []string{fwd, "for="}, "10.0.0.1"},
		{"malformed: no name", fwd, "10.0.0.1:1", []string{fwd, "=203.0.113.9"}, "10.0.0.1"},
		{"malformed: a space before the value", fwd, "10.0.0.1:1", []string{fwd, "for= 203.0.113.9"}, "10.0.0.1"},
		{"malformed: text after the quotes", fwd, "10.0.0.1:1", []string{fwd, `for="203.0.113.9"x`}, "10.0.0.1"},
		{"malformed: quotes that never open", fwd, "10.0.0.1:1", []string{fwd, `for=203.0.113.9"`}, "10.0.0.1"},
		{"malformed: a bare address", fwd, "10.0.0.1:1", []string{fwd, "203.0.113.9"}, "10.0.0.1"},
		{"malformed: quotes without end", fwd, "10.0.0.1:1", []string{fwd, "for=203.0.113.9, for=" + long + `"`}, "10.0.0.1"},
	} {
		res := mustResolver(t, tc.header, "10.0.0.0/8", "2001:db8:aaaa::/48")
		if got := addrText(res.resolve(requestFrom(tc.peer, tc.lines...))); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// I-19: a setting that would let clients choose their address does not come through.
func TestProxySettingsThatTrustEverybodyAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name    string
		trusted []netip.Prefix
		header  string
		says    string
	}{
		{"all of IPv4", prefixes("10.0.0.0/8", "0.0.0.0/0"), "", "name the network"},
		{"all of IPv6", prefixes("::/0"), "", "name the network"},
		{"all of IPv4, mapped", prefixes("::ffff:0.0.0.0/96"), "", "name the network"},
		{"all of IPv4, in halves", prefixes("0.0.0.0/1", "128.0.0.0/1"), "", "name the network"},
		{"more than any private network", prefixes("8.0.0.0/7"), "", "name the network"},
		{"an eighth of IPv6", prefixes("2000::/3"), "", "name the network"},
		{"half of IPv4, mapped", prefixes("::ffff:0.0.0.0/97"), "", "name the network"},
		{"mapped and more", prefixes("::ffff:0.0.0.0/90"), "", "write the IPv4 network"},
		{"the zero prefix", []netip.Prefix{{}}, "", "10.0.0.0/8"},
		{"too many bits", []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), 33)}, "", "10.0.0.0/8"},
		{"a header that is neither", prefixes("10.0.0.0/8"), "X-Real-IP", `"Forwarded"`},
		{"both headers", prefixes("10.0.0.0/8"), "X-Forwarded-For, Forwarded", `"X-Forwarded-For"`},
	} {
		_, err := newAddrResolver(tc.trusted, tc.header)
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: error %v, want one that says %q", tc.name, err, tc.says)
		}
	}
}

func TestTrustedPrefixesMeanTheSameInEverySpelling(t *testing.T) {
	for _, spelling := range []string{"10.0.0.0/8", "10.1.2.3/8", "::ffff:10.0.0.0/104"} {
		res := mustResolver(t, "", spelling)
		if got := addrText(res.resolve(requestFrom("10.0.0.1:1", "X-Forwarded-For", "203.0.113.9"))); got != "203.0.113.9" {
			t.Errorf("%s: got %q", spelling, got)
		}
	}
}

func TestTheResolverKeepsItsOwnCopyOfTheTrustedPrefixes(t *testing.T) {
	list := prefixes("10.0.0.0/8")
	res, err := newAddrResolver(list, "")
	if err != nil {
		t.Fatal(err)
	}
	list[0] = netip.MustParsePrefix("0.0.0.0/0")
	if got := addrText(res.resolve(requestFrom("198.51.100.7:1", "X-Forwarded-For", "203.0.113.9"))); got != "198.51.100.7" {
		t.Errorf("changed from outside: got %q", got)
	}
}

// I-22: IPv6 is keyed by /64.
func TestLimitKeyIsTheAddressForIPv4AndThe64ForIPv6(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1/32",
		"::ffff:192.0.2.1":     "192.0.2.1/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::":  "2001:db8:1:2::/64",
		"2001:db8:1:3::":       "2001:db8:1:3::/64",
		"fe80::1%eth0":         "fe80::/64",
		"::1":                  "::/64",
	} {
		if got := limitKey(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
	if got := limitKey(netip.Addr{}); got.IsValid() {
		t.Errorf("no address has the key %v", got)
	}
}

func TestAnAttackerGainsNothingByRotatingAddressesInsideA64(t *testing.T) {
	l := mustLimiter(t, time.Minute, 5, 1000)
	allowed := 0
	addr := netip.MustParseAddr("2001:db8:1:2::")
	for range 1000 {
		if ok, _ := l.allowAddr(addr, limiterEpoch); ok {
			allowed++
		}
		addr = addr.Next()
	}
	if allowed != 5 {
		t.Errorf("%d requests from one /64, want the burst of 5", allowed)
	}
	for _, other := range []netip.Addr{netip.MustParseAddr("2001:db8:1:3::"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::1"), {}} {
		if ok, _ := l.allowAddr(other, limiterEpoch); !ok {
			t.Errorf("%v pays for it", other)
		}
	}
}

func TestAnAttackerGainsNothingByForwardedHeaders(t *testing.T) {
	res := mustResolver(t, "", "10.0.0.0/8")
	l := mustLimiter(t, time.Minute, 5, 1000)
	allowed := 0
	try := func(r *http.Request) {
		if ok, _ := l.allowAddr(res.resolve(r), limiterEpoch); ok {
			allowed++
		}
	}
	spoofed := netip.MustParseAddr("192.0.2.1")
	for range 100 {
		spoofed = spoofed.Next()
		// The proxy appends what it saw; the attacker rotates what stands before it.
		try(requestFrom("10.0.0.1:1", "X-Forwarded-For", spoofed.String()+", 203.0.113.66"))
		try(requestFrom("10.0.0.1:1", "X-Forwarded-For", spoofed.String(), "X-Forwarded-For", "10.0.0.9, 203.0.113.66"))
	}
	if allowed != 5 {
		t.Errorf("%d requests through the proxy, want the burst of 5", allowed)
	}
}

func TestResolvingWithoutProxiesAllocatesNothing(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates")
	}
	l := mustLimiter(t, time.Hour, 5, 1000)
	for _, peer := range []string{"192.0.2.1:1234", "[2001:db8::1]:1234", "[::ffff:192.0.2.1]:1234"} {
		res, r := mustResolver(t, ""), requestFrom(peer, "X-Forwarded-For", "203.0.113.9")
		if n := testing.AllocsPerRun(100, func() { l.allowAddr(res.resolve(r), limiterEpoch) }); n != 0 {
			t.Errorf("%s: %v allocations", peer, n)
		}
	}
	res := mustResolver(t, "", "10.0.0.0/8")
	r := requestFrom("10.0.0.1:1", "X-Forwarded-For", "1.1.1.1, 203.0.113.9, 10.0.0.2")
	if n := testing.AllocsPerRun(100, func() { res.resolve(r) }); n != 0 {
		t.Errorf("behind proxies: %v allocations", n)
	}
}

// I-22, whatever anybody writes: an untrusted peer is its own address, nothing to the left of what a proxy wrote
// changes how that is read, and every answer has the one plain form.
func FuzzClientAddr(f *testing.F) {
	seeds := []struct{ peer, left string }{
		{"10.0.0.1:1", "1.1.1.1"},
		{"10.0.0.1:1", `for="1.1.1.1`},
		{"10.0.0.1:1", `for=1.1.1.1\`},
		{"10.0.0.1:1", `host="a\", for=1.1.1.1, b=\"c"`},
		{"10.0.0.1:1", ",,,"},
		{"[::ffff:10.0.0.1]:1", "[2001:db8::1%x]:1"},
		{"[2001:db8::1]:1", "unknown, _hidden"},
		{"[fe80::1%eth0]:1", "10.0.0.1"},
		{"198.51.100.7:1", "203.0.113.9"},
		{"198.51.100.7", "203.0.113.9"},
		{"@", ""},
		{"", "\x00\xff"},
	}
	for _, seed := range seeds {
		f.Add(seed.peer, seed.left)
	}
	proxies := prefixes("10.0.0.0/8")
	f.Fuzz(func(t *testing.T, peer, left string) {
		for header, appended := range map[string][2]string{
			"X-Forwarded-For": {"203.0.113.9", "[2001:db8::9]:4711"},
			"Forwarded":       {"for=203.0.113.9", `proto=https;for="[2001:db8::9]:4711";host="a,\"b"`},
		} {
			res, err := newAddrResolver(proxies, header)
			if err != nil {
				t.Fatal(err)
			}
			request := func(peer string, lines ...string) *http.Request {
				return &http.Request{RemoteAddr: peer, Header: http.Header{header: lines}}
			}
			got := res.resolve(request(peer, left))
			socket := addrResolver{}.resolve(request(peer))
			if !proxies[0].Contains(socket) && got != socket {
				t.Errorf("%s %q from the untrusted peer %q gives %v", header, left, peer, got)
			}
			if got.Is4In6() || got.Zone() != "" || (socket.IsValid() && !got.IsValid()) {
				t.Errorf("%s %q from %q gives %v", header, left, peer, got)
			}
			for i, want := range []string{"203.0.113.9", "2001:db8::9"} {
				for _, lines := range [][]string{{left + ", " + appended[i]}, {left, appended[i]}, {left + "," + appended[i], appended[i]}} {
					if got := res.resolve(request("10.0.0.1:1", lines...)); got != netip.MustParseAddr(want) {
						t.Errorf("%s %q gives %v, want %s, which the proxy wrote", header, lines, got, want)
					}
				}
			}
		}
	})
}
