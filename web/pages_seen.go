package web

import (
	"context"
	"net/http"
)

// seenKey is the key of a request's context under which the id of the last event is.
type seenKey struct{}

// following is the handler of a page that follows events. The id of the last event is
// noted before anything is read for the page, which carries it: its script compares it
// with that of the stream's first event, and fetches nothing where they are the same.
//
// The banner alone is answered without a look at the page. It is there to say that the
// database is away, from which the page could not be read.
func (s *Server) following(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		r = r.WithContext(context.WithValue(r.Context(), seenKey{}, s.Hub.Seen()))
		if parts := partsOf(r); len(parts) == 1 && parts[0] == "banner" {
			return s.render(w, http.StatusOK, "error", parts, errorPage{layout: s.layoutOf(r, "error", "")})
		}
		return h(w, r)
	}
}

// seenBefore is the id of the last event before the page was read, "" for one that
// follows none.
func seenBefore(r *http.Request) string {
	seen, _ := r.Context().Value(seenKey{}).(string)
	return seen
}
