//go:build linux

package stores_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/stores"
	"github.com/sallyport-go/sallyport/stores/storetest"
)

func TestPostgres(t *testing.T) {
	t.Parallel()
	s := startPostgres(t)
	t.Run("postgres says at start what is wrong", func(t *testing.T) { saysWhatIsWrong(t, s, "postgres", true) })
	t.Run("I-20 a database that may only be read is an error", func(t *testing.T) {
		onlyRead(t, "pgx", "postgres://postgres:"+serverPassword+"@"+s.addr+"/postgres?sslmode=disable", "&default_transaction_read_only=on", stores.Postgres)
	})
	tryServer(t, s, "postgres")
}

func TestMariaDB(t *testing.T) {
	t.Parallel()
	s, withBinaryLog := startMariaDB(t)
	t.Run("mysql says at start what is wrong", func(t *testing.T) { saysWhatIsWrong(t, s, "mysql", true) })
	t.Run("I-20 a database that may only be read is an error", func(t *testing.T) {
		onlyRead(t, "mysql", "app:"+serverPassword+"@tcp("+s.addr+")/login", "?tx_read_only=1", stores.MySQL)
	})
	t.Run("keeps the rules of stores whatever the flags of the driver", func(t *testing.T) {
		tryRules(t, func(t testing.TB, o stores.SQLOptions) *stores.SQL {
			return newSQL(t, openPool(t, "mysql, other flags", s.addr), stores.MySQL, o)
		})
	})
	t.Run("mysql loses no confirmed swap when it is killed without a binary log", func(t *testing.T) {
		// Loads and refusals may tell of a swap that is not on disk yet, that nobody has been told of, and that the crash undoes.
		var done []call
		for _, c := range historyOf(t, "mysql", s.addr, 100, restart(t, s)) {
			if c.Swap && (c.OK || c.Failed) {
				done = append(done, c)
			}
		}
		if got := linearizable(done); got != porcupine.Ok {
			t.Errorf("the swaps are %s", strings.ToLower(string(got)))
		}
	})
	s.kill()
	s.more = withBinaryLog
	s.start(t)
	tryServer(t, s, "mysql")
}

func TestRedisThroughGoRedis(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	t.Run("go-redis says at start what is wrong", func(t *testing.T) { saysWhatIsWrong(t, s, "go-redis", false) })
	tryServer(t, s, "go-redis")
}

func TestRedisThroughRedigo(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	t.Run("redigo says at start what is wrong", func(t *testing.T) { saysWhatIsWrong(t, s, "redigo", false) })
	tryServer(t, s, "redigo")
	t.Run("drops a record a minute after its end", func(t *testing.T) {
		r := withRedigo(t, s.addr, serverPassword)
		end := time.Now().Add(time.Hour)
		if ok, err := r.CompareAndSwap(t.Context(), "ends", nil, []byte("v"), end); !ok || err != nil {
			t.Fatal(ok, err)
		}
		at, err := r.Do(t.Context(), "PEXPIRETIME", "sallyport:ends")
		if ms, ok := at.(int64); err != nil || !ok || ms != end.Add(time.Minute).UnixMilli() {
			t.Errorf("it goes at %v, %v, want %d", at, err, end.Add(time.Minute).UnixMilli())
		}
		if ok, err := r.CompareAndSwap(t.Context(), "ends", []byte("v"), []byte("v"), never); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if at, err := r.Do(t.Context(), "PEXPIRETIME", "sallyport:ends"); at != int64(-1) || err != nil {
			t.Errorf("without end it goes at %v, %v", at, err)
		}
	})
	t.Run("I-20 a replica that may only be read is an error", func(t *testing.T) {
		r := withRedigo(t, s.addr, serverPassword)
		if ok, err := r.CompareAndSwap(t.Context(), "replica", nil, []byte("v"), never); !ok || err != nil {
			t.Fatal(ok, err)
		}
		set := func(args ...any) {
			if _, err := r.Do(t.Context(), args...); err != nil {
				t.Fatal(err)
			}
		}
		set("REPLICAOF", "127.0.0.1", "1")
		defer set("REPLICAOF", "NO", "ONE")
		if ok, err := r.CompareAndSwap(t.Context(), "replica", []byte("v"), []byte("w"), never); ok || err == nil {
			t.Errorf("swap: %v, %v", ok, err)
		}
		if ok, _, err := r.Take(t.Context(), "replica", time.Minute, 1); ok || err == nil {
			t.Errorf("take: %v, %v", ok, err)
		}
		if err := r.Check(t.Context()); err == nil {
			t.Error("Check is content with a replica")
		}
	})
	t.Run("I-20 a server that throws records away is refused at start", func(t *testing.T) {
		r := withRedigo(t, s.addr, serverPassword)
		set := func(policy, memory string) {
			for k, v := range map[string]string{"maxmemory-policy": policy, "maxmemory": memory} {
				if _, err := r.Do(t.Context(), "CONFIG", "SET", k, v); err != nil {
					t.Fatal(err)
				}
			}
		}
		set("allkeys-lru", "100mb")
		defer set("noeviction", "0")
		if err := r.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "allkeys-lru") {
			t.Errorf("Check: %v", err)
		}
	})
}

func TestSQLOnSQLiteIsLinearizableOverProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "login.db")
	newSQL(t, sqliteFile(t, path), stores.SQLite, stores.SQLOptions{})
	checkHistory(t, historyOf(t, "sqlite", path, 60, nil))
	t.Run("while one of them is killed", func(t *testing.T) {
		checkHistory(t, historyOf(t, "sqlite", path, 60, func(processes []*os.Process) { processes[0].Kill() }))
	})
}

func restart(t *testing.T, s *server) func([]*os.Process) {
	return func([]*os.Process) {
		s.kill()
		s.start(t)
	}
}

// tryServer is what is tried on each real server; the last parts kill it, and leave it running.
func tryServer(t *testing.T, s *server, kind string) {
	if isSQL := kind == "postgres" || kind == "mysql"; isSQL {
		t.Run(kind+" keeps the rules of stores", func(t *testing.T) {
			tryRules(t, func(t testing.TB, o stores.SQLOptions) *stores.SQL {
				return newSQL(t, openPool(t, kind, s.addr), dialectOf(kind), o)
			})
		})
		t.Run(kind+" lets many nodes create the schema at once", func(t *testing.T) {
			pool := openPool(t, kind, s.addr)
			createTogether(t, dialectOf(kind), pool)
		})
		t.Run(kind+" cleans up in batches", func(t *testing.T) { cleanInBatches(t, openPool(t, kind, s.addr), dialectOf(kind)) })
		t.Run(kind+" prints the schema that it creates", func(t *testing.T) {
			pool := openPool(t, kind, s.addr)
			for _, statement := range strings.SplitAfter(strings.TrimSpace(stores.Schema(dialectOf(kind), "printed_")), ";\n") {
				if _, err := pool.Exec(statement); err != nil {
					t.Fatal(err)
				}
			}
			p, err := stores.NewSQL(pool, dialectOf(kind), stores.SQLOptions{Prefix: "printed_"})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	} else {
		t.Run(kind+" keeps the rules of stores", func(t *testing.T) {
			if testing.Short() && os.Getenv("CI") != "true" {
				t.Skip("takes ten seconds")
			}
			a, b := openStore(t, kind, s.addr, time.Minute), openStore(t, kind, s.addr, time.Minute)
			storetest.Run(t, storetest.Harness{
				Open: func(testing.TB) challenge.Store { return a },
				Peer: func(testing.TB, challenge.Store) challenge.Store { return b },
			})
		})
	}
	t.Run(kind+" takes the keys and values that all take", func(t *testing.T) { refusesOddArguments(t, openStore(t, kind, s.addr, 0)) })
	t.Run(kind+" takes one round trip a call", func(t *testing.T) { oneRoundTrip(t, s, kind) })
	t.Run(kind+" tells a lost answer as an error", func(t *testing.T) { lostAnswers(t, s, kind) })
	t.Run(kind+" survives being killed", func(t *testing.T) {
		if testing.Short() && os.Getenv("CI") != "true" {
			t.Skip("takes seconds")
		}
		hammered(t, s, kind, func(h *hammer) {
			s.kill()
			h.until(t, "calls fail", func() bool { return h.failed.Load() >= 5 })
			s.start(t)
		})
	})
	t.Run(kind+" survives being paused for 5 s", func(t *testing.T) {
		if testing.Short() && os.Getenv("CI") != "true" {
			t.Skip("takes seconds")
		}
		hammered(t, s, kind, func(*hammer) {
			s.stop()
			time.Sleep(5 * time.Second)
			s.cont()
		})
	})
	t.Run(kind+" is linearizable over processes", func(t *testing.T) {
		checkHistory(t, historyOf(t, kind, s.addr, 100, nil))
	})
	t.Run(kind+" is linearizable over processes while it is killed", func(t *testing.T) {
		if testing.Short() && os.Getenv("CI") != "true" {
			t.Skip("takes seconds")
		}
		checkHistory(t, historyOf(t, kind, s.addr, 100, restart(t, s)))
	})
	if kind == "redigo" { // the same server once more
		return
	}
	t.Run("I-16 the protocol over two processes on "+kind, func(t *testing.T) { hammerProtocol(t, kind, s.addr, nil) })
	t.Run("I-16 the protocol over two processes while "+kind+" is killed", func(t *testing.T) {
		if testing.Short() && os.Getenv("CI") != "true" {
			t.Skip("takes seconds")
		}
		var one sync.Mutex
		hammerProtocol(t, kind, s.addr, func() {
			one.Lock()
			defer one.Unlock()
			s.kill()
			s.start(t)
		})
	})
}

func saysWhatIsWrong(t *testing.T, s *server, kind string, isSQL bool) {
	ctx := t.Context()
	good := openStore(t, kind, s.addr, 0)
	if isSQL {
		if err := good.Check(ctx); err == nil || !strings.Contains(err.Error(), "missing schema") {
			t.Errorf("without tables: %v", err)
		}
		if err := good.(*stores.SQL).CreateSchema(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := good.Check(ctx); err != nil {
		t.Errorf("all is well: %v", err)
	}
	begun := time.Now()
	err := openStore(t, kind, "127.0.0.1:"+freePort(t), 10*time.Second).Check(ctx)
	if err == nil || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), serverPassword) || time.Since(begun) > patience {
		t.Errorf("nobody listens: %v after %v", err, time.Since(begun))
	}
	var wrong both
	switch kind {
	case "go-redis":
		wrong = withGoRedis(t, s.addr, "wrong-"+serverPassword)
	case "redigo":
		wrong = withRedigo(t, s.addr, "wrong-"+serverPassword)
	default:
		pool := openPoolAs(t, kind, s.addr, "wrong-"+serverPassword)
		sqlStore, err := stores.NewSQL(pool, dialectOf(kind), stores.SQLOptions{})
		if err != nil {
			t.Fatal(err)
		}
		wrong = sqlStore
	}
	err = wrong.Check(ctx)
	text := strings.ToLower(fmt.Sprintf("%+v", err))
	if err == nil || !strings.Contains(text, "password") && !strings.Contains(text, "denied") || strings.Contains(text, serverPassword) {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := wrong.Load(ctx, "k"); err == nil {
		t.Error("Load with the wrong password")
	}
}

// oneRoundTrip counts on the wire what a call costs once everything is warm (docs/stores.md).
func oneRoundTrip(t *testing.T, s *server, kind string) {
	ctx, w := t.Context(), newWire(t, s.addr)
	st := openStore(t, kind, w.addr, 0)
	k := fmt.Sprint("trips/", time.Now().UnixNano())
	end := time.Now().Add(time.Hour)
	do := func(what string, want int64, f func() (bool, error)) {
		t.Helper()
		before := w.turns.Load()
		if ok, err := f(); !ok || err != nil {
			t.Fatalf("%s: %v, %v", what, ok, err)
		}
		if got := w.turns.Load() - before; got != want && want >= 0 {
			t.Errorf("%s took %d round trips, want %d", what, got, want)
		}
	}
	for _, want := range []int64{-1, 1} { // the first time all is prepared
		do("an insert", want, func() (bool, error) { return st.CompareAndSwap(ctx, k, nil, []byte("a"), end) })
		do("a load", want, func() (bool, error) { v, err := st.Load(ctx, k); return string(v) == "a", err })
		do("a load of an absent key", want, func() (bool, error) { v, err := st.Load(ctx, k+"-"); return v == nil, err })
		do("a swap", want, func() (bool, error) { return st.CompareAndSwap(ctx, k, []byte("a"), []byte("b"), end) })
		do("a lost swap", want, func() (bool, error) {
			ok, err := st.CompareAndSwap(ctx, k, []byte("a"), []byte("b"), end)
			return !ok, err
		})
		do("a delete", want, func() (bool, error) { return st.CompareAndSwap(ctx, k, []byte("b"), nil, end) })
		do("a limit", want, func() (bool, error) { ok, _, err := st.Take(ctx, k, time.Hour, 2); return ok, err })
	}
	most := int64(1)
	if kind == "postgres" {
		most = 2
	}
	do("a refused limit", -1, func() (bool, error) { ok, _, err := st.Take(ctx, k, time.Hour, 2); return !ok, err })
	do("a refused limit", most, func() (bool, error) { ok, _, err := st.Take(ctx, k, time.Hour, 2); return !ok, err })
}

// lostAnswers cuts the connection after the server has done what it was asked. Whoever asks again gets a "no", and that is a lie.
func lostAnswers(t *testing.T, s *server, kind string) {
	ctx, w := t.Context(), newWire(t, s.addr)
	st, direct := openStore(t, kind, w.addr, 0), openStore(t, kind, s.addr, 0)
	happened := 0
	for i := range 60 {
		k := fmt.Sprint("lost/", time.Now().UnixNano())
		old, want := []byte(nil), []byte("new")
		if i%3 > 0 {
			old = []byte("old")
			if ok, err := st.CompareAndSwap(ctx, k, nil, old, never); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		if i%3 == 2 {
			want = nil
		}
		for _, pair := range [][2][]byte{{nil, []byte("a")}, {[]byte("a"), []byte("b")}, {[]byte("b"), nil}} { // all prepared on this connection
			if ok, err := st.CompareAndSwap(ctx, k+"warm", pair[0], pair[1], never); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		w.lose.Store(true)
		ok, err := st.CompareAndSwap(ctx, k, old, want, never)
		held, loadErr := direct.Load(ctx, k)
		if loadErr != nil {
			t.Fatal(loadErr)
		}
		if err == nil || ok {
			t.Errorf("case %d: %v, %v, want an error", i, ok, err)
		}
		if string(held) == string(want) {
			happened++
		}
	}
	if happened < 55 {
		t.Errorf("only %d of 60 swaps happened before their answers were lost: this proves little", happened)
	}
	for range 3 { // the broken connections are not handed out again for ever
		if _, err := st.Load(ctx, "lost"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
}

// hammer counts on one key from several goroutines, and knows how low the counter may not be.
type hammer struct {
	done, failed atomic.Int64
	least        atomic.Int64
	slowest      atomic.Int64
	late         func() time.Duration
}

const hammerTimeout = time.Second

// hammered runs fault while counting, and checks that the counter never fell back, that calls ended in time, and that all
// went on by itself afterwards.
func hammered(t *testing.T, s *server, kind string, fault func(h *hammer)) {
	st := openStore(t, kind, s.addr, hammerTimeout)
	h, k := &hammer{late: lateness(t)}, fmt.Sprint("hammer/", time.Now().UnixNano())
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := h.count(t, st, k); err != nil {
					h.failed.Add(1)
					if strings.Contains(err.Error(), serverPassword) {
						t.Errorf("I-21: %v", err)
					}
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	h.until(t, "it counts", func() bool { return h.done.Load() >= 100 })
	fault(h)
	before := h.done.Load()
	h.until(t, "it counts again", func() bool { return h.done.Load() >= before+100 })
	cancel()
	wg.Wait()
	v, err := openStore(t, kind, s.addr, 0).Load(t.Context(), k)
	final, _ := strconv.ParseInt(string(v), 10, 64)
	if err != nil || final < h.least.Load() || final < h.done.Load() {
		t.Errorf("I-20: the counter is %q (%v) after %d increments were confirmed, the last to %d", v, err, h.done.Load(), h.least.Load())
	}
	if final > h.done.Load()+h.failed.Load() {
		t.Errorf("the counter is %d after %d increments and %d failures", final, h.done.Load(), h.failed.Load())
	}
	slowest := time.Duration(h.slowest.Load())
	if slowest > hammerTimeout+2*time.Second {
		t.Errorf("a call took %v, with a timeout of %v", slowest, hammerTimeout)
	}
	t.Logf("%d increments, %d failures, slowest call %v", h.done.Load(), h.failed.Load(), slowest.Round(time.Millisecond))
}

// count adds one. Without an answer it leaves the key alone: whether it happened shows later.
func (h *hammer) count(t *testing.T, st both, k string) error {
	least := h.least.Load()
	begun, late := time.Now(), h.late()
	v, err := st.Load(context.Background(), k)
	h.timed(begun, late)
	if err != nil {
		return err
	}
	n := int64(0)
	if v != nil {
		if n, err = strconv.ParseInt(string(v), 10, 64); err != nil {
			t.Error(err)
		}
	}
	if n < least {
		t.Errorf("I-20: the counter fell to %d after %d was confirmed", n, least)
	}
	begun, late = time.Now(), h.late()
	ok, err := st.CompareAndSwap(context.Background(), k, v, []byte(strconv.FormatInt(n+1, 10)), never)
	h.timed(begun, late)
	if err != nil || !ok {
		return err
	}
	for {
		was := h.least.Load()
		if was > n || h.least.CompareAndSwap(was, n+1) {
			break
		}
	}
	h.done.Add(1)
	return nil
}

// timed notes how long a call took, less what this process was held up meanwhile.
func (h *hammer) timed(begun time.Time, late time.Duration) {
	took := int64(time.Since(begun) - (h.late() - late))
	for {
		was := h.slowest.Load()
		if was >= took || h.slowest.CompareAndSwap(was, took) {
			return
		}
	}
}

func (h *hammer) until(t *testing.T, what string, happens func() bool) {
	t.Helper()
	for begun := time.Now(); !happens(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("waited %v until %s: %d increments, %d failures", patience, what, h.done.Load(), h.failed.Load())
		}
	}
}

// lateness adds up by how much short sleeps end later than they should: time in which the machine ran something else, or
// nothing of this process.
func lateness(t *testing.T) (total func() time.Duration) {
	const nap = 20 * time.Millisecond
	var mu sync.Mutex
	sum, begun := time.Duration(0), time.Now()
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	total = func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return sum + max(0, time.Since(begun)-nap) // with the one that goes on
	}
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(nap):
				late := total()
				mu.Lock()
				sum, begun = late, time.Now()
				mu.Unlock()
			}
		}
	}()
	return total
}

func TestI20ADatabaseThatMayOnlyBeReadIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "login.db")
	newSQL(t, sqliteFile(t, path), stores.SQLite, stores.SQLOptions{})
	onlyRead(t, "sqlite", "file:"+path, "?mode=ro", stores.SQLite)
}

// onlyRead stands for a replica that a balancer has chosen: the same database, with settings by which it can only be read.
func onlyRead(t *testing.T, driver, name, settings string, d stores.Dialect) {
	t.Helper()
	open := func(name string) *stores.SQL {
		db, err := sql.Open(driver, name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		s, err := stores.NewSQL(db, d, stores.SQLOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if ok, err := open(name).CompareAndSwap(t.Context(), "replica", nil, []byte("v"), never); !ok || err != nil {
		t.Fatal(ok, err)
	}
	ro := open(name + settings)
	if v, err := ro.Load(t.Context(), "replica"); string(v) != "v" && err == nil { // MariaDB prepares no writes, so not even this
		t.Errorf("load: %q", v)
	}
	if err := ro.Check(t.Context()); err == nil {
		t.Error("Check is content with a replica")
	}
	if ok, err := ro.CompareAndSwap(t.Context(), "replica", []byte("v"), []byte("w"), never); ok || err == nil {
		t.Errorf("swap: %v, %v", ok, err)
	}
	if ok, err := ro.CompareAndSwap(t.Context(), "new", nil, []byte("w"), never); ok || err == nil {
		t.Errorf("insert: %v, %v", ok, err)
	}
	if ok, _, err := ro.Take(t.Context(), "replica", time.Minute, 1); ok || err == nil {
		t.Errorf("take: %v, %v", ok, err)
	}
}
