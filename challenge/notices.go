package challenge

import (
	"context"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge/texts"
)

// notice is a kind of mail that tells a person what happened to their account.
type notice struct {
	kind          string
	subject, body texts.Key
	each          bool   // of another method is another kind: one change must not hide the next
	about         string // an authenticator that has a mail of its own, whatever else was told that day; empty: none
}

var (
	noticeFactorAdded   = notice{"factor added", texts.NoticeFactorSubject, texts.NoticeFactorAdded, true, ""}
	noticeFactorRemoved = notice{"factor removed", texts.NoticeFactorSubject, texts.NoticeFactorRemoved, true, ""}
	noticeRecoveryMade  = notice{"recovery codes made", texts.NoticeFactorSubject, texts.NoticeFactorAdded, true, ""}
	noticeRecovery      = notice{"recovery code used", texts.NoticeRecoverySubject, texts.NoticeRecoveryBody, false, ""}
	noticeNewDevice     = notice{"new device", texts.NoticeNewDeviceSubject, texts.NoticeNewDeviceBody, false, ""}
	noticeBlocked       = notice{"blocked", texts.NoticeBlockedSubject, texts.NoticeBlockedBody, false, ""}
)

// maxNotices bounds the mails under way at once in one process; what comes beyond is not sent, and the audit says so.
const maxNotices = 64

// notify sends a notice after the answer, at most one of a kind for each account and day (I-15), and one about each thing that
// the owner has a day to undo. What becomes of it never changes a decision.
func (l *Logins) notify(c Client, a Account, n notice, method string) {
	l.notifyOf(c, a, n, l.texts.Method(l.texts.Match(a.Language, c.Language), method))
}

// notifyOf is notify with the words for what it is about.
func (l *Logins) notifyOf(c Client, a Account, n notice, method string) {
	if l.notices == nil || a.Email == "" {
		return
	}
	if l.noticesUnderWay.Add(1) > maxNotices {
		l.noticesUnderWay.Add(-1)
		_ = l.Record(context.Background(), event(audit.NoticeSent, audit.Failure, c, a, "", n.kind+": too many at once"))
		return
	}
	kind := n.kind
	if n.each {
		kind += " " + method
	}
	if n.about != "" {
		kind += " " + n.about
	}
	l.noticesDone.Add(1)
	at := l.now()
	go func() {
		defer l.noticesDone.Done()
		defer l.noticesUnderWay.Add(-1)
		defer func() { _ = recover() }() // a store that panics must not end the process for a mail
		ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
		defer cancel()
		_, until, err := l.takeQuota(ctx, quota{"notice " + kind, a.ID, 1, 24 * time.Hour})
		if err != nil {
			_ = l.Record(ctx, event(audit.NoticeSent, audit.Failure, c, a, "", n.kind+": store failed"))
			return
		}
		if !until.IsZero() {
			return // one a day is enough
		}
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

// WaitForNotices waits until the notices under way are sent or have failed. Call it when the server has shut down.
func (l *Logins) WaitForNotices() { l.noticesDone.Wait() }
