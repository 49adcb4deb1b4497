package senders_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// published reads a provider's own description of a request from testdata, where its source is named.
func published(t *testing.T, file string) map[string]any {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Source string
		Schema map[string]any
	}
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(f.Source, "https://") || len(f.Schema) == 0 {
		t.Fatalf("%s names no source or has no schema", file)
	}
	return f.Schema
}

// violations holds a value against a schema, and says where it breaks it. A property that the schema does not know is a
// violation too: a misspelt one would be ignored in silence. A keyword that is not known here ends the test.
func violations(t *testing.T, schema map[string]any, v any, where string) (found []string) {
	t.Helper()
	broken := func(format string, args ...any) { found = append(found, where+": "+fmt.Sprintf(format, args...)) }
	kinds := map[string]func() bool{
		"object":  func() bool { _, ok := v.(map[string]any); return ok },
		"array":   func() bool { _, ok := v.([]any); return ok },
		"string":  func() bool { _, ok := v.(string); return ok },
		"boolean": func() bool { _, ok := v.(bool); return ok },
		"number":  func() bool { _, ok := v.(float64); return ok },
		"integer": func() bool { n, ok := v.(float64); return ok && n == math.Trunc(n) },
	}
	number := func(keyword string) int { return int(schema[keyword].(float64)) }
	kind, _ := schema["type"].(string)
	if is, known := kinds[kind]; kind != "" && (!known || !is()) {
		broken("not a %s", kind)
		return found
	}
	object, _ := v.(map[string]any)
	array, _ := v.([]any)
	text, _ := v.(string)
	for keyword, rule := range schema {
		switch keyword {
		case "type", "format", "uniqueItems":
		case "properties":
			for name, value := range object {
				if sub, ok := rule.(map[string]any)[name].(map[string]any); ok {
					found = append(found, violations(t, sub, value, where+"."+name)...)
				} else {
					broken("the property %s is unknown", name)
				}
			}
		case "additionalProperties":
			if _, listed := schema["properties"]; listed {
				t.Fatalf("%s: additionalProperties beside properties is not read here", where)
			}
		case "required":
			for _, name := range rule.([]any) {
				if _, there := object[name.(string)]; !there {
					broken("the property %s is missing", name)
				}
			}
		case "items":
			for i, value := range array {
				found = append(found, violations(t, rule.(map[string]any), value, fmt.Sprintf("%s[%d]", where, i))...)
			}
		case "maxItems":
			if len(array) > number(keyword) {
				broken("%d items", len(array))
			}
		case "maxProperties":
			if len(object) > number(keyword) {
				broken("%d properties", len(object))
			}
		case "minLength":
			if utf8.RuneCountInString(text) < number(keyword) {
				broken("too short")
			}
		case "maxLength":
			if utf8.RuneCountInString(text) > number(keyword) {
				broken("too long")
			}
		case "pattern":
			if !regexp.MustCompile(rule.(string)).MatchString(text) {
				broken("does not match %s", rule)
			}
		case "enum":
			if !slices.Contains(rule.([]any), v) {
				broken("none of %v", rule)
			}
		default:
			t.Fatalf("%s: the keyword %s is not read here", where, keyword)
		}
	}
	return found
}

func TestARequestThatBreaksAPublishedSchemaIsFound(t *testing.T) {
	mail, sms := published(t, "sendgrid-mail-send.json"), published(t, "twilio-create-message.json")
	for _, c := range []struct {
		schema    map[string]any
		request   string
		violation string
	}{
		{mail, `{"from":{"email":"a@b.c"}}`, "request: the property personalizations is missing"},
		{mail, `{"from":{"email":"a@b.c"},"personalizations":[{"to":{"email":"d@e.f"}}]}`, "request.personalizations[0].to: not a array"},
		{mail, `{"from":{"email":"a@b.c"},"personalizations":[{"to":[{"mail":"d@e.f"}]}]}`, "request.personalizations[0].to[0]: the property mail is unknown"},
		{mail, `{"from":{"email":"a@b.c"},"personalizations":[],"subject":""}`, "request.subject: too short"},
		{mail, `{"from":{"email":"a@b.c"},"personalizations":[],"tracking_settings":{"open_tracking":{"enable":"no"}}}`, "request.tracking_settings.open_tracking.enable: not a boolean"},
		{sms, `{"Body":"x"}`, "request: the property To is missing"},
		{sms, `{"To":"+31600000001","MessagingServiceSid":"MG1"}`, "request.MessagingServiceSid: too short"},
	} {
		var v any
		if err := json.Unmarshal([]byte(c.request), &v); err != nil {
			t.Fatal(err)
		}
		if got := violations(t, c.schema, v, "request"); !slices.Contains(got, c.violation) {
			t.Errorf("%s: %q, want %q", c.request, got, c.violation)
		}
	}
}
