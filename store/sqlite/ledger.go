package sqlite

import (
	"context"
	"database/sql"
	"regexp"
	"time"

	"sitemon/store/internal/ledger"
)

// ledgerWrite lends f a transaction that writes.
func (db *DB) ledgerWrite(ctx context.Context, f func(ctx context.Context, tx ledger.Tx) error) error {
	return db.write(ctx, func(ctx context.Context) error { return f(ctx, writingTx{db}) })
}

// ledgerRead lends f a transaction that sees one moment and can't write.
func (db *DB) ledgerRead(ctx context.Context, f func(ctx context.Context, tx ledger.Tx) error) error {
	ctx, cancel := reading(ctx)
	defer cancel()
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	return f(ctx, readingTx{tx})
}

// writingTx is the transaction of [DB.write].
type writingTx struct{ db *DB }

// Query implements [ledger.Tx].
func (t writingTx) Query(ctx context.Context, query string, args []any, f func(scan func(dest ...any) error) error) error {
	s, err := t.db.stmt(ctx, numbered(query))
	if err != nil {
		return err
	}
	return each(ctx, prepared{s}, "", values(args), func(row scanner) error { return f(row.Scan) })
}

// Exec implements [ledger.Tx].
func (t writingTx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := t.db.execResult(ctx, numbered(query), values(args)...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// SkipLocked implements [ledger.Tx].
func (writingTx) SkipLocked() string { return "" }

// prepared is a statement that is asked without its text.
type prepared struct{ stmt *sql.Stmt }

// QueryContext implements querier.
func (p prepared) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return p.stmt.QueryContext(ctx, args...)
}

// readingTx is a transaction of a reader.
type readingTx struct{ tx *sql.Tx }

// Query implements [ledger.Tx].
func (t readingTx) Query(ctx context.Context, query string, args []any, f func(scan func(dest ...any) error) error) error {
	return each(ctx, t.tx, numbered(query), values(args), func(row scanner) error { return f(row.Scan) })
}

// Exec implements [ledger.Tx].
func (readingTx) Exec(context.Context, string, ...any) (int64, error) { return 0, errReadOnly }

// SkipLocked implements [ledger.Tx].
func (readingTx) SkipLocked() string { return "" }

var parameter = regexp.MustCompile(`\$(\d+)`)

// numbered writes the parameters of a query as SQLite numbers them.
func numbered(query string) string { return parameter.ReplaceAllString(query, "?$1") }

// values are arguments as the tables have them.
func values(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		if t, ok := a.(time.Time); ok {
			a = microsOrNull(t)
		}
		out[i] = a
	}
	return out
}
