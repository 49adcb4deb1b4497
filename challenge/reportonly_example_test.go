package challenge_test

import (
	"context"
	"fmt"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/stores"
)

// Before everybody needs a second factor, the audit says whom that would stop.
func ExamplePolicy_shadow() {
	kit := challengetest.New(challengetest.NewClock())
	kit.Users.Add(challenge.Account{ID: "1", Name: "ann", Email: "ann@example.com"}, "correct-horse-battery")
	kit.Users.Add(challenge.Account{ID: "2", Name: "ben"}, "correct-horse-battery")
	config := kit.Config(new(stores.Memory))
	config.Policy = func(context.Context, challenge.Account, challenge.Client) (challenge.Verdict, error) {
		return challenge.Verdict{NotNeeded: true}, nil
	}
	config.Shadow = challenge.Everyone
	logins, err := challenge.New(config)
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"ann", "ben"} {
		_, err := logins.Password(context.Background(), challenge.Client{}, &challenge.Session{},
			challenge.PasswordInput{Slot: challenge.Cookie, Name: name, Password: []byte("correct-horse-battery")})
		fmt.Println(name, "got in:", err == nil)
		logins.WaitForReports()
	}
	for _, e := range kit.Audit.Events() {
		if e.Name == audit.ReportOnly {
			fmt.Println(e.User, e.Reason)
		}
	}
	// Output:
	// ann got in: true
	// ben got in: true
	// ann policy: a second factor (email) instead of no second factor
	// ben policy: no way in (nothing enrolled) instead of no second factor
}
