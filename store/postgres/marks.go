package postgres

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon/availability"
	"sitemon/store/internal/rollup"
)

// markBatch is how many marks are looked at together: each late batch leaves some,
// and most are of the same time.
const markBatch = 500_000

// rollupMarks say what time of sites is to be summed up again.
type rollupMarks map[int64][]availability.Window

// add marks [from, to) of a site, in whole 5 minutes.
func (m rollupMarks) add(site int64, from, to time.Time) {
	five := rollup.FiveMinutes.Width()
	w := availability.Window{From: from.UTC().Truncate(five), To: to.UTC().Add(five - 1).Truncate(five)}
	if all := m[site]; len(all) == 0 || all[len(all)-1] != w {
		m[site] = append(all, w)
	}
}

// save queues the marks.
func (m rollupMarks) save(b *pgx.Batch) {
	if len(m) == 0 {
		return
	}
	var ids []int64
	var from, to []time.Time
	for _, site := range slices.Sorted(maps.Keys(m)) {
		for _, w := range availability.Merged(m[site]) {
			ids, from, to = append(ids, site), append(from, w.From), append(to, w.To)
		}
	}
	b.Queue(`INSERT INTO availability_marks (site_id, "from", "to") SELECT * FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[])`, ids, from, to)
}

// marked is what is marked of a slice of sites, with the numbers of the marks.
type marked struct {
	windows rollupMarks
	ids     []int64
}

// redoMarked makes the sums of all that is marked again; what is marked meanwhile
// waits for the next time.
func (db sums) redoMarked(ctx context.Context, now time.Time) error {
	for {
		bySlice, n, err := db.readMarks(ctx)
		if err != nil || n == 0 {
			return err
		}
		// What is read now has been claimed by those who left the marks, or before.
		p, err := readProgress(ctx, db.pool)
		if err != nil {
			return err
		}
		all, err := db.slices(ctx)
		if err != nil {
			return err
		}
		for _, number := range slices.Sorted(maps.Keys(bySlice)) {
			s := slice{number: number}
			if i := slices.IndexFunc(all, func(s slice) bool { return s.number == number }); i >= 0 {
				s = all[i]
			}
			if err := db.redo(ctx, s, bySlice[number], p, rollup.NewTiers(p, db.keep, now)); err != nil {
				return err
			}
		}
		if n < markBatch {
			return nil
		}
	}
}

// readMarks returns the oldest marks by their slices, and how many they are.
func (db sums) readMarks(ctx context.Context) (bySlice map[int64]*marked, n int, err error) {
	bySlice = map[int64]*marked{}
	var site int64
	var from, to pgtype.Timestamptz
	var ids []int64
	dest := []any{&site, &from, &to, &ids}
	err = eachRow(ctx, db.pool, `SELECT site_id, "from", "to", array_agg(id) FROM (SELECT * FROM availability_marks ORDER BY id LIMIT $1) m
GROUP BY site_id, "from", "to"`, []any{markBatch}, func(row pgx.Rows) error {
		if err := row.Scan(dest...); err != nil {
			return err
		}
		m := bySlice[site/sliceSites]
		if m == nil {
			m = &marked{windows: rollupMarks{}}
			bySlice[site/sliceSites] = m
		}
		m.windows[site] = append(m.windows[site], availability.Window{From: orZero(from), To: orZero(to)})
		m.ids = append(m.ids, ids...)
		n += len(ids)
		return nil
	})
	return bySlice, n, err
}

// redoStep is a part of a task for some sites.
type redoStep struct {
	rollup.Task
	sites []int64
	cost  float64 // of what a transaction does
}

// redo makes the marked sums of one slice again and takes the marks away. A report
// is committed together with its mark, so it is among those read from now on. Large
// work is done in several transactions; each leaves sums that are right for what
// they were made of, and the last one those of all.
func (db sums) redo(ctx context.Context, s slice, m *marked, p rollup.Progress, t rollup.Tiers) error {
	steps := s.steps(p, t, m.windows)
	for done := false; !done; {
		n, cost := 0, 0.0
		for ; n < len(steps) && (n == 0 || cost+steps[n].cost <= 1); n++ {
			cost += steps[n].cost
		}
		now := steps[:n]
		steps = steps[n:]
		done = len(steps) == 0
		if err := db.still(); err != nil {
			return err
		}
		err := db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
			if err := s.lock(ctx, tx); err != nil {
				return err
			}
			for _, step := range now {
				if err := step.run(ctx, tx); err != nil {
					return err
				}
			}
			if !done {
				return nil
			}
			_, err := tx.Exec(ctx, "DELETE FROM availability_marks WHERE id = ANY ($1)", m.ids)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// steps divides what is to be made again into steps that a transaction can do, finer
// sums before coarser ones.
func (s slice) steps(p rollup.Progress, t rollup.Tiers, windows rollupMarks) (steps []redoStep) {
	sites := map[rollup.Task][]int64{}
	for site, marks := range windows {
		for _, task := range rollup.Tasks(p, t, marks) {
			sites[task] = append(sites[task], site)
		}
	}
	tasks := slices.SortedFunc(maps.Keys(sites), func(a, b rollup.Task) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), a.From.Compare(b.From), a.To.Compare(b.To))
	})
	for _, task := range tasks {
		step := s.step(len(sites[task]), task.Level)
		for at := task.From; at.Before(task.To); at = at.Add(step) {
			part := redoStep{Task: task, sites: sites[task]}
			part.From, part.To = at, earlier(at.Add(step), task.To)
			part.cost = float64(part.To.Sub(part.From)) / float64(step)
			if !task.Reports {
				part.cost /= 10
			}
			steps = append(steps, part)
		}
	}
	return steps
}

// run makes the sums of a step again.
func (r redoStep) run(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, "DELETE FROM "+r.Level.Table()+` WHERE ctid = ANY (ARRAY(SELECT a.row
FROM generate_series($2::timestamptz, $3::timestamptz - $4::bigint * interval '1 second', $4::bigint * interval '1 second') AS t
CROSS JOIN LATERAL (SELECT ctid AS row FROM `+r.Level.Table()+" WHERE start = t AND site_id = ANY ($1) OFFSET 0) a))",
		r.sites, r.From, r.To, int64(r.Level.Width()/time.Second))
	if err != nil {
		return err
	}
	if r.Reports {
		return sumReports(ctx, tx, r.Level, r.sites, r.From, r.To)
	}
	return sumRows(ctx, tx, r.Level, r.sites, r.From, r.To)
}
