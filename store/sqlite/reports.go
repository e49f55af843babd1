package sqlite

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sitemon"
)

// defaultReports is how many reports a page has unless the query says.
const defaultReports = 100

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
	limit := q.Limit
	if limit <= 0 {
		limit = defaultReports
	}
	// Of each location the newest ones, by its own range of ids; then of those the
	// newest of all.
	page, err := db.reportPage(ctx, siteID, q, limit+1)
	if err != nil {
		return nil, "", err
	}
	if len(page) > limit {
		page = page[:limit]
		next = cursorOf(page[limit-1])
	}
	reports = make([]sitemon.Report, len(page))
	for i, l := range page {
		reports[i] = *l.report
	}
	return reports, next, nil
}

// listed is a report with its key.
type listed struct {
	id     int64
	report *sitemon.Report
}

// cursorOf names a place in the order of slots: slot, then location, descending.
func cursorOf(l listed) string {
	return strconv.FormatInt(l.id&slotMask, 36) + "." + strconv.FormatInt(l.id>>slotBits, 36)
}

func parseCursor(s string) (slotMS, location int64, err error) {
	a, b, _ := strings.Cut(s, ".")
	if slotMS, err = strconv.ParseInt(a, 36, 64); err == nil {
		location, err = strconv.ParseInt(b, 36, 64)
	}
	if err != nil || slotMS < 0 || slotMS > slotMask {
		return 0, 0, fmt.Errorf("%w: cursor %q", sitemon.ErrInvalid, s)
	}
	return slotMS, location, nil
}

// reportPage reads up to limit reports in their order.
func (db *DB) reportPage(ctx context.Context, siteID int64, q sitemon.ReportQuery, limit int) ([]listed, error) {
	from, to := int64(0), int64(slotMask)+1
	if !q.From.IsZero() {
		from = max(from, ceilMilli(q.From))
	}
	if !q.To.IsZero() {
		to = min(to, ceilMilli(q.To))
	}
	atSlot, atLocation := int64(slotMask)+1, int64(0)
	if q.Before != "" {
		var err error
		if atSlot, atLocation, err = parseCursor(q.Before); err != nil {
			return nil, err
		}
	}
	where, args := "", []any{}
	if q.Outcome != "" {
		where, args = " AND r.outcome = ?", []any{outcomeNumber(q.Outcome)}
	}
	locations, err := numbers(ctx, db.read, "SELECT id FROM site_locations WHERE site_id = ?", siteID)
	if err != nil {
		return nil, err
	}
	var page []listed
	for _, l := range locations {
		end := min(to, atSlot)
		if q.Before != "" && l < atLocation {
			end = min(to, atSlot+1)
		}
		args := append([]any{firstID(l) + from, firstID(l) + end}, args...)
		err := eachReport(ctx, db.read, `FROM site_reports r CROSS JOIN site_locations l ON l.id = r.id >> 42 CROSS JOIN site_names n ON n.id = l.site_id
WHERE r.id >= ? AND r.id < ?`+where+" ORDER BY r.id DESC LIMIT ?", append(args, limit), func(id int64, r *sitemon.Report) error {
			page = append(page, listed{id, r})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return newestFirst(page, limit), nil
}

// ceilMilli is the first whole millisecond since 1970 that is not before t.
func ceilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}
