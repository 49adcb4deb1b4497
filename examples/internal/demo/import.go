package demo

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

const (
	importKey     = "demo/people" // the record that says who gives the people what they have, or that they have it
	importTimeout = 10 * time.Second
	importLease   = 15 * time.Second // after which whoever began has given up
	importPoll    = 20 * time.Millisecond
)

// Import gives the people what they have before they log in for the first time: alice and bob an authenticator app, alice
// recovery codes on paper, which it prints. Of several processes on one store the first does it, once, and the others
// wait for it: a second authenticator with the same secret would take a code that was used.
func (d *Demo) Import(ctx context.Context, logins *challenge.Logins) error {
	claim, err := d.claim(ctx)
	if err != nil {
		return err
	}
	if claim == nil {
		_, err = fmt.Fprintln(d.stdout, "recovery codes for alice: (printed by the process that first used this store)")
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, importTimeout)
	defer cancel()
	codes, err := d.give(ctx, logins)
	if err == nil {
		var won bool
		if won, err = d.Store.CompareAndSwap(ctx, importKey, claim, d.imported(), time.Time{}); err == nil && !won {
			err = errors.New("too slow: another process sets this store up")
		}
	}
	if err != nil { // let the next one try at once
		_, _ = d.Store.CompareAndSwap(context.WithoutCancel(ctx), importKey, claim, nil, time.Time{})
		return fmt.Errorf("setting the store up: %w", errors.Join(challenge.ErrUnavailable, err))
	}
	_, err = fmt.Fprintf(d.stdout, "recovery codes for alice: %s\n", strings.Join(codes, " "))
	return err
}

// give can be done again after somebody got half-way.
func (d *Demo) give(ctx context.Context, logins *challenge.Logins) (codes []string, err error) {
	for _, p := range d.Accounts.list {
		if p.TOTP == "" {
			continue
		}
		has, err := logins.Security(ctx, challenge.Client{}, p.ID)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(has.Factors, func(f challenge.EnrolledFactor) bool { return f.Factor == "totp" }) {
			continue
		}
		if err := logins.ImportTOTP(ctx, p.ID, p.TOTP, "phone"); err != nil {
			return nil, err
		}
	}
	alice, err := d.Accounts.Find(ctx, "alice")
	if err != nil {
		return nil, err
	}
	return logins.MakeRecoveryCodes(ctx, challenge.Client{}, alice.ID)
}

// claim returns the record with which this process alone may set the store up, or nil when that is done.
func (d *Demo) claim(ctx context.Context) ([]byte, error) {
	for told := false; ; {
		held, err := d.Store.Load(ctx, importKey)
		if err != nil {
			return nil, errors.Join(challenge.ErrUnavailable, err)
		}
		switch {
		case bytes.Equal(held, d.imported()):
			return nil, nil
		case bytes.HasPrefix(held, []byte("done ")):
			return nil, errors.New("-key: this store was first used with another key; all processes on a store need the same one")
		case held == nil || overdue(held):
			mine := fmt.Appendf(nil, "busy %d %s", time.Now().Add(importLease).Unix(), rand.Text())
			won, err := d.Store.CompareAndSwap(ctx, importKey, held, mine, time.Time{})
			if err != nil {
				return nil, errors.Join(challenge.ErrUnavailable, err)
			}
			if won {
				return mine, nil
			}
		case !told:
			told = true
			_, _ = fmt.Fprintln(d.stderr, "another process sets the store up: waiting for it")
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(challenge.ErrUnavailable, ctx.Err())
		case <-time.After(importPoll):
		}
	}
}

// overdue reports whether a claim is older than anybody works on it. One that cannot be read is.
func overdue(claim []byte) bool {
	fields := strings.Fields(string(claim))
	if len(fields) != 3 {
		return true
	}
	end, err := strconv.ParseInt(fields[1], 10, 64)
	return err != nil || time.Now().Unix() > end
}

// imported is the record of a store that is set up. It tells keys apart and says nothing about them.
func (d *Demo) imported() []byte {
	if len(d.Keys) == 0 {
		return []byte("done without key")
	}
	mac := hmac.New(sha256.New, d.Keys[0].Secret[:])
	_, _ = mac.Write([]byte("sallyport demo: the key of a store"))
	return []byte("done " + hex.EncodeToString(mac.Sum(nil)))
}
