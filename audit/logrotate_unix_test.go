//go:build unix

package audit_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// TestLogrotateAsDocumentedLosesNoLine_I21 lets the real logrotate do what docs/operations.md says, while events are written.
func TestLogrotateAsDocumentedLosesNoLine_I21(t *testing.T) {
	tool, err := exec.LookPath("logrotate")
	if err != nil {
		if tool = "/usr/sbin/logrotate"; exec.Command(tool, "--version").Run() != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("logrotate is not here: Debian's package is logrotate")
			}
			t.Skip("logrotate is not here: Debian's package is logrotate")
		}
	}
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```\n/var/log/acme/audit.log {")
	config, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatal("docs/operations.md shows no configuration")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	config = path + " {" + strings.NewReplacer(
		"create 0600 acme acme", "create 0600\n    su "+ids(t),
		"systemctl kill --signal=HUP acme.service", fmt.Sprintf("kill -HUP %d", os.Getpid()),
	).Replace(config)
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}

	f := openFile(t, path)
	hangups, reopened := make(chan os.Signal, 1), make(chan error, 10)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	go func() {
		for range hangups {
			reopened <- f.Reopen()
		}
	}()
	rec := audit.To(f, audit.Datadog)
	stop := make(chan struct{})
	var written int
	var writers sync.WaitGroup
	writers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := rec.Record(t.Context(), full(audit.Logout)); err != nil {
				t.Error(err)
			}
			written++
			time.Sleep(100 * time.Microsecond) // so that there is not a gigabyte to compress
		}
	})
	for range 3 {
		if out, err := exec.Command(tool, "--force", "--state", filepath.Join(dir, "state"), filepath.Join(dir, "conf")).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		select {
		case err := <-reopened:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(2 * time.Minute): // which ends a hang, on however slow a machine
			t.Fatal("logrotate has sent no signal")
		}
	}
	close(stop)
	writers.Wait()

	lines := 0
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) != 4 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, name := range files {
		var raw []byte
		if strings.HasSuffix(name, ".gz") {
			raw, err = exec.Command("gzip", "-dc", name).Output()
		} else {
			raw, err = os.ReadFile(name)
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			if lines++; line != string(audit.Datadog(nil, full(audit.Logout))) {
				t.Fatalf("%s: %q", name, line)
			}
		}
	}
	if lines != written {
		t.Errorf("I-21: %d lines of %d", lines, written)
	}
}

// ids are user and group, by name, as logrotate wants them.
func ids(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", "echo $(id -un) $(id -gn)").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
