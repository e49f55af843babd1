package postgres

import (
	"bytes"
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
	"sitemon/status"
)

const (
	// seedInterval is the interval of sites of which the old reports do not tell it.
	seedInterval = time.Minute
	// fetchOld reads some of the old reports.
	fetchOld     = "FETCH 20000 FROM old_reports"
	seedLocation = "default"
)

// seedCopy copies the reports of the original system.
type seedCopy struct {
	db        *DB
	zone      *time.Location
	oldest    time.Time
	memory    *memory
	locations map[int64]*location
	intervals map[int64]time.Duration
	copied    int
}

// takeOverReports copies the old reports that are not older than the retention, and
// returns how many there were. Their times have no zone.
func (db *DB) takeOverReports(ctx context.Context, tx pgx.Tx, sites []seedSite) (int, error) {
	there, err := hasTable(ctx, tx, "site_reports"+asideSuffix)
	if err != nil || !there || len(sites) == 0 {
		return 0, err
	}
	c := &seedCopy{db: db, zone: db.seedZone, memory: newMemory(), locations: map[int64]*location{}, intervals: map[int64]time.Duration{}}
	now := db.clock()
	c.oldest = db.kept(now)
	if err := attachPartitions(ctx, tx, c.oldest, now.Add(daysAhead*day)); err != nil {
		return 0, err
	}
	if err := c.meet(ctx, tx, sites); err != nil {
		return 0, err
	}
	// A day more than the zone can make of it.
	from := pgtype.Timestamp{Time: c.oldest.UTC().Add(-day), Valid: true}
	if err := c.readIntervals(ctx, tx, from); err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, `DECLARE old_reports NO SCROLL CURSOR FOR
SELECT site_id, "timestamp"::timestamp, reachable, status_code::bigint, content_valid, latency::float8 FROM site_reports`+asideSuffix+`
WHERE "timestamp" >= '`+from.Time.Format("2006-01-02 15:04:05")+`' ORDER BY site_id, "timestamp"`)
	if err != nil {
		return 0, err
	}
	for more := true; more; {
		if more, err = c.some(ctx, tx); err != nil {
			return 0, err
		}
	}
	if _, err := tx.Exec(ctx, "CLOSE old_reports"); err != nil {
		return 0, err
	}
	var tracks []held
	for _, l := range c.locations {
		tracks = append(tracks, held{l.id, l.site.id, l.name, l.track})
	}
	b := &pgx.Batch{}
	saveTracks(b, tracks, "")
	return c.copied, tx.SendBatch(ctx, b).Close()
}

// meet makes the locations of the sites, and the reasons that reports have.
func (c *seedCopy) meet(ctx context.Context, tx pgx.Tx, sites []seedSite) error {
	names, locations := make([]string, len(sites)), make([]string, len(sites))
	for i, s := range sites {
		names[i], locations[i] = s.name, seedLocation
	}
	reasons := []string{string(sitemon.ReasonBody), string(sitemon.ReasonConnectError)}
	b := &pgx.Batch{}
	b.Queue(makeLocations, names, locations)
	b.Queue(readLocations, names, locations).Query(c.memory.addLocations)
	b.Queue(makeReasons, reasons)
	b.Queue(readReasons, reasons).Query(func(rows pgx.Rows) error { return addWords(c.memory.reasons, rows) })
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return err
	}
	for _, s := range c.memory.sites {
		c.locations[s.id] = s.locations[0]
	}
	return nil
}

// readIntervals finds out how far apart the reports of a site are mostly.
func (c *seedCopy) readIntervals(ctx context.Context, tx pgx.Tx, from pgtype.Timestamp) error {
	return eachRow(ctx, tx, `SELECT site_id, (extract(epoch FROM percentile_disc(0.5) WITHIN GROUP (ORDER BY d)) * 1000)::bigint FROM (
 SELECT site_id, "timestamp" - lag("timestamp") OVER (PARTITION BY site_id ORDER BY "timestamp") AS d
 FROM site_reports`+asideSuffix+` WHERE "timestamp" >= $1) g WHERE d IS NOT NULL GROUP BY site_id`, []any{from}, func(row pgx.Rows) error {
		var id, ms int64
		err := row.Scan(&id, &ms)
		c.intervals[id] = min(max(time.Duration(ms)*time.Millisecond, time.Second), day)
		return err
	})
}

// some copies the next reports, and reports whether there were any.
func (c *seedCopy) some(ctx context.Context, tx pgx.Tx) (more bool, err error) {
	var site int64
	var at pgtype.Timestamp
	var reachable, valid pgtype.Bool
	var code pgtype.Int8
	var latency pgtype.Float8
	dest := []any{&site, &at, &reachable, &code, &valid, &latency}
	buf := append(c.db.buffer[:0], copyHeader...)
	n := 0
	err = eachRow(ctx, tx, fetchOld, nil, func(row pgx.Rows) error {
		more = true
		if err := row.Scan(dest...); err != nil {
			return err
		}
		l := c.locations[site]
		if l == nil || !at.Valid {
			return nil
		}
		r := c.report(at.Time, reachable.Bool, !valid.Valid || valid.Bool, code.Int64, latency.Float64)
		r.Interval = seedInterval
		if d, ok := c.intervals[site]; ok {
			r.Interval = d
		}
		// Where the clock was put back, two of its times are one.
		if r.Slot.Before(c.oldest) || !r.Slot.After(l.track.Slot) {
			return nil
		}
		l.track.Advance(r, status.Thresholds{})
		buf = c.memory.appendRow(buf, l.id, &r)
		n++
		return nil
	})
	if err != nil || n == 0 {
		return more, err
	}
	c.copied += n
	_, err = tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(append(buf, copyTrailer...)), copyReports)
	return more, err
}

// report makes a report of an old row.
func (c *seedCopy) report(local time.Time, reachable, valid bool, code int64, latency float64) sitemon.Report {
	r := sitemon.Report{
		Slot: time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, c.zone).UTC(),
	}
	switch {
	case !reachable:
		r.Outcome, r.Reason, r.Error = sitemon.OutcomeDown, sitemon.ReasonConnectError, "not reachable"
	case !valid:
		r.Outcome, r.Reason, r.Error = sitemon.OutcomeDown, sitemon.ReasonBody, "the content was not valid"
	default:
		r.Outcome = sitemon.OutcomeUp
	}
	if code > 0 && code <= math.MaxInt16 {
		r.StatusCode = int(code)
	}
	if latency > 0 && latency < 1e6 {
		r.Duration = time.Duration(latency * float64(time.Second))
	}
	return r
}
