package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"sitemon"
	"sitemon/slot"
	"sitemon/store/internal/history"
)

// gapBefore derives the gap between the newest report of a location and one that
// is newer still.
func (b *batch) gapBefore(ctx context.Context, s *site, l *location, r *sitemon.Report) error {
	prev := l.track.Slot
	if l.track.Status == "" { // the first report: there is nothing before it
		return nil
	}
	var plans history.Plans
	if s.present && s.enabled && !s.planFrom.IsZero() && !prev.Before(s.planFrom) {
		// Without a change of plan since the report before, every slot up to the next
		// one of the grid is its direct successor.
		grid := s.grid()
		if !r.Slot.After(grid.After(prev)) {
			return nil
		}
		plans = history.Plans{{Plan: slot.Plan{From: s.planFrom, Grid: grid, Enabled: true}, Locations: s.probedFrom}}
	} else {
		var err error
		if plans, err = sitePlans(ctx, b.db.conn, s.id, s.name); err != nil {
			return err
		}
	}
	return b.insertGaps(ctx, l, plans, prev, r.Slot, r.Gap)
}

// late takes a report that is older than the newest one of its location. It is
// history: it changes no status, but it may fill a gap or split it in two, and
// what was rolled up is to be rolled up again.
func (b *batch) late(ctx context.Context, s *site, l *location, r *sitemon.Report) error {
	id := packID(l.id, r.Slot)
	var prev, prevMS, next int64
	var nextGap string
	err := b.db.queryRow(ctx, `SELECT id, interval_ms FROM site_reports WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1`,
		firstID(l.id), id).Scan(&prev, &prevMS)
	first := errors.Is(err, sql.ErrNoRows)
	if err != nil && !first {
		return err
	}
	if r.Outcome != sitemon.OutcomeUnknown {
		b.incidentsFrom(s, r.Slot)
	}
	if err := b.mark(ctx, s, r.Slot, max(r.Interval, time.Duration(prevMS)*time.Millisecond)); err != nil {
		return err
	}
	err = b.db.queryRow(ctx, `SELECT r.id, coalesce((SELECT name FROM reasons WHERE id = r.gap_id), '') FROM site_reports r
WHERE r.id > ? AND r.id < ? ORDER BY r.id LIMIT 1`, id, endID(l.id)).Scan(&next, &nextGap)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // the newest ones are gone, by retention or by hand
	}
	if err != nil {
		return err
	}
	plans, err := sitePlans(ctx, b.db.conn, s.id, s.name)
	if err != nil {
		return err
	}
	from := int64(0)
	if !first {
		from = micros(slotOf(prev))
	}
	err = b.db.exec(ctx, "DELETE FROM site_gaps WHERE site_location_id = ? AND from_slot > ? AND from_slot < ?",
		l.id, from, micros(slotOf(next)))
	if err != nil {
		return err
	}
	if !first {
		if err := b.insertGaps(ctx, l, plans, slotOf(prev), slotOf(id), r.Gap); err != nil {
			return err
		}
	}
	return b.insertGaps(ctx, l, plans, slotOf(id), slotOf(next), nextGap)
}

// insertGaps writes the runs of planned slots between two reports.
func (b *batch) insertGaps(ctx context.Context, l *location, plans history.Plans, prev, next time.Time, reason string) error {
	for _, run := range slot.Missing(plans.Of(l.name), prev, next) {
		id, err := b.db.reasonID(ctx, reason)
		if err != nil {
			return err
		}
		err = b.db.exec(ctx, `INSERT INTO site_gaps (site_location_id, from_slot, to_slot, slots, reason_id) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET to_slot = excluded.to_slot, slots = excluded.slots, reason_id = excluded.reason_id`,
			l.id, micros(run.From), micros(run.To), run.Slots, id)
		if err != nil {
			return err
		}
	}
	return nil
}

// sitePlans reads the plans of a site, oldest first.
func sitePlans(ctx context.Context, q querier, siteID int64, name string) (history.Plans, error) {
	var plans history.Plans
	err := each(ctx, q, `SELECT "from", "to", interval_ms, enabled, locations FROM site_plans WHERE site_id = ? ORDER BY "from"`,
		[]any{siteID}, func(row scanner) error {
			var from, ms int64
			var to sql.NullInt64
			var p history.Plan
			var locations string
			if err := row.Scan(&from, &to, &ms, &p.Enabled, &locations); err != nil {
				return err
			}
			p.From, p.To = moment(from), momentOrZero(to)
			p.Grid = slot.NewGrid(name, time.Duration(ms)*time.Millisecond)
			var err error
			p.Locations, err = unpackNames(locations)
			plans = append(plans, p)
			return err
		})
	return plans, err
}

// mark asks for what was summed up to be summed up again where a report at a slot
// changes it. It says something of the time after its slot, and ends what the one
// before it said.
func (b *batch) mark(ctx context.Context, s *site, at time.Time, speaks time.Duration) error {
	if micros(at) >= b.db.state.claimed {
		return nil
	}
	return b.db.exec(ctx, `INSERT INTO availability_marks (site_id, "from", "to") VALUES (?, ?, ?)`,
		s.id, micros(at), micros(at.Add(max(speaks, time.Millisecond))))
}

// openGaps returns the missing slots behind the newest reports of a site, of the
// locations that are silent.
func (db *DB) openGaps(ctx context.Context, q querier, siteID int64, name string, from, to time.Time) ([]sitemon.Gap, error) {
	plans, err := sitePlans(ctx, q, siteID, name)
	if err != nil {
		return nil, err
	}
	now := db.clock()
	var gaps []sitemon.Gap
	err = eachTrack(ctx, q, "WHERE l.site_id = ?", []any{siteID}, func(_ int64, l *location) {
		gaps = append(gaps, history.OpenGaps(name, l.name, plans.Of(l.name), l.track, now, from, to)...)
	})
	return gaps, err
}
