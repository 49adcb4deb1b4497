package audit

import "strconv"

var _ Format = JSON

// JSON is one flat object a line. The keys time (RFC 3339, UTC, milliseconds), event, outcome and user are always there;
// user_id, client, user_agent, request_id, pending_id, login_id, method, reason, actor, http_method, path and status only with a value.
func JSON(dst []byte, e Event) []byte {
	dst = append(appendTime(append(dst, `{"time":"`...), e.Time), `","event":`...)
	dst = appendQuoted(dst, string(e.Name), maxName)
	dst = append(append(dst, `,"outcome":"`...), e.Outcome.String()...)
	dst = appendQuoted(append(dst, `","user":`...), e.User, maxUser)
	dst = appendOptional(dst, `,"user_id":`, e.UserID, maxUser)
	if e.Client.IsValid() {
		dst = append(appendAddr(append(dst, `,"client":"`...), e.Client), '"')
	}
	dst = appendOptional(dst, `,"user_agent":`, e.UserAgent, maxAgent)
	dst = appendOptional(dst, `,"request_id":`, e.RequestID, maxRequestID)
	dst = appendOptional(dst, `,"pending_id":`, e.PendingID, maxRequestID)
	dst = appendOptional(dst, `,"login_id":`, e.LoginID, maxRequestID)
	dst = appendOptional(dst, `,"method":`, e.Method, maxMethod)
	dst = appendOptional(dst, `,"reason":`, e.Reason, maxReason)
	dst = appendOptional(dst, `,"actor":`, e.Actor, maxUser)
	dst = appendOptional(dst, `,"http_method":`, e.HTTPMethod, maxMethod)
	dst = appendOptional(dst, `,"path":`, e.Path, maxPath)
	if e.Status != 0 {
		dst = strconv.AppendInt(append(dst, `,"status":`...), int64(e.Status), 10)
	}
	return append(dst, "}\n"...)
}
