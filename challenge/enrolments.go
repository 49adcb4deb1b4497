package challenge

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const kindEnrolments byte = 'E'

// maxAuthenticators bounds what one account may enrol.
const maxAuthenticators = 32

// enrolments is the record of an account's authenticators. What a factor keeps is sealed with account and authenticator as
// associated data, so it cannot be read from the store, nor moved to another account.
type enrolments struct {
	list      []enrolled
	preferred string // the factor that the person wants to be asked for first; empty: the app's order
}

type enrolled struct {
	id      string
	factor  string
	name    string
	created time.Time
	waits   time.Time // zero: confirmed; else it counts for nothing, and is gone at this time
	weak    time.Time // until then it takes nothing away from what the account had: a recovery code has added it (I-14)
	sealed  []byte
}

// weakFor is how long an authenticator that was added on the strength of a recovery code takes nothing away: the owner, who
// was told by mail, has as long to remove it.
const weakFor = 24 * time.Hour

// maxWeak is how many of them there may be in that time: each ends whatever else has begun, and so does taking it away again, so
// that a thief with one recovery code could keep the owner out by nothing else.
const maxWeak = 3

func (e *enrolments) encode() []byte {
	out := make(encoder, 0, 256)
	out.byte(kindEnrolments)
	out.byte(recordVersion)
	out.uint(uint64(len(e.list)))
	for _, v := range e.list {
		out.string(v.id)
		out.string(v.factor)
		out.string(v.name)
		out.time(v.created)
		out.time(v.waits)
		out.time(v.weak)
		out.bytes(v.sealed)
	}
	out.string(e.preferred)
	return out
}

func decodeEnrolments(raw []byte) (enrolments, error) {
	e := enrolments{}
	if raw == nil {
		return e, nil
	}
	d := decoder{s: string(raw)}
	if d.byte() != kindEnrolments || d.byte() != recordVersion {
		d.bad = true
	}
	for range d.count() {
		e.list = append(e.list, enrolled{id: d.string(), factor: d.string(), name: d.string(), created: d.time(), waits: d.time(), weak: d.time(), sealed: d.bytes()})
	}
	e.preferred = d.string()
	if !d.whole() {
		return enrolments{}, unavailable("enrolments", errRecord)
	}
	return e, nil
}

// shown reports whether a person sees it in the list of what they have enrolled.
func (v *enrolled) shown() bool {
	return v.waits.IsZero() && v.factor != methodTrusted && v.factor != enrolmentCodeName
}

func tooMany() error {
	return fmt.Errorf("%w: an account may have at most %d authenticators", ErrNotAllowed, maxAuthenticators)
}

// any reports whether the account has a confirmed authenticator besides recovery codes.
func (e *enrolments) any() bool {
	return slices.ContainsFunc(e.list, func(v enrolled) bool {
		return v.shown() && v.factor != recoveryName
	})
}

// loadEnrolments reads an account's authenticators; an account without any has an empty record.
func (l *Logins) loadEnrolments(ctx context.Context, accountID string) (enrolments, error) {
	raw, err := l.accounts.Load(ctx, enrolmentsKey(accountID))
	if err != nil {
		return enrolments{}, unavailable("store", err)
	}
	return decodeEnrolments(raw)
}

// changeEnrolments is changeRecord for the list alone: change sees it as it is and returns it as it should be.
func (l *Logins) changeEnrolments(ctx context.Context, accountID string, change func([]enrolled) ([]enrolled, error)) error {
	return l.changeRecord(ctx, accountID, func(e *enrolments) (err error) {
		e.list, err = change(e.list)
		return err
	})
}

// changeRecord is the loop that writes an account's authenticators: change sees the record as it is and makes it what it
// should be; it may be called again. A change that does not apply to what it sees returns an error.
func (l *Logins) changeRecord(ctx context.Context, accountID string, change func(*enrolments) error) error {
	return swap(ctx, l.accounts, enrolmentsKey(accountID), func(raw []byte) (next []byte, end time.Time, err error) {
		e, err := decodeEnrolments(raw)
		if err != nil {
			return nil, end, err
		}
		now := l.now()
		e.list = slices.DeleteFunc(e.list, func(v enrolled) bool { return !v.waits.IsZero() && !now.Before(v.waits) })
		if err := change(&e); err != nil {
			return nil, end, err
		}
		if len(e.list) > maxAuthenticators {
			return nil, end, tooMany()
		}
		if len(e.list) > 0 || e.preferred != "" {
			next = e.encode()
		}
		return next, end, nil
	})
}

func (l *Logins) sealData(accountID, authenticatorID string, data []byte) ([]byte, error) {
	return l.keys.Seal(data, "authenticator", accountID, authenticatorID)
}

// open gives a factor what it kept, as it looks from the account's record.
func (l *Logins) open(accountID string, v enrolled, rec *account) (Authenticator, error) {
	data, err := l.keys.Open(v.sealed, "authenticator", accountID, v.id)
	if err != nil {
		return Authenticator{}, err
	}
	state := rec.authOf(v.id)
	return Authenticator{ID: v.id, Factor: v.factor, Name: v.name, Created: v.created, Data: data, LastStep: state.step, Disabled: rec.disabled(v.id), weak: v.weak, sealed: v.sealed}, nil
}
