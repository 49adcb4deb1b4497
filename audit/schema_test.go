package audit_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/sallyport-go/sallyport/audit"
)

// ecsTypes are the event.type values that each event.category may have, from
// https://www.elastic.co/docs/reference/ecs/ecs-allowed-values-event-category ("expected event types").
var ecsTypes = map[string][]string{
	"authentication": {"start", "end", "info"},
	"database":       {"access", "change", "info", "error"},
	"iam":            {"admin", "change", "creation", "deletion", "group", "info", "user"},
	"session":        {"start", "end", "info"},
	"web":            {"access", "error", "info"},
}

// ecsFields are fields of ECS 8.17 and their types, from https://www.elastic.co/docs/reference/ecs/ecs-field-reference.
var ecsFields = map[string]string{
	"@timestamp": "date", "ecs.version": "keyword", "message": "match_only_text",
	"event.kind": "keyword", "event.category": "keyword", "event.type": "keyword", "event.action": "keyword",
	"event.outcome": "keyword", "event.reason": "keyword", "event.provider": "keyword",
	"user.name": "keyword", "user.id": "keyword", "user.target.name": "keyword", "user.target.id": "keyword",
	"source.ip": "ip", "user_agent.original": "keyword", "http.request.id": "keyword", "http.request.method": "keyword",
	"http.response.status_code": "long", "url.path": "wildcard", "labels.method": "object", "labels.pending_id": "object", "labels.login_id": "object",
}

func TestECSHasOnlyFieldsAndCategoriesOfTheSchema(t *testing.T) {
	for _, n := range audit.Names() {
		for _, e := range []audit.Event{full(n), bare(n)} {
			leaves := flatten(t, oneLine(t, audit.ECS(nil, e)))
			for field, v := range leaves {
				kind, ok := ecsFields[field]
				if _, number := v.(float64); !ok || number != (kind == "long") {
					t.Errorf("%s: field %s of type %q holds %v", n, field, kind, v)
				}
			}
			for _, c := range leaves["event.category"].([]any) {
				allowed := ecsTypes[c.(string)]
				for _, typ := range leaves["event.type"].([]any) {
					// An account's change is "user" and "change" at once; every other event has one type.
					if !slices.Contains(allowed, typ.(string)) {
						t.Errorf("%s: category %v with type %v", n, c, typ)
					}
				}
			}
			if leaves["event.kind"] != "event" || leaves["event.outcome"] != e.Outcome.String() {
				t.Errorf("%s: kind %v, outcome %v", n, leaves["event.kind"], leaves["event.outcome"])
			}
		}
	}
}

func TestECSNamesTheAdministratorAsTheUserAndTheAccountAsTheTarget(t *testing.T) {
	leaves := flatten(t, string(audit.ECS(nil, full(audit.AccountBlocked))))
	if leaves["user.name"] != "root" || leaves["user.target.name"] != "MxAdmin" || leaves["user.target.id"] != "u-17" {
		t.Errorf("%v", leaves)
	}
	e := full(audit.Logout)
	e.Actor = ""
	leaves = flatten(t, string(audit.ECS(nil, e)))
	if leaves["user.name"] != "MxAdmin" || leaves["user.id"] != "u-17" || leaves["user.target.name"] != nil {
		t.Errorf("%v", leaves)
	}
}

// ocsfCaptions are activity_id and its caption, from https://schema.ocsf.io/1.8.0/classes/account_change and
// …/classes/authentication; 99 takes the source's own name.
var ocsfCaptions = map[int]map[int]string{
	3001: {1: "Create", 2: "Enable", 3: "Password Change", 4: "Password Reset", 5: "Disable", 6: "Delete", 7: "Attach Policy",
		8: "Detach Policy", 9: "Lock", 10: "MFA Factor Enable", 11: "MFA Factor Disable", 12: "Unlock"},
	3002: {1: "Logon", 2: "Logoff", 3: "Authentication Ticket", 4: "Service Ticket Request", 5: "Service Ticket Renew",
		6: "Preauth", 7: "Account Switch"},
}

type ocsfEvent struct {
	Metadata *struct {
		Version string
		Product *struct{ Name string }
	}
	Time         int64
	CategoryUID  int    `json:"category_uid"`
	ClassUID     int    `json:"class_uid"`
	ClassName    string `json:"class_name"`
	TypeUID      int    `json:"type_uid"`
	ActivityID   int    `json:"activity_id"`
	ActivityName string `json:"activity_name"`
	StatusID     int    `json:"status_id"`
	Status       string
	StatusDetail string `json:"status_detail"`
	SeverityID   int    `json:"severity_id"`
	Severity     string
	User         *struct{ Name *string }
	Service      *struct{ Name string }
	IsMFA        *bool `json:"is_mfa"`
	AuthFactors  []struct {
		ID   int    `json:"factor_type_id"`
		Type string `json:"factor_type"`
	} `json:"auth_factors"`
	AuthProtocolID int `json:"auth_protocol_id"`
}

func readOCSF(t *testing.T, e audit.Event) (o ocsfEvent) {
	t.Helper()
	if err := json.Unmarshal(audit.OCSF(nil, e), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOCSFFollowsTheSchema(t *testing.T) {
	severities := []string{"Unknown", "Informational", "Low", "Medium", "High", "Critical", "Fatal"}
	for _, n := range append(audit.Names(), "an event of the application") {
		for _, e := range []audit.Event{full(n), bare(n)} {
			o := readOCSF(t, e)
			if o.Metadata == nil || o.Metadata.Version != "1.8.0" || o.Metadata.Product == nil || o.Metadata.Product.Name == "" {
				t.Errorf("%s: metadata %+v", n, o.Metadata)
			}
			if o.Time != 1772366400007 || o.CategoryUID != 3 || o.User == nil || o.User.Name == nil {
				t.Errorf("%s: time, category or user: %+v", n, o)
			}
			if want := map[int]string{3001: "Account Change", 3002: "Authentication"}[o.ClassUID]; o.ClassName != want || want == "" {
				t.Errorf("%s: class %d is called %q", n, o.ClassUID, o.ClassName)
			}
			want := ocsfCaptions[o.ClassUID][o.ActivityID]
			if o.ActivityID == 99 {
				want = string(n)
			}
			if o.ActivityName != want || want == "" || o.TypeUID != o.ClassUID*100+o.ActivityID {
				t.Errorf("%s: activity %d %q, type %d", n, o.ActivityID, o.ActivityName, o.TypeUID)
			}
			if want := map[int]string{1: "Success", 2: "Failure"}[o.StatusID]; o.Status != want || (want == "Success") != (e.Outcome == audit.Success) {
				t.Errorf("%s: status %d %q", n, o.StatusID, o.Status)
			}
			if o.SeverityID < 1 || o.SeverityID >= len(severities) || o.Severity != severities[o.SeverityID] {
				t.Errorf("%s: severity %d %q", n, o.SeverityID, o.Severity)
			}
			if (o.ClassUID == 3002) != (o.Service != nil) { // at_least_one: service, dst_endpoint
				t.Errorf("%s: service %v in class %d", n, o.Service, o.ClassUID)
			}
		}
	}
}

func TestOCSFCountsOnlyAFinishedOrRefusedLoginAsALogon(t *testing.T) { // I-01, as an analyst sees it
	finished := []audit.Name{audit.LoginWithMFA, audit.LoginWithoutMFA, audit.CredentialUsed}
	refused := []audit.Name{
		audit.UnknownUser, audit.InvalidPassword, audit.NoPendingLogin, audit.InvalidCode, audit.CodeGuessesSpent,
		audit.PasswordsSpent, audit.MalformedCode, audit.ReplayedCode, audit.LoginRefused, audit.CredentialRefused,
	}
	for _, n := range audit.Names() {
		got := readOCSF(t, full(n)).TypeUID == 300201
		if want := slices.Contains(finished, n) || slices.Contains(refused, n); got != want {
			t.Errorf("%s: logon %v, want %v", n, got, want)
		}
	}
}

func TestOCSFSaysWhetherALoginHadASecondFactorAndWhich(t *testing.T) {
	if o := readOCSF(t, full(audit.LoginWithMFA)); o.IsMFA == nil || !*o.IsMFA {
		t.Error("a login with MFA is not is_mfa")
	}
	if o := readOCSF(t, full(audit.LoginWithoutMFA)); o.IsMFA == nil || *o.IsMFA {
		t.Error("a login without MFA is is_mfa")
	}
	// factor_type_id of https://schema.ocsf.io/1.8.0/objects/auth_factor
	for method, want := range map[string]struct {
		id   int
		name string
	}{
		"sms": {1, "SMS"}, "totp": {7, "OTP"}, "email": {8, "Email"}, "passkey": {10, "WebAuthn"}, "password": {11, "Password"},
		"recovery": {99, "recovery"},
	} {
		e := full(audit.CodeValidated)
		e.Method = method
		if f := readOCSF(t, e).AuthFactors; len(f) != 1 || f[0].ID != want.id || f[0].Type != want.name {
			t.Errorf("%s: %+v", method, f)
		}
	}
	e := full(audit.CredentialUsed)
	e.Method = "basic"
	if o := readOCSF(t, e); o.AuthProtocolID != 11 || len(o.AuthFactors) != 0 {
		t.Errorf("basic: %+v", o)
	}
}
