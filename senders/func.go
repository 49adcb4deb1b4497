package senders

import (
	"context"
	"errors"

	"github.com/sallyport-go/sallyport/challenge"
)

// Func is a function as a [challenge.Sender]. The function must return within the context's deadline, be safe for
// concurrent use, and keep the code and its own credentials out of its errors. A nil Func refuses every message.
type Func func(ctx context.Context, m challenge.Message) error

var _ challenge.Sender = Func(nil)

// Send calls f.
func (f Func) Send(ctx context.Context, m challenge.Message) error {
	if f == nil {
		return errors.New("senders: nil Func: give it a function that delivers the message")
	}
	return f(ctx, m)
}
