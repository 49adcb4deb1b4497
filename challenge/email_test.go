package challenge

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// outbox is a sender that keeps what it is given, or fails.
type outbox struct {
	sent []Message
	err  error
}

func (o *outbox) Send(_ context.Context, m Message) error {
	o.sent = append(o.sent, m)
	return o.err
}

func (o *outbox) last() Message {
	if len(o.sent) == 0 {
		return Message{}
	}
	return o.sent[len(o.sent)-1]
}

// sentFactors are the factors that send, each with a sender of its own.
func sentFactors() map[string]func(*outbox) Factor {
	return map[string]func(*outbox) Factor{
		"email": func(o *outbox) Factor { return &Email{Sender: o} },
		"sms":   func(o *outbox) Factor { return &SMS{Sender: o} },
		"custom": func(o *outbox) Factor {
			return &Custom{
				Method: "custom",
				Create: func(_ context.Context, a CustomAttempt) (CustomCode, error) {
					code, err := a.Digits(6)
					return CustomCode{Code: code}, err
				},
				Deliver: func(ctx context.Context, a CustomAttempt, code Code) error {
					return o.Send(ctx, Message{To: a.Account.Email, Code: code})
				},
				To: func(a CustomAttempt) (string, string, bool) { return ChannelEmail, a.Account.Email, true },
			}
		},
	}
}

func TestI13ASentCodeIsRightOnceMadeAndNowhereElse(t *testing.T) {
	for name, factor := range sentFactors() {
		t.Run(name, func(t *testing.T) {
			box := new(outbox)
			f, a := factor(box), newAttempt(t)
			if _, err := f.Verify(t.Context(), a, []byte("123456")); !errors.Is(err, ErrNoCode) {
				t.Errorf("before any code: %v", err)
			}
			if err := f.Begin(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			code := []byte(box.last().Code)
			if !regexp.MustCompile(`^[0-9]{6}$`).Match(code) {
				t.Fatalf("a code of %d bytes, or not of digits", len(code))
			}
			if _, err := f.Verify(t.Context(), a, code); err != nil {
				t.Errorf("the right code: %v", err)
			}
			wrong := slices.Clone(code)
			wrong[5] = '0' + (wrong[5]-'0'+1)%10
			if _, err := f.Verify(t.Context(), a, wrong); !errors.Is(err, ErrWrongCode) {
				t.Errorf("one digit off: %v", err)
			}

			other := *a
			other.context = "pending 2"
			if _, err := f.Verify(t.Context(), &other, code); !errors.Is(err, ErrWrongCode) {
				t.Errorf("in another pending login: %v", err)
			}

			end := *a
			end.Now = a.Now.Add(10*time.Minute - 1)
			if _, err := f.Verify(t.Context(), &end, code); err != nil {
				t.Errorf("just before its end: %v", err)
			}
			end.Now = a.Now.Add(10 * time.Minute)
			if _, err := f.Verify(t.Context(), &end, code); !errors.Is(err, ErrCodeExpired) {
				t.Errorf("at its end: %v", err)
			}

			if err := f.Begin(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Verify(t.Context(), a, []byte(box.last().Code)); err != nil {
				t.Errorf("the code sent again: %v", err)
			}
			if string(code) != string(box.last().Code) {
				if _, err := f.Verify(t.Context(), a, code); !errors.Is(err, ErrWrongCode) {
					t.Errorf("the code it replaced: %v", err)
				}
			}
		})
	}
}

// The message may have arrived although the sender failed. It opens nothing.
func TestI13I20AfterAFailureNobodyKnowsTheCode(t *testing.T) {
	for name, factor := range sentFactors() {
		t.Run(name, func(t *testing.T) {
			box := new(outbox)
			f, a := factor(box), newAttempt(t)
			if err := f.Begin(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			before := []byte(box.last().Code)
			closed := func(what string) {
				t.Helper()
				for _, code := range [][]byte{before, []byte(box.last().Code), nil, {}, []byte("000000")} {
					if _, err := f.Verify(t.Context(), a, code); err == nil {
						t.Errorf("%s: a code opened", what)
					}
				}
			}
			box.err = errors.New("gateway is down")
			if err := f.Begin(t.Context(), a); !errors.Is(err, ErrSend) || !errors.Is(err, box.err) {
				t.Errorf("sender in error: %v", err)
			}
			closed("sender in error")

			box.err = nil
			if err := f.Begin(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			before = []byte(box.last().Code)
			a.random = brokenRandom(0)
			if err := f.Begin(t.Context(), a); !errors.Is(err, ErrUnavailable) {
				t.Errorf("no randomness: %v", err)
			}
			closed("no randomness")
			a.random = brokenRandom(32)
			if err := f.Begin(t.Context(), a); !errors.Is(err, ErrUnavailable) {
				t.Errorf("randomness ends in the middle: %v", err)
			}
			closed("randomness ends in the middle")
		})
	}
	// A panic of the sender is caught by the machine; what it finds then is closed.
	a := newAttempt(t)
	f := &Email{Sender: senderFunc(func(m Message) error { panic("bug") })}
	func() {
		defer func() { _ = recover() }()
		_ = f.Begin(t.Context(), a)
	}()
	if len(a.sent.mac) == 0 {
		t.Error("a panic left no code at all")
	}
}

type senderFunc func(Message) error

func (f senderFunc) Send(_ context.Context, m Message) error { return f(m) }

func TestMessagesCarryTheCodeOnALineOfItsOwn(t *testing.T) {
	for _, language := range []string{"en", "nl", "de", "fr", "es", "xx"} {
		box := new(outbox)
		a := newAttempt(t)
		a.Site, a.Language = "https://login.example.com:8443", language
		if err := (&Email{Sender: box, Digits: 8}).Begin(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		m := box.last()
		if m.Channel != ChannelEmail || m.To != "alice@example.com" || m.Language != language || len(m.Code) != 8 {
			t.Errorf("%s: %v to %q in %s", language, m.Channel, m.To, m.Language)
		}
		if !slices.Contains(strings.Split(m.Body, "\n"), string(m.Code)) {
			t.Errorf("%s: the code has no line of its own", language)
		}
		if m.Subject == "" || strings.ContainsAny(m.Subject, "\r\n") || strings.Contains(m.Subject, string(m.Code)) {
			t.Errorf("%s: subject %q", language, strings.ReplaceAll(m.Subject, string(m.Code), "CODE"))
		}
		if !strings.Contains(m.Body, "10") {
			t.Errorf("%s: the mail does not say for how long the code is good", language)
		}

		if err := (&SMS{Sender: box}).Begin(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		m = box.last()
		if m.Channel != ChannelSMS || m.To != "+31600000001" || m.Subject != "" || m.HTML != "" {
			t.Errorf("%s: %v to %q", language, m.Channel, m.To)
		}
		lines := strings.Split(m.Body, "\n")
		// https://wicg.github.io/sms-one-time-codes/#message-format: the last line is "@", host, space, "#", code.
		if got, want := lines[len(lines)-1], "@login.example.com #"+string(m.Code); got != want {
			t.Errorf("%s: the last line does not bind the code to the site", language)
		}
		if !slices.Contains(lines, string(m.Code)) {
			t.Errorf("%s: the code has no line of its own", language)
		}
		for _, m := range box.sent {
			if s := fmt.Sprintf("%v %+v %#v %s", m, m, m, m); strings.Contains(s, string(m.Code)) {
				t.Error("a message prints its code")
			}
		}
	}
}

func TestSentCodesGoToWhereThePurposeSays(t *testing.T) {
	enrolled := []Authenticator{{ID: "m-1", Factor: "email", Data: []byte("second@example.org")}}
	for _, c := range []struct {
		name     string
		purpose  Purpose
		own      string
		enrolled []Authenticator
		to, id   string
		ok       bool
	}{
		{"login, the account's own", PurposeLogin, "alice@example.com", nil, "alice@example.com", "", true},
		{"login, one enrolled", PurposeLogin, "alice@example.com", enrolled, "second@example.org", "m-1", true},
		{"login, only one enrolled", PurposeLogin, "", enrolled, "second@example.org", "m-1", true},
		{"login, two enrolled", PurposeLogin, "alice@example.com", append(enrolled, Authenticator{ID: "m-2", Factor: "email", Data: []byte("third@example.org")}), "third@example.org", "m-2", true},
		{"step-up", PurposeStepUp, "alice@example.com", nil, "alice@example.com", "", true},
		{"confirming a new one", PurposeEnrol, "alice@example.com", enrolled, "second@example.org", "m-1", true},
		{"confirming nothing", PurposeEnrol, "alice@example.com", nil, "", "", false},
		{"I-02 proof before enrolling goes to the account's own", PurposeEnrolProof, "alice@example.com", enrolled, "alice@example.com", "", true},
		{"I-02 no proof without an address of its own", PurposeEnrolProof, "", enrolled, "", "", false},
		{"nothing", PurposeLogin, "", nil, "", "", false},
		{"an address that would add a header", PurposeLogin, "alice@example.com\r\nBcc: x@example.com", nil, "", "", false},
		{"a name beside the address", PurposeLogin, "Alice <alice@example.com>", nil, "", "", false},
	} {
		box := new(outbox)
		f, a := &Email{Sender: box}, newAttempt(t)
		a.Purpose, a.Account.Email, a.Enrolled = c.purpose, c.own, c.enrolled
		channel, to, ok := f.Destination(a)
		if channel != ChannelEmail || to != c.to || ok != c.ok || f.Available(a) != c.ok {
			t.Errorf("%s: %q, %v", c.name, to, ok)
		}
		err := f.Begin(t.Context(), a)
		if (err == nil) != c.ok || box.last().To != c.to {
			t.Errorf("%s: sent to %q, %v", c.name, box.last().To, err)
		}
		if err != nil {
			continue
		}
		if proof, err := f.Verify(t.Context(), a, []byte(box.last().Code)); err != nil || proof.Authenticator != c.id {
			t.Errorf("%s: %+v, %v", c.name, proof, err)
		}
	}
}

func TestSentCodesThatCannotBeOnesAreNotRead(t *testing.T) {
	for _, f := range []Parser{&Email{}, &SMS{}} {
		for _, answer := range []string{"", "12345", "1234567", "12345a", "+12345", "１２３４５６", "123456\n", "\u00a0123456", "12-34-56", "123 456", " 123456", "123456 "} {
			if _, ok := f.Parse(answer); ok {
				t.Errorf("%q is read", answer)
			}
		}
		if got, ok := f.Parse("012345"); !ok || string(got) != "012345" {
			t.Errorf("%q, %v", got, ok)
		}
	}
}

func TestSentCodesSettingsOutOfBoundsAreRefusedAndClosed(t *testing.T) {
	box := new(outbox)
	for name, f := range map[string]interface {
		Factor
		factor() sentFactor
	}{
		"no sender":     &Email{},
		"no sms sender": &SMS{},
		"4 digits":      &Email{Sender: box, Digits: 4},
		"4 sms digits":  &SMS{Sender: box, Digits: 4},
		"11 digits":     &Email{Sender: box, Digits: 11},
		"negative":      &SMS{Sender: box, Digits: -1},
	} {
		if f.factor().valid() == nil {
			t.Errorf("%s: accepted", name)
		}
		if err := f.Begin(t.Context(), newAttempt(t)); !errors.Is(err, ErrSend) || len(box.sent) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, digits := range []int{0, 6, 10} {
		if err := (&Email{Sender: box, Digits: digits}).factor().valid(); err != nil {
			t.Error(err)
		}
	}
}

func TestEnrollingADestinationGivesItsCanonicalForm(t *testing.T) {
	for _, c := range []struct {
		f     Addresser
		typed string
		want  string
	}{
		{&Email{}, "Alice.B+x@Example.COM", "Alice.B+x@example.com"},
		{&Email{}, "alice", ""},
		{&Email{}, "alice@example.com, bob@example.com", ""},
		{&Email{}, "<alice@example.com>", ""},
		{&Email{}, " alice@example.com", ""},
		{&Email{}, "alice@example.com\n", ""},
		{&Email{}, "alice(x)@example.com", ""},
		{&Email{}, strings.Repeat("a", 250) + "@example.com", ""},
		{&SMS{}, "+31 6 0000-0001", "+31600000001"},
		{&SMS{}, "+1 (555) 010.0001", "+15550100001"},
		{&SMS{}, "0600000001", ""},
		{&SMS{}, "+0600000001", ""},
		{&SMS{}, "+316000000011111111", ""},
		{&SMS{}, "+31", ""},
		{&SMS{}, "+3160000000١", ""},
		{&SMS{}, "+31600000001\n", ""},
		{&SMS{}, "++31600000001", ""},
	} {
		data, ok := c.f.Address(c.typed)
		if string(data) != c.want || ok != (c.want != "") {
			t.Errorf("%q: %q, %v", c.typed, data, ok)
		}
	}
}

func TestMaskShowsALittleAndNeverTheLength(t *testing.T) {
	for _, c := range []struct{ channel, to, want string }{
		{ChannelEmail, "carol@example.com", "c•••l@example.com"},
		{ChannelEmail, "a.very.long.name@example.com", "a•••e@example.com"},
		{ChannelEmail, "bob@example.com", "b•••@example.com"},
		{ChannelEmail, "al@example.com", "•••@example.com"},
		{ChannelEmail, "a@example.com", "•••@example.com"},
		{ChannelEmail, "émilie@example.com", "é•••e@example.com"},
		{ChannelEmail, "@example.com", "•••"},
		{ChannelEmail, "nonsense", "•••"},
		{ChannelEmail, "", "•••"},
		{ChannelSMS, "+31600000001", "•••01"},
		{ChannelSMS, "12", "•••"},
		{ChannelSMS, "", "•••"},
		{"pager", "account-17", "•••"},
	} {
		if got := Mask(c.channel, c.to); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.channel, c.to, got, c.want)
		}
	}
}

func FuzzMailAddress(f *testing.F) {
	for _, s := range []string{"alice@example.com", "a@b", "\"a b\"@example.com", "a@b\r\nBcc: c@d", "A <a@b>", "é@例.jp", "a@[127.0.0.1]", "=?utf-8?q?x?=@b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		to, ok := mailAddress(s)
		if !ok {
			return
		}
		if strings.ContainsFunc(to, func(r rune) bool { return r <= ' ' || r == 0x7f }) || len(to) > 300 {
			t.Fatalf("%q could end a header line", to)
		}
		if again, ok := mailAddress(to); !ok || again != to {
			t.Fatalf("the canonical form of %q differs: %q", to, again)
		}
		if _, err := mail.ParseAddress(to); err != nil {
			t.Fatal(err)
		}
	})
}

func ExampleMask() {
	fmt.Println(Mask(ChannelEmail, "carol@example.com"))
	fmt.Println(Mask(ChannelSMS, "+31600000001"))
	// Output:
	// c•••l@example.com
	// •••01
}
