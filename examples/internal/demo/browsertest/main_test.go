// Package browsertest goes through the example as people do: with Chromium, which runs without a window, on the built program.
//
// Where a page needs no JavaScript the browser has it switched off. Codes come from where a person has them: the outbox, or
// oathtool from the picture that zbarimg reads. Chromium's virtual authenticator is the fingerprint reader.
//
// The tests are skipped where chromium is not installed, and fail there with CI=true. $AXE_CORE names axe.min.js of the npm
// package axe-core, for the test of accessibility. $SCREENSHOTS names a directory that gets a picture of every page.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long a page may take to do what it is waited for. The machine may be busy with other tests.
const patience = 2 * time.Minute

var (
	directory  string          // for what is built, and for the browser's profile
	background context.Context // ends with the tests, and with it the browser
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if directory, err = os.MkdirTemp("", "browsertest"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(directory) }()
	var stop context.CancelFunc
	background, stop = context.WithCancel(context.Background())
	defer stop()
	status := m.Run()
	closeBrowser()
	return status
}

// need finds a program, or ends the test: with a failure where everything has to be there.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name+" is not installed")
	}
	return path
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s, and CI=true", what)
	}
	t.Skip(what)
}

// program is the example, built once.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(directory, "example.exe") // the name that every system takes
	out, err := exec.Command("go", "build", "-o", path, "github.com/sallyport-go/sallyport/examples/stdlib").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the example: %w\n%s", err, out)
	}
	return path, nil
})

// chromium is one browser for all tests. Each visitor has a profile of its own in it.
var chromium = sync.OnceValues(func() (context.Context, error) {
	ctx, _ := chromedp.NewExecAllocator(background, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"),
		chromedp.UserDataDir(filepath.Join(directory, "profile")),
		chromedp.NoSandbox, // it sees this machine's own pages only, and root has no sandbox
		chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true),
	)...)
	ctx, _ = chromedp.NewContext(ctx)
	if err := chromedp.Do(ctx); err != nil {
		return nil, fmt.Errorf("starting chromium: %w", err)
	}
	opened = ctx
	return ctx, nil
})

var opened context.Context // of the browser, if it was started

func closeBrowser() {
	if opened == nil {
		return
	}
	if err := chromedp.Cancel(opened); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "closing chromium:", err)
	}
}
