package stores

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrNoSchema says that the tables of a [SQL] are missing: call [SQL.CreateSchema] once, or run what [Schema] prints.
	ErrNoSchema = errors.New("stores: missing schema")

	// ErrSchemaVersion says that the tables of a [SQL] were made by another version of this package.
	ErrSchemaVersion = errors.New("stores: schema of another version")
)

const (
	schemaVersion = 1
	defaultPrefix = "sallyport_"
)

// Schema returns the statements that [SQL.CreateSchema] runs, for people who run migrations themselves. An empty prefix means
// "sallyport_". They can be run again without harm. For an unknown dialect or a bad prefix it returns nothing.
func Schema(d Dialect, prefix string) string {
	if prefix == "" {
		prefix = defaultPrefix
	}
	known, ok := dialects[d]
	if !ok || !isPrefix(prefix) {
		return ""
	}
	var b strings.Builder
	for _, text := range known.schema {
		b.WriteString(named(text, prefix))
		b.WriteString(";\n")
	}
	return b.String()
}

// CreateSchema makes the tables that are missing, and then does what [SQL.Check] does. Several nodes may call it at once. It
// needs the right to create tables, which the store needs for nothing else.
func (s *SQL) CreateSchema(ctx context.Context) error {
	err := s.again(ctx, "create schema", "", func(ctx context.Context) error {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		for _, text := range append([]string{s.dialect.lock}, s.dialect.schema...) {
			if text == "" {
				continue
			}
			if _, err := tx.ExecContext(ctx, named(text, s.prefix)); err != nil {
				return err
			}
		}
		return tx.Commit()
	})
	if err != nil {
		return err
	}
	return s.Check(ctx)
}

// Check reaches for the database, looks whether the schema is the one of this version, prepares the statements, and writes,
// reads and deletes a record, so that a start fails with its cause: unreachable, wrong password, a missing right, a replica
// that may only be read. Errors to branch on: [ErrNoSchema], [ErrSchemaVersion].
func (s *SQL) Check(ctx context.Context) error {
	err := s.do(ctx, "check", "", func(ctx context.Context, _ *statements) error { return s.checkSchema(ctx) })
	if err != nil {
		return err
	}
	return tryOut(ctx, s, s.clock().Add(time.Minute))
}

func (s *SQL) checkSchema(ctx context.Context) error {
	var version int
	err := s.db.QueryRowContext(ctx, named(`SELECT version FROM {}schema WHERE id = 1`, s.prefix)).Scan(&version)
	switch {
	case errors.Is(err, sql.ErrNoRows), err != nil && s.dialect.noTable(err):
		return fmt.Errorf("%w: no tables with the prefix %s: call CreateSchema, or run the statements that Schema returns", ErrNoSchema, s.prefix)
	case err != nil:
		return err
	case version != schemaVersion:
		age := "old"
		if version > schemaVersion {
			age = "new"
		}
		return fmt.Errorf("%w: %s schema: the tables with the prefix %s have version %d, this program needs version %d",
			ErrSchemaVersion, age, s.prefix, version, schemaVersion)
	}
	return nil
}

func named(text, prefix string) string { return strings.ReplaceAll(text, "{}", prefix) }

// isPrefix lets nothing into a statement that would need quoting or that one server folds and another does not.
func isPrefix(p string) bool {
	for i := range len(p) {
		if c := p[i]; (c < 'a' || c > 'z') && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return p != "" && len(p) <= 40
}
