package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sitemon"
)

func testSiteFilters(h *harness) {
	tagged := func(tags ...string) func(*sitemon.Site) { return func(s *sitemon.Site) { s.Tags = tags } }
	h.sync(
		site("Ärger", time.Minute, group("public"), tagged("web", "eu")),
		site("beta", 10*time.Second, group("Public api")),
		site("alpha", 10*time.Second, group("public"), tagged("web")),
		site("gone", time.Minute),
		site("paused", time.Minute, disabled),
	)
	h.record(report("beta", epoch, sitemon.OutcomeDown), report("alpha", epoch, sitemon.OutcomeUp), report("gone", epoch, sitemon.OutcomeUp))
	h.sync(
		site("Ärger", time.Minute, group("public"), tagged("web", "eu")),
		site("beta", 10*time.Second, group("Public api")),
		site("alpha", 10*time.Second, group("public"), tagged("web")),
		site("paused", time.Minute, disabled),
	)
	text := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		query sitemon.SiteQuery
		want  []string
	}{
		"all, by the bytes of their names":   {sitemon.SiteQuery{}, []string{"alpha", "beta", "paused", "Ärger"}},
		"names":                              {sitemon.SiteQuery{Names: []string{"Ärger", "alpha", "nobody"}}, []string{"alpha", "Ärger"}},
		"no names":                           {sitemon.SiteQuery{Names: []string{}}, nil},
		"in brief":                           {sitemon.SiteQuery{Brief: true, Group: text("public")}, []string{"alpha", "Ärger"}},
		"a group":                            {sitemon.SiteQuery{Group: text("public")}, []string{"alpha", "Ärger"}},
		"no group":                           {sitemon.SiteQuery{Group: text("")}, []string{"paused"}},
		"a tag":                              {sitemon.SiteQuery{Tag: "eu"}, []string{"Ärger"}},
		"a part of a tag":                    {sitemon.SiteQuery{Tag: "e"}, nil},
		"a status":                           {sitemon.SiteQuery{Status: sitemon.StatusDown}, []string{"beta"}},
		"paused":                             {sitemon.SiteQuery{Status: sitemon.StatusPaused}, []string{"paused"}},
		"text in the name, in another case":  {sitemon.SiteQuery{Text: "äRG"}, []string{"Ärger"}},
		"text in the group":                  {sitemon.SiteQuery{Text: "PUBLIC"}, []string{"alpha", "beta", "Ärger"}},
		"text in the URL":                    {sitemon.SiteQuery{Text: "//beta.example"}, []string{"beta"}},
		"text that a pattern would take":     {sitemon.SiteQuery{Text: "%"}, nil},
		"a page":                             {sitemon.SiteQuery{Limit: 2}, []string{"alpha", "beta"}},
		"the next page":                      {sitemon.SiteQuery{Limit: 2, After: "beta"}, []string{"paused", "Ärger"}},
		"a page of those with a text":        {sitemon.SiteQuery{Text: "public", Limit: 1, After: "alpha"}, []string{"beta"}},
		"removed":                            {sitemon.SiteQuery{Removed: true}, []string{"gone"}},
		"removed, of a group":                {sitemon.SiteQuery{Removed: true, Group: text("public")}, nil},
		"a group and a status, none of both": {sitemon.SiteQuery{Group: text("public"), Status: sitemon.StatusDown}, nil},
	} {
		sites, err := h.Sites(h.ctx, c.query)
		h.check(err)
		var got []string
		for _, s := range sites {
			got = append(got, s.Name)
		}
		h.equal(name, got, c.want)
	}
	sites, err := h.Sites(h.ctx, sitemon.SiteQuery{})
	h.check(err)
	for _, s := range sites {
		one, err := h.Site(h.ctx, s.Name)
		h.check(err)
		h.equal("one site and the list", one, s)
	}
	brief, err := h.Sites(h.ctx, sitemon.SiteQuery{Brief: true})
	h.check(err)
	for i := range sites {
		sites[i].Locations, sites[i].LastReport = nil, nil
	}
	h.equal("the list in brief", brief, sites)
}

// testManySites lists more sites than a store reads at a time.
func testManySites(h *harness) {
	var all []sitemon.Site
	var reports []sitemon.Report
	for i := range 620 {
		s := site(fmt.Sprintf("site %03d", i), time.Minute, group(fmt.Sprintf("group %d", i%2)))
		outcome := sitemon.OutcomeUp
		if i%3 == 0 {
			outcome = sitemon.OutcomeDown
		}
		all, reports = append(all, s), append(reports, report(s.Name, epoch, outcome))
	}
	h.sync(all...)
	h.record(reports...)
	odd := "group 1"
	for name, c := range map[string]struct {
		query sitemon.SiteQuery
		want  int // sites
	}{
		"all":             {sitemon.SiteQuery{}, 620},
		"a page":          {sitemon.SiteQuery{Limit: 600, After: "site 010"}, 600},
		"the last page":   {sitemon.SiteQuery{Limit: 600, After: "site 310"}, 309},
		"a group":         {sitemon.SiteQuery{Group: &odd}, 310},
		"a text":          {sitemon.SiteQuery{Text: "SITE 1", Limit: 600}, 100},
		"a status":        {sitemon.SiteQuery{Status: sitemon.StatusUp, Limit: 600}, 413},
		"a status, names": {sitemon.SiteQuery{Status: sitemon.StatusDown, Names: []string{"site 003", "site 004"}}, 1},
	} {
		sites, err := h.Sites(h.ctx, c.query)
		h.check(err)
		h.equal(name+": sites", len(sites), c.want)
		if !slices.IsSortedFunc(sites, func(a, b sitemon.SiteState) int { return strings.Compare(a.Name, b.Name) }) {
			h.Errorf("%s: the sites are not in the order of their names", name)
		}
		for _, s := range sites {
			if s.LastReport == nil || s.LastReport.Site != s.Name || len(s.Locations) != 1 {
				h.Fatalf("%s: %s has the newest report %+v and %d locations", name, s.Name, s.LastReport, len(s.Locations))
			}
		}
	}
}

// pages reads all pages of a query; between runs after each.
func (h *harness) pages(q sitemon.ReportQuery, between func()) (all []sitemon.Report) {
	h.Helper()
	for range 1000 {
		page, next, err := h.Reports(h.ctx, q)
		h.check(err)
		all = append(all, page...)
		if next == "" {
			return all
		}
		if len(page) != q.Limit {
			h.Fatalf("a page of %d reports with a next one, want %d", len(page), q.Limit)
		}
		q.Before = next
		between()
	}
	h.Fatal("the pages do not end")
	return nil
}

func testReportPages(h *harness) {
	h.sync(site("a", 10*time.Second))
	slots := grid("a", 10*time.Second, epoch, 40)
	h.set(slots[39])
	var want []sitemon.Report
	for _, at := range slots[:30] {
		for _, l := range []string{"west", "east"} {
			r := report("a", at, sitemon.OutcomeUp)
			r.Location = l
			h.record(r)
			want = append(want, r)
		}
	}
	slices.SortStableFunc(want, func(a, b sitemon.Report) int { return b.Slot.Compare(a.Slot) })
	bySlot := func(rs []sitemon.Report) []time.Time {
		var ts []time.Time
		for _, r := range rs {
			ts = append(ts, r.Slot)
		}
		return ts
	}
	for _, limit := range []int{1, 2, 7, 59, 60, 61} {
		got := h.pages(sitemon.ReportQuery{Site: "a", Limit: limit}, func() {})
		h.equal("slots on all pages", bySlot(got), bySlot(want))
		seen := map[sitemon.Report]int{}
		for _, r := range got {
			seen[r]++
		}
		for _, r := range want {
			h.equal("how often a report is listed", seen[r], 1)
		}
	}
	// Reports that come meanwhile neither appear twice nor push others out.
	next := 30
	got := h.pages(sitemon.ReportQuery{Site: "a", Limit: 9}, func() {
		if next < len(slots) {
			h.record(report("a", slots[next], sitemon.OutcomeUp))
			next++
		}
	})
	h.equal("slots while others come", bySlot(got), bySlot(want))
	many, _, err := h.Reports(h.ctx, sitemon.ReportQuery{Site: "a"})
	h.check(err)
	h.equal("reports without a limit", len(many), 66)
	_, _, err = h.Reports(h.ctx, sitemon.ReportQuery{Site: "a", Before: "no cursor"})
	if !errors.Is(err, sitemon.ErrInvalid) {
		h.Fatalf("a bad cursor: %v, want ErrInvalid", err)
	}
	_, _, err = h.Reports(h.ctx, sitemon.ReportQuery{Site: "nobody"})
	if !errors.Is(err, sitemon.ErrNotFound) {
		h.Fatalf("an unknown site: %v, want ErrNotFound", err)
	}
}

func testReportFilters(h *harness) {
	h.sync(site("a", 10*time.Second), site("b", 10*time.Second))
	slots := grid("a", 10*time.Second, epoch, 10)
	h.set(slots[9])
	for i, at := range slots {
		h.record(report("a", at, sitemon.Outcomes[i%4]))
	}
	h.record(report("b", slots[0], sitemon.OutcomeUp))
	ms := time.Millisecond
	for name, c := range map[string]struct {
		query sitemon.ReportQuery
		want  []int
	}{
		"from is inclusive":        {sitemon.ReportQuery{From: slots[8]}, []int{9, 8}},
		"from just after":          {sitemon.ReportQuery{From: slots[8].Add(time.Microsecond)}, []int{9}},
		"to is exclusive":          {sitemon.ReportQuery{To: slots[1]}, []int{0}},
		"to just after":            {sitemon.ReportQuery{To: slots[1].Add(ms)}, []int{1, 0}},
		"a window":                 {sitemon.ReportQuery{From: slots[2], To: slots[5]}, []int{4, 3, 2}},
		"an empty window":          {sitemon.ReportQuery{From: slots[5], To: slots[2]}, nil},
		"an outcome":               {sitemon.ReportQuery{Outcome: sitemon.OutcomeDown}, []int{6, 2}},
		"an outcome in a window":   {sitemon.ReportQuery{Outcome: sitemon.OutcomeUp, From: slots[1], To: slots[8]}, []int{4}},
		"the newest of an outcome": {sitemon.ReportQuery{Outcome: sitemon.OutcomeUnknown, Limit: 1}, []int{7}},
	} {
		c.query.Site = "a"
		got, _, err := h.Reports(h.ctx, c.query)
		h.check(err)
		var found []int
		for _, r := range got {
			found = append(found, slices.IndexFunc(slots, r.Slot.Equal))
		}
		h.equal(name, found, c.want)
	}
}
