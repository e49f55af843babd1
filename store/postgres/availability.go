package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/availability"
	"sitemon/store/internal/history"
	"sitemon/store/internal/rollup"
)

// Availability answers a query from the sums of days, hours and 5 minutes that fit
// into its buckets, and what they leave from the reports. Beyond the reports that
// are kept, the edges of window and buckets move to those of the sums. The error
// wraps [sitemon.ErrNotFound] where the store has never heard of the site and
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
		res, err = rollup.Availability(ctx, past{tx}, id, rollup.NewTiers(p, db.keep, db.clock()), q)
		return err
	})
	return res, err
}

// readProgress reads how far the rollups are.
func readProgress(ctx context.Context, q querier) (p rollup.Progress, err error) {
	err = eachRow(ctx, q, `SELECT "begin", fives, hours, days, claimed, reports_from FROM availability_progress`, nil, func(row pgx.Rows) error {
		moments := [...]*time.Time{&p.Begin, &p.Fives, &p.Hours, &p.Days, &p.Claimed, &p.Cut}
		err := row.Scan(moments[0], moments[1], moments[2], moments[3], moments[4], moments[5])
		for _, m := range moments {
			*m = m.UTC()
		}
		return err
	})
	return p, err
}

// past reads what was. In a transaction that sees one moment it is all of that.
type past struct{ tx pgx.Tx }

// Sums implements [rollup.Source].
func (s past) Sums(ctx context.Context, site int64, level rollup.Level, windows []availability.Window, f func(start time.Time, s availability.Sum)) error {
	from, to := make([]time.Time, len(windows)), make([]time.Time, len(windows))
	for i, w := range windows {
		from[i], to[i] = w.From, w.To
	}
	return eachSum(ctx, s.tx, level, []int64{site}, from, to, func(r *rollup.Row) { f(r.Start, r.Sum) })
}

// speaksFor is the longest interval of a site: no report speaks for more, so none
// is read from further back.
const speaksFor = day

// Reports implements [rollup.Raw].
func (s past) Reports(ctx context.Context, sites []int64, from, to time.Time, phases bool, f func(site int64, reports []availability.Report)) error {
	var reports []availability.Report
	var current, site, location, duration int64
	var at time.Time
	var ms int32
	var outcome int16
	var phase [5]int64
	query, dest := reportsWithout, []any{&site, &location, &at, &ms, &outcome, &duration}
	if phases {
		query, dest = reportsWith, append(dest, &phase[0], &phase[1], &phase[2], &phase[3], &phase[4])
	}
	us := func(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
	err := eachRow(ctx, s.tx, query, []any{sites, from, to, from.Add(-speaksFor)}, func(row pgx.Rows) error {
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
			Outcome: history.OutcomeOf(outcome), Duration: us(duration),
			Phases: sitemon.Phases{Resolve: us(phase[0]), Connect: us(phase[1]), TLS: us(phase[2]), Processing: us(phase[3]), Transfer: us(phase[4])},
		})
		return nil
	})
	if err == nil && len(reports) > 0 {
		f(current, reports)
	}
	return err
}

// The queries of [past.Reports]: without phases the index alone is read.
const (
	reportsWithout = `SELECT l.site_id, l.id, r.slot, r.interval_ms, r.outcome, r.duration_us
FROM site_locations l CROSS JOIN LATERAL (
 (SELECT slot, interval_ms, outcome, duration_us FROM site_reports
  WHERE site_location_id = l.id AND slot >= $4 AND slot < $2 ORDER BY slot DESC LIMIT 1)
 UNION ALL
 (SELECT slot, interval_ms, outcome, duration_us FROM site_reports
  WHERE site_location_id = l.id AND slot >= $2 AND slot < $3 ORDER BY slot)) r
WHERE l.site_id = ANY ($1) ORDER BY l.site_id`
	reportsWith = `SELECT l.site_id, l.id, r.slot, r.interval_ms, r.outcome, r.duration_us,
 coalesce(r.resolve_us, 0), coalesce(r.connect_us, 0), coalesce(r.tls_us, 0), coalesce(r.processing_us, 0), coalesce(r.transfer_us, 0)
FROM site_locations l CROSS JOIN LATERAL (
 (SELECT slot, interval_ms, outcome, duration_us, resolve_us, connect_us, tls_us, processing_us, transfer_us FROM site_reports
  WHERE site_location_id = l.id AND slot >= $4 AND slot < $2 ORDER BY slot DESC LIMIT 1)
 UNION ALL
 (SELECT slot, interval_ms, outcome, duration_us, resolve_us, connect_us, tls_us, processing_us, transfer_us FROM site_reports
  WHERE site_location_id = l.id AND slot >= $2 AND slot < $3 ORDER BY slot)) r
WHERE l.site_id = ANY ($1) ORDER BY l.site_id`
)
