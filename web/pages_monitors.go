package web

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"sitemon"
)

// clockWorth is from what difference on a clock's is worth showing.
const clockWorth = 100 * time.Millisecond

// monitorsPage lists the processes that are alive, and those that were until lately.
func (s *Server) monitorsPage(w http.ResponseWriter, r *http.Request) error {
	d := monitorsPage{layout: s.layoutOf(r, "monitors", "Monitors", "monitors")}
	d.Poll = 10
	now := s.Now()
	monitors, err := s.Operations.MonitorsSince(r.Context(), now.Add(-goneFor))
	if err != nil {
		return err
	}
	counts, err := s.coverageByLocation(r.Context())
	if err != nil {
		return err
	}
	d.Locations = newLocationViews(monitors, counts, now)
	for _, m := range monitors {
		if alive(m, now) {
			d.Monitors = append(d.Monitors, newMonitorView(m, now))
		} else {
			d.Gone = append(d.Gone, newGoneView(m, monitors, now))
		}
	}
	slices.SortStableFunc(d.Gone, func(a, b goneView) int { return strings.Compare(b.LastSeen.Machine, a.LastSeen.Machine) })
	d.State = monitorsState(d.Monitors, d.Notices, d.Locations)
	return s.render(w, http.StatusOK, "monitors", partsOf(r), d)
}

// monitorsPage is the page of the monitors.
type monitorsPage struct {
	layout
	State     stateView
	Locations []locationView
	Monitors  []monitorView
	Gone      []goneView
}

// stateView is how all is, in a word and a sentence.
type stateView struct {
	Status statusView
	Text   string
}

func monitorsState(monitors []monitorView, notices []noticeView, locations []locationView) stateView {
	low := slices.IndexFunc(locations, func(l locationView) bool { return l.Coverage.Low != nil })
	switch {
	case len(monitors) == 0:
		return stateView{statusView{"unknown", "Nothing"}, "no process has said that it lives"}
	case len(notices) > 0:
		return stateView{statusView{"degraded", "Trouble"}, "the problems are at the top of the page"}
	case low >= 0:
		l := &locations[low]
		return stateView{statusView{"degraded", "Low coverage"}, "at location " + l.Name + ", in the last 24 hours, " + l.Coverage.Missing}
	}
	return stateView{statusView{"up", "Good"}, plural(len(monitors), "process") + " alive, and nothing is wrong with any"}
}

// monitorView is a process that is alive.
type monitorView struct {
	ID, Role, Location, Version string
	LastSeen                    *ageView
	Started                     *ageView
	Probes                      bool // it has what follows
	Sites                       int
	Shards                      string // "21 of 64", or ""
	LatenessP50, LatenessP99    string
	Waiting                     string // "12, the oldest for 3 s"
	Clock                       string // "20 ms ahead", or ""
	Records                     bool   // it has what follows
	Lag                         int64
	Results                     sitemon.Results
	Problems                    []string
}

func newMonitorView(m sitemon.Monitor, now time.Time) monitorView {
	v := monitorView{
		ID: m.ID, Role: m.Role, Location: m.Location, Version: m.Version, LastSeen: newAgeView(m.LastSeen, now), Started: newAgeView(m.StartedAt, now),
		Probes: probing(m), Sites: m.Sites, LatenessP50: latencyText(m.LatenessP50), LatenessP99: latencyText(m.LatenessP99), Waiting: fmt.Sprint(m.Spool),
		Records: recording(m), Lag: m.Lag, Results: m.Results, Problems: m.Problems,
	}
	if m.ShardsOf > 0 {
		v.Shards = fmt.Sprintf("%d of %d", m.Shards, m.ShardsOf)
	}
	if m.Spool > 0 && m.SpoolOldest >= time.Second {
		v.Waiting += ", the oldest for " + ageText(m.SpoolOldest, false)
	}
	switch ahead := m.ClockAhead; {
	case ahead >= clockWorth:
		v.Clock = shortText(ahead) + " ahead"
	case ahead <= -clockWorth:
		v.Clock = shortText(-ahead) + " behind"
	default:
		v.Clock = "as the store's"
	}
	return v
}

// shortText is a duration that may be less than a second.
func shortText(d time.Duration) string {
	if d < 10*time.Second {
		return latencyText(d)
	}
	return ageText(d, true)
}

// goneView is a process that is not alive any more.
type goneView struct {
	ID, Role, Location, Version string
	LastSeen                    *ageView
	Status                      statusView
}

func newGoneView(m sitemon.Monitor, all []sitemon.Monitor, now time.Time) goneView {
	v := goneView{m.ID, m.Role, m.Location, m.Version, newAgeView(m.LastSeen, now), statusView{"paused", "Stopped"}}
	if !m.Stopped {
		v.Status = statusView{"unknown", "Silent"}
		if _, alone := silence(m, all, now); alone {
			v.Status = statusView{"down", "Silent"}
		}
	}
	return v
}

// locationView is a place from which sites are probed, or were until lately.
type locationView struct {
	Name     string
	Monitors int // that are alive
	Sites    int // that they probe
	Status   statusView
	Coverage coverageView
}

// newLocationViews are the places of the monitors, by name.
func newLocationViews(monitors []sitemon.Monitor, counts map[string]sitemon.LocationCoverage, now time.Time) []locationView {
	places := map[string]*locationView{}
	for _, m := range monitors {
		if !probing(m) {
			continue
		}
		v := places[m.Location]
		if v == nil {
			v = &locationView{Name: m.Location, Status: statusView{"down", "Not probed"}, Coverage: newCoverageView(counts[m.Location])}
			places[m.Location] = v
		}
		if alive(m, now) {
			v.Monitors++
			v.Sites += m.Sites
			v.Status = statusView{"up", "Probed"}
		}
	}
	var views []locationView
	for _, name := range slices.Sorted(maps.Keys(places)) {
		views = append(views, *places[name])
	}
	return views
}
