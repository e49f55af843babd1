package postgres

import (
	"testing"

	"sitemon/internal/testkit"
	"sitemon/store/storetest"
)

func TestAlerts(t *testing.T) {
	storetest.RunAlerts(t, func(t *testing.T, opts storetest.Options) (stores []storetest.AlertStore, write storetest.Transact) {
		dsn := testkit.Postgres(t)
		for range 2 {
			db, err := Open(t.Context(), dsn, Options{Clock: opts.Clock, Retention: opts.Retention, MigrateSchema: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			if err := db.Prepare(t.Context()); err != nil {
				t.Fatal(err)
			}
			stores, write = append(stores, db), db.ledgerWrite
		}
		return stores, write
	})
}
