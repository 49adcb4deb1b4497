package challenge_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// failing is a store whose n-th operation from arming on goes wrong. For one goroutine, and the notices that it begins: what
// those do, on keys that begin with q, is not counted.
type failing struct {
	challenge.Store
	at, n   int // at 0: nothing goes wrong
	kind    fateKind
	notices bool // there may be some
}

func (f *failing) meet(key string, do func() error) error {
	if f.notices && strings.HasPrefix(key, "q") {
		return do()
	}
	f.n++
	if f.at == 0 || f.n != f.at && !(f.kind == down && f.n > f.at) {
		return do()
	}
	if f.kind == lostAnswer {
		_ = do()
	}
	return errInjected
}

func (f *failing) Load(ctx context.Context, key string) (raw []byte, err error) {
	if e := f.meet(key, func() error { raw, err = f.Store.Load(ctx, key); return err }); e != nil {
		return nil, e
	}
	return raw, nil
}

func (f *failing) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (ok bool, err error) {
	if e := f.meet(key, func() error { ok, err = f.Store.CompareAndSwap(ctx, key, old, new, expires); return err }); e != nil {
		return false, e
	}
	return ok, nil
}

func (f *failing) Volatile() bool { return true }

// flows are whole ways in, from nothing to somebody. They give the token of a login, or "served" for a single request.
var flows = []struct {
	name    string
	prepare func(h *house)
	run     func(h *house) (string, error)
}{
	{"mail", nil, func(h *house) (string, error) {
		out, err := h.password("carol", password)
		if err != nil {
			return out.Token, err
		}
		s, err := h.logins.Open(context.Background(), challenge.Cookie, out.Token)
		if err != nil {
			return "", err
		}
		out, err = h.logins.Verify(context.Background(), challenge.Client{}, s, challenge.CodeInput{Code: h.Outbox.Code("carol@example.com")})
		return out.Token, err
	}},
	{"TOTP", nil, func(h *house) (string, error) {
		out, err := h.password("alice", password)
		if err != nil {
			return out.Token, err
		}
		s, err := h.logins.Open(context.Background(), challenge.Cookie, out.Token)
		if err != nil {
			return "", err
		}
		out, err = h.logins.Verify(context.Background(), challenge.Client{}, s, challenge.CodeInput{Code: h.totp(0)})
		return out.Token, err
	}},
	{"none needed", nil, func(h *house) (string, error) {
		out, err := h.password("dave", password)
		return out.Token, err
	}},
	{"single shot", nil, func(h *house) (string, error) {
		code := h.totp(0)
		out, err := h.logins.Password(context.Background(), challenge.Client{}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: "alice", Password: []byte(password), Code: &code})
		return out.Token, err
	}},
	{"recovery code", func(h *house) {
		codes, err := h.logins.MakeRecoveryCodes(context.Background(), challenge.Client{}, "1")
		if err != nil {
			h.t.Fatal(err)
		}
		h.recovery = codes[0]
	}, func(h *house) (string, error) {
		out, err := h.logins.Password(context.Background(), challenge.Client{}, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: "alice", Password: []byte(password), Code: &h.recovery})
		return out.Token, err
	}},
	{"Basic with a code", nil, func(h *house) (string, error) {
		if _, err := h.basic("alice", password, h.totp(0)); err != nil {
			return "", err
		}
		return "served", nil
	}},
	{"a machine", nil, func(h *house) (string, error) {
		if _, err := h.basic("reports", password); err != nil {
			return "", err
		}
		return "served", nil
	}},
	{"step-up", func(h *house) { h.token = h.loginAlice() }, func(h *house) (string, error) {
		s, err := h.logins.Open(context.Background(), challenge.Cookie, h.token)
		if err != nil {
			return "", err
		}
		out, err := h.logins.StepUp(context.Background(), challenge.Client{}, s, challenge.CodeInput{Code: h.totp(0)})
		return out.Token, err
	}},
	{"enrolment", nil, func(h *house) (string, error) {
		ctx := context.Background()
		out, err := h.password("erin", password)
		if err != nil {
			return out.Token, err
		}
		s, err := h.logins.Open(ctx, challenge.Cookie, out.Token)
		if err != nil {
			return "", err
		}
		out, err = h.logins.Verify(ctx, challenge.Client{}, s, challenge.CodeInput{Code: h.Outbox.Code("erin@example.com")})
		if err != nil {
			return out.Token, err
		}
		if s, err = h.logins.Open(ctx, challenge.Cookie, out.Token); err != nil {
			return "", err
		}
		e, err := h.logins.Enrolling(ctx, challenge.Client{}, s)
		if err != nil {
			return "", err
		}
		out, err = h.logins.Verify(ctx, challenge.Client{}, s, challenge.CodeInput{Code: h.codeOf(ungrouped(e.Key), 0)})
		return out.Token, err
	}},
}

// alive fails the test when a flow that went wrong left somebody logged in, and when one that went right did not.
func (h *house) alive(t *testing.T, what, token string, err error) {
	t.Helper()
	switch {
	case err != nil && token != "":
		t.Errorf("I-20: %s: an error, and a token beside it: %v", what, err)
	case err == nil && token == "":
		t.Errorf("I-20: %s: no error and no token", what)
	case err == nil && token != "served":
		if _, ok := h.open(token).Login(); !ok {
			t.Errorf("%s: no error and no login", what)
		}
	}
}

func TestI20AStoreThatFailsAtAnyPlaceDenies(t *testing.T) {
	for _, f := range flows {
		for _, kind := range []fateKind{fails, down, lostAnswer} {
			places := 0
			for at := 1; ; at++ {
				store := &failing{kind: kind}
				h := build(t, func(c *challenge.Config) { store.Store, c.Store = c.Store, store })
				if f.prepare != nil {
					f.prepare(h)
				}
				store.n, store.at = 0, at
				token, err := f.run(h)
				reached := store.n >= at
				store.at = 0
				what := fmt.Sprintf("%s, fault %d at operation %d", f.name, kind, at)
				h.alive(t, what, token, err)
				if err != nil && !errors.Is(err, challenge.ErrUnavailable) {
					t.Errorf("I-20: %s: answered as %v", what, err)
				}
				if reached && err == nil && kind == down {
					t.Errorf("I-20: %s: let in while the store was down", what)
				}
				if !reached {
					if err != nil {
						t.Errorf("%s without a fault: %v", f.name, err)
					}
					break
				}
				places++
				// Whatever was begun, a healthy store lets the same person in again: nothing is stuck.
				h.Clock.Advance(6 * time.Minute)
				if f.name != "step-up" && f.name != "recovery code" && f.name != "enrolment" {
					if token, err := f.run(h); err != nil || token == "" {
						t.Errorf("%s: and then, over a healthy store: %v", what, err)
					}
				}
			}
			if places < 3 {
				t.Errorf("%s: %d places", f.name, places)
			}
		}
	}
}

func TestI20NoFaultOfTheStoreGivesGuessesBack(t *testing.T) {
	for _, kind := range []fateKind{fails, down, lostAnswer} {
		for at := 1; at <= 12; at++ {
			store := &failing{kind: kind}
			h, f := counted(t, func(c *challenge.Config) { store.Store, c.Store = c.Store, store })
			out, err := h.password("carol", password)
			if err != nil {
				t.Fatal(err)
			}
			s := h.open(out.Token)
			for try := range 40 {
				if store.n, store.at = 0, at; try > 30 {
					store.at = 0
				}
				if _, err := h.logins.Verify(context.Background(), challenge.Client{}, s, challenge.CodeInput{Code: "wrong-code"}); err == nil {
					t.Fatal("let in")
				}
			}
			store.at = 0
			if n := f.compared.Load(); n > 3 {
				t.Errorf("I-20: fault %d at operation %d of each try: %d codes were compared", kind, at, n)
			}

			base := h.Passwords.Compared("6")
			for try := range 40 {
				if store.n, store.at = 0, at; try > 30 {
					store.at = 0
				}
				if _, err := h.password("sam", "wrong"); err == nil {
					t.Fatal("let in")
				}
			}
			store.at = 0
			if n := h.Passwords.Compared("6") - base; n > 3 {
				t.Errorf("I-20: fault %d at operation %d of each try: %d passwords were compared", kind, at, n)
			}
		}
	}
}

// nth lets the n-th call of something fail, and every later one.
type nth struct{ at, n int }

func (f *nth) err() error {
	if f.n++; f.at != 0 && f.n >= f.at {
		return errInjected
	}
	return nil
}

type failingUsers struct {
	challenge.Users
	*nth
}

func (u failingUsers) Find(ctx context.Context, name string) (challenge.Account, error) {
	if err := u.err(); err != nil {
		return challenge.Account{ID: "4"}, err // an answer beside an error is none
	}
	return u.Users.Find(ctx, name)
}

func (u failingUsers) ByID(ctx context.Context, id string) (challenge.Account, error) {
	if err := u.err(); err != nil {
		a, _ := u.Users.ByID(ctx, id)
		return a, err
	}
	return u.Users.ByID(ctx, id)
}

type failingRandom struct{ *nth }

func (r failingRandom) Read(b []byte) (int, error) {
	if err := r.err(); err != nil {
		return 0, err
	}
	return io.ReadFull(rand.Reader, b)
}

func TestI20UsersPolicyAndRandomSourceInErrorDeny(t *testing.T) {
	for what, arm := range map[string]func(c *challenge.Config, f *nth){
		"users": func(c *challenge.Config, f *nth) { c.Users = failingUsers{c.Users, f} },
		"policy": func(c *challenge.Config, f *nth) {
			policy := c.Policy
			c.Policy = func(ctx context.Context, a challenge.Account, cl challenge.Client) (challenge.Verdict, error) {
				if err := f.err(); err != nil {
					return challenge.Verdict{NotNeeded: true}, err
				}
				return policy(ctx, a, cl)
			}
		},
		"policy that panics": func(c *challenge.Config, f *nth) {
			policy := c.Policy
			c.Policy = func(ctx context.Context, a challenge.Account, cl challenge.Client) (challenge.Verdict, error) {
				if f.err() != nil {
					panic("policy")
				}
				return policy(ctx, a, cl)
			}
		},
		"policy that names a factor that does not exist": func(c *challenge.Config, f *nth) {
			policy := c.Policy
			c.Policy = func(ctx context.Context, a challenge.Account, cl challenge.Client) (challenge.Verdict, error) {
				if f.err() != nil {
					return challenge.Verdict{Factors: []string{"no such factor"}}, nil
				}
				return policy(ctx, a, cl)
			}
		},
		"random source": func(c *challenge.Config, f *nth) { c.Random = failingRandom{f} },
	} {
		for _, flow := range flows {
			for at := 1; ; at++ {
				f := new(nth)
				h := build(t, func(c *challenge.Config) { arm(c, f) })
				if flow.prepare != nil {
					flow.prepare(h)
				}
				f.n, f.at = 0, at
				token, err := flow.run(h)
				reached := f.n >= at
				f.at = 0
				h.alive(t, fmt.Sprintf("%s fails at call %d, %s", what, at, flow.name), token, err)
				if !reached {
					if err != nil {
						t.Errorf("%s, %s without a fault: %v", what, flow.name, err)
					}
					break
				}
				// A code that could not be drawn is one that nobody knows: the pending login stays, without a code.
				if err == nil || !errors.Is(err, challenge.ErrUnavailable) && !errors.Is(err, challenge.ErrNoCode) && !errors.Is(err, challenge.ErrMalformed) {
					t.Errorf("I-20: %s fails at call %d, %s: %v", what, at, flow.name, err)
				}
			}
		}
	}
}
