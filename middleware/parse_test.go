package middleware

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestLocalPaths_I24(t *testing.T) {
	for target, want := range map[string]bool{
		"/": true, "/account": true, "/a/b/": true, "/a?b=c&d=//x": true, "/a%20b": true,
		"": false, "account": false, "//evil.example": false, "///evil.example": false, `/\evil.example`: false, `\/evil.example`: false,
		"/a/../b": false, "/./a": false, "/a//b": false, "/%2e%2e/a": false, "/a/%2e": false, "/%2f%2fevil.example": false,
		"/\tevil": false, "/a\r\nSet-Cookie: x": false, "/a b": false, "/\x7f": false, "/é": false, "/a#b": false, "/%zz": false,
		"https://evil.example": false, "javascript:alert(1)": false, "/" + strings.Repeat("a", 1024): false,
	} {
		if got := localPath(target); got != want {
			t.Errorf("%q: %v", target, got)
		}
	}
}

func TestTheCodecKeepsValuesAndTheirTypes(t *testing.T) {
	when := time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC)
	in := map[string]any{"s": "text", "": "", "t": true, "f": false, "i": -7, "i64": int64(math.MinInt64), "x": 1.5, "b": []byte{0, 1}, "when": when, "u": uint(9), "list": []string{"a"}}
	for range 2 {
		raw, err := codec{}.Encode(time.Now(), in)
		if err != nil {
			t.Fatal(err)
		}
		_, out, err := codec{}.Decode(raw)
		if err != nil || !reflect.DeepEqual(in, out) {
			t.Fatal(out, err)
		}
	}
	if raw, err := (codec{}).Encode(time.Now(), nil); raw != nil || err != nil {
		t.Error(raw, err)
	}
	if _, _, err := (codec{}).Decode([]byte{9, 1}); err == nil {
		t.Error("another version was read")
	}
	if _, err := (codec{}).Encode(time.Now(), map[string]any{"c": make(chan int)}); err == nil {
		t.Error("a channel was kept")
	}
}

func FuzzCodecReadsOnlyWhatItWrote(f *testing.F) {
	raw, err := codec{}.Encode(time.Now(), map[string]any{"a": "b", "n": 1, "t": time.Unix(1, 2), "y": []byte("z"), "x": 1.5, "k": true})
	if err != nil || len(raw) == 0 {
		f.Fatal("no seeds")
	}
	f.Add(raw)
	f.Add([]byte{codecVersion, 1, 'a', tagTrue})
	f.Add([]byte{codecVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, values, err := codec{}.Decode(raw)
		if err != nil {
			return
		}
		again, err := codec{}.Encode(time.Now(), values)
		if err != nil {
			return
		}
		if _, third, err := (codec{}).Decode(again); err != nil || len(third) != len(values) {
			t.Errorf("%v became %v: %v", values, third, err)
		}
	})
}

func FuzzNextStaysOnThisSite_I24(f *testing.F) {
	for _, s := range []string{"/account?x=y", "//evil.example", `/\evil.example`, "/a/..//b", "/%2e%2e//x", "/\t/x", "/a#b", "https:evil.example"} {
		f.Add(s)
	}
	base, _ := url.Parse(site + "/login")
	f.Fuzz(func(t *testing.T, target string) {
		if !localPath(target) {
			return
		}
		// What net/url, and what a browser would make of it: backslashes are slashes, tabs and new lines are nothing.
		for _, seen := range []string{target, strings.NewReplacer(`\`, "/", "\t", "", "\n", "", "\r", "").Replace(target)} {
			u, err := base.Parse(seen)
			if err != nil || u.Scheme != "https" || u.Host != "app.example" || u.User != nil {
				t.Fatalf("%q leads to %v (%v)", target, u, err)
			}
		}
		p, _, _ := strings.Cut(target, "?")
		if c := path.Clean(p); strings.HasPrefix(c, "//") || strings.HasPrefix(c, `/\`) {
			t.Fatalf("%q is cleaned to %q", target, c)
		}
	})
}

func FuzzJSONIsStricterThanEncodingJSON(f *testing.F) {
	for _, s := range []string{`{"username":"a","password":"b"}`, `{}`, `{"username":null}`, `{"username":"a","username":"b"}`, `{"username":"a"}{}`, `[]`, `{"a":{"b":1}}`, "{\"username\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parseJSON(body, loginRoute.reads)
		if err != nil {
			return
		}
		var want map[string]string
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("%q is no object of strings: %v", body, err)
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %v, encoding/json reads %v", body, got, want)
		}
		for name, v := range got {
			if want[name] != v || !utf8.ValidString(v) || !contains(loginRoute.reads, name) {
				t.Fatalf("%q: %q is %q", body, name, v)
			}
		}
	})
}

func FuzzFormIsNeverReadInTwoWays(f *testing.F) {
	for _, s := range []string{"username=a&password=b", "username=a&username=b", "a=b;username=c", "username=%zz", "username", "&&", "username=a+b%20c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := parseForm(body, loginRoute.reads)
		if err != nil {
			return
		}
		want, err := url.ParseQuery(body)
		if err != nil {
			t.Fatalf("%q: net/url refuses it: %v", body, err)
		}
		for _, name := range loginRoute.reads {
			v, there := got[name]
			if len(want[name]) > 1 || there != (len(want[name]) == 1) || there && want[name][0] != v {
				t.Fatalf("%q: %s is %q, net/url reads %q", body, name, v, want[name])
			}
		}
	})
}

func FuzzBasicAndBearer(f *testing.F) {
	for _, s := range []string{"Basic " + base64.StdEncoding.EncodeToString([]byte("a:b")), "bearer x", "Bearer", "Basic YQ==", "Basic  YTpi", "Bearer a, b", "Basic YTpi\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r := &http.Request{Header: http.Header{"Authorization": {line}}}
		got := fromHeader(r)
		switch got.kind {
		case noCredential, cookieCredential:
			t.Fatalf("%q fell through", line)
		case basicCredential:
			name, pw, ok := r.BasicAuth()
			if !ok || name != got.name || pw != got.password || strings.ContainsAny(name+pw, "\r\n\x00") {
				t.Fatalf("%q: net/http reads %q %q", line, name, pw)
			}
		case bearerCredential:
			if got.token == "" || strings.ContainsAny(got.token, " ,\t") {
				t.Fatalf("%q: token %q", line, got.token)
			}
		}
	})
}

func FuzzCookiesAreCountedLikeNetHTTPDoes(f *testing.F) {
	for _, s := range []string{"s=a", "s=a; s=b", "x=1;s=a", " s = a", "s", "s=", `s="a"`, "S=a", "s=a;\ts=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r := &http.Request{Header: http.Header{"Cookie": {line}}}
		value, n := cookieValue(r, "s")
		theirs := r.CookiesNamed("s")
		if len(theirs) > n {
			t.Fatalf("%q: %d, net/http counts %d", line, n, len(theirs))
		}
		if n == 1 && len(theirs) == 1 && !strings.Contains(line, `"`) && strings.Trim(theirs[0].Value, " ") != strings.Trim(value, " ") {
			t.Fatalf("%q: %q, net/http reads %q", line, value, theirs[0].Value)
		}
	})
}

func FuzzCodeHeader(f *testing.F) {
	for _, s := range []string{"123456", "", " 1", "ABCD-EFGH-JKLM-NPQR", "1\x002", strings.Repeat("1", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		r := httptest.NewRequest("GET", "/", bytes.NewReader(nil))
		r.Header["X-Mfa-Code"] = []string{v}
		code, ok := codeHeader(r)
		if ok != (code != nil) || ok && (*code != v || len(v) > 64 || !utf8.ValidString(v) || strings.ContainsAny(v, "\r\n\x00")) {
			t.Fatalf("%q: %v %v", v, code, ok)
		}
	})
}

// A browser sends a form of another site with one of three types, and asks before it sends any other (Fetch standard, section
// 2.2.2, CORS-safelisted request-header). What is taken for JSON must be none of them, however it is spelled.
func FuzzContentTypeThatIsTakenIsJSON(f *testing.F) {
	for _, s := range []string{"application/json", "Application/JSON ; charset=\"UTF-8\"", "application/json;charset=utf-16", "text/plain", "text/plain;application/json",
		"application/json, text/plain", "application/json;charset=utf-8;charset=utf-16", "application/x-www-form-urlencoded;a=application/json", "", "application/json;", "application/jsonp", "\tapplication/json\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		one := &http.Request{Header: http.Header{"Content-Type": {line}}}
		if isContentType(&http.Request{Header: http.Header{"Content-Type": {line, line}}}, "application/json") {
			t.Fatalf("%q was taken twice", line)
		}
		if !isContentType(one, "application/json") {
			return
		}
		essence, parameters, _ := strings.Cut(line, ";") // WHATWG MIME Sniffing, section 4.4
		if strings.ToLower(strings.Trim(essence, " \t\r\n")) != "application/json" {
			t.Fatalf("%q was taken for JSON", line)
		}
		if lower := strings.ToLower(parameters); strings.Count(lower, "charset=") == 1 && !strings.Contains(lower, "utf-8") && !strings.ContainsAny(lower, `"*`) {
			t.Fatalf("%q was taken for UTF-8", line)
		}
		for _, other := range []string{"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"} {
			if isContentType(one, other) {
				t.Fatalf("%q is %s, too", line, other)
			}
		}
	})
}

func TestCredentialsPrintNothing_I21(t *testing.T) {
	c := credential{kind: basicCredential, token: "t0ken", name: "alice", password: "s3cret"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := sprintf(verb, c); strings.Contains(got, "s3cret") || strings.Contains(got, "t0ken") || strings.Contains(got, "733363726574") {
			t.Errorf("%s: %s", verb, got)
		}
	}
}

func FuzzRequestIDStandsInALog_I21(f *testing.F) {
	for _, s := range []string{"req-1", "", "a b", "x\r\nevt.name=forged", strings.Repeat("a", 65), "é", "../..", "a\"b"} {
		f.Add(s)
	}
	w := found(f)
	h := w.web.AuditLog(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	proxied := &core{logins: w.web.logins, addr: addrResolver{trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, header: headerForwardedFor}}
	trusting := (&Group{core: proxied}).AuditLog(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	plain := regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	f.Fuzz(func(t *testing.T, id string) {
		for i, h := range []http.Handler{h, trusting} {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header[headerRequestID] = []string{id}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			got := rec.Header().Get(headerRequestID)
			if !plain.MatchString(got) {
				t.Fatalf("the id %q became %q", id, got)
			}
			if (got == id) != (i == 1 && plain.MatchString(id)) {
				t.Fatalf("the id %q became %q (from a proxy: %v)", id, got, i == 1)
			}
		}
	})
}
