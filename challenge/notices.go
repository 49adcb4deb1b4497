package challenge

import (
	"context"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge/texts"
)

// notice is a kind of mail that tells a person what happened to their account. Of a kind, an account gets one a day (I-15).
// What is done once is a kind of its own: an authenticator is added and removed once, a recovery code used once. So what the
// owner did in the morning hides nothing of what somebody else does at night. These mails are bounded by what they are about: each
// takes a right code; with recovery codes three authenticators are added a day (maxWeak), and to remove another, or to make new
// recovery codes, takes another factor. Who has that too, and has mail sent where it is not wanted, is stopped at maxActs.
type notice struct {
	kind          string
	subject, body texts.Key
	most          int // a day
}

// maxActs is how many mails of one sort about acts of their own an account gets in a day: as many as it can have recovery codes.
const maxActs = recoveryMax

var (
	noticeFactorAdded   = notice{"factor added", texts.NoticeFactorSubject, texts.NoticeFactorAdded, maxActs}
	noticeFactorRemoved = notice{"factor removed", texts.NoticeFactorSubject, texts.NoticeFactorRemoved, maxActs}
	noticeRecoveryMade  = notice{"recovery codes made", texts.NoticeFactorSubject, texts.NoticeFactorAdded, maxActs}
	noticeRecovery      = notice{"recovery code used", texts.NoticeRecoverySubject, texts.NoticeRecoveryBody, maxActs}
	noticeNewDevice     = notice{"new device", texts.NoticeNewDeviceSubject, texts.NoticeNewDeviceBody, 1}
	noticeNewNetwork    = notice{"new network", texts.NoticeNewDeviceSubject, texts.NoticeNewNetworkBody, 1}
	noticeBlocked       = notice{"blocked", texts.NoticeBlockedSubject, texts.NoticeBlockedBody, 1}
)

// of is a finer kind: one must not hide another, as a stranger's wrong passwords would the wrong codes of somebody who has the
// password.
func (n notice) of(what string) notice {
	n.kind += " " + what
	return n
}

// maxNotices bounds the mails under way at once in one process; what comes beyond is not sent, and the audit says so.
const maxNotices = 64

// notify sends a notice after the answer (I-15), or the first of others that may go today when it may not. What becomes of it
// never changes a decision.
func (l *Logins) notify(c Client, a Account, n notice, method string, others ...notice) {
	l.notifyOf(c, a, n, l.texts.Method(l.texts.Match(a.Language, c.Language), method), others...)
}

// notifyOf is notify with the words for what it is about.
func (l *Logins) notifyOf(c Client, a Account, n notice, method string, others ...notice) {
	if l.notices == nil || a.Email == "" {
		return
	}
	failed := func(ctx context.Context, why string) {
		_ = l.Record(ctx, event(audit.NoticeSent, audit.Failure, c, a, "", n.kind+": "+why))
	}
	if l.noticesUnderWay.Add(1) > maxNotices {
		l.noticesUnderWay.Add(-1)
		failed(context.Background(), "too many at once")
		return
	}
	l.noticesDone.Add(1)
	at := l.now()
	go func() {
		defer l.noticesDone.Done()
		defer l.noticesUnderWay.Add(-1)
		defer func() { _ = recover() }() // a store that panics must not end the process for a mail
		ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
		defer cancel()
		due, err := l.due(ctx, a, append([]notice{n}, others...))
		switch {
		case err != nil:
			failed(ctx, "store failed")
			return
		case due == nil && n.most > 1:
			failed(ctx, "too many today")
			return
		case due == nil: // one a day is enough
			return
		}
		n = *due
		lang := l.texts.Match(a.Language, c.Language)
		address := "–" // in every language
		if c.Addr.IsValid() {
			address = c.Addr.String()
		}
		args := []string{"site", l.site.Host, "time", at.UTC().Format("2006-01-02 15:04 UTC"), "address", address,
			"method", method, "wait", l.texts.Duration(lang, l.rules.blockFor)}
		report, err := send(ctx, l.notices, l.mails.withHTML(Message{Channel: ChannelEmail, To: a.Email, Language: lang,
			Subject: l.texts.Text(lang, n.subject, args...), Body: l.texts.Text(lang, n.body, args...)}))
		outcome := audit.Success
		if err != nil {
			outcome = audit.Failure
		}
		reason := n.kind
		if report != "" {
			reason += ": " + report
		}
		_ = l.Record(ctx, event(audit.NoticeSent, outcome, c, a, "", reason))
	}()
}

// due takes the first notice of which the day has one left.
func (l *Logins) due(ctx context.Context, a Account, of []notice) (*notice, error) {
	for _, n := range of {
		if _, until, err := l.takeQuota(ctx, quota{"notice " + n.kind, a.ID, n.most, 24 * time.Hour}); err != nil || until.IsZero() {
			return &n, err
		}
	}
	return nil, nil
}

// WaitForNotices waits until the notices under way are sent or have failed. Call it when the server has shut down.
func (l *Logins) WaitForNotices() { l.noticesDone.Wait() }

// arrival is the mail about a login from where the account has not been used before, if it is one.
func (p *promotion) arrival(ctx context.Context, c Client) []notice {
	switch {
	case p.newDevice:
		return []notice{noticeNewDevice}
	case p.fromNewNetwork(ctx, c):
		return []notice{noticeNewNetwork}
	}
	return nil
}
