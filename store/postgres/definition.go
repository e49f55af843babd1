package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"sitemon"
)

// Definition returns the definition of a present site. The error wraps
// [sitemon.ErrNotFound] where there is none of that name, or it was removed.
func (db *DB) Definition(ctx context.Context, name string) (d sitemon.StoredDefinition, err error) {
	defer wrap(&err, "read the definition of site %q", name)
	d.Name = name
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT s.definition::text, s.source, s.generation, p.places
FROM sites s LEFT JOIN document_places p ON p.source = s.source WHERE s.name = $1 AND `+liveRow, name).
			Scan((*[]byte)(&d.JSON), &d.Source, &d.Generation, &d.Places)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = sitemon.ErrNotFound
	}
	return d, err
}

// putPlaces stores where the values of the document are written, unless that is
// stored already.
func (y *syncing) putPlaces(ctx context.Context) error {
	if y.doc.Places == nil {
		_, err := y.tx.Exec(ctx, "DELETE FROM document_places WHERE source = $1", y.doc.Source)
		return err
	}
	_, err := y.tx.Exec(ctx, `INSERT INTO document_places AS p (source, places) VALUES ($1, $2)
ON CONFLICT (source) DO UPDATE SET places = excluded.places WHERE p.places <> excluded.places`, y.doc.Source, y.doc.Places)
	return err
}
