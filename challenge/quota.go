package challenge

import (
	"context"
	"net/netip"
	"time"
)

const kindQuota byte = 'Q'

// quota is one shared budget of messages: a number in a window that opens with the first.
type quota struct {
	kind, of string
	most     int
	every    time.Duration
}

// clientNet is what a client counts as: its address, or its /64 (I-22).
func clientNet(a netip.Addr) string {
	if a.Is6() && !a.Is4In6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.Unmap().String()
}

// takeQuota takes one and says the how-manieth of its window that was, or when the next window opens. The key is a keyed hash: destinations and addresses are not to be
// read from the store.
func (l *Logins) takeQuota(ctx context.Context, q quota) (n int, until time.Time, err error) {
	key := "q" + hashed(string(l.keys.Hash("quota", q.kind, q.of)))
	err = swap(ctx, l.accounts, key, func(raw []byte) (next []byte, end time.Time, err error) {
		var w window
		if raw != nil {
			d := decoder{s: string(raw)}
			if d.byte() != kindQuota || d.byte() != recordVersion {
				d.bad = true
			}
			w.opened, w.n = d.time(), int(d.uint()&0xffffff)
			if !d.whole() {
				return nil, end, unavailable("quota", errRecord)
			}
		}
		taken := w.take(q.most, q.every, l.now())
		if end = w.opened.Add(q.every); !taken {
			n, until = 0, end
			return raw, end, nil
		}
		n, until = w.n, time.Time{}
		e := make(encoder, 0, 32)
		e.byte(kindQuota)
		e.byte(recordVersion)
		e.time(w.opened)
		e.uint(uint64(w.n))
		return e, end, nil
	})
	if err != nil {
		return 0, time.Time{}, err
	}
	return n, until, nil
}
