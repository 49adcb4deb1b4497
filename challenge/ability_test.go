package challenge

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"time"
)

// newAttempt is an attempt as the machine makes one, of alice at a fixed time.
func newAttempt(t testing.TB) *Attempt {
	t.Helper()
	keys, err := NewKeyring([]Key{{ID: 7, Secret: [32]byte{1, 2, 3}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Attempt{
		Account:  Account{ID: "a-1", Name: "alice", Email: "alice@example.com", Phone: "+31600000001", PasswordHash: "hash"},
		Client:   Client{Device: "device-token"},
		Purpose:  PurposeLogin,
		Language: "en",
		Site:     "https://example.com",
		Now:      time.Unix(1_700_000_000, 0).UTC(),
		keys:     keys,
		random:   rand.Reader,
		context:  "pending 1",
		maxTTL:   10 * time.Minute,
	}
}

// brokenRandom is a source of randomness that fails after n bytes.
func brokenRandom(n int) io.Reader {
	return io.MultiReader(io.LimitReader(rand.Reader, int64(n)), errReader{})
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("no entropy") }

// plain is a factor without optional abilities.
type plain struct{}

func (plain) Name() string                                            { return "plain" }
func (plain) Begin(context.Context, *Attempt) error                   { return nil }
func (plain) Verify(context.Context, *Attempt, []byte) (Proof, error) { return Proof{}, ErrWrongCode }

// parsing adds an ability of its own around another factor.
type parsing struct {
	Factor
	ok bool
}

func (p parsing) Unwrap() Factor                { return p.Factor }
func (p parsing) Parse(s string) ([]byte, bool) { return []byte(s), p.ok }

func TestAbilityLooksThroughWrappers(t *testing.T) {
	if _, ok := ability[Parser](plain{}); ok {
		t.Error("a factor without Parse has it")
	}
	if _, ok := ability[Parser](nil); ok {
		t.Error("no factor has an ability")
	}
	if _, ok := ability[Parser](Fallback(plain{}, "email")); ok {
		t.Error("a wrapper gave its factor an ability that neither has")
	}
	if _, ok := ability[Enroller](Fallback(Fallback(&TOTP{}))); !ok {
		t.Error("two wrappers hide an ability")
	}
	outer, ok := ability[Parser](parsing{parsing{plain{}, false}, true})
	if !ok {
		t.Fatal("no Parser found")
	}
	if _, ok := outer.Parse("x"); !ok {
		t.Error("the inner ability was preferred to the outer one")
	}
}
