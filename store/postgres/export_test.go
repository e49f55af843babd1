package postgres

import (
	"context"

	"sitemon/store/internal/ledger"
)

// Transact lends a transaction to tests.
func (db *DB) Transact(ctx context.Context, f func(ctx context.Context, tx ledger.Tx) error) error {
	return db.ledgerWrite(ctx, f)
}
