package challenge

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/secure/precis"
)

// The examples of RFC 8265 section 3.5, table 1 and 2, and their neighbours.
func TestUsernameCaseMapped(t *testing.T) {
	for name, want := range map[string]string{
		"juliet@example.com": "juliet@example.com",
		"fussball":           "fussball",
		"fu\u00dfball":       "fu\u00dfball", // sharp s stays itself
		"\u03c0":             "\u03c0",
		"\u03a3":             "\u03c3", // sigma
		"\u03c3":             "\u03c3",
		"\u03c2":             "\u03c2", // final sigma
		"ALICE":              "alice",
		"Alice":              "alice",
		"\uff21lice":         "alice",      // full-width A
		"e\u0301mile":        "\u00e9mile", // NFC
		"\u00c9MILE":         "\u00e9mile",
		"\u212a":             "k", // Kelvin sign, which NFC replaces
	} {
		got, err := UsernameCaseMapped(name)
		if name == "\u212a" { // compatibility characters are disallowed or mapped, never a name of their own
			if err == nil && got != want {
				t.Errorf("%q: %q", name, got)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{
		"", " ", "foo bar", "alice ", " alice", "alice\n", "alice\x00", "al\x7fice", "\u00a0", "al\u200bice", "al\u202eice",
		"henry\u2163", // Roman numeral four, table 2
		"\u265a",      // black chess king, table 2
		"\u221e",      // infinity
		"\xff", "al\xc3", "\ud7ff\xed\xa0\x80", "\u0301alice\u0640\u06dd",
		strings.Repeat("a", 256), strings.Repeat("\u00e9", 128), strings.Repeat("\u0130", 127) /* I with dot above: a byte longer in lower case */, "\ufffe", "\U000e0001",
	} {
		if got, err := UsernameCaseMapped(name); err == nil {
			t.Errorf("%q is a name: %q", name, got)
		} else if got != "" || name != "" && strings.Contains(err.Error(), name) && len(name) > 3 {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	if _, err := UsernameCaseMapped(strings.Repeat("a", 255)); err != nil {
		t.Error(err)
	}
}

func TestTheShortWayForASCIIAgreesWithTheProfile(t *testing.T) {
	for c := range rune(128) {
		for _, name := range []string{string(c), "a" + string(c) + "Z", "1" + string(c), string(c) + "9"} {
			got, err := UsernameCaseMapped(name)
			want, werr := precis.UsernameCaseMapped.String(name)
			if (err == nil) != (werr == nil) || err == nil && got != want {
				t.Errorf("%q: %q, %v; the profile says %q, %v", name, got, err, want, werr)
			}
		}
	}
}

func FuzzUsernameCaseMapped(f *testing.F) {
	for _, s := range []string{"Alice", "ÉMILE", "Ａlice", "ς", "אב1", "1אב", "a\u0301\u0323", "ﬁ", "İ", "ẞ", "alice@EXAMPLE.com", "", "\xff", "\u1fb4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := UsernameCaseMapped(name)
		if err != nil {
			if got != "" {
				t.Fatal("refused, with a name")
			}
			return
		}
		if got == "" || len(got) > 255 || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			t.Fatalf("%q became %q", name, got)
		}
		if again, err := UsernameCaseMapped(got); err != nil || again != got {
			t.Fatalf("%q became %q, then %q, %v", name, got, again, err)
		}
		// Where the profile is stable at once, ours is the profile.
		if want, err := precis.UsernameCaseMapped.String(name); err != nil || len(want) == len(got) && want != got {
			if twice, _ := precis.UsernameCaseMapped.String(want); err != nil || twice == want {
				t.Fatalf("%q became %q; the profile says %q, %v", name, got, want, err)
			}
		}
	})
}

func ExampleUsernameCaseMapped() {
	name, err := UsernameCaseMapped("Ａlice")
	fmt.Println(name, err)
	_, err = UsernameCaseMapped("al ice")
	fmt.Println(err)
	// Output:
	// alice <nil>
	// challenge: this cannot be a name
}
