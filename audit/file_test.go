package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-go/sallyport/audit"
)

func openFile(t *testing.T, path string) *audit.File {
	t.Helper()
	f, err := audit.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestNoLineIsLostOrTornWhileAFileIsRotated_I21(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	f := openFile(t, path)
	rec := audit.To(f, audit.JSON)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				if err := rec.Record(t.Context(), full(audit.Logout)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 5 { // as logrotate does it: move, then signal
		if err := os.Rename(path, filepath.Join(dir, "audit.log."+string(rune('1'+i)))); err != nil {
			t.Fatal(err)
		}
		if err := f.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) != 6 {
		t.Fatalf("%q, %v", files, err)
	}
	lines := 0
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			if line != string(audit.JSON(nil, full(audit.Logout))) {
				t.Fatalf("%s: %q", name, line)
			}
			lines++
		}
	}
	if lines != 2000 {
		t.Errorf("I-21: %d lines of 2000", lines)
	}
}

func TestAFileIsAppendedToAndOnlyItsOwnerMayReadIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	for range 2 {
		f := openFile(t, path)
		if _, err := f.Write([]byte("line\n")); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		if _, err := f.Write([]byte("late\n")); !errors.Is(err, os.ErrClosed) {
			t.Errorf("a closed file: %v", err)
		}
		if err := f.Reopen(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("a closed file opens again: %v", err)
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil || string(raw) != "line\nline\n" {
		t.Errorf("%q, %v", raw, err)
	}
	if info, err := os.Stat(path); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAFileThatCannotBeReopenedStaysInUse_I21(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "audit.log")
	f := openFile(t, path)
	if err := os.Rename(dir, dir+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); err == nil {
		t.Error("there is no such folder")
	}
	if _, err := f.Write([]byte("line\n")); err != nil {
		t.Error(err)
	}
	if raw, err := os.ReadFile(filepath.Join(dir+".moved", "audit.log")); err != nil || string(raw) != "line\n" {
		t.Errorf("%q, %v", raw, err)
	}
	if _, err := audit.OpenFile(filepath.Join(dir, "nowhere", "audit.log")); err == nil {
		t.Error("opened a file in no folder")
	}
}
