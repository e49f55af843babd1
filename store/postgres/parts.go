package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/availability"
	"sitemon/store/internal/history"
)

// partStep is how much is added to the hour that is not over in one transaction.
const partStep = 5 * time.Minute

// addPart adds to the sum of a site's hour, or begins another hour.
const addPart = `ON CONFLICT (site_id) DO UPDATE SET start = excluded.start,
 up_ms = excluded.up_ms + CASE WHEN a.start = excluded.start THEN a.up_ms ELSE 0 END,
 degraded_ms = excluded.degraded_ms + CASE WHEN a.start = excluded.start THEN a.degraded_ms ELSE 0 END,
 down_ms = excluded.down_ms + CASE WHEN a.start = excluded.start THEN a.down_ms ELSE 0 END,
 reports = excluded.reports + CASE WHEN a.start = excluded.start THEN a.reports ELSE 0 END,
 timed = excluded.timed + CASE WHEN a.start = excluded.start THEN a.timed ELSE 0 END,
 latency_sum_us = excluded.latency_sum_us + CASE WHEN a.start = excluded.start THEN a.latency_sum_us ELSE 0 END,
 latency_max_us = greatest(excluded.latency_max_us, CASE WHEN a.start = excluded.start THEN a.latency_max_us ELSE 0 END)`

// rollParts adds to the sums of the hour that is not over, as far as has been
// claimed. An hour that was not begun before it was over is made as a whole.
func (db sums) rollParts(ctx context.Context, p history.Progress) (history.Progress, error) {
	for p.Parts.Before(p.Claimed) {
		if err := db.still(); err != nil {
			return p, err
		}
		next, err := db.rollPart(ctx)
		if err != nil || !next.Parts.After(p.Parts) {
			return p, err
		}
		p = next
	}
	return p, nil
}

// rollPart adds the next part, and returns the progress then. Meanwhile nobody else
// changes sums.
func (db *DB) rollPart(ctx context.Context) (p history.Progress, err error) {
	err = db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lockParts); err != nil {
			return err
		}
		if p, err = readProgress(ctx, tx); err != nil {
			return err
		}
		over := p.Hours.Add(time.Hour)
		if !p.Claimed.Before(over) && p.Parts.Equal(p.Hours) {
			return nil
		}
		end := p.Parts.Add(partStep)
		for _, limit := range []time.Time{over, p.Claimed} {
			if limit.Before(end) {
				end = limit
			}
		}
		if err := addParts(ctx, tx, p.Parts, end); err != nil {
			return err
		}
		if p.Parts = end; end.Equal(over) {
			if err := finishHour(ctx, tx, p.Hours); err != nil {
				return err
			}
			p.Hours = over
		}
		return advance(ctx, tx, p)
	})
	return p, err
}

// addParts adds what the reports say of [from, to), a part of an hour.
func addParts(ctx context.Context, tx pgx.Tx, from, to time.Time) error {
	rows, err := tx.Query(ctx, "SELECT DISTINCT site_id FROM site_locations")
	if err != nil {
		return err
	}
	sites, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	hours, err := history.SumHours(ctx, rawOf(tx), sites, from, to)
	if err != nil {
		return err
	}
	return saveHours(ctx, tx, "availability_part", hours, addPart)
}

// finishHour makes the hour that is over one like all others.
func finishHour(ctx context.Context, tx pgx.Tx, start time.Time) error {
	_, err := tx.Exec(ctx, "INSERT INTO availability_1h (start, "+sumColumns+") SELECT start, "+sumColumns+
		" FROM availability_part WHERE start = $1 ORDER BY site_id "+replaceSum, start)
	return err
}

// rawOf reads reports in a transaction.
func rawOf(tx pgx.Tx) history.Reports {
	return func(ctx context.Context, sites []int64, from, to time.Time, f func(int64, []availability.Report)) error {
		return eachRaw(ctx, tx, sites, from, to, f)
	}
}
