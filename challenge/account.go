package challenge

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// kindAccount marks an account record; a decoy's is the same.
const kindAccount byte = 'A'

// accountKey is the store's key for an account's record. The id is hashed because it may be any bytes of any length.
func accountKey(id string) string { return "a" + hashed("account", id) }

// enrolmentsKey is the store's key for an account's authenticators.
func enrolmentsKey(id string) string { return "e" + hashed("enrolments", id) }

// hashed is SHA-256 of parts in base64url: a name for something that is not secret.
func hashed(parts ...string) string {
	sum := sha256.Sum256(joined(parts...))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// decoyKey is the record that stands in for a name that does not exist: one of 65536, chosen by a keyed hash, so that
// guessing at unknown names costs and answers like guessing at known ones while nothing grows (I-10, I-23).
func (l *Logins) decoyKey(name string) string {
	mac := l.keys.Hash("decoy", name)
	return fmt.Sprintf("d%d", binary.BigEndian.Uint16(mac[4:]))
}

// deviceOf names a known device of one account. The token is 256 random bits, so the hash needs no key.
func deviceOf(accountID, token string) (id deviceID) {
	if len(token) != tokenLength {
		return deviceID{}
	}
	sum := sha256.Sum256(joined("device", accountID, token))
	copy(id[:], sum[:])
	return id
}

// networkOf is the known device of a service account that logs in from an address, or from the /64 that an IPv6 address is in.
func networkOf(accountID string, addr netip.Addr) (id deviceID) {
	if !addr.IsValid() {
		return deviceID{}
	}
	sum := sha256.Sum256(joined("network", accountID, clientNet(addr)))
	copy(id[:], sum[:])
	return id
}

func encodeBudget(e *encoder, b *budget) {
	e.uint(uint64(max(b.spent, 0)))
	e.uint(uint64(max(b.wrong, 0)))
	e.uint(b.window)
	e.uint(b.blocks)
	e.time(b.until)
	e.time(b.last)
}

func decodeBudget(d *decoder, b *budget) {
	b.spent = int(d.uint() & 0xffff)
	b.wrong = int(d.uint() & 0xffff)
	b.window = d.uint()
	b.blocks = d.uint()
	b.until = d.time()
	b.last = d.time()
}

func encodeBudgets(e *encoder, b *budgets) {
	encodeBudget(e, &b.password)
	encodeBudget(e, &b.code)
	e.time(b.sends.last)
	e.time(b.sends.short.opened)
	e.uint(uint64(b.sends.short.n))
	e.time(b.sends.day.opened)
	e.uint(uint64(b.sends.day.n))
}

func decodeBudgets(d *decoder, b *budgets) {
	decodeBudget(d, &b.password)
	decodeBudget(d, &b.code)
	b.sends.last = d.time()
	b.sends.short.opened = d.time()
	b.sends.short.n = int(d.uint() & 0xffff)
	b.sends.day.opened = d.time()
	b.sends.day.n = int(d.uint() & 0xffff)
}

func (rec *account) encode() []byte {
	e := make(encoder, 0, 256+72*len(rec.logins)+160*len(rec.devices)+48*(len(rec.auth)+len(rec.ending)))
	e.byte(kindAccount)
	e.byte(recordVersion)
	e.fixed(rec.epoch[:])
	e.bool(rec.blocked)
	encodeBudgets(&e, &rec.strange)
	e.uint(rec.made)
	e.uint(uint64(len(rec.devices)))
	for i := range rec.devices {
		v := &rec.devices[i]
		e.fixed(v.id[:])
		e.time(v.created)
		e.time(v.used)
		e.bool(v.full)
		encodeBudgets(&e, &v.budgets)
	}
	e.uint(uint64(len(rec.auth)))
	for _, a := range rec.auth {
		e.string(a.id)
		e.uint(uint64(a.failures))
		e.int64(a.step)
	}
	e.uint(uint64(len(rec.logins)))
	for _, v := range rec.logins {
		e.fixed(v.id[:])
		e.string(v.key)
		e.time(v.end)
		if v.child() {
			e.bytes(v.parent[:])
		} else {
			e.bytes(nil)
		}
	}
	e.uint(uint64(len(rec.ending)))
	for _, k := range rec.ending {
		e.string(k)
	}
	e.uint(uint64(max(rec.grace, 0)))
	return e
}

func decodeAccount(raw []byte) (account, error) {
	d := decoder{s: string(raw)}
	var rec account
	if d.byte() != kindAccount || d.byte() != recordVersion {
		d.bad = true
	}
	rec.epoch = d.id()
	rec.blocked = d.bool()
	decodeBudgets(&d, &rec.strange)
	rec.made = d.uint()
	for range d.count() {
		v := device{id: d.id(), created: d.time(), used: d.time(), full: d.bool()}
		decodeBudgets(&d, &v.budgets)
		rec.devices = append(rec.devices, v)
	}
	for range d.count() {
		rec.auth = append(rec.auth, authState{id: d.string(), failures: int(d.uint() & 0xffff), step: d.int64()})
	}
	if n := d.count(); n > 0 {
		rec.logins = make([]liveLogin, 0, min(n, maxLogins)+1) // with room for one more
		for range n {
			v := liveLogin{id: d.id(), key: d.string(), end: d.time()}
			if parent := d.string(); parent != "" {
				d.bad = d.bad || copy(v.parent[:], parent) != len(parent) || len(parent) != len(v.parent)
			}
			rec.logins = append(rec.logins, v)
		}
	}
	for range d.count() {
		rec.ending = append(rec.ending, d.string())
	}
	rec.grace = int(d.uint() & 0xffffff)
	if !d.whole() {
		return account{}, unavailable("account", errRecord)
	}
	return rec, nil
}
