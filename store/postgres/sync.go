package postgres

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/store/internal/history"
)

// SyncSites makes the stored sites of a source those of its document, in one
// transaction that writes only the differences, and returns the generation under
// which the document is stored now with the plan that was carried out. A document
// that changes neither a site nor anything beside them is no new generation,
// except the first one of a store.
//
// A document takes over sites that people put in by hand. A site that another
// source owns stays as it is; Plan.Refused names it, and the rest is applied. Sites
// of other sources are left alone. The history of a site that leaves stays.
func (db *DB) SyncSites(ctx context.Context, doc sitemon.Document) (g sitemon.Generation, p sitemon.Plan, err error) {
	defer wrap(&err, "sync %d sites of %s", len(doc.Sites), doc.Source)
	wanted := make(map[string]*sitemon.Site, len(doc.Sites))
	for i := range doc.Sites {
		s := &doc.Sites[i]
		if wanted[s.Name] != nil {
			return g, p, fmt.Errorf("%w: two sites are named %q", sitemon.ErrInvalid, s.Name)
		}
		wanted[s.Name] = s
	}
	if err := db.lockEdits(ctx); err != nil {
		return g, p, err
	}
	defer db.unlockEdits()
	var y syncing
	err = db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		y = syncing{db: db, doc: doc, wanted: wanted}
		if y.edit, err = db.beginEdit(ctx, tx, doc.Source); err != nil {
			return err
		}
		g, p, err = y.run(ctx)
		return err
	})
	if err == nil {
		y.remember()
	}
	return g, p, err
}

// syncing is a transaction that applies a document.
type syncing struct {
	*edit
	db     *DB
	doc    sitemon.Document
	wanted map[string]*sitemon.Site // the document's sites by name

	stored  map[string]storedRow // all rows
	plan    sitemon.Plan
	refused map[string]bool
}

func (y *syncing) run(ctx context.Context) (sitemon.Generation, sitemon.Plan, error) {
	old, err := readDocument(ctx, y.tx, y.source)
	if err != nil {
		return old.Generation, y.plan, err
	}
	if err := y.diff(ctx); err != nil {
		return old.Generation, y.plan, err
	}
	packed, err := history.PackDocument(y.doc)
	if err != nil {
		return old.Generation, y.plan, err
	}
	g := old.Generation
	switch {
	case !y.plan.Empty() || y.newest.Number == 0 || packed != old.packed:
		if err := y.newGeneration(ctx); err != nil {
			return g, y.plan, err
		}
		g.Number, g.LoadedAt = y.newest.Number, y.now
	case g.Number == 0: // the first document of its source, which changes nothing
		g.Number, g.LoadedAt = y.newest.Number, y.now
	}
	y.plan.Generation = g.Number
	if err := y.apply(ctx); err != nil {
		return g, y.plan, err
	}
	if err := y.noteReloads(ctx, y.plan.Changed); err != nil {
		return g, y.plan, err
	}
	if err := y.putPlaces(ctx); err != nil {
		return g, y.plan, err
	}
	order := make([]int64, 0, len(y.doc.Sites))
	for i := range y.doc.Sites {
		if name := y.doc.Sites[i].Name; !y.refused[name] {
			order = append(order, cmp.Or(y.ids[name], y.stored[name].id))
		}
	}
	g.Source, g.Hash, g.Sites = y.doc.Source, y.doc.Hash, len(order)
	ordered := old.Number > 0 && slices.Equal(order, old.order)
	if g == old.Generation && ordered { // so packed is what it was
		return g, y.plan, nil
	}
	return g, y.plan, writeDocument(ctx, y.tx, document{g, order, packed}, ordered, y.now)
}

// diff compares the document with what is stored and collects what is to be
// written. Only definitions that differ are read.
func (y *syncing) diff(ctx context.Context) error {
	if err := y.read(ctx); err != nil {
		return err
	}
	y.refused = map[string]bool{}
	var differ []string  // names of sites with another definition
	var leaving []string // names of those of this source that are not in the document
	unchanged := 0
	for name, r := range y.stored {
		site := y.wanted[name]
		switch {
		case site == nil && r.source == y.source:
			leaving = append(leaving, name)
		case site == nil:
		case r.source != "" && r.source != y.source:
			y.refused[name] = true
		case !r.live:
		case r.digest != sha256.Sum256(site.Definition):
			differ = append(differ, name)
		default:
			unchanged++
			if r.touched || r.source != y.source { // the columns are not the document's
				y.kept = append(y.kept, site)
			}
		}
	}
	before, err := readRows(ctx, y.tx, append(slices.Clone(leaving), differ...))
	if err != nil {
		return err
	}
	y.collect(before, leaving)
	y.plan.Unchanged += unchanged
	return nil
}

// read reads the rows of all sites, unless they are those that are remembered.
func (y *syncing) read(ctx context.Context) error {
	if m := y.db.edited; m.rows != nil && m.version == y.version {
		y.stored = m.rows
		return nil
	}
	if err := y.notice(ctx); err != nil {
		return err
	}
	y.stored = map[string]storedRow{}
	return eachStored(ctx, y.tx, func(r storedRow) { y.stored[r.name] = r })
}

// remember keeps what the rows of all sites are after the edit.
func (y *syncing) remember() {
	for _, name := range y.rows {
		delete(y.stored, name)
	}
	for i := range y.puts {
		s := y.puts[i].site
		y.stored[s.Name] = storedRow{name: s.Name, source: y.source, id: y.ids[s.Name], live: true, digest: sha256.Sum256(s.Definition)}
	}
	for _, s := range y.kept {
		r := y.stored[s.Name]
		r.source, r.touched = y.source, false
		y.stored[s.Name] = r
	}
	y.db.edited = editedRows{version: y.version + y.marks, rows: y.stored}
}

// lockEdits waits until nobody else in this process changes the sites, or the
// context ends.
func (db *DB) lockEdits(ctx context.Context) error {
	select {
	case db.editing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (db *DB) unlockEdits() { <-db.editing }

// editedRows are all rows of the table sites, as of a version. What was committed
// by others in between makes another version.
type editedRows struct {
	version int64
	rows    map[string]storedRow // nil: not known
}

// collect makes the plan, and the edit of it.
func (y *syncing) collect(before map[string]*detail, leaving []string) {
	var was, is []sitemon.Site
	for i := range y.doc.Sites {
		s := &y.doc.Sites[i]
		d := before[s.Name]
		if y.refused[s.Name] || d == nil && y.stored[s.Name].live {
			continue
		}
		is = append(is, *s)
		if d != nil {
			was = append(was, sitemon.Site{Name: s.Name, Definition: d.definition})
		}
		y.puts = append(y.puts, put{site: s, before: d})
	}
	y.rows = leaving
	for _, name := range leaving {
		if d := before[name]; d != nil {
			was = append(was, sitemon.Site{Name: name})
			y.removed = append(y.removed, d.id)
		}
	}
	y.plan = sitemon.Diff(was, is)
	for _, name := range slices.Sorted(maps.Keys(y.refused)) {
		y.plan.Refused = append(y.plan.Refused, sitemon.Refusal{Name: name, Owner: y.stored[name].source})
	}
	y.due = dueOf(y.plan)
}

// dueOf names the sites that a plan makes due at once.
func dueOf(p sitemon.Plan) map[string]bool {
	due := make(map[string]bool, len(p.Added)+len(p.Changed))
	for _, name := range p.Added {
		due[name] = true
	}
	for _, c := range p.Changed {
		if c.Rescheduled {
			due[c.Name] = true
		}
	}
	return due
}

// storedRow is a row of the table sites, as far as a document is compared with it.
type storedRow struct {
	name    string
	source  string
	id      int64
	live    bool // it is watched: it has been taken up and nothing is wrong with it
	touched bool
	digest  [sha256.Size]byte // of the definition
}

// liveRow says of a row called s that its site is watched.
const liveRow = "(s.site_id IS NOT NULL AND s.definition <> '' AND s.problem = '')"

// eachStored calls f for each row of the table sites.
func eachStored(ctx context.Context, tx pgx.Tx, f func(r storedRow)) error {
	var r storedRow
	var digest []byte
	dest := []any{&r.name, &r.source, &r.id, &r.live, &r.touched, &digest}
	return eachRow(ctx, tx, "SELECT s.name, s.source, coalesce(s.site_id, 0), "+liveRow+`, s.touched, sha256(convert_to(s.definition, 'UTF8'))
FROM sites s`, nil, func(row pgx.Rows) error {
		if err := row.Scan(dest...); err != nil {
			return err
		}
		copy(r.digest[:], digest)
		f(r)
		return nil
	})
}

// later returns the later of two moments.
func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
