package challenge

import (
	"crypto/rand"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/sallyport-go/sallyport/challenge/texts"
)

// Attempt is one try of one factor in one pending login. It is made by the machine; a factor reads its fields and calls
// its methods, and keeps no reference to it after returning.
type Attempt struct {
	Account  Account
	Client   Client
	Purpose  Purpose
	Language string          // chosen from the account's and the client's, one that Texts has
	Site     string          // Config.Site: the origin, https://acme.example
	Now      time.Time       // by the injected clock
	Enrolled []Authenticator // this factor's confirmed authenticators that are not disabled; while enrolling, just the new one
	Existing []Authenticator // while a finished login enrols another: what there is already
	Texts    *texts.Catalog

	// Info may be set by Begin or Verify: a text of the factor's own for the person, escaped where it is shown.
	Info string

	keys    *Keyring
	random  io.Reader
	context string // binds a sent code to account, pending login, purpose and factor
	sent    sentCode
	posed   posed
	mails   *mails
	report  string // of a SendReporter: what failed on the way
	maxTTL  time.Duration
}

// sentCode is what a pending login remembers of a code that was sent: a keyed hash and its end.
type sentCode struct {
	mac []byte
	end time.Time
}

// posed is a challenge that a factor has set: what it keeps of it, and what the client gets. Neither is a secret.
type posed struct{ state, options []byte }

// SetChallenge keeps what a factor needs to verify an answer that is made for this prompt only, such as a signature over a
// nonce (WebAuthn). state comes back to Verify once: the machine takes it out of the session before Verify sees it, so an
// answer cannot be shown twice. options are handed to the client as they are. Neither may hold a secret.
func (a *Attempt) SetChallenge(state, options []byte) { a.posed = posed{state, options} }

// Challenge is the state that SetChallenge kept; nil when there is none, or when it was taken before.
func (a *Attempt) Challenge() []byte { return a.posed.state }

// Digits draws a code of n decimal digits, leading zeros included, evenly, from the injected source of randomness.
func (a *Attempt) Digits(n int) (Code, error) {
	max := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	v, err := rand.Int(a.random, max)
	if err != nil {
		return "", unavailable("random source", err)
	}
	return Code(fmt.Sprintf("%0*d", n, v)), nil
}

// Random fills b from the injected source of randomness.
func (a *Attempt) Random(b []byte) error {
	if _, err := io.ReadFull(a.random, b); err != nil {
		return unavailable("random source", err)
	}
	return nil
}

// SetCode makes code the one right answer of this pending login, replacing any earlier one. Only a keyed hash bound to the
// account, the pending login, the purpose and the factor is kept. ttl is capped by Config.CodeTTL (at most 10 minutes,
// NIST SP 800-63B-4 section 3.1.3.2).
func (a *Attempt) SetCode(code Code, ttl time.Duration) {
	if ttl <= 0 || ttl > a.maxTTL {
		ttl = a.maxTTL
	}
	a.sent = sentCode{mac: a.keys.Hash("sent code", a.context, string(code)), end: a.Now.Add(ttl)}
}

// CheckCode compares answer with the code that SetCode set, in constant time. It returns nil, ErrWrongCode, ErrNoCode or
// ErrCodeExpired.
func (a *Attempt) CheckCode(answer []byte) error {
	switch {
	case len(a.sent.mac) == 0:
		return ErrNoCode
	case !a.Now.Before(a.sent.end):
		return ErrCodeExpired
	case !a.keys.Matches(a.sent.mac, "sent code", a.context, string(answer)):
		return ErrWrongCode
	}
	return nil
}

// Hash is a keyed hash of value for data that the factor keeps, bound to the account and to label. It is [Keyring.Hash].
func (a *Attempt) Hash(label, value string) []byte {
	return a.keys.Hash("factor "+label, a.Account.ID, value)
}

// Matches reports whether mac was made by [Attempt.Hash] for the same label and value, by any key that is still read.
func (a *Attempt) Matches(mac []byte, label, value string) bool {
	return a.keys.Matches(mac, "factor "+label, a.Account.ID, value)
}

// Text returns the text for key in the attempt's language. args are pairs of placeholder and value.
func (a *Attempt) Text(key texts.Key, args ...string) string {
	return a.Texts.Text(a.Language, key, args...)
}

// TTL is how long a sent code may live in this deployment.
func (a *Attempt) TTL() time.Duration { return a.maxTTL }
