package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/internal/servers"
	"sitemon/slot"
	"sitemon/store/postgres"
)

// The history's run: how fast months of reports are rolled up by the program's own
// path, what they take on disk, and how fast lists and charts of them are, cold and
// warm. At last what rolling up costs at a steady rate. Postgres is one of its own,
// in a temporary folder, which it restarts.

const (
	day = 24 * time.Hour
	// coldRounds is how often the server is restarted to read cold, warmRounds how
	// often the same is read again.
	coldRounds = 5
	warmRounds = 30
	// steady is how much is rolled up at a steady rate.
	steady = time.Hour
)

// past is a run of the history.
type past struct {
	options
	server *servers.Postgres
	dsn    string
	db     *postgres.DB
	conn   *pgx.Conn
	at     atomic.Int64 // the store's time, in microseconds since 1970
}

func (p *past) now() time.Time  { return time.UnixMicro(p.at.Load()).UTC() }
func (p *past) set(t time.Time) { p.at.Store(t.UnixMicro()) }

// historyRun measures the history.
func historyRun(ctx context.Context, o options) (err error) {
	// The defaults of Postgres, but for checkpoints, which each large load would force.
	server, err := servers.StartPostgres(ctx, servers.PostgresOptions{Settings: map[string]string{"max_wal_size": "4GB"}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	p := &past{options: o, server: server}
	// Most of a day is over, and a bucket is not.
	end := time.Now().UTC().Truncate(day).Add(-day + 10*time.Hour + 33*time.Minute + 20*time.Second)
	if err := p.make(ctx, "history", o.sites, end.Add(-time.Duration(o.days)*day)); err != nil {
		return err
	}
	defer p.close(ctx)
	if err := p.record(ctx, end); err != nil {
		return err
	}
	if err := p.sizes(ctx, end); err != nil {
		return err
	}
	if err := p.read(ctx); err != nil {
		return err
	}
	p.close(ctx)
	return p.keepUp(ctx, end)
}

// make makes a database with a fleet that has been there from a moment on.
func (p *past) make(ctx context.Context, name string, sites int, from time.Time) error {
	p.set(from)
	if err := p.execute(ctx, p.server.DSN, "CREATE DATABASE "+name); err != nil {
		return err
	}
	p.dsn = p.server.DSN[:len(p.server.DSN)-len("postgres")] + name
	if err := p.open(ctx); err != nil {
		return err
	}
	doc := sitemon.Document{Source: "sites.yaml", Hash: "one"}
	var first []sitemon.Report
	var fleet [][]any
	for id := range sites {
		name := siteName(id)
		grid := slot.NewGrid(name, p.interval)
		doc.Sites = append(doc.Sites, sitemon.Site{
			Name: name, URL: "https://" + name + ".example.org/", Kind: sitemon.KindHTTP, Enabled: true, Interval: p.interval,
			Timeout: time.Second, FailureThreshold: 1, SuccessThreshold: 1, Definition: fmt.Appendf(nil, `{"name":%q}`, name),
		})
		first = append(first, sitemon.Report{
			Site: name, Location: "default", Slot: grid.After(from.Add(-p.interval)), Interval: p.interval,
			Outcome: sitemon.OutcomeUp, Duration: 20 * time.Millisecond, Monitor: "host-1", Generation: 1,
		})
		phase := grid.After(from).UnixMilli() % p.interval.Milliseconds()
		fleet = append(fleet, []any{name, phase, 20_000 + id*7919%180_000})
	}
	if _, _, err := p.db.SyncSites(ctx, doc); err != nil {
		return err
	}
	for part := range slices.Chunk(first, 5000) {
		if _, err := p.db.Record(ctx, part); err != nil {
			return err
		}
	}
	if err := p.execute(ctx, p.dsn, "CREATE TABLE bench_fleet (name text, phase_ms bigint, base_us integer)"); err != nil {
		return err
	}
	_, err := p.conn.CopyFrom(ctx, pgx.Identifier{"bench_fleet"}, []string{"name", "phase_ms", "base_us"}, pgx.CopyFromRows(fleet))
	if err != nil {
		return fmt.Errorf("write the fleet: %w", err)
	}
	_, err = p.conn.Exec(ctx, "ANALYZE; SET work_mem = '256MB'; SET synchronous_commit = off; SET jit = off; SELECT setseed(0.5)")
	return err
}

func (p *past) execute(ctx context.Context, dsn, statement string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// open opens the store, and a connection beside it.
func (p *past) open(ctx context.Context) (err error) {
	if p.conn, err = pgx.Connect(ctx, p.dsn); err != nil {
		return err
	}
	p.db, err = postgres.Open(ctx, p.dsn, postgres.Options{Clock: p.now, MigrateSchema: true})
	if err != nil {
		return err
	}
	return p.db.Prepare(ctx)
}

func (p *past) close(ctx context.Context) {
	if p.db != nil {
		_ = p.db.Close()
		_ = p.conn.Close(context.WithoutCancel(ctx))
		p.db, p.conn = nil, nil
	}
}

// fill writes the reports of all slots in [$1, $2), in the order of the slots. Each
// site has a latency of its own with a long tail. One hour in a thousand it is down
// for 20 minutes, and in another one nothing was reported for half an hour.
const fill = `INSERT INTO site_reports (slot, site_location_id, interval_ms, lateness_us, duration_us, resolve_us, connect_us, tls_us,
 processing_us, transfer_us, body_bytes, certificate_expires_at, generation, monitor_id, reason_id, outcome, status_code, remote_addr, error)
SELECT to_timestamp(ms / 1000.0), id, $3::bigint, 500 + (us % 1000), us, us / 50, us / 20, us / 10, us - us / 5, us / 40, 512,
 CASE WHEN NOT down THEN date_trunc('month', $1::timestamptz) + interval '2 months' END, 1, 1, CASE WHEN down THEN 1 END,
 CASE WHEN down THEN 2 WHEN us > 1000000 THEN 1 ELSE 0 END, CASE WHEN down THEN 503 ELSE 200 END, '192.0.2.7:443',
 CASE WHEN down THEN 'status 503, expected 200-399' END
FROM (
 SELECT l.id, ms, luck = 0 AND ms % 3600000 < 1200000 AS down, luck = 1 AND ms % 3600000 < 1800000 AS gone,
  (f.base_us * exp(0.5 * (random() + random() + random() + random() - 2)) * CASE WHEN random() < 0.01 THEN 1 + 20 * random() ELSE 1 END)::bigint AS us
 FROM generate_series((extract(epoch FROM $1::timestamptz) * 1000)::bigint / $3::bigint, (extract(epoch FROM $2::timestamptz) * 1000)::bigint / $3::bigint) AS k
 CROSS JOIN bench_fleet f
 JOIN site_names n USING (name) JOIN site_locations l ON l.site_id = n.id
 CROSS JOIN LATERAL (SELECT k * $3::bigint + f.phase_ms AS ms) m
 CROSS JOIN LATERAL (SELECT hashint8(l.id * 1000003::bigint + ms / 3600000) & 1023 AS luck) h
 WHERE ms >= extract(epoch FROM $1::timestamptz) * 1000 AND ms < extract(epoch FROM $2::timestamptz) * 1000
) r WHERE NOT gone ORDER BY ms ON CONFLICT DO NOTHING`

// record writes the reports up to a moment, day by day, and after each day does what
// the program does in the background.
func (p *past) record(ctx context.Context, end time.Time) error {
	var rows int64
	var rolling time.Duration
	began, days := time.Now(), 0
	for from := p.now(); from.Before(end); days++ {
		to := from.Truncate(day).Add(day)
		if end.Before(to) {
			to = end
		}
		tag, err := p.conn.Exec(ctx, fill, from, to, p.interval.Milliseconds())
		if err != nil {
			return fmt.Errorf("write reports from %s on: %w", from.Format(time.RFC3339), err)
		}
		rows += tag.RowsAffected()
		p.set(to.Add(time.Minute)) // all that has been written is a minute old
		before := time.Now()
		if err := p.db.Retain(ctx, p.now()); err != nil {
			return err
		}
		rolling += time.Since(before)
		if from = to; days%10 == 9 {
			fmt.Fprintf(os.Stderr, "rig: %s: %d reports in %s, of which %s were spent rolling up\n",
				to.Format(time.DateOnly), rows, time.Since(began).Round(time.Second), rolling.Round(time.Second))
		}
	}
	p.set(end.Add(time.Minute))
	fmt.Printf("%d sites at %s for %d days: %d reports were written in %s\n",
		p.sites, p.interval, p.days, rows, (time.Since(began) - rolling).Round(time.Second))
	took := time.Duration(p.days) * day
	fmt.Printf("rolled up and deleted by day in %s: %.0f times as fast as they come, %.0f reports/s\n",
		rolling.Round(time.Millisecond), took.Seconds()/rolling.Seconds(), float64(rows)/rolling.Seconds())
	return nil
}

// sizes says what is on disk.
func (p *past) sizes(ctx context.Context, end time.Time) error {
	// What happens by itself in months is to have happened.
	if _, err := p.conn.Exec(ctx, "VACUUM (ANALYZE)"); err != nil {
		return err
	}
	var kept, table, index int64
	err := p.conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM site_reports), sum(pg_table_size(inhrelid)), sum(pg_indexes_size(inhrelid))
FROM pg_inherits WHERE inhparent = 'site_reports'::regclass`).Scan(&kept, &table, &index)
	if err != nil {
		return err
	}
	per := func(bytes, n int64) float64 { return float64(bytes) / float64(max(n, 1)) }
	fmt.Printf("%d reports are kept: %.0f bytes each, %.0f in the table and %.0f in its index\n",
		kept, per(table+index, kept), per(table, kept), per(index, kept))
	for _, level := range []string{"5m", "1h", "1d"} {
		var rows, size int64
		var days float64
		err := p.conn.QueryRow(ctx, fmt.Sprintf(`SELECT count(*), pg_total_relation_size('availability_%[1]s'),
 (extract(epoch FROM $1::timestamptz - min(start)) / 86400)::float8 FROM availability_%[1]s`, level), end).Scan(&rows, &size, &days)
		if err != nil {
			return err
		}
		fmt.Printf("availability_%s: %d rows of %.1f days: %.0f bytes per row, %.0f per site and day\n",
			level, rows, days, per(size, rows), float64(size)/days/float64(p.sites))
	}
	return nil
}

// restart starts the server again, with nothing of its files in memory, and opens
// the store as at the start of the program.
func (p *past) restart(ctx context.Context) error {
	dir, err := p.folder(ctx)
	if err != nil {
		return err
	}
	p.close(ctx)
	if err := p.server.Stop(); err != nil {
		return err
	}
	if err := exec.CommandContext(ctx, "sync").Run(); err != nil {
		return fmt.Errorf("sync the disk: %w", err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		// GNU's documented way to drop a file from the cache.
		if out, err := exec.CommandContext(ctx, "dd", "if="+path, "iflag=nocache", "count=0", "status=none").CombinedOutput(); err != nil {
			return fmt.Errorf("drop %s from the cache: %w: %s", path, err, out)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := p.server.Start(ctx); err != nil {
		return err
	}
	return p.open(ctx)
}

// folder is where the server keeps its files.
func (p *past) folder(ctx context.Context) (dir string, err error) {
	err = p.conn.QueryRow(ctx, "SHOW data_directory").Scan(&dir)
	return dir, err
}

// keepUp measures what rolling up costs, minute by minute, at a steady rate of
// reports, of as many sites as that takes.
func (p *past) keepUp(ctx context.Context, end time.Time) error {
	from := end.Truncate(time.Hour)
	sites := int(p.rate * p.interval.Seconds())
	if err := p.make(ctx, "steady", sites, from); err != nil {
		return err
	}
	defer p.close(ctx)
	tag, err := p.conn.Exec(ctx, fill, from, from.Add(steady), p.interval.Milliseconds())
	if err != nil {
		return fmt.Errorf("write reports: %w", err)
	}
	if _, err := p.conn.Exec(ctx, "VACUUM (ANALYZE)"); err != nil {
		return err
	}
	if _, err := p.conn.Exec(ctx, "CHECKPOINT"); err != nil {
		return err
	}
	dir, err := p.folder(ctx)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		return fmt.Errorf("find the server: %w", err)
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	pid, err := strconv.Atoi(string(line))
	if err != nil {
		return fmt.Errorf("find the server: %w", err)
	}
	all, server := tree(os.Getpid()).cpu, tree(pid).cpu // the server is a child of ours
	for m := time.Minute; m <= steady; m += time.Minute {
		p.set(from.Add(m + time.Minute))
		if err := p.db.Retain(ctx, p.now()); err != nil {
			return err
		}
	}
	all, server = tree(os.Getpid()).cpu-all, tree(pid).cpu-server
	share := func(d time.Duration) float64 { return 100 * d.Seconds() / steady.Seconds() }
	fmt.Printf("an hour of %.0f reports/s (%d sites at %s, %d reports) is rolled up by the minute for %s of CPU, the server's %s among it: %.1f %% of one core\n",
		p.rate, sites, p.interval, tag.RowsAffected(), all.Round(10*time.Millisecond), server.Round(10*time.Millisecond), share(all))
	return nil
}
