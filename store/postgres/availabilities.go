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

// Totals implements [history.ListSource].
func (s past) Totals(ctx context.Context, sites []int64, parts []history.Part, f func(site int64, part int, t history.Totals)) error {
	for i, p := range parts {
		table := "availability_1h"
		if p.Days {
			table = "availability_1d"
		}
		var site int64
		var t history.Totals
		dest := []any{&site, &t.UpMS, &t.DegradedMS, &t.DownMS}
		err := eachRow(ctx, s.tx, `SELECT s.id, a.up, a.degraded, a.down FROM unnest($1::int[]) AS s (id) CROSS JOIN LATERAL (
 SELECT sum(up_ms)::bigint AS up, sum(degraded_ms)::bigint AS degraded, sum(down_ms)::bigint AS down
 FROM `+table+` WHERE site_id = s.id AND start >= $2 AND start < $3) a WHERE a.up IS NOT NULL`, []any{sites, p.From, p.To},
			func(row pgx.Rows) error {
				if err := row.Scan(dest...); err != nil {
					return err
				}
				f(site, i, t)
				return nil
			})
		if err != nil {
			return err
		}
	}
	return nil
}
