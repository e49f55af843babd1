package postgres

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/availability"
	"sitemon/store/internal/rollup"
)

// term is what is known of a site's terms.
type term struct {
	plans       []rollup.Plan
	locations   map[string]int64
	maintenance []availability.Window
}

// Terms implements [rollup.Raw].
func (s past) Terms(ctx context.Context, sites []int64, from, to time.Time, f func(site int64, t availability.Terms)) error {
	terms := map[int64]*term{}
	of := func(site int64) *term {
		if terms[site] == nil {
			terms[site] = &term{locations: map[string]int64{}}
		}
		return terms[site]
	}
	var site int64
	var w availability.Window
	err := eachRow(ctx, s.tx, `SELECT site_id, "from", "to" FROM site_maintenance WHERE site_id = ANY ($1) AND "to" > $2 AND "from" < $3`,
		[]any{sites, from, to}, func(row pgx.Rows) error {
			err := row.Scan(&site, &w.From, &w.To)
			of(site).maintenance = append(of(site).maintenance, availability.Window{From: w.From.UTC(), To: w.To.UTC()})
			return err
		})
	if err != nil {
		return err
	}
	if err := s.votes(ctx, sites, from, to, of); err != nil {
		return err
	}
	for _, site := range slices.Sorted(maps.Keys(terms)) {
		t := terms[site]
		f(site, rollup.TermsOf(t.plans, t.locations, t.maintenance))
	}
	return nil
}

// unusualPlans are the plans in [$2, $3) of those of the sites that had one with
// other votes than the usual ones, with the one that held at $2.
const unusualPlans = `SELECT site_id, "from", quorum, locations FROM (
 SELECT p.*, bool_or(quorum <> 1 OR locations <> '{}') OVER (PARTITION BY site_id) AS unusual
 FROM unnest($1::int[]) AS s (id) CROSS JOIN LATERAL (SELECT * FROM site_plans WHERE site_id = s.id AND "from" < $3
  AND "from" >= coalesce((SELECT max("from") FROM site_plans WHERE site_id = s.id AND "from" <= $2), '-infinity')) p) p
WHERE unusual ORDER BY site_id, "from"`

// votes reads the plans in [from, to) of sites with unusual ones, and the numbers of
// their locations.
func (s past) votes(ctx context.Context, sites []int64, from, to time.Time, of func(site int64) *term) error {
	var unusual []int64
	err := eachRow(ctx, s.tx, unusualPlans, []any{sites, from, to}, func(row pgx.Rows) error {
		var site int64
		var p rollup.Plan
		var quorum int
		err := row.Scan(&site, &p.From, &quorum, &p.Locations)
		if p.From, p.Quorum = p.From.UTC(), sitemon.Quorum(quorum); len(p.Locations) == 0 {
			p.Locations = nil // all
		}
		of(site).plans = append(of(site).plans, p)
		unusual = append(unusual, site)
		return err
	})
	if err != nil || len(unusual) == 0 {
		return err
	}
	return eachRow(ctx, s.tx, "SELECT site_id, location, id FROM site_locations WHERE site_id = ANY ($1)", []any{slices.Compact(unusual)},
		func(row pgx.Rows) error {
			var site, id int64
			var location string
			err := row.Scan(&site, &location, &id)
			of(site).locations[location] = id
			return err
		})
}
