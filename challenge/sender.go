package challenge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxReport bounds, in bytes, what a [SendReporter] may add to an audit event.
const maxReport = 128

// Sender delivers a message. It must return within the context's deadline, be safe for concurrent use, and keep the code,
// the destination and its own credentials out of its errors.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// ErrRecipient is a message that a destination cannot get whoever carries it: a mailbox or number that does not exist. A
// [Sender] that knows so may wrap it in its error. It says nothing against the provider.
var ErrRecipient = errors.New("challenge: the destination cannot be reached")

// SendReporter is an optional ability of a [Sender] that has more than one way to deliver. SendReport is Send; report says
// in a few words which ways failed, for the reason of an audit event, and is empty when the first one worked. Like an
// error it must hold no code, destination or secret.
type SendReporter interface {
	Sender
	SendReport(ctx context.Context, m Message) (report string, err error)
}

// send calls a sender; a panic in it is a failure.
func send(ctx context.Context, s Sender, m Message) (report string, err error) {
	defer func() {
		if recover() != nil {
			err = ErrSend
		}
	}()
	if r, ok := s.(SendReporter); ok {
		report, err = r.SendReport(ctx, m)
		return clip(report, maxReport), err
	}
	return "", s.Send(ctx, m)
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

// Message is one mail or SMS. Subject and HTML are empty for an SMS; Code is empty in a notice. HTML says what Body says, and
// is empty where Config.Mail asks for text only. Both contain the code, so the whole message redacts itself.
type Message struct {
	Channel  string // ChannelEmail or ChannelSMS
	To       string // a mail address or a number in E.164
	Code     Code
	Subject  string
	Body     string
	HTML     string
	Language string // BCP 47
}

// CheckMail says why m is not one mail to one address: another channel than e-mail, a To that is not one bare address, a
// Subject that could end its header line, or no text. A sender of mails calls it before it says anything to anybody. Its
// errors repeat nothing of m; that of a bad To is [ErrRecipient].
func (m Message) CheckMail() error {
	_, addressed := mailAddress(m.To)
	switch {
	case m.Channel != ChannelEmail:
		return errors.New("cannot send on another channel than email: give this sender to the e-mail factor only")
	case !addressed || breaksLine(m.To):
		return fmt.Errorf("%w: To is not one bare mail address (name@host, no line breaks)", ErrRecipient)
	case breaksLine(m.Subject):
		return errors.New("Subject contains a line break or another control character, or is not UTF-8")
	case m.Body == "":
		return errors.New("the message has no text body")
	}
	return nil
}

// breaksLine reports whether s could end a line, Unicode's separators included, or is not text.
func breaksLine(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	})
}

// Format shows the channel only.
func (m Message) Format(f fmtState, _ rune) { writeRedacted(f, "message("+m.Channel+")") }

// LogValue shows the channel only.
func (m Message) LogValue() slog.Value { return slog.StringValue("message(" + m.Channel + ")") }

// MarshalJSON shows the channel only; a sender that needs JSON builds its own.
func (m Message) MarshalJSON() ([]byte, error) { return []byte(`"message"`), nil }
