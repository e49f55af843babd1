package web

import (
	"context"
	"net/http"
	"slices"

	"sitemon"
)

// Definitions says what sites are, and where that is written.
type Definitions interface {
	// Definition describes the definition of a present site, without credentials. The
	// error wraps [sitemon.ErrNotFound] where there is none of that name.
	Definition(ctx context.Context, name string) (Definition, error)
	// Definitions lists the definitions of at most limit present sites whose names come
	// after one, by name, and the generation that they are of.
	Definitions(ctx context.Context, after string, limit int) ([]SiteDefinition, int64, error)
}

// Definition is the definition of a site in effect, as everybody may see it.
type Definition struct {
	Source     string // the document that owns the site; "" for a row put in by hand
	Generation int64  // with which it got this definition
	// Keys are what the site says, and behind them what holds where it says nothing.
	Keys []sitemon.DefinitionKey
}

// historyReloads is how many reloads back a site's history of definitions goes.
const historyReloads = 200

// siteDefinition is a definition on a page, nil where it can't be had.
type siteDefinition = Definition

// definitionOf reads the definition of a site: nil in a server without Definitions.
func (s *Server) definitionOf(ctx context.Context, name string) (*siteDefinition, error) {
	if s.Definitions == nil {
		return nil, nil //nolint:nilnil // A page does without.
	}
	d, err := s.Definitions.Definition(ctx, name)
	if err != nil {
		return nil, err
	}
	return &d, nil
}

// definitionChange is a reload that changed a site.
type definitionChange struct {
	reload sitemon.Reload
	kind   string              // added, changed, removed
	keys   []string            // that changed
	change []sitemon.KeyChange // what became of them
}

// definitionChanges lists the reloads, of the newest ones, that changed a site, newest
// first. What a large edit leaves out of its difference is not among them.
func (s *Server) definitionChanges(ctx context.Context, name string) ([]definitionChange, error) {
	reloads, err := s.Operations.Reloads(ctx, historyReloads)
	if err != nil {
		return nil, err
	}
	var list []definitionChange
	for _, r := range reloads {
		d := r.Difference
		if d == nil || !r.Applied {
			continue
		}
		at := slices.IndexFunc(d.Changed, func(c sitemon.Change) bool { return c.Name == name })
		switch {
		case at >= 0:
			list = append(list, definitionChange{r, "changed", d.Changed[at].Keys, d.Changed[at].Values})
		case slices.Contains(d.Added, name):
			list = append(list, definitionChange{reload: r, kind: "added"})
		case slices.Contains(d.Removed, name):
			list = append(list, definitionChange{reload: r, kind: "removed"})
		}
	}
	return list, nil
}

// definitionJSON is a definition as the API shows it.
type definitionJSON struct {
	Site       string                  `json:"site"`
	Source     string                  `json:"source"`
	Generation int64                   `json:"generation"`
	Keys       []sitemon.DefinitionKey `json:"keys"`
	Changes    []changeJSON            `json:"changes"`
}

// changeJSON is a reload that changed the site.
type changeJSON struct {
	Generation int64               `json:"generation"`
	At         string              `json:"at"`
	Kind       string              `json:"kind"`
	Keys       []sitemon.KeyChange `json:"keys"`
}

// getDefinition shows a site's definition with where its values are written.
func (s *Server) getDefinition(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	d, err := s.definitionOf(r.Context(), name)
	if err != nil {
		return err
	}
	if d == nil {
		return problemf(http.StatusNotFound, "this process does not know definitions")
	}
	changes, err := s.definitionChanges(r.Context(), name)
	if err != nil {
		return err
	}
	answer := definitionJSON{Site: name, Source: d.Source, Generation: d.Generation, Keys: d.Keys, Changes: []changeJSON{}}
	for _, c := range changes {
		keys := c.change
		for _, k := range c.keys[min(len(keys), len(c.keys)):] { // stored without their values
			keys = append(keys, sitemon.KeyChange{Key: k})
		}
		answer.Changes = append(answer.Changes, changeJSON{c.reload.Generation, newTimeView(c.reload.At).Machine, c.kind, append([]sitemon.KeyChange{}, keys...)})
	}
	return answerJSON(w, answer)
}
