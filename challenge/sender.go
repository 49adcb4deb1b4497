package challenge

import (
	"context"
	"log/slog"
)

// Sender delivers a message. It must return within the context's deadline, be safe for concurrent use, and keep the
// code and its own credentials out of its errors.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// Code is a one-time code. It prints as "[code]" whatever the verb, in slog and as JSON; string(c) is the only way to read it.
type Code string

// Format hides the code from every verb.
func (Code) Format(f fmtState, _ rune) { writeRedacted(f, "[code]") }

// String hides the code.
func (Code) String() string { return "[code]" }

// LogValue hides the code from slog.
func (Code) LogValue() slog.Value { return slog.StringValue("[code]") }

// MarshalJSON hides the code from encoding/json.
func (Code) MarshalJSON() ([]byte, error) { return []byte(`"[code]"`), nil }

// Channels a message can take.
const (
	ChannelEmail = "email"
	ChannelSMS   = "sms"
)

// Message is one mail or SMS. Subject and HTML are empty for an SMS; Code is empty in a notice. Body and HTML contain
// the code, so the whole message redacts itself.
type Message struct {
	Channel  string // ChannelEmail or ChannelSMS
	To       string // a mail address or a number in E.164
	Code     Code
	Subject  string
	Body     string
	HTML     string
	Language string // BCP 47
}

// Format shows the channel only.
func (m Message) Format(f fmtState, _ rune) { writeRedacted(f, "message("+m.Channel+")") }

// LogValue shows the channel only.
func (m Message) LogValue() slog.Value { return slog.StringValue("message(" + m.Channel + ")") }

// MarshalJSON shows the channel only; a sender that needs JSON builds its own.
func (m Message) MarshalJSON() ([]byte, error) { return []byte(`"message"`), nil }
