package web

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sitemon"
	"sitemon/availability"
)

const (
	// sitesShown is how many sites the list shows at once; links lead to the others.
	sitesShown = 500
	// busyReports is how many reports a second a page follows. With more it follows
	// the statuses alone, and asks for the rows that are in view from time to time.
	busyReports = 50
	// figuresPoll is after how many seconds a page that follows its reports asks for
	// the figures again.
	figuresPoll = 60
)

// sitesPage is the page of all sites.
type sitesPage struct {
	layout
	State   sentence
	Open    string // "2 open incidents", "" for none
	Chips   []chip
	Filter  siteFilter
	Groups  []groupOption // to choose from
	Matrix  *matrix       // nil: of a few sites the list says it all
	Columns []column
	List    []siteGroup
	Shape   string // changes where rows come or go; see shapeOf
	Busy    bool   // there are more reports than a page can follow
	Any     bool   // there are sites, whether the filter selects them or not
	Found   string // "12 sites found", for who can't see the list change
	Pager   *pager
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

// siteRow is a site in the list.
type siteRow struct {
	Name    string
	URL     string // of its page
	Target  string
	Status  statusView
	Reason  string
	Error   string
	Latency string
	Trend   trend
	Day     shareView     // over 24 h
	Month   shareView     // over 30 d
	Mark    template.HTML // the status as the list shows it
	Age     template.HTML // of the status; "" where it has none
	Fresh   bool          // it has no report yet
}

// column is a heading of the list.
type column struct {
	Title string
	Long  string // what an abbreviation stands for
	URL   string // of the list that it sorts; "": it sorts none
	Sort  string // as aria-sort has it; "" where the list is sorted otherwise
	Class string

	key string // of the order
}

// sitesPage answers with the list of sites.
func (s *Server) sitesPage(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Path != "/" { // the mux takes /%2f for it
		return errNoRoute
	}
	f, err := newSiteFilter(r.URL.Query())
	if err != nil {
		return err
	}
	all, err := s.brief.all(r.Context(), r.Header.Get("Last-Event-ID"))
	if err != nil {
		return err
	}
	parts := partsOf(r)
	d := sitesPage{State: newSentence(all), Filter: f, Any: len(all) > 0}
	d.layout = s.layoutOf(r, "sites", d.State.Text, "summary", "tools", "matrix", "list")
	d.Poll = figuresPoll
	if d.Busy = reportRate(all) > busyReports; !d.Busy {
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
	if parts.has("matrix") {
		d.Matrix = newMatrix(all, f)
	}
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
	d.Columns = d.Filter.columns()
	groups := grouped(selected)
	if d.Filter.Sort != "" && len(selected) > 0 {
		r, err := s.rankingOf(ctx, d.Filter, selected)
		if err != nil {
			return err
		}
		groups = d.Filter.sorted(selected, r)
	}
	d.layOut(groups, len(selected))
	var shown []*sitemon.SiteState
	for _, g := range d.List {
		shown = append(shown, g.sites...)
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

// layOut makes the list of groups, without rows: what is folded, and which part of
// the others is on this page. of is how many sites they have.
func (d *sitesPage) layOut(groups []siteGroup, of int) {
	d.Found = plural(of, "site") + " found"
	d.Filter.fold(groups, of)
	unfolded := 0
	for _, g := range groups {
		if !g.Folded {
			unfolded += len(g.sites)
		}
	}
	from := min(d.Filter.From, unfolded)
	to := min(from+sitesShown, unfolded)
	d.Pager = d.Filter.pager(from, to, unfolded)
	at := 0 // place of the group's first site among all unfolded ones
	for _, g := range groups {
		if g.Folded {
			if to == unfolded { // beside the last page
				g.sites = nil
				d.List = append(d.List, g)
			}
			continue
		}
		first, last := max(from-at, 0), min(to-at, len(g.sites))
		at += len(g.sites)
		if first >= last {
			continue
		}
		g.sites = g.sites[first:last]
		d.List = append(d.List, g)
	}
	d.Shape = shapeOf(d.List)
}

// rankingOf reads what the sites are to be sorted by.
func (s *Server) rankingOf(ctx context.Context, f siteFilter, sites []*sitemon.SiteState) (r ranking, err error) {
	names := namesOf(sites)
	switch strings.TrimPrefix(f.Sort, "-") {
	case "latency":
		r.newest, err = s.newestOf(ctx, names)
	case "24h", "30d":
		r.figures, err = s.figures.of(ctx, names)
	}
	return r, err
}

func namesOf(sites []*sitemon.SiteState) []string {
	names := make([]string, len(sites))
	for i, st := range sites {
		names[i] = st.Name
	}
	return names
}

// columns are the headings of the list, as they stand beside each other.
func (f siteFilter) columns() []column {
	columns := []column{
		{Title: "Status", Class: "c-status"},
		{Title: "Site", key: "name", Class: "c-site"},
		{Title: "90 days", Class: "c-bars"},
		{Title: "Latency", key: "latency", Class: "c-latency num"},
		{Title: "24 h", Long: "Availability over the last 24 hours", key: "24h", Class: "c-share num"},
		{Title: "30 d", Long: "Availability over the last 30 days", key: "30d", Class: "c-share c-month num"},
		{Title: "Since", key: "since", Class: "c-since num"},
	}
	for i := range columns {
		c := &columns[i]
		switch {
		case c.Class == "c-bars": // nothing to sort by
		case c.key == "" && f.Sort == "": // as they need somebody
			c.URL, c.Sort = f.url(), "descending"
		default:
			c.URL = f.sortedBy(c.key).url()
			c.Sort = map[string]string{c.key: "ascending", "-" + c.key: "descending"}[f.Sort]
		}
	}
	return columns
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

// fillRows makes the rows of the named sites alone, as one group behind the headings
// of the others.
func (s *Server) fillRows(ctx context.Context, d *sitesPage, all []sitemon.SiteState, names []string) error {
	var named []*sitemon.SiteState
	for i := range all {
		if slices.Contains(names, all[i].Name) {
			named = append(named, &all[i])
		}
	}
	rows, err := s.rowsOf(ctx, named)
	selected := d.Filter.selected(all)
	groups := []siteGroup{{sites: selected}}
	if d.Filter.Sort == "" { // else there are no groups
		groups = grouped(selected)
	}
	d.layOut(groups, len(selected))
	d.List = append(d.List, siteGroup{Rows: rows})
	return err
}

// newestOf reads the newest reports of sites.
func (s *Server) newestOf(ctx context.Context, names []string) (map[string]*sitemon.Report, error) {
	whole, err := s.Sites.Sites(ctx, sitemon.SiteQuery{Names: names})
	newest := make(map[string]*sitemon.Report, len(whole))
	for i := range whole {
		newest[whole[i].Name] = whole[i].LastReport
	}
	return newest, err
}

// rowsOf makes the rows of the sites, in their order. Their newest reports are
// read here, for those that are shown: with thousands of sites that is most of
// the work.
func (s *Server) rowsOf(ctx context.Context, sites []*sitemon.SiteState) ([]siteRow, error) {
	names := namesOf(sites)
	var figures map[string][]availability.Figure
	var trends map[string]trend
	var newest map[string]*sitemon.Report
	err := together(ctx,
		func(ctx context.Context) (err error) {
			figures, err = s.figures.of(ctx, names)
			return err
		},
		func(ctx context.Context) (err error) {
			trends, err = s.trends.of(ctx, names)
			return err
		},
		func(ctx context.Context) (err error) {
			newest, err = s.newestOf(ctx, names)
			return err
		})
	if err != nil {
		return nil, err
	}
	now := s.Now()
	rows := make([]siteRow, len(sites))
	for i, st := range sites {
		row := siteRow{
			Name: st.Name, URL: siteURL(st.Name), Target: sitemon.RedactURL(st.URL),
			Status: newStatusView(st.Status), Latency: latencyText(latencyOf(newest[st.Name])),
			Mark: s.pages.marks[st.Status], Age: ageHTML(newAgeView(st.Since, now)), Fresh: newest[st.Name] == nil,
			Trend: trends[st.Name],
		}
		shares := shareViews(figures[st.Name], 3)
		row.Day, row.Month = shares[0], shares[2]
		if needsWords(st.Status) {
			row.Reason, row.Error = reasonOf(st.Kind, st.Reason), st.Error
		}
		rows[i] = row
	}
	return rows, nil
}

// needsWords reports whether a status is one whose reason people want to know.
func needsWords(st sitemon.Status) bool {
	return st != sitemon.StatusUp && st != sitemon.StatusPaused
}

// siteURL is the address of a site's page.
func siteURL(name string) string { return "/sites/" + url.PathEscape(name) }

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
