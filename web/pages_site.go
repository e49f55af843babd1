package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sitemon"
)

const (
	// reportsShown is how many reports a site's page lists at once.
	reportsShown = 50
	// siteIncidents is how many incidents it lists.
	siteIncidents = 10
)

// sitePage is the page of one site.
type sitePage struct {
	layout
	Name   string
	Group  string
	Tags   []string
	Target string
	Link   string // the target as a link, "" where a browser can't open it
	Rhythm string // "http, every 30 s, timeout 5 s"
	State  siteSentence
	Day    string      // "p95 182 ms in 24 h, +9 % on a week before", "" where it is unknown or not asked for
	Shares []shareView // over 24 h, 7 d, 30 d, 90 d, 1 y
	Bars   *dayBars    // 90 days, nil where none is known or asked for
	Days   []dayLink   // one for each of the bars
	Opened *dayView    // the day that is opened, nil for none
	Chart  chartView
	Last   *lastReport
	// Locations are those that see it, where they are several.
	Locations    []locationRow
	Incidents    []incidentRow
	AllIncidents string      // where all of its incidents are, "" for none
	Values       []valueView // of the reports of the list
	List         reportList
	Happened     []siteEvent
	Definition   *definitionView // nil where it is not known or asked for
	Probe        probeView
	Beats        *beatsView // nil for sites that do not call us

	recent []sitemon.Incident // the newest
	edits  []definitionChange // of its definition, the newest first
}

// siteSentence says how the site is: "Up for 12 d 4 h · p95 182 ms · …".
type siteSentence struct {
	Status statusView
	Since  *ageView
	Reason string
	Error  string
	// Certificate is "certificate ends in 41 d".
	Certificate string
}

// lastReport is the newest report in full.
type lastReport struct {
	reportRow
	Location    string
	Lateness    string
	RemoteAddr  string
	Body        string
	Certificate string
	Monitor     string
	Generation  int64
}

// sitePage answers with one site's page.
func (s *Server) sitePage(w http.ResponseWriter, r *http.Request) error {
	ctx, query, parts := r.Context(), r.URL.Query(), partsOf(r)
	st, err := s.Sites.Site(ctx, r.PathValue("name"))
	if err != nil {
		return err
	}
	p := s.params(r)
	shown := p.chartWindow()
	opened, isOpen := p.day()
	asked := p.reportQuery()
	if p.err != nil {
		return p.err
	}
	list, reports, err := s.listReports(ctx, st.Name, st.Kind, query, asked)
	if err != nil {
		return err
	}
	d := newSitePage(st, s.layoutOf(r, "site", st.Name, "state", "day", "shares", "bars", "minutes", "heartbeats", "chart", "incidents", "locations", "last", "values", "reports", "happened", "definition"))
	d.Events = "/api/v1/events?site=" + url.QueryEscape(st.Name)
	d.List, d.Probe = list, s.probeButton(&d.layout, st)
	if parts.has("values") {
		d.Values = valueViews(reports)
	}
	if st.LastReport != nil {
		d.Last = newLastReport(st.Kind, *st.LastReport, s.Now())
	}
	if reports, err = s.newestReports(ctx, st, asked, reports, parts); err != nil {
		return err
	}
	d.State = newSiteSentence(st, reports, s.Now())
	d.Locations = locationRows(st.Kind, st.Locations, s.Now())
	if d.State.Status.Name == string(sitemon.StatusDown) {
		d.Icon = "favicon-down.svg"
	}
	if parts.has("definition", "happened", "chart") {
		if d.edits, err = s.definitionChanges(ctx, st.Name); err != nil {
			return err
		}
	}
	// Each fills in what is its own.
	err = together(ctx,
		func(ctx context.Context) error { return s.fillPast(ctx, &d, st, r, parts) },
		func(ctx context.Context) error { return s.fillCharts(ctx, &d, st.Name, shown, query, parts) },
		func(ctx context.Context) (err error) {
			if isOpen && parts.has("minutes") {
				d.Opened, err = s.openDay(ctx, st.Name, st.Kind, query, opened)
			}
			return err
		})
	if err != nil {
		return err
	}
	return s.render(w, http.StatusOK, "site", parts, d)
}

// fillPast fills in all that is known of the site's past but what is drawn of it.
func (s *Server) fillPast(ctx context.Context, d *sitePage, st sitemon.SiteState, r *http.Request, parts partSet) error {
	if err := s.fillFigures(ctx, d, st, parts); err != nil {
		return err
	}
	if err := s.fillBeats(ctx, d, st, r, parts); err != nil {
		return err
	}
	return s.fillHistory(ctx, d, parts)
}

// newestReports are reports of a site from the newest on, as far as its state needs
// them: those that are listed may be others, and old.
func (s *Server) newestReports(ctx context.Context, st sitemon.SiteState, listed reportQuery, reports []sitemon.Report, parts partSet) ([]sitemon.Report, error) {
	if st.LastReport == nil {
		return nil, nil
	}
	newest := []sitemon.Report{*st.LastReport}
	if listed.outcome == "" && listed.before == "" {
		return append(newest, reports...), nil
	}
	if !newest[0].CertificateExpiresAt.IsZero() || !parts.has("state") {
		return newest, nil
	}
	reports, _, err := s.History.Reports(ctx, sitemon.ReportQuery{Site: st.Name, Limit: reportsShown})
	return append(newest, reports...), err
}

// fillFigures fills in what sums up the site's history, as far as it is asked for.
func (s *Server) fillFigures(ctx context.Context, d *sitePage, st sitemon.SiteState, parts partSet) error {
	if parts.has("shares") {
		figures, err := s.years.of(ctx, []string{st.Name})
		if err != nil {
			return err
		}
		d.Shares = shareViews(figures[st.Name], len(figureNames))
	}
	if parts.has("incidents", "happened") {
		list, _, err := s.Incidents.Incidents(ctx, sitemon.IncidentQuery{Site: st.Name, Limit: siteIncidents})
		if err != nil {
			return err
		}
		d.recent, d.Incidents = list, incidentRows(list, s.Now())
		if len(list) > 0 {
			d.AllIncidents = incidentFilter{Site: st.Name}.url()
		}
	}
	if parts.has("day") {
		now, before, err := s.dayAndWeekBefore(ctx, st.Name)
		if err != nil {
			return err
		}
		d.Day = dayText(now, before)
	}
	return nil
}

func newSitePage(st sitemon.SiteState, l layout) sitePage {
	d := sitePage{layout: l, Name: st.Name, Group: st.Group, Tags: st.Tags, Target: sitemon.RedactURL(st.URL)}
	if st.Kind == sitemon.KindHTTP && d.Target == st.URL && !strings.Contains(st.URL, "${") {
		d.Link = st.URL
	}
	d.Rhythm = fmt.Sprintf("%s, every %s, timeout %s", st.Kind, spanText(st.Interval), spanText(st.Timeout))
	return d
}

// locationRow is the site as one location sees it.
type locationRow struct {
	Name          string
	Status        statusView
	Reason, Error string
	Since, Newest *ageView
}

// locationRows are nil where there is one location alone: it says what the site's
// status says.
func locationRows(kind sitemon.Kind, locations []sitemon.LocationState, now time.Time) []locationRow {
	if len(locations) < 2 {
		return nil
	}
	rows := make([]locationRow, len(locations))
	for i, l := range locations {
		rows[i] = locationRow{Name: l.Location, Status: newStatusView(l.Status), Since: newAgeView(l.Since, now), Newest: newAgeView(l.LastSlot, now)}
		if l.Status != sitemon.StatusUp {
			rows[i].Reason, rows[i].Error = reasonOf(kind, l.Reason), l.Error
		}
	}
	return rows
}

// spanText is a setting's duration: "30 s", "1.5 s", "5 min".
func spanText(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%g s", d.Seconds())
}

// newSiteSentence takes the newest certificate that the reports know of: a report
// that could not connect has none.
func newSiteSentence(st sitemon.SiteState, reports []sitemon.Report, now time.Time) siteSentence {
	v := siteSentence{Status: newStatusView(st.Status), Since: newAgeView(st.Since, now)}
	if st.Status != sitemon.StatusUp && st.Status != sitemon.StatusPaused {
		v.Reason, v.Error = reasonOf(st.Kind, st.Reason), st.Error
	}
	for _, r := range reports {
		if !r.CertificateExpiresAt.IsZero() {
			v.Certificate = "certificate " + endsText(r.CertificateExpiresAt, now)
			break
		}
	}
	return v
}

// endsText is "ends in 41 d" or "ended 3 d ago".
func endsText(t, now time.Time) string {
	if left := t.Sub(now); left > 0 {
		return "ends in " + ageText(left, false)
	}
	return "ended " + ageText(now.Sub(t), false) + " ago"
}

func newLastReport(kind sitemon.Kind, r sitemon.Report, now time.Time) *lastReport {
	l := &lastReport{
		reportRow: newReportRow(kind, r), Location: r.Location, RemoteAddr: r.RemoteAddr, Monitor: r.Monitor, Generation: r.Generation,
	}
	if !r.StartedAt.IsZero() {
		l.Lateness = latencyText(max(r.StartedAt.Sub(r.Slot), time.Microsecond))
	}
	if r.BodyBytes > 0 {
		l.Body = bytesText(r.BodyBytes)
		if r.BodyTruncated {
			l.Body = "the first " + l.Body
		}
	}
	if !r.CertificateExpiresAt.IsZero() {
		l.Certificate = endsText(r.CertificateExpiresAt, now)
	}
	return l
}

// bytesText is a size in the largest unit that leaves a whole number.
func bytesText(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
