package webauthn_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"testing"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/webauthn"
)

// fixed is a person whose key, handle and challenges are the same in every process that fuzzes.
func fixed(f *testing.F) *person {
	p := newPerson(f)
	scalar := sha256.Sum256([]byte("a key of a test"))
	priv, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
	if err != nil {
		f.Fatal(err)
	}
	p.key = &softKey{priv: priv, id: bytes.Repeat([]byte{1}, 16), flags: up | uv, count: 1}
	p.random.next = bytes.Repeat([]byte{2}, 64+32)
	return p
}

func FuzzAnAnswerThatIsAcceptedWasSignedForThisChallengeAndSite(f *testing.F) {
	p := fixed(f)
	p.enrol("a", p.key)
	nonce := bytes.Repeat([]byte{3}, 32)
	a, options := p.poses(nonce...)
	for _, tc := range []struct{ before, after change }{
		{}, {before: func(c *ceremony) { c.client["origin"] = "https://evil.example" }}, {before: func(c *ceremony) { c.client["crossOrigin"] = true }},
		{before: func(c *ceremony) { c.count = 0 }}, {before: func(c *ceremony) { c.flags = 0 }}, {after: func(c *ceremony) { c.handle = nil }},
		{after: func(c *ceremony) {
			c.extensions = map[string]any{"appid": true, "credProps": map[string]any{"rk": true}}
		}},
	} {
		f.Add(p.parse(p.key.get(f, options, site, tc.before, tc.after)))
	}
	f.Add(p.parse(p.key.create(f, options, site, nil, nil)))
	f.Add([]byte("{}"))
	f.Add([]byte(`{"id":"AQEBAQEBAQEBAQEBAQEBAQ","rawId":"AQEBAQEBAQEBAQEBAQEBAQ","type":"public-key","response":{"clientDataJSON":"bnVsbA","authenticatorData":"","signature":""}}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		proof, err := p.factor.Verify(t.Context(), a, answer)
		if err != nil {
			if !errors.Is(err, challenge.ErrWrongCode) || proof.Authenticator != "" || proof.Enrolment != nil {
				t.Fatalf("neither right nor wrong: %v", err)
			}
			quotesNothing(t, err, answer)
			return
		}
		// What is accepted is verified again without the library.
		var got struct {
			Response struct{ ClientDataJSON, AuthenticatorData, Signature string }
		}
		if err := json.Unmarshal(answer, &got); err != nil {
			t.Fatal(err)
		}
		client, _ := b64.DecodeString(got.Response.ClientDataJSON)
		data, _ := b64.DecodeString(got.Response.AuthenticatorData)
		sig, _ := b64.DecodeString(got.Response.Signature)
		sum := sha256.Sum256(client)
		signed := sha256.Sum256(append(bytes.Clone(data), sum[:]...))
		var collected struct{ Type, Challenge, Origin string }
		if err := json.Unmarshal(client, &collected); err != nil {
			t.Fatal(err)
		}
		if !ecdsa.VerifyASN1(&p.key.priv.PublicKey, signed[:], sig) || collected.Type != "webauthn.get" || collected.Origin != site ||
			collected.Challenge != b64.EncodeToString(nonce) || proof.Authenticator != "a" {
			t.Fatalf("accepted: %s", answer)
		}
	})
}

func FuzzAnEnrolmentThatIsAcceptedIsAPasskey(f *testing.F) {
	p := fixed(f)
	e := p.offer()
	seeds := 0
	for _, after := range []change{nil, func(c *ceremony) { c.authData[32] |= 1 << 7 }, func(c *ceremony) {
		c.format, c.statement = "packed", cborMap(cborText("alg"), []byte{0x26}, cborText("sig"), cborBytes([]byte("sig")))
	},
		func(c *ceremony) { c.statement = []byte{0x9f} }, func(c *ceremony) { c.format, c.statement = "compound", []byte{0x80} }, func(c *ceremony) { c.authData = c.authData[:56] }} {
		f.Add(p.parse(p.key.create(f, e.Options, site, nil, after)))
		seeds++
	}
	for _, v := range vectors(f) {
		f.Add(p.parse(v.answer(v.Create)))
		seeds++
	}
	if seeds != 14 {
		f.Fatal("no seeds: did testdata move?")
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		proof, err := p.confirm(e.Data, answer)
		if err != nil {
			if !errors.Is(err, challenge.ErrWrongCode) || proof.Enrolment != nil {
				t.Fatalf("neither right nor wrong: %v", err)
			}
			quotesNothing(t, err, answer)
			return
		}
		if _, err := webauthn.Describe(proof.Enrolment); err != nil {
			t.Fatalf("what was enrolled is no passkey: %v: %s", err, proof.Enrolment)
		}
		has := p.attempt(challenge.PurposeLogin, challenge.Authenticator{ID: "a", Data: proof.Enrolment})
		if !p.factor.Available(has) {
			t.Fatalf("what was enrolled cannot be used: %s", proof.Enrolment)
		}
		if _, err := p.confirm(proof.Enrolment, answer); !errors.Is(err, challenge.ErrNoCode) {
			t.Fatalf("a challenge answered twice: %v", err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "e30", "e30=", "e31", "123456", b64.EncodeToString([]byte(`{"id":"x"}`)), "e\n30"} {
		f.Add(s)
	}
	p := new(webauthn.Factor)
	f.Fuzz(func(t *testing.T, s string) {
		if b, ok := p.Parse(s); ok && (b64.EncodeToString(b) != s || !json.Valid(b) || b[0] != '{' || len(s) > 16<<10) {
			t.Errorf("%q", s)
		}
	})
}

func FuzzDataThatCannotBeReadIsNoPasskey(f *testing.F) {
	p := fixed(f)
	f.Add(p.offer().Data)
	p.enrol("a", p.key)
	f.Add(p.has[0].Data)
	f.Add([]byte(`{"v":1,"rp":"app.example","user":"AA==","passkey":{"id":"AA==","key":"AA==","flags":255,"aaguid":"AA=="}}`))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		a := p.attempt(challenge.PurposeLogin, challenge.Authenticator{ID: "a", Data: data})
		_, err := webauthn.Describe(data)
		if p.factor.Available(a) && err != nil {
			t.Errorf("available, and %v", err)
		}
		if begun := p.factor.Begin(t.Context(), a); (begun == nil) != p.factor.Available(a) {
			t.Errorf("available: %v, begun: %v", p.factor.Available(a), begun)
		}
		_, _ = p.confirm(data, []byte("{}"))
	})
}
