package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
	"sitemon/status"
)

// Who changes tracks, and in which order everybody locks
//
// A store that records keeps the tracks of locations in memory, so that a report
// that says the same as the one before costs its own row and nothing else. The
// column site_locations.writer names the store whose memory of a row is complete.
// Whoever records a report of a location, or changes its track, holds the lock of
// its row and writes its own number there, or '' where it keeps nothing. The lock
// also keeps the reports of a location from being recorded twice, and its
// definition as it is: who changes a definition locks all locations of the site.
//
// A site's row of site_status is locked before the tracks are read from which it
// is made, so the last one to make it has seen all that the others wrote.
//
// Locks are taken in this order, and rows of a table in the order of their ids:
// advisory locks, site_locations, site_status.

// held is a location whose row is locked.
type held struct {
	id, site int64
	location string
	track    status.Track
}

// holdSites locks all locations of sites and reads their tracks.
func holdSites(ctx context.Context, tx pgx.Tx, sites []int64) ([]held, error) {
	_, err := tx.Exec(ctx, "SELECT FROM site_locations WHERE site_id = ANY ($1) ORDER BY id FOR NO KEY UPDATE", sites)
	if err != nil {
		return nil, err
	}
	return readTracks(ctx, tx, "WHERE l.site_id = ANY ($1)", sites)
}

// readTracks reads locations with their tracks, which their newest reports bring
// up to date.
func readTracks(ctx context.Context, q querier, where string, args ...any) (all []held, err error) {
	var l trackRow
	var r reportRow
	dest := append(l.dest(), &r.slot, &r.ms, &r.outcome)
	err = eachRow(ctx, q, "SELECT "+located+", r.slot, r.interval_ms, r.outcome FROM site_locations l "+newest+" "+where, args,
		func(row pgx.Rows) error {
			err := row.Scan(dest...)
			all = append(all, held{l.id, l.site, l.location, l.track(&r)})
			return err
		})
	return all, err
}

// saved are the columns of the tracks that saveTracks writes.
type saved struct {
	ids, ms             []int64
	slots               []time.Time
	silent, rows, since []pgtype.Timestamptz
	outcomes, statuses  []string
	failures, successes []int32
	faults, faultErrors []string
	blinds, blindErrors []string
}

func (s *saved) add(l held) {
	t := &l.track
	s.ids, s.slots, s.ms = append(s.ids, l.id), append(s.slots, slotOrEpoch(t.Slot)), append(s.ms, t.Interval.Milliseconds())
	s.silent, s.rows, s.since = append(s.silent, orNull(t.Silent)), append(s.rows, orNull(t.Row)), append(s.since, orNull(t.Since))
	s.outcomes, s.statuses = append(s.outcomes, string(t.Outcome)), append(s.statuses, string(t.Status))
	s.failures, s.successes = append(s.failures, int32(t.Failures)), append(s.successes, int32(t.Successes))
	s.faults, s.faultErrors = append(s.faults, string(t.Fault.Reason)), append(s.faultErrors, t.Fault.Error)
	s.blinds, s.blindErrors = append(s.blinds, string(t.Blind.Reason)), append(s.blindErrors, t.Blind.Error)
}

// saveTracks queues the writing of tracks whose rows are locked. writer is the
// store that remembers them, or ”.
func saveTracks(b *pgx.Batch, tracks []held, writer string) {
	if len(tracks) == 0 {
		return
	}
	var s saved
	for _, l := range tracks {
		s.add(l)
	}
	b.Queue(`UPDATE site_locations l SET writer = $15, slot = n.slot, interval_ms = n.ms, silent_at = n.silent, look_at = n.silent,
 outcome = n.outcome, failures = n.failures, successes = n.successes, row_slot = n.row, status = n.status, since = n.since,
 fault_reason = n.fault, fault_error = n.fault_error, blind_reason = n.blind, blind_error = n.blind_error
FROM unnest($1::int[], $2::timestamptz[], $3::bigint[], $4::timestamptz[], $5::text[], $6::int[], $7::int[], $8::timestamptz[],
 $9::text[], $10::timestamptz[], $11::text[], $12::text[], $13::text[], $14::text[])
 AS n (id, slot, ms, silent, outcome, failures, successes, row, status, since, fault, fault_error, blind, blind_error)
WHERE l.id = n.id`,
		s.ids, s.slots, s.ms, s.silent, s.outcomes, s.failures, s.successes, s.rows, s.statuses, s.since,
		s.faults, s.faultErrors, s.blinds, s.blindErrors, writer)
}

// lockStatuses locks the rows of sites' statuses and reads them. A site that
// nobody defines has none.
func lockStatuses(ctx context.Context, tx pgx.Tx, sites []int64) (map[int64]status.State, error) {
	states := make(map[int64]status.State, len(sites))
	err := eachRow(ctx, tx, `SELECT site_id, status, since, reason, error FROM site_status
WHERE site_id = ANY ($1) ORDER BY site_id FOR NO KEY UPDATE`, []any{sites}, func(row pgx.Rows) error {
		var id int64
		var s status.State
		var since pgtype.Timestamptz
		err := row.Scan(&id, (*string)(&s.Status), &since, (*string)(&s.Reason), &s.Error)
		s.Since = orZero(since)
		states[id] = s
		return err
	})
	return states, err
}

// decide returns the state of a site at a moment. A site is paused from the moment
// on at which that is seen first.
func decide(now time.Time, before status.State, terms status.Terms, tracks []status.Located) status.State {
	if !terms.Enabled && before.Status == sitemon.StatusPaused {
		return before
	}
	st := status.Combine(now, terms, tracks)
	if st.Status == sitemon.StatusPaused && len(tracks) > 0 { // else it never had a report
		st.Since = now.UTC().Truncate(time.Microsecond)
	}
	return st
}

// statusRow is a row of site_status to be written.
type statusRow struct {
	site  int64
	state status.State
}

// saveStatuses queues the writing of statuses whose rows are there and locked.
func saveStatuses(b *pgx.Batch, rows []statusRow, now time.Time) {
	if len(rows) == 0 {
		return
	}
	var c statusColumns
	c.add(rows)
	b.Queue(`UPDATE site_status t SET status = n.status, since = n.since, reason = n.reason, error = n.error, changed_at = $6,
 changed_seq = nextval('site_status_seq')
FROM unnest($1::int[], $2::text[], $3::timestamptz[], $4::text[], $5::text[]) AS n (id, status, since, reason, error)
WHERE t.site_id = n.id`, c.ids, c.statuses, c.since, c.reasons, c.errors, now)
}

// statusColumns are rows of site_status, column by column.
type statusColumns struct {
	ids                       []int64
	statuses, reasons, errors []string
	since                     []pgtype.Timestamptz
}

func (c *statusColumns) add(rows []statusRow) {
	for _, r := range rows {
		c.ids, c.since = append(c.ids, r.site), append(c.since, orNull(r.state.Since))
		c.statuses, c.reasons = append(c.statuses, string(r.state.Status)), append(c.reasons, string(r.state.Reason))
		c.errors = append(c.errors, r.state.Error)
	}
}

// orNull is NULL for the zero time.
func orNull(t time.Time) pgtype.Timestamptz { return pgtype.Timestamptz{Time: t, Valid: !t.IsZero()} }

// slotOrEpoch stands in for the slot of a location without a report.
func slotOrEpoch(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0)
	}
	return t
}
