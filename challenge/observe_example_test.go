package challenge_test

import (
	"context"
	"fmt"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/stores"
)

// sends is an observer of one's own: it says how sends went. audit/prommetrics and audit/otelmetrics are ready-made ones.
type sends struct{}

func (sends) Begin(ctx context.Context, operation string) (context.Context, func(error)) {
	return ctx, func(err error) {
		if operation == challenge.OpSend {
			fmt.Println("a code was under way; error:", err)
		}
	}
}

func ExampleObserver() {
	kit := challengetest.New(challengetest.NewClock())
	kit.Users.Add(challenge.Account{ID: "1", Name: "ann", Email: "ann@example.com"}, "correct-horse-battery")
	config := kit.Config(new(stores.Memory))
	config.Observer = sends{}
	logins, err := challenge.New(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = logins.Password(context.Background(), challenge.Client{}, nil, challenge.PasswordInput{Slot: challenge.Cookie, Name: "ann", Password: []byte("correct-horse-battery")})
	fmt.Println(err)
	// Output:
	// a code was under way; error: <nil>
	// <nil>
}
