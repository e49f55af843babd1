package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/store/internal/history"
)

const (
	// sliceSites is how many sites are rolled up in one transaction, by their ids.
	sliceSites = 100
	// markBatch is how many marks are looked at together: each late batch leaves
	// some, and most are of the same hours.
	markBatch = 500_000
	// aloneTimeout is when the server takes the turn from a process that it hears no
	// more of.
	aloneTimeout = 2 * time.Minute
)

// Rollup sums up the hours and days up to a minute before now, and again those that
// late reports fell into. It is made for the background, each minute, and does
// nothing while another process is at it. After an error or a kill, the next call,
// of whoever, goes on where it ended.
//
// Correctness does not rest on being alone. The sums of a slice of sites are made
// in one transaction that locks the slice and reads what is in them after that. An
// hour that is not over is added to minute by minute, of all sites and together
// with the progress in one transaction.
func (db *DB) Rollup(ctx context.Context, now time.Time) (err error) {
	defer wrap(&err, "roll up")
	return db.alone(ctx, func(ctx context.Context, still func() error) error {
		_, err := db.rollUp(ctx, now, still)
		return err
	})
}

// alone runs f, unless another process runs one just now. It holds a transaction
// open, which does nothing else, for its lock. f calls still before each of its
// steps; an error says that the lock is lost.
func (db *DB) alone(ctx context.Context, f func(ctx context.Context, still func() error) error) error {
	if err := db.ready(); err != nil {
		return err
	}
	opts := pgx.TxOptions{BeginQuery: fmt.Sprintf("BEGIN READ ONLY; SET LOCAL idle_in_transaction_session_timeout = %d", aloneTimeout.Milliseconds())}
	return pgx.BeginTxFunc(ctx, db.pool, opts, func(tx pgx.Tx) error {
		var mine bool
		if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", lockSums).Scan(&mine); err != nil || !mine {
			return err
		}
		return f(ctx, func() error {
			_, err := tx.Exec(ctx, "SELECT 1")
			return err
		})
	})
}

// rollUp is [DB.Rollup] within [DB.alone], and says how far the sums are.
func (db *DB) rollUp(ctx context.Context, now time.Time, still func() error) (history.Progress, error) {
	s := sums{db, still}
	p, err := s.claim(ctx, history.Claimable(now, time.Minute))
	if err != nil {
		return p, fmt.Errorf("claim time: %w", err)
	}
	if p, err = s.rollParts(ctx, p); err != nil { // an hour that was begun
		return p, fmt.Errorf("parts of hours: %w", err)
	}
	if p, err = history.Rollup(ctx, s, p); err != nil {
		return p, err
	}
	if p, err = s.rollParts(ctx, p); err != nil {
		return p, fmt.Errorf("parts of hours: %w", err)
	}
	return p, s.redoMarked(ctx, now.Add(-db.retention))
}

// sums are the tables of sums.
type sums struct {
	*DB
	still func() error
}

// claim makes every report of a slot before the given moment leave a mark from now
// on. It waits for those who record, as they read under the same lock up to where
// they are to leave marks; and they wait for it, so it waits shortly at first.
func (db sums) claim(ctx context.Context, until time.Time) (p history.Progress, err error) {
	if p, err = readProgress(ctx, db.pool); err != nil || !p.Claimed.Before(until) {
		return p, err
	}
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		p, err = db.tryClaim(ctx, until, wait)
		if code(err) != codeNoLock || wait >= 2*time.Second {
			return p, err
		}
		if err := sleep(ctx, wait); err != nil {
			return p, err
		}
	}
}

func (db *DB) tryClaim(ctx context.Context, until time.Time, wait time.Duration) (p history.Progress, err error) {
	err = db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", wait.Milliseconds())); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lockRollup); err != nil {
			return err
		}
		if p, err = readProgress(ctx, tx); err != nil || !p.Claimed.Before(until) {
			return err
		}
		oldest := time.Time{}
		if p.Claimed.IsZero() {
			if oldest, err = oldestReport(ctx, tx); err != nil {
				return err
			}
		}
		p = p.Claim(until, oldest)
		_, err := tx.Exec(ctx, `INSERT INTO availability_progress (id, hours, parts, days, claimed) VALUES (1, $1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET claimed = excluded.claimed`, p.Hours, p.Parts, p.Days, p.Claimed)
		return err
	})
	return p, err
}

// oldestReport returns the slot of the oldest report; zero where there is none.
func oldestReport(ctx context.Context, tx pgx.Tx) (oldest time.Time, err error) {
	err = tx.QueryRow(ctx, `SELECT r.slot FROM site_locations l
CROSS JOIN LATERAL (SELECT slot FROM site_reports WHERE site_location_id = l.id ORDER BY slot LIMIT 1) r
ORDER BY r.slot LIMIT 1`).Scan(&oldest)
	if errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, nil
	}
	return oldest.UTC(), err
}

// Advance implements [history.Sums].
func (db sums) Advance(ctx context.Context, p history.Progress) error {
	return db.write(ctx, func(ctx context.Context, tx pgx.Tx) error { return advance(ctx, tx, p) })
}

func advance(ctx context.Context, tx pgx.Tx, p history.Progress) error {
	_, err := tx.Exec(ctx, "UPDATE availability_progress SET hours = greatest(hours, $1), parts = greatest(parts, $2), days = greatest(days, $3)",
		p.Hours, p.Parts, p.Days)
	return err
}

// slices calls f for each slice of sites that have reports.
func (db sums) slices(ctx context.Context, f func(slice int64) error) error {
	rows, err := db.pool.Query(ctx, "SELECT DISTINCT site_id / $1 FROM site_locations ORDER BY 1", sliceSites)
	if err != nil {
		return err
	}
	slices, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	for _, slice := range slices {
		if err := db.still(); err != nil {
			return err
		}
		if err := f(slice); err != nil {
			return err
		}
	}
	return nil
}

// inSlice runs f in a transaction in which nobody else changes the sums of a slice
// of sites. What f reads has been committed after whoever was here before.
func (db sums) inSlice(ctx context.Context, slice int64, f func(ctx context.Context, tx pgx.Tx) error) error {
	return db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock_shared($1)", lockParts); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, $2)", lockSlice, int32(slice)); err != nil {
			return err
		}
		return f(ctx, tx)
	})
}

// sitesOf lists the sites of a slice that have reports.
func sitesOf(ctx context.Context, tx pgx.Tx, slice int64) ([]int64, error) {
	rows, err := tx.Query(ctx, "SELECT DISTINCT site_id FROM site_locations WHERE site_id >= $1 AND site_id < $2 ORDER BY site_id",
		slice*sliceSites, (slice+1)*sliceSites)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// RollHours implements [history.Sums].
func (db sums) RollHours(ctx context.Context, from, to time.Time) error {
	return db.slices(ctx, func(slice int64) error {
		return db.inSlice(ctx, slice, func(ctx context.Context, tx pgx.Tx) error {
			sites, err := sitesOf(ctx, tx, slice)
			if err != nil {
				return err
			}
			return sumHours(ctx, tx, sites, from, to)
		})
	})
}

// sumHours makes the sums of the hours in [from, to) of some sites.
func sumHours(ctx context.Context, tx pgx.Tx, sites []int64, from, to time.Time) error {
	hours, err := history.SumHours(ctx, rawOf(tx), sites, from, to)
	if err != nil {
		return err
	}
	return saveHours(ctx, tx, "availability_1h", hours, replaceSum)
}

// saveHours writes sums of hours to a table; conflict says what to do with those
// that are there.
func saveHours(ctx context.Context, tx pgx.Tx, table string, hours []history.Hour, conflict string) error {
	if len(hours) == 0 {
		return nil
	}
	var starts []time.Time
	var columns [8][]int64
	for _, h := range hours {
		starts = append(starts, h.Start)
		for i, v := range [...]int64{
			h.Site, h.Sum.Up.Milliseconds(), h.Sum.Degraded.Milliseconds(), h.Sum.Down.Milliseconds(),
			int64(h.Sum.Reports), int64(h.Sum.Timed), h.Sum.Total.Microseconds(), h.Sum.Max.Microseconds(),
		} {
			columns[i] = append(columns[i], v)
		}
	}
	_, err := tx.Exec(ctx, "INSERT INTO "+table+" AS a (start, "+sumColumns+`)
SELECT * FROM unnest($1::timestamptz[], $2::int[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[], $8::bigint[], $9::bigint[])
`+conflict, starts, columns[0], columns[1], columns[2], columns[3], columns[4], columns[5], columns[6], columns[7])
	return err
}

const (
	sumColumns = "site_id, up_ms, degraded_ms, down_ms, reports, timed, latency_sum_us, latency_max_us"
	// replaceSum puts a sum in the place of one of the same time.
	replaceSum = `ON CONFLICT (site_id, start) DO UPDATE SET up_ms = excluded.up_ms, degraded_ms = excluded.degraded_ms,
 down_ms = excluded.down_ms, reports = excluded.reports, timed = excluded.timed,
 latency_sum_us = excluded.latency_sum_us, latency_max_us = excluded.latency_max_us`
)

// RollDay implements [history.Sums].
func (db sums) RollDay(ctx context.Context, start time.Time) error {
	return db.slices(ctx, func(slice int64) error {
		return db.inSlice(ctx, slice, func(ctx context.Context, tx pgx.Tx) error {
			sites, err := sitesOf(ctx, tx, slice)
			if err != nil {
				return err
			}
			return sumDay(ctx, tx, sites, start)
		})
	})
}

// sumDay makes the sums of a day of some sites from those of its hours.
func sumDay(ctx context.Context, tx pgx.Tx, sites []int64, start time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO availability_1d (start, `+sumColumns+`)
SELECT $2, site_id, sum(up_ms), sum(degraded_ms), sum(down_ms), sum(reports), sum(timed), sum(latency_sum_us), max(latency_max_us)
FROM availability_1h WHERE site_id = ANY ($1) AND start >= $2 AND start < $3 GROUP BY site_id
`+replaceSum, sites, start, start.Add(day))
	return err
}
