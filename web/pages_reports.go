package web

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"sitemon"
)

// reportList is a page of a site's reports, newest first.
type reportList struct {
	Rows    []reportRow
	Filters []filterLink
	Older   string // the address of the page behind, "" on the last
	Newest  string // the address of the first page, "" on it
	// Open is the report that is open, where it is not among the rows.
	Open *openReport
	// Several: there are reports of several locations.
	Several bool
}

// filterLink shows the reports of one outcome.
type filterLink struct {
	Status  statusView // Name "" for all of them
	URL     string
	Current bool
}

// openReport is a report that is open, or was asked for and is not there.
type openReport struct {
	Close  string        // the address of the page without it
	Detail *reportDetail // nil: there is none
}

// reportRow is one report in a list.
type reportRow struct {
	At       timeView
	Location string
	Status   statusView
	Reason   string
	Error    string
	Code     int
	Latency  string
	Strip    phaseStrip
	URL      string // opens it, or closes it where it is open
	Open     *openReport
}

// reportQuery is which reports of a site an address asks for.
type reportQuery struct {
	outcome  sitemon.Outcome
	before   string
	slot     time.Time // of the report that is open; zero: none
	location string    // of the same; "": whichever
}

// reportQuery reads it from the parameters of a page.
func (p *params) reportQuery() reportQuery {
	q := reportQuery{outcome: oneOf(p, "outcome", sitemon.Outcomes), before: p.text("before"), slot: p.instant("report"), location: p.text("location")}
	return q
}

// listReports reads a page of reports and the one that is open.
func (s *Server) listReports(ctx context.Context, site string, kind sitemon.Kind, query url.Values, q reportQuery) (l reportList, reports []sitemon.Report, err error) {
	reports, next, err := s.History.Reports(ctx, sitemon.ReportQuery{Site: site, Outcome: q.outcome, Before: q.before, Limit: reportsShown})
	if err != nil {
		return l, nil, err
	}
	l = newReportList(site, kind, query, q, reports, next)
	if q.slot.IsZero() {
		return l, reports, nil
	}
	open := &openReport{Close: siteAddress(site, query, "report", "", "location", "") + "#reports"}
	at := slices.IndexFunc(reports, q.isOpen)
	if at >= 0 {
		l.Rows[at].URL, l.Rows[at].Open = open.Close, open
		open.Detail, err = s.reportDetail(ctx, kind, &reports[at])
		return l, reports, err
	}
	l.Open = open
	of, _, err := s.History.Reports(ctx, sitemon.ReportQuery{Site: site, From: q.slot, To: q.slot.Add(time.Millisecond), Limit: reportsShown})
	if err != nil {
		return l, nil, err
	}
	if at = slices.IndexFunc(of, q.isOpen); at >= 0 {
		open.Detail, err = s.reportDetail(ctx, kind, &of[at])
	}
	return l, reports, err
}

// isOpen reports whether a report is the one that is open.
func (q reportQuery) isOpen(r sitemon.Report) bool {
	return r.Slot.Equal(q.slot) && (q.location == "" || q.location == r.Location)
}

func newReportList(site string, kind sitemon.Kind, query url.Values, q reportQuery, reports []sitemon.Report, next string) reportList {
	var l reportList
	for _, r := range reports {
		row := newReportRow(kind, r)
		row.URL = siteAddress(site, query, "report", row.At.Machine, "location", r.Location) + "#reports"
		l.Several = l.Several || r.Location != reports[0].Location
		l.Rows = append(l.Rows, row)
	}
	if next != "" {
		l.Older = siteAddress(site, query, "before", next, "report", "", "location", "") + "#reports"
	}
	if q.before != "" {
		l.Newest = siteAddress(site, query, "before", "", "report", "", "location", "") + "#reports"
	}
	for _, o := range append([]sitemon.Outcome{""}, sitemon.Outcomes...) {
		f := filterLink{Status: statusView{"", "All"}, Current: o == q.outcome}
		if o != "" {
			f.Status = newStatusView(o)
		}
		f.URL = siteAddress(site, query, "outcome", string(o), "before", "", "report", "", "location", "") + "#reports"
		l.Filters = append(l.Filters, f)
	}
	return l
}

func newReportRow(kind sitemon.Kind, r sitemon.Report) reportRow {
	row := reportRow{
		At: newTimeView(r.Slot), Location: r.Location, Status: newStatusView(r.Outcome), Error: r.Error, Code: r.StatusCode,
		Latency: latencyText(r.Duration), Strip: newPhaseStrip(r.Phases),
	}
	if r.Reason != "" {
		row.Reason = reasonOf(kind, r.Reason)
	}
	return row
}

// reportDetail reads what belongs to a report: its evidence, which an incident
// keeps, and what the site expects.
func (s *Server) reportDetail(ctx context.Context, kind sitemon.Kind, r *sitemon.Report) (*reportDetail, error) {
	evidence := r.Evidence
	if evidence == "" && r.Outcome == sitemon.OutcomeDown {
		var err error
		if evidence, err = s.evidenceOf(ctx, r); err != nil {
			return nil, err
		}
	}
	d, err := s.definitionOf(ctx, r.Site)
	if err != nil {
		return nil, err
	}
	return newReportDetail(kind, r, evidence, d, s.Now()), nil
}

// evidenceOf finds the evidence of a report among that of the incidents of its time.
func (s *Server) evidenceOf(ctx context.Context, r *sitemon.Report) (string, error) {
	const most = 3 // one at a time, but for those that end and begin with it
	list, _, err := s.Incidents.Incidents(ctx, sitemon.IncidentQuery{Site: r.Site, From: r.Slot, To: r.Slot.Add(time.Millisecond), Limit: most})
	if err != nil {
		return "", err
	}
	for i := range list {
		incident, err := s.Incidents.Incident(ctx, list[i].ID)
		if errors.Is(err, sitemon.ErrNotFound) {
			continue // it has just been withdrawn
		}
		if err != nil {
			return "", err
		}
		for _, e := range incident.Evidence {
			if e.Location == r.Location && e.Slot.Equal(r.Slot) {
				return e.Details, nil
			}
		}
	}
	return "", nil
}
