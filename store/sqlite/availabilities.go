package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sitemon/availability"
)

// exactNames is for how many sites at once the windows begin to the moment: more
// would read millions of reports.
const exactNames = 1000

// Availabilities returns for each name the figures over the windows that end now,
// in the order of windows, for lists of many sites. Of more than [exactNames], or
// beyond the reports that are kept, the hour in which a window begins counts in
// proportion. A name that the store has never heard of is missing.
func (db *DB) Availabilities(ctx context.Context, names []string, now time.Time, windows []time.Duration) (figures map[string][]availability.Figure, err error) {
	defer wrap(&err, "availability of %d sites", len(names))
	ctx, cancel := reading(ctx)
	defer cancel()
	figures = make(map[string][]availability.Figure, len(names))
	if len(names) == 0 || len(windows) == 0 {
		return figures, nil
	}
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	ids, sums, err := emptySums(ctx, tx, names, len(windows))
	if err != nil {
		return nil, err
	}
	t, err := db.tiers(ctx, tx)
	if err != nil {
		return nil, err
	}
	p, err := readProgress(ctx, tx)
	if err != nil {
		return nil, err
	}
	now = now.UTC().Truncate(time.Microsecond)
	l := listing{
		now: now, windows: windows, sums: sums,
		hours: t.hours, raw: t.raw, rolled: earlier(p.hours, now.Truncate(time.Hour)), days: p.days,
	}
	parts, edges := l.parts()
	if err := l.addRolled(ctx, tx, parts); err != nil {
		return nil, err
	}
	if err := l.addEdges(ctx, tx, edges); err != nil {
		return nil, err
	}
	if err := l.addRaw(ctx, tx); err != nil {
		return nil, err
	}
	for name, id := range ids {
		fs := make([]availability.Figure, len(windows))
		for i, w := range windows {
			fs[i] = sums[id][i].Figure(w)
		}
		figures[name] = fs
	}
	return figures, nil
}

// listing sums up many sites over windows that end at one moment.
type listing struct {
	now     time.Time
	windows []time.Duration
	// hours is the first hour that is kept, raw the first report; what lies before
	// rolled has sums of hours, what lies before days also those of days.
	hours, raw, rolled, days time.Time
	sums                     map[int64][]availability.Sum // by site, then window
}

func emptySums(ctx context.Context, q querier, names []string, windows int) (map[string]int64, map[int64][]availability.Sum, error) {
	list, err := json.Marshal(names)
	if err != nil {
		return nil, nil, err
	}
	ids := make(map[string]int64, len(names))
	err = each(ctx, q, "SELECT n.name, n.id FROM json_each(?) j JOIN site_names n ON n.name = j.value", []any{string(list)},
		func(row scanner) error {
			var name string
			var id int64
			err := row.Scan(&name, &id)
			ids[name] = id
			return err
		})
	sums := make(map[int64][]availability.Sum, len(ids))
	for _, id := range ids {
		sums[id] = make([]availability.Sum, windows)
	}
	return ids, sums, err
}

// part is a range of rows of a rollup with the windows that it belongs to.
type part struct {
	table    string
	from, to time.Time
	// weights[i] is the weight of the part in window i: 0, 1, or for the hour in
	// which the window begins what of it lies before the window, negative.
	weights []float64
}

// edge is the time from the beginning of a window to the next hour.
type edge struct {
	window   int
	from, to time.Time
}

// parts cuts the time up to rolled at the beginnings of all windows, so that
// every row is read once. What it leaves out at those beginnings are the edges.
func (l *listing) parts() (parts []part, edges []edge) {
	cuts := []time.Time{l.rolled}
	begins := make([]time.Time, len(l.windows))
	for i, w := range l.windows {
		start := l.now.Add(-w)
		cut := start.Truncate(time.Hour)
		switch {
		case cut.Before(l.hours):
			cut = start.Truncate(day)
			start = cut
		case cut.Before(start) && start.Before(l.rolled) && !start.Before(l.raw) && len(l.sums) <= exactNames:
			cut = cut.Add(time.Hour)
			edges = append(edges, edge{i, start, cut})
			start = cut
		}
		begins[i] = cut
		if !cut.Before(l.rolled) {
			continue
		}
		cuts = append(cuts, cut)
		if before := start.Sub(cut); before > 0 {
			weights := make([]float64, len(l.windows))
			weights[i] = -float64(before) / float64(time.Hour)
			parts = append(parts, part{"availability_1h", cut, cut.Add(time.Hour), weights})
		}
	}
	slices.SortFunc(cuts, time.Time.Compare)
	cuts = slices.Compact(cuts)
	for k := range len(cuts) - 1 {
		weights := make([]float64, len(l.windows))
		for i := range l.windows {
			if !begins[i].After(cuts[k]) {
				weights[i] = 1
			}
		}
		from, to := cuts[k], cuts[k+1]
		firstDay := from.Add(day - time.Microsecond).Truncate(day)
		lastDay := earlier(to.Truncate(day), l.days)
		if !firstDay.Before(lastDay) {
			parts = append(parts, part{"availability_1h", from, to, weights})
			continue
		}
		parts = append(parts, part{"availability_1h", from, firstDay, weights},
			part{"availability_1d", firstDay, lastDay, weights}, part{"availability_1h", lastDay, to, weights})
	}
	return slices.DeleteFunc(parts, func(p part) bool { return !p.from.Before(p.to) }), edges
}

// addRolled adds what has been rolled up.
func (l *listing) addRolled(ctx context.Context, tx *sql.Tx, parts []part) error {
	if len(parts) == 0 {
		return nil
	}
	var selects []string
	for i, p := range parts {
		selects = append(selects, fmt.Sprintf("SELECT %d, sum(up_ms), sum(degraded_ms), sum(down_ms) FROM %s WHERE site_id = ?1 AND start >= %d AND start < %d",
			i, p.table, micros(p.from), micros(p.to)))
	}
	stmt, err := tx.PrepareContext(ctx, strings.Join(selects, "\nUNION ALL\n"))
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }() // the transaction ends with it
	for id, sums := range l.sums {
		err := each(ctx, preparedQuery{stmt}, "", []any{id}, func(row scanner) error {
			var i int
			var up, degraded, down sql.NullInt64
			if err := row.Scan(&i, &up, &degraded, &down); err != nil {
				return err
			}
			for w, weight := range parts[i].weights {
				if weight != 0 {
					share := func(ms int64) time.Duration { return time.Duration(weight * float64(ms) * float64(time.Millisecond)) }
					sums[w].Merge(availability.Sum{Up: share(up.Int64), Degraded: share(degraded.Int64), Down: share(down.Int64)})
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// preparedQuery makes a prepared statement a querier.
type preparedQuery struct{ stmt *sql.Stmt }

func (p preparedQuery) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return p.stmt.QueryContext(ctx, args...)
}

// addEdges adds the edges of windows, from the reports.
func (l *listing) addEdges(ctx context.Context, tx *sql.Tx, edges []edge) error {
	for _, e := range edges {
		err := eachRaw(ctx, tx, l.ids(), e.from, e.to, func(site int64, reports []availability.Report) {
			span := availability.Spans([]time.Time{e.from, e.to}, availability.Options{}, reports)[0]
			l.sums[site][e.window].Merge(span.Sum)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *listing) ids() []int64 { return slices.Sorted(maps.Keys(l.sums)) }

// addRaw adds what is not rolled up yet, from the reports.
func (l *listing) addRaw(ctx context.Context, tx *sql.Tx) error {
	edges := []time.Time{l.now}
	for _, w := range l.windows {
		if start := later(l.now.Add(-w), l.rolled); start.Before(l.now) {
			edges = append(edges, start)
		}
	}
	slices.SortFunc(edges, time.Time.Compare)
	if edges = slices.Compact(edges); len(edges) < 2 {
		return nil
	}
	return eachRaw(ctx, tx, l.ids(), edges[0], l.now, func(site int64, reports []availability.Report) {
		for _, span := range availability.Spans(edges, availability.Options{}, reports) {
			for i, w := range l.windows {
				if !span.From.Before(l.now.Add(-w)) {
					l.sums[site][i].Merge(span.Sum)
				}
			}
		}
	})
}
