package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"sitemon"
)

// Definition returns the definition of a present site. The error wraps
// [sitemon.ErrNotFound] where there is none of that name, or it was removed.
func (db *DB) Definition(ctx context.Context, name string) (d sitemon.StoredDefinition, err error) {
	defer wrap(&err, "read the definition of site %q", name)
	ctx, cancel := reading(ctx)
	defer cancel()
	d.Name = name
	err = db.read.QueryRowContext(ctx, `SELECT s.definition, s.source, s.generation, p.places
FROM site_names n JOIN sites s ON s.site_id = n.id LEFT JOIN document_places p ON p.source = s.source WHERE n.name = ?`, name).
		Scan((*[]byte)(&d.JSON), &d.Source, &d.Generation, &d.Places)
	if errors.Is(err, sql.ErrNoRows) {
		err = sitemon.ErrNotFound
	}
	return d, err
}

// putPlaces stores where the values of the document are written, unless that is
// stored already.
func (y *syncing) putPlaces(ctx context.Context) error {
	if err := y.db.exec(ctx, "DELETE FROM document_places WHERE source <> ?1 OR ?2 IS NULL", y.doc.Source, y.doc.Places); err != nil || y.doc.Places == nil {
		return err
	}
	return y.db.exec(ctx, `INSERT INTO document_places (source, places) VALUES (?, ?)
ON CONFLICT DO UPDATE SET places = excluded.places WHERE places <> excluded.places`, y.doc.Source, y.doc.Places)
}

// DefinitionsAfter returns the definitions of the present sites whose names come
// after one, by name, without their places, and the generation that they are of. A
// limit of 0 is none.
func (db *DB) DefinitionsAfter(ctx context.Context, after string, limit int) (defs []sitemon.StoredDefinition, g sitemon.Generation, err error) {
	defer wrap(&err, "list definitions")
	ctx, cancel := reading(ctx)
	defer cancel()
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return nil, g, err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	doc, err := document(ctx, tx)
	if err != nil {
		return nil, g, err
	}
	if limit <= 0 {
		limit = -1
	}
	err = each(ctx, tx, `SELECT n.name, s.definition, s.source, s.generation FROM site_names n JOIN sites s ON s.site_id = n.id
WHERE n.name > ? ORDER BY n.name LIMIT ?`, []any{after, limit}, func(row scanner) error {
		var d sitemon.StoredDefinition
		err := row.Scan(&d.Name, (*[]byte)(&d.JSON), &d.Source, &d.Generation)
		defs = append(defs, d)
		return err
	})
	return defs, doc.generation, err
}
