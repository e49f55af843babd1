package postgres

import (
	"testing"
	"time"

	"sitemon/store/internal/ledger/ledgertest"
)

func TestLedgerTransactions(t *testing.T) {
	var c clock
	c.set(time.Now())
	db := openSame(t, 1, &c)[0]
	ledgertest.Run(t, db.ledgerWrite, db.ledgerRead)
}
