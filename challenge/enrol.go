package challenge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// confirmation makes an authenticator real in the step that uses up its first right answer.
type confirmation struct {
	id       string
	seen     []byte    // the sealed data that the factor verified; only that may become real
	sealed   []byte    // what it becomes, where the first answer brings it (a passkey); nil: it stays
	recovery *enrolled // the recovery codes that come with it, if any
	beside   bool      // a finished login adds it beside what there is
	weak     time.Time // until then it takes nothing away (I-14)
}

// apply refuses when the account has meanwhile enrolled something else: a pending login never adds beside a factor (I-02).
func (c *confirmation) apply(list []enrolled) ([]enrolled, error) {
	if !c.beside && (&enrolments{list: list}).any() {
		return nil, fmt.Errorf("%w: a second factor is enrolled already", ErrNotAllowed)
	}
	i := slices.IndexFunc(list, func(v enrolled) bool { return v.id == c.id && !v.waits.IsZero() })
	if i < 0 || string(list[i].sealed) != string(c.seen) {
		return nil, errLostRace
	}
	list[i].waits, list[i].weak = time.Time{}, c.weak
	if c.sealed != nil {
		list[i].sealed = c.sealed
	}
	// What else was begun and abandoned goes, and so do recovery codes of an earlier time.
	list = slices.DeleteFunc(list, func(v enrolled) bool {
		return v.id != c.id && (!c.beside || !v.waits.IsZero() || c.recovery != nil && v.factor == recoveryName)
	})
	if c.recovery != nil {
		list = append(list, *c.recovery)
	}
	return list, nil
}

// confirming prepares the confirmation of a new authenticator and makes the recovery codes that are shown with it.
func (l *Logins) confirming(s *subject, id string, proof Proof) (*confirmation, []string, error) {
	c := &confirmation{id: id, seen: proof.seen}
	if proof.Enrolment != nil {
		var err error
		if c.sealed, err = l.sealData(s.account.ID, id, proof.Enrolment); err != nil {
			return nil, nil, err
		}
	}
	v, codes, err := l.makeRecoveryCodes(s)
	if err != nil {
		return nil, nil, err
	}
	c.recovery = v
	return c, codes, nil
}

// makeRecoveryCodes draws codes and seals their hashes; nil when recovery codes are not configured.
func (l *Logins) makeRecoveryCodes(s *subject) (*enrolled, []string, error) {
	f := l.factor(recoveryName)
	r, ok := ability[*Recovery](f)
	if !ok {
		return nil, nil, nil
	}
	a, err := l.attempt(s, f, nil, "")
	if err != nil {
		return nil, nil, err
	}
	codes, data, err := newRecoveryCodes(a, r.count())
	if err != nil {
		return nil, nil, err
	}
	v, err := l.newAuthenticator(s.account.ID, recoveryName, "", data)
	if err != nil {
		return nil, nil, err
	}
	shown := make([]string, len(codes))
	for i, c := range codes {
		shown[i] = string(c)
	}
	return &v, shown, nil
}

func (l *Logins) newAuthenticator(accountID, factor, name string, data []byte) (enrolled, error) {
	id, err := l.randomID()
	if err != nil {
		return enrolled{}, err
	}
	v := enrolled{id: id.String(), factor: factor, name: name, created: l.now()}
	v.sealed, err = l.sealData(accountID, v.id, data)
	return v, err
}

// beginEnrol follows the proof of the account's own address: a new authenticator is made, which counts for nothing before
// its first right answer, and the pending login goes on under a new token.
func (l *Logins) beginEnrol(ctx context.Context, c Client, s *Session, t *guessTry, proof Proof, v Verdict) (Outcome, error) {
	t.settle(ctx, false)
	reason := "own address proven"
	var used *Proof
	if t.method == enrolmentCodeName {
		reason, used = "by an administrator's code", &proof
	}
	sub := *t.subject
	names := l.enrollable(v)
	if len(names) == 0 || sub.enrolments.any() {
		return l.refusePending(ctx, c, s, sub.account, errors.New("challenge: nothing to enrol"))
	}
	next := *s.pending
	next.Stage, next.Methods, next.Prompt = StageEnrol, names, Prompt{Method: names[0]}
	made, err := l.makeWaiting(ctx, &sub, names[0], next.Expires)
	if err != nil {
		return Outcome{}, err
	}
	next.enrolling = made.id
	if err := l.consume(ctx, s); err != nil {
		return Outcome{}, l.lost(ctx, c, sub.account, err)
	}
	if err := l.saveWaiting(ctx, &sub, made, used); err != nil {
		if errors.Is(err, errLostRace) {
			err = l.lost(ctx, c, sub.account, err)
		}
		return Outcome{}, err
	}
	if err := l.Record(ctx, event(audit.CodeValidated, audit.Success, c, sub.account, t.method, reason)); err != nil {
		return Outcome{}, err
	}
	return l.openPending(ctx, s.slot, next, s.data)
}

// makeWaiting makes an authenticator for a pending login, which waits for its first right answer until then.
func (l *Logins) makeWaiting(ctx context.Context, sub *subject, method string, until time.Time) (enrolled, error) {
	sub.purpose = PurposeEnrol
	f := l.factor(method)
	a, err := l.attempt(sub, f, nil, "")
	if err != nil {
		return enrolled{}, err
	}
	e, err := enrol(ctx, f, a)
	if err != nil {
		return enrolled{}, err
	}
	made, err := l.newAuthenticator(sub.account.ID, method, "", e.Data)
	made.waits = until
	return made, err
}

// saveWaiting keeps it, one at a time: it takes the place of one that waits, and of an administrator's code. The code that
// opened the enrolment, if one did, must still be there: it is used once.
func (l *Logins) saveWaiting(ctx context.Context, sub *subject, made enrolled, used *Proof) error {
	return l.changeEnrolments(ctx, sub.account.ID, func(list []enrolled) ([]enrolled, error) {
		if used != nil && !slices.ContainsFunc(list, func(v enrolled) bool { return v.id == used.Authenticator && string(v.sealed) == string(used.seen) }) {
			return nil, errLostRace
		}
		list = slices.DeleteFunc(list, func(v enrolled) bool { return !v.waits.IsZero() || v.factor == enrolmentCodeName })
		return append(list, made), nil
	})
}

// enrolOther goes over to another kind of authenticator, while nothing is confirmed.
func (l *Logins) enrolOther(ctx context.Context, s *Session, sub *subject, method string) (Outcome, error) {
	ctx, cancel := detached(ctx)
	defer cancel()
	if sub.enrolments.any() {
		return Outcome{}, ErrNoPending
	}
	made, err := l.makeWaiting(ctx, sub, method, s.pending.Expires)
	if err != nil {
		return Outcome{}, err
	}
	if err := l.saveWaiting(ctx, sub, made, nil); err != nil {
		return Outcome{}, err
	}
	err = l.rewrite(ctx, s, func(s *Session) { s.pending.enrolling, s.pending.Prompt = made.id, Prompt{Method: method} })
	if errors.Is(err, ErrEnded) {
		err = ErrNoPending
	}
	return Outcome{Session: s}, err
}

// Enrolling is what to show while a pending login waits for the first answer of a new authenticator: the same as often as
// it is asked. It holds a secret; it is not in the session.
func (l *Logins) Enrolling(ctx context.Context, c Client, s *Session) (Enrolment, error) {
	p, ok := s.Pending()
	if !ok || p.Stage != StageEnrol {
		return Enrolment{}, ErrNoPending
	}
	rec, err := l.peek(ctx, accountKey(p.account))
	if err != nil {
		return Enrolment{}, err
	}
	if rec.blocked || rec.epoch != p.epoch {
		return Enrolment{}, ErrNoPending
	}
	account, _, err := l.again(ctx, c, p.account)
	if err != nil {
		if errors.Is(err, ErrUnavailable) {
			return Enrolment{}, err
		}
		return Enrolment{}, ErrNoPending
	}
	sub, err := l.subject(ctx, c, account, rec, p.device, PurposeEnrol, p.channel)
	if err != nil {
		return Enrolment{}, err
	}
	f := l.factor(p.Prompt.Method)
	if f == nil {
		return Enrolment{}, ErrNoPending
	}
	a, err := l.attempt(&sub, f, &p.Prompt, p.enrolling)
	if err != nil {
		return Enrolment{}, err
	}
	if len(a.Enrolled) == 0 {
		return Enrolment{}, ErrNoPending
	}
	return enrol(ctx, f, a)
}

// enrol calls a factor; a panic in it is a failure.
func enrol(ctx context.Context, f Factor, a *Attempt) (e Enrolment, err error) {
	v, ok := ability[Enroller](f)
	if !ok {
		return Enrolment{}, ErrMethod
	}
	defer func() {
		if recover() != nil {
			e, err = Enrolment{}, unavailable("factor", errFactor)
		}
	}()
	return v.Enrol(ctx, a)
}

// ImportTOTP takes over an authenticator that people already have: an otpauth URI, or a secret in base32. It counts at
// once. Its logins do not end: nothing changes for the person. A secret that the account has already changes nothing, so
// that an import can be repeated. Secrets of 80 bits, as some services made them, need [TOTP].InsecureShortSecrets.
func (l *Logins) ImportTOTP(ctx context.Context, accountID, secret, name string) error {
	var t *TOTP
	for _, f := range l.factors {
		if v, ok := ability[*TOTP](f); ok {
			t = v
		}
	}
	if t == nil {
		return fmt.Errorf("%w: Config.Factors has no TOTP", ErrMethod)
	}
	a, err := l.account(ctx, accountID)
	if err != nil {
		return err
	}
	read := t.importSecret
	if strings.HasPrefix(secret, "otpauth:") {
		read = t.importURI
	}
	data, err := read(secret)
	if err != nil {
		return err
	}
	v, err := l.newAuthenticator(accountID, t.Name(), name, data)
	if err != nil {
		return err
	}
	var has bool
	err = l.changeEnrolments(ctx, accountID, func(list []enrolled) ([]enrolled, error) {
		has = slices.ContainsFunc(list, func(o enrolled) bool {
			old, err := l.keys.Open(o.sealed, "authenticator", accountID, o.id)
			return err == nil && o.factor == t.Name() && o.waits.IsZero() && string(old) == string(data)
		})
		if has {
			return list, nil
		}
		return append(list, v), nil
	})
	if err != nil || has {
		return err
	}
	return l.Record(ctx, event(audit.FactorImported, audit.Success, Client{}, a, t.Name(), ""))
}

// MakeRecoveryCodes replaces an account's recovery codes by new ones, which are returned to be shown once. It asks for no
// factor itself: whoever calls it has made sure of the person (I-14).
func (l *Logins) MakeRecoveryCodes(ctx context.Context, c Client, accountID string) ([]string, error) {
	a, err := l.account(ctx, accountID)
	if err != nil {
		return nil, err
	}
	v, codes, err := l.makeRecoveryCodes(&subject{account: a, client: c})
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, fmt.Errorf("%w: Config.Factors has no Recovery", ErrMethod)
	}
	err = l.changeEnrolments(ctx, accountID, func(list []enrolled) ([]enrolled, error) {
		return append(slices.DeleteFunc(list, func(v enrolled) bool { return v.factor == recoveryName }), *v), nil
	})
	if err != nil {
		return nil, err
	}
	return codes, l.Record(ctx, event(audit.RecoveryCodesMade, audit.Success, c, a, recoveryName, ""))
}

// EnrolledFactor describes one authenticator of an account for a page that lists them.
type EnrolledFactor struct {
	ID       string
	Factor   string
	Name     string
	Created  time.Time
	Disabled bool // too many wrong answers in a row
	Left     int  // recovery codes: how many are left
	// Weak is set for a day on what a recovery code has added: until then it takes no other away (I-14).
	Weak time.Time
}

// Security is what an account has, for a page that shows it.
type Security struct {
	Needed  bool // the policy asks for a second factor
	Factors []EnrolledFactor
	Methods []string // what may be used at the next login, preferred first
	Devices int      // known devices
	Logins  int      // live logins
}

// Security describes an account's second factors, known devices and logins.
func (l *Logins) Security(ctx context.Context, c Client, accountID string) (Security, error) {
	a, v, err := l.again(ctx, c, accountID)
	if err != nil {
		return Security{}, err
	}
	rec, err := l.peek(ctx, accountKey(accountID))
	if err != nil {
		return Security{}, err
	}
	s, err := l.subject(ctx, c, a, rec, deviceID{}, PurposeLogin, "")
	if err != nil {
		return Security{}, err
	}
	logins, err := l.live(ctx, &rec)
	if err != nil {
		return Security{}, err
	}
	out := Security{Needed: !v.NotNeeded, Devices: len(rec.knownDevices(l.now())), Logins: len(logins)}
	if out.Factors, err = l.describe(accountID, &rec, s.enrolments.list); err != nil {
		return Security{}, err
	}
	if out.Methods, _, err = l.methods(&s, v); err != nil {
		return Security{}, err
	}
	return out, nil
}

// describe lists what is enrolled, for a page.
func (l *Logins) describe(accountID string, rec *account, list []enrolled) (out []EnrolledFactor, err error) {
	for _, e := range list {
		if !e.shown() {
			continue
		}
		f := EnrolledFactor{ID: e.id, Factor: e.factor, Name: e.name, Created: e.created, Disabled: rec.disabled(e.id)}
		if l.now().Before(e.weak) {
			f.Weak = e.weak
		}
		if e.factor == recoveryName {
			auth, err := l.open(accountID, e, rec)
			if err != nil {
				return nil, err
			}
			f.Left = recoveryCodesLeft(auth.Data)
		}
		out = append(out, f)
	}
	return out, nil
}
