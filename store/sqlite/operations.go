package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"sitemon"
	"sitemon/store/internal/history"
)

// keptReloads is how many attempts to apply a document are remembered.
const keptReloads = 1000

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
	difference, err := history.PackDifference(r.Difference)
	if err != nil {
		return err
	}
	return db.write(ctx, func(ctx context.Context) error {
		err := db.exec(ctx, `INSERT INTO config_reloads (generation, at, source, hash, applied, added, changed, removed, unchanged,
 duration_us, errors, difference) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.Generation, micros(r.At), r.Source, r.Hash, r.Applied, r.Added, r.Changed, r.Removed, r.Unchanged,
			int64(r.DurationMS*1000), string(list), difference)
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
	err = each(ctx, db.read, `SELECT generation, at, source, hash, applied, added, changed, removed, unchanged, duration_us, errors, difference
FROM config_reloads ORDER BY id DESC LIMIT ?`, []any{limit}, func(row scanner) error {
		var r sitemon.Reload
		var at, us int64
		var problems []byte
		var difference string
		err := row.Scan(&r.Generation, &at, &r.Source, &r.Hash, &r.Applied, &r.Added, &r.Changed, &r.Removed, &r.Unchanged, &us, &problems, &difference)
		if err != nil {
			return err
		}
		if r.Difference, err = history.UnpackDifference(difference); err != nil {
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
