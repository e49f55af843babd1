package sqlite

import (
	"path/filepath"
	"testing"

	"sitemon/store/storetest"
)

func TestLedgerTransactions(t *testing.T) {
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "sitemon.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	storetest.RunTransactions(t, "INTEGER", db.ledgerWrite, db.ledgerRead)
}
