package challenge_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// acts are what an administrator can do to an account.
var acts = []struct {
	name  string
	do    func(l *challenge.Logins, id, actor string) error
	event audit.Name
}{
	{"block", func(l *challenge.Logins, id, actor string) error { return l.Block(ctx, id, actor) }, audit.AccountBlocked},
	{"unblock", func(l *challenge.Logins, id, actor string) error { return l.Unblock(ctx, id, actor) }, audit.AccountUnblocked},
	{"reset", func(l *challenge.Logins, id, actor string) error { return l.ResetFactors(ctx, id, actor) }, audit.FactorRemoved},
	{"forget devices", func(l *challenge.Logins, id, actor string) error { return l.ForgetDevices(ctx, id, actor) }, audit.DeviceForgotten},
	{"enrolment code", func(l *challenge.Logins, id, actor string) error {
		_, err := l.EnrolmentCode(ctx, id, actor)
		return err
	}, audit.RecoveryCodesMade},
	{"end logins", func(l *challenge.Logins, id, actor string) error {
		return l.AccountChanged(ctx, challenge.Client{}, id, "ended by an administrator", actor)
	}, audit.LogoutEverywhere},
}

func TestI21AnAdministratorsActsAreAuditedWithWhoDidThemAndMayBeRepeated(t *testing.T) {
	for _, c := range acts {
		h := build(t)
		token, _ := h.proven("erin", "erin@example.com")
		h.Audit.Take()
		var was string
		for n := range 2 {
			if err := c.do(h.logins, "5", "the administrator"); err != nil {
				t.Fatalf("%s, time %d: %v", c.name, n+1, err)
			}
			e := h.Audit.Events()
			if len(e) != 1 || e[0].Name != c.event || e[0].Actor != "the administrator" || e[0].User != "erin" || e[0].UserID != "5" || e[0].Outcome != audit.Success {
				t.Errorf("I-21: %s: %+v", c.name, e)
			}
			h.Audit.Take()
			state, err := h.logins.State(ctx, "5")
			if err != nil {
				t.Fatal(err)
			}
			if now := fmt.Sprint(state); n > 0 && now != was {
				t.Errorf("%s again: %s, was %s", c.name, now, was)
			} else {
				was = now
			}
		}
		ends := slices.Contains([]string{"block", "reset", "end logins"}, c.name)
		if _, err := h.logins.Enrolling(ctx, challenge.Client{}, h.open(token)); (err != nil) != ends {
			t.Errorf("%s: what had begun: %v", c.name, err)
		}
	}
}

func TestAnUnknownAccountIsSaidToBeUnknown(t *testing.T) {
	h := build(t)
	before, _ := h.store.Usage()
	for _, c := range acts {
		if c.name == "end logins" { // also called for an account that the app has just deleted
			continue
		}
		if err := c.do(h.logins, "nobody", "admin"); !errors.Is(err, challenge.ErrUnknown) {
			t.Errorf("%s: %v", c.name, err)
		}
		h.Users.Fail(errInjected)
		if err := c.do(h.logins, "3", "admin"); !errors.Is(err, challenge.ErrUnavailable) {
			t.Errorf("I-20: %s: %v", c.name, err)
		}
		h.Users.Fail(nil)
	}
	if _, err := h.logins.State(ctx, "nobody"); !errors.Is(err, challenge.ErrUnknown) {
		t.Error(err)
	}
	if s, err := h.logins.State(ctx, "3"); err != nil || s.Blocked || s.Logins != 0 {
		t.Errorf("somebody who has never logged in: %+v, %v", s, err)
	}
	if n, _ := h.store.Usage(); n != before || len(h.Audit.Take()) != 0 {
		t.Errorf("%d records were written", n-before)
	}
	// Who has left the table can still be looked after.
	token := h.loginCarol()
	h.Users.Remove("3")
	if err := h.logins.Block(ctx, "3", "admin"); err != nil || h.open(token).Exists() {
		t.Errorf("an account that is gone: %v", err)
	}
	if err := h.logins.ResetFactors(ctx, "3", "admin"); err != nil {
		t.Error(err)
	}
}

func TestBlockAndUnblock(t *testing.T) {
	o := owned(t)
	token := o.byTablet()
	pending := o.on("alice", challenge.Client{}).Token
	for range 3 {
		_, _ = o.password("alice", "wrong")
	}
	state := func() challenge.AccountState {
		t.Helper()
		s, err := o.logins.State(ctx, "1")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := state(); s.Blocked || !s.PasswordBlocked.Equal(o.Clock.Now().Add(5*time.Minute)) || !s.CodeBlocked.IsZero() || s.Logins != 1 || s.Devices != 1 {
		t.Errorf("%+v", s)
	}
	if err := o.logins.Block(ctx, "1", "admin"); err != nil {
		t.Fatal(err)
	}
	if s := state(); !s.Blocked || s.Logins != 0 {
		t.Errorf("%+v", s)
	}
	if o.open(token).Exists() {
		t.Error("a login is alive")
	}
	if _, err := o.verify(pending, o.codeOf(secret, 0)); !errors.Is(err, challenge.ErrNoPending) {
		t.Errorf("I-04: %v", err)
	}
	o.Clock.Advance(5 * time.Minute)
	if _, err := o.password("alice", password); !errors.Is(err, challenge.ErrRefused) {
		t.Errorf("I-10: a right password: %v", err)
	}
	if _, err := o.logins.Enter(ctx, challenge.Client{}, &challenge.Session{}, challenge.Cookie, "1", challenge.FirstFactor{Method: "oidc"}); !errors.Is(err, challenge.ErrRefused) {
		t.Errorf("another way in: %v", err)
	}
	if err := o.logins.Unblock(ctx, "1", "admin"); err != nil {
		t.Fatal(err)
	}
	o.byTablet()
}

func TestAResetTakesEverythingAndTheNextLoginEnrols(t *testing.T) {
	o := owned(t)
	o.Clock.Advance(time.Minute)
	trusted, err := o.logins.Verify(ctx, challenge.Client{}, o.open(o.on("alice", challenge.Client{}).Token), challenge.CodeInput{Code: o.codeOf(secret, 0), Trust: true})
	if err != nil {
		t.Fatal(err)
	}
	pending := o.on("alice", challenge.Client{}).Token
	token := o.byTablet()
	if err := o.logins.Prefer(ctx, challenge.Client{}, o.open(token), "email"); err != nil {
		t.Fatal(err)
	}
	o.SetVerdict("1", challenge.Verdict{Factors: []string{"totp", "recovery"}})
	if err := o.logins.ResetFactors(ctx, "1", "admin"); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{token, trusted.Token} {
		if o.open(v).Exists() {
			t.Error("I-16: a login is alive")
		}
	}
	if _, err := o.verify(pending, o.codeOf(secret, 0)); err == nil {
		t.Error("I-16: a pending login became one")
	}
	s, err := o.logins.State(ctx, "1")
	if err != nil || len(s.Factors) != 0 || s.Devices != 0 || s.Logins != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	o.Clock.Advance(time.Minute)
	out := o.on("alice", challenge.Client{Trusted: trusted.Trusted, Device: trusted.Device})
	p, ok := out.Session.Pending()
	if !ok || p.Stage != challenge.StageProof {
		t.Fatal("the next login does not enrol")
	}
	for _, code := range []string{o.codeOf(secret, 0), o.codeOf(tablet, 0), o.codes[0]} {
		if _, err := o.verify(out.Token, code); err == nil {
			t.Error("a code of what was taken away")
		}
	}
	if err := o.logins.Unblock(ctx, "1", "admin"); err != nil {
		t.Fatal(err)
	}
	o.Clock.Advance(time.Minute)
	fresh, new := o.proven("alice", "alice@example.com")
	if _, err := o.verify(fresh, o.codeOf(new, 0)); err != nil {
		t.Error(err)
	}
}

// coded is a house in which somebody without an address has a code of an administrator's.
func coded(t *testing.T, change ...func(*challenge.Config)) (h *house, code string) {
	h = build(t, change...)
	h.Users.Add(challenge.Account{ID: "20", Name: "nowhere"}, password)
	h.Users.Add(challenge.Account{ID: "21", Name: "elsewhere"}, password)
	code, err := h.logins.EnrolmentCode(ctx, "20", "admin")
	if err != nil {
		t.Fatal(err)
	}
	return h, code
}

func (h *house) pending(name string) string {
	h.t.Helper()
	out, err := h.password(name, password)
	if err != nil {
		h.t.Fatal(err)
	}
	return out.Token
}

func TestAnAdministratorsCodeEnrolsOnce_I02(t *testing.T) {
	h, code := coded(t)
	first, second := h.pending("nowhere"), h.pending("nowhere")
	if p, _ := h.open(first).Pending(); p.Stage != challenge.StageProof || !slices.Equal(p.Methods, []string{"enrolment-code"}) {
		t.Fatalf("%c %v", p.Stage, p.Methods)
	}
	if _, err := h.password("nowhere", "wrong"); !errors.Is(err, challenge.ErrRefused) {
		t.Errorf("without the password: %v", err)
	}
	h.Audit.Take()
	out, err := h.verify(first, strings.ToLower(strings.ReplaceAll(code, "-", " ")))
	if err != nil {
		t.Fatal(err)
	}
	if e := h.Audit.Events(); len(e) != 1 || e[0].Name != audit.CodeValidated || e[0].Method != "enrolment-code" || e[0].Reason != "by an administrator's code" {
		t.Errorf("I-21: %+v", e)
	}
	if _, ok := h.open(out.Token).Login(); ok {
		t.Error("I-02: the code made a login")
	}
	if _, err := h.verify(second, code); err == nil {
		t.Error("it was used twice")
	}
	s := h.secretOf(out.Token)
	if out, err = h.verify(out.Token, h.codeOf(s, 0)); err != nil || len(out.RecoveryCodes) != 10 {
		t.Fatal(err)
	}
	if _, err := h.logins.EnrolmentCode(ctx, "20", "admin"); !errors.Is(err, challenge.ErrNotAllowed) {
		t.Errorf("beside a factor: %v", err)
	}
	h.Clock.Advance(time.Minute)
	if p, _ := h.open(h.pending("nowhere")).Pending(); slices.Contains(p.Methods, "enrolment-code") {
		t.Error("it can be used instead of the factor")
	}
}

func TestAnAdministratorsCodeIsForOneAccountAndOneDay(t *testing.T) {
	h, code := coded(t)
	if _, err := h.logins.EnrolmentCode(ctx, "21", "admin"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.verify(h.pending("elsewhere"), code); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("somebody else's: %v", err)
	}
	again, err := h.logins.EnrolmentCode(ctx, "20", "admin")
	if err != nil || again == code {
		t.Fatal(err)
	}
	if _, err := h.verify(h.pending("nowhere"), code); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("the one that was replaced: %v", err)
	}
	h.Clock.Advance(24*time.Hour - time.Minute)
	token := h.pending("nowhere")
	h.Clock.Advance(time.Minute)
	if _, err := h.verify(token, again); !errors.Is(err, challenge.ErrMethod) {
		t.Errorf("a day old, in a login that began before: %v", err)
	}
	if _, err := h.password("nowhere", password); !errors.Is(err, challenge.ErrNotAllowed) {
		t.Errorf("a day old: %v", err)
	}
}

func TestAnAdministratorsCodeSharesTheGuesses_I08(t *testing.T) {
	h, code := coded(t)
	token := h.pending("nowhere")
	for range 3 {
		if _, err := h.verify(token, "AAAA-BBBB-CCCC-DDDD"); !errors.Is(err, challenge.ErrWrongCode) {
			t.Fatal(err)
		}
	}
	if _, err := h.verify(token, code); !errors.As(err, new(*challenge.BlockedError)) {
		t.Errorf("I-08: %v", err)
	}
	if _, err := h.password("nowhere", password); !errors.As(err, new(*challenge.BlockedError)) {
		t.Errorf("I-09: %v", err)
	}
	h.Clock.Advance(5 * time.Minute)
	if _, err := h.verify(h.pending("nowhere"), code); err != nil {
		t.Errorf("after the block: %v", err)
	}
}

// At every place of the one login the other has used the code: one of them enrols.
func TestOfTwoWithOneAdministratorsCodeOneEnrols(t *testing.T) {
	for at := 1; ; at++ {
		store := new(hooked)
		h, code := coded(t, func(c *challenge.Config) { store.Store, c.Store = c.Store, store })
		first, second := h.pending("nowhere"), h.pending("nowhere")
		other := errors.New("not tried")
		var token string
		store.hook = func(n int) {
			if n == at {
				var out challenge.Outcome
				out, other = h.verify(second, code)
				token = out.Token
			}
		}
		out, err := h.verify(first, code)
		reached := store.n >= at
		store.hook = nil
		if !reached {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if (err == nil) == (other == nil) {
			t.Errorf("before operation %d: %v, and the other: %v", at, err, other)
		}
		if err == nil {
			token = out.Token
		}
		if _, err := h.verify(token, h.codeOf(h.secretOf(token), 0)); err != nil {
			t.Errorf("before operation %d: the one that was first: %v", at, err)
		}
	}
}

func TestTheStateOfAnAccountHoldsNoSecretAndLookingChangesNothing(t *testing.T) {
	o := owned(t)
	token := mustToken(changes[1].do(o, o.byTablet()))
	was, err := o.store.Load(ctx, challenge.AccountKey("1"))
	if err != nil {
		t.Fatal(err)
	}
	list := o.enrolments()
	s, err := o.logins.State(ctx, "1")
	if err != nil || len(s.Factors) != 4 || s.Logins != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	js, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("%+v", s), fmt.Sprintf("%#v", s), string(js)} {
		for _, v := range append([]string{secret, tablet, "alice@work.example", token, password}, o.codes...) {
			if strings.Contains(text, v) {
				t.Errorf("it holds a secret: %s", text)
			}
		}
	}
	now, err := o.store.Load(ctx, challenge.AccountKey("1"))
	if err != nil || string(now) != string(was) || o.enrolments() != list {
		t.Error("looking has changed something")
	}
}
