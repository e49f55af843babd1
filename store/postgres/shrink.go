package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/store/internal/rollup"
)

// kept is the first slot whose report is kept at a moment.
func (db *DB) kept(now time.Time) time.Time {
	return later(now.Add(-db.retention), time.Unix(db.cut.Load(), 0))
}

// shrink deletes the oldest reports while the database is too large, up to latest.
func (db *DB) shrink(ctx context.Context, latest time.Time, still func() error) error {
	if db.maxSize == 0 {
		return nil
	}
	done, err := rollup.Shrink(ctx, shrinking{db, still}, db.maxSize, time.Unix(db.cut.Load(), 0).UTC(), latest)
	if !done.From.IsZero() {
		db.log.Warn("reports are deleted before their time: the database is too large", "before", done.From, "max_size", db.maxSize)
	}
	if over := done.Over > 0; err == nil && db.tooLarge.Swap(over) != over && over {
		db.log.Error("the database is too large, and only the reports of a day are left: raise retention.max_size, or probe less often",
			"too_many_bytes", done.Over, "max_size", db.maxSize)
	}
	return err
}

// shrinking implements [rollup.Shrinkable].
type shrinking struct {
	*DB
	still func() error
}

// usedSize is what the tables of SiteMon take up with their indexes: what others keep
// in the same database does not become less by deleting reports.
const usedSize = `SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
WHERE relkind = 'r' AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'site_reports'::regclass)`

// Use implements [rollup.Shrinkable]. How full its disk is the server does not tell.
func (db shrinking) Use(ctx context.Context) (use rollup.Use, err error) {
	if err := db.still(); err != nil {
		return use, err
	}
	err = db.pool.QueryRow(ctx, usedSize).Scan(&use.Size)
	return use, err
}

// OldestReport implements [rollup.Shrinkable].
func (db shrinking) OldestReport(ctx context.Context) (oldest time.Time, err error) {
	err = pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		oldest, err = oldestReport(ctx, tx)
		return err
	})
	return oldest, err
}

// Cut implements [rollup.Shrinkable].
func (db shrinking) Cut(ctx context.Context, until time.Time) error {
	err := db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lockCut); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "UPDATE availability_progress SET reports_from = greatest(reports_from, $1)", until)
		return err
	})
	if err != nil {
		return fmt.Errorf("remember it: %w", err)
	}
	db.cut.Store(until.Unix())
	return inTurn(db.still, db.reportSteps(ctx, until, db.still))
}
