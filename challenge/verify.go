package challenge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// afterFirst goes on after a right first factor: a login where the policy says so, else a pending login that has been asked
// for its code.
func (l *Logins) afterFirst(ctx context.Context, c Client, from *Session, slot Slot, f firstFactor, next string, code *string) (Outcome, error) {
	a := f.account
	v, err := l.verdict(ctx, a, c)
	if err != nil {
		return Outcome{}, err
	}
	rec, err := l.peek(ctx, accountKey(a.ID))
	if err != nil {
		return Outcome{}, err
	}
	l.shadow(c, f, rec, v)
	if v.NotNeeded {
		data, err := l.leave(ctx, c, from, a.ID)
		if err != nil {
			return Outcome{}, err
		}
		return l.promote(ctx, c, &promotion{
			slot: slot, account: a, record: &rec, data: data, bind: bind{epoch: f.epoch, device: f.device},
			login: l.newLogin(c, a, f.methods, f.device, f.channel, time.Time{}),
		}, next)
	}
	s, err := l.subject(ctx, c, a, rec, f.device, PurposeLogin, f.channel)
	if err != nil {
		return Outcome{}, err
	}
	p := Pending{Stage: StageCode, Next: clip(next, 2048), Language: clip(a.Language, 64), account: a.ID, name: a.Name, epoch: f.epoch, device: f.device,
		first: f.methods, channel: f.channel}
	var disabled bool
	if p.Methods, disabled, err = l.methods(&s, v); err != nil {
		return Outcome{}, err
	}
	inGrace := false
	if len(p.Methods) == 0 && code == nil {
		if inGrace, err = l.inGrace(&s, v); err != nil {
			return Outcome{}, err
		}
	}
	switch {
	case len(p.Methods) > 0:
	case disabled || s.enrolments.any():
		// Something is enrolled that may not be used now: nobody can get around it by enrolling anew.
		if err := l.Record(ctx, event(audit.LoginRefused, audit.Failure, c, a, "", "no usable second factor")); err != nil {
			return Outcome{}, err
		}
		return Outcome{}, fmt.Errorf("%w: no usable second factor", ErrNotAllowed)
	case inGrace:
		switch t, err := l.apply(ctx, accountKey(a.ID), grace{v.Grace.Logins}); {
		case err == nil:
			return l.within(ctx, c, from, slot, f, &rec, v.Grace, t.after.grace, next)
		case !errors.Is(err, refusedGrace):
			return Outcome{}, err
		}
		fallthrough
	default:
		p.Stage, s.purpose = StageProof, PurposeEnrolProof
		if p.Methods, err = l.prove(&s); err != nil {
			return Outcome{}, err
		}
		if len(p.Methods) == 0 || len(l.enrollable(v)) == 0 {
			if err := l.Record(ctx, event(audit.EnrolmentRefused, audit.Failure, c, a, "", reasonUnproven)); err != nil {
				return Outcome{}, err
			}
			return Outcome{}, ErrNoAddress
		}
	}

	now := l.now()
	if err := l.codeBlock(ctx, c, a, rec, f.device); err != nil {
		return Outcome{}, err
	}
	p.blocks = rec.budgetsOf(f.device, now).code.blocks
	p.ID = f.id.String()

	// The same browser inside the cooldown keeps the code that was sent, and its end.
	var carried Prompt
	if old, ok := from.Pending(); ok && old.account == a.ID && old.epoch == p.epoch && old.Stage == p.Stage && old.Prompt.mac != nil &&
		now.Before(old.Prompt.ResendAt) && now.Before(old.Prompt.Expires) && slices.Contains(p.Methods, old.Prompt.Method) {
		carried = old.Prompt
	}
	data, err := l.leave(ctx, c, from, a.ID)
	if err != nil {
		return Outcome{}, err
	}
	if code == nil && p.Stage == StageCode && slot == Cookie {
		row, t, ok, err := l.trusted(&s, p.Methods)
		if err != nil {
			return Outcome{}, err
		}
		if ok {
			out, err := l.standIn(ctx, &s, slot, p, data, row, t)
			if !errors.Is(err, errLostRace) {
				return out, err
			} // somebody else has just used it: the code is asked for
		}
	}
	switch {
	case code != nil:
		p.Prompt = Prompt{Method: p.Methods[0]}
	case carried.mac != nil:
		p.Prompt = carried
	default:
		if p.Prompt, err = l.ask(ctx, &s, p.Methods, p.Methods[0], Prompt{}); err != nil && !errors.As(err, new(*waitError)) {
			return Outcome{}, err
		}
	}
	p.Created = l.now() // sending may have taken a while
	p.Expires = p.Created.Add(l.durations.Pending)
	out, err := l.openPending(ctx, slot, p, data)
	if err != nil || code == nil {
		return out, err
	}
	out, err = l.singleShot(ctx, c, out.Session, *code)
	return out, err
}

// inGrace reports whether a verdict gives somebody grace who has nothing enrolled, unless an administrator has made a code to
// enrol with. How many logins are left of it is for the account's record to say.
func (l *Logins) inGrace(s *subject, v Verdict) (bool, error) {
	if !v.Grace.given(l.now()) {
		return false, nil
	}
	proofs, err := l.prove(s)
	return !slices.Contains(proofs, enrolmentCodeName), err
}

// within logs somebody in who has to enrol a second factor and may still do without.
func (l *Logins) within(ctx context.Context, c Client, from *Session, slot Slot, f firstFactor, rec *account, g Grace, used int, next string) (Outcome, error) {
	data, err := l.leave(ctx, c, from, f.account.ID)
	if err != nil {
		return Outcome{}, err
	}
	p := &promotion{slot: slot, account: f.account, record: rec, data: data, bind: bind{epoch: f.epoch, device: f.device},
		login: l.newLogin(c, f.account, f.methods, f.device, f.channel, time.Time{}), reason: fmt.Sprintf("grace, login %d", used)}
	if g.Logins > 0 {
		p.reason += fmt.Sprintf(" of %d", g.Logins)
	}
	p.login.Grace = true
	return l.promote(ctx, c, p, next)
}

// codeBlock refuses while the code budget is blocked: no pending login, nothing sent (I-09).
func (l *Logins) codeBlock(ctx context.Context, c Client, a Account, rec account, device deviceID) error {
	now := l.now()
	b := rec.budgetsOf(device, now).code
	if b.spent < l.rules.codeGuesses || !now.Before(b.until) {
		return nil
	}
	if b.wrong < l.rules.codeGuesses && now.Before(b.last.Add(flightHorizon)) {
		return errors.Join(&BusyError{RetryAfter: time.Second}, l.Record(ctx, event(audit.CredentialRefused, audit.Failure, c, a, "code", string(refusedInFlight))))
	}
	if err := l.Record(ctx, event(audit.CodeGuessesSpent, audit.Failure, c, a, "code", rec.whose("blocked", device, now))); err != nil {
		return err
	}
	return &BlockedError{Until: b.until, RetryAfter: b.until.Sub(now)}
}

// leave ends what the session was before a new login begins, and gives the app's data that goes on: that of somebody who
// was nobody, or of the same account's pending login.
func (l *Logins) leave(ctx context.Context, c Client, from *Session, accountID string) ([]byte, error) {
	if !from.Exists() {
		return nil, nil
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	switch from.kind {
	case kindLogin:
		return nil, l.Logout(ctx, c, from)
	case kindPending:
		if err := l.deleteSession(ctx, from.key); err != nil {
			return nil, err
		}
		if from.pending.account != accountID {
			return nil, nil
		}
		return from.data, nil
	}
	return from.data, l.deleteSession(ctx, from.key)
}

// openPending stores a pending login under a fresh token.
func (l *Logins) openPending(ctx context.Context, slot Slot, p Pending, data []byte) (Outcome, error) {
	token, err := newToken(l.random)
	if err != nil {
		return Outcome{}, err
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	s := &Session{slot: slot, key: sessionKey(slot, token), kind: kindPending, pending: &p, data: data}
	s.raw = s.encode()
	if err := l.insert(ctx, s); err != nil {
		return Outcome{}, err
	}
	return Outcome{Session: s, Token: token}, nil
}

// singleShot answers a pending login that nobody else knows of, and takes it away when the answer is wrong.
func (l *Logins) singleShot(ctx context.Context, c Client, s *Session, code string) (Outcome, error) {
	method := ""
	if shaped(code, s.pending.Methods) == "" {
		if method = l.unasked(s.pending.Methods, code); s.pending.Stage != StageCode || method == "" {
			err := errors.Join(ErrRefused, l.Record(ctx, event(audit.CredentialRefused, audit.Failure, c, Account{ID: s.pending.account, Name: s.pending.name}, "", "a code in the same request needs a factor that sends nothing")))
			dctx, cancel := detached(ctx)
			defer cancel()
			return Outcome{}, errors.Join(err, l.deleteSession(dctx, s.key))
		}
	}
	out, err := l.Verify(ctx, c, s, CodeInput{Method: method, Code: code})
	if err != nil {
		dctx, cancel := detached(ctx)
		defer cancel()
		return Outcome{}, errors.Join(err, l.deleteSession(dctx, s.key))
	}
	return out, nil
}

// Reasoned is an optional ability of a factor's error: a reason for the audit, in a few fixed words that hold nothing of the
// answer.
type Reasoned interface {
	error
	AuditReason() string
}

// unasked is the method that a code which comes with the password is meant for: the first that sends nothing and can read
// it, or else the first that sends nothing. Empty when each of them has to send.
func (l *Logins) unasked(methods []string, code string) (method string) {
	for _, m := range methods {
		f := l.factor(m)
		if _, sends := ability[Deliverer](f); sends || m == recoveryName {
			continue
		}
		if _, ok := parse(f, code); ok {
			return m
		}
		if method == "" {
			method = m
		}
	}
	return method
}

// CodeInput is an answer to a prompt.
type CodeInput struct {
	LoginID string // the public id that the form named; empty when it named none
	Trust   bool   // the person wants to be asked for the password only on this device; see Config.TrustDevices
	Method  string // empty: the prompted one, or recovery for an answer shaped like a recovery code
	Code    string
	// Strong, in a step-up, refuses without using it up what would not be enough to take an authenticator away: a recovery
	// code, and a method that has nothing but what one has added a moment ago (I-14).
	Strong bool
}

// Format hides everything.
func (CodeInput) Format(f fmtState, _ rune) { writeRedacted(f, "[code input]") }

// Verify compares an answer with what a pending login waits for, and promotes it when it is right. In StageProof a right
// answer leads to StageEnrol under a new token; in StageEnrol to a login with an authenticator enrolled.
//
// It returns ErrNoPending, ErrOtherLogin, ErrMethod, ErrMalformed, ErrNoCode and ErrCodeExpired, which cost nothing;
// ErrWrongCode (ErrReplayed, ErrClockOff), which cost a guess; *BlockedError and *BusyError, for which nothing was compared.
func (l *Logins) Verify(ctx context.Context, c Client, s *Session, in CodeInput) (Outcome, error) {
	c = c.in(s)
	p, ok := s.Pending()
	if !ok {
		var a Account
		if login, ok := s.Login(); ok {
			a = Account{ID: login.UserID, Name: login.Username}
		}
		return Outcome{}, errors.Join(ErrNoPending, l.Record(ctx, event(audit.NoPendingLogin, audit.Failure, c, a, "", "")))
	}
	if in.LoginID != "" && in.LoginID != p.ID {
		return Outcome{}, l.otherLogin(ctx, c, Account{ID: p.account, Name: p.name})
	}
	who := Account{ID: p.account, Name: p.name}
	ctx, cancel := detached(ctx)
	defer cancel()
	rec, err := l.peek(ctx, accountKey(p.account))
	if err != nil {
		return Outcome{}, err
	}
	a, v, err := l.again(ctx, c, p.account)
	if err != nil {
		return l.refusePending(ctx, c, s, who, err)
	}
	purpose := map[Stage]Purpose{StageCode: PurposeLogin, StageProof: PurposeEnrolProof, StageEnrol: PurposeEnrol}[p.Stage]
	sub, err := l.subject(ctx, c, a, rec, p.device, purpose, p.channel)
	if err != nil {
		return Outcome{}, err
	}
	try := guessTry{l: l, subject: &sub, prompt: &p.Prompt, allowed: p.Methods, confirming: p.enrolling, session: s,
		spend: spend{kind: codeGuess, device: p.device, epoch: p.epoch, blocks: p.blocks}}
	if p.Stage == StageEnrol {
		in.Method = p.Prompt.Method
	}
	proof, err := try.do(ctx, in)
	switch {
	case errors.Is(err, refusedStale):
		return l.refusePending(ctx, c, s, who, err)
	case err != nil:
		return Outcome{}, err
	}
	if p.Stage == StageProof {
		return l.beginEnrol(ctx, c, s, &try, proof, v)
	}

	// Once more, just before the login is made: what the app has changed while the code was looked at holds (I-16).
	if a, v, err = l.again(ctx, c, p.account); err != nil {
		try.settle(ctx, false)
		return l.refusePending(ctx, c, s, who, err)
	}
	now := l.now()
	pr := &promotion{slot: s.slot, pending: s, account: a, proof: proof, compared: true, record: &sub.record,
		bind:  bind{epoch: p.epoch, device: p.device, proof: proofUsed{auth: proof.Authenticator, step: proof.Step, charged: try.charged}},
		login: l.newLogin(c, a, append(slices.Clone(p.first), Method{try.method, now, try.weak}), p.device, p.channel, now),
	}
	if !v.satisfied(pr.login.Methods, true) {
		try.settle(ctx, false)
		return l.refusePending(ctx, c, s, who, errPolicy)
	}
	var codes []string
	if p.Stage == StageEnrol {
		if pr.confirm, codes, err = l.confirming(&sub, p.enrolling, proof); err != nil {
			return Outcome{}, err
		}
		var renew epoch
		if err := l.fill(renew[:]); err != nil {
			return Outcome{}, err
		}
		pr.bind.renew, pr.login.epoch = &renew, renew
	}
	out, err := l.promote(ctx, c, pr, p.Next)
	if err != nil {
		if errors.Is(err, ErrReplayed) {
			try.settle(ctx, true)
		} else {
			try.settle(ctx, false)
		}
		return Outcome{}, err
	}
	out.Notice = try.notice
	out.RecoveryCodes = codes
	if in.Trust && l.trustFor > 0 && s.slot == Cookie && out.Session.login.last().takesAway() {
		if err := l.trustDevice(ctx, c, &out.Session.login, try.method, &out); err != nil {
			out.Trusted = "" // the login stands; the next one asks for the code
		}
	}
	return out, nil
}

// otherLogin refuses a form that names another login than the session's.
func (l *Logins) otherLogin(ctx context.Context, c Client, a Account) error {
	return errors.Join(ErrOtherLogin, l.Record(ctx, event(audit.CredentialRefused, audit.Failure, c, a, "", "form of another login")))
}

var errPolicy = errors.New("challenge: policy asks for another factor")

// again asks Users and Policy just before a promotion.
func (l *Logins) again(ctx context.Context, c Client, accountID string) (Account, Verdict, error) {
	a, err := l.byID(ctx, accountID)
	switch {
	case errors.Is(err, ErrUnknown):
		return a, Verdict{}, errors.New("challenge: account gone")
	case err != nil:
		return a, Verdict{}, unavailable("users", err)
	case a.Disabled:
		return a, Verdict{}, errors.New("challenge: account disabled")
	case a.Service:
		return a, Verdict{}, errors.New("challenge: service account")
	}
	v, err := l.verdict(ctx, a, c)
	return a, v, err
}

// refusePending ends a pending login that cannot become one any more.
func (l *Logins) refusePending(ctx context.Context, c Client, s *Session, a Account, why error) (Outcome, error) {
	if errors.Is(why, ErrUnavailable) {
		return Outcome{}, why
	}
	return Outcome{}, errors.Join(ErrNoPending, l.deleteSession(ctx, s.key),
		l.Record(ctx, event(audit.LoginRefused, audit.Failure, c, a, "", why.Error())))
}

// newLogin is a login that has just shown methods, with a second factor at fresh, which is then when it begins: what it shows
// itself is no older than it is. What a trusted device remembers is.
func (l *Logins) newLogin(c Client, a Account, methods []Method, device deviceID, channel string, fresh time.Time) Login {
	now := fresh
	if now.IsZero() {
		now = l.now()
	}
	return Login{UserID: a.ID, Username: a.Name, Language: clip(a.Language, 64), Methods: methods, SecondFactor: !fresh.IsZero(), Fresh: fresh, Created: now, Seen: now,
		Expires: now.Add(l.durations.Absolute), Addr: c.Addr, UserAgent: clip(c.UserAgent, 512), device: device, channel: channel}
}

// promote runs the protocol and tells everybody who has to know.
func (l *Logins) promote(ctx context.Context, c Client, p *promotion, next string) (Outcome, error) {
	ctx, cancel := detached(ctx)
	defer cancel()
	p.l, p.key = l, accountKey(p.account.ID)
	id, err := l.randomID()
	if err != nil {
		return Outcome{}, err
	}
	p.login.id, p.login.ID = id, id.String()
	c.login = p.login.ID
	if p.bind.renew == nil {
		p.login.epoch = p.bind.epoch
	}
	p.bind.login, p.bind.shown, p.bind.weak = liveLogin{id: id, end: p.login.Expires}, p.compared, p.login.last().weak
	p.bind.strong = p.compared && p.login.last().takesAway()
	device := ""
	if p.slot == Cookie {
		// Only a token that the account knows already is kept: one that was planted is not adopted.
		if device = c.Device; p.record == nil || p.record.known(deviceOf(p.account.ID, device), l.now()) < 0 {
			if device, err = newToken(l.random); err != nil {
				return Outcome{}, err
			}
		}
		p.bind.remember = deviceOf(p.account.ID, device)
		p.login.device = p.bind.remember // from here on it is a device the account has used before (I-11)
	}
	if err := p.run(ctx, l.promotionSteps); err != nil {
		return Outcome{}, l.lost(ctx, c, p.account, err)
	}
	name := audit.LoginWithMFA
	if !p.login.SecondFactor {
		name = audit.LoginWithoutMFA
	}
	method := p.login.last().Name
	if p.compared { // a right code, and then the login: two decisions, written when both stand
		err = l.Record(ctx, event(audit.CodeValidated, audit.Success, c, p.account, method, ""))
	}
	if err == nil {
		err = l.Record(ctx, event(name, audit.Success, c, p.account, method, p.reason))
	}
	if err == nil && method == recoveryName {
		err = l.recoveryUsed(ctx, c, p.account, p.arrival(ctx, c)...)
	}
	if err == nil && p.confirm != nil {
		err = l.Record(ctx, event(audit.FactorEnrolled, audit.Success, c, p.account, method, "during login"))
	}
	if err != nil { // AuditRequired: what could not be recorded did not happen
		return Outcome{}, errors.Join(err, l.endLogin(ctx, p.session))
	}
	if v, ok := l.users.(LoginRecorder); ok {
		in := LoggedIn{At: p.login.Created, Methods: p.login.MethodNames(), SecondFactor: p.login.SecondFactor, MFAEnabled: p.login.SecondFactor || p.login.Grace}
		if err := v.LoggedIn(ctx, p.account.ID, in); err != nil {
			_ = l.Record(ctx, event(audit.StoreFailed, audit.Failure, c, p.account, "", "Users.LoggedIn failed"))
		}
	}
	if method != recoveryName { // of that, one mail is enough
		for _, n := range p.arrival(ctx, c) {
			l.notify(c, p.account, n, method)
		}
	}
	if p.confirm != nil {
		l.notify(c, p.account, noticeFactorAdded, method)
	}
	return Outcome{Session: p.session, Token: p.token, Device: device, Next: next}, nil
}

// recoveryUsed tells the audit and the person that a recovery code is gone, wherever it was used. others are the mails that
// this one stands for.
func (l *Logins) recoveryUsed(ctx context.Context, c Client, a Account, others ...notice) error {
	l.notify(c, a, noticeRecovery, recoveryName, others...)
	return l.Record(ctx, event(audit.RecoveryCodeUsed, audit.Success, c, a, recoveryName, ""))
}

// lost says what became of a promotion that failed, to the audit and to the caller.
func (l *Logins) lost(ctx context.Context, c Client, a Account, err error) error {
	var answer error
	reason := clip(err.Error(), 200)
	switch {
	case errors.Is(err, errLostRace), errors.Is(err, refusedStale), errors.Is(err, refusedGone):
		answer = ErrNoPending
	case errors.Is(err, refusedReplay):
		return errors.Join(ErrReplayed, l.Record(ctx, event(audit.ReplayedCode, audit.Failure, c, a, "", "")))
	case errors.Is(err, ErrNotAllowed):
		answer = err
	default:
		answer, reason = told{unavailable("store", err)}, outageReason(unavailable("store", err)) // the store's own words may quote anything
	}
	return errors.Join(answer, l.Record(ctx, event(audit.LoginRefused, audit.Failure, c, a, "", reason)))
}

// guessTry is one answer that is paid for before it is looked at (I-07). Login, proof, enrolment, step-up and single
// requests all go through it, so they share one budget (I-08).
type guessTry struct {
	l          *Logins
	subject    *subject
	prompt     *Prompt
	allowed    []string
	confirming string // id of the new authenticator, while enrolling
	spend      spend
	session    *Session                    // whose prompt is taken before a challenge is verified
	once       func(context.Context) error // takes a challenge that is in no session

	method  string
	charged []string
	window  uint64
	weak    bool // a recovery code has just added what answered (I-14)
	notice  string
}

// do spends, compares, and settles a wrong answer. A right one is left for whoever promotes.
func (t *guessTry) do(ctx context.Context, in CodeInput) (Proof, error) {
	l, s := t.l, t.subject
	t.method = in.Method
	if t.method == "" {
		if t.method = t.prompt.Method; shaped(in.Code, t.allowed) != "" {
			t.method = shaped(in.Code, t.allowed)
		}
	}
	refused := func(name audit.Name, reason string, err error) error {
		return errors.Join(err, l.Record(ctx, event(name, audit.Failure, s.client, s.account, t.method, reason)))
	}
	if !slices.Contains(t.allowed, t.method) {
		t.method = "" // never an unchecked value in a line
		return Proof{}, refused(audit.CredentialRefused, "method not available", ErrMethod)
	}
	f := l.factor(t.method)
	answer, ok := parse(f, in.Code)
	if name := shaped(in.Code, t.allowed); !ok && name != "" { // typed into the field for another code
		t.method = name
		f = l.factor(name)
		answer, ok = parse(f, in.Code)
	}
	if !ok {
		return Proof{}, refused(audit.MalformedCode, "", ErrMalformed)
	}
	a, err := l.attempt(s, f, t.prompt, t.confirming)
	if err != nil {
		return Proof{}, err
	}
	// Disabled, removed or expired since it was offered: there is nothing to compare with.
	if ok, _ := s.usable(f, a); !ok && t.confirming == "" || t.confirming != "" && len(a.Enrolled) == 0 {
		return Proof{}, refused(audit.CredentialRefused, "method not available any more", ErrMethod)
	}
	if _, sends := ability[Deliverer](f); sends {
		switch {
		case a.sent.mac == nil:
			return Proof{}, refused(audit.CredentialRefused, "no code sent", ErrNoCode)
		case !a.Now.Before(a.sent.end):
			return Proof{}, refused(audit.CredentialRefused, "code expired", ErrCodeExpired)
		}
	}
	if a.posed.state != nil && !a.Now.Before(t.prompt.Expires) {
		return Proof{}, refused(audit.CredentialRefused, "challenge expired", ErrCodeExpired)
	}
	// A signature cannot be guessed, and nobody may disable a passkey without the password (I-09). What is being enrolled counts
	// for nothing yet, and most of what is begun is given up: an entry for each would stay in the account's record.
	if t.once == nil && t.confirming == "" {
		t.charged = charged(f, a)
	}
	t.spend.auth = t.charged
	spent, err := l.apply(ctx, accountKey(s.account.ID), t.spend)
	now := l.now()
	b := spent.after.budgetsOf(t.spend.device, now).code
	switch {
	case errors.Is(err, refusedBlocked):
		return Proof{}, refused(audit.CodeGuessesSpent, spent.after.whose("blocked", t.spend.device, now), &BlockedError{Until: b.until, RetryAfter: b.until.Sub(now)})
	case errors.Is(err, refusedInFlight):
		return Proof{}, refused(audit.CredentialRefused, string(refusedInFlight), &BusyError{RetryAfter: time.Second})
	case errors.Is(err, refusedDisabled):
		return Proof{}, refused(audit.CredentialRefused, string(refusedDisabled), ErrMethod)
	case err != nil:
		return Proof{}, err
	}
	t.window = b.window
	if err := l.released(ctx, s.client, s.account, spent, t.spend.device, codeGuess); err != nil {
		return Proof{}, err
	}

	if a.posed.state != nil {
		if err := t.take(ctx); err != nil {
			t.settle(ctx, false) // nothing was compared
			return Proof{}, refused(audit.CredentialRefused, "challenge used by another request", err)
		}
	}
	proof, err := verify(ctx, f, a, answer)
	if t.confirming == "" && (err == nil || errors.Is(err, ErrWrongCode)) {
		l.try(s, a, t.method, in.Code, err == nil)
	}
	t.notice = clip(a.Info, 2048)
	switch {
	case err == nil:
		i := slices.IndexFunc(a.Enrolled, func(v Authenticator) bool { return v.ID == proof.Authenticator })
		from := a.Enrolled // what may have answered
		if i >= 0 {
			from, proof.seen = from[i:i+1], from[i].sealed
		} else if proof.Authenticator = f.Name(); proof.Enrolment != nil || proof.Step != 0 {
			return Proof{}, unavailable("factor", errors.New("its proof names no authenticator"))
		}
		t.weak = slices.ContainsFunc(from, a.weak)
		if d, ok := ability[Deliverer](f); ok && !l.rules.sendUnlimited {
			if channel, to, ok := d.Destination(a); ok && channel == ChannelSMS {
				l.countEntered(ctx, countedAs(channel, to), t.subject.purpose, t.prompt.SentAt)
			}
		}
		return proof, nil
	case errors.Is(err, ErrNoCode), errors.Is(err, ErrCodeExpired): // nothing was compared
		t.settle(ctx, false)
		return Proof{}, refused(audit.CredentialRefused, "no code", err)
	case errors.Is(err, ErrReplayed) && t.consumed(ctx):
		// The second click of a double click: the first has used the code and the pending login with it (I-03). A wrong code
		// stays a guess, whatever became of the pending login.
		t.settle(ctx, false)
		return Proof{}, refused(audit.NoPendingLogin, "used by another request", ErrNoPending)
	case errors.Is(err, ErrWrongCode):
		settled := t.settle(ctx, true)
		name := audit.InvalidCode
		if errors.Is(err, ErrReplayed) {
			name = audit.ReplayedCode
		}
		reason := ""
		if v, ok := errors.AsType[Reasoned](err); ok {
			reason = v.AuditReason()
		}
		err = refused(name, reason, err)
		was, is := settled.before.budgetsOf(t.spend.device, now).code, settled.after.budgetsOf(t.spend.device, now).code
		if is.wrong >= l.rules.codeGuesses && was.wrong < is.wrong {
			err = errors.Join(err, refused(audit.CodeGuessesSpent, settled.after.whose("now blocked", t.spend.device, now), nil))
			l.notify(s.client, s.account, noticeBlocked.of(settled.after.whose("code", t.spend.device, now)), t.method)
		}
		for _, id := range t.charged {
			if spent.after.authOf(id).failures == maxFailures { // it was this guess, and not one that ran beside it
				err = errors.Join(err, refused(audit.FactorDisabled, fmt.Sprintf("%d wrong answers in a row", maxFailures), nil))
			}
		}
		return Proof{}, err
	default: // the factor itself failed: the guess stays spent, nobody is let in
		return Proof{}, refused(audit.CredentialRefused, "factor failed", told{unavailable("factor "+t.method, errFactor)})
	}
}

// consumed reports whether the pending login has been used up by another request since it was read.
func (t *guessTry) consumed(ctx context.Context) bool {
	if t.session == nil || t.session.kind != kindPending {
		return false
	}
	raw, err := t.l.store.Load(ctx, t.session.key)
	return err == nil && raw == nil
}

// take takes the challenge out of the session, once: whoever finds it gone has an answer that was shown before.
func (t *guessTry) take(ctx context.Context) error {
	if t.once != nil {
		return t.once(ctx)
	}
	want := t.prompt.state
	if t.session == nil {
		return ErrNoCode
	}
	taken := false
	err := t.l.rewrite(ctx, t.session, func(s *Session) {
		p := new(Prompt)
		switch {
		case s.kind == kindPending:
			p = &s.pending.Prompt
		case s.kind == kindLogin && s.login.prompt != nil:
			*p = *s.login.prompt
			s.login.prompt = p
		}
		taken = string(p.state) == string(want) && len(want) > 0
		if taken {
			p.state, p.Options = nil, nil
		}
	})
	switch {
	case errors.Is(err, ErrEnded), err == nil && !taken:
		return ErrNoCode
	}
	return err
}

var errFactor = errors.New("it failed") // its own words may hold what was typed

// settle says how the guess ended. When the store cannot be reached it counts as wrong, by time.
func (t *guessTry) settle(ctx context.Context, wrong bool) transition {
	in := settle{kind: codeGuess, device: t.spend.device, window: t.window, wrong: wrong}
	if !wrong {
		in.auth = t.charged
	}
	tr, _ := t.l.apply(ctx, accountKey(t.subject.account.ID), in)
	return tr
}

// verify calls a factor; a panic in it is a failure.
func verify(ctx context.Context, f Factor, a *Attempt, answer []byte) (p Proof, err error) {
	defer func() {
		if recover() != nil {
			p, err = Proof{}, errFactor
		}
	}()
	return f.Verify(ctx, a, answer)
}

// Resend asks for a code again, or by another method. The token stays; a code sent before is replaced.
// It returns ErrNoPending, ErrOtherLogin, ErrMethod, ErrSend, a *BlockedError, or a *BusyError with Cooldown set.
func (l *Logins) Resend(ctx context.Context, c Client, s *Session, loginID, method string) (Outcome, error) {
	c = c.in(s)
	p, ok := s.Pending()
	if !ok {
		return Outcome{}, errors.Join(ErrNoPending, l.Record(ctx, event(audit.NoPendingLogin, audit.Failure, c, Account{}, "", "")))
	}
	if loginID != "" && loginID != p.ID {
		return Outcome{}, l.otherLogin(ctx, c, Account{ID: p.account, Name: p.name})
	}
	if method == "" {
		method = p.Prompt.Method
	}
	who := Account{ID: p.account, Name: p.name}
	// An authenticator that is being enrolled can be shown as often as it is asked; only another kind is something new.
	if !slices.Contains(p.Methods, method) || p.Stage == StageEnrol && method == p.Prompt.Method {
		return Outcome{}, errors.Join(ErrMethod, l.Record(ctx, event(audit.CredentialRefused, audit.Failure, c, who, "", "method not available")))
	}
	rec, err := l.peek(ctx, accountKey(p.account))
	if err != nil {
		return Outcome{}, err
	}
	a, _, err := l.again(ctx, c, p.account)
	if err == nil {
		if err := l.codeBlock(ctx, c, a, rec, p.device); err != nil {
			return Outcome{}, err
		}
	}
	if err == nil && (rec.blocked || rec.epoch != p.epoch || rec.budgetsOf(p.device, l.now()).code.blocks != p.blocks) {
		err = refusedStale
	}
	if err != nil {
		return l.refusePending(ctx, c, s, who, err)
	}
	purpose := PurposeLogin
	switch p.Stage {
	case StageProof:
		purpose = PurposeEnrolProof
	case StageEnrol:
		purpose = PurposeEnrol
	}
	sub, err := l.subject(ctx, c, a, rec, p.device, purpose, p.channel)
	if err != nil {
		return Outcome{}, err
	}
	if p.Stage == StageEnrol {
		return l.enrolOther(ctx, s, &sub, method)
	}
	prompt, err := l.ask(ctx, &sub, p.Methods, method, p.Prompt)
	var wait *waitError
	if errors.As(err, &wait) {
		return Outcome{}, &BusyError{Cooldown: true, RetryAfter: wait.until.Sub(l.now())}
	}
	if err != nil {
		return Outcome{}, err
	}
	wctx, cancel := detached(ctx)
	defer cancel()
	if err := l.rewrite(wctx, s, func(s *Session) { s.pending.Prompt = prompt }); err != nil {
		if errors.Is(err, ErrEnded) {
			err = ErrNoPending
		}
		return Outcome{}, err
	}
	if prompt.Failed {
		return Outcome{Session: s}, ErrSend
	}
	return Outcome{Session: s}, nil
}
