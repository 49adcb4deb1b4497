package webauthn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"
)

// A browser and an authenticator in software, written from WebAuthn sections 5.8.1, 6.1, 6.5 and 8.7, without the library
// that is tested.

var b64 = base64.RawURLEncoding

// Flags of authenticator data, section 6.1.
const (
	up byte = 1 << 0 // user present
	uv byte = 1 << 2 // user verified
	be byte = 1 << 3 // backup eligible
	bs byte = 1 << 4 // backup state
	at byte = 1 << 6 // attested credential data
)

// softKey is one key pair in an authenticator.
type softKey struct {
	priv   *ecdsa.PrivateKey
	id     []byte
	handle []byte
	flags  byte
	count  uint32
}

// options are those of both ceremonies, as they come in JSON.
type options struct {
	Challenge string `json:"challenge"`
	RPID      string `json:"rpId"`
	RP        struct {
		ID, Name string
	} `json:"rp"`
	User struct {
		ID, Name, DisplayName string
	} `json:"user"`
	PubKeyCredParams []struct {
		Type string
		Alg  int
	} `json:"pubKeyCredParams"`
	AllowCredentials   []descriptor `json:"allowCredentials"`
	ExcludeCredentials []descriptor `json:"excludeCredentials"`
	UserVerification   string       `json:"userVerification"`
	Attestation        string       `json:"attestation"`
	Timeout            int          `json:"timeout"`

	AuthenticatorSelection struct {
		ResidentKey, UserVerification string
	} `json:"authenticatorSelection"`
}

type descriptor struct {
	ID, Type   string
	Transports []string
}

func read(t testing.TB, b []byte) (o options) {
	t.Helper()
	if err := json.Unmarshal(b, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// ceremony is what a test may change of an answer.
type ceremony struct {
	client map[string]any // collected client data
	rp     string
	flags  byte
	count  uint32
	priv   *ecdsa.PrivateKey

	// After signing:
	id, rawID, handle    []byte
	sig                  []byte
	format               string
	statement            []byte // CBOR
	kind                 string
	attachment           string
	transports           []string
	extensions           map[string]any
	authData, clientJSON []byte
}

type change func(*ceremony)

func newSoftKey(t testing.TB) *softKey {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := &softKey{priv: priv, id: make([]byte, 32), flags: up | uv | be | bs}
	rand.Read(k.id)
	return k
}

// create answers creation options, from a page of origin. after changes the answer once it is made.
func (k *softKey) create(t testing.TB, raw []byte, origin string, before, after change) string {
	t.Helper()
	o := read(t, raw)
	k.handle, _ = b64.DecodeString(o.User.ID)
	c := &ceremony{client: map[string]any{"type": "webauthn.create", "challenge": o.Challenge, "origin": origin, "crossOrigin": false},
		rp: o.RP.ID, flags: k.flags | at, count: k.count, id: k.id, rawID: k.id, priv: k.priv, format: "none", statement: []byte{0xa0},
		kind: "public-key", attachment: "platform", transports: []string{"internal", "hybrid"}, extensions: map[string]any{"credProps": map[string]any{"rk": true}}}
	apply(c, before)
	c.clientJSON, _ = json.Marshal(c.client)
	c.authData = append(authenticatorData(c.rp, c.flags, c.count), attested(c.id, c.priv)...)
	apply(c, after)
	object := cborMap(
		cborText("fmt"), cborText(c.format),
		cborText("attStmt"), c.statement,
		cborText("authData"), cborBytes(c.authData),
	)
	return c.answer(map[string]any{
		"clientDataJSON": b64.EncodeToString(c.clientJSON), "attestationObject": b64.EncodeToString(object),
		"authenticatorData": b64.EncodeToString(c.authData), "transports": c.transports,
	})
}

// get answers request options, from a page of origin.
func (k *softKey) get(t testing.TB, raw []byte, origin string, before, after change) string {
	t.Helper()
	o := read(t, raw)
	if k.count > 0 {
		k.count++
	}
	c := &ceremony{client: map[string]any{"type": "webauthn.get", "challenge": o.Challenge, "origin": origin, "crossOrigin": false},
		rp: o.RPID, flags: k.flags, count: k.count, id: k.id, rawID: k.id, handle: k.handle, priv: k.priv, kind: "public-key", attachment: "platform"}
	apply(c, before)
	c.clientJSON, _ = json.Marshal(c.client)
	c.authData = authenticatorData(c.rp, c.flags, c.count)
	sum := sha256.Sum256(c.clientJSON)
	signed := sha256.Sum256(append(append([]byte{}, c.authData...), sum[:]...))
	c.sig, _ = ecdsa.SignASN1(rand.Reader, c.priv, signed[:])
	apply(c, after)
	response := map[string]any{
		"clientDataJSON": b64.EncodeToString(c.clientJSON), "authenticatorData": b64.EncodeToString(c.authData), "signature": b64.EncodeToString(c.sig),
	}
	if c.handle != nil {
		response["userHandle"] = b64.EncodeToString(c.handle)
	}
	return c.answer(response)
}

// answer is what the script puts into the form: PublicKeyCredential.toJSON() as base64url.
func (c *ceremony) answer(response map[string]any) string {
	extensions := c.extensions
	if extensions == nil {
		extensions = map[string]any{}
	}
	b, _ := json.Marshal(map[string]any{"id": b64.EncodeToString(c.id), "rawId": b64.EncodeToString(c.rawID), "type": c.kind,
		"authenticatorAttachment": c.attachment, "clientExtensionResults": extensions, "response": response})
	return b64.EncodeToString(b)
}

func apply(c *ceremony, f change) {
	if f != nil {
		f(c)
	}
}

// authenticatorData is the fixed head: RP id hash, flags, counter.
func authenticatorData(rp string, flags byte, count uint32) []byte {
	sum := sha256.Sum256([]byte(rp))
	return binary.BigEndian.AppendUint32(append(sum[:], flags), count)
}

// attested is AAGUID, length and id of the credential, and its public key in COSE form (RFC 9053 section 7.1.1).
func attested(id []byte, priv *ecdsa.PrivateKey) []byte {
	b := append([]byte(nil), aaguid...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(id)))
	b = append(b, id...)
	point, err := priv.PublicKey.Bytes() // 4, x, y
	if err != nil {
		panic(err)
	}
	return append(b, cborMap(
		[]byte{0x01}, []byte{0x02}, // kty: EC2
		[]byte{0x03}, []byte{0x26}, // alg: -7, ES256
		[]byte{0x20}, []byte{0x01}, // crv: P-256
		[]byte{0x21}, cborBytes(point[1:33]),
		[]byte{0x22}, cborBytes(point[33:]),
	)...)
}

var aaguid = []byte{0xea, 0x9b, 0x8d, 0x66, 0x4d, 0x01, 0x1d, 0x21, 0x3c, 0xe4, 0xb6, 0xb4, 0x8c, 0xb5, 0x75, 0xd4}

// CBOR, RFC 8949 section 3: as little as an attestation object needs.

func cborHead(major byte, n int) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)}
	case n < 1<<8:
		return []byte{major<<5 | 24, byte(n)}
	}
	return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(n))
}

func cborBytes(b []byte) []byte { return append(cborHead(2, len(b)), b...) }
func cborText(s string) []byte  { return append(cborHead(3, len(s)), s...) }

func cborMap(pairs ...[]byte) []byte {
	b := cborHead(5, len(pairs)/2)
	for _, v := range pairs {
		b = append(b, v...)
	}
	return b
}
