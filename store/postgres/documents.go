package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/store/internal/history"
)

// document is a row of documents.
type document struct {
	sitemon.Generation
	order  []int64        // the sites' ids, in the order of the file
	packed history.Packed // what there is beside the sites
}

// Held reports whether a source ever held the content of a hash, and which one it
// holds now; current is "" where it never held any.
func (db *DB) Held(ctx context.Context, source, hash string) (held bool, current string, err error) {
	defer wrap(&err, "look for a document of %s", source)
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM document_hashes WHERE source = $1 AND hash = $2),
 coalesce((SELECT hash FROM documents WHERE source = $1), '')`, source, hash).Scan(&held, &current)
	})
	return held, current, err
}

// readDocument returns the document of a source; its number is 0 where there is
// none.
func readDocument(ctx context.Context, tx pgx.Tx, source string) (d document, err error) {
	err = tx.QueryRow(ctx, "SELECT source, generation, hash, loaded_at, sites, site_order, alerting, maintenance, status_pages FROM documents WHERE source = $1", source).
		Scan(&d.Source, &d.Number, &d.Hash, &d.LoadedAt, &d.Sites, &d.order, &d.packed.Alerting, &d.packed.Maintenance, &d.packed.StatusPages)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	d.LoadedAt = d.LoadedAt.UTC()
	return d, err
}

// writeDocument writes the document of its source, and remembers its content. The
// order of many sites is long, so it is written only where it is another.
func writeDocument(ctx context.Context, tx pgx.Tx, d document, ordered bool, now time.Time) error {
	b := &pgx.Batch{}
	if ordered {
		b.Queue("UPDATE documents SET generation = $2, hash = $3, loaded_at = $4, sites = $5, alerting = $6, maintenance = $7, status_pages = $8 WHERE source = $1",
			d.Source, d.Number, d.Hash, d.LoadedAt, d.Sites, d.packed.Alerting, d.packed.Maintenance, d.packed.StatusPages)
	} else {
		b.Queue(`INSERT INTO documents (source, generation, hash, loaded_at, sites, site_order, alerting, maintenance, status_pages)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (source) DO UPDATE SET generation = excluded.generation, hash = excluded.hash, loaded_at = excluded.loaded_at,
 sites = excluded.sites, site_order = excluded.site_order, alerting = excluded.alerting, maintenance = excluded.maintenance,
 status_pages = excluded.status_pages`,
			d.Source, d.Number, d.Hash, d.LoadedAt, d.Sites, d.order, d.packed.Alerting, d.packed.Maintenance, d.packed.StatusPages)
	}
	b.Queue(`INSERT INTO document_hashes (source, hash, seen_at) VALUES ($1, $2, $3)
ON CONFLICT (source, hash) DO UPDATE SET seen_at = excluded.seen_at`, d.Source, d.Hash, now)
	return tx.SendBatch(ctx, b).Close()
}
