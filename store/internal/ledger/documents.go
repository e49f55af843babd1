package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"sitemon"
)

// Alertings reads how the alerts of each document are delivered, by its source.
func Alertings(ctx context.Context, tx Tx) (map[string]sitemon.Alerting, error) {
	all := map[string]sitemon.Alerting{}
	err := tx.Query(ctx, "SELECT source, alerting FROM documents WHERE alerting <> ''", nil, func(scan func(dest ...any) error) error {
		var source, text string
		if err := scan(&source, &text); err != nil {
			return err
		}
		var a sitemon.Alerting
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			return fmt.Errorf("read the alerting of %q: %w", source, err)
		}
		all[source] = a
		return nil
	})
	return all, err
}
