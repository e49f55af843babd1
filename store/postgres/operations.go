package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
)

const (
	// keptReloads is how many attempts to apply a document are remembered.
	keptReloads = 1000
	// aliveFor is how long after its last word a monitor counts as alive.
	aliveFor = time.Minute
)

// AddReload remembers an attempt to apply a document. The newest 1,000 are kept.
func (db *DB) AddReload(ctx context.Context, r sitemon.Reload) (err error) {
	defer wrap(&err, "record a reload of %s", r.Source)
	return db.write(ctx, func(ctx context.Context, tx pgx.Tx) error { return addReload(ctx, tx, r) })
}

func addReload(ctx context.Context, tx pgx.Tx, r sitemon.Reload) error {
	problems := r.Errors
	if problems == nil {
		problems = []sitemon.Problem{}
	}
	list, err := json.Marshal(problems)
	if err != nil {
		return err
	}
	list = bytes.ReplaceAll(list, []byte(`\u0000`), []byte(`\ufffd`)) // Postgres has no such character
	_, err = tx.Exec(ctx, `INSERT INTO config_reloads (generation, at, source, hash, applied, added, changed, removed, unchanged, duration_us, errors)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb)`,
		r.Generation, r.At, r.Source, r.Hash, r.Applied, r.Added, r.Changed, r.Removed, r.Unchanged, int64(r.DurationMS*1000), string(list))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "DELETE FROM config_reloads WHERE id <= (SELECT max(id) FROM config_reloads) - $1", keptReloads)
	return err
}

// Reloads lists the newest attempts to apply a document, of all sources, newest
// first. A limit of 0 lists all that are kept.
func (db *DB) Reloads(ctx context.Context, limit int) (reloads []sitemon.Reload, err error) {
	defer wrap(&err, "list reloads")
	if limit <= 0 {
		limit = keptReloads
	}
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return eachRow(ctx, tx, `SELECT generation, at, source, hash, applied, added, changed, removed, unchanged, duration_us, errors::text
FROM config_reloads ORDER BY id DESC LIMIT $1`, []any{limit}, func(row pgx.Rows) error {
			var r sitemon.Reload
			var us int64
			var problems string
			err := row.Scan(&r.Generation, &r.At, &r.Source, &r.Hash, &r.Applied, &r.Added, &r.Changed, &r.Removed, &r.Unchanged, &us, &problems)
			if err != nil {
				return err
			}
			r.At, r.DurationMS = r.At.UTC(), float64(us)/1000
			if err := json.Unmarshal([]byte(problems), &r.Errors); err != nil {
				return err
			}
			if len(r.Errors) == 0 {
				r.Errors = nil
			}
			reloads = append(reloads, r)
			return nil
		})
	})
	return reloads, err
}

// Heartbeat stores what a monitor says of itself.
func (db *DB) Heartbeat(ctx context.Context, m sitemon.Monitor) (err error) {
	defer wrap(&err, "record the heartbeat of %s", m.ID)
	return db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		args := []any{m.ID, m.Role, m.Location, m.Version, m.LastSeen, m.Sites, m.LatenessP50.Microseconds(), m.LatenessP99.Microseconds(), m.Spool}
		known, err := tx.Exec(ctx, `UPDATE monitors SET role = $2, location = $3, version = $4, last_seen = $5, sites = $6,
 lateness_p50_us = $7, lateness_p99_us = $8, spool_reports = $9 WHERE instance = $1`, args...)
		if err != nil || known.RowsAffected() > 0 {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO monitors (instance, role, location, version, last_seen, sites, lateness_p50_us, lateness_p99_us, spool_reports)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (instance) DO UPDATE SET role = excluded.role, location = excluded.location,
 version = excluded.version, last_seen = excluded.last_seen, sites = excluded.sites, lateness_p50_us = excluded.lateness_p50_us,
 lateness_p99_us = excluded.lateness_p99_us, spool_reports = excluded.spool_reports`, args...)
		return err
	})
}

// Monitors lists the monitors that gave a sign of life in the minute before now,
// by their ids.
func (db *DB) Monitors(ctx context.Context, now time.Time) (monitors []sitemon.Monitor, err error) {
	defer wrap(&err, "list monitors")
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return eachRow(ctx, tx, `SELECT instance, role, location, version, last_seen, sites, lateness_p50_us, lateness_p99_us, spool_reports
FROM monitors WHERE last_seen > $1 ORDER BY instance COLLATE "C"`, []any{now.Add(-aliveFor)}, func(row pgx.Rows) error {
			var m sitemon.Monitor
			var p50, p99 int64
			err := row.Scan(&m.ID, &m.Role, &m.Location, &m.Version, &m.LastSeen, &m.Sites, &p50, &p99, &m.Spool)
			m.LastSeen = m.LastSeen.UTC()
			m.LatenessP50, m.LatenessP99 = time.Duration(p50)*time.Microsecond, time.Duration(p99)*time.Microsecond
			monitors = append(monitors, m)
			return err
		})
	})
	return monitors, err
}
