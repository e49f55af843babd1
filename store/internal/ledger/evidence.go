package ledger

import (
	"context"
	"slices"
	"time"

	"sitemon"
)

// endless stands for the end of an incident that goes on.
var endless = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// spoken is the time in which what a location saw belongs to an incident.
func (r *row) spoken(t *told) (from, to time.Time) {
	from, to = r.StartedAt, r.EndedAt
	if t.Failed.Before(from) {
		from = t.Failed
	}
	if to.IsZero() {
		to = endless
	}
	return from, to
}

// pruneEvidence keeps, of each location, the first and the newest evidence of an
// incident.
func (d *deriving) pruneEvidence(ctx context.Context, r *row) error {
	for i := range r.told {
		from, to := r.spoken(&r.told[i])
		for _, l := range d.locations {
			if l.name != r.told[i].Location {
				continue
			}
			_, err := d.Exec(ctx, `DELETE FROM site_evidence WHERE site_location_id = $1
 AND slot > (SELECT min(slot) FROM site_evidence WHERE site_location_id = $1 AND slot >= $2 AND slot < $3)
 AND slot < (SELECT max(slot) FROM site_evidence WHERE site_location_id = $1 AND slot >= $2 AND slot < $3)`, l.id, from, to)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// evidenceOf reads the evidence of an incident, oldest first.
func evidenceOf(ctx context.Context, tx Tx, r *row) (list []sitemon.Evidence, err error) {
	for i := range r.told {
		t := &r.told[i]
		from, to := r.spoken(t)
		err := tx.Query(ctx, `SELECT e.slot, e.evidence FROM site_locations l JOIN site_evidence e ON e.site_location_id = l.id
WHERE l.site_id = $1 AND l.location = $2 AND e.slot >= $3 AND e.slot < $4`, []any{r.siteID, t.Location, from, to},
			func(scan func(dest ...any) error) error {
				e := sitemon.Evidence{Location: t.Location}
				var slot Moment
				err := scan(&slot, &e.Details)
				e.Slot = slot.Time
				list = append(list, e)
				return err
			})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(list, func(a, b sitemon.Evidence) int { return a.Slot.Compare(b.Slot) })
	return list, nil
}

// RetainEvidence deletes the evidence from before a moment that belongs to no
// incident.
func RetainEvidence(ctx context.Context, tx Tx, before time.Time) error {
	_, err := tx.Exec(ctx, `DELETE FROM site_evidence WHERE slot < $1 AND NOT EXISTS (
 SELECT 1 FROM site_locations l JOIN incidents i ON i.site_id = l.site_id
 WHERE l.id = site_evidence.site_location_id AND NOT i.withdrawn
 AND i.started_at <= site_evidence.slot AND (i.ended_at IS NULL OR i.ended_at > site_evidence.slot))`, before)
	return err
}
