package challenge

import (
	"context"
	"slices"
)

// What the tests outside the package need to see of its inside.

// StepNames are the protocol's steps in their order.
type StepNames struct{ Promotion, StepUp, Change, Ending []string }

// Steps names the steps in force.
func (l *Logins) Steps() (n StepNames) {
	for _, s := range l.promotionSteps {
		n.Promotion = append(n.Promotion, s.name)
	}
	for _, s := range l.stepUpSteps {
		n.StepUp = append(n.StepUp, s.name)
	}
	for _, s := range l.changeSteps {
		n.Change = append(n.Change, s.name)
	}
	for _, s := range l.endingSteps {
		n.Ending = append(n.Ending, s.name)
	}
	return n
}

// SetSteps puts the steps in another order, or leaves some out.
func (l *Logins) SetSteps(n StepNames) {
	pick := func(all []protocolStep, names []string) (out []protocolStep) {
		for _, name := range names {
			out = append(out, all[slices.IndexFunc(all, func(s protocolStep) bool { return s.name == name })])
		}
		return out
	}
	l.promotionSteps, l.stepUpSteps, l.changeSteps = pick(promotionSteps, n.Promotion), pick(stepUpSteps, n.StepUp), pick(changeSteps, n.Change)
	l.endingSteps = nil
	for _, name := range n.Ending {
		l.endingSteps = append(l.endingSteps, endingSteps[slices.IndexFunc(endingSteps, func(s endingStep) bool { return s.name == name })])
	}
}

// Keys of records, and pure functions.
var (
	AccountKey    = accountKey
	EnrolmentsKey = enrolmentsKey
	SessionKey    = sessionKey
	CountryCode   = countryCode
)

// Record is an account's record in the words of a test.
type Record struct {
	Blocked                                                             bool
	PasswordSpent, PasswordWrong, CodeSpent, CodeWrong, ShortSent, Sent int // of strangers
	Devices                                                             int
	Logins                                                              map[string]string // public id → session key
	Ending                                                              []string
	Failures                                                            map[string]int
	Steps                                                               map[string]int64
	Epoch                                                               [16]byte
}

// ReadRecord reads the bytes of an account's record; ok is false for what is none.
func ReadRecord(raw []byte) (r Record, ok bool) {
	rec, err := decodeAccount(raw)
	if err != nil {
		return r, false
	}
	s := rec.strange
	r = Record{Blocked: rec.blocked, PasswordSpent: s.password.spent, PasswordWrong: s.password.wrong, CodeSpent: s.code.spent, CodeWrong: s.code.wrong,
		ShortSent: s.sends.short.n, Sent: s.sends.day.n, Devices: len(rec.devices), Logins: map[string]string{}, Ending: rec.ending,
		Failures: map[string]int{}, Steps: map[string]int64{}, Epoch: rec.epoch}
	for _, v := range rec.logins {
		r.Logins[v.id.String()] = v.key
	}
	for _, a := range rec.auth {
		r.Failures[a.id], r.Steps[a.id] = a.failures, a.step
	}
	return r, true
}

// AccountRecord loads an account's record.
func (l *Logins) AccountRecord(id string) (Record, error) {
	raw, err := l.accounts.Load(context.Background(), accountKey(id))
	if err != nil || raw == nil {
		return Record{}, err
	}
	r, _ := ReadRecord(raw)
	return r, nil
}

// Confirmed are the ids of an account's confirmed authenticators of a factor.
func (l *Logins) Confirmed(id, factor string) (ids []string) {
	e, err := l.loadEnrolments(context.Background(), id)
	if err != nil {
		panic(err)
	}
	for _, v := range e.list {
		if v.waits.IsZero() && v.factor == factor {
			ids = append(ids, v.id)
		}
	}
	return ids
}

// KeptVerdicts is how many verdicts on machines' credentials are kept.
func (l *Logins) KeptVerdicts() int {
	l.verdicts.mu.Lock()
	defer l.verdicts.mu.Unlock()
	return len(l.verdicts.known)
}
