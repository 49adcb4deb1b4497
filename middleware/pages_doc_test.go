package middleware

import (
	"html/template"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/challenge"
)

// The dot of a page is a type that no app can look up, so docs/pages.md is all that people have. It names every template,
// field and method there is, and none that is not.
func TestThePageOfPagesNamesEveryTemplateAndFieldThereIs(t *testing.T) {
	raw, err := os.ReadFile("../docs/pages.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(raw)

	ours := template.Must(template.ParseFS(pageFiles, "pages/*.html"))
	for _, tmpl := range ours.Templates() {
		if name := tmpl.Name(); !strings.HasSuffix(name, ".html") && !strings.Contains(doc, "`"+name+"`") {
			t.Errorf("docs/pages.md does not name the template %q", name)
		}
	}

	known := map[string]bool{}
	for _, v := range []any{page{}, pageWay{}, securityView{}, securityKind{}, securityItem{}, challenge.EnrolledFactor{}} {
		for _, name := range templateNames(reflect.TypeOf(v)) {
			if known[name] = true; !strings.Contains(doc, "`."+name+"`") {
				t.Errorf("docs/pages.md does not name .%s of %T", name, v)
			}
		}
	}
	if len(known) < 80 {
		t.Errorf("%d names: is this check blind?", len(known))
	}
	for _, m := range regexp.MustCompile("`\\.([A-Z]\\w*)`").FindAllStringSubmatch(doc, -1) {
		if !known[m[1]] {
			t.Errorf("docs/pages.md names .%s, which is not there", m[1])
		}
	}
}

// templateNames are the fields and methods that a template can use.
func templateNames(of reflect.Type) (names []string) {
	for _, f := range reflect.VisibleFields(of) {
		if f.IsExported() && !f.Anonymous {
			names = append(names, f.Name)
		}
	}
	for i := range of.NumMethod() {
		if name := of.Method(i).Name; name != "Format" { // fmt's
			names = append(names, name)
		}
	}
	return names
}
