package challenge

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"image/png"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// rfcKey is the 20-byte key of RFC 4226 appendix D and RFC 6238 appendix B.
const rfcKey = "12345678901234567890"

// readsAll is a factor that reads codes of every length.
var readsAll = &TOTP{OtherDigits: []int{7, 8}}

func totpData(secret string, digits int, alg Algorithm) []byte {
	return totpKey{secret: []byte(secret), digits: digits, period: 30 * time.Second, algorithm: alg}.encode()
}

// withTOTP is an attempt at the middle of a step of a person who enrolled the RFC's key.
func withTOTP(t testing.TB, step, lastStep int64) *Attempt {
	a := newAttempt(t)
	a.Now = time.Unix(step*30+15, 0)
	a.Enrolled = []Authenticator{{ID: "phone", Factor: "totp", Data: totpData(rfcKey, 6, SHA1), LastStep: lastStep}}
	return a
}

func codeAt(t testing.TB, step int64) []byte {
	t.Helper()
	code, err := totpKey{secret: []byte(rfcKey), digits: 6, period: 30 * time.Second}.code(step)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(code)
}

func TestHOTPVectorsOfRFC4226AppendixD(t *testing.T) {
	want := []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"}
	for counter, want := range want {
		if got := string(codeAt(t, int64(counter))); got != want {
			t.Errorf("counter %d: %s, want %s", counter, got, want)
		}
	}
}

// The key of each hash is as long as its output, as the reference code in appendix A has it (erratum 2866).
func TestTOTPVectorsOfRFC6238AppendixB(t *testing.T) {
	keys := map[Algorithm]string{
		SHA1:   rfcKey,
		SHA256: "12345678901234567890123456789012",
		SHA512: "1234567890123456789012345678901234567890123456789012345678901234",
	}
	for _, v := range []struct {
		unix int64
		code map[Algorithm]string
	}{
		{59, map[Algorithm]string{SHA1: "94287082", SHA256: "46119246", SHA512: "90693936"}},
		{1111111109, map[Algorithm]string{SHA1: "07081804", SHA256: "68084774", SHA512: "25091201"}},
		{1111111111, map[Algorithm]string{SHA1: "14050471", SHA256: "67062674", SHA512: "99943326"}},
		{1234567890, map[Algorithm]string{SHA1: "89005924", SHA256: "91819424", SHA512: "93441116"}},
		{2000000000, map[Algorithm]string{SHA1: "69279037", SHA256: "90698825", SHA512: "38618901"}},
		{20000000000, map[Algorithm]string{SHA1: "65353130", SHA256: "77737706", SHA512: "47863826"}},
	} {
		for alg, code := range v.code {
			a := newAttempt(t)
			a.Now = time.Unix(v.unix, 0)
			a.Enrolled = []Authenticator{{ID: "x", Data: totpData(keys[alg], 8, alg)}}
			proof, err := (&TOTP{Digits: 8}).Verify(t.Context(), a, []byte(code))
			if err != nil || proof.Step != v.unix/30 || proof.Authenticator != "x" {
				t.Errorf("%v at %d: %+v, %v", alg, v.unix, proof, err)
			}
		}
	}
}

// Codes with leading zeros, and steps that share a code: found by search over the key of RFC 4226.
func TestI12CodesAreStringsAndReplayIsDecidedByStep(t *testing.T) {
	for step, code := range map[int64]string{44: "000152", 36: "003784", 62: "005080", 30: "026920"} {
		if _, err := (&TOTP{}).Verify(t.Context(), withTOTP(t, step, 0), []byte(code)); err != nil {
			t.Errorf("step %d, %s: %v", step, code, err)
		}
	}
	for _, c := range []struct {
		name      string
		ahead     bool
		now, last int64
		code      string
		step      int64
		err       error
	}{
		{"two matching steps: the later counts", false, 910738, 0, "911617", 910738, nil},
		{"used at the older, accepted at the newer", false, 910738, 910737, "911617", 910738, nil},
		{"used at the newer, so the older is used too", false, 910738, 910738, "911617", 0, ErrReplayed},
		{"another pair", false, 1300576, 1300575, "761737", 1300576, nil},
		{"two steps apart, with one ahead", true, 153568, 153567, "468457", 153569, nil},
		{"two steps apart, both used", true, 153568, 153569, "468457", 0, ErrReplayed},
		{"two steps apart, without one ahead", false, 153568, 153567, "468457", 0, ErrReplayed},
	} {
		proof, err := (&TOTP{AllowAhead: c.ahead}).Verify(t.Context(), withTOTP(t, c.now, c.last), []byte(c.code))
		if !errors.Is(err, c.err) || proof.Step != c.step {
			t.Errorf("%s: step %d, %v", c.name, proof.Step, err)
		}
	}
}

func TestI12Window(t *testing.T) {
	const now = 56_666_666
	for _, c := range []struct {
		name    string
		factor  TOTP
		purpose Purpose
		code    int64
		last    int64
		want    error
	}{
		{"current step", TOTP{}, PurposeLogin, now, 0, nil},
		{"previous step", TOTP{}, PurposeLogin, now - 1, 0, nil},
		{"two steps back", TOTP{}, PurposeLogin, now - 2, 0, ErrWrongCode},
		{"next step", TOTP{}, PurposeLogin, now + 1, 0, ErrWrongCode},
		{"next step, allowed", TOTP{AllowAhead: true}, PurposeLogin, now + 1, 0, nil},
		{"two steps ahead, one allowed", TOTP{AllowAhead: true}, PurposeLogin, now + 2, 0, ErrWrongCode},
		{"used in this step", TOTP{}, PurposeLogin, now, now, ErrReplayed},
		{"previous step after the current was used", TOTP{}, PurposeStepUp, now - 1, now, ErrReplayed},
		{"current step after the previous was used", TOTP{}, PurposeStepUp, now, now - 1, nil},
		{"enrolling, current step", TOTP{}, PurposeEnrol, now, 0, nil},
		{"enrolling, next step", TOTP{}, PurposeEnrol, now + 1, 0, ErrClockOff},
		{"enrolling, clock 5 minutes late", TOTP{}, PurposeEnrol, now - 10, 0, ErrClockOff},
		{"enrolling, clock 5 minutes early", TOTP{}, PurposeEnrol, now + 10, 0, ErrClockOff},
		{"enrolling, beyond that", TOTP{}, PurposeEnrol, now + 11, 0, ErrWrongCode},
		{"enrolling, used in this step", TOTP{}, PurposeEnrol, now, now, ErrReplayed},
	} {
		a := withTOTP(t, now, c.last)
		a.Purpose = c.purpose
		proof, err := c.factor.Verify(t.Context(), a, codeAt(t, c.code))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		// ErrClockOff and ErrReplayed are wrong codes too; the plain one must not be either of them.
		if c.want == ErrWrongCode && (errors.Is(err, ErrClockOff) || errors.Is(err, ErrReplayed)) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && (proof.Authenticator != "" || proof.Step != 0 || proof.Enrolment != nil) {
			t.Errorf("%s: refused, with a proof", c.name)
		}
	}
}

func TestI12ExactASCIIDigitsOnly(t *testing.T) {
	code := string(codeAt(t, 1000))
	for _, answer := range []string{
		"", " ", code + "\n", "\t" + code, "+" + code[1:], "-" + code[1:], code[:5], code + "0", "0" + code, code + "\x00",
		"１２３４５６", "١٢٣٤٥٦", "123\u00a0456", "123\u200b456", code[:3] + "-" + code[3:], code[:3] + "." + code[3:], "0x1234", "1e5000",
		strings.Repeat(" ", 60) + code, code[:3] + " " + code[3:], " " + code, code + " ",
	} {
		if got, ok := (&TOTP{}).Parse(answer); ok {
			t.Errorf("%q is read as %q", answer, got)
		}
		if _, err := (&TOTP{}).Verify(t.Context(), withTOTP(t, 1000, 0), []byte(answer)); !errors.Is(err, ErrWrongCode) {
			t.Errorf("%q was compared: %v", answer, err)
		}
	}
	if got, ok := (&TOTP{}).Parse(code); !ok || string(got) != code {
		t.Errorf("%q is read as %q, %v", code, got, ok)
	}
	// Verify itself takes the canonical form only, so nothing is normalised twice.
	if _, err := (&TOTP{}).Verify(t.Context(), withTOTP(t, 1000, 0), []byte(" "+code)); !errors.Is(err, ErrWrongCode) {
		t.Errorf("an answer that Parse would have changed was compared: %v", err)
	}
}

func TestTOTPReadsOtherLengthsOnlyWhenNamed(t *testing.T) {
	if _, ok := (&TOTP{}).Parse("12345678"); ok {
		t.Error("8 digits pass for 6")
	}
	f := &TOTP{OtherDigits: []int{8}}
	for _, answer := range []string{"123456", "12345678"} {
		if _, ok := f.Parse(answer); !ok {
			t.Errorf("%s is refused", answer)
		}
	}
	if _, ok := f.Parse("1234567"); ok {
		t.Error("7 digits pass for 6 or 8")
	}
}

func TestTOTPWithSeveralAuthenticatorsNamesTheOneThatAnswered(t *testing.T) {
	a := withTOTP(t, 1000, 1000)
	other := "another key of 20 by"
	a.Enrolled = append(a.Enrolled, Authenticator{ID: "tablet", Data: totpData(other, 6, SHA1)})
	code, _ := totpKey{secret: []byte(other), digits: 6, period: 30 * time.Second}.code(1000)
	proof, err := (&TOTP{}).Verify(t.Context(), a, []byte(code))
	if err != nil || proof.Authenticator != "tablet" || proof.Step != 1000 {
		t.Errorf("%+v, %v", proof, err)
	}
	a.Enrolled[1].Data = a.Enrolled[0].Data
	// One that cannot be read does not stand in the way of the other, and is reported when nothing else matches.
	a.Enrolled[0].Data = []byte{9}
	if _, err := (&TOTP{}).Verify(t.Context(), a, codeAt(t, 1000)); err != nil {
		t.Error(err)
	}
	if _, err := (&TOTP{}).Verify(t.Context(), a, codeAt(t, 1002)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("broken data is taken for a wrong code: %v", err)
	}
	a.Enrolled = nil
	if _, err := (&TOTP{}).Verify(t.Context(), a, codeAt(t, 1000)); !errors.Is(err, ErrWrongCode) {
		t.Errorf("nothing enrolled: %v", err)
	}
}

// An empty secret validates in pquerna/otp: its code is public knowledge.
func TestI12ASecretThatSomebodyHasTwiceIsUsedOnce(t *testing.T) {
	const now = 1000
	a := withTOTP(t, now, 0)
	a.Enrolled = append(a.Enrolled, a.Enrolled[0])
	a.Enrolled[1].ID = "the same again"
	proof, err := new(TOTP).Verify(t.Context(), a, codeAt(t, now))
	if err != nil || proof.Authenticator != a.Enrolled[0].ID {
		t.Fatal(proof, err)
	}
	for used := range a.Enrolled {
		a := *a
		a.Enrolled = slices.Clone(a.Enrolled)
		a.Enrolled[used].LastStep = now
		if _, err := new(TOTP).Verify(t.Context(), &a, codeAt(t, now)); !errors.Is(err, ErrReplayed) {
			t.Errorf("used at %d: %v", used, err)
		}
	}
}

func TestTOTPRefusesShortSecretsWhereverTheyComeFrom(t *testing.T) {
	empty, _ := totpKey{digits: 6, period: 30 * time.Second}.code(1000)
	for n := range 16 {
		a := withTOTP(t, 1000, 0)
		a.Enrolled[0].Data = totpData(rfcKey[:n], 6, SHA1)
		if _, err := (&TOTP{}).Verify(t.Context(), a, []byte(empty)); err == nil || errors.Is(err, ErrWrongCode) {
			t.Errorf("%d bytes enrolled: %v", n, err)
		}
		if _, err := (&TOTP{}).importSecret(base32.StdEncoding.EncodeToString([]byte(rfcKey[:n]))); err == nil {
			t.Errorf("%d bytes imported", n)
		}
		if _, err := (&TOTP{InsecureShortSecrets: true}).importSecret(base32.StdEncoding.EncodeToString([]byte(rfcKey[:n]))); (err == nil) != (n >= 10) {
			t.Errorf("%d bytes imported by the insecure option: %v", n, err)
		}
		if _, err := readsAll.importURI("otpauth://totp/x?secret=" + base32NoPad.EncodeToString([]byte(rfcKey[:n]))); err == nil {
			t.Errorf("%d bytes imported by URI", n)
		}
	}
}

func TestTOTPDataOfAnyOtherShapeIsRefused(t *testing.T) {
	good := totpData(rfcKey, 6, SHA1)
	change := func(i int, b byte) []byte { d := bytes.Clone(good); d[i] = b; return d }
	for name, data := range map[string][]byte{
		"nothing": nil, "version 0": change(0, 0), "version 2": change(0, 2), "MD5": change(1, 3), "no digits": change(2, 0),
		"5 digits": change(2, 5), "9 digits": change(2, 9), "no period": change(4, 0), "an hour": change(3, 0x0e),
		"half": good[:10], "endless": append(bytes.Clone(good), make([]byte, 200)...),
	} {
		if _, err := decodeTOTP(data, totpSecretMin); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

func TestTOTPSettingsOutOfBoundsAreRefused(t *testing.T) {
	for _, f := range []TOTP{{}, {Digits: 8, Period: time.Minute, Algorithm: SHA512}, {OtherDigits: []int{7, 8}}} {
		if err := f.valid(); err != nil {
			t.Errorf("%+v: %v", f, err)
		}
	}
	for _, f := range []TOTP{{Digits: 4}, {Digits: 5}, {Digits: 9}, {Digits: -6}, {OtherDigits: []int{4}}, {Period: time.Second},
		{Period: time.Hour}, {Period: -30 * time.Second}, {Period: 30*time.Second + 1}, {Algorithm: 3}} {
		if err := f.valid(); err == nil {
			t.Errorf("%+v is accepted", f)
		}
		if _, err := f.Enrol(t.Context(), newAttempt(t)); err == nil {
			t.Errorf("%+v enrols", f)
		}
	}
}

func TestTOTPEnrolment(t *testing.T) {
	f := &TOTP{Issuer: "Acme"}
	a := newAttempt(t)
	e, err := f.Enrol(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := base32NoPad.DecodeString(strings.ReplaceAll(e.Key, " ", ""))
	if err != nil || len(secret) != 20 {
		t.Fatalf("a secret of %d bytes: %v", len(secret), err)
	}
	for _, group := range strings.Split(e.Key, " ") {
		if len(group) != 4 {
			t.Errorf("key in groups of %d", len(group))
		}
	}
	want := "otpauth://totp/Acme:alice?secret=" + strings.ReplaceAll(e.Key, " ", "") + "&issuer=Acme&algorithm=SHA1&digits=6&period=30"
	if e.URI != want {
		t.Errorf("URI is not %s", "otpauth://totp/Acme:alice?secret=…&issuer=Acme&algorithm=SHA1&digits=6&period=30")
	}
	img, err := png.Decode(bytes.NewReader(e.PNG))
	if err != nil || img.Bounds().Dx() < 256 || img.Bounds().Dx() != img.Bounds().Dy() {
		t.Errorf("QR image: %v", err)
	}
	// ISO/IEC 18004 asks for four modules of white around the code; a finder pattern is seven wide.
	dark := func(x, y int) bool { r, _, _, _ := img.At(x, y).RGBA(); return r < 0x8000 }
	left := 0
	for left < img.Bounds().Dx() && !dark(left, left) {
		left++
	}
	width := 0
	for dark(left+width, left) {
		width++
	}
	if width < 7*4 || left < 4*width/7 {
		t.Errorf("a finder pattern of %d pixels, %d from the edge", width, left)
	}
	if s := fmt.Sprintf("%v %+v %#v %s %d", e, e, e, e, e); strings.Contains(s, e.Key[:4]) {
		t.Error("an enrolment prints its secret")
	}

	// The first right answer confirms it, and a second look before that shows the same key.
	a.Purpose = PurposeEnrol
	a.Enrolled = []Authenticator{{ID: "new", Data: e.Data}}
	again, err := f.Enrol(t.Context(), a)
	if err != nil || again.URI != e.URI || !bytes.Equal(again.Data, e.Data) || !bytes.Equal(again.PNG, e.PNG) {
		t.Errorf("the pending key is not shown again: %v", err)
	}
	g, _ := decodeTOTP(e.Data, totpSecretMin)
	code, _ := g.code(g.step(a.Now))
	if proof, err := f.Verify(t.Context(), a, []byte(code)); err != nil || proof.Authenticator != "new" || proof.Step != a.Now.Unix()/30 {
		t.Errorf("%+v, %v", proof, err)
	}

	second, err := f.Enrol(t.Context(), newAttempt(t))
	if err != nil || bytes.Equal(second.Data, e.Data) {
		t.Error("two people have one secret")
	}
	a.Enrolled, a.random = nil, brokenRandom(19)
	if _, err := f.Enrol(t.Context(), a); !errors.Is(err, ErrUnavailable) {
		t.Errorf("enrolled without randomness: %v", err)
	}
	a.Enrolled = []Authenticator{{ID: "new", Data: totpData("short", 6, SHA1)}}
	if _, err := f.Enrol(t.Context(), a); !errors.Is(err, ErrUnavailable) {
		t.Errorf("shows broken data: %v", err)
	}
}

func TestTOTPIssuerIsTheSitesHostByDefault(t *testing.T) {
	e, err := (&TOTP{}).Enrol(t.Context(), newAttempt(t))
	if err != nil || !strings.HasPrefix(e.URI, "otpauth://totp/example.com:alice?") {
		t.Errorf("%v", err)
	}
}

func TestTOTPURICannotBeInjectedInto(t *testing.T) {
	g := totpKey{secret: []byte(rfcKey), digits: 6, period: 30 * time.Second}
	for _, s := range []string{"X&secret=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "a=b", "a+b", "a:b", "a%26b", "é 漢字", "a/b?c#d", "a;b", "\r\nx", "../..", "@", "\xff"} {
		for _, uri := range []string{g.uri(s, "alice"), g.uri("Acme", s), g.uri(s, s)} {
			u, err := url.Parse(uri)
			if err != nil {
				t.Errorf("%q: %v", s, err)
				continue
			}
			q, err := url.ParseQuery(u.RawQuery)
			if err != nil || len(q) != 5 || len(q["secret"]) != 1 || q.Get("secret") != base32NoPad.EncodeToString([]byte(rfcKey)) || u.Fragment != "" || u.Host != "totp" {
				t.Errorf("%q makes %s", s, uri)
			}
			if strings.Count(u.Path, ":") != 1 {
				t.Errorf("%q: label %q", s, u.Path)
			}
		}
	}
	u, _ := url.Parse(g.uri("Tom & Jerry=1+1", "alice"))
	if got := u.Query().Get("issuer"); got != "Tom & Jerry=1+1" {
		t.Errorf("issuer arrives as %q", got)
	}
}

func TestTOTPImport(t *testing.T) {
	// The examples of the Key URI Format wiki of google-authenticator, with a secret of full length.
	for _, c := range []struct {
		uri    string
		digits int
		alg    Algorithm
		period time.Duration
	}{
		{"otpauth://totp/Example:alice@google.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example", 6, SHA1, 30 * time.Second},
		{"otpauth://totp/ACME%20Co:john.doe@email.com?secret=gezdgnbvgy3tqojqgezdgnbvgy3tqojq&issuer=ACME%20Co&algorithm=SHA1&digits=6&period=30", 6, SHA1, 30 * time.Second},
		{"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=sha256&digits=8&period=60&image=https%3A%2F%2Fx", 8, SHA256, time.Minute},
		{"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=SHA512&digits=7", 7, SHA512, 30 * time.Second},
	} {
		data, err := readsAll.importURI(c.uri)
		if err != nil {
			t.Errorf("%s: %v", c.uri, err)
			continue
		}
		g, err := decodeTOTP(data, totpSecretMin)
		if err != nil || string(g.secret) != rfcKey || g.digits != c.digits || g.algorithm != c.alg || g.period != c.period {
			t.Errorf("%s: %v %v %v, %v", c.uri, g.digits, g.algorithm, g.period, err)
		}
		if _, err := (&TOTP{}).importURI(c.uri); (err == nil) != (c.digits == 6) {
			t.Errorf("%s: imported by a factor that reads 6 digits: %v", c.uri, err)
		}
	}
	for _, uri := range []string{
		"", "x", "otpauth://", "otpauth://totp/x", "otpauth://totp/x?secret=", "https://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
		"otpauth://hotp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&counter=1",
		"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&counter=1",
		"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
		"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&encoder=steam",
		"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=MD5",
		"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=4",
		"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=06",
		"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&period=0",
		"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&period=3600",
		"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&period=-30",
		"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ;digits=6",
		"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1",
		"otpauth://me@totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
		"otpauth:totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
		"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ#f",
		"otpauth://totp/" + strings.Repeat("x", 3000) + "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
	} {
		if _, err := readsAll.importURI(uri); err == nil {
			t.Errorf("%s is imported", uri)
		} else if strings.Contains(err.Error(), "GEZD") {
			t.Errorf("an error quotes the secret: %v", err)
		}
	}
	for _, s := range []string{"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "gezd gnbv gy3t qojq gezd gnbv gy3t qojq", "GEZDGNBV-GY3TQOJQ-GEZDGNBV-GY3TQOJQ"} {
		data, err := (&TOTP{Digits: 8, Algorithm: SHA256}).importSecret(s)
		if err != nil || !bytes.Equal(data, totpData(rfcKey, 8, SHA256)) {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{"", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQA", "GEZDGNBVGY3TQOJQ\nGEZDGNBVGY3TQOJQ", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQO!!", "ſEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"} {
		if _, err := (&TOTP{}).importSecret(s); err == nil {
			t.Errorf("%q is imported", s)
		}
	}
}

// needTool skips a test without its peer, except where CI promises to have it.
func needTool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

func TestTOTPAgreesWithOathtool(t *testing.T) {
	oathtool := needTool(t, "oathtool")
	for alg, secret := range map[Algorithm]string{SHA1: rfcKey, SHA256: rfcKey + rfcKey[:12], SHA512: rfcKey} {
		for _, digits := range []int{6, 7, 8} {
			for _, unix := range []int64{59, 1_100_000_000, 1_700_000_015, 4_102_444_800} {
				out, err := exec.Command(oathtool, "--totp="+strings.ToLower(alg.String()), "--digits="+strconv.Itoa(digits),
					"--now=@"+strconv.FormatInt(unix, 10), hex.EncodeToString([]byte(secret))).Output()
				if err != nil {
					t.Fatal(err)
				}
				a := newAttempt(t)
				a.Now = time.Unix(unix, 0)
				a.Enrolled = []Authenticator{{ID: "x", Data: totpData(secret, digits, alg)}}
				if _, err := (&TOTP{Digits: digits}).Verify(context.Background(), a, bytes.TrimSpace(out)); err != nil {
					t.Errorf("%v, %d digits, at %d: %v", alg, digits, unix, err)
				}
			}
		}
	}
}

func TestTOTPImageIsReadByZbar(t *testing.T) {
	zbarimg := needTool(t, "zbarimg")
	for _, issuer := range []string{"Acme", "Tom & Jerry=1+1", strings.Repeat("A long name ", 12)} {
		e, err := (&TOTP{Issuer: issuer}).Enrol(t.Context(), newAttempt(t))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "qr.png")
		if err := os.WriteFile(file, e.PNG, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(zbarimg, "--quiet", "--raw", file).Output()
		if err != nil || strings.TrimSpace(string(out)) != e.URI {
			t.Errorf("issuer %q: not read back: %v", issuer, err)
		}
	}
}

func FuzzTOTPParse(f *testing.F) {
	for _, s := range []string{"123456", "123 456", " 123456", "123456\n", "+12345", "１２３４５６", "000000", "12345678", strings.Repeat(" ", 100) + "1"} {
		f.Add(s)
	}
	factor := &TOTP{OtherDigits: []int{8}}
	f.Fuzz(func(t *testing.T, answer string) {
		code, ok := factor.Parse(answer)
		if !ok {
			if code != nil {
				t.Fatal("refused, with a code")
			}
			return
		}
		if len(code) != 6 && len(code) != 8 {
			t.Fatalf("%d digits", len(code))
		}
		for _, c := range code {
			if c < '0' || c > '9' {
				t.Fatalf("%q in a code", c)
			}
		}
		if strings.ReplaceAll(answer, " ", "") != string(code) {
			t.Fatalf("%q became %q", answer, code)
		}
		if again, ok := factor.Parse(string(code)); !ok || !bytes.Equal(again, code) {
			t.Fatal("the canonical form of a canonical form differs")
		}
	})
}

func FuzzTOTPURI(f *testing.F) {
	for _, s := range []string{
		"otpauth://totp/Example:alice@google.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example",
		"otpauth://totp/x?secret=gezdgnbvgy3tqojqgezdgnbvgy3tqojq&algorithm=SHA256&digits=8&period=60",
		"otpauth://totp/x?secret=", "otpauth://hotp/x?secret=AAAA&counter=1", "otpauth://totp/%zz?secret=A", "x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		data, err := readsAll.importURI(uri)
		if err != nil {
			return
		}
		g, err := decodeTOTP(data, totpSecretMin)
		if err != nil {
			t.Fatalf("imported data does not read back: %v", err)
		}
		again, err := readsAll.importURI(g.uri("Acme & Co:", "al:ice"))
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("our own URI does not read back: %v", err)
		}
	})
}
