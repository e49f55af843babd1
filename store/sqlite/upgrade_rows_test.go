package sqlite

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"sitemon/schema"
	"sitemon/store/storetest"
)

// A file with the rows of an older version keeps them through all migrations since.
func TestUpgradeRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sitemon.db")
	side, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	files, err := schema.SQLite()
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, side, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), storetest.SchemaFive); err != nil {
		t.Fatal(err)
	}
	rows, err := os.ReadFile("testdata/schema5.sql")
	if err != nil {
		t.Fatal(err)
	}
	// The triggers did their work when the rows were first written.
	if _, err := side.ExecContext(t.Context(), "BEGIN;"+string(rows)+"DELETE FROM alert_marks; COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := side.Close(); err != nil {
		t.Fatal(err)
	}
	storetest.RunUpgraded(t, func(t *testing.T, opts storetest.Options) (storetest.AlertStore, storetest.Transact) {
		db, err := Open(t.Context(), path, Options{Clock: opts.Clock, Retention: opts.Retention})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db, db.ledgerWrite
	})
}
