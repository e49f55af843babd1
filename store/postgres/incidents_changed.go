package postgres

import (
	"context"
	"time"

	"sitemon"
	"sitemon/store/internal/ledger"
)

// IncidentsSince returns the incidents that were written since a moment, by the
// clock of whoever wrote. It is for one who follows what all processes do: what is
// committed now was written up to 20 s ago, so ask for those again, too.
func (db *DB) IncidentsSince(ctx context.Context, since time.Time) (list []sitemon.Incident, err error) {
	defer wrap(&err, "follow incidents")
	err = db.ledgerRead(ctx, func(ctx context.Context, tx ledger.Tx) (err error) {
		list, err = ledger.ChangedSince(ctx, tx, since)
		return err
	})
	return list, err
}
