package audit

import (
	"context"
	"errors"
	"log/slog"
	"strings"
)

// Slog returns a recorder that hands each event to l's handler, with the keys of [JSON]: the event's name is the message,
// its time the record's. A success has level Info, a failure Warn, a failing store Error.
//
// Values are cut and made printable as in the other formats; quoting them is the handler's part. An event below the
// handler's level is not passed over in silence: Record returns an error. The handler gets the caller's context without its
// end, since what the event tells of has happened.
func Slog(l *slog.Logger) Recorder { return slogRecorder{l} }

type slogRecorder struct{ l *slog.Logger }

var errLevel = errors.New("audit: the logger's level hides this event")

func (s slogRecorder) Record(ctx context.Context, e Event) error {
	if s.l == nil {
		return errNowhere
	}
	ctx = context.WithoutCancel(ctx)
	level := slog.LevelWarn
	switch {
	case e.Outcome == Success:
		level = slog.LevelInfo
	case e.Name == StoreFailed:
		level = slog.LevelError
	}
	h := s.l.Handler()
	if !h.Enabled(ctx, level) {
		return errLevel
	}
	r := slog.NewRecord(e.Time, level, printable(string(e.Name), maxName), 0)
	r.AddAttrs(slog.String("outcome", e.Outcome.String()), slog.String("user", printable(e.User, maxUser)))
	add := func(key, v string, limit int) {
		if v != "" {
			r.AddAttrs(slog.String(key, printable(v, limit)))
		}
	}
	add("user_id", e.UserID, maxUser)
	if e.Client.IsValid() {
		add("client", string(appendAddr(nil, e.Client)), maxMethod)
	}
	add("user_agent", e.UserAgent, maxAgent)
	add("request_id", e.RequestID, maxRequestID)
	add("pending_id", e.PendingID, maxRequestID)
	add("login_id", e.LoginID, maxRequestID)
	add("method", e.Method, maxMethod)
	add("reason", e.Reason, maxReason)
	add("actor", e.Actor, maxUser)
	add("http_method", e.HTTPMethod, maxMethod)
	add("path", e.Path, maxPath)
	if e.Status != 0 {
		r.AddAttrs(slog.Int("status", e.Status))
	}
	return h.Handle(ctx, r)
}

// printable returns s without anything that could end a line or hide in it, for a handler that does not escape.
// The quote and the backslash stay, so that a handler that does escape them shows them once.
func printable(s string, limit int) string {
	i := 0
	for i < len(s) && i < limit && plain[s[i]] {
		i++
	}
	if i == len(s) {
		return s
	}
	text := string(appendText(nil, s, limit))
	return strings.NewReplacer(`\u0022`, `"`, `\u005c`, `\`).Replace(text)
}
