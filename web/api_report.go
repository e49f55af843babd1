package web

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"sitemon"
	"sitemon/availability"
)

// getReport sums up all sites over a month, or another window.
func (s *Server) getReport(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	from, to := p.reportWindow()
	included := p.maintenance()
	if p.err != nil {
		return p.err
	}
	report, err := s.report(r.Context(), availability.Query{From: from, To: to, Step: to.Sub(from), MaintenanceIncluded: included})
	if err != nil {
		return err
	}
	return answerJSON(w, report)
}

// reportWindow reads month, or from and to; by default it is the month that runs.
// Months are those of tz.
func (p *params) reportWindow() (from, to time.Time) {
	zone := p.zone("tz")
	if zone == nil {
		zone = time.UTC
	}
	switch {
	case p.values.Has("from") || p.values.Has("to"):
		if p.values.Has("month") {
			p.fail("month", "goes not together with from and to")
		}
		from, to = p.instant("from"), p.instant("to")
	default:
		first := p.now.In(zone)
		if v := p.values.Get("month"); v != "" {
			t, err := time.ParseInLocation("2006-01", v, zone)
			if err != nil {
				p.fail("month", "%q is not a month such as 2026-11", v)
			}
			first = t
		}
		from = time.Date(first.Year(), first.Month(), 1, 0, 0, 0, 0, zone).UTC()
		if !from.Before(p.now) {
			p.fail("month", "%q has not begun", p.values.Get("month"))
		}
		to = time.Date(first.Year(), first.Month()+1, 1, 0, 0, 0, 0, zone).UTC()
	}
	if to.IsZero() || to.After(p.now) {
		to = p.now.UTC()
	}
	switch {
	case p.err != nil:
	case from.IsZero():
		p.fail("from", "is missing")
	case !from.Before(to):
		p.fail("from", "is not before the end of the window, which is now at the latest")
	case to.Sub(from) < availability.MinStep:
		p.fail("from", "is less than a minute before the end of the window")
	}
	return from, to
}

// maintenance reads whether time in maintenance counts like any other.
func (p *params) maintenance() bool {
	switch v := p.values.Get("maintenance"); v {
	case "", "exclude":
		return false
	case "include":
		return true
	default:
		p.fail("maintenance", "%q is neither exclude nor include", v)
		return false
	}
}

type reportJSON struct {
	From      time.Time         `json:"from"`
	To        time.Time         `json:"to"`
	Total     reportSumJSON     `json:"total"`
	Groups    []reportGroupJSON `json:"groups"`
	Sites     []reportSiteJSON  `json:"sites"`
	Incidents []incidentJSON    `json:"incidents"`
}

// reportSumJSON is what some sites come to together.
type reportSumJSON struct {
	availability.Figure
	UpS          float64      `json:"up_s"`
	DegradedS    float64      `json:"degraded_s"`
	DownS        float64      `json:"down_s"`
	UnknownS     float64      `json:"unknown_s"`
	MaintenanceS float64      `json:"maintenance_s"`
	Reports      int          `json:"reports"`
	Incidents    int          `json:"incidents"`
	LatencyUS    *latencyJSON `json:"latency_us,omitempty"`
}

type reportGroupJSON struct {
	Group string `json:"group"`
	Sites int    `json:"sites"`
	reportSumJSON
}

type reportSiteJSON struct {
	Site  string `json:"site"`
	Group string `json:"group"`
	reportSumJSON
}

// newReportSum is the form of a window and its incidents.
func newReportSum(b availability.Bucket, incidents int) reportSumJSON {
	j := reportSumJSON{
		Figure: b.Figure, UpS: b.Up.Seconds(), DegradedS: b.Degraded.Seconds(), DownS: b.Down.Seconds(),
		UnknownS: b.Unknown.Seconds(), MaintenanceS: b.Maintenance.Seconds(), Reports: b.Reports, Incidents: incidents,
	}
	if b.Latency != nil {
		j.LatencyUS = newLatencyJSON(b.Latency, false)
	}
	return j
}

// groupSum adds up the time of several sites: an hour of two sites is two hours.
type groupSum struct {
	sum              availability.Sum
	sites, incidents int
}

func (g *groupSum) add(s availability.Sum, incidents int) {
	g.sum.Merge(s)
	g.sites++
	g.incidents += incidents
}

func (g *groupSum) json() reportSumJSON {
	var begin time.Time
	return newReportSum(availability.Span{From: begin, To: begin.Add(g.sum.Width()), Sum: g.sum}.Bucket(), g.incidents)
}

// report asks for one site after another: each costs some rows of its sums.
func (s *Server) report(ctx context.Context, q availability.Query) (reportJSON, error) {
	j := reportJSON{From: q.From, To: q.To, Groups: []reportGroupJSON{}, Sites: []reportSiteJSON{}, Incidents: []incidentJSON{}}
	sites, err := s.Sites.Sites(ctx, sitemon.SiteQuery{Brief: true})
	if err != nil {
		return j, err
	}
	count := map[string]int{}
	err = s.eachIncident(ctx, q.From, q.To, func(i *sitemon.Incident) {
		j.Incidents = append(j.Incidents, newIncidentJSON(i))
		count[i.Site]++
	})
	if err != nil {
		return j, err
	}
	groups, total := map[string]*groupSum{}, &groupSum{}
	for _, st := range sites {
		q.Site = st.Name
		res, err := s.History.Availability(ctx, q)
		if err != nil {
			return j, err
		}
		n := count[st.Name]
		j.Sites = append(j.Sites, reportSiteJSON{st.Name, st.Group, newReportSum(res.Total, n)})
		if groups[st.Group] == nil {
			groups[st.Group] = &groupSum{}
		}
		groups[st.Group].add(res.Sum, n)
		total.add(res.Sum, n)
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		j.Groups = append(j.Groups, reportGroupJSON{name, groups[name].sites, groups[name].json()})
	}
	j.Total = total.json()
	return j, nil
}

// eachIncident calls f for the incidents that touch a window, newest first.
func (s *Server) eachIncident(ctx context.Context, from, to time.Time, f func(*sitemon.Incident)) error {
	for q := (sitemon.IncidentQuery{From: from, To: to, Limit: defaultLimit}); ; {
		page, next, err := s.Incidents.Incidents(ctx, q)
		if err != nil {
			return err
		}
		for i := range page {
			f(&page[i])
		}
		if q.Cursor = next; next == "" {
			return nil
		}
	}
}
