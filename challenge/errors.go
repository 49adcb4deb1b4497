package challenge

import (
	"errors"
	"fmt"
	"time"
)

// Errors to branch on. All of them mean: nobody was let in. The text is for logs; what a person reads is in challenge/texts.
var (
	// ErrRefused is the one answer to an unknown name, a wrong password, a blocked password budget, a disabled account and a
	// service account at a login page. What it really was stands in the audit only.
	ErrRefused = errors.New("challenge: refused")
	// ErrWrongCode is a code that was compared and did not match. It cost a guess.
	ErrWrongCode = errors.New("challenge: wrong code")
	// ErrReplayed is a right code that was used before. It wraps ErrWrongCode and cost a guess.
	ErrReplayed = fmt.Errorf("%w: already used, wait for the next", ErrWrongCode)
	// ErrClockOff is a code that would be right at another time, told only while enrolling. It wraps ErrWrongCode.
	ErrClockOff = fmt.Errorf("%w: the clock of the authenticator is off", ErrWrongCode)
	// ErrMalformed is an answer that cannot be a code. It cost nothing.
	ErrMalformed = errors.New("challenge: this cannot be a code")
	// ErrNoCode is an answer while no code has been sent in this pending login. It cost nothing.
	ErrNoCode = errors.New("challenge: no code has been sent")
	// ErrCodeExpired is an answer after the sent code's end. It cost nothing.
	ErrCodeExpired = errors.New("challenge: the code has expired")
	// ErrNoPending is a code without a pending login: none, expired, cancelled or used.
	ErrNoPending = errors.New("challenge: no pending login")
	// ErrOtherLogin is a form that names another pending login than the session's. It cost nothing.
	ErrOtherLogin = errors.New("challenge: the form belongs to another login")
	// ErrMethod is a method that is unknown or not allowed in this login.
	ErrMethod = errors.New("challenge: method not available")
	// ErrNotAllowed is an act that the state of the login does not permit, such as enrolling beside an enrolled factor.
	ErrNotAllowed = errors.New("challenge: not allowed")
	// ErrLoginAgain is an [ErrNotAllowed] that a new login mends: this one has given too many wrong answers when it was asked to
	// confirm itself.
	ErrLoginAgain = fmt.Errorf("%w: log in again", ErrNotAllowed)
	// ErrNoAddress is an [ErrNotAllowed] of an account that must enrol, and has nothing by which it could show first whose it is.
	ErrNoAddress = fmt.Errorf("%w: enrolment needs a confirmed address", ErrNotAllowed)
	// ErrNotFresh is an act that asks for a more recent second factor.
	ErrNotFresh = errors.New("challenge: a fresh second factor is needed")
	// ErrEnded is a login that was ended or has expired.
	ErrEnded = errors.New("challenge: the login has ended")
	// ErrSend is a message that could not be delivered by any allowed channel.
	ErrSend = errors.New("challenge: the code could not be sent")
	// ErrDestination is a new number to which nothing is sent: of a country that gets no messages, or of which too few codes come
	// back (see [SendLimits]). It wraps ErrSend; trying again does not help.
	ErrDestination = fmt.Errorf("%w: not to this number", ErrSend)
	// ErrUnavailable is a store, policy, user table, key, clock or random source in error. Answer 503; [Logins.RecordOutage]
	// leaves the event, which the middleware does by itself.
	ErrUnavailable = errors.New("challenge: unavailable")
)

// BlockedError is a budget whose guesses are spent. It is told only to somebody who has shown the password or who uses a
// known device; everybody else gets [ErrRefused].
type BlockedError struct {
	Password   bool      // the password budget, else the code budget
	Until      time.Time // when the next guess is possible
	RetryAfter time.Duration
}

func (e *BlockedError) Error() string { return "challenge: guesses spent" }

// BusyError is a refusal that says nothing about the credentials: too much is in flight, or a send has to wait.
type BusyError struct {
	RetryAfter time.Duration
	Cooldown   bool // a code was sent a moment ago, or a send budget is spent: answer 429; else 503
}

func (e *BusyError) Error() string { return "challenge: busy, try again later" }
