package challenge

import (
	"context"
	"slices"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// enrolmentCodeLife is how long a code of [Logins.EnrolmentCode] is good for.
const enrolmentCodeLife = 24 * time.Hour

// EnrolmentCode makes a code that lets its owner, after the password, enrol a first authenticator once, within 24 hours. It
// stands in for the code to the account's own address, for people who have none (I-02), and replaces one that was made
// before. Whoever calls it has made sure to whom the code is given. ErrNotAllowed when something is enrolled already.
func (l *Logins) EnrolmentCode(ctx context.Context, accountID, actor string) (string, error) {
	a, err := l.account(ctx, accountID)
	if err != nil {
		return "", err
	}
	at, err := l.attempt(&subject{account: a}, enrolmentCode{}, nil, "")
	if err != nil {
		return "", err
	}
	codes, data, err := newRecoveryCodes(at, 1)
	if err != nil {
		return "", err
	}
	v, err := l.newAuthenticator(accountID, enrolmentCodeName, "", data)
	if err != nil {
		return "", err
	}
	err = l.changeEnrolments(ctx, accountID, func(list []enrolled) ([]enrolled, error) {
		if (&enrolments{list: list}).any() {
			return nil, ErrNotAllowed
		}
		return append(slices.DeleteFunc(list, func(v enrolled) bool { return v.factor == enrolmentCodeName }), v), nil
	})
	if err != nil {
		return "", err
	}
	return string(codes[0]), l.administered(ctx, audit.RecoveryCodesMade, a, enrolmentCodeName, actor)
}

// enrolmentCodeName is the method under which an administrator's code is answered, in StageProof only.
const enrolmentCodeName = "enrolment-code"

// enrolmentCode reads and verifies like a single recovery code. It is in no Config.Factors: it opens an enrolment and is
// never a second factor.
type enrolmentCode struct{ *Recovery }

func (enrolmentCode) Name() string { return enrolmentCodeName }

// Available holds while the code is there and not too old.
func (e enrolmentCode) Available(a *Attempt) bool {
	return len(a.Enrolled) > 0 && a.Now.Before(a.Enrolled[0].Created.Add(enrolmentCodeLife)) && e.Recovery.Available(a)
}
