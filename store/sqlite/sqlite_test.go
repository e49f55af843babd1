package sqlite_test

import (
	"path/filepath"
	"testing"

	"sitemon/store/sqlite"
	"sitemon/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T, opts storetest.Options) storetest.Store {
		return open(t, filepath.Join(t.TempDir(), "sitemon.db"), sqlite.Options{
			Clock: opts.Clock, Retention: opts.Retention, FiveMinuteRetention: opts.FiveMinuteRetention, HourRetention: opts.HourRetention,
			MaxSize: opts.MaxSize,
		})
	})
}

// open opens a store for the time of a test.
func open(t *testing.T, path string, opts sqlite.Options) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
