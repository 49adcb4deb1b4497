package stores

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// tryOut writes, reads and deletes a record, as a login does.
func tryOut(ctx context.Context, s challenge.Store, end time.Time) error {
	key, value := "check/"+rand.Text(), []byte("check")
	ok, err := s.CompareAndSwap(ctx, key, nil, value, end)
	if err != nil {
		return err
	}
	held, err := s.Load(ctx, key)
	if err != nil {
		return err
	}
	gone, err := s.CompareAndSwap(ctx, key, held, nil, time.Time{})
	if err != nil {
		return err
	}
	if !ok || string(held) != string(value) || !gone {
		return errors.New("stores: check: a record that was written could not be read and deleted: does the client read from a replica?")
	}
	return nil
}
