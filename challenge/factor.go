package challenge

import (
	"context"
	"time"
)

// Purpose is what a code is for. A code made for one purpose is worthless for another.
type Purpose string

const (
	PurposeLogin      Purpose = "login"
	PurposeStepUp     Purpose = "step-up"
	PurposeEnrolProof Purpose = "enrol-proof" // the code to the account's own address that precedes enrolling in a pending login
	PurposeEnrol      Purpose = "enrol"       // the code that confirms a new authenticator
)

// Factor is one kind of second factor. It holds no state of its own about a login: what it needs comes with the
// [Attempt], what it makes goes back through it. It must be safe for concurrent use.
//
// The machine has spent a guess before it calls Verify, catches a panic of either method as a failure, and uses up the
// [Proof] before anybody is let in.
type Factor interface {
	// Name is the method's name on the wire: "totp", "email". Lower-case ASCII letters, digits and hyphens.
	Name() string
	// Begin sends a code or prepares a challenge; it may do nothing. An error of Begin leaves the login pending with a
	// code that nobody knows, and lets a fallback try.
	Begin(ctx context.Context, a *Attempt) error
	// Verify compares the answer. It returns ErrWrongCode, ErrReplayed, ErrNoCode or ErrCodeExpired (wrapped or not) for
	// what a person can mend, any other error for a failure of its own; both deny. ErrNoCode and ErrCodeExpired give the
	// guess back: they may be returned only when nothing was compared.
	Verify(ctx context.Context, a *Attempt, answer []byte) (Proof, error)
}

// Proof is what a right answer leaves to be used up before the login is made.
type Proof struct {
	Authenticator string // id of the authenticator that answered; empty for one that comes from Users
	Step          int64  // TOTP: the matched time step; must exceed the last one used. Zero for others
	Enrolment     []byte // non-nil: the authenticator's new data, written by compare-and-swap. Recovery: the list with one code less

	seen []byte // the sealed data that Verify was given; only this version may be replaced
}

// Authenticator is one enrolled second factor of an account.
type Authenticator struct {
	ID       string // random, public
	Factor   string // name of the Factor it belongs to
	Name     string // what the person calls it
	Created  time.Time
	Data     []byte // the factor's own, encrypted at rest; never logged
	LastStep int64  // the last time step used, from the account record
	Disabled bool   // 100 consecutive failures; see I-09

	weak   time.Time // until then it takes nothing away (I-14)
	sealed []byte
}

// Format shows id and factor only.
func (a Authenticator) Format(f fmtState, _ rune) {
	writeRedacted(f, "authenticator("+a.Factor+" "+a.ID+")")
}

// Parser is an optional ability of a [Factor]: Parse gives the canonical form of an answer, or reports that it cannot be
// one, before a guess is spent. Without it an answer is 1 to 64 bytes of printable ASCII.
type Parser interface {
	Parse(answer string) (canonical []byte, ok bool)
}

// Deliverer is an optional ability of a [Factor] whose Begin sends something: where to. The machine pays for the send
// before it calls Begin, and shows the person the masked destination. ok is false when there is nowhere to send to.
type Deliverer interface {
	Destination(a *Attempt) (channel, to string, ok bool)
}

// Availability is an optional ability of a [Factor]: whether this account can use it now. Without it, a factor is
// available when a confirmed, not disabled authenticator of it is enrolled.
type Availability interface {
	Available(a *Attempt) bool
}

// Enroller is an optional ability of a [Factor]: Enrol makes the data of a new authenticator. It counts for nothing until
// an answer to it has passed Verify with Purpose "enrol".
type Enroller interface {
	Enrol(ctx context.Context, a *Attempt) (Enrolment, error)
}

// Enrolment is a new authenticator that waits for its first right answer.
type Enrolment struct {
	Data []byte // becomes Authenticator.Data
	URI  string // TOTP: otpauth://… ; a secret
	Key  string // TOTP: the secret in base32, in groups of four, to be typed; a secret
	PNG  []byte // TOTP: the URI as QR image; a secret

	// Options is what the client needs to make the authenticator, in JSON: WebAuthn's creation options. Not a secret.
	Options []byte
}

// Format hides everything.
func (Enrolment) Format(f fmtState, _ rune) { writeRedacted(f, "[enrolment]") }
