package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/stores"
)

const (
	startTimeout = 10 * time.Second        // for a server to be reached, and for tables to be made
	callTimeout  = 1500 * time.Millisecond // for one call afterwards, of which a request makes a few
	cleanEvery   = time.Minute
	poolSize     = 20 // connections to a server
	filePoolSize = 4  // connections to a file, of which one can write
)

// backend is what -store names, checked as far as that is possible without reaching for it.
type backend struct {
	name     string // for people: without user and password
	password string // which no error may repeat
	file     string // of SQLite
	open     func(context.Context) (challenge.Store, func(), error)
}

var errPassword = errors.New("this cannot be read; it is not repeated here because it may hold a password, whose characters @ / ? # and % have to be written as %40 %2F %3F %23 %25")

// parseStore reads a -store. Its errors never repeat what may be a password.
func parseStore(value string) (backend, error) {
	if value == "memory" {
		return backend{name: value, open: func(context.Context) (challenge.Store, func(), error) { return new(stores.Memory), func() {}, nil }}, nil
	}
	scheme, rest, _ := strings.Cut(value, ":")
	switch scheme {
	case "sqlite":
		return sqliteBackend(rest)
	case "postgres", "postgresql", "mysql", "redis", "rediss":
	default:
		return backend{}, errors.New("choose memory, sqlite:PATH, postgres://…, mysql://… or redis://…")
	}
	u, err := url.Parse(value)
	if err != nil || strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") {
		return backend{}, errPassword
	}
	if u.Host == "" {
		return backend{}, fmt.Errorf("%s: no host: give %s://user:password@host:port/name", scheme, scheme)
	}
	b := backend{name: scheme + "://" + u.Host + u.Path}
	b.password, _ = u.User.Password()
	switch scheme {
	case "mysql":
		err = b.mysql(u)
	case "redis", "rediss":
		err = b.redis(value)
	default:
		err = b.postgres(value)
	}
	if err != nil {
		return b, b.without(err)
	}
	return b, nil
}

// without is an error that names the store, and not its password.
func (b backend) without(err error) error {
	if b.password != "" && strings.Contains(err.Error(), b.password) {
		err = errors.New(strings.ReplaceAll(err.Error(), b.password, "…"))
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("it does not answer: %w", err)
	}
	return fmt.Errorf("%s: %w", b.name, err)
}

func sqliteBackend(path string) (backend, error) {
	if path == "" || strings.HasPrefix(path, ":") || strings.Contains(path, "?") || strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///") {
		return backend{}, errors.New("sqlite: give the path of a file, such as sqlite:/var/lib/app/login.db")
	}
	path = filepath.Clean(path)
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return backend{}, fmt.Errorf("sqlite:%s: there is no folder %s", path, filepath.Dir(path))
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return backend{}, fmt.Errorf("sqlite:%s is a folder: give the path of a file in it", path)
	}
	b := backend{name: "sqlite:" + path, file: path}
	b.open = func(ctx context.Context) (challenge.Store, func(), error) {
		// SQLite would let everybody on this machine read what it makes.
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, nil, err
		}
		if err := f.Close(); err != nil {
			return nil, nil, err
		}
		db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(1000)&_pragma=journal_mode(WAL)")
		if err != nil {
			return nil, nil, err
		}
		return openSQL(ctx, db, stores.SQLite, filePoolSize)
	}
	return b, nil
}

func (b *backend) postgres(address string) error {
	c, err := pgx.ParseConfig(address)
	if err != nil {
		if err = errors.Unwrap(err); err == nil { // the outer one repeats the address
			err = errors.New("the driver cannot read this address")
		}
		return err
	}
	b.open = func(ctx context.Context) (challenge.Store, func(), error) {
		return openSQL(ctx, stdlib.OpenDB(*c), stores.Postgres, poolSize)
	}
	return nil
}

// mysql turns an address into what the driver calls a data source name.
func (b *backend) mysql(u *url.URL) error {
	name := strings.TrimPrefix(u.Path, "/")
	if name == "" {
		return errors.New("no database: give mysql://user:password@host:port/name")
	}
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = u.User.Username(), b.password, "tcp", u.Host, name
	if u.Port() == "" {
		c.Addr += ":3306"
	}
	text := c.FormatDSN()
	if u.RawQuery != "" {
		text += "?" + u.Query().Encode()
	}
	if strings.ContainsAny(c.User, ":@/") {
		return errors.New("the driver cannot write this user's name")
	}
	c, err := mysql.ParseDSN(text)
	if err != nil {
		return err
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return err
	}
	b.open = func(ctx context.Context) (challenge.Store, func(), error) {
		return openSQL(ctx, sql.OpenDB(connector), stores.MySQL, poolSize)
	}
	return nil
}

func (b *backend) redis(address string) error {
	o, err := redis.ParseURL(address)
	if err != nil {
		return err
	}
	o.ContextTimeoutEnabled, o.MaxRetries, o.PoolSize = true, -1, poolSize // see stores.Redis
	b.open = func(ctx context.Context) (challenge.Store, func(), error) {
		client := redis.NewClient(o)
		do := func(ctx context.Context, a ...any) (any, error) { return client.Do(ctx, a...).Result() }
		if err := (&stores.Redis{Do: do, Timeout: startTimeout}).Check(ctx); err != nil {
			return nil, nil, errors.Join(err, client.Close())
		}
		return &stores.Redis{Do: do, Timeout: callTimeout}, func() { _ = client.Close() }, nil
	}
	return nil
}

// openSQL makes the tables where there are none. Only that needs the right to make tables.
func openSQL(ctx context.Context, db *sql.DB, d stores.Dialect, connections int) (challenge.Store, func(), error) {
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	patient, err := stores.NewSQL(db, d, stores.SQLOptions{Timeout: startTimeout})
	if err == nil {
		if err = patient.Check(ctx); errors.Is(err, stores.ErrNoSchema) {
			if err = patient.CreateSchema(ctx); err != nil {
				err = fmt.Errorf("missing schema, which cannot be made: %w", err)
			}
		}
	}
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	s, err := stores.NewSQL(db, d, stores.SQLOptions{Timeout: callTimeout})
	return s, func() { _ = db.Close() }, err
}

// cleaner is a store that somebody has to clean up.
type cleaner interface {
	CleanEvery(ctx context.Context, interval time.Duration, failed func(error))
}

// openStore reaches for the store, and cleans it up until Close.
func (d *Demo) openStore(b backend) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	store, close, err := b.open(ctx)
	if err != nil {
		return fmt.Errorf("-store %w", b.without(err))
	}
	d.Store = store
	cleaning, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	if c, ok := store.(cleaner); ok {
		done.Go(func() {
			c.CleanEvery(cleaning, cleanEvery, func(err error) { _, _ = fmt.Fprintf(d.stderr, "cleaning up: %v\n", b.without(err)) })
		})
	}
	d.close = append(d.close, closer(func() { stop(); done.Wait(); close() }))
	return nil
}

type closer func()

func (c closer) Close() error { c(); return nil }
