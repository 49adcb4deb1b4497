package challenge

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// FuzzPhoneNumber: whatever is typed becomes a number in E.164 or none, and one that belongs to one country and one range.
func FuzzPhoneNumber(f *testing.F) {
	for _, s := range []string{"+31 6 1234 5678", "+1 (202) 555-0123", "0031612345678", "+0123456789", "+316123456789012345", "+\u0663\u0661612345678", "+31612345678\r\nTo: x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := phoneNumber(s)
		if !ok {
			return
		}
		if !e164.MatchString(n) {
			t.Fatalf("%q became %q", s, n)
		}
		if again, ok := phoneNumber(n); !ok || again != n || countedAs(ChannelSMS, s) != n {
			t.Fatalf("the canonical form of %q differs: %q", n, again)
		}
		country, block := countryCode(n), numberRange(n)
		if len(country) < 2 || len(country) > 4 || !strings.HasPrefix(n, country) || !strings.HasPrefix(n, block) || len(block) != len(n)-4 {
			t.Fatalf("%q is in %q and %q", n, country, block)
		}
		if !(SendLimits{SMSOnlyTo: []string{country}}).mayGo(n) || (SendLimits{SMSNeverTo: []string{country}}).mayGo(n) || (SendLimits{SMSOnlyTo: []string{}}).mayGo(n) {
			t.Fatalf("I-15: %q does not go by its own country %q", n, country)
		}
	})
}

// FuzzCountedAs: a mailbox counts as the same however often it is made canonical, and case and tag never make it another.
func FuzzCountedAs(f *testing.F) {
	for _, s := range []string{"Carol+Tag@Example.com", "+@example.com", "a@b", "a+b+c@d", "\"a+b\"@c", "é+x@例.jp", "@", "İ@x", ""} {
		f.Add(s, "tag")
	}
	f.Fuzz(func(t *testing.T, s, tag string) {
		c := countedAs(ChannelEmail, s)
		if again := countedAs(ChannelEmail, c); again != c {
			t.Fatalf("%q counts as %q, and that as %q", s, c, again)
		}
		if countedAs("letter", s) != s {
			t.Fatal("an unknown channel's destination was changed")
		}
		at := strings.LastIndexByte(c, '@')
		if at < 1 || strings.ContainsAny(tag, "@") || c[0] == '+' {
			return
		}
		if got := countedAs(ChannelEmail, c[:at]+"+"+tag+c[at:]); got != c {
			t.Fatalf("I-15: %q with the tag %q counts as %q", c, tag, got)
		}
	})
}

// FuzzMask: what is shown of a destination is never the whole of it.
func FuzzMask(f *testing.F) {
	for _, s := range []string{"carol@example.com", "a@b", "+31600000001", "ab@c", "@", "é@x", "+1", "••••@x"} {
		f.Add("email", s)
		f.Add("sms", s)
	}
	f.Fuzz(func(t *testing.T, channel, to string) {
		shown := Mask(channel, to)
		if !strings.Contains(shown, "•••") || to != "" && shown == to && !strings.Contains(to, "•••") {
			t.Fatalf("%s %q is shown as %q", channel, to, shown)
		}
		if n, ok := phoneNumber(to); ok && channel == ChannelSMS && strings.Contains(shown, n[:len(n)-2]) {
			t.Fatalf("%q is shown as %q", to, shown)
		}
	})
}

// FuzzTrustedDevice: what is kept of a trusted device means the same when it is written again, or nothing.
func FuzzTrustedDevice(f *testing.F) {
	seed := trust{mac: []byte("mac"), epoch: epoch{1}, method: "totp", shown: testStart, used: testStart, end: testStart.Add(time.Hour)}
	f.Add([]byte(seed.encode()))
	f.Add([]byte{trustedVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := decodeTrust(raw)
		if err != nil {
			return
		}
		again, err := decodeTrust(v.encode())
		if err != nil || string(again.encode()) != string(v.encode()) {
			t.Fatalf("%v", err)
		}
	})
}

// FuzzNonce: a challenge for a passkey alone is ours, whole and for this site, or none.
func FuzzNonce(f *testing.F) {
	key := Key{ID: 1, Secret: [32]byte{1}}
	l := &Logins{site: Site{Origin: "https://app.example"}}
	var err error
	if l.keys, err = NewKeyring([]Key{key}, strings.NewReader(strings.Repeat("random", 100))); err != nil {
		f.Fatal(err)
	}
	head := make([]byte, nonceHead)
	ours := append(head, l.keys.Hash("passwordless", l.site.Origin, string(head))...)
	f.Add(ours)
	f.Add(ours[:nonceHead])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, nonce []byte) {
		if _, ok := l.nonceEnd(nonce); ok && string(nonce) != string(ours) {
			t.Fatalf("%x passes for ours", nonce)
		}
	})
}
