package challenge

import (
	"context"
	"encoding/binary"
	"iter"
)

// Rotation says how far an exchange of keys has come.
type Rotation struct {
	Accounts int // looked at
	Resealed int // authenticators written anew under the first key
	// Recovery counts, by key id, the recovery codes that are hashed under another key than the first. A hash cannot be made
	// anew without the code: they go when they are used or replaced.
	Recovery map[uint32]int
}

// Done reports whether no authenticator needs any key but the first. An old key may then leave Config.Keys once the pending
// logins, sent codes and send budgets of its time are over, which takes 24 hours.
func (r Rotation) Done() bool { return len(r.Recovery) == 0 }

// Rotate writes what accounts have enrolled anew under the first of Config.Keys, while logins go on. It takes the ids of all
// accounts, since a store cannot list them; it may be stopped and run again. It fails on the first value whose key is
// missing, with an error that names the key's id.
func (l *Logins) Rotate(ctx context.Context, accountIDs iter.Seq[string]) (Rotation, error) {
	out := Rotation{Recovery: map[uint32]int{}}
	first := l.keys.keys[0].id
	for id := range accountIDs {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		resealed := 0
		recovery := map[uint32]int{}
		type kept struct{ factor, data string }
		var all []kept
		err := l.changeEnrolments(ctx, id, func(list []enrolled) ([]enrolled, error) {
			resealed, all = 0, nil
			clear(recovery)
			for i := range list {
				data, err := l.keys.Open(list[i].sealed, "authenticator", id, list[i].id)
				if err != nil {
					return nil, err
				}
				all = append(all, kept{list[i].factor, string(data)})
				if list[i].factor == recoveryName || list[i].factor == enrolmentCodeName {
					macs, err := decodeRecovery(data)
					if err != nil {
						return nil, err
					}
					for _, mac := range macs {
						if k := binary.BigEndian.Uint32(mac); k != first {
							recovery[k]++
						}
					}
				}
				if binary.BigEndian.Uint32(list[i].sealed) == first {
					continue
				}
				if list[i].sealed, err = l.sealData(id, list[i].id, data); err != nil {
					return nil, err
				}
				resealed++
			}
			return list, nil
		})
		if err != nil {
			return out, err
		}
		for _, v := range all {
			if err := l.keepHandle(ctx, id, v.factor, []byte(v.data)); err != nil {
				return out, err
			}
		}
		out.Accounts++
		out.Resealed += resealed
		for k, n := range recovery {
			out.Recovery[k] += n
		}
	}
	return out, nil
}
