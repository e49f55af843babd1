package postgres

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/availability"
	"sitemon/internal/testkit"
	"sitemon/store/internal/rollup"
)

// olds makes a database as the first version left it: sums of hours and days from
// ten days ago on, the reports of the last three days, sums of the hour that is not
// over, and a mark.
func olds(t *testing.T, dsn string, reports []sitemon.Report) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	known, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	run := func(statement string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement, args...); err != nil {
			t.Fatalf("%v\n%s", err, statement)
		}
	}
	run(createVersions)
	if _, err := conn.PgConn().Exec(t.Context(), known[0].sql).ReadAll(); err != nil {
		t.Fatal(err)
	}
	run("INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)", known[0].version)
	run("INSERT INTO site_names (name) VALUES ('a')")
	run(`INSERT INTO site_locations (site_id, location, slot, interval_ms, outcome, failures, successes, status, fault_reason, fault_error, blind_reason, blind_error)
VALUES (1, 'default', $1, 600000, 'up', 0, 0, 'up', '', '', '', '')`, reports[len(reports)-1].Slot)
	for at := testEpoch.Add(-3 * day).Truncate(day); at.Before(testEpoch.Add(day)); at = at.Add(day) {
		run(fmt.Sprintf("CREATE TABLE %s PARTITION OF site_reports FOR VALUES FROM ('%s') TO ('%s')",
			partitionName(at), at.Format(time.RFC3339), at.Add(day).Format(time.RFC3339)))
	}
	for _, r := range reports {
		outcome := slices.Index([]sitemon.Outcome{sitemon.OutcomeUp, sitemon.OutcomeDegraded, sitemon.OutcomeDown, sitemon.OutcomeUnknown}, r.Outcome)
		run("INSERT INTO site_reports (slot, site_location_id, interval_ms, duration_us, outcome) VALUES ($1, 1, 600000, $2, $3)",
			r.Slot, r.Duration.Microseconds(), outcome)
	}
	sums := `INSERT INTO availability_%s (site_id, start, up_ms, degraded_ms, down_ms, reports, timed, latency_sum_us, latency_max_us)
SELECT 1, t, %d, 0, 0, 6, 6, 6000, 1000 FROM generate_series($1::timestamptz, $2::timestamptz, '%s') AS t`
	run(fmt.Sprintf(sums, "1h", time.Hour.Milliseconds(), "1 hour"), testEpoch.Add(-10*day), testEpoch.Add(-time.Hour))
	run(fmt.Sprintf(sums, "1d", day.Milliseconds(), "24 hours"), testEpoch.Add(-10*day).Truncate(day), testEpoch.Add(-day).Truncate(day))
	run(fmt.Sprintf(sums, "part", 1000, "1 hour"), testEpoch, testEpoch)
	run("INSERT INTO availability_progress (id, hours, parts, days, claimed) VALUES (1, $1, $2, $3, $2)",
		testEpoch, testEpoch.Add(33*time.Minute), testEpoch.Truncate(day))
	run("INSERT INTO availability_marks (site_id, start) VALUES (1, $1), (1, $2)", testEpoch.Add(-40*time.Hour), testEpoch)
}

// A database of the first version keeps its history. What its reports still tell
// becomes as if it had been summed up by this version.
func TestUpgradeSums(t *testing.T) {
	c, now := &clock{}, testEpoch.Add(40*time.Minute)
	c.set(now)
	rnd := rand.New(rand.NewPCG(3, 5))
	var reports []sitemon.Report
	for at := testEpoch.Add(-3*day + 7*time.Minute); at.Before(now); at = at.Add(10 * time.Minute) {
		reports = append(reports, sitemon.Report{
			Site: "a", Location: "default", Slot: at, Interval: 10 * time.Minute, Outcome: sitemon.Outcomes[rnd.IntN(4)],
			Duration: time.Duration(rnd.IntN(1e6)) * time.Microsecond,
		})
	}
	dsn := testkit.Postgres(t)
	olds(t, dsn, reports)
	db, err := Open(t.Context(), dsn, Options{Clock: c.now, MigrateSchema: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	days := func(from time.Time) availability.Result {
		t.Helper()
		res, err := db.Availability(t.Context(), availability.Query{Site: "a", From: from, To: now, Step: day})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	before := days(testEpoch.Add(-10 * day).Truncate(day))
	if b := before.Buckets[2]; b.Up != day || b.Reports != 6 || b.Latency == nil || b.Latency.Mean != time.Millisecond || b.Latency.P95 != 0 {
		t.Errorf("a day of which only sums are left: %+v, %+v", b, b.Latency)
	}
	for _, at := range []time.Time{testEpoch.Add(34 * time.Minute), now} { // first, no more than had been claimed
		if err := db.Rollup(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	again := testEpoch.Add(-3*day + 26*time.Hour)
	for level, edges := range map[rollup.Level][]time.Time{
		rollup.FiveMinutes: edgesOf(again, rollup.Claimable(now), rollup.FiveMinutes.Width()),
		rollup.Hours:       edgesOf(again, testEpoch, time.Hour),
	} {
		got := storedSums(t, db, level)
		maps.DeleteFunc(got, func(r sumRow, _ bool) bool { return r.Start.Before(again) })
		verifySums(t, level, got, recount(map[string][]sitemon.Report{"a": reports}, nil, edges))
	}
	if left := storedMarks(t, db); left != 0 {
		t.Errorf("%d marks are left", left)
	}
	after := days(testEpoch.Add(-10 * day).Truncate(day))
	if b := after.Buckets[2]; b != before.Buckets[2] && (b.Up != day || *b.Latency != *before.Buckets[2].Latency) {
		t.Errorf("a day of which only sums were left is now: %+v", b)
	}
	if b := after.Buckets[len(after.Buckets)-1]; b.Latency == nil || b.Latency.P95 == 0 {
		t.Errorf("today has no percentiles: %+v", b)
	}
}
