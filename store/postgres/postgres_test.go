package postgres_test

import (
	"context"
	"testing"
	"time"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/store/postgres"
	"sitemon/store/storetest"
)

// open opens the store in a database for the time of a test.
func open(t testing.TB, dsn string, opts postgres.Options) *postgres.DB {
	t.Helper()
	opts.MigrateSchema = true
	db, err := postgres.Open(t.Context(), dsn, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

func optionsOf(opts storetest.Options) postgres.Options {
	return postgres.Options{
		Clock: opts.Clock, Retention: opts.Retention, FiveMinuteRetention: opts.FiveMinuteRetention, HourRetention: opts.HourRetention,
		MaxSize: opts.MaxSize,
	}
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T, opts storetest.Options) storetest.Store {
		return open(t, testkit.Postgres(t), optionsOf(opts))
	})
}

// turns are two stores in one database that take turns, so that nothing may matter
// that one of them remembers.
type turns struct {
	*postgres.DB
	other *postgres.DB
	n     int
}

func (s *turns) next() *postgres.DB {
	if s.n++; s.n%3 == 0 {
		s.DB, s.other = s.other, s.DB
	}
	return s.DB
}

func (s *turns) Record(ctx context.Context, reports []sitemon.Report) (sitemon.Recorded, error) {
	return s.next().Record(ctx, reports)
}

func (s *turns) SyncSites(ctx context.Context, doc sitemon.Document) (sitemon.Generation, sitemon.Plan, error) {
	return s.next().SyncSites(ctx, doc)
}

func (s *turns) Tick(ctx context.Context, now time.Time) ([]sitemon.StatusChange, error) {
	return s.next().Tick(ctx, now)
}

func TestConformanceTakingTurns(t *testing.T) {
	storetest.RunState(t, func(t *testing.T, opts storetest.Options) storetest.Store {
		dsn := testkit.Postgres(t)
		o := optionsOf(opts)
		return &turns{DB: open(t, dsn, o), other: open(t, dsn, o)}
	})
}
