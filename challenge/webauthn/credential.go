package webauthn

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	lib "github.com/go-webauthn/webauthn/webauthn"
)

// dataVersion is the first field of every Authenticator.Data, so that its form can change while old ones are read.
const dataVersion = 1

// data is what is kept of one authenticator: an enrolment that waits for its answer, or a passkey. It is our own form and not
// the library's, because it is kept for years.
type data struct {
	Version int      `json:"v"`
	RP      string   `json:"rp"`   // the relying party id that it was made for
	User    []byte   `json:"user"` // the user handle: random, the same in all of the account's passkeys
	Pending *pending `json:"pending,omitempty"`
	Passkey *passkey `json:"passkey,omitempty"`
}

// pending is the challenge of an enrolment.
type pending struct {
	Challenge []byte   `json:"challenge"`
	Exclude   []device `json:"exclude,omitempty"` // what the account has already
}

// device names a passkey to the client.
type device struct {
	ID         []byte   `json:"id"`
	Transports []string `json:"transports,omitempty"`
}

// passkey is the credential record of WebAuthn section 4, as far as it decides something or is shown.
type passkey struct {
	device
	Key          []byte    `json:"key"` // COSE public key
	Count        uint32    `json:"count"`
	Flags        byte      `json:"flags"`          // of the authenticator data at enrolment, backup state as of the last use
	Verified     bool      `json:"verified"`       // whether the person was verified at the last use
	Both         bool      `json:"both,omitempty"` // whether the person was verified at enrolment, or at a login beside a first factor
	AAGUID       []byte    `json:"aaguid,omitempty"`
	Attachment   string    `json:"attachment,omitempty"`
	Discoverable *bool     `json:"discoverable,omitempty"` // nil: the client did not say
	Used         time.Time `json:"used"`
}

func (d data) encode() ([]byte, error) {
	d.Version = dataVersion
	return json.Marshal(d)
}

// errData never quotes what it could not read.
var errData = errors.New("webauthn: authenticator data cannot be read")

func decode(b []byte) (data, error) {
	var d data
	if json.Unmarshal(b, &d) != nil || d.Version != dataVersion || d.RP == "" || len(d.User) == 0 || (d.Pending == nil) == (d.Passkey == nil) {
		return data{}, errData
	}
	if p := d.Pending; p != nil && len(p.Challenge) < challengeBytes {
		return data{}, errData
	}
	if k := d.Passkey; k != nil && (len(k.ID) == 0 || len(k.Key) == 0) {
		return data{}, errData
	}
	return d, nil
}

// newPasskey keeps what the library has verified.
func newPasskey(c *lib.Credential, now time.Time) *passkey {
	k := &passkey{
		device: device{ID: c.ID, Transports: transports(c.Transport)}, Key: c.PublicKey, Count: c.Authenticator.SignCount,
		Flags: byte(c.Flags.ProtocolValue()), Verified: c.Flags.UserVerified, Both: c.Flags.UserVerified, Attachment: string(c.Authenticator.Attachment),
		Discoverable: c.Extensions.RK, Used: now,
	}
	if slices.ContainsFunc(c.Authenticator.AAGUID, func(b byte) bool { return b != 0 }) {
		k.AAGUID = c.Authenticator.AAGUID
	}
	return k
}

// credential is the passkey as the library knows it.
func (k *passkey) credential() lib.Credential {
	c := lib.Credential{
		ID: k.ID, PublicKey: k.Key, Flags: lib.NewCredentialFlags(protocol.AuthenticatorFlags(k.Flags)),
		Authenticator: lib.Authenticator{AAGUID: k.AAGUID, SignCount: k.Count, Attachment: protocol.AuthenticatorAttachment(k.Attachment)},
	}
	c.Transport = k.device.hints()
	return c
}

func (d device) hints() (out []protocol.AuthenticatorTransport) {
	for _, t := range d.Transports {
		out = append(out, protocol.AuthenticatorTransport(t))
	}
	return out
}

func (d device) descriptor() protocol.CredentialDescriptor {
	return protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: d.ID, Transport: d.hints()}
}

var transportName = regexp.MustCompile(`^[a-z][a-z-]{0,31}$`)

// transports keeps what may be a transport, also one that is not known yet (WebAuthn section 5.8.4). They are the client's
// word: hints for the next time, and nothing to decide by.
func transports(in []protocol.AuthenticatorTransport) (out []string) {
	for _, t := range in {
		if s := string(t); transportName.MatchString(s) && !slices.Contains(out, s) && len(out) < 8 {
			out = append(out, s)
		}
	}
	return out
}

// Description is what a page may say about a passkey. Attachment, Transports, AAGUID and Discoverable are the client's own
// word: attestation is not asked for, so nothing vouches for them.
type Description struct {
	// UserVerified tells whether the person was verified, by PIN or biometry, when it was used last.
	UserVerified bool
	// BackupEligible tells whether the key may leave its device; BackedUp whether it had, when it was used last. A passkey
	// that is not eligible is lost with its device, and one that is belongs to whoever holds the account it is synced to.
	BackupEligible, BackedUp bool
	// Attachment is "platform" for the device itself, "cross-platform" for another one; empty when the client did not say.
	Attachment string
	// Transports are ways to reach it: "internal", "usb", "nfc", "ble", "hybrid", "smart-card".
	Transports []string
	// AAGUID names the model of the authenticator, as in "08987058-cadc-4b81-b6e1-30de50dcbe96"; empty when it is not told.
	AAGUID string
	// Discoverable tells whether it can be found without a name, as autofill does.
	Discoverable bool
	// Both tells whether it may count as both factors, where challenge.Config.Passwordless allows that.
	Both bool
	// LastUsed is the last login or step-up, or the enrolment.
	LastUsed time.Time
}

// Describe reads Authenticator.Data of a passkey. Data of an enrolment that still waits for its answer is an error.
func Describe(b []byte) (Description, error) {
	d, err := decode(b)
	if err != nil {
		return Description{}, err
	}
	k := d.Passkey
	if k == nil {
		return Description{}, errors.New("webauthn: not a passkey yet")
	}
	flags := protocol.AuthenticatorFlags(k.Flags)
	v := Description{UserVerified: k.Verified, BackupEligible: flags.HasBackupEligible(), BackedUp: flags.HasBackupState(),
		Attachment: k.Attachment, Transports: slices.Clone(k.Transports), Discoverable: k.Discoverable != nil && *k.Discoverable, Both: k.alone(), LastUsed: k.Used}
	if g := k.AAGUID; len(g) == 16 {
		v.AAGUID = fmt.Sprintf("%x-%x-%x-%x-%x", g[:4], g[4:6], g[6:8], g[8:10], g[10:])
	}
	return v, nil
}
