package sqlite

import (
	"context"
	"database/sql"
	"time"

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

func (db *DB) source(tx ledger.Tx) source { return source{tx, db.kept(db.clock())} }

// Kept implements [ledger.Source].
func (s source) Kept() time.Time { return s.kept }

// Plans implements [ledger.Source].
func (s source) Plans(ctx context.Context, site int64) (plans []status.Plan, err error) {
	err = s.tx.Query(ctx, `SELECT "from", "to", enabled, failure_threshold, success_threshold, quorum, locations
FROM site_plans WHERE site_id = $1 ORDER BY "from"`, []any{site}, func(scan func(dest ...any) error) error {
		var p status.Plan
		var from, to ledger.Moment
		var locations string
		if err := scan(&from, &to, &p.Enabled, &p.Thresholds.Failure, &p.Thresholds.Success, &p.Quorum, &locations); err != nil {
			return err
		}
		p.From, p.To = from.Time, to.Time
		p.Locations, err = unpackNames(locations)
		plans = append(plans, p)
		return err
	})
	return plans, err
}

// Reports implements [ledger.Source].
func (s source) Reports(ctx context.Context, location int64, from, to time.Time, limit int) (reports []sitemon.Report, err error) {
	if limit == 0 {
		limit = -1
	}
	first, end := idRange(ledger.Range{Location: location, From: from, To: to})
	err = s.tx.Query(ctx, `SELECT id, interval_ms, outcome, (SELECT name FROM reasons WHERE id = r.reason_id), error FROM site_reports r
WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT $3`, []any{first, end, limit}, func(scan func(dest ...any) error) error {
		var r sitemon.Report
		var id, ms, outcome int64
		var reason, text sql.NullString
		err := scan(&id, &ms, &outcome, &reason, &text)
		r.Slot, r.Interval, r.Outcome = slotOf(id), time.Duration(ms)*time.Millisecond, history.OutcomeOf(outcome)
		r.Reason, r.Error = sitemon.Reason(reason.String), text.String
		reports = append(reports, r)
		return err
	})
	return reports, err
}

// Failed implements [ledger.Source].
func (s source) Failed(ctx context.Context, ranges []ledger.Range) ([]int, error) {
	counts := make([]int, len(ranges))
	for i, r := range ranges {
		first, end := idRange(r)
		err := s.tx.Query(ctx, "SELECT count(*) FROM site_reports WHERE id >= $1 AND id < $2 AND outcome = $3",
			[]any{first, end, history.OutcomeNumber(sitemon.OutcomeDown)}, func(scan func(dest ...any) error) error { return scan(&counts[i]) })
		if err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// idRange are the ids of reports: from the first up to, not including, the end.
func idRange(r ledger.Range) (first, end int64) {
	first, end = firstID(r.Location), endID(r.Location)
	if ms := history.CeilMilli(r.From); ms > 0 {
		first += min(ms, slotMask)
	}
	if !r.To.IsZero() {
		end = min(end, firstID(r.Location)+max(0, history.CeilMilli(r.To)))
	}
	return first, end
}
