package sendertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// fake is a sender without faults until a test plants one.
type fake struct {
	mu     sync.Mutex
	got    []challenge.Message
	change func(*fake, challenge.Message) challenge.Message // what arrives instead
	err    func(challenge.Message) error                    // what Send answers
	hangs  bool                                             // waits for the context
	deaf   chan struct{}                                    // waits for this instead
	blind  bool                                             // does not look at the context first
}

func (s *fake) Send(ctx context.Context, m challenge.Message) error {
	if s.deaf != nil {
		<-s.deaf
		return errors.New("late")
	}
	if s.hangs {
		<-ctx.Done()
	}
	if err := ctx.Err(); err != nil && !s.blind {
		return err
	}
	if s.err != nil {
		return s.err(m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.change != nil {
		m = s.change(s, m)
	}
	s.got = append(s.got, m)
	return nil
}

func (s *fake) delivered() []challenge.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]challenge.Message(nil), s.got...)
}

// Format keeps what a fake holds out of the printing rule's way.
func (s *fake) Format(f fmt.State, _ rune) { fmt.Fprint(f, "fake") }

// leaky prints its token.
type leaky struct{ Token string }

func (leaky) Send(ctx context.Context, _ challenge.Message) error { return ctx.Err() }

func good(s *fake) Harness {
	return Harness{
		Sender: s, Delivered: s.delivered, Secrets: []string{"s3cret-token"}, Grace: 50 * time.Millisecond,
		Refused: &fake{err: func(challenge.Message) error { return errors.New("refused with 550") }},
		Stuck:   &fake{hangs: true},
	}
}

func TestAFaultlessSenderPassesOnBothChannels(t *testing.T) {
	for _, channel := range []string{challenge.ChannelEmail, challenge.ChannelSMS} {
		h := good(&fake{})
		h.Channel = channel
		t.Run(channel, func(t *testing.T) { Run(t, h) })
	}
}

func TestAPlantedFaultIsRejectedByItsRule(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	sender := func(f *fake) func(*Harness) {
		return func(h *Harness) { h.Sender, h.Delivered = f, f.delivered }
	}
	alter := func(change func(m *challenge.Message)) func(*Harness) {
		return sender(&fake{change: func(_ *fake, m challenge.Message) challenge.Message { change(&m); return m }})
	}
	refused := func(f func(challenge.Message) error) func(*Harness) {
		return func(h *Harness) { h.Refused = &fake{err: f} }
	}
	for _, c := range []struct {
		name, rule, says string
		plant            func(*Harness)
	}{
		{"body trimmed", "delivers a code and a notice unchanged", "Body", alter(func(m *challenge.Message) { m.Body = m.Body[:len(m.Body)-1] })},
		{"other address", "delivers a code and a notice unchanged", "To", alter(func(m *challenge.Message) { m.To = "ops@example.com" })},
		{"subject shouted", "delivers a code and a notice unchanged", "Subject", alter(func(m *challenge.Message) { m.Subject = strings.ToUpper(m.Subject) })},
		{"other code", "delivers a code and a notice unchanged", "Code", alter(func(m *challenge.Message) { m.Code = "00000000" })},
		{"HTML altered", "delivers a code and a notice unchanged", "HTML", alter(func(m *challenge.Message) { m.HTML += "<img src=//tracker>" })},
		{"fails when it should deliver", "delivers a code and a notice unchanged", "failed", sender(&fake{err: func(challenge.Message) error { return errors.New("no") }})},
		{"sends twice", "delivers a code and a notice unchanged", "2 messages", sender(&fake{change: func(s *fake, m challenge.Message) challenge.Message {
			s.got = append(s.got, m)
			return m
		}})},
		{"swallows everything", "delivers a code and a notice unchanged", "0 messages", func(h *Harness) { h.Delivered = func() []challenge.Message { return nil } }},
		{"mixes bodies up", "delivers in parallel without mixing", "Body", sender(&fake{change: func(s *fake, m challenge.Message) challenge.Message {
			if len(s.got) > 0 {
				m.Body = s.got[0].Body
			}
			return m
		}})},
		{"loses one of many", "delivers in parallel without mixing", "address", sender(&fake{change: func(s *fake, m challenge.Message) challenge.Message {
			if len(s.got) == 7 {
				return s.got[0]
			}
			return m
		}})},
		{"swallows a refusal", "reports a refusal", "refused", refused(func(challenge.Message) error { return nil })},
		{"ignores the deadline", "returns at its deadline", "did not return", func(h *Harness) { h.Stuck = &fake{deaf: never} }},
		{"ignores cancellation", "returns when cancelled", "did not return", func(h *Harness) { h.Stuck = &fake{deaf: never} }},
		{"calls a deadline a success", "returns at its deadline", "nil", func(h *Harness) { h.Stuck = &fake{hangs: true, blind: true} }},
		{"sends after the end", "sends nothing after the end", "nil", sender(&fake{blind: true})},
		{"sends after the end and denies it", "sends nothing after the end", "delivered", func(h *Harness) {
			f := &fake{blind: true}
			h.Delivered = f.delivered
			h.Sender = sendFunc(func(ctx context.Context, m challenge.Message) error { _ = f.Send(ctx, m); return ctx.Err() })
		}},
		{"code in an error", "keeps the code, the destination and secrets out of errors", "refusal", refused(func(m challenge.Message) error { return fmt.Errorf("550 %s", string(m.Code)) })},
		{"body in a wrapped error", "keeps the code, the destination and secrets out of errors", "refusal", refused(func(m challenge.Message) error { return fmt.Errorf("post: %w", errors.New(m.Body)) })},
		{"token in an error", "keeps the code, the destination and secrets out of errors", "refusal", refused(func(challenge.Message) error { return errors.New("https://x/?t=s3cret-token: 401") })},
		{"code in a deadline's error", "keeps the code, the destination and secrets out of errors", "deadline", func(h *Harness) {
			h.Stuck = sendFunc(func(ctx context.Context, m challenge.Message) error { <-ctx.Done(); return errors.New(string(m.Code)) })
		}},
		{"destination in an error", "keeps the code, the destination and secrets out of errors", "refusal", refused(func(m challenge.Message) error { return fmt.Errorf("550 <%s> unknown", m.To) })},
		{"mailbox in an error", "keeps the code, the destination and secrets out of errors", "refusal", refused(func(m challenge.Message) error {
			return fmt.Errorf("550 %s unknown here", strings.TrimSuffix(m.To, "@example.com"))
		})},
		{"writes headers as they come", "lets nothing add a header or a recipient", "To arrived changed", alter(func(m *challenge.Message) { *m = written(*m) })},
		{"takes a list of addresses", "lets nothing add a header or a recipient", "2 messages", sender(&fake{change: func(s *fake, m challenge.Message) challenge.Message {
			first, second, found := strings.Cut(m.To, ",")
			if found {
				m.To = first
				s.got = append(s.got, m)
				m.To = second
			}
			return m
		}})},
		{"cuts an address short", "lets nothing add a header or a recipient", "To arrived changed", alter(func(m *challenge.Message) { m.To, _, _ = strings.Cut(m.To, "\x00") })},
		{"checks the address and not the subject", "lets nothing add a header or a recipient", "Subject arrived changed", func(h *Harness) {
			f := &fake{change: func(_ *fake, m challenge.Message) challenge.Message { return written(m) }}
			h.Delivered = f.delivered
			h.Sender = sendFunc(func(ctx context.Context, m challenge.Message) error {
				if strings.ContainsAny(m.To, "\r\n\x00,<>") {
					return errors.New("bad address")
				}
				return f.Send(ctx, m)
			})
		}},
		{"repeats a bad address", "lets nothing add a header or a recipient", "destination", sender(&fake{err: func(m challenge.Message) error { return fmt.Errorf("bad address %s", m.To) }})},
		{"sends and fails", "lets nothing add a header or a recipient", "although Send failed", func(h *Harness) {
			f := &fake{}
			h.Delivered = f.delivered
			h.Sender = sendFunc(func(ctx context.Context, m challenge.Message) error {
				_ = f.Send(ctx, m)
				return errors.New("bad address")
			})
		}},
		{"token in print", "prints without secrets", "leaky", func(h *Harness) { h.Refused = leaky{"s3cret-token"} }},
		{"token in print behind a pointer", "prints without secrets", "leaky", func(h *Harness) { h.Sender = &leaky{"s3cret-token"} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := good(&fake{})
			c.plant(&h)
			err := check(t, c.rule, h)
			if err == nil {
				t.Fatalf("the rule %q let it pass", c.rule)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("rejected with %q, which does not speak of %q", err, c.says)
			}
		})
	}
}

// written is what arrives of a message whose header was put together without care.
func written(m challenge.Message) challenge.Message {
	read, err := mail.ReadMessage(strings.NewReader("To: " + m.To + "\r\nSubject: " + m.Subject + "\r\n\r\n" + m.Body))
	if err != nil {
		m.To = ""
		return m
	}
	body, _ := io.ReadAll(read.Body)
	m.To, m.Subject, m.Body = read.Header.Get("To"), read.Header.Get("Subject"), string(body)
	return m
}

// sendFunc has no Format: functions print as an address.
type sendFunc func(context.Context, challenge.Message) error

func (f sendFunc) Send(ctx context.Context, m challenge.Message) error { return f(ctx, m) }

func check(t *testing.T, name string, h Harness) error {
	t.Helper()
	for _, r := range rules {
		if r.name == name {
			return r.check(h)
		}
	}
	t.Fatalf("no rule %q", name)
	return nil
}
