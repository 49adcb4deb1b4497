package apidoc

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestWhatIsNotAsDescribedIsFound(t *testing.T) {
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	const login, answer = `{"username":"bob","password":"x"}`, `{"status":"authenticated","token":"5rqAZJ8mXq0m4Q7kP0cJm3kS1uY6b9wTt2VhE8nLd4A","expires_in":1}`
	const refusal = `{"type":"urn:sallyport:problem:refused","title":"No","status":401,"detail":"No."}`
	plain := http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}
	problem := http.Header{"Content-Type": {"application/problem+json"}, "Cache-Control": {"no-store"}, "Www-Authenticate": {"Bearer"}}
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		header                   http.Header
		answer, says             string
	}{
		{"all is well", "POST", "/api/login", login, 200, plain, answer, ""},
		{"a refusal", "POST", "/api/login", login, 401, problem, refusal, ""},
		{"a refused request may be anything", "POST", "/api/login", "x", 401, problem, refusal, ""},
		{"what is not there", "GET", "/api/nowhere", "", 404, problem, refusal, ""},
		{"what is not there answers", "GET", "/api/nowhere", "", 200, plain, answer, "is not described"},
		{"a method that is not described", "PUT", "/api/login", login, 200, plain, answer, "is not described"},
		{"a member that is not described", "POST", "/api/login", login, 200, plain, strings.Replace(answer, "{", `{"admin":"yes",`, 1), "oneOf"},
		{"a member that is missing", "POST", "/api/login", login, 200, plain, `{"status":"authenticated"}`, "oneOf"},
		{"no JSON", "POST", "/api/login", login, 200, plain, "hello", "no JSON"},
		{"a request's member that is not described", "POST", "/api/login", `{"username":"bob","password":"x","admin":"yes"}`, 200, plain, answer, "a request was taken"},
		{"a body that is missing", "POST", "/api/login", "", 200, plain, answer, "a request was taken"},
		{"a body where there is none", "GET", "/api/me", "{}", 200, plain, answer, "a body was taken"},
		{"a status that is not described", "POST", "/api/login", login, 418, problem, refusal, "418, which is not described"},
		{"a type of another status", "POST", "/api/login", login, 403, problem, refusal, "value must be"},
		{"a type that does not exist", "POST", "/api/login", login, 401, problem, strings.Replace(refusal, "refused", "nonsense", 1), "value must be one of"},
		{"another content type", "POST", "/api/login", login, 401, http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}, "Www-Authenticate": {"Bearer"}}, refusal, "with \"application/json\""},
		{"a header that is missing", "POST", "/api/login", login, 401, http.Header{"Content-Type": {"application/problem+json"}, "Cache-Control": {"no-store"}}, refusal, "WWW-Authenticate is missing"},
		{"a header of another form", "POST", "/api/login", login, 200, http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"public"}}, answer, "the header Cache-Control"},
	} {
		err := d.Check(httptest.NewRequest(c.method, c.path, nil), c.body, c.status, c.header, c.answer)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
	unseen := d.Unseen()
	if slices.Contains(unseen, "POST /api/login 200") || slices.Contains(unseen, "POST /api/login 401") || !slices.Contains(unseen, "POST /api/login 429") {
		t.Errorf("%q", unseen)
	}
}

func TestEveryExampleIsAsDescribed(t *testing.T) {
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, operation := range d.Operations() {
		method, path, _ := strings.Cut(operation, " ")
		for _, status := range d.Statuses(operation) {
			res := d.root.Paths[path][strings.ToLower(method)].Responses[status]
			at := []string{"paths", path, strings.ToLower(method), "responses", status}
			if name, ok := strings.CutPrefix(res.Ref, "#/components/responses/"); ok {
				res, at = d.root.Components.Responses[name], []string{"components", "responses", name}
			}
			for contentType, c := range res.Content {
				for name, text := range examples(t, c) {
					if err := d.value(pointer(append(slices.Clone(at), "content", contentType, "schema")...), text); err != nil {
						t.Errorf("%s %s: the example %s: %v", operation, status, name, err)
					}
					n++
				}
			}
		}
	}
	if n < 20 {
		t.Errorf("%d examples", n)
	}
}

// examples are the texts of a media type's examples.
func examples(t *testing.T, media any) map[string]string {
	t.Helper()
	raw, err := json.Marshal(media)
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Examples map[string]struct{ Value json.RawMessage }
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, e := range m.Examples {
		out[name] = string(e.Value)
	}
	return out
}
