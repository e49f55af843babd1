package sqlite

import (
	"path/filepath"
	"testing"

	"sitemon/store/storetest"
)

func TestAlerts(t *testing.T) {
	storetest.RunAlerts(t, func(t *testing.T, opts storetest.Options) ([]storetest.AlertStore, storetest.Transact) {
		db, err := Open(t.Context(), filepath.Join(t.TempDir(), "sitemon.db"), Options{Clock: opts.Clock, Retention: opts.Retention})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return []storetest.AlertStore{db}, db.ledgerWrite
	})
}
