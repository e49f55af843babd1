package postgres

import (
	"fmt"
	"os"
	"testing"
	"time"

	"sitemon/internal/testkit"
	"sitemon/store/storetest"
)

// A database with the rows of an older version keeps them through all migrations
// since.
func TestUpgradeRows(t *testing.T) {
	dsn := testkit.Postgres(t)
	conn := connect(t, dsn)
	migrateTo(t, conn, storetest.SchemaFive)
	for _, at := range []time.Time{time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)} {
		runAll(t, conn, fmt.Sprintf("CREATE TABLE %s PARTITION OF site_reports FOR VALUES FROM ('%s') TO ('%s')",
			partitionName(at), at.Format(time.RFC3339), at.Add(day).Format(time.RFC3339)))
	}
	rows, err := os.ReadFile("testdata/schema5.sql")
	if err != nil {
		t.Fatal(err)
	}
	// The triggers did their work when the rows were first written.
	runAll(t, conn, "BEGIN; DELETE FROM config_version;"+string(rows)+"DELETE FROM alert_marks; DELETE FROM site_changes; COMMIT")
	storetest.RunUpgraded(t, func(t *testing.T, opts storetest.Options) (storetest.AlertStore, storetest.Transact) {
		db, err := Open(t.Context(), dsn, Options{Clock: opts.Clock, Retention: opts.Retention, MigrateSchema: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if err := db.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		return db, db.ledgerWrite
	})
}
