package web

import (
	"net/http"
	"time"

	"sitemon"
)

// shownReloads is how many reloads the page of the configuration lists.
const shownReloads = 50

// configPage shows the running generation and the history of reloads.
func (s *Server) configPage(w http.ResponseWriter, r *http.Request) error {
	d := configPage{layout: s.layoutOf(r, "config", "Configuration", "config")}
	reloads, err := s.Operations.Reloads(r.Context(), shownReloads)
	if err != nil {
		return err
	}
	g, _ := s.Reloader.Running()
	d.Running = newGenerationView(g)
	for _, rl := range reloads {
		d.Reloads = append(d.Reloads, newReloadView(rl))
	}
	return s.render(w, http.StatusOK, "config", partsOf(r), d)
}

// monitorsPage lists the processes that are alive.
func (s *Server) monitorsPage(w http.ResponseWriter, r *http.Request) error {
	d := monitorsPage{layout: s.layoutOf(r, "monitors", "Monitors", "monitors")}
	d.Poll = 10
	monitors, err := s.Operations.Monitors(r.Context(), s.Now())
	if err != nil {
		return err
	}
	for _, m := range monitors {
		d.Monitors = append(d.Monitors, newMonitorView(m, s.Now()))
	}
	return s.render(w, http.StatusOK, "monitors", partsOf(r), d)
}

// configPage is the page of the configuration.
type configPage struct {
	layout
	Running generationView
	Reloads []reloadView
}

type generationView struct {
	Number   int64
	Stored   bool
	Hash     string
	LoadedAt timeView
	Source   string
	Sites    int
}

func newGenerationView(g sitemon.Generation) generationView {
	return generationView{g.Number, isStored(g), shortHash(g.Hash), newTimeView(g.LoadedAt), g.Source, g.Sites}
}

// reloadView is one attempt to apply a sites file.
type reloadView struct {
	Generation int64
	At         timeView
	Source     string
	Hash       string
	Applied    bool
	Added      int
	Changed    int
	Removed    int
	Unchanged  int
	Duration   string
	Problems   []problemView
}

func newReloadView(r sitemon.Reload) reloadView {
	v := reloadView{
		Generation: r.Generation, At: newTimeView(r.At), Source: r.Source, Hash: shortHash(r.Hash), Applied: r.Applied,
		Added: r.Added, Changed: r.Changed, Removed: r.Removed, Unchanged: r.Unchanged,
		Duration: latencyText(time.Duration(r.DurationMS * float64(time.Millisecond))),
	}
	for _, p := range r.Errors {
		v.Problems = append(v.Problems, newProblemView(p))
	}
	return v
}

// shortHash is enough of a hash to tell it from its neighbours.
func shortHash(h string) string { return h[:min(len(h), 12)] }

// monitorsPage is the page of the monitors.
type monitorsPage struct {
	layout
	Monitors []monitorView
}

type monitorView struct {
	ID, Role, Location, Version string
	LastSeen                    *ageView
	Sites                       int
	LatenessP50, LatenessP99    string
	Spool                       int
}

func newMonitorView(m sitemon.Monitor, now time.Time) monitorView {
	return monitorView{
		m.ID, m.Role, m.Location, m.Version, newAgeView(m.LastSeen, now), m.Sites,
		latencyText(m.LatenessP50), latencyText(m.LatenessP99), m.Spool,
	}
}
