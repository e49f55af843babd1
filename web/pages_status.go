package web

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sitemon"
	"sitemon/availability"
)

// statusPage is a status page as it is rendered.
type statusPage struct {
	Page, Assets, Icon string
	Title              string
	Description        string
	Path               string // of the page itself
	Logo               string // the address of its logo, or ""
	Status             statusView
	Summary            string
	AsOf               string // in the page's time zone
	Machine            string
	Old                bool // the database is away
	Zone               string
	Groups             []statusGroupView
	Going              []statusMaintenanceView // maintenance that goes on
	Planned            []statusMaintenanceView
	Open               []statusIncidentView
	Days               []statusDayView // of incidents, the newest first
	Parts, Events      string
	Poll               int
}

// statusGroupView is a group of components.
type statusGroupView struct {
	Name       string // "" for those without
	Status     statusView
	Note       string // "4 components, 1 down"
	Components []statusComponentView
}

type statusComponentView struct {
	Name   string
	Status statusView
	Share  shareView
	Bars   *dayBars
}

type statusMaintenanceView struct {
	ID, Title, Times, Components string
}

type statusIncidentView struct {
	ID, Component, Reason, Times, Lasted string
	Status                               statusView
}

// statusDayView are the incidents that began on one day.
type statusDayView struct {
	Date      string
	Incidents []statusIncidentView
}

// statusRoutes are the pages for the public, with their feeds. Each checks itself
// who may see it.
func (s *Server) statusRoutes() []route {
	of := func(show func(w http.ResponseWriter, r *http.Request, m *statusModel) error) handler {
		return func(w http.ResponseWriter, r *http.Request) error {
			m, _, err := s.status.of(r, r.PathValue("path"))
			if err != nil {
				return err
			}
			return show(w, r, m)
		}
	}
	return []route{
		{"GET", "/status/{path}", classStatus, nil, s.statusPageOrJSON},
		{"GET", "/status/{path}/feed.atom", classStatus, nil, of(statusAtom)},
		{"GET", "/status/{path}/feed.rss", classStatus, nil, of(statusRSS)},
		{"GET", "/status/{path}/maintenance.ics", classStatus, nil, of(statusCalendar)},
		{"GET", "/status/{path}/logo", classStatus, nil, of(statusLogo)},
		{"GET", "/status/{path}/embed", classStatus, nil, of(s.statusEmbed)},
	}
}

// statusPageOrJSON answers with a page, or with its JSON where the path ends so.
func (s *Server) statusPageOrJSON(w http.ResponseWriter, r *http.Request) error {
	path, wantsJSON := strings.CutSuffix(r.PathValue("path"), ".json")
	m, old, err := s.status.of(r, path)
	if err != nil {
		return err
	}
	if wantsJSON {
		return answerStatusJSON(w, r, m, old)
	}
	return s.render(w, http.StatusOK, "status", partsOf(r), s.newStatusPage(m, old))
}

// statusEmbed answers with a line that other pages may frame, if the page is public.
func (s *Server) statusEmbed(w http.ResponseWriter, _ *http.Request, m *statusModel) error {
	if m.Public {
		h := w.Header()
		h.Del("X-Frame-Options")
		h.Set("Content-Security-Policy", strings.Replace(contentSecurityPolicy, "frame-ancestors 'none'", "frame-ancestors *", 1))
	}
	d := s.newStatusPage(m, s.Now().Sub(m.AsOf) > statusOld)
	d.Page = "embed"
	return s.render(w, http.StatusOK, "embed", nil, d)
}

// statusLogo answers with the page's logo. It can be a drawing, which nothing of may
// run.
func statusLogo(w http.ResponseWriter, _ *http.Request, m *statusModel) error {
	kind, text, ok := strings.Cut(strings.TrimPrefix(m.Logo, "data:"), ";base64,")
	image, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || m.Logo == "" {
		return errNoRoute
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(image)))
	h.Set("Cache-Control", cacheFor(m.Public, "max-age=3600"))
	_, _ = w.Write(image) // the client may be gone; there is nobody to tell
	return nil
}

func (s *Server) newStatusPage(m *statusModel, old bool) statusPage {
	now := s.Now()
	zone := m.zone()
	d := statusPage{
		Page: "status", Assets: s.pages.assets.base, Icon: "favicon.svg", Title: m.Title, Description: m.Description, Path: "/status/" + m.Path,
		Status: newStatusView(m.Status), Summary: m.Summary, AsOf: m.AsOf.In(zone).Format("2006-01-02 15:04:05 MST"), Machine: m.AsOf.Format(sitemon.SlotFormat),
		Old: old, Zone: zone.String(), Parts: "status", Poll: 30,
	}
	if m.Status == sitemon.StatusDown {
		d.Icon = "favicon-down.svg"
	}
	if m.Logo != "" {
		d.Logo = d.Path + "/logo"
	}
	d.Groups = statusGroups(m)
	for _, p := range m.Maintenance {
		v := statusMaintenanceView{
			p.id(), p.Title, timesText(p.Start, p.End, zone), isolatedList(p.Components),
		}
		if p.Start.After(now) {
			d.Planned = append(d.Planned, v)
		} else {
			d.Going = append(d.Going, v)
		}
	}
	for _, i := range m.Incidents {
		v := statusIncidentView{ID: i.id(), Component: i.Component, Reason: i.Reason, Status: statusView{"open", "Open"}}
		if i.EndedAt == nil {
			v.Times = "since " + m.clock(i.StartedAt)
			v.Lasted = ageText(now.Sub(i.StartedAt), true)
			d.Open = append(d.Open, v)
			continue
		}
		v.Status, v.Times, v.Lasted = statusView{"resolved", "Resolved"}, timesText(i.StartedAt, *i.EndedAt, zone), ageText(i.EndedAt.Sub(i.StartedAt), true)
		date := i.StartedAt.In(zone).Format("Monday, 2 January 2006")
		if n := len(d.Days); n == 0 || d.Days[n-1].Date != date {
			d.Days = append(d.Days, statusDayView{Date: date})
		}
		d.Days[len(d.Days)-1].Incidents = append(d.Days[len(d.Days)-1].Incidents, v)
	}
	return d
}

// statusGroups are the components by group, in the order of the model.
func statusGroups(m *statusModel) (groups []statusGroupView) {
	var states [][]*sitemon.SiteState
	for i := range m.Components {
		c := &m.Components[i]
		if i == 0 || m.Components[i-1].Group != c.Group {
			groups, states = append(groups, statusGroupView{Name: c.Group}), append(states, nil)
		}
		days := make([]availability.SeriesBucket, len(c.Days))
		for k, one := range c.Days {
			days[k] = availability.SeriesBucket{
				Start: one.Start.In(m.zone()), Up: seconds(one.Up), Degraded: seconds(one.Degraded), Down: seconds(one.Down), Unknown: seconds(one.Unknown), Maintenance: seconds(one.Maintenance),
			}
		}
		g := len(groups) - 1
		groups[g].Components = append(groups[g].Components, statusComponentView{
			c.Name, newStatusView(c.Status), newShareView("90 d", availability.Figure{Availability: c.Availability, Coverage: c.Coverage}), newDayBars(days),
		})
		states[g] = append(states[g], &sitemon.SiteState{Status: c.Status})
	}
	for g := range groups {
		counts := map[sitemon.Status]int{}
		for _, st := range states[g] {
			counts[st.Status]++
		}
		groups[g].Status, groups[g].Note = newStatusView(worstStatus(counts)), strings.Replace(groupNote(states[g]), "site", "component", 1)
	}
	return groups
}

// seconds is a duration of so many.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// timesText is "2026-12-01 22:00 to 23:30 CET".
func timesText(from, to time.Time, zone *time.Location) string {
	from, to = from.In(zone), to.In(zone)
	form := "15:04 MST"
	if from.YearDay() != to.YearDay() || from.Year() != to.Year() {
		form = "2006-01-02 15:04 MST"
	}
	return from.Format("2006-01-02 15:04") + " to " + to.Format(form)
}
