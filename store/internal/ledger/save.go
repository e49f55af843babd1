package ledger

import (
	"context"
	"fmt"
	"time"

	"sitemon"
	"sitemon/status"
)

// save makes the incidents of the site those that were derived. One that overlaps
// an incident that is there already is that one.
func (d *deriving) save(ctx context.Context, list []status.Stretch) error {
	existing := d.existing
	if !d.end.IsZero() {
		existing = nil
		for _, r := range d.existing {
			if r.ConfirmedAt.Before(d.end) {
				existing = append(existing, r)
			}
		}
	}
	taken := make([]bool, len(existing))
	for i := range list {
		r := derived(d.site, &list[i], d.tracks)
		carried := d.carried != nil && r.ConfirmedAt.Equal(d.carried.ConfirmedAt)
		if carried {
			if err := d.countBefore(ctx, &r); err != nil {
				return err
			}
		}
		j := d.find(&r, existing, taken, carried)
		if j < 0 {
			if err := d.insert(ctx, &r); err != nil {
				return err
			}
		} else {
			taken[j] = true
			if err := d.update(ctx, &existing[j], &r); err != nil {
				return err
			}
		}
		if err := d.pruneEvidence(ctx, &r); err != nil {
			return err
		}
	}
	for j := range existing {
		if !taken[j] && !existing[j].Withdrawn {
			if err := d.withdraw(ctx, &existing[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

// find returns which existing incident a derived one is; -1 for none. One that was
// withdrawn is taken if nothing else fits.
func (d *deriving) find(r *row, existing []row, taken []bool, carried bool) int {
	withdrawn := -1
	for j := range existing {
		e := &existing[j]
		switch {
		case taken[j]:
		case carried:
			if e.ID == d.carried.ID {
				return j
			}
		case !r.overlaps(e):
		case !e.Withdrawn:
			return j
		case withdrawn < 0:
			withdrawn = j
		}
	}
	return withdrawn
}

// countBefore adds the failed reports of an incident of which only what came after
// [status.Past.From] was derived.
func (d *deriving) countBefore(ctx context.Context, r *row) error {
	cut := d.past.From
	if !r.EndedAt.IsZero() && r.EndedAt.Before(cut) {
		cut = r.EndedAt
	}
	kept := !r.StartedAt.Before(d.src.Kept())
	ranges := make([]Range, len(r.told))
	for i, t := range r.told {
		ranges[i] = Range{From: r.StartedAt, To: cut}
		if !kept { // the number of old is less those that have been counted again
			ranges[i] = Range{From: cut, To: later(d.carried.counted(t.Location), cut)}
		}
		for _, l := range d.locations {
			if l.name == t.Location {
				ranges[i].Location = l.id
			}
		}
	}
	counts, err := d.src.Failed(ctx, ranges)
	if err != nil {
		return err
	}
	for i := range r.told {
		n := counts[i]
		if !kept {
			n = 0
			for _, old := range d.carried.told {
				if old.Location == r.told[i].Location {
					n = max(0, old.Reports-counts[i])
				}
			}
		}
		r.told[i].Reports += n
		r.Reports += n
	}
	return nil
}

func (d *deriving) insert(ctx context.Context, r *row) error {
	locations, told, err := r.pack()
	if err != nil {
		return err
	}
	err = d.Query(ctx, `INSERT INTO incidents (site_id, started_at, confirmed_at, ended_at, settled_at, ended_by, reason, error,
 locations, told, reports, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id`,
		[]any{
			d.site, r.StartedAt, r.ConfirmedAt, r.EndedAt, r.settledAt, string(r.End), string(r.Reason), r.Error,
			locations, told, r.Reports, d.now,
		}, func(scan func(dest ...any) error) error { return scan(&r.ID) })
	if err != nil {
		return err
	}
	return d.changed(ctx, r.ID, true, !r.EndedAt.IsZero())
}

// update makes an incident the derived one, and gives that its number.
func (d *deriving) update(ctx context.Context, old, r *row) error {
	r.ID = old.ID
	if r.equal(old) {
		return nil
	}
	locations, told, err := r.pack()
	if err != nil {
		return err
	}
	_, err = d.Exec(ctx, `UPDATE incidents SET started_at = $2, confirmed_at = $3, ended_at = $4, settled_at = $5, ended_by = $6,
 reason = $7, error = $8, locations = $9, told = $10, reports = $11, changed_at = $12, withdrawn = $13 WHERE id = $1`,
		r.ID, r.StartedAt, r.ConfirmedAt, r.EndedAt, r.settledAt, string(r.End), string(r.Reason), r.Error,
		locations, told, r.Reports, d.now, false)
	if err != nil || r.same(old) {
		return err
	}
	return d.changed(ctx, r.ID, old.Withdrawn, !r.EndedAt.IsZero() && (old.EndedAt.IsZero() || old.Withdrawn))
}

// withdraw takes back an incident of which the rows tell no more. It stays, with
// its number, and has an end, so that it is not taken for a later one.
func (d *deriving) withdraw(ctx context.Context, r *row) error {
	ended, settled := r.EndedAt, r.settledAt
	if ended.IsZero() {
		ended = later(d.now, r.ConfirmedAt.Add(time.Microsecond))
		settled = ended
	}
	_, err := d.Exec(ctx, `UPDATE incidents SET withdrawn = $2, ended_at = $3, settled_at = $4, changed_at = $5 WHERE id = $1`,
		r.ID, true, ended, settled, d.now)
	if err != nil {
		return err
	}
	err = addEvent(ctx, d, r.ID, sitemon.IncidentEvent{
		At: d.now, Kind: sitemon.EventWithdrawn, Text: "late reports show that it did not take place",
	})
	if err != nil {
		return err
	}
	return d.changed(ctx, r.ID, false, true)
}

// changed notes a change of an incident that people see.
func (d *deriving) changed(ctx context.Context, id int64, began, ended bool) error {
	rows, err := readRows(ctx, d, "WHERE i.id = $1", id)
	if err != nil {
		return err
	}
	if len(rows) != 1 {
		return fmt.Errorf("incident %d is gone", id)
	}
	d.changes = append(d.changes, sitemon.IncidentChange{Incident: rows[0].Incident, Began: began, Ended: ended})
	return nil
}
