package browsertest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// visitor is a person with a browser of their own: cookies, cache and one tab.
type visitor struct {
	*site
	t          *testing.T
	tab        context.Context
	scriptless bool
	device     *reader // nil: none
}

// visit opens a browser with nothing in it.
func (s *site) visit(t *testing.T) *visitor {
	t.Helper()
	browser, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	tab, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	v := &visitor{site: s, t: t, tab: tab}
	// The first use makes the tab, whose life must not end with the patience of a step. Devices answer only a page that has
	// the focus, and all visitors have theirs at once.
	if _, err := chromedp.Call(tab, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	return v
}

// withoutScripts opens a browser in which JavaScript is switched off.
func (s *site) withoutScripts(t *testing.T) *visitor {
	t.Helper()
	v := s.visit(t)
	v.scripts(false)
	return v
}

// scripts switches JavaScript on or off, for the pages that are loaded from now on.
func (v *visitor) scripts(on bool) {
	v.t.Helper()
	v.scriptless = !on
	if _, err := chromedp.Call(v.tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on}); err != nil {
		v.t.Fatal(err)
	}
}

// do runs a step, which may wait for something on the page.
func (v *visitor) do(step chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	ask(v, step)
}

// ask runs a step that finds something out.
func ask[T any](v *visitor, step chromedp.Action[T]) T {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.tab, patience)
	defer cancel()
	answer, err := chromedp.Run(ctx, step)
	if err != nil {
		v.t.Fatalf("%v\n%s", err, v.page())
	}
	return answer
}

// js is the value of an expression on the page. It is our question, not the page's script, so it works without scripts.
func js[T any](v *visitor, format string, values ...any) T {
	v.t.Helper()
	return ask(v, chromedp.Evaluate[T](fmt.Sprintf(format, values...)))
}

// page is where the visitor is and what stands there, for a test that failed.
func (v *visitor) page() string {
	ctx, cancel := context.WithTimeout(v.tab, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return "(the page cannot be read: " + err.Error() + ")"
	}
	return "the page is " + text
}

// next runs a step that leads to another page, waits for that, and returns its status.
func (v *visitor) next(step chromedp.Action[chromedp.Void]) int {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.tab, patience)
	defer cancel()
	answer, err := chromedp.RunResponse(ctx, step)
	if err != nil {
		v.t.Fatalf("%v\n%s", err, v.page())
	}
	return status(answer)
}

func status(r *network.Response) int {
	if r == nil {
		return 0
	}
	return int(r.Status)
}

// open types a path into the address bar.
func (v *visitor) open(path string) int {
	v.t.Helper()
	return v.next(chromedp.Navigate(v.url + path))
}

// back goes back in the history. A page that answered a form and is kept nowhere does not load again.
func (v *visitor) back() {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.tab, patience)
	defer cancel()
	if _, failed := errors.AsType[*chromedp.LoadError](chromedp.Do(ctx, chromedp.NavigateBack())); failed {
		return
	} else if err := ctx.Err(); err != nil {
		v.t.Fatalf("going back: %v: a page that the browser has kept does not load\n%s", err, v.page())
	}
}

// press clicks the button, or the link, with these words on it.
func (v *visitor) press(words string) int {
	v.t.Helper()
	return v.next(chromedp.Click(fmt.Sprintf(`//main//*[self::button or self::a][normalize-space()=%q]`, words), chromedp.NodeVisible))
}

// pressIn is press for one of several: within is where it stands.
func (v *visitor) pressIn(within, words string) int {
	v.t.Helper()
	return v.next(chromedp.Click(fmt.Sprintf(`%s//*[self::button or self::a][normalize-space()=%q]`, within, words), chromedp.NodeVisible))
}

// fill types into the field with this label what should stand there.
func (v *visitor) fill(label, text string) {
	v.t.Helper()
	v.fillIn(string(v.field(label)), text)
}

// field is the one with this label.
func (v *visitor) field(label string) chromedp.CSS {
	v.t.Helper()
	id := js[string](v, `[...document.querySelectorAll("main label")].find((l) => l.textContent.trim() === %q)?.htmlFor ?? ""`, label)
	if id == "" {
		v.t.Fatalf("no field is called %q\n%s", label, v.page())
	}
	return chromedp.CSS(`[id="` + id + `"]`)
}

// has reports whether something stands on the page.
func (v *visitor) has(selector string) bool {
	v.t.Helper()
	return js[bool](v, `document.querySelector(%q) !== null`, selector)
}

// texts is what stands in every such element.
func (v *visitor) texts(selector string) []string {
	v.t.Helper()
	return js[[]string](v, `[...document.querySelectorAll(%q)].map((e) => e.innerText.trim())`, selector)
}

// at is about the path that the address bar shows, and the status with which it came there.
func (v *visitor) at(path string, got, want int) {
	v.t.Helper()
	u, err := url.Parse(js[string](v, `location.href`))
	if err != nil {
		v.t.Fatal(err)
	}
	if u.Path != path || got != want {
		v.t.Fatalf("status %d at %s, want %d at %s\n%s", got, u.Path, want, path, v.page())
	}
}

// reads is about words that a person can see.
func (v *visitor) reads(words ...string) {
	v.t.Helper()
	text := js[string](v, `document.body.innerText`)
	for _, w := range words {
		if !strings.Contains(text, w) {
			v.t.Errorf("%q cannot be read\n%s", w, v.page())
		}
	}
}

// describes is about what a screen reader says at a field: its label, and in its description these words.
func (v *visitor) describes(label, words string) {
	v.t.Helper()
	v.describesAt(string(v.field(label)), words)
}

// describesAt is describes for one of several fields with the same label.
func (v *visitor) describesAt(selector, words string) {
	v.t.Helper()
	nodes := ask(v, chromedp.Nodes(chromedp.CSS(selector)))
	tree, err := chromedp.Call(v.tab, accessibility.GetPartialAXTree, accessibility.GetPartialAXTreeParams{NodeID: nodes[0].NodeID, FetchRelatives: new(false)})
	if err != nil {
		v.t.Fatal(err)
	}
	if len(tree.Nodes) == 0 || tree.Nodes[0].Description == nil {
		v.t.Fatalf("the field %s has no description\n%s", selector, v.page())
	}
	if got := string(tree.Nodes[0].Description.Value); !strings.Contains(got, words) {
		v.t.Errorf("the field %s is described as %s, want %q", selector, got, words)
	}
}

// password goes through the first step.
func (v *visitor) password(name string) {
	v.t.Helper()
	if v.device != nil { // which would answer at once what the field for the name offers
		v.device.finger(false)
		defer v.device.finger(true)
	}
	v.at("/login", v.open("/login"), 200)
	v.fill("Username", name)
	v.fill("Password", password)
	v.at("/login/verify", v.press("Log in"), 200)
}

// code goes through the second step and is in.
func (v *visitor) code(code string) {
	v.t.Helper()
	v.fill("Code", code)
	v.at("/account", v.press("Verify"), 200)
}

// fillIn is fill for one of several fields with the same label.
func (v *visitor) fillIn(selector, text string) {
	v.t.Helper()
	v.do(chromedp.Clear(chromedp.CSS(selector)))
	v.do(chromedp.Focus(chromedp.CSS(selector)))
	if _, err := chromedp.Call(v.tab, input.InsertText, input.InsertTextParams{Text: text}); err != nil { // as pasting does
		v.t.Fatal(err)
	}
	if got := ask(v, chromedp.Value(chromedp.CSS(selector))); got != text {
		v.t.Fatalf("the field %s took %d letters of %d", selector, len(got), len(text))
	}
}

// recover logs in with a recovery code in the place of the second step.
func (v *visitor) recover(name, code string) {
	v.t.Helper()
	v.password(name)
	v.at("/login/verify", v.press("Use a recovery code"), 200)
	v.reads("Each works once.")
	v.fill("Recovery code", code)
	v.at("/account", v.press("Verify"), 200)
}
