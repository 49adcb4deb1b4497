package challenge

import (
	"slices"
	"time"
)

// This file is the state machine: one pure function, [rules.step], over one record for each account. It does no I/O, reads
// no clock and draws no randomness; whatever it needs is in the input. login.go holds the only loop that applies it.

// maxLogins is how many logins an account may have at once; one more ends the oldest. maxDevices is how many known
// devices it may have (I-11), maxFailures after how many wrong answers in a row an authenticator is disabled (I-09;
// NIST SP 800-63B-4 section 3.2.2 allows no more than 100).
const (
	maxLogins     = 50
	maxDevices    = 8
	maxFailures   = 100
	deviceLife    = 180 * 24 * time.Hour
	flightHorizon = 5 * time.Second // a guess in flight for longer belongs to a process that is gone: it counts as wrong
)

type (
	epoch    [16]byte // redrawn at each change that must end everything begun before it
	deviceID [16]byte // hash of a known-device token and the account; the zero value is "no known device"
	recordID [16]byte // public id of a login or a pending login
)

// account is the record that every decision about one account goes through. The zero value has no guesses spent and
// nobody logged in; its epoch is filled in by the loop before the first step.
type account struct {
	epoch   epoch
	blocked bool // by an administrator
	strange budgets
	devices []device
	made    uint64 // devices it has had, so that the counters of each begin at a number that no other's reach
	auth    []authState
	logins  []liveLogin
	grace   int      // logins without the second factor that the policy asks for
	ending  []string // session keys that must be deleted before anything else is believed of them
}

// budgets are the guesses and sends of one class of clients: everybody, or one known device (I-11).
type budgets struct {
	password, code budget
	sends          sends
}

// sends counts the messages that were paid for (I-15).
type sends struct {
	last       time.Time
	short, day window
}

// window counts what happened since it opened.
type window struct {
	opened time.Time
	n      int
}

// budget counts guesses. spent-wrong of them are in flight: paid for, and not yet known to be right or wrong.
type budget struct {
	spent  int
	wrong  int
	window uint64    // counts the times the budget was emptied; a verdict of an earlier window changes nothing
	blocks uint64    // counts blocks; a pending login carries the number it began under and is dead under another (I-09)
	until  time.Time // end of the block, zero without one
	last   time.Time // when the latest guess was spent
}

type device struct {
	id      deviceID
	created time.Time
	used    time.Time
	full    bool // a second factor was shown on it: until then only its password guesses are its own
	budgets budgets
}

// authState is what must move forward for an authenticator: failures in a row, and the last time step used (I-12).
type authState struct {
	id       string
	failures int
	step     int64
}

type liveLogin struct {
	id     recordID
	key    string // of the session record
	end    time.Time
	parent recordID // of an access token: the login it was made from, with which it ends; else zero
}

// guess says which of the two budgets is meant.
type guess uint8

const (
	passwordGuess guess = iota + 1
	codeGuess
)

// The inputs of step. The protocol in login.go applies them.
type (
	// observe changes nothing; it brings the record into being, so that an epoch can be read.
	observe struct{}

	// spend takes a guess before anything is looked at. A code guess also names what the pending login began under.
	spend struct {
		kind    guess
		device  deviceID
		epoch   epoch    // code only: the pending login's, or the login's in a step-up
		blocks  uint64   // code only: the budget's number of blocks when the pending login began
		undated bool     // code only: of no pending login (a live login's step-up, a single request), so no block outdates it
		auth    []string // code only: the authenticators that will be asked
	}

	// settle says how a guess ended that did not become a login: wrong, or not wrong and given back.
	settle struct {
		kind   guess
		device deviceID
		window uint64 // of the budget when the guess was spent
		wrong  bool
		auth   []string // code given back: the authenticators that were charged
	}

	// bind is the promotion (I-01): the login is in the list, or it is not a login.
	bind struct {
		epoch    epoch
		login    liveLogin
		device   deviceID // whose budgets are given back
		remember deviceID // becomes known, or is seen again; zero: neither
		proof    proofUsed
		renew    *epoch // enrolment: ends every other login in the same step
		shown    bool   // a second factor was shown just now: its guesses are given back, too
		strong   bool   // and it may take others away: the device may push out one that is known (I-11)
		weak     bool   // what was shown gives back its own guess only: a recovery code has just added it
		access   bool   // an access token: nobody has shown both factors just now, so no guesses are given back
	}

	// accept is a promotion for one request, without a login: HTTP Basic with a code.
	accept struct {
		epoch  epoch
		device deviceID
		proof  proofUsed
		weak   bool
	}

	// seen is a machine's right password: the network that it came from is known for as long again. It gives no guesses
	// back, or strangers would get new ones each time a machine logs in.
	seen struct {
		epoch  epoch
		device deviceID
	}

	// stepUp moves a login to a new session key; the old key is dead.
	stepUp struct {
		epoch    epoch
		id       recordID
		old, new string
		device   deviceID
		kind     guess // which budget is given back: password or code
		weak     bool  // of it only this guess, as in bind
		proof    proofUsed
		renew    *epoch // a changed factor: ends every other login, and whatever has begun, in the same step
	}

	// others ends every login but one, and whatever has begun.
	others struct {
		epoch epoch
		id    recordID
		renew epoch
	}

	logout struct{ id recordID }   // ends one login
	revoke struct{ renew epoch }   // ends all, and every pending login with them
	ended  struct{ keys []string } // the session records under these keys are gone
	// pay takes one message out of the send budget before it is made (I-15). again: a fallback within the same act, which
	// the cooldown that the failed send began does not hold up. apart: its windows are counted elsewhere, and only the cooldown here.
	pay struct {
		device deviceID
		again  bool
		apart  bool
	}

	block struct{ renew epoch }                     // by an administrator: revoke, and nobody comes in
	free  struct{ authenticators, everything bool } // by an administrator: guesses (and authenticators; and the block) given back
	// grace takes one of the logins that an account may make before it has enrolled.
	grace struct{ most int } // zero: their number is not limited

	noGrace struct{} // there is none any more, however it is counted

	drop   struct{ auth []string }   // authenticators that are gone; all but the factors' own entries when nil
	forget struct{ device deviceID } // a known device, or all when zero
)

// proofUsed is the part of a Proof that lives in the account record.
type proofUsed struct {
	auth    string // zero: no authenticator answered (policy verdict "not needed", password asked again)
	step    int64
	charged []string // the authenticators that the guess was charged to; all but the one that answered get it back
}

// rules are the numbers of the state machine.
type rules struct {
	passwordGuesses int
	codeGuesses     int
	blockFor        time.Duration
	sendCooldown    time.Duration
	sendShort       int // in sendShortWindow
	sendDay         int // in sendDayWindow
	sendUnlimited   bool
}

// graceLeft reports whether one more login may do without a second factor; most zero means that their number is not limited.
func (rec *account) graceLeft(most int) bool {
	return rec.grace < graceOver && (most == 0 || rec.grace < most)
}

// graceOver is more logins without a second factor than any policy allows.
const graceOver = 1 << 20

// Windows of the send budgets (I-15).
const (
	sendShortWindow = 15 * time.Minute
	sendDayWindow   = 24 * time.Hour
)

// Refusals of step. They name what is really the case; what a client is told is decided elsewhere.
type refusal string

func (r refusal) Error() string { return "challenge: " + string(r) }

const (
	refusedBlocked  refusal = "guesses spent"     // blocked until budget.until
	refusedInFlight refusal = "guesses in flight" // spent only by guesses that nobody knows the end of yet
	refusedStale    refusal = "begun under another epoch or before a block"
	refusedAdmin    refusal = "blocked by an administrator"
	refusedReplay   refusal = "time step already used"
	refusedGone     refusal = "login has ended"
	refusedDisabled refusal = "authenticator disabled"
	refusedCooldown refusal = "sent a moment ago"
	refusedSends    refusal = "sends spent"
	refusedGrace    refusal = "grace used up"
)

// step is the state machine. It returns the record as it is after in, or the old record and why in is refused. A refused
// input changes nothing. step never changes rec's slices in place.
//
//	           spend(password)          spend(code)            bind
//	Anonymous ───────────────► compare ───────────► compare ───────► Authenticated
//	                │ settle(right)         │ settle(wrong)             │ stepUp: same login, new key
//	                ▼                       ▼                           │ logout, revoke: key → ending → ended
//	             Pending              guesses gone: blocked             ▼
//	        (session record)          until time or free            Anonymous
func (r rules) step(rec account, in any, now time.Time) (account, error) {
	switch in := in.(type) {
	case observe:
		return rec, nil

	case spend:
		// A blocked account still spends password guesses: it must look and cost like any other (I-10).
		if in.kind == codeGuess && (rec.blocked || in.epoch != rec.epoch) {
			return rec, refusedStale
		}
		bs := rec.budgetsOf(in.device, now)
		b, most := r.pick(&bs, in.kind)
		if b.spent >= most && !now.Before(b.until) { // the block is over: the first try empties the budget
			*b = budget{window: b.window + 1, blocks: b.blocks, last: b.last}
		}
		switch {
		case in.kind == codeGuess && !in.undated && in.blocks != b.blocks && b.spent < most:
			return rec, refusedStale
		case b.spent >= most && b.wrong < most && now.Before(b.last.Add(flightHorizon)):
			return rec, refusedInFlight
		case b.spent >= most:
			return rec, refusedBlocked
		}
		for _, id := range in.auth {
			if rec.disabled(id) {
				return rec, refusedDisabled
			}
		}
		b.spent++
		b.last = now
		if b.spent >= most {
			b.until = now.Add(r.blockFor)
			b.blocks++
		}
		rec.setBudgets(in.device, bs, now)
		for _, id := range in.auth {
			rec.setAuth(id, func(a *authState) { a.failures++ })
		}
		return rec, nil

	case settle:
		bs := rec.budgetsOf(in.device, now)
		b, most := r.pick(&bs, in.kind)
		if b.window == in.window && b.spent > b.wrong {
			if in.wrong {
				b.wrong++
			} else {
				b.giveBack(most)
			}
			rec.setBudgets(in.device, bs, now)
		}
		for _, id := range in.auth {
			rec.setAuth(id, func(a *authState) { a.failures = max(a.failures-1, 0) })
		}
		return rec, nil

	case bind:
		if rec.blocked || in.epoch != rec.epoch {
			return rec, refusedStale
		}
		if in.login.child() { // and of a login, not of another token
			if i := rec.find(in.login.parent); i < 0 || rec.logins[i].child() {
				return rec, refusedGone
			}
		}
		if err := rec.use(in.proof); err != nil {
			return rec, err
		}
		if in.renew != nil {
			rec.endAll(*in.renew)
		}
		rec.logins = slices.DeleteFunc(slices.Clone(rec.logins), func(l liveLogin) bool { return !now.Before(l.end) })
		// Access tokens make room for access tokens, so that they push nobody's login out.
		oldest, n := recordID{}, 0
		for _, l := range rec.logins {
			if l.child() == in.login.child() {
				if n++; n == 1 {
					oldest = l.id
				}
			}
		}
		if n >= maxLogins {
			rec.end(oldest)
		}
		rec.logins = append(rec.logins, in.login)
		if !in.access {
			rec.success(r, in.device, in.shown, in.weak, now)
			rec.remember(in.remember, in.shown, in.strong, now)
		}
		return rec, nil

	case accept:
		if rec.blocked || in.epoch != rec.epoch {
			return rec, refusedStale
		}
		if err := rec.use(in.proof); err != nil {
			return rec, err
		}
		rec.success(r, in.device, true, in.weak, now)
		return rec, nil

	case seen:
		if rec.blocked || in.epoch != rec.epoch {
			return rec, refusedStale
		}
		rec.remember(in.device, false, false, now)
		if i := rec.known(in.device, now); i >= 0 {
			rec.devices[i].created = now
		}
		return rec, nil

	case stepUp:
		i := rec.find(in.id)
		if rec.blocked || in.epoch != rec.epoch || i < 0 || rec.logins[i].key != in.old {
			return rec, refusedGone
		}
		if err := rec.use(in.proof); err != nil {
			return rec, err
		}
		rec.logins = slices.Clone(rec.logins)
		rec.logins[i].key = in.new
		rec.ending = append(slices.Clone(rec.ending), in.old)
		if in.renew != nil {
			rec.endOthers(i, *in.renew)
		}
		if in.kind == 0 { // nothing was asked for
			return rec, nil
		}
		bs := rec.budgetsOf(in.device, now)
		b, most := r.pick(&bs, in.kind)
		b.right(in.weak, most)
		rec.setBudgets(in.device, bs, now)
		if i := rec.known(in.device, now); in.kind == codeGuess && i >= 0 { // from now on its code guesses are its own
			rec.devices = slices.Clone(rec.devices)
			rec.devices[i].full = true
		}
		return rec, nil

	case others:
		i := rec.find(in.id)
		if rec.blocked || in.epoch != rec.epoch || i < 0 {
			return rec, refusedGone
		}
		rec.endOthers(i, in.renew)
		return rec, nil

	case logout:
		rec.end(in.id)
		return rec, nil

	case revoke:
		rec.endAll(in.renew)
		return rec, nil

	case ended:
		rec.ending = slices.DeleteFunc(slices.Clone(rec.ending), func(k string) bool { return slices.Contains(in.keys, k) })
		return rec, nil

	case pay:
		bs := rec.budgetsOf(in.device, now)
		if r.sendUnlimited {
			return rec, nil
		}
		if !in.again && now.Before(bs.sends.last.Add(r.sendCooldown)) {
			return rec, refusedCooldown
		}
		if !in.apart && (!bs.sends.short.take(r.sendShort, sendShortWindow, now) || !bs.sends.day.take(r.sendDay, sendDayWindow, now)) {
			return rec, refusedSends
		}
		bs.sends.last = now
		rec.setBudgets(in.device, bs, now)
		return rec, nil

	case block:
		rec.endAll(in.renew)
		rec.blocked = true
		return rec, nil

	case free:
		rec.strange.password.reset()
		rec.strange.code.reset()
		rec.devices = slices.Clone(rec.devices)
		for i := range rec.devices {
			rec.devices[i].budgets.password.reset()
			rec.devices[i].budgets.code.reset()
		}
		if in.authenticators {
			rec.auth = slices.Clone(rec.auth)
			for i := range rec.auth {
				rec.auth[i].failures = 0
			}
		}
		if in.everything {
			rec.blocked = false
		}
		return rec, nil

	case grace:
		if !rec.graceLeft(in.most) {
			return rec, refusedGrace
		}
		rec.grace++
		return rec, nil

	case noGrace:
		rec.grace = graceOver
		return rec, nil

	case drop:
		rec.auth = slices.DeleteFunc(slices.Clone(rec.auth), func(a authState) bool {
			return slices.Contains(in.auth, a.id) || in.auth == nil && len(a.id) == 2*len(recordID{})
		})
		return rec, nil

	case forget:
		rec.devices = slices.DeleteFunc(slices.Clone(rec.devices), func(d device) bool {
			return in.device == deviceID{} || d.id == in.device
		})
		return rec, nil
	}
	return rec, refusal("unknown input") // a closed door for an input that somebody forgot here
}

// pick gives the budget that kind names, and its maximum. An unknown kind has none to spend.
func (r rules) pick(b *budgets, kind guess) (*budget, int) {
	switch kind {
	case passwordGuess:
		return &b.password, r.passwordGuesses
	case codeGuess:
		return &b.code, r.codeGuesses
	}
	return new(budget), 0
}

// giveBack returns one guess. A budget that has one again is not blocked: the guess that set the block proved not wrong.
func (b *budget) giveBack(most int) {
	if b.spent >= most {
		b.until = time.Time{}
		b.blocks--
	}
	b.spent--
}

// reset gives all guesses back. A block that is lifted by success keeps its number: what began before it stays dead.
func (b *budget) reset() {
	if b.spent > 0 {
		*b = budget{window: b.window + 1, blocks: b.blocks, last: b.last}
	}
}

// right gives back what a right answer does: all guesses, or its own only where it proves no more than that the recovery code
// was right which has just added what answered. With all of them back, whoever has added something could go on for ever between
// two right answers, and make the owner's authenticators fail a hundred times in a row (I-09).
func (b *budget) right(weak bool, most int) {
	switch {
	case !weak:
		b.reset()
	case b.spent > b.wrong:
		b.giveBack(most)
	}
}

// known returns the index of a device that is known and not too old, or -1.
func (rec *account) known(id deviceID, now time.Time) int {
	if id == (deviceID{}) {
		return -1
	}
	return slices.IndexFunc(rec.devices, func(d device) bool { return d.id == id && now.Before(d.created.Add(deviceLife)) })
}

// knownDevices are those that are not too old.
func (rec *account) knownDevices(now time.Time) []device {
	return slices.DeleteFunc(slices.Clone(rec.devices), func(d device) bool { return rec.known(d.id, now) < 0 })
}

// budgetsOf returns a copy of the budgets for a client: a known device's own, or everybody's. A device on which nobody has
// shown a second factor has its own password guesses only, or a stolen password would buy code guesses with each new device.
func (rec *account) budgetsOf(id deviceID, now time.Time) budgets {
	i := rec.known(id, now)
	if i < 0 {
		return rec.strange
	}
	b := rec.devices[i].budgets
	if !rec.devices[i].full {
		b.code, b.sends = rec.strange.code, rec.strange.sends
	}
	return b
}

// whose says for the audit whether what happened to a budget happened to strangers' or to a known device's own.
func (rec *account) whose(what string, id deviceID, now time.Time) string {
	if rec.known(id, now) >= 0 {
		return what + ", known device"
	}
	return what
}

// setBudgets writes to whom budgetsOf read from: an expired device's guesses are strangers' guesses, or it would have a
// budget that is never spent.
func (rec *account) setBudgets(id deviceID, b budgets, now time.Time) {
	if i := rec.known(id, now); i >= 0 {
		rec.devices = slices.Clone(rec.devices)
		d := &rec.devices[i]
		if d.full {
			d.budgets = b
			return
		}
		d.budgets.password = b.password
		rec.strange.code, rec.strange.sends = b.code, b.sends
		return
	}
	rec.strange = b
}

// success gives guesses back to the class of clients that has shown everything: those of codes only for a code (I-08).
func (rec *account) success(r rules, id deviceID, code, weak bool, now time.Time) {
	bs := rec.budgetsOf(id, now)
	bs.password.reset()
	if code {
		bs.code.right(weak, r.codeGuesses)
	}
	rec.setBudgets(id, bs, now)
}

// remember makes a device known after a full login, or notes that it was seen, and whether a second factor was shown on it.
// The one not seen for longest makes room; a password alone, or with a recovery code, pushes none out on which more was shown.
func (rec *account) remember(id deviceID, full, strong bool, now time.Time) {
	if id == (deviceID{}) {
		return
	}
	rec.devices = slices.DeleteFunc(slices.Clone(rec.devices), func(d device) bool { return !now.Before(d.created.Add(deviceLife)) })
	if i := rec.known(id, now); i >= 0 {
		rec.devices[i].used = now
		rec.devices[i].full = rec.devices[i].full || full
		return
	}
	if len(rec.devices) >= maxDevices {
		oldest := -1
		for i, d := range rec.devices {
			if (strong || !d.full) && (oldest < 0 || d.used.Before(rec.devices[oldest].used)) {
				oldest = i
			}
		}
		if oldest < 0 {
			return
		}
		rec.devices = slices.Delete(rec.devices, oldest, oldest+1)
	}
	// A verdict or a pending login of a device that is forgotten meanwhile must find no other's budget under its number (I-08).
	rec.made++
	first := budget{window: rec.made << 32, blocks: rec.made << 32}
	rec.devices = append(rec.devices, device{id: id, created: now, used: now, full: full, budgets: budgets{password: first, code: first}})
}

// take counts one more, unless limit is reached in the window that is open.
func (w *window) take(limit int, length time.Duration, now time.Time) bool {
	if !now.Before(w.opened.Add(length)) {
		*w = window{opened: now}
	}
	if w.n >= limit {
		return false
	}
	w.n++
	return true
}

// disabled reports whether an authenticator was answered wrongly too often in a row (I-09).
func (rec *account) disabled(id string) bool { return rec.authOf(id).failures >= maxFailures }

// use takes a proof: its step must be later than the last one used, and the authenticator's failures in a row end here.
func (rec *account) use(p proofUsed) error {
	if p.auth != "" && p.step != 0 && p.step <= rec.authOf(p.auth).step {
		return refusedReplay
	}
	for _, id := range p.charged {
		rec.setAuth(id, func(a *authState) { a.failures = max(a.failures-1, 0) })
	}
	if p.auth == "" {
		return nil
	}
	rec.setAuth(p.auth, func(a *authState) {
		a.failures = 0
		a.step = max(a.step, p.step)
	})
	return nil
}

func (rec *account) authOf(id string) authState {
	for _, a := range rec.auth {
		if a.id == id {
			return a
		}
	}
	return authState{id: id}
}

func (rec *account) setAuth(id string, change func(*authState)) {
	rec.auth = slices.Clone(rec.auth)
	for i := range rec.auth {
		if rec.auth[i].id == id {
			change(&rec.auth[i])
			return
		}
	}
	a := authState{id: id}
	change(&a)
	rec.auth = append(rec.auth, a)
}

func (rec *account) find(id recordID) int {
	return slices.IndexFunc(rec.logins, func(l liveLogin) bool { return l.id == id })
}

// child reports whether a login is an access token that was made from another.
func (l liveLogin) child() bool { return l.parent != recordID{} }

// end puts a login on the list of what has to be deleted, and the access tokens that were made from it.
func (rec *account) end(id recordID) {
	if rec.find(id) < 0 {
		return
	}
	rec.ending = slices.Clone(rec.ending)
	rec.logins = slices.DeleteFunc(slices.Clone(rec.logins), func(l liveLogin) bool {
		gone := l.id == id || l.child() && l.parent == id
		if gone {
			rec.ending = append(rec.ending, l.key)
		}
		return gone
	})
}

// endAll puts every login on the list of what has to be deleted, and outdates whatever has begun.
func (rec *account) endAll(renew epoch) {
	rec.ending = slices.Clone(rec.ending)
	for _, l := range rec.logins {
		rec.ending = append(rec.ending, l.key)
	}
	rec.logins = nil
	rec.epoch = renew
}

// endOthers is endAll for all but the i-th login.
func (rec *account) endOthers(i int, renew epoch) {
	own := rec.logins[i]
	rec.logins = slices.Delete(slices.Clone(rec.logins), i, i+1)
	rec.endAll(renew)
	rec.logins = []liveLogin{own}
}
