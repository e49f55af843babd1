package sqlite

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"sitemon/availability"
	"sitemon/store/internal/rollup"
)

const (
	day = 24 * time.Hour
	// rollupSites is how many sites are rolled up between two transactions.
	rollupSites = 100
	// savedRows is how many sums a transaction writes at most.
	savedRows = 2000
)

// Rollup sums up the 5 minutes, hours and days that are over by now, and again those
// that late reports fell into. It is made for the background: it reads beside the
// writer and writes in short transactions. After an error or a kill, the next call
// goes on where it ended.
func (db *DB) Rollup(ctx context.Context, now time.Time) (err error) {
	defer wrap(&err, "roll up")
	db.rollup.Lock()
	defer db.rollup.Unlock()
	_, err = db.rollUp(ctx, now)
	return err
}

// rollUp is [DB.Rollup] with the lock held, and says how far the sums are.
func (db *DB) rollUp(ctx context.Context, now time.Time) (rollup.Progress, error) {
	p, err := db.claim(ctx, rollup.Claimable(now))
	if err != nil {
		return p, err
	}
	if p, err = rollup.Rollup(ctx, sums{db}, p, now.Add(-db.fiveRetention)); err != nil {
		return p, err
	}
	return p, db.rollMarks(ctx, p, now)
}

// claim makes every report of a slot before the given moment leave a mark from now
// on.
func (db *DB) claim(ctx context.Context, until time.Time) (p rollup.Progress, err error) {
	err = db.write(ctx, func(ctx context.Context) error {
		if p, err = readProgress(ctx, db.conn); err != nil {
			return err
		}
		if !p.Claimed.Before(until) {
			return nil
		}
		oldest := time.Time{}
		if p.Claimed.IsZero() {
			if oldest, err = oldestReport(ctx, db.conn); err != nil {
				return err
			}
		}
		p = p.Claim(until, oldest)
		db.state.claimed = micros(p.Claimed)
		return db.exec(ctx, `INSERT INTO availability_progress (id, "begin", fives, hours, days, claimed) VALUES (1, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET claimed = excluded.claimed`, micros(p.Begin), micros(p.Fives), micros(p.Hours), micros(p.Days), micros(p.Claimed))
	})
	return p, err
}

func readProgress(ctx context.Context, q querier) (p rollup.Progress, err error) {
	err = each(ctx, q, `SELECT "begin", fives, hours, days, claimed, reports_from FROM availability_progress`, nil, func(row scanner) error {
		var at [6]int64
		err := row.Scan(&at[0], &at[1], &at[2], &at[3], &at[4], &at[5])
		p = rollup.Progress{
			Begin: moment(at[0]), Fives: moment(at[1]), Hours: moment(at[2]), Days: moment(at[3]), Claimed: moment(at[4]), Cut: moment(at[5]),
		}
		return err
	})
	return p, err
}

// oldestReport returns the slot of the oldest report; zero where there is none.
func oldestReport(ctx context.Context, q querier) (oldest time.Time, err error) {
	err = each(ctx, q, `SELECT min(r.id & 0x3ffffffffff) FROM site_locations l
JOIN site_reports r ON r.id = (SELECT min(id) FROM site_reports WHERE id >= l.id << 42 AND id < (l.id + 1) << 42)`, nil,
		func(row scanner) error {
			var ms *int64
			err := row.Scan(&ms)
			if ms != nil {
				oldest = time.UnixMilli(*ms).UTC()
			}
			return err
		})
	return oldest, err
}

// sums are the tables of sums.
type sums struct{ *DB }

// Advance implements [rollup.Sums].
func (db sums) Advance(ctx context.Context, p rollup.Progress) error {
	return db.write(ctx, func(ctx context.Context) error {
		return db.exec(ctx, `UPDATE availability_progress SET "begin" = ?, fives = ?, hours = ?, days = ?`,
			micros(p.Begin), micros(p.Fives), micros(p.Hours), micros(p.Days))
	})
}

// FromReports implements [rollup.Sums].
func (db sums) FromReports(ctx context.Context, level rollup.Level, from, to time.Time) error {
	return db.eachSlice(ctx, func(ids []int64) error {
		rows, err := db.gather(ctx, rollup.Task{Level: level, Window: availability.Window{From: from, To: to}, Reports: true}, ids)
		if err != nil {
			return err
		}
		return db.save(ctx, level, rows)
	})
}

// FromRows implements [rollup.Sums].
func (db sums) FromRows(ctx context.Context, level rollup.Level, from, to time.Time) error {
	return db.eachSlice(ctx, func(ids []int64) error {
		rows, err := db.gather(ctx, rollup.Task{Level: level, Window: availability.Window{From: from, To: to}}, ids)
		if err != nil {
			return err
		}
		return db.save(ctx, level, rows)
	})
}

// gather makes the sums of a task of some sites, sorted, beside the writer.
func (db sums) gather(ctx context.Context, t rollup.Task, ids []int64) (rows []rollup.Row, err error) {
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	if t.Reports {
		return rollup.SumReports(ctx, past{tx}, t.Level, ids, t.From, t.To)
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	err = eachSum(ctx, tx, t.Level-1, "site_id IN (SELECT value FROM json_each(?)) AND start >= ? AND start < ?",
		[]any{string(list), micros(t.From), micros(t.To)}, func(r rollup.Row) { rows = append(rows, r) })
	return rollup.SumRows(t.Level, rows), err
}

// eachSlice calls f with all sites that have reports or maintenance, a slice of them
// at a time.
func (db *DB) eachSlice(ctx context.Context, f func(ids []int64) error) error {
	last := int64(0)
	for {
		ids, err := numbers(ctx, db.read, `SELECT id FROM site_names n WHERE id > ? AND (EXISTS (SELECT 1 FROM site_locations WHERE site_id = n.id)
 OR EXISTS (SELECT 1 FROM site_maintenance WHERE site_id = n.id)) ORDER BY id LIMIT ?`, last, rollupSites)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := f(ids); err != nil {
			return err
		}
		last = ids[len(ids)-1]
	}
}

// save writes sums, in the place of those that are there.
func (db *DB) save(ctx context.Context, level rollup.Level, rows []rollup.Row) error {
	for some := range slices.Chunk(rows, savedRows) {
		if err := db.write(ctx, func(ctx context.Context) error { return db.saveRows(ctx, level, some) }); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) saveRows(ctx context.Context, level rollup.Level, rows []rollup.Row) error {
	columns := strings.Count(sumColumns, ",") + 3
	query := "INSERT OR REPLACE INTO " + level.Table() + " (site_id, start, " + sumColumns + ") VALUES (?" + strings.Repeat(", ?", columns-1) + ")"
	for _, r := range rows {
		if err := db.exec(ctx, query, append([]any{r.Site, micros(r.Start)}, sumValues(r.Sum)...)...); err != nil {
			return err
		}
	}
	return nil
}
