package webauthn_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/challenge/webauthn"
	"github.com/sallyport-go/sallyport/stores"
)

// openStore is a store that shows what is in it.
type openStore struct {
	challenge.Store
	mu    sync.Mutex
	keys  map[string]bool
	saved [][]byte
}

func (s *openStore) Volatile() bool { return true }

func (s *openStore) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error) {
	ok, err := s.Store.CompareAndSwap(ctx, key, old, new, expires)
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok && new != nil {
		s.keys[key], s.saved = true, append(s.saved, bytes.Clone(new))
	} else if ok {
		delete(s.keys, key)
	}
	return ok, err
}

// count is how many records there are whose key begins like this.
func (s *openStore) count(prefix string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.keys {
		if strings.HasPrefix(k, prefix) {
			n++
		}
	}
	return n
}

// alone is the house of two people with a passkey each, where a passkey alone opens.
func alone(t *testing.T, change ...func(*challenge.Config)) (*house, *openStore) {
	t.Helper()
	s := &openStore{keys: map[string]bool{}}
	h := buildWith(t, func(c *challenge.Config) {
		s.Store = c.Store
		c.Store, c.Passwordless = s, "passkey"
		c.Factors = append(c.Factors, &challenge.TOTP{Issuer: "Acme"})
		for _, f := range change {
			f(c)
		}
	})
	return h, s
}

// asked is a challenge for whoever comes.
func (h *house) asked() []byte {
	h.t.Helper()
	p, err := h.logins.BeginPasswordless(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return p.Options
}

func (h *house) alone(answer string, from ...*challenge.Session) (challenge.Outcome, error) {
	return h.alonely(challenge.Client{}, answer, from...)
}

func (h *house) alonely(c challenge.Client, answer string, from ...*challenge.Session) (challenge.Outcome, error) {
	s := new(challenge.Session)
	if len(from) > 0 {
		s = from[0]
	}
	return h.logins.Passwordless(h.t.Context(), c, s, challenge.PasswordlessInput{Slot: challenge.Cookie, Code: answer, Next: "/there"})
}

func TestAPasskeyAloneLogsIn(t *testing.T) {
	h, _ := alone(t)
	if h.logins.PasswordlessMethod() != "passkey" {
		t.Error("which method?")
	}
	options := h.asked()
	if o := read(t, options); o.UserVerification != "required" || len(o.AllowCredentials) != 0 || o.RPID != "app.example" || o.Timeout != 300_000 ||
		bytes.Contains(options, []byte("allowCredentials")) {
		t.Errorf("%s", options)
	}
	old := h.password("bob") // what the browser was before ends
	out, err := h.alone(h.keys["1"].get(t, options, site, nil, nil), old)
	if err != nil {
		t.Fatal(err)
	}
	if h.open(out.Token) == nil || out.Next != "/there" || out.Device == "" {
		t.Errorf("%q, device %q", out.Next, out.Device)
	}
	s := h.open(out.Token)
	login, ok := s.Login()
	if !ok || login.UserID != "1" || login.Username != "alice" || !slices.Equal(login.MethodNames(), []string{"passkey"}) || !login.SecondFactor || !h.logins.FreshWithin(login, time.Second) {
		t.Fatalf("%v %v", login, ok)
	}
	if login.Methods[0].At.Before(login.Created) {
		t.Error("a route that asks for a passkey would not let this login through")
	}
	if _, err := h.verify(old, h.keys["2"].get(t, posed(t, old), site, nil, nil)); !errors.Is(err, challenge.ErrNoCode) { // its record is gone, and the prompt with it
		t.Errorf("the login before: %v", err)
	}
	h.Audit.Take()

	// In a logged-in browser it ends that login first (I-03).
	again, err := h.alone(h.keys["2"].get(t, h.asked(), site, nil, nil), s)
	if err != nil {
		t.Fatal(err)
	}
	if h.open(out.Token).Exists() {
		t.Error("I-03: the login before is alive")
	}
	if got := h.Audit.Take(); !slices.Equal(got, []audit.Name{audit.Logout, audit.CodeValidated, audit.LoginWithMFA}) {
		t.Errorf("I-21: %v", got)
	}
	if login, _ := h.open(again.Token).Login(); login.Username != "bob" {
		t.Errorf("%v", login)
	}
}

func TestI23AChallengeThatNobodyAnswersLeavesNothing(t *testing.T) {
	h, s := alone(t)
	before := len(s.saved)
	seen := map[string]bool{}
	for range 100 {
		seen[read(t, h.asked()).Challenge] = true
	}
	if len(seen) != 100 || len(s.saved) != before {
		t.Errorf("%d challenges of 100, %d records written", len(seen), len(s.saved)-before)
	}
	for range 10 { // what is no answer of ours leaves nothing either
		for _, answer := range []string{"", "123456", base64.RawURLEncoding.EncodeToString([]byte("{}")), strings.Repeat("A", 17<<10)} {
			if _, err := h.alone(answer); !errors.Is(err, challenge.ErrMalformed) {
				t.Errorf("%v", err)
			}
		}
	}
	if len(s.saved) != before {
		t.Errorf("%d records written", len(s.saved)-before)
	}
}

func TestAnAssertionAloneCountsOnceAndOnTime(t *testing.T) {
	h, s := alone(t)
	answer := h.keys["1"].get(t, h.asked(), site, nil, nil)
	if _, err := h.alone(answer); err != nil {
		t.Fatal(err)
	}
	for range 5 { // costs no guess, whoever shows it
		if _, err := h.alone(answer); !errors.Is(err, challenge.ErrNoCode) {
			t.Errorf("replayed: %v", err)
		}
	}
	if s.count("u") != 1 {
		t.Errorf("%d challenges were used", s.count("u"))
	}
	late := h.keys["1"].get(t, h.asked(), site, nil, nil)
	h.Clock.Advance(5*time.Minute - time.Millisecond)
	if _, err := h.alone(h.keys["1"].get(t, h.asked(), site, nil, nil)); err != nil {
		t.Errorf("a new one: %v", err)
	}
	h.Clock.Advance(time.Millisecond)
	if _, err := h.alone(late); !errors.Is(err, challenge.ErrCodeExpired) {
		t.Errorf("at the end: %v", err)
	}
	if _, err := h.alone(answer); !errors.Is(err, challenge.ErrCodeExpired) {
		t.Errorf("replayed after the end: %v", err)
	}
}

func TestI04OneAssertionAloneSentManyTimesAtOnceMakesOneLogin(t *testing.T) {
	h, _ := alone(t)
	answer := h.keys["1"].get(t, h.asked(), site, nil, nil)
	before := len(h.Users.Logins("1"))
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			out, err := h.alone(answer)
			switch {
			case err == nil && out.Token != "":
				won.Add(1)
			case !errors.Is(err, challenge.ErrNoCode) && !errors.As(err, new(*challenge.BusyError)):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || len(h.Users.Logins("1"))-before != 1 {
		t.Errorf("%d logins", won.Load())
	}
	if n := h.Audit.Count(audit.LoginWithMFA); n != 1 {
		t.Errorf("%d in the audit", n)
	}
	if _, err := h.alone(h.keys["1"].get(t, h.asked(), site, nil, nil)); err != nil {
		t.Errorf("the next login: %v", err)
	}
}

// handOf is the user handle of a key in somebody else's hand.
func handOf(handle []byte) change { return func(c *ceremony) { c.handle = handle } }

func TestI10WhateverIsWrongWithAPasskeyAloneIsAnsweredAlike(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(*house)
		answer  func(*house) string
		event   audit.Name
	}{
		"an unknown handle": {answer: func(h *house) string {
			return h.keys["1"].get(t, h.asked(), site, nil, handOf(bytes.Repeat([]byte{7}, 64)))
		}, event: audit.UnknownUser},
		"another account's handle with an own signature": {answer: func(h *house) string {
			return h.keys["1"].get(t, h.asked(), site, nil, handOf(h.keys["2"].handle))
		}, event: audit.InvalidCode},
		"another account's handle and key id": {answer: func(h *house) string {
			two := h.keys["2"]
			return h.keys["1"].get(t, h.asked(), site, func(c *ceremony) { c.id, c.rawID, c.handle = two.id, two.id, two.handle }, nil)
		}, event: audit.InvalidCode},
		"nobody verified": {answer: func(h *house) string {
			return h.keys["1"].get(t, h.asked(), site, func(c *ceremony) { c.flags &^= uv }, nil)
		}, event: audit.InvalidCode},
		"another origin": {answer: func(h *house) string {
			return h.keys["1"].get(t, h.asked(), "https://evil.example", nil, nil)
		}, event: audit.InvalidCode},
		"another relying party": {answer: func(h *house) string {
			return h.keys["1"].get(t, h.asked(), site, func(c *ceremony) { c.rp = "evil.example" }, nil)
		}, event: audit.InvalidCode},
		"a copy that counted less": {answer: func(h *house) string {
			return h.keys["1"].get(t, h.asked(), site, func(c *ceremony) { c.count = 1 }, nil)
		}, event: audit.InvalidCode},
		"a challenge written into the answer after signing": {answer: func(h *house) string {
			asked := read(t, h.asked()).Challenge
			return h.keys["1"].get(t, h.asked(), site, nil, func(c *ceremony) {
				c.clientJSON = bytes.Replace(c.clientJSON, []byte(c.client["challenge"].(string)), []byte(asked), 1)
			})
		}, event: audit.InvalidCode},
		"a disabled account": {prepare: func(h *house) {
			h.Users.Change("1", func(a *challenge.Account) { a.Disabled = true })
		}, event: audit.LoginRefused},
		"a service account": {prepare: func(h *house) {
			h.Users.Change("1", func(a *challenge.Account) { a.Service = true })
		}, event: audit.LoginRefused},
		"an account that is gone": {prepare: func(h *house) { h.Users.Remove("1") }, event: audit.LoginRefused},
		"an account blocked by an administrator": {prepare: func(h *house) {
			if err := h.logins.Block(t.Context(), "1", "root"); err != nil {
				t.Fatal(err)
			}
		}, event: audit.LoginRefused},
		"a policy that asks for another factor": {prepare: func(h *house) {
			h.SetVerdict("1", challenge.Verdict{Factors: []string{"email"}})
		}, event: audit.LoginRefused},
		"a passkey that was taken away": {prepare: func(h *house) {
			if err := h.logins.ResetFactors(t.Context(), "1", "root"); err != nil {
				t.Fatal(err)
			}
		}, event: audit.UnknownUser},
	} {
		t.Run(name, func(t *testing.T) {
			h, s := alone(t)
			answer := func(h *house) string { return h.keys["1"].get(t, h.asked(), site, nil, nil) }
			if tc.answer != nil {
				answer = tc.answer
			}
			if tc.prepare != nil {
				tc.prepare(h)
			}
			h.Audit.Take()
			reads := len(s.saved)
			_, err := h.alone(answer(h))
			if !errors.Is(err, challenge.ErrRefused) || err.Error() != challenge.ErrRefused.Error() {
				t.Errorf("%v", err)
			}
			if got := h.Audit.Take(); !slices.Equal(got, []audit.Name{tc.event}) {
				t.Errorf("I-21: %v, want %v", got, tc.event)
			}
			if s.count("u") != 1 {
				t.Error("the challenge was not used up")
			}
			if reads == len(s.saved) {
				t.Error("I-07: nothing was spent")
			}
		})
	}
}

func TestAChallengeOfAnotherSiteOrKeyIsNone(t *testing.T) {
	h, _ := alone(t)
	other, _ := alone(t, func(c *challenge.Config) { c.Keys = []challenge.Key{challengetest.Key(9)} })
	elsewhere := &house{Kit: h.Kit, t: t, logins: h.another(func(c *challenge.Config) { c.Site = "https://app.example:8443" })}
	for name, options := range map[string][]byte{"another key": other.asked(), "another site": elsewhere.asked(), "nobody's": []byte(`{"challenge":"AAAA","rpId":"app.example"}`)} {
		h.Audit.Take()
		for range 5 {
			if _, err := h.alone(h.keys["1"].get(t, options, site, nil, nil)); !errors.Is(err, challenge.ErrNoCode) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := h.Audit.Count(audit.CredentialRefused); n != 5 {
			t.Errorf("I-21: %s: %v", name, h.Audit.Take())
		}
	}
	if _, err := h.alone(h.keys["1"].get(t, h.asked(), site, nil, nil)); err != nil {
		t.Errorf("none of them may cost a guess: %v", err)
	}
}

func TestI08GuessesOfAPasskeyAloneComeFromTheOneBudget(t *testing.T) {
	h, _ := alone(t)
	out, err := h.alone(h.keys["1"].get(t, h.asked(), site, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	h.Audit.Take()
	stranger := newSoftKey(t)
	stranger.id, stranger.handle = h.keys["1"].id, h.keys["1"].handle
	for range 5 {
		if _, err := h.alone(stranger.get(t, h.asked(), site, nil, nil)); !errors.Is(err, challenge.ErrRefused) {
			t.Fatal(err)
		}
	}
	if n := h.Audit.Count(audit.InvalidCode); n != 3 {
		t.Errorf("%d were compared", n)
	}
	right := func() string { return h.keys["1"].get(t, h.asked(), site, nil, nil) }
	if _, err := h.alone(right()); !errors.Is(err, challenge.ErrRefused) || errors.As(err, new(*challenge.BlockedError)) {
		t.Errorf("I-09: inside the block: %v", err)
	}
	if _, err := h.logins.Password(t.Context(), challenge.Client{}, new(challenge.Session), challenge.PasswordInput{Slot: challenge.Cookie, Name: "alice", Password: []byte(password)}); !errors.As(err, new(*challenge.BlockedError)) {
		t.Errorf("the password's way has another budget: %v", err)
	}
	if !h.open(out.Token).Exists() {
		t.Error("I-11: a block has ended a login")
	}
	known := challenge.Client{Device: out.Device}
	if _, err := h.alonely(known, right()); err != nil {
		t.Errorf("I-11: the owner on a known device: %v", err)
	}
	for range 3 {
		if _, err = h.alonely(known, stranger.get(t, h.asked(), site, nil, nil)); err == nil {
			t.Fatal("a stranger is in")
		}
	}
	if _, err = h.alonely(known, right()); !errors.As(err, new(*challenge.BlockedError)) {
		t.Errorf("a known device is told: %v", err)
	}
	h.Clock.Advance(5 * time.Minute)
	if _, err := h.alone(right()); err != nil {
		t.Errorf("after the block: %v", err)
	}
}

func TestI07ManyGuessesAtAHandleThatNobodyHasAreBounded(t *testing.T) {
	h, s := alone(t)
	for range 20 {
		_, err := h.alone(h.keys["1"].get(t, h.asked(), site, nil, handOf(bytes.Repeat([]byte{7}, 64))))
		if !errors.Is(err, challenge.ErrRefused) {
			t.Fatal(err)
		}
	}
	if s.count("u") != 3 {
		t.Errorf("I-23: %d records for 20 guesses", s.count("u"))
	}
}

func TestAPasskeyThatNeverVerifiedAnybodyIsASecondFactorOnly(t *testing.T) {
	h, s := alone(t)
	h.Users.Add(challenge.Account{ID: "3", Name: "carol", Email: "carol@example.com"}, password)
	h.SetVerdict("3", challenge.Verdict{Factors: []string{"passkey"}})
	before := s.count("h")
	out, err := h.verify(h.password("carol"), h.Outbox.Code("carol@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := h.logins.Enrolling(t.Context(), challenge.Client{}, out.Session)
	if err != nil {
		t.Fatal(err)
	}
	key := newSoftKey(t)
	key.flags &^= uv // a security key without a PIN
	if out, err = h.verify(out.Session, key.create(t, e.Options, site, nil, nil)); err != nil {
		t.Fatal(err)
	}
	key.flags |= uv // whoever found it has set one
	for range 2 {
		if _, err := h.alone(key.get(t, h.asked(), site, nil, nil)); !errors.Is(err, challenge.ErrRefused) {
			t.Fatal(err)
		}
	}
	if s.count("h") != before {
		t.Error("it can be found")
	}
	// Beside the password it has shown that the PIN is its owner's.
	p := h.password("carol")
	if _, err := h.verify(p, key.get(t, posed(t, p), site, nil, nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.alone(key.get(t, h.asked(), site, nil, nil)); err != nil {
		t.Errorf("%v", err)
	}
}

func TestAPasskeyOfTheTimeBeforeIsFoundOnceItWasUsed(t *testing.T) {
	h, s := alone(t)
	var off *challenge.Logins
	on := h.logins
	off = h.another(func(c *challenge.Config) { c.Passwordless = "" })
	h.logins = off
	if _, err := off.BeginPasswordless(t.Context()); !errors.Is(err, challenge.ErrMethod) {
		t.Errorf("it is off: %v", err)
	}
	if _, err := h.alone("e30"); !errors.Is(err, challenge.ErrMethod) {
		t.Errorf("it is off: %v", err)
	}
	h.Users.Add(challenge.Account{ID: "3", Name: "carol", Email: "carol@example.com"}, password)
	h.SetVerdict("3", challenge.Verdict{Factors: []string{"passkey"}})
	before := s.count("h")
	out, err := h.verify(h.password("carol"), h.Outbox.Code("carol@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := off.Enrolling(t.Context(), challenge.Client{}, out.Session)
	if err != nil {
		t.Fatal(err)
	}
	key := newSoftKey(t)
	if _, err = h.verify(out.Session, key.create(t, e.Options, site, nil, nil)); err != nil {
		t.Fatal(err)
	}
	h.logins = on
	if s.count("h") != before {
		t.Error("a handle was kept while nobody may come in by it")
	}
	if _, err := h.alone(key.get(t, h.asked(), site, nil, nil)); !errors.Is(err, challenge.ErrRefused) {
		t.Fatal(err)
	}
	p := h.password("carol")
	if _, err := h.verify(p, key.get(t, posed(t, p), site, nil, nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.alone(key.get(t, h.asked(), site, nil, nil)); err != nil {
		t.Errorf("%v", err)
	}
}

func TestI14AChangeAfterAPasskeyAloneTakesThePassword(t *testing.T) {
	h, s := alone(t)
	out, err := h.alone(h.keys["1"].get(t, h.asked(), site, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	session := h.open(out.Token)
	login, _ := session.Login()
	for _, removing := range []bool{false, true} {
		if needs, err := h.logins.ChangeNeeds(t.Context(), challenge.Client{}, session, removing); err != nil || !slices.Equal(needs, []string{challenge.NeedsFirst}) {
			t.Fatalf("%v %v", needs, err)
		}
	}
	if can, err := h.logins.CanAskPassword(t.Context(), login); !can || err != nil {
		t.Errorf("%v %v", can, err)
	}
	if _, err := h.logins.BeginEnrolment(t.Context(), challenge.Client{}, session, challenge.EnrolInput{Method: "passkey"}); !errors.Is(err, challenge.ErrNotFresh) {
		t.Fatal(err)
	}
	if out, err = h.logins.ConfirmPassword(t.Context(), challenge.Client{}, session, "", []byte(password)); err != nil {
		t.Fatal(err)
	}
	session = h.open(out.Token)
	n, err := h.logins.BeginEnrolment(t.Context(), challenge.Client{}, session, challenge.EnrolInput{Method: "passkey", Name: "spare"})
	if err != nil {
		t.Fatal(err)
	}
	spare := newSoftKey(t)
	if out, err = h.logins.ConfirmEnrolment(t.Context(), challenge.Client{}, session, spare.create(t, n.Enrolment.Options, site, nil, nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.alone(spare.get(t, h.asked(), site, nil, nil)); err != nil {
		t.Errorf("the spare one: %v", err)
	}
	if s.count("h") != 2 {
		t.Errorf("%d handles for two people", s.count("h"))
	}

	// One is removed: it opens nothing any more, and the other still does.
	session = h.open(out.Token)
	sec, err := h.logins.Security(t.Context(), challenge.Client{}, "1")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(sec.Factors, func(f challenge.EnrolledFactor) bool { return f.Factor == "passkey" && f.Name == "" })
	if _, err = h.logins.RemoveFactor(t.Context(), challenge.Client{}, session, sec.Factors[i].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.alone(h.keys["1"].get(t, h.asked(), site, nil, nil)); !errors.Is(err, challenge.ErrRefused) {
		t.Errorf("removed: %v", err)
	}
	if _, err := h.alone(spare.get(t, h.asked(), site, nil, nil)); err != nil {
		t.Errorf("the spare one: %v", err)
	}
	if err := h.logins.ResetFactors(t.Context(), "1", "root"); err != nil {
		t.Fatal(err)
	}
	if s.count("h") != 1 {
		t.Errorf("%d handles are left for bob alone", s.count("h"))
	}
	if _, err := h.alone(spare.get(t, h.asked(), site, nil, nil)); !errors.Is(err, challenge.ErrRefused) {
		t.Errorf("all taken away: %v", err)
	}
}

func TestWhoHasNoPasswordChangesFactorsRightAfterAPasskeyAlone(t *testing.T) {
	h, _ := alone(t)
	h.Users.Change("1", func(a *challenge.Account) { a.PasswordHash = "" })
	begin := func(s *challenge.Session) error {
		_, err := h.logins.BeginEnrolment(t.Context(), challenge.Client{}, s, challenge.EnrolInput{Method: "passkey"})
		return err
	}
	out, err := h.alone(h.keys["1"].get(t, h.asked(), site, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	s := h.open(out.Token)
	login, _ := s.Login()
	if can, err := h.logins.CanAskPassword(t.Context(), login); !can || err != nil {
		t.Errorf("%v %v", can, err)
	}
	if err := begin(s); !errors.Is(err, challenge.ErrNotFresh) {
		t.Errorf("somebody else may know a password of this account: %v", err)
	}
	h.logins = h.another(func(c *challenge.Config) { c.Passwords = new(challenge.Argon2id) })
	s = h.open(out.Token)
	if can, err := h.logins.CanAskPassword(t.Context(), login); can || err != nil {
		t.Errorf("%v %v", can, err)
	}
	if err := begin(s); err != nil {
		t.Errorf("%v", err)
	}
	h.Clock.Advance(challenge.ConfirmedWithin)
	if err := begin(h.open(out.Token)); !errors.Is(err, challenge.ErrNotFresh) {
		t.Errorf("later: %v", err)
	}
}

func TestTheStoreDoesNotTellWhoseAHandleIs(t *testing.T) {
	h, s := alone(t)
	if s.count("h") != 2 {
		t.Fatalf("%d handles", s.count("h"))
	}
	for id, key := range h.keys {
		for _, v := range s.saved {
			if bytes.Contains(v, key.handle) || bytes.Contains(v, []byte(b64.EncodeToString(key.handle))) {
				t.Errorf("the handle of %s is in a record", id)
			}
		}
	}
	// Under new keys the old ones may go.
	keys := []challenge.Key{challengetest.Key(2), challengetest.Key(1)}
	h.logins = h.another(func(c *challenge.Config) { c.Keys = keys })
	if r, err := h.logins.Rotate(t.Context(), slices.Values([]string{"1", "2"})); err != nil || !r.Done() {
		t.Fatal(r, err)
	}
	h.logins = h.another(func(c *challenge.Config) { c.Keys = keys[:1] })
	if _, err := h.alone(h.keys["1"].get(t, h.asked(), site, nil, nil)); err != nil {
		t.Errorf("after an exchange of keys: %v", err)
	}
}

func TestI19PasswordlessNeedsAFactorThatCan(t *testing.T) {
	kit := challengetest.New(challengetest.NewClock())
	for name, ok := range map[string]bool{"": true, "passkey": true, "totp": false, "unknown": false} {
		c := kit.Config(&stores.Memory{Clock: kit.Clock.Now})
		c.Site = site
		c.Factors = []challenge.Factor{new(webauthn.Factor), &challenge.TOTP{Issuer: "Acme"}}
		c.Passwordless = name
		if _, err := challenge.New(c); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestI09NobodyDisablesAPasskeyWithoutThePassword(t *testing.T) {
	h, _ := alone(t)
	forged := newSoftKey(t)
	forged.id, forged.handle = h.keys["1"].id, h.keys["1"].handle
	for n := range 120 {
		if _, err := h.alone(forged.get(t, h.asked(), site, nil, nil)); !errors.Is(err, challenge.ErrRefused) {
			t.Fatal(err)
		}
		if n%3 == 2 {
			h.Clock.Advance(6 * time.Minute)
		}
	}
	h.Clock.Advance(6 * time.Minute)
	if _, err := h.alone(h.keys["1"].get(t, h.asked(), site, nil, nil)); err != nil {
		t.Errorf("the owner: %v", err)
	}
	if n := h.Audit.Count(audit.FactorDisabled); n != 0 {
		t.Errorf("disabled %d times", n)
	}
}

func TestAnAssertionAloneCountsOnceWhereProcessesShareNothingButAccounts(t *testing.T) {
	shared := &openStore{keys: map[string]bool{}}
	h, _ := alone(t, func(c *challenge.Config) { shared.Store = &stores.Memory{Clock: c.Clock}; c.Accounts = shared })
	other := h.another(func(c *challenge.Config) {
		c.Store = &openStore{Store: &stores.Memory{Clock: c.Clock}, keys: map[string]bool{}}
	})
	h.Users.Add(challenge.Account{ID: "3", Name: "carol", Email: "carol@example.com"}, password)
	h.SetVerdict("3", challenge.Verdict{Factors: []string{"passkey"}})
	out, err := h.verify(h.password("carol"), h.Outbox.Code("carol@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := h.logins.Enrolling(t.Context(), challenge.Client{}, out.Session)
	if err != nil {
		t.Fatal(err)
	}
	key := newSoftKey(t) // a synced passkey, which counts nothing
	if _, err = h.verify(out.Session, key.create(t, e.Options, site, nil, nil)); err != nil {
		t.Fatal(err)
	}
	answer := key.get(t, h.asked(), site, nil, nil)
	if _, err = h.alone(answer); err != nil {
		t.Fatal(err)
	}
	if _, err = other.Passwordless(t.Context(), challenge.Client{}, new(challenge.Session), challenge.PasswordlessInput{Slot: challenge.Cookie, Code: answer}); !errors.Is(err, challenge.ErrNoCode) {
		t.Errorf("at the other process: %v", err)
	}
}

func TestAPolicyInTrialSaysWhomAPasskeyAloneWouldNotLetIn(t *testing.T) {
	factors := []string{"totp"}
	h, _ := alone(t, func(c *challenge.Config) {
		c.Shadow = func(context.Context, challenge.Account, challenge.Client) (challenge.Verdict, error) {
			return challenge.Verdict{Factors: factors}, nil
		}
	})
	for _, want := range []int{1, 0} {
		h.logins.WaitForReports()
		h.Audit.Take()
		if _, err := h.alone(h.keys["1"].get(t, h.asked(), site, nil, nil)); err != nil {
			t.Fatalf("a shadow changed the login: %v", err)
		}
		h.logins.WaitForReports()
		n := 0
		for _, e := range h.Audit.Events() {
			if e.Name == audit.ReportOnly {
				n++
				if e.Reason != "policy: no way in by this alone" || e.User != "alice" || e.Method != "passkey" {
					t.Errorf("%+v", e)
				}
			}
		}
		if n != want {
			t.Errorf("%d reports, want %d", n, want)
		}
		factors = []string{"totp", "passkey"}
	}
}

func TestI14APasskeyAloneThatARecoveryCodeHasAddedTakesNothingAwayForADay(t *testing.T) {
	h, _ := alone(t, func(c *challenge.Config) { c.Factors = append(c.Factors, &challenge.Recovery{}) })
	codes, err := h.logins.MakeRecoveryCodes(t.Context(), challenge.Client{}, "1")
	if err != nil {
		t.Fatal(err)
	}
	h.SetVerdict("1", challenge.Verdict{Factors: []string{"passkey", "recovery"}})
	out, err := h.logins.Verify(t.Context(), challenge.Client{}, h.password("alice"), challenge.CodeInput{Method: "recovery", Code: codes[0]})
	if err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(time.Second)
	if out, err = h.logins.ConfirmPassword(t.Context(), challenge.Client{}, h.open(out.Token), "", []byte(password)); err != nil {
		t.Fatal(err)
	}
	n, err := h.logins.BeginEnrolment(t.Context(), challenge.Client{}, h.open(out.Token), challenge.EnrolInput{Method: "passkey", Name: "new"})
	if err != nil {
		t.Fatal(err)
	}
	added := newSoftKey(t)
	if _, err = h.logins.ConfirmEnrolment(t.Context(), challenge.Client{}, h.open(out.Token), added.create(t, n.Enrolment.Options, site, nil, nil)); err != nil {
		t.Fatal(err)
	}
	sec, err := h.logins.Security(t.Context(), challenge.Client{}, "1")
	if err != nil {
		t.Fatal(err)
	}
	old := sec.Factors[slices.IndexFunc(sec.Factors, func(f challenge.EnrolledFactor) bool { return f.Factor == "passkey" && f.Name == "" })].ID
	removes := func() error {
		t.Helper()
		out, err := h.alone(added.get(t, h.asked(), site, nil, nil))
		if err != nil {
			t.Fatal(err)
		}
		h.Clock.Advance(time.Second)
		if out, err = h.logins.ConfirmPassword(t.Context(), challenge.Client{}, h.open(out.Token), "", []byte(password)); err != nil {
			t.Fatal(err)
		}
		_, err = h.logins.RemoveFactor(t.Context(), challenge.Client{}, h.open(out.Token), old)
		return err
	}
	if err := removes(); !errors.Is(err, challenge.ErrNotFresh) {
		t.Errorf("I-14: %v", err)
	}
	h.Clock.Advance(24 * time.Hour)
	if err := removes(); err != nil {
		t.Errorf("a day later: %v", err)
	}
}
