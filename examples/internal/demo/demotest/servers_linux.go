package demotest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The stories about shared stores run servers of their own, in temporary folders and on free ports, so that they can be
// killed.

// process is a program that a test runs, pauses and kills. It does not outlive the test program, whatever that dies of.
type process struct {
	pid    int
	done   chan struct{} // closed when it has ended
	err    error         // how it ended; to be read after done
	output *buffer       // standard error, and standard output where that has no place of its own
}

func launch(t testing.TB, c *exec.Cmd) *process {
	t.Helper()
	p, started := &process{done: make(chan struct{}), output: new(buffer)}, make(chan error, 1)
	if c.Stdout == nil {
		c.Stdout = p.output
	}
	c.Stderr = p.output
	if c.SysProcAttr == nil {
		c.SysProcAttr = new(syscall.SysProcAttr)
	}
	c.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	c.WaitDelay = time.Second // children that outlive it hold its output
	go func() {
		runtime.LockOSThread() // the signal comes at the end of the thread
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := c.Start()
		if err == nil {
			p.pid = c.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = c.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	return p
}

// end asks it to end, and insists after a while.
func (p *process) end(with syscall.Signal, patience time.Duration) error {
	_ = syscall.Kill(p.pid, syscall.SIGCONT)
	_ = syscall.Kill(p.pid, with)
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
		<-p.done
	}
	return p.err
}

// server is a database.
type server struct {
	*process
	url      string // for -store
	command  func() *exec.Cmd
	ready    func(context.Context) error
	port     string
	poor     func(testing.TB) string                            // for -store, by somebody who may not do what it takes
	age      func(testing.TB, int)                              // sets the version of the schema, where there is one
	readOnly func(testing.TB, bool)                             // makes it refuse every write, as a replica does
	words    struct{ password, right, strange, replica string } // which the reasons to fail have, in small letters
}

// startServer starts a kind of server until the test ends, or skips.
func startServer(t testing.TB, kind string) *server {
	t.Helper()
	var s *server
	switch kind {
	case "postgres":
		s = postgres(t)
	case "mysql":
		s = mariadb(t)
	case "redis":
		s = redis(t)
	}
	s.start(t)
	t.Cleanup(func() { _ = s.end(syscall.SIGQUIT, 2*time.Second) }) // the children of PostgreSQL go along
	return s
}

func (s *server) kill() { _ = s.end(syscall.SIGKILL, time.Minute) }

func (s *server) start(t testing.TB) {
	t.Helper()
	for begun := time.Now(); ; {
		s.process = launch(t, s.command())
		for ended := false; !ended; {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			err := s.ready(ctx)
			cancel()
			if err == nil {
				return
			}
			if time.Since(begun) > patience {
				s.kill()
				t.Fatalf("the server does not start: %v\n%.3000s", err, s.output)
			}
			select {
			case <-s.done: // PostgreSQL, while children of the process that was killed are still there
				ended = true
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

// pause stops it and all that it has started, and resume lets them go on.
func (s *server) pause()  { s.everyone(syscall.SIGSTOP) }
func (s *server) resume() { s.everyone(syscall.SIGCONT) }

func (s *server) everyone(sig syscall.Signal) {
	_ = syscall.Kill(s.pid, sig)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		stat, _ := os.ReadFile(name)
		rest := string(stat[bytes.LastIndexByte(stat, ')')+1:]) // state and parent follow the name
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(s.pid) {
			pid, _ := strconv.Atoi(strings.Split(name, "/")[2])
			_ = syscall.Kill(pid, sig)
		}
	}
}

// needs finds programs, or skips; where CI=true the machine is meant to have them.
func needs(t testing.TB, server string, programs ...string) []string {
	t.Helper()
	found := make([]string, len(programs))
	for i, p := range programs {
		places, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + p)
		slices.Reverse(places) // the newest first
		for _, place := range append(places, p, "/usr/sbin/"+p) {
			if f, err := exec.LookPath(place); err == nil && found[i] == "" {
				found[i] = f
			}
		}
		if found[i] == "" {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed (no %s), and with CI=true its stories must be told", server, p)
			}
			t.Skipf("%s is not installed (no %s): nothing was tried on it", server, p)
		}
	}
	return found
}

// folder is a directory that another user may own, below no private one.
func folder(t testing.TB, owner *user.User) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "demo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if owner != nil {
		uid, _ := strconv.Atoi(owner.Uid)
		if err := os.Chown(dir, uid, -1); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// as lets a command run as owner.
func as(owner *user.User, program string, args ...string) *exec.Cmd {
	c := exec.Command(program, args...)
	c.SysProcAttr = new(syscall.SysProcAttr)
	if owner != nil {
		uid, _ := strconv.ParseUint(owner.Uid, 10, 32)
		gid, _ := strconv.ParseUint(owner.Gid, 10, 32)
		c.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=/tmp"}
	c.Dir = "/"
	return c
}

func run(t testing.TB, c *exec.Cmd) {
	t.Helper()
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", c.Path, err, out)
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// pingSQL and execSQL use the drivers that package demo brings.
func pingSQL(driver, name string) func(context.Context) error {
	return func(ctx context.Context) error {
		db, err := sql.Open(driver, name)
		if err != nil {
			return err
		}
		defer func() { _ = db.Close() }()
		return db.PingContext(ctx)
	}
}

func execSQL(t testing.TB, driver, name string, statements ...string) {
	t.Helper()
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

// ask returns the one value of a query, on a connection of its own.
func ask(t testing.TB, driver, name, query string) (value string) {
	t.Helper()
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRow(query).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func postgres(t testing.TB) *server {
	bin := needs(t, "PostgreSQL", "initdb", "postgres")
	var owner *user.User
	if os.Geteuid() == 0 { // it refuses to run as root
		var err error
		if owner, err = user.Lookup("postgres"); err != nil {
			t.Fatal(err)
		}
	}
	dir := folder(t, owner)
	password, data := filepath.Join(dir, "password"), filepath.Join(dir, "data")
	if err := os.WriteFile(password, []byte(serverPassword), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, as(owner, bin[0], "-D", data, "--no-sync", "-U", "postgres", "-A", "scram-sha-256", "--pwfile", password, "-E", "UTF8", "--locale=C"))
	port := freePort(t) // only now: what is free does not stay so for long
	s := &server{url: "postgres://postgres:" + serverPassword + "@127.0.0.1:" + port + "/postgres?sslmode=disable"}
	s.command = func() *exec.Cmd {
		return as(owner, bin[1], "-D", data, "-p", port, "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=16MB")
	}
	s.ready, s.port = pingSQL("pgx", s.url), port
	s.words.password, s.words.right = "password authentication failed", "permission denied"
	s.words.strange, s.words.replica = "failed to receive message", "read-only transaction"
	s.poor = func(t testing.TB) string {
		execSQL(t, "pgx", s.url, "CREATE ROLE reader LOGIN PASSWORD '"+serverPassword+"'", "CREATE DATABASE other")
		other := strings.Replace(s.url, "/postgres?", "/other?", 1)
		execSQL(t, "pgx", other, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
		return strings.Replace(other, "//postgres:", "//reader:", 1)
	}
	s.age = func(t testing.TB, version int) {
		execSQL(t, "pgx", s.url, fmt.Sprint("UPDATE sallyport_schema SET version = ", version))
	}
	s.readOnly = func(t testing.TB, on bool) {
		execSQL(t, "pgx", s.url, "SET default_transaction_read_only = off",
			fmt.Sprintf("ALTER SYSTEM SET default_transaction_read_only = %v", on), "SELECT pg_reload_conf()")
		want := map[bool]string{true: "on", false: "off"}[on]
		for begun, got := time.Now(), ""; got != want; time.Sleep(5 * time.Millisecond) { // it reads its settings when it comes to it
			got = ask(t, "pgx", s.url, "SHOW default_transaction_read_only")
			if time.Since(begun) > patience {
				t.Fatalf("default_transaction_read_only stays %s", got)
			}
		}
	}
	return s
}

func mariadb(t testing.TB) *server {
	bin := needs(t, "MariaDB", "mariadb-install-db", "mariadbd")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t, nil)
	data, grant := filepath.Join(dir, "data"), filepath.Join(dir, "grant.sql")
	text := "CREATE DATABASE IF NOT EXISTS login;\nCREATE USER IF NOT EXISTS 'app'@'%' IDENTIFIED BY '" + serverPassword + "';\n" +
		"GRANT ALL ON login.* TO 'app'@'%';\nCREATE DATABASE IF NOT EXISTS other;\nGRANT SELECT ON other.* TO 'app'@'%';\n" +
		"CREATE USER IF NOT EXISTS 'admin'@'%' IDENTIFIED BY '" + serverPassword + "';\nGRANT ALL ON *.* TO 'admin'@'%';\n"
	if err := os.WriteFile(grant, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, as(nil, bin[0], "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db",
		"--user="+me.Username, "--innodb-log-file-size=8M"))
	port := freePort(t)
	s := &server{url: "mysql://app:" + serverPassword + "@127.0.0.1:" + port + "/login"}
	s.command = func() *exec.Cmd {
		return as(nil, bin[1], "--no-defaults", "--datadir="+data, "--user="+me.Username, "--port="+port, "--bind-address=127.0.0.1",
			"--socket="+filepath.Join(dir, "sock"), "--pid-file="+filepath.Join(dir, "pid"), "--innodb-log-file-size=8M", "--init-file="+grant)
	}
	name := "app:" + serverPassword + "@tcp(127.0.0.1:" + port + ")/login"
	s.ready, s.port = pingSQL("mysql", name), port
	s.words.password, s.words.right = "access denied", "command denied"
	s.words.strange, s.words.replica = "packet", "--read-only"
	s.readOnly = func(t testing.TB, on bool) {
		admin := strings.Replace(strings.Replace(name, "app:", "admin:", 1), "/login", "/", 1)
		execSQL(t, "mysql", admin, fmt.Sprintf("SET GLOBAL read_only = %v", on))
	}
	s.poor = func(testing.TB) string { return strings.Replace(s.url, "/login", "/other", 1) }
	s.age = func(t testing.TB, version int) {
		execSQL(t, "mysql", name, fmt.Sprint("UPDATE sallyport_schema SET version = ", version))
	}
	return s
}

func redis(t testing.TB) *server {
	bin := needs(t, "Redis", "redis-server")
	dir, port := folder(t, nil), freePort(t)
	addr := "127.0.0.1:" + port
	s := &server{url: "redis://:" + serverPassword + "@" + addr + "/0"}
	s.command = func() *exec.Cmd {
		return as(nil, bin[0], "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--requirepass", serverPassword,
			"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction")
	}
	say := func(command, want string) error {
		got, err := askRedis(addr, command)
		if err == nil && got != want {
			err = fmt.Errorf("%s: %q", command, got)
		}
		return err
	}
	s.ready, s.port = func(context.Context) error { return say("PING", "+PONG\r\n") }, port
	s.words.password, s.words.right = "wrongpass", "noperm"
	s.words.strange, s.words.replica = "parse", "read only replica"
	s.poor = func(t testing.TB) string {
		if err := say("ACL SETUSER reader on >"+serverPassword+" ~* +getrange", "+OK\r\n"); err != nil {
			t.Fatal(err)
		}
		return strings.Replace(s.url, "://:", "://reader:", 1)
	}
	s.readOnly = func(t testing.TB, on bool) {
		of := "NO ONE"
		if on {
			of = "127.0.0.1 1" // a primary that is not there
		}
		if err := say("REPLICAOF "+of, "+OK\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// redisDatabases starts a Redis until the test ends, or skips, and gives its 16 databases one after the other.
func redisDatabases(t *testing.T) (next func() string) {
	if testing.Short() && os.Getenv("CI") != "true" {
		t.Skip("starts a server")
	}
	s, taken := startServer(t, "redis"), new(atomic.Int32)
	return func() string { return fmt.Sprintf("%s/%d", strings.TrimSuffix(s.url, "/0"), taken.Add(1)-1) }
}

// askRedis sends one command and returns the first 4 KiB of what comes back.
func askRedis(addr, command string) (string, error) {
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	const welcome = "+OK\r\n"
	_, _ = fmt.Fprintf(c, "AUTH %s\r\n", serverPassword)
	got := make([]byte, 4<<10)
	if n, err := io.ReadFull(c, got[:len(welcome)]); err != nil || string(got[:n]) != welcome {
		return "", fmt.Errorf("%q, %v", got[:n], err)
	}
	_, _ = fmt.Fprintf(c, "%s\r\n", command)
	n, err := c.Read(got)
	return string(got[:n]), err
}
