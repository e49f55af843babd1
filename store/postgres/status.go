package postgres

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
	"sitemon/status"
	"sitemon/store/internal/history"
)

// at is the moment as of which a report of a slot is judged: no later one than up
// to which reports have been read, so that a backlog makes no silence.
func (b *batch) at(slot time.Time) time.Time {
	if at := later(slot, b.db.judged); at.Before(b.now) {
		return at
	}
	return b.now
}

// advance takes the reports that are newer than the newest ones of their locations
// into their tracks, in the order given, and sets the others apart.
func (b *batch) advance() {
	for i := range b.entries {
		e := &b.entries[i]
		if e.duplicate {
			continue
		}
		t, r := &e.l.batch.track, e.r
		if t.Status != "" && !r.Slot.After(t.Slot) {
			b.late = append(b.late, e)
			b.evidence.add(e)
			continue
		}
		if t.Status != "" {
			b.gapBefore(e, t.Slot)
		}
		b.mark(e, t.Interval)
		before := *t
		t.Advance(*r, e.l.site.thresholds)
		if before.Status != t.Status && isDown(before.Status, t.Status) {
			b.incidents.from(e.l.site.id, t.Since)
		}
		if from := e.l.site.planFrom; r.Slot.Before(from) || from.IsZero() && !status.Steady(&before, t) {
			b.incidents.from(e.l.site.id, r.Slot) // it is judged by another plan than that of its slot
		}
		b.evidence.add(e)
		at := b.at(r.Slot)
		if silent := before.Silent; !silent.IsZero() && !t.Silent.Equal(silent) &&
			(!silent.After(at) || e.l.seen || e.l.batch.takeOver && !silent.After(b.now)) {
			b.incidents.from(e.l.site.id, earlier(silent, r.Slot)) // it has been silent for longer or shorter than was seen
		}
		switch {
		case !status.Steady(&before, t):
			e.l.batch.dirty = true
		case (e.l.seen || e.l.batch.takeOver) && !e.l.batch.judged:
			// Others may have judged it as of a later time, up to which nobody has read.
		case before.At(at) == t.At(at):
			continue
		}
		e.l.batch.judged = true
		b.events = append(b.events, e.l.site.event(at, r.Slot))
	}
}

// event is a moment at which the state of a site may have become another.
type event struct {
	site int64
	at   time.Time
	from time.Time // when what led to it happened
	own  []held    // the tracks that this transaction changes, as they are then
}

func (s *site) event(at, from time.Time) event {
	ev := event{site: s.id, at: at, from: from}
	for _, l := range s.locations {
		if l.batch != nil {
			ev.own = append(ev.own, held{l.id, s.id, l.name, l.batch.track})
		}
	}
	return ev
}

// judge puts together what the locations of sites say at one event after another,
// queues what is to be written of it, and returns the changes of status. It adds to
// the marks.
func judge(ctx context.Context, tx pgx.Tx, events []event, now time.Time, marks incidentMarks, out *pgx.Batch) (changes []sitemon.StatusChange, err error) {
	if len(events) == 0 {
		return nil, nil
	}
	sites, own := map[int64]*judging{}, map[int64]struct{}{}
	for _, ev := range events {
		sites[ev.site] = &judging{}
		for _, h := range ev.own {
			own[h.id] = struct{}{}
		}
	}
	if err := readJudged(ctx, tx, sites, slices.AppendSeq([]int64{}, maps.Keys(own)), now); err != nil {
		return nil, err
	}
	var rows []statusRow
	for _, ev := range events {
		s := sites[ev.site]
		if s.name == "" || s.state.Status == "" { // nobody watches it
			continue
		}
		st := decide(ev.at, s.state, s.termsAt(ev.at), s.tracks(ev.own))
		if st.Status != s.state.Status {
			changes = append(changes, sitemon.StatusChange{
				Site: s.name, Status: st.Status, Since: st.Since, Reason: st.Reason, Error: st.Error,
			})
			if s.state.Status == sitemon.StatusUnknown || isDown(s.state.Status, st.Status) {
				marks.from(ev.site, ev.from)
			}
		}
		s.state = st
	}
	for _, id := range slices.Sorted(maps.Keys(sites)) {
		if s := sites[id]; !same(s.state, s.before) {
			rows = append(rows, statusRow{id, s.state})
		}
	}
	saveStatuses(out, rows, now)
	return changes, nil
}

func same(a, b status.State) bool {
	return a.Status == b.Status && a.Since.Equal(b.Since) && a.Reason == b.Reason && a.Error == b.Error
}

// judging is a site whose state is put together.
type judging struct {
	name          string
	terms         status.Terms
	maintained    history.Maintained
	before, state status.State
	others        []held
}

// termsAt are the terms at a moment.
func (s *judging) termsAt(at time.Time) status.Terms {
	t := s.terms
	t.Maintenance = s.maintained.Since(at)
	return t
}

// tracks are those of all locations that ever reported.
func (s *judging) tracks(own []held) []status.Located {
	var list []status.Located
	for _, hs := range [...][]held{own, s.others} {
		for _, h := range hs {
			if h.track.Status != "" {
				list = append(list, status.Located{Location: h.location, Track: h.track})
			}
		}
	}
	return list
}

// maintainedFor is how long a maintenance matters that is over: what is judged may
// lie a little in the past, and one may follow another.
const maintainedFor = 24 * time.Hour

// readTerms reads what decides on the states of sites beside their locations, with a
// row for each maintenance of now and of late.
const readTerms = `SELECT s.site_id, s.name, s.enabled, s.quorum, s.locations, m."from", m."to"
FROM sites s LEFT JOIN site_maintenance m ON m.site_id = s.site_id AND m."to" > $2
WHERE s.site_id = ANY ($1) AND ` + liveRow

// readJudged locks the statuses of sites and reads what they are made of, all but
// the tracks that the transaction itself changes.
func readJudged(ctx context.Context, tx pgx.Tx, sites map[int64]*judging, own []int64, now time.Time) error {
	ids := slices.Sorted(maps.Keys(sites))
	states, err := lockStatuses(ctx, tx, ids)
	if err != nil {
		return err
	}
	for id, st := range states {
		sites[id].before, sites[id].state = st, st
	}
	err = eachRow(ctx, tx, readTerms, []any{ids, now.Add(-maintainedFor)}, func(row pgx.Rows) error {
		var id int64
		var r judging
		var quorum int
		var from, to pgtype.Timestamptz
		err := row.Scan(&id, &r.name, &r.terms.Enabled, &quorum, &r.terms.Locations, &from, &to)
		if s := sites[id]; s != nil && err == nil {
			s.name, s.terms = r.name, r.terms
			s.terms.Quorum = sitemon.Quorum(quorum)
			if from.Valid {
				s.maintained = append(s.maintained, history.Window{From: from.Time.UTC(), To: to.Time.UTC()})
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	others, err := readTracks(ctx, tx, "WHERE l.site_id = ANY ($1) AND l.id <> ALL ($2)", ids, own)
	for _, h := range others {
		sites[h.site].others = append(sites[h.site].others, h)
	}
	return err
}
