package audit

import "strconv"

// ocsfActivity is a class of OCSF's category 3, Identity & Access Management, and what happened in it.
type ocsfActivity struct {
	class, id int
	caption   string // empty: the event's own name, as OCSF wants it for Other
}

// https://schema.ocsf.io/1.8.0/classes/authentication and …/account_change
const (
	classAccountChange  = 3001
	classAuthentication = 3002
)

var (
	ocsfLogon     = ocsfActivity{classAuthentication, 1, "Logon"}
	ocsfLogoff    = ocsfActivity{classAuthentication, 2, "Logoff"}
	ocsfPreauth   = ocsfActivity{classAuthentication, 6, "Preauth"} // half-way: must not count as a logon
	ocsfOther     = ocsfActivity{classAuthentication, 99, ""}
	ocsfLock      = ocsfActivity{classAccountChange, 9, "Lock"}
	ocsfFactorOn  = ocsfActivity{classAccountChange, 10, "MFA Factor Enable"}
	ocsfFactorOff = ocsfActivity{classAccountChange, 11, "MFA Factor Disable"}
	ocsfChange    = ocsfActivity{classAccountChange, 99, ""}
	ocsfUnlock    = ocsfActivity{classAccountChange, 12, "Unlock"}
)

// severity is OCSF's severity_id.
type severity uint8

const (
	informational severity = 1 + iota
	low
	medium
	high
)

var severityCaption = [...]string{informational: "Informational", low: "Low", medium: "Medium", high: "High"}

var _ Format = OCSF

// OCSF is the Open Cybersecurity Schema Framework, version 1.8.0, one object a line: class Authentication (3002), or
// Account Change (3001) for what changes an account's factors or blocks it.
//
// Only a finished or a refused login is a Logon; the steps before it are Preauth, so that a right password alone never
// counts as a login. status_detail is the true reason, metadata.event_code the event's name. The pending login is
// metadata.correlation_uid, the login session.uid or, of an Account Change, actor.session.uid.
func OCSF(dst []byte, e Event) []byte {
	k := kindOf(e.Name)
	a := k.ocsf
	dst = append(dst, `{"metadata":{"version":"1.8.0","product":{"name":"Sallyport","vendor_name":"Sallyport"},"event_code":`...)
	dst = appendQuoted(dst, string(e.Name), maxName)
	dst = appendOptional(dst, `,"correlation_uid":`, e.PendingID, maxRequestID)
	dst = strconv.AppendInt(append(dst, `},"time":`...), e.Time.UnixMilli(), 10)
	dst = append(dst, `,"category_uid":3,"category_name":"Identity & Access Management","class_uid":`...)
	dst = strconv.AppendInt(dst, int64(a.class), 10)
	if a.class == classAccountChange {
		dst = append(dst, `,"class_name":"Account Change"`...)
	} else {
		dst = append(dst, `,"class_name":"Authentication"`...)
	}
	dst = strconv.AppendInt(append(dst, `,"type_uid":`...), int64(a.class*100+a.id), 10)
	dst = strconv.AppendInt(append(dst, `,"activity_id":`...), int64(a.id), 10)
	dst = append(dst, `,"activity_name":`...)
	if a.caption == "" {
		dst = appendQuoted(dst, string(e.Name), maxName)
	} else {
		dst = appendQuoted(dst, a.caption, maxName)
	}
	if e.Outcome == Success {
		dst = appendSeverity(append(dst, `,"status_id":1,"status":"Success"`...), informational)
	} else {
		dst = appendSeverity(append(dst, `,"status_id":2,"status":"Failure"`...), k.failed)
	}
	dst = appendOptional(dst, `,"status_detail":`, e.Reason, maxReason)
	dst = appendQuoted(append(dst, `,"message":`...), string(e.Name), maxName)
	dst = appendQuoted(append(dst, `,"user":{"name":`...), e.User, maxUser)
	dst = append(appendOptional(dst, `,"uid":`, e.UserID, maxUser), '}')
	dst = appendOCSFActor(dst, e, a.class)
	if e.Client.IsValid() {
		dst = append(appendAddr(append(dst, `,"src_endpoint":{"ip":"`...), e.Client), `"}`...)
	}
	dst = appendOCSFFactor(dst, e.Method)
	if a.class == classAuthentication {
		// The class wants a service or a destination.
		dst = append(dst, `,"service":{"name":"sallyport"},"is_remote":true`...)
		switch {
		case e.Method == "basic":
			dst = append(dst, `,"auth_protocol_id":11,"auth_protocol":"Basic Authentication"`...)
		case e.Name == LoginWithMFA:
			dst = append(dst, `,"is_mfa":true`...)
		case e.Name == LoginWithoutMFA:
			dst = append(dst, `,"is_mfa":false`...)
		}
	}
	return append(appendOCSFHTTP(dst, e), "}\n"...)
}

// appendOCSFActor names who did it and in which login.
func appendOCSFActor(dst []byte, e Event, class int) []byte {
	if class == classAuthentication && e.LoginID != "" {
		dst = append(appendQuoted(append(dst, `,"session":{"uid":`...), e.LoginID, maxRequestID), '}')
	}
	key := len(dst)
	dst = append(dst, `,"actor":{`...)
	members := len(dst)
	if e.Actor != "" {
		dst = append(appendQuoted(append(dst, `,"user":{"name":`...), e.Actor, maxUser), '}')
	}
	if class == classAccountChange && e.LoginID != "" {
		dst = append(appendQuoted(append(dst, `,"session":{"uid":`...), e.LoginID, maxRequestID), '}')
	}
	return endObject(dst, key, members)
}

func appendSeverity(dst []byte, s severity) []byte {
	dst = strconv.AppendInt(append(dst, `,"severity_id":`...), int64(s), 10)
	return append(append(append(dst, `,"severity":"`...), severityCaption[s]...), '"')
}

// appendOCSFFactor names the factor by OCSF's factor_type_id.
func appendOCSFFactor(dst []byte, method string) []byte {
	switch method {
	case "", "basic": // a protocol, not a factor
		return dst
	case "sms":
		return append(dst, `,"auth_factors":[{"factor_type_id":1,"factor_type":"SMS"}]`...)
	case "totp":
		return append(dst, `,"auth_factors":[{"factor_type_id":7,"factor_type":"OTP","is_totp":true}]`...)
	case "email":
		return append(dst, `,"auth_factors":[{"factor_type_id":8,"factor_type":"Email"}]`...)
	case "passkey":
		return append(dst, `,"auth_factors":[{"factor_type_id":10,"factor_type":"WebAuthn"}]`...)
	case "password":
		return append(dst, `,"auth_factors":[{"factor_type_id":11,"factor_type":"Password"}]`...)
	}
	dst = append(dst, `,"auth_factors":[{"factor_type_id":99,"factor_type":`...)
	return append(appendQuoted(dst, method, maxMethod), "}]"...)
}

func appendOCSFHTTP(dst []byte, e Event) []byte {
	key := len(dst)
	dst = append(dst, `,"http_request":{`...)
	members := len(dst)
	dst = appendOptional(dst, `,"uid":`, e.RequestID, maxRequestID)
	dst = appendOptional(dst, `,"user_agent":`, e.UserAgent, maxAgent)
	dst = appendOptional(dst, `,"http_method":`, e.HTTPMethod, maxMethod)
	if e.Path != "" {
		dst = append(appendQuoted(append(dst, `,"url":{"path":`...), e.Path, maxPath), '}')
	}
	dst = endObject(dst, key, members)
	if e.Status != 0 {
		dst = append(strconv.AppendInt(append(dst, `,"http_response":{"code":`...), int64(e.Status), 10), '}')
	}
	return dst
}
