package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// again measures the writer once more, in a table that has grown.
func (b *backlog) again(ctx context.Context, before float64) error {
	small, err := b.count(ctx)
	if err != nil {
		return err
	}
	if err := b.fill(ctx, small); err != nil {
		return err
	}
	large, err := b.count(ctx)
	if err != nil {
		return err
	}
	b.end = b.end.Add(b.span())
	after, err := b.measure(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("into an empty table %.0f/s, into one of %d rows (%s on disk) %.0f/s: ratio %.2f\n",
		before, large, b.size(ctx), after, after/before)
	// The same rows once more, as many slots later.
	const next = `CREATE TABLE next AS SELECT * FROM site_reports WHERE slot > (SELECT max(slot) FROM site_reports) - $1::bigint * interval '1 ms' ORDER BY slot`
	if _, err := b.conn.Exec(ctx, next, b.span().Milliseconds()); err != nil {
		return err
	}
	if _, err := b.conn.Exec(ctx, "UPDATE next SET slot = slot + $1::bigint * interval '1 ms'", b.span().Milliseconds()); err != nil {
		return err
	}
	copied, err := b.copyRows(ctx, "(SELECT * FROM next ORDER BY slot)", "site_reports")
	if err != nil {
		return err
	}
	fmt.Printf("psql COPY of as many rows into that table: %.0f rows/s\nratio of the writer to COPY: %.2f\n", copied, after/copied)
	return nil
}

func (b *backlog) count(ctx context.Context) (rows int, err error) {
	err = b.conn.QueryRow(ctx, "SELECT count(*) FROM site_reports").Scan(&rows)
	return rows, err
}

func (b *backlog) size(ctx context.Context) (size string) {
	_ = b.conn.QueryRow(ctx, `SELECT pg_size_pretty(sum(pg_total_relation_size(inhrelid)))
FROM pg_inherits WHERE inhparent = 'site_reports'::regclass`).Scan(&size)
	return size
}

// fillSlots is how many slots of every site are written at a time.
const fillSlots = 100

// fill writes the slots of the same sites before those that are there, until the
// table has as many rows as are wanted: in the order of the slots, as they would
// have come.
func (b *backlog) fill(ctx context.Context, there int) error {
	const pattern = `DROP TABLE copied;
CREATE TABLE pattern AS SELECT * FROM site_reports
 WHERE slot < (SELECT min(slot) + min(interval_ms) * interval '1 ms' FROM site_reports) ORDER BY slot`
	if _, err := b.conn.Exec(ctx, pattern); err != nil {
		return err
	}
	slots := max(b.rows-there, 0) / b.sites
	began := time.Now()
	work, filling := errgroup.WithContext(ctx)
	work.SetLimit(2)
	for to := slots; to > 0; to -= fillSlots {
		work.Go(func() error { return b.fillSlots(filling, to, max(to-fillSlots, 0)+1) })
	}
	if err := work.Wait(); err != nil {
		return fmt.Errorf("fill the table: %w", err)
	}
	// The second measure is not to pay for what the filling has left to be done.
	for _, debt := range []string{"VACUUM (ANALYZE) site_reports", "CHECKPOINT"} {
		if _, err := b.conn.Exec(ctx, debt); err != nil {
			return err
		}
	}
	if err := exec.Command("sync").Run(); err != nil {
		return fmt.Errorf("sync the disk: %w", err)
	}
	var day string
	if err := b.conn.QueryRow(ctx, "SELECT min(slot)::date || ' to ' || max(slot)::date FROM site_reports").Scan(&day); err != nil {
		return err
	}
	fmt.Printf("%d rows were filled in within %s; slots from %s\n", slots*b.sites, time.Since(began).Round(time.Second), day)
	return nil
}

// fillSlots writes slots of all sites, counted back from the first one of each.
func (b *backlog) fillSlots(ctx context.Context, from, to int) (err error) {
	conn, err := pgx.Connect(ctx, b.dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	_, err = conn.Exec(ctx, `INSERT INTO site_reports (slot, site_location_id, interval_ms, lateness_us, duration_us, resolve_us, connect_us,
 processing_us, transfer_us, body_bytes, generation, monitor_id, outcome, status_code, attempts, remote_addr)
SELECT slot - k * interval_ms * interval '1 ms', site_location_id, interval_ms, lateness_us, duration_us, resolve_us, connect_us,
 processing_us, transfer_us, body_bytes, generation, monitor_id, outcome, status_code, attempts, remote_addr
FROM generate_series($1::int, $2::int, -1) AS k CROSS JOIN pattern`, from, to)
	return err
}
