package postgres

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/store/internal/history"
	"sitemon/store/internal/ledger"
)

// isDown reports whether one of two statuses is down.
func isDown(a, b sitemon.Status) bool { return a == sitemon.StatusDown || b == sitemon.StatusDown }

// incidentMarks say from when on the incidents of sites are to be derived again: the
// first and the last moment of each.
type incidentMarks map[int64][2]time.Time

func (m incidentMarks) from(site int64, at time.Time) {
	r, ok := m[site]
	if !ok || at.Before(r[0]) {
		r[0] = at
	}
	if at.After(r[1]) {
		r[1] = at
	}
	m[site] = r
}

func (m incidentMarks) save(b *pgx.Batch) {
	if len(m) == 0 {
		return
	}
	sites, from := make([]int64, 0, len(m)), make([]time.Time, 0, len(m))
	for _, id := range slices.Sorted(maps.Keys(m)) {
		r := m[id]
		sites, from = append(sites, id), append(from, r[0])
		if r[1].After(r[0]) {
			sites, from = append(sites, id), append(from, r[1])
		}
	}
	b.Queue(`INSERT INTO incident_marks (site_id, "from") SELECT * FROM unnest($1::int[], $2::timestamptz[])`, sites, from)
}

// openIncidents finds those of some sites that have an incident which goes on.
const openIncidents = `SELECT DISTINCT site_id FROM incidents WHERE site_id = ANY ($1) AND ended_at IS NULL AND NOT withdrawn`

// noteReloads notes in the timelines of incidents that their sites were changed.
func (e *edit) noteReloads(ctx context.Context, changed []sitemon.Change) error {
	if len(changed) == 0 {
		return nil
	}
	keys := make(map[int64][]string, len(changed))
	ids := make([]int64, len(changed))
	for i, c := range changed {
		ids[i] = e.ids[c.Name]
		keys[ids[i]] = c.Keys
	}
	open, err := numbers(ctx, e.tx, openIncidents, ids)
	if err != nil {
		return err
	}
	for _, id := range open {
		if err := ledger.Reloaded(ctx, ledgerTx{e.tx}, id, e.now, keys[id]); err != nil {
			return err
		}
	}
	return nil
}

// evidenceRows are rows of site_evidence to be written, and ranges of those whose
// place they take.
type evidenceRows struct {
	rows []evidenceRow
	cut  []evidenceRow
}

// evidenceRow is a row of site_evidence; where it takes the place of others, those
// are of later slots than after and of earlier ones than its own.
type evidenceRow struct {
	location    int64
	after, slot time.Time
	text        string
}

// add takes the evidence of a failed report that is recorded. Its location's track
// has taken it in.
func (e *evidenceRows) add(en *entry) {
	r, l := en.r, en.l
	if r.Evidence == "" || r.Outcome != sitemon.OutcomeDown {
		return
	}
	after, keep := history.KeepEvidence(&l.batch.track, r.Slot, l.batch.evidence)
	if !keep {
		return
	}
	row := evidenceRow{location: l.id, after: after, slot: r.Slot, text: r.Evidence}
	if after.Before(r.Slot) {
		e.cut = append(e.cut, row)
		e.rows = slices.DeleteFunc(e.rows, func(o evidenceRow) bool {
			return o.location == l.id && o.slot.After(after) && o.slot.Before(r.Slot)
		})
	}
	e.rows = append(e.rows, row)
	l.batch.evidence = later(l.batch.evidence, r.Slot)
}

func (e *evidenceRows) save(b *pgx.Batch) {
	if len(e.cut) > 0 {
		locations, after, slots, _ := evidenceColumns(e.cut)
		b.Queue(`DELETE FROM site_evidence e USING unnest($1::int[], $2::timestamptz[], $3::timestamptz[]) AS n (location, after, slot)
WHERE e.site_location_id = n.location AND e.slot > n.after AND e.slot < n.slot`, locations, after, slots)
	}
	if len(e.rows) > 0 {
		locations, _, slots, texts := evidenceColumns(e.rows)
		b.Queue(`INSERT INTO site_evidence (site_location_id, slot, evidence) SELECT * FROM unnest($1::int[], $2::timestamptz[], $3::text[])
ON CONFLICT DO NOTHING`, locations, slots, texts)
	}
}

func evidenceColumns(rows []evidenceRow) (locations []int64, after, slots []time.Time, texts []string) {
	for _, r := range rows {
		locations, after = append(locations, r.location), append(after, r.after)
		slots, texts = append(slots, r.slot), append(texts, r.text)
	}
	return locations, after, slots, texts
}
