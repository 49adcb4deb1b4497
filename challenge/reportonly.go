package challenge

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// What runs report-only decides nothing: Config.Shadow, Config.Trials and limits that only report are asked beside what is in
// force, after it and apart from it, and leave an [audit.ReportOnly] event where they would have done otherwise. However long they take,
// whatever they return, and when they panic, a login goes as it would without them.

const (
	maxAside     = 64 // reports under way at once in one process; what comes beyond is counted as a lost event
	asideTimeout = 10 * time.Second
)

// aside is what goes on beside decisions.
type aside struct {
	underWay atomic.Int32
	done     sync.WaitGroup
}

// report runs one trial beside a decision. trial gives what it would have done in a few fixed words, or nothing where that is what was
// done; refused says that somebody would not have got in. Its panic is a failure, which is told too.
func (l *Logins) report(c Client, a Account, method, of string, trial func(ctx context.Context) (would string, refused bool, err error)) {
	if l.aside.underWay.Add(1) > maxAside {
		l.aside.underWay.Add(-1)
		l.recorder.lost.Add(1)
		return
	}
	l.aside.done.Add(1)
	at := l.now()
	go func() {
		defer l.aside.done.Done()
		defer l.aside.underWay.Add(-1)
		ctx, cancel := context.WithTimeout(context.Background(), asideTimeout)
		defer cancel()
		would, refused, err := caught(ctx, trial)
		if err != nil {
			would, refused = "failed", true
		}
		if would == "" {
			return
		}
		e := event(audit.ReportOnly, audit.Success, c, a, method, of+": "+would)
		if e.Time = at; refused {
			e.Outcome = audit.Failure
		}
		rctx, end := context.WithTimeout(context.Background(), asideTimeout)
		defer end()
		select { // never in the places that decisions have at a slow sink
		case l.recorder.strangers <- struct{}{}:
			_ = l.record(rctx, e, func() { <-l.recorder.strangers })
		case <-rctx.Done():
			l.recorder.lost.Add(1)
		}
	}()
}

func caught(ctx context.Context, trial func(context.Context) (string, bool, error)) (would string, refused bool, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("panicked")
		}
	}()
	return trial(ctx)
}

// ReportOnly notes for the audit that something in trial would have refused a request that was let through. It never waits.
func (l *Logins) ReportOnly(c Client, what string) {
	l.report(c, Account{}, "", clip(what, 200), func(context.Context) (string, bool, error) { return "would have been refused", true, nil })
}

// WaitForReports waits until what runs beside decisions is in the audit. Call it when the server has shut down.
func (l *Logins) WaitForReports() { l.aside.done.Wait() }

// shadow asks the policy in trial about a login whose first factor was right, and compares what would follow.
func (l *Logins) shadow(c Client, f firstFactor, rec account, v Verdict) {
	if l.shadowPolicy == nil {
		return
	}
	l.report(c, f.account, "", "policy", func(ctx context.Context) (string, bool, error) {
		would, err := l.judge(ctx, l.shadowPolicy, f.account, c)
		if err != nil {
			return "", false, err
		}
		is, _, err := l.outlook(ctx, c, f, rec, v)
		if err != nil {
			return "", false, err
		}
		then, refused, err := l.outlook(ctx, c, f, rec, would)
		if err != nil || is == then {
			return "", false, err
		}
		return then + " instead of " + is, refused, nil
	})
}

// shadowAlone is shadow for an answer that counts as both factors and that the policy in force is content with.
func (l *Logins) shadowAlone(c Client, a Account, method string) {
	if l.shadowPolicy == nil {
		return
	}
	l.report(c, a, method, "policy", func(ctx context.Context) (string, bool, error) {
		would, err := l.judge(ctx, l.shadowPolicy, a, c)
		if err != nil || would.NotNeeded || would.allows(method) {
			return "", false, err
		}
		return "no way in by this alone", true, nil
	})
}

// outlook says in a few words what follows from a verdict. It goes the way of afterFirst and does nothing.
func (l *Logins) outlook(ctx context.Context, c Client, f firstFactor, rec account, v Verdict) (words string, refused bool, err error) {
	if v.NotNeeded {
		return "no second factor", false, nil
	}
	s, err := l.subject(ctx, c, f.account, rec, f.device, PurposeLogin, f.channel)
	if err != nil {
		return "", false, err
	}
	methods, disabled, err := l.methods(&s, v)
	switch {
	case err != nil:
		return "", false, err
	case len(methods) > 0:
		return "a second factor (" + strings.Join(methods, ", ") + ")", false, nil
	case disabled || s.enrolments.any():
		return "no way in (no usable second factor)", true, nil
	}
	switch given, err := l.inGrace(&s, v); {
	case err != nil:
		return "", false, err
	case given && rec.graceLeft(v.Grace.Logins):
		return "grace", false, nil
	}
	s.purpose = PurposeEnrolProof
	if methods, err = l.prove(&s); err != nil {
		return "", false, err
	}
	if len(methods) == 0 || len(l.enrollable(v)) == 0 {
		return "no way in (nothing enrolled)", true, nil
	}
	return "enrolment", false, nil
}

// try shows an answer that was paid for to the factor in trial that stands beside the one that has judged it.
func (l *Logins) try(s *subject, a *Attempt, method, typed string, accepted bool) {
	i := slices.IndexFunc(l.trials, func(f Factor) bool { return f.Name() == method })
	if i < 0 {
		return
	}
	f, own := l.trials[i], *a // of its own: what it writes there reaches nobody
	own.Info = ""
	own.Enrolled, own.Existing = slices.Clone(a.Enrolled), slices.Clone(a.Existing)
	for i := range own.Enrolled {
		own.Enrolled[i].Data = slices.Clone(own.Enrolled[i].Data)
	}
	own.posed.state = slices.Clone(a.posed.state)
	l.report(s.client, s.account, method, "factor in trial", func(ctx context.Context) (string, bool, error) {
		answer, ok := parse(f, typed)
		if ok {
			_, err := f.Verify(ctx, &own, answer)
			switch ok = err == nil; {
			case err == nil, errors.Is(err, ErrWrongCode), errors.Is(err, ErrNoCode), errors.Is(err, ErrCodeExpired):
			default:
				return "", false, err
			}
		}
		switch {
		case ok == accepted:
			return "", false, nil
		case ok:
			return "would have accepted", false, nil
		}
		return "would have refused", true, nil
	})
}
