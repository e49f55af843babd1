package postgres

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/availability"
	"sitemon/internal/testkit"
	"sitemon/slot"
	"sitemon/store/internal/rollup"
)

var testEpoch = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// clock is a time that tests set.
type clock struct{ us atomic.Int64 }

func (c *clock) now() time.Time  { return time.UnixMicro(c.us.Load()).UTC() }
func (c *clock) set(t time.Time) { c.us.Store(t.UnixMicro()) }

// openSame opens stores that share a database.
func openSame(t *testing.T, n int, c *clock) []*DB {
	t.Helper()
	dsn := testkit.Postgres(t)
	var dbs []*DB
	for range n {
		db, err := Open(t.Context(), dsn, Options{Clock: c.now, MigrateSchema: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if err := db.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		dbs = append(dbs, db)
	}
	return dbs
}

// sumRow is a row of a table of sums.
type sumRow struct {
	Site  string
	Start time.Time
	Sum   availability.Sum
}

// storedSums reads a table of sums, without what is unknown.
func storedSums(t *testing.T, db *DB, level rollup.Level) map[sumRow]bool {
	t.Helper()
	rows := map[sumRow]bool{}
	names := map[int64]string{}
	err := eachRow(t.Context(), db.pool, "SELECT id, name FROM site_names", nil, func(row pgx.Rows) error {
		var id int64
		var name string
		err := row.Scan(&id, &name)
		names[id] = name
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := slices.Collect(maps.Keys(names))
	from, to := []time.Time{testEpoch.Add(-3 * day).Truncate(day)}, []time.Time{testEpoch.Add(3 * day).Truncate(day)}
	err = eachSum(t.Context(), db.pool, level, ids, from, to, func(r *rollup.Row) { rows[sumRow{names[r.Site], r.Start, r.Sum}] = true })
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// recount makes the sums of spans between edges that a table must have.
func recount(reports map[string][]sitemon.Report, terms map[string]availability.Terms, edges []time.Time) map[sumRow]bool {
	rows := map[sumRow]bool{}
	for name, all := range reports {
		var rs []availability.Report
		for _, r := range all {
			rs = append(rs, availability.Report{
				Location: int64(r.Location[0]), Slot: r.Slot, Interval: r.Interval, Outcome: r.Outcome, Duration: r.Duration, Phases: r.Phases,
			})
		}
		for _, s := range availability.Spans(edges, availability.Options{Terms: terms[name], Histogram: true}, rs) {
			if s.Sum.Unknown = 0; s.Sum != (availability.Sum{}) {
				rows[sumRow{name, s.From, s.Sum}] = true
			}
		}
	}
	return rows
}

// verifySums compares the sums of a level.
func verifySums(t *testing.T, level rollup.Level, got, want map[sumRow]bool) {
	t.Helper()
	wrong := 0
	for r := range got {
		if !want[r] {
			if wrong++; wrong < 5 {
				t.Errorf("%s has %+v", level.Table(), r)
			}
		}
	}
	if wrong > 0 || len(got) != len(want) {
		t.Errorf("%s: %d rows, of which %d are wrong, want %d", level.Table(), len(got), wrong, len(want))
	}
}

func edgesOf(from, to time.Time, step time.Duration) (edges []time.Time) {
	for at := from; !at.After(to); at = at.Add(step) {
		edges = append(edges, at)
	}
	return edges
}

// mixed are reports of a fleet, some of two locations, some under a quorum, and when
// they arrive.
type mixed struct {
	from, to time.Time
	reports  map[string][]sitemon.Report
	terms    map[string]availability.Terms
	arriving [40][]sitemon.Report // by the hour
}

func newMixed(t *testing.T, db *DB, rnd *rand.Rand, from, to time.Time) *mixed {
	t.Helper()
	const interval = 10 * time.Minute
	m := &mixed{from: from, to: to, reports: map[string][]sitemon.Report{}, terms: map[string]availability.Terms{}}
	for i := range 150 { // more than a slice
		name := explainName(i)
		locations := []string{"default", "east"}[:1+i%3/2]
		if i%6 == 5 {
			m.terms[name] = availability.Terms{Votes: []availability.Votes{{From: from.Add(-time.Hour), Quorum: 2}}}
		}
		_, err := db.pool.Exec(t.Context(), `WITH n AS (INSERT INTO site_names (name) VALUES ($1) RETURNING id)
INSERT INTO site_plans (site_id, "from", interval_ms, enabled, generation, quorum) SELECT id, $2, $3, true, 1, $4 FROM n`,
			name, from.Add(-time.Hour), interval.Milliseconds(), 1+max(0, i%6-4))
		if err != nil {
			t.Fatal(err)
		}
		grid := slot.NewGrid(name, interval)
		for at := grid.After(from); at.Before(to); at = grid.After(at) {
			for _, location := range locations {
				r := sitemon.Report{
					Site: name, Location: location, Slot: at, Interval: interval * time.Duration(1+rnd.IntN(3)), Outcome: sitemon.Outcomes[rnd.IntN(4)],
					Duration: time.Duration(rnd.IntN(1e6)) * time.Microsecond, Phases: sitemon.Phases{TLS: time.Duration(rnd.IntN(1e3)) * time.Microsecond},
				}
				m.reports[name] = append(m.reports[name], r)
				hour := int(at.Sub(from)/time.Hour) + rnd.IntN(4)*rnd.IntN(3)
				m.arriving[hour] = append(m.arriving[hour], r)
			}
		}
	}
	return m
}

// maintain records a maintenance late, as it is to be recorded.
func (m *mixed) maintain(t *testing.T, db *DB, rnd *rand.Rand, now time.Time) {
	t.Helper()
	name := explainName(rnd.IntN(150))
	w := availability.Window{From: later(m.from, now.Add(-time.Duration(rnd.IntN(5*3600_000))*time.Millisecond))}
	w.To = w.From.Add(time.Duration(1+rnd.IntN(3*3600_000)) * time.Millisecond)
	_, err := db.pool.Exec(t.Context(), `WITH n AS (SELECT id FROM site_names WHERE name = $1),
m AS (INSERT INTO site_maintenance (site_id, "from", "to", title) SELECT id, $2, $3, 'x' FROM n)
INSERT INTO availability_marks (site_id, "from", "to") SELECT id, $2, $3 FROM n`, name, w.From, w.To)
	if err != nil {
		t.Error(err)
	}
	terms := m.terms[name]
	terms.Maintenance = availability.Merged(append(slices.Clone(terms.Maintenance), w))
	m.terms[name] = terms
}

// Stores that record late reports, late maintenance and roll up at the same time, all
// of them as if they were alone, end with the sums of all reports.
func TestRollupsTogether(t *testing.T) {
	c, rnd := &clock{}, rand.New(rand.NewPCG(2, 1))
	from, to := testEpoch.Add(-30*time.Hour), testEpoch.Add(25*time.Minute)
	c.set(from)
	dbs := openSame(t, 3, c)
	m := newMixed(t, dbs[0], rnd, from, to)
	var writers, rollers sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, db := range dbs {
		rollers.Go(func() {
			for ctx.Err() == nil {
				if _, err := db.rollUp(ctx, c.now(), func() error { return nil }); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	for i, batch := range m.arriving {
		c.set(earlier(from.Add(time.Duration(i+1)*time.Hour), to))
		for w, db := range dbs {
			part := batch[len(batch)*w/len(dbs) : len(batch)*(w+1)/len(dbs)]
			writers.Go(func() {
				if _, err := db.Record(ctx, part); err != nil {
					t.Error(err)
				}
			})
		}
		m.maintain(t, dbs[i%len(dbs)], rnd, c.now())
		writers.Wait()
	}
	cancel()
	rollers.Wait()
	if err := dbs[0].Rollup(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	for level, edges := range map[rollup.Level][]time.Time{
		rollup.FiveMinutes: edgesOf(from, rollup.Claimable(to), rollup.FiveMinutes.Width()),
		rollup.Hours:       edgesOf(from, testEpoch, time.Hour),
		rollup.Days:        edgesOf(from.Truncate(day), testEpoch.Truncate(day), day),
	} {
		verifySums(t, level, storedSums(t, dbs[0], level), recount(m.reports, m.terms, edges))
	}
	if left := storedMarks(t, dbs[0]); left != 0 {
		t.Errorf("%d marks are left", left)
	}
}

// What one process has read before a late report came, it does not write over what
// another one has made of that report.
func TestRollupsWaitForEachOther(t *testing.T) {
	c := &clock{}
	c.set(testEpoch)
	dbs := openSame(t, 2, c)
	r := sitemon.Report{Site: "a", Location: "default", Slot: testEpoch.Add(-50 * time.Minute), Interval: 10 * time.Minute, Outcome: sitemon.OutcomeUp}
	late := r
	late.Slot, late.Outcome = r.Slot.Add(5*time.Minute), sitemon.OutcomeDown
	if _, err := dbs[0].Record(t.Context(), []sitemon.Report{r}); err != nil {
		t.Fatal(err)
	}
	if err := dbs[0].Rollup(t.Context(), testEpoch); err != nil {
		t.Fatal(err)
	}
	from, other := r.Slot.Truncate(time.Hour), make(chan error, 1)
	again := func(ctx context.Context, tx pgx.Tx, s slice, from, to time.Time) error {
		rows, err := rollup.SumReports(ctx, past{tx}, rollup.FiveMinutes, s.sites, from, to)
		if err != nil {
			return err
		}
		go func() {
			_, err := dbs[1].Record(t.Context(), []sitemon.Report{late})
			other <- errors.Join(err, dbs[1].Rollup(t.Context(), testEpoch))
		}()
		for waiting := false; !waiting && len(other) == 0; {
			err := dbs[0].pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted)`).Scan(&waiting)
			if err != nil {
				return err
			}
		}
		return saveSums(ctx, tx, rollup.FiveMinutes, rows)
	}
	err := sums{dbs[0], func() error { return nil }}.inSlices(t.Context(), from, from.Add(time.Hour), func(slice) time.Duration { return time.Hour }, again)
	if err := errors.Join(err, <-other); err != nil {
		t.Fatal(err)
	}
	want := recount(map[string][]sitemon.Report{"a": {r, late}}, nil, edgesOf(from, testEpoch, 5*time.Minute))
	verifySums(t, rollup.FiveMinutes, storedSums(t, dbs[0], rollup.FiveMinutes), want)
}

// While one process rolls up, the others leave it to it. One that is cut off does
// not keep them from it.
func TestOneRollsUp(t *testing.T) {
	c := &clock{}
	c.set(testEpoch)
	dbs := openSame(t, 2, c)
	inside, leave := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- dbs[0].alone(t.Context(), func(context.Context, func() error) error {
			close(inside)
			<-leave
			return nil
		})
	}()
	<-inside
	if err := dbs[1].Retain(t.Context(), testEpoch); err != nil {
		t.Fatal(err)
	}
	if p, err := readProgress(t.Context(), dbs[1].pool); err != nil || p != (rollup.Progress{}) {
		t.Fatalf("rolled up beside another one: %+v, %v", p, err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var lost error
	err := dbs[0].alone(t.Context(), func(ctx context.Context, still func() error) error {
		if _, err := dbs[1].pool.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
			return err
		}
		lost = still()
		return nil
	})
	if lost == nil || err == nil {
		t.Errorf("a process that lost its turn goes on: %v, %v", lost, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		if err := dbs[1].Rollup(ctx, testEpoch); err != nil {
			t.Fatalf("not rolled up after another one was cut off: %v", err)
		}
		p, err := readProgress(ctx, dbs[1].pool)
		if err != nil {
			t.Fatal(err)
		}
		if !p.Claimed.IsZero() {
			return
		}
		_ = sleep(ctx, 20*time.Millisecond) // the server ends what was cut off when it gets to it
	}
}
