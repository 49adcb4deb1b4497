package audit_test

import (
	"bufio"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/audit"
)

// moduleLines are the eight lines of the Mendix module. The file comes from outside and is never written by a test.
func moduleLines(t testing.TB) []string {
	t.Helper()
	f, err := os.Open("testdata/mendix-module.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	for s := bufio.NewScanner(f); s.Scan(); {
		lines = append(lines, s.Text())
	}
	if len(lines) != 8 {
		t.Fatalf("the module has eight lines, the file %d", len(lines))
	}
	return lines
}

// moduleEvents are the same eight events. What the module does not write is set all the same, and must not be written.
func moduleEvents() []audit.Event {
	of := func(n audit.Name, o audit.Outcome, user string) audit.Event {
		e := full(n)
		e.Outcome, e.User, e.UserAgent = o, user, "…"
		return e
	}
	return []audit.Event{
		of(audit.CodeCreated, audit.Success, "MxAdmin"),
		of(audit.LoginWithMFA, audit.Success, "MxAdmin"),
		of(audit.CodeValidated, audit.Success, "MxAdmin"),
		of(audit.UnknownUser, audit.Failure, "Henk"),
		of(audit.InvalidPassword, audit.Failure, "demo_user"),
		of(audit.NoPendingLogin, audit.Failure, "demo_user"),
		of(audit.InvalidCode, audit.Failure, "demo_user"),
		of(audit.CodeGuessesSpent, audit.Failure, "demo_user"),
	}
}

func TestDatadogWritesTheModulesEightLinesByteForByte(t *testing.T) {
	for i, e := range moduleEvents() {
		if got, want := string(audit.Datadog(nil, e)), moduleLines(t)[i]+"\n"; got != want {
			t.Errorf("got  %swant %s", got, want)
		}
	}
}

func TestDatadogIDsIsDatadogWithTheIdsOnEveryLine(t *testing.T) {
	const ids = ` http.request_id="req-1" evt.pending_id="9f8e" evt.login_id="5d4c"`
	for _, n := range audit.Names() {
		plain, with := string(audit.Datadog(nil, full(n))), string(audit.DatadogIDs(nil, full(n)))
		if strings.Contains(plain, ids) {
			if with != plain {
				t.Errorf("%s: got  %swant %s", n, with, plain)
			}
		} else if want := strings.TrimSuffix(plain, "\n") + ids + "\n"; with != want {
			t.Errorf("%s: got  %swant %s", n, with, want)
		}
	}
}

func TestDatadogFieldsOfTheClientAndTheUser(t *testing.T) {
	const start, end = `evt.category="authentication" evt.name="MFA validated" `, ` evt.outcome="success" usr.name="MxAdmin"` + "\n"
	for _, c := range []struct {
		what string
		addr netip.Addr
		want string
	}{
		{"IPv4 stands unquoted, as in the module", netip.MustParseAddr("192.0.2.1"), `network.client.ip=192.0.2.1`},
		{"IPv6 is quoted", netip.MustParseAddr("2001:db8::1"), `network.client.ip="2001:db8::1"`},
		{"IPv4 in IPv6 is IPv4", netip.MustParseAddr("::ffff:192.0.2.1"), `network.client.ip=192.0.2.1`},
		{"a zone is left out, it may hold anything", netip.MustParseAddr("fe80::1").WithZone("a\"\n evt.outcome=b"), `network.client.ip="fe80::1"`},
	} {
		e := full(audit.CodeValidated)
		e.Client = c.addr
		if got, want := string(audit.Datadog(nil, e)), start+c.want+end; got != want {
			t.Errorf("%s:\ngot  %swant %s", c.what, got, want)
		}
	}
	got := string(audit.Datadog(nil, bare(audit.NoPendingLogin)))
	want := `evt.category="authentication" evt.name="MFA enabled but no session found" http.useragent="" evt.outcome="failure" usr.name=""` + "\n"
	if got != want {
		t.Errorf("without client and user:\ngot  %swant %s", got, want)
	}
}

type pair struct{ key, value string }

// readPairs reads key="value" and key=value, separated by one space. Parsers differ in whether a backslash hides a quote,
// so it can be asked for both; what a log pipeline has in front of it is not ours to choose.
func readPairs(t testing.TB, line string, backslashHidesQuote bool) []pair {
	t.Helper()
	var pairs []pair
	for rest := line; ; {
		key, after, ok := strings.Cut(rest, "=")
		if !ok || key == "" || strings.ContainsAny(key, "\" \\\n") {
			t.Fatalf("no key at %q in %q", rest, line)
		}
		var value string
		if quoted, ok := strings.CutPrefix(after, `"`); ok {
			end := 0
			for end < len(quoted) && quoted[end] != '"' {
				if backslashHidesQuote && quoted[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(quoted) {
				t.Fatalf("no closing quote in %q", line)
			}
			value, rest = quoted[:end], quoted[end+1:]
		} else {
			end := strings.IndexByte(after+" ", ' ')
			value, rest = after[:end], after[end:]
		}
		pairs = append(pairs, pair{key, value})
		if rest == "" {
			return pairs
		}
		if rest[0] != ' ' {
			t.Fatalf("no space before %q in %q", rest, line)
		}
		rest = rest[1:]
	}
}

func keysOf(pairs []pair) []string {
	var keys []string
	for _, p := range pairs {
		keys = append(keys, p.key)
	}
	return keys
}

// oneLine checks that there is one newline, the last byte, and takes it off (I-21).
func oneLine(t testing.TB, line []byte) string {
	t.Helper()
	text, ok := strings.CutSuffix(string(line), "\n")
	if !ok || strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\u061c' || r == '\ufeff' ||
			r >= '\u200b' && r <= '\u200f' || r >= '\u202a' && r <= '\u202e' || r >= '\u2060' && r <= '\u206f'
	}) || strings.ToValidUTF8(text, "") != text {
		t.Fatalf("not one clean line: %q", line)
	}
	return text
}

// tame returns e with every value that is there replaced by a harmless one: hostile values may change no field.
func tame(e audit.Event) audit.Event {
	for _, s := range texts(&e) {
		if *s != "" && s != &e.Method {
			*s = "x"
		}
	}
	if !slices.Contains([]string{"", "totp", "sms", "email", "passkey", "password", "basic"}, e.Method) { // OCSF has fields of its own for these
		e.Method = "x"
	}
	if !slices.Contains(audit.Names(), e.Name) {
		e.Name = "x"
	}
	e.Client = e.Client.WithZone("")
	return e
}

func checkDatadog(t testing.TB, e audit.Event) {
	t.Helper()
	checkPairs(t, e, audit.Datadog)
	checkPairs(t, e, audit.DatadogIDs)
}

func checkPairs(t testing.TB, e audit.Event, f audit.Format) {
	t.Helper()
	line := oneLine(t, f(nil, e))
	want := keysOf(readPairs(t, oneLine(t, f(nil, tame(e))), false))
	for _, hides := range []bool{false, true} {
		pairs := readPairs(t, line, hides)
		if got := keysOf(pairs); !slices.Equal(got, want) {
			t.Fatalf("fields %q, want %q, in %q", got, want, line)
		}
		for _, p := range pairs {
			if p.key == "usr.name" {
				checkValue(t, p.value, e.User, 256)
			}
			if p.key == "http.useragent" {
				checkValue(t, p.value, e.UserAgent, 512)
			}
		}
	}
}
