package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/availability"
	"sitemon/store/internal/history"
)

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
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		id, err := siteID(ctx, tx, q.Site)
		if err != nil {
			return err
		}
		p, err := readProgress(ctx, tx)
		if err != nil {
			return err
		}
		res, err = history.Availability(ctx, past{tx}, id, db.tiers(p), q)
		return err
	})
	return res, err
}

func (db *DB) tiers(p history.Progress) history.Tiers {
	return history.NewTiers(p, history.Retention{Reports: db.retention, Hours: db.hourRetention}, db.clock())
}

// readProgress reads how far the rollups are.
func readProgress(ctx context.Context, q querier) (p history.Progress, err error) {
	err = eachRow(ctx, q, "SELECT hours, parts, days, claimed FROM availability_progress", nil, func(row pgx.Rows) error {
		err := row.Scan(&p.Hours, &p.Parts, &p.Days, &p.Claimed)
		p.Hours, p.Parts, p.Days, p.Claimed = p.Hours.UTC(), p.Parts.UTC(), p.Days.UTC(), p.Claimed.UTC()
		return err
	})
	return p, err
}

// past reads what was, as of one moment.
type past struct{ tx pgx.Tx }

// Sums implements [history.Source].
func (s past) Sums(ctx context.Context, site int64, days, hours history.Window, f func(start time.Time, s availability.Sum)) error {
	var start time.Time
	var up, degraded, down, total, longest int64
	var sum availability.Sum
	dest := []any{&start, &up, &degraded, &down, &sum.Reports, &sum.Timed, &total, &longest}
	return eachRow(ctx, s.tx, `SELECT start, up_ms, degraded_ms, down_ms, reports, timed, latency_sum_us, latency_max_us
FROM availability_1d WHERE site_id = $1 AND start >= $2 AND start < $3
UNION ALL
SELECT start, up_ms, degraded_ms, down_ms, reports, timed, latency_sum_us, latency_max_us
FROM availability_1h WHERE site_id = $1 AND start >= $4 AND start < $5
ORDER BY start`, []any{site, days.From, days.To, hours.From, hours.To}, func(row pgx.Rows) error {
		if err := row.Scan(dest...); err != nil {
			return err
		}
		ms, us := time.Millisecond, time.Microsecond
		sum.Up, sum.Degraded, sum.Down = time.Duration(up)*ms, time.Duration(degraded)*ms, time.Duration(down)*ms
		sum.Total, sum.Max = time.Duration(total)*us, time.Duration(longest)*us
		f(start.UTC(), sum)
		return nil
	})
}

// Reports implements [history.Source] and [history.ListSource].
func (s past) Reports(ctx context.Context, sites []int64, from, to time.Time, f func(site int64, reports []availability.Report)) error {
	return eachRaw(ctx, s.tx, sites, from, to, f)
}

// speaksFor is the longest interval of a site: no report speaks for more, so none
// is read from further back.
const speaksFor = day

// eachRaw is [history.Reports].
func eachRaw(ctx context.Context, q querier, sites []int64, from, to time.Time, f func(site int64, reports []availability.Report)) error {
	var reports []availability.Report
	var current, site, location, duration int64
	var at time.Time
	var ms int32
	var outcome int16
	dest := []any{&site, &location, &at, &ms, &outcome, &duration}
	err := eachRow(ctx, q, `SELECT l.site_id, l.id, r.slot, r.interval_ms, r.outcome, r.duration_us
FROM site_locations l CROSS JOIN LATERAL (
 (SELECT slot, interval_ms, outcome, duration_us FROM site_reports
  WHERE site_location_id = l.id AND slot >= $4 AND slot < $2 ORDER BY slot DESC LIMIT 1)
 UNION ALL
 (SELECT slot, interval_ms, outcome, duration_us FROM site_reports
  WHERE site_location_id = l.id AND slot >= $2 AND slot < $3 ORDER BY slot)) r
WHERE l.site_id = ANY ($1) ORDER BY l.site_id`, []any{sites, from, to, from.Add(-speaksFor)}, func(row pgx.Rows) error {
		if err := row.Scan(dest...); err != nil {
			return err
		}
		if site != current && len(reports) > 0 {
			f(current, reports)
			reports = reports[:0]
		}
		current = site
		reports = append(reports, availability.Report{
			Location: location, Slot: at, Interval: time.Duration(ms) * time.Millisecond,
			Outcome: history.OutcomeOf(outcome), Duration: time.Duration(duration) * time.Microsecond,
		})
		return nil
	})
	if err == nil && len(reports) > 0 {
		f(current, reports)
	}
	return err
}
