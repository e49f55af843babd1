package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sitemon/availability"
	"sitemon/store/internal/history"
)

// exactSites is for how many sites at once the windows begin to the moment: more
// would read millions of reports.
const exactSites = 1000

// Availability answers a query from the reports as far as they are kept, and from
// sums of hours and days before that; there the edges of window and buckets move
// to those of the sums, and the percentiles are zero. The error wraps
// [sitemon.ErrNotFound] where the store has never heard of the site and
// [sitemon.ErrInvalid] where the query makes no sense.
func (db *DB) Availability(ctx context.Context, q availability.Query) (res availability.Result, err error) {
	defer wrap(&err, "availability of site %q", q.Site)
	if err := q.Check(); err != nil {
		return res, err
	}
	ctx, cancel := reading(ctx)
	defer cancel()
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return res, err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	id, err := siteID(ctx, tx, q.Site)
	if err != nil {
		return res, err
	}
	p, err := readProgress(ctx, tx)
	if err != nil {
		return res, err
	}
	return history.Availability(ctx, past{tx}, id, db.tiers(p), q)
}

// Availabilities returns for each name the figures over the windows that end now,
// in the order of windows, for lists of many sites. Of more than a thousand, or
// beyond the reports that are kept, the hour in which a window begins counts in
// proportion. A name that the store has never heard of is missing.
func (db *DB) Availabilities(ctx context.Context, names []string, now time.Time, windows []time.Duration) (figures map[string][]availability.Figure, err error) {
	defer wrap(&err, "availability of %d sites", len(names))
	ctx, cancel := reading(ctx)
	defer cancel()
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	ids, err := siteIDs(ctx, tx, names)
	if err != nil {
		return nil, err
	}
	p, err := readProgress(ctx, tx)
	if err != nil {
		return nil, err
	}
	l := history.List{Now: now, Windows: windows, Tiers: db.tiers(p), Progress: p, Exact: exactSites}
	return l.Figures(ctx, past{tx}, ids)
}

func (db *DB) tiers(p history.Progress) history.Tiers {
	return history.NewTiers(p, history.Retention{Reports: db.retention, Hours: db.hourRetention}, db.clock())
}

// siteIDs returns the numbers of those of the names that the store has heard of.
func siteIDs(ctx context.Context, q querier, names []string) (map[string]int64, error) {
	list, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	ids := make(map[string]int64, len(names))
	err = each(ctx, q, "SELECT n.name, n.id FROM json_each(?) j JOIN site_names n ON n.name = j.value", []any{string(list)},
		func(row scanner) error {
			var name string
			var id int64
			err := row.Scan(&name, &id)
			ids[name] = id
			return err
		})
	return ids, err
}

// past reads what was, as of one moment.
type past struct{ tx *sql.Tx }

// Sums implements [history.Source].
func (s past) Sums(ctx context.Context, site int64, days, hours history.Window, f func(start time.Time, s availability.Sum)) error {
	return each(ctx, s.tx, `SELECT start, up_ms, degraded_ms, down_ms, reports, timed, latency_sum_us, latency_max_us
FROM availability_1d WHERE site_id = ?1 AND start >= ?2 AND start < ?3
UNION ALL
SELECT start, up_ms, degraded_ms, down_ms, reports, timed, latency_sum_us, latency_max_us
FROM availability_1h WHERE site_id = ?1 AND start >= ?4 AND start < ?5
ORDER BY start`, []any{
		site, micros(days.From), micros(days.To), micros(hours.From), micros(hours.To),
	}, func(row scanner) error {
		start, sum, err := scanSum(row)
		if err == nil {
			f(start, sum)
		}
		return err
	})
}

func scanSum(row scanner) (start time.Time, s availability.Sum, err error) {
	var at, up, degraded, down, total, longest int64
	err = row.Scan(&at, &up, &degraded, &down, &s.Reports, &s.Timed, &total, &longest)
	s.Up, s.Degraded, s.Down = time.Duration(up)*time.Millisecond, time.Duration(degraded)*time.Millisecond, time.Duration(down)*time.Millisecond
	s.Total, s.Max = time.Duration(total)*time.Microsecond, time.Duration(longest)*time.Microsecond
	return moment(at), s, err
}

// Totals implements [history.ListSource].
func (s past) Totals(ctx context.Context, sites []int64, parts []history.Part, f func(site int64, part int, t history.Totals)) error {
	var selects []string
	for i, p := range parts {
		table, last := "availability_1h", ""
		if p.Span == history.Days {
			table = "availability_1d"
		}
		if p.Last != 1 {
			last = fmt.Sprintf(" * CASE WHEN start < %d THEN 1 ELSE %g END", micros(p.To.Add(-time.Hour)), p.Last)
		}
		selects = append(selects, fmt.Sprintf(`SELECT %d, sum(up_ms%[2]s), sum(degraded_ms%[2]s), sum(down_ms%[2]s)
FROM %[3]s WHERE site_id = ?1 AND start >= %[4]d AND start < %[5]d`,
			i, last, table, micros(p.From), micros(p.To)))
	}
	stmt, err := s.tx.PrepareContext(ctx, strings.Join(selects, "\nUNION ALL\n"))
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }() // the transaction ends with it
	for _, id := range sites {
		err := each(ctx, preparedQuery{stmt}, "", []any{id}, func(row scanner) error {
			var i int
			var up, degraded, down sql.NullFloat64
			if err := row.Scan(&i, &up, &degraded, &down); err != nil {
				return err
			}
			f(id, i, history.Totals{Up: up.Float64, Degraded: degraded.Float64, Down: down.Float64})
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// preparedQuery makes a prepared statement a querier.
type preparedQuery struct{ stmt *sql.Stmt }

func (p preparedQuery) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return p.stmt.QueryContext(ctx, args...)
}

// Reports implements [history.Source] and [history.ListSource].
func (s past) Reports(ctx context.Context, sites []int64, from, to time.Time, f func(site int64, reports []availability.Report)) error {
	return eachRaw(ctx, s.tx, sites, from, to, f)
}

// eachRaw is [history.Reports].
func eachRaw(ctx context.Context, q querier, sites []int64, from, to time.Time, f func(site int64, reports []availability.Report)) error {
	list, err := json.Marshal(sites)
	if err != nil {
		return err
	}
	var reports []availability.Report
	current := int64(0)
	err = each(ctx, q, `SELECT l.site_id, r.id, r.interval_ms, r.outcome, r.duration_us
FROM json_each(?1) AS j CROSS JOIN site_locations l ON l.site_id = j.value CROSS JOIN site_reports r
 ON r.id >= coalesce((SELECT max(id) FROM site_reports WHERE id >= l.id << 42 AND id < (l.id << 42) + ?2), (l.id << 42) + ?2)
 AND r.id < (l.id << 42) + ?3`, []any{string(list), history.CeilMilli(from), history.CeilMilli(to)}, func(row scanner) error {
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
			Outcome: history.OutcomeOf(outcome), Duration: time.Duration(us) * time.Microsecond,
		})
		return nil
	})
	if err == nil && len(reports) > 0 {
		f(current, reports)
	}
	return err
}
