package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"sitemon"
	"sitemon/config"
	"sitemon/web"
)

// planned is what a reload of the sites file would do.
type planned struct {
	sitemon.Plan
	// Undecided are sites that look unchanged and hold credentials, which a daemon
	// tells nobody: they may have changed. They are not among the unchanged ones.
	Undecided []string `json:"undecided,omitempty"`
}

// makePlan compares the sites file with what is stored, or with api with what the
// daemon there runs. Where nothing was ever stored it asks the daemon at --listen.
func (a *app) makePlan(ctx context.Context, s config.Settings, api string) (planned, error) {
	content, err := readDocument(s)
	if err != nil {
		return planned{}, err
	}
	doc, _, err := content.Parse()
	if err != nil {
		return planned{}, fmt.Errorf("the sites file has errors, a reload would change nothing:\n%w", err)
	}
	if api == "" {
		defs, g, err := storedDefinitions(ctx, s)
		if err == nil {
			p := planned{Plan: a.compare(s, doc.Sites, defs)}
			p.Generation = g.Number
			return p, nil
		}
		if !noStore(err) {
			return planned{}, err
		}
	}
	q := a.ask(s, api)
	q.given = true // what is stored is not what answers in its place
	p, err := a.planFor(ctx, q, doc)
	if _, unreached := errors.AsType[unreachedError](err); unreached && api == "" {
		fmt.Fprintf(a.err, "sitemon: nothing is stored in %s, and no daemon answers at %s: every site is new\n", s.DataDir, q.base)
		return planned{Plan: sitemon.Diff(nil, doc.Sites)}, nil
	}
	return p, err
}

// storedDefinitions reads the definitions of the store.
func storedDefinitions(ctx context.Context, s config.Settings) (defs []sitemon.StoredDefinition, g sitemon.Generation, err error) {
	db, err := openStored(ctx, s)
	if err != nil {
		return nil, g, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.DefinitionsAfter(ctx, "", 0)
}

// compare makes the plan of a document's sites as a reload would: sites of other
// sources stay, and so do rows that were put in by hand where the file has no site of
// their name.
func (a *app) compare(s config.Settings, sites []sitemon.Site, stored []sitemon.StoredDefinition) sitemon.Plan {
	source := a.planSource(s, stored)
	wanted := make(map[string]sitemon.Site, len(sites))
	for _, site := range sites {
		wanted[site.Name] = site
	}
	var before []sitemon.Site
	var refused []sitemon.Refusal
	for _, d := range stored {
		_, named := wanted[d.Name]
		switch {
		case d.Source == source || d.Source == "" && named:
			before = append(before, sitemon.Site{Name: d.Name, Definition: d.JSON})
		case named:
			refused = append(refused, sitemon.Refusal{Name: d.Name, Owner: d.Source})
			delete(wanted, d.Name)
		}
	}
	p := sitemon.Diff(before, slices.Collect(maps.Values(wanted)))
	p.Refused = refused
	return p
}

// planSource is whose document the file is: what --source says. A file that lies
// beside the one that is watched takes the place of that one, so it is of the source
// that is stored where there is one only and nothing says otherwise.
func (a *app) planSource(s config.Settings, stored []sitemon.StoredDefinition) string {
	sources := map[string]bool{}
	for _, d := range stored {
		sources[d.Source] = true
	}
	delete(sources, "")
	path, err := filepath.Abs(s.Sites)
	if err != nil || sources[s.Source] || len(sources) != 1 || s.Source != filepath.Base(path) {
		return s.Source
	}
	for source := range sources {
		fmt.Fprintf(a.err, "sitemon: %s is compared with what %s has defined; --source names another\n", s.Sites, source)
		return source
	}
	return s.Source
}

// planFor compares a document with what the daemon runs that q asks. Credentials
// stay where they are on both sides.
func (a *app) planFor(ctx context.Context, q *asked, doc sitemon.Document) (planned, error) {
	defs, generation, hash, err := q.definitions(ctx)
	if err != nil {
		return planned{}, err
	}
	sites := slices.Clone(doc.Sites)
	secret := map[string]bool{}
	for i := range sites {
		public, redacted, err := config.Public(sites[i].Definition)
		if err != nil {
			return planned{}, fmt.Errorf("compare site %q: %w", sites[i].Name, err)
		}
		sites[i].Definition = public
		secret[sites[i].Name] = len(redacted) > 0
	}
	stored := make([]sitemon.StoredDefinition, len(defs))
	for i, d := range defs {
		stored[i] = sitemon.StoredDefinition{Definition: sitemon.Definition{Name: d.Name, JSON: d.Definition}, Source: d.Source}
	}
	p := planned{Plan: a.compare(q.settings, sites, stored)}
	p.Generation = generation
	if hash != doc.Hash { // else the file is the very one
		p.Undecided = undecided(&p.Plan, sites, secret)
		p.Unchanged -= len(p.Undecided)
	}
	return p, nil
}

// undecided names the sites with credentials that a plan leaves unchanged.
func undecided(p *sitemon.Plan, sites []sitemon.Site, secret map[string]bool) []string {
	for _, name := range p.Added {
		delete(secret, name)
	}
	for _, c := range p.Changed {
		delete(secret, c.Name)
	}
	for _, r := range p.Refused {
		delete(secret, r.Name)
	}
	var names []string
	for _, s := range sites {
		if secret[s.Name] {
			names = append(names, s.Name)
		}
	}
	slices.SortFunc(names, strings.Compare)
	return names
}

// planAttempts is how often the definitions are read again because they changed while
// they were read.
const planAttempts = 3

// definitions reads the definitions of a running daemon, all of one generation, and the
// hash of the document that it ran before and after that.
func (q *asked) definitions(ctx context.Context) (defs []web.SiteDefinition, generation int64, hash string, err error) {
	hash, err = q.runningHash(ctx)
	for range planAttempts {
		if err != nil {
			break
		}
		var one bool
		if defs, generation, one, err = q.readDefinitions(ctx); err != nil {
			break
		}
		before := hash
		if hash, err = q.runningHash(ctx); err == nil && one && hash == before {
			return defs, generation, hash, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("the sites of the daemon at %s change while they are read: try again", sitemon.RedactURL(q.base))
	}
	return nil, 0, "", err
}

// runningHash is that of the document which a daemon runs, "" for none. It has to be
// stored: else the stored definitions are those of before.
func (q *asked) runningHash(ctx context.Context) (string, error) {
	var running struct {
		Hash   string
		Stored bool
	}
	err := q.get(ctx, "/api/v1/config?limit=1", &running)
	if err == nil && running.Hash != "" && !running.Stored {
		err = fmt.Errorf("what the daemon at %s runs is not stored yet: try again", sitemon.RedactURL(q.base))
	}
	return running.Hash, err
}

// readDefinitions reads them once; one is false where its pages are not all of one
// generation.
func (q *asked) readDefinitions(ctx context.Context) (defs []web.SiteDefinition, generation int64, one bool, err error) {
	one = true
	err = q.eachPage(ctx, "/api/v1/definitions", 0, func(page map[string]json.RawMessage) (int, error) {
		var list []web.SiteDefinition
		var number int64
		if err := errors.Join(json.Unmarshal(page["definitions"], &list), json.Unmarshal(page["generation"], &number)); err != nil {
			return 0, err
		}
		one = one && (len(defs) == 0 || number == generation)
		defs, generation = append(defs, list...), number
		return len(list), nil
	})
	return defs, generation, one, err
}
