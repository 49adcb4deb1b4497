package challenge_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

func TestI09SomebodyPatientWithThePasswordHasAHundredCodesInWeeks(t *testing.T) {
	h := build(t)
	compared := 0
	for range 4 * 7 * 24 * 12 { // every five minutes, which is as often as a block allows, for four weeks
		out, err := h.password("alice", password)
		if err == nil {
			for range 4 {
				if _, err := h.verify(out.Token, "000000"); errors.Is(err, challenge.ErrWrongCode) {
					compared++
				} else if err == nil {
					t.Fatal("guessed it: choose another seed")
				}
			}
		}
		h.Clock.Advance(5 * time.Minute)
	}
	if compared != 100 {
		t.Errorf("I-09: %d codes were compared, want 100: a chance of 1 in 5000", compared)
	}
	if n := h.Audit.Count(audit.FactorDisabled); n != 1 {
		t.Errorf("I-21: %d events say that the factor is disabled", n)
	}
}

func TestI08SomebodyPatientWithoutThePasswordHasThreeInFiveMinutes(t *testing.T) {
	h := build(t)
	const days = 21
	for minute := range days * 24 * 60 { // from a thousand addresses, by a name in many spellings
		name := []string{"alice", "Alice", "ALICE", "\uff41lice"}[minute%4]
		_, _ = h.logins.Password(context.Background(), challenge.Client{Addr: address(minute % 250)}, &challenge.Session{},
			challenge.PasswordInput{Slot: challenge.Slot(minute % 2), Name: name, Password: fmt.Append(nil, "guess", minute)})
		h.Clock.Advance(time.Minute)
	}
	// Three guesses, a minute apart, then five minutes of block: three in seven minutes.
	if n := h.Passwords.Compared("1"); n > days*24*60*3/7+3 || n < days*24*60*3/8 {
		t.Errorf("I-08: %d passwords were compared in %d days", n, days)
	}
	if blocked, released := h.Audit.Count(audit.PasswordsSpent), h.Audit.Count(audit.GuessesReleased); blocked == 0 || released == 0 {
		t.Errorf("I-21: %d blocked, %d released", blocked, released)
	}
}

func TestI09AnotherFactorGetsTheOwnerInWhenOneIsDisabled(t *testing.T) {
	h := build(t, func(c *challenge.Config) { c.CodeGuesses = 100 })
	ctx := context.Background()
	codes, err := h.logins.MakeRecoveryCodes(ctx, challenge.Client{}, "1")
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.password("alice", password)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := h.verify(out.Token, "000000"); !errors.Is(err, challenge.ErrWrongCode) {
			t.Fatal(err)
		}
	}
	h.Clock.Advance(5 * time.Minute)
	h.Audit.Take()
	if out, err = h.password("alice", password); err != nil {
		t.Fatalf("I-09: with a recovery code in hand: %v", err)
	}
	if _, err := h.logins.Verify(ctx, challenge.Client{}, h.open(out.Token), challenge.CodeInput{Method: "totp", Code: h.totp(0)}); !errors.Is(err, challenge.ErrMethod) {
		t.Errorf("I-09: the right code of a disabled factor: %v", err)
	}
	if _, err := h.verify(out.Token, codes[0]); err != nil {
		t.Errorf("I-09: a recovery code: %v", err)
	}
	if n := h.Audit.Count(audit.RecoveryCodeUsed); n != 1 {
		t.Errorf("I-21: %d events", n)
	}
}
