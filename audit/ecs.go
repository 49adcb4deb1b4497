package audit

import "strconv"

// ecsKind is event.category and event.type, which ECS pairs:
// https://www.elastic.co/docs/reference/ecs/ecs-allowed-values-event-category
type ecsKind string

const (
	ecsLogin   ecsKind = `"category":["authentication","session"],"type":["start"]`
	ecsAttempt ecsKind = `"category":["authentication"],"type":["start"]`
	ecsStage   ecsKind = `"category":["authentication"],"type":["info"]`
	ecsLogout  ecsKind = `"category":["authentication","session"],"type":["end"]`
	ecsAccount ecsKind = `"category":["iam"],"type":["user","change"]`
	ecsAccess  ecsKind = `"category":["web"],"type":["access"]`
	ecsStore   ecsKind = `"category":["database"],"type":["error"]`
)

var _ Format = ECS

// ECS is the Elastic Common Schema, version 8.17, one object a line. A field without a value is left out.
//
// event.action is the event's name. user is who acted: the account itself, or the administrator, and then the account is
// user.target. How somebody proved who they are has no field in ECS and is labels.method; so are the ids of the pending login
// and the login, labels.pending_id and labels.login_id.
func ECS(dst []byte, e Event) []byte {
	dst = append(appendTime(append(dst, `{"@timestamp":"`...), e.Time), `","ecs":{"version":"8.17.0"},"message":`...)
	dst = appendQuoted(dst, string(e.Name), maxName)
	dst = append(append(dst, `,"event":{"kind":"event",`...), kindOf(e.Name).ecs...)
	dst = appendQuoted(append(dst, `,"action":`...), string(e.Name), maxName)
	dst = append(append(dst, `,"outcome":"`...), e.Outcome.String()...)
	dst = appendOptional(append(dst, '"'), `,"reason":`, e.Reason, maxReason)
	dst = append(dst, `,"provider":"sallyport"}`...)
	if e.Actor == "" {
		dst = appendECSUser(dst, `,"user":{`, e)
	} else {
		dst = appendQuoted(append(dst, `,"user":{"name":`...), e.Actor, maxUser)
		dst = append(appendECSUser(dst, `,"target":{`, e), '}')
	}
	if e.Client.IsValid() {
		dst = append(appendAddr(append(dst, `,"source":{"ip":"`...), e.Client), `"}`...)
	}
	if e.UserAgent != "" {
		dst = append(appendQuoted(append(dst, `,"user_agent":{"original":`...), e.UserAgent, maxAgent), '}')
	}
	dst = appendECSHTTP(dst, e)
	if e.Path != "" {
		dst = append(appendQuoted(append(dst, `,"url":{"path":`...), e.Path, maxPath), '}')
	}
	key := len(dst)
	dst = append(dst, `,"labels":{`...)
	members := len(dst)
	dst = appendOptional(dst, `,"login_id":`, e.LoginID, maxRequestID)
	dst = appendOptional(dst, `,"method":`, e.Method, maxMethod)
	dst = appendOptional(dst, `,"pending_id":`, e.PendingID, maxRequestID)
	return append(endObject(dst, key, members), "}\n"...)
}

func appendECSUser(dst []byte, open string, e Event) []byte {
	key := len(dst)
	dst = append(dst, open...)
	members := len(dst)
	dst = appendOptional(dst, `,"name":`, e.User, maxUser)
	dst = appendOptional(dst, `,"id":`, e.UserID, maxUser)
	return endObject(dst, key, members)
}

func appendECSHTTP(dst []byte, e Event) []byte {
	key := len(dst)
	dst = append(dst, `,"http":{`...)
	members := len(dst)
	dst = append(dst, `,"request":{`...)
	request := len(dst)
	dst = appendOptional(dst, `,"id":`, e.RequestID, maxRequestID)
	dst = appendOptional(dst, `,"method":`, e.HTTPMethod, maxMethod)
	dst = endObject(dst, members, request)
	if e.Status != 0 {
		dst = append(strconv.AppendInt(append(dst, `,"response":{"status_code":`...), int64(e.Status), 10), '}')
	}
	return endObject(dst, key, members)
}
