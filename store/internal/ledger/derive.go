package ledger

import (
	"context"
	"fmt"
	"time"

	"sitemon"
	"sitemon/status"
)

const (
	// deriveMarks is for how many marks one transaction derives incidents.
	deriveMarks = 100
	// lookAgain is when an incident that goes on is looked at again though nothing has
	// happened, so that few of its reports are left to be counted by who asks.
	lookAgain = 10 * time.Minute
	// lookSoon is the same where the rows say something else than the status, as a late
	// report would have made a difference. The reports until they agree leave no marks.
	lookSoon = 2 * time.Second
)

// Due reports whether there is something for [Derive].
func Due(ctx context.Context, tx Tx, now time.Time) (due bool, err error) {
	err = tx.Query(ctx, "SELECT EXISTS (SELECT 1 FROM incident_marks WHERE due <= $1)", []any{now},
		func(scan func(dest ...any) error) error { return scan(&due) })
	return due, err
}

// Derive brings the incidents of some sites that have marks up to date with the
// rows, and returns those that changed. It says whether there may be more to do. now
// is the time up to which reports have been read. Any number of transactions may
// derive at the same time.
func Derive(ctx context.Context, tx Tx, src Source, now time.Time) (changes []sitemon.IncidentChange, more bool, err error) {
	sites, err := takeSites(ctx, tx, now)
	if err != nil {
		return nil, false, err
	}
	for _, site := range sites {
		d := deriving{Tx: tx, src: src, site: site, now: now.UTC().Truncate(time.Microsecond)}
		if err := d.run(ctx); err != nil {
			return nil, false, fmt.Errorf("incidents of site %d: %w", site, err)
		}
		changes = append(changes, d.changes...)
	}
	return changes, len(sites) > 0, nil
}

// takeSites locks the names of sites that have marks: nobody else derives their
// incidents meanwhile.
func takeSites(ctx context.Context, tx Tx, now time.Time) (sites []int64, err error) {
	err = tx.Query(ctx, `SELECT id FROM site_names WHERE id IN (
 SELECT site_id FROM incident_marks WHERE due <= $1 ORDER BY id LIMIT $2) ORDER BY id`+tx.SkipLocked(),
		[]any{now, deriveMarks}, func(scan func(dest ...any) error) error {
			var id int64
			err := scan(&id)
			sites = append(sites, id)
			return err
		})
	return sites, err
}

// deriving is a site whose incidents are derived again.
type deriving struct {
	Tx
	src  Source
	site int64
	now  time.Time

	marks     []mark
	from      time.Time // the earliest mark
	to        time.Time // the latest one
	until     time.Time // up to which reports have been read
	locations []location
	plans     []status.Plan

	existing []row // incidents that may be changed
	carried  *row  // of them the one that is only derived from Past.From on
	end      time.Time
	past     status.Past
	tracks   []status.Located // that the rows lead to

	changes []sitemon.IncidentChange
}

// mark is a row of incident_marks.
type mark struct {
	id        int64
	from, due time.Time
}

// location is a row of site_locations.
type location struct {
	id   int64
	name string
}

func (d *deriving) run(ctx context.Context) error {
	if err := d.readMarks(ctx); err != nil || d.from.IsZero() {
		return err
	}
	if err := d.begin(ctx); err != nil {
		return err
	}
	var list []status.Stretch
	for _, ahead := range windows {
		d.end = time.Time{}
		if ahead > 0 {
			d.end = d.to.Add(ahead)
		}
		if d.end.After(d.until) {
			d.end = time.Time{}
		}
		if err := d.readPast(ctx); err != nil {
			return err
		}
		list = d.stretches()
		if d.end.IsZero() || d.same(list) {
			break
		}
	}
	if err := d.save(ctx, list); err != nil {
		return err
	}
	return d.settleMarks(ctx, list)
}

// readMarks reads the marks of the site.
func (d *deriving) readMarks(ctx context.Context) error {
	err := d.Query(ctx, `SELECT id, "from", due FROM incident_marks WHERE site_id = $1`, []any{d.site},
		func(scan func(dest ...any) error) error {
			var m mark
			var from, due Moment
			err := scan(&m.id, &from, &due)
			m.from, m.due = from.Time, due.Time
			d.marks = append(d.marks, m)
			return err
		})
	for _, m := range d.marks {
		if m.due.After(d.now) {
			continue
		}
		if d.from.IsZero() || m.from.Before(d.from) {
			d.from = m.from
		}
		d.to = later(d.to, m.from)
	}
	return err
}

// settleMarks takes away the marks that have been seen to, and leaves one where it
// is to be looked again.
func (d *deriving) settleMarks(ctx context.Context, list []status.Stretch) error {
	for _, m := range d.marks {
		query := "DELETE FROM incident_marks WHERE id = $1"
		switch {
		case m.from.After(d.until) && m.due.Before(m.from):
			// Silence at that moment says something only once it has been read up to there.
			query = `UPDATE incident_marks SET due = "from" WHERE id = $1`
		case m.from.After(d.until), m.due.After(d.now) && !d.end.IsZero():
			continue
		}
		if _, err := d.Exec(ctx, query, m.id); err != nil {
			return err
		}
	}
	if !d.end.IsZero() {
		return nil
	}
	after, err := d.again(ctx, list)
	if err != nil || after == 0 {
		return err
	}
	_, err = d.Exec(ctx, `INSERT INTO incident_marks (site_id, "from", due) VALUES ($1, $2, $3)`,
		d.site, d.unread(), d.now.Add(after))
	return err
}

// unread is the moment up to which all is known: reports from then on may come
// without a mark.
func (d *deriving) unread() time.Time {
	at := d.until
	for i := range d.tracks {
		t := &d.tracks[i].Track
		if next := t.Slot.Add(time.Millisecond); t.Silent.After(d.until) && next.Before(at) {
			at = next
		}
	}
	return at
}

// again says after which time the site is to be looked at again even if nothing
// happens; 0: not at all.
func (d *deriving) again(ctx context.Context, list []status.Stretch) (time.Duration, error) {
	open := len(list) > 0 && list[len(list)-1].To.IsZero()
	var st sitemon.Status
	err := d.Query(ctx, "SELECT status FROM site_status WHERE site_id = $1", []any{d.site},
		func(scan func(dest ...any) error) error { return scan((*string)(&st)) })
	if err != nil {
		return 0, err
	}
	down := st == sitemon.StatusDown
	switch st {
	case "", sitemon.StatusPaused, sitemon.StatusMaintenance:
		if !open { // what comes next leaves a mark
			return 0, nil
		}
	case sitemon.StatusUnknown:
		down = open
	}
	differ, silent, err := d.differ(ctx)
	switch {
	case err != nil:
		return 0, err
	case open != down, differ:
		return lookSoon, nil
	case open, silent:
		return lookAgain, nil
	}
	return 0, nil
}

// differ reports whether what is remembered of a location for its status differs
// from what the rows tell, so that reports to come may change an incident and not the
// status. silent is the same about locations that are silent.
func (d *deriving) differ(ctx context.Context) (differ, silent bool, err error) {
	err = d.Query(ctx, "SELECT location, status, failures, successes FROM site_locations WHERE site_id = $1", []any{d.site},
		func(scan func(dest ...any) error) error {
			var name string
			var t status.Track
			if err := scan(&name, (*string)(&t.Status), &t.Failures, &t.Successes); err != nil {
				return err
			}
			for i := range d.tracks {
				l := &d.tracks[i]
				down, row := t.Standing()
				if was, length := l.Track.Standing(); l.Location != name || was == down && length == row {
					continue
				}
				if l.Track.At(d.until) == sitemon.StatusUnknown {
					silent = true
				} else {
					differ = true
				}
			}
			return nil
		})
	return differ, silent, err
}
