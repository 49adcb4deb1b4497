package challenge

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// Records come from a store that others may write to. What cannot be read denies; nothing panics, nothing grows, and
// nothing is believed in part.

func someSessions() []*Session {
	at := testStart
	prompt := Prompt{Method: "email", Channel: ChannelEmail, To: "c•••l@example.com", FellBack: "sms", Info: "look", SentAt: at, Expires: at.Add(time.Minute),
		ResendAt: at.Add(time.Second), codeID: recordID{7}, mac: []byte("mac")}
	return []*Session{
		{kind: kindAnonymous, created: at, data: []byte("cart")},
		{kind: kindAnonymous, created: at},
		{kind: kindPending, pending: &Pending{ID: recordID{1}.String(), Stage: StageCode, Methods: []string{"totp", "email"}, Prompt: prompt, Next: "/x",
			Created: at, Expires: at.Add(time.Hour), account: "3", name: "carol", epoch: epoch{2}, blocks: 4, device: deviceID{5},
			first: []Method{{Name: "password", At: at}}, channel: "email", enrolling: "id"}},
		{kind: kindPending, pending: &Pending{ID: recordID{}.String(), Stage: StageProof}, data: []byte{0, 1, 2}},
		{kind: kindLogin, login: Login{ID: recordID{9}.String(), UserID: "3", Username: "carol", Methods: []Method{{Name: "password", At: at}, {Name: "totp", At: at, weak: true}}, SecondFactor: true,
			Fresh: at, Created: at, Seen: at, Expires: at.Add(time.Hour), Addr: netip.MustParseAddr("192.0.2.1"), UserAgent: "curl",
			id: recordID{9}, epoch: epoch{1}, device: deviceID{3}, prompt: &prompt}, data: []byte("app")},
		{kind: kindLogin, login: Login{ID: recordID{8}.String(), UserID: "7", Username: "reports", Expires: at.Add(time.Minute), Access: true, Service: true, id: recordID{8}}},
	}
}

func someAccounts() []account {
	b := budgets{password: budget{3, 2, 1, 4, testStart, testStart}, code: budget{1, 0, 7, 0, time.Time{}, testStart},
		sends: sends{testStart, window{testStart, 3}, window{testStart, 9}}}
	return []account{
		{},
		{epoch: epoch{1}, blocked: true, strange: b, devices: []device{{deviceID{1}, testStart, testStart, true, b}, {deviceID{2}, testStart, testStart, false, budgets{}}},
			auth: []authState{{"a", 99, -1}, {"b", 0, 1 << 40}}, logins: []liveLogin{loginNo(1), loginNo(2), token(3, 1).login}, ending: []string{"x", "y"}},
	}
}

func someEnrolments() []enrolments {
	return []enrolments{{}, {list: []enrolled{
		{id: "1", factor: "totp", name: "phone", created: testStart, sealed: []byte("sealed")},
		{id: "2", factor: "email", created: testStart, waits: testStart.Add(time.Hour)},
	}}}
}

func TestRecordsSurviveTheStore(t *testing.T) {
	for i, s := range someSessions() {
		var back Session
		raw := s.encode()
		if err := back.decode(raw); err != nil {
			t.Fatalf("session %d: %v", i, err)
		}
		s.raw = raw
		if !reflect.DeepEqual(*s, back) {
			t.Errorf("session %d came back as\n%#v, was\n%#v", i, back, *s)
		}
	}
	for i, a := range someAccounts() {
		back, err := decodeAccount(a.encode())
		if err != nil || !reflect.DeepEqual(a, back) {
			t.Errorf("account %d came back as\n%+v, was\n%+v (%v)", i, back, a, err)
		}
	}
	for i, e := range someEnrolments() {
		raw := e.encode()
		back, err := decodeEnrolments(raw)
		if err != nil || !reflect.DeepEqual(e.list, back.list) {
			t.Errorf("enrolments %d: %v", i, err)
		}
	}
}

func TestI20ARecordThatIsCutOrChangedInItsFrameDenies(t *testing.T) {
	for i, s := range someSessions() {
		raw := s.encode()
		fixed := len(raw) - len(s.data)
		for n := range fixed {
			var back Session
			if err := back.decode(raw[:n]); !errors.Is(err, ErrUnavailable) || back.Exists() {
				t.Fatalf("I-20: session %d cut at %d of %d: %v", i, n, fixed, err)
			}
		}
		for _, kind := range []byte{0, 'A', 'E', 'Q', 'x', 255} {
			bad := bytes.Clone(raw)
			bad[0] = kind
			if err := new(Session).decode(bad); err == nil {
				t.Errorf("I-20: session %d with kind %q", i, kind)
			}
		}
		bad := bytes.Clone(raw)
		bad[1]++
		if err := new(Session).decode(bad); err == nil {
			t.Errorf("session %d of another version", i)
		}
	}
	for i, a := range someAccounts() {
		raw := a.encode()
		for n := range raw {
			if _, err := decodeAccount(raw[:n]); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("I-20: account %d cut at %d: %v", i, n, err)
			}
		}
		if _, err := decodeAccount(append(bytes.Clone(raw), 0)); err == nil {
			t.Errorf("account %d with something behind it", i)
		}
	}
	for i, e := range someEnrolments() {
		raw := e.encode()
		for n := 1; n < len(raw); n++ {
			if _, err := decodeEnrolments(raw[:n]); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("I-20: enrolments %d cut at %d: %v", i, n, err)
			}
		}
	}
}

// onlyRecord is a store that holds one value under every key and takes nothing.
type onlyRecord []byte

func (r onlyRecord) Load(context.Context, string) ([]byte, error) { return bytes.Clone(r), nil }
func (r onlyRecord) CompareAndSwap(context.Context, string, []byte, []byte, time.Time) (bool, error) {
	return false, errors.New("read only")
}
func (onlyRecord) Volatile() bool { return true }

type onlyUser struct{}

func (onlyUser) Find(context.Context, string) (Account, error) { return Account{ID: "3"}, nil }
func (onlyUser) ByID(context.Context, string) (Account, error) {
	return Account{ID: "3", Name: "carol", Email: "carol@example.com"}, nil
}

type onlyPassword struct{}

func (onlyPassword) Check(_ context.Context, a Account, _ []byte) (PasswordMatch, error) {
	return PasswordMatch{OK: a.ID != ""}, nil
}

// FuzzRecords gives the machine a store full of one hostile value. Whatever it is: no panic, no login that the bytes do not
// spell out in full, no second factor passed, and what was understood means the same when it is written again.
func FuzzRecords(f *testing.F) {
	n := 0
	for _, s := range someSessions() {
		f.Add(s.encode())
		n++
	}
	for _, a := range someAccounts() {
		f.Add([]byte(a.encode()))
		n++
	}
	for _, e := range someEnrolments() {
		f.Add(e.encode())
		n++
	}
	f.Add([]byte{kindQuota, recordVersion, 0, 0, 0, 0, 0, 0, 0, 0, 3})
	counted := pumping{alarmed: testStart, rows: []pumpingCount{{testStart, 20, 3}}}
	f.Add(counted.encode())
	f.Add([]byte{kindLogin, recordVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{})
	if n < 8 {
		f.Fatal("the seeds are gone")
	}
	token := string(bytes.Repeat([]byte("A"), tokenLength))
	f.Fuzz(func(t *testing.T, raw []byte) {
		now := testStart
		l, err := New(Config{Site: "https://app.example", Users: onlyUser{}, Policy: Everyone, Store: onlyRecord(raw), Passwords: onlyPassword{},
			Factors: []Factor{&TOTP{}, &Email{Sender: refusing{}}, &Recovery{}}, Clock: func() time.Time { return now },
			Audit: audit.RecorderFunc(func(context.Context, audit.Event) error { return nil })})
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()

		var s Session
		if s.decode(raw) == nil {
			var again Session
			if err := again.decode(s.encode()); err != nil {
				t.Fatalf("a session that was read and cannot be written: %v", err)
			}
			s.raw, again.raw = nil, nil
			if len(s.data) == 0 {
				s.data, again.data = nil, nil
			}
			if !reflect.DeepEqual(s, again) {
				t.Fatalf("a session means something else when written again:\n%#v\n%#v", s, again)
			}
		}
		if a, err := decodeAccount(raw); err == nil {
			if again, err := decodeAccount(a.encode()); err != nil || !reflect.DeepEqual(a, again) {
				t.Fatalf("an account means something else when written again: %v", err)
			}
			for _, in := range []any{pw(), spend{kind: codeGuess, epoch: a.epoch, undated: true}, pwWrong(), bind{epoch: a.epoch, login: loginNo(1)}, revoke{epoch{9}}, pay{}, seen{a.epoch, deviceID{9}}, free{}, forget{}} {
				if _, err := l.rules.step(a, in, now); err != nil && !errors.As(err, new(refusal)) {
					t.Fatalf("step: %v", err)
				}
			}
		}
		if e, err := decodeEnrolments(raw); err == nil && raw != nil {
			if again, err := decodeEnrolments(e.encode()); err != nil || !reflect.DeepEqual(e.list, again.list) {
				t.Fatalf("enrolments mean something else when written again: %v", err)
			}
		}
		if p, err := decodePumping(raw); err == nil && raw != nil {
			if again, err := decodePumping(p.encode()); err != nil || !reflect.DeepEqual(p, again) {
				t.Fatalf("counts of codes mean something else when written again: %v", err)
			}
		}

		got, err := l.Open(ctx, Cookie, token)
		if err == nil {
			if _, ok := got.Login(); ok && (raw[0] != kindLogin || !now.Before(got.Expires())) {
				t.Fatal("I-17: a login out of another record, or past its end")
			}
			if out, err := l.Verify(ctx, Client{}, got, CodeInput{Code: "123456"}); err == nil {
				t.Fatalf("I-01: a hostile record let somebody in: %v", out)
			}
			if out, err := l.StepUp(ctx, Client{}, got, CodeInput{Code: "123456"}); err == nil {
				t.Fatalf("I-01: a hostile record let somebody step up: %v", out)
			}
		}
		if out, err := l.Password(ctx, Client{Addr: netip.MustParseAddr("192.0.2.1")}, &Session{}, PasswordInput{Slot: Cookie, Name: "carol", Password: []byte("x")}); err == nil {
			t.Fatalf("I-20: a login over a store that takes nothing: %v", out)
		}
	})
}

type refusing struct{}

func (refusing) Send(context.Context, Message) error { return errors.New("no") }
