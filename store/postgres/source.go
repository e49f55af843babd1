package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
	"sitemon/status"
	"sitemon/store/internal/history"
	"sitemon/store/internal/ledger"
)

// source reads for package ledger.
type source struct {
	tx   ledger.Tx
	kept time.Time
}

// source returns a source that knows, too, which reports another process has deleted
// before their time: incidents are not to be derived from what is left of them.
func (db *DB) source(ctx context.Context, tx ledger.Tx) (s source, err error) {
	s = source{tx, db.kept(db.clock())}
	err = tx.Query(ctx, "SELECT reports_from FROM availability_progress", nil, func(scan func(dest ...any) error) error {
		var cut time.Time
		err := scan(&cut)
		s.kept = later(s.kept, cut)
		return err
	})
	return s, err
}

// deriving is source for a transaction that derives incidents: until it has ended, no
// further reports are deleted before their time.
func (db *DB) deriving(ctx context.Context, tx ledger.Tx) (source, error) {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock_shared($1)", lockCut); err != nil {
		return source{}, err
	}
	return db.source(ctx, tx)
}

// Kept implements [ledger.Source].
func (s source) Kept() time.Time { return s.kept }

// Plans implements [ledger.Source].
func (s source) Plans(ctx context.Context, site int64) (plans []status.Plan, err error) {
	err = s.tx.Query(ctx, `SELECT "from", "to", enabled, failure_threshold, success_threshold, quorum, locations
FROM site_plans WHERE site_id = $1 ORDER BY "from"`, []any{site}, func(scan func(dest ...any) error) error {
		var p status.Plan
		var from, to pgtype.Timestamptz
		var quorum int
		err := scan(&from, &to, &p.Enabled, &p.Thresholds.Failure, &p.Thresholds.Success, &quorum, &p.Locations)
		p.From, p.To, p.Quorum = orZero(from), orZero(to), sitemon.Quorum(quorum)
		plans = append(plans, p)
		return err
	})
	return plans, err
}

// sourceReports reads the newest reports of a location.
const sourceReports = `SELECT r.slot, r.interval_ms, r.outcome, rr.name, r.error FROM site_reports r LEFT JOIN reasons rr ON rr.id = r.reason_id
WHERE r.site_location_id = $1 AND r.slot >= $2 AND r.slot < coalesce($3, 'infinity'::timestamptz) ORDER BY r.slot DESC LIMIT $4`

// Reports implements [ledger.Source].
func (s source) Reports(ctx context.Context, location int64, from, to time.Time, limit int) (reports []sitemon.Report, err error) {
	most := pgtype.Int8{Int64: int64(limit), Valid: limit > 0}
	err = s.tx.Query(ctx, sourceReports, []any{location, slotOrEpoch(from), orNull(to), most}, func(scan func(dest ...any) error) error {
		var r reportRow
		err := scan(&r.slot, &r.ms, &r.outcome, &r.reason, &r.text)
		reports = append(reports, sitemon.Report{
			Slot: r.slot.Time.UTC(), Interval: time.Duration(r.ms.Int32) * time.Millisecond,
			Outcome: history.OutcomeOf(r.outcome.Int16), Reason: sitemon.Reason(r.reason.String), Error: r.text.String,
		})
		return err
	})
	return reports, err
}

// countFailed counts the failed reports of locations in ranges of slots.
const countFailed = `SELECT n.i, count(r.slot) FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY AS n (location, "from", "to", i)
LEFT JOIN LATERAL (SELECT slot FROM site_reports WHERE site_location_id = n.location AND slot >= n."from"
 AND slot < coalesce(n."to", 'infinity'::timestamptz) AND outcome = $4) r ON true GROUP BY n.i`

// Failed implements [ledger.Source].
func (s source) Failed(ctx context.Context, ranges []ledger.Range) ([]int, error) {
	if len(ranges) == 0 {
		return nil, nil
	}
	locations, from, to := make([]int64, len(ranges)), make([]time.Time, len(ranges)), make([]pgtype.Timestamptz, len(ranges))
	for i, r := range ranges {
		locations[i], from[i], to[i] = r.Location, slotOrEpoch(r.From), orNull(r.To)
	}
	counts := make([]int, len(ranges))
	err := s.tx.Query(ctx, countFailed, []any{locations, from, to, history.OutcomeNumber(sitemon.OutcomeDown)}, func(scan func(dest ...any) error) error {
		var i, n int
		err := scan(&i, &n)
		if err == nil {
			counts[i-1] = n
		}
		return err
	})
	return counts, err
}
