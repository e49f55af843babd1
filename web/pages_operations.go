package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sitemon"
	"sitemon/web/auth"
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
	g, refused := s.Reloader.Running()
	d.Running = newGenerationView(g)
	d.Reloadable = s.principal(r).Role.Allows(auth.Operator) && s.Reloader.ReadsFile()
	if asked, err := strconv.ParseInt(r.URL.Query().Get("asked"), 10, 64); err == nil {
		d.Asked = newAskedView(time.UnixMilli(asked), reloads, refused)
	}
	for _, rl := range reloads {
		d.Reloads = append(d.Reloads, newReloadView(rl))
	}
	return s.render(w, http.StatusOK, "config", partsOf(r), d)
}

// reloadForm is what the button of the page sends: the sites file is read now, and
// the page says what came of it.
func (s *Server) reloadForm(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return bodyError(err)
	}
	asked := s.Now()
	_, err := s.Reloader.Reload(r.Context())
	if _, faulty := errors.AsType[sitemon.Problems](err); err != nil && !faulty {
		return s.reloadError(r, err)
	}
	http.Redirect(w, r, "/config?"+url.Values{"asked": {strconv.FormatInt(asked.UnixMilli(), 10)}}.Encode(), http.StatusSeeOther)
	return nil
}

// configPage is the page of the configuration.
type configPage struct {
	layout
	Running    generationView
	Reloadable bool
	Asked      *askedView
	Reloads    []reloadView
}

// askedView is what came of a reload that somebody has just asked for.
type askedView struct {
	Status statusView
	Text   string
}

// newAskedView looks for the reload among those that are known; nil: it is not there
// yet.
func newAskedView(asked time.Time, reloads []sitemon.Reload, refused *sitemon.Reload) *askedView {
	newest := refused
	if newest == nil || newest.At.Before(asked) {
		newest = nil
		if len(reloads) > 0 && !reloads[0].At.Before(asked) {
			newest = &reloads[0]
		}
	}
	switch {
	case newest == nil:
		return nil
	case !newest.Applied:
		return &askedView{statusView{"down", "Refused"}, "the running sites go on; " + plural(len(newest.Errors), "fault")}
	case newest.Added+newest.Changed+newest.Removed == 0:
		return &askedView{statusView{"up", "Read again"}, "no site has changed"}
	}
	return &askedView{statusView{"up", "Applied"}, newReloadView(*newest).Sum}
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
	Status     statusView
	Sum        string // "1 added, 2 changed, 5 unchanged"
	Duration   string
	Problems   []problemView
	Difference []differenceView
	Omitted    string // "and 3 more", or ""
}

// differenceView is what became of one site.
type differenceView struct {
	Sign string // "+", "~" or "−", which Word says too
	Word string
	Name string
	URL  string // "": the site is gone
	Note string
	Keys []sitemon.KeyChange
}

func newReloadView(r sitemon.Reload) reloadView {
	v := reloadView{
		Generation: r.Generation, At: newTimeView(r.At), Source: r.Source, Hash: shortHash(r.Hash), Status: statusView{"down", "Refused"},
		Duration: latencyText(time.Duration(r.DurationMS * float64(time.Millisecond))),
	}
	if r.Applied {
		v.Status = statusView{"up", "Applied"}
	}
	var sum []string
	for _, part := range []struct {
		n    int
		word string
	}{{r.Added, "added"}, {r.Changed, "changed"}, {r.Removed, "removed"}, {r.Unchanged, "unchanged"}} {
		if part.n > 0 {
			sum = append(sum, fmt.Sprintf("%d %s", part.n, part.word))
		}
	}
	v.Sum = strings.Join(sum, ", ")
	for _, p := range r.Errors {
		v.Problems = append(v.Problems, newProblemView(p))
	}
	if r.Difference != nil {
		v.addDifference(r.Difference)
	}
	return v
}

func (v *reloadView) addDifference(d *sitemon.Difference) {
	for _, name := range d.Added {
		v.Difference = append(v.Difference, differenceView{Sign: "+", Word: "added", Name: name, URL: siteURL(name)})
	}
	for _, c := range d.Changed {
		one := differenceView{Sign: "~", Word: "changed", Name: c.Name, URL: siteURL(c.Name), Keys: c.Values}
		if c.Rescheduled {
			one.Note = "probed at once"
		}
		v.Difference = append(v.Difference, one)
	}
	for _, name := range d.Removed {
		v.Difference = append(v.Difference, differenceView{Sign: "−", Word: "removed", Name: name})
	}
	if d.Omitted > 0 {
		v.Omitted = "and " + plural(d.Omitted, "more site")
	}
}

// shortHash is enough of a hash to tell it from its neighbours.
func shortHash(h string) string { return h[:min(len(h), 12)] }
