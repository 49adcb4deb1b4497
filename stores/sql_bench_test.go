package stores_test

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/stores"
)

// BenchmarkSQLiteMillion measures what a million sessions take up in a file, how fast they are cleaned up when they have all
// ended, and how long readers and writers wait meanwhile. Beside it stands how long they wait while nothing is cleaned up: on
// a busy machine much of either is the scheduler's, or the disk's.
//
//	go test -run=- -bench=SQLiteMillion -benchtime=1x -timeout 30m ./stores
func BenchmarkSQLiteMillion(b *testing.B) {
	const n = 1_000_000
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "login.db")
		db, c, ctx := sqliteFile(b, path), newClock(), b.Context()
		s := newSQL(b, db, stores.SQLite, stores.SQLOptions{Clock: c.Now})
		before := fileSize(b, db, path)
		// Keys and payloads are as long as those of sessions. One transaction: a million that are flushed one by one take an hour.
		if _, err := db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO sallyport_records (k, v, expires, writes)
			SELECT CAST('s' || substr(hex(randomblob(22)), 1, 43) AS BLOB), randomblob(156), ?, 0 FROM n`, n, c.Now().Add(time.Hour).UnixMilli()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(fileSize(b, db, path)-before)/n, "B/session")

		const watched = 20 * time.Second
		quiet := sqlWaits(b, path, func() { time.Sleep(watched) })
		c.Advance(2 * time.Hour)
		cleaning := sqlWaits(b, path, func() {
			turn, stop := context.WithTimeout(ctx, watched)
			defer stop()
			s.CleanEvery(turn, time.Second, func(err error) { b.Error(err) })
		})
		var left int
		if err := db.QueryRow("SELECT count(*) FROM sallyport_records WHERE expires IS NOT NULL").Scan(&left); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(n-left)/watched.Seconds(), "cleaned/s")
		for name, w := range map[string]sqlWait{"quiet": quiet, "cleaning": cleaning} {
			for kind, all := range map[string][]time.Duration{"load": w.loads, "swap": w.swaps} {
				slices.Sort(all)
				b.ReportMetric(ms(all[len(all)/2]), name+"-"+kind+"-ms")
				b.ReportMetric(ms(all[len(all)*99/100]), name+"-"+kind+"-p99-ms")
				b.ReportMetric(ms(all[len(all)-1]), name+"-"+kind+"-max-ms")
			}
		}
		b.ReportMetric(0, "ns/op")
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func fileSize(b *testing.B, db *sql.DB, path string) int64 {
	b.Helper()
	if _, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

// sqlWait is how long each Load and each swap took.
type sqlWait struct{ loads, swaps []time.Duration }

// sqlWaits loads and swaps records of its own, by a pool of its own as another process would, while f runs.
func sqlWaits(b *testing.B, path string, f func()) (w sqlWait) {
	b.Helper()
	s := newSQL(b, sqliteFile(b, path), stores.SQLite, stores.SQLOptions{})
	ctx, stop := context.WithCancel(b.Context())
	value := bytes.Repeat([]byte("v"), 156)
	var all sync.WaitGroup
	timed := func(took *[]time.Duration, do func(i int) (bool, error)) {
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				begun := time.Now()
				if ok, err := do(i); !ok || err != nil {
					b.Error(ok, err)
				}
				*took = append(*took, time.Since(begun))
				time.Sleep(time.Millisecond)
			}
		})
	}
	prefix := "w" + strconv.FormatInt(time.Now().UnixNano(), 36) + "/"
	timed(&w.loads, func(int) (bool, error) { _, err := s.Load(b.Context(), "absent"); return true, err })
	timed(&w.swaps, func(i int) (bool, error) {
		return s.CompareAndSwap(b.Context(), prefix+strconv.Itoa(i), nil, value, never)
	})
	f()
	stop()
	all.Wait()
	return w
}
