package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/store/postgres"
)

// said collects what is logged.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) logger() *slog.Logger { return slog.New(slog.NewTextHandler(s, nil)) }

func (s *said) count(part string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.text.String(), part)
}

// await waits until something has been said.
func (s *said) await(t *testing.T, part string) {
	t.Helper()
	for s.count(part) == 0 {
		if t.Context().Err() != nil {
			t.Fatalf("nobody said %q", part)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// preparing prepares a store in the background.
func preparing(t *testing.T, dsn string, opts postgres.Options) (*postgres.DB, *said, chan error) {
	t.Helper()
	log := &said{}
	opts.Logger = log.logger()
	db, err := postgres.Open(t.Context(), dsn, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- db.Prepare(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, log, done
}

var oneReport = []sitemon.Report{{
	Site: "a", Location: "default", Slot: time.Now().UTC().Truncate(time.Second), Interval: time.Minute, Outcome: sitemon.OutcomeUp,
}}

func TestPrepareWaitsForTheServer(t *testing.T) {
	t.Parallel()
	server := testkit.StartPostgres(t, testkit.PostgresOptions{})
	server.Stop()
	dsn := strings.Replace(server.DSN, "@", ":secret-password@", 1)
	db, log, done := preparing(t, dsn, postgres.Options{MigrateSchema: true})
	log.await(t, "waiting for the store")
	ctx := t.Context()
	if _, err := db.Record(ctx, oneReport); !errors.Is(err, postgres.ErrNotPrepared) || errors.Is(err, sitemon.ErrInvalid) {
		t.Errorf("record before the store is prepared: %v, want ErrNotPrepared", err)
	}
	if _, err := db.Sites(ctx, sitemon.SiteQuery{}); !errors.Is(err, postgres.ErrNotPrepared) {
		t.Errorf("read before the store is prepared: %v, want ErrNotPrepared", err)
	}
	server.Start()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	<-db.Prepared()
	log.await(t, "the store is there")
	if n := log.count(`reason="no connection"`); n != 1 {
		t.Errorf("said %d times that there is no connection", n)
	}
	if log.count("secret-password") > 0 {
		t.Error("the password was logged")
	}
	if _, err := db.Record(ctx, oneReport); err != nil {
		t.Error(err)
	}
}

func TestPrepareSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	server := testkit.Postgres(t)
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	strange := *u
	strange.Path = "/" + testkit.Unique("nobody-made-it")
	nobody := *u
	nobody.User = url.UserPassword("nobody-"+testkit.Unique("x"), "secret-password")
	for _, c := range []struct {
		name, dsn string
		migrate   bool
		want      []string
	}{
		{"no such database", strange.String(), true, []string{"no such database", "createdb"}},
		{"no such user", nobody.String(), true, []string{"sign-in refused", "pg_hba.conf"}},
		{"somebody else migrates", server, false, []string{"the schema is not there yet"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, log, _ := preparing(t, c.dsn, postgres.Options{MigrateSchema: c.migrate})
			for _, part := range c.want {
				log.await(t, part)
			}
			if log.count("secret-password") > 0 {
				t.Error("the password was logged")
			}
		})
	}
}

func TestOpenHidesThePassword(t *testing.T) {
	for _, dsn := range []string{
		"postgres://user:secret-password@host:port/db", "postgres://user:secret-password@host/db?sslmode=perhaps", "secret-password",
		"host=h password=secret-password port=x",
	} {
		_, err := postgres.Open(t.Context(), dsn, postgres.Options{})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", dsn, err)
		}
	}
}

func TestSchemaFollowsAndNeverGoesBack(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	follower, _, done := preparing(t, dsn, postgres.Options{})
	applied := make(chan int, 4)
	for range cap(applied) { // all at once
		go func() {
			n, err := postgres.Migrate(t.Context(), dsn, postgres.Options{})
			if err != nil {
				t.Error(err)
			}
			applied <- n
		}()
	}
	sum := 0
	for range cap(applied) {
		sum += <-applied
	}
	if sum == 0 {
		t.Error("nobody applied a migration")
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-follower.Prepared()
	var version int
	side := connect(t, dsn)
	if err := side.QueryRow(t.Context(), "SELECT max(version_id) FROM goose_db_version").Scan(&version); err != nil || version != sum {
		t.Errorf("version %d after %d migrations: %v", version, sum, err)
	}
	execute(t, side, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)")
	for _, migrate := range []bool{true, false} {
		_, _, done := preparing(t, dsn, postgres.Options{MigrateSchema: migrate})
		if err := <-done; err == nil || !strings.Contains(err.Error(), "version 999") || !strings.Contains(err.Error(), "use the newer SiteMon") {
			t.Errorf("a newer schema, migrate %t: %v", migrate, err)
		}
	}
	if _, err := postgres.Migrate(t.Context(), dsn, postgres.Options{}); err == nil || !strings.Contains(err.Error(), "version 999") {
		t.Errorf("migrate a newer schema: %v", err)
	}
}

// keepRecording records traffic to the end, batch after batch, each again until it
// is recorded, and returns how many were new. disturb is called now and then.
func keepRecording(t *testing.T, db *postgres.DB, f traffic, disturb func(batch int)) (recorded, failures int) {
	t.Helper()
	const size = 50
	for n := 0; n*size < len(f.reports); n++ {
		batch := f.reports[n*size : min(len(f.reports), (n+1)*size)]
		disturb(n)
		for {
			rec, err := db.Record(t.Context(), batch)
			if err == nil {
				recorded += len(rec.New) + rec.Duplicates
				break
			}
			failures++
			if errors.Is(err, sitemon.ErrInvalid) || t.Context().Err() != nil {
				t.Fatalf("batch %d: %v", n, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return recorded, failures
}

// stored opens the store of some traffic.
func stored(t *testing.T, dsn string, f traffic) *postgres.DB {
	t.Helper()
	now := f.begin
	db := open(t, dsn, postgres.Options{Clock: func() time.Time { return now }})
	if _, _, err := db.SyncSites(t.Context(), f.doc); err != nil {
		t.Fatal(err)
	}
	now = f.end
	return db
}

var outageBegins = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

func TestServerIsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	server := testkit.StartPostgres(t, testkit.PostgresOptions{})
	f := newTraffic(2, 10, 100, outageBegins)
	db := stored(t, server.DSN, f)
	var kills sync.WaitGroup
	recorded, failures := keepRecording(t, db, f, func(batch int) {
		if batch == 5 || batch == 15 {
			kills.Wait()
			kills.Go(func() {
				server.Kill()
				server.Start()
			})
		}
	})
	kills.Wait()
	if recorded != len(f.reports) || failures == 0 {
		t.Errorf("recorded %d of %d reports, after %d failures", recorded, len(f.reports), failures)
	}
	if _, err := db.Tick(t.Context(), f.end); err != nil {
		t.Error(err)
	}
	f.verify(t, db)
}

// TestServerBecomesReadOnly is what a fail-over looks like from here: the server
// that was the primary takes no writes any more.
func TestServerBecomesReadOnly(t *testing.T) {
	t.Parallel()
	server := testkit.StartPostgres(t, testkit.PostgresOptions{})
	f := newTraffic(3, 5, 50, outageBegins)
	db := stored(t, server.DSN, f)
	side := connect(t, server.DSN)
	readOnly := func(on string) {
		execute(t, side, "SET default_transaction_read_only = off")
		execute(t, side, "ALTER SYSTEM SET default_transaction_read_only = "+on)
		execute(t, side, "SELECT pg_reload_conf()")
	}
	recorded, failures := keepRecording(t, db, f, func(batch int) {
		if batch != 3 {
			return
		}
		readOnly("on")
		for {
			_, err := db.Record(t.Context(), f.reports[:1])
			if err != nil {
				if !strings.Contains(err.Error(), "read-only") && !strings.Contains(err.Error(), "read only") || errors.Is(err, sitemon.ErrInvalid) {
					t.Errorf("record at a replica: %v", err)
				}
				break
			}
		}
		_, log, done := preparing(t, server.DSN, postgres.Options{})
		log.await(t, "the server is read only")
		readOnly("off")
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if recorded != len(f.reports) {
		t.Errorf("recorded %d of %d reports, after %d failures", recorded, len(f.reports), failures)
	}
	f.verify(t, db)
}

// TestNetworkIsCut: nothing is heard of the server, and nobody says why.
func TestNetworkIsCut(t *testing.T) {
	t.Parallel()
	server := testkit.StartPostgres(t, testkit.PostgresOptions{Proxied: true})
	f := newTraffic(4, 10, 60, outageBegins)
	db := stored(t, server.DSN, f)
	recorded, failures := keepRecording(t, db, f, func(batch int) {
		switch batch {
		case 4:
			server.Proxy.Cut()
			if _, err := db.Record(t.Context(), f.reports[4*50:5*50]); err == nil || errors.Is(err, sitemon.ErrInvalid) {
				t.Errorf("record without a network: %v", err)
			}
			server.Proxy.Restore()
		case 8:
			server.Proxy.Refuse()
			if _, err := db.Record(t.Context(), f.reports[8*50:9*50]); err == nil || errors.Is(err, sitemon.ErrInvalid) {
				t.Errorf("record while connections are refused: %v", err)
			}
			server.Proxy.Restore()
		}
	})
	if recorded != len(f.reports) {
		t.Errorf("recorded %d of %d reports, after %d failures", recorded, len(f.reports), failures)
	}
	if _, err := db.Tick(t.Context(), f.end); err != nil {
		t.Error(err)
	}
	f.verify(t, db)
}
