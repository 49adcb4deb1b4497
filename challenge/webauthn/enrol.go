package webauthn

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	lib "github.com/go-webauthn/webauthn/webauthn"

	"github.com/sallyport-go/sallyport/challenge"
)

// algorithms are the signatures that are asked for and accepted, by preference: EdDSA, ES256 and RS256, as WebAuthn section
// 5.4 recommends for the widest range of authenticators.
var algorithms = lib.CredentialParametersRecommendedL3()

// Enrol makes the options for a new passkey and the challenge that goes with them, or shows the pending ones again when the
// attempt holds them. The options exclude the passkeys that there are already, so that no device enrols twice.
func (f *Factor) Enrol(_ context.Context, a *challenge.Attempt) (challenge.Enrolment, error) {
	if len(a.Enrolled) > 0 {
		v := a.Enrolled[0]
		d, err := decode(v.Data)
		if err != nil || d.Pending == nil {
			return challenge.Enrolment{}, fmt.Errorf("%w: authenticator %s: no enrolment that waits", challenge.ErrUnavailable, v.ID)
		}
		return f.creation(a, d)
	}
	d := data{RP: f.rpID(a.Site), Pending: new(pending)}
	for _, v := range a.Existing {
		has, err := decode(v.Data)
		if err != nil || has.Passkey == nil {
			return challenge.Enrolment{}, fmt.Errorf("%w: authenticator %s: %w", challenge.ErrUnavailable, v.ID, errData)
		}
		d.User = has.User
		if has.RP == d.RP {
			d.Pending.Exclude = append(d.Pending.Exclude, has.Passkey.device)
		}
	}
	if d.User == nil {
		d.User = make([]byte, handleBytes)
		if err := a.Random(d.User); err != nil {
			return challenge.Enrolment{}, err
		}
	}
	d.Pending.Challenge = make([]byte, challengeBytes)
	if err := a.Random(d.Pending.Challenge); err != nil {
		return challenge.Enrolment{}, err
	}
	return f.creation(a, d)
}

// creation writes the options of a pending enrolment: the same for the same data.
func (f *Factor) creation(a *challenge.Attempt, d data) (challenge.Enrolment, error) {
	party, err := f.party(a)
	if err != nil {
		return challenge.Enrolment{}, err
	}
	options, _, err := party.BeginRegistration(user{handle: d.User, name: a.Account.Name}, func(o *protocol.PublicKeyCredentialCreationOptions) error {
		o.Challenge = d.Pending.Challenge
		o.Parameters = algorithms
		o.Extensions.CredProps = true // tells whether it is discoverable
		for _, v := range d.Pending.Exclude {
			o.CredentialExcludeList = append(o.CredentialExcludeList, v.descriptor())
		}
		return nil
	})
	if err != nil {
		return challenge.Enrolment{}, errors.New("webauthn: creation options cannot be made")
	}
	var e challenge.Enrolment
	if e.Options, err = json.Marshal(options.Response); err != nil {
		return challenge.Enrolment{}, err
	}
	e.Data, err = d.encode()
	return e, err
}

// verifyNew checks the answer to the options of the one enrolment that the attempt holds.
func (f *Factor) verifyNew(a *challenge.Attempt, answer []byte) (challenge.Proof, error) {
	none := challenge.Proof{}
	if len(a.Enrolled) != 1 {
		return none, challenge.ErrNoCode
	}
	d, err := decode(a.Enrolled[0].Data)
	if err != nil {
		return none, fmt.Errorf("%w: authenticator %s: %w", challenge.ErrUnavailable, a.Enrolled[0].ID, err)
	}
	if d.Pending == nil || d.RP != f.rpID(a.Site) { // its challenge was used, or is for another domain
		return none, challenge.ErrNoCode
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return none, wrong("not an attestation")
	}
	if parsed.Response.CollectedClientData.Origin != a.Site {
		return none, wrong("made for another origin")
	}
	if !unattested(&parsed.Response.AttestationObject) {
		return none, wrong("it brings an attestation that was not asked for")
	}
	party, err := f.party(a)
	if err != nil {
		return none, err
	}
	state := lib.SessionData{
		Challenge: base64.RawURLEncoding.EncodeToString(d.Pending.Challenge), RelyingPartyID: d.RP, UserID: d.User,
		UserVerification: party.Config.AuthenticatorSelection.UserVerification, CredParams: algorithms,
		Extensions: protocol.AuthenticationExtensions{CredProps: true}.Session(),
	}
	got, err := party.CreateCredential(user{handle: d.User, name: a.Account.Name}, state, parsed)
	if err != nil {
		return none, wrong("the attestation does not verify")
	}
	if slices.ContainsFunc(d.Pending.Exclude, func(v device) bool { return bytes.Equal(v.ID, got.ID) }) {
		return none, wrong("enrolled already")
	}
	d.Pending, d.Passkey = nil, newPasskey(got, a.Now)
	b, err := d.encode()
	return challenge.Proof{Authenticator: a.Enrolled[0].ID, Enrolment: b}, err
}

// unattested reports whether an attestation is of the two kinds that a client lets through when it was asked for none: none,
// or one by the new key itself (WebAuthn section 5.1.3). The parsers of all others stay out of reach.
func unattested(o *protocol.AttestationObject) bool {
	switch protocol.AttestationFormat(o.Format) {
	case protocol.AttestationFormatNone:
		return true
	case protocol.AttestationFormatPacked:
		_, certified := o.AttStatement["x5c"]
		return !certified
	}
	return false
}
