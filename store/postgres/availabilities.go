package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/availability"
	"sitemon/store/internal/rollup"
)

const (
	// exactSites is for how many sites at once the windows begin and end to the
	// moment.
	exactSites = 200
	// scattered is how many times as many sites as are asked for may lie between the
	// first and the last one, by their ids, for all of them to be read: what lies in a
	// row costs little.
	scattered = 30
)

// Availabilities returns for each name the figures over the windows that end now,
// in the order of windows, for lists of many sites. Of more than [exactSites], or
// beyond the reports that are kept, the sum in which a window begins counts in
// proportion, and the windows end with the 5 minutes that were summed up last. A
// name that the store has never heard of is missing.
func (db *DB) Availabilities(ctx context.Context, names []string, now time.Time, windows []time.Duration) (figures map[string][]availability.Figure, err error) {
	defer wrap(&err, "availability of %d sites", len(names))
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		ids, err := siteIDs(ctx, tx, names)
		if err != nil {
			return err
		}
		p, err := readProgress(ctx, tx)
		if err != nil {
			return err
		}
		l := rollup.List{Now: now, Windows: windows, Tiers: rollup.NewTiers(p, db.keep, db.clock()), Exact: exactSites}
		figures, err = l.Figures(ctx, past{tx}, ids)
		return err
	})
	return figures, err
}

// Series returns the same buckets of many sites, by their names. Of more than
// [exactSites] the newest bucket ends where the sums do. A name that the store has
// never heard of is missing. The error wraps [sitemon.ErrInvalid] where the query
// makes no sense.
func (db *DB) Series(ctx context.Context, q availability.SeriesQuery) (series map[string][]availability.SeriesBucket, err error) {
	defer wrap(&err, "series of %d sites", len(q.Names))
	if err := q.Check(); err != nil {
		return nil, err
	}
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		ids, err := siteIDs(ctx, tx, q.Names)
		if err != nil {
			return err
		}
		p, err := readProgress(ctx, tx)
		if err != nil {
			return err
		}
		s := rollup.Series{SeriesQuery: q, Tiers: rollup.NewTiers(p, db.keep, db.clock()), Exact: exactSites}
		series, err = s.Buckets(ctx, past{tx}, ids)
		return err
	})
	return series, err
}

// siteIDs returns the numbers of those of the names that the store has heard of.
func siteIDs(ctx context.Context, tx pgx.Tx, names []string) (map[string]int64, error) {
	ids := make(map[string]int64, len(names))
	err := eachRow(ctx, tx, "SELECT name, id FROM site_names WHERE name = ANY ($1)", []any{names}, func(row pgx.Rows) error {
		var name string
		var id int64
		err := row.Scan(&name, &id)
		ids[name] = id
		return err
	})
	return ids, err
}

// totals sums up parts of a table of sums. Without latency each sum is looked up in
// the index alone.
const totals = `SELECT w.i, a.* FROM unnest($2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY AS w ("from", "to", i)
CROSS JOIN LATERAL (SELECT x.site_id, sum(x.up_ms), sum(x.degraded_ms), sum(x.down_ms), sum(x.maintenance_ms)%[3]s
 FROM generate_series(w."from", w."to" - $4::bigint * interval '1 second', $4::bigint * interval '1 second') AS t
 CROSS JOIN LATERAL (SELECT site_id, up_ms, degraded_ms, down_ms, maintenance_ms%[4]s FROM %[1]s WHERE start = t AND %[2]s OFFSET 0) x
 GROUP BY x.site_id OFFSET 0) a
WHERE a.site_id = ANY ($1)`

// Of a time each site is looked up by itself, or all from the first to the last one
// are read, of which some are wanted.
const (
	sitesAlone   = "site_id = ANY ($1)"
	sitesBetween = "site_id BETWEEN $5 AND $6"
)

// Totals implements [rollup.ListSource].
func (s past) Totals(ctx context.Context, sites []int64, parts []rollup.Part, latency bool, f func(site int64, part int, t rollup.Totals)) error {
	sums, columns := ", 0::bigint, 0::bigint", ""
	if latency {
		sums, columns = ", sum(x.timed)::bigint, sum(x.latency_sum_us)::bigint", ", timed, latency_sum_us"
	}
	for _, level := range rollup.Levels() {
		var from, to []time.Time
		var numbers []int
		for i, p := range parts {
			if p.Level == level {
				from, to, numbers = append(from, p.From), append(to, p.To), append(numbers, i)
			}
		}
		if len(numbers) == 0 {
			continue
		}
		args := []any{sites, from, to, int64(level.Width() / time.Second)}
		of := sitesAlone
		if first, last := slices.Min(sites), slices.Max(sites); last-first < scattered*int64(len(sites)) {
			of, args = sitesBetween, append(args, first, last)
		}
		var i, site int64
		var t rollup.Totals
		dest := []any{&i, &site, &t.Up, &t.Degraded, &t.Down, &t.Maintenance, &t.Timed, &t.Latency}
		err := eachRow(ctx, s.tx, fmt.Sprintf(totals, level.Table(), of, sums, columns), args, func(row pgx.Rows) error {
			err := row.Scan(dest...)
			if err == nil {
				f(site, numbers[i-1], t)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
