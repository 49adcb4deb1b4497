package audit_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// ecsSchema is what ECS publishes; see testdata/schemas.md.
type ecsSchema struct {
	Categories      map[string][]string // with the types that each expects
	Types           []string
	Kinds, Outcomes []string
	Fields          map[string]string // types; [] means an array
}

// faults are what the schema has against an event.
func (s ecsSchema) faults(leaves map[string]any) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for field, v := range leaves {
		kind, known := s.Fields[field]
		if strings.HasPrefix(field, "labels.") {
			kind, known = "keyword", s.Fields["labels"] == "object" // any keys, values as they are indexed
		}
		list, isList := v.([]any)
		if isList != strings.HasSuffix(kind, "[]") {
			fault("%s is %v, and its type is %q", field, v, kind)
		}
		if !isList {
			list = []any{v}
		}
		for _, v := range list {
			text, isText := v.(string)
			switch strings.TrimSuffix(kind, "[]") {
			case "long":
				if n, ok := v.(float64); !ok || n != float64(int64(n)) {
					fault("%s is %v, no long", field, v)
				}
			case "date":
				if _, err := time.Parse(time.RFC3339, text); err != nil {
					fault("%s is %v, no date", field, v)
				}
			case "ip":
				if _, err := netip.ParseAddr(text); err != nil {
					fault("%s is %v, no address", field, v)
				}
			case "keyword", "wildcard", "match_only_text":
				if !isText {
					fault("%s is %v, no text", field, v)
				}
			default:
				fault("%s: known %v, type %q", field, known, kind)
			}
		}
	}
	text := func(field string) []string {
		var out []string
		list, _ := leaves[field].([]any)
		for _, v := range list {
			out = append(out, fmt.Sprint(v))
		}
		return out
	}
	if kind, _ := leaves["event.kind"].(string); !slices.Contains(s.Kinds, kind) {
		fault("event.kind is %q", kind)
	}
	if outcome, _ := leaves["event.outcome"].(string); !slices.Contains(s.Outcomes, outcome) {
		fault("event.outcome is %q", outcome)
	}
	types, expected := text("event.type"), []string{}
	for _, c := range text("event.category") {
		if s.Categories[c] == nil {
			fault("there is no category %q", c)
		}
		expected = append(expected, s.Categories[c]...)
		if !slices.ContainsFunc(types, func(t string) bool { return slices.Contains(s.Categories[c], t) }) {
			fault("category %s expects none of %q", c, types)
		}
	}
	for _, typ := range types {
		if !slices.Contains(s.Types, typ) || !slices.Contains(expected, typ) {
			fault("event.type %q", typ)
		}
	}
	if len(types) == 0 || leaves["@timestamp"] == nil || leaves["ecs.version"] == nil { // which ECS calls core
		fault("type, time or version is missing")
	}
	return faults
}

func published[T any](t *testing.T, file string) (schema T) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestECSIsAsItsSchemaWantsIt(t *testing.T) {
	schema := published[ecsSchema](t, "ecs-8.17.0.json")
	for _, n := range append(audit.Names(), "an event of the application") {
		for _, e := range []audit.Event{full(n), bare(n)} {
			for _, fault := range schema.faults(flatten(t, oneLine(t, audit.ECS(nil, e)))) {
				t.Errorf("%s: %s", n, fault)
			}
		}
	}
	planted := flatten(t, oneLine(t, audit.ECS(nil, full(audit.Logout))))
	for field, v := range map[string]any{
		"event.kind": "party", "event.category": []any{"iam"}, "event.type": []any{"dance"}, "event.outcome": "maybe", "event.colour": "red",
		"source.ip": "localhost", "http.response.status_code": "200", "user.name": 7.0, "@timestamp": nil, "message": []any{"a"},
	} {
		with := maps.Clone(planted)
		if with[field] = v; v == nil {
			delete(with, field)
		}
		if len(schema.faults(with)) == 0 {
			t.Errorf("%s = %v was not noticed", field, v)
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

// ocsfSchema is what OCSF publishes; see testdata/schemas.md.
type ocsfSchema struct {
	Classes, Objects map[string]ocsfType
}

type ocsfType struct {
	Attributes map[string]struct {
		Type                        string
		Array, Required, Deprecated bool
		Profile                     string // which it takes metadata.profiles to have
		Enum                        map[string]string
		Sibling                     string // the attribute that has the caption
	}
	Constraints map[string][]string
}

// faults are what the schema has against an object of a type.
func (s ocsfSchema) faults(path string, typ ocsfType, object map[string]any) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, path+": "+fmt.Sprintf(format, args...)) }
	for name, a := range typ.Attributes {
		if a.Required && object[name] == nil {
			fault("%s is required", name)
		}
	}
	for rule, names := range typ.Constraints {
		n := 0
		for _, name := range names {
			if object[name] != nil {
				n++
			}
		}
		if rule == "at_least_one" && n == 0 || rule == "just_one" && n != 1 {
			fault("%s of %q", rule, names)
		}
	}
	for name, v := range object {
		a, known := typ.Attributes[name]
		if !known || a.Deprecated || a.Profile != "" {
			fault("%s: known %v, deprecated %v, of profile %q", name, known, a.Deprecated, a.Profile)
			continue
		}
		list, isList := v.([]any)
		if isList != a.Array {
			fault("%s is %v", name, v)
			continue
		}
		if !isList {
			list = []any{v}
		}
		for _, v := range list {
			text, isText := v.(string)
			number, isNumber := v.(float64)
			inner, isObject := v.(map[string]any)
			whole := isNumber && number == float64(int64(number))
			switch _, ok := v.(bool); a.Type {
			case "string_t", "username_t", "uuid_t", "resource_uid_t", "url_t", "file_path_t", "hostname_t":
				ok = isText
				if !ok {
					fault("%s is %v, a %s", name, v, a.Type)
				}
			case "integer_t", "long_t", "timestamp_t":
				if !whole {
					fault("%s is %v, a %s", name, v, a.Type)
				}
			case "ip_t":
				if _, err := netip.ParseAddr(text); err != nil {
					fault("%s is %v, an %s", name, v, a.Type)
				}
			case "boolean_t":
				if !ok {
					fault("%s is %v, a %s", name, v, a.Type)
				}
			default:
				if object, ok := s.Objects[a.Type]; !ok || !isObject {
					fault("%s is %v, a %s", name, v, a.Type)
				} else {
					faults = append(faults, s.faults(path+"."+name, object, inner)...)
				}
			}
			if a.Enum == nil {
				continue
			}
			caption, ok := a.Enum[fmt.Sprint(v)]
			if !ok {
				fault("%s may not be %v", name, v)
			}
			if said := object[a.Sibling]; a.Sibling != "" && said != nil && v != 99.0 && said != caption {
				fault("%s is %v, which is %q and not %q", name, v, caption, said)
			}
			if v == 99.0 && object[a.Sibling] == nil { // Other needs the source's own word
				fault("%s is Other, and %s says nothing", name, a.Sibling)
			}
		}
	}
	return faults
}

func (s ocsfSchema) event(t *testing.T, line string) []string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(line), &object); err != nil {
		t.Fatal(err)
	}
	return s.eventFaults(object)
}

func (s ocsfSchema) eventFaults(object map[string]any) []string {
	class, ok := s.Classes[fmt.Sprint(object["class_uid"])]
	if !ok {
		return []string{fmt.Sprintf("class %v", object["class_uid"])}
	}
	faults := s.faults("event", class, object)
	uid, _ := object["class_uid"].(float64)
	activity, _ := object["activity_id"].(float64)
	if object["type_uid"] != uid*100+activity {
		faults = append(faults, fmt.Sprintf("type_uid is %v", object["type_uid"]))
	}
	return faults
}

func TestOCSFIsAsItsSchemaWantsIt(t *testing.T) {
	schema := published[ocsfSchema](t, "ocsf-1.8.0.json")
	for _, n := range append(audit.Names(), "an event of the application") {
		for _, method := range []string{"", "totp", "sms", "email", "passkey", "password", "basic", "recovery"} {
			for _, e := range []audit.Event{full(n), bare(n)} {
				e.Method = method
				for _, fault := range schema.event(t, oneLine(t, audit.OCSF(nil, e))) {
					t.Errorf("%s by %q: %s", n, method, fault)
				}
			}
		}
	}
	line := oneLine(t, audit.OCSF(nil, full(audit.AccountBlocked)))
	for what, change := range map[string]func(map[string]any){
		"an attribute of nowhere":        func(o map[string]any) { o["colour"] = "red" },
		"an attribute of a profile":      func(o map[string]any) { o["action_id"] = 1.0 },
		"a class that is none":           func(o map[string]any) { o["class_uid"] = 3009.0 },
		"another class's activity":       func(o map[string]any) { o["activity_id"] = 42.0 },
		"a caption that does not fit":    func(o map[string]any) { o["status"] = "Failure" },
		"no severity":                    func(o map[string]any) { delete(o, "severity_id") },
		"an address that is none":        func(o map[string]any) { o["src_endpoint"] = map[string]any{"ip": "localhost"} },
		"an endpoint without anything":   func(o map[string]any) { o["src_endpoint"] = map[string]any{} },
		"a list where there is none":     func(o map[string]any) { o["user"] = []any{o["user"]} },
		"a number in place of a text":    func(o map[string]any) { o["message"] = 7.0 },
		"a type that is another":         func(o map[string]any) { o["type_uid"] = 300201.0 },
		"a factor without its number":    func(o map[string]any) { o["auth_factors"] = []any{map[string]any{"factor_type": "x"}} },
		"metadata without a version":     func(o map[string]any) { delete(o["metadata"].(map[string]any), "version") },
		"a session of an account change": func(o map[string]any) { o["session"] = map[string]any{"uid": "1"} },
	} {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatal(err)
		}
		change(object)
		if len(schema.eventFaults(object)) == 0 {
			t.Errorf("%s was not noticed", what)
		}
	}
}

type ocsfEvent struct {
	Metadata     *struct{ Version string }
	Time         int64
	TypeUID      int    `json:"type_uid"`
	ActivityID   int    `json:"activity_id"`
	ActivityName string `json:"activity_name"`
	StatusID     int    `json:"status_id"`
	SeverityID   int    `json:"severity_id"`
	IsMFA        *bool  `json:"is_mfa"`
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

func TestOCSFSaysWhenWhatAndHowItWent(t *testing.T) {
	for _, n := range append(audit.Names(), "an event of the application") {
		for _, e := range []audit.Event{full(n), bare(n)} {
			o := readOCSF(t, e)
			if o.Metadata == nil || o.Metadata.Version != "1.8.0" || o.Time != 1772366400007 {
				t.Errorf("%s: metadata %+v, time %d", n, o.Metadata, o.Time)
			}
			if o.ActivityID == 99 && o.ActivityName != string(n) {
				t.Errorf("%s: activity %q", n, o.ActivityName)
			}
			if (o.StatusID == 1) != (e.Outcome == audit.Success) || (o.SeverityID == 1) != (e.Outcome == audit.Success) {
				t.Errorf("%s, %s: status %d, severity %d", n, e.Outcome, o.StatusID, o.SeverityID)
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
