package sqlite

import (
	"context"
	"fmt"
	"time"

	"sitemon/store/internal/history"
	"sitemon/store/internal/ledger"
	"sitemon/store/internal/rollup"
)

const (
	// deletedRows is how many rows a transaction deletes, so that none takes long.
	deletedRows = 5000
	// deletedOfPage is how many of them dirty one more page, about: rows are deleted
	// in their order.
	deletedOfPage = 16
)

// Retain deletes the raw reports and gaps that are older than the retention, and
// sums of 5 minutes and of hours older than theirs; more reports, by whole days, while
// the store is too large. What is deleted has been rolled up before.
// It deletes whole hours, so that most calls find nothing to do.
func (db *DB) Retain(ctx context.Context, now time.Time) (err error) {
	defer wrap(&err, "delete what is older than the retention")
	db.rollup.Lock()
	defer db.rollup.Unlock()
	p, err := db.rollUp(ctx, now)
	if err != nil {
		return fmt.Errorf("roll up: %w", err)
	}
	until := earlier(now.Add(-db.retention).UTC().Truncate(time.Hour), p.Hours)
	if until.After(db.retained) { // whole hours go
		if err := db.retain(ctx, p, until, now); err != nil {
			return err
		}
		db.retained = until
	}
	return db.shrink(ctx, earlier(now.Add(-day), p.Hours))
}

// retain deletes the reports before until and what belongs to them, and sums.
func (db *DB) retain(ctx context.Context, p rollup.Progress, until, now time.Time) error {
	if err := db.deleteReports(ctx, until); err != nil {
		return err
	}
	if err := db.retainHeartbeats(ctx, until, now); err != nil {
		return fmt.Errorf("heartbeats: %w", err)
	}
	for _, sums := range []struct {
		level rollup.Level
		until time.Time
	}{
		{rollup.FiveMinutes, earlier(now.Add(-db.fiveRetention).UTC().Truncate(time.Hour), p.Hours)},
		{rollup.Hours, earlier(now.Add(-db.hourRetention).UTC().Truncate(day), p.Days)},
	} {
		if err := db.retainSums(ctx, sums.level, sums.until); err != nil {
			return fmt.Errorf("%s: %w", sums.level.Table(), err)
		}
	}
	return nil
}

// deleteReports deletes the reports and gaps before until, and what they had seen.
func (db *DB) deleteReports(ctx context.Context, until time.Time) error {
	locations, err := numbers(ctx, db.read, "SELECT id FROM site_locations ORDER BY id")
	if err != nil {
		return err
	}
	if err := db.retainReports(ctx, locations, until); err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	if err := db.retainGaps(ctx, locations, until); err != nil {
		return fmt.Errorf("gaps: %w", err)
	}
	err = db.ledgerWrite(ctx, func(ctx context.Context, tx ledger.Tx) error { return ledger.RetainEvidence(ctx, tx, until) })
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	return nil
}

// retainReports deletes the reports of slots before until. The newest one of them of
// each location is kept while it says something of the time after that.
func (db *DB) retainReports(ctx context.Context, locations []int64, until time.Time) error {
	return db.inSteps(ctx, locations, func(ctx context.Context, l, limit int64) (int64, error) {
		return db.deleted(ctx, `DELETE FROM site_reports WHERE id IN
 (SELECT id FROM site_reports WHERE id >= ?1 AND id < coalesce((SELECT id FROM
   (SELECT id, interval_ms FROM site_reports WHERE id >= ?1 AND id < ?2 ORDER BY id DESC LIMIT 1) WHERE id + interval_ms > ?2), ?2)
  ORDER BY id LIMIT ?3)`, firstID(l), firstID(l)+history.CeilMilli(until), limit)
	})
}

// retainGaps deletes the gaps that end before until.
func (db *DB) retainGaps(ctx context.Context, locations []int64, until time.Time) error {
	return db.inSteps(ctx, locations, func(ctx context.Context, l, limit int64) (int64, error) {
		return db.deleted(ctx, `DELETE FROM site_gaps WHERE site_location_id = ?1 AND from_slot IN
 (SELECT from_slot FROM site_gaps WHERE site_location_id = ?1 AND from_slot < ?2 AND to_slot < ?2 LIMIT ?3)`, l, micros(until), limit)
	})
}

// retainSums deletes the sums of a level before until.
func (db *DB) retainSums(ctx context.Context, level rollup.Level, until time.Time) error {
	table := level.Table()
	return db.eachSlice(ctx, func(ids []int64) error {
		return db.inSteps(ctx, ids, func(ctx context.Context, site, limit int64) (int64, error) {
			return db.deleted(ctx, "DELETE FROM "+table+" WHERE site_id = ?1 AND start IN (SELECT start FROM "+table+
				" WHERE site_id = ?1 AND start < ?2 LIMIT ?3)", site, micros(until), limit)
		})
	})
}

// deleted runs a statement within [DB.write] and says how many rows it deleted.
func (db *DB) deleted(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := db.execResult(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	gone, err := res.RowsAffected()
	db.writes += int(gone) / deletedOfPage
	return gone, err
}

// inSteps deletes the rows of each of keys, with at most deletedRows rows and
// stepKeys keys to a transaction. remove deletes up to limit rows of one key.
func (db *DB) inSteps(ctx context.Context, keys []int64, remove func(ctx context.Context, key, limit int64) (int64, error)) error {
	const stepKeys = 500
	for len(keys) > 0 {
		err := db.write(ctx, func(ctx context.Context) error {
			left := int64(deletedRows)
			for n := 0; len(keys) > 0 && n < stepKeys; n++ {
				gone, err := remove(ctx, keys[0], left)
				if err != nil {
					return err
				}
				if left -= gone; left <= 0 {
					return nil // the key may have more
				}
				keys = keys[1:]
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
