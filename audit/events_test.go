package audit_test

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

var update = flag.Bool("update", false, "write the golden files anew; look at the difference before committing")

var formats = []struct {
	name   string
	format audit.Format
}{
	{"datadog", audit.Datadog},
	{"json", audit.JSON},
	{"ecs", audit.ECS},
	{"ocsf", audit.OCSF},
	{"datadog-ids", audit.DatadogIDs},
}

// objects are the formats of one JSON object a line.
var objects = formats[1:4]

// declaredNames reads the event names out of event.go, so that nobody can add one there and forget it in the formats.
func declaredNames(t testing.TB) []audit.Name {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []audit.Name
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			if id, ok := v.Type.(*ast.Ident); !ok || id.Name != "Name" {
				continue
			}
			for _, x := range v.Values {
				text, err := strconv.Unquote(x.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, audit.Name(text))
			}
		}
	}
	if len(names) < 8 {
		t.Fatalf("found %d names in event.go: did the constants move?", len(names))
	}
	return names
}

func TestEveryNameOfEventGoIsKnownToTheFormats(t *testing.T) {
	if got, want := audit.Names(), declaredNames(t); !slices.Equal(got, want) {
		t.Errorf("Names():\n%q\nevent.go:\n%q", got, want)
	}
}

func TestNamesAreUnique(t *testing.T) {
	names := audit.Names()
	slices.Sort(names)
	if u := slices.Compact(slices.Clone(names)); len(u) != len(names) {
		t.Errorf("two events share a name: %q", names)
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 7_000_000, time.UTC)

// full is an event of that name with every value.
func full(n audit.Name) audit.Event {
	return audit.Event{
		Time: noon, Name: n, Outcome: audit.Success, User: "MxAdmin", UserID: "u-17", Client: netip.MustParseAddr("127.0.0.1"),
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64)", RequestID: "req-1", PendingID: "9f8e", LoginID: "5d4c", Method: "totp", Reason: "a reason", Actor: "root",
		HTTPMethod: "GET", Path: "/account", Status: 200,
	}
}

// bare is an event of that name with nothing that may be missing.
func bare(n audit.Name) audit.Event { return audit.Event{Time: noon, Name: n} }

// TestGolden shows every event in every format, once with all values and once with none.
func TestGolden(t *testing.T) {
	for _, f := range formats {
		var got []byte
		for _, n := range declaredNames(t) {
			got = f.format(f.format(got, full(n)), bare(n))
		}
		file := "testdata/" + f.name + ".golden"
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s differs from %s; if that is meant, run go test ./audit -update\n%s", f.name, file, got)
		}
	}
}

func TestAFormatAppendsAndLeavesWhatWasThere(t *testing.T) {
	for _, f := range formats {
		before := []byte("kept")
		got := string(f.format(before, full(audit.Logout)))
		if want := "kept" + string(f.format(nil, full(audit.Logout))); got != want {
			t.Errorf("%s: got %q, want %q", f.name, got, want)
		}
	}
}

func TestFormatByName(t *testing.T) {
	for _, f := range formats {
		got, ok := audit.FormatByName(f.name)
		if !ok || string(got(nil, full(audit.Logout))) != string(f.format(nil, full(audit.Logout))) {
			t.Errorf("%s is not found by its name", f.name)
		}
	}
	for _, name := range []string{"", "Datadog", "xml", "json "} {
		if f, ok := audit.FormatByName(name); ok || f != nil {
			t.Errorf("%q names a format", name)
		}
	}
}
