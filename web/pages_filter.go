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
	Text   string         // part of a name, target or group
	From   int            // how many sites to leave out at the beginning
}

// newSiteFilter reads the filter from the page's address.
func newSiteFilter(q url.Values) (siteFilter, error) {
	f := siteFilter{Status: sitemon.Status(q.Get("status")), Group: q.Get("group"), Text: strings.TrimSpace(q.Get("q"))}
	if f.Status != "" && !slices.Contains(sitemon.Statuses, f.Status) {
		return f, badParameter("status", "there is no status %q", f.Status)
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
	if f.Text != "" {
		q.Set("q", f.Text)
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
	if f.Group != "" && f.Group != st.Group {
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
		return siteFilter{Status: st, Group: f.Group, Text: f.Text}.url()
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
