package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/status"
	"sitemon/store/internal/history"
)

// judge brings the tracks and the statuses of the sites up to date that were
// removed, or whose reports count for something else now. All locations of a site
// whose definition has changed are taken from the stores that remember them, so
// that those read them again, with what the site is now.
func (e *edit) judge(ctx context.Context, strange map[int64]bool) error {
	sites := make(map[int64]*review, len(e.puts)+len(e.removed))
	for _, id := range e.removed {
		sites[id] = &review{forget: true}
	}
	for i := range e.puts {
		p := &e.puts[i]
		if !p.replanned() {
			continue
		}
		id := e.ids[p.site.Name]
		if sites[id] == nil {
			sites[id] = &review{forget: p.before != nil && p.before.enabled && !p.site.Enabled}
		}
		sites[id].put = p
	}
	if len(sites) == 0 {
		return nil
	}
	ids := make([]int64, 0, len(sites))
	for id := range sites {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	known := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return strange[id] })
	b := &pgx.Batch{}
	if err := e.judgeTracks(ctx, b, known, sites); err != nil {
		return err
	}
	if err := e.judgeSites(ctx, b, ids, sites); err != nil {
		return err
	}
	marks := incidentMarks{}
	for id, s := range sites {
		if len(s.tracks) > 0 {
			marks.from(id, e.now)
		}
	}
	marks.save(b)
	return e.tx.SendBatch(ctx, b).Close()
}

// review is a site that is judged again.
type review struct {
	put        *put // nil: the site is removed
	forget     bool // what it was before says nothing of it
	tracks     []status.Located
	maintained history.Maintained
}

// judgeTracks decides the tracks of the sites and queues their writing.
func (e *edit) judgeTracks(ctx context.Context, b *pgx.Batch, ids []int64, sites map[int64]*review) error {
	if len(ids) == 0 {
		return nil
	}
	// A location that has its first report just now waits for us, or we for it.
	if _, err := e.tx.Exec(ctx, "SELECT FROM site_names WHERE id = ANY ($1) ORDER BY id FOR UPDATE", ids); err != nil {
		return err
	}
	all, err := holdSites(ctx, e.tx, ids)
	if err != nil {
		return err
	}
	for i := range all {
		l := &all[i]
		s := sites[l.site]
		if s.forget && l.track.Status != "" {
			l.track.Forget(e.now)
		}
		if s.put != nil {
			l.track.Judge(thresholdsOf(s.put.site))
		}
		if l.track.Status != "" {
			s.tracks = append(s.tracks, status.Located{Location: l.location, Track: l.track})
		}
	}
	saveTracks(b, all, "")
	return nil
}

// judgeSites decides the statuses of the sites and queues their writing.
func (e *edit) judgeSites(ctx context.Context, b *pgx.Batch, ids []int64, sites map[int64]*review) error {
	if len(e.removed) > 0 {
		if _, err := e.tx.Exec(ctx, "DELETE FROM site_status WHERE site_id = ANY ($1)", e.removed); err != nil {
			return err
		}
	}
	before, err := lockStatuses(ctx, e.tx, ids)
	if err != nil {
		return err
	}
	if err := e.readMaintenance(ctx, ids, sites); err != nil {
		return err
	}
	var changed, added []statusRow
	for _, id := range ids {
		s := sites[id]
		if s.put == nil {
			continue
		}
		old, ok := before[id]
		st := decide(e.now, old, s.terms(e.now), s.tracks)
		switch {
		case !ok:
			added = append(added, statusRow{id, st})
		case !same(st, old):
			changed = append(changed, statusRow{id, st})
		}
	}
	saveStatuses(b, changed, e.now)
	addStatuses(b, added, e.now)
	return nil
}

// terms are those of a site that is not removed.
func (r *review) terms(now time.Time) status.Terms {
	s := r.put.site
	return status.Terms{Enabled: s.Enabled, Maintenance: r.maintained.Since(now), Quorum: s.Quorum, Locations: s.Locations}
}

// readMaintenance reads when the sites are in maintenance.
func (e *edit) readMaintenance(ctx context.Context, ids []int64, sites map[int64]*review) error {
	return eachRow(ctx, e.tx, `SELECT site_id, "from", "to" FROM site_maintenance WHERE site_id = ANY ($1) AND "to" > $2`,
		[]any{ids, e.now.Add(-maintainedFor)}, func(row pgx.Rows) error {
			var id int64
			var w history.Window
			err := row.Scan(&id, &w.From, &w.To)
			sites[id].maintained = append(sites[id].maintained, history.Window{From: w.From.UTC(), To: w.To.UTC()})
			return err
		})
}

// addStatuses queues the writing of statuses that have no row yet.
func addStatuses(b *pgx.Batch, rows []statusRow, now time.Time) {
	if len(rows) == 0 {
		return
	}
	var c statusColumns
	c.add(rows)
	b.Queue(`INSERT INTO site_status (site_id, status, since, reason, error, changed_at, changed_seq)
SELECT n.id, n.status, n.since, n.reason, n.error, $6, nextval('site_status_seq')
FROM unnest($1::int[], $2::text[], $3::timestamptz[], $4::text[], $5::text[]) AS n (id, status, since, reason, error)`,
		c.ids, c.statuses, c.since, c.reasons, c.errors, now)
}
