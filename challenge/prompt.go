package challenge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// sendTimeout is how long one send may take.
const sendTimeout = 10 * time.Second

// subject is an account with everything that its second factors need.
type subject struct {
	account    Account
	record     account
	enrolments enrolments
	client     Client
	device     deviceID
	purpose    Purpose
	channel    string // of the first factor, which counts for no second one
	finished   bool   // a finished login asks, and no pending one
}

// subject reads an account's authenticators.
func (l *Logins) subject(ctx context.Context, c Client, a Account, rec account, device deviceID, purpose Purpose, channel string) (subject, error) {
	e, err := l.loadEnrolments(ctx, a.ID)
	return subject{account: a, record: rec, enrolments: e, client: c, device: device, purpose: purpose, channel: channel}, err
}

// attempt makes what a factor sees. Only the authenticators of this factor are decrypted.
func (l *Logins) attempt(s *subject, f Factor, p *Prompt, confirming string) (*Attempt, error) {
	a := &Attempt{
		Account: s.account, Client: s.client, Purpose: s.purpose, Language: l.texts.Match(s.account.Language, s.client.Language),
		Site: l.site.Origin, Now: l.now(), Texts: l.texts,
		keys: l.keys, random: l.random, mails: l.mails, maxTTL: l.durations.Code,
	}
	for _, v := range s.enrolments.list {
		if v.factor != f.Name() || (confirming == "") != v.waits.IsZero() || confirming != "" && (v.id != confirming || !a.Now.Before(v.waits)) {
			continue
		}
		auth, err := l.open(s.account.ID, v, &s.record)
		if err != nil {
			return nil, err
		}
		if !auth.Disabled {
			a.Enrolled = append(a.Enrolled, auth)
		}
	}
	if confirming == "" {
		a.Enrolled = undiverted(f, a)
	}
	if p != nil {
		a.context = string(joined(s.account.ID, string(p.codeID[:]), string(s.purpose), f.Name()))
		if p.Method == f.Name() {
			a.sent = sentCode{mac: p.mac, end: p.Expires}
			a.posed.state = p.state
		}
	}
	return a, nil
}

// undiverted leaves out the destinations that a recovery code has just added, where a message can still go where it went
// before: they take no codes away from the owner (I-14).
func undiverted(f Factor, a *Attempt) []Authenticator {
	v, sends := ability[Deliverer](f)
	if !sends || !slices.ContainsFunc(a.Enrolled, a.weak) {
		return a.Enrolled
	}
	before := *a
	before.Enrolled = slices.DeleteFunc(slices.Clone(a.Enrolled), a.weak)
	if _, _, ok := v.Destination(&before); ok {
		return before.Enrolled
	}
	return a.Enrolled
}

// weak reports whether a recovery code has added an authenticator too recently for it to take others away (I-14).
func (a *Attempt) weak(v Authenticator) bool { return a.Now.Before(v.weak) }

// takesAway reports whether an answer may come from something that takes others away: an authenticator that is not weak, or
// what is the account's own.
func (a *Attempt) takesAway() bool {
	return len(a.Enrolled) == 0 || slices.ContainsFunc(a.Enrolled, func(v Authenticator) bool { return !a.weak(v) })
}

// charged names what a wrong answer counts against: the authenticators that are asked, or the factor itself where the
// destination comes from Users.
func charged(f Factor, a *Attempt) []string {
	if len(a.Enrolled) == 0 {
		return []string{f.Name()}
	}
	ids := make([]string, len(a.Enrolled))
	for i, v := range a.Enrolled {
		ids[i] = v.ID
	}
	return ids
}

// usable reports whether the account can use a factor now, and whether it could if it were not disabled (I-09).
func (s *subject) usable(f Factor, a *Attempt) (ok, disabled bool) {
	off := slices.ContainsFunc(s.enrolments.list, func(v enrolled) bool {
		return v.factor == f.Name() && v.waits.IsZero() && s.record.disabled(v.id)
	})
	if v, is := ability[Deliverer](f); is {
		channel, _, to := v.Destination(a)
		if !to {
			return false, off
		}
		if s.channel != "" && channel == s.channel {
			return false, false
		}
		if len(a.Enrolled) == 0 && s.record.disabled(f.Name()) {
			return false, true
		}
	}
	if v, is := ability[Availability](f); is {
		return v.Available(a), off
	}
	return len(a.Enrolled) > 0, off
}

// methods are the allowed factors of an account, preferred first: the verdict's that are enrolled. disabled is
// true when there would be one, had it not been answered wrongly too often.
func (l *Logins) methods(s *subject, v Verdict) (names []string, disabled bool, err error) {
	order := v.Factors
	if order == nil {
		for _, f := range l.factors {
			order = append(order, f.Name())
		}
	}
	// Whatever the order, what a recovery code has just added comes after what there was (I-14), and recovery codes come last.
	var was, added, recovery []string
	for i, name := range order {
		if slices.Contains(order[:i], name) {
			continue
		}
		f := l.factor(name)
		a, err := l.attempt(s, f, nil, "")
		if err != nil {
			return nil, false, err
		}
		ok, off := s.usable(f, a)
		disabled = disabled || off
		switch {
		case !ok:
		case name == recoveryName:
			recovery = append(recovery, name)
		case !a.takesAway():
			added = append(added, name)
		case name == s.enrolments.preferred:
			was = slices.Insert(was, 0, name)
		default:
			was = append(was, name)
		}
	}
	return slices.Concat(was, added, recovery), disabled, nil
}

// prove are the factors by which a code can reach the account's own address or phone, before it may enrol (I-02).
func (l *Logins) prove(s *subject) (names []string, err error) {
	for _, f := range l.factors {
		v, ok := ability[Deliverer](f)
		if !ok {
			continue
		}
		a, err := l.attempt(s, f, nil, "")
		if err != nil {
			return nil, err
		}
		if channel, _, ok := v.Destination(a); ok && channel != s.channel && !s.record.disabled(f.Name()) {
			names = append(names, f.Name())
		}
	}
	a, err := l.attempt(s, enrolmentCode{}, nil, "")
	if err != nil {
		return nil, err
	}
	if (enrolmentCode{}).Available(a) { // from an administrator
		names = append(names, enrolmentCodeName)
	}
	return names, nil
}

// enrollable are the factors that may be enrolled and would then satisfy the verdict.
func (l *Logins) enrollable(v Verdict) (names []string) {
	for _, f := range l.factors {
		if _, ok := ability[Enroller](f); !ok || f.Name() == recoveryName || v.Factors != nil && !slices.Contains(v.Factors, f.Name()) {
			continue
		}
		names = append(names, f.Name())
	}
	return names
}

// ask prompts for a code by method: it pays for the send, lets the factor send, and goes to the factor's fallbacks when
// that fails. The prompt says what came of it. Its error is of the machine; that a message could not be sent is not one.
func (l *Logins) ask(ctx context.Context, s *subject, allowed []string, method string, last Prompt) (Prompt, error) {
	order := []string{method}
	if v, ok := ability[fallbacker](l.factor(method)); ok {
		for _, to := range v.fallsBack() {
			if slices.Contains(allowed, to) && to != method {
				order = append(order, to)
			}
		}
	}
	failed := Prompt{Method: method, Failed: true}
	for i, name := range order {
		p, wait, err := l.askOne(ctx, s, name, i > 0, "")
		switch {
		case err == nil:
			if i > 0 {
				p.FellBack = method
				if err := l.Record(ctx, event(audit.FallbackTaken, audit.Success, s.client, s.account, name, "instead of "+method)); err != nil {
					return Prompt{}, err
				}
			}
			return p, nil
		case errors.Is(err, ErrUnavailable):
			return Prompt{}, err
		case wait != nil && wait.other && i+1 < len(order) && (last.Method != method || last.mac == nil): // somebody else may have spent it
			continue
		case wait != nil: // a budget is spent; what was sent before in this login stays good
			if last.Method == method && last.mac != nil {
				last.ResendAt = wait.until
				return last, wait
			}
			return Prompt{Method: method, ResendAt: wait.until, Channel: p.Channel, To: p.To}, wait
		}
		if i == 0 {
			failed.Channel, failed.To, failed.ResendAt = p.Channel, p.To, p.ResendAt
		}
	}
	return failed, nil
}

// waitError is a send that has to wait; it never leaves this package.
type waitError struct {
	until time.Time
	of    string // whose budget it is
	other bool   // it is about where this message would go: another channel may be open
}

func (*waitError) Error() string { return "challenge: the next code has to wait" }

// askOne asks by one method. wait is set when a budget does not allow a send now. A fallback in the same act is not held up
// by the cooldown that the failed send began.
func (l *Logins) askOne(ctx context.Context, s *subject, method string, again bool, confirming string) (p Prompt, wait *waitError, err error) {
	f := l.factor(method)
	p = Prompt{Method: method}
	if p.codeID, err = l.randomID(); err != nil {
		return p, nil, err
	}
	a, err := l.attempt(s, f, &p, confirming)
	if err != nil {
		return p, nil, err
	}
	var to string
	if d, ok := ability[Deliverer](f); ok {
		p.Channel, to, _ = d.Destination(a)
		p.To, to = Mask(p.Channel, to), countedAs(p.Channel, to)
		if wait, err = l.payFor(ctx, s, method, p.Channel, to, again); err != nil || wait != nil {
			if wait != nil && err == nil {
				err = wait
			}
			return p, wait, err
		}
		if !l.rules.sendUnlimited {
			p.ResendAt = a.Now.Add(l.rules.sendCooldown)
		}
	}
	bctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	end := unobserved
	if p.Channel != "" {
		bctx, end = l.begin(bctx, OpSend)
	}
	err = begin(bctx, f, a)
	end(err)
	cancel()
	p.Info = clip(a.Info, 2048)
	if err != nil {
		if p.Channel == ChannelSMS { // what was not sent cannot come back
			l.countAgain(ctx, to, s.purpose, func(c *pumping) { c.unsend(a.Now) })
		}
		if e := l.Record(ctx, event(audit.SendFailed, audit.Failure, s.client, s.account, method, a.report)); e != nil {
			return p, nil, e
		}
		return p, nil, fmt.Errorf("%w: %s", ErrSend, method)
	}
	if a.sent.mac != nil {
		p.mac, p.Expires, p.SentAt = a.sent.mac, a.sent.end, a.Now
	}
	if p.state, p.Options = a.posed.state, a.posed.options; p.state != nil {
		p.Expires = a.Now.Add(l.durations.Code)
	}
	if err := l.Record(ctx, event(audit.CodeCreated, audit.Success, s.client, s.account, method, "")); err != nil || a.report == "" {
		return p, nil, err
	}
	return p, nil, l.Record(ctx, event(audit.FallbackTaken, audit.Success, s.client, s.account, method, a.report))
}

// begin calls a factor; a panic in it is a failure.
func begin(ctx context.Context, f Factor, a *Attempt) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("factor panicked")
		}
	}()
	return f.Begin(ctx, a)
}

// payFor lets a message go or says why not, to the audit too. wait is set when a budget is spent for now; ErrSend is for a
// number that gets no message at all, so that a fallback is taken, and ErrDestination for one that was typed in.
func (l *Logins) payFor(ctx context.Context, s *subject, method, channel, to string, again bool) (wait *waitError, err error) {
	refused := func(reason string) error {
		return l.Record(ctx, event(audit.SendRefused, audit.Failure, s.client, s.account, method, reason))
	}
	if channel == ChannelSMS {
		never := ErrSend
		if s.purpose == PurposeEnrol { // whoever has typed it in can type in another
			never = ErrDestination
		}
		if !l.sends.mayGo(to) {
			return nil, errors.Join(never, refused("no messages to "+countryCode(to)))
		}
		if beginning, err := l.pumped(ctx, method, to, s.purpose); err != nil || beginning != "" {
			if err == nil { // of the number, the audit learns no more than its country
				err = errors.Join(never, refused("too few codes entered from "+countryCode(to)))
			}
			return nil, err
		}
	}
	if wait, err = l.pay(ctx, s, channel, to, again); wait != nil {
		return wait, refused("budget of " + wait.of + " until " + wait.until.UTC().Format(time.RFC3339))
	}
	if err == nil && channel == ChannelSMS && !l.rules.sendUnlimited {
		err = l.countSend(ctx, method, to, s.purpose, 1)
	}
	return nil, err
}

// sending is one of the classes of messages that have windows of their own, so that none spends what another needs.
type sending string

const (
	toStranger sending = ""         // a login on a client that the account does not know
	toKnown    sending = " known"   // a login on a known device (I-11)
	toConfirm  sending = " step-up" // a login that is there confirms itself
	toNew      sending = " new"     // of whatever somebody typed in: it is confirmed
)

// class is that of the message which a subject needs now.
func (s *subject) class(now time.Time) sending {
	switch i := s.record.known(s.device, now); {
	case s.purpose == PurposeEnrol:
		return toNew
	case s.finished:
		return toConfirm
	case i >= 0 && s.record.devices[i].full:
		return toKnown
	}
	return toStranger
}

// pay takes one message out of every budget it touches, the account's first (I-15). Strangers who have the password, somebody
// who has the cookie of a login, and somebody who types in numbers for accounts of their own spend nothing of what the
// owner's login on a known device needs: each class of messages has its own windows of the account and of the destination, of
// which step-ups share that of strangers. New destinations also have their own of the client and of the range of numbers. The
// cooldown is one for each device, and for new destinations that of strangers. The budget of everybody is one: it is money.
func (l *Logins) pay(ctx context.Context, s *subject, channel, to string, again bool) (*waitError, error) {
	if l.rules.sendUnlimited {
		return nil, nil
	}
	now, device, class := l.now(), s.device, s.class(l.now())
	common := toStranger // those of the client and of the range of numbers
	if class == toNew {  // whatever the device, or each new one would have a cooldown of its own
		device, common = deviceID{}, toNew
	}
	apart := class == toConfirm || class == toNew
	if apart { // looked at first, so that what cannot go holds up no login, nor spends anything
		if until := s.record.budgetsOf(device, now).sends.last.Add(l.rules.sendCooldown); !again && now.Before(until) {
			return &waitError{until: until, of: ofCooldown}, nil
		}
		wait, err := l.take(ctx, s,
			share{quota{"account" + string(class), s.account.ID, l.sends.PerAccountShort, sendShortWindow}, ofAccount},
			share{quota{"account-day" + string(class), s.account.ID, l.sends.PerAccountDay, sendDayWindow}, ofAccount})
		if wait != nil || err != nil {
			return wait, err
		}
	}
	t, err := l.apply(ctx, accountKey(s.account.ID), pay{device: device, again: again, apart: apart})
	b := t.after.budgetsOf(device, now).sends
	switch {
	case errors.Is(err, refusedCooldown):
		return &waitError{until: b.last.Add(l.rules.sendCooldown), of: ofCooldown}, nil
	case errors.Is(err, refusedSends) && b.day.n >= l.rules.sendDay && now.Before(b.day.opened.Add(sendDayWindow)):
		return &waitError{until: b.day.opened.Add(sendDayWindow), of: ofAccount}, nil
	case errors.Is(err, refusedSends):
		return &waitError{until: b.short.opened.Add(sendShortWindow), of: ofAccount}, nil
	case err != nil:
		return nil, err
	}
	var shares []share
	if s.client.Addr.IsValid() { // first, so that a client whose own is spent spends nobody else's
		shares = append(shares, share{quota{"client" + string(common), clientNet(s.client.Addr), l.sends.PerClientHour, time.Hour}, ofClient})
	}
	where := class
	if class == toConfirm { // a login on a known device does without it: no mailbox gets more than it must
		where = toStranger
	}
	shares = append(shares, share{quota{"to" + string(where), channel + ":" + to, l.sends.PerAccountShort, sendShortWindow}, ofDestination},
		share{quota{"to-day" + string(where), channel + ":" + to, l.sends.PerAccountDay, sendDayWindow}, ofDestination})
	if channel == ChannelSMS {
		shares = append(shares, share{quota{"prefix" + string(common), numberRange(to), l.sends.PerPrefixHour, time.Hour}, ofRange})
	}
	return l.take(ctx, s, append(shares, share{quota{"global", "", l.sends.GlobalHour, time.Hour}, ofEverybody})...)
}

// share is a budget that a message is taken out of, and for the audit, whose it is.
type share struct {
	quota
	whose string
}

const (
	ofAccount     = "the account"
	ofCooldown    = "the account, cooldown"
	ofClient      = "the client"
	ofDestination = "the destination"
	ofRange       = "the range of numbers"
	ofEverybody   = "everybody"
)

// take takes one message out of each budget, until one has none left.
func (l *Logins) take(ctx context.Context, s *subject, shares ...share) (*waitError, error) {
	for _, q := range shares {
		n, until, err := l.takeQuota(ctx, q.quota)
		if err != nil {
			return nil, err
		}
		if !until.IsZero() {
			return &waitError{until, q.whose, q.whose != ofClient && q.whose != ofAccount}, nil
		}
		if q.whose == ofEverybody && n == l.sends.alarmAt() { // one message of a window is this one
			reason := fmt.Sprintf("%d of %d messages of an hour are spent", n, q.most)
			if err := l.Record(ctx, event(audit.SendsNearlySpent, audit.Failure, s.client, s.account, "", reason)); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// alarmAt is the message of an hour with which the alarm about the budget of all is due.
func (s SendLimits) alarmAt() int { return max(1, (s.GlobalHour*s.AlarmPercent+99)/100) }

// shaped is the method of an answer that is shaped like a recovery code, where one is allowed, or like an administrator's
// enrolment code; else it is empty.
func shaped(answer string, allowed []string) string {
	for _, name := range []string{recoveryName, enrolmentCodeName} {
		if slices.Contains(allowed, name) && looksLikeRecoveryCode(answer) {
			return name
		}
	}
	return ""
}

// parse gives an answer's canonical form, before a guess is spent.
func parse(f Factor, answer string) ([]byte, bool) {
	if v, ok := ability[Parser](f); ok {
		return v.Parse(answer)
	}
	answer = strings.Trim(answer, " \t\r\n")
	if answer == "" || len(answer) > maxTyped {
		return nil, false
	}
	for i := range len(answer) {
		if answer[i] < 0x20 || answer[i] > 0x7e {
			return nil, false
		}
	}
	return []byte(answer), true
}

// HasFactor reports whether Config.Factors has a factor of this name.
func (l *Logins) HasFactor(name string) bool {
	return name != enrolmentCodeName && l.factor(name) != nil
}

// Sends reports whether a method sends its code, so that a page can offer to send one.
func (l *Logins) Sends(method string) bool {
	_, ok := ability[Deliverer](l.factor(method))
	return ok
}
