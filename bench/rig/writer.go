package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/broker"
	"sitemon/internal/servers"
	"sitemon/slot"
)

// The writer's run: how fast a backlog in Kafka becomes rows in Postgres, with
// gaps and status kept up to date, against psql's COPY of the same rows into a
// table of the same shape; with -rows once more when the table holds that many.
// Kafka and Postgres are those of the tests.

// backlog is a run of the writer.
type backlog struct {
	options
	kafka, topic string
	server, dsn  string // of the server, and of the database of this run
	dir          string
	conn         *pgx.Conn
	end          time.Time // the newest slot of the reports written next
}

// writerRun measures the writer.
func writerRun(ctx context.Context, o options) (err error) {
	b := &backlog{
		options: o, kafka: os.Getenv("SITEMON_TEST_KAFKA"), server: os.Getenv("SITEMON_TEST_POSTGRES"),
		topic: "bench-" + strings.ToLower(rand.Text()[:8]),
	}
	if b.kafka == "" || b.server == "" {
		return errors.New("SITEMON_TEST_KAFKA and SITEMON_TEST_POSTGRES name no servers: `make bench-writer` starts both")
	}
	if o.buffers != "" {
		p, err := servers.StartPostgres(ctx, servers.PostgresOptions{Settings: map[string]string{"shared_buffers": o.buffers}})
		if err != nil {
			return err
		}
		defer p.Close()
		b.server = p.DSN
	}
	if b.dir, err = os.MkdirTemp("", "sitemon-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := os.Chmod(b.dir, 0o755); err != nil {
		return err
	}
	drop, err := b.database(ctx)
	if err != nil {
		return err
	}
	defer drop()
	if err := b.sitemon(ctx, "migrate"); err != nil {
		return err
	}
	if err := b.define(ctx); err != nil {
		return err
	}
	b.end = time.Now().Add(-time.Minute)
	if o.rows > 0 {
		b.end = b.end.Add(-b.span()) // room for the second backlog
	}
	recorded, err := b.measure(ctx)
	if err != nil {
		return err
	}
	copied, err := b.copy(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("psql COPY of the same rows: %.0f rows/s\nratio of the writer to COPY: %.2f\n", copied, recorded/copied)
	if o.rows == 0 {
		return nil
	}
	return b.again(ctx, recorded)
}

// span is the time that the slots of one backlog cover.
func (b *backlog) span() time.Duration { return time.Duration(b.slots()) * b.interval }

// slots is how many of them each site has.
func (b *backlog) slots() int { return (b.messages + b.sites - 1) / b.sites }

// measure writes a backlog and lets a writer, started anew, record it.
func (b *backlog) measure(ctx context.Context) (rate float64, err error) {
	produced, err := b.produce(ctx)
	if err != nil {
		return 0, err
	}
	fmt.Printf("%d reports of %d sites are in Kafka, written at %.0f/s\n", b.messages, b.sites, produced)
	return b.record(ctx)
}

// database makes the database of this run.
func (b *backlog) database(ctx context.Context) (drop func(), err error) {
	admin, err := pgx.Connect(ctx, b.server)
	if err != nil {
		return nil, fmt.Errorf("connect to Postgres: %w", err)
	}
	name := strings.ReplaceAll(b.topic, "-", "_")
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, err
	}
	u, err := url.Parse(b.server)
	if err != nil {
		return nil, err
	}
	u.Path = "/" + name
	b.dsn = u.String()
	if b.conn, err = pgx.Connect(ctx, b.dsn); err != nil {
		return nil, err
	}
	return func() {
		end := context.WithoutCancel(ctx)
		_ = b.conn.Close(end)
		_, _ = admin.Exec(end, "DROP DATABASE "+name+" WITH (FORCE)")
		_ = admin.Close(end)
	}, nil
}

// environment is what the program reads; the topic is that of the run, with a
// suffix.
func (b *backlog) environment(suffix string) []string {
	return []string{"KAFKA_BROKER=" + b.kafka, "KAFKA_TOPIC=" + b.topic + suffix, "POSTGRES_DSN=" + b.dsn}
}

func binary() string { return cmp.Or(os.Getenv("SITEMON"), "bin/sitemon") }

// sitemon runs a command of the program to its end.
func (b *backlog) sitemon(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, binary(), args...)
	cmd.Env = append(os.Environ(), b.environment("")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("sitemon %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// define puts the sites in, as a monitor would have an hour ago.
func (b *backlog) define(ctx context.Context) error {
	sites := filepath.Join(b.dir, "sites.yaml")
	o := b.options
	o.base = "http://127.0.0.1:1"
	if err := os.WriteFile(sites, sitemonFile(o), 0o644); err != nil {
		return err
	}
	p, err := b.start("-define", "--role", "monitor", "--sites", sites) // what it finds goes elsewhere
	if err != nil {
		return err
	}
	for n := 0; n < b.sites && err == nil; {
		if err = p.wait(ctx, 200*time.Millisecond); err == nil {
			err = b.conn.QueryRow(ctx, "SELECT count(*) FROM site_plans").Scan(&n)
		}
	}
	if err = errors.Join(err, p.end()); err != nil {
		return err
	}
	_, err = b.conn.Exec(ctx, `UPDATE site_plans SET "from" = "from" - interval '1 day'`)
	return err
}

func (b *backlog) start(suffix string, args ...string) (*running, error) {
	return b.run(suffix, append(args, "--listen", "127.0.0.1:"+writerPort, "--data-dir", filepath.Join(b.dir, args[1])))
}

// run starts the program in the background.
func (b *backlog) run(suffix string, args []string) (*running, error) {
	return start(measured{name: "sitemon", command: append(append([]string{"env", "-u", "SITEMON_TEST_KAFKA", "-u", "SITEMON_TEST_POSTGRES"}, b.environment(suffix)...), append([]string{binary()}, args...)...)}, b.log)
}

// writerPort is where the program under test listens.
const writerPort = "18479"

// produce writes a backlog: the slots of all sites up to end, oldest first.
func (b *backlog) produce(ctx context.Context) (rate float64, err error) {
	names := make([]string, b.sites)
	for id := range names {
		names[id] = siteName(id)
	}
	way, err := broker.New(broker.Options{Addresses: []string{b.kafka}})
	if err != nil {
		return 0, err
	}
	defer way.Close()
	if err := way.EnsureTopics(ctx, broker.ReportTopics(b.topic)...); err != nil {
		return 0, err
	}
	w := &kafka.Writer{
		Addr: kafka.TCP(b.kafka), Topic: b.topic, Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll,
		BatchSize: 5000, BatchBytes: 4 << 20, BatchTimeout: 5 * time.Millisecond, Compression: kafka.Snappy,
	}
	defer w.Close()
	began := time.Now()
	var batch []kafka.Message
	sent := 0
	for k := b.slots() - 1; k >= 0 && sent < b.messages; k-- {
		for _, name := range names {
			at := slot.NewGrid(name, b.interval).AtOrBefore(b.end.Add(-time.Duration(k) * b.interval))
			value, err := json.Marshal(b.report(name, at))
			if err != nil {
				return 0, err
			}
			batch = append(batch, kafka.Message{Key: []byte(name), Value: value, Time: at})
			if sent++; len(batch) == 20_000 || sent == b.messages {
				if err := w.WriteMessages(ctx, batch...); err != nil {
					return 0, fmt.Errorf("write the backlog: %w", err)
				}
				batch = batch[:0]
			}
			if sent == b.messages {
				break
			}
		}
	}
	return float64(sent) / time.Since(began).Seconds(), nil
}

func (b *backlog) report(name string, at time.Time) sitemon.Report {
	return sitemon.Report{
		Site: name, Location: "default", Slot: at, StartedAt: at.Add(3 * time.Millisecond), Interval: b.interval,
		Outcome: sitemon.OutcomeUp, StatusCode: 200, Duration: 18 * time.Millisecond,
		Phases:    sitemon.Phases{Resolve: 301 * time.Microsecond, Connect: 240 * time.Microsecond, Processing: 15 * time.Millisecond, Transfer: 345 * time.Microsecond},
		BodyBytes: 512, RemoteAddr: "192.0.2.7:443", Monitor: "bench", Generation: 1,
	}
}

// record runs the writer until it has recorded the whole backlog.
func (b *backlog) record(ctx context.Context) (rate float64, err error) {
	p, err := b.start("", "--role", "writer")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	var first, last time.Time
	var from, cpu, pgFrom, pgCPU usage
	postgres := b.postmaster(ctx)
	for n := 0; n < b.messages; {
		if err := p.wait(ctx, 250*time.Millisecond); err != nil {
			return 0, err
		}
		n = recordedReports()
		if n == 0 {
			first, from, pgFrom = time.Now(), p.usage(), tree(postgres)
		} else {
			last, cpu, pgCPU = time.Now(), p.usage(), tree(postgres)
		}
	}
	rate = float64(b.messages) / last.Sub(first).Seconds()
	rows, err := b.count(ctx)
	if err != nil {
		return 0, err
	}
	per := func(from, to usage) time.Duration {
		return ((to.cpu - from.cpu) * 1000 / time.Duration(b.messages)).Round(10 * time.Microsecond)
	}
	fmt.Printf("the writer recorded them at %.0f/s, %d rows, CPU per 1,000: its own %s, that of Postgres %s; %d MB\n",
		rate, rows, per(from, cpu), per(pgFrom, pgCPU), cpu.rss>>20)
	return rate, nil
}

// postmaster is the process of the database server, where it is on this machine.
func (b *backlog) postmaster(ctx context.Context) (pid int) {
	backend := 0
	_ = b.conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend)
	return table()[backend].parent
}

// recordedReports reads the writer's own count; 0 where it does not answer yet.
func recordedReports() (n int) {
	resp, err := http.Get("http://127.0.0.1:" + writerPort + "/metrics")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	for line := range strings.Lines(string(body)) {
		if rest, ok := strings.CutPrefix(line, `sitemon_writer_reports_total{result="recorded"} `); ok {
			var f float64
			_, _ = fmt.Sscan(rest, &f)
			return int(f)
		}
	}
	return 0
}

// copy brings the same rows into an empty table of the same shape.
func (b *backlog) copy(ctx context.Context) (rate float64, err error) {
	const prepare = `CREATE TABLE copied (LIKE site_reports INCLUDING ALL) PARTITION BY RANGE (slot);
DO $$ DECLARE d date; BEGIN
 FOR d IN SELECT generate_series((SELECT min(slot) FROM site_reports)::date, now()::date + 1, '1 day')::date LOOP
  EXECUTE format('CREATE TABLE copied_%s PARTITION OF copied FOR VALUES FROM (%L) TO (%L)', to_char(d, 'YYYYMMDD'), d, d + 1);
 END LOOP; END $$;`
	if _, err := b.conn.Exec(ctx, "SET timezone = 'UTC'; "+prepare); err != nil {
		return 0, err
	}
	return b.copyRows(ctx, "(SELECT * FROM site_reports ORDER BY slot)", "copied")
}

// copyRows brings rows from one table into another by way of a file.
func (b *backlog) copyRows(ctx context.Context, from, to string) (rate float64, err error) {
	file := filepath.Join(b.dir, "rows")
	psql := func(command string) (time.Duration, error) {
		began := time.Now()
		out, err := exec.CommandContext(ctx, "psql", "-q", "-X", "-d", b.dsn, "-c", command).CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("psql: %w\n%s", err, out)
		}
		return time.Since(began), nil
	}
	if _, err := psql(`\copy ` + from + ` TO ` + file); err != nil {
		return 0, err
	}
	took, err := psql(`\copy ` + to + ` FROM ` + file)
	if err != nil {
		return 0, err
	}
	return float64(b.messages) / took.Seconds(), nil
}
