package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sitemon"
	"sitemon/availability"
	"sitemon/internal/testkit"
	"sitemon/store/internal/rollup"
)

// statement is one that a store ran.
type statement struct {
	sql  string
	args []any
}

// statements remembers what the connections of a pool run.
type statements struct {
	mu  sync.Mutex
	ran []statement
}

// TraceQueryStart implements [pgx.QueryTracer].
func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(d.Args) > 0 && !strings.HasPrefix(d.SQL, "EXPLAIN") {
		s.ran = append(s.ran, statement{d.SQL, d.Args})
	}
	return ctx
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart implements [pgx.BatchTracer].
func (s *statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery implements [pgx.BatchTracer].
func (s *statements) TraceBatchQuery(ctx context.Context, c *pgx.Conn, d pgx.TraceBatchQueryData) {
	s.TraceQueryStart(ctx, c, pgx.TraceQueryStartData{SQL: d.SQL, Args: d.Args})
}

// TraceBatchEnd implements [pgx.BatchTracer].
func (s *statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// taken returns what ran since the last time.
func (s *statements) taken() []statement {
	s.mu.Lock()
	defer s.mu.Unlock()
	ran := s.ran
	s.ran = nil
	return ran
}

// openTraced opens a store whose statements are remembered.
func openTraced(t *testing.T, clock func() time.Time) (*DB, *statements) {
	t.Helper()
	db, err := Open(t.Context(), testkit.Postgres(t), Options{Clock: clock, MigrateSchema: true})
	if err != nil {
		t.Fatal(err)
	}
	traced := &statements{}
	cfg := db.pool.Config()
	cfg.ConnConfig.Tracer = traced
	db.pool.Close()
	if db.pool, err = pgxpool.NewWithConfig(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, traced
}

const (
	explainSites = 210 // more than are exact in lists
	explainDays  = 3
)

func explainName(i int) string { return fmt.Sprintf("site-%03d", i) }

// fill makes a fleet with some days of reports, each five minutes, sums of a year,
// and gaps. The first site has been silent for two of the days, and the reports of the
// third one are gone.
func fill(t *testing.T, db *DB, now time.Time) {
	t.Helper()
	doc := sitemon.Document{Source: "sites.yaml", Hash: "one"}
	var first []sitemon.Report
	begin := now.Add(-explainDays * day)
	for i := range explainSites {
		name := explainName(i)
		doc.Sites = append(doc.Sites, sitemon.Site{
			Name: name, URL: "https://example.org/", Kind: sitemon.KindHTTP, Enabled: true, Interval: 5 * time.Minute,
			Timeout: time.Second, FailureThreshold: 1, SuccessThreshold: 1, Definition: fmt.Appendf(nil, `{"name":%q}`, name),
		})
		first = append(first, sitemon.Report{
			Site: name, Location: "default", Slot: begin, Interval: 5 * time.Minute, Outcome: sitemon.OutcomeUp, Duration: time.Millisecond,
		})
	}
	if _, _, err := db.SyncSites(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Record(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		fmt.Sprintf(`INSERT INTO site_reports (slot, site_location_id, interval_ms, duration_us, outcome)
SELECT t, l.id, 300000, 1000, 0 FROM site_locations l JOIN site_names n ON n.id = l.site_id
CROSS JOIN generate_series(timestamptz '%s' + interval '5 minutes', timestamptz '%s', interval '5 minutes') t
WHERE n.name <> '%s' OR t < timestamptz '%[1]s' + interval '1 day' ORDER BY t`, begin.Format(time.RFC3339), now.Format(time.RFC3339), explainName(0)),
		"DELETE FROM site_reports r USING site_locations l JOIN site_names n ON n.id = l.site_id WHERE r.site_location_id = l.id AND n.name = '" + explainName(2) + "'",
		fmt.Sprintf(`INSERT INTO site_gaps SELECT l.id, t, t + interval '10 minutes', 2, NULL FROM site_locations l
CROSS JOIN generate_series(timestamptz '%s', timestamptz '%s', interval '4 hours') t`,
			now.Add(-35*day).Format(time.RFC3339), now.Format(time.RFC3339)),
		fmt.Sprintf(`INSERT INTO availability_1d SELECT n.id, 86400000, t, 0, 0, 288, 288, 288000, 1000 FROM site_names n
CROSS JOIN generate_series(timestamptz '%s', timestamptz '%s', interval '1 day') t`,
			now.Add(-365*day).Truncate(day).Format(time.RFC3339), now.Add(-4*day).Truncate(day).Format(time.RFC3339)),
	} {
		if _, err := db.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Rollup(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if _, err := db.pool.Exec(t.Context(), "VACUUM ANALYZE"); err != nil {
		t.Fatal(err)
	}
}

// large reports whether no query may read a table as a whole. A partition without a
// row is none of those.
func large(table string, now time.Time) bool {
	switch table {
	case "site_gaps", "availability_5m", "availability_1h", "availability_1d":
		return true
	}
	d, err := time.Parse("site_reports_20060102", table)
	return err == nil && d.Before(now) && d.After(now.Add(-(explainDays+1)*day))
}

// node is a node of a plan as EXPLAIN has it.
type node struct {
	Type  string  `json:"Node Type"`
	Table string  `json:"Relation Name"`
	Index string  `json:"Index Name"`
	Loops float64 `json:"Actual Loops"`
	Rows  float64 `json:"Actual Rows"`
	Heap  float64 `json:"Heap Fetches"`
	Left  float64 `json:"Rows Removed by Filter"`
	Plans []node  `json:"Plans"`
}

// look reports whether a plan scans a large table, and notes the partitions that
// it read.
func (n node) look(now time.Time, read map[string]bool) (scans []string) {
	if n.Type == "Seq Scan" && large(n.Table, now) {
		scans = append(scans, n.Table)
	}
	if n.Loops > 0 && strings.HasPrefix(n.Table, "site_reports_") {
		read[n.Table] = true
	}
	for _, p := range n.Plans {
		scans = append(scans, p.look(now, read)...)
	}
	return scans
}

// explain runs a statement again, without effect, and returns its plan.
func explain(t *testing.T, db *DB, s statement) node {
	t.Helper()
	tx, err := db.pool.BeginTx(t.Context(), pgx.TxOptions{BeginQuery: "BEGIN; SET LOCAL jit = off"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }() // whatever it did
	var text []byte
	if err := tx.QueryRow(t.Context(), "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) "+s.sql, s.args...).Scan(&text); err != nil {
		t.Fatalf("%v\n%s", err, s.sql)
	}
	var plans []struct{ Plan node }
	if err := json.Unmarshal(text, &plans); err != nil {
		t.Fatal(err)
	}
	return plans[0].Plan
}

// Whatever is asked finds its rows by indexes, in the partitions that can have any.
func TestPlans(t *testing.T) {
	now := time.Date(2026, 11, 24, 10, 32, 0, 0, time.UTC)
	db, traced := openTraced(t, func() time.Time { return now })
	fill(t, db, now.Add(-time.Minute))
	ctx := t.Context()
	var names []string
	for i := range explainSites {
		names = append(names, explainName(i))
	}
	windows := []time.Duration{day, 7 * day, 30 * day, 90 * day}
	_, cursor, err := db.Reports(ctx, sitemon.ReportQuery{Site: names[1], Limit: 400})
	if err != nil {
		t.Fatal(err)
	}
	traced.taken()
	newest := daysAhead + 1 // partitions until one has the newest report
	for _, c := range []struct {
		name       string
		partitions int // that are read at most
		run        func() error
	}{
		{"all sites", newest + explainDays, func() error { _, err := db.Sites(ctx, sitemon.SiteQuery{}); return err }},
		{"sites in brief", 0, func() error { _, err := db.Sites(ctx, sitemon.SiteQuery{Brief: true}); return err }},
		{"a page of sites", newest, func() error {
			_, err := db.Sites(ctx, sitemon.SiteQuery{After: names[9], Limit: 20, Text: "site", Status: sitemon.StatusUp})
			return err
		}},
		{"sites by name", newest, func() error { _, err := db.Sites(ctx, sitemon.SiteQuery{Names: names[5:9]}); return err }},
		{"removed sites", 0, func() error { _, err := db.Sites(ctx, sitemon.SiteQuery{Removed: true}); return err }},
		{"a site", newest, func() error { _, err := db.Site(ctx, names[1]); return err }},
		{"a silent site", newest + 3, func() error { _, err := db.Site(ctx, names[0]); return err }},
		{"a site without reports", newest + explainDays, func() error { _, err := db.Site(ctx, names[2]); return err }},
		{"the newest reports", newest, func() error {
			_, _, err := db.Reports(ctx, sitemon.ReportQuery{Site: names[1]})
			return err
		}},
		{"older reports", 2, func() error {
			_, _, err := db.Reports(ctx, sitemon.ReportQuery{Site: names[1], Before: cursor, Limit: 50})
			return err
		}},
		{"reports of a window", 2, func() error {
			_, _, err := db.Reports(ctx, sitemon.ReportQuery{Site: names[1], From: now.Add(-30 * time.Hour), To: now.Add(-24 * time.Hour)})
			return err
		}},
		{"reports of an outcome in a window", 2, func() error {
			_, _, err := db.Reports(ctx, sitemon.ReportQuery{
				Site: names[1], From: now.Add(-30 * time.Hour), To: now.Add(-24 * time.Hour), Outcome: sitemon.OutcomeDown,
			})
			return err
		}},
		{"all that is down", 31 + daysAhead, func() error {
			_, _, err := db.Reports(ctx, sitemon.ReportQuery{Site: names[1], Outcome: sitemon.OutcomeDown})
			return err
		}},
		{"coverage", 2, func() error { _, err := db.Coverage(ctx, now.Add(-day), now); return err }},
		{"gaps", newest, func() error { _, err := db.Gaps(ctx, names[1], now.Add(-day), now); return err }},
		{"availability of a day", 3, func() error {
			_, err := db.Availability(ctx, availability.Query{Site: names[1], From: now.Add(-day), To: now, Step: time.Hour})
			return err
		}},
		{"availability of a year", 32, func() error {
			_, err := db.Availability(ctx, availability.Query{Site: names[1], From: now.Add(-365 * day), To: now, Step: day})
			return err
		}},
		{"figures of some sites", 6, func() error { _, err := db.Availabilities(ctx, names[:50], now, windows); return err }},
		{"figures of many sites", 0, func() error { _, err := db.Availabilities(ctx, names, now, windows); return err }},
		{"rollup", 3, func() error { return db.Rollup(ctx, now) }},
		{"a late report", 3, func() error {
			late := sitemon.Report{Site: names[1], Location: "default", Slot: now.Add(-30 * time.Hour).Add(time.Second), Interval: time.Minute, Outcome: sitemon.OutcomeUp}
			_, err := db.Record(ctx, []sitemon.Report{late})
			return err
		}},
		{"rollup of a late report", 3, func() error { return db.Rollup(ctx, now) }},
		{"retention", 3, func() error { return db.Retain(ctx, now.Add(time.Hour)) }},
		{"tick", newest + explainDays, func() error { _, err := db.Tick(ctx, now); return err }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.run(); err != nil {
				t.Fatal(err)
			}
			ran := traced.taken()
			if len(ran) == 0 {
				t.Fatal("no statement was seen")
			}
			for _, s := range ran {
				read := map[string]bool{}
				plan := explain(t, db, s)
				if n := plan.filtered(); n > 0 {
					t.Errorf("reads %.0f reports that nobody wants:\n%s", n, s.sql)
				}
				if scans := plan.look(now, read); len(scans) > 0 || len(read) > c.partitions {
					text, _ := json.MarshalIndent(plan, "", " ")
					t.Errorf("reads %v as a whole, and %d partitions of at most %d:\n%s\n%s", scans, len(read), c.partitions, s.sql, text)
				}
			}
			traced.taken()
		})
	}
}

// sumScans collects the nodes of a plan that read tables of sums.
func (n node) sumScans() (scans []node) {
	if strings.HasPrefix(n.Table, "availability_") && n.Table != "availability_progress" {
		scans = append(scans, n)
	}
	for _, p := range n.Plans {
		scans = append(scans, p.sumScans()...)
	}
	return scans
}

// fillSums makes a fleet with sums as lists of 90 days read them, and nothing else.
func fillSums(t *testing.T, db *DB, sites int, now time.Time) (names []string) {
	t.Helper()
	for i := range sites {
		names = append(names, fmt.Sprintf("site-%05d", i))
	}
	if _, err := db.pool.Exec(t.Context(), "INSERT INTO site_names (name) SELECT unnest($1::text[])", names); err != nil {
		t.Fatal(err)
	}
	sum := func(level rollup.Level, from, to time.Time) {
		t.Helper()
		// Without looking up each site again.
		_, err := db.pool.Exec(t.Context(), fmt.Sprintf(`WITH s AS MATERIALIZED (SELECT set_config('session_replication_role', 'replica', true))
INSERT INTO %s (site_id, start, up_ms, degraded_ms, down_ms, reports, timed, latency_sum_us, latency_max_us)
SELECT id, t, %d, 0, 0, 1, 1, 1, 1 FROM generate_series($1::timestamptz, $2::timestamptz - interval '1 minute', '%d seconds') AS t, site_names, s ORDER BY t, id`,
			level.Table(), level.Width().Milliseconds(), int(level.Width().Seconds())), from, to)
		if err != nil {
			t.Fatal(err)
		}
	}
	hour, today := now.Truncate(time.Hour), now.Truncate(day)
	sum(rollup.Days, today.Add(-100*day), today)
	sum(rollup.Hours, today, hour)
	sum(rollup.FiveMinutes, hour, now)
	for _, days := range []time.Duration{1, 7, 30, 90} { // on which windows begin
		sum(rollup.Hours, hour.Add(-days*day), hour.Add(-days*day+14*time.Hour))
		sum(rollup.FiveMinutes, hour.Add(-days*day), hour.Add(-days*day+time.Hour))
	}
	_, err := db.pool.Exec(t.Context(), `INSERT INTO availability_progress (id, "begin", fives, hours, days, claimed) VALUES (1, $1, $2, $3, $4, $2)`,
		today.Add(-100*day), now, hour, today)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.pool.Exec(t.Context(), "VACUUM ANALYZE"); err != nil {
		t.Fatal(err)
	}
	return names
}

// Lists read their sums in the index alone: those of all sites in a row where all
// are asked for, else each site's by itself.
func TestListPlans(t *testing.T) {
	now := time.Date(2026, 11, 24, 10, 35, 0, 0, time.UTC)
	const all = 2_500
	db, traced := openTraced(t, func() time.Time { return now })
	names := fillSums(t, db, all, now)
	var few []string
	for i := range 40 {
		few = append(few, names[i*all/40])
	}
	windows := []time.Duration{day, 7 * day, 30 * day, 90 * day}
	for _, c := range []struct {
		name  string
		names []string
		rows  float64 // that each look reads at most
	}{
		{"all sites", names, all},
		{"some that lie together", names[300:500], 200},
		{"a few that do not", few, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			traced.taken()
			figures, err := db.Availabilities(t.Context(), c.names, now, windows)
			if err != nil || len(figures) != len(c.names) || *figures[c.names[1]][3].Availability != 1 || figures[c.names[1]][3].Coverage != 1 {
				t.Fatalf("%d figures, %v, %v", len(figures), figures[c.names[1]], err)
			}
			levels := map[string]bool{}
			for _, s := range traced.taken() {
				for _, scan := range explain(t, db, s).sumScans() {
					levels[scan.Table] = true
					if scan.Type != "Index Only Scan" || scan.Heap > 0 || scan.Rows > c.rows || scan.Loops > 300 {
						t.Errorf("reads %s by %s: %g rows at a time, %g times, %g of them in the table\n%s",
							scan.Table, scan.Type, scan.Rows, scan.Loops, scan.Heap, s.sql)
					}
				}
			}
			if len(levels) != 3 {
				t.Errorf("reads %v", levels)
			}
		})
	}
}
