package challenge

import "context"

// Policy says for each login who needs a second factor. It is asked after the password was right, again just before
// promotion, and once a minute while a login lives. An error denies.
type Policy func(ctx context.Context, a Account, c Client) (Verdict, error)

// Verdict is a policy's answer. The zero value is the strict one: a second factor is needed, by any enrolled factor.
type Verdict struct {
	NotNeeded bool     // the password alone is enough
	Factors   []string // names of the factors that count; nil means any
}

// Everyone is the policy that asks everybody for a second factor.
func Everyone(context.Context, Account, Client) (Verdict, error) { return Verdict{}, nil }
