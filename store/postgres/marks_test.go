package postgres

import (
	"maps"
	"testing"
	"time"

	"sitemon"
	"sitemon/store/internal/rollup"
)

// A mark has all sums of its time made again, also one without an end.
func TestRollupOfMarks(t *testing.T) {
	c, now := &clock{}, testEpoch.Add(27*time.Minute)
	db := openSame(t, 1, c)[0]
	reports := map[string][]sitemon.Report{}
	from := testEpoch.Add(-40 * time.Hour)
	c.set(from)
	for _, name := range []string{"a", "b"} {
		for at := from; at.Before(now); at = at.Add(20 * time.Minute) {
			reports[name] = append(reports[name], sitemon.Report{
				Site: name, Location: "default", Slot: at, Interval: 15 * time.Minute, Outcome: sitemon.OutcomeUp, Duration: time.Millisecond,
			})
		}
	}
	c.set(now)
	for _, all := range reports {
		if _, err := db.Record(t.Context(), all); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Rollup(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	spoil := func(level rollup.Level, from, to time.Time) {
		t.Helper()
		_, err := db.pool.Exec(t.Context(), "UPDATE "+level.Table()+" SET down_ms = 1, durations = NULL WHERE start >= $1 AND start < $2", from, to)
		if err != nil {
			t.Fatal(err)
		}
	}
	noon := testEpoch.Add(-22 * time.Hour)
	spoil(rollup.FiveMinutes, noon, noon.Add(20*time.Minute))
	spoil(rollup.FiveMinutes, testEpoch.Add(-3*time.Hour), now)
	spoil(rollup.Hours, noon, noon.Add(time.Hour))
	spoil(rollup.Hours, testEpoch.Add(-3*time.Hour), now)
	spoil(rollup.Days, noon.Truncate(day), now)
	_, err := db.pool.Exec(t.Context(), `INSERT INTO availability_marks (site_id, "from", "to") SELECT id, $1::timestamptz, $2::timestamptz FROM site_names
UNION ALL SELECT id, $3, NULL FROM site_names`, noon.Add(3*time.Minute), noon.Add(16*time.Minute), testEpoch.Add(-3*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Rollup(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	for level, edges := range map[rollup.Level][]time.Time{
		rollup.FiveMinutes: edgesOf(from, rollup.Claimable(now), rollup.FiveMinutes.Width()),
		rollup.Hours:       edgesOf(from, testEpoch, time.Hour),
		rollup.Days:        edgesOf(from.Truncate(day), testEpoch.Truncate(day), day),
	} {
		verifySums(t, level, storedSums(t, db, level), recount(reports, nil, edges))
	}
	if left := storedMarks(t, db); left != 0 {
		t.Errorf("%d marks are left", left)
	}
}

// Work that is too much for one transaction is divided, finer sums first.
func TestRedoSteps(t *testing.T) {
	p := rollup.Progress{Begin: testEpoch.Add(-30 * day), Fives: testEpoch, Hours: testEpoch, Days: testEpoch.Truncate(day), Claimed: testEpoch}
	keep := rollup.Retention{Reports: 30 * day, FiveMinutes: 14 * day, Hours: 700 * day}
	s := slice{number: 0, sites: []int64{1, 2}, rate: 2 * 3600} // a report each second of each
	marks := rollupMarks{1: {{From: testEpoch.Add(-20 * day)}}, 2: {{From: testEpoch.Add(-20 * day)}}}
	steps := s.steps(p, rollup.NewTiers(p, keep, testEpoch), marks)
	covered := map[rollup.Level]time.Duration{}
	level := rollup.FiveMinutes
	for _, step := range steps {
		if step.Level < level || len(step.sites) != 2 {
			t.Errorf("%s of %d sites comes after %s", step.Level.Table(), len(step.sites), level.Table())
		}
		if read := step.To.Sub(step.From).Hours() * s.rate; step.Reports && read > stepReports {
			t.Errorf("a step of %s reads %.0f reports", step.Level.Table(), read)
		}
		level = step.Level
		covered[level] += step.To.Sub(step.From)
	}
	want := map[rollup.Level]time.Duration{rollup.FiveMinutes: 14 * day, rollup.Hours: 20 * day, rollup.Days: 20 * day}
	if !maps.Equal(covered, want) {
		t.Errorf("covers %v, want %v", covered, want)
	}
}

func storedMarks(t *testing.T, db *DB) (n int) {
	t.Helper()
	if err := db.pool.QueryRow(t.Context(), "SELECT count(*) FROM availability_marks").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
