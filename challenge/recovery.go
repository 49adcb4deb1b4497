package challenge

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	recoveryName = "recovery"

	// recoveryAlphabet leaves out 0, O, 1 and I, so that a code on paper reads one way only.
	recoveryAlphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
	recoveryBytes    = 10                    // 80 bits: no rate of guessing and no stolen list of hashes gets through them
	recoveryChars    = recoveryBytes * 8 / 5 // 16
	recoveryDefault  = 10
	recoveryMax      = 50
	recoveryMACLen   = 4 + 32 // of Keyring.Hash: key id, HMAC-SHA-256
)

// Recovery is the factor of codes on paper, for the day the phone is lost. Each has 80 random bits, is written
// ABCD-EFGH-JKLM-NPQR, shown once, kept as a keyed hash and good for one login (NIST SP 800-63B-4 section 3.1.2 and 4.2.1.1;
// I-14). The zero value is complete. It backs other factors up and cannot be the only one.
type Recovery struct {
	// Count is how many codes a person gets, 1 to 50. Zero means 10.
	Count int
}

var (
	_ Factor       = (*Recovery)(nil)
	_ Parser       = (*Recovery)(nil)
	_ Availability = (*Recovery)(nil)
	_ Checker      = (*Recovery)(nil)
)

// Name is "recovery".
func (r *Recovery) Name() string { return recoveryName }

// Check refuses a Count out of bounds.
func (r *Recovery) Check(Site) error {
	if r.Count < 0 || r.Count > recoveryMax {
		return fmt.Errorf("challenge: Recovery: %d codes: use 1 to %d, or 0 for %d", r.Count, recoveryMax, recoveryDefault)
	}
	return nil
}

func (r *Recovery) count() int {
	if r.Count == 0 {
		return recoveryDefault
	}
	return r.Count
}

// Begin does nothing: the person has the paper.
func (r *Recovery) Begin(context.Context, *Attempt) error { return nil }

// Parse accepts 16 characters of the alphabet, without regard to case, hyphens and spaces.
func (r *Recovery) Parse(answer string) ([]byte, bool) {
	code, ok := parseRecoveryCode(answer)
	return []byte(code), ok
}

// Available reports whether a code is left.
func (r *Recovery) Available(a *Attempt) bool {
	return slices.ContainsFunc(a.Enrolled, func(auth Authenticator) bool { return recoveryCodesLeft(auth.Data) > 0 })
}

// Verify compares answer with every code that is left, all of them whichever matches. The proof carries the list without
// the one used; the machine writes it by compare-and-swap before anybody is let in, so that of two uses one fails.
func (r *Recovery) Verify(_ context.Context, a *Attempt, answer []byte) (Proof, error) {
	code, ok := parseRecoveryCode(string(answer))
	if !ok {
		return Proof{}, ErrWrongCode
	}
	var proof Proof
	var broken error
	for _, auth := range a.Enrolled {
		macs, err := decodeRecovery(auth.Data)
		if err != nil {
			broken = fmt.Errorf("%w: authenticator %s: %w", ErrUnavailable, auth.ID, err)
			continue
		}
		used := -1
		for i, mac := range macs {
			if a.Matches(mac, recoveryName, code) {
				used = i
			}
		}
		if used >= 0 {
			proof = Proof{Authenticator: auth.ID, Enrolment: encodeRecovery(slices.Delete(macs, used, used+1))}
		}
	}
	switch {
	case proof.Enrolment != nil:
		return proof, nil
	case broken != nil:
		return Proof{}, broken
	}
	return Proof{}, ErrWrongCode
}

// newRecoveryCodes draws n codes. The codes are for the person, once; data is what is kept of them.
func newRecoveryCodes(a *Attempt, n int) (codes []Code, data []byte, err error) {
	if n < 1 || n > recoveryMax {
		return nil, nil, fmt.Errorf("challenge: %d recovery codes: use 1 to %d", n, recoveryMax)
	}
	var macs [][]byte
	b := make([]byte, recoveryBytes)
	for range n {
		if err := a.Random(b); err != nil {
			return nil, nil, err
		}
		code := recoveryEncoding.EncodeToString(b)
		macs = append(macs, a.Hash(recoveryName, code))
		codes = append(codes, Code(code[:4]+"-"+code[4:8]+"-"+code[8:12]+"-"+code[12:]))
	}
	return codes, encodeRecovery(macs), nil
}

// recoveryCodesLeft counts the codes in an authenticator's data. Data that cannot be read has none.
func recoveryCodesLeft(data []byte) int {
	macs, err := decodeRecovery(data)
	if err != nil {
		return 0
	}
	return len(macs)
}

// looksLikeRecoveryCode tells a recovery code from other answers by its shape, so that it may be typed where another
// method's code is asked for.
func looksLikeRecoveryCode(answer string) bool {
	_, ok := parseRecoveryCode(answer)
	return ok
}

var recoveryEncoding = base32.NewEncoding(recoveryAlphabet).WithPadding(base32.NoPadding)

// parseRecoveryCode gives the 16 characters that were hashed. ASCII only: Unicode's case rules know letters, such as the
// Kelvin sign, that fold into the alphabet.
func parseRecoveryCode(answer string) (string, bool) {
	if len(answer) > maxTyped {
		return "", false
	}
	code := make([]byte, 0, len(answer))
	for i := range len(answer) {
		c := answer[i]
		switch {
		case c == ' ' || c == '-':
			continue
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		}
		if strings.IndexByte(recoveryAlphabet, c) < 0 {
			return "", false
		}
		code = append(code, c)
	}
	return string(code), len(code) == recoveryChars
}

// encodeRecovery is version 1 of the data: the version, then the hashes, all of one length. It is never nil.
func encodeRecovery(macs [][]byte) []byte {
	b := []byte{1}
	for _, m := range macs {
		b = append(b, m...)
	}
	return b
}

func decodeRecovery(b []byte) ([][]byte, error) {
	if len(b) == 0 || b[0] != 1 || (len(b)-1)%recoveryMACLen != 0 || (len(b)-1)/recoveryMACLen > recoveryMax {
		return nil, errors.New("challenge: recovery data of an unknown version")
	}
	return slices.Collect(slices.Chunk(b[1:], recoveryMACLen)), nil
}
