package postgres

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/store/internal/history"
)

// mark is an hour of a site that a late report fell into, as in availability_marks.
type mark struct {
	site  int64
	start time.Time
}

// marked is a mark with its rows.
type marked struct {
	mark
	ids []int64
}

// redoMarked makes the sums of all marked hours again. Of an hour before oldest
// the reports are partly gone, so its old sums are better.
func (db sums) redoMarked(ctx context.Context, oldest time.Time) error {
	for {
		bySlice := map[int64][]marked{}
		err := eachRow(ctx, db.pool, `SELECT site_id, start, array_agg(id) FROM (SELECT * FROM availability_marks ORDER BY id LIMIT $1) m
GROUP BY site_id, start`, []any{markBatch}, func(row pgx.Rows) error {
			var m marked
			err := row.Scan(&m.site, &m.start, &m.ids)
			bySlice[m.site/sliceSites] = append(bySlice[m.site/sliceSites], m)
			return err
		})
		if err != nil || len(bySlice) == 0 {
			return err
		}
		for _, slice := range slices.Sorted(maps.Keys(bySlice)) {
			if err := db.still(); err != nil {
				return err
			}
			err := db.inSlice(ctx, slice, func(ctx context.Context, tx pgx.Tx) error { return redo(ctx, tx, bySlice[slice], oldest) })
			if err != nil {
				return err
			}
		}
	}
}

// redo makes the sums of marked hours of one slice again, with their days, and
// takes the marks away. A report is committed together with its mark, so it is
// among those read now.
func redo(ctx context.Context, tx pgx.Tx, marks []marked, oldest time.Time) error {
	p, err := readProgress(ctx, tx)
	if err != nil {
		return err
	}
	hours, days := map[time.Time][]int64{}, map[time.Time][]int64{}
	var ids []int64
	for _, m := range marks {
		ids = append(ids, m.ids...)
		start := m.start.UTC()
		if start.Before(oldest) {
			continue
		}
		hours[start] = append(hours[start], m.site)
		if d := start.Truncate(day); !d.Add(day).After(p.Hours) {
			days[d] = append(days[d], m.site)
		}
	}
	for start, sites := range hours {
		if err := redoHour(ctx, tx, p, sites, start); err != nil {
			return err
		}
	}
	for start, sites := range days {
		slices.Sort(sites)
		sites = slices.Compact(sites)
		if _, err := tx.Exec(ctx, deleteSums("availability_1d"), sites, start); err != nil {
			return err
		}
		if err := sumDay(ctx, tx, sites, start); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, "DELETE FROM availability_marks WHERE id = ANY ($1)", ids)
	return err
}

// deleteSums deletes the sums of some sites that begin at a moment.
func deleteSums(table string) string {
	return "DELETE FROM " + table + " WHERE site_id = ANY ($1) AND start = $2"
}

// redoHour makes the sums of an hour of some sites again: of one that is over also
// where its turn is yet to come, of the one that is not as far as it has been summed
// up.
func redoHour(ctx context.Context, tx pgx.Tx, p history.Progress, sites []int64, start time.Time) error {
	if !p.Claimed.Before(start.Add(time.Hour)) {
		if _, err := tx.Exec(ctx, deleteSums("availability_1h"), sites, start); err != nil {
			return err
		}
		if err := sumHours(ctx, tx, sites, start, start.Add(time.Hour)); err != nil {
			return err
		}
	}
	if !start.Equal(p.Hours) || !start.Before(p.Parts) {
		return nil
	}
	if _, err := tx.Exec(ctx, deleteSums("availability_part"), sites, start); err != nil {
		return err
	}
	hours, err := history.SumHours(ctx, rawOf(tx), sites, start, p.Parts)
	if err != nil {
		return err
	}
	return saveHours(ctx, tx, "availability_part", hours, addPart)
}
