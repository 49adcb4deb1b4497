package demo

import (
	"context"
	"fmt"

	"github.com/sallyport-go/sallyport/challenge"
)

// Password is that of every demo account.
const Password = "correct-horse-battery"

// person is one demo account, and what a visitor has to know about it.
type person struct {
	challenge.Account
	Verdict challenge.Verdict
	TOTP    string // a secret that the person's phone already has
	Factor  string // what the second step is
}

// people are the accounts. What erin has to set up may also be a passkey, where the site can have them.
func people(passkeys bool) []person {
	strong, setUp := []string{"totp", "recovery"}, "authenticator app, to be set up at the first login"
	if passkeys {
		strong, setUp = append(strong, "passkey"), "authenticator app or passkey, to be set up at the first login"
	}

	return []person{
		{Account: challenge.Account{ID: "1", Name: "alice"}, TOTP: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", Factor: "authenticator app"},
		{Account: challenge.Account{ID: "2", Name: "bob"}, TOTP: "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU", Factor: "authenticator app"},
		{Account: challenge.Account{ID: "3", Name: "carol", Email: "carol@example.com"}, Factor: "code by e-mail"},
		{Account: challenge.Account{ID: "4", Name: "sam", Phone: "+31600000001", Email: "sam@example.com"}, Factor: "code by SMS, or by e-mail when the SMS cannot be sent"},
		{Account: challenge.Account{ID: "5", Name: "dave"}, Verdict: challenge.Verdict{NotNeeded: true}, Factor: "none: the policy lets him do without"},
		{Account: challenge.Account{ID: "6", Name: "erin", Email: "erin@example.com"}, Verdict: challenge.Verdict{Factors: strong}, Factor: setUp},
		{Account: challenge.Account{ID: "7", Name: "reports", Service: true}, Factor: "none: a machine"},
	}
}

// Accounts is a table of users, as your database has one. It never changes, so it needs no lock.
type Accounts struct {
	list []person
}

var _ challenge.Users = (*Accounts)(nil)

func makeAccounts(passkeys bool) (*Accounts, error) {
	a := &Accounts{people(passkeys)}
	var hasher challenge.Argon2id
	for i := range a.list {
		hash, err := hasher.Hash([]byte(Password))
		if err != nil {
			return nil, fmt.Errorf("hashing a password: %w", err)
		}
		a.list[i].PasswordHash = hash
	}
	return a, nil
}

// Find looks an account up by its name.
func (a *Accounts) Find(_ context.Context, name string) (challenge.Account, error) {
	return a.account(func(p person) bool { return p.Name == name })
}

// ByID looks an account up by its id.
func (a *Accounts) ByID(_ context.Context, id string) (challenge.Account, error) {
	return a.account(func(p person) bool { return p.ID == id })
}

func (a *Accounts) account(is func(person) bool) (challenge.Account, error) {
	for _, p := range a.list {
		if is(p) {
			return p.Account, nil
		}
	}
	return challenge.Account{}, challenge.ErrUnknown
}

// Policy says who needs a second factor: everybody but dave, and from erin only an authenticator app or a passkey counts.
func (a *Accounts) Policy(_ context.Context, account challenge.Account, _ challenge.Client) (challenge.Verdict, error) {
	for _, p := range a.list {
		if p.ID == account.ID {
			return p.Verdict, nil
		}
	}
	return challenge.Verdict{}, nil
}
