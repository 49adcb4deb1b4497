package challenge

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// A passkey that has verified the person may count as both factors (Config.Passwordless; off by default): the device holds
// the key, and a PIN or biometry opened it, which makes it a multi-factor cryptographic authenticator (NIST SP 800-63B-4
// section 3.1.7). Nobody types a name: the answer brings a handle, under which the store keeps whose it is.
//
// The challenge is stateless, so that a login page that nobody answers costs no record (I-23): a nonce and an end under a
// keyed hash that is bound to the site. It is used once all the same: the first answer that is paid for leaves a record of
// it, by compare-and-swap from nothing, which lives as long as the challenge could.

// PurposePasswordless is the purpose of an answer that stands for both factors.
const PurposePasswordless Purpose = "passwordless"

// Discoverable is an optional ability of a [Factor] whose answers can stand for both factors: they tell by themselves whose
// they are, and that the device has verified the person. Its Verify, called with [PurposePasswordless] and the nonce as
// [Attempt.Challenge], must accept an answer only from an authenticator for which Handle is ok, that names this very handle,
// signs this nonce for this site and says that the person was verified. Without an authenticator that fits it must do the
// work of a real comparison and refuse.
type Discoverable interface {
	// Discover writes the options by which a client finds an authenticator for nonce by itself. They name no account.
	Discover(a *Attempt, nonce []byte) (options []byte, err error)
	// Claim reads from an answer in canonical form, before anything is verified, whose it claims to be and the nonce that it
	// answers. ok is false when it tells neither.
	Claim(answer []byte) (handle, nonce []byte, ok bool)
	// Handle reads from an authenticator's data the handle that its answers bring: at least 16 random bytes, the same for all
	// of an account. ok is false for one that may not stand for both factors.
	Handle(data []byte) (handle []byte, ok bool)
}

const (
	// passwordlessTTL is how long a challenge may wait for its answer. Config.CodeTTL, when it is shorter, cuts it off.
	passwordlessTTL = 5 * time.Minute
	// usedGrace is how much longer the record of a used one stays, for processes whose clocks differ.
	usedGrace = time.Minute

	kindUsed   byte = 'U'
	nonceHead       = 8 + 16 // its end in milliseconds, and random bytes; a keyed hash follows
	handleHash      = "user handle"
)

// PasswordlessMethod is the name of the factor that counts as both, empty when Config.Passwordless is off.
func (l *Logins) PasswordlessMethod() string {
	if l.alone == nil {
		return ""
	}
	return l.alone.Name()
}

// BeginPasswordless poses a challenge that a passkey alone may answer, until Expires. It stores nothing and names nobody.
// ErrMethod when Config.Passwordless is off.
func (l *Logins) BeginPasswordless(context.Context) (p Prompt, err error) {
	if l.alone == nil {
		return Prompt{}, ErrMethod
	}
	now := l.now()
	life := min(passwordlessTTL, l.durations.Code)
	p = Prompt{Method: l.alone.Name(), Expires: now.Add(life)}
	nonce := binary.BigEndian.AppendUint64(nil, uint64(p.Expires.UnixMilli()))
	nonce = append(nonce, make([]byte, nonceHead-len(nonce))...)
	if err := l.fill(nonce[8:]); err != nil {
		return Prompt{}, err
	}
	nonce = append(nonce, l.keys.Hash("passwordless", l.site.Origin, string(nonce))...)
	defer func() {
		if recover() != nil {
			p, err = Prompt{}, unavailable("factor", errFactor)
		}
	}()
	d, _ := ability[Discoverable](l.alone)
	a := &Attempt{Purpose: PurposePasswordless, Site: l.site.Origin, Now: now, Texts: l.texts, keys: l.keys, random: l.random, maxTTL: life}
	if p.Options, err = d.Discover(a, nonce); err != nil {
		return Prompt{}, unavailable("factor", errFactor)
	}
	return p, nil
}

// nonceEnd is when a challenge of ours ends; ok is false for one that is not, or not for this site.
func (l *Logins) nonceEnd(nonce []byte) (end time.Time, ok bool) {
	if len(nonce) <= nonceHead || !l.keys.Matches(nonce[nonceHead:], "passwordless", l.site.Origin, string(nonce[:nonceHead])) {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(nonce))), true
}

// useNonce uses a challenge up: one winner, ErrNoCode for the others.
func (l *Logins) useNonce(ctx context.Context, nonce []byte, end time.Time) error {
	e := make(encoder, 0, 16)
	e.byte(kindUsed)
	e.byte(recordVersion)
	e.time(end)
	// Beside the accounts, which all processes share even where each has sessions of its own.
	switch ok, err := l.accounts.CompareAndSwap(ctx, "u"+hashed("passwordless", string(nonce)), nil, e, end.Add(usedGrace)); {
	case err != nil:
		return unavailable("store", err)
	case !ok:
		return ErrNoCode
	}
	return nil
}

// PasswordlessInput is an answer to [Logins.BeginPasswordless].
type PasswordlessInput struct {
	Slot Slot   // where the token of the new login will live
	Code string // the answer, as a passkey's always is
	Next string // where the person wanted to go
}

// Format hides everything.
func (PasswordlessInput) Format(f fmtState, _ rune) { writeRedacted(f, "[passwordless input]") }

// Passwordless logs in by a passkey alone, and ends whatever login the session was. The guess is spent from the code budget
// of the account that the answer names before anything is verified (I-07), and from a decoy's where it names nobody.
//
// It returns ErrMalformed for what is no answer; ErrNoCode for a challenge that is not ours or was answered before, and
// ErrCodeExpired after its end; a *BusyError; a *BlockedError to a known device; and ErrRefused for everything else alike: an
// unknown handle, a wrong answer, spent guesses, an account that is disabled, blocked or a service, a policy that asks for
// another factor (I-10).
func (l *Logins) Passwordless(ctx context.Context, c Client, from *Session, in PasswordlessInput) (Outcome, error) {
	method := l.PasswordlessMethod()
	refused := func(name audit.Name, reason string, err error) (Outcome, error) {
		return Outcome{}, errors.Join(err, l.Record(ctx, event(name, audit.Failure, c, Account{}, method, reason)))
	}
	if method == "" {
		return refused(audit.CredentialRefused, "method not available", ErrMethod)
	}
	answer, handle, nonce, ok := l.claim(in.Code)
	if !ok {
		return refused(audit.MalformedCode, "", ErrMalformed)
	}
	end, ours := l.nonceEnd(nonce)
	switch {
	case !ours:
		return refused(audit.CredentialRefused, "challenge not of this site", ErrNoCode)
	case !l.now().Before(end):
		return refused(audit.CredentialRefused, "challenge expired", ErrCodeExpired)
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	use := func(ctx context.Context) error { return l.useNonce(ctx, nonce, end) }
	prompt := Prompt{Method: method, Expires: end, state: nonce}
	s, v, err := l.holder(ctx, c, handle)
	if err != nil {
		return Outcome{}, err
	}
	if v.why != nil {
		return Outcome{}, l.burn(ctx, &s, v, &prompt, use, answer)
	}
	try := guessTry{l: l, subject: &s, prompt: &prompt, allowed: []string{method}, once: use,
		spend: spend{kind: codeGuess, device: s.device, epoch: s.record.epoch, undated: true}}
	proof, err := try.do(ctx, CodeInput{Method: method, Code: in.Code})
	if err != nil {
		return Outcome{}, l.alike(ctx, &s, err)
	}

	// Once more, just before the login is made, as after any code (I-16).
	a, verdict, err := l.again(ctx, c, s.account.ID)
	if err == nil && !verdict.NotNeeded && !verdict.allows(method) {
		err = errPolicy
	}
	if err != nil {
		try.settle(ctx, false)
		if errors.Is(err, ErrUnavailable) {
			return Outcome{}, err
		}
		return Outcome{}, l.refuse(ctx, c, s.account, err.Error())
	}
	l.shadowAlone(c, a, method)
	out, err := l.enterAlone(ctx, c, from, in, &try, a, proof)
	if err != nil {
		try.settle(ctx, errors.Is(err, ErrReplayed))
		if errors.Is(err, ErrUnavailable) {
			return Outcome{}, err
		}
		return Outcome{}, ErrRefused // promote has written why
	}
	out.Notice = try.notice
	return out, nil
}

// allows reports whether a verdict is content with one method.
func (v Verdict) allows(method string) bool {
	return v.Factors == nil || slices.Contains(v.Factors, method)
}

// enterAlone takes the same way as every login: a pending login is consumed (I-01). Nobody ever has this one's token.
func (l *Logins) enterAlone(ctx context.Context, c Client, from *Session, in PasswordlessInput, t *guessTry, a Account, proof Proof) (Outcome, error) {
	data, err := l.leave(ctx, c, from, a.ID)
	if err != nil {
		return Outcome{}, err
	}
	id, err := l.randomID()
	if err != nil {
		return Outcome{}, err
	}
	c.pending = id.String()
	now, s := l.now(), t.subject
	p := Pending{ID: id.String(), Stage: StageCode, Methods: t.allowed, Prompt: Prompt{Method: t.method}, Next: clip(in.Next, 2048), Language: clip(a.Language, 64),
		Created: now, Expires: now.Add(l.durations.Pending), account: a.ID, name: a.Name, epoch: t.spend.epoch, device: s.device}
	pending, err := l.openPending(ctx, in.Slot, p, data)
	if err != nil {
		return Outcome{}, err
	}
	login := l.newLogin(c, a, []Method{{t.method, now, t.weak}}, s.device, "", now)
	return l.promote(ctx, c, &promotion{slot: in.Slot, pending: pending.Session, account: a, proof: proof, compared: true, record: &s.record, login: login,
		bind: bind{epoch: t.spend.epoch, device: s.device, proof: proofUsed{auth: proof.Authenticator, step: proof.Step, charged: t.charged}}}, p.Next)
}

// claim reads whose an answer claims to be; a panic of the factor is no answer.
func (l *Logins) claim(code string) (answer, handle, nonce []byte, ok bool) {
	defer func() {
		if recover() != nil {
			answer, handle, nonce, ok = nil, nil, nil, false
		}
	}()
	if answer, ok = parse(l.alone, code); !ok {
		return nil, nil, nil, false
	}
	d, _ := ability[Discoverable](l.alone)
	handle, nonce, ok = d.Claim(answer)
	return answer, handle, nonce, ok && len(handle) > 0
}

// turnedAway is why a handle leads to nobody who may come in, as the audit says it; the client is told less.
type turnedAway struct {
	why    error // nil: somebody may
	name   audit.Name
	decoy  string // the record that pays in the account's place
	onward bool   // the subject's record is the decoy's
}

// holder finds out whose a handle is. The index is only where to look: whether the account has such an authenticator stands
// in its own enrolments, and a leftover of the index leads nowhere.
func (l *Logins) holder(ctx context.Context, c Client, handle []byte) (subject, turnedAway, error) {
	out := turnedAway{name: audit.UnknownUser, decoy: l.decoyKey(handleHash + "\x00" + string(handle))}
	id, err := l.accountOf(ctx, handle)
	if err != nil {
		return subject{}, out, err
	}
	// A handle is 64 random bytes: nobody can try many to find out by the time which ones are somebody's.
	a, v, why, key := Account{}, Verdict{}, errors.New("challenge: unknown passkey"), out.decoy
	if id != "" {
		a, v, why = l.again(ctx, c, id)
		switch key = accountKey(id); {
		case errors.Is(why, ErrUnavailable):
			return subject{}, out, why
		case why != nil:
			if a.ID == "" {
				a = Account{ID: id, Name: id}
			}
			out.name, key = audit.LoginRefused, out.decoy
		}
	}
	rec, err := l.peek(ctx, key)
	if err != nil {
		return subject{}, out, err
	}
	s, err := l.subject(ctx, c, a, rec, deviceOf(a.ID, c.Device), PurposePasswordless, "")
	if err != nil {
		return subject{}, out, err
	}
	if out.onward = key == out.decoy; !out.onward {
		out.name = audit.LoginRefused
		switch has, err := l.answersTo(&s, handle); {
		case err != nil:
			return subject{}, out, err
		case rec.blocked:
			why = refusedAdmin
		case !v.NotNeeded && !v.allows(l.alone.Name()):
			why = errPolicy
		case !has:
			why = errors.New("challenge: passkey removed, disabled or not for both factors")
		}
	}
	out.why = why
	return s, out, nil
}

// answersTo reports whether the account has an authenticator that may stand for both factors under this handle.
func (l *Logins) answersTo(s *subject, handle []byte) (bool, error) {
	a, err := l.attempt(s, l.alone, nil, "")
	if err != nil {
		return false, err
	}
	if ok, _ := s.usable(l.alone, a); !ok {
		return false, nil
	}
	return slices.ContainsFunc(a.Enrolled, func(v Authenticator) bool {
		h, ok := l.handle(v.Data)
		return ok && string(h) == string(handle)
	}), nil
}

// burn takes the way of a wrong answer through a decoy: a guess is spent, the challenge used up, something compared, and the
// same said. The audit alone is told the reason.
func (l *Logins) burn(ctx context.Context, s *subject, v turnedAway, p *Prompt, use func(context.Context) error, answer []byte) error {
	said := func(name audit.Name, reason string, err error) error {
		return errors.Join(err, l.Record(ctx, event(name, audit.Failure, s.client, s.account, p.Method, reason)))
	}
	rec := s.record
	if !v.onward {
		var err error
		if rec, err = l.peek(ctx, v.decoy); err != nil {
			return err
		}
	}
	now := l.now()
	spent, err := l.apply(ctx, v.decoy, spend{kind: codeGuess, epoch: rec.epoch, undated: true})
	switch {
	case errors.Is(err, refusedInFlight):
		return said(audit.CredentialRefused, string(refusedInFlight), &BusyError{RetryAfter: time.Second})
	case errors.As(err, new(refusal)):
		return said(v.name, v.why.Error(), ErrRefused)
	case err != nil:
		return err
	}
	settled := settle{kind: codeGuess, window: spent.after.budgetsOf(deviceID{}, now).code.window}
	if err := use(ctx); err != nil {
		if errors.Is(err, ErrUnavailable) {
			return err
		}
		if _, err := l.apply(ctx, v.decoy, settled); err != nil {
			return err
		}
		return said(audit.CredentialRefused, "challenge used by another request", err)
	}
	a, err := l.attempt(&subject{client: s.client, purpose: s.purpose}, l.alone, p, "") // without an authenticator
	if err != nil {
		return err
	}
	_, _ = verify(ctx, l.alone, a, answer) // whatever it says
	settled.wrong = true
	if _, err := l.apply(ctx, v.decoy, settled); err != nil {
		return err
	}
	return said(v.name, v.why.Error(), ErrRefused)
}

// alike makes one answer of what a guess may end in, as [Logins.Password] does. Its events are written.
func (l *Logins) alike(ctx context.Context, s *subject, err error) error {
	switch {
	case errors.Is(err, ErrUnavailable), errors.As(err, new(*BusyError)), errors.Is(err, ErrNoCode), errors.Is(err, ErrCodeExpired):
		return err
	case errors.As(err, new(*BlockedError)) && s.record.known(s.device, l.now()) >= 0:
		return err
	case errors.Is(err, refusedStale): // which nobody has written yet
		return l.refuse(ctx, s.client, s.account, err.Error())
	}
	return ErrRefused
}

// handle reads the handle that an authenticator of the passwordless factor answers to.
func (l *Logins) handle(data []byte) (handle []byte, ok bool) {
	defer func() {
		if recover() != nil {
			handle, ok = nil, false
		}
	}()
	d, _ := ability[Discoverable](l.alone)
	handle, ok = d.Handle(data)
	return handle, ok && len(handle) >= 16
}

// handleKey is the store's key for whose a handle is. A handle is random, so the hash needs no key.
func handleKey(handle []byte) string { return "h" + hashed(handleHash, string(handle)) }

// accountOf looks a handle up; empty when nobody has it.
func (l *Logins) accountOf(ctx context.Context, handle []byte) (string, error) {
	key := handleKey(handle)
	raw, err := l.accounts.Load(ctx, key)
	if err != nil {
		return "", unavailable("store", err)
	}
	if raw == nil {
		return "", nil
	}
	id, err := l.keys.Open(raw, handleHash, key)
	return string(id), err
}

// keepHandle makes an account findable by an authenticator that may stand for both factors. It is called before a right
// answer counts: what is left over when that fails leads nowhere. An authenticator that was enrolled while
// Config.Passwordless was off becomes findable when it is used the next time.
func (l *Logins) keepHandle(ctx context.Context, accountID, factor string, data []byte) error {
	if l.alone == nil || factor != l.alone.Name() || data == nil {
		return nil
	}
	handle, ok := l.handle(data)
	if !ok {
		return nil
	}
	key := handleKey(handle)
	return swap(ctx, l.accounts, key, func(raw []byte) (next []byte, end time.Time, err error) {
		if len(raw) >= 4 && binary.BigEndian.Uint32(raw) == l.keys.keys[0].id {
			if id, err := l.keys.Open(raw, handleHash, key); err == nil && string(id) == accountID {
				return raw, end, nil
			}
		}
		next, err = l.keys.Seal([]byte(accountID), handleHash, key)
		return next, end, err
	})
}

// dropHandles forgets the handles of authenticators that are gone, unless another one that is left has the same. Nothing
// rests on it, so its failures are nobody's.
func (l *Logins) dropHandles(ctx context.Context, accountID string, gone, left []enrolled) {
	if l.alone == nil {
		return
	}
	handles := func(list []enrolled) (out []string) {
		for _, v := range list {
			if v.factor != l.alone.Name() {
				continue
			}
			if data, err := l.keys.Open(v.sealed, "authenticator", accountID, v.id); err == nil {
				if h, ok := l.handle(data); ok {
					out = append(out, string(h))
				}
			}
		}
		return out
	}
	stay := handles(left)
	for _, h := range handles(gone) {
		if slices.Contains(stay, h) {
			continue
		}
		key := handleKey([]byte(h))
		raw, err := l.accounts.Load(ctx, key)
		if err != nil || raw == nil {
			continue
		}
		if id, err := l.keys.Open(raw, handleHash, key); err == nil && string(id) == accountID {
			_, _ = l.accounts.CompareAndSwap(ctx, key, raw, nil, time.Time{})
		}
	}
}

// without reports whether an account has no password that could be asked for. Where somebody else checks passwords that
// cannot be known, and it counts as having one.
func (l *Logins) without(a Account) bool {
	_, ours := l.passwords.(*Argon2id)
	return ours && a.PasswordHash == ""
}

// cameAlone reports whether a login has shown nothing but second factors: it began with a passkey alone.
func (l *Logins) cameAlone(login *Login) bool {
	return l.alone != nil && !slices.ContainsFunc(login.Methods, func(m Method) bool { return l.factor(m.Name) == nil })
}

// bothAgain reports whether a login that came by a passkey alone, of an account without a password, is recent enough to be
// believed both factors before a change.
func (l *Logins) bothAgain(login *Login, a Account) bool {
	return l.alone != nil && l.without(a) && slices.ContainsFunc(login.Methods, func(m Method) bool {
		return m.Name == l.alone.Name() && m.At.Equal(login.Created) && l.now().Sub(m.At) < ConfirmedWithin
	})
}

// CanAskPassword reports whether a login can be asked for the account's password again: it came by it, or by a passkey alone.
// One that came another way (see [Logins.Enter]) can only be repeated.
func (l *Logins) CanAskPassword(ctx context.Context, login *Login) (bool, error) {
	if slices.ContainsFunc(login.Methods, func(m Method) bool { return m.Name == methodPassword }) {
		return true, nil
	}
	if !l.cameAlone(login) {
		return false, nil
	}
	a, err := l.byID(ctx, login.UserID)
	switch {
	case errors.Is(err, ErrUnknown):
		return false, nil
	case err != nil:
		return false, unavailable("users", err)
	}
	return !l.without(a), nil
}
