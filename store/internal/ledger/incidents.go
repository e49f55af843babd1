package ledger

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sitemon"
)

// defaultLimit is the length of a page of incidents unless another is asked for.
const defaultLimit = 1000

// List returns a page of incidents, newest first, and the cursor of the next page;
// "" on the last one. Its errors wrap [sitemon.ErrInvalid] where the cursor is none.
func List(ctx context.Context, tx Tx, src Source, q sitemon.IncidentQuery) (list []sitemon.Incident, next string, err error) {
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	where, args := "WHERE NOT i.withdrawn", []any{}
	and := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		where += " AND " + condition
	}
	if q.Site != "" {
		and("n.name = ?", q.Site)
	}
	if q.Open != nil && *q.Open {
		and("i.ended_at IS NULL")
	} else if q.Open != nil {
		and("i.ended_at IS NOT NULL")
	}
	if !q.From.IsZero() {
		and("(i.ended_at IS NULL OR i.ended_at > ?)", q.From)
	}
	if !q.To.IsZero() {
		and("i.started_at < ?", q.To)
	}
	if q.Cursor != "" {
		started, id, err := parseCursor(q.Cursor)
		if err != nil {
			return nil, "", err
		}
		and("(i.started_at < ? OR i.started_at = ? AND i.id < ?)", started, started, id)
	}
	args = append(args, limit+1)
	rows, err := readRows(ctx, tx, where+fmt.Sprintf(" ORDER BY i.started_at DESC, i.id DESC LIMIT $%d", len(args)), args...)
	if err != nil {
		return nil, "", err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		last := &rows[limit-1]
		next = fmt.Sprintf("%d-%d", last.StartedAt.UnixMicro(), last.ID)
	}
	if err := countOpen(ctx, tx, src, rows); err != nil {
		return nil, "", err
	}
	list = make([]sitemon.Incident, len(rows))
	for i := range rows {
		list[i] = rows[i].Incident
	}
	return list, next, nil
}

func parseCursor(text string) (started time.Time, id int64, err error) {
	a, b, _ := strings.Cut(text, "-")
	us, err := strconv.ParseInt(a, 10, 64)
	if err == nil {
		id, err = strconv.ParseInt(b, 10, 64)
	}
	if err != nil {
		return started, 0, fmt.Errorf("%w: cursor %q", sitemon.ErrInvalid, text)
	}
	return time.UnixMicro(us).UTC(), id, nil
}

// countOpen adds to incidents that go on the reports that came since they were
// derived.
func countOpen(ctx context.Context, tx Tx, src Source, rows []row) error {
	var ranges []Range
	var owners []*row
	for i := range rows {
		r := &rows[i]
		if !r.EndedAt.IsZero() {
			continue
		}
		err := tx.Query(ctx, "SELECT id, location FROM site_locations WHERE site_id = $1", []any{r.siteID},
			func(scan func(dest ...any) error) error {
				var id int64
				var name string
				err := scan(&id, &name)
				for _, t := range r.told {
					if t.Location == name {
						ranges, owners = append(ranges, Range{Location: id, From: t.CountedTo}), append(owners, r)
					}
				}
				return err
			})
		if err != nil {
			return err
		}
	}
	if len(ranges) == 0 {
		return nil
	}
	counts, err := src.Failed(ctx, ranges)
	for i, n := range counts {
		owners[i].Reports += n
	}
	return err
}

// Get returns one incident with its timeline and evidence, also where it was
// withdrawn. The error wraps [sitemon.ErrNotFound] where there is none.
func Get(ctx context.Context, tx Tx, src Source, id int64) (sitemon.Incident, error) {
	rows, err := readRows(ctx, tx, "WHERE i.id = $1", id)
	if err != nil {
		return sitemon.Incident{}, err
	}
	if len(rows) == 0 {
		return sitemon.Incident{}, fmt.Errorf("%w: incident %d", sitemon.ErrNotFound, id)
	}
	if err := countOpen(ctx, tx, src, rows); err != nil {
		return sitemon.Incident{}, err
	}
	r := &rows[0]
	if r.Timeline, err = timeline(ctx, tx, r); err != nil {
		return sitemon.Incident{}, err
	}
	r.Evidence, err = evidenceOf(ctx, tx, r)
	return r.Incident, err
}

// Acknowledge notes that somebody knows of an incident; the first one stays. The
// error wraps [sitemon.ErrNotFound] where there is none.
func Acknowledge(ctx context.Context, tx Tx, src Source, id int64, by string, at time.Time) (sitemon.Incident, error) {
	n, err := tx.Exec(ctx, `UPDATE incidents SET acknowledged_at = $2, acknowledged_by = $3, changed_at = $2
WHERE id = $1 AND acknowledged_at IS NULL`, id, at, by)
	if err == nil && n > 0 {
		err = addEvent(ctx, tx, id, sitemon.IncidentEvent{At: at, Kind: sitemon.EventAcknowledged, By: by})
	}
	if err != nil {
		return sitemon.Incident{}, err
	}
	return Get(ctx, tx, src, id)
}

// Comment adds words of somebody to an incident. The error wraps
// [sitemon.ErrNotFound] where there is none, and [sitemon.ErrInvalid] where the text
// is empty.
func Comment(ctx context.Context, tx Tx, src Source, id int64, by, text string, at time.Time) (sitemon.Incident, error) {
	if strings.TrimSpace(text) == "" {
		return sitemon.Incident{}, fmt.Errorf("%w: the comment is empty", sitemon.ErrInvalid)
	}
	if _, err := Get(ctx, tx, src, id); err != nil {
		return sitemon.Incident{}, err
	}
	if err := addEvent(ctx, tx, id, sitemon.IncidentEvent{At: at, Kind: sitemon.EventComment, By: by, Text: text}); err != nil {
		return sitemon.Incident{}, err
	}
	return Get(ctx, tx, src, id)
}
