package challenge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// methodPassword is how somebody without a second factor confirms who they are; no factor may have this name.
const methodPassword = "password"

// StepUpPrompt is what a step-up asks for.
type StepUpPrompt struct {
	Methods []string // preferred first; just "password" for an account without a second factor
	Prompt  Prompt
	Weak    time.Time // of a strong one: before then something is not enough that a recovery code has added; zero: there is none (I-14)
}

// living makes sure of a login that wants to look after its account: it, its account and the policy still stand.
func (l *Logins) living(ctx context.Context, c Client, s *Session) (*Login, subject, Verdict, error) {
	login, ok := s.Login()
	if !ok {
		return nil, subject{}, Verdict{}, ErrEnded
	}
	if login.Access { // it stays as it was made: whoever wants more goes back to the login
		return nil, subject{}, Verdict{}, ErrNotAllowed
	}
	rec, err := l.peek(ctx, accountKey(login.UserID))
	if err != nil {
		return nil, subject{}, Verdict{}, err
	}
	if rec.blocked || rec.epoch != login.epoch || rec.find(login.id) < 0 {
		return nil, subject{}, Verdict{}, ErrEnded
	}
	a, v, err := l.again(ctx, c, login.UserID)
	if err != nil {
		if errors.Is(err, ErrUnavailable) {
			return nil, subject{}, Verdict{}, err
		}
		return nil, subject{}, Verdict{}, ErrEnded
	}
	sub, err := l.subject(ctx, c, a, rec, login.device, PurposeStepUp, login.channel)
	sub.finished = true
	if err != nil {
		return nil, subject{}, Verdict{}, err
	}
	if !v.satisfied(login.Methods, login.SecondFactor) && !(login.Grace && v.Grace.given(l.now())) {
		return nil, subject{}, Verdict{}, ErrEnded
	}
	return login, sub, v, nil
}

// steppingUp reads what a login may confirm itself by.
func (l *Logins) steppingUp(ctx context.Context, c Client, s *Session) (*Login, subject, []string, error) {
	login, sub, v, err := l.living(ctx, c, s)
	if err != nil {
		return nil, subject{}, nil, err
	}
	methods, disabled, err := l.methods(&sub, v)
	if err != nil {
		return nil, subject{}, nil, err
	}
	if len(methods) == 0 {
		// Somebody whose second factor may not be used now does not get by with less.
		if disabled || sub.enrolments.any() || !v.NotNeeded && !login.Grace {
			return nil, subject{}, nil, fmt.Errorf("%w: no usable second factor", ErrNotAllowed)
		}
		methods = []string{methodPassword}
		if login.Grace { // what it adds must be the owner's, as in a pending login (I-02)
			sub.purpose = PurposeEnrolProof
			proofs, err := l.prove(&sub)
			if err != nil {
				return nil, subject{}, nil, err
			}
			if proofs = slices.DeleteFunc(proofs, func(m string) bool { return m == enrolmentCodeName }); len(proofs) > 0 {
				methods = proofs
			}
		}
	}
	return login, sub, methods, nil
}

// strongOf are those of a login's methods that may take an authenticator away: no recovery code, and nothing that one has
// added a moment ago (I-14). weak is when the first thing counts that one has added; zero when there is none.
func (l *Logins) strongOf(sub *subject, methods []string) (strong []string, weak time.Time, err error) {
	for _, m := range methods {
		if m == recoveryName {
			continue
		}
		f := l.factor(m)
		if f == nil { // the password
			strong = append(strong, m)
			continue
		}
		a, err := l.attempt(sub, f, nil, "")
		if err != nil {
			return nil, weak, err
		}
		for _, v := range a.Enrolled {
			if a.weak(v) && (weak.IsZero() || v.weak.Before(weak)) {
				weak = v.weak
			}
		}
		if a.takesAway() {
			strong = append(strong, m)
		}
	}
	if len(strong) == 0 {
		return nil, weak, fmt.Errorf("%w: only recovery codes are left, or what they have added", ErrNotAllowed)
	}
	return strong, weak, nil
}

// asking is steppingUp for what asks.
func (l *Logins) asking(ctx context.Context, c Client, s *Session, strong bool) (login *Login, sub subject, out StepUpPrompt, err error) {
	login, sub, out.Methods, err = l.steppingUp(ctx, c, s)
	if err == nil && login.tries >= maxTries { // no answer would be looked at
		err = ErrLoginAgain
	}
	if err == nil && strong {
		out.Methods, out.Weak, err = l.strongOf(&sub, out.Methods)
	}
	return login, sub, out, err
}

// StepUpMethods is what a login can confirm itself by, and what it was asked for last. It sends nothing. Where a strong
// second factor is needed (see [NeedsStrong]), what is not one is left out; ErrNotAllowed when that leaves nothing.
func (l *Logins) StepUpMethods(ctx context.Context, c Client, s *Session, strong bool) (StepUpPrompt, error) {
	login, _, out, err := l.asking(ctx, c, s, strong)
	if err != nil {
		return StepUpPrompt{Weak: out.Weak}, err
	}
	p := login.Prompt()
	if !slices.Contains(out.Methods, p.Method) || (p.mac != nil || p.state != nil) && !l.now().Before(p.Expires) {
		p = Prompt{Method: out.Methods[0]}
	}
	out.Prompt = p
	return out, nil
}

// BeginStepUp asks a login for a code again, by method or by the preferred one. It answers like [Logins.Resend]; a code that
// is under way inside the cooldown stays good, and is not an error. strong is that of [Logins.StepUpMethods].
func (l *Logins) BeginStepUp(ctx context.Context, c Client, s *Session, method string, strong bool) (StepUpPrompt, error) {
	c = c.in(s)
	login, sub, out, err := l.asking(ctx, c, s, strong)
	if err != nil {
		return StepUpPrompt{Weak: out.Weak}, err
	}
	methods := out.Methods
	with := func(p Prompt) StepUpPrompt {
		out.Prompt = p
		return out
	}
	chosen := method != ""
	if !chosen {
		method = methods[0]
		if p := login.Prompt(); (p.mac != nil || p.state != nil) && l.now().Before(p.Expires) && slices.Contains(methods, p.Method) {
			return with(p), nil
		}
	}
	if !slices.Contains(methods, method) {
		return StepUpPrompt{}, errors.Join(ErrMethod, l.Record(ctx, event(audit.CredentialRefused, audit.Failure, c, sub.account, "", "method not available")))
	}
	if method == methodPassword {
		return with(Prompt{Method: methodPassword}), nil
	}
	if err := l.codeBlock(ctx, c, sub.account, sub.record, login.device); err != nil {
		return StepUpPrompt{}, err
	}
	p, err := l.ask(ctx, &sub, methods, method, login.Prompt())
	var wait *waitError
	if errors.As(err, &wait) && chosen {
		return with(p), &BusyError{Cooldown: true, RetryAfter: wait.until.Sub(l.now())}
	}
	if err != nil && wait == nil {
		return StepUpPrompt{}, err
	}
	wctx, cancel := detached(ctx)
	defer cancel()
	if err := l.rewrite(wctx, s, func(s *Session) { s.login.prompt = &p }); err != nil {
		return StepUpPrompt{}, err
	}
	if p.Failed {
		return with(p), ErrSend
	}
	return with(p), nil
}

// StepUp makes a login fresh: the same login under a new token, with the same absolute end (I-17). The old token is dead
// before the new one leaves. For an account without a second factor, Method is "password" and Code the password.
// Errors are those of [Logins.Verify] and [Logins.Password]; ErrEnded when the login is over.
func (l *Logins) StepUp(ctx context.Context, c Client, s *Session, in CodeInput) (Outcome, error) {
	return l.confirm(ctx, c, s, in, false)
}

// ConfirmPassword asks a login for its password again, as a change of factors does besides a second factor (see
// [Logins.ChangeNeeds]). The login goes on under a new token; it is fresh only if it has no second factor.
func (l *Logins) ConfirmPassword(ctx context.Context, c Client, s *Session, loginID string, password []byte) (Outcome, error) {
	return l.confirm(ctx, c, s, CodeInput{LoginID: loginID, Method: methodPassword, Code: string(password)}, true)
}

// maxTries is how many wrong answers a login may give when it is asked to confirm itself, until a right one. The account's budget
// is the limit in time; this is so that nobody who has but copied a session blocks the owner's device again and again, or makes
// an authenticator fail a hundred times in a row: that takes the password (I-09).
const maxTries = 10

// wrongIn counts a wrong answer in a login.
func (l *Logins) wrongIn(ctx context.Context, s *Session, err error) error {
	if !errors.Is(err, ErrWrongCode) && !errors.Is(err, ErrRefused) || errors.As(err, new(unseen)) {
		return err
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	return errors.Join(err, l.rewrite(ctx, s, func(s *Session) { s.login.tries = min(s.login.tries+1, maxTries) }))
}

func (l *Logins) confirm(ctx context.Context, c Client, s *Session, in CodeInput, passwordToo bool) (Outcome, error) {
	c = c.in(s)
	login, sub, methods, err := l.steppingUp(ctx, c, s)
	if err != nil {
		return Outcome{}, err
	}
	if in.LoginID != "" && in.LoginID != login.ID {
		return Outcome{}, l.otherLogin(ctx, c, sub.account)
	}
	if in.Strong {
		if methods, _, err = l.strongOf(&sub, methods); err != nil {
			return Outcome{}, err
		}
	}
	if login.tries >= maxTries {
		return Outcome{}, errors.Join(ErrLoginAgain, l.Record(ctx, event(audit.CredentialRefused, audit.Failure, c, sub.account, "", "too many wrong answers in this login")))
	}
	p := &promotion{slot: s.slot, pending: s, account: sub.account, login: *login, guess: codeGuess,
		bind: bind{epoch: login.epoch, device: login.device}}
	method, notice := methodPassword, ""
	var try *guessTry
	alone := methods[0] == methodPassword // there is no second factor
	if alone || passwordToo && in.Method == methodPassword {
		if in.Method != "" && in.Method != methodPassword {
			return Outcome{}, ErrMethod
		}
		if err := l.CheckPassword(ctx, c, login.UserID, []byte(in.Code)); err != nil {
			return Outcome{}, l.wrongIn(ctx, s, err)
		}
		p.guess = passwordGuess
	} else {
		prompt := login.Prompt()
		if prompt.Method == "" {
			prompt.Method = methods[0]
		}
		try = &guessTry{l: l, subject: &sub, prompt: &prompt, allowed: methods, session: s,
			spend: spend{kind: codeGuess, device: login.device, epoch: login.epoch, undated: true}}
		dctx, cancel := detached(ctx)
		defer cancel()
		if p.proof, err = try.do(dctx, in); err != nil {
			if errors.Is(err, refusedStale) {
				err = ErrEnded
			}
			return Outcome{}, l.wrongIn(ctx, s, err)
		}
		p.bind.proof = proofUsed{auth: p.proof.Authenticator, step: p.proof.Step, charged: try.charged}
		method, notice = try.method, try.notice
		p.login.SecondFactor = true
		if err := l.Record(ctx, event(audit.CodeValidated, audit.Success, c, sub.account, method, "step-up")); err != nil {
			return Outcome{}, err
		}
	}
	now := l.now()
	p.login.Seen, p.login.prompt, p.login.tries = now, nil, 0
	if method != methodPassword || alone {
		p.login.Fresh = now
	}
	p.login.Methods = append(slices.DeleteFunc(slices.Clone(login.Methods), func(m Method) bool { return m.Name == method }), Method{method, now, try != nil && try.weak})
	p.bind.weak = p.login.last().weak
	out, err := l.stepUp(ctx, c, p)
	if err != nil {
		if try != nil {
			dctx, cancel := detached(ctx)
			defer cancel()
			try.settle(dctx, errors.Is(err, ErrReplayed))
		}
		return Outcome{}, err
	}
	err = l.Record(ctx, event(audit.SteppedUp, audit.Success, c, sub.account, method, ""))
	if err == nil && method == recoveryName {
		err = l.recoveryUsed(ctx, c, sub.account)
	}
	if err != nil {
		return Outcome{}, errors.Join(err, l.endLogin(ctx, out.Session)) // AuditRequired: nobody gets the new token, and the old one is dead
	}
	out.Notice = notice
	return out, nil
}

func (l *Logins) stepUp(ctx context.Context, c Client, p *promotion) (Outcome, error) {
	ctx, cancel := detached(ctx)
	defer cancel()
	p.l, p.key = l, accountKey(p.account.ID)
	p.bind.login = liveLogin{id: p.login.id, end: p.login.Expires}
	if err := p.run(ctx, l.stepUpSteps); err != nil {
		err = l.lost(ctx, c, p.account, err)
		if errors.Is(err, ErrNoPending) {
			err = ErrEnded
		}
		return Outcome{}, err
	}
	return Outcome{Session: p.session, Token: p.token}, nil
}

// FreshWithin reports whether a login showed its second factor (or, without one, its password again) within d. An access
// token never did.
func (l *Logins) FreshWithin(login *Login, d time.Duration) bool {
	return !login.Access && !login.Fresh.IsZero() && l.now().Sub(login.Fresh) < d
}
