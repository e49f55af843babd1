package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"sitemon/availability"
	"sitemon/store/internal/rollup"
)

// exactSites is for how many sites at once the windows begin and end to the moment.
const exactSites = 1000

// Availability answers a query from sums of days, hours and 5 minutes, and from the
// reports what they leave at its edges. Where no reports are kept any more the edges
// of window and buckets move to those of the sums. The error wraps
// [sitemon.ErrNotFound] where the store has never heard of the site and
// [sitemon.ErrInvalid] where the query makes no sense.
func (db *DB) Availability(ctx context.Context, q availability.Query) (res availability.Result, err error) {
	defer wrap(&err, "availability of site %q", q.Site)
	if err := q.Check(); err != nil {
		return res, err
	}
	err = db.look(ctx, func(ctx context.Context, tx *sql.Tx, t rollup.Tiers) error {
		id, err := siteID(ctx, tx, q.Site)
		if err != nil {
			return err
		}
		res, err = rollup.Availability(ctx, past{tx}, id, t, q)
		return err
	})
	return res, err
}

// Availabilities returns for each name the figures over the windows that end now,
// in the order of windows, for lists of many sites. Of more than a thousand, or
// beyond the reports that are kept, the sum in which a window begins counts in
// proportion. A name that the store has never heard of is missing.
func (db *DB) Availabilities(ctx context.Context, names []string, now time.Time, windows []time.Duration) (figures map[string][]availability.Figure, err error) {
	defer wrap(&err, "availability of %d sites", len(names))
	err = db.look(ctx, func(ctx context.Context, tx *sql.Tx, t rollup.Tiers) error {
		ids, err := siteIDs(ctx, tx, names)
		if err != nil {
			return err
		}
		l := rollup.List{Now: now, Windows: windows, Tiers: t, Exact: exactSites}
		figures, err = l.Figures(ctx, past{tx}, ids)
		return err
	})
	return figures, err
}

// Series returns the same buckets of many sites, by their names. Of more than a
// thousand the newest bucket ends where the sums do. A name that the store has never
// heard of is missing. The error wraps [sitemon.ErrInvalid] where the query makes no
// sense.
func (db *DB) Series(ctx context.Context, q availability.SeriesQuery) (series map[string][]availability.SeriesBucket, err error) {
	defer wrap(&err, "series of %d sites", len(q.Names))
	if err := q.Check(); err != nil {
		return nil, err
	}
	err = db.look(ctx, func(ctx context.Context, tx *sql.Tx, t rollup.Tiers) error {
		ids, err := siteIDs(ctx, tx, q.Names)
		if err != nil {
			return err
		}
		series, err = rollup.Series{SeriesQuery: q, Tiers: t, Exact: exactSites}.Buckets(ctx, past{tx}, ids)
		return err
	})
	return series, err
}

// look calls f with a transaction that reads, and what there is to read from.
func (db *DB) look(ctx context.Context, f func(ctx context.Context, tx *sql.Tx, t rollup.Tiers) error) error {
	ctx, cancel := reading(ctx)
	defer cancel()
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	p, err := readProgress(ctx, tx)
	if err != nil {
		return err
	}
	return f(ctx, tx, db.tiers(p, db.clock()))
}

func (db *DB) tiers(p rollup.Progress, now time.Time) rollup.Tiers {
	keep := rollup.Retention{Reports: db.retention, FiveMinutes: db.fiveRetention, Hours: db.hourRetention}
	return rollup.NewTiers(p, keep, now)
}

// siteIDs returns the numbers of those of the names that the store has heard of.
func siteIDs(ctx context.Context, q querier, names []string) (map[string]int64, error) {
	list, err := json.Marshal(names)
	if err != nil {
		return nil, err
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
	return ids, err
}

// past reads what was, as of one moment.
type past struct{ q querier }

// Sums implements [rollup.Source].
func (s past) Sums(ctx context.Context, site int64, level rollup.Level, windows []availability.Window, f func(start time.Time, s availability.Sum)) error {
	for _, w := range windows {
		err := eachSum(ctx, s.q, level, "site_id = ? AND start >= ? AND start < ? ORDER BY start", []any{site, micros(w.From), micros(w.To)},
			func(r rollup.Row) { f(r.Start, r.Sum) })
		if err != nil {
			return err
		}
	}
	return nil
}

// partsAtOnce is how many parts one query sums up; SQLite takes 500 in one.
const partsAtOnce = 400

// Totals implements [rollup.ListSource].
func (s past) Totals(ctx context.Context, sites []int64, parts []rollup.Part, latency bool, f func(site int64, part int, t rollup.Totals)) error {
	first := 0
	for some := range slices.Chunk(parts, partsAtOnce) {
		if err := s.totals(ctx, sites, some, latency, func(site int64, part int, t rollup.Totals) { f(site, first+part, t) }); err != nil {
			return err
		}
		first += len(some)
	}
	return nil
}

func (s past) totals(ctx context.Context, sites []int64, parts []rollup.Part, latency bool, f func(site int64, part int, t rollup.Totals)) error {
	columns := "0, 0"
	if latency {
		columns = "sum(timed), sum(latency_sum_us)"
	}
	var selects []string
	for i, p := range parts {
		selects = append(selects, fmt.Sprintf(`SELECT %d, sum(up_ms), sum(degraded_ms), sum(down_ms), sum(maintenance_ms), %s
FROM %s WHERE site_id = ?1 AND start >= %d AND start < %d`, i, columns, p.Level.Table(), micros(p.From), micros(p.To)))
	}
	query := strings.Join(selects, "\nUNION ALL\n")
	if p, ok := s.q.(preparer); ok {
		stmt, err := p.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		defer func() { _ = stmt.Close() }() // the transaction ends with it
		s.q = preparedQuery{stmt}
	}
	for _, id := range sites {
		err := each(ctx, s.q, query, []any{id}, func(row scanner) error {
			var i int
			var up, degraded, down, maintenance, timed, sum sql.NullInt64
			if err := row.Scan(&i, &up, &degraded, &down, &maintenance, &timed, &sum); err != nil || !up.Valid {
				return err
			}
			f(id, i, rollup.Totals{
				Up: up.Int64, Degraded: degraded.Int64, Down: down.Int64, Maintenance: maintenance.Int64, Timed: timed.Int64, Latency: sum.Int64,
			})
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// preparer is what prepares statements.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// preparedQuery makes a prepared statement a querier.
type preparedQuery struct{ stmt *sql.Stmt }

func (p preparedQuery) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return p.stmt.QueryContext(ctx, args...)
}
