package challenge

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// The state machine is a pure function over unexported values, so this file is the one that stands inside the package.

var testRules = rules{passwordGuesses: 3, codeGuesses: 3, blockFor: 5 * time.Minute, sendCooldown: 30 * time.Second, sendShort: 5, sendDay: 20}

var testStart = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// machine is one account, walked step by step. Every step is checked for what must hold of all of them.
type machine struct {
	t     testing.TB
	rules rules
	rec   account
	now   time.Time
}

func newMachine(t testing.TB) *machine {
	return &machine{t: t, rules: testRules, rec: account{epoch: epochOf(1)}, now: testStart}
}

func epochOf(n byte) epoch     { return epoch{0: n} }
func deviceNo(n byte) deviceID { return deviceID{0: n} }
func loginNo(n int) liveLogin {
	var id recordID
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return liveLogin{id: id, key: fmt.Sprintf("key-%d", n), end: testStart.Add(24 * time.Hour)}
}

// cloned shares no memory with rec.
func cloned(rec account) account {
	rec.devices, rec.auth = slices.Clone(rec.devices), slices.Clone(rec.auth)
	rec.logins, rec.ending = slices.Clone(rec.logins), slices.Clone(rec.ending)
	return rec
}

func same(a, b account) bool { return string(a.encode()) == string(b.encode()) }

func (m *machine) step(in any) error {
	m.t.Helper()
	// A record with room behind every slice: an append in place would be seen.
	given := cloned(m.rec)
	given.devices = slices.Grow(given.devices, 4)
	given.auth = slices.Grow(given.auth, 4)
	given.logins = slices.Grow(given.logins, 4)
	given.ending = slices.Grow(given.ending, 4)
	room := cloned(account{devices: given.devices[:cap(given.devices)], auth: given.auth[:cap(given.auth)],
		logins: given.logins[:cap(given.logins)], ending: given.ending[:cap(given.ending)]})
	after, err := m.rules.step(given, in, m.now)
	if !same(given, m.rec) || !slices.Equal(given.devices[:cap(given.devices)], room.devices) || !slices.Equal(given.auth[:cap(given.auth)], room.auth) ||
		!slices.Equal(given.logins[:cap(given.logins)], room.logins) || !slices.Equal(given.ending[:cap(given.ending)], room.ending) {
		m.t.Fatalf("step(%T) changed the record it was given in place", in)
	}
	if err != nil && !same(after, m.rec) {
		m.t.Fatalf("step(%T) was refused (%v) and gave another record back", in, err)
	}
	if err == nil {
		m.rec = cloned(after)
	}
	m.holds()
	return err
}

// holds are the invariants of every record that can be reached.
func (m *machine) holds() {
	m.t.Helper()
	budget := func(name string, b budget, most int) {
		m.t.Helper()
		switch {
		case b.spent < 0 || b.spent > most:
			m.t.Fatalf("I-07: %s: %d of %d guesses spent", name, b.spent, most)
		case b.wrong < 0 || b.wrong > b.spent:
			m.t.Fatalf("%s: %d wrong of %d spent", name, b.wrong, b.spent)
		case !b.until.IsZero() && b.spent != most:
			m.t.Fatalf("I-09: %s is blocked with %d of %d guesses spent", name, b.spent, most)
		case b.until.IsZero() && b.spent == most:
			m.t.Fatalf("I-09: %s has all guesses spent and no block", name)
		}
	}
	all := func(name string, b budgets) {
		m.t.Helper()
		budget(name+" passwords", b.password, m.rules.passwordGuesses)
		budget(name+" codes", b.code, m.rules.codeGuesses)
		if b.sends.short.n > m.rules.sendShort || b.sends.day.n > m.rules.sendDay {
			m.t.Fatalf("I-15: %s: %d and %d sends", name, b.sends.short.n, b.sends.day.n)
		}
	}
	all("strangers'", m.rec.strange)
	if len(m.rec.devices) > 8 {
		m.t.Fatalf("I-11: %d devices", len(m.rec.devices))
	}
	seen := map[deviceID]bool{}
	for _, d := range m.rec.devices {
		if d.id == (deviceID{}) || seen[d.id] {
			m.t.Fatalf("I-11: device %x is kept twice, or is nobody's", d.id)
		}
		seen[d.id] = true
		all(fmt.Sprintf("device %x's", d.id[:1]), d.budgets)
	}
	tokens := 0
	for _, l := range m.rec.logins {
		if l.child() {
			tokens++
		}
	}
	if logins := len(m.rec.logins) - tokens; logins > 50 || tokens > 50 {
		m.t.Fatalf("%d logins and %d access tokens", logins, tokens)
	}
	for _, a := range m.rec.auth {
		if a.failures < 0 || a.failures > 100 {
			m.t.Fatalf("I-09: %d failures in a row of %s", a.failures, a.id)
		}
	}
	for _, l := range m.rec.logins {
		if slices.Contains(m.rec.ending, l.key) {
			m.t.Fatalf("%s is alive and ending", l.key)
		}
	}
	if back, err := decodeAccount(m.rec.encode()); err != nil || !same(back, m.rec) {
		m.t.Fatalf("a record that does not survive the store: %v", err)
	}
}

// Shorthands: what somebody without a known device does with nothing else in the way.
func pw() spend                 { return spend{kind: passwordGuess} }
func pwWrong() settle           { return settle{kind: passwordGuess, wrong: true} }
func pwRight() settle           { return settle{kind: passwordGuess} }
func code(auth ...string) spend { return spend{kind: codeGuess, epoch: epochOf(1), auth: auth} }
func codeWrong() settle         { return settle{kind: codeGuess, wrong: true} }
func codeBack(auth ...string) settle {
	return settle{kind: codeGuess, auth: auth}
}
func bound(n int, p proofUsed) bind {
	return bind{epoch: epochOf(1), login: loginNo(n), proof: p, shown: true}
}

// boundBy is a login from a device by a password alone, as a policy, a grace or a trusted device allows.
func boundBy(n int, dev deviceID) bind {
	return bind{epoch: epochOf(1), login: loginNo(n), device: dev, remember: dev}
}

// token is the bind of an access token.
func token(n, parent int) bind {
	b := bind{epoch: epochOf(1), login: loginNo(n), access: true}
	b.login.parent = loginNo(parent).id
	return b
}

// stepped is bind's companion.
func stepped(n int, old, new string, p proofUsed) stepUp {
	return stepUp{epoch: epochOf(1), id: loginNo(n).id, old: old, new: new, kind: codeGuess, proof: p}
}

func threeWrongPasswords() []any { return []any{pw(), pwWrong(), pw(), pwWrong(), pw(), pwWrong()} }
func threeWrongCodes() []any {
	return []any{code(), codeWrong(), code(), codeWrong(), code(), codeWrong()}
}

func in(m deviceID, ins ...any) []any {
	out := slices.Clone(ins)
	for i := range out {
		switch v := out[i].(type) {
		case spend:
			v.device = m
			out[i] = v
		case settle:
			v.device = m
			out[i] = v
		}
	}
	return out
}

func also(parts ...any) (out []any) {
	for _, p := range parts {
		if list, ok := p.([]any); ok {
			out = append(out, list...)
		} else {
			out = append(out, p)
		}
	}
	return out
}

func TestStateMachine(t *testing.T) {
	known := func(n byte) bind {
		b := bound(900+int(n), proofUsed{})
		b.remember, b.strong = deviceNo(n), true
		return b
	}
	byRecovery := func(n byte) bind {
		b := known(n)
		b.strong = false
		return b
	}
	eight := []any{known(1), known(2), known(3), known(4), known(5), known(6), known(7), known(8)}
	renew := epochOf(9)
	fifty, fiftyTokens := []any{}, []any{}
	for n := range 50 {
		fifty = append(fifty, bound(n, proofUsed{}))
		fiftyTokens = append(fiftyTokens, token(n+1, 100))
	}
	failed := func(n int) (out []any) { // wrong answers in a row, with blocks waited for
		for i := range n {
			if out = append(out, spend{kind: codeGuess, epoch: epochOf(1), undated: true, auth: []string{"totp1"}}, codeWrong()); i%3 == 2 {
				out = append(out, 5*time.Minute)
			}
		}
		// settle names the budget's window; the walk fills it in.
		return out
	}
	for _, c := range []struct {
		name   string
		before []any // inputs that must be accepted; a duration lets time pass
		in     any
		want   error
		after  func(account) bool
	}{
		{"I-08: a third password guess is there to be had", also(pw(), pwWrong(), pw(), pwWrong()), pw(), nil, nil},
		{"I-08: a fourth is not", threeWrongPasswords(), pw(), refusedBlocked, nil},
		{"I-08: a third code guess is there to be had", also(code(), codeWrong(), code(), codeWrong()), code(), nil, nil},
		{"I-08: a fourth is not, though the code were right", threeWrongCodes(), code(), refusedBlocked, nil},
		{"I-08: passwords and codes are counted apart (password)", threeWrongCodes(), pw(), nil, nil},
		{"I-08: passwords and codes are counted apart (code)", threeWrongPasswords(), code(), nil, nil},
		{"I-08: a right password does not reset the codes", also(threeWrongCodes(), pw(), pwRight()), code(), refusedBlocked, nil},
		{"I-08: a right password gives back its own guess only", also(pw(), pwWrong(), pw(), pwRight()), observe{}, nil,
			func(a account) bool { return a.strange.password.spent == 1 && a.strange.password.wrong == 1 }},
		{"I-08: success gives all guesses back", also(pw(), pwWrong(), code(), codeWrong(), code(), bound(1, proofUsed{})), observe{}, nil,
			func(a account) bool { return a.strange.password.spent == 0 && a.strange.code.spent == 0 }},
		{"I-08: a right code of what a recovery code has just added gives its own guess back only", also(code(), codeWrong(), code()), bind{epoch: epochOf(1), login: loginNo(1), shown: true, weak: true}, nil,
			func(a account) bool { return a.strange.code.spent == 1 && a.strange.code.wrong == 1 }},
		{"I-08: so does it in a step-up", also(bound(1, proofUsed{}), code(), codeWrong(), code()), stepUp{epoch: epochOf(1), id: loginNo(1).id, old: "key-1", new: "new", kind: codeGuess, weak: true}, nil,
			func(a account) bool { return a.strange.code.spent == 1 && a.strange.code.wrong == 1 }},
		{"I-08: and for one request", also(code(), codeWrong(), code()), accept{epoch: epochOf(1), weak: true}, nil,
			func(a account) bool { return a.strange.code.spent == 1 && a.strange.code.wrong == 1 }},
		{"I-08: a block that it set is lifted, as by any right answer", also(code(), codeWrong(), code(), codeWrong(), code()), accept{epoch: epochOf(1), weak: true}, nil,
			func(a account) bool { return a.strange.code.spent == 2 && a.strange.code.until.IsZero() }},
		{"I-08: a login without a code gives the passwords back only", also(pw(), pwWrong(), code(), codeWrong(), code(), boundBy(1, deviceID{})), observe{}, nil,
			func(a account) bool { return a.strange.password.spent == 0 && a.strange.code.spent == 2 }},
		{"I-08: nor does it lift a block of codes", also(threeWrongCodes(), boundBy(1, deviceID{})), code(), refusedBlocked, nil},
		{"I-11: a device that has shown a password only has no codes of its own", also(threeWrongCodes(), boundBy(1, deviceID{7})),
			spend{kind: codeGuess, device: deviceID{7}, epoch: epochOf(1), undated: true}, refusedBlocked, nil},
		{"I-11: what is spent there is spent everywhere", also(boundBy(1, deviceID{7}), spend{kind: codeGuess, device: deviceID{7}, epoch: epochOf(1), undated: true}), observe{}, nil,
			func(a account) bool { return a.strange.code.spent == 1 && a.devices[0].budgets.code.spent == 0 }},
		{"I-11: a code shown on it gives it codes of its own", also(boundBy(1, deviceID{7}),
			stepUp{epoch: epochOf(1), id: loginNo(1).id, old: "key-1", new: "new", kind: codeGuess, device: deviceID{7}}, threeWrongCodes()),
			spend{kind: codeGuess, device: deviceID{7}, epoch: epochOf(1), undated: true}, nil,
			func(a account) bool { return a.strange.code.spent == 3 && a.devices[0].budgets.code.spent == 1 }},
		{"after a reset there is no grace, however it is counted", also(noGrace{}), grace{}, refusedGrace, nil},
		{"I-08: success for one request gives all guesses back", also(pw(), pwWrong(), code(), codeWrong(), code(), accept{epoch: epochOf(1)}), observe{}, nil,
			func(a account) bool { return a.strange.password.spent == 0 && a.strange.code.spent == 0 }},
		{"I-08: a step-up by code gives back the codes only", also(bound(1, proofUsed{}), pw(), pwWrong(), code(), codeWrong(), code(), stepped(1, "key-1", "new", proofUsed{})), observe{}, nil,
			func(a account) bool { return a.strange.password.spent == 1 && a.strange.code.spent == 0 }},
		{"I-08: a step-up by password gives back the passwords only", also(bound(1, proofUsed{}), pw(), pwWrong(), code(), codeWrong(),
			stepUp{epoch: epochOf(1), id: loginNo(1).id, old: "key-1", new: "new", kind: passwordGuess}), observe{}, nil,
			func(a account) bool { return a.strange.password.spent == 0 && a.strange.code.spent == 1 }},

		{"I-08: a budget spent only by guesses in flight is busy, not blocked", also(code(), code(), code()), code(), refusedInFlight, nil},
		{"I-08: two wrong and one in flight is busy too", also(pw(), pw(), pw(), pwWrong(), pwWrong()), pw(), refusedInFlight, nil},
		{"I-08: guesses whose process is gone count as wrong after five seconds", also(pw(), pw(), pw(), 5*time.Second), pw(), refusedBlocked, nil},
		{"I-08: giving back lifts the block that the guess had set", also(pw(), pwWrong(), pw(), pwWrong(), pw(), pwRight()), pw(), nil, nil},
		{"I-08: and the pending logins that it had outdated live", also(code(), codeWrong(), code(), codeWrong(), code(), codeBack()), code(), nil, nil},
		{"I-08: nothing is given back that is not in flight", also(pw(), pwWrong()), pwRight(), nil,
			func(a account) bool { return a.strange.password.spent == 1 }},
		{"I-08: a verdict of an earlier window changes nothing", also(pw(), 5*time.Second, threeWrongPasswords()[2:], 6*time.Minute, pw()),
			settle{kind: passwordGuess, window: 0}, nil, func(a account) bool { return a.strange.password.spent == 1 && a.strange.password.window == 1 }},

		{"I-09: a block lasts to the last nanosecond", also(threeWrongPasswords(), 5*time.Minute-1), pw(), refusedBlocked, nil},
		{"I-09: and is released by time", also(threeWrongPasswords(), 5*time.Minute), pw(), nil, func(a account) bool { return a.strange.password.spent == 1 }},
		{"I-09: a code block is released by time for logins begun under it", also(threeWrongCodes(), 5*time.Minute), spend{kind: codeGuess, epoch: epochOf(1), blocks: 1}, nil, nil},
		{"I-09: a pending login older than the block never spends again", also(threeWrongCodes(), 5*time.Minute, spend{kind: codeGuess, epoch: epochOf(1), blocks: 1}), code(), refusedStale, nil},
		{"I-09: not even as the first after the block", also(threeWrongCodes(), 5*time.Minute), code(), refusedStale, nil},
		{"I-09: nor after an administrator lifted it", also(threeWrongCodes(), free{}), code(), refusedStale, nil},
		{"I-09: nor after somebody else's success lifted it", also(threeWrongCodes()[:5], bound(1, proofUsed{})), code(), refusedStale, nil},
		{"I-09: a live login's step-up is not outdated by a block", also(threeWrongCodes(), 5*time.Minute), spend{kind: codeGuess, epoch: epochOf(1), undated: true}, nil, nil},
		{"I-04: a guess block does not stop a guess already paid for", threeWrongCodes()[:5], bound(1, proofUsed{}), nil, func(a account) bool { return len(a.logins) == 1 }},

		{"I-09: an authenticator takes its hundredth wrong answer", failed(99), spend{kind: codeGuess, epoch: epochOf(1), undated: true, auth: []string{"totp1"}}, nil, nil},
		{"I-09: and is disabled after it", also(failed(100), 5*time.Minute), spend{kind: codeGuess, epoch: epochOf(1), undated: true, auth: []string{"totp1"}}, refusedDisabled, nil},
		{"I-09: which also holds for a known device (the 100-count is shared)", also(known(1), failed(100), 5*time.Minute),
			spend{kind: codeGuess, epoch: epochOf(1), device: deviceNo(1), undated: true, auth: []string{"totp1"}}, refusedDisabled, nil},
		{"I-09: another authenticator is not", also(failed(100), 5*time.Minute), spend{kind: codeGuess, epoch: epochOf(1), undated: true, auth: []string{"totp2"}}, nil, nil},
		{"I-09: a right answer begins the row anew", also(failed(99), 5*time.Minute, spend{kind: codeGuess, epoch: epochOf(1), undated: true, auth: []string{"totp1"}},
			bound(1, proofUsed{auth: "totp1", step: 7, charged: []string{"totp1"}})), observe{}, nil, func(a account) bool { return a.authOf("totp1").failures == 0 }},
		{"I-09: of two that were asked only the one that answered begins anew; the other gets its charge back",
			also(code("a", "b"), codeWrong(), code("a", "b"), bound(1, proofUsed{auth: "a", charged: []string{"a", "b"}})), observe{}, nil,
			func(a account) bool { return a.authOf("a").failures == 0 && a.authOf("b").failures == 1 }},
		{"I-09: a guess given back is no failure", also(code("a"), codeBack("a")), observe{}, nil, func(a account) bool { return a.authOf("a").failures == 0 }},
		{"I-09: an administrator enables it again", also(failed(100), free{authenticators: true}), spend{kind: codeGuess, epoch: epochOf(1), undated: true, auth: []string{"totp1"}}, nil, nil},
		{"I-09: giving guesses back alone does not", also(failed(100), free{}), spend{kind: codeGuess, epoch: epochOf(1), undated: true, auth: []string{"totp1"}}, refusedDisabled, nil},

		{"I-12: a later step is taken", also(bound(1, proofUsed{auth: "a", step: 7})), bound(2, proofUsed{auth: "a", step: 8}), nil, func(a account) bool { return a.authOf("a").step == 8 }},
		{"I-12: the same step is refused", also(bound(1, proofUsed{auth: "a", step: 7})), bound(2, proofUsed{auth: "a", step: 7}), refusedReplay, nil},
		{"I-12: an earlier step is refused", also(bound(1, proofUsed{auth: "a", step: 7})), bound(2, proofUsed{auth: "a", step: 6, charged: []string{"a"}}), refusedReplay, nil},
		{"I-09: a refused step gives no charge back", also(bound(1, proofUsed{auth: "a", step: 7}), code("a")), bound(2, proofUsed{auth: "a", step: 7, charged: []string{"a"}}), refusedReplay,
			func(a account) bool { return a.authOf("a").failures == 1 }},
		{"I-12: also for one request", also(bound(1, proofUsed{auth: "a", step: 7})), accept{epoch: epochOf(1), proof: proofUsed{auth: "a", step: 7}}, refusedReplay, nil},
		{"I-12: also in a step-up", also(bound(1, proofUsed{auth: "a", step: 7})), stepped(1, "key-1", "new", proofUsed{auth: "a", step: 7}), refusedReplay, nil},
		{"I-12: a step used for one request is used", also(accept{epoch: epochOf(1), proof: proofUsed{auth: "a", step: 7}}), bound(2, proofUsed{auth: "a", step: 7}), refusedReplay, nil},
		{"I-12: a step used in a step-up is used", also(bound(1, proofUsed{}), stepped(1, "key-1", "new", proofUsed{auth: "a", step: 7})), bound(2, proofUsed{auth: "a", step: 7}), refusedReplay, nil},
		{"I-12: another authenticator has steps of its own", also(bound(1, proofUsed{auth: "a", step: 7})), bound(2, proofUsed{auth: "b", step: 7}), nil, nil},
		{"I-12: an administrator's help does not make a step usable again", also(bound(1, proofUsed{auth: "a", step: 7}), free{authenticators: true, everything: true}), bound(2, proofUsed{auth: "a", step: 7}), refusedReplay, nil},

		{"I-16: a code guess under an old epoch is stale", also(revoke{renew}), code(), refusedStale, nil},
		{"I-16: so is a promotion", also(code(), revoke{renew}), bound(1, proofUsed{}), refusedStale, nil},
		{"I-16: so is a single request", also(code(), revoke{renew}), accept{epoch: epochOf(1)}, refusedStale, nil},
		{"I-16: so is a step-up", also(bound(1, proofUsed{}), revoke{renew}), stepped(1, "key-1", "new", proofUsed{}), refusedGone, nil},
		{"I-16: revoke puts every login on the list of what must be deleted", also(bound(1, proofUsed{}), bound(2, proofUsed{})), revoke{renew}, nil,
			func(a account) bool {
				return len(a.logins) == 0 && slices.Equal(a.ending, []string{"key-1", "key-2"}) && a.epoch == renew
			}},
		{"I-16: what is still on the list stays on it", also(bound(1, proofUsed{}), revoke{renew}, revoke{epochOf(8)}), observe{}, nil,
			func(a account) bool { return slices.Equal(a.ending, []string{"key-1"}) }},
		{"I-16: only deleted keys leave it", also(bound(1, proofUsed{}), bound(2, proofUsed{}), revoke{renew}), ended{[]string{"key-1", "key-7"}}, nil,
			func(a account) bool { return slices.Equal(a.ending, []string{"key-2"}) }},
		{"I-16: a block by time never ends live logins", also(bound(1, proofUsed{}), threeWrongCodes()), observe{}, nil, func(a account) bool { return len(a.logins) == 1 }},
		{"I-16: enrolment ends every other login in the step that makes its own", also(bound(1, proofUsed{}), bound(2, proofUsed{})),
			bind{epoch: epochOf(1), login: loginNo(3), renew: &renew}, nil,
			func(a account) bool {
				return len(a.logins) == 1 && a.logins[0].key == "key-3" && slices.Equal(a.ending, []string{"key-1", "key-2"}) && a.epoch == renew
			}},
		{"I-16: logout ends one login", also(bound(1, proofUsed{}), bound(2, proofUsed{})), logout{loginNo(1).id}, nil,
			func(a account) bool {
				return len(a.logins) == 1 && a.logins[0].key == "key-2" && slices.Equal(a.ending, []string{"key-1"})
			}},
		{"I-16: logout finds the key that a step-up moved the login to", also(bound(1, proofUsed{}), stepped(1, "key-1", "new", proofUsed{}), ended{[]string{"key-1"}}), logout{loginNo(1).id}, nil,
			func(a account) bool { return len(a.logins) == 0 && slices.Equal(a.ending, []string{"new"}) }},
		{"logging out twice is no error", also(bound(1, proofUsed{}), logout{loginNo(1).id}), logout{loginNo(1).id}, nil, func(a account) bool { return len(a.ending) == 1 }},
		{"I-03: a step-up kills the old key", also(bound(1, proofUsed{})), stepped(1, "key-1", "new", proofUsed{}), nil,
			func(a account) bool { return a.logins[0].key == "new" && slices.Equal(a.ending, []string{"key-1"}) }},
		{"I-03: of two step-ups from one key the second is gone", also(bound(1, proofUsed{}), stepped(1, "key-1", "new", proofUsed{})), stepped(1, "key-1", "newer", proofUsed{}), refusedGone, nil},
		{"a step-up of a login that has ended is gone", also(bound(1, proofUsed{}), logout{loginNo(1).id}), stepped(1, "key-1", "new", proofUsed{}), refusedGone, nil},

		{"a fifty-first login ends the oldest", fifty, bound(50, proofUsed{}), nil,
			func(a account) bool {
				return len(a.logins) == 50 && a.logins[0].key == "key-1" && slices.Equal(a.ending, []string{"key-0"})
			}},
		{"I-16: an access token ends with its login", also(bound(1, proofUsed{}), token(2, 1), bound(3, proofUsed{})), logout{loginNo(1).id}, nil,
			func(a account) bool {
				return len(a.logins) == 1 && a.logins[0].key == "key-3" && slices.Equal(a.ending, []string{"key-1", "key-2"})
			}},
		{"and alone when it is ended by itself", also(bound(1, proofUsed{}), token(2, 1)), logout{loginNo(2).id}, nil,
			func(a account) bool { return len(a.logins) == 1 && slices.Equal(a.ending, []string{"key-2"}) }},
		{"I-16: none is made from a login that has ended", also(bound(1, proofUsed{}), logout{loginNo(1).id}), token(2, 1), refusedGone, nil},
		{"I-16: nor from another access token", also(bound(1, proofUsed{}), token(2, 1)), token(3, 2), refusedGone, nil},
		{"I-16: nor under another epoch", also(bound(1, proofUsed{}), revoke{renew}), token(2, 1), refusedStale, nil},
		{"I-16: nor while an administrator blocks", also(bound(1, proofUsed{}), block{epochOf(1)}), token(2, 1), refusedStale, nil},
		{"I-16: a change of factors ends it", also(bound(1, proofUsed{}), token(2, 1)), stepUp{epoch: epochOf(1), id: loginNo(1).id, old: "key-1", new: "new", renew: &renew}, nil,
			func(a account) bool { return len(a.logins) == 1 && slices.Equal(a.ending, []string{"key-1", "key-2"}) }},
		{"a step-up leaves it as it is", also(bound(1, proofUsed{}), token(2, 1)), stepped(1, "key-1", "new", proofUsed{}), nil,
			func(a account) bool { return len(a.logins) == 2 && slices.Equal(a.ending, []string{"key-1"}) }},
		{"I-08: it gives no guesses back", also(pw(), pwWrong(), bound(1, proofUsed{}), pw(), pwWrong()), token(2, 1), nil,
			func(a account) bool { return a.strange.password.spent == 1 }},
		{"a fifty-first access token ends the oldest of them and no login", also(bound(100, proofUsed{}), fiftyTokens), token(51, 100), nil,
			func(a account) bool { return len(a.logins) == 51 && slices.Equal(a.ending, []string{"key-1"}) }},
		{"a login that makes room takes its access tokens along", also(fifty[1:], token(60, 1), bound(61, proofUsed{})), bound(62, proofUsed{}), nil,
			func(a account) bool {
				return len(a.logins) == 50 && slices.Equal(a.ending, []string{"key-1", "key-60"})
			}},
		{"logins that ended by themselves make room first", also(fifty, 24*time.Hour), bind{epoch: epochOf(1), login: liveLogin{id: recordID{9}, key: "late", end: testStart.Add(48 * time.Hour)}}, nil,
			func(a account) bool { return len(a.logins) == 1 && len(a.ending) == 0 }},

		{"an administrator's block ends every login", also(bound(1, proofUsed{})), block{renew}, nil, func(a account) bool { return a.blocked && len(a.logins) == 0 && len(a.ending) == 1 }},
		{"I-04: and no promotion passes it", also(code(), block{epochOf(1)}), bound(1, proofUsed{}), refusedStale, nil},
		{"nor a single request", also(code(), block{epochOf(1)}), accept{epoch: epochOf(1)}, refusedStale, nil},
		{"nor a step-up", also(bound(1, proofUsed{}), block{epochOf(1)}), stepped(1, "key-1", "new", proofUsed{}), refusedGone, nil},
		{"nor a code guess", also(block{epochOf(1)}), code(), refusedStale, nil},
		{"I-10: while a password guess is spent as ever", also(block{epochOf(1)}), pw(), nil, func(a account) bool { return a.strange.password.spent == 1 }},
		{"giving guesses back does not lift an administrator's block", also(block{epochOf(1)}, free{authenticators: true}), observe{}, nil, func(a account) bool { return a.blocked }},
		{"lifting it does", also(block{epochOf(1)}, free{everything: true}), bound(1, proofUsed{}), nil, nil},
		{"free gives guesses back to everybody", also(known(1), threeWrongPasswords(), in(deviceNo(1), threeWrongPasswords()...)), free{}, nil,
			func(a account) bool {
				return a.strange.password.spent == 0 && a.devices[0].budgets.password.spent == 0
			}},

		{"I-11: strangers' wrong passwords do not block a known device", also(known(1), threeWrongPasswords()), spend{kind: passwordGuess, device: deviceNo(1)}, nil, nil},
		{"I-11: strangers' wrong codes do not block a known device", also(known(1), threeWrongCodes()), spend{kind: codeGuess, device: deviceNo(1), epoch: epochOf(1), blocks: 1 << 32}, nil, nil},
		{"I-11: strangers' messages do not use up a known device's", also(known(1), pay{}, 30*time.Second, pay{}), pay{device: deviceNo(1)}, nil, nil},
		{"I-11: a known device's guesses are limited like everybody's", also(known(1), in(deviceNo(1), threeWrongPasswords()...)), spend{kind: passwordGuess, device: deviceNo(1)}, refusedBlocked, nil},
		{"I-11: and do not block strangers", also(known(1), in(deviceNo(1), threeWrongPasswords()...)), pw(), nil, nil},
		{"I-11: an unknown device is a stranger", threeWrongPasswords(), spend{kind: passwordGuess, device: deviceNo(7)}, refusedBlocked, nil},
		{"I-11: and spends as one", also(spend{kind: passwordGuess, device: deviceNo(7)}), observe{}, nil, func(a account) bool { return a.strange.password.spent == 1 }},
		{"I-11: a forgotten device is a stranger", also(known(1), threeWrongPasswords(), forget{deviceNo(1)}), spend{kind: passwordGuess, device: deviceNo(1)}, refusedBlocked, nil},
		{"I-11: forgetting one leaves the others", also(known(1), known(2)), forget{deviceNo(1)}, nil, func(a account) bool { return len(a.devices) == 1 && a.devices[0].id == deviceNo(2) }},
		{"I-11: forgetting all leaves none", also(known(1), known(2)), forget{}, nil, func(a account) bool { return len(a.devices) == 0 }},
		{"I-11: a ninth device takes the place of the one not seen for longest",
			also(known(1), time.Hour, known(2), time.Hour, known(3), known(4), known(5), known(6), known(7), known(8), time.Hour, known(1), time.Hour), known(9), nil,
			func(a account) bool {
				return len(a.devices) == 8 && a.known(deviceNo(2), testStart) < 0 && a.known(deviceNo(1), testStart) >= 0 && a.known(deviceNo(9), testStart) >= 0
			}},
		{"I-11: a login by a recovery code pushes no known device out", eight, byRecovery(9), nil,
			func(a account) bool { return len(a.devices) == 8 && a.known(deviceNo(9), testStart) < 0 }},
		{"I-11: it takes a place that is free", eight[:7], byRecovery(9), nil,
			func(a account) bool { return len(a.devices) == 8 && a.known(deviceNo(9), testStart) == 7 }},
		{"I-11: and one on which less was shown", also(boundBy(1, deviceNo(1)), eight[1:]), byRecovery(9), nil,
			func(a account) bool {
				return a.known(deviceNo(1), testStart) < 0 && a.known(deviceNo(9), testStart) == 7
			}},
		{"a step-up on a device where less was shown gives the guess back to whom it was taken from", also(boundBy(1, deviceNo(1)), spend{kind: codeGuess, device: deviceNo(1), epoch: epochOf(1)}),
			stepUp{epoch: epochOf(1), id: loginNo(1).id, old: "key-1", new: "new", kind: codeGuess, device: deviceNo(1)}, nil,
			func(a account) bool {
				return a.strange.code.spent == 0 && a.devices[0].full && a.devices[0].budgets.code.spent == 0
			}},
		{"I-11: a device is known to the last nanosecond of 180 days", also(known(1), threeWrongPasswords()[:4], 180*24*time.Hour-1), spend{kind: passwordGuess, device: deviceNo(1)}, nil,
			func(a account) bool { return a.devices[0].budgets.password.spent == 1 }},
		{"I-11: and then a stranger, whose guesses count as a stranger's", also(known(1), 180*24*time.Hour), spend{kind: passwordGuess, device: deviceNo(1)}, nil,
			func(a account) bool { return a.strange.password.spent == 1 }},
		{"I-11: it gets no guess beside the strangers'", also(known(1), 180*24*time.Hour, in(deviceNo(1), threeWrongPasswords()...)), spend{kind: passwordGuess, device: deviceNo(1)}, refusedBlocked, nil},
		{"I-11: being seen does not prolong the 180 days", also(known(1), 179*24*time.Hour, known(1), 24*time.Hour), spend{kind: passwordGuess, device: deviceNo(1)}, nil,
			func(a account) bool { return a.strange.password.spent == 1 }},
		{"I-11: a full login makes it known again", also(known(1), 181*24*time.Hour, known(1)), observe{}, nil,
			func(a account) bool { return len(a.devices) == 1 && a.devices[0].created.After(testStart) }},

		{"I-15: no second message inside the cooldown", also(pay{}, 30*time.Second-1), pay{}, refusedCooldown, nil},
		{"I-15: one after it", also(pay{}, 30*time.Second), pay{}, nil, nil},
		{"I-15: a fallback in the same act is not held up by it", also(pay{}), pay{again: true}, nil, nil},
		{"I-15: but is paid for", also(pay{}, pay{again: true}, pay{again: true}, pay{again: true}, pay{again: true}), pay{again: true}, refusedSends, nil},
		{"I-15: no sixth message in a quarter of an hour", also(pay{}, time.Minute, pay{}, time.Minute, pay{}, time.Minute, pay{}, time.Minute, pay{}, 11*time.Minute-1), pay{}, refusedSends, nil},
		{"I-15: success gives no messages back", also(pay{}, time.Minute, pay{}, time.Minute, pay{}, time.Minute, pay{}, time.Minute, pay{}, bound(1, proofUsed{}), time.Minute), pay{}, refusedSends, nil},
		{"I-15: what is counted elsewhere uses up nothing here", also(pay{apart: true}, time.Minute, pay{apart: true}, time.Minute, pay{apart: true}, time.Minute, pay{apart: true}, time.Minute, pay{apart: true}, time.Minute), pay{}, nil, nil},
		{"I-15: but begins a cooldown", also(pay{apart: true}), pay{}, refusedCooldown, nil},
		{"I-15: and is held up by one", also(pay{}), pay{apart: true}, refusedCooldown, nil},
		{"I-15: nor does an administrator", also(pay{}, free{authenticators: true, everything: true}), pay{}, refusedCooldown, nil},

		{"an input that nobody wrote is refused", nil, struct{}{}, refusal("unknown input"), nil},
		{"a kind of guess that does not exist has none to spend", nil, spend{kind: 9}, refusedBlocked, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			for i, in := range c.before {
				if d, ok := in.(time.Duration); ok {
					m.now = m.now.Add(d)
					continue
				}
				if err := m.step(m.inWindow(in)); err != nil {
					t.Fatalf("input %d (%T) on the way there was refused: %v", i, in, err)
				}
			}
			if err := m.step(c.in); err != c.want {
				t.Fatalf("step(%T) = %v, want %v", c.in, err, c.want)
			}
			if c.after != nil && !c.after(m.rec) {
				t.Errorf("the record is not as it should be: %+v", m.rec)
			}
		})
	}
}

// What a guess or a pending login of a device was counted by finds nobody else's budget when the device is forgotten.
func TestI08WhatADeviceLeavesBehindIsNotTakenForAnothers(t *testing.T) {
	remembered := bound(1, proofUsed{})
	remembered.remember, remembered.strong = deviceNo(1), true
	again := remembered
	again.login = loginNo(2)
	mine := spend{kind: passwordGuess, device: deviceNo(1)}
	for _, c := range []struct {
		name         string
		before, then []any // around the guess whose verdict comes late
		spent        func(account) budget
	}{
		{"forgotten", []any{remembered}, []any{forget{deviceNo(1)}, pw()}, func(a account) budget { return a.strange.password }},
		{"forgotten and known again", []any{remembered}, []any{forget{}, again, mine}, func(a account) budget { return a.devices[0].budgets.password }},
		{"known since", nil, []any{remembered, mine}, func(a account) budget { return a.devices[0].budgets.password }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			must := func(ins ...any) {
				for _, in := range ins {
					if err := m.step(in); err != nil {
						t.Fatalf("%T: %v", in, err)
					}
				}
			}
			must(append(c.before, mine)...)
			window := m.rec.budgetsOf(deviceNo(1), m.now).password.window
			must(c.then...)
			must(settle{kind: passwordGuess, device: deviceNo(1), window: window})
			if b := c.spent(m.rec); b.spent != 1 {
				t.Errorf("%d guesses spent of a budget that paid one", b.spent)
			}
		})
	}
	t.Run("I-09: a pending login does not go on as a stranger's", func(t *testing.T) {
		m := newMachine(t)
		if err := m.step(remembered); err != nil {
			t.Fatal(err)
		}
		in := spend{kind: codeGuess, device: deviceNo(1), epoch: epochOf(1), blocks: m.rec.budgetsOf(deviceNo(1), m.now).code.blocks}
		if err := m.step(forget{deviceNo(1)}); err != nil {
			t.Fatal(err)
		}
		if err := m.step(in); err != refusedStale {
			t.Errorf("%v", err)
		}
	})
}

// inWindow fills in the window of a settle on the way to a case.
func (m *machine) inWindow(in any) any {
	if s, ok := in.(settle); ok {
		b := m.rec.budgetsOf(s.device, m.now)
		s.window = b.code.window
		if s.kind == passwordGuess {
			s.window = b.password.window
		}
		return s
	}
	return in
}

func TestI15TwentyMessagesADay(t *testing.T) {
	m := newMachine(t)
	sent := 0
	for range 24 * 60 {
		if m.step(pay{}) == nil {
			sent++
		}
		m.now = m.now.Add(time.Minute - 1)
	}
	if sent != 20 {
		t.Errorf("I-15: %d messages in a day, want 20", sent)
	}
	m.now = m.now.Add(time.Minute)
	if err := m.step(pay{}); err != nil {
		t.Errorf("I-15: no message on the next day: %v", err)
	}
	m.rules.sendUnlimited = true
	for range 50 {
		if err := m.step(pay{}); err != nil {
			t.Fatalf("unlimited sends: %v", err)
		}
	}
}

func TestRefusalsNameThePackage(t *testing.T) {
	for _, r := range []refusal{refusedBlocked, refusedInFlight, refusedStale, refusedAdmin, refusedReplay, refusedGone, refusedDisabled, refusedCooldown, refusedSends} {
		if !strings.HasPrefix(r.Error(), "challenge: ") {
			t.Errorf("%q", r.Error())
		}
	}
}

// model is what a person would keep on paper beside the machine: who guessed when, which logins were made under which epoch.
type model struct {
	guesses map[guess]map[deviceID][]paid // by class of clients; the zero device is everybody
	madeIn  map[recordID]epoch
	keys    map[string]time.Time // ever alive, and the login's end
	deleted map[string]bool
	steps   map[string]int64
}

type paid struct {
	at     time.Time
	serial int
}

// class is the class of clients by the record's own list, counted independently of the machine.
func (m *machine) class(id deviceID, kind guess) deviceID {
	for _, d := range m.rec.devices {
		if d.id == id && id != (deviceID{}) && m.now.Before(d.created.Add(180*24*time.Hour)) && (d.full || kind == passwordGuess) {
			return id
		}
	}
	return deviceID{}
}

// walk feeds the machine inputs drawn from a source and checks them against the model.
func walk(t testing.TB, draw func(n int) int, steps int) {
	m := newMachine(t)
	mo := model{map[guess]map[deviceID][]paid{passwordGuess: {}, codeGuess: {}}, map[recordID]epoch{}, map[string]time.Time{}, map[string]bool{}, map[string]int64{}}
	var open []struct { // guesses in flight
		settle
		class  deviceID
		serial int
	}
	devices := []deviceID{{}, {}, deviceNo(1), deviceNo(2), deviceNo(3)}
	auths := [][]string{nil, {"a"}, {"b"}, {"a", "b"}}
	epochs := []epoch{m.rec.epoch}
	anEpoch := func() epoch {
		if draw(4) == 0 {
			return epochs[draw(len(epochs))]
		}
		return m.rec.epoch
	}
	renewed := func() epoch {
		e := epoch{1: byte(len(epochs)), 2: byte(len(epochs) >> 8)}
		epochs = append(epochs, e)
		return e
	}
	serial := 0
	for range steps {
		waits := []time.Duration{0, 0, 0, time.Second, 6 * time.Second, time.Minute, 5 * time.Minute, time.Hour, 25 * time.Hour, 181 * 24 * time.Hour}
		m.now = m.now.Add(waits[draw(len(waits))])
		before, dev, kind := cloned(m.rec), devices[draw(len(devices))], guess(1+draw(2))
		class, own := m.class(dev, kind), map[guess]deviceID{}
		for _, k := range []guess{passwordGuess, codeGuess} {
			own[k] = m.class(dev, k)
		}
		// fresh forgets, of a device whose guesses have just become its own, what the paper says of another of its name.
		fresh := func(id deviceID, was map[guess]deviceID) {
			for k, class := range was {
				if now := m.class(id, k); now != class {
					mo.guesses[k][now] = nil
				}
			}
		}
		var err error
		cleared := func(kinds ...guess) {
			for _, k := range kinds {
				mo.guesses[k][own[k]] = nil
			}
		}
		// by is cleared, but for what is weak: of codes that gives one back, of those in flight.
		by := func(weak bool, kinds ...guess) {
			for _, k := range kinds {
				b := before.budgetsOf(dev, m.now).code
				if list := mo.guesses[k][own[k]]; k == codeGuess && weak {
					if b.spent > b.wrong && len(list) > 0 {
						mo.guesses[k][own[k]] = list[:len(list)-1]
					}
					continue
				}
				cleared(k)
			}
		}
		proof := proofUsed{auth: []string{"", "a", "b"}[draw(3)], step: int64(draw(6))}
		checkStep := func() {
			if proof.auth != "" && proof.step != 0 {
				if proof.step <= mo.steps[proof.auth] {
					t.Fatalf("I-12: step %d of %s was taken after %d", proof.step, proof.auth, mo.steps[proof.auth])
				}
				mo.steps[proof.auth] = proof.step
			}
		}
		switch draw(17) {
		case 0, 1, 2, 3: // spend
			in := spend{kind: kind, device: dev, epoch: anEpoch(), undated: draw(4) == 0, auth: auths[draw(4)]}
			b := m.rec.budgetsOf(dev, m.now)
			in.blocks = b.code.blocks
			if draw(5) == 0 {
				in.blocks = uint64(draw(4))
			}
			if err = m.step(in); err != nil {
				break
			}
			if kind == codeGuess && (before.blocked || in.epoch != before.epoch) {
				t.Fatal("I-16: a code guess under another epoch, or while blocked")
			}
			for _, id := range in.auth {
				if kind == codeGuess && before.authOf(id).failures >= 100 {
					t.Fatal("I-09: a disabled authenticator was asked")
				}
			}
			serial++
			mo.guesses[kind][class] = append(mo.guesses[kind][class], paid{m.now, serial})
			n := 0
			for _, p := range mo.guesses[kind][class] {
				if m.now.Sub(p.at) < m.rules.blockFor {
					n++
				}
			}
			if n > 3 {
				t.Fatalf("I-07: %d guesses in %v that nobody gave back", n, m.rules.blockFor)
			}
			after := m.rec.budgetsOf(dev, m.now)
			w := after.password.window
			if kind == codeGuess {
				w = after.code.window
			}
			open = append(open, struct {
				settle
				class  deviceID
				serial int
			}{settle{kind: kind, device: dev, window: w, auth: in.auth}, class, serial})
		case 4, 5, 6: // settle one in flight
			if len(open) == 0 {
				continue
			}
			i := draw(len(open))
			in := open[i]
			open = slices.Delete(open, i, i+1)
			moved := m.class(in.device, in.kind) != in.class // the device became known, or a stranger
			if in.settle.wrong = draw(3) > 0; in.settle.wrong {
				in.settle.auth = nil
			} else if !moved { // else its guess stays where it was spent, and the paper allows no more than before
				mo.guesses[in.kind][in.class] = slices.DeleteFunc(mo.guesses[in.kind][in.class], func(p paid) bool { return p.serial == in.serial })
			}
			err = m.step(in.settle)
		case 7, 8: // bind
			serial++
			l := loginNo(serial)
			l.end = m.now.Add(24 * time.Hour)
			in := bind{epoch: anEpoch(), login: l, device: dev, proof: proof, shown: draw(2) == 0, strong: draw(2) == 0, weak: draw(3) == 0}
			if draw(2) == 0 {
				in.remember = devices[draw(len(devices))]
			}
			if draw(8) == 0 {
				e := renewed()
				in.renew = &e
			}
			was := map[guess]deviceID{passwordGuess: m.class(in.remember, passwordGuess), codeGuess: m.class(in.remember, codeGuess)}
			if err = m.step(in); err != nil {
				break
			}
			if before.blocked || in.epoch != before.epoch {
				t.Fatal("I-04: a login was bound under another epoch, or while blocked")
			}
			checkStep()
			if cleared(passwordGuess); in.shown {
				by(in.weak, codeGuess)
			}
			fresh(in.remember, was)
			mo.madeIn[l.id], mo.keys[l.key] = m.rec.epoch, l.end
		case 9: // accept, or a machine's right password
			if draw(3) == 0 {
				in := seen{anEpoch(), dev}
				if err = m.step(in); err != nil {
					break
				}
				if before.blocked || in.epoch != before.epoch {
					t.Fatal("I-04: seen under another epoch, or while blocked")
				}
				if len(m.rec.devices) > maxDevices {
					t.Fatal("I-23: too many known devices")
				}
				fresh(dev, own)
				break
			}
			in := accept{epoch: anEpoch(), device: dev, proof: proof, weak: draw(3) == 0}
			if err = m.step(in); err == nil {
				if before.blocked || in.epoch != before.epoch {
					t.Fatal("I-04: accepted under another epoch, or while blocked")
				}
				checkStep()
				by(in.weak, passwordGuess, codeGuess)
			}
		case 10: // step-up
			if len(m.rec.logins) == 0 {
				continue
			}
			l := m.rec.logins[draw(len(m.rec.logins))]
			serial++
			in := stepUp{epoch: anEpoch(), id: l.id, old: l.key, new: fmt.Sprintf("step-%d", serial), device: dev, kind: kind, proof: proof, weak: kind == codeGuess && draw(3) == 0}
			if err = m.step(in); err == nil {
				checkStep()
				by(in.weak, kind)
				fresh(dev, own)
				mo.keys[in.new] = l.end
			}
		case 11:
			if len(m.rec.logins) > 0 {
				err = m.step(logout{m.rec.logins[draw(len(m.rec.logins))].id})
			}
		case 12:
			if draw(3) == 0 {
				err = m.step(block{renewed()})
			} else {
				err = m.step(revoke{renewed()})
			}
			if len(m.rec.logins) != 0 || m.rec.epoch == before.epoch {
				t.Fatal("I-16: logins after revoke")
			}
		case 13:
			keys := slices.Clone(m.rec.ending)
			for _, k := range keys {
				mo.deleted[k] = true
			}
			err = m.step(ended{keys})
		case 14:
			if err = m.step(free{authenticators: draw(2) == 0, everything: draw(2) == 0}); err == nil {
				clear(mo.guesses[passwordGuess])
				clear(mo.guesses[codeGuess])
			}
		case 16: // an access token
			parent, end := recordID{}, m.now.Add(24*time.Hour)
			if len(m.rec.logins) > 0 {
				l := m.rec.logins[draw(len(m.rec.logins))]
				parent, end = l.id, l.end
			}
			serial++
			l := loginNo(serial)
			if draw(4) == 0 {
				parent = loginNo(serial - 1 - draw(3)).id // may have ended, or never been
				if i := m.rec.find(parent); i >= 0 {
					end = m.rec.logins[i].end
				}
			}
			l.parent, l.end = parent, earlier(end, m.now.Add(15*time.Minute))
			if err = m.step(bind{epoch: anEpoch(), login: l, device: dev, access: true}); err != nil {
				break
			}
			if before.blocked || l.child() && before.find(l.parent) < 0 {
				t.Fatal("I-16: an access token of a login that has ended")
			}
			mo.madeIn[l.id], mo.keys[l.key] = m.rec.epoch, l.end
		case 15:
			if draw(3) == 0 {
				err = m.step(forget{dev})
			} else {
				err = m.step(pay{device: dev, again: draw(4) == 0})
			}
		}
		if err != nil && !errors.As(err, new(refusal)) {
			t.Fatalf("an error that is no refusal: %v", err)
		}
		alive := map[string]bool{}
		for _, l := range m.rec.logins {
			alive[l.key] = true
			if mo.madeIn[l.id] != m.rec.epoch {
				t.Fatal("I-16: a login of an earlier epoch is in the list")
			}
			if l.child() && m.rec.find(l.parent) < 0 && m.now.Before(l.end) {
				t.Fatal("I-16: an access token outlives the login it was made from")
			}
		}
		for k, end := range mo.keys {
			if !alive[k] && !mo.deleted[k] && !slices.Contains(m.rec.ending, k) && m.now.Before(end) {
				t.Fatalf("I-16: %s is neither alive nor waiting to be deleted", k)
			}
		}
	}
}

func TestStateMachineKeepsItsPromisesOverRandomHistories(t *testing.T) {
	histories := 1000
	if testing.Short() {
		histories = 150
	}
	for seed := range histories {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		walk(t, r.IntN, 120)
	}
}

func FuzzStateMachine(f *testing.F) {
	seeds := [][]byte{
		{0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 7, 7, 7},
		[]byte(strings.Repeat("\x00\x02\x00\x00\x01\x01", 40)),
		[]byte("a stranger, a device, and a hundred and eighty days"),
		[]byte(strings.Repeat("\x07\x08\x09\x02\x01\x03", 30)),
	}
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		at := 0
		walk(t, func(n int) int {
			if at >= len(b) {
				return 0
			}
			at++
			return int(b[at-1]) % n
		}, min(len(b), 400))
	})
}

func TestStateMachineIsAFunction(t *testing.T) {
	// The same record, input and time give the same answer: no clock, no randomness, no map order.
	m := newMachine(t)
	for _, in := range also(pw(), pwWrong(), code("a", "b"), bound(1, proofUsed{auth: "a", step: 3, charged: []string{"a", "b"}})) {
		a, errA := m.rules.step(cloned(m.rec), in, m.now)
		b, errB := m.rules.step(cloned(m.rec), in, m.now)
		if errA != errB || !reflect.DeepEqual(a, b) {
			t.Fatalf("step(%T) gave two answers", in)
		}
		if err := m.step(in); err != nil {
			t.Fatal(err)
		}
	}
}
