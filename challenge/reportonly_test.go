package challenge_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// reports are the reasons of what only reported, when all of it is there.
func (h *house) reports() (list []string) {
	h.logins.WaitForReports()
	for _, e := range h.events(audit.ReportOnly) {
		list = append(list, e.User+" "+e.Outcome.String()+" "+e.Reason)
	}
	h.Audit.Take()
	return list
}

// goesOn logs an account in as far as its policy in force leads.
func (h *house) goesOn(name string, pending bool) {
	h.t.Helper()
	out, err := h.password(name, password)
	if err != nil {
		h.t.Fatal(err)
	}
	if _, is := h.open(out.Token).Pending(); is != pending {
		h.t.Errorf("%s: a shadow changed the login: pending %v", name, is)
	}
}

func TestAPolicyInTrialOnlySaysForWhomWhatWouldBeDifferent(t *testing.T) {
	h := build(t, func(c *challenge.Config) {
		c.Shadow = func(_ context.Context, a challenge.Account, _ challenge.Client) (challenge.Verdict, error) {
			switch a.Name {
			case "carol":
				return challenge.Verdict{NotNeeded: true}, nil
			case "erin": // who has a mailbox and nothing enrolled
				return challenge.Verdict{Factors: []string{"totp"}, Grace: challenge.Grace{Logins: 3}}, nil
			case "sam":
				return challenge.Verdict{Factors: []string{"email"}}, nil
			}
			return challenge.Verdict{}, nil
		}
	})
	h.Users.Add(challenge.Account{ID: "9", Name: "ella", Email: "ella@example.com"}, password)
	h.SetVerdict("9", challenge.Verdict{NotNeeded: true})
	for _, c := range []struct {
		name    string
		pending bool
		want    []string
	}{
		{"alice", true, nil},
		{"carol", true, []string{"carol success policy: no second factor instead of a second factor (email)"}},
		{"dave", false, []string{"dave failure policy: no way in (nothing enrolled) instead of no second factor"}},
		{"ella", false, []string{"ella success policy: a second factor (email) instead of no second factor"}},
		{"erin", true, []string{"erin success policy: grace instead of enrolment"}},
		{"sam", true, []string{"sam success policy: a second factor (email) instead of a second factor (sms, email)"}},
	} {
		h.goesOn(c.name, c.pending)
		if got := h.reports(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	if _, err := h.password("dave", "wrong"); err == nil {
		t.Fatal("let in")
	}
	if got := h.reports(); got != nil {
		t.Errorf("a wrong password: %q", got)
	}
}

func TestAPolicyInTrialThatFailsChangesNoLogin(t *testing.T) {
	stuck := make(chan struct{})
	for name, shadow := range map[string]challenge.Policy{
		"errs": func(context.Context, challenge.Account, challenge.Client) (challenge.Verdict, error) {
			return challenge.Verdict{}, errInjected
		},
		"panics": func(context.Context, challenge.Account, challenge.Client) (challenge.Verdict, error) { panic("no") },
		"names what is nothing": func(context.Context, challenge.Account, challenge.Client) (challenge.Verdict, error) {
			return challenge.Verdict{Factors: []string{"palm"}}, nil
		},
		"never answers": func(context.Context, challenge.Account, challenge.Client) (challenge.Verdict, error) {
			<-stuck
			return challenge.Verdict{}, errInjected
		},
	} {
		h := build(t, func(c *challenge.Config) { c.Shadow, c.AuditRequired = shadow, true })
		if name == "never answers" {
			for range 100 { // more than are let to wait
				h.goesOn("dave", false)
			}
			if n := h.logins.LostEvents(); n != 36 {
				t.Errorf("%d reports are counted as lost, want those beyond 64", n)
			}
			close(stuck)
			h.reports()
			continue
		}
		h.goesOn("dave", false)
		h.goesOn("carol", true)
		if got := h.reports(); !slices.Equal(got, []string{"dave failure policy: failed", "carol failure policy: failed"}) && !slices.Equal(got, []string{"carol failure policy: failed", "dave failure policy: failed"}) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// trial judges as it likes.
type trial struct {
	challenge.Factor
	name   string
	verify func(a *challenge.Attempt, answer []byte) (challenge.Proof, error)
}

func (f *trial) Name() string                                    { return f.name }
func (f *trial) Begin(context.Context, *challenge.Attempt) error { panic("a trial began") }
func (f *trial) Verify(_ context.Context, a *challenge.Attempt, answer []byte) (challenge.Proof, error) {
	return f.verify(a, answer)
}

func TestAFactorInTrialIsShownAnswersAndItsVerdictCountsForNothing(t *testing.T) {
	says := map[string]error{"yes": nil, "no": challenge.ErrWrongCode, "it fails": errors.New("provider down")}
	for name, verdict := range says {
		for _, right := range []bool{true, false} {
			h := build(t, func(c *challenge.Config) {
				c.Trials = []challenge.Factor{&trial{name: "totp", verify: func(a *challenge.Attempt, answer []byte) (challenge.Proof, error) {
					if len(a.Enrolled) != 1 || len(answer) != 6 {
						return challenge.Proof{}, errInjected
					}
					clear(a.Enrolled[0].Data)
					a.Info = "never shown"
					return challenge.Proof{Authenticator: "forged", Step: 1 << 60, Enrolment: []byte("forged")}, verdict
				}}}
			})
			out, err := h.password("alice", password)
			if err != nil {
				t.Fatal(err)
			}
			code := "000000"
			if right {
				code = h.totp(0)
			}
			h.Audit.Take()
			out, err = h.verify(out.Token, code)
			if (err == nil) != right {
				t.Fatalf("a trial that says %s: a right code %v: %v", name, right, err)
			}
			if out.Notice != "" {
				t.Errorf("its text was shown: %q", out.Notice)
			}
			want := []string{"alice failure factor in trial: failed"}
			switch {
			case verdict == nil && !right:
				want = []string{"alice success factor in trial: would have accepted"}
			case verdict == challenge.ErrWrongCode && right:
				want = []string{"alice failure factor in trial: would have refused"}
			case verdict == nil || verdict == challenge.ErrWrongCode:
				want = nil
			}
			if got := h.reports(); !slices.Equal(got, want) {
				t.Errorf("a trial that says %s, a right code %v: %q, want %q", name, right, got, want)
			}
			h.Clock.Advance(time.Hour)
			if out, err = h.password("alice", password); err != nil {
				t.Fatal(err)
			}
			if _, err := h.verify(out.Token, h.totp(0)); err != nil {
				t.Errorf("the authenticator after a trial that says %s: %v", name, err)
			}
		}
	}
}

func TestAFactorInTrialSeesOnlyAnswersThatWerePaidFor(t *testing.T) {
	seen := 0
	h := build(t, func(c *challenge.Config) {
		c.Trials = []challenge.Factor{&trial{name: "totp", verify: func(*challenge.Attempt, []byte) (challenge.Proof, error) {
			seen++
			return challenge.Proof{}, challenge.ErrWrongCode
		}}}
	})
	out, err := h.password("alice", password)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		_, _ = h.verify(out.Token, fmt.Sprintf("%06d", i))
		_, _ = h.verify(out.Token, "x")
		h.logins.WaitForReports()
	}
	if seen != 3 {
		t.Errorf("I-07: it saw %d answers", seen)
	}
}

func TestI19TrialsThatStandBesideNothingAreRefused(t *testing.T) {
	for name, trials := range map[string][]challenge.Factor{
		"another name": {named("palm")},
		"twice":        {&challenge.TOTP{Issuer: "a"}, &challenge.TOTP{Issuer: "b"}},
		"nil":          {nil},
		"unsafe":       {&challenge.Email{}},
	} {
		c := complete()
		c.Trials = trials
		if _, err := challenge.New(c); err == nil {
			t.Errorf("I-19: %s was accepted", name)
		}
	}
}

func TestWhatOnlyReportsTakesNoDecisionsPlaceAtAStuckSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		h := build(t, func(c *challenge.Config) {
			inner := c.Audit
			c.Audit = audit.RecorderFunc(func(ctx context.Context, e audit.Event) error {
				if e.Name == audit.ReportOnly {
					<-stuck // no answer, ever
				}
				return inner.Record(ctx, e)
			})
			c.AuditRequired = true
		})
		for range 500 {
			h.logins.ReportOnly(challenge.Client{}, "limit search")
		}
		synctest.Wait()
		for range 100 {
			h.goesOn("dave", false) // what could not be recorded would not happen
			h.Clock.Advance(time.Minute)
		}
		close(stuck)
		h.logins.WaitForReports()
	})
}
