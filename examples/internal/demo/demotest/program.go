package demotest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RunProgram builds the example in the current directory and runs it as a person would.
func RunProgram(t *testing.T) {
	program := filepath.Join(t.TempDir(), "example")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Run("a flag that makes no sense ends it with status 2", func(t *testing.T) { refusedFlags(t, program) })
	t.Run("it runs until it is interrupted", func(t *testing.T) { runs(t, program) })
	t.Run("its audit file can be rotated", func(t *testing.T) { rotated(t, program) })
	t.Run("with -smtp its codes go out by mail", func(t *testing.T) { mailed(t, program) })
}

func refusedFlags(t *testing.T, program string) {
	short, key := filepath.Join(t.TempDir(), "short"), filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(short, []byte("too short"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{
		{"-addr", "8080"}, {"-addr", "127.0.0.1:"}, {"-site", "ftp://acme.example"}, {"-site", "acme.example"},
		{"-store", ""}, {"-store", "sqlite:"}, {"-store", "sqlite::memory:"}, {"-store", "sqlite:logins.db?mode=ro"}, {"-store", "sqlite://logins.db"}, {"-store", "sqlite:" + filepath.Dir(short)},
		{"-store", "sqlite:" + filepath.Join(short, "x.db")}, {"-store", "mongodb://user:hidden@db/logins"}, {"-store", "postgres://user:hidden@db/logins"},
		{"-store", "mysql://user:12#hidden@db/logins", "-key", key}, {"-store", "mysql://user:hidden@db", "-key", key}, {"-store", "mysql://user:hidden@db/logins?tls=strange", "-key", key},
		{"-store", "postgres://user:hi?hidden@db/logins", "-key", key}, {"-store", "postgres://user:hidden@db/logins?sslmode=strange", "-key", key},
		{"-store", "postgres://user:hidden@db:port/logins", "-key", key}, {"-store", "redis://:hidden@db/first", "-key", key}, {"-store", "redis:hidden", "-key", key}, {"-key", short}, {"-key", filepath.Dir(short)},
		{"-outbox", filepath.Dir(short)}, {"-audit", filepath.Join(short, "x")}, {"-audit-format", "xml"},
		{"-max-password-guesses", "-1"}, {"-max-code-guesses", "-1"}, {"-max-code-guesses", "101"}, {"-max-code-guesses", "many"},
		{"-block-for", "-1s"}, {"-code-ttl", "-1s"}, {"-code-ttl", "11m"}, {"-pending-ttl", "-1s"}, {"-pending-ttl", "1h"}, {"-trust-devices", "-1s"}, {"-trust-devices", "721h"}, {"-resend-after", "-1s"},
		{"-block-for", "5"}, {"-login-rate", "-1"}, {"-login-rate", "1000000001"}, {"-trusted-proxies", "10.0.0.1"}, {"-trusted-proxies", "10.0.0.0/33"},
		{"-smtp", "http://mail.example"}, {"-smtp", "smtp://login:hidden@mail.example:99999"}, {"-nonsense"}, {"extra"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience) // else it would serve until the end of days
		cmd := exec.CommandContext(ctx, program, append([]string{"-addr", "127.0.0.1:0"}, flags...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		err := cmd.Run()
		cancel()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 2 {
			t.Errorf("%q: %v, want status 2", flags, err)
		}
		if stderr.Len() == 0 {
			t.Errorf("%q: nothing says why", flags)
		}
		if strings.Contains(stderr.String(), "hidden") {
			t.Errorf("I-21: %q: a password stands in %q", flags, stderr.String())
		}
	}
}

func runs(t *testing.T, program string) {
	key := filepath.Join(t.TempDir(), "key")
	var secret []byte
	for range 2 { // the first makes the key, the second finds it
		cmd := exec.Command(program, "-addr", "127.0.0.1:0", "-key", key, "-audit-format", "json", "-max-code-guesses", "0", "-code-ttl", "0", "-block-for", "0s")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var recovery, at string
		for lines := bufio.NewScanner(stdout); at == "" && lines.Scan(); {
			if line := lines.Text(); strings.HasPrefix(line, "recovery codes for alice: ") {
				recovery = line
			} else if strings.HasPrefix(line, "listening on ") {
				at = line[strings.LastIndexByte(line, ' ')+1:]
			} else if !strings.HasPrefix(line, `{"time":`) {
				t.Errorf("neither a line for people nor an event: %q", line)
			}
		}
		if len(strings.Fields(recovery)) != 14 {
			t.Errorf("printed %q", recovery)
		}
		res, err := http.Get(at + "/")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("/ answered %d", res.StatusCode)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		overdue := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ended with %v: %s", err, stderr.String())
		}
		overdue.Stop()
		b, err := os.ReadFile(key)
		if err != nil || len(b) != 32 {
			t.Fatalf("the key: %d bytes, %v", len(b), err)
		}
		if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the key: %v, %v", info.Mode(), err)
		}
		if secret != nil && !bytes.Equal(b, secret) {
			t.Error("the key was made anew")
		}
		secret = b
	}
}

// rotated moves the audit file away and sends the hangup that logrotate sends: the next event goes into a new file.
func rotated(t *testing.T, program string) {
	path := filepath.Join(t.TempDir(), "audit.log")
	cmd := exec.Command(program, "-addr", "127.0.0.1:0", "-audit", path, "-audit-format", "json")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	at := ""
	for lines := bufio.NewScanner(stdout); at == "" && lines.Scan(); {
		if line := lines.Text(); strings.HasPrefix(line, "listening on ") {
			at = line[strings.LastIndexByte(line, ' ')+1:]
		}
	}
	login := func(name string) {
		t.Helper()
		res, err := http.Post(at+"/api/login", "application/json", strings.NewReader(`{"username":"`+name+`","password":"wrong"}`))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
	login("first")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(50 * time.Millisecond) { // the signal takes a moment
		if _, err = os.Stat(path); err == nil {
			break
		}
	}
	login("second")
	before, errBefore := os.ReadFile(path + ".1")
	after, errAfter := os.ReadFile(path)
	if errBefore != nil || errAfter != nil || !bytes.Contains(before, []byte(`"user":"first"`)) || bytes.Contains(before, []byte(`"user":"second"`)) || !bytes.Contains(after, []byte(`"user":"second"`)) {
		t.Errorf("before the rotation %q, %v; after it %q, %v", before, errBefore, after, errAfter)
	}
}
