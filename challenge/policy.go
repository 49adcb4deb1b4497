package challenge

import (
	"context"
	"time"
)

// Policy says for each login who needs a second factor. It is asked after the password was right, again just before
// promotion, and once a minute while a login lives. An error denies.
//
// A stricter policy can be tried first: as Config.Shadow it is asked once for each login with a right first factor, and the
// audit says for whom what would have become another: "policy: enrolment instead of no second factor". A new kind of factor is
// tried in the same way: put it in Config.Factors, so that people can enrol it, leave it out of the Factors of the
// policy's verdicts, so that it counts for nothing, and name it in those of the shadow's.
type Policy func(ctx context.Context, a Account, c Client) (Verdict, error)

// Verdict is a policy's answer. The zero value is the strict one: a second factor is needed, by any enrolled factor.
type Verdict struct {
	NotNeeded bool     // the password alone is enough
	Factors   []string // names of the factors that count; nil means any
	Grace     Grace    // how long somebody who has nothing enrolled may do without; the zero value: not at all
}

// Grace lets somebody in who needs a second factor and has enrolled none, so that a new rule does not stop a working day.
// Each such login is in the audit as what it is, and its [Login] says so. It is over at Until, and after Logins of them; with
// one of the two zero the other decides. What is enrolled is asked for, whatever grace is left.
type Grace struct {
	Logins int
	Until  time.Time
}

// given reports whether there is any grace at a moment, not looking at how many logins were used.
func (g Grace) given(now time.Time) bool {
	return (g.Logins > 0 || !g.Until.IsZero()) && (g.Until.IsZero() || now.Before(g.Until))
}

// Everyone is the policy that asks everybody for a second factor.
func Everyone(context.Context, Account, Client) (Verdict, error) { return Verdict{}, nil }
