package senders

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/sallyport-go/sallyport/challenge"
)

const defaultOutboxSize = 100

// Outbox delivers nothing: it keeps the last messages in memory and, with a Writer, writes each as one line of JSON.
//
// It is for tests and demonstrations only, because it writes codes in clear: whoever reads its output can log in. In
// production use [Webhook], [Twilio] or senders/smtp.
//
// A line is an object with exactly the keys channel ("email" or "sms"), to, code, subject and body. code is absent in a
// notice; subject is present and empty for an SMS.
//
// The zero value is ready to use. An Outbox is safe for concurrent use and must not be copied after the first Send; the
// fields must not change after it.
type Outbox struct {
	// Writer gets the lines, one Write each; nil means memory only. Nothing can interrupt a Write, so a Writer that blocks
	// holds Send beyond its deadline: give it a file, a terminal or a buffer.
	Writer io.Writer
	// Size is how many messages are kept in memory; the oldest makes room. Zero means 100.
	Size int

	mu       sync.Mutex
	messages []challenge.Message // oldest first, at most Size
}

var _ challenge.Sender = (*Outbox)(nil)

// outboxLine is the published format. Code is a plain string because challenge.Code redacts itself.
type outboxLine struct {
	Channel string `json:"channel"`
	To      string `json:"to"`
	Code    string `json:"code,omitempty"`
	Subject string `json:"subject"`
	Body    string `json:"body"`
}

// Send keeps m. It fails, and keeps nothing, when the context has ended, Size is negative or the Writer fails.
func (o *Outbox) Send(ctx context.Context, m challenge.Message) error {
	if o.Size < 0 {
		return fmt.Errorf("senders: outbox of size %d: use 0 for the default of %d, or a positive size", o.Size, defaultOutboxSize)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("senders: outbox: %w", err)
	}
	if o.Writer != nil {
		enc := json.NewEncoder(o.Writer) // one Write for each Encode
		enc.SetEscapeHTML(false)         // a person reads the links
		if err := enc.Encode(outboxLine{m.Channel, m.To, string(m.Code), m.Subject, m.Body}); err != nil {
			return fmt.Errorf("senders: outbox: %w", err)
		}
	}
	size := o.Size
	if size == 0 {
		size = defaultOutboxSize
	}
	if len(o.messages) >= size {
		o.messages = slices.Delete(o.messages, 0, len(o.messages)-size+1)
	}
	o.messages = append(o.messages, m)
	return nil
}

// Messages returns a copy of what is kept, oldest first.
func (o *Outbox) Messages() []challenge.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.messages)
}

// Last returns the newest kept message of the channel to the address or number, and whether there is one.
func (o *Outbox) Last(channel, to string) (challenge.Message, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range slices.Backward(o.messages) {
		if m.Channel == channel && m.To == to {
			return m, true
		}
	}
	return challenge.Message{}, false
}

// Clear forgets every kept message. What the Writer got stays written.
func (o *Outbox) Clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.messages = nil
}

// Format shows how many messages are kept.
func (o *Outbox) Format(f fmt.State, _ rune) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = fmt.Fprintf(f, "outbox(%d)", len(o.messages))
}
