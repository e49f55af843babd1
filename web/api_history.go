package web

import (
	"errors"
	"net/http"
	"time"

	"sitemon"
	"sitemon/availability"
)

// getReports lists a site's reports, newest first, a page at a time.
func (s *Server) getReports(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	q := sitemon.ReportQuery{
		Site: r.PathValue("name"), From: p.instant("from"), To: p.instant("to"),
		Outcome: oneOf(p, "outcome", sitemon.Outcomes), Before: p.text("cursor"), Limit: p.limit(defaultReportLimit),
	}
	if p.err == nil && !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		p.fail("from", "is not before to")
	}
	if p.err != nil {
		return p.err
	}
	if _, err := s.Sites.Site(r.Context(), q.Site); err != nil {
		return err
	}
	reports, next, err := s.History.Reports(r.Context(), q)
	if errors.Is(err, sitemon.ErrInvalid) && q.Before != "" {
		return badParameter("cursor", "%q is not one that an answer gave as next", q.Before)
	}
	if err != nil {
		return err
	}
	if reports == nil {
		reports = []sitemon.Report{}
	}
	return answerJSON(w, reportsJSON{reports, next})
}

// getAvailability sums up a site over a window.
func (s *Server) getAvailability(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	q, histogram := p.window(), p.flag("histogram")
	q.Site = r.PathValue("name")
	if p.err != nil {
		return p.err
	}
	if _, err := s.Sites.Site(r.Context(), q.Site); err != nil {
		return err
	}
	result, err := s.History.Availability(r.Context(), q)
	if err != nil {
		return err
	}
	return answerJSON(w, newWindowJSON(result, histogram))
}

const (
	day     = 24 * time.Hour
	maxStep = 366 * day
)

// window reads from, to, step, tz and maintenance. The window is the last day unless set, and
// ends now at the latest.
func (p *params) window() availability.Query {
	q := availability.Query{From: p.instant("from"), To: p.instant("to"), Step: p.duration("step"), Zone: p.zone("tz"), MaintenanceIncluded: p.maintenance()}
	if q.To.IsZero() || q.To.After(p.now) {
		q.To = p.now
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-day)
	}
	q.From, q.To = q.From.UTC(), q.To.UTC()
	if !p.values.Has("step") {
		q.Step = availability.DefaultStep(q.To.Sub(q.From))
		if q.Zone != nil {
			q.Step = max(q.Step, day)
		}
	}
	switch {
	case p.err != nil:
	case !q.From.Before(q.To):
		p.fail("from", "is not before to, or not before now")
	case q.From.Year() < 1970:
		p.fail("from", "is before the year 1970")
	case q.Step < availability.MinStep || q.Step > maxStep:
		p.fail("step", "is not between 1m and 366d")
	case q.To.Sub(q.From)/q.Step > availability.MaxBuckets:
		p.fail("step", "makes more than %d buckets of this window", availability.MaxBuckets)
	case q.Zone != nil && q.Step%day != 0:
		p.fail("tz", "needs a step of whole days")
	}
	return q
}
