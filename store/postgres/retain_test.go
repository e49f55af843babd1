package postgres

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
)

// tables lists the tables of reports, partitions or not.
func tables(t *testing.T, db *DB) []string {
	t.Helper()
	rows, err := db.pool.Query(t.Context(), "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^site_reports_' ORDER BY relname")
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// wantTables are those of the retention and the days ahead.
func wantTables(now time.Time) (names []string) {
	for d := now.Add(-DefaultRetention).Truncate(day); !d.After(now.Add(daysAhead * day)); d = d.Add(day) {
		names = append(names, partitionName(d))
	}
	return names
}

// Partitions come and go with the days, also where a process ended in the middle.
func TestRetainPartitions(t *testing.T) {
	c := &clock{}
	c.set(testEpoch)
	db := openSame(t, 1, c)[0]
	r := sitemon.Report{Site: "a", Location: "default", Interval: time.Minute, Outcome: sitemon.OutcomeUp}
	record := func(at time.Time) {
		t.Helper()
		r.Slot = at
		if _, err := db.Record(t.Context(), []sitemon.Report{r}); err != nil {
			t.Fatal(err)
		}
	}
	retain := func(at time.Time) {
		t.Helper()
		c.set(at)
		if err := db.Retain(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		if got, want := tables(t, db), wantTables(at); !slices.Equal(got, want) {
			t.Fatalf("at %s: got %v, want %v", at, got, want)
		}
	}
	record(testEpoch.Add(-29 * day))
	record(testEpoch.Add(-28 * day))
	retain(testEpoch)
	retain(testEpoch.Add(30 * time.Hour))
	// A process that ended after a partition was detached, and one that did so before.
	left := pgx.Identifier{partitionName(testEpoch.Add(-28 * day))}.Sanitize()
	if _, err := db.pool.Exec(t.Context(), "ALTER TABLE site_reports DETACH PARTITION "+left+" CONCURRENTLY"); err != nil {
		t.Fatal(err)
	}
	detachHalf(t, db, pgx.Identifier{partitionName(testEpoch.Add(-27 * day))}.Sanitize())
	retain(testEpoch.Add(4 * day))
	reports, _, err := db.Reports(t.Context(), sitemon.ReportQuery{Site: "a"})
	if err != nil || len(reports) != 0 {
		t.Errorf("%d reports are left, %v", len(reports), err)
	}
}

// detachHalf begins to detach a partition, and gives up while somebody uses the
// table.
func detachHalf(t *testing.T, db *DB, name string) {
	t.Helper()
	tx, err := db.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := tx.Exec(t.Context(), "SELECT FROM site_reports"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := db.pool.Exec(ctx, "ALTER TABLE site_reports DETACH PARTITION "+name+" CONCURRENTLY"); err == nil {
		t.Fatal("detached a partition that was in use")
	}
	awaitEnd(t, db, "%DETACH PARTITION%")
}

// awaitEnd waits until the server runs no statement like a pattern any more.
func awaitEnd(t *testing.T, db *DB, pattern string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		var runs bool
		err := db.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND query LIKE $1 AND pid <> pg_backend_pid())`, pattern).Scan(&runs)
		switch {
		case err != nil:
			t.Fatalf("the server still runs %s: %v", pattern, err)
		case !runs:
			return
		}
		_ = sleep(ctx, 20*time.Millisecond)
	}
}

// Reports that are older than the retention are not shown, also where their
// partition is still there.
func TestReportsWithinRetention(t *testing.T) {
	c := &clock{}
	c.set(testEpoch)
	db := openSame(t, 1, c)[0]
	for _, at := range []time.Time{testEpoch.Add(-2 * time.Hour), testEpoch} {
		_, err := db.Record(t.Context(), []sitemon.Report{{Site: "a", Location: "default", Slot: at, Interval: time.Minute, Outcome: sitemon.OutcomeUp}})
		if err != nil {
			t.Fatal(err)
		}
	}
	c.set(testEpoch.Add(DefaultRetention))
	reports, _, err := db.Reports(t.Context(), sitemon.ReportQuery{Site: "a"})
	if err != nil || len(reports) != 1 || !reports[0].Slot.Equal(testEpoch) {
		t.Errorf("got %+v, %v; want the newer one", reports, err)
	}
}

// A read whose caller has gone ends in the server as well.
func TestReadsEnd(t *testing.T) {
	c := &clock{}
	c.set(testEpoch)
	db := openSame(t, 1, c)[0]
	ctx, cancel := context.WithCancel(t.Context())
	err := db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err := tx.Exec(ctx, "SELECT pg_sleep(60)")
		return err
	})
	if err == nil {
		t.Fatal("a read went on without its caller")
	}
	awaitEnd(t, db, "%pg_sleep(60)%")
}
