package stores

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// SQL is a [challenge.Store] and [challenge.Taker] in a database that several processes share, made by [NewSQL].
//
// Every change is one conditional statement outside any transaction: an UPDATE or DELETE that names the bytes it replaces,
// or an INSERT that the primary key refuses. So it needs no isolation level, and it is right on servers that count changed
// instead of matched rows. A Load, a swap and an allowed Take are one round trip each, prepared once on each connection.
//
// # Settings
//
//   - SQLite: WAL and a busy timeout, for example file:/var/lib/app/login.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(2000)
//     with modernc.org/sqlite. Leave synchronous at FULL: with NORMAL a power cut forgets the last guesses that were spent. It
//     is one file on one machine, never on a network drive; ":memory:" is another database in each connection.
//   - PostgreSQL: leave fsync and synchronous_commit on, for the same reason. A pooler in transaction mode must know prepared
//     statements (PgBouncer 1.21 and later with max_prepared_statements).
//   - MySQL, MariaDB: InnoDB with innodb_flush_log_at_trx_commit = 1, the default. With log_bin and sync_binlog = 1 besides
//     (MySQL's default, not MariaDB's), nobody sees a change that a crash can undo. Without, somebody may, in the moment before
//     it is on disk; but none is lost of which the store has said that it was done.
//   - All: read and write the primary. A replica that lags shows a session that has been logged out. A cluster with several
//     writers (Galera, Group Replication) needs one writer for these tables, or reads that wait (wsrep_sync_wait).
//
// # Expiry
//
// Expired records are neither hidden nor removed until [SQL.Clean] or [SQL.CleanEvery] finds them, a minute after their end,
// so that the clocks of nodes may differ; package challenge checks the end of every record itself. There is no
// goroutine unless you start one.
//
// # Errors
//
// Deadlocks, serialisation failures and SQLITE_BUSY, after which nothing has happened, are tried again until the timeout.
// Everything else is an error at once and, after a swap, may mean that it happened. Errors hold neither keys, values nor
// passwords. All methods are safe for concurrent use.
type SQL struct {
	db      *sql.DB
	dialect *dialect
	prefix  string
	clock   func() time.Time
	timeout time.Duration

	mu    sync.Mutex // held while the statements are prepared
	ready atomic.Pointer[statements]
}

var (
	_ challenge.Store = (*SQL)(nil)
	_ challenge.Taker = (*SQL)(nil)
)

// SQLOptions are the settings of [NewSQL]. The zero value is right for most.
type SQLOptions struct {
	// Prefix begins the names of the tables: small letters, digits and underscores, 1 to 40 of them, a letter first. Empty
	// means "sallyport_". Two sites in one database need two prefixes.
	Prefix string

	// Timeout is how long one call may take, repeated tries included. Zero means 3 s. It holds as far as the driver heeds
	// contexts: SQLite's busy timeout comes on top.
	Timeout time.Duration

	// Clock is the time of day by which records are cleaned up and limits are reckoned. Nil means time.Now. A node whose
	// clock is behind grants no more by that; it refuses for longer.
	Clock func() time.Time
}

const (
	defaultTimeout = 3 * time.Second

	// slack is how long a record is kept past its end: who judges the end may have a clock that is behind.
	slack = time.Minute
)

// NewSQL returns a store in db, which stays the caller's to close. It only checks its arguments; [SQL.Check] asks the
// database, as the first call of any other method does.
func NewSQL(db *sql.DB, d Dialect, o SQLOptions) (*SQL, error) {
	if db == nil {
		return nil, errors.New("stores: NewSQL needs a *sql.DB")
	}
	known, ok := dialects[d]
	if !ok {
		return nil, errors.New("stores: NewSQL needs a dialect: Postgres, MySQL or SQLite")
	}
	s := &SQL{db: db, dialect: known, prefix: o.Prefix, clock: o.Clock, timeout: o.Timeout}
	if s.prefix == "" {
		s.prefix = defaultPrefix
	}
	if !isPrefix(s.prefix) {
		return nil, errors.New("stores: the prefix of tables is 1 to 40 small letters, digits and underscores, a letter first")
	}
	if s.timeout == 0 {
		s.timeout = defaultTimeout
	}
	if s.timeout < 0 {
		return nil, errors.New("stores: a timeout is not below zero")
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	return s, nil
}

// Load implements [challenge.Store].
func (s *SQL) Load(ctx context.Context, key string) (value []byte, err error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	err = s.do(ctx, "load", key, func(ctx context.Context, st *statements) error {
		value = nil
		err := st.load.QueryRowContext(ctx, []byte(key)).Scan(&value)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}

// CompareAndSwap implements [challenge.Store].
func (s *SQL) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (swapped bool, err error) {
	if err := checkKey(key); err != nil {
		return false, err
	}
	if err := checkValues(old, new); err != nil {
		return false, err
	}
	remove := new == nil || !expires.IsZero() && !expires.After(s.clock())
	if old == nil && remove {
		held, err := s.Load(ctx, key)
		return err == nil && held == nil, err
	}
	err = s.do(ctx, "swap", key, func(ctx context.Context, st *statements) error {
		var done sql.Result
		var err error
		switch {
		case remove:
			done, err = st.remove.ExecContext(ctx, []byte(key), old)
		case old == nil:
			done, err = st.insert.ExecContext(ctx, []byte(key), new, millis(expires))
		default:
			done, err = st.update.ExecContext(ctx, new, millis(expires), []byte(key), old)
		}
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		swapped = n == 1 // an INSERT that met a record affects 0 rows, or 2 on MySQL
		return err
	})
	return err == nil && swapped, err
}

// Take implements [challenge.Taker] by the generic cell rate algorithm (ITU-T I.371), as [Memory.Take] does, in whole
// microseconds, rounded up. It is one conditional statement, and where that cannot say when to come back, a refusal costs
// a second one. A refused call writes nothing.
func (s *SQL) Take(ctx context.Context, key string, interval time.Duration, burst int) (ok bool, retryAfter time.Duration, err error) {
	if err := checkKey(key); err != nil {
		return false, 0, err
	}
	if err := checkLimit(interval, burst); err != nil {
		return false, 0, err
	}
	var wait int64 // microseconds
	err = s.do(ctx, "take", key, func(ctx context.Context, st *statements) (err error) {
		step := micros(interval)
		now := micros(time.Duration(s.now()))
		wait, err = s.dialect.take(ctx, st, []byte(key), now+step, step, now+step*int64(burst-1))
		return err
	})
	if err != nil {
		return false, 0, err
	}
	return wait <= 0, time.Duration(max(wait, 0)) * time.Microsecond, nil
}

// Clean removes up to limit records and limits that ended more than a minute ago, by index, and reports how many there
// were. Small batches, 200 say, keep logins from waiting for it; fewer than limit means that nothing is left to do.
func (s *SQL) Clean(ctx context.Context, limit int) (n int, err error) {
	ended := s.now() - int64(slack)
	batch := func(pick func(*statements) *sql.Stmt, end int64) error {
		if limit <= n || end <= 0 {
			return nil
		}
		return s.do(ctx, "clean", "", func(ctx context.Context, st *statements) error {
			done, err := pick(st).ExecContext(ctx, end, limit-n)
			if err != nil {
				return err
			}
			gone, err := done.RowsAffected()
			n += int(gone)
			return err
		})
	}
	if err = batch(func(st *statements) *sql.Stmt { return st.cleanRecords }, ended/int64(time.Millisecond)); err == nil {
		err = batch(func(st *statements) *sql.Stmt { return st.cleanLimits }, ended/int64(time.Microsecond))
	}
	return n, err
}

// CleanEvery calls [SQL.Clean] at once and then at each interval, in batches of 200 until nothing is left, until ctx ends.
// After each batch it rests as long as the batch took, so that logins have at least half of the time of a database with one
// writer. Start it with go; one node is enough, several do no harm. An error goes to failed, when that is not nil, and the
// next turn comes.
func (s *SQL) CleanEvery(ctx context.Context, interval time.Duration, failed func(error)) {
	const batch = 200
	for tick := time.Tick(max(interval, time.Second)); ; {
		for n := batch; n == batch && ctx.Err() == nil; {
			begun := time.Now()
			var err error
			if n, err = s.Clean(ctx, batch); err != nil && failed != nil && ctx.Err() == nil {
				failed(err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Since(begun)):
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
	}
}

// now is the time in nanoseconds since 1970, in the range of [nanos] without never.
func (s *SQL) now() int64 {
	return min(nanos(s.clock()), lastSecond*int64(time.Second))
}

// millis is the column expires: rounded up, NULL for never.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	end := nanos(t)
	if end == never {
		return nil
	}
	return (end + int64(time.Millisecond) - 1) / int64(time.Millisecond)
}

// micros rounds up.
func micros(d time.Duration) int64 {
	return (int64(d) + int64(time.Microsecond) - 1) / int64(time.Microsecond)
}

// statements are prepared when a call first finds the schema in order.
type statements struct {
	load, insert, update, remove *sql.Stmt
	take, wait                   *sql.Stmt // wait is nil where take itself says how long
	cleanRecords, cleanLimits    *sql.Stmt
}

// prepared returns the statements, after a check of the schema the first time.
func (s *SQL) prepared(ctx context.Context) (*statements, error) {
	if st := s.ready.Load(); st != nil {
		return st, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.ready.Load(); st != nil {
		return st, nil
	}
	if err := s.checkSchema(ctx); err != nil {
		return nil, err
	}
	st := new(statements)
	var all []*sql.Stmt
	for _, p := range []struct {
		to   **sql.Stmt
		text string
	}{
		{&st.load, s.dialect.load}, {&st.insert, s.dialect.insert}, {&st.update, s.dialect.update}, {&st.remove, s.dialect.remove},
		{&st.take, s.dialect.takeText}, {&st.wait, s.dialect.waitText},
		{&st.cleanRecords, s.dialect.cleanRecords}, {&st.cleanLimits, s.dialect.cleanLimits},
	} {
		if p.text == "" {
			continue
		}
		stmt, err := s.db.PrepareContext(ctx, named(p.text, s.prefix))
		if err != nil {
			for _, made := range all {
				made.Close()
			}
			return nil, fmt.Errorf("prepare: %w", err)
		}
		*p.to = stmt
		all = append(all, stmt)
	}
	s.ready.Store(st)
	return st, nil
}
