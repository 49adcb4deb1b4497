package smtp

import (
	"crypto/rand"
	"errors"
	stdmail "net/mail"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wneessen/go-mail"

	"github.com/sallyport-go/sallyport/challenge"
)

const maxAddress = 254 // RFC 5321 §4.5.3.1.3, less the angle brackets

var languageTag = regexp.MustCompile(`^[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*$`) // the shape of RFC 5646 §2.1

// compose builds the mail, or refuses a message that could not be one mail to one address. Its errors repeat nothing of m.
func compose(from *stdmail.Address, m challenge.Message) (*mail.Msg, error) {
	if err := m.CheckMail(); err != nil {
		return nil, err
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(from)
	msg.ToMailAddress(&stdmail.Address{Address: m.To})
	msg.Subject(m.Subject)
	msg.SetDate()
	// Not the library's own id, which tells the name of this machine to every reader.
	msg.SetMessageIDWithValue(rand.Text() + from.Address[strings.LastIndexByte(from.Address, '@'):])
	// No answer from a holiday responder, which would quote the code (RFC 3834 §5).
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	if languageTag.MatchString(m.Language) {
		msg.SetGenHeader("Content-Language", m.Language) // RFC 3282
	}
	msg.SetBodyString(mail.TypeTextPlain, m.Body)
	if m.HTML != "" {
		msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	}
	return msg, nil
}

// checkAddress accepts name@host alone: no display name, comment, list or quoted local part.
func checkAddress(s string) error {
	if hasControl(s) || len(s) > maxAddress {
		return errors.New("not an address")
	}
	a, err := stdmail.ParseAddress(s)
	if err != nil || a.Address != s { // parsing drops all that is not the bare address
		return errors.New("not an address")
	}
	return nil
}

func hasControl(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' // Unicode's line separators too
	})
}
