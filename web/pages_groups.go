package web

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"sitemon"
	"sitemon/availability"
)

// siteGroup is a group of the list with the sites that are shown of it.
type siteGroup struct {
	Name   string // "" where the sites have none
	Title  string // "" where there are no groups at all
	Note   string // "12 sites, 1 down"
	Status statusView
	Folded bool   // it is shown as one line
	Toggle string // the address of the list with the group folded or unfolded
	Rows   []siteRow

	worst int
	sites []*sitemon.SiteState
}

// healthy reports whether no site of the group needs anybody.
func (g *siteGroup) healthy() bool { return g.worst > rank(sitemon.StatusUnknown) }

// fold folds what somebody folded, and of very many sites the healthy groups that
// nobody unfolded, unless somebody looks for something.
func (f siteFilter) fold(groups []siteGroup, of int) {
	sought := f.Status != "" || f.Group != "" || f.Tag != "" || f.Text != ""
	for i := range groups {
		g := &groups[i]
		if g.Title == "" {
			continue
		}
		many := of > sitesShown && g.healthy() && !sought
		g.Folded = slices.Contains(f.Folded, g.Name) || many && !slices.Contains(f.Open, g.Name)
		g.Toggle = f.toggled(g.Name, !g.Folded).url()
	}
}

// shapeOf says which groups a list has, in whatever order, which of them are folded and
// how many rows the others have, so that a page whose rows are fetched alone sees when it
// has to fetch the whole list.
func shapeOf(groups []siteGroup) string {
	var sum uint64
	for _, g := range groups {
		h := fnv.New64a()
		fmt.Fprintf(h, "%q %t %d", g.Name, g.Folded, len(g.sites))
		sum += h.Sum64()
	}
	return strconv.FormatUint(sum, 36)
}

// ranking is what a list is sorted by that the sites in brief do not tell.
type ranking struct {
	figures map[string][]availability.Figure
	newest  map[string]*sitemon.Report
}

// sorted is all sites in one group, in the order that the filter wants. What is not
// known comes last.
func (f siteFilter) sorted(sites []*sitemon.SiteState, r ranking) []siteGroup {
	key, backwards := strings.CutPrefix(f.Sort, "-")
	value := func(st *sitemon.SiteState) (float64, bool) {
		switch key {
		case "latency":
			l := r.newest[st.Name]
			return float64(latencyOf(l)), l != nil && latencyOf(l) > 0
		case "24h", "30d":
			i := map[string]int{"24h": 0, "30d": 2}[key]
			if fs := r.figures[st.Name]; len(fs) > i && fs[i].Availability != nil {
				return *fs[i].Availability, true
			}
			return 0, false
		case "since":
			return float64(st.Since.UnixMilli()), !st.Since.IsZero()
		}
		return 0, true
	}
	slices.SortStableFunc(sites, func(a, b *sitemon.SiteState) int {
		av, aKnown := value(a)
		bv, bKnown := value(b)
		if aKnown != bKnown {
			if aKnown {
				return -1
			}
			return 1
		}
		c := cmp.Or(cmp.Compare(av, bv), strings.Compare(a.Name, b.Name))
		if backwards {
			return -c
		}
		return c
	})
	return []siteGroup{{sites: sites}}
}

// latencyOf is the latency of a report that has one; 0: none.
func latencyOf(r *sitemon.Report) time.Duration {
	if r == nil || r.Outcome == sitemon.OutcomeUnknown {
		return 0
	}
	return r.Duration
}

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
		g.Note, g.Status = groupNote(g.sites), newStatusView(sitemon.Statuses[g.worst])
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
