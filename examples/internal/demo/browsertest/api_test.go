package browsertest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/examples/internal/demo/apidoc"
)

// The one answer of docs/openapi.json that takes a browser: a program gets the options, a browser's device answers them.
func TestAPasskeyAloneLogsAProgramIn(t *testing.T) {
	t.Parallel()
	doc, err := apidoc.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t)
	v := s.visit(t)
	v.reader()
	v.password("alice")
	v.code(totp(t, aliceSecret))
	v.enrol("laptop")
	v.logOut()

	do := func(method, path, body, token string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		answer, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %d %s %v", method, path, res.StatusCode, answer, err)
		}
		if err := doc.Check(r, body, res.StatusCode, res.Header, string(answer)); err != nil {
			t.Error(err)
		}
		return string(answer)
	}
	var asked struct{ Challenge json.RawMessage }
	if err := json.Unmarshal([]byte(do(http.MethodGet, "/api/login/passkey", "", "")), &asked); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{"code": v.sign(string(asked.Challenge))})
	if err != nil {
		t.Fatal(err)
	}
	var in struct{ Token string }
	if err := json.Unmarshal([]byte(do(http.MethodPost, "/api/login/passkey", string(body), "")), &in); err != nil {
		t.Fatal(err)
	}
	if me := do(http.MethodGet, "/api/me", "", in.Token); !strings.Contains(me, `"username":"alice"`) {
		t.Error(me)
	}
}
