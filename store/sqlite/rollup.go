package sqlite

import (
	"context"
	"encoding/json"
	"time"

	"sitemon/availability"
)

const (
	day = 24 * time.Hour
	// rollupDelay is how long after its end an hour is rolled up. Reports that
	// come later are late: they leave marks.
	rollupDelay = time.Minute
	// rollupSites is how many sites are rolled up between two transactions, and
	// rollupHours how many hours of them.
	rollupSites = 100
	rollupHours = 6
)

// progress is the row of availability_progress.
type progress struct{ hours, days, claimed time.Time }

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
func (db *DB) rollUp(ctx context.Context, now time.Time) (progress, error) {
	p, err := db.claim(ctx, now.Add(-rollupDelay).UTC().Truncate(time.Hour))
	if err != nil {
		return p, err
	}
	for p.hours.Before(p.claimed) {
		end := earlier(p.hours.Add(rollupHours*time.Hour), p.claimed)
		if err := db.rollHours(ctx, p.hours, end); err != nil {
			return p, err
		}
		if err := db.advanceProgress(ctx, "UPDATE availability_progress SET hours = ?", end); err != nil {
			return p, err
		}
		p.hours = end
	}
	for next := p.days.Add(day); !next.After(p.hours); next = p.days.Add(day) {
		if err := db.rollDay(ctx, p.days); err != nil {
			return p, err
		}
		if err := db.advanceProgress(ctx, "UPDATE availability_progress SET days = ?", next); err != nil {
			return p, err
		}
		p.days = next
	}
	return p, db.rollMarks(ctx, p, now)
}

// claim makes every report of an hour before the given one leave a mark from now
// on, so that none can slip in while its hour is rolled up.
func (db *DB) claim(ctx context.Context, hour time.Time) (p progress, err error) {
	err = db.write(ctx, func(ctx context.Context) error {
		if p, err = readProgress(ctx, db.conn); err != nil {
			return err
		}
		if !p.claimed.Before(hour) {
			return nil
		}
		if p.claimed.IsZero() {
			oldest, err := oldestReport(ctx, db.conn)
			if err != nil {
				return err
			}
			p.hours = hour
			if !oldest.IsZero() && oldest.Before(hour) {
				p.hours = oldest.Truncate(time.Hour)
			}
			p.days = p.hours.Truncate(day)
		}
		p.claimed = hour
		db.state.claimed = micros(hour)
		return db.exec(ctx, `INSERT INTO availability_progress (id, hours, days, claimed) VALUES (1, ?, ?, ?)
ON CONFLICT DO UPDATE SET claimed = excluded.claimed`, micros(p.hours), micros(p.days), micros(p.claimed))
	})
	return p, err
}

func readProgress(ctx context.Context, q querier) (p progress, err error) {
	err = each(ctx, q, "SELECT hours, days, claimed FROM availability_progress", nil, func(row scanner) error {
		var hours, days, claimed int64
		err := row.Scan(&hours, &days, &claimed)
		p = progress{moment(hours), moment(days), moment(claimed)}
		return err
	})
	return p, err
}

func (db *DB) advanceProgress(ctx context.Context, update string, to time.Time) error {
	return db.write(ctx, func(ctx context.Context) error { return db.exec(ctx, update, micros(to)) })
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

// rollup is a row of availability_1h or availability_1d.
type rollup struct {
	site  int64
	start time.Time
	sum   availability.Sum
}

// rollHours computes the hours in [from, to) of all sites.
func (db *DB) rollHours(ctx context.Context, from, to time.Time) error {
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

// sumHours sums up the hours in [from, to) of some sites from their reports.
// Hours without any have no row.
func (db *DB) sumHours(ctx context.Context, ids []int64, from, to time.Time) (rows []rollup, err error) {
	edges := []time.Time{from}
	for h := from.Add(time.Hour); !h.After(to); h = h.Add(time.Hour) {
		edges = append(edges, h)
	}
	err = eachRaw(ctx, db.read, ids, from, to, func(site int64, reports []availability.Report) {
		for _, span := range availability.Spans(edges, availability.Options{}, reports) {
			if span.Sum.Reports > 0 || span.Sum.Known() > 0 {
				rows = append(rows, rollup{site, span.From, span.Sum})
			}
		}
	})
	return rows, err
}

func (db *DB) saveHours(ctx context.Context, rows []rollup) error {
	for _, r := range rows {
		err := db.exec(ctx, `INSERT INTO availability_1h (site_id, start, up_ms, degraded_ms, down_ms, reports, timed, latency_sum_us, latency_max_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET up_ms = excluded.up_ms, degraded_ms = excluded.degraded_ms,
 down_ms = excluded.down_ms, reports = excluded.reports, timed = excluded.timed,
 latency_sum_us = excluded.latency_sum_us, latency_max_us = excluded.latency_max_us`,
			r.site, micros(r.start), r.sum.Up.Milliseconds(), r.sum.Degraded.Milliseconds(), r.sum.Down.Milliseconds(),
			r.sum.Reports, r.sum.Timed, r.sum.Total.Microseconds(), r.sum.Max.Microseconds())
		if err != nil {
			return err
		}
	}
	return nil
}

// rollDay makes the rows of a day from those of its hours.
func (db *DB) rollDay(ctx context.Context, start time.Time) error {
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
func (db *DB) rollMarks(ctx context.Context, p progress, now time.Time) error {
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
func (db *DB) redo(ctx context.Context, p progress, marks []mark, oldest time.Time) error {
	sums := map[mark][]rollup{}
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
			if !d.Before(p.days) {
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

// eachRaw reads the reports of sites that say something of the time in
// [from, to), and calls f for each site that has any. The slice is used again.
func eachRaw(ctx context.Context, q querier, ids []int64, from, to time.Time, f func(site int64, reports []availability.Report)) error {
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	var reports []availability.Report
	current := int64(0)
	err = each(ctx, q, `SELECT l.site_id, r.id, r.interval_ms, r.outcome, r.duration_us
FROM json_each(?1) AS j CROSS JOIN site_locations l ON l.site_id = j.value CROSS JOIN site_reports r
 ON r.id >= coalesce((SELECT max(id) FROM site_reports WHERE id >= l.id << 42 AND id < (l.id << 42) + ?2), (l.id << 42) + ?2)
 AND r.id < (l.id << 42) + ?3`, []any{string(list), ceilMilli(from), ceilMilli(to)}, func(row scanner) error {
		var site, id, ms, outcome, us int64
		if err := row.Scan(&site, &id, &ms, &outcome, &us); err != nil {
			return err
		}
		if site != current && len(reports) > 0 {
			f(current, reports)
			reports = reports[:0]
		}
		current = site
		reports = append(reports, availability.Report{
			Location: id >> slotBits, Slot: slotOf(id), Interval: time.Duration(ms) * time.Millisecond,
			Outcome: outcomeOf(outcome), Duration: time.Duration(us) * time.Microsecond,
		})
		return nil
	})
	if err == nil && len(reports) > 0 {
		f(current, reports)
	}
	return err
}
