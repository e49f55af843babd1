package sqlite

import (
	"context"
	"time"

	"sitemon"
	"sitemon/store/internal/history"
)

// Reports returns a page of a site's reports, newest first, and the cursor of the
// next page; "" on the last one. Reports that are recorded meanwhile neither
// appear on later pages twice nor push others out of them. The error wraps
// [sitemon.ErrNotFound] where the store has never heard of the site, and
// [sitemon.ErrInvalid] where the cursor is none.
func (db *DB) Reports(ctx context.Context, q sitemon.ReportQuery) (reports []sitemon.Report, next string, err error) {
	defer wrap(&err, "list reports of site %q", q.Site)
	ctx, cancel := reading(ctx)
	defer cancel()
	siteID, err := siteID(ctx, db.read, q.Site)
	if err != nil {
		return nil, "", err
	}
	// What is older is kept for what it says of the time after it.
	if oldest := db.kept(db.clock()).UTC().Truncate(time.Hour); q.From.Before(oldest) {
		q.From = oldest
	}
	page, err := history.NewPage(q)
	if err != nil {
		return nil, "", err
	}
	all, err := db.newestReports(ctx, siteID, page, q.Outcome)
	if err != nil {
		return nil, "", err
	}
	reports, next = page.Reports(all)
	return reports, next, nil
}

// newestReports reads, of each location, the newest reports that a page may have,
// by the location's own range of ids.
func (db *DB) newestReports(ctx context.Context, siteID int64, page history.Page, outcome sitemon.Outcome) (all []history.Listed, err error) {
	where := ""
	if outcome != "" {
		where = " AND " + history.WhereOutcome("r.outcome", outcome)
	}
	locations, err := numbers(ctx, db.read, "SELECT id FROM site_locations WHERE site_id = ?", siteID)
	if err != nil {
		return nil, err
	}
	for _, l := range locations {
		from, to := page.Slots(l)
		err := eachReport(ctx, db.read, `FROM site_reports r CROSS JOIN site_locations l ON l.id = r.id >> 42 CROSS JOIN site_names n ON n.id = l.site_id
WHERE r.id >= ? AND r.id < ?`+where+" ORDER BY r.id DESC LIMIT ?", []any{firstID(l) + from, firstID(l) + to, page.Limit}, func(_ int64, r *sitemon.Report) error {
			all = append(all, history.Listed{Location: l, Report: r})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
