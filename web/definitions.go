package web

import (
	"encoding/json"
	"net/http"
)

// SiteDefinition is the definition of one site as it is stored, without credentials.
type SiteDefinition struct {
	Name   string `json:"name"`
	Source string `json:"source"` // the document that owns the site; "" for a row put in by hand
	// Definition is its canonical JSON, the section defaults applied, ${…} unexpanded.
	Definition json.RawMessage `json:"definition"`
	// Redacted are the keys of it in which credentials were replaced.
	Redacted []string `json:"redacted,omitempty"`
}

// definitionsJSON is a page of definitions as the API shows it.
type definitionsJSON struct {
	Generation  int64            `json:"generation"` // that they are of
	Definitions []SiteDefinition `json:"definitions"`
	Next        string           `json:"next,omitempty"`
}

// getDefinitions lists the definitions of all sites by name, a page at a time.
func (s *Server) getDefinitions(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	after, limit := p.cursor(), p.limit(defaultLimit)
	if p.err != nil {
		return p.err
	}
	if s.Definitions == nil {
		return problemf(http.StatusNotFound, "this process does not know definitions")
	}
	list, generation, err := s.Definitions.Definitions(r.Context(), after, limit+1)
	if err != nil {
		return err
	}
	answer := definitionsJSON{Generation: generation, Definitions: list}
	if len(list) > limit {
		answer.Definitions, answer.Next = list[:limit], newCursor(list[limit-1].Name)
	}
	if answer.Definitions == nil {
		answer.Definitions = []SiteDefinition{}
	}
	return answerJSON(w, answer)
}
