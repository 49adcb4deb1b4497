package webauthn_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/webauthn"
)

func TestEnrolmentOptionsAreWhatABrowserReads(t *testing.T) {
	p := newPerson(t)
	p.factor.DisplayName = "Acme"
	e := p.offer()
	o := read(t, e.Options)
	challenge, _ := b64.DecodeString(o.Challenge)
	handle, _ := b64.DecodeString(o.User.ID)
	if len(challenge) < 16 || len(handle) != 64 {
		t.Errorf("challenge of %d bytes, user handle of %d", len(challenge), len(handle))
	}
	if o.RP.ID != "app.example" || o.RP.Name != "Acme" || o.User.Name != "alice" || o.User.DisplayName != "alice" || o.Attestation != "none" ||
		o.Timeout != 300_000 || o.AuthenticatorSelection.UserVerification != "preferred" || o.AuthenticatorSelection.ResidentKey != "preferred" {
		t.Errorf("%s", e.Options)
	}
	var algorithms []int
	for _, v := range o.PubKeyCredParams {
		algorithms = append(algorithms, v.Alg)
	}
	if !slices.Equal(algorithms, []int{-8, -7, -257}) { // RFC 9053: EdDSA, ES256; RFC 8812: RS256
		t.Errorf("algorithms %v", algorithms)
	}
	if e.URI != "" || e.Key != "" || e.PNG != nil {
		t.Error("a passkey has no secret to show")
	}
	again := p.offer()
	if bytes.Equal(again.Options, e.Options) {
		t.Error("two enrolments have one challenge")
	}
}

func TestAPendingEnrolmentIsShownAgainAsItWas(t *testing.T) {
	p := newPerson(t)
	p.enrol("a", p.key)
	e := p.offer()
	again, err := p.factor.Enrol(t.Context(), p.attempt(challenge.PurposeEnrol, challenge.Authenticator{ID: "new", Data: e.Data}))
	if err != nil || !bytes.Equal(again.Options, e.Options) || !bytes.Equal(again.Data, e.Data) {
		t.Errorf("%v\n%s\n%s", err, e.Options, again.Options)
	}
}

func TestAPendingEnrolmentIsNoPasskey(t *testing.T) {
	p := newPerson(t)
	e := p.offer()
	a := p.attempt(challenge.PurposeLogin, challenge.Authenticator{ID: "new", Data: e.Data})
	if p.factor.Available(a) {
		t.Error("it is available")
	}
	if err := p.factor.Begin(t.Context(), a); err == nil {
		t.Error("it is asked for")
	}
	if _, err := webauthn.Describe(e.Data); err == nil {
		t.Error("it is described")
	}
	// An answer to it is good for enrolling only.
	answer := p.parse(p.key.create(t, e.Options, site, nil, nil))
	if _, err := p.factor.Verify(t.Context(), a, answer); !errors.Is(err, challenge.ErrNoCode) {
		t.Errorf("at login: %v", err)
	}
	if _, err := p.confirm(e.Data, answer); err != nil {
		t.Errorf("at enrolment: %v", err)
	}
}

func TestAnEnrolmentsChallengeIsUsedUpByThePasskey(t *testing.T) {
	p := newPerson(t)
	e := p.offer()
	answer := p.parse(p.key.create(t, e.Options, site, nil, nil))
	proof, err := p.confirm(e.Data, answer)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(proof.Enrolment, []byte("challenge")) {
		t.Errorf("it is still there: %s", proof.Enrolment)
	}
	if _, err := p.confirm(proof.Enrolment, answer); !errors.Is(err, challenge.ErrNoCode) {
		t.Errorf("answered again: %v", err)
	}
	shown := p.attempt(challenge.PurposeEnrol, challenge.Authenticator{ID: "new", Data: proof.Enrolment})
	if _, err := p.factor.Enrol(t.Context(), shown); !errors.Is(err, challenge.ErrUnavailable) {
		t.Errorf("shown again: %v", err)
	}
	if _, err := p.factor.Verify(t.Context(), p.attempt(challenge.PurposeEnrol), answer); !errors.Is(err, challenge.ErrNoCode) {
		t.Errorf("nothing waits: %v", err)
	}
}

func TestPasskeysOfOneAccountShareAHandleAndExcludeEachOther(t *testing.T) {
	p := newPerson(t)
	p.enrol("a", p.key)
	other := newSoftKey(t)
	p.enrol("b", other)
	if !bytes.Equal(p.key.handle, other.handle) {
		t.Error("two handles: the client would show two accounts")
	}
	e := p.offer()
	o := read(t, e.Options)
	if len(o.ExcludeCredentials) != 2 || o.ExcludeCredentials[0].ID != b64.EncodeToString(p.key.id) || o.ExcludeCredentials[1].ID != b64.EncodeToString(other.id) ||
		!slices.Equal(o.ExcludeCredentials[0].Transports, []string{"internal", "hybrid"}) || o.ExcludeCredentials[0].Type != "public-key" {
		t.Errorf("%s", e.Options)
	}
	// A client that does not care about the list.
	if _, err := p.confirm(e.Data, p.parse(p.key.create(t, e.Options, site, nil, nil))); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("the same key enrols twice: %v", err)
	}
	// Another account has another handle, though its name be the same.
	if q := newPerson(t); bytes.Equal(mustHandle(t, q.offer()), p.key.handle) || bytes.Contains(p.key.handle, []byte("alice")) {
		t.Error("the handle tells who it is")
	}
}

func mustHandle(t *testing.T, e challenge.Enrolment) []byte {
	t.Helper()
	b, err := b64.DecodeString(read(t, e.Options).User.ID)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEnrolmentRefusesWhatIsNotForIt(t *testing.T) {
	set := func(name string, v any) change { return func(c *ceremony) { c.client[name] = v } }
	stranger := newSoftKey(t)
	for name, tc := range map[string]struct{ before, after change }{
		"another origin":                        {before: set("origin", "https://evil.example")},
		"the site without https":                {before: set("origin", "http://app.example")},
		"the site on another port":              {before: set("origin", "https://app.example:8443")},
		"the site with its port written out":    {before: set("origin", "https://app.example:443")},
		"a site below":                          {before: set("origin", "https://sub.app.example")},
		"the site in capitals":                  {before: set("origin", "https://APP.example")},
		"an app's origin":                       {before: set("origin", "android:apk-key-hash:AAAA")},
		"no origin":                             {before: func(c *ceremony) { delete(c.client, "origin") }},
		"an assertion's type":                   {before: set("type", "webauthn.get")},
		"another challenge":                     {before: set("challenge", b64.EncodeToString(make([]byte, 32)))},
		"no challenge":                          {before: set("challenge", "")},
		"a frame in another site":               {before: set("crossOrigin", true)},
		"a top origin":                          {before: set("topOrigin", site)},
		"another relying party":                 {before: func(c *ceremony) { c.rp = "example" }},
		"nobody present":                        {before: func(c *ceremony) { c.flags &^= up }},
		"backed up but not eligible":            {before: func(c *ceremony) { c.flags = c.flags&^be | bs }},
		"another id than the attested one":      {after: func(c *ceremony) { c.id, c.rawID = stranger.id, stranger.id }},
		"two ids":                               {after: func(c *ceremony) { c.id = stranger.id }},
		"another kind":                          {after: func(c *ceremony) { c.kind = "password" }},
		"data cut short":                        {after: func(c *ceremony) { c.authData = c.authData[:60] }},
		"data with more behind":                 {after: func(c *ceremony) { c.authData = append(c.authData, 0) }},
		"no attested data":                      {after: func(c *ceremony) { c.authData = authenticatorData(c.rp, up, 0) }},
		"a statement with format none":          {after: func(c *ceremony) { c.statement = cborMap(cborText("sig"), cborBytes(nil)) }},
		"an attestation that was not asked for": {after: func(c *ceremony) { c.format = "fido-u2f" }},
		"an attestation by a platform":          {after: func(c *ceremony) { c.format = "tpm" }},
		"a format that nobody knows":            {after: func(c *ceremony) { c.format = "secret" }},
		"a certificate":                         {after: func(c *ceremony) { c.format, c.statement = "packed", cborMap(cborText("x5c"), []byte{0x80}) }},
		"self attestation by another key's hand": {after: func(c *ceremony) {
			c.format, c.statement = "packed", cborMap(cborText("alg"), []byte{0x26}, cborText("sig"), cborBytes([]byte("sig")))
		}},
		"an algorithm that was not asked for": {after: func(c *ceremony) {
			c.authData = bytes.Replace(c.authData, []byte{0x03, 0x26}, []byte{0x03, 0x38 - 0x15}, 1)
		}},
		"client data that is no JSON": {after: func(c *ceremony) { c.clientJSON = []byte("{") }},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPerson(t)
			e := p.offer()
			answer := p.parse(p.key.create(t, e.Options, site, tc.before, tc.after))
			proof, err := p.confirm(e.Data, answer)
			if !errors.Is(err, challenge.ErrWrongCode) || proof.Authenticator != "" || proof.Enrolment != nil {
				t.Fatalf("%v", err)
			}
			quotesNothing(t, err, answer)
			if _, err := p.confirm(e.Data, p.parse(p.key.create(t, e.Options, site, nil, nil))); err != nil {
				t.Errorf("a wrong answer spoilt the enrolment: %v", err)
			}
		})
	}
}

// quotesNothing sees to it that no part of an answer is in an error (I-21).
func quotesNothing(t testing.TB, err error, answer []byte) {
	t.Helper()
	var values []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, w := range v {
				walk(w)
			}
		case string:
			values = append(values, v)
			if b, err := b64.DecodeString(v); err == nil {
				var inner any
				if json.Unmarshal(b, &inner) == nil {
					walk(inner)
				}
			}
		}
	}
	var whole any
	if json.Unmarshal(answer, &whole) == nil {
		walk(whole)
	}
	for _, v := range values {
		if len(v) > 12 && strings.Contains(err.Error(), v) {
			t.Errorf("I-21: the error repeats %q: %v", v, err)
		}
	}
}

func TestUserVerificationIsDemandedOnRequest(t *testing.T) {
	p := newPerson(t)
	p.key.flags &^= uv
	e := p.offer()
	if _, err := p.confirm(e.Data, p.parse(p.key.create(t, e.Options, site, nil, nil))); err != nil {
		t.Fatalf("preferred: %v", err)
	}
	p.factor.RequireUserVerification = true
	e = p.offer()
	if o := read(t, e.Options); o.AuthenticatorSelection.UserVerification != "required" {
		t.Errorf("%s", e.Options)
	}
	if _, err := p.confirm(e.Data, p.parse(p.key.create(t, e.Options, site, nil, nil))); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("required, enrolled without: %v", err)
	}
	p.key.flags |= uv
	p.enrol("a", p.key)
	p.key.flags &^= uv
	a, o := p.poses()
	if got := read(t, o).UserVerification; got != "required" {
		t.Error(got)
	}
	if _, err := p.verify(a, p.key.get(t, o, site, nil, nil)); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("required, logged in without: %v", err)
	}
}

func TestADataRecordOfAnotherFormIsNotAPasskey(t *testing.T) {
	p := newPerson(t)
	p.enrol("a", p.key)
	good := p.has[0].Data
	for name, data := range map[string][]byte{
		"nothing":          nil,
		"another version":  bytes.Replace(good, []byte(`"v":1`), []byte(`"v":2`), 1),
		"no key":           bytes.Replace(good, []byte(`"key"`), []byte(`"kez"`), 1),
		"no handle":        bytes.Replace(good, []byte(`"user"`), []byte(`"usar"`), 1),
		"a TOTP secret":    []byte("\x01\x00\x06\x00\x1e12345678901234567890"),
		"a stub":           []byte(`{"v":1,"rp":"app.example","user":"AA=="}`),
		"a weak enrolment": []byte(`{"v":1,"rp":"app.example","user":"AA==","pending":{"challenge":""}}`),
	} {
		if _, err := webauthn.Describe(data); err == nil {
			t.Errorf("%s is described", name)
		}
		if p.factor.Available(p.attempt(challenge.PurposeLogin, challenge.Authenticator{ID: "x", Data: data})) {
			t.Errorf("%s is available", name)
		}
		p.has = []challenge.Authenticator{{ID: "x", Data: data}}
		if _, err := p.factor.Enrol(t.Context(), p.enrolling()); !errors.Is(err, challenge.ErrUnavailable) {
			t.Errorf("%s: enrolling beside it: %v", name, err)
		}
		if _, err := p.factor.Enrol(t.Context(), p.attempt(challenge.PurposeEnrol, p.has...)); !errors.Is(err, challenge.ErrUnavailable) {
			t.Errorf("%s: shown again: %v", name, err)
		}
		if _, err := p.confirm(data, []byte("{}")); !errors.Is(err, challenge.ErrUnavailable) {
			t.Errorf("%s: enrolling into it: %v", name, err)
		}
	}
}

func TestDescribeTellsWhatIsKnownOfAPasskey(t *testing.T) {
	p := newPerson(t)
	e := p.offer()
	proof, err := p.confirm(e.Data, p.parse(p.key.create(t, e.Options, site, nil, func(c *ceremony) {
		c.transports = []string{"internal", "internal", "x-new", "<script>", strings.Repeat("a", 40)}
	})))
	if err != nil {
		t.Fatal(err)
	}
	d, err := webauthn.Describe(proof.Enrolment)
	if err != nil {
		t.Fatal(err)
	}
	if !d.UserVerified || !d.BackupEligible || !d.BackedUp || d.Attachment != "platform" || !d.Discoverable || !d.LastUsed.Equal(p.base.Now) ||
		d.AAGUID != "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4" || !slices.Equal(d.Transports, []string{"internal", "x-new"}) {
		t.Errorf("%+v", d)
	}
	e = p.offer()
	p.key.flags = up
	proof, err = p.confirm(e.Data, p.parse(p.key.create(t, e.Options, site, nil, func(c *ceremony) {
		c.transports, c.attachment, c.extensions = nil, "made-up", map[string]any{"appid": true, "unheardOf": 1}
		c.authData = bytes.Replace(c.authData, aaguid, make([]byte, 16), 1)
	})))
	if err != nil {
		t.Fatal(err)
	}
	if d, err = webauthn.Describe(proof.Enrolment); err != nil || d.UserVerified || d.BackupEligible || d.BackedUp || d.Attachment != "" || d.Discoverable || d.AAGUID != "" || d.Transports != nil {
		t.Errorf("%+v, %v", d, err)
	}
}
