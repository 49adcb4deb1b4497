package senders

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// defaultTimeout is how long a send may take when nothing says otherwise.
const defaultTimeout = 10 * time.Second

type fallback []challenge.Sender

var _ challenge.Sender = fallback(nil)

// Fallback returns a sender that gives a message to the first of senders and, when that fails, to the next: one provider
// behind another on the same channel. Falling back from one channel to another is the machine's decision, not a sender's.
//
// Each try gets an equal share of what is left of the context's deadline (10 seconds without one), so that a provider that
// hangs leaves time for the next. Once the context has ended nobody is asked.
//
// A failure can hide a success: a provider may have accepted the message and lost its answer. The next is asked all the
// same, so a person may get one message twice. That is the smaller evil: both carry the same single-use code, while the
// other choice would keep somebody out. Nothing is sent again after a success was reported.
//
// Send's error joins those of all that were tried, in order. Fallback refuses an empty list and a nil sender.
func Fallback(senders ...challenge.Sender) (challenge.Sender, error) {
	if len(senders) == 0 {
		return nil, errors.New("senders: Fallback of nothing: give it at least one sender")
	}
	for i, s := range senders {
		if s == nil {
			return nil, fmt.Errorf("senders: Fallback: sender %d is nil: leave it out or construct it", i+1)
		}
	}
	return fallback(slices.Clone(senders)), nil
}

func (f fallback) Send(ctx context.Context, m challenge.Message) error {
	end, ok := ctx.Deadline()
	if !ok {
		end = time.Now().Add(defaultTimeout)
	}
	var errs []error
	for i, s := range f {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, fmt.Errorf("senders: sender %d of %d not tried: %w", i+1, len(f), err))...)
		}
		err := sendWithin(ctx, time.Until(end)/time.Duration(len(f)-i), s, m)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("senders: sender %d of %d: %w", i+1, len(f), err))
	}
	return errors.Join(errs...)
}

func sendWithin(ctx context.Context, limit time.Duration, s challenge.Sender, m challenge.Message) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return s.Send(ctx, m)
}
