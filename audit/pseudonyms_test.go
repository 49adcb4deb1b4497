package audit_test

import (
	"bytes"
	"context"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/audit"
)

var pseudonymKey = bytes.Repeat([]byte{7}, 32)

func pseudonymous(t *testing.T, next audit.Recorder) audit.Recorder {
	t.Helper()
	rec, err := audit.Pseudonyms(pseudonymKey, next)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// talkative is an event that has a name in every text that could hold one.
func talkative(n audit.Name, user, id, actor string) audit.Event {
	e := full(n)
	e.User, e.UserID, e.Actor = user, id, actor
	e.UserAgent = "Acme/1.2 (for " + user + "; by " + strings.ToUpper(actor) + ") Chrome/140.0"
	e.RequestID = "edge-" + user + "-1"
	e.Reason = "for " + user + ", asked by " + actor + " (" + id + ")"
	e.HTTPMethod = "GET"
	e.Path = "/admin/" + actor + "/users/" + strings.ToUpper(user) + "/" + id
	return e
}

func TestNoNameIsInAnyLineInAnyFormat(t *testing.T) {
	for _, who := range [][3]string{
		{"alice", "user-4711", "root"},
		{"Alice.Liddell@example.com", "0198c2d4-7a3e-7d50-9a44-0242ac120002", "Root@example.com"},
		{"Zoë", "Ünique-7", "Ärzt"},
		{"o'brien <ob>", "a b", "x\"y z"},
	} {
		for _, n := range append(audit.Names(), audit.Name("welcome "+who[0])) {
			var got audit.Memory
			if err := pseudonymous(t, &got).Record(t.Context(), talkative(n, who[0], who[1], who[2])); err != nil {
				t.Fatal(err)
			}
			e := got.Events()[0]
			lines := map[string]string{}
			for _, f := range formats {
				lines[f.name] = string(f.format(nil, e))
			}
			var out bytes.Buffer
			_ = audit.Slog(slog.New(slog.NewJSONHandler(&out, nil))).Record(t.Context(), e)
			lines["slog"] = out.String()
			for format, line := range lines {
				for _, name := range who {
					if strings.Contains(strings.ToLower(line), strings.ToLower(name)) {
						t.Errorf("%s: %q stands in %s", format, name, line)
					}
				}
			}
		}
	}
}

func TestAPseudonymIsTheSameForTheSameNameAndTellsNamesApart(t *testing.T) {
	shape := regexp.MustCompile(`^p-[0-9a-f]{32}$`)
	p := audit.Pseudonym(pseudonymKey, "MxAdmin")
	switch {
	case !shape.MatchString(p):
		t.Errorf("%q", p)
	case p != audit.Pseudonym(pseudonymKey, "mxadmin"): // as it was typed, and as the account has it
		t.Error("it depends on the case of the name")
	case p == audit.Pseudonym(pseudonymKey, "mxadmin2"):
		t.Error("two names have one pseudonym")
	case p == audit.Pseudonym(bytes.Repeat([]byte{8}, 32), "mxadmin"):
		t.Error("it does not depend on the key")
	case audit.Pseudonym(pseudonymKey, "") != "":
		t.Error("nobody has a pseudonym")
	}
	var got audit.Memory
	rec := pseudonymous(t, &got)
	_ = rec.Record(t.Context(), audit.Event{Name: audit.InvalidPassword, User: "mxadmin"})
	_ = rec.Record(t.Context(), audit.Event{Name: audit.AccountBlocked, User: "bob", Actor: "MxAdmin"})
	if e := got.Events(); e[0].User != p || e[1].Actor != p {
		t.Errorf("%+v", e)
	}
}

func TestPseudonymsLeaveEverythingElseAsItIs(t *testing.T) {
	for _, e := range []audit.Event{
		full(audit.AccountBlocked),
		{Name: audit.LoginWithoutMFA, User: "al", UserID: "1", UserAgent: "Mozilla/5.0 (al; 1)", Reason: "grace, login 1 of 10", RequestID: "r-1-al"},
		{Name: audit.LoginWithMFA, User: "rob", UserID: "140", UserAgent: "Robot/1 probe Chrome/140.0.140", Reason: "problems", Path: "/robots/1400"},
	} {
		var got audit.Memory
		if err := pseudonymous(t, &got).Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		after, want := got.Events()[0], e
		want.User, want.UserID, want.Actor = audit.Pseudonym(pseudonymKey, e.User), audit.Pseudonym(pseudonymKey, e.UserID), audit.Pseudonym(pseudonymKey, e.Actor)
		if after != want {
			t.Errorf("\ngot  %+v\nwant %+v", after, want)
		}
	}
	var got audit.Memory
	_ = pseudonymous(t, &got).Record(t.Context(), audit.Event{Name: audit.AccessGranted, User: "al", UserID: "7", Path: "/users/al/7/photos"})
	want := "/users/" + audit.Pseudonym(pseudonymKey, "al") + "/" + audit.Pseudonym(pseudonymKey, "7") + "/photos"
	if e := got.Events()[0]; e.Path != want {
		t.Errorf("%q, want %q", e.Path, want)
	}
}

func TestPseudonymsRefuseAShortKeyAndPassErrorsOn_I19(t *testing.T) {
	for _, n := range []int{0, 16, 31} {
		if rec, err := audit.Pseudonyms(make([]byte, n), audit.Discard); err == nil || rec != nil {
			t.Errorf("a key of %d bytes is accepted", n)
		}
	}
	if _, err := audit.Pseudonyms(pseudonymKey, nil); err == nil {
		t.Error("nowhere to record to is accepted")
	}
	key := bytes.Clone(pseudonymKey)
	var got audit.Memory
	rec, err := audit.Pseudonyms(key, &got)
	if err != nil {
		t.Fatal(err)
	}
	clear(key)
	_ = rec.Record(t.Context(), audit.Event{User: "alice"})
	if got.Events()[0].User != audit.Pseudonym(pseudonymKey, "alice") {
		t.Error("the caller's slice is still in use")
	}
	failing := audit.RecorderFunc(func(context.Context, audit.Event) error { return context.Canceled })
	if err := pseudonymous(t, failing).Record(t.Context(), audit.Event{}); err != context.Canceled {
		t.Errorf("%v", err)
	}
}

func FuzzNoNameIsLeft(f *testing.F) {
	f.Add("alice", "/users/alice/x")
	f.Add("İ", "i̇ İ ı")
	f.Add("a.b", "a.b.a.b")
	f.Add("ſs", "SS ss ſs")
	letter := regexp.MustCompile(`^\pL(.*\pL)?$`)
	f.Fuzz(func(t *testing.T, name, text string) {
		if !letter.MatchString(name) {
			return // what begins with a slash or is nothing but dots is nobody's name
		}
		var got audit.Memory
		if err := pseudonymous(t, &got).Record(t.Context(), audit.Event{Name: audit.AccessGranted, User: name, Path: "/" + name + "/" + text}); err != nil {
			t.Fatal(err)
		}
		e := got.Events()[0]
		if !strings.HasPrefix(e.Path, "/"+e.User+"/") || len(e.User) != 34 {
			t.Errorf("%q in %q: %q", name, text, e.Path)
		}
	})
}
