package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
	"sitemon/store/internal/history"
)

// Gaps lists the runs of missing slots of a site that touch [from, to), by
// location and slot. Behind the newest report of a location that has fallen
// silent they go up to the last slot whose interval is over.
func (db *DB) Gaps(ctx context.Context, name string, from, to time.Time) (gaps []sitemon.Gap, err error) {
	defer wrap(&err, "list gaps of site %q", name)
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		id, err := siteID(ctx, tx, name)
		if err != nil {
			return err
		}
		if gaps, err = storedGaps(ctx, tx, id, name, from, to); err != nil {
			return err
		}
		open, err := openGaps(ctx, tx, id, name, db.clock(), from, to)
		gaps = append(gaps, open...)
		return err
	})
	if err != nil {
		return nil, err
	}
	history.SortGaps(gaps)
	return gaps, nil
}

// storedGaps reads the gaps between reports. Those of a location do not overlap,
// so the first one is the last that begins until from, or a later one.
func storedGaps(ctx context.Context, tx pgx.Tx, site int64, name string, from, to time.Time) (gaps []sitemon.Gap, err error) {
	err = eachRow(ctx, tx, `SELECT l.location, g.from_slot, g.to_slot, g.slots, r.name
FROM site_locations l
CROSS JOIN LATERAL (SELECT * FROM site_gaps WHERE site_location_id = l.id AND to_slot >= $2 AND from_slot < $3
 AND from_slot >= coalesce((SELECT from_slot FROM site_gaps WHERE site_location_id = l.id AND from_slot <= $2
  ORDER BY from_slot DESC LIMIT 1), $2)) g
LEFT JOIN reasons r ON r.id = g.reason_id
WHERE l.site_id = $1`, []any{site, from, to}, func(row pgx.Rows) error {
		g := sitemon.Gap{Site: name}
		var reason pgtype.Text
		err := row.Scan(&g.Location, &g.From, &g.To, &g.Slots, &reason)
		g.From, g.To, g.Reason = g.From.UTC(), g.To.UTC(), reason.String
		gaps = append(gaps, g)
		return err
	})
	return gaps, err
}

// openGaps returns the missing slots behind the newest reports of a site, of the
// locations that are silent.
func openGaps(ctx context.Context, tx pgx.Tx, site int64, name string, now, from, to time.Time) (gaps []sitemon.Gap, err error) {
	plans, err := readPlans(ctx, tx, site, name)
	if err != nil {
		return nil, err
	}
	var l trackRow
	var r reportRow
	dest := append(l.dest(), &r.slot, &r.ms, &r.outcome)
	err = eachRow(ctx, tx, "SELECT "+located+", r.slot, r.interval_ms, r.outcome FROM site_locations l "+newest+" WHERE l.site_id = $1",
		[]any{site}, func(row pgx.Rows) error {
			if err := row.Scan(dest...); err != nil {
				return err
			}
			gaps = append(gaps, history.OpenGaps(name, l.location, plans.Of(l.location), l.track(&r), now, from, to)...)
			return nil
		})
	return gaps, err
}

// readPlans reads the plans of a site, oldest first.
func readPlans(ctx context.Context, q querier, site int64, name string) (history.Plans, error) {
	plans, err := readPlansOf(ctx, q, map[int64]string{site: name})
	return plans[site], err
}
