// Package sendertest checks that a [challenge.Sender] keeps the rules of its interface.
//
//	func TestMySender(t *testing.T) {
//		sendertest.Run(t, sendertest.Harness{
//			Sender:    mySender(acceptingServer), // delivers
//			Refused:   mySender(refusingServer),  // fails
//			Stuck:     mySender(silentServer),    // waits for ever
//			Delivered: acceptingServer.messages,
//			Secrets:   []string{"the provider's token"},
//		})
//	}
//
// Run it with -race. The names most people need: [Harness] and [Run].
package sendertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// Harness is one kind of sender in the three situations that matter.
type Harness struct {
	// Sender's destination accepts everything.
	Sender challenge.Sender
	// Refused's destination refuses everything, best with an answer that repeats what it was sent. Nil for a sender that
	// cannot be refused.
	Refused challenge.Sender
	// Stuck's destination takes the connection and never answers. Nil for a sender that waits for nobody.
	Stuck challenge.Sender
	// Delivered returns what Sender's destination has received so far, oldest first. To and Body are compared always, the
	// other fields where they are not empty. Nil means that nobody can look.
	Delivered func() []challenge.Message
	// Channel is the channel of the messages; empty means e-mail.
	Channel string
	// Secrets are the sender's credentials, which must not show in errors nor in a printed sender.
	Secrets []string
	// Grace is how much later than its deadline a Send may return; zero means 2 s. It is waited for in small pieces, so that
	// time in which the machine runs something else hardly counts.
	Grace time.Duration
}

// Run checks every rule in a subtest of its own.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if h.Sender == nil {
		t.Fatal("sendertest: Harness.Sender is nil: there is nothing to check")
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			if err := r.check(h); err != nil {
				t.Errorf("%v\nthe rule: %s", err, r.why)
			}
		})
	}
}

type rule struct {
	name  string
	check func(Harness) error
	why   string
}

var rules = []rule{
	{"delivers a code and a notice unchanged", delivers,
		"a person types what the message says, and a code bound to its origin works only with its last line intact"},
	{"delivers in parallel without mixing", parallel,
		"Send is called by many logins at once; a code at another's address would let them in"},
	{"reports a refusal", reportsRefusal,
		"a nil error means delivered: a swallowed failure leaves a person waiting while no other method is offered"},
	{"returns at its deadline", returnsAtDeadline,
		"a login waits for the send; a provider that hangs must not hold it"},
	{"returns when cancelled", returnsWhenCancelled,
		"a server that shuts down cancels its sends"},
	{"sends nothing after the end", sendsNothingLate,
		"when the context has ended the login has been answered already"},
	{"lets nothing add a header or a recipient", injectsNothing,
		"a line break in an address or a subject would send the code to somebody else; refuse it, or carry it as it is"},
	{"keeps the code, the destination and secrets out of errors", errorsAreClean,
		"errors are logged (I-21); a log with codes is a way in, and one with addresses is a list of people"},
	{"prints without secrets", printsClean,
		"a sender is part of configurations that get printed (I-21)"},
}

// message makes the n-th message, every field its own.
func (h Harness) message(n int) challenge.Message {
	code := fmt.Sprintf("%08d", 31415926+n*1009)
	m := challenge.Message{
		Channel: challenge.ChannelEmail, To: fmt.Sprintf("person%d@example.com", n), Code: challenge.Code(code),
		Subject:  fmt.Sprintf("Überprüfung %d: your sign-in", n),
		Body:     fmt.Sprintf("Hello,\n\nyour code is %s <&> “ok”.\n.\n\n@acme.example #%s", code, code),
		HTML:     fmt.Sprintf("<p>Your code is <b>%s</b>.</p>", code),
		Language: "en",
	}
	if h.Channel == challenge.ChannelSMS {
		m.Channel, m.To, m.Subject, m.HTML = challenge.ChannelSMS, fmt.Sprintf("+316%08d", n), "", ""
	}
	return m
}

func (h Harness) notice(n int) challenge.Message {
	m := h.message(n)
	m.Code = ""
	m.Body, m.HTML = "An authenticator was removed from your account.", ""
	return m
}

func (h Harness) grace() time.Duration {
	if h.Grace == 0 {
		return 2 * time.Second
	}
	return h.Grace
}

// send calls Send and gives up on it once grace has passed after ctx's end.
func (h Harness) send(ctx context.Context, s challenge.Sender, m challenge.Message) (returned bool, err error) {
	done := make(chan error, 1)
	go func() { done <- s.Send(ctx, m) }()
	select {
	case err := <-done:
		return true, err
	case <-ctx.Done():
	}
	const pieces = 100
	for range pieces {
		select {
		case err := <-done:
			return true, err
		case <-time.After(h.grace() / pieces):
		}
	}
	select {
	case err := <-done: // in the same moment as the last piece ended
		return true, err
	default:
		return false, nil
	}
}

// enough ends a Send that hangs, on however slow a machine.
const enough = time.Minute

// sendPlainly sends with time enough.
func (h Harness) sendPlainly(s challenge.Sender, m challenge.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), enough)
	defer cancel()
	returned, err := h.send(ctx, s, m)
	if !returned {
		return errors.New("Send did not return")
	}
	return err
}

// arrivals returns what was delivered since the first seen messages.
func (h Harness) arrivals(seen int) []challenge.Message { return h.Delivered()[seen:] }

func (h Harness) seen() int {
	if h.Delivered == nil {
		return 0
	}
	return len(h.Delivered())
}

func delivers(h Harness) error {
	for _, m := range []challenge.Message{h.message(1), h.notice(2)} {
		before := m
		seen := h.seen()
		if err := h.sendPlainly(h.Sender, m); err != nil {
			return fmt.Errorf("Send failed: %w", err)
		}
		if h.Delivered == nil {
			continue
		}
		got := h.arrivals(seen)
		if len(got) != 1 {
			return fmt.Errorf("one Send delivered %d messages", len(got))
		}
		if field := difference(before, got[0]); field != "" {
			return fmt.Errorf("%s arrived changed", field)
		}
	}
	return nil
}

// difference names the first field of got that is not as sent.
func difference(sent, got challenge.Message) string {
	// Mail ends every line with CRLF and the last one too (RFC 5322 §2.1).
	plain := func(s string) string { return strings.TrimSuffix(strings.ReplaceAll(s, "\r\n", "\n"), "\n") }
	switch {
	case got.To != sent.To:
		return "To"
	case plain(got.Body) != plain(sent.Body):
		return "Body"
	case got.Channel != "" && got.Channel != sent.Channel:
		return "Channel"
	case got.Code != "" && got.Code != sent.Code:
		return "Code"
	case got.Subject != "" && got.Subject != sent.Subject:
		return "Subject"
	case got.HTML != "" && plain(got.HTML) != plain(sent.HTML):
		return "HTML"
	case got.Language != "" && got.Language != sent.Language:
		return "Language"
	}
	return ""
}

func parallel(h Harness) error {
	const n = 16
	seen := h.seen()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = h.sendPlainly(h.Sender, h.message(100+i)) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("Send failed: %w", err)
	}
	if h.Delivered == nil {
		return nil
	}
	got := h.arrivals(seen)
	if len(got) != n {
		return fmt.Errorf("%d parallel Sends delivered %d messages", n, len(got))
	}
	for i := range n {
		want := h.message(100 + i)
		at := slices.IndexFunc(got, func(m challenge.Message) bool { return m.To == want.To })
		if at < 0 {
			return errors.New("a message did not arrive at its address")
		}
		if field := difference(want, got[at]); field != "" {
			return fmt.Errorf("%s arrived changed, or another's", field)
		}
	}
	return nil
}

func reportsRefusal(h Harness) error {
	if h.Refused == nil {
		return nil
	}
	if h.sendPlainly(h.Refused, h.message(200)) == nil {
		return errors.New("Send returned nil although the destination refused")
	}
	return nil
}

func returnsAtDeadline(h Harness) error {
	if h.Stuck == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	return h.ended(ctx, h.message(300))
}

func returnsWhenCancelled(h Harness) error {
	if h.Stuck == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	timer := time.AfterFunc(50*time.Millisecond, cancel)
	defer timer.Stop()
	return h.ended(ctx, h.message(301))
}

func (h Harness) ended(ctx context.Context, m challenge.Message) error {
	returned, err := h.send(ctx, h.Stuck, m)
	switch {
	case !returned:
		return fmt.Errorf("Send did not return within %v after its context ended", h.grace())
	case err == nil:
		return errors.New("Send returned nil although nothing was answered")
	}
	return nil
}

func sendsNothingLate(h Harness) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	seen := h.seen()
	returned, err := h.send(ctx, h.Sender, h.message(400))
	switch {
	case !returned:
		return errors.New("Send did not return although its context had ended before")
	case err == nil:
		return errors.New("Send returned nil although its context had ended before")
	case h.Delivered != nil && len(h.arrivals(seen)) != 0:
		return errors.New("Send delivered although its context had ended before")
	}
	return nil
}

// hostile are messages whose address or subject tries to add a header field, a recipient or a command.
func (h Harness) hostile() (list []challenge.Message) {
	const eve = "eve@example.net"
	to := []string{"%s\r\nBcc: " + eve, "%s\nBcc: " + eve, "%s\rBcc: " + eve, "%s>\r\nRCPT TO:<" + eve, "%s," + eve, "%s\r\n\r\nhello", "Eve <" + eve + ">, %s", "%s\x00"}
	subject := []string{"\r\nBcc: " + eve, "\nBcc: " + eve, "\rBcc: " + eve, "\r\n\r\nanother body"}
	if h.Channel == challenge.ChannelSMS {
		to, subject = []string{"%s\r\nX: y", "%s,+31699999999", "%s&To=+31699999999", "%s\x00"}, nil
	}
	for i, format := range to {
		m := h.message(600 + i)
		m.To = fmt.Sprintf(format, m.To)
		list = append(list, m)
	}
	for i, more := range subject {
		m := h.message(700 + i)
		m.Subject += more
		list = append(list, m)
	}
	return list
}

// injectsNothing allows two answers to a hostile message: an error and nothing delivered, or one message as it was given,
// the line breaks of its subject taken out at most.
func injectsNothing(h Harness) error {
	for _, m := range h.hostile() {
		seen := h.seen()
		err := h.sendPlainly(h.Sender, m)
		if where := shows(err, []string{string(m.Code), m.Body, m.To}); err != nil && where != "" {
			return fmt.Errorf("the error for To %q, Subject %q shows the code, the body or the destination, printed with %s", m.To, m.Subject, where)
		}
		if h.Delivered == nil {
			continue
		}
		got := h.arrivals(seen)
		switch {
		case err != nil && len(got) != 0:
			return fmt.Errorf("To %q, Subject %q: delivered, although Send failed", m.To, m.Subject)
		case err == nil && len(got) != 1:
			return fmt.Errorf("To %q, Subject %q: one Send delivered %d messages", m.To, m.Subject, len(got))
		case err == nil:
			if got[0].Subject != "" {
				m.Subject, got[0].Subject = oneLine(m.Subject), oneLine(got[0].Subject)
			}
			if field := difference(m, got[0]); field != "" {
				return fmt.Errorf("To %q, Subject %q: %s arrived changed: the rest has become something else", m.To, m.Subject, field)
			}
		}
	}
	return nil
}

// oneLine takes white space out, since a sender may fold a subject or join its lines.
func oneLine(s string) string { return strings.Join(strings.Fields(s), "") }

func errorsAreClean(h Harness) error {
	m := h.message(500)
	secrets := append(slices.Clone(h.Secrets), string(m.Code), m.Body, m.To, strings.Split(m.To, "@")[0])
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, try := range []struct {
		what   string
		ctx    context.Context
		limit  time.Duration
		sender challenge.Sender
	}{
		{"a refusal", context.Background(), enough, h.Refused},
		{"a deadline", context.Background(), 50 * time.Millisecond, h.Stuck},
		{"an ended context", ended, enough, h.Sender},
	} {
		if try.sender == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(try.ctx, try.limit)
		_, err := h.send(ctx, try.sender, m)
		cancel()
		if where := shows(err, secrets); err != nil && where != "" {
			return fmt.Errorf("the error of %s shows the code, the body, the destination or a secret, printed with %s", try.what, where)
		}
	}
	return nil
}

func printsClean(h Harness) error {
	for _, s := range []challenge.Sender{h.Sender, h.Refused, h.Stuck} {
		if s == nil {
			continue
		}
		if where := shows(s, h.Secrets); where != "" {
			return fmt.Errorf("%T shows a secret, printed with %s", s, where)
		}
	}
	return nil
}

// shows returns the way of printing v that contains one of secrets, or "".
func shows(v any, secrets []string) string {
	printed := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		printed[verb] = fmt.Sprintf(verb, v)
	}
	if b, err := json.Marshal(v); err == nil { // slog's JSON handler does the same
		printed["encoding/json"] = string(b)
	}
	for how, text := range printed {
		for _, s := range secrets {
			if s != "" && strings.Contains(text, s) {
				return how
			}
		}
	}
	return ""
}
