package challenge_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/stores"
)

// This file hammers the protocol in login.go: promotions and step-ups against every way in which logins end, over a store
// that loses answers, fails, and takes requests down between any two of its operations.
//
// The property (I-16): when LogoutEverywhere has returned nil, no token that came from work begun before it opens a login,
// and none ever will. Beside it: one login from one pending login (I-04), one from one recovery code (I-07), a login is in
// its account's list or it is not one (I-01), and a right code whose request met no fault does make a login, so that the
// hammer cannot be satisfied by a machine that never lets anybody in.

// fate is what becomes of one request at the n-th store operation that it makes. It travels in the request's context.
type fate struct {
	at    int // 1 is the first; 0 never
	kind  fateKind
	turns turns
	ops   int
	first func() // called after the first operation
}

type fateKind int

const (
	nothing    fateKind = iota
	fails               // the operation did not happen
	down                // nor did any after it
	lostAnswer          // it happened, and an error came back
	crash               // it did not happen, and the request is gone
	crashAfter          // it happened, and the request is gone
	kinds
)

type fateKey struct{}

func withFate(f *fate) context.Context { return context.WithValue(context.Background(), fateKey{}, f) }

var errInjected = errors.New("connection reset")

// faulty is a store that lets each request meet its fate. The requests are goroutines of their own: a crash ends one.
type faulty struct{ challenge.Store }

func (f faulty) meet(ctx context.Context, do func() error) error {
	v, _ := ctx.Value(fateKey{}).(*fate)
	if v == nil {
		return do()
	}
	if v.turns != nil {
		v.turns.wait()
	}
	v.ops++
	if v.ops == 1 && v.first != nil {
		defer v.first()
	}
	if v.at == 0 || v.ops != v.at && !(v.kind == down && v.ops > v.at) {
		return do()
	}
	switch v.kind {
	case fails, down:
		return errInjected
	case lostAnswer:
		_ = do()
		return errInjected
	case crashAfter:
		_ = do()
		runtime.Goexit()
	case crash:
		runtime.Goexit()
	}
	return do()
}

func (f faulty) Load(ctx context.Context, key string) (raw []byte, err error) {
	e := f.meet(ctx, func() error { raw, err = f.Store.Load(ctx, key); return err })
	if e != nil {
		raw = nil
	}
	return raw, e
}

func (f faulty) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (ok bool, err error) {
	e := f.meet(ctx, func() error { ok, err = f.Store.CompareAndSwap(ctx, key, old, new, expires); return err })
	return ok && e == nil, e
}

func (f faulty) Volatile() bool { return true }

// turns says when a request may do its next store operation.
type turns interface{ wait() }

// director runs requests so that one store operation happens at a time, in an order drawn from a seed: every interleaving
// can come up, and a seed gives the same one again.
type director struct {
	rand   *rand.Rand
	parked chan *task
	done   chan *task
	count  int
}

type task struct {
	d    *director
	next chan struct{}
}

func (t *task) wait() {
	t.d.parked <- t
	<-t.next
}

func newDirector(r *rand.Rand) *director {
	return &director{rand: r, parked: make(chan *task), done: make(chan *task)}
}

func (d *director) start(f *fate, do func(ctx context.Context)) {
	t := &task{d: d, next: make(chan struct{})}
	f.turns = t
	d.count++
	go func() {
		defer func() { d.done <- t }()
		t.wait()
		do(withFate(f))
	}()
}

// run returns when every request has ended.
func (d *director) run() {
	running := d.count
	var parked []*task
	for {
		for running > 0 {
			select {
			case t := <-d.parked:
				parked = append(parked, t)
			case <-d.done:
			}
			running--
		}
		if len(parked) == 0 {
			return
		}
		i := d.rand.IntN(len(parked))
		t := parked[i]
		parked = slices.Delete(parked, i, i+1)
		running = 1
		t.next <- struct{}{}
	}
}

// crowd runs requests as they come, on every core.
type crowd struct{ wg sync.WaitGroup }

type jostle struct{}

func (jostle) wait() {
	if rand.IntN(3) == 0 {
		runtime.Gosched()
	}
}

func (c *crowd) start(f *fate, do func(ctx context.Context)) {
	f.turns = jostle{}
	c.wg.Go(func() { do(withFate(f)) })
}

func (c *crowd) run() { c.wg.Wait() }

type stage interface {
	start(f *fate, do func(ctx context.Context))
	run()
}

// anybody is a user table in which every id is an account.
type anybody struct{}

func (anybody) Find(_ context.Context, name string) (challenge.Account, error) {
	return challenge.Account{ID: name}, nil
}

func (anybody) ByID(_ context.Context, id string) (challenge.Account, error) {
	return challenge.Account{ID: id, Name: id}, nil
}

const rightCode = "right-code"

// checkFactor is a second factor that everybody has and whose right code can be used any number of times: what makes a code
// good for one login must then be the protocol.
func checkFactor() *challenge.CustomCheck {
	return &challenge.CustomCheck{Method: "check", For: func(challenge.CustomAttempt) bool { return true },
		Validate: func(_ context.Context, _ challenge.CustomAttempt, answer string) (challenge.CustomVerdict, error) {
			return challenge.CustomVerdict{OK: answer == rightCode}, nil
		}}
}

// arena is a machine for the hammer, and the same store without faults to look at what is left.
type arena struct {
	logins, quiet *challenge.Logins
	rounds        int
}

func newArena(t testing.TB) *arena {
	t.Helper()
	memory := &stores.Memory{MaxRecords: 1 << 30, MaxBytes: 1 << 40}
	make := func(s challenge.Store) *challenge.Logins {
		l, err := challenge.New(challenge.Config{Site: "https://app.example", Users: anybody{}, Policy: challenge.Everyone, Store: s,
			Keys: []challenge.Key{challengetest.Key(1)}, Factors: []challenge.Factor{checkFactor(), &challenge.Recovery{Count: 1}},
			Audit: audit.RecorderFunc(func(context.Context, audit.Event) error { return nil }), CodeGuesses: 100, HashSlots: 100})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	return &arena{logins: make(faulty{memory}), quiet: make(memory)}
}

// issued is a token that a client received, and the moment when the work that led to it began.
type issued struct {
	token string
	root  int64
	id    string // of the login
}

// round is one account with some logins and pending logins, and a crowd around it.
type round struct {
	a     *arena
	ctx   context.Context
	clock atomic.Int64

	mu       sync.Mutex
	account  string
	received []issued
	revoked  []int64 // when each LogoutEverywhere that returned nil began
	dead     map[string]string
	ended    map[string]bool // login ids whose logout returned nil
	fromPend map[string]int  // pending token → logins
	fromCode int             // logins and step-ups by the one recovery code
	faults   bool
	wrong    string // the first violation
}

func (r *round) fail(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wrong == "" {
		r.wrong = fmt.Sprintf(format, args...)
	}
}

func (r *round) note(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// login opens a token past all faults.
func (r *round) login(token string) (*challenge.Login, bool) {
	s, err := r.a.quiet.Open(r.ctx, challenge.Cookie, token)
	if err != nil {
		r.fail("a record cannot be read: %v", err)
		return nil, false
	}
	return s.Login()
}

// enter begins a login. Its work begins with the epoch that it reads, in its first store operation.
func (r *round) enter(ctx context.Context) (string, int64, error) {
	root := r.clock.Add(1)
	if f, ok := ctx.Value(fateKey{}).(*fate); ok {
		f.first = func() { root = r.clock.Add(1) }
	}
	out, err := r.a.logins.Enter(ctx, challenge.Client{}, &challenge.Session{}, challenge.Cookie, r.account, challenge.FirstFactor{Method: "oidc"})
	if err != nil {
		return "", 0, err
	}
	return out.Token, root, nil
}

func (r *round) verify(ctx context.Context, f *fate, pending string, root int64, code string) {
	s, err := r.a.logins.Open(ctx, challenge.Cookie, pending)
	if err != nil {
		return
	}
	out, err := r.a.logins.Verify(ctx, challenge.Client{}, s, challenge.CodeInput{Code: code})
	if err != nil {
		if f.kind == nothing && !errors.Is(err, challenge.ErrNoPending) && code == rightCode {
			r.fail("a right code without a fault: %v", err)
		}
		return
	}
	r.got(out, root)
	r.note(func() {
		if r.fromPend[pending]++; code != rightCode {
			r.fromCode++
		}
	})
	if s, err := r.a.quiet.Open(r.ctx, challenge.Cookie, pending); err != nil || s.Exists() {
		r.fail("I-03: the pending token is alive after promotion")
	}
}

func (r *round) got(out challenge.Outcome, root int64) {
	if out.Session == nil || out.Token == "" {
		r.fail("I-01: success without a login")
		return
	}
	login, ok := out.Session.Login()
	if !ok {
		r.fail("I-01: success without a login")
		return
	}
	r.note(func() { r.received = append(r.received, issued{out.Token, root, login.ID}) })
}

func (r *round) stepUp(ctx context.Context, f *fate, old issued, code string) {
	s, err := r.a.logins.Open(ctx, challenge.Cookie, old.token)
	if err != nil {
		return
	}
	out, err := r.a.logins.StepUp(ctx, challenge.Client{}, s, challenge.CodeInput{Code: code})
	if err != nil {
		if f.kind == nothing && !errors.Is(err, challenge.ErrEnded) && code == rightCode {
			r.fail("a right code in a step-up without a fault: %v", err)
		}
		return
	}
	r.got(out, old.root)
	if _, ok := r.login(old.token); ok {
		r.fail("I-03: the old token is alive after a step-up")
	}
	r.note(func() {
		r.dead[old.token] = "I-03: the old token came back after a step-up"
		if code != rightCode {
			r.fromCode++
		}
	})
}

func (r *round) logout(ctx context.Context, old issued) {
	s, err := r.a.logins.Open(ctx, challenge.Cookie, old.token)
	if err != nil {
		return
	}
	if _, ok := s.Login(); ok && r.a.logins.Logout(ctx, challenge.Client{}, s) == nil {
		r.note(func() { r.ended[old.id] = true })
		if _, ok := r.login(old.token); ok {
			r.fail("I-16: a token is alive after its logout")
		}
	}
}

func (r *round) touch(ctx context.Context, old issued) {
	s, err := r.a.logins.Open(ctx, challenge.Cookie, old.token)
	if err != nil {
		return
	}
	_ = r.a.logins.SaveData(ctx, s, []byte("app data"))
	_ = r.a.logins.Touch(ctx, challenge.Client{}, s)
}

// revoke logs out everywhere, again after an error, as its caller would.
func (r *round) revoke(ctx context.Context) {
	began := r.clock.Add(1)
	var known []issued
	r.note(func() { known = slices.Clone(r.received) })
	for range 100 {
		if r.a.logins.LogoutEverywhere(ctx, challenge.Client{}, r.account) == nil {
			r.note(func() { r.revoked = append(r.revoked, began) })
			for _, v := range known {
				if _, ok := r.login(v.token); ok && v.root < began {
					r.fail("I-16: a token is alive when LogoutEverywhere returns")
				}
			}
			return
		}
	}
}

// play is one round, from a seed.
func (a *arena) play(seed uint64, directed bool) (violation string) {
	rng := rand.New(rand.NewPCG(seed, 11))
	a.rounds++
	r := &round{a: a, ctx: context.Background(), account: fmt.Sprintf("account-%d", a.rounds), dead: map[string]string{}, ended: map[string]bool{}, fromPend: map[string]int{}}
	var set stage = new(crowd)
	if directed {
		set = newDirector(rng)
	}
	defer func() {
		if v := recover(); v != nil {
			violation = fmt.Sprintf("panic: %v", v)
		}
	}()

	codes, err := a.quiet.MakeRecoveryCodes(r.ctx, challenge.Client{}, r.account)
	if err != nil {
		return err.Error()
	}
	type begun struct {
		token string
		root  int64
	}
	var pending []begun
	for range 1 + rng.IntN(3) {
		token, root, err := r.enter(r.ctx)
		if err != nil {
			return "entering: " + err.Error()
		}
		pending = append(pending, begun{token, root})
	}
	for range rng.IntN(3) {
		token, root, err := r.enter(r.ctx)
		if err != nil {
			return "entering: " + err.Error()
		}
		r.verify(r.ctx, &fate{}, token, root, rightCode)
	}
	before := slices.Clone(r.received)

	request := func(do func(ctx context.Context, f *fate)) {
		f := new(fate)
		if rng.IntN(5) < 2 {
			f.at, f.kind = 1+rng.IntN(20), fateKind(1+rng.IntN(int(kinds)-1))
			r.faults = true
		}
		set.start(f, func(ctx context.Context) {
			defer func() {
				if v := recover(); v != nil {
					r.fail("panic: %v", v)
				}
			}()
			do(ctx, f)
		})
	}
	code := func() string {
		if rng.IntN(3) == 0 {
			return codes[0]
		}
		return rightCode
	}
	for range 2 + rng.IntN(4) {
		switch n := rng.IntN(10); {
		case n < 4:
			p, c := pending[rng.IntN(len(pending))], code()
			request(func(ctx context.Context, f *fate) { r.verify(ctx, f, p.token, p.root, c) })
		case n < 5:
			request(func(ctx context.Context, f *fate) {
				if token, root, err := r.enter(ctx); err == nil {
					r.verify(ctx, f, token, root, rightCode)
				}
			})
		case len(before) == 0:
		case n < 8:
			old, c := before[rng.IntN(len(before))], code()
			request(func(ctx context.Context, f *fate) { r.stepUp(ctx, f, old, c) })
		case n < 9:
			old := before[rng.IntN(len(before))]
			request(func(ctx context.Context, _ *fate) { r.logout(ctx, old) })
		default:
			old := before[rng.IntN(len(before))]
			request(func(ctx context.Context, _ *fate) { r.touch(ctx, old) })
		}
	}
	if rng.IntN(4) > 0 {
		request(func(ctx context.Context, _ *fate) { r.revoke(ctx) })
	}
	set.run()
	r.check()
	return r.wrong
}

// check looks at what is left when every request has ended.
func (r *round) check() {
	rec, err := r.a.quiet.AccountRecord(r.account)
	if err != nil {
		r.fail("%v", err)
		return
	}
	for _, v := range r.received {
		login, alive := r.login(v.token)
		if alive {
			for _, began := range r.revoked {
				if v.root < began {
					r.fail("I-16: a token from before LogoutEverywhere is alive after it")
				}
			}
			if r.ended[v.id] {
				r.fail("I-16: a login is alive after its logout")
			}
			if why := r.dead[v.token]; why != "" {
				r.fail("%s", why)
			}
			if key := challenge.SessionKey(challenge.Cookie, v.token); rec.Logins[login.ID] != key && !slices.Contains(rec.Ending, key) {
				r.fail("I-01: a login is alive that its account does not know")
			}
		}
		if !alive && !r.faults && len(r.revoked) == 0 && !r.ended[v.id] && r.dead[v.token] == "" {
			r.fail("a login is dead that nobody ended")
		}
	}
	for _, n := range r.fromPend {
		if n > 1 {
			r.fail("I-04: %d logins from one pending login", n)
		}
	}
	if r.fromCode > 1 {
		r.fail("I-07: one recovery code was good for %d", r.fromCode)
	}
	if err := r.a.quiet.LogoutEverywhere(r.ctx, challenge.Client{}, r.account); err != nil {
		r.fail("I-16: LogoutEverywhere over a store without faults: %v", err)
	}
	for _, v := range r.received {
		if _, alive := r.login(v.token); alive {
			r.fail("I-16: a token outlived LogoutEverywhere")
		}
	}
	if rec, err = r.a.quiet.AccountRecord(r.account); err != nil || len(rec.Logins) != 0 || len(rec.Ending) != 0 {
		r.fail("I-16: after LogoutEverywhere %d logins are listed and %d keys wait to be deleted", len(rec.Logins), len(rec.Ending))
	}
}

func TestI16TheProtocolUnderTheHammerOneStoreOperationAtATime(t *testing.T) {
	a, rounds := newArena(t), 12_000
	if testing.Short() {
		rounds = 1500
	}
	for seed := range uint64(rounds) {
		if wrong := a.play(seed, true); wrong != "" {
			t.Fatalf("round %d: %s", seed, wrong)
		}
	}
}

func TestI16TheProtocolUnderTheHammerOnEveryCore(t *testing.T) {
	a, rounds := newArena(t), 4_000
	if testing.Short() {
		rounds = 500
	}
	for seed := range uint64(rounds) {
		if wrong := a.play(seed, false); wrong != "" {
			t.Fatalf("round %d: %s", seed, wrong)
		}
	}
}

func TestTheHammerNoticesEveryChangeOfTheProtocol(t *testing.T) {
	// Harmless, and why: a change here breaks nothing that a client or an attacker could gain from.
	harmless := map[string]string{
		// Each pending login is consumed by one request in either order, and the recovery code is used up by one compare-and-swap
		// before the bind. What differs is who pays when two race for one code: the loser's pending login is gone too.
		"promotion: use up ⇄ consume": "",
		// The record is made under a key whose token nobody has, and is no login before the bind; the loser of the race for the
		// pending login deletes its own. It costs a write and a delete for each loser.
		"promotion: consume ⇄ create": "",
		// The same: a record that nobody can open, deleted when the code turns out to be used.
		"step-up: use up ⇄ create": "",
		// Nothing is enrolled in this arena; see TestI02ARevokedEnrolmentLeavesNothingBehind and the one after it.
		"promotion: bind ⇄ confirm":  "",
		"promotion: without confirm": "",
	}
	all := newArena(t).logins.Steps()
	type change struct {
		name  string
		steps challenge.StepNames
	}
	var changes []change
	for _, part := range []struct {
		name string
		of   func(*challenge.StepNames) *[]string
	}{
		{"promotion", func(n *challenge.StepNames) *[]string { return &n.Promotion }},
		{"step-up", func(n *challenge.StepNames) *[]string { return &n.StepUp }},
		{"ending", func(n *challenge.StepNames) *[]string { return &n.Ending }},
	} {
		names := *part.of(&all)
		for i, name := range names {
			without := all
			*part.of(&without) = slices.Delete(slices.Clone(names), i, i+1)
			changes = append(changes, change{part.name + ": without " + name, without})
			if i+1 < len(names) {
				swapped := all
				s := slices.Clone(names)
				s[i], s[i+1] = s[i+1], s[i]
				*part.of(&swapped) = s
				changes = append(changes, change{fmt.Sprintf("%s: %s ⇄ %s", part.name, name, names[i+1]), swapped})
			}
		}
	}
	if len(changes) < 15 {
		t.Fatalf("only %d changes: did the steps move?", len(changes))
	}
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			a, rounds := newArena(t), 6000
			a.logins.SetSteps(c.steps)
			a.quiet.SetSteps(c.steps)
			if _, ok := harmless[c.name]; ok {
				rounds = 300
			}
			found, at := "", uint64(0)
			for ; at < uint64(rounds) && found == ""; at++ {
				found = a.play(at, true)
			}
			_, ok := harmless[c.name]
			switch {
			case ok && found != "":
				t.Errorf("said to be harmless, but in round %d: %s", at, found)
			case !ok && found == "":
				t.Errorf("nobody noticed in %d rounds", rounds)
			default:
				t.Logf("round %d: %s", at, found)
			}
			delete(harmless, c.name)
		})
	}
	for name := range harmless {
		t.Errorf("%q is no change any more", name)
	}
}

// between runs do before the n-th store operation of one request. It is the finest knife there is for two actors: every
// place where the one can be is tried.
type between struct {
	challenge.Store
	n, at int
	do    func()
	busy  bool
}

func (b *between) op() {
	if b.busy {
		return
	}
	if b.n++; b.n == b.at && b.do != nil {
		b.busy = true
		b.do()
		b.busy = false
	}
}

func (b *between) Load(ctx context.Context, key string) ([]byte, error) {
	b.op()
	return b.Store.Load(ctx, key)
}

func (b *between) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error) {
	b.op()
	return b.Store.CompareAndSwap(ctx, key, old, new, expires)
}

func (b *between) Volatile() bool { return true }

func TestI16LogoutEverywhereAtEveryPlaceOfAPromotionAndOfAStepUp(t *testing.T) {
	for _, what := range []string{"promotion", "step-up"} {
		for _, how := range []string{"log out everywhere", "block", "log out everywhere twice", "account disabled and changed"} {
			places := 0
			for at := 1; ; at++ {
				b := new(between)
				h := build(t, func(c *challenge.Config) {
					b.Store, c.Store = c.Store, b
					c.Factors = append(c.Factors, checkFactor())
				})
				h.SetVerdict("3", challenge.Verdict{Factors: []string{"check"}})
				ctx := context.Background()
				out, err := h.password("carol", password)
				if err != nil {
					t.Fatal(err)
				}
				act := func() (challenge.Outcome, error) {
					return h.logins.Verify(ctx, challenge.Client{}, h.open(out.Token), challenge.CodeInput{Code: rightCode})
				}
				if what == "step-up" {
					if out, err = act(); err != nil {
						t.Fatal(err)
					}
					act = func() (challenge.Outcome, error) {
						return h.logins.StepUp(ctx, challenge.Client{}, h.open(out.Token), challenge.CodeInput{Code: rightCode})
					}
				}
				tokens := []string{out.Token}
				dead := func(when string) {
					t.Helper()
					for _, token := range tokens {
						if _, ok := h.open(token).Login(); ok {
							t.Fatalf("%s, %s before operation %d: a login is alive %s", what, how, at, when)
						}
					}
				}
				b.n, b.at, b.do = 0, at, func() {
					var err error
					switch how {
					case "block":
						err = h.logins.Block(ctx, "3", "admin")
					case "account disabled and changed":
						h.Users.Change("3", func(a *challenge.Account) { a.Disabled = true })
						err = h.logins.AccountChanged(ctx, challenge.Client{}, "3", "disabled", "admin")
					case "log out everywhere twice":
						if err = h.logins.LogoutEverywhere(ctx, challenge.Client{}, "3"); err == nil {
							err = h.logins.LogoutEverywhere(ctx, challenge.Client{}, "3")
						}
					default:
						err = h.logins.LogoutEverywhere(ctx, challenge.Client{}, "3")
					}
					if err != nil {
						t.Fatalf("%s: %v", how, err)
					}
					dead("when it returns")
				}
				made, err := act()
				reached := b.n >= at
				b.do = nil
				if err == nil {
					tokens = append(tokens, made.Token)
				}
				if !reached {
					if err != nil {
						t.Fatalf("%s without anybody in between: %v", what, err)
					}
					break
				}
				places++
				// When the bind was first, the login has been ended by what came after it, and the client's token opens nothing.
				dead("in the end")
				if n, _ := h.store.Usage(); n != 2 { // carol's account and alice's enrolment
					t.Fatalf("%s, %s before operation %d: %d records are left of sessions", what, how, at, n-2)
				}
			}
			if places < 8 {
				t.Errorf("%s, %s: only %d places were tried", what, how, places)
			}
		}
	}
}

func TestI16TwoInterruptionsInOnePromotion(t *testing.T) {
	// A store that fails for good at every place, after which the same pending login is tried again: it is used once or not
	// at all, and an error never left a login behind that a client could open.
	for kind := fails; kind < kinds; kind++ {
		for at := 1; at < 40; at++ {
			a := newArena(t)
			r := &round{a: a, ctx: context.Background(), account: "one", dead: map[string]string{}, ended: map[string]bool{}, fromPend: map[string]int{}}
			token, root, err := r.enter(r.ctx)
			if err != nil {
				t.Fatal(err)
			}
			f := &fate{at: at, kind: kind}
			done := make(chan struct{})
			go func() {
				defer close(done)
				r.verify(withFate(f), f, token, root, rightCode)
			}()
			<-done
			r.verify(r.ctx, &fate{kind: fails}, token, root, rightCode)
			r.faults = true
			r.check()
			if r.wrong != "" {
				t.Fatalf("fault %d at operation %d: %s", kind, at, r.wrong)
			}
		}
	}
}

func TestI04FiftyParallelRightCodesGiveOneLogin(t *testing.T) {
	for _, guesses := range []int{3, 100} {
		t.Run(fmt.Sprint(guesses, " guesses"), func(t *testing.T) {
			h := build(t, func(c *challenge.Config) { c.CodeGuesses = guesses })
			ctx := context.Background()
			for range 20 {
				out, err := h.password("carol", password)
				if err != nil {
					t.Fatal(err)
				}
				pending, code := out.Token, h.Outbox.Code("carol@example.com")
				var wins atomic.Int32
				var start, wg sync.WaitGroup
				start.Add(1)
				for range 50 {
					wg.Go(func() {
						s := h.open(pending)
						start.Wait()
						out, err := h.logins.Verify(ctx, challenge.Client{}, s, challenge.CodeInput{Code: code})
						if err != nil {
							return
						}
						if _, ok := h.open(out.Token).Login(); ok {
							wins.Add(1)
						}
					})
				}
				start.Done()
				wg.Wait()
				if wins.Load() != 1 {
					t.Fatalf("I-04: %d logins from one pending login", wins.Load())
				}
				rec, err := h.logins.AccountRecord("3")
				if err != nil || len(rec.Logins) != 1 {
					t.Fatalf("I-04: the account lists %d logins (%v)", len(rec.Logins), err)
				}
				if err := h.logins.LogoutEverywhere(ctx, challenge.Client{}, "3"); err != nil {
					t.Fatal(err)
				}
				h.Clock.Advance(time.Hour)
			}
		})
	}
}

func TestI04FiftyParallelRightTOTPCodesGiveOneLogin(t *testing.T) {
	h := build(t)
	out, err := h.password("alice", password)
	if err != nil {
		t.Fatal(err)
	}
	var wins atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := h.logins.Verify(context.Background(), challenge.Client{}, h.open(out.Token), challenge.CodeInput{Code: h.totp(0)}); err == nil {
				wins.Add(1)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Fatalf("I-04: %d logins", wins.Load())
	}
}

func TestI04TwoBrowsersWithOneTOTPCodeGiveOneLogin(t *testing.T) {
	// Two pending logins, so nothing but the time step in the account's record stands between them (I-12).
	for range 50 {
		h := build(t)
		var pending []string
		for range 3 {
			out, err := h.password("alice", password)
			if err != nil {
				t.Fatal(err)
			}
			pending = append(pending, out.Token)
		}
		var wins atomic.Int32
		var wg sync.WaitGroup
		for _, token := range pending {
			wg.Go(func() {
				if _, err := h.logins.Verify(context.Background(), challenge.Client{}, h.open(token), challenge.CodeInput{Code: h.totp(0)}); err == nil {
					wins.Add(1)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Fatalf("I-12: one code made %d logins", wins.Load())
		}
	}
}

func TestI04ALoginIsNotMadeWhenTheAccountChangedMeanwhile(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(h *house) error
	}{
		{"account disabled", func(h *house) error {
			h.Users.Change("3", func(a *challenge.Account) { a.Disabled = true })
			return nil
		}},
		{"account gone", func(h *house) error { h.Users.Remove("3"); return nil }},
		{"account made a service account", func(h *house) error {
			h.Users.Change("3", func(a *challenge.Account) { a.Service = true })
			return nil
		}},
		{"blocked by an administrator", func(h *house) error { return h.logins.Block(context.Background(), "3", "admin") }},
		{"password changed", func(h *house) error {
			return h.logins.AccountChanged(context.Background(), challenge.Client{}, "3", "password changed", "")
		}},
		{"logged out everywhere", func(h *house) error {
			return h.logins.LogoutEverywhere(context.Background(), challenge.Client{}, "3")
		}},
		{"policy asks for another factor", func(h *house) error {
			h.SetVerdict("3", challenge.Verdict{Factors: []string{"totp"}})
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := build(t)
			out, err := h.password("carol", password)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.change(h); err != nil {
				t.Fatal(err)
			}
			if _, err := h.logins.Verify(context.Background(), challenge.Client{}, h.open(out.Token), challenge.CodeInput{Code: h.Outbox.Code("carol@example.com")}); !errors.Is(err, challenge.ErrNoPending) {
				t.Errorf("I-04: %v", err)
			}
			if h.open(out.Token).Exists() {
				t.Error("the pending login that can lead nowhere is still there")
			}
		})
	}
}

func TestI16ARequestInFlightBringsNothingBack(t *testing.T) {
	// A session that was read before the logout, written after it.
	for _, write := range []string{"data", "touch", "step-up"} {
		h := build(t)
		token := h.loginCarol()
		s := h.open(token)
		if err := h.logins.LogoutEverywhere(context.Background(), challenge.Client{}, "3"); err != nil {
			t.Fatal(err)
		}
		var err error
		switch write {
		case "data":
			err = h.logins.SaveData(context.Background(), s, []byte("x"))
		case "touch":
			err = h.logins.Touch(context.Background(), challenge.Client{}, s)
		case "step-up":
			_, err = h.logins.BeginStepUp(context.Background(), challenge.Client{}, s, "email", false)
		}
		if !errors.Is(err, challenge.ErrEnded) || h.open(token).Exists() {
			t.Errorf("I-16: %s after logout: %v, and it exists: %v", write, err, h.open(token).Exists())
		}
	}
}

func TestTheFiftyFirstLoginEndsTheOldest(t *testing.T) {
	h := build(t)
	var tokens []string
	for range 51 {
		out, err := h.password("dave", password)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, out.Token)
	}
	alive := 0
	for _, token := range tokens {
		if _, ok := h.open(token).Login(); ok {
			alive++
		}
	}
	if _, ok := h.open(tokens[0]).Login(); alive != 50 || ok {
		t.Errorf("%d logins are alive, the oldest: %v", alive, ok)
	}
}
