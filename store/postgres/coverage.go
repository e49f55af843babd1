package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/slot"
	"sitemon/store/internal/history"
)

// Coverage counts for each location the slots that were planned in [from, to), and
// those for which no report came, over all its sites, as [history.Coverage] says.
func (db *DB) Coverage(ctx context.Context, from, to time.Time) (list []sitemon.LocationCoverage, err error) {
	defer wrap(&err, "count the planned slots")
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		names := map[int64]string{}
		err := eachRow(ctx, tx, `SELECT DISTINCT n.id, n.name FROM site_plans p JOIN site_names n ON n.id = p.site_id WHERE p."to" IS NULL OR p."to" > $1`,
			[]any{from}, func(row pgx.Rows) error {
				var id int64
				var name string
				err := row.Scan(&id, &name)
				names[id] = name
				return err
			})
		if err != nil {
			return err
		}
		plans, err := readPlansOf(ctx, tx, names)
		if err != nil {
			return err
		}
		first, err := firstReports(ctx, tx, from, to)
		if err != nil {
			return err
		}
		gaps, err := gapsWithin(ctx, tx, from, to)
		if err != nil {
			return err
		}
		tracks, err := readTracks(ctx, tx, "")
		if err != nil {
			return err
		}
		count := history.NewCoverage(db.clock(), from, to)
		for _, l := range tracks {
			count.Add(l.location, plans[l.site].Of(l.location), l.track, first[l.id], gaps[l.id])
		}
		list = count.List()
		return nil
	})
	return list, err
}

// firstReports returns for each location the slot of its first report in [from, to).
func firstReports(ctx context.Context, tx pgx.Tx, from, to time.Time) (map[int64]time.Time, error) {
	first := map[int64]time.Time{}
	err := eachRow(ctx, tx, `SELECT l.id, r.slot FROM site_locations l
CROSS JOIN LATERAL (SELECT slot FROM site_reports WHERE site_location_id = l.id AND slot >= $1 AND slot < $2 ORDER BY slot LIMIT 1) r`,
		[]any{from, to}, func(row pgx.Rows) error {
			var id int64
			var at time.Time
			err := row.Scan(&id, &at)
			first[id] = at.UTC()
			return err
		})
	return first, err
}

// gapsWithin returns for each location its gaps between reports that touch [from, to).
// Those of a location do not overlap, so the first one is the last that begins until
// from, or a later one. OFFSET keeps the server from looking for it again for each gap
// that there is, of whatever time.
func gapsWithin(ctx context.Context, tx pgx.Tx, from, to time.Time) (map[int64][]slot.Run, error) {
	gaps := map[int64][]slot.Run{}
	err := eachRow(ctx, tx, `SELECT l.id, g.from_slot, g.to_slot, g.slots FROM site_locations l
CROSS JOIN LATERAL (SELECT * FROM site_gaps WHERE site_location_id = l.id AND to_slot >= $1 AND from_slot < $2
 AND from_slot >= coalesce((SELECT from_slot FROM site_gaps WHERE site_location_id = l.id AND from_slot <= $1
  ORDER BY from_slot DESC LIMIT 1), $1) OFFSET 0) g`, []any{from, to}, func(row pgx.Rows) error {
		var id int64
		var run slot.Run
		err := row.Scan(&id, &run.From, &run.To, &run.Slots)
		run.From, run.To = run.From.UTC(), run.To.UTC()
		gaps[id] = append(gaps[id], run)
		return err
	})
	return gaps, err
}
