package stores

import (
	"context"
	"math/rand/v2"
	"time"
)

// do runs one operation on the prepared statements, as again does.
func (s *SQL) do(ctx context.Context, what, key string, f func(context.Context, *statements) error) error {
	return s.again(ctx, what, key, func(ctx context.Context) error {
		st, err := s.prepared(ctx)
		if err != nil {
			return err
		}
		return f(ctx, st)
	})
}

// again runs f until it succeeds, fails for good, or the timeout is over. It repeats only what the database says it has
// rolled back: repeating anything else could turn a swap that happened into one that was refused.
func (s *SQL) again(ctx context.Context, what, key string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 64*time.Millisecond) {
		err := f(ctx)
		if err == nil || !s.dialect.transient(err) {
			return failure(what, key, err)
		}
		select {
		case <-ctx.Done():
			return failure(what, key, err)
		case <-time.After(pause/2 + rand.N(pause)): // apart, so that two who met do not meet again
		}
	}
}
