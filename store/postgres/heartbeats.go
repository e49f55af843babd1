package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
	"sitemon/store/internal/history"
)

// callingSites are the sites, called s, that call us and are enabled.
const callingSites = "sites s WHERE s.kind = 'heartbeat' AND s.enabled AND " + liveRow

// HeartbeatSites returns the sites that call us and are enabled, by name, with their
// version; none where that is the one that the caller has. The heartbeats of others are
// not accepted any more.
func (db *DB) HeartbeatSites(ctx context.Context, have int64) (sites []sitemon.CallingSite, version int64, err error) {
	defer wrap(&err, "read the sites that send heartbeats")
	const others = "heartbeat_sites WHERE site_id NOT IN (SELECT s.site_id FROM " + callingSites + ")"
	var gone bool
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		sites = nil
		if err := tx.QueryRow(ctx, "SELECT "+definitionsVersion).Scan(&version); err != nil || version == have {
			return err
		}
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+others+")").Scan(&gone); err != nil {
			return err
		}
		return eachRow(ctx, tx, `SELECT s.name, s.definition, h.since FROM (SELECT s.* FROM `+callingSites+`) s
LEFT JOIN heartbeat_sites h ON h.site_id = s.site_id ORDER BY s.name`, nil, func(row pgx.Rows) error {
			var c sitemon.CallingSite
			var definition string
			var since pgtype.Timestamptz
			err := row.Scan(&c.Name, &definition, &since)
			c.JSON, c.Since = json.RawMessage(definition), orZero(since)
			sites = append(sites, c)
			return err
		})
	})
	if err != nil || !gone {
		return sites, version, err
	}
	return sites, version, db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM "+others)
		return err
	})
}

// AcceptHeartbeats notes that heartbeats of sites are accepted from now on, of those
// that call us and of which none were before, or only from a moment on that a clock
// said which was set back since.
func (db *DB) AcceptHeartbeats(ctx context.Context, sites []string, now time.Time) (err error) {
	defer wrap(&err, "accept the heartbeats of %d sites", len(sites))
	return db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO heartbeat_sites (site_id, since) SELECT s.site_id, $1 FROM "+callingSites+
			" AND s.name = ANY ($2) ORDER BY s.site_id ON CONFLICT (site_id) DO UPDATE SET since = $1 WHERE heartbeat_sites.since > $3", now, sites, now.Add(history.Ahead))
		return err
	})
}

// RecordHeartbeat keeps a heartbeat of a site; repeated: it is one that came before,
// see [sitemon.SameHeartbeat]. The error wraps [sitemon.ErrNotFound] where no
// heartbeats of the site are accepted.
func (db *DB) RecordHeartbeat(ctx context.Context, site string, h sitemon.Heartbeat) (repeated bool, err error) {
	defer wrap(&err, "record a heartbeat of site %q", site)
	err = db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var id int64
		var run sitemon.OpenRun
		var began pgtype.Timestamptz
		err := tx.QueryRow(ctx, `SELECT n.id, h.started_at, h.started_run FROM site_names n JOIN heartbeat_sites h ON h.site_id = n.id
WHERE n.name = $1 FOR UPDATE OF h`, site).Scan(&id, &began, &run.Name)
		if errors.Is(err, pgx.ErrNoRows) {
			return sitemon.ErrNotFound
		}
		if err != nil {
			return err
		}
		run.At = orZero(began)
		before, row, err := heartbeatBefore(ctx, tx, id, &h)
		if err != nil {
			return err
		}
		switch {
		case h.Began:
			if repeated = run.Same(&h) || before != nil && h.Run != "" && before.Run == h.Run; repeated {
				return nil
			}
			_, err := tx.Exec(ctx, "UPDATE heartbeat_sites SET started_at = $1, started_run = $2 WHERE site_id = $3", h.LastAt, h.Run, id)
			return err
		case before != nil && sitemon.SameHeartbeat(before, &h):
			repeated = true
			last := before.LastAt
			if h.Run == "" && h.LastAt.After(last) {
				last = h.LastAt
			}
			_, err := tx.Exec(ctx, "UPDATE heartbeats SET repeats = repeats + 1, last_at = $1 WHERE id = $2", last, row)
			return err
		}
		repeated = false
		return addHeartbeat(ctx, tx, id, run, &h)
	})
	return repeated, err
}

// addHeartbeat keeps a heartbeat that did not come before.
func addHeartbeat(ctx context.Context, tx pgx.Tx, id int64, run sitemon.OpenRun, h *sitemon.Heartbeat) error {
	_, err := tx.Exec(ctx, `INSERT INTO heartbeats (site_id, received_at, last_at, repeats, failed, exit_code, duration_us, message, run)
VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8)`, id, h.ReceivedAt, h.LastAt, h.Failed, h.ExitCode, run.Took(h).Microseconds(), h.Message, h.Run)
	if err != nil {
		return err
	}
	if run.Ends(h) {
		if _, err := tx.Exec(ctx, "UPDATE heartbeat_sites SET started_at = NULL, started_run = '' WHERE site_id = $1", id); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `DELETE FROM heartbeats WHERE site_id = $1 AND id <=
 (SELECT id FROM heartbeats WHERE site_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)`, id, history.KeptHeartbeats)
	return err
}

// heartbeatBefore is the heartbeat that one may repeat, with the number of its row;
// nil: there is none.
func heartbeatBefore(ctx context.Context, tx pgx.Tx, site int64, h *sitemon.Heartbeat) (before *sitemon.Heartbeat, row int64, err error) {
	query, args := "WHERE site_id = $1", []any{site}
	if h.Run != "" {
		query, args = query+" AND run = $2", append(args, h.Run)
	}
	err = eachRow(ctx, tx, "SELECT id, "+heartbeatColumns+" FROM heartbeats "+query+" ORDER BY id DESC LIMIT 1", args, func(r pgx.Rows) error {
		before = new(sitemon.Heartbeat)
		return scanHeartbeat(r, before, &row)
	})
	return before, row, err
}

const heartbeatColumns = "received_at, last_at, repeats, failed, exit_code, duration_us, message, run"

// scanHeartbeat reads the [heartbeatColumns] behind others.
func scanHeartbeat(row pgx.Rows, h *sitemon.Heartbeat, others ...any) error {
	var us int64
	err := row.Scan(append(others, &h.ReceivedAt, &h.LastAt, &h.Repeats, &h.Failed, &h.ExitCode, &us, &h.Message, &h.Run)...)
	h.ReceivedAt, h.LastAt, h.Duration = h.ReceivedAt.UTC(), h.LastAt.UTC(), time.Duration(us)*time.Microsecond
	return err
}

// Heartbeats returns the newest heartbeats of a site, newest first. The error wraps
// [sitemon.ErrNotFound] where there never was such a site.
func (db *DB) Heartbeats(ctx context.Context, site string, limit int) (list []sitemon.Heartbeat, err error) {
	defer wrap(&err, "list heartbeats of site %q", site)
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		list = nil
		var id int64
		err := tx.QueryRow(ctx, "SELECT id FROM site_names WHERE name = $1", site).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return sitemon.ErrNotFound
		}
		if err != nil {
			return err
		}
		return eachRow(ctx, tx, "SELECT "+heartbeatColumns+" FROM heartbeats WHERE site_id = $1 ORDER BY id DESC LIMIT $2", []any{id, limit}, func(row pgx.Rows) error {
			var h sitemon.Heartbeat
			err := scanHeartbeat(row, &h)
			list = append(list, h)
			return err
		})
	})
	return list, err
}

// HeartbeatState returns what is known of a site's heartbeats.
func (db *DB) HeartbeatState(ctx context.Context, site string) (s sitemon.HeartbeatState, err error) {
	defer wrap(&err, "read the heartbeats of site %q", site)
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		s = sitemon.HeartbeatState{}
		var id int64
		var began pgtype.Timestamptz
		err := tx.QueryRow(ctx, `SELECT n.id, h.since, h.started_at, h.started_run FROM site_names n JOIN heartbeat_sites h ON h.site_id = n.id
WHERE n.name = $1`, site).Scan(&id, &s.Since, &began, &s.Run.Name)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		s.Since, s.Run.At = s.Since.UTC(), orZero(began)
		err = eachRow(ctx, tx, "SELECT "+heartbeatColumns+" FROM heartbeats WHERE site_id = $1 ORDER BY id DESC LIMIT 1", []any{id}, func(row pgx.Rows) error {
			s.Newest = new(sitemon.Heartbeat)
			return scanHeartbeat(row, s.Newest)
		})
		if err != nil {
			return err
		}
		var ears []history.Ear
		err = eachRow(ctx, tx, `SELECT instance, from_at, to_at, false FROM heartbeat_listening WHERE to_at >= $1 UNION ALL
SELECT instance, from_at, to_at, true FROM heartbeat_refusals WHERE site_id = $2 AND to_at >= $1 ORDER BY 2`, []any{history.HeartbeatBase(s), id}, func(row pgx.Rows) error {
			var e history.Ear
			err := row.Scan(&e.Instance, &e.From, &e.To, &e.Refused)
			e.From, e.To = e.From.UTC(), e.To.UTC()
			ears = append(ears, e)
			return err
		})
		s.Listened = history.Listened(ears)
		return err
	})
	return s, err
}

// ListenForHeartbeats notes that a process can receive heartbeats now, but for those of
// some sites. What it says again soon is one stretch of time.
func (db *DB) ListenForHeartbeats(ctx context.Context, instance string, refused []string, now time.Time) (err error) {
	defer wrap(&err, "note that heartbeats are received")
	return db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		// A clock that was set back takes back what it said of later.
		since := now.Add(-history.StillListening)
		goesOn, err := tx.Exec(ctx, `UPDATE heartbeat_listening SET from_at = least(from_at, $1), to_at = $1 WHERE to_at >= $2 AND id =
 (SELECT max(id) FROM heartbeat_listening WHERE instance = $3)`, now, since, instance)
		if err == nil && goesOn.RowsAffected() == 0 {
			_, err = tx.Exec(ctx, "INSERT INTO heartbeat_listening (instance, from_at, to_at) VALUES ($1, $2, $2)", instance, now)
		}
		if err != nil || len(refused) == 0 {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE heartbeat_refusals SET from_at = least(from_at, $1), to_at = $1 WHERE to_at >= $2 AND id IN
 (SELECT max(id) FROM heartbeat_refusals WHERE instance = $3 AND site_id IN (SELECT id FROM site_names WHERE name = ANY ($4)) GROUP BY site_id)`,
			now, since, instance, refused)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO heartbeat_refusals (site_id, instance, from_at, to_at) SELECT id, $1, $2, $2 FROM site_names
 WHERE name = ANY ($3) AND id NOT IN (SELECT site_id FROM heartbeat_refusals WHERE instance = $1 AND to_at = $2)`, instance, now, refused)
		return err
	})
}

// retainHeartbeats deletes heartbeats from before until, but for the newest of each
// site, and what nobody asks for any more of who listened.
func (db *DB) retainHeartbeats(ctx context.Context, until, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM heartbeats h WHERE last_at < $1
 AND EXISTS (SELECT 1 FROM heartbeats WHERE site_id = h.site_id AND id > h.id)`, until)
		if err != nil {
			return err
		}
		old := now.Add(-history.KeptListening)
		if _, err = tx.Exec(ctx, "DELETE FROM heartbeat_refusals WHERE to_at < $1", old); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "DELETE FROM heartbeat_listening WHERE to_at < $1", old)
		return err
	})
}
