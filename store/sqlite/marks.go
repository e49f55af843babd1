package sqlite

import (
	"context"
	"maps"
	"slices"
	"time"

	"sitemon/availability"
	"sitemon/store/internal/rollup"
)

// markBatch is how many marks are looked at together.
const markBatch = 10_000

// marks are those of some sites.
type marks struct {
	windows map[int64][]availability.Window // by site
	last    int64                           // the newest one of them
}

// rollMarks makes the sums again of what late reports fell into.
func (db *DB) rollMarks(ctx context.Context, p rollup.Progress, now time.Time) error {
	t := db.tiers(p, now)
	for {
		m, err := db.marks(ctx)
		if err != nil || len(m.windows) == 0 {
			return err
		}
		for some := range slices.Chunk(slices.Sorted(maps.Keys(m.windows)), rollupSites) {
			tasks := map[int64][]rollup.Task{}
			for _, site := range some {
				tasks[site] = rollup.Tasks(p, t, m.windows[site])
			}
			if err := db.redo(ctx, some, tasks); err != nil {
				return err
			}
		}
		// Those that came meanwhile stay, as do all after an error.
		err = db.write(ctx, func(ctx context.Context) error {
			return db.exec(ctx, "DELETE FROM availability_marks WHERE id <= ?", m.last)
		})
		if err != nil {
			return err
		}
	}
}

// marks reads the oldest ones.
func (db *DB) marks(ctx context.Context) (m marks, err error) {
	m.windows = map[int64][]availability.Window{}
	err = each(ctx, db.read, `SELECT id, site_id, "from", coalesce("to", 0) FROM availability_marks ORDER BY id LIMIT ?`, []any{markBatch},
		func(row scanner) error {
			var site, from, to int64
			err := row.Scan(&m.last, &site, &from, &to)
			w := availability.Window{From: moment(from)}
			if to != 0 {
				w.To = moment(to)
			}
			m.windows[site] = append(m.windows[site], w)
			return err
		})
	return m, err
}

// redone is a task with its sums.
type redone struct {
	site int64
	rollup.Task
	rows []rollup.Row
}

// redo carries out the tasks of some sites: level by level, as each is made from the
// one below.
func (db *DB) redo(ctx context.Context, sites []int64, tasks map[int64][]rollup.Task) error {
	for _, level := range rollup.Levels() {
		var done []redone
		rows := 0
		for i, site := range sites {
			for _, t := range tasks[site] {
				if t.Level != level {
					continue
				}
				made, err := sums{db}.gather(ctx, t, []int64{site})
				if err != nil {
					return err
				}
				done = append(done, redone{site, t, made})
				rows += len(made)
			}
			if rows < savedRows && i < len(sites)-1 || len(done) == 0 {
				continue
			}
			if err := db.saveAgain(ctx, done); err != nil {
				return err
			}
			done, rows = nil, 0
		}
	}
	return nil
}

// saveAgain puts sums in the place of all that was there of their time.
func (db *DB) saveAgain(ctx context.Context, done []redone) error {
	return db.write(ctx, func(ctx context.Context) error {
		for _, d := range done {
			err := db.exec(ctx, "DELETE FROM "+d.Level.Table()+" WHERE site_id = ? AND start >= ? AND start < ?", d.site, micros(d.From), micros(d.To))
			if err != nil {
				return err
			}
			if err := db.saveRows(ctx, d.Level, d.rows); err != nil {
				return err
			}
		}
		return nil
	})
}
