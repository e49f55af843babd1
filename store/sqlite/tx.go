package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
)

// lock waits until nobody else writes, or the context ends: who writes may wait
// for a lock of another process.
func (db *DB) lock(ctx context.Context) error {
	select {
	case db.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (db *DB) unlock() { <-db.writing }

// write runs f in an immediate transaction, with the state of all sites loaded.
// The context ends the wait for other writers, in this process or another, but not
// a transaction that has begun: it is short. After an error nothing of what f did
// remains, in the file or in memory.
func (db *DB) write(ctx context.Context, f func(ctx context.Context) error) (err error) {
	if err := db.lock(ctx); err != nil {
		return err
	}
	defer db.unlock()
	if db.conn == nil {
		return errReadOnly
	}
	begin := ctx
	// A context that can end costs a goroutine for every statement.
	ctx = context.WithoutCancel(ctx)
	if _, err := db.conn.ExecContext(begin, "BEGIN IMMEDIATE"); err != nil {
		// Where the context ended just now, the transaction may have begun all the same.
		_, _ = db.conn.ExecContext(ctx, "ROLLBACK")
		return err
	}
	committed := false
	defer func() {
		if !committed { // also where f panics
			db.state = nil
			// After some errors SQLite has ended the transaction by itself.
			_, _ = db.conn.ExecContext(ctx, "ROLLBACK")
		}
	}()
	if db.state == nil {
		if db.state, err = db.load(ctx); err != nil {
			return fmt.Errorf("read the state of the sites: %w", err)
		}
	}
	if err := f(ctx); err != nil {
		return err
	}
	_, err = db.conn.ExecContext(ctx, "COMMIT")
	committed = err == nil
	return err
}

// stmt returns a prepared statement of the writing connection.
func (db *DB) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := db.stmts[query]; ok {
		return s, nil
	}
	s, err := db.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	db.stmts[query] = s
	return s, nil
}

// exec runs a prepared statement within [DB.write].
func (db *DB) exec(ctx context.Context, query string, args ...any) error {
	_, err := db.execResult(ctx, query, args...)
	return err
}

func (db *DB) execResult(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := db.stmt(ctx, query) //nolint:sqlclosecheck // It is kept, and closed with the store.
	if err != nil {
		return nil, err
	}
	db.writes++
	return s.ExecContext(ctx, args...)
}

// queryRow runs a prepared query for one row within [DB.write].
func (db *DB) queryRow(ctx context.Context, query string, args ...any) scanner {
	s, err := db.stmt(ctx, query) //nolint:sqlclosecheck // It is kept, and closed with the store.
	if err != nil {
		return failedRow{err}
	}
	return s.QueryRowContext(ctx, args...)
}

// scanner is a row or the rows of a query.
type scanner interface{ Scan(dest ...any) error }

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

// querier is what can be asked: the writing connection or the pool of readers.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// each runs a query and calls f for each of its rows.
func each(ctx context.Context, q querier, query string, args []any, f func(scanner) error) (err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// numbers runs a query whose rows are one integer each.
func numbers(ctx context.Context, q querier, query string, args ...any) (list []int64, err error) {
	err = each(ctx, q, query, args, func(row scanner) error {
		var n int64
		err := row.Scan(&n)
		list = append(list, n)
		return err
	})
	return list, err
}

// reading bounds a read in time.
func reading(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, readTimeout)
}

// Result codes of SQLite, without their extensions.
const (
	codeBusy     = 5
	codeReadOnly = 8
	codeCorrupt  = 11
	codeFull     = 13
	codeNotADB   = 26
)

// wrap says in an error what was being done, and what it means where SQLite's own
// words do not.
func wrap(err *error, format string, args ...any) {
	if *err == nil {
		return
	}
	doing := fmt.Sprintf(format, args...)
	if e, ok := errors.AsType[*sqlite.Error](*err); ok {
		if m := meaning(e.Code()); m != "" {
			*err = fmt.Errorf("%s: %s: %w", doing, m, *err)
			return
		}
	}
	*err = fmt.Errorf("%s: %w", doing, *err)
}

// meaning says what a result code of SQLite means to whoever runs SiteMon; ""
// where SQLite's own words are good enough.
func meaning(code int) string {
	switch code & 0xff {
	case codeBusy:
		return "another process has locked the file"
	case codeReadOnly:
		return "the file or its folder may not be written to"
	case codeCorrupt:
		return "the file is damaged"
	case codeFull:
		return "the disk is full"
	case codeNotADB:
		return "the file is not an SQLite database"
	}
	return ""
}

// micros is a moment as the tables have it.
func micros(t time.Time) int64 { return t.UnixMicro() }

// microsOrNull is the same, NULL for the zero time.
func microsOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// moment is the inverse of micros.
func moment(us int64) time.Time { return time.UnixMicro(us).UTC() }

// momentOrZero is the inverse of microsOrNull.
func momentOrZero(us sql.NullInt64) time.Time {
	if !us.Valid {
		return time.Time{}
	}
	return moment(us.Int64)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
