package web

import (
	"context"

	"sitemon"
)

// marksShown is how many marks of a kind the charts have at most: the newest.
const marksShown = 200

// chartMarks are what the charts of a site mark in a window.
func (s *Server) chartMarks(ctx context.Context, site string, w chartWindow, edits []definitionChange) ([]chartMark, error) {
	incidents, _, err := s.Incidents.Incidents(ctx, sitemon.IncidentQuery{Site: site, From: w.from, To: w.to, Limit: marksShown})
	if err != nil {
		return nil, err
	}
	marks := make([]chartMark, 0, len(incidents))
	for _, i := range incidents {
		until := i.EndedAt
		if until.IsZero() {
			until = w.now
		}
		marks = append(marks, chartMark{At: i.StartedAt.UTC(), Until: until.UTC(), Kind: "incident", Text: "incident: " + incidentReason(&i), Href: incidentURL(i.ID)})
	}
	return append(marks, definitionMarks(edits, w.from, w.to)...), nil
}
