package stores_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/stores"
	"github.com/sallyport-go/sallyport/stores/storetest"
)

// sqlite opens a database of its own for each test, as the documentation of SQL advises.
func sqlite(t testing.TB) *sql.DB {
	t.Helper()
	return sqliteFile(t, filepath.Join(t.TempDir(), "login.db"))
}

func sqliteFile(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(2000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// newSQL makes a store with its schema.
// patience ends what hangs, on however slow a machine.
const patience = 2 * time.Minute

// newSQL makes a store with its tables; without a time limit of its own it gets one that no slow machine reaches.
func newSQL(t testing.TB, db *sql.DB, d stores.Dialect, o stores.SQLOptions) *stores.SQL {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = patience
	}
	s, err := stores.NewSQL(db, d, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateSchema(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

// tryRules runs the kit with a clock that only the kit moves, cleaning up as often as possible: with open's two handles, a
// record is gone as soon as a store may drop it.
func tryRules(t *testing.T, open func(t testing.TB, o stores.SQLOptions) *stores.SQL) {
	t.Helper()
	c := newClock()
	o := stores.SQLOptions{Clock: c.Now, Timeout: 5 * time.Minute} // a hundred racers on a slow machine
	a, b := open(t, o), open(t, o)
	storetest.Run(t, storetest.Harness{
		Open: func(testing.TB) challenge.Store { return a },
		Peer: func(testing.TB, challenge.Store) challenge.Store { return b },
		Now:  c.Now,
		Sleep: func(d time.Duration) {
			c.Advance(d)
			if _, err := b.Clean(context.Background(), 1000); err != nil {
				t.Error(err)
			}
		},
	})
}

func TestSQLOnSQLiteKeepsTheRulesOfStores(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "login.db")
	tryRules(t, func(t testing.TB, o stores.SQLOptions) *stores.SQL {
		return newSQL(t, sqliteFile(t, path), stores.SQLite, o)
	})
}

func TestSQLOnSQLiteKeepsTheRulesOfStoresInRealTime(t *testing.T) {
	if testing.Short() && os.Getenv("CI") != "true" {
		t.Skip("takes ten seconds")
	}
	t.Parallel()
	s := newSQL(t, sqlite(t), stores.SQLite, stores.SQLOptions{Timeout: 5 * time.Minute})
	storetest.Run(t, storetest.Harness{Open: func(testing.TB) challenge.Store { return s }})
}

func TestNewSQLRefusesWhatCannotWork(t *testing.T) {
	db := sqlite(t)
	for name, f := range map[string]func() (*stores.SQL, error){
		"no database":      func() (*stores.SQL, error) { return stores.NewSQL(nil, stores.SQLite, stores.SQLOptions{}) },
		"no dialect":       func() (*stores.SQL, error) { return stores.NewSQL(db, 0, stores.SQLOptions{}) },
		"unknown dialect":  func() (*stores.SQL, error) { return stores.NewSQL(db, 4, stores.SQLOptions{}) },
		"negative timeout": func() (*stores.SQL, error) { return stores.NewSQL(db, stores.SQLite, stores.SQLOptions{Timeout: -1}) },
		"prefix that quotes": func() (*stores.SQL, error) {
			return stores.NewSQL(db, stores.SQLite, stores.SQLOptions{Prefix: "x; DROP TABLE users; --"})
		},
		"prefix that servers fold": func() (*stores.SQL, error) {
			return stores.NewSQL(db, stores.SQLite, stores.SQLOptions{Prefix: "Login_"})
		},
		"prefix that is too long": func() (*stores.SQL, error) {
			return stores.NewSQL(db, stores.SQLite, stores.SQLOptions{Prefix: strings.Repeat("p", 41)})
		},
		"prefix that begins with a digit": func() (*stores.SQL, error) { return stores.NewSQL(db, stores.SQLite, stores.SQLOptions{Prefix: "1a"}) },
	} {
		if s, err := f(); s != nil || err == nil {
			t.Errorf("%s: got %v, %v, want an error", name, s, err)
		}
	}
}

func TestAMissingSchemaIsSaidAtStartAndAtEachCall(t *testing.T) {
	ctx := t.Context()
	s, err := stores.NewSQL(sqlite(t), stores.SQLite, stores.SQLOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, loaded := s.Load(ctx, "k")
	ok, swapped := s.CompareAndSwap(ctx, "k", nil, []byte("v"), never)
	taken, _, took := s.Take(ctx, "k", time.Second, 1)
	_, cleaned := s.Clean(ctx, 10)
	for _, err := range []error{s.Check(ctx), loaded, swapped, took, cleaned} {
		if !errors.Is(err, stores.ErrNoSchema) || !strings.Contains(err.Error(), "missing schema") {
			t.Errorf("got %v, want ErrNoSchema", err)
		}
	}
	if ok || taken {
		t.Error("I-20: something was allowed without a schema")
	}
	if err := s.CreateSchema(ctx); err != nil { // and then all is well, without a new store
		t.Fatal(err)
	}
	if ok, err := s.CompareAndSwap(ctx, "k", nil, []byte("v"), never); !ok || err != nil {
		t.Errorf("after CreateSchema: %v, %v", ok, err)
	}
}

func TestASchemaOfAnotherVersionIsRefused(t *testing.T) {
	for version, says := range map[int]string{0: "old schema", 2: "new schema"} {
		db := sqlite(t)
		newSQL(t, db, stores.SQLite, stores.SQLOptions{})
		if _, err := db.Exec("UPDATE sallyport_schema SET version = ?", version); err != nil {
			t.Fatal(err)
		}
		s, err := stores.NewSQL(db, stores.SQLite, stores.SQLOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, loaded := s.Load(t.Context(), "k")
		for _, err := range []error{s.Check(t.Context()), s.CreateSchema(t.Context()), loaded} {
			if !errors.Is(err, stores.ErrSchemaVersion) || !strings.Contains(err.Error(), says) {
				t.Errorf("version %d: got %v, want ErrSchemaVersion that says %q", version, err, says)
			}
		}
	}
}

func TestThePrintedSchemaIsTheOneThatIsCreated(t *testing.T) {
	db := sqlite(t)
	for range 2 { // again without harm
		if _, err := db.Exec(stores.Schema(stores.SQLite, "mine_")); err != nil {
			t.Fatal(err)
		}
	}
	s, err := stores.NewSQL(db, stores.SQLite, stores.SQLOptions{Prefix: "mine_"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	for _, d := range []stores.Dialect{stores.Postgres, stores.MySQL, stores.SQLite} {
		if text := stores.Schema(d, ""); strings.Count(text, "sallyport_records") < 1 || strings.Contains(text, "{}") || strings.Contains(text, "DROP") {
			t.Errorf("dialect %d: %s", d, text)
		}
	}
	if stores.Schema(0, "") != "" || stores.Schema(stores.SQLite, "a b") != "" {
		t.Error("a schema for nothing")
	}
}

func TestTwoPrefixesAreTwoStores(t *testing.T) {
	db := sqlite(t)
	a, b := newSQL(t, db, stores.SQLite, stores.SQLOptions{Prefix: "a_"}), newSQL(t, db, stores.SQLite, stores.SQLOptions{Prefix: "b_"})
	if ok, err := a.CompareAndSwap(t.Context(), "k", nil, []byte("of a"), never); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if v, err := b.Load(t.Context(), "k"); v != nil || err != nil {
		t.Errorf("b has %q, %v", v, err)
	}
}

func TestManyNodesMayCreateTheSchemaAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "login.db")
	createTogether(t, stores.SQLite, sqliteFile(t, path))
}

func createTogether(t *testing.T, d stores.Dialect, db *sql.DB) {
	t.Helper()
	var wg sync.WaitGroup
	for range 8 {
		s, err := stores.NewSQL(db, d, stores.SQLOptions{Prefix: "together_", Timeout: patience})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := s.CreateSchema(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestCleanRemovesOnlyWhatEndedAMinuteAgoInBatches(t *testing.T) {
	cleanInBatches(t, sqlite(t), stores.SQLite)
}

func cleanInBatches(t *testing.T, db *sql.DB, d stores.Dialect) {
	t.Helper()
	ctx, c := t.Context(), newClock()
	s := newSQL(t, db, d, stores.SQLOptions{Clock: c.Now, Prefix: "cleaned_"})
	for i := range 25 {
		if ok, err := s.CompareAndSwap(ctx, "short"+strconv.Itoa(i), nil, []byte("v"), c.Now().Add(time.Minute)); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if ok, _, err := s.Take(ctx, "limit"+strconv.Itoa(i), time.Minute, 1); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	for k, end := range map[string]time.Time{"long": c.Now().Add(time.Hour), "ever": never} {
		if ok, err := s.CompareAndSwap(ctx, k, nil, []byte("v"), end); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	c.Advance(2*time.Minute - time.Second)
	if n, err := s.Clean(ctx, 100); n != 0 || err != nil {
		t.Errorf("59 s after their end %d were removed, %v", n, err)
	}
	c.Advance(2 * time.Second)
	got := ""
	for range 4 {
		n, err := s.Clean(ctx, 20)
		if err != nil {
			t.Fatal(err)
		}
		got += fmt.Sprint(n, " ")
	}
	if got != "20 20 10 0 " {
		t.Errorf("batches of 20 removed %s", got)
	}
	if n, err := s.Clean(ctx, 0); n != 0 || err != nil {
		t.Errorf("a batch of 0: %d, %v", n, err)
	}
	for _, k := range []string{"long", "ever"} {
		if v, err := s.Load(ctx, k); string(v) != "v" || err != nil {
			t.Errorf("%s: %q, %v", k, v, err)
		}
	}
}

func TestARecordThatHasEndedIsThereForLoadAndSwapAlikeUntilCleaned(t *testing.T) {
	ctx, c := t.Context(), newClock()
	s := newSQL(t, sqlite(t), stores.SQLite, stores.SQLOptions{Clock: c.Now})
	insert := func() (bool, error) { return s.CompareAndSwap(ctx, "k", nil, []byte("new"), c.Now().Add(time.Hour)) }
	if ok, err := s.CompareAndSwap(ctx, "k", nil, []byte("old"), c.Now().Add(time.Minute)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	c.Advance(time.Hour)
	if v, err := s.Load(ctx, "k"); string(v) != "old" || err != nil {
		t.Errorf("before Clean: %q, %v", v, err)
	}
	if ok, err := insert(); ok || err != nil {
		t.Errorf("insert before Clean: %v, %v", ok, err)
	}
	if n, err := s.Clean(ctx, 10); n != 1 || err != nil {
		t.Errorf("Clean: %d, %v", n, err)
	}
	if v, err := s.Load(ctx, "k"); v != nil || err != nil {
		t.Errorf("after Clean: %q, %v", v, err)
	}
	if ok, err := insert(); !ok || err != nil {
		t.Errorf("insert after Clean: %v, %v", ok, err)
	}
}

func TestCleanEveryCleansUntilItsContextEnds(t *testing.T) {
	c := newClock()
	s := newSQL(t, sqlite(t), stores.SQLite, stores.SQLOptions{Clock: c.Now})
	for i := range 1500 {
		if ok, err := s.CompareAndSwap(t.Context(), strconv.Itoa(i), nil, []byte("v"), c.Now().Add(time.Second)); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	c.Advance(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.CleanEvery(ctx, time.Hour, func(err error) { t.Error(err) })
	}()
	for {
		first, err1 := s.Load(t.Context(), "0")
		last, err2 := s.Load(t.Context(), "1499")
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if first == nil && last == nil {
			break
		}
	}
	cancel()
	<-done
}

func TestI20AFullDiskIsAnErrorAndNothingIsLost(t *testing.T) {
	db := sqlite(t)
	db.SetMaxOpenConns(1) // the limit below belongs to a connection
	s := newSQL(t, db, stores.SQLite, stores.SQLOptions{})
	if ok, err := s.CompareAndSwap(t.Context(), "counter", nil, []byte("3"), never); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, err := db.Exec("PRAGMA max_page_count = 20"); err != nil {
		t.Fatal(err)
	}
	var full error
	for i := 0; full == nil && i < 100; i++ {
		var ok bool
		if ok, full = s.CompareAndSwap(t.Context(), "fill"+strconv.Itoa(i), nil, make([]byte, 4096), never); ok && full != nil {
			t.Error("true with an error")
		}
	}
	if full == nil {
		t.Fatal("the disk never got full")
	}
	if v, err := s.Load(t.Context(), "counter"); string(v) != "3" || err != nil {
		t.Errorf("the counter is %q, %v", v, err)
	}
	if ok, _, err := s.Take(t.Context(), strings.Repeat("k", 200), time.Minute, 1); ok && err != nil {
		t.Error("a limit that cannot be written allows")
	}
	if _, err := db.Exec("PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.CompareAndSwap(t.Context(), "counter", []byte("3"), []byte("4"), never); !ok || err != nil {
		t.Errorf("with room again: %v, %v", ok, err)
	}
}

func TestALockedDatabaseIsWaitedForAndNoLongerThanTheTimeout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "login.db")
	open := func(timeout time.Duration) *stores.SQL { // without a busy timeout of its own
		db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return newSQL(t, db, stores.SQLite, stores.SQLOptions{Timeout: timeout})
	}
	patient, hasty := open(patience), open(200*time.Millisecond)
	other, err := sqliteFile(t, path).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	ok, err := hasty.CompareAndSwap(t.Context(), "k", nil, []byte("v"), never)
	if took := time.Since(begun); ok || err == nil || took < 100*time.Millisecond || took > patience/2 {
		t.Errorf("locked for ever: %v, %v after %v, want an error after 0.2 s", ok, err, took)
	}
	won := make(chan error, 1)
	go func() {
		ok, err := patient.CompareAndSwap(context.Background(), "k", nil, []byte("v"), never)
		if err == nil && !ok {
			err = errors.New("refused")
		}
		won <- err
	}()
	if _, err := other.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-won; err != nil {
		t.Errorf("locked for a while: %v", err)
	}
}

func TestI21ErrorsOfSQLHoldNeitherKeyNorValueNorPassword(t *testing.T) {
	db := sqlite(t)
	s := newSQL(t, db, stores.SQLite, stores.SQLOptions{})
	if _, err := db.Exec(`CREATE TRIGGER nosy BEFORE INSERT ON sallyport_records BEGIN SELECT RAISE(ABORT, 'no secret-key here'); END`); err != nil {
		t.Fatal(err)
	}
	_, repeated := s.CompareAndSwap(t.Context(), "secret-key", nil, []byte("secret-value"), never)
	_, key := s.Load(t.Context(), "secret-key ")
	_, value := s.CompareAndSwap(t.Context(), "secret-key", nil, make([]byte, 1<<17), never)
	db.Close()
	_, closed := s.Load(t.Context(), "secret-key")
	for _, err := range []error{repeated, key, value, closed} {
		if err == nil || strings.Contains(fmt.Sprintf("%+v", err), "secret") {
			t.Errorf("%+v", err)
		}
	}
}

func TestTheSameRulesOfKeysAndValuesHoldForSQL(t *testing.T) {
	refusesOddArguments(t, newSQL(t, sqlite(t), stores.SQLite, stores.SQLOptions{}))
}

// refusesOddArguments is what all stores here refuse before they ask their backend.
func refusesOddArguments(t *testing.T, s interface {
	challenge.Store
	challenge.Taker
}) {
	t.Helper()
	for _, key := range []string{"", " ", "a b", "a\n", "a\x00", "é", strings.Repeat("k", 256)} {
		_, loaded := s.Load(t.Context(), key)
		ok, swapped := s.CompareAndSwap(t.Context(), key, nil, []byte("v"), never)
		taken, _, took := s.Take(t.Context(), key, time.Minute, 1)
		for _, err := range []error{loaded, swapped, took} {
			if !errors.Is(err, stores.ErrKey) || ok || taken {
				t.Errorf("key %q: %v, want ErrKey", key, err)
			}
		}
	}
	long := make([]byte, 64<<10+1)
	for _, v := range [][2][]byte{{nil, {}}, {{}, nil}, {nil, long}, {long, nil}} {
		if ok, err := s.CompareAndSwap(t.Context(), "k", v[0], v[1], never); ok || !errors.Is(err, stores.ErrValue) {
			t.Errorf("%d → %d bytes: %v, %v, want ErrValue", len(v[0]), len(v[1]), ok, err)
		}
	}
	if ok, _, err := s.Take(t.Context(), "k", 0, 1); ok || err == nil {
		t.Errorf("interval 0: %v, %v", ok, err)
	}
	far, apart := "far/"+rand.Text(), "apart/"+rand.Text()
	if ok, err := s.CompareAndSwap(t.Context(), far, nil, []byte("v"), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)); !ok || err != nil {
		t.Errorf("an end in the year 9999: %v, %v", ok, err)
	}
	if ok, err := s.CompareAndSwap(t.Context(), far, []byte("v"), []byte("w"), time.Unix(1<<62, 0)); !ok || err != nil {
		t.Errorf("an end after all years: %v, %v", ok, err)
	}
	if ok, err := s.CompareAndSwap(t.Context(), far, []byte("w"), []byte("v"), time.Unix(-1<<62, 0)); !ok || err != nil {
		t.Errorf("an end before all years: %v, %v", ok, err)
	}
	if v, err := s.Load(t.Context(), far); v != nil || err != nil {
		t.Errorf("an end before all years left %q, %v", v, err)
	}
	if ok, err := s.CompareAndSwap(t.Context(), apart, nil, []byte("v"), never); !ok || err != nil {
		t.Errorf("insert: %v, %v", ok, err)
	}
	if ok, _, err := s.Take(t.Context(), apart, time.Hour, 1); !ok || err != nil {
		t.Errorf("the limit of a key that has a record: %v, %v", ok, err)
	}
	if ok, err := s.CompareAndSwap(t.Context(), apart, []byte("v"), nil, never); !ok || err != nil {
		t.Errorf("the record of a key that has a limit: %v, %v", ok, err)
	}
	if ok, _, err := s.Take(t.Context(), apart, time.Hour, 1); ok || err != nil {
		t.Errorf("deleting a record reset a limit: %v, %v", ok, err)
	}
}
