package sqlite

import (
	"context"
	"database/sql"
	"time"

	"sitemon"
	"sitemon/slot"
	"sitemon/store/internal/history"
)

// Coverage counts for each location the slots that were planned in [from, to), and
// those for which no report came, over all its sites, as [history.Coverage] says.
func (db *DB) Coverage(ctx context.Context, from, to time.Time) (list []sitemon.LocationCoverage, err error) {
	defer wrap(&err, "count the planned slots")
	ctx, cancel := reading(ctx)
	defer cancel()
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	plans, err := plansSince(ctx, tx, from)
	if err != nil {
		return nil, err
	}
	first, err := firstReports(ctx, tx, from)
	if err != nil {
		return nil, err
	}
	gaps, err := gapsWithin(ctx, tx, from, to)
	if err != nil {
		return nil, err
	}
	count := history.NewCoverage(db.clock(), from, to)
	err = eachTrack(ctx, tx, "", nil, func(siteID int64, l *location) {
		count.Add(l.name, plans[siteID].Of(l.name), l.track, first[l.id], gaps[l.id])
	})
	return count.List(), err
}

// plansSince reads the plans of all sites that hold after a moment, oldest first.
func plansSince(ctx context.Context, q querier, from time.Time) (map[int64]history.Plans, error) {
	plans := map[int64]history.Plans{}
	err := each(ctx, q, `SELECT p.site_id, n.name, p."from", p."to", p.interval_ms, p.enabled, p.locations
FROM site_plans p JOIN site_names n ON n.id = p.site_id WHERE p."to" IS NULL OR p."to" > ? ORDER BY p.site_id, p."from"`,
		[]any{micros(from)}, func(row scanner) error {
			var id, begin, ms int64
			var to sql.NullInt64
			var name, locations string
			var p history.Plan
			if err := row.Scan(&id, &name, &begin, &to, &ms, &p.Enabled, &locations); err != nil {
				return err
			}
			p.From, p.To = moment(begin), momentOrZero(to)
			p.Grid = slot.NewGrid(name, time.Duration(ms)*time.Millisecond)
			var err error
			p.Locations, err = unpackNames(locations)
			plans[id] = append(plans[id], p)
			return err
		})
	return plans, err
}

// firstReports returns for each location the slot of its first report from a moment
// on.
func firstReports(ctx context.Context, q querier, from time.Time) (map[int64]time.Time, error) {
	first := map[int64]time.Time{}
	err := each(ctx, q, `SELECT id, (SELECT min(r.id) FROM site_reports r WHERE r.id >= (l.id << 42) + ? AND r.id < (l.id + 1) << 42) AS report
FROM site_locations l WHERE report IS NOT NULL`, []any{(micros(from) + 999) / 1000}, func(row scanner) error {
		var id, report int64
		err := row.Scan(&id, &report)
		first[id] = slotOf(report)
		return err
	})
	return first, err
}

// gapsWithin returns for each location its gaps between reports that touch [from, to).
// Those of a location do not overlap, so the first one is the last that begins until
// from, or a later one.
func gapsWithin(ctx context.Context, q querier, from, to time.Time) (map[int64][]slot.Run, error) {
	gaps := map[int64][]slot.Run{}
	err := each(ctx, q, `SELECT g.site_location_id, g.from_slot, g.to_slot, g.slots FROM site_locations l JOIN site_gaps g ON g.site_location_id = l.id
 AND g.from_slot >= coalesce((SELECT max(from_slot) FROM site_gaps WHERE site_location_id = l.id AND from_slot <= ?1), ?1) AND g.from_slot < ?2
WHERE g.to_slot >= ?1`, []any{micros(from), micros(to)}, func(row scanner) error {
		var id, first, last int64
		var run slot.Run
		err := row.Scan(&id, &first, &last, &run.Slots)
		run.From, run.To = moment(first), moment(last)
		gaps[id] = append(gaps[id], run)
		return err
	})
	return gaps, err
}
