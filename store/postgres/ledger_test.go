package postgres

import (
	"testing"
	"time"

	"sitemon/store/storetest"
)

func TestLedgerTransactions(t *testing.T) {
	var c clock
	c.set(time.Now())
	db := openSame(t, 1, &c)[0]
	storetest.RunTransactions(t, "timestamptz", db.ledgerWrite, db.ledgerRead)
}
