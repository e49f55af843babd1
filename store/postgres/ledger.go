package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/store/internal/ledger"
)

// ledgerWrite lends f a transaction that writes. It may run f several times, like
// [DB.write].
func (db *DB) ledgerWrite(ctx context.Context, f func(ctx context.Context, tx ledger.Tx) error) error {
	return db.write(ctx, func(ctx context.Context, tx pgx.Tx) error { return f(ctx, ledgerTx{tx}) })
}

// ledgerRead lends f a transaction that sees one moment and can't write.
func (db *DB) ledgerRead(ctx context.Context, f func(ctx context.Context, tx ledger.Tx) error) error {
	return db.view(ctx, func(ctx context.Context, tx pgx.Tx) error { return f(ctx, ledgerTx{tx}) })
}

// ledgerTx is a transaction of Postgres.
type ledgerTx struct{ tx pgx.Tx }

// Query implements [ledger.Tx].
func (t ledgerTx) Query(ctx context.Context, query string, args []any, f func(scan func(dest ...any) error) error) error {
	return eachRow(ctx, t.tx, query, values(args), func(row pgx.Rows) error { return f(row.Scan) })
}

// Exec implements [ledger.Tx].
func (t ledgerTx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := t.tx.Exec(ctx, query, values(args)...)
	return tag.RowsAffected(), err
}

// SkipLocked implements [ledger.Tx]. Rows that refer to the ones taken can still be
// written.
func (ledgerTx) SkipLocked() string { return " FOR NO KEY UPDATE SKIP LOCKED" }

// values are arguments as the tables have them: the zero time is NULL.
func values(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		if t, ok := a.(time.Time); ok {
			a = orNull(t)
		}
		out[i] = a
	}
	return out
}
