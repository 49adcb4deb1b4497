package stores

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
)

// Dialect says which SQL a database speaks.
type Dialect int

// The dialects that [NewSQL] knows.
const (
	// Postgres is PostgreSQL 12 and later, with jackc/pgx or lib/pq.
	Postgres Dialect = iota + 1

	// MySQL is MySQL 8 and MariaDB 10.6 and later, with go-sql-driver/mysql. Its options clientFoundRows and
	// interpolateParams may be on or off.
	MySQL

	// SQLite is SQLite 3.24 and later, with modernc.org/sqlite or mattn/go-sqlite3.
	SQLite
)

// dialect is all that differs. In its texts {} stands for the prefix of tables.
//
// Keys and values are binary columns, so that nothing is folded, trimmed, decoded or compared by a collation. The column
// writes changes with every write; so an UPDATE to the same bytes changes a row even where only changed rows are counted.
type dialect struct {
	lock   string   // makes concurrent calls of CreateSchema wait for each other; may be empty
	schema []string // can be run again without harm

	load, insert, update, remove string
	cleanRecords, cleanLimits    string

	// take wants the key, the end of a first bucket, the interval and the latest end at which one more is allowed, and
	// reports how long to wait, in microseconds: 0 means that it was allowed.
	take               func(ctx context.Context, st *statements, key []byte, first, step, latest int64) (int64, error)
	takeText, waitText string

	noTable   func(error) bool // the error says that a table is missing
	transient func(error) bool // the error says that nothing happened and that another try may succeed
}

var dialects = map[Dialect]*dialect{
	Postgres: {
		lock: `SELECT pg_advisory_xact_lock(hashtext('{}schema'))`,
		schema: []string{
			`CREATE TABLE IF NOT EXISTS {}records (k BYTEA PRIMARY KEY, v BYTEA NOT NULL, expires BIGINT, writes BIGINT NOT NULL)`,
			`CREATE INDEX IF NOT EXISTS {}records_expires ON {}records (expires) WHERE expires IS NOT NULL`,
			`CREATE TABLE IF NOT EXISTS {}limits (k BYTEA PRIMARY KEY, full_at BIGINT NOT NULL)`,
			`CREATE INDEX IF NOT EXISTS {}limits_full_at ON {}limits (full_at)`,
			`CREATE TABLE IF NOT EXISTS {}schema (id INTEGER PRIMARY KEY, version INTEGER NOT NULL)`,
			`INSERT INTO {}schema (id, version) VALUES (1, 1) ON CONFLICT (id) DO NOTHING`,
		},
		load:   `SELECT v FROM {}records WHERE k = $1`,
		insert: `INSERT INTO {}records (k, v, expires, writes) VALUES ($1, $2, $3, 0) ON CONFLICT (k) DO NOTHING`,
		update: `UPDATE {}records SET v = $1, expires = $2, writes = writes + 1 WHERE k = $3 AND v = $4`,
		remove: `DELETE FROM {}records WHERE k = $1 AND v = $2`,
		cleanRecords: `DELETE FROM {}records WHERE k IN
			(SELECT k FROM {}records WHERE expires <= $1 ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED)`,
		cleanLimits: `DELETE FROM {}limits WHERE k IN
			(SELECT k FROM {}limits WHERE full_at <= $1 ORDER BY full_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
		take: takeThenAsk,
		takeText: `INSERT INTO {}limits AS held (k, full_at) VALUES ($1, $2)
			ON CONFLICT (k) DO UPDATE SET full_at = GREATEST(held.full_at + $3, excluded.full_at) WHERE held.full_at <= $4`,
		waitText:  `SELECT full_at FROM {}limits WHERE k = $1`,
		noTable:   func(err error) bool { return sqlState(err) == "42P01" },
		transient: func(err error) bool { return slices.Contains([]string{"40001", "40P01", "55P03"}, sqlState(err)) },
	},
	MySQL: {
		schema: []string{
			`CREATE TABLE IF NOT EXISTS {}records (k VARBINARY(255) PRIMARY KEY, v MEDIUMBLOB NOT NULL, expires BIGINT, writes BIGINT NOT NULL,
			INDEX {}records_expires (expires)) ENGINE=InnoDB`,
			`CREATE TABLE IF NOT EXISTS {}limits (k VARBINARY(255) PRIMARY KEY, full_at BIGINT NOT NULL, INDEX {}limits_full_at (full_at)) ENGINE=InnoDB`,
			`CREATE TABLE IF NOT EXISTS {}schema (id INTEGER PRIMARY KEY, version INTEGER NOT NULL) ENGINE=InnoDB`,
			`INSERT INTO {}schema (id, version) VALUES (1, 1) ON DUPLICATE KEY UPDATE version = version`,
		},
		load: `SELECT v FROM {}records WHERE k = ?`,
		// Not INSERT IGNORE, which would cut a value that does not fit and say that all is well. A record that is there
		// gets its writes counted, which makes 2 affected rows whatever the driver's flags; untouched it could be 1.
		insert:       `INSERT INTO {}records (k, v, expires, writes) VALUES (?, ?, ?, 0) ON DUPLICATE KEY UPDATE writes = writes + 1`,
		update:       `UPDATE {}records SET v = ?, expires = ?, writes = writes + 1 WHERE k = ? AND v = ?`,
		remove:       `DELETE FROM {}records WHERE k = ? AND v = ?`,
		cleanRecords: `DELETE FROM {}records WHERE expires <= ? ORDER BY expires, k LIMIT ?`,
		cleanLimits:  `DELETE FROM {}limits WHERE full_at <= ? ORDER BY full_at, k LIMIT ?`,
		take:         takeAndHear,
		// The number of affected rows depends on the driver's flags; LAST_INSERT_ID brings the wait back in the same answer.
		takeText: `INSERT INTO {}limits (k, full_at) VALUES (?, ?)
			ON DUPLICATE KEY UPDATE full_at = IF(full_at <= ?, GREATEST(full_at + ?, ?), full_at + 0 * LAST_INSERT_ID(full_at - ?))`,
		noTable:   func(err error) bool { return hasNumber(err, "1146") },
		transient: func(err error) bool { return hasNumber(err, "1213", "1205", "1020") },
	},
	SQLite: {
		schema: []string{
			`CREATE TABLE IF NOT EXISTS {}records (k BLOB NOT NULL PRIMARY KEY, v BLOB NOT NULL, expires INTEGER, writes INTEGER NOT NULL)`,
			`CREATE INDEX IF NOT EXISTS {}records_expires ON {}records (expires) WHERE expires IS NOT NULL`,
			`CREATE TABLE IF NOT EXISTS {}limits (k BLOB NOT NULL PRIMARY KEY, full_at INTEGER NOT NULL)`,
			`CREATE INDEX IF NOT EXISTS {}limits_full_at ON {}limits (full_at)`,
			`CREATE TABLE IF NOT EXISTS {}schema (id INTEGER PRIMARY KEY, version INTEGER NOT NULL)`,
			`INSERT INTO {}schema (id, version) VALUES (1, 1) ON CONFLICT (id) DO NOTHING`,
		},
		load:         `SELECT v FROM {}records WHERE k = ?`,
		insert:       `INSERT INTO {}records (k, v, expires, writes) VALUES (?, ?, ?, 0) ON CONFLICT (k) DO NOTHING`,
		update:       `UPDATE {}records SET v = ?, expires = ?, writes = writes + 1 WHERE k = ? AND v = ?`,
		remove:       `DELETE FROM {}records WHERE k = ? AND v = ?`,
		cleanRecords: `DELETE FROM {}records WHERE rowid IN (SELECT rowid FROM {}records WHERE expires <= ? ORDER BY expires LIMIT ?)`,
		cleanLimits:  `DELETE FROM {}limits WHERE rowid IN (SELECT rowid FROM {}limits WHERE full_at <= ? ORDER BY full_at LIMIT ?)`,
		take:         takeThenAsk,
		takeText: `INSERT INTO {}limits AS held (k, full_at) VALUES (?, ?)
			ON CONFLICT (k) DO UPDATE SET full_at = max(held.full_at + ?, excluded.full_at) WHERE held.full_at <= ?`,
		waitText:  `SELECT full_at FROM {}limits WHERE k = ?`,
		noTable:   func(err error) bool { return strings.Contains(err.Error(), "no such table") },
		transient: isBusy,
	},
}

// takeThenAsk is for dialects whose upsert can be conditional: it affects no row when it refuses.
func takeThenAsk(ctx context.Context, st *statements, key []byte, first, step, latest int64) (int64, error) {
	done, err := st.take.ExecContext(ctx, key, first, step, latest)
	if err != nil {
		return 0, err
	}
	if n, err := done.RowsAffected(); err != nil || n == 1 {
		return 0, err
	}
	var fullAt int64
	err = st.wait.QueryRowContext(ctx, key).Scan(&fullAt)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	return max(1, fullAt-latest), nil // at least 1: cleaned away meanwhile, so that the next try will do
}

// takeAndHear is for MySQL: what a refusal puts into LAST_INSERT_ID, which is 0 without one, comes with the answer.
func takeAndHear(ctx context.Context, st *statements, key []byte, first, step, latest int64) (int64, error) {
	done, err := st.take.ExecContext(ctx, key, first, latest, step, first, latest)
	if err != nil {
		return 0, err
	}
	return done.LastInsertId()
}

// sqlState is the five characters that the errors of pgx and of lib/pq have.
func sqlState(err error) string {
	var e interface{ SQLState() string }
	if errors.As(err, &e) {
		return e.SQLState()
	}
	return ""
}

// hasNumber looks for the number with which the text of a go-sql-driver error begins; its type has no method that tells.
func hasNumber(err error, numbers ...string) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if rest, ok := strings.CutPrefix(err.Error(), "Error "); ok && len(rest) >= 4 && slices.Contains(numbers, rest[:4]) {
			return true
		}
	}
	return false
}

// isBusy is true for SQLITE_BUSY and SQLITE_LOCKED, in all their extended codes.
func isBusy(err error) bool {
	var e interface{ Code() int }
	if errors.As(err, &e) {
		return e.Code()&0xff == 5 || e.Code()&0xff == 6
	}
	return strings.Contains(err.Error(), "database is locked") || strings.Contains(err.Error(), "database table is locked")
}
