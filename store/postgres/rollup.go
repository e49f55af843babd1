package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/store/internal/rollup"
)

const (
	// sliceSites is how many sites are rolled up in one transaction, by their ids.
	sliceSites = 100
	// stepReports is how many reports a transaction reads, about.
	stepReports = 300_000
	// aloneTimeout is when the server takes the turn from a process that it hears no
	// more of.
	aloneTimeout = 2 * time.Minute
)

// Rollup sums up the 5 minutes, hours and days that are over for a minute by now,
// and again those that late reports fell into. It is made for the background, each
// minute, and does nothing while another process is at it. After an error or a
// kill, the next call, of whoever, goes on where it ended.
//
// Correctness does not rest on being alone. Sums of a slice of sites are made in
// transactions that lock the slice and read what is in them after that: from the
// reports, or from finer sums, which have been made or made again before.
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
func (db *DB) rollUp(ctx context.Context, now time.Time, still func() error) (rollup.Progress, error) {
	s := sums{db, still}
	p, err := s.claim(ctx, rollup.Claimable(now))
	if err != nil {
		return p, fmt.Errorf("claim time: %w", err)
	}
	if p, err = rollup.Rollup(ctx, s, p, now.Add(-db.keep.FiveMinutes)); err != nil {
		return p, err
	}
	if err := s.redoMarked(ctx, now); err != nil {
		return p, fmt.Errorf("what came late: %w", err)
	}
	return p, nil
}

// sums are the tables of sums.
type sums struct {
	*DB
	still func() error
}

// claim makes every report of a slot before the given moment leave a mark from now
// on. It waits for those who record, as they read under the same lock up to where
// they are to leave marks; and they wait for it, so it waits shortly at first.
func (db sums) claim(ctx context.Context, until time.Time) (p rollup.Progress, err error) {
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

func (db *DB) tryClaim(ctx context.Context, until time.Time, wait time.Duration) (p rollup.Progress, err error) {
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
		_, err := tx.Exec(ctx, `INSERT INTO availability_progress (id, "begin", fives, hours, days, claimed) VALUES (1, $1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET claimed = excluded.claimed`, p.Begin, p.Fives, p.Hours, p.Days, p.Claimed)
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

// Advance implements [rollup.Sums]. Whoever has lost its turn turns nothing back.
func (db sums) Advance(ctx context.Context, p rollup.Progress) error {
	return db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE availability_progress SET "begin" = greatest("begin", $1), fives = greatest(fives, $2),
 hours = greatest(hours, $3), days = greatest(days, $4)`, p.Begin, p.Fives, p.Hours, p.Days)
		return err
	})
}

// slice is a slice of sites by their ids.
type slice struct {
	number int64
	sites  []int64 // that have reports
	rate   float64 // how many reports there are of it in an hour, about
}

// slices lists the slices of sites that have reports.
func (db sums) slices(ctx context.Context) (all []slice, err error) {
	err = eachRow(ctx, db.pool, `SELECT site_id / $1, array_agg(DISTINCT site_id), sum(3600000.0 / greatest(interval_ms, 1))::float8
FROM site_locations GROUP BY 1 ORDER BY 1`, []any{sliceSites}, func(row pgx.Rows) error {
		var s slice
		err := row.Scan(&s.number, &s.sites, &s.rate)
		all = append(all, s)
		return err
	})
	return all, err
}

// lock begins a change of the sums of a slice, as its transaction goes on: nobody
// else changes them, and what is read has been committed after whoever did so
// before. Nothing is lost with a commit that is not flushed: it is before the one
// that says that it was done.
func (s slice) lock(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = off"); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, $2)", lockSlice, int32(s.number))
	return err
}

// step is how much time of some sites of a slice is summed up from their reports in
// one transaction.
func (s slice) step(sites int, level rollup.Level) time.Duration {
	rate := s.rate * float64(sites) / float64(max(len(s.sites), 1))
	hours := min(stepReports/max(rate, 1), 7*24)
	return max(time.Duration(hours*float64(time.Hour)).Truncate(level.Width()), level.Width())
}

// FromReports implements [rollup.Sums].
func (db sums) FromReports(ctx context.Context, level rollup.Level, from, to time.Time) error {
	return db.inSlices(ctx, from, to, func(s slice) time.Duration { return s.step(len(s.sites), level) },
		func(ctx context.Context, tx pgx.Tx, s slice, from, to time.Time) error {
			return sumReports(ctx, tx, level, s.sites, from, to)
		})
}

// FromRows implements [rollup.Sums].
func (db sums) FromRows(ctx context.Context, level rollup.Level, from, to time.Time) error {
	return db.inSlices(ctx, from, to, func(slice) time.Duration { return to.Sub(from) },
		func(ctx context.Context, tx pgx.Tx, s slice, from, to time.Time) error {
			return sumRows(ctx, tx, level, s.sites, from, to)
		})
}

// inSlices runs do for each slice in transactions of their own that lock it, for
// one step of the time in [from, to) after the other.
func (db sums) inSlices(ctx context.Context, from, to time.Time, step func(slice) time.Duration,
	do func(ctx context.Context, tx pgx.Tx, s slice, from, to time.Time) error,
) error {
	slices, err := db.slices(ctx)
	if err != nil {
		return err
	}
	for _, s := range slices {
		for at := from; at.Before(to); {
			if err := db.still(); err != nil {
				return err
			}
			end := earlier(at.Add(step(s)), to)
			err := db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
				if err := s.lock(ctx, tx); err != nil {
					return err
				}
				return do(ctx, tx, s, at, end)
			})
			if err != nil {
				return err
			}
			at = end
		}
	}
	return nil
}

// sumReports makes the sums of a level of some sites from their reports.
func sumReports(ctx context.Context, tx pgx.Tx, level rollup.Level, sites []int64, from, to time.Time) error {
	rows, err := rollup.SumReports(ctx, past{tx}, level, sites, from, to)
	if err != nil {
		return err
	}
	return saveSums(ctx, tx, level, rows)
}

// sumRows makes the sums of a level of some sites from those of the level below.
func sumRows(ctx context.Context, tx pgx.Tx, level rollup.Level, sites []int64, from, to time.Time) error {
	var rows []rollup.Row
	err := eachSum(ctx, tx, level-1, sites, []time.Time{from}, []time.Time{to}, func(r *rollup.Row) { rows = append(rows, *r) })
	if err != nil {
		return err
	}
	return saveSums(ctx, tx, level, rollup.SumRows(level, rows))
}
