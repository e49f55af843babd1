package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/schema"
	"sitemon/store/sqlite"
)

func shell(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestMigrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder", "100% #1?.db")
	for i, want := range []int{len(migrations(t)), 0} {
		applied, err := sqlite.Migrate(t.Context(), path, nil)
		if err != nil || applied != want {
			t.Fatalf("migration %d applied %d, %v, want %d", i, applied, err, want)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "sitemon.db")
	if _, err := sqlite.Migrate(t.Context(), path, nil); err != nil {
		t.Fatal(err)
	}
	_, err := shell(t, path).ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")
	if err != nil {
		t.Fatal(err)
	}
	all := migrations(t)
	newest, _, _ := strings.Cut(all[len(all)-1], "_")
	known := "only up to " + strings.TrimLeft(newest, "0") + ":"
	for name, opts := range map[string]sqlite.Options{"open": {}, "read only": {ReadOnly: true}} {
		_, err := sqlite.Open(t.Context(), path, opts)
		if err == nil || !strings.Contains(err.Error(), "version 99") || !strings.Contains(err.Error(), known) {
			t.Errorf("%s: a newer schema gives %v, want both versions named", name, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		opts sqlite.Options
		want string
	}{
		"not a database":          {text, sqlite.Options{}, "is not an SQLite database"},
		"a folder":                {dir, sqlite.Options{}, "open store"},
		"read only, not there":    {filepath.Join(dir, "none.db"), sqlite.Options{ReadOnly: true}, "open store"},
		"read only, not migrated": {empty, sqlite.Options{ReadOnly: true}, "run `sitemon migrate`"},
	} {
		_, err := sqlite.Open(t.Context(), c.path, c.opts)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: %v, want %q and the path", name, err, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("opening for reading made the file: %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sitemon.db")
	writer := open(t, path, sqlite.Options{})
	doc := fleet(2, time.Minute)
	if _, _, err := writer.SyncSites(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
	read := func(name string) {
		t.Helper()
		reader := open(t, path, sqlite.Options{ReadOnly: true})
		sites, err := reader.Sites(t.Context(), sitemon.SiteQuery{})
		if err != nil || len(sites) != 2 {
			t.Errorf("%s: %d sites, %v", name, len(sites), err)
		}
		if _, _, err := reader.SyncSites(t.Context(), doc); err == nil || !strings.Contains(err.Error(), "reading only") {
			t.Errorf("%s: writing gives %v", name, err)
		}
	}
	read("beside the writer")
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	read("alone")
}

// TestLocked holds the file as a person in a shell may, and finds that the store
// says so, and goes on when it is free.
func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sitemon.db")
	db := open(t, path, sqlite.Options{})
	conn, err := shell(t, path).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := db.SyncSites(ctx, fleet(1, time.Minute)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a locked file: %v, want the deadline", err)
	}
	if _, err := db.Sites(t.Context(), sitemon.SiteQuery{}); err != nil {
		t.Fatalf("reading a locked file: %v", err)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if g, _, err := db.SyncSites(t.Context(), fleet(1, time.Minute)); err != nil || g.Number != 1 {
		t.Fatalf("after the lock: generation %d, %v", g.Number, err)
	}
}

// TestLockedQueue holds the file too: a write that waits behind another one ends
// with its own context.
func TestLockedQueue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sitemon.db")
	db := open(t, path, sqlite.Options{})
	conn, err := shell(t, path).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	first, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- db.Heartbeat(first, sitemon.Monitor{ID: "host-1"}) }()
	for range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		err := db.Heartbeat(ctx, sitemon.Monitor{ID: "host-2"})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("behind a write that waits: %v, want the deadline", err)
		}
	}
	select {
	case err := <-done:
		t.Fatalf("the first write had to end (%v) before those behind it did", err)
	default:
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the first write: %v, want that its context ended", err)
	}
}

// TestCancelledWrite ends the context of a write at any moment of it.
func TestCancelledWrite(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "sitemon.db"), sqlite.Options{})
	for i := range 500 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Microsecond)
		first := db.Heartbeat(ctx, sitemon.Monitor{ID: "host-1"})
		cancel()
		if err := db.Heartbeat(t.Context(), sitemon.Monitor{ID: "host-1"}); err != nil {
			t.Fatalf("after a write that ended with %v: %v", first, err)
		}
	}
}

// TestSilenceAfterStart: a site that fell silent while the store was closed is
// found, although another one goes on.
func TestSilenceAfterStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sitemon.db")
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	opts := sqlite.Options{Clock: func() time.Time { return now }}
	db := open(t, path, opts)
	if _, _, err := db.SyncSites(t.Context(), fleet(2, time.Minute)); err != nil {
		t.Fatal(err)
	}
	record := func(site string) {
		t.Helper()
		r := sitemon.Report{Site: site, Location: "default", Slot: now, Interval: time.Minute, Outcome: sitemon.OutcomeUp}
		if _, err := db.Record(t.Context(), []sitemon.Report{r}); err != nil {
			t.Fatal(err)
		}
	}
	record("site-00000")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	db = open(t, path, opts)
	record("site-00001")
	changes, err := db.Tick(t.Context(), now)
	if err != nil || len(changes) != 1 || changes[0].Site != "site-00000" || changes[0].Status != sitemon.StatusUnknown {
		t.Errorf("changes %+v, %v, want that site-00000 is unknown", changes, err)
	}
}

func TestRecordBeyondKey(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "sitemon.db"), sqlite.Options{})
	for year, want := range map[int]error{2108: nil, 2110: sitemon.ErrInvalid} {
		r := sitemon.Report{
			Site: "a", Location: "default", Slot: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC),
			Interval: time.Minute, Outcome: sitemon.OutcomeUp,
		}
		if _, err := db.Record(t.Context(), []sitemon.Report{r}); !errors.Is(err, want) {
			t.Errorf("a slot in %d: %v, want %v", year, err, want)
		}
	}
}

// TestViews asks as a person with a shell does.
func TestViews(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sitemon.db")
	at := time.Date(2026, 11, 24, 10, 0, 7, 250_000_000, time.UTC)
	now := at.Add(-time.Minute)
	db := open(t, path, sqlite.Options{Clock: func() time.Time { return now }})
	if _, _, err := db.SyncSites(t.Context(), fleet(1, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	now = at.Add(time.Minute)
	r := sitemon.Report{
		Site: "site-00000", Location: "default", Slot: at, StartedAt: at.Add(time.Millisecond), Interval: 10 * time.Second,
		Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonStatus, Error: "status 503", StatusCode: 503, RemoteAddr: "192.0.2.7:443", Monitor: "host-1",
	}
	later := r
	later.Slot, later.Gap, later.RemoteAddr = at.Add(30*time.Second), sitemon.GapMonitorStopped, "[2001:db8::1]:443"
	if _, err := db.Record(t.Context(), []sitemon.Report{r, later}); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string][]string{
		`SELECT site, location, datetime(slot / 1000000, 'unixepoch'), started_at - slot, interval_ms, outcome, reason, error, status_code,
		 remote_addr, monitor, coalesce(gap, '') FROM reports ORDER BY slot`: {
			"site-00000|default|2026-11-24 10:00:07|1000|10000|down|status|status 503|503|192.0.2.7:443|host-1|",
			"site-00000|default|2026-11-24 10:00:37|-29999000|10000|down|status|status 503|503|[2001:db8::1]:443|host-1|monitor_stopped",
		},
		"SELECT site, location, slots, reason FROM gaps":        {"site-00000|default|3|monitor_stopped"},
		"SELECT site, status, since, reason, error FROM status": {"site-00000|down|1795514407250000|status|status 503"},
	} {
		got := lines(t, shell(t, path), query)
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", query, got, want)
		}
	}
}

// lines returns the rows of a query as sqlite3 prints them.
func lines(t *testing.T, db *sql.DB, query string) (lines []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]string, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Join(values, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// migrations lists their files, oldest first.
func migrations(t *testing.T) []string {
	t.Helper()
	files, err := schema.SQLite()
	if err != nil {
		t.Fatal(err)
	}
	list, err := fs.Glob(files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	return list
}
