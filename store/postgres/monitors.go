package postgres

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
	"sitemon/store/internal/history"
)

// Heartbeat stores what a monitor says of itself.
func (db *DB) Heartbeat(ctx context.Context, m sitemon.Monitor) (err error) {
	defer wrap(&err, "record the heartbeat of %s", m.ID)
	problems, err := history.PackProblems(m.Problems)
	if err != nil {
		return err
	}
	return db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		args := []any{
			m.ID, m.Role, m.Location, m.Version, m.LastSeen, m.Sites, m.LatenessP50.Microseconds(), m.LatenessP99.Microseconds(), m.Spool,
			orNull(m.StartedAt), m.Stopped, m.SpoolOldest.Microseconds(), m.Shards, m.ShardsOf, m.ClockAhead.Microseconds(),
			m.Lag, m.Results.Recorded, m.Results.Duplicate, m.Results.Expired, m.Results.Dead, problems,
		}
		known, err := tx.Exec(ctx, `UPDATE monitors SET role = $2, location = $3, version = $4, last_seen = $5, sites = $6,
 lateness_p50_us = $7, lateness_p99_us = $8, spool_reports = $9, started_at = $10, stopped = $11, spool_oldest_us = $12, shards = $13, shards_of = $14,
 clock_ahead_us = $15, lag = $16, recorded = $17, duplicate = $18, expired = $19, dead = $20, problems = $21 WHERE instance = $1`, args...)
		if err != nil || known.RowsAffected() > 0 {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO monitors (instance, role, location, version, last_seen, sites, lateness_p50_us, lateness_p99_us, spool_reports,
 started_at, stopped, spool_oldest_us, shards, shards_of, clock_ahead_us, lag, recorded, duplicate, expired, dead, problems)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
ON CONFLICT (instance) DO UPDATE SET last_seen = excluded.last_seen`, args...) // it was met in a report meanwhile: the next heartbeat says the rest
		return err
	})
}

// Monitors lists the monitors that gave a sign of life in the minute before now,
// and none that it stops, by their ids.
func (db *DB) Monitors(ctx context.Context, now time.Time) ([]sitemon.Monitor, error) {
	return db.listMonitors(ctx, "last_seen > $1 AND NOT stopped", now.Add(-sitemon.MonitorAliveFor))
}

// MonitorsSince lists the monitors that gave a sign of life after a moment, also
// those that have stopped, by their ids.
func (db *DB) MonitorsSince(ctx context.Context, since time.Time) ([]sitemon.Monitor, error) {
	return db.listMonitors(ctx, "last_seen > $1", since)
}

func (db *DB) listMonitors(ctx context.Context, where string, after time.Time) (monitors []sitemon.Monitor, err error) {
	defer wrap(&err, "list monitors")
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return eachRow(ctx, tx, `SELECT instance, role, location, version, last_seen, sites, lateness_p50_us, lateness_p99_us, spool_reports,
 started_at, stopped, spool_oldest_us, shards, shards_of, clock_ahead_us, lag, recorded, duplicate, expired, dead, problems
FROM monitors WHERE `+where+` ORDER BY instance COLLATE "C"`, []any{after}, func(row pgx.Rows) error {
			var m sitemon.Monitor
			var p50, p99, oldest, ahead int64
			var started pgtype.Timestamptz
			var problems string
			r := &m.Results
			err := row.Scan(&m.ID, &m.Role, &m.Location, &m.Version, &m.LastSeen, &m.Sites, &p50, &p99, &m.Spool,
				&started, &m.Stopped, &oldest, &m.Shards, &m.ShardsOf, &ahead, &m.Lag, &r.Recorded, &r.Duplicate, &r.Expired, &r.Dead, &problems)
			if err != nil {
				return err
			}
			m.LastSeen, m.StartedAt = m.LastSeen.UTC(), orZero(started)
			m.LatenessP50, m.LatenessP99 = time.Duration(p50)*time.Microsecond, time.Duration(p99)*time.Microsecond
			m.SpoolOldest, m.ClockAhead = time.Duration(oldest)*time.Microsecond, time.Duration(ahead)*time.Microsecond
			if err := json.Unmarshal([]byte(problems), &m.Problems); err != nil {
				return err
			}
			if len(m.Problems) == 0 {
				m.Problems = nil
			}
			monitors = append(monitors, m)
			return nil
		})
	})
	return monitors, err
}
