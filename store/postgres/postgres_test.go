package postgres_test

import (
	"testing"

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

func TestOpen(t *testing.T) {
	open(t, testkit.Postgres(t), postgres.Options{})
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T, opts storetest.Options) storetest.Store {
		return open(t, testkit.Postgres(t), postgres.Options{Clock: opts.Clock, Retention: opts.Retention})
	})
}
