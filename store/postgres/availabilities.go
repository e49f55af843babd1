package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/availability"
	"sitemon/store/internal/history"
)

// exactSites is for how many sites at once the windows begin to the moment.
const exactSites = 200

// Availabilities returns for each name the figures over the windows that end now,
// in the order of windows, for lists of many sites. Of more than
// [exactSites], or beyond the reports that are kept, the hour in which a window
// begins counts in proportion. A name that the store has never heard of is missing.
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
		l := history.List{Now: now, Windows: windows, Tiers: db.tiers(p), Progress: p, Exact: exactSites}
		figures, err = l.Figures(ctx, past{tx}, ids)
		return err
	})
	return figures, err
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

// totals and totalsLast sum up rows of a table of sums.
const (
	totals     = "SELECT sum(up_ms)::float8 AS up, sum(degraded_ms)::float8 AS degraded, sum(down_ms)::float8 AS down"
	totalsLast = "SELECT sum(up_ms * share) AS up, sum(degraded_ms * share) AS degraded, sum(down_ms * share) AS down"
)

// totalsQuery returns the statement that sums up a part. Each site is looked up by
// itself, in the index alone, however many there are.
func totalsQuery(p history.Part, sites []int64) (query string, args []any) {
	args = []any{sites, p.From, p.To}
	of := ""
	switch {
	case p.Span == history.Running:
		return "SELECT site_id, up_ms::float8, degraded_ms::float8, down_ms::float8 FROM availability_part WHERE site_id = ANY ($1) AND start >= $2 AND start < $3", args
	case p.Span == history.Days:
		of = totals + " FROM availability_1d"
	case p.Last == 1:
		of = totals + " FROM availability_1h"
	default:
		of = totalsLast + " FROM availability_1h CROSS JOIN LATERAL (SELECT CASE WHEN start < $4 THEN 1 ELSE $5::float8 END AS share) w"
		args = append(args, p.To.Add(-time.Hour), p.Last)
	}
	return "SELECT s.id, a.up, a.degraded, a.down FROM unnest($1::int[]) AS s (id) CROSS JOIN LATERAL (" + of +
		" WHERE site_id = s.id AND start >= $2 AND start < $3) a WHERE a.up IS NOT NULL", args
}

// Totals implements [history.ListSource].
func (s past) Totals(ctx context.Context, sites []int64, parts []history.Part, f func(site int64, part int, t history.Totals)) error {
	var site int64
	var t history.Totals
	dest := []any{&site, &t.Up, &t.Degraded, &t.Down}
	for i, p := range parts {
		query, args := totalsQuery(p, sites)
		err := eachRow(ctx, s.tx, query, args, func(row pgx.Rows) error {
			err := row.Scan(dest...)
			if err == nil {
				f(site, i, t)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
