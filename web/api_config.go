package web

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"

	"sitemon"
)

// getConfig shows what runs, and the newest attempts to change it.
func (s *Server) getConfig(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	limit := p.limit(defaultReportLimit)
	if p.err != nil {
		return p.err
	}
	reloads, err := s.Operations.Reloads(r.Context(), limit)
	if err != nil {
		return err
	}
	g, failed := s.Reloader.Running()
	answer := configJSON{
		Generation: g.Number, Hash: g.Hash, Source: g.Source, Sites: g.Sites, Stored: isStored(g),
		Reloads: make([]sitemon.Reload, len(reloads)),
	}
	if !g.LoadedAt.IsZero() {
		at := g.LoadedAt.UTC()
		answer.LoadedAt = &at
	}
	if failed != nil {
		answer.LastError = &lastErrorJSON{failed.At.UTC(), failed.Errors}
		if failed.Errors == nil {
			answer.LastError.Errors = []sitemon.Problem{}
		}
	}
	for i, rl := range reloads {
		answer.Reloads[i] = newReloadJSON(rl)
	}
	return answerJSON(w, answer)
}

// isStored reports whether the generation that runs is in the store.
func isStored(g sitemon.Generation) bool { return g.Number > 0 && !g.Unstored }

// postReload applies the sites file now, as SIGHUP does.
func (s *Server) postReload(w http.ResponseWriter, r *http.Request) error {
	// There is nothing to say in a body, but one that is too long is refused.
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return bodyError(err)
	}
	plan, err := s.Reloader.Reload(r.Context())
	if err != nil {
		return s.reloadError(r, err)
	}
	if plan.Added == nil {
		plan.Added = []string{}
	}
	if plan.Changed == nil {
		plan.Changed = []sitemon.Change{}
	}
	if plan.Removed == nil {
		plan.Removed = []string{}
	}
	return answerJSON(w, plan)
}

// reloadError is the answer to a reload that failed.
func (s *Server) reloadError(r *http.Request, err error) error {
	if errors.Is(err, ErrNoFile) {
		return problemf(http.StatusConflict, "%v", err)
	}
	if _, ok := errors.AsType[sitemon.Problems](err); ok || r.Context().Err() != nil {
		return err
	}
	// The reason is about the operator's own file or store: it helps whoever may
	// reload.
	s.log.Warn("reload failed", "err", err)
	return problemf(http.StatusServiceUnavailable, "the sites file could not be applied; what ran before goes on: %v", err)
}

// getMonitors lists the processes that are alive, and how well their locations were
// covered.
func (s *Server) getMonitors(w http.ResponseWriter, r *http.Request) error {
	monitors, err := s.Operations.Monitors(r.Context(), s.Now())
	if err != nil {
		return err
	}
	counts, err := s.coverageByLocation(r.Context())
	if err != nil {
		return err
	}
	answer := monitorsJSON{Monitors: make([]monitorJSON, len(monitors))}
	locations := map[string]bool{}
	for i, m := range monitors {
		answer.Monitors[i] = newMonitorJSON(m)
		if probing(m) {
			locations[m.Location] = true
		}
	}
	answer.Locations = newCoverageJSON(slices.Sorted(maps.Keys(locations)), counts)
	return answerJSON(w, answer)
}
