package challenge_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
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

// totp is alice's code as her phone shows it (RFC 6238), some steps away from now.
func (h *house) totp(steps int64) string { return totpOf(secret, h.Clock.Now().Unix()/30+steps) }

func totpOf(secret string, step int64) string {
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		panic(err)
	}
	m := hmac.New(sha1.New, key)
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	sum := m.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%1_000_000)
}

func (h *house) verify(token, code string) (challenge.Outcome, error) {
	h.t.Helper()
	return h.logins.Verify(context.Background(), challenge.Client{}, h.open(token), challenge.CodeInput{Code: code})
}

// loginCarol logs carol in and gives her token.
func (h *house) loginCarol() string {
	h.t.Helper()
	out, err := h.password("carol", password)
	if err == nil {
		out, err = h.verify(out.Token, h.Outbox.Code("carol@example.com"))
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return out.Token
}

// counting is a second factor that everybody has and that counts what it compares. Its right code can be used again.
type counting struct {
	compared atomic.Int32
	verify   func(code string) error // nil: right is right
}

func (f *counting) factor() *challenge.CustomCheck {
	c := checkFactor()
	right := c.Validate
	c.Validate = func(ctx context.Context, a challenge.CustomAttempt, answer string) (challenge.CustomVerdict, error) {
		f.compared.Add(1)
		if f.verify != nil {
			if err := f.verify(answer); err != nil {
				return challenge.CustomVerdict{}, err
			}
		}
		return right(ctx, a, answer)
	}
	return c
}

// counted is a house in which carol's factor counts.
func counted(t *testing.T, change ...func(*challenge.Config)) (*house, *counting) {
	t.Helper()
	f := new(counting)
	h := build(t, append([]func(*challenge.Config){func(c *challenge.Config) { c.Factors = append(c.Factors, f.factor()) }}, change...)...)
	h.SetVerdict("3", challenge.Verdict{Factors: []string{"check", "recovery"}})
	return h, f
}

func TestI07OfTwoHundredParallelWrongCodesThreeAreCompared(t *testing.T) {
	for _, sessions := range []int{1, 4} {
		t.Run(fmt.Sprint(sessions, " pending logins"), func(t *testing.T) {
			h, f := counted(t)
			other := h.again(func(c *challenge.Config) { c.Factors = append(c.Factors, f.factor()) })
			machines := []*challenge.Logins{h.logins, other}
			var pending []string
			for range sessions {
				out, err := h.password("carol", password)
				if err != nil {
					t.Fatal(err)
				}
				pending = append(pending, out.Token)
			}
			var wg sync.WaitGroup
			for i := range 200 {
				wg.Go(func() {
					l := machines[i%2]
					s, err := l.Open(context.Background(), challenge.Cookie, pending[i%sessions])
					if err != nil {
						t.Error(err)
						return
					}
					_, err = l.Verify(context.Background(), challenge.Client{}, s, challenge.CodeInput{Code: fmt.Sprint("wrong-", i)})
					if err == nil || errors.Is(err, challenge.ErrUnavailable) {
						t.Errorf("%v", err)
					}
				})
			}
			wg.Wait()
			if n := f.compared.Load(); n != 3 {
				t.Errorf("I-07: %d of 200 wrong codes were compared", n)
			}
			if n := h.Audit.Count(audit.InvalidCode); n != 3 {
				t.Errorf("I-21: %d events of wrong codes", n)
			}
			if n := h.Audit.Count(audit.InvalidCode) + h.Audit.Count(audit.CodeGuessesSpent) + h.Audit.Count(audit.CredentialRefused); n != 201 {
				t.Errorf("I-21: %d events of 200 refusals and one block", n)
			}
		})
	}
}

func TestI07WrongRecoveryCodesAndCodesShareTheBudget(t *testing.T) {
	h, f := counted(t)
	if _, err := h.logins.MakeRecoveryCodes(context.Background(), challenge.Client{}, "3"); err != nil {
		t.Fatal(err)
	}
	out, err := h.password("carol", password)
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"AAAA-BBBB-CCCC-DDDD", "wrong-code", "AAAA-BBBB-CCCC-EEEE"} {
		if _, err := h.verify(out.Token, code); !errors.Is(err, challenge.ErrWrongCode) {
			t.Fatalf("%s: %v", code, err)
		}
	}
	if _, err := h.verify(out.Token, rightCode); !errors.As(err, new(*challenge.BlockedError)) || f.compared.Load() != 1 {
		t.Errorf("I-08: after three wrong answers of two kinds: %v, %d compared", err, f.compared.Load())
	}
}

func TestI08NothingGivesNewCodeGuesses(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name  string
		again func(h *house, token string) (string, error) // what is done after two wrong codes; gives the token to go on with
	}{
		{"nothing", func(h *house, token string) (string, error) { return token, nil }},
		{"a new login in the same browser", func(h *house, token string) (string, error) {
			out, err := h.logins.Password(ctx, challenge.Client{}, h.open(token), challenge.PasswordInput{Slot: challenge.Cookie, Name: "carol", Password: []byte(password)})
			return out.Token, err
		}},
		{"a right password in another browser", func(h *house, _ string) (string, error) {
			out, err := h.password("carol", password)
			return out.Token, err
		}},
		{"a native client", func(h *house, _ string) (string, error) {
			return "bearer", nil
		}},
		{"a resend", func(h *house, token string) (string, error) {
			_, err := h.logins.Resend(ctx, challenge.Client{}, h.open(token), "", "")
			return token, err
		}},
		{"another method", func(h *house, token string) (string, error) {
			_, err := h.logins.Resend(ctx, challenge.Client{}, h.open(token), "", "recovery")
			return token, err
		}},
		{"cancel and begin anew", func(h *house, token string) (string, error) {
			if err := h.logins.Cancel(ctx, challenge.Client{}, h.open(token), ""); err != nil {
				return "", err
			}
			out, err := h.password("carol", password)
			return out.Token, err
		}},
		{"another way in", func(h *house, token string) (string, error) {
			out, err := h.logins.Enter(ctx, challenge.Client{}, &challenge.Session{}, challenge.Cookie, "3", challenge.FirstFactor{Method: "oidc"})
			return out.Token, err
		}},
		{"four quiet minutes", func(h *house, token string) (string, error) { h.Clock.Advance(4 * time.Minute); return token, nil }},
		{"a wrong password in between", func(h *house, token string) (string, error) { _, _ = h.password("carol", "wrong"); return token, nil }},
		{"an answer that cannot be a code", func(h *house, token string) (string, error) { _, _ = h.verify(token, ""); return token, nil }},
		{"a log-out everywhere", func(h *house, _ string) (string, error) {
			if err := h.logins.LogoutEverywhere(ctx, challenge.Client{}, "3"); err != nil {
				return "", err
			}
			out, err := h.password("carol", password)
			return out.Token, err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, f := counted(t)
			if _, err := h.logins.MakeRecoveryCodes(ctx, challenge.Client{}, "3"); err != nil {
				t.Fatal(err)
			}
			out, err := h.password("carol", password)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := h.verify(out.Token, "wrong-code"); !errors.Is(err, challenge.ErrWrongCode) {
					t.Fatal(err)
				}
			}
			token, err := c.again(h, out.Token)
			if err != nil {
				t.Fatal(err)
			}
			show := func(code string) error {
				in := challenge.CodeInput{Method: "check", Code: code}
				if token == "bearer" {
					_, err := h.logins.Password(ctx, challenge.Client{}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Bearer, Name: "carol", Password: []byte(password), Code: &code})
					return err
				}
				_, err := h.logins.Verify(ctx, challenge.Client{}, h.open(token), in)
				return err
			}
			if err := show("wrong-code"); !errors.Is(err, challenge.ErrWrongCode) {
				t.Fatalf("the third guess: %v", err)
			}
			if err := show(rightCode); err == nil || !errors.As(err, new(*challenge.BlockedError)) {
				t.Errorf("I-08: a fourth guess: %v", err)
			}
			if n := f.compared.Load(); n != 3 {
				t.Errorf("I-08: %d guesses were compared", n)
			}
		})
	}
}

// codeSurfaces are the ways to show alice's TOTP code. A step-up needs a login, which spends a code of its own.
var codeSurfaces = []struct {
	name string
	show func(h *house, login, code string) error
}{
	{"code page", func(h *house, _, code string) error {
		out, err := h.password("alice", password)
		if err != nil {
			return err
		}
		_, err = h.verify(out.Token, code)
		return err
	}},
	{"single shot", func(h *house, _, code string) error {
		_, err := h.logins.Password(context.Background(), challenge.Client{}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Bearer, Name: "alice", Password: []byte(password), Code: &code})
		return err
	}},
	{"Basic with a code", func(h *house, _, code string) error {
		_, err := h.logins.Basic(context.Background(), challenge.Client{}, challenge.BasicInput{Name: "alice", Password: []byte(password), Code: &code})
		return err
	}},
	{"step-up", func(h *house, login, code string) error {
		s, err := h.logins.Open(context.Background(), challenge.Bearer, login)
		if err != nil {
			return err
		}
		_, err = h.logins.StepUp(context.Background(), challenge.Client{}, s, challenge.CodeInput{Code: code})
		return err
	}},
}

// bearerAlice logs alice in without a device, so that all her surfaces spend strangers' guesses.
func (h *house) bearerAlice() string {
	h.t.Helper()
	out, err := h.logins.Enter(context.Background(), challenge.Client{}, &challenge.Session{}, challenge.Bearer, "1", challenge.FirstFactor{Method: "oidc"})
	if err != nil {
		h.t.Fatal(err)
	}
	s, err := h.logins.Open(context.Background(), challenge.Bearer, out.Token)
	if err != nil {
		h.t.Fatal(err)
	}
	if out, err = h.logins.Verify(context.Background(), challenge.Client{}, s, challenge.CodeInput{Code: h.totp(0)}); err != nil {
		h.t.Fatal(err)
	}
	return out.Token
}

func TestI08OneCodeBudgetOverAllSurfaces(t *testing.T) {
	for _, a := range codeSurfaces {
		for _, b := range codeSurfaces {
			h := build(t)
			login := h.bearerAlice()
			h.Clock.Advance(time.Minute)
			for range 3 {
				if err := a.show(h, login, "000000"); !errors.Is(err, challenge.ErrWrongCode) {
					t.Fatalf("%s: %v", a.name, err)
				}
			}
			if err := b.show(h, login, h.totp(0)); !errors.As(err, new(*challenge.BlockedError)) {
				t.Errorf("I-08: after three wrong codes at %q a right one at %q: %v", a.name, b.name, err)
			}
			if r := h.record("1"); r.CodeWrong != 3 || r.CodeSpent != 3 {
				t.Errorf("%q, %q: %d spent, %d wrong", a.name, b.name, r.CodeSpent, r.CodeWrong)
			}
		}
	}
}

func TestI12ACodeUsedOnOneSurfaceIsUsedOnEvery(t *testing.T) {
	for _, a := range codeSurfaces {
		for _, b := range codeSurfaces {
			h := build(t)
			login := h.bearerAlice()
			if err := b.show(h, login, h.totp(0)); !errors.Is(err, challenge.ErrReplayed) {
				t.Errorf("I-12: the login's own code again at %q: %v", b.name, err)
			}
			h.Clock.Advance(30 * time.Second)
			if a.name == "step-up" && b.name == "step-up" { // the first one moves the login to a new token
				continue
			}
			first, second := a, b
			if a.name == "step-up" { // it moves the login: let it come second, the other way round is covered there
				first, second = b, a
			}
			if err := first.show(h, login, h.totp(0)); err != nil {
				t.Fatalf("%s: %v", first.name, err)
			}
			spent := h.record("1").CodeSpent
			if err := second.show(h, login, h.totp(0)); !errors.Is(err, challenge.ErrReplayed) {
				t.Errorf("I-12: a code used at %q and again at %q: %v", first.name, second.name, err)
			}
			if err := second.show(h, login, h.totp(-1)); !errors.Is(err, challenge.ErrReplayed) {
				t.Errorf("I-12: an earlier code than the one used at %q, at %q: %v", first.name, second.name, err)
			}
			if r := h.record("1"); r.CodeSpent != spent+2 || r.CodeWrong != r.CodeSpent {
				t.Errorf("I-12: a replay costs a guess: %+v", r)
			}
			if n := h.Audit.Count(audit.ReplayedCode); n != 3 {
				t.Errorf("I-21: %d events of 3 replays", n)
			}
			h.Clock.Advance(30 * time.Second)
			if err := second.show(h, login, h.totp(0)); err != nil {
				t.Errorf("I-12: the next code at %q: %v", second.name, err)
			}
		}
	}
}

func TestI12AStepUpsCodeIsUsedForTheCodePage(t *testing.T) {
	h := build(t)
	out, err := h.password("alice", password)
	if err == nil {
		out, err = h.verify(out.Token, h.totp(0))
	}
	if err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(time.Minute)
	if _, err := h.logins.StepUp(context.Background(), challenge.Client{}, h.open(out.Token), challenge.CodeInput{Code: h.totp(0)}); err != nil {
		t.Fatal(err)
	}
	for _, s := range codeSurfaces[:3] {
		if err := s.show(h, "", h.totp(0)); !errors.Is(err, challenge.ErrReplayed) {
			t.Errorf("I-12: a step-up's code at %q: %v", s.name, err)
		}
	}
}

func TestI09ABlockedCodeBudget(t *testing.T) {
	h, f := counted(t)
	ctx := context.Background()
	older, err := h.password("carol", password)
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.password("carol", password)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := h.verify(out.Token, "wrong-code"); !errors.Is(err, challenge.ErrWrongCode) {
			t.Fatal(err)
		}
	}
	began := h.Clock.Now()
	records, _ := h.store.Usage()
	h.SetVerdict("3", challenge.Verdict{Factors: []string{"email", "check"}})
	for i := range 9 {
		h.Clock.Advance(30 * time.Second)
		var blocked *challenge.BlockedError
		for _, code := range []string{rightCode, "wrong-code"} {
			_, err := h.logins.Verify(ctx, challenge.Client{}, h.open(out.Token), challenge.CodeInput{Method: "check", Code: code})
			if !errors.As(err, &blocked) || blocked.Password || !blocked.Until.Equal(began.Add(5*time.Minute)) || blocked.RetryAfter != blocked.Until.Sub(h.Clock.Now()) {
				t.Fatalf("I-09: inside the block: %v", err)
			}
		}
		if _, err := h.password("carol", password); !errors.As(err, &blocked) || blocked.Password || !blocked.Until.Equal(began.Add(5*time.Minute)) {
			t.Fatalf("I-09: a right password inside the code block: %v", err)
		}
		if i < 2 {
			if _, err := h.password("carol", "wrong"); err != challenge.ErrRefused {
				t.Fatalf("I-10: a wrong password inside the code block says nothing of it: %v", err)
			}
		}
		if _, err := h.logins.Resend(ctx, challenge.Client{}, h.open(out.Token), "", "check"); !errors.As(err, &blocked) {
			t.Fatalf("I-15: a resend inside the code block: %v", err)
		}
	}
	if now, _ := h.store.Usage(); now != records {
		t.Errorf("I-09: %d records were made inside the block", now-records)
	}
	if n := len(h.Outbox.Messages()); n != 0 {
		t.Errorf("I-09: %d messages were sent inside the block", n)
	}
	if n := f.compared.Load(); n != 3 {
		t.Errorf("I-09: %d codes were compared", n)
	}
	h.Clock.Advance(30 * time.Second)
	for _, token := range []string{older.Token, out.Token} {
		if _, err := h.logins.Verify(ctx, challenge.Client{}, h.open(token), challenge.CodeInput{Method: "check", Code: rightCode}); !errors.Is(err, challenge.ErrNoPending) {
			t.Errorf("I-09: a pending login older than the block, after it: %v", err)
		}
	}
	h.SetVerdict("3", challenge.Verdict{Factors: []string{"check"}})
	if out, err = h.password("carol", password); err != nil {
		t.Fatal(err)
	}
	h.Audit.Take()
	if _, err := h.verify(out.Token, rightCode); err != nil {
		t.Errorf("I-09: after the block: %v", err)
	}
	if got := h.Audit.Take(); !slices.Equal(got, []audit.Name{audit.GuessesReleased, audit.CodeValidated, audit.LoginWithMFA}) {
		t.Errorf("I-21: %v", got)
	}
}

func TestI09AfterAHundredWrongAnswersInARowAFactorIsDisabled(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	wrong := 0
	var out challenge.Outcome
	for wrong < 100 {
		var err error
		if out, err = h.password("alice", password); err != nil {
			t.Fatalf("after %d wrong answers: %v", wrong, err)
		}
		for range 3 {
			if _, err := h.verify(out.Token, "000000"); errors.Is(err, challenge.ErrWrongCode) {
				wrong++
			} else if wrong < 100 {
				t.Fatalf("after %d wrong answers: %v", wrong, err)
			}
		}
		h.Clock.Advance(5 * time.Minute)
	}
	if wrong != 100 {
		t.Errorf("I-09: %d answers were compared", wrong)
	}
	if n := h.Audit.Count(audit.FactorDisabled); n != 1 {
		t.Errorf("I-21: %d events", n)
	}
	if _, err := h.password("alice", password); !errors.Is(err, challenge.ErrNotAllowed) {
		t.Errorf("I-09: with nothing but a disabled factor: %v", err)
	}
	sec, err := h.logins.Security(ctx, challenge.Client{}, "1")
	if err != nil || len(sec.Factors) != 1 || !sec.Factors[0].Disabled || len(sec.Methods) != 0 {
		t.Errorf("%+v %v", sec, err)
	}
	// The password budget only ever blocks for a time, whatever happens.
	for range 200 {
		_, _ = h.password("carol", "wrong")
		h.Clock.Advance(2 * time.Minute)
	}
	h.Clock.Advance(5 * time.Minute)
	if _, err := h.password("carol", password); err != nil {
		t.Errorf("I-09: passwords after 200 wrong ones and a wait: %v", err)
	}
	if err := h.logins.Unblock(ctx, "1", "admin"); err != nil {
		t.Fatal(err)
	}
	if out, err = h.password("alice", password); err != nil {
		t.Fatal(err)
	}
	if _, err := h.verify(out.Token, h.totp(0)); err != nil {
		t.Errorf("I-09: an administrator enabled it: %v", err)
	}
}

func TestI09ADisabledFactorFromUsersSendsNothing(t *testing.T) {
	h := build(t, func(c *challenge.Config) { c.CodeGuesses = 100 })
	out, err := h.password("carol", password)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := h.verify(out.Token, "000000"); !errors.Is(err, challenge.ErrWrongCode) {
			t.Fatal(err)
		}
	}
	h.Clock.Advance(time.Hour)
	sent := len(h.Outbox.Messages())
	if _, err := h.password("carol", password); err == nil {
		t.Error("I-09: a factor with 100 wrong answers is in use")
	}
	if len(h.Outbox.Messages()) != sent {
		t.Error("I-09: a code was sent by a disabled factor")
	}
}

func TestI13ASentCodeBelongsToOnePendingLogin(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	first, err := h.password("carol", password)
	if err != nil {
		t.Fatal(err)
	}
	code := h.Outbox.Code("carol@example.com")
	// Elsewhere, inside the cooldown: no code exists, and an answer costs nothing.
	second, err := h.password("carol", password)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Outbox.Messages()) != 1 {
		t.Error("I-15: a second code inside the cooldown")
	}
	if p, _ := h.open(second.Token).Pending(); !p.Prompt.SentAt.IsZero() || !p.Prompt.ResendAt.Equal(h.Clock.Now().Add(30*time.Second)) {
		t.Errorf("I-13: the other browser's prompt: %+v", p.Prompt.ResendAt)
	}
	if _, err := h.verify(second.Token, code); !errors.Is(err, challenge.ErrNoCode) || h.record("3").CodeSpent != 0 {
		t.Errorf("I-13: another login's code where none was sent: %v, %d spent", err, h.record("3").CodeSpent)
	}
	h.Clock.Advance(30 * time.Second)
	if _, err := h.logins.Resend(ctx, challenge.Client{}, h.open(second.Token), "", ""); err != nil {
		t.Fatal(err)
	}
	other := h.Outbox.Code("carol@example.com")
	if _, err := h.verify(first.Token, other); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("I-13: another login's code: %v", err)
	}
	if _, err := h.verify(second.Token, code); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("I-13: another login's code: %v", err)
	}
	if _, err := h.verify(first.Token, code); err != nil {
		t.Errorf("I-13: its own: %v", err)
	}
}

func TestI13ARightPasswordAgainInTheSameBrowserCarriesTheCodeOver(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	again := func(token string) (challenge.Outcome, error) {
		return h.logins.Password(ctx, challenge.Client{}, h.open(token), challenge.PasswordInput{Slot: challenge.Cookie, Name: "carol", Password: []byte(password)})
	}
	out, err := h.password("carol", password)
	if err != nil {
		t.Fatal(err)
	}
	code, old := h.Outbox.Code("carol@example.com"), out.Token
	h.Clock.Advance(29 * time.Second)
	if out, err = again(old); err != nil {
		t.Fatal(err)
	}
	p, _ := h.open(out.Token).Pending()
	if len(h.Outbox.Messages()) != 1 || p.Prompt.SentAt.IsZero() || !p.Prompt.Expires.Equal(h.Clock.Now().Add(10*time.Minute-29*time.Second)) {
		t.Errorf("I-13: carried over: %d messages, the code ends %v", len(h.Outbox.Messages()), p.Prompt.Expires)
	}
	if h.open(old).Exists() {
		t.Error("I-03: the earlier pending login lives on")
	}
	h.Clock.Advance(time.Second)
	if out, err = again(out.Token); err != nil || len(h.Outbox.Messages()) != 2 {
		t.Fatalf("after the cooldown: %v, %d messages", err, len(h.Outbox.Messages()))
	}
	if _, err := h.verify(out.Token, code); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("I-13: a code that was replaced: %v", err)
	}
	if _, err := h.verify(out.Token, h.Outbox.Code("carol@example.com")); err != nil {
		t.Error(err)
	}

	// Another account's code is never carried over.
	out, err = h.password("sam", password)
	if err != nil {
		t.Fatal(err)
	}
	if out, err = again(out.Token); err != nil {
		t.Fatal(err)
	}
	if _, err := h.verify(out.Token, h.Outbox.Code("+31600000001")); err == nil {
		t.Error("I-13: another account's code")
	}
	// Nor is one from before a log-out everywhere.
	h.Clock.Advance(time.Minute)
	if out, err = h.password("carol", password); err != nil {
		t.Fatal(err)
	}
	code = h.Outbox.Code("carol@example.com")
	if err := h.logins.LogoutEverywhere(ctx, challenge.Client{}, "3"); err != nil {
		t.Fatal(err)
	}
	if out, err = again(out.Token); err != nil {
		t.Fatal(err)
	}
	if _, err := h.verify(out.Token, code); !errors.Is(err, challenge.ErrNoCode) {
		t.Errorf("I-16: a code from before a log-out everywhere was carried over: %v", err)
	}
}

func TestI13AResendReplacesTheCode(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	out, err := h.password("sam", password)
	if err != nil {
		t.Fatal(err)
	}
	sms := h.Outbox.Code("+31600000001")
	h.Clock.Advance(30 * time.Second)
	if _, err := h.logins.Resend(ctx, challenge.Client{}, h.open(out.Token), "", "email"); err != nil {
		t.Fatal(err)
	}
	mail := h.Outbox.Code("sam@example.com")
	if _, err := h.logins.Verify(ctx, challenge.Client{}, h.open(out.Token), challenge.CodeInput{Method: "sms", Code: sms}); !errors.Is(err, challenge.ErrNoCode) {
		t.Errorf("I-13: the code of the method before: %v", err)
	}
	if _, err := h.verify(out.Token, sms); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("I-13: the code of the method before, as this one's: %v", err)
	}
	if _, err := h.verify(out.Token, mail); err != nil {
		t.Error(err)
	}
}

func TestI13ASentCodeEnds(t *testing.T) {
	h := build(t, func(c *challenge.Config) { c.CodeTTL = 2 * time.Minute })
	out, err := h.password("carol", password)
	if err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(2 * time.Minute)
	if _, err := h.verify(out.Token, h.Outbox.Code("carol@example.com")); !errors.Is(err, challenge.ErrCodeExpired) || h.record("3").CodeSpent != 0 {
		t.Errorf("I-13: %v, %d guesses spent", err, h.record("3").CodeSpent)
	}
	if _, err := h.logins.Resend(context.Background(), challenge.Client{}, h.open(out.Token), "", ""); err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(2*time.Minute - 1)
	if _, err := h.verify(out.Token, h.Outbox.Code("carol@example.com")); err != nil {
		t.Errorf("I-13: in its last nanosecond: %v", err)
	}
}

func TestI13ACodeForOnePurposeIsWorthlessForAnother(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	token := h.loginCarol()
	h.Clock.Advance(time.Minute)
	if _, err := h.logins.BeginStepUp(ctx, challenge.Client{}, h.open(token), "", false); err != nil {
		t.Fatal(err)
	}
	stepUp := h.Outbox.Code("carol@example.com")
	h.Clock.Advance(time.Minute)
	out, err := h.password("carol", password)
	if err != nil {
		t.Fatal(err)
	}
	login := h.Outbox.Code("carol@example.com")
	if _, err := h.verify(out.Token, stepUp); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("I-13: a step-up's code at login: %v", err)
	}
	if _, err := h.logins.StepUp(ctx, challenge.Client{}, h.open(token), challenge.CodeInput{Code: login}); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("I-13: a login's code in a step-up: %v", err)
	}
	if _, err := h.logins.StepUp(ctx, challenge.Client{}, h.open(token), challenge.CodeInput{Code: stepUp}); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeAnAnswerCostsNothing(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	out, err := h.password("carol", password)
	if err != nil {
		t.Fatal(err)
	}
	right := h.Outbox.Code("carol@example.com")
	p, _ := h.open(out.Token).Pending()
	login := h.loginDave()
	for _, c := range []struct {
		name  string
		s     *challenge.Session
		in    challenge.CodeInput
		want  error
		event audit.Name
	}{
		{"empty", h.open(out.Token), challenge.CodeInput{}, challenge.ErrMalformed, audit.MalformedCode},
		{"letters", h.open(out.Token), challenge.CodeInput{Code: "abcdef"}, challenge.ErrMalformed, audit.MalformedCode},
		{"too short", h.open(out.Token), challenge.CodeInput{Code: "12345"}, challenge.ErrMalformed, audit.MalformedCode},
		{"other digits", h.open(out.Token), challenge.CodeInput{Code: "１２３４５６"}, challenge.ErrMalformed, audit.MalformedCode},
		{"endless", h.open(out.Token), challenge.CodeInput{Code: strings.Repeat("1", 1<<20)}, challenge.ErrMalformed, audit.MalformedCode},
		{"unknown method", h.open(out.Token), challenge.CodeInput{Method: "carrier pigeon", Code: right}, challenge.ErrMethod, audit.CredentialRefused},
		{"a method that is not allowed here", h.open(out.Token), challenge.CodeInput{Method: "totp", Code: right}, challenge.ErrMethod, audit.CredentialRefused},
		{"a recovery code without any", h.open(out.Token), challenge.CodeInput{Code: "AAAA-BBBB-CCCC-DDDD"}, challenge.ErrMalformed, audit.MalformedCode},
		{"I-03: a form of another login", h.open(out.Token), challenge.CodeInput{LoginID: strings.Repeat("0", 32), Code: right}, challenge.ErrOtherLogin, audit.CredentialRefused},
		{"nobody's session", &challenge.Session{}, challenge.CodeInput{Code: right}, challenge.ErrNoPending, audit.NoPendingLogin},
		{"a finished login", h.open(login), challenge.CodeInput{Code: right}, challenge.ErrNoPending, audit.NoPendingLogin},
	} {
		h.Audit.Take()
		if _, err := h.logins.Verify(ctx, challenge.Client{}, c.s, c.in); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if n := h.record("3").CodeSpent; n != 0 {
			t.Errorf("%s: %d guesses spent", c.name, n)
		}
		if got := h.Audit.Take(); len(got) != 1 || got[0] != c.event {
			t.Errorf("I-21: %s: %v", c.name, got)
		}
	}
	if _, err := h.logins.Verify(ctx, challenge.Client{}, h.open(out.Token), challenge.CodeInput{LoginID: p.ID, Method: "email", Code: right}); err != nil {
		t.Errorf("the right code, naming its login: %v", err)
	}
}

func (h *house) loginDave() string {
	h.t.Helper()
	out, err := h.password("dave", password)
	if err != nil {
		h.t.Fatal(err)
	}
	return out.Token
}

func TestI08CodesInFlightAreBusyAndNotBlocked(t *testing.T) {
	h, f := counted(t)
	inside, leave := make(chan struct{}, 10), make(chan struct{})
	f.verify = func(string) error { inside <- struct{}{}; <-leave; return nil }
	var tokens []string
	for range 4 {
		out, err := h.password("carol", password)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, out.Token)
	}
	var wg sync.WaitGroup
	for _, token := range tokens[:3] {
		wg.Go(func() {
			if _, err := h.logins.Verify(context.Background(), challenge.Client{}, h.open(token), challenge.CodeInput{Code: rightCode}); err != nil {
				t.Errorf("I-04: a guess already paid for: %v", err)
			}
		})
	}
	for range 3 {
		<-inside
	}
	var busy *challenge.BusyError
	if _, err := h.verify(tokens[3], rightCode); !errors.As(err, &busy) || busy.RetryAfter != time.Second || busy.Cooldown {
		t.Errorf("I-08: a code with three in flight: %v", err)
	}
	if _, err := h.password("carol", password); !errors.As(err, &busy) {
		t.Errorf("I-08: a right password with three codes in flight: %v", err)
	}
	close(leave)
	wg.Wait()
	if n := h.record("3").CodeSpent; n != 0 {
		t.Errorf("I-08: %d spent after success", n)
	}
}

func TestI20AFactorThatFailsOrPanicsDenies(t *testing.T) {
	for name, verify := range map[string]func(string) error{
		"fails":  func(code string) error { return errors.New("token server down: " + code) },
		"panics": func(code string) error { panic(code) },
	} {
		h, f := counted(t)
		f.verify = verify
		out, err := h.password("carol", password)
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.verify(out.Token, rightCode)
		if !errors.Is(err, challenge.ErrUnavailable) || strings.Contains(err.Error(), rightCode) {
			t.Errorf("I-20: %s: %v", name, err)
		}
		if r := h.record("3"); r.CodeSpent != 1 || len(r.Logins) != 0 {
			t.Errorf("I-20: %s: %d guesses spent, %d logins", name, r.CodeSpent, len(r.Logins))
		}
	}
}

func TestI05APendingLoginHasNobodyInIt(t *testing.T) {
	h := build(t)
	out, err := h.password("carol", password)
	if err != nil {
		t.Fatal(err)
	}
	s := h.open(out.Token)
	if login, ok := s.Login(); ok || login != nil {
		t.Error("I-05: a pending login is a login")
	}
	if p, ok := s.Pending(); !ok || p.Methods[0] != "email" || p.Prompt.To != "c•••l@example.com" {
		t.Errorf("%+v", p.Methods)
	}
	if err := h.logins.Touch(context.Background(), challenge.Client{}, s); !errors.Is(err, challenge.ErrEnded) {
		t.Errorf("I-05: a pending login was touched as a login: %v", err)
	}
	if _, err := h.logins.StepUp(context.Background(), challenge.Client{}, s, challenge.CodeInput{Code: "000000"}); !errors.Is(err, challenge.ErrEnded) {
		t.Errorf("I-05: a step-up of a pending login: %v", err)
	}
	h.Clock.Advance(10 * time.Minute)
	if h.open(out.Token).Exists() {
		t.Error("a pending login outlived ten minutes")
	}
}

func TestCancel(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	out, err := h.password("carol", password)
	if err != nil {
		t.Fatal(err)
	}
	s := h.open(out.Token)
	p, _ := s.Pending()
	if err := h.logins.Cancel(ctx, challenge.Client{}, s, strings.Repeat("1", 32)); !errors.Is(err, challenge.ErrOtherLogin) || !h.open(out.Token).Exists() {
		t.Errorf("another login's form: %v", err)
	}
	if err := h.logins.Cancel(ctx, challenge.Client{}, s, p.ID); err != nil || h.open(out.Token).Exists() {
		t.Errorf("%v", err)
	}
	if err := h.logins.Cancel(ctx, challenge.Client{}, &challenge.Session{}, ""); !errors.Is(err, challenge.ErrNoPending) {
		t.Errorf("%v", err)
	}
	if _, err := h.logins.Verify(ctx, challenge.Client{}, s, challenge.CodeInput{Code: h.Outbox.Code("carol@example.com")}); !errors.Is(err, challenge.ErrNoPending) {
		t.Errorf("a code for a cancelled login, from a request that was in flight: %v", err)
	}
}

func TestARecoveryCodeIsGoodOnceAndRecognisedByItsShape(t *testing.T) {
	h := build(t)
	ctx := context.Background()
	codes, err := h.logins.MakeRecoveryCodes(ctx, challenge.Client{}, "1")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{nil, challenge.ErrWrongCode} {
		out, err := h.password("alice", password)
		if err != nil {
			t.Fatal(err)
		}
		h.Audit.Take()
		if _, err = h.verify(out.Token, strings.ToLower(codes[0])); !errors.Is(err, want) {
			t.Errorf("I-14: use %d: %v", i+1, err)
		}
		if got := h.Audit.Take(); want == nil && !slices.Equal(got, []audit.Name{audit.CodeValidated, audit.LoginWithMFA, audit.RecoveryCodeUsed}) {
			t.Errorf("I-21: %v", got)
		}
	}
	var wins atomic.Int32
	var wg sync.WaitGroup
	var tokens []string
	for range 3 {
		out, err := h.password("alice", password)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, out.Token)
	}
	for _, token := range tokens {
		wg.Go(func() {
			if _, err := h.logins.Verify(ctx, challenge.Client{}, h.open(token), challenge.CodeInput{Code: codes[1]}); err == nil {
				wins.Add(1)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Errorf("I-14: under race one code was good for %d logins", wins.Load())
	}
}
