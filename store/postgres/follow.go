package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
)

// definitionsVersion is another number after each change of the table sites.
const definitionsVersion = "(SELECT changes + (SELECT count(*) FROM site_changes) FROM config_version)"

// Version counts up with each change of any row of the table sites, by whomever it
// was made. It is cheap to ask for.
func (db *DB) Version(ctx context.Context) (v int64, err error) {
	defer wrap(&err, "read the version of the sites")
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT "+definitionsVersion).Scan(&v)
	})
	return v, err
}

// Known returns the definitions of the sites that are watched, of all sources: by
// source, and in the order of its file, then the rows put in by hand, by name; with
// the newest generation.
func (db *DB) Known(ctx context.Context) (defs []sitemon.Definition, g sitemon.Generation, err error) {
	defer wrap(&err, "read the known sites")
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if g, err = newestGeneration(ctx, tx); err != nil {
			return err
		}
		return eachRow(ctx, tx, `SELECT s.name, s.definition FROM sites s
LEFT JOIN (SELECT o.id, o.place FROM documents d CROSS JOIN LATERAL unnest(d.site_order) WITH ORDINALITY AS o (id, place)) o ON o.id = s.site_id
WHERE `+liveRow+` ORDER BY s.source = '', s.source COLLATE "C", o.place, s.name`, nil, func(row pgx.Rows) error {
			var name, definition string
			err := row.Scan(&name, &definition)
			defs = append(defs, sitemon.Definition{Name: name, JSON: json.RawMessage(definition)})
			return err
		})
	})
	return defs, g, err
}

// newestGeneration returns the newest generation of all sources, with the number
// of all sites that are watched.
func newestGeneration(ctx context.Context, tx pgx.Tx) (g sitemon.Generation, err error) {
	err = tx.QueryRow(ctx, `SELECT v.generation, v.source, v.loaded_at, coalesce(d.hash, ''), (SELECT count(*) FROM sites s WHERE `+liveRow+`)
FROM config_version v LEFT JOIN documents d ON d.source = v.source`).Scan(&g.Number, &g.Source, &g.LoadedAt, &g.Hash, &g.Sites)
	g.LoadedAt = g.LoadedAt.UTC()
	if g.Number == 0 {
		g.LoadedAt = time.Time{}
	}
	return g, err
}

// StoredSite is a site that is watched.
type StoredSite struct {
	Name       string
	Source     string // the document that owns it; "" it was put in by hand
	Definition json.RawMessage
	Version    string // another one after each change of the row
	// Generation brought the definition, at LoadedAt. Due says that it made the site
	// due at once, at its extra slot, together with others: Together counts them all.
	Generation int64
	LoadedAt   time.Time
	Due        bool
	Together   int
}

// Definitions returns the sites that are watched and whose version is not the one
// that the caller has, the names of those that are watched no more, and the newest
// generation. What has not changed is not read.
func (db *DB) Definitions(ctx context.Context, have map[string]string) (changed []StoredSite, removed []string, g sitemon.Generation, err error) {
	defer wrap(&err, "read the definitions that have changed")
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if g, err = newestGeneration(ctx, tx); err != nil {
			return err
		}
		gone := maps.Clone(have)
		var names []string
		err := eachRow(ctx, tx, "SELECT s.name, "+rowVersion+" FROM sites s WHERE "+liveRow, nil, func(row pgx.Rows) error {
			var name, version string
			err := row.Scan(&name, &version)
			if v, ok := have[name]; !ok || v != version {
				names = append(names, name)
			}
			delete(gone, name)
			return err
		})
		if err != nil {
			return err
		}
		removed = slices.Sorted(maps.Keys(gone))
		if len(names) == 0 {
			return nil
		}
		return eachRow(ctx, tx, "SELECT s.name, s.source, s.definition, "+rowVersion+`, s.generation, s.loaded_at, s.due_together
FROM sites s WHERE s.name = ANY ($1)`, []any{names}, func(row pgx.Rows) error {
			var s StoredSite
			var definition string
			err := row.Scan(&s.Name, &s.Source, &definition, &s.Version, &s.Generation, &s.LoadedAt, &s.Together)
			s.Definition, s.LoadedAt, s.Due = json.RawMessage(definition), s.LoadedAt.UTC(), s.Together > 0
			changed = append(changed, s)
			return err
		})
	})
	slices.SortFunc(changed, func(a, b StoredSite) int { return cmp.Compare(a.Name, b.Name) })
	return changed, removed, g, err
}

// rowVersion is the version of a row called s. The generation is there for
// databases that were restored, which may count their transactions anew.
const rowVersion = "s.generation || '.' || s.xmin::text"
