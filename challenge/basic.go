package challenge

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// BasicInput are explicit credentials that serve one request.
type BasicInput struct {
	Name     string
	Password []byte
	Code     *string // nil: none was sent
	// Spend, when set, is called once before credentials are verified, and not for those whose verdict is known or that
	// wait for an identical verification. Its error refuses, and is returned as it is.
	Spend func(context.Context) error
}

func (in BasicInput) spend(ctx context.Context) error {
	if in.Spend == nil {
		return nil
	}
	return in.Spend(ctx)
}

// Format hides everything.
func (BasicInput) Format(f fmtState, _ rune) { writeRedacted(f, "[basic input]") }

// Verdicts on right credentials of service accounts are kept for a short time, since machines send them with every request.
const (
	basicLife = 60 * time.Second
	maxBasics = 4096
)

type basicKey [32]byte

type basicVerdict struct {
	id    string
	epoch epoch
	until time.Time
}

// flight is one verification that identical credentials wait for.
type flight struct {
	done  chan struct{}
	first firstFactor
	err   error
}

// basicVerdicts are kept in this process only, under a key of this process, and bound to the account's epoch.
type basicVerdicts struct {
	mu     sync.Mutex
	key    []byte
	known  map[basicKey]basicVerdict
	flight map[basicKey]*flight
}

// Basic checks explicit credentials for one request; it makes no login and leaves no session. A service account needs its
// password only. A person needs a right code beside the password, which makes the request fresh; without one it is refused
// like a wrong password.
func (l *Logins) Basic(ctx context.Context, c Client, in BasicInput) (*Login, error) {
	if in.Code == nil {
		f, err := l.service(ctx, c, in)
		if err != nil {
			return nil, err
		}
		login := l.newLogin(c, f.account, []Method{{Name: methodPassword, At: l.now()}}, deviceID{}, "", time.Time{})
		login.Service = true
		return &login, nil
	}
	if err := in.spend(ctx); err != nil {
		return nil, err
	}
	f, err := l.checkName(ctx, c, in.Name, in.Password, byCookie, people)
	if err != nil {
		return nil, err
	}
	return l.accept(ctx, c, f, *in.Code)
}

// service verifies a service account. Identical credentials in flight are verified once.
func (l *Logins) service(ctx context.Context, c Client, in BasicInput) (firstFactor, error) {
	machines := func(a Account) string {
		if !a.Service {
			return "a person's password alone opens nothing"
		}
		return ""
	}
	v := &l.verdicts
	v.mu.Lock()
	m := hmac.New(sha256.New, v.key)
	m.Write(joined(in.Name, string(in.Password)))
	key := basicKey(m.Sum(nil))
	known, ok := v.known[key]
	v.mu.Unlock()
	if ok && l.now().Before(known.until) {
		if f, err := l.stillGood(ctx, c, known); err == nil {
			return f, nil
		} else if errors.Is(err, ErrUnavailable) {
			return firstFactor{}, err
		}
	}

	v.mu.Lock()
	if fl, ok := v.flight[key]; ok {
		v.mu.Unlock()
		select {
		case <-fl.done:
		case <-ctx.Done():
			return firstFactor{}, unavailable("client", ctx.Err())
		}
		if fl.err == nil || !errors.Is(fl.err, ErrRefused) {
			return fl.first, fl.err
		}
		// A wrong password is never shared: each try pays for itself.
		if err := in.spend(ctx); err != nil {
			return firstFactor{}, err
		}
		return l.checkName(ctx, c, in.Name, in.Password, byNetwork, machines)
	}
	fl := &flight{done: make(chan struct{}), err: ErrUnavailable}
	v.flight[key] = fl
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		delete(v.flight, key)
		v.mu.Unlock()
		close(fl.done)
	}()
	// What those who wait are told is set when it is known: until then they are refused, whatever happens here.
	if err := in.spend(ctx); err != nil {
		fl.err = ErrRefused // they pay for themselves
		return firstFactor{}, err
	}
	f, err := l.checkName(context.WithoutCancel(ctx), c, in.Name, in.Password, byNetwork, machines)
	if err == nil {
		err = l.remember(ctx, c, f)
	}
	if err == nil {
		err = l.Record(ctx, event(audit.CredentialUsed, audit.Success, c, f.account, "basic", ""))
	}
	if err != nil {
		fl.err = err
		return firstFactor{}, err
	}
	fl.first, fl.err = f, nil
	v.mu.Lock()
	defer v.mu.Unlock()
	now := l.now()
	if len(v.known) >= maxBasics {
		for k, old := range v.known {
			if !now.Before(old.until) {
				delete(v.known, k)
			}
		}
	}
	if len(v.known) < maxBasics { // else the next request is verified again: slower, never wrong
		v.known[key] = basicVerdict{id: fl.first.account.ID, epoch: fl.first.epoch, until: now.Add(basicLife)}
	}
	return fl.first, nil
}

// remember makes the network known from which a machine has shown its password, so that strangers' guesses do not lock it
// out there (I-11). It writes once a day.
func (l *Logins) remember(ctx context.Context, c Client, f firstFactor) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	rec, err := l.peek(ctx, accountKey(f.account.ID))
	if err != nil {
		return err
	}
	now := l.now()
	i := rec.known(f.device, now)
	recent := f.device == deviceID{} || i >= 0 && now.Before(rec.devices[i].used.Add(24*time.Hour))
	if recent && rec.epoch == f.epoch && !rec.blocked {
		return nil
	}
	_, err = l.apply(ctx, accountKey(f.account.ID), seen{f.epoch, f.device})
	if errors.Is(err, refusedStale) {
		return l.refuse(ctx, c, f.account, err.Error())
	}
	return err
}

// stillGood holds a kept verdict against the account as it is now.
func (l *Logins) stillGood(ctx context.Context, c Client, v basicVerdict) (firstFactor, error) {
	raw, err := l.accounts.Load(ctx, accountKey(v.id))
	if err != nil {
		return firstFactor{}, unavailable("store", err)
	}
	rec, err := decodeAccount(raw)
	if err != nil {
		return firstFactor{}, ErrRefused
	}
	a, err := l.byID(ctx, v.id)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return firstFactor{}, unavailable("users", err)
	}
	if err != nil || rec.epoch != v.epoch || rec.blocked || a.Disabled || !a.Service {
		return firstFactor{}, ErrRefused
	}
	f := firstFactor{account: a, epoch: rec.epoch, device: byNetwork(a.ID, c)}
	if f.device != (deviceID{}) && rec.known(f.device, l.now()) < 0 && len(rec.devices) < maxDevices { // another network of the same machine's
		return f, l.remember(ctx, c, f)
	}
	return f, nil
}

// accept checks a person's code for one request. It is a promotion without a login: the same spend, the same comparison,
// the same replay check, and the account's record decides.
func (l *Logins) accept(ctx context.Context, c Client, f firstFactor, code string) (*Login, error) {
	ctx, cancel := detached(ctx)
	defer cancel()
	a := f.account
	v, err := l.verdict(ctx, a, c)
	if err != nil {
		return nil, err
	}
	rec, err := l.peek(ctx, accountKey(a.ID))
	if err != nil {
		return nil, err
	}
	l.shadow(c, f, rec, v)
	sub, err := l.subject(ctx, c, a, rec, f.device, PurposeLogin, "")
	if err != nil {
		return nil, err
	}
	methods, _, err := l.methods(&sub, v)
	if err != nil {
		return nil, err
	}
	method := recoveryName
	if shaped(code, methods) == "" {
		if method = l.unasked(methods, code); method == "" {
			return nil, l.refuseCode(ctx, c, a, "a code in the same request needs a factor that sends nothing")
		}
	}
	try := guessTry{l: l, subject: &sub, prompt: &Prompt{Method: method}, allowed: methods,
		spend: spend{kind: codeGuess, device: f.device, epoch: f.epoch, undated: true}}
	proof, err := try.do(ctx, CodeInput{Method: method, Code: code})
	switch {
	case errors.Is(err, refusedStale):
		return nil, l.refuseCode(ctx, c, a, err.Error())
	case err != nil:
		return nil, err
	}
	if a, v, err = l.again(ctx, c, a.ID); err != nil { // as after any code (I-16)
		try.settle(ctx, false)
		if errors.Is(err, ErrUnavailable) {
			return nil, err
		}
		return nil, l.refuseCode(ctx, c, f.account, err.Error())
	}
	now := l.now()
	login := l.newLogin(c, a, []Method{{Name: methodPassword, At: now}, {method, now, try.weak}}, f.device, "", now)
	if !v.satisfied(login.Methods, true) {
		try.settle(ctx, false)
		return nil, l.refuseCode(ctx, c, a, errPolicy.Error())
	}
	p := &promotion{l: l, account: a, proof: proof}
	if err := p.useUp(ctx); err != nil {
		try.settle(ctx, false)
		return nil, l.lost(ctx, c, a, err)
	}
	if _, err := l.apply(ctx, accountKey(a.ID), accept{epoch: f.epoch, device: f.device, proof: proofUsed{proof.Authenticator, proof.Step, try.charged}, weak: try.weak}); err != nil {
		err = l.lost(ctx, c, a, err)
		try.settle(ctx, errors.Is(err, ErrReplayed))
		if errors.Is(err, ErrNoPending) {
			err = ErrRefused
		}
		return nil, err
	}
	err = l.Record(ctx, event(audit.CodeValidated, audit.Success, c, a, method, "one request"))
	if err == nil {
		err = l.Record(ctx, event(audit.CredentialUsed, audit.Success, c, a, "basic", ""))
	}
	if err == nil && method == recoveryName {
		err = l.recoveryUsed(ctx, c, a)
	}
	if err != nil {
		return nil, err
	}
	return &login, nil
}

func (l *Logins) refuseCode(ctx context.Context, c Client, a Account, reason string) error {
	return errors.Join(ErrRefused, l.Record(ctx, event(audit.CredentialRefused, audit.Failure, c, a, "", reason)))
}
