package challenge

import (
	"context"
	"fmt"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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

// target finds where a code goes and which authenticator that is; id is empty for the destination that Users knows. A new
// authenticator is confirmed at its own destination and nowhere else; the proof before enrolling goes to the account's own.
func (s sentFactor) target(a *Attempt) (id, to string, ok bool) {
	if len(a.Enrolled) > 0 && a.Purpose != PurposeEnrolProof {
		to, ok = s.address(string(a.Enrolled[0].Data))
		return a.Enrolled[0].ID, to, ok
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
	a.SetCode(code, a.TTL())
	return nil
}

func (s sentFactor) verify(a *Attempt, answer []byte) (Proof, error) {
	if err := a.CheckCode(answer); err != nil {
		return Proof{}, err
	}
	id, _, ok := s.target(a)
	if !ok { // the destination is gone since the code was sent
		return Proof{}, ErrNoCode
	}
	return Proof{Authenticator: id}, nil
}

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

// mailAddress accepts one bare address (RFC 5322 addr-spec, at most 254 bytes, RFC 5321 section 4.5.3.1) that cannot end
// a header line. The domain is lower-cased; the local part belongs to its host.
func mailAddress(s string) (string, bool) {
	if s == "" || len(s) > 254 || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || unicode.Is(unicode.Cf, r) }) {
		return "", false
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Name != "" || a.Address != s {
		return "", false
	}
	at := strings.LastIndexByte(s, '@')
	if strings.HasPrefix(s[at+1:], "[") { // a host by its number is nobody's mailbox
		return "", false
	}
	return s[:at+1] + strings.ToLower(s[at+1:]), true
}

// phoneNumber accepts a number in E.164: a plus and 7 to 15 digits, the first not 0. The spaces, dots, hyphens and
// brackets that people type are dropped.
func phoneNumber(s string) (string, bool) {
	if len(s) > maxTyped {
		return "", false
	}
	n := strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "").Replace(s)
	if len(n) < 8 || len(n) > 16 || n[0] != '+' || n[1] == '0' {
		return "", false
	}
	if _, ok := parseDigits(n[1:]); !ok {
		return "", false
	}
	return n, true
}

// Mask shows enough of a destination for its owner to know it and too little for anybody else to use it: c•••l@example.com,
// •••01. The number of dots says nothing about the length. Of an unknown channel's destination nothing is shown.
func Mask(channel, to string) string {
	const dots = "•••"
	switch channel {
	case ChannelEmail:
		at := strings.LastIndexByte(to, '@')
		if at < 1 {
			return dots
		}
		local, domain := []rune(to[:at]), to[at:]
		switch len(local) {
		case 1, 2:
			return dots + domain
		case 3:
			return string(local[:1]) + dots + domain
		}
		return string(local[:1]) + dots + string(local[len(local)-1:]) + domain
	case ChannelSMS:
		if len(to) < 8 {
			return dots
		}
		return dots + to[len(to)-2:]
	}
	return dots
}
