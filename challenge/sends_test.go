package challenge_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// sends logs an account in with its password from an address and reports whether a code went out.
func (h *house) sends(name string, from netip.Addr) bool {
	h.t.Helper()
	before := len(h.Outbox.Messages())
	out, err := h.logins.Password(context.Background(), challenge.Client{Addr: from}, &challenge.Session{},
		challenge.PasswordInput{Slot: challenge.Cookie, Name: name, Password: []byte(password)})
	if err != nil {
		h.t.Fatal(err)
	}
	p, ok := h.open(out.Token).Pending()
	if !ok {
		h.t.Fatal("no pending login")
	}
	sent := len(h.Outbox.Messages()) > before
	if sent == p.Prompt.SentAt.IsZero() {
		h.t.Errorf("the prompt says sent at %v, and sent is %v", p.Prompt.SentAt, sent)
	}
	return sent
}

func address(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}) }

func TestI15OneMessageInACooldownOverAllLogins(t *testing.T) {
	h := build(t)
	for i, c := range []struct {
		wait time.Duration
		want bool
	}{{0, true}, {0, false}, {29 * time.Second, false}, {time.Second, true}, {30*time.Second - 1, false}, {1, true}} {
		h.Clock.Advance(c.wait)
		h.Audit.Take()
		if got := h.sends("carol", address(i)); got != c.want {
			t.Errorf("I-15: try %d: sent %v", i, got)
		}
		want := audit.CodeCreated
		if !c.want {
			want = audit.SendRefused
		}
		if got := h.Audit.Take(); !slices.Equal(got, []audit.Name{audit.PasswordValidated, want}) {
			t.Errorf("I-21: try %d: %v", i, got)
		}
	}
}

func TestI15FiveMessagesInAQuarterAndTwentyADay(t *testing.T) {
	h := build(t)
	sent, quarter := 0, 0
	for minute := range 24 * 60 {
		if h.sends("carol", address(minute%200)) {
			sent++
			if minute < 15 {
				quarter++
			}
		}
		h.Clock.Advance(time.Minute)
	}
	if quarter != 5 || sent != 20 {
		t.Errorf("I-15: %d messages in a quarter of an hour and %d in a day, want 5 and 20", quarter, sent)
	}
	if !h.sends("carol", address(1)) {
		t.Error("I-15: none on the next day")
	}
}

// sentOn logs an account in with its password on a client, when a cooldown is over, and reports whether a code went out.
func (h *house) sentOn(name string, c challenge.Client) (challenge.Outcome, bool) {
	h.t.Helper()
	h.Clock.Advance(31 * time.Second)
	out := h.on(name, c)
	p, ok := h.open(out.Token).Pending()
	if !ok {
		h.t.Fatal("no pending login")
	}
	return out, !p.Prompt.SentAt.IsZero()
}

// device makes a known device of an account, by a code that is sent to an address.
func (h *house) device(name, address string) challenge.Client {
	h.t.Helper()
	out, _ := h.sentOn(name, challenge.Client{})
	out, err := h.verify(out.Token, h.Outbox.Code(address))
	if err != nil {
		h.t.Fatal(err)
	}
	return challenge.Client{Device: out.Device}
}

func TestStrangersSpendNoCodesOfAKnownDevice_I11(t *testing.T) {
	h := build(t)
	known := h.device("carol", "carol@example.com")
	h.Clock.Advance(24 * time.Hour)
	count := func(c challenge.Client) (n int) {
		for range 7 {
			if _, sent := h.sentOn("carol", c); sent {
				n++
			}
		}
		return n
	}
	if n := count(challenge.Client{}); n != 5 {
		t.Errorf("I-15: %d messages to strangers who have the password", n)
	}
	if n := count(known); n != 5 {
		t.Errorf("I-11: %d messages to a known device after that", n)
	}
	h.Clock.Advance(15 * time.Minute)
	if n := count(known); n != 5 {
		t.Errorf("I-15: %d messages to a known device", n)
	}
	if n := count(challenge.Client{}); n != 5 {
		t.Errorf("I-15: %d messages to strangers after that", n)
	}
}

func TestADestinationHasABudgetForTheKnownDevicesOfEveryAccount_I15(t *testing.T) {
	h := build(t)
	var names []string
	var on []challenge.Client
	for i := range 4 {
		names = append(names, fmt.Sprint("twin", i))
		h.Users.Add(challenge.Account{ID: names[i], Name: names[i], Email: "carol@example.com"}, password)
		on = append(on, h.device(names[i], "carol@example.com"))
	}
	h.Clock.Advance(24 * time.Hour)
	sent := 0
	for i := range 12 {
		if _, ok := h.sentOn(names[i%4], on[i%4]); ok {
			sent++
		}
	}
	if sent != 5 {
		t.Errorf("I-15: %d messages to one address in a quarter of an hour", sent)
	}
}

func TestStepUpsSpendNoCodesOfALogin_I11(t *testing.T) {
	h := build(t, func(c *challenge.Config) { c.Sends.PerAccountDay = 7 })
	known := h.device("carol", "carol@example.com")
	out, _ := h.sentOn("carol", known)
	out, err := h.logins.Verify(ctx, known, h.open(out.Token), challenge.CodeInput{Code: h.Outbox.Code("carol@example.com")})
	if err != nil {
		t.Fatal(err)
	}
	asks := func() bool {
		_, err := h.logins.BeginStepUp(ctx, known, h.open(out.Token), "email", false)
		if err != nil && !errors.As(err, new(*challenge.BusyError)) {
			t.Fatal(err)
		}
		return err == nil
	}
	sent := 0
	for range 12 { // whoever has the cookie
		h.Clock.Advance(31 * time.Second)
		if asks() {
			sent++
		}
	}
	if sent != 4 { // the fifth to the address was that by which the device became known
		t.Errorf("I-15: %d messages of step-ups in a quarter of an hour", sent)
	}
	h.Clock.Advance(31 * time.Second)
	asks() // which is refused, and holds nothing up
	p, ok := h.open(h.on("carol", known).Token).Pending()
	if !ok || p.Prompt.SentAt.IsZero() {
		t.Error("I-11: step-ups keep the owner from logging in")
	}
	if h.Clock.Advance(15 * time.Minute); !asks() {
		t.Error("I-15: none in the next quarter of an hour")
	}
	if _, err := h.logins.BeginStepUp(ctx, known, h.open(out.Token), "email", false); !errors.As(err, new(*challenge.BusyError)) {
		t.Errorf("I-15: two inside a cooldown: %v", err)
	}
	if p, ok = h.open(h.on("carol", known).Token).Pending(); !ok || !p.Prompt.SentAt.IsZero() {
		t.Error("I-15: one of a login inside the cooldown of a step-up's")
	}
	for want := range 2 {
		if h.Clock.Advance(15 * time.Minute); asks() != (want == 0) {
			t.Error("I-15: 7 messages of a day are allowed to an address")
		}
	}
}

func TestNewNumbersSpendNothingThatLoginsNeed_I15(t *testing.T) {
	for what, limits := range map[string]challenge.SendLimits{
		"the range of numbers": {PerPrefixHour: 3},
		"the client":           {PerClientHour: 3},
		"the account":          {PerAccountShort: 3},
		"the account in a day": {PerAccountDay: 3},
	} {
		t.Run(what, func(t *testing.T) {
			o := owned(t, func(c *challenge.Config) { c.Sends = limits })
			c := challenge.Client{Addr: address(1)}
			token := o.by(c, func() string { return o.codeOf(tablet, 0) }).Token
			sent := 0
			for i := range 6 {
				o.Clock.Advance(31 * time.Second)
				if _, err := o.logins.BeginEnrolment(ctx, c, o.open(token), challenge.EnrolInput{Method: "sms", Destination: fmt.Sprintf("+3160000%04d", 100+i)}); err == nil {
					sent++
				}
			}
			if sent != 3 {
				t.Errorf("I-15: %d messages to new numbers", sent)
			}
			o.SetVerdict("6", challenge.Verdict{Factors: []string{"sms"}})
			name := "sam"
			if strings.HasPrefix(what, "the account") {
				name = "alice"
				o.SetVerdict("1", challenge.Verdict{Factors: []string{"email"}})
			}
			if _, ok := o.sentOn(name, c); !ok {
				t.Errorf("I-15: they use up what a login needs of %s", what)
			}
		})
	}
	o := owned(t, func(c *challenge.Config) { c.Sends.GlobalHour = 3 })
	token := o.byTablet()
	for i := range 3 {
		o.Clock.Advance(31 * time.Second)
		if _, err := o.logins.BeginEnrolment(ctx, challenge.Client{}, o.open(token), challenge.EnrolInput{Method: "sms", Destination: fmt.Sprintf("+3160000%04d", 100+i)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := o.sentOn("sam", challenge.Client{}); ok {
		t.Error("I-15: the budget of everybody is money, and one")
	}
}

func TestI15ADestinationHasItsOwnBudgetOverAccounts(t *testing.T) {
	h := build(t)
	sent := 0
	for i := range 12 {
		name := fmt.Sprint("twin", i)
		h.Users.Add(challenge.Account{ID: name, Name: name, Email: "carol@example.com"}, password)
		if h.sends(name, address(i)) {
			sent++
		}
	}
	if sent != 5 {
		t.Errorf("I-15: %d messages to one address in a quarter of an hour", sent)
	}
}

func TestI15AClientHasItsOwnBudgetOverAccounts(t *testing.T) {
	for name, from := range map[string]func(i int) netip.Addr{
		"one IPv4 address": func(int) netip.Addr { return address(1) },
		"one IPv6 /64": func(i int) netip.Addr {
			return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 7, byte(i), byte(i), 0, 0, 0, 0, 0, byte(i)})
		},
		"one IPv4 address, mapped": func(i int) netip.Addr {
			if i%2 == 0 {
				return address(1)
			}
			return netip.AddrFrom16(address(1).As16())
		},
	} {
		h := build(t)
		sent := 0
		for i := range 40 {
			name := fmt.Sprint("user", i)
			h.Users.Add(challenge.Account{ID: name, Name: name, Email: name + "@example.com"}, password)
			if h.sends(name, from(i)) {
				sent++
			}
		}
		if sent != 30 {
			t.Errorf("I-15, I-22: %d messages in an hour from %s", sent, name)
		}
		h.Clock.Advance(time.Hour)
		if !h.sends("user35", from(0)) {
			t.Errorf("I-15: none in the next hour from %s", name)
		}
	}
}

func TestI15ARangeOfPhoneNumbersHasItsOwnBudget(t *testing.T) {
	h := build(t)
	h.SetVerdict("6", challenge.Verdict{Factors: []string{"sms"}})
	sent := 0
	for i := range 40 {
		name := fmt.Sprint("phone", i)
		h.Users.Add(challenge.Account{ID: name, Name: name, Phone: fmt.Sprintf("+3161234%04d", i)}, password)
		h.SetVerdict(name, challenge.Verdict{Factors: []string{"sms"}})
		if h.sends(name, address(i)) {
			sent++
		}
	}
	if sent != 30 {
		t.Errorf("I-15: %d messages into one range of numbers in an hour", sent)
	}
	if !h.sends("sam", address(99)) {
		t.Error("I-15: another range is stopped too")
	}
}

func TestI15AGlobalBudget(t *testing.T) {
	h := build(t, func(c *challenge.Config) { c.Sends.GlobalHour = 7 })
	sent := 0
	for i := range 20 {
		name := fmt.Sprint("user", i)
		h.Users.Add(challenge.Account{ID: name, Name: name, Email: name + "@example.com"}, password)
		if h.sends(name, address(i)) {
			sent++
		}
	}
	if sent != 7 {
		t.Errorf("I-15: %d messages in an hour over everybody", sent)
	}
}

func TestI15TheBudgetsCanBeSetAndNotSwitchedOffOneByOne(t *testing.T) {
	h := build(t, func(c *challenge.Config) {
		c.ResendAfter = time.Second
		c.Sends = challenge.SendLimits{PerAccountShort: 2, PerAccountDay: 3}
	})
	sent := 0
	for range 60 {
		if h.sends("carol", address(1)) {
			sent++
		}
		h.Clock.Advance(time.Minute)
	}
	if sent != 3 {
		t.Errorf("I-15: %d messages", sent)
	}
	h = build(t, func(c *challenge.Config) { c.InsecureUnlimitedSends = true })
	for i := range 50 {
		if !h.sends("carol", address(1)) {
			t.Fatalf("message %d of unlimited ones", i)
		}
	}
}

func TestI15NoCodeWithoutARightPassword(t *testing.T) {
	h := build(t)
	code := "000000"
	for range 3 {
		_, _ = h.password("carol", "wrong")
		_, _ = h.password("nobody", "wrong")
		_, _ = h.logins.Basic(context.Background(), challenge.Client{}, challenge.BasicInput{Name: "erin", Password: []byte("wrong"), Code: &code})
	}
	_, _ = h.password("carol", password)
	if n := len(h.Outbox.Messages()); n != 0 {
		t.Errorf("I-15: %d messages without a right password", n)
	}
}

func TestACodeInTheSameRequestSendsNothing(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	code := "123456"
	for _, name := range []string{"carol", "sam", "erin"} {
		records, _ := h.store.Usage()
		_, err := h.logins.Password(ctx, challenge.Client{}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Bearer, Name: name, Password: []byte(password), Code: &code})
		if !errors.Is(err, challenge.ErrRefused) {
			t.Errorf("%s: a code header: %v", name, err)
		}
		if _, err := h.logins.Basic(ctx, challenge.Client{}, challenge.BasicInput{Name: name, Password: []byte(password), Code: &code}); !errors.Is(err, challenge.ErrRefused) {
			t.Errorf("%s: Basic with a code: %v", name, err)
		}
		if now, _ := h.store.Usage(); now != records+1 { // the account's own
			t.Errorf("%s: %d records are left", name, now-records)
		}
	}
	if n := len(h.Outbox.Messages()); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
}

func TestResendInsideTheCooldownIsTold(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	out, err := h.password("carol", password)
	if err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(10 * time.Second)
	var busy *challenge.BusyError
	if _, err := h.logins.Resend(ctx, challenge.Client{}, h.open(out.Token), "", ""); !errors.As(err, &busy) || !busy.Cooldown || busy.RetryAfter != 20*time.Second {
		t.Errorf("I-15: %v", err)
	}
	if _, err := h.verify(out.Token, h.Outbox.Code("carol@example.com")); err != nil {
		t.Errorf("the code that was sent before: %v", err)
	}
	for _, c := range []struct {
		name, login, method string
		s                   *challenge.Session
		want                error
	}{
		{"nobody", "", "", &challenge.Session{}, challenge.ErrNoPending},
		{"used", "", "", h.open(out.Token), challenge.ErrNoPending},
	} {
		if _, err := h.logins.Resend(ctx, challenge.Client{}, c.s, c.login, c.method); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if out, err = h.password("sam", password); err != nil {
		t.Fatal(err)
	}
	if _, err := h.logins.Resend(ctx, challenge.Client{}, h.open(out.Token), "", "totp"); !errors.Is(err, challenge.ErrMethod) {
		t.Errorf("a method that is not allowed: %v", err)
	}
	if _, err := h.logins.Resend(ctx, challenge.Client{}, h.open(out.Token), "another", ""); !errors.Is(err, challenge.ErrOtherLogin) {
		t.Errorf("another login's form: %v", err)
	}
}

func TestI20AfterAFailedSendThePendingLoginStays(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	down := errors.New("carrier down")

	h.Outbox.Fail(challenge.ChannelSMS, down)
	out, err := h.password("sam", password)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := h.open(out.Token).Pending()
	if p.Prompt.Method != "email" || p.Prompt.FellBack != "sms" || p.Prompt.To != "s•••@example.com" || p.Prompt.Failed {
		t.Errorf("a fallback is to be named, masked: %q %q %q", p.Prompt.Method, p.Prompt.FellBack, p.Prompt.To)
	}
	if got := h.Audit.Take(); !slices.Equal(got, []audit.Name{audit.PasswordValidated, audit.SendFailed, audit.CodeCreated, audit.FallbackTaken}) {
		t.Errorf("I-21: %v", got)
	}
	if _, err := h.verify(out.Token, h.Outbox.Code("sam@example.com")); err != nil {
		t.Errorf("the fallback's code: %v", err)
	}

	h.Clock.Advance(time.Hour)
	h.Outbox.Fail(challenge.ChannelEmail, down)
	if out, err = h.password("sam", password); err != nil {
		t.Fatalf("I-20: the pending login stays: %v", err)
	}
	p, _ = h.open(out.Token).Pending()
	if !p.Prompt.Failed || !p.Prompt.SentAt.IsZero() || !slices.Equal(p.Methods, []string{"sms", "email"}) {
		t.Errorf("I-20: after a failed send: %+v", p.Methods)
	}
	if _, err := h.verify(out.Token, "000000"); !errors.Is(err, challenge.ErrNoCode) || h.record("6").CodeSpent != 0 {
		t.Errorf("I-20: a code that nobody knows: %v", err)
	}
	h.Outbox.Fail(challenge.ChannelEmail, nil)
	h.Clock.Advance(30 * time.Second)
	if _, err := h.logins.Resend(ctx, challenge.Client{}, h.open(out.Token), "", "email"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.verify(out.Token, h.Outbox.Code("sam@example.com")); err != nil {
		t.Errorf("another allowed method: %v", err)
	}

	// A resend that fails replaces the code that was there.
	h.Outbox.Fail(challenge.ChannelSMS, nil)
	h.Clock.Advance(time.Hour)
	h.SetVerdict("6", challenge.Verdict{Factors: []string{"sms"}})
	if out, err = h.password("sam", password); err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(30 * time.Second)
	h.Outbox.Fail(challenge.ChannelSMS, down)
	if _, err := h.logins.Resend(ctx, challenge.Client{}, h.open(out.Token), "", ""); !errors.Is(err, challenge.ErrSend) {
		t.Errorf("I-20: %v", err)
	}
	if _, err := h.verify(out.Token, h.Outbox.Code("+31600000001")); !errors.Is(err, challenge.ErrNoCode) {
		t.Errorf("I-20: the code from before a failed resend: %v", err)
	}
}

func TestAFallbackStaysInsideWhatIsAllowed(t *testing.T) {
	h := build(t)
	h.SetVerdict("6", challenge.Verdict{Factors: []string{"sms"}})
	h.Outbox.Fail(challenge.ChannelSMS, errors.New("carrier down"))
	out, err := h.password("sam", password)
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := h.open(out.Token).Pending(); !p.Prompt.Failed || len(h.Outbox.Messages()) != 0 {
		t.Error("a fallback to a method that the policy does not allow")
	}
}

func TestANewNumberThatGetsNoMessagesIsRefusedAsOne_I15(t *testing.T) {
	o := owned(t)
	token := o.byTablet()
	begin := func(number string) error {
		o.take()
		_, err := o.logins.BeginEnrolment(ctx, challenge.Client{}, o.open(token), challenge.EnrolInput{Method: "sms", Destination: number})
		return err
	}
	for _, number := range []string{"+979900000009", "+88160000009"} {
		if err := begin(number); !errors.Is(err, challenge.ErrDestination) || !errors.Is(err, challenge.ErrSend) {
			t.Errorf("%s: %v", number, err)
		}
		if refused := o.events(audit.SendRefused); len(refused) != 1 || !strings.HasPrefix(refused[0].Reason, "no messages to +") {
			t.Errorf("I-21: %+v", refused)
		}
	}
	if err := begin("+31600000009"); err != nil {
		t.Errorf("the next one, at once: %v", err)
	}
	o.Outbox.Fail(challenge.ChannelSMS, errors.New("carrier down"))
	o.Clock.Advance(time.Minute)
	if err := begin("+31600000008"); !errors.Is(err, challenge.ErrSend) || errors.Is(err, challenge.ErrDestination) {
		t.Errorf("one that cannot be reached now: %v", err)
	}
}
