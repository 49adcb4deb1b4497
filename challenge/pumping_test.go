package challenge_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// phones adds accounts whose numbers begin alike, and that get their codes by SMS, with or without a fallback to mail.
func (h *house) phones(beginning string, n int, mail bool) (names []string) {
	for i := range n {
		a := challenge.Account{ID: fmt.Sprintf("%s-%d", beginning, i), Name: fmt.Sprintf("p%s-%d", beginning[1:], i), Phone: fmt.Sprintf("%s%06d", beginning, i)}
		factors := []string{"sms"}
		if mail {
			a.Email, factors = a.Name+"@example.com", []string{"sms", "email"}
		}
		h.Users.Add(a, password)
		h.SetVerdict(a.ID, challenge.Verdict{Factors: factors})
		names = append(names, a.Name)
	}
	return names
}

// codeFor logs in as far as the code and, when enter is set, enters it. It gives the channel by which the code came.
func (h *house) codeFor(name string, enter bool) (channel string) {
	h.t.Helper()
	before := len(h.Outbox.Messages())
	out, err := h.password(name, password)
	if err != nil {
		h.t.Fatal(err)
	}
	sent := h.Outbox.Messages()[before:]
	if len(sent) == 0 {
		return ""
	}
	if enter {
		if _, err := h.verify(out.Token, string(sent[0].Code)); err != nil {
			h.t.Fatal(err)
		}
	}
	return sent[0].Channel
}

func (h *house) events(name audit.Name) (list []audit.Event) {
	for _, e := range h.Audit.Events() {
		if e.Name == name {
			list = append(list, e)
		}
	}
	return list
}

func TestI15CodesThatNobodyEntersRaiseAnAlarmOnceAnHour(t *testing.T) {
	h := build(t)
	for _, name := range h.phones("+37255", 25, false) { // numbers of one country and one range each earn somebody a little
		h.codeFor(name, false)
	}
	if e := h.events(audit.PumpingSuspected); len(e) != 0 {
		t.Fatalf("I-15: an alarm while the codes can still be entered: %+v", e)
	}
	h.Clock.Advance(15 * time.Minute)
	more := h.phones("+37256", 3, false)
	h.codeFor(more[0], false)
	h.codeFor(more[1], false)
	alarms := h.events(audit.PumpingSuspected)
	if len(alarms) != 1 || alarms[0].User != "" || alarms[0].UserID != "" || alarms[0].Reason != "numbers +372: 0 of 25 codes were entered" || alarms[0].Outcome != audit.Failure {
		t.Errorf("I-15: want one alarm about the country: %+v", alarms)
	}
	if h.codeFor(more[2], true) != challenge.ChannelSMS {
		t.Error("an alarm refuses nobody unless it was asked to")
	}
}

func TestI15AnOutageOfTheProviderIsNoPumping(t *testing.T) {
	h := build(t)
	h.Outbox.Fail(challenge.ChannelSMS, errors.New("down"))
	for _, name := range h.phones("+37255", 40, false) {
		h.codeFor(name, false)
	}
	h.Outbox.Fail(challenge.ChannelSMS, nil)
	h.Clock.Advance(15 * time.Minute)
	h.codeFor(h.phones("+37256", 1, false)[0], false)
	if e := h.events(audit.PumpingSuspected); len(e) != 0 {
		t.Errorf("%+v", e)
	}
}

func TestI15CodesThatPeopleEnterRaiseNoAlarm(t *testing.T) {
	h := build(t)
	names := h.phones("+3161234", 60, false)
	for i, name := range names {
		h.codeFor(name, i%4 == 0) // a quarter is more than a fifth
		h.Clock.Advance(time.Minute)
	}
	if e := h.events(audit.PumpingSuspected); len(e) != 0 {
		t.Errorf("I-15: %+v", e)
	}
}

func TestI15ARangeThatIsPumpedInACountryOfPeopleIsFound(t *testing.T) {
	h := build(t)
	for _, name := range h.phones("+3161111", 28, false) { // +3161111 and six digits: 28 numbers of one range of 10,000
		h.codeFor(name, false)
	}
	for i := range 7 {
		for _, name := range h.phones(fmt.Sprintf("+3162%d", i), 4, false) {
			h.codeFor(name, true)
		}
	}
	h.Clock.Advance(12 * time.Minute)
	h.codeFor(h.phones("+3161111", 30, false)[29], false)
	alarms := h.events(audit.PumpingSuspected)
	if len(alarms) != 1 || !strings.Contains(alarms[0].Reason, "+316111100") || strings.Contains(alarms[0].Reason, "+3161111000028") {
		t.Errorf("I-15: want one alarm, about the range: %+v", alarms)
	}
}

func TestI15APumpedCountryIsRefusedWhereThatIsAskedForAndTheFallbackTaken(t *testing.T) {
	h := build(t, func(c *challenge.Config) { c.Sends.RefusePumped = true })
	for _, name := range h.phones("+37255", 25, false) {
		h.codeFor(name, false)
	}
	h.Clock.Advance(15 * time.Minute)
	person := h.phones("+3725", 1, true)[0]
	if got := h.codeFor(person, true); got != challenge.ChannelEmail {
		t.Errorf("I-15: the code came by %q, want the fallback", got)
	}
	refused := h.events(audit.SendRefused)
	if len(refused) != 1 || refused[0].Reason != "too few codes entered from +372" {
		t.Errorf("I-21: %+v", refused)
	}
	if got := h.codeFor("sam", true); got != challenge.ChannelSMS {
		t.Errorf("another country: %q", got)
	}
	h.Clock.Advance(time.Hour)
	if got := h.codeFor(person, true); got != challenge.ChannelSMS {
		t.Errorf("an hour later: %q", got)
	}
}

func TestI15NumbersThatMayGetAnSMS(t *testing.T) {
	for _, c := range []struct {
		number string
		limits challenge.SendLimits
		want   bool
	}{
		{"+31600000009", challenge.SendLimits{}, true},
		{"+97990000009", challenge.SendLimits{}, false}, // premium rate
		{"+88160000009", challenge.SendLimits{}, false}, // satellite
		{"+88160000009", challenge.SendLimits{SMSOnlyTo: []string{"+8816", "+31"}}, true},
		{"+31600000009", challenge.SendLimits{SMSOnlyTo: []string{"+32"}}, false},
		{"+31600000009", challenge.SendLimits{SMSOnlyTo: []string{"+32", "+31"}}, true},
		{"+31600000009", challenge.SendLimits{SMSOnlyTo: []string{"+31"}, SMSNeverTo: []string{"+3160000"}}, false},
		{"+18765550009", challenge.SendLimits{SMSOnlyTo: []string{"+1"}, SMSNeverTo: []string{"+1876"}}, false},
		{"+31600000009", challenge.SendLimits{SMSOnlyTo: []string{}}, false}, // a list of nothing
	} {
		h := build(t, func(conf *challenge.Config) { conf.Sends = c.limits })
		h.Users.Add(challenge.Account{ID: "x", Name: "x", Phone: c.number}, password)
		h.SetVerdict("x", challenge.Verdict{Factors: []string{"sms"}})
		out, err := h.password("x", password)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := h.open(out.Token).Pending()
		if sent := len(h.Outbox.Messages()) == 1; sent != c.want || p.Prompt.Failed == sent {
			t.Errorf("I-15: %s under %v, not %v: sent %v, failed %v", c.number, c.limits.SMSOnlyTo, c.limits.SMSNeverTo, sent, p.Prompt.Failed)
		}
		if refused := h.events(audit.SendRefused); len(refused) == 1 == c.want {
			t.Errorf("I-21: %s: %+v", c.number, refused)
		}
		if r := h.record("x"); !c.want && r.Sent != 0 {
			t.Errorf("%s: a message that never goes was paid for", c.number)
		}
	}
}

func TestI15OneMailboxHasOneBudgetHoweverItIsWritten(t *testing.T) {
	h := build(t)
	sent := 0
	for i, to := range []string{"carol@example.com", "Carol@example.com", "carol@EXAMPLE.com", "carol+a@example.com", "carol+b@example.com", "CAROL+c@example.com", "carol+d@example.com"} {
		name := fmt.Sprint("twin", i)
		h.Users.Add(challenge.Account{ID: name, Name: name, Email: to}, password)
		if h.sends(name, address(i)) {
			sent++
		}
	}
	if sent != 5 {
		t.Errorf("I-15: %d messages to one mailbox in a quarter of an hour", sent)
	}
	h = build(t)
	sent = 0
	for i, to := range []string{"+31600000001", "+31 6 0000 0001", "+31 (6) 0000-0001", "+31.6.00000001", "+31-6-00000001", "+316 00000001", "+31 600000001"} {
		name := fmt.Sprint("twin", i)
		h.Users.Add(challenge.Account{ID: name, Name: name, Phone: to}, password)
		h.SetVerdict(name, challenge.Verdict{Factors: []string{"sms"}})
		if h.sends(name, address(i)) {
			sent++
		}
	}
	if sent != 5 {
		t.Errorf("I-15: %d messages to one phone in a quarter of an hour", sent)
	}
}

func TestI15TheBudgetOfAllRaisesItsAlarmOnceBeforeItIsSpent(t *testing.T) {
	h := build(t, func(c *challenge.Config) { c.Sends.GlobalHour, c.Sends.AlarmPercent = 10, 75 })
	for hour := range 2 {
		for i := range 12 {
			name := fmt.Sprint("user", hour, "-", i)
			h.Users.Add(challenge.Account{ID: name, Name: name, Email: name + "@example.com"}, password)
			sent := h.sends(name, address(i))
			if alarms := len(h.events(audit.SendsNearlySpent)); alarms != hour+min(1, (i+1)/8) {
				t.Errorf("I-15: %d alarms after %d messages of hour %d", alarms, i+1, hour)
			}
			if sent != (i < 10) {
				t.Errorf("message %d of hour %d: sent %v", i, hour, sent)
			}
		}
		h.Clock.Advance(time.Hour)
	}
	if e := h.events(audit.SendsNearlySpent)[0]; e.Reason != "8 of 10 messages of an hour are spent" {
		t.Errorf("%q", e.Reason)
	}
}

// Whose budget was spent stands in the audit, and nowhere else.
func TestI21ARefusedSendSaysWhoseBudgetWasSpent(t *testing.T) {
	for want, c := range map[string]struct {
		limits challenge.SendLimits
		change func(i int, a *challenge.Account) (from int)
	}{
		"budget of the account, cooldown until": {challenge.SendLimits{}, nil},
		"budget of the destination until":       {challenge.SendLimits{PerAccountShort: 1}, func(i int, a *challenge.Account) int { a.Phone = "+31600000009"; return i }},
		"budget of the client until":            {challenge.SendLimits{PerClientHour: 1}, func(i int, a *challenge.Account) int { a.Phone = fmt.Sprintf("+3160%02d00009", i); return 1 }},
		"budget of the range of numbers until":  {challenge.SendLimits{PerPrefixHour: 1}, func(i int, a *challenge.Account) int { a.Phone = fmt.Sprintf("+316000000%02d", i); return i }},
		"budget of everybody until":             {challenge.SendLimits{GlobalHour: 1}, func(i int, a *challenge.Account) int { a.Phone = fmt.Sprintf("+3160%02d00009", i); return i }},
	} {
		h := build(t, func(conf *challenge.Config) { conf.Sends = c.limits })
		for i := range 2 {
			a, from := challenge.Account{ID: "x", Name: "x", Phone: "+31600000009"}, i
			if c.change != nil {
				a.ID, a.Name = fmt.Sprint("x", i), fmt.Sprint("x", i)
				from = c.change(i, &a)
			}
			h.Users.Add(a, password)
			h.SetVerdict(a.ID, challenge.Verdict{Factors: []string{"sms"}})
			h.sends(a.Name, address(from))
		}
		refused := h.events(audit.SendRefused)
		if len(refused) != 1 || !strings.HasPrefix(refused[0].Reason, want) || strings.Contains(refused[0].Reason, "+316") {
			t.Errorf("I-21: want %q: %+v", want, refused)
		}
	}
}

func TestI20NothingIsSentThatCannotBeCounted(t *testing.T) {
	var failing *sendCounters
	h := build(t, func(c *challenge.Config) {
		failing = &sendCounters{Store: c.Store}
		c.Store = failing
	})
	failing.stop = true
	if _, err := h.password("sam", password); !errors.Is(err, challenge.ErrUnavailable) {
		t.Errorf("I-20: %v", err)
	}
	if n := len(h.Outbox.Messages()); n != 0 {
		t.Errorf("I-20: %d messages", n)
	}
}

// sendCounters is a store that fails for the counts of codes sent to a country.
type sendCounters struct {
	challenge.Store
	stop bool
}

func (s *sendCounters) Volatile() bool { return true }

func (s *sendCounters) Load(ctx context.Context, key string) ([]byte, error) {
	if s.stop && strings.HasPrefix(key, "p") {
		return nil, errInjected
	}
	return s.Store.Load(ctx, key)
}

func TestCountriesAreToldApart(t *testing.T) {
	for number, want := range map[string]string{
		"+12025550123": "+1", "+74951234567": "+7", "+31612345678": "+31", "+37255123456": "+372", "+442071838750": "+44",
		"+8613800138000": "+86", "+85291234567": "+852", "+2348012345678": "+234", "+27821234567": "+27", "+998901234567": "+998",
	} {
		if got := challenge.CountryCode(number); got != want {
			t.Errorf("%s: %s, want %s", number, got, want)
		}
	}
	if !slices.Equal([]string{challenge.CountryCode("+1"), challenge.CountryCode("")}, []string{"+1", ""}) {
		t.Error("what is no number must not panic")
	}
}
