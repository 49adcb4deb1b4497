package webauthn

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	lib "github.com/go-webauthn/webauthn/webauthn"

	"github.com/sallyport-go/sallyport/challenge"
)

const (
	// maxAnswer is the longest answer in bytes. An attestation object with a 1023-byte credential id fits several times.
	maxAnswer = 16 << 10

	challengeBytes = 32 // WebAuthn section 13.4.3 asks for 16 at least
	handleBytes    = 64 // WebAuthn section 14.6.1: random, and nothing that tells who it is

	timeoutDefault = 5 * time.Minute // the recommended range is 5 to 10 minutes (WebAuthn section 15.1)
	timeoutMin     = 30 * time.Second
	timeoutMax     = 10 * time.Minute
)

// ErrCloned is a right signature whose counter has not gone up since the last one: the key may exist twice (WebAuthn section
// 6.1.1). It wraps [challenge.ErrWrongCode]; the passkey stays enrolled, and its counter as it was.
var ErrCloned error = cloned{}

type cloned struct{}

var _ challenge.Reasoned = cloned{}

func (cloned) Error() string {
	return challenge.ErrWrongCode.Error() + ": passkey: its signature counter did not go up, it may have been copied"
}
func (cloned) Unwrap() error { return challenge.ErrWrongCode }

// AuditReason tells an administrator what nobody else is told.
func (cloned) AuditReason() string { return "passkey may have been copied: its counter did not go up" }

// Factor is the factor of passkeys. The zero value is complete: relying party and origin are those of Config.Site,
// attestation is not asked for, framing by another site is refused, and the person has to be present. Safe for concurrent use.
//
// Whoever can answer holds the key. Whether the device also verified the person, by PIN or biometry, is asked for and noted,
// and demanded only with RequireUserVerification: as a second factor beside a password, possession is what counts. Where a
// passkey counts as both factors (challenge.Config.Passwordless) it is always demanded.
type Factor struct {
	// RPID is the domain that passkeys are made for: the host of Config.Site, or a domain above it, so that sites beside it
	// may use the same passkeys. Empty means the host. With another value than before, passkeys made before are not usable.
	RPID string
	// DisplayName is the site's name in the browser's dialogue. Empty means RPID.
	DisplayName string
	// RequireUserVerification refuses a passkey that did not verify the person by PIN or biometry.
	RequireUserVerification bool
	// Timeout is how long a person has for an answer, 30 seconds to 10 minutes. Zero means 5 minutes. Config.CodeTTL, when it
	// is shorter, cuts it off.
	Timeout time.Duration
}

var (
	_ challenge.Factor       = (*Factor)(nil)
	_ challenge.Parser       = (*Factor)(nil)
	_ challenge.Enroller     = (*Factor)(nil)
	_ challenge.Availability = (*Factor)(nil)
	_ challenge.Checker      = (*Factor)(nil)
)

// Name is "passkey".
func (f *Factor) Name() string { return "passkey" }

// Check refuses settings that no browser would accept: a site that is neither https nor localhost, an address instead of a
// name, an RPID that is not the site's domain or one above it.
func (f *Factor) Check(s challenge.Site) error {
	host := hostname(s.Origin)
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	if !s.Secure && !local {
		return fmt.Errorf("webauthn: site %s: browsers offer passkeys on https and on http://localhost only", s.Origin)
	}
	if err := protocol.ValidateRPID(host); err != nil {
		return fmt.Errorf("webauthn: site %s: passkeys need a domain name, in ASCII (for a trial: http://localhost): %w", s.Origin, err)
	}
	id := f.rpID(s.Origin)
	if err := protocol.ValidateRPID(id); err != nil {
		return fmt.Errorf("webauthn: RPID %q: %w", id, err)
	}
	if id != host && (!strings.HasSuffix(host, "."+id) || !strings.Contains(id, ".")) {
		return fmt.Errorf("webauthn: RPID %q: it must be %s or a domain above it", id, host)
	}
	if t := f.timeout(); t < timeoutMin || t > timeoutMax {
		return fmt.Errorf("webauthn: Timeout %v: use 30s to 10m", f.Timeout)
	}
	return nil
}

// Available reports whether a passkey for this relying party is enrolled.
func (f *Factor) Available(a *challenge.Attempt) bool {
	keys, _ := f.usable(a)
	return len(keys) > 0
}

// Begin poses a challenge that one of the account's passkeys has to sign.
func (f *Factor) Begin(_ context.Context, a *challenge.Attempt) error {
	keys, err := f.usable(a)
	if len(keys) == 0 {
		return errors.Join(errors.New("webauthn: no passkey to ask for"), err)
	}
	nonce := make([]byte, challengeBytes)
	if err := a.Random(nonce); err != nil {
		return err
	}
	party, err := f.party(a)
	if err != nil {
		return err
	}
	who := user{handle: keys[0].User, name: a.Account.Name, keys: keys}
	options, state, err := party.BeginLogin(who, func(o *protocol.PublicKeyCredentialRequestOptions) error {
		o.Challenge = nonce
		return nil
	})
	if err != nil {
		return errors.New("webauthn: request options cannot be made")
	}
	state.Expires = a.Now.Add(f.timeout())
	kept, err := json.Marshal(state)
	if err != nil {
		return err
	}
	shown, err := json.Marshal(options.Response)
	if err != nil {
		return err
	}
	a.SetChallenge(kept, shown)
	return nil
}

// Parse accepts base64url without padding, at most 16 KiB, of a JSON object.
func (f *Factor) Parse(answer string) ([]byte, bool) {
	if len(answer) > maxAnswer {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(answer)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(b)) != len(answer) { // Go's decoder skips line ends
		return nil, false
	}
	if len(b) == 0 || b[0] != '{' || !json.Valid(b) {
		return nil, false
	}
	return b, true
}

// Verify checks an assertion against the challenge that was posed (WebAuthn section 7.2) or, with [challenge.PurposeEnrol], the
// answer to an enrolment's options (section 7.1). With [challenge.PurposePasswordless] it also demands that the assertion names
// the account's handle and that the person was verified. Its Proof names the passkey and carries its new state, which the machine
// writes only in place of the state that Verify has seen.
//
// It returns ErrNoCode without a challenge, or when it was taken before; ErrCodeExpired after its end; [ErrCloned]; and
// ErrWrongCode for everything else that is wrong with an answer. No error repeats any of it.
func (f *Factor) Verify(_ context.Context, a *challenge.Attempt, answer []byte) (challenge.Proof, error) {
	if len(answer) > maxAnswer {
		return challenge.Proof{}, wrong("too long")
	}
	switch a.Purpose {
	case challenge.PurposeEnrol:
		return f.verifyNew(a, answer)
	case challenge.PurposePasswordless:
		return f.verifyAlone(a, answer)
	}
	return f.verifyAssertion(a, answer)
}

func (f *Factor) verifyAssertion(a *challenge.Attempt, answer []byte) (challenge.Proof, error) {
	none := challenge.Proof{}
	if a.Challenge() == nil {
		return none, challenge.ErrNoCode
	}
	var state lib.SessionData
	if err := json.Unmarshal(a.Challenge(), &state); err != nil || state.Expires.IsZero() {
		return none, fmt.Errorf("%w: webauthn: challenge cannot be read", challenge.ErrUnavailable)
	}
	if !a.Now.Before(state.Expires) {
		return none, challenge.ErrCodeExpired
	}
	state.Expires = time.Time{} // the library would look at the machine's clock

	keys, broken := f.usable(a)
	if len(keys) == 0 && broken != nil {
		return none, broken
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return none, wrong("not an assertion")
	}
	i := slices.IndexFunc(keys, func(k usable) bool { return bytes.Equal(k.Passkey.ID, parsed.RawID) })
	asked := slices.ContainsFunc(state.AllowedCredentialIDs, func(id []byte) bool { return bytes.Equal(id, parsed.RawID) })
	if i < 0 || !asked {
		return none, wrong("not one of this account's passkeys")
	}
	if parsed.Response.CollectedClientData.Origin != a.Site { // exact; the library folds case and default ports
		return none, wrong("signed for another origin")
	}
	return f.assert(a, keys[i], state, parsed)
}

// wrong is a refusal that costs a guess. why is ours, and never a part of the answer.
func wrong(why string) error { return fmt.Errorf("%w: passkey: %s", challenge.ErrWrongCode, why) }

// usable is a passkey that may answer.
type usable struct {
	data
	id string // of the authenticator
}

// usable are the account's passkeys for this relying party. One that cannot be read does not stand in the way of the others;
// err says that there is one.
func (f *Factor) usable(a *challenge.Attempt) (keys []usable, err error) {
	for _, v := range a.Enrolled {
		d, bad := decode(v.Data)
		switch {
		case bad != nil:
			err = fmt.Errorf("%w: authenticator %s: %w", challenge.ErrUnavailable, v.ID, bad)
		case d.Passkey != nil && !v.Disabled && d.RP == f.rpID(a.Site):
			keys = append(keys, usable{d, v.ID})
		}
	}
	return keys, err
}

// party is the relying party, by the site of the attempt.
func (f *Factor) party(a *challenge.Attempt) (*lib.WebAuthn, error) {
	id := f.rpID(a.Site)
	name := f.DisplayName
	if name == "" {
		name = id
	}
	verification := protocol.VerificationPreferred
	if f.RequireUserVerification {
		verification = protocol.VerificationRequired
	}
	timeout := lib.TimeoutConfig{Timeout: f.timeout(), TimeoutUVD: f.timeout()}
	w, err := lib.New(&lib.Config{
		RPID: id, RPDisplayName: name, RPOrigins: []string{a.Site},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			// Discoverable where the device can: that is what people call a passkey.
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: verification,
		},
		Timeouts: lib.TimeoutsConfig{Login: timeout, Registration: timeout},
		// Password managers add outputs that nobody asked for; nothing here reads them (WebAuthn section 7.1 step 19).
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: webauthn: %w", challenge.ErrUnavailable, err)
	}
	return w, nil
}

func (f *Factor) rpID(site string) string {
	if f.RPID != "" {
		return f.RPID
	}
	return hostname(site)
}

func (f *Factor) timeout() time.Duration {
	if f.Timeout == 0 {
		return timeoutDefault
	}
	return f.Timeout
}

func hostname(site string) string {
	u, err := url.Parse(site)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// user is an account as the library sees it.
type user struct {
	handle []byte
	name   string
	keys   []usable
}

var _ lib.User = user{}

func (u user) WebAuthnID() []byte          { return u.handle }
func (u user) WebAuthnName() string        { return u.name }
func (u user) WebAuthnDisplayName() string { return u.name }

func (u user) WebAuthnCredentials() (out []lib.Credential) {
	for _, k := range u.keys {
		out = append(out, k.Passkey.credential())
	}
	return out
}
