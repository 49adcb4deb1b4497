package stores_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport-go/sallyport/stores"
)

// With SQLite: one file, several processes on one machine. For PostgreSQL and MySQL only the first two lines differ:
//
//	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))       // _ "github.com/jackc/pgx/v5/stdlib"
//	store, err := stores.NewSQL(db, stores.Postgres, stores.SQLOptions{})
//
//	db, err := sql.Open("mysql", os.Getenv("DATABASE_DSN"))     // _ "github.com/go-sql-driver/mysql"
//	store, err := stores.NewSQL(db, stores.MySQL, stores.SQLOptions{})
func ExampleNewSQL() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	dir, err := os.MkdirTemp("", "login")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "login.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(2000)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	store, err := stores.NewSQL(db, stores.SQLite, stores.SQLOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if err := store.CreateSchema(ctx); err != nil { // store.Check(ctx) where migrations are run by hand
		log.Fatal(err)
	}
	go store.CleanEvery(ctx, time.Minute, func(err error) { log.Print(err) })

	inserted, _ := store.CompareAndSwap(ctx, "pending/7", nil, []byte("erin"), time.Now().Add(10*time.Minute))
	value, _ := store.Load(ctx, "pending/7")
	fmt.Println(inserted, string(value))
	// Output: true erin
}

func ExampleSchema() {
	fmt.Print(stores.Schema(stores.Postgres, ""))
	// Output:
	// CREATE TABLE IF NOT EXISTS sallyport_records (k BYTEA PRIMARY KEY, v BYTEA NOT NULL, expires BIGINT, writes BIGINT NOT NULL);
	// CREATE INDEX IF NOT EXISTS sallyport_records_expires ON sallyport_records (expires) WHERE expires IS NOT NULL;
	// CREATE TABLE IF NOT EXISTS sallyport_limits (k BYTEA PRIMARY KEY, full_at BIGINT NOT NULL);
	// CREATE INDEX IF NOT EXISTS sallyport_limits_full_at ON sallyport_limits (full_at);
	// CREATE TABLE IF NOT EXISTS sallyport_schema (id INTEGER PRIMARY KEY, version INTEGER NOT NULL);
	// INSERT INTO sallyport_schema (id, version) VALUES (1, 1) ON CONFLICT (id) DO NOTHING;
}
