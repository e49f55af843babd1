package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

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

// DefinitionsAfter returns the definitions of the sites that are watched whose names
// come after one, by name, without their places, and the newest generation. A limit of
// 0 is none.
func (db *DB) DefinitionsAfter(ctx context.Context, after string, limit int) (defs []sitemon.StoredDefinition, g sitemon.Generation, err error) {
	defer wrap(&err, "list definitions")
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if g, err = newestGeneration(ctx, tx); err != nil {
			return err
		}
		return eachRow(ctx, tx, "SELECT s.name, s.definition::text, s.source, s.generation FROM sites s WHERE s.name > $1 AND "+liveRow+" ORDER BY s.name LIMIT $2",
			[]any{after, pgtype.Int8{Int64: int64(limit), Valid: limit > 0}}, func(row pgx.Rows) error {
				var d sitemon.StoredDefinition
				err := row.Scan(&d.Name, (*[]byte)(&d.JSON), &d.Source, &d.Generation)
				defs = append(defs, d)
				return err
			})
	})
	return defs, g, err
}
