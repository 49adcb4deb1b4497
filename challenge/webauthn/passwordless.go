package webauthn

import (
	"bytes"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"sync"

	"github.com/go-webauthn/webauthn/protocol"
	lib "github.com/go-webauthn/webauthn/webauthn"

	"github.com/sallyport-go/sallyport/challenge"
)

// This file is what lets a passkey count as both factors (challenge.Config.Passwordless).

var _ challenge.Discoverable = (*Factor)(nil)

// Discover writes request options without allowCredentials, for which a client looks among the passkeys that it can find by
// itself, and which demand that the person is verified (WebAuthn sections 5.4.6 and 6.1.3).
func (f *Factor) Discover(a *challenge.Attempt, nonce []byte) ([]byte, error) {
	party, err := f.party(a)
	if err != nil {
		return nil, err
	}
	options, _, err := party.BeginDiscoverableLogin(func(o *protocol.PublicKeyCredentialRequestOptions) error {
		o.Challenge, o.UserVerification = nonce, protocol.VerificationRequired
		o.Timeout = int(min(f.timeout(), a.TTL()).Milliseconds())
		return nil
	})
	if err != nil {
		return nil, errors.New("webauthn: request options cannot be made")
	}
	return json.Marshal(options.Response)
}

// Claim reads the user handle, which such an answer must bring (WebAuthn section 7.2 step 6), and the challenge.
func (f *Factor) Claim(answer []byte) (handle, nonce []byte, ok bool) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil || len(parsed.Response.UserHandle) == 0 {
		return nil, nil, false
	}
	nonce, err = base64.RawURLEncoding.DecodeString(parsed.Response.CollectedClientData.Challenge)
	return parsed.Response.UserHandle, nonce, err == nil
}

// Handle is the user handle of a passkey that can be found without a name and has verified the person before: when it was
// enrolled, or beside a first factor. A security key that came without a PIN is not enough: whoever finds it sets one.
func (f *Factor) Handle(b []byte) (handle []byte, ok bool) {
	d, err := decode(b)
	if err != nil || d.Passkey == nil || !d.Passkey.alone() {
		return nil, false
	}
	return d.User, true
}

// alone reports whether a passkey may count as both factors. That the client did not say whether it can be found without a
// name does not matter: one that answers has been found.
func (k *passkey) alone() bool { return k.Both && (k.Discoverable == nil || *k.Discoverable) }

// verifyAlone checks an assertion that stands for both factors, over the nonce that the machine has posed.
func (f *Factor) verifyAlone(a *challenge.Attempt, answer []byte) (challenge.Proof, error) {
	none := challenge.Proof{}
	if a.Challenge() == nil {
		return none, challenge.ErrNoCode
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return none, wrong("not an assertion")
	}
	if parsed.Response.CollectedClientData.Origin != a.Site {
		return none, wrong("signed for another origin")
	}
	state := lib.SessionData{
		Challenge: base64.RawURLEncoding.EncodeToString(a.Challenge()), RelyingPartyID: f.rpID(a.Site), UserVerification: protocol.VerificationRequired,
	}
	keys, broken := f.usable(a)
	i := slices.IndexFunc(keys, func(k usable) bool {
		return k.Passkey.alone() && bytes.Equal(k.Passkey.ID, parsed.RawID) && bytes.Equal(k.User, parsed.Response.UserHandle)
	})
	if i < 0 {
		if broken != nil {
			return none, broken
		}
		// The work of a comparison, whose end does not matter.
		_, _ = f.assert(a, usable{data: data{User: parsed.Response.UserHandle, Passkey: &passkey{device: device{ID: parsed.RawID}, Key: nobodysKey()}}}, state, parsed)
		return none, wrong("no passkey that may count as both factors")
	}
	if !parsed.Response.AuthenticatorData.Flags.HasUserVerified() {
		return none, wrong("the person was not verified")
	}
	return f.assert(a, keys[i], state, parsed)
}

// nobodysKey is a public key in COSE form (RFC 9053 section 7.1.1) that no passkey has: the generator of P-256.
var nobodysKey = sync.OnceValue(func() []byte {
	p := elliptic.P256().Params()
	b := []byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20} // kty EC2, alg ES256, crv P-256, x
	b = append(b, p.Gx.FillBytes(make([]byte, 32))...)
	b = append(b, 0x22, 0x58, 0x20) // y
	return append(b, p.Gy.FillBytes(make([]byte, 32))...)
})

// assert verifies an assertion against one passkey and gives its new state.
func (f *Factor) assert(a *challenge.Attempt, key usable, state lib.SessionData, parsed *protocol.ParsedCredentialAssertionData) (challenge.Proof, error) {
	none := challenge.Proof{}
	party, err := f.party(a)
	if err != nil {
		return none, err
	}
	// Just this key and its handle: another one that was removed meanwhile does not matter.
	state.UserID, state.AllowedCredentialIDs = key.User, [][]byte{key.Passkey.ID}
	got, err := party.ValidateLogin(user{handle: key.User, name: a.Account.Name, keys: []usable{key}}, state, parsed)
	if err != nil {
		return none, wrong("the assertion does not verify")
	}
	if got.Authenticator.CloneWarning {
		return none, ErrCloned
	}
	next := *key.Passkey
	next.Count, next.Flags = got.Authenticator.SignCount, byte(got.Flags.ProtocolValue())
	next.Verified, next.Used = parsed.Response.AuthenticatorData.Flags.HasUserVerified(), a.Now
	next.Both = next.Both || next.Verified && a.Purpose == challenge.PurposeLogin
	if parsed.AuthenticatorAttachment != "" {
		next.Attachment = string(parsed.AuthenticatorAttachment)
	}
	key.Passkey = &next
	b, err := key.encode()
	return challenge.Proof{Authenticator: key.id, Enrolment: b}, err
}
