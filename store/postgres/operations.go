package postgres

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/store/internal/history"
)

// keptReloads is how many attempts to apply a document are remembered.
const keptReloads = 1000

// AddReload remembers an attempt to apply a document. The newest 1,000 are kept.
func (db *DB) AddReload(ctx context.Context, r sitemon.Reload) (err error) {
	defer wrap(&err, "record a reload of %s", r.Source)
	return db.write(ctx, func(ctx context.Context, tx pgx.Tx) error { return addReload(ctx, tx, r) })
}

func addReload(ctx context.Context, tx pgx.Tx, r sitemon.Reload) error {
	problems := r.Errors
	if problems == nil {
		problems = []sitemon.Problem{}
	}
	list, err := json.Marshal(problems)
	if err != nil {
		return err
	}
	list = bytes.ReplaceAll(list, []byte(`\u0000`), []byte(`\ufffd`)) // Postgres has no such character
	difference, err := history.PackDifference(r.Difference)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO config_reloads (generation, at, source, hash, applied, added, changed, removed, unchanged, duration_us, errors, difference)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, $12)`,
		r.Generation, r.At, r.Source, r.Hash, r.Applied, r.Added, r.Changed, r.Removed, r.Unchanged, int64(r.DurationMS*1000), string(list), difference)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "DELETE FROM config_reloads WHERE id <= (SELECT max(id) FROM config_reloads) - $1", keptReloads)
	return err
}

// Reloads lists the newest attempts to apply a document, of all sources, newest
// first. A limit of 0 lists all that are kept.
func (db *DB) Reloads(ctx context.Context, limit int) (reloads []sitemon.Reload, err error) {
	defer wrap(&err, "list reloads")
	if limit <= 0 {
		limit = keptReloads
	}
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return eachRow(ctx, tx, `SELECT generation, at, source, hash, applied, added, changed, removed, unchanged, duration_us, errors::text, difference
FROM config_reloads ORDER BY id DESC LIMIT $1`, []any{limit}, func(row pgx.Rows) error {
			var r sitemon.Reload
			var us int64
			var problems, difference string
			err := row.Scan(&r.Generation, &r.At, &r.Source, &r.Hash, &r.Applied, &r.Added, &r.Changed, &r.Removed, &r.Unchanged, &us, &problems, &difference)
			if err != nil {
				return err
			}
			if r.Difference, err = history.UnpackDifference(difference); err != nil {
				return err
			}
			r.At, r.DurationMS = r.At.UTC(), float64(us)/1000
			if err := json.Unmarshal([]byte(problems), &r.Errors); err != nil {
				return err
			}
			if len(r.Errors) == 0 {
				r.Errors = nil
			}
			reloads = append(reloads, r)
			return nil
		})
	})
	return reloads, err
}
