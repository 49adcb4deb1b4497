package challenge_test

import (
	"bytes"
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// proven takes an account's login to where it may enrol, and gives the token and the new TOTP secret.
func (h *house) proven(name, address string) (token, secret string) {
	h.t.Helper()
	out, err := h.password(name, password)
	if err != nil {
		h.t.Fatal(err)
	}
	if p, _ := h.open(out.Token).Pending(); p.Stage != challenge.StageProof {
		h.t.Fatalf("stage %c", p.Stage)
	}
	if out, err = h.verify(out.Token, h.Outbox.Code(address)); err != nil {
		h.t.Fatal(err)
	}
	return out.Token, h.secretOf(out.Token)
}

func (h *house) secretOf(token string) string {
	h.t.Helper()
	e, err := h.logins.Enrolling(context.Background(), challenge.Client{}, h.open(token))
	if err != nil {
		h.t.Fatal(err)
	}
	return ungrouped(e.Key)
}

// ungrouped is a secret as a phone takes it.
func ungrouped(key string) string { return strings.ReplaceAll(key, " ", "") }

func (h *house) codeOf(secret string, steps int64) string {
	return totpOf(secret, h.Clock.Now().Unix()/30+steps)
}

func TestI02EnrollingInAPendingLogin(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	out, err := h.password("erin", password)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := h.open(out.Token).Pending()
	if !ok || p.Stage != challenge.StageProof || !slices.Equal(p.Methods, []string{"email"}) || p.Prompt.To != "e•••n@example.com" {
		t.Fatalf("I-02: %+v", p.Methods)
	}
	if _, err := h.logins.Enrolling(ctx, challenge.Client{}, h.open(out.Token)); !errors.Is(err, challenge.ErrNoPending) {
		t.Errorf("I-02: a secret before the account's own address was proven: %v", err)
	}
	proof, code := out.Token, h.Outbox.Code("erin@example.com")
	h.Audit.Take()
	if out, err = h.verify(proof, code); err != nil {
		t.Fatal(err)
	}
	if _, ok := out.Session.Login(); ok || h.open(proof).Exists() || out.Token == "" {
		t.Error("I-02: the code that proves an address made a login, or its token lives on")
	}
	if got := h.Audit.Take(); !slices.Equal(got, []audit.Name{audit.CodeValidated}) {
		t.Errorf("I-21: %v", got)
	}
	token := out.Token
	s := h.secretOf(token)
	if s != h.secretOf(token) || len(s) < 26 {
		t.Error("the secret changes from one look to the next, or is short")
	}
	if _, err := h.logins.Resend(ctx, challenge.Client{}, h.open(token), "", ""); !errors.Is(err, challenge.ErrMethod) {
		t.Errorf("%v", err)
	}
	if len(h.logins.Confirmed("5", "totp")) != 0 {
		t.Error("I-02: it counts before its first right answer")
	}
	if _, err := h.verify(token, h.codeOf(s, -5)); !errors.Is(err, challenge.ErrClockOff) {
		t.Errorf("I-12: a phone whose clock is off: %v", err)
	}
	h.Audit.Take()
	if out, err = h.verify(token, h.codeOf(s, 0)); err != nil {
		t.Fatal(err)
	}
	if got := h.Audit.Take(); !slices.Equal(got, []audit.Name{audit.CodeValidated, audit.LoginWithMFA, audit.FactorEnrolled}) {
		t.Errorf("I-21: %v", got)
	}
	if login, ok := h.open(out.Token).Login(); !ok || !slices.Equal(login.MethodNames(), []string{"password", "totp"}) {
		t.Errorf("no login: %v", login)
	}
	if len(out.RecoveryCodes) != 10 || len(h.logins.Confirmed("5", "totp")) != 1 || len(h.logins.Confirmed("5", "recovery")) != 1 {
		t.Errorf("%d recovery codes", len(out.RecoveryCodes))
	}

	again, err := h.password("erin", password)
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := h.open(again.Token).Pending(); p.Stage != challenge.StageCode || !slices.Equal(p.Methods, []string{"totp", "recovery"}) {
		t.Errorf("the next login: %c %v", p.Stage, p.Methods)
	}
	if _, err := h.verify(again.Token, h.codeOf(s, 0)); !errors.Is(err, challenge.ErrReplayed) {
		t.Errorf("I-12: enrolment's confirming code counts as used: %v", err)
	}
	if _, err := h.verify(again.Token, out.RecoveryCodes[3]); err != nil {
		t.Errorf("I-14: a recovery code that was shown: %v", err)
	}
}

func TestI02EnrollingIsRefused(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name  string
		from  func(h *house) (challenge.Outcome, error)
		event audit.Name
	}{
		{"without an address or phone of one's own", func(h *house) (challenge.Outcome, error) {
			h.Users.Add(challenge.Account{ID: "20", Name: "nowhere"}, password)
			return h.password("nowhere", password)
		}, audit.EnrolmentRefused},
		{"I-06: when the first factor came by the only channel there is", func(h *house) (challenge.Outcome, error) {
			return h.logins.Enter(ctx, challenge.Client{}, &challenge.Session{}, challenge.Cookie, "5", challenge.FirstFactor{Method: "magic-link", Channel: challenge.ChannelEmail})
		}, audit.EnrolmentRefused},
		{"I-06: carol's mailbox is never both factors", func(h *house) (challenge.Outcome, error) {
			return h.logins.Enter(ctx, challenge.Client{}, &challenge.Session{}, challenge.Cookie, "3", challenge.FirstFactor{Method: "password-reset", Channel: challenge.ChannelEmail})
		}, audit.EnrolmentRefused},
		{"beside an enrolled factor that the policy does not count", func(h *house) (challenge.Outcome, error) {
			h.SetVerdict("1", challenge.Verdict{Factors: []string{"email"}})
			return h.password("alice", password)
		}, audit.LoginRefused},
		{"where nothing that satisfies the policy can be enrolled", func(h *house) (challenge.Outcome, error) {
			h.SetVerdict("5", challenge.Verdict{Factors: []string{"recovery"}})
			return h.password("erin", password)
		}, audit.EnrolmentRefused},
	} {
		h := build(t)
		out, err := c.from(h)
		if !errors.Is(err, challenge.ErrNotAllowed) || out.Token != "" {
			t.Errorf("I-02: %s: %v", c.name, err)
		}
		if n := h.Audit.Count(c.event); n != 1 {
			t.Errorf("I-21: %s: %v", c.name, h.Audit.Take())
		}
		if len(h.Outbox.Messages()) != 0 {
			t.Errorf("%s: something was sent", c.name)
		}
	}
}

func TestI02TheProofGoesToTheAccountsOwnAddressOnly(t *testing.T) {
	h := build(t)
	h.Users.Change("5", func(a *challenge.Account) { a.Phone = "+31600000005" })
	for _, name := range []string{"erin"} {
		out, err := h.password(name, password)
		if err != nil {
			t.Fatal(err)
		}
		h.Clock.Advance(time.Minute)
		if _, err := h.logins.Resend(context.Background(), challenge.Client{}, h.open(out.Token), "", "email"); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range h.Outbox.Messages() {
		if m.To != "erin@example.com" && m.To != "+31600000005" {
			t.Errorf("I-02: a proof went to %s", m.To)
		}
	}
	// Another account's code proves nothing.
	out, err := h.password("carol", password)
	if err != nil {
		t.Fatal(err)
	}
	code := h.Outbox.Code("carol@example.com")
	h.Clock.Advance(time.Minute)
	if out, err = h.password("erin", password); err != nil {
		t.Fatal(err)
	}
	if _, err := h.verify(out.Token, code); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("I-13: another account's code: %v", err)
	}
}

func TestI06AChannelThatWasTheFirstFactorIsNoSecond(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	enter := func(id, channel string) (challenge.Outcome, error) {
		return h.logins.Enter(ctx, challenge.Client{}, &challenge.Session{}, challenge.Cookie, id, challenge.FirstFactor{Method: "magic-link", Channel: channel, Next: "/x"})
	}
	out, err := enter("6", challenge.ChannelEmail)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := h.open(out.Token).Pending()
	if !slices.Equal(p.Methods, []string{"sms"}) {
		t.Errorf("I-06: %v after a link by mail", p.Methods)
	}
	if _, err := h.logins.Resend(ctx, challenge.Client{}, h.open(out.Token), "", "email"); !errors.Is(err, challenge.ErrMethod) {
		t.Errorf("I-06: chosen: %v", err)
	}
	h.Outbox.Fail(challenge.ChannelSMS, errors.New("carrier down"))
	h.Clock.Advance(time.Minute)
	if _, err := h.logins.Resend(ctx, challenge.Client{}, h.open(out.Token), "", "sms"); !errors.Is(err, challenge.ErrSend) || h.Outbox.Code("sam@example.com") != "" {
		t.Errorf("I-06: as a fallback: %v", err)
	}
	h.Outbox.Fail(challenge.ChannelSMS, nil)
	h.Clock.Advance(time.Minute)
	if _, err := h.logins.Resend(ctx, challenge.Client{}, h.open(out.Token), "", "sms"); err != nil {
		t.Fatal(err)
	}
	done, err := h.verify(out.Token, h.Outbox.Code("+31600000001"))
	if err != nil {
		t.Fatal(err)
	}
	login, ok := h.open(done.Token).Login()
	if !ok || !slices.Equal(login.MethodNames(), []string{"magic-link", "sms"}) || done.Next != "/x" {
		t.Errorf("I-06: %v", login)
	}

	// Enrolling by the other channel.
	h.Users.Change("5", func(a *challenge.Account) { a.Phone = "+31600000005" })
	if out, err = enter("5", challenge.ChannelEmail); err != nil {
		t.Fatal(err)
	}
	if p, _ := h.open(out.Token).Pending(); !slices.Equal(p.Methods, []string{"sms"}) || p.Stage != challenge.StageProof {
		t.Errorf("I-06: proving by %v after a link by mail", p.Methods)
	}

	// Enter refuses whom a password would be refused.
	h.Users.Add(challenge.Account{ID: "8", Name: "gone", Disabled: true}, password)
	if err := h.logins.Block(ctx, "4", "admin"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"8", "7", "4", "no such id"} {
		if out, err := enter(id, ""); !errors.Is(err, challenge.ErrRefused) || out.Token != "" {
			t.Errorf("I-06: %s: %v", id, err)
		}
	}
	for _, method := range []string{"", "Magic Link", strings.Repeat("x", 33), "a\nb"} {
		if _, err := h.logins.Enter(ctx, challenge.Client{}, &challenge.Session{}, challenge.Cookie, "3", challenge.FirstFactor{Method: method}); err == nil {
			t.Errorf("method %q", method)
		}
	}
	// A policy may say that it is enough.
	if err := h.logins.Unblock(ctx, "4", "admin"); err != nil {
		t.Fatal(err)
	}
	if out, err = enter("4", challenge.ChannelEmail); err != nil {
		t.Fatal(err)
	}
	if login, ok := h.open(out.Token).Login(); !ok || login.SecondFactor {
		t.Error("a policy that asks for nothing more")
	}
}

func TestI02AnAbandonedEnrolmentIsWorthless(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	first, s := h.proven("erin", "erin@example.com")
	h.Clock.Advance(time.Minute)
	if err := h.logins.Cancel(ctx, challenge.Client{}, h.open(first), ""); err != nil {
		t.Fatal(err)
	}
	out, err := h.password("erin", password)
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := h.open(out.Token).Pending(); p.Stage != challenge.StageProof || slices.Contains(p.Methods, "totp") {
		t.Errorf("I-02: an abandoned enrolment is offered: %v", p.Methods)
	}
	if _, err := h.logins.Verify(ctx, challenge.Client{}, h.open(out.Token), challenge.CodeInput{Method: "totp", Code: h.codeOf(s, 0)}); !errors.Is(err, challenge.ErrMethod) {
		t.Errorf("I-02: an abandoned enrolment's code: %v", err)
	}

	// A second one takes the place of the first, which then leads nowhere.
	h.Clock.Advance(time.Minute)
	first, s = h.proven("erin", "erin@example.com")
	h.Clock.Advance(time.Minute)
	second, s2 := h.proven("erin", "erin@example.com")
	if _, err := h.verify(first, h.codeOf(s, 0)); err == nil {
		t.Error("I-02: the first of two enrolments was confirmed")
	}
	if _, err := h.verify(second, h.codeOf(s2, 0)); err != nil {
		t.Errorf("the second: %v", err)
	}
}

func TestI02ALoginNeverEnrolsBesideAFactor(t *testing.T) {
	// Somebody, an administrator say, gives the account a factor while a pending login is enrolling.
	h := build(t)
	ctx := context.Background()
	h.SetVerdict("5", challenge.Verdict{NotNeeded: true})
	other, err := h.password("erin", password)
	if err != nil {
		t.Fatal(err)
	}
	h.SetVerdict("5", challenge.Verdict{Factors: []string{"totp"}})
	token, s := h.proven("erin", "erin@example.com")
	if err := h.logins.ImportTOTP(ctx, "5", secret, "given"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.verify(token, h.codeOf(s, 0)); !errors.Is(err, challenge.ErrNotAllowed) {
		t.Errorf("I-02: %v", err)
	}
	if n := len(h.logins.Confirmed("5", "totp")); n != 1 {
		t.Errorf("I-02: %d authenticators", n)
	}
	if _, ok := h.open(other.Token).Login(); !ok {
		t.Error("a refused enrolment ended other logins")
	}
	out, err := h.password("erin", password)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.verify(out.Token, h.codeOf(s, 0)); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("I-02: a code of the authenticator that was refused: %v", err)
	}
}

func TestI16EnrollingEndsEveryOtherLogin(t *testing.T) {
	h := build(t)
	h.SetVerdict("5", challenge.Verdict{NotNeeded: true})
	other, err := h.password("erin", password)
	if err != nil {
		t.Fatal(err)
	}
	h.SetVerdict("5", challenge.Verdict{Factors: []string{"totp"}})
	h.Clock.Advance(time.Second)
	waiting, err := h.password("erin", password)
	if err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(time.Minute)
	token, s := h.proven("erin", "erin@example.com")
	out, err := h.verify(token, h.codeOf(s, 0))
	if err != nil {
		t.Fatal(err)
	}
	if h.open(other.Token).Exists() {
		t.Error("I-16: a login from before a factor was enrolled is alive")
	}
	if _, err := h.verify(waiting.Token, "000000"); !errors.Is(err, challenge.ErrNoPending) {
		t.Errorf("I-16: a pending login from before: %v", err)
	}
	h.Clock.Advance(time.Minute)
	if _, err := h.logins.StepUp(context.Background(), challenge.Client{}, h.open(out.Token), challenge.CodeInput{Code: h.codeOf(s, 0)}); err != nil {
		t.Errorf("a step-up of the login that enrolled: %v", err)
	}
}

func TestI02OfParallelEnrolmentsOneWins(t *testing.T) {
	for range 20 {
		h := build(t)
		token, s := h.proven("erin", "erin@example.com")
		var wins atomic.Int32
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := h.verify(token, h.codeOf(s, 0)); err == nil {
					wins.Add(1)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 || len(h.logins.Confirmed("5", "totp")) != 1 {
			t.Fatalf("I-04: %d won, %d authenticators", wins.Load(), len(h.logins.Confirmed("5", "totp")))
		}
	}
}

// interrupted enrols erin, with a log-out everywhere before each store operation of the last step in turn, and says what was
// wrong.
func interrupted(t *testing.T, change func(*challenge.Logins)) (wrong string) {
	for at := 1; ; at++ {
		b := new(between)
		h := build(t, func(c *challenge.Config) { b.Store, c.Store = c.Store, b })
		change(h.logins)
		token, s := h.proven("erin", "erin@example.com")
		b.n, b.at, b.do = 0, at, func() {
			if err := h.logins.LogoutEverywhere(context.Background(), challenge.Client{}, "5"); err != nil {
				t.Fatal(err)
			}
		}
		out, err := h.verify(token, h.codeOf(s, 0))
		reached := b.n >= at
		b.do = nil
		confirmed := len(h.logins.Confirmed("5", "totp"))
		switch {
		case !reached && err != nil:
			return fmt.Sprintf("an enrolment without anybody in between: %v", err)
		case err != nil && confirmed != 0:
			return fmt.Sprintf("I-02: log out everywhere before operation %d refused the login and left its authenticator", at)
		case err == nil && confirmed != 1:
			return fmt.Sprintf("before operation %d: a login by an authenticator that is not enrolled", at)
		}
		if reached && err == nil {
			if _, ok := h.open(out.Token).Login(); ok {
				return fmt.Sprintf("I-16: before operation %d: the login is alive", at)
			}
		}
		if !reached {
			return ""
		}
	}
}

func TestI02ARevokedEnrolmentLeavesNothingBehind(t *testing.T) {
	if wrong := interrupted(t, func(*challenge.Logins) {}); wrong != "" {
		t.Error(wrong)
	}
	all := build(t).logins.Steps()
	for name, promotion := range map[string][]string{
		"confirm before bind": {"use up", "consume", "create", "confirm", "bind"},
		"never confirm":       {"use up", "consume", "create", "bind"},
	} {
		if wrong := interrupted(t, func(l *challenge.Logins) {
			steps := all
			steps.Promotion = promotion
			l.SetSteps(steps)
		}); wrong == "" {
			t.Errorf("%s: nobody noticed", name)
		} else {
			t.Logf("%s: %s", name, wrong)
		}
	}
}

func TestEnrollingShowsItsSecretOnlyToALivePendingLogin(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	token, _ := h.proven("erin", "erin@example.com")
	show := func() error {
		_, err := h.logins.Enrolling(ctx, challenge.Client{}, h.open(token))
		return err
	}
	h.Users.Fail(errors.New("table down"))
	if err := show(); !errors.Is(err, challenge.ErrUnavailable) {
		t.Errorf("I-20: %v", err)
	}
	h.Users.Fail(nil)
	h.Users.Change("5", func(a *challenge.Account) { a.Disabled = true })
	if err := show(); !errors.Is(err, challenge.ErrNoPending) {
		t.Errorf("disabled: %v", err)
	}
	h.Users.Change("5", func(a *challenge.Account) { a.Disabled = false })
	if err := show(); err != nil {
		t.Error(err)
	}
	if err := h.logins.LogoutEverywhere(ctx, challenge.Client{}, "5"); err != nil {
		t.Fatal(err)
	}
	if err := show(); !errors.Is(err, challenge.ErrNoPending) {
		t.Errorf("I-16: revoked: %v", err)
	}
	if _, err := h.logins.Enrolling(ctx, challenge.Client{}, &challenge.Session{}); !errors.Is(err, challenge.ErrNoPending) {
		t.Errorf("nobody: %v", err)
	}
}

func TestImportTOTP(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	for _, bad := range []string{"", "not base32!", "JBSWY3DP", "otpauth://hotp/x?secret=" + secret} {
		if err := h.logins.ImportTOTP(ctx, "3", bad, "phone"); err == nil {
			t.Errorf("%q was imported", bad)
		}
	}
	if err := h.logins.ImportTOTP(ctx, "no such id", secret, ""); !errors.Is(err, challenge.ErrUnknown) {
		t.Error(err)
	}
	var err error
	for i := range 40 {
		other := base32.StdEncoding.EncodeToString(bytes.Repeat([]byte{byte(i)}, 20))
		if err = h.logins.ImportTOTP(ctx, "3", other, fmt.Sprint("phone ", i)); err != nil {
			break
		}
	}
	if !errors.Is(err, challenge.ErrNotAllowed) || len(h.logins.Confirmed("3", "totp")) != 32 {
		t.Errorf("%d authenticators: %v", len(h.logins.Confirmed("3", "totp")), err)
	}
	none := build(t).again(func(c *challenge.Config) { c.Factors = []challenge.Factor{&challenge.Email{Sender: h.Outbox}} })
	if err := none.ImportTOTP(ctx, "3", secret, ""); !errors.Is(err, challenge.ErrMethod) {
		t.Error(err)
	}
	if _, err := none.MakeRecoveryCodes(ctx, challenge.Client{}, "3"); !errors.Is(err, challenge.ErrMethod) {
		t.Error(err)
	}
}

func TestAnImportCanBeRepeated(t *testing.T) {
	h := build(t)
	h.Users.Add(challenge.Account{ID: "9", Name: "ida"}, password)
	for range 3 {
		if err := h.logins.ImportTOTP(t.Context(), "9", secret, "phone"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(h.logins.Confirmed("9", "totp")); n != 1 {
		t.Errorf("%d authenticators", n)
	}
	if n := h.Audit.Count(audit.FactorImported); n != 1 {
		t.Errorf("I-21: %d in the audit", n)
	}
}

func TestI14NewRecoveryCodesReplaceTheOldOnes(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	old, err := h.logins.MakeRecoveryCodes(ctx, challenge.Client{}, "1")
	if err != nil {
		t.Fatal(err)
	}
	codes, err := h.logins.MakeRecoveryCodes(ctx, challenge.Client{}, "1")
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.password("alice", password)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.verify(out.Token, old[0]); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("I-14: a replaced code: %v", err)
	}
	if _, err := h.verify(out.Token, codes[0]); err != nil {
		t.Errorf("I-14: %v", err)
	}
	sec, err := h.logins.Security(ctx, challenge.Client{}, "1")
	if err != nil || sec.Logins != 1 || sec.Devices != 1 || !sec.Needed || !slices.Equal(sec.Methods, []string{"totp", "recovery"}) {
		t.Errorf("%+v %v", sec, err)
	}
	for _, f := range sec.Factors {
		if f.Factor == "recovery" && f.Left != 9 {
			t.Errorf("%d recovery codes are left", f.Left)
		}
	}
	if _, err := h.logins.MakeRecoveryCodes(ctx, challenge.Client{}, "no such id"); !errors.Is(err, challenge.ErrUnknown) {
		t.Error(err)
	}
}
