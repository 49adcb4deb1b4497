package challenge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/sallyport-go/sallyport/audit"
)

// ConfirmedWithin is how recent the password and a second factor must be before an account's factors may be changed.
const ConfirmedWithin = 5 * time.Minute

// maxNameLength bounds what a person calls an authenticator, in bytes.
const maxNameLength = 64

// What a login may still have to show before a change; see [Logins.ChangeNeeds].
const (
	NeedsFirst  = "first-factor"  // the password again (method "password"), or the way the person came in
	NeedsSecond = "second-factor" // a second factor again
	NeedsStrong = "other-factor"  // a second factor that is no recovery code, nor was added with one within 24 hours (I-14)
)

// ChangeNeeds says what a login has to show again before its factors may be changed; nothing when it may go on. removing
// stands for everything but adding: a recovery code may add an authenticator and never take one away (I-14), nor make new
// codes, choose, rename, forget known devices or end other logins. What it has added may not for 24 hours, but to take away
// what was added so itself.
//
// ErrNotAllowed when the account has second factors of which none may be used now, and before adding in a grace without an
// address to prove. That what is needed can be shown, [Logins.StepUpMethods] says.
func (l *Logins) ChangeNeeds(ctx context.Context, c Client, s *Session, removing bool) ([]string, error) {
	c = c.in(s)
	login, sub, methods, err := l.steppingUp(ctx, c, s)
	switch {
	case err != nil:
		return nil, err
	case unproven(login, methods, removing):
		return nil, fmt.Errorf("%w: %s", ErrNotAllowed, reasonUnproven)
	}
	return l.changeNeeds(login, sub.account, methods, removing), nil
}

const reasonUnproven = "nothing enrolled, and no way to prove the account's own address"

// unproven reports whether a login in its grace would add something that it cannot show to be the owner's (I-02).
func unproven(login *Login, methods []string, removing bool) bool {
	return login.Grace && methods[0] == methodPassword && !removing
}

func (l *Logins) changeNeeds(login *Login, a Account, methods []string, removing bool) (needs []string) {
	now := l.now()
	recent := func(match func(Method) bool) bool {
		return slices.ContainsFunc(login.Methods, func(m Method) bool {
			return now.Sub(m.At) < ConfirmedWithin && l.factor(m.Name) != nil && match(m)
		})
	}
	// Who came in by a recovery code, or has no second factor, is asked for the password again: the one of the login does
	// not count (I-14). Removing asks for a stronger factor in any case. Another first factor can only be repeated by a login.
	strong := recent(func(m Method) bool { return m.takesAway() && login.Showed(m) })
	if !l.bothAgain(login, a) && !slices.ContainsFunc(login.Methods, func(m Method) bool {
		return l.factor(m.Name) == nil && m.Name != methodTrusted && now.Sub(m.At) < ConfirmedWithin && (strong || removing || m.Name != methodPassword || m.At.After(login.Created))
	}) {
		needs = append(needs, NeedsFirst)
	}
	switch {
	case methods[0] == methodPassword: // nothing is enrolled
	case removing && !strong:
		needs = append(needs, NeedsStrong)
	case !removing && !recent(func(m Method) bool { return m.weak || login.Showed(m) }):
		needs = append(needs, NeedsSecond)
	}
	return needs
}

// changing lets a login change its account's factors, or says why not.
func (l *Logins) changing(ctx context.Context, c Client, s *Session, removing bool) (*Login, subject, error) {
	login, sub, methods, err := l.steppingUp(ctx, c, s)
	if err == nil {
		err = l.mayChange(ctx, login, &sub, methods, removing)
	}
	if err != nil {
		return nil, subject{}, err
	}
	return login, sub, nil
}

func (l *Logins) mayChange(ctx context.Context, login *Login, sub *subject, methods []string, removing bool) error {
	refused := func(err error, reason string) error {
		return errors.Join(err, l.Record(ctx, event(audit.EnrolmentRefused, audit.Failure, sub.client, sub.account, "", reason)))
	}
	if unproven(login, methods, removing) {
		return refused(ErrNotAllowed, reasonUnproven)
	}
	if needs := l.changeNeeds(login, sub.account, methods, removing); len(needs) > 0 {
		return refused(ErrNotFresh, "needs "+strings.Join(needs, ", "))
	}
	return nil
}

// EnrolInput begins the enrolment of a new authenticator in a finished login.
type EnrolInput struct {
	Method      string // name of the factor
	Name        string // what the person calls it; may be empty
	Destination string // of an [Addresser] factor: where its codes go
}

// Format shows the method only.
func (i EnrolInput) Format(f fmtState, _ rune) { writeRedacted(f, "enrol("+i.Method+")") }

// Enrollable lists the factors that a person can add.
func (l *Logins) Enrollable() (names []string) {
	for _, f := range l.factors {
		_, makes := ability[Enroller](f)
		_, typed := ability[Addresser](f)
		if (makes || typed) && f.Name() != recoveryName {
			names = append(names, f.Name())
		}
	}
	return names
}

// BeginEnrolment makes a new authenticator, which counts for nothing before its first right answer, and abandons whatever
// the account had begun before. It returns ErrNotFresh before password and second factor were shown within [ConfirmedWithin], ErrMethod,
// ErrMalformed for what is no destination, ErrDestination for one that gets no messages, ErrSend, or a *BusyError with Cooldown set.
func (l *Logins) BeginEnrolment(ctx context.Context, c Client, s *Session, in EnrolInput) (NewAuthenticator, error) {
	c = c.in(s)
	login, sub, err := l.changing(ctx, c, s, false)
	if err != nil {
		return NewAuthenticator{}, err
	}
	if !slices.Contains(l.Enrollable(), in.Method) {
		return NewAuthenticator{}, ErrMethod
	}
	f := l.factor(in.Method)
	name, ok := cleanName(in.Name)
	if !ok {
		return NewAuthenticator{}, ErrMalformed
	}
	confirmed := slices.DeleteFunc(slices.Clone(sub.enrolments.list), func(v enrolled) bool { return !v.waits.IsZero() })
	if len(confirmed) >= maxAuthenticators { // before anything is sent
		return NewAuthenticator{}, tooMany()
	}
	sub.purpose = PurposeEnrol
	var shown Enrolment
	if v, typed := ability[Addresser](f); typed {
		if shown.Data, ok = v.Address(in.Destination); !ok {
			return NewAuthenticator{}, ErrMalformed
		}
	} else {
		a, err := l.attempt(&sub, f, nil, "")
		if err != nil {
			return NewAuthenticator{}, err
		}
		a.Existing, a.Enrolled = a.Enrolled, nil
		if shown, err = enrol(ctx, f, a); err != nil {
			return NewAuthenticator{}, err
		}
	}
	made, err := l.newAuthenticator(sub.account.ID, in.Method, name, shown.Data)
	if err != nil {
		return NewAuthenticator{}, err
	}
	made.waits = l.now().Add(l.durations.Pending)
	out := NewAuthenticator{Method: in.Method, Name: name, Enrolment: shown, Prompt: Prompt{Method: in.Method}}
	if v, sends := ability[Deliverer](f); sends { // nothing is kept of what could not be sent
		sub.enrolments.list = append(sub.enrolments.list, made)
		a, err := l.attempt(&sub, f, nil, made.id)
		if err != nil {
			return NewAuthenticator{}, err
		}
		if channel, _, _ := v.Destination(a); channel == login.channel && channel != "" { // one mailbox is never both factors (I-06)
			return NewAuthenticator{}, errors.Join(ErrMethod, l.Record(ctx, event(audit.EnrolmentRefused, audit.Failure, c, sub.account, in.Method, "the login came on this channel")))
		}
		if out.Prompt, err = l.sendFirst(ctx, login, &sub, &made); err != nil {
			return NewAuthenticator{}, err
		}
	}
	dctx, cancel := detached(ctx)
	defer cancel()
	err = l.changeEnrolments(dctx, sub.account.ID, func(list []enrolled) ([]enrolled, error) {
		// Whatever else waits is given up, or many begun at once would leave no room.
		return append(slices.DeleteFunc(list, func(v enrolled) bool { return !v.waits.IsZero() }), made), nil
	})
	if err != nil {
		return NewAuthenticator{}, err
	}
	err = l.rewrite(dctx, s, func(s *Session) { s.login.enrol = &enrolling{id: made.id, prompt: out.Prompt} })
	if err != nil {
		return NewAuthenticator{}, err
	}
	return out, nil
}

// sendFirst sends the code that a new authenticator is confirmed by.
func (l *Logins) sendFirst(ctx context.Context, login *Login, sub *subject, v *enrolled) (Prompt, error) {
	if err := l.codeBlock(ctx, sub.client, sub.account, sub.record, login.device); err != nil {
		return Prompt{}, err // it could not be entered (I-15)
	}
	p, wait, err := l.askOne(ctx, sub, v.factor, false, v.id)
	if wait != nil {
		err = &BusyError{Cooldown: true, RetryAfter: wait.until.Sub(l.now())}
	}
	return p, err
}

// ResendEnrolment sends the code of what a login is enrolling again; the one sent before is replaced. It returns ErrMethod
// for what sends nothing, ErrNoCode, ErrCodeExpired, ErrNotFresh, ErrSend, a *BlockedError, or a *BusyError with Cooldown set.
func (l *Logins) ResendEnrolment(ctx context.Context, c Client, s *Session) error {
	c = c.in(s)
	login, sub, err := l.changing(ctx, c, s, false)
	if err != nil {
		return err
	}
	v, err := l.waiting(login, &sub)
	if err != nil {
		return err
	}
	if !l.Sends(v.factor) {
		return ErrMethod
	}
	sub.purpose = PurposeEnrol
	p, err := l.sendFirst(ctx, login, &sub, &v)
	if err != nil {
		return err
	}
	dctx, cancel := detached(ctx)
	defer cancel()
	return l.rewrite(dctx, s, func(s *Session) {
		if s.login.enrol != nil && s.login.enrol.id == v.id {
			s.login.enrol = &enrolling{id: v.id, prompt: p}
		}
	})
}

// NewAuthenticator is an authenticator that waits for its first right answer. Its Enrolment is to be shown; it holds a secret.
type NewAuthenticator struct {
	Method    string
	Name      string
	Enrolment Enrolment
	Prompt    Prompt // where its code was sent, for a factor that sends
}

// Format shows the method only.
func (n NewAuthenticator) Format(f fmtState, _ rune) {
	writeRedacted(f, "new authenticator("+n.Method+")")
}

// waiting reads the authenticator that a login is enrolling.
func (l *Logins) waiting(login *Login, sub *subject) (enrolled, error) {
	if login.enrol == nil {
		return enrolled{}, ErrNoCode
	}
	for _, v := range sub.enrolments.list {
		if v.id == login.enrol.id && !v.waits.IsZero() && l.now().Before(v.waits) {
			return v, nil
		}
	}
	return enrolled{}, ErrCodeExpired
}

// Waiting shows again what a login is enrolling, as often as it is asked. ErrNoCode when there is nothing, ErrCodeExpired
// when it was begun too long ago, ErrNotFresh as for [Logins.BeginEnrolment]: it shows a secret.
func (l *Logins) Waiting(ctx context.Context, c Client, s *Session) (NewAuthenticator, error) {
	login, sub, methods, err := l.steppingUp(ctx, c.in(s), s)
	if err != nil {
		return NewAuthenticator{}, err
	}
	v, err := l.waiting(login, &sub)
	if err != nil {
		return NewAuthenticator{}, err
	}
	if err := l.mayChange(ctx, login, &sub, methods, false); err != nil {
		return NewAuthenticator{}, err
	}
	out := NewAuthenticator{Method: v.factor, Name: v.name, Prompt: login.enrol.prompt}
	f := l.factor(v.factor)
	if f == nil {
		return NewAuthenticator{}, ErrMethod
	}
	if _, typed := ability[Addresser](f); typed {
		return out, nil
	}
	sub.purpose = PurposeEnrol
	a, err := l.attempt(&sub, f, nil, v.id)
	if err != nil {
		return NewAuthenticator{}, err
	}
	out.Enrolment, err = enrol(ctx, f, a)
	return out, err
}

// ConfirmEnrolment compares the first answer of the new authenticator, from the same budget as every code (I-08). A right
// one counts as used (I-12). The authenticator becomes real, every other login of the account ends, and the login goes on
// under a new token; recovery codes come with the first authenticator. One that a recovery code has added takes nothing away
// from what there was for 24 hours (I-14), and there are at most three of them in that time: ErrNotAllowed. Other errors are those of
// [Logins.Verify].
func (l *Logins) ConfirmEnrolment(ctx context.Context, c Client, s *Session, code string) (Outcome, error) {
	c = c.in(s)
	login, sub, methods, err := l.steppingUp(ctx, c, s)
	if err != nil {
		return Outcome{}, err
	}
	strong := len(l.changeNeeds(login, sub.account, methods, true)) == 0 // who may take nothing away adds nothing that may
	if err := l.mayChange(ctx, login, &sub, methods, false); err != nil {
		return Outcome{}, err
	}
	v, err := l.waiting(login, &sub)
	if err != nil {
		return Outcome{}, err
	}
	sub.purpose = PurposeEnrol
	prompt := login.enrol.prompt
	try := guessTry{l: l, subject: &sub, prompt: &prompt, allowed: []string{v.factor}, confirming: v.id, session: s,
		spend: spend{kind: codeGuess, device: login.device, epoch: login.epoch, undated: true}}
	ctx, cancel := detached(ctx)
	defer cancel()
	proof, err := try.do(ctx, CodeInput{Method: v.factor, Code: code})
	if err != nil {
		if errors.Is(err, refusedStale) {
			err = ErrEnded
		}
		return Outcome{}, err
	}
	first := !slices.ContainsFunc(sub.enrolments.list, func(v enrolled) bool { return v.factor == recoveryName && v.waits.IsZero() })
	confirm := &confirmation{id: v.id, seen: proof.seen, beside: true}
	if proof.Enrolment != nil {
		if confirm.sealed, err = l.sealData(sub.account.ID, v.id, proof.Enrolment); err != nil {
			return Outcome{}, err
		}
		if err := l.keepHandle(ctx, sub.account.ID, v.factor, proof.Enrolment); err != nil {
			return Outcome{}, err
		}
	}
	var codes []string
	if first {
		if confirm.recovery, codes, err = l.makeRecoveryCodes(&sub); err != nil {
			return Outcome{}, err
		}
	}
	now := l.now()
	if !strong {
		refused := func(err error) (Outcome, error) {
			try.settle(ctx, false)
			return Outcome{}, err
		}
		switch _, until, err := l.takeQuota(ctx, quota{"weak", sub.account.ID, maxWeak, weakFor}); {
		case err != nil:
			return refused(err)
		case !until.IsZero():
			return refused(errors.Join(ErrNotAllowed, l.Record(ctx, event(audit.EnrolmentRefused, audit.Failure, c, sub.account, v.factor, "too many added with recovery codes today"))))
		}
		confirm.weak = now.Add(weakFor)
	}
	out, err := l.change(ctx, c, s, login, &sub, factorChange{
		proof: proofUsed{auth: proof.Authenticator, step: proof.Step, charged: try.charged}, shown: &Method{v.factor, now, !strong}, apply: confirm.apply,
		event: event(audit.FactorEnrolled, audit.Success, c, sub.account, v.factor, ""), notice: noticeFactorAdded,
	})
	if err != nil {
		try.settle(ctx, errors.Is(err, ErrReplayed))
		return Outcome{}, err
	}
	out.Notice, out.RecoveryCodes = try.notice, codes
	return out, nil
}

// CancelEnrolment gives up what a login is enrolling. Nothing that counted before is touched.
func (l *Logins) CancelEnrolment(ctx context.Context, s *Session) error {
	login, ok := s.Login()
	if !ok {
		return ErrEnded
	}
	if login.enrol == nil {
		return nil
	}
	id := login.enrol.id
	ctx, cancel := detached(ctx)
	defer cancel()
	err := l.changeEnrolments(ctx, login.UserID, func(list []enrolled) ([]enrolled, error) {
		return slices.DeleteFunc(list, func(v enrolled) bool { return v.id == id && !v.waits.IsZero() }), nil
	})
	if err != nil {
		return err
	}
	return l.rewrite(ctx, s, func(s *Session) { s.login.enrol = nil })
}

// RemoveFactor takes an authenticator away, by its id. It takes a second factor other than a recovery code within
// [ConfirmedWithin] besides the password (I-14), and ends every other login. What a recovery code has added within a day goes as
// it came: somebody who has nothing but recovery codes left can take back what a thief of one has added. The last one cannot be
// removed while the policy needs a second factor: ErrNotAllowed.
func (l *Logins) RemoveFactor(ctx context.Context, c Client, s *Session, id string) (Outcome, error) {
	c = c.in(s)
	login, sub, methods, err := l.steppingUp(ctx, c, s)
	i := slices.IndexFunc(sub.enrolments.list, func(v enrolled) bool { return v.id == id && v.shown() })
	if err == nil {
		err = l.mayChange(ctx, login, &sub, methods, i < 0 || !l.now().Before(sub.enrolments.list[i].weak))
	}
	if err != nil {
		return Outcome{}, err
	}
	if i < 0 {
		return Outcome{}, ErrMethod
	}
	v := sub.enrolments.list[i]
	verdict, err := l.verdict(ctx, sub.account, c)
	if err != nil {
		return Outcome{}, err
	}
	left := sub
	left.enrolments.list = slices.Delete(slices.Clone(sub.enrolments.list), i, i+1)
	if methods, _, err = l.methods(&left, verdict); err != nil {
		return Outcome{}, err
	}
	if !verdict.NotNeeded && !slices.ContainsFunc(methods, func(m string) bool { return m != recoveryName }) {
		return Outcome{}, errors.Join(ErrNotAllowed, l.Record(ctx, event(audit.EnrolmentRefused, audit.Failure, c, sub.account, v.factor, "the last second factor")))
	}
	out, err := l.change(ctx, c, s, login, &sub, factorChange{
		apply: func(list []enrolled) ([]enrolled, error) {
			list = slices.DeleteFunc(list, func(v enrolled) bool { return v.id == id })
			if !(&enrolments{list: list}).any() { // recovery codes back an authenticator up
				list = slices.DeleteFunc(list, func(v enrolled) bool { return v.factor == recoveryName && verdict.NotNeeded })
			}
			return list, nil
		},
		event: event(audit.FactorRemoved, audit.Success, c, sub.account, v.factor, ""), notice: noticeFactorRemoved,
	})
	if err == nil {
		dctx, cancel := detached(ctx)
		defer cancel()
		_, _ = l.apply(dctx, accountKey(sub.account.ID), drop{[]string{id}}) // what is left of it counts for nothing
		l.dropHandles(dctx, sub.account.ID, []enrolled{v}, left.enrolments.list)
	}
	return out, err
}

// RenewRecoveryCodes replaces the recovery codes by new ones, which the outcome holds to be shown once. It asks for what
// [Logins.RemoveFactor] asks for.
func (l *Logins) RenewRecoveryCodes(ctx context.Context, c Client, s *Session) (Outcome, error) {
	c = c.in(s)
	login, sub, err := l.changing(ctx, c, s, true)
	if err != nil {
		return Outcome{}, err
	}
	if !sub.enrolments.any() {
		return Outcome{}, fmt.Errorf("%w: recovery codes back another authenticator up", ErrNotAllowed)
	}
	v, codes, err := l.makeRecoveryCodes(&sub)
	if err != nil {
		return Outcome{}, err
	}
	if v == nil {
		return Outcome{}, ErrMethod
	}
	out, err := l.change(ctx, c, s, login, &sub, factorChange{
		apply: func(list []enrolled) ([]enrolled, error) {
			return append(slices.DeleteFunc(list, func(v enrolled) bool { return v.factor == recoveryName }), *v), nil
		},
		event: event(audit.RecoveryCodesMade, audit.Success, c, sub.account, recoveryName, ""), notice: noticeRecoveryMade,
	})
	if err == nil {
		out.RecoveryCodes = codes
	}
	return out, err
}

// Prefer makes method the one that the account is asked for first, at the next login and from then on; empty means the app's
// order. It asks for what [Logins.RemoveFactor] asks for: nobody else may lead the owner to a weaker factor. Nobody is
// logged out by it. ErrMethod for what cannot be chosen.
func (l *Logins) Prefer(ctx context.Context, c Client, s *Session, method string) error {
	c = c.in(s)
	_, sub, err := l.changing(ctx, c, s, true)
	if err != nil {
		return err
	}
	v, err := l.verdict(ctx, sub.account, c)
	if err != nil {
		return err
	}
	methods, _, err := l.methods(&sub, v)
	if err != nil {
		return err
	}
	if method != "" && (!slices.Contains(methods, method) || method == recoveryName) {
		return ErrMethod
	}
	dctx, cancel := detached(ctx)
	defer cancel()
	err = l.changeRecord(dctx, sub.account.ID, func(e *enrolments) error {
		e.preferred = method
		return nil
	})
	if err != nil {
		return err
	}
	return l.Record(ctx, event(audit.FactorPreferred, audit.Success, c, sub.account, method, ""))
}

// RenameFactor changes what a person calls an authenticator; an empty name is none. It asks for what [Logins.RemoveFactor]
// asks for, so that nobody else passes one off as another. Nobody is logged out by it.
func (l *Logins) RenameFactor(ctx context.Context, c Client, s *Session, id, name string) error {
	c = c.in(s)
	_, sub, err := l.changing(ctx, c, s, true)
	if err != nil {
		return err
	}
	name, ok := cleanName(name)
	if !ok {
		return ErrMalformed
	}
	dctx, cancel := detached(ctx)
	defer cancel()
	method := ""
	err = l.changeEnrolments(dctx, sub.account.ID, func(list []enrolled) ([]enrolled, error) {
		i := slices.IndexFunc(list, func(v enrolled) bool { return v.id == id && v.shown() })
		if i < 0 {
			return nil, ErrMethod
		}
		list[i].name, method = name, list[i].factor
		return list, nil
	})
	if err != nil {
		return err
	}
	return l.Record(ctx, event(audit.FactorRenamed, audit.Success, c, sub.account, method, ""))
}

// cleanName trims a name and refuses what would not stay on one line.
func cleanName(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if len(s) > maxNameLength {
		return "", false
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r == '\uFFFD' || r >= 0x80 && r < 0xa0 ||
			unicode.Is(unicode.Bidi_Control, r) || r == '\u200b' || r == '\ufeff' { // nothing that is not seen, and nothing that turns other text around
			return "", false
		}
	}
	return s, true
}

// factorChange is a change of what an account can log in with.
type factorChange struct {
	proof proofUsed
	shown *Method // what was shown on the way, if anything
	apply func([]enrolled) ([]enrolled, error)
	event audit.Event
	notice
}

// changeSteps are a step-up that ends every other login in the same step, the change, and the end of whatever has begun
// between the two. A change that cannot be made has logged others out; one that was made has left no login behind that began
// before it, and when it returns success, none that a factor made which it took away.
var changeSteps = []protocolStep{
	{"create", (*promotion).createStepUp},
	{"step up", (*promotion).bindStepUp},
	{"change", (*promotion).changeFactors},
	{"end others", (*promotion).endOthers},
}

func (p *promotion) changeFactors(ctx context.Context) error {
	err := p.l.changeEnrolments(ctx, p.account.ID, p.change)
	p.changed = err == nil
	return err
}

func (p *promotion) endOthers(ctx context.Context) error {
	_, err := p.l.apply(ctx, p.key, others{epoch: *p.bind.renew, id: p.login.id, renew: p.last})
	return err
}

// change runs the protocol of a change for a login that may make it.
func (l *Logins) change(ctx context.Context, c Client, s *Session, login *Login, sub *subject, ch factorChange) (Outcome, error) {
	ctx, cancel := detached(ctx)
	defer cancel()
	var renew, last epoch
	if err := errors.Join(l.fill(renew[:]), l.fill(last[:])); err != nil {
		return Outcome{}, err
	}
	p := &promotion{l: l, key: accountKey(sub.account.ID), slot: s.slot, pending: s, account: sub.account, login: *login,
		change: ch.apply, last: last, bind: bind{epoch: login.epoch, device: login.device, proof: ch.proof, renew: &renew}}
	now := l.now()
	p.login.Seen, p.login.prompt, p.login.enrol, p.login.epoch = now, nil, nil, last
	if ch.shown != nil {
		p.login.SecondFactor, p.login.Fresh, p.login.Grace = true, now, false
		p.login.Methods = append(slices.DeleteFunc(slices.Clone(login.Methods), func(m Method) bool { return m.Name == ch.shown.Name }), *ch.shown)
		p.bind.weak = ch.shown.weak
		p.guess = codeGuess // the right answer gives the code budget back; without one there is nothing to give
	}
	p.bind.login = liveLogin{id: p.login.id, end: p.login.Expires}
	err := p.run(ctx, l.changeSteps)
	if err != nil {
		if err = l.lost(ctx, c, sub.account, err); errors.Is(err, ErrNoPending) {
			err = ErrEnded
		}
	}
	if p.changed { // which stands, whatever has become of the login
		if ch.kind != "" {
			l.notify(c, sub.account, ch.notice, ch.event.Method)
		}
		if e := l.Record(ctx, ch.event); e != nil && err == nil {
			err = errors.Join(e, l.endLogin(ctx, p.session))
		}
	}
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Session: p.session, Token: p.token}, nil
}
