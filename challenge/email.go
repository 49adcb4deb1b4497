package challenge

import (
	"context"
	"strings"

	"github.com/sallyport-go/sallyport/challenge/texts"
)

// Email is the factor of a code by mail, to the account's confirmed address ([Account].Email) or to an enrolled one. A
// code is random, lives at most as long as Config.CodeTTL, is right in one pending login only and is replaced by the next
// one sent (I-13).
//
// NIST SP 800-63B-4 section 3.1.3.1 does not count mail as proof of possession of a device; it is offered because it is
// what many people have. Name "totp" or a passkey in the [Verdict] of accounts that need more.
type Email struct {
	// Sender delivers the mail. Required.
	Sender Sender
	// Digits is the length of a code, 6 to 10. Zero means 6.
	Digits int
}

var (
	_ Factor       = (*Email)(nil)
	_ Parser       = (*Email)(nil)
	_ Deliverer    = (*Email)(nil)
	_ Availability = (*Email)(nil)
	_ Addresser    = (*Email)(nil)
	_ Checker      = (*Email)(nil)
)

func (e *Email) factor() sentFactor {
	digits := e.Digits
	if digits == 0 {
		digits = 6
	}
	return sentFactor{
		channel: ChannelEmail,
		digits:  digits,
		sender:  e.Sender,
		own:     func(a Account) string { return a.Email },
		address: mailAddress,
		compose: func(a *Attempt, code Code) Message {
			// The subject holds no code: lock screens and logs of mail servers show subjects.
			subject := strings.Join(strings.Fields(a.Text(texts.MailCodeSubject, "site", siteHost(a.Site))), " ")
			return Message{Subject: subject, Body: a.codeText(texts.MailCodeBody, code)}
		},
	}
}

// Name is "email".
func (e *Email) Name() string { return "email" }

// Check refuses a missing Sender and a code length out of bounds.
func (e *Email) Check(Site) error { return e.factor().valid() }

// Begin sends a fresh code. After an error no answer is right.
func (e *Email) Begin(ctx context.Context, a *Attempt) error { return e.factor().begin(ctx, a) }

// Parse accepts exactly as many ASCII digits as codes have.
func (e *Email) Parse(answer string) ([]byte, bool) { return e.factor().parse(answer) }

// Verify is [Attempt.CheckCode], of a code for where it was sent.
func (e *Email) Verify(_ context.Context, a *Attempt, answer []byte) (Proof, error) {
	return e.factor().verify(a, answer)
}

// Destination is the address that was enrolled last, else the account's own.
func (e *Email) Destination(a *Attempt) (channel, to string, ok bool) {
	_, to, ok = e.factor().target(a)
	return ChannelEmail, to, ok
}

// Available reports whether there is a usable address.
func (e *Email) Available(a *Attempt) bool {
	_, _, ok := e.factor().target(a)
	return ok
}

// Address gives the canonical form of an address that a person typed.
func (e *Email) Address(typed string) (data []byte, ok bool) { return e.factor().enrol(typed) }
