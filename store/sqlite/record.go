package sqlite

import (
	"context"
	"fmt"
	"time"

	"sitemon"
)

// Record stores reports in one transaction, and with them what follows: gaps,
// the status of their sites, and marks on rollups that a late report changes. A
// report whose identity is there already changes nothing and counts as a
// duplicate; one older than what is kept counts as expired. A site that no
// document defines has its reports recorded too, and is not shown.
//
// After an error nothing was recorded, and the same batch may be given again. An
// error that wraps [sitemon.ErrInvalid] is about one of the reports: its name is
// not UTF-8, or its slot lies after 2109.
func (db *DB) Record(ctx context.Context, reports []sitemon.Report) (rec sitemon.Recorded, err error) {
	defer wrap(&err, "record %d reports", len(reports))
	if len(reports) == 0 {
		return rec, nil
	}
	var b *batch
	err = db.write(ctx, func(ctx context.Context) error {
		b = db.newBatch(db.clock())
		b.rec.New = make([]sitemon.Report, 0, len(reports))
		oldest := db.kept(b.now)
		for i := range reports {
			r := &reports[i]
			if ms := r.Slot.Truncate(time.Millisecond); !ms.Equal(r.Slot) {
				c := *r
				c.Slot, r = ms, &c
			}
			if r.Slot.Before(oldest) {
				b.rec.Expired++
				continue
			}
			if err := b.record(ctx, r); err != nil {
				return fmt.Errorf("site %q, slot %s: %w", r.Site, r.Slot.UTC().Format(sitemon.SlotFormat), err)
			}
		}
		return b.finish(ctx)
	})
	if err != nil {
		return sitemon.Recorded{}, err
	}
	return b.rec, nil
}

// batch is a transaction that changes the states of sites.
type batch struct {
	db  *DB
	now time.Time
	rec sitemon.Recorded

	locations map[*location]struct{} // whose tracks are to be written
	sites     map[*site]struct{}     // whose status is to be written
	incidents map[*site][2]time.Time // from when on they are to be derived again: the first and the last moment
}

func (db *DB) newBatch(now time.Time) *batch {
	return &batch{db: db, now: now, locations: map[*location]struct{}{}, sites: map[*site]struct{}{}, incidents: map[*site][2]time.Time{}}
}

func (b *batch) record(ctx context.Context, r *sitemon.Report) error {
	if r.Slot.UnixMilli() > slotMask {
		return fmt.Errorf("%w: the store holds no slots after 2109", sitemon.ErrInvalid)
	}
	s, err := b.db.siteNamed(ctx, r.Site)
	if err != nil {
		return err
	}
	l := s.location(r.Location)
	if l == nil {
		if l, err = b.db.addLocation(ctx, s, r); err != nil {
			return err
		}
	}
	fresh, err := b.store(ctx, l, r)
	if err != nil {
		return err
	}
	if !fresh {
		b.rec.Duplicates++
		return nil
	}
	b.rec.New = append(b.rec.New, *r)
	if !r.Slot.After(l.track.Slot) && l.track.Status != "" {
		if err := b.late(ctx, s, l, r); err != nil {
			return err
		}
		return b.keepEvidence(ctx, l, r)
	}
	if err := b.gapBefore(ctx, s, l, r); err != nil {
		return err
	}
	if r.Slot.UnixMicro() < b.db.state.claimed {
		if err := b.mark(ctx, s, r.Slot, max(r.Interval, l.track.Interval)); err != nil {
			return err
		}
	}
	b.advance(s, l, r)
	return b.keepEvidence(ctx, l, r)
}

// store writes the row of a report and says whether it was not there yet.
func (b *batch) store(ctx context.Context, l *location, r *sitemon.Report) (fresh bool, err error) {
	var w words
	if w.reason, err = b.db.reasonID(ctx, string(r.Reason)); err != nil {
		return false, err
	}
	if w.gap, err = b.db.reasonID(ctx, r.Gap); err != nil {
		return false, err
	}
	if w.monitor, err = b.db.monitorID(ctx, r.Monitor); err != nil {
		return false, err
	}
	b.db.args = appendReport(b.db.args[:0], packID(l.id, r.Slot), r, w)
	b.db.writes++
	err = b.db.conn.Raw(func(any) error {
		res, err := b.db.insert.ExecContext(ctx, b.db.args)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		fresh = n > 0
		return err
	})
	return fresh, err
}

// addLocation makes the row of a site's first report from a location.
func (db *DB) addLocation(ctx context.Context, s *site, r *sitemon.Report) (*location, error) {
	l := &location{name: db.state.intern(r.Location)}
	err := db.queryRow(ctx, `INSERT INTO site_locations (site_id, location, slot, interval_ms, outcome, failures, successes, status,
 fault_reason, fault_error, blind_reason, blind_error) VALUES (?, ?, 0, 0, '', 0, 0, '', '', '', '', '') RETURNING id`,
		s.id, r.Location).Scan(&l.id)
	if err != nil {
		return nil, err
	}
	if l.id >= maxLocations {
		return nil, fmt.Errorf("the store is full: it holds at most %d pairs of site and location", maxLocations-1)
	}
	s.locations = append(s.locations, l)
	return l, nil
}

// finish writes what the reports changed beside their rows.
func (b *batch) finish(ctx context.Context) error {
	for l := range b.locations {
		if err := b.db.saveTrack(ctx, l); err != nil {
			return err
		}
	}
	for s := range b.sites {
		if err := b.db.saveStatus(ctx, s, b.now); err != nil {
			return err
		}
	}
	return b.markIncidents(ctx)
}
