package challenge

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func withRecovery(t testing.TB, n int) (*Attempt, []Code) {
	t.Helper()
	a := newAttempt(t)
	codes, data, err := newRecoveryCodes(a, n)
	if err != nil {
		t.Fatal(err)
	}
	a.Enrolled = []Authenticator{{ID: "paper", Factor: "recovery", Data: data}}
	return a, codes
}

func TestI14RecoveryCodesHave80RandomBits(t *testing.T) {
	shape := regexp.MustCompile(`^[2-9A-HJ-NP-Z]{4}(-[2-9A-HJ-NP-Z]{4}){3}$`)
	seen := map[Code]bool{}
	used := map[rune]int{}
	for range 20 {
		_, codes := withRecovery(t, 50)
		for _, c := range codes {
			if !shape.MatchString(string(c)) || seen[c] {
				t.Fatal("a code of another shape, or twice")
			}
			seen[c] = true
			for _, r := range strings.ReplaceAll(string(c), "-", "") {
				used[r]++
			}
		}
	}
	// 16,000 symbols: 500 of each are expected, with a standard deviation of 22.
	if len(used) != 32 {
		t.Errorf("%d different symbols: 5 bits each need 32", len(used))
	}
	for r, n := range used {
		if n < 350 || n > 650 {
			t.Errorf("%c comes %d times in 16000", r, n)
		}
	}
}

func TestI14RecoveryCodesAreReadWithoutRegardToCaseHyphensAndSpaces(t *testing.T) {
	a, codes := withRecovery(t, 3)
	code := string(codes[1])
	for _, answer := range []string{code, strings.ToLower(code), strings.ReplaceAll(code, "-", ""), strings.ReplaceAll(code, "-", " "),
		" " + code + " ", strings.ReplaceAll(strings.ToLower(code), "-", " - ")} {
		canonical, ok := (&Recovery{}).Parse(answer)
		if !ok || !looksLikeRecoveryCode(answer) {
			t.Errorf("a code written with %d characters is refused", len(answer))
			continue
		}
		if _, err := (&Recovery{}).Verify(t.Context(), a, canonical); err != nil {
			t.Errorf("a code written with %d characters: %v", len(answer), err)
		}
	}
	for _, answer := range []string{"", "123456", code[:18], code + "A", strings.Replace(code, code[:1], "0", 1), strings.Replace(code, code[:1], "I", 1),
		strings.Replace(code, "-", "_", 1), code + "\n", strings.Replace(code, "-", "\u2011", 1), "ABCD-EFGH-JKLM-NPQ\u212a", "ABCD-EFGH-JKLM-NPQſ", strings.Repeat(" ", 60) + code} {
		if looksLikeRecoveryCode(answer) {
			t.Errorf("%q looks like a recovery code", answer)
		}
	}
	if !looksLikeRecoveryCode("ABCD-EFGH-JKLM-NPQR") {
		t.Error("the sample is not read")
	}
}

func TestI14ARecoveryCodeIsUsedUp(t *testing.T) {
	a, codes := withRecovery(t, 3)
	original := bytes.Clone(a.Enrolled[0].Data)
	left := 3
	for _, i := range []int{1, 0, 2} {
		code := []byte(codes[i])
		proof, err := (&Recovery{}).Verify(t.Context(), a, code)
		if err != nil || proof.Authenticator != "paper" || proof.Enrolment == nil {
			t.Fatalf("%+v, %v", proof, err)
		}
		left--
		if n := recoveryCodesLeft(proof.Enrolment); n != left {
			t.Errorf("%d codes left, want %d", n, left)
		}
		if i == 1 && !bytes.Equal(a.Enrolled[0].Data, original) {
			t.Fatal("Verify changed the data it was given")
		}
		a.Enrolled[0].Data = proof.Enrolment
		if _, err := (&Recovery{}).Verify(t.Context(), a, code); !errors.Is(err, ErrWrongCode) {
			t.Errorf("used twice: %v", err)
		}
		if (&Recovery{}).Available(a) != (left > 0) {
			t.Errorf("available with %d left", left)
		}
	}
}

func TestI14RecoveryCodesAreKeptAsHashesBoundToTheAccount(t *testing.T) {
	a, codes := withRecovery(t, 2)
	data := a.Enrolled[0].Data
	for _, c := range codes {
		if bytes.Contains(data, []byte(c[:4])) || strings.Contains(fmt.Sprintf("%v %+v %#v %s %q", c, codes, codes, c, c), string(c[:4])) {
			t.Error("a code can be read")
		}
	}
	a.Account.ID = "a-2"
	if _, err := (&Recovery{}).Verify(t.Context(), a, []byte(codes[0])); !errors.Is(err, ErrWrongCode) {
		t.Errorf("of another account: %v", err)
	}
}

func TestRecoverySurvivesANewKey(t *testing.T) {
	a, codes := withRecovery(t, 2)
	keys, err := NewKeyring([]Key{{ID: 8, Secret: [32]byte{9}}, {ID: 7, Secret: [32]byte{1, 2, 3}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a.keys = keys
	if _, err := (&Recovery{}).Verify(t.Context(), a, []byte(codes[0])); err != nil {
		t.Error(err)
	}
}

func TestRecoveryDenies(t *testing.T) {
	a, codes := withRecovery(t, 2)
	for _, answer := range []string{"", "ABCD-EFGH-JKLM-NPQR", "123456"} {
		if _, err := (&Recovery{}).Verify(t.Context(), a, []byte(answer)); !errors.Is(err, ErrWrongCode) {
			t.Errorf("%q: %v", answer, err)
		}
	}
	for _, data := range [][]byte{nil, {}, {2}, {1, 0}, append([]byte{1}, make([]byte, 36*51)...)} {
		a.Enrolled[0].Data = data
		if _, err := (&Recovery{}).Verify(t.Context(), a, []byte(codes[0])); !errors.Is(err, ErrUnavailable) || recoveryCodesLeft(data) != 0 {
			t.Errorf("data of %d bytes: %v", len(data), err)
		}
	}
	a.Enrolled = nil
	if _, err := (&Recovery{}).Verify(t.Context(), a, []byte(codes[0])); !errors.Is(err, ErrWrongCode) || (&Recovery{}).Available(a) {
		t.Errorf("nothing enrolled: %v", err)
	}
	for _, n := range []int{0, -1, 51} {
		if _, _, err := newRecoveryCodes(a, n); err == nil {
			t.Errorf("%d codes", n)
		}
	}
	a.random = brokenRandom(15)
	if _, _, err := newRecoveryCodes(a, 2); !errors.Is(err, ErrUnavailable) {
		t.Errorf("no randomness: %v", err)
	}
	for n, ok := range map[int]bool{0: true, 1: true, 50: true, 51: false, -1: false} {
		if err := (&Recovery{Count: n}).Check(Site{}); (err == nil) != ok {
			t.Errorf("Count %d: %v", n, err)
		}
	}
	if n := (&Recovery{}).count(); n != 10 {
		t.Errorf("%d codes by default", n)
	}
}

func FuzzRecoveryCode(f *testing.F) {
	for _, s := range []string{"ABCD-EFGH-JKLM-NPQR", "abcd efgh jklm npqr", "2345678923456789", "ABCD-EFGH-JKLM-NPQ0", "ſ", "----", strings.Repeat("-", 48) + "ABCDEFGHJKLMNPQR"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		code, ok := parseRecoveryCode(answer)
		if ok != looksLikeRecoveryCode(answer) {
			t.Fatal("two answers to one question")
		}
		if !ok {
			return
		}
		if b, err := recoveryEncoding.DecodeString(code); err != nil || len(b) != 10 {
			t.Fatalf("%q does not hold 80 bits: %v", code, err)
		}
		want := strings.NewReplacer("-", "", " ", "").Replace(answer)
		if !strings.EqualFold(want, code) || len(want) != len(code) {
			t.Fatalf("%q became %q", answer, code)
		}
		if again, ok := parseRecoveryCode(code); !ok || again != code {
			t.Fatal("the canonical form of a canonical form differs")
		}
	})
}
