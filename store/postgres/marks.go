package postgres

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/store/internal/history"
)

// mark is a row of availability_marks: an hour of a site that a late report fell
// into.
type mark struct {
	id, site int64
	start    time.Time
}

// redoMarked makes the sums of all marked hours again. Of an hour before oldest
// the reports are partly gone, so its old sums are better.
func (db sums) redoMarked(ctx context.Context, oldest time.Time) error {
	for {
		rows, err := db.pool.Query(ctx, "SELECT id, site_id, start FROM availability_marks ORDER BY id LIMIT $1", markBatch)
		if err != nil {
			return err
		}
		marks, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m mark, err error) {
			return m, row.Scan(&m.id, &m.site, &m.start)
		})
		if err != nil || len(marks) == 0 {
			return err
		}
		bySlice := map[int64][]mark{}
		for _, m := range marks {
			bySlice[m.site/sliceSites] = append(bySlice[m.site/sliceSites], m)
		}
		for _, slice := range slices.Sorted(maps.Keys(bySlice)) {
			if err := db.still(); err != nil {
				return err
			}
			err := db.inSlice(ctx, slice, func(tx pgx.Tx) error { return redo(ctx, tx, bySlice[slice], oldest) })
			if err != nil {
				return err
			}
		}
	}
}

// redo makes the sums of marked hours of one slice again, with their days, and
// takes the marks away. A report is committed together with its mark, so it is
// among those read now.
func redo(ctx context.Context, tx pgx.Tx, marks []mark, oldest time.Time) error {
	p, err := readProgress(ctx, tx)
	if err != nil {
		return err
	}
	hours, days := map[time.Time][]int64{}, map[time.Time][]int64{}
	var ids []int64
	for _, m := range marks {
		ids = append(ids, m.id)
		if m.start = m.start.UTC(); m.start.Before(oldest) {
			continue
		}
		hours[m.start] = append(hours[m.start], m.site)
		if d := m.start.Truncate(day); !d.Add(day).After(p.Hours) {
			days[d] = append(days[d], m.site)
		}
	}
	for start, sites := range hours {
		sites = distinct(sites)
		if _, err := tx.Exec(ctx, "DELETE FROM availability_1h WHERE site_id = ANY ($1) AND start = $2", sites, start); err != nil {
			return err
		}
		if until := summedUntil(p, start); start.Before(until) {
			if err := sumHours(ctx, tx, sites, start, until); err != nil {
				return err
			}
		}
	}
	for start, sites := range days {
		sites = distinct(sites)
		if _, err := tx.Exec(ctx, "DELETE FROM availability_1d WHERE site_id = ANY ($1) AND start = $2", sites, start); err != nil {
			return err
		}
		if err := sumDay(ctx, tx, sites, start); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, "DELETE FROM availability_marks WHERE id = ANY ($1)", ids)
	return err
}

// summedUntil returns up to when the sum of an hour is to reach. An hour that is
// over reaches to its end, also where its turn is yet to come; the one that is not,
// and the one that is finished in parts, up to where the sums are.
func summedUntil(p history.Progress, start time.Time) time.Time {
	end := start.Add(time.Hour)
	if p.Hours.Before(end) && (start.Before(p.Hours) || p.Claimed.Before(end)) {
		return p.Hours
	}
	return end
}

func distinct(ids []int64) []int64 {
	slices.Sort(ids)
	return slices.Compact(ids)
}
