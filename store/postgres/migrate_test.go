package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/internal/testkit"
)

// connect connects beside the store.
func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// runAll runs statements.
func runAll(t *testing.T, conn *pgx.Conn, statements string) {
	t.Helper()
	if _, err := conn.PgConn().Exec(t.Context(), statements).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

// migrateTo gives a new database the schema of an older version.
func migrateTo(t *testing.T, conn *pgx.Conn, version int64) {
	t.Helper()
	known, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	runAll(t, conn, createVersions)
	for _, m := range known {
		if m.version <= version {
			runAll(t, conn, m.sql+fmt.Sprintf("\n;INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, true)", m.version))
		}
	}
}

// A migration that takes long, as it goes through all reports, keeps nobody from
// tables that one before it has changed: heartbeats would be lost.
func TestMigrationsLockShortly(t *testing.T) {
	dsn := testkit.Postgres(t)
	side, heard := connect(t, dsn), connect(t, dsn)
	migrateTo(t, side, 10)
	runAll(t, side, "BEGIN; LOCK TABLE site_reports IN ROW EXCLUSIVE MODE") // the index of the twelfth waits for it
	db, err := Open(t.Context(), dsn, Options{MigrateSchema: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	migrated := make(chan error, 1)
	go func() {
		_, err := db.migrate(t.Context())
		migrated <- err
	}()
	awaitLockWait(t, heard)
	if _, err := heard.Exec(t.Context(), "SET lock_timeout = 1000"); err != nil {
		t.Fatal(err)
	}
	if _, err := heard.Exec(t.Context(), "SELECT started_at FROM heartbeat_sites"); err != nil {
		t.Errorf("while an index is made: %v", err)
	}
	runAll(t, side, "ROLLBACK")
	if err := <-migrated; err != nil {
		t.Fatal(err)
	}
	if err := requireSchema(t.Context(), db.pool); err != nil {
		t.Error(err)
	}
}

// awaitLockWait waits until a statement in the database waits for a lock.
func awaitLockWait(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for waits := false; !waits; {
		err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'relation')`).Scan(&waits)
		if err != nil {
			t.Fatalf("no migration waits for a lock: %v", err)
		}
		_ = sleep(ctx, 20*time.Millisecond)
	}
}

// Other versions hold the same locks in a roll-out.
func TestLocksKeepTheirNumbers(t *testing.T) {
	const first = 0x736974656d6f6e00
	for name, c := range map[string]struct{ got, want int64 }{
		"migrate": {lockMigrate, first}, "documents": {lockDocuments, first + 1}, "rollup": {lockRollup, first + 2},
		"partitions": {lockPartitions, first + 3}, "sums": {lockSums, first + 4}, "cut": {lockCut, first + 5},
	} {
		if c.got != c.want {
			t.Errorf("the lock %s is %#x, want %#x", name, c.got, c.want)
		}
	}
}
