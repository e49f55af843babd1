package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sitemon"
)

const (
	// sitesShown is how many sites the list shows at once; links lead to the others.
	sitesShown = 500
	// busyReports is how many reports a second a page follows. With more it follows
	// the statuses alone, and asks for the rest from time to time.
	busyReports = 50
)

// sitesPage is the page of all sites.
type sitesPage struct {
	layout
	State  sentence
	Open   string // "2 open incidents", "" for none
	Chips  []chip
	Filter siteFilter
	Groups []groupOption // to choose from
	List   []siteGroup
	Any    bool   // there are sites, whether the filter selects them or not
	Found  string // "12 sites found", for who can't see the list change
	Pager  *pager
}

// sentence says how all is, in words.
type sentence struct {
	Status statusView // the worst of all
	Text   string
}

// chip is a status to filter by, with how many sites have it.
type chip struct {
	Status  statusView // Name is "" for all
	Count   int
	Note    string // instead of the count
	URL     string
	Current bool
}

type groupOption struct {
	Name    string
	Current bool
}

// pager leads to the sites that the list leaves out; addresses are "" where there
// are none.
type pager struct{ Text, Previous, Next string }

// siteGroup is a group of the list with the sites that are shown of it.
type siteGroup struct {
	Name  string // "" where the sites have none
	Title string // "" where there are no groups at all
	Note  string // "12 sites, 1 down"
	Rows  []siteRow

	worst int
	sites []*sitemon.SiteState
}

// siteRow is a site in the list.
type siteRow struct {
	Name    string
	URL     string // of its page
	Target  string
	Status  statusView
	Reason  string
	Error   string
	Latency string
	Shares  []shareView // over 24 h, 7 d, 30 d
	Since   *ageView
	Fresh   bool // it has no report yet
}

// sitesPage answers with the list of sites.
func (s *Server) sitesPage(w http.ResponseWriter, r *http.Request) error {
	f, err := newSiteFilter(r.URL.Query())
	if err != nil {
		return err
	}
	all, err := s.Sites.Sites(r.Context(), sitemon.SiteQuery{Brief: true})
	if err != nil {
		return err
	}
	parts := partsOf(r)
	d := sitesPage{State: newSentence(all), Filter: f, Any: len(all) > 0}
	d.layout = s.layoutOf("sites", d.State.Text, "summary", "tools", "list")
	d.Poll = 60 // for the availability
	if reportRate(all) > busyReports {
		d.Poll = 10
	} else {
		d.Events = "/api/v1/events"
	}
	if parts.has("summary") {
		if d.Open, err = s.openIncidents(r.Context()); err != nil {
			return err
		}
	}
	if d.State.Status.Name == string(sitemon.StatusDown) {
		d.Icon = "favicon-down.svg"
	}
	d.Groups = groupOptions(all, f)
	d.Chips = f.chips(all)
	switch {
	case parts.has("list"):
		err = s.fillList(r.Context(), &d, f.selected(all))
	case parts.has("rows"):
		err = s.fillRows(r.Context(), &d, all, r.URL.Query()["site"])
	}
	if err != nil {
		return err
	}
	return s.render(w, http.StatusOK, "sites", parts, d)
}

// fillList groups and sorts the selected sites and makes the rows of those that
// are shown.
func (s *Server) fillList(ctx context.Context, d *sitesPage, selected []*sitemon.SiteState) error {
	d.Found = plural(len(selected), "site") + " found"
	groups := grouped(selected)
	from := min(d.Filter.From, len(selected))
	to := min(from+sitesShown, len(selected))
	d.Pager = d.Filter.pager(from, to, len(selected))
	var shown []*sitemon.SiteState
	at := 0 // place of the group's first site among all selected
	for _, g := range groups {
		first, last := max(from-at, 0), min(to-at, len(g.sites))
		at += len(g.sites)
		if first >= last {
			continue
		}
		g.sites = g.sites[first:last]
		shown = append(shown, g.sites...)
		d.List = append(d.List, g)
	}
	rows, err := s.rowsOf(ctx, shown)
	if err != nil {
		return err
	}
	for i := range d.List {
		n := len(d.List[i].sites)
		d.List[i].Rows, rows = rows[:n], rows[n:]
	}
	return nil
}

// reportRate is how many reports a second the sites make.
func reportRate(all []sitemon.SiteState) float64 {
	var rate float64
	for i := range all {
		if s := all[i].Interval.Seconds(); s > 0 && all[i].Enabled {
			rate += 1 / s
		}
	}
	return rate
}

// fillRows makes the rows of the named sites alone, as one group.
func (s *Server) fillRows(ctx context.Context, d *sitesPage, all []sitemon.SiteState, names []string) error {
	var named []*sitemon.SiteState
	for i := range all {
		if slices.Contains(names, all[i].Name) {
			named = append(named, &all[i])
		}
	}
	rows, err := s.rowsOf(ctx, named)
	d.List = []siteGroup{{Rows: rows}}
	return err
}

// rowsOf makes the rows of the sites, in their order. Their newest reports are
// read here, for those that are shown: with thousands of sites that is most of
// the work.
func (s *Server) rowsOf(ctx context.Context, sites []*sitemon.SiteState) ([]siteRow, error) {
	names := make([]string, len(sites))
	for i, st := range sites {
		names[i] = st.Name
	}
	figures, err := s.figures.of(ctx, names)
	if err != nil {
		return nil, err
	}
	whole, err := s.Sites.Sites(ctx, sitemon.SiteQuery{Names: names})
	if err != nil {
		return nil, err
	}
	newest := make(map[string]*sitemon.Report, len(whole))
	for i := range whole {
		newest[whole[i].Name] = whole[i].LastReport
	}
	now := s.Now()
	rows := make([]siteRow, len(sites))
	for i, st := range sites {
		row := siteRow{
			Name: st.Name, URL: siteURL(st.Name), Target: sitemon.RedactURL(st.URL),
			Status: newStatusView(st.Status), Latency: latencyText(0),
			Shares: shareViews(figures[st.Name], 3), Since: newAgeView(st.Since, now), Fresh: newest[st.Name] == nil,
		}
		if st.Status != sitemon.StatusUp && st.Status != sitemon.StatusPaused {
			row.Reason, row.Error = reasonText(st.Reason), st.Error
		}
		if l := newest[st.Name]; l != nil && l.Outcome != sitemon.OutcomeUnknown {
			row.Latency = latencyText(l.Duration)
		}
		rows[i] = row
	}
	return rows, nil
}

// siteURL is the address of a site's page.
func siteURL(name string) string { return "/sites/" + url.PathEscape(name) }

// rank is how much a status needs a person: 0 most.
func rank(st sitemon.Status) int { return slices.Index(sitemon.Statuses, st) }

// grouped sorts sites into their groups: the worst group first, in it the worst
// site first, then by name; sites without a group come last among equals.
func grouped(sites []*sitemon.SiteState) []siteGroup {
	byName := map[string]*siteGroup{}
	for _, st := range sites {
		g := byName[st.Group]
		if g == nil {
			g = &siteGroup{Name: st.Group, Title: st.Group, worst: rank(st.Status)}
			byName[st.Group] = g
		}
		g.worst = min(g.worst, rank(st.Status))
		g.sites = append(g.sites, st)
	}
	groups := make([]siteGroup, 0, len(byName))
	for _, g := range byName {
		slices.SortStableFunc(g.sites, func(a, b *sitemon.SiteState) int {
			if d := rank(a.Status) - rank(b.Status); d != 0 {
				return d
			}
			return strings.Compare(a.Name, b.Name)
		})
		g.Note = groupNote(g.sites)
		if g.Name == "" && len(byName) > 1 {
			g.Title = "Without a group"
		}
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b siteGroup) int {
		switch {
		case a.worst != b.worst:
			return a.worst - b.worst
		case (a.Name == "") != (b.Name == ""):
			if a.Name == "" {
				return 1
			}
			return -1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return groups
}

// groupNote is "12 sites, 1 down".
func groupNote(sites []*sitemon.SiteState) string {
	counts := map[sitemon.Status]int{}
	for _, st := range sites {
		counts[st.Status]++
	}
	var note strings.Builder
	note.WriteString(plural(len(sites), "site"))
	for _, st := range []sitemon.Status{sitemon.StatusDown, sitemon.StatusDegraded, sitemon.StatusUnknown, sitemon.StatusMaintenance} {
		if n := counts[st]; n > 0 {
			fmt.Fprintf(&note, ", %d %s", n, predicate(st))
		}
	}
	return note.String()
}

// newSentence says how all sites are.
func newSentence(all []sitemon.SiteState) sentence {
	if len(all) == 0 {
		return sentence{newStatusView(sitemon.StatusUnknown), "No sites yet"}
	}
	counts := map[sitemon.Status]int{}
	for i := range all {
		counts[all[i].Status]++
	}
	var said []string
	var worst sitemon.Status
	for _, st := range sitemon.Statuses {
		n := counts[st]
		if n == 0 || st == sitemon.StatusUp {
			continue
		}
		if len(said) > 0 {
			said = append(said, fmt.Sprintf("%d %s", n, predicate(st)))
			continue
		}
		if trouble := st == sitemon.StatusDown || st == sitemon.StatusDegraded || st == sitemon.StatusUnknown; trouble || n == len(all) {
			worst = st
			said = append(said, headline(n, len(all), st))
			continue
		}
		worst = sitemon.StatusUp
		said = append(said, headline(counts[sitemon.StatusUp], counts[sitemon.StatusUp], sitemon.StatusUp), fmt.Sprintf("%d %s", n, predicate(st)))
	}
	if len(said) == 0 {
		worst = sitemon.StatusUp
		said = append(said, headline(len(all), len(all), worst))
	}
	return sentence{newStatusView(worst), strings.Join(said, ", ")}
}

// headline is "2 of 418 sites down", or "All 12 sites up".
func headline(n, of int, st sitemon.Status) string {
	switch {
	case of == 1:
		return "1 site " + predicate(st)
	case n == of:
		return fmt.Sprintf("All %d sites %s", n, predicate(st))
	}
	return fmt.Sprintf("%d of %s %s", n, plural(of, "site"), predicate(st))
}
