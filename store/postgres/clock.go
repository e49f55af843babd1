package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Now is the time on the database's clock.
func (db *DB) Now(ctx context.Context) (now time.Time, err error) {
	defer wrap(&err, "ask for the time")
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now)
	})
	return now.UTC(), err
}
