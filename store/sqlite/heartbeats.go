package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"sitemon"
	"sitemon/store/internal/history"
)

// callingSites are the sites that call us and are enabled.
const callingSites = "sites WHERE kind = 'heartbeat' AND enabled"

// HeartbeatSites returns the sites that call us and are enabled, by name, with their
// version; none where that is the one that the caller has. The heartbeats of others are
// not accepted any more.
func (db *DB) HeartbeatSites(ctx context.Context, have int64) (sites []sitemon.CallingSite, version int64, err error) {
	defer wrap(&err, "read the sites that send heartbeats")
	versions, err := numbers(ctx, db.read, "SELECT coalesce(max(generation), 0) FROM documents")
	if err != nil {
		return nil, have, err
	}
	if version = versions[0]; version == have {
		return nil, version, nil
	}
	const others = "heartbeat_sites WHERE site_id NOT IN (SELECT site_id FROM " + callingSites + ")"
	gone, err := numbers(ctx, db.read, "SELECT site_id FROM "+others)
	if err != nil {
		return nil, have, err
	}
	if len(gone) > 0 {
		err := db.write(ctx, func(ctx context.Context) error { return db.exec(ctx, "DELETE FROM "+others) })
		if err != nil {
			return nil, have, err
		}
	}
	ctx, cancel := reading(ctx)
	defer cancel()
	err = each(ctx, db.read, `SELECT n.name, s.definition, h.since FROM (SELECT * FROM `+callingSites+`) s JOIN site_names n ON n.id = s.site_id
LEFT JOIN heartbeat_sites h ON h.site_id = s.site_id ORDER BY n.name`, nil, func(row scanner) error {
		var c sitemon.CallingSite
		var definition string
		var since sql.NullInt64
		err := row.Scan(&c.Name, &definition, &since)
		c.JSON, c.Since = json.RawMessage(definition), momentOrZero(since)
		sites = append(sites, c)
		return err
	})
	return sites, version, err
}

// AcceptHeartbeats notes that heartbeats of sites are accepted from now on, of those
// that call us and of which none were before, or only from a moment on that a clock
// said which was set back since.
func (db *DB) AcceptHeartbeats(ctx context.Context, sites []string, now time.Time) (err error) {
	defer wrap(&err, "accept the heartbeats of %d sites", len(sites))
	list, err := json.Marshal(sites)
	if err != nil {
		return err
	}
	return db.write(ctx, func(ctx context.Context) error {
		return db.exec(ctx, `INSERT INTO heartbeat_sites (site_id, since) SELECT site_id, ?1 FROM `+callingSites+`
 AND site_id IN (SELECT id FROM site_names WHERE name IN (SELECT value FROM json_each(?2)))
ON CONFLICT (site_id) DO UPDATE SET since = ?1 WHERE since > ?3`, micros(now), string(list), micros(now.Add(history.Ahead)))
	})
}

// RecordHeartbeat keeps a heartbeat of a site; repeated: it is one that came before,
// see [sitemon.SameHeartbeat]. The error wraps [sitemon.ErrNotFound] where no
// heartbeats of the site are accepted.
func (db *DB) RecordHeartbeat(ctx context.Context, site string, h sitemon.Heartbeat) (repeated bool, err error) {
	defer wrap(&err, "record a heartbeat of site %q", site)
	err = db.write(ctx, func(ctx context.Context) error {
		var id int64
		var run sitemon.OpenRun
		var began sql.NullInt64
		err := db.queryRow(ctx, `SELECT n.id, h.started_at, h.started_run FROM site_names n JOIN heartbeat_sites h ON h.site_id = n.id
WHERE n.name = ?`, site).Scan(&id, &began, &run.Name)
		if errors.Is(err, sql.ErrNoRows) {
			return sitemon.ErrNotFound
		}
		if err != nil {
			return err
		}
		run.At = momentOrZero(began)
		before, row, err := db.heartbeatBefore(ctx, id, &h)
		if err != nil {
			return err
		}
		switch {
		case h.Began:
			if repeated = run.Same(&h) || before != nil && h.Run != "" && before.Run == h.Run; repeated {
				return nil
			}
			return db.exec(ctx, "UPDATE heartbeat_sites SET started_at = ?, started_run = ? WHERE site_id = ?", micros(h.LastAt), h.Run, id)
		case before != nil && sitemon.SameHeartbeat(before, &h):
			repeated = true
			last := before.LastAt
			if h.Run == "" && h.LastAt.After(last) {
				last = h.LastAt
			}
			return db.exec(ctx, "UPDATE heartbeats SET repeats = repeats + 1, last_at = ? WHERE id = ?", micros(last), row)
		}
		return db.addHeartbeat(ctx, id, run, &h)
	})
	return repeated, err
}

// addHeartbeat keeps a heartbeat that did not come before.
func (db *DB) addHeartbeat(ctx context.Context, id int64, run sitemon.OpenRun, h *sitemon.Heartbeat) error {
	err := db.exec(ctx, `INSERT INTO heartbeats (site_id, received_at, last_at, repeats, failed, exit_code, duration_us, message, run)
VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?)`, id, micros(h.ReceivedAt), micros(h.LastAt), h.Failed, h.ExitCode, run.Took(h).Microseconds(), h.Message, h.Run)
	if err != nil {
		return err
	}
	if run.Ends(h) {
		if err := db.exec(ctx, "UPDATE heartbeat_sites SET started_at = NULL, started_run = '' WHERE site_id = ?", id); err != nil {
			return err
		}
	}
	return db.exec(ctx, `DELETE FROM heartbeats WHERE site_id = ?1 AND id <=
 (SELECT id FROM heartbeats WHERE site_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)`, id, history.KeptHeartbeats)
}

// heartbeatBefore is the heartbeat that one may repeat, with the number of its row;
// nil: there is none.
func (db *DB) heartbeatBefore(ctx context.Context, site int64, h *sitemon.Heartbeat) (before *sitemon.Heartbeat, row int64, err error) {
	query, args := "WHERE site_id = ?", []any{site}
	if h.Run != "" {
		query, args = query+" AND run = ?", append(args, h.Run)
	}
	err = each(ctx, db.conn, "SELECT id, "+heartbeatColumns+" FROM heartbeats "+query+" ORDER BY id DESC LIMIT 1", args, func(s scanner) error {
		before = new(sitemon.Heartbeat)
		return scanHeartbeat(s, before, &row)
	})
	return before, row, err
}

const heartbeatColumns = "received_at, last_at, repeats, failed, exit_code, duration_us, message, run"

// scanHeartbeat reads the [heartbeatColumns] behind others.
func scanHeartbeat(row scanner, h *sitemon.Heartbeat, others ...any) error {
	var received, last, us int64
	var exit sql.NullInt64
	err := row.Scan(append(others, &received, &last, &h.Repeats, &h.Failed, &exit, &us, &h.Message, &h.Run)...)
	h.ReceivedAt, h.LastAt, h.Duration = moment(received), moment(last), time.Duration(us)*time.Microsecond
	if exit.Valid {
		code := int(exit.Int64)
		h.ExitCode = &code
	}
	return err
}

// Heartbeats returns the newest heartbeats of a site, newest first. The error wraps
// [sitemon.ErrNotFound] where there never was such a site.
func (db *DB) Heartbeats(ctx context.Context, site string, limit int) (list []sitemon.Heartbeat, err error) {
	defer wrap(&err, "list heartbeats of site %q", site)
	ctx, cancel := reading(ctx)
	defer cancel()
	id, err := siteID(ctx, db.read, site)
	if err != nil {
		return nil, err
	}
	err = each(ctx, db.read, "SELECT "+heartbeatColumns+" FROM heartbeats WHERE site_id = ? ORDER BY id DESC LIMIT ?", []any{id, limit}, func(row scanner) error {
		var h sitemon.Heartbeat
		err := scanHeartbeat(row, &h)
		list = append(list, h)
		return err
	})
	return list, err
}

// HeartbeatState returns what is known of a site's heartbeats.
func (db *DB) HeartbeatState(ctx context.Context, site string) (s sitemon.HeartbeatState, err error) {
	defer wrap(&err, "read the heartbeats of site %q", site)
	ctx, cancel := reading(ctx)
	defer cancel()
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return s, err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	var id int64
	err = each(ctx, tx, `SELECT n.id, h.since, h.started_at, h.started_run FROM site_names n JOIN heartbeat_sites h ON h.site_id = n.id
WHERE n.name = ?`, []any{site}, func(row scanner) error {
		var since int64
		var began sql.NullInt64
		err := row.Scan(&id, &since, &began, &s.Run.Name)
		s.Since, s.Run.At = moment(since), momentOrZero(began)
		return err
	})
	if err != nil || id == 0 {
		return s, err
	}
	err = each(ctx, tx, "SELECT "+heartbeatColumns+" FROM heartbeats WHERE site_id = ? ORDER BY id DESC LIMIT 1", []any{id}, func(row scanner) error {
		s.Newest = new(sitemon.Heartbeat)
		return scanHeartbeat(row, s.Newest)
	})
	if err != nil {
		return s, err
	}
	var ears []history.Ear
	err = each(ctx, tx, `SELECT instance, from_at, to_at, 0 FROM heartbeat_listening WHERE to_at >= ?1 UNION ALL
SELECT instance, from_at, to_at, 1 FROM heartbeat_refusals WHERE site_id = ?2 AND to_at >= ?1 ORDER BY 2`, []any{micros(history.HeartbeatBase(s)), id}, func(row scanner) error {
		var e history.Ear
		var from, to int64
		err := row.Scan(&e.Instance, &from, &to, &e.Refused)
		e.Span = sitemon.Span{From: moment(from), To: moment(to)}
		ears = append(ears, e)
		return err
	})
	s.Listened = history.Listened(ears)
	return s, err
}

// ListenForHeartbeats notes that a process can receive heartbeats now, but for those of
// some sites. What it says again soon is one stretch of time.
func (db *DB) ListenForHeartbeats(ctx context.Context, instance string, refused []string, now time.Time) (err error) {
	defer wrap(&err, "note that heartbeats are received")
	list, err := json.Marshal(refused)
	if err != nil {
		return err
	}
	return db.write(ctx, func(ctx context.Context) error {
		// A clock that was set back takes back what it said of later.
		goesOn, err := db.execResult(ctx, `UPDATE heartbeat_listening SET from_at = min(from_at, ?1), to_at = ?1 WHERE to_at >= ?2 AND id =
 (SELECT id FROM heartbeat_listening WHERE instance = ?3 ORDER BY id DESC LIMIT 1)`, micros(now), micros(now.Add(-history.StillListening)), instance)
		if err != nil {
			return err
		}
		n, err := goesOn.RowsAffected()
		if err == nil && n == 0 {
			err = db.exec(ctx, "INSERT INTO heartbeat_listening (instance, from_at, to_at) VALUES (?1, ?2, ?2)", instance, micros(now))
		}
		if err != nil || len(refused) == 0 {
			return err
		}
		return db.refuseHeartbeats(ctx, instance, string(list), now)
	})
}

// refuseHeartbeats notes that a process refuses the heartbeats of some sites, whose
// names are a list in JSON.
func (db *DB) refuseHeartbeats(ctx context.Context, instance, sites string, now time.Time) error {
	const those = "(SELECT id FROM site_names WHERE name IN (SELECT value FROM json_each(?4)))"
	const newest = "SELECT max(id) FROM heartbeat_refusals WHERE instance = ?3 AND site_id IN " + those + " GROUP BY site_id"
	err := db.exec(ctx, "UPDATE heartbeat_refusals SET from_at = min(from_at, ?1), to_at = ?1 WHERE to_at >= ?2 AND id IN ("+newest+")",
		micros(now), micros(now.Add(-history.StillListening)), instance, sites)
	if err != nil {
		return err
	}
	return db.exec(ctx, `INSERT INTO heartbeat_refusals (site_id, instance, from_at, to_at) SELECT id, ?1, ?2, ?2 FROM site_names
 WHERE name IN (SELECT value FROM json_each(?3))
 AND id NOT IN (SELECT site_id FROM heartbeat_refusals WHERE instance = ?1 AND to_at = ?2)`, instance, micros(now), sites)
}

// retainHeartbeats deletes heartbeats from before until, but for the newest of each
// site, and what nobody asks for any more of who listened.
func (db *DB) retainHeartbeats(ctx context.Context, until, now time.Time) error {
	sites, err := numbers(ctx, db.read, "SELECT DISTINCT site_id FROM heartbeats")
	if err != nil {
		return err
	}
	err = db.inSteps(ctx, sites, func(ctx context.Context, site, limit int64) (int64, error) {
		return db.deleted(ctx, `DELETE FROM heartbeats WHERE id IN (SELECT id FROM heartbeats WHERE site_id = ?1 AND last_at < ?2
 AND id < (SELECT max(id) FROM heartbeats WHERE site_id = ?1) LIMIT ?3)`, site, micros(until), limit)
	})
	if err != nil {
		return err
	}
	return db.write(ctx, func(ctx context.Context) error {
		old := micros(now.Add(-history.KeptListening))
		if err := db.exec(ctx, "DELETE FROM heartbeat_refusals WHERE to_at < ?", old); err != nil {
			return err
		}
		return db.exec(ctx, "DELETE FROM heartbeat_listening WHERE to_at < ?", old)
	})
}
