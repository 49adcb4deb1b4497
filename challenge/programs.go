package challenge

import (
	"context"
	"slices"
	"time"
)

// This file remembers the networks that a person's programs log in from. A program keeps no device cookie, so its login on a
// network that is new to the account's programs is told of by mail, as a browser's on a new device is. Nothing else rests on it.

const kindPrograms byte = 'N'

// programsKey is the store's key for the networks of an account's programs.
func programsKey(id string) string { return "n" + hashed("programs", id) }

type network struct {
	id   deviceID
	used time.Time
}

// fromNewNetwork reports whether a program has logged in from a network that is news to its owner, and remembers it. The first
// of all is no news, as the first device is not. A login waits for it, so it does not take long; where the store cannot
// say, a mail too many is better than one too few.
func (p *promotion) fromNewNetwork(ctx context.Context, c Client) bool {
	l, now := p.l, p.l.now()
	if p.slot != Bearer || l.notices == nil || p.account.Email == "" || p.record != nil && p.record.known(p.bind.device, now) >= 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, enteredWait)
	defer cancel()
	id, news := networkOf(p.account.ID, c.Addr), false
	err := swap(ctx, l.accounts, programsKey(p.account.ID), func(raw []byte) (next []byte, end time.Time, err error) {
		list, err := decodeNetworks(raw)
		if err != nil {
			return nil, end, err
		}
		list = slices.DeleteFunc(list, func(n network) bool { return !now.Before(n.used.Add(deviceLife)) })
		i := slices.IndexFunc(list, func(n network) bool { return n.id == id })
		news = i < 0 && (len(list) > 0 || p.record != nil && len(p.record.knownDevices(now)) > 0)
		switch {
		case i >= 0 && now.Before(list[i].used.Add(24*time.Hour)): // it is written once a day
			return raw, end, nil
		case i >= 0:
			list = slices.Delete(list, i, i+1)
		case len(list) >= maxDevices:
			list = list[1:] // the one not used for longest
		}
		return encodeNetworks(append(list, network{id, now})), now.Add(deviceLife), nil
	})
	return news || err != nil
}

// forgetPrograms makes every network news again.
func (l *Logins) forgetPrograms(ctx context.Context, accountID string) error {
	return swap(ctx, l.accounts, programsKey(accountID), func([]byte) (gone []byte, end time.Time, err error) { return })
}

func encodeNetworks(list []network) []byte {
	e := make(encoder, 0, 8+24*len(list))
	e.byte(kindPrograms)
	e.byte(recordVersion)
	e.uint(uint64(len(list)))
	for _, n := range list {
		e.fixed(n.id[:])
		e.time(n.used)
	}
	return e
}

func decodeNetworks(raw []byte) (list []network, err error) {
	if raw == nil {
		return nil, nil
	}
	d := decoder{s: string(raw)}
	if d.byte() != kindPrograms || d.byte() != recordVersion {
		d.bad = true
	}
	for range d.count() {
		list = append(list, network{d.id(), d.time()})
	}
	if !d.whole() {
		return nil, unavailable("programs", errRecord)
	}
	return list, nil
}
