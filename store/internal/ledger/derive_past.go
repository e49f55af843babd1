package ledger

import (
	"context"
	"slices"
	"time"

	"sitemon"
	"sitemon/status"
)

const (
	// whole is how far back an incident is derived as a whole. Of one that began longer
	// before the mark only what comes after the mark is.
	whole = 6 * time.Hour
	// warmPage is how many reports of a location are read at first to tell how matters
	// stood, and warmMost how many at most.
	warmPage, warmMost = 32, 4096
)

// windows are how far behind the marks rows are read: what a late report changes
// mostly ends soon. Zero is all of them.
var windows = []time.Duration{6 * time.Hour, 48 * time.Hour, 0}

// begin decides from which moment on the past is derived: one at which no incident
// went on, or if it has been going on for long, one after which it was confirmed.
func (d *deriving) begin(ctx context.Context) (err error) {
	if d.plans, err = d.src.Plans(ctx, d.site); err != nil {
		return err
	}
	err = d.Query(ctx, "SELECT id, location FROM site_locations WHERE site_id = $1 ORDER BY id", []any{d.site},
		func(scan func(dest ...any) error) error {
			var l location
			err := scan(&l.id, &l.name)
			d.locations = append(d.locations, l)
			return err
		})
	if err != nil {
		return err
	}
	// What came before the reports that are kept can't be derived.
	d.past = status.Past{Plans: d.plans, From: later(d.from, d.src.Kept())}
	for again := true; again; {
		again, d.carried = false, nil
		if err := d.readExisting(ctx, d.past.From); err != nil {
			return err
		}
		for i := range d.existing {
			r := &d.existing[i]
			switch {
			case r.Withdrawn || !r.StartedAt.Before(d.past.From):
			case r.ConfirmedAt.Before(d.past.From) && (r.StartedAt.Before(d.from.Add(-whole)) || r.StartedAt.Before(d.src.Kept())):
				d.carried = r
			default:
				d.past.From, d.carried, again = r.StartedAt, nil, true
			}
		}
	}
	d.until = d.now
	for _, r := range d.existing { // somebody has read that far
		if !r.Withdrawn {
			d.until = later(later(d.until, r.ConfirmedAt), r.settledAt)
		}
	}
	if d.carried != nil {
		d.past.Open = d.carried.openAt(d.past.From)
	}
	err = d.Query(ctx, "SELECT max(ended_at) FROM incidents WHERE site_id = $1 AND NOT withdrawn AND settled_at < $2",
		[]any{d.site, d.past.From}, func(scan func(dest ...any) error) error {
			var m Moment
			err := scan(&m)
			d.past.Free = m.Time
			return err
		})
	if err != nil {
		return err
	}
	return d.Query(ctx, `SELECT "from", "to" FROM site_maintenance WHERE site_id = $1`, []any{d.site},
		func(scan func(dest ...any) error) error {
			var from, to Moment
			err := scan(&from, &to)
			d.past.Maintenance = append(d.past.Maintenance, status.Period{From: from.Time, To: to.Time})
			return err
		})
}

// readPast reads the reports up to d.end.
func (d *deriving) readPast(ctx context.Context) error {
	d.past.Reports, d.past.Until = nil, d.until
	if !d.end.IsZero() {
		d.past.Until = d.end.Add(-time.Microsecond)
	}
	for _, l := range d.locations {
		list, err := d.src.Reports(ctx, l.id, d.past.From, d.end, 0)
		if err != nil {
			return err
		}
		slices.Reverse(list)
		before, err := d.warm(ctx, l.id)
		if err != nil {
			return err
		}
		for _, r := range append(before, list...) {
			r.Location = l.name
			d.past.Reports = append(d.past.Reports, r)
		}
	}
	slices.SortStableFunc(d.past.Reports, func(a, b sitemon.Report) int { return a.Slot.Compare(b.Slot) })
	return nil
}

// warm returns the reports of a location before the derived past that tell how
// matters stood, oldest first.
func (d *deriving) warm(ctx context.Context, location int64) ([]sitemon.Report, error) {
	for limit := warmPage; ; limit *= 8 {
		list, err := d.src.Reports(ctx, location, time.Time{}, d.past.From, limit)
		if err != nil {
			return nil, err
		}
		full := len(list) == limit
		slices.Reverse(list)
		if !full || limit >= warmMost || status.Settled(list, d.plans) {
			return list, nil
		}
	}
}

// stretches derives the incidents that became ones before d.end, and not after what
// has been read: that of a site which is down when its maintenance ends is yet to come.
func (d *deriving) stretches() []status.Stretch {
	list, tracks := status.Incidents(d.past)
	d.tracks = tracks
	until := d.until
	if n := len(d.past.Reports); n > 0 {
		until = later(until, d.past.Reports[n-1].Slot)
	}
	return slices.DeleteFunc(list, func(s status.Stretch) bool {
		return s.Confirmed.After(until) || !d.end.IsZero() && !s.Confirmed.Before(d.end)
	})
}

// same reports whether from d.end on all is for sure as it was, whatever the marks
// were about: nothing went on then, and each location had been good for long enough
// after them, or had been silent.
func (d *deriving) same(list []status.Stretch) bool {
	if n := len(list); n > 0 && (list[n-1].To.IsZero() || !list[n-1].Settled.Before(d.end)) {
		return false
	}
	for _, r := range d.existing {
		over := r.settledAt.IsZero() || !r.settledAt.Before(d.end)
		if !r.Withdrawn && over && r.StartedAt.Before(d.end) {
			return false
		}
	}
	for _, l := range d.locations {
		var after []sitemon.Report
		var newest sitemon.Report
		for _, r := range d.past.Reports {
			if r.Location != l.name {
				continue
			}
			newest = r
			if r.Slot.After(d.to) {
				after = append(after, r)
			}
		}
		if len(after) > 0 && !status.Settled(after, d.plans) {
			return false
		}
		if len(after) == 0 && !newest.Slot.Add(newest.Interval+status.Grace(newest.Interval)).Before(d.end) {
			return false
		}
	}
	return true
}
