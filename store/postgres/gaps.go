package postgres

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
	"sitemon/slot"
	"sitemon/store/internal/history"
)

// span is the time between two reports of a location that follow each other.
type span struct {
	l          *location
	prev, next time.Time
	reason     pgtype.Int4 // the one that next gives for what is missing before it
}

// gapKey is the key of site_gaps.
type gapKey struct{ location, from int64 }

// gapRows are rows of site_gaps to be written.
type gapRows struct {
	there     map[gapKey]struct{}
	locations []int64
	from, to  []time.Time
	slots     []int64
	reasons   []pgtype.Int4
}

func (g *gapRows) add(sp span, plans history.Plans) {
	for _, run := range slot.Missing(plans.Of(sp.l.name), sp.prev, sp.next) {
		key := gapKey{sp.l.id, run.From.UnixMilli()}
		if _, ok := g.there[key]; ok {
			continue
		}
		if g.there == nil {
			g.there = map[gapKey]struct{}{}
		}
		g.there[key] = struct{}{}
		g.locations, g.from, g.to = append(g.locations, sp.l.id), append(g.from, run.From), append(g.to, run.To)
		g.slots, g.reasons = append(g.slots, int64(run.Slots)), append(g.reasons, sp.reason)
	}
}

func (g *gapRows) save(b *pgx.Batch) {
	if len(g.locations) == 0 {
		return
	}
	b.Queue(`INSERT INTO site_gaps (site_location_id, from_slot, to_slot, slots, reason_id)
SELECT * FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[], $4::bigint[], $5::int[])
ON CONFLICT (site_location_id, from_slot) DO UPDATE SET to_slot = excluded.to_slot, slots = excluded.slots, reason_id = excluded.reason_id`,
		g.locations, g.from, g.to, g.slots, g.reasons)
}

// gapBefore notes the time between the newest report of a location and one that is
// newer still, where slots may be missing in it.
func (b *batch) gapBefore(e *entry, prev time.Time) {
	s := e.l.site
	// Without a change of plan since the report before, every slot up to the next
	// one of the grid is its direct successor.
	simple := s.live && s.enabled && !s.planFrom.IsZero() && !prev.Before(s.planFrom)
	if simple && !e.r.Slot.After(s.grid.After(prev)) {
		return
	}
	sp := span{e.l, prev, e.r.Slot, b.db.memory.reasonID(sitemon.Reason(e.r.Gap))}
	if simple {
		b.missing.add(sp, history.Plans{{Plan: slot.Plan{From: s.planFrom, Grid: s.grid, Enabled: true}, Locations: s.probedFrom}})
	} else {
		b.spans = append(b.spans, sp)
	}
}

// gaps derives the gaps before the new reports, and those around late ones again.
// The rows of all reports are written by now.
func (b *batch) gaps(ctx context.Context, tx pgx.Tx) error {
	around, err := b.aroundLate(ctx, tx)
	if err != nil {
		return err
	}
	plans, err := b.plans(ctx, tx, around)
	if err != nil {
		return err
	}
	for _, sp := range b.spans {
		b.missing.add(sp, plans[sp.l.site.id])
	}
	b.missing.save(b.out)
	if len(around) == 0 {
		return nil
	}
	var again gapRows
	var locations []int64
	var from, to []time.Time
	for _, sp := range around {
		locations, from, to = append(locations, sp.l.id), append(from, sp.prev), append(to, sp.next)
		if sp.prev.After(time.Unix(0, 0)) {
			again.add(sp, plans[sp.l.site.id])
		}
	}
	b.out.Queue(`DELETE FROM site_gaps g USING unnest($1::int[], $2::timestamptz[], $3::timestamptz[]) AS n (location, prev, next)
WHERE g.site_location_id = n.location AND g.from_slot > n.prev AND g.from_slot <= n.next`, locations, from, to)
	again.save(b.out)
	return nil
}

// aroundLate returns the spans before and after the late reports. Such a report is
// history: it changes no status, but it may fill a gap or split it in two, and what
// was rolled up is to be rolled up again.
func (b *batch) aroundLate(ctx context.Context, tx pgx.Tx) (around []span, err error) {
	if len(b.late) == 0 {
		return nil, nil
	}
	locations, slots := make([]int64, len(b.late)), make([]time.Time, len(b.late))
	for i, e := range b.late {
		locations[i], slots[i] = e.l.id, e.r.Slot
	}
	var i int
	var prev, next pgtype.Timestamptz
	var ms pgtype.Int4
	var reason pgtype.Int4
	dest := []any{&i, &prev, &ms, &next, &reason}
	err = eachRow(ctx, tx, `SELECT k.i, p.slot, p.interval_ms, n.slot, n.gap_id
FROM unnest($1::int[], $2::timestamptz[]) WITH ORDINALITY AS k (location, slot, i)
LEFT JOIN LATERAL (SELECT slot, interval_ms FROM site_reports
 WHERE site_location_id = k.location AND slot < k.slot ORDER BY slot DESC LIMIT 1) p ON true
LEFT JOIN LATERAL (SELECT slot, gap_id FROM site_reports
 WHERE site_location_id = k.location AND slot > k.slot ORDER BY slot LIMIT 1) n ON true`, []any{locations, slots}, func(row pgx.Rows) error {
		if err := row.Scan(dest...); err != nil {
			return err
		}
		e := b.late[i-1]
		b.mark(e, time.Duration(ms.Int32)*time.Millisecond)
		if e.r.Outcome != sitemon.OutcomeUnknown {
			b.incidents.from(e.l.site.id, e.r.Slot)
		}
		if !next.Valid { // the newest ones are gone, by retention or by hand
			return nil
		}
		before := time.Unix(0, 0) // nothing is missing before the first report
		if prev.Valid {
			before = prev.Time
		}
		around = append(around,
			span{e.l, before, e.r.Slot, b.db.memory.reasonID(sitemon.Reason(e.r.Gap))},
			span{e.l, e.r.Slot, next.Time, reason})
		return nil
	})
	return around, err
}

// plans reads all plans of the sites of which the present one is not enough.
func (b *batch) plans(ctx context.Context, tx pgx.Tx, around []span) (map[int64]history.Plans, error) {
	names := map[int64]string{}
	for _, list := range [...][]span{b.spans, around} {
		for _, sp := range list {
			names[sp.l.site.id] = sp.l.site.name
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	return readPlansOf(ctx, tx, names)
}

// readPlansOf reads the plans of sites, oldest first.
func readPlansOf(ctx context.Context, q querier, names map[int64]string) (map[int64]history.Plans, error) {
	plans := make(map[int64]history.Plans, len(names))
	err := eachRow(ctx, q, `SELECT site_id, "from", "to", interval_ms, enabled, locations FROM site_plans WHERE site_id = ANY ($1) ORDER BY site_id, "from"`,
		[]any{slices.Collect(maps.Keys(names))}, func(row pgx.Rows) error {
			var id, ms int64
			var from, to pgtype.Timestamptz
			var p history.Plan
			err := row.Scan(&id, &from, &to, &ms, &p.Enabled, &p.Locations)
			p.From, p.To = orZero(from), orZero(to)
			p.Grid = slot.NewGrid(names[id], time.Duration(ms)*time.Millisecond)
			plans[id] = append(plans[id], p)
			return err
		})
	return plans, err
}

// mark asks for the time to be summed up again that a report changes, as far as it
// has been. It says something of the time after its slot, and ends what the one
// before it said, which may have spoken for longer.
func (b *batch) mark(e *entry, speaks time.Duration) {
	if e.r.Slot.Before(b.claimed) {
		b.marks.add(e.l.site.id, e.r.Slot, earlier(e.r.Slot.Add(max(speaks, e.r.Interval, time.Millisecond)), b.claimed))
	}
}

// findDuplicates marks the reports whose identity is there already. One that is
// newer than the newest of its location is not: its row is locked.
func (b *batch) findDuplicates(ctx context.Context, tx pgx.Tx) error {
	var old []int // entries
	var locations []int64
	var slots []time.Time
	for i := range b.entries {
		e := &b.entries[i]
		if t := &e.l.batch.track; e.r.Slot.After(t.Slot) {
			t.Slot = e.r.Slot // for the ones behind it
			continue
		}
		old, locations, slots = append(old, i), append(locations, e.l.id), append(slots, e.r.Slot)
	}
	for _, l := range b.locations {
		l.batch.track = l.batch.before
	}
	if len(old) == 0 {
		return nil
	}
	err := eachRow(ctx, tx, `SELECT k.i FROM unnest($1::int[], $2::timestamptz[]) WITH ORDINALITY AS k (location, slot, i)
CROSS JOIN LATERAL (SELECT FROM site_reports WHERE site_location_id = k.location AND slot = k.slot LIMIT 1) r`,
		[]any{locations, slots}, func(row pgx.Rows) error {
			var i int
			err := row.Scan(&i)
			if err == nil {
				b.entries[old[i-1]].duplicate = true
			}
			return err
		})
	if err != nil {
		return err
	}
	there := make(map[gapKey]struct{}, len(b.entries))
	for i := range b.entries {
		e := &b.entries[i]
		key := gapKey{e.l.id, e.r.Slot.UnixMilli()}
		if _, ok := there[key]; ok {
			e.duplicate = true
		}
		there[key] = struct{}{}
	}
	return nil
}
