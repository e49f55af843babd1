package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"sitemon"
)

// Newest returns the newest generation of all sources, with the number of all sites
// that are watched.
func (db *DB) Newest(ctx context.Context) (g sitemon.Generation, err error) {
	defer wrap(&err, "read the newest generation")
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		g, err = newestGeneration(ctx, tx)
		return err
	})
	return g, err
}
