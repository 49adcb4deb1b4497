package challenge_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// What somebody found who attacked the machine from outside.

func TestI08APasswordBuysNoCodeGuesses(t *testing.T) {
	o := owned(t)
	o.SetVerdict("1", challenge.Verdict{NotNeeded: true}) // alice has enrolled apps of her own accord
	o.Audit.Take()
	for range 10 { // each time a new device
		out := o.on("alice", challenge.Client{})
		for range 3 {
			if _, err := o.logins.StepUp(ctx, challenge.Client{}, o.open(out.Token), challenge.CodeInput{Method: "totp", Code: "000000"}); err == nil {
				t.Fatal("in")
			}
		}
	}
	if n := o.Audit.Count(audit.InvalidCode); n != 3 {
		t.Errorf("%d compared in 10 logins by the password", n)
	}
	out := o.on("alice", challenge.Client{})
	if _, err := o.logins.StepUp(ctx, challenge.Client{}, o.open(out.Token), challenge.CodeInput{Method: "totp", Code: o.codeOf(tablet, 0)}); !errors.As(err, new(*challenge.BlockedError)) {
		t.Errorf("I-09: inside the block: %v", err)
	}
}

func TestI09APasswordLiftsNoBlockOfCodesOnItsDevice(t *testing.T) {
	o := owned(t)
	o.SetVerdict("1", challenge.Verdict{NotNeeded: true})
	c := challenge.Client{Device: o.on("alice", challenge.Client{}).Device}
	step := func(token string) error {
		_, err := o.logins.StepUp(ctx, c, o.open(token), challenge.CodeInput{Method: "totp", Code: "000000"})
		return err
	}
	token := o.on("alice", c).Token
	for range 3 {
		_ = step(token)
	}
	if err := step(o.on("alice", c).Token); !errors.As(err, new(*challenge.BlockedError)) {
		t.Errorf("after the password again: %v", err)
	}
}

func TestI08ATrustedDeviceBuysNoCodeGuesses(t *testing.T) {
	o := owned(t)
	o.Clock.Advance(time.Minute)
	out := o.on("alice", challenge.Client{})
	out, err := o.logins.Verify(ctx, challenge.Client{}, o.open(out.Token), challenge.CodeInput{Code: o.codeOf(tablet, 0), Trust: true})
	if err != nil || out.Trusted == "" {
		t.Fatal(err)
	}
	o.Audit.Take()
	trusted := out.Trusted
	for range 10 {
		in, err := o.logins.Password(ctx, challenge.Client{Trusted: trusted}, new(challenge.Session), challenge.PasswordInput{Slot: challenge.Cookie, Name: "alice", Password: []byte(password)})
		if errors.As(err, new(*challenge.BlockedError)) {
			break
		}
		if err != nil || in.Trusted == "" {
			t.Fatal(in.Session, err)
		}
		trusted = in.Trusted
		for range 2 {
			_, _ = o.logins.StepUp(ctx, challenge.Client{}, o.open(in.Token), challenge.CodeInput{Method: "totp", Code: "000000"})
		}
	}
	if n := o.Audit.Count(audit.InvalidCode); n != 3 {
		t.Errorf("%d compared", n)
	}
}

func TestI14ATrustedDeviceChangesNoFactors(t *testing.T) {
	o := owned(t)
	o.Clock.Advance(time.Minute)
	out := o.on("alice", challenge.Client{})
	out, err := o.logins.Verify(ctx, challenge.Client{}, o.open(out.Token), challenge.CodeInput{Code: o.codeOf(tablet, 0), Trust: true})
	if err != nil {
		t.Fatal(err)
	}
	thief := challenge.Client{Trusted: out.Trusted}
	in := o.on("alice", thief)
	if _, ok := in.Session.Login(); !ok {
		t.Fatal("the device does not stand in")
	}
	for _, removing := range []bool{true, false} {
		if needs, err := o.logins.ChangeNeeds(ctx, thief, o.open(in.Token), removing); err != nil || len(needs) == 0 || needs[len(needs)-1] == challenge.NeedsFirst {
			t.Errorf("removing %v: needs %v, %v", removing, needs, err)
		}
	}
	if _, err := o.logins.RenewRecoveryCodes(ctx, thief, o.open(in.Token)); !errors.Is(err, challenge.ErrNotFresh) {
		t.Errorf("%v", err)
	}
	if _, err := o.begin(in.Token, challenge.EnrolInput{Method: "totp"}); !errors.Is(err, challenge.ErrNotFresh) {
		t.Errorf("%v", err)
	}
}

func TestI06AMailboxIsNotEnrolledBesideItself(t *testing.T) {
	for name, verdict := range map[string]challenge.Verdict{"not needed": {NotNeeded: true}, "in grace": {Factors: []string{"totp", "email"}, Grace: challenge.Grace{Logins: 5}}} {
		h := build(t)
		h.Users.Add(challenge.Account{ID: "9", Name: "mallory", Email: "mal@example.com"}, password)
		h.SetVerdict("9", verdict)
		out, err := h.logins.Enter(ctx, challenge.Client{}, new(challenge.Session), challenge.Cookie, "9", challenge.FirstFactor{Method: "magic-link", Channel: challenge.ChannelEmail})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := out.Session.Login(); !ok {
			t.Fatalf("%s: %v", name, out.Session)
		}
		sent := len(h.Outbox.Messages())
		_, err = h.logins.BeginEnrolment(ctx, challenge.Client{}, h.open(out.Token), challenge.EnrolInput{Method: "email", Destination: "mal@example.com"})
		if !errors.Is(err, challenge.ErrMethod) && !errors.Is(err, challenge.ErrNotAllowed) {
			t.Errorf("%s: %v", name, err)
		}
		if len(h.Outbox.Messages()) != sent {
			t.Errorf("%s: a code was sent", name)
		}
	}
}

func TestI02InAGraceWhatIsEnrolledMustBeTheOwners(t *testing.T) {
	h := build(t)
	h.SetVerdict("5", challenge.Verdict{Factors: []string{"totp", "recovery"}, Grace: challenge.Grace{Logins: 5}})
	out, err := h.password("erin", password)
	if err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(time.Second)
	begin := func() (challenge.NewAuthenticator, error) {
		return h.logins.BeginEnrolment(ctx, challenge.Client{}, h.open(out.Token), challenge.EnrolInput{Method: "totp"})
	}
	if _, err := begin(); !errors.Is(err, challenge.ErrNotFresh) {
		t.Errorf("by the password: %v", err)
	}
	if needs, err := h.logins.ChangeNeeds(ctx, challenge.Client{}, h.open(out.Token), false); err != nil || !slices.Contains(needs, challenge.NeedsSecond) {
		t.Errorf("%v, %v", needs, err)
	}
	p, err := h.logins.BeginStepUp(ctx, challenge.Client{}, h.open(out.Token), "", false)
	if err != nil || p.Prompt.Method != "email" {
		t.Fatalf("%+v, %v", p, err)
	}
	if out, err = h.logins.StepUp(ctx, challenge.Client{}, h.open(out.Token), challenge.CodeInput{Method: "email", Code: h.Outbox.Code("erin@example.com")}); err != nil {
		t.Fatal(err)
	}
	if login, _ := h.open(out.Token).Login(); !login.Grace {
		t.Error("it is in grace no more, without what the policy asks for")
	}
	made, err := begin()
	for errors.Is(err, challenge.ErrNotFresh) { // the password, too
		if out, err = h.logins.ConfirmPassword(ctx, challenge.Client{}, h.open(out.Token), "", []byte(password)); err != nil {
			t.Fatal(err)
		}
		made, err = begin()
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err = h.logins.ConfirmEnrolment(ctx, challenge.Client{}, h.open(out.Token), h.codeOf(ungrouped(made.Enrolment.Key), 0)); err != nil {
		t.Fatal(err)
	}
	if login, _ := h.open(out.Token).Login(); login.Grace || !login.SecondFactor {
		t.Errorf("%+v", login)
	}
}

func TestI02InAGraceWithoutAnAddressAnAdministratorsCodeIsNeeded(t *testing.T) {
	h := build(t)
	h.Users.Add(challenge.Account{ID: "9", Name: "nora"}, password)
	h.SetVerdict("9", challenge.Verdict{Grace: challenge.Grace{Logins: 5}})
	out, err := h.password("nora", password)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.logins.BeginEnrolment(ctx, challenge.Client{}, h.open(out.Token), challenge.EnrolInput{Method: "totp"}); !errors.Is(err, challenge.ErrNotAllowed) {
		t.Errorf("%v", err)
	}
	if _, err := h.logins.EnrolmentCode(ctx, "9", "root"); err != nil {
		t.Fatal(err)
	}
	out, err = h.password("nora", password)
	if p, ok := out.Session.Pending(); err != nil || !ok || p.Stage != challenge.StageProof {
		t.Errorf("the code is not asked for: %v, %v", out.Session, err)
	}
}

func TestAResetEndsTheGrace(t *testing.T) {
	h := build(t)
	h.SetVerdict("5", challenge.Verdict{Factors: []string{"totp"}, Grace: challenge.Grace{Until: h.Clock.Now().Add(24 * time.Hour)}})
	if out, err := h.password("erin", password); err != nil || !out.Session.Exists() {
		t.Fatal(err)
	}
	if err := h.logins.ResetFactors(ctx, "5", "root"); err != nil {
		t.Fatal(err)
	}
	out, err := h.password("erin", password)
	if p, ok := out.Session.Pending(); err != nil || !ok || p.Stage != challenge.StageProof {
		t.Errorf("%v, %v", out.Session, err)
	}
}

func TestATrialKnowsNoGraceAfterAResetEither(t *testing.T) {
	var until time.Time
	h := build(t, func(c *challenge.Config) {
		c.Shadow = func(_ context.Context, a challenge.Account, _ challenge.Client) (challenge.Verdict, error) {
			return challenge.Verdict{Factors: []string{"totp"}, Grace: challenge.Grace{Until: until}}, nil
		}
	})
	until = h.Clock.Now().Add(24 * time.Hour)
	h.SetVerdict("5", challenge.Verdict{Factors: []string{"totp"}})
	reports := func() int {
		h.Audit.Take()
		if _, err := h.password("erin", password); err != nil {
			t.Fatal(err)
		}
		h.logins.WaitForReports()
		return h.Audit.Count(audit.ReportOnly)
	}
	if n := reports(); n != 1 {
		t.Fatalf("%d reports of a grace", n)
	}
	if err := h.logins.ResetFactors(ctx, "5", "root"); err != nil {
		t.Fatal(err)
	}
	if n := reports(); n != 0 {
		t.Errorf("%d reports of a grace that there is not", n)
	}
}

func TestManyEnrolmentsBegunLeaveOneWaiting(t *testing.T) {
	o := owned(t)
	token := o.byTablet()
	var sessions []*challenge.Session
	for range 40 {
		sessions = append(sessions, o.open(token))
	}
	for _, s := range sessions {
		if _, err := o.logins.BeginEnrolment(ctx, challenge.Client{}, s, challenge.EnrolInput{Method: "totp"}); err != nil && !errors.Is(err, challenge.ErrEnded) {
			t.Fatal(err)
		}
	}
	if _, err := o.logins.RenewRecoveryCodes(ctx, challenge.Client{}, o.open(token)); err != nil {
		t.Errorf("there is no room left: %v", err)
	}
}

func TestI21WhatWasNotThereLeavesNoEvent(t *testing.T) {
	o := owned(t)
	token := o.byTablet()
	o.Audit.Take()
	const none = "00000000000000000000000000000001"
	if err := errors.Join(o.logins.Distrust(ctx, challenge.Client{}, o.open(token), none), o.logins.ForgetDevice(ctx, challenge.Client{}, o.open(token), none)); err != nil {
		t.Error(err)
	}
	if got := o.Audit.Take(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestI14TheSecretOfWhatWaitsIsShownToAFreshLoginOnly(t *testing.T) {
	o := owned(t)
	token := o.byTablet()
	if _, err := o.begin(token, challenge.EnrolInput{Method: "totp"}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.logins.Waiting(ctx, challenge.Client{}, o.open(token)); err != nil {
		t.Error(err)
	}
	o.Clock.Advance(6 * time.Minute)
	if w, err := o.logins.Waiting(ctx, challenge.Client{}, o.open(token)); !errors.Is(err, challenge.ErrNotFresh) || w.Enrolment.Key != "" {
		t.Errorf("%v", err)
	}
}

// explosive is a table of users that panics when it is asked.
type explosive struct {
	challenge.Users
	armed atomic.Bool
	asked chan struct{}
	went  chan struct{}
}

func (u *explosive) Find(ctx context.Context, name string) (challenge.Account, error) {
	if u.armed.Load() {
		u.asked <- struct{}{}
		<-u.went
		panic("users")
	}
	return u.Users.Find(ctx, name)
}

func TestI20APanicInUsersLetsNobodyInAndKeepsNoSlot(t *testing.T) {
	u := &explosive{asked: make(chan struct{}), went: make(chan struct{})}
	h := build(t, func(c *challenge.Config) { u.Users, c.Users, c.HashSlots = c.Users, u, 1 })
	u.armed.Store(true)
	answers := make(chan error, 2)
	try := func() {
		login, err := h.logins.Basic(ctx, challenge.Client{}, challenge.BasicInput{Name: "reports", Password: []byte(password)})
		if login != nil {
			t.Errorf("%v is let in", login)
		}
		answers <- err
	}
	go try()
	<-u.asked
	go try()
	time.Sleep(10 * time.Millisecond) // for the second to wait for the first: if it does not, it is asked for itself
	go func() {
		for range u.asked {
		}
	}()
	close(u.went)
	for range 2 {
		if err := <-answers; !errors.Is(err, challenge.ErrUnavailable) {
			t.Errorf("%v", err)
		}
	}
	u.armed.Store(false)
	for range 3 {
		if _, err := h.logins.Basic(ctx, challenge.Client{}, challenge.BasicInput{Name: "reports", Password: []byte(password)}); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		if _, err := h.password("alice", password); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
}

// enrolsMail begins, in a new login from a device that nobody knows, to enrol an address.
func (o *own) enrolsMail(c challenge.Client, address string) error {
	o.t.Helper()
	o.Clock.Advance(31 * time.Second)
	token := o.by(c, func() string { return o.codeOf(tablet, 0) }).Token
	_, err := o.logins.BeginEnrolment(ctx, c, o.open(token), challenge.EnrolInput{Method: "email", Destination: address})
	return err
}

func TestI15NobodyElsesEnrolmentsUseUpTheCodesOfALogin(t *testing.T) {
	o := owned(t)
	sent := 0
	for i := range 12 {
		if o.enrolsMail(challenge.Client{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})}, "carol@example.com") == nil {
			sent++
		}
	}
	if sent == 0 || sent == 12 {
		t.Errorf("%d mails to somebody else", sent)
	}
	out, err := o.password("carol", password)
	if p, ok := out.Session.Pending(); err != nil || !ok || p.Prompt.SentAt.IsZero() {
		t.Errorf("the owner gets no code: %v, %v", out.Session, err)
	}
}

func TestI15ManyDevicesBuyNoMoreMessages(t *testing.T) {
	o := owned(t)
	sent := 0
	for i := range 120 { // an hour, each time from another network and to another address
		c := challenge.Client{Addr: netip.AddrFrom4([4]byte{10, 1, byte(i), 1})}
		if o.enrolsMail(c, fmt.Sprintf("m%d@example.com", i)) == nil {
			sent++
		}
	}
	if sent < 5 || sent > 20 {
		t.Errorf("%d messages in an hour", sent)
	}
}

func TestI15AClientWhoseBudgetIsSpentSpendsNobodyElses(t *testing.T) {
	o := owned(t, func(c *challenge.Config) { c.Sends.PerClientHour = 1 })
	c := challenge.Client{Addr: netip.MustParseAddr("10.0.0.1")}
	if err := o.enrolsMail(c, "m@example.com"); err != nil {
		t.Fatal(err)
	}
	for range 7 {
		_ = o.enrolsMail(c, "carol@example.com")
	}
	o.Clock.Advance(20 * time.Minute)
	if err := o.enrolsMail(challenge.Client{Addr: netip.MustParseAddr("10.0.0.2")}, "carol@example.com"); err != nil {
		t.Errorf("nothing was sent to this address: %v", err)
	}
}

func TestI15WhereTheNumberHasToWaitTheFallbackIsTaken(t *testing.T) {
	h := build(t, func(c *challenge.Config) { c.Sends.PerPrefixHour = 1 })
	h.Users.Add(challenge.Account{ID: "9", Name: "sid", Phone: "+31600000009"}, password)
	if _, err := h.password("sid", password); err != nil { // the range is that of sam's number, too
		t.Fatal(err)
	}
	out, err := h.password("sam", password)
	if p, ok := out.Session.Pending(); err != nil || !ok || p.Prompt.Method != "email" || p.Prompt.FellBack != "sms" || p.Prompt.SentAt.IsZero() {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestI15EnrolmentsThatNobodyFinishesRefuseNoLogin(t *testing.T) {
	o := owned(t, func(c *challenge.Config) { c.Sends.RefusePumped, c.Sends.PumpingSent = true, 4 })
	sms := func(i int) error {
		o.Clock.Advance(5 * time.Minute)
		token := o.by(challenge.Client{}, func() string { return o.codeOf(tablet, 0) }).Token
		_, err := o.logins.BeginEnrolment(ctx, challenge.Client{}, o.open(token), challenge.EnrolInput{Method: "sms", Destination: fmt.Sprintf("+3161000%04d", i)})
		return err
	}
	refused := false
	for i := range 10 {
		refused = sms(i) != nil || refused
	}
	if !refused || o.Audit.Count(audit.PumpingSuspected) == 0 {
		t.Errorf("enrolments: refused %v, %d alarms", refused, o.Audit.Count(audit.PumpingSuspected))
	}
	out, err := o.password("sam", password)
	if p, _ := out.Session.Pending(); err != nil || p.Prompt.Method != "sms" || p.Prompt.SentAt.IsZero() {
		t.Errorf("a login: %+v, %v", p.Prompt.Method, err)
	}
}

func TestI11APasswordAlonePushesNoDeviceOut(t *testing.T) {
	o := owned(t)
	o.Clock.Advance(31 * time.Second)
	device := o.by(challenge.Client{}, func() string { return o.codeOf(tablet, 0) }).Device
	o.SetVerdict("1", challenge.Verdict{NotNeeded: true})
	for range 10 {
		o.Clock.Advance(time.Second)
		o.on("alice", challenge.Client{})
	}
	token := o.on("alice", challenge.Client{}).Token
	for range 3 {
		_, _ = o.logins.StepUp(ctx, challenge.Client{}, o.open(token), challenge.CodeInput{Method: "totp", Code: "000000"})
	}
	c := challenge.Client{Device: device}
	o.Clock.Advance(31 * time.Second)
	if _, err := o.logins.StepUp(ctx, c, o.open(o.on("alice", c).Token), challenge.CodeInput{Method: "totp", Code: o.codeOf(tablet, 0)}); err != nil {
		t.Errorf("the owner on her own device: %v", err)
	}
}

// I-09: it takes the password to make an authenticator fail a hundred times in a row, or to block the device that the owner uses.
func TestI09ACopiedSessionMakesNoAuthenticatorFailForEver(t *testing.T) {
	o := owned(t)
	copied := o.byTablet()
	wrong := 0
	for range 120 {
		o.Clock.Advance(20 * time.Second)
		switch _, err := o.stepUp(copied, "totp", "000000"); {
		case errors.Is(err, challenge.ErrWrongCode):
			wrong++
		case !errors.As(err, new(*challenge.BlockedError)) && !errors.Is(err, challenge.ErrLoginAgain):
			t.Fatal(err)
		}
		_, _ = o.passwordAgain(copied, "wrong")
	}
	if wrong == 0 || wrong > 10 {
		t.Errorf("I-09: %d wrong codes by one login", wrong)
	}
	if !o.open(copied).Exists() {
		t.Error("I-11: the login itself has ended")
	}
	o.Clock.Advance(5 * time.Minute)
	// The owner logs in, and a right answer begins anew.
	token := o.byTablet()
	for range 6 {
		for range 2 {
			if _, err := o.stepUp(token, "totp", "000000"); !errors.Is(err, challenge.ErrWrongCode) {
				t.Fatal(err)
			}
		}
		o.Clock.Advance(time.Minute)
		out, err := o.stepUp(token, "totp", o.codeOf(tablet, 0))
		if err != nil {
			t.Fatal(err)
		}
		token = out.Token
	}
}

// I-09, I-14: whoever has the password and a recovery code makes the owner's authenticators fail no faster than anybody with the
// password, whatever they add, and the owner can take that back by a recovery code.
func TestI09WhatARecoveryCodeHasAddedGivesNoGuessesBack(t *testing.T) {
	o := owned(t)
	s := ""
	out := o.adds(challenge.EnrolInput{Method: "totp", Name: "thief's"}, func(secret string) string { s = secret; return o.codeOf(s, 0) })
	token, wrong := out.Token, 0
	for range 8 {
		o.Clock.Advance(30 * time.Second)
		for range 2 {
			if _, err := o.stepUp(token, "totp", "000000"); errors.Is(err, challenge.ErrWrongCode) {
				wrong++
			}
		}
		if out, err := o.stepUp(token, "totp", o.codeOf(s, 0)); err == nil {
			token = out.Token
		}
	}
	if wrong > 3 { // within one block
		t.Errorf("I-08: %d wrong answers, with right ones between them", wrong)
	}
	for range 10 {
		o.Clock.Advance(6 * time.Minute)
		for range 2 {
			if out, err := o.password("alice", password); err == nil {
				_, _ = o.verify(out.Token, "000000")
			}
		}
	}
	o.Clock.Advance(6 * time.Minute)
	in := o.by(challenge.Client{}, func() string { return o.codes[1] }).Token
	o.Clock.Advance(time.Second)
	owner, err := o.passwordAgain(in, password)
	if err != nil {
		t.Fatal(err)
	}
	if owner, err = o.logins.RemoveFactor(ctx, challenge.Client{}, o.open(owner.Token), o.id("thief's")); err != nil {
		t.Fatalf("I-14: what a recovery code has added does not go by one: %v", err)
	}
	if _, err := o.logins.RemoveFactor(ctx, challenge.Client{}, o.open(owner.Token), o.id("phone")); !errors.Is(err, challenge.ErrNotFresh) {
		t.Errorf("I-14: what was there before does: %v", err)
	}
}

func TestI23WhatIsBegunAndGivenUpLeavesNothingInTheAccountsRecord(t *testing.T) {
	o := owned(t)
	token := o.byTablet()
	size := func() int {
		raw, err := o.store.Load(ctx, challenge.AccountKey("1"))
		if err != nil {
			t.Fatal(err)
		}
		return len(raw)
	}
	before := 0
	for n := range 20 {
		if _, err := o.begin(token, challenge.EnrolInput{Method: "totp"}); err != nil {
			t.Fatal(err)
		}
		_, _ = o.confirm(token, "000000")
		if n == 0 {
			before = size()
		}
		if n%3 == 2 {
			if err := o.logins.Unblock(ctx, "1", "admin"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if after := size(); after > before+16 {
		t.Errorf("I-23: the record has grown from %d to %d bytes", before, after)
	}
}

func TestI09AddingWithARecoveryCodeGivesNoGuessesBack(t *testing.T) {
	o := owned(t)
	token := o.by(challenge.Client{}, func() string { return o.codes[0] }).Token
	o.Clock.Advance(time.Second)
	out, err := o.passwordAgain(token, password)
	if err != nil {
		t.Fatal(err)
	}
	try := func() error {
		_, err := o.stepUp(out.Token, "totp", "000000")
		return err
	}
	if err := errors.Join(try(), try()); !errors.Is(err, challenge.ErrWrongCode) {
		t.Fatal(err)
	}
	s, err := o.begin(out.Token, challenge.EnrolInput{Method: "totp"})
	if err != nil {
		t.Fatal(err)
	}
	if out, err = o.confirm(out.Token, o.codeOf(s, 0)); err != nil {
		t.Fatal(err)
	}
	if err := try(); !errors.Is(err, challenge.ErrWrongCode) {
		t.Fatal(err)
	}
	if err := try(); !errors.As(err, new(*challenge.BlockedError)) {
		t.Errorf("I-08: a fourth wrong answer, with something added between them: %v", err)
	}
}

// I-11: each of these ends what the owner has begun, so that there must be few.
func TestI11ARecoveryCodeAddsThreeAuthenticatorsADay(t *testing.T) {
	o := owned(t)
	out := o.adds(challenge.EnrolInput{Method: "totp", Name: "1"}, func(s string) string { return o.codeOf(s, 0) })
	n := 1
	for range 6 {
		for _, v := range o.security().Factors {
			if v.Name != "1" {
				continue
			}
			next, err := o.logins.RemoveFactor(ctx, challenge.Client{}, o.open(out.Token), v.ID)
			if err != nil {
				t.Fatal(err)
			}
			out = next
		}
		s, err := o.begin(out.Token, challenge.EnrolInput{Method: "totp", Name: "1"})
		if err != nil {
			t.Fatal(err)
		}
		next, err := o.confirm(out.Token, o.codeOf(s, 0))
		switch {
		case err == nil:
			out = next
			n++
		case !errors.Is(err, challenge.ErrNotAllowed):
			t.Fatal(err)
		}
	}
	if n != 3 {
		t.Errorf("I-11: %d", n)
	}
	if r := o.record("1"); r.CodeSpent != 0 {
		t.Errorf("right answers that were refused cost %d guesses", r.CodeSpent)
	}
	o.Clock.Advance(24 * time.Hour)
	o.codes = o.codes[1:]
	o.adds(challenge.EnrolInput{Method: "totp", Name: "2"}, func(s string) string { return o.codeOf(s, 0) })
}

func TestAStrangersBlockIsNoWrongAnswerOfALogin(t *testing.T) {
	h := build(t)
	token := h.loginDave()
	for range 3 {
		_, _ = h.password("dave", "wrong")
	}
	for range 12 { // of a client that is no known device, and is told nothing
		if _, err := h.stepUp(token, "", password); !errors.Is(err, challenge.ErrRefused) || errors.Is(err, challenge.ErrLoginAgain) {
			t.Fatal(err)
		}
	}
	h.Clock.Advance(5 * time.Minute)
	if _, err := h.stepUp(token, "", password); err != nil {
		t.Error(err)
	}
}
