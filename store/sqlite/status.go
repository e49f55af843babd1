package sqlite

import (
	"context"
	"time"

	"sitemon"
	"sitemon/status"
)

// advance takes a report that is newer than the newest one of its location into
// the status of its site.
func (b *batch) advance(s *site, l *location, r *sitemon.Report) {
	before := l.track
	l.track.Advance(*r, s.thresholds)
	if silent := before.Silent; !silent.IsZero() && !silent.After(b.now) && !l.track.Silent.Equal(silent) {
		b.incidentsFrom(s, earlier(silent, r.Slot)) // it has been silent for longer or shorter than was seen
	}
	if r.Slot.Before(s.planFrom) || s.planFrom.IsZero() && !status.Steady(&before, &l.track) {
		b.incidentsFrom(s, r.Slot) // it is judged by another plan than that of its slot
	}
	if silent := l.track.Silent; !silent.IsZero() && silent.Before(b.db.state.silence) {
		b.db.state.silence = silent
	}
	if !status.Steady(&before, &l.track) {
		b.locations[l] = struct{}{}
	} else if before.At(b.now) == l.track.At(b.now) {
		return
	}
	if before.Status != l.track.Status && isDown(before.Status, l.track.Status) {
		b.incidentsFrom(s, l.track.Since)
	}
	b.judge(s, r.Slot)
}

// isDown reports whether one of two statuses is down.
func isDown(a, b sitemon.Status) bool { return a == sitemon.StatusDown || b == sitemon.StatusDown }

// judge puts together a site's state over its locations and notes what changed.
// A site is paused from the moment on at which that is seen first. from is when
// what led to it happened.
func (b *batch) judge(s *site, from time.Time) {
	if !s.present || !s.enabled && s.state.Status == sitemon.StatusPaused {
		return
	}
	st := b.db.state.combine(s, b.now)
	if st.Status == s.state.Status && st.Since.Equal(s.state.Since) && st.Reason == s.state.Reason && st.Error == s.state.Error {
		return
	}
	if st.Status != s.state.Status {
		b.rec.Changes = append(b.rec.Changes, sitemon.StatusChange{
			Site: s.name, Status: st.Status, Since: st.Since, Reason: st.Reason, Error: st.Error,
		})
		if s.state.Status == sitemon.StatusUnknown || isDown(s.state.Status, st.Status) {
			b.incidentsFrom(s, from)
		}
	}
	s.state = st
	b.sites[s] = struct{}{}
}

// Tick makes the sites unknown whose locations have fallen silent by now, and lets
// those enter and leave maintenance of which [DB.Maintain] has written so. It returns
// the changes, and costs nothing where none is due. It also empties the write-ahead
// log where that has grown, so call it about each second.
func (db *DB) Tick(ctx context.Context, now time.Time) (changes []sitemon.StatusChange, err error) {
	defer wrap(&err, "tick")
	due, err := db.tickDue(ctx, now)
	if err != nil {
		return nil, err
	}
	if due {
		var b *batch
		err = db.write(ctx, func(ctx context.Context) error {
			b = db.newBatch(now)
			b.tick()
			return b.finish(ctx)
		})
		if err != nil {
			return nil, err
		}
		changes = b.rec.Changes
	}
	return changes, db.checkpoint(ctx)
}

// tick judges the sites of which a location is silent, or that are in maintenance or
// leave it.
func (b *batch) tick() {
	st := b.db.state
	next := b.now.Add(time.Hour) // a new location makes it earlier
	for _, s := range st.sites {
		maintained := s.enabled && !st.maintenance[s.id].Since(b.now).IsZero()
		due, from := s.present && maintained != (s.state.Status == sitemon.StatusMaintenance), b.now
		for _, l := range s.locations {
			switch silent := l.track.Silent; {
			case silent.IsZero():
			case silent.After(b.now):
				next = earlier(next, silent)
			default:
				due = true
				if silent.After(st.looked) {
					from = earlier(from, silent)
					b.incidentsFrom(s, silent)
				}
			}
		}
		if due {
			b.judge(s, from)
		}
	}
	st.silence, st.looked, st.flip = next, b.now, st.nextFlip(b.now)
}

// tickDue reports whether a location may have fallen silent, or a maintenance have
// begun or ended.
func (db *DB) tickDue(ctx context.Context, now time.Time) (bool, error) {
	if err := db.lock(ctx); err != nil {
		return false, err
	}
	defer db.unlock()
	st := db.state
	return st == nil || !now.Before(st.silence) || len(st.maintenance) > 0 && !now.Before(st.flip), nil
}

// saveTrack writes the row of a location.
func (db *DB) saveTrack(ctx context.Context, l *location) error {
	t := &l.track
	return db.exec(ctx, `UPDATE site_locations SET slot = ?, interval_ms = ?, silent_at = ?, outcome = ?, failures = ?, successes = ?,
 row_slot = ?, status = ?, since = ?, fault_reason = ?, fault_error = ?, blind_reason = ?, blind_error = ? WHERE id = ?`,
		micros(t.Slot), t.Interval.Milliseconds(), microsOrNull(t.Silent), t.Outcome, t.Failures, t.Successes,
		microsOrNull(t.Row), t.Status, microsOrNull(t.Since),
		t.Fault.Reason, t.Fault.Error, t.Blind.Reason, t.Blind.Error, l.id)
}

// saveStatus writes the row of a site's status.
func (db *DB) saveStatus(ctx context.Context, s *site, now time.Time) error {
	return db.exec(ctx, `INSERT INTO site_status (site_id, status, since, reason, error, changed_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET status = excluded.status, since = excluded.since, reason = excluded.reason,
 error = excluded.error, changed_at = excluded.changed_at`,
		s.id, s.state.Status, microsOrNull(s.state.Since), s.state.Reason, s.state.Error, micros(now))
}
