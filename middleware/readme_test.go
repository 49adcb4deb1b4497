package middleware_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The README's smallest program is what people paste first, so it is built as it stands there.
func TestTheREADMEsProgramBuilds(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, ok := strings.Cut(string(readme), "```go\npackage main\n")
	program, _, end := strings.Cut(program, "```")
	if !ok || !end {
		t.Fatal("README.md has no whole program")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, []byte("package main\n"+program), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, "examples", "readme", "main.go"): file}})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "program"), "-overlay", overlayFile, "./examples/readme")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// What the docs show is quoted from tests, which run. Layout does not count. The README's program is built and run above, and its
// pieces that begin with "func" are about the app's own types.
func TestEveryPieceOfGoInTheDocsIsQuotedFromATest(t *testing.T) {
	layout := regexp.MustCompile(`\s+`)
	plain := func(s string) string { return strings.TrimSpace(layout.ReplaceAllString(s, " ")) }
	var tests strings.Builder
	for _, pattern := range []string{"*_test.go", "middlewaretest/*_test.go", "../challenge/*_test.go", "../challenge/webauthn/*_test.go", "../senders/*_test.go", "../senders/sendertest/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			tests.WriteString(plain(string(b)) + "\n")
		}
	}
	all, blocks := tests.String(), regexp.MustCompile("(?s)```go\n(.*?)```")
	found := 0
	for _, page := range []string{"../docs/api.md", "../docs/pages.md", "../docs/recipes.md"} {
		doc, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range blocks.FindAllStringSubmatch(string(doc), -1) {
			if page == "../README.md" && regexp.MustCompile(`^(package|func|sms|rdb) `).MatchString(m[1]) {
				continue
			}
			if found++; !strings.Contains(all, plain(m[1])) {
				t.Errorf("%s: no test has\n%s", page, m[1])
			}
		}
	}
	if found < 10 {
		t.Error("no piece of Go: is this check blind?")
	}
}
