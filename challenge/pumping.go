package challenge

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// SMS pumping is somebody who has codes sent to numbers that earn them a share of the price. Nobody enters those codes, so
// the share of codes that come back tells it apart from people (I-15). It is counted for each country code and for each range of
// 10,000 numbers, over an hour, in the shared store: a record exists only where a message was paid for, and ends with its
// hour, so their number is bounded by the budgets of messages.

const (
	kindPumping byte = 'P'

	pumpingWindow = time.Hour
	enteredWait   = 250 * time.Millisecond
	pumpingRow    = 5 * time.Minute // codes are counted by the time they were sent, in rows of so much
	pumpingWait   = 5 * time.Minute // a row is looked at when each of its codes has had this long to come back
)

// pumping counts the codes sent to numbers that begin alike.
type pumping struct {
	alarmed time.Time // the last alarm
	rows    []pumpingCount
}

type pumpingCount struct {
	opened      time.Time
	sent, right int
}

// drop forgets the rows that are out of the window.
func (p *pumping) drop(now time.Time) {
	p.rows = slices.DeleteFunc(p.rows, func(r pumpingCount) bool { return !now.Before(r.opened.Add(pumpingWindow)) })
}

func (p *pumping) send(now time.Time, n int) {
	p.drop(now)
	at := now.Truncate(pumpingRow)
	i := slices.IndexFunc(p.rows, func(r pumpingCount) bool { return r.opened.Equal(at) })
	if i < 0 {
		i = len(p.rows)
		p.rows = append(p.rows, pumpingCount{opened: at})
	}
	p.rows[i].sent += n
}

// unsend takes back what was counted a moment ago and could not be sent.
func (p *pumping) unsend(at time.Time) {
	at = at.Truncate(pumpingRow)
	for i := range p.rows {
		if r := &p.rows[i]; r.opened.Equal(at) && r.sent > r.right {
			r.sent--
		}
	}
}

// enter counts a right answer to a code that was sent at a moment.
func (p *pumping) enter(sent, now time.Time) {
	p.drop(now)
	at := sent.Truncate(pumpingRow)
	for i := range p.rows {
		if r := &p.rows[i]; r.opened.Equal(at) && r.right < r.sent {
			r.right++
		}
	}
}

// share adds up the rows whose codes have had their time.
func (p *pumping) share(now time.Time) (sent, right int) {
	for _, r := range p.rows {
		if age := now.Sub(r.opened); age >= pumpingRow+pumpingWait && age < pumpingWindow {
			sent, right = sent+r.sent, right+r.right
		}
	}
	return sent, right
}

// suspected reports whether too few of enough codes came back.
func (s SendLimits) suspected(sent, right int) bool {
	return sent >= s.PumpingSent && right*100 < sent*s.PumpingPercent
}

func (p *pumping) encode() []byte {
	e := make(encoder, 0, 16+16*len(p.rows))
	e.byte(kindPumping)
	e.byte(recordVersion)
	e.time(p.alarmed)
	e.uint(uint64(len(p.rows)))
	for _, r := range p.rows {
		e.time(r.opened)
		e.uint(uint64(r.sent))
		e.uint(uint64(r.right))
	}
	return e
}

func decodePumping(raw []byte) (p pumping, err error) {
	if raw == nil {
		return p, nil
	}
	d := decoder{s: string(raw)}
	if d.byte() != kindPumping || d.byte() != recordVersion {
		d.bad = true
	}
	p.alarmed = d.time()
	for range d.count() {
		p.rows = append(p.rows, pumpingCount{d.time(), int(d.uint() & 0xffffff), int(d.uint() & 0xffffff)})
	}
	if !d.whole() {
		return pumping{}, unavailable("pumping", errRecord)
	}
	return p, nil
}

// beginnings are what a number is counted by.
func beginnings(number string) []string { return []string{numberRange(number), countryCode(number)} }

// pumpingKey is where a beginning is counted: codes to numbers that somebody typed in apart from those of logins, or whoever
// has an account could have a whole country refused.
func (l *Logins) pumpingKey(beginning string, p Purpose) string {
	kind := "pumping"
	if p == PurposeEnrol {
		kind = "pumping by enrolment"
	}
	return "p" + hashed(string(l.keys.Hash(kind, beginning)))
}

// pumped says which beginning of a number has too few right codes and is to be refused; empty means none. It raises the alarm,
// as nothing more is counted for what is refused.
func (l *Logins) pumped(ctx context.Context, method, number string, purpose Purpose) (beginning string, err error) {
	if !l.sends.RefusePumped {
		return "", nil
	}
	for _, b := range beginnings(number) {
		raw, err := l.accounts.Load(ctx, l.pumpingKey(b, purpose))
		if err != nil {
			return "", unavailable("store", err)
		}
		p, err := decodePumping(raw)
		if err != nil {
			return "", err
		}
		if sent, right := p.share(l.now()); l.sends.suspected(sent, right) {
			if l.now().Before(p.alarmed.Add(pumpingWindow)) {
				return b, nil
			}
			return b, l.countSend(ctx, method, number, purpose, 0)
		}
	}
	return "", nil
}

// countSend counts n codes before they are sent, and raises the alarm, once in a window, for a beginning that is suspected. The alarm
// is about numbers, and names nobody.
func (l *Logins) countSend(ctx context.Context, method, number string, purpose Purpose, n int) error {
	for _, b := range beginnings(number) {
		now := l.now()
		var sent, right int
		var alarm bool
		err := l.changePumping(ctx, l.pumpingKey(b, purpose), func(p *pumping) {
			sent, right = p.share(now)
			alarm = l.sends.suspected(sent, right) && !now.Before(p.alarmed.Add(pumpingWindow))
			if alarm {
				p.alarmed = now
			}
			p.send(now, n)
		})
		if err != nil {
			return err
		}
		if alarm {
			reason := fmt.Sprintf("numbers %s: %d of %d codes were entered", b, right, sent)
			if err := l.Record(ctx, event(audit.PumpingSuspected, audit.Failure, Client{}, Account{}, method, reason)); err != nil {
				return err
			}
		}
	}
	return nil
}

// countEntered counts a code that came back. Where the store cannot, it counts as one that did not.
func (l *Logins) countEntered(ctx context.Context, number string, purpose Purpose, sent time.Time) {
	l.countAgain(ctx, number, purpose, func(p *pumping) { p.enter(sent, l.now()) })
}

// countAgain corrects what was counted. A login waits for it, so it does not take long.
func (l *Logins) countAgain(ctx context.Context, number string, purpose Purpose, change func(*pumping)) {
	ctx, cancel := context.WithTimeout(ctx, enteredWait)
	defer cancel()
	for _, b := range beginnings(number) {
		_ = l.changePumping(ctx, l.pumpingKey(b, purpose), change)
	}
}

func (l *Logins) changePumping(ctx context.Context, key string, change func(*pumping)) error {
	return swap(ctx, l.accounts, key, func(raw []byte) (next []byte, end time.Time, err error) {
		p, err := decodePumping(raw)
		if err != nil {
			return nil, end, err
		}
		change(&p)
		return p.encode(), l.now().Add(pumpingWindow), nil
	})
}
