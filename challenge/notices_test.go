package challenge_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// happenings are what a person is told of by mail. Each may be made to happen again and again.
var happenings = []struct {
	name, word string // of the mail, in Dutch
	do         func(o *own)
}{
	{"a login on another device", "apparaat", func(o *own) { o.byTablet(); o.byTablet() }},
	{"wrong codes", "geblokkeerd", func(o *own) {
		token := o.on("alice", challenge.Client{}).Token
		for range 4 {
			_, _ = o.verify(token, "000000")
		}
		o.Clock.Advance(5 * time.Minute)
	}},
	{"wrong passwords", "geblokkeerd", func(o *own) {
		for range 4 {
			_, _ = o.password("alice", "wrong")
		}
		o.Clock.Advance(5 * time.Minute)
	}},
	{"a recovery code at a login", "herstelcode", func(o *own) {
		o.by(challenge.Client{}, o.nextCode)
	}},
	{"a recovery code in a step-up", "herstelcode", func(o *own) {
		out, err := o.stepUp(o.token, "", o.nextCode())
		if err != nil {
			o.t.Fatal(err)
		}
		o.token = out.Token
	}},
	{"a recovery code beside a password", "herstelcode", func(o *own) {
		if _, err := o.basic("alice", password, o.nextCode()); err != nil {
			o.t.Fatal(err)
		}
	}},
	{"a factor added", "toegevoegd", func(o *own) { mustToken(changes[0].do(o, o.fresh())) }},
	{"a factor removed", "verwijderd", func(o *own) { mustToken(changes[3].do(o, o.fresh())) }},
	{"new recovery codes", "toegevoegd", func(o *own) { mustToken(changes[4].do(o, o.fresh())) }},
	{"factors reset", "verwijderd", func(o *own) {
		if err := o.logins.ResetFactors(ctx, "1", "admin"); err != nil {
			o.t.Fatal(err)
		}
	}},
}

// nextCode crosses a recovery code off.
func (o *own) nextCode() string {
	c := o.codes[0]
	o.codes = o.codes[1:]
	return c
}

// fresh is a token of alice's that has just shown everything, on the device that she always uses.
func (o *own) fresh() string {
	out := o.by(challenge.Client{Device: o.device}, func() string { return o.codeOf(tablet, 0) })
	return out.Token
}

func mustToken(token string, err error) string {
	if err != nil {
		panic(err)
	}
	return token
}

// settled is a house in which alice's device is known, and what that was told is read.
func settled(t *testing.T, change ...func(*challenge.Config)) *own {
	o := owned(t, change...)
	out := o.by(challenge.Client{}, func() string { return o.codeOf(tablet, 0) })
	o.token, o.device = out.Token, out.Device
	o.logins.WaitForNotices()
	o.take()
	return o
}

func TestOneMailTellsWhatHappenedAndHoldsNoSecret(t *testing.T) {
	for _, c := range happenings {
		t.Run(c.name, func(t *testing.T) {
			o := settled(t)
			if n := len(o.mails.Messages()); n != 0 {
				t.Fatalf("%d mails of the first login of all", n)
			}
			secrets := append([]string{password, secret, tablet, o.token, o.device}, o.codes...)
			c.do(o)
			o.logins.WaitForNotices()
			mails := o.mails.Messages()
			if strings.HasPrefix(c.name, "a recovery code at") { // which is a login on another device as well: one mail is enough
				mails = slices.DeleteFunc(mails, func(m challenge.Message) bool { return strings.Contains(m.Body, "apparaat waarop") })
			}
			if len(mails) != 1 {
				t.Fatalf("%d mails: %q", len(mails), bodies(mails))
			}
			m := mails[0]
			if m.To != "alice@example.com" || m.Channel != challenge.ChannelEmail || m.Language != "nl" || m.Code != "" || m.Subject == "" {
				t.Errorf("to %s, %s, in %s, %q", m.To, m.Channel, m.Language, m.Subject)
			}
			if !strings.Contains(strings.ToLower(m.Subject+m.Body), c.word) || !strings.Contains(m.Body, "app.example") || strings.ContainsAny(m.Body, "{}") || strings.Contains(m.Body, "invalid") {
				t.Errorf("%s\n%s", m.Subject, m.Body)
			}
			for _, s := range secrets {
				if strings.Contains(m.Subject+m.Body+m.HTML, s) {
					t.Error("I-21: the mail holds a secret")
				}
			}
			n := 0
			for _, e := range o.Audit.Events() {
				if e.Name == audit.NoticeSent {
					n++
					if e.Outcome != audit.Success || e.User != "alice" || e.Reason == "" {
						t.Errorf("I-21: %+v", e)
					}
				}
			}
			if n != 1 {
				t.Errorf("I-21: %d events of one mail", n)
			}
		})
	}
}

func TestI15OneMailOfAKindADayIsEnough(t *testing.T) {
	for _, c := range happenings[:3] {
		t.Run(c.name, func(t *testing.T) {
			o := settled(t)
			c.do(o)
			o.logins.WaitForNotices()
			first := len(o.mails.Messages())
			o.Clock.Advance(time.Minute)
			c.do(o)
			o.logins.WaitForNotices()
			if n := len(o.mails.Messages()); n != first {
				t.Errorf("I-15: %d mails, and then %d", first, n)
			}
			o.Clock.Advance(24 * time.Hour)
			o.token = o.fresh()
			c.do(o)
			o.logins.WaitForNotices()
			if n := len(o.mails.Messages()); n <= first {
				t.Errorf("the next day: %d mails, and then %d", first, n)
			}
		})
	}
}

// told counts the mails since it was last called, by a word of each.
func (o *own) told(words ...string) []int {
	o.t.Helper()
	o.logins.WaitForNotices()
	got := make([]int, len(words))
	for _, m := range o.mails.Messages()[o.read:] {
		o.read++
		i := slices.IndexFunc(words, func(w string) bool { return strings.Contains(m.Subject+m.Body, w) })
		if i < 0 {
			o.t.Fatalf("a mail about something else: %s", m.Subject)
		}
		got[i]++
	}
	return got
}

func TestWhatTheOwnerDidThisMorningHidesNothingOfAThief_I15(t *testing.T) {
	o := settled(t)
	add := func() {
		o.adds(challenge.EnrolInput{Method: "totp"}, func(s string) string { return o.codeOf(s, 0) })
		o.nextCode()
	}
	add() // a new phone
	if got := o.told("herstelcode", "toegevoegd", "apparaat waarop"); got[0] != 1 || got[1] != 1 {
		t.Fatalf("the owner's own: %v", got)
	}
	for range 2 {
		o.Clock.Advance(time.Hour)
		if add(); !slices.Equal(o.told("herstelcode", "toegevoegd"), []int{1, 1}) {
			t.Error("I-15: a thief's code and app of the same day are not told of")
		}
	}
	// The same of what is taken away, and of new codes.
	for range 2 {
		token := mustToken(changes[0].do(o, o.fresh()))
		o.told("toegevoegd")
		out, err := o.logins.RemoveFactor(ctx, challenge.Client{}, o.open(token), o.id("new"))
		if err != nil {
			t.Fatal(err)
		}
		if o.told("verwijderd")[0] != 1 {
			t.Error("I-15: what is removed next is not told of")
		}
		if mustToken(changes[4].do(o, out.Token)); o.told("toegevoegd")[0] != 1 {
			t.Error("I-15: the next new codes are not told of")
		}
	}
}

func TestActsAreToldOfAsOftenAsAnAccountHasRecoveryCodesInADay_I15(t *testing.T) {
	o := settled(t)
	token := o.fresh()
	for range 60 {
		token = mustToken(changes[4].do(o, token))
	}
	if n := o.told("toegevoegd"); n[0] != 50 {
		t.Errorf("I-15: %d mails of 60 new lists of recovery codes", n[0])
	}
	n := 0
	for _, e := range o.Audit.Events() {
		if e.Name == audit.NoticeSent && e.Outcome == audit.Failure && e.Reason == "recovery codes made: too many today" {
			n++
		}
	}
	if n != 10 {
		t.Errorf("I-21: %d events of ten mails that were not sent", n)
	}
	o.Clock.Advance(24 * time.Hour)
	if mustToken(changes[4].do(o, o.fresh())); o.told("toegevoegd")[0] != 1 {
		t.Error("I-15: none on the next day")
	}
}

func TestWrongPasswordsHideNoWrongCodes_I15(t *testing.T) {
	o := settled(t)
	stranger := challenge.Client{Addr: address(7)}
	for range 3 {
		_, _ = o.password("alice", "wrong")
	}
	if o.told("geblokkeerd")[0] != 1 {
		t.Fatal("no mail about blocked passwords")
	}
	o.Clock.Advance(5 * time.Minute)
	wrong := func(c challenge.Client) {
		t.Helper()
		token := o.on("alice", c).Token
		for range 3 {
			_, _ = o.logins.Verify(ctx, c, o.open(token), challenge.CodeInput{Code: "000000"})
		}
		o.Clock.Advance(5 * time.Minute)
	}
	if wrong(challenge.Client{Device: o.device}); o.told("geblokkeerd")[0] != 1 {
		t.Error("I-15: the owner's own wrong codes are not told of")
	}
	if wrong(stranger); o.told("geblokkeerd")[0] != 1 {
		t.Error("I-15: a stranger's wrong codes are hidden behind wrong passwords, or the owner's wrong codes")
	}
	if wrong(stranger); o.told("geblokkeerd")[0] != 0 {
		t.Error("I-15: one a day is enough")
	}
}

func TestALoginOnANewDeviceIsToldOfWhereTheMailAboutItsCodeIsNot_I15(t *testing.T) {
	o := settled(t)
	// A day of so many codes that no mail is left about them.
	renew := func() {
		t.Helper()
		out, err := o.logins.RenewRecoveryCodes(ctx, challenge.Client{}, o.open(o.fresh()))
		if err != nil {
			t.Fatal(err)
		}
		o.token, o.codes = out.Token, out.RecoveryCodes
	}
	for i := range 50 {
		if i%10 == 0 {
			renew()
		}
		out, err := o.stepUp(o.token, "", o.nextCode())
		if err != nil {
			t.Fatal(err)
		}
		o.token = out.Token
	}
	renew()
	if got := o.told("Er is een herstelcode", "toegevoegd"); got[0] != 50 {
		t.Fatalf("%v", got)
	}
	o.by(challenge.Client{}, o.nextCode)
	if got := o.told("Er is een herstelcode", "apparaat waarop"); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("I-15: of a login on a new device: %v", got)
	}
}

func TestAMailThatCannotBeSentChangesNothing(t *testing.T) {
	for what, sender := range map[string]senderFunc{
		"fails":  func(context.Context, challenge.Message) error { return errInjected },
		"panics": func(context.Context, challenge.Message) error { panic("smtp") },
	} {
		for _, c := range happenings {
			t.Run(c.name+", "+what, func(t *testing.T) {
				o := settled(t, func(c *challenge.Config) { c.Notices = sender })
				c.do(o) // fails the test by itself when it does not work
				o.logins.WaitForNotices()
				e := o.Audit.Events()
				e = slices.DeleteFunc(e, func(e audit.Event) bool { return e.Name != audit.NoticeSent })
				if len(e) != 1 || e[0].Outcome != audit.Failure || e[0].User != "alice" {
					t.Errorf("I-21: %+v", e)
				}
			})
		}
	}
}

type senderFunc func(context.Context, challenge.Message) error

func (f senderFunc) Send(ctx context.Context, m challenge.Message) error { return f(ctx, m) }

func TestTheMailIsInTheLanguageThatThereIs(t *testing.T) {
	o := settled(t)
	o.Users.Change("1", func(a *challenge.Account) { a.Language = "" })
	o.by(challenge.Client{Language: "fr"}, func() string { return o.codeOf(tablet, 0) })
	o.logins.WaitForNotices()
	if m := o.mails.Messages(); len(m) != 1 || m[0].Language != "fr" {
		t.Errorf("%q", bodies(m))
	}
}

func TestNobodyIsToldWhoHasNoAddressOfTheirOwn(t *testing.T) {
	o := settled(t)
	token := o.fresh()
	token = mustToken(changes[1].do(o, token)) // an address for codes is not the account's own
	o.logins.WaitForNotices()
	before := len(o.mails.Messages())
	o.Users.Change("1", func(a *challenge.Account) { a.Email = "" })
	o.Clock.Advance(25 * time.Hour)
	if _, err := o.logins.Password(ctx, challenge.Client{}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: "alice", Password: []byte(password)}); err != nil {
		t.Fatal(err)
	}
	o.byTablet()
	o.logins.WaitForNotices()
	if n := len(o.mails.Messages()); n != before || o.open(token).Exists() {
		t.Errorf("%d mails", n-before)
	}
}

// program logs alice in without a browser, from an address.
func (o *own) program(from string, code func() string) {
	o.t.Helper()
	o.Clock.Advance(time.Minute)
	c := challenge.Client{Addr: netip.MustParseAddr(from)}
	out, err := o.logins.Password(ctx, c, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Bearer, Name: "alice", Password: []byte(password)})
	if err != nil {
		o.t.Fatal(err)
	}
	s, err := o.logins.Open(ctx, challenge.Bearer, out.Token)
	if err != nil {
		o.t.Fatal(err)
	}
	if _, err := o.logins.Verify(ctx, c, s, challenge.CodeInput{Code: code()}); err != nil {
		o.t.Fatal(err)
	}
}

func TestALoginOfAProgramFromANewNetworkIsToldOf(t *testing.T) {
	const home, work, train = "192.0.2.1", "198.51.100.1", "2001:db8:1:2::1"
	day := 24 * time.Hour
	for _, c := range []struct {
		name string
		do   func(o *own, login func(from string, mails int))
	}{
		{"where a browser was used, the first", func(_ *own, login func(string, int)) {
			login(home, 1)
			login(home, 0)
		}},
		{"one a day", func(o *own, login func(string, int)) {
			login(home, 1)
			login(work, 0)
			o.Clock.Advance(day)
			login(train, 1)
			o.Clock.Advance(day)
			login("2001:db8:1:2:3:4:5:6", 0) // the same network
			login(work, 0)
			login("203.0.113.1", 1)
		}},
		{"after half a year", func(o *own, login func(string, int)) {
			login(home, 1)
			o.Clock.Advance(179 * day)
			login(home, 0)
			o.Clock.Advance(179 * day)
			login(home, 0)
			login(work, 1)
			o.Clock.Advance(181 * day)
			login(train, 0) // the first of all, again
			login(home, 1)
		}},
		{"each half a year after it was last used", func(o *own, login func(string, int)) {
			login(home, 1)
			o.Clock.Advance(100 * day)
			login(work, 1)
			o.Clock.Advance(81 * day)
			login(home, 1)
			login(work, 0)
		}},
		{"eight are remembered", func(o *own, login func(string, int)) {
			for i := range 9 {
				o.Clock.Advance(day)
				login(fmt.Sprintf("10.0.0.%d", i+1), 1)
				if i == 0 {
					o.Clock.Advance(day)
				}
				login("10.0.0.1", 0)
			}
			o.Clock.Advance(day)
			login("10.0.0.2", 1) // the one not used for longest
			login("10.0.0.9", 0)
		}},
		{"when all devices are forgotten", func(o *own, login func(string, int)) {
			login(home, 1)
			o.Clock.Advance(day)
			login(work, 1)
			o.Clock.Advance(day)
			if err := o.logins.ForgetDevice(ctx, challenge.Client{}, o.open(o.fresh()), ""); err != nil {
				t.Fatal(err)
			}
			o.fresh() // the browser is known once more
			login(home, 1)
			if err := o.logins.ForgetDevices(ctx, "1", "admin"); err != nil {
				t.Fatal(err)
			}
			login(home, 0) // the first of all
		}},
		{"no more than one by a recovery code", func(o *own, _ func(string, int)) {
			o.program(home, o.nextCode)
			if got := o.told("herstelcode", "programma"); !slices.Equal(got, []int{1, 0}) {
				t.Errorf("%v", got)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := settled(t)
			c.do(o, func(from string, mails int) {
				t.Helper()
				o.program(from, func() string { return o.codeOf(tablet, 0) })
				if got := o.told("programma", "apparaat waarop"); got[0] != mails {
					t.Errorf("a login from %s: %d mails, want %d", from, got[0], mails)
				}
			})
		})
	}
	// An account that programs use and nobody else.
	o := owned(t)
	for i, from := range []string{home, home, work} {
		if o.program(from, func() string { return o.codeOf(tablet, 0) }); o.told("programma")[0] != i/2 {
			t.Errorf("login %d", i)
		}
	}
}
