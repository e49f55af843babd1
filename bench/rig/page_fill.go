package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	// rawDays is how long the program keeps reports unless it is told otherwise.
	rawDays = 30
	// originals is how many sites have a past of their own, which the others copy:
	// row by row, so that the store is as large as if all had.
	originals = 100
	// lately is what all sites have of their own.
	lately = time.Hour
)

// fillPast fills a store with the days up to now. Of those whose reports are not
// kept, there is a report every 5 minutes: their sums are as many.
func fillPast(ctx context.Context, path string, fleet []demoSite, o options) error {
	now := time.Now().UTC().Truncate(time.Minute)
	began := time.Now()
	told := func(what string) {
		fmt.Fprintf(os.Stderr, "rig: %s: %s\n", what, time.Since(began).Round(time.Second))
	}
	keep := rawDays * day
	first := fleet[:min(len(fleet), originals)]
	recent := now.Add(-time.Duration(min(o.days, rawDays)) * day)
	early := history{from: now.Add(-time.Duration(o.days) * day), to: recent, interval: max(5*time.Minute, o.interval), keep: keep, step: day}
	if err := early.record(ctx, path, first); err != nil {
		return err
	}
	told("the days of which sums are left")
	kept := history{from: recent, to: now.Add(-lately), interval: o.interval, keep: keep, step: 6 * time.Hour}
	if err := kept.record(ctx, path, first); err != nil {
		return err
	}
	told("the days whose reports are kept")
	last := history{from: kept.to, to: kept.to, interval: o.interval, keep: keep, step: lately}
	if err := last.record(ctx, path, fleet); err != nil { // makes their names
		return err
	}
	if err := copyPast(ctx, path, fleet, len(first)); err != nil {
		return err
	}
	told("copies for the other sites")
	last.to = now
	return last.record(ctx, path, fleet)
}

// columns of the tables whose rows are copied, but for their keys.
const (
	reportColumns = `lateness_us, interval_ms, outcome, reason_id, error, status_code, duration_us, resolve_us, connect_us, tls_us, processing_us,
 transfer_us, body_bytes, body_truncated, remote_addr, certificate_expires_at, monitor_id, generation, attempts, gap_id`
	sumColumns = `start, up_ms, degraded_ms, down_ms, reports, timed, latency_sum_us, latency_max_us, resolve_sum_us, connect_sum_us, tls_sum_us,
 processing_sum_us, transfer_sum_us, durations`
	trackColumns = `location, slot, interval_ms, silent_at, outcome, failures, successes, row_slot, status, since, fault_reason, fault_error,
 blind_reason, blind_error`
	incidentColumns = `started_at, confirmed_at, ended_at, settled_at, ended_by, reason, error, locations, told, reports, parent, changed_at`
)

// copyPast gives each site behind the first ones the past of one of those, in a store
// that nobody else has open.
func copyPast(ctx context.Context, path string, fleet []demoSite, first int) (err error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1) // the settings and the table are the connection's
	run := func(query string, args ...any) {
		if err == nil {
			if _, err = db.ExecContext(ctx, query, args...); err != nil {
				err = fmt.Errorf("%.60s…: %w", query, err)
			}
		}
	}
	for _, setting := range []string{"journal_mode = DELETE", "journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"} {
		run("PRAGMA " + setting)
	}
	run("CREATE TEMP TABLE copies (original INTEGER, copy INTEGER)")
	for i := first; i < len(fleet); i++ {
		run("INSERT INTO copies SELECT a.id, b.id FROM site_names a, site_names b WHERE a.name = ? AND b.name = ?", fleet[i%first].name, fleet[i].name)
	}
	run("INSERT INTO site_locations (site_id, " + trackColumns + ") SELECT copy, " + trackColumns + " FROM copies JOIN site_locations ON site_id = original ORDER BY copy")
	run("INSERT OR REPLACE INTO site_status (site_id, status, since, reason, error, changed_at) SELECT copy, status, since, reason, error, changed_at FROM copies JOIN site_status ON site_id = original")
	run("INSERT INTO incidents (site_id, " + incidentColumns + ") SELECT copy, " + incidentColumns + " FROM copies JOIN incidents ON site_id = original WHERE NOT withdrawn ORDER BY started_at")
	run("CREATE TEMP TABLE places AS SELECT a.id AS original, b.id AS copy FROM copies c JOIN site_locations a ON a.site_id = c.original JOIN site_locations b ON b.site_id = c.copy ORDER BY b.id")
	run("INSERT INTO site_gaps SELECT copy, from_slot, to_slot, slots, reason_id FROM places JOIN site_gaps ON site_location_id = original")
	for _, level := range []string{"5m", "1h", "1d"} {
		run("INSERT INTO availability_" + level + " (site_id, " + sumColumns + ") SELECT copy, " + sumColumns + " FROM copies CROSS JOIN availability_" + level + " ON site_id = original")
	}
	run("INSERT INTO site_reports (id, " + reportColumns + ") SELECT r.id + ((copy - original) << 42), " + reportColumns +
		" FROM places CROSS JOIN site_reports r ON r.id >= original << 42 AND r.id < (original + 1) << 42")
	run("PRAGMA journal_mode = WAL")
	return err
}
