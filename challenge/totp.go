package challenge

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// Bounds of a TOTP authenticator. RFC 4226 section 4, R6 asks for a shared secret of at least 128 bits and recommends 160.
// NIST SP 800-63B-4 section 3.1.4.1 wants a code to change at least every two minutes.
const (
	totpSecretMade     = 20
	totpSecretMin      = 16
	totpSecretMinShort = 10 // with InsecureShortSecrets: the 80 bits that some issuers still hand out
	totpSecretMax      = 128
	totpDigitsMin      = 6
	totpDigitsMax      = 8
	totpPeriodMin      = 15 * time.Second
	totpPeriodMax      = 2 * time.Minute
	totpEnrolReach     = 10 // steps to either side that are looked at, not accepted, while enrolling
	totpURIMax         = 2048
)

// Algorithm is the hash of a [TOTP] authenticator. Many phone apps know only SHA1, which is sound here: HMAC does not rest
// on collision resistance.
type Algorithm uint8

const (
	SHA1 Algorithm = iota
	SHA256
	SHA512
)

// String is the name used in otpauth URIs.
func (a Algorithm) String() string {
	switch a {
	case SHA1:
		return "SHA1"
	case SHA256:
		return "SHA256"
	case SHA512:
		return "SHA512"
	}
	return "Algorithm(" + strconv.Itoa(int(a)) + ")"
}

// TOTP is the factor of authenticator apps: time-based one-time passwords of RFC 6238. The zero value is complete.
//
// A code is accepted in its own step and in the one after (RFC 6238 section 5.2), once: the highest matching step must
// exceed the last one that the authenticator was used with, on any surface. A code that matches used steps only is
// [ErrReplayed]. Its answers are exact ASCII digits.
//
// Digits, Period and Algorithm are those of new authenticators; each authenticator keeps what it was enrolled with.
type TOTP struct {
	// Issuer is the name that the app shows beside the account. Empty means the host of Config.Site.
	Issuer string
	// Digits is the length of a code, 6 to 8. Zero means 6.
	Digits int
	// OtherDigits are further lengths that are read, for authenticators imported or enrolled under another setting.
	OtherDigits []int
	// Period is the length of a step, 15 seconds to 2 minutes, in whole seconds. Zero means 30 seconds.
	Period time.Duration
	// Algorithm is the hash. The zero value is SHA1.
	Algorithm Algorithm
	// AllowAhead accepts the code of the next step too, for authenticators whose clock runs ahead.
	AllowAhead bool
	// InsecureShortSecrets accepts imported secrets from 80 bits on; otherwise the least is 128 bits.
	InsecureShortSecrets bool
}

var (
	_ Factor   = (*TOTP)(nil)
	_ Parser   = (*TOTP)(nil)
	_ Enroller = (*TOTP)(nil)
	_ Checker  = (*TOTP)(nil)
)

// Name is "totp".
func (t *TOTP) Name() string { return "totp" }

// Check refuses settings outside their bounds.
func (t *TOTP) Check(Site) error { return t.valid() }

func (t *TOTP) valid() error {
	for _, d := range append([]int{t.digits()}, t.OtherDigits...) {
		if d < totpDigitsMin || d > totpDigitsMax {
			return fmt.Errorf("challenge: TOTP: %d digits: use 6 to 8", d)
		}
	}
	if p := t.period(); p < totpPeriodMin || p > totpPeriodMax || p%time.Second != 0 {
		return fmt.Errorf("challenge: TOTP: period %v: use 15s to 2m, in whole seconds", t.Period)
	}
	if t.Algorithm > SHA512 {
		return fmt.Errorf("challenge: TOTP: unknown algorithm %v", t.Algorithm)
	}
	return nil
}

// Begin does nothing: the app on the phone makes the code.
func (t *TOTP) Begin(context.Context, *Attempt) error { return nil }

// Parse accepts exactly as many ASCII digits as codes have.
func (t *TOTP) Parse(answer string) ([]byte, bool) {
	code, ok := parseDigits(answer)
	if !ok || len(code) != t.digits() && !slices.Contains(t.OtherDigits, len(code)) {
		return nil, false
	}
	return code, true
}

// Verify compares answer with the steps of every enrolled authenticator. It returns ErrWrongCode, ErrReplayed or, with
// [PurposeEnrol], ErrClockOff. A code that one authenticator has used counts for no other, so that a secret that somebody has
// twice is used once. The comparison is of bytes: nothing is trimmed or folded here.
func (t *TOTP) Verify(_ context.Context, a *Attempt, answer []byte) (Proof, error) {
	verdict := ErrWrongCode
	var proof Proof
	var broken error // an authenticator that cannot be read does not stand in the way of another one
	for _, auth := range a.Enrolled {
		g, err := decodeTOTP(auth.Data, t.secretMin())
		if err != nil {
			broken = fmt.Errorf("%w: authenticator %s: %w", ErrUnavailable, auth.ID, err)
			continue
		}
		now, last := g.step(a.Now), g.step(a.Now)
		if t.AllowAhead {
			last++
		}
		step, ok, err := g.highest(answer, now-1, last)
		switch {
		case err != nil:
			return Proof{}, err
		case ok && step > auth.LastStep:
			if proof.Authenticator == "" {
				proof = Proof{Authenticator: auth.ID, Step: step}
			}
		case ok:
			verdict = ErrReplayed
		case a.Purpose == PurposeEnrol:
			_, ok, err := g.highest(answer, now-totpEnrolReach, now+totpEnrolReach)
			if err != nil {
				return Proof{}, err
			}
			if ok && verdict == ErrWrongCode {
				verdict = ErrClockOff
			}
		}
	}
	switch {
	case proof.Authenticator != "" && verdict != ErrReplayed:
		return proof, nil
	case broken != nil && verdict == ErrWrongCode:
		return Proof{}, broken
	}
	return Proof{}, verdict
}

// Enrol makes a new secret of 160 bits, or shows the pending one again when the attempt holds it.
func (t *TOTP) Enrol(_ context.Context, a *Attempt) (Enrolment, error) {
	if err := t.valid(); err != nil {
		return Enrolment{}, err
	}
	var g totpKey
	if len(a.Enrolled) > 0 {
		var err error
		if g, err = decodeTOTP(a.Enrolled[0].Data, t.secretMin()); err != nil {
			return Enrolment{}, fmt.Errorf("%w: authenticator %s: %w", ErrUnavailable, a.Enrolled[0].ID, err)
		}
	} else {
		g = totpKey{secret: make([]byte, totpSecretMade), digits: t.digits(), period: t.period(), algorithm: t.Algorithm}
		if err := a.Random(g.secret); err != nil {
			return Enrolment{}, err
		}
	}
	issuer := t.Issuer
	if issuer == "" {
		issuer = siteHost(a.Site)
	}
	e := Enrolment{Data: g.encode(), URI: g.uri(issuer, a.Account.Name), Key: inFours(base32NoPad.EncodeToString(g.secret))}
	var err error
	if e.PNG, err = qrPNG(e.URI); err != nil {
		return Enrolment{}, err
	}
	return e, nil
}

// importSecret makes authenticator data from a base32 secret, for codes as this factor makes them. Upper or lower case,
// groups parted by spaces or hyphens, and padding are read.
func (t *TOTP) importSecret(secret string) ([]byte, error) {
	if err := t.valid(); err != nil {
		return nil, err
	}
	b, err := decodeBase32(secret)
	if err != nil {
		return nil, err
	}
	return t.imported(totpKey{secret: b, digits: t.digits(), period: t.period(), algorithm: t.Algorithm})
}

// importURI makes authenticator data from an otpauth URI. It refuses a code length that Parse would not read.
func (t *TOTP) importURI(uri string) ([]byte, error) {
	g, err := parseTOTPURI(uri)
	if err != nil {
		return nil, err
	}
	if g.digits != t.digits() && !slices.Contains(t.OtherDigits, g.digits) {
		return nil, fmt.Errorf("challenge: TOTP import: codes of %d digits: name that length in TOTP.OtherDigits", g.digits)
	}
	return t.imported(g)
}

func (t *TOTP) imported(g totpKey) ([]byte, error) {
	data := g.encode()
	if _, err := decodeTOTP(data, t.secretMin()); err != nil {
		return nil, err
	}
	return data, nil
}

func (t *TOTP) digits() int {
	if t.Digits == 0 {
		return 6
	}
	return t.Digits
}

func (t *TOTP) period() time.Duration {
	if t.Period == 0 {
		return 30 * time.Second
	}
	return t.Period
}

func (t *TOTP) secretMin() int {
	if t.InsecureShortSecrets {
		return totpSecretMinShort
	}
	return totpSecretMin
}

// totpKey is one authenticator's secret and how its codes are made.
type totpKey struct {
	secret    []byte
	digits    int
	period    time.Duration
	algorithm Algorithm
}

// Format hides the secret.
func (totpKey) Format(f fmtState, _ rune) { writeRedacted(f, "[totp key]") }

// encode is version 1 of Authenticator.Data: version, algorithm, digits, period in seconds (16 bits), secret.
func (g totpKey) encode() []byte {
	b := []byte{1, byte(g.algorithm), byte(g.digits)}
	b = binary.BigEndian.AppendUint16(b, uint16(g.period/time.Second))
	return append(b, g.secret...)
}

// decodeTOTP reads what encode wrote and checks every bound again. A secret that is too short never reaches the
// comparison: an empty one would validate.
func decodeTOTP(b []byte, secretMin int) (totpKey, error) {
	if len(b) < 5 || b[0] != 1 {
		return totpKey{}, errors.New("challenge: TOTP data of an unknown version")
	}
	g := totpKey{
		algorithm: Algorithm(b[1]),
		digits:    int(b[2]),
		period:    time.Duration(binary.BigEndian.Uint16(b[3:])) * time.Second,
		secret:    b[5:],
	}
	switch {
	case len(g.secret) < secretMin:
		hint := ""
		if secretMin == totpSecretMin && len(g.secret) >= totpSecretMinShort {
			hint = "; TOTP.InsecureShortSecrets takes over such ones"
		}
		return totpKey{}, fmt.Errorf("challenge: TOTP secret of %d bytes: at least %d are needed%s", len(g.secret), secretMin, hint)
	case len(g.secret) > totpSecretMax:
		return totpKey{}, fmt.Errorf("challenge: TOTP secret of %d bytes: at most %d are read", len(g.secret), totpSecretMax)
	case g.algorithm > SHA512:
		return totpKey{}, errors.New("challenge: TOTP with an unknown algorithm")
	case g.digits < totpDigitsMin || g.digits > totpDigitsMax:
		return totpKey{}, fmt.Errorf("challenge: TOTP of %d digits: 6 to 8 are read", g.digits)
	case g.period < totpPeriodMin || g.period > totpPeriodMax:
		return totpKey{}, fmt.Errorf("challenge: TOTP with a period of %v: 15s to 2m are read", g.period)
	}
	return g, nil
}

func (g totpKey) step(now time.Time) int64 { return now.Unix() / int64(g.period/time.Second) }

// code is HOTP (RFC 4226 section 5.3) of a step.
func (g totpKey) code(step int64) (string, error) {
	algorithm := otp.AlgorithmSHA1
	switch g.algorithm {
	case SHA256:
		algorithm = otp.AlgorithmSHA256
	case SHA512:
		algorithm = otp.AlgorithmSHA512
	}
	return hotp.GenerateCodeCustom(base32NoPad.EncodeToString(g.secret), uint64(step),
		hotp.ValidateOpts{Digits: otp.Digits(g.digits), Algorithm: algorithm})
}

// highest returns the latest step from first to last that has the code. Two steps can share one, so the loop does not
// stop at the first match. Steps before 1970 have no code; step 0 is left out as the zero value of "never used".
func (g totpKey) highest(code []byte, first, last int64) (step int64, ok bool, err error) {
	for s := max(first, 1); s <= last; s++ {
		want, err := g.code(s)
		if err != nil {
			return 0, false, fmt.Errorf("%w: TOTP arithmetic failed", ErrUnavailable) // its error is not repeated: it has seen the secret
		}
		if subtle.ConstantTimeCompare([]byte(want), code) == 1 {
			step, ok = s, true
		}
	}
	return step, ok, nil
}

// uri is the key in the format that authenticator apps read from QR images. Everything outside RFC 3986's unreserved set
// is escaped, so that no issuer or name can add a parameter; a colon, which parts the two in the label, is dropped.
func (g totpKey) uri(issuer, account string) string {
	issuer = strings.ReplaceAll(issuer, ":", "")
	account = strings.ReplaceAll(account, ":", "")
	label := uriEscape(account)
	if issuer != "" {
		label = uriEscape(issuer) + ":" + label
	}
	u := "otpauth://totp/" + label + "?secret=" + base32NoPad.EncodeToString(g.secret)
	if issuer != "" {
		u += "&issuer=" + uriEscape(issuer)
	}
	return u + "&algorithm=" + g.algorithm.String() + "&digits=" + strconv.Itoa(g.digits) +
		"&period=" + strconv.Itoa(int(g.period/time.Second))
}

// parseTOTPURI reads an otpauth URI strictly: kind totp, each parameter at most once, no other way of making codes than
// RFC 6238's. The secret's length is left to decodeTOTP. Its errors never quote the URI, which is a secret.
func parseTOTPURI(uri string) (totpKey, error) {
	if len(uri) > totpURIMax {
		return totpKey{}, errors.New("challenge: otpauth URI: too long")
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "otpauth" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return totpKey{}, errors.New("challenge: otpauth URI: not of the form otpauth://totp/LABEL?secret=…")
	}
	if u.Host != "totp" {
		return totpKey{}, errors.New("challenge: otpauth URI: only the kind totp is read")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return totpKey{}, errors.New("challenge: otpauth URI: broken parameters")
	}
	for name, values := range q {
		if len(values) != 1 {
			return totpKey{}, errors.New("challenge: otpauth URI: a parameter is given twice")
		}
		switch name {
		case "encoder", "counter": // other ways of making codes
			return totpKey{}, errors.New("challenge: otpauth URI: not a time-based code of RFC 6238")
		}
	}
	g := totpKey{digits: 6, period: 30 * time.Second}
	if g.secret, err = decodeBase32(q.Get("secret")); err != nil {
		return totpKey{}, err
	}
	if q.Has("algorithm") {
		switch strings.ToUpper(q.Get("algorithm")) {
		case "SHA1", "SHA-1":
		case "SHA256", "SHA-256":
			g.algorithm = SHA256
		case "SHA512", "SHA-512":
			g.algorithm = SHA512
		default:
			return totpKey{}, errors.New("challenge: otpauth URI: unknown algorithm")
		}
	}
	if q.Has("digits") {
		switch q.Get("digits") {
		case "6", "7", "8":
			g.digits = int(q.Get("digits")[0] - '0')
		default:
			return totpKey{}, errors.New("challenge: otpauth URI: digits must be 6, 7 or 8")
		}
	}
	if q.Has("period") {
		n, err := strconv.ParseUint(q.Get("period"), 10, 16)
		g.period = time.Duration(n) * time.Second
		if err != nil || g.period < totpPeriodMin || g.period > totpPeriodMax {
			return totpKey{}, errors.New("challenge: otpauth URI: period must be 15 to 120 seconds")
		}
	}
	return g, nil
}

var base32NoPad = base32.StdEncoding.WithPadding(base32.NoPadding)

// decodeBase32 reads base32 (RFC 4648 section 6) as people and issuers write it: any case, groups, with or without padding.
func decodeBase32(s string) ([]byte, error) {
	bad := errors.New("challenge: TOTP secret: not base32")
	if len(s) > totpURIMax {
		return nil, bad
	}
	s = strings.TrimRight(strings.NewReplacer(" ", "", "-", "").Replace(s), "=")
	for i := range len(s) { // Go's decoder skips line ends
		if s[i] <= ' ' || s[i] > '~' {
			return nil, bad
		}
	}
	b, err := base32NoPad.DecodeString(strings.ToUpper(s))
	if err != nil || base32NoPad.EncodedLen(len(b)) != len(s) {
		return nil, bad // the decoder's error would quote the secret
	}
	return b, nil
}

// inFours parts a key as people like to type it.
func inFours(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// uriEscape escapes all but RFC 3986's unreserved characters (section 2.3).
func uriEscape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// qrPNG draws text as a QR code on a square of 320 pixels: 256 for the code, and around it the quiet zone of four modules
// that ISO/IEC 18004 asks for (32 pixels: an otpauth URI needs at least 41 modules, so one is 6 pixels or less).
func qrPNG(text string) ([]byte, error) {
	key, err := otp.NewKeyFromURL(text)
	if err != nil {
		return nil, errors.New("challenge: QR image: the URI does not parse")
	}
	code, err := key.Image(256, 256)
	if err != nil {
		return nil, errors.New("challenge: QR image: issuer and account name are too long for one")
	}
	canvas := image.NewPaletted(image.Rect(0, 0, 320, 320), color.Palette{color.White, color.Black})
	draw.Draw(canvas, image.Rect(32, 32, 288, 288), code, code.Bounds().Min, draw.Src)
	var b bytes.Buffer
	if err := png.Encode(&b, canvas); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
