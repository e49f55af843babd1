package postgres

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
	"sitemon/status"
	"sitemon/store/internal/history"
)

// edit is a transaction that changes which sites there are, and what they are. It
// holds lockDocuments.
type edit struct {
	tx      pgx.Tx
	source  string    // whose edit it is; "" by hand
	now     time.Time // never before the newest generation
	newest  sitemon.Generation
	version int64 // of the table sites, when the edit began
	marks   int64 // by how much the edit has changed that

	puts    []put           // sites that are new or changed
	kept    []*sitemon.Site // sites that are as they were, and whose rows are not
	rows    []string        // names of rows that go
	removed []int64         // sites that are watched no more
	due     map[string]bool // sites that the edit makes due at once

	ids map[string]int64 // of puts
}

// put is a site to be written.
type put struct {
	site   *sitemon.Site
	before *detail // nil: it was not watched
}

// detail is what a site was before.
type detail struct {
	id         int64
	definition json.RawMessage
	thresholds status.Thresholds
	quorum     sitemon.Quorum
	locations  []string
	enabled    bool // as planned
	interval   time.Duration
}

// beginEdit takes the lock.
func (db *DB) beginEdit(ctx context.Context, tx pgx.Tx, source string) (*edit, error) {
	e := &edit{tx: tx, source: source}
	b := &pgx.Batch{}
	b.Queue("SELECT pg_advisory_xact_lock($1)", lockDocuments)
	b.Queue("SELECT generation, source, loaded_at, " + definitionsVersion + " FROM config_version").QueryRow(func(row pgx.Row) error {
		return row.Scan(&e.newest.Number, &e.newest.Source, &e.newest.LoadedAt, &e.version)
	})
	err := tx.SendBatch(ctx, b).Close()
	e.now = later(db.clock().UTC().Truncate(time.Microsecond), e.newest.LoadedAt.UTC())
	return e, err
}

// notice finds out what people did to the table sites beside writing values: rows
// that are gone, and rows that have another name.
func (e *edit) notice(ctx context.Context) error {
	renamed, err := strs(ctx, e.tx, `SELECT s.name FROM sites s JOIN site_names n ON n.id = s.site_id
WHERE s.touched AND n.name <> s.name ORDER BY s.name`)
	if err != nil {
		return err
	}
	if len(renamed) > 0 { // another site: it is taken up anew
		if _, err := e.tx.Exec(ctx, "UPDATE sites SET site_id = NULL WHERE name = ANY ($1)", renamed); err != nil {
			return err
		}
	}
	e.removed, err = numbers(ctx, e.tx, findOrphans+" ORDER BY p.site_id")
	return err
}

// findOrphans finds the sites whose rows are gone.
const findOrphans = `SELECT p.site_id FROM site_plans p
WHERE p."to" IS NULL AND NOT EXISTS (SELECT 1 FROM sites s WHERE s.site_id = p.site_id)`

// newGeneration counts up the generation, which is then e.newest.
func (e *edit) newGeneration(ctx context.Context) error {
	e.newest = sitemon.Generation{Source: e.source, LoadedAt: e.now}
	return e.tx.QueryRow(ctx, `UPDATE config_version SET generation = generation + 1, source = $1, loaded_at = $2
WHERE id = 1 RETURNING generation`, e.source, e.now).Scan(&e.newest.Number)
}

// apply writes what the edit holds.
func (e *edit) apply(ctx context.Context) error {
	if len(e.puts)+len(e.kept)+len(e.rows)+len(e.removed) == 0 {
		return nil
	}
	if _, err := e.tx.Exec(ctx, "SELECT set_config('sitemon.writes', 'on', true)"); err != nil {
		return err
	}
	if len(e.rows) > 0 {
		if _, err := e.tx.Exec(ctx, "DELETE FROM sites WHERE name = ANY ($1)", e.rows); err != nil {
			return err
		}
	}
	strange, err := e.meet(ctx)
	if err != nil {
		return err
	}
	if err := e.writeRows(ctx); err != nil {
		return err
	}
	if err := e.writePlans(ctx); err != nil {
		return err
	}
	if err := e.judge(ctx, strange); err != nil {
		return err
	}
	e.marks, err = forgetChanges(ctx, e.tx)
	return err
}

// meet finds the ids of the sites to be written, and makes those that are missing,
// which it returns: nobody else knows them yet.
func (e *edit) meet(ctx context.Context) (strange map[int64]bool, err error) {
	e.ids = make(map[string]int64, len(e.puts))
	for i := range e.puts {
		e.ids[e.puts[i].site.Name] = 0
	}
	missing := slices.Sorted(maps.Keys(e.ids))
	strange = map[int64]bool{}
	find := func(query string, made bool) error {
		if len(missing) == 0 {
			return nil
		}
		err := eachRow(ctx, e.tx, query, []any{missing}, func(row pgx.Rows) error {
			var name string
			var id int64
			err := row.Scan(&name, &id)
			if e.ids[name] = id; made {
				strange[id] = true
			}
			return err
		})
		missing = slices.DeleteFunc(missing, func(name string) bool { return e.ids[name] != 0 })
		return err
	}
	const byName = "SELECT name, id FROM site_names WHERE name = ANY ($1)"
	if err := find(byName, false); err != nil {
		return nil, err
	}
	err = find("INSERT INTO site_names (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING name, id", true)
	if err != nil {
		return nil, err
	}
	return strange, find(byName, false) // a report of it came just now
}

// writePlans ends the plans of sites whose slots are others from now on, or whose
// reports count for something else, and begins new ones.
func (e *edit) writePlans(ctx context.Context) error {
	ended := slices.Clone(e.removed)
	var begun []int64
	var r rowValues
	for i := range e.puts {
		p := &e.puts[i]
		if !p.replanned() {
			continue
		}
		id := e.ids[p.site.Name]
		if p.before != nil {
			ended = append(ended, id)
		}
		begun = append(begun, id)
		r.add(p.site)
	}
	if len(ended) > 0 {
		if _, err := e.tx.Exec(ctx, `UPDATE site_plans SET "to" = $2 WHERE site_id = ANY ($1) AND "to" IS NULL`, ended, e.now); err != nil {
			return err
		}
	}
	if len(begun) == 0 {
		return nil
	}
	_, err := e.tx.Exec(ctx, `INSERT INTO site_plans (site_id, "from", interval_ms, enabled, failure_threshold, success_threshold, quorum, locations, generation)
SELECT u.id, $1, u.ms, u.enabled, u.failures, u.successes, u.quorum, u.locations::text[], $2
FROM unnest($3::int[], $4::bigint[], $5::bool[], $6::int[], $7::int[], $8::int[], $9::text[]) AS u (id, ms, enabled, failures, successes, quorum, locations)
ON CONFLICT (site_id, "from") DO UPDATE SET "to" = NULL, interval_ms = excluded.interval_ms, enabled = excluded.enabled,
 failure_threshold = excluded.failure_threshold, success_threshold = excluded.success_threshold, quorum = excluded.quorum,
 locations = excluded.locations, generation = excluded.generation`,
		e.now, e.newest.Number, begun, r.intervals, r.enabled, r.failures, r.successes, r.quorums, r.locations)
	return err
}

// replanned reports whether the site's slots are others from now on, or its reports
// count for something else than before.
func (p *put) replanned() bool {
	b, s := p.before, p.site
	return b == nil || b.interval != s.Interval || b.enabled != s.Enabled || b.thresholds != thresholdsOf(s) ||
		b.quorum != history.Quorum(s.Quorum) || !slices.Equal(b.locations, s.Locations)
}

func thresholdsOf(s *sitemon.Site) status.Thresholds {
	return status.Thresholds{Failure: s.FailureThreshold, Success: s.SuccessThreshold}
}

// readRows returns what the named sites are that are watched.
func readRows(ctx context.Context, tx pgx.Tx, names []string) (map[string]*detail, error) {
	if len(names) == 0 {
		return nil, nil
	}
	details := make(map[string]*detail, len(names))
	err := eachRow(ctx, tx, `SELECT s.name, s.site_id, s.definition, s.failure_threshold, s.success_threshold, s.quorum, s.locations, p.enabled, p.interval_ms
FROM sites s LEFT JOIN site_plans p ON p.site_id = s.site_id AND p."to" IS NULL
WHERE s.name = ANY ($1) AND `+liveRow, []any{names}, func(row pgx.Rows) error {
		var name, definition string
		var d detail
		var enabled pgtype.Bool
		var ms pgtype.Int8
		var quorum int
		err := row.Scan(&name, &d.id, &definition, &d.thresholds.Failure, &d.thresholds.Success, &quorum, &d.locations, &enabled, &ms)
		d.quorum = sitemon.Quorum(quorum)
		d.definition, d.enabled, d.interval = json.RawMessage(definition), enabled.Bool, time.Duration(ms.Int64)*time.Millisecond
		details[name] = &d
		return err
	})
	return details, err
}

// forgetChanges clears site_changes of what this transaction sees. Their number
// goes on in config_version. It returns how many of them are of this transaction.
func forgetChanges(ctx context.Context, tx pgx.Tx) (ours int64, err error) {
	err = tx.QueryRow(ctx, `WITH gone AS (DELETE FROM site_changes RETURNING xmin = pg_current_xact_id()::xid AS ours),
 counted AS (UPDATE config_version SET changes = changes + (SELECT count(*) FROM gone) WHERE id = 1)
SELECT count(*) FILTER (WHERE ours) FROM gone`).Scan(&ours)
	return ours, err
}

// strs runs a query whose rows are one text each.
func strs(ctx context.Context, q querier, query string, args ...any) ([]string, error) {
	return columns[string](ctx, q, query, args)
}

// numbers runs a query whose rows are one integer each.
func numbers(ctx context.Context, q querier, query string, args ...any) ([]int64, error) {
	return columns[int64](ctx, q, query, args)
}

func columns[T any](ctx context.Context, q querier, query string, args []any) (list []T, err error) {
	err = eachRow(ctx, q, query, args, func(row pgx.Rows) error {
		var v T
		err := row.Scan(&v)
		list = append(list, v)
		return err
	})
	return list, err
}
