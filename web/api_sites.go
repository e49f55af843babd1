package web

import (
	"context"
	"net/http"
	"strings"

	"sitemon"
)

// getSites lists sites by name, a page at a time.
func (s *Server) getSites(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	q := sitemon.SiteQuery{
		Tag: p.text("tag"), Status: oneOf(p, "status", sitemon.Statuses), Text: p.text("q"),
		Removed: p.flag("removed"), After: p.cursor(),
	}
	if p.values.Has("group") {
		group := p.text("group")
		q.Group = &group
	}
	limit := p.limit(defaultLimit)
	if p.err != nil {
		return p.err
	}
	sites, next, err := s.listSites(r.Context(), q, limit)
	if err != nil {
		return err
	}
	names := make([]string, len(sites))
	for i := range sites {
		names[i] = sites[i].Name
	}
	figures, err := s.figures.of(r.Context(), names)
	if err != nil {
		return err
	}
	answer := sitesJSON{Sites: make([]siteJSON, len(sites)), Next: next}
	for i, st := range sites {
		answer.Sites[i] = newSiteJSON(st, figures[st.Name])
	}
	return answerJSON(w, answer)
}

// listSites reads one page of sites, and the cursor of the next: "" on the last.
func (s *Server) listSites(ctx context.Context, q sitemon.SiteQuery, limit int) (page []sitemon.SiteState, next string, err error) {
	for len(page) <= limit {
		q.Limit = limit + 1 - len(page)
		batch, err := s.Sites.Sites(ctx, q)
		if err != nil {
			return nil, "", err
		}
		for i := range batch {
			if q.Text == "" || shownMatches(&batch[i], q.Text) {
				page = append(page, batch[i])
			}
		}
		if len(batch) < q.Limit {
			return page, "", nil
		}
		q.After = batch[len(batch)-1].Name
	}
	return page[:limit], newCursor(page[limit-1].Name), nil
}

// shownMatches takes back a match on a part of the URL that is not shown: else
// a search could guess a secret letter by letter.
func shownMatches(s *sitemon.SiteState, text string) bool {
	shown := sitemon.RedactURL(s.URL)
	if shown == s.URL {
		return true
	}
	text = strings.ToLower(text)
	for _, field := range []string{s.Name, shown, s.Group} {
		if strings.Contains(strings.ToLower(field), text) {
			return true
		}
	}
	return false
}

// getSite shows one site.
func (s *Server) getSite(w http.ResponseWriter, r *http.Request) error {
	st, err := s.Sites.Site(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	figures, err := s.figures.of(r.Context(), []string{st.Name})
	if err != nil {
		return err
	}
	answer := newSiteJSON(st, figures[st.Name])
	if answer.SLO, err = s.sloOf(r.Context(), &st); err != nil {
		return err
	}
	return answerJSON(w, answer)
}
