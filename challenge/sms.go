package challenge

import (
	"context"

	"github.com/sallyport-go/sallyport/challenge/texts"
)

// SMS is the factor of a code by text message, to the account's confirmed number ([Account].Phone) or to an enrolled one.
// Its codes are those of [Email]. The last line binds the code to the site's host, so that phones offer it on that site only
// (WICG, "Origin-bound one-time codes delivered via SMS").
//
// NIST SP 800-63B-4 section 3.2.9 calls the telephone network a restricted authenticator: offer another one beside it.
type SMS struct {
	// Sender delivers the message. Required.
	Sender Sender
	// Digits is the length of a code, 6 to 10. Zero means 6.
	Digits int
}

var (
	_ Factor       = (*SMS)(nil)
	_ Parser       = (*SMS)(nil)
	_ Deliverer    = (*SMS)(nil)
	_ Availability = (*SMS)(nil)
	_ Addresser    = (*SMS)(nil)
	_ Checker      = (*SMS)(nil)
)

func (s *SMS) factor() sentFactor {
	digits := s.Digits
	if digits == 0 {
		digits = 6
	}
	return sentFactor{
		channel: ChannelSMS,
		digits:  digits,
		sender:  s.Sender,
		own:     func(a Account) string { return a.Phone },
		address: phoneNumber,
		compose: func(a *Attempt, code Code) Message {
			return Message{Body: a.codeText(texts.SMSCodeBody, code) + "\n@" + siteHost(a.Site) + " #" + string(code)}
		},
	}
}

// Name is "sms".
func (s *SMS) Name() string { return "sms" }

// Check refuses a missing Sender and a code length out of bounds.
func (s *SMS) Check(Site) error { return s.factor().valid() }

// Begin sends a fresh code. After an error no answer is right.
func (s *SMS) Begin(ctx context.Context, a *Attempt) error { return s.factor().begin(ctx, a) }

// Parse accepts exactly as many ASCII digits as codes have.
func (s *SMS) Parse(answer string) ([]byte, bool) { return s.factor().parse(answer) }

// Verify is [Attempt.CheckCode], of a code for where it was sent.
func (s *SMS) Verify(_ context.Context, a *Attempt, answer []byte) (Proof, error) {
	return s.factor().verify(a, answer)
}

// Destination is the number that was enrolled last, else the account's own.
func (s *SMS) Destination(a *Attempt) (channel, to string, ok bool) {
	_, to, ok = s.factor().target(a)
	return ChannelSMS, to, ok
}

// Available reports whether there is a usable number.
func (s *SMS) Available(a *Attempt) bool {
	_, _, ok := s.factor().target(a)
	return ok
}

// Address gives the canonical form of a number in E.164 that a person typed.
func (s *SMS) Address(typed string) (data []byte, ok bool) { return s.factor().enrol(typed) }
