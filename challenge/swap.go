package challenge

import (
	"context"
	"time"
)

// swap makes of the record under key what change makes of it, and begins again when somebody else was quicker. change sees
// the record as it is, nil when there is none, and may be called again; nil deletes, the same bytes write nothing, and an
// error changes nothing. An account's record has a loop of its own, which finishes what is ending: see [Logins.apply].
func swap(ctx context.Context, s Store, key string, change func(raw []byte) (next []byte, end time.Time, err error)) error {
	for {
		raw, err := s.Load(ctx, key)
		if err != nil {
			return unavailable("store", err)
		}
		next, end, err := change(raw)
		if err != nil || (next == nil) == (raw == nil) && string(next) == string(raw) {
			return err
		}
		switch ok, err := s.CompareAndSwap(ctx, key, raw, next, end); {
		case err != nil:
			return unavailable("store", err)
		case ok:
			return nil
		case ctx.Err() != nil:
			return unavailable("store", ctx.Err())
		}
	}
}
