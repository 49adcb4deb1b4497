package audit

import "strconv"

// datadogFields says which fields a Datadog line has.
type datadogFields uint8

const (
	agentField datadogFields = 1 << iota // http.useragent
	extraField                           // what the Mendix module does not have
	idFields                             // of that, the ids of request, pending login and login

	moduleFields      datadogFields = 0
	moduleFieldsAgent               = agentField
	allFields                       = extraField
	allFieldsAgent                  = extraField | agentField
)

var _ Format = Datadog

// Datadog is the format of the Mendix MFA module for Datadog Cloud SIEM: key="value" with Datadog's standard attribute
// names, without a time, which the agent that ships the line adds.
//
//	evt.category="authentication" evt.name="MFA validated" network.client.ip=127.0.0.1 evt.outcome="success" usr.name="MxAdmin"
//
// The module's eight events have exactly its fields; [DatadogIDs] adds the ids that tie them together. The others follow
// its pattern and may end in usr.id, http.request_id, evt.pending_id, evt.login_id, evt.method, evt.reason, evt.actor, http.method, http.url_details.path and http.status_code, each left
// out when empty. http.useragent stands where somebody comes to a door or changes an account; the steps of a pending login
// and what the server does by itself go without.
//
// usr.name is always there, empty when unknown. network.client.ip is left out when there is none. An IPv6 address is
// quoted, because Datadog's keyvalue filter ends an unquoted value at a colon.
func Datadog(dst []byte, e Event) []byte { return appendDatadog(dst, e, 0) }

var _ Format = DatadogIDs

// DatadogIDs is [Datadog] with http.request_id, evt.pending_id and evt.login_id, where they have a value, at the end of the
// module's eight events as well, so that every line of one login can be found.
func DatadogIDs(dst []byte, e Event) []byte { return appendDatadog(dst, e, idFields) }

func appendDatadog(dst []byte, e Event, more datadogFields) []byte {
	k := kindOf(e.Name)
	fields := k.datadog | more
	dst = append(dst, `evt.category="authentication" evt.name=`...)
	dst = appendQuoted(dst, string(e.Name), maxName)
	if fields&agentField != 0 {
		dst = appendQuoted(append(dst, ` http.useragent=`...), e.UserAgent, maxAgent)
	}
	switch a := e.Client.Unmap(); {
	case a.Is4():
		dst = appendAddr(append(dst, ` network.client.ip=`...), a)
	case a.Is6():
		dst = append(appendAddr(append(dst, ` network.client.ip="`...), a), '"')
	}
	dst = append(dst, ` evt.outcome="`...)
	dst = append(dst, e.Outcome.String()...)
	dst = appendQuoted(append(dst, `" usr.name=`...), e.User, maxUser)
	if fields&extraField != 0 {
		dst = appendOptional(dst, ` usr.id=`, e.UserID, maxUser)
	}
	if fields&(extraField|idFields) != 0 {
		dst = appendOptional(dst, ` http.request_id=`, e.RequestID, maxRequestID)
		dst = appendOptional(dst, ` evt.pending_id=`, e.PendingID, maxRequestID)
		dst = appendOptional(dst, ` evt.login_id=`, e.LoginID, maxRequestID)
	}
	if fields&extraField != 0 {
		dst = appendOptional(dst, ` evt.method=`, e.Method, maxMethod)
		dst = appendOptional(dst, ` evt.reason=`, e.Reason, maxReason)
		dst = appendOptional(dst, ` evt.actor=`, e.Actor, maxUser)
		dst = appendOptional(dst, ` http.method=`, e.HTTPMethod, maxMethod)
		dst = appendOptional(dst, ` http.url_details.path=`, e.Path, maxPath)
		if e.Status != 0 {
			dst = strconv.AppendInt(append(dst, ` http.status_code=`...), int64(e.Status), 10)
		}
	}
	return append(dst, '\n')
}
