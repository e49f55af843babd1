package sqlite

import (
	"context"
	"encoding/json"
	"time"

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
	return db.write(ctx, func(ctx context.Context) error {
		return db.exec(ctx, `INSERT INTO monitors (instance, role, location, version, last_seen, sites, lateness_p50_us, lateness_p99_us, spool_reports,
 started_at, stopped, spool_oldest_us, shards, shards_of, clock_ahead_us, lag, recorded, duplicate, expired, dead, problems)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (instance) DO UPDATE SET role = excluded.role, location = excluded.location,
 version = excluded.version, last_seen = excluded.last_seen, sites = excluded.sites, lateness_p50_us = excluded.lateness_p50_us,
 lateness_p99_us = excluded.lateness_p99_us, spool_reports = excluded.spool_reports, started_at = excluded.started_at, stopped = excluded.stopped,
 spool_oldest_us = excluded.spool_oldest_us, shards = excluded.shards, shards_of = excluded.shards_of, clock_ahead_us = excluded.clock_ahead_us,
 lag = excluded.lag, recorded = excluded.recorded, duplicate = excluded.duplicate, expired = excluded.expired, dead = excluded.dead, problems = excluded.problems`,
			m.ID, m.Role, m.Location, m.Version, micros(m.LastSeen), m.Sites, m.LatenessP50.Microseconds(), m.LatenessP99.Microseconds(), m.Spool,
			startedMicros(m.StartedAt), m.Stopped, m.SpoolOldest.Microseconds(), m.Shards, m.ShardsOf, m.ClockAhead.Microseconds(),
			m.Lag, m.Results.Recorded, m.Results.Duplicate, m.Results.Expired, m.Results.Dead, problems)
	})
}

// Monitors lists the monitors that gave a sign of life in the minute before now,
// and none that it stops, by their ids.
func (db *DB) Monitors(ctx context.Context, now time.Time) ([]sitemon.Monitor, error) {
	return db.listMonitors(ctx, "last_seen > ? AND NOT stopped", now.Add(-sitemon.MonitorAliveFor))
}

// MonitorsSince lists the monitors that gave a sign of life after a moment, also
// those that have stopped, by their ids.
func (db *DB) MonitorsSince(ctx context.Context, since time.Time) ([]sitemon.Monitor, error) {
	return db.listMonitors(ctx, "last_seen > ?", since)
}

func (db *DB) listMonitors(ctx context.Context, where string, after time.Time) (monitors []sitemon.Monitor, err error) {
	defer wrap(&err, "list monitors")
	ctx, cancel := reading(ctx)
	defer cancel()
	err = each(ctx, db.read, `SELECT instance, role, location, version, last_seen, sites, lateness_p50_us, lateness_p99_us, spool_reports,
 started_at, stopped, spool_oldest_us, shards, shards_of, clock_ahead_us, lag, recorded, duplicate, expired, dead, problems
FROM monitors WHERE `+where+" ORDER BY instance", []any{micros(after)}, func(row scanner) error {
		var m sitemon.Monitor
		var seen, p50, p99, started, oldest, ahead int64
		var problems string
		r := &m.Results
		err := row.Scan(&m.ID, &m.Role, &m.Location, &m.Version, &seen, &m.Sites, &p50, &p99, &m.Spool,
			&started, &m.Stopped, &oldest, &m.Shards, &m.ShardsOf, &ahead, &m.Lag, &r.Recorded, &r.Duplicate, &r.Expired, &r.Dead, &problems)
		if err != nil {
			return err
		}
		m.LastSeen = moment(seen)
		if started != 0 {
			m.StartedAt = moment(started)
		}
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
	return monitors, err
}

// startedMicros is when a process started; 0: it does not say so.
func startedMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return micros(t)
}
