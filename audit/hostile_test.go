package audit_test

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sallyport-go/sallyport/audit"
)

// hostile are values that have broken logs elsewhere, each with what must stand in the line.
var hostile = []struct{ what, value, want string }{
	{"a quote and a field behind it", `x" evt.outcome="success`, `x\u0022 evt.outcome=\u0022success`},
	{"a backslash before the closing quote", `x\`, `x\u005c`},
	{"an escape that is already there", `\u0022`, `\u005cu0022`},
	{"line feed", "x\nevt.name=\"y\"", `x\u000aevt.name=\u0022y\u0022`},
	{"carriage return", "x\ry", `x\u000dy`},
	{"NUL", "x\x00y", `x\u0000y`},
	{"terminal escape", "\x1b[2J", `\u001b[2J`},
	{"tab and delete", "\t\x7f", `\u0009\u007f`},
	{"next line, U+0085", "x\u0085y", `x\u0085y`},
	{"line separator", "x\u2028y", `x\u2028y`},
	{"paragraph separator", "x\u2029y", `x\u2029y`},
	{"bidi override", "\u202egnp", `\u202egnp`},
	{"bidi isolate and mark", "\u2066\u200f\u061c", `\u2066\u200f\u061c`},
	{"zero width and byte order mark", "\u200b\ufeff", `\u200b\ufeff`},
	{"no-break space", "a\u00a0b", `a\u00a0b`},
	{"tag characters outside the basic plane", "\U000e0041", `\udb40\udc41`},
	{"invalid UTF-8", "x\xffy", `x\ufffdy`},
	{"a surrogate as bytes", "\xed\xa0\x80", `\ufffd\ufffd\ufffd`},
	{"a rune cut short", "\xe2\x80", `\ufffd\ufffd`},
	{"single quotes, angle brackets and delimiters", `'a' <b>, c; d=e`, `'a' <b>, c; d=e`},
	{"letters, emoji and the replacement character itself", "Zoë 李 🦊 \ufffd", "Zoë 李 🦊 \ufffd"},
}

// texts are the values of an event that are free text.
func texts(e *audit.Event) []*string {
	return []*string{&e.User, &e.UserID, &e.UserAgent, &e.RequestID, &e.PendingID, &e.LoginID, &e.Method, &e.Reason, &e.Actor, &e.HTTPMethod, &e.Path}
}

// everywhere puts v into every value of the event.
func everywhere(n audit.Name, v string) audit.Event {
	e := full(n)
	for _, s := range texts(&e) {
		*s = v
	}
	return e
}

func TestHostileValuesAreEscapedAlikeInAllFormats(t *testing.T) { // I-21
	for _, h := range hostile {
		for _, n := range append(audit.Names(), audit.Name(h.value)) {
			e := everywhere(n, h.value)
			for _, f := range formats {
				if line := string(f.format(nil, e)); !strings.Contains(line, `"`+h.want+`"`) {
					t.Errorf("%s in %s: %s\nwant a value %q", h.what, f.name, line, h.want)
				}
			}
			checkDatadog(t, e)
			checkObjects(t, e)
		}
	}
}

func TestAllFormatsWriteTheSameAddress(t *testing.T) {
	for addr, want := range map[netip.Addr]string{
		netip.MustParseAddr("::ffff:192.0.2.1"):                       "192.0.2.1",
		netip.MustParseAddr("2001:db8::1"):                            "2001:db8::1",
		netip.MustParseAddr("::ffff:192.0.2.1").WithZone("\"\n"):      "192.0.2.1",
		netip.MustParseAddr("fe80::1").WithZone("\",\"user\":\"root"): "fe80::1",
		{}: "",
	} {
		e := full(audit.Logout)
		e.Client = addr
		for i, field := range []string{"client", "source.ip", "src_endpoint.ip"} {
			f := objects[i]
			got, _ := flatten(t, oneLine(t, f.format(nil, e)))[field].(string)
			if got != want {
				t.Errorf("%s: %q, want %q", f.name, got, want)
			}
		}
	}
}

func TestAValueHasABoundAndAMark(t *testing.T) {
	for _, c := range []struct {
		what, unit string
		limit      int
		set        func(*audit.Event, string)
	}{
		{"user", "u", 256, func(e *audit.Event, v string) { e.User = v }},
		{"user agent", "ü", 512, func(e *audit.Event, v string) { e.UserAgent = v }},
		{"user agent of newlines", "\n", 512, func(e *audit.Event, v string) { e.UserAgent = v }},
	} {
		for _, f := range formats {
			line := func(n int) string {
				e := full(audit.InvalidPassword)
				c.set(&e, strings.Repeat(c.unit, n))
				return string(f.format(nil, e))
			}
			if got := line(c.limit); strings.Contains(got, "…[+") {
				t.Errorf("%s, %s: cut although it fits: %s", f.name, c.what, got)
			}
			over := line(c.limit + 1)
			if want := "…[+" + string('0'+rune(len(c.unit))) + ` bytes]"`; !strings.Contains(over, want) {
				t.Errorf("%s, %s: no mark %s in %s", f.name, c.what, want, over)
			}
			if got := line(1 << 20); len(got) > len(over)+10 {
				t.Errorf("%s, %s: a megabyte makes a line of %d bytes", f.name, c.what, len(got))
			}
		}
	}
}

// checkValue checks that got, as it stands in a line, reads back as the value, cut at limit runes.
func checkValue(t testing.TB, got, value string, limit int) {
	t.Helper()
	var back string
	if err := json.Unmarshal([]byte(`"`+got+`"`), &back); err != nil {
		t.Fatalf("%q: %v", got, err)
	}
	runes := []rune(value) // one U+FFFD for each byte that is no UTF-8
	if len(runes) > limit {
		if !strings.HasPrefix(back, string(runes[:limit])+"…[+") {
			t.Fatalf("%q is not the start of %q with a mark", back, value)
		}
	} else if back != string(runes) {
		t.Fatalf("%q reads back as %q", value, back)
	}
}

// flatten returns the leaves of a JSON object by their dotted path.
func flatten(t testing.TB, line string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(line), &object); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	leaves := map[string]any{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if len(v) == 0 {
				t.Fatalf("empty object at %s in %s", path, line)
			}
			for k, x := range v {
				walk(strings.TrimPrefix(path+"."+k, "."), x)
			}
		case []any:
			if len(v) == 1 {
				if _, ok := v[0].(map[string]any); ok {
					walk(path, v[0])
					return
				}
			}
			leaves[path] = v
		default:
			leaves[path] = v
		}
	}
	walk("", object)
	return leaves
}

// checkObjects checks the three JSON formats: one line, readable, no field that tame values do not have.
func checkObjects(t testing.TB, e audit.Event) {
	t.Helper()
	for _, f := range objects {
		line, twin := oneLine(t, f.format(nil, e)), oneLine(t, f.format(nil, tame(e)))
		if strings.Count(line, `"`) != strings.Count(twin, `"`) { // a key that stands twice would be lost in the map below
			t.Fatalf("%s: a value holds a quote: %s", f.name, line)
		}
		leaves := flatten(t, line)
		got := slices.Sorted(maps.Keys(leaves))
		want := slices.Sorted(maps.Keys(flatten(t, twin)))
		if !slices.Equal(got, want) {
			t.Fatalf("%s: fields %q, want %q", f.name, got, want)
		}
		user := "user.name"
		switch {
		case f.name == "json":
			user = "user"
		case f.name == "ecs" && e.Actor != "":
			user = "user.target.name"
		}
		if f.name == "ecs" && e.User == "" {
			continue // has no user.name then
		}
		text, err := json.Marshal(leaves[user])
		if err != nil {
			t.Fatal(err)
		}
		checkValue(t, string(text[1:len(text)-1]), e.User, 256)
	}
}

func FuzzNoValueEndsItsLineOrAddsAField(f *testing.F) { // I-21
	for i, h := range hostile {
		f.Add(uint8(i), h.value, h.value, h.value, "", []byte{127, 0, 0, 1}, 200)
		f.Add(uint8(i+20), "alice", "curl/8", "wrong code", h.value, []byte("0123456789abcdef"), 0)
	}
	f.Add(uint8(255), strings.Repeat("é", 300), strings.Repeat("\"", 600), "", "basic", []byte{}, -1)
	f.Add(uint8(6), "", "", "", "", []byte{}, 0)
	names := audit.Names()
	f.Fuzz(func(t *testing.T, which uint8, user, agent, reason, rest string, addr []byte, status int) {
		e := audit.Event{
			Time: noon, Name: audit.Name(rest), Outcome: audit.Outcome(which & 1), User: user, UserID: rest, UserAgent: agent,
			RequestID: rest, PendingID: rest, LoginID: agent, Method: rest, Reason: reason, Actor: rest, HTTPMethod: rest, Path: agent, Status: status,
		}
		if int(which) < len(names) {
			e.Name = names[which]
		}
		if a, ok := netip.AddrFromSlice(addr); ok {
			e.Client = a.WithZone(rest)
		}
		if !utf8.ValidString(string(audit.Datadog(nil, e))) {
			t.Fatal("not UTF-8")
		}
		checkDatadog(t, e)
		checkObjects(t, e)
	})
}
