package webauthn_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/challenge/webauthn"
)

func TestI24TheScriptNeedsNothingThatAStrictPolicyForbids(t *testing.T) {
	file, err := os.ReadFile("passkey.js")
	if err != nil || string(file) != string(webauthn.Script) || len(file) == 0 {
		t.Fatal("not what is in the file", err)
	}
	if n := strings.Count(string(file), "\n"); n > 130 {
		t.Errorf("%d lines: it is meant to be read", n)
	}
	for _, never := range []string{`\beval\b`, `\bFunction\(`, `innerHTML`, `outerHTML`, `insertAdjacent`, `document\.write`, `\bimport\b`, `https?:`, `\bfetch\b`, `XMLHttp`,
		`localStorage`, `document\.cookie`, `\.style\b`, `setAttribute`, `setTimeout\("`, `createElement`} {
		if m := regexp.MustCompile(never).Find(file); m != nil {
			t.Errorf("it has %s", m)
		}
	}
}
