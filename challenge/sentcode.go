package challenge

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/challenge/texts"
)

// maxTyped bounds what is looked at of a typed answer, spaces included.
const maxTyped = 64

// Addresser is an optional ability of a [Factor] whose authenticators are destinations that people type. Address gives the
// data of a new authenticator, or reports that a message cannot go there. The authenticator counts for nothing until the
// code that Begin sends to it with Purpose "enrol" has come back.
type Addresser interface {
	Address(typed string) (data []byte, ok bool)
}

// sentFactor is what e-mail and SMS share: a code of random digits that the pending login keeps as a keyed hash, sent to
// the account's confirmed destination or to an enrolled one (I-13).
type sentFactor struct {
	channel string
	digits  int
	sender  Sender
	own     func(Account) string             // the confirmed destination that Users knows
	address func(string) (string, bool)      // canonical form of a destination
	compose func(*Attempt, Code) (m Message) // subject and body
}

func (s sentFactor) valid() error {
	if s.sender == nil {
		return fmt.Errorf("challenge: factor %q: no Sender: give it one, such as smtp.Sender for mail or senders.Twilio for SMS", s.channel)
	}
	if s.digits < 6 || s.digits > 10 {
		return fmt.Errorf("challenge: factor %s: codes of %d digits: use 6 to 10", s.channel, s.digits)
	}
	return nil
}

// target finds where a code goes and which authenticator that is; id is empty for the destination that Users knows. Of
// several the one added last counts: whoever has lost the one before it adds another. A new authenticator is confirmed at its
// own destination and nowhere else; the proof before enrolling goes to the account's own.
func (s sentFactor) target(a *Attempt) (id, to string, ok bool) {
	if n := len(a.Enrolled); n > 0 && a.Purpose != PurposeEnrolProof {
		last := a.Enrolled[n-1]
		to, ok = s.address(string(last.Data))
		return last.ID, to, ok
	}
	if a.Purpose == PurposeEnrol {
		return "", "", false
	}
	to, ok = s.address(s.own(a.Account))
	return "", to, ok
}

// begin draws a code, sends it and makes it the one right answer. After any error, a panic of the sender included, the
// one right answer is a code that nobody knows.
func (s sentFactor) begin(ctx context.Context, a *Attempt) error {
	a.setNobodysCode()
	if err := s.valid(); err != nil {
		return fmt.Errorf("%w: %w", ErrSend, err)
	}
	_, to, ok := s.target(a)
	if !ok {
		return fmt.Errorf("%w: the account has no %s destination", ErrSend, s.channel)
	}
	code, err := a.Digits(s.digits)
	if err != nil {
		return err
	}
	m := s.compose(a, code)
	m.Channel, m.To, m.Code, m.Language = s.channel, to, code, a.Language
	if a.report, err = send(ctx, s.sender, a.mails.withHTML(m)); err != nil {
		return fmt.Errorf("%w: %w", ErrSend, err)
	}
	a.SetCode(sentTo(to, string(code)), a.TTL())
	return nil
}

func (s sentFactor) verify(a *Attempt, answer []byte) (Proof, error) {
	id, to, ok := s.target(a)
	if !ok { // the destination is gone since the code was sent
		return Proof{}, ErrNoCode
	}
	if err := a.CheckCode([]byte(sentTo(to, string(answer)))); err != nil {
		return Proof{}, err
	}
	return Proof{Authenticator: id}, nil
}

// sentTo binds a code to where it was sent: it proves nothing of another destination that codes go to when it comes back.
func sentTo(to, code string) Code { return Code(code + "\x00" + to) }

func (s sentFactor) parse(answer string) ([]byte, bool) {
	code, ok := parseDigits(answer)
	return code, ok && len(code) == s.digits
}

func (s sentFactor) enrol(typed string) ([]byte, bool) {
	to, ok := s.address(typed)
	if !ok {
		return nil, false
	}
	return []byte(to), true
}

// setNobodysCode makes the one right answer a code that nobody knows and that nobody can type. With the random source in
// error there is no code at all, which is as closed.
func (a *Attempt) setNobodysCode() {
	a.sent = sentCode{}
	b := make([]byte, 32)
	if a.Random(b) == nil {
		a.SetCode(Code("\x00"+string(b)), 0)
	}
}

// codeText is the text for key around a code. The code stands on a line of its own, so that it can be read aloud, copied
// whole and found by the phone; a text that has lost its placeholder gets the line added.
func (a *Attempt) codeText(key texts.Key, code Code) string {
	body := strings.TrimRight(a.Text(key,
		"site", siteHost(a.Site),
		"code", string(code),
		"minutes", strconv.Itoa(int((a.TTL()+time.Minute-1)/time.Minute)),
	), " \r\n")
	for line := range strings.Lines(body) {
		if strings.TrimSpace(line) == string(code) {
			return body + "\n"
		}
	}
	return body + "\n\n" + string(code) + "\n"
}

// parseDigits accepts ASCII digits only, 1 or more: no space, no sign, no digit of another script (I-12).
func parseDigits(answer string) ([]byte, bool) {
	if len(answer) > maxTyped {
		return nil, false
	}
	for i := range len(answer) {
		if answer[i] < '0' || answer[i] > '9' {
			return nil, false
		}
	}
	return []byte(answer), answer != ""
}

// siteHost is the host of an origin, without a port.
func siteHost(site string) string {
	u, err := url.Parse(site)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
