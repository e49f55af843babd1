package sqlite_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"sitemon"
	"sitemon/availability"
	"sitemon/internal/recount"
	"sitemon/schema"
	"sitemon/store/sqlite"
)

// olds makes a file as the first version left it: sums of hours and days of ten
// days, the reports of the last three days, and a mark.
func olds(t *testing.T, path string, now time.Time, reports []availability.Report) {
	t.Helper()
	files, err := schema.SQLite()
	if err != nil {
		t.Fatal(err)
	}
	side := shell(t, path)
	p, err := goose.NewProvider(goose.DialectSQLite3, side, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	run := func(statement string, args ...any) {
		t.Helper()
		if _, err := side.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatalf("%v\n%s", err, statement)
		}
	}
	side.SetMaxOpenConns(1)
	run("BEGIN")
	defer run("COMMIT")
	run("INSERT INTO site_names (id, name) VALUES (1, 'a')")
	run(`INSERT INTO site_locations (id, site_id, location, slot, interval_ms, outcome, failures, successes, status, fault_reason, fault_error, blind_reason, blind_error)
VALUES (1, 1, 'default', 0, 0, '', 0, 0, '', '', '', '', '')`)
	for _, r := range reports {
		run("INSERT INTO site_reports (id, interval_ms, outcome, duration_us) VALUES (1 << 42 | ?, ?, ?, ?)",
			r.Slot.UnixMilli(), r.Interval.Milliseconds(), slices.Index(sitemon.Outcomes, r.Outcome), r.Duration.Microseconds())
	}
	for table, width := range map[string]time.Duration{"availability_1h": time.Hour, "availability_1d": 24 * time.Hour} {
		end := now.Truncate(width)
		for at := end.Add(-10 * 24 * time.Hour); at.Before(end); at = at.Add(width) {
			run("INSERT INTO "+table+" VALUES (1, ?, ?, 0, 0, 6, 6, 6000, 1000)", at.UnixMicro(), width.Milliseconds())
		}
	}
	run("INSERT INTO availability_progress VALUES (1, ?1, ?2, ?1)", now.Truncate(time.Hour).UnixMicro(), now.Truncate(24*time.Hour).UnixMicro())
	run("INSERT INTO availability_marks (site_id, start) VALUES (1, ?)", now.Add(-5*time.Hour).Truncate(time.Hour).UnixMicro())
}

// A file of the first version keeps its history. What its reports still tell becomes
// as if it had been summed up by this version.
func TestUpgradeSums(t *testing.T) {
	now := time.Date(2026, 11, 24, 10, 40, 0, 0, time.UTC)
	rnd := rand.New(rand.NewPCG(3, 5))
	var reports []availability.Report
	for at := now.Add(-72*time.Hour + 7*time.Minute); at.Before(now); at = at.Add(10 * time.Minute) {
		reports = append(reports, availability.Report{
			Location: 1, Slot: at, Interval: 10 * time.Minute, Outcome: sitemon.Outcomes[rnd.IntN(4)],
			Duration: time.Duration(rnd.IntN(1e6)) * time.Microsecond,
		})
	}
	path := filepath.Join(t.TempDir(), "sitemon.db")
	olds(t, path, now, reports)
	db := open(t, path, sqlite.Options{Clock: func() time.Time { return now }, Retention: 48 * time.Hour})
	ask := func(from, to time.Time) availability.Bucket {
		t.Helper()
		res, err := db.Availability(t.Context(), availability.Query{Site: "a", From: from, To: to, Step: 1000 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return res.Total
	}
	day := now.Truncate(24 * time.Hour)
	old := func() {
		t.Helper()
		b := ask(day.Add(-8*24*time.Hour), day.Add(-7*24*time.Hour))
		if b.Up != 24*time.Hour || b.Reports != 6 || b.Latency == nil || b.Latency.Mean != time.Millisecond || b.Latency.P95 != 0 {
			t.Errorf("a day of which only sums are left: %+v, %+v", b, b.Latency)
		}
	}
	old()
	if err := db.Rollup(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	old()
	from := day.Add(-24*time.Hour + 37*time.Minute)
	got, want := ask(from, now), recount.Of(availability.Terms{}, reports).Span(from, now)
	exact := want.Bucket()
	if got.Up != exact.Up || got.Down != exact.Down || got.Degraded != exact.Degraded || got.Reports != exact.Reports || got.Latency.Mean != exact.Latency.Mean {
		t.Errorf("of what its reports tell: got %+v, want %+v", got, exact)
	}
	if p := got.Latency.P95; (p - want.P95).Abs() > want.P95/20 {
		t.Errorf("the 95th percentile is %s, want %s", p, want.P95)
	}
	var left, fives int
	row := shell(t, path).QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM availability_marks), (SELECT count(*) FROM availability_5m)")
	if err := row.Scan(&left, &fives); err != nil || left != 0 || fives == 0 {
		t.Errorf("%d marks are left, there are %d sums of 5 minutes: %v", left, fives, err)
	}
}
