package webauthn_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/challenge"
)

// vector is one of WebAuthn Level 3, section 16: a registration and an authentication at https://example.org.
type vector struct {
	Name   string              `json:"name"`
	ID     hexBytes            `json:"id"`
	Create map[string]hexBytes `json:"create"`
	Get    map[string]hexBytes `json:"get"`
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

func vectors(t testing.TB) (v []vector) {
	t.Helper()
	b, err := os.ReadFile("testdata/webauthn-level-3-section-16.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil || len(v) != 8 {
		t.Fatal(len(v), err)
	}
	return v
}

// answer is a vector's response as the script would send it.
func (v vector) answer(response map[string]hexBytes) string {
	c := ceremony{id: v.ID, rawID: v.ID, kind: "public-key"}
	r := map[string]any{}
	for name, b := range response {
		if name != "challenge" {
			r[name] = b64.EncodeToString(b)
		}
	}
	return c.answer(r)
}

// withoutStatement is an attestation object as clients forward it that were asked for none: the same authenticator data under
// the format "none" (section 5.1.3).
func withoutStatement(t *testing.T, object []byte) []byte {
	t.Helper()
	i := bytes.Index(object, cborText("authData"))
	if i < 0 {
		t.Fatal("no authData")
	}
	data := object[i+9:]
	switch data[0] {
	case 0x58:
		data = data[2 : 2+int(data[1])]
	case 0x59:
		data = data[3 : 3+int(binary.BigEndian.Uint16(data[1:]))]
	default:
		t.Fatalf("authData begins with %x", data[0])
	}
	return cborMap(cborText("fmt"), cborText("none"), cborText("attStmt"), []byte{0xa0}, cborText("authData"), cborBytes(data))
}

func TestTheSpecificationsVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			p := newPersonAt(t, "https://example.org")
			framed := strings.Contains(v.Name, "Cross Origin") || strings.Contains(v.Name, "Top Origin")
			unknown := strings.Contains(v.Name, "ES384")

			create := func() (challenge.Proof, error) {
				p.random.next = append(make([]byte, 64), v.Create["challenge"]...)
				e := p.offer()
				if got := read(t, e.Options).Challenge; got != b64.EncodeToString(v.Create["challenge"]) {
					t.Fatal("the vector's challenge is not posed")
				}
				return p.confirm(e.Data, p.parse(v.answer(v.Create)))
			}
			proof, err := create()
			if bytes.Contains(v.Create["attestationObject"], []byte("x5c")) {
				if !errors.Is(err, challenge.ErrWrongCode) {
					t.Errorf("an attestation with certificates: %v", err)
				}
				v.Create["attestationObject"] = withoutStatement(t, v.Create["attestationObject"])
				proof, err = create()
			}
			if framed || unknown {
				if !errors.Is(err, challenge.ErrWrongCode) {
					t.Errorf("made in a frame of another site, or by an algorithm that was not asked for: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}

			p.has = []challenge.Authenticator{{ID: "a", Data: proof.Enrolment}}
			a, _ := p.poses(v.Get["challenge"]...)
			if proof, err = p.verify(a, v.answer(v.Get)); err != nil || proof.Authenticator != "a" {
				t.Fatal(err)
			}
			v.Get["signature"][len(v.Get["signature"])-1] ^= 1
			if _, err = p.verify(a, v.answer(v.Get)); !errors.Is(err, challenge.ErrWrongCode) {
				t.Errorf("with a bit of the signature turned: %v", err)
			}
		})
	}
}
