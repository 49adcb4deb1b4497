package challenge_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/senders"
)

// mailsThrough is a house whose mail goes through sender, codes and notices both, with a record of its events.
func mailsThrough(t *testing.T, sender challenge.Sender) (*house, *audit.Memory) {
	t.Helper()
	events := new(audit.Memory)
	return build(t, func(c *challenge.Config) {
		c.Factors, c.Notices, c.Audit = []challenge.Factor{&challenge.TOTP{Issuer: "Acme"}, &challenge.Email{Sender: sender}}, sender, events
	}), events
}

func TestTheAuditSaysWhichProviderFailedOnTheWay(t *testing.T) { // I-21
	down := senders.Func(func(context.Context, challenge.Message) error { return errors.New("down") })
	for _, c := range []struct {
		name    string
		senders []challenge.Sender
		want    []audit.Event
	}{
		{"the first takes it", []challenge.Sender{new(senders.Outbox), down}, []audit.Event{{Name: audit.CodeCreated}}},
		{"the second takes it", []challenge.Sender{down, new(senders.Outbox)},
			[]audit.Event{{Name: audit.CodeCreated}, {Name: audit.FallbackTaken, Reason: "sender 2 of 2, after 1 failed"}}},
		{"nobody takes it", []challenge.Sender{down, down}, []audit.Event{{Name: audit.SendFailed, Reason: "sender 1 and 2 of 2 failed"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := senders.NewFallback(senders.FallbackConfig{Senders: c.senders})
			if err != nil {
				t.Fatal(err)
			}
			h, events := mailsThrough(t, f)
			if _, err := h.password("carol", password); err != nil {
				t.Fatal(err)
			}
			var got []audit.Event
			for _, e := range events.Events() {
				if e.Method == "email" {
					got = append(got, audit.Event{Name: e.Name, Reason: e.Reason})
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// talker reports more than a few words, and panics.
type talker struct{ panics bool }

func (t talker) Send(context.Context, challenge.Message) error { return nil }
func (t talker) SendReport(context.Context, challenge.Message) (string, error) {
	if t.panics {
		panic("271828")
	}
	return strings.Repeat("x", 1000), nil
}

func TestAReportIsBoundedAndAPanicIsAFailedSend(t *testing.T) {
	for _, panics := range []bool{false, true} {
		h, events := mailsThrough(t, talker{panics})
		if _, err := h.password("carol", password); err != nil {
			t.Fatal(err)
		}
		e := events.Events()
		last := e[len(e)-1]
		if panics && last.Name != audit.SendFailed || !panics && (last.Name != audit.FallbackTaken || len(last.Reason) > 200) {
			t.Errorf("panics %v: %s with a reason of %d bytes", panics, last.Name, len(last.Reason))
		}
	}
}

func TestAMailThatIsNotOneMailToOneAddressIsFound(t *testing.T) {
	good := challenge.Message{Channel: challenge.ChannelEmail, To: "carol@example.com", Subject: "Ihr Code für Acme", Body: "x"}
	if err := good.CheckMail(); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		change    func(*challenge.Message)
		recipient bool
	}{
		"an SMS":                    {func(m *challenge.Message) { m.Channel = challenge.ChannelSMS }, false},
		"no text":                   {func(m *challenge.Message) { m.Body = "" }, false},
		"a subject of two lines":    {func(m *challenge.Message) { m.Subject = "x\r\nBcc: eve@example.net" }, false},
		"a subject of no text":      {func(m *challenge.Message) { m.Subject = "x\xff" }, false},
		"a subject with a break":    {func(m *challenge.Message) { m.Subject = "x\u2028y" }, false},
		"nobody":                    {func(m *challenge.Message) { m.To = "" }, true},
		"two addresses":             {func(m *challenge.Message) { m.To = "carol@example.com,eve@example.net" }, true},
		"a name":                    {func(m *challenge.Message) { m.To = "Eve <eve@example.net>" }, true},
		"an address with a header":  {func(m *challenge.Message) { m.To = "carol@example.com\r\nBcc: eve@example.net" }, true},
		"an address with separator": {func(m *challenge.Message) { m.To = "eve@example.net\u2028" }, true},
	} {
		m := good
		c.change(&m)
		if err := m.CheckMail(); err == nil || errors.Is(err, challenge.ErrRecipient) != c.recipient || strings.Contains(err.Error(), "eve") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// detour keeps messages, and reports that the first way failed.
type detour struct{ senders.Outbox }

func (d *detour) SendReport(ctx context.Context, m challenge.Message) (string, error) {
	return "second way", d.Send(ctx, m)
}

func TestANoticeThatTookAnotherWayIsAudited(t *testing.T) { // I-21
	box := new(detour)
	h, events := mailsThrough(t, box)
	for range 2 { // the first device is no news
		out, err := h.password("carol", password)
		if err != nil {
			t.Fatal(err)
		}
		m, _ := box.Last(challenge.ChannelEmail, "carol@example.com")
		if _, err := h.verify(out.Token, string(m.Code)); err != nil {
			t.Fatal(err)
		}
		h.logins.WaitForNotices()
		h.Clock.Advance(time.Minute)
	}
	if !slices.ContainsFunc(events.Events(), func(e audit.Event) bool {
		return e.Name == audit.NoticeSent && e.Outcome == audit.Success && e.Reason == "new device: second way"
	}) {
		t.Errorf("events %v", events.Names())
	}
}
