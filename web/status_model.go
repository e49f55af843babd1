package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/maintenance"
)

const (
	// statusIncidentDays is how far back a status page lists incidents.
	statusIncidentDays = 14
	// statusPlanDays is how far ahead it lists maintenance.
	statusPlanDays = 30
	// statusIncidents is of how many incidents of all sites, the newest, each page lists
	// its own.
	statusIncidents = 2000
)

// statusModel is all that a status page shows, and nothing that strangers are not to
// know: no addresses, no texts of errors, no evidence, no comments. It is also the
// answer of the page's JSON.
type statusModel struct {
	Path        string              `json:"path"`
	Title       string              `json:"title"`
	Description string              `json:"description"`
	Timezone    string              `json:"timezone"`
	Status      sitemon.Status      `json:"status"` // the worst of all components
	Summary     string              `json:"summary"`
	AsOf        time.Time           `json:"as_of"`
	Components  []statusComponent   `json:"components"`
	Incidents   []statusIncident    `json:"incidents"`
	Maintenance []statusMaintenance `json:"maintenance"`

	Public bool   `json:"-"`
	Logo   string `json:"-"`
}

// statusComponent is a site.
type statusComponent struct {
	Name         string         `json:"name"`
	Group        string         `json:"group"`
	Status       sitemon.Status `json:"status"`
	Since        *time.Time     `json:"since"`
	Availability *float64       `json:"availability"` // over 90 days; null: nothing is known
	Coverage     float64        `json:"coverage"`
	Days         []statusDay    `json:"days"`
}

// statusDay is a day of a component, in seconds.
type statusDay struct {
	Start       time.Time `json:"start"`
	Up          float64   `json:"up_s"`
	Degraded    float64   `json:"degraded_s"`
	Down        float64   `json:"down_s"`
	Unknown     float64   `json:"unknown_s"`
	Maintenance float64   `json:"maintenance_s"`
}

// statusIncident is a time in which a component was down.
type statusIncident struct {
	ID        int64      `json:"id"`
	Component string     `json:"component"`
	Reason    string     `json:"reason"` // in words
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at"` // null: it goes on
}

// statusMaintenance is one that goes on or is planned.
type statusMaintenance struct {
	Title      string    `json:"title"`
	Start      time.Time `json:"start"`
	End        time.Time `json:"end"`
	Components []string  `json:"components"`
}

// zone is the page's time zone, which the file's check has found.
func (m *statusModel) zone() *time.Location {
	if z, err := time.LoadLocation(m.Timezone); err == nil {
		return z
	}
	return time.UTC
}

// statusRead is what all status pages are made of, read once for all of them.
type statusRead struct {
	sites     []sitemon.SiteState
	incidents []sitemon.Incident // the newest first
}

// readStatus reads the sites, and the incidents that a page may list.
func (s *Server) readStatus(ctx context.Context) (all statusRead, err error) {
	if all.sites, err = s.Sites.Sites(ctx, sitemon.SiteQuery{Brief: true}); err != nil {
		return all, err
	}
	now := s.Now()
	all.incidents, _, err = s.Incidents.Incidents(ctx, sitemon.IncidentQuery{From: now.Add(-statusIncidentDays * day), To: now.Add(time.Second), Limit: statusIncidents})
	return all, err
}

// newStatusModel makes what a page shows now.
func (s *Server) newStatusModel(ctx context.Context, doc sitemon.Document, p sitemon.StatusPage, all statusRead) (*statusModel, error) {
	now := s.Now().UTC()
	m := &statusModel{
		Path: p.Path, Title: p.Title, Description: p.Description, Timezone: cmp.Or(p.Timezone, "UTC"), AsOf: now.Truncate(time.Second), Public: p.Public, Logo: p.Logo,
		Components: []statusComponent{}, Incidents: []statusIncident{}, Maintenance: []statusMaintenance{},
	}
	var shown []sitemon.SiteState
	for _, st := range all.sites {
		if st.Source == doc.Source && p.Shows(st.Name, st.Group, st.Tags) {
			shown = append(shown, st)
		}
	}
	if err := s.addComponents(ctx, m, shown, now); err != nil {
		return nil, err
	}
	m.addIncidents(all.incidents)
	m.addMaintenance(doc.Maintenance, shown, now)
	m.Status, m.Summary = statusSummary(shown)
	return m, nil
}

// addComponents adds the sites, group by group, with their days.
func (s *Server) addComponents(ctx context.Context, m *statusModel, shown []sitemon.SiteState, now time.Time) error {
	if len(shown) == 0 {
		return nil
	}
	names := make([]string, len(shown))
	for i := range shown {
		names[i] = shown[i].Name
	}
	zone := m.zone()
	y, month, d := now.In(zone).Date()
	series, err := s.History.Series(ctx, availability.SeriesQuery{
		Names: names, From: time.Date(y, month, d-barDays+1, 0, 0, 0, 0, zone), To: now, Step: day, Zone: zone,
	})
	if err != nil {
		return err
	}
	for i := range shown {
		st := &shown[i]
		c := statusComponent{Name: st.Name, Group: st.Group, Status: st.Status, Days: []statusDay{}}
		if !st.Since.IsZero() {
			c.Since = &st.Since
		}
		var sum availability.Sum
		for _, b := range series[st.Name] {
			sum.Merge(availability.Sum{Up: b.Up, Degraded: b.Degraded, Down: b.Down, Unknown: b.Unknown, Maintenance: b.Maintenance})
			c.Days = append(c.Days, statusDay{
				b.Start, b.Up.Seconds(), b.Degraded.Seconds(), b.Down.Seconds(), b.Unknown.Seconds(), b.Maintenance.Seconds(),
			})
		}
		f := sum.Figure(sum.Width())
		c.Availability, c.Coverage = f.Availability, f.Coverage
		m.Components = append(m.Components, c)
	}
	slices.SortStableFunc(m.Components, func(a, b statusComponent) int {
		if (a.Group == "") != (b.Group == "") {
			return strings.Compare(b.Group, a.Group) // those without a group last
		}
		return strings.Compare(a.Group, b.Group)
	})
	return nil
}

// addIncidents adds those of its components.
func (m *statusModel) addIncidents(all []sitemon.Incident) {
	mine := make(map[string]bool, len(m.Components))
	for _, c := range m.Components {
		mine[c.Name] = true
	}
	for i := range all {
		in := &all[i]
		if in.Withdrawn || !mine[in.Site] {
			continue
		}
		one := statusIncident{ID: in.ID, Component: in.Site, Reason: incidentReason(in), StartedAt: in.StartedAt}
		if !in.EndedAt.IsZero() {
			one.EndedAt = &in.EndedAt
		}
		m.Incidents = append(m.Incidents, one)
	}
}

// addMaintenance adds what goes on and what is planned for components.
func (m *statusModel) addMaintenance(planned []sitemon.Maintenance, shown []sitemon.SiteState, now time.Time) {
	for _, one := range planned {
		w, err := maintenance.Parse(one)
		if err != nil {
			continue // the file's check has found it good; an older program may have not
		}
		var names []string
		for i := range shown {
			if w.Covers(shown[i].Name, shown[i].Group, shown[i].Tags) {
				names = append(names, shown[i].Name)
			}
		}
		if names == nil {
			continue
		}
		for _, o := range w.Between(now, now.Add(statusPlanDays*day)) {
			m.Maintenance = append(m.Maintenance, statusMaintenance{one.Title, o.Start, o.End, names})
		}
	}
	slices.SortStableFunc(m.Maintenance, func(a, b statusMaintenance) int { return a.Start.Compare(b.Start) })
}

// worstStatus is the worst of some statuses. Those that are paused say nothing, unless
// all are.
func worstStatus(counts map[sitemon.Status]int) sitemon.Status {
	for _, st := range sitemon.Statuses { // the worst first
		if counts[st] > 0 && st != sitemon.StatusPaused {
			return st
		}
	}
	return sitemon.StatusPaused
}

// statusSummary is the worst status, and how all is in words.
func statusSummary(shown []sitemon.SiteState) (sitemon.Status, string) {
	counts := map[sitemon.Status]int{}
	for i := range shown {
		counts[shown[i].Status]++
	}
	worst := worstStatus(counts)
	n, of := counts[worst], len(shown)
	switch {
	case of == 0:
		return sitemon.StatusUnknown, "No components"
	case worst == sitemon.StatusUp:
		return worst, "All systems operational"
	case worst == sitemon.StatusMaintenance:
		return worst, fmt.Sprintf("%s in maintenance", plural(n, "component"))
	case worst == sitemon.StatusUnknown && n == of:
		return worst, "The state of all components is unknown"
	case n == of:
		return worst, fmt.Sprintf("All %s %s", plural(n, "component"), worst)
	}
	return worst, fmt.Sprintf("%d of %s %s", n, plural(of, "component"), worst)
}
