package webauthn_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/webauthn"
)

func TestAPasskeyLogsInAndItsProofCarriesItsNewState(t *testing.T) {
	p := newPerson(t)
	p.key.count = 4
	p.enrol("a", p.key)
	other := newSoftKey(t)
	p.enrol("b", other)
	for name, key := range map[string]*softKey{"a": p.key, "b": other} {
		a, options := p.poses()
		o := read(t, options)
		if o.RPID != "app.example" || o.UserVerification != "preferred" || o.Timeout != 300_000 || len(o.AllowCredentials) != 2 ||
			o.AllowCredentials[0].ID != b64.EncodeToString(p.key.id) || o.AllowCredentials[0].Type != "public-key" ||
			!slices.Equal(o.AllowCredentials[0].Transports, []string{"internal", "hybrid"}) {
			t.Errorf("%s", options)
		}
		a.Now = a.Now.Add(time.Minute)
		key.flags = key.flags&^uv&^bs | up
		proof, err := p.verify(a, key.get(t, options, site, nil, func(c *ceremony) { c.attachment = "cross-platform" }))
		if err != nil || proof.Authenticator != name || proof.Step != 0 {
			t.Fatal(proof.Authenticator, err)
		}
		d, err := webauthn.Describe(proof.Enrolment)
		if err != nil || d.UserVerified || d.BackedUp || !d.BackupEligible || d.Attachment != "cross-platform" || !d.LastUsed.Equal(a.Now) {
			t.Errorf("%+v, %v", d, err)
		}
		if key == p.key && !bytes.Contains(proof.Enrolment, []byte(`"count":5`)) {
			t.Errorf("%s", proof.Enrolment)
		}
	}
}

func TestAChallengeIsPosedForEachPrompt(t *testing.T) {
	p := newPerson(t)
	p.enrol("a", p.key)
	_, one := p.poses()
	a, two := p.poses()
	if read(t, one).Challenge == read(t, two).Challenge || len(read(t, one).Challenge) < 22 {
		t.Error("two prompts have one challenge")
	}
	if _, err := p.verify(a, p.key.get(t, one, site, nil, nil)); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("an answer to the prompt before: %v", err)
	}
}

func TestAnAssertionIsWorthlessOnceItsChallengeIsTaken(t *testing.T) {
	p := newPerson(t)
	p.enrol("a", p.key)
	a, options := p.poses()
	answer := p.key.get(t, options, site, nil, nil)
	if _, err := p.verify(a, answer); err != nil {
		t.Fatal(err)
	}
	taken := p.attempt(challenge.PurposeLogin, p.has...)
	if _, err := p.verify(taken, answer); !errors.Is(err, challenge.ErrNoCode) {
		t.Errorf("replayed: %v", err)
	}
}

func TestAnAnswerAfterItsTimeIsRefused(t *testing.T) {
	p := newPerson(t)
	p.enrol("a", p.key)
	for timeout, want := range map[time.Duration]time.Duration{0: 5 * time.Minute, time.Minute: time.Minute} {
		p.factor.Timeout = timeout
		a, options := p.poses()
		if got := read(t, options).Timeout; got != int(want.Milliseconds()) {
			t.Errorf("the client is given %d ms", got)
		}
		answer := p.key.get(t, options, site, nil, nil)
		a.Now = a.Now.Add(want)
		if _, err := p.verify(a, answer); !errors.Is(err, challenge.ErrCodeExpired) {
			t.Errorf("at the end: %v", err)
		}
		a.Now = a.Now.Add(-time.Nanosecond)
		if _, err := p.verify(a, answer); err != nil {
			t.Errorf("just before: %v", err)
		}
	}
}

func TestLoginRefusesWhatIsNotForIt(t *testing.T) {
	set := func(name string, v any) change { return func(c *ceremony) { c.client[name] = v } }
	stranger := newSoftKey(t)
	for name, tc := range map[string]struct{ before, after change }{
		"another origin":                     {before: set("origin", "https://evil.example")},
		"the site without https":             {before: set("origin", "http://app.example")},
		"the site on another port":           {before: set("origin", "https://app.example:8443")},
		"the site with its port written out": {before: set("origin", "https://app.example:443")},
		"the site and a path":                {before: set("origin", "https://app.example/")},
		"the site as a user name":            {before: set("origin", "https://app.example@evil.example")},
		"a site below":                       {before: set("origin", "https://sub.app.example")},
		"a site that begins the same":        {before: set("origin", "https://app.example.evil.example")},
		"no origin":                          {before: func(c *ceremony) { delete(c.client, "origin") }},
		"a creation's type":                  {before: set("type", "webauthn.create")},
		"no type":                            {before: func(c *ceremony) { delete(c.client, "type") }},
		"another challenge":                  {before: set("challenge", b64.EncodeToString(make([]byte, 32)))},
		"no challenge":                       {before: set("challenge", "")},
		"a frame in another site":            {before: set("crossOrigin", true)},
		"a top origin":                       {before: set("topOrigin", site)},
		"another relying party":              {before: func(c *ceremony) { c.rp = "evil.example" }},
		"the domain above":                   {before: func(c *ceremony) { c.rp = "example" }},
		"nobody present":                     {before: func(c *ceremony) { c.flags &^= up }},
		"backed up but not eligible":         {before: func(c *ceremony) { c.flags = c.flags&^be | bs }},
		"not eligible any more":              {before: func(c *ceremony) { c.flags = c.flags &^ (be | bs) }},
		"another key under the same id":      {before: func(c *ceremony) { c.priv = stranger.priv }},
		"another account's passkey":          {before: func(c *ceremony) { c.priv, c.id, c.rawID = stranger.priv, stranger.id, stranger.id }},
		"another account's handle":           {after: func(c *ceremony) { c.handle = bytes.Repeat([]byte{7}, 64) }},
		"two ids":                            {after: func(c *ceremony) { c.id = stranger.id }},
		"no id":                              {after: func(c *ceremony) { c.id, c.rawID = nil, nil }},
		"another kind":                       {after: func(c *ceremony) { c.kind = "password" }},
		"a bit of the signature":             {after: func(c *ceremony) { c.sig[len(c.sig)-1] ^= 1 }},
		"no signature":                       {after: func(c *ceremony) { c.sig = nil }},
		"half a signature":                   {after: func(c *ceremony) { c.sig = c.sig[:len(c.sig)/2] }},
		"a flag set after signing":           {after: func(c *ceremony) { c.authData[32] ^= uv }},
		"a counter raised after signing":     {after: func(c *ceremony) { c.authData[36]++ }},
		"data with more behind":              {after: func(c *ceremony) { c.authData = append(c.authData, 0) }},
		"data cut short":                     {after: func(c *ceremony) { c.authData = c.authData[:36] }},
		"client data with a space behind":    {after: func(c *ceremony) { c.clientJSON = append(c.clientJSON, ' ') }},
		"client data that is no JSON":        {after: func(c *ceremony) { c.clientJSON = []byte("{") }},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPerson(t)
			p.enrol("a", p.key)
			a, options := p.poses()
			answer := p.key.get(t, options, site, tc.before, tc.after)
			proof, err := p.verify(a, answer)
			if !errors.Is(err, challenge.ErrWrongCode) || errors.Is(err, webauthn.ErrCloned) || proof.Authenticator != "" || proof.Enrolment != nil {
				t.Fatalf("%v", err)
			}
			quotesNothing(t, err, p.parse(answer))
			if _, err := p.verify(a, p.key.get(t, options, site, nil, nil)); err != nil {
				t.Errorf("what is right is refused too: %v", err)
			}
		})
	}
	t.Run("an attestation in its place", func(t *testing.T) {
		p := newPerson(t)
		p.enrol("a", p.key)
		a, _ := p.poses()
		if _, err := p.verify(a, p.key.create(t, p.offer().Options, site, nil, nil)); !errors.Is(err, challenge.ErrWrongCode) {
			t.Errorf("%v", err)
		}
	})
	t.Run("no handle is none of another account", func(t *testing.T) {
		p := newPerson(t)
		p.enrol("a", p.key)
		a, options := p.poses()
		if _, err := p.verify(a, p.key.get(t, options, site, nil, func(c *ceremony) { c.handle = nil })); err != nil {
			t.Errorf("a key that is not discoverable gives none: %v", err)
		}
	})
}

func TestACounterThatDoesNotGoUpIsRefusedAsACopy(t *testing.T) {
	for _, tc := range []struct {
		enrolled, shown uint32
		cloned          bool
	}{
		{0, 0, false}, // authenticators without a counter, section 6.1.1
		{0, 1, false},
		{5, 6, false},
		{5, 600, false},
		{5, 5, true},
		{5, 4, true},
		{5, 0, true},
		{1<<32 - 1, 0, true},
	} {
		p := newPerson(t)
		p.key.count = tc.enrolled
		p.enrol("a", p.key)
		a, options := p.poses()
		proof, err := p.verify(a, p.key.get(t, options, site, func(c *ceremony) { c.count = tc.shown }, nil))
		switch {
		case tc.cloned && (!errors.Is(err, webauthn.ErrCloned) || !errors.Is(err, challenge.ErrWrongCode) || proof.Enrolment != nil):
			t.Errorf("%d after %d: %v", tc.shown, tc.enrolled, err)
		case !tc.cloned && err != nil:
			t.Errorf("%d after %d: %v", tc.shown, tc.enrolled, err)
		}
	}
}

func TestACopyIsFoundOutAtTheSecondUse(t *testing.T) {
	p := newPerson(t)
	p.key.count = 1
	p.enrol("a", p.key)
	theft := *p.key
	a, options := p.poses()
	proof, err := p.verify(a, theft.get(t, options, site, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	p.has[0].Data = proof.Enrolment
	a, options = p.poses()
	if _, err := p.verify(a, p.key.get(t, options, site, nil, nil)); !errors.Is(err, webauthn.ErrCloned) {
		t.Errorf("%v", err)
	}
}

func TestOnePasskeyRemovedOrBrokenLeavesTheOthersGood(t *testing.T) {
	p := newPerson(t)
	p.enrol("a", p.key)
	other := newSoftKey(t)
	p.enrol("b", other)
	a, options := p.poses()
	a.Enrolled = p.has[1:]
	if _, err := p.verify(a, other.get(t, options, site, nil, nil)); err != nil {
		t.Errorf("the one that stayed: %v", err)
	}
	if _, err := p.verify(a, p.key.get(t, options, site, nil, nil)); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("the one that was removed: %v", err)
	}
	a.Enrolled = []challenge.Authenticator{{ID: "a", Data: []byte("broken")}, p.has[1]}
	if _, err := p.verify(a, other.get(t, options, site, nil, nil)); err != nil {
		t.Errorf("beside a broken one: %v", err)
	}
	if !p.factor.Available(a) {
		t.Error("a broken one makes the others unavailable")
	}
	a.Enrolled = a.Enrolled[:1]
	if _, err := p.verify(a, other.get(t, options, site, nil, nil)); !errors.Is(err, challenge.ErrUnavailable) || errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("only a broken one: %v", err)
	}
	a.Enrolled = slices.Clone(p.has)
	a.Enrolled[1].Disabled = true
	if _, err := p.verify(a, other.get(t, options, site, nil, nil)); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("I-09: a disabled one: %v", err)
	}
}

// Two enrolments that were begun before either was confirmed do not share a handle. Each key answers by its own.
func TestPasskeysWithTwoHandlesBothLogIn(t *testing.T) {
	p := newPerson(t)
	p.enrol("a", p.key)
	one := p.has
	p.has = nil
	other := newSoftKey(t)
	p.enrol("b", other)
	p.has = append(one, p.has...)
	if bytes.Equal(p.key.handle, other.handle) {
		t.Fatal("one handle")
	}
	a, options := p.poses()
	for _, key := range []*softKey{p.key, other} {
		if _, err := p.verify(a, key.get(t, options, site, nil, nil)); err != nil {
			t.Error(err)
		}
	}
	if _, err := p.verify(a, other.get(t, options, site, nil, func(c *ceremony) { c.handle = p.key.handle })); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("by the other's: %v", err)
	}
}

func TestAPasskeyThatWasNotAskedForIsRefused(t *testing.T) {
	p := newPerson(t)
	p.enrol("a", p.key)
	a, options := p.poses()
	late := newSoftKey(t)
	p.enrol("b", late)
	a.Enrolled = p.has
	if _, err := p.verify(a, late.get(t, options, site, nil, nil)); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("%v", err)
	}
}

func TestAPasskeyOfAnotherRelyingPartyIsNotAvailable(t *testing.T) {
	p := newPerson(t)
	p.enrol("a", p.key)
	a, options := p.poses()
	p.factor.RPID = "example.com"
	if p.factor.Available(a) {
		t.Error("it is")
	}
	if _, err := p.verify(a, p.key.get(t, options, site, nil, nil)); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("%v", err)
	}
	if o := read(t, p.offer().Options); len(o.ExcludeCredentials) != 0 || o.RP.ID != "example.com" {
		t.Errorf("%+v", o)
	}
}

func TestADomainAboveTheSiteMayBeTheRelyingParty(t *testing.T) {
	p := newPersonAt(t, "https://login.acme.example")
	p.factor.RPID = "acme.example"
	e := p.offer()
	proof, err := p.confirm(e.Data, p.parse(p.key.create(t, e.Options, "https://login.acme.example", nil, nil)))
	if err != nil {
		t.Fatal(err)
	}
	p.has = []challenge.Authenticator{{ID: "a", Data: proof.Enrolment}}
	a, options := p.poses()
	if _, err := p.verify(a, p.key.get(t, options, "https://shop.acme.example", nil, nil)); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("a site beside it logs in here: %v", err)
	}
	if _, err := p.verify(a, p.key.get(t, options, "https://login.acme.example", nil, nil)); err != nil {
		t.Error(err)
	}
}

func TestNothingIsPosedWithoutAPasskeyOrRandomness(t *testing.T) {
	p := newPerson(t)
	if err := p.factor.Begin(t.Context(), p.attempt(challenge.PurposeLogin)); err == nil {
		t.Error("without a passkey")
	}
	if p.factor.Available(p.attempt(challenge.PurposeLogin)) {
		t.Error("available without a passkey")
	}
	p.enrol("a", p.key)
	p.random.err = errors.New("dry")
	a := p.attempt(challenge.PurposeLogin, p.has...)
	if err := p.factor.Begin(t.Context(), a); !errors.Is(err, challenge.ErrUnavailable) || a.Challenge() != nil {
		t.Errorf("I-20: without randomness: %v", err)
	}
	for range 2 {
		if _, err := p.factor.Enrol(t.Context(), p.enrolling()); !errors.Is(err, challenge.ErrUnavailable) {
			t.Errorf("I-20: enrolment without randomness: %v", err)
		}
		p.has = nil
	}
}

func TestABrokenChallengeIsNoChallenge(t *testing.T) {
	p := newPerson(t)
	p.enrol("a", p.key)
	good, options := p.poses()
	for _, state := range []string{"{}", "null", "x", `{"challenge":"","expires":"2030-01-01T00:00:00Z"}`, `{"challenge":"AAAA","expires":"2030-01-01T00:00:00Z"}`} {
		a := *good
		a.SetChallenge([]byte(state), nil)
		if _, err := p.verify(&a, p.key.get(t, options, site, func(c *ceremony) { c.client["challenge"] = "" }, nil)); err == nil {
			t.Errorf("%s is answered", state)
		}
	}
}

func TestParseReadsOneSpellingOnly(t *testing.T) {
	f := new(webauthn.Factor)
	good := b64.EncodeToString([]byte(`{"id":"x"}`))
	if b, ok := f.Parse(good); !ok || string(b) != `{"id":"x"}` {
		t.Error("the script's spelling is refused")
	}
	largest := b64.EncodeToString([]byte(`{"id":"` + strings.Repeat("x", 16<<10*3/4-9) + `"}`))
	if _, ok := f.Parse(largest); !ok || len(largest) > 16<<10 || len(largest) < 16<<10-4 {
		t.Errorf("%d bytes are refused", len(largest))
	}
	for name, s := range map[string]string{
		"nothing": "", "a code": "123456", "a recovery code": "ABCD-EFGH-JKLM-NPQR", "JSON itself": `{"id":"x"}`,
		"a space before": " " + good, "a line end in it": good[:4] + "\n" + good[4:], "padding": good + "==",
		"the other alphabet": strings.ReplaceAll(b64.EncodeToString([]byte(`{"id":"???"}`)), "_", "/"),
		"loose bits":         good[:len(good)-1] + "R",
		"a list":             b64.EncodeToString([]byte(`[]`)), "a string": b64.EncodeToString([]byte(`"x"`)),
		"half an object": b64.EncodeToString([]byte(`{"id":`)), "two objects": b64.EncodeToString([]byte(`{}{}`)),
		"too long": b64.EncodeToString([]byte(`{"id":"` + strings.Repeat("x", 16<<10) + `"}`)),
	} {
		if _, ok := f.Parse(s); ok {
			t.Errorf("%s parses", name)
		}
	}
}

func TestAnOversizedAnswerIsRefusedByVerifyToo(t *testing.T) {
	p := newPerson(t)
	p.enrol("a", p.key)
	a, options := p.poses()
	answer := p.parse(p.key.get(t, options, site, nil, nil))
	answer = append(answer, bytes.Repeat([]byte(" "), 16<<10)...)
	if _, err := p.factor.Verify(t.Context(), a, answer); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("%v", err)
	}
}

func TestI19CheckRefusesWhatNoBrowserWouldAccept(t *testing.T) {
	of := func(origin string) challenge.Site {
		return challenge.Site{Origin: origin, Host: strings.SplitN(origin, "://", 2)[1], Secure: strings.HasPrefix(origin, "https://")}
	}
	for _, tc := range []struct {
		site   string
		factor webauthn.Factor
		ok     bool
	}{
		{"https://acme.example", webauthn.Factor{}, true},
		{"https://acme.example:8443", webauthn.Factor{}, true},
		{"https://login.acme.example", webauthn.Factor{RPID: "acme.example"}, true},
		{"http://localhost:8080", webauthn.Factor{}, true},
		{"http://demo.localhost:8080", webauthn.Factor{}, true},
		{"https://acme.example", webauthn.Factor{Timeout: 10 * time.Minute}, true},
		{"http://acme.example", webauthn.Factor{}, false},
		{"http://127.0.0.1:8080", webauthn.Factor{}, false},
		{"https://192.0.2.1", webauthn.Factor{}, false},
		{"https://[2001:db8::1]", webauthn.Factor{}, false},
		{"https://bücher.example", webauthn.Factor{}, false},
		{"https://acme.example", webauthn.Factor{RPID: "example"}, false},
		{"https://acme.example", webauthn.Factor{RPID: "cme.example"}, false},
		{"https://acme.example", webauthn.Factor{RPID: "login.acme.example"}, false},
		{"https://acme.example", webauthn.Factor{RPID: "evil.example"}, false},
		{"https://acme.example", webauthn.Factor{RPID: "https://acme.example"}, false},
		{"https://acme.example", webauthn.Factor{RPID: "acme.example:443"}, false},
		{"https://acme.example", webauthn.Factor{RPID: ".example"}, false},
		{"http://demo.localhost", webauthn.Factor{RPID: "localhost"}, false},
		{"https://acme.example", webauthn.Factor{Timeout: time.Second}, false},
		{"https://acme.example", webauthn.Factor{Timeout: -time.Minute}, false},
		{"https://acme.example", webauthn.Factor{Timeout: time.Hour}, false},
	} {
		if err := tc.factor.Check(of(tc.site)); (err == nil) != tc.ok {
			t.Errorf("%s with RPID %q and %v: %v", tc.site, tc.factor.RPID, tc.factor.Timeout, err)
		}
	}
}
