package challenge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// This file is the protocol around the state machine: the only loop that applies a step, the promotion of a pending login,
// step-up, and the ways a login ends. Everything that a decision rests on goes through compare-and-swap.

// protocolTimeout limits the steps that follow a spent guess; they run detached from the client's connection, so that
// hanging up loses nothing.
const protocolTimeout = 5 * time.Second

// detached gives the steps a life of their own.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), protocolTimeout)
}

// transition is what one application of step did to an account's record.
type transition struct{ before, after account }

// apply is the only loop: load, step, compare-and-swap, else again. A refused step writes nothing and is returned as it is.
// An error of the store may mean that the step happened: whoever asked is refused, which costs a guess at the most.
func (l *Logins) apply(ctx context.Context, key string, in any) (transition, error) {
	raw, err := l.accounts.Load(ctx, key)
	if err != nil {
		return transition{}, unavailable("store", err)
	}
	return l.applyTo(ctx, key, raw, in)
}

// applyTo is apply for a record that was read already.
func (l *Logins) applyTo(ctx context.Context, key string, raw []byte, in any) (transition, error) {
	for try := 0; ; try++ {
		var before account
		var err error
		if raw != nil {
			if before, err = decodeAccount(raw); err != nil {
				return transition{}, err
			}
		} else if _, err := io.ReadFull(l.random, before.epoch[:]); err != nil {
			return transition{}, unavailable("random source", err)
		}
		after, err := l.rules.step(before, in, l.now())
		if err != nil {
			return transition{before, before}, err
		}
		next := after.encode()
		if raw != nil && string(next) == string(raw) { // nothing to write
			return transition{before, after}, l.finish(ctx, key, after.ending)
		}
		switch ok, err := l.accounts.CompareAndSwap(ctx, key, raw, next, time.Time{}); {
		case err != nil:
			return transition{}, unavailable("store", err)
		case ok:
			if _, clearing := in.(ended); clearing {
				return transition{before, after}, nil
			}
			return transition{before, after}, l.finish(ctx, key, after.ending)
		}
		if try >= 8 { // many writers at once: spread them
			select {
			case <-time.After(time.Duration(rand.Int64N(int64(2 * time.Millisecond)))):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return transition{}, unavailable("store", ctx.Err())
		}
		if raw, err = l.accounts.Load(ctx, key); err != nil {
			return transition{}, unavailable("store", err)
		}
	}
}

// peek reads an account's record. One that does not exist is brought into being, so that its epoch can be carried; what is
// left in ending is finished, as by any operation.
func (l *Logins) peek(ctx context.Context, key string) (account, error) {
	raw, err := l.accounts.Load(ctx, key)
	if err != nil {
		return account{}, unavailable("store", err)
	}
	if raw != nil {
		if rec, err := decodeAccount(raw); err != nil || len(rec.ending) == 0 {
			return rec, err
		}
	}
	t, err := l.applyTo(ctx, key, raw, observe{})
	return t.after, err
}

type endingStep struct {
	name string
	do   func(l *Logins, ctx context.Context, key string, keys []string) error
}

// endingSteps end logins whose keys are in account.ending: first every record is gone, only then are they forgotten. A crash
// in between leaves them to the next operation on the account.
var endingSteps = []endingStep{
	{"delete", func(l *Logins, ctx context.Context, _ string, keys []string) error {
		for _, k := range keys {
			if err := l.deleteSession(ctx, k); err != nil {
				return err
			}
		}
		return nil
	}},
	{"clear", func(l *Logins, ctx context.Context, key string, keys []string) error {
		_, err := l.apply(ctx, key, ended{keys})
		return err
	}},
}

func (l *Logins) finish(ctx context.Context, key string, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	keys = slices.Clone(keys)
	for _, s := range l.endingSteps {
		if err := s.do(l, ctx, key, keys); err != nil {
			return err
		}
	}
	return nil
}

// deleteSession deletes a session record until it is absent. Nothing can bring it back: every write to a session record is
// a swap from the bytes that were read, never an insert under a key that was used.
func (l *Logins) deleteSession(ctx context.Context, key string) error {
	return swap(ctx, l.store, key, func([]byte) (gone []byte, end time.Time, err error) { return })
}

// Outcome is where a step led to.
type Outcome struct {
	Session       *Session // as it is now: a pending login or a login
	Token         string   // non-empty: the client's new token; the old one is dead
	Device        string   // non-empty: to be kept for 180 days, as [Logins.DeviceCookie] writes it
	Trusted       string   // non-empty: to be kept in the trusted-device cookie until TrustedUntil
	TrustedUntil  time.Time
	Next          string   // of a login just made: where the person wanted to go, not yet checked
	Notice        string   // the factor's text for the person, to be escaped
	RecoveryCodes []string // to be shown once
}

// Format hides the token, the device and the recovery codes.
func (o Outcome) Format(f fmtState, _ rune) { writeRedacted(f, "[outcome]") }

// promotion is one try to make a login: of a pending login, or of nothing where a policy says "not needed".
type promotion struct {
	l         *Logins
	slot      Slot
	pending   *Session // to be consumed; nil after a policy's "not needed"
	key       string   // of the account's record
	account   Account
	record    *account // as it was read before
	compared  bool     // a code was
	reason    string   // of a login without a second factor
	bind      bind
	proof     Proof
	confirm   *confirmation                        // enrolment: the authenticator that becomes real
	change    func([]enrolled) ([]enrolled, error) // of a change of factors
	changed   bool                                 // it was made
	last      epoch                                // of the account when all else has ended
	guess     guess                                // step-up: which budget is given back
	login     Login
	data      []byte
	token     string
	session   *Session
	newDevice bool // that the account has not been used from before
	created   bool
}

type protocolStep struct {
	name string
	do   func(p *promotion, ctx context.Context) error
}

// promotionSteps are what follows after the guess was spent and the code compared. A new authenticator becomes
// real after the bind only: an enrolment whose pending login was revoked meanwhile leaves nothing behind (I-02).
var promotionSteps = []protocolStep{
	{"use up", (*promotion).useUp},
	{"consume", (*promotion).consume},
	{"create", (*promotion).create},
	{"bind", (*promotion).bindLogin},
	{"confirm", (*promotion).confirmEnrolled},
}

var errLostRace = errors.New("challenge: the pending login was used by another request")

// run does the steps in order. When one fails, the record that was created is deleted; its token has not left this process.
func (p *promotion) run(ctx context.Context, steps []protocolStep) error {
	for _, s := range steps {
		if err := s.do(p, ctx); err != nil {
			if p.created {
				// The client's time may be up; the record must go all the same.
				ctx, cancel := detached(ctx)
				defer cancel()
				_ = p.l.deleteSession(ctx, p.session.key) // if the store cannot: nobody has the token, and the record ends by itself
			}
			return err
		}
	}
	return nil
}

// useUp writes what the right answer used up: a recovery code or a signature counter. An enrolment that cannot be confirmed
// is refused here, before anything has changed.
func (p *promotion) useUp(ctx context.Context) error {
	if n := len(p.login.Methods); n > 0 {
		if err := p.l.keepHandle(ctx, p.account.ID, p.login.Methods[n-1].Name, p.proof.Enrolment); err != nil {
			return err
		}
	}
	if p.confirm != nil {
		e, err := p.l.loadEnrolments(ctx, p.account.ID)
		if err == nil {
			_, err = p.confirm.apply(e.list)
		}
		return err
	}
	if p.proof.Enrolment == nil {
		return nil
	}
	return p.l.changeEnrolments(ctx, p.account.ID, func(list []enrolled) ([]enrolled, error) {
		i := slices.IndexFunc(list, func(v enrolled) bool { return v.id == p.proof.Authenticator && v.waits.IsZero() })
		if i < 0 {
			return nil, errLostRace
		}
		// The factor saw one version of its data; only that version may be replaced, so that nothing is used twice.
		if string(list[i].sealed) != string(p.proof.seen) {
			return nil, errLostRace
		}
		sealed, err := p.l.sealData(p.account.ID, list[i].id, p.proof.Enrolment)
		if err != nil {
			return nil, err
		}
		list[i].sealed = sealed
		return list, nil
	})
}

// consume takes the pending login out of the store: one winner (I-04), and its token is dead (I-03).
func (p *promotion) consume(ctx context.Context) error {
	if p.pending == nil {
		return nil
	}
	return p.l.consume(ctx, p.pending)
}

// consume takes a pending login from the bytes that were read. Data that the app wrote meanwhile does not save it from
// being consumed: the record is read again as long as it is the same pending login.
func (l *Logins) consume(ctx context.Context, s *Session) error {
	for {
		ok, err := l.store.CompareAndSwap(ctx, s.key, s.raw, nil, time.Time{})
		if err != nil {
			return unavailable("store", err)
		}
		if ok {
			return nil
		}
		raw, err := l.store.Load(ctx, s.key)
		if err != nil {
			return unavailable("store", err)
		}
		var now Session
		if raw == nil || now.decode(raw) != nil || !now.same(s) ||
			now.pending.Stage != s.pending.Stage || string(now.pending.Prompt.mac) != string(s.pending.Prompt.mac) || ctx.Err() != nil {
			return errLostRace
		}
		s.raw, s.data = raw, now.data
	}
}

// create stores the login under a fresh token that nobody has seen.
func (p *promotion) create(ctx context.Context) (err error) {
	if p.token, err = newToken(p.l.random); err != nil {
		return err
	}
	data := p.data
	if p.pending != nil {
		data = p.pending.data
	}
	p.session = &Session{slot: p.slot, key: sessionKey(p.slot, p.token), kind: kindLogin, login: p.login, data: data}
	p.session.raw = p.session.encode()
	p.created = true
	p.bind.login.key = p.session.key
	return p.l.insert(ctx, p.session)
}

// insert stores a session record under a key that must be new.
func (l *Logins) insert(ctx context.Context, s *Session) error {
	ok, err := l.store.CompareAndSwap(ctx, s.key, nil, s.raw, s.Expires())
	if err != nil {
		return unavailable("store", err)
	}
	if !ok {
		return fmt.Errorf("%w: random source: it repeats itself", ErrUnavailable)
	}
	return nil
}

// bindLogin is the promotion (I-01): the account's record takes the login in, or it is not a login.
func (p *promotion) bindLogin(ctx context.Context) error {
	t, err := p.l.apply(ctx, p.key, p.bind)
	if p.bind.remember != (deviceID{}) {
		// The first device of all is no news to anybody.
		p.newDevice = len(t.before.devices) > 0 && t.before.known(p.bind.remember, p.l.now()) < 0
	}
	return err
}

// confirmEnrolled makes a new authenticator real. When it fails, the login that it was for goes too.
func (p *promotion) confirmEnrolled(ctx context.Context) error {
	if p.confirm == nil {
		return nil
	}
	return p.l.changeEnrolments(ctx, p.account.ID, p.confirm.apply)
}

// stepUpSteps move a login to a new token. The old one is dead before the new one leaves.
var stepUpSteps = []protocolStep{
	{"use up", (*promotion).useUp},
	{"create", (*promotion).createStepUp},
	{"step up", (*promotion).bindStepUp},
}

func (p *promotion) createStepUp(ctx context.Context) error {
	old := p.pending // the login that is stepped up
	p.pending, p.data = nil, old.data
	defer func() { p.pending = old }()
	return p.create(ctx)
}

func (p *promotion) bindStepUp(ctx context.Context) error {
	_, err := p.l.apply(ctx, p.key, stepUp{epoch: p.bind.epoch, id: p.login.id, old: p.pending.key, new: p.session.key,
		device: p.bind.device, kind: p.guess, weak: p.bind.weak, proof: p.bind.proof, renew: p.bind.renew})
	return err
}

// Open reads what a token stands for: one Load, or none for what cannot be a token. What has expired is nobody, and is
// deleted by the first who sees it. The session is never nil when the error is.
func (l *Logins) Open(ctx context.Context, slot Slot, token string) (*Session, error) {
	key := sessionKey(slot, token)
	if key == "" {
		return &Session{slot: slot}, nil
	}
	raw, err := l.store.Load(ctx, key)
	if err != nil {
		return nil, unavailable("store", err)
	}
	return l.read(ctx, slot, key, raw)
}

func (l *Logins) read(ctx context.Context, slot Slot, key string, raw []byte) (*Session, error) {
	// Most sessions are logins with two methods: those are read into one piece of memory.
	room := new(struct {
		Session
		methods [2]Method
	})
	s := &room.Session
	s.slot, s.key, s.login.Methods = slot, key, room.methods[:0]
	if raw == nil {
		return s, nil
	}
	if err := s.decode(raw); err != nil {
		return nil, err
	}
	now := l.now()
	reason := ""
	if !now.Before(s.Expires()) {
		reason = "absolute end"
	} else if s.kind == kindLogin && now.Sub(s.login.Seen) >= l.durations.Idle {
		reason = "idle"
	}
	if reason == "" {
		s.stale = s.kind == kindLogin && now.Sub(s.login.Seen) >= touchEvery
		return s, nil
	}
	ended, a := s.kind == kindLogin, Account{ID: s.login.UserID, Name: s.login.Username}
	if ok, err := l.store.CompareAndSwap(ctx, key, raw, nil, time.Time{}); err == nil && ok && ended {
		_ = l.Record(ctx, event(audit.SessionEnded, audit.Success, Client{}.in(s), a, "", reason))
	}
	return &Session{slot: slot}, nil
}

// NeedsTouch reports whether s is a login that, when it was read, was last seen a minute ago or more.
func (l *Logins) NeedsTouch(s *Session) bool { return s.stale }

const touchEvery = time.Minute

// Touch notes that a login was seen, at most once a minute, and asks Users and Policy again (I-16). ErrEnded means that the
// login is over: its account does not know it any more, is gone or disabled, the policy has become stricter, or somebody logged out meanwhile.
func (l *Logins) Touch(ctx context.Context, c Client, s *Session) error {
	c = c.in(s)
	if s.kind != kindLogin {
		return ErrEnded
	}
	a := Account{ID: s.login.UserID, Name: s.login.Username}
	known, err := l.listed(ctx, s)
	if err != nil {
		return err
	}
	if !known {
		// Its record came back from the dead, as after the failover of a store that had not yet heard of its end. Only
		// this record goes: the login may live on under another key.
		dctx, cancel := detached(ctx)
		defer cancel()
		if err := l.deleteSession(dctx, s.key); err != nil {
			return err
		}
		return errors.Join(ErrEnded, l.Record(ctx, event(audit.SessionEnded, audit.Success, c, a, "", "the account does not know it")))
	}
	reason, err := l.standing(ctx, c, &s.login)
	if err != nil {
		return err
	}
	if reason != "" {
		if err := l.endLogin(ctx, s); err != nil {
			return err
		}
		if err := l.Record(ctx, event(audit.SessionEnded, audit.Success, c, a, "", reason)); err != nil {
			return err
		}
		return ErrEnded
	}
	return l.rewrite(ctx, s, func(s *Session) { s.login.Seen, s.stale = l.now(), false })
}

// listed reports whether the account's record still has a login under the key it was found by.
func (l *Logins) listed(ctx context.Context, s *Session) (bool, error) {
	raw, err := l.accounts.Load(ctx, accountKey(s.login.UserID))
	if err != nil {
		return false, unavailable("store", err)
	}
	if raw == nil {
		return false, nil
	}
	rec, err := decodeAccount(raw)
	if err != nil {
		return false, err
	}
	i := rec.find(s.login.id)
	return i >= 0 && rec.logins[i].key == s.key && !rec.blocked && !slices.Contains(rec.ending, s.key), nil
}

// standing asks Users and Policy whether a login may go on; a reason means no.
func (l *Logins) standing(ctx context.Context, c Client, login *Login) (reason string, err error) {
	a, err := l.byID(ctx, login.UserID)
	switch {
	case errors.Is(err, ErrUnknown):
		return "account gone", nil
	case err != nil:
		return "", unavailable("users", err)
	case a.Disabled:
		return "account disabled", nil
	case a.Service != login.Service:
		return "service account", nil
	case a.Service: // no policy asks a machine for more
		return "", nil
	}
	v, err := l.verdict(ctx, a, c)
	if err != nil {
		return "", err
	}
	if !v.satisfied(login.Methods, login.SecondFactor) && !(login.Grace && v.Grace.given(l.now())) {
		return "policy", nil
	}
	return "", nil
}

// satisfied reports whether methods that were shown are what the verdict asks for.
func (v Verdict) satisfied(methods []Method, second bool) bool {
	if v.NotNeeded {
		return true
	}
	return second && (v.Factors == nil || slices.ContainsFunc(methods, func(m Method) bool { return slices.Contains(v.Factors, m.Name) }))
}

// verdict asks the policy in force.
func (l *Logins) verdict(ctx context.Context, a Account, c Client) (Verdict, error) {
	return l.judge(ctx, l.policy, a, c)
}

// judge asks a policy; a panic in it denies.
func (l *Logins) judge(ctx context.Context, policy Policy, a Account, c Client) (v Verdict, err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%w: policy panicked", ErrUnavailable)
		}
	}()
	v, err = policy(ctx, a, c)
	if err != nil {
		return Verdict{}, unavailable("policy", err)
	}
	for _, name := range v.Factors {
		if name == enrolmentCodeName || l.factor(name) == nil {
			return Verdict{}, fmt.Errorf("%w: policy names the factor %q, which is not in Config.Factors", ErrUnavailable, name)
		}
	}
	return v, nil
}

// rewrite changes a session record in place. When somebody else wrote it meanwhile, change is applied to what is there now,
// if it is still the same pending login or login; else ErrEnded. It never inserts.
func (l *Logins) rewrite(ctx context.Context, s *Session, change func(*Session)) error {
	for {
		next := *s
		if s.pending != nil {
			p := *s.pending
			next.pending = &p
		}
		change(&next)
		next.raw = next.encode()
		ok, err := l.store.CompareAndSwap(ctx, s.key, s.raw, next.raw, next.Expires())
		if err != nil {
			return unavailable("store", err)
		}
		if ok {
			*s = next
			return nil
		}
		raw, err := l.store.Load(ctx, s.key)
		if err != nil {
			return unavailable("store", err)
		}
		if raw == nil {
			return ErrEnded
		}
		now := Session{slot: s.slot, key: s.key}
		if err := now.decode(raw); err != nil {
			return err
		}
		if !now.same(s) {
			return ErrEnded
		}
		if ctx.Err() != nil {
			return unavailable("store", ctx.Err())
		}
		*s = now
	}
}

// SaveData writes the app's own data into the session. Two requests that write at once: the later one's data stays. A
// session that has ended meanwhile is not brought back: ErrEnded.
func (l *Logins) SaveData(ctx context.Context, s *Session, data []byte) error {
	if !s.Exists() {
		return ErrEnded
	}
	return l.rewrite(ctx, s, func(s *Session) { s.data = slices.Clone(data) })
}

// CreateAnonymous stores app data of somebody who has not logged in, under a fresh token.
func (l *Logins) CreateAnonymous(ctx context.Context, slot Slot, token string, data []byte) (*Session, error) {
	key := sessionKey(slot, token)
	if key == "" {
		return nil, fmt.Errorf("%w: not a session token", ErrUnavailable)
	}
	s := &Session{slot: slot, key: key, kind: kindAnonymous, created: l.now(), data: slices.Clone(data)}
	s.raw = s.encode()
	if err := l.insert(ctx, s); err != nil {
		return nil, err
	}
	return s, nil
}

// endLogin ends one login, wherever it is at the moment: the account's record names its present key.
func (l *Logins) endLogin(ctx context.Context, s *Session) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	if _, err := l.apply(ctx, accountKey(s.login.UserID), logout{s.login.id}); err != nil {
		return err
	}
	return l.deleteSession(ctx, s.key) // also when the account's record did not know it
}

// Logout ends a login, or cancels a pending one. It holds at once, on every node, and no request in flight brings it back.
func (l *Logins) Logout(ctx context.Context, c Client, s *Session) error {
	c = c.in(s)
	switch s.kind {
	case kindLogin:
		if err := l.endLogin(ctx, s); err != nil {
			return err
		}
		return l.Record(ctx, event(audit.Logout, audit.Success, c, Account{ID: s.login.UserID, Name: s.login.Username}, "", ""))
	case kindPending:
		return l.Cancel(ctx, c, s, "")
	case kindAnonymous:
		ctx, cancel := detached(ctx)
		defer cancel()
		return l.deleteSession(ctx, s.key)
	}
	return nil
}

// Cancel gives a pending login up. loginID is the public id that the form named, if it did: ErrOtherLogin when it is another.
func (l *Logins) Cancel(ctx context.Context, c Client, s *Session, loginID string) error {
	c = c.in(s)
	p, ok := s.Pending()
	if !ok {
		return ErrNoPending
	}
	if loginID != "" && loginID != p.ID {
		return ErrOtherLogin
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	if err := l.deleteSession(ctx, s.key); err != nil {
		return err
	}
	return l.Record(ctx, event(audit.LoginCancelled, audit.Success, c, Account{ID: p.account, Name: p.name}, "", ""))
}

// LogoutEverywhere ends every login and every pending login of an account. When it returns nil no token is alive. Call it
// (or [Logins.AccountChanged]) after a change of password, role or status in the app's own tables.
func (l *Logins) LogoutEverywhere(ctx context.Context, c Client, accountID string) error {
	return l.endAll(ctx, c, accountID, "", "")
}

// AccountChanged is LogoutEverywhere with a reason for the audit, such as "password changed", and who did it when it was
// not the person.
func (l *Logins) AccountChanged(ctx context.Context, c Client, accountID, reason, actor string) error {
	return l.endAll(ctx, c, accountID, reason, actor)
}

func (l *Logins) endAll(ctx context.Context, c Client, accountID, reason, actor string) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	var renew epoch
	if err := l.fill(renew[:]); err != nil {
		return err
	}
	if _, err := l.apply(ctx, accountKey(accountID), revoke{renew}); err != nil {
		return err
	}
	a := Account{ID: accountID, Name: l.nameOf(ctx, accountID)}
	e := event(audit.LogoutEverywhere, audit.Success, c, a, "", reason)
	e.Actor = actor
	return l.Record(ctx, e)
}

func (l *Logins) fill(b []byte) error {
	if _, err := io.ReadFull(l.random, b); err != nil {
		return unavailable("random source", err)
	}
	return nil
}

// nameOf is an account's name for an audit line; the id when it cannot be had.
func (l *Logins) nameOf(ctx context.Context, id string) string {
	if a, err := l.byID(ctx, id); err == nil {
		return a.Name
	}
	return id
}
