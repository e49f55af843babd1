package ledger

import (
	"context"
	"time"

	"sitemon"
	"sitemon/status"
)

// Source reads, in the transaction at hand, what each store keeps in its own way.
type Source interface {
	// Plans returns all plans of a site, oldest first.
	Plans(ctx context.Context, site int64) ([]status.Plan, error)
	// Reports returns the reports of a location with slots in [from, to), newest first,
	// at most limit of them; a zero to is no bound, nor is a limit of 0. Of each it
	// sets Slot, Interval, Outcome, Reason and Error.
	Reports(ctx context.Context, location int64, from, to time.Time, limit int) ([]sitemon.Report, error)
	// Failed counts, for each range, the reports in it that are down.
	Failed(ctx context.Context, ranges []Range) ([]int, error)
	// Kept is the slot from which on no report has been dropped yet for its age.
	Kept() time.Time
}

// Range is the reports of a location with slots in [From, To); a zero To is no
// bound.
type Range struct {
	Location int64 // site_locations.id
	From, To time.Time
}

// How a store uses this package
//
// About each second, [Due] says on a reading transaction whether there is something
// for [Derive], which is then called in one writing transaction after another until
// it says that there is no more. The now of both is that of Tick: the time up to
// which reports have been read. [Maintainer.Run] is called as often, with the time that it
// is. [List], [Get], [Acknowledge] and [Comment] are
// the stores' methods Incidents, Incident, AcknowledgeIncident and CommentIncident.
// [Reloaded] is called by a sync for each site that it changed, [RetainEvidence] by
// Retain. A document with another maintenance is another generation.
//
// What leaves a mark
//
// Incidents are derived from rows, by [Derive], for sites that have a mark. A mark
// says from which moment on rows may mean something else than before. Of several that
// a transaction makes of one site the first and the last are enough. It is written
// by [Mark], in the transaction that changes the rows, for:
//
//   - a report with which the status of its location's track becomes down or leaves
//     that: Track.Since, which is where the row of reports began;
//   - a report that is not newer than the newest of its location, unless it is
//     unknown: its slot;
//   - a report of a slot from before the plan by which it is judged, or one that changes
//     the track where there is no plan: its slot;
//   - a site's status that becomes another where one of the two is down, or the one
//     before is unknown: the slot of the report with which it did; where silence did it,
//     the moment of silence, of several locations the earliest one;
//   - a location that falls silent: that moment; one that is heard again after it had:
//     that moment, or the slot of its report if that is earlier;
//   - a site that gets another plan, or is removed: loaded_at;
//   - a maintenance that begins or ends: that moment. [Maintainer] does it.

// Mark asks for a site's incidents to be derived again from a moment on.
func Mark(ctx context.Context, tx Tx, site int64, from time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO incident_marks (site_id, "from") VALUES ($1, $2)`, site, from)
	return err
}
