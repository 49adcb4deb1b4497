package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Fanout gives every event to each of the recorders, in order, and joins their errors. One that fails or panics does not
// keep the event from the others; one that is slow delays them. Without any recorder, every Record is an error.
func Fanout(recorders ...Recorder) Recorder { return fanout(slices.Clone(recorders)) }

type fanout []Recorder

func (f fanout) Record(ctx context.Context, e Event) error {
	if len(f) == 0 {
		return errNowhere
	}
	var errs []error
	for _, r := range f {
		if err := recordSafely(ctx, r, e); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func recordSafely(ctx context.Context, r Recorder, e Event) (err error) {
	defer func() {
		if p := recover(); p != nil {
			// The type only: what a recorder panics with may quote anything.
			err = fmt.Errorf("audit: recorder %T panicked with a %T", r, p)
		}
	}()
	if r == nil {
		return errNowhere
	}
	return r.Record(ctx, e)
}
