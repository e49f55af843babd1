package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"sitemon"
	"sitemon/store/internal/history"
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
	problems := r.Errors
	if problems == nil {
		problems = []sitemon.Problem{}
	}
	list, err := json.Marshal(problems)
	if err != nil {
		return err
	}
	return db.write(ctx, func(ctx context.Context) error {
		err := db.exec(ctx, `INSERT INTO config_reloads (generation, at, source, hash, applied, added, changed, removed, unchanged,
 duration_us, errors) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.Generation, micros(r.At), r.Source, r.Hash, r.Applied, r.Added, r.Changed, r.Removed, r.Unchanged,
			int64(r.DurationMS*1000), string(list))
		if err != nil {
			return err
		}
		return db.exec(ctx, "DELETE FROM config_reloads WHERE id <= (SELECT max(id) FROM config_reloads) - ?", keptReloads)
	})
}

// Reloads lists the newest attempts to apply a document, newest first. A limit
// of 0 lists all that are kept.
func (db *DB) Reloads(ctx context.Context, limit int) (reloads []sitemon.Reload, err error) {
	defer wrap(&err, "list reloads")
	ctx, cancel := reading(ctx)
	defer cancel()
	if limit <= 0 {
		limit = keptReloads
	}
	err = each(ctx, db.read, `SELECT generation, at, source, hash, applied, added, changed, removed, unchanged, duration_us, errors
FROM config_reloads ORDER BY id DESC LIMIT ?`, []any{limit}, func(row scanner) error {
		var r sitemon.Reload
		var at, us int64
		var problems []byte
		err := row.Scan(&r.Generation, &at, &r.Source, &r.Hash, &r.Applied, &r.Added, &r.Changed, &r.Removed, &r.Unchanged, &us, &problems)
		if err != nil {
			return err
		}
		r.At, r.DurationMS = moment(at), float64(us)/1000
		if err := json.Unmarshal(problems, &r.Errors); err != nil {
			return err
		}
		if len(r.Errors) == 0 {
			r.Errors = nil
		}
		reloads = append(reloads, r)
		return nil
	})
	return reloads, err
}

// Heartbeat stores what a monitor says of itself.
func (db *DB) Heartbeat(ctx context.Context, m sitemon.Monitor) (err error) {
	defer wrap(&err, "record the heartbeat of %s", m.ID)
	return db.write(ctx, func(ctx context.Context) error {
		return db.exec(ctx, `INSERT INTO monitors (instance, role, location, version, last_seen, sites, lateness_p50_us, lateness_p99_us, spool_reports)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (instance) DO UPDATE SET role = excluded.role, location = excluded.location,
 version = excluded.version, last_seen = excluded.last_seen, sites = excluded.sites, lateness_p50_us = excluded.lateness_p50_us,
 lateness_p99_us = excluded.lateness_p99_us, spool_reports = excluded.spool_reports`,
			m.ID, m.Role, m.Location, m.Version, micros(m.LastSeen), m.Sites,
			m.LatenessP50.Microseconds(), m.LatenessP99.Microseconds(), m.Spool)
	})
}

// Monitors lists the monitors that gave a sign of life in the minute before now,
// by their ids.
func (db *DB) Monitors(ctx context.Context, now time.Time) (monitors []sitemon.Monitor, err error) {
	defer wrap(&err, "list monitors")
	ctx, cancel := reading(ctx)
	defer cancel()
	err = each(ctx, db.read, `SELECT instance, role, location, version, last_seen, sites, lateness_p50_us, lateness_p99_us, spool_reports
FROM monitors WHERE last_seen > ? ORDER BY instance`, []any{micros(now.Add(-aliveFor))}, func(row scanner) error {
		var m sitemon.Monitor
		var seen, p50, p99 int64
		err := row.Scan(&m.ID, &m.Role, &m.Location, &m.Version, &seen, &m.Sites, &p50, &p99, &m.Spool)
		m.LastSeen = moment(seen)
		m.LatenessP50, m.LatenessP99 = time.Duration(p50)*time.Microsecond, time.Duration(p99)*time.Microsecond
		monitors = append(monitors, m)
		return err
	})
	return monitors, err
}

// siteID returns the number of a name that the store has heard of. The error
// wraps [sitemon.ErrNotFound] otherwise.
func siteID(ctx context.Context, q querier, name string) (id int64, err error) {
	found := false
	err = each(ctx, q, "SELECT id FROM site_names WHERE name = ?", []any{name}, func(row scanner) error {
		found = true
		return row.Scan(&id)
	})
	if err == nil && !found {
		err = sitemon.ErrNotFound
	}
	return id, err
}

// Gaps lists the runs of missing slots of a site that touch [from, to), by
// location and slot. Behind the newest report of a location that has fallen
// silent they go up to the last slot whose interval is over.
func (db *DB) Gaps(ctx context.Context, name string, from, to time.Time) (gaps []sitemon.Gap, err error) {
	defer wrap(&err, "list gaps of site %q", name)
	ctx, cancel := reading(ctx)
	defer cancel()
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	id, err := siteID(ctx, tx, name)
	if err != nil {
		return nil, err
	}
	err = each(ctx, tx, `SELECT l.location, g.from_slot, g.to_slot, g.slots, r.name
FROM site_locations l JOIN site_gaps g ON g.site_location_id = l.id LEFT JOIN reasons r ON r.id = g.reason_id
WHERE l.site_id = ? AND g.to_slot >= ? AND g.from_slot < ?`,
		[]any{id, micros(from), micros(to)}, func(row scanner) error {
			g := sitemon.Gap{Site: name}
			var first, last int64
			var reason sql.NullString
			err := row.Scan(&g.Location, &first, &last, &g.Slots, &reason)
			g.From, g.To, g.Reason = moment(first), moment(last), reason.String
			gaps = append(gaps, g)
			return err
		})
	if err != nil {
		return nil, err
	}
	open, err := db.openGaps(ctx, tx, id, name, from, to)
	gaps = append(gaps, open...)
	history.SortGaps(gaps)
	return gaps, err
}
