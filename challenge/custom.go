package challenge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Lengths of a custom code, and how many of them are remembered to notice a maker that repeats itself. A random code of six
// digits equals one of the eight before it once in 125,000 logins; that login has to ask for another one.
const (
	customCodeMin      = 6
	customCodeMinShort = 4
	customCodeMax      = maxTyped
	customRemembered   = 8
)

// Custom is a factor made of an app's own functions: its own pager, telephone robot or SMS gateway. They take the place of
// SUB_MFA_CreateCode, SUB_InformMFACodeForUser and SUB_MFA_ValidateCode of the Mendix module. For answers that something
// else makes and checks, see [CustomCheck].
//
// Create makes a code and Deliver brings it to the person; the pending login keeps the code's keyed hash, and the rest is as
// with [Email]: one login, one purpose, one use, an end. Whatever goes wrong (an error, a panic, a code that is empty, too
// short, not to be typed, or the same as a recent one), the one right answer is a code that nobody knows
// and Begin fails: the flow stays closed, and a [Fallback] may try (I-13).
//
// Safe for concurrent use if its functions are. It must not be copied after its first use.
type Custom struct {
	// Method is the factor's name on the wire: lower-case letters, digits and hyphens. Required.
	Method string
	// Create makes a code of 6 to 64 printable ASCII characters without spaces. Required.
	Create func(ctx context.Context, a CustomAttempt) (CustomCode, error)
	// Deliver brings the code to the person. Required: no code leaves before it has been checked.
	Deliver func(ctx context.Context, a CustomAttempt, code Code) error
	// To is where Deliver delivers to, for the limits of sending and the page: channel is [ChannelEmail], [ChannelSMS] or a
	// word of the app's own. ok is false for an account that cannot use this factor. Required.
	To func(a CustomAttempt) (channel, to string, ok bool)
	// Validate, when set, is asked after the answer has matched the code, and can only refuse.
	Validate func(ctx context.Context, a CustomAttempt, answer string) (CustomVerdict, error)
	// InsecureShortCodes is the least length of a code, 4 or 5, for an app that must keep its four digits: three guesses then
	// hit one account in 3333. Zero means 6.
	InsecureShortCodes int

	mu     sync.Mutex
	recent [customRemembered][]byte // keyed hashes of the last codes, a ring
	next   int
}

// CustomCode is what [Custom].Create returns.
type CustomCode struct {
	Code Code
	Info string        // a text for the person, in CustomAttempt.Language; may be empty
	TTL  time.Duration // how long the code is right; zero, and more than Config.CodeTTL, mean Config.CodeTTL
}

// CustomVerdict is what an app's own validation returns. The zero value refuses.
type CustomVerdict struct {
	OK   bool
	Info string // a text for the person, in CustomAttempt.Language; may be empty
}

// CustomAttempt is what an app's functions learn of a login. It holds no password hash and no device token.
type CustomAttempt struct {
	Account  Account
	Client   Client
	Purpose  Purpose
	Language string // for texts to the person
	Site     string // Config.Site
	Now      time.Time
	TTL      time.Duration // the most a code may live

	random *Attempt // its source of randomness and nothing else
}

// Digits draws a code of n decimal digits, 4 to 64, from the machine's source of randomness.
func (c CustomAttempt) Digits(n int) (Code, error) {
	if n < customCodeMinShort || n > customCodeMax {
		return "", fmt.Errorf("challenge: a code of %d digits: use %d to %d", n, customCodeMinShort, customCodeMax)
	}
	return c.random.Digits(n)
}

// Format shows the account's id only.
func (c CustomAttempt) Format(f fmtState, _ rune) { writeRedacted(f, "attempt("+c.Account.ID+")") }

func customAttempt(a *Attempt) CustomAttempt {
	c := CustomAttempt{Account: a.Account, Client: a.Client, Purpose: a.Purpose, Language: a.Language, Site: a.Site,
		Now: a.Now, TTL: a.TTL(), random: &Attempt{random: a.random}}
	c.Account.PasswordHash, c.Client.Device = "", ""
	return c
}

var (
	_ Factor       = (*Custom)(nil)
	_ Parser       = (*Custom)(nil)
	_ Deliverer    = (*Custom)(nil)
	_ Availability = (*Custom)(nil)
	_ Checker      = (*Custom)(nil)

	_ Factor       = (*CustomCheck)(nil)
	_ Availability = (*CustomCheck)(nil)
	_ Checker      = (*CustomCheck)(nil)
)

// Name is Method.
func (c *Custom) Name() string { return c.Method }

// Check refuses a missing function and a code length out of bounds.
func (c *Custom) Check(Site) error { return c.valid() }

func (c *Custom) valid() error {
	switch {
	case c.Method == "":
		return errors.New("challenge: Custom without a Method: give it the name of the factor")
	case c.Create == nil || c.Deliver == nil || c.To == nil:
		return fmt.Errorf("challenge: Custom %q: Create, Deliver and To are all needed", c.Method)
	case c.InsecureShortCodes != 0 && (c.InsecureShortCodes < customCodeMinShort || c.InsecureShortCodes > customCodeMin):
		return fmt.Errorf("challenge: Custom %q: InsecureShortCodes is %d: use 4 or 5, or 0 for 6", c.Method, c.InsecureShortCodes)
	}
	return nil
}

func (c *Custom) least() int {
	if c.InsecureShortCodes == 0 {
		return customCodeMin
	}
	return c.InsecureShortCodes
}

// Begin makes a code, checks it, delivers it and makes it the one right answer. After any error, and after a panic of the
// app's functions, no answer is right.
func (c *Custom) Begin(ctx context.Context, a *Attempt) error {
	a.setNobodysCode()
	if err := c.valid(); err != nil {
		return fmt.Errorf("%w: %w", ErrSend, err)
	}
	info := customAttempt(a)
	made, err := c.Create(ctx, info)
	if err != nil {
		return fmt.Errorf("%w: %s: making a code: %w", ErrSend, c.Method, err)
	}
	if err := c.acceptable(a, made.Code); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrSend, c.Method, err)
	}
	if err := c.Deliver(ctx, info, made.Code); err != nil {
		return fmt.Errorf("%w: %s: delivering a code: %w", ErrSend, c.Method, err)
	}
	a.SetCode(made.Code, made.TTL)
	a.Info = made.Info
	return nil
}

// acceptable refuses what a working maker of codes does not return.
func (c *Custom) acceptable(a *Attempt, code Code) error {
	if len(code) < c.least() || len(code) > customCodeMax {
		return fmt.Errorf("a code of %d characters was made: %d to %d are needed", len(code), c.least(), customCodeMax)
	}
	if canonical, ok := c.Parse(string(code)); !ok || string(canonical) != string(code) {
		return errors.New("a code was made that nobody can type: printable ASCII without spaces is needed")
	}
	if c.repeated(a, code) {
		return errors.New("a recent code was made again: each has to be random")
	}
	return nil
}

// repeated reports whether a code is one of the last few, and remembers it when not.
func (c *Custom) repeated(a *Attempt, code Code) bool {
	mac := a.keys.Hash("custom code", c.Method, string(code))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.recent {
		if bytes.Equal(r, mac) {
			return true
		}
	}
	c.recent[c.next] = mac
	c.next = (c.next + 1) % len(c.recent)
	return false
}

// Parse accepts printable ASCII; spaces around it are dropped.
func (c *Custom) Parse(answer string) ([]byte, bool) {
	if len(answer) > maxTyped {
		return nil, false
	}
	if digits, ok := parseDigits(answer); ok {
		return digits, len(digits) >= c.least()
	}
	answer = strings.Trim(answer, " ")
	for i := range len(answer) {
		if answer[i] <= ' ' || answer[i] > '~' {
			return nil, false
		}
	}
	return []byte(answer), len(answer) >= c.least()
}

// Verify compares the answer with the code that was made, then asks Validate.
func (c *Custom) Verify(ctx context.Context, a *Attempt, answer []byte) (Proof, error) {
	if err := a.CheckCode(answer); err != nil {
		return Proof{}, err
	}
	if c.Validate == nil {
		return Proof{}, nil
	}
	return validated(ctx, a, c.Method, c.Validate, answer)
}

// Destination is what To says. A panic of To is a no.
func (c *Custom) Destination(a *Attempt) (channel, to string, ok bool) {
	defer func() {
		if recover() != nil {
			channel, to, ok = "", "", false
		}
	}()
	if c.To == nil {
		return "", "", false
	}
	return c.To(customAttempt(a))
}

// Available reports whether To knows where to deliver to.
func (c *Custom) Available(a *Attempt) bool {
	_, _, ok := c.Destination(a)
	return ok
}

// CustomCheck is a factor whose answers something else makes and checks: a hardware token and its server, a list of codes
// that the app keeps. Nothing is sent. The machine spends guesses, blocks and audits as for any factor, and lets a pending
// login be used once; that an answer is not good for a second login is for Validate to see to.
//
// Safe for concurrent use if its functions are.
type CustomCheck struct {
	// Method is the factor's name on the wire: lower-case letters, digits and hyphens. Required.
	Method string
	// For says which accounts can use this factor. Required.
	For func(a CustomAttempt) bool
	// Validate compares an answer of 1 to 64 bytes of printable ASCII. An error refuses, as does the zero verdict. Required.
	Validate func(ctx context.Context, a CustomAttempt, answer string) (CustomVerdict, error)
}

// Name is Method.
func (c *CustomCheck) Name() string { return c.Method }

// Check refuses a missing function.
func (c *CustomCheck) Check(Site) error { return c.valid() }

func (c *CustomCheck) valid() error {
	if c.Method == "" || c.For == nil || c.Validate == nil {
		return fmt.Errorf("challenge: CustomCheck %q: Method, For and Validate are all needed", c.Method)
	}
	return nil
}

// Begin does nothing.
func (c *CustomCheck) Begin(context.Context, *Attempt) error { return nil }

// Verify asks Validate.
func (c *CustomCheck) Verify(ctx context.Context, a *Attempt, answer []byte) (Proof, error) {
	if err := c.valid(); err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if !c.Available(a) {
		return Proof{}, ErrWrongCode
	}
	return validated(ctx, a, c.Method, c.Validate, answer)
}

// Available is what For says. A panic of For is a no.
func (c *CustomCheck) Available(a *Attempt) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return c.For != nil && c.For(customAttempt(a))
}

// validated asks an app's validation. An error beside OK refuses.
func validated(ctx context.Context, a *Attempt, method string, validate func(context.Context, CustomAttempt, string) (CustomVerdict, error), answer []byte) (Proof, error) {
	v, err := validate(ctx, customAttempt(a), string(answer))
	switch {
	case errors.Is(err, ErrReplayed):
		return Proof{}, ErrReplayed
	case errors.Is(err, ErrWrongCode):
		return Proof{}, ErrWrongCode
	case err != nil:
		// Not wrapped: an error of this package would say that nothing was compared, and the guess be given back.
		return Proof{}, fmt.Errorf("challenge: %s: validating: %v", method, err)
	}
	a.Info = v.Info
	if !v.OK {
		return Proof{}, ErrWrongCode
	}
	return Proof{}, nil
}
