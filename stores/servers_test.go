//go:build linux

package stores_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/stores"
)

// The tests run servers of their own, in temporary folders and on free ports, so that they can be killed.

// serverPassword is the password of every server here; no error may hold it.
const serverPassword = "open-sesame-7f3a"

// The driver tells of each connection that a test cuts.
func init() { mysql.SetLogger(log.New(io.Discard, "", 0)) }

// server is a database process that a test may kill, pause and start again on the same data.
type server struct {
	addr    string
	command func() *exec.Cmd
	more    []string // arguments from the next start on
	ready   func(context.Context) error
	output  *bytes.Buffer

	pid  int
	done chan struct{} // closed when the process has ended
}

// needs finds programs, or skips; where CI=true the machine is meant to have them.
func needs(t testing.TB, server string, programs ...string) []string {
	t.Helper()
	found := make([]string, len(programs))
	for i, p := range programs {
		if f, err := exec.LookPath(p); err == nil {
			found[i] = f
			continue
		}
		places, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + p)
		places = append(places, "/usr/sbin/"+p)
		slices.SortFunc(places, func(a, b string) int { return len(b) - len(a) })
		for _, place := range places {
			if _, err := os.Stat(place); err == nil && found[i] == "" {
				found[i] = place
			}
		}
		if found[i] == "" {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed (no %s), and with CI=true its tests must run", server, p)
			}
			t.Skipf("%s is not installed (no %s): nothing was tried against it", server, p)
		}
	}
	return found
}

// folder is a directory that another user may own, below no private one.
func folder(t testing.TB, owner *user.User) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "stores")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if owner != nil {
		uid, _ := strconv.Atoi(owner.Uid)
		if err := os.Chown(dir, uid, -1); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// as lets a command run as owner.
func as(owner *user.User, c *exec.Cmd) *exec.Cmd {
	c.SysProcAttr = &syscall.SysProcAttr{}
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
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func startPostgres(t testing.TB) *server {
	t.Helper()
	bin := needs(t, "PostgreSQL", "initdb", "postgres")
	var owner *user.User
	if os.Geteuid() == 0 { // it refuses to run as root
		var err error
		if owner, err = user.Lookup("postgres"); err != nil {
			t.Fatal(err)
		}
	}
	dir := folder(t, owner)
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(serverPassword), 0o644); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	run(t, as(owner, exec.Command(bin[0], "-D", data, "--no-sync", "-U", "postgres", "-A", "scram-sha-256", "--pwfile", password, "-E", "UTF8", "--locale=C")))
	port := freePort(t) // only now: what is free does not stay so for long
	s := &server{addr: "127.0.0.1:" + port}
	s.command = func() *exec.Cmd {
		return as(owner, exec.Command(bin[1], "-D", data, "-p", port, "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=16MB"))
	}
	s.ready = func(ctx context.Context) error { return pingSQL(ctx, "postgres", s.addr) }
	s.boot(t)
	return s
}

// startMariaDB starts it without a binary log; withBinaryLog are the arguments that give it one.
func startMariaDB(t testing.TB) (s *server, withBinaryLog []string) {
	t.Helper()
	bin := needs(t, "MariaDB", "mariadb-install-db", "mariadbd")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t, nil)
	data, grant := filepath.Join(dir, "data"), filepath.Join(dir, "grant.sql")
	text := "CREATE DATABASE IF NOT EXISTS login;\nCREATE USER IF NOT EXISTS 'app'@'%' IDENTIFIED BY '" + serverPassword + "';\nGRANT ALL ON login.* TO 'app'@'%';\n"
	if err := os.WriteFile(grant, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, as(nil, exec.Command(bin[0], "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db",
		"--user="+me.Username, "--innodb-log-file-size=8M")))
	port := freePort(t)
	s = &server{addr: "127.0.0.1:" + port}
	s.command = func() *exec.Cmd {
		return as(nil, exec.Command(bin[1], append([]string{"--no-defaults", "--datadir=" + data, "--user=" + me.Username, "--port=" + port, "--bind-address=127.0.0.1",
			"--socket=" + filepath.Join(dir, "sock"), "--pid-file=" + filepath.Join(dir, "pid"), "--innodb-log-file-size=8M", "--init-file=" + grant}, s.more...)...))
	}
	s.ready = func(ctx context.Context) error { return pingSQL(ctx, "mysql", s.addr) }
	s.boot(t)
	return s, []string{"--log-bin=" + filepath.Join(dir, "binlog"), "--sync-binlog=1"}
}

func startRedis(t testing.TB) *server {
	t.Helper()
	bin := needs(t, "Redis", "redis-server")
	dir, port := folder(t, nil), freePort(t)
	s := &server{addr: "127.0.0.1:" + port}
	s.command = func() *exec.Cmd {
		return as(nil, exec.Command(bin[0], "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--requirepass", serverPassword,
			"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"))
	}
	s.ready = func(ctx context.Context) error {
		c, err := net.DialTimeout("tcp", s.addr, 10*time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprintf(c, "AUTH %s\r\nPING\r\n", serverPassword)
		got := make([]byte, 12)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "+OK\r\n+PONG\r\n" {
			return fmt.Errorf("%q, %v", got, err)
		}
		return nil
	}
	s.boot(t)
	return s
}

func pingSQL(ctx context.Context, kind, addr string) error {
	db, err := openDB(kind, addr, serverPassword)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.PingContext(ctx)
}

// boot starts the process, waits until it answers, and makes sure that it ends with the test.
func (s *server) boot(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		s.signal(syscall.SIGCONT)
		s.signal(syscall.SIGQUIT) // the children of PostgreSQL go along
		select {
		case <-s.done:
		case <-time.After(2 * time.Second): // some do not know it
			s.signal(syscall.SIGKILL)
			<-s.done
		}
	})
	s.start(t)
}

func (s *server) start(t testing.TB) {
	t.Helper()
	for begun := time.Now(); ; {
		s.launch(t)
		for {
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
			case <-time.After(20 * time.Millisecond):
				continue
			}
			break
		}
	}
}

// launch starts the process from a thread that lives as long as it does: when the tests die, it is told.
func (s *server) launch(t testing.TB) {
	t.Helper()
	c, started := s.command(), make(chan error, 1)
	s.output, s.done = new(bytes.Buffer), make(chan struct{})
	c.Stdout, c.Stderr = s.output, s.output
	c.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	c.WaitDelay = time.Second // children that outlive it hold its output
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(s.done)
		err := c.Start()
		if err == nil {
			s.pid = c.Process.Pid
		}
		started <- err
		if err == nil {
			c.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
}

func (s *server) signal(sig syscall.Signal) { syscall.Kill(s.pid, sig) }

func (s *server) kill() {
	s.signal(syscall.SIGKILL)
	<-s.done
}

// stop and cont pause the process and all that it has started.
func (s *server) stop() { s.everyone(syscall.SIGSTOP) }
func (s *server) cont() { s.everyone(syscall.SIGCONT) }

func (s *server) everyone(sig syscall.Signal) {
	s.signal(sig)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		stat, _ := os.ReadFile(name)
		rest := string(stat[bytes.LastIndexByte(stat, ')')+1:]) // state and parent follow the name
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(s.pid) {
			pid, _ := strconv.Atoi(strings.Split(name, "/")[2])
			syscall.Kill(pid, sig)
		}
	}
}

// openDB opens a pool on a server at addr, or on a file.
func openDB(kind, addr, password string) (*sql.DB, error) {
	driver, dsn := kind, ""
	switch kind {
	case "postgres":
		driver, dsn = "pgx", "postgres://postgres:"+password+"@"+addr+"/postgres?sslmode=disable"
	case "mysql":
		dsn = "app:" + password + "@tcp(" + addr + ")/login"
	case "mysql, other flags":
		driver, dsn = "mysql", "app:"+password+"@tcp("+addr+")/login?clientFoundRows=true&interpolateParams=true"
	case "sqlite":
		dsn = "file:" + addr + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(2000)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	return db, nil
}

func dialectOf(kind string) stores.Dialect {
	switch {
	case kind == "postgres":
		return stores.Postgres
	case strings.HasPrefix(kind, "mysql"):
		return stores.MySQL
	}
	return stores.SQLite
}

// both is what every shared store here is.
type both interface {
	challenge.Store
	challenge.Taker
	Check(context.Context) error
}

// openStore opens a store of any kind, as one process would. What t has opened ends with it. A timeout of zero is one that no
// slow machine reaches.
func openStore(t testing.TB, kind, addr string, timeout time.Duration) both {
	t.Helper()
	if timeout == 0 {
		timeout = patience
	}
	switch kind {
	case "go-redis":
		s := withGoRedis(t, addr, serverPassword)
		s.Timeout = timeout
		return s
	case "redigo":
		s := withRedigo(t, addr, serverPassword)
		s.Timeout = timeout
		return s
	}
	db := openPool(t, kind, addr)
	s, err := stores.NewSQL(db, dialectOf(kind), stores.SQLOptions{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openPool(t testing.TB, kind, addr string) *sql.DB {
	t.Helper()
	return openPoolAs(t, kind, addr, serverPassword)
}

func openPoolAs(t testing.TB, kind, addr, password string) *sql.DB {
	t.Helper()
	db, err := openDB(kind, addr, password)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// wire stands between a client and a server. It counts round trips, and it can lose answers.
type wire struct {
	addr  string
	turns atomic.Int64 // how often the server began to speak after the client
	lose  atomic.Bool  // cut the connection instead of passing the next answer on
}

func newWire(t testing.TB, target string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{addr: l.Addr().String()}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				client.Close()
				continue
			}
			mu.Lock()
			open = append(open, client, server)
			mu.Unlock()
			var asked atomic.Bool
			wg.Go(func() {
				w.pass(client, server, func() bool { asked.Store(true); return true })
			})
			wg.Go(func() {
				w.pass(server, client, func() bool {
					if asked.Swap(false) {
						w.turns.Add(1)
					}
					return !w.lose.CompareAndSwap(true, false)
				})
			})
		}
	})
	return w
}

// pass copies until either side closes or look says no, and then closes both.
func (w *wire) pass(from, to net.Conn, look func() bool) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 128<<10)
	for {
		n, err := from.Read(buf)
		if err != nil || !look() {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
