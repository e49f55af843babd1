package sqlite

import (
	"context"
	"time"

	"sitemon/availability"
	"sitemon/store/internal/history"
)

const (
	day = 24 * time.Hour
	// rollupSites is how many sites are rolled up between two transactions.
	rollupSites = 100
)

// Rollup sums up the hours and days that are over by now, and again those that
// late reports fell into. It is made for the background: it reads beside the
// writer and writes in short transactions. After an error or a kill, the next
// call goes on where it ended.
func (db *DB) Rollup(ctx context.Context, now time.Time) (err error) {
	defer wrap(&err, "roll up")
	db.rollup.Lock()
	defer db.rollup.Unlock()
	_, err = db.rollUp(ctx, now)
	return err
}

// rollUp is [DB.Rollup] with the lock held, and says how far the sums are.
func (db *DB) rollUp(ctx context.Context, now time.Time) (history.Progress, error) {
	p, err := db.claim(ctx, history.Claimable(now, time.Hour))
	if err != nil {
		return p, err
	}
	if p, err = history.Rollup(ctx, sums{db}, p); err != nil {
		return p, err
	}
	return p, db.rollMarks(ctx, p, now)
}

// claim makes every report of an hour before the given one leave a mark from now
// on.
func (db *DB) claim(ctx context.Context, hour time.Time) (p history.Progress, err error) {
	err = db.write(ctx, func(ctx context.Context) error {
		if p, err = readProgress(ctx, db.conn); err != nil {
			return err
		}
		if !p.Claimed.Before(hour) {
			return nil
		}
		oldest := time.Time{}
		if p.Claimed.IsZero() {
			if oldest, err = oldestReport(ctx, db.conn); err != nil {
				return err
			}
		}
		p = p.Claim(hour, oldest)
		db.state.claimed = micros(p.Claimed)
		return db.exec(ctx, `INSERT INTO availability_progress (id, hours, days, claimed) VALUES (1, ?, ?, ?)
ON CONFLICT DO UPDATE SET claimed = excluded.claimed`, micros(p.Hours), micros(p.Days), micros(p.Claimed))
	})
	return p, err
}

// sums are the tables of sums.
type sums struct{ *DB }

func readProgress(ctx context.Context, q querier) (p history.Progress, err error) {
	err = each(ctx, q, "SELECT hours, days, claimed FROM availability_progress", nil, func(row scanner) error {
		var hours, days, claimed int64
		err := row.Scan(&hours, &days, &claimed)
		p = history.Progress{Hours: moment(hours), Days: moment(days), Claimed: moment(claimed)}
		return err
	})
	return p, err
}

// Advance implements [history.Sums].
func (db sums) Advance(ctx context.Context, p history.Progress) error {
	return db.write(ctx, func(ctx context.Context) error {
		return db.exec(ctx, "UPDATE availability_progress SET hours = ?, days = ?", micros(p.Hours), micros(p.Days))
	})
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

// RollHours implements [history.Sums].
func (db sums) RollHours(ctx context.Context, from, to time.Time) error {
	return db.eachSlice(ctx, func(ids []int64) error {
		rows, err := db.sumHours(ctx, ids, from, to)
		if err != nil || len(rows) == 0 {
			return err
		}
		return db.write(ctx, func(ctx context.Context) error { return db.saveHours(ctx, rows) })
	})
}

// eachSlice calls f with all sites that have reports, a slice of them at a time.
func (db *DB) eachSlice(ctx context.Context, f func(ids []int64) error) error {
	last := int64(0)
	for {
		ids, err := numbers(ctx, db.read, "SELECT DISTINCT site_id FROM site_locations WHERE site_id > ? ORDER BY site_id LIMIT ?",
			last, rollupSites)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := f(ids); err != nil {
			return err
		}
		last = ids[len(ids)-1]
	}
}

func (db *DB) sumHours(ctx context.Context, ids []int64, from, to time.Time) ([]history.Hour, error) {
	return history.SumHours(ctx, func(ctx context.Context, sites []int64, from, to time.Time, f func(int64, []availability.Report)) error {
		return eachRaw(ctx, db.read, sites, from, to, f)
	}, ids, from, to)
}

func (db *DB) saveHours(ctx context.Context, rows []history.Hour) error {
	for _, r := range rows {
		err := db.exec(ctx, `INSERT INTO availability_1h (site_id, start, up_ms, degraded_ms, down_ms, reports, timed, latency_sum_us, latency_max_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET up_ms = excluded.up_ms, degraded_ms = excluded.degraded_ms,
 down_ms = excluded.down_ms, reports = excluded.reports, timed = excluded.timed,
 latency_sum_us = excluded.latency_sum_us, latency_max_us = excluded.latency_max_us`,
			r.Site, micros(r.Start), r.Sum.Up.Milliseconds(), r.Sum.Degraded.Milliseconds(), r.Sum.Down.Milliseconds(),
			r.Sum.Reports, r.Sum.Timed, r.Sum.Total.Microseconds(), r.Sum.Max.Microseconds())
		if err != nil {
			return err
		}
	}
	return nil
}

// RollDay implements [history.Sums].
func (db sums) RollDay(ctx context.Context, start time.Time) error {
	return db.eachSlice(ctx, func(ids []int64) error {
		return db.write(ctx, func(ctx context.Context) error {
			for _, id := range ids {
				if err := db.sumDay(ctx, id, start); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func (db *DB) sumDay(ctx context.Context, site int64, start time.Time) error {
	return db.exec(ctx, `INSERT OR REPLACE INTO availability_1d
SELECT site_id, ?2, sum(up_ms), sum(degraded_ms), sum(down_ms), sum(reports), sum(timed), sum(latency_sum_us), max(latency_max_us)
FROM availability_1h WHERE site_id = ?1 AND start >= ?2 AND start < ?3 GROUP BY site_id`,
		site, micros(start), micros(start.Add(day)))
}

// mark is a row of availability_marks.
type mark struct{ id, site, start int64 }

// rollMarks computes again what late reports fell into.
func (db *DB) rollMarks(ctx context.Context, p history.Progress, now time.Time) error {
	for {
		var marks []mark
		err := each(ctx, db.read, "SELECT id, site_id, start FROM availability_marks ORDER BY id LIMIT ?", []any{rollupSites},
			func(row scanner) error {
				var m mark
				err := row.Scan(&m.id, &m.site, &m.start)
				marks = append(marks, m)
				return err
			})
		if err != nil || len(marks) == 0 {
			return err
		}
		if err := db.redo(ctx, p, marks, now.Add(-db.retention)); err != nil {
			return err
		}
	}
}

// redo computes marked hours again, with their days, and takes the marks away.
// Of an hour whose reports are partly gone the old sums are better.
func (db *DB) redo(ctx context.Context, p history.Progress, marks []mark, oldest time.Time) error {
	sums := map[mark][]history.Hour{}
	for _, m := range marks {
		hour := mark{site: m.site, start: m.start}
		start := moment(m.start)
		if _, ok := sums[hour]; ok || start.Before(oldest) {
			continue
		}
		rows, err := db.sumHours(ctx, []int64{m.site}, start, start.Add(time.Hour))
		if err != nil {
			return err
		}
		sums[hour] = rows
	}
	return db.write(ctx, func(ctx context.Context) error {
		for m, rows := range sums {
			err := db.exec(ctx, "DELETE FROM availability_1h WHERE site_id = ? AND start = ?", m.site, m.start)
			if err != nil {
				return err
			}
			if err := db.saveHours(ctx, rows); err != nil {
				return err
			}
			d := moment(m.start).Truncate(day)
			if !d.Before(p.Days) {
				continue
			}
			if err := db.exec(ctx, "DELETE FROM availability_1d WHERE site_id = ? AND start = ?", m.site, micros(d)); err != nil {
				return err
			}
			if err := db.sumDay(ctx, m.site, d); err != nil {
				return err
			}
		}
		return db.exec(ctx, "DELETE FROM availability_marks WHERE id <= ?", marks[len(marks)-1].id)
	})
}
