package webauthn_test

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/challenge/webauthn"
	"github.com/sallyport-go/sallyport/stores"
)

const (
	site     = "https://app.example"
	password = "correct-horse-battery"
)

// feed is a random source that first gives what a test wants.
type feed struct {
	next []byte
	err  error
}

func (f *feed) Read(b []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	if len(f.next) > 0 {
		n := copy(b, f.next)
		f.next = f.next[n:]
		return n, nil
	}
	return rand.Read(b)
}

// tap is a factor that does what a test says with the attempt it is given.
type tap struct {
	logins  *challenge.Logins
	session *challenge.Session
	do      func(*challenge.Attempt) error
}

func (*tap) Name() string                                          { return "tap" }
func (*tap) Available(*challenge.Attempt) bool                     { return true }
func (p *tap) Begin(_ context.Context, a *challenge.Attempt) error { return p.do(a) }
func (*tap) Verify(context.Context, *challenge.Attempt, []byte) (challenge.Proof, error) {
	return challenge.Proof{}, challenge.ErrWrongCode
}

// newTap is a machine with an account that has enrolled nothing, in a login that waits for its code.
func newTap(t testing.TB, origin string, random *feed) *tap {
	t.Helper()
	kit := challengetest.New(challengetest.NewClock())
	kit.Users.Add(challenge.Account{ID: "1", Name: "alice"}, password)
	p := &tap{do: func(*challenge.Attempt) error { return nil }}
	c := kit.Config(&stores.Memory{Clock: kit.Clock.Now})
	c.Site, c.InsecureHTTP, c.Factors, c.Random = origin, true, []challenge.Factor{p}, random
	var err error
	if p.logins, err = challenge.New(c); err != nil {
		t.Fatal(err)
	}
	out, err := p.logins.Password(t.Context(), challenge.Client{}, new(challenge.Session), challenge.PasswordInput{Slot: challenge.Cookie, Name: "alice", Password: []byte(password)})
	if err != nil {
		t.Fatal(err)
	}
	p.session = out.Session
	return p
}

// begin lets the machine ask, and gives the attempt that it made, as do left it, and what the client gets.
func (p *tap) begin(t testing.TB, do func(*challenge.Attempt) error) (a challenge.Attempt, options []byte, err error) {
	t.Helper()
	p.do = func(v *challenge.Attempt) error {
		err = do(v)
		a = *v
		return nil
	}
	if _, e := p.logins.Resend(t.Context(), challenge.Client{}, p.session, "", "tap"); e != nil {
		t.Fatal(e)
	}
	pending, _ := p.session.Pending()
	return a, pending.Prompt.Options, err
}

// person is somebody at a browser with an authenticator, and the factor that is tried.
type person struct {
	t      testing.TB
	factor *webauthn.Factor
	random *feed
	key    *softKey
	tap    *tap
	base   challenge.Attempt
	has    []challenge.Authenticator
}

func newPerson(t testing.TB) *person {
	t.Helper()
	return newPersonAt(t, site)
}

func newPersonAt(t testing.TB, origin string) *person {
	t.Helper()
	p := &person{t: t, factor: new(webauthn.Factor), random: new(feed), key: newSoftKey(t)}
	p.tap = newTap(t, origin, p.random)
	p.base, _, _ = p.tap.begin(t, func(*challenge.Attempt) error { return nil })
	return p
}

func (p *person) attempt(purpose challenge.Purpose, enrolled ...challenge.Authenticator) *challenge.Attempt {
	a := p.base
	a.Purpose, a.Enrolled = purpose, enrolled
	return &a
}

func (p *person) parse(answer string) []byte {
	p.t.Helper()
	b, ok := p.factor.Parse(answer)
	if !ok {
		p.t.Fatal("an answer as the script writes it does not parse")
	}
	return b
}

// enrolling is an attempt to enrol one more.
func (p *person) enrolling() *challenge.Attempt {
	a := p.attempt(challenge.PurposeEnrol)
	a.Existing = p.has
	return a
}

// offer begins an enrolment.
func (p *person) offer() challenge.Enrolment {
	p.t.Helper()
	e, err := p.factor.Enrol(context.Background(), p.enrolling())
	if err != nil {
		p.t.Fatal(err)
	}
	return e
}

// confirm answers an enrolment.
func (p *person) confirm(data []byte, answer []byte) (challenge.Proof, error) {
	return p.factor.Verify(context.Background(), p.attempt(challenge.PurposeEnrol, challenge.Authenticator{ID: "new", Factor: "passkey", Data: data}), answer)
}

// enrol makes a passkey of key and keeps it under an id.
func (p *person) enrol(id string, key *softKey) {
	p.t.Helper()
	e := p.offer()
	proof, err := p.confirm(e.Data, p.parse(key.create(p.t, e.Options, site, nil, nil)))
	if err != nil || proof.Authenticator != "new" {
		p.t.Fatal(proof.Authenticator, err)
	}
	p.has = append(p.has, challenge.Authenticator{ID: id, Factor: "passkey", Data: proof.Enrolment})
}

// poses begins a login: the attempt holds the challenge as the machine hands it to Verify, and the options are what the
// client gets. nonce, if given, is what the random source gives for it.
func (p *person) poses(nonce ...byte) (*challenge.Attempt, []byte) {
	p.t.Helper()
	a, options, err := p.tap.begin(p.t, func(a *challenge.Attempt) error {
		a.Enrolled, p.random.next = p.has, nonce
		return p.factor.Begin(context.Background(), a)
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return &a, options
}

// verify answers a login.
func (p *person) verify(a *challenge.Attempt, answer string) (challenge.Proof, error) {
	p.t.Helper()
	return p.factor.Verify(context.Background(), a, p.parse(answer))
}
