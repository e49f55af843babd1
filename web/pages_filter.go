package web

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sitemon"
)

// siteFilter is which sites the list shows. It is all in the page's address.
type siteFilter struct {
	Status sitemon.Status // "": any
	Group  string         // "": any
	Tag    string         // "": any
	Text   string         // part of a name, target or group
	Sort   string         // by what the sites are sorted: "" as they need somebody, or one of sortKeys
	From   int            // how many sites to leave out at the beginning
	// Open and Folded are groups that somebody unfolded or folded.
	Open, Folded []string
}

// sortKeys are what the list can be sorted by; with a "-" in front the other way
// round.
var sortKeys = []string{"name", "latency", "24h", "30d", "since"}

// newSiteFilter reads the filter from the page's address.
func newSiteFilter(q url.Values) (siteFilter, error) {
	f := siteFilter{
		Status: sitemon.Status(q.Get("status")), Group: q.Get("group"), Tag: q.Get("tag"), Text: strings.TrimSpace(q.Get("q")),
		Sort: q.Get("sort"), Open: q["open"], Folded: q["folded"],
	}
	if f.Status != "" && !slices.Contains(sitemon.Statuses, f.Status) {
		return f, badParameter("status", "there is no status %q", f.Status)
	}
	if key := strings.TrimPrefix(f.Sort, "-"); key != "" && !slices.Contains(sortKeys, key) {
		return f, badParameter("sort", "%q is none of %s, also with a - in front", f.Sort, strings.Join(sortKeys, ", "))
	}
	if v := q.Get("from"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return f, badParameter("from", "%q is not a number of sites", v)
		}
		f.From = n
	}
	return f, nil
}

// url is the address of the list with this filter.
func (f siteFilter) url() string {
	q := url.Values{}
	if f.Status != "" {
		q.Set("status", string(f.Status))
	}
	if f.Group != "" {
		q.Set("group", f.Group)
	}
	if f.Tag != "" {
		q.Set("tag", f.Tag)
	}
	if f.Text != "" {
		q.Set("q", f.Text)
	}
	if f.Sort != "" {
		q.Set("sort", f.Sort)
	}
	if len(f.Open) > 0 {
		q["open"] = f.Open
	}
	if len(f.Folded) > 0 {
		q["folded"] = f.Folded
	}
	if f.From > 0 {
		q.Set("from", strconv.Itoa(f.From))
	}
	if len(q) == 0 {
		return "/"
	}
	return "/?" + q.Encode()
}

// pager leads to the sites before from and from to on; nil where all are shown.
func (f siteFilter) pager(from, to, of int) *pager {
	if from == 0 && to == of {
		return nil
	}
	p := &pager{Text: fmt.Sprintf("%d to %d of %s", min(from+1, of), to, plural(of, "site"))}
	if from > 0 {
		f.From = max(from-sitesShown, 0)
		p.Previous = f.url()
	}
	if to < of {
		f.From = to
		p.Next = f.url()
	}
	return p
}

// matches reports whether the filter selects the site, its status aside.
func (f siteFilter) matches(st *sitemon.SiteState) bool {
	if f.Group != "" && f.Group != st.Group || f.Tag != "" && !slices.Contains(st.Tags, f.Tag) {
		return false
	}
	if f.Text == "" {
		return true
	}
	text := strings.ToLower(f.Text)
	return strings.Contains(strings.ToLower(st.Name), text) ||
		strings.Contains(strings.ToLower(st.Group), text) ||
		strings.Contains(strings.ToLower(sitemon.RedactURL(st.URL)), text)
}

// selected lists the sites that the filter selects.
func (f siteFilter) selected(all []sitemon.SiteState) []*sitemon.SiteState {
	var found []*sitemon.SiteState
	for i := range all {
		if (f.Status == "" || all[i].Status == f.Status) && f.matches(&all[i]) {
			found = append(found, &all[i])
		}
	}
	return found
}

// chips counts the statuses of the sites that the filter would select, were it
// for any status. Maintenance and pauses have a chip only where there are some.
func (f siteFilter) chips(all []sitemon.SiteState) []chip {
	counts := map[sitemon.Status]int{}
	total := 0
	for i := range all {
		if f.matches(&all[i]) {
			counts[all[i].Status]++
			total++
		}
	}
	address := func(st sitemon.Status) string {
		of := f
		of.Status, of.From = st, 0
		return of.url()
	}
	chips := []chip{{Status: statusView{"", "All"}, Count: total, URL: address(""), Current: f.Status == ""}}
	for _, st := range sitemon.Statuses {
		seldom := st == sitemon.StatusMaintenance || st == sitemon.StatusPaused
		if seldom && counts[st] == 0 && f.Status != st {
			continue
		}
		chips = append(chips, chip{Status: newStatusView(st), Count: counts[st], URL: address(st), Current: f.Status == st})
	}
	return chips
}

// sortedBy is the filter with another order: as the column says at first, and the
// other way round at the next time.
func (f siteFilter) sortedBy(key string) siteFilter {
	first, other := key, "-"+key
	if key == "latency" || key == "since" { // the slowest, and what changed last, first
		first, other = other, first
	}
	if f.From = 0; f.Sort == first {
		first = other
	}
	f.Sort = first
	return f
}

// toggled is the filter with one group folded or unfolded.
func (f siteFilter) toggled(group string, folded bool) siteFilter {
	other := func(g string) bool { return g == group }
	f.Open, f.Folded = slices.DeleteFunc(slices.Clone(f.Open), other), slices.DeleteFunc(slices.Clone(f.Folded), other)
	if f.From = 0; folded {
		f.Folded = append(f.Folded, group)
	} else {
		f.Open = append(f.Open, group)
	}
	return f
}

// groupOptions are the groups that there are, by name.
func groupOptions(all []sitemon.SiteState, f siteFilter) []groupOption {
	names := map[string]bool{}
	for i := range all {
		names[all[i].Group] = true
	}
	names[f.Group] = true // also where its last site has gone
	var options []groupOption
	for _, n := range slices.Sorted(maps.Keys(names)) {
		if n == "" {
			continue
		}
		options = append(options, groupOption{n, f.Group == n})
	}
	return options
}
