package postgres

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
)

// SyncSites makes the stored sites of a source those of its document, in one
// transaction that writes only the differences, and returns the generation under
// which the document is stored now with the plan that was carried out. A document
// that changes no site is no new generation, except the first one of a store.
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
	err = db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		y := syncing{doc: doc, wanted: wanted}
		if y.edit, err = db.beginEdit(ctx, tx, doc.Source); err != nil {
			return err
		}
		g, p, err = y.run(ctx)
		return err
	})
	return g, p, err
}

// syncing is a transaction that applies a document.
type syncing struct {
	*edit
	doc    sitemon.Document
	wanted map[string]*sitemon.Site // the document's sites by name

	plan    sitemon.Plan
	refused map[string]bool
	ids     map[string]int64 // of the sites that are there
}

func (y *syncing) run(ctx context.Context) (sitemon.Generation, sitemon.Plan, error) {
	old, err := readDocument(ctx, y.tx, y.source)
	if err != nil {
		return old.Generation, y.plan, err
	}
	if err := y.diff(ctx); err != nil {
		return old.Generation, y.plan, err
	}
	g := old.Generation
	switch {
	case !y.plan.Empty() || y.newest.Number == 0:
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
	order := make([]int64, 0, len(y.doc.Sites))
	for i := range y.doc.Sites {
		if name := y.doc.Sites[i].Name; !y.refused[name] {
			order = append(order, cmp.Or(y.ids[name], y.edit.ids[name]))
		}
	}
	g.Source, g.Hash, g.Sites = y.doc.Source, y.doc.Hash, len(order)
	if g == old.Generation && slices.Equal(order, old.order) {
		return g, y.plan, nil
	}
	return g, y.plan, writeDocument(ctx, y.tx, document{g, order}, y.now)
}

// diff compares the document with what is stored and collects what is to be
// written. Only definitions that differ are read.
func (y *syncing) diff(ctx context.Context) error {
	y.refused, y.ids = map[string]bool{}, make(map[string]int64, len(y.doc.Sites))
	var differ []string      // names of sites with another definition
	var leaving []*storedRow // of this source, and not in the document
	stored := make(map[string]*storedRow, len(y.doc.Sites))
	unchanged := 0
	err := eachStored(ctx, y.tx, func(r storedRow) {
		site := y.wanted[r.name]
		switch {
		case site == nil && r.source == y.source:
			leaving = append(leaving, &r)
			return
		case site == nil:
			return
		case r.source != "" && r.source != y.source:
			y.refused[r.name] = true
			y.plan.Refused = append(y.plan.Refused, sitemon.Refusal{Name: r.name, Owner: r.source})
			return
		}
		stored[r.name] = &r
		switch {
		case !r.live:
			return
		case r.digest != sha256.Sum256(site.Definition):
			differ = append(differ, r.name)
		default:
			unchanged++
			if r.touched || r.source != y.source { // the columns are not the document's
				y.kept = append(y.kept, site)
			}
		}
		y.ids[r.name] = r.id
	})
	if err != nil {
		return err
	}
	before, err := readRows(ctx, y.tx, append(namesOf(leaving), differ...))
	if err != nil {
		return err
	}
	return y.collect(stored, before, leaving, unchanged)
}

// collect makes the plan, and the edit of it.
func (y *syncing) collect(stored map[string]*storedRow, before map[string]*detail, leaving []*storedRow, unchanged int) error {
	var was, is []sitemon.Site
	for i := range y.doc.Sites {
		s := &y.doc.Sites[i]
		r, d := stored[s.Name], before[s.Name]
		if y.refused[s.Name] || r != nil && r.live && d == nil {
			continue
		}
		is = append(is, *s)
		if d != nil {
			was = append(was, sitemon.Site{Name: s.Name, Definition: d.definition, Enabled: d.enabled})
		}
		y.puts = append(y.puts, put{site: s, before: d})
	}
	for _, r := range leaving {
		y.rows = append(y.rows, r.name)
		if d := before[r.name]; d != nil && r.live {
			was = append(was, sitemon.Site{Name: r.name})
			y.removed = append(y.removed, d.id)
		}
	}
	refused := y.plan.Refused
	y.plan = sitemon.Diff(was, is)
	y.plan.Unchanged += unchanged
	y.plan.Refused = refused
	slices.SortFunc(refused, func(a, b sitemon.Refusal) int { return cmp.Compare(a.Name, b.Name) })
	y.due = dueOf(y.plan)
	return nil
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

func namesOf(rows []*storedRow) []string {
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.name
	}
	return names
}

// later returns the later of two moments.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
