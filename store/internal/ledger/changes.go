package ledger

import (
	"context"
	"time"

	"sitemon"
)

// ChangedSince returns the incidents that were written since a moment, withdrawn ones
// too, in the order of that.
func ChangedSince(ctx context.Context, tx Tx, since time.Time) ([]sitemon.Incident, error) {
	rows, err := readRows(ctx, tx, "WHERE i.changed_at > $1 ORDER BY i.changed_at, i.id", since)
	list := make([]sitemon.Incident, len(rows))
	for i := range rows {
		list[i] = rows[i].Incident
	}
	return list, err
}
