package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"sitemon"
)

// Documents reads what each document has beside its sites, by its source.
func Documents(ctx context.Context, tx Tx) (map[string]sitemon.Document, error) {
	all := map[string]sitemon.Document{}
	err := tx.Query(ctx, "SELECT source, alerting, maintenance, status_pages FROM documents", nil, func(scan func(dest ...any) error) error {
		var d sitemon.Document
		var alerting, maintenance, pages string
		if err := scan(&d.Source, &alerting, &maintenance, &pages); err != nil {
			return err
		}
		for _, part := range []struct {
			text, what string
			into       any
		}{{alerting, "alerting", &d.Alerting}, {maintenance, "maintenance", &d.Maintenance}, {pages, "status pages", &d.StatusPages}} {
			if part.text == "" {
				continue
			}
			if err := json.Unmarshal([]byte(part.text), part.into); err != nil {
				return fmt.Errorf("read the %s of %q: %w", part.what, d.Source, err)
			}
		}
		all[d.Source] = d
		return nil
	})
	return all, err
}
